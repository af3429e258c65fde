"""Series that were there before: populated once and twice, twins on both sides, a mirror, and the window's edge."""

import datetime as dt

import pytest

from local import studio_series
from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.repeating import (
    agreed,
    at,
    calendar,
    desk,
    google_times,
    google_weekly,
    in_step,
    instance,
    joined,
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
from tests.world import World

BOXES = {"populate_calendar": True, "populate_studio": True}


def slot(event_id: str, week: int) -> str:
    return f"{event_id}_{at(week):%Y%m%dT%H%M%SZ}"


def again(world: World) -> None:
    world.set_up("ann", **BOXES)
    synced(world)


def test_series_on_both_sides_are_populated_once_however_often_that_is_asked_for(world: World) -> None:
    world.add("ann", **BOXES)
    world.book("weekly", **timed())
    moves(world, 2)
    studio_series.cancel(desk(world), "weekly", at(3), "this")
    there = world.types("ann", **google_weekly(summary="There"))
    world.person("ann").patch("primary", slot(there, 1), summary="Renamed")
    world.person("ann").delete("primary", slot(there, 4))
    world.connect("ann")
    world.sync()
    [question] = world.inbox()
    world.answer(question, "different")
    expected = [
        *regular(0, 1, 4, 5),
        shown(at(2, 14)),
        *regular(0, 2, 3, 5, title="There"),
        shown(at(1), "Renamed"),
    ]
    agreed(world, *expected)
    before = world.appointments()
    world.cloud.google.clear_requests()
    again(world)
    assert writes(world) == []
    assert world.appointments() == before
    in_step(world, *expected)


def test_twins_are_paired_and_their_exceptions_not_doubled(world: World) -> None:
    world.add("ann", **BOXES)
    world.book("weekly", **timed())
    moves(world, 2)
    studio_series.cancel(desk(world), "weekly", at(3), "this")
    there = world.types("ann", **google_weekly())
    person = world.person("ann")
    times = google_times(at(2, 14), at(2, 15))
    person.patch("primary", slot(there, 2), **times)
    person.delete("primary", slot(there, 3))
    before = world.appointments()
    world.connect("ann")
    agreed(world, *regular(0, 1, 4, 5), shown(at(2, 14)))
    assert series_event(world) == there
    assert world.appointments().keys() == before.keys()
    again(world)
    in_step(world, *regular(0, 1, 4, 5), shown(at(2, 14)))


def test_of_twins_each_sides_exceptions_come_to_the_other(world: World) -> None:
    world.add("ann", **BOXES)
    world.book("weekly", **timed())
    moves(world, 2)
    there = world.types("ann", **google_weekly())
    world.person("ann").patch("primary", slot(there, 4), summary="Renamed")
    world.connect("ann")
    agreed(world, *regular(0, 1, 3, 5), shown(at(2, 14)), shown(at(4), "Renamed"))
    assert len([one for one in world.events("ann") if one.get("recurrence")]) == 1


@pytest.mark.parametrize("side", ["studio", "calendar"])
@pytest.mark.parametrize("ended", [False, True])
def test_a_series_begun_long_before_the_window_comes_in_if_it_still_goes_on(
    world: World, side: str, ended: bool
) -> None:
    world.add("ann", **BOXES)
    rule = [f"RRULE:FREQ=WEEKLY;COUNT={20 if ended else 60}"]
    if side == "studio":
        world.book("weekly", **timed(start=at(-52), end=at(-52, 11), recurrence=rule))
        moves(world, 2) if not ended else None
    else:
        there = world.types("ann", summary="Weekly", **google_times(at(-52), at(-52, 11)), recurrence=rule)
        if not ended:
            world.person("ann").patch("primary", slot(there, 2), **google_times(at(2, 14), at(2, 15)))
    world.connect("ann")
    synced(world)
    if ended:
        assert (world.events("ann") if side == "studio" else list(world.appointments())) == []
    else:
        assert (
            calendar(world)
            == studio(world)
            == sorted([*(one for one in regular(-1, 0, 1, 3, 4, 5, 6, 7)), shown(at(2, 14))])
        )
    stays(world)


# --- a mirror ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def mirror(world: World) -> World:
    """Ann, whose calendar only mirrors the studio, with a weekly series."""
    world.book("weekly", **timed())
    world.join("ann", two_way_appointments=False, populate_calendar=True)
    synced(world)
    assert calendar(world) == regular(*range(6))
    return world


def test_a_mirror_carries_every_edit_of_a_series_to_the_calendar(mirror: World) -> None:
    moves(mirror, 2)
    studio_series.cancel(desk(mirror), "weekly", at(3), "this")
    agreed(mirror, *regular(0, 1, 4, 5), shown(at(2, 14)))
    studio_series.change(desk(mirror), "weekly", at(4), "following", title="New")
    agreed(mirror, *regular(0, 1), shown(at(2, 14)), *regular(4, 5, title="New"))
    mirror.erase(one_id(3))
    agreed(mirror, *regular(0, 1, 3), shown(at(2, 14)), *regular(4, 5, title="New"))
    mirror.edit("weekly", status="cancelled")
    in_step(mirror, *regular(4, 5, title="New"))


def test_a_mirror_takes_nothing_in_of_what_is_done_to_a_series_there(mirror: World) -> None:
    before = mirror.appointments()
    person = mirror.person("ann")
    person.patch("primary", instance(mirror, 1), summary="Renamed there")
    person.delete("primary", instance(mirror, 2))
    synced(mirror)
    assert mirror.appointments() == before
    # What the studio edits next is put right.
    moves(mirror, 1)
    moves(mirror, 2)
    in_step(mirror, *regular(0, 3, 4, 5), shown(at(1, 14)), shown(at(2, 14)))


def test_two_way_turned_on_takes_in_later_edits_of_occurrences_only(mirror: World) -> None:
    person = mirror.person("ann")
    person.patch("primary", instance(mirror, 1), summary="Before it")
    mirror.set_up("ann", two_way_appointments=True)
    synced(mirror)
    assert set(mirror.appointments()) <= {"weekly", one_id(1)}
    assert mirror.appointments()["weekly"]["title"] == "Weekly"
    person.patch("primary", instance(mirror, 3), summary="After it")
    synced(mirror)
    assert mirror.appointments()[one_id(3)]["title"] == "After it"
    stays(mirror)


def test_a_mass_of_series_is_listed_over_many_pages(world: World) -> None:
    world.add("ann", populate_studio=True)
    expected = []
    for number in range(8):
        there = world.types("ann", **google_weekly(summary=f"S{number}"))
        world.person("ann").patch("primary", slot(there, 1), summary=f"E{number}")
        world.person("ann").delete("primary", slot(there, 2))
        expected += [*regular(0, 3, 4, 5, title=f"S{number}"), shown(at(1), f"E{number}")]
    world.connect("ann")
    world.cloud.google.listings.next_page_sizes(*[3] * 8)
    agreed(world, *expected)
    assert world.inbox() == {}


def test_occurrences_cancelled_before_their_series_entered_are_no_deletions_to_be_asked_about(world: World) -> None:
    for number in range(8):
        world.book(f"s{number}", **timed(title=f"S{number}"))
        studio_series.cancel(desk(world), f"s{number}", at(2), "this")
    joined(world)
    agreed(world, *(one for n in range(8) for one in regular(0, 1, 3, 4, 5, title=f"S{n}")))
    assert world.inbox() == {}


def test_a_lost_cursor_costs_nothing_and_changes_nothing(world: World) -> None:
    with_weekly(world)
    moves(world, 2)
    world.person("ann").delete("primary", instance(world, 3))
    in_step(world, *regular(0, 1, 4, 5), shown(at(2, 14)))
    world.later(days=31)
    synced(world)
    assert writes(world) == []
    assert dt.datetime.fromisoformat(world.events("ann")[0]["start"]["dateTime"]).astimezone(dt.UTC) == at(0)


def test_an_exception_that_was_made_while_the_cursor_was_lost_comes_in(world: World) -> None:
    joined(world)
    there = world.types("ann", **google_weekly())
    synced(world)
    world.cloud.google.expire_sync_tokens()
    world.person("ann").patch("primary", slot(there, 2), summary="Renamed")
    world.person("ann").delete("primary", slot(there, 4))
    in_step(world, *regular(0, 1, 3, 5), shown(at(2), "Renamed"))
