"""Times, in the words that people use for them."""

import datetime as dt
import re

_UNITS = (("day", 24 * 60), ("hour", 60), ("minute", 1))


def lasting(minutes: int) -> str:
    """To the minute: ``6 hours``, but ``90 minutes``."""
    unit, length = next((unit, length) for unit, length in _UNITS if minutes % length == 0)
    return _counted(minutes // length, unit)


def ago(at: dt.datetime, now: dt.datetime) -> str:
    """In the largest unit that is full: 90 minutes are ``1 hour ago``."""
    minutes = (now - at) // dt.timedelta(minutes=1)
    found = next((_counted(minutes // length, unit) for unit, length in _UNITS if minutes >= length), None)
    return f"{found} ago" if found else "just now"


def day(at: dt.datetime) -> str:
    """``5 June 2026, 14:05 UTC``; pages that know the person's own clock show that instead."""
    there = at.astimezone(dt.UTC)
    return f"{there.day} {there:%B %Y, %H:%M} UTC"


def first_sentence(text: str) -> str:
    """For where there is little room; the rest stands where there is more."""
    return re.split(r"(?<=[.!?])\s+", text, maxsplit=1)[0]


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
