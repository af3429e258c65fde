"""Schedule conflicts of what a run has touched: gather, decide, apply. What counts is in `domain/conflicts.py`.

It comes last in a run, before the cursor is stored and the outbox is cleared: a run that dies here is followed by one
that touches the same appointments again. Everything is read afresh, and what is stored already is not stored again.
"""

import datetime as dt
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from shared.domain import identity
from shared.domain.conflicts import (
    AHEAD,
    Conflict,
    Entry,
    Pair,
    Span,
    decided,
    entries,
    overlapping,
    pair_of,
    ranges,
    repeats,
    series_of,
    slot_span,
)
from shared.domain.content import Unit
from shared.domain.errors import Park, Retry, Stop, Unavailable
from shared.domain.operation import Operation, Rules, UpdateAppointment
from shared.domain.plan import is_here
from shared.ports import ConflictWrite, Document, Settlement, Stored
from shared.services.run import Run, Step

log = logging.getLogger(__name__)

# Stretches of time that are asked for one by one, each in two queries; what lies between them is not read.
RANGES = 8
# Asking once more costs more than to read what a person does in two weeks.
APART = dt.timedelta(days=14)
# Documents that one question to the store gives at most: more than a user has in a year.
LIMIT = 10_000
# Pairs that are looked at in one stretch. Somebody with so many has another trouble than this one.
PAIRS = 1_000
# As with items that are stored without a call to the calendar.
WRITES_PER_COMMIT = 100
_TIME: frozenset[Unit] = frozenset({"when", "busy"})
# How often a person may answer just while this is written.
ROUNDS = 3


def may_block_other_times(operation: Operation, rules: Rules) -> bool:
    """Whether it may block other times of the user's than when last agreed: what a run before has looked at."""
    one, studio = operation.item, operation.studio
    if one.link is None or not one.link.paired or one.link.studio is None or not is_here(one, rules):
        return True
    if studio is not None and not (
        isinstance(studio, UpdateAppointment) and not (studio.units & _TIME or studio.join or studio.leave)
    ):
        return True
    try:
        return one.appointment is None or bool(one.appointment.content().differs(one.link.studio) & _TIME)
    except Park:
        return True


class Gathered(msgspec.Struct, frozen=True):
    """What blocks the user's time where it matters, by id; the pairs to look at; and what is stored, by id."""

    entries: Mapping[str, Entry]
    pairs: Collection[Pair]
    known: Mapping[str, Stored[Conflict | None]]


def look_for_conflicts(run: Run, touched: Collection[str], zone: str) -> None:
    """Store the conflicts that the touched appointments (ids) are part of, and close those that they are not any more.
    `zone` is the studio's.

    Nothing touched, nothing read. Else the reads are bounded, however many were touched: each of these once; of the
    user's others the series (`LIMIT`), and what lies in `RANGES` stretches around their times (in each, `LIMIT` timed
    ones and as many all-day ones, and the same again of occurrences; times less than `APART` are in one); the documents
    of occurrences (twice `LIMIT`); the conflicts that are stored of what was touched, with the other party of each. One
    appointment in a quiet week costs five, most of them for questions that find nothing, and two for each 30 series
    that the user has.

    Raises:
        LeaseLost: another run has taken over.
        Unavailable: the store does not answer, or somebody keeps changing the conflicts.
    """
    if not touched:
        return
    try:
        _look(run, touched, zone)
    except (Retry, Stop):
        raise
    except Exception:
        # Nobody foresaw this. It must not keep the user's calendar from being synced.
        log.exception("looking for conflicts failed", extra={"connection": run.connection_id, "run": run.id})


def _look(run: Run, touched: Collection[str], zone: str) -> None:
    for _ in range(ROUNDS):
        now = run.ports.clock.now()
        gathered = _Search(run, zone, now).gather(frozenset(touched))
        if _apply(run, _decide(run, gathered, now)):
            return
    raise Unavailable("conflicts keep changing under our hands")


