"""Asks persons about what may be one entry on both sides, remembers it, and lets go of it when it is settled.

    a listing finds two ──> both are parked, and a question is in the inbox
       ├── answered: the trigger enters both into the outbox, and a run pairs or enters them
       └── one of them is moved, cancelled or deleted: the question is withdrawn, and the other is met again

What is parked remembers the doubts, so whatever run meets one of the two knows that it has to wait.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shared.domain import identity, zones
from shared.domain.connection import OutboxEntry, Parked
from shared.domain.doubt import DIFFERENT, SAME, Doubt, Side, Suspect, side
from shared.domain.event import Event, Insert
from shared.domain.inbox import InboxItem
from shared.domain.operation import CreateAppointment, Item, Operation, Rules
from shared.domain.plan import decide
from shared.domain.reasons import Reason
from shared.domain.scope import keeps_out_of_studio
from shared.domain.visibility import seen
from shared.ports import InboxWrite, Settlement, Store
from shared.services.run import Run, Step


def in_doubt(
    store: Store,
    doubtful: Sequence[tuple[str, str]],
    appointments: Sequence[Item],
    entries: Sequence[Item],
    rules: Rules,
) -> tuple[list[Item], list[Suspect]]:
    """The `entries` (items of events), each with what it may be the same as among the `appointments`; and all of these
    two by two, whether or not a question about them is open already.

    `doubtful` names event and appointment. Only where one of the two would be entered on the other side; what somebody
    has said to be two entries is in no doubt any more.
    """
    here = {one.appointment_id: one for one in appointments}
    # What somebody has declined is nobody's appointment, and nothing waits for it.
    there = {one.event.id: one for one in entries if one.event is not None and not _declined(one.event)}
    entered = {one for one, item in here.items() if _is_entered(item, rules)}
    imported = {one for one, item in there.items() if _is_entered(item, rules)}
    found = [
        (event_id, one, identity.pair_question(rules.connection_id, one, event_id))
        for event_id, one in doubtful
        if event_id in there and (one in entered or event_id in imported)
    ]
    known = store.inbox(rules.studio_id, [question for _, _, question in found]) if found else {}
    result, suspects = dict(there), []
    for event_id, one, question in found:
        before = known.get(question)
        if before is not None and before.answer == DIFFERENT:
            continue
        item, suspect = result[event_id], _suspect(here[one], there[event_id], rules)
        suspects.append(suspect)
        open_already = before is not None and before.status == "open"
        doubt = Doubt(
            question=question,
            appointment_id=one,
            event_id=event_id,
            import_id=item.appointment_id,
            when=_shown(here[one]),
            answer=SAME if before is not None and open_already and before.answer == SAME else None,
        )
        if open_already:
            item = msgspec.structs.replace(item, doubts=(*item.doubts, doubt))
        else:  # What is asked now comes first.
            item = msgspec.structs.replace(item, doubts=(doubt, *item.doubts), asks=(suspect, *item.asks))
        result[event_id] = item
    return [one if one.event is None else result.get(one.event.id, one) for one in entries], suspects


def _is_entered(one: Item, rules: Rules) -> bool:
    """Whether it would be entered on the other side, were it in no doubt."""
    try:
        operation = decide(one, rules)
    except Exception:  # noqa: BLE001 - one bad item must not stop the others; it is logged and kept when its turn comes
        return False
    return isinstance(operation.calendar, Insert) or isinstance(operation.studio, CreateAppointment)


def recalled(store: Store, studio_id: str, items: Sequence[Item], parked: Iterable[Parked]) -> list[Item]:
    """The items, with what is known of earlier to be in doubt, and what persons have answered since."""
    naming: dict[str, dict[str, Doubt]] = defaultdict(dict)
    for doubt in (doubt for one in parked for doubt in one.doubts):
        for name in (doubt.appointment_id, doubt.import_id, doubt.event_id):
            naming[name][doubt.question] = doubt
    if not naming:
        return list(items)
    of = {one.appointment_id: _concerning(one, naming) for one in items}
    wanted = sorted({doubt.question for doubts in of.values() for doubt in doubts})
    questions = store.inbox(studio_id, wanted) if wanted else {}
    return [
        msgspec.structs.replace(
            one,
            doubts=(
                *one.doubts,
                *(
                    _answered(doubt, questions[doubt.question])
                    for doubt in of[one.appointment_id]
                    if doubt.question in questions and questions[doubt.question].status == "open"
                    if doubt.question not in {asked.question for asked in one.doubts}
                ),
            ),
        )
        if of[one.appointment_id]
        else one
        for one in items
    ]


def questions(operation: Operation, rules: Rules) -> tuple[InboxWrite, ...]:
    """What to write into the inbox with an operation: what is asked now, or what is settled."""
    one = operation.item
    if operation.parked is not None:
        asked = zip(one.doubts, one.asks, strict=False)
        return tuple(_question(doubt, suspect, rules) for doubt, suspect in asked)
    settled = one.doubts[len(one.asks) :]
    return tuple(
        InboxWrite(
            studio_id=rules.studio_id,
            item_id=doubt.question,
            fields={"status": "gone" if doubt.answer is None else "answered"},
        )
        for doubt in settled
    )


def released(operations: Iterable[Operation], at: dt.datetime) -> dict[str, OutboxEntry]:
    """Outbox entries, by id, for the other side of what these operations settle otherwise than it was answered, or
    though nobody has answered: what was said to be the same may have gone, or be the same as something else already.
    """
    entries: dict[str, OutboxEntry] = {}
    for operation in operations:
        one, link = operation.item, operation.link
        settled = one.doubts[len(one.asks) :] if operation.parked is None else ()
        for doubt in settled:
            here = one.appointment_id == doubt.appointment_id
            if doubt.answer == DIFFERENT or (here and link is not None and link.event_id == doubt.event_id):
                continue
            there = one.appointment_id == doubt.import_id or (one.event is not None and one.event.id == doubt.event_id)
            if here != there:
                entries |= entry_of_event(doubt, at) if here else entry_of_appointment(doubt, at)
    return entries


def overtaken(operations: Iterable[Operation], at: dt.datetime) -> dict[str, OutboxEntry]:
    """Outbox entries, by id, for what waits though it was said to be the same: the entry that the answer made has not
    been met yet, or a later one about the same event took its place.
    """
    entries: dict[str, OutboxEntry] = {}
    for operation in operations:
        waiting = operation.item.doubts if operation.reason is Reason.DOUBTFUL else ()
        for doubt in waiting:
            if doubt.answer == SAME:
                entries |= entry_of_event(doubt, at, same=True)
    return entries


def entry_of_appointment(doubt: Doubt, at: dt.datetime) -> dict[str, OutboxEntry]:
    """Outbox entry, by its id, that has a run look at the appointment by itself."""
    entry = OutboxEntry(appointment_id=doubt.appointment_id, at=at, cause="left")
    return _usable(f"answer:{doubt.appointment_id}", entry)


def entry_of_event(doubt: Doubt, at: dt.datetime, *, same: bool = False) -> dict[str, OutboxEntry]:
    """Outbox entry, by its id, that has a run look at the event: by itself, or as the `same` as the appointment."""
    appointment_id = doubt.appointment_id if same else doubt.import_id
    return _usable(
        f"event:{doubt.event_id}",
        OutboxEntry(appointment_id=appointment_id, event_id=doubt.event_id, at=at, cause="left"),
    )


def _usable(entry_id: str, entry: OutboxEntry) -> dict[str, OutboxEntry]:
    return {entry_id: entry} if identity.usable(entry_id) else {}


def withdrawn(doubts: Iterable[Doubt], studio_id: str) -> tuple[InboxWrite, ...]:
    """What closes questions that nobody need answer any more."""
    ids = sorted({one.question for one in doubts})
    return tuple(InboxWrite(studio_id=studio_id, item_id=one, fields={"status": "gone"}) for one in ids)


def withdraw_doubts(run: Run) -> None:
    """Let what is asked about rest with its calendar, which is not kept in step any more. Should the user come back, it
    is found and asked about anew.
    """
    parked = run.ports.store.parked(run.connection_id) if run.connection.parked else {}
    doubtful = {item_id: one.doubts for item_id, one in parked.items() if one.doubts}
    if not doubtful:
        return
    run.note(parked=len(parked) - len(doubtful))
    studio_id = run.connection.studio_id
    run.settle(
        [
            Step(Settlement(unpark=(item_id,), inbox=withdrawn(doubts, studio_id)))
            for item_id, doubts in doubtful.items()
        ]
    )


def unparked_with(operation: Operation, parked: Mapping[str, Parked]) -> tuple[str, ...]:
    """What else is parked no more when an operation is stored: the event's side of a pair that was in doubt."""
    if operation.parked is not None or operation.link is None or not operation.link.paired:
        return ()
    event_id, own = operation.link.event_id, operation.item.appointment_id
    return tuple(
        item_id for item_id, one in parked.items() if one.doubts and one.event_id == event_id and item_id != own
    )


