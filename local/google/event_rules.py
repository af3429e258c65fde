"""What becomes of an event's body: validation, patch semantics, defaults, silent cuts.

After the Event resource of the discovery document and https://developers.google.com/workspace/calendar/api/guides/
extended-properties, .../concepts/reminders, .../guides/errors. Pure: a body and what there was, to a new resource.
Resources are never changed in place, so that answers can be written while other requests go on.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from local.google import event_times
from local.google.errors import ApiError, invalid, known, not_simulated, required
from local.google.occurrences import Reading

_ID = re.compile(r"[a-v0-9]{5,1024}", re.ASCII)
_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"

# Fields that a client may write, in the order in which they are answered.
WRITABLE = (
    "status", "summary", "description", "location", "colorId", "start", "end", "recurrence", "transparency",
    "visibility", "attendees", "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests",
    "extendedProperties", "reminders", "source", "eventType", "eventLabelId", "workingLocationProperties",
    "outOfOfficeProperties", "focusTimeProperties", "birthdayProperties",
)  # fmt: skip
# Sent back by clients that write what they have read; ignored, as by Google.
READ_ONLY = frozenset({
    "kind", "etag", "id", "htmlLink", "created", "updated", "creator", "organizer", "iCalUID", "sequence",
    "hangoutLink", "recurringEventId", "originalStartTime", "attendeesOmitted", "endTimeUnspecified", "privateCopy",
    "locked",
})  # fmt: skip
# What is the same in all copies of an event: only its organizer may change it.
SHARED = frozenset({
    "summary", "description", "location", "start", "end", "recurrence", "status", "guestsCanInviteOthers",
    "guestsCanModify", "guestsCanSeeOtherGuests", "source", "eventType",
})  # fmt: skip
# What no change of an event touches.
_FIXED = (
    "id", "htmlLink", "created", "iCalUID", "creator", "organizer", "privateCopy", "recurringEventId",
    "originalStartTime",
)  # fmt: skip
# Shared by all copies, and neither in `SHARED` nor the whole of it: the guest list, half of the properties, the source.
_PARTED = frozenset({"attendees", "extendedProperties", "source"})
# Omitted from answers when they have these values.
_DEFAULTS: dict[str, Any] = {
    "transparency": "opaque",
    "visibility": "default",
    "guestsCanInviteOthers": True,
    "guestsCanModify": False,
    "guestsCanSeeOtherGuests": True,
    "summary": "",
    "description": "",
    "location": "",
    "colorId": "",
    "recurrence": [],
    "attendees": [],
    "extendedProperties": {},
    "source": {},
}
_VALUES = {
    "status": {"confirmed", "tentative", "cancelled"},
    "transparency": {"opaque", "transparent"},
    "visibility": {"default", "public", "private", "confidential"},
    "colorId": {str(number) for number in range(1, 12)},
    "eventType": {"default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation"},
}
_RESPONSES = {"needsAction", "declined", "tentative", "accepted"}
MAX_REMINDERS = 5
MAX_REMINDER_MINUTES = 40320
# https://developers.google.com/workspace/calendar/api/guides/extended-properties#limits
MAX_PROPERTIES = 300
MAX_PROPERTY_KEY = 44
MAX_PROPERTY_VALUE = 1024
MAX_PROPERTIES_SIZE = 32 * 1024


def new_id() -> str:
    """An id as Google makes them."""
    return "".join(secrets.choice(_BASE32HEX) for _ in range(26))


def new_link() -> str:
    """An address of Google's page for an event."""
    return f"https://www.google.com/calendar/event?eid={secrets.token_urlsafe(24)}"


def person(given: Mapping[str, Any], own: str) -> dict[str, Any]:
    """As given; but `self` is read-only: Google writes it."""
    shown = {name: value for name, value in given.items() if value is not None and name != "self"}
    return shown | ({"self": True} if shown.get("email") == own else {})


def check_id(event_id: str) -> None:
    """Own ids: base32hex characters, 5 to 1024 of them."""
    if not _ID.fullmatch(event_id):
        raise invalid("Invalid resource id value.", "id")


