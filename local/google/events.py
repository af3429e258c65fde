"""What is done to events: inserted, imported, changed, deleted, received from outside.

Every write is told to the event's other copies (`Invitations`), except imports, which make private copies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.google import event_rules, event_types, occurrences, series
from local.google.accounts import Account
from local.google.behaviour import Behaviour
from local.google.calendar import Calendar, StoredEvent
from local.google.calendars import Calendars
from local.google.errors import ApiError, invalid, known
from local.google.event_times import in_zone, timestamp
from local.google.invitations import Invitations
from local.google.occurrences import Slot


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from that this calendar does not organize: an import, or an invitation by mail."""

    organizer: Mapping[str, Any]
    private_copy: bool = False


class Events:
    """All writes, behind the simulator's lock."""

    def __init__(self, calendars: Calendars, behaviour: Behaviour) -> None:
        self._calendars = calendars
        self._behaviour = behaviour
        self._invitations = Invitations(calendars)

    def insert(
        self,
        calendar: Calendar,
        author: Account,
        body: dict[str, Any],
        *,
        conference_version: int = 0,
        origin: Origin | None = None,
        by_hand: bool = False,
    ) -> StoredEvent:
        """A new event; without an `origin` the calendar is its organizer. Google's own page has its own ids."""
        mailed = origin is not None and not origin.private_copy and "originalStartTime" in body
        lone = _lone_instance(body, calendar) if mailed else {}
        event_id = lone.get("id") or body.get("id") or event_rules.new_id()
        if not by_hand and not lone:
            event_rules.check_id(event_id)
        if body.get("id") and body.get("iCalUID"):
            raise invalid("Only one of id and iCalUID may be given.", "iCalUID")
        if event_id in calendar.used_ids:
            raise known("duplicate")
        draft = event_rules.writable(body, conference_version=conference_version)
        if draft.get("status") == "cancelled":
            raise invalid("Invalid value for: a new event cannot be cancelled.", "status")
        organizer = event_rules.person(origin.organizer if origin else {"email": calendar.id}, calendar.id)
        fields, times = self._calendars.shaped(draft, calendar, organizer)
        if origin is None:
            event_types.check(fields, primary=calendar.primary)
        fixed = {
            "id": event_id,
            "htmlLink": event_rules.new_link(),
            "created": timestamp(self._calendars.now().replace(microsecond=0)),
            "iCalUID": body.get("iCalUID") or f"{event_id}@google.com",
            "sequence": 0,
            "creator": event_rules.person({"email": author.calendar_id}, calendar.id),
            "organizer": organizer,
            **({"privateCopy": True} if origin and origin.private_copy else {}),
            **lone,
        }
        event = self._calendars.store(calendar, fixed, fields, times)
        self._invitations.spread(calendar, None, event)
        return event

    def by_ical_uid(self, calendar: Calendar, ical_uid: str, slot: Slot | None = None) -> StoredEvent | None:
        """The event that was changed last of those with the iCalUID; a deleted one only if there is no other.

        Of a series the master, or the instance whose original start is `slot`.
        """
        same = [event for event in reversed(calendar.events.values()) if event.resource["iCalUID"] == ical_uid]
        wanted = [event for event in same if (series.slot_of(event) if event.master_id else None) == slot]
        found = min(wanted, key=lambda event: event.cancelled, default=None)
        master = next((event for event in same if event.recurs), None)
        if found is None and slot is not None and master is not None:
            return self._calendars.instance(calendar, master, slot)
        return found

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
        origin = Origin(body.get("organizer") or {"email": calendar.id}, private_copy=True)
        if before is None:
            return self.insert(calendar, author, body, conference_version=conference_version, origin=origin)
        if not self._behaviour.repeated_import_updates:
            raise known("duplicate")
        return self.change(
            calendar,
            before.resource["id"],
            body,
            None,
            whole=True,
            conference_version=conference_version,
            origin=origin,
        )

    def receive(self, calendar: Calendar, account: Account, body: dict[str, Any], organizer: str) -> StoredEvent:
        """An event from outside; the second time, by its iCalUID, what the organizer changed of it.

        With an `originalStartTime` it is one instance, whether or not its series (`recurringEventId`) is here.
        The guest's own fields and answer stay; a copy that he removed stays removed unless the body has a status.
        """
        origin = Origin({"email": organizer})
        slot = occurrences.slot_of(body["originalStartTime"]) if "originalStartTime" in body else None
        before = self.by_ical_uid(calendar, body["iCalUID"], slot) if body.get("iCalUID") else None
        if before is None:
            return self.insert(calendar, account, event_types.completed(body), origin=origin)
        if not before.removed:
            body = {"status": "confirmed"} | body
        if "attendees" in body:
            answers = {guest["email"]: guest for guest in before.resource.get("attendees", [])}
            body = body | {"attendees": [answers.get(guest["email"], {}) | guest for guest in body["attendees"]]}
        return self.change(calendar, before.resource["id"], body, None, whole=False, origin=origin)

    def change(
        self,
        calendar: Calendar,
        event_id: str,
        body: dict[str, Any],
        if_match: str | None,
        *,
        whole: bool,
        conference_version: int = 0,
        origin: Origin | None = None,
    ) -> StoredEvent:
        """PATCH, or PUT if `whole`. A deleted event comes back with status ``confirmed``, PUT's default.

        With an `origin` it is the organizer's change, and may touch what is his.
        """
        before = self._calendars.event(calendar, event_id)
        resource = before.resource
        master = calendar.master_of(before)
        if before.gone or (master is not None and master.cancelled):
            raise known("notFound")
        if before.master_id is not None:
            event_rules.check_instance(body)
        _check_precondition(resource, if_match)
        _check_unchangeable(resource, body)
        given = event_rules.writable(body, conference_version=conference_version)
        base = {"eventType": resource["eventType"]} if whole else event_rules.draft_of(resource)
        fixed = event_rules.fixed_part(resource)
        if origin is not None:
            fixed["organizer"] = event_rules.person(origin.organizer, calendar.id)
        fields, times = self._calendars.shaped(event_rules.merged(base, given), calendar, fixed["organizer"])
        event_rules.check_immutable(resource, fields)
        cancelled = fields["status"] == "cancelled"
        if origin is None:
            recurrence = {} if master is None else {"recurrence": master.resource.get("recurrence")}
            event_types.check(fields | recurrence, primary=calendar.primary)
            event_rules.check_organizer(resource, fields, calendar.id)
            if before.cancelled and not cancelled:
                self._invitations.check_taking_back(calendar, before)
        reminders_only = (
            event_rules.only_reminders_differ(resource, fields) and fixed["organizer"] == resource["organizer"]
        )
        fixed["sequence"] = resource["sequence"] + event_rules.moved(resource, fields)
        by_guest = origin is None and not resource["organizer"].get("self")
        exceptions = {event.id: event for event in calendar.exceptions(event_id)}
        after = self._calendars.store(
            calendar,
            fixed,
            fields,
            times,
            updated=before.updated if reminders_only else None,
            etag=resource["etag"] if reminders_only and not self._behaviour.reminders_change_etag else None,
            removed=cancelled and (before.removed if before.cancelled else by_guest),
        )
        if origin is None:
            self._spread(calendar, before, after, exceptions)
        return self._calendars.event(calendar, event_id)

    def delete(self, calendar: Calendar, event_id: str, if_match: str | None) -> None:
        """Leaves a cancelled event behind; the second time 410 ``deleted``."""
        event = self._calendars.event(calendar, event_id)
        if event.cancelled:
            raise known("deleted")
        _check_precondition(event.resource, if_match)
        removed = not event.resource["organizer"].get("self")
        exceptions = {event.id: event for event in calendar.exceptions(event_id)}
        self._spread(calendar, event, self._calendars.cancel(calendar, event, removed=removed), exceptions)

    def _spread(
        self, calendar: Calendar, before: StoredEvent, after: StoredEvent, exceptions: dict[str, StoredEvent]
    ) -> None:
        """Tells the other copies of an event, and of what it took along: `exceptions`, as they were before."""
        self._invitations.spread(calendar, before, after)
        for exception in calendar.exceptions(after.id):
            known_before = exceptions.get(exception.id)
            if known_before is not exception:
                self._invitations.spread(calendar, known_before or exception, exception)
        master = calendar.master_of(after)
        if master is not None and self._behaviour.exceptions_touch_their_series:
            self._calendars.touch(calendar, master)


