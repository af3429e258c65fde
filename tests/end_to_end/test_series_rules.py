"""How an appointment repeats: rules of every kind, those that cannot be carried over, and what becomes another kind."""

import datetime as dt

import pytest

from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.repeating import (
    agreed,
    at,
    calendar,
    day,
    google_times,
    google_weekly,
    in_step,
    instance,
    joined,
    moves,
    one_id,
    overlay,
    regular,
    series_event,
    shown,
    stays,
    studio,
    timed,
    with_weekly,
)
from tests.series import Shown
from tests.soak import spread
from tests.world import World, span

SIDES = ["studio", "calendar"]
RULE = "RRULE:FREQ=WEEKLY;COUNT=6"
UNSUPPORTED = "RRULE:FREQ=SECONDLY;COUNT=3"


def stamp(week: int) -> str:
    return f"{at(week):%Y%m%dT%H%M%SZ}"


# --- lines ------------------------------------------------------------------------------------------------------------


@spread
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("lines", "weeks"),
    [
        ([f"RDATE:{stamp(2)},{stamp(5)}"], (0, 2, 5)),
        ([f"RDATE:{stamp(2)}", f"RDATE:{stamp(5)}"], (0, 2, 5)),
        ([RULE, f"EXDATE:{stamp(1)}", f"EXDATE:{stamp(3)}"], (0, 2, 4, 5)),
        ([RULE, f"RDATE:{stamp(8)}"], (0, 1, 2, 3, 4, 5, 8)),
        (["RRULE:FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=WEEKLY;INTERVAL=4;COUNT=3"], (0, 1, 4, 8)),
        ([f"RRULE:FREQ=WEEKLY;UNTIL={stamp(3)}"], (0, 1, 2, 3)),
    ],
    ids=["dates", "two lines of dates", "without dates", "rule and date", "two rules", "until"],
)
def test_series_of_every_kind_are_the_same_on_both_sides(
    world: World, side: str, lines: list[str], weeks: tuple[int, ...]
) -> None:
    joined(world)
    if side == "studio":
        world.book("weekly", **timed(recurrence=lines))
    else:
        world.types("ann", **google_weekly(recurrence=lines))
    agreed(world, *regular(*weeks))
    [series_id] = world.appointments()
    # An occurrence of such a series is one like any other.
    last = weeks[-1]
    world.person("ann").patch("primary", instance(world, last, series_id), summary="Last")
    in_step(world, *regular(*weeks[:-1]), shown(at(last), "Last"))


@pytest.mark.parametrize("side", SIDES)
def test_an_occurrence_may_be_left_out_by_a_line_instead_of_a_document(world: World, side: str) -> None:
    with_weekly(world)
    lines = [RULE, f"EXDATE:{stamp(2)}"]
    if side == "studio":
        world.edit("weekly", recurrence=lines)
    else:
        world.person("ann").patch("primary", series_event(world), recurrence=lines)
    agreed(world, *regular(0, 1, 3, 4, 5))
    assert world.appointments().keys() == {"weekly"}


@spread
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("made", SIDES)
def test_a_line_may_leave_out_an_occurrence_that_had_a_document(world: World, made: str, side: str) -> None:
    with_weekly(world)
    if made == "studio":
        moves(world, 2)
    else:
        world.person("ann").patch("primary", instance(world, 2), summary="Renamed")
    agreed(world)
    lines = [RULE, f"EXDATE:{stamp(2)}"]
    if side == "studio":
        world.edit("weekly", recurrence=lines)
    else:
        world.person("ann").patch("primary", series_event(world), recurrence=lines)
    in_step(world, *regular(0, 1, 3, 4, 5))


def test_lines_in_another_order_or_spelling_are_no_change(world: World) -> None:
    with_weekly(world, recurrence=[RULE, f"EXDATE:{stamp(2)}"])
    lines = [f"EXDATE:{stamp(2)}", "RRULE:COUNT=6;FREQ=WEEKLY;INTERVAL=1"]
    world.person("ann").patch("primary", series_event(world), recurrence=lines)
    before = world.appointments()
    world.cloud.google.clear_requests()
    synced(world)
    assert writes(world) == []
    assert world.appointments() == before


# --- another kind -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
def test_a_single_entry_becomes_a_series_and_single_again(world: World, side: str) -> None:
    world.book("weekly", title="Weekly", user_ids=["ann"], start=at(0), end=at(0, 11))
    joined(world)
    event_id = series_event(world)
    if side == "studio":
        world.edit("weekly", recurrence=[RULE], time_zone="Europe/Berlin")
    else:
        world.person("ann").patch("primary", event_id, **google_times(at(0), at(0, 11)), recurrence=[RULE])
    agreed(world, *regular(*range(6)))
    moves(world, 2)
    agreed(world, *regular(0, 1, 3, 4, 5), shown(at(2, 14)))
    if side == "studio":
        world.edit("weekly", recurrence=None)
    else:
        world.person("ann").patch("primary", event_id, recurrence=None)
    synced(world)
    assert calendar(world) == regular(0)
    assert not world.appointments()["weekly"].get("recurrence")
    stays(world)


