"""One run for one connection: claim, gather, decide, apply, finish.

    claim ── settings ── channel ──┬── first time, populate, cursor lost, ... ──> Listing (page by page, in slices)
                                   └── otherwise ──> delta (the outbox, the changes, once a day what was updated)

The cursor is stored last, with the release of the lease, when everything that it covers is done, parked, or back in
the outbox.
"""

import datetime as dt
import enum
import logging
from typing import Any

import msgspec

from shared.domain import contract, identity
from shared.domain.channel_health import pace
from shared.domain.connection import OutboxEntry, Populate
from shared.domain.errors import CursorExpired, LeaseLost, Park, Retry, Stop
from shared.domain.event import Event
from shared.domain.mail import MailKind
from shared.domain.operation import Rules
from shared.domain.outcomes import next_generation
from shared.domain.plan import is_here
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, User, why_not
from shared.domain.studio_change import assigned
from shared.ports import Calendar, Stored
from shared.services import channels, reading
from shared.services.accounts import switch_calendar
from shared.services.apply import Applier
from shared.services.conflicts import look_for_conflicts
from shared.services.doubts import withdraw_doubts
from shared.services.gather import Documents, Gathered, gather, notes, with_their_series
from shared.services.guarding import take_answers, withdraw_question
from shared.services.listing import Listing
from shared.services.measuring import Measured
from shared.services.moving import take_out
from shared.services.occurrences import carry_out
from shared.services.run import Ports, Run, claim

log = logging.getLogger(__name__)

# Outbox entries looked at in one run; more are left for the next one, which follows at once.
OUTBOX_PAGE = 500


class Outcome(enum.StrEnum):
    """What became of a task. All of them are answers, none an error: the queue need not try again."""

    DONE = "done"
    MORE = "more"
    NOTHING_DUE = "nothing_due"
    LATER = "later"
    STOPPED = "stopped"
    TAKEN_OVER = "taken_over"
    UNREADABLE = "unreadable"


def sync_calendar(connection_id: str, ports: Ports, channel_key: bytes, queue: str = "populate") -> Outcome:
    """Run one connection, if it is due and nobody else is at it. `channel_key` signs the tokens of push channels.

    `queue` is what delivered the task: what is too much for any but `populate` goes on there.

    Raises:
        UnknownConnectionError: there is no such connection.
        Unavailable: our own storage does not answer; the task is to be tried again.
    """
    try:
        run = claim(connection_id, ports, queue)
    except msgspec.ValidationError:
        # Trying again at once would only slow the queue. It stays due: each tick finds out whether it is well again.
        log.error("connection cannot be read", extra={"connection": connection_id})  # noqa: TRY400 - it may quote
        _say(connection_id, queue, Outcome.UNREADABLE)
        return Outcome.UNREADABLE
    if run is None:
        _say(connection_id, queue, Outcome.NOTHING_DUE)
        return Outcome.NOTHING_DUE
    measured = Measured(run)
    try:
        outcome = _carried_out(run, channel_key, measured)
    except LeaseLost:
        outcome = Outcome.TAKEN_OVER
    _say(connection_id, queue, outcome, measured)
    return outcome


def _say(connection_id: str, queue: str, outcome: Outcome, measured: Measured | None = None) -> None:
    """The one line of a run in the log, for alert policies as well."""
    numbers = {} if measured is None else measured.fields()
    log.info("run", extra={"connection": connection_id, "outcome": outcome.value, "queue": queue, **numbers})


def _carried_out(run: Run, channel_key: bytes, measured: Measured) -> Outcome:
    """The run, and what is left behind where it cannot go through. Raises `LeaseLost`."""
    try:
        try:
            studio, user = _settings(run)
        except Park as park:
            channels.end_channel(run, run.ports.calendars.open(run.connection_id, run.connection, run.pace))
            if park.reason is Reason.SWITCHED:
                withdraw_question(run)
                withdraw_doubts(run)
            run.stop(park.reason)
            return Outcome.STOPPED
        return _Sync(run, studio, user, channel_key, measured).carry_out()
    except LeaseLost:
        raise
    except Stop as stop:
        channels.retire_channel(run)
        run.stop(stop.reason)
        return Outcome.STOPPED
    except Retry as retry:
        run.retry_later(retry)
        return Outcome.LATER
    except Exception:
        # Nobody foresaw this. Without an answer the connection would lie still until the lease runs out.
        log.exception("run failed unexpectedly", extra={"connection": run.connection_id, "run": run.id})
        run.retry_later(Retry("unexpected"))
        return Outcome.LATER


