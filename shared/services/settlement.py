"""What an operation stores: the link, the studio's document, a question, what is parked. All of it or nothing."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain.appointment import fields_of, owned_hash
from shared.domain.connection import Parked
from shared.domain.content import UNITS
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.inbox import PUT_BACK, InboxItem
from shared.domain.link import Link
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Operation,
    Rules,
    UpdateAppointment,
    agreed,
)
from shared.domain.reasons import Reason
from shared.ports import InboxWrite, Settlement, StudioWrite
from shared.services.gather import Documents
from shared.services.run import Run


def settlement_of(
    operation: Operation,
    stored: Event | None,
    documents: Documents,
    rules: Rules,
    run: Run,
    parked: Mapping[str, Parked],
) -> Settlement:
    """What to store for an operation; `stored` is the event as the calendar answered, `parked` what is parked now."""
    item_id = operation.item.appointment_id
    if operation.parked is not None:
        return Settlement(park=(item_id, _parked(operation, operation.parked, parked.get(item_id), rules.now)))
    unpark = (item_id,) if item_id in parked else ()
    studio = _studio_write(operation, documents, rules, run.id)
    link = agreed(operation, stored)
    return Settlement(link=link, studio=studio, unpark=unpark, inbox=_questions(operation, link, rules))


def _questions(operation: Operation, link: Link | None, rules: Rules) -> tuple[InboxWrite, ...]:
    """The question that this operation asks a person, or the one that it settles."""
    before = operation.item.link
    asked = None if before is None else before.asked
    writes = []
    if link is not None and link.asked is not None and link.asked != asked:
        question = InboxItem(
            kind="removed_from_calendar",
            user_id=rules.user_id,
            text=_removed(operation),
            refs={"connection_id": rules.connection_id, "appointment_id": operation.item.appointment_id},
            created_at=rules.now,
        )
        fields = msgspec.to_builtins(question, builtin_types=(dt.datetime,))
        writes.append(InboxWrite(studio_id=rules.studio_id, item_id=link.asked, fields=fields))
    if asked is not None and link is not None and link.asked is None:
        # A run that died may have put it back already: then it is there, as the person wanted it.
        there = operation.item.verdict == PUT_BACK and link.paired
        # Or it was done in the calendar that took this one's place.
        done = rules.left and operation.item.verdict is not None
        answered = there or done or operation.reason in {Reason.PUT_BACK, Reason.TAKEN_OFF}
        status = "answered" if answered else "gone"
        writes.append(InboxWrite(studio_id=rules.studio_id, item_id=asked, fields={"status": status}))
    return tuple(writes)


def _removed(operation: Operation) -> str:
    appointment = operation.item.appointment
    title = "" if appointment is None else appointment.title
    return (
        f"“{title or 'Without a title'}” was removed from this user's calendar. Others are assigned to it too, so it "
        "stays in the studio. Take this user off it (take_off), or enter it again (put_back)?"
    )


def _studio_write(operation: Operation, documents: Documents, rules: Rules, run_id: str) -> StudioWrite | None:
    appointment_id = operation.item.appointment_id
    stored = documents.get(appointment_id)
    join = leave = None
    fields: dict[str, Any]
    match operation.studio:
        case None:
            return None
        case CreateAppointment(content=content, event_id=event_id):
            origin = {"provider": "google", "connection": rules.connection_id, "event_id": event_id}
            fields = {**fields_of(content, UNITS), "kind": "unlinked", "user_ids": [rules.user_id], "origin": origin}
        case UpdateAppointment(content=content, units=units, join=joins, leave=leaves):
            fields = fields_of(content, units)
            join = rules.user_id if joins else None
            leave = rules.user_id if leaves else None
        case CancelAppointment():
            fields = {"status": "cancelled"}
    before = {} if stored is None else dict(stored.value)
    after = {**before, **fields}
    if join is not None:
        after["user_ids"] = [*(before.get("user_ids") or ()), join]
    if leave is not None:
        after["user_ids"] = [one for one in before.get("user_ids") or () if one != leave]
    stamp = {"connection": rules.connection_id, "run": run_id, "hash": owned_hash(after)}
    fields["sync"] = {**stamp, "at": rules.now}
    version = None if stored is None else stored.version
    return StudioWrite(
        studio_id=rules.studio_id,
        appointment_id=appointment_id,
        version=version,
        fields=fields,
        join=join,
        leave=leave,
    )


def _parked(operation: Operation, park: Park, before: Parked | None, now: dt.datetime) -> Parked:
    event = operation.item.event
    return Parked(
        appointment_id=operation.item.appointment_id,
        event_id=None if event is None else event.id,
        reason=park.reason,
        field=park.field,
        detail=park.detail,
        since=before.since if before is not None and before.reason is park.reason else now,
    )
