"""The state of all calendars: who sees which, their events, and one counter of changes for each calendar.

An event is stored as the resource that Google would answer; every write stores a new one at the end of the
calendar's dictionary, which therefore is ordered by change. That makes a delta a walk backwards from the end.
"""

import datetime as dt
import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local.google import event_rules
from local.google.accounts import Account
from local.google.behaviour import Behaviour
from local.google.errors import ApiError, invalid, known, not_simulated
from local.google.event_times import Span, span, zone

# From the least to the most: https://developers.google.com/workspace/calendar/api/concepts/sharing
ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
DEFAULT_REMINDERS = [{"method": "popup", "minutes": 10}]
# What no change of an event touches.
_FIXED = ("id", "htmlLink", "created", "iCalUID", "creator", "organizer", "privateCopy")
_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """`resource` in full; `change`: the calendar's counter at its last write; `first` to `last`: when it happens."""

    resource: dict[str, Any]
    change: int
    updated: dt.datetime
    first: dt.datetime
    last: dt.datetime | None

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
    counter: int = 0
    epoch: int = 0


@dataclass(slots=True)
class Entry:
    """A calendar in one account's list."""

    role: str
    primary: bool = False
    hidden: bool = False
    summary_override: str | None = None


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

    def entries(self, account: Account) -> list[tuple[Calendar, Entry]]:
        """The account's calendar list."""
        return [(self._calendars[calendar_id], entry) for calendar_id, entry in self._lists[account.email].items()]

    def find(self, account: Account, calendar_id: str) -> tuple[Calendar, Entry]:
        """By id, or ``primary``; 404 also for what the account may not see."""
        wanted = account.email if calendar_id == "primary" else calendar_id
        entry = self._lists.get(account.email, {}).get(wanted)
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

    def insert(
        self,
        calendar: Calendar,
        author: Account,
        body: dict[str, Any],
        *,
        conference_version: int = 0,
        organizer: Mapping[str, Any] | None = None,
        private_copy: bool = False,
    ) -> StoredEvent:
        """A new event; `organizer` is somebody else for an invitation, whoever the body names for an import."""
        event_id = body.get("id") or "".join(secrets.choice(_BASE32HEX) for _ in range(26))
        event_rules.check_id(event_id)
        if body.get("id") and body.get("iCalUID"):
            raise invalid("Only one of id and iCalUID may be given.", "iCalUID")
        if event_id in calendar.used_ids:
            raise known("duplicate")
        draft = event_rules.writable(body, conference_version=conference_version)
        if draft.get("status") == "cancelled":
            raise invalid("Invalid value for: a new event cannot be cancelled.", "status")
        fields, times = self._shaped(draft, calendar)
        people = {
            "creator": _person({"email": author.email}, calendar.id),
            "organizer": _person(organizer or {"email": calendar.id}, calendar.id),
        }
        now = self._now().astimezone(dt.UTC)
        fixed = {
            "id": event_id,
            "htmlLink": f"https://www.google.com/calendar/event?eid={secrets.token_urlsafe(24)}",
            "created": _timestamp(now.replace(microsecond=0)),
            "iCalUID": body.get("iCalUID") or f"{event_id}@google.com",
            "sequence": 0,
            **people,
            **({"privateCopy": True} if private_copy else {}),
        }
        calendar.used_ids.add(event_id)
        return self._store(calendar, fixed, fields, times, now)

    def by_ical_uid(self, calendar: Calendar, ical_uid: str) -> StoredEvent | None:
        """The event that was changed last of those with the iCalUID; a deleted one only if there is no other."""
        same = [event for event in reversed(calendar.events.values()) if event.resource["iCalUID"] == ical_uid]
        return min(same, key=lambda event: event.cancelled, default=None)

    def bring_in(
        self,
        calendar: Calendar,
        author: Account,
        body: dict[str, Any],
        before: StoredEvent | None,
        *,
        conference_version: int = 0,
    ) -> StoredEvent:
        """An import; `before` is what the calendar has of this iCalUID."""
        organizer = body.get("organizer")
        if before is None:
            return self.insert(
                calendar,
                author,
                body,
                conference_version=conference_version,
                organizer=organizer,
                private_copy=True,
            )
        if not self._behaviour.repeated_import_updates:
            raise known("duplicate")
        return self.change(
            calendar,
            before.resource["id"],
            body,
            None,
            whole=True,
            conference_version=conference_version,
            organizer=organizer or {"email": calendar.id},
        )

    def change(
        self,
        calendar: Calendar,
        event_id: str,
        body: dict[str, Any],
        if_match: str | None,
        *,
        whole: bool,
        conference_version: int = 0,
        organizer: Mapping[str, Any] | None = None,
    ) -> StoredEvent:
        """PATCH, or PUT if `whole`. A deleted event comes back with status ``confirmed``, PUT's default.

        An import says who the `organizer` is, and may therefore change what belongs to the organizer.
        """
        before = self.event(calendar, event_id)
        resource = before.resource
        _check_precondition(resource, if_match)
        if body.get("id") not in {None, event_id}:
            raise invalid("The event id cannot be changed.", "id")
        sequence = body.get("sequence")
        if sequence is not None and sequence < resource["sequence"]:
            raise invalid(
                "Invalid sequence value. The specified sequence number is below the current sequence number of the"
                " resource. Re-fetch the resource and use its sequence number on the following request.",
                "sequence",
            )
        given = event_rules.writable(body, conference_version=conference_version)
        base = {"eventType": resource["eventType"]} if whole else event_rules.draft_of(resource)
        fields, times = self._shaped(event_rules.merged(base, given), calendar)
        event_rules.check_immutable(resource, fields)
        fixed = {name: resource[name] for name in _FIXED if name in resource}
        if organizer is None:
            event_rules.check_organizer(resource, fields, calendar.id)
        else:
            fixed["organizer"] = _person(organizer, calendar.id)
        reminders_only = (
            event_rules.only_reminders_differ(resource, fields) and fixed["organizer"] == resource["organizer"]
        )
        fixed["sequence"] = resource["sequence"] + event_rules.moved(resource, fields)
        now = before.updated if reminders_only else self._now().astimezone(dt.UTC)
        etag = resource["etag"] if reminders_only and not self._behaviour.reminders_change_etag else None
        return self._store(calendar, fixed, fields, times, now, etag)

    def delete(self, calendar: Calendar, event_id: str, if_match: str | None) -> None:
        """Leaves a cancelled event behind; the second time 410 ``deleted``."""
        event = self.event(calendar, event_id)
        if event.cancelled:
            raise known("deleted")
        _check_precondition(event.resource, if_match)
        now = self._now().astimezone(dt.UTC)
        changes = {"status": "cancelled", "etag": self._etag(), "updated": _timestamp(now)}
        self._put(calendar, replace(event, resource=event.resource | changes, updated=now))

    def _shaped(self, draft: dict[str, Any], calendar: Calendar) -> tuple[dict[str, Any], Span]:
        return event_rules.shaped(
            draft, calendar.time_zone, calendar.id, description_limit=self._behaviour.description_limit
        )

    def _store(
        self,
        calendar: Calendar,
        fixed: dict[str, Any],
        fields: dict[str, Any],
        times: Span,
        updated: dt.datetime,
        etag: str | None = None,
    ) -> StoredEvent:
        resource = {"kind": "calendar#event", "etag": etag or self._etag(), "updated": _timestamp(updated)}
        stored = StoredEvent(resource | fixed | fields, 0, updated, times.first, times.last)
        return self._put(calendar, stored)

    def _put(self, calendar: Calendar, event: StoredEvent) -> StoredEvent:
        calendar.counter += 1
        event_id = event.resource["id"]
        calendar.events.pop(event_id, None)
        calendar.events[event_id] = replace(event, change=calendar.counter)
        self._changed(calendar.id)
        return calendar.events[event_id]

    def _etag(self) -> str:
        return f'"{next(self._etags)}"'


def _check_precondition(resource: dict[str, Any], if_match: str | None) -> None:
    if if_match not in {None, "*", resource["etag"]}:
        raise known("conditionNotMet")


def check_changed(resource: dict[str, Any], if_none_match: str | None) -> None:
    """304 if the client has this version already."""
    if if_none_match in {"*", resource["etag"]}:
        raise ApiError(304, "notModified", "Not Modified")


def _person(given: Mapping[str, Any], own: str) -> dict[str, Any]:
    """As given; but `self` is read-only: Google writes it."""
    shown = {name: value for name, value in given.items() if value is not None and name != "self"}
    return shown | ({"self": True} if shown.get("email") == own else {})


def _timestamp(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as Google writes `created` and `updated`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
