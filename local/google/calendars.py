"""The state of all calendars: who sees which, and their events.

What is done to events is in `local.google.events`; here they are kept, and a series takes its exceptions along.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from local.google import event_rules, series, series_changes
from local.google.accounts import Account
from local.google.behaviour import Behaviour
from local.google.calendar import ROLES, Calendar, Entry, StoredEvent
from local.google.errors import known
from local.google.event_times import Span, in_zone, span, timestamp, zone
from local.google.occurrences import Slot


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
        """Google forgets deleted events: gone from lists and deltas, 404 by id. Their ids stay used.

        Cancelled exceptions are kept as long as their series lives.
        """
        calendar = self._calendars[calendar_id]
        events = calendar.events
        for event in [event for event in events.values() if event.cancelled and not calendar.leaves_out(event)]:
            del events[event.id]

    def set_time_zone(self, calendar_id: str, time_zone: str) -> None:
        """The owner moves: instants stay, and are written in the new zone. No event counts as changed."""
        calendar = self._calendars[calendar_id]
        zone(time_zone, "calendar")
        calendar.time_zone = time_zone
        for event_id, event in calendar.events.items():
            old = event.resource
            times = span(old["start"], old["end"], old.get("recurrence", []), time_zone, self._behaviour.reading)
            resource = old | {"start": times.start, "end": times.end}
            if "originalStartTime" in old:
                resource["originalStartTime"] = in_zone(old["originalStartTime"], time_zone)
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
        """Also a deleted one, and any instance of a series; 404 for what never was."""
        found = self.peek(calendar, event_id)
        if found is None:
            raise known("notFound")
        return found

    def peek(self, calendar: Calendar, event_id: str) -> StoredEvent | None:
        """As `event`, or None."""
        return series.find(calendar, event_id, self._behaviour)

    def instance(self, calendar: Calendar, master: StoredEvent, slot: Slot) -> StoredEvent | None:
        """The instance of a series, if it has one then."""
        if not series.has(master, slot, self._behaviour):
            return None
        return self.peek(calendar, series.instance_id(master.id, slot, self._behaviour))

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
            reading=self._behaviour.reading,
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
        resource = event.resource | {"status": "cancelled"}
        return self._put(calendar, self._renewed(replace(event, resource=resource, removed=removed)))

    def touch(self, calendar: Calendar, event: StoredEvent) -> None:
        """A change of nothing but the etag and the time of the change."""
        self._put(calendar, self._renewed(event))

    def _put(self, calendar: Calendar, event: StoredEvent) -> StoredEvent:
        before = calendar.events.get(event.id)
        stored = self._keep(calendar, event)
        if before is not None and before.master_id is None and (before.recurs or stored.recurs):
            self._take_along(calendar, before, stored)
        return stored

    def _keep(self, calendar: Calendar, event: StoredEvent) -> StoredEvent:
        calendar.counter += 1
        calendar.used_ids.add(event.id)
        calendar.events.pop(event.id, None)
        calendar.events[event.id] = replace(event, change=calendar.counter)
        self._changed(calendar.id)
        return calendar.events[event.id]

    def _take_along(self, calendar: Calendar, before: StoredEvent, after: StoredEvent) -> None:
        """What a change of a series means for its exceptions."""
        for stage in series_changes.STAGES:
            for step in stage(calendar, before, after, self._behaviour):
                if step.event is None:
                    calendar.events.pop(step.event_id, None)
                elif step.silent:
                    calendar.events[step.event_id] = step.event
                else:
                    self._keep(calendar, self._renewed(step.event))

    def _renewed(self, event: StoredEvent) -> StoredEvent:
        updated = self.now()
        resource = event.resource | {"etag": self._etag(), "updated": timestamp(updated)}
        return replace(event, resource=resource, updated=updated)

    def _etag(self) -> str:
        return f'"{next(self._etags)}"'
