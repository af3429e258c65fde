"""The local stack's page of faults, used by a person."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.person import Person
from tests.functions.deployed import House

Somebody = Callable[..., Person]


def test_somebody_makes_things_go_wrong_sees_what_was_struck_and_moves_the_clock(
    house: House, somebody: Somebody
) -> None:
    stack = house.deployed.stack
    house.join("ann")
    ann = somebody("ann").open(f"{stack.functions_url}/_faults")
    expect(ann.heading("Faults of the local stack")).to_be_visible()
    ann.sees("There is none: nothing goes wrong.")
    ann.button("Google's quota is used up, for the next 20 calls").click()
    expect(ann.page.get_by_role("table")).to_contain_text("0 of 0")
    stack.faults.move_clock(hours=1)
    house.make_due("ann")
    stack.scheduler.tick()
    house.deployed.settle()
    ann.page.reload()
    expect(ann.page.get_by_role("table")).to_contain_text("google GET /calendar/v3/calendars/{}/events")
    ann.sees("moved by 1:00:00")
    ann.look("faults")
    ann.button("Remove all").click()
    ann.sees("There is none: nothing goes wrong.")
    assert stack.faults.shown() == []
    # A rule of one's own is taken, or given back; and the clock is moved.
    rule = ann.page.get_by_label("As JSON")
    rule.fill('{"fault": "kill", "nth": 0}')
    ann.button("Add").click()
    expect(ann.page.get_by_role("alert")).to_contain_text("Expected `int` >= 1 - at `$.nth`")
    expect(rule).to_have_value('{"fault": "kill", "nth": 0}')
    rule.fill('{"fault": "kill", "nth": 1000}')
    ann.button("Add").click()
    expect(ann.page.get_by_role("table")).to_contain_text('"nth": 1000')
    ann.page.get_by_label("Hours").fill("3")
    ann.page.get_by_label("Minutes").fill("30")
    ann.button("Move on").click()
    ann.sees("moved by 4:30:00")
    ann.button("Back to the real time").click()
    ann.sees("the real time")
    assert [one["rule"] for one in stack.faults.shown()] == [{"fault": "kill", "nth": 1000}]
