"""Zones and clocks: what is no change is none, whatever the calendar or the studio calls a zone."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.repeating import (
    DAYS,
    agreed,
    all_day,
    at,
    calendar,
    day,
    google_times,
    in_step,
    instance,
    joined,
    moves,
    overlay,
    regular,
    series_event,
    shown,
    stays,
    studio,
    timed,
    with_weekly,
)
from tests.soak import spread
from tests.world import NOW, World, span

GAP_ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]


def change_of_the_clock(zone: str, *, forward: bool) -> dt.date:
    """The day of the zone's next change of the clock in that direction."""
    known = ZoneInfo(zone)
    for number in range(5, DAYS - 30):
        found = NOW.date() + dt.timedelta(days=number)
        before, after = (dt.datetime.combine(found, dt.time(hour), known).utcoffset() for hour in (0, 12))
        assert before is not None
        assert after is not None
        if (after > before) if forward else (after < before):
            return found
    raise AssertionError("no change of the clock")


@pytest.fixture
def mixed(world: World) -> World:
    """Ann with a single entry, one of a whole day, two series and an exception of each, half of them from Google."""
    joined(world)
    world.book("single", title="Single", user_ids=["ann"], **span(30))
    world.book("day", title="Day", user_ids=["ann"], all_day=True, start_date=f"{day(9)}", end_date=f"{day(10)}")
    world.book("weekly", **timed())
    world.book("daily", **all_day(title="Daily"))
    moves(world, 2)
    event_id = world.types("ann", summary="Theirs", **google_times(at(0), at(0, 11)), recurrence=["RRULE:FREQ=DAILY"])
    world.person("ann").patch("primary", f"{event_id}_{at(0, days=3):%Y%m%dT%H%M%SZ}", summary="Once")
    agreed(world)
    world.cloud.google.clear_requests()
    return world


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_another_zone_of_the_calendar_moves_nothing_and_writes_nothing(mixed: World, zone: str) -> None:
    before = mixed.appointments(), calendar(mixed)
    mixed.cloud.google.set_time_zone(mixed.emails["ann"], zone)
    synced(mixed)
    mixed.cloud.google.expire_sync_tokens()
    synced(mixed)
    assert writes(mixed) == []
    assert mixed.appointments() == before[0]
    assert calendar(mixed) == before[1] == studio(mixed)
    mixed.person("ann").patch("primary", instance(mixed, 4), summary="After it")
    synced(mixed)
    assert calendar(mixed) == studio(mixed)
    stays(mixed)


def test_the_same_instant_with_another_offset_is_no_change(mixed: World) -> None:
    before = mixed.appointments()
    person = mixed.person("ann")
    for event in mixed.events("ann"):
        if "dateTime" in event["start"] and not event.get("recurrence"):
            times = {
                name: {
                    "dateTime": dt.datetime.fromisoformat(event[name]["dateTime"])
                    .astimezone(dt.timezone(dt.timedelta(hours=-7)))
                    .isoformat()
                }
                for name in ("start", "end")
            }
            person.patch("primary", event["id"], **times)
    synced(mixed)
    assert writes(mixed) == []
    assert mixed.appointments() == before