def check_import(body: Mapping[str, Any]) -> None:
    """What an import needs, and what it may not have (events.import)."""
    for name in ("iCalUID", "start", "end"):
        if not body.get(name):
            raise required(f"Missing {name}.", name)
    if body.get("id"):
        raise invalid("Only one of id and iCalUID may be given.", "id")
    # Also documented, as deprecated: the type is changed to ``default``. Better refused than lost.
    if body.get("eventType") not in {None, "default"}:
        raise invalid("Only events of type default can be imported.", "eventType")


def draft_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The writable part of a stored event, to patch."""
    return {name: resource[name] for name in WRITABLE if name in resource}


def fixed_part(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What stays as it is for the life of an event in a calendar."""
    return {name: resource[name] for name in _FIXED if name in resource}


def inherited(own: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """An exception's writable fields, where those that were as the series had them (`before`) follow it (`after`)."""
    times = ("start", "end")
    followed = {name for name in WRITABLE if own.get(name) == before.get(name)} - {"status"}
    if not followed.issuperset(times):
        followed.difference_update(times)
    sources = {name: after if name in followed else own for name in WRITABLE}
    return {name: source[name] for name, source in sources.items() if name in source}


def shared_part(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What all copies of an event have in common, its guests included. The source is for its creator's eyes only."""
    shared = (SHARED | {"attendees"}) - {"source"}
    return {name: resource[name] for name in WRITABLE if name in resource and name in shared}


def own_part(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to one copy alone, without its private properties."""
    return {name: resource[name] for name in WRITABLE if name in resource and name not in SHARED | _PARTED}


def writable(body: Mapping[str, Any], *, conference_version: int) -> dict[str, Any]:
    """The fields of a body that count; 501 for what is not simulated, silence for the read-only ones."""
    taken = {}
    for name, value in body.items():
        if name in WRITABLE:
            taken[name] = value
        elif name == "conferenceData" and conference_version == 0:
            continue  # Documented: version 0 ignores the body's conference data.
        elif name not in READ_ONLY and value is not None:
            raise not_simulated(f"event field {name}")
    return taken


def merged(base: Any, patch: Any) -> Any:
    """Patch semantics: null removes, objects merge, everything else (arrays too) is replaced. A new value."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def shaped(
    draft: dict[str, Any],
    calendar_zone: str,
    own_email: str,
    organizer: str | None,
    *,
    description_limit: int | None,
    reading: Reading,
) -> tuple[dict[str, Any], event_times.Span]:
    """The validated, rendered writable fields of an event, in answer order, defaults omitted; and its times."""
    event = merged({}, draft)
    event.setdefault("status", "confirmed")
    event.setdefault("eventType", "default")
    if not event.get("reminders"):
        event["reminders"] = {"useDefault": True}
    for name, allowed in _VALUES.items():
        if event.get(name) not in {None, "", *allowed}:
            raise invalid(f"Invalid value for: Invalid value for {name}: {event[name]}", name)
    span = event_times.span(event.get("start"), event.get("end"), event.get("recurrence", []), calendar_zone, reading)
    event |= {"start": span.start, "end": span.end}
    _check_reminders(event["reminders"])
    if "attendees" in event:
        event["attendees"] = [_attendee(attendee, own_email, organizer) for attendee in event["attendees"]]
    if "extendedProperties" in event:
        event["extendedProperties"] = _properties(event["extendedProperties"])
    url = event.get("source", {}).get("url", "https://")
    if not url.startswith(("http://", "https://")):
        raise invalid("Invalid source url.", "source.url")
    if description_limit is not None and "description" in event:
        event["description"] = event["description"][:description_limit]
    kept = {n: event[n] for n in WRITABLE if n in event and not (n in _DEFAULTS and event[n] == _DEFAULTS[n])}
    return kept, span


def check_immutable(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """The type of an event never changes."""
    if before["eventType"] != after["eventType"]:
        raise invalid("Event type cannot be changed.", "eventType")


def check_organizer(before: Mapping[str, Any], after: Mapping[str, Any], own_email: str) -> None:
    """403 if a guest's copy would differ in what belongs to the organizer."""
    if before["organizer"].get("self") or before.get("guestsCanModify"):
        return
    # To remove the own copy, or take it back, is everybody's right.
    shared = SHARED - {"status"} if "cancelled" in {before["status"], after["status"]} else SHARED
    if any(before.get(name) != after.get(name) for name in shared):
        raise known("forbiddenForNonOrganizer")

    def others(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [guest for guest in resource.get("attendees", []) if guest["email"] != own_email]

    if others(before) != others(after) or _shared_properties(before) != _shared_properties(after):
        raise known("forbiddenForNonOrganizer")


def only_reminders_differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Such a change leaves `updated` as it was (Event.updated)."""
    return before.get("reminders") != after.get("reminders") and all(
        before.get(name) == after.get(name) for name in WRITABLE if name != "reminders"
    )


def check_instance(body: Mapping[str, Any]) -> None:
    """400 if an instance of a series is to recur itself."""
    if body.get("recurrence"):
        raise invalid("An instance of a recurring event cannot recur.", "recurrence")


def moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the iCalendar sequence number grows."""
    return any(before.get(name) != after.get(name) for name in ("start", "end", "recurrence"))


def is_private(resource: Mapping[str, Any]) -> bool:
    """Whether only owners and full writers see the details."""
    return resource.get("visibility") in {"private", "confidential"}


def tombstone(resource: Mapping[str, Any], *, exception: bool) -> dict[str, Any]:
    """All that is guaranteed about a deleted event, or (`exception`) about an instance that a series leaves out."""
    kept = {"kind": "calendar#event", "etag": resource["etag"], "id": resource["id"], "status": "cancelled"}
    named = ("recurringEventId", "originalStartTime") if exception else ()
    return kept | {name: resource[name] for name in named}


def busy_block(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of an event for those who may not see its details."""
    shown = (
        "kind", "etag", "id", "status", "updated", "start", "end", "recurrence", "recurringEventId",
        "originalStartTime", "transparency", "iCalUID",
    )  # fmt: skip
    types = {"eventType": resource["eventType"]} if "eventType" in resource else {}
    return {name: resource[name] for name in shown if name in resource} | {"visibility": "private"} | types


def _shared_properties(resource: Mapping[str, Any]) -> Any:
    return resource.get("extendedProperties", {}).get("shared")


def _check_reminders(reminders: dict[str, Any]) -> None:
    overrides = reminders.get("overrides", [])
    if reminders.get("useDefault") and overrides:
        raise ApiError(
            400,
            "cannotUseDefaultRemindersAndSpecifyOverride",
            "Cannot specify both default reminders and overrides at the same time.",
            domain="calendar",
        )
    if len(overrides) > MAX_REMINDERS:
        raise invalid("Too many override reminders.", "reminders.overrides")
    for override in overrides:
        if override.get("method") not in {"email", "popup"}:
            raise invalid("Invalid reminder method.", "reminders.overrides")
        if not 0 <= override.get("minutes", -1) <= MAX_REMINDER_MINUTES:
            raise invalid("Invalid reminder minutes.", "reminders.overrides")
    reminders.setdefault("useDefault", False)


def _attendee(attendee: dict[str, Any], own_email: str, organizer: str | None) -> dict[str, Any]:
    if not attendee.get("email"):
        raise required("Missing attendee email.")
    if attendee.get("responseStatus", "needsAction") not in _RESPONSES:
        raise invalid("Invalid attendee response status.", "attendees.responseStatus")
    # `self` and `organizer` are read-only: Google writes them.
    given = {n: v for n, v in attendee.items() if v is not None and n not in {"self", "organizer"}}
    shown: dict[str, Any] = {"responseStatus": "needsAction"} | given
    marks = {"organizer": organizer, "self": own_email}
    return shown | {mark: True for mark, email in marks.items() if attendee["email"] == email}


def _properties(given: dict[str, Any]) -> dict[str, dict[str, str]]:
    kept = {
        kind: {key: value[:MAX_PROPERTY_VALUE] for key, value in pairs.items() if len(key) <= MAX_PROPERTY_KEY}
        for kind, pairs in given.items()
    }
    if sum(map(len, kept.values())) > MAX_PROPERTIES:
        raise invalid("Too many extended properties.", "extendedProperties")
    pairs = [pair for kind in kept.values() for pair in kind.items()]
    if sum(len(key.encode()) + len(value.encode()) for key, value in pairs) > MAX_PROPERTIES_SIZE:
        raise invalid("Extended properties are too large.", "extendedProperties")
    return {kind: values for kind, values in kept.items() if values}
