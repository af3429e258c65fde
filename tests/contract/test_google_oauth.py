"""The `Consent` port over the wire: the consent page, the exchange of its code, refreshes, and the end of access."""

import base64
import hashlib
import json
import logging
import socketserver
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from local.google.consent import consent
from local.google.server import GoogleSimulator
from local.oidc import Signer
from local.secret_manager import LocalSecretManager
from shared.adapters.google_calendar import GoogleCalendars
from shared.adapters.google_oauth import GoogleAccounts, OAuthClient
from shared.adapters.secret_manager import SecretManagerSecrets
from shared.domain import identity
from shared.domain.account import SCOPES
from shared.domain.errors import AccessLost, Misconfigured, Stop, SyncError, Unavailable
from shared.ports import Grant

ANN = "ann@example.org"
CLIENT_ID, CLIENT_SECRET, REDIRECT = "oauth-client", "oauth-secret", "http://localhost:1/oauth/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
# Seconds: long enough for an answer of the simulator's, and short enough to wait for where none comes.
PATIENCE = 1.0


@dataclass
class House:
    """The adapter with its two neighbours."""

    google: GoogleSimulator
    secrets: SecretManagerSecrets

    def adapter(self, timeout: float = 30, **registration: str) -> GoogleAccounts:
        """As a new process would have it: nothing is cached."""
        where = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "auth_url": f"{self.google.url}/o/oauth2/v2/auth",
            "token_url": f"{self.google.url}/token",
            "revoke_url": f"{self.google.url}/revoke",
            "certs_url": f"{self.google.url}/oauth2/v1/certs",
        }
        return GoogleAccounts(OAuthClient(**{**where, **registration}), self.secrets, timeout=timeout)

    def code(self, **asked: Any) -> str:
        address = self.adapter().authorization_url(REDIRECT, "state", SCOPES, **asked)
        return parse_qs(urlsplit(consent(ANN, address)).query)["code"][0]

    def connect(self) -> Grant:
        """Ann gives her consent, and what it brings is kept."""
        grant = self.adapter().exchange(self.code(), REDIRECT)
        assert grant.refresh_token is not None
        self.secrets.put(identity.refresh_token_secret("google", grant.account_id), grant.refresh_token)
        return grant

    def calendars(self, grant: Grant, **adapter: Any) -> list[str]:
        """What a new process sees of the account's calendars: a refresh, and one call."""
        calendars = GoogleCalendars(self.adapter(**adapter), f"{self.google.url}/", "http://127.0.0.1:9/google")
        return [choice.id for choice in calendars.writable_by(grant.account_id)]


@pytest.fixture
def house(signer: Signer, local_secrets: LocalSecretManager, project: str) -> Iterator[House]:
    channel = grpc.insecure_channel(local_secrets.host)
    client = secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    with GoogleSimulator(signer) as google:
        google.add_account(ANN, "Ann")
        google.add_oauth_client(CLIENT_ID, CLIENT_SECRET, [REDIRECT])
        yield House(google, SecretManagerSecrets(client, project))
    channel.close()


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


# --- the way to the consent page -------------------------------------------------------------------------------------


def asked(house: House, **more: Any) -> dict[str, str]:
    address = house.adapter().authorization_url(REDIRECT, "a state", ["openid", "email"], **more)
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def test_lasting_access_is_asked_for_unless_said_otherwise(house: House) -> None:
    assert asked(house) == {
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid email",
        "state": "a state",
        "access_type": "offline",
        "prompt": "consent",
    }


def test_a_sign_in_asks_for_what_it_needs_and_for_no_lasting_access(house: House) -> None:
    query = asked(house, challenge="c", nonce="n", login_hint=ANN, prompt="select_account", offline=False)
    assert {name: query[name] for name in query.keys() - asked(house).keys()} == {
        "code_challenge": "c",
        "code_challenge_method": "S256",
        "nonce": "n",
        "login_hint": ANN,
    }
    assert query["prompt"] == "select_account"
    assert "access_type" not in query
    assert "prompt" not in asked(house, prompt=None)


