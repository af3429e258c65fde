"""What is set up for a user through the console: by the user, and by an administrator of the same studio only."""

import datetime as dt
import urllib.parse
from typing import Any

import pytest

from local.google.consent import consent
from tests.functions.deployed import Deployed, House, eventually, span
from tests.functions.test_console_connect import accounts, at_home, connections, shown, synced
from tests.functions.visitor import Answer, FrontEndCaller, Visitor


@pytest.fixture
def chief(house: House) -> Visitor:
    """An administrator of the house, signed in; Ann is a user who never signs in."""
    house.add("ann")
    visitor = at_home(house, "chief")
    house.front_end._studio.collection("users").document("chief").update({"role": "admin"})
    visitor.get("/connect")
    return visitor


def of_user(visitor: Visitor, user_id: str) -> dict[str, Any]:
    found: dict[str, Any] = visitor.get(f"/connect/users/{user_id}", Accept="application/json").json
    return found


def invite(chief: Visitor, user_id: str = "ann") -> str:
    path = f"/connect/users/{user_id}/invitation"
    answer = chief.send(path, {"csrf": chief.csrf}, Accept="application/json")
    assert answer.status == 200, answer.text
    return str(answer.json["url"])


# --- roles -----------------------------------------------------------------------------------------------------------

CHANGES = {
    "invitation": {},
    "confirmation": {"account_id": "1", "answer": "confirm"},
    "account": {"account_id": "1", "answer": "use"},
    "disconnect": {"account_id": "1"},
    "calendar": {"calendar_id": "x"},
    "calendars": {"account_id": "1"},
    "sign-in": {},
    "settings": {"populate_calendar": "1"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_colleague_may_do_nothing_for_somebody_else(house: House, change: str) -> None:
    house.add("ann")
    ben = at_home(house, "ben")
    assert ben.post(f"/connect/users/ann/{change}", **CHANGES[change]).status == 403
    assert ben.get("/connect/users/ann").status == 403
    assert ben.get("/connect/users").status == 403


@pytest.mark.parametrize("change", CHANGES)
def test_an_administrator_of_another_studio_finds_nobody_there(house: House, chief: Visitor, change: str) -> None:
    other = House(house.deployed)
    other.add("zoe")
    before = other.front_end.user("zoe")
    assert chief.post(f"/connect/users/zoe/{change}", **CHANGES[change]).status == 409
    assert other.front_end.user("zoe") == before
    assert of_user(chief, "zoe")["reason"] == "user_gone", "in the administrator's own studio"


def test_who_is_no_administrator_any_more_is_none_at_once(house: House, chief: Visitor) -> None:
    assert chief.get("/connect/users").status == 200
    house.front_end._studio.collection("users").document("chief").update({"role": "staff"})
    assert chief.get("/connect/users").status == 403


def test_nobody_who_is_not_signed_in_may_do_anything(house: House) -> None:
    house.add("ann")
    stranger = Visitor(house.deployed)
    for path in ("/connect/users/ann/disconnect", "/connect/start", "/connect/users/ann/invitation"):
        assert stranger.send(path, {}).status == 401
    assert stranger.get("/connect/users").path == "/sign-in"


def test_an_administrator_sees_everybody_and_no_colleague_sees_anything(house: House, chief: Visitor) -> None:
    found = chief.get("/connect/users", Accept="application/json").json["users"]
    assert [(one["user_id"], one["state"]) for one in found] == [("ann", "not_connected"), ("chief", "not_connected")]


# --- invitations -----------------------------------------------------------------------------------------------------


def test_an_invited_user_connects_without_signing_in_and_an_administrator_confirms_the_account(
    house: House, chief: Visitor
) -> None:
    house.front_end.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    answer = Visitor(house.deployed).accept(invite(chief), house.emails["ann"])
    assert answer.message["question"] == "unconfirmed"
    house.deployed.settle()
    assert connections(house) == []
    assert house.titles("ann") == [], "nothing before somebody has confirmed it"
    [waiting] = of_user(chief, "ann")["waiting"]
    assert waiting["account_email"] == house.emails["ann"]
    chief.get("/connect/users/ann")
    chief.post("/connect/users/ann/confirmation", account_id=waiting["account_id"], answer="confirm")
    synced(house, "ann")
    assert of_user(chief, "ann")["syncs"]


def test_an_account_with_the_users_own_address_needs_no_confirmation(house: House, chief: Visitor) -> None:
    house.front_end._studio.collection("users").document("ann").update({"email": house.emails["ann"]})
    answer = Visitor(house.deployed).accept(invite(chief), house.emails["ann"])
    assert answer.message["result"] == "connected"


def test_an_administrator_may_say_no(house: House, chief: Visitor) -> None:
    Visitor(house.deployed).accept(invite(chief), house.emails["ann"])
    [waiting] = of_user(chief, "ann")["waiting"]
    chief.get("/connect/users/ann")
    chief.post("/connect/users/ann/confirmation", account_id=waiting["account_id"], answer="decline")
    assert accounts(house) == {}
    assert of_user(chief, "ann")["waiting"] == []


def test_the_invited_one_cannot_confirm_it_alone(house: House, chief: Visitor) -> None:
    Visitor(house.deployed).accept(invite(chief), house.emails["ann"])
    [waiting] = of_user(chief, "ann")["waiting"]
    ann = at_home(house, "ann")
    given = {"account_id": waiting["account_id"]}
    assert ann.post("/connect/users/ann/confirmation", **given, answer="confirm").status == 403
    assert ann.post("/connect/users/ann/account", **given, answer="use").status == 409
    assert connections(house) == []


def test_an_invitation_is_good_for_one_account(house: House, chief: Visitor) -> None:
    link = invite(chief)
    Visitor(house.deployed).accept(link, house.emails["ann"])
    other = f"other.{house.emails['ann']}"
    house.deployed.stack.google.add_account(other)
    browser = Visitor(house.deployed)
    assert browser.get(link).status == 409
    assert "Ask for a new one" in browser.get(link).text


def test_two_who_have_opened_the_same_invitation_do_not_both_get_in(house: House, chief: Visitor) -> None:
    link = invite(chief)
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["link"][0]
    other = f"other.{house.emails['ann']}"
    house.deployed.stack.google.add_account(other)
    answers: list[Answer] = []
    browsers = [(Visitor(house.deployed), email) for email in (house.emails["ann"], other)]
    backs = []
    for browser, email in browsers:
        browser.get(link)
        backs.append(consent(email, browser.to_google("/connect/invitation", link=token)))
    for (browser, _), back in zip(browsers, backs, strict=True):
        answers.append(browser.get(back))
    assert [answer.message["result"] for answer in answers] == ["question", "refused"]


def test_a_later_invitation_ends_the_one_before(house: House, chief: Visitor) -> None:
    first = invite(chief)
    invite(chief)
    assert Visitor(house.deployed).get(first).status == 409


def test_an_invitation_expires(house: House, chief: Visitor) -> None:
    link = invite(chief)
    found = house.deployed.client.collection("invitations").stream()
    [mine] = [one for one in found if one.get("studio_id") == house.id]
    mine.reference.update({"expires_at": dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)})
    assert Visitor(house.deployed).get(link).status == 409


def test_a_tampered_invitation_is_none(house: House, chief: Visitor) -> None:
    link = invite(chief)
    browser = Visitor(house.deployed)
    assert browser.get(link[:-2]).status == 400
    browser.get("/sign-in")
    assert browser.post("/connect/invitation", link="made-up").status == 400


def test_a_refused_consent_leaves_the_invitation_good(house: House, chief: Visitor) -> None:
    link = invite(chief)
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["link"][0]
    browser = Visitor(house.deployed)
    browser.get(link)
    address = browser.to_google("/connect/invitation", link=token)
    assert browser.get(consent(house.emails["ann"], address, allow_scopes=[])).message["result"] == "refused"
    assert browser.accept(link, house.emails["ann"]).message["result"] == "question"


# --- settings and calendars ------------------------------------------------------------------------------------------


def test_an_administrators_settings_for_a_user_start_at_once(house: House) -> None:
    house.join("ann")
    house.add("chief")
    house.front_end._studio.collection("users").document("chief").update({"role": "admin"})
    house.front_end.book(
        "a1", title="Newborn", user_ids=["ann"], start=dt.datetime.now(dt.UTC), end=dt.datetime.now(dt.UTC)
    )
    answer = FrontEndCaller(house, "chief").post(
        "/connect/users/ann/settings", populate_calendar=True, email="front.desk@example.org"
    )
    assert answer.status == 200
    eventually(lambda: house.front_end.user("ann")["sync"]["populate_calendar"] is False)
    assert house.front_end.user("ann")["sync"]["email"] == "front.desk@example.org"
    assert house.front_end.user("ann")["sync"]["two_way_appointments"] is True, "what was not named stays"


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"enabled": "perhaps"}, "enabled"), ({"calender": "x"}, "calender"), ({"approved_hold": "h"}, "approved_hold")],
)
def test_a_setting_that_does_not_fit_is_named_and_nothing_is_written(
    house: House, changes: dict[str, Any], named: str
) -> None:
    house.add("ann")
    before = house.front_end.user("ann")
    refused = FrontEndCaller(house, "ann").post("/connect/users/ann/settings", include_tentative=True, **changes)
    assert (refused.status, named in refused.json["error"]) == (409, True)
    assert house.front_end.user("ann") == before


