"""When a series happens, by its start and its recurrence lines (RFC 5545, 3.8.5), with python-dateutil.

Rules count in the wall clock of the event's zone. The start is always the first occurrence, whether or not a rule names
it, and counts for COUNT. An occurrence that an hour of the clock skips happens as much later (RFC 5545, 3.3.5).
"""

import datetime as dt
import functools
import itertools
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dateutil.rrule import rrulestr

# The date of a whole day, or an instant in UTC.
Slot = dt.date | dt.datetime

# What one expansion may hold, and how far it may reach: the smallest of these numbers of years that is enough.
MOST = 20_000
_YEARS = (5, 30, 150)
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """How rules are read where RFC 5545 is silent or not followed; see `Behaviour`."""

    until_date_includes_its_day: bool = True
    start_outlives_until: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `zone` of TZID, None if there is none."""

    name: str
    zone: zoneinfo.ZoneInfo | None
    value: str


def occurrences(
    start: Mapping[str, str], recurrence: Sequence[str], through: Slot | None = None, reading: Reading = Reading()
) -> tuple[Slot, ...]:
    """The slots in order, at least all up to `through`; `start` as in an event that recurs.

    No more than `MOST` of them, and none more than 150 years after the start. ValueError for lines that make no sense.
    """
    text = start.get("date") or start["dateTime"]
    years = _YEARS[-1]
    if through is not None:
        years = next((years for years in _YEARS if through.year < int(text[:4]) + years), years)
    return _expanded(text, start.get("timeZone", "UTC"), tuple(recurrence), years, reading)


def happens(start: Mapping[str, str], recurrence: Sequence[str], slot: Slot, reading: Reading = Reading()) -> bool:
    """Whether the slot is one of the series."""
    if isinstance(slot, dt.datetime) != ("dateTime" in start):
        return False
    return slot in occurrences(start, recurrence, slot, reading)


def last(start: Mapping[str, str], recurrence: Sequence[str], reading: Reading = Reading()) -> Slot | None:
    """The last slot; None if there may always be another one. ValueError for a series that never happens."""
    rules = [line.value for line in map(parsed, recurrence) if line.name == "RRULE"]
    if not all("COUNT=" in rule or "UNTIL=" in rule for rule in rules):
        return None
    slots = occurrences(start, recurrence, reading=reading)
    if not slots:
        raise ValueError("no occurrence")
    return None if len(slots) == MOST else slots[-1]


def parts(rule: str) -> dict[str, str]:
    """The parts of the value of a rule, such as ``{"FREQ": "DAILY", "COUNT": "3"}``. ValueError if it has no parts."""
    return dict(part.upper().split("=", 1) for part in rule.split(";") if part)


def ruled(start: Mapping[str, str], rule: str, before: Slot, reading: Reading = Reading()) -> int:
    """How many occurrences the rule alone gives before a slot, the start among them: what COUNT counts."""
    slots = occurrences(start, [f"RRULE:{rule}"], before, reading)
    return sum(slot < before for slot in slots)


def wall(slot: Slot, zone_name: str | None) -> dt.datetime:
    """The slot by the clock on the wall of a zone; midnight of a whole day."""
    if isinstance(slot, dt.datetime):
        return slot.astimezone(zoneinfo.ZoneInfo(zone_name or "UTC")).replace(tzinfo=None)
    return dt.datetime.combine(slot, dt.time())


def at(moment: dt.datetime, zone_name: str | None, *, all_day: bool) -> Slot:
    """The slot at a wall-clock time without zone: the inverse of `wall`."""
    if all_day:
        return moment.date()
    return moment.replace(tzinfo=zoneinfo.ZoneInfo(zone_name or "UTC")).astimezone(dt.UTC)


def slot_of(value: Mapping[str, str]) -> Slot:
    """The slot of a start or an original start, as rendered."""
    if "date" in value:
        return dt.date.fromisoformat(value["date"])
    return dt.datetime.fromisoformat(value["dateTime"]).astimezone(dt.UTC)


def stamp(slot: Slot) -> str:
    """As in ids of instances: ``20270601`` or ``20270601T080000Z``."""
    return slot.strftime("%Y%m%dT%H%M%SZ" if isinstance(slot, dt.datetime) else "%Y%m%d")


def from_stamp(text: str) -> Slot | None:
    """The inverse of `stamp`; None for anything else."""
    match = _STAMP.fullmatch(text)
    if match is None or match[7] == "":
        return None
    try:
        moment = _digits(text).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return moment.date() if match[4] is None else moment


@functools.lru_cache(maxsize=2000)
def _expanded(text: str, zone_name: str, recurrence: tuple[str, ...], years: int, reading: Reading) -> tuple[Slot, ...]:
    all_day = "T" not in text
    first = wall(slot_of({"date" if all_day else "dateTime": text}), zone_name)
    horizon = first.replace(year=min(first.year + years, dt.MAXYEAR), day=min(first.day, 28))
    lines = [parsed(line) for line in recurrence]
    zone = zoneinfo.ZoneInfo(zone_name)

    def walls(line: Line) -> Iterator[dt.datetime]:
        if line.name in {"RRULE", "EXRULE"}:
            return _rule(line, first, zone, horizon, reading, all_day=all_day)
        return (moment(value, line.zone or zone, zone, all_day=all_day) for value in line.value.split(","))

    def slots(name: str) -> set[Slot]:
        moments = itertools.chain.from_iterable(walls(line) for line in lines if line.name == name)
        return {at(moment, zone_name, all_day=all_day) for moment in moments}

    included = slots("RRULE") | slots("RDATE")
    until = [_until(parts(line.value), zone, reading, all_day=all_day) for line in lines if line.name == "RRULE"]
    ended = bool(until) and all(moment is not None and moment < first for moment in until)
    if reading.start_outlives_until or not ended:
        included.add(at(first, zone_name, all_day=all_day))
    return tuple(sorted(included - slots("EXDATE") - slots("EXRULE"))[:MOST])


def _rule(
    line: Line, first: dt.datetime, zone: zoneinfo.ZoneInfo, horizon: dt.datetime, reading: Reading, *, all_day: bool
) -> Iterator[dt.datetime]:
    given = parts(line.value)
    until = _until(given, zone, reading, all_day=all_day)
    until = horizon if until is None else min(until, horizon)
    count = min(int(given.pop("COUNT", MOST)), MOST)
    kept = {name: value for name, value in given.items() if name != "UNTIL"} | {"UNTIL": f"{until:%Y%m%dT%H%M%S}"}
    rule = iter(rrulestr(";".join(f"{name}={value}" for name, value in kept.items()), dtstart=first))
    found = list(itertools.islice(rule, count))
    # A start that the rule does not name takes one of the rule's count.
    counted = count if found[:1] == [first] or line.name == "EXRULE" else count - 1
    return iter(found[:counted])


def _until(given: Mapping[str, str], zone: zoneinfo.ZoneInfo, reading: Reading, *, all_day: bool) -> dt.datetime | None:
    """UNTIL by the wall clock of the series."""
    text = given.get("UNTIL")
    if text is None:
        return None
    until = moment(text, zone, zone, all_day=all_day)
    if not all_day and "T" not in text and reading.until_date_includes_its_day:
        return until + dt.timedelta(days=1, seconds=-1)
    return until


def moment(text: str, given_zone: zoneinfo.ZoneInfo, zone: zoneinfo.ZoneInfo, *, all_day: bool) -> dt.datetime:
    """A stamp by the wall clock of `zone`; one without Z is of `given_zone`. ValueError if it is none."""
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"no date: {text}")
    read = _digits(text)
    if all_day:
        return dt.datetime.combine(read, dt.time())
    if match[4] is None:
        return read
    return read.replace(tzinfo=dt.UTC if match[7] else given_zone).astimezone(zone).replace(tzinfo=None)


def _digits(text: str) -> dt.datetime:
    """A stamp as it reads, without a zone. ValueError if there is no such date."""
    return dt.datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d")  # noqa: DTZ007


def parsed(line: str) -> Line:
    """A line of a recurrence, its value as it is."""
    head, _, value = line.partition(":")
    name, *parameters = head.split(";")
    zones = [text.removeprefix("TZID=") for text in parameters if text.startswith("TZID=")]
    return Line(name, zoneinfo.ZoneInfo(zones[0]) if zones else None, value)
