"""Series first, then their occurrences: what an occurrence is, is told by its series as this run has left it.

    series and single entries ──> occurrences ──> series that are taken out of the calendar

Three reasons for that order: an instance can be changed only where its series stands; what nobody has changed of an
occurrence is as its series has it now; and what a person did to an occurrence is saved before its series goes.

Whenever a run meets a series, it looks at all of its occurrences that are not as the series has them, on both sides:
so a run that dies between the two is followed by one that finds them again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from shared.domain import identity
from shared.domain.errors import Park, Unavailable
from shared.domain.event import Event, Insert, Patch, instance_id
from shared.domain.link import Link
from shared.domain.occurrence import implied, is_mine
from shared.domain.operation import Item, Operation
from shared.services.apply import Applier, Unfinished
from shared.services.gather import (
    Documents,
    Gathered,
    Known,
    colleagues_pairs,
    events_by_appointment,
    item,
    known_series,
    with_notes,
)
from shared.services.rekeying import moves

# Two writes each, and Firestore takes 10 MiB at once.
STEPS_PER_COMMIT = 100


class Carried(msgspec.Struct, frozen=True):
    """Whether all was done within the slice, what was decided, and the ids of the appointments that this met."""

    complete: bool
    operations: tuple[Operation, ...]
    met: frozenset[str]


def carry_out(
    applier: Applier, gathered: Gathered, planned: Callable[[Sequence[Operation]], None] = lambda _: None
) -> Carried:
    """Decide on what was gathered and apply it, in the order of the page above; `planned` is told what was
    decided before that is applied. Raises what `Applier.apply` does.
    """
    operations = applier.plan(gathered.items)
    planned(operations)
    met = {one.appointment_id for one in gathered.items}
    series = [one for one in gathered.items if one.repeats]
    if not (series or gathered.occurrences or gathered.instances):
        return Carried(applier.apply(operations, gathered.documents), tuple(operations), frozenset(met))
    parked = frozenset(applier.parked)
    last = [one for one in operations if one.ends_series]
    # Of a series that was split in two, the first is cut off before the other is entered: never do both have a day. The
    # parts of one batch come in any order.
    entering = [one for one in operations if isinstance(one.calendar, Insert)]
    first = [one for one in operations if not (one.ends_series or isinstance(one.calendar, Insert))]
    complete = applier.apply(first, gathered.documents) and applier.apply(entering, gathered.documents)
    if complete:
        occurrences, documents = _Unfolding(applier, gathered, operations, parked).occurrences(series)
        met |= {one.appointment_id for one in occurrences}
        decided = applier.plan(occurrences)
        planned(decided)
        # Cancelled before its series entered, an occurrence never was on both sides: nothing is taken away.
        entered = {one.item.appointment_id for one in _entered(operations)}
        applier.guard.let_through(one.item.appointment_id for one in decided if one.item.series_id in entered)
        operations = [*operations, *decided]
        complete = applier.apply(decided, documents) and applier.apply(last, gathered.documents)
    return Carried(complete, tuple(operations), frozenset(met))


def _entered(operations: Sequence[Operation]) -> list[Operation]:
    """Those that have made a pair of what was none."""
    return [
        op
        for op in operations
        if op.link is not None and op.link.paired and not (op.item.link is not None and op.item.link.paired)
    ]


class _Unfolding:
    """Finds the occurrences that a run has to look at, once their series are settled."""

    def __init__(
        self, applier: Applier, gathered: Gathered, operations: Sequence[Operation], parked: Collection[str]
    ) -> None:
        self._applier = applier
        self._gathered = gathered
        self._run = applier.run
        self._store = applier.run.ports.store
        self._zone = applier.rules.time_zone
        self._written = frozenset(op.item.appointment_id for op in operations if isinstance(op.calendar, Patch))
        self._well = frozenset(
            op.item.appointment_id for op in operations if op.item.appointment_id in parked and op.parked is None
        )
        # Nothing tells what became meanwhile of the occurrences of a series that nobody could follow, either.
        self._moved = self._well | {op.item.appointment_id for op in operations if _moves_series(op)}
        self._misfits = {op.item.appointment_id: op.parked for op in operations if op.parked is not None}
        self._instances = [*self._as_they_are_now(operations), *self._of_series_just_entered(operations)]

    def occurrences(self, series: Sequence[Item]) -> tuple[list[Item], Documents]:
        """The items to decide on, and their documents: those that were named, those whose instance was, and all of the
        series that were met.
        """
        store, connection_id = self._store, self._run.connection_id
        whole = sorted(one.appointment_id for one in series)
        tied = self._tied()
        event_of = dict(self._places(tied))
        named = {one.appointment_id: one for one in self._gathered.occurrences}
        places = {identity.occurrence(*place): place for place in event_of}
        series_ids = {*whole, *(one.series_id for one in named.values()), *(place[0] for place in event_of)}
        known = self._known(sorted(series_ids))
        documents = dict(self._made_anew(whole, known))
        links = store.links_of_series(connection_id, whole) if whole else {}
        # A tombstone without a document: the series may be back, and in the calendar its instance with it.
        links = {one: link for one, link in links.items() if link.paired or one not in documents}
        wanted = list(dict.fromkeys([*named, *places, *documents, *links]))
        documents |= store.appointments(self._run.connection.studio_id, [one for one in wanted if one not in documents])
        links |= store.links(connection_id, [one for one in wanted if one not in links])
        items = [
            item(
                connection_id,
                one,
                documents.get(one),
                links.get(one),
                event_of[places[one]] if one in places else None if one not in named else named[one].event,
                None if one not in named else named[one].changed_at,
                zone=self._zone,
                place=places.get(one),
                known=known,
            )
            for one in wanted
        ]
        items = self._with_what_became_of(items)
        strays, of_strays = self._strays(tied)
        said = {one.appointment_id: one.changed_at for one in named.values()}
        strays = [
            msgspec.structs.replace(one, changed_at=said.get(one.appointment_id, one.changed_at)) for one in strays
        ]
        asked = {one.appointment_id for one in strays}
        items = [*(one for one in items if one.appointment_id not in asked), *strays]
        items = with_notes(store, self._run.connection, items, self._applier.notes)
        if self._gathered.unread:
            items = [msgspec.structs.replace(one, unread=True) for one in items]
        return self._without_unsettled(items), {**documents, **of_strays}

    def _known(self, series_ids: Sequence[str]) -> dict[str, Known]:
        """Series by their ids. Where a series is parked for what the calendar has of it, its occurrences wait, too."""
        found = known_series(self._store, self._run.connection.studio_id, self._run.connection_id, series_ids)
        parked = self._applier.parked
        for series_id, known in found.items():
            misfit = self._misfits.get(series_id)
            if misfit is None and series_id in parked:
                why = parked[series_id]
                misfit = Park(why.reason, why.field, why.detail)
            if misfit is not None:
                found[series_id] = msgspec.structs.replace(known, misfit=misfit)
        return found

    def _as_they_are_now(self, operations: Sequence[Operation]) -> list[Event]:
        """The instances that the calendar told of. Where this run has given their series other times since, one that
        was told to be deleted may be back: it went with a shorter series, and that is longer again. One of a
        slot that nothing is known of, as a run that died has moved the series there, is another one by now. And one
        that is told as it is known here is no news, but may be another one as well: that is found out with the rest.
        """
        told = {event.id: event for event in self._gathered.instances}
        reshaped = {
            op.calendar.event_id: op.link
            for op in operations
            if isinstance(op.calendar, Patch) and "when" in op.calendar.units and op.link is not None
        }
        again = sorted(
            event.id
            for event in told.values()
            if event.series_event in reshaped and (event.deleted or not _had(reshaped[event.series_event], event))
        )
        found = self._applier.calendar.get(again) if again else []
        gone = {event.id for event in found if event.missing}
        told |= {event.id: event for event in found if not event.missing}
        gone |= self._no_news([event for event in told.values() if event.series_event in reshaped])
        return [event for event in told.values() if event.deleted or event.id not in gone]

    def _no_news(self, instances: Sequence[Event]) -> set[str]:
        """The ids of those that are as they were agreed."""
        contents = {event.id: event.content for event in instances if event.content is not None}
        known = self._store.links_of_events(self._run.connection_id, sorted(contents)) if contents else {}
        agreed = {event_id: link.calendar for event_id, link in known.items() if link.paired}
        return {
            one
            for one, content in contents.items()
            if (was := agreed.get(one)) is not None and not content.differs(was)
        }

    def _of_series_just_entered(self, operations: Sequence[Operation]) -> list[Event]:
        """Instances of series that came from the calendar by themselves, or are well again: what was done to them
        before nobody told, or nobody could follow.
        """
        well = [op for op in operations if op.item.appointment_id in self._well]
        entered = [
            op.item.event
            for op in (*_entered(operations), *well)
            if op.item.event is not None and op.item.event.content is not None and op.item.event.content.when.repeats
        ]
        if self._gathered.listed or not entered:
            return []
        told = {event.id for event in self._gathered.instances}
        return [event for event in self._applier.calendar.exceptions(entered) if event.id not in told]

    def _tied(self) -> Mapping[str, Link]:
        """The links of the series that the instances belong to, by the event id of the series."""
        event_ids = sorted({event.series_event for event in self._instances})
        return self._store.links_of_events(self._run.connection_id, event_ids) if event_ids else {}

    def _places(self, tied: Mapping[str, Link]) -> Iterator[tuple[tuple[str, str], Event]]:
        """Series (appointment id) and slot of each instance; where two claim the same, the living one comes last."""
        for event in sorted(self._instances, key=lambda one: not one.deleted):
            if event.series_event in tied:
                yield (tied[event.series_event].appointment_id, event.original_start), event

    def _made_anew(self, whole: Sequence[str], known: Mapping[str, Known]) -> Documents:
        """The documents of all occurrences of these series. Where a series was moved, they are re-keyed first."""
        studio_id = self._run.connection.studio_id
        documents = self._store.occurrences(studio_id, whole) if whole else {}
        steps = [
            step
            for series_id in whole
            for step in moves(
                self._run,
                series_id,
                known[series_id],
                documents,
                zone=self._zone,
                told=self._applier.notes.formers.get(series_id, ()),
            )
        ]
        if not steps:
            return documents
        for start in range(0, len(steps), STEPS_PER_COMMIT):
            # What has changed meanwhile is met again: its own trigger tells.
            self._run.settle(steps[start : start + STEPS_PER_COMMIT])
        return self._store.occurrences(studio_id, whole)

    def _with_what_became_of(self, items: Sequence[Item]) -> list[Item]:
        """The items; those whose series was written to, or has no slot for them, with their events as they are now.

        No listing and no change need tell what the calendar has made of them.
        """
        asked = {one.appointment_id: one.link.event_id for one in items if one.link is not None and self._unsure(one)}
        if not asked:
            return list(items)
        carried = {one.appointment_id: _carried_to(one) for one in items if one.series_id in self._moved}
        event_ids = sorted({*asked.values(), *filter(None, carried.values())})
        found = {event.id: event for event in self._applier.calendar.get(event_ids)}
        return [
            _become(one, found[asked[one.appointment_id]], found.get(carried.get(one.appointment_id) or ""))
            if one.appointment_id in asked
            else one
            for one in items
        ]

    def _unsure(self, one: Item) -> bool:
        """Whether an instance that was changed before may be another one by now, though nothing told so."""
        link, series = one.link, one.series
        if one.event is not None or link is None or not link.series_event or series is None:
            return False
        if series.link is None or not series.link.paired or not is_mine(series.appointment, self._applier.rules):
            return False
        if not link.paired:
            # Not in the calendar when it was looked at last; with a series that was moved back it may be there again.
            wanted = one.appointment is None or not one.appointment.cancelled
            return wanted and series.regular is not None and link.series_event == series.link.event_id
        return series.regular is None or one.series_id in self._written | self._moved

    def _strays(self, tied: Mapping[str, Link]) -> tuple[list[Item], Documents]:
        """Instances of a series that is not in this calendar: a guest who was asked to one occurrence has only that.

        It is a single event here. Where the series is a colleague's, the guest joins that occurrence of it.
        """
        present = {one.event.id for one in self._gathered.items if one.event is not None and not one.event.deleted}
        strays = [one for one in self._instances if one.series_event not in tied and one.series_event not in present]
        if not strays:
            return [], {}
        connection_id, studio_id = self._run.connection_id, self._run.connection.studio_id
        by_event = self._store.links_of_events(connection_id, [event.id for event in strays])
        places = {link.appointment_id: (link.series_id, link.slot) for link in by_event.values() if link.series_id}
        unknown = [event for event in strays if event.id not in by_event]
        theirs = self._colleagues_occurrences(unknown)
        asked = {event.id: identity.occurrence(*place) for event, place in theirs}
        places |= {identity.occurrence(*place): place for _, place in theirs}
        singles = [msgspec.structs.replace(event, series_event="") for event in strays]
        event_of = events_by_appointment(singles, by_event, {**asked, **self._applier.notes.pairs}, studio_id)
        documents = self._store.appointments(studio_id, list(event_of)) if event_of else {}
        links = self._store.links(connection_id, list(event_of)) if event_of else {}
        known = self._known(sorted({series_id for series_id, _ in places.values()}))
        items = [
            _as_its_series_has_it(
                item(
                    connection_id,
                    one,
                    documents.get(one),
                    links.get(one),
                    event,
                    zone=self._zone,
                    place=places.get(one),
                    known=known,
                )
            )
            for one, event in event_of.items()
        ]
        return items, documents

    def _colleagues_occurrences(self, events: Sequence[Event]) -> list[tuple[Event, tuple[str, str]]]:
        """Those that are instances of a series that the studio keeps in the host's own calendar, each with the series
        (appointment id) and the slot.
        """
        series = [msgspec.structs.replace(event, id=event.series_event) for event in events]
        pairs = colleagues_pairs(self._store, self._run.connection.studio_id, series)
        return [(one, (pairs[one.series_event], one.original_start)) for one in events if one.series_event in pairs]

    def _without_unsettled(self, items: Sequence[Item]) -> list[Item]:
        """Leave the occurrences of a series that is to be looked at again: they are looked at with it."""
        unsettled = {one.item.appointment_id for one in self._applier.unfinished}
        left = [one for one in items if one.series_id in unsettled]
        why = Unavailable("its series is not settled")
        self._applier.unfinished += [Unfinished(one, why) for one in left]
        return [one for one in items if one.series_id not in unsettled]


def _as_its_series_has_it(one: Item) -> Item:
    """A guest's item; where nobody has changed its occurrence yet, with what its series has of it."""
    if one.appointment is not None or one.misfit is not None or one.series is None or one.link is not None:
        return one
    return msgspec.structs.replace(one, appointment=one.series.regular)