@pytest.mark.parametrize("side", ["studio", "calendar"])
def test_occurrences_of_no_length_stay(world: World, side: str) -> None:
    joined(world)
    if side == "studio":
        world.book("weekly", **timed(end=at(0)))
    else:
        world.types("ann", summary="Weekly", **google_times(at(0), at(0)), recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"])
    in_step(world, *(shown(at(week), hours=0) for week in range(6)))


@spread
@pytest.mark.parametrize("forward", [True, False], ids=["skipped hour", "hour that comes twice"])
@pytest.mark.parametrize("zone", GAP_ZONES)
@pytest.mark.parametrize("side", ["studio", "calendar"])
def test_an_occurrence_in_the_hour_of_the_change_is_one_and_the_same_on_both_sides(
    world: World, side: str, zone: str, forward: bool
) -> None:
    joined(world)
    changed = change_of_the_clock(zone, forward=forward)
    hour, minute = (1, 45) if zone == "Australia/Lord_Howe" and not forward else (2, 15)
    if zone == "America/New_York" and not forward:
        hour = 1
    local = dt.datetime.combine(changed - dt.timedelta(days=2), dt.time(hour, minute), ZoneInfo(zone))
    start = local.astimezone(dt.UTC)
    end = start + dt.timedelta(hours=1)
    if side == "studio":
        rule = ["RRULE:FREQ=DAILY;COUNT=5"]
        world.book("night", title="Night", user_ids=["ann"], start=start, end=end, time_zone=zone, recurrence=rule)
    else:
        world.types("ann", summary="Night", **google_times(start, end, zone), recurrence=["RRULE:FREQ=DAILY;COUNT=5"])
    agreed(world)
    [series_id] = world.appointments()
    event_id = series_event(world, series_id)
    third = world.person("ann").instances(event_id)[2]
    if side == "calendar":
        world.person("ann").patch("primary", third["id"], summary="The one")
    else:
        slot = dt.datetime.fromisoformat(third["originalStartTime"]["dateTime"]).astimezone(dt.UTC)
        one_id = f"{series_id}_{slot:%Y%m%dT%H%M%SZ}"
        world.book(one_id, series_id=series_id, original_start=slot, user_ids=["ann"], title="The one")
    agreed(world)
    assert sorted(one[2] for one in calendar(world)) == ["Night"] * 4 + ["The one"]


@pytest.mark.parametrize(("here", "there"), [("Europe/Kiev", "Europe/Kyiv"), ("Europe/Kyiv", "Europe/Kiev")])
def test_two_names_of_one_zone_make_no_ping_pong(world: World, here: str, there: str) -> None:
    with_weekly(world, time_zone=here)
    before = world.appointments()
    [event] = world.events("ann")
    person = world.person("ann")
    times = {name: {**event[name], "timeZone": there} for name in ("start", "end")}
    person.patch("primary", event["id"], **times)
    world.cloud.google.clear_requests()
    synced(world)
    assert writes(world) == []
    assert world.appointments() == before
    # And an edit of something else leaves it alone.
    person.patch("primary", event["id"], summary="Renamed")
    synced(world)
    assert world.appointments()["weekly"]["time_zone"] == here
    world.edit("weekly", title="Renamed again")
    synced(world)
    assert world.events("ann")[0]["start"]["timeZone"] == there
    stays(world)


@pytest.mark.parametrize(
    ("name", "zone"), [("W. Europe Standard Time", "Europe/Berlin"), ("Eastern Standard Time", "America/New_York")]
)
def test_a_zone_by_the_name_that_windows_gives_it_is_understood(world: World, name: str, zone: str) -> None:
    start = dt.datetime.combine(at(0).date(), dt.time(10), ZoneInfo(zone)).astimezone(dt.UTC)
    with_weekly(world, time_zone=name, start=start, end=start + dt.timedelta(hours=1))
    [event] = world.events("ann")
    assert event["start"]["timeZone"] == zone
    assert world.appointments()["weekly"]["time_zone"] == name
    assert world.below("ann", "parked") == {}
    world.cloud.google.clear_requests()
    synced(world)
    assert writes(world) == []


def test_an_unknown_zone_is_parked_by_its_name_until_it_is_put_right(world: World) -> None:
    joined(world)
    world.book("weekly", **timed(time_zone="Europe/Gotham"))
    moves(world, 2)
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(30))
    synced(world)
    parked = world.below("ann", "parked")
    assert (parked["weekly"]["reason"], parked["weekly"]["field"]) == ("invalid", "time_zone")
    assert "Europe/Gotham" in parked["weekly"]["detail"]
    assert world.titles("ann") == ["Shoot"]
    world.edit("weekly", time_zone="Europe/Berlin")
    synced(world)
    world.erase("shoot")
    in_step(world, *regular(0, 1, 3, 4, 5), shown(at(2, 14)))


def test_a_series_without_a_zone_has_the_studios(world: World) -> None:
    fields: dict[str, Any] = timed()
    del fields["time_zone"]
    joined(world)
    world.book("weekly", **fields)
    agreed(world, *regular(*range(6)))
    assert world.events("ann")[0]["start"]["timeZone"] == "Europe/Berlin"
    assert "time_zone" not in world.appointments()["weekly"]


@pytest.mark.parametrize("side", ["studio", "calendar"])
def test_a_series_that_goes_by_another_zone_from_now_on_takes_its_occurrences_along(world: World, side: str) -> None:
    with_weekly(world)
    overlay(world, 2, title="Renamed", start=at(2), end=at(2, 11))
    agreed(world)
    zone = "America/New_York"
    if side == "studio":
        world.edit("weekly", time_zone=zone)
    else:
        times = google_times(at(0), at(0, 11), zone)
        world.person("ann").patch("primary", series_event(world), **times)
    agreed(world)
    assert world.appointments()["weekly"]["time_zone"] == zone
    assert sorted(one[2] for one in calendar(world)) == ["Renamed", *["Weekly"] * 5]
