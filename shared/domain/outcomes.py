"""What the plan's table names: one function for each outcome. Which of them an item gets is `plan.py`."""

import datetime as dt
from typing import Literal

import msgspec

from shared.domain import identity
from shared.domain.appointment import Appointment
from shared.domain.content import UNITS, Content, When, normal, unit_hash, with_units
from shared.domain.errors import Park
from shared.domain.event import Delete, Event, Insert, Patch, Restore
from shared.domain.link import FORMERS, TOMBSTONE_LIFE, Link, buried, new_seal, revived
from shared.domain.merge import Base, Lost, Merged, Side, clash_winner, merge
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Item,
    Operation,
    Rules,
    UpdateAppointment,
)
from shared.domain.reasons import Reason
from shared.domain.scope import keeps_out_of_calendar, keeps_out_of_studio
from shared.domain.visibility import Seen, as_agreed

EVERY_UNIT = frozenset(UNITS)

# --- entering --------------------------------------------------------------------------------------------------------


def enter_calendar(item: Item, here: Content, rules: Rules) -> Operation:
    asked = item.question
    if asked is not None and not _edited_here(asked, here, rules):
        return _removed_before(item, here, rules)
    if not item.led and (out := keeps_out_of_calendar(item, here, rules)):
        return Operation(item=item, reason=out)
    return enter_again(item, here, rules, Reason.CREATED_IN_STUDIO)


def _removed_before(item: Item, here: Content, rules: Rules) -> Operation:
    """A person removed it from an earlier calendar, and somebody was asked: it stays out until there is an answer."""
    match item.verdict:
        case "put_back":
            return enter_again(item, here, rules, Reason.PUT_BACK)
        case "take_off":
            leave = UpdateAppointment(content=here, units=frozenset(), leave=True)
            return Operation(item=item, reason=Reason.TAKEN_OFF, studio=leave, nowhere=True)
        case _:
            return Operation(item=item, reason=Reason.REMOVED_FROM_ONE_OF_SEVERAL)


def enter_again(item: Item, here: Content, rules: Rules, reason: Reason) -> Operation:
    """Whether in scope or not: the deleted event is restored, with all that people have added to it, and compared then.

    Where there is none to restore, it is entered as the next generation of the event's id.
    """
    link = item.link
    if link is not None and link.calendar is not None and not (link.theirs or item.beyond_restoring):
        restore = Restore(event_id=link.event_id, status=link.calendar.status)
        return Operation(item=item, reason=reason, calendar=restore, link=revived(link), more=True)
    generation = next_generation(item)
    event_id = identity.event(rules.connection_id, item.appointment_id, generation)
    seal = new_seal("" if item.link is None else item.link.seal, here, EVERY_UNIT, None)
    link = Link(
        appointment_id=item.appointment_id,
        event_id=event_id,
        generation=generation,
        studio=here,
        calendar=here,
        seal=seal.name,
        ends_at=here.when.ends_at,
        series_id=item.series_id,
        slot=item.slot,
    )
    insert = Insert(event_id=event_id, appointment_id=item.appointment_id, content=here, seal=seal)
    return Operation(item=item, reason=reason, calendar=insert, link=link)


def enter_with_edits(item: Item, here: Content, there: Seen, base: Link, rules: Rules) -> Operation:
    """Entered as another event, with what a person edited in the one that it takes the place of."""
    merged = _merged(item, here, there, _base(base, there), rules)
    operation = enter_again(item, merged.calendar, rules, Reason.STUDIO_EDIT_BEATS_DELETION)
    studio = UpdateAppointment(content=merged.studio, units=merged.to_studio) if merged.to_studio else None
    return msgspec.structs.replace(operation, studio=studio, lost=merged.lost)


def next_generation(item: Item) -> int:
    """The generation of the next event that would be entered for an item."""
    return item.next_generation if item.link is None else max(item.next_generation, item.link.generation + 1)


def enter_studio(item: Item, there: Seen, rules: Rules) -> Operation:
    if there.event.appointment_id is not None:
        return _take_back(item, there, rules)
    if out := keeps_out_of_studio(there.event, rules):
        return Operation(item=item, reason=out)
    if item.appointment is None:
        studio = CreateAppointment(content=there.content, event_id=there.event.id)
        link = _link(item, there, there.content, there.content, "")
        return Operation(item=item, reason=Reason.CREATED_IN_CALENDAR, studio=studio, link=link)
    if item.appointment.cancelled:
        return Operation(item=item, reason=Reason.CANCELLED_IN_STUDIO)
    # Another guest's copy of an event that is in the studio already: this user is added, the studio's text stays.
    here = item.appointment.content()
    join = UpdateAppointment(content=here, units=frozenset(), join=True)
    return Operation(item=item, reason=Reason.JOINED, studio=join, link=_link(item, there, here, there.content, ""))