def _moves_series(operation: Operation) -> bool:
    """Whether it gives a series other times, on either side."""
    before, after = operation.item.link, operation.link
    if before is None or after is None or before.studio is None or after.studio is None:
        return False
    return before.studio.when.repeats and before.studio.when.shown() != after.studio.when.shown()


def _had(series: Link, instance: Event) -> bool:
    """Whether the series has a slot for the instance, or had one as far as is known."""
    slot = instance.original_start
    return series.former_with(slot) is not None or (series.studio is not None and series.studio.when.has(slot))


def _carried_to(one: Item) -> str | None:
    """The instance that a calendar would have carried a changed one to, with a series that was moved."""
    series = None if one.series is None else one.series.link
    if series is None or series.calendar is None or one.link is None or not series.formers:
        return None
    former = series.former_with(one.slot) or series.formers[0]
    slot = former.shifted(one.slot, series.calendar.when)
    return None if slot in {None, one.slot} else instance_id(series.event_id, str(slot))


def _become(one: Item, event: Event, carried: Event | None) -> Item:
    """An item with its event as it is now; `carried`: the instance of the slot that its series' move leads to."""
    if event.original_start not in {"", one.slot}:
        # Moved along with its series by the calendar itself, it is another occurrence now.
        return msgspec.structs.replace(one, event=Event(id=event.id))
    link, tied = one.link, None if one.series is None else one.series.link
    usual = None if tied is None else implied(tied, one.appointment_id, one.slot)
    if usual is None or usual.calendar is None or link is None or link.calendar is None or event.content is None:
        return msgspec.structs.replace(one, event=event)
    was_changed = bool(link.calendar.differs(usual.calendar))
    taken_along = carried is not None and carried.content is not None and not carried.content.differs(link.calendar)
    if was_changed and not event.content.differs(usual.calendar) and not taken_along:
        # Nobody did that but the move of its series: what the studio has of it goes there again.
        link = None
    return msgspec.structs.replace(one, event=event, link=link)
