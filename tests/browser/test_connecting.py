"""A person connects a Google account, mistakes it for another, loses it, and leaves, all by clicking."""

import datetime as dt
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from local.people import google_time
from shared.domain.account import BOXES, CALENDAR_SCOPES, CONTACTS_SCOPE
from shared.domain.health import FAILURES, LATE
from tests.browser.person import Person, agree
from tests.functions.deployed import House, eventually, span
from tests.functions.visitor import FrontEndCaller
from tests.soak import leisurely, spread

Somebody = Callable[..., Person]


@pytest.fixture
def ann(house: House, somebody: Somebody) -> Person:
    """Signed in, and not connected yet."""
    house.add("ann")
    return somebody("ann").sign_in()


def connection_of(house: House, user_id: str) -> dict[str, str]:
    """What the studio's front-ends see of it."""
    found: dict[str, str] = house.front_end.user(user_id).get("connection") or {}
    return found


def block_popups(person: Person) -> None:
    """As browsers do, on request or by themselves."""
    person.page.add_init_script("window.open = () => null")
    person.page.reload()


# --- connecting ------------------------------------------------------------------------------------------------------


def test_connecting_in_a_pop_up_changes_the_page_that_opened_it(house: House, ann: Person) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected. What is new, or edited from now on, is kept in step.")
    assert len(ann.context.pages) == 1, "the pop-up has closed itself"
    ann.sees("Google account", ann.account, "Europe/Berlin")
    house.deployed.settle()
    ann.page.reload()
    ann.sees("In step", "just now")
    expect(ann.news).to_be_empty()
    ann.look("connected")


def test_where_the_pop_up_is_blocked_google_s_page_comes_in_the_same_window(ann: Person) -> None:
    block_popups(ann)
    ann.button("Connect Google Calendar").click()
    agree(ann.page, ann.account)
    expect(ann.news).to_contain_text("Connected.")
    ann.sees(ann.account)
    assert len(ann.context.pages) == 1


def test_connecting_needs_no_script(house: House, somebody: Somebody) -> None:
    house.add("ann")
    ann = somebody("ann", java_script_enabled=False).sign_in()
    ann.button("Connect Google Calendar").click()
    agree(ann.page, ann.account)
    ann.sees("Connected.", ann.account)
    ann.page.get_by_text(f"Disconnect {ann.account}").click()
    ann.button("Yes, disconnect it").click()
    ann.sees(f"{ann.account} is disconnected. Our access to it at Google has ended, too.")


def test_connecting_needs_no_mouse(ann: Person) -> None:
    """Tab as far as the button, each stop visible, then Enter; the first stop skips the top of the page."""
    stops = []
    while (not stops or stops[-1] != "Connect Google Calendar") and len(stops) < 10:
        ann.page.keyboard.press("Tab")
        at = ann.page.locator(":focus")
        assert at.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
        stops.append(at.inner_text())
    assert stops == ["Skip to the content", "Sign out", "Connect Google Calendar"]
    with ann.page.expect_popup() as opened:
        ann.page.keyboard.press("Enter")
    agree(opened.value, ann.account)
    expect(ann.news).to_contain_text("Connected.")


def test_a_box_that_was_unticked_is_named_and_nothing_is_connected(house: House, ann: Person) -> None:
    with ann.page.expect_popup() as opened:
        ann.button("Connect Google Calendar").click()
    expect(ann.news).to_contain_text("Google’s page is open in a window of its own.")
    agree(opened.value, ann.account, without=[CALENDAR_SCOPES[0]])
    expect(ann.news).to_contain_text(BOXES[CALENDAR_SCOPES[0]])
    expect(ann.button("Connect Google Calendar")).to_be_visible()
    assert connection_of(house, "ann") == {}


@leisurely
def test_contacts_that_were_not_allowed_can_be_allowed_later(ann: Person) -> None:
    with ann.page.expect_popup() as opened:
        ann.button("Connect Google Calendar").click()
    agree(opened.value, ann.account, without=[CONTACTS_SCOPE])
    ann.sees("Contacts will not sync: Studio Sync was not allowed to see and edit your contacts.")
    ann.page.get_by_text("Use another Google account").click()
    ann.connect(button="Use another account")
    expect(ann.news).to_contain_text("Connected.")
    expect(ann.page.get_by_role("main")).not_to_contain_text("Contacts will not sync")
    expect(ann.page.locator("dd").first).to_have_text(ann.account)


