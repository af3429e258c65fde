"""Occurrences that are not as their series has them: what they are, before the plan's table decides on them.

An occurrence that nobody has changed has no document, no link, and is in no listing. Its series implies it on both
sides: what the series has at its slot stands in for what is missing, for the document (`Series.regular`) as well as for
what was last agreed (`implied`). Filled in like that it is an entry like any other.

    the series, in this calendar      its occurrence
    --------------------------------  ---------------------------------------------------------------------------------
    in step, and has the slot         an entry: what is missing of it is as the series has it
    in step, without the slot         what the studio took away goes, what the calendar keeps stays; what was edited in
                                      the studio since stands by itself
    cancelled in the studio           goes with it
    deleted in the calendar           goes with it; but what the studio edited meanwhile stands by itself
    waits for a person                waits too
    not to be entered                 is not entered either
    none of this user's               stands by itself: reassigned, it is a single entry in the other's calendar

*Stands by itself*: its event is a single one, not an instance of the series' event. If the series is no more, or has no
place for it, it becomes a single appointment in the studio, too.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain import outcomes
from shared.domain.appointment import Appointment, fields_of, read_appointment
from shared.domain.content import Content
from shared.domain.errors import Park
from shared.domain.event import Delete, Event, instance_id
from shared.domain.identity import occurrence, single, usable
from shared.domain.link import Link, buried
from shared.domain.operation import Item, LetGo, Operation, Rules, Series
from shared.domain.reasons import Reason
from shared.domain.recurrence import original_of, slot_of
from shared.domain.visibility import seen

# What an occurrence's document does not say, it has from its series.
INHERITED = (
    "kind", "title", "description", "location", "status", "busy", "private", "time_zone", "user_ids", "resource_ids",
    "client_id", "origin",
)  # fmt: skip
_TIMES = frozenset({"start", "end", "start_date", "end_date"})

Document = Mapping[str, Any]


def slot_in(document: Document, appointment_id: str) -> tuple[str, str] | None:
    """The series (appointment id) and the slot that a document is an occurrence of; None if it is none.

    Raises:
        Park: it is one, but which is not to be told, or its id is not the one that every writer gives it.
    """
    series_id = document.get("series_id")
    if series_id is None or series_id == "":
        return None
    if not usable(series_id):
        raise Park(Reason.INVALID, "series_id", "the id of the series' appointment is needed")
    original = document.get("original_start") or document.get("original_date")
    if original is None:
        raise Park(Reason.INVALID, "original_start", "it is missing")
    try:
        # Firestore has no dates: an all-day occurrence's is a text.
        slot = slot_of(original_of(original.replace("-", "")) if isinstance(original, str) else original)
    except (ValueError, TypeError, AttributeError):
        raise Park(Reason.INVALID, "original_start", "a timestamp or a date is needed") from None
    expected = occurrence(series_id, slot)
    if appointment_id != expected:
        raise Park(Reason.INVALID, "id", f"an occurrence is named after its series and its original start: {expected}")
    return series_id, slot


def read_occurrence(own: Document | None, series: Document | None, series_id: str, slot: str, zone: str) -> Appointment:
    """The occurrence of a series at a slot, from its own document as far as there is one. Raises `Park`."""
    whole = {} if series is None else {name: series[name] for name in INHERITED if series.get(name) is not None}
    said = {} if own is None else {name: value for name, value in own.items() if value is not None}
    if whole.get("status") == "cancelled":
        del whole["status"]  # That the series is cancelled is told by the series.
    if "all_day" not in said and _TIMES & said.keys():
        whole["all_day"] = "start_date" in said
    if series is not None and not _TIMES & said.keys():
        when = read_appointment(series, zone).content().when
        times = fields_of(Content(when=when.at(slot)), frozenset({"when"})) if when.has(slot) else {}
        whole |= {name: value for name, value in times.items() if value is not None}
    whole |= said
    whole.pop("recurrence", None)
    return read_appointment({**whole, "series_id": series_id, **original_fields(slot)}, zone)


def original_fields(slot: str) -> dict[str, Any]:
    """The fields of a document that say which occurrence it is."""
    original = original_of(slot)
    if len(slot) == len("20260301"):
        return {"original_date": original.isoformat()}
    return {"original_start": original}


def implied(series: Link, appointment_id: str, slot: str) -> Link | None:
    """The pair of an occurrence that is as its series has it, on both sides; None where either has no such slot."""
    studio, calendar = series.studio, series.calendar
    if studio is None or calendar is None or not (studio.when.has(slot) and calendar.when.has(slot)):
        return None
    return _as_series(series, studio, calendar, appointment_id, slot)


def _implied_before(series: Link, appointment_id: str, slot: str) -> Link | None:
    """As `implied`, by the last times of the series that had the slot."""
    former = series.former_with(slot)
    if former is None or series.studio is None or series.calendar is None:
        return None
    studio, calendar = (msgspec.structs.replace(one, when=former) for one in (series.studio, series.calendar))
    return _as_series(series, studio, calendar, appointment_id, slot)


def _as_series(series: Link, studio: Content, calendar: Content, appointment_id: str, slot: str) -> Link:
    stored = _at(calendar, slot)
    return Link(
        appointment_id=appointment_id,
        event_id=instance_id(series.event_id, slot),
        studio=_at(studio, slot),
        calendar=stored,
        etag=series.etag,
        ends_at=stored.when.ends_at,
        theirs=series.theirs,
        organizer=series.organizer,
        private_there=series.private_there,
        series_id=series.appointment_id,
        slot=slot,
        series_event=series.event_id,
    )


def _at(content: Content, slot: str) -> Content:
    return msgspec.structs.replace(content, when=content.when.at(slot))


def placed(item: Item, rules: Rules) -> Item | Operation:
    """An occurrence as an entry for the plan's table; or what becomes of it, where its series decides that.

    Raises:
        Park: its series does not fit, or has no such occurrence.
    """
    series = item.series
    assert series is not None  # noqa: S101 - the caller has looked; tells the type checker
    if series.misfit is not None and not _stands_by_itself(item.link):
        misfit = series.misfit
        raise Park(misfit.reason, "series_id", f"its series: {misfit.field} {misfit.detail}".strip())
    if entered_alone(item):
        return msgspec.structs.replace(item, link=None)
    tied, here = series.link, is_mine(series.appointment, rules)
    if tied is None:
        return _unentered(item, series, rules)
    if not here or tied.state == "gone":
        return _outlived(item, series, tied, rules)
    if tied.held is not None:
        return Operation(item=item, reason=Reason.HELD)
    if tied.state != "paired":
        return Operation(item=item, reason=Reason.WITH_SERIES)
    usual = implied(tied, item.appointment_id, item.slot)
    if usual is None or series.regular is None:
        return _outside(item, tied, rules)
    return _within(item, series.regular, tied, usual, rules)


def is_mine(appointment: Appointment | None, rules: Rules) -> bool:
    """Whether an appointment exists, is not cancelled, this user is assigned, and syncs with this calendar."""
    if appointment is None or rules.left:
        return False
    return not appointment.cancelled and rules.user_id in appointment.user_ids


def _stands_by_itself(link: Link | None) -> bool:
    return link is not None and link.paired and not link.series_event


def entered_alone(item: Item) -> bool:
    """Whether a run entered it as a single event, and died before it could say so."""
    event, link = item.event, item.link
    if event is None or event.content is None or event.series_event or event.appointment_id != item.appointment_id:
        return False
    return link is None or bool(link.series_event)


def _unentered(item: Item, series: Series, rules: Rules) -> Item | Operation:
    """Nothing ties the series to this calendar."""
    if series.appointment is not None and series.appointment.cancelled:
        if item.link is None or not item.link.paired:
            return Operation(item=item, reason=Reason.CANCELLED_IN_STUDIO)
        # Whoever has it by itself has it no more, either.
        return msgspec.structs.replace(item, appointment=None)
    if _stands_by_itself(item.link):
        return item
    if is_mine(series.appointment, rules):
        return Operation(item=item, reason=Reason.WITH_SERIES)
    link = item.link if item.link is not None and not item.link.series_event else None
    return msgspec.structs.replace(item, link=link)


def _within(item: Item, regular: Appointment, tied: Link, usual: Link, rules: Rules) -> Item | Operation:
    known = item.link
    if known is not None and known.paired and known.event_id == usual.event_id:
        # A guest who was asked to this one before he was to all of them has the same event.
        known = msgspec.structs.replace(known, series_event=tied.event_id)
    if known is None or known.series_event != tied.event_id:
        if known is not None and _stands_by_itself(known):
            # The series has come to this user too: its own instance takes the place of the single entry.
            etag = known.etag if item.event is None else item.event.etag
            alone = Delete(event_id=known.event_id, etag=etag)
            return Operation(item=item, reason=Reason.WITH_SERIES, calendar=alone, link=usual, more=True)
        if known is None and item.event is not None and item.event.deleted and _is_off(item, rules):
            return Operation(item=item, reason=Reason.GONE_ON_BOTH)  # Listings give it for as long as its series lives.
        known = _before_the_move(item, tied, usual)
    elif known.state == "gone":
        # What its instance became meanwhile nobody followed: it is compared with what the series has.
        since = _before_the_move(item, tied, usual)
        known = msgspec.structs.replace(known, studio=since.studio, calendar=since.calendar)
    return msgspec.structs.replace(item, link=known, appointment=item.appointment or regular)


def _before_the_move(item: Item, tied: Link, usual: Link) -> Link:
    """What is implied of an occurrence whose document was re-keyed, where the calendar has left it at its old time.

    That is no edit: nobody but the series has moved.
    """
    event, studio = item.event, tied.studio
    if event is None or event.content is None or item.appointment is None or studio is None:
        return usual
    told = event.content.when.shown()
    slots = ((former, studio.when.moved(item.slot, former)) for former in tied.formers)
    before = (former.at(slot) for former, slot in slots if slot is not None)
    when = next((when for when in before if when.shown() == told), None)
    if when is None:
        return usual
    columns = {"studio": usual.studio, "calendar": usual.calendar}
    moved = {name: msgspec.structs.replace(one, when=when) for name, one in columns.items() if one is not None}
    return msgspec.structs.replace(usual, **moved)


def _outside(item: Item, tied: Link, rules: Rules) -> Item | Operation:
    """The series is in step, but has no such occurrence: it was ended before, or goes by another rule now."""
    known, event = item.link, item.event
    mine, by_studio = is_mine(item.appointment, rules), tied.former_by == "studio"
    if known is not None and _stands_by_itself(known):
        return _let_go(item, known, tied, rules) if mine and _rests(known) else item
    if known is None or known.series_event != tied.event_id:
        # Nobody had changed it before: then the series as it was says what was agreed.
        known = _implied_before(tied, item.appointment_id, item.slot)
    if known is None:
        return _never_was(item, mine=mine)
    if event is not None and event.missing:
        event = Event(id=event.id, series_event=known.series_event, original_start=item.slot)
        item = msgspec.structs.replace(item, event=event)
    if event is not None and event.content is not None and (not by_studio or _is_off(item, rules)):
        return item
    if mine and not by_studio and item.appointment is not None and _edited(item.appointment, known):
        return _by_itself(item, known, rules)
    if event is not None and event.content is not None:
        # What was edited there meanwhile is in the log.
        gone = msgspec.structs.replace(item, link=known, appointment=None)
        operation = outcomes.left_studio(gone, known, seen(event, gone, rules), rules)
        return msgspec.structs.replace(operation, reason=Reason.WITH_SERIES)
    if event is not None or item.link is None or not item.link.paired:
        return Operation(item=item, reason=Reason.WITH_SERIES, link=_buried(item.link, rules))
    delete = Delete(event_id=known.event_id, etag=known.etag)
    return Operation(item=item, reason=Reason.WITH_SERIES, calendar=delete, link=_buried(known, rules))


def _never_was(item: Item, *, mine: bool) -> Item | Operation:
    """The series had no such occurrence before it was changed last, either."""
    if item.event is not None and item.event.content is not None:
        return item
    if mine:
        raise Park(Reason.INVALID, "original_start", "the series has no occurrence then")
    return Operation(item=item, reason=Reason.WITH_SERIES)


def _outlived(item: Item, series: Series, tied: Link, rules: Rules) -> Item | Operation:
    """The series is not this user's any more, or about to be taken out: nothing is deleted one by one."""
    mine, gone = is_mine(item.appointment, rules), is_gone(series.appointment)
    if item.link is not None and _stands_by_itself(item.link):
        return _let_go(item, item.link, tied, rules) if mine and gone and _rests(item.link) else item
    base = item.link or implied(tied, item.appointment_id, item.slot)
    if mine and not gone:
        return _by_itself(item, base, rules)
    base = base or _moved_meanwhile(item, tied)
    if base is None:
        return Operation(item=item, reason=Reason.WITH_SERIES)
    if mine and tied.gone_there and item.appointment is not None and _edited(item.appointment, base):
        return _by_itself(item, base, rules)
    event = item.event
    if event is None or event.content is None or not base.paired or tied.state == "gone":
        return Operation(item=item, reason=Reason.WITH_SERIES, link=_buried(item.link, rules))
    # What was edited there belongs to the appointment, or, where that was cancelled, into the log.
    appointment = series.appointment if gone else item.appointment or series.regular
    entry = msgspec.structs.replace(item, link=base, appointment=appointment)
    operation = outcomes.left_studio(entry, base, seen(event, entry, rules), rules)
    if operation.more:
        return operation
    told = bool(operation.lost) or operation.studio is not None
    reason = operation.reason if told else Reason.WITH_SERIES
    buried_one = _buried(base if operation.lost else item.link, rules)
    return msgspec.structs.replace(operation, reason=reason, calendar=None, link=buried_one)


