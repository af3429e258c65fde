"""Push channels: a token that proves itself, a channel for every connection, and what a notification means.

The token is the connection's id with an HMAC over it and the channel's id: a forged one is refused before anything
is read, and no token is stored anywhere.
"""

import datetime as dt
import hashlib
import hmac
import logging

import msgspec

from shared.domain.connection import Channel, Connection
from shared.domain.errors import Retry, Stop
from shared.ports import Calendar, Clock, Store, Tasks
from shared.services.run import Run
from shared.services.wishes import wish

log = logging.getLogger(__name__)

# Google has no renewal: a new channel is opened while the old one still has this long.
RENEW_BEFORE = dt.timedelta(hours=24)
# How long a refusal to watch a calendar is believed.
ASK_AGAIN = dt.timedelta(hours=12)
# How long to wait where Google did not really answer.
ASK_SOON = dt.timedelta(minutes=10)


class ForgedError(Exception):
    """A notification whose token was not made by us for its channel."""


def token(key: bytes, channel_id: str, connection_id: str) -> str:
    """At most 256 characters, as Google takes them."""
    mac = hmac.new(key, f"{channel_id}\n{connection_id}".encode(), hashlib.sha256).hexdigest()
    return f"{connection_id}.{mac}"


def connection_of(key: bytes, channel_id: str, given: str) -> str:
    """The connection that a token was made for.

    Raises:
        ForgedError: it was not made by us for this channel.
    """
    connection_id, _, _ = given.partition(".")
    if not hmac.compare_digest(token(key, channel_id, connection_id).encode(), given.encode()):
        raise ForgedError("the channel token is not ours")
    return connection_id


def live(connection: Connection, now: dt.datetime) -> bool:
    """Whether a notification can be expected for changes from now on."""
    channel = connection.channel
    return channel is not None and channel.expires_at is not None and channel.expires_at > now


def needs_new(connection: Connection, now: dt.datetime) -> bool:
    channel = connection.channel
    if channel is None:
        return True
    if channel.retry_at is not None and channel.retry_at > now:
        return False
    return channel.expires_at is None or channel.expires_at < now + RENEW_BEFORE


def open_channel(run: Run, calendar: Calendar, key: bytes) -> None:
    """The channel is stored before it is asked for: its first notification may come before Google's answer."""
    before = run.connection.channel
    channel = Channel(id=run.ports.new_id())
    run.note(channel=msgspec.to_builtins(channel))
    run.settle([])
    try:
        watch = calendar.watch(channel.id, token(key, channel.id, run.connection_id))
        ask_again = ASK_AGAIN
    except Retry:
        # A channel only makes it quicker: the run goes on without.
        watch, ask_again = None, ASK_SOON
    if watch is not None:
        channel = Channel(id=channel.id, resource_id=watch.resource_id, expires_at=watch.expires_at)
    else:
        channel = msgspec.structs.replace(before or Channel(), retry_at=run.started_at + ask_again)
    run.note(channel=msgspec.to_builtins(channel, builtin_types=(dt.datetime,)))
    run.know(channel=channel)


def end_channel(run: Run, calendar: Calendar) -> None:
    """Nothing is to be told any more. A channel that cannot be ended now expires, and is not listened to."""
    channel = run.connection.channel
    if channel is None:
        return
    try:
        calendar.unwatch(channel)
    except (Retry, Stop) as error:
        extra = {"connection": run.connection_id, "error": type(error).__name__}
        log.warning("a channel could not be ended: it expires by itself", extra=extra)
    run.note(channel=None)
    run.know(channel=None)


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of one of Google's notifications; it has no body."""

    channel_id: str
    token: str
    resource_id: str
    state: str


def notified(notification: Notification, *, key: bytes, store: Store, tasks: Tasks, clock: Clock) -> str:
    """Wish a run for the connection that the channel belongs to; gives a word for the log.

    Raises:
        ForgedError: the token is not ours; nothing was read.
    """
    connection_id = connection_of(key, notification.channel_id, notification.token)
    if notification.state == "sync":
        return "opened"
    stored = store.connection(connection_id)
    if stored is None or not _current(stored.value.channel, notification):
        return "not the current channel"
    wish(connection_id, store, tasks, clock, seen=stored)
    return "wished"


def _current(channel: Channel | None, notification: Notification) -> bool:
    """A channel stored but not yet answered for has no resource id: its first notifications may come that early."""
    if channel is None or not channel.id or channel.id != notification.channel_id:
        return False
    return channel.resource_id in {None, notification.resource_id}