def _concerning(one: Item, naming: Mapping[str, Mapping[str, Doubt]]) -> list[Doubt]:
    """The doubts about an item, of those that name an id: people may name an appointment as an event is named."""
    event_id = None if one.event is None else one.event.id
    found = {**naming.get(one.appointment_id, {}), **naming.get(event_id or "", {})}
    return [doubt for doubt in found.values() if doubt.concerns(one.appointment_id, event_id)]


def _declined(event: Event) -> bool:
    return not event.own and event.answer == "declined"


def _answered(doubt: Doubt, question: InboxItem) -> Doubt:
    return msgspec.structs.replace(doubt, answer=question.answer if question.answer in {SAME, DIFFERENT} else None)


def _shown(one: Item) -> str:
    assert one.appointment is not None  # noqa: S101 - it has been compared by its time
    return one.appointment.content().when.shown()


def _suspect(here: Item, there: Item, rules: Rules) -> Suspect:
    assert here.appointment is not None and there.event is not None  # noqa: PT018, S101 - they have been compared
    shown = seen(there.event, there, rules)
    # What does not come into the studio is read there by nobody, in a question as little as in an appointment.
    hidden = shown.hidden or keeps_out_of_studio(there.event, rules) is not None
    return Suspect(
        studio=side(here.appointment_id, here.appointment.content()),
        calendar=side(there.event.id, shown.content, hidden=hidden),
    )


def _question(doubt: Doubt, suspect: Suspect, rules: Rules) -> InboxWrite:
    item = InboxItem(
        kind="pair",
        user_id=rules.user_id,
        text=_text(suspect, rules.time_zone),
        refs={
            "connection_id": rules.connection_id,
            "appointment_id": doubt.appointment_id,
            "event_id": doubt.event_id,
            "import_id": doubt.import_id,
        },
        created_at=rules.now,
    )
    fields = msgspec.to_builtins(item, builtin_types=(dt.datetime,))
    return InboxWrite(studio_id=rules.studio_id, item_id=doubt.question, fields=fields)


def _text(suspect: Suspect, zone: str) -> str:
    start = suspect.studio.start
    at = zones.local(start, zone) if isinstance(start, dt.datetime) else str(start)
    series = ", the whole series" if suspect.studio.repeats else ""
    return (
        f"{_named(suspect.studio)} in the studio and {_named(suspect.calendar)} in this user's calendar stand at the "
        f"same time ({at}{series}). Are they the same (same), or two (different)? Until then neither is entered on the "
        "other side."
    )


def _named(one: Side) -> str:
    return "a private entry" if one.hidden else f"“{one.title or 'Without a title'}”"
