"""One run for one connection: claim, gather, decide, apply, finish.

    claim ── settings ── channel ──┬── first time, populate, cursor lost ──> Listing (page by page, in slices)
                                   └── otherwise ──────────────────────────> delta (the outbox, the changes)

The cursor is stored last, with the release of the lease, when everything that it covers is done, parked, or back in
the outbox.
"""

import datetime as dt
import enum
import logging
from typing import Any

import msgspec

from shared.domain import contract, identity
from shared.domain.connection import Channel, OutboxEntry, Populate
from shared.domain.errors import CursorExpired, LeaseLost, Park, Retry, Stop
from shared.domain.event import Event
from shared.domain.operation import Rules
from shared.domain.plan import is_here, next_generation
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, User, why_not
from shared.ports import Calendar, Stored
from shared.services import channels
from shared.services.apply import Applier
from shared.services.gather import Gathered, gather
from shared.services.listing import Listing
from shared.services.run import Ports, Run, claim

log = logging.getLogger(__name__)

# Outbox entries looked at in one run; more are left for the next one, which follows at once.
OUTBOX_PAGE = 500

# Without pushes the studio's interval is the longest wait; with a live channel a lost push costs at most this.
SAFETY_INTERVAL = dt.timedelta(hours=6)


class Outcome(enum.StrEnum):
    """What became of a task. All of them are answers, none an error: the queue need not try again."""

    DONE = "done"
    MORE = "more"
    NOTHING_DUE = "nothing_due"
    LATER = "later"
    STOPPED = "stopped"
    TAKEN_OVER = "taken_over"


def sync_calendar(connection_id: str, ports: Ports, channel_key: bytes) -> Outcome:
    """Run one connection, if it is due and nobody else is at it. `channel_key` signs the tokens of push channels.

    Raises:
        UnknownConnectionError: there is no such connection.
        Unavailable: our own storage does not answer; the task is to be tried again.
    """
    run = claim(connection_id, ports)
    if run is None:
        return Outcome.NOTHING_DUE
    try:
        return _carried_out(run, channel_key)
    except LeaseLost:
        return Outcome.TAKEN_OVER


def _carried_out(run: Run, channel_key: bytes) -> Outcome:
    """The run, and what is left behind where it cannot go through. Raises `LeaseLost`."""
    try:
        studio, user = _settings(run)
        return _Sync(run, studio, user, channel_key).carry_out()
    except LeaseLost:
        raise
    except (Stop, Park) as stop:
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
    """Raises `Park` where studio and user are not to sync, or one of their settings does not fit the contract."""
    documents = run.ports.store.settings(run.connection.studio_id, run.connection.user_id)
    studio = None if documents[0] is None else contract.read(documents[0], Studio)
    user = None if documents[1] is None else contract.read(documents[1], User)
    reason = why_not(studio, user)
    if reason is None and user is not None and user.connection is not None and user.connection.id != run.connection_id:
        reason = Reason.SWITCHED
    if reason is not None:
        raise Park(reason)
    assert studio is not None and user is not None  # noqa: PT018, S101 - why_not has a reason where one is missing
    return studio, user


