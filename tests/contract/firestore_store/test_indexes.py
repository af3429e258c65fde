"""Every query of the store has its index: the emulator asks for none, the real Firestore refuses without.

The rules are those of "Index types in Cloud Firestore": a query by one field, or by equality only, lives on the indexes
that each field has by itself, unless they are switched off for that field; any other needs a composite index.
"""

import datetime as dt
import json
import pathlib
from collections.abc import Iterable
from typing import Any

import pytest
from google.cloud import firestore
from google.cloud.firestore_v1.types import StructuredQuery

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.connection import Account
from shared.ports import Due

NOW = dt.datetime(2025, 5, 3, 10, tzinfo=dt.UTC)
FILE = pathlib.Path(__file__).parents[3] / "infra" / "firestore" / "firestore.indexes.json"
Operator = StructuredQuery.FieldFilter.Operator

Field = tuple[str, str]
Index = tuple[str, frozenset[str], tuple[Field, ...]]


@pytest.fixture
def asked(firestore_client: firestore.Client, monkeypatch: pytest.MonkeyPatch) -> list[StructuredQuery]:
    """The queries that go out to Firestore, as they are sent."""
    seen: list[StructuredQuery] = []
    api = firestore_client._firestore_api

    def watch(method: str, query_of: Any) -> None:
        send = getattr(api, method)

        def sent(request: dict[str, Any], **options: Any) -> Any:
            seen.append(query_of(request))
            return send(request=request, **options)

        monkeypatch.setattr(api, method, sent)

    watch("run_query", lambda request: request["structured_query"])
    watch("run_aggregation_query", lambda request: request["structured_aggregation_query"].structured_query)
    return seen


def ask_everything(store: FirestoreStore) -> None:
    account = Account(account_id="a1", account_email="", studio_id="s1", user_id="u1")
    store.due_connections(NOW, 1, Due("c0", NOW))
    store.calendar_taken(account, "ann@example.org")
    store.connections_of_user("s1", "u1")
    assert list(store.connections_of_studio("s1")) == ["c1"]
    store.outbox("c1", 1)
    store.parked("c1")
    store.links_of_events("c1", ["e1"])
    store.links_of_colleagues("s1", {"e1": "ann@example.org"})
    store.all_links("c1")
    store.upcoming_pairs("c1", NOW)
    store.appointments_of_user("s1", "u1", NOW)
    store.appointments_changed("s1", NOW)


def filters(query: StructuredQuery) -> Iterable[tuple[str, Any]]:
    """Fields and operators; an inequality with null is a filter of its own kind."""
    where = query.where
    if not where:
        return
    for one in where.composite_filter.filters or [where]:
        if one.unary_filter:
            yield one.unary_filter.field.field_path, None
        else:
            yield one.field_filter.field.field_path, one.field_filter.op


def needed(query: StructuredQuery) -> Index:
    """Collection, fields compared for equality, and the other fields in their order, each with its kind."""
    group = query.from_[0].collection_id
    wanted = list(filters(query))
    equal = frozenset(field for field, operator in wanted if operator in {Operator.EQUAL, Operator.IN})
    rest: list[Field] = [(field, "CONTAINS") for field, operator in wanted if operator == Operator.ARRAY_CONTAINS]
    taken = equal | {field for field, _ in rest}
    ranges = [field for field, _ in wanted if field not in taken] + [one.field.field_path for one in query.order_by]
    rest += [(field, "ASCENDING") for field in dict.fromkeys(ranges) if field not in {*taken, "__name__"}]
    return group, equal, tuple(rest)


def field(declared: dict[str, str]) -> Field:
    return declared["fieldPath"], declared.get("order") or declared["arrayConfig"]


def test_every_query_has_its_index(
    store: FirestoreStore, firestore_client: firestore.Client, asked: list[StructuredQuery]
) -> None:
    firestore_client.document("connections/c1").set({"studio_id": "s1", "calendar_id": "ann@example.org"})
    declared = json.loads(FILE.read_text())
    exempt = {(one["collectionGroup"], one["fieldPath"]) for one in declared["fieldOverrides"] if not one["indexes"]}
    composite = [(index["collectionGroup"], [field(one) for one in index["fields"]]) for index in declared["indexes"]]
    ask_everything(store)
    assert len(asked) == 15
    used = []
    for query in asked:
        group, equal, rest = needed(query)
        if rest and len(equal) + len(rest) > 1:
            fits = [
                (name, fields)
                for name, fields in composite
                if name == group and dict(fields[: len(equal)]).keys() == equal and tuple(fields[len(equal) :]) == rest
            ]
            assert fits, f"no composite index for {group}: {sorted(equal)} and {rest}"
            used += fits
        else:
            for name in (*equal, *(name for name, _ in rest)):
                assert (group, name) not in exempt, f"{group}.{name} has no index"
    assert [index for index in composite if index not in used] == [], "no query uses these"


def test_what_expires_is_deleted_by_firestore() -> None:
    overrides = json.loads(FILE.read_text())["fieldOverrides"]
    assert {one["collectionGroup"] for one in overrides if one["fieldPath"] == "expires_at" and one.get("ttl")} == {
        "links",
        "runs",
        "entries",
    }
