"""No answer to "why is it not there" contradicts what the next run then does, or what the last one did."""

from typing import Any

import pytest

from shared.domain.reasons import Reason
from shared.services.answer import Why
from tests.end_to_end.asking_why import invited, typed, why
from tests.soak import covering, soaks
from tests.world import World, google_span, span

BOXES = ("populate_calendar", "populate_studio", "two_way_appointments", "include_tentative")
# Of the sixteen: each box ticked and not; and what most people tick.
TICKED = [*covering(*[(False, True)] * len(BOXES)), (True, False, True, False)]


@soaks
@pytest.mark.parametrize("ticked", TICKED, ids=str)
def test_just_what_waits_or_is_in_step_is_there_after_the_next_run(world: World, ticked: tuple[bool, ...]) -> None:
    boxes: dict[str, Any] = dict(zip(BOXES, ticked, strict=True))
    world.add("ann", **boxes)
    events = furnish(world)
    world.connect("ann")
    first = ask(world, events)
    world.sync()
    check(world, first)
    events |= rearrange(world)
    second = ask(world, events)
    world.sync()
    check(world, second)
    assert not [found for found in ask(world, events) if found.reason is Reason.WAITING]


def ask(world: World, events: set[str]) -> list[Why]:
    from_the_studio = [why(world, appointment=one) for one in world.appointments()]
    return [*from_the_studio, *(why(world, event=one) for one in sorted(events))]


def check(world: World, answered: list[Why]) -> None:
    appointments = world.appointments()
    living = {event["id"] for event in world.events("ann")}
    paired = {
        (link["appointment_id"], link["event_id"])
        for link in world.below("ann", "links").values()
        if link["state"] == "paired" and link["event_id"] in living
    }
    there = {
        one
        for pair in paired
        if appointments[pair[0]]["status"] != "cancelled" and "ann" in appointments[pair[0]]["user_ids"]
        for one in pair
    }
    for found in answered:
        # In a mirror, an entry that was edited there is there all the same: just the edit goes nowhere.
        expected = found.in_step or found.reason is Reason.WAITING or "that stays there" in found.detail
        assert bool({found.appointment_id, found.event_id} & there) is expected, found


def furnish(world: World) -> set[str]:
    """Of everything one, on both sides; gives the ids of the calendar's entries."""
    for number, (appointment_id, fields) in enumerate({
        "plain": {},
        "other": {},
        "third": {},
        "twin": {"title": "Twin", **span(50)},
        "past": span(-24 * 60),
        "ancient": span(-24 * 365),
        "cancelled": {"status": "cancelled"},
        "tentative": {"status": "tentative"},
        "bens": {"user_ids": ["ben"]},
        "private": {"private": True},
        "hourly": {"recurrence": ["RRULE:FREQ=HOURLY"], "time_zone": "Europe/Berlin"},
        "upside-down": {**span(5), "end": span(4)["start"]},
        "odd": {"title": 7},
    }.items()):  # fmt: skip
        world.book(appointment_id, **{"title": appointment_id, "user_ids": ["ann"], **span(number), **fields})
    zoned = {end: {**when, "timeZone": "Europe/Berlin"} for end, when in google_span(9).items()}
    return {
        typed(world),
        typed(world, summary="twin", **google_span(50)),
        typed(world, status="tentative"),
        typed(world, visibility="private"),
        typed(world, eventType="focusTime"),
        typed(world, eventType="outOfOffice"),
        typed(world, **google_span(-24 * 60)),
        typed(world, recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"], **zoned),
        *(invited(world, answer) for answer in ("needsAction", "tentative", "accepted", "declined")),
    }


def rearrange(world: World) -> set[str]:
    """Changes on both sides; gives the ids of the entries that came with them."""
    person = world.person("ann")
    copies = {link["appointment_id"]: link for link in world.below("ann", "links").values()}
    edits = {"other": {"location": "Attic"}, "tentative": {"status": "confirmed"}}
    for appointment_id in edits.keys() & copies:
        person.patch("primary", copies[appointment_id]["event_id"], **edits[appointment_id])
    if "plain" in copies:
        person.delete("primary", copies["plain"]["event_id"])
    world.edit("third", status="cancelled")
    world.edit("twin", description="Edited")
    world.edit("odd", title="Even")
    world.edit("bens", user_ids=["ann", "ben"])
    world.edit("private", user_ids=["ben"])
    world.book("new", title="New", user_ids=["ann"], **span(20))
    return {typed(world, summary="New there"), invited(world, "accepted", summary="Another meeting")}
