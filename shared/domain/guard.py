"""How many deletions may be carried across within a day before a person is asked.

Cancellations in the studio (an event was deleted) and deletions in the calendar (an appointment was cancelled) count
alike, over a trailing day, against the pairs that are still to come: up to `FREE` always, more only up to `SHARE` of
them. What one run finds beyond that is held as a whole, so that the question names everything: "would cancel 41 of 58".
While that question is open, what follows within a day of it is held with it.
"""

import datetime as dt
import math

from shared.domain.connection import Taken

FREE = 5
SHARE = 0.2
TRAILING = dt.timedelta(hours=24)


def lets_through(wanted: int, taken: int, upcoming: int) -> bool:
    """Whether `wanted` further deletions are nothing unusual, after those `taken` within a day.

    `upcoming` counts the pairs still there that are to come; those taken were among them before.
    """
    count = wanted + taken
    return count <= FREE or count <= math.floor(SHARE * (upcoming + taken))


def count(taken: Taken, now: dt.datetime) -> int:
    """How many deletions the trailing day had; an hour counts as a whole."""
    return sum(_recent(taken, now).values())


def add(taken: Taken, number: int, now: dt.datetime) -> Taken:
    """The same with `number` more now, and without the hours that no longer count."""
    hours = _recent(taken, now)
    hour = _hour(now)
    return Taken(hours={**hours, hour: hours.get(hour, 0) + number})


def _recent(taken: Taken, now: dt.datetime) -> dict[str, int]:
    first = _hour(now - TRAILING)
    return {hour: number for hour, number in taken.hours.items() if hour >= first}


def _hour(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H}"
