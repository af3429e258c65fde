"""Who a person is: the users that a Google account signs in as, bound at the first time and known from then on."""

import msgspec

from shared.domain.errors import Stale
from shared.domain.sign_in import SignIn, may_bind, signs_in
from shared.ports import Clock, Grant, Store, UserDocument


class NobodyError(Exception):
    """No user belongs to this account; the message tells the person what to do."""


def signed_in(grant: Grant, store: Store, clock: Clock) -> list[UserDocument]:
    """The users whom this account signs in as: one of a studio, or of several.

    Raises:
        NobodyError: there is none.
    """
    known = {_key(user): user for user in store.users_signed_in_by(grant.account_id) if still(user, grant.account_id)}
    if grant.email_verified:
        for user in store.users_with_email(sorted({grant.account_email, grant.account_email.lower()})):
            if _key(user) not in known and _bound(user, grant, store, clock):
                known[_key(user)] = user
    if not known:
        raise NobodyError(
            f"No user of a studio has the e-mail {grant.account_email}, or that user signs in with another Google "
            "account. Ask your administrator to enter this address as your user's e-mail, written in small letters: "
            f"{grant.account_email.lower()}"
        )
    return [known[key] for key in sorted(known)]


def still(user: UserDocument, subject: str) -> bool:
    """Whether a session that was begun by this account is (still) this user's."""
    return signs_in(user.document, subject)


def _bound(user: UserDocument, grant: Grant, store: Store, clock: Clock) -> bool:
    if not may_bind(user.document, grant.account_id, grant.account_email):
        return False
    bound = SignIn(subject=grant.account_id, email=grant.account_email, at=clock.now())
    try:
        store.update_user(user, {"sign_in": msgspec.structs.asdict(bound)})
    except Stale:
        again = store.user(user.studio_id, user.user_id)
        if again is None or not may_bind(again.document, grant.account_id, grant.account_email):
            return False
        store.update_user(again, {"sign_in": msgspec.structs.asdict(bound)})
    return True


def _key(user: UserDocument) -> tuple[str, str]:
    return user.studio_id, user.user_id
