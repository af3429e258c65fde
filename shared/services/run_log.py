"""What the log of a run keeps of each operation: what was done, why, and what stood there before."""

import datetime as dt
from typing import Any

import msgspec

from shared.domain.connection import LogEntry
from shared.domain.content import Content
from shared.domain.errors import Park
from shared.domain.event import Delete, Insert, Patch
from shared.domain.operation import CancelAppointment, CreateAppointment, Item, Operation, UpdateAppointment


def log_entry(operation: Operation) -> LogEntry:
    calendar, studio = operation.calendar, operation.studio
    units: frozenset[str] = frozenset()
    if isinstance(calendar, Patch):
        units |= calendar.units
    if isinstance(studio, UpdateAppointment):
        units |= studio.units
    event_id = operation.item.event.id if operation.item.event is not None else None
    if event_id is None and operation.link is not None:
        event_id = operation.link.event_id
    words = {Insert: "insert", Patch: "patch", Delete: "delete"}
    deeds = {CreateAppointment: "create", UpdateAppointment: "update", CancelAppointment: "cancel"}
    return LogEntry(
        appointment_id=operation.item.appointment_id,
        event_id=event_id,
        calendar=words.get(type(calendar)),  # type: ignore[arg-type]
        studio=deeds.get(type(studio)),  # type: ignore[arg-type]
        reason=operation.reason,
        units=tuple(sorted(units)),
        studio_before=_before(_here(operation.item), units) if studio is not None else None,
        calendar_before=_before(_there(operation.item), units) if calendar is not None else None,
        lost=tuple({"unit": lost.unit, "side": lost.side, "value": lost.value} for lost in operation.lost),
    )


def _here(one: Item) -> Content | None:
    appointment = one.appointment
    try:
        return None if appointment is None else appointment.content()
    except Park:
        return None


def _there(one: Item) -> Content | None:
    if one.event is not None:
        return one.event.content
    return one.link.calendar if one.link is not None else None


def _before(content: Content | None, units: frozenset[str]) -> dict[str, Any] | None:
    """The given units, or all of them for a write that has no units (a deletion, a cancellation)."""
    if content is None:
        return None
    whole: dict[str, Any] = msgspec.to_builtins(content, builtin_types=(dt.datetime,))
    return {unit: value for unit, value in whole.items() if not units or unit in units}
