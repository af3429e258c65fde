"""Everything that a command must know before it looks at a user's items, and why there may be nothing to look at."""

import msgspec

from shared.domain import contract, identity
from shared.domain.connection import Connection
from shared.domain.errors import Park
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, User, why_not
from shared.ports import Store, Stored


class Opened(msgspec.Struct, frozen=True):
    """A studio, one of its users, and the connection that the user syncs with, whatever state that is in."""

    studio: Studio
    user: User
    connection: Stored[Connection]


class Closed(msgspec.Struct, frozen=True):
    """Why nothing of this user syncs at all; `field` and `detail` say which setting does not fit the contract."""

    reason: Reason
    field: str = ""
    detail: str = ""


def opened(studio_id: str, user_id: str, store: Store) -> Opened | Closed:
    """Studio, user and connection, read in two requests."""
    if not identity.usable(studio_id):
        return Closed(Reason.STUDIO_GONE)
    if not identity.usable(user_id):
        return Closed(Reason.USER_GONE)
    documents = store.settings(studio_id, user_id)
    try:
        studio = None if documents[0] is None else contract.read(documents[0], Studio)
        user = None if documents[1] is None else contract.read(documents[1], User)
    except Park as park:
        return Closed(park.reason, park.field, f"in the settings: {park.detail}")
    reason = why_not(studio, user)
    if reason is not None or studio is None or user is None:
        return Closed(reason or Reason.USER_GONE)
    if user.connection is None or not identity.usable(user.connection.id):
        return Closed(Reason.NOT_CONNECTED)
    connection = store.connection(user.connection.id)
    return Closed(Reason.NOT_CONNECTED) if connection is None else Opened(studio, user, connection)
