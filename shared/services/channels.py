"""Push channels: a token that proves itself, a channel for every connection, and what a notification means.

The token is the connection's id with an HMAC over it and the channel's id: a forged one is refused before anything
is read, and no token is stored anywhere.
"""

import datetime as dt
import hashlib
import hmac

import msgspec

from shared.domain.connection import Channel, Connection
from shared.ports import Clock, Store, Tasks
from shared.services.wishes import wish

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