# --- the exchange ----------------------------------------------------------------------------------------------------


def test_a_code_is_exchanged_for_who_it_is_and_what_was_granted(house: House) -> None:
    grant = house.adapter().exchange(house.code(challenge=CHALLENGE, nonce="a nonce"), REDIRECT, VERIFIER)
    account = house.google.accounts.get(ANN)
    assert account is not None
    assert (grant.account_id, grant.account_email, grant.email_verified) == (account.sub, ANN, True)
    assert grant.nonce == "a nonce"
    assert set(SCOPES) - set(grant.scopes) == {"email"}, "which is spelled out in the answer"
    assert grant.refresh_token is not None
    assert grant.refresh_token not in repr(grant)


def test_a_sign_in_brings_no_refresh_token(house: House) -> None:
    code = house.code(offline=False, prompt="select_account")
    assert house.adapter().exchange(code, REDIRECT).refresh_token is None


def test_an_address_that_google_has_not_verified_is_told_as_such(house: House) -> None:
    house.google.add_account("new@example.org", email_verified=False)
    address = house.adapter().authorization_url(REDIRECT, "state", SCOPES)
    code = parse_qs(urlsplit(consent("new@example.org", address)).query)["code"][0]
    grant = house.adapter().exchange(code, REDIRECT)
    assert (grant.account_email, grant.email_verified, grant.nonce) == ("new@example.org", False, None)


@pytest.mark.parametrize("verifier", [None, "w" * 43])
def test_a_code_without_its_verifier_is_worth_nothing(house: House, verifier: str | None) -> None:
    with pytest.raises(AccessLost):
        house.adapter().exchange(house.code(challenge=CHALLENGE), REDIRECT, verifier)


def test_a_code_that_was_used_or_made_up_is_not_good(house: House) -> None:
    code = house.code()
    house.adapter().exchange(code, REDIRECT)
    for bad in (code, "4/0made-up"):
        with pytest.raises(AccessLost) as lost:
            house.adapter().exchange(bad, REDIRECT)
        assert bad not in told(lost.value)


def test_a_registration_that_google_does_not_accept_is_nobodys_lost_access(house: House) -> None:
    mistakes: list[tuple[dict[str, str], str, str]] = [
        ({"client_secret": "wrong-secret"}, REDIRECT, "invalid_client"),
        ({"client_id": "nobody"}, REDIRECT, "invalid_client"),
        ({}, "http://localhost:1/elsewhere", "redirect_uri_mismatch"),
    ]
    for registration, redirect, why in mistakes:
        code = house.code()
        with pytest.raises(Misconfigured, match=why) as refused:
            house.adapter(**registration).exchange(code, redirect)
        assert not isinstance(refused.value, Stop)
        assert not any(secret in told(refused.value) for secret in (code, "wrong-secret", CLIENT_SECRET))


# What goes wrong -> how; each takes the simulator, the method, and whether Google did what it was asked.
NO_ANSWER: dict[str, Callable[[GoogleSimulator, str, bool], None]] = {
    "500": lambda google, method, done: google.fail_next(method, 500, "backendError", after_effect=done),
    "503": lambda google, method, done: google.fail_next(method, 503, "backendError", after_effect=done),
    "429": lambda google, method, done: google.fail_next(method, 429, "rateLimitExceeded", after_effect=done),
    # The client's library tries once more by itself.
    "dropped": lambda google, method, done: google.drop_next(method, 2, after_effect=done),
    "timed out": lambda google, method, done: google.drop_next(method, seconds=PATIENCE * 1.5, after_effect=done),
}


@pytest.mark.parametrize("what", NO_ANSWER)
def test_where_nothing_took_effect_the_same_code_is_good_the_next_time(house: House, what: str) -> None:
    code, adapter = house.code(), house.adapter(PATIENCE)
    NO_ANSWER[what](house.google, "oauth2.token", False)
    with pytest.raises(Unavailable) as failed:
        adapter.exchange(code, REDIRECT)
    assert code not in told(failed.value)
    assert adapter.exchange(code, REDIRECT).account_email == ANN


