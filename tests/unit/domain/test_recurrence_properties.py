"""Random rules, compared with a slow reading of them, day by day; and their many spellings, which are one."""

import datetime as dt
import functools
import itertools
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.domain import zones
from shared.domain.content import Timed, repeated
from shared.domain.recurrence import slot_of
from tests.unit.domain.series import HOUR, ONE_DAY

NAMES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ALIASES = {
    "Europe/Berlin": ["Europe/Berlin", "W. Europe Standard Time"],
    "America/New_York": ["America/New_York", "US/Eastern", "Eastern Standard Time"],
    "Australia/Lord_Howe": ["Australia/Lord_Howe", "Australia/LHI"],
    "Asia/Kathmandu": ["Asia/Kathmandu", "Asia/Katmandu"],
    "Pacific/Apia": ["Pacific/Apia"],
    "Europe/Kyiv": ["Europe/Kyiv", "Europe/Kiev"],
}
TEN_YEARS = 3653
# A slow reading of ten years takes its time.
SLOW = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One RRULE, and what is taken out again, as a person thinks of them."""

    freq: str
    interval: int = 1
    days: tuple[tuple[int, int], ...] = ()  # Weekday and number; 0: every one.
    month_days: tuple[int, ...] = ()
    week_start: int = 0
    count: int | None = None
    until: int | None = None  # Days after the first occurrence.
    without: tuple[int, ...] = ()  # As `until`.


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]))
    numbers = st.sampled_from([0, 1, 2, 4, 5, -1, -2, -5]) if freq == "MONTHLY" else st.just(0)
    named = st.lists(st.tuples(st.integers(0, 6), numbers), max_size=3, unique=True).map(
        lambda days: tuple(sorted(days))
    )
    month_days = st.lists(st.sampled_from([1, 13, 28, 29, 30, 31, -1, -3, -31]), max_size=2, unique=True)
    end = draw(st.sampled_from(["count", "until", "never"]))
    return Rule(
        freq=freq,
        interval=draw(st.integers(1, 5)),
        days=draw(named),
        month_days=() if freq == "WEEKLY" else tuple(sorted(draw(month_days))),
        week_start=draw(st.integers(0, 6)),
        count=draw(st.integers(1, 40)) if end == "count" else None,
        until=draw(st.integers(0, 900)) if end == "until" else None,
        without=tuple(sorted(draw(st.sets(st.integers(1, 400), max_size=4)))),
    )


starts = st.builds(
    lambda day, minutes: dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day, minutes=minutes),
    st.integers(0, 1200),
    # Everywhere in the day, and more often at the hours at which clocks change somewhere.
    st.one_of(st.integers(0, 95).map(lambda quarter: 15 * quarter), st.sampled_from([30, 90, 390, 330, 930])),
)
places = st.sampled_from(sorted(ALIASES))


# --- the slow reading -----------------------------------------------------------------------------------------------


def on(rule: Rule, day: dt.date, first: dt.date) -> bool:
    """Whether the rule, which has no end, is on this day."""
    match rule.freq:
        case "DAILY":
            away = (day - first).days
        case "WEEKLY":
            monday, first_monday = (d - dt.timedelta((d.weekday() - rule.week_start) % 7) for d in (day, first))
            away = (monday - first_monday).days // 7
        case _:
            away = (day.year - first.year) * 12 + day.month - first.month
    if away % rule.interval:
        return False
    length = ((day.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - ONE_DAY).day
    if rule.month_days and not {day.day, day.day - length - 1} & set(rule.month_days):
        return False
    if rule.days:
        names = {
            (day.weekday(), 0),
            (day.weekday(), (day.day + 6) // 7),
            (day.weekday(), -((length - day.day) // 7 + 1)),
        }
        return bool(names & set(rule.days))
    if rule.month_days or rule.freq == "DAILY":
        return True
    return day.weekday() == first.weekday() if rule.freq == "WEEKLY" else day.day == first.day


def slowly(rule: Rule, start: dt.datetime, zone: str, most_days: int = TEN_YEARS) -> list[str]:
    local = start.astimezone(zones.info(zone))

    def instant(day: dt.date) -> dt.datetime:
        return start if day == local.date() else dt.datetime.combine(day, local.time().replace(fold=0), local.tzinfo)

    def every() -> Iterator[int]:
        yield 0
        yield from (n for n in range(1, most_days) if on(rule, local.date() + n * ONE_DAY, local.date()))

    away = itertools.islice(every(), rule.count)
    if rule.until is not None:
        away = (n for n in away if n <= rule.until)  # type: ignore[assignment,operator]
    days = [local.date() + n * ONE_DAY for n in away]
    without = {slot_of(instant(local.date() + n * ONE_DAY)) for n in rule.without}
    return sorted({slot_of(instant(day)) for day in days} - without)


# --- the lines -------------------------------------------------------------------------------------------------------


def plain(rule: Rule, start: dt.datetime, zone: str) -> list[str]:
    """The lines that say it in one way."""
    local = start.astimezone(zones.info(zone))
    by_day = [f"{number or ''}{NAMES[day]}" for day, number in rule.days]
    parts = {
        "FREQ": rule.freq,
        "INTERVAL": rule.interval,
        "BYDAY": ",".join(by_day),
        "BYMONTHDAY": ",".join(map(str, rule.month_days)),
        "WKST": NAMES[rule.week_start],
        "COUNT": rule.count or "",
        "UNTIL": "" if rule.until is None else f"{local.date() + rule.until * ONE_DAY:%Y%m%d}",
    }
    lines = ["RRULE:" + ";".join(f"{name}={value}" for name, value in parts.items() if value)]
    if rule.without:
        without = (f"{local.date() + n * ONE_DAY:%Y%m%d}T{local:%H%M%S}" for n in rule.without)
        lines.append("EXDATE:" + ",".join(without))
    return lines


@st.composite
def spelled(draw: st.DrawFn, rule: Rule, start: dt.datetime, zone: str) -> list[str]:
    """The lines that say the same in any way."""
    local = start.astimezone(zones.info(zone))
    line, *_ = plain(rule, start, zone)
    parts = dict(part.split("=") for part in line.removeprefix("RRULE:").split(";"))
    if rule.until is not None:
        end = dt.datetime.combine(local.date() + rule.until * ONE_DAY, dt.time(23, 59, 59), local.tzinfo)
        parts["UNTIL"] = draw(st.sampled_from([parts["UNTIL"], f"{end:%Y%m%dT%H%M%S}", slot_of(end)]))
    for name in ("BYDAY", "BYMONTHDAY"):
        if name in parts:
            parts[name] = ",".join(draw(st.permutations(parts[name].split(","))))
    for name, default in (("INTERVAL", "1"), ("WKST", "MO")):
        if parts[name] == default and draw(st.booleans()):
            del parts[name]
    lines = ["RRULE:" + ";".join(f"{name}={value}" for name, value in draw(st.permutations(list(parts.items()))))]
    for n in draw(st.permutations(rule.without)):
        text = f"{local.date() + n * ONE_DAY:%Y%m%d}T{local:%H%M%S}"
        instant = dt.datetime.fromisoformat(text).replace(tzinfo=local.tzinfo)
        named = f";TZID={draw(st.sampled_from(ALIASES[zone]))}:{text}"
        value = draw(st.sampled_from([f":{text}", f":{slot_of(instant)}", named]))
        lines.append(f"EXDATE{value}")
        if draw(st.booleans()):
            lines.append(f"EXDATE:{text},{text}")
    lines = draw(st.permutations(lines))
    blank = st.sampled_from(["", " "])
    # A zone's name is the one thing that minds its case.
    written = [one if "TZID" in one or draw(st.booleans()) else one.lower() for one in lines]
    return [draw(blank) + one + draw(blank) for one in written]


def series(lines: list[str], start: dt.datetime, zone: str) -> Timed:
    when = repeated(Timed(start, start + HOUR), lines, zones.known(zone))
    assert isinstance(when, Timed)
    return when


def in_ten_years(when: Timed, start: dt.datetime) -> list[str]:
    return list(when.slots(start, start + TEN_YEARS * ONE_DAY - 2 * ONE_DAY))


def slowly_in_ten_years(rule: Rule, start: dt.datetime, zone: str) -> list[str]:
    before = slot_of(start + TEN_YEARS * ONE_DAY - 2 * ONE_DAY)
    return [slot for slot in slowly(rule, start, zone) if slot < before]


# --- the properties --------------------------------------------------------------------------------------------------


def possible(rule: Rule, start: dt.datetime, zone: str) -> bool:
    """Whether it is taken: it names some day, and if it counts, the first one."""
    first = start.astimezone(ZoneInfo(zone)).date()
    return names_a_day(rule.days, rule.month_days) and (rule.count is None or on(rule, first, first))


@functools.cache
def names_a_day(days: tuple[tuple[int, int], ...], month_days: tuple[int, ...]) -> bool:
    """From whenever it starts: a fifth Monday is never the first of its month."""
    if not days or not month_days:
        return True
    bare = Rule(freq="MONTHLY", days=days, month_days=month_days)
    first = dt.date(2000, 1, 1)
    return any(on(bare, first + n * ONE_DAY, first) for n in range(TEN_YEARS * 3))


@SLOW
@given(rules(), starts, places)
def test_the_slots_are_those_of_a_slow_reading(rule: Rule, start: dt.datetime, zone: str) -> None:
    assume(possible(rule, start, zone))
    when = series(plain(rule, start, zone), start, zone)
    assert in_ten_years(when, start) == slowly_in_ten_years(rule, start, zone)


@SLOW
@given(rules(), starts, places, st.sets(st.integers(0, 800), max_size=20), st.sampled_from([-60, -30, 0, 30, 60]))
def test_a_series_has_what_it_gives_and_nothing_else(
    rule: Rule, start: dt.datetime, zone: str, away: set[int], minutes: int
) -> None:
    assume(possible(rule, start, zone))
    when = series(plain(rule, start, zone), start, zone)
    there = set(in_ten_years(when, start))
    assert all(when.has(slot) for slot in there)
    shifted = {slot_of(start + dt.timedelta(days=n, minutes=minutes)) for n in away}
    assert {slot for slot in shifted if when.has(slot)} == {slot for slot in shifted if slot in there}


@SLOW
@given(rules(), starts, places, st.data())
def test_all_spellings_of_a_series_are_shown_alike(rule: Rule, start: dt.datetime, zone: str, data: Any) -> None:
    assume(possible(rule, start, zone))
    when = series(plain(rule, start, zone), start, zone)
    name = data.draw(st.sampled_from(ALIASES[zone]))
    other = series(data.draw(spelled(rule, start, zone)), start, name)
    assert other.shown() == when.shown()
    assert in_ten_years(other, start) == in_ten_years(when, start)
    assert other.ends_at == when.ends_at


@SLOW
@given(rules(), rules(), starts, places, st.data())
def test_series_that_are_shown_alike_have_the_same_slots(
    rule: Rule, other: Rule, start: dt.datetime, zone: str, data: Any
) -> None:
    """The other one differs in one field: what that does to the slots is to be seen."""
    field = data.draw(st.sampled_from(["interval", "days", "month_days", "week_start", "until", "count", "without"]))
    changed = msgspec.structs.replace(rule, **{field: getattr(other, field)})
    assume(changed.freq != "WEEKLY" or not changed.month_days)
    assume(changed.freq == "MONTHLY" or not any(number for _, number in changed.days))
    assume(changed.count is None or changed.until is None)
    assume(possible(rule, start, zone) and possible(changed, start, zone))
    one, two = (series(plain(each, start, zone), start, zone) for each in (rule, changed))
    if one.shown() == two.shown():
        assert in_ten_years(one, start) == in_ten_years(two, start)


@SLOW
@given(rules(), starts, places)
def test_what_goes_to_the_calendar_means_the_same(rule: Rule, start: dt.datetime, zone: str) -> None:
    assume(possible(rule, start, zone))
    when = series(plain(rule, start, zone), start, zone)
    strict = when.series().strict(when.recurrence)
    again = series(strict, start, zone)
    assert again.shown() == when.shown()
    assert again.series().strict(strict) == strict
    assert in_ten_years(again, start) == in_ten_years(when, start)


@SLOW
@given(st.sampled_from(["DAILY", "WEEKLY"]), st.integers(1, 5), starts, places, st.integers(-2000, 2000))
def test_a_series_that_moves_by_the_clock_takes_each_occurrence_along(
    freq: str, interval: int, start: dt.datetime, zone: str, minutes: int
) -> None:
    later = start + dt.timedelta(minutes=minutes)
    rule = Rule(freq=freq, interval=interval, count=30)
    before, after = (series(plain(rule, first, zone), first, zone) for first in (start, later))
    old, new = (list(when.slots(start - 9 * ONE_DAY, start + 900 * ONE_DAY)) for when in (before, after))
    stay = set(old) & set(new)
    expected = [slot if slot in stay else there for slot, there in zip(old, new, strict=True)]
    assert [before.moved(slot, after) for slot in old] == expected
