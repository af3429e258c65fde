"""What front-ends may write of occurrences, and whom it is told: sparse documents, given away, taken back, nonsense."""

from typing import Any

import pytest

from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.repeating import (
    agreed,
    all_day,
    at,
    calendar,
    day,
    google_weekly,
    instance,
    joined,
    moved_there,
    one_id,
    regular,
    shown,
    studio,
    timed,
    with_weekly,
)
from tests.soak import few
from tests.world import World

BOTH = ("ann", "ben")


@pytest.fixture
def settled(world: World) -> World:
    """Ann and Ben, a weekly series of Ann's; nothing waits in any outbox, so only what triggers tell is looked at."""
    world.book("weekly", **timed())
    joined(world, *BOTH)
    agreed(world, user_ids=BOTH)
    world.sync()
    assert world.below("ann", "outbox") == world.below("ben", "outbox") == {}
    return world


def due(world: World) -> None:
    """Run whoever was told to; nobody else."""
    for user_id in BOTH:
        for _ in range(6):
            world.run(user_id)


def place(week: int) -> dict[str, Any]:
    return {"series_id": "weekly", "original_start": at(week)}


# --- given away -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"title": "Weekly", "start": at(2), "end": at(2, 11)}], ids=["sparse", "whole"])
def test_an_occurrence_given_to_a_colleague_leaves_the_first_users_calendar_at_once(
    settled: World, fields: dict[str, Any]
) -> None:
    settled.book(one_id(2), **place(2), user_ids=["ben"], **fields)
    due(settled)
    assert calendar(settled) == studio(settled) == regular(0, 1, 3, 4, 5)
    assert calendar(settled, "ben") == studio(settled, "ben") == regular(2)
    settled.erase(one_id(2))
    due(settled)
    assert calendar(settled) == studio(settled) == regular(*range(6))
    assert calendar(settled, "ben") == studio(settled, "ben") == []


def test_whoever_has_one_occurrence_of_a_series_is_told_of_the_series(settled: World) -> None:
    settled.book(one_id(2), **place(2), user_ids=["ben"])
    due(settled)
    settled.edit("weekly", title="Choir")
    due(settled)
    assert calendar(settled, "ben") == studio(settled, "ben") == regular(2, title="Choir")
    settled.edit("weekly", status="cancelled")
    due(settled)
    assert calendar(settled, "ben") == calendar(settled) == []


def test_a_series_given_away_as_a_whole_takes_along_what_people_did_to_its_occurrences(settled: World) -> None:
    settled.person("ann").patch("primary", instance(settled, 2), summary="Renamed")
    synced(settled)
    settled.edit("weekly", user_ids=["ben"])
    synced(settled)
    assert calendar(settled) == studio(settled) == []
    assert calendar(settled, "ben") == studio(settled, "ben")
    assert (at(2).strftime("%Y-%m-%dT%H:%M:%SZ"), "Renamed") in {(one[0], one[2]) for one in calendar(settled, "ben")}


def test_who_joins_a_series_has_its_changed_occurrences_too(settled: World) -> None:
    moved_there(settled, 2)
    synced(settled)
    settled.edit("weekly", user_ids=list(BOTH))
    synced(settled)
    assert calendar(settled, "ben") == calendar(settled) == studio(settled, "ben")
    assert shown(at(2, 14)) in calendar(settled, "ben")


def test_one_of_two_is_taken_off_an_occurrence_that_says_nothing_of_its_users(world: World) -> None:
    world.book("weekly", **timed(user_ids=list(BOTH)))
    joined(world, *BOTH)
    world.book(one_id(2), **place(2), title="Sparse")
    agreed(world, user_ids=BOTH)
    world.person("ann").delete("primary", instance(world, 2))
    synced(world)
    [(question, item)] = world.inbox().items()
    assert "Sparse" in item["text"]
    world.answer(question, "take_off")
    synced(world)
    assert world.appointments()[one_id(2)]["user_ids"] == ["ben"]
    assert calendar(world, "ben") == studio(world, "ben")
    assert len(calendar(world, "ben")) == 6
    assert calendar(world) == studio(world) == regular(0, 1, 3, 4, 5)


