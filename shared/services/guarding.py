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
from shared.domain.content import digest
from shared.domain.event import Delete
from shared.domain.inbox import InboxItem
from shared.domain.link import Held, Link, revived
from shared.domain.operation import CancelAppointment, Operation
from shared.domain.reasons import Reason
from shared.domain.settings import UserSync
from shared.ports import InboxWrite, Settlement
from shared.services.run import Run, Step

Side = Literal["studio", "calendar"]

# Links stored in one commit; Firestore takes 10 MiB, and a link may hold two long texts.
STEPS_PER_COMMIT = 100


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question that is open: since when, and what is held of what it lists. `lost`: its document is not there."""

    hold_id: str
    asked_at: dt.datetime
    appointment_ids: tuple[str, ...]
    lost: bool


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
        now = self._run.ports.clock.now()
        question = self._open_question()
        if not (question is not None and question.asked_at > now - guard.TRAILING) and self._few(counted, now):
            ids = {one.item.appointment_id for one in counted}
            self._passed |= ids
            self._uncounted |= ids
            return list(operations)
        hold_id = self._ask(counted, question, self._upcoming(counted, now), now)
        held = {id(one) for one in counted}
        return [_held(one, hold_id, now) if id(one) in held else one for one in operations]

    def _few(self, counted: Sequence[Operation], now: dt.datetime) -> bool:
        run = self._run
        before = guard.count(run.connection.taken, now) + len(self._uncounted)
        if guard.lets_through(len(counted), before, 0):
            return True
        return guard.lets_through(len(counted), before, self._upcoming(counted, now))

    def _upcoming(self, counted: Sequence[Operation], now: dt.datetime) -> int:
        """How many pairs are to come, with those that nobody recorded."""
        unrecorded = [pair for one in counted if (pair := _pair(one)) is not one.item.link]
        known = self._run.ports.store.upcoming_pairs(self._run.connection_id, now)
        return known + sum(pair.ends_at is not None and pair.ends_at > now for pair in unrecorded)

    def _open_question(self) -> "_Question | None":
        """The question that nobody has answered yet, with what is still held of what it lists.

        What is held counts like what was let through: whatever follows within a day of the question joins it. Where
        its document is lost or spoilt, the links tell what is held.
        """
        run, store = self._run, self._run.ports.store
        hold_id = run.connection.hold
        if hold_id is None:
            return None
        known = store.inbox(run.connection.studio_id, [hold_id]).get(hold_id)
        if known is not None and known.status != "open":
            return None
        ids = listed(known, run.connection_id)
        links = store.all_links(run.connection_id) if ids is None else store.links(run.connection_id, ids)
        held = {one: links[one].held for one in (ids or links) if one in links}
        since = [mark.at for mark in held.values() if mark is not None]
        if since:
            return _Question(
                hold_id=hold_id,
                asked_at=min(since) if known is None or known.created_at is None else known.created_at,
                appointment_ids=tuple(one for one, mark in held.items() if mark is not None),
                lost=known is None,
            )
        run.know(hold=None)
        run.note(hold=None)
        gone = () if known is None else (self._write(hold_id, {"status": "gone"}),)
        run.settle([Step(Settlement(inbox=gone))])
        return None

    def let_through(self, appointment_ids: Iterable[str]) -> None:
        """These were counted, or need not be: they pass."""
        self._passed.update(appointment_ids)

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
        # One that is leaving was let through by a run that died.
        return this.link is None or this.link.state != "leaving"

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
        if before is not None and not before.lost:
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
    answers: tuple[tuple[Literal["declined", "approved"], Any, str | None], ...] = (
        ("declined", settings.declined_hold, known.declined),
        ("approved", settings.approved_hold, known.approved),
    )
    for verdict, hold_id, seen_before in answers:
        if not isinstance(hold_id, str) or hold_id == seen_before:
            continue
        inbox, left = _carry_out(run, verdict, hold_id) if identity.usable(hold_id) else ((), False)
        answered = msgspec.structs.replace(run.connection.answered, **{verdict: hold_id})
        run.know(answered=answered)
        run.note(**{f"answered.{verdict}": hold_id})
        if hold_id == run.connection.hold and not left:
            run.know(hold=None)
            run.note(hold=None)
        run.settle([Step(Settlement(inbox=inbox))])


def withdraw_question(run: Run) -> None:
    """Let what is held rest with its calendar, which is not kept in step any more: nothing of it is carried out, and
    nobody need answer. Should the user come back, what is still so is found and asked about anew.
    """
    hold_id = run.connection.hold
    if hold_id is None:
        return
    held = [link for link in run.ports.store.all_links(run.connection_id).values() if link.held is not None]
    steps = [Step(Settlement(link=msgspec.structs.replace(link, held=None))) for link in held]
    for start in range(0, len(steps), STEPS_PER_COMMIT):
        run.settle(steps[start : start + STEPS_PER_COMMIT])
    run.know(hold=None)
    run.note(hold=None)
    gone = InboxWrite(studio_id=run.connection.studio_id, item_id=hold_id, fields={"status": "gone"})
    known = run.ports.store.inbox(run.connection.studio_id, [hold_id]).get(hold_id)
    asked = known is not None and known.status == "open"
    run.settle([Step(Settlement(inbox=(gone,) if asked else ()))])


def _carry_out(run: Run, verdict: Literal["approved", "declined"], hold_id: str) -> tuple[tuple[InboxWrite, ...], bool]:
    """Only what the question listed, as far as it is still held. Gives what to write into the inbox, and whether
    anything stays held that a lost question may have listed: the next question lists it.
    """
    store, connection = run.ports.store, run.connection
    question = store.inbox(connection.studio_id, [hold_id]).get(hold_id)
    if question is not None and question.status == "answered":
        return (), False
    ids = listed(question, run.connection_id)
    links = store.all_links(run.connection_id) if ids is None else store.links(run.connection_id, ids)
    held = [link for link in links.values() if concerns(hold_id, ids, link)]
    left = ids is None and any(link.held is not None and link.held.id != hold_id for link in links.values())
    entries = [one for place, link in enumerate(held) for one in _entries(link, verdict, run.started_at, place)]
    store.put_outbox([(run.connection_id, item_id, entry) for item_id, entry in entries])
    withdrawn = question is not None and question.status == "gone"
    if question is None or ((ids is None or withdrawn) and not held):
        return (), left
    return (InboxWrite(studio_id=connection.studio_id, item_id=hold_id, fields={"status": "answered"}),), left


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
    yield word_entry(link.appointment_id), word
    if not in_calendar:
        event = OutboxEntry(appointment_id=link.appointment_id, event_id=link.event_id, at=at, cause="left")
        yield f"event:{link.event_id}", event


def word_entry(appointment_id: str) -> str:
    """Id of the outbox entry with a person's word on a held deletion."""
    entry_id = f"hold:{appointment_id}"
    return entry_id if identity.usable(entry_id) else f"hold:{digest('hold', appointment_id)}"


