"""Push channels: a token that proves itself, a channel for every connection, and what a notification means.

The token is the connection's id with an HMAC over it and the channel's id: a forged one is refused before anything
is read, and no token is stored anywhere.

    opened: stored, asked for, answered ──> the one before is stopped
       └── refused, or no answer: the one before goes on

Whatever is or may be open at Google stands in the connection (`channel`, `retired`) until it is stopped or over, so a
run may die at any call. Whether a channel can be relied on is `channel_health`'s to say.
"""

import datetime as dt
import hashlib
import hmac
import logging
from collections.abc import Iterable, Sequence

import msgspec

from shared.domain import channel_health
from shared.domain.connection import Channel, Connection
from shared.domain.errors import AccessLost, RateLimited, Retry, Stale, Stop, Unavailable
from shared.domain.event import Event
from shared.ports import Calendar, Clock, Document, Store, Tasks
from shared.services.run import Run
from shared.services.wishes import ATTEMPTS, wish

log = logging.getLogger(__name__)

# How long a refusal to watch a calendar is believed.
ASK_AGAIN = dt.timedelta(hours=12)
# How long to wait where Google did not really answer.
ASK_SOON = dt.timedelta(minutes=10)
# Channels still to be stopped that are kept. One is added by each run that dies just there, or gets no answer.
MOST_RETIRED = 10


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


def keep_channel(run: Run, calendar: Calendar, key: bytes) -> None:
    """Open a channel where there is none that tells, or soon will be none; then stop those before it."""
    if channel_health.needs_new(run.connection, run.started_at) and not _opened(run, calendar, key):
        return
    if channel_health.stands(run.connection.channel, run.started_at):
        _stop(run, calendar, run.connection.retired)


def end_channel(run: Run, calendar: Calendar) -> None:
    """Nothing is to be told any more. What still is, is not listened to."""
    if run.connection.channel is None and not run.connection.retired:
        return
    _stop(run, calendar, known(run.connection))
    if run.connection.channel is not None:
        run.note(channel=None)
        run.know(channel=None)


def retire_channel(run: Run) -> None:
    """The calendar cannot be reached until a person acts: what happens to its channels meanwhile is not documented.

    The run that can again opens a new one, and stops these.
    """
    if run.connection.channel is not None:
        _retire(run, known(run.connection))
        run.note(channel=None)
        run.know(channel=None)


def suspect(run: Run, changed: Iterable[Event]) -> None:
    """Given what persons changed in the calendar, as the run found out by asking: was the channel silent about it?"""
    channel = run.connection.channel
    if channel is None or channel.silent_since is not None:
        return
    times = [event.updated for event in changed if event.updated is not None]
    silent_since = channel_health.untold(channel, times, run.started_at)
    if silent_since is None:
        return
    extra = {"connection": run.connection_id, "channel": channel.id, "silent_since": silent_since.isoformat()}
    log.warning("a push channel did not tell of a change: it will be replaced", extra=extra)
    run.note(**{"channel.silent_since": silent_since})
    run.know(channel=msgspec.structs.replace(channel, silent_since=silent_since))


def _opened(run: Run, calendar: Calendar, key: bytes) -> bool:
    """Ask for a channel; False where none was given.

    It is stored before it is asked for: its first notification may come before Google's answer. For the same reason the
    answer is stored field by field. Those before it are listened to until it stands.
    """
    earlier = known(run.connection)
    channel = Channel(id=run.ports.new_id(), since=run.started_at)
    run.note(channel=_document(channel))
    run.know(channel=channel)
    _retire(run, earlier)
    run.settle([])
    lost = False
    try:
        watch = calendar.watch(channel.id, token(key, channel.id, run.connection_id))
        ask_again = ASK_AGAIN
    except Retry as error:
        # A channel only makes it quicker: the run goes on without. It may have been opened, and the answer be lost.
        watch, ask_again, lost = None, ASK_SOON, not isinstance(error, RateLimited)
    now = run.ports.clock.now()
    if watch is None:
        standing = next((one for one in earlier if channel_health.stands(one, now)), None)
        _retire(run, [one for one in (channel, *earlier) if one is not standing and (lost or one is not channel)])
        # What came meanwhile was counted, but not noted: of that it is not to be suspected.
        back = msgspec.structs.replace(standing or Channel(), retry_at=now + ask_again, since=now)
        run.note(channel=_document(back))
        run.know(channel=back)
        return False
    answer = {"resource_id": watch.resource_id, "expires_at": watch.expires_at, "since": now}
    run.note(**{f"channel.{field}": value for field, value in answer.items()})
    run.know(channel=msgspec.structs.replace(run.connection.channel or channel, **answer))
    return True


