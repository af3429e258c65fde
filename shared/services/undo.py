"""Undo (B12): the runs of a user that can be undone, and putting back what one of them changed.

Gather, decide, apply: the run's log is read chunk by chunk, the studio's documents as they are now, `domain/undo.py`
says what to write, and that is written as a front-end would, each document only if it still is as it was read. The
trigger tells the sync of it; nothing here touches a calendar. Ended in the middle, it is simply done again: what was
put back is as before already.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from shared.domain import guard, identity
from shared.domain.appointment import read_appointment
from shared.domain.connection import LOG_LIFE, Connection, LogEntry, RunSummary
from shared.domain.content import When
from shared.domain.errors import Park, Stale
from shared.domain.occurrence import read_occurrence, slot_in
from shared.domain.undo import Change, Found, Outcome, Undo, along, change_of, undo
from shared.ports import Clock, Document, Store, Stored, StudioWrite

log = logging.getLogger(__name__)

# Items that are read, decided on and written together: so little time passes between reading and writing.
ITEMS_AT_ONCE = 100
# How many of the last runs are listed; those that changed nothing on either side are among them, and left out.
RUNS_LOOKED_AT = 200


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that changed something. `counts`: how often it met each reason. Until `expires_at` it can be undone."""

    run_id: str
    connection_id: str
    started_at: dt.datetime
    expires_at: dt.datetime
    changed: int
    counts: dict[str, int]


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each item of a run, or would become of it where nothing was `written`.

    `guard_asks`: so many are cancelled that the next run holds their deletion, until a person approves it.
    """

    run: PastRun
    items: tuple[Undo, ...]
    written: bool
    guard_asks: bool = False

    def count(self, outcome: Outcome) -> int:
        return sum(item.outcome is outcome for item in self.items)


class NobodyError(Exception):
    """There is no such studio or user, or the user never had a calendar."""


class NoSuchRunError(Exception):
    """The user has no such run that could be undone: there was none, or it is too long ago."""


def past_runs(
    studio_id: str, user_id: str, *, store: Store, clock: Clock, appointment_id: str | None = None, limit: int = 20
) -> list[PastRun]:
    """The user's last runs that changed anything, the newest first, in whatever calendar; of an appointment only those
    that changed it.

    Raises:
        NobodyError: no run can ever have been.
    """
    since = clock.now() - LOG_LIFE
    found = [
        _past(connection_id, run_id, run)
        for connection_id in _connections(studio_id, user_id, store)
        for run_id, run in store.runs(connection_id, since, RUNS_LOOKED_AT).items()
        if run.changed and run.expires_at > clock.now()
    ]
    found.sort(key=lambda run: run.started_at, reverse=True)
    if appointment_id is not None:
        found = [run for run in found if _changes(run, store, appointment_id)]
    return found[:limit]


def undo_run(
    studio_id: str,
    user_id: str,
    run_id: str,
    *,
    store: Store,
    clock: Clock,
    appointment_id: str | None = None,
    apply: bool = False,
    cancel_entered: bool = False,
    all_the_same: bool = False,
) -> Undone:
    """Put back what a run changed, or one appointment of it; unless `apply`, only say what that would be.

    Raises:
        NobodyError: no run can ever have been.
        NoSuchRunError: there is none that can be undone.
        Unavailable: storage does not answer; what was written until then stands.
    """
    run, connection = _run(studio_id, user_id, run_id, store, clock)
    changes = _changes(run, store, appointment_id)
    # A series before its occurrences: what these are is told by it.
    in_order = sorted(changes.values(), key=lambda change: (bool(change.series_id), change.appointment_id))
    zone = time_zone(studio_id, user_id, store)
    items: list[Undo] = []
    for at in range(0, len(in_order), ITEMS_AT_ONCE):
        some = in_order[at : at + ITEMS_AT_ONCE]
        documents = _documents(store, studio_id, some)
        links = store.links(run.connection_id, [change.appointment_id for change in some])
        private = {one for one, link in links.items() if link.private_there}
        now = [
            msgspec.structs.replace(_found(change, documents, zone), private_there=change.appointment_id in private)
            for change in some
        ]
        decided = [
            _needed(undo(left, found, user_id, cancel_entered=cancel_entered, all_the_same=all_the_same), documents)
            for change, found in zip(some, now, strict=True)
            if (left := along(change, found, changes.get(change.series_id))) is not None
        ]
        items += _written(store, studio_id, decided, documents) if apply else decided
    undone = Undone(
        run=run,
        items=tuple(items),
        written=apply,
        guard_asks=_guard_asks(sum(item.cancels for item in items), run.connection_id, connection, store, clock),
    )
    if apply:
        # No title, no id of a client: what was put back is in the log of the runs that carry it to the calendars.
        counts = Counter(item.outcome.value for item in items)
        log.info("a run was put back", extra={"connection": run.connection_id, "run": run_id, "counts": dict(counts)})
    return undone


# --- gather ----------------------------------------------------------------------------------------------------------


def _connections(studio_id: str, user_id: str, store: Store) -> dict[str, Connection]:
    """All calendars that the user has or had: also what was done before a switch can be undone. Or `NobodyError`."""
    usable = identity.usable(studio_id) and identity.usable(user_id)
    found = store.connections_of_user(studio_id, user_id) if usable else {}
    if not found:
        raise NobodyError
    return {one: stored.value for one, stored in found.items()}


def _run(studio_id: str, user_id: str, run_id: str, store: Store, clock: Clock) -> tuple[PastRun, Connection]:
    """Firestore deletes what has expired late: that is looked at here."""
    for connection_id, connection in _connections(studio_id, user_id, store).items():
        run = store.run(connection_id, run_id) if identity.usable(run_id) else None
        if run is not None and run.expires_at > clock.now():
            return _past(connection_id, run_id, run), connection
    raise NoSuchRunError(run_id)


def _past(connection_id: str, run_id: str, run: RunSummary) -> PastRun:
    return PastRun(
        run_id=run_id,
        connection_id=connection_id,
        started_at=run.started_at,
        expires_at=run.expires_at,
        changed=run.changed,
        counts=run.counts,
    )


def _changes(run: PastRun, store: Store, appointment_id: str | None) -> dict[str, Change]:
    """What the run changed, by appointment id."""
    entries: dict[str, list[LogEntry]] = {}
    for chunk in store.run_entries(run.connection_id, run.run_id):
        for entry in chunk:
            one = entry.appointment_id
            if one is not None and entry.changes and appointment_id in {None, one}:
                entries.setdefault(one, []).append(entry)
    found = {one: change_of(one, said) for one, said in entries.items()}
    return {one: change for one, change in found.items() if change is not None}


def time_zone(studio_id: str, user_id: str, store: Store) -> str:
    """The studio's, in which its people read times; empty where it has none."""
    studio, _ = store.settings(studio_id, user_id)
    zone = (studio or {}).get("time_zone")
    return zone if isinstance(zone, str) else ""


