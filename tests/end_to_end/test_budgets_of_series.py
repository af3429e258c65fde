"""What series may cost, counted; and that they are still there, once, after another calendar and another consent."""

import datetime as dt
import math
from typing import Any

import pytest

from local import studio_series
from local.studio_series import occurrence_id
from local.wiretap import Wiretap
from tests.end_to_end.idling import assert_idle, settle
from tests.end_to_end.switching import disconnects, second_calendar, switch
from tests.series import SeriesDesk, in_calendar, in_studio
from tests.world import NOW, World

FIRST = (NOW + dt.timedelta(days=3)).replace(hour=10, minute=0)
WEEK = dt.timedelta(days=7)


def weekly(name: str = "weekly", hour: int = 0, count: int = 20) -> dict[str, Any]:
    start = FIRST + dt.timedelta(hours=hour)
    times = {"start": start, "end": start + dt.timedelta(minutes=30), "time_zone": "UTC"}
    return {"title": name, "user_ids": ["ann"], "recurrence": [f"RRULE:FREQ=WEEKLY;COUNT={count}"], **times}


@pytest.fixture
def ann(world: World) -> World:
    """Ann with a weekly series, in step."""
    world.book("weekly", **weekly())
    world.join("ann", populate_calendar=True, populate_studio=True)
    settle(world)
    world.sync()
    world.cloud.google.clear_requests()
    return world


def calls(world: World) -> list[str]:
    return [one.method_id for one in world.cloud.google.requests]


def rename(world: World, *weeks: int) -> None:
    for week in weeks:
        studio_series.change(SeriesDesk(world), "weekly", FIRST + week * WEEK, "this", title=f"Week {week}")


def titles(world: World) -> list[str]:
    return [one[2] for one in in_calendar(world, "ann")]


def test_an_edit_of_one_occurrence_is_one_write_to_the_calendar_and_no_read_before_it(ann: World) -> None:
    rename(ann, 3)
    ann.run("ann")
    assert calls(ann) == ["calendar.events.list", "calendar.events.patch"]


def test_another_edit_of_that_occurrence_is_one_write_as_well(ann: World) -> None:
    rename(ann, 3)
    settle(ann)
    ann.sync()
    ann.cloud.google.clear_requests()
    ann.edit(occurrence_id("weekly", FIRST + 3 * WEEK), location="Park")
    ann.run("ann")
    assert calls(ann) == ["calendar.events.list", "calendar.events.patch"]


def test_cancelling_one_occurrence_is_one_write(ann: World) -> None:
    studio_series.cancel(SeriesDesk(ann), "weekly", FIRST + 3 * WEEK, "this")
    ann.run("ann")
    assert calls(ann) == ["calendar.events.list", "calendar.events.delete"]


def test_a_series_with_hundreds_of_occurrences_is_one_write_to_enter_to_move_and_to_take_out(world: World) -> None:
    world.book("weekly", **weekly(count=500))
    world.join("ann", populate_calendar=True)
    google = world.cloud.google
    for edit, deed in (({}, "insert"), ({"start": FIRST - WEEK}, "patch"), ({"status": "cancelled"}, "delete")):
        if edit:
            world.edit(
                "weekly", **edit, **({"end": FIRST - WEEK + dt.timedelta(minutes=30)} if "start" in edit else {})
            )
        google.clear_requests()
        world.sync()
        assert [call for call in calls(world) if call.endswith(("insert", "patch", "delete"))] == [
            f"calendar.events.{deed}"
        ]
    assert world.events("ann") == []
    assert list(world.appointments()) == ["weekly"]


@pytest.mark.parametrize("number", [50, 51])
def test_populating_takes_a_request_out_per_fifty_series(world: World, number: int) -> None:
    world.front_end.book_many({f"s{n:03}": weekly(f"Series {n}", n % 9) for n in range(number)})
    world.join("ann", populate_calendar=True)
    google = world.cloud.google
    google.clear_requests()
    world.sync()
    other = [call for call in calls(world) if not call.endswith("events.insert")]
    assert calls(world).count("calendar.events.insert") == number
    assert other.count("calendar.events.list") == 1
    assert google.http_requests - len(other) <= math.ceil(number / 50)


def test_idle_runs_with_series_cost_what_idle_runs_cost(ann: World, tap: Wiretap) -> None:
    rename(ann, 3, 4, 5)
    ann.person("ann").edit(ann.person("ann").instances(ann.events("ann")[0]["id"])[7]["id"], summary="There")
    settle(ann)
    ann.sync()
    assert_idle(ann, tap, 50)
    ann.wish("ann")
    tap.reset()
    ann.run("ann")
    assert tap.summary()["document_reads"] <= 4


def test_an_edit_of_a_series_reads_each_of_its_exceptions_a_few_times_and_no_other_occurrence(
    ann: World, tap: Wiretap
) -> None:
    reads = []
    for weeks in ((), range(1, 5), range(5, 13)):
        rename(ann, *weeks)
        settle(ann)
        ann.sync()
        ann.edit("weekly", location=f"Room {len(reads)}")
        tap.reset()
        ann.run("ann")
        reads.append(tap.summary()["document_reads"])
    without, four, twelve = reads
    assert without <= 20
    # Its document and its link; the rest is the look for what it overlaps.
    assert four - without <= 2 * 4
    assert twelve - without <= 2 * 12


def test_another_calendar_gets_the_series_with_its_exceptions_and_with_what_was_edited_in_the_earlier_one(
    ann: World,
) -> None:
    rename(ann, 1)
    studio_series.cancel(SeriesDesk(ann), "weekly", FIRST + 2 * WEEK, "this")
    settle(ann)
    instance = ann.person("ann").instances(ann.events("ann")[0]["id"])
    ann.person("ann").edit(next(one["id"] for one in instance if one["summary"] == "weekly"), summary="By hand")
    ann.person("ann").edit(next(one["id"] for one in instance if one["summary"] == "Week 1"), location="Roof")
    second = second_calendar(ann)
    switch(ann, second)
    ann.edit("weekly", description="Goes over")
    settle(ann)
    assert ann.events("ann") == [], "nothing of it is in the earlier calendar"
    there = ann.person("ann")._pages(f"calendars/{second}/events", {"singleEvents": "true", "maxResults": "2500"})
    shown = sorted((one["summary"], one.get("location", "")) for one in there)
    assert shown == sorted([("By hand", ""), ("Week 1", "Roof"), *[("weekly", "")] * 17])
    documents = ann.appointments()
    assert {(one["title"], one.get("location") or "", one["status"]) for one in documents.values()} == {
        ("weekly", "", "confirmed"),
        ("weekly", "", "cancelled"),
        ("Week 1", "Roof", "confirmed"),
        ("By hand", "", "confirmed"),
    }


def test_after_disconnecting_and_connecting_again_no_series_stands_twice(ann: World) -> None:
    rename(ann, 1)
    settle(ann)
    studio_series.cancel(SeriesDesk(ann), "weekly", FIRST + 2 * WEEK, "this")
    settle(ann)
    before = in_calendar(ann, "ann")
    disconnects(ann, ann.emails["ann"])
    rename(ann, 4)
    ann.connect("ann")
    ann.set_up("ann", populate_calendar=True, populate_studio=True)
    settle(ann)
    ann.sync()
    shown = in_calendar(ann, "ann")
    assert shown == in_studio(ann, "ann")
    assert len(shown) == len(before)
    assert titles(ann).count("Week 1") == titles(ann).count("Week 4") == 1
    assert len(ann.appointments()) == 4
