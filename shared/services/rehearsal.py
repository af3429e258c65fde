"""A run that changes nothing: the real storage and the real calendars are read, and what is written stays in memory.

So whatever a run does can be asked beforehand, of the very code that will do it. What a run reads again of what it has
written (the link of a series, before its occurrences) it finds here as it would find it there.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from shared.domain.connection import CalendarChoice, Connection
from shared.domain.errors import Stale, SyncError
from shared.domain.event import CalendarWrite, Delete, Event, Insert, Patch, Restore
from shared.domain.forecast import Traffic
from shared.domain.inbox import InboxItem, read_item
from shared.domain.link import Link
from shared.ports import (
    Calendar,
    Calendars,
    Clock,
    Document,
    EventPage,
    Pace,
    RunLog,
    Settlement,
    Store,
    Stored,
    StudioWrite,
    Task,
    Version,
    Watch,
)
from shared.services.run import Ports

# What a run reads that it does not write, or not before it ends. Whatever is not named here cannot be called.
READS = frozenset(
    {
        "account",
        "appointments_of_user",
        "calendar_claim",
        "client_names",
        "connection",
        "links_of_colleagues",
        "outbox",
        "parked",
        "settings",
        "upcoming_pairs",
    }
)


class Rehearsal:
    """The ports of a run that changes nothing. `reads` and `writes`: the calls of the calendar that it takes."""

    def __init__(self, store: Store, calendars: Calendars, clock: Clock) -> None:
        self.reads = Traffic()
        self.writes = Traffic()
        now = clock.now()
        self.ports = Ports(
            cast("Store", RehearsedStore(store, now)),
            _Calendars(self, calendars, now),
            _NoTasks(),
            _Still(now),
            _no_id,
            _no_jitter,
        )


class RehearsedStore:
    """A store whose writes are only remembered; reads that nothing written concerns go to the real one."""

    def __init__(self, store: Store, now: dt.datetime) -> None:
        self._store = store
        self._now = now
        self._links: dict[str, dict[str, Link]] = {}
        self._documents: dict[str, Stored[Document] | None] = {}
        self._inbox: dict[str, dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in READS:
            raise AttributeError(f"a rehearsal has no {name}")
        return getattr(self._store, name)

    # --- what is read of what was written ----------------------------------------------------------------------------

    def links(self, connection_id: str, appointment_ids: Sequence[str]) -> dict[str, Link]:
        written = self._written(connection_id)
        left = [one for one in appointment_ids if one not in written]
        found = self._store.links(connection_id, left) if left else {}
        return found | {one: written[one] for one in appointment_ids if one in written}

    def links_of_events(self, connection_id: str, event_ids: Sequence[str]) -> dict[str, Link]:
        wanted, written = set(event_ids), self._written(connection_id)
        found = self._store.links_of_events(connection_id, event_ids)
        found = {one: link for one, link in found.items() if link.appointment_id not in written}
        return found | {link.event_id: link for link in written.values() if link.event_id in wanted}

    def links_of_series(self, connection_id: str, series_ids: Sequence[str]) -> dict[str, Link]:
        wanted, written = set(series_ids), self._written(connection_id)
        found = self._store.links_of_series(connection_id, series_ids)
        return found | {one: link for one, link in written.items() if link.series_id in wanted}

    def all_links(self, connection_id: str) -> dict[str, Link]:
        return self._store.all_links(connection_id) | self._written(connection_id)

    def appointments(self, studio_id: str, appointment_ids: Sequence[str]) -> dict[str, Stored[Document]]:
        left = [one for one in appointment_ids if one not in self._documents]
        found = self._store.appointments(studio_id, left) if left else {}
        written = {one: self._documents[one] for one in appointment_ids if one in self._documents}
        return found | {one: document for one, document in written.items() if document is not None}

    def occurrences(self, studio_id: str, series_ids: Sequence[str]) -> dict[str, Stored[Document]]:
        wanted = set(series_ids)
        found = self._store.occurrences(studio_id, series_ids)
        written = {one: document for one, document in self._documents.items() if document is not None}
        of_series = {one: stored for one, stored in written.items() if stored.value.get("series_id") in wanted}
        return {one: document for one, document in found.items() if one not in self._documents} | of_series

    def inbox(self, studio_id: str, item_ids: Sequence[str]) -> dict[str, InboxItem]:
        found = self._store.inbox(studio_id, item_ids)
        written = {one: read_item(self._inbox[one]) for one in item_ids if one in self._inbox}
        return found | {one: item for one, item in written.items() if item is not None}

    # --- what is written ---------------------------------------------------------------------------------------------

    def settle(
        self,
        connection_id: str,
        version: Version,
        fields: Document,  # noqa: ARG002 - as the port has it
        settlements: Sequence[Settlement],
        log: Sequence[RunLog] = (),  # noqa: ARG002
    ) -> Version:
        links = self._links.setdefault(connection_id, {})
        for one in settlements:
            links |= {link.appointment_id: link for link in (one.link, one.tombstone) if link is not None}
            if one.studio is not None:
                self._write(one.studio)
            if one.erase is not None:
                self._documents[one.erase.appointment_id] = None
            for question in one.inbox:
                self._inbox[question.item_id] = {**self._inbox.get(question.item_id, {}), **question.fields}
        return version

    def update_connection(self, connection_id: str, version: Version, fields: Document, **_: Any) -> Version:  # noqa: ARG002
        return version

    def put_outbox(self, entries: Sequence[Any]) -> None:
        """What is left for a later run is none of this one's work."""

    def _written(self, connection_id: str) -> dict[str, Link]:
        return self._links.get(connection_id, {})

    def _write(self, write: StudioWrite) -> None:
        stored = self.appointments(write.studio_id, [write.appointment_id]).get(write.appointment_id)
        before: Mapping[str, Any] = {} if stored is None else stored.value
        document = {**before, **write.fields, "updated_at": self._now}
        document = {name: value for name, value in document.items() if value is not None}
        if write.join is not None or write.leave is not None:
            users = [one for one in document.get("user_ids") or () if one not in {write.join, write.leave}]
            document["user_ids"] = [*users, *filter(None, [write.join])]
        self._documents[write.appointment_id] = Stored(write.appointment_id, document, None)


