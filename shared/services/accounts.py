"""Accounts and connections: what a person's consent turns into."""

import datetime as dt

import msgspec

from shared.domain import contract, identity
from shared.domain.connection import Account, CalendarChoice, Connection
from shared.domain.errors import Forbidden, Park
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, User
from shared.ports import Calendars, Clock, Consent, Secrets, Store, Tasks
from shared.services.run import Run
from shared.services.wishes import sync_task, wish

CALENDAR_SCOPES = (
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)
SCOPES = ("openid", "email", *CALENDAR_SCOPES)


# So much of what waits in an outbox goes over to the next calendar: more than anybody can have left undone.
PENDING = 5_000


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
    connection_id, earlier = _activate(
        studio_id, user_id, grant.account_id, chosen, studio, _active(user), store=store, tasks=tasks, clock=clock
    )
    for other in earlier:
        wish(other, store, tasks, clock)  # To find out that the user syncs with another calendar now, and to rest.
    return Connected(connection_id, grant.account_email, chosen.id)


def switch_calendar(run: Run, studio: Studio, calendar_id: str) -> None:
    """Tie the user to another calendar of the same account. The run's own connection is to rest then, with its pairs.

    Raises:
        Forbidden: the account cannot write to that calendar.
        Park: another user's calendar.
    """
    connection, ports = run.connection, run.ports
    choices = ports.calendars.writable_by(connection.account_id)
    chosen = next((choice for choice in choices if choice.id == calendar_id), None)
    if chosen is None:
        raise Forbidden("the account cannot write to the chosen calendar")
    account = Account(
        account_id=connection.account_id,
        account_email="",
        studio_id=connection.studio_id,
        user_id=connection.user_id,
    )
    if ports.store.calendar_taken(account, calendar_id):
        raise Park(Reason.CALENDAR_TAKEN, "sync.calendar_id")
    _activate(
        connection.studio_id,
        connection.user_id,
        connection.account_id,
        chosen,
        studio,
        run.connection_id,
        store=ports.store,
        tasks=ports.tasks,
        clock=ports.clock,
    )


def _activate(
    studio_id: str,
    user_id: str,
    account_id: str,
    chosen: CalendarChoice,
    studio: Studio,
    active: str | None,
    *,
    store: Store,
    tasks: Tasks,
    clock: Clock,
) -> tuple[str, tuple[str, ...]]:
    """Make the connection, or find the one of an earlier time with its pairs; gives its id, and those of the others.

    What the studio changed and the connection that was `active` so far has not carried out is for this one to do.
    """
    now = clock.now()
    connection_id = identity.connection(studio_id, user_id, "google", account_id, chosen.id)
    changed_since = now
    if active not in {None, connection_id}:
        pending = [one for one in store.outbox(str(active), PENDING) if one.value.changed_at is not None]
        store.put_outbox([(connection_id, one.id, one.value) for one in pending])
        changed_since = min([now, *(one.value.at for one in pending)])
    earlier = tuple(sorted(store.connections_of_user(studio_id, user_id).keys() - {connection_id}))
    connection = Connection(
        studio_id=studio_id,
        user_id=user_id,
        account_id=account_id,
        calendar_id=chosen.id,
        calendar_time_zone=chosen.time_zone or None,
        since=changed_since,
        read_since=now,
        window_from=now - dt.timedelta(days=studio.sync.past_days),
        next_sync_at=now,
        earlier=earlier,
        active_since=None if active == connection_id else changed_since,
    )
    store.save_connection(connection_id, connection)
    tasks.enqueue([sync_task(connection_id, now)])
    return connection_id, earlier


def _active(user: User) -> str | None:
    """The connection that a user syncs with so far."""
    known = None if user.connection is None else user.connection.id
    return known if identity.usable(known) else None


_BOXES = {
    CALENDAR_SCOPES[0]: "see and edit the events of your calendars",
    CALENDAR_SCOPES[1]: "see the list of your calendars",
}
