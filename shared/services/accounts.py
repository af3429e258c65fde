"""Accounts and connections: what a person's consent turns into."""

import datetime as dt

import msgspec

from shared.domain import contract, identity
from shared.domain.connection import Account, Connection
from shared.domain.settings import Studio, User
from shared.ports import Calendars, Clock, Consent, Secrets, Store, Tasks
from shared.services.wishes import sync_task

CALENDAR_SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)
SCOPES = ("openid", "email", *CALENDAR_SCOPES)


class ConnectRefusedError(Exception):
    """A connection that cannot be made; the message tells the person what to do."""


class Connected(msgspec.Struct, frozen=True):
    """A connection as it was made: its id, and the calendar it is tied to."""

    connection_id: str
    account_email: str
    calendar_id: str


def connect(
    studio_id: str,
    user_id: str,
    code: str,
    redirect_uri: str,
    *,
    consent: Consent,
    calendars: Calendars,
    secrets: Secrets,
    store: Store,
    tasks: Tasks,
    clock: Clock,
) -> Connected:
    """Turn a one-time authorization code into a connection of this user, and wish its first run.

    The calendar is the one that the user's settings name, or the account's primary one.

    Raises:
        ConnectRefusedError: a scope is missing, another user has the account or the calendar, or there is none to
            write to.
        AccessLost: the code is not good (any more).
    """
    studio_document, user_document = store.settings(studio_id, user_id)
    if studio_document is None or user_document is None:
        raise ConnectRefusedError("This user does not exist in this studio: ask your administrator.")
    studio, user = contract.read(studio_document, Studio), contract.read(user_document, User)
    grant = consent.exchange(code, redirect_uri)
    if missing := [scope for scope in CALENDAR_SCOPES if scope not in grant.scopes]:
        boxes = " and ".join(_BOXES[scope] for scope in missing)
        raise ConnectRefusedError(f"Google was not allowed to {boxes}. Connect again and tick that box.")
    if grant.refresh_token is None:
        raise ConnectRefusedError("Google gave no lasting access. Connect again and allow it when asked.")
    choices = calendars.writable(grant.refresh_token)
    chosen = next((c for c in choices if user.sync.calendar_id in {None, c.id}), None)
    if chosen is None:
        raise ConnectRefusedError("The account cannot write to the chosen calendar. Choose another calendar.")
    secret = identity.refresh_token_secret("google", grant.account_id)
    account = Account(
        account_id=grant.account_id,
        account_email=grant.account_email,
        studio_id=studio_id,
        user_id=user_id,
        scopes=grant.scopes,
        calendars=choices,
        secret=secret,
    )
    if store.calendar_taken(account, chosen.id):
        raise ConnectRefusedError(
            "This calendar is kept in step for another user already, and would be doubled. "
            "Choose a calendar of your own."
        )
    if not store.claim_account(account):
        raise ConnectRefusedError(
            "This Google account is connected to another user already. "
            "Disconnect it there first, or use another account."
        )
    secrets.put(secret, grant.refresh_token)
    now = clock.now()
    connection_id = identity.connection(studio_id, user_id, "google", grant.account_id, chosen.id)
    connection = Connection(
        studio_id=studio_id,
        user_id=user_id,
        account_id=grant.account_id,
        calendar_id=chosen.id,
        calendar_time_zone=chosen.time_zone or None,
        since=now,
        window_from=now - dt.timedelta(days=studio.sync.past_days),
        next_sync_at=now,
    )
    store.save_connection(connection_id, connection)
    tasks.enqueue([sync_task(connection_id, now)])
    return Connected(connection_id, grant.account_email, chosen.id)


_BOXES = {
    CALENDAR_SCOPES[0]: "see and edit the events of your calendars",
    CALENDAR_SCOPES[1]: "see the list of your calendars",
}
