"""The first paragraph of a run: everything known about the items in question, read in as few requests as there are
kinds of documents.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from shared.domain import identity
from shared.domain.appointment import Appointment, read_appointment
from shared.domain.connection import Connection, OutboxEntry
from shared.domain.content import Content, When
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.inbox import PUT_BACK, TAKE_OFF
from shared.domain.link import Link, succeeded
from shared.domain.occurrence import read_occurrence, slot_in
from shared.domain.operation import Earlier, Item, Series, Verdict
from shared.domain.pairing import doubtful, pair
from shared.ports import Calendar, Document, Store, Stored

Documents = Mapping[str, Stored[Document]]

# So much of an outbox is read at once: more than anybody can have left undone.
PENDING = 5_000
# So often an event may be asked for in vain, over some minutes, before it counts as gone without a listing's word.
ASKED_ENOUGH = 5


class Notes(msgspec.Struct, frozen=True):
    """What the outbox says of items, by appointment id: when the studio changed it, how often it was tried in vain,
    what a person said of its deletion, whether it is an answer that must be read; and of events by their id: to which
    appointment they belong, which a listing did not have, and which it did not have the first time it was read; and of
    series the times that they had before the studio gave them others.
    """

    changed_at: Mapping[str, dt.datetime]
    tries: Mapping[str, int]
    verdicts: Mapping[str, Verdict]
    answered: Collection[str]
    pairs: Mapping[str, str]
    absent: Collection[str]
    unread: Collection[str]
    formers: Mapping[str, Sequence[When]]

    def of(self, event: Event, *, two_way: bool) -> Event:
        """The event, taken as deleted if it cannot be found and that has been verified.

        Where the calendar is a mirror there is nothing to lose: the studio's fields win whatever is found.
        """
        if not event.missing:
            return event
        enough = self.tries.get(self.pairs.get(event.id, ""), 0) >= ASKED_ENOUGH
        return Event(id=event.id) if event.id in self.absent or enough or not two_way else event


def notes(entries: Iterable[OutboxEntry]) -> Notes:
    changed_at: dict[str, dt.datetime] = {}
    tries: dict[str, int] = {}
    verdicts: dict[str, Verdict] = {}
    answered: set[str] = set()
    pairs: dict[str, str] = {}
    absent: set[str] = set()
    unread: set[str] = set()
    formers: dict[str, list[When]] = {}
    for entry in entries:
        appointment_id = entry.appointment_id
        if appointment_id is None:
            continue
        # An item may have an entry of its own, and one of its event's.
        tries[appointment_id] = max(tries.get(appointment_id, 0), entry.tries)
        if entry.changed_at is not None:
            changed_at[appointment_id] = entry.changed_at
        if entry.former is not None:
            formers.setdefault(appointment_id, []).append(entry.former)
        match entry.cause:
            case "approved" | "declined" as verdict:
                verdicts[appointment_id] = verdict
            case "answered":
                answered.add(appointment_id)
        if entry.event_id is not None:
            pairs[entry.event_id] = appointment_id
            if entry.cause in {"missing", "unread", "approved", "declined"}:
                absent.add(entry.event_id)
            if entry.cause == "unread":
                unread.add(entry.event_id)
    return Notes(changed_at, tries, verdicts, answered, pairs, absent, unread, formers)


class Gathered(msgspec.Struct, frozen=True):
    """Items to decide on, and the appointment documents that they were read from (for conditional writes).

    `occurrences` are those that belong to a series, and `instances` the events that do: what they are is told by their
    series, when that has been settled (`occurrences.py`). `listed`: the calendar is listed in full, so all of its
    instances are met; `unread`: it was not read before, so what stands there is taken as it is.
    """

    items: tuple[Item, ...]
    documents: Documents
    occurrences: tuple[Item, ...] = ()
    instances: tuple[Event, ...] = ()
    listed: bool = False
    unread: bool = False


def gather(
    store: Store,
    connection_id: str,
    connection: Connection,
    entries: Sequence[Stored[OutboxEntry]],
    events: Sequence[Event],
    also: Documents,
    zone: str = "",
) -> Gathered:
    """Items for what the outbox names, for what came from the calendar, and for the documents in `also`; one item
    where all mean the same pair. With an occurrence comes its series, where nothing ties that to the calendar yet: it
    has changed with its occurrence. `zone`: of appointments that do not name theirs.
    """
    studio_id = connection.studio_id
    known = notes(entry.value for entry in entries)
    by_event = store.links_of_events(connection_id, [event.id for event in events]) if events else {}
    colleagues = colleagues_pairs(store, studio_id, [e for e in events if e.id not in by_event])
    singles = [event for event in events if not event.series_event]
    event_of = events_by_appointment(singles, by_event, {**colleagues, **known.pairs}, studio_id)
    links = {link.appointment_id: link for link in by_event.values()}
    named = [entry.value.appointment_id for entry in entries if entry.value.appointment_id is not None]
    wanted = list(dict.fromkeys([*named, *event_of, *also]))
    if unknown := [appointment_id for appointment_id in wanted if appointment_id not in links]:
        links |= store.links(connection_id, unknown)
    unread = [appointment_id for appointment_id in wanted if appointment_id not in also]
    documents = {**also, **(store.appointments(studio_id, unread) if unread else {})}
    changed_at = dict(known.changed_at)
    if led := _series_of(documents, wanted):
        links |= store.links(connection_id, sorted(led.keys() - links.keys()))
        led = {one: by for one, by in led.items() if one not in links}
        changed_at |= {one: at for one, by in led.items() if (at := _latest(by, changed_at, documents)) is not None}
        wanted += [one for one in led if one not in wanted]
        documents |= store.appointments(studio_id, [one for one in led if one not in documents])
    items = [
        item(
            connection_id,
            appointment_id,
            documents.get(appointment_id),
            links.get(appointment_id),
            event_of.get(appointment_id),
            changed_at.get(appointment_id),
            zone=zone,
        )
        for appointment_id in wanted
    ]
    whole = with_notes(store, connection, items, known)
    return Gathered(
        tuple(one for one in whole if not one.series_id),
        documents,
        occurrences=tuple(one for one in whole if one.series_id),
        instances=tuple(event for event in events if event.series_event),
    )


def _series_of(documents: Documents, appointment_ids: Iterable[str]) -> dict[str, list[str]]:
    """The series (appointment id) of those documents that are occurrences, each with its occurrences."""
    result: dict[str, list[str]] = {}
    for appointment_id in appointment_ids:
        document = documents.get(appointment_id)
        try:
            place = None if document is None else slot_in(document.value, appointment_id)
        except Park:
            continue  # It is parked, with its reason, when its own turn comes.
        if place is not None and identity.usable(place[0]):
            result.setdefault(place[0], []).append(appointment_id)
    return result


def _latest(
    appointment_ids: Iterable[str], changed_at: Mapping[str, dt.datetime], documents: Documents
) -> dt.datetime | None:
    """When the last of these was changed in the studio, as far as anything tells."""
    told = [changed_at.get(one) or documents[one].value.get("updated_at") for one in appointment_ids]
    return max((at for at in told if isinstance(at, dt.datetime)), default=None)


def with_their_series(store: Store, calendar: Calendar, connection_id: str, events: Sequence[Event]) -> Sequence[Event]:
    """The events, and the series of those occurrences whose series nothing ties to this calendar yet.

    A listing may give a cancelled occurrence long before its series, and a change tells of the occurrence alone.
    """
    led: dict[str, list[Event]] = {}
    for event in events:
        if event.series_event:
            led.setdefault(event.series_event, []).append(event)
    unknown = led.keys() - {event.id for event in events}
    if not unknown:
        return events
    unknown -= store.links_of_events(connection_id, sorted(unknown)).keys()
    found = calendar.get(sorted(unknown)) if unknown else []
    series = [_changed_with(event, led[event.id]) for event in found if not (event.deleted or event.missing)]
    return [*events, *series]


def _changed_with(series: Event, occurrences: Iterable[Event]) -> Event:
    """A series has changed with its occurrences; that one was cancelled says nothing of the rest."""
    changed = [one.updated for one in (series, *occurrences) if one.updated is not None and not one.deleted]
    return msgspec.structs.replace(series, updated=max(changed, default=None))


def with_notes(store: Store, connection: Connection, items: Sequence[Item], known: Notes) -> list[Item]:
    """The items with what else is known of them: persons' answers, and what earlier calendars have."""
    earlier = in_earlier_calendars(store, connection, [one.appointment_id for one in items])
    items = [msgspec.structs.replace(one, earlier=earlier.get(one.appointment_id, ())) for one in items]
    asked = {
        one.appointment_id: link.asked
        for one in items
        for link in (one.question, one.link)
        if link is not None and link.asked is not None and one.appointment_id in known.answered
    }
    answers = store.inbox(connection.studio_id, sorted(asked.values())) if asked else {}
    verdicts = dict(known.verdicts)
    for appointment_id, question in asked.items():
        match answers[question].answer if question in answers else None:
            case "take_off":
                verdicts[appointment_id] = TAKE_OFF
            case "put_back":
                verdicts[appointment_id] = PUT_BACK
    withdrawn = withdrawn_by_us(store, connection.studio_id, items)
    return [
        msgspec.structs.replace(
            one,
            verdict=verdicts.get(one.appointment_id),
            unread=one.unread or (one.event is not None and one.event.id in known.unread),
            withdrawn=one.appointment_id in withdrawn,
        )
        for one in items
    ]


