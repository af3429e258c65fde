"""The methods of the Calendar API that are simulated, each from a checked call to the JSON of its answer.

All other methods of the discovery document answer 501. Handlers run under the simulator's lock.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.google import event_types
from local.google.accounts import UI_CLIENT_ID, Account
from local.google.behaviour import Behaviour
from local.google.calendar import DEFAULT_REMINDERS, ROLES, Calendar, Entry, StoredEvent
from local.google.calendars import Calendars
from local.google.descriptions import rewritten
from local.google.errors import invalid, known, not_simulated
from local.google.event_list import FORM_ONLY, Listings, visible
from local.google.event_rules import check_import, is_private
from local.google.event_times import zone
from local.google.events import Events, check_changed
from local.google.push import Push


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed authentication and the discovery document. `query` is typed; `body` {} if there is none."""

    account: Account
    client_id: str
    path: dict[str, str]
    query: dict[str, Any]
    body: dict[str, Any]
    if_match: str | None = None
    if_none_match: str | None = None

    @property
    def by_hand(self) -> bool:
        """Whether a person makes it in Google's own page: then it meets none of the faults of a test."""
        return self.client_id == UI_CLIENT_ID


# None answers 204 without a body.
Handler = Callable[[Call], dict[str, Any] | None]


class CalendarApi:
    """Handlers by method id."""

    def __init__(
        self, calendars: Calendars, events: Events, listings: Listings, push: Push, behaviour: Behaviour
    ) -> None:
        self._calendars = calendars
        self._events = events
        self._behaviour = behaviour
        self._listings = listings
        self._push = push
        self.handlers: dict[str, Handler] = {
            "calendar.calendarList.list": self._list_calendars,
            "calendar.calendarList.get": self._calendar_entry,
            "calendar.calendars.get": self._calendar,
            "calendar.events.list": self._list_events,
            "calendar.events.get": self._get,
            "calendar.events.instances": self._instances,
            "calendar.events.insert": self._insert,
            "calendar.events.import": self._import,
            "calendar.events.patch": lambda call: self._change(call, whole=False),
            "calendar.events.update": lambda call: self._change(call, whole=True),
            "calendar.events.delete": self._delete,
            "calendar.events.watch": self._watch,
            "calendar.channels.stop": self._stop,
        }

    def _list_calendars(self, call: Call) -> dict[str, Any]:
        query = call.query
        if "syncToken" in query:
            raise not_simulated("calendar.calendarList.list with syncToken")
        least = ROLES.index(query.get("minAccessRole", ROLES[0]))
        entries = [
            _entry(calendar, entry)
            for calendar, entry in self._calendars.entries(call.account)
            if ROLES.index(entry.role) >= least and (query.get("showHidden") or not entry.hidden)
        ]
        # Documented: 100 entries a page, 250 at most.
        size = min(query.get("maxResults", 100), 250)
        start = _position(query.get("pageToken"))
        answer = {"kind": "calendar#calendarList", "etag": _etag(entries), "items": entries[start : start + size]}
        if start + size < len(entries):
            return answer | {"nextPageToken": _page_token(start + size)}
        # Honest about what it is: calls with it answer 501.
        return answer | {"nextSyncToken": "calendarList-sync-is-not-simulated"}

    def _calendar_entry(self, call: Call) -> dict[str, Any]:
        return _entry(*self._calendars.find(call.account, call.path["calendarId"]))

    def _calendar(self, call: Call) -> dict[str, Any]:
        calendar, _ = self._calendars.find(call.account, call.path["calendarId"])
        return {"kind": "calendar#calendar"} | _common(calendar)

    def _list_events(self, call: Call) -> dict[str, Any]:
        calendar, entry = self._calendars.find(call.account, call.path["calendarId"])
        return self._listings.page(calendar, entry, call.query, by_hand=call.by_hand)

    def _get(self, call: Call) -> dict[str, Any]:
        _refuse_max_attendees(call)
        if "timeZone" in call.query:
            zone(call.query["timeZone"], "request")
        calendar, entry = self._calendars.find(call.account, call.path["calendarId"])
        _refuse_hidden(call, calendar)
        resource = self._calendars.event(calendar, call.path["eventId"]).resource
        check_changed(resource, call.if_none_match)
        return self._shown(call, calendar, entry, resource["id"])

    def _instances(self, call: Call) -> dict[str, Any]:
        calendar, entry = self._calendars.find(call.account, call.path["calendarId"])
        _refuse_hidden(call, calendar)
        master = self._calendars.event(calendar, call.path["eventId"])
        return self._listings.instances(calendar, entry, master, call.query, by_hand=call.by_hand)

    def _insert(self, call: Call) -> dict[str, Any]:
        calendar, entry = self._writable(call)
        event_types.check_creation(call.body)
        version = call.query.get("conferenceDataVersion", 0)
        event = self._events.insert(
            calendar, call.account, self._body(call), conference_version=version, by_hand=call.by_hand
        )
        return self._shown(call, calendar, entry, event.id)

    def _import(self, call: Call) -> dict[str, Any]:
        calendar, entry = self._writable(call)
        check_import(call.body)
        before = self._events.by_ical_uid(calendar, call.body["iCalUID"])
        _refuse_private(entry, before)
        version = call.query.get("conferenceDataVersion", 0)
        event = self._events.bring_in(calendar, call.account, self._body(call), before, conference_version=version)
        return self._shown(call, calendar, entry, event.id)

    def _change(self, call: Call, *, whole: bool) -> dict[str, Any]:
        calendar, entry = self._writable(call)
        event = self._events.change(
            calendar,
            call.path["eventId"],
            self._body(call),
            call.if_match,
            whole=whole,
            conference_version=call.query.get("conferenceDataVersion", 0),
        )
        return self._shown(call, calendar, entry, event.id)

    def _delete(self, call: Call) -> None:
        calendar, _ = self._writable(call)
        self._events.delete(calendar, call.path["eventId"], call.if_match)

    def _watch(self, call: Call) -> dict[str, Any]:
        filters = sorted(call.query.keys() - FORM_ONLY)
        if filters:
            raise not_simulated(f"calendar.events.watch with {filters[0]}")
        calendar, _ = self._calendars.find(call.account, call.path["calendarId"])
        return self._push.watch(call.account.calendar_id, call.client_id, calendar.id, call.body)

    def _stop(self, call: Call) -> None:
        self._push.stop_channel(
            call.account.calendar_id, call.client_id, call.body.get("id", ""), call.body.get("resourceId", "")
        )

    def _writable(self, call: Call) -> tuple[Calendar, Entry]:
        _refuse_max_attendees(call)
        calendar = self._calendars.to_write(call.account, call.path["calendarId"])
        _, entry = self._calendars.find(call.account, calendar.id)
        _refuse_hidden(call, calendar)
        _refuse_private(entry, self._calendars.peek(calendar, call.path.get("eventId", "")))
        return calendar, entry

    def _body(self, call: Call) -> dict[str, Any]:
        """What a client sent, its description as Google keeps it. Google's own page sends nothing else."""
        description = call.body.get("description")
        if call.by_hand or not description:
            return call.body
        return call.body | {"description": rewritten(description, self._behaviour)}

    def _shown(self, call: Call, calendar: Calendar, entry: Entry, event_id: str) -> dict[str, Any]:
        event = self._calendars.event(calendar, event_id)
        return visible(event, calendar, entry, call.query.get("timeZone"), self._behaviour)


