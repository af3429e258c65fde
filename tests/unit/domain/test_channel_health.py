"""Whether a channel can be relied on: by what it has shown, and how long ago."""

import datetime as dt
from typing import Any

import pytest

from shared.config import DEFAULTS
from shared.domain import channel_health
from shared.domain.channel_health import SAFETY_INTERVAL, Pace, live, needs_new, over, pace, untold
from shared.domain.connection import Channel, Connection

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)


def at(minutes: float) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


DAYS = 24 * 60


def a_channel(**fields: Any) -> Channel:
    """Opened a day ago, good for six more; its last notification came an hour ago."""
    usual: dict[str, Any] = {
        "id": "c",
        "resource_id": "r",
        "since": at(-DAYS),
        "expires_at": at(6 * DAYS),
        "notified_at": at(-60),
    }
    return Channel(**usual | fields)


def with_channel(channel: Channel | None) -> Connection:
    return Connection(
        studio_id="s", user_id="u", account_id="a", calendar_id="c", since=NOW, window_from=NOW, channel=channel
    )


DEAD = {
    "none": None,
    "refused": Channel(retry_at=at(60)),
    "not answered for": a_channel(expires_at=None, resource_id=None),
    "expired": a_channel(expires_at=NOW),
    "has told of nothing yet": a_channel(notified_at=None),
    "silent": a_channel(silent_since=at(-30)),
}


@pytest.mark.parametrize("why", DEAD)
def test_a_channel_that_is_not_live_leaves_the_studios_interval(why: str) -> None:
    connection = with_channel(DEAD[why])
    assert not live(connection, NOW)
    interval = dt.timedelta(minutes=10)
    assert pace(connection, interval, SAFETY_INTERVAL, NOW) == Pace(live=False, longest_wait=interval)


def test_with_a_live_one_it_is_the_safety_interval_whatever_the_studios() -> None:
    connection = with_channel(a_channel())
    for minutes in (1, 1_440):
        came = pace(connection, dt.timedelta(minutes=minutes), dt.timedelta(minutes=90), NOW)
        assert came == Pace(live=True, longest_wait=dt.timedelta(minutes=90))


def test_the_default_of_the_setting_is_that_of_the_code() -> None:
    assert dt.timedelta(minutes=int(DEFAULTS["SAFETY_INTERVAL_MINUTES"])) == SAFETY_INTERVAL


@pytest.mark.parametrize(
    ("channel", "new"),
    [
        (None, True),
        (a_channel(), False),
        (a_channel(notified_at=None), False),
        (a_channel(expires_at=at(DAYS)), False),
        (a_channel(expires_at=at(DAYS - 1)), True),
        (a_channel(expires_at=at(60), retry_at=at(1)), False),
        (a_channel(expires_at=at(60), retry_at=at(-1)), True),
        (a_channel(since=at(-60), expires_at=at(61)), False),
        (a_channel(since=at(-60), expires_at=at(59)), True),
        (a_channel(silent_since=at(-60)), True),
        (a_channel(silent_since=at(-60), retry_at=at(1)), False),
        (a_channel(expires_at=None), True),
        (Channel(retry_at=at(1)), False),
        (Channel(retry_at=NOW), True),
    ],
)
def test_when_a_new_one_is_asked_for(channel: Channel | None, *, new: bool) -> None:
    assert needs_new(with_channel(channel), NOW) is new


@pytest.mark.parametrize(
    ("channel", "ended"),
    [
        (a_channel(), False),
        (a_channel(expires_at=NOW), True),
        (a_channel(expires_at=None), False),
        (a_channel(expires_at=None, since=at(-7 * DAYS)), True),
        (Channel(id="nothing is known of it"), True),
    ],
)
def test_one_whose_answer_was_lost_is_taken_to_live_as_long_as_is_usual(channel: Channel, *, ended: bool) -> None:
    assert over(channel, NOW) is ended


@pytest.mark.parametrize(
    ("channel", "changed", "found"),
    [
        (a_channel(), [], None),
        (a_channel(), [-30], -30),
        (a_channel(), [-20, -30, -90], -30),
        (a_channel(notified_at=None), [-30], -30),
        (a_channel(), [-61], None),
        (a_channel(), [-60], None),
        (a_channel(), [-59], None),
        (a_channel(), [-58.9], -58.9),
        (a_channel(), [-5], -5),
        (a_channel(), [-4.9], None),
        (a_channel(notified_at=at(-29.9)), [-30], None),
        (a_channel(notified_at=None, since=at(-30)), [-30], -30),
        (a_channel(notified_at=None, since=at(-30)), [-30.1], None),
        (a_channel(notified_at=None, since=None), [-30], None),
        (a_channel(expires_at=NOW), [-30], None),
        (a_channel(expires_at=None), [-30], None),
        (None, [-30], None),
    ],
)
def test_the_first_change_that_it_ought_to_have_told_of(
    channel: Channel | None, changed: list[float], found: float | None
) -> None:
    assert untold(channel, [at(minutes) for minutes in changed], NOW) == (None if found is None else at(found))


def test_what_may_be_late_is_longer_than_what_goes_unnoted() -> None:
    assert channel_health.GRACE > channel_health.NOTE_EVERY
