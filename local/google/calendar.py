"""The state of all calendars: who sees which, their events, and one counter of changes for each calendar.

What is done to events is in `local.google.events`; here they are kept. An event is stored as the resource that Google
would answer; every write stores a new one at the end of the calendar's dictionary, which therefore is ordered by
change. That makes a delta a walk backwards from the end.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from local.google import event_rules
from local.google.accounts import Account
from local.google.behaviour import Behaviour
from local.google.errors import known, not_simulated
from local.google.event_times import Span, span, timestamp, zone

# From the least to the most: https://developers.google.com/workspace/calendar/api/concepts/sharing
ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
DEFAULT_REMINDERS = [{"method": "popup", "minutes": 10}]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """`resource` in full; `change`: the calendar's counter at its last write; `first` to `last`: when it happens.

    `removed`: cancelled, and by a guest who removed his copy, not by the organizer who cancelled the event.
    """

    resource: dict[str, Any]
    change: int
    updated: dt.datetime
    first: dt.datetime
    last: dt.datetime | None
    removed: bool = False

    @property
    def cancelled(self) -> bool:
        return bool(self.resource["status"] == "cancelled")


@dataclass(slots=True)
class Calendar:
    """One calendar; `owner` is an e-mail address. `epoch` grows when all its sync tokens die."""

    id: str
    summary: str
    time_zone: str
    owner: str
    description: str | None = None
    events: dict[str, StoredEvent] = field(default_factory=dict)  # The last changed is the last.
    used_ids: set[str] = field(default_factory=set)
    hidden_ids: set[str] = field(default_factory=set)  # There, but clients are told that they are not.
    counter: int = 0
    epoch: int = 0

    @property
    def primary(self) -> bool:
        """Whether it is an account's own: only there do invitations arrive, and only there are status events."""
        return self.id == self.owner


@dataclass(slots=True)
class Entry:
    """A calendar in one account's list."""

    role: str
    primary: bool = False
    hidden: bool = False
    summary_override: str | None = None
    color: str = "#9fe1e7"  # Google's number 14, which most calendars begin with.


