"""What the tests of repeating appointments share: a weekly series of Ann's, what people do with it, and what rests."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from local.google import occurrences
from local.google.occurrences import Slot
from local.studio_series import occurrence_id
from tests.end_to_end.coming_to_rest import synced, writes
from tests.series import SeriesDesk, Shown, in_calendar, in_studio
from tests.world import NOW, World

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = NOW.astimezone(BERLIN).date() + dt.timedelta(days=3)
WEEKLY = ["RRULE:FREQ=WEEKLY;COUNT=6"]
# Whatever these tests book ends before that.
DAYS = 450


def at(week: int, hour: int = 10, *, days: int = 0) -> dt.datetime:
    """An hour of the clock in Berlin, so many weeks after the first occurrence; UTC."""
    day = FIRST + dt.timedelta(weeks=week, days=days)
    return dt.datetime.combine(day, dt.time(hour), BERLIN).astimezone(dt.UTC)


def day(week: int) -> dt.date:
    return FIRST + dt.timedelta(weeks=week)


def timed(**fields: Any) -> dict[str, Any]:
    """The fields of Ann's weekly series, from ten to eleven."""
    times = {"start": at(0), "end": at(0, 11), "time_zone": "Europe/Berlin", "recurrence": WEEKLY}
    return {"title": "Weekly", "user_ids": ["ann"], **times, **fields}


def all_day(**fields: Any) -> dict[str, Any]:
    times = {"all_day": True, "start_date": day(0).isoformat(), "end_date": day(1 / 7).isoformat()}  # type: ignore[arg-type]
    return {"title": "Weekly", "user_ids": ["ann"], "recurrence": WEEKLY, **times, **fields}


def google_weekly(**fields: Any) -> dict[str, Any]:
    """The same as an event."""
    return {"summary": "Weekly", **google_times(at(0), at(0, 11)), "recurrence": WEEKLY, **fields}


def google_times(start: dt.datetime, end: dt.datetime, zone: str = "Europe/Berlin") -> dict[str, Any]:
    """Start and end of a series as Google's own page sends them: by the clock, with the zone."""
    times = {"start": start.astimezone(ZoneInfo(zone)), "end": end.astimezone(ZoneInfo(zone))}
    return {name: {"dateTime": f"{time:%Y-%m-%dT%H:%M:%S}", "timeZone": zone} for name, time in times.items()}


def joined(world: World, *user_ids: str, **sync: Any) -> World:
    for user_id in user_ids or ("ann",):
        world.join(user_id, populate_calendar=True, populate_studio=True, **sync)
    world.sync()
    return world


def with_weekly(world: World, **fields: Any) -> World:
    """Ann with a weekly series, in step."""
    world.book("weekly", **timed(**fields))
    joined(world)
    world.cloud.google.clear_requests()
    return world


# --- what people do ---------------------------------------------------------------------------------------------------


def overlay(world: World, week: int, series_id: str = "weekly", **fields: Any) -> str:
    """A front-end writes the document of an occurrence, with no more than these fields; gives its id."""
    one_id = occurrence_id(series_id, at(week))
    world.book(one_id, **{"series_id": series_id, "original_start": at(week), "user_ids": ["ann"], **fields})
    return one_id


def moves(world: World, week: int, *, to: int = 14, **fields: Any) -> str:
    """A front-end moves an occurrence to another hour of the same day."""
    return overlay(world, week, **{"title": "Weekly", "start": at(week, to), "end": at(week, to + 1), **fields})


def series_event(world: World, series_id: str = "weekly", user_id: str = "ann") -> str:
    return str(world.below(user_id, "links")[series_id]["event_id"])


def instance(world: World, week: int, series_id: str = "weekly", user_id: str = "ann") -> str:
    return f"{series_event(world, series_id, user_id)}_{occurrences.stamp(at(week))}"


def one_id(week: int, series_id: str = "weekly") -> str:
    return occurrence_id(series_id, at(week))


def moved_there(world: World, week: int, *, to: int = 14, user_id: str = "ann") -> None:
    """A person drags an instance to another hour in Google's own page."""
    by = dt.timedelta(hours=to - 10)
    world.person(user_id).move(instance(world, week, user_id=user_id), by)


# --- what can be seen -------------------------------------------------------------------------------------------------


def shown(start: dt.datetime, title: str = "Weekly", *, hours: float = 1) -> Shown:
    end = start + dt.timedelta(hours=hours)
    return (f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}", title, "", "confirmed", True)


def regular(*weeks: int, title: str = "Weekly") -> list[Shown]:
    """The occurrences of these weeks as the series has them."""
    return [shown(at(week), title) for week in weeks]


def calendar(world: World, user_id: str = "ann") -> list[Shown]:
    return in_calendar(world, user_id, DAYS)


def studio(world: World, user_id: str = "ann") -> list[Shown]:
    return in_studio(world, user_id, DAYS)


def desk(world: World) -> SeriesDesk:
    return SeriesDesk(world)


def slots_of(world: World, user_id: str, event_id: str) -> list[tuple[str, Slot]]:
    """Ids and slots of the instances of a series."""
    found = world.person(user_id).instances(event_id)
    return [(str(one["id"]), occurrences.slot_of(one["originalStartTime"])) for one in found]


def in_step(world: World, *expected: Shown, user_ids: tuple[str, ...] = ("ann",), parked: bool = False) -> None:
    """As `agreed`, and further runs change nothing."""
    agreed(world, *expected, user_ids=user_ids)
    stays(world, parked=parked)


def agreed(world: World, *expected: Shown, user_ids: tuple[str, ...] = ("ann",)) -> None:
    """Everything runs; then both sides show the same: what is expected, if that is said."""
    synced(world)
    for user_id in user_ids:
        there, here = calendar(world, user_id), studio(world, user_id)
        assert there == here, f"in {user_id}'s calendar {told(there, here)}, in the studio {told(here, there)}"
    if expected:
        there, wanted = calendar(world, user_ids[0]), sorted(expected)
        assert there == wanted, f"there are {told(there, wanted)}, and not {told(wanted, there)}"


def told(some: list[Shown], others: list[Shown]) -> list[Shown]:
    """What only the first have."""
    return [one for one in some if one not in others] or some


def stays(world: World, *, parked: bool = False) -> None:
    """Nothing waits, and further runs, one of them over a full listing, write nothing at all."""
    for user_id in world.connections:
        waiting, refused = world.below(user_id, "outbox"), world.below(user_id, "parked")
        assert waiting == {}, waiting
        assert parked or refused == {}, refused
    before = world.appointments(), [calendar(world, one) for one in world.connections]
    world.cloud.google.clear_requests()
    synced(world)
    world.cloud.google.expire_sync_tokens()
    synced(world)
    assert writes(world) == [], writes(world)
    assert world.appointments() == before[0], "documents have changed"
    assert [calendar(world, one) for one in world.connections] == before[1], "calendars have changed"
