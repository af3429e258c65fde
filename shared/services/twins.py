"""What a full listing would pair one item with: the same entry, typed on both sides, unpaired so far.

A run compares all at once (`listing.py`); here somebody asks about a single one.
"""

from shared.domain.appointment import Appointment
from shared.domain.event import Event
from shared.domain.operation import Rules
from shared.ports import Calendar, Store
from shared.services.gather import item, matched


def twin_of_event(store: Store, rules: Rules, event: Event) -> tuple[str, Event] | None:
    """The appointment (by its id) that an entry of the calendar would be paired with, and that entry."""
    window = store.appointments_of_user(rules.studio_id, rules.user_id, rules.window_from)
    links = store.links(rules.connection_id, list(window)) if window else {}
    unpaired = {}
    for one_id, document in window.items():
        one = item(rules.connection_id, one_id, document, links.get(one_id), None, zone=rules.time_zone)
        if one.appointment is not None and not one.appointment.cancelled and not (one.link and one.link.paired):
            unpaired[one_id] = one.appointment
    found = matched(store, rules.studio_id, unpaired, [event]).get(event.id)
    return None if found is None else (found, event)


def twin_of_appointment(
    store: Store, calendar: Calendar, rules: Rules, appointment_id: str, appointment: Appointment
) -> tuple[str, Event] | None:
    """The same the other way round: the appointment's id, and the entry that it would be paired with."""
    when = appointment.content().when.shown()
    page_token: str | None = None
    while True:
        page = calendar.listing(rules.window_from, page_token)
        same_time = [one for one in page.events if one.content is not None and one.content.when.shown() == when]
        paired = store.links_of_events(rules.connection_id, [one.id for one in same_time]) if same_time else {}
        free = {one.id: one for one in same_time if one.id not in paired and one.appointment_id is None}
        pairs = matched(store, rules.studio_id, {appointment_id: appointment}, list(free.values()))
        if pairs:
            return appointment_id, free[next(iter(pairs))]
        if page.next_page is None:
            return None
        page_token = page.next_page