@pytest.mark.parametrize("what", NO_ANSWER)
def test_where_the_answer_alone_was_lost_the_code_is_used_up(house: House, what: str) -> None:
    code, adapter = house.code(), house.adapter(PATIENCE)
    NO_ANSWER[what](house.google, "oauth2.token", True)
    with pytest.raises(Unavailable):
        adapter.exchange(code, REDIRECT)
    with pytest.raises(AccessLost):
        adapter.exchange(code, REDIRECT)
    assert adapter.exchange(house.code(), REDIRECT).account_email == ANN, "and the person starts again"


def test_an_answer_that_comes_too_late_is_not_taken_for_that_to_the_next_question(house: House) -> None:
    house.google.add_account("bert@example.org", "Bert")
    adapter = house.adapter(PATIENCE)
    adapter.exchange(house.code(), REDIRECT)
    house.google.slow_next("oauth2.token", PATIENCE * 1.2)
    with pytest.raises(Unavailable):
        adapter.exchange(house.code(), REDIRECT)
    time.sleep(PATIENCE * 0.5)
    berts = consent("bert@example.org", adapter.authorization_url(REDIRECT, "state", SCOPES))
    assert adapter.exchange(parse_qs(urlsplit(berts).query)["code"][0], REDIRECT).account_email == "bert@example.org"


def test_nobody_there_is_unavailable(house: House) -> None:
    with pytest.raises(Unavailable):
        house.adapter(token_url="http://127.0.0.1:9/token").exchange(house.code(), REDIRECT)
    with pytest.raises(Unavailable):
        house.adapter(certs_url="http://127.0.0.1:9/certs").exchange(house.code(), REDIRECT)
    with pytest.raises(Unavailable):
        house.adapter(certs_url=f"{house.google.url}/healthz").exchange(house.code(), REDIRECT)


