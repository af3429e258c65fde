"""A series is moved, shortened or split while some of its occurrences are not as it has them.

Google documents nothing of what becomes of those: each way it may be is tried, from either side.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from local import studio_series
from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.repeating import (
    agreed,
    at,
    calendar,
    desk,
    google_times,
    in_step,
    instance,
    moved_there,
    moves,
    one_id,
    overlay,
    regular,
    series_event,
    shown,
    stays,
    studio,
    with_weekly,
)
from tests.soak import covering, soaks
from tests.world import World

MOVED = ["rekeyed", "kept", "dropped", "forgotten"]
BEYOND = ["dropped", "kept", "forgotten"]
SWITCHES = [
    "instance_etags_of_their_own",
    "split_series_share_instance_ids",
    "exceptions_touch_their_series",
    "exceptions_inherit",
]
SIDES = ["studio", "calendar"]

Behave = Callable[..., None]


@pytest.fixture
def behave(world: World, monkeypatch: pytest.MonkeyPatch) -> Behave:
    def behave(**fields: Any) -> None:
        for name, value in fields.items():
            monkeypatch.setattr(world.cloud.google.behaviour, name, value)

    return behave


def later(week: int, hours: int = 2, title: str = "Weekly") -> Any:
    return shown(at(week) + dt.timedelta(hours=hours), title)


def two_hours_later(world: World, side: str) -> None:
    if side == "studio":
        studio_series.change(desk(world), "weekly", at(0), "all", by=dt.timedelta(hours=2))
    else:
        world.person("ann").move(series_event(world), dt.timedelta(hours=2))


def with_exceptions(world: World, side: str) -> None:
    """The second is renamed, the third cancelled, the fourth at another time."""
    with_weekly(world)
    if side == "studio":
        overlay(world, 1, title="Renamed", start=at(1), end=at(1, 11))
        studio_series.cancel(desk(world), "weekly", at(2), "this")
        moves(world, 3, to=17)
    else:
        world.person("ann").patch("primary", instance(world, 1), summary="Renamed")
        world.person("ann").delete("primary", instance(world, 2))
        moved_there(world, 3, to=17)
    synced(world)
    assert calendar(world) == sorted([*regular(0, 4, 5), shown(at(1), "Renamed"), shown(at(3, 17))])


# --- moved ------------------------------------------------------------------------------------------------------------


@soaks
@pytest.mark.parametrize(("behaviour", "side", "origin"), covering(MOVED, SIDES, SIDES, together=2))
def test_exceptions_of_a_series_that_is_moved_end_as_the_studio_has_them(
    world: World, behave: Behave, behaviour: str, side: str, origin: str
) -> None:
    behave(exceptions_of_a_moved_series=behaviour)
    with_exceptions(world, origin)
    two_hours_later(world, side)
    agreed(world, *(later(week) for week in (0, 4, 5)), later(1, title="Renamed"), shown(at(3, 17)))
    slots = [at(week) + dt.timedelta(hours=2) for week in (1, 2, 3)]
    assert set(world.appointments()) == {"weekly", *(f"weekly_{slot:%Y%m%dT%H%M%SZ}" for slot in slots)}
    assert {found["original_start"] for one, found in world.appointments().items() if one != "weekly"} == set(slots)


@soaks
@pytest.mark.parametrize(("behaviour", "side"), covering(MOVED, SIDES))
def test_a_series_moved_by_a_week_keeps_the_exceptions_of_the_slots_that_it_still_has(
    world: World, behave: Behave, behaviour: str, side: str
) -> None:
    behave(exceptions_of_a_moved_series=behaviour)
    with_weekly(world)
    moves(world, 3, to=17)
    agreed(world)
    week = dt.timedelta(weeks=1)
    if side == "studio":
        studio_series.change(desk(world), "weekly", at(0), "all", by=week)
    else:
        world.person("ann").move(series_event(world), week)
    synced(world)
    assert calendar(world) == studio(world)
    assert len(calendar(world)) == 6
    stays(world)


@soaks
@pytest.mark.parametrize(("behaviour", "side"), covering(MOVED, SIDES))
def test_an_occurrence_edited_on_one_side_while_the_other_moves_the_series_keeps_the_edit_or_has_it_logged(
    world: World, behave: Behave, behaviour: str, side: str
) -> None:
    behave(exceptions_of_a_moved_series=behaviour)
    with_weekly(world)
    overlay(world, 2, title="Renamed", start=at(2), end=at(2, 11))
    agreed(world)
    if side == "studio":
        two_hours_later(world, "studio")
        world.person("ann").patch("primary", instance(world, 2), summary="Renamed there")
        title = "Renamed there"
    else:
        two_hours_later(world, "calendar")
        world.edit(one_id(2), title="Renamed here")
        title = "Renamed here"
    agreed(world)
    assert len(calendar(world)) == 6
    kept = title in {one[2] for one in calendar(world)}
    assert kept or (side == "studio" and title in str([one["lost"] for one in world.log("ann")]))


@soaks
@pytest.mark.parametrize(("origin", "switch"), covering(SIDES, SWITCHES))
def test_all_of_it_holds_whichever_way_google_has_instances(
    world: World, behave: Behave, switch: str, origin: str
) -> None:
    behave(**{switch: True})
    with_exceptions(world, origin)
    world.edit("weekly", location="Attic")
    synced(world)
    assert calendar(world) == studio(world)
    world.person("ann").patch("primary", series_event(world), location="Roof")
    synced(world)
    assert calendar(world) == studio(world)
    world.person("ann").edit(instance(world, 4), "following", summary="New")
    synced(world)
    assert calendar(world) == studio(world)
    assert sorted(one[2] for one in calendar(world)) == ["New", "New", "Renamed", "Weekly", "Weekly"]
    new_id = next(one for one, found in world.appointments().items() if found["title"] == "New")
    # And an occurrence of the one that was split off.
    split = series_event(world, new_id)
    [last] = [one["id"] for one in world.person("ann").instances(split)][1:]
    world.person("ann").patch("primary", last, summary="Last")
    synced(world)
    assert calendar(world) == studio(world)
    moves(world, 4, to=12, series_id=new_id, title="Studio's")
    synced(world)
    assert calendar(world) == studio(world)
    assert sorted(one[2] for one in calendar(world)) == ["Last", "Renamed", "Studio's", "Weekly", "Weekly"]
    stays(world)


# --- shortened --------------------------------------------------------------------------------------------------------


@soaks
@pytest.mark.parametrize(("behaviour", "origin"), covering(BEYOND, SIDES))
def test_trimmed_by_the_studio_an_exception_beyond_the_end_is_taken_out_of_the_calendar(
    world: World, behave: Behave, behaviour: str, origin: str
) -> None:
    behave(exceptions_beyond_the_end=behaviour)
    with_exceptions(world, origin)
    before = world.appointments()[one_id(3)]
    studio_series.cancel(desk(world), "weekly", at(3), "following")
    agreed(world, *regular(0), shown(at(1), "Renamed"))
    assert world.appointments()[one_id(3)] == before
    # Made longer again, they are as they were.
    world.edit("weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"])
    in_step(world, *regular(0, 4, 5), shown(at(1), "Renamed"), shown(at(3, 17)))


@soaks
@pytest.mark.parametrize(("behaviour", "origin"), covering(BEYOND, SIDES))
def test_trimmed_in_the_calendar_an_exception_that_it_keeps_beyond_stays_and_one_that_it_drops_goes(
    world: World, behave: Behave, behaviour: str, origin: str
) -> None:
    behave(exceptions_beyond_the_end=behaviour)
    with_exceptions(world, origin)
    before = world.appointments()[one_id(3)]
    world.person("ann").patch("primary", series_event(world), recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    synced(world)
    kept = [shown(at(3, 17))] if behaviour == "kept" else []
    assert calendar(world) == sorted([*regular(0), shown(at(1), "Renamed"), *kept])
    assert world.appointments()["weekly"]["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=3"]
    assert world.appointments()[one_id(3)] == before
    assert world.appointments().keys() == {"weekly", one_id(1), one_id(2), one_id(3)}
    stays(world)
    # Edited in the studio, it is in the calendar in any case.
    world.edit(one_id(3), title="Still on")
    synced(world)
    assert calendar(world) == sorted([*regular(0), shown(at(1), "Renamed"), shown(at(3, 17), "Still on")])
    stays(world)


@pytest.mark.parametrize("behaviour", BEYOND)
def test_an_occurrence_edited_in_the_studio_while_the_calendar_trims_the_series_stands_by_itself(
    world: World, behave: Behave, behaviour: str
) -> None:
    behave(exceptions_beyond_the_end=behaviour)
    with_weekly(world)
    world.person("ann").patch("primary", series_event(world), recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    moves(world, 4, to=17, title="Still on")
    synced(world)
    assert calendar(world) == sorted([*regular(0, 1, 2), shown(at(4, 17), "Still on")])
    stays(world)
    [single] = [one for one, found in world.appointments().items() if found["title"] == "Still on"]
    world.edit(single, title="Still on, at home")
    synced(world)
    assert calendar(world) == sorted([*regular(0, 1, 2), shown(at(4, 17), "Still on, at home")])
    stays(world)


# --- split ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", BEYOND)
def test_this_and_following_from_google_makes_a_series_of_its_own_though_our_property_is_copied(
    world: World, behave: Behave, behaviour: str
) -> None:
    behave(exceptions_beyond_the_end=behaviour)
    with_weekly(world)
    moves(world, 4, to=17)
    agreed(world)
    world.person("ann").edit(instance(world, 2), "following", summary="New")
    synced(world)
    seals = {one.get("extendedProperties", {}).get("private", {}).get("studioSync") for one in world.events("ann")}
    assert None not in seals
    series = {found["title"]: one for one, found in world.appointments().items() if found.get("recurrence")}
    assert series.keys() == {"Weekly", "New"}
    assert series["Weekly"] == "weekly"
    assert world.appointments()[series["New"]]["kind"] == "unlinked"
    kept = [shown(at(4, 17))] if behaviour == "kept" else []
    assert calendar(world) == sorted([*regular(0, 1), *regular(2, 3, 4, 5, title="New"), *kept])
    stays(world)


def test_this_and_following_moved_and_with_an_exception_in_the_same_interval(world: World) -> None:
    with_weekly(world)
    new = world.person("ann").edit(instance(world, 2), "following", **google_times(at(2, 12), at(2, 13)))
    last = world.person("ann").instances(new["id"])[-1]["id"]
    world.person("ann").patch("primary", last, summary="Last")
    in_step(world, *regular(0, 1), *(later(week) for week in (2, 3, 4)), later(5, title="Last"))


def test_a_series_that_the_studio_moves_forth_and_back_takes_what_was_renamed_with_it(world: World) -> None:
    """Where it goes back to, there still is the tombstone of what it was before."""
    with_weekly(world)
    moves(world, 2, to=10, title="Renamed")
    synced(world)
    before = calendar(world)
    for hour in (12, 10):
        world.edit("weekly", start=at(0, hour), end=at(0, hour + 1))
        synced(world)
    in_step(world, *before)
