"""Studios and users as front-ends write them, and whether they sync at all.

Defaults are the contract's: a document that says nothing about a setting has the default.
"""

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from shared.domain.reasons import Reason

SYNCING_EDITIONS = frozenset({"standard", "professional", "enterprise"})

ClashPolicy = Literal["studio", "google", "latest"]


class StudioSync(msgspec.Struct, frozen=True, kw_only=True):
    """``sync`` of a studio: the job's settings."""

    enabled: bool = True
    interval_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 10
    notify_on: Literal["failures", "always", "never"] = "failures"
    notify_email: str | None = None
    clash_policy: ClashPolicy = "studio"
    past_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 90


class Studio(msgspec.Struct, frozen=True, kw_only=True):
    """``studios/{studio_id}``."""

    name: str = ""
    edition: Literal["express", "standard", "professional", "enterprise"]
    time_zone: str
    sync: StudioSync = StudioSync()


class UserSync(msgspec.Struct, frozen=True, kw_only=True):
    """``sync`` of a user: what this person chose. A hold id that is no text answers nothing, and stops nothing."""

    enabled: bool = False
    calendar_id: str | None = None
    populate_calendar: bool = False
    populate_studio: bool = False
    two_way_appointments: bool = False
    include_tentative: bool = False
    two_way_contacts: bool = False
    client_group_id: str | None = None
    email_warnings: bool = True
    email_logs: bool = False
    email: str | None = None
    requested_at: dt.datetime | None = None
    private_details: bool = False
    approved_hold: Any = None
    declined_hold: Any = None

    @property
    def chosen_calendar(self) -> str | None:
        """The calendar's id, or `PRIMARY`; None where nothing was chosen: then the present one is kept."""
        return self.calendar_id or None


class UserConnection(msgspec.Struct, frozen=True, kw_only=True):
    """``connection`` of a user, written by the backend: which connection is the active one, and how it is."""

    id: str = ""
    state: str = "connected"
    reason: str | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """``studios/{studio_id}/users/{user_id}``."""

    name: str = ""
    email: str = ""
    role: Literal["admin", "staff"] = "staff"
    schedulable: bool = False
    sync: UserSync = UserSync()
    connection: UserConnection | None = None


def why_not(studio: Studio | None, user: User | None) -> Reason | None:
    """Why this user does not sync now, or None if nothing stands in the way (A1, A4, A5, A6)."""
    if studio is None:
        return Reason.STUDIO_GONE
    if user is None:
        return Reason.USER_GONE
    if studio.edition not in SYNCING_EDITIONS:
        return Reason.EDITION
    if not studio.sync.enabled:
        return Reason.STUDIO_OFF
    if not user.schedulable:
        return Reason.NOT_SCHEDULABLE
    if not user.sync.enabled:
        return Reason.USER_OFF
    return None
