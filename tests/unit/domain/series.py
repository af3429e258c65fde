"""Makes series for the tests, from local times: ``2026-03-28 02:30`` in Berlin, unless another zone is given."""

import datetime as dt
import itertools

from shared.domain import zones
from shared.domain.content import NEVER, AllDay, Timed, repeated

ALWAYS = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), NEVER)
HOUR = dt.timedelta(hours=1)
ONE_DAY = dt.timedelta(days=1)
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def timed(at: str, *lines: str, zone: str = BERLIN, lasts: dt.timedelta = HOUR, fold: int = 0) -> Timed:
    """A series whose first occurrence starts at a local time: ``2026-03-28 02:30``."""
    start = dt.datetime.fromisoformat(at).replace(tzinfo=zones.info(zone), fold=fold).astimezone(dt.UTC)
    return repeated(Timed(start, start + lasts), lines, zone)  # type: ignore[return-value]


def days(first: str, *lines: str, lasts: int = 1) -> AllDay:
    start = dt.date.fromisoformat(first)
    return repeated(AllDay(start, start + lasts * ONE_DAY), lines)  # type: ignore[return-value]


def slots(when: Timed | AllDay, most: int = 20) -> list[str]:
    return list(itertools.islice(when.slots(*ALWAYS), most))
