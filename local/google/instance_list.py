"""Which instances of series a listing shows: events.instances, and events.list with singleEvents=true."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from local.google import occurrences, series
from local.google.behaviour import Behaviour
from local.google.calendar import Calendar, StoredEvent
from local.google.errors import invalid, known
from local.google.event_times import instant, moment_of
from local.google.occurrences import Slot

# How far from now a listing without timeMax shows a series that has no end. Google's own limit is not documented.
HORIZON = dt.timedelta(days=730)


def of_series(
    calendar: Calendar, master: StoredEvent, query: dict[str, Any], behaviour: Behaviour, now: dt.datetime
) -> list[str]:
    """The ids that events.instances lists, by original start, then those of orphaned exceptions.

    Of an event that does not recur there are none to be had: Google documents no answer, the simulator's is 404.
    """
    if not master.recurs:
        raise known("notFound")
    bounds = {name: instant(query[name]) for name in ("timeMin", "timeMax") if name in query}
    if len(bounds) == len(("timeMin", "timeMax")) and bounds["timeMin"] >= bounds["timeMax"]:
        raise known("timeRangeEmpty")
    wanted = None if "originalStart" not in query else _slot(query["originalStart"], master)
    through: Slot | None = wanted or bounds.get("timeMax")
    if through is None and master.last is None:
        through = now.astimezone(dt.UTC) + HORIZON
    return [
        event.id
        for event in _instances(calendar, master, through, behaviour)
        if (wanted is None or series.slot_of(event) == wanted)
        and (query.get("showDeleted") or not event.cancelled)
        # Documented: timeMin is inclusive here, and exclusive for events.list.
        and ("timeMin" not in bounds or (event.last is not None and event.last >= bounds["timeMin"]))
        and ("timeMax" not in bounds or event.first < bounds["timeMax"])
    ]


def expanded(
    calendar: Calendar, query: dict[str, Any], behaviour: Behaviour, now: dt.datetime
) -> Iterator[StoredEvent]:
    """Single events and instances, those of deleted series only if deleted events are asked for."""
    through = instant(query["timeMax"]) if "timeMax" in query else now.astimezone(dt.UTC) + HORIZON
    shown: set[str] = set()
    for event in list(calendar.events.values()):
        if not event.recurs or event.master_id is not None:
            continue
        shown.add(event.id)
        if not event.cancelled or query.get("showDeleted"):
            yield from _instances(calendar, event, None if event.last else through, behaviour)
    for event in list(calendar.events.values()):
        if not event.recurs and event.master_id not in shown:
            yield event


def _instances(
    calendar: Calendar, master: StoredEvent, through: Slot | None, behaviour: Behaviour
) -> Iterator[StoredEvent]:
    """The instances of a series up to a slot or further, and all its exceptions."""
    whole = master.resource
    stored = {series.slot_of(event): event for event in calendar.exceptions(master.id) if not event.gone}
    for slot in occurrences.occurrences(whole["start"], whole["recurrence"], through, behaviour.reading):
        exception = stored.pop(slot, None)
        if exception is not None:
            yield exception
        elif through is None or moment_of(slot, calendar.time_zone) <= _end_of_day(through):
            yield series.instance(master, slot, calendar.time_zone, behaviour)
    yield from stored.values()


def _end_of_day(slot: Slot) -> dt.datetime:
    """Not before a whole day of any zone is over."""
    moment = slot if isinstance(slot, dt.datetime) else dt.datetime.combine(slot, dt.time(), dt.UTC)
    return moment + dt.timedelta(days=2)


def _slot(text: str, master: StoredEvent) -> Slot:
    """The parameter ``originalStart``: a date for whole days, or a time with an offset."""
    if "date" not in master.resource["start"]:
        return instant(text)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise invalid(f"Invalid date: {text}", "originalStart") from None
