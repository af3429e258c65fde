"""What Google's own page makes of an edit of "this and following" or of "all" events of a series.

The API has no such operations: the page writes series (https://developers.google.com/workspace/calendar/api/guides/
recurringevents#modifying_all_following_instances). Pure: resources as the API answers them, to bodies to be sent.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from local.google import occurrences
from local.google.event_rules import draft_of, merged
from local.google.occurrences import Slot
from local.google.series import base_id

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def is_first(master: Mapping[str, Any], slot: Slot) -> bool:
    """Whether nothing of the series lies before the slot."""
    return occurrences.occurrences(master["start"], master["recurrence"], slot)[:1] == (slot,)


def trimmed(master: Mapping[str, Any], slot: Slot) -> list[str]:
    """The recurrence of what is left of a series before the slot: less of its COUNT, or an earlier UNTIL."""
    day = not isinstance(slot, dt.datetime)
    end = occurrences.stamp(slot - (dt.timedelta(days=1) if day else dt.timedelta(seconds=1)))
    lines = []
    for line in master["recurrence"]:
        name, _, value = line.partition(":")
        if name == "RRULE":
            given = occurrences.parts(value)
            if "COUNT" in given:
                counted = occurrences.ruled(master["start"], value, slot)
                lines.append(_rule(name, given | {"COUNT": str(min(counted, int(given["COUNT"])))}))
            else:
                lines.append(_rule(name, given | {"UNTIL": min(given.get("UNTIL", end), end)}))
        else:
            lines += _dates(line, master["start"], lambda other: other < slot)
    return lines


def rest(master: Mapping[str, Any], slot: Slot) -> dict[str, Any]:
    """The series that is split off at the slot, with all that the old one has; without id and other people's fields."""
    lines = []
    for line in master["recurrence"]:
        name, _, value = line.partition(":")
        given = occurrences.parts(value) if name == "RRULE" else {}
        if "COUNT" in given:
            left = int(given["COUNT"]) - occurrences.ruled(master["start"], value, slot)
            lines += [_rule(name, given | {"COUNT": str(left)})] if left > 0 else []
        else:
            lines += _dates(line, master["start"], lambda other: other >= slot)
    shift = _clock(slot, master["start"]) - _clock(occurrences.slot_of(master["start"]), master["start"])
    return draft_of(master) | {
        "start": moved(master["start"], shift),
        "end": moved(master["end"], shift),
        "recurrence": lines,
    }


def split_id(master_id: str, slot: Slot) -> str:
    """The id of a series that was split off, as observed."""
    return f"{base_id(master_id)}_R{occurrences.stamp(slot).removesuffix('Z')}"


def moved(value: Mapping[str, str], by: dt.timedelta) -> dict[str, str]:
    """A start or end so much later by the clock on the wall; of whole days, so many days later."""
    if "date" in value:
        return {"date": (dt.date.fromisoformat(value["date"]) + by).isoformat()}
    if "timeZone" not in value:
        return {"dateTime": (dt.datetime.fromisoformat(value["dateTime"]) + by).isoformat()}
    return _at(_clock(occurrences.slot_of(value), value) + by, value)


