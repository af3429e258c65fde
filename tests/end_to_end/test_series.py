"""Repeating appointments, whoever changes what of them: both sides show the same, and what was asked for has changed.

One world for each origin, with a series in each zone and one of whole days, all of them over the next change of the
clock there. Each test does one thing to all of them.
"""

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest

from local import studio_series
from local.google import occurrences
from local.google.occurrences import Slot
from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.repeating import DAYS, agreed, calendar, google_times, slots_of, stays, studio
from tests.series import SeriesDesk, Shown
from tests.snapshot import Snapshot
from tests.soak import few
from tests.world import NOW, Cloud, World

Side = Literal["studio", "calendar"]
Scope = Literal["this", "following", "all"]

DAY = "whole days"
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]
SERIES = [*ZONES, DAY]
NUMBER, CHOSEN = 6, 2
RULE = [f"RRULE:FREQ=WEEKLY;COUNT={NUMBER}"]
WEEK = dt.timedelta(weeks=1)
LENGTH = dt.timedelta(minutes=90)


def first_day(zone: str) -> dt.date:
    """The third occurrence is the first one after the zone's next change of the clock, wherever it has one."""
    known = ZoneInfo("UTC" if zone == DAY else zone)
    days = [NOW.date() + dt.timedelta(days=n) for n in range(20, DAYS - 60)]
    noons = [dt.datetime.combine(one, dt.time(12), known) for one in days]
    changes = (two.date() for one, two in itertools.pairwise(noons) if one.utcoffset() != two.utcoffset())
    return next(changes, days[0]) - dt.timedelta(days=13)


FIRST = {name: first_day(name) for name in SERIES}


def slot(name: str, week: int, *, by: dt.timedelta = dt.timedelta()) -> Slot:
    """An occurrence's original start, or so much later by the clock."""
    if name == DAY:
        return FIRST[name] + week * WEEK + by
    wall = dt.datetime.combine(FIRST[name], dt.time(10)) + week * WEEK + by
    return wall.replace(tzinfo=ZoneInfo(name)).astimezone(dt.UTC)


def entry(name: str, week: int, *, title: str = "", by: dt.timedelta = dt.timedelta()) -> Shown:
    start = slot(name, week, by=by)
    end = start + (LENGTH if name != DAY else dt.timedelta(days=2))
    pattern = "%Y-%m-%dT%H:%M:%SZ" if name != DAY else "%Y-%m-%d"
    return (start.strftime(pattern), end.strftime(pattern), title or name, "Attic", "confirmed", True)


def studio_fields(name: str) -> dict[str, Any]:
    common = {"title": name, "location": "Attic", "user_ids": ["ann"], "recurrence": RULE, "client_id": "carla"}
    first = slot(name, 0)
    if not isinstance(first, dt.datetime):
        dates = {"start_date": first.isoformat(), "end_date": (first + dt.timedelta(days=2)).isoformat()}
        return {**common, "all_day": True, **dates}
    return {**common, "start": first, "end": first + LENGTH, "time_zone": name}


def event_fields(name: str) -> dict[str, Any]:
    first = slot(name, 0)
    if isinstance(first, dt.datetime):
        times = google_times(first, first + LENGTH, name)
    else:
        times = {"start": {"date": f"{first}"}, "end": {"date": f"{first + dt.timedelta(days=2)}"}}
    return {"summary": name, "location": "Attic", "recurrence": RULE, **times}


def made(cloud: Cloud, origin: Side) -> World:
    world = World(cloud)
    world.join("ann")
    world.sync()
    for name in SERIES:
        if origin == "studio":
            world.book(name.replace("/", "-"), **studio_fields(name))
        else:
            world.types("ann", **event_fields(name))
    agreed(world, *(entry(name, week) for name in SERIES for week in range(NUMBER)))
    return world


@pytest.fixture(scope="module")
def prepared(cloud: Cloud) -> dict[Side, Snapshot]:
    return {"studio": Snapshot(made(cloud, "studio")), "calendar": Snapshot(made(cloud, "calendar"))}


@pytest.fixture
def put_back(prepared: dict[Side, Snapshot], cloud: Cloud) -> Callable[[Side], World]:
    def put(origin: Side) -> World:
        prepared[origin].restore()
        cloud.google.clear_requests()
        return prepared[origin]._world

    return put


def pairs(world: World) -> dict[str, tuple[str, str]]:
    """Name of each series to its appointment's and its event's id."""
    links = world.below("ann", "links").values()
    return {
        link["studio"]["title"]: (link["appointment_id"], link["event_id"])
        for link in links
        if link["state"] == "paired" and not link["series_id"]
    }


def chosen_instance(world: World, event_id: str, name: str) -> str:
    return next(one for one, at in slots_of(world, "ann", event_id) if at == slot(name, CHOSEN))


def shift(name: str) -> dt.timedelta:
    return dt.timedelta(days=2) if name == DAY else dt.timedelta(days=2, hours=5)


def touched(scope: Scope) -> range:
    return {"this": range(CHOSEN, CHOSEN + 1), "following": range(CHOSEN, NUMBER), "all": range(NUMBER)}[scope]


def count(number: int) -> list[str]:
    return [f"RRULE:FREQ=WEEKLY;COUNT={number}"]


