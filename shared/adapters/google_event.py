"""Google's event resource to and from ours. The only place that knows how Google spells an entry."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain import zones
from shared.domain.content import AllDay, Content, Timed, Unit, When, repeated
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.link import Seal, read_seal, write_seal
from shared.domain.reasons import Reason
from shared.domain.recurrence import original_of, slot_of

# One private extended property carries all we leave on an event. Private ones belong to one copy of an event: guests
# do not see it. Google cuts values at 1,024 characters and drops keys of more than 44.
SEAL_PROPERTY = "studioSync"

# All that we read of an event, and all that Google is asked for.
FIELDS = (
    "id,etag,status,updated,iCalUID,summary,description,location,start,end,transparency,visibility,recurrence,"
    "recurringEventId,originalStartTime,eventType,organizer(email,self),attendees(self,responseStatus),"
    f"extendedProperties/private/{SEAL_PROPERTY}"
)


def read_event(resource: Mapping[str, Any], connection_id: str) -> Event:
    """An event resource as an `Event`; what cannot be taken over says so in `unfit`, it is never guessed at."""
    event_id = str(resource["id"])
    etag = str(resource.get("etag", ""))
    kind = str(resource.get("eventType", "default"))
    if resource.get("status") == "cancelled":
        # Google guarantees the id, and of an occurrence its place, though it may say more: a deletion is never more.
        series_event = str(resource.get("recurringEventId", ""))
        return Event(
            id=event_id, etag=etag, kind=kind, series_event=series_event, original_start=_original_start(resource)
        )
    private = resource.get("extendedProperties", {}).get("private", {})
    sealed = read_seal(str(private.get(SEAL_PROPERTY, "")), connection_id, event_id)
    content, unfit, detail = _content(resource)
    organizer = resource.get("organizer", {})
    return Event(
        id=event_id,
        etag=etag,
        content=content,
        unfit=unfit,
        unfit_detail=detail,
        ical_uid=str(resource.get("iCalUID", event_id)),
        series_event=str(resource.get("recurringEventId", "")),
        original_start=_original_start(resource),
        updated=_instant(resource["updated"]) if "updated" in resource else None,
        appointment_id=None if sealed is None else sealed[0],
        seal=None if sealed is None else sealed[1],
        kind=kind,
        # An organizer is left out where only busy times are shown; what is not said to be another's is this calendar's.
        own=not organizer or organizer.get("self") is True,
        organizer=str(organizer.get("email", "")),
        answer=_answer(resource.get("attendees", [])),
    )


def _answer(attendees: Sequence[Mapping[str, Any]]) -> str:
    """What the guest whose calendar this is has said; empty where none of the guests is."""
    return next((str(one.get("responseStatus", "")) for one in attendees if one.get("self") is True), "")


def _content(resource: Mapping[str, Any]) -> tuple[Content | None, Reason | None, str]:
    try:
        when = _when(resource["start"], resource["end"])
        # An occurrence is an entry like a single one: that it belongs to a series is not a part of what it says.
        if resource.get("recurrence") and "recurringEventId" not in resource:
            when = _repeated(when, resource)
    except Park as park:
        return None, park.reason, park.detail
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        return None, Reason.INVALID, f"start or end: {type(error).__name__}"
    content = Content(
        title=_text(resource.get("summary")),
        description=_text(resource.get("description")),
        location=_text(resource.get("location")),
        when=when,
        status="tentative" if resource.get("status") == "tentative" else "confirmed",
        busy=resource.get("transparency", "opaque") != "transparent",
        private=resource.get("visibility", "default") in {"private", "confidential"},
    )
    return content, None, ""


def _text(value: object) -> str:
    """A text cut in the middle of an emoji comes with half of it, which no storage takes: it becomes the sign �."""
    return "" if value is None else str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _when(start: Mapping[str, Any], end: Mapping[str, Any]) -> When:
    if "date" in start:
        return AllDay(dt.date.fromisoformat(start["date"]), dt.date.fromisoformat(end["date"]))
    return Timed(_instant(start["dateTime"]), _instant(end["dateTime"]))


def _repeated(once: When, resource: Mapping[str, Any]) -> When:
    """Google sends the zone of a series with its start, and always has one; of whole days it has no meaning."""
    zone = "" if isinstance(once, AllDay) else zones.known(_text(resource["start"].get("timeZone")))
    return repeated(once, [_text(line) for line in resource["recurrence"]], zone)


def _instant(text: str) -> dt.datetime:
    """Google renders times with the calendar's offset: the instant counts, whatever the offset."""
    value = dt.datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("a time without an offset")
    return value.astimezone(dt.UTC)


def rfc3339(slot: str) -> str:
    """A slot as Google wants an original start."""
    original = original_of(slot)
    return f"{original:%Y-%m-%dT%H:%M:%SZ}" if isinstance(original, dt.datetime) else original.isoformat()


def _original_start(resource: Mapping[str, Any]) -> str:
    """Canonical: UTC for a timed occurrence, the date for an all-day one; empty for what does not repeat."""
    original = resource.get("originalStartTime", {})
    if "dateTime" in original:
        return slot_of(_instant(original["dateTime"]))
    return str(original.get("date", "")).replace("-", "")


def event_body(
    content: Content, units: frozenset[Unit], seal: Seal, connection_id: str, appointment_id: str, event_id: str
) -> dict[str, Any]:
    """The given units of an event, and our seal: nothing else is ever sent.

    A field that is to become empty is sent as null where PATCH needs that to remove it.
    """
    body: dict[str, Any] = {}
    for unit in units:
        match unit:
            case "title":
                body["summary"] = content.title
            case "description" | "location":
                body[unit] = getattr(content, unit)
            case "when":
                body |= _times(content.when)
            case "status":
                body["status"] = content.status
            case "busy":
                body["transparency"] = "opaque" if content.busy else "transparent"
            case "private":
                body["visibility"] = "private" if content.private else "default"
    sealed = write_seal(seal, connection_id, appointment_id, event_id)
    body["extendedProperties"] = {"private": {SEAL_PROPERTY: sealed}}
    return body


def _times(when: When) -> dict[str, Any]:
    """Both ends, with the other kind of time removed: an event that becomes all-day must lose its hours.

    Single entries are instants, so no zone is sent: Google shows them in the calendar's own, wherever that is. A series
    of times needs one, for its clock.
    """
    body: dict[str, Any] = {"recurrence": when.series().strict(when.recurrence) if when.repeats else None}
    for name, value in (("start", when.start), ("end", when.end)):
        match when:
            case Timed():
                zone = {"timeZone": when.zone} if when.repeats else {}
                body[name] = {"dateTime": f"{value:%Y-%m-%dT%H:%M:%SZ}", "date": None, **zone}
            case AllDay():
                body[name] = {"date": value.isoformat(), "dateTime": None, "timeZone": None}
    return body
