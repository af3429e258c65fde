"""The local times that one rule gives.

dateutil says which days of a year the BY parts name. It is asked for one year at a time, because a rule that has no
end, or that names no day at all, would keep it busy until the year 9999. Which of the days count is arithmetic on
periods: a rule's own days, weeks, months or years, every so many of them (INTERVAL), and places in each (BYSETPOS).
"""

import datetime as dt
import functools
import itertools
from collections.abc import Iterator

import msgspec
from dateutil import rrule

from shared.domain.recurrence_lines import YEARS, Rule

# How far is looked for what may not come: the rarest that exist, a weekday on 29 February, come again after 28 years,
# or 40 where a century leaves out its leap day.
FAR = 40


@functools.lru_cache(maxsize=1024)
def names_nothing(rule: Rule) -> bool:
    """Whether the BY parts contradict each other, as a 30 February does."""
    somewhen = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - local time
    everything = whole(rule, somewhen)
    return not any(_picked(everything, year) for year in range(somewhen.year, somewhen.year + FAR + 1))


def whole(rule: Rule, first: dt.datetime) -> Rule:
    """The rule with everything said that it leaves to its first occurrence, or to a default."""
    fields: dict[str, object] = {
        "hours": rule.hours or (first.hour,),
        "minutes": rule.minutes or (first.minute,),
        "seconds": rule.seconds or (first.second,),
    }
    named = rule.days or rule.month_days or rule.year_days
    numbered = any(number for _, number in rule.days)
    match rule.freq:
        case "WEEKLY" if not named:
            fields["days"] = ((first.weekday(), 0),)
        case "MONTHLY" if not named:
            fields["month_days"] = (first.day,)
        case "MONTHLY" if numbered and not rule.months:
            fields["months"] = tuple(range(1, 13))  # To dateutil, a number is within the month where months are named.
        case "YEARLY" if not named and rule.weeks:
            fields["days"] = ((first.weekday(), 0),)
        case "YEARLY" if not named:
            fields |= {"months": rule.months or (first.month,), "month_days": (first.day,)}
    if numbered:
        # dateutil takes "Mondays, and the first Tuesday" for Mondays that are the first Tuesday.
        most = 5 if rule.months or rule.freq == "MONTHLY" else 53
        every = {(day, n) for day, number in rule.days for n in ([number] if number else range(1, most + 1))}
        fields["days"] = tuple(sorted(every))
    days = fields.get("days", rule.days)
    several_weeks = rule.freq == "WEEKLY" and (
        rule.positions or (rule.interval > 1 and days != ((first.weekday(), 0),))
    )
    if not rule.weeks and not several_weeks:
        fields["week_start"] = 0
    return msgspec.structs.replace(rule, **fields)


def given(rule: Rule, first: dt.datetime, year: int) -> Iterator[dt.datetime]:
    """The local times of one year, from the first one on, that a rule gives without its COUNT and UNTIL; in order."""
    start = _period(rule, first)
    for local in _picked(rule, year):
        if local >= first and (_period(rule, local) - start) % rule.interval == 0:
            yield local


def _picked(rule: Rule, year: int) -> list[dt.datetime]:
    if not rule.positions:
        return _times(rule, year)
    # A week may lie in two years, and is counted as one.
    years = (year - 1, year, year + 1) if rule.freq == "WEEKLY" else (year,)
    named = [local for each in years if each in YEARS for local in _times(rule, each)]
    picked = set()
    for _, group in itertools.groupby(named, lambda local: _period(rule, local)):
        period = list(group)
        at = (position - 1 if position > 0 else len(period) + position for position in rule.positions)
        picked |= {period[index] for index in at if 0 <= index < len(period)}
    return sorted(local for local in picked if local.year == year)


def _period(rule: Rule, local: dt.datetime) -> int:
    """The number of the day, week, month or year; the day 1 January 1 was a Monday."""
    match rule.freq:
        case "DAILY":
            return local.toordinal()
        case "WEEKLY":
            return (local.toordinal() - 1 - rule.week_start) // 7
        case "MONTHLY":
            return local.year * 12 + local.month
        case _:
            return local.year


def _times(rule: Rule, year: int) -> list[dt.datetime]:
    """The local times of one year that the BY parts name, in order."""
    days = _days(year, rule.week_start, rule.months, rule.weeks, rule.year_days, rule.month_days, rule.days)
    clock = [dt.time(*at) for at in itertools.product(rule.hours, rule.minutes, rule.seconds)]
    return [dt.datetime.combine(day, time) for day in days for time in clock]


@functools.lru_cache(maxsize=512)
def _days(
    year: int,
    week_start: int,
    months: tuple[int, ...],
    weeks: tuple[int, ...],
    year_days: tuple[int, ...],
    month_days: tuple[int, ...],
    days: tuple[tuple[int, int], ...],
) -> tuple[dt.date, ...]:
    found = rrule.rrule(
        rrule.YEARLY,
        dtstart=dt.datetime(year, 1, 1),  # noqa: DTZ001 - local time
        interval=dt.MAXYEAR,
        wkst=week_start,
        bymonth=months or None,
        byweekno=weeks or None,
        byyearday=year_days or None,
        bymonthday=month_days or None,
        byweekday=[rrule.weekday(day, number or None) for day, number in days] or range(7),
    )
    return tuple(local.date() for local in found)
