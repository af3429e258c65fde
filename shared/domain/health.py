"""How well one connection is kept in step, by what can be shown: the last comparison, what failed, what push has told.

Nothing here is remembered as "healthy": each answer is derived from the connection as it stands, so it cannot be out of
date. `state` says whether runs go through, `signs` what speaks for or against that, and what waits for somebody.

| state     | what it says                                                                                             |
|-----------|----------------------------------------------------------------------------------------------------------|
| `healthy` | both sides were compared within the time that is promised, or are just being compared                    |
| `late`    | they were not, or the next run is overdue: it is made up for by itself                                   |
| `failing` | runs have failed for so long that somebody should know                                                   |
| `waiting` | no run goes through before a person acts: `reason` says what is to be done                               |
| `off`     | nobody wants it synced: turned off, disconnected, replaced by another calendar, not in the edition       |
"""

import datetime as dt
from typing import Literal

import msgspec

from shared.domain import channel_health
from shared.domain.connection import Connection
from shared.domain.reasons import Reason

State = Literal["healthy", "late", "failing", "waiting", "off"]
# alive: it has told of changes. unproven: opened, nothing told so far. silent: it did not tell of a change.
Push = Literal["alive", "unproven", "silent", "none"]
# overdue: the next run ought to have come. unverified: not compared within the time promised. runs_fail: the last ones.
# asked_to_wait: by Google. first_run: none has gone through yet. listing: everything is being compared. parked: items
# that need a correction. held: deletions that somebody must approve or decline.
Sign = Literal["overdue", "unverified", "runs_fail", "asked_to_wait", "first_run", "listing", "parked", "held"]

# One run that fails is nothing to speak of: the next one comes within minutes. So many, over so long a time, are.
FAILURES = 5
LATE = dt.timedelta(hours=3)
# The scheduler ticks every minute, and queues may be long for a while: what is later than this was not served.
OVERDUE = dt.timedelta(minutes=15)

# What a person who wants it synced can put right; for all other reasons somebody does not want it.
_TO_PUT_RIGHT = frozenset(
    {
        Reason.ACCESS_LOST,
        Reason.CALENDAR_GONE,
        Reason.CALENDAR_TAKEN,
        Reason.FORBIDDEN,
        Reason.INVALID,
        Reason.NOT_CONNECTED,
    }
)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Of one connection at one moment. `verified_age`: since both sides were last compared; None: never.

    `next_due`: when the next run may start; None: not before somebody acts. `longest_wait`: how long a change made in
    the calendar may go unseen, as things are. `reason` is set where the state is `waiting` or `off`.
    """

    state: State
    reason: Reason | None = None
    signs: tuple[Sign, ...] = ()
    verified_age: dt.timedelta | None = None
    push: Push = "none"
    next_due: dt.datetime | None = None
    longest_wait: dt.timedelta


def health(
    connection: Connection,
    now: dt.datetime,
    *,
    interval: dt.timedelta,
    safety_interval: dt.timedelta,
    stopped: Reason | None = None,
) -> Health:
    """`interval`: the studio's; `safety_interval`: with a live channel; `stopped`: why studio or user do not sync."""
    pace = channel_health.pace(connection, interval, safety_interval, now)
    due = connection.next_sync_at
    reason = stopped or _stopped(connection)
    signs = _signs(connection, now, pace.longest_wait)
    return Health(
        state=_state(connection, now, reason, signs),
        reason=reason,
        signs=signs,
        verified_age=None if connection.synced_at is None else now - connection.synced_at,
        push=push(connection, now),
        next_due=None if due is None else connection.soonest(due),
        # A run that is put off, or was scheduled while the channel could be relied on, comes no sooner.
        longest_wait=pace.longest_wait if due is None else max(pace.longest_wait, due - now),
    )


def push(connection: Connection, now: dt.datetime) -> Push:
    channel = connection.channel
    if not channel_health.stands(channel, now):
        return "none"
    if channel.silent_since is not None:
        return "silent"
    return "unproven" if channel.notified_at is None else "alive"


def verified(connection: Connection) -> dt.datetime:
    """When both sides were compared last; before the first time, since when that is tried."""
    return connection.synced_at or connection.active_since or connection.since


def _stopped(connection: Connection) -> Reason | None:
    return None if connection.state == "connected" else connection.state_reason or Reason.NOT_CONNECTED


def _state(connection: Connection, now: dt.datetime, reason: Reason | None, signs: tuple[Sign, ...]) -> State:
    if reason is not None:
        return "waiting" if reason in _TO_PUT_RIGHT else "off"
    if connection.failures >= FAILURES and verified(connection) < now - LATE:
        return "failing"
    return "late" if {"overdue", "unverified"} & set(signs) else "healthy"


def _signs(connection: Connection, now: dt.datetime, promised: dt.timedelta) -> tuple[Sign, ...]:
    found: dict[Sign, bool] = {}
    due = connection.next_sync_at
    running = connection.held_by_another("", now)
    # A listing in slices ends many minutes after it was begun: what counts is that it goes on.
    listing = connection.populate is not None and connection.populate.started_at is not None
    goes_on = connection.attempted_at is not None and connection.attempted_at > now - OVERDUE
    busy = connection.failures == 0 and (running or (listing and goes_on))
    found["overdue"] = due is not None and not running and connection.soonest(due) < now - OVERDUE
    found["unverified"] = not busy and verified(connection) < now - promised - OVERDUE
    found["runs_fail"] = connection.failures > 0
    found["asked_to_wait"] = connection.not_before is not None and connection.not_before > now
    found["first_run"] = connection.synced_at is None
    found["listing"] = listing
    found["parked"] = connection.parked > 0
    found["held"] = connection.hold is not None
    return tuple(sign for sign, there in found.items() if there)
