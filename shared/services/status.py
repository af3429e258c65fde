"""What can be said to people of a user's connection: state, account, calendar, what to answer, what to mind."""

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain import contract, identity, zones
from shared.domain.account import Account, Question
from shared.domain.connection import CalendarChoice, Connection
from shared.domain.errors import Park
from shared.domain.health import Health, health, verified
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, StudioSync, User, why_not
from shared.ports import Clock, Store, Stored
from shared.services.connecting import NO_CONTACTS

_QUESTIONS: Mapping[Question, str] = {
    "other_account": (
        "This is another Google account than before. Nothing is synced with it until you say so: what is in the "
        "calendar so far stays there, and what is new or edited from then on goes to the new one."
    ),
    "unconfirmed": (
        "This account has another e-mail address than the user, so an administrator must confirm that it is the "
        "user's own. Nothing is synced until then."
    ),
}

IN_STEP = "Kept in step with Google Calendar."
DELAYED = "The last runs did not go through. They are tried again by themselves: nothing needs to be done."


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An account that waits for an answer; `calendars` are those that it may be answered with."""

    account_id: str
    account_email: str
    question: Question
    text: str
    calendars: tuple[CalendarChoice, ...] = ()


class Warning(msgspec.Struct, frozen=True, kw_only=True):  # noqa: A001 - what people call it
    """Nothing is broken, but it may not be what the person expects."""

    kind: str
    text: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Of one user. `syncs`: runs go through. `reason` and `text` say why not, or that all is well; where runs have only
    failed for a while, there is no reason that a person could do anything about.

    `accounts` are all that the user has, the one in use first; `calendars` are those to choose from.
    `health` is how well it is kept in step, by what can be shown (`domain/health.py`).
    `longest_wait_minutes` is how long it may take until a change made in the calendar is seen where no push arrives.
    """

    studio_id: str
    user_id: str
    name: str
    state: str
    syncs: bool
    reason: Reason | None
    text: str
    account: dict[str, Any] | None = None
    accounts: tuple[dict[str, Any], ...] = ()
    calendar: CalendarChoice | None = None
    calendars: tuple[CalendarChoice, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    warnings: tuple[Warning, ...] = ()
    near_real_time: bool = False
    longest_wait_minutes: int | None = None
    synced_at: dt.datetime | None = None
    health: dict[str, Any] | None = None


def status(studio_id: str, user_id: str, store: Store, clock: Clock, safety_interval: dt.timedelta) -> Status:
    """How it stands with one user. Nobody else's account or calendar is in it."""
    documents = store.settings(studio_id, user_id)
    accounts = [one.value for one in store.accounts_of_user(studio_id, user_id).values()]
    try:
        studio = None if documents[0] is None else contract.read(documents[0], Studio)
        user = None if documents[1] is None else contract.read(documents[1], User)
    except Park as park:
        text = f"{Reason.INVALID.text} It is: {park.field}: {park.detail}"
        return Status(
            studio_id=studio_id,
            user_id=user_id,
            name="",
            state="paused",
            syncs=False,
            reason=Reason.INVALID,
            text=text,
            accounts=tuple(_account(one) for one in accounts),
        )
    active = None if user is None or user.connection is None else user.connection.id
    connection = store.connection(str(active)) if identity.usable(active) else None
    return _status(studio_id, user_id, studio, user, connection, accounts, clock.now(), safety_interval)


def _status(
    studio_id: str,
    user_id: str,
    studio: Studio | None,
    user: User | None,
    stored: Stored[Connection] | None,
    accounts: list[Account],
    now: dt.datetime,
    safety_interval: dt.timedelta,
) -> Status:
    connection = None if stored is None else stored.value
    account = None
    if connection is not None and connection.state != "disconnected":
        account = next((one for one in accounts if one.account_id == connection.account_id), None)
    else:
        # Refused the calendar that was chosen: it goes on as soon as another is chosen among its own.
        account = next((one for one in accounts if one.state == "claimed" and one.question is None), None)
    stopped = why_not(studio, user) or (Reason.NOT_CONNECTED if connection is None else None)
    found = None
    if connection is not None:
        job = StudioSync() if studio is None else studio.sync
        interval = dt.timedelta(minutes=job.interval_minutes)
        found = health(connection, now, interval=interval, safety_interval=safety_interval, stopped=stopped)
    reason = stopped if found is None else found.reason
    delayed = found is not None and found.state == "failing"
    seen = None if reason is not None or delayed else found
    if user is None or not user.sync.two_way_appointments:
        seen = None
    ordered = sorted(accounts, key=lambda one: (one is not account, one.account_email))
    return Status(
        studio_id=studio_id,
        user_id=user_id,
        name="" if user is None else user.name,
        state="not_connected" if connection is None else connection.state,
        syncs=reason is None and not delayed,
        reason=reason,
        text=reason.text if reason is not None else DELAYED if delayed else IN_STEP,
        account=None if account is None else _account(account),
        accounts=tuple(_account(one) for one in ordered),
        calendar=_calendar(connection, account),
        calendars=() if account is None else account.calendars,
        waiting=tuple(
            Waiting(
                account_id=one.account_id,
                account_email=one.account_email,
                question=one.question,
                text=_QUESTIONS[one.question],
                calendars=one.calendars,
            )
            for one in ordered
            if one.question is not None
        ),
        warnings=tuple(_warnings(studio, user, connection, account, now, delayed=delayed)),
        near_real_time=seen is not None and seen.push == "alive",
        longest_wait_minutes=None if seen is None else math.ceil(seen.longest_wait / dt.timedelta(minutes=1)),
        synced_at=None if connection is None else connection.synced_at,
        health=None if found is None else _health(found),
    )


def _health(found: Health) -> dict[str, Any]:
    return {
        "state": found.state,
        "signs": found.signs,
        "push": found.push,
        "verified_age_seconds": None if found.verified_age is None else round(found.verified_age.total_seconds()),
        "next_due": found.next_due,
    }


def _account(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "account_email": account.account_email,
        "state": account.state,
        "contacts": account.contacts,
    }


def _calendar(connection: Connection | None, account: Account | None) -> CalendarChoice | None:
    if connection is None:
        return None
    known = () if account is None else account.calendars
    zone = connection.calendar_time_zone or ""
    found = next((one for one in known if one.id == connection.calendar_id), CalendarChoice(id=connection.calendar_id))
    return msgspec.structs.replace(found, time_zone=zone or found.time_zone)


def _warnings(
    studio: Studio | None,
    user: User | None,
    connection: Connection | None,
    account: Account | None,
    now: dt.datetime,
    *,
    delayed: bool,
) -> list[Warning]:
    found = []
    if delayed and connection is not None:
        since = f"{verified(connection):%d %B %Y, %H:%M} UTC".lstrip("0")
        text = (
            f"Google or our storage has not answered as it should since {since}. Nothing is lost: what has changed "
            "since then is carried over as soon as a run goes through."
        )
        found.append(Warning(kind="delayed", text=text))
    if user is not None and user.email != user.email.strip().lower():
        text = (
            f"The e-mail of this user is entered as {user.email}. For signing in on this page it has to be written in "
            f"small letters and without blanks: {user.email.strip().lower()}"
        )
        found.append(Warning(kind="email", text=text))
    theirs = None if connection is None else connection.calendar_time_zone
    if studio is not None and theirs and zones.differ(studio.time_zone, theirs, now):
        text = (
            f"The studio's time zone is {studio.time_zone}, the calendar's is {theirs}. Appointments are not shifted: "
            "each stands at the same moment on both sides, and the calendar shows it by its own clock."
        )
        found.append(Warning(kind="time_zones", text=text))
    if account is not None and account.state != "needs_reauth" and not account.contacts:
        found.append(Warning(kind="contacts", text=NO_CONTACTS))
    return found
