"""What the log of a run keeps of each operation: what was done, why, and what stood there before.

A run that dies between its write to the calendar and that of the log leaves its mark all the same: a seal that no link
knows, or a link that says `leaving`. The next run, which finds the write done, logs it as its own.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from shared.domain.connection import LogEntry
from shared.domain.content import UNITS, Content, Unit, same, unit_hash, with_units, without_text
from shared.domain.errors import Park
from shared.domain.event import Delete, Insert, Patch, Restore
from shared.domain.operation import CancelAppointment, CreateAppointment, Item, LetGo, Operation, UpdateAppointment
from shared.domain.reasons import Reason
from shared.domain.visibility import HIDDEN

CalendarDeed = Literal["insert", "patch", "delete", "restore"]
_DEEDS: Mapping[type, CalendarDeed] = {Insert: "insert", Patch: "patch", Delete: "delete", Restore: "restore"}
_STUDIO_DEEDS: Mapping[type, Literal["create", "update", "cancel"]] = {
    CreateAppointment: "create",
    UpdateAppointment: "update",
    CancelAppointment: "cancel",
    LetGo: "update",
}


def log_entry(operation: Operation) -> LogEntry:
    calendar, studio, item = operation.calendar, operation.studio, operation.item
    sent = _sent_by_a_dead_run(operation)
    there: frozenset[Unit] = frozenset(sent) | (calendar.units if isinstance(calendar, Patch) else frozenset())
    here: frozenset[Unit] = studio.units if isinstance(studio, UpdateAppointment) else frozenset()
    deed = _done_by_a_dead_run(operation, sent) if calendar is None else _DEEDS[type(calendar)]
    event_id = item.event.id if item.event is not None else None
    if event_id is None and operation.link is not None:
        event_id = operation.link.event_id
    people: Literal["join", "leave"] | None = None
    if isinstance(studio, UpdateAppointment) and (studio.join or studio.leave):
        people = "join" if studio.join else "leave"
    return LogEntry(
        appointment_id=item.appointment_id,
        event_id=event_id,
        calendar=deed,
        studio=None if studio is None else _STUDIO_DEEDS[type(studio)],
        reason=operation.reason,
        series_id=item.series_id,
        slot=item.slot,
        units=tuple(sorted(there | here)),
        studio_before=_studio_before(operation, deed, here, there),
        calendar_before=_before(_there(operation), there | here) if deed is not None else None,
        after={**{str(unit): hashed for unit, hashed in sent.items()}, **_after(operation)},
        people=people,
        became=studio.appointment_id if isinstance(studio, LetGo) else None,
        erased=item.appointment is None and item.misfit is None,
        hidden=operation.hidden,
        lost=tuple({"unit": lost.unit, "side": lost.side, "value": lost.value} for lost in operation.lost),
    )


# --- what the log of a run that died does not have -------------------------------------------------------------------


def _sent_by_a_dead_run(operation: Operation) -> Mapping[Unit, str]:
    """Units that were sent, with their hashes, to change what the link says the calendar had."""
    event, link = operation.item.event, operation.item.link
    if event is None or event.seal is None or link is None or not link.paired or link.calendar is None:
        return {}
    if event.seal.name == link.seal or event.id != link.event_id:
        return {}
    return {unit: sent for unit, sent in event.seal.sent.items() if unit_hash(unit, link.calendar) != sent}


def _done_by_a_dead_run(operation: Operation, sent: Mapping[Unit, str]) -> CalendarDeed | None:
    """What was done to the calendar, where this operation only records it."""
    event, before, after = operation.item.event, operation.item.link, operation.link
    if after is None or operation.more:
        return None
    if before is not None and before.state == "leaving":
        return "restore" if after.state == "paired" else "delete" if after.state == "gone" else None
    unknown = before is None or (event is not None and event.id != before.event_id)
    if unknown and after.state == "paired" and operation.reason is Reason.CREATED_IN_STUDIO:
        return "insert"
    return "patch" if sent and after.state == "paired" else None


# --- what was there, and what is there since -------------------------------------------------------------------------


def _studio_before(
    operation: Operation, deed: CalendarDeed | None, here: frozenset[Unit], there: frozenset[Unit]
) -> dict[str, Any] | None:
    """What the studio held; of what was carried from the studio to the calendar, what it held when last agreed, unless
    somebody has changed that in the calendar since: then only the calendar's is what was overwritten.

    Where the calendar's text is hidden from the studio from now on, the log does not keep it either.
    """
    images: dict[str, Any] = {}
    link = operation.item.link
    if deed in {"patch", "delete"} and link is not None and link.studio is not None:
        now = None if operation.item.event is None else operation.item.event.content
        kept = there if deed == "patch" and now is not None and link.calendar is not None else frozenset()
        edited = {unit for unit in kept if not _same_or_sent(operation, unit, now, link.calendar)}
        agreed = _before(link.studio, there if deed == "patch" else frozenset()) or {}
        images = {unit: value for unit, value in agreed.items() if unit not in edited}
    if operation.studio is not None and (here or deed != "patch"):
        own = _before(_here(operation.item), here) or {}
        if operation.item.appointment is not None and operation.item.appointment.cancelled and "status" in own:
            own["status"] = "cancelled"
        images |= own
    if operation.hidden:
        images = {unit: value for unit, value in images.items() if unit not in HIDDEN}
    return images or None


def _same_or_sent(operation: Operation, unit: Unit, now: Content | None, before: Content | None) -> bool:
    """Whether the calendar's value is as the link has it, or was written by a run that died."""
    if now is None or before is None or same(unit, now, before):
        return True
    return _sent_by_a_dead_run(operation).get(unit) == unit_hash(unit, now)


def _after(operation: Operation) -> dict[str, str]:
    after: dict[str, str] = {}
    for write in (operation.calendar, operation.studio):
        match write:
            case Insert(content=content) | CreateAppointment(content=content):
                after |= {unit: unit_hash(unit, content) for unit in UNITS}
            case Patch(content=content, units=units) | UpdateAppointment(content=content, units=units):
                after |= {unit: unit_hash(unit, content) for unit in units}
    return after


def _here(one: Item) -> Content | None:
    appointment = one.appointment
    try:
        return None if appointment is None else appointment.content()
    except Park:
        return None


def _there(operation: Operation) -> Content | None:
    one = operation.item
    agreed = None if one.link is None else one.link.calendar
    if one.event is None or one.event.content is None:
        return agreed
    now = without_text(one.event.content) if operation.hidden else one.event.content
    return now if agreed is None else with_units(now, agreed, frozenset(_sent_by_a_dead_run(operation)))


def _before(content: Content | None, units: frozenset[Unit]) -> dict[str, Any] | None:
    """The given units, or all of them for a write that has no units (a deletion, a cancellation)."""
    if content is None:
        return None
    whole: dict[str, Any] = msgspec.to_builtins(content, builtin_types=(dt.datetime,))
    return {unit: value for unit, value in whole.items() if not units or unit in units}
