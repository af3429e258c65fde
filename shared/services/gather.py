"""The first paragraph of a run: everything known about the items in question, read in as few requests as there are
kinds of documents.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shared.domain import identity
from shared.domain.appointment import Appointment, read_appointment
from shared.domain.connection import OutboxEntry
from shared.domain.content import Content
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.link import Link, succeeded
from shared.domain.operation import Item
from shared.domain.pairing import pair
from shared.ports import Document, Store, Stored

Documents = Mapping[str, Stored[Document]]


class Gathered(msgspec.Struct, frozen=True):
    """Items to decide on, and the appointment documents that they were read from (for conditional writes)."""

    items: tuple[Item, ...]
    documents: Documents


def gather(
    store: Store, connection_id: str, studio_id: str, entries: Sequence[Stored[OutboxEntry]], events: Sequence[Event]
) -> Gathered:
    """Items for what the outbox names and for what came from the calendar; one item where both mean the same pair."""
    changed_at = {
        entry.value.appointment_id: entry.value.at
        for entry in entries
        if entry.value.appointment_id is not None and entry.value.event_id is None
    }
    by_event = store.links_of_events(connection_id, [event.id for event in events]) if events else {}
    event_of = events_by_appointment(events, by_event, left_pairs(entry.value for entry in entries), studio_id)
    links = {link.appointment_id: link for link in by_event.values()}
    wanted = list(dict.fromkeys([*changed_at, *event_of]))
    if unknown := [appointment_id for appointment_id in wanted if appointment_id not in links]:
        links |= store.links(connection_id, unknown)
    documents = store.appointments(studio_id, wanted) if wanted else {}
    items = tuple(
        item(
            connection_id,
            appointment_id,
            documents.get(appointment_id),
            links.get(appointment_id),
            event_of.get(appointment_id),
            at,
        )
        for appointment_id in wanted
        for at in [changed_at.get(appointment_id)]
    )
    return Gathered(items, documents)


def left_pairs(entries: Iterable[OutboxEntry]) -> dict[str, str]:
    """Event id to appointment id as an earlier run had found them: two that were to be paired are still one."""
    return {
        entry.event_id: entry.appointment_id
        for entry in entries
        if entry.event_id is not None and entry.appointment_id is not None
    }


def events_by_appointment(
    events: Iterable[Event], by_event: Mapping[str, Link], pairs: Mapping[str, str], studio_id: str
) -> dict[str, Event]:
    """Appointment id to the event that stands for it; `pairs` are those matched just now, by event id.

    Two events may claim one appointment: a deleted one, and the one that took its place. The living one counts.
    """
    result: dict[str, Event] = {}
    for event in events:
        appointment_id = pairs.get(event.id) or _appointment_of(event, by_event.get(event.id), studio_id)
        if appointment_id is not None and (appointment_id not in result or result[appointment_id].deleted):
            result[appointment_id] = event
    return result


def _appointment_of(event: Event, link: Link | None, studio_id: str) -> str | None:
    """The appointment that an event is, or would become; None for a deleted one that we never knew."""
    if link is not None:
        return link.appointment_id
    if event.appointment_id is not None:
        return event.appointment_id
    if event.deleted:
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
) -> Item:
    """An item from what was read; a document that does not fit the contract becomes its `misfit`."""
    appointment: Appointment | None = None
    misfit: Park | None = None
    if document is not None:
        try:
            appointment = read_appointment(document.value)
        except Park as park:
            misfit = park
    if event is not None and link is not None and link.paired and event.id != link.event_id:
        # Entered in place of a deleted one, by a run that died; or another claim to the same: the pair stands.
        generation = identity.generation_of(event.id, connection_id, appointment_id)
        succeeds = not event.deleted and generation is not None and generation > link.generation
        link, event = (succeeded(link, event.id, generation or 0), event) if succeeds else (link, None)
    return Item(
        appointment_id=appointment_id,
        appointment=appointment,
        misfit=misfit,
        link=link,
        event=event,
        changed_at=changed_at,
        next_generation=next_generation,
    )


def matched(
    store: Store, studio_id: str, appointments: Mapping[str, Appointment], events: Sequence[Event]
) -> dict[str, str]:
    """Event id to appointment id for entries that stand on both sides, unpaired so far."""
    there = {event.id: event.content for event in events if event.content is not None}
    times = {content.when for content in there.values()}
    here: dict[str, Content] = {}
    clients: dict[str, str] = {}
    for appointment_id, appointment in appointments.items():
        try:
            content = appointment.content()
        except Park:
            continue  # It is parked, with its reason, when its own turn comes.
        if content.when in times:
            here[appointment_id] = content
            if identity.usable(appointment.client_id) and appointment.client_id is not None:
                clients[appointment_id] = appointment.client_id
    names = store.client_names(studio_id, sorted(set(clients.values()))) if clients else {}
    known = {appointment_id: names[client] for appointment_id, client in clients.items() if client in names}
    return pair(here, there, known)
