"""What people edit on either side, or on both at once, and how one sees that it has arrived on the other."""

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local.demo.checks import entry_of_appointment, entry_of_event
from local.demo.scene import Scene
from local.demo.studio import IRYNA, MARCO, OLENA, DemoUser
from local.people import google_time

HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Edit:
    """`make` saves it; `arrived` looks on the other side, or on both where both were edited."""

    what: str
    make: Callable[[], object]
    arrived: Callable[[], bool]


class Edits:
    """The edits of three waves. Each takes upcoming appointments of its own, so that no wave builds on another's."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._links = {user.id: scene.links(user) for user in (OLENA, MARCO)}
        self._olenas, self._marcos, self._shared = (
            upcoming(scene, *users) for users in ((OLENA,), (MARCO,), (OLENA, MARCO))
        )
        self._noon = dt.datetime.combine(scene.today + dt.timedelta(days=14), dt.time(12), dt.UTC)
        self._evening = self._noon + dt.timedelta(hours=7)

    def in_calendars(self) -> list[Edit]:
        moved, (deleted, relocated) = next(self._olenas), itertools.islice(self._marcos, 2)
        evening, typed = self._evening, dict[str, str]()

        def type_entry() -> None:
            times: dict[str, Any] = {"start": google_time(evening), "end": google_time(evening + HOUR)}
            typed["id"] = self._scene.person(MARCO).insert(summary="Typed on Marco's phone", **times)["id"]

        return [
            Edit(
                "New entry in Marco's calendar: in the studio, as unlinked",
                type_entry,
                lambda: (self._scene.imported(typed["id"]) or {}).get("kind") == "unlinked",
            ),
            Edit(
                "Deleted in Marco's calendar: cancelled in the studio",
                lambda: self._scene.person(MARCO).delete("primary", self._links[MARCO.id][deleted]),
                lambda: self._document(deleted).get("status") == "cancelled",
            ),
            Edit(
                "Another place in Marco's calendar: in the studio",
                lambda: self._change(MARCO, relocated, location="Rooftop, Khreshchatyk 1"),
                lambda: self._document(relocated).get("location") == "Rooftop, Khreshchatyk 1",
            ),
            Edit(
                "Moved in Olena's calendar: moved in the studio",
                lambda: self._move(OLENA, moved),
                lambda: self._document(moved).get("start") == self._noon,
            ),
        ]

    def in_studio(self) -> list[Edit]:
        studio, evening = self._scene.studio, self._evening
        cancelled, handed_over = itertools.islice(self._olenas, 2)

        def book() -> None:
            times = {"start": evening, "end": evening + 2 * HOUR}
            studio.book("appointment-new", title=f"Booked by {IRYNA.name}", user_ids=[OLENA.id], **times)

        return [
            Edit(
                "New appointment in the studio: in Olena's calendar",
                book,
                lambda: self._event(OLENA, "appointment-new").get("summary") == f"Booked by {IRYNA.name}",
            ),
            Edit(
                "Cancelled in the studio: gone from Olena's calendar",
                lambda: studio.edit(cancelled, status="cancelled"),
                lambda: not self._event(OLENA, cancelled),
            ),
            Edit(
                "Handed over in the studio: leaves Olena's calendar, enters Marco's",
                lambda: studio.edit(handed_over, user_ids=[MARCO.id]),
                lambda: not self._event(OLENA, handed_over) and bool(self._event(MARCO, handed_over)),
            ),
        ]

    def on_both_sides(self) -> list[Edit]:
        """The same appointments at once, other fields in the studio than in the calendar."""
        studio = self._scene.studio
        renamed, tentative = itertools.islice(self._olenas, 2)
        described, shared = next(self._marcos), next(self._shared)

        def rename_and_move() -> None:
            studio.edit(renamed, title="Renamed in the studio")
            self._move(OLENA, renamed)

        def relocate_and_make_tentative() -> None:
            self._change(OLENA, tentative, status="tentative", colorId="9")
            studio.edit(tentative, location="Moved to studio C")

        def rename_and_describe() -> None:
            studio.edit(described, title="Renamed for Marco")
            self._change(MARCO, described, description="Noted on Marco's phone")

        def rename_and_move_shared() -> None:
            studio.edit(shared, title="Renamed for both")
            self._move(OLENA, shared)

        return [
            Edit(
                "Renamed in the studio while moved in the calendar: both survive, on both sides",
                rename_and_move,
                lambda: self._on_both(OLENA, renamed, title="Renamed in the studio", start=_utc(self._noon)),
            ),
            Edit(
                "Another place in the studio, tentative and blue in the calendar: all survive",
                relocate_and_make_tentative,
                lambda: (
                    self._on_both(OLENA, tentative, location="Moved to studio C", status="tentative")
                    and self._event(OLENA, tentative).get("colorId") == "9"
                ),
            ),
            Edit(
                "Renamed in the studio while described in Marco's calendar: both survive",
                rename_and_describe,
                lambda: self._on_both(
                    MARCO, described, title="Renamed for Marco", description="Noted on Marco's phone"
                ),
            ),
            Edit(
                "Shared one, renamed in the studio while moved by Olena: both, also in Marco's calendar",
                rename_and_move_shared,
                lambda: all(
                    self._on_both(user, shared, title="Renamed for both", start=_utc(self._noon))
                    for user in (OLENA, MARCO)
                ),
            ),
        ]

    def _change(self, user: DemoUser, appointment_id: str, **fields: Any) -> None:
        self._scene.person(user).patch("primary", self._links[user.id][appointment_id], **fields)

    def _move(self, user: DemoUser, appointment_id: str) -> None:
        self._change(user, appointment_id, start=google_time(self._noon), end=google_time(self._noon + HOUR))

    def _document(self, appointment_id: str) -> dict[str, Any]:
        return self._scene.studio.appointment(appointment_id) or {}

    def _event(self, user: DemoUser, appointment_id: str) -> dict[str, Any]:
        """The user's copy; empty while there is none, or once it is deleted."""
        event_id = self._links[user.id].get(appointment_id) or self._scene.event_of(user, appointment_id)
        found = self._scene.person(user).event(event_id) if event_id else {}
        return {} if found.get("status") == "cancelled" else found

    def _on_both(self, user: DemoUser, appointment_id: str, **wanted: str) -> bool:
        """Whether the appointment and the user's copy of it both hold the wanted fields (of `Entry`)."""
        document, event = self._document(appointment_id), self._event(user, appointment_id)
        if not document or not event:
            return False
        sides = (entry_of_appointment(document), entry_of_event(event))
        return all(getattr(side, name) == value for side in sides for name, value in wanted.items())


def _utc(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def carry_out(edits: Sequence[Edit], timeout: float) -> dict[str, float | None]:
    """Make all edits at once and watch; seconds from saving to arrival, by edit, None for what did not arrive."""
    saved: dict[str, float] = {}
    took: dict[str, float | None] = dict.fromkeys((edit.what for edit in edits), None)
    for edit in edits:
        edit.make()
        saved[edit.what] = time.monotonic()
    deadline = time.monotonic() + timeout
    waiting = list(edits)
    while waiting and time.monotonic() < deadline:
        for edit in [edit for edit in waiting if edit.arrived()]:
            took[edit.what] = time.monotonic() - saved[edit.what]
            waiting.remove(edit)
        time.sleep(0.005)
    return took


def upcoming(scene: Scene, *users: DemoUser) -> Iterator[str]:
    """Ids of timed appointments of just these users, from tomorrow on."""
    for appointment_id, fields in scene.plan.appointments.items():
        start = fields.get("start")
        if fields["user_ids"] == [user.id for user in users] and start and start.date() > scene.today:
            yield appointment_id
