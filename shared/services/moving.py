"""The calendars that a user synced with before this one: what goes over, and what becomes of the copies there.

A pair of an earlier calendar rests. Once its appointment is in the present calendar, or wanted in none, it goes from
the earlier one: first it is entered here and recorded, then it is taken out there, so that it is never in neither.
What is paired both here and there is a move that is still to be finished. So a run that dies between the two need leave
no note: the next one meets the appointment again (its outbox entry, cursor or page is still there), and goes on.

What happens in the earlier calendar is the plan's table, as for a user who is not assigned any more: what a person
edited there enters the studio first. It runs under that connection's own lease.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shared.domain import guard, identity
from shared.domain.connection import OutboxEntry
from shared.domain.errors import RateLimited, Retry, Stop, Unavailable
from shared.domain.event import Event
from shared.domain.inbox import PUT_BACK, TAKE_OFF
from shared.domain.link import Link, buried
from shared.domain.operation import Item, Operation, Rules, Verdict
from shared.domain.reasons import Reason
from shared.ports import Calendar, Settlement, Store
from shared.services.apply import Applier, Moved, Unfinished
from shared.services.gather import PENDING, Gathered, Notes
from shared.services.gather import item as item_of
from shared.services.occurrences import carry_out
from shared.services.run import Run, Step, borrow

log = logging.getLogger(__name__)


def hand_over(store: Store, active: str, connection_id: str) -> list[OutboxEntry]:
    """What the studio changed, or a person answered, and the connection that was `active` has not carried out yet, is
    for another one to do now. Gives the entries of what the studio changed.

    They stay in the outbox of the first as well: it may have entered one of them and died before it could record that.
    Nothing is said of its events, which the other calendar does not know.
    """
    entries = {
        str(one.value.appointment_id) if one.value.cause == "written" else one.id: msgspec.structs.replace(
            one.value, event_id=None, tries=0
        )
        for one in store.outbox(active, PENDING)
        if one.value.appointment_id is not None and one.value.cause in {"written", "answered", "moved"}
    }
    store.put_outbox([(connection_id, entry_id, entry) for entry_id, entry in entries.items()])
    return [entry for entry in entries.values() if entry.changed_at is not None]


def take_out(run: Run, rules: Rules, notes: Notes, operations: Sequence[Operation]) -> Moved:
    """Take what was stored just now out of the calendars that the user had before.

    It stays where access is lost, where account or calendar is another user's by now, and where it is somebody else's
    event; and so do unusually many that were cancelled at once: nobody can be asked about a calendar that is not kept
    in step any more.
    """
    operations = _without_unusually_many(run, operations)
    unfinished: dict[str, Unfinished] = {}
    edited: set[str] = set()
    slow_down: Retry | None = None
    for earlier in run.connection.earlier:
        items = [
            msgspec.structs.replace(op.item, verdict=_carried_out(op))
            for op in operations
            if any(one.connection_id == earlier and one.ours for one in op.item.earlier)
        ]
        if not items:
            continue
        try:
            moved = _take_out_of(earlier, run, rules, notes, items)
        except Stop as stop:
            extra = {"connection": earlier, "run": run.id, "why": stop.reason.value}
            log.warning("old copies stay: no access to the earlier calendar", extra=extra)
        except Retry as why:
            unfinished |= {one.appointment_id: Unfinished(one, _unanswered(why)) for one in items}
            slow_down = slow_down or (why if isinstance(why, RateLimited) else None)
        else:
            unfinished |= {left.item.appointment_id: left for left in moved.unfinished}
            edited |= moved.edited
            slow_down = slow_down or moved.slow_down
    return Moved(unfinished=tuple(unfinished.values()), edited=frozenset(edited), slow_down=slow_down)


def _without_unusually_many(run: Run, operations: Sequence[Operation]) -> Sequence[Operation]:
    cancelled = [op for op in operations if op.nowhere and op.reason is Reason.CANCELLED_IN_STUDIO]
    if guard.lets_through(len(cancelled), 0, 0) or guard.lets_through(len(cancelled), 0, _upcoming(run)):
        return operations
    extra = {"connection": run.connection_id, "run": run.id, "number": len(cancelled)}
    log.warning("old copies stay: unusually many were cancelled at once", extra=extra)
    return [op for op in operations if op not in cancelled]


def _upcoming(run: Run) -> int:
    """The pairs to come in all calendars of this user, the earlier ones too."""
    calendars = (run.connection_id, *run.connection.earlier)
    return sum(run.ports.store.upcoming_pairs(one, run.ports.clock.now()) for one in calendars)


def _take_out_of(earlier: str, run: Run, rules: Rules, notes: Notes, items: Sequence[Item]) -> Moved:
    """The same for one of the calendars. Raises `Stop` and `Retry` of the earlier connection."""
    borrowed = borrow(earlier, run)
    if borrowed is None:
        extra = {"connection": earlier, "run": run.id}
        log.warning("old copies stay: the earlier account or calendar is not the user's any more", extra=extra)
        return Moved()
    try:
        moved = _carry_out(borrowed, rules, notes, items)
    except (Stop, Retry):
        borrowed.give_back()
        raise
    borrowed.give_back()
    return moved


def _carry_out(borrowed: Run, rules: Rules, notes: Notes, items: Sequence[Item]) -> Moved:
    """Gather, decide, apply: as if the user were not assigned any more, as far as this calendar goes."""
    store, earlier = borrowed.ports.store, borrowed.connection_id
    calendar = borrowed.ports.calendars.open(earlier, borrowed.connection, borrowed.pace)
    ids = [one.appointment_id for one in items]
    links = store.links(earlier, ids)
    unrecorded = _unrecorded(calendar, earlier, [one for one in ids if one not in links])
    documents = store.appointments(borrowed.connection.studio_id, ids)
    there = [
        msgspec.structs.replace(
            item_of(
                earlier,
                one.appointment_id,
                documents.get(one.appointment_id),
                links.get(one.appointment_id),
                unrecorded.get(one.appointment_id),
                one.changed_at,
                zone=rules.time_zone,
            ),
            verdict=one.verdict,
        )
        for one in items
    ]
    applier = Applier(borrowed, calendar, _rules_there(rules, earlier))
    applier.notes = msgspec.structs.replace(
        notes, pairs={link.event_id: one for one, link in links.items()}, absent=(), unread=()
    )
    applier.guard.let_through(ids)
    gathered = Gathered(
        tuple(one for one in there if not one.series_id),
        documents,
        occurrences=tuple(one for one in there if one.series_id),
        instances=_instances(calendar, links.values()),
    )
    if not carry_out(applier, gathered).complete:
        raise Unavailable("there is no time left for the earlier calendar")
    left = {one.item.appointment_id: one for one in applier.unfinished}
    _bury(borrowed, [one for one in ids if one not in links and one not in unrecorded and one not in left])
    return Moved(
        unfinished=tuple(
            Unfinished(one, _unanswered(left[one.appointment_id].why), failed=left[one.appointment_id].failed)
            for one in items
            if one.appointment_id in left
        ),
        edited=frozenset(applier.edited),
        slow_down=applier.slow_down,
    )


def _instances(calendar: Calendar, links: Iterable[Link]) -> tuple[Event, ...]:
    """What a person did there to occurrences of series that are to go: nobody has read that calendar since."""
    series = [one.event_id for one in links if one.paired and one.calendar is not None and one.calendar.when.repeats]
    found = calendar.get(series) if series else []
    return tuple(calendar.exceptions([one for one in found if one.content is not None]))


def _rules_there(rules: Rules, earlier: str) -> Rules:
    return msgspec.structs.replace(
        rules, connection_id=earlier, left=True, populating_calendar=False, populating_studio=False
    )


def _carried_out(operation: Operation) -> Verdict | None:
    """What a person answered to the question that was asked about it there, if that is what was done."""
    match operation.item.verdict:
        case "put_back" if not operation.nowhere:
            return PUT_BACK
        case "take_off" if operation.nowhere:
            return TAKE_OFF
        case _:
            return None


def _unrecorded(calendar: Calendar, earlier: str, appointment_ids: Sequence[str]) -> Mapping[str, Event]:
    """Events that a run entered there, by appointment, but died before it could say so."""
    event_ids = {identity.event(earlier, one, 0): one for one in appointment_ids}
    found = calendar.get(sorted(event_ids)) if event_ids else []
    return {event_ids[one.id]: one for one in found if one.appointment_id == event_ids[one.id]}


def _bury(borrowed: Run, appointment_ids: Sequence[str]) -> None:
    """Note of those that were never entered there that this has been looked at."""
    earlier, now = borrowed.connection_id, borrowed.ports.clock.now()
    links = [Link(appointment_id=one, event_id=identity.event(earlier, one, 0)) for one in appointment_ids]
    if links:
        borrowed.settle([Step(Settlement(link=buried(link, now))) for link in links])


def _unanswered(why: Exception) -> Exception:
    """A lease that was lost there is none of this run's business."""
    return why if isinstance(why, Unavailable) else Unavailable(f"the earlier calendar: {type(why).__name__}")
