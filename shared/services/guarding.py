"""The fourth paragraph of a run: deletions of an unusual number wait for a person's word.

What is held is marked on its links, so that the cursor may pass, and listed in one question in the inbox. The answer,
a hold id in the user's settings, puts just what that question lists into the outbox: read anew, and then carried out
or put back.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from shared.domain import guard, identity
from shared.domain.connection import OutboxEntry
from shared.domain.event import Delete
from shared.domain.inbox import InboxItem
from shared.domain.link import Held, Link
from shared.domain.operation import CancelAppointment, Operation
from shared.domain.reasons import Reason
from shared.domain.settings import UserSync
from shared.ports import InboxWrite, Settlement
from shared.services.run import Run, Step

Side = Literal["studio", "calendar"]


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question that is open: since when, and what is held of what it lists."""

    hold_id: str
    asked_at: dt.datetime
    appointment_ids: tuple[str, ...]


class Guard:
    """Counts one run's deletions, and holds those that are too many."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._passed: set[str] = set()
        self._uncounted: set[str] = set()

    def checked(self, operations: Sequence[Operation]) -> list[Operation]:
        """The same operations, those that must be held replaced by the mark that says so."""
        counted = [one for one in operations if self._counts(one)]
        if not counted:
            return list(operations)
        run, now = self._run, self._run.ports.clock.now()
        question = self._open_question()
        if not (question is not None and question.asked_at > now - guard.TRAILING) and self._few(counted, now):
            ids = {one.item.appointment_id for one in counted}
            self._passed |= ids
            self._uncounted |= ids
            return list(operations)
        hold_id = self._ask(counted, question, run.ports.store.upcoming_pairs(run.connection_id, now), now)
        held = {id(one) for one in counted}
        return [_held(one, hold_id, now) if id(one) in held else one for one in operations]

    def _few(self, counted: Sequence[Operation], now: dt.datetime) -> bool:
        run = self._run
        before = guard.count(run.connection.taken, now) + len(self._uncounted)
        if guard.lets_through(len(counted), before, 0):
            return True
        return guard.lets_through(len(counted), before, run.ports.store.upcoming_pairs(run.connection_id, now))

    def _open_question(self) -> "_Question | None":
        """The question that nobody has answered yet, with what is still held of what it lists.

        What is held counts like what was let through: whatever follows within a day of the question joins it.
        """
        run, store = self._run, self._run.ports.store
        hold_id = run.connection.hold
        known = None if hold_id is None else store.inbox(run.connection.studio_id, [hold_id]).get(hold_id)
        if hold_id is None or known is None or known.status != "open" or known.created_at is None:
            return None
        links = store.links(run.connection_id, _listed(known))
        held = tuple(one for one in _listed(known) if one in links and links[one].held is not None)
        if held:
            return _Question(hold_id=hold_id, asked_at=known.created_at, appointment_ids=held)
        run.know(hold=None)
        run.note(hold=None)
        run.settle([Step(Settlement(inbox=(self._write(hold_id, {"status": "gone"}),)))])
        return None

    def carries_out(self, operations: Iterable[Operation]) -> None:
        """Count what was let through, in the very write that stores it or marks it: a run that dies before that has
        deleted nothing, and the next one finds it again.
        """
        now_counted = self._uncounted & {one.item.appointment_id for one in operations}
        if not now_counted:
            return
        self._uncounted -= now_counted
        taken = guard.add(self._run.connection.taken, len(now_counted), self._run.ports.clock.now())
        self._run.know(taken=taken)
        self._run.note(taken=msgspec.to_builtins(taken))

    def _counts(self, operation: Operation) -> bool:
        this = operation.item
        if not operation.takes_away or this.verdict == "approved" or this.appointment_id in self._passed:
            return False
        # An unrecorded entry of ours was never a pair, and one that is leaving was let through by a run that died.
        return this.link is not None and this.link.state == "paired"

    def _ask(self, held: Sequence[Operation], before: "_Question | None", upcoming: int, now: dt.datetime) -> str:
        """One question for all that is held now, in place of one that is still open. Stored before the links are."""
        run = self._run
        hold_id = f"hold-{run.ports.new_id()}"
        earlier = () if before is None else before.appointment_ids
        ids = list(dict.fromkeys([*earlier, *(one.item.appointment_id for one in held)]))
        question = InboxItem(
            kind="held",
            user_id=run.connection.user_id,
            text=_text(held, len(ids) - len(held), upcoming, now),
            refs={"connection_id": run.connection_id, "hold_id": hold_id, "appointment_ids": ids},
            created_at=now if before is None else before.asked_at,
        )
        writes = [self._write(hold_id, msgspec.to_builtins(question, builtin_types=(dt.datetime,)))]
        if before is not None:
            writes.append(self._write(before.hold_id, {"status": "gone"}))
        run.know(hold=hold_id)
        run.note(hold=hold_id)
        run.settle([Step(Settlement(inbox=tuple(writes)))])
        return hold_id

    def _write(self, item_id: str, fields: dict[str, Any]) -> InboxWrite:
        return InboxWrite(studio_id=self._run.connection.studio_id, item_id=item_id, fields=fields)


def take_answers(run: Run, settings: UserSync) -> None:
    """Enter what a person approved or declined into the outbox, once for each hold id; this run finds it there."""
    known = run.connection.answered
    answers: tuple[tuple[Literal["declined", "approved"], str | None, str | None], ...] = (
        ("declined", settings.declined_hold, known.declined),
        ("approved", settings.approved_hold, known.approved),
    )
    for verdict, hold_id, seen_before in answers:
        if hold_id is None or hold_id == seen_before:
            continue
        inbox = _carry_out(run, verdict, hold_id) if identity.usable(hold_id) else ()
        answered = msgspec.structs.replace(run.connection.answered, **{verdict: hold_id})
        run.know(answered=answered)
        run.note(**{f"answered.{verdict}": hold_id})
        if hold_id == run.connection.hold:
            run.know(hold=None)
            run.note(hold=None)
        run.settle([Step(Settlement(inbox=inbox))])


def _carry_out(run: Run, verdict: Literal["approved", "declined"], hold_id: str) -> tuple[InboxWrite, ...]:
    """Only what the question listed, as far as it is still held."""
    store, connection = run.ports.store, run.connection
    question = store.inbox(connection.studio_id, [hold_id]).get(hold_id)
    if question is None or question.kind != "held" or question.refs.get("connection_id") != run.connection_id:
        return ()
    if question.status == "answered":
        return ()
    links = store.links(run.connection_id, _listed(question))
    held = [link for link in links.values() if link.held is not None]
    entries = [one for place, link in enumerate(held) for one in _entries(link, verdict, run.started_at, place)]
    store.put_outbox([(run.connection_id, item_id, entry) for item_id, entry in entries])
    return (InboxWrite(studio_id=connection.studio_id, item_id=hold_id, fields={"status": "answered"}),)


def _entries(
    link: Link, verdict: Literal["approved", "declined"], at: dt.datetime, place: int
) -> Iterator[tuple[str, OutboxEntry]]:
    """The word, and the event to be read. That one is not to be found says nothing new where the calendar had said it
    is deleted, but proves nothing where it was there: then it is an event like any other.
    """
    at += dt.timedelta(microseconds=place)  # The outbox goes by time: the two stay together.
    assert link.held is not None  # noqa: S101 - the caller has looked; tells the type checker
    in_calendar = link.held.side == "calendar"
    word = OutboxEntry(
        appointment_id=link.appointment_id, event_id=link.event_id if in_calendar else None, at=at, cause=verdict
    )
    yield f"hold:{link.appointment_id}", word
    if not in_calendar:
        event = OutboxEntry(appointment_id=link.appointment_id, event_id=link.event_id, at=at, cause="left")
        yield f"event:{link.event_id}", event


def _listed(question: InboxItem) -> list[str]:
    """The appointments that a question is about, as far as nobody has spoilt the list."""
    ids = question.refs.get("appointment_ids")
    return [one for one in ids if identity.usable(one)] if isinstance(ids, list) else []


def _held(operation: Operation, hold_id: str, now: dt.datetime) -> Operation:
    link = operation.item.link
    assert link is not None  # noqa: S101 - only pairs are counted
    etag = operation.calendar.etag if isinstance(operation.calendar, Delete) else ""
    held = Held(id=hold_id, side=_side(operation), etag=etag, at=now)
    marked = msgspec.structs.replace(link, held=held)
    return Operation(item=operation.item, reason=Reason.HELD, link=marked)


def _side(operation: Operation) -> Side:
    """Where the deletion happened."""
    return "calendar" if isinstance(operation.studio, CancelAppointment) else "studio"


def _text(held: Sequence[Operation], earlier: int, upcoming: int, now: dt.datetime) -> str:
    """What a person is asked, in words: "would cancel 41 of 58 upcoming appointments"."""
    parts = []
    for side, deed in (
        ("calendar", "Entries deleted in the calendar would cancel {} in the studio."),
        ("studio", "Appointments cancelled or deleted in the studio would take {} out of the calendar."),
    ):
        ends = [one.item.link.ends_at for one in held if _side(one) == side and one.item.link is not None]
        if ends:
            ahead = sum(end is not None and end > now for end in ends)
            past = len(ends) - ahead
            what = [f"{ahead} of {upcoming} upcoming"] if ahead else []
            what += [f"{past} past"] if past else []
            parts.append(deed.format(" and ".join(what)))
    if earlier:
        parts.append(f"{earlier} held before this are listed too.")
    return " ".join([*parts, "Nothing of this is carried out before you approve or decline it."])
