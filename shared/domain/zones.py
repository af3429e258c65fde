"""Time zones by their names: which are known, which mean the same, and whether two show the same clock (A7)."""

import datetime as dt
import functools
import importlib.resources
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

from shared.domain.errors import Park
from shared.domain.reasons import Reason

_DAYS = 366
_QUOTED = 60


def known(name: str) -> str:
    """The IANA name for one, for an alias of one (as it is: Oslo stays Oslo), or for a name that Windows uses.

    Raises:
        Park: nobody knows it; an offset such as ``GMT+2`` is no zone, it cannot tell when the clocks change.
    """
    given = name.strip()
    if given in _names():
        return given
    if given in win_tz:
        return win_tz[given]
    raise Park(
        Reason.INVALID, "time_zone", f"no such time zone is known: {given[:_QUOTED]}" if given else "it is missing"
    )


def canonical(name: str) -> str:
    """One name for all that mean the same zone (Europe/Kiev and Europe/Kyiv). Raises `Park` as `known` does."""
    return _names()[known(name)]


def info(name: str) -> ZoneInfo:
    """The zone itself. Raises `Park` as `known` does."""
    return ZoneInfo(known(name))


@functools.cache
def _names() -> dict[str, str]:
    """Each name of the time zone database, and the name of the zone that it stands for.

    In ``tzdata.zi`` a zone starts with a line ``Z name ...``, and an alias is a line ``L zone alias``.
    """
    text = importlib.resources.files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line[:2] in {"Z ", "L "}]
    return {row[1]: row[1] for row in rows if row[0] == "Z"} | {row[2]: row[1] for row in rows if row[0] == "L"}


def differ(one: str, other: str, now: dt.datetime) -> bool:
    """Whether the two show different times at any noon (UTC) of the coming year. An unknown zone differs from all."""
    if one == other:
        return False
    try:
        if canonical(one) == canonical(other):
            return False
        first, second = info(one), info(other)
    except Park:
        return True
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    days = (noon + dt.timedelta(days=day) for day in range(_DAYS))
    return any(day.astimezone(first).utcoffset() != day.astimezone(second).utcoffset() for day in days)


def local(at: dt.datetime, zone: str) -> str:
    """An instant as people read it, by the clock of a zone; in UTC where nobody knows that."""
    try:
        there = at.astimezone(info(zone))
    except Park:
        there, zone = at.astimezone(dt.UTC), "UTC"
    return f"{there:{'%Y-%m-%d %H:%M:%S' if there.second else '%Y-%m-%d %H:%M'}} {zone}"


def span(start: dt.datetime, end: dt.datetime, zone: str) -> str:
    """From one instant to another, as `local` has them."""
    return f"{local(start, zone).rpartition(' ')[0]} to {local(end, zone)}"