def for_all(master: Mapping[str, Any], instance: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The edit of a series by an edit of one of its instances: the whole series moves as far as the instance would.

    ValueError for rules that no simple shift of days keeps meaningful.
    """
    given = {name: _without_nulls(fields[name]) for name in ("start", "end") if name in fields}
    if not given:
        return dict(fields)
    start, end = (_completed(instance[name], given.get(name, {})) for name in ("start", "end"))
    shift = _local(start, instance["start"]) - _local(instance["start"], instance["start"])
    length = _local(end, instance["end"]) - _local(start, instance["start"])
    old = _local(master["start"], master["start"])
    zone = {"timeZone": start.get("timeZone") or master["start"].get("timeZone", "UTC")}
    kind = {} if "date" in start else zone
    new_start, new_end = _at(old + shift, kind), _at(old + shift + length, kind)
    lines = {"recurrence": _moved_lines(master, old, shift, new_start)} if shift else {}
    # Null takes away what the other kind of time has.
    nulls = dict.fromkeys(("date", "dateTime", "timeZone"))
    return lines | dict(fields) | {"start": nulls | new_start, "end": nulls | new_end}


def edited(body: dict[str, Any], instance: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A body with the edit `for_all` in it."""
    return dict(merged(body, for_all(body, instance, fields)))


def _without_nulls(value: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in value.items() if text is not None}


def _completed(value: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What was given, and else what there was; but a date and a time do not mix."""
    other = {"date": ("dateTime", "timeZone"), "dateTime": ("date",)}
    dropped = {name for kind in given for name in other.get(kind, ())}
    return {name: text for name, text in value.items() if name not in dropped} | dict(given)


def _local(value: Mapping[str, str], home: Mapping[str, str]) -> dt.datetime:
    """By the clock on the wall of the value's own zone, or of that of `home` if it has none."""
    zone_name = value.get("timeZone") or home.get("timeZone")
    if "dateTime" in value and dt.datetime.fromisoformat(value["dateTime"]).tzinfo is None:
        return dt.datetime.fromisoformat(value["dateTime"])
    return occurrences.wall(occurrences.slot_of(value), zone_name)


def _clock(slot: Slot, start: Mapping[str, str]) -> dt.datetime:
    return occurrences.wall(slot, start.get("timeZone"))


def _at(moment: dt.datetime, kind: Mapping[str, str]) -> dict[str, str]:
    """A start or end at this time by the clock, of whole days or in the zone that `kind` has."""
    if "timeZone" not in kind:
        return {"date": moment.date().isoformat()}
    return {"dateTime": moment.isoformat(), "timeZone": kind["timeZone"]}


def _rule(name: str, given: Mapping[str, str]) -> str:
    return f"{name}:" + ";".join(f"{part}={value}" for part, value in given.items())


def _dates(line: str, start: Mapping[str, str], wanted: Any) -> list[str]:
    """A line of dates, less those that are not wanted; any other line as it is."""
    head, _, values = line.partition(":")
    if not head.startswith(("RDATE", "EXDATE")):
        return [line]
    kept = [value for value in values.split(",") if wanted(_slot(value, line, start))]
    return [f"{head}:{','.join(kept)}"] if kept else []


def _slot(value: str, line: str, start: Mapping[str, str]) -> Slot:
    all_day = "date" in start
    home = zoneinfo.ZoneInfo(start.get("timeZone", "UTC"))
    moment = occurrences.moment(value, occurrences.parsed(line).zone or home, home, all_day=all_day)
    return occurrences.at(moment, home.key, all_day=all_day)


def _moved_lines(
    master: Mapping[str, Any], old: dt.datetime, shift: dt.timedelta, new_start: Mapping[str, str]
) -> list[str]:
    days = ((old + shift).date() - old.date()).days
    zone_name, all_day = new_start.get("timeZone"), "date" in new_start

    def later(values: Iterable[str], line: str) -> str:
        slots = (_slot(value, line, master["start"]) for value in values)
        moments = (_clock(slot, master["start"]) + shift for slot in slots)
        return ",".join(occurrences.stamp(occurrences.at(moment, zone_name, all_day=all_day)) for moment in moments)

    lines = []
    for line in master["recurrence"]:
        name = line.partition(":")[0].partition(";")[0]
        if name in {"RDATE", "EXDATE"}:
            kind = ";VALUE=DATE" if all_day else ""
            lines.append(f"{name}{kind}:{later(line.partition(':')[2].split(','), line)}")
            continue
        given = occurrences.parts(line.partition(":")[2])
        if "UNTIL" in given:
            given["UNTIL"] = later([given["UNTIL"]], line)
        lines.append(_rule(name, given | (_moved_days(given, old + shift, days) if days else {})))
    return lines


def _moved_days(given: Mapping[str, str], start: dt.datetime, days: int) -> dict[str, str]:
    """The parts of a rule that name days, for a series that now starts at `start`, so many days later than before."""
    moved_parts: dict[str, str] = {}
    names: Sequence[str] = given.get("BYDAY", "").split(",") if "BYDAY" in given else []
    if names and all(name in _DAYS for name in names):
        moved_parts["BYDAY"] = ",".join(_DAYS[(_DAYS.index(name) + days) % len(_DAYS)] for name in names)
    elif len(names) == 1 and not names[0].startswith("-"):
        moved_parts["BYDAY"] = f"{(start.day - 1) // len(_DAYS) + 1}{_DAYS[start.weekday()]}"
    elif names:
        raise ValueError(f"not simulated: to move BYDAY={given['BYDAY']} by {days} days")
    for name, value in (("BYMONTHDAY", start.day), ("BYMONTH", start.month)):
        if name in given and not given[name].isdecimal():
            raise ValueError(f"not simulated: to move {name}={given[name]} by {days} days")
        if name in given:
            moved_parts[name] = str(value)
    return moved_parts
