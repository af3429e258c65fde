"""The backend's own documents: accounts, connections, and what lies below a connection.

Every struct here is one document, or a map in one; `link.py` has the links. Instants are UTC.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from shared.domain.content import When
from shared.domain.doubt import Doubt
from shared.domain.errors import Park
from shared.domain.limiter import Spent
from shared.domain.reasons import Reason

ConnectionState = Literal["connected", "needs_reauth", "paused", "resting", "disconnected"]


class CalendarChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar that an account may write to; `color` as its owner sees it, like ``#9fe1e7``, if that is known."""

    id: str
    title: str = ""
    time_zone: str = ""
    primary: bool = False
    color: str = ""


# Stands for an account's own calendar, whatever its id is: Google's alias, which front-ends may write as well.
PRIMARY = "primary"


def chosen_of(choices: Sequence[CalendarChoice], calendar_id: str | None) -> CalendarChoice | None:
    """The calendar that a setting means; where it names none, the first, which is the primary one."""
    if calendar_id is None:
        return next(iter(choices), None)
    return next((one for one in choices if one.id == calendar_id or (one.primary and calendar_id == PRIMARY)), None)


class Lease(msgspec.Struct, frozen=True):
    """Who runs the connection now, and until when nobody else may."""

    holder: str
    expires_at: dt.datetime


class Cursors(msgspec.Struct, frozen=True):
    """Where the next run goes on reading: Google's sync token for the calendar."""

    calendar: str | None = None


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A push channel. Stored before it is asked for; `expires_at` is known once Google has answered.

    `retry_at` stands where Google refused one: not every calendar can be watched, and asking costs a call. `since`: it
    ought to tell of changes from then on. `notified_at`: a notification came then (written by the webhook, also in the
    middle of a run). `silent_since`: it did not tell of a change that was made then.
    """

    id: str = ""
    resource_id: str | None = None
    expires_at: dt.datetime | None = None
    retry_at: dt.datetime | None = None
    since: dt.datetime | None = None
    notified_at: dt.datetime | None = None
    silent_since: dt.datetime | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a full listing of the calendar took in: a setting that has changed since asks for another one."""

    two_way: bool = False
    tentative: bool = False
    private_details: bool = False


class Populate(msgspec.Struct, frozen=True, kw_only=True):
    """How far a full listing has come: first the calendar is listed (`page_token` goes on there), then appointments
    enter it. `done` counts items settled, `total` those known so far. `baseline`: the calendar was not read before,
    and what stands there is taken as it is. `reading` is what the listing was started with.
    """

    calendar: bool = False
    studio: bool = False
    listed: bool = False
    page_token: str | None = None
    done: int = 0
    total: int = 0
    started_at: dt.datetime | None = None
    baseline: bool = False
    reading: Reading = Reading()


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Deletions carried across, by the hour in which that was (``2026-05-20T10``): what the guard has let through."""

    hours: dict[str, int] = msgspec.field(default_factory=dict)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The hold ids that a person approved and declined last, as far as they are carried out or under way."""

    approved: str | None = None
    declined: str | None = None


class Populated(msgspec.Struct, frozen=True):
    """When each direction was populated last; None: never."""

    calendar: dt.datetime | None = None
    studio: dt.datetime | None = None


