"""The pop-up as a studio's front-end opens it, from a site of its own: told is that site, and no other."""

from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.person import Person, agree
from tests.functions.deployed import FRONT_END, House

Somebody = Callable[..., Person]

STRANGER = "https://stranger.example"


@pytest.fixture
def ann(house: House, somebody: Somebody) -> Person:
    """A user who is signed in at the front-end, by her own e-mail, and not at the console."""
    house.add("ann")
    person = somebody("ann")
    house.deployed.stack.google.add_account(person.email)
    person.context.route("https://*.example/**", lambda route: route.fulfill(body="<h1>Elsewhere</h1>"))
    return person


def address(ann: Person, **body: object) -> str:
    """What the console answers the front-end's call."""
    token = ann.stack.firebase_token(studio_id=ann.house.id, user_id="ann")
    answer = requests.post(
        f"{ann.stack.console_url}/connect/start", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


def open_popup(page: Page, url: str) -> Page:
    """Keeps in ``told`` what the page is told."""
    with page.expect_popup() as opened:
        page.evaluate(
            """(url) => {
                window.told = [];
                window.addEventListener("message", (event) => window.told.push({ from: event.origin, ...event.data }));
                window.open(url, "connect", "popup");
            }""",
            url,
        )
    return opened.value


def test_the_front_end_that_opened_the_pop_up_is_told_what_came_of_it(ann: Person) -> None:
    ann.page.goto(FRONT_END)
    popup = open_popup(ann.page, address(ann, popup=True, origin=FRONT_END))
    with popup.expect_event("close"):
        agree(popup, ann.email)
    [told] = ann.page.evaluate("told")
    assert told["from"] == ann.stack.functions_url
    assert (told["source"], told["result"], told["account_email"]) == ("studio-sync", "connected", ann.email)


def test_a_site_that_nobody_knows_is_told_nothing(ann: Person) -> None:
    """It has got hold of the address of a pop-up that a front-end was to open."""
    ann.page.goto(STRANGER)
    popup = open_popup(ann.page, address(ann, popup=True, origin=FRONT_END))
    with popup.expect_event("close"):
        agree(popup, ann.email)
    assert ann.page.evaluate("told") == []


def test_without_a_pop_up_the_front_end_gets_the_browser_back(ann: Person) -> None:
    ann.page.goto(address(ann, back=f"{FRONT_END}/settings?tab=sync"))
    agree(ann.page, ann.email)
    expect(ann.page.get_by_role("heading", name="Elsewhere")).to_be_visible()
    assert ann.page.url == f"{FRONT_END}/settings?tab=sync&result=connected"


def test_a_pop_up_whose_opener_is_gone_can_be_read(ann: Person) -> None:
    ann.page.goto(address(ann, popup=True, origin=FRONT_END))
    agree(ann.page, ann.email)
    expect(ann.heading("Connected")).to_be_visible()
    ann.sees(f"Connected to {ann.email}.")
    ann.look("result-connected")
