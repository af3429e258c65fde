"""The lines of a recurrence (RFC 5545, 3.8.5) read into values: RRULE, EXRULE, RDATE, EXDATE.

What is not understood to the letter is parked, and so is what Google does not take (no DTSTART or DTEND among the
lines, nothing more frequent than a day): a rule that is guessed at puts photographers in the wrong place.
"""

import calendar
import datetime as dt
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NoReturn, cast

import msgspec

from shared.domain import zones
from shared.domain.errors import Park
from shared.domain.reasons import Reason

Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]

# UTC where it has a zone; without one it is the series' own local time.
Moment = dt.datetime | dt.date


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One RRULE or EXRULE. Weekdays count from Monday (0); `days` are pairs of one and its number (0: every)."""

    freq: Frequency
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    week_start: int = 0
    months: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """All the lines of one series; dates and times are each kept once."""

    rules: tuple[Rule, ...] = ()
    without_rules: tuple[Rule, ...] = ()
    dates: frozenset[Moment] = frozenset()
    without_dates: frozenset[Moment] = frozenset()


_QUOTED = 60


def unsupported(what: str) -> NoReturn:
    """Parks a series for `what`, of which no more is quoted than a person needs to find it."""
    raise Park(Reason.UNSUPPORTED_RULE, "recurrence", what if len(what) <= _QUOTED else what[: _QUOTED - 1] + "…")


@functools.lru_cache(maxsize=1024)
def read(lines: tuple[str, ...], *, all_day: bool) -> Lines:
    """Raises `Park` for what does not fit, naming the part that is the matter."""
    rules: dict[str, list[Rule]] = {"RRULE": [], "EXRULE": []}
    dates: dict[str, set[Moment]] = {"RDATE": set(), "EXDATE": set()}
    for line in lines:
        found = read_line(line, all_day=all_day)
        if isinstance(found, Rule):
            rules[name_of(line)].append(found)
        else:
            dates[name_of(line)] |= found
    if not rules["RRULE"] and not dates["RDATE"]:
        unsupported("neither RRULE nor RDATE")
    return Lines(
        rules=tuple(rules["RRULE"]),
        without_rules=tuple(rules["EXRULE"]),
        dates=frozenset(dates["RDATE"]),
        without_dates=frozenset(dates["EXDATE"]),
    )


def name_of(line: str) -> str:
    return line.partition(":")[0].partition(";")[0].strip().upper()


def read_line(line: str, *, all_day: bool) -> Rule | set[Moment]:
    """What an RRULE or EXRULE says, or the moments that an RDATE or EXDATE names. Raises `Park` as `read` does."""
    head, colon, value = line.partition(":")
    parameters = head.split(";")[1:]
    if not colon or not line.isprintable():
        unsupported(f"a line that cannot be read: {line!r}")
    match name_of(line):
        case "RRULE" | "EXRULE" as name:
            if parameters:
                unsupported(f"{name} with parameters: {head}")
            return _rule(value.strip().upper(), all_day=all_day)
        case "RDATE" | "EXDATE" as name:
            return _dates(name, parameters, value, all_day=all_day)
        case name:
            unsupported(f"{name}: only RRULE, EXRULE, RDATE and EXDATE")


# --- dates -----------------------------------------------------------------------------------------------------------

_MOMENT = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?")

# Away from either end of what can be counted, so that no offset and no length leads out of it.
YEARS = range(2, dt.MAXYEAR - 1)


def _dates(name: str, parameters: Sequence[str], value: str, *, all_day: bool) -> set[Moment]:
    """The values of an RDATE or EXDATE line."""
    zone, kind = "", ""
    for parameter in parameters:
        key, _, text = parameter.strip().partition("=")
        match key.upper():
            case "TZID":
                zone = text.strip('" ')
            case "VALUE":
                kind = text.upper()
            case _:
                unsupported(f"{name}: {parameter}")
    if kind == "PERIOD" or "/" in value:
        unsupported(f"{name} with periods")
    if kind not in {"", "DATE", "DATE-TIME"}:
        unsupported(f"{name}: VALUE={kind}")
    found = {_date(name, text.strip().upper(), zone, all_day=all_day) for text in value.split(",")}
    if kind and (kind == "DATE") != all_day:
        unsupported(f"{name}: VALUE={kind} in a series of {_kind(all_day=all_day)}")
    return found


def _date(name: str, text: str, zone: str, *, all_day: bool) -> Moment:
    found = _moment(name, text)
    if isinstance(found, dt.datetime) == all_day:
        unsupported(f"{name}: {text} is {'a time' if all_day else 'a day'} in a series of {_kind(all_day=all_day)}")
    if not zone or not isinstance(found, dt.datetime) or found.tzinfo is not None:
        return found
    try:
        info = zones.info(zone)
    except Park:
        unsupported(f"{name}: TZID={zone}")
    return found.replace(tzinfo=info).astimezone(dt.UTC)


def _kind(*, all_day: bool) -> str:
    return "whole days" if all_day else "times"


def _moment(name: str, text: str) -> Moment:
    """``20260301``, ``20260301T090000`` (local) or ``20260301T090000Z``."""
    read = {8: dt.date.fromisoformat, 15: dt.datetime.fromisoformat, 16: dt.datetime.fromisoformat}
    try:
        found = read[len(text)](text) if _MOMENT.fullmatch(text) else None
    except ValueError:  # The thirtieth of February.
        found = None
    return unsupported(f"{name}: {text}") if found is None or found.year not in YEARS else found


def _until(name: str, text: str) -> Moment | None:
    """An end in the last years that can be counted is how some say that there is none."""
    endless = _MOMENT.fullmatch(text) and int(text[:4]) >= YEARS.stop
    return None if endless else _moment(name, text)


# --- rules -----------------------------------------------------------------------------------------------------------

_WEEKDAYS = {name: number for number, name in enumerate(("MO", "TU", "WE", "TH", "FR", "SA", "SU"))}
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")

# More often than this, nobody's appointment is repeated on purpose, and each has to be counted: 27 years of days.
MOST = 10_000


def _rule(text: str, *, all_day: bool) -> Rule:
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts:
            unsupported(f"a part that cannot be read: {part!r}")
        parts[name] = value
    freq = parts.pop("FREQ", "")
    if freq not in _FREQUENCIES:
        unsupported(f"FREQ={freq}: only days, weeks, months and years" if freq else "FREQ: it is missing")
    fields: dict[str, Any] = {}
    for name, value in parts.items():
        if name not in _PARTS:
            unsupported(f"{name}: not known here")
        field, reader = _PARTS[name]
        fields[field] = reader(name, value)
    rule = Rule(freq=cast(Frequency, freq), **fields)
    _check(rule, all_day=all_day)
    return rule


def _one(most: int) -> Callable[[str, str], int]:
    def reader(name: str, value: str) -> int:
        if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= most or len(value) > len(str(most)):
            unsupported(f"{name}: a number from 1 to {most}, not {value}")
        return int(value)

    return reader


def _several(least: int, most: int, *, signed: bool = False) -> Callable[[str, str], tuple[int, ...]]:
    def reader(name: str, value: str) -> tuple[int, ...]:
        numbers = []
        for text in value.split(","):
            number = int(text) if _NUMBER.fullmatch(text) else most + 1
            if not least <= (abs(number) if signed else number) <= most:
                unsupported(f"{name}={value}")
            numbers.append(number)
        return tuple(sorted(set(numbers)))

    return reader


def _weekdays(name: str, value: str) -> tuple[tuple[int, int], ...]:
    days = set()
    for text in value.split(","):
        match = _DAY.fullmatch(text)
        if match is None or (match[1] is not None and not 1 <= abs(int(match[1])) <= 53):  # noqa: PLR2004 - weeks
            unsupported(f"{name}={value}")
        days.add((_WEEKDAYS[match[2]], int(match[1] or 0)))
    return tuple(sorted(days))


def _weekday(name: str, value: str) -> int:
    return _WEEKDAYS[value] if value in _WEEKDAYS else unsupported(f"{name}={value}")


_PARTS: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "INTERVAL": ("interval", _one(9999)),
    "COUNT": ("count", _one(MOST)),
    "UNTIL": ("until", _until),
    "WKST": ("week_start", _weekday),
    "BYMONTH": ("months", _several(1, 12)),
    "BYWEEKNO": ("weeks", _several(1, 53, signed=True)),
    "BYYEARDAY": ("year_days", _several(1, 366, signed=True)),
    "BYMONTHDAY": ("month_days", _several(1, 31, signed=True)),
    "BYDAY": ("days", _weekdays),
    "BYHOUR": ("hours", _several(0, 23)),
    "BYMINUTE": ("minutes", _several(0, 59)),
    "BYSECOND": ("seconds", _several(0, 59)),
    "BYSETPOS": ("positions", _several(1, 366, signed=True)),
}


def _check(rule: Rule, *, all_day: bool) -> None:
    """What each part allows by itself, and RFC 5545 (3.3.10) does not together. The first that is true is said."""
    numbered = any(number for _, number in rule.days)
    within_month = rule.freq == "MONTHLY" or (rule.freq == "YEARLY" and bool(rule.months))
    parts = (
        rule.months,
        rule.weeks,
        rule.year_days,
        rule.month_days,
        rule.days,
        rule.hours,
        rule.minutes,
        rule.seconds,
    )
    wrong = {
        "COUNT together with UNTIL": rule.count is not None and rule.until is not None,
        "UNTIL: a time in a series of whole days": all_day and isinstance(rule.until, dt.datetime),
        "BYHOUR, BYMINUTE or BYSECOND in a series of whole days": all_day
        and (rule.hours or rule.minutes or rule.seconds),
        "BYWEEKNO: only with FREQ=YEARLY": rule.weeks and rule.freq != "YEARLY",
        # Whose year is the week that lies in two? Nobody says.
        "BYWEEKNO together with INTERVAL or BYSETPOS": rule.weeks and (rule.interval > 1 or rule.positions),
        # Counted from the end it may be a year's first week, and start in the year before: dateutil overlooks that.
        "BYWEEKNO: -52 and -53": {-52, -53} & set(rule.weeks),
        "BYYEARDAY: only with FREQ=YEARLY": rule.year_days and rule.freq != "YEARLY",
        "BYMONTHDAY: not with FREQ=WEEKLY": rule.month_days and rule.freq == "WEEKLY",
        "BYDAY: numbers only with FREQ=MONTHLY or FREQ=YEARLY": numbered and rule.freq in {"DAILY", "WEEKLY"},
        "BYDAY: numbers not with BYWEEKNO": numbered and rule.weeks,
        "BYDAY: no month has a sixth": within_month and any(abs(number) > 5 for _, number in rule.days),  # noqa: PLR2004
        "BYSETPOS: only with another BY part": rule.positions and not any(parts),
        "BYMONTHDAY: no month has that day": rule.month_days and not _has_day(rule.months, rule.month_days),
    }
    for what, so in wrong.items():
        if so:
            unsupported(what)


def _has_day(months: Sequence[int], days: Sequence[int]) -> bool:
    leap_year = 2024
    return any(abs(day) <= calendar.monthrange(leap_year, month)[1] for month in months or range(1, 13) for day in days)
