"""The instances of a series: their ids, and what each looks like while nobody has changed it.

Ids are the master's and the original start (``<master>_20270601T080000Z``, ``<master>_20270601``): opaque by contract,
observed by many (odoo/odoo#66080, nylas/sync-engine#228).
"""

import datetime as dt
import re
import zlib
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any

from local.google import occurrences
from local.google.behaviour import Behaviour
from local.google.calendar import Calendar, StoredEvent
from local.google.event_times import moment_of, written
from local.google.occurrences import Slot

# What "this and following" adds to the id of the series that it splits off.
_SPLIT = re.compile(r"_R\d{8}(T\d{6})?$", re.ASCII)


def base_id(master_id: str) -> str:
    """The id of the series that this one was split off from; its own if it was not."""
    return _SPLIT.sub("", master_id)


def instance_id(master_id: str, slot: Slot, behaviour: Behaviour) -> str:
    """The id of one instance."""
    stem = base_id(master_id) if behaviour.split_series_share_instance_ids else master_id
    return f"{stem}_{occurrences.stamp(slot)}"


def slot_of(event: StoredEvent) -> Slot:
    """Of an instance: the original start, which identifies it for good."""
    return occurrences.slot_of(event.resource["originalStartTime"])


def has(master: StoredEvent, slot: Slot, behaviour: Behaviour) -> bool:
    """Whether the series has an occurrence then; an event that does not recur has none."""
    resource = master.resource
    return master.recurs and occurrences.happens(resource["start"], resource["recurrence"], slot, behaviour.reading)


def find(calendar: Calendar, event_id: str, behaviour: Behaviour) -> StoredEvent | None:
    """What is stored under the id, or the instance that nobody has changed yet.

    That also where an exception is gone, if its slot is one of the series.
    """
    stored = calendar.events.get(event_id)
    if stored is not None and not stored.gone:
        master = calendar.master_of(stored)
        hidden = master is not None and master.cancelled and not behaviour.instances_outlive_their_series
        return None if hidden else stored
    stem, _, text = event_id.rpartition("_")
    slot = occurrences.from_stamp(text)
    if slot is None:
        return stored
    for master in _masters(calendar, stem, behaviour):
        if has(master, slot, behaviour) and instance_id(master.id, slot, behaviour) == event_id:
            hidden = master.cancelled and not behaviour.instances_outlive_their_series
            return stored if hidden else instance(master, slot, calendar.time_zone, behaviour)
    return stored


def instance(master: StoredEvent, slot: Slot, calendar_zone: str, behaviour: Behaviour) -> StoredEvent:
    """The instance as the master has it."""
    whole = master.resource
    own_id = instance_id(master.id, slot, behaviour)
    start, end = _times(whole, slot, calendar_zone, behaviour)
    etag = whole["etag"]
    if behaviour.instance_etags_of_their_own:
        etag = f'"{etag.strip(chr(34))}{zlib.crc32(own_id.encode()):010}"'
    resource = {name: value for name, value in whole.items() if name != "recurrence"} | {
        "etag": etag,
        "id": own_id,
        "htmlLink": f"{whole['htmlLink']}_{occurrences.stamp(slot)}",
        "start": start,
        "end": end,
        "recurringEventId": master.id,
        "originalStartTime": start,
    }
    ends = moment_of(occurrences.slot_of(end), calendar_zone)
    first = moment_of(slot, calendar_zone)
    return StoredEvent(resource, master.change, master.updated, first, ends, removed=master.removed)


def _masters(calendar: Calendar, stem: str, behaviour: Behaviour) -> Iterator[StoredEvent]:
    """Where an instance whose id begins so may belong."""
    if stem in calendar.events:
        yield calendar.events[stem]
    if behaviour.split_series_share_instance_ids:
        for event_id, event in calendar.events.items():
            if event_id != stem and base_id(event_id) == stem:
                yield event


def _times(
    whole: Mapping[str, Any], slot: Slot, calendar_zone: str, behaviour: Behaviour
) -> tuple[dict[str, str], dict[str, str]]:
    """Rendered start and end of an occurrence."""
    first, ends = occurrences.slot_of(whole["start"]), occurrences.slot_of(whole["end"])
    if not isinstance(slot, dt.datetime):
        return {"date": slot.isoformat()}, {"date": (slot + (ends - first)).isoformat()}
    start_zone, end_zone = whole["start"].get("timeZone"), whole["end"].get("timeZone")
    end: Slot = slot + (ends - first)
    if behaviour.instances_end_by_the_wall_clock:
        length = occurrences.wall(ends, end_zone) - occurrences.wall(first, start_zone)
        end = occurrences.at(occurrences.wall(slot, start_zone) + length, end_zone, all_day=False)
    return _rendered(slot, start_zone, calendar_zone), _rendered(end, end_zone, calendar_zone)


def _rendered(moment: Slot, zone_name: str, calendar_zone: str) -> dict[str, str]:
    local = moment_of(moment, calendar_zone).astimezone(zoneinfo.ZoneInfo(calendar_zone))
    return {"dateTime": written(local), "timeZone": zone_name}
