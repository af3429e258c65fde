"""Invitations to give one's consent: an administrator sets a user up, only the consent is the user's own."""

from shared.domain.errors import Stale
from shared.domain.invitation import INVITATION_LIFE, Invitation
from shared.ports import Stored
from shared.services.accounts import AccountPorts, ConnectRefusedError

_NO_LONGER_GOOD = (
    "This invitation is no longer good: it was used, has expired, or there is a newer one. Ask for a new one."
)


def invite(studio_id: str, user_id: str, invited_by: str, ports: AccountPorts) -> Invitation:
    """A new invitation for a user, in place of any earlier one. What makes a link of it is not stored anywhere."""
    invitation = Invitation(
        studio_id=studio_id,
        user_id=user_id,
        nonce=ports.new_id(),
        invited_by=invited_by,
        expires_at=ports.clock.now() + INVITATION_LIFE,
    )
    ports.store.put_invitation(invitation)
    return invitation


def check(
    studio_id: str, user_id: str, nonce: str, ports: AccountPorts, account_id: str | None = None
) -> Stored[Invitation]:
    """The invitation with this nonce.

    Raises:
        ConnectRefusedError: it is no longer good.
    """
    stored = ports.store.invitation(studio_id, user_id)
    if stored is None or stored.value.nonce != nonce or not stored.value.good_for(account_id, ports.clock.now()):
        raise ConnectRefusedError(_NO_LONGER_GOOD)
    return stored


def use(studio_id: str, user_id: str, nonce: str, account_id: str, ports: AccountPorts) -> None:
    """Use it up for this account; a repeated use by the same one is the same use.

    Raises:
        ConnectRefusedError: it is no longer good, or was used by another account at this moment.
    """
    stored = check(studio_id, user_id, nonce, ports, account_id)
    if stored.value.used_by == account_id:
        return
    try:
        ports.store.use_invitation(stored, account_id)
    except Stale:
        use(studio_id, user_id, nonce, account_id, ports)
