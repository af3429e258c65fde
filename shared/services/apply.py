"""The third paragraph of a run: carry out operations, the calendar first, then studio and link in one step.

A refused precondition sends just that item back to be read and decided afresh. What cannot be finished now is left
in the outbox, so that the cursor may pass it.
"""

import functools
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from shared.domain.connection import OutboxEntry, Parked
from shared.domain.errors import Park, RateLimited, Retry, Stale, SyncError, Unavailable
from shared.domain.event import Event, Insert, Restore
from shared.domain.operation import (
    Item,
    LetGo,
    Operation,
    Rules,
    before_writing,
)
from shared.domain.plan import decide
from shared.domain.reasons import Reason
from shared.ports import Calendar, Settlement
from shared.services.conflicts import may_block_other_times
from shared.services.doubts import entry_of_appointment, overtaken, recalled, released, withdrawn
from shared.services.gather import ASKED_ENOUGH, Documents, Notes, item, known_series, notes
from shared.services.guarding import Guard
from shared.services.run import Run, Step, Unstored
from shared.services.run_log import log_entry
from shared.services.settlement import settlement_of

log = logging.getLogger(__name__)

# Google's batches take more, but only up to 50 has been seen to be safe over the years.
WRITES_PER_REQUEST = 50
# Items without a call to the calendar that are stored in one step. Where their texts are so long that this is more than
# Firestore takes at once, they are stored one by one.
ITEMS_PER_COMMIT = 100
# How often an item may turn out to have changed under our hands before it is left for the next run.
ROUNDS = 3
# How often an item may fail in a way that nobody foresaw before it is parked.
TRIES = 5
# How often Google may fail to answer for one item alone, over some hours, before it is parked.
MANY_TRIES = 20

TOO_LARGE = "it is too large to be kept in step: shorten its texts"

_Item = TypeVar("_Item")