@leisurely
def test_a_refusal_without_a_pop_up_is_a_page_that_leads_back(ann: Person) -> None:
    block_popups(ann)
    ann.button("Connect Google Calendar").click()
    agree(ann.page, ann.account, without=[CALENDAR_SCOPES[0]])
    expect(ann.heading("Not connected")).to_be_visible()
    ann.sees(BOXES[CALENDAR_SCOPES[0]])
    ann.look("refused")
    ann.page.get_by_role("link", name="Go on").click()
    expect(ann.button("Connect Google Calendar")).to_be_visible()


def test_who_cancels_at_google_is_told_that_nothing_was_changed(ann: Person) -> None:
    with ann.page.expect_popup() as opened:
        ann.button("Connect Google Calendar").click()
    agree(opened.value, ann.account, cancel=True)
    expect(ann.news).to_contain_text("nothing was changed")


@leisurely
def test_who_closes_the_pop_up_is_not_left_waiting(ann: Person) -> None:
    with ann.page.expect_popup() as opened:
        ann.button("Connect Google Calendar").click()
    expect(ann.news).to_contain_text("Google’s page is open")
    opened.value.close()
    expect(ann.news).to_be_empty()
    expect(ann.button("Connect Google Calendar")).to_be_visible()


def test_a_stranger_s_message_changes_nothing(ann: Person) -> None:
    """Other sites may hold a reference to this window: only what our own pages say counts."""
    ann.page.evaluate("window.stays = true")
    ann.page.evaluate("""() => {
      const frame = (data, origin) => window.dispatchEvent(new MessageEvent("message", { data, origin }));
      frame({ source: "studio-sync", result: "connected" }, "https://elsewhere.example");
      frame({ source: "another", result: "connected" }, location.origin);
      frame({ source: "studio-sync", result: "refused", text: "Told by us" }, location.origin);
    }""")
    expect(ann.news).to_contain_text("Told by us")
    assert ann.page.evaluate("window.stays")


@leisurely
def test_a_second_user_is_refused_the_account_without_a_name(house: House, ann: Person, somebody: Somebody) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    house.add("bob")
    bob = somebody("bob").sign_in()
    bob.connect(ann.account)
    expect(bob.news).to_contain_text("connected to another user already")
    assert "Ann" not in bob.page.content()
    assert connection_of(house, "bob") == {}


# --- another account, another calendar -------------------------------------------------------------------------------


@spread
@pytest.mark.parametrize(("answer", "kept"), [("Keep the former one", True), ("Use this account", False)])
def test_another_account_by_mistake_is_asked_about(house: House, ann: Person, answer: str, kept: bool) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    lose_access(house, ann)
    other = f"other.{ann.account}"
    house.deployed.stack.google.add_account(other)
    ann.connect(other, button="Connect again")
    expect(ann.news).to_contain_text("One more answer is needed")
    expect(ann.heading(f"{other} waits for an answer")).to_be_visible()
    ann.look("other-account")
    ann.button(answer).click()
    expect(ann.heading(f"{other} waits for an answer")).to_have_count(0)
    used = ann.page.locator("dd").first
    expect(used).to_have_text(ann.account if kept else other)


@leisurely
def test_another_account_on_purpose_is_not_asked_about(house: House, ann: Person) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    other = f"other.{ann.account}"
    house.deployed.stack.google.add_account(other)
    ann.page.get_by_text("Use another Google account").click()
    ann.connect(other, button="Use another account")
    expect(ann.page.locator("dd").first).to_have_text(other)
    ann.sees("Connected besides, but not in use", f"Disconnect {ann.account}")
    ann.look("two-accounts")


def test_another_calendar_is_chosen_from_a_list_that_google_is_asked_for_again(house: House, ann: Person) -> None:
    ann.connect()
    ann.sees("has one calendar that can be written to")
    house.deployed.settle()
    second = house.deployed.stack.google.add_calendar(ann.account, "Shoots", "America/New_York")
    ann.button("Ask Google again for my calendars").click()
    expect(ann.news).to_contain_text("can write to 2 calendars.")
    ann.page.get_by_role("radio", name="Shoots").check()
    ann.look("calendars")
    ann.page.get_by_role("radio", name="Shoots").check()
    ann.button("Use this calendar").click()
    # Whichever of the two comes first: going over may take no longer than the page takes to say so.
    expect(ann.news).to_contain_text(re.compile("Going over to Shoots|Shoots is the calendar in use"))
    eventually(lambda: house.front_end.user("ann")["sync"].get("calendar_id") == second)
    # The page is loaded anew by itself.
    expect(ann.page.locator("dd").nth(1)).to_contain_text("Shoots")
    expect(ann.news).to_be_empty()
    house.deployed.settle()
    ann.page.reload()
    ann.sees("Shoots", "America/New York")
    # The studio is in Berlin: that is said with both zones.
    ann.sees("The studio's time zone is Europe/Berlin, the calendar's is America/New_York")
    ann.look("time-zones")


