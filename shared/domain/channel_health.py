"""Whether a push channel can be relied on, by what it has shown, and how soon changes in a calendar are seen.

Google promises nothing: messages get lost, and a channel may fall silent long before it expires. So a channel counts
for nothing until its first notification has come, and no more once a change was found that it did not tell of.
"""

import datetime as dt
from collections.abc import Iterable
from typing import TypeGuard

import msgspec

from shared.domain.connection import Channel, Connection

# With a live channel a lost push costs at most this: the default of the setting SAFETY_INTERVAL_MINUTES.
SAFETY_INTERVAL = dt.timedelta(hours=6)
# Google has no renewal: a new channel is opened while the old one still has this long, or half its life if that is
# shorter: the longest life is not documented.
RENEW_BEFORE = dt.timedelta(hours=24)
# How long Google keeps a channel that is asked for without a wish: that of one whose answer was lost.
DEFAULT_LIFE = dt.timedelta(days=7)
# How late a notification may be before the channel counts as silent.
GRACE = dt.timedelta(minutes=5)
# Of notifications that come while a run is due already, one is noted in this time: a burst is to cost one write.
NOTE_EVERY = dt.timedelta(minutes=1)


class Pace(msgspec.Struct, frozen=True):
    """How soon a change made in the calendar is seen: at once where `live`, and after `longest_wait` at the latest."""

    live: bool
    longest_wait: dt.timedelta


def pace(
    connection: Connection, studio_interval: dt.timedelta, safety_interval: dt.timedelta, now: dt.datetime
) -> Pace:
    """Of a connection that is connected and reads its calendar; of any other nothing is seen."""
    if live(connection, now):
        return Pace(live=True, longest_wait=safety_interval)
    return Pace(live=False, longest_wait=studio_interval)


def live(connection: Connection, now: dt.datetime) -> bool:
    """Whether a notification can be expected for changes from now on: by a channel that has proved itself."""
    channel = connection.channel
    return stands(channel, now) and channel.notified_at is not None and channel.silent_since is None


def stands(channel: Channel | None, now: dt.datetime) -> TypeGuard[Channel]:
    """Whether Google has answered for it, and it has not expired."""
    return channel is not None and channel.expires_at is not None and channel.expires_at > now


def over(channel: Channel, now: dt.datetime) -> bool:
    """Whether it has ended by itself. Where no answer came, it may have been opened, for as long as is usual."""
    ends_at = channel.expires_at
    if ends_at is None and channel.since is not None:
        ends_at = channel.since + DEFAULT_LIFE
    return ends_at is None or ends_at <= now


def needs_new(connection: Connection, now: dt.datetime) -> bool:
    channel = connection.channel
    if channel is None:
        return True
    if channel.retry_at is not None:
        return channel.retry_at <= now
    if channel.silent_since is not None or channel.expires_at is None:
        return True
    life = RENEW_BEFORE * 2 if channel.since is None else channel.expires_at - channel.since
    return channel.expires_at < now + min(RENEW_BEFORE, life / 2)


def untold(channel: Channel | None, changed: Iterable[dt.datetime], now: dt.datetime) -> dt.datetime | None:
    """The time of a change that the channel ought to have told of, and did not. None: no reason to doubt it.

    `changed` are the times of changes that persons made in the calendar. Notifications are noted once in `NOTE_EVERY`:
    one that came so shortly before a change may stand for those after it.
    """
    if not stands(channel, now) or channel.since is None:
        return None
    told = None if channel.notified_at is None else channel.notified_at + NOTE_EVERY
    for at in sorted(changed):
        if channel.since <= at <= now - GRACE and (told is None or told < at):
            return at
    return None
