"""Push channels: opened, proven, renewed and stopped, whatever gets lost and wherever a run dies."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from local.wiretap import Killed, Wiretap
from shared.adapters.google_calendar import ATTEMPTS
from shared.config import Settings
from shared.domain.channel_health import NOTE_EVERY, Pace
from shared.services.channels import MOST_RETIRED
from shared.services.sync_calendar import Outcome
from shared.wiring import Wiring
from tests.end_to_end.watching import (
    INTERVAL,
    LIST,
    SAFETY,
    STOP,
    WATCH,
    assert_one_channel_and_in_step,
    calls,
    channel,
    die_at_the_watch,
    due,
    edit,
    how_soon,
    ids,
    near_the_end,
    opened,
    proven,
    wait,
    watched,
)
from tests.figures import Figures
from tests.soak import SOAKING, soaks
from tests.world import CLIENT, World


@pytest.fixture
def unproven(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Ann, with a channel that has not told of anything yet."""
    return watched(world, monkeypatch)


@pytest.fixture
def ann(unproven: World) -> World:
    """The same, with a channel that has proved itself."""
    return proven(unproven)


# --- a channel proves itself, and the pace follows -------------------------------------------------------------------


def test_until_its_first_notification_a_channel_counts_for_nothing(unproven: World) -> None:
    assert len(opened(unproven)) == 1
    assert channel(unproven).notified_at is None
    assert wait(unproven) == INTERVAL
    assert how_soon(unproven) == Pace(live=False, longest_wait=INTERVAL)


@pytest.mark.parametrize("state", ["sync", "exists"])
def test_any_notification_proves_it_and_the_safety_interval_counts(unproven: World, state: str) -> None:
    assert unproven.push("ann", state) == ("opened" if state == "sync" else "wished")
    assert how_soon(unproven) == Pace(live=True, longest_wait=SAFETY)
    unproven.sync()
    assert wait(unproven) == SAFETY


def test_the_first_message_notes_that_it_came_and_wishes_nothing(unproven: World, tap: Wiretap) -> None:
    before = unproven.connection("ann").next_sync_at
    tap.reset()
    for _ in range(3):
        assert unproven.push("ann", "sync") == "opened"
    assert tap.summary()["document_writes"] == 1
    assert "tasks" not in tap.summary()["services"]
    assert unproven.connection("ann").next_sync_at == before


def test_the_safety_interval_is_a_setting(ann: World) -> None:
    ann.wiring = Wiring(Settings({**ann._environment(), "SAFETY_INTERVAL_MINUTES": "90"}))
    ann.wiring.clock = ann.clock  # type: ignore[assignment]
    ann.sync()
    assert wait(ann) == dt.timedelta(minutes=90)


def test_a_burst_of_notifications_is_one_write_and_the_next_ones_one_a_minute(ann: World, tap: Wiretap) -> None:
    ann.later(minutes=30)
    tap.reset()
    for _ in range(200):
        ann.push("ann")
    assert tap.summary()["document_writes"] == 1, "the wish, and with it that one came"
    noted = channel(ann).notified_at
    ann.clock.ahead += NOTE_EVERY
    for _ in range(50):
        ann.push("ann")
    assert tap.summary()["document_writes"] == 2
    assert noted is not None
    assert (channel(ann).notified_at or noted) > noted
    assert tap.summary()["services"]["tasks"] == 1


# --- renewed ---------------------------------------------------------------------------------------------------------


def test_a_channel_is_renewed_before_it_expires_the_new_one_first_and_the_old_one_is_stopped(ann: World) -> None:
    old = near_the_end(ann)
    ann.run("ann")
    assert calls(ann) == [WATCH, STOP, LIST]
    assert channel(ann).id != old.id
    assert_one_channel_and_in_step(ann)
    assert ann.push("ann", channel=old) == "not a current channel"
    assert how_soon(ann).live is False, "it has told of nothing yet"
    ann.push("ann", "sync")
    ann.sync()
    assert (how_soon(ann).live, wait(ann)) == (True, SAFETY)


def test_the_old_one_is_listened_to_until_the_new_one_was_answered_for(ann: World) -> None:
    old = near_the_end(ann)
    die_at_the_watch(ann, "before")
    assert channel(ann).id != old.id
    assert channel(ann).expires_at is None, "stored before it was asked for"
    assert ann.push("ann", channel=old) == "wished"
    assert channel(ann).notified_at is None, "another one's notification proves nothing"