def in_earlier_calendars(
    store: Store, connection: Connection, appointment_ids: Sequence[str]
) -> dict[str, tuple[Earlier, ...]]:
    """What the calendars that the user had before have of each appointment: a pair, or perhaps an event that a run
    there entered and could not record. That may be where it left the appointment in its outbox, or a listing half way.
    """
    result: dict[str, tuple[Earlier, ...]] = {}
    for connection_id in connection.earlier if appointment_ids else ():
        links = store.links(connection_id, appointment_ids)
        unrecorded = set(appointment_ids) - links.keys()
        if unrecorded:
            stored = store.connection(connection_id)
            if stored is None or stored.value.populate is None:
                unrecorded &= {one.value.appointment_id for one in store.outbox(connection_id, PENDING)}
        found = {one: Earlier(connection_id=connection_id, link=link) for one, link in links.items() if link.paired}
        found |= {one: Earlier(connection_id=connection_id) for one in unrecorded}
        result |= {one: (*result.get(one, ()), earlier) for one, earlier in found.items()}
    return result


def colleagues_pairs(store: Store, studio_id: str, events: Iterable[Event]) -> dict[str, str]:
    """Event id to appointment id for invitations to events that the studio keeps in the host's own calendar."""
    hosts = {
        event.id: event.organizer
        for event in events
        if not event.own and event.organizer and event.appointment_id is None and not event.deleted
    }
    links = store.links_of_colleagues(studio_id, hosts) if hosts else {}
    return {event_id: link.appointment_id for event_id, link in links.items() if link.state == "paired"}