class Calendars:
    """All calendars, behind the simulator's lock. `changed(calendar_id)` is told of every change of an event."""

    def __init__(self, now: Callable[[], dt.datetime], behaviour: Behaviour, changed: Callable[[str], None]) -> None:
        self._now = now
        self._behaviour = behaviour
        self._changed = changed
        self._calendars: dict[str, Calendar] = {}
        self._lists: dict[str, dict[str, Entry]] = {}
        # Google's etags are quoted numbers of this size; nobody may read anything into them.
        self._etags = itertools.count(3480508598540894, 2)

    # Calendars and who sees them.

    def add(self, calendar: Calendar, email: str, entry: Entry) -> None:
        """A new calendar, and its place in the account's list."""
        zone(calendar.time_zone, "calendar")
        self._calendars[calendar.id] = calendar
        self._lists.setdefault(email, {})[calendar.id] = entry

    def remove(self, calendar_id: str) -> None:
        """A secondary calendar is deleted: it leaves all lists, and nobody finds it any more."""
        if self._calendars[calendar_id].primary:
            raise ValueError(f"a primary calendar cannot be deleted: {calendar_id}")
        del self._calendars[calendar_id]
        for entries in self._lists.values():
            entries.pop(calendar_id, None)

    def set_role(self, email: str, calendar_id: str, role: str | None) -> None:
        """Shares a calendar, changes the right, or (None) takes it away. Such a change ends all its sync tokens."""
        if role is not None and role not in ROLES:
            raise ValueError(f"no access role: {role}")
        entries = self._lists.setdefault(email, {})
        if role is None:
            del entries[calendar_id]
        elif calendar_id in entries:
            entries[calendar_id].role = role
        else:
            entries[calendar_id] = Entry(role)
        self._calendars[calendar_id].epoch += 1

    def expire_sync_tokens(self, calendar_id: str | None) -> None:
        """All sync tokens so far, of one calendar or of all, answer 410 from now on."""
        for calendar in self._calendars.values():
            if calendar_id in {None, calendar.id}:
                calendar.epoch += 1

    def evict_tombstones(self, calendar_id: str) -> None:
        """Google forgets deleted events: gone from lists and deltas, 404 by id. Their ids stay used."""
        events = self._calendars[calendar_id].events
        for event_id in [event_id for event_id, event in events.items() if event.cancelled]:
            del events[event_id]

    def set_time_zone(self, calendar_id: str, time_zone: str) -> None:
        """The owner moves: instants stay, and are written in the new zone. No event counts as changed."""
        calendar = self._calendars[calendar_id]
        zone(time_zone, "calendar")
        calendar.time_zone = time_zone
        for event_id, event in calendar.events.items():
            old = event.resource
            times = span(old["start"], old["end"], old.get("recurrence", []), time_zone)
            resource = old | {"start": times.start, "end": times.end}
            calendar.events[event_id] = replace(event, resource=resource, first=times.first, last=times.last)

    def hide(self, calendar_id: str, event_ids: Iterable[str]) -> None:
        """See `GoogleSimulator.hide_events`."""
        self._calendars[calendar_id].hidden_ids.update(event_ids)

    def show(self, calendar_id: str, event_ids: Iterable[str]) -> None:
        """See `GoogleSimulator.show_events`."""
        hidden = self._calendars[calendar_id].hidden_ids
        hidden.difference_update(event_ids or set(hidden))

    def get(self, calendar_id: str) -> Calendar | None:
        """The calendar, whoever may see it."""
        return self._calendars.get(calendar_id)

    def entries(self, account: Account) -> list[tuple[Calendar, Entry]]:
        """The account's calendar list."""
        return [
            (self._calendars[calendar_id], entry) for calendar_id, entry in self._lists[account.calendar_id].items()
        ]

    def find(self, account: Account, calendar_id: str) -> tuple[Calendar, Entry]:
        """By id, or ``primary``; 404 also for what the account may not see."""
        wanted = account.calendar_id if calendar_id == "primary" else calendar_id
        entry = self._lists.get(account.calendar_id, {}).get(wanted)
        if entry is None:
            raise known("notFound")
        return self._calendars[wanted], entry

    def to_write(self, account: Account, calendar_id: str) -> Calendar:
        """As `find`, for writers and owners only."""
        calendar, entry = self.find(account, calendar_id)
        if ROLES.index(entry.role) < ROLES.index("writerWithoutPrivateAccess"):
            raise known("requiredAccessLevel")
        return calendar

    # Events.

    def event(self, calendar: Calendar, event_id: str) -> StoredEvent:
        """Also a deleted one; 404 for what never was."""
        found = calendar.events.get(event_id)
        if found is not None:
            return found
        master = calendar.events.get(event_id.partition("_")[0])
        if master is not None and "_" in event_id:
            raise not_simulated(f"single occurrences of a recurring event ({event_id})")
        raise known("notFound")

    # Writing.

    def now(self) -> dt.datetime:
        """In UTC."""
        return self._now().astimezone(dt.UTC)

    def shaped(
        self, draft: dict[str, Any], calendar: Calendar, organizer: dict[str, Any]
    ) -> tuple[dict[str, Any], Span]:
        """The writable fields of an event as this calendar shows them, and when it happens."""
        return event_rules.shaped(
            draft,
            calendar.time_zone,
            calendar.id,
            organizer.get("email"),
            description_limit=self._behaviour.description_limit,
        )

    def store(
        self,
        calendar: Calendar,
        fixed: dict[str, Any],
        fields: dict[str, Any],
        times: Span,
        *,
        updated: dt.datetime | None = None,
        etag: str | None = None,
        removed: bool = False,
    ) -> StoredEvent:
        """An event's new version: the calendar's last change."""
        updated = updated or self.now()
        resource = {"kind": "calendar#event", "etag": etag or self._etag(), "updated": timestamp(updated)}
        stored = StoredEvent(resource | fixed | fields, 0, updated, times.first, times.last, removed)
        return self._put(calendar, stored)

    def cancel(self, calendar: Calendar, event: StoredEvent, *, removed: bool = False) -> StoredEvent:
        """Leaves a cancelled event behind, with all its details."""
        updated = self.now()
        changes = {"status": "cancelled", "etag": self._etag(), "updated": timestamp(updated)}
        return self._put(calendar, replace(event, resource=event.resource | changes, updated=updated, removed=removed))

    def _put(self, calendar: Calendar, event: StoredEvent) -> StoredEvent:
        calendar.counter += 1
        event_id = event.resource["id"]
        calendar.used_ids.add(event_id)
        calendar.events.pop(event_id, None)
        calendar.events[event_id] = replace(event, change=calendar.counter)
        self._changed(calendar.id)
        return calendar.events[event_id]

    def _etag(self) -> str:
        return f'"{next(self._etags)}"'