def pair(item: Item, here: Content, there: Seen, rules: Rules) -> Operation:
    """Both are there and nothing ties them yet: a twin typed by a person, or an entry of ours, known by its seal."""
    if item.link is not None and item.link.event_id == there.event.id:
        return agree(item, item.link, here, there, rules)  # Taken apart once, and back on both sides.
    ours = there.event.seal is not None
    in_scope = (
        item.led or keeps_out_of_calendar(item, here, rules) is None or keeps_out_of_studio(there.event, rules) is None
    )
    if not ours and not in_scope:
        return Operation(item=item, reason=keeps_out_of_calendar(item, here, rules) or Reason.AGREED)
    merged = _merged(item, here, there, Base(pending=there.event.seal), rules)
    generation = identity.generation_of(there.event.id, rules.connection_id, item.appointment_id)
    return _settle(item, there, merged, "", Reason.CREATED_IN_STUDIO if ours else Reason.MATCHED, generation)


def found_again(item: Item, link: Link, there: Seen, rules: Rules) -> Operation:
    """A pair was taken apart, and an event of it is there: in the bin no longer, or entered by a run that died."""
    if there.event.id != link.event_id:
        return _take_back(item, there, rules) if there.event.appointment_id is not None else _left_alone(item)
    appointment = item.appointment
    if appointment is None or not appointment.cancelled or rules.user_id not in appointment.user_ids:
        return _left_alone(item)
    if item.unread and link.gone_there:
        # Restored while nobody read the calendar: it stays as it is, also when it is met again.
        return msgspec.structs.replace(_left_alone(item), link=msgspec.structs.replace(link, gone_there=False))
    if not link.gone_there or not rules.two_way:
        return _left_alone(item)
    # The calendar cancelled it, and now the calendar has it again.
    merged = _merged(item, _uncancelled(appointment, link), there, _base(link, there), rules)
    settled = _settle(item, there, merged, link.seal, Reason.RESTORED_IN_CALENDAR)
    studio = UpdateAppointment(content=merged.studio, units=merged.to_studio | {"status"})
    return msgspec.structs.replace(settled, studio=studio)


def _left_alone(item: Item) -> Operation:
    cancelled = item.appointment is None or item.appointment.cancelled
    return Operation(item=item, reason=Reason.CANCELLED_IN_STUDIO if cancelled else Reason.NOT_ASSIGNED)


def _take_back(item: Item, there: Seen, rules: Rules) -> Operation:
    """Entered by us, in a run that died before it could say so, for an appointment that has left this user since."""
    appointment = item.appointment
    if there.theirs:
        return _left_alone(item)  # Given away since.
    long_ago = rules.now - TOMBSTONE_LIFE
    if item.link is None and appointment is not None and (appointment.updated_at or rules.now) < long_ago:
        # Its tombstone may have expired: then a person took the event out of the bin, and it is not ours to delete.
        return Operation(item=item, reason=Reason.GONE_ON_BOTH)
    generation = identity.generation_of(there.event.id, rules.connection_id, item.appointment_id)
    if item.link is not None and generation is not None and generation < item.link.generation:
        return _left_alone(item)  # Another has taken its place since: a person took it out of the bin.
    link = _link(item, there, there.content, there.content, "", generation)
    reason = Reason.CANCELLED_IN_STUDIO
    if appointment is not None and not appointment.cancelled:
        reason = Reason.MOVED if rules.left else Reason.LEFT_USER
        # A person may have edited it meanwhile: that edit belongs to the appointment, and goes there first.
        merged = _merged(item, appointment.content(), there, Base(pending=there.event.seal), rules)
        if merged.to_studio:
            return _save_edit(item, there, merged, generation)
    delete = Delete(event_id=there.event.id, etag=there.event.etag)
    lost = _edited_since(there) if reason is Reason.CANCELLED_IN_STUDIO else ()
    return Operation(item=item, reason=reason, calendar=delete, link=buried(link, rules.now), lost=lost)


def _edited_since(there: Seen) -> tuple[Lost, ...]:
    """What a person has edited of an entry since we wrote it, as far as its seal tells: it goes with the entry."""
    seal = there.event.seal
    sent = {} if seal is None else seal.sent
    mine = [unit for unit in UNITS if unit in sent and unit not in there.frozen]
    edited = [unit for unit in mine if unit_hash(unit, there.content) != sent[unit]]
    return tuple(Lost(unit, "calendar", normal(unit, there.content)) for unit in edited)


