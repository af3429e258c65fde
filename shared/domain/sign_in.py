"""Who signs in as which user: found by verified e-mail the first time, by the account's subject from then on.

``sign_in`` of a user's document, written by the backend. An administrator who gives the user another e-mail thereby
lets the account with that e-mail in, and no longer the one before.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain.contract import read
from shared.domain.errors import Park


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """The account that a user signs in with; `email` is the one it was found by."""

    provider: str = "google"
    subject: str
    email: str
    at: dt.datetime | None = None


def sign_in_of(user: Mapping[str, Any]) -> SignIn | None:
    """What a user's document says of it; what does not fit counts as not there."""
    found = user.get("sign_in")
    if not isinstance(found, Mapping):
        return None
    try:
        return read(found, SignIn)
    except Park:
        return None


def signs_in(user: Mapping[str, Any], subject: str) -> bool:
    """Whether this account signs in as this user: it was bound, by the e-mail that the user (still) has.

    The account's own address may have changed since: only where an administrator gave the user another one, it ends.
    The local stack binds without any e-mail, so there is none to lose.
    """
    known = sign_in_of(user)
    if known is None or known.subject != subject:
        return False
    return known.email == "" or same_email(known.email, user.get("email"))


def may_bind(user: Mapping[str, Any], subject: str, email: str) -> bool:
    """Whether an account with this verified e-mail may sign in as this user from now on."""
    known = sign_in_of(user)
    if not same_email(user.get("email"), email):
        return False
    return known is None or known.subject == subject or not same_email(known.email, email)


def same_email(one: object, other: object) -> bool:
    """Google ignores case in addresses, and so do people. An empty one is nobody's."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    return one.strip() != "" and one.strip().lower() == other.strip().lower()
