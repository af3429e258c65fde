"""The occurrences of a series: which there are, what each is called, and which takes another's place after a move.

An occurrence keeps the wall-clock time of the series' zone, so rules are followed in naive local time and made instants
at the end: a time that the clocks skip is what the offset before the gap makes of it (02:30 becomes 03:30), one that
comes twice is the first of the two. What the lines name as instants stays that.

The first occurrence always counts, also for COUNT, and also where no rule gives it (RFC 5545, 3.8.5.3).
"""

import datetime as dt
import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

import msgspec

from shared.domain import recurrence_lines, recurrence_rule, zones
from shared.domain.recurrence_lines import YEARS, Moment, Rule, unsupported

NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)

# How far COUNT is counted.
_COUNTED = 200
_LONGEST_GAP = dt.timedelta(days=1)  # Islands that changed sides of the date line.
_KEPT_YEARS = 64


def slot_of(original: dt.datetime | dt.date) -> str:
    """``20260301T090000Z`` for an instant, ``20260301`` for a date."""
    if isinstance(original, dt.datetime):
        text = original.astimezone(dt.UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"
    else:
        text = original.isoformat()
    return text.replace("-", "").replace(":", "")


_SLOT = re.compile(r"[0-9]{8}(T[0-9]{6}Z)?", re.ASCII)


def original_of(slot: str) -> dt.datetime | dt.date:
    """The instant (UTC) or the date that a slot names. Raises `ValueError` for nonsense."""
    if not _SLOT.fullmatch(slot):
        raise ValueError("no slot of a series")
    return dt.datetime.fromisoformat(slot) if "T" in slot else dt.date.fromisoformat(slot)


def checked(lines: Iterable[str], *, all_day: bool) -> tuple[str, ...]:
    """The lines without blanks around them.

    Raises:
        Park: the calendar could not hold them, or we could not tell the occurrences; `detail` names what it is.
    """
    given = tuple(line.strip() for line in lines if line.strip())
    if any(recurrence_rule.names_nothing(rule) for rule in recurrence_lines.read(given, all_day=all_day).rules):
        unsupported("a rule without any occurrence")
    return given


@functools.lru_cache(maxsize=256)
def series(first: dt.datetime | dt.date, lines: tuple[str, ...], zone: str) -> "Series":
    """The series that starts at an instant (UTC; `zone` is its zone's name) or, of whole days, on a date.

    Kept, and with it the years that were counted. Raises `Park` as `checked` does.
    """
    return Series(first, lines, zones.info(zone) if isinstance(first, dt.datetime) else None)


class _Year(msgspec.Struct, frozen=True):
    """The local year's slots, each with its local time: what the rules give, and what there is, in order."""

    ruled: dict[str, dt.datetime]
    there: dict[str, dt.datetime]


class Series:
    """What the lines make of the first occurrence. Local times are naive; a day is its midnight."""

    def __init__(self, first: dt.datetime | dt.date, lines: tuple[str, ...], zone: ZoneInfo | None) -> None:
        self._zone = zone
        self.all_day = zone is None
        self._start = first.replace(microsecond=0) if isinstance(first, dt.datetime) else first
        self.first = self._shown(self._start)
        read = recurrence_lines.read(lines, all_day=zone is None)
        self._rules = {recurrence_rule.whole(rule, self.first) for rule in read.rules}
        self._without_rules = {recurrence_rule.whole(rule, self.first) for rule in read.without_rules}
        dates = {self._slot_of(moment): self._shown(moment) for moment in read.dates}
        start = slot_of(self._start)
        self.early = any(slot < start for slot in dates)
        self._dates = {slot: local for slot, local in dates.items() if slot >= start}
        self._without = {self._slot_of(moment) for moment in read.without_dates}
        self._years: dict[int, _Year] = {}
        self._counts: dict[tuple[Rule, bool], tuple[dt.datetime, ...]] = {}

    # --- slots and local times ---------------------------------------------------------------------------------------

    def slot(self, local: dt.datetime) -> str:
        """The slot of a local time; the first occurrence is where it is, be it the second of two that look the same."""
        if self._zone is None:
            return slot_of(local.date())
        return slot_of(self._start if local == self.first else local.replace(tzinfo=self._zone))

    def local(self, slot: str) -> dt.datetime:
        """The local time that an occurrence was meant for; where there is none, what the clock shows."""
        found = (year.there[slot] for year in self._near(slot) if slot in year.there)
        return next(found, self._shown(original_of(slot)))

    def _slot_of(self, moment: Moment) -> str:
        if isinstance(moment, dt.datetime) and moment.tzinfo is None:
            return self.slot(moment)
        return slot_of(moment)

    def _shown(self, moment: Moment) -> dt.datetime:
        if not isinstance(moment, dt.datetime):
            return dt.datetime.combine(moment, dt.time())
        return (moment if moment.tzinfo is None else moment.astimezone(self._zone)).replace(tzinfo=None, fold=0)

    # --- the occurrences ---------------------------------------------------------------------------------------------

    def has(self, slot: str) -> bool:
        return self._fits(slot) and any(slot in year.there for year in self._near(slot))

    def _fits(self, slot: str) -> bool:
        try:
            original = original_of(slot)
        except ValueError:
            return False
        return isinstance(original, dt.datetime) != self.all_day and original.year in YEARS

    def between(self, after: dt.datetime, before: dt.datetime) -> Iterator[str]:
        """In order, the slots of the local years around this time: of all that can go on within it, and of more."""
        known = ""
        for year in range(max(after.year - 2, self.first.year), min(before.year + 1, self._last_year) + 1):
            for slot in self._year(year).there:
                if slot > known:
                    yield slot
                    known = slot

    @functools.cached_property
    def last(self) -> str | None:
        """The slot of the last occurrence; None where there is no end."""
        if self._endless:
            return None
        for year in range(self._last_year, max(self._last_year - recurrence_rule.FAR, self.first.year) - 1, -1):
            if there := self._year(year).there:
                return max(there)
        return self.slot(self.first)

    @functools.cached_property
    def miscounted(self) -> bool:
        """Whether a rule counts though it does not give the first occurrence. Google adds that on top of the number
        (googleapis/google-api-nodejs-client#2214), others count it, and RFC 5545 calls it undefined.
        """
        counting = (rule for rule in self._rules if rule.count is not None)
        return any(self.first not in recurrence_rule.given(rule, self.first, self.first.year) for rule in counting)

    @functools.cached_property
    def empty(self) -> bool:
        """Whether there is no occurrence at all, or none in many years."""
        last = min(self._last_year, self.first.year + recurrence_rule.FAR)
        return not any(self._year(year).there for year in range(self.first.year, last + 1))

    @functools.cached_property
    def _endless(self) -> bool:
        return any(rule.count is None and rule.until is None for rule in self._rules)

    @functools.cached_property
    def _last_year(self) -> int:
        """No later year has an occurrence."""
        if self._endless:
            return YEARS[-1]
        ends = [self.first, *self._dates.values(), *(self._end_of(rule) or self.first for rule in self._rules)]
        # What New Year's Eve should have had may be put off by a gap.
        return min(max(end.year for end in ends) + 1, YEARS[-1])

    def _near(self, slot: str) -> list[_Year]:
        """The years that can have the slot: the one that the clock shows, and the one before if there was a gap."""
        shown = self._shown(original_of(slot))
        return [self._year(year) for year in {shown.year, (shown - _LONGEST_GAP).year} if self.first.year <= year]

    def _year(self, year: int) -> _Year:
        if year not in self._years:
            without = {slot for rule in self._without_rules for slot in self._given(rule, year)}
            ruled = {self.slot(self.first): self.first} if year == self.first.year else {}
            for rule in self._rules:
                ruled |= self._given(rule, year, counting_first=True)
            ruled = {slot: local for slot, local in ruled.items() if slot not in without}
            every = ruled | {s: local for s, local in self._dates.items() if local.year == year and s not in without}
            there = {slot: every[slot] for slot in sorted(every.keys() - self._without)}
            if len(self._years) >= _KEPT_YEARS:
                self._years.clear()
            self._years[year] = _Year(ruled, there)
        return self._years[year]

    def _given(self, rule: Rule, year: int, *, counting_first: bool = False) -> dict[str, dt.datetime]:
        """The slots that a rule gives in a local year."""
        if rule.count is not None:
            return {
                self.slot(local): local
                for local in self._counted(rule, counting_first=counting_first)
                if local.year == year
            }
        given = {self.slot(local): local for local in recurrence_rule.given(rule, self.first, year)}
        if rule.until is None:
            return given
        until = self._until(rule.until)
        return {slot: local for slot, local in given.items() if slot <= until}

    def _until(self, until: Moment) -> str:
        if self._zone is not None and not isinstance(until, dt.datetime):
            return self.slot(dt.datetime.combine(until, dt.time(23, 59, 59)))
        return self._slot_of(until)

    def _counted(self, rule: Rule, *, counting_first: bool = True) -> tuple[dt.datetime, ...]:
        """The local times of a rule with COUNT. What an EXRULE takes out need not be there: it counts its own only."""
        if (rule, counting_first) not in self._counts:
            years = range(self.first.year, min(self.first.year + _COUNTED, YEARS[-1]) + 1)
            given: Iterator[dt.datetime] = (
                local for year in years for local in recurrence_rule.given(rule, self.first, year)
            )
            if counting_first:
                given = itertools.chain([self.first], (local for local in given if local > self.first))
            self._counts[rule, counting_first] = tuple(itertools.islice(given, rule.count))
        return self._counts[rule, counting_first]

    def _end_of(self, rule: Rule) -> dt.datetime | None:
        """The local time of the last occurrence that a rule with an end gives; None if it gives none."""
        if rule.count is not None:
            return max(self._counted(rule))
        last = min(self._shown(rule.until).year + 1, YEARS[-1]) if rule.until is not None else self.first.year
        for year in range(last, max(last - recurrence_rule.FAR, self.first.year) - 1, -1):
            if given := self._given(rule, year):
                return max(given.values())
        return None

    # --- what it means -----------------------------------------------------------------------------------------------

    @functools.cached_property
    def meaning(self) -> str:
        """The same for all spellings of the same series, and no other: defaults said, what has no effect left out."""
        without = [rule for rule in self._without_rules if rule.until is None or self._end_of(rule) is not None]
        left_out = {slot for slot in self._without if any(slot in year.ruled for year in self._near(slot))}
        added = {
            slot
            for slot in self._dates
            if any(slot in year.there and slot not in year.ruled for year in self._near(slot))
        }
        parts = {
            "RRULE": [self._spelled(rule) for rule in self._rules],
            "EXRULE": [self._spelled(rule) for rule in without],
            "RDATE": added,
            "EXDATE": left_out,
        }
        return " ".join(f"{name}:{','.join(sorted(values))}" for name, values in parts.items())

    def _spelled(self, rule: Rule) -> str:
        until = None if rule.until is None else self.slot(self._end_of(rule) or self.first)
        parts = {**msgspec.structs.asdict(rule), "until": until}
        return ";".join(f"{name}={value}" for name, value in parts.items() if value not in {None, ()})

    def strict(self, lines: Iterable[str]) -> list[str]:
        """The series' lines as RFC 5545 asks for them: instants in UTC, days with ``VALUE=DATE``, no blanks.

        Other programs read more, but not the same: a local UNTIL, a zone's name from Windows.
        """
        return [self._strict(line) for line in lines]

    def _strict(self, line: str) -> str:
        read = recurrence_lines.read_line(line, all_day=self.all_day)
        if isinstance(read, Rule):
            until = "" if read.until is None else self._until(read.until)
            return re.sub(r"(?<=UNTIL=)[^;]*", until, line.upper()) if until else line.upper()
        name = recurrence_lines.name_of(line)
        value = ",".join(sorted(self._slot_of(moment) for moment in read))
        return f"{name};VALUE=DATE:{value}" if self.all_day else f"{name}:{value}"

    def moved(self, slot: str, to: "Series") -> str | None:
        """The slot of `to` that takes the place of this one: itself, where that has it as well."""
        return slot if to.has(slot) else self.shifted(slot, to)

    def shifted(self, slot: str, to: "Series") -> str | None:
        """The slot of `to` for an occurrence of this one: as far from the first one, by the clock or by the days."""
        if not self._fits(slot):
            return None
        here = self.local(slot)
        try:
            if self.all_day or to.all_day:
                days = dt.timedelta(days=(to.first.date() - self.first.date()).days)
                there = dt.datetime.combine(here.date() + days, to.first.time())
            else:
                there = here + (to.first - self.first)
            found = to.slot(there)
        except OverflowError:
            return None
        return found if to.has(found) else None
