"""What an operation stores: the link, the studio's document, a question, what is parked. All of it or nothing."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain import zones
from shared.domain.appointment import fields_of, owned_hash
from shared.domain.connection import Parked
from shared.domain.content import UNITS
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.inbox import PUT_BACK, InboxItem
from shared.domain.link import Link
from shared.domain.occurrence import original_fields
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Item,
    LetGo,
    Operation,
    Rules,
    UpdateAppointment,
    agreed,
)
from shared.domain.reasons import Reason
from shared.domain.recurrence import original_of
from shared.ports import InboxWrite, Settlement, StudioErasure, StudioWrite
from shared.services import doubts
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
        park = (item_id, _parked(operation, operation.parked, parked.get(item_id), rules.now))
        return Settlement(park=park, inbox=doubts.questions(operation, rules))
    unpark = (*((item_id,) if item_id in parked else ()), *doubts.unparked_with(operation, parked))
    link = agreed(operation, stored)
    if isinstance(operation.studio, LetGo):
        create, erase = _let_go(operation.studio, operation.item, documents, rules, run.id)
        inbox = doubts.questions(operation, rules)
        return Settlement(
            link=link, tombstone=operation.tombstone, studio=create, erase=erase, unpark=unpark, inbox=inbox
        )
    studio = _studio_write(operation, documents, rules, run.id)
    inbox = (*_questions(operation, link, rules), *doubts.questions(operation, rules))
    return Settlement(link=link, studio=studio, unpark=unpark, inbox=inbox)


def _let_go(
    let_go: LetGo, item: Item, documents: Documents, rules: Rules, run_id: str
) -> tuple[StudioWrite, StudioErasure]:
    """The occurrence's document whole under its new id, and not under the old one. What it had from its series, it has
    to say by itself now; what it says besides, whoever wrote that, goes along.
    """
    stored = documents[item.appointment_id]
    said = {name: value for name, value in stored.value.items() if value is not None}
    whole = {name: value for name, value in {**_made(item), **_whose(item)}.items() if value is not None}
    of_series = {"series_id", "original_start", "original_date", "recurrence", "sync"}
    fields = {name: value for name, value in {**said, **whole}.items() if name not in of_series}
    stamp = {"connection": rules.connection_id, "run": run_id, "hash": owned_hash(fields), "at": rules.now}
    create = StudioWrite(
        studio_id=rules.studio_id,
        appointment_id=let_go.appointment_id,
        version=None,
        fields={**fields, "sync": stamp},
    )
    return create, StudioErasure(studio_id=rules.studio_id, appointment_id=item.appointment_id, version=stored.version)


def _questions(operation: Operation, link: Link | None, rules: Rules) -> tuple[InboxWrite, ...]:
    """The question that this operation asks a person, or the one that it settles."""
    before = operation.item.link
    asked = None if before is None else before.asked
    writes = []
    if link is not None and link.asked is not None and link.asked != asked:
        question = InboxItem(
            kind="removed_from_calendar",
            user_id=rules.user_id,
            text=_removed(operation, rules),
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


def _removed(operation: Operation, rules: Rules) -> str:
    appointment = operation.item.appointment
    title = "" if appointment is None else appointment.title
    zone = rules.time_zone if appointment is None else appointment.time_zone or rules.time_zone
    which = " (the whole series)" if operation.item.repeats else ""
    if operation.item.slot:
        which = f", {_day(operation.item.slot, zone)},"
    return (
        f"“{title or 'Without a title'}”{which} was removed from this user's calendar. Others are assigned to it too, "
        "so it stays in the studio. Take this user off it (take_off), or enter it again (put_back)?"
    )


def _day(slot: str, zone: str) -> str:
    """The day of an occurrence: all of a series have one title."""
    original = original_of(slot)
    try:
        local = original.astimezone(zones.info(zone)) if isinstance(original, dt.datetime) else original
    except Park:
        local = original  # Nobody knows the zone, and the day is near enough.
    return f"{local:%A}, {local.day} {local:%B %Y}"


def _studio_write(operation: Operation, documents: Documents, rules: Rules, run_id: str) -> StudioWrite | None:
    appointment_id = operation.item.appointment_id
    stored = documents.get(appointment_id)
    made = _made(operation.item) if stored is None else {}
    join = leave = None
    fields: dict[str, Any]
    match operation.studio:
        case None | LetGo():
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
    before = made if stored is None else dict(stored.value)
    after = {**before, **fields}
    if join is not None or leave is not None:
        users = before.get("user_ids")
        silent = users is None  # It has them from its series until now.
        if silent and operation.item.appointment is not None:
            users = operation.item.appointment.user_ids
        after["user_ids"] = [*(one for one in users or () if one != leave), *([join] if join is not None else [])]
        if silent:
            fields["user_ids"], join, leave = after["user_ids"], None, None
    if made:
        fields = dict(after)
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


def _made(item: Item) -> dict[str, Any]:
    """The document of an occurrence that was as its series has it until now: all that people see of it, for front-ends
    to show as it is. Whom it is for it has from its series, as long as nobody says otherwise.
    """
    if not item.series_id:
        return {}
    place = {"series_id": item.series_id, **original_fields(item.slot)}
    regular = item.appointment
    if regular is None:
        return place
    own = {
        "kind": regular.kind,
        "time_zone": regular.time_zone,
    }
    return {**fields_of(regular.content(), UNITS), **own, **place}


def _whose(item: Item) -> dict[str, Any]:
    """Whom it is for, and with what: said by itself from now on."""
    appointment = item.appointment
    if appointment is None:
        return {}
    return {
        "user_ids": list(appointment.user_ids),
        "resource_ids": list(appointment.resource_ids) or None,
        "client_id": appointment.client_id,
    }


def _parked(operation: Operation, park: Park, before: Parked | None, now: dt.datetime) -> Parked:
    event = operation.item.event
    return Parked(
        appointment_id=operation.item.appointment_id,
        event_id=None if event is None else event.id,
        reason=park.reason,
        field=park.field,
        detail=park.detail,
        since=before.since if before is not None and before.reason is park.reason else now,
        doubts=tuple(msgspec.structs.replace(one, answer=None) for one in operation.item.doubts),
    )
