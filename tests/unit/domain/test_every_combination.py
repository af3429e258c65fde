"""Whatever an item holds: every link with every document, every event and every word of a person, in every mode.

First what an operation may never do. Then what becomes of it: applied, there is nothing left to do; and if the run dies
between its two writes, the next one comes to the same. Both where the calendar gives deleted events back, and where it
has forgotten them.
"""

import functools
import itertools
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from shared.domain.appointment import Appointment, Origin
from shared.domain.content import Content, with_units
from shared.domain.event import Delete, Event, Insert, Patch, Restore
from shared.domain.link import Link, succeeded
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Item,
    Operation,
    Rules,
    UpdateAppointment,
    Verdict,
    agreed,
    before_writing,
)
from shared.domain.plan import decide, is_here
from shared.domain.visibility import as_agreed, seen
from tests.unit.domain.builders import (
    ANN,
    APPOINTMENT,
    BOB,
    CONNECTION,
    NOW,
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_missing_event,
    a_removed_link,
    a_seal,
    a_time,
    a_tombstone,
    an_event,
    an_unfit_event,
    content,
    held_on,
    holding,
    item,
    rules,
    somebody_elses,
)
from tests.unit.domain.deciding import SENT_B, A, B, C, deeds

SECRET = content(title="Doctor", private=True)
MASKED = content(title="Busy", location="", private=True)
THEIRS = {"event_id": "foreign1", "seal": "", "theirs": True}
PRIVATE = {"event_id": "foreign1", "seal": "", "private_there": True}

LINKS: dict[str, Link | None] = {
    "none": None,
    "paired": a_link(A),
    "stored differently": a_link(A, B),
    "leaving": a_link(A, state="leaving"),
    "removed": a_removed_link(A),
    "removed, nobody asked": a_removed_link(A, asked=None),
    "held in the calendar": a_link(A, held=held_on("calendar")),
    "held in the studio": a_link(A, held=held_on("studio")),
    "somebody else's": a_link(A, **THEIRS),
    "somebody else's, not followed": a_link(A, **THEIRS, etag=""),
    "private": a_link(MASKED, **PRIVATE),
    "private and edited": a_link(B, MASKED, **PRIVATE),
    "gone": a_tombstone(held=A),
    "gone there": a_tombstone(held=A, gone_there=True),
    "gone there, a person's": a_tombstone(held=A, gone_there=True, event_id="foreign1"),
    "gone there, somebody else's": a_tombstone(held=A, gone_there=True, **THEIRS),
    "gone, private": a_tombstone(held=MASKED, **PRIVATE),
}
ORIGIN = Origin(provider="google", connection=CONNECTION, event_id="foreign1")
DOCUMENTS: list[Appointment | None] = [
    None,
    holding(A),
    holding(C, origin=ORIGIN),
    holding(A, users=(ANN, BOB)),
    holding(C, users=(ANN, BOB)),
    holding(A, users=(BOB,)),
    holding(A, status="cancelled", origin=ORIGIN),
    holding(MASKED, origin=ORIGIN),
    holding(msgspec.structs.replace(MASKED, when=a_time("15:00")), origin=ORIGIN),
]
EVENTS: list[Event | None] = [
    None,
    an_event(holds=A),
    an_event(holds=B),
    an_event(holds=B, seal=SENT_B),
    an_event(holds=B, seal=a_seal(A)),
    a_foreign_event(holds=B),
    a_foreign_event(holds=SECRET),
    somebody_elses(holds=A),
    somebody_elses(holds=B, answer="needsAction"),
    a_foreign_event(holds=A, kind="outOfOffice"),
    a_deleted_event(),
    a_missing_event(),
    an_unfit_event(),
]
VERDICTS: list[Verdict | None] = [None, *get_args(Verdict)]


def every_item(link: Link | None) -> Iterator[Item]:
    """With an event that is the pair's own, as reading it makes sure."""
    for document, event, verdict, unread in itertools.product(DOCUMENTS, EVENTS, VERDICTS, [False, True]):
        its_own = event if event is None or link is None else msgspec.structs.replace(event, id=link.event_id)
        yield item(link=link, appointment=document, event=its_own, verdict=verdict, unread=unread)


