"""Events that are more than an appointment: what each type needs.

After https://developers.google.com/workspace/calendar/api/guides/event-types and .../guides/calendar-status. The
documented requirements are checked; the `reason` of a refusal is not documented, the simulator says ``invalid``. Which
plans may use the status types is not simulated.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from local.google.errors import invalid

_STATUS = frozenset({"focusTime", "outOfOffice", "workingLocation"})
# What Google's own page sends along, where a client must.
_COMPLETED: dict[str, dict[str, Any]] = {
    "focusTime": {"focusTimeProperties": {"autoDeclineMode": "declineNone", "chatStatus": "doNotDisturb"}},
    "outOfOffice": {"outOfOfficeProperties": {"autoDeclineMode": "declineNone"}},
    "workingLocation": {
        "workingLocationProperties": {"type": "homeOffice", "homeOffice": {}},
        "visibility": "public",
        "transparency": "transparent",
    },
    "birthday": {
        "birthdayProperties": {"type": "birthday"},
        "visibility": "private",
        "transparency": "transparent",
        "recurrence": ["RRULE:FREQ=YEARLY"],
    },
}
_LEAP_DAY = ["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"]


def completed(fields: dict[str, Any]) -> dict[str, Any]:
    """An event with what its type needs, where it is not given."""
    event_type = fields.get("eventType", "default")
    leap_day = fields.get("start", {}).get("date", "").endswith("-02-29")
    recurrence = {"recurrence": _LEAP_DAY} if event_type == "birthday" and leap_day else {}
    return _COMPLETED.get(event_type, {}) | recurrence | fields


def check_creation(body: Mapping[str, Any]) -> None:
    """400 for what no client can create."""
    if body.get("eventType") == "fromGmail":
        raise invalid("Events of type fromGmail cannot be created.", "eventType")
    birthday = body.get("birthdayProperties") or {}
    if body.get("eventType") == "birthday" and birthday.keys() & {"contact", "customTypeName"}:
        raise invalid("A birthday linked to a contact cannot be created.", "birthdayProperties")
    if body.get("eventType") == "birthday" and birthday.get("type", "birthday") != "birthday":
        raise invalid("Only birthdays of type birthday can be created.", "birthdayProperties.type")


def check(fields: Mapping[str, Any], *, primary: bool) -> None:
    """400 if an event, shaped for its calendar, lacks what its type needs."""
    event_type = fields["eventType"]
    if event_type in _STATUS:
        if not primary:
            raise invalid(f"Events of type {event_type} belong in the primary calendar.", "eventType")
        if not isinstance(fields.get(f"{event_type}Properties"), dict):
            raise invalid(f"Missing {event_type}Properties.", f"{event_type}Properties")
    checks = {
        "focusTime": _check_away,
        "outOfOffice": _check_away,
        "workingLocation": _check_working_location,
        "birthday": _check_birthday,
    }
    if event_type in checks:
        checks[event_type](fields)


def _check_away(fields: Mapping[str, Any]) -> None:
    if "date" in fields["start"]:
        raise invalid(f"Events of type {fields['eventType']} cannot last whole days.", "start")
    if fields.get("transparency") == "transparent":
        raise invalid(f"Events of type {fields['eventType']} must be opaque.", "transparency")


def _check_working_location(fields: Mapping[str, Any]) -> None:
    _check_shown(fields, "public")
    if "date" in fields["start"] and not _one_day(fields):
        raise invalid("A working location of whole days spans exactly one.", "end")


def _check_birthday(fields: Mapping[str, Any]) -> None:
    _check_shown(fields, "private")
    if not _one_day(fields):
        raise invalid("A birthday spans exactly one whole day.", "start")
    leap_day = fields["start"]["date"].endswith("-02-29")
    if fields.get("recurrence") != (_LEAP_DAY if leap_day else _COMPLETED["birthday"]["recurrence"]):
        raise invalid("A birthday recurs every year.", "recurrence")


def _check_shown(fields: Mapping[str, Any], visibility: str) -> None:
    if fields.get("visibility") != visibility:
        raise invalid(f"Events of type {fields['eventType']} must have visibility {visibility}.", "visibility")
    if fields.get("transparency") != "transparent":
        raise invalid(f"Events of type {fields['eventType']} must be transparent.", "transparency")


def _one_day(fields: Mapping[str, Any]) -> bool:
    if "date" not in fields["start"]:
        return False
    first, end = (dt.date.fromisoformat(fields[name]["date"]) for name in ("start", "end"))
    return end - first == dt.timedelta(days=1)
