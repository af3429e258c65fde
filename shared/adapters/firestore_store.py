"""The `Store` port on Firestore: connections and what lies below them. What concerns studios is inherited.

Every conditional write uses Firestore's ``update_time`` precondition: a compare-and-set without a transaction, which
never waits for a lock.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.bulk_batch import BulkWriteBatch

from shared.adapters.firestore_accounts import FirestoreAccounts
from shared.adapters.firestore_documents import (
    CHUNK,
    IN_VALUES,
    as_document,
    as_struct,
    as_update,
    chunks,
    errors,
    plain,
)
from shared.domain.account import Account
from shared.domain.connection import LOG_LIFE, Connection, LogEntry, OutboxEntry, Parked, Populate, RunSummary
from shared.domain.errors import Unavailable
from shared.domain.link import Link
from shared.domain.mail import Mail
from shared.ports import Document, Due, RunLog, Settlement, Stored, Version

_OK = 0
_NOT_FOUND = 5
_FAILED_PRECONDITION = 9


class FirestoreStore(FirestoreAccounts):
    """The whole of the `Store` port."""

    # --- connections -------------------------------------------------------------------------------------------------

    def connection(self, connection_id: str) -> Stored[Connection] | None:
        return self._one(self._connection(connection_id), Connection)

    def connections_of_user(self, studio_id: str, user_id: str) -> dict[str, Stored[Connection]]:
        query = self._connections_of_studio(studio_id).where(filter=FieldFilter("user_id", "==", user_id))
        with errors():
            return {found.id: as_struct(found, Connection) for found in query.stream(**self._patience)}

    def connections_of_studio(self, studio_id: str) -> Iterator[str]:
        query = self._connections_of_studio(studio_id).select([]).order_by("__name__").limit(CHUNK)
        page = query
        while True:
            with errors():
                ids = [found.id for found in page.stream(**self._patience)]
            yield from ids
            if len(ids) < CHUNK:
                return
            page = query.start_after({"__name__": self._connection(ids[-1])})

    def update_connection(
        self,
        connection_id: str,
        version: Version,
        fields: Document,
        *,
        user: tuple[str, str] | None = None,
        user_fields: Document | None = None,
        account: tuple[str, Document] | None = None,
        mail: tuple[str, Mail] | None = None,
    ) -> Version:
        batch = self._client.batch()
        batch.update(self._connection(connection_id), as_update(fields), self._at(version))
        if user is not None and user_fields:
            batch.update(self._user(*user), as_update(user_fields))
        if account is not None:
            account_id, account_fields = account
            batch.update(self._account(account_id), as_update(account_fields))
        if mail is not None:
            mail_id, said = mail
            batch.set(self._client.collection("mail").document(mail_id), as_document(said))
        with errors():
            return batch.commit(**self._patience)[0].update_time

    def due_connections(self, now: dt.datetime, limit: int, after: Due | None) -> list[Due]:
        connections = self._client.collection("connections")
        query = connections.where(filter=FieldFilter("next_sync_at", "<=", now)).select(["next_sync_at"])
        query = query.order_by("next_sync_at").order_by("__name__").limit(limit)
        if after is not None:
            place = {"next_sync_at": after.next_sync_at, "__name__": connections.document(after.connection_id)}
            query = query.start_after(place)
        with errors():
            return [Due(found.id, plain(found.get("next_sync_at"))) for found in query.stream(**self._patience)]

    def save_connection(
        self,
        connection_id: str,
        connection: Connection,
        user_fields: Document | None = None,
        account: Stored[Account] | None = None,
    ) -> Connection:
        reference = self._connection(connection_id)
        user = self._user(connection.studio_id, connection.user_id)
        shown: dict[str, Any] = {"connection": {"id": connection_id, "state": connection.state, "reason": None}}
        shown |= as_update(user_fields or {})

        def alongside(batch: Any) -> Any:
            batch.update(user, shown)
            if account is not None:
                # Always something new: Firestore counts a write that changes nothing as none, and others must see this.
                used = as_update({"state": "authorized", "question": None, "used_at": connection.next_sync_at})
                batch.update(self._account(account.id), used, self._at(account.version))
            return batch

        with errors():
            batch = self._client.batch()
            batch.create(reference, as_document(connection))
            try:
                alongside(batch).commit(**self._patience)
            except exceptions.AlreadyExists:
                # What was edited while it rested is found by comparing everything, as after a lost cursor.
                revived: dict[str, Any] = {
                    "state": connection.state,
                    "state_reason": None,
                    "next_sync_at": connection.next_sync_at,
                    "populate": as_document(Populate()),
                    "earlier": list(connection.earlier),
                    "primary": connection.primary,
                }
                if connection.active_since is not None:  # Another calendar was the active one until now.
                    revived["active_since"] = connection.active_since
                held = self.connection(connection_id)
                if held is not None and held.value.account_id != connection.account_id:
                    known = [one for one in (held.value.channel, *held.value.retired) if one is not None]
                    revived |= {"account_id": connection.account_id, "channel": None}
                    revived["retired"] = [as_document(one) for one in known]
                batch = self._client.batch()
                batch.update(reference, {**revived, "failures": 0})
                alongside(batch).commit(**self._patience)
        found = self.connection(connection_id)
        if found is None:
            raise Unavailable("a connection vanished while it was made")
        return found.value

    # --- outbox and parked -------------------------------------------------------------------------------------------

    def outbox(self, connection_id: str, limit: int) -> list[Stored[OutboxEntry]]:
        query = self._connection(connection_id).collection("outbox").order_by("at").limit(limit)
        with errors():
            return [as_struct(found, OutboxEntry) for found in query.stream(**self._patience)]

    def put_outbox(self, entries: Sequence[tuple[str, str, OutboxEntry]]) -> None:
        def write(batch: BulkWriteBatch, entry: tuple[str, str, OutboxEntry]) -> None:
            connection_id, item_id, value = entry
            batch.set(self._connection(connection_id).collection("outbox").document(item_id), as_document(value))

        self._each(entries, write, fine={_OK})

    def clear_outbox(self, connection_id: str, entries: Sequence[Stored[OutboxEntry]]) -> None:
        outbox = self._connection(connection_id).collection("outbox")

        def remove(batch: BulkWriteBatch, entry: Stored[OutboxEntry]) -> None:
            batch.delete(outbox.document(entry.id), self._at(entry.version))

        # Written again since, or removed by a run that died after this: both are as they should be.
        self._each(entries, remove, fine={_OK, _FAILED_PRECONDITION, _NOT_FOUND})

    def parked(self, connection_id: str) -> dict[str, Parked]:
        with errors():
            stream = self._connection(connection_id).collection("parked").stream(**self._patience)
            return {found.id: as_struct(found, Parked).value for found in stream}

    def parked_item(self, connection_id: str, item_id: str) -> Parked | None:
        found = self._one(self._connection(connection_id).collection("parked").document(item_id), Parked)
        return None if found is None else found.value

    def outbox_entry(self, connection_id: str, item_id: str) -> OutboxEntry | None:
        found = self._one(self._connection(connection_id).collection("outbox").document(item_id), OutboxEntry)
        return None if found is None else found.value

    # --- links -------------------------------------------------------------------------------------------------------

    def links(self, connection_id: str, appointment_ids: Sequence[str]) -> dict[str, Link]:
        links = self._connection(connection_id).collection("links")
        found = self._by_id([links.document(appointment_id) for appointment_id in appointment_ids])
        return {one.id: msgspec.convert(one.value, Link) for one in found.values()}

    def links_of_events(self, connection_id: str, event_ids: Sequence[str]) -> dict[str, Link]:
        return {link.event_id: link for link in self._links_of_events(connection_id, event_ids)}

    def links_of_colleagues(self, studio_id: str, organizers: Mapping[str, str]) -> dict[str, Link]:
        events: dict[str, list[str]] = {}
        for event_id, calendar_id in organizers.items():
            events.setdefault(calendar_id, []).append(event_id)
        found = [
            link
            for connection_id, calendar_id in self._connections_to(studio_id, list(events))
            for link in self._links_of_events(connection_id, events[calendar_id])
        ]
        return {link.event_id: link for link in sorted(found, key=lambda link: link.state == "paired")}

    def links_of_series(self, connection_id: str, series_ids: Sequence[str]) -> dict[str, Link]:
        links = self._connection(connection_id).collection("links")
        result: dict[str, Link] = {}
        for chunk in chunks(series_ids, IN_VALUES):
            with errors():
                found = list(links.where(filter=FieldFilter("series_id", "in", chunk)).stream(**self._patience))
            result |= {one.id: msgspec.convert(plain(one.to_dict()), Link) for one in found}
        return result

    def upcoming_pairs(self, connection_id: str, now: dt.datetime) -> int:
        paired = self._connection(connection_id).collection("links").where(filter=FieldFilter("state", "==", "paired"))
        count = paired.where(filter=FieldFilter("ends_at", ">", now)).count()
        with errors():
            [[counted]] = count.get(**self._patience)
        return int(counted.value)

    def all_links(self, connection_id: str) -> dict[str, Link]:
        with errors():
            stream = self._connection(connection_id).collection("links").stream(**self._patience)
            return {found.id: msgspec.convert(plain(found.to_dict()), Link) for found in stream}

    def _links_of_events(self, connection_id: str, event_ids: Sequence[str]) -> Iterator[Link]:
        links = self._connection(connection_id).collection("links")
        for chunk in chunks(event_ids, IN_VALUES):
            with errors():
                found = list(links.where(filter=FieldFilter("event_id", "in", chunk)).stream(**self._patience))
            yield from (msgspec.convert(plain(one.to_dict()), Link) for one in found)

    def _connections_to(self, studio_id: str, calendar_ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Ids of a studio's connections to the given calendars, each with its calendar's id."""
        connections = self._connections_of_studio(studio_id)
        for chunk in chunks(calendar_ids, IN_VALUES):
            query = connections.where(filter=FieldFilter("calendar_id", "in", chunk)).select(["calendar_id"])
            with errors():
                found = list(query.stream(**self._patience))
            yield from ((one.id, one.get("calendar_id")) for one in found)

    def _connections_of_studio(self, studio_id: str) -> Any:
        return self._client.collection("connections").where(filter=FieldFilter("studio_id", "==", studio_id))

    # --- logs of runs ------------------------------------------------------------------------------------------------

    def runs(self, connection_id: str, since: dt.datetime, limit: int) -> dict[str, RunSummary]:
        runs = self._connection(connection_id).collection("runs").where(filter=FieldFilter("started_at", ">", since))
        query = runs.order_by("started_at", direction=firestore.Query.DESCENDING).limit(limit)
        with errors():
            return {found.id: as_struct(found, RunSummary).value for found in query.stream(**self._patience)}

    def run(self, connection_id: str, run_id: str) -> RunSummary | None:
        found = self._one(self._connection(connection_id).collection("runs").document(run_id), RunSummary)
        return None if found is None else found.value

    def run_entries(self, connection_id: str, run_id: str) -> Iterator[tuple[LogEntry, ...]]:
        chunk = self._connection(connection_id).collection("runs").document(run_id).collection("entries")
        query = chunk.order_by("number").limit(1)  # Each may be as large as a document can be.
        number = 0
        while True:
            with errors():
                found = list(query.start_after({"number": number}).stream(**self._patience))
            if not found:
                return
            kept = plain(found[0].to_dict())
            number = kept["number"]
            yield tuple(msgspec.convert(entry, LogEntry) for entry in kept["entries"])

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
        batch.update(connection, as_update(fields), self._at(version))
        for settlement in settlements:
            for link in filter(None, (settlement.link, settlement.tombstone)):
                batch.set(connection.collection("links").document(link.appointment_id), as_document(link))
            if settlement.studio is not None:
                self._write_appointment(batch, settlement.studio)
            if settlement.erase is not None:
                self._erase_appointment(batch, settlement.erase)
            if settlement.park is not None:
                item_id, parked = settlement.park
                batch.set(connection.collection("parked").document(item_id), as_document(parked))
            for item_id in settlement.unpark:
                batch.delete(connection.collection("parked").document(item_id))
            for question in settlement.inbox:
                self._write_inbox(batch, question)
            if settlement.conflict is not None:
                self._write_conflict(batch, settlement.conflict)
        for chunk in log:
            _write_log(batch, connection, chunk)
        with errors():
            return batch.commit(**self._patience)[0].update_time


def _write_log(batch: Any, connection: Any, log: RunLog) -> None:
    run = connection.collection("runs").document(log.run_id)
    expires_at = log.summary["started_at"] + LOG_LIFE
    batch.set(run, {**log.summary, "expires_at": expires_at, "chunks": log.number})
    entries = [as_document(entry) for entry in log.entries]
    chunk = {"number": log.number, "entries": entries, "expires_at": expires_at}
    batch.set(run.collection("entries").document(str(log.number)), chunk)
