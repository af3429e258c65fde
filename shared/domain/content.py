"""What both sides can agree on: one entry's fields, without anything that only one side knows.

`Content` is compared, merged and hashed by *units*: fields that belong together change together, so a new start with
an old end can never come out of a merge.
"""

import base64
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from shared.domain import recurrence, zones
from shared.domain.recurrence import NEVER, Series
from shared.domain.recurrence_lines import YEARS, unsupported


class Timed(msgspec.Struct, frozen=True, tag="timed", tag_field="kind", omit_defaults=True):
    """From one instant to another, both UTC; `end >= start`, and both the same is allowed.

    Of a series it is the first occurrence. `recurrence` holds its lines as they were written; `zone`, only where it
    repeats, is the IANA name of the zone whose clock the occurrences keep to. Each lasts as long as the first.
    """

    start: dt.datetime
    end: dt.datetime
    zone: str = ""
    recurrence: tuple[str, ...] = ()

    @property
    def repeats(self) -> bool:
        return bool(self.recurrence)

    @property
    def ends_at(self) -> dt.datetime:
        """When the last occurrence ends; `NEVER` where there is no last one."""
        return _ends_at(self) if self.recurrence else self.end

    def shown(self) -> str:
        once = f"{self.start:%Y-%m-%dT%H:%M:%SZ}/{self.end:%Y-%m-%dT%H:%M:%SZ}"
        return f"{once} {zones.canonical(self.zone)} {self.series().meaning}" if self.recurrence else once

    def series(self) -> Series:
        """Its occurrences: to be asked only where it repeats."""
        return recurrence.series(self.start, self.recurrence, self.zone)

    def slots(self, after: dt.datetime, before: dt.datetime) -> Iterator[str]:
        """In order, the slots of the occurrences that overlap [`after`, `before`)."""
        for slot in self.series().between(after, before) if self.recurrence else ():
            one = self.at(slot)
            if one.start >= before:
                return
            if one.end > after or one.start >= after:
                yield slot

    def has(self, slot: str) -> bool:
        return self.repeats and self.series().has(slot)

    def at(self, slot: str) -> "Timed":
        """The occurrence of a slot, as an entry by itself, whether there is one or not."""
        start = recurrence.original_of(slot)
        if not isinstance(start, dt.datetime):
            raise ValueError("a slot of whole days in a series of times")  # noqa: TRY004 - it is a text
        return Timed(start, start + self._length)

    def moved(self, slot: str, to: "When") -> str | None:
        return _moved(self, slot, to)

    def shifted(self, slot: str, to: "When") -> str | None:
        """The slot of `to` that is as far from its first one, whether or not it has this one as well."""
        return self.series().shifted(slot, to.series()) if self.recurrence and to.recurrence else None

    @property
    def _length(self) -> dt.timedelta:
        return self.end.replace(microsecond=0) - self.start.replace(microsecond=0)


class AllDay(msgspec.Struct, frozen=True, tag="all_day", tag_field="kind", omit_defaults=True):
    """Whole days; `end` is exclusive: one day is 3 May to 4 May. Of a series it is the first occurrence."""

    start: dt.date
    end: dt.date
    recurrence: tuple[str, ...] = ()

    @property
    def repeats(self) -> bool:
        return bool(self.recurrence)

    @property
    def ends_at(self) -> dt.datetime:
        """The latest instant at which the last day can still be going on anywhere (UTC-12); `NEVER` without a last."""
        return _ends_at(self) if self.recurrence else dt.datetime.combine(self.end, dt.time(12), dt.UTC)

    def shown(self) -> str:
        return f"{self.start}/{self.end} {self.series().meaning}" if self.recurrence else f"{self.start}/{self.end}"

    def series(self) -> Series:
        """Its occurrences: to be asked only where it repeats."""
        return recurrence.series(self.start, self.recurrence, "")

    def slots(self, after: dt.datetime, before: dt.datetime) -> Iterator[str]:
        """In order, the slots of the occurrences that overlap [`after`, `before`) anywhere on earth."""
        for slot in self.series().between(after, before) if self.recurrence else ():
            one = self.at(slot)
            starts_at = dt.datetime.combine(one.start, dt.time(), dt.UTC) - dt.timedelta(hours=14)
            if starts_at >= before:
                return
            if one.ends_at > after:
                yield slot

    def has(self, slot: str) -> bool:
        return self.repeats and self.series().has(slot)

    def at(self, slot: str) -> "AllDay":
        """The occurrence of a slot, as an entry by itself, whether there is one or not."""
        start = recurrence.original_of(slot)
        if isinstance(start, dt.datetime):
            raise ValueError("a slot of times in a series of whole days")  # noqa: TRY004 - it is a text
        return AllDay(start, start + (self.end - self.start))

    def moved(self, slot: str, to: "When") -> str | None:
        return _moved(self, slot, to)

    def shifted(self, slot: str, to: "When") -> str | None:
        """The slot of `to` that is as far from its first one, whether or not it has this one as well."""
        return self.series().shifted(slot, to.series()) if self.recurrence and to.recurrence else None