def checked_documents(
    world: World, before: dict[str, dict[str, Any]], name: str, series_id: str, scope: Scope, *, split: bool
) -> None:
    """The documents are those that the contract asks for, and no other field than the asked for has changed."""
    documents = world.appointments()
    series, was = documents[series_id], before[series_id]
    original = slot(name, CHOSEN)
    occurrence_id = f"{series_id}_{occurrences.stamp(original)}"
    ours = {one for one, found in documents.items() if one not in before and found["title"].startswith(name)}
    match scope:
        case "this":
            assert ours == {occurrence_id}
            found = documents[occurrence_id]
            assert found["series_id"] == series_id
            assert found.get("original_start", found.get("original_date")) == (
                original if isinstance(original, dt.datetime) else original.isoformat()
            )
            assert not found.get("recurrence")
            assert (found["kind"], found.get("user_ids", ["ann"])) == (was["kind"], ["ann"])
            assert found.get("client_id", was.get("client_id")) == was.get("client_id")
            assert without_stamps(series) == without_stamps(was)
        case "following":
            assert series["recurrence"] == count(CHOSEN)
            assert without_stamps(series, "recurrence") == without_stamps(was, "recurrence")
            assert len(ours) == split
            for one in ours:
                assert documents[one]["recurrence"] == count(NUMBER - CHOSEN)
                assert documents[one].get("time_zone") == (None if name == DAY else name)
                assert not documents[one].get("series_id")
        case "all":
            assert ours == set()
            assert series["recurrence"] == RULE
    assert series["title"].startswith(name)
    assert series.get("time_zone") == (None if name == DAY else name)


def without_stamps(document: dict[str, Any], *also: str) -> dict[str, Any]:
    """What people read in it; that it has times is said or not."""
    return {"all_day": False} | {key: document[key] for key in document.keys() - {"sync", "updated_at", *also}}


@few
@pytest.mark.parametrize("scope", ["this", "following", "all"])
@pytest.mark.parametrize("side", ["studio", "calendar"])
@pytest.mark.parametrize("origin", ["studio", "calendar"])
def test_a_new_title_is_given_to_what_was_asked_for_and_to_nothing_else(
    put_back: Callable[[Side], World], origin: Side, side: Side, scope: Scope
) -> None:
    world = put_back(origin)
    before, known = world.appointments(), pairs(world)
    for name, (series_id, event_id) in known.items():
        if side == "studio":
            studio_series.change(SeriesDesk(world), series_id, slot(name, CHOSEN), scope, title=f"{name} at home")
        else:
            world.person("ann").edit(chosen_instance(world, event_id, name), scope, summary=f"{name} at home")
    synced(world)
    assert (
        calendar(world)
        == studio(world)
        == sorted(
            entry(name, week, title=f"{name} at home" if week in touched(scope) else name)
            for name in SERIES
            for week in range(NUMBER)
        )
    )
    for name, (series_id, _) in known.items():
        checked_documents(world, before, name, series_id, scope, split=True)
    stays(world)


@few
@pytest.mark.parametrize("scope", ["this", "following", "all"])
@pytest.mark.parametrize("side", ["studio", "calendar"])
@pytest.mark.parametrize("origin", ["studio", "calendar"])
def test_what_is_moved_moves_by_the_clock_and_nothing_else_does(
    put_back: Callable[[Side], World], origin: Side, side: Side, scope: Scope
) -> None:
    world = put_back(origin)
    before, known = world.appointments(), pairs(world)
    for name, (series_id, event_id) in known.items():
        if side == "studio":
            studio_series.change(SeriesDesk(world), series_id, slot(name, CHOSEN), scope, by=shift(name))
        else:
            world.person("ann").move(chosen_instance(world, event_id, name), shift(name), scope)
    synced(world)
    assert (
        calendar(world)
        == studio(world)
        == sorted(
            entry(name, week, by=shift(name) if week in touched(scope) else dt.timedelta())
            for name in SERIES
            for week in range(NUMBER)
        )
    )
    for name, (series_id, _) in known.items():
        checked_documents(world, before, name, series_id, scope, split=True)
    stays(world)


@few
@pytest.mark.parametrize("scope", ["this", "following", "all"])
@pytest.mark.parametrize("side", ["studio", "calendar"])
@pytest.mark.parametrize("origin", ["studio", "calendar"])
def test_what_is_deleted_is_gone_on_both_sides_and_nothing_else_is(
    put_back: Callable[[Side], World], origin: Side, side: Side, scope: Scope
) -> None:
    world = put_back(origin)
    before = world.appointments()
    known = {name: ids for name, ids in pairs(world).items() if name != "Asia/Kathmandu"}  # Six are held by the guard.
    for name, (series_id, event_id) in known.items():
        if side == "studio":
            studio_series.cancel(SeriesDesk(world), series_id, slot(name, CHOSEN), scope)
        else:
            world.person("ann").delete("primary", chosen_instance(world, event_id, name), scope)
    synced(world)
    assert (
        calendar(world)
        == studio(world)
        == sorted(
            entry(name, week)
            for name in SERIES
            for week in range(NUMBER)
            if name not in known or week not in touched(scope)
        )
    )
    for name, (series_id, _) in known.items():
        checked_documents(world, before, name, series_id, scope, split=False)
        status = world.appointments()[series_id]["status"]
        assert status == ("cancelled" if scope == "all" else "confirmed")
        if scope == "this":
            gone = world.appointments()[f"{series_id}_{occurrences.stamp(slot(name, CHOSEN))}"]
            assert gone["status"] == "cancelled"
    stays(world)