def _settings(run: Run) -> tuple[Studio, User]:
    """What studio and user have chosen. Where that is another calendar, it is switched to, and this one is to rest.

    Raises `Park` where they are not to sync (here), or one of their settings does not fit the contract.
    """
    documents = run.ports.store.settings(run.connection.studio_id, run.connection.user_id)
    studio = None if documents[0] is None else contract.read(documents[0], Studio)
    user = None if documents[1] is None else contract.read(documents[1], User)
    if user is None:
        reason: Reason | None = Reason.USER_GONE
    elif user.connection is not None and user.connection.id != run.connection_id:
        reason = Reason.SWITCHED
    elif user.connection is None and run.connection.state != "connected":
        reason = Reason.NOT_CONNECTED  # Made anew: consent was given by the one before.
    else:
        reason = why_not(studio, user)
    if reason is None and studio is not None and user is not None:
        chosen = user.sync.chosen_calendar
        if chosen is not None and not run.connection.is_of(chosen) and switch_calendar(run, studio, chosen):
            reason = Reason.SWITCHED
    if reason is not None:
        raise Park(reason)
    assert studio is not None and user is not None  # noqa: PT018, S101 - why_not has a reason where one is missing
    return studio, user


class _Sync:
    """What the paragraphs of one run share."""

    def __init__(self, run: Run, studio: Studio, user: User, channel_key: bytes, measured: Measured) -> None:
        self.run = run
        self.studio = studio
        self.user = user
        self.channel_key = channel_key
        self.measured = measured
        self.two_way = user.sync.two_way_appointments
        self.populate = reading.to_list(run.connection, user.sync, run.started_at)
        self.calendar: Calendar = run.ports.calendars.open(run.connection_id, run.connection, run.pace)

    def carry_out(self) -> Outcome:
        self._read_less()
        if self.two_way:
            channels.keep_channel(self.run, self.calendar, self.channel_key)
        else:
            channels.end_channel(self.run, self.calendar)
        if self.run.connection.populate is not None and self.populate is None:
            self.run.note(populate=None)
        take_answers(self.run, self.user.sync)
        entries = self.run.ports.store.outbox(self.run.connection_id, OUTBOX_PAGE)
        if self.populate is None:
            try:
                return self._delta(entries)
            except CursorExpired:
                # Listing in full imports nothing unasked: the scope is the same as for deltas.
                asked = reading.reading_of(self.user.sync)
                self.populate = Populate(started_at=self.run.started_at, reading=asked)
        return self._listing(entries, self.populate)

    def _read_less(self) -> None:
        """Note what is not read any more, so that it is listed should it be wanted again.

        Where two-way was turned off, what happens in the calendar from now on stays there.
        """
        connection, asked = self.run.connection, reading.reading_of(self.user.sync)
        if reading.turned_off(connection, asked):
            self.run.note(**{"cursors.calendar": None})
        left = reading.narrowed(connection, asked)
        if left is not None and left != connection.reading:
            self.run.note(reading=msgspec.to_builtins(left))
            self.run.know(reading=left)

    def _delta(self, entries: list[Stored[OutboxEntry]]) -> Outcome:
        store, connection = self.run.ports.store, self.run.connection
        events: dict[str, Event] = {}
        cursor = connection.cursors.calendar if self.two_way else None
        if cursor is not None:
            events, cursor = self._changes(cursor)
        changed = frozenset(events)
        updated, fields = self._updated()
        fields["cursors.calendar"] = cursor
        if not (events or entries or updated):
            return self._finish(fields, entries)
        applier = self._applier(entries)
        applier.forget_parked({event.id for event in events.values() if event.deleted})
        asked = self._unread(entries, applier) - events.keys()
        found = self.calendar.get(sorted(asked)) if asked else []
        events |= {event.id: applier.notes.of(event, two_way=self.two_way) for event in found}
        with_series = with_their_series(store, self.calendar, self.run.connection_id, list(events.values()))
        zone = applier.rules.time_zone
        gathered = gather(store, self.run.connection_id, connection, entries, with_series, updated, zone)
        if not self.two_way:
            gathered = self._with_unrecorded(gathered, applier.rules)
        carried = carry_out(applier, gathered)
        # What is news to the studio was done by somebody else: our own writes come back as what was agreed.
        theirs = [one.item.event for one in carried.operations if one.studio is not None and one.item.event is not None]
        theirs = [event for event in theirs if event.id in changed]
        channels.suspect(self.run, theirs)
        self.measured.carried(carried.operations, [one.value for one in entries], [one.updated for one in theirs])
        if not carried.complete:
            self.run.release({}, self.run.ports.clock.now())
            return Outcome.MORE
        return self._finish(fields, entries, applier=applier)

    def _updated(self) -> tuple[Documents, dict[str, Any]]:
        """Once a day, in case a trigger was lost: the studio's documents written since, as far as they concern us."""
        since = reading.to_reconcile(self.run.connection, self.run.started_at)
        if since is None:
            return {}, {}
        store, connection = self.run.ports.store, self.run.connection
        documents = store.appointments_changed(connection.studio_id, since)
        mine = {one for one, found in documents.items() if connection.user_id in assigned(found.value)}
        others = {one: one for one in documents if one not in mine}
        for one in others:
            # An occurrence need not say whom it is assigned to: it has that from its series.
            series_id = documents[one].value.get("series_id")
            others[one] = str(series_id) if identity.usable(series_id) else one
        known = store.links(self.run.connection_id, sorted({*others, *others.values()}))
        mine |= {one for one, led_by in others.items() if any(x in known and known[x].paired for x in (one, led_by))}
        return {one: documents[one] for one in documents if one in mine}, {"reconciled_at": self.run.started_at}

    def _unread(self, entries: list[Stored[OutboxEntry]], applier: Applier) -> set[str]:
        """Events that must be read one by one: left from an earlier run, or parked and perhaps well again."""
        left = {entry.value.event_id for entry in entries}
        parked = {entry.value.appointment_id for entry in entries} & applier.parked.keys()
        left |= {applier.parked[item_id].event_id for item_id in parked if item_id is not None}
        return {event_id for event_id in left if event_id is not None}

    def _with_unrecorded(self, gathered: Gathered, rules: Rules) -> Gathered:
        """Where the calendar isn't read: events that a run entered, but died before it could say so.

        Nothing else would ever find them if their appointment has been cancelled since.
        """
        suspects = {
            identity.event(rules.connection_id, one.appointment_id, next_generation(one)): one
            for one in gathered.items
            if one.event is None and not (one.link is not None and one.link.paired) and not is_here(one, rules)
        }
        if not suspects:
            return gathered
        found = {event.id: event for event in self.calendar.get(sorted(suspects)) if event.content is not None}
        events = {one.appointment_id: found[event_id] for event_id, one in suspects.items() if event_id in found}
        items = tuple(
            msgspec.structs.replace(one, event=events.get(one.appointment_id, one.event)) for one in gathered.items
        )
        return msgspec.structs.replace(gathered, items=items)

    def _changes(self, cursor: str) -> tuple[dict[str, Event], str | None]:
        events: dict[str, Event] = {}
        page: str | None = None
        while True:
            answer = self.calendar.changes(cursor, page)
            events |= {event.id: event for event in answer.events}
            if answer.next_page is None:
                self.run.learn_zone(answer.time_zone)
                return events, answer.cursor
            page = answer.next_page

    def _listing(self, entries: list[Stored[OutboxEntry]], populate: Populate) -> Outcome:
        applier = self._applier(entries, populate)
        # What agrees was looked at when it changed, if the run that it changed in came to its end.
        asked = self.run.resumes or self.run.connection.populate is not None or populate.calendar or populate.studio
        applier.routine = not asked
        listing = Listing(self.run, self.calendar, applier, populate)
        if not listing.carry_out({entry.id: entry.value for entry in entries}):
            if applier.slow_down is not None:
                self.run.retry_later(applier.slow_down)
                return Outcome.LATER
            self.run.release({}, self.run.ports.clock.now(), queue="populate")
            return Outcome.MORE
        started_at = listing.populate.started_at
        fields: dict[str, Any] = {"populate": None, "from": applier.rules.window_from}
        fields |= {"reading": msgspec.to_builtins(populate.reading), "listed_at": started_at}
        fields["reconciled_at"] = started_at
        if populate.baseline:
            fields["read_since"] = started_at
        user_fields: dict[str, Any] = {}
        for direction in ("calendar", "studio"):
            if getattr(listing.populate, direction):
                fields[f"populated.{direction}"] = self.run.ports.clock.now()
                user_fields[f"sync.populate_{direction}"] = False
        # What was asked for while it was under way comes right after it.
        more = listing.more or reading.unmet(listing.populate, self.user.sync)
        return self._finish(fields, entries, user_fields, applier=applier, more=more)

    def _finish(
        self,
        fields: dict[str, Any],
        entries: list[Stored[OutboxEntry]],
        user_fields: dict[str, Any] | None = None,
        *,
        applier: Applier | None = None,
        more: bool = False,
    ) -> Outcome:
        """Put what is unfinished into the outbox and take out what is done; then cursor, boxes, lease in one step."""
        run, store, now = self.run, self.run.ports.store, self.run.ports.clock.now()
        unfinished = set()
        if applier is not None:
            look_for_conflicts(run, applier.touched, self.studio.time_zone)
            applier.put_off({entry.id: entry.value for entry in entries})
            unfinished = {one.item.appointment_id for one in applier.unfinished}
        if done := [entry for entry in entries if entry.value.appointment_id not in unfinished]:
            store.clear_outbox(run.connection_id, done)
        fields = {**fields, "synced_at": now, "failures": 0}
        user_fields = dict(user_fields or {})
        if run.connection.state != "connected":
            fields |= {"state": "connected", "state_reason": None}
        if run.connection.state != "connected" or self.user.connection is None:
            user_fields["connection"] = {"id": run.connection_id, "state": "connected", "reason": None}
        if applier is not None and unfinished:
            if applier.doubt and self.two_way and "listed_at" not in fields:
                # Only a full listing, and then the event itself, can tell whether it is gone.
                fields["populate"] = msgspec.to_builtins(Populate())
            why = applier.slow_down or Retry("some items are left")
            run.retry_later(why, fields, user_fields or None, at_most=self._interval())
            return Outcome.LATER
        more = more or len(entries) == OUTBOX_PAGE or (applier is not None and applier.more)
        mail: MailKind | None = None
        if run.connection.lost_at is not None:  # It is well again, and not only said to be.
            fields["lost_at"], mail = None, "access_regained"
        due = now if more else now + self._interval()
        run.release(fields, due, user_fields=user_fields or None, mail=mail)
        return Outcome.MORE if more else Outcome.DONE

    def _interval(self) -> dt.timedelta:
        """How long until the next run if nobody wishes one."""
        channel = self.run.connection.channel
        if channel is not None and channel.since is not None and channel.since >= self.run.started_at:
            self.run.look_again()  # Opened just now: its first message has probably come.
        interval, ports = dt.timedelta(minutes=self.studio.sync.interval_minutes), self.run.ports
        return pace(self.run.connection, interval, ports.safety_interval, ports.clock.now()).longest_wait

    def _applier(self, entries: list[Stored[OutboxEntry]], populate: Populate | None = None) -> Applier:
        run, sync = self.run, self.user.sync
        rules = reading.rules_of(run.connection_id, run.connection, self.studio, sync, run.started_at, populate)
        return applier_of(run, self.calendar, rules, entries)


def applier_of(run: Run, calendar: Calendar, rules: Rules, entries: list[Stored[OutboxEntry]]) -> Applier:
    """What carries out a run by these rules; `entries` is what the outbox says."""
    applier = Applier(run, calendar, rules)
    known = applier.notes = notes(entry.value for entry in entries)
    applier.take_out = lambda operations: take_out(run, rules, known, operations)
    return applier
