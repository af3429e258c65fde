"""The Google that the contract suite talks to, through Google's own Python client.

The real one needs an OAuth client, a refresh token and a calendar, all named in the environment: `what_is_missing`
says which, and what becomes of the calendar.
"""

import contextlib
import json
import os
import pathlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import google_auth_httplib2
import googleapiclient
import httplib2
import pytest
import requests
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

from local.google.consent import consent
from local.google.server import GoogleSimulator

SCOPES = (
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
)
# What the cases use of these on the real Google: entries, and the list of calendars.
NEEDED = SCOPES[2:]
CONFORMANCE = {
    "GOOGLE_CONFORMANCE_CLIENT_ID": "an OAuth client's id",
    "GOOGLE_CONFORMANCE_CLIENT_SECRET": "and its secret",
    "GOOGLE_CONFORMANCE_REFRESH_TOKEN": "a refresh token that this client was given, with the scopes below",
    "GOOGLE_CONFORMANCE_CALENDAR_ID": "a calendar that its account may write to, best one made for this",
}
CLIENT_ID, CLIENT_SECRET, REDIRECT = "contract-client", "contract-secret", "http://localhost:1/oauth/callback"
ACCOUNT, GUEST = "anna@example.com", "bert@example.com"


@dataclass
class Target:
    """`api` is the client's Calendar resource; `simulator` None: the real Google. `guest_api`: another account's."""

    api: Any
    calendar_id: str
    simulator: GoogleSimulator | None = None
    guest_api: Any = None
    made: list[str] = field(default_factory=list)

    @property
    def simulated(self) -> GoogleSimulator:
        """The simulator, for a case that needs its switches."""
        if self.simulator is None:
            pytest.skip("needs a switch that only the simulated Google has")
        return self.simulator

    @property
    def guest(self) -> "Target":
        """The primary calendar of `GUEST`, in that account's eyes. The real Google would need a second person."""
        return Target(self.guest_api, "primary", self.simulated)

    def begin(self) -> None:
        if self.simulator is not None:
            self.calendar_id = self.simulator.add_calendar(ACCOUNT, "Contract", "Europe/Berlin")
            self.simulator.clear_requests()

    def clean_up(self) -> None:
        if self.simulator is not None:
            return
        for event_id in self.made:
            with contextlib.suppress(HttpError):
                self.api.events().delete(calendarId=self.calendar_id, eventId=event_id, sendUpdates="none").execute()
        self.made.clear()

    # One line per call, so that cases read as what they are about.

    def insert(self, body: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        whole = an_hour() | (body or {}) | fields
        request = self.api.events().insert(calendarId=self.calendar_id, body=whole, sendUpdates="none")
        event = request.execute()
        self.made.append(event["id"])
        return event

    def get(self, event_id: str) -> dict[str, Any]:
        return self.api.events().get(calendarId=self.calendar_id, eventId=event_id).execute()

    def patch(self, event_id: str, body: dict[str, Any], etag: str | None = None) -> dict[str, Any]:
        request = self.api.events().patch(calendarId=self.calendar_id, eventId=event_id, body=body, sendUpdates="none")
        return with_etag(request, etag).execute()

    def update(self, event_id: str, body: dict[str, Any], etag: str | None = None) -> dict[str, Any]:
        request = self.api.events().update(calendarId=self.calendar_id, eventId=event_id, body=body, sendUpdates="none")
        return with_etag(request, etag).execute()

    def delete(self, event_id: str, etag: str | None = None) -> None:
        request = self.api.events().delete(calendarId=self.calendar_id, eventId=event_id, sendUpdates="none")
        with_etag(request, etag).execute()

    def page(self, **query: Any) -> dict[str, Any]:
        return self.api.events().list(calendarId=self.calendar_id, **query).execute()

    def listing(self, **query: Any) -> tuple[list[dict[str, Any]], str]:
        """All pages' items, and the sync token of the last."""
        items: list[dict[str, Any]] = []
        while True:
            answer = self.page(**query)
            items += answer["items"]
            if "nextPageToken" not in answer:
                return items, answer["nextSyncToken"]
            query["pageToken"] = answer["nextPageToken"]

    def instances(self, master_id: str, **query: Any) -> list[dict[str, Any]]:
        """All pages' items of events.instances."""
        items: list[dict[str, Any]] = []
        while True:
            request = self.api.events().instances(calendarId=self.calendar_id, eventId=master_id, **query)
            answer = request.execute()
            items += answer["items"]
            if "nextPageToken" not in answer:
                return items
            query["pageToken"] = answer["nextPageToken"]

    def delta(self, sync_token: str, **query: Any) -> list[dict[str, Any]]:
        return self.listing(syncToken=sync_token, **query)[0]


def with_etag(request: Any, etag: str | None) -> Any:
    if etag is not None:
        request.headers["If-Match"] = etag
    return request


def an_hour(**zone: str) -> dict[str, Any]:
    """Start and end of an appointment, 10 to 11 in Berlin's summer."""
    return {
        "start": {"dateTime": "2027-06-01T10:00:00+02:00"} | zone,
        "end": {"dateTime": "2027-06-01T11:00:00+02:00"} | zone,
    }


def new_id() -> str:
    return uuid.uuid4().hex


def refusal(error: HttpError) -> tuple[int, str]:
    """Status and reason."""
    return error.resp.status, json.loads(error.content)["error"]["errors"][0]["reason"]


def saw(google: Target, what: str, value: Any) -> bool:
    """On the real Google prints an open point's answer; True on the simulator, where it is asserted."""
    if google.simulator is None:
        print(f"OPEN POINT {what}: {value}")  # noqa: T201 - that is the result; shown with pytest -s
    return google.simulator is not None


def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        call()
    return refusal(caught.value)


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


def calendar_client(credentials: Credentials, root_url: str) -> Any:
    """Google's client on its bundled document: `api_endpoint` would not reach its batch requests."""
    folder = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    document = json.loads((folder / "calendar.v3.json").read_text())
    document["rootUrl"] = root_url
    http = google_auth_httplib2.AuthorizedHttp(credentials, http=httplib2.Http(timeout=30))
    return build_from_document(document, http=http)


def authorization_url(google_url: str, scopes: tuple[str, ...] = SCOPES, **more: str) -> str:
    query = {
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": " ".join(scopes),
        "access_type": "offline",
        "state": "some state",
    }
    return f"{google_url}/o/oauth2/v2/auth?{urlencode(query | more)}"


def exchange(google_url: str, redirect: str, **more: str) -> requests.Response:
    """Trades the code in the redirect for tokens."""
    form = {
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(redirect).query)["code"][0],
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": REDIRECT,
    }
    return requests.post(f"{google_url}/token", data=form | more, timeout=10)


