"""An account is disconnected: nothing syncs with it any more, and no access to it is left anywhere.

    leaving, connections disconnected ── channels stopped ── revoked at Google ── secret destroyed ── account freed

The studio's data and the pairs stay: connecting again goes on where it stopped. Killed anywhere, it can be done again;
an account that was left half way is cleared away when somebody else wants it.
"""

import logging

import msgspec

from shared.domain import contract, identity
from shared.domain.account import Account
from shared.domain.connection import Connection
from shared.domain.errors import Park, Retry, Stale, Stop
from shared.domain.settings import User
from shared.ports import Stored
from shared.services import channels
from shared.services.accounts import AccountPorts, ConnectRefusedError, active_connection

log = logging.getLogger(__name__)

# Lost only against a run's own writes, or another's step; all are over in milliseconds.
ATTEMPTS = 8

_GONE = "This user has no such account: it may be disconnected already."


class Disconnected(msgspec.Struct, frozen=True, kw_only=True):
    """`revoked`: Google has ended our access, too. Where not, the person can do so at Google."""

    account_email: str
    revoked: bool


def disconnect(
    studio_id: str, user_id: str, account_id: str, ports: AccountPorts, *, waiting: bool = False
) -> Disconnected:
    """Disconnect an account of a user; with `waiting` only if nothing syncs with it (yet).

    Raises:
        ConnectRefusedError: the user has no such account (any more), or it is in use.
    """
    stored = ports.store.account(account_id) if identity.usable(account_id) else None
    if stored is None or not stored.value.belongs_to(studio_id, user_id):
        raise ConnectRefusedError(_GONE)
    revoked = release(stored, ports, revoke=True, waiting=waiting)
    return Disconnected(account_email=stored.value.account_email, revoked=revoked)


def release(stored: Stored[Account], ports: AccountPorts, *, revoke: bool, waiting: bool = False) -> bool:
    """Free an account, whatever state it is in; gives whether it was revoked at Google. `waiting`: as `disconnect`."""
    account = stored.value
    connections = _leave(stored, ports, waiting=waiting)
    for connection in connections.values():
        _stop_channels(connection, ports)
        ports.store.free_calendar(connection.value.calendar_id, connection.id)
    # Google ends whatever the account has granted to the whole project, so others must not depend on it.
    revoked = revoke and not _used_by_others(account, ports) and _revoke(account, ports)
    ports.secrets.destroy(identity.refresh_token_secret("google", account.account_id))
    _free(account, ports)
    return revoked


def _connections(account: Account, ports: AccountPorts) -> dict[str, Stored[Connection]]:
    found = ports.store.connections_of_user(account.studio_id, account.user_id)
    return {one: stored for one, stored in found.items() if stored.value.account_id == account.account_id}


def _leave(stored: Stored[Account], ports: AccountPorts, *, waiting: bool) -> dict[str, Stored[Connection]]:
    """Mark it all as disconnected, as it is at that very moment; gives the connections."""
    account = stored.value
    for _ in range(ATTEMPTS):
        if waiting and stored.value.state not in {"claimed", "leaving"}:
            raise ConnectRefusedError("This account is in use by now. Look at the page again.")
        connections = _connections(account, ports)
        try:
            shown = _active(account, ports) in connections
            ports.store.leave_account(stored, list(connections.values()), ports.clock.now(), shown=shown)
        except Stale:
            again = ports.store.account(account.account_id)
            if again is None or not again.value.belongs_to(account.studio_id, account.user_id):
                raise ConnectRefusedError(_GONE) from None
            stored = again
            continue
        return connections
    raise Stale("the account is written again and again")


def _free(account: Account, ports: AccountPorts) -> None:
    """Another, who leaves it at the same time, may be faster."""
    for _ in range(ATTEMPTS):
        stored = ports.store.account(account.account_id)
        mine = stored is not None and stored.value.belongs_to(account.studio_id, account.user_id)
        if stored is None or not mine or stored.value.state != "leaving":
            return
        try:
            ports.store.free_account(account.account_id, stored.version)
        except Stale:
            continue
        return
    raise Stale("the account is written again and again")


def _active(account: Account, ports: AccountPorts) -> str | None:
    """The connection that the user's document names; None where the user is gone."""
    _, user = ports.store.settings(account.studio_id, account.user_id)
    if user is None:
        return None
    try:
        return active_connection(contract.read(user, User))
    except Park:
        named = user.get("connection")
        return str(named.get("id")) if isinstance(named, dict) else None


def _stop_channels(connection: Stored[Connection], ports: AccountPorts) -> None:
    calendar = ports.calendars.open(connection.id, connection.value)
    open_ones = channels.known(connection.value)
    # Where no answer told it: all channels of one calendar have the same.
    resource_id = next((one.resource_id for one in open_ones if one.resource_id is not None), None)
    for channel in open_ones:
        try:
            calendar.unwatch(msgspec.structs.replace(channel, resource_id=channel.resource_id or resource_id))
        except (Retry, Stop) as error:
            extra = {"connection": connection.id, "error": type(error).__name__}
            log.warning("a channel could not be ended: it expires by itself", extra=extra)


def _used_by_others(account: Account, ports: AccountPorts) -> bool:
    """Whether another user signs in with this account: that would end with it."""
    found = ports.store.users_signed_in_by(account.account_id)
    return any(not account.belongs_to(one.studio_id, one.user_id) for one in found)


def _revoke(account: Account, ports: AccountPorts) -> bool:
    try:
        ports.consent.revoke(account.account_id)
    except (Retry, Stop) as error:
        # People must be able to leave also while Google is down, or has thrown us out already.
        log.warning("access was not revoked at Google", extra={"error": type(error).__name__})
        return False
    return True