@spread
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("exception", [False, True])
def test_a_series_of_times_becomes_one_of_whole_days(world: World, side: str, exception: bool) -> None:
    with_weekly(world)
    if exception:
        overlay(world, 2, title="Renamed", start=at(2), end=at(2, 11))
        agreed(world)
    first, last = day(0), day(0) + dt.timedelta(days=1)
    if side == "studio":
        dates = {"start_date": first.isoformat(), "end_date": last.isoformat()}
        world.edit("weekly", all_day=True, start=None, end=None, **dates)
    else:
        none = {"dateTime": None, "timeZone": None}
        times = {"start": {"date": f"{first}", **none}, "end": {"date": f"{last}", **none}}
        world.person("ann").patch("primary", series_event(world), **times)
    expected: list[Shown] = [
        (f"{day(week)}", f"{day(week) + dt.timedelta(days=1)}", "Weekly", "", "confirmed", True)
        for week in range(6)
        if not (exception and week == 2)
    ]
    if exception:
        expected.append((f"{day(2)}", f"{day(2) + dt.timedelta(days=1)}", "Renamed", "", "confirmed", True))
    in_step(world, *expected)


def test_an_occurrence_alone_may_last_the_whole_day(world: World) -> None:
    with_weekly(world)
    dates = {"all_day": True, "start_date": f"{day(2)}", "end_date": f"{day(2) + dt.timedelta(days=1)}"}
    overlay(world, 2, title="Weekly", **dates)
    whole: Shown = (f"{day(2)}", f"{day(2) + dt.timedelta(days=1)}", "Weekly", "", "confirmed", True)
    in_step(world, *regular(0, 1, 3, 4, 5), whole)


# --- not to be carried over -------------------------------------------------------------------------------------------


def test_a_rule_that_cannot_be_carried_over_parks_its_series_alone_until_it_is_mended(world: World) -> None:
    joined(world)
    world.book("weekly", **timed(recurrence=[UNSUPPORTED]))
    moves(world, 2)
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(30))
    synced(world)
    parked = world.below("ann", "parked")
    assert parked["weekly"]["reason"] == "unsupported_rule"
    assert "SECONDLY" in parked["weekly"]["detail"]
    assert parked[one_id(2)]["reason"] == "unsupported_rule"
    assert "SECONDLY" in parked[one_id(2)]["detail"]
    assert world.titles("ann") == ["Shoot"]
    stays_parked = world.appointments()
    synced(world)
    assert world.appointments() == stays_parked
    world.edit("weekly", recurrence=[RULE])
    synced(world)
    world.erase("shoot")
    in_step(world, *regular(0, 1, 3, 4, 5), shown(at(2, 14)))


def test_a_series_in_step_that_gets_such_a_rule_stays_in_the_calendar_as_it_was(world: World) -> None:
    with_weekly(world)
    moves(world, 2)
    agreed(world)
    before = calendar(world)
    world.edit("weekly", recurrence=[UNSUPPORTED])
    world.edit(one_id(2), title="Renamed")
    synced(world)
    assert calendar(world) == before
    assert world.below("ann", "parked").keys() == {"weekly", one_id(2)}
    world.edit("weekly", recurrence=[RULE])
    in_step(world, *regular(0, 1, 3, 4, 5), shown(at(2, 14), "Renamed"))


def test_such_a_rule_in_the_calendar_parks_that_entry_alone_until_it_is_mended(world: World) -> None:
    joined(world)
    event_id = world.types("ann", **google_weekly(recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"]))
    world.types("ann", summary="Walk", **google_times(at(8), at(8, 11)))
    synced(world)
    refused = world.below("ann", "parked")
    assert [(one["reason"], "BYMONTHDAY" in one["detail"]) for one in refused.values()] == [("unsupported_rule", True)]
    assert [one["title"] for one in world.appointments().values()] == ["Walk"]
    person = world.person("ann")
    person.patch("primary", event_id, recurrence=[RULE])
    person.patch("primary", f"{event_id}_{stamp(2)}", summary="Renamed")
    in_step(world, *regular(0, 1, 3, 4, 5), shown(at(2), "Renamed"), shown(at(8), "Walk"))


def test_a_series_in_step_that_gets_such_a_rule_in_the_calendar_stays_in_the_studio_as_it_was(world: World) -> None:
    with_weekly(world)
    moves(world, 2)
    agreed(world)
    before = world.appointments()
    event_id = series_event(world)
    world.person("ann").patch("primary", event_id, recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"])
    synced(world)
    assert "weekly" in world.below("ann", "parked")
    assert world.appointments() == before
    world.person("ann").patch("primary", event_id, recurrence=[RULE])
    synced(world)
    assert world.below("ann", "parked") == {}
    assert calendar(world) == studio(world)
    stays(world)
