"""Schedule conflicts (B9): two entries of one user that block the same time. Pure: documents in, overlaps and what is
to be stored of them out. Decision 12 says what counts and why.

An *entry* is an appointment of the user that blocks time. Those that are free or cancelled, that take no time, or
that do not fit the contract (they are parked) are none. Of a series each occurrence counts, except where a document of
its own has its place.
"""

import datetime as dt
import functools
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from shared.domain import zones
from shared.domain.appointment import Appointment, read_appointment
from shared.domain.content import AllDay, Timed, When
from shared.domain.errors import Park
from shared.domain.occurrence import read_occurrence, slot_in
from shared.domain.recurrence import original_of

# Overlaps that end after now and start within a year are looked for: of what has been nobody wants to know any more,
# and a series may go on for ever.
AHEAD = dt.timedelta(days=366)
# So long a conflict is kept when it is closed, or when the time that it is about is over.
KEPT = dt.timedelta(days=90)
# So many occurrences of one series are looked at in a stretch of time: four a day, all year. A rule that gives one each
# minute is a mistake, and must not keep a run busy.
OCCURRENCES = 1_500

# What is read of an appointment: no text, so that none can get anywhere from here.
FIELDS = (
    "kind", "status", "busy", "user_ids", "start", "end", "all_day", "start_date", "end_date", "time_zone",
    "recurrence", "series_id", "original_start", "original_date",
)  # fmt: skip

Documents = Mapping[str, Mapping[str, Any]]
Pair = tuple[str, str]


class Span(NamedTuple):
    """From one instant to another, UTC; `end` is exclusive."""

    start: dt.datetime
    end: dt.datetime


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that blocks a user's time. `series_id`: of an occurrence with a document of its own, its series; else
    its own id. `zone`: where the days of an all-day one begin and end. `taken`: the slots of a series that are not its
    own any more, as a document stands for each.
    """

    id: str
    series_id: str
    when: When
    zone: str
    taken: frozenset[str] = frozenset()

    def spans(self, after: dt.datetime, before: dt.datetime) -> Iterator[Span]:
        """When it blocks time, as far as that overlaps ``[after, before)``, in order."""
        found = (_span(one, self.zone) for one in self._occurrences(after, before))
        return (span for span in found if span.start < span.end and span.start < before and span.end > after)

    def _occurrences(self, after: dt.datetime, before: dt.datetime) -> Iterator[When]:
        if not self.when.repeats:
            yield self.when
            return
        for slot in itertools.islice(self.when.slots(after, before), OCCURRENCES):
            if slot not in self.taken:
                yield self.when.at(slot)


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """``studios/{studio_id}/conflicts/{conflict_id}``: the first overlap of two appointments of a user.

    `status`: ``open``; ``resolved``, which a person says of these times ("keep both"); ``gone``, when the overlap went
    away. Firestore deletes it when `expires_at` has come.
    """

    user_id: str
    appointment_ids: Pair
    overlap_start: dt.datetime
    overlap_end: dt.datetime
    status: Literal["open", "resolved", "gone"] = "open"
    found_at: dt.datetime
    closed_at: dt.datetime | None = None
    expires_at: dt.datetime

    @property
    def overlap(self) -> Span:
        return Span(self.overlap_start, self.overlap_end)


def read_conflict(document: Mapping[str, Any]) -> Conflict | None:
    """The conflict that a document is; None for what is none (any more), and is written anew if need be."""
    try:
        return msgspec.convert(document, Conflict)
    except msgspec.ValidationError:
        return None


def entries(documents: Documents, user_id: str, zone: str) -> dict[str, Entry]:
    """Those among the documents that block the user's time, by id; `zone` is the studio's.

    To tell, an occurrence needs its series among them, and a series all its occurrences that have a document.
    """
    taken: dict[str, set[str]] = {}
    read: dict[str, tuple[Appointment, str]] = {}
    for one, document in documents.items():
        place = _place(one, document)
        if place is not None:
            taken.setdefault(place[0], set()).add(place[1])
            appointment = _read_occurrence(document, documents.get(place[0]), *place, zone)
        else:
            appointment = None if document.get("series_id") else _read(document, zone)
        if appointment is not None:
            read[one] = appointment, one if place is None else place[0]
    found: dict[str, Entry] = {}
    for one, (appointment, series_id) in read.items():
        when = _when(appointment)
        if when is None or appointment.cancelled or not appointment.busy or user_id not in appointment.user_ids:
            continue
        own_zone = _zone(appointment, zone)
        found[one] = Entry(id=one, series_id=series_id, when=when, zone=own_zone, taken=frozenset(taken.get(one, ())))
    return found


def series_of(appointment_id: str, document: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """Series and slot of what is, or was, an occurrence with a document of its own; None for anything else.

    The id alone tells both where the document is gone.
    """
    if document is not None:
        return _place(appointment_id, document)
    series_id, _, slot = appointment_id.rpartition("_")
    try:
        original_of(slot)
    except ValueError:
        return None
    return (series_id, slot) if series_id else None


def slot_span(series: Mapping[str, Any] | None, slot: str, zone: str) -> Span | None:
    """When the occurrence of a series would be that has no document of its own."""
    appointment = None if series is None else _read(series, zone)
    when = None if appointment is None else _when(appointment)
    if appointment is None or when is None or not when.has(slot):
        return None
    return _span(when.at(slot), _zone(appointment, zone))


def repeats(document: Mapping[str, Any]) -> bool:
    return bool(document.get("recurrence"))


# --- overlaps --------------------------------------------------------------------------------------------------------


def first_overlap(one: Entry, other: Entry, after: dt.datetime, before: dt.datetime) -> Span | None:
    """The first time within ``[after, before)`` that both block; it may begin before `after`, but ends later."""
    if one.series_id == other.series_id:
        return None
    first, second = one.spans(after, before), other.spans(after, before)
    here, there = next(first, None), next(second, None)
    while here is not None and there is not None:
        overlap = Span(max(here.start, there.start), min(here.end, there.end))
        if overlap.start < overlap.end:
            return overlap
        if here.end <= there.end:
            here = next(first, None)
        else:
            there = next(second, None)
    return None


def overlapping(
    among: Iterable[Entry], concerning: Collection[str], after: dt.datetime, before: dt.datetime, limit: int
) -> list[Pair]:
    """Pairs that overlap within ``[after, before)``, one of each in `concerning`: the first `limit`, by time.

    One pass over all occurrences in the order of their starts, with those at hand that are still going on.
    """
    occurrences = [(span, entry) for entry in among for span in entry.spans(after, before)]
    pairs: dict[Pair, None] = {}
    going_on: list[tuple[dt.datetime, Entry]] = []
    for span, entry in sorted(occurrences, key=lambda one: (one[0], one[1].id)):
        going_on = [(until, other) for until, other in going_on if until > span.start]
        for _, other in going_on:
            if entry.series_id != other.series_id and (entry.id in concerning or other.id in concerning):
                pairs[pair_of(entry.id, other.id)] = None
                if len(pairs) == limit:
                    return list(pairs)
        going_on.append((span.end, entry))
    return list(pairs)


def pair_of(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


def ranges(spans: Iterable[Span], most: int, apart: dt.timedelta) -> list[Span]:
    """The spans in at most `most` stretches of time, in order: what is nearest to each other is put together, and so is
    what is less than `apart`.
    """
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    gaps = [place for place in range(1, len(joined)) if joined[place].start - joined[place - 1].end >= apart]
    gaps.sort(key=lambda place: joined[place - 1].end - joined[place].start)
    cuts = sorted(gaps[: most - 1])  # The widest gaps.
    return [Span(joined[a].start, joined[b - 1].end) for a, b in itertools.pairwise([0, *cuts, len(joined)]) if a < b]


# --- what is stored --------------------------------------------------------------------------------------------------


def decided(
    known: Conflict | None, user_id: str, pair: Pair, now: dt.datetime, between: tuple[Entry, Entry] | None
) -> Conflict | None:
    """The conflict of a pair as it is to be stored; None where it is as it should be.

    `between`: the two entries, None where one of them blocks no time (any more).
    """
    overlap = None if between is None else first_overlap(*between, now, now + AHEAD)
    if overlap is None or between is None:
        if known is None or known.status == "gone" or (known.status == "resolved" and known.overlap_end <= now):
            return None  # What is over needs no closing word from a person's "keep both" on.
        return msgspec.structs.replace(known, status="gone", closed_at=now, expires_at=now + KEPT)
    expires_at = overlap.end + KEPT
    if known is not None and known.status != "gone":
        if known.overlap == overlap:
            return None
        if known.status == "open" or _goes_on(known, *between, now):
            start, end = overlap
            return msgspec.structs.replace(known, overlap_start=start, overlap_end=end, expires_at=expires_at)
    return Conflict(
        user_id=user_id,
        appointment_ids=pair,
        overlap_start=overlap.start,
        overlap_end=overlap.end,
        found_at=now,
        expires_at=expires_at,
    )


def _goes_on(known: Conflict, one: Entry, other: Entry, now: dt.datetime) -> bool:
    """Whether the two still overlap at the times that a person said "keep both" of, and that time is over: then what
    comes next is the next occurrence of what was said, and nothing new.
    """
    return known.overlap_end <= now and first_overlap(one, other, *known.overlap) == known.overlap


# --- within ----------------------------------------------------------------------------------------------------------


def _read(document: Mapping[str, Any], zone: str) -> Appointment | None:
    try:
        return read_appointment(document, zone)
    except Park:
        return None


def _when(appointment: Appointment) -> When | None:
    try:
        return appointment.content().when
    except Park:
        return None


def _place(appointment_id: str, document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Series and slot of an occurrence; None for what is none, and for one that does not say which it is."""
    try:
        return slot_in(document, appointment_id)
    except Park:
        return None


