"""An administrator sets up others, who give nothing but their consent."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import Person, agree
from tests.functions.deployed import House
from tests.soak import few, leisurely

Somebody = Callable[..., Person]


@pytest.fixture
def boss(house: House, somebody: Somebody) -> Person:
    """An administrator, signed in, of a studio with Ann."""
    house.front_end.set_studio(name="Studio Lumen")
    house.add("ann")
    house.front_end.add_user("boss", f"boss@{house.id}.example")
    house.front_end.make_administrator("boss")
    return somebody("boss").sign_in()


def link_of(administrator: Person) -> str:
    link: str = administrator.page.get_by_label("Link of the invitation").input_value()
    return link


def test_everybody_is_on_one_page_with_what_keeps_them_from_syncing(house: House, boss: Person) -> None:
    house.join("dora")
    house.front_end.add_user("room", f"room@{house.id}.example")
    house.deployed.client.document(f"studios/{house.id}/users/room").update({"schedulable": False})
    boss.page.get_by_role("link", name="Everybody").click()
    boss.sees("1 of 3 in step")
    rows = boss.page.get_by_role("row")
    expect(rows.filter(has_text="Dora")).to_contain_text(house.emails["dora"])
    room = rows.filter(has_text="Room")
    expect(rows.last).to_contain_text("Room")
    expect(room).to_contain_text("Only users who can be scheduled sync; rooms and other resources never do.")
    expect(room.get_by_role("button")).to_have_count(0)
    expect(rows.filter(has_text="Boss").get_by_role("button")).to_have_count(0)
    boss.look("everybody")
    boss.page.get_by_role("link", name="Dora").click()
    expect(boss.heading("Dora’s Google Calendar")).to_be_visible()
    boss.sees("In step", house.emails["dora"])
    expect(boss.page.get_by_role("button", name="Use another account")).to_have_count(0)
    boss.look("of-another")


def test_an_invited_person_connects_without_signing_in_and_the_administrator_confirms_the_account(
    house: House, boss: Person, somebody: Somebody
) -> None:
    boss.page.get_by_role("link", name="Everybody").click()
    boss.page.get_by_role("button", name="Invite Ann to connect").click()
    expect(boss.heading("A link for Ann")).to_be_visible()
    boss.context.grant_permissions(["clipboard-read", "clipboard-write"])
    boss.button("Copy").click()
    expect(boss.news).to_contain_text("The link was copied.")
    assert boss.page.evaluate("navigator.clipboard.readText()") == link_of(boss)
    boss.look("invite")

    ann = somebody("ann").open(link_of(boss))
    expect(ann.heading("Studio Lumen invites you to connect your Google Calendar")).to_be_visible()
    ann.sees("This invitation is for Ann.")
    ann.look("invitation")
    ann.button("Connect Google Calendar").click()
    agree(ann.page, ann.account)
    expect(ann.heading("One more answer is needed")).to_be_visible()
    ann.sees(f"{ann.account} is not the e-mail that your studio has for you", "An administrator")
    ann.look("result-question")

    boss.page.get_by_role("link", name="Back to Ann").click()
    expect(boss.heading(f"{ann.account} waits for an answer")).to_be_visible()
    boss.sees(f"ann@{house.id}.example")
    boss.look("unconfirmed")
    boss.button("Confirm: it is Ann’s").click()
    expect(boss.news).to_contain_text(f"Confirmed: {ann.account} is the account in use from now on.")
    expect(boss.page.locator("dd").first).to_have_text(ann.account)
    house.deployed.settle()
    boss.page.reload()
    boss.sees("In step")


@leisurely
def test_who_waits_for_an_administrator_is_told_so_and_cannot_confirm_it(
    house: House, boss: Person, somebody: Somebody
) -> None:
    boss.open("/connect/users/ann").button("Invite Ann to connect").click()
    ann = somebody("ann").open(link_of(boss))
    ann.button("Connect Google Calendar").click()
    agree(ann.page, ann.account)
    expect(ann.heading("One more answer is needed")).to_be_visible()
    ann.sign_in()
    ann.sees(f"{ann.account} waits for an answer", "please tell an administrator of your studio")
    expect(ann.page.get_by_role("button", name=re.compile("Confirm"))).to_have_count(0)
    ann.look("waits")
    boss.open("/connect/users/ann").button("Decline it").click()
    expect(boss.news).to_contain_text("Declined.")
    expect(boss.button("Invite Ann to connect")).to_be_visible()


def test_a_link_that_was_tampered_with_opens_nothing(boss: Person, somebody: Somebody) -> None:
    boss.open("/connect/users/ann").button("Invite Ann to connect").click()
    link = link_of(boss)
    changed = link[:-8] + ("A" if link[-8] != "A" else "B") + link[-7:]
    ann = somebody("ann").open(changed)
    expect(ann.heading("That did not work")).to_be_visible()
    ann.sees("This link is not complete, or no longer good.")
    ann.open(link)
    expect(ann.heading("Studio Lumen invites you to connect your Google Calendar")).to_be_visible()


@leisurely
def test_an_invitation_ends_with_the_next_one(boss: Person, somebody: Somebody) -> None:
    boss.open("/connect/users/ann").button("Invite Ann to connect").click()
    first = link_of(boss)
    boss.open("/connect/users/ann").button("Invite Ann to connect").click()
    expect(boss.heading("A link for Ann")).to_be_visible()
    ann = somebody("ann").open(first)
    expect(ann.heading("Not possible")).to_be_visible()
    ann.sees("This invitation is no longer good")


@leisurely
def test_an_account_for_signing_in_is_forgotten_and_another_one_is_let_in(
    house: House, boss: Person, somebody: Somebody
) -> None:
    ann = somebody("ann").sign_in()
    boss.open("/connect/users/ann")
    boss.page.get_by_text("Let Ann sign in with another Google account").click()
    boss.button("Forget the account for signing in").click()
    expect(boss.news).to_contain_text("Forgotten. The next Google account with the e-mail address of Ann can sign in.")
    expect(boss.heading("Ann’s Google Calendar")).to_be_visible()
    ann.page.reload()
    expect(ann.heading("Sign in")).to_be_visible()


def test_staff_see_nobody_else(house: House, somebody: Somebody) -> None:
    house.add("ann")
    house.add("bob")
    ann = somebody("ann").sign_in()
    expect(ann.page.get_by_role("link", name="Everybody")).to_have_count(0)
    for path in ("/connect/users", "/connect/users/bob"):
        ann.open(path)
        expect(ann.heading("Not allowed")).to_be_visible()
    ann.page.get_by_role("link", name="Go to my calendar").click()
    expect(ann.heading("My Google Calendar")).to_be_visible()


def test_a_room_is_told_why_it_cannot_connect(house: House, somebody: Somebody) -> None:
    house.add("room")
    house.deployed.client.document(f"studios/{house.id}/users/room").update({"schedulable": False})
    room = somebody("room").sign_in()
    room.sees("Only users who can be scheduled sync")
    expect(room.button("Connect Google Calendar")).to_have_count(0)


@few
@pytest.mark.parametrize(
    ("studio", "user", "to_boss", "to_ann"),
    [
        ({"edition": "express"}, {}, "Upgrade it to standard", "Ask your administrator to upgrade it."),
        ({"sync.enabled": False}, {}, "Turn it on in the studio’s settings.", "Ask your administrator to turn it on."),
        ({}, {"sync.enabled": False}, "off for Ann. Turn it on in Ann’s settings.", "off for you. Turn it on in your"),
        ({}, {"schedulable": False}, "mark Ann as schedulable", "ask your administrator to mark you"),
        ({}, {"sync.enabled": "maybe"}, "sync.enabled", "Ask your administrator to correct it"),
    ],
)
def test_what_keeps_somebody_from_syncing_is_said_to_whoever_can_do_something_about_it(
    house: House,
    boss: Person,
    somebody: Somebody,
    studio: dict[str, object],
    user: dict[str, object],
    to_boss: str,
    to_ann: str,
) -> None:
    ann = somebody("ann").sign_in()
    if studio:
        house.front_end.set_studio(**studio)
    if user:
        house.deployed.client.document(f"studios/{house.id}/users/ann").update(user)
    boss.open("/connect/users/ann").sees(to_boss)
    assert "administrator" not in boss.page.get_by_role("main").inner_text()
    ann.open("/connect").sees(to_ann)
    expect(ann.page.get_by_role("heading", name="First,")).to_have_count(0)
