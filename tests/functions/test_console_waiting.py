"""Accounts that wait for an answer: what their user and administrators may do about them, on the page and by call."""

import pytest

from tests.functions.deployed import House
from tests.functions.test_console_connect import accounts, at_home, connections, shown, synced
from tests.functions.test_console_refusals import loses_access
from tests.functions.test_console_users import invite, of_user
from tests.functions.visitor import Visitor


@pytest.fixture
def chief(house: House) -> Visitor:
    """An administrator of the house, signed in; Ann is a user who has not connected anything."""
    house.add("ann")
    visitor = at_home(house, "chief")
    house.front_end.make_administrator("chief")
    visitor.get("/connect")
    return visitor


def accepted(house: House, chief: Visitor, email: str) -> dict[str, str]:
    """Ann's invitation was used with this account, which has not her e-mail; gives what waits."""
    assert Visitor(house.deployed).accept(invite(chief), email).message["question"] == "unconfirmed"
    found: dict[str, str]
    [found] = of_user(chief, "ann")["waiting"]
    return found


# --- the user's own page ---------------------------------------------------------------------------------------------


def test_a_user_lets_go_of_a_wrong_account_that_waits_for_an_administrator(house: House, chief: Visitor) -> None:
    waiting = accepted(house, chief, house.emails["ann"])
    ann = at_home(house, "ann")
    page = ann.get("/connect").text
    assert "It was the wrong one" in page
    assert "Connect another account" in page
    ann.post("/connect/users/ann/account", account_id=waiting["account_id"], answer="keep")
    assert accounts(house) == {}
    assert shown(ann)["waiting"] == []


def test_a_user_connects_another_account_than_the_one_that_waits(house: House, chief: Visitor) -> None:
    wrong = f"wrong.{house.emails['ann']}"
    house.deployed.stack.google.add_account(wrong)
    accepted(house, chief, wrong)
    ann = at_home(house, "ann")
    assert ann.connect(house.emails["ann"]).message["result"] == "connected"
    synced(house, "ann")
    assert (shown(ann)["syncs"], shown(ann)["waiting"]) == (True, [])


@pytest.mark.parametrize(("disconnected", "words"), [(False, "Keep the former one"), (True, "It was the wrong one")])
def test_a_former_account_is_offered_only_while_there_is_one(house: House, *, disconnected: bool, words: str) -> None:
    ann = at_home(house, "ann")
    ann.connect(house.emails["ann"])
    synced(house, "ann")
    former = str(accounts(house)["ann"]["account_id"])
    other = f"other.{house.emails['ann']}"
    house.deployed.stack.google.add_account(other)
    assert ann.connect(other).message["question"] == "other_account"
    ann.get("/connect")
    if disconnected:
        ann.post("/connect/users/ann/disconnect", account_id=former)
    page = ann.get("/connect").text
    offered = [one for one in ("Keep the former one", "It was the wrong one") if one in page]
    assert offered == [words]


# --- with which calendar ---------------------------------------------------------------------------------------------


def test_a_confirmed_account_whose_own_calendar_is_taken_syncs_with_another_one_of_its(
    house: House, chief: Visitor
) -> None:
    google = house.deployed.stack.google
    free = google.add_calendar(house.emails["ann"], "Shootings")
    ben = at_home(house, "ben")
    google.set_access(house.emails["ben"], house.emails["ann"], "writer")
    house.front_end.set_up("ben", calendar_id=house.emails["ann"])
    assert ben.connect(house.emails["ben"]).message["result"] == "connected"
    synced(house, "ben")
    waiting = accepted(house, chief, house.emails["ann"])
    assert [one["id"] for one in waiting["calendars"]] == [house.emails["ann"], free]  # type: ignore[index]
    assert 'value="' + free + '"' in chief.get("/connect/users/ann").text
    answer = {"account_id": waiting["account_id"], "answer": "confirm"}
    assert chief.post("/connect/users/ann/confirmation", **answer).status == 409, "doubled otherwise"
    chief.get("/connect/users/ann")
    assert chief.post("/connect/users/ann/confirmation", **answer, calendar_id="nowhere").status == 409
    chief.get("/connect/users/ann")
    assert chief.post("/connect/users/ann/confirmation", **answer, calendar_id=free).status == 200
    synced(house, "ann")
    found = of_user(chief, "ann")
    assert (found["syncs"], found["calendar"]["id"]) == (True, free)
    assert house.front_end.user("ann")["sync"]["calendar_id"] == free, "the choice is kept"


def test_another_account_is_used_with_the_calendar_that_was_chosen_with_the_answer(house: House) -> None:
    ann = at_home(house, "ann")
    ann.connect(house.emails["ann"])
    synced(house, "ann")
    other = f"other.{house.emails['ann']}"
    house.deployed.stack.google.add_account(other)
    shootings = house.deployed.stack.google.add_calendar(other, "Shootings")
    assert ann.connect(other).message["question"] == "other_account"
    [waiting] = shown(ann)["waiting"]  # type: ignore[misc]
    ann.get("/connect")
    ann.post("/connect/users/ann/account", account_id=waiting["account_id"], answer="use", calendar_id=shootings)
    synced(house, "ann")
    assert shown(ann)["calendar"]["id"] == shootings  # type: ignore[index]
    house.deployed.settle()
    assert [one["calendar_id"] for one in connections(house) if one["state"] == "connected"] == [shootings]


def test_connected_again_with_its_calendar_gone_the_page_offers_the_others(house: House) -> None:
    google = house.deployed.stack.google
    ann = at_home(house, "ann")
    shootings = google.add_calendar(house.emails["ann"], "Shootings")
    house.front_end.set_up("ann", calendar_id=shootings)
    ann.connect(house.emails["ann"])
    synced(house, "ann")
    loses_access(house, house.emails["ann"])
    assert "Use this calendar" not in ann.get("/connect").text, "first things first"
    google.delete_calendar(shootings)
    refused = ann.connect(house.emails["ann"]).message
    assert (refused["result"], "Choose another calendar" in refused["text"]) == ("refused", True)
    assert "Use this calendar" in ann.get("/connect").text
    assert ann.post("/connect/users/ann/calendar", calendar_id=house.emails["ann"]).status == 200
    synced(house, "ann")
    assert shown(ann)["syncs"]
