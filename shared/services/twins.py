"""What a full listing would pair one item with, or take it for: the same entry, typed on both sides, unpaired so far.

A run compares all at once (`listing.py`); here somebody asks about a single one.
"""

import msgspec

from shared.domain.appointment import Appointment
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.operation import Item, Rules
from shared.ports import Calendar, Store
from shared.services.gather import item, matched


class AtOneTime(msgspec.Struct, frozen=True):
    """What stands at one time on both sides and is unpaired, by id; (event id, appointment id) of what is in doubt."""

    appointments: dict[str, Item]
    events: dict[str, Event]
    doubtful: list[tuple[str, str]]


def twin_of_event(store: Store, rules: Rules, event: Event) -> tuple[str, Event] | None:
    """The appointment (by its id) that an entry of the calendar would be paired with, and that entry."""
    found = matched(store, rules.studio_id, _appointments(_unpaired(store, rules)), [event]).pairs.get(event.id)
    return None if found is None else (found, event)


def twin_of_appointment(
    store: Store, calendar: Calendar, rules: Rules, appointment_id: str, appointment: Appointment
) -> tuple[str, Event] | None:
    """The same the other way round: the appointment's id, and the entry that it would be paired with."""
    free = _free_at(store, calendar, rules, appointment.content().when.shown())
    pairs = matched(store, rules.studio_id, {appointment_id: appointment}, list(free.values())).pairs
    return (appointment_id, free[next(iter(pairs))]) if pairs else None


def at_one_time(store: Store, calendar: Calendar, rules: Rules, when: str) -> AtOneTime:
    """Everything unpaired on both sides that stands at `when` (`When.shown`)."""
    here = {one_id: one for one_id, one in _unpaired(store, rules).items() if _shown(one) == when}
    there = _free_at(store, calendar, rules, when) if here else {}
    found = matched(store, rules.studio_id, _appointments(here), list(there.values()))
    return AtOneTime(here, there, list(found.doubtful))


def _unpaired(store: Store, rules: Rules) -> dict[str, Item]:
    """The user's appointments in the window that no event stands for."""
    window = store.appointments_of_user(rules.studio_id, rules.user_id, rules.window_from)
    links = store.links(rules.connection_id, list(window)) if window else {}
    unpaired = {}
    for one_id, document in window.items():
        one = item(rules.connection_id, one_id, document, links.get(one_id), None, zone=rules.time_zone)
        if one.appointment is not None and not one.appointment.cancelled and not (one.link and one.link.paired):
            unpaired[one_id] = one
    return unpaired


def _appointments(items: dict[str, Item]) -> dict[str, Appointment]:
    return {one_id: one.appointment for one_id, one in items.items() if one.appointment is not None}


def _shown(one: Item) -> str | None:
    try:
        return None if one.appointment is None else one.appointment.content().when.shown()
    except Park:
        return None


def _free_at(store: Store, calendar: Calendar, rules: Rules, when: str) -> dict[str, Event]:
    """The entries of the calendar at one time that no appointment stands for, page by page."""
    free: dict[str, Event] = {}
    page_token: str | None = None
    while True:
        page = calendar.listing(rules.window_from, page_token)
        same_time = [one for one in page.events if one.content is not None and one.content.when.shown() == when]
        paired = store.links_of_events(rules.connection_id, [one.id for one in same_time]) if same_time else {}
        free |= {one.id: one for one in same_time if one.id not in paired and one.appointment_id is None}
        if page.next_page is None:
            return free
        page_token = page.next_page
