"""A provider account: who has it, what it granted, and what must be answered before it syncs.

``accounts/{provider}:{account_id}`` is claimed with a creation, so of two users at once one gets it (A2).
"""

import datetime as dt
from typing import Literal

import msgspec

from shared.domain.connection import CalendarChoice

# claimed: the consent is there, but nothing syncs with it (yet). leaving: being disconnected.
AccountState = Literal["claimed", "authorized", "needs_reauth", "leaving"]

# What must be answered before a claimed account syncs. other_account: by the user, who has synced with another one so
# far. unconfirmed: by an administrator, as nothing proves that the account is the user's own.
Question = Literal["other_account", "unconfirmed"]

CALENDAR_SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)
CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts"
IDENTITY_SCOPES = ("openid", "email")
SCOPES = (*IDENTITY_SCOPES, *CALENDAR_SCOPES, CONTACTS_SCOPE)

# The boxes of Google's consent page, in words of ours: Google's own differ by language.
BOXES = {
    CALENDAR_SCOPES[0]: "see and edit the events of your calendars",
    CALENDAR_SCOPES[1]: "see the list of your calendars",
    CONTACTS_SCOPE: "see and edit your contacts",
}

# A claim that led to nothing keeps others from the account for so long.
CLAIM_LIFE = dt.timedelta(hours=24)
# Disconnecting is a matter of seconds: what is still `leaving` after this was left half way.
LEAVING_LIFE = dt.timedelta(minutes=2)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """``accounts/{provider}:{account_id}``; `account_id` is the provider's stable subject.

    `claimed_at`, `used_at` (tied to a calendar) and `left_at` make each of these steps a change that others notice.
    `secret` is the name of the secret with the refresh token; empty until that is kept.
    """

    provider: str = "google"
    account_id: str
    account_email: str = ""
    studio_id: str
    user_id: str
    state: AccountState = "authorized"
    question: Question | None = None
    claimed_at: dt.datetime | None = None
    left_at: dt.datetime | None = None
    used_at: dt.datetime | None = None
    scopes: tuple[str, ...] = ()
    calendars: tuple[CalendarChoice, ...] = ()
    secret: str = ""

    def belongs_to(self, studio_id: str, user_id: str) -> bool:
        return (self.studio_id, self.user_id) == (studio_id, user_id)

    def lapsed(self, now: dt.datetime) -> bool:
        """Whether it was claimed long ago, and nothing came of it."""
        return self.state == "claimed" and (self.claimed_at is None or self.claimed_at < now - CLAIM_LIFE)

    def being_left(self, now: dt.datetime) -> bool:
        """Whether it is being disconnected at this moment: nobody may begin anything with it."""
        return self.state == "leaving" and self.left_at is not None and self.left_at > now - LEAVING_LIFE

    @property
    def contacts(self) -> bool:
        """Whether contacts may be read and written."""
        return CONTACTS_SCOPE in self.scopes


class CalendarClaim(msgspec.Struct, frozen=True, kw_only=True):
    """``calendars/{...}``: which user keeps a calendar in step. It holds as long as its connection is in use."""

    studio_id: str
    user_id: str
    connection_id: str
    calendar_id: str
    claimed_at: dt.datetime

    def belongs_to(self, studio_id: str, user_id: str) -> bool:
        return (self.studio_id, self.user_id) == (studio_id, user_id)


def unticked(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The boxes without which nothing can sync, of those that were not ticked."""
    return tuple(BOXES[scope] for scope in CALENDAR_SCOPES if scope not in scopes)
