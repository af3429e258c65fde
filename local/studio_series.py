"""What a studio's front-end writes when a person changes a repeating appointment: this one, this and following, or all.

After the contract: an occurrence that is not as its series has it is a document of its own, named after the series and
the original start; "this and following" is two documents, the series that ends before and a new one.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from local.google import occurrences, series_edits
from local.google.occurrences import Slot

Scope = Literal["this", "following", "all"]
# What an occurrence's document takes over from its series.
TAKEN = (
    "kind", "title", "description", "location", "status", "busy", "private", "time_zone", "user_ids", "client_id",
    "resource_ids",
)  # fmt: skip


class Desk(Protocol):
    """Where documents are written."""

    def book(self, appointment_id: str, **fields: Any) -> None: ...
    def edit(self, appointment_id: str, **fields: Any) -> None: ...
    def appointment(self, appointment_id: str) -> dict[str, Any] | None: ...


def occurrence_id(series_id: str, slot: Slot) -> str:
    """The document id of an occurrence; `slot` is its original start, UTC, or its date."""
    return f"{series_id}_{occurrences.stamp(slot)}"


def change(
    desk: Desk, series_id: str, slot: Slot, scope: Scope, *, by: dt.timedelta = dt.timedelta(), **fields: Any
) -> str:
    """Give an occurrence, it and what follows, or the whole series other fields, and move it by the clock on the wall.

    Gives the id of the document that has the change: of a series that was split, the new one.
    """
    series = _known(desk, series_id)
    if scope == "following" and _is_first(series, slot):
        scope = "all"
    match scope:
        case "this":
            return _change_one(desk, series_id, series, slot, by, fields)
        case "following":
            desk.edit(series_id, recurrence=series_edits.trimmed(_master(series), slot))
            rest = series_edits.rest(_master(series), slot)
            new_id = f"{series_id}-from-{occurrences.stamp(slot)}"
            taken = {name: series[name] for name in TAKEN if name in series}
            times = _moved(_times(series, slot), by, series.get("time_zone"))
            desk.book(new_id, **{**taken, **times, "recurrence": rest["recurrence"], **fields})
            return new_id
        case "all":
            first = occurrences.slot_of(_master(series)["start"])
            desk.edit(series_id, **(_moved(_times(series, first), by, series.get("time_zone")) if by else {}), **fields)
            return series_id


def cancel(desk: Desk, series_id: str, slot: Slot, scope: Scope) -> None:
    """Cancel an occurrence, it and those after it, or the whole series."""
    series = _known(desk, series_id)
    if scope == "all" or (scope == "following" and _is_first(series, slot)):
        desk.edit(series_id, status="cancelled")
    elif scope == "this":
        _change_one(desk, series_id, series, slot, dt.timedelta(), {"status": "cancelled"})
    else:
        desk.edit(series_id, recurrence=series_edits.trimmed(_master(series), slot))


def _known(desk: Desk, series_id: str) -> dict[str, Any]:
    series = desk.appointment(series_id)
    if series is None or not series.get("recurrence"):
        raise ValueError(f"no series: {series_id}")
    return series


def _change_one(
    desk: Desk, series_id: str, series: Mapping[str, Any], slot: Slot, by: dt.timedelta, fields: Mapping[str, Any]
) -> str:
    one_id = occurrence_id(series_id, slot)
    known = desk.appointment(one_id)
    times = _times(series, slot) if known is None else _own_times(known)
    moved = _moved(times, by, series.get("time_zone"))
    if known is not None:
        desk.edit(one_id, **(moved if by else {}), **fields)
        return one_id
    original = {"original_start": slot} if isinstance(slot, dt.datetime) else {"original_date": slot.isoformat()}
    taken = {name: series[name] for name in TAKEN if name in series}
    desk.book(one_id, **{**taken, **moved, "series_id": series_id, **original, **fields})
    return one_id


def _is_first(series: Mapping[str, Any], slot: Slot) -> bool:
    return occurrences.slot_of(_master(series)["start"]) == slot


def _master(series: Mapping[str, Any]) -> dict[str, Any]:
    """The series as a calendar would write it."""
    if series.get("all_day"):
        times = {"start": {"date": series["start_date"]}, "end": {"date": series["end_date"]}}
    else:
        zone = series.get("time_zone") or "UTC"
        times = {name: {"dateTime": series[name].isoformat(), "timeZone": zone} for name in ("start", "end")}
    return {**times, "recurrence": list(series["recurrence"])}


def _times(series: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
    """The times of the occurrence at a slot."""
    if not isinstance(slot, dt.datetime):
        length = dt.date.fromisoformat(series["end_date"]) - dt.date.fromisoformat(series["start_date"])
        return {"all_day": True, "start_date": slot.isoformat(), "end_date": (slot + length).isoformat()}
    return {"start": slot, "end": slot + (series["end"] - series["start"])}


def _own_times(known: Mapping[str, Any]) -> dict[str, Any]:
    names = ("all_day", "start_date", "end_date") if known.get("all_day") else ("start", "end")
    return {name: known[name] for name in names}


def _moved(times: Mapping[str, Any], by: dt.timedelta, zone: str | None) -> dict[str, Any]:
    """The same times, so much later by the clock on the wall of the series."""
    moved = dict(times)
    for name, value in times.items():
        if isinstance(value, dt.datetime):
            moved[name] = occurrences.at(occurrences.wall(value, zone) + by, zone, all_day=False)
        elif name in {"start_date", "end_date"}:
            moved[name] = (dt.date.fromisoformat(value) + by).isoformat()
    return moved