def listed(question: InboxItem | None, connection_id: str) -> list[str] | None:
    """The appointments that a question of this connection is about; None where it is lost, or its list spoilt."""
    if question is None or question.kind != "held" or question.refs.get("connection_id") != connection_id:
        return None
    ids = question.refs.get("appointment_ids")
    return [one for one in ids if identity.usable(one)] or None if isinstance(ids, list) else None


def concerns(hold_id: str, ids: list[str] | None, link: Link) -> bool:
    """Whether an answer to this hold is about the pair: `ids` are what its question lists, None if nobody knows."""
    if link.held is None:
        return False
    return link.held.id == hold_id if ids is None else link.appointment_id in ids


def _pair(operation: Operation) -> Link:
    """The pair that a deletion takes apart; one that is not recorded as such is what would have been buried."""
    link = operation.item.link
    if link is not None and link.state == "paired":
        return link
    assert operation.link is not None  # noqa: S101 - whatever takes away leaves a tombstone
    return revived(operation.link)


def _held(operation: Operation, hold_id: str, now: dt.datetime) -> Operation:
    etag = operation.calendar.etag if isinstance(operation.calendar, Delete) else ""
    held = Held(id=hold_id, side=_side(operation), etag=etag, at=now)
    marked = msgspec.structs.replace(_pair(operation), held=held)
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
        ends = [_pair(one).ends_at for one in held if _side(one) == side]
        if ends:
            ahead = sum(end is not None and end > now for end in ends)
            past = len(ends) - ahead
            what = [f"{ahead} of {upcoming} upcoming"] if ahead else []
            what += [f"{past} past"] if past else []
            parts.append(deed.format(" and ".join(what)))
    if earlier:
        parts.append(f"{earlier} held before this are listed too.")
    return " ".join([*parts, "Nothing of this is carried out before you approve or decline it."])
