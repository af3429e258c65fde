"""Firestore's trigger event (protobuf `DocumentEventData`) as plain documents."""

import datetime as dt
from typing import Any

from google.events.cloud.firestore import DocumentEventData

Document = dict[str, Any]


def read_document_event(data: bytes) -> tuple[Document | None, Document | None]:
    """The document before and after the write; None where it did not exist.

    The event has no value after a deletion, and no old value for a creation.
    """
    event = DocumentEventData.pb(DocumentEventData()).__class__.FromString(data)
    before = _fields(event.old_value) if event.HasField("old_value") else None
    after = _fields(event.value) if event.HasField("value") else None
    return before, after


def _fields(document: Any) -> Document:
    return {key: _value(value) for key, value in document.fields.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value_type")
    match kind:
        case None | "null_value":
            return None
        case "timestamp_value":
            stamp = value.timestamp_value
            return dt.datetime.fromtimestamp(stamp.seconds, dt.UTC) + dt.timedelta(microseconds=stamp.nanos // 1000)
        case "geo_point_value":
            return {"latitude": value.geo_point_value.latitude, "longitude": value.geo_point_value.longitude}
        case "array_value":
            return [_value(inner) for inner in value.array_value.values]
        case "map_value":
            return {key: _value(inner) for key, inner in value.map_value.fields.items()}
        case _:
            return getattr(value, kind)
