"""A Firestore that does not answer."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from shared.adapters.firestore_documents import PATIENCE
from shared.adapters.firestore_store import FirestoreStore
from shared.domain.connection import (
    OutboxEntry,
)
from shared.domain.errors import Unavailable
from tests.contract.firestore_store.builders import NOW, a_connection, an_account


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
    "claim_account": lambda store: store.claim_account(an_account()),
    "settings": lambda store: store.settings("s1", "u1"),
    "outbox": lambda store: store.outbox("c1", 10),
    "outbox_entry": lambda store: store.outbox_entry("c1", "p1"),
    "put_outbox": lambda store: store.put_outbox([("c1", "p1", OutboxEntry(at=NOW))]),
    "links": lambda store: store.links("c1", ["p1"]),
    "links_of_events": lambda store: store.links_of_events("c1", ["e1"]),
    "links_of_colleagues": lambda store: store.links_of_colleagues("s1", {"e1": "ann@example.org"}),
    "upcoming_pairs": lambda store: store.upcoming_pairs("c1", NOW),
    "all_links": lambda store: store.all_links("c1"),
    "parked": lambda store: store.parked("c1"),
    "parked_item": lambda store: store.parked_item("c1", "p1"),
    "inbox": lambda store: store.inbox("s1", ["q1"]),
    "appointments_changed": lambda store: store.appointments_changed("s1", NOW),
    "appointments_of_user": lambda store: store.appointments_of_user("s1", "u1", NOW),
    "settle": lambda store: store.settle("c1", NOW, {"failures": 1}, []),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_a_firestore_that_cannot_be_reached_is_unavailable(
    unreachable: FirestoreStore, ask: Callable[[FirestoreStore], Any]
) -> None:
    with pytest.raises(Unavailable):
        ask(unreachable)