def unfit(item: Item, event: Event, reason: Reason, rules: Rules) -> Operation:
    """An event that cannot be taken over: parked, unless nobody asked for it."""
    if (item.link is None or item.link.state == "gone") and (out := keeps_out_of_studio(event, rules)):
        return Operation(item=item, reason=out)
    return Operation(item=item, reason=reason, parked=Park(reason, "event", event.unfit_detail))


# --- agreeing --------------------------------------------------------------------------------------------------------


def look_first(item: Item) -> Operation:
    """Wanted again after we set out to delete its event, or did not follow it: the calendar knows what it is now."""
    return Operation(item=item, reason=Reason.AGREED, more=True)


def agree(item: Item, link: Link, here: Content, there: Seen, rules: Rules) -> Operation:
    merged = _merged(item, here, there, _base_of(item, link, there), rules)
    match (bool(merged.to_studio), bool(merged.to_calendar)):
        case (True, True):
            reason = Reason.CHANGED_ON_BOTH
        case (True, False):
            reason = Reason.CHANGED_IN_CALENDAR
        case (False, True):
            reason = Reason.CHANGED_IN_STUDIO
        case _ if item.unread:
            reason = Reason.BASELINE
        case _:
            kept_here = there.theirs and link.studio is not None and here.differs(link.studio)
            reason = Reason.ANOTHERS if kept_here else Reason.AGREED
    return _settle(item, there, merged, link.seal, reason)


def _settle(
    item: Item, there: Seen, merged: Merged, known_seal: str, reason: Reason, generation: int | None = None
) -> Operation:
    """The writes that make both sides what the merge says, and the link that records it."""
    event = there.event
    calendar = None
    seal_name = event.seal.name if event.seal is not None else known_seal
    if merged.to_calendar:
        pending = event.seal if event.seal is not None and event.seal.name != known_seal else None
        seal = new_seal(seal_name, merged.calendar, merged.to_calendar, pending)
        seal_name = seal.name
        calendar = Patch(
            event_id=event.id,
            appointment_id=item.appointment_id,
            etag=event.etag,
            content=merged.calendar,
            units=merged.to_calendar,
            seal=seal,
            instance=bool(event.series_event),
        )
    studio = UpdateAppointment(content=merged.studio, units=merged.to_studio) if merged.to_studio else None
    link = _link(item, there, _agreed_here(item, merged, there), merged.calendar, seal_name, generation)
    # A run that died may have sent it already: its seal says so.
    sent = event.seal is not None and event.seal.name != known_seal and "when" in event.seal.sent
    link = _reshaped(link, item, by="studio" if sent or "when" in merged.to_calendar else "calendar")
    if calendar is None and studio is None and link == item.link:
        return Operation(item=item, reason=Reason.ANOTHERS if there.theirs else Reason.AGREED)
    return Operation(item=item, reason=reason, calendar=calendar, studio=studio, link=link, lost=merged.lost)


# --- deletions -------------------------------------------------------------------------------------------------------


def deleted_in_calendar(item: Item, link: Link, here: Content, rules: Rules) -> Operation:
    assert item.appointment is not None  # noqa: S101 - there is content, so there is a document
    alone = set(item.appointment.user_ids) == {rules.user_id}
    if _edited_here(link, here, rules):
        return enter_again(item, here, rules, Reason.STUDIO_EDIT_BEATS_DELETION)
    if item.verdict == "declined":
        return enter_again(item, here, rules, Reason.PUT_BACK)
    if _waits(item, link, "calendar"):
        return Operation(item=item, reason=Reason.HELD)
    gone = buried(link, rules.now, there=True)
    cancel = Operation(item=item, reason=Reason.DELETED_IN_CALENDAR, studio=CancelAppointment(), link=gone)
    if link.held is not None and link.held.side == "calendar" and alone:
        return cancel  # Approved, and whatever was set since: a person has said so.
    if item.unread:
        removed = msgspec.structs.replace(link, state="removed", held=None)
        return Operation(item=item, reason=Reason.REMOVED_WHILE_UNREAD, link=removed)
    if not rules.two_way:
        return enter_again(item, here, rules, Reason.MIRRORED)
    if item.withdrawn:
        # Gone with the entry of a colleague who was taken off: this user's own takes its place.
        return enter_again(item, here, rules, Reason.CREATED_IN_STUDIO)
    if not alone:
        question = identity.removal_question(rules.connection_id, link.event_id)
        removed = msgspec.structs.replace(link, state="removed", asked=question, held=None)
        return Operation(item=item, reason=Reason.REMOVED_FROM_ONE_OF_SEVERAL, link=removed)
    return cancel


