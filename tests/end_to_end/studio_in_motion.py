"""A studio and two calendars, many hands that edit, and what must come of it, told without the product's own policy.

Each edit writes a value that is found nowhere else, so a value tells which edit it is. An edit replaces the value that
stood where it was made; what was not replaced by anybody is a *head*. Once all runs have come to their end:

- a unit with one head has that value everywhere: what only one side changed survives, however often a run died;
- a unit with several (a true clash) has one of them everywhere, that of the clash policy where only studio and one
  calendar are involved, and the log has the others;
- a cancellation in the studio holds on both sides; a deletion in the calendar does too, unless the studio, or another
  calendar, had changed what this calendar did not show: then the appointment stays, and is in that calendar again;
- nothing is there twice, on no side; and what nobody touched has the etag and the time of writing that it had before.

The model never asks the product what it did, with two exceptions: which deletions a question says it holds, each of
which must be one that a person made, and which pair a question is about.
"""

import contextlib
import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from local.wiretap import Call, Killed, Wiretap
from shared.domain.content import AllDay, Timed
from shared.domain.errors import Unavailable
from shared.ports import Calendar
from shared.services.disconnecting import disconnect
from shared.services.sync_calendar import sync_calendar
from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.killing import changes
from tests.figures import Figures
from tests.world import NOW, STUDIO, World

USERS = ("ann", "ben")
Unit = Literal["title", "description", "location", "when", "busy", "private", "status"]
TEXTS: tuple[Unit, ...] = ("title", "description", "location")
# Of few values, so that two edits may write the same one.
SMALL: Mapping[Unit, tuple[Any, Any]] = {
    "busy": (True, False),
    "private": (False, True),
    "status": ("confirmed", "tentative"),
}
UNITS: tuple[Unit, ...] = (*TEXTS, "when", "busy", "private", "status")
Values = dict[Unit, Any]


@dataclasses.dataclass(eq=False)
class Entry:
    """What people know as one appointment, wherever it stands.

    `heads`: see above; `editors`: who changed which unit since both sides agreed. `agreed` is what stood everywhere
    then. `deleted`: in whose calendar, with what this showed then. `removed`: taken out of these calendars only, which
    somebody is asked about. `own`: fields that are no business of the calendar's. `unread`: of calendars that are not
    read, what a person wrote there.
    """

    title: str
    born: str
    users: set[str]
    heads: dict[Unit, set[Any]]
    agreed: Values = dataclasses.field(default_factory=dict)
    editors: dict[Unit, set[str]] = dataclasses.field(default_factory=dict)
    there: bool = True
    gone_by: str = ""
    cancelled: bool = False
    deleted: dict[str, Values] = dataclasses.field(default_factory=dict)
    removed: set[str] = dataclasses.field(default_factory=set)
    own: dict[str, Any] = dataclasses.field(default_factory=dict)
    unread: dict[str, dict[Unit, Any]] = dataclasses.field(default_factory=dict)
    waived: set[Unit] = dataclasses.field(default_factory=set)
    given_up: Values = dataclasses.field(default_factory=dict)
    last: dict[tuple[Unit, str], Any] = dataclasses.field(default_factory=dict)
    overruled: dict[Unit, set[Any]] = dataclasses.field(default_factory=dict)
    touched: bool = True
    settling: bool = False
    met: bool = False
    ever_wanted: bool = False


def wherever(deed: Callable[..., bool]) -> Callable[..., bool]:
    """Takes a number as well as an entry, and does the deed to the first one from there on that it can be done to."""

    @functools.wraps(deed)
    def at(studio: "Studio", which: int | Entry, *rest: Any, **more: Any) -> bool:
        if isinstance(which, Entry):
            return deed(studio, which, *rest, **more)
        start = which % (len(studio.entries) or 1)
        return any(deed(studio, entry, *rest, **more) for entry in studio.entries[start:] + studio.entries[:start])

    return at


class Broken(AssertionError):
    """Something came out as it must not."""