@leisurely
def test_another_account_is_used_though_a_calendar_of_the_first_was_chosen(house: House, ann: Person) -> None:
    """That choice was one among the first account's calendars: it cannot be meant for the other account."""
    shoots = house.deployed.stack.google.add_calendar(ann.account, "Shoots")
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    house.deployed.settle()
    ann.page.get_by_role("radio", name="Shoots").check()
    ann.button("Use this calendar").click()
    eventually(lambda: house.front_end.user("ann")["sync"].get("calendar_id") == shoots)
    house.deployed.settle()
    ann.page.reload()
    expect(ann.page.locator("dd").nth(1)).to_contain_text("Shoots")
    other = f"other.{ann.account}"
    house.deployed.stack.google.add_account(other)
    ann.page.get_by_text("Use another Google account").click()
    ann.connect(other, button="Use another account")
    expect(ann.page.locator("dd").first).to_have_text(other)
    house.deployed.settle()
    ann.page.reload()
    ann.sees("In step")
    expect(ann.page.locator("dd").nth(1)).to_contain_text(other)


@leisurely
def test_a_calendar_that_the_account_cannot_write_to_is_replaced_by_a_choice(house: House, ann: Person) -> None:
    """Somebody has set up a calendar beforehand, which turns out not to be this account's."""
    house.front_end.set_up("ann", calendar_id="gone@group.calendar.google.com")
    ann.connect()
    expect(ann.news).to_contain_text("The account cannot write to the chosen calendar.")
    ann.page.reload()
    ann.sees(f"{ann.account} cannot use the calendar that was chosen before. Choose one.")
    ann.look("needs-calendar")
    ann.page.get_by_role("radio", name=ann.account).check()
    ann.button("Use this calendar").click()
    expect(ann.heading("Which calendar?")).to_be_visible()
    eventually(lambda: house.front_end.user("ann")["sync"].get("calendar_id") != "gone@group.calendar.google.com")
    house.deployed.settle()
    ann.page.reload()
    ann.sees("In step")


@leisurely
def test_a_calendar_that_is_gone_is_replaced_by_the_one_that_is_left(house: House, ann: Person) -> None:
    google = house.deployed.stack.google
    second = google.add_calendar(ann.account, "Shoots")
    house.front_end.set_up("ann", calendar_id=second)
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    house.deployed.settle()
    google.delete_calendar(second)
    run_now(house, ann)
    assert connection_of(house, "ann")["reason"] == "calendar_gone"
    ann.page.reload()
    ann.button("Ask Google again for my calendars").click()
    expect(ann.news).to_contain_text("can write to 1 calendar.")
    ann.look("calendar-gone")
    left = ann.page.get_by_role("radio")
    expect(left).not_to_be_checked()
    left.check()
    ann.button("Use this calendar").click()
    eventually(lambda: house.front_end.user("ann")["sync"].get("calendar_id") != second)
    house.deployed.settle()
    ann.page.reload()
    ann.sees("In step")


def test_what_was_there_before_comes_over_when_the_person_says_so(house: House, ann: Person) -> None:
    house.front_end.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    at = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
    times = {"start": google_time(at), "end": google_time(at + dt.timedelta(hours=1))}
    house.person("ann").insert(summary="Dentist", **times)
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    house.deployed.settle()
    ann.page.reload()
    ann.sees("In step")
    assert (house.titles("ann"), house.booked()) == (["Dentist"], ["Newborn"])
    ann.look("before")
    ann.button("Enter the studio’s appointments into the calendar").click()
    expect(ann.news).to_contain_text("The studio’s appointments are being entered into the calendar.")
    eventually(lambda: house.titles("ann") == ["Dentist", "Newborn"])
    house.deployed.settle()
    assert house.booked() == ["Newborn"]
    ann.page.reload()
    ann.button("Take the calendar’s entries into the studio").click()
    expect(ann.news).to_contain_text("The calendar’s entries are being taken into the studio.")
    eventually(lambda: sorted(house.booked()) == ["Dentist", "Newborn"])