def still_removed(item: Item, link: Link, here: Content, rules: Rules) -> Operation:
    """A person deleted the event, and the appointment stayed: until the studio edits it, or somebody answers."""
    if _edited_here(link, here, rules):
        return enter_again(item, here, rules, Reason.STUDIO_EDIT_BEATS_DELETION)
    match item.verdict:
        case "put_back":
            return enter_again(item, here, rules, Reason.PUT_BACK)
        case "take_off":
            leave = UpdateAppointment(content=here, units=frozenset(), leave=True)
            return Operation(item=item, reason=Reason.TAKEN_OFF, studio=leave, link=buried(link, rules.now))
        case _:
            reason = Reason.REMOVED_WHILE_UNREAD if link.asked is None else Reason.REMOVED_FROM_ONE_OF_SEVERAL
            return Operation(item=item, reason=reason)


def left_studio(item: Item, link: Link, there: Seen, rules: Rules) -> Operation:
    """Cancelled or erased in the studio, or this user is not assigned any more."""
    appointment = item.appointment
    if there.theirs:
        # Not ours to delete. The pair stands, so that it is known should the studio take it up again; what the event
        # becomes until then is not followed.
        unknown = msgspec.structs.replace(revived(link), etag="", theirs=True, organizer=there.event.organizer)
        return Operation(item=item, reason=Reason.ANOTHERS, link=None if unknown == link else unknown)
    delete = Delete(event_id=there.event.id, etag=there.event.etag)
    gone = buried(link, rules.now)
    base = _base_of(item, link, there)
    if appointment is None or appointment.cancelled:
        if item.verdict == "declined":
            return _reinstate(item, link, there)
        if _waits(item, link, "studio"):
            return Operation(item=item, reason=Reason.HELD)
        lost = () if link.studio is None else merge(link.studio, there.content, base, "studio", two_way=False).lost
        return Operation(item=item, reason=Reason.CANCELLED_IN_STUDIO, calendar=delete, link=gone, lost=lost)
    if link.held is not None and link.held.side == "studio" and item.verdict != "approved":
        # It was erased when it was held. A colleague has had it made again: without this user, who was on it.
        if item.verdict != "declined":
            return Operation(item=item, reason=Reason.HELD)
        join = UpdateAppointment(content=appointment.content(), units=frozenset(), join=True)
        return Operation(item=item, reason=Reason.PUT_BACK, studio=join, link=revived(link), more=True)
    merged = _merged(item, appointment.content(), there, base, rules)
    if merged.to_studio and rules.two_way:
        # Reassigned: what this user still changed in the calendar belongs to the appointment.
        return _save_edit(item, there, merged, None)
    reason = Reason.MOVED if rules.left else Reason.LEFT_USER
    return Operation(item=item, reason=reason, calendar=delete, link=gone, lost=merged.lost)


def _reinstate(item: Item, link: Link, there: Seen) -> Operation:
    """A person declined to let the studio's cancellation through: it is undone, or the erased document made again."""
    if item.appointment is None:
        created = CreateAppointment(content=there.content, event_id=there.event.id)
        seal = link.seal if there.event.seal is None else there.event.seal.name
        pair = _link(item, there, there.content, there.content, seal)
        return Operation(item=item, reason=Reason.PUT_BACK, studio=created, link=pair)
    here = _uncancelled(item.appointment, link)
    studio = UpdateAppointment(content=here, units=frozenset({"status"}))
    column = there.content if link.calendar is None else link.calendar
    pair = _link(item, there, here if link.studio is None else link.studio, column, link.seal)
    return Operation(item=item, reason=Reason.PUT_BACK, studio=studio, link=pair, more=True)


def nowhere(item: Item) -> Operation:
    """On neither side; but it may stand in a calendar that this user had before, and be wanted there no more."""
    if not any(one.ours for one in item.earlier):
        return Operation(item=item, reason=Reason.GONE_ON_BOTH)
    cancelled = item.appointment is None or item.appointment.cancelled
    reason = Reason.CANCELLED_IN_STUDIO if cancelled else Reason.LEFT_USER
    return Operation(item=item, reason=reason, nowhere=True)


def bury(item: Item, link: Link, rules: Rules) -> Operation:
    return Operation(item=item, reason=Reason.GONE_ON_BOTH, link=buried(link, rules.now))