class Studio:
    """The hands: each does what a person, or the machinery, does, and notes what must come of it. False: nothing done,
    as it makes no sense now, or nobody could say what must come of it (each such place says why).
    """

    def __init__(self, world: World, tap: Wiretap, figures: Figures) -> None:
        self.world = world
        self._tap = tap
        self._count = functools.partial(figures.add, "studio in motion")
        self.entries: list[Entry] = []
        self.connected = set(USERS)
        self.paused: set[str] = set()
        self.mirrored: set[str] = set()
        self.tentative: set[str] = set()
        self.policy: str | None = "studio"
        self._number = 0
        self._named: dict[str, Entry] = {}
        self._calendars = dict.fromkeys(USERS, "primary")
        self._past: dict[str, set[str]] = {user_id: set() for user_id in USERS}
        self._late: list[tuple[str, dict[str, Any] | None]] = []
        self._before: dict[str, Any] = {}
        for user_id in USERS:
            world.join(user_id, populate_calendar=True, populate_studio=True)
        self.settle()
        self.look()

    # --- what stands where ------------------------------------------------------------------------------------------

    def documents(self) -> dict[Entry, list[tuple[str, dict[str, Any]]]]:
        found: dict[Entry, list[tuple[str, dict[str, Any]]]] = {}
        for appointment_id, document in self.world.appointments().items():
            if document.get("title") not in self._named:
                raise Broken(f"nobody entered this appointment: {document}")
            found.setdefault(self._named[document["title"]], []).append((appointment_id, document))
        return found

    def events(self, user_id: str) -> dict[Entry, list[tuple[str, dict[str, Any]]]]:
        """In all calendars of the user, with their calendars."""
        found: dict[Entry, list[tuple[str, dict[str, Any]]]] = {}
        person = self.world.person(user_id)
        for calendar_id in self._all_calendars(user_id):
            for event in person.events(calendar_id):
                if event.get("summary") not in self._named:
                    raise Broken(f"nobody entered this event: {event}")
                found.setdefault(self._named[event["summary"]], []).append((calendar_id, event))
        return found

    def _all_calendars(self, user_id: str) -> list[str]:
        return ["primary" if one.get("primary") else str(one["id"]) for one in self.world.person(user_id).calendars()]

    def _document(self, entry: Entry) -> tuple[str, dict[str, Any]] | None:
        return next(iter(self.documents().get(entry, [])), None)

    def _event(self, entry: Entry, user_id: str) -> tuple[str, dict[str, Any]] | None:
        return next(iter(self.events(user_id).get(entry, [])), None)

    # --- the studio's hands -----------------------------------------------------------------------------------------

    def book(self, users: Iterable[str], *, all_day: bool) -> bool:
        entry = self._entry("studio", set(users), all_day=all_day)
        fields = studio_fields({unit: one(values) for unit, values in entry.heads.items()})
        entry.own = {"client_id": f"client of {entry.title}", "kind": "session", "notes_of_the_house": entry.title}
        self._write(
            entry.title,
            lambda: self.world.front_end.book(entry.title, **fields, **entry.own, user_ids=sorted(entry.users)),
        )
        return True

    @wherever
    def edit(self, entry: Entry, unit: Unit, *, all_day: bool = False) -> bool:
        found = self._document(entry)
        if not found or found[1]["status"] == "cancelled" or entry.settling:
            return False
        shown = of_document(found[1])[unit]
        value = self._value(entry, unit, shown, all_day=all_day)
        if value is None:
            return False
        self._noted(entry, unit, "studio", shown, value)
        self._write(found[0], lambda: self.world.front_end.edit(found[0], **studio_fields({unit: value})))
        return True

    @wherever
    def convert(self, entry: Entry) -> bool:
        """An unlinked appointment becomes a client's."""
        found = self._document(entry)
        if not found or found[1]["kind"] != "unlinked":
            return False
        entry.own = {"kind": "appointment", "client_id": f"client of {entry.title}"}
        entry.touched = True
        self._write(found[0], lambda: self.world.front_end.edit(found[0], **entry.own))
        return True

    @wherever
    def cancel(self, entry: Entry, *, erase: bool) -> bool:
        found = self._document(entry)
        if not found or found[1]["status"] == "cancelled" or entry.settling:
            return False
        entry.cancelled, entry.touched, entry.gone_by = True, True, "erased" if erase else "studio"
        entry.given_up = of_document(found[1])
        if erase:
            self._write(found[0], lambda: self.world.front_end.erase(found[0]))
        else:
            self._write(found[0], lambda: self.world.front_end.edit(found[0], status="cancelled"))
        return True

    @wherever
    def reopen(self, entry: Entry) -> bool:
        """A cancelled appointment is on again."""
        found = self._document(entry)
        if not found or found[1]["status"] != "cancelled" or entry.settling:
            return False
        shown = of_document(found[1] | {"status": "confirmed"})
        standing = [
            of_event(event) for user_id in USERS if (there := self._event(entry, user_id)) for event in there[1:]
        ]
        for unit, heads in entry.heads.items():
            # What nobody shows any more was overruled, and is in the log. It may come back: an event that is taken out
            # of the bin has what people had written there, in whichever of the user's calendars that was.
            kept = {value for value in heads if value == shown[unit] or any(value == s[unit] for s in standing)}
            entry.overruled.setdefault(unit, set()).update(heads - kept)
            entry.heads[unit] = kept or {shown[unit]}
        self._noted(entry, "status", "studio", one(entry.heads["status"]), "confirmed")
        entry.cancelled, entry.there, entry.touched, entry.gone_by = False, True, True, ""
        entry.deleted.clear()
        entry.given_up.clear()
        self._write(found[0], lambda: self.world.front_end.edit(found[0], status="confirmed"))
        return True

    @wherever
    def reassign(self, entry: Entry, users: Iterable[str]) -> bool:
        """Not what is being deleted or cancelled at the same time, nor what a calendar has that is not read: whether a
        colleague is asked, or who keeps what, depends on which run comes first. Tests of their own have those.
        """
        found = self._document(entry)
        if not found or entry.settling or entry.cancelled or not entry.there:
            return False
        if entry.deleted or entry.removed or entry.unread or found[1]["status"] == "cancelled":
            return False
        if set(users) == entry.users or not entry.met:
            return False
        entry.users, entry.touched = set(users), True
        self._write(found[0], lambda: self.world.front_end.edit(found[0], user_ids=sorted(entry.users)))
        return True

    # --- the calendars' hands ---------------------------------------------------------------------------------------

    def insert(self, user_id: str, *, all_day: bool, tentative: bool) -> bool:
        """Not where the calendar is not read: nothing comes in from there, then or later, as tests of their own say."""
        if user_id in self.mirrored or user_id not in self.connected:
            return False
        entry = self._entry(user_id, {user_id}, all_day=all_day)
        if tentative:
            entry.heads["status"] = {"tentative"}
        entry.own = {"kind": "unlinked"}
        fields = event_fields({unit: one(values) for unit, values in entry.heads.items()})
        for name in ("start", "end"):
            fields[name] = {key: value for key, value in fields[name].items() if value is not None}
        self.world.person(user_id).insert(self._calendars[user_id], **fields)
        self._wanted_now()
        return True

    @wherever
    def edit_event(self, entry: Entry, user_id: str, unit: Unit, *, all_day: bool = False) -> bool:
        found = self._event(entry, user_id)
        if not found or entry.settling:
            return False
        if unit == "private" and entry.born != "studio":
            # Its text is hidden from the studio then: there is no title to know it by. Tests of their own have that.
            return False
        shown = of_event(found[1])[unit]
        if user_id in self.mirrored:
            # Only where it is as in the studio, which wins it back, or leaves it if it writes nothing else there.
            if unit in entry.unread.get(user_id, {}) or entry.heads[unit] != {shown} or unit in SMALL:
                return False
            value = self._value(entry, unit, shown, all_day=all_day)
            entry.unread.setdefault(user_id, {})[unit] = value
            entry.editors.pop(unit, None)  # Of what the studio had changed this calendar had all: only more comes now.
            entry.touched = True
        elif unit in entry.unread.get(user_id, {}):
            return False  # Neither side has what the other has: the studio's next edit settles it.
        else:
            value = self._value(entry, unit, shown, all_day=all_day)
            if value is None:
                return False
            self._noted(entry, unit, user_id, shown, value)
        self.world.person(user_id).patch(found[0], found[1]["id"], **event_fields({unit: value}))
        self._wanted_now()
        return True

    @wherever
    def delete(self, entry: Entry, user_id: str) -> bool:
        """Not where the calendar is not read: whether it is seen depends on whether anything else is written there."""
        found = self._event(entry, user_id)
        if not found or entry.settling or user_id in self.mirrored or entry.unread:
            return False
        if user_id not in entry.users or not entry.met:
            return False  # On its way out anyhow, or nothing that both sides know yet.
        entry.deleted[user_id], entry.touched = of_event(found[1]), True
        # What this person had written there goes with it, unless a run has taken it to the others before.
        entry.waived |= {unit for unit, who in entry.editors.items() if user_id in who}
        self.world.person(user_id).delete(found[0], found[1]["id"])
        return True

    @wherever
    def restore(self, entry: Entry, user_id: str) -> bool:
        """Out of the bin, where it was this person who had deleted it, and nobody else has cancelled it."""
        if entry.settling or entry.cancelled or entry.users != {user_id} or user_id in self.mirrored:
            return False
        if not (user_id in entry.deleted or entry.gone_by == user_id) or self._event(entry, user_id):
            return False
        calendar_id = self._calendars[user_id]
        binned = [event for event in self.world.person(user_id).bin(calendar_id) if event.get("summary") in self._named]
        mine = [event for event in binned if self._named[event["summary"]] is entry]
        if len(mine) != 1:
            return False  # An older generation is in the bin as well: which one is his, only ids tell.
        self.world.person(user_id).restore(mine[0]["id"], calendar_id)
        entry.deleted.pop(user_id, None)
        entry.there, entry.gone_by, entry.touched = True, "", True
        return True

    def clash(self, which: int, unit: Unit, user_id: str) -> bool:
        """Both sides at once, where there is such an entry."""
        return any([self.edit(which, unit), self.edit_event(which, user_id, unit)])

    @wherever
    def amid(
        self, entry: Entry, unit: Unit, sides: tuple[str, str], user_id: str, strike: Callable[["Studio", str], object]
    ) -> bool:
        """An edit; a run of this user, who has it in the calendar, that is struck; and at once another edit of the
        same. Of the sides, `calendar` is that user's.
        """
        if user_id not in entry.users or not self.edit_on(sides[0], entry, user_id, unit):
            return False
        strike(self, user_id)
        self.edit_on(sides[1], entry, user_id, unit)
        return True

    def edit_on(self, side: str, entry: Entry, user_id: str, unit: Unit) -> bool:
        return self.edit(entry, unit) if side == "studio" else self.edit_event(entry, user_id, unit)

    # --- settings ---------------------------------------------------------------------------------------------------

    def set_policy(self, policy: str) -> bool:
        if self._studio_setting("clash_policy") != policy:
            self.world.set_studio(**{"sync.clash_policy": policy})
            # Which of the two holds for what is changed already depends on when a run comes.
            self.policy = None if any(entry.touched for entry in self.entries) else policy
        return True

    def _studio_setting(self, name: str) -> Any:
        return (self.world.front_end.studio() or {}).get("sync", {}).get(name)

    def set_tentative(self, user_id: str, *, on: bool) -> bool:
        (self.tentative.add if on else self.tentative.discard)(user_id)
        self.world.set_up(user_id, include_tentative=on)
        self._wanted_now()
        return True

    def set_details(self, user_id: str, *, on: bool) -> bool:
        """Private details: nothing here is private by a person's own hand, so this changes nothing."""
        self.world.set_up(user_id, private_details=on)
        return True

    def pause(self, user_id: str, *, on: bool) -> bool:
        (self.paused.add if on else self.paused.discard)(user_id)
        self.world.set_up(user_id, enabled=not on)
        return True

    def populate(self, user_id: str) -> bool:
        """Both boxes, though all is there. Not of a mirror: it would take in what people wrote there meanwhile."""
        if user_id in self.mirrored:
            return False
        self.world.set_up(user_id, populate_calendar=True, populate_studio=True)
        return True

    def mirror(self, user_id: str, *, on: bool) -> bool:
        """Two-way off or on. All is in step before and after: what was edited before a run knew of it is a clash of
        intentions that nobody could decide.
        """
        if user_id not in self.connected or (user_id in self.mirrored) == on:
            return False
        self.converge()
        self.world.set_up(user_id, two_way_appointments=not on)
        (self.mirrored.add if on else self.mirrored.discard)(user_id)
        self.converge()
        return True

    def leave(self, user_id: str) -> bool:
        """Disconnects. What is edited on either side meanwhile counts when the user comes back."""
        if user_id not in self.connected or user_id in self.mirrored:
            return False  # A mirror that comes back is read as one: see `mirror`.
        [account] = self.world.wiring.store.accounts_of_user(STUDIO, user_id)
        disconnect(STUDIO, user_id, account, self.world.wiring.account_ports)
        self.connected.discard(user_id)
        return True

    def come_back(self, user_id: str) -> bool:
        if user_id in self.connected:
            return False
        self.world.connect(user_id)
        self.connected.add(user_id)
        return True

    def switch(self, user_id: str, kill_at: int) -> bool:
        """To another calendar, or back, with all that is there: in step before, as what is edited in a calendar that
        is not read any more stays there. The first run that knows of it may die.
        """
        if user_id not in self.connected or user_id in self.mirrored:
            return False
        self.converge()
        if any(user_id in entry.users and (entry.removed or not entry.met) for entry in self.entries):
            return False  # Not to be entered there either, or not taken in here: only a box says so, and it is ticked.
        others = [one for one in self._all_calendars(user_id) if one != self._calendars[user_id]]
        world = self.world
        to = others[0] if others else str(world.cloud.google.add_calendar(world.emails[user_id], "Second"))
        chosen = world.person(user_id).calendars()
        name = next(one["id"] for one in chosen if one["id"] == to or (to == "primary" and one.get("primary")))
        self._past[user_id].add(world.connections[user_id])
        world.set_up(user_id, calendar_id=name, populate_calendar=True, populate_studio=True)
        self._calendars[user_id] = to
        self.dies(user_id, kill_at, "after")
        world.later(minutes=11)
        world.sync(user_id)
        world.connections[user_id] = world.front_end.user(user_id)["connection"]["id"]
        for entry in self.entries:
            entry.touched |= user_id in entry.users
        self.converge()
        return True

    # --- the machinery ----------------------------------------------------------------------------------------------

    def run(self, user_id: str) -> bool:
        if user_id in self.connected:
            self.world.wish(user_id)
            with self._heard():
                self._run(user_id)
        return True

    def dies(
        self, user_id: str, change: int, when: Literal["before", "after"], only: Callable[[Call], bool] = changes
    ) -> bool:
        """A run whose process dies at one of its changes (or of those that are `only` so), if it makes so many; its
        lease stands.
        """
        if user_id not in self.connected:
            return False
        tap = self._tap
        self.world.wish(user_id)
        with self._heard():
            tap.kill_at(change, when, only=only)
            try:
                self._run(user_id)
            except Killed:
                self._count("kill points tried")
            finally:
                tap.disarm()
            self.world.restart()
        return True

    def fails(self, user_id: str, rule: Mapping[str, Any]) -> bool:
        """A run in which calls fail."""
        if user_id not in self.connected:
            return False
        self.world.wish(user_id)
        with self._heard():
            armed = self._tap.faults.add(dict(rule))
            try:
                self._run(user_id)
            finally:
                self._count("faults struck", self._tap.faults.hits(armed))
                self._tap.faults.clear()
        return True

    def overtaken(self, user_id: str, meanwhile: Callable[[], object]) -> bool:
        """A run that stops between its plan and its first write, in which time something else happens."""
        if user_id not in self.connected:
            return False
        self.world.wish(user_id)
        ports = self.world.wiring.run_ports
        stopped = _Interrupted(ports.calendars, meanwhile)
        with self._heard(), contextlib.suppress(Unavailable):
            sync_calendar(self.world.connections[user_id], _with(ports, stopped), self.world.wiring.channel_key)
        return True

    def slow(self, user_id: str) -> bool:
        """A run that another one overtakes, as its lease is over before it writes."""

        def another() -> None:
            self.world.later(minutes=11)
            self._run(user_id)

        return self.overtaken(user_id, another)

    def _run(self, user_id: str) -> None:
        # Where our own storage does not answer, the queue brings the task again.
        with contextlib.suppress(Unavailable):
            self.world.run(user_id)

    def late(self, number: int) -> bool:
        """Keeps the triggers of that many writes back, to be delivered at the end, the last ones first, and twice."""
        self._keep_back = number
        return True

    @wherever
    def repeat(self, entry: Entry) -> bool:
        """A trigger is delivered once more, whatever its appointment has become."""
        found = self._document(entry)
        if not found:
            return False
        self.world.trigger(found[0], None)
        return True

    _keep_back = 0

    def _write(self, appointment_id: str, write: Callable[[], None]) -> None:
        before = self.world.front_end.appointment(appointment_id)
        write()
        self._tell(appointment_id, before)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """What a run writes to the studio has its triggers as well, also if it dies: they are not its own doing."""
        before = self.world.appointments()
        yield
        after = self.world.appointments()
        for one in sorted(before.keys() | after.keys()):
            if before.get(one) != after.get(one):
                self._tell(one, before.get(one))

    def _tell(self, appointment_id: str, before: dict[str, Any] | None) -> None:
        if self._keep_back:
            self._keep_back -= 1
            self._late.append((appointment_id, before))
        else:
            self.world.trigger(appointment_id, before)

    def settle(self) -> None:
        """Everybody is back, all is delivered, and runs until nothing is left."""
        self._tap.faults.clear()
        for user_id in USERS:
            self.come_back(user_id)
            if user_id in self.paused:
                self.pause(user_id, on=False)
        self._keep_back = 0
        for appointment_id, before in [*reversed(self._late), *self._late]:
            self.world.trigger(appointment_id, before)
        self._late.clear()
        for _ in range(10):
            self.world.later(minutes=11)
            synced(self.world)
            if not any(self.world.below(user_id, "outbox") for user_id in USERS):
                break
        else:
            raise Broken("there is always something left")

    # --- questions --------------------------------------------------------------------------------------------------

    def converge(self, *, approve: bool = True) -> None:
        """All runs come to their end; what is held is answered; then everything is as it must be."""
        self.settle()
        for _ in range(3):
            holds = dict(self._open("held"))
            if not holds:
                break
            for hold_id, item in holds.items():
                self._answer_hold(hold_id, item, approve=approve)
            self.settle()
        else:
            raise Broken("it asks and asks")
        self.check()
        self.look()

    def _open(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for item_id, item in sorted(self.world.inbox().items()):
            if item["kind"] == kind and item["status"] == "open":
                yield item_id, item

    def _answer_hold(self, hold_id: str, item: Mapping[str, Any], *, approve: bool) -> None:
        user_id = item["user_id"]
        listed = set(item["refs"]["appointment_ids"])
        by_id = {found: entry for entry, kept in self._before.get("ids", {}).items() for found in kept}
        by_id |= {found: entry for entry, kept in self.documents().items() for found, _ in kept}
        for appointment_id in listed:
            entry = by_id.get(appointment_id)
            if entry is None or not (entry.cancelled or entry.deleted):
                raise Broken(f"held, and nobody took it away: {appointment_id} {entry}")
            if not approve:
                # Both sides as they are, whichever was edited before: which values those are is told by the merge.
                entry.cancelled, entry.there, entry.gone_by, entry.settling = False, True, "", True
                entry.deleted.pop(user_id, None)
                if found := next((d for _, d in self.documents().get(entry, [])), None):
                    entry.own = entry.own if found else {}
                else:
                    entry.own = {"kind": "unlinked"}
        self.world.set_up(user_id, **{"approved_hold" if approve else "declined_hold": hold_id})

    def answer(self, which: int, answer: str) -> bool:
        """What is asked about an appointment that was removed from one of several calendars."""
        asked = list(self._open("removed_from_calendar"))
        if not asked:
            return False
        item_id, item = asked[which % len(asked)]
        ids = {found: entry for entry, kept in self.documents().items() for found, _ in kept}
        entry = ids.get(item["refs"]["appointment_id"])
        if entry is None or entry.touched or item["user_id"] not in entry.removed:
            return False  # Answered and edited at the same time: which one is first decides.
        entry.touched = entry.settling = True
        entry.removed.discard(item["user_id"])
        if answer == "take_off":
            entry.users.discard(item["user_id"])
        self.world.answer(item_id, answer)
        return True

    # --- what must be -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Everything as it is now counts as agreed."""
        documents, events = self.documents(), {user_id: self.events(user_id) for user_id in USERS}
        for entry in self.entries:
            found = documents.get(entry, [])
            alive = [document for _, document in found if document["status"] != "cancelled"]
            if alive:
                entry.agreed = of_document(alive[0])
                entry.heads = {unit: {value} for unit, value in entry.agreed.items()}
                for user_id in USERS:
                    left = [of_event(event) for _, event in events[user_id].get(entry, [])]
                    kept = {u: v for s in left for u, v in s.items() if v != entry.agreed[u]}
                    if kept:
                        entry.unread[user_id] = kept
                    else:
                        entry.unread.pop(user_id, None)
                entry.users = set(alive[0]["user_ids"])
                entry.met = True
            if entry.there and found and not alive:
                entry.there = False
                entry.gone_by = entry.gone_by or next(iter(entry.deleted), "studio")
            if not alive and entry.cancelled:
                entry.there = False
            entry.removed = {user_id for user_id in entry.users if alive and not events[user_id].get(entry)}
            entry.waived = set()
            entry.editors, entry.deleted, entry.given_up, entry.last = {}, {}, {}, {}
            entry.cancelled = entry.touched = entry.settling = False
        if self.policy is None:
            self.policy = self._studio_setting("clash_policy")
        self._before = {
            "ids": {entry: [one for one, _ in kept] for entry, kept in documents.items()},
            "versions": self._versions(),
            "events": {user_id: self._etags(user_id) for user_id in USERS},
        }

    def _versions(self) -> dict[str, Any]:
        found = self.world.firestore.collection(f"studios/{STUDIO}/appointments").stream()
        return {one.id: (one.update_time, one.to_dict()) for one in found}

    def _etags(self, user_id: str) -> dict[str, Any]:
        found = self.events(user_id)
        return {event["id"]: (calendar_id, event) for kept in found.values() for calendar_id, event in kept}

    def check(self) -> None:
        documents, events = self.documents(), {user_id: self.events(user_id) for user_id in USERS}
        versions = self._versions()
        wrong: list[str] = []
        for entry in self.entries:
            found = documents.get(entry, [])
            there = {user_id: events[user_id].get(entry, []) for user_id in USERS}
            doubles = max(len(found) - 1, 0) + sum(max(len(kept) - 1, 0) for kept in there.values())
            self._count("duplicates found", doubles)
            problems = [f"{doubles} times too often"] if doubles else []
            lost = list(self._lost(entry, found, there))
            self._count("losses found", len(lost))
            problems += [*lost, *self._touched(entry, found, there, versions)]
            if problems:
                wrong.append(f"{problems}: {entry}\nstudio {found}\ncalendars {there}")
        outbox = {user_id: self.world.below(user_id, "outbox") for user_id in USERS}
        parked = {user_id: self.world.below(user_id, "parked") for user_id in USERS}
        if any(outbox.values()) or any(parked.values()):
            wrong.append(f"left to be done: {outbox}, parked: {parked}")
        if wrong:
            raise Broken("\n\n".join(wrong))

    def _lost(self, entry: Entry, found: list[Any], there: Mapping[str, list[Any]]) -> Iterator[str]:
        """What should be and is not, or should not be and is."""
        alive = [document for _, document in found if document["status"] != "cancelled"]
        expected, standing = self._expected(entry), any(there.values())
        if expected == "outside" and found:
            yield "tentative, and in the studio all the same"
        if expected == "gone" and (alive or standing):
            yield "cancelled, and it stands there"
        if expected == "there" and not alive:
            yield "not in the studio any more"
        if expected == "either" and standing and not alive and entry.met:
            yield "in a calendar only"
        if entry.gone_by == "erased" and entry.cancelled and found:
            yield "erased, and in the studio again"
        if alive:
            yield from self._alive(entry, alive[0], there)
        elif entry.cancelled:
            yield from self._unlogged(entry, of_cancelled(found))

    def _alive(self, entry: Entry, document: Mapping[str, Any], there: Mapping[str, list[Any]]) -> Iterator[str]:
        yield from self._places(entry, document, there)
        yield from self._values(entry, of_document(document), there)
        for name, value in entry.own.items():
            if document.get(name) != value:
                yield f"{name} is {document.get(name)}"

    def _expected(self, entry: Entry) -> str:
        if entry.cancelled:
            return "gone"
        if not entry.there:
            return "gone"
        if entry.born != "studio" and not entry.met:
            owner = entry.born
            if one(entry.heads["status"]) != "tentative" or owner in self.tentative:
                return "there"
            return "either" if entry.ever_wanted else "outside"
        if len(entry.users) == 1 and entry.deleted.keys() == entry.users:
            return self._despite(entry, next(iter(entry.users)))
        return "there"

    def _despite(self, entry: Entry, user_id: str) -> str:
        """What becomes of an appointment that was deleted in this calendar."""
        seen = entry.deleted[user_id]
        others = {unit for unit, who in entry.editors.items() if who - {user_id}}
        unseen = {unit for unit in others if entry.heads[unit] - {entry.agreed.get(unit), seen[unit]}}
        # Of a clash this calendar may have shown the winner already: what has lost is no edit that beats the deletion.
        if any(seen[unit] not in entry.heads[unit] for unit in unseen):
            return "there"
        # Shown there by a run that could not say so: either it counts as seen, or as an edit that beats the deletion.
        return "either" if others else "gone"

    def _places(self, entry: Entry, document: Mapping[str, Any], there: Mapping[str, list[Any]]) -> Iterator[str]:
        if set(document["user_ids"]) != entry.users:
            yield f"assigned to {document['user_ids']}"
        for user_id in USERS:
            standing = there[user_id]
            if user_id in entry.users:
                yield from self._in_calendar(entry, user_id, standing)
            elif standing:
                yield f"in the calendar of {user_id}, who is not assigned"
            if any(calendar_id != self._calendars[user_id] for calendar_id, _ in standing):
                yield f"in another calendar of {user_id}"

    def _in_calendar(self, entry: Entry, user_id: str, standing: list[Any]) -> Iterator[str]:
        """Whether it is there, or was removed and somebody is asked."""
        absent = user_id in entry.removed and not entry.editors
        if user_id in entry.deleted and len(entry.users) > 1:
            fate = self._despite(entry, user_id)
            absent = fate == "gone" or (fate == "either" and not standing)
        if absent and standing:
            yield f"removed by {user_id}, and it is back"
        if not absent and not standing:
            yield f"not in the calendar of {user_id}"
        if absent and user_id not in self._asked(entry):
            yield f"removed by {user_id}, and nobody is asked"

    def _asked(self, entry: Entry) -> set[str]:
        """Who is asked whether it is to be taken off them, or put back."""
        ids = {found for found, _ in self.documents().get(entry, [])}
        items = (item for _, item in self._open("removed_from_calendar"))
        return {item["user_id"] for item in items if item["refs"]["appointment_id"] in ids}

    def _values(self, entry: Entry, studio: Values, there: Mapping[str, list[Any]]) -> Iterator[str]:
        for unit in UNITS:
            value, heads = studio[unit], entry.heads[unit]
            if entry.settling:
                heads = {value}
            allowed = heads | entry.overruled.get(unit, set())
            if unit in entry.waived:
                allowed |= {entry.agreed[unit]}
            if value not in allowed:
                yield f"{unit} is {value} in the studio, none of {allowed}"
            who = entry.editors.get(unit, set())
            if len(heads) == 2 and len(who) == 2 and "studio" in who and len(entry.users) == 1 and value in heads:
                yield from self._decided(entry, unit, value)
            for user_id, standing in there.items():
                for _, event in standing:
                    shown, kept = of_event(event)[unit], entry.unread.get(user_id, {})
                    if shown == value or (unit in kept and shown == kept[unit] and not who):
                        continue
                    yield f"{unit} is {value} in the studio, {shown} in the calendar of {user_id}"
        if not entry.settling:
            yield from self._unlogged(entry, studio)

    def _decided(self, entry: Entry, unit: Unit, value: Any) -> Iterator[str]:
        """Whether a clash went to whom the policy gives it."""
        [calendar] = entry.editors[unit] - {"studio"}
        winner = entry.last.get((unit, {"studio": "studio", "google": calendar}.get(self.policy or "", "")))
        if winner in entry.heads[unit] and value != winner:
            yield f"{unit}: the policy is {self.policy}, and {value} has won"

    def _unlogged(self, entry: Entry, shown: Values | None) -> Iterator[str]:
        """What lost against another edit, or against a cancellation, and is not in the log.

        Not what the studio had when it cancelled, nor what a person deleted who had it in view: they gave that up.
        """
        given_up = [entry.agreed, entry.given_up, *entry.deleted.values(), *([shown] if shown else [])]
        losers = {
            (unit, value)
            for unit in UNITS
            if unit not in SMALL
            for value in entry.heads[unit] | entry.overruled.get(unit, set())
            if unit in entry.editors and all(values.get(unit) != value for values in given_up)
        }
        logged = self._logged() if losers else set()
        for unit, value in losers:
            if logged_text(unit, value) not in logged:
                yield f"{unit} {value} is lost, and not in the log"

    def _logged(self) -> set[str]:
        found: set[str] = set()
        for user_id in USERS:
            now = self.world.connections[user_id]
            for connection_id in {now, *self._past[user_id]}:
                self.world.connections[user_id] = connection_id
                found |= {str(lost["value"]) for entry in self.world.log(user_id) for lost in entry["lost"]}
            self.world.connections[user_id] = now
        return found

    def _touched(
        self, entry: Entry, found: list[Any], there: Mapping[str, list[Any]], versions: Mapping[str, Any]
    ) -> Iterator[str]:
        """What nobody touched, and is not as it was."""
        if entry.touched or (not entry.met and entry.ever_wanted):
            return
        for appointment_id, _ in found:
            if versions[appointment_id] != self._before["versions"].get(appointment_id):
                yield "nobody touched it, and the studio's document was written"
        for user_id, standing in there.items():
            for calendar_id, event in standing:
                if (calendar_id, event) != self._before["events"][user_id].get(event["id"]):
                    yield f"nobody touched it, and the event of {user_id} was written"

    # --- common -----------------------------------------------------------------------------------------------------

    def _entry(self, born: str, users: set[str], *, all_day: bool) -> Entry:
        title = self._text()
        heads: dict[Unit, set[Any]] = {unit: {""} for unit in TEXTS} | {unit: {SMALL[unit][0]} for unit in SMALL}
        heads |= {"title": {title}, "when": {self._times(all_day=all_day)}}
        entry = Entry(title, born, users, heads)
        self.entries.append(entry)
        self._named[title] = entry
        return entry

    def _text(self) -> str:
        self._number += 1
        return f"text {self._number}"

    def _times(self, *, all_day: bool) -> tuple[str, str]:
        self._number += 1
        start = (NOW + dt.timedelta(hours=100 + self._number)).replace(second=0)
        if all_day:
            day = NOW.date() + dt.timedelta(days=20 + self._number)
            return day.isoformat(), (day + dt.timedelta(days=1)).isoformat()
        return instant(start), instant(start + dt.timedelta(hours=1))

    def _value(self, entry: Entry, unit: Unit, shown: Any, *, all_day: bool) -> Any:
        """What an edit writes; None where it could not be told from another one."""
        if unit in SMALL:
            # Two that write the same are no clash, and there and back is no edit: only where both sides have the same.
            if entry.heads[unit] != {shown} or entry.editors.get(unit):
                return None
            return next(value for value in SMALL[unit] if value != shown)
        if unit == "when":
            return self._times(all_day=all_day)
        text = self._text()
        if unit == "title":
            self._named[text] = entry
        return text

    def _noted(self, entry: Entry, unit: Unit, side: str, shown: Any, value: Any) -> None:
        entry.heads[unit] = (entry.heads[unit] - {shown}) | {value}
        if entry.unread and side == "studio":
            entry.heads[unit] = {value}
        entry.editors.setdefault(unit, set()).add(side)
        entry.last[unit, side] = value
        entry.touched = True

    def _wanted_now(self) -> None:
        for entry in self.entries:
            if entry.born != "studio" and not entry.met:
                tentative = one(entry.heads["status"]) == "tentative"
                entry.ever_wanted |= not tentative or entry.born in self.tentative


class _Interrupted:
    """Calendars in which something else happens before the first write."""

    def __init__(self, calendars: Any, meanwhile: Callable[[], object]) -> None:
        self._calendars = calendars
        self._meanwhile: Callable[[], object] | None = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calendars, name)

    def open(self, *which: Any) -> Calendar:
        calendar = self._calendars.open(*which)
        write = calendar.write

        def late(operations: Any) -> Any:
            meanwhile, self._meanwhile = self._meanwhile, None
            if meanwhile is not None:
                meanwhile()
            return write(operations)

        calendar.write = late
        return calendar


