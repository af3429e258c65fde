"""The `Store` port on Firestore. The only place that knows where documents lie.

Every conditional write uses Firestore's ``update_time`` precondition: a compare-and-set without a transaction, which
never waits for a lock.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from google.api_core import exceptions
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.retry import Retry, if_exception_type
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.bulk_batch import BulkWriteBatch

from shared.domain import identity
from shared.domain.connection import LOG_LIFE, Account, Connection, OutboxEntry, Populate
from shared.domain.errors import Refused, Stale, Unavailable
from shared.domain.link import Link
from shared.ports import Document, Due, RunLog, Settlement, Stored, StudioWrite, Version

_Value = TypeVar("_Value")

# Firestore takes at most 30 values for `in`.
IN_VALUES = 30
# Documents written or read by id in one request; far below the limit of 10 MiB.
CHUNK = 300

# The client would try for up to five minutes; a webhook or a run has better ways to come back than to wait that long.
_PATIENCE: dict[str, Any] = {
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

_OK = 0
_NOT_FOUND = 5
_FAILED_PRECONDITION = 9


class FirestoreStore:
    """`client` is shared by all threads of an instance: it is gRPC, and thread-safe."""

    def __init__(self, client: firestore.Client) -> None:
        self._client = client

    # --- connections -------------------------------------------------------------------------------------------------

    def connection(self, connection_id: str) -> Stored[Connection] | None:
        with _errors():
            snapshot = self._connection(connection_id).get(**_PATIENCE)
        return _stored(snapshot, Connection) if snapshot.exists else None

    def update_connection(
        self,
        connection_id: str,
        version: Version,
        fields: Document,
        *,
        user: tuple[str, str] | None = None,
        user_fields: Document | None = None,
    ) -> Version:
        batch = self._client.batch()
        batch.update(self._connection(connection_id), _update(fields), self._at(version))
        if user is not None and user_fields:
            batch.update(self._user(*user), _update(user_fields))
        with _errors():
            return batch.commit(**_PATIENCE)[0].update_time

    def due_connections(self, now: dt.datetime, limit: int, after: Due | None) -> list[Due]:
        connections = self._client.collection("connections")
        query = connections.where(filter=FieldFilter("next_sync_at", "<=", now)).select(["next_sync_at"])
        query = query.order_by("next_sync_at").order_by("__name__").limit(limit)
        if after is not None:
            place = {"next_sync_at": after.next_sync_at, "__name__": connections.document(after.connection_id)}
            query = query.start_after(place)
        with _errors():
            return [Due(found.id, _plain(found.get("next_sync_at"))) for found in query.stream(**_PATIENCE)]

    def save_connection(self, connection_id: str, connection: Connection) -> Connection:
        reference = self._connection(connection_id)
        user = self._user(connection.studio_id, connection.user_id)
        shown = {"connection": {"id": connection_id, "state": connection.state, "reason": None}}
        with _errors():
            batch = self._client.batch()
            batch.create(reference, _builtins(connection))
            batch.update(user, shown)
            try:
                batch.commit(**_PATIENCE)
            except exceptions.AlreadyExists:
                # What was edited while it rested is found by comparing everything, as after a lost cursor.
                revived = {
                    "state": connection.state,
                    "state_reason": None,
                    "next_sync_at": connection.next_sync_at,
                    "populate": _builtins(Populate()),
                }
                batch = self._client.batch()
                batch.update(reference, {**revived, "failures": 0})
                batch.update(user, shown)
                batch.commit(**_PATIENCE)
        found = self.connection(connection_id)
        if found is None:
            raise Unavailable("a connection vanished while it was made")
        return found.value

    def calendar_taken(self, account: Account, calendar_id: str) -> bool:
        query = self._client.collection("connections").where(filter=FieldFilter("calendar_id", "==", calendar_id))
        with _errors():
            found = [snapshot.to_dict() or {} for snapshot in query.stream(**_PATIENCE)]
        return any(
            (one.get("studio_id"), one.get("user_id")) != (account.studio_id, account.user_id)
            and one.get("account_id") != account.account_id
            and one.get("state") not in {"resting", "disconnected"}
            for one in found
        )

    def claim_account(self, account: Account) -> bool:
        document_id = identity.account_document(account.provider, account.account_id)
        reference = self._client.collection("accounts").document(document_id)
        with _errors():
            try:
                reference.create(_builtins(account), **_PATIENCE)
            except exceptions.AlreadyExists:
                holder = reference.get(["studio_id", "user_id"], **_PATIENCE).to_dict() or {}
                if (holder.get("studio_id"), holder.get("user_id")) != (account.studio_id, account.user_id):
                    return False
                reference.update(_builtins(account), **_PATIENCE)
        return True

    # --- settings ----------------------------------------------------------------------------------------------------

    def settings(self, studio_id: str, user_id: str) -> tuple[Document | None, Document | None]:
        found = self._by_id([self._studio(studio_id), self._user(studio_id, user_id)])
        studio, user = found.get(f"studios/{studio_id}"), found.get(f"studios/{studio_id}/users/{user_id}")
        return (None if studio is None else studio.value, None if user is None else user.value)

    def user_connections(self, studio_id: str, user_ids: Sequence[str]) -> dict[str, str]:
        found = self._by_id([self._user(studio_id, user_id) for user_id in user_ids], ["connection"])
        connections = {stored.id: stored.value.get("connection") for stored in found.values()}
        return {
            user_id: str(connection["id"])
            for user_id, connection in connections.items()
            if isinstance(connection, Mapping) and connection.get("id")
        }

    # --- outbox and parked -------------------------------------------------------------------------------------------

    def outbox(self, connection_id: str, limit: int) -> list[Stored[OutboxEntry]]:
        query = self._connection(connection_id).collection("outbox").order_by("at").limit(limit)
        with _errors():
            return [_stored(found, OutboxEntry) for found in query.stream(**_PATIENCE)]

    def put_outbox(self, entries: Sequence[tuple[str, str, OutboxEntry]]) -> None:
        def write(batch: BulkWriteBatch, entry: tuple[str, str, OutboxEntry]) -> None:
            connection_id, item_id, value = entry
            batch.set(self._connection(connection_id).collection("outbox").document(item_id), _builtins(value))

        self._each(entries, write, fine={_OK})

    def clear_outbox(self, connection_id: str, entries: Sequence[Stored[OutboxEntry]]) -> None:
        outbox = self._connection(connection_id).collection("outbox")

        def remove(batch: BulkWriteBatch, entry: Stored[OutboxEntry]) -> None:
            batch.delete(outbox.document(entry.id), self._at(entry.version))

        # Written again since, or removed by a run that died after this: both are as they should be.
        self._each(entries, remove, fine={_OK, _FAILED_PRECONDITION, _NOT_FOUND})

    def parked(self, connection_id: str) -> dict[str, str | None]:
        query = self._connection(connection_id).collection("parked").select(["event_id"])
        with _errors():
            return {found.id: (found.to_dict() or {}).get("event_id") for found in query.stream(**_PATIENCE)}

    # --- links -------------------------------------------------------------------------------------------------------

    def links(self, connection_id: str, appointment_ids: Sequence[str]) -> dict[str, Link]:
        links = self._connection(connection_id).collection("links")
        found = self._by_id([links.document(appointment_id) for appointment_id in appointment_ids])
        return {stored.id: msgspec.convert(stored.value, Link) for stored in found.values()}

    def links_of_events(self, connection_id: str, event_ids: Sequence[str]) -> dict[str, Link]:
        links = self._connection(connection_id).collection("links")
        result: dict[str, Link] = {}
        with _errors():
            for chunk in _chunks(event_ids, IN_VALUES):
                for found in links.where(filter=FieldFilter("event_id", "in", chunk)).stream(**_PATIENCE):
                    link = msgspec.convert(_plain(found.to_dict()), Link)
                    result[link.event_id] = link
        return result

    def all_links(self, connection_id: str) -> dict[str, Link]:
        with _errors():
            stream = self._connection(connection_id).collection("links").stream(**_PATIENCE)
            return {found.id: msgspec.convert(_plain(found.to_dict()), Link) for found in stream}

    # --- the studio's documents --------------------------------------------------------------------------------------

    def appointments(self, studio_id: str, appointment_ids: Sequence[str]) -> dict[str, Stored[Document]]:
        appointments = self._studio(studio_id).collection("appointments")
        found = self._by_id([appointments.document(appointment_id) for appointment_id in appointment_ids])
        return {stored.id: stored for stored in found.values()}

    def appointments_of_user(
        self, studio_id: str, user_id: str, ends_after: dt.datetime
    ) -> dict[str, Stored[Document]]:
        mine = FieldFilter("user_ids", "array_contains", user_id)
        # An all-day appointment has dates only. The day before is taken in too: somewhere it is still going on.
        first_day = (ends_after - dt.timedelta(days=1)).date().isoformat()
        appointments = self._studio(studio_id).collection("appointments").where(filter=mine)
        result: dict[str, Stored[Document]] = {}
        with _errors():
            for bound in (FieldFilter("end", ">=", ends_after), FieldFilter("end_date", ">=", first_day)):
                for found in appointments.where(filter=bound).stream(**_PATIENCE):
                    result[found.id] = Stored(found.id, _plain(found.to_dict()), found.update_time)
        return result

    def client_names(self, studio_id: str, client_ids: Sequence[str]) -> dict[str, str]:
        clients = self._studio(studio_id).collection("clients")
        fields = ["given_name", "family_name"]
        found = self._by_id([clients.document(client_id) for client_id in client_ids], fields)
        names = {
            stored.id: [part for field in fields if isinstance(part := stored.value.get(field), str)]
            for stored in found.values()
        }
        return {client_id: " ".join(parts) for client_id, parts in names.items() if parts}

    # --- what a run writes -------------------------------------------------------------------------------------------

    def settle(
        self,
        connection_id: str,
        version: Version,
        fields: Document,
        settlements: Sequence[Settlement],
        log: Sequence[RunLog] = (),
    ) -> Version:
        connection = self._connection(connection_id)
        batch = self._client.batch()
        batch.update(connection, _update(fields), self._at(version))
        for settlement in settlements:
            if settlement.link is not None:
                batch.set(
                    connection.collection("links").document(settlement.link.appointment_id), _builtins(settlement.link)
                )
            if settlement.studio is not None:
                self._write_appointment(batch, settlement.studio)
            if settlement.park is not None:
                item_id, parked = settlement.park
                batch.set(connection.collection("parked").document(item_id), _builtins(parked))
            for item_id in settlement.unpark:
                batch.delete(connection.collection("parked").document(item_id))
        for chunk in log:
            _write_log(batch, connection, chunk)
        with _errors():
            return batch.commit(**_PATIENCE)[0].update_time

    def _write_appointment(self, batch: Any, write: StudioWrite) -> None:
        reference = self._studio(write.studio_id).collection("appointments").document(write.appointment_id)
        fields = {**write.fields, "updated_at": firestore.SERVER_TIMESTAMP}
        if write.version is None:
            batch.create(reference, {key: value for key, value in fields.items() if value is not None})
            return
        if write.join is not None:
            fields["user_ids"] = firestore.ArrayUnion([write.join])
        batch.update(reference, _update(fields), self._at(write.version))

    # --- where documents lie, and what is common to all requests -----------------------------------------------------

    def _connection(self, connection_id: str) -> Any:
        return self._client.collection("connections").document(connection_id)

    def _studio(self, studio_id: str) -> Any:
        return self._client.collection("studios").document(studio_id)

    def _user(self, studio_id: str, user_id: str) -> Any:
        return self._studio(studio_id).collection("users").document(user_id)

    def _at(self, version: Version) -> Any:
        return self._client.write_option(last_update_time=version)

    def _by_id(self, references: Sequence[Any], fields: list[str] | None = None) -> dict[str, Stored[Document]]:
        """Documents by their path; what does not exist is left out."""
        result: dict[str, Stored[Document]] = {}
        with _errors():
            for chunk in _chunks(references, CHUNK):
                for found in self._client.get_all(chunk, field_paths=fields, **_PATIENCE):
                    if found.exists:
                        value = _plain(found.to_dict())
                        result[found.reference.path] = Stored(found.id, value, found.update_time)
        return result

    def _each(self, entries: Sequence[_Value], write: Callable[[BulkWriteBatch, _Value], None], fine: set[int]) -> None:
        """Write each entry by itself, in as few requests as may be; an outcome that is not `fine` is an error."""
        for chunk in _chunks(entries, CHUNK):
            batch = BulkWriteBatch(self._client)
            for entry in chunk:
                write(batch, entry)
            with _errors():
                codes = {status.code for status in batch.commit(**_PATIENCE).status}
            if not codes <= fine:
                raise Unavailable(f"Firestore answered {sorted(codes - fine)} to a batch of writes")


def _write_log(batch: Any, connection: Any, log: RunLog) -> None:
    run = connection.collection("runs").document(log.run_id)
    expires_at = log.summary["started_at"] + LOG_LIFE
    batch.set(run, {**log.summary, "expires_at": expires_at, "chunks": log.number})
    entries = [_builtins(entry) for entry in log.entries]
    chunk = {"number": log.number, "entries": entries, "expires_at": expires_at}
    batch.set(run.collection("entries").document(str(log.number)), chunk)


@contextmanager
def _errors() -> Iterator[None]:
    """Firestore's errors in our words; what is a mistake of ours stays as it is, and is seen."""
    try:
        yield
    except (exceptions.FailedPrecondition, exceptions.Aborted, exceptions.AlreadyExists, exceptions.NotFound) as error:
        raise Stale(f"Firestore: {type(error).__name__}") from error
    except exceptions.InvalidArgument as error:
        raise Refused("Firestore does not take this") from error
    except (exceptions.ServerError, exceptions.TooManyRequests, exceptions.RetryError) as error:
        raise Unavailable(f"Firestore: {type(error).__name__}") from error


def _stored(snapshot: Any, kind: type[_Value]) -> Stored[_Value]:
    return Stored(snapshot.id, msgspec.convert(_plain(snapshot.to_dict()), kind), snapshot.update_time)


def _plain(value: Any) -> Any:
    """Firestore's own timestamps as plain ones, all the way down (its nanoseconds are never set by us)."""
    match value:
        case DatetimeWithNanoseconds():
            return dt.datetime.fromtimestamp(0, dt.UTC) + (value - _EPOCH)
        case Mapping():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value


_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


def _builtins(value: Any) -> dict[str, Any]:
    """A struct as Firestore takes it: maps, lists and timestamps; dates as ``YYYY-MM-DD``."""
    built: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(dt.datetime,))
    return built


def _update(fields: Document) -> dict[str, Any]:
    return {key: firestore.DELETE_FIELD if value is None else value for key, value in fields.items()}


def _chunks(values: Sequence[_Value], size: int) -> Iterable[Sequence[_Value]]:
    return (values[at : at + size] for at in range(0, len(values), size))
