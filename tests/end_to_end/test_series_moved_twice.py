"""A series is moved again before a run has come to its end: what was changed of it is found by each of its times."""

import datetime as dt
from typing import Any

import pytest

from local import studio_series
from local.studio_series import occurrence_id
from local.wiretap import Killed, Wiretap
from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.killing import changes, changes_made
from tests.end_to_end.repeating import (
    agreed,
    at,
    desk,
    in_step,
    joined,
    overlay,
    regular,
    series_event,
    shown,
    timed,
    with_weekly,
)
from tests.end_to_end.switching import second_calendar, switch
from tests.figures import Figures
from tests.soak import points, soaks
from tests.world import World

TWO_HOURS = dt.timedelta(hours=2)


def slot(week: int, hours: int) -> dt.datetime:
    return at(week) + dt.timedelta(hours=hours)


def put_off(world: World, hours: int = 2, since: int = 0) -> None:
    """The studio moves the whole series, which began so many hours later than at first already."""
    studio_series.change(desk(world), "weekly", slot(0, since), "all", by=dt.timedelta(hours=hours))


def at_new_times(hours: int, *weeks: int, title: str = "Weekly") -> list[Any]:
    return [shown(slot(week, hours), title) for week in weeks]


def renamed_and_cancelled(world: World, hours: int) -> None:
    """The second is renamed, the third cancelled, while the series begins so many hours later than at first."""
    one_id = occurrence_id("weekly", slot(1, hours))
    world.book(one_id, title="Renamed", series_id="weekly", original_start=slot(1, hours), user_ids=["ann"])
    studio_series.cancel(desk(world), "weekly", slot(2, hours), "this")


def documents(world: World) -> set[str]:
    return set(world.appointments())


def carried(hours: int) -> set[str]:
    return {"weekly", *(occurrence_id("weekly", slot(week, hours)) for week in (1, 2))}


def test_what_was_changed_between_two_moves_goes_along_with_the_second(world: World) -> None:
    with_weekly(world)
    put_off(world)
    renamed_and_cancelled(world, 2)
    put_off(world, since=2)
    agreed(world, *at_new_times(4, 0, 3, 4, 5), *at_new_times(4, 1, title="Renamed"))
    assert documents(world) == carried(4)


def test_what_was_changed_before_either_move_and_in_between_all_goes_along(world: World) -> None:
    with_weekly(world)
    overlay(world, 4, title="From the start", start=at(4), end=at(4, 11))
    agreed(world)
    put_off(world)
    renamed_and_cancelled(world, 2)
    put_off(world, since=2)
    put_off(world, hours=1, since=4)
    expected = [*at_new_times(5, 0, 3, 5), *at_new_times(5, 1, title="Renamed")]
    agreed(world, *expected, *at_new_times(5, 4, title="From the start"))
    assert documents(world) == carried(5) | {occurrence_id("weekly", slot(4, 5))}


def test_there_and_back_again_what_was_changed_in_between_is_back_as_well(world: World) -> None:
    with_weekly(world)
    put_off(world)
    renamed_and_cancelled(world, 2)
    put_off(world, hours=-2, since=2)
    agreed(world, *regular(0, 3, 4, 5), shown(at(1), "Renamed"))
    assert documents(world) == carried(0)


def test_told_late_of_the_second_move_a_run_makes_up_for_what_the_one_before_could_not_place(world: World) -> None:
    with_weekly(world)
    put_off(world)
    renamed_and_cancelled(world, 2)
    before = world.appointments()["weekly"]
    world.front_end.edit("weekly", start=slot(0, 4), end=slot(0, 5))
    synced(world)
    world.trigger("weekly", before)
    agreed(world, *at_new_times(4, 0, 3, 4, 5), *at_new_times(4, 1, title="Renamed"))
    assert documents(world) == carried(4)


@soaks
def test_killed_at_any_change_and_moved_again_the_exceptions_are_kept(
    world: World, tap: Wiretap, figures: Figures
) -> None:
    with_weekly(world)
    overlay(world, 1, title="Renamed", start=at(1), end=at(1, 11))
    studio_series.cancel(desk(world), "weekly", at(2), "this")
    agreed(world)
    put_off(world)
    tap.reset()
    world.run("ann")
    number = changes_made(tap)
    synced(world)
    hours = 2
    for n in points(number):
        put_off(world, hours=1, since=hours)
        tap.kill_at(n, "after", changes)
        with pytest.raises(Killed):
            world.run("ann")
        tap.disarm()
        world.restart()
        put_off(world, hours=1, since=hours + 1)
        hours += 2
        world.later(minutes=11)
        in_step(world, *at_new_times(hours, 0, 3, 4, 5), *at_new_times(hours, 1, title="Renamed"))
        figures.add("killed with series", "kill points tried")
        assert documents(world) == carried(hours), f"killed after change {n}"


@pytest.mark.parametrize("policy", ["studio", "google"])
def test_moved_by_the_studio_and_by_a_colleague_in_the_calendar_nothing_cancelled_comes_back(
    world: World, policy: str
) -> None:
    world.set_studio(sync={"clash_policy": policy})
    world.book("weekly", **timed(user_ids=["ann", "ben"]))
    joined(world, "ann", "ben")
    put_off(world)
    world.sync("ann")
    renamed_and_cancelled(world, 2)
    world.person("ben").move(series_event(world, user_id="ben"), dt.timedelta(hours=5))
    hours = 2 if policy == "studio" else 5
    expected = [*at_new_times(hours, 0, 3, 4, 5), *at_new_times(hours, 1, title="Renamed")]
    agreed(world, *expected, user_ids=("ann", "ben"))
    assert documents(world) == carried(hours)


def test_moved_just_before_another_calendar_is_chosen_what_was_changed_of_it_goes_there_as_well(world: World) -> None:
    joined(with_weekly(world))
    renamed_and_cancelled(world, 0)
    world.sync()
    put_off(world)
    switch(world, second_calendar(world))
    assert documents(world) == carried(2)
    assert world.below("ann", "parked") == {}
    calendar_id = world.connection("ann").calendar_id
    found = world.person("ann").agenda(at(0), at(3), calendar_id)
    assert [one["summary"] for one in found] == ["Weekly", "Renamed"]