def _with(ports: Any, calendars: Any) -> Any:
    return type(ports)(ports.store, calendars, ports.tasks, ports.clock, ports.new_id, ports.safety_interval)


def one(values: Iterable[Any]) -> Any:
    return next(iter(values))


def instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_cancelled(found: list[Any]) -> Values | None:
    return of_document(found[0][1] | {"status": "confirmed"}) if found else None


def of_document(document: Mapping[str, Any]) -> Values:
    if document.get("all_day"):
        when = document["start_date"], document["end_date"]
    else:
        when = instant(document["start"]), instant(document["end"])
    texts = {unit: document.get(unit) or "" for unit in TEXTS}
    busy, private = document.get("busy", True), document.get("private", False)
    return {**texts, "when": when, "busy": busy, "private": private, "status": document["status"]}  # type: ignore[dict-item]


def of_event(event: Mapping[str, Any]) -> Values:
    ends = event["start"], event["end"]
    if "date" in event["start"]:
        when = tuple(end["date"] for end in ends)
    else:
        when = tuple(instant(dt.datetime.fromisoformat(end["dateTime"])) for end in ends)
    return {
        "title": event.get("summary", ""),
        "description": event.get("description", ""),
        "location": event.get("location", ""),
        "when": when,
        "busy": event.get("transparency") != "transparent",
        "private": event.get("visibility") in {"private", "confidential"},
        "status": event["status"],
    }


