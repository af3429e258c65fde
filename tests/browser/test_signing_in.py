"""Signing in and out, seen by a person."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.person import Person, agree
from tests.functions.deployed import House

Somebody = Callable[..., Person]


def test_anybody_of_the_local_stack_signs_in_with_one_click_and_out_again(house: House, somebody: Somebody) -> None:
    house.add("ann")
    ann = somebody("ann").open(house.deployed.stack.local_sign_in_url)
    expect(ann.heading("Sign in to the local stack")).to_be_visible()
    ann.sign_in()
    expect(ann.page.get_by_role("banner")).to_contain_text(f"Ann{house.id}")
    ann.look("connect-empty")
    ann.button("Sign out").click()
    expect(ann.heading("Sign in")).to_be_visible()
    ann.open("/connect")
    expect(ann.heading("Sign in")).to_be_visible()


def test_signing_in_with_google_needs_the_e_mail_that_the_studio_knows(house: House, somebody: Somebody) -> None:
    house.add("ann")
    ann = somebody("ann").open("/connect")
    ann.look("sign-in")
    ann.button("Sign in with Google").click()
    agree(ann.page, ann.account)
    expect(ann.heading("Not allowed")).to_be_visible()
    ann.sees(f"No user of a studio has the e-mail {ann.account}")
    ann.look("message")
    house.deployed.stack.google.add_account(ann.email)
    ann.page.get_by_role("link", name="Go to the sign-in page").click()
    ann.button("Sign in with Google").click()
    agree(ann.page, ann.email)
    expect(ann.heading("My Google Calendar")).to_be_visible()


def test_who_works_for_two_studios_chooses_one(house: House, somebody: Somebody) -> None:
    house.add("ann")
    other = House(house.deployed)
    ann = somebody("ann")
    other.front_end.set_studio(name="Studio Lumen")
    other.front_end.add_user("ann", ann.email)
    house.deployed.stack.google.add_account(ann.email)
    ann.open("/sign-in").button("Sign in with Google").click()
    agree(ann.page, ann.email)
    expect(ann.heading("Choose a studio")).to_be_visible()
    ann.look("studios")
    ann.page.get_by_role("button", name="Studio Lumen").click()
    expect(ann.page.get_by_role("banner")).to_contain_text("Studio Lumen")


def test_signing_in_leads_to_the_page_that_was_asked_for(house: House, somebody: Somebody) -> None:
    house.add("ann")
    boss = somebody("boss")
    house.front_end.add_user("boss", boss.email)
    house.front_end.make_administrator("boss")
    house.deployed.stack.google.add_account(boss.email)
    boss.open("/connect/users/ann").button("Sign in with Google").click()
    agree(boss.page, boss.email)
    expect(boss.heading("Ann’s Google Calendar")).to_be_visible()


def test_a_page_that_there_is_not_leads_on_whoever_is_signed_in(house: House, somebody: Somebody) -> None:
    house.add("ann")
    ann = somebody("ann").open("/nowhere")
    expect(ann.page.get_by_role("link", name="Go to the sign-in page")).to_be_visible()
    ann.sign_in().open("/nowhere")
    expect(ann.heading("Not found")).to_be_visible()
    ann.page.get_by_role("link", name="Go to my calendar").click()
    expect(ann.heading("My Google Calendar")).to_be_visible()