every_link = pytest.mark.parametrize("link", [pytest.param(link, id=name) for name, link in LINKS.items()])
MODES = {
    "two-way": rules(populating_studio=True, populating_calendar=True),
    "mirror": rules(two_way=False, populating_studio=True, populating_calendar=True),
}
both_modes = pytest.mark.parametrize("these", [pytest.param(these, id=name) for name, these in MODES.items()])
# Of a calendar that the user has left for another, the plan is asked about what is to go from it only.
LEFT = {"left for another": rules(left=True), "left for another, a mirror": rules(two_way=False, left=True)}
every_mode = pytest.mark.parametrize("these", [pytest.param(these, id=name) for name, these in (MODES | LEFT).items()])


def told(this: Item, operation: Operation) -> str:
    """For the message of a failure."""
    of_link = None if this.link is None else this.link.state
    return f"{deeds(operation)} ({operation.reason.value}) for {of_link}, {this}"


# --- what an operation may never do ----------------------------------------------------------------------------------


@every_mode
@every_link
def test_nothing_is_written_that_is_not_recorded_and_nothing_parked_is_written(link: Link | None, these: Rules) -> None:
    for this in every_item(link):
        operation = decide(this, these)
        assert operation.parked is None or deeds(operation) == "park", told(this, operation)
        if operation.calendar is not None or operation.studio is not None:
            assert operation.link is not None, told(this, operation)
        if isinstance(operation.calendar, Delete):
            assert operation.link is not None
            assert not operation.link.paired, "a deletion without a tombstone"
        if isinstance(operation.calendar, Patch):
            assert operation.calendar.units, "a write of nothing"
            assert set(operation.calendar.seal.sent) >= operation.calendar.units
        if this.event is not None and this.event.missing:
            assert deeds(operation) == "doubt", told(this, operation)


@every_mode
@every_link
def test_nothing_is_deleted_that_is_wanted_nor_cancelled_that_nobody_deleted(link: Link | None, these: Rules) -> None:
    for this in every_item(link):
        operation = decide(this, these)
        if isinstance(operation.calendar, Delete):
            assert not is_here(this, these), told(this, operation)
            there = this.event is not None and this.event.content is not None
            assumed = this.event is None and link is not None and link.state in {"paired", "leaving"}
            assert there or assumed, told(this, operation)
        if isinstance(operation.studio, CancelAppointment):
            assert this.event is not None, told(this, operation)
            assert this.event.deleted, "not verified"
            assert this.appointment is not None
            assert set(this.appointment.user_ids) == {ANN}, "others are assigned"
            assert link is not None
            assert link.state == "paired", "it was not a person who deleted it"
            hidden = frozenset({"title", "description", "location", "private"}) if link.private_there else frozenset()
            assert link.studio is not None
            assert this.appointment.content().differs(link.studio) <= hidden, "edited in the studio"
            approved = link.held is not None and this.verdict == "approved"
            assert these.two_way or approved, "the calendar is a mirror"
            assert not this.unread or approved, "it was deleted when nobody read the calendar"
        where = "studio" if isinstance(operation.calendar, Delete) else "calendar"
        if operation.takes_away and link is not None and link.held is not None and link.held.side == where:
            assert this.verdict == "approved", told(this, operation)


@every_mode
@every_link
def test_nothing_is_entered_that_is_there_or_not_wanted(link: Link | None, these: Rules) -> None:
    for this in every_item(link):
        operation = decide(this, these)
        if isinstance(operation.calendar, Insert):
            assert is_here(this, these), told(this, operation)
            assert this.event is None or this.event.deleted, "it would stand there twice"
            paired = link is not None and link.state in {"paired", "leaving"}
            assert this.event is not None or not paired, "it may stand there"
            assert link is None or operation.calendar.event_id != link.event_id, "a burnt id"
        if isinstance(operation.studio, CreateAppointment):
            assert this.appointment is None, told(this, operation)


