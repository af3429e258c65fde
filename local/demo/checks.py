"""What the demo checks, on its own terms: it compares what stands in the studio and in the calendars, and shares no
code with what it checks. Each function gives problems in plain words; none means that it holds.
"""

import datetime as dt
import http.client
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """What must be the same on both sides: instants in UTC, or the dates of whole days (the last one exclusive)."""

    title: str
    start: str
    end: str
    description: str = ""
    location: str = ""
    status: str = "confirmed"
    busy: bool = True
    private: bool = False

    def __str__(self) -> str:
        return f"“{self.title}” ({self.start} to {self.end})"


def entry_of_appointment(fields: Mapping[str, Any]) -> Entry:
    start, end = (fields[f"{name}_date"] if fields.get("all_day") else _utc(fields[name]) for name in ("start", "end"))
    return Entry(
        fields["title"],
        start,
        end,
        description=fields.get("description") or "",
        location=fields.get("location") or "",
        status=fields.get("status") or "confirmed",
        busy=fields.get("busy", True),
        private=fields.get("private", False),
    )


def entry_of_event(event: Mapping[str, Any]) -> Entry:
    start, end = (
        event[name].get("date") or _utc(dt.datetime.fromisoformat(event[name]["dateTime"])) for name in ("start", "end")
    )
    return Entry(
        event.get("summary", ""),
        start,
        end,
        description=event.get("description", ""),
        location=event.get("location", ""),
        status=event.get("status", "confirmed"),
        busy=event.get("transparency") != "transparent",
        private=event.get("visibility") == "private",
    )


def ends_before(entry: Entry, day: dt.date) -> bool:
    return entry.end[:10] < day.isoformat()


# How a private entry is called where its words must not be read.
BUSY = "Busy"


def as_studio_sees(own: Iterable[Entry]) -> list[Entry]:
    """What the studio is to hold of a person's own entries: no tentative ones, and no words of the private ones."""
    confirmed = (entry for entry in own if entry.status != "tentative")
    return [entry._replace(title=BUSY, description="", location="") if entry.private else entry for entry in confirmed]


def exactly_once(wanted: Iterable[Entry], found: Iterable[Entry], place: str) -> list[str]:
    """Whether `place` holds just what is wanted: nothing missing, nothing doubled, nothing else, in every field."""
    expected, there = Counter(wanted), Counter(found)
    problems = _differing(expected, there, place)
    for entry in sorted(expected | there):
        if there[entry] == expected[entry]:
            continue
        if not there[entry]:
            problems.append(f"{entry} is missing in {place}.")
        elif not expected[entry]:
            problems.append(f"{entry} is in {place}, but should not be.")
        else:
            problems.append(f"{entry} is {there[entry]} times in {place}, not {expected[entry]} times.")
    return problems


def _differing(expected: Counter[Entry], there: Counter[Entry], place: str) -> list[str]:
    """Entries that are there, with the title and the times that they should have, but with something else amiss.

    They are told here, and taken out of both.
    """
    problems = []
    strangers = {entry[:3]: entry for entry in there - expected}
    for entry in sorted(expected - there):
        if (other := strangers.pop(entry[:3], None)) is None:
            continue
        names = [name for name in Entry._fields if getattr(entry, name) != getattr(other, name)]
        amiss = ", ".join(f"{name} {getattr(other, name)!r} (should be {getattr(entry, name)!r})" for name in names)
        problems.append(f"{entry} differs in {place}: {amiss}.")
        expected[entry] -= 1
        there[other] -= 1
    return problems


def assigned(appointments: Iterable[Mapping[str, Any]], user_id: str, since: dt.date) -> list[Entry]:
    """What a user's calendar should hold of the studio's: theirs, not cancelled, not ended before `since`."""
    mine = (one for one in appointments if user_id in one["user_ids"] and one["status"] != "cancelled")
    return [entry for entry in map(entry_of_appointment, mine) if not ends_before(entry, since)]


def at_most(found: int, allowed: int, what: str) -> list[str]:
    return [] if found <= allowed else [f"There were {found} {what}; at most {allowed} are allowed."]


def exactly(found: object, wanted: object, what: str) -> list[str]:
    return [] if found == wanted else [f"{what}: {found}, expected {wanted}."]


# --- calls -----------------------------------------------------------------------------------------------------------

_LISTING = "google GET /calendar/v3/calendars/{}/events"
_WATCH = "google POST /calendar/v3/calendars/{}/events/watch"
_TOKEN = "google POST /token"
# Google's public keys, with which our functions verify their callers: no call to the calendar.
_CERTS = "google GET /oauth2/v1/certs"


class GoogleCalls(NamedTuple):
    """HTTP requests that the functions sent to Google, by purpose. `writing` is all that is none of the others."""

    writing: int
    listing: int
    watching: int
    tokens: int

    def __str__(self) -> str:
        parts = (f"{self.writing} to write", f"{self.listing} to list", f"{self.watching} to watch")
        return ", ".join((*parts, f"{self.tokens} for tokens"))


def google_calls(counted: Mapping[str, Any]) -> GoogleCalls:
    """From what the wiretap counted in the functions."""
    methods = counted["methods"]
    listing, watching, tokens = (methods.get(name, 0) for name in (_LISTING, _WATCH, _TOKEN))
    others = counted["services"].get("google", 0) - methods.get(_CERTS, 0)
    return GoogleCalls(others - listing - watching - tokens, listing, watching, tokens)


def batches(writes: int) -> int:
    """In how many HTTP requests so many writes fit: 50 in each."""
    return math.ceil(writes / 50)


# --- secrets ---------------------------------------------------------------------------------------------------------

# As Google's tokens look, and ours for push channels: whatever token it is, and also one that nobody knows of.
TOKEN_SHAPES = {
    "a refresh token": re.compile(r"1//0[\w-]{20,}"),
    "an access token": re.compile(r"ya29\.[\w-]{20,}"),
    "a push channel's token": re.compile(r"[a-v0-9]{26}\.[0-9a-f]{64}"),
}


def leaks(texts: Iterable[str], place: str) -> list[str]:
    """Which kinds of tokens stand in the texts."""
    whole = "\n".join(texts)
    return [f"{place} holds {kind}." for kind, shape in TOKEN_SHAPES.items() if shape.search(whole)]


def words_of(entry: Entry) -> set[str]:
    """What a person wrote into an entry, by the line."""
    return {line for text in (entry.title, entry.description, entry.location) for line in text.splitlines()} - {""}


def betrayed(secrets: Iterable[str], texts: Iterable[str], place: str) -> list[str]:
    """Which of the words that must be in none of the texts are there; texts may be JSON, with what that escapes."""
    whole = "\n".join(texts)
    return [
        f"{place} holds “{secret}”, which is private in a calendar."
        for secret in sorted(secrets)
        if any(spelling in whole for spelling in _spellings(secret))
    ]


def _spellings(text: str) -> set[str]:
    return {text, *(json.dumps(text, ensure_ascii=escaped)[1:-1] for escaped in (False, True))}


def all_documents(emulator: str, project: str) -> list[str]:
    """Every document of the project, whatever its collection, as JSON text."""
    query = json.dumps({"structuredQuery": {"from": [{"allDescendants": True}]}})
    path = f"/v1/projects/{project}/databases/(default)/documents:runQuery"
    connection = http.client.HTTPConnection(emulator, timeout=30)
    try:
        connection.request("POST", path, query, {"Authorization": "Bearer owner"})
        found = json.load(connection.getresponse())
    finally:
        connection.close()
    return [json.dumps(one["document"]) for one in found if "document" in one]


def _utc(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
