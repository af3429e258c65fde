"""Start, end and recurrence of an event: what Google accepts, and how it writes them back.

After https://developers.google.com/workspace/calendar/api/concepts/events-calendars and the Event resource of the
discovery document: start and end both dates or both date-times, an exclusive end, IANA zones, a zone for whatever
recurs, no DTSTART or DTEND among the recurrence lines.
"""

import datetime as dt
import functools
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.google.errors import invalid, known, required

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNTIL = re.compile(r"UNTIL=(\d{4})(\d\d)(\d\d)")
_RULE = re.compile(r"(RRULE|EXRULE):(?=.*FREQ=(SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)\b)\S+")
_DATES = re.compile(r"(RDATE|EXDATE)(;[A-Z]+=[^:;]+)*:\d{8}(T\d{6}Z?)?(,\d{8}(T\d{6}Z?)?)*")


@dataclass(frozen=True, slots=True)
class Span:
    """Rendered `start` and `end`, and the same as instants in UTC (all-day: midnights of the calendar's zone).

    `last` is the instant after which nothing of the event can happen; None: it may go on for ever.
    """

    start: dict[str, str]
    end: dict[str, str]
    first: dt.datetime
    last: dt.datetime | None


@functools.cache
def _zone_names() -> set[str]:
    return zoneinfo.available_timezones()


def zone(name: str, what: str) -> zoneinfo.ZoneInfo:
    """The IANA zone; 400 naming `what` (such as "start time") if there is no such zone."""
    if name not in _zone_names():
        raise invalid(f"Invalid time zone definition for {what}.", "timeZone")
    return zoneinfo.ZoneInfo(name)


def span(start: Any, end: Any, recurrence: Sequence[str], calendar_zone: str) -> Span:
    """Validates and renders the times of an event; `start` and `end` as in a body, without nulls."""
    if not start:
        raise required("Missing start time.")
    if not end:
        raise required("Missing end time.")
    if ("date" in start) == ("dateTime" in start) or ("date" in end) == ("dateTime" in end):
        raise invalid("Invalid start or end time: exactly one of date and dateTime must be given.", "start")
    if ("date" in start) != ("date" in end):
        raise invalid("The start and end times must either both be date or both be dateTime.", "start")
    check_recurrence(recurrence)
    first, rendered_start = _moment(start, "start time", calendar_zone)
    last, rendered_end = _moment(end, "end time", calendar_zone)
    if last < first:
        raise known("timeRangeEmpty")
    if recurrence and "dateTime" in start:
        for given, what in ((start, "start"), (end, "end")):
            if "timeZone" not in given:
                raise required(f"Missing time zone definition for {what} time.")
    return Span(rendered_start, rendered_end, first, _end_of(recurrence, last, last - first))


def check_recurrence(lines: Sequence[str]) -> None:
    """400 for lines that are no RRULE, EXRULE, RDATE or EXDATE."""
    for line in lines:
        if not _RULE.fullmatch(line) and not _DATES.fullmatch(line):
            raise invalid(f"Invalid recurrence rule: {line}", "recurrence")
    if lines and not any(line.startswith(("RRULE", "RDATE")) for line in lines):
        raise invalid("Invalid recurrence rule.", "recurrence")


def in_zone(value: dict[str, str], zone_name: str) -> dict[str, str]:
    """A rendered start or end, written in another zone (parameter ``timeZone``); all-day ones stay."""
    if "dateTime" not in value:
        return value
    moment = dt.datetime.fromisoformat(value["dateTime"])
    return value | {"dateTime": _written(moment.astimezone(zoneinfo.ZoneInfo(zone_name)))}


def instant(text: str) -> dt.datetime:
    """A query parameter (RFC 3339 with offset) as an instant; its milliseconds are ignored, as documented."""
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise invalid(f"Invalid date-time: {text}") from None


def timestamp(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as Google writes `created` and `updated`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _moment(value: dict[str, str], what: str, calendar_zone: str) -> tuple[dt.datetime, dict[str, str]]:
    own_zone = zone(value["timeZone"], what) if "timeZone" in value else None
    home = zoneinfo.ZoneInfo(calendar_zone)
    text = value.get("date") or value.get("dateTime") or ""
    try:
        if "date" in value:
            if not _DATE.fullmatch(text):
                raise invalid(f"Invalid value for: Invalid date in {what}: {text!r}", what.replace(" time", ".date"))
            midnight = dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), home)
            # A zone has no meaning for whole days: it is not kept.
            return midnight.astimezone(dt.UTC), {"date": text}
        if not _DATE_TIME.fullmatch(text):
            raise invalid(f"Invalid value for: Invalid format: {text!r}", what.replace(" time", ".dateTime"))
        moment = dt.datetime.fromisoformat(text).replace(microsecond=0)
        if moment.tzinfo is None:
            # Neither offset nor zone: the calendar's zone.
            moment = moment.replace(tzinfo=own_zone or home)
        rendered = {"dateTime": _written(moment.astimezone(home))}
        if own_zone is not None:
            rendered["timeZone"] = own_zone.key
        return moment.astimezone(dt.UTC), rendered
    except (ValueError, OverflowError):
        raise invalid(f"Invalid value for: Invalid {what}: {text!r}", what.replace(" time", "")) from None


def _written(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + ("" if moment.utcoffset() else "Z")


def _end_of(recurrence: Sequence[str], end: dt.datetime, length: dt.timedelta) -> dt.datetime | None:
    """When a series is over for certain, by UNTIL alone: COUNT and RDATE are taken as endless.

    So a listing with `timeMin` may show a few more masters than Google would, never fewer.
    """
    if not recurrence:
        return end
    if any(line.startswith("RDATE") for line in recurrence):
        return None
    untils = [_UNTIL.search(line) for line in recurrence if line.startswith("RRULE")]
    bounds = [dt.date(*map(int, match.groups())) for match in untils if match is not None]
    if len(bounds) < len(untils):
        return None
    # Two days of grace: a whole day, and any zone's distance from UTC.
    return dt.datetime.combine(max(bounds), dt.time(), dt.UTC) + dt.timedelta(days=2) + length
