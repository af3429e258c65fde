"""When a user's appointments are, and the conflicts that were found among them: ``studios/{studio}/conflicts``."""

import datetime as dt
from collections.abc import Collection, Iterator
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from shared.adapters.firestore_documents import (
    CHUNK,
    IN_VALUES,
    FirestoreDocuments,
    as_document,
    chunks,
    errors,
    plain,
)
from shared.domain.conflicts import FIELDS, Conflict, read_conflict
from shared.ports import ConflictWrite, Document, Stored

# Zones are at most a day apart: where an all-day appointment begins and ends, its dates tell only by that much.
_DAY = dt.timedelta(days=1)


class FirestoreConflicts(FirestoreDocuments):
    """The part of the `Store` port that schedule conflicts need."""

    def times(self, studio_id: str, appointment_ids: Collection[str]) -> dict[str, Document]:
        appointments = self._appointments(studio_id)
        found = self._by_id([appointments.document(one) for one in sorted(appointment_ids)], list(FIELDS))
        return {one.id: one.value for one in found.values()}

    def times_between(
        self, studio_id: str, user_id: str, after: dt.datetime, before: dt.datetime, limit: int
    ) -> dict[str, Document]:
        return self._between(self._times_of(studio_id, user_id), after, before, limit)

    def occurrences_between(
        self, studio_id: str, series_ids: Collection[str], after: dt.datetime, before: dt.datetime, limit: int
    ) -> dict[str, Document]:
        appointments = self._appointments(studio_id).select(FIELDS)
        found: dict[str, Document] = {}
        for chunk in chunks(sorted(series_ids), IN_VALUES):
            theirs = appointments.where(filter=FieldFilter("series_id", "in", chunk))
            found |= self._between(theirs, after, before, limit - len(found))
        return found

    def times_of_series(self, studio_id: str, user_id: str, limit: int) -> dict[str, Document]:
        series = self._times_of(studio_id, user_id).where(filter=FieldFilter("recurrence", "!=", []))
        return self._pages(series.order_by("recurrence"), limit)

    def times_of_occurrences(self, studio_id: str, series_ids: Collection[str], limit: int) -> dict[str, Document]:
        appointments = self._appointments(studio_id).select(FIELDS)
        found: dict[str, Document] = {}
        for chunk in chunks(sorted(series_ids), IN_VALUES):
            theirs = appointments.where(filter=FieldFilter("series_id", "in", chunk)).order_by("__name__")
            found |= self._pages(theirs, limit - len(found))
        return found

    def conflicts(
        self, studio_id: str, user_id: str, appointment_ids: Collection[str]
    ) -> dict[str, Stored[Conflict | None]]:
        mine = self._conflicts(studio_id).where(filter=FieldFilter("user_id", "==", user_id))
        return {
            found.id: Stored(found.id, read_conflict(plain(found.to_dict())), found.update_time)
            for chunk in chunks(sorted(appointment_ids), IN_VALUES)
            for found in self._all(mine.where(filter=FieldFilter("appointment_ids", "array_contains_any", chunk)))
        }

    def _write_conflict(self, batch: Any, write: ConflictWrite) -> None:
        reference = self._conflicts(write.studio_id).document(write.conflict_id)
        fields = as_document(write.conflict)
        if write.version is None:
            batch.set(reference, fields)
        else:
            batch.update(reference, fields, self._at(write.version))

    def _conflicts(self, studio_id: str) -> Any:
        return self._studio(studio_id).collection("conflicts")

    def _times_of(self, studio_id: str, user_id: str) -> Any:
        mine = self._appointments(studio_id).where(filter=FieldFilter("user_ids", "array_contains", user_id))
        return mine.select(FIELDS)

    def _between(self, query: Any, after: dt.datetime, before: dt.datetime, limit: int) -> dict[str, Document]:
        timed = query.where(filter=FieldFilter("end", ">", after)).where(filter=FieldFilter("start", "<", before))
        first, last = (after - _DAY).date().isoformat(), (before + _DAY).date().isoformat()
        all_day = query.where(filter=FieldFilter("end_date", ">=", first))
        all_day = all_day.where(filter=FieldFilter("start_date", "<=", last))
        return {
            **self._pages(timed.order_by("end").order_by("start"), limit),
            **self._pages(all_day.order_by("end_date").order_by("start_date"), limit),
        }

    def _pages(self, query: Any, limit: int) -> dict[str, Document]:
        """At most `limit` of what an ordered query finds, a page in each request."""
        found: dict[str, Document] = {}
        page = query
        while len(found) < limit:
            wanted = min(CHUNK, limit - len(found))
            snapshots = list(self._all(page.limit(wanted)))
            found |= {one.id: plain(one.to_dict()) for one in snapshots}
            if len(snapshots) < wanted:
                break
            page = query.start_after(snapshots[-1])
        return found

    def _all(self, query: Any) -> Iterator[Any]:
        with errors():
            yield from query.stream(**self._patience)
