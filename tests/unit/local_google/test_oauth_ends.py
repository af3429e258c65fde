"""How access ends at the simulated Google, what fails on the way, and what is known of it afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials

from local.google.consent import consent
from local.google.server import GoogleSimulator
from tests.contract.google_target import ACCOUNT, CLIENT_ID, CLIENT_SECRET, REDIRECT, authorization_url, exchange
from tests.unit.local_google.conftest import SignIn, Webhook, answer_of, call, refresh

CALENDARS = "users/me/calendarList"


def revoke(google: GoogleSimulator, token: str, timeout: float = 10) -> requests.Response:
    return requests.post(f"{google.url}/revoke", data={"token": token}, timeout=timeout)


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


def test_an_access_token_revokes_as_much_as_a_refresh_token(google: GoogleSimulator, sign_in: SignIn) -> None:
    tokens = sign_in()
    assert revoke(google, tokens["access_token"]).status_code == 200
    assert refresh(google, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert call(google, tokens["access_token"], "GET", CALENDARS).status_code == 401


def test_revoke_leaves_other_projects_and_other_people_alone(google: GoogleSimulator, sign_in: SignIn) -> None:
    google.add_oauth_client("theirs", "s", [REDIRECT], project="another-project")
    url = authorization_url(google.url, client_id="theirs")
    theirs = exchange(google.url, consent(ACCOUNT, url), client_id="theirs", client_secret="s").json()
    berts = exchange(google.url, consent("bert@example.com", authorization_url(google.url))).json()
    revoke(google, sign_in()["refresh_token"])
    assert call(google, theirs["access_token"], "GET", CALENDARS).status_code == 200
    assert refresh(google, berts["refresh_token"]).status_code == 200


def test_a_code_that_is_under_way_ends_with_everything_else(google: GoogleSimulator, sign_in: SignIn) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url))
    revoke(google, sign_in()["access_token"])
    assert exchange(google.url, redirect).json()["error"] == "invalid_grant"


def test_a_new_password_ends_what_reaches_further_than_the_sign_in(google: GoogleSimulator, sign_in: SignIn) -> None:
    narrow, wide = sign_in(scope="openid email"), sign_in(prompt="consent")
    page = google.ui_token(ACCOUNT)
    google.accounts.change_password(ACCOUNT)
    assert refresh(google, wide["refresh_token"]).json()["error"] == "invalid_grant"
    assert call(google, wide["access_token"], "GET", CALENDARS).status_code == 401
    assert refresh(google, narrow["refresh_token"]).status_code == 200
    assert google.ui_token(ACCOUNT) == page, "the person goes on in Google's own page"
    assert call(google, page, "GET", CALENDARS).status_code == 200
    assert "refresh_token" not in sign_in(), "what was consented to stays so"


def test_a_deleted_client_is_not_an_unknown_one(google: GoogleSimulator, sign_in: SignIn) -> None:
    token = sign_in()["refresh_token"]
    redirect = consent(ACCOUNT, authorization_url(google.url))
    google.accounts.remove_client(CLIENT_ID)
    gone = refresh(google, token)
    assert (gone.status_code, gone.json()["error"]) == (401, "deleted_client")
    assert exchange(google.url, redirect).json()["error"] == "deleted_client"
    assert exchange(google.url, redirect, client_id="nobody").json()["error"] == "invalid_client"
    assert requests.get(authorization_url(google.url), timeout=10).status_code == 401
    google.add_oauth_client(CLIENT_ID, CLIENT_SECRET, [REDIRECT])
    assert refresh(google, token).status_code == 200, "registered again"


def test_an_administrators_policy_shows_the_person_an_error_page(google: GoogleSimulator) -> None:
    google.accounts.refuse_tokens(ACCOUNT, "admin_policy_enforced")
    with pytest.raises(ValueError, match="admin_policy_enforced"):
        consent(ACCOUNT, authorization_url(google.url))


def test_a_client_of_one_organization_lets_its_people_in_only(google: GoogleSimulator) -> None:
    google.add_oauth_client("internal", "s", [REDIRECT], organization="studio.example")
    google.add_account("carla@studio.example", domain="studio.example")
    url = authorization_url(google.url, client_id="internal")
    assert "code" in answer_of(consent("carla@studio.example", url))
    with pytest.raises(ValueError, match="org_internal"):
        consent(ACCOUNT, url)


# --- another address -------------------------------------------------------------------------------------------------


def test_an_account_with_a_new_address_stays_the_same_account(google: GoogleSimulator, sign_in: SignIn) -> None:
    before, tokens = google.accounts.get(ACCOUNT), sign_in()
    google.person(ACCOUNT).insert(summary="Walk", start={"date": "2027-05-01"}, end={"date": "2027-05-02"})
    changed = google.accounts.change_email(ACCOUNT, "anna.new@example.com")
    assert before is not None
    assert changed.sub == before.sub
    assert google.accounts.get(ACCOUNT) is None
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = requests.get(f"{google.url}/oauth2/v2/userinfo", headers=headers, timeout=10).json()
    assert (info["id"], info["email"]) == (before.sub, "anna.new@example.com")
    fresh = refresh(google, tokens["refresh_token"]).json()["access_token"]
    events = call(google, fresh, "GET", f"calendars/{ACCOUNT}/events").json()["items"]
    assert [event["summary"] for event in events] == ["Walk"]
    assert call(google, fresh, "GET", "calendars/primary/events").json()["items"] == events
    again = exchange(google.url, consent("anna.new@example.com", authorization_url(google.url))).json()
    assert "refresh_token" not in again, "the consent is the same person's"


def test_the_person_goes_on_under_the_new_address(google: GoogleSimulator) -> None:
    shared = google.add_calendar(ACCOUNT, "Shared")
    google.accounts.change_email(ACCOUNT, "anna.new@example.com")
    own = google.add_calendar("anna.new@example.com", "Later")
    google.set_access("anna.new@example.com", shared, "reader")
    anna = google.person("anna.new@example.com")
    roles = {entry["id"]: entry["accessRole"] for entry in anna.calendars()}
    assert roles == {ACCOUNT: "owner", shared: "reader", own: "owner"}
    event = anna.insert(summary="Walk", start={"date": "2027-05-01"}, end={"date": "2027-05-02"})
    assert event["creator"]["self"] is True
    google.receive_event("anna.new@example.com", "client@example.com", summary="Dinner", **TIMES)
    assert {event["summary"] for event in anna.events()} == {"Walk", "Dinner"}


def test_push_channels_from_before_and_after_can_be_ended_under_the_new_address(
    google: GoogleSimulator, sign_in: SignIn, webhook: Webhook
) -> None:
    token = sign_in()["access_token"]

    def watch(channel_id: str) -> dict[str, str]:
        asked = {"id": channel_id, "type": "web_hook", "address": webhook.url}
        made = call(google, token, "POST", "calendars/primary/events/watch", json=asked).json()
        return {"id": channel_id, "resourceId": made["resourceId"]}

    before = watch("before")
    google.accounts.change_email(ACCOUNT, "anna.new@example.com")
    for channel in (before, watch("after")):
        assert call(google, token, "POST", "channels/stop", json=channel).status_code == 204
    assert google.push.channels() == []


def test_an_address_belongs_to_one_account(google: GoogleSimulator) -> None:
    with pytest.raises(ValueError, match="already"):
        google.accounts.change_email(ACCOUNT, "bert@example.com")
    google.accounts.change_email(ACCOUNT, "anna.new@example.com")
    for taken in (ACCOUNT, "anna.new@example.com"):
        with pytest.raises(ValueError, match="already"):
            google.add_account(taken)


TIMES = {"start": {"dateTime": "2027-06-01T10:00:00+02:00"}, "end": {"dateTime": "2027-06-01T11:00:00+02:00"}}


# --- what fails ------------------------------------------------------------------------------------------------------


def fail(google: GoogleSimulator, method: str, done: bool) -> None:
    google.fail_next(method, 503, "backendError", after_effect=done)


def drop(google: GoogleSimulator, method: str, done: bool) -> None:
    google.drop_next(method, after_effect=done)


def stall(google: GoogleSimulator, method: str, done: bool) -> None:
    google.drop_next(method, seconds=0.6, after_effect=done)


def heard(send: Callable[[], requests.Response]) -> int | str:
    """The status, or the client's word for what it got instead."""
    try:
        return send().status_code
    except requests.RequestException as error:
        return type(error).__name__


