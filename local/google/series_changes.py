"""What becomes of the exceptions of a series when the series changes. Mostly not documented: see `Behaviour`.

Pure: three stages, each from what the calendar holds to steps that are carried out before the next stage looks.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from local.google import event_rules, occurrences, series
from local.google.behaviour import Behaviour
from local.google.calendar import Calendar, StoredEvent
from local.google.occurrences import Slot


@dataclass(frozen=True, slots=True)
class Step:
    """An exception's new version; None: it is forgotten. `silent`: no change that a delta would show."""

    event_id: str
    event: StoredEvent | None
    silent: bool = False


Stage = Callable[[Calendar, StoredEvent, StoredEvent, Behaviour], list[Step]]


def _bury(calendar: Calendar, before: StoredEvent, after: StoredEvent, behaviour: Behaviour) -> list[Step]:
    """A deleted series takes its exceptions with it."""
    if before.cancelled or not after.cancelled:
        return []
    return [
        Step(
            event.id,
            replace(_with_status(event, "cancelled"), buried_as=event.resource["status"]),
            silent=not behaviour.exception_tombstones_with_series,
        )
        for event in calendar.exceptions(after.id)
        if not event.cancelled
    ]


def _bring_back(calendar: Calendar, before: StoredEvent, after: StoredEvent, behaviour: Behaviour) -> list[Step]:
    """A series that is taken out of the bin brings its exceptions, or is as if it never had any."""
    if not before.cancelled or after.cancelled:
        return []
    if not behaviour.exceptions_return:
        return [Step(event.id, None) for event in calendar.exceptions(after.id)]
    return [
        Step(event.id, replace(_with_status(event, event.buried_as), buried_as=None))
        for event in calendar.exceptions(after.id)
        if event.buried_as is not None
    ]


def _follow(calendar: Calendar, before: StoredEvent, after: StoredEvent, behaviour: Behaviour) -> list[Step]:
    """A living series changes."""
    if after.cancelled:
        return []
    change = _Change(calendar, before, after, behaviour)
    return [*change.steps()]


STAGES: tuple[Stage, ...] = (_bury, _bring_back, _follow)


class _Change:
    def __init__(self, calendar: Calendar, before: StoredEvent, after: StoredEvent, behaviour: Behaviour) -> None:
        self._calendar = calendar
        self._before = before
        self._after = after
        self._behaviour = behaviour
        self._moved = _clock(before) != _clock(after)

    def steps(self) -> Iterator[Step]:
        """What to do, first with what is left behind, so that a place can be taken that another one leaves."""
        kept: dict[str, StoredEvent] = {}
        left: list[StoredEvent] = []
        for event in self._calendar.exceptions(self._after.id):
            fate, now = self._fate(event)
            if fate == "forgotten":
                yield Step(event.id, None)
            if fate == "dropped" or now.id != event.id:
                left.append(event)
            if now is not event:
                kept[now.id] = now
        for event in left:
            # Where the series has an ordinary instance instead, that is found under the id, in the delta too.
            yield Step(event.id, replace(_with_status(event, "cancelled"), gone=True))
        for event_id, event in kept.items():
            yield Step(event_id, event)

    def _fate(self, event: StoredEvent) -> tuple[str, StoredEvent]:
        """``placed``, ``kept``, ``dropped`` or ``forgotten``; and the exception as it is then, itself if as it was."""
        slot, behaviour = series.slot_of(event), self._behaviour
        if event.gone:
            # Its place may be one of the series again, and free.
            return ("forgotten" if series.has(self._after, slot, behaviour) else "kept"), event
        if not series.has(self._before, slot, behaviour):
            return "kept", event  # Orphaned by an earlier change.
        if self._moved and behaviour.exceptions_of_a_moved_series != "rekeyed":
            return behaviour.exceptions_of_a_moved_series, event
        place = self._carried(slot) if self._moved else slot
        if series.has(self._after, place, behaviour):
            return "placed", self._placed(event, slot, place)
        return behaviour.exceptions_beyond_the_end, event

    def _carried(self, slot: Slot) -> Slot:
        """Moved as far as the series, by the clock on the wall."""
        old, new = self._before.resource["start"], self._after.resource["start"]
        shift = _clock(self._after)[0] - _clock(self._before)[0]
        moment = occurrences.wall(slot, old.get("timeZone")) + shift
        return occurrences.at(moment, new.get("timeZone"), all_day="date" in new)

    def _placed(self, event: StoredEvent, slot: Slot, place: Slot) -> StoredEvent:
        """The exception in its place; the same object if nothing about it changes."""
        zone, behaviour = self._calendar.time_zone, self._behaviour
        as_before = series.instance(self._before, slot, zone, behaviour)
        as_now = series.instance(self._after, place, zone, behaviour)
        fields = event_rules.draft_of(event.resource)
        if behaviour.exceptions_inherit and not event.cancelled:
            fields = event_rules.inherited(fields, as_before.resource, as_now.resource)
        if place == slot and fields == event_rules.draft_of(event.resource):
            return event
        own = {name: value for name, value in event.resource.items() if name not in event_rules.WRITABLE}
        names = {name: as_now.resource[name] for name in ("id", "recurringEventId", "originalStartTime")}
        same_times = all(fields[name] == event.resource[name] for name in ("start", "end"))
        times = event if same_times else as_now
        return replace(event, resource=own | names | fields, first=times.first, last=times.last)


def _with_status(event: StoredEvent, status: str | None) -> StoredEvent:
    return replace(event, resource=event.resource | {"status": status})


def _clock(event: StoredEvent) -> tuple[dt.datetime, str | None, bool]:
    """The start by the clock on the wall, of which zone, and whether it is a whole day."""
    start = event.resource["start"]
    return occurrences.wall(occurrences.slot_of(start), start.get("timeZone")), start.get("timeZone"), "date" in start