def withdrawn_by_us(store: Store, studio_id: str, items: Iterable[Item]) -> set[str]:
    """Those whose event went with the host's own entry, which is in a colleague's calendar no more.

    Where the host's entry still stands, it is the guest who has declined.
    """
    guests = {
        one.link.event_id: one
        for one in items
        if one.link is not None and one.link.state == "paired" and one.link.organizer
        if one.event is not None and one.event.deleted
    }
    hosts = {event_id: one.link.organizer for event_id, one in guests.items() if one.link is not None}
    links = store.links_of_colleagues(studio_id, hosts) if hosts else {}
    return {guests[event_id].appointment_id for event_id, link in links.items() if link.state != "paired"}


def events_by_appointment(
    events: Iterable[Event], by_event: Mapping[str, Link], pairs: Mapping[str, str], studio_id: str
) -> dict[str, Event]:
    """Appointment id to the event that stands for it; `pairs` are those found otherwise, by event id.

    Two events may claim one appointment: a deleted one, and the one that took its place. The living one counts. What is
    paired by now stays so, whatever was said of it before.
    """
    result: dict[str, Event] = {}
    for event in events:
        link = by_event.get(event.id)
        said = None if link is not None and link.paired else pairs.get(event.id)
        appointment_id = said or _appointment_of(event, link, studio_id)
        if appointment_id is None:
            continue
        other = result.get(appointment_id)
        if other is None or other.deleted or other.missing:
            result[appointment_id] = event
    return result


def _appointment_of(event: Event, link: Link | None, studio_id: str) -> str | None:
    """The appointment that an event is, or would become; None for a deleted one that we never knew."""
    if link is not None:
        return link.appointment_id
    if event.appointment_id is not None:
        return event.appointment_id
    if event.deleted or event.missing or not event.ical_uid:
        return None
    return identity.imported_appointment(studio_id, event.ical_uid, event.original_start)