When = Timed | AllDay

_LONGEST = dt.timedelta(days=366)


def repeated(once: When, lines: Iterable[str], zone: str = "") -> When:
    """A series with `once` as its first occurrence; `zone` is an IANA name, or nothing for whole days.

    Raises:
        Park: `recurrence.checked` does not take the lines, or they leave no occurrence.
    """
    given = recurrence.checked(lines, all_day=isinstance(once, AllDay))
    if once.start.year not in YEARS or once.end - once.start > _LONGEST:
        unsupported("times too far from now, or too far apart")
    whole = msgspec.structs.replace(once, recurrence=given, **({"zone": zone} if zone else {}))
    if whole.series().early:
        unsupported("RDATE: before the first occurrence")
    if whole.series().miscounted:
        unsupported("COUNT: the start is none of the times that the rule gives")
    if whole.series().empty:
        unsupported("no occurrence is left")
    return whole


def _ends_at(when: When) -> dt.datetime:
    last = when.series().last
    return NEVER if last is None else when.at(last).ends_at


def _moved(when: When, slot: str, to: When) -> str | None:
    """The slot of `to` that takes the place of this one when the series is moved there; None if none does.

    One that `to` has as well stays as it is. Others go as far as the first occurrence went: by the clock for times, by
    days where whole days come in. A slot that makes no sense here has no place there.
    """
    if to.has(slot):
        return slot
    if not (when.recurrence and to.recurrence):
        return None
    return when.series().moved(slot, to.series())


Unit = Literal["title", "description", "location", "when", "status", "busy", "private"]
UNITS: tuple[Unit, ...] = ("title", "description", "location", "when", "status", "busy", "private")


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as both sides can hold it. A cancelled entry has no content: absence is a value of its own."""

    title: str = ""
    description: str = ""
    location: str = ""
    when: When
    status: Literal["confirmed", "tentative"] = "confirmed"
    busy: bool = True
    private: bool = False

    def differs(self, other: "Content") -> frozenset[Unit]:
        """The units in which `other` is not the same."""
        return frozenset(unit for unit in UNITS if not same(unit, self, other))


def same(unit: Unit, one: Content, other: Content) -> bool:
    # Most are equal as they are, and need no text made of them.
    return bool(getattr(one, unit) == getattr(other, unit)) or normal(unit, one) == normal(unit, other)


def normal(unit: Unit, content: Content) -> str:
    """A unit's value as text, without what providers and text fields change on their own (line ends, edges)."""
    value = getattr(content, unit)
    match value:
        case Timed() | AllDay():
            return value.shown()
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value).replace("\r\n", "\n").replace("\r", "\n").strip()


def with_units(content: Content, source: Content, units: frozenset[Unit]) -> Content:
    """`content` with the given units taken from `source`."""
    return msgspec.structs.replace(content, **{unit: getattr(source, unit) for unit in units})


BUSY = "Busy"


def without_text(content: Content) -> Content:
    """What may be known of a private entry: when it is, and that it is."""
    return msgspec.structs.replace(content, title=BUSY, description="", location="")


HASH_LENGTH = 8


def unit_hash(unit: Unit, content: Content) -> str:
    """Eight characters (40 bits) that stand for a unit's value where the value itself has no room."""
    return _base32hex(_sha256("unit", unit, normal(unit, content))[: HASH_LENGTH * 5 // 8])  # Five bits in each.


def digest(*parts: str) -> str:
    """52 characters of ``a-v0-9`` (base32hex of SHA-256): the alphabet that Google allows in event ids.

    The parts are length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    """
    return _base32hex(_sha256(*parts))


def _sha256(*parts: str) -> bytes:
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).digest()


def _base32hex(data: bytes) -> str:
    return base64.b32hexencode(data).decode().lower().rstrip("=")
