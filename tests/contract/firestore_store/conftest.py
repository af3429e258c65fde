"""What the tests of the store share: documents written and read as a front-end would, and a store with a connection."""

from typing import Any

import pytest
from google.cloud import firestore

from shared.adapters.firestore_store import FirestoreStore
from tests.contract.firestore_store.builders import Documents, Put, a_connection


@pytest.fixture
def document(firestore_client: firestore.Client) -> Documents:
    """What a path holds, as the vendor's client gives it; None if nothing is there."""

    def read(path: str) -> Any:
        return firestore_client.document(path).get().to_dict()

    return read


@pytest.fixture
def put(firestore_client: firestore.Client) -> Put:
    """Write documents, by path, as a front-end would."""

    def write(documents: dict[str, dict[str, Any]]) -> None:
        batch = firestore_client.batch()
        for path, value in documents.items():
            batch.set(firestore_client.document(path), value)
        batch.commit()

    return write


@pytest.fixture
def connected(store: FirestoreStore, put: Put) -> FirestoreStore:
    """The store with connection c1 of user u1 in studio s1."""
    put({"studios/s1": {"name": "Studio"}, "studios/s1/users/u1": {"name": "Ann", "sync": {"enabled": True}}})
    store.save_connection("c1", a_connection())
    return store
