"""Series and their occurrences are deleted, and come back: what goes along, what stays, and what it costs."""

from collections.abc import Callable
from typing import Any

import pytest

from local import studio_series
from local.wiretap import Wiretap
from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.deleting import cancelled, hold
from tests.end_to_end.repeating import (
    agreed,
    at,
    calendar,
    desk,
    google_weekly,
    in_step,
    instance,
    joined,
    moved_there,
    moves,
    one_id,
    regular,
    series_event,
    shown,
    stays,
    studio,
    timed,
    with_weekly,
)
from tests.soak import covering, soaks
from tests.world import World, span

SIDES = ["studio", "calendar"]
SWITCHES: list[dict[str, Any]] = [
    {},
    {"exception_tombstones_with_series": False},
    {"instances_outlive_their_series": False},
    {"exceptions_return": False},
]
DELETE, PATCH, INSERT = (f"calendar.events.{one}" for one in ("delete", "patch", "insert"))


@pytest.fixture
def behave(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def behave(**fields: Any) -> None:
        for name, value in fields.items():
            monkeypatch.setattr(world.cloud.google.behaviour, name, value)

    return behave


@pytest.fixture
def moved(world: World) -> World:
    """The third occurrence is at two in the afternoon, on both sides."""
    with_weekly(world)
    moves(world, 2)
    synced(world)
    assert calendar(world) == sorted([*regular(0, 1, 3, 4, 5), shown(at(2, 14))])
    world.cloud.google.clear_requests()
    return world


# --- deleted on one side ----------------------------------------------------------------------------------------------


@soaks
@pytest.mark.parametrize(("switches", "how"), covering(SWITCHES, ["cancelled", "erased", "deleted"]), ids=str)
def test_a_deleted_series_takes_its_moved_occurrence_along(
    moved: World, behave: Callable[..., None], how: str, switches: dict[str, Any]
) -> None:
    behave(**switches)
    before = moved.appointments()
    match how:
        case "cancelled":
            moved.edit("weekly", status="cancelled")
        case "erased":
            moved.erase("weekly")
        case "deleted":
            moved.person("ann").delete("primary", series_event(moved))
    synced(moved)
    assert calendar(moved) == []
    assert writes(moved) == ([] if how == "deleted" else [DELETE])
    after = moved.appointments()
    assert after[one_id(2)] == before[one_id(2)]
    if how == "erased":
        assert after.keys() == {one_id(2)}
    else:
        assert after["weekly"]["status"] == "cancelled"
        assert studio(moved) == []
    [entry] = [one for one in moved.log("ann") if "deleted" in one["reason"] or "cancelled" in one["reason"]]
    assert entry["appointment_id"] == "weekly"
    stays(moved)


@pytest.mark.parametrize("how", ["cancelled", "erased"])
def test_edited_in_the_calendar_while_the_studio_deletes_the_series_it_goes_and_the_edit_is_in_the_log(
    moved: World, how: str
) -> None:
    moved.person("ann").patch("primary", instance(moved, 2), location="Roof")
    if how == "cancelled":
        moved.edit("weekly", status="cancelled")
    else:
        moved.erase("weekly")
    synced(moved)
    assert calendar(moved) == []
    assert writes(moved) == [DELETE]
    assert "Roof" in str(moved.log("ann"))
    stays(moved)


@soaks
@pytest.mark.parametrize(("switches", "which"), covering(SWITCHES, ["moved before", "as its series"]), ids=str)
def test_edited_in_the_studio_while_the_calendar_deletes_its_series_it_stands_by_itself(
    moved: World, behave: Callable[..., None], which: str, switches: dict[str, Any]
) -> None:
    behave(**switches)
    moved.person("ann").delete("primary", series_event(moved))
    if which == "moved before":
        moved.edit(one_id(2), title="Still on")
        expected = [shown(at(2, 14), "Still on")]
    else:
        moves(moved, 4, to=17, title="Still on")
        expected = [shown(at(4, 17), "Still on")]
    synced(moved)
    assert calendar(moved) == expected
    assert moved.appointments()["weekly"]["status"] == "cancelled"
    stays(moved)
    # It is a single event now, and a pair like any other.
    [event] = moved.events("ann")
    assert "recurringEventId" not in event
    moved.person("ann").patch("primary", event["id"], summary="Still on, there")
    synced(moved)
    [single] = let_go(moved)
    assert moved.appointments()[single]["title"] == "Still on, there"
    stays(moved)


@soaks
@pytest.mark.parametrize(
    ("switches", "back"), covering(SWITCHES, ["restored in the calendar", "confirmed in the studio"]), ids=str
)
def test_a_series_that_comes_back_has_its_own_occurrence_beside_the_one_that_it_let_go(
    moved: World, behave: Callable[..., None], back: str, switches: dict[str, Any]
) -> None:
    behave(**switches)
    event_id = series_event(moved)
    moved.person("ann").delete("primary", event_id)
    moved.edit(one_id(2), title="Still on", colour="green", resource_ids=["studio-1"])
    synced(moved)
    [single] = let_go(moved)
    assert one_id(2) not in moved.appointments()
    kept = moved.appointments()[single]
    assert (kept["colour"], kept["resource_ids"], kept["user_ids"]) == ("green", ["studio-1"], ["ann"])
    assert not {"series_id", "original_start", "original_date"} & kept.keys()
    if back == "restored in the calendar":
        moved.person("ann").restore(event_id)
    else:
        moved.edit("weekly", status="confirmed")
    agreed(moved)
    assert len(calendar(moved)) == 7
    assert shown(at(2, 14), "Still on") in calendar(moved)
    # Later edits of either arrive, from both sides.
    moved.person("ann").edit(instance(moved, 2), summary="Again, there")
    moved.edit(single, title="By itself")
    agreed(moved)
    assert {"Again, there", "By itself"} <= {one[2] for one in studio(moved)}
    moved.edit(one_id(2), title="Again, here")
    agreed(moved)
    assert {"Again, here", "By itself"} <= {one[2] for one in calendar(moved)}
    assert len(calendar(moved)) == 7


def test_an_occurrence_that_is_let_go_twice_is_two_single_appointments(moved: World) -> None:
    event_id = series_event(moved)
    for time in ("first", "second"):
        moved.person("ann").delete("primary", event_id)
        moves(moved, 2, title=f"Still on, {time}")
        synced(moved)
        moved.person("ann").restore(event_id)
        agreed(moved)
    assert len(let_go(moved)) == 2
    assert {"Still on, first", "Still on, second"} <= {one[2] for one in calendar(moved)}
    assert len(calendar(moved)) == 8


def test_an_occurrence_beyond_a_shorter_series_is_let_go_and_the_series_may_be_made_longer_again(moved: World) -> None:
    person, event_id = moved.person("ann"), series_event(moved)
    moves(moved, 4, title="Still on")
    person.patch("primary", event_id, recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    agreed(moved, *regular(0, 1), shown(at(2, 14)), shown(at(4, 14), "Still on"))
    assert len(let_go(moved)) == 1
    moved.edit("weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"])
    agreed(moved)
    assert len(calendar(moved)) == 7
    person.edit(instance(moved, 4), summary="Again")
    agreed(moved)
    assert {"Again", "Still on"} <= {one[2] for one in studio(moved)}


def let_go(world: World) -> list[str]:
    """The single appointments that occurrences have become."""
    return [one for one in world.appointments() if not one.startswith("weekly")]


@pytest.mark.parametrize("first", ["occurrence", "series"])
def test_edited_in_the_studio_where_its_series_is_cancelled_too_it_goes_with_it(moved: World, first: str) -> None:
    if first == "series":
        moved.edit("weekly", status="cancelled")
    moved.edit(one_id(2), title="Still on")
    if first == "occurrence":
        moved.edit("weekly", status="cancelled")
    synced(moved)
    assert calendar(moved) == studio(moved) == []
    assert writes(moved) == [DELETE]
    stays(moved)


def test_edited_in_the_studio_after_its_series_was_deleted_it_comes_back_by_itself(moved: World) -> None:
    moved.person("ann").delete("primary", series_event(moved))
    synced(moved)
    assert calendar(moved) == []
    moved.edit(one_id(2), title="Still on")
    synced(moved)
    assert calendar(moved) == [shown(at(2, 14), "Still on")]
    stays(moved)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("which", ["moved before", "as its series"])
def test_one_occurrence_is_deleted_on_one_side_and_edited_on_the_other(moved: World, side: str, which: str) -> None:
    week = 2 if which == "moved before" else 4
    if side == "studio":
        studio_series.cancel(desk(moved), "weekly", at(week), "this")
        moved.person("ann").patch("primary", instance(moved, week), location="Roof")
        synced(moved)
        assert calendar(moved) == studio(moved)
        assert len(calendar(moved)) == 5
        assert "Roof" in str(moved.log("ann"))
    else:
        moved.person("ann").delete("primary", instance(moved, week))
        if which == "moved before":
            moved.edit(one_id(week), title="Still on")
        else:
            moves(moved, week, to=17, title="Still on")
        synced(moved)
        assert calendar(moved) == studio(moved)
        assert "Still on" in {one[2] for one in calendar(moved)}
        assert len(calendar(moved)) == 6
    stays(moved)


# --- back from the bin ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_a_series_that_was_deleted_in_the_calendar_and_is_restored_is_back_with_its_occurrences(
    moved: World, behave: Callable[..., None], switches: dict[str, Any]
) -> None:
    behave(**switches)
    event_id = series_event(moved)
    moved.person("ann").delete("primary", event_id)
    synced(moved)
    assert moved.appointments()["weekly"]["status"] == "cancelled"
    moved.person("ann").restore(event_id)
    agreed(moved, *regular(0, 1, 3, 4, 5), shown(at(2, 14)))
    assert moved.appointments()["weekly"]["status"] == "confirmed"


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_a_series_that_the_studio_cancelled_and_takes_up_again_is_back_with_its_occurrences(
    moved: World, behave: Callable[..., None], switches: dict[str, Any]
) -> None:
    behave(**switches)
    moved.edit("weekly", status="cancelled")
    synced(moved)
    assert calendar(moved) == []
    moved.edit("weekly", status="confirmed")
    in_step(moved, *regular(0, 1, 3, 4, 5), shown(at(2, 14)))


