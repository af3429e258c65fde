"""The whole policy: what one item becomes, given what the studio holds, what the calendar holds, and what was agreed.

    link    studio    calendar   outcome
    ------  --------  ---------  ------------------------------------------------------------------
    none    here      -          enter the calendar, if in scope
    none    -         here       enter the studio, if in scope (or join the appointment that it is)
    none    here      here       pair: merge, an unagreed write of ours known by its seal
    paired  here      here       merge what changed since the agreement
    paired  here      -          deleted in the calendar: cancel, unless edited here or others are assigned
    paired  -         here       cancelled, deleted or reassigned: take it out of the calendar
    paired  -         -          bury
    gone    as none, with the event's next generation; what we took apart does not come back by itself

*Here* in the studio means: the document exists, is not cancelled, and this user is assigned. *Here* in the calendar
means: not deleted. `decide` is pure: a preview, a dry run and the log are the same operations.
"""

import datetime as dt

from shared.domain import identity
from shared.domain.content import UNITS, Content
from shared.domain.errors import Park
from shared.domain.event import Delete, Event, Insert, Patch
from shared.domain.link import TOMBSTONE_LIFE, Link, buried, new_seal
from shared.domain.merge import Base, Merged, Side, clash_winner, merge
from shared.domain.operation import (
    CancelAppointment,
    CreateAppointment,
    Item,
    Operation,
    Rules,
    StudioWrite,
    UpdateAppointment,
)
from shared.domain.reasons import Reason

# An event carries its appointment's id, in a property that Google cuts at 1,024 characters.
LONGEST_ID = 800

EVERY_UNIT = frozenset(UNITS)


def decide(item: Item, rules: Rules) -> Operation:
    """The operation for one item. Never raises for what an item holds: what cannot sync is parked."""
    try:
        here = _studio_side(item, rules)
        if item.event is not None and item.event.unfit is not None:
            return _unfit_event(item, item.event, item.event.unfit, rules)
    except Park as park:
        return Operation(item=item, reason=park.reason, parked=park)
    there = _calendar_side(item)
    link = _paired(item)
    return _unpaired(item, here, there, rules) if link is None else _paired_so_far(item, link, here, there, rules)


def _unpaired(item: Item, here: Content | None, there: Event | None, rules: Rules) -> Operation:
    if here is not None and there is not None:
        return _pair(item, here, there, rules)
    if here is not None:
        return _enter_calendar(item, here, rules)
    if there is not None:
        return _enter_studio(item, there, rules)
    return Operation(item=item, reason=Reason.GONE_ON_BOTH)


def _paired_so_far(item: Item, link: Link, here: Content | None, there: Event | None, rules: Rules) -> Operation:
    if here is not None and there is not None:
        return _agree(item, link, here, there, rules)
    if here is not None:
        return _deleted_in_calendar(item, link, here, rules)
    if there is not None:
        return _left_studio(item, link, there, rules)
    return Operation(item=item, reason=Reason.GONE_ON_BOTH, link=buried(link, rules.now))


def _studio_side(item: Item, rules: Rules) -> Content | None:
    if item.misfit is not None:
        raise item.misfit
    if item.appointment is None or not is_here(item, rules):
        return None
    if len(item.appointment_id) > LONGEST_ID:
        raise Park(Reason.INVALID, "id", f"an id of at most {LONGEST_ID} characters is needed")
    return item.appointment.content()


def _unfit_event(item: Item, event: Event, reason: Reason, rules: Rules) -> Operation:
    if item.link is None and not _wanted_from_calendar(event, rules):
        return Operation(item=item, reason=Reason.UNCHANGED_SINCE_CONNECTED)
    return Operation(item=item, reason=reason, parked=Park(reason, "event", event.unfit_detail))


def _wanted_from_calendar(event: Event, rules: Rules) -> bool:
    changed = rules.two_way and event.updated is not None and event.updated >= rules.since
    return rules.studio_populated or changed


def _calendar_side(item: Item) -> Event | None:
    if item.event is not None:
        return None if item.event.deleted else item.event
    if (link := _paired(item)) is None:
        return None
    return Event(id=link.event_id, etag=link.etag, content=link.calendar)


def _paired(item: Item) -> Link | None:
    return item.link if item.link is not None and item.link.paired else None


def _enter_calendar(item: Item, here: Content, rules: Rules) -> Operation:
    reason = Reason.CREATED_IN_STUDIO
    changed = item.changed_at is not None and item.changed_at >= rules.since
    if out := _out_of_scope(here, rules, wanted=rules.calendar_populated or changed):
        return Operation(item=item, reason=out)
    return _insert(item, here, rules, reason)


def next_generation(item: Item) -> int:
    """The generation of the next event that would be entered for an item."""
    return item.next_generation if item.link is None else max(item.next_generation, item.link.generation + 1)


def is_here(item: Item, rules: Rules) -> bool:
    """Whether the appointment exists, is not cancelled, and this user is assigned."""
    appointment = item.appointment
    return appointment is not None and not appointment.cancelled and rules.user_id in appointment.user_ids


