"""Connecting a Google account through the console: what is asked, what is refused and why, and what is left behind."""

import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.cloud.firestore_v1.base_query import FieldFilter

from local.google.consent import consent
from shared.domain.account import BOXES, CALENDAR_SCOPES, CONTACTS_SCOPE, SCOPES
from tests.functions.deployed import Deployed, House, eventually, span
from tests.functions.visitor import Answer, FrontEndCaller, Visitor


def at_home(house: House, user_id: str) -> Visitor:
    """A signed-in user; with an account for signing in that is not the one with the calendar."""
    if user_id not in house.emails:
        house.add(user_id)
    email = f"{user_id}@{house.id}.example"
    if house.deployed.stack.google.accounts.get(email) is None:
        house.deployed.stack.google.add_account(email)
    visitor = Visitor(house.deployed)
    assert visitor.sign_in(email).path == "/connect"
    return visitor


def shown(visitor: Visitor) -> dict[str, object]:
    found: dict[str, object] = visitor.get("/connect", Accept="application/json").json
    return found


def accounts(house: House) -> dict[str, dict[str, object]]:
    """The documents of this house's accounts, by the user who has them."""
    found = house.deployed.client.collection("accounts").where(filter=FieldFilter("studio_id", "==", house.id)).stream()
    return {str(one.get("user_id")): one.to_dict() or {} for one in found}


def connections(house: House) -> list[dict[str, object]]:
    found = (
        house.deployed.client.collection("connections").where(filter=FieldFilter("studio_id", "==", house.id)).stream()
    )
    return [one.to_dict() or {} for one in found]


def without(*scopes: str) -> list[str]:
    return [scope for scope in SCOPES if scope not in scopes]


def synced(house: House, user_id: str) -> None:
    house.connections[user_id] = house.front_end.user(user_id)["connection"]["id"]
    eventually(lambda: house.connection(user_id).synced_at is not None)
    house.deployed.settle()


# --- the first time --------------------------------------------------------------------------------------------------


def test_a_person_connects_and_the_first_run_follows_at_once(house: House) -> None:
    visitor = at_home(house, "ann")
    house.front_end.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    assert visitor.connect(house.emails["ann"]).message["result"] == "connected"
    synced(house, "ann")
    house.front_end.edit("a1", title="Newborn, moved")
    eventually(lambda: "Newborn, moved" in house.titles("ann"))
    found = shown(visitor)
    assert (found["state"], found["syncs"]) == ("connected", True)
    assert found["account"]["account_email"] == house.emails["ann"]  # type: ignore[index]


def test_without_the_pop_up_the_browser_comes_back_to_the_page(house: House) -> None:
    visitor = at_home(house, "ann")
    back = consent(house.emails["ann"], visitor.to_google("/connect/start"))
    answer = visitor.get(back)
    assert (answer.path, "result=connected" in answer.url) == ("/connect", True)


def test_google_is_asked_with_proof_keys_and_for_lasting_access(house: House) -> None:
    visitor = at_home(house, "ann")
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(visitor.to_google("/connect/start")).query)
    assert asked["access_type"] == ["offline"]
    assert asked["prompt"] == ["consent"], "no refresh token is held"
    assert asked["code_challenge_method"] == ["S256"]
    assert set(asked["scope"][0].split()) == set(SCOPES)
    assert asked["nonce"]


@pytest.mark.parametrize("missing", CALENDAR_SCOPES)
def test_a_box_that_was_not_ticked_is_named_and_nothing_is_connected(house: House, missing: str) -> None:
    visitor = at_home(house, "ann")
    refused = visitor.connect(house.emails["ann"], allow=without(missing)).message
    assert refused["result"] == "refused"
    assert BOXES[missing] in refused["text"]
    assert (accounts(house), connections(house)) == ({}, [])