@pytest.mark.parametrize("side", SIDES)
def test_a_series_that_is_back_has_its_cancelled_occurrences_cancelled(world: World, side: str) -> None:
    with_weekly(world)
    studio_series.cancel(desk(world), "weekly", at(1), "this")
    world.person("ann").delete("primary", instance(world, 3))
    agreed(world, *regular(0, 2, 4, 5))
    event_id = series_event(world)
    if side == "studio":
        world.edit("weekly", status="cancelled")
        synced(world)
        world.edit("weekly", status="confirmed")
    else:
        world.person("ann").delete("primary", event_id)
        synced(world)
        world.person("ann").restore(event_id)
    in_step(world, *regular(0, 2, 4, 5))


# --- how many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["approve", "decline"])
@pytest.mark.parametrize("side", SIDES)
def test_ten_occurrences_deleted_at_once_are_held_until_somebody_says_so(world: World, side: str, answer: str) -> None:
    with_weekly(world, recurrence=["RRULE:FREQ=WEEKLY;COUNT=12"])
    everything = regular(*range(12))
    for week in range(1, 11):
        if side == "studio":
            studio_series.cancel(desk(world), "weekly", at(week), "this")
        else:
            world.person("ann").delete("primary", instance(world, week))
    synced(world)
    if side == "studio":
        assert calendar(world) == everything
    else:
        assert studio(world) == everything
    held = hold(world)
    assert held is not None
    stays(world)
    world.set_up("ann", **{"approved_hold" if answer == "approve" else "declined_hold": held})
    agreed(world, *(regular(0, 11) if answer == "approve" else everything))
    assert hold(world) is None


