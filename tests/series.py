"""Repeating appointments in a world: the desk where they are changed, and what is seen of them on either side."""

import datetime as dt
import functools
from typing import Any

from local import series_readings as readings
from local.series_readings import Shown
from local.studio_series import occurrence_id
from tests.world import NOW, World

__all__ = ["SeriesDesk", "Shown", "in_calendar", "in_studio", "occurrence_id"]

# Of the worlds' studios.
ZONE = "Europe/Berlin"
# Both readings begin so long ago.
PAST = dt.timedelta(days=7)


class SeriesDesk:
    """A front-end's desk in a world: each write is told to the run as the trigger would."""

    def __init__(self, world: World) -> None:
        self._world = world

    def book(self, appointment_id: str, **fields: Any) -> None:
        self._world.book(appointment_id, **fields)

    def edit(self, appointment_id: str, **fields: Any) -> None:
        self._world.edit(appointment_id, **fields)

    def appointment(self, appointment_id: str) -> dict[str, Any] | None:
        return self._world.front_end.appointment(appointment_id)


def in_calendar(world: World, user_id: str, days: int = 120) -> list[Shown]:
    """The calendar as Google's page shows it, series occurrence by occurrence."""
    return readings.in_calendar(world.person(user_id), NOW - PAST, NOW + dt.timedelta(days=days))


def in_studio(world: World, user_id: str, days: int = 120) -> list[Shown]:
    """The studio as a front-end shows it: each series with the documents of its occurrences laid over it."""
    until = NOW + dt.timedelta(days=days)
    return readings.in_studio(world.appointments(), user_id, NOW - PAST, until, zone=ZONE)


# What of them the random edits (`end_to_end/series_in_motion.py`) read by itself.
_whole, _stands, _times, _shown, _text = (
    readings.whole,
    readings.stands,
    readings.times,
    readings.shown,
    readings.text,
)
_has, _slots = functools.partial(readings.has, zone=ZONE), functools.partial(readings.slots, zone=ZONE)
