"""Whether two time zones show the same clock (A7): their names may differ, and the time not."""

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = 366


def differ(one: str, other: str, now: dt.datetime) -> bool:
    """Whether the two show different times at any noon (UTC) of the coming year. An unknown zone differs from all."""
    if one == other:
        return False
    try:
        first, second = ZoneInfo(one), ZoneInfo(other)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return True
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    days = (noon + dt.timedelta(days=day) for day in range(_DAYS))
    return any(day.astimezone(first).utcoffset() != day.astimezone(second).utcoffset() for day in days)