def test_somebody_who_speaks_another_language_is_unavailable(house: House) -> None:
    class Mumbling(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(b"220 mail.example CANARY\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Mumbling) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with pytest.raises(Unavailable) as failed:
                house.adapter(token_url=f"http://127.0.0.1:{server.server_address[1]}/token").exchange("code", REDIRECT)
        finally:
            server.shutdown()
            thread.join()
    assert "CANARY" not in told(failed.value)


STRAY = {
    "nothing": (200, b""),
    "a page": (200, b"<html>CANARY</html>"),
    "no text": (200, b'"\xff\xfe"'),
    "a list": (200, b'["CANARY"]'),
    "no ID token": (200, b'{"access_token": "CANARY", "refresh_token": "CANARY"}'),
    "a number for an ID token": (200, b'{"id_token": 7, "refresh_token": "CANARY"}'),
    "an ID token of one part": (200, b'{"id_token": "CANARY"}'),
    "an ID token that is no base64": (200, b'{"id_token": "CANARY.!.!"}'),
    "an ID token without a key": (200, b'{"id_token": "e30.e30.AAAA", "scope": "CANARY"}'),
    "an ID token that nobody signed": (200, b'{"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJDQU5BUlkifQ."}'),
    "a redirect to nowhere": (302, b"CANARY"),
    "a page that refuses": (403, b"<html>CANARY</html>"),
    "too many requests": (429, b'{"error": "rate_limit_exceeded", "error_description": "CANARY"}'),
    "an error of the server's": (500, b'{"error": "server_error", "error_description": "CANARY"}'),
    "a refusal of another form": (400, b'{"error": {"code": 400, "message": "CANARY"}}'),
}


@pytest.mark.parametrize("what", STRAY)
def test_an_answer_that_is_none_of_googles_is_unavailable_and_not_quoted(house: House, what: str) -> None:
    status, body = STRAY[what]
    house.google.answer_next("oauth2.token", body, status=status)
    with pytest.raises(Unavailable) as failed:
        house.adapter().exchange(house.code(), REDIRECT)
    assert "CANARY" not in told(failed.value)


def test_an_id_token_that_is_not_for_us_tells_us_of_nobody(house: House) -> None:
    account, good = house.google.accounts.get(ANN), house.google.signer
    assert account is not None
    who: dict[str, object] = {"sub": account.sub, "email": ANN, "email_verified": True}
    now = int(time.time())
    tokens = {
        "of another signer": Signer().id_token(who, CLIENT_ID),
        "for another client": good.id_token(who, "another-client"),
        "of another issuer": good.id_token({**who, "iss": "https://securetoken.google.com/p"}, CLIENT_ID),
        "expired": good.id_token({**who, "iat": now - 7200, "exp": now - 3600}, CLIENT_ID),
        "of nobody": good.id_token({"email": ANN}, CLIENT_ID),
        "of an empty name": good.id_token({**who, "sub": ""}, CLIENT_ID),
        "of a number": good.id_token({**who, "sub": 7}, CLIENT_ID),
        "with odd times": good.id_token({**who, "exp": "later"}, CLIENT_ID),
        "with an odd flag": good.id_token({**who, "email_verified": "true"}, CLIENT_ID),
    }
    for what, token in tokens.items():
        house.google.answer_next("oauth2.token", json.dumps({"id_token": token}).encode())
        with pytest.raises(Unavailable) as failed:
            house.adapter().exchange(house.code(), REDIRECT)
        assert token not in told(failed.value), what
    house.google.answer_next("oauth2.token", json.dumps({"id_token": good.id_token(who, CLIENT_ID)}).encode())
    assert house.adapter().exchange(house.code(), REDIRECT).account_id == account.sub


# --- refreshes -------------------------------------------------------------------------------------------------------

LOST: dict[str, Callable[[GoogleSimulator], None]] = {
    "removed by the person": lambda google: google.remove_app_access(ANN, CLIENT_ID),
    "refused": lambda google: google.accounts.refuse_tokens(ANN),
    "session control": lambda google: google.accounts.refuse_tokens(ANN, subtype="invalid_rapt"),
    "an administrator's policy": lambda google: google.accounts.refuse_tokens(ANN, "admin_policy_enforced"),
    "a new password": lambda google: google.accounts.change_password(ANN),
    "our client deleted": lambda google: google.accounts.remove_client(CLIENT_ID),
}


@pytest.mark.parametrize("how", LOST)
def test_a_refresh_token_that_is_not_good_any_more_means_that_access_is_lost(house: House, how: str) -> None:
    grant = house.connect()
    assert house.calendars(grant) == [ANN]
    LOST[how](house.google)
    with pytest.raises(AccessLost) as lost:
        house.calendars(grant)
    assert str(grant.refresh_token) not in told(lost.value)


def test_a_wrong_client_secret_takes_nobodys_access(house: House) -> None:
    grant = house.connect()
    with pytest.raises(Unavailable):
        house.calendars(grant, client_secret="wrong-secret")
    assert house.calendars(grant) == [ANN]


@pytest.mark.usefixtures("no_pauses_of_google_auth")
@pytest.mark.parametrize("what", ["503", "dropped", "timed out"])
def test_a_refresh_without_an_answer_takes_nobodys_access(house: House, what: str) -> None:
    grant = house.connect()
    for _ in range(3 if what == "503" else 1):  # A 5xx is tried three times by the client's library.
        NO_ANSWER[what](house.google, "oauth2.token", False)
    with pytest.raises(Unavailable):
        house.calendars(grant, timeout=PATIENCE)
    assert house.calendars(grant) == [ANN]


@pytest.mark.parametrize("body", [b"", b"<html>CANARY</html>", b'["CANARY"]', b'{"expires_in": "CANARY"}', b"7"])
@pytest.mark.parametrize("status", [200, 403])
def test_a_refresh_with_a_stray_answer_takes_nobodys_access(house: House, status: int, body: bytes) -> None:
    grant = house.connect()
    house.google.answer_next("oauth2.token", body, status=status)
    with pytest.raises(Unavailable) as failed:
        house.calendars(grant)
    assert "CANARY" not in told(failed.value)
    assert house.calendars(grant) == [ANN]


# --- the end ---------------------------------------------------------------------------------------------------------


def test_revoking_ends_everything_that_the_account_granted_to_the_project(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.google.add_oauth_client("second", "s", [REDIRECT])
    other = house.adapter(client_id="second", client_secret="s")
    address = other.authorization_url(REDIRECT, "state", SCOPES)
    theirs = other.exchange(parse_qs(urlsplit(consent(ANN, address)).query)["code"][0], REDIRECT)
    grant = house.connect()
    with caplog.at_level(logging.DEBUG):
        house.adapter().revoke(grant.account_id)
    with pytest.raises(AccessLost):
        house.calendars(grant)
    assert house.google.accounts.granted(ANN, CLIENT_ID) is None
    with pytest.raises(AccessLost):
        GoogleCalendars(other, f"{house.google.url}/", "http://127.0.0.1:9").writable(str(theirs.refresh_token))
    [call] = [request for request in house.google.requests if request.method_id == "oauth2.revoke"]
    assert (call.http_method, call.path, call.query, call.status) == ("POST", "/revoke", {}, 200)
    assert str(grant.refresh_token) not in caplog.text


def test_a_token_that_is_kept_in_memory_is_forgotten_with_it(house: House) -> None:
    grant, adapter = house.connect(), house.adapter()
    GoogleCalendars(adapter, f"{house.google.url}/", "http://127.0.0.1:9").writable_by(grant.account_id)
    assert adapter.kept(grant.account_id)
    adapter.revoke(grant.account_id)
    assert not adapter.kept(grant.account_id)


def test_a_token_that_another_process_has_stored_since_is_used(house: House) -> None:
    grant = house.connect()
    calendars = GoogleCalendars(house.adapter(), f"{house.google.url}/", "http://127.0.0.1:9")
    calendars.writable_by(grant.account_id)
    house.google.remove_app_access(ANN, CLIENT_ID)
    with pytest.raises(AccessLost):
        calendars.writable_by(grant.account_id)
    house.connect()
    calendars.writable_by(grant.account_id)
    house.google.remove_app_access(ANN, CLIENT_ID)
    house.connect()
    assert [one.id for one in calendars.writable_by(grant.account_id)] == [ANN], "the one in memory is an old one"


def test_revoking_what_is_not_good_any_more_is_fine_and_so_is_nothing(house: House) -> None:
    grant, adapter = house.connect(), house.adapter()
    adapter.revoke(grant.account_id)
    adapter.revoke(grant.account_id)
    adapter.revoke("nobody")
    calls = [request.status for request in house.google.requests if request.method_id == "oauth2.revoke"]
    assert calls == [200, 400]


@pytest.mark.parametrize("done", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("what", NO_ANSWER)
def test_revoking_without_an_answer_is_to_be_tried_again(
    house: House, what: str, done: bool, caplog: pytest.LogCaptureFixture
) -> None:
    grant, adapter = house.connect(), house.adapter(PATIENCE)
    NO_ANSWER[what](house.google, "oauth2.revoke", done)
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as failed:
        adapter.revoke(grant.account_id)
    assert str(grant.refresh_token) not in told(failed.value) + caplog.text
    assert (house.google.accounts.granted(ANN, CLIENT_ID) is None) is done
    adapter.revoke(grant.account_id)
    assert house.google.accounts.granted(ANN, CLIENT_ID) is None


@pytest.mark.parametrize("body", [b'{"error": "invalid_request"}', b"CANARY", b""])
def test_a_refusal_to_revoke_for_another_reason_is_not_taken_for_done(house: House, body: bytes) -> None:
    grant = house.connect()
    house.google.answer_next("oauth2.revoke", body, status=400)
    with pytest.raises(SyncError) as failed:
        house.adapter().revoke(grant.account_id)
    assert isinstance(failed.value, Unavailable)
    assert "CANARY" not in told(failed.value)