def item(
    connection_id: str,
    appointment_id: str,
    document: Stored[Document] | None,
    link: Link | None,
    event: Event | None,
    changed_at: dt.datetime | None = None,
    next_generation: int = 0,
    *,
    zone: str = "",
    place: tuple[str, str] | None = None,
    known: "Mapping[str, Known] | None" = None,
) -> Item:
    """An item from what was read; a document that does not fit the contract becomes its `misfit`.

    Where no trigger told when the studio changed it, the document's own ``updated_at`` does. An occurrence, told by its
    document, its link or its `place` (series and slot), is read when its series is `known`.
    """
    appointment: Appointment | None = None
    misfit: Park | None = None
    series: Known | None = None
    try:
        if document is not None:
            place = slot_in(document.value, appointment_id)
        elif place is None and link is not None and link.series_id:
            place = link.series_id, link.slot
        if place is not None and known is not None:
            series = known.get(place[0], Known())
        if document is not None and place is None:
            appointment = read_appointment(document.value, zone)
        elif document is not None and place is not None and series is not None:
            whole = None if series.document is None else series.document.value
            appointment = read_occurrence(document.value, whole, *place, zone)
    except Park as park:
        misfit = park
    instead = link is not None and bool(link.series_event)  # Its slot names the event, whatever id that has.
    if event is not None and link is not None and link.paired and event.id != link.event_id and not instead:
        # Entered in place of a deleted one, by a run that died; or another claim to the same: the pair stands.
        generation = identity.generation_of(event.id, connection_id, appointment_id)
        succeeds = not event.deleted and generation is not None and generation > link.generation
        link, event = (succeeded(link, event.id, generation or 0), event) if succeeds else (link, None)
    if changed_at is None and appointment is not None:
        changed_at = appointment.updated_at
    return Item(
        appointment_id=appointment_id,
        appointment=appointment,
        misfit=misfit,
        link=link,
        event=event,
        changed_at=changed_at,
        next_generation=next_generation,
        series_id="" if place is None else place[0],
        slot="" if place is None else place[1],
        series=None if series is None or place is None else series.for_slot(place[1], zone),
    )


def known_series(store: Store, studio_id: str, connection_id: str, series_ids: Sequence[str]) -> "dict[str, Known]":
    """Series by their appointment ids, as they are now."""
    if not series_ids:
        return {}
    documents = store.appointments(studio_id, series_ids)
    links = store.links(connection_id, series_ids)
    return {one: Known(document=documents.get(one), link=links.get(one)) for one in series_ids}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A series as a run knows it when it comes to its occurrences: the studio's document, and what ties it here."""

    document: Stored[Document] | None = None
    link: Link | None = None
    misfit: Park | None = None

    def for_slot(self, slot: str, zone: str) -> Series:
        if self.document is None or self.misfit is not None:
            return Series(misfit=self.misfit, link=self.link)
        whole, series_id = self.document.value, self.document.id
        try:
            appointment = read_appointment(whole, zone)
            has = not appointment.cancelled and appointment.content().when.has(slot)
            regular = read_occurrence(None, whole, series_id, slot, zone) if has else None
        except Park as misfit:
            return Series(misfit=misfit, link=self.link)
        return Series(appointment=appointment, regular=regular, link=self.link)


class Matched(msgspec.Struct, frozen=True):
    """Event id to appointment id of entries that stand on both sides, and (event id, appointment id) of those that may
    be one entry: nobody but a person can tell.
    """

    pairs: Mapping[str, str]
    doubtful: Sequence[tuple[str, str]]


def matched(store: Store, studio_id: str, appointments: Mapping[str, Appointment], events: Sequence[Event]) -> Matched:
    """What is the same among entries of both sides that are unpaired so far."""
    there = {event.id: event.content for event in events if event.content is not None}
    times = {content.when.shown() for content in there.values()}
    here: dict[str, Content] = {}
    clients: dict[str, str] = {}
    for appointment_id, appointment in appointments.items():
        try:
            content = appointment.content()
        except Park:
            continue  # It is parked, with its reason, when its own turn comes.
        if content.when.shown() in times:
            here[appointment_id] = content
            if identity.usable(appointment.client_id) and appointment.client_id is not None:
                clients[appointment_id] = appointment.client_id
    names = store.client_names(studio_id, sorted(set(clients.values()))) if clients else {}
    known = {appointment_id: names[client] for appointment_id, client in clients.items() if client in names}
    pairs = pair(here, there, known)
    return Matched(pairs, doubtful(here, there, pairs))