@contextlib.contextmanager
def simulated_target() -> Iterator[Target]:
    with GoogleSimulator() as simulator:
        simulator.add_account(ACCOUNT, "Anna", "Europe/Berlin")
        simulator.add_account(GUEST, "Bert", "Europe/London")
        simulator.add_oauth_client(CLIENT_ID, CLIENT_SECRET, [REDIRECT])
        apis = [_signed_in(simulator, email) for email in (ACCOUNT, GUEST)]
        yield Target(apis[0], "primary", simulator, apis[1])


def _signed_in(simulator: GoogleSimulator, email: str) -> Any:
    tokens = exchange(simulator.url, consent(email, authorization_url(simulator.url))).json()
    credentials = Credentials(
        None,
        refresh_token=tokens["refresh_token"],
        token_uri=f"{simulator.url}/token",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )
    return calendar_client(credentials, f"{simulator.url}/")


def what_is_missing() -> str | None:
    """What the real Google needs and the environment does not have, in words for a person; None if all is there."""
    missing = [name for name in CONFORMANCE if not os.environ.get(name)]
    if not missing:
        return None
    variables = "\n".join(f"  {name:<33} {what}" for name, what in CONFORMANCE.items())
    scopes = "\n".join(f"  {scope}" for scope in NEEDED)
    return (
        f"--google=real runs the suite on the real Google Calendar. Not set: {', '.join(missing)}.\n"
        f"It needs, in the environment:\n{variables}\nScopes:\n{scopes}\n"
        "The suite changes and deletes only entries that it made itself, and deletes them after each case (a case\n"
        "that is killed leaves its own behind). It lists the calendar's other entries, and the account's calendars."
    )


@contextlib.contextmanager
def real_target() -> Iterator[Target]:
    if missing := what_is_missing():
        pytest.exit(missing, returncode=2)
    client_id, client_secret, refresh_token, calendar_id = (os.environ[name] for name in CONFORMANCE)
    credentials = Credentials(
        None,
        refresh_token=refresh_token,
        token_uri="https://oauth2.googleapis.com/token",
        client_id=client_id,
        client_secret=client_secret,
    )
    yield Target(calendar_client(credentials, "https://www.googleapis.com/"), calendar_id)