def _save_edit(item: Item, there: Seen, merged: Merged, generation: int | None) -> Operation:
    """The first of two steps: what a person changed in the calendar enters the studio, before the event goes.

    A run that died between the two would lose it otherwise.
    """
    seal = "" if there.event.seal is None else there.event.seal.name
    return Operation(
        item=item,
        reason=Reason.CHANGED_IN_CALENDAR,
        studio=UpdateAppointment(content=merged.studio, units=merged.to_studio),
        link=_link(item, there, merged.studio, there.content, seal, generation),
        lost=merged.lost,
        more=True,
    )


# --- common ----------------------------------------------------------------------------------------------------------


def _merged(item: Item, here: Content, there: Seen, base: Base, rules: Rules) -> Merged:
    at, updated = item.changed_at, there.event.updated
    winner: Side = clash_winner(rules.clash_policy, _seconds(at), _seconds(updated))
    return merge(here, there.content, base, winner, two_way=rules.two_way, frozen=there.frozen)


def _base_of(item: Item, link: Link, there: Seen) -> Base:
    if item.unread:
        # What was edited there while nobody read it stays as it is: only the studio may have changed since.
        return Base(link=msgspec.structs.replace(link, calendar=there.content))
    return _base(link, there)


def _base(link: Link, there: Seen) -> Base:
    """What is known of the last agreement: the link, and a seal of ours that it does not know."""
    seal = there.event.seal
    return Base(link=link, pending=seal if seal is not None and seal.name != link.seal else None)


def _link(
    item: Item, there: Seen, studio: Content, calendar: Content, seal: str, generation: int | None = None
) -> Link:
    before = item.link
    known = 0 if before is None else before.generation
    held = None if before is None else before.held
    if held is not None and (item.event is not None or held.side == "studio"):
        held = None  # Both sides are there: there is nothing to hold any more.
    return Link(
        appointment_id=item.appointment_id,
        event_id=there.event.id,
        generation=known if generation is None else generation,
        studio=studio,
        calendar=calendar,
        etag=there.event.etag,
        seal=seal,
        ends_at=calendar.when.ends_at,
        theirs=there.theirs,
        organizer=there.event.organizer if there.theirs else "",
        private_there=there.private_there,
        held=held,
        series_id=item.series_id,
        slot=item.slot,
        series_event=there.event.series_event,
        formers=() if before is None else before.formers,
        former_by=None if before is None else before.former_by,
    )


def _reshaped(link: Link, item: Item, by: Side) -> Link:
    """The pair of a series with its former times, where these have been changed.

    Those that the studio gave it since, and that lost against the calendar's, are among them: occurrences may have been
    changed after that.
    """
    before, here = item.link, item.appointment
    if before is None or before.studio is None or link.studio is None or not before.studio.when.repeats:
        return link
    present = link.studio.when
    if before.studio.when.shown() == present.shown():
        return link
    lost = [] if here is None else [here.content().when]
    formers: list[When] = []
    for when in (before.studio.when, *lost, *before.formers):
        if when.repeats and all(when.shown() != other.shown() for other in (present, *formers)):
            formers.append(when)
    return msgspec.structs.replace(link, formers=tuple(formers[:FORMERS]), former_by=by)


def _agreed_here(item: Item, merged: Merged, there: Seen) -> Content:
    """The studio's column: what it holds, but for what it wrote over a hidden text. That stays open: should the text be
    shown one day, it is a clash like any other.
    """
    before = None if item.link is None else item.link.studio
    if before is None or item.unread or there.theirs or not there.hidden:
        return merged.studio
    return with_units(merged.studio, before, (merged.studio.differs(before) & there.frozen) - merged.to_studio)


def _edited_here(link: Link, here: Content, rules: Rules) -> bool:
    """Whether the studio has edited it since the last agreement; what it wrote over a hidden text is no such edit."""
    if link.studio is None or link.calendar is None:
        return True
    known = as_agreed(link, rules)
    return bool(here.differs(link.studio) - (known.frozen if known.hidden and not known.theirs else frozenset()))


def _waits(item: Item, link: Link, side: Literal["studio", "calendar"]) -> bool:
    """Whether the deletion on that side is held, and nobody has approved it."""
    return link.held is not None and link.held.side == side and item.verdict != "approved"


def _uncancelled(appointment: Appointment, link: Link) -> Content:
    """What it held before it was cancelled."""
    status = "confirmed" if link.studio is None else link.studio.status
    return msgspec.structs.replace(appointment, status=status).content()


def _seconds(at: dt.datetime | None) -> float | None:
    return None if at is None else at.timestamp()