class Unfinished(msgspec.Struct, frozen=True):
    """An item that stays to be done: it goes into the outbox. `failed` counts towards its tries."""

    item: Item
    why: Exception
    failed: bool = False


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What came of taking items out of earlier calendars: `unfinished` are to be met again; `edited` (appointment ids)
    brought a person's edit from there into the studio; `slow_down`: the provider asked for it.
    """

    unfinished: tuple[Unfinished, ...] = ()
    edited: frozenset[str] = frozenset()
    slow_down: Retry | None = None


class Applier:
    """Carries out one run's operations. Holds what they share, and what they left: `unfinished` items, a `Retry` where
    the provider asked to slow down, whether anything is in `doubt` that only a full listing can tell, and whether there
    is `more` that a run right after this one is to look at. `notes` is
    what the outbox says of the items; `on_stored` is told what each step stored; `take_out` takes what is
    here now, or wanted nowhere, out of the calendars that the user had before. `edited`: the appointments it wrote.
    `touched`: those that it decided on, and that may block other times now; in a `routine` (a listing that nothing
    asked for) only those with any news.
    """

    def __init__(self, run: Run, calendar: Calendar, rules: Rules) -> None:
        self.notes: Notes = notes(())
        self.guard = Guard(run)
        self.doubt = False
        self.more = False
        self.run = run
        self.calendar = calendar
        self.rules = rules
        self._put_off_so_far = 0
        self._parked_stored = run.connection.parked
        self.on_stored: Callable[[Sequence[Operation]], None] = lambda _: None
        self.take_out: Callable[[Sequence[Operation]], Moved] = lambda _: Moved()
        self.edited: set[str] = set()
        self.touched: set[str] = set()
        self.routine = False
        self.unfinished: list[Unfinished] = []
        self.slow_down: Retry | None = None

    def plan(self, items: Iterable[Item]) -> list[Operation]:
        """Decide on each item. One that fails in a way nobody foresaw is left for another try, then parked."""
        operations: list[Operation] = []
        known = self.parked.values()
        for one in recalled(self.run.ports.store, self.rules.studio_id, list(items), known):
            tries = self.notes.tries.get(one.appointment_id, 0)
            if tries >= MANY_TRIES:
                park = Park(Reason.REFUSED_BY_PROVIDER, "", "no answer, again and again")
                operations.append(Operation(item=one, reason=park.reason, parked=park))
                continue
            try:
                operations.append(decide(one, self.rules))
            except Exception as error:  # noqa: BLE001 - one bad item must not stop the others; it is logged and kept
                self._unforeseen(one, error, operations)
        self.touched |= {
            one.item.appointment_id
            for one in operations
            if (one.tells or not self.routine) and (self.run.resumes or may_block_other_times(one, self.rules))
        }
        return operations

    def apply(self, operations: Sequence[Operation], documents: Documents) -> bool:
        """Carry out operations; False if the slice was over before all of them were.

        Raises:
            Stop, Retry: it concerns the whole connection; what is stored so far stands.
        """
        self._meet_again(overtaken(operations, self.run.started_at))
        worth = [operation for operation in operations if operation.tells or self._unparks(operation)]
        worth = [operation for operation in worth if not self._parked_already(operation)]
        worth = self.guard.checked(self._without_doubts(worth))
        for chunk in _chunks([operation for operation in worth if operation.calendar is None], ITEMS_PER_COMMIT):
            if self.run.out_of_time():
                return False
            self._store([(operation, None) for operation in chunk], documents, rounds=ROUNDS)
        for chunk in _chunks([operation for operation in worth if operation.calendar is not None], WRITES_PER_REQUEST):
            if self.run.out_of_time():
                return False
            if self.slow_down is not None:
                self.unfinished += [Unfinished(operation.item, self.slow_down) for operation in chunk]
            else:
                self._write(chunk, documents, rounds=ROUNDS)
        return True

    def _without_doubts(self, operations: Iterable[Operation]) -> list[Operation]:
        """Leave what cannot be decided yet for the next run."""
        clear = []
        for operation in operations:
            if operation.doubt:
                self.doubt = True
                why = Unavailable("an event is not to be found, and that is not verified")
                self.unfinished.append(Unfinished(operation.item, why, failed=True))
            else:
                clear.append(operation)
        return clear

    def put_off(self, known: Mapping[str, OutboxEntry]) -> None:
        """Enter what is unfinished into the outbox, so that a cursor or a page may pass it.

        `known` is what was read of the outbox, by item id: an entry that is there as it should be is not written again.
        Where an event was part of the item, the entry is the event's own: the trigger's entry for the appointment
        would replace it, and with it the only trace of a change that the cursor has passed.
        """
        entries: dict[str, OutboxEntry] = {}
        for left in self.unfinished[self._put_off_so_far :]:
            event_id = None if left.item.event is None else left.item.event.id
            item_id = left.item.appointment_id if event_id is None else f"event:{event_id}"
            before = known.get(item_id)
            if before is not None and not left.failed:
                continue
            entries[item_id] = OutboxEntry(
                appointment_id=left.item.appointment_id,
                event_id=event_id,
                at=left.item.changed_at or self.run.started_at,
                tries=self.notes.tries.get(left.item.appointment_id, 0) + left.failed,
                cause=before.cause if before is not None else "left" if left.item.changed_at is None else "written",
            )
        self._put_off_so_far = len(self.unfinished)
        if entries:
            connection_id = self.run.connection_id
            self.run.ports.store.put_outbox([(connection_id, item_id, entry) for item_id, entry in entries.items()])

    @functools.cached_property
    def parked(self) -> dict[str, Parked]:
        """What is parked, by item id; read only if the connection says there is any."""
        known = self.run.connection.parked
        return dict(self.run.ports.store.parked(self.run.connection_id)) if known else {}

    def forget_parked(self, deleted: Collection[str]) -> None:
        """Parked entries whose event was deleted in the calendar are no longer waiting for anything."""
        gone = tuple(item_id for item_id, parked in self.parked.items() if parked.event_id in deleted)
        if gone:
            left = [doubt for item_id in gone for doubt in self.parked[item_id].doubts]
            for doubt in left:
                self._meet_again(entry_of_appointment(doubt, self.run.started_at))
            self._settle([Step(Settlement(unpark=gone, inbox=withdrawn(left, self.rules.studio_id)))])

    def _meet_again(self, entries: Mapping[str, OutboxEntry]) -> None:
        """Have the next run, which follows at once, look at these."""
        if entries:
            connection_id = self.run.connection_id
            self.run.ports.store.put_outbox([(connection_id, item_id, entry) for item_id, entry in entries.items()])
            self.more = True

    def _write(self, operations: Sequence[Operation], documents: Documents, rounds: int) -> None:
        self.guard.carries_out(operations)
        # What loses a clash exists nowhere else once it is overwritten: it is in the log before that.
        first = [
            Step(Settlement(link=before_writing(operation)), log_entry(operation) if operation.lost else None)
            for operation in operations
            if operation.lost or before_writing(operation) is not None
        ]
        if first:
            self.run.settle(first)
        outcomes = self.calendar.write([operation.calendar for operation in operations if operation.calendar])
        if len(outcomes) > 1:
            if all(isinstance(outcome, Unavailable) for outcome in outcomes):
                raise Unavailable("the calendar took none of a batch")
            if isinstance(outcomes[0], RateLimited) and all(isinstance(outcome, RateLimited) for outcome in outcomes):
                raise outcomes[0]
        done: list[tuple[Operation, Event | None]] = []
        again: list[Operation] = []
        for operation, outcome in zip(operations, outcomes, strict=True):
            match outcome:
                case Event():
                    done.append((operation, outcome))
                case Stale():
                    again.append(operation)
                case Park() if isinstance(operation.calendar, Restore):
                    again.append(operation)
                case Park():
                    done.append((_park(operation, outcome), None))
                case _:
                    self._later(operation, outcome)
        self._store(done, documents, rounds)
        self._decide_afresh(again, rounds)

    def _later(self, operation: Operation, why: SyncError) -> None:
        """Put one off. Only where a time is named to go on at, the others wait as well.

        Anything else is this item's own trouble, refusals too: they were repeated, and others were let through.
        """
        slow_down = isinstance(why, RateLimited) and why.retry_after is not None
        self.unfinished.append(Unfinished(operation.item, why, failed=not slow_down))
        if isinstance(why, RateLimited) and slow_down:
            self.slow_down = why

    def _store(self, done: Sequence[tuple[Operation, Event | None]], documents: Documents, rounds: int) -> None:
        stored: list[Operation] = []
        steps: list[Step] = []
        for operation, event in done:
            try:
                settlement = settlement_of(operation, event, documents, self.rules, self.run, self.parked)
            except Exception as error:  # noqa: BLE001 - as in `plan`
                self._unforeseen(operation.item, error, [])
            else:
                logged = operation.calendar is not None and bool(operation.lost)  # Before the calendar was written.
                stored.append(operation)
                steps.append(Step(settlement, None if logged else log_entry(operation)))
        if not steps:
            return
        self.guard.carries_out(stored)
        self._meet_again(released(stored, self.run.started_at))
        for operation in stored:
            self.run.count(operation.reason.value)
        self.on_stored(stored)
        unstored = self._settle(steps)
        too_large = [_park(stored[place], Park(Reason.INVALID, "", TOO_LARGE)) for place in unstored.refused]
        self._settle([Step(settlement_of(op, None, documents, self.rules, self.run, self.parked)) for op in too_large])
        done_with = [op for place, op in enumerate(stored) if place not in unstored.stale | unstored.refused]
        self.edited |= {op.item.appointment_id for op in done_with if op.studio is not None}
        self.touched |= {op.studio.appointment_id for op in done_with if isinstance(op.studio, LetGo)}
        again = [op for place, op in enumerate(stored) if op.more or place in unstored.stale]
        again += self._moved([op for op in done_with if op.moves])
        self._decide_afresh([op for op in again if op.parked is None], rounds)

    def _moved(self, operations: Sequence[Operation]) -> list[Operation]:
        """Take what was stored out of earlier calendars; gives those that a person's edit came from there for."""
        if not operations:
            return []
        moved = self.take_out(operations)
        self.unfinished += moved.unfinished
        self.slow_down = self.slow_down or moved.slow_down
        return [
            msgspec.structs.replace(op, item=msgspec.structs.replace(op.item, earlier=()))
            for op in operations
            if op.item.appointment_id in moved.edited
        ]

    def _settle(self, steps: Sequence[Step]) -> Unstored:
        """Store, and keep the connection's count of what is parked with it."""
        if not steps:
            return Unstored()
        expected = _parked_after(self.parked, steps)
        if len(expected) != self._parked_stored:
            self.run.note(parked=len(expected))
        unstored = self.run.settle(steps)
        missing = unstored.stale | unstored.refused
        self.parked = _parked_after(self.parked, [step for place, step in enumerate(steps) if place not in missing])
        if len(self.parked) != len(expected):
            self.run.note(parked=len(self.parked))
        self._parked_stored = len(self.parked)
        return unstored

    def _decide_afresh(self, operations: Sequence[Operation], rounds: int) -> None:
        """Read what the operations were about again, from both sides, and decide and apply once more."""
        if not operations:
            return
        if rounds <= 1:
            self.unfinished += [Unfinished(op.item, Stale("it kept changing under our hands")) for op in operations]
            return
        store, run = self.run.ports.store, self.run
        ids = [operation.item.appointment_id for operation in operations]
        links = store.links(run.connection_id, ids)
        documents = store.appointments(run.connection.studio_id, ids)
        event_ids: dict[str, str | None] = {
            operation.item.appointment_id: _event_id(operation, links) for operation in operations
        }
        asked = [event_id for event_id in event_ids.values() if event_id is not None]
        found = self.calendar.get(asked) if asked else []
        found = self._by_their_slots(operations, event_ids, found)
        events = {event.id: self.notes.of(event, two_way=self.rules.two_way) for event in found}
        operations = self._without_unproven(operations, {event.id for event in found if event.missing})
        series_ids = sorted({op.item.series_id for op in operations if op.item.series_id})
        known_here = known_series(store, run.connection.studio_id, run.connection_id, series_ids)
        items = []
        burnt = 0
        taken = self._taken(operations)
        for operation in operations:
            appointment_id = operation.item.appointment_id
            event = events.get(event_ids[appointment_id] or "")
            generation = operation.item.next_generation
            used_up = event is not None and (event.deleted or event.missing or event.id in taken)
            if isinstance(operation.calendar, Insert) and used_up:
                # Its id is burnt: never usable again in this calendar, also when the calendar has forgotten the deleted
                # event. What was known of the pair still holds.
                event, generation = operation.item.event, _generation(operation) + 1
                burnt += 1
            fresh = item(
                run.connection_id,
                appointment_id,
                documents.get(appointment_id),
                links.get(appointment_id),
                event,
                operation.item.changed_at,
                generation,
                zone=self.rules.time_zone,
                place=(operation.item.series_id, operation.item.slot) if operation.item.series_id else None,
                known=known_here,
            )
            known = operation.item
            unrestored = isinstance(operation.calendar, Restore) and (
                fresh.event is None or fresh.event.content is None
            )
            items.append(
                msgspec.structs.replace(
                    fresh,
                    verdict=known.verdict,
                    unread=known.unread,
                    earlier=known.earlier,
                    withdrawn=known.withdrawn,
                    beyond_restoring=known.beyond_restoring or unrestored,
                )
            )
        # A burnt id is progress, as the next one is another: only other surprises count.
        rounds += 1 if burnt == len(operations) else 0
        afresh = self._without_doubts(operation for operation in self.plan(items) if operation.tells)
        afresh = self.guard.checked(afresh)
        self._store([(operation, None) for operation in afresh if operation.calendar is None], documents, rounds - 1)
        outward = [operation for operation in afresh if operation.calendar is not None]
        for chunk in _chunks(outward, WRITES_PER_REQUEST):
            self._write(chunk, documents, rounds - 1)

    def _taken(self, operations: Sequence[Operation]) -> set[str]:
        """Ids of events that an occurrence was to be entered as, and that left it with an appointment of their own when
        it was let go by its series once.
        """
        ids = {op.calendar.event_id: op.item for op in operations if isinstance(op.calendar, Insert) and op.item.slot}
        found = self.run.ports.store.links_of_events(self.run.connection_id, sorted(ids)) if ids else {}
        return {one for one, link in found.items() if link.appointment_id != ids[one].appointment_id}

    def _by_their_slots(
        self, operations: Sequence[Operation], event_ids: dict[str, str | None], found: Sequence[Event]
    ) -> list[Event]:
        """The events, where those that are not found under the id that an instance usually has are asked for by their
        slots: how the calendar makes up the ids of instances is its own affair. `event_ids` is brought up to date.
        """
        missing = {event.id for event in found if event.missing}
        ties = {
            one.appointment_id: link
            for one in (operation.item for operation in operations)
            if (link := None if one.series is None else one.series.link) is not None and link.paired
            if event_ids[one.appointment_id] in missing
        }
        if not ties:
            return list(found)
        slots = {operation.item.appointment_id: operation.item.slot for operation in operations}
        there = self.calendar.instances([(link.event_id, slots[one]) for one, link in ties.items()])
        dropped = {event_ids[one] for one in ties}
        event_ids |= {one: event.id for one, event in zip(ties, there, strict=True)}
        return [event for event in found if event.id not in dropped] + there

    def _without_unproven(self, operations: Sequence[Operation], missing: Collection[str]) -> list[Operation]:
        """Leave what may be back: only a listing that did not have it, and a 404, say that the event is gone.

        Entered anew at once, it would stand twice if it shows again. So it is asked for some times more.
        """
        unproven = [
            op
            for op in operations
            if isinstance(op.calendar, Restore) and op.calendar.event_id in missing and self.rules.two_way
            if op.item.link is not None and op.item.link.state == "paired" and op.item.link.held is None
            if self.notes.tries.get(op.item.appointment_id, 0) < ASKED_ENOUGH
        ]
        why = Unavailable("an event is not to be found, and nothing says that it was deleted")
        self.unfinished += [Unfinished(op.item, why, failed=True) for op in unproven]
        return [op for op in operations if op not in unproven]

    def _parked_already(self, operation: Operation) -> bool:
        """Whether it is parked as it is: a listing meets it again and again."""
        park, known = operation.parked, self.parked.get(operation.item.appointment_id)
        return park is not None and known is not None and known.tells(park) and not operation.item.asks

    def _unparks(self, operation: Operation) -> bool:
        one = operation.item
        return operation.parked is None and (one.appointment_id in self.parked or bool(one.doubts))

    def _unforeseen(self, one: Item, error: Exception, operations: list[Operation]) -> None:
        extra = {"connection": self.run.connection_id, "run": self.run.id, "item": one.appointment_id}
        # The error's text may quote what the item holds, so only its type and place are logged.
        log.error("item failed unexpectedly: %s", type(error).__name__, extra={**extra, "where": _place(error)})
        if self.notes.tries.get(one.appointment_id, 0) + 1 >= TRIES:
            park = Park(Reason.UNEXPECTED, "", type(error).__name__)
            operations.append(Operation(item=one, reason=Reason.UNEXPECTED, parked=park))
        else:
            self.unfinished.append(Unfinished(one, error, failed=True))


def _event_id(operation: Operation, links: Mapping[str, Any]) -> str | None:
    if operation.calendar is not None:
        return operation.calendar.event_id
    if operation.item.event is not None:
        return operation.item.event.id
    link = links.get(operation.item.appointment_id)
    return None if link is None else str(link.event_id)


def _generation(operation: Operation) -> int:
    return operation.link.generation if operation.link is not None else operation.item.next_generation


def _park(operation: Operation, park: Park) -> Operation:
    return Operation(item=operation.item, reason=park.reason, parked=park)


def _parked_after(parked: Mapping[str, Parked], steps: Iterable[Step]) -> dict[str, Parked]:
    after = dict(parked)
    for step in steps:
        for item_id in step.settlement.unpark:
            after.pop(item_id, None)
        if step.settlement.park is not None:
            item_id, parked_item = step.settlement.park
            after[item_id] = parked_item
    return after


def _place(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"


def _chunks(items: Sequence[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