class RehearsedCalendar:
    """A calendar that answers to writes as Google would if nothing gets in between."""

    def __init__(self, rehearsal: Rehearsal, calendar: Calendar, now: dt.datetime) -> None:
        self._rehearsal = rehearsal
        self._calendar = calendar
        self._now = now
        self._events: dict[str, Event] = {}

    def changes(self, cursor: str, page: str | None) -> EventPage:
        self._reads(1)
        return self._calendar.changes(cursor, page)

    def listing(self, ends_after: dt.datetime, page: str | None) -> EventPage:
        self._reads(1)
        return self._calendar.listing(ends_after, page)

    def get(self, event_ids: Sequence[str]) -> list[Event]:
        self._reads(len(event_ids))
        left = [one for one in event_ids if one not in self._events]
        found = dict(zip(left, self._calendar.get(left), strict=True)) if left else {}
        return [self._events.get(one) or found[one] for one in event_ids]

    def instances(self, places: Sequence[tuple[str, str]]) -> list[Event]:
        self._reads(len(places))
        return self._calendar.instances(places)

    def exceptions(self, series: Sequence[Event]) -> list[Event]:
        for _ in series:
            self._reads(1)
        return self._calendar.exceptions(series)

    def write(self, writes: Sequence[CalendarWrite]) -> list[Event | SyncError]:
        self._rehearsal.writes = self._rehearsal.writes.plus(len(writes))
        return [self._answer(write) for write in writes]

    def watch(self, channel_id: str, token: str) -> Watch | None:
        raise NotImplementedError("nothing is watched in a rehearsal")

    def unwatch(self, channel: Any) -> None:
        raise NotImplementedError("nothing is watched in a rehearsal")

    def _answer(self, write: CalendarWrite) -> Event | SyncError:
        match write:
            case Restore():
                # What it would bring back only the calendar knows: it is counted as entered anew instead.
                return Stale("what is in the bin is not known")
            case Delete(event_id=event_id):
                event = Event(id=event_id, updated=self._now)
            case Insert() | Patch():
                event = Event(
                    id=write.event_id,
                    etag="rehearsed",
                    content=write.content,
                    updated=self._now,
                    appointment_id=write.appointment_id,
                    seal=write.seal,
                )
        self._events[event.id] = event
        return event

    def _reads(self, calls: int) -> None:
        self._rehearsal.reads = self._rehearsal.reads.plus(calls)


class _Calendars:
    def __init__(self, rehearsal: Rehearsal, calendars: Calendars, now: dt.datetime) -> None:
        self._rehearsal = rehearsal
        self._calendars = calendars
        self._now = now

    def open(self, connection_id: str, connection: Connection, pace: Pace | None = None) -> Calendar:  # noqa: ARG002
        # Its reads are few: none of them waits for its time.
        return RehearsedCalendar(self._rehearsal, self._calendars.open(connection_id, connection), self._now)

    def writable(self, refresh_token: str) -> tuple[CalendarChoice, ...]:
        return self._calendars.writable(refresh_token)

    def writable_by(self, account_id: str) -> tuple[CalendarChoice, ...]:
        return self._calendars.writable_by(account_id)


class _NoTasks:
    def enqueue(self, tasks: Sequence[Task]) -> list[tuple[Task, Exception]]:  # noqa: ARG002 - as the port has it
        return []


class _Still(msgspec.Struct, frozen=True):
    """The moment of the rehearsal: it is one slice, however long it takes."""

    at: dt.datetime

    def now(self) -> dt.datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError("a rehearsal waits for nothing")


def _no_jitter() -> float:
    return 0.0


def _no_id() -> str:
    return "rehearsal"
