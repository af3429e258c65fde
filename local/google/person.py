"""The hand of a person who edits in Google's own calendar page."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from local.google.errors import ApiError
from local.google.gateway import Incoming, Outcome

# All that Google's own page may do.
UI_SCOPES = ("https://www.googleapis.com/auth/calendar", "openid")


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
        """A new event, such as ``insert(summary="Walk", start={"date": "2026-05-01"}, end={"date": "2026-05-02"})``."""
        return self._call("POST", f"calendars/{quote(calendar_id, safe='')}/events", fields)

    def patch(self, calendar_id: str, event_id: str, **fields: Any) -> dict[str, Any]:
        """Changes the given fields; None removes one."""
        return self._call("PATCH", _event(calendar_id, event_id), fields)

    def delete(self, calendar_id: str, event_id: str) -> None:
        """Deletes an event."""
        self._call("DELETE", _event(calendar_id, event_id))

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
