"""A listing in full: the first sync, a populate, or a lost cursor. Everything on both sides, in slices.

First the calendar, page by page: what is linked is compared, what stands on both sides is paired, and what is in
scope enters the studio. Then what the studio has and the calendar does not: by then every event has been seen, so
nothing enters the calendar that stands there already.

A slice that is over leaves its place in the connection's `populate`. The place is a page that is not done, so what a
slice did not finish is met again, and what it finished is linked and no work.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from shared.domain.appointment import Appointment, read_appointment
from shared.domain.connection import OutboxEntry, Populate
from shared.domain.doubt import Suspect
from shared.domain.errors import CursorExpired, Park, Unavailable
from shared.domain.event import Event
from shared.domain.link import Link
from shared.domain.operation import Item, Operation
from shared.ports import Calendar, Document, EventPage, Stored
from shared.services.apply import Applier
from shared.services.doubts import in_doubt
from shared.services.gather import (
    Gathered,
    colleagues_pairs,
    events_by_appointment,
    item,
    matched,
    with_notes,
    with_their_series,
)
from shared.services.occurrences import carry_out
from shared.services.run import Run

Documents = Mapping[str, Stored[Document]]


class Listing:
    """One slice of a listing. `populate` is how far it has come; `more`: it left something for a run right after.

    `on_planned` is told what was decided before that is applied, `on_stored` what was stored, and `on_doubt` what may
    stand on both sides.
    """

    def __init__(self, run: Run, calendar: Calendar, applier: Applier, populate: Populate) -> None:
        self.run = run
        self.calendar = calendar
        self.applier = applier
        self.populate = populate
        self.window_from = applier.rules.window_from
        self.more = False
        self.on_planned: Callable[[Sequence[Operation]], None] = lambda _: None
        self.on_stored: Callable[[Sequence[Operation]], None] = lambda _: None
        self.on_doubt: Callable[[Sequence[Suspect]], None] = lambda _: None
        self._zone = applier.rules.time_zone
        self._store = run.ports.store
        self._studio_id = run.connection.studio_id

    def carry_out(self, entries: Mapping[str, OutboxEntry]) -> bool:
        """Go on where the last slice stopped; False if there is more to do in another slice."""
        self.applier.on_stored = self._count
        self.run.note(**{"from": self.window_from})
        window = self._store.appointments_of_user(self._studio_id, self.run.connection.user_id, self.window_from)
        links = self._store.all_links(self.run.connection_id)
        seen: set[str] = set()
        while not self.populate.listed:
            if self.run.out_of_time():
                return False
            page = self._next_page()
            if not self._settle_page(page.events, window, links, seen):
                return False
            self.run.learn_zone(page.time_zone)
            self.applier.put_off(entries)
            if page.next_page is None:
                self._look_for_missing(links, seen)
            self._move_on(page)
        return self._settle_studio(window, links, seen)

    def _next_page(self) -> EventPage:
        try:
            return self.calendar.listing(self.window_from, self.populate.page_token)
        except CursorExpired:
            if self.populate.page_token is None:
                raise Unavailable("the calendar refuses to be listed from its first page") from None
            self._set(page_token=None)
            return self._next_page()

    def _move_on(self, page: EventPage) -> None:
        """Remember the place. The sync token holds from the start of the listing on, so it is good to keep now:
        no run reads changes with it before the listing is through.
        """
        self._set(page_token=page.next_page, listed=page.next_page is None)
        if page.cursor is not None and self.applier.rules.two_way:
            self.run.note(**{"cursors.calendar": page.cursor})
        self.run.settle([])

    def _settle_page(
        self, events: Sequence[Event], window: Documents, links: Mapping[str, Link], seen: set[str]
    ) -> bool:
        known = self.applier.notes
        by_event = {link.event_id: link for link in links.values()}
        events = with_their_series(self._store, self.calendar, self.run.connection_id, events)
        instances = tuple(event for event in events if event.series_event)
        events = [event for event in events if not event.series_event]
        fresh = [event for event in events if event.id not in by_event and event.id not in known.pairs]
        colleagues = colleagues_pairs(self._store, self._studio_id, fresh)
        unpaired = [e for e in fresh if e.id not in colleagues and e.appointment_id is None and e.content is not None]
        candidates = _unpaired(window, links, events, seen.union(known.pairs.values()), self._zone)
        found = matched(self._store, self._studio_id, candidates, unpaired)
        pairs = {**colleagues, **known.pairs, **found.pairs}
        event_of = events_by_appointment(events, by_event, pairs, self._studio_id)
        ours = links.keys() | set(known.pairs.values()) | set(colleagues.values())
        documents = self._with(window, [one for one, event in event_of.items() if one in ours or event.appointment_id])
        items = self._items(event_of, documents, links, event_of)
        if found.doubtful:
            here = self._items(dict.fromkeys(one for _, one in found.doubtful), documents, links, {})
            items, suspects = in_doubt(self._store, found.doubtful, here, items, self.applier.rules)
            self.on_doubt(suspects)
        return self._settle(items, documents, seen, instances=instances, expected=len(window))

    def _settle_studio(self, window: Documents, links: Mapping[str, Link], seen: set[str]) -> bool:
        """What the listing did not meet: appointments without an event, edits whose trigger was lost, the outbox, and
        pairs whose appointment is not this user's any more.
        """
        event_of = self._left_events()
        pairs = [one for one, link in links.items() if link.paired and _ends_after(link, self.window_from)]
        wanted = [*window, *self.applier.notes.changed_at, *event_of, *pairs]
        wanted = [one for one in dict.fromkeys(wanted) if one not in seen]
        documents = self._with(window, wanted)
        return self._settle(self._items(wanted, documents, links, event_of), documents, seen)

    def _items(
        self,
        appointment_ids: Iterable[str],
        documents: Documents,
        links: Mapping[str, Link],
        event_of: Mapping[str, Event],
    ) -> list[Item]:
        known = self.applier.notes
        items = [
            item(
                self.run.connection_id,
                one,
                documents.get(one),
                links.get(one),
                event_of.get(one),
                known.changed_at.get(one),
                zone=self._zone,
            )
            for one in appointment_ids
        ]
        items = with_notes(self._store, self.run.connection, items, known)
        return [msgspec.structs.replace(one, unread=one.unread or self.populate.baseline) for one in items]

    def _left_events(self) -> dict[str, Event]:
        """Events that an earlier run left, by appointment; read one by one."""
        known, two_way = self.applier.notes, self.applier.rules.two_way
        events = self.calendar.get(list(known.pairs)) if known.pairs else []
        return {known.pairs[event.id]: known.of(event, two_way=two_way) for event in events}

    def _look_for_missing(self, links: Mapping[str, Link], seen: set[str]) -> None:
        """Enter what is paired but was not listed into the outbox: the next run reads it by its id.

        That an event is missing proves nothing by itself: a page may have been short. In a first sync nothing was
        paired before. Of a listing in slices only the last one's pages are known here: what stood in an earlier one is
        found by its id as well. Nothing is decided on these items before.
        """
        if self.run.connection.synced_at is None:
            return
        missing = [
            (
                self.run.connection_id,
                f"event:{link.event_id}",
                OutboxEntry(
                    appointment_id=appointment_id,
                    event_id=link.event_id,
                    at=self.run.started_at,
                    cause="unread" if self.populate.baseline else "missing",
                ),
            )
            for appointment_id, link in links.items()
            if link.state in {"paired", "leaving"} and appointment_id not in seen
            if _ends_after(link, self.window_from)
        ]
        if missing:
            self._store.put_outbox(missing)
            self.more = True
            seen.update(entry.appointment_id for _, _, entry in missing if entry.appointment_id is not None)

    def _settle(
        self,
        items: Sequence[Item],
        documents: Documents,
        seen: set[str],
        *,
        instances: tuple[Event, ...] = (),
        expected: int = 0,
    ) -> bool:
        """Decide and apply, and note what was `seen`. `expected`: how many more items are known to follow (for the
        progress shown).
        """
        gathered = Gathered(
            tuple(one for one in items if not one.series_id),
            documents,
            occurrences=tuple(one for one in items if one.series_id),
            instances=instances,
            listed=True,
            unread=self.populate.baseline,
        )
        self._set(total=max(self.populate.total, self.populate.done + len(items) + expected))
        carried = carry_out(self.applier, gathered, planned=self._note_idle)
        seen.update(carried.met)
        return carried.complete and self.applier.slow_down is None

    def _note_idle(self, operations: Sequence[Operation]) -> None:
        """What needs no write is done as soon as it is decided."""
        self.on_planned(operations)
        self._set(done=self.populate.done + sum(not operation.writes for operation in operations))

    def _with(self, window: Documents, appointment_ids: Sequence[str]) -> Documents:
        outside = [one for one in appointment_ids if one not in window]
        return {**window, **self._store.appointments(self._studio_id, outside)} if outside else window

    def _count(self, stored: Sequence[Operation]) -> None:
        self.on_stored(stored)
        self._set(done=self.populate.done + len(stored))

    def _set(self, **changes: Any) -> None:
        self.populate = msgspec.structs.replace(self.populate, **changes)
        self.run.note(populate=msgspec.to_builtins(self.populate, builtin_types=(dt.datetime,)))


def _ends_after(link: Link, at: dt.datetime) -> bool:
    return link.ends_at is not None and link.ends_at > at


def _unpaired(
    window: Documents, links: Mapping[str, Link], events: Sequence[Event], seen: set[str], zone: str
) -> dict[str, Appointment]:
    """Appointments of this user that no event stands for yet, by id; an occurrence is found with its series."""
    claimed = {event.appointment_id for event in events} | seen
    result = {}
    for appointment_id, stored in window.items():
        link = links.get(appointment_id)
        if (link is not None and link.paired) or appointment_id in claimed:
            continue
        try:
            appointment = read_appointment(stored.value, zone)
        except Park:
            continue  # It is parked, with its reason, when its own turn comes.
        if not (appointment.cancelled or appointment.series_id):
            result[appointment_id] = appointment
    return result
