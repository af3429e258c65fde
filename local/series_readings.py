"""What a person sees of repeating appointments on either side, occurrence by occurrence: two readings to be compared.

Neither uses the product's own expansion.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from local.google import occurrences
from local.google.occurrences import Slot
from local.google.person import Person
from local.studio_series import TAKEN, occurrence_id

# Start and end (UTC, or dates), title, place, status, whether it blocks the time.
Shown = tuple[str, str, str, str, str, bool]
Documents = Mapping[str, Mapping[str, Any]]


def in_calendar(person: Person, since: dt.datetime, until: dt.datetime) -> list[Shown]:
    """The calendar as Google's page shows it, series occurrence by occurrence; whatever touches ``[since, until)``."""
    return sorted(
        (
            text(occurrences.slot_of(event["start"])),
            text(occurrences.slot_of(event["end"])),
            event.get("summary", ""),
            event.get("location", ""),
            event["status"],
            event.get("transparency", "opaque") == "opaque",
        )
        for event in person.agenda(since, until)
    )


def in_studio(
    appointments: Documents, user_id: str, since: dt.datetime, until: dt.datetime, *, zone: str
) -> list[Shown]:
    """The studio as a front-end shows it: each series with the documents of its occurrences laid over it.

    `appointments` are all documents of the studio, `zone` is the studio's.
    """
    documents = {one: whole(document, appointments) for one, document in appointments.items()}
    found: list[Shown] = []
    for appointment_id, document in documents.items():
        series = documents.get(document.get("series_id") or "")
        if document.get("series_id"):
            on_series = series is not None and user_id in series["user_ids"]
            if on_series and not has(series or {}, document, zone=zone):
                continue  # Its series was cancelled, or ends before it.
            found += [shown(document, *times(document))] if stands(document, user_id) else []
        elif document.get("recurrence"):
            for slot in slots(document, until, zone=zone) if stands(document, user_id) else ():
                if occurrence_id(appointment_id, slot) not in documents:
                    first, last = times(document)
                    found.append(shown(document, slot, slot + (last - first)))
        elif stands(document, user_id):
            found.append(shown(document, *times(document)))
    return sorted(one for one in found if one[1] > text(since)[: len(one[1])] and one[0] < text(until)[: len(one[0])])


def whole(document: Mapping[str, Any], documents: Documents) -> dict[str, Any]:
    """What an occurrence's document does not say, it has from its series."""
    series = documents.get(document.get("series_id") or "")
    if series is None:
        return dict(document)
    taken = {name: series[name] for name in TAKEN if name in series}
    if not {"start", "start_date"} & document.keys() and series.get("recurrence"):
        first, last = times(series)
        slot = document.get("original_start") or dt.date.fromisoformat(document["original_date"])
        if series.get("all_day"):
            taken |= {"all_day": True, "start_date": f"{slot}", "end_date": f"{slot + (last - first)}"}
        else:
            taken |= {"start": slot, "end": slot + (last - first)}
    elif "start_date" in document:
        taken["all_day"] = True
    return {**taken, **document}


def stands(document: Mapping[str, Any], user_id: str) -> bool:
    """Whether it is this user's, and not cancelled."""
    return document["status"] != "cancelled" and user_id in document["user_ids"]


def has(series: Mapping[str, Any], occurrence: Mapping[str, Any], *, zone: str) -> bool:
    """Whether the series has a place for the document of an occurrence."""
    if series.get("status") == "cancelled" or not series.get("recurrence"):
        return False
    slot = occurrence.get("original_start") or dt.date.fromisoformat(occurrence["original_date"])
    return occurrences.happens(_start(series, zone), series["recurrence"], slot)


def slots(series: Mapping[str, Any], until: dt.datetime, *, zone: str) -> list[Slot]:
    """When the series happens, up to an instant."""
    through = until.date() if series.get("all_day") else until
    return [
        slot for slot in occurrences.occurrences(_start(series, zone), series["recurrence"], through) if slot < through
    ]


def times(document: Mapping[str, Any]) -> tuple[Any, Any]:
    """Start and end: two instants, or two dates."""
    if document.get("all_day"):
        return dt.date.fromisoformat(document["start_date"]), dt.date.fromisoformat(document["end_date"])
    return document["start"], document["end"]


def shown(document: Mapping[str, Any], first: Slot, last: Slot) -> Shown:
    """What a front-end shows of a document, at these times."""
    busy = document.get("busy", True)
    return (
        text(first),
        text(last),
        document.get("title", ""),
        document.get("location", ""),
        document["status"],
        busy,
    )


def text(moment: Slot) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if isinstance(moment, dt.datetime) else moment.isoformat()


def _start(series: Mapping[str, Any], zone: str) -> dict[str, str]:
    if series.get("all_day"):
        return {"date": series["start_date"]}
    return {"dateTime": series["start"].isoformat(), "timeZone": series.get("time_zone") or zone}
