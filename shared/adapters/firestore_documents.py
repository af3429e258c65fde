"""What all requests to Firestore have in common: where documents lie, how they are read, and errors in our words."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from google.api_core import exceptions
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.retry import Retry, if_exception_type
from google.cloud import firestore
from google.cloud.firestore_v1.bulk_batch import BulkWriteBatch

from shared.domain.errors import Refused, Stale, Unavailable
from shared.ports import Document, Stored, Version

_Value = TypeVar("_Value")

# Firestore takes at most 30 values for `in`.
IN_VALUES = 30
# Documents written or read in one request; far below the limit of 10 MiB.
CHUNK = 300

# The client would try for up to five minutes; a webhook or a run has better ways to come back than to wait that long.
PATIENCE: Mapping[str, Any] = {
    "timeout": 20.0,
    "retry": Retry(
        predicate=if_exception_type(
            exceptions.ServiceUnavailable, exceptions.InternalServerError, exceptions.ResourceExhausted
        ),
        initial=0.1,
        maximum=2.0,
        timeout=20.0,
    ),
}


class FirestoreDocuments:
    """`client` is shared by all threads of an instance: it is gRPC, and thread-safe.

    `patience` goes with every request: how long it may take, and what is worth another try.
    """

    def __init__(self, client: firestore.Client, patience: Mapping[str, Any] = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    def _connection(self, connection_id: str) -> Any:
        return self._client.collection("connections").document(connection_id)

    def _studio(self, studio_id: str) -> Any:
        return self._client.collection("studios").document(studio_id)

    def _user(self, studio_id: str, user_id: str) -> Any:
        return self._studio(studio_id).collection("users").document(user_id)

    def _appointments(self, studio_id: str) -> Any:
        return self._studio(studio_id).collection("appointments")

    def _at(self, version: Version) -> Any:
        return self._client.write_option(last_update_time=version)

    def _one(self, reference: Any, kind: type[_Value]) -> Stored[_Value] | None:
        with errors():
            snapshot = reference.get(**self._patience)
        return as_struct(snapshot, kind) if snapshot.exists else None

    def _by_id(self, references: Sequence[Any], fields: list[str] | None = None) -> dict[str, Stored[Document]]:
        """Documents by their path; what does not exist is left out."""
        result: dict[str, Stored[Document]] = {}
        with errors():
            for chunk in chunks(references, CHUNK):
                for found in self._client.get_all(chunk, field_paths=fields, **self._patience):
                    if found.exists:
                        result[found.reference.path] = as_read(found)
        return result

    def _each(self, entries: Sequence[_Value], write: Callable[[BulkWriteBatch, _Value], None], fine: set[int]) -> None:
        """Write each entry by itself, in as few requests as may be; an outcome that is not `fine` is an error."""
        for chunk in chunks(entries, CHUNK):
            batch = BulkWriteBatch(self._client)
            for entry in chunk:
                write(batch, entry)
            with errors():
                codes = {status.code for status in batch.commit(**self._patience).status}
            if not codes <= fine:
                raise Unavailable(f"Firestore answered {sorted(codes - fine)} to a batch of writes")


@contextmanager
def errors() -> Iterator[None]:
    """Firestore's errors in our words; what is a mistake of ours stays as it is, and is seen."""
    try:
        yield
    except (exceptions.FailedPrecondition, exceptions.Aborted, exceptions.AlreadyExists, exceptions.NotFound) as error:
        raise Stale(f"Firestore: {type(error).__name__}") from error
    except exceptions.InvalidArgument as error:
        raise Refused("Firestore does not take this") from error
    except (exceptions.ServerError, exceptions.TooManyRequests, exceptions.RetryError) as error:
        raise Unavailable(f"Firestore: {type(error).__name__}") from error


def edit_outcome(code: int) -> Stale | Refused | None:
    """What became of one write of a batch whose writes go by themselves, by its gRPC status code.

    Raises:
        Unavailable: Firestore could not do it just now.
    """
    match code:
        case 0:
            return None
        case 5 | 6 | 9 | 10:  # NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED
            return Stale("an appointment is not as it was read")
        case 3:  # INVALID_ARGUMENT
            return Refused("Firestore does not take this")
        case _:
            raise Unavailable(f"Firestore answered {code} to a write of an appointment")


def as_struct(snapshot: Any, kind: type[_Value]) -> Stored[_Value]:
    """A snapshot with its document as a struct."""
    return Stored(snapshot.id, msgspec.convert(plain(snapshot.to_dict()), kind), snapshot.update_time)


def as_read(snapshot: Any) -> Stored[Document]:
    """A snapshot with its document as it is."""
    return Stored(snapshot.id, plain(snapshot.to_dict()), snapshot.update_time)


def plain(value: Any) -> Any:
    """Firestore's own timestamps as plain ones, all the way down (its nanoseconds are never set by us)."""
    match value:
        case DatetimeWithNanoseconds():
            return _EPOCH + (value - _EPOCH)
        case Mapping():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


def as_document(value: Any) -> dict[str, Any]:
    """A struct as Firestore takes it: maps, lists and timestamps; dates as ``YYYY-MM-DD``."""
    built: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(dt.datetime,))
    return built


def as_update(fields: Document) -> dict[str, Any]:
    """Fields for an update, in which None removes one."""
    return {key: firestore.DELETE_FIELD if value is None else value for key, value in fields.items()}


def chunks(values: Sequence[_Value], size: int) -> Iterable[Sequence[_Value]]:
    """`values` in pieces of at most `size`."""
    return (values[at : at + size] for at in range(0, len(values), size))