class Connection(msgspec.Struct, frozen=True, kw_only=True, rename={"window_from": "from"}):
    """``connections/{connection_id}``: one user's tie to one calendar of one account.

    A document in Firestore whose fields are updated one by one; fields unknown here are kept. `not_before` is a pause
    that the provider asked for: wishes wait for its end.

    `reading` is what the last full listing took in; None: the calendar has not been read. `read_since`: changes made in
    the calendar before that time stay there. `listed_at` and `reconciled_at`: when everything, and the studio's
    documents by ``updated_at``, were last compared. `taken`, `hold` and `answered` are the guard's: what it let
    through, the question that is open, and the answers it has seen. `earlier` are the user's connections to other
    calendars; `active_since` is when this one became the active one. `lost_at`: access was lost then, and no run has
    gone through since. `retired`: channels before the present one that are still to be stopped, the newest first.
    `primary`: it is the account's own calendar. `spent` is what its account has called in the last minute, where that
    was much.
    """

    studio_id: str
    user_id: str
    provider: str = "google"
    account_id: str
    calendar_id: str
    calendar_time_zone: str | None = None
    state: ConnectionState = "connected"
    state_reason: Reason | None = None
    since: dt.datetime
    window_from: dt.datetime
    next_sync_at: dt.datetime | None = None
    not_before: dt.datetime | None = None
    attempted_at: dt.datetime | None = None
    synced_at: dt.datetime | None = None
    lease: Lease | None = None
    cursors: Cursors = Cursors()
    channel: Channel | None = None
    retired: tuple[Channel, ...] = ()
    populate: Populate | None = None
    populated: Populated = Populated()
    failures: int = 0
    parked: int = 0
    reading: Reading | None = None
    read_since: dt.datetime | None = None
    listed_at: dt.datetime | None = None
    reconciled_at: dt.datetime | None = None
    taken: Taken = Taken()
    hold: str | None = None
    answered: Answered = Answered()
    earlier: tuple[str, ...] = ()
    active_since: dt.datetime | None = None
    lost_at: dt.datetime | None = None
    primary: bool = False
    spent: Spent | None = None
    schema_version: int = 1

    def is_of(self, calendar_id: str | None) -> bool:
        """Whether a setting means this connection's calendar."""
        return calendar_id in {None, self.calendar_id} or (calendar_id == PRIMARY and self.primary)

    def held_by_another(self, holder: str, now: dt.datetime) -> bool:
        return self.lease is not None and self.lease.holder != holder and self.lease.expires_at > now

    def soonest(self, now: dt.datetime) -> dt.datetime:
        """When a run that is wished now may start."""
        return now if self.not_before is None else max(now, self.not_before)

    def due(self, now: dt.datetime) -> bool:
        return self.next_sync_at is not None and self.next_sync_at <= now

    def told(self, stored: "Connection") -> "Connection":
        """What a run knows, with what others write meanwhile: a wish, and a notification of its channel."""
        channel = self.channel
        if channel is not None and stored.channel is not None and channel.id == stored.channel.id:
            channel = msgspec.structs.replace(channel, notified_at=stored.channel.notified_at)
        return msgspec.structs.replace(self, next_sync_at=stored.next_sync_at, channel=channel)


# Why an entry is in the outbox: the studio wrote the appointment; a run left the item unfinished; a full listing did
# not have the event (`unread`: the first listing after a time without reading); a person answered a question about it,
# or approved or declined to carry out its deletion; the studio gave a series other times.
Cause = Literal["written", "left", "missing", "unread", "answered", "approved", "declined", "moved"]


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """``outbox/{item_id}``: something to look at. Says that an item may have changed, never what it is now.

    Only where the `cause` is ``written``, `at` is when the studio changed it. `former`: the times that a series had
    before it was ``moved``.
    """

    appointment_id: str | None = None
    event_id: str | None = None
    at: dt.datetime
    tries: int = 0
    cause: Cause = "written"
    former: When | None = None

    @property
    def changed_at(self) -> dt.datetime | None:
        """When the studio changed the appointment, as far as this entry tells."""
        return self.at if self.cause == "written" else None


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """``parked/{item_id}``: an item that cannot sync as it is, and why; the `doubts` that somebody is asked about."""

    appointment_id: str | None = None
    event_id: str | None = None
    reason: Reason
    field: str = ""
    detail: str = ""
    since: dt.datetime
    doubts: tuple[Doubt, ...] = ()

    def tells(self, park: Park) -> bool:
        """Whether it says just what `park` would."""
        return (self.reason, self.field, self.detail) == (park.reason, park.field, park.detail)


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a run: what, which way, why, and what was there before (for the log and for undo).

    `series_id` and `slot` say which occurrence it was of what series. `studio_before` and `calendar_before` hold the
    values of `units`, or of all where the write has none; `studio_before` is what the studio had last agreed to, where
    only the calendar was written. `after` has the hash of each unit as the studio has held it since. `people`: the user
    was added to it, or taken off. `became`: the id of the single appointment that the occurrence was made. `erased`:
    the studio had no document of it. `hidden`: a text of the calendar's that is not for the studio is not here either.
    """

    appointment_id: str | None = None
    event_id: str | None = None
    calendar: Literal["insert", "patch", "delete", "restore"] | None = None
    studio: Literal["create", "update", "cancel"] | None = None
    reason: Reason
    series_id: str = ""
    slot: str = ""
    units: tuple[str, ...] = ()
    studio_before: dict[str, Any] | None = None
    calendar_before: dict[str, Any] | None = None
    after: dict[str, str] = msgspec.field(default_factory=dict)
    people: Literal["join", "leave"] | None = None
    became: str | None = None
    erased: bool = False
    hidden: bool = False
    lost: tuple[dict[str, str], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether it wrote anything that a person can see."""
        return self.calendar is not None or self.studio is not None


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """``runs/{run_id}``: when it was, how many chunks of entries it has, how many of these say that something was
    `changed` on either side, and how often each reason was met.
    """

    started_at: dt.datetime
    expires_at: dt.datetime
    chunks: int
    changed: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)


# Logs and their before-images are kept this long (D5, B12).
LOG_LIFE = dt.timedelta(days=30)
