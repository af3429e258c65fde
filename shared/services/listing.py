"""A listing in full: the first sync, a populate, or a lost cursor. Everything on both sides, in slices.

First the calendar, page by page: what is linked is compared, what stands on both sides is paired, and what is in
scope enters the studio. Then what the studio has and the calendar does not: by then every event has been seen, so
nothing enters the calendar that stands there already.

A slice that is over leaves its place in the connection's `populate`. The place is a page that is not done, so what a
slice did not finish is met again, and what it finished is linked and no work.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from shared.domain.appointment import Appointment, read_appointment
from shared.domain.connection import OutboxEntry, Populate
from shared.domain.errors import CursorExpired, Park, Unavailable
from shared.domain.event import Event
from shared.domain.link import Link
from shared.domain.operation import Item
from shared.ports import Calendar, Document, EventPage, Stored
from shared.services.apply import Applier
from shared.services.gather import events_by_appointment, item, left_pairs, matched
from shared.services.run import Run

Documents = Mapping[str, Stored[Document]]


class Listing:
    """One slice of a listing. `populate` is how far it has come; `more`: it left something for a run right after."""

    def __init__(
        self, run: Run, calendar: Calendar, applier: Applier, populate: Populate, window_from: dt.datetime
    ) -> None:
        self.run = run
        self.calendar = calendar
        self.applier = applier
        self.populate = populate
        self.window_from = window_from
        self.more = False
        # Whether this slice sees the listing from its first page on.
        self._whole = populate.page_token is None and not populate.listed
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
            if not self._settle_page(page.events, window, links, entries, seen):
                return False
            self.run.learn_zone(page.time_zone)
            self.applier.put_off(entries)
            if page.next_page is None:
                self._look_for_missing(links, seen)
            self._move_on(page)
        return self._settle_studio(window, links, entries, seen)

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
        if page.cursor is not None:
            self.run.note(**{"cursors.calendar": page.cursor})
        self.run.settle([])

    def _settle_page(
        self,
        events: Sequence[Event],
        window: Documents,
        links: Mapping[str, Link],
        entries: Mapping[str, OutboxEntry],
        seen: set[str],
    ) -> bool:
        changed_at, left = _changed_at(entries), left_pairs(entries.values())
        by_event = {link.event_id: link for link in links.values()}
        paired = by_event.keys() | left.keys()
        unpaired = [e for e in events if e.id not in paired and e.appointment_id is None and e.content is not None]
        candidates = _unpaired(window, links, events, seen.union(left.values()))
        pairs = left | matched(self._store, self._studio_id, candidates, unpaired)
        event_of = events_by_appointment(events, by_event, pairs, self._studio_id)
        known = links.keys() | set(left.values())
        documents = self._with(window, [one for one, event in event_of.items() if one in known or event.appointment_id])
        items = [
            item(
                self.run.connection_id,
                appointment_id,
                documents.get(appointment_id),
                links.get(appointment_id),
                event,
                changed_at.get(appointment_id),
            )
            for appointment_id, event in event_of.items()
        ]
        seen.update(event_of)
        return self._settle(items, documents, expected=len(window))

    def _settle_studio(
        self,
        window: Documents,
        links: Mapping[str, Link],
        entries: Mapping[str, OutboxEntry],
        seen: set[str],
    ) -> bool:
        """What the listing did not meet: appointments without an event, edits whose trigger was lost, the outbox."""
        changed_at = _changed_at(entries)
        event_of = self._left_events(entries)
        documents = self._with(window, [*changed_at, *event_of])
        wanted = [one for one in dict.fromkeys([*window, *changed_at, *event_of]) if one not in seen]
        items = [
            item(
                self.run.connection_id, one, documents.get(one), links.get(one), event_of.get(one), changed_at.get(one)
            )
            for one in wanted
        ]
        return self._settle(items, documents)

    def _left_events(self, entries: Mapping[str, OutboxEntry]) -> dict[str, Event]:
        """Events that an earlier run left, by appointment; read one by one."""
        left = left_pairs(entries.values())
        events = self.calendar.get(list(left)) if left else []
        return {left[event.id]: event for event in events}

    def _look_for_missing(self, links: Mapping[str, Link], seen: set[str]) -> None:
        """Enter what is paired but missing from the listing into the outbox: the next run reads it by its id.

        That an event is missing proves nothing by itself: a page may have been short. In a first sync nothing was
        paired before, and of a listing in slices only the last is known here: then nothing is said to be missing.
        """
        if not self._whole or self.run.connection.synced_at is None:
            return
        missing = [
            (
                self.run.connection_id,
                f"event:{link.event_id}",
                OutboxEntry(appointment_id=appointment_id, event_id=link.event_id, at=self.run.started_at),
            )
            for appointment_id, link in links.items()
            if link.paired and appointment_id not in seen
            if link.ends_at is not None and link.ends_at > self.window_from
        ]
        if missing:
            self._store.put_outbox(missing)
            self.more = True

    def _settle(self, items: Sequence[Item], documents: Documents, expected: int = 0) -> bool:
        """Decide and apply. `expected`: how many more items are known to follow (for the progress shown)."""
        operations = self.applier.plan(items)
        writing = sum(operation.writes for operation in operations)
        idle = len(items) - writing
        self._set(
            done=self.populate.done + idle, total=max(self.populate.total, self.populate.done + len(items) + expected)
        )
        complete = self.applier.apply(operations, documents)
        return complete and self.applier.slow_down is None

    def _with(self, window: Documents, appointment_ids: Sequence[str]) -> Documents:
        outside = [one for one in appointment_ids if one not in window]
        return {**window, **self._store.appointments(self._studio_id, outside)} if outside else window

    def _count(self, stored: int) -> None:
        self._set(done=self.populate.done + stored)

    def _set(self, **changes: Any) -> None:
        self.populate = msgspec.structs.replace(self.populate, **changes)
        self.run.note(populate=msgspec.to_builtins(self.populate, builtin_types=(dt.datetime,)))


def _changed_at(entries: Mapping[str, OutboxEntry]) -> dict[str, dt.datetime]:
    """When the studio changed which appointment, as far as the outbox tells."""
    return {
        entry.appointment_id: entry.at
        for entry in entries.values()
        if entry.appointment_id is not None and entry.event_id is None
    }


def _unpaired(
    window: Documents, links: Mapping[str, Link], events: Sequence[Event], seen: set[str]
) -> dict[str, Appointment]:
    """Appointments of this user that no event stands for yet, by id."""
    claimed = {event.appointment_id for event in events} | seen
    result = {}
    for appointment_id, stored in window.items():
        link = links.get(appointment_id)
        if (link is not None and link.paired) or appointment_id in claimed:
            continue
        try:
            appointment = read_appointment(stored.value)
        except Park:
            continue  # It is parked, with its reason, when its own turn comes.
        if not appointment.cancelled:
            result[appointment_id] = appointment
    return result