@every_mode
@every_link
def test_nothing_is_restored_but_what_is_wanted_and_known_to_be_deleted(link: Link | None, these: Rules) -> None:
    for this in every_item(link):
        operation = decide(this, these)
        if not isinstance(operation.calendar, Restore):
            continue
        assert is_here(this, these), told(this, operation)
        assert link is not None
        assert operation.calendar.event_id == link.event_id, "another event than the pair's"
        assert not link.theirs, "it is not ours to bring back"
        known = link.state in {"removed", "gone"} if this.event is None else this.event.deleted
        assert known, told(this, operation)
        assert (operation.studio, operation.more) == (None, True), "both sides are compared once it is back"
        recorded = operation.link
        assert recorded is not None
        assert (recorded.state, recorded.studio, recorded.calendar) == ("paired", link.studio, link.calendar)
        refused = decide(msgspec.structs.replace(this, beyond_restoring=True), these)
        assert isinstance(refused.calendar, Insert), "tried again and again"
        assert refused.reason is operation.reason


@every_mode
@every_link
def test_what_is_not_ours_is_not_written(link: Link | None, these: Rules) -> None:
    for this in every_item(link):
        operation = decide(this, these)
        write = operation.calendar
        if not isinstance(write, Patch | Delete):
            continue  # For what is restored, see above.
        if this.event is not None:
            there = seen(this.event, this, these)
        else:
            assert link is not None
            there = as_agreed(link, these)
        assert not there.theirs, told(this, operation)
        assert not (isinstance(write, Patch) and write.units & there.frozen), told(this, operation)


@every_link
def test_a_mirror_says_nothing_to_the_studio_but_what_a_person_asked_for(link: Link | None) -> None:
    for populating in (True, False):
        these = rules(two_way=False, populating_studio=populating, populating_calendar=True)
        for this in every_item(link):
            match decide(this, these).studio:
                case None:
                    pass
                case UpdateAppointment(leave=True):
                    assert this.verdict == "take_off"
                case CreateAppointment() | UpdateAppointment(join=True) if this.verdict != "declined":
                    assert populating
                    assert link is None
                case CreateAppointment() | UpdateAppointment():
                    assert this.verdict == "declined"
                case CancelAppointment():
                    assert this.verdict == "approved"
                    assert link is not None
                    assert link.held is not None


@every_mode
@every_link
def test_a_link_has_both_columns_and_says_nothing_that_does_not_go_with_its_state(
    link: Link | None, these: Rules
) -> None:
    for this in every_item(link):
        operation = decide(this, these)
        for after in (operation.link, before_writing(operation)):
            if after is None:
                continue
            assert after.studio is not None
            assert after.calendar is not None
            assert after.ends_at == after.calendar.when.ends_at
            assert (after.expires_at is not None) == (after.state == "gone")
            assert not after.gone_there or after.state == "gone"
            assert after.asked is None or after.state in {"removed", "leaving"}
        after = operation.link
        assert after is None or after.held is None or this.event is None, "both sides are known, and it is held still"


# --- what becomes of it ----------------------------------------------------------------------------------------------


def stored(this: Item, operation: Operation, *, rewritten: bool) -> Event | None:
    """What the calendar holds after the operation's write, if there is one. `rewritten`: it alters what it is sent."""
    write = operation.calendar
    match write:
        case None:
            return None
        case Delete():
            return Event(id=write.event_id, etag="e9")
        case Restore():
            return msgspec.structs.replace(_as_it_is(this), etag="e9", updated=NOW)
        case Insert():
            held, before = write.content, Event(id=write.event_id, updated=NOW)
        case Patch():
            before = this.event or _as_it_is(this)
            assert before.content is not None
            held = with_units(before.content, write.content, write.units)
    if rewritten and (isinstance(write, Insert) or "title" in write.units):
        held = msgspec.structs.replace(held, title=f"{held.title} (as stored)")
    return msgspec.structs.replace(
        before, etag="e9", content=held, seal=write.seal, appointment_id=write.appointment_id
    )