class _Search:
    """What has been read so far, by appointment id, and how more is."""

    def __init__(self, run: Run, zone: str, now: dt.datetime) -> None:
        self.documents: dict[str, Document] = {}
        self.now = now
        self._zone = zone
        self._run = run
        self._store = run.ports.store
        self._studio_id = run.connection.studio_id
        self._user_id = run.connection.user_id

    def gather(self, touched: frozenset[str]) -> Gathered:
        self._read(touched)
        # An occurrence that is moved, cancelled or erased changes when its series blocks time, and the other way round.
        slots = [found for one in touched if (found := series_of(one, self.documents.get(one))) is not None]
        series = {series_id for series_id, _ in slots}
        self._read(series)
        perhaps_series = {one for one in touched if one not in self.documents or repeats(self.documents[one])}
        occurrences = self._read_occurrences(perhaps_series)
        stretches = self._stretches(touched | occurrences, slots)
        self._read_around(stretches)

        concerning = touched | series | occurrences
        known = self._store.conflicts(self._studio_id, self._user_id, concerning)
        pairs = dict.fromkeys(pair_of(*one.value.appointment_ids) for one in known.values() if one.value is not None)
        self._read(one for pair in pairs for one in pair)
        self._read(found[0] for one, document in self.documents.items() if (found := series_of(one, document)))
        pairs |= dict.fromkeys(self._overlapping(concerning, stretches))
        in_question = {one for pair in pairs for one in pair if repeats(self.documents.get(one, {}))}
        if self._read_occurrences(in_question - perhaps_series):
            # In the place of a series there may be one of its occurrences.
            pairs |= dict.fromkeys(self._overlapping(concerning, stretches))
        if len(pairs) >= PAIRS:
            log.warning("more conflicts than one run looks at", extra=self._extra(len(pairs)))
        return Gathered(self._entries(), list(pairs), known)

    def _overlapping(self, concerning: Collection[str], stretches: Sequence[Span]) -> list[Pair]:
        here = self._entries().values()
        return [pair for stretch in stretches for pair in overlapping(here, concerning, *stretch, PAIRS)]

    def _entries(self) -> dict[str, Entry]:
        return entries(self.documents, self._user_id, self._zone)

    def _stretches(self, ids: Collection[str], slots: Iterable[tuple[str, str]]) -> list[Span]:
        """When the appointments, and the occurrences in their series' own slots, block time in the coming year."""
        here, last = self._entries(), self.now + AHEAD
        spans = [span for one in here.keys() & ids for span in here[one].spans(self.now, last)]
        given_back = [slot_span(self.documents.get(series_id), slot, self._zone) for series_id, slot in slots]
        spans += [span for span in given_back if span is not None and span.end > self.now and span.start < last]
        return [Span(max(one.start, self.now), min(one.end, last)) for one in ranges(spans, RANGES, APART)]

    def _read(self, ids: Iterable[str]) -> None:
        """Those that are not known yet; front-ends may have written names of others that no document can have."""
        if unread := {one for one in ids if identity.usable(one)} - self.documents.keys():
            self.documents |= self._store.times(self._studio_id, unread)

    def _read_occurrences(self, series_ids: Collection[str]) -> frozenset[str]:
        """Their ids."""
        found = self._store.times_of_occurrences(self._studio_id, series_ids, LIMIT) if series_ids else {}
        self._take(found, full=len(found) == LIMIT)
        return frozenset(found)

    def _read_around(self, stretches: Sequence[Span]) -> None:
        """What may block the user's time in these."""
        if not stretches:
            return
        series = self._store.times_of_series(self._studio_id, self._user_id, LIMIT)
        self._take(series, full=len(series) == LIMIT)
        for stretch in stretches:
            found = self._store.times_between(self._studio_id, self._user_id, *stretch, LIMIT)
            self._take(found, full=len(found) >= LIMIT)
            if series:
                found = self._store.occurrences_between(self._studio_id, series.keys(), *stretch, LIMIT)
                self._take(found, full=len(found) >= LIMIT)

    def _take(self, found: Mapping[str, Document], *, full: bool) -> None:
        self.documents |= found
        if full:  # What is beyond is looked at when a run touches it.
            log.warning("more appointments than one run looks at for conflicts", extra=self._extra(len(found)))

    def _extra(self, count: int) -> dict[str, Any]:
        return {"connection": self._run.connection_id, "run": self._run.id, "count": count}


def _decide(run: Run, gathered: Gathered, now: dt.datetime) -> list[ConflictWrite]:
    studio_id, user_id = run.connection.studio_id, run.connection.user_id
    writes = []
    for pair in gathered.pairs:
        conflict_id = identity.conflict(user_id, *pair)
        stored = gathered.known.get(conflict_id)
        one, other = (gathered.entries.get(appointment_id) for appointment_id in pair)
        between = None if one is None or other is None else (one, other)
        conflict = decided(None if stored is None else stored.value, user_id, pair, now, between)
        if conflict is not None:
            version = None if stored is None else stored.version
            writes.append(
                ConflictWrite(studio_id=studio_id, conflict_id=conflict_id, version=version, conflict=conflict)
            )
    return writes


def _apply(run: Run, writes: Sequence[ConflictWrite]) -> bool:
    """Store them; False if somebody else wrote to one of them meanwhile."""
    steps = [Step(Settlement(conflict=write)) for write in writes]
    stale: frozenset[int] = frozenset()
    for start in range(0, len(steps), WRITES_PER_COMMIT):
        stale |= run.settle(steps[start : start + WRITES_PER_COMMIT]).stale
    return not stale
