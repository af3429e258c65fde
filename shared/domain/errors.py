"""What can go wrong in a sync, split by what the caller must do about it.

    SyncError
    ├── Retry            later, by itself: nothing is wrong with the item or the account
    │   ├── RateLimited      the provider asked for a slower pace (`retry_after`, if it said how long)
    │   │   └── Paced            nobody was refused: our own pace says to go on after `retry_after`
    │   ├── Unavailable      the provider, or our own storage, did not answer as it should
    │   ├── Stale            what was read has changed since: read it again and decide afresh
    │   └── LeaseLost        another run has taken this connection over: stop without writing anything
    ├── Stop             this connection, until a person does something: said once, not enqueued any more
    │   ├── AccessLost       the refresh token is no longer good (only ``invalid_grant`` and its kin)
    │   ├── Forbidden        the account may not do this with this calendar
    │   └── CalendarGone     the calendar is not there any more
    ├── Misconfigured    our own registration with the provider is wrong: whoever deployed us has to act, no user
    ├── Refused          our own storage will not take this as it is (too large): never as it is
    ├── CursorExpired    the sync token is no longer good: list in full
    └── Park             this item only: recorded with its reason, tried again when the item changes

Nothing here carries a client's data: messages name fields and reasons, never contents.
"""

import datetime as dt

from shared.domain.reasons import Reason


class SyncError(Exception):
    """Anything that a sync can meet and knows how to answer."""


class Retry(SyncError):
    """To be tried again later, after `retry_after` where the other side named a time."""

    def __init__(self, message: str, retry_after: dt.timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Retry):
    """The provider asked for a slower pace."""


class Paced(RateLimited):
    """We would be too fast: what is left is for another run, `retry_after` from now. Nothing has failed."""


class Unavailable(Retry):
    """The provider or our own storage did not answer as it should."""


class Stale(Retry):
    """What the write was conditional on has changed since it was read."""


class LeaseLost(Retry):
    """Another run holds the connection now."""


class Stop(SyncError):
    """Nothing more can be done for this connection until a person acts."""

    reason: Reason


class AccessLost(Stop):
    """The provider no longer accepts the stored refresh token."""

    reason = Reason.ACCESS_LOST


class Forbidden(Stop):
    """The account has no right to do this with this calendar."""

    reason = Reason.FORBIDDEN


class CalendarGone(Stop):
    """The chosen calendar does not exist any more, or the account cannot see it."""

    reason = Reason.CALENDAR_GONE


class Misconfigured(SyncError):
    """The provider does not know us as we introduce ourselves. It says nothing about any user's access."""


class Refused(SyncError):
    """Our own storage will not take what it was given: too large, or of a form that it does not know."""


class CursorExpired(SyncError):
    """The provider no longer knows the sync token or the page token."""


class Park(SyncError):
    """One item that cannot sync as it is.

    `reason` is from the closed list, `field` names what is the matter with it, `detail` says it for a person.
    """

    def __init__(self, reason: Reason, field: str = "", detail: str = "") -> None:
        super().__init__(f"{reason.value}: {field} {detail}".strip())
        self.reason = reason
        self.field = field
        self.detail = detail
