"""The trigger's event as plain documents, from messages such as Eventarc sends."""

import datetime as dt
from typing import Any

import pytest
from google.events.cloud.firestore import Document, DocumentEventData, Value
from google.protobuf import struct_pb2
from google.type import latlng_pb2

from shared.adapters.firestore_event import read_document_event

NAME = "projects/studio-test/databases/(default)/documents/studios/s1/appointments/a1"


def a_document(**fields: Value) -> Document:
    return Document(name=NAME, fields=fields)


def versions(data: bytes) -> tuple[Any, Any]:
    """The document before and after."""
    write = read_document_event(data)
    return write.before, write.after


def an_event(*, before: Document | None = None, after: Document | None = None) -> bytes:
    event = DocumentEventData()
    if before is not None:
        event.old_value = before
    if after is not None:
        event.value = after
    data: bytes = DocumentEventData.serialize(event)
    return data


def text(value: str) -> Value:
    return Value(string_value=value)


def a_list(*values: Value) -> Value:
    return Value(array_value={"values": list(values)})


def a_map(**fields: Value) -> Value:
    return Value(map_value={"fields": fields})


INSTANT = dt.datetime(2025, 5, 3, 8, 30, 0, 123456, dt.UTC)
INSTANT_NANOSECONDS = 1_746_261_000_123_456_000


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Value(null_value=struct_pb2.NULL_VALUE), None),
        (Value(boolean_value=True), True),
        (Value(boolean_value=False), False),
        (Value(integer_value=-(2**53) - 1), -(2**53) - 1),
        (Value(integer_value=0), 0),
        (Value(double_value=0.5), 0.5),
        (Value(timestamp_value=INSTANT), INSTANT),
        (text("Kübler & Söhne"), "Kübler & Söhne"),
        (text(""), ""),
        (Value(bytes_value=b"\x00\xff"), b"\x00\xff"),
        (Value(reference_value=NAME), NAME),
        (Value(geo_point_value=latlng_pb2.LatLng(latitude=48.1, longitude=0)), {"latitude": 48.1, "longitude": 0.0}),
        (a_list(), []),
        (a_list(text("u1"), Value(integer_value=2), a_map(a=text("x"))), ["u1", 2, {"a": "x"}]),
        (a_map(), {}),
        (a_map(at=Value(timestamp_value=INSTANT), ids=a_list(text("a"))), {"at": INSTANT, "ids": ["a"]}),
        (Value(), None),
    ],
)
def test_every_kind_of_value_becomes_a_plain_one(value: Value, plain: Any) -> None:
    _, after = versions(an_event(after=a_document(field=value)))
    assert after == {"field": plain}
    assert type(after["field"]) is type(plain)


@pytest.mark.parametrize(
    ("nanoseconds", "instant"),
    [
        (INSTANT_NANOSECONDS + 789, INSTANT),
        (-750_000_000, dt.datetime(1969, 12, 31, 23, 59, 59, 250000, dt.UTC)),
    ],
    ids=["cut-to-microseconds", "before-1970"],
)
def test_a_timestamp_is_a_plain_instant(nanoseconds: int, instant: dt.datetime) -> None:
    document = Document.pb(a_document())
    document.fields["at"].timestamp_value.FromNanoseconds(nanoseconds)
    assert versions(an_event(after=Document.wrap(document))) == (None, {"at": instant})


def test_a_change_has_both_documents() -> None:
    before, after = a_document(title=text("Newborn")), a_document(title=text("Family"))
    assert versions(an_event(before=before, after=after)) == ({"title": "Newborn"}, {"title": "Family"})


def test_a_creation_has_nothing_before() -> None:
    assert versions(an_event(after=a_document(title=text("Newborn")))) == (None, {"title": "Newborn"})


def test_a_deletion_has_nothing_after() -> None:
    assert versions(an_event(before=a_document(title=text("Newborn")))) == ({"title": "Newborn"}, None)


def test_a_document_without_fields_exists_all_the_same() -> None:
    assert versions(an_event(after=a_document())) == (None, {})


def test_fields_that_firestore_adds_to_the_event_later_are_passed_over() -> None:
    unknown = b"\xfa\x3e\x03abc"  # Field 1007, of length 3.
    assert versions(an_event(after=a_document(n=text("x"))) + unknown) == (None, {"n": "x"})