def studio_fields(values: Mapping[Unit, Any]) -> dict[str, Any]:
    fields = {unit: value for unit, value in values.items() if unit != "when"}
    if "when" in values:
        start, end = values["when"]
        if "T" in start:
            times = (dt.datetime.fromisoformat(at) for at in (start, end))
            fields |= dict(zip(("start", "end"), times, strict=True)) | {"all_day": False}
        else:
            fields |= {"all_day": True, "start_date": start, "end_date": end}
    return fields


def event_fields(values: Mapping[Unit, Any]) -> dict[str, Any]:
    names = {"title": "summary", "description": "description", "location": "location", "status": "status"}
    fields = {names[unit]: value for unit, value in values.items() if unit in names}
    if "when" in values:
        kind, other = ("dateTime", "date") if "T" in values["when"][0] else ("date", "dateTime")
        fields |= {name: {kind: at, other: None} for name, at in zip(("start", "end"), values["when"], strict=True)}
    if "busy" in values:
        fields["transparency"] = "opaque" if values["busy"] else "transparent"
    if "private" in values:
        fields["visibility"] = "private" if values["private"] else "default"
    return fields


def logged_text(unit: Unit, value: Any) -> str:
    """As the log has it."""
    if unit != "when":
        return str(value)
    start, end = value
    if "T" in start:
        return Timed(dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end)).shown()
    return AllDay(dt.date.fromisoformat(start), dt.date.fromisoformat(end)).shown()
