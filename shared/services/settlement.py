"""What an operation stores: the link, the studio's document, what is parked. All of it or nothing, in one step."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from shared.domain.appointment import fields_of, owned_hash
from shared.domain.connection import Parked
from shared.domain.content import UNITS
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Operation,
    Rules,
    UpdateAppointment,
    agreed,
)
from shared.ports import Settlement, StudioWrite
from shared.services.gather import Documents
from shared.services.run import Run


def settlement_of(
    operation: Operation, stored: Event | None, documents: Documents, rules: Rules, run: Run, parked: Collection[str]
) -> Settlement:
    """What to store for an operation; `stored` is the event as the calendar answered, `parked` the ids parked."""
    item_id = operation.item.appointment_id
    if operation.parked is not None:
        return Settlement(park=(item_id, _parked(operation, operation.parked, rules.now)))
    unpark = (item_id,) if item_id in parked else ()
    studio = _studio_write(operation, documents, rules, run.id)
    return Settlement(link=agreed(operation, stored), studio=studio, unpark=unpark)


def _studio_write(operation: Operation, documents: Documents, rules: Rules, run_id: str) -> StudioWrite | None:
    appointment_id = operation.item.appointment_id
    stored = documents.get(appointment_id)
    join = None
    fields: dict[str, Any]
    match operation.studio:
        case None:
            return None
        case CreateAppointment(content=content, event_id=event_id):
            origin = {"provider": "google", "connection": rules.connection_id, "event_id": event_id}
            fields = {**fields_of(content, UNITS), "kind": "unlinked", "user_ids": [rules.user_id], "origin": origin}
        case UpdateAppointment(content=content, units=units, join=joins):
            fields = fields_of(content, units)
            join = rules.user_id if joins else None
        case CancelAppointment():
            fields = {"status": "cancelled"}
    before = {} if stored is None else dict(stored.value)
    after = {**before, **fields}
    if join is not None:
        after["user_ids"] = [*(before.get("user_ids") or ()), join]
    stamp = {"connection": rules.connection_id, "run": run_id, "hash": owned_hash(after)}
    fields["sync"] = {**stamp, "at": rules.now}
    version = None if stored is None else stored.version
    return StudioWrite(
        studio_id=rules.studio_id, appointment_id=appointment_id, version=version, fields=fields, join=join
    )


def _parked(operation: Operation, park: Park, now: dt.datetime) -> Parked:
    event = operation.item.event
    return Parked(
        appointment_id=operation.item.appointment_id,
        event_id=None if event is None else event.id,
        reason=park.reason,
        field=park.field,
        detail=park.detail,
        since=now,
    )