def _lone_instance(body: dict[str, Any], calendar: Calendar) -> dict[str, Any]:
    """What makes an event from outside an instance, of a series that is not in the calendar."""
    original = body["originalStartTime"]
    master_id = body.get("recurringEventId") or event_rules.new_id()
    return {
        "id": f"{master_id}_{occurrences.stamp(occurrences.slot_of(original))}",
        "recurringEventId": master_id,
        "originalStartTime": in_zone(original, calendar.time_zone),
    }


def _check_unchangeable(resource: dict[str, Any], body: dict[str, Any]) -> None:
    if body.get("id") not in {None, resource["id"]}:
        raise invalid("The event id cannot be changed.", "id")
    sequence = body.get("sequence")
    if sequence is not None and sequence < resource["sequence"]:
        raise invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number of the"
            " resource. Re-fetch the resource and use its sequence number on the following request.",
            "sequence",
        )


def _check_precondition(resource: dict[str, Any], if_match: str | None) -> None:
    if if_match not in {None, "*", resource["etag"]}:
        raise known("conditionNotMet")


def check_changed(resource: dict[str, Any], if_none_match: str | None) -> None:
    """304 if the client has this version already."""
    if if_none_match in {"*", resource["etag"]}:
        raise ApiError(304, "notModified", "Not Modified")