def test_without_contacts_contacts_are_off_and_said_to_be(house: House) -> None:
    visitor = at_home(house, "ann")
    made = visitor.connect(house.emails["ann"], allow=without(CONTACTS_SCOPE)).message
    assert made["result"] == "connected"
    assert any(BOXES[CONTACTS_SCOPE] in note for note in made["notes"])
    [warning] = shown(visitor)["warnings"]  # type: ignore[misc]
    assert warning["kind"] == "contacts"


def test_who_does_not_allow_it_is_told_that_nothing_was_changed(house: House) -> None:
    visitor = at_home(house, "ann")
    back = consent(house.emails["ann"], visitor.to_google("/connect/start", popup="1"), cancel=True)
    assert visitor.get(back).message["result"] == "cancelled"
    assert accounts(house) == {}


@pytest.mark.parametrize("where", ["popup", "page"])
def test_what_google_answers_is_good_once_and_in_its_own_browser(house: House, where: str) -> None:
    visitor = at_home(house, "ann")
    fields = {"popup": "1"} if where == "popup" else {}
    back = consent(house.emails["ann"], visitor.to_google("/connect/start", **fields))
    assert Visitor(house.deployed).get(back).status == 400, "forwarded"
    assert at_home(house, "ben").get(back).status == 400, "forwarded to a colleague"
    assert accounts(house) == {}
    assert visitor.get(back).status == 200
    assert visitor.get(back).status == 400, "replayed"


def test_a_code_that_was_caught_on_its_way_is_of_no_use(house: House) -> None:
    """With its own state and cookie, as somebody who has seen another person's code would try."""
    theirs, mine = at_home(house, "ann"), at_home(house, "ben")
    code = urllib.parse.parse_qs(
        urllib.parse.urlsplit(consent(house.emails["ann"], theirs.to_google("/connect/start"))).query
    )["code"][0]
    back = consent(house.emails["ben"], mine.to_google("/connect/start", popup="1"))
    parts = urllib.parse.urlsplit(back)
    query = {**dict(urllib.parse.parse_qsl(parts.query)), "code": code}
    answer = mine.get(parts._replace(query=urllib.parse.urlencode(query)).geturl())
    assert answer.message["result"] == "refused", "the proof key is another one"
    assert accounts(house) == {}


@pytest.mark.parametrize("change", ["cut", "changed", "missing"])
def test_a_tampered_state_is_refused_and_changes_nothing(house: House, change: str) -> None:
    visitor = at_home(house, "ann")
    back = consent(house.emails["ann"], visitor.to_google("/connect/start"))
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["state"][0]
    other = {"cut": state[:-3], "changed": "A" + state[1:], "missing": ""}[change]
    with house.deployed.said() as lines:
        answer = visitor.get(back.replace(urllib.parse.quote(state), urllib.parse.quote(other)))
    assert answer.status == 400
    assert accounts(house) == {}
    assert [line["status"] for line in lines if line["message"] == "refused"] == [400]
    assert state not in str(lines)


def test_who_has_signed_in_as_somebody_else_meanwhile_starts_again(house: House) -> None:
    visitor = at_home(house, "ann")
    back = consent(house.emails["ann"], visitor.to_google("/connect/start"))
    visitor.post("/sign-out")
    house.add("ben")
    house.deployed.stack.google.add_account(f"ben@{house.id}.example")
    visitor.sign_in(f"ben@{house.id}.example")
    assert visitor.get(back).status == 400
    assert accounts(house) == {}


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"edition": "express"}, "standard, professional or enterprise"),
        ({"edition": "platinum"}, "edition"),
    ],
)
def test_a_studio_whose_edition_has_no_sync_is_told_so_before_google_is_asked(
    house: House, setting: dict[str, str], says: str
) -> None:
    visitor = at_home(house, "ann")
    house.front_end.set_studio(**setting)
    visitor.get("/connect")
    refused = visitor.post("/connect/start")
    assert (refused.status, says in refused.text) == (409, True)


