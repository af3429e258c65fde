"""What the log of a run keeps of each operation: what was done, why, and what stood there before."""

import datetime as dt
from typing import Any

import msgspec

from shared.domain.connection import LogEntry
from shared.domain.content import Content, without_text
from shared.domain.errors import Park
from shared.domain.event import Delete, Insert, Patch, Restore
from shared.domain.operation import CancelAppointment, CreateAppointment, Item, LetGo, Operation, UpdateAppointment
from shared.domain.visibility import HIDDEN


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
    words = {Insert: "insert", Patch: "patch", Delete: "delete", Restore: "restore"}
    deeds = {CreateAppointment: "create", UpdateAppointment: "update", CancelAppointment: "cancel", LetGo: "update"}
    return LogEntry(
        appointment_id=operation.item.appointment_id,
        event_id=event_id,
        calendar=words.get(type(calendar)),  # type: ignore[arg-type]
        studio=deeds.get(type(studio)),  # type: ignore[arg-type]
        reason=operation.reason,
        units=tuple(sorted(units)),
        studio_before=_studio_before(operation, units) if studio is not None else None,
        calendar_before=_before(_there(operation), units) if calendar is not None else None,
        lost=tuple({"unit": lost.unit, "side": lost.side, "value": lost.value} for lost in operation.lost),
    )


def _studio_before(operation: Operation, units: frozenset[str]) -> dict[str, Any] | None:
    """Where the calendar's text is hidden from the studio from now on, the log does not keep it either."""
    before = _before(_here(operation.item), units)
    if before is None or not operation.hidden:
        return before
    return {unit: value for unit, value in before.items() if unit not in HIDDEN}


def _here(one: Item) -> Content | None:
    appointment = one.appointment
    try:
        return None if appointment is None else appointment.content()
    except Park:
        return None


def _there(operation: Operation) -> Content | None:
    one = operation.item
    if one.event is None or one.event.content is None:
        return one.link.calendar if one.link is not None else None
    return without_text(one.event.content) if operation.hidden else one.event.content


def _before(content: Content | None, units: frozenset[str]) -> dict[str, Any] | None:
    """The given units, or all of them for a write that has no units (a deletion, a cancellation)."""
    if content is None:
        return None
    whole: dict[str, Any] = msgspec.to_builtins(content, builtin_types=(dt.datetime,))
    return {unit: value for unit, value in whole.items() if not units or unit in units}
