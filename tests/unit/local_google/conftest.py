"""A simulated Google with two people, one OAuth client, and a webhook that takes its pushes."""

import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from google.oauth2.credentials import Credentials

from local.google.consent import consent
from local.google.server import GoogleSimulator
from local.oidc import Signer
from tests.contract.google_target import (
    ACCOUNT,
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT,
    authorization_url,
    calendar_client,
    exchange,
)


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def google(signer: Signer) -> Iterator[GoogleSimulator]:
    with GoogleSimulator(signer) as simulator:
        simulator.add_account(ACCOUNT, "Anna", "Europe/Berlin")
        simulator.add_account("bert@example.com", "Bert", "Europe/London")
        simulator.add_oauth_client(CLIENT_ID, CLIENT_SECRET, [REDIRECT])
        yield simulator


# Consents, and gives the token endpoint's JSON; keywords go into the authorization URL.
SignIn = Callable[..., dict[str, Any]]


@pytest.fixture
def sign_in(google: GoogleSimulator) -> SignIn:
    def run(**more: str) -> dict[str, Any]:
        redirect = consent(ACCOUNT, authorization_url(google.url, **more))
        answer = exchange(google.url, redirect)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    return run


def refresh(google: GoogleSimulator, refresh_token: str, secret: str = CLIENT_SECRET) -> requests.Response:
    """A refresh as a bare HTTP request."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT_ID}
    return requests.post(f"{google.url}/token", data=form | {"client_secret": secret}, timeout=10)


def answer_of(redirect: str) -> dict[str, str]:
    """The query of the address that the person is sent back to."""
    return {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}


@pytest.fixture
def api(google: GoogleSimulator, sign_in: SignIn) -> Any:
    """Google's own client, signed in as Anna."""
    return calendar_client(Credentials(sign_in()["access_token"]), f"{google.url}/")


def call(google: GoogleSimulator, token: str, method: str, path: str, **more: Any) -> requests.Response:
    """A bare HTTP call to the Calendar API, for what Google's client would not send."""
    headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
    return requests.request(method, f"{google.url}/calendar/v3/{path}", headers=headers, timeout=10, **more)


@dataclass
class Webhook:
    """Takes pushes; `statuses` are answered one after the other, then 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[dict[str, str]] = field(default_factory=list)

    def of(self, name: str) -> list[str]:
        """One X-Goog header of all messages, in order of arrival."""
        return [headers[f"x-goog-{name}"] for headers in self.received]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.received.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/webhook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield hook
    server.shutdown()
    server.server_close()
    thread.join()
