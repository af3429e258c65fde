"""The hand of a person who edits in Google's own calendar page."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote, urlencode

from local.google import occurrences, series_edits
from local.google.errors import ApiError
from local.google.event_types import completed
from local.google.gateway import Incoming, Outcome

# All that Google's own page may do.
UI_SCOPES = ("https://www.googleapis.com/auth/calendar", "openid")
# What the page asks where an event repeats. Of what does not repeat, or is named by its series, it is always the whole.
Scope = Literal["this", "following", "all"]


class Person:
    """Edits through the same code as HTTP calls, without conditions; pushes go out, nothing is put on record.

    Events are given and returned as the API's JSON. Refusals raise `ApiError`.
    """

    def __init__(self, email: str, token: str, answer: Callable[[Incoming], Outcome]) -> None:
        self.email = email
        self._headers = {"authorization": f"Bearer {token}"}
        self._answer = answer

    def calendars(self) -> list[dict[str, Any]]:
        """The calendar list's entries, hidden ones too."""
        return self._pages("users/me/calendarList", {"showHidden": "true"})

    def events(self, calendar_id: str = "primary", *, with_deleted: bool = False) -> list[dict[str, Any]]:
        """All events of the calendar; recurring ones as their masters."""
        query = {"maxResults": "2500", "showDeleted": "true" if with_deleted else "false"}
        return self._pages(f"calendars/{quote(calendar_id, safe='')}/events", query)

    def event(self, event_id: str, calendar_id: str = "primary") -> dict[str, Any]:
        """One event, also a deleted one."""
        return self._call("GET", _event(calendar_id, event_id))

    def insert(self, calendar_id: str = "primary", **fields: Any) -> dict[str, Any]:
        """A new event, such as ``insert(summary="Walk", start={"date": "2026-05-01"}, end={"date": "2026-05-02"})``.

        What another type than ``default`` needs beyond its times is filled in, as Google's page does.
        """
        return self._call("POST", f"calendars/{quote(calendar_id, safe='')}/events", completed(fields))

    def patch(self, calendar_id: str, event_id: str, **fields: Any) -> dict[str, Any]:
        """Changes the given fields; None removes one."""
        return self._call("PATCH", _event(calendar_id, event_id), fields)

    def instances(self, event_id: str, calendar_id: str = "primary") -> list[dict[str, Any]]:
        """The instances of a series that are not left out; of one without an end those of two years."""
        return self._pages(f"{_event(calendar_id, event_id)}/instances", {"maxResults": "2500"})

    def agenda(self, since: dt.datetime, until: dt.datetime, calendar_id: str = "primary") -> list[dict[str, Any]]:
        """What the page shows between two instants (UTC): series occurrence by occurrence."""
        times = {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in (("timeMin", since), ("timeMax", until))}
        query = {"singleEvents": "true", "maxResults": "2500", **times}
        return self._pages(f"calendars/{quote(calendar_id, safe='')}/events", query)

    def edit(
        self, event_id: str, scope: Scope = "this", *, calendar_id: str = "primary", **fields: Any
    ) -> dict[str, Any]:
        """Changes an instance, or by it its series: ``edit("x_20270608T080000Z", "following", summary="New")``.

        Returns the instance, the new series that holds it, or the whole series. Other times move the series as far as
        they move the instance. ValueError for a move of days that its rule does not bear.
        """
        instance, master, slot = self._of_series(event_id, calendar_id)
        if master is None or slot is None or scope == "this":
            return self.patch(calendar_id, event_id, **fields)
        if scope == "all" or series_edits.is_first(master, slot):
            return self.patch(calendar_id, master["id"], **series_edits.for_all(master, instance, fields))
        body = series_edits.edited(series_edits.rest(master, slot), instance, fields)
        self.patch(calendar_id, master["id"], recurrence=series_edits.trimmed(master, slot))
        return self.insert(calendar_id, **body, id=series_edits.split_id(master["id"], slot))

    def move(
        self, event_id: str, by: dt.timedelta, scope: Scope = "this", *, calendar_id: str = "primary"
    ) -> dict[str, Any]:
        """Drags an event, or an instance, to another time by the clock on the wall; then as `edit`."""
        event = self.event(event_id, calendar_id)
        times = {name: series_edits.moved(event[name], by) for name in ("start", "end")}
        if event.get("recurrence"):
            times = series_edits.for_all(event, event, times)
        return self.edit(event_id, scope, calendar_id=calendar_id, **times)

    def delete(self, calendar_id: str, event_id: str, scope: Scope = "this") -> None:
        """Deletes an event; an instance, those from it on, or its whole series."""
        _, master, slot = self._of_series(event_id, calendar_id)
        if master is None or slot is None or scope == "this":
            self._call("DELETE", _event(calendar_id, event_id))
        elif scope == "all" or series_edits.is_first(master, slot):
            self._call("DELETE", _event(calendar_id, master["id"]))
        else:
            self.patch(calendar_id, master["id"], recurrence=series_edits.trimmed(master, slot))

    def invite(self, event_id: str, *emails: str, calendar_id: str = "primary") -> dict[str, Any]:
        """Adds guests; those who are invited already stay, with their answers."""
        guests = self.event(event_id, calendar_id).get("attendees", [])
        known = {guest["email"] for guest in guests}
        added = [{"email": email} for email in emails if email not in known]
        return self.patch(calendar_id, event_id, attendees=[*guests, *added])

    def answer(self, event_id: str, response: str, calendar_id: str = "primary") -> dict[str, Any]:
        """Answers an invitation: ``accepted``, ``tentative``, ``declined`` or ``needsAction``."""
        guests = self.event(event_id, calendar_id).get("attendees", [])
        own = next((guest for guest in guests if guest.get("self")), None)
        if own is None:
            # Invited by way of a mailing list: who answers is put on the list.
            own = {"email": self.email if calendar_id == "primary" else calendar_id}
        others = [guest for guest in guests if guest["email"] != own["email"]]
        answered = own | {"responseStatus": response}
        return self.patch(calendar_id, event_id, attendees=[*others, answered])

    def bin(self, calendar_id: str = "primary") -> list[dict[str, Any]]:
        """The deleted events that can be restored, with their details."""
        return [event for event in self.events(calendar_id, with_deleted=True) if event["status"] == "cancelled"]

    def restore(self, event_id: str, calendar_id: str = "primary") -> dict[str, Any]:
        """Takes an event out of the bin, as it was; ValueError if it is not there, 404 if it is gone for good."""
        if self.event(event_id, calendar_id)["status"] != "cancelled":
            raise ValueError(f"not in the bin: {event_id}")
        return self.patch(calendar_id, event_id, status="confirmed")

    def _of_series(
        self, event_id: str, calendar_id: str
    ) -> tuple[dict[str, Any], dict[str, Any] | None, occurrences.Slot | None]:
        """The event; and if it is an instance, its series and original start."""
        event = self.event(event_id, calendar_id)
        if "recurringEventId" not in event:
            return event, None, None
        master = self.event(event["recurringEventId"], calendar_id)
        return event, master, occurrences.slot_of(event["originalStartTime"])

    def _pages(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while True:
            page = self._call("GET", f"{path}?{urlencode(query)}")
            items += page["items"]
            if "nextPageToken" not in page:
                return items
            query = query | {"pageToken": page["nextPageToken"]}

    def _call(self, http_method: str, target: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        encoded = b"" if body is None else json.dumps(body).encode()
        outcome = self._answer(Incoming(http_method, f"/calendar/v3/{target}", self._headers, encoded))
        content = outcome.content or {}
        if outcome.status >= 400:  # noqa: PLR2004 - any refusal
            detail = content["error"]["errors"][0]
            raise ApiError(outcome.status, detail["reason"], detail["message"], domain=detail["domain"])
        return content


def _event(calendar_id: str, event_id: str) -> str:
    return f"calendars/{quote(calendar_id, safe='')}/events/{quote(event_id, safe='')}"