FAILURES = [(fail, 503), (drop, "ConnectionError"), (stall, "ReadTimeout")]


@pytest.mark.parametrize("done", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize(("how", "what"), FAILURES)
def test_a_code_is_used_up_only_where_the_exchange_took_effect(
    google: GoogleSimulator, how: Any, what: int | str, done: bool
) -> None:
    code = answer_of(consent(ACCOUNT, authorization_url(google.url)))["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": REDIRECT,
    }

    def send() -> requests.Response:
        return requests.post(f"{google.url}/token", data=form, timeout=0.4 if how is stall else 10)

    how(google, "oauth2.token", done)
    assert heard(send) == what
    again = send()
    assert (again.status_code, again.json().get("error")) == ((400, "invalid_grant") if done else (200, None))
    assert len(google.accounts.issued().refresh_tokens) == 1


@pytest.mark.parametrize("done", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize(("how", "what"), FAILURES)
def test_access_is_revoked_only_where_the_request_took_effect(
    google: GoogleSimulator, sign_in: SignIn, how: Any, what: int | str, done: bool
) -> None:
    token = sign_in()["refresh_token"]
    how(google, "oauth2.revoke", done)
    assert heard(lambda: revoke(google, token, 0.4 if how is stall else 10)) == what
    assert refresh(google, token).status_code == (400 if done else 200)


def test_something_else_may_answer_in_googles_place(google: GoogleSimulator, sign_in: SignIn) -> None:
    token = sign_in()["refresh_token"]
    google.answer_next("oauth2.token", b"<html>Sign in to the hotel's network</html>")
    stray = refresh(google, token)
    assert (stray.status_code, stray.text[:6]) == (200, "<html>")
    assert refresh(google, token).json()["token_type"] == "Bearer"


def test_a_call_of_the_calendar_can_be_dropped_too_and_is_on_record(google: GoogleSimulator, sign_in: SignIn) -> None:
    token = sign_in()["access_token"]
    google.clear_requests()
    google.drop_next("calendar.events.insert", after_effect=True)
    with pytest.raises(requests.ConnectionError):
        call(google, token, "POST", "calendars/primary/events", json={"summary": "Walk", **TIMES})
    assert [(request.method_id, request.status) for request in google.requests] == [("calendar.events.insert", 0)]
    assert [event["summary"] for event in google.person(ACCOUNT).events()] == ["Walk"]


# --- what is known afterwards ----------------------------------------------------------------------------------------


def test_everything_that_was_handed_out_is_on_record_for_good(google: GoogleSimulator, sign_in: SignIn) -> None:
    redirect = consent(ACCOUNT, authorization_url(google.url))
    unused = answer_of(redirect)["code"]
    tokens = sign_in(prompt="consent")
    refreshed = refresh(google, tokens["refresh_token"]).json()
    google.expire_access_tokens()
    revoke(google, tokens["refresh_token"])
    issued = google.accounts.issued()
    assert (issued.codes[0], len(issued.codes)) == (unused, 2)
    assert issued.access_tokens == (tokens["access_token"], refreshed["access_token"])
    assert issued.refresh_tokens == (tokens["refresh_token"],)
    assert issued.id_tokens == (tokens["id_token"], refreshed["id_token"])
    assert len(issued.all()) == 7
    assert all(len(text) > 40 for text in issued.all()), "long enough to be searched for"


def test_a_token_in_an_address_is_seen_but_not_kept(google: GoogleSimulator, sign_in: SignIn) -> None:
    token = sign_in()["access_token"]
    google.clear_requests()
    requests.post(f"{google.url}/revoke?token={token}", timeout=10)
    [request] = google.requests
    assert (request.query, request.status) == ({"token": ""}, 200)
    assert token not in repr(request)
