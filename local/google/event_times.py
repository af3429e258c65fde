"""Start, end and recurrence of an event: what Google accepts, and how it writes them back.

After https://developers.google.com/workspace/calendar/api/concepts/events-calendars and the Event resource of the
discovery document: start and end both dates or both date-times, an exclusive end, IANA zones, a zone for whatever
recurs, no DTSTART or DTEND among the recurrence lines.
"""

import calendar
import datetime as dt
import functools
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.google import occurrences
from local.google.errors import invalid, known, not_simulated, required
from local.google.occurrences import Reading, Slot

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UTC = zoneinfo.ZoneInfo("UTC")
# Nothing more frequent than daily: https://github.com/googleapis/google-api-ruby-client/issues/572
_RULE = re.compile(r"(RRULE|EXRULE):(?=.*FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)\b)\S+")
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


def span(start: Any, end: Any, recurrence: Sequence[str], calendar_zone: str, reading: Reading) -> Span:
    """Validates and renders the times of an event; `start` and `end` as in a body, without nulls."""
    if not start:
        raise required("Missing start time.")
    if not end:
        raise required("Missing end time.")
    if ("date" in start) == ("dateTime" in start) or ("date" in end) == ("dateTime" in end):
        raise invalid("Invalid start or end time: exactly one of date and dateTime must be given.", "start")
    if ("date" in start) != ("date" in end):
        raise invalid("The start and end times must either both be date or both be dateTime.", "start")
    check_recurrence(recurrence, all_day="date" in start)
    first, rendered_start = _moment(start, "start time", calendar_zone)
    last, rendered_end = _moment(end, "end time", calendar_zone)
    if last < first:
        raise known("timeRangeEmpty")
    if recurrence and "dateTime" in start:
        for given, what in ((start, "start"), (end, "end")):
            if "timeZone" not in given:
                raise required(f"Missing time zone definition for {what} time.")
    if not recurrence:
        return Span(rendered_start, rendered_end, first, last)
    return Span(
        rendered_start, rendered_end, first, _end_of(rendered_start, recurrence, last - first, calendar_zone, reading)
    )


def moment_of(slot: Slot, calendar_zone: str) -> dt.datetime:
    """The instant of a slot, in UTC; a whole day's is midnight in the calendar's zone."""
    if isinstance(slot, dt.datetime):
        return slot
    return dt.datetime.combine(slot, dt.time(), zoneinfo.ZoneInfo(calendar_zone)).astimezone(dt.UTC)


def check_recurrence(lines: Sequence[str], *, all_day: bool) -> None:
    """400 for lines that are no RRULE, EXRULE, RDATE or EXDATE, or not of the kind that the event needs."""
    for line in lines:
        if _RULE.fullmatch(line):
            _check_rule(line)
            continue
        if not _DATES.fullmatch(line):
            raise invalid(f"Invalid recurrence rule: {line}", "recurrence")
        _, _, values = line.partition(":")
        dates = {"T" not in value for value in values.split(",")}
        if all_day and False in dates:
            raise invalid(f"A date is needed for an event of whole days: {line}", "recurrence")
        if not all_day and True in dates:
            raise not_simulated(f"dates without times for an event that is not of whole days: {line}")
        for name in re.findall(r"TZID=([^:;]+)", line):
            zone(name, "recurrence")
        try:
            _ = [occurrences.moment(value, _UTC, _UTC, all_day=all_day) for value in values.split(",")]
        except ValueError:
            raise invalid(f"Invalid recurrence rule: {line}", "recurrence") from None
    if lines and not any(line.startswith(("RRULE", "RDATE")) for line in lines):
        raise invalid("Invalid recurrence rule.", "recurrence")


def in_zone(value: dict[str, str], zone_name: str) -> dict[str, str]:
    """A rendered start or end, written in another zone (parameter ``timeZone``); all-day ones stay."""
    if "dateTime" not in value:
        return value
    moment = dt.datetime.fromisoformat(value["dateTime"])
    return value | {"dateTime": written(moment.astimezone(zoneinfo.ZoneInfo(zone_name)))}


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
        rendered = {"dateTime": written(moment.astimezone(home))}
        if own_zone is not None:
            rendered["timeZone"] = own_zone.key
        return moment.astimezone(dt.UTC), rendered
    except (ValueError, OverflowError):
        raise invalid(f"Invalid value for: Invalid {what}: {text!r}", what.replace(" time", "")) from None


def written(moment: dt.datetime) -> str:
    """RFC 3339 with the moment's offset, as Google writes times of events."""
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + ("" if moment.utcoffset() else "Z")


def _refuse_endless_search(given: Mapping[str, str], line: str) -> None:
    """501: python-dateutil would look for a 30 February until the year 9999, for seconds."""
    if not {"BYMONTH", "BYMONTHDAY"} <= given.keys():
        return
    months, days = ([int(number) for number in given[name].split(",")] for name in ("BYMONTH", "BYMONTHDAY"))
    if not any(abs(day) <= calendar.monthrange(2000, month)[1] for month in months for day in days):
        raise not_simulated(f"a rule that never happens: {line}")


def _check_rule(line: str) -> None:
    rule = line.partition(":")[2]
    try:
        given = occurrences.parts(rule)
        numbers = [int(given[name]) for name in ("COUNT", "INTERVAL") if name in given]
        _refuse_endless_search(given, line)
        # The start is of no matter here: dateutil refuses unknown parts and values.
        occurrences.occurrences({"date": "2000-01-01"}, [f"RRULE:{rule}"], dt.date(2000, 1, 1))
    except (ValueError, TypeError, AttributeError):
        raise invalid(f"Invalid recurrence rule: {line}", "recurrence") from None
    if {"COUNT", "UNTIL"} <= given.keys() or min(numbers, default=1) < 1:
        raise invalid(f"Invalid recurrence rule: {line}", "recurrence")


def _end_of(
    start: dict[str, str], recurrence: Sequence[str], length: dt.timedelta, calendar_zone: str, reading: Reading
) -> dt.datetime | None:
    try:
        slot = occurrences.last(start, recurrence, reading)
    except ValueError:
        slot = occurrences.slot_of(start)  # It never happens: over as soon as it began.
    return None if slot is None else moment_of(slot, calendar_zone) + length