def _insert(item: Item, here: Content, rules: Rules, reason: Reason) -> Operation:
    generation = next_generation(item)
    event_id = identity.event(rules.connection_id, item.appointment_id, generation)
    seal = new_seal("" if item.link is None else item.link.seal, here, EVERY_UNIT, None)
    return Operation(
        item=item,
        reason=reason,
        calendar=Insert(event_id=event_id, appointment_id=item.appointment_id, content=here, seal=seal),
        link=_link(item, event_id, here, here, "", seal.name, generation=generation),
    )


def _enter_studio(item: Item, there: Event, rules: Rules) -> Operation:
    content = _content(there)
    if there.appointment_id is not None and (item.link is None or item.link.event_id != there.id):
        if _forgotten(item, rules):
            return Operation(item=item, reason=Reason.GONE_ON_BOTH)
        return _take_back(item, there, rules)
    if item.link is not None:
        return Operation(item=item, reason=Reason.GONE_ON_BOTH)
    if out := _out_of_scope(content, rules, wanted=_wanted_from_calendar(there, rules)):
        return Operation(item=item, reason=out)
    link = _link(item, there.id, content, content, there.etag, "")
    if item.appointment is None:
        studio: StudioWrite = CreateAppointment(content=content, event_id=there.id)
        return Operation(item=item, reason=Reason.CREATED_IN_CALENDAR, studio=studio, link=link)
    if item.appointment.cancelled:
        return Operation(item=item, reason=Reason.CANCELLED_IN_STUDIO)
    return _join(item, there)


def _forgotten(item: Item, rules: Rules) -> bool:
    """Whether a pair may have been taken apart so long ago that its tombstone has expired.

    Then an event of ours may be one that a person took out of Google's bin, and is not ours to delete.
    """
    appointment = item.appointment
    if item.link is not None or appointment is None or appointment.updated_at is None:
        return False
    return appointment.updated_at < rules.now - TOMBSTONE_LIFE


def _take_back(item: Item, there: Event, rules: Rules) -> Operation:
    """Entered by us, in a run that died before it could say so, for an appointment that has left this user since."""
    content = _content(there)
    generation = identity.generation_of(there.id, rules.connection_id, item.appointment_id)
    link = _link(item, there.id, content, content, there.etag, "", generation=generation)
    reason = Reason.CANCELLED_IN_STUDIO
    if item.appointment is not None and not item.appointment.cancelled:
        reason = Reason.LEFT_USER
        # A person may have edited it meanwhile: that edit belongs to the appointment, and goes there first.
        try:
            here = item.appointment.content()
        except Park as park:
            return Operation(item=item, reason=park.reason, parked=park)
        merged = merge(here, content, Base(pending=there.seal), _winner(item, there, rules), two_way=rules.two_way)
        if merged.to_studio:
            return _save_edit(item, there, merged, generation)
    delete = Delete(event_id=there.id, etag=there.etag)
    return Operation(item=item, reason=reason, calendar=delete, link=buried(link, rules.now))


def _save_edit(item: Item, there: Event, merged: Merged, generation: int | None) -> Operation:
    """The first of two steps: what a person changed in the calendar enters the studio, before the event goes.

    A run that died between the two would lose it otherwise.
    """
    seal = "" if there.seal is None else there.seal.name
    return Operation(
        item=item,
        reason=Reason.CHANGED_IN_CALENDAR,
        studio=UpdateAppointment(content=merged.studio, units=merged.to_studio),
        link=_link(item, there.id, merged.studio, _content(there), there.etag, seal, generation=generation),
        lost=merged.lost,
        more=True,
    )


def _join(item: Item, there: Event) -> Operation:
    """Another guest's copy of an event that is in the studio already: this user is added, the studio's text stays."""
    assert item.appointment is not None  # noqa: S101 - the caller has looked; tells the type checker
    try:
        here = item.appointment.content()
    except Park as park:
        return Operation(item=item, reason=park.reason, parked=park)
    link = _link(item, there.id, here, _content(there), there.etag, "")
    studio = UpdateAppointment(content=here, units=frozenset(), join=True)
    return Operation(item=item, reason=Reason.JOINED, studio=studio, link=link)


def _pair(item: Item, here: Content, there: Event, rules: Rules) -> Operation:
    changed = item.changed_at is not None and item.changed_at >= rules.since
    wanted = rules.calendar_populated or changed or _wanted_from_calendar(there, rules)
    if there.seal is None and (out := _out_of_scope(here, rules, wanted=wanted)):
        return Operation(item=item, reason=out)
    merged = merge(here, _content(there), Base(pending=there.seal), _winner(item, there, rules), two_way=rules.two_way)
    reason = Reason.MATCHED if there.seal is None else Reason.CREATED_IN_STUDIO
    generation = identity.generation_of(there.id, rules.connection_id, item.appointment_id)
    return _settle(item, there, merged, "", reason, generation)