def _moved_meanwhile(item: Item, tied: Link) -> Link | None:
    """The pair that an instance would be, of a series that was moved in the calendar and is not followed there: what
    was edited of it is told by all but its times.
    """
    event, studio, calendar = item.event, tied.studio, tied.calendar
    if event is None or event.content is None or studio is None or calendar is None:
        return None
    when = event.content.when
    studio, calendar = (msgspec.structs.replace(one, when=when) for one in (studio, calendar))
    pair = msgspec.structs.replace(tied, event_id=event.id, studio=studio, calendar=calendar, formers=())
    place = {"appointment_id": item.appointment_id, "series_id": tied.appointment_id, "slot": item.slot}
    return msgspec.structs.replace(pair, **place, series_event=tied.event_id, former_by=None, held=None, asked=None)


def _rests(link: Link) -> bool:
    """Whether nothing is under way with it: no question, and no event that was about to be replaced."""
    return link.state == "paired" and link.held is None and link.asked is None


def _let_go(item: Item, link: Link, tied: Link, rules: Rules) -> Operation:
    """A single event stands for it, and its series is no more: it becomes a single appointment in the studio too.

    Under its own id stays the tombstone of the instance: should the series come back, that is what it is compared with.
    """
    alone = single(item.series_id, item.slot, link.event_id)
    instance = {"event_id": instance_id(tied.event_id, item.slot), "series_event": tied.event_id}
    return Operation(
        item=item,
        reason=Reason.WITH_SERIES,
        studio=LetGo(alone),
        link=msgspec.structs.replace(link, appointment_id=alone, series_id="", slot=""),
        tombstone=buried(msgspec.structs.replace(link, etag="", seal="", **instance), rules.now),
    )


def _is_off(item: Item, rules: Rules) -> bool:
    return item.appointment is not None and not is_mine(item.appointment, rules)


def is_gone(appointment: Appointment | None) -> bool:
    return appointment is None or appointment.cancelled


def _by_itself(item: Item, base: Link | None, rules: Rules) -> Operation:
    """It is to be in the calendar, and its series is not, or has no place for it: it is entered as a single event."""
    assert item.appointment is not None  # noqa: S101 - it is this user's; tells the type checker
    here = item.appointment.content()
    alone = msgspec.structs.replace(item, link=None)
    if base is None or item.event is None or item.event.content is None:
        entered = outcomes.enter_again(alone, here, rules, Reason.STUDIO_EDIT_BEATS_DELETION)
    else:
        entered = outcomes.enter_with_edits(alone, here, seen(item.event, item, rules), base, rules)
    return msgspec.structs.replace(entered, more=True)


def _edited(appointment: Appointment, base: Link) -> bool:
    return base.studio is None or bool(appointment.content().differs(base.studio))


def _buried(link: Link | None, rules: Rules) -> Link | None:
    """The tombstone of what was tied; None where there is nothing to bury."""
    return buried(link, rules.now) if link is not None and link.paired else None