def test_a_calendar_that_cannot_be_watched_syncs_by_interval_and_is_asked_twice_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.cloud.google.push, "_now", world.clock.now)
    world.add("ann")
    world.cloud.google.push.never_watch(world.emails["ann"])
    world.connect("ann")
    world.sync()
    end = world.clock.now() + dt.timedelta(hours=25)
    calls(world)
    while world.clock.now() < end:
        assert wait(world) == INTERVAL
        due(world)
    assert calls(world).count(WATCH) == 2
    assert world.connection("ann").retired == ()
    assert how_soon(world) == Pace(live=False, longest_wait=INTERVAL)


def test_a_refused_renewal_leaves_the_old_one_alone_until_it_expires(ann: World) -> None:
    old = near_the_end(ann)
    ann.cloud.google.push.never_watch(ann.emails["ann"])
    ann.run("ann")
    assert calls(ann) == [WATCH, LIST]
    assert (ids(ann), channel(ann).id, ann.connection("ann").retired) == ([old.id], old.id, ())
    assert (how_soon(ann).live, wait(ann)) == (True, SAFETY)
    assert ann.push("ann") == "wished"
    ann.sync()
    assert calls(ann) == [LIST], "not asked again yet"
    ann.later(hours=12.1)
    ann.wish("ann")
    ann.run("ann")
    assert calls(ann) == [WATCH, LIST]
    assert how_soon(ann).live is True
    ann.later(hours=12)
    ann.sync()
    assert how_soon(ann) == Pace(live=False, longest_wait=INTERVAL)
    assert wait(ann) == INTERVAL


def test_a_renewal_that_is_rate_limited_is_tried_again_soon_and_leaves_nothing_behind(ann: World) -> None:
    old = near_the_end(ann)
    ann.cloud.google.fail_next(WATCH, 403, "rateLimitExceeded", ATTEMPTS)
    ann.run("ann")
    assert (ids(ann), channel(ann).id, ann.connection("ann").retired) == ([old.id], old.id, ())
    ann.later(minutes=11)
    ann.sync()
    assert ids(ann) != [old.id]
    assert_one_channel_and_in_step(ann)


# --- nothing is left open that is known ------------------------------------------------------------------------------


def test_a_renewal_whose_answer_was_lost_is_stopped_with_the_resource_of_the_old_one(ann: World) -> None:
    old = near_the_end(ann)
    ann.cloud.google.fail_next(WATCH, 503, "backendError", after_effect=True)
    ann.run("ann")
    assert calls(ann) == [WATCH, LIST], "who does not answer is not asked for more"
    [lost] = ann.connection("ann").retired
    assert (lost.resource_id, lost.expires_at) == (None, None)
    assert ids(ann) == [old.id, lost.id]
    assert (channel(ann).id, how_soon(ann).live) == (old.id, True)
    ann.sync()
    assert calls(ann) == [STOP, LIST]
    assert_one_channel_and_in_step(ann)
    assert ids(ann) == [old.id]