def _agree(item: Item, link: Link, here: Content, there: Event, rules: Rules) -> Operation:
    if link.state == "leaving" and item.event is None:
        # Wanted again after we set out to delete its event: whether we came to that, only the calendar knows.
        return Operation(item=item, reason=Reason.AGREED, more=True)
    merged = merge(here, _content(there), _base(link, there), _winner(item, there, rules), two_way=rules.two_way)
    match (bool(merged.to_studio), bool(merged.to_calendar)):
        case (True, True):
            reason = Reason.CHANGED_ON_BOTH
        case (True, False):
            reason = Reason.CHANGED_IN_CALENDAR
        case (False, True):
            reason = Reason.CHANGED_IN_STUDIO
        case _:
            reason = Reason.AGREED
    return _settle(item, there, merged, link.seal, reason)


def _settle(
    item: Item, there: Event, merged: Merged, known_seal: str, reason: Reason, generation: int | None = None
) -> Operation:
    """The writes that make both sides what the merge says, and the link that records it."""
    calendar = None
    seal_name = there.seal.name if there.seal is not None else known_seal
    if merged.to_calendar:
        pending = there.seal if there.seal is not None and there.seal.name != known_seal else None
        seal = new_seal(seal_name, merged.calendar, merged.to_calendar, pending)
        seal_name = seal.name
        calendar = Patch(
            event_id=there.id,
            appointment_id=item.appointment_id,
            etag=there.etag,
            content=merged.calendar,
            units=merged.to_calendar,
            seal=seal,
        )
    studio = UpdateAppointment(content=merged.studio, units=merged.to_studio) if merged.to_studio else None
    link = _link(item, there.id, merged.studio, merged.calendar, there.etag, seal_name, generation=generation)
    if calendar is None and studio is None and link == item.link:
        return Operation(item=item, reason=Reason.AGREED)
    return Operation(item=item, reason=reason, calendar=calendar, studio=studio, link=link, lost=merged.lost)


def _deleted_in_calendar(item: Item, link: Link, here: Content, rules: Rules) -> Operation:
    assert item.appointment is not None  # noqa: S101 - there is content, so there is a document
    if link.state == "leaving":
        return _insert(item, here, rules, Reason.CREATED_IN_STUDIO)  # It was us who deleted it.
    if not rules.two_way or link.studio is None or here.differs(link.studio):
        return _insert(item, here, rules, Reason.STUDIO_EDIT_BEATS_DELETION)
    if len(set(item.appointment.user_ids)) > 1:
        return Operation(item=item, reason=Reason.REMOVED_FROM_ONE_OF_SEVERAL)
    gone = buried(link, rules.now)
    return Operation(item=item, reason=Reason.DELETED_IN_CALENDAR, studio=CancelAppointment(), link=gone)


def _left_studio(item: Item, link: Link, there: Event, rules: Rules) -> Operation:
    delete = Delete(event_id=there.id, etag=there.etag)
    gone = buried(link, rules.now)
    base = _base(link, there)
    appointment = item.appointment
    if appointment is None or appointment.cancelled:
        lost = () if link.studio is None else merge(link.studio, _content(there), base, "studio", two_way=False).lost
        return Operation(item=item, reason=Reason.CANCELLED_IN_STUDIO, calendar=delete, link=gone, lost=lost)
    try:
        here = appointment.content()
    except Park as park:
        return Operation(item=item, reason=park.reason, parked=park)
    merged = merge(here, _content(there), base, _winner(item, there, rules), two_way=rules.two_way)
    if merged.to_studio:
        # Reassigned: what this user still changed in the calendar belongs to the appointment.
        return _save_edit(item, there, merged, None)
    return Operation(item=item, reason=Reason.LEFT_USER, calendar=delete, link=gone, lost=merged.lost)


def _base(link: Link, there: Event) -> Base:
    """What is known of the last agreement: the link, and a seal of ours that it does not know."""
    pending = there.seal if there.seal is not None and there.seal.name != link.seal else None
    return Base(link=link, pending=pending)


def _out_of_scope(content: Content, rules: Rules, *, wanted: bool) -> Reason | None:
    """The one filter for deltas, listings and the outbox, so that a lost cursor imports nothing unasked.

    `wanted`: this direction has been populated, or the entry was changed since the calendar was connected.
    """
    if content.when.ends_at < rules.window_from:
        return Reason.ENDED_BEFORE_WINDOW
    return None if wanted else Reason.UNCHANGED_SINCE_CONNECTED


def _link(
    item: Item,
    event_id: str,
    studio: Content,
    calendar: Content,
    etag: str,
    seal: str,
    *,
    generation: int | None = None,
) -> Link:
    known = 0 if item.link is None else item.link.generation
    return Link(
        appointment_id=item.appointment_id,
        event_id=event_id,
        generation=known if generation is None else generation,
        studio=studio,
        calendar=calendar,
        etag=etag,
        seal=seal,
        ends_at=studio.when.ends_at,
    )


def _winner(item: Item, there: Event, rules: Rules) -> Side:
    return clash_winner(rules.clash_policy, _seconds(item.changed_at), _seconds(there.updated))


def _seconds(at: dt.datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _content(event: Event) -> Content:
    assert event.content is not None  # noqa: S101 - deleted and unfit events never come here
    return event.content
