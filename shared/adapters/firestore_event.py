"""Firestore's trigger event (protobuf `DocumentEventData`) as plain documents."""

import datetime as dt
from typing import Any

import msgspec
from google.events.cloud.firestore import DocumentEventData
from google.protobuf.message import DecodeError

Document = dict[str, Any]


class DocumentWrite(msgspec.Struct, frozen=True, kw_only=True):
    """One write to a document. `before` and `after` are None where it did not exist.

    `path` is below the database's root (``studios/a/users/b``). `written_at` is None for a deletion: the event itself
    carries no time, only its envelope does.
    """

    path: str
    before: Document | None
    after: Document | None
    written_at: dt.datetime | None


def read_document_event(data: bytes) -> DocumentWrite:
    """The event has no value after a deletion, and no old value for a creation.

    The path is taken from the document: in the envelope's headers it is percent-encoded, or not, by who sends it.

    Raises:
        ValueError: the data is something else.
    """
    try:
        event = DocumentEventData.pb(DocumentEventData()).__class__.FromString(data)
    except DecodeError:
        raise ValueError("not an event of Firestore's") from None
    before = _fields(event.old_value) if event.HasField("old_value") else None
    after = _fields(event.value) if event.HasField("value") else None
    _, found, path = (event.value.name or event.old_value.name).partition("/documents/")
    if not found:
        raise ValueError("an event of no document")
    written_at = _instant(event.value.update_time) if event.value.HasField("update_time") else None
    return DocumentWrite(path=path, before=before, after=after, written_at=written_at)


def _fields(document: Any) -> Document:
    return {key: _value(value) for key, value in document.fields.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value_type")
    match kind:
        case None | "null_value":
            return None
        case "timestamp_value":
            return _instant(value.timestamp_value)
        case "geo_point_value":
            return {"latitude": value.geo_point_value.latitude, "longitude": value.geo_point_value.longitude}
        case "array_value":
            return [_value(inner) for inner in value.array_value.values]
        case "map_value":
            return {key: _value(inner) for key, inner in value.map_value.fields.items()}
        case _:
            return getattr(value, kind)


def _instant(stamp: Any) -> dt.datetime:
    return dt.datetime.fromtimestamp(stamp.seconds, dt.UTC) + dt.timedelta(microseconds=stamp.nanos // 1000)