def test_five_hundred_occurrences_cost_one_write_and_deleting_them_one(world: World, tap: Wiretap) -> None:
    joined(world)
    world.cloud.google.clear_requests()
    world.book("weekly", **timed(recurrence=["RRULE:FREQ=DAILY;COUNT=500"]))
    tap.reset()
    synced(world)
    assert writes(world) == [INSERT]
    assert tap.summary()["document_writes"] <= 12
    assert len(calendar(world)) > 400
    assert calendar(world) == studio(world)
    world.cloud.google.clear_requests()
    tap.reset()
    world.edit("weekly", status="cancelled")
    synced(world)
    assert writes(world) == [DELETE]
    assert tap.summary()["document_writes"] <= 14
    assert calendar(world) == []
    assert hold(world) is None
    stays(world)


def test_five_hundred_occurrences_from_the_calendar_are_one_document_and_one_again_when_deleted(
    world: World, tap: Wiretap
) -> None:
    joined(world)
    event_id = world.types("ann", **google_weekly(recurrence=["RRULE:FREQ=DAILY;COUNT=500"]))
    tap.reset()
    synced(world)
    assert len(world.appointments()) == 1
    assert tap.summary()["document_writes"] <= 14
    world.person("ann").delete("primary", event_id)
    tap.reset()
    synced(world)
    assert len(world.appointments()) == 1
    assert len(cancelled(world)) == 1
    assert tap.summary()["document_writes"] <= 14
    assert hold(world) is None
    stays(world)


def test_a_deleted_series_with_ten_exceptions_counts_once_for_the_guard(world: World) -> None:
    with_weekly(world, recurrence=["RRULE:FREQ=WEEKLY;COUNT=12"])
    for week in range(10):
        moves(world, week)
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(30))
    synced(world)
    world.cloud.google.clear_requests()
    world.edit("weekly", status="cancelled")
    synced(world)
    assert writes(world) == [DELETE]
    assert hold(world) is None
    assert world.titles("ann") == ["Shoot"]
    stays(world)


def test_an_occurrence_moved_there_goes_with_the_series_that_the_studio_ends_before_it(world: World) -> None:
    with_weekly(world)
    moved_there(world, 4)
    agreed(world, *regular(0, 1, 2, 3, 5), shown(at(4, 14)))
    studio_series.cancel(desk(world), "weekly", at(3), "following")
    in_step(world, *regular(0, 1, 2))