def _as_it_is(this: Item) -> Event:
    """The event of a pair that was not asked for, or is in the bin: as it was, with more than the studio may see."""
    assert this.link is not None
    held = SECRET if this.link.private_there else this.link.calendar
    return Event(id=this.link.event_id, etag=this.link.etag, content=held, own=not this.link.theirs)


def written(this: Item, operation: Operation) -> Appointment | None:
    """What the studio holds after the operation's write."""
    before = this.appointment
    match operation.studio:
        case None:
            return before
        case CreateAppointment(content=held, event_id=event_id):
            return holding(held, kind="unlinked", origin=msgspec.structs.replace(ORIGIN, event_id=event_id))
        case UpdateAppointment(content=held, units=units, join=join, leave=leave):
            assert before is not None
            users = (*before.user_ids, ANN) if join else tuple(u for u in before.user_ids if u != ANN or not leave)
            return _with(msgspec.structs.replace(before, user_ids=users), held, units)
        case CancelAppointment():
            assert before is not None
            return msgspec.structs.replace(before, status="cancelled")


def _with(before: Appointment, held: Content, units: Any) -> Appointment:
    after = with_units(msgspec.structs.replace(before, status="confirmed").content(), held, units)
    status = after.status if "status" in units else before.status
    return holding(after, kind=before.kind, users=before.user_ids, origin=before.origin, status=status)


def applied(this: Item, operation: Operation, *, rewritten: bool = False) -> Item:
    event = stored(this, operation, rewritten=rewritten)
    link = agreed(operation, event) or this.link
    return _read(
        msgspec.structs.replace(this, appointment=written(this, operation), link=link, event=event or this.event)
    )


def died(this: Item, operation: Operation) -> Item:
    """The item as the next run reads it, if this one dies after its write to the calendar."""
    event = stored(this, operation, rewritten=False)
    return _read(msgspec.structs.replace(this, link=before_writing(operation) or this.link, event=event or this.event))


def _read(this: Item) -> Item:
    """As `gather` puts link and event together: the pair's own event, or the one that took its place."""
    link, event = this.link, this.event
    if link is None or event is None or not link.paired or link.event_id == event.id:
        return this
    if event.deleted:
        return msgspec.structs.replace(this, event=None)
    return msgspec.structs.replace(this, link=succeeded(link, event.id, link.generation + 1))


def settled(this: Item, these: Rules, *, rewritten: bool = False, forgotten: bool = False) -> Item:
    """The item after as many operations as it takes: one, or another where that says that there is more.

    `forgotten`: the calendar has nothing in its bin.
    """
    for _ in range(3):
        operation = decide(this, these)
        if isinstance(operation.calendar, Restore) and forgotten:
            gone = Event(id=operation.calendar.event_id, missing=True)
            link = before_writing(operation) or this.link
            this = msgspec.structs.replace(this, event=gone, link=link, beyond_restoring=True)
            continue
        if operation.more and not operation.writes:
            # Looked for.
            this = msgspec.structs.replace(this, event=_in_bin(this) if forgotten else _as_it_is(this))
            continue
        if isinstance(operation.calendar, Patch) and this.event is None and _held_there(this.link):
            this = msgspec.structs.replace(this, event=Event(id=operation.calendar.event_id))  # Refused as stale.
            continue
        this = applied(this, operation, rewritten=rewritten)
        if not operation.more:
            return this
    pytest.fail(f"it never comes to rest: {this}")


def _held_there(link: Link | None) -> bool:
    return link is not None and link.held is not None and link.held.side == "calendar"


def _in_bin(this: Item) -> Event:
    assert this.link is not None
    return Event(id=this.link.event_id)


def sides(this: Item) -> tuple[Any, ...]:
    here = this.appointment
    there = None if this.event is None else this.event.content
    return None if here is None else (here.status, here.user_ids, _texts(here)), there


def _texts(here: Appointment) -> Content:
    return msgspec.structs.replace(here, status="confirmed").content()


def quiet(operation: Operation) -> bool:
    return operation.calendar is None and operation.studio is None and operation.link is None and not operation.more


