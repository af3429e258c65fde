"""Invitations between the accounts of the simulator: one event, and a copy of it in each guest's primary calendar.

After https://developers.google.com/workspace/calendar/api/concepts/sharing#inviting_attendees_to_events and the Event
resource of the discovery document: copies share the id and what belongs to the organizer; reminders, colour,
transparency, visibility and private extended properties are each copy's own. The organizer's guest list is the truth
about all answers. Copies arrive whatever ``sendUpdates`` says, since that is about mail; ``privateCopy`` ends it all.

Not documented, and decided here: a guest's answer survives the organizer's changes; a copy that its guest removed stays
removed until he is invited anew; the copy of a guest who comes back is the one that he had. Exceptions of a series
spread as events of their own: a guest of one instance alone has that instance, and no series.
"""

from typing import Any

from local.google import event_rules, series
from local.google.calendar import Calendar, StoredEvent
from local.google.calendars import Calendars
from local.google.errors import known
from local.google.event_times import in_zone


class Invitations:
    """Carries every change of an event to its other copies, behind the simulator's lock."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars

    def spread(self, calendar: Calendar, before: StoredEvent | None, after: StoredEvent) -> None:
        """To be told of each write to an event, except those made here; `before` None: it is new."""
        resource = after.resource
        if resource.get("privateCopy") or resource["eventType"] != "default":
            return
        if resource["organizer"].get("self"):
            self._to_guests(calendar, before, after)
        elif before is not None:
            self._to_host(calendar, before, after)

    def check_taking_back(self, calendar: Calendar, copy: StoredEvent) -> None:
        """403 if a guest takes back a copy of an event that the organizer cancelled, or to which he is not invited."""
        host = self._host_of(copy)
        if host is None or copy.resource["organizer"].get("self"):
            return
        if host[1].cancelled or calendar.id not in _guests(host[1]):
            raise known("forbiddenForNonOrganizer")

    def _to_host(self, calendar: Calendar, before: StoredEvent, copy: StoredEvent) -> None:
        """A guest's answer, and what else of his edit is everybody's, from his copy to all others."""
        found = self._host_of(copy)
        if found is None or found[1].cancelled:
            return
        host_calendar, host = found
        draft = event_rules.draft_of(host.resource)
        own = _guests(copy).get(calendar.id, {})
        if copy.cancelled:
            own = _guests(host).get(calendar.id, {}) | {"responseStatus": "declined"}
        elif not before.cancelled and host.resource.get("guestsCanModify"):
            draft = event_rules.own_part(host.resource) | event_rules.shared_part(copy.resource)
            draft = _with_properties(draft, shared=copy, private=host)
        draft["attendees"] = [
            own if guest["email"] == own.get("email") else guest for guest in draft.get("attendees", [])
        ]
        self._to_guests(host_calendar, host, self._write(host_calendar, host, draft))

    def _to_guests(self, calendar: Calendar, before: StoredEvent | None, host: StoredEvent) -> None:
        """From the organizer's event to the copies: new, changed, cancelled or brought back."""
        invited_before = {} if before is None else _guests(before)
        invited = {} if host.cancelled else _guests(host)
        revived = before is not None and before.cancelled
        for email in invited_before | invited:
            guest = self._calendars.get(email)
            if guest is None or guest is calendar or not guest.primary:
                continue
            copy = self._copy_in(guest, host)
            alive = copy is not None and not copy.cancelled
            removed = copy is not None and copy.removed
            if email not in invited:
                if copy is not None and alive:
                    self._calendars.cancel(guest, copy)
            elif (
                alive
                or email not in invited_before
                or (revived and not removed)
                # Carried along by its series to another slot.
                or (copy is None and host.master_id is not None)
            ):
                self._deliver(guest, copy, host)

    def _deliver(self, calendar: Calendar, copy: StoredEvent | None, host: StoredEvent) -> None:
        shared = event_rules.shared_part(host.resource)
        own = {} if copy is None else event_rules.own_part(copy.resource)
        draft = _with_properties(own | shared, shared=host, private=copy)
        if copy is not None:
            self._write(calendar, copy, draft, sequence=host.resource["sequence"])
            return
        organizer = host.resource["organizer"]
        fields, times = self._calendars.shaped(draft, calendar, organizer)
        # The entry under this id can be another one only if both were given the same id by a client.
        taken = host.resource["id"] in calendar.events
        fixed = {
            **event_rules.fixed_part(host.resource),
            "id": event_rules.new_id() if taken else host.resource["id"],
            **_original_start(host, calendar),
            "htmlLink": event_rules.new_link(),
            "sequence": host.resource["sequence"],
            "creator": event_rules.person(host.resource["creator"], calendar.id),
            "organizer": event_rules.person(organizer, calendar.id),
        }
        self._calendars.store(calendar, fixed, fields, times)

    def _write(
        self, calendar: Calendar, event: StoredEvent, draft: dict[str, Any], *, sequence: int | None = None
    ) -> StoredEvent:
        """The event's new version; the old one if nothing differs, so that no copy changes without a reason."""
        before = event.resource
        fields, times = self._calendars.shaped(draft, calendar, before["organizer"])
        if sequence is None:
            sequence = before["sequence"] + event_rules.moved(before, fields)
        if fields == event_rules.draft_of(before) and sequence == before["sequence"]:
            return event
        fixed = event_rules.fixed_part(before) | {"sequence": sequence}
        return self._calendars.store(calendar, fixed, fields, times)

    def _host_of(self, copy: StoredEvent) -> tuple[Calendar, StoredEvent] | None:
        """The organizer's calendar and event; None if they are not of this world, or gone."""
        calendar = self._calendars.get(copy.resource["organizer"].get("email", ""))
        event = None if calendar is None else self._copy_in(calendar, copy)
        return None if calendar is None or event is None else (calendar, event)

    def _copy_in(self, calendar: Calendar, event: StoredEvent) -> StoredEvent | None:
        """The calendar's entry of the same event, deleted or not; of an instance also what its series makes it."""
        wanted = _identity(event)
        under_id = self._calendars.peek(calendar, event.id)
        if under_id is not None and _identity(under_id) == wanted:
            return under_id
        found = next((other for other in calendar.events.values() if _identity(other) == wanted), None)
        if found is not None or event.master_id is None:
            return found
        masters = [other for other in calendar.events.values() if _identity(other) == (*wanted[:-1], None)]
        return self._calendars.instance(calendar, masters[0], series.slot_of(event)) if masters else None


def _identity(event: StoredEvent) -> tuple[Any, ...]:
    """What is the same in all copies; the slot comes last, None but for instances."""
    resource = event.resource
    slot = None if event.master_id is None else series.slot_of(event)
    return resource["iCalUID"], resource["organizer"].get("email"), resource.get("privateCopy", False), slot


def _original_start(host: StoredEvent, calendar: Calendar) -> dict[str, Any]:
    """As written in the zone of the guest's calendar."""
    given = host.resource.get("originalStartTime")
    return {} if given is None else {"originalStartTime": in_zone(given, calendar.time_zone)}


def _guests(event: StoredEvent) -> dict[str, dict[str, Any]]:
    return {guest["email"]: guest for guest in event.resource.get("attendees", [])}


def _with_properties(
    draft: dict[str, Any], *, shared: StoredEvent | None, private: StoredEvent | None
) -> dict[str, Any]:
    """The draft with the extended properties of two copies: each kind from where it belongs."""
    sources = {"shared": shared, "private": private}
    found = {
        kind: event.resource.get("extendedProperties", {}).get(kind, {})
        for kind, event in sources.items()
        if event is not None
    }
    return draft | {"extendedProperties": found}
