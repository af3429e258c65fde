"""What the tests of push channels share. Time passes for Google as for us, and nothing notifies but `World.push`."""

import datetime as dt
from typing import Literal

import pytest

from local import wiretap
from local.google.push import Channel as OpenChannel
from local.wiretap import Killed
from shared.domain.channel_health import Pace, pace
from shared.domain.connection import Channel
from shared.services.sync_calendar import Outcome
from tests.world import World, google_span

WATCH, STOP, LIST = "calendar.events.watch", "calendar.channels.stop", "calendar.events.list"
INTERVAL, SAFETY = dt.timedelta(minutes=10), dt.timedelta(hours=6)


def watched(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Ann, in step, with one entry of her own in the studio, and a channel that has not told of anything yet."""
    google = world.cloud.google
    monkeypatch.setattr(google.push, "_now", world.clock.now)
    monkeypatch.setattr(google._calendars, "now", world.clock.now)
    world.join("ann")
    world.sync()
    world.types("ann", summary="Dentist", **google_span(30))
    world.sync()
    google.clear_requests()
    return world


def proven(world: World) -> World:
    world.push("ann", "sync")
    world.sync()
    world.cloud.google.clear_requests()
    return world


def channel(world: World) -> Channel:
    found = world.connection("ann").channel
    assert found is not None
    return found


def opened(world: World) -> list[OpenChannel]:
    """What Google holds open for Ann."""
    return [one for one in world.cloud.google.push.channels() if one.email == world.emails["ann"]]


def ids(world: World) -> list[str]:
    return [one.id for one in opened(world)]


def calls(world: World) -> list[str]:
    """The methods called since they were asked for last, without those about tokens."""
    found = [one.method_id for one in world.cloud.google.requests if one.method_id.startswith("calendar.")]
    world.cloud.google.clear_requests()
    return found


def how_soon(world: World) -> Pace:
    return pace(world.connection("ann"), INTERVAL, SAFETY, world.clock.now())


def wait(world: World) -> dt.timedelta:
    """Until the next run if nobody wishes one, to the minute."""
    due = world.connection("ann").next_sync_at
    assert due is not None
    return dt.timedelta(minutes=round((due - world.clock.now()) / dt.timedelta(minutes=1)))


def due(world: World) -> None:
    """Time passes until the connection is due by itself; then it is run."""
    at = world.connection("ann").next_sync_at
    assert at is not None
    world.clock.ahead += max(at - world.clock.now(), dt.timedelta())
    assert world.run("ann") in {Outcome.DONE, Outcome.MORE}


def near_the_end(world: World) -> Channel:
    """Time passes until the channel is to be renewed; gives it."""
    old = channel(world)
    assert old.expires_at is not None
    world.clock.ahead += old.expires_at - world.clock.now() - dt.timedelta(hours=23)
    return old


def die_at_the_watch(world: World, when: Literal["before", "after"]) -> None:
    """A run that ends before it asks for a channel, or before the answer arrives."""
    tap = wiretap.install()
    tap.kill_at(1, when, only=lambda call: call.method.endswith("/watch"))
    with pytest.raises(Killed):
        world.run("ann")
    tap.disarm()


def edit(world: World, summary: str) -> None:
    [event] = world.events("ann")
    world.person("ann").patch("primary", event["id"], summary=summary)


def booked(world: World) -> list[str]:
    return [str(one["title"]) for one in world.appointments().values()]


def assert_one_channel_and_in_step(world: World) -> None:
    connection = world.connection("ann")
    assert connection.channel is not None
    assert connection.channel.expires_at is not None
    assert ids(world) == [connection.channel.id]
    assert connection.retired == ()
    assert booked(world) == world.titles("ann")
