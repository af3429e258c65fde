"""Where something belongs that is asked for by its id: to which series, and to which slot of it."""

import msgspec

from shared.domain import identity, zones
from shared.domain.appointment import read_appointment
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.link import Link
from shared.domain.occurrence import slot_in
from shared.domain.operation import Rules
from shared.domain.recurrence import original_of
from shared.ports import Calendar, Document, Store, Stored
from shared.services.gather import known_series


class Places:
    """Those of one connection. A place is the appointment id of a series, and a slot."""

    def __init__(self, store: Store, calendar: Calendar, rules: Rules) -> None:
        self._store = store
        self._calendar = calendar
        self._rules = rules

    def link(self, appointment_id: str) -> Link | None:
        return self._store.links(self._rules.connection_id, [appointment_id]).get(appointment_id)

    def document(self, appointment_id: str) -> Stored[Document] | None:
        return self._store.appointments(self._rules.studio_id, [appointment_id]).get(appointment_id)

    def of_id(self, appointment_id: str) -> tuple[str, str] | None:
        """Series (appointment id) and slot of the occurrence under this id, if there is such a series."""
        series_id, _, slot = appointment_id.rpartition("_")
        try:
            original_of(slot)
        except ValueError:
            return None
        if not identity.usable(series_id):
            return None
        found = known_series(self._store, self._rules.studio_id, self._rules.connection_id, [series_id])[series_id]
        columns = () if found.link is None else (found.link.studio, found.link.calendar)
        times = [content.when for content in columns if content is not None]
        if found.document is not None:
            try:
                times.append(read_appointment(found.document.value, self._rules.time_zone).content().when)
            except Park:
                if found.document.value.get("recurrence"):
                    return series_id, slot  # Nobody can tell its occurrences: it says what is the matter.
        return (series_id, slot) if any(when.has(slot) for when in times) else None

    def instance_of(self, document: Stored[Document]) -> Event | None:
        """The instance that a document stands for, which no link names; None if there is none."""
        try:
            place = slot_in(document.value, document.id)
        except Park:
            return None
        tied = None if place is None or not identity.usable(place[0]) else self.link(place[0])
        if place is None or tied is None or not tied.paired:
            return None
        found = self._calendar.instances([(tied.event_id, place[1])])[0]
        return None if found.missing else found

    def of_event(self, event: Event) -> tuple[str, str] | None:
        """Series (appointment id) and slot of an instance; None of what is none, or nothing ties its series here."""
        if not event.series_event:
            return None
        tied = self._store.links_of_events(self._rules.connection_id, [event.series_event])
        return (tied[event.series_event].appointment_id, event.original_start) if tied else None

    def changed_instance(self, series_id: str, slot: str, event: Event | None = None) -> Event | None:
        """The instance (`event`, if it is known), where the calendar itself does not have it as its series."""
        tied = self.link(series_id)
        if tied is None or not tied.paired:
            return None
        series = self._calendar.get([tied.event_id])[0]
        instance = event or self._calendar.instances([(tied.event_id, slot)])[0]
        return instance if _differs(instance, series, slot) else None

    def unknown_zone(self, appointment_id: str) -> Park | None:
        """What is the matter with the studio's zone, where that is the one of an appointment, and nobody knows it."""
        try:
            zones.known(self._rules.time_zone)
        except Park as park:
            document = self.document(appointment_id)
            series_id = None if document is None else document.value.get("series_id")
            series = self.document(series_id) if isinstance(series_id, str) and identity.usable(series_id) else None
            named = any(one is not None and one.value.get("time_zone") for one in (document, series))
            return None if document is None or named else park
        return None


def _differs(instance: Event, series: Event, slot: str) -> bool:
    """Whether an instance is not as its series has it, in the calendar itself."""
    if series.content is None or instance.missing:
        return False
    if instance.content is None:
        return instance.unfit is not None or series.content.when.has(slot)
    if not series.content.when.has(slot) or instance.answer != series.answer:
        return True
    regular = msgspec.structs.replace(series.content, when=series.content.when.at(slot))
    return bool(instance.content.differs(regular))
