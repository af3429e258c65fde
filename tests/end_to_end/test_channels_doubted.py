"""A channel that falls silent is found out by what it did not tell of, and replaced; nothing else makes it doubted."""

import logging
from collections.abc import Callable

import pytest

from shared.adapters.google_calendar import ATTEMPTS
from shared.domain.channel_health import Pace
from tests.end_to_end.watching import (
    INTERVAL,
    LIST,
    SAFETY,
    STOP,
    WATCH,
    assert_one_channel_and_in_step,
    booked,
    calls,
    channel,
    die_at_the_watch,
    due,
    edit,
    how_soon,
    near_the_end,
    proven,
    wait,
    watched,
)
from tests.world import World, google_span, span


@pytest.fixture
def unproven(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Ann, with a channel that has not told of anything yet."""
    return watched(world, monkeypatch)


@pytest.fixture
def ann(unproven: World) -> World:
    """The same, with a channel that has proved itself."""
    return proven(unproven)


def test_a_channel_that_died_is_found_out_by_the_first_change_that_it_did_not_tell_of_and_replaced(
    ann: World, caplog: pytest.LogCaptureFixture
) -> None:
    ann.cloud.google.push.silence(channel(ann).id)
    dead = channel(ann)
    ann.later(hours=1)
    edit(ann, "CANARY")
    with caplog.at_level(logging.WARNING):
        due(ann)
    assert booked(ann) == ["CANARY"]
    [line] = [one for one in caplog.records if "did not tell" in one.getMessage()]
    assert line.__dict__["connection"] == ann.connections["ann"]
    assert "CANARY" not in str(line.__dict__)
    assert (how_soon(ann), wait(ann)) == (Pace(live=False, longest_wait=INTERVAL), INTERVAL)
    calls(ann)
    due(ann)
    assert calls(ann) == [WATCH, STOP, LIST]
    assert channel(ann).id != dead.id
    assert_one_channel_and_in_step(ann)
    ann.push("ann", "sync")
    due(ann)
    assert (how_soon(ann).live, wait(ann)) == (True, SAFETY)


def test_a_new_entry_gives_it_away_as_well(ann: World) -> None:
    ann.later(hours=1)
    ann.types("ann", summary="Hairdresser", **google_span(50))
    due(ann)
    assert channel(ann).silent_since is not None


def test_a_channel_that_never_told_of_anything_is_found_out_as_well(unproven: World) -> None:
    edit(unproven, "Doctor")
    due(unproven)
    assert channel(unproven).silent_since is not None
    first = channel(unproven)
    due(unproven)
    assert channel(unproven).id != first.id
    assert_one_channel_and_in_step(unproven)


def test_a_silent_channel_that_cannot_be_replaced_is_doubted_once_and_asked_for_twice_a_day(
    ann: World, caplog: pytest.LogCaptureFixture
) -> None:
    ann.cloud.google.push.never_watch(ann.emails["ann"])
    ann.later(hours=1)
    edit(ann, "Doctor")
    due(ann)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            due(ann)
            edit(ann, f"Doctor {number}")
            assert wait(ann) == INTERVAL
    assert calls(ann).count(WATCH) == 1
    assert "did not tell" not in caplog.text
    due(ann)
    assert booked(ann) == ["Doctor 2"]


def our_own_writes(world: World) -> None:
    [appointment_id] = world.appointments()
    world.edit(appointment_id, title="Moved by the studio", **span(40))
    world.sync()
    world.book("new", title="New", user_ids=["ann"], **span(50))
    world.sync()
    world.later(hours=1)
    world.sync()


def a_deletion(world: World) -> None:
    """Of what is deleted Google promises to tell the id, and not when that was."""
    world.person("ann").delete("primary", world.events("ann")[0]["id"])
    world.later(hours=1)
    world.sync()
    assert world.events("ann") == []


def a_push_while_a_run_was_due_already(world: World) -> None:
    """Noted once a minute only: the second change's push left no trace."""
    world.push("ann")
    world.later(seconds=50)
    edit(world, "Doctor")
    world.push("ann")
    world.later(hours=1)
    world.sync()
    assert booked(world) == ["Doctor"]


def a_run_late_by_a_pause_that_google_asked_for(world: World) -> None:
    world.cloud.google.fail_next(LIST, 429, "rateLimitExceeded", 3 * ATTEMPTS)
    edit(world, "Doctor")
    world.push("ann")
    for _ in range(4):
        world.run("ann")
        world.later(minutes=11)
    assert booked(world) == ["Doctor"]


def a_change_made_just_now(world: World) -> None:
    """The push may be on its way."""
    edit(world, "Doctor")
    world.later(minutes=4)
    world.sync()
    assert booked(world) == ["Doctor"]


def a_change_made_before_the_channel(world: World) -> None:
    near_the_end(world)
    edit(world, "Doctor")
    world.later(hours=1)
    world.run("ann")
    assert booked(world) == ["Doctor"]


def a_change_that_the_one_before_told_of_while_it_was_not_the_present_one(world: World) -> None:
    """A run died in the renewal, and the next one is refused: the old channel is back."""
    old = near_the_end(world)
    die_at_the_watch(world, "before")
    edit(world, "Doctor")
    assert world.push("ann", channel=old) == "wished"
    world.later(hours=1)
    world.cloud.google.push.never_watch(world.emails["ann"])
    world.run("ann")
    assert booked(world) == ["Doctor"]
    assert channel(world).id == old.id
    assert how_soon(world).live is True
    assert world.connection("ann").retired != (), "nobody knows whether the dead run's one was opened"
    world.sync()
    assert world.connection("ann").retired == ()


@pytest.mark.parametrize(
    "case",
    [
        our_own_writes,
        a_deletion,
        a_push_while_a_run_was_due_already,
        a_run_late_by_a_pause_that_google_asked_for,
        a_change_made_just_now,
        a_change_made_before_the_channel,
        a_change_that_the_one_before_told_of_while_it_was_not_the_present_one,
    ],
    ids=lambda case: case.__name__,
)
def test_no_reason_to_doubt_a_channel(ann: World, case: Callable[[World], None]) -> None:
    ann.later(minutes=30)
    case(ann)
    assert channel(ann).silent_since is None
