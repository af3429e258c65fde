"""A series was moved: what re-keys the documents of its occurrences, whose ids are made of their original starts."""

from collections.abc import Iterator, Sequence
from typing import Any

from shared.domain import identity
from shared.domain.appointment import fields_of, owned_hash, read_appointment
from shared.domain.content import Content, Unit, When
from shared.domain.errors import Park
from shared.domain.occurrence import original_fields, read_occurrence, slot_in
from shared.ports import Document, Settlement, Stored, StudioErasure, StudioWrite
from shared.services.gather import Documents, Known
from shared.services.run import Run, Step

_WHEN: frozenset[Unit] = frozenset({"when"})


def moves(
    run: Run, series_id: str, series: Known, documents: Documents, *, zone: str, told: Sequence[When]
) -> Iterator[Step]:
    """What re-keys the occurrences of a series that was moved: another original start, and so another document.

    `told`: times that the series had between two moves, and that no run has seen. What was changed of it just then is
    named after those.
    """
    formers = [*(series.link.formers if series.link is not None else ()), *told]
    if not formers or series.document is None:
        return
    taken = set(documents)
    try:
        when = read_appointment(series.document.value, zone).content().when
    except Park:
        return
    for old_id, stored in documents.items():
        try:
            place = slot_in(stored.value, old_id)
        except Park:
            continue  # It is parked, with its reason, when its own turn comes.
        if place is None or place[0] != series_id or when.has(place[1]):
            continue
        former = next((one for one in formers if one.has(place[1])), formers[0])
        slot = former.moved(place[1], when)
        if slot is not None and identity.occurrence(series_id, slot) not in taken:
            taken.add(identity.occurrence(series_id, slot))
            yield _move(run, series.document, stored, (former, place[1]), (when, slot), zone)


def _move(
    run: Run,
    series: Stored[Document],
    stored: Stored[Document],
    before: tuple[When, str],
    after: tuple[When, str],
    zone: str,
) -> Step:
    """The document under its new id, whole, and not under the old one. Its times go along if they were the series'."""
    (former, old_slot), (when, slot) = before, after
    dropped = {"original_start", "original_date", "sync"}
    fields: dict[str, Any] = {name: value for name, value in stored.value.items() if name not in dropped}
    fields |= original_fields(slot)
    try:
        own = read_occurrence(stored.value, series.value, series.id, old_slot, zone).content().when
    except Park:
        own = None  # It says nothing of its times, or nothing that can be read.
    if own is not None and own.shown() == former.at(old_slot).shown():
        fields |= fields_of(Content(when=when.at(slot)), _WHEN)
    fields = {name: value for name, value in fields.items() if value is not None}
    stamp = {"connection": run.connection_id, "run": run.id, "hash": owned_hash(fields), "at": run.started_at}
    studio_id = run.connection.studio_id
    create = StudioWrite(
        studio_id=studio_id,
        appointment_id=identity.occurrence(series.id, slot),
        version=None,
        fields={**fields, "sync": stamp},
    )
    erase = StudioErasure(studio_id=studio_id, appointment_id=stored.id, version=stored.version)
    return Step(Settlement(studio=create, erase=erase))
