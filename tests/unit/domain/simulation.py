"""A studio, a calendar and runs between them, all in memory: operations are applied as the services apply them.

A run may be interrupted after any of its writes: it dies there, or somebody meddles. What persons did is remembered,
item by item, and held against what both sides say whenever an item is settled.

What nobody owes to a person: what is done in the calendar while two-way is off, and until the first run after it was
turned on (`Story.apart`, `World.outside`); and the studio's edits of somebody else's event, which stay in the studio.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from shared.domain import identity
from shared.domain.appointment import fields_of, read_appointment
from shared.domain.content import UNITS, Content, Unit, same
from shared.domain.errors import Stale
from shared.domain.event import CalendarWrite, Delete, Event, Insert, Restore
from shared.domain.link import Link
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Item,
    Operation,
    UpdateAppointment,
    Verdict,
    agreed,
    before_writing,
)
from shared.domain.outcomes import next_generation
from shared.domain.plan import decide, is_here
from shared.ports import Document, Stored
from shared.services.gather import events_by_appointment, item
from tests.unit.domain.builders import ANN, CONNECTION, NOW, STUDIO, rules

# As in services/apply.py: so often an item is looked at afresh before it is left for the next run.
ROUNDS = 3


class CrashError(Exception):
    """The run was killed."""


@dataclasses.dataclass
class Deed:
    """A person gave a unit of an item a value, on one side."""

    number: int
    side: str
    unit: Unit
    value: Content


@dataclasses.dataclass
class Story:
    """What persons did to an item since it was last settled, and what was agreed then. `deleted`: in the calendar.

    `binned` are the edits that went into the bin with the event, and come back with it; `apart` the units in which the
    sides may differ, as the calendar's was written when nobody read it.
    """

    deeds: list[Deed] = dataclasses.field(default_factory=list)
    deleted: bool = False
    before: Content | None = None
    binned: list[Deed] = dataclasses.field(default_factory=list)
    apart: set[Unit] = dataclasses.field(default_factory=set)


class World:
    """Both sides, and what the backend keeps."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.events: dict[str, Event] = {}
        self.links: dict[str, Link] = {}
        self.outbox: dict[str, dt.datetime] = {}
        self.news: dict[str, None] = {}  # Ids of events changed since the cursor, the latest last.
        self.unfinished: set[str] = set()
        self.writes: list[str] = []
        self.interrupt: Callable[[], None] | None = None
        self.fuse = -1
        self.stories: dict[str, Story] = {}
        self.bin: dict[str, Event] = {}  # As they were when they were deleted.
        # What comes of restoring by a run: it may be refused, or be answered as if it had worked.
        self.restoring: Literal["works", "is refused", "does nothing"] = "works"
        self.forgotten: set[str] = set()  # Deleted events that cannot be found any more.
        self.absent: set[str] = set()  # Of these, the ones of which that is verified.
        self.outside: set[str] = set()  # Events that a person made or restored, and that need not be in the studio.
        self.verdicts: dict[str, Verdict] = {}
        self.two_way = True
        self.reads = True  # Not from the time when two-way is turned off to the first run after it was turned on.
        self.read_since: dt.datetime | None = None
        self._number = 0

    # --- persons -----------------------------------------------------------------------------------------------------

    def enter_appointment(self, appointment_id: str, held: Content) -> None:
        self._put(appointment_id, {"kind": "session", "user_ids": [ANN], **fields_of(held, UNITS)})
        self._remember(appointment_id, "studio", UNITS, held)

    def edit_appointment(self, appointment_id: str, unit: Unit, value: Any) -> None:
        held = msgspec.structs.replace(self.studio(appointment_id), **{unit: value})
        if held != self.studio(appointment_id):
            self._put(appointment_id, fields_of(held, [unit]))
            self._remember(appointment_id, "studio", [unit], held)

    def set_status(self, appointment_id: str, status: str) -> None:
        self._put(appointment_id, {"status": status})

    def assign(self, appointment_id: str, *user_ids: str) -> None:
        self._put(appointment_id, {"user_ids": list(user_ids)})

    def answer(self, appointment_id: str, verdict: Verdict) -> None:
        """A person answers the question about a removed event, if there is one."""
        link = self.links.get(appointment_id)
        if link is not None and link.asked is not None:
            self.verdicts[appointment_id] = verdict
            self.outbox.setdefault(appointment_id, NOW)

    def set_two_way(self, on: bool) -> None:
        """Turned off, what was not read yet stays unread; turned on, the next run reads everything."""
        self.two_way = on
        if not on:
            self.reads = False
            self.news.clear()
            for appointment_id, story in self.stories.items():
                story.deleted = False
                self._set_apart(appointment_id, {deed.unit for deed in story.deeds if deed.side == "calendar"})
            paired = {link.event_id for link in self.links.values() if link.paired}
            self.outside |= {event_id for event_id in self.events if event_id not in paired}

    def enter_event(self, event_id: str, held: Content, **fields: Any) -> None:
        """Further fields say whose it is."""
        self._store(Event(id=event_id, content=held, ical_uid=event_id, **fields))
        if self.reads:
            self._remember(self._appointment_of(event_id), "calendar", UNITS, held)
        else:
            self.outside.add(event_id)

    def edit_event(self, event_id: str, unit: Unit, value: Any) -> None:
        event = self.events[event_id]
        if event.content is None:
            return
        held = msgspec.structs.replace(event.content, **{unit: value})
        if held == event.content:
            return
        self._store(msgspec.structs.replace(event, content=held))
        appointment_id = self._appointment_of(event_id)
        if not self.reads:
            self._set_apart(appointment_id, {unit})
            return
        link = self.links.get(appointment_id)
        if event_id in self.outside and event.appointment_id is None and link is None:
            self.outside.discard(event_id)  # From now on it is a change that counts, and comes in as a whole.
            self._remember(appointment_id, "calendar", UNITS, held)
        elif event_id not in self.outside or (link is not None and link.event_id == event_id):
            self._remember(appointment_id, "calendar", [unit], held)

    def delete_event(self, event_id: str) -> None:
        if self.events[event_id].content is None:
            return
        story = self.stories.setdefault(self._appointment_of(event_id), Story())
        story.binned = [deed for deed in story.deeds if deed.side == "calendar"]  # Given up with the event.
        story.deeds = [deed for deed in story.deeds if deed.side != "calendar"]
        story.deleted = self.reads
        self.outside.discard(event_id)
        self._store(Event(id=event_id))

    def restore_event(self, event: Event) -> None:
        """A person takes a deleted event out of the bin."""
        self._store(event)
        appointment_id = self._appointment_of(event.id)
        link = self.links.get(appointment_id)
        if not (link is not None and link.paired and link.event_id == event.id):
            self.outside.add(event.id)  # Whether it comes back, depends on who cancelled it.
        self._unbin(appointment_id)

    def _unbin(self, appointment_id: str) -> None:
        """What was edited in an event before it was deleted is there again."""
        story = self.stories.setdefault(appointment_id, Story())
        if self.reads:
            story.deeds += story.binned
        else:
            self._set_apart(appointment_id, {deed.unit for deed in story.binned})
        story.binned, story.deleted = [], False

    def forget_deleted(self) -> None:
        """The calendar empties its bin."""
        self.forgotten |= self.bin.keys()
        self.bin.clear()

    def _set_apart(self, appointment_id: str, units: set[Unit]) -> None:
        story = self.stories.setdefault(appointment_id, Story())
        story.apart |= units
        story.deeds = [deed for deed in story.deeds if deed.side != "calendar"]

    # --- a run -------------------------------------------------------------------------------------------------------

    def sync(self, *, everything: bool = False) -> None:
        """One run over what is new; `everything` looks at each document and each event again."""
        unread = self.two_way and not self.reads
        if unread:
            self._next()  # Later than anything that was done there before.
            everything, self.read_since = True, self._now()
        news = list(self.events if everything else self.news) if self.two_way else []
        outbox = dict.fromkeys(self.documents, NOW) | self.outbox if everything else dict(self.outbox)
        self.writes, self.unfinished = [], set()
        by_event = {link.event_id: link for link in self.links.values()}
        event_of = events_by_appointment([self.events[event_id] for event_id in news], by_event, {}, STUDIO)
        for appointment_id in dict.fromkeys([*outbox, *event_of]):
            self._settle_item(appointment_id, event_of.get(appointment_id), 0, ROUNDS, unread=unread)
        self.reads = self.two_way
        for event_id in news:
            self.news.pop(event_id, None)
        for appointment_id, at in outbox.items():
            if appointment_id not in self.unfinished and self.outbox.get(appointment_id) == at:
                del self.outbox[appointment_id]
                self.verdicts.pop(appointment_id, None)
        self.outbox = dict.fromkeys(self.unfinished, NOW) | self.outbox

    def sync_interrupted(self, fuse: int, interrupt: Callable[[], None]) -> None:
        """A run in which something happens after its `fuse`-th write; a run that dies leaves cursor and outbox."""
        self.fuse, self.interrupt = fuse, interrupt
        try:
            self.sync()
        except CrashError:
            pass
        finally:
            self.fuse = -1

    def _settle_item(
        self,
        appointment_id: str,
        event: Event | None,
        generation: int,
        rounds: int,
        *,
        unread: bool,
        beyond_restoring: bool = False,
    ) -> None:
        document, version = self.documents.get(appointment_id), self.versions.get(appointment_id)
        stored: Stored[Document] | None = None if document is None else Stored(appointment_id, document, version)
        at = self.outbox.get(appointment_id)
        this = item(CONNECTION, appointment_id, stored, self.links.get(appointment_id), event, at, generation)
        if event is None and not self.two_way:
            this = self._with_unrecorded(this)
        verdict = self.verdicts.get(appointment_id)
        this = msgspec.structs.replace(this, verdict=verdict, unread=unread, beyond_restoring=beyond_restoring)
        read_at = self._number
        operation = decide(this, rules(two_way=self.two_way, read_since=self.read_since))
        if operation.doubt:  # A full listing will tell.
            self.absent.add("" if this.event is None else this.event.id)
            self.unfinished.add(appointment_id)
            return
        if (leaving := before_writing(operation)) is not None:
            self.links[appointment_id] = leaving
            self._wrote("mark")
        try:
            answer = None if operation.calendar is None else self._write(operation.calendar)
            self._record(operation, answer, version)
        except Stale:
            if rounds <= 1:
                self.unfinished.add(appointment_id)
            else:
                self._look_again(operation, this, rounds - 1)
            return
        self._judge(appointment_id, operation, read_at)
        if operation.studio is not None or operation.link is not None:
            self._wrote("record")
        if operation.more:
            self._look_again(operation, this, rounds - 1)

    def _look_again(self, operation: Operation, this: Item, rounds: int) -> None:
        link = self.links.get(this.appointment_id)
        if operation.calendar is not None:
            event_id = operation.calendar.event_id
        elif this.event is not None:
            event_id = this.event.id
        else:
            event_id = "" if link is None else link.event_id
        event = self._get(event_id) if event_id else None
        generation = this.next_generation
        if isinstance(operation.calendar, Insert) and event is not None and (event.deleted or event.missing):
            assert operation.link is not None
            event, generation = this.event, operation.link.generation + 1
        unrestored = isinstance(operation.calendar, Restore) and (event is None or event.content is None)
        self._settle_item(
            this.appointment_id, event, generation, rounds,
            unread=this.unread, beyond_restoring=this.beyond_restoring or unrestored,
        )  # fmt: skip

    def _get(self, event_id: str) -> Event:
        """As asked for by its id: of what the calendar has forgotten, that alone proves nothing."""
        if event_id in self.events and event_id not in self.forgotten:
            return self.events[event_id]
        return Event(id=event_id, missing=self.two_way and event_id not in self.absent)

    def _with_unrecorded(self, this: Item) -> Item:
        """As in services/sync_calendar.py: where nobody reads the calendar, what a run entered before it died."""
        if is_here(this, rules()) or (this.link is not None and this.link.paired):
            return this
        event = self.events.get(identity.event(CONNECTION, this.appointment_id, next_generation(this)))
        return this if event is None or event.deleted else msgspec.structs.replace(this, event=event)

    def _write(self, write: CalendarWrite) -> Event:
        there = self.events.get(write.event_id)
        if isinstance(write, Insert):
            if there is not None:
                raise Stale("409")
            stored = Event(
                id=write.event_id, content=write.content, ical_uid=write.event_id,
                appointment_id=write.appointment_id, seal=write.seal,
            )  # fmt: skip
        elif isinstance(write, Restore):
            return self._restore(write)
        elif isinstance(write, Delete):
            stored = Event(id=write.event_id)
            if there is None or write.event_id in self.forgotten:
                raise Stale("404")
            if there.deleted:
                return stored
        else:
            if there is None or there.content is None:
                raise Stale("404")
            fields = {unit: getattr(write.content, unit) for unit in write.units}
            held = msgspec.structs.replace(there.content, **fields)
            stored = msgspec.structs.replace(there, content=held, seal=write.seal, appointment_id=write.appointment_id)
        if not isinstance(write, Insert) and there is not None and there.etag != write.etag:
            raise Stale("412")
        self._store(stored)
        self._wrote(type(write).__name__)
        return self.events[write.event_id]

    def _restore(self, write: Restore) -> Event:
        there = self.events.get(write.event_id, Event(id=write.event_id))
        if not there.deleted:
            return there
        binned = self.bin.get(write.event_id)
        if binned is None or self.restoring == "is refused":
            raise Stale("410")
        if self.restoring == "does nothing":
            return there
        assert binned.content is not None
        assert binned.own, "somebody else's event is restored"
        held = msgspec.structs.replace(binned.content, status=write.status)
        appointment_id = self._appointment_of(write.event_id, binned)
        self._store(msgspec.structs.replace(binned, content=held))
        self._unbin(appointment_id)
        self._wrote("Restore")
        return self.events[write.event_id]

    def _record(self, operation: Operation, answer: Event | None, version: int | None) -> None:
        """Studio and link in one step, conditional on the version of the document that was read."""
        appointment_id = operation.item.appointment_id
        if operation.studio is not None and self.versions.get(appointment_id) != version:
            raise Stale("the document has changed")
        match operation.studio:
            case CreateAppointment(content=held):
                self._put(appointment_id, {"kind": "unlinked", "user_ids": [ANN], **fields_of(held, UNITS)})
            case UpdateAppointment(content=held, units=units, leave=leave):
                left = [user for user in self.documents[appointment_id]["user_ids"] if user != ANN]
                self._put(appointment_id, fields_of(held, units) | ({"user_ids": left} if leave else {}))
            case CancelAppointment():
                self._put(appointment_id, {"status": "cancelled"})
        link = agreed(operation, answer)
        if link is not None:
            self.links[appointment_id] = link
            if link.paired:
                self.outside.discard(link.event_id)

    def _wrote(self, what: str) -> None:
        self.writes.append(what)
        if self.fuse == 0 and self.interrupt is not None:
            self.fuse = -1
            self.interrupt()
        self.fuse -= 1

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _judge(self, appointment_id: str, operation: Operation, read_at: int) -> None:
        """What persons did before the item was read is on both sides now, or in the log if both did something."""
        if isinstance(operation.calendar, Restore):
            assert self.here(appointment_id) is not None, "restored, and not wanted"
            return  # Both sides are compared next.
        story = self.stories.setdefault(appointment_id, Story())
        if isinstance(operation.calendar, Insert):  # What was edited in another event is in the bin with that.
            story.deeds = [deed for deed in story.deeds if deed.side != "calendar" or deed.number > read_at]
            story.binned = []
        told = [deed for deed in story.deeds if deed.number <= read_at]
        story.deeds = [deed for deed in story.deeds if deed.number > read_at]
        later = {deed.unit for deed in story.deeds}
        here, there = self.here(appointment_id), self.there(appointment_id)
        if isinstance(operation.studio, CancelAppointment):
            kept = self.studio(appointment_id) if story.before is None else story.before
            assert self.studio(appointment_id).differs(kept) <= later, "cancelled in spite of an edit"
            assert story.deleted, "cancelled though nobody deleted the event"
            assert self.documents[appointment_id]["user_ids"] == [ANN], "cancelled though others are assigned"
        if isinstance(operation.calendar, Delete):
            assert self.events[operation.calendar.event_id].own, "somebody else's event is deleted"
            before = operation.item.appointment
            assert before is None or before.cancelled or ANN not in before.user_ids, "wanted, and deleted"
        story.deleted = False
        if here is None:
            if self.moved_on(appointment_id) and isinstance(operation.calendar, Delete):
                self._judge_parting(appointment_id, told)
            story.deeds = told + story.deeds  # Should it come back, they are still there.
            return
        if there is None:
            story.before = here
            return
        theirs = self.is_theirs(appointment_id)
        for unit in UNITS:
            if unit not in later:
                _judge_unit(unit, told, story, here, there, theirs=theirs)
        story.before = here

    def _judge_parting(self, appointment_id: str, told: list[Deed]) -> None:
        """The appointment is another user's now: what was changed in this calendar alone went with it."""
        left = self.studio(appointment_id)
        for unit in UNITS:
            last = [deed for deed in told if deed.unit == unit]
            if last and all(deed.side == "calendar" for deed in last) and self.two_way:
                assert same(unit, left, last[-1].value), f"{unit}: an edit of the calendar did not come along"

    def check_settled(self) -> None:
        """Nothing is left to do, nothing stands twice, and a look at everything writes nothing."""
        for _ in range(3):
            self.sync()
        assert not self.unfinished, "an item that never comes to rest"
        self.sync(everything=True)
        assert self.writes == [], "a quiet world was written to"
        live = [event for event in self.events.values() if event.content is not None]
        pairs = [link for link in self.links.values() if link.state in {"paired", "leaving"}]
        paired = {link.event_id: link.appointment_id for link in pairs}
        assert len(paired) == len(pairs), "one event, two pairs"
        unknown = {event.id for event in live} ^ paired.keys()
        if not self.two_way:
            unknown -= self.bin.keys()  # Deleted there, and nobody has looked.
        assert unknown <= self.outside, "an event without a pair, or a pair without an event"
        for event_id in self.outside & self.events.keys():
            self._check_left_alone(event_id)
        present = {one for one in self.documents if self.here(one) is not None}
        removed = {one for one, link in self.links.items() if link.state == "removed"}
        gone_alone = {one for one in paired.values() if self.is_theirs(one)} - present
        assert present == (set(paired.values()) | removed) - gone_alone, "an appointment without a pair, or the reverse"
        for event in live:
            if event.id in paired and paired[event.id] in present:
                here = self.here(paired[event.id])
                assert here is not None
                assert event.content is not None
                apart = self.stories.setdefault(paired[event.id], Story()).apart
                assert event.content.differs(here) <= apart, "the sides differ"

    def _check_left_alone(self, event_id: str) -> None:
        """A restored event that stays out of the studio was not cancelled by the calendar."""
        link = None if self.events[event_id].deleted else self.links.get(self._appointment_of(event_id))
        if link is None or link.paired or link.event_id != event_id:
            return
        document = self.documents[link.appointment_id]
        cancelled = document.get("status") == "cancelled" and ANN in document["user_ids"]
        assert not (link.gone_there and cancelled and self.two_way), "not reinstated"

    # --- looking -----------------------------------------------------------------------------------------------------

    def studio(self, appointment_id: str) -> Content:
        """What the document says, cancelled or not."""
        return read_appointment(self.documents[appointment_id]).content()

    def here(self, appointment_id: str) -> Content | None:
        document = self.documents.get(appointment_id)
        if document is None or document.get("status") == "cancelled" or ANN not in document["user_ids"]:
            return None
        return read_appointment(document).content()

    def moved_on(self, appointment_id: str) -> bool:
        document = self.documents.get(appointment_id)
        return document is not None and document.get("status") != "cancelled" and ANN not in document["user_ids"]

    def is_theirs(self, appointment_id: str) -> bool:
        link = self.links.get(appointment_id)
        return link is not None and link.event_id in self.events and not self.events[link.event_id].own

    def there(self, appointment_id: str) -> Content | None:
        link = self.links.get(appointment_id)
        return None if link is None or link.event_id not in self.events else self.events[link.event_id].content

    def live_events(self) -> list[str]:
        return [event.id for event in self.events.values() if event.content is not None]

    def _appointment_of(self, event_id: str, event: Event | None = None) -> str:
        by_event = {link.event_id: link for link in self.links.values()}
        return next(iter(events_by_appointment([event or self.events[event_id]], by_event, {}, STUDIO)))

    def _put(self, appointment_id: str, fields: dict[str, Any]) -> None:
        before = self.documents.get(appointment_id, {})
        whole = {**before, **fields}
        self.documents[appointment_id] = {key: value for key, value in whole.items() if value is not None}
        self.versions[appointment_id] = self._next()
        if ANN in before.get("user_ids", ()) or ANN in whole["user_ids"]:  # As the trigger enters it.
            self.outbox[appointment_id] = NOW + dt.timedelta(seconds=self._number)

    def _store(self, event: Event) -> None:
        before = self.events.get(event.id)
        if event.deleted and before is not None and before.content is not None:
            self.bin[event.id] = before
        else:
            self.bin.pop(event.id, None)
        number = self._next()
        own = event.own if before is None or not event.deleted else before.own
        self.events[event.id] = msgspec.structs.replace(event, etag=str(number), updated=self._now(), own=own)
        self.news.pop(event.id, None)
        if self.two_way:
            self.news[event.id] = None

    def _remember(self, appointment_id: str, side: str, units: Any, held: Content) -> None:
        story = self.stories.setdefault(appointment_id, Story())
        story.deeds += [Deed(self._number, side, unit, held) for unit in units]

    def _now(self) -> dt.datetime:
        return NOW + dt.timedelta(seconds=self._number)

    def _next(self) -> int:
        self._number += 1
        return self._number


def _judge_unit(unit: Unit, told: list[Deed], story: Story, here: Content, there: Content, *, theirs: bool) -> None:
    last = {deed.side: deed.value for deed in told if deed.unit == unit}
    meant = list(last.values()) or ([] if story.before is None else [story.before])
    if theirs and "calendar" not in last and "studio" in last:
        story.apart.add(unit)  # It cannot go there.
    elif last:
        story.apart.discard(unit)
    assert unit in story.apart or same(unit, here, there), f"{unit}: the sides differ"
    kept = unit in story.apart or not meant or any(same(unit, here, value) for value in meant)
    assert kept, f"{unit}: an edit is lost"