def test_first_channels_whose_answers_were_lost_are_stopped_as_soon_as_one_was_answered_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other channel tells their resource. So many are kept; any further one is left to expire."""
    monkeypatch.setattr(world.cloud.google.push, "_now", world.clock.now)
    world.join("ann")
    lost = MOST_RETIRED + 1
    world.cloud.google.fail_next(WATCH, 503, "backendError", lost, after_effect=True)
    for _ in range(lost):
        world.sync()
        world.later(minutes=11)
    assert len(opened(world)) == lost
    assert len(world.connection("ann").retired) == MOST_RETIRED
    assert STOP not in calls(world)
    world.sync()
    assert calls(world).count(STOP) == MOST_RETIRED
    assert world.connection("ann").retired == ()
    assert len(opened(world)) == 2, "the present one, and the very first"


def test_a_stop_that_got_no_answer_is_tried_again_until_the_channel_is_over(ann: World) -> None:
    old = near_the_end(ann)
    ann.cloud.google.fail_next(STOP, 503, "backendError", 2)
    ann.run("ann")
    assert ann.connection("ann").retired == (old,)
    ann.sync()
    assert calls(ann) == [WATCH, STOP, LIST, STOP, LIST]
    assert len(opened(ann)) == 2
    assert ann.push("ann", channel=old) == "wished", "it is open, and ours"
    ann.sync()
    assert calls(ann) == [STOP, LIST]
    assert_one_channel_and_in_step(ann)


def test_what_is_over_by_itself_is_not_stopped_any_more(ann: World) -> None:
    near_the_end(ann)
    ann.cloud.google.fail_next(STOP, 503, "backendError")
    ann.run("ann")
    calls(ann)
    ann.later(hours=24)
    ann.sync()
    assert calls(ann) == [LIST]
    assert_one_channel_and_in_step(ann)


@pytest.mark.parametrize(("status", "reason"), [(403, "insufficientPermissions"), (400, "invalid"), (404, "notFound")])
def test_a_stop_that_google_refuses_is_let_go(ann: World, status: int, reason: str) -> None:
    old = near_the_end(ann)
    ann.cloud.google.fail_next(STOP, status, reason)
    assert ann.run("ann") is Outcome.DONE
    assert ann.connection("ann").retired == ()
    ann.sync()
    assert calls(ann) == [WATCH, STOP, LIST, LIST]
    assert ann.push("ann", channel=old) == "not a current channel"


@pytest.mark.parametrize("setting", [{"enabled": False}, {"two_way_appointments": False}], ids=["paused", "mirror"])
def test_whatever_is_open_is_ended_when_nothing_is_to_be_told_any_more(ann: World, setting: dict[str, bool]) -> None:
    """The present one, whose answer was lost, and the one before; as soon as Google answers."""
    near_the_end(ann)
    die_at_the_watch(ann, "after")
    ann.later(minutes=11)
    assert len(opened(ann)) == 2
    ann.set_up("ann", **setting)
    ann.cloud.google.fail_next(STOP, 503, "backendError")
    ann.sync()
    assert len(opened(ann)) == 2
    assert ann.connection("ann").channel is None
    calls(ann)
    ann.later(hours=1.1)
    ann.sync()
    assert calls(ann).count(STOP) == 2
    assert ids(ann) == []
    assert ann.connection("ann").retired == ()
    ann.later(hours=1.1)
    ann.sync()
    assert STOP not in calls(ann)


def test_after_access_was_lost_a_new_channel_is_opened_and_the_old_one_stopped(ann: World) -> None:
    """Whether the old one lives on without access is not documented; what it did not tell of is no reproach."""
    google, old = ann.cloud.google, channel(ann)
    google.remove_app_access(ann.emails["ann"], CLIENT[0])
    ann.restart()
    ann.sync()
    assert ann.connection("ann").state == "needs_reauth"
    assert ann.push("ann", channel=old) == "not a current channel"
    edit(ann, "Doctor")
    ann.later(hours=1)
    ann.connect("ann")
    ann.sync()
    assert channel(ann).id != old.id
    assert channel(ann).silent_since is None
    assert_one_channel_and_in_step(ann)


# --- killed at every call --------------------------------------------------------------------------------------------


def renewal(world: World) -> Iterator[Callable[[], object]]:
    while True:
        near_the_end(world)
        yield lambda: world.run("ann")


def replacement(world: World) -> Iterator[Callable[[], object]]:
    """Found out by one run, replaced by the next."""
    for number in range(100):
        world.push("ann", "sync")
        world.later(hours=1)
        edit(world, f"Dentist {number}")
        world.later(minutes=10)
        world.wish("ann")

        def twice() -> None:
            world.run("ann")
            world.later(minutes=11)
            world.wish("ann")
            world.run("ann")

        yield twice


@soaks
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("flow", [renewal, replacement], ids=lambda flow: flow.__name__)
def test_killed_at_any_call_the_next_run_leaves_one_channel_and_stops_all_others(
    ann: World,
    tap: Wiretap,
    flow: Callable[[World], Iterator[Callable[[], object]]],
    when: Literal["before", "after"],
    figures: Figures,
) -> None:
    """In one world, again and again, each time later by one call or by three: until the run outlives it."""
    survived = False
    for number, run in zip(itertools.count(1, 1 if SOAKING else 3), flow(ann), strict=False):
        ann.restart()
        tap.kill_at(number, when)
        try:
            run()
            survived = True
        except Killed:
            pass
        tap.disarm()
        ann.restart()
        ann.later(minutes=11)
        ann.sync()
        ann.later(minutes=11)
        ann.sync()
        figures.add("push channels", "kill points tried", 0 if survived else 1)
        assert_one_channel_and_in_step(ann)
        if survived:
            assert number > 8, "a flow worth killing makes more calls than that"
            return