def _documents(store: Store, studio_id: str, changes: Sequence[Change]) -> Mapping[str, Stored[Document]]:
    ids = {change.appointment_id for change in changes} | {change.series_id for change in changes if change.series_id}
    return store.appointments(studio_id, sorted(ids))


def _found(change: Change, documents: Mapping[str, Stored[Document]], zone: str) -> Found:
    """The item as the studio has it now, an occurrence with what it has from its series."""
    own = documents.get(change.appointment_id)
    try:
        place = None if own is None else slot_in(own.value, change.appointment_id)
        if own is None and change.series_id:
            place = change.series_id, change.slot
        if place is None:
            return Found(
                appointment=None if own is None else read_appointment(own.value, zone),
                written=own is not None,
                zone=zone,
            )
        series = documents.get(place[0])
        regular = None if series is None else _regular(series.value, place[1], zone)
        if own is None and regular is None:
            return Found()
        whole = None if series is None else series.value
        appointment = read_occurrence(None if own is None else own.value, whole, *place, zone)
        in_place = regular is not None and appointment.content().when.shown() == regular.shown()
    except Park as park:
        return Found(misfit=park, written=own is not None)
    return Found(appointment=appointment, written=own is not None, in_place=in_place, zone=zone)


def _regular(series: Document, slot: str, zone: str) -> When | None:
    """When a series has the occurrence of a slot."""
    when = read_appointment(series, zone).content().when
    return when.at(slot) if when.has(slot) else None


def _needed(one: Undo, documents: Mapping[str, Stored[Document]]) -> Undo:
    """Without what the document has, or lacks, already: that is neither written nor said."""
    own = documents.get(one.appointment_id)
    if own is None:
        return one
    fields = {name: value for name, value in one.fields.items() if own.value.get(name) != value}
    return msgspec.structs.replace(one, fields=fields)


# --- apply -----------------------------------------------------------------------------------------------------------


def _written(
    store: Store, studio_id: str, decided: Sequence[Undo], documents: Mapping[str, Stored[Document]]
) -> list[Undo]:
    """The same, once those that are to be put back are written; and what came of those that could not be."""
    places = [place for place, one in enumerate(decided) if one.outcome is Outcome.PUT_BACK]
    writes = [
        StudioWrite(
            studio_id=studio_id,
            appointment_id=one.appointment_id,
            version=None if one.create else documents[one.appointment_id].version,
            fields=one.fields,
        )
        for one in (decided[place] for place in places)
    ]
    after = list(decided)
    for place, wrong in zip(places, store.edit_appointments(writes), strict=True):
        if wrong is not None:
            outcome = Outcome.MEANWHILE if isinstance(wrong, Stale) else Outcome.TOO_LARGE
            after[place] = msgspec.structs.replace(after[place], outcome=outcome)
    return after


def _guard_asks(cancelled: int, connection_id: str, connection: Connection, store: Store, clock: Clock) -> bool:
    """Whether the guard will hold what is cancelled: it counts this as it counts any cancellation."""
    now = clock.now()
    taken = guard.count(connection.taken, now)
    if not cancelled or guard.lets_through(cancelled, taken, 0):
        return False
    return not guard.lets_through(cancelled, taken, store.upcoming_pairs(connection_id, now))
