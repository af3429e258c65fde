"""Answers about doubtful pairs that come two at a time, or for what has changed meanwhile: nothing waits for ever, and
nothing is entered or deleted that nobody asked for.
"""

from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.operation import Item, Operation, Rules
from shared.services import apply, doubts
from shared.services.sync_calendar import Outcome
from tests.world import World, google_span, span

BOTH = {"populate_calendar": True, "populate_studio": True}


def asked(world: World, appointments: int = 1, events: int = 1) -> dict[tuple[str, str], str]:
    """Ann, with so much at one time on each side; gives the questions, by appointment id and event id."""
    for n in range(appointments):
        world.book(f"a{n}", title=f"Shoot {n}", user_ids=["ann"], **span(9))
    world.add("ann", **BOTH)
    for n in range(events):
        world.types("ann", summary=f"Entry {n}", **google_span(9))
    world.connect("ann")
    world.sync()
    refs = {item_id: one["refs"] for item_id, one in world.inbox().items()}
    return {(one["appointment_id"], one["event_id"]): item_id for item_id, one in refs.items()}


def carried_out(world: World) -> tuple[list[str], list[str]]:
    """What is in the calendar and in the studio then, once nothing waits any more."""
    for _ in range(20):
        if world.run("ann") is Outcome.NOTHING_DUE:
            break
    else:
        raise AssertionError("it goes on and on")
    assert (world.below("ann", "parked"), world.below("ann", "outbox")) == ({}, {})
    assert "open" not in {one["status"] for one in world.inbox().values()}
    here = [one["title"] for one in world.appointments().values() if one["status"] != "cancelled"]
    return world.titles("ann"), sorted(here)


def test_of_two_entries_that_are_the_same_as_one_appointment_the_other_comes_in(world: World) -> None:
    for question in asked(world, events=2).values():
        world.answer(question, "same")
    there, here = carried_out(world)
    assert there == here
    assert len(here) == 2


def test_of_two_appointments_that_are_the_same_as_one_entry_the_other_is_entered(world: World) -> None:
    for question in asked(world, appointments=2).values():
        world.answer(question, "same")
    assert carried_out(world) == (["Shoot 0", "Shoot 1"], ["Shoot 0", "Shoot 1"])


def test_an_answer_about_one_pair_does_not_undo_the_one_about_another_of_the_same_entry(world: World) -> None:
    [first, second] = sorted((pair[0], item_id) for pair, item_id in asked(world, appointments=2).items())
    world.answer(second[1], "same")
    world.answer(first[1], "different")
    assert carried_out(world) == (["Shoot 0", "Shoot 1"], ["Shoot 0", "Shoot 1"])


def test_what_is_paired_stays_so_when_what_else_it_may_have_been_is_moved_at_the_same_time(world: World) -> None:
    [_, second] = sorted((pair[0], item_id) for pair, item_id in asked(world, appointments=2).items())
    [event] = world.events("ann")
    world.answer(second[1], "same")
    world.edit("a0", **span(12))
    assert carried_out(world) == (["Shoot 0", "Shoot 1"], ["Shoot 0", "Shoot 1"])
    assert event["id"] in {one["id"] for one in world.events("ann")}, "nobody has deleted what Ann typed"


@pytest.mark.parametrize("left", ["cancelled", "erased", "reassigned"])
def test_what_is_the_same_as_an_appointment_that_has_gone_comes_in_by_itself(world: World, left: str) -> None:
    [question] = asked(world).values()
    world.answer(question, "same")
    match left:
        case "cancelled":
            world.edit("a0", status="cancelled")
        case "erased":
            world.erase("a0")
        case _:
            world.edit("a0", user_ids=["bob"])
    there, here = carried_out(world)
    assert there == ["Entry 0"]
    assert set(here) - {"Shoot 0"} == {"Entry 0"}
    assert "a0" not in {one for one, found in world.appointments().items() if found["title"] == "Entry 0"}


def test_one_that_fails_as_nobody_foresaw_holds_up_no_other_when_it_is_in_doubt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(usual: Callable[[Item, Rules], Operation]) -> Any:
        def decide(item: Item, rules: Rules) -> Operation:
            if item.appointment_id == "a0":
                raise KeyError(item.appointment_id)
            return usual(item, rules)

        return decide

    for module in (apply, doubts):
        monkeypatch.setattr(module, "decide", failing(module.decide))
    world.book("other", title="Other", user_ids=["ann"], **span(3))
    asked(world)
    assert "Other" in world.titles("ann")
    assert [one["tries"] for one in world.below("ann", "outbox").values()] == [1]


@pytest.mark.parametrize("why", ["mirror", "tentative"])
def test_the_text_of_an_entry_that_does_not_come_in_is_in_no_question(world: World, why: str) -> None:
    world.book("viewing", title="Viewing", user_ids=["ann"], **span(9))
    world.add("ann", populate_calendar=True, two_way_appointments=why != "mirror")
    status = "tentative" if why == "tentative" else "confirmed"
    world.types("ann", summary="Interview elsewhere", status=status, **google_span(9))
    world.connect("ann")
    world.sync()
    [question] = world.inbox().values()
    assert question["status"] == "open"
    assert "Interview" not in str([world.inbox(), world.below("ann", "parked"), world.log("ann")])