def kind(this: Item) -> str:
    """What is worth a test of its own, should it fail."""
    event, link = this.event, this.link
    if (event is not None and event.content == SECRET) or (link is not None and link.private_there):
        return "private"
    if event is None:
        return "not asked"
    if event.seal is not None:
        return "carries a seal"
    if event.deleted:
        return "deleted"
    return "somebody else's" if not event.own or event.kind != "default" else "other"


@functools.cache
def decidable(these: Rules, which: str) -> list[tuple[Item, Operation, bool]]:
    """Items of a kind that can come up, with what is decided on them; and whether the calendar forgets what it deletes,
    where that makes a difference.
    """
    found = []
    for this in (this for link in LINKS.values() for this in every_item(link)):
        link = this.link
        answered = this.verdict in {"take_off", "put_back"}
        if kind(this) != which or (answered and (link is None or link.asked is None)):
            continue  # Only what was asked is answered.
        operation = decide(this, these)
        if not operation.doubt and operation.parked is None:
            found.append((this, operation, False))
            if isinstance(operation.calendar, Restore) or (operation.more and not operation.writes):
                found.append((this, operation, True))
    return found


KINDS = ["private", "not asked", "carries a seal", "deleted", "somebody else's", "other"]
each_kind = pytest.mark.parametrize("which", KINDS)


@pytest.mark.parametrize("rewritten", [False, True], ids=["stored as sent", "stored differently"])
@both_modes
@each_kind
def test_applied_it_leaves_nothing_to_do(which: str, these: Rules, rewritten: bool) -> None:
    """Neither in the same run, nor in the next; nor in one that does not ask the calendar what has been recorded."""
    for this, operation, forgotten in decidable(these, which):
        after = settled(this, these, rewritten=rewritten, forgotten=forgotten)
        next_run = msgspec.structs.replace(after, verdict=None, unread=False)
        again = [after, next_run]
        if operation.link is not None:
            again.append(msgspec.structs.replace(next_run, event=None))
        for one in again:
            assert quiet(second := decide(one, these)), f"{told(one, second)}\nafter {told(this, operation)}"


@every_mode
@each_kind
def test_a_run_that_dies_between_its_writes_is_finished_by_the_next(which: str, these: Rules) -> None:
    for this, operation, forgotten in decidable(these, which):
        if operation.calendar is None or (this.event is None and _held_there(this.link)):
            continue
        whole = settled(this, these, forgotten=forgotten)
        if forgotten:  # Nothing came of it, but for what was said before.
            link = before_writing(operation) or this.link
            after_death = settled(msgspec.structs.replace(this, link=link), these, forgotten=True)
        else:
            after_death = settled(died(this, operation), these)
        assert sides(after_death) == sides(whole), told(this, operation)


@every_mode
@each_kind
def test_what_a_dead_run_has_begun_is_undone_when_it_is_not_wanted_any_more(which: str, these: Rules) -> None:
    """The run entered it, or took it out of the bin, and died; then it was cancelled, erased or given to another."""
    for this, operation, forgotten in decidable(these, which):
        held = this.link is not None and this.link.held is not None
        if forgotten or held or not isinstance(operation.calendar, Insert | Restore):
            continue
        assert this.appointment is not None
        for later in (None, holding(A, status="cancelled"), holding(A, users=(BOB,))):
            left = msgspec.structs.replace(died(this, operation), appointment=later, verdict=None, unread=False)
            here, there = sides(settled(left, these))
            assert there is None, f"it stays in the calendar: {told(this, operation)}"
            assert here is None or here[:2] == sides(left)[0][:2], f"the studio is overruled: {told(this, operation)}"


def test_the_combinations_are_what_they_claim_to_be() -> None:
    """Every state of a link, and every word of a person, is among them."""
    assert {link.state for link in LINKS.values() if link is not None} == {"paired", "leaving", "removed", "gone"}
    assert len(list(every_item(LINKS["paired"]))) == len(DOCUMENTS) * len(EVENTS) * len(VERDICTS) * 2
    assert {this.appointment_id for this in every_item(None)} == {APPOINTMENT}
