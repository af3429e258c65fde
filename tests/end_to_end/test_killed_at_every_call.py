"""A run may die at any of its calls, before the call or after it took effect: the next one makes it good.

Each flow is run once undisturbed, which gives the number of its calls and the picture that must come out. Then it is
killed at the first, the second, ... the last call, in a world of its own each time, and run again by a new process
when the dead one's lease is over.
"""

from collections.abc import Callable
from typing import Any

import pytest

from local.wiretap import Killed, Wiretap
from tests.world import World, days, google_span, span

Flow = Callable[[World], None]


def populate(world: World) -> None:
    """Both directions: three pairs, three of the studio's own, three of the calendar's own."""
    for number in range(3):
        world.book(f"both-{number}", title=f"Both {number}", user_ids=["ann"], **span(number))
        world.book(f"studio-{number}", title=f"Studio {number}", user_ids=["ann"], **span(10 + number))
    start, end = days(3, 5)
    world.book("fair", title="Fair", user_ids=["ann"], all_day=True, start_date=start, end_date=end)
    world.book("broken", title="Broken", user_ids=["ann"], start=span(1)["end"], end=span(1)["start"])
    world.add("ann", populate_calendar=True, populate_studio=True)
    for number in range(3):
        world.types("ann", summary=f"both {number}", location=f"Room {number}", **google_span(number))
        world.types("ann", summary=f"Calendar {number}", **google_span(20 + number))
    world.connect("ann")


def edits_on_both_sides(world: World) -> None:
    """Every kind of edit at once, also to both sides of one appointment."""
    for name in ("renamed", "moved", "both", "clash", "cancelled", "deleted", "erased", "beaten", "left"):
        world.book(name, title=name.title(), user_ids=["ann"], **span(len(name)))
    world.join("ann", populate_calendar=True)
    world.sync()
    events = {event["summary"]: event["id"] for event in world.events("ann")}
    person = world.person("ann")
    world.edit("renamed", title="New name", description="With text")
    person.patch("primary", events["Moved"], **google_span(30))
    world.edit("both", title="Both sides")
    person.patch("primary", events["Both"], location="Park")
    world.edit("clash", title="Studio's")
    person.patch("primary", events["Clash"], summary="Calendar's")
    world.edit("cancelled", status="cancelled")
    person.delete("primary", events["Deleted"])
    world.erase("erased")
    person.delete("primary", events["Beaten"])
    world.edit("beaten", title="Beaten back")
    person.patch("primary", events["Left"], location="Attic")
    world.edit("left", user_ids=["ben"])
    world.book("new", title="New", user_ids=["ann"], **span(40))
    world.types("ann", summary="Typed", **google_span(41))
    world.wish("ann")


def others_are_involved(world: World) -> None:
    """Handed over from Ben, invited with Ben, a text that Google cuts, and a write that Google refuses once."""
    world.book("handed", title="Handed over", user_ids=["ben"], **span(3))
    world.book("shared", title="Shared", user_ids=["ann", "ben"], **span(5))
    world.add("ben", populate_calendar=True, populate_studio=True)
    meeting = {"iCalUID": "meeting@elsewhere.example", "summary": "Meeting", **google_span(7)}
    world.cloud.google.receive_event(world.emails["ben"], "host@elsewhere.example", **meeting)
    world.connect("ben")
    world.sync("ben")
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync("ann")
    world.cloud.google.receive_event(world.emails["ann"], "host@elsewhere.example", **meeting)
    [shared] = [event for event in world.events("ann") if event["summary"] == "Shared"]
    world.edit("handed", user_ids=["ann"])
    world.edit("shared", description="x" * 9000)
    world.person("ann").patch("primary", shared["id"], location="Roof")
    world.book("refused", title="Refused once", user_ids=["ann"], **span(9))
    world.cloud.google.fail_next("calendar.events.insert", 403, "rateLimitExceeded")
    world.wish("ann")


FLOWS: dict[str, Flow] = {
    "populate": populate,
    "edits on both sides": edits_on_both_sides,
    "others are involved": others_are_involved,
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_a_run_killed_at_any_call_is_finished_by_the_next_with_nothing_lost_and_nothing_doubled(
    make_world: Callable[..., World],
    tap: Wiretap,
    flow: Flow,
    when: str,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    calls, expected = _undisturbed(make_world(), tap, flow)
    assert calls > 10, "a flow worth killing makes more calls than that"
    for call in range(1, calls + 1):
        world = make_world()
        world.cloud.google.clear_faults()
        flow(world)
        tap.kill_at(call, when)
        with pytest.raises(Killed):
            world.run("ann")
        tap.disarm()
        world.restart()
        world.later(minutes=11)
        world.sync()
        world.later(minutes=11)  # Where Google asked for a pause, it is over now.
        world.sync()
        assert different(world.picture(), expected) == {}, f"killed {when} call {call} of {calls}"
    record_testsuite_property(f"kill points, {flow.__name__}, {when}", calls)


def different(came: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Part of the picture to what came out, and what should have, where these are not the same."""
    return {part: (came[part], expected[part]) for part in expected if came[part] != expected[part]}


def _undisturbed(world: World, tap: Wiretap, flow: Flow) -> tuple[int, dict[str, Any]]:
    flow(world)
    tap.reset()
    world.run("ann")
    calls = len(tap.calls)
    world.sync()
    world.later(minutes=11)
    world.sync()
    return calls, world.picture()