def known(connection: Connection) -> list[Channel]:
    """All channels that are or may be open, the newest first."""
    channels = connection.retired if connection.channel is None else (connection.channel, *connection.retired)
    return [channel for channel in channels if channel.id]


def _retire(run: Run, channels: Sequence[Channel]) -> None:
    """Note which channels are still to be stopped, if that is not known already."""
    channels = [one for one in channels if not channel_health.over(one, run.started_at)][:MOST_RETIRED]
    if tuple(channels) != run.connection.retired:
        run.note(retired=[_document(channel) for channel in channels])
        run.know(retired=tuple(channels))


def _stop(run: Run, calendar: Calendar, channels: Sequence[Channel]) -> None:
    """Stop channels; those that got no answer stay retired. What Google will not stop ends by itself.

    One whose opening got no answer has no resource id; but that is the same for all channels of one calendar.
    """
    resource_id = next((one.resource_id for one in known(run.connection) if one.resource_id is not None), None)
    left = list(channels)
    for channel in channels:
        if channel_health.over(channel, run.started_at):
            left.remove(channel)
        elif resource_id is not None:
            try:
                calendar.unwatch(msgspec.structs.replace(channel, resource_id=channel.resource_id or resource_id))
            except (Retry, AccessLost):
                break
            except Stop as error:
                extra = {"connection": run.connection_id, "channel": channel.id, "error": type(error).__name__}
                log.warning("a channel may not be stopped: it expires by itself", extra=extra)
            left.remove(channel)
    _retire(run, left)


def _document(channel: Channel) -> Document:
    built: dict[str, object] = msgspec.to_builtins(channel, builtin_types=(dt.datetime,))
    return built


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of one of Google's notifications; it has no body."""

    channel_id: str
    token: str
    resource_id: str
    state: str


def notified(notification: Notification, *, key: bytes, store: Store, tasks: Tasks, clock: Clock) -> str:
    """Wish a run for the connection that the channel belongs to, and note that it tells; gives a word for the log.

    The first message of a channel says only that: nothing has changed yet.

    Raises:
        ForgedError: the token is not ours; nothing was read.
        Unavailable: the connection was written to so often that there was no gap.
    """
    connection_id = connection_of(key, notification.channel_id, notification.token)
    stored = store.connection(connection_id)
    if stored is None or not _ours(stored.value, notification):
        return "not a current channel"

    def noting(connection: Connection, now: dt.datetime, writing: bool) -> Document:
        channel = connection.channel
        if channel is None or not _is(channel, notification):
            return {}
        known = channel.notified_at is not None and channel.notified_at > now - channel_health.NOTE_EVERY
        return {} if known and not writing else {"channel.notified_at": now}

    if notification.state != "sync":
        wish(connection_id, store, tasks, clock, seen=stored, noting=noting)
        return "wished"
    for _ in range(ATTEMPTS):
        if stored is None or not (fields := noting(stored.value, clock.now(), False)):
            return "opened"
        try:
            store.update_connection(connection_id, stored.version, fields)
        except Stale:
            stored = store.connection(connection_id)
        else:
            return "opened"
    raise Unavailable(f"no gap to note a notification for connection {connection_id}")


def _ours(connection: Connection, notification: Notification) -> bool:
    """Those before the present channel count as long as they are known. Where none is wanted, none does."""
    if connection.channel is None:
        return False
    return any(_is(channel, notification) for channel in known(connection))


def _is(channel: Channel, notification: Notification) -> bool:
    """A channel stored but not yet answered for has no resource id: its first notifications may come that early."""
    return channel.id == notification.channel_id and channel.resource_id in {None, notification.resource_id}
