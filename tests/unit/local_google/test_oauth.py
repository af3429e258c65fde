"""Sign-in at the simulated Google: page, code, tokens, and their ends."""

import base64
import datetime as dt
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials

from local.google.consent import consent
from local.google.server import GoogleSimulator
from local.oidc import Signer
from tests.contract.google_target import ACCOUNT, CLIENT_ID, CLIENT_SECRET, REDIRECT, authorization_url, exchange
from tests.unit.local_google.conftest import SignIn, call

EVENTS = "https://www.googleapis.com/auth/calendar.events"


def refresh(google: GoogleSimulator, refresh_token: str, secret: str = CLIENT_SECRET) -> requests.Response:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT_ID}
    return requests.post(f"{google.url}/token", data=form | {"client_secret": secret}, timeout=10)


def answer_of(redirect: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}


def test_the_page_offers_accounts_and_a_box_for_each_scope(google: GoogleSimulator) -> None:
    page = requests.get(authorization_url(google.url, login_hint=ACCOUNT), timeout=10).text
    assert f'value="{ACCOUNT}" required checked' in page
    assert page.count('type="checkbox"') == 2
    assert f'value="{EVENTS}"' in page
    assert "userinfo.email" not in page


def test_consent_leads_back_with_code_and_state(google: GoogleSimulator) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url))
    assert redirect.startswith(f"{REDIRECT}?")
    assert answer_of(redirect)["state"] == "some state"
    assert answer_of(redirect)["code"]


def test_cancel_leads_back_with_access_denied(google: GoogleSimulator) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url), cancel=True)
    assert answer_of(redirect) == {"state": "some state", "error": "access_denied"}


def test_a_redirect_that_is_not_registered_to_the_letter_is_not_followed(google: GoogleSimulator) -> None:
    url = authorization_url(google.url, redirect_uri=f"{REDIRECT}/")
    page = requests.get(url, timeout=10)
    assert page.status_code == 400
    assert "redirect_uri_mismatch" in page.text


def test_the_answer_names_the_scopes_that_were_left_ticked(google: GoogleSimulator) -> None:
    url = authorization_url(google.url, scope=f"openid email {EVENTS} https://www.googleapis.com/auth/contacts")
    tokens = exchange(google.url, consent(ACCOUNT, url, allow_scopes=[EVENTS])).json()
    assert tokens["scope"].split() == ["openid", "https://www.googleapis.com/auth/userinfo.email", EVENTS]
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3599)


def test_the_id_token_verifies_and_names_the_account(google: GoogleSimulator, sign_in: SignIn) -> None:
    claims = id_token.verify_token(
        sign_in()["id_token"],
        Request(),
        CLIENT_ID,
        certs_url=f"{google.url}/oauth2/v1/certs",
    )
    account = google.accounts.get(ACCOUNT)
    assert account is not None
    assert (claims["sub"], claims["email"], claims["email_verified"]) == (account.sub, ACCOUNT, True)


def test_userinfo_tells_who_it_is(google: GoogleSimulator, sign_in: SignIn) -> None:
    headers = {"Authorization": f"Bearer {sign_in()['access_token']}"}
    info = requests.get(f"{google.url}/oauth2/v2/userinfo", headers=headers, timeout=10).json()
    assert info["email"] == ACCOUNT


def test_a_code_works_once(google: GoogleSimulator) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url))
    assert exchange(google.url, redirect).status_code == 200
    replayed = exchange(google.url, redirect)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")


def test_a_code_is_bound_to_its_redirect(google: GoogleSimulator) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url))
    refused = exchange(google.url, redirect, redirect_uri="http://localhost:1/other")
    assert (refused.status_code, refused.json()["error"]) == (400, "redirect_uri_mismatch")


