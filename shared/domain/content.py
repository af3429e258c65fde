"""What both sides can agree on: one entry's fields, without anything that only one side knows.

`Content` is compared, merged and hashed by *units*: fields that belong together change together, so a new start with
an old end can never come out of a merge.
"""

import base64
import datetime as dt
import hashlib
from typing import Literal

import msgspec


class Timed(msgspec.Struct, frozen=True, tag="timed", tag_field="kind"):
    """From one instant to another, both UTC; `end >= start`, and both the same is allowed."""

    start: dt.datetime
    end: dt.datetime

    @property
    def ends_at(self) -> dt.datetime:
        return self.end

    def shown(self) -> str:
        return f"{self.start:%Y-%m-%dT%H:%M:%SZ}/{self.end:%Y-%m-%dT%H:%M:%SZ}"


class AllDay(msgspec.Struct, frozen=True, tag="all_day", tag_field="kind"):
    """Whole days; `end` is exclusive: one day is 3 May to 4 May."""

    start: dt.date
    end: dt.date

    @property
    def ends_at(self) -> dt.datetime:
        """The latest instant at which the last day can still be going on anywhere (UTC-12)."""
        return dt.datetime.combine(self.end, dt.time(12), dt.UTC)

    def shown(self) -> str:
        return f"{self.start}/{self.end}"


When = Timed | AllDay

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
