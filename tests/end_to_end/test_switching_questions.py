"""What a person was asked about a calendar that rests by now."""

import pytest

from tests.end_to_end.coming_to_rest import settled, synced
from tests.end_to_end.deleting import cancelled, deletes, filled, held_links, hold, rests
from tests.end_to_end.switching import event_called, second_calendar, switch, titles
from tests.world import World, span


@pytest.fixture
def asked(world: World) -> World:
    """Ann has removed a shooting that Ben is assigned to as well; then she chose another calendar."""
    world.book("shared", title="Shared", user_ids=["ann", "ben"], **span(5))
    world.join("ann", populate_calendar=True)
    world.sync()
    world.person("ann").delete("primary", event_called(world, "Shared"))
    synced(world)
    switch(world, second_calendar(world))
    return world


def statuses(world: World) -> list[str]:
    return [item["status"] for item in world.inbox().values()]


def second(world: World) -> list[str]:
    return titles(world, world.connection("ann").calendar_id)


@pytest.mark.parametrize("populate", [False, True])
def test_the_question_about_a_removed_one_stays_open_and_it_enters_no_other_calendar(
    asked: World, populate: bool
) -> None:
    asked.set_up("ann", populate_calendar=populate)
    synced(asked)
    assert (statuses(asked), titles(asked), second(asked)) == (["open"], [], [])
    rests(asked)


@pytest.mark.parametrize("waits", [False, True], ids=["answered later", "answered just before"])
@pytest.mark.parametrize(("answer", "users"), [("take_off", ["ben"]), ("put_back", ["ann", "ben"])])
def test_its_answer_has_its_effect_where_the_user_syncs_now(
    world: World, answer: str, users: list[str], waits: bool
) -> None:
    world.book("shared", title="Shared", user_ids=["ann", "ben"], **span(5))
    world.join("ann", populate_calendar=True)
    world.sync()
    world.person("ann").delete("primary", event_called(world, "Shared"))
    synced(world)
    [question] = world.inbox()
    if waits:
        world.answer(question, answer)
    switch(world, second_calendar(world))
    if not waits:
        world.answer(question, answer)
    settled(world)
    assert (statuses(world), world.appointments()["shared"]["user_ids"]) == (["answered"], users)
    assert (titles(world), second(world)) == ([], ["Shared"] if answer == "put_back" else [])
    rests(world)


def test_an_edit_in_the_studio_enters_it_and_closes_the_question(asked: World) -> None:
    asked.edit("shared", title="Shared, edited")
    settled(asked)
    assert (statuses(asked), titles(asked), second(asked)) == (["gone"], [], ["Shared, edited"])
    rests(asked)


@pytest.mark.parametrize("side", ["calendar", "studio"])
def test_what_is_held_is_withdrawn_with_its_calendar_and_asked_anew_on_return(world: World, side: str) -> None:
    filled(world)
    mass = [f"shoot-{n:02}" for n in range(7)]
    if side == "calendar":
        deletes(world, "ann", *mass)
    else:
        for one in mass:
            world.edit(one, status="cancelled")
    synced(world)
    question = hold(world)
    assert question is not None
    there, before = titles(world), cancelled(world)
    world.set_up("ann", approved_hold=question)  # Too late: she has chosen another calendar at the same time.
    switch(world, second_calendar(world))
    settled(world)
    assert (statuses(world), titles(world), cancelled(world)) == (["gone"], there, before)
    rests(world)
    switch(world, world.emails["ann"])
    settled(world)
    anew = hold(world)
    assert anew not in {None, question}
    assert (titles(world), cancelled(world), held_links(world).keys()) == (there, before, set(mass))
    assert world.inbox()[question]["status"] == "gone"
    world.set_up("ann", approved_hold=anew)
    settled(world)
    assert (titles(world), cancelled(world)) == ([f"Shoot {n:02}" for n in range(7, 12)], set(mass))
    rests(world)
