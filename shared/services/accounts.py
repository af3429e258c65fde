"""The account and the calendar that a user syncs with: which one is chosen, claimed, and tied to the user."""

import datetime as dt
import logging
from collections.abc import Callable

import msgspec

from shared.domain import identity
from shared.domain.account import Account, CalendarClaim
from shared.domain.connection import CalendarChoice, Connection, chosen_of
from shared.domain.errors import Forbidden, Park, Retry, Stale
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, User
from shared.ports import Calendars, Clock, Consent, Document, Secrets, Store, Stored, Tasks
from shared.services.moving import hand_over
from shared.services.run import Run
from shared.services.wishes import sync_task, wish

log = logging.getLogger(__name__)

_MEANWHILE = "This account was changed elsewhere at this moment. Look at the page again."


class ConnectRefusedError(Exception):
    """A connection that cannot be made; the message tells the person what to do, and names no other person."""


class AccountPorts(msgspec.Struct, frozen=True):
    """What connecting and disconnecting need from the outside."""

    store: Store
    consent: Consent
    calendars: Calendars
    secrets: Secrets
    tasks: Tasks
    clock: Clock
    new_id: Callable[[], str]


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as it was made. `contacts`: whether these may be read and written, too."""

    connection_id: str
    account_id: str
    account_email: str
    calendar_id: str
    contacts: bool


def activate(
    studio: Studio,
    active: str | None,
    calendar_id: str | None,
    claimed: Stored[Account],
    ports: AccountPorts,
    *,
    newly_chosen: bool = False,
) -> Connected:
    """Tie a user to a calendar of an account that the user has claimed, and wish the first run.

    `calendar_id` is what the user's settings name; none: the account's primary one. `active` is the connection that the
    user has synced with so far; where that is another account's, so may be the calendar that was chosen.
    `newly_chosen`: the settings do not name it yet, and do so from then on.

    Raises:
        ConnectRefusedError: the account cannot write to the chosen calendar, another user has it, or the account was
            disconnected or answered for elsewhere at this moment.
    """
    account = claimed.value
    chosen, forget = chosen_of(account.calendars, calendar_id), False
    if chosen is None and _of_another_account(active, account, ports.store):
        # The choice was made among the other account's calendars.
        chosen, forget = chosen_of(account.calendars, None), True
    if chosen is None:
        raise ConnectRefusedError("The account cannot write to the chosen calendar. Choose another calendar.")
    try:
        activated = _activate(
            claimed,
            chosen,
            studio,
            active,
            store=ports.store,
            tasks=ports.tasks,
            clock=ports.clock,
            setting={"sync.calendar_id": None if forget else chosen.id} if forget or newly_chosen else None,
        )
    except Stale:
        raise ConnectRefusedError(_MEANWHILE) from None
    if activated is None:
        raise ConnectRefusedError(Reason.CALENDAR_TAKEN.text)
    connection_id, earlier = activated
    for other in earlier:
        # To find out that the user syncs with another calendar now, and to rest.
        if not wish(other, ports.store, ports.tasks, ports.clock):
            _wake(other, ports)
    return Connected(
        connection_id=connection_id,
        account_id=account.account_id,
        account_email=account.account_email,
        calendar_id=chosen.id,
        contacts=account.contacts,
    )


def switch_calendar(run: Run, studio: Studio, calendar_id: str) -> bool:
    """Tie the user to another calendar of the same account. The run's own connection is to rest then, with its pairs.

    False: it is the run's own calendar, by another name.

    Raises:
        Forbidden: the account cannot write to that calendar.
        Park: another user's calendar.
    """
    connection, ports = run.connection, run.ports
    choices = ports.calendars.writable_by(connection.account_id)
    chosen = chosen_of(choices, calendar_id)
    if chosen is None:
        raise Forbidden("the account cannot write to the chosen calendar")
    if chosen.id == connection.calendar_id:
        run.note(primary=chosen.primary)
        return False
    account = ports.store.account(connection.account_id)
    ours = account is not None and account.value.belongs_to(connection.studio_id, connection.user_id)
    if account is None or not ours or account.value.state == "leaving":
        raise Retry("the account is being disconnected")
    activated = _activate(
        account,
        chosen,
        studio,
        run.connection_id,
        store=ports.store,
        tasks=ports.tasks,
        clock=ports.clock,
    )
    if activated is None:
        raise Park(Reason.CALENDAR_TAKEN, "sync.calendar_id")
    return True


def _activate(
    account: Stored[Account],
    chosen: CalendarChoice,
    studio: Studio,
    active: str | None,
    *,
    store: Store,
    tasks: Tasks,
    clock: Clock,
    setting: Document | None = None,
) -> tuple[str, tuple[str, ...]] | None:
    """Make the connection, or find the one of an earlier time with its pairs; gives its id, and those of the user's
    connections to other calendars. None: another user has the calendar.

    A calendar that the user syncs with is the same one by whichever account it is reached: its connection goes on with
    this account. `setting` enters the user's document in the same step. What the studio changed and the connection that
    was `active` so far has not carried out is for this one to do.

    Raises:
        Stale: the account is not as it was read any more.
    """
    now, account_id = clock.now(), account.value.account_id
    studio_id, user_id = account.value.studio_id, account.value.user_id
    known = store.connections_of_user(studio_id, user_id)
    connection_id = next(
        (one for one, stored in known.items() if stored.value.calendar_id == chosen.id),
        identity.connection(studio_id, user_id, "google", account_id, chosen.id),
    )
    claim = CalendarClaim(
        studio_id=studio_id, user_id=user_id, connection_id=connection_id, calendar_id=chosen.id, claimed_at=now
    )
    if not store.claim_calendar(claim):
        return None
    changed_since = now
    if active not in {None, connection_id}:
        pending = hand_over(store, str(active), connection_id)
        changed_since = min([now, *(one.at for one in pending)])
    earlier = tuple(sorted(one for one, stored in known.items() if stored.value.calendar_id != chosen.id))
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
        primary=chosen.primary,
    )
    store.save_connection(connection_id, connection, setting, account)
    tasks.enqueue([sync_task(connection_id, now)])
    return connection_id, earlier


def _wake(connection_id: str, ports: AccountPorts) -> None:
    """Let a connection whose access was lost, and that nobody waits for any more, run once more to rest."""
    stored = ports.store.connection(connection_id)
    if stored is None or stored.value.state != "needs_reauth":
        return
    now = ports.clock.now()
    fields = {"state": "paused", "state_reason": Reason.SWITCHED.value, "next_sync_at": now}
    try:
        ports.store.update_connection(connection_id, stored.version, fields)
    except Stale:
        log.warning("an earlier connection was written to at this moment", extra={"connection": connection_id})
    else:
        ports.tasks.enqueue([sync_task(connection_id, now)])  # Should it be lost, the next tick does it.


def active_connection(user: User) -> str | None:
    """The connection that a user syncs with so far."""
    known = None if user.connection is None else user.connection.id
    return known if identity.usable(known) else None


def _of_another_account(connection_id: str | None, account: Account, store: Store) -> bool:
    stored = None if connection_id is None else store.connection(connection_id)
    return stored is not None and stored.value.account_id != account.account_id
