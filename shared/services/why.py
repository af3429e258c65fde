"""Why an appointment is not in a user's calendar, and why an entry of the calendar is not in the studio (B11).

What the next run would read of this one item is read, and the plan is asked what that run would make of it: the answer
is the plan's own word, so it cannot contradict what happens then. Nothing is written and no lease is taken.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.domain import identity
from shared.domain.connection import Cause, Connection, OutboxEntry, Parked, Populate
from shared.domain.errors import Park, Stop
from shared.domain.event import Event, Insert
from shared.domain.operation import CreateAppointment, Item, Operation, Rules
from shared.domain.plan import decide, is_here
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, User
from shared.ports import Calendar, Calendars, Clock, Document, Store, Stored
from shared.services import guarding, reading
from shared.services.answer import Looked, Why, left_alone
from shared.services.apply import MANY_TRIES
from shared.services.doubts import in_doubt, recalled
from shared.services.gather import Known, colleagues_pairs, events_by_appointment, gather, known_series, notes
from shared.services.gather import item as item_of
from shared.services.opening import Closed, opened
from shared.services.places import Places
from shared.services.twins import at_one_time, twin_of_appointment, twin_of_event
from shared.services.wishes import RUNNABLE

# What a connection was paused for, and what studio and user themselves say when they are read: they have the last word.
_SAID_BY_SETTINGS = frozenset(
    {
        Reason.STUDIO_GONE,
        Reason.USER_GONE,
        Reason.EDITION,
        Reason.STUDIO_OFF,
        Reason.USER_OFF,
        Reason.NOT_SCHEDULABLE,
        Reason.INVALID,
    }
)
# What keeps out an entry that a full listing takes in all the same where it finds its twin on the other side.
_KEPT_OUT = frozenset(
    {
        Reason.ENDED_BEFORE_WINDOW,
        Reason.UNCHANGED_SINCE_CONNECTED,
        Reason.IN_EARLIER_CALENDAR,
        Reason.ONE_WAY,
        Reason.EVENT_TYPE,
        Reason.TENTATIVE,
        Reason.DECLINED,
    }
)


def why_appointment(
    studio_id: str, user_id: str, appointment_id: str, *, store: Store, calendars: Calendars, clock: Clock
) -> Why:
    """Why an appointment is (not) in a user's calendar.

    Raises:
        Retry: calendar or storage does not answer just now.
    """
    inquiry = _open(studio_id, user_id, store, calendars, clock)
    if isinstance(inquiry, Why):
        usable = identity.usable(studio_id) and identity.usable(appointment_id)
        document = store.appointments(studio_id, [appointment_id]).get(appointment_id) if usable else None
        if inquiry.reason is Reason.USER_GONE and document is not None and user_id in _ids(document, "resource_ids"):
            inquiry = msgspec.structs.replace(inquiry, reason=Reason.NOT_SCHEDULABLE)
        return msgspec.structs.replace(inquiry, appointment_id=appointment_id)
    try:
        return inquiry.told(inquiry.about_appointment(appointment_id))
    except Stop as lost:
        return inquiry.told(Why(reason=lost.reason, appointment_id=appointment_id))


def why_event(studio_id: str, user_id: str, event_id: str, *, store: Store, calendars: Calendars, clock: Clock) -> Why:
    """Why an entry of a user's calendar is (not) in the studio.

    Raises:
        Retry: calendar or storage does not answer just now.
    """
    inquiry = _open(studio_id, user_id, store, calendars, clock)
    if isinstance(inquiry, Why):
        return msgspec.structs.replace(inquiry, event_id=event_id)
    try:
        return inquiry.told(inquiry.about_event(event_id))
    except Stop as lost:
        return inquiry.told(Why(reason=lost.reason, event_id=event_id))


def _open(studio_id: str, user_id: str, store: Store, calendars: Calendars, clock: Clock) -> "_Inquiry | Why":
    """Everything up to the item: or why nothing of this user syncs at all."""
    known = opened(studio_id, user_id, store)
    if isinstance(known, Closed):
        return Why(reason=known.reason, field=known.field, detail=known.detail)
    stored, user = known.connection, known.user
    calendar = calendars.open(stored.id, stored.value)
    inquiry = _Inquiry(stored.id, stored.value, known.studio, user, store, calendar, clock.now())
    rests = inquiry.rests()
    if rests is not None:
        return inquiry.told(Why(reason=rests, at=inquiry.next_run))
    if not stored.value.is_of(user.sync.chosen_calendar):
        # Which of the two calendars it will be in is decided when the run has gone over.
        detail = "the next run goes over to the chosen one"
        return inquiry.told(Why(reason=Reason.SWITCHED, detail=detail, at=inquiry.next_run))
    return inquiry


class _Inquiry:
    """What is known of one connection while a question about one of its items is answered."""

    def __init__(
        self,
        connection_id: str,
        connection: Connection,
        studio: Studio,
        user: User,
        store: Store,
        calendar: Calendar,
        now: dt.datetime,
    ) -> None:
        self.calendar = calendar
        self._id = connection_id
        self._connection = connection
        self._user = user
        self._store = store
        self._now = now
        self._populate: Populate | None = reading.to_list(connection, user.sync, now)
        self._rules: Rules = reading.rules_of(connection_id, connection, studio, user.sync, now, self._populate)
        self._places = Places(store, calendar, self._rules)

    @property
    def next_run(self) -> dt.datetime | None:
        """When the next run is due, now if one is under way; None: not before somebody acts."""
        due = self._now if self._connection.held_by_another("", self._now) else self._connection.next_sync_at
        return None if due is None else self._connection.soonest(max(due, self._now))

    def rests(self) -> Reason | None:
        """Why this connection does not sync though studio and user would have it."""
        connection = self._connection
        if connection.state not in RUNNABLE:
            return connection.state_reason or Reason.NOT_CONNECTED
        return connection.state_reason if connection.state_reason not in _SAID_BY_SETTINGS else None

    def told(self, why: Why) -> Why:
        """An answer, with where it was found."""
        connection = self._connection
        looked = Looked(
            connection_id=self._id,
            state=connection.state,
            synced_at=connection.synced_at,
            next_sync_at=connection.next_sync_at,
            running=connection.held_by_another("", self._now),
        )
        return msgspec.structs.replace(why, looked=looked)

    def about_appointment(self, appointment_id: str) -> Why:
        """The answer for an appointment, given by its id."""
        if not identity.usable(appointment_id):
            return Why(reason=Reason.NO_SUCH_APPOINTMENT, appointment_id=appointment_id)
        document, link = self._places.document(appointment_id), self._places.link(appointment_id)
        if document is None and link is None:
            place = self._places.of_id(appointment_id)
            if place is None:
                return Why(reason=Reason.NO_SUCH_APPOINTMENT, appointment_id=appointment_id)
            return self._about_regular(*place, None)
        if link is not None:
            return self.about(appointment_id, self.calendar.get([link.event_id])[0])
        return self.about(appointment_id, None if document is None else self._places.instance_of(document))

    def _about_regular(self, series_id: str, slot: str, event: Event | None) -> Why:
        """The answer for an occurrence that the studio has as its series: it goes the way of that, unless somebody has
        changed just this one in the calendar. `event`: the instance, if it is known.
        """
        changed = self._places.changed_instance(series_id, slot, event)
        if changed is None:
            return self.about_appointment(series_id)
        return self.about(identity.occurrence(series_id, slot), changed)

    def about_event(self, event_id: str) -> Why:
        """The answer for an entry of the calendar, given by its id."""
        nothing = Why(reason=Reason.NO_SUCH_ENTRY, event_id=event_id)
        if not event_id or not identity.usable(f"event:{event_id}"):
            return nothing
        event = self.calendar.get([event_id])[0]
        if event.unfit is Reason.REFUSED_BY_PROVIDER and not self._store.links_of_events(self._id, [event_id]):
            return nothing  # Google takes it for no id at all.
        if event.series_event and not self._store.links_of_events(self._id, [event.series_event]):
            series = self.calendar.get([event.series_event])[0]
            if not (series.deleted or series.missing):
                return self.about_event(series.id)  # It goes the way of its series.
        appointment_id = self._appointment_of(event)
        if appointment_id is None:
            return nothing
        link = self._places.link(appointment_id)
        place = self._places.of_event(event)
        if place is not None and link is None and self._places.document(appointment_id) is None:
            return self._about_regular(*place, event)
        if link is not None and item_of(self._id, appointment_id, None, link, event).event is None:
            return Why(reason=Reason.OTHER_ENTRY, appointment_id=appointment_id, event_id=link.event_id)
        return msgspec.structs.replace(self.about(appointment_id, event), event_id=event_id)

    def _appointment_of(self, event: Event) -> str | None:
        """The appointment that an event stands for, or would become; None where the event is nothing to us."""
        place = self._places.of_event(event)
        if place is not None:
            return identity.occurrence(*place)
        by_event = self._store.links_of_events(self._id, [event.id])
        pairs = {} if by_event else colleagues_pairs(self._store, self._connection.studio_id, [event])
        left = self._store.outbox_entry(self._id, f"event:{event.id}")
        if left is not None and left.appointment_id is not None:
            pairs[event.id] = left.appointment_id
        return next(iter(events_by_appointment([event], by_event, pairs, self._connection.studio_id)), None)

    def about(self, appointment_id: str, event: Event | None) -> Why:
        """The answer for one pair; `event` as the calendar has it now, None where none was ever known."""
        entries = self._entries(appointment_id, event)
        parked = self._store.parked_item(self._id, appointment_id)
        if parked is not None and not (entries or self._populate or self._changed_since(parked, event)):
            # Nothing has happened to it since: no run looks at it.
            why = Why(reason=parked.reason, field=parked.field, detail=parked.detail, event_id=parked.event_id)
        else:
            why = self._planned(appointment_id, event, entries)
        zone = self._places.unknown_zone(appointment_id) if why.field in {"time_zone", "series_id"} else None
        if zone is not None and zone.detail in why.detail:
            detail = f"in the settings of the studio: {zone.detail}"
            why = msgspec.structs.replace(why, field=zone.field, detail=detail)
        return msgspec.structs.replace(why, appointment_id=why.appointment_id or appointment_id)

    def _planned(self, appointment_id: str, event: Event | None, entries: Sequence[OutboxEntry]) -> Why:
        """What the next run would make of it."""
        if notes(entries).tries.get(appointment_id, 0) >= MANY_TRIES:
            return Why(reason=Reason.REFUSED_BY_PROVIDER, detail="no answer, again and again")
        one, document = self._item(appointment_id, event, entries)
        if one.misfit is not None and not entries and self._user_is_missing(document):
            return Why(reason=Reason.NOT_ASSIGNED)
        operation = self._decided(one)
        if operation is not None and operation.reason in _KEPT_OUT and (twin := self._twin(one)) is not None:
            operation = self._decided(self._item(*twin, entries)[0])
            one = operation.item if operation is not None else one
        if operation is not None and self._lists and _one_sided(operation):
            operation = self._decided(self._in_doubt(one))
        if operation is None:
            return Why(reason=Reason.UNEXPECTED)
        why = self._said(operation, event, entries)
        one = operation.item
        return msgspec.structs.replace(why, appointment_id=one.appointment_id, event_id=_event_of(one))

    def _decided(self, one: Item) -> Operation | None:
        parked = self._store.parked_item(self._id, one.appointment_id) if self._connection.parked else None
        [one] = recalled(self._store, self._rules.studio_id, [one], [] if parked is None else [parked])
        try:
            return decide(one, self._rules)
        except Exception:  # noqa: BLE001 - as in a run, which logs it, tries again, and then parks the item
            return None

    # --- what the next run would read --------------------------------------------------------------------------------

    def _entries(self, appointment_id: str, event: Event | None) -> list[OutboxEntry]:
        """What the outbox says of the item; and the answer to a question about it that no run has seen yet."""
        ids = [appointment_id, f"answer:{appointment_id}", guarding.word_entry(appointment_id)]
        if event is not None:
            ids.append(f"event:{event.id}")
        found = [self._store.outbox_entry(self._id, one) for one in ids if identity.usable(one)]
        return [*(one for one in found if one is not None), *self._answers(appointment_id, event)]

    def _answers(self, appointment_id: str, event: Event | None) -> list[OutboxEntry]:
        """As `guarding.take_answers` enters them, once a run finds them in the user's settings."""
        sync, known = self._user.sync, self._connection.answered
        given: tuple[tuple[Cause, Any, str | None], ...] = (
            ("declined", sync.declined_hold, known.declined),
            ("approved", sync.approved_hold, known.approved),
        )
        entries = []
        for cause, hold_id, seen_before in given:
            if not isinstance(hold_id, str) or hold_id == seen_before or not identity.usable(hold_id):
                continue
            question = self._store.inbox(self._connection.studio_id, [hold_id]).get(hold_id)
            if question is not None and question.status == "answered":
                continue
            link = self._places.link(appointment_id)
            if link is not None and guarding.concerns(hold_id, guarding.listed(question, self._id), link):
                event_id = None if event is None else event.id
                entry = OutboxEntry(appointment_id=appointment_id, event_id=event_id, at=self._now, cause=cause)
                entries.append(entry)
        return entries

    def _item(
        self, appointment_id: str, event: Event | None, entries: Sequence[OutboxEntry]
    ) -> tuple[Item, Stored[Document] | None]:
        """The item as a run gathers it, and its document."""
        events = []
        place = None if event is None else self._places.of_event(event)
        if event is not None and self._reads(appointment_id, entries, led=place is not None):
            events = [notes(entries).of(event, two_way=self._rules.two_way)]
        # It is looked at because somebody asks: that names the pair, and says nothing of it.
        event_id = None if event is None else event.id
        asked = OutboxEntry(appointment_id=appointment_id, event_id=event_id, at=self._now, cause="left")
        stored = [Stored(str(place), entry, None) for place, entry in enumerate((*entries, asked))]
        gathered = gather(self._store, self._id, self._connection, stored, events, {}, self._rules.time_zone)
        document = gathered.documents.get(appointment_id)
        whole = [*gathered.items, *(self._with_series(one, document, events) for one in gathered.occurrences)]
        one = next(one for one in whole if one.appointment_id == appointment_id)
        if place is not None and document is None and not one.series_id:
            series_id, slot = place
            one = self._with_series(msgspec.structs.replace(one, series_id=series_id, slot=slot), None, events)
        baseline = self._populate is not None and self._populate.baseline
        return msgspec.structs.replace(one, unread=one.unread or baseline), document

    def _with_series(self, one: Item, document: Stored[Document] | None, events: Sequence[Event]) -> Item:
        """An occurrence, and its series as it is now."""
        fresh = item_of(
            self._id,
            one.appointment_id,
            document,
            self._places.link(one.appointment_id),
            next(iter(events), one.event),
            one.changed_at,
            zone=self._rules.time_zone,
            place=(one.series_id, one.slot),
            known={one.series_id: self._series(one.series_id)},
        )
        said = {name: getattr(one, name) for name in ("verdict", "unread", "earlier", "withdrawn")}
        return msgspec.structs.replace(fresh, **said)

    def _series(self, series_id: str) -> Known:
        """A series as the next run comes to its occurrences: entered, if it is to be, or parked."""
        known = known_series(self._store, self._connection.studio_id, self._id, [series_id])[series_id]
        entries = self._entries(series_id, None) if identity.usable(series_id) else []
        parked = self._store.parked_item(self._id, series_id) if identity.usable(series_id) and not entries else None
        if parked is not None:
            return msgspec.structs.replace(known, misfit=Park(parked.reason, parked.field, parked.detail))
        if known.document is None or (known.link is not None and known.link.paired):
            return known
        entered = self._decided(self._item(series_id, None, entries)[0])
        if entered is None or entered.link is None or not entered.link.paired:
            return known
        return msgspec.structs.replace(known, link=entered.link)

    def _reads(self, appointment_id: str, entries: Sequence[OutboxEntry], *, led: bool) -> bool:
        """Whether a run sees the event as it is now; otherwise it takes the event of a pair to be as last agreed.

        `led`: it is an instance of a series that is in this calendar.
        """
        if self._rules.two_way or self._lists or any(entry.event_id is not None for entry in entries):
            return True
        link = self._places.link(appointment_id)
        return not led if link is None else link.state in {"leaving", "gone"}

    @property
    def _lists(self) -> bool:
        """Whether the next run lists the calendar in full."""
        return self._populate is not None and not self._populate.listed

    def _changed_since(self, parked: Parked, event: Event | None) -> bool:
        changed = None if event is None else event.updated
        return self._rules.two_way and changed is not None and changed >= parked.since

    def _user_is_missing(self, document: Stored[Document] | None) -> bool:
        """Of a document that does not fit the contract: no run of this user meets it."""
        if document is None:
            return False
        series_id = document.value.get("series_id")
        if document.value.get("user_ids") is None and identity.usable(series_id) and series_id != document.id:
            return self._user_is_missing(self._places.document(str(series_id)))
        return self._connection.user_id not in _ids(document, "user_ids")

    def _twin(self, one: Item) -> tuple[str, Event] | None:
        """What a full listing pairs it with: the same entry, typed on both sides."""
        if not self._lists or (one.link is not None and one.link.paired):
            return None
        if one.event is not None:
            return twin_of_event(self._store, self._rules, one.event)
        if one.appointment is None:
            return None
        return twin_of_appointment(self._store, self.calendar, self._rules, one.appointment_id, one.appointment)

    def _in_doubt(self, one: Item) -> Item:
        """With what a full listing would ask a person about it."""
        content = one.event.content if one.event is not None else None
        try:
            content = content or (None if one.appointment is None else one.appointment.content())
        except Park:
            content = None
        if content is None:
            return one
        store, rules = self._store, self._rules
        beside = at_one_time(store, self.calendar, rules, content.when.shown())
        own = None if one.event is None else one.event.id
        doubtful = [(event, other) for event, other in beside.doubtful if event == own or other == one.appointment_id]
        entries = [
            item_of(self._id, self._appointment_of(beside.events[event]) or "", None, None, beside.events[event])
            for event in dict.fromkeys(event for event, _ in doubtful)
        ]
        found, _ = in_doubt(store, doubtful, list(beside.appointments.values()), entries, rules)
        doubts = [doubt for entry in found for doubt in entry.doubts]
        return msgspec.structs.replace(one, doubts=(*one.doubts, *doubts))

    # --- what the plan says, for the person who asks -----------------------------------------------------------------

    def _said(self, operation: Operation, event: Event | None, entries: Sequence[OutboxEntry]) -> Why:
        one, park = operation.item, operation.parked
        if park is not None:
            return Why(reason=park.reason, field=park.field, detail=park.detail)
        if operation.doubt:
            return Why(reason=operation.reason)
        pairs_up = operation.link is not None and not (one.link is not None and one.link.paired)
        if operation.calendar is None and operation.studio is None and not (operation.more or pairs_up):
            return left_alone(operation, event, self._rules, self._connection.hold)
        at = self._when(one, event, entries)
        if operation.reason is Reason.CHANGED_IN_CALENDAR and not is_here(one, self._rules):
            # The first of two steps: what was edited there is saved, then it goes.
            return Why(reason=Reason.LEFT_USER, at=at)
        after = operation.link or one.link
        if after is None or after.state != "paired":
            return Why(reason=operation.reason, at=at)
        tries = notes(entries).tries.get(one.appointment_id, 0)
        detail = f"tried {tries} times so far" if tries else ""
        return Why(reason=Reason.WAITING, detail=detail, at=at, then=operation.reason)

    def _when(self, one: Item, event: Event | None, entries: Sequence[OutboxEntry]) -> dt.datetime | None:
        """When a run looks at it: the next one, if it has been told of a change; else when everything is compared."""
        next_run, connection = self.next_run, self._connection
        etag = None if one.link is None else one.link.etag
        fresh = self._rules.two_way and event is not None and (event.deleted or event.etag != etag)
        if next_run is None or entries or self._populate is not None or fresh:
            return next_run
        reconciled = connection.reconciled_at or connection.since
        updated = None if one.appointment is None else one.appointment.updated_at
        if updated is not None and updated >= reconciled - reading.OVERLAP:
            return max(next_run, reconciled + reading.BY_UPDATED_AT)
        return max(next_run, (connection.listed_at or connection.since) + reading.IN_FULL)


def _one_sided(operation: Operation) -> bool:
    """Whether it is entered, or left out, with nothing on the other side that it is paired with."""
    creates = isinstance(operation.calendar, Insert) or isinstance(operation.studio, CreateAppointment)
    return operation.parked is None and (creates or operation.reason in _KEPT_OUT)


def _event_of(one: Item) -> str | None:
    """The event that stands for an appointment now."""
    if one.event is not None:
        return one.event.id
    return one.link.event_id if one.link is not None and one.link.paired else None


def _ids(document: Stored[Document], field: str) -> Sequence[object]:
    """A list of ids as a front-end wrote it, if that is what it is."""
    ids = document.value.get(field)
    return ids if isinstance(ids, list | tuple) else ()
