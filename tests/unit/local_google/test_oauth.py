"""Sign-in at the simulated Google: the page, the code, and what it is exchanged for."""

import base64
import datetime as dt
import hashlib
from html.parser import HTMLParser

import pytest
import requests
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials

from local.google.consent import consent
from local.google.server import GoogleSimulator
from local.oidc import Signer
from tests.contract.google_target import ACCOUNT, CLIENT_ID, CLIENT_SECRET, REDIRECT, authorization_url, exchange
from tests.unit.local_google.conftest import SignIn, answer_of, call, refresh

EVENTS = "https://www.googleapis.com/auth/calendar.events"


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


def test_without_a_page_only_what_was_granted_passes(google: GoogleSimulator, sign_in: SignIn) -> None:
    silent = authorization_url(google.url, prompt="none", login_hint=ACCOUNT)
    assert answer_of(consent(ACCOUNT, silent))["error"] == "interaction_required"
    sign_in()
    assert "code" in answer_of(consent(ACCOUNT, silent))


# --- the page --------------------------------------------------------------------------------------------------------


class Form(HTMLParser):
    """What a browser makes of the page: inputs with the text of their labels, and the buttons."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.method = ""
        self.inputs: dict[tuple[str, str], dict[str, str | None]] = {}
        self.labels: dict[tuple[str, str], str] = {}
        self.buttons: list[tuple[str, str]] = []
        self._label: list[tuple[str, str]] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = (given.get("name") or "", given.get("value") or "")
        if tag == "form":
            self.method = given.get("method") or "get"
        elif tag == "label":
            self._label = []
        elif tag == "input":
            self.inputs[name] = given
            self.labels[name] = ""
            if self._label is not None:
                self._label.append(name)
        elif tag == "button":
            self.buttons.append(name)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._label = None

    def handle_data(self, data: str) -> None:
        for name in self._label or []:
            self.labels[name] = f"{self.labels[name]} {data}".strip()

    def checked(self, kind: str) -> list[str]:
        return [value for (name, value), given in self.inputs.items() if name == kind and "checked" in given]


def form_at(google: GoogleSimulator, **more: str) -> Form:
    page = requests.get(authorization_url(google.url, **more), timeout=10)
    assert page.headers["Content-Type"].startswith("text/html")
    return Form(page.text)


def test_a_browser_finds_labels_for_everything_and_two_buttons_that_submit(google: GoogleSimulator) -> None:
    form = form_at(google)
    assert form.method == "post"
    assert form.buttons == [("decision", "allow"), ("decision", "cancel")]
    assert {given["type"] for given in form.inputs.values()} == {"radio", "checkbox"}
    for (name, value), text in form.labels.items():
        assert value in text, f"{name} {value} is labelled"


def test_a_hint_chooses_the_account_by_address_or_by_sub(google: GoogleSimulator) -> None:
    account = google.accounts.get(ACCOUNT)
    assert account is not None
    assert form_at(google).checked("account") == []
    assert form_at(google, login_hint=ACCOUNT).checked("account") == [ACCOUNT]
    assert form_at(google, login_hint=account.sub).checked("account") == [ACCOUNT]
    assert form_at(google, login_hint="nobody@example.com").checked("account") == []


def test_asked_to_select_an_account_the_page_chooses_none(google: GoogleSimulator) -> None:
    assert form_at(google, login_hint=ACCOUNT, prompt="select_account").checked("account") == []
    assert form_at(google, login_hint=ACCOUNT, prompt="consent").checked("account") == [ACCOUNT]


def test_no_page_and_a_page_cannot_both_be_asked_for(google: GoogleSimulator) -> None:
    page = requests.get(authorization_url(google.url, prompt="none consent"), timeout=10)
    assert page.status_code == 400
    assert "invalid_request" in page.text


def test_a_domain_shortens_the_page_and_is_told_of(google: GoogleSimulator) -> None:
    google.add_account("carla@studio.example", domain="studio.example")
    google.add_account("dora@other.example", domain="other.example")

    def offered(**more: str) -> list[str]:
        return [value for name, value in form_at(google, **more).inputs if name == "account"]

    assert offered(hd="studio.example") == ["carla@studio.example"]
    assert offered(hd="*") == ["carla@studio.example", "dora@other.example"]
    assert offered() == [ACCOUNT, "bert@example.com", "carla@studio.example", "dora@other.example"]
    with pytest.raises(ValueError, match="offers no account"):
        consent(ACCOUNT, authorization_url(google.url, hd="studio.example"))


def claims_of(google: GoogleSimulator, tokens: dict[str, str]) -> dict[str, object]:
    certs = f"{google.url}/oauth2/v1/certs"
    return dict(id_token.verify_token(tokens["id_token"], Request(), CLIENT_ID, certs_url=certs))


def test_the_id_token_names_the_domain_of_a_workspace_account_only(google: GoogleSimulator, sign_in: SignIn) -> None:
    google.add_account("carla@studio.example", domain="studio.example")
    carla = exchange(google.url, consent("carla@studio.example", authorization_url(google.url))).json()
    assert claims_of(google, carla)["hd"] == "studio.example"
    assert "hd" not in claims_of(google, sign_in())


def test_the_id_token_carries_the_nonce_that_was_asked_with(google: GoogleSimulator, sign_in: SignIn) -> None:
    assert claims_of(google, sign_in(nonce="a nonce"))["nonce"] == "a nonce"
    assert "nonce" not in claims_of(google, sign_in())


def test_an_address_that_is_not_verified_is_told_as_such(google: GoogleSimulator) -> None:
    google.add_account("new@example.com", email_verified=False)
    tokens = exchange(google.url, consent("new@example.com", authorization_url(google.url))).json()
    assert claims_of(google, tokens)["email_verified"] is False
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = requests.get(f"{google.url}/oauth2/v2/userinfo", headers=headers, timeout=10).json()
    assert (info["email"], info["verified_email"]) == ("new@example.com", False)


def test_with_every_box_unticked_only_the_sign_in_is_granted(google: GoogleSimulator) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url), allow_scopes=[])
    tokens = exchange(google.url, redirect).json()
    assert tokens["scope"].split() == ["openid", "https://www.googleapis.com/auth/userinfo.email"]
    assert call(google, tokens["access_token"], "GET", "users/me/calendarList").status_code == 403


def test_a_single_scope_is_all_or_nothing(google: GoogleSimulator) -> None:
    [given] = [given for (name, _), given in form_at(google, scope=EVENTS).inputs.items() if name == "scope"]
    assert given["type"] == "hidden"


# --- proof of possession ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [None, "plain"])
def test_a_challenge_that_shows_its_verifier_is_refused_at_once(google: GoogleSimulator, method: str | None) -> None:
    more = {} if method is None else {"code_challenge_method": method}
    page = requests.get(authorization_url(google.url, code_challenge="v" * 43, **more), timeout=10)
    assert page.status_code == 400
    assert "code_challenge_method" in page.text


def test_a_verifier_that_nobody_asked_for_is_refused(google: GoogleSimulator) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url))
    refused = exchange(google.url, redirect, code_verifier="v" * 43)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert "not needed" in refused.json()["error_description"]


# --- lifetimes -------------------------------------------------------------------------------------------------------


def test_a_project_in_testing_says_how_long_its_refresh_tokens_live(signer: Signer) -> None:
    clock = [dt.datetime(2027, 1, 1, tzinfo=dt.UTC)]
    with GoogleSimulator(signer, now=lambda: clock[0]) as simulator:
        simulator.add_account(ACCOUNT)
        week = dt.timedelta(days=7)
        simulator.add_oauth_client(CLIENT_ID, CLIENT_SECRET, [REDIRECT], refresh_token_lifetime=week)
        tokens = exchange(simulator.url, consent(ACCOUNT, authorization_url(simulator.url))).json()
        assert tokens["refresh_token_expires_in"] == 7 * 86_400
        online = exchange(simulator.url, consent(ACCOUNT, authorization_url(simulator.url))).json()
        assert "refresh_token_expires_in" not in online, "where there is no refresh token"
        clock[0] += week - dt.timedelta(seconds=1)
        assert refresh(simulator, tokens["refresh_token"]).status_code == 200
        clock[0] += dt.timedelta(seconds=1)
        assert refresh(simulator, tokens["refresh_token"]).json()["error"] == "invalid_grant"