def test_the_calendars_are_those_that_the_account_may_write_to_and_one_is_chosen(house: House) -> None:
    google = house.deployed.stack.google
    house.add("ann")
    shootings = google.add_calendar(house.emails["ann"], "Shootings", time_zone="America/New_York")
    google.add_calendar(house.emails["ann"], "Holidays", access_role="reader")
    ann = at_home(house, "ann")
    ann.connect(house.emails["ann"])
    synced(house, "ann")
    found = shown(ann)
    assert [one["title"] for one in found["calendars"]] == [house.emails["ann"], "Shootings"]  # type: ignore[attr-defined]
    ann.get("/connect")
    assert ann.post("/connect/users/ann/calendar", calendar_id="nowhere").status == 409
    ann.post("/connect/users/ann/calendar", calendar_id=shootings)
    eventually(lambda: shown(ann)["calendar"]["id"] == shootings)  # type: ignore[index]
    synced(house, "ann")
    [warning] = shown(ann)["warnings"]  # type: ignore[misc]
    assert warning["kind"] == "time_zones"
    assert "Europe/Berlin" in warning["text"]
    assert "America/New_York" in warning["text"]


def test_a_calendar_made_since_is_found_by_asking_google_again(house: House) -> None:
    ann = at_home(house, "ann")
    ann.connect(house.emails["ann"])
    house.deployed.stack.google.add_calendar(house.emails["ann"], "Weddings")
    account_id = str(shown(ann)["account"]["account_id"])  # type: ignore[index]
    ann.get("/connect")
    ann.post("/connect/users/ann/calendars", account_id=account_id)
    assert [one["title"] for one in shown(ann)["calendars"]] == [house.emails["ann"], "Weddings"]  # type: ignore[attr-defined]


