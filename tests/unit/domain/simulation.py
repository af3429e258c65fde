"""A studio, a calendar and runs between them, all in memory: operations are applied as the services apply them.

A run may be interrupted after any of its writes: it dies there, or somebody meddles. What persons did is remembered,
item by item, and held against what both sides say whenever an item is settled.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec

from shared.domain.appointment import fields_of, read_appointment
from shared.domain.content import UNITS, Content, Unit, same
from shared.domain.errors import Stale
from shared.domain.event import CalendarWrite, Delete, Event, Insert
from shared.domain.link import Link
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Item,
    Operation,
    UpdateAppointment,
    agreed,
    before_deleting,
)
from shared.domain.plan import decide
from shared.ports import Document, Stored
from shared.services.gather import events_by_appointment, item
from tests.unit.domain.builders import ANN, BOB, CONNECTION, NOW, STUDIO, rules

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
    """What persons did to an item since it was last settled, and what was agreed then. `deleted`: in the calendar."""

    deeds: list[Deed] = dataclasses.field(default_factory=list)
    deleted: bool = False
    before: Content | None = None


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

    def assign(self, appointment_id: str, user_id: str) -> None:
        self._put(appointment_id, {"user_ids": [user_id]})

    def enter_event(self, event_id: str, held: Content) -> None:
        self._store(Event(id=event_id, content=held, ical_uid=event_id))
        self._remember(self._appointment_of(event_id), "calendar", UNITS, held)

    def edit_event(self, event_id: str, unit: Unit, value: Any) -> None:
        event = self.events[event_id]
        if event.content is None:
            return
        held = msgspec.structs.replace(event.content, **{unit: value})
        if held != event.content:
            self._store(msgspec.structs.replace(event, content=held))
            self._remember(self._appointment_of(event_id), "calendar", [unit], held)

    def delete_event(self, event_id: str) -> None:
        if self.events[event_id].content is None:
            return
        story = self.stories.setdefault(self._appointment_of(event_id), Story())
        story.deeds = [deed for deed in story.deeds if deed.side != "calendar"]  # Given up with the event.
        story.deleted = True
        self._store(Event(id=event_id))

    def restore_event(self, event: Event) -> None:
        """A person takes a deleted event out of the bin."""
        self._store(event)

    # --- a run -------------------------------------------------------------------------------------------------------

    def sync(self, *, everything: bool = False) -> None:
        """One run over what is new; `everything` looks at each document and each event again."""
        news = list(self.events if everything else self.news)
        outbox = dict.fromkeys(self.documents, NOW) | self.outbox if everything else dict(self.outbox)
        self.writes, self.unfinished = [], set()
        by_event = {link.event_id: link for link in self.links.values()}
        event_of = events_by_appointment([self.events[event_id] for event_id in news], by_event, {}, STUDIO)
        for appointment_id in dict.fromkeys([*outbox, *event_of]):
            self._settle_item(appointment_id, event_of.get(appointment_id), 0, ROUNDS)
        for event_id in news:
            self.news.pop(event_id, None)
        for appointment_id, at in outbox.items():
            if appointment_id not in self.unfinished and self.outbox.get(appointment_id) == at:
                del self.outbox[appointment_id]

    def sync_interrupted(self, fuse: int, interrupt: Callable[[], None]) -> None:
        """A run in which something happens after its `fuse`-th write; a run that dies leaves cursor and outbox."""
        self.fuse, self.interrupt = fuse, interrupt
        try:
            self.sync()
        except CrashError:
            pass
        finally:
            self.fuse = -1

    def _settle_item(self, appointment_id: str, event: Event | None, generation: int, rounds: int) -> None:
        document, version = self.documents.get(appointment_id), self.versions.get(appointment_id)
        stored: Stored[Document] | None = None if document is None else Stored(appointment_id, document, version)
        at = self.outbox.get(appointment_id)
        this = item(CONNECTION, appointment_id, stored, self.links.get(appointment_id), event, at, generation)
        read_at = self._number
        operation = decide(this, rules(populating_studio=True, populating_calendar=True))
        if (leaving := before_deleting(operation)) is not None:
            self.links[appointment_id] = leaving
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
        event = self.events.get(event_id, Event(id=event_id)) if event_id else None
        generation = this.next_generation
        if isinstance(operation.calendar, Insert) and event is not None and event.deleted:
            assert operation.link is not None
            event, generation = this.event, operation.link.generation + 1
        self._settle_item(this.appointment_id, event, generation, rounds)

    def _write(self, write: CalendarWrite) -> Event:
        there = self.events.get(write.event_id)
        if isinstance(write, Insert):
            if there is not None:
                raise Stale("409")
            stored = Event(
                id=write.event_id, content=write.content, ical_uid=write.event_id,
                appointment_id=write.appointment_id, seal=write.seal,
            )  # fmt: skip
        elif isinstance(write, Delete):
            stored = Event(id=write.event_id)
            if there is None or there.deleted:
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

    def _record(self, operation: Operation, answer: Event | None, version: int | None) -> None:
        """Studio and link in one step, conditional on the version of the document that was read."""
        appointment_id = operation.item.appointment_id
        if operation.studio is not None and self.versions.get(appointment_id) != version:
            raise Stale("the document has changed")
        match operation.studio:
            case CreateAppointment(content=held):
                self._put(appointment_id, {"kind": "unlinked", "user_ids": [ANN], **fields_of(held, UNITS)})
            case UpdateAppointment(content=held, units=units):
                self._put(appointment_id, fields_of(held, units))
            case CancelAppointment():
                self._put(appointment_id, {"status": "cancelled"})
        link = agreed(operation, answer)
        if link is not None:
            self.links[appointment_id] = link

    def _wrote(self, what: str) -> None:
        self.writes.append(what)
        if self.fuse == 0 and self.interrupt is not None:
            self.fuse = -1
            self.interrupt()
        self.fuse -= 1

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _judge(self, appointment_id: str, operation: Operation, read_at: int) -> None:
        """What persons did before the item was read is on both sides now, or in the log if both did something."""
        story = self.stories.setdefault(appointment_id, Story())
        told = [deed for deed in story.deeds if deed.number <= read_at]
        story.deeds = [deed for deed in story.deeds if deed.number > read_at]
        later = {deed.unit for deed in story.deeds}
        here, there = self.here(appointment_id), self.there(appointment_id)
        if isinstance(operation.studio, CancelAppointment):
            kept = self.studio(appointment_id) if story.before is None else story.before
            assert self.studio(appointment_id).differs(kept) <= later, "cancelled in spite of an edit"
            assert story.deleted, "cancelled though nobody deleted the event"
        story.deleted = False
        if here is None:
            if self.moved_on(appointment_id):
                self._judge_parting(appointment_id, told)
            story.before = None
            return
        if there is None:
            return
        for unit in UNITS:
            if unit not in later:
                _judge_unit(unit, told, story.before, here, there)
        story.before = here

    def _judge_parting(self, appointment_id: str, told: list[Deed]) -> None:
        """The appointment is another user's now: what was changed in this calendar alone went with it."""
        left = self.studio(appointment_id)
        for unit in UNITS:
            last = [deed for deed in told if deed.unit == unit]
            if last and all(deed.side == "calendar" for deed in last):
                assert same(unit, left, last[-1].value), f"{unit}: an edit of the calendar did not come along"

    def check_settled(self) -> None:
        """Nothing is left to do, nothing stands twice, and a look at everything writes nothing."""
        for _ in range(3):
            self.sync()
        assert not self.unfinished, "an item that never comes to rest"
        self.sync(everything=True)
        assert self.writes == [], "a quiet world was written to"
        live = [event for event in self.events.values() if event.content is not None]
        paired = {link.event_id: link.appointment_id for link in self.links.values() if link.paired}
        assert len(paired) == len([link for link in self.links.values() if link.paired]), "one event, two pairs"
        assert {event.id for event in live} == paired.keys(), "an event without a pair, or a pair without an event"
        present = {one for one in self.documents if self.here(one) is not None}
        assert present == set(paired.values()), "an appointment without a pair, or a pair without an appointment"
        for event in live:
            assert event.content == self.here(paired[event.id])

    # --- looking -----------------------------------------------------------------------------------------------------

    def studio(self, appointment_id: str) -> Content:
        """What the document says, cancelled or not."""
        return read_appointment(self.documents[appointment_id]).content()

    def here(self, appointment_id: str) -> Content | None:
        document = self.documents.get(appointment_id)
        if document is None or document.get("status") == "cancelled" or document["user_ids"] != [ANN]:
            return None
        return read_appointment(document).content()

    def moved_on(self, appointment_id: str) -> bool:
        document = self.documents.get(appointment_id)
        return document is not None and document.get("status") != "cancelled" and document["user_ids"] == [BOB]

    def there(self, appointment_id: str) -> Content | None:
        link = self.links.get(appointment_id)
        return None if link is None or link.event_id not in self.events else self.events[link.event_id].content

    def live_events(self) -> list[str]:
        return [event.id for event in self.events.values() if event.content is not None]

    def _appointment_of(self, event_id: str) -> str:
        by_event = {link.event_id: link for link in self.links.values()}
        return next(iter(events_by_appointment([self.events[event_id]], by_event, {}, STUDIO)))

    def _put(self, appointment_id: str, fields: dict[str, Any]) -> None:
        before = self.documents.get(appointment_id, {})
        whole = {**before, **fields}
        self.documents[appointment_id] = {key: value for key, value in whole.items() if value is not None}
        self.versions[appointment_id] = self._next()
        if ANN in before.get("user_ids", ()) or ANN in whole["user_ids"]:  # As the trigger enters it.
            self.outbox[appointment_id] = NOW + dt.timedelta(seconds=self._number)

    def _store(self, event: Event) -> None:
        number = self._next()
        updated = NOW + dt.timedelta(seconds=number)
        self.events[event.id] = msgspec.structs.replace(event, etag=str(number), updated=updated)
        self.news.pop(event.id, None)
        self.news[event.id] = None

    def _remember(self, appointment_id: str, side: str, units: Any, held: Content) -> None:
        story = self.stories.setdefault(appointment_id, Story())
        story.deeds += [Deed(self._number, side, unit, held) for unit in units]

    def _next(self) -> int:
        self._number += 1
        return self._number


def _judge_unit(unit: Unit, told: list[Deed], before: Content | None, here: Content, there: Content) -> None:
    last = {deed.side: deed.value for deed in told if deed.unit == unit}
    meant = list(last.values()) or ([] if before is None else [before])
    assert same(unit, here, there), f"{unit}: the sides differ"
    assert not meant or any(same(unit, here, value) for value in meant), f"{unit}: an edit is lost"
