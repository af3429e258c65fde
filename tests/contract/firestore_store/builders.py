"""Documents for the tests of the store, and short ways to ask for them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.account import Account
from shared.domain.connection import Connection, Parked
from shared.domain.content import Content, Timed
from shared.domain.link import Link
from shared.domain.reasons import Reason
from shared.ports import StudioWrite

# With microseconds: as fine as Firestore keeps them.
NOW = dt.datetime(2025, 5, 3, 10, 0, 0, 123456, dt.UTC)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def a_connection(**fields: Any) -> Connection:
    given = {"studio_id": "s1", "user_id": "u1", "account_id": "a1", "calendar_id": "primary"}
    return Connection(**{**given, "since": NOW, "window_from": NOW - 90 * DAY, **fields})


def an_account(**fields: Any) -> Account:
    given = {"account_id": "a1", "account_email": "ann@example.org", "studio_id": "s1", "user_id": "u1"}
    return Account(**{**given, **fields})


def a_link(appointment_id: str = "p1", event_id: str = "e1", **fields: Any) -> Link:
    content = Content(title="Newborn", when=Timed(NOW, NOW + HOUR))
    given = {"studio": content, "calendar": content, "etag": '"1"', "seal": "abc", "ends_at": NOW + HOUR}
    return Link(appointment_id=appointment_id, event_id=event_id, **{**given, **fields})


def parked(**fields: Any) -> Parked:
    return Parked(
        **{"appointment_id": "p1", "reason": Reason.UNSUPPORTED_RULE, "field": "recurrence", "since": NOW, **fields}
    )


def a_creation(appointment_id: str = "p1", **fields: Any) -> StudioWrite:
    return StudioWrite(studio_id="s1", appointment_id=appointment_id, version=None, fields=fields)


def an_update(
    version: Any, appointment_id: str = "p1", join: str | None = None, leave: str | None = None, **fields: Any
) -> StudioWrite:
    return StudioWrite(
        studio_id="s1", appointment_id=appointment_id, version=version, fields=fields, join=join, leave=leave
    )


Documents = Callable[[str], Any]
Put = Callable[[dict[str, dict[str, Any]]], None]


def version_of(store: FirestoreStore) -> Any:
    stored = store.connection("c1")
    assert stored is not None
    return stored.version


def read_connection(store: FirestoreStore) -> Connection:
    stored = store.connection("c1")
    assert stored is not None
    return stored.value