def _read_occurrence(
    own: Mapping[str, Any], series: Mapping[str, Any] | None, series_id: str, slot: str, zone: str
) -> Appointment | None:
    """The occurrence; None where it does not fit, and where its series does not have it (any more): it goes with the
    series, and with the slot.
    """
    whole = None if series is None else _read(series, zone)
    if whole is None or whole.cancelled:
        return None
    when = _when(whole)
    if when is None or not when.has(slot):
        return None
    try:
        return read_occurrence(own, series, series_id, slot, zone)
    except Park:
        return None


def _span(when: When, zone: str) -> Span:
    match when:
        case Timed():
            return Span(when.start, when.end)
        case AllDay():
            return Span(_begin(when.start, zone), _begin(when.end, zone))


def _begin(day: dt.date, zone: str) -> dt.datetime:
    """When a day begins: where the clock is put forward at midnight, as the clock before that has it."""
    try:
        return dt.datetime.combine(day, dt.time(), ZoneInfo(zone)).astimezone(dt.UTC)
    except OverflowError:  # The first days, or the last ones, that a date can hold.
        return dt.datetime.combine(day, dt.time(), dt.UTC)


def _zone(appointment: Appointment, studio_zone: str) -> str:
    """Where its days begin and end; a zone that nobody knows is none."""
    return _known(appointment.time_zone or "") or _known(studio_zone) or "UTC"


@functools.lru_cache(maxsize=256)
def _known(zone: str) -> str | None:
    try:
        return zones.known(zone)
    except Park:
        return None
