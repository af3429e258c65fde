"""A Firestore that does not answer."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from shared.adapters.firestore_documents import PATIENCE
from shared.adapters.firestore_store import FirestoreStore
from shared.domain.account import CalendarClaim
from shared.domain.connection import (
    OutboxEntry,
)
from shared.domain.errors import Unavailable
from shared.domain.invitation import Invitation
from shared.ports import Store, Stored, UserDocument
from tests.contract.firestore_store.builders import NOW, a_connection, a_creation, an_account

CLAIM = CalendarClaim(studio_id="s1", user_id="u1", connection_id="c1", calendar_id="x@example.org", claimed_at=NOW)
STORED = Stored("c1", a_connection(), NOW)
INVITATION = Invitation(studio_id="s1", user_id="u1", nonce="n1", invited_by="chief", expires_at=NOW)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, project: str) -> Iterator[FirestoreStore]:
    """A store at a port where nobody listens, with less patience than it has by itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{port}")
    client = firestore.Client(project=project, credentials=AnonymousCredentials())
    yield FirestoreStore(client, {"timeout": 0.1, "retry": PATIENCE["retry"].with_timeout(0.1)})
    client.close()


ASKING: dict[str, Callable[[FirestoreStore], Any]] = {
    "connection": lambda store: store.connection("c1"),
    "update_connection": lambda store: store.update_connection("c1", NOW, {"failures": 1}),
    "connections_of_user": lambda store: store.connections_of_user("s1", "u1"),
    "connections_of_studio": lambda store: list(store.connections_of_studio("s1")),
    "due_connections": lambda store: store.due_connections(NOW, 10, None),
    "save_connection": lambda store: store.save_connection("c1", a_connection()),
    "account": lambda store: store.account("a1"),
    "accounts_of_user": lambda store: store.accounts_of_user("s1", "u1"),
    "claim_account": lambda store: store.claim_account(an_account(), NOW),
    "update_account": lambda store: store.update_account("a1", NOW, {"secret": "name"}),
    "leave_account": lambda store: store.leave_account(Stored("a1", an_account(), NOW), [STORED], NOW, shown=True),
    "free_account": lambda store: store.free_account("a1", NOW),
    "claim_calendar": lambda store: store.claim_calendar(CLAIM),
    "calendar_claim": lambda store: store.calendar_claim(CLAIM.calendar_id),
    "free_calendar": lambda store: store.free_calendar(CLAIM.calendar_id, CLAIM.connection_id),
    "users_with_email": lambda store: store.users_with_email(["ann@example.org"]),
    "users_signed_in_by": lambda store: store.users_signed_in_by("1"),
    "users_of_studio": lambda store: store.users_of_studio("s1"),
    "user": lambda store: store.user("s1", "u1"),
    "update_user": lambda store: store.update_user(UserDocument("s1", "u1", {}, NOW), {"sign_in": None}),
    "invitation": lambda store: store.invitation("s1", "u1"),
    "put_invitation": lambda store: store.put_invitation(INVITATION),
    "use_invitation": lambda store: store.use_invitation(Stored("i1", INVITATION, NOW), "a1"),
    "settings": lambda store: store.settings("s1", "u1"),
    "outbox": lambda store: store.outbox("c1", 10),
    "outbox_entry": lambda store: store.outbox_entry("c1", "p1"),
    "put_outbox": lambda store: store.put_outbox([("c1", "p1", OutboxEntry(at=NOW))]),
    "links": lambda store: store.links("c1", ["p1"]),
    "links_of_events": lambda store: store.links_of_events("c1", ["e1"]),
    "times": lambda store: store.times("s1", ["p1"]),
    "times_between": lambda store: store.times_between("s1", "u1", NOW, NOW, 10),
    "occurrences_between": lambda store: store.occurrences_between("s1", ["p1"], NOW, NOW, 10),
    "times_of_series": lambda store: store.times_of_series("s1", "u1", 10),
    "times_of_occurrences": lambda store: store.times_of_occurrences("s1", ["p1"], 10),
    "conflicts": lambda store: store.conflicts("s1", "u1", ["p1"]),
    "links_of_series": lambda store: store.links_of_series("c1", ["p1"]),
    "occurrences": lambda store: store.occurrences("s1", ["p1"]),
    "links_of_colleagues": lambda store: store.links_of_colleagues("s1", {"e1": "ann@example.org"}),
    "upcoming_pairs": lambda store: store.upcoming_pairs("c1", NOW),
    "all_links": lambda store: store.all_links("c1"),
    "parked": lambda store: store.parked("c1"),
    "parked_item": lambda store: store.parked_item("c1", "p1"),
    "user_connections": lambda store: store.user_connections("s1", ["u1"]),
    "clear_outbox": lambda store: store.clear_outbox("c1", [Stored("p1", OutboxEntry(at=NOW), NOW)]),
    "appointments": lambda store: store.appointments("s1", ["p1"]),
    "client_names": lambda store: store.client_names("s1", ["k1"]),
    "inbox": lambda store: store.inbox("s1", ["q1"]),
    "appointments_changed": lambda store: store.appointments_changed("s1", NOW),
    "appointments_of_user": lambda store: store.appointments_of_user("s1", "u1", NOW),
    "runs": lambda store: store.runs("c1", NOW, 10),
    "run": lambda store: store.run("c1", "r1"),
    "run_entries": lambda store: list(store.run_entries("c1", "r1")),
    "edit_appointments": lambda store: store.edit_appointments([a_creation()]),
    "settle": lambda store: store.settle("c1", NOW, {"failures": 1}, []),
}


def test_every_method_of_the_port_is_asked_here() -> None:
    assert ASKING.keys() == {name for name in vars(Store) if not name.startswith("_")}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_a_firestore_that_cannot_be_reached_is_unavailable(
    unreachable: FirestoreStore, ask: Callable[[FirestoreStore], Any]
) -> None:
    with pytest.raises(Unavailable):
        ask(unreachable)
