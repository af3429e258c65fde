"""Every query of the store has its index: the emulator asks for none, the real Firestore refuses without.

The rules are those of "Index types in Cloud Firestore": a query by one field, or by equality only, lives on the indexes
that each field has by itself; any other needs a composite index. By itself a field is indexed for its own collection,
never for all collections of one name; an override names all of its indexes, and so takes away what it does not name.
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
from shared.ports import Due

NOW = dt.datetime(2025, 5, 3, 10, tzinfo=dt.UTC)
FILE = pathlib.Path(__file__).parents[3] / "infra" / "firestore" / "firestore.indexes.json"
Operator = StructuredQuery.FieldFilter.Operator

Field = tuple[str, str]
Declared = dict[str, Any]
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
    store.due_connections(NOW, 1, Due("c0", NOW))
    store.connections_of_user("s1", "u1")
    assert list(store.connections_of_studio("s1")) == ["c1"]
    store.outbox("c1", 1)
    store.parked("c1")
    store.links_of_events("c1", ["e1"])
    store.links_of_colleagues("s1", {"e1": "ann@example.org"})
    store.links_of_series("c1", ["p1"])
    store.all_links("c1")
    store.upcoming_pairs("c1", NOW)
    store.appointments_of_user("s1", "u1", NOW)
    store.appointments_changed("s1", NOW)
    store.occurrences("s1", ["p1"])
    store.times_between("s1", "u1", NOW, NOW, 1)
    store.occurrences_between("s1", ["p1"], NOW, NOW, 1)
    store.times_of_series("s1", "u1", 1)
    store.times_of_occurrences("s1", ["p1"], 1)
    store.conflicts("s1", "u1", ["p1"])
    store.accounts_of_user("s1", "u1")
    store.users_with_email(["ann@example.org"])
    store.users_signed_in_by("1")
    store.users_of_studio("s1")
    store.runs("c1", NOW, 1)
    assert list(store.run_entries("c1", "r1")) == []


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


def scope_of(query: StructuredQuery) -> str:
    return "COLLECTION_GROUP" if query.from_[0].all_descendants else "COLLECTION"


def needed(query: StructuredQuery) -> Index:
    """Collection, fields compared for equality, and the other fields in their order, each with its kind."""
    group = query.from_[0].collection_id
    wanted = list(filters(query))
    equal = frozenset(field for field, operator in wanted if operator in {Operator.EQUAL, Operator.IN})
    within = {Operator.ARRAY_CONTAINS, Operator.ARRAY_CONTAINS_ANY}
    rest: list[Field] = [(field, "CONTAINS") for field, operator in wanted if operator in within]
    taken = equal | {field for field, _ in rest}
    ranges = [field for field, _ in wanted if field not in taken] + [one.field.field_path for one in query.order_by]
    rest += [(field, "ASCENDING") for field in dict.fromkeys(ranges) if field not in {*taken, "__name__"}]
    return group, equal, tuple(rest)


def kind(declared: dict[str, str]) -> str:
    return declared.get("order") or declared["arrayConfig"]


def single(declared: Declared, group: str, path: str) -> set[tuple[str, str]]:
    """Kind and scope of each index that a field has by itself; an override of a map holds for what is in it."""
    overrides = {(one["collectionGroup"], one["fieldPath"]): one["indexes"] for one in declared["fieldOverrides"]}
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        found = overrides.get((group, ".".join(parts[:length])))
        if found is not None:
            return {(kind(one), one["queryScope"]) for one in found}
    return {(one, "COLLECTION") for one in ("ASCENDING", "DESCENDING", "CONTAINS")}


def composite(declared: Declared, query: StructuredQuery) -> list[dict[str, Any]]:
    """The composite indexes that a query can live on."""
    group, equal, rest = needed(query)
    found = []
    for one in declared["indexes"]:
        fields = [(each["fieldPath"], kind(each)) for each in one["fields"]]
        first, then = dict(fields[: len(equal)]), tuple(fields[len(equal) :])
        if (one["collectionGroup"], one["queryScope"]) == (group, scope_of(query)) and first.keys() == equal:
            found += [one] if then == rest else []
    return found


def missing(declared: Declared, query: StructuredQuery) -> list[str]:
    """What a query lacks."""
    group, equal, rest = needed(query)
    if rest and len(equal) + len(rest) > 1:
        return [] if composite(declared, query) else [f"composite {group}: {sorted(equal)} {rest}"]
    wanted: list[Field] = [*((name, "ASCENDING") for name in sorted(equal)), *rest]
    scope = scope_of(query)
    return [f"{scope} {group}.{name}" for name, how in wanted if (how, scope) not in single(declared, group, name)]


@pytest.fixture
def everything(
    store: FirestoreStore, firestore_client: firestore.Client, asked: list[StructuredQuery]
) -> list[StructuredQuery]:
    """Every query that the store makes."""
    firestore_client.document("connections/c1").set({"studio_id": "s1", "calendar_id": "ann@example.org"})
    ask_everything(store)
    assert len(asked) == 29
    return asked


def test_every_query_has_its_index(everything: list[StructuredQuery]) -> None:
    declared = json.loads(FILE.read_text())
    assert [each for query in everything for each in missing(declared, query)] == []


def test_every_index_has_its_query(everything: list[StructuredQuery]) -> None:
    declared = json.loads(FILE.read_text())
    used = [one for query in everything for one in composite(declared, query)]
    assert [one for one in declared["indexes"] if one not in used] == []
    across = {(query.from_[0].collection_id, name) for query in everything for name, _ in filters(query)}
    grouped = [one for one in declared["fieldOverrides"] if one["indexes"]]
    assert [one for one in grouped if (one["collectionGroup"], one["fieldPath"]) not in across] == []


def test_a_query_over_all_collections_of_one_name_needs_an_index_for_that(everything: list[StructuredQuery]) -> None:
    declared = json.loads(FILE.read_text())
    bare = {**declared, "fieldOverrides": [one for one in declared["fieldOverrides"] if not one["indexes"]]}
    lacking = [each for query in everything for each in missing(bare, query)]
    assert lacking == ["COLLECTION_GROUP users.email", "COLLECTION_GROUP users.sign_in.subject"]


def test_what_is_indexed_across_studios_stays_indexed_within_one() -> None:
    """Front-ends look for users by their address, too: an override replaces what a field has by itself."""
    declared = json.loads(FILE.read_text())
    for path in ("email", "sign_in.subject"):
        assert single({"fieldOverrides": []}, "users", path) < single(declared, "users", path)


def test_what_expires_is_deleted_by_firestore() -> None:
    overrides = json.loads(FILE.read_text())["fieldOverrides"]
    assert {one["collectionGroup"] for one in overrides if one["fieldPath"] == "expires_at" and one.get("ttl")} == {
        "links",
        "runs",
        "entries",
        "mail",
        "invitations",
        "conflicts",
    }
