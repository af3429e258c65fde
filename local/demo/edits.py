"""What people do at once on both sides, and how one sees that it has arrived on the other."""

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local.demo.scene import Scene
from local.demo.studio import IRYNA, MARCO, OLENA, DemoUser
from local.people import google_time


@dataclass(frozen=True, slots=True)
class Edit:
    """`make` saves it; `arrived` looks on the other side, or on both where both were edited."""

    what: str
    make: Callable[[], object]
    arrived: Callable[[], bool]


def edits_on_both_sides(scene: Scene) -> list[Edit]:
    studio, links = scene.studio, {user.id: scene.links(user) for user in (OLENA, MARCO)}
    olenas, marcos, shared = (upcoming(scene, *users) for users in ((OLENA,), (MARCO,), (OLENA, MARCO)))

    def move(user: DemoUser, appointment_id: str, to: dt.datetime) -> None:
        times = {"start": google_time(to), "end": google_time(to + dt.timedelta(hours=1))}
        scene.person(user).patch("primary", links[user.id][appointment_id], **times)

    def event(user: DemoUser, appointment_id: str) -> dict[str, Any]:
        """The user's copy; empty while there is none, or once it is deleted."""
        event_id = links[user.id].get(appointment_id) or scene.event_of(user, appointment_id)
        found = scene.person(user).event(event_id) if event_id else {}
        return {} if found.get("status") == "cancelled" else found

    def starts(found: dict[str, Any], at: dt.datetime) -> bool:
        return bool(found) and dt.datetime.fromisoformat(found["start"]["dateTime"]) == at

    def document(appointment_id: str) -> dict[str, Any]:
        return studio.appointment(appointment_id) or {}

    noon = dt.datetime.combine(scene.today + dt.timedelta(days=14), dt.time(12), dt.UTC)
    evening = noon + dt.timedelta(hours=7)
    both, cancelled, handed_over = itertools.islice(olenas, 3)
    deleted, relocated = itertools.islice(marcos, 2)
    moved = next(shared)
    typed: dict[str, str] = {}

    def edit_both() -> None:
        studio.edit(both, title="Renamed in the studio")
        move(OLENA, both, noon)

    def type_entry() -> None:
        times: dict[str, Any] = {"start": google_time(evening), "end": google_time(evening + dt.timedelta(hours=1))}
        typed["id"] = scene.person(MARCO).insert(summary="Typed on Marco's phone", **times)["id"]

    def book() -> None:
        times = {"start": evening, "end": evening + dt.timedelta(hours=2)}
        studio.book("appointment-new", title=f"Booked by {IRYNA.name}", user_ids=[OLENA.id], **times)

    return [
        Edit(
            "Renamed in the studio while moved in the calendar: both survive, on both sides",
            edit_both,
            lambda: (
                (document(both)["title"], document(both)["start"]) == ("Renamed in the studio", noon)
                and event(OLENA, both)["summary"] == "Renamed in the studio"
                and starts(event(OLENA, both), noon)
            ),
        ),
        Edit(
            "New entry in Marco's calendar: in the studio, as unlinked",
            type_entry,
            lambda: (scene.imported(typed["id"]) or {}).get("kind") == "unlinked",
        ),
        Edit(
            "New appointment in the studio: in Olena's calendar",
            book,
            lambda: event(OLENA, "appointment-new").get("summary") == f"Booked by {IRYNA.name}",
        ),
        Edit(
            "Cancelled in the studio: gone from Olena's calendar",
            lambda: studio.edit(cancelled, status="cancelled"),
            lambda: not event(OLENA, cancelled),
        ),
        Edit(
            "Deleted in Marco's calendar: cancelled in the studio",
            lambda: scene.person(MARCO).delete("primary", links[MARCO.id][deleted]),
            lambda: document(deleted)["status"] == "cancelled",
        ),
        Edit(
            "Shared one, moved by Olena: moved in the studio and in Marco's calendar",
            lambda: move(OLENA, moved, noon),
            lambda: document(moved)["start"] == noon and starts(event(MARCO, moved), noon),
        ),
        Edit(
            "Marco's own, another place in his calendar: in the studio",
            lambda: scene.person(MARCO).patch(
                "primary", links[MARCO.id][relocated], location="Rooftop, Khreshchatyk 1"
            ),
            lambda: document(relocated)["location"] == "Rooftop, Khreshchatyk 1",
        ),
        Edit(
            "Handed over in the studio: leaves Olena's calendar, enters Marco's",
            lambda: studio.edit(handed_over, user_ids=[MARCO.id]),
            lambda: not event(OLENA, handed_over) and bool(event(MARCO, handed_over)),
        ),
    ]


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