def test_a_user_who_cannot_be_scheduled_is_told_why(house: House) -> None:
    visitor = at_home(house, "ann")
    house.front_end._studio.collection("users").document("ann").update({"schedulable": False})
    refused = visitor.post("/connect/start")
    assert (refused.status, "schedulable" in refused.text) == (409, True)


# --- one account for one user ----------------------------------------------------------------------------------------


def test_an_account_that_another_user_has_is_refused_and_nobody_is_named(house: House) -> None:
    at_home(house, "ann").connect(house.emails["ann"])
    other = House(house.deployed)
    visitor = at_home(other, "ben")
    refused = visitor.connect(house.emails["ann"]).message
    assert refused["result"] == "refused"
    assert "another account" in refused["text"]
    assert house.id not in refused["text"]
    assert "ann" not in refused["text"].replace("another", "").lower().split()
    assert accounts(other) == {}


def test_of_two_users_at_once_one_gets_the_account(house: House) -> None:
    visitors = [at_home(house, "ann"), at_home(house, "ben")]
    backs = []
    for visitor in visitors:
        visitor.get("/connect")
        backs.append(consent(house.emails["ann"], visitor.to_google("/connect/start", popup="1")))
    with ThreadPoolExecutor(2) as pool:
        answers: list[Answer] = list(pool.map(lambda pair: pair[0].get(pair[1]), zip(visitors, backs, strict=True)))
    assert sorted(answer.message["result"] for answer in answers) == ["connected", "refused"]
    assert len(accounts(house)) == 1
    assert len(connections(house)) == 1


def test_disconnected_it_is_free_for_somebody_else(house: House) -> None:
    ann = at_home(house, "ann")
    ann.connect(house.emails["ann"])
    account_id = str(accounts(house)["ann"]["account_id"])
    assert ann.post("/connect/users/ann/disconnect", account_id=account_id).path == "/connect"
    assert accounts(house) == {}
    assert at_home(house, "ben").connect(house.emails["ann"]).message["result"] == "connected"


def test_an_account_whose_user_was_erased_is_free(house: House) -> None:
    at_home(house, "ann").connect(house.emails["ann"])
    house.deployed.settle()
    house.front_end.erase_user("ann")
    assert at_home(house, "ben").connect(house.emails["ann"]).message["result"] == "connected"
    assert list(accounts(house)) == ["ben"]


# --- again -----------------------------------------------------------------------------------------------------------


def test_another_account_by_mistake_is_said_before_anything_is_synced(house: House) -> None:
    visitor = at_home(house, "ann")
    visitor.connect(house.emails["ann"])
    synced(house, "ann")
    wrong = f"wrong.{house.emails['ann']}"
    house.deployed.stack.google.add_account(wrong)
    asked = visitor.connect(wrong).message
    assert (asked["result"], asked["question"]) == ("question", "other_account")
    assert wrong in asked["text"]
    assert house.emails["ann"] in asked["text"]
    house.deployed.settle()
    assert shown(visitor)["account"]["account_email"] == house.emails["ann"]  # type: ignore[index]
    assert house.deployed.stack.google.person(wrong).events() == []
    [waiting] = shown(visitor)["waiting"]  # type: ignore[misc]
    visitor.get("/connect")
    visitor.post("/connect/users/ann/account", account_id=waiting["account_id"], answer="keep")
    assert shown(visitor)["waiting"] == []
    assert [one["account_email"] for one in shown(visitor)["accounts"]] == [house.emails["ann"]]  # type: ignore[attr-defined]


def test_another_account_on_purpose_takes_over_what_is_new(house: House) -> None:
    visitor = at_home(house, "ann")
    visitor.connect(house.emails["ann"])
    synced(house, "ann")
    other = f"other.{house.emails['ann']}"
    house.deployed.stack.google.add_account(other)
    visitor.connect(other)
    [waiting] = shown(visitor)["waiting"]  # type: ignore[misc]
    visitor.get("/connect")
    visitor.post("/connect/users/ann/account", account_id=waiting["account_id"], answer="use")
    synced(house, "ann")
    house.front_end.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    titles = lambda: [one.get("summary") for one in house.deployed.stack.google.person(other).events()]  # noqa: E731
    eventually(lambda: titles() == ["Newborn"])
    assert house.titles("ann") == []