# --- sparse -----------------------------------------------------------------------------------------------------------


def test_an_occurrence_edited_sparsely_while_the_calendar_deletes_its_series_stands_by_itself(world: World) -> None:
    with_weekly(world)
    world.book(one_id(2), **place(2), title="Kept")
    world.person("ann").delete("primary", world.below("ann", "links")["weekly"]["event_id"])
    synced(world)
    assert calendar(world) == studio(world) == regular(2, title="Kept")


def test_sparse_times_go_along_with_a_series_that_is_moved(world: World) -> None:
    with_weekly(world)
    world.book(one_id(2), **place(2), title="Renamed", start=at(2), end=at(2, 11))
    world.book(one_id(4), **place(4), start=at(4, 18), end=at(4, 19))
    agreed(world)
    world.edit("weekly", start=at(0, 12), end=at(0, 13))
    agreed(world)
    assert shown(at(2, 12), "Renamed") in calendar(world)
    assert shown(at(4, 18)) in calendar(world)


def test_dates_alone_say_that_it_is_a_whole_day(world: World) -> None:
    world.book("weekly", **all_day())
    joined(world)
    moved = {"start_date": day(2).replace(day=day(2).day).isoformat(), "end_date": day(3).isoformat()}
    one = f"weekly_{day(2):%Y%m%d}"
    world.book(one, series_id="weekly", original_date=day(2).isoformat(), **moved)
    agreed(world)
    assert world.below("ann", "parked") == {}
    assert any(found[:2] == (day(2).isoformat(), day(3).isoformat()) for found in calendar(world))


# --- nonsense ---------------------------------------------------------------------------------------------------------


@few
@pytest.mark.parametrize("series_id", ["__x__", ".", "..", "a/b", 7, ["weekly"], {"id": "weekly"}, "x" * 1600])
def test_a_series_id_that_is_none_is_parked_and_stops_nothing_else(world: World, series_id: object) -> None:
    with_weekly(world)
    world.book("odd_20270308T090000Z", **{**place(1), "series_id": series_id}, user_ids=["ann"], title="Odd")
    world.book(one_id(2), **place(2), title="Renamed")
    synced(world)
    assert shown(at(2), "Renamed") in calendar(world)
    parked = world.below("ann", "parked")["odd_20270308T090000Z"]
    assert (parked["reason"], parked["field"]) == ("invalid", "series_id")
    assert world.below("ann", "outbox") == {}


def test_a_zone_that_nobody_knows_stops_no_question_about_the_occurrence(world: World) -> None:
    world.book("weekly", **timed(user_ids=list(BOTH)))
    joined(world, *BOTH)
    world.book(one_id(2), **place(2), title="Odd", time_zone="Mars/Olympus")
    agreed(world, user_ids=BOTH)
    world.person("ann").delete("primary", instance(world, 2))
    synced(world)
    [item] = world.inbox().values()
    assert "Odd" in item["text"]


# --- what stays in the calendar ---------------------------------------------------------------------------------------


def test_what_is_private_in_the_calendar_gets_into_no_log_when_its_series_goes(world: World) -> None:
    joined(world, *BOTH)
    event_id = world.types("ann", **google_weekly(visibility="private", summary="Secret", description="SecretText"))
    synced(world)
    [series_id] = world.appointments()
    one = instance(world, 2, series_id)
    world.book(one_id(2, series_id), series_id=series_id, original_start=at(2), user_ids=["ann"])
    synced(world)
    world.person("ann").patch("primary", one, summary="Secret four", description="SecretText four")
    world.edit(series_id, user_ids=["ben"])
    synced(world)
    assert event_id
    assert "Secret" not in str(world.log("ann")) + str(world.log("ben")) + str(world.appointments())