def _refuse_max_attendees(call: Call) -> None:
    if "maxAttendees" in call.query:
        raise not_simulated("maxAttendees")


def _refuse_hidden(call: Call, calendar: Calendar) -> None:
    if not call.by_hand and calendar.hides(call.path.get("eventId", "")):
        raise known("notFound")


def _refuse_private(entry: Entry, event: StoredEvent | None) -> None:
    """403 where "the user can't modify private events" (calendarList.list, minAccessRole)."""
    if entry.role == "writerWithoutPrivateAccess" and event is not None and is_private(event.resource):
        raise known("requiredAccessLevel")


def _common(calendar: Calendar) -> dict[str, Any]:
    """What calendars.get and the calendar list have in common."""
    described = {"description": calendar.description} if calendar.description else {}
    content = {
        "id": calendar.id,
        "summary": calendar.summary,
        **described,
        "timeZone": calendar.time_zone,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        "dataOwner": calendar.owner,
    }
    return {"etag": _etag(content)} | content


def _entry(calendar: Calendar, entry: Entry) -> dict[str, Any]:
    flags = {"selected": True, "primary": entry.primary, "hidden": entry.hidden}
    overrides = {"summaryOverride": entry.summary_override} if entry.summary_override else {}
    return (
        {"kind": "calendar#calendarListEntry"}
        | _common(calendar)
        | {"accessRole": entry.role, "defaultReminders": DEFAULT_REMINDERS}
        | {"colorId": "14", "backgroundColor": entry.color, "foregroundColor": "#000000"}
        | overrides
        | {name: value for name, value in flags.items() if value}
    )


def _etag(content: Any) -> str:
    digest = hashlib.sha256(repr(content).encode()).hexdigest()
    return f'"{int(digest[:13], 16)}"'


def _page_token(position: int) -> str:
    return base64.urlsafe_b64encode(f"calendars:{position}".encode()).decode()


def _position(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("calendars:"))
    except ValueError:
        raise invalid("Invalid page token value.", "pageToken") from None