@leisurely
def test_a_calendar_can_be_chosen_also_by_who_has_disconnected_before(house: House, ann: Person) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    house.deployed.settle()
    ann.page.get_by_text(f"Disconnect {ann.account}").click()
    ann.button("Yes, disconnect it").click()
    expect(ann.news).to_contain_text(f"{ann.account} is disconnected.")
    house.front_end.set_up("ann", calendar_id="gone@group.calendar.google.com")
    ann.connect()
    expect(ann.news).to_contain_text("The account cannot write to the chosen calendar.")
    ann.page.reload()
    ann.page.get_by_role("radio", name=ann.account).check()
    ann.button("Use this calendar").click()
    expect(ann.heading("Which calendar?")).to_be_visible()
    eventually(lambda: house.front_end.user("ann")["sync"].get("calendar_id") != "gone@group.calendar.google.com")
    house.deployed.settle()
    ann.page.reload()
    ann.sees("In step")


@leisurely
def test_the_calendar_of_another_account_is_chosen_with_the_answer(house: House, ann: Person) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    lose_access(house, ann)
    other = f"other.{ann.account}"
    house.deployed.stack.google.add_account(other)
    house.deployed.stack.google.add_calendar(other, "Shoots", "Europe/Berlin")
    ann.connect(other, button="Connect again")
    expect(ann.heading(f"{other} waits for an answer")).to_be_visible()
    ann.look("answer-with-a-calendar")
    ann.page.get_by_role("radio", name="Shoots").check()
    ann.button("Use this account").click()
    expect(ann.heading(f"{other} waits for an answer")).to_have_count(0)
    expect(ann.page.locator("dd").nth(1)).to_contain_text("Shoots")


def test_a_wrong_account_that_waits_for_an_administrator_is_let_go_of(house: House, ann: Person) -> None:
    url = FrontEndCaller(house, "ann").post("/connect/start", popup=True).json["url"]
    ann.open(url)
    agree(ann.page, ann.account)
    ann.open("/connect")
    expect(ann.heading(f"{ann.account} waits for an answer")).to_be_visible()
    ann.look("unconfirmed")
    ann.button("It was the wrong one").click()
    expect(ann.heading(f"{ann.account} waits for an answer")).to_have_count(0)
    expect(ann.button("Connect Google Calendar")).to_be_visible()


def test_runs_that_fail_for_hours_are_not_shown_as_in_step(house: House, ann: Person) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    house.deployed.settle()
    connection = house.deployed.client.document(f"connections/{connection_of(house, 'ann')['id']}")
    connection.update({"failures": FAILURES, "synced_at": dt.datetime.now(dt.UTC) - 2 * LATE})
    ann.page.reload()
    ann.sees("Delayed", "tried again by themselves", "Nothing is lost")
    expect(ann.page.get_by_text("In step")).to_have_count(0)
    ann.look("delayed")


# --- the end of it ---------------------------------------------------------------------------------------------------


def test_disconnecting_is_explained_asked_about_and_frees_the_account(
    house: House, ann: Person, somebody: Somebody
) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    house.deployed.settle()
    expect(ann.button("Yes, disconnect it")).to_be_hidden()
    ann.page.get_by_text(f"Disconnect {ann.account}").click()
    ann.sees("All appointments stay in the studio.", "our access to it ends")
    ann.button("Yes, disconnect it").click()
    expect(ann.news).to_contain_text(f"{ann.account} is disconnected. Our access to it at Google has ended, too.")
    expect(ann.button("Connect Google Calendar")).to_be_visible()
    ann.look("disconnected")
    house.add("bob")
    bob = somebody("bob").sign_in()
    bob.connect(ann.account)
    expect(bob.news).to_contain_text("Connected.")
    bob.sees(ann.account)


def test_lost_access_is_said_and_connecting_again_mends_it(house: House, ann: Person) -> None:
    ann.connect()
    expect(ann.news).to_contain_text("Connected.")
    lose_access(house, ann)
    ann.sees("Connect again", "Google no longer gives us access to this account")
    ann.look("lost")
    ann.connect(button="Connect again")
    expect(ann.news).to_contain_text("Connected.")
    house.deployed.settle()
    ann.page.reload()
    ann.sees("In step")


def run_now(house: House, person: Person) -> None:
    house.connections[person.user_id] = connection_of(house, person.user_id)["id"]
    house.make_due(person.user_id)
    house.deployed.tick()
    house.deployed.settle()


def lose_access(house: House, person: Person) -> None:
    """The person ends our access on Google's page, and the next run finds out."""
    house.deployed.settle()
    google = person.context.new_page()
    google.goto(house.deployed.stack.google.permissions_url)
    mine = google.locator("form").filter(has_text=person.account)
    mine.get_by_role("button", name="Remove access").click()
    expect(mine).to_have_count(0)
    google.close()
    run_now(house, person)
    assert connection_of(house, person.user_id)["state"] == "needs_reauth"
    person.page.reload()
