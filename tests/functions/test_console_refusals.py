"""What the console does where Google, or access to an account, stands in the way; and what it tells whom meanwhile."""

import urllib.parse

import pytest

from local.google.consent import consent
from local.stack import OAUTH_CLIENT_ID
from tests.functions.deployed import Deployed, House
from tests.functions.test_console_connect import accounts, at_home, shown, synced
from tests.functions.test_console_users import invite
from tests.functions.visitor import FrontEndCaller, Visitor


def asked_at_google(address: str) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)


def in_step(house: House, user_id: str = "ann") -> Visitor:
    visitor = at_home(house, user_id)
    visitor.connect(house.emails[user_id])
    synced(house, user_id)
    return visitor


def loses_access(house: House, email: str, user_id: str = "ann") -> None:
    """The person ends our access at Google, and the next run finds out."""
    house.deployed.stack.google.remove_app_access(email, OAUTH_CLIENT_ID)
    house.make_due(user_id)
    house.deployed.tick()
    house.deployed.settle()
    assert house.connection(user_id).state == "needs_reauth"


# --- which account Google is to offer --------------------------------------------------------------------------------


def test_who_is_signed_in_is_offered_the_account_in_use(house: House) -> None:
    asked = asked_at_google(in_step(house).to_google("/connect/start"))
    assert (asked["login_hint"], asked["prompt"]) == ([house.emails["ann"]], ["select_account"])


@pytest.mark.parametrize("state", ["in step", "lost"])
def test_the_holder_of_an_invitation_is_not_told_the_users_account(house: House, state: str) -> None:
    in_step(house)
    if state == "lost":
        loses_access(house, house.emails["ann"])
    chief = at_home(house, "chief")
    house.front_end.make_administrator("chief")
    chief.get("/connect")
    link = invite(chief)
    stranger = Visitor(house.deployed)
    stranger.get(link)
    address = stranger.to_google(
        "/connect/invitation", link=urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["link"][0]
    )
    assert "login_hint" not in asked_at_google(address)
    assert house.emails["ann"] not in urllib.parse.unquote(address)


def test_the_holder_of_a_ticket_is_not_told_the_users_account(house: House) -> None:
    in_step(house)
    url = FrontEndCaller(house, "ann").post("/connect/start", popup=True).json["url"]
    address = Visitor(house.deployed).get(url).headers["Location"]
    assert house.emails["ann"] not in urllib.parse.unquote(address)


def test_who_lost_access_is_offered_that_account_and_not_one_at_rest(house: House) -> None:
    visitor = in_step(house)
    other = f"other.{house.emails['ann']}"
    house.deployed.stack.google.add_account(other)
    visitor.connect(other, another="1")
    synced(house, "ann")
    loses_access(house, other)
    asked = asked_at_google(visitor.to_google("/connect/start"))
    assert (asked["login_hint"], asked["prompt"]) == ([other], ["consent"])


# --- no lasting access -----------------------------------------------------------------------------------------------


def test_consent_that_brings_no_lasting_access_is_asked_for_once_more_only(house: House) -> None:
    """What was kept is refused, and so is what Google has just given: asking a third time would bring the same."""
    visitor = in_step(house)
    house.deployed.stack.google.accounts.refuse_tokens(house.emails["ann"])
    house.deployed.stack.google.accounts.expire_access_tokens(house.emails["ann"])
    visitor.get("/connect")
    first = visitor.get(consent(house.emails["ann"], visitor.to_google("/connect/start", popup="1")))
    assert asked_at_google(first.headers["Location"])["prompt"] == ["consent"]
    told = visitor.get(consent(house.emails["ann"], first.headers["Location"])).message
    assert told["result"] == "refused"
    assert f"no lasting access to {house.emails['ann']}" in told["text"]
    assert "administrator" in told["text"]


def test_who_was_asked_for_lasting_access_at_once_is_not_asked_again(house: House) -> None:
    visitor = at_home(house, "ann")
    house.deployed.stack.google.accounts.refuse_tokens(house.emails["ann"])
    refused = visitor.connect(house.emails["ann"]).message
    assert (refused["result"], "another account" in refused["text"]) == ("refused", True)
    assert accounts(house) == {}
    house.deployed.stack.google.accounts.allow_tokens(house.emails["ann"])
    assert visitor.connect(house.emails["ann"]).message["result"] == "connected", "once it is mended"


# --- what Google refuses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["notACalendarUser", "forbidden", "accessNotConfigured"])
def test_an_account_without_a_calendar_is_refused_in_words_that_the_opener_hears(
    house: House, deployed: Deployed, reason: str
) -> None:
    visitor = at_home(house, "ann")
    deployed.stack.google.fail_next("calendar.calendarList.list", 403, reason)
    refused = visitor.connect(house.emails["ann"]).message
    assert (refused["result"], "may be turned off" in refused["text"]) == ("refused", True)
    assert accounts(house) == {}


def test_a_registration_that_google_does_not_know_is_told_to_operators(house: House, deployed: Deployed) -> None:
    visitor = at_home(house, "ann")
    visitor.get("/connect")
    back = consent(house.emails["ann"], visitor.to_google("/connect/start", popup="1"))
    deployed.stack.google.answer_next("oauth2.token", b'{"error": "invalid_client"}', status=401)
    with deployed.said() as lines:
        refused = visitor.get(back).message
    assert (refused["result"], "our mistake" in refused["text"]) == ("refused", True)
    assert [line["severity"] for line in lines if line["message"] == "misconfigured"] == ["ERROR"]
    assert house.emails["ann"] not in str(lines)


def test_calendars_of_an_account_whose_access_is_lost_are_not_promised_for_later(house: House) -> None:
    visitor = in_step(house)
    account_id = str(accounts(house)["ann"]["account_id"])
    house.deployed.stack.google.remove_app_access(house.emails["ann"], OAUTH_CLIENT_ID)
    visitor.get("/connect")
    refused = visitor.post("/connect/users/ann/calendars", account_id=account_id)
    assert (refused.status, "connect it again" in refused.text) == (409, True)


# --- where the browser goes on ---------------------------------------------------------------------------------------


def test_a_front_end_that_keeps_its_place_in_the_fragment_is_told_the_result(house: House) -> None:
    visitor = at_home(house, "ann")
    visitor.get("/connect")
    back = "https://app.example/?tab=sync#/settings"
    came = visitor.get(consent(house.emails["ann"], visitor.to_google("/connect/start", back=back), cancel=True))
    assert came.headers["Location"] == "https://app.example/?tab=sync&result=cancelled#/settings"


@pytest.mark.parametrize("user_id", ["a b", "a?b", "a#b", "a%2Fb", "ä"])
def test_after_a_change_the_page_of_a_user_with_an_odd_id_is_shown(house: House, user_id: str) -> None:
    chief = at_home(house, "chief")
    house.front_end.make_administrator("chief")
    house.front_end.add_user(user_id, f"odd@{house.id}.example")
    chief.get("/connect")
    page = chief.post(f"/connect/users/{urllib.parse.quote(user_id, safe='')}/sign-in")
    assert page.status == 200
    assert urllib.parse.unquote(page.path) == f"/connect/users/{user_id}"
    assert shown(chief)["user_id"] == "chief"