class _Sync:
    """What the paragraphs of one run share."""

    def __init__(self, run: Run, studio: Studio, user: User, channel_key: bytes) -> None:
        self.run = run
        self.studio = studio
        self.user = user
        self.channel_key = channel_key
        self.populate = _populate_wanted(run, user)
        self.window_from = run.connection.window_from
        if self.populate is not None and self.populate.started_at is None:
            self._start_populate(self.populate)
        self.calendar: Calendar = run.ports.calendars.open(run.connection_id, run.connection)
        self.applier = Applier(run, self.calendar, self._rules())

    def carry_out(self) -> Outcome:
        two_way = self.user.sync.two_way_appointments
        if two_way and channels.needs_new(self.run.connection, self.run.started_at):
            self._open_channel()
        entries = self.run.ports.store.outbox(self.run.connection_id, OUTBOX_PAGE)
        self.applier.tries = _tries(entries)
        if self.populate is None:
            try:
                return self._delta(entries, read_calendar=two_way)
            except CursorExpired:
                # Listing in full imports nothing unasked: the scope is the same as for deltas.
                self.populate = Populate(started_at=self.run.started_at)
        return self._listing(entries, self.populate)

    def _delta(self, entries: list[Stored[OutboxEntry]], *, read_calendar: bool) -> Outcome:
        events: dict[str, Event] = {}
        cursor = self.run.connection.cursors.calendar
        if read_calendar and cursor is not None:
            events, cursor = self._changes(cursor)
        if not events and not entries:
            return self._finish({"cursors.calendar": cursor}, entries)
        self.applier.forget_parked({event.id for event in events.values() if event.deleted})
        asked = self._unread(entries) - events.keys()
        events |= {event.id: event for event in self.calendar.get(sorted(asked))} if asked else {}
        store, connection = self.run.ports.store, self.run.connection
        gathered = gather(store, self.run.connection_id, connection.studio_id, entries, list(events.values()))
        if not read_calendar:
            gathered = self._with_unrecorded(gathered)
        operations = self.applier.plan(gathered.items)
        if not self.applier.apply(operations, gathered.documents):
            self.run.release({}, self.run.ports.clock.now())
            return Outcome.MORE
        return self._finish({"cursors.calendar": cursor}, entries)

    def _unread(self, entries: list[Stored[OutboxEntry]]) -> set[str]:
        """Events that must be read one by one: left from an earlier run, or parked and perhaps well again."""
        left = {entry.value.event_id for entry in entries}
        parked = {self.applier.parked.get(entry.value.appointment_id or "") for entry in entries}
        return {event_id for event_id in left | parked if event_id is not None}

    def _with_unrecorded(self, gathered: Gathered) -> Gathered:
        """Where the calendar isn't read: events that a run entered, but died before it could say so.

        Nothing else would ever find them if their appointment has been cancelled since.
        """
        rules = self.applier.rules
        suspects = {
            identity.event(rules.connection_id, one.appointment_id, next_generation(one)): one
            for one in gathered.items
            if one.event is None and not (one.link is not None and one.link.paired) and not is_here(one, rules)
        }
        if not suspects:
            return gathered
        found = {event.id: event for event in self.calendar.get(sorted(suspects)) if not event.deleted}
        events = {one.appointment_id: found[event_id] for event_id, one in suspects.items() if event_id in found}
        items = tuple(
            msgspec.structs.replace(one, event=events.get(one.appointment_id, one.event)) for one in gathered.items
        )
        return Gathered(items, gathered.documents)

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
        listing = Listing(self.run, self.calendar, self.applier, populate, self.window_from)
        if not listing.carry_out({entry.id: entry.value for entry in entries}):
            if self.applier.slow_down is not None:
                self.run.retry_later(self.applier.slow_down)
                return Outcome.LATER
            self.run.release({}, self.run.ports.clock.now(), queue="populate")
            return Outcome.MORE
        fields: dict[str, Any] = {"populate": None, "from": self.window_from}
        user_fields: dict[str, Any] = {}
        for direction in ("calendar", "studio"):
            if getattr(listing.populate, direction):
                fields[f"populated.{direction}"] = self.run.ports.clock.now()
                user_fields[f"sync.populate_{direction}"] = False
        return self._finish(fields, entries, user_fields, more=listing.more)

    def _finish(
        self,
        fields: dict[str, Any],
        entries: list[Stored[OutboxEntry]],
        user_fields: dict[str, Any] | None = None,
        *,
        more: bool = False,
    ) -> Outcome:
        """Put what is unfinished into the outbox and take out what is done; then cursor, boxes, lease in one step."""
        run, store, now = self.run, self.run.ports.store, self.run.ports.clock.now()
        self.applier.put_off({entry.id: entry.value for entry in entries})
        unfinished = {one.item.appointment_id for one in self.applier.unfinished}
        if done := [entry for entry in entries if entry.value.appointment_id not in unfinished]:
            store.clear_outbox(run.connection_id, done)
        fields = {**fields, "synced_at": now, "failures": 0}
        user_fields = dict(user_fields or {})
        if run.connection.state != "connected":
            fields |= {"state": "connected", "state_reason": None}
            user_fields |= {"connection.state": "connected", "connection.reason": None}
        if unfinished:
            run.retry_later(self.applier.slow_down or Retry("some items are left"), fields, user_fields or None)
            return Outcome.LATER
        more = more or len(entries) == OUTBOX_PAGE
        run.release(fields, now if more else now + self._interval(), user_fields=user_fields or None)
        return Outcome.MORE if more else Outcome.DONE

    def _start_populate(self, populate: Populate) -> None:
        self.populate = msgspec.structs.replace(populate, started_at=self.run.started_at)
        if populate.calendar or populate.studio:
            self.window_from = self.run.started_at - dt.timedelta(days=self.studio.sync.past_days)

    def _open_channel(self) -> None:
        """The channel is stored before it is asked for: its first notification may come before Google's answer."""
        run, before = self.run, self.run.connection.channel
        channel = Channel(id=run.ports.new_id())
        run.note(channel=msgspec.to_builtins(channel))
        run.settle([])
        try:
            watch = self.calendar.watch(channel.id, channels.token(self.channel_key, channel.id, run.connection_id))
            ask_again = channels.ASK_AGAIN
        except Retry:
            # A channel only makes it quicker: the run goes on without.
            watch, ask_again = None, channels.ASK_SOON
        if watch is not None:
            channel = Channel(id=channel.id, resource_id=watch.resource_id, expires_at=watch.expires_at)
        else:
            channel = msgspec.structs.replace(before or Channel(), retry_at=run.started_at + ask_again)
        run.note(channel=msgspec.to_builtins(channel, builtin_types=(dt.datetime,)))
        run.connection = msgspec.structs.replace(run.connection, channel=channel)

    def _interval(self) -> dt.timedelta:
        """How long until the next run if nobody wishes one."""
        if channels.live(self.run.connection, self.run.ports.clock.now()):
            return SAFETY_INTERVAL
        return dt.timedelta(minutes=self.studio.sync.interval_minutes)

    def _rules(self) -> Rules:
        connection, populate = self.run.connection, self.populate or Populate()
        return Rules(
            connection_id=self.run.connection_id,
            studio_id=connection.studio_id,
            user_id=connection.user_id,
            now=self.run.started_at,
            since=connection.since,
            window_from=self.window_from,
            calendar_populated=connection.populated.calendar is not None or populate.calendar,
            studio_populated=connection.populated.studio is not None or populate.studio,
            two_way=self.user.sync.two_way_appointments,
            clash_policy=self.studio.sync.clash_policy,
        )


def _populate_wanted(run: Run, user: User) -> Populate | None:
    """What is to be listed in full, if anything: a populate under way, a box ticked, or no cursor yet."""
    connection, sync = run.connection, user.sync
    if connection.populate is not None:
        return connection.populate
    if sync.populate_calendar or sync.populate_studio:
        return Populate(calendar=sync.populate_calendar, studio=sync.populate_studio)
    if sync.two_way_appointments and connection.cursors.calendar is None:
        return Populate()
    return None


def _tries(entries: list[Stored[OutboxEntry]]) -> dict[str, int]:
    """How often each appointment was tried in vain; it may have an entry of its own, and one of its event's."""
    tries: dict[str, int] = {}
    for entry in entries:
        if entry.value.appointment_id is not None:
            tries[entry.value.appointment_id] = max(tries.get(entry.value.appointment_id, 0), entry.value.tries)
    return tries