def test_a_code_and_an_access_token_grow_old(signer: Signer) -> None:
    clock = [dt.datetime(2027, 1, 1, tzinfo=dt.UTC)]
    with GoogleSimulator(signer, now=lambda: clock[0]) as simulator:
        simulator.add_account(ACCOUNT)
        simulator.add_oauth_client(CLIENT_ID, CLIENT_SECRET, [REDIRECT])
        old = consent(ACCOUNT, authorization_url(simulator.url))
        fresh = consent(ACCOUNT, authorization_url(simulator.url, prompt="consent"))
        clock[0] += dt.timedelta(minutes=9)
        tokens = exchange(simulator.url, fresh).json()
        clock[0] += dt.timedelta(minutes=1)
        assert exchange(simulator.url, old).json()["error"] == "invalid_grant"
        path = "users/me/calendarList"
        assert call(simulator, tokens["access_token"], "GET", path).status_code == 200
        clock[0] += dt.timedelta(hours=1)
        assert call(simulator, tokens["access_token"], "GET", path).status_code == 401
        assert refresh(simulator, tokens["refresh_token"]).status_code == 200
        clock[0] += dt.timedelta(days=200)
        assert refresh(simulator, tokens["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(("verifier", "status"), [("v" * 43, 200), ("w" * 43, 400), (None, 400)])
def test_a_code_with_a_challenge_needs_its_verifier(google: GoogleSimulator, verifier: str | None, status: int) -> None:
    digest = hashlib.sha256(b"v" * 43).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    url = authorization_url(google.url, code_challenge=challenge, code_challenge_method="S256")
    more = {} if verifier is None else {"code_verifier": verifier}
    assert exchange(google.url, consent(ACCOUNT, url), **more).status_code == status


def test_a_refresh_token_comes_with_the_first_consent_or_if_asked_for(sign_in: SignIn) -> None:
    assert "refresh_token" in sign_in()
    assert "refresh_token" not in sign_in()
    assert "refresh_token" in sign_in(prompt="consent")


def test_online_access_has_no_refresh_token(sign_in: SignIn) -> None:
    assert "refresh_token" not in sign_in(access_type="online")


def test_the_clients_library_refreshes(google: GoogleSimulator, sign_in: SignIn) -> None:
    credentials = Credentials(
        None,
        refresh_token=sign_in()["refresh_token"],
        token_uri=f"{google.url}/token",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )
    credentials.refresh(Request())
    assert call(google, credentials.token, "GET", "users/me/calendarList").status_code == 200


def test_the_101st_refresh_token_ends_the_first(google: GoogleSimulator, sign_in: SignIn) -> None:
    first = sign_in()["refresh_token"]
    second = sign_in(prompt="consent")["refresh_token"]
    for _ in range(98):
        sign_in(prompt="consent")
    assert refresh(google, first).status_code == 200
    last = sign_in(prompt="consent")["refresh_token"]
    dead = refresh(google, first)
    assert dead.status_code == 400
    assert dead.json() == {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    assert refresh(google, second).status_code == refresh(google, last).status_code == 200


def test_revoke_ends_everything_of_the_project(google: GoogleSimulator, sign_in: SignIn) -> None:
    google.add_oauth_client("second", "s", [REDIRECT])
    other = exchange(
        google.url,
        consent(ACCOUNT, authorization_url(google.url, client_id="second")),
        client_id="second",
        client_secret="s",
    ).json()
    tokens = sign_in()
    revoked = requests.post(f"{google.url}/revoke", data={"token": other["refresh_token"]}, timeout=10)
    assert revoked.status_code == 200
    assert refresh(google, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert call(google, tokens["access_token"], "GET", "users/me/calendarList").status_code == 401
    again = requests.post(f"{google.url}/revoke", data={"token": other["refresh_token"]}, timeout=10)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")
    assert "refresh_token" in sign_in(), "the next consent is a first one again"


def test_an_admin_can_end_refreshing(google: GoogleSimulator, sign_in: SignIn) -> None:
    tokens = sign_in()
    google.accounts.refuse_tokens(ACCOUNT, subtype="invalid_rapt")
    refused = refresh(google, tokens["refresh_token"]).json()
    assert (refused["error"], refused["error_subtype"]) == ("invalid_grant", "invalid_rapt")
    google.accounts.refuse_tokens(ACCOUNT, "admin_policy_enforced")
    credentials = Credentials(
        None,
        refresh_token=tokens["refresh_token"],
        token_uri=f"{google.url}/token",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )
    with pytest.raises(RefreshError, match="admin_policy_enforced"):
        credentials.refresh(Request())
    google.accounts.allow_tokens(ACCOUNT)
    assert refresh(google, tokens["refresh_token"]).status_code == 200


def test_a_wrong_secret_and_an_unknown_client_are_refused(google: GoogleSimulator, sign_in: SignIn) -> None:
    token = sign_in()["refresh_token"]
    assert refresh(google, token, "wrong").json()["error"] == "invalid_client"
    google.accounts.remove_client(CLIENT_ID)
    assert refresh(google, token).json()["error"] == "deleted_client"


def test_without_a_page_only_what_was_granted_passes(google: GoogleSimulator, sign_in: SignIn) -> None:
    silent = authorization_url(google.url, prompt="none", login_hint=ACCOUNT)
    assert answer_of(consent(ACCOUNT, silent))["error"] == "interaction_required"
    sign_in()
    assert "code" in answer_of(consent(ACCOUNT, silent))


def test_token_requests_can_fail_and_are_on_record_without_secrets(google: GoogleSimulator, sign_in: SignIn) -> None:
    token = sign_in()["refresh_token"]
    google.clear_requests()
    google.fail_next("oauth2.token", 503, "backendError")
    assert refresh(google, token).status_code == 503
    assert refresh(google, token).status_code == 200
    assert [(r.method_id, r.status, r.body) for r in google.requests] == [
        ("oauth2.token", 503, None),
        ("oauth2.token", 200, None),
    ]
    assert token not in repr(google.requests)