def test_where_google_gives_no_lasting_access_it_is_asked_once_more(house: House) -> None:
    """The person has consented before, and nothing came of it: Google gives a lasting token only where asked to."""
    visitor = at_home(house, "ann")
    visitor.connect(house.emails["ann"])
    other = f"other.{house.emails['ann']}"
    house.deployed.stack.google.add_account(other)
    address = visitor.to_google("/connect/start", popup="1")
    assert "prompt=select_account" in address, "a token is held, so nobody is asked for what was allowed"
    consent(other, address)  # Once, in a browser that was closed then.
    again = visitor.get(consent(other, visitor.to_google("/connect/start", popup="1")))
    assert "prompt=consent" in again.headers["Location"]
    assert urllib.parse.quote(other) in again.headers["Location"]
    answer = visitor.get(consent(other, again.headers["Location"]))
    assert answer.message["question"] == "other_account"


def test_the_same_account_again_needs_no_new_token(house: House) -> None:
    visitor = at_home(house, "ann")
    visitor.connect(house.emails["ann"])
    synced(house, "ann")
    before = house.deployed.wiring.secrets.get(str(accounts(house)["ann"]["secret"]))
    visitor.get("/connect")
    back = consent(house.emails["ann"], visitor.to_google("/connect/start", popup="1"))
    assert visitor.get(back).message["result"] == "connected"
    assert house.deployed.wiring.secrets.get(str(accounts(house)["ann"]["secret"])) == before
    assert len(connections(house)) == 1


# --- Google in trouble -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_google_that_does_not_answer_leaves_nothing_half_done(
    house: House, deployed: Deployed, *, after_effect: bool
) -> None:
    visitor = at_home(house, "ann")
    visitor.get("/connect")
    back = consent(house.emails["ann"], visitor.to_google("/connect/start", popup="1"))
    deployed.stack.google.fail_next("oauth2.token", 503, "backendError", after_effect=after_effect)
    refused = visitor.get(back).message
    assert (refused["result"], "Start again" in refused["text"]) == ("refused", True)
    assert accounts(house) == {}
    assert visitor.connect(house.emails["ann"]).message["result"] == "connected"


# --- front-ends ------------------------------------------------------------------------------------------------------


def test_a_front_end_opens_a_pop_up_and_the_users_own_address_needs_no_confirmation(house: House) -> None:
    house.add("ann")
    house.front_end._studio.collection("users").document("ann").update({"email": house.emails["ann"]})
    url = FrontEndCaller(house, "ann").post("/connect/start", popup=True).json["url"]
    browser = Visitor(house.deployed)
    answer = browser.get(consent(house.emails["ann"], browser.get(url).headers["Location"]))
    assert answer.message["result"] == "connected"


def test_by_a_front_end_another_address_waits_for_an_administrator(house: House) -> None:
    """The pop-up's address can be sent to anybody: it alone does not make an account the user's."""
    house.add("ann")
    url = FrontEndCaller(house, "ann").post("/connect/start", popup=True).json["url"]
    browser = Visitor(house.deployed)
    answer = browser.get(consent(house.emails["ann"], browser.get(url).headers["Location"]))
    assert (answer.message["result"], answer.message["question"]) == ("question", "unconfirmed")
    assert connections(house) == []


def test_a_result_is_told_to_known_origins_only(house: House) -> None:
    visitor = at_home(house, "ann")
    visitor.get("/connect")
    evil = visitor.to_google("/connect/start", popup="1", origin="https://evil.example")
    answer = visitor.get(consent(house.emails["ann"], evil))
    assert "evil.example" not in answer.text