# --- disconnecting ---------------------------------------------------------------------------------------------------


def test_disconnected_nothing_of_ours_is_left_and_the_studio_keeps_its_data(house: House, deployed: Deployed) -> None:
    ann = at_home(house, "ann")
    house.front_end.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    ann.connect(house.emails["ann"])
    synced(house, "ann")
    account = accounts(house)["ann"]
    ann.get("/connect")
    ann.post("/connect/users/ann/disconnect", account_id=str(account["account_id"]))
    assert accounts(house) == {}
    assert str(account["secret"]) not in str(deployed.stack.secrets.states())
    google = deployed.stack.google
    assert google.accounts.granted(house.emails["ann"], "studio-sync.apps.local") is None, "revoked"
    assert [one for one in google.push.channels() if one.email == house.emails["ann"]] == []
    assert "Newborn" in house.booked()
    assert (shown(ann)["state"], shown(ann)["reason"]) == ("disconnected", "disconnected")


def test_access_that_somebody_else_signs_in_with_is_not_revoked(house: House, deployed: Deployed) -> None:
    """Google revokes all that an account has granted to the project: the colleague's sign-in, too."""
    house.add("ben")
    house.front_end._studio.collection("users").document("ben").update({"email": "", "role": "staff"})
    ann = at_home(house, "ann")
    account = deployed.stack.google.accounts.get(house.emails["ann"])
    assert account is not None
    house.front_end._studio.collection("users").document("ben").update(
        {"sign_in": {"provider": "google", "subject": account.sub, "email": house.emails["ann"]}}
    )
    ann.connect(house.emails["ann"])
    ann.get("/connect")
    ann.post("/connect/users/ann/disconnect", account_id=account.sub)
    assert accounts(house) == {}
    assert deployed.stack.google.accounts.granted(house.emails["ann"], "studio-sync.apps.local") is not None


def test_connected_again_it_goes_on_with_the_same_pairs(house: House) -> None:
    ann = at_home(house, "ann")
    ann.connect(house.emails["ann"])
    synced(house, "ann")
    house.front_end.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    eventually(lambda: house.titles("ann") == ["Newborn"])
    house.deployed.settle()
    ann.get("/connect")
    ann.post("/connect/users/ann/disconnect", account_id=str(accounts(house)["ann"]["account_id"]))
    house.front_end.edit("a1", title="Newborn, later")
    [event] = house.events("ann")
    house.person("ann").patch("primary", event["id"], location="Studio B")
    house.deployed.settle()
    ann.connect(house.emails["ann"])
    eventually(lambda: house.titles("ann") == ["Newborn, later"])
    house.deployed.settle()
    assert house.front_end.appointments()["a1"]["location"] == "Studio B"
    assert len(house.front_end.appointments()) == 1


def test_a_calendar_that_the_account_may_not_write_to_is_refused_and_another_one_chosen_without_a_new_consent(
    house: House,
) -> None:
    house.add("ann", calendar_id="studio@group.example")
    ann = at_home(house, "ann")
    refused = ann.connect(house.emails["ann"]).message
    assert (refused["result"], "Choose another calendar" in refused["text"]) == ("refused", True)
    assert connections(house) == []
    [offered] = shown(ann)["calendars"]  # type: ignore[misc]
    ann.get("/connect")
    ann.post("/connect/users/ann/calendar", calendar_id=offered["id"])
    synced(house, "ann")
    assert shown(ann)["syncs"]


def test_another_account_does_not_stumble_over_the_calendar_that_was_chosen_in_the_former_one(house: House) -> None:
    google = house.deployed.stack.google
    house.add("ann")
    shootings = google.add_calendar(house.emails["ann"], "Shootings")
    house.front_end.set_up("ann", calendar_id=shootings)
    ann = at_home(house, "ann")
    ann.connect(house.emails["ann"])
    synced(house, "ann")
    other = f"other.{house.emails['ann']}"
    google.add_account(other)
    assert ann.connect(other, another="1").message["result"] == "connected"
    synced(house, "ann")
    assert shown(ann)["calendar"]["id"] == other  # type: ignore[index]
    assert house.front_end.user("ann")["sync"].get("calendar_id") is None
