"""What lies below ``studios/``: front-ends own it, and may have written anything. Documents come as they are."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.bulk_batch import BulkWriteBatch

from shared.adapters.firestore_conflicts import FirestoreConflicts
from shared.adapters.firestore_documents import CHUNK, IN_VALUES, as_read, as_update, chunks, edit_outcome, errors
from shared.domain import identity
from shared.domain.errors import Refused, Stale
from shared.domain.inbox import InboxItem, read_item
from shared.ports import Document, InboxWrite, Stored, StudioErasure, StudioWrite


class FirestoreStudio(FirestoreConflicts):
    """The part of the `Store` port that reads the studio's documents, and how a run writes them."""

    def settings(self, studio_id: str, user_id: str) -> tuple[Document | None, Document | None]:
        found = self._by_id([self._studio(studio_id), self._user(studio_id, user_id)])
        studio, user = found.get(f"studios/{studio_id}"), found.get(f"studios/{studio_id}/users/{user_id}")
        return (None if studio is None else studio.value, None if user is None else user.value)

    def user_connections(self, studio_id: str, user_ids: Sequence[str]) -> dict[str, str]:
        found = self._by_id([self._user(studio_id, user_id) for user_id in user_ids], ["connection"])
        connections = {one.id: one.value.get("connection") for one in found.values()}
        return {
            user_id: str(connection["id"])
            for user_id, connection in connections.items()
            # What happens while an account is disconnected is found by comparing, should it be connected again.
            if isinstance(connection, Mapping) and connection.get("state") != "disconnected"
            if identity.usable(connection.get("id"))
        }

    # --- the inbox ---------------------------------------------------------------------------------------------------

    def inbox(self, studio_id: str, item_ids: Sequence[str]) -> dict[str, InboxItem]:
        inbox = self._studio(studio_id).collection("inbox")
        found = self._by_id([inbox.document(item_id) for item_id in item_ids])
        items = {one.id: read_item(one.value) for one in found.values()}
        return {item_id: item for item_id, item in items.items() if item is not None}

    def _write_inbox(self, batch: Any, write: InboxWrite) -> None:
        reference = self._studio(write.studio_id).collection("inbox").document(write.item_id)
        batch.set(reference, write.fields, merge=True)

    # --- appointments and clients ------------------------------------------------------------------------------------

    def appointments(self, studio_id: str, appointment_ids: Sequence[str]) -> dict[str, Stored[Document]]:
        appointments = self._appointments(studio_id)
        found = self._by_id([appointments.document(appointment_id) for appointment_id in appointment_ids])
        return {one.id: one for one in found.values()}

    def appointments_of_user(
        self, studio_id: str, user_id: str, ends_after: dt.datetime
    ) -> dict[str, Stored[Document]]:
        mine = self._appointments(studio_id).where(filter=FieldFilter("user_ids", "array_contains", user_id))
        # An all-day appointment has dates only. The day before is taken in too: somewhere it is still going on.
        first_day = (ends_after - dt.timedelta(days=1)).date().isoformat()
        bounds = (
            FieldFilter("end", ">=", ends_after),
            FieldFilter("end_date", ">=", first_day),
            # A series goes on after its first occurrence has ended. "Not equal" passes over documents without the
            # field and those with null, and finds what is no list at all: that is for a person to see, not to be lost.
            FieldFilter("recurrence", "!=", []),
        )
        return self._found(*(mine.where(filter=bound) for bound in bounds))

    def appointments_changed(self, studio_id: str, since: dt.datetime) -> dict[str, Stored[Document]]:
        return self._found(self._appointments(studio_id).where(filter=FieldFilter("updated_at", ">=", since)))

    def occurrences(self, studio_id: str, series_ids: Sequence[str]) -> dict[str, Stored[Document]]:
        appointments = self._appointments(studio_id)
        chosen = (FieldFilter("series_id", "in", chunk) for chunk in chunks(series_ids, IN_VALUES))
        return self._found(*(appointments.where(filter=one) for one in chosen))

    def edit_appointments(self, writes: Sequence[StudioWrite]) -> list[Stale | Refused | None]:
        return [outcome for chunk in chunks(writes, CHUNK) for outcome in self._edited(chunk)]

    def _edited(self, writes: Sequence[StudioWrite]) -> list[Stale | Refused | None]:
        """One request. If Firestore refuses that as a whole, each goes by itself, to find out which one it was."""
        batch = BulkWriteBatch(self._client)
        for write in writes:
            self._write_appointment(batch, write)
        try:
            with errors():
                statuses = batch.commit(**self._patience).status
        except Refused as refused:
            return [refused] if len(writes) == 1 else [one for write in writes for one in self._edited([write])]
        return [edit_outcome(status.code) for status in statuses]

    def client_names(self, studio_id: str, client_ids: Sequence[str]) -> dict[str, str]:
        clients = self._studio(studio_id).collection("clients")
        fields = ["given_name", "family_name"]
        found = self._by_id([clients.document(client_id) for client_id in client_ids], fields)
        names = {
            one.id: [part for field in fields if isinstance(part := one.value.get(field), str)]
            for one in found.values()
        }
        return {client_id: " ".join(parts) for client_id, parts in names.items() if parts}

    def _found(self, *queries: Any) -> dict[str, Stored[Document]]:
        """What any of the queries finds, by id."""
        with errors():
            return {found.id: as_read(found) for query in queries for found in query.stream(**self._patience)}

    def _erase_appointment(self, batch: Any, erasure: StudioErasure) -> None:
        reference = self._appointments(erasure.studio_id).document(erasure.appointment_id)
        batch.delete(reference, self._at(erasure.version))

    def _write_appointment(self, batch: Any, write: StudioWrite) -> None:
        reference = self._appointments(write.studio_id).document(write.appointment_id)
        fields = {**write.fields, "updated_at": firestore.SERVER_TIMESTAMP}
        if write.version is None:
            batch.create(reference, {key: value for key, value in fields.items() if value is not None})
            return
        if write.join is not None:
            fields["user_ids"] = firestore.ArrayUnion([write.join])
        if write.leave is not None:
            fields["user_ids"] = firestore.ArrayRemove([write.leave])
        batch.update(reference, as_update(fields), self._at(write.version))
