"""Another account that reaches the calendar the user has: it is the same calendar, and its pairs go on."""

import pytest

from shared.services.sync_calendar import Outcome
from tests.end_to_end.switching import (
    disconnects,
    event_called,
    goes_on_with,
    in_a_calendar_to_share,
    switch,
    titles,
)
from tests.soak import few
from tests.world import World, google_span

ALL = ["A0", "A1", "A2", "Typed"]


@pytest.fixture
def shared(world: World) -> str:
    """The calendar that Ann is in step with, and that her other account may write to as well."""
    calendar_id = in_a_calendar_to_share(world, "ann")
    world.person("ann").insert(calendar_id, summary="Typed", **google_span(9))
    world.sync()
    world.cloud.google.add_account(other(world), "Ann", "Europe/Berlin")
    world.cloud.google.set_access(other(world), calendar_id, "writer")
    return calendar_id


def other(world: World) -> str:
    return "other." + world.emails["ann"]


def leaves(world: World, how: str) -> str:
    """What becomes of the first account before the other one is connected; gives its address."""
    email = world.emails["ann"]
    match how:
        case "disconnected":
            disconnects(world, email)
        case "lost":
            world.cloud.google.accounts.refuse_tokens(email)
            world.restart()
            world.wish("ann")
            assert world.run("ann") is Outcome.STOPPED
    world.later(minutes=5)
    return email


def changes(world: World, shared: str, what: str) -> None:
    match what:
        case "edited in the studio":
            world.edit("a0", title="A0 edited")
            [typed] = [one for one, document in world.appointments().items() if document["title"] == "Typed"]
            world.edit(typed, title="Typed edited")
        case "edited in the calendar":
            world.person("ann").patch(shared, event_called(world, "A0", shared), location="Attic")
            world.person("ann").patch(shared, event_called(world, "Typed", shared), location="Attic")
        case "cancelled":
            world.edit("a0", status="cancelled")
        case box:
            world.set_up("ann", **{box: True})
    world.sync()
    for _ in range(3):
        world.later(days=2)
        world.sync()


@few
@pytest.mark.parametrize("first", ["still connected", "disconnected", "lost"])
@pytest.mark.parametrize(
    "what", ["edited in the studio", "edited in the calendar", "cancelled", "populate_calendar", "populate_studio"]
)
def test_the_same_calendar_by_another_account_loses_and_doubles_nothing(
    world: World, shared: str, first: str, what: str
) -> None:
    connection_id = world.connections["ann"]
    leaves(world, first)
    goes_on_with(world, other(world))
    assert world.connections["ann"] == connection_id
    changes(world, shared, what)
    expected = [one for one in ALL if (one, what) != ("A0", "cancelled")]
    assert [title.removesuffix(" edited") for title in titles(world, shared)] == expected
    appointments = {document["title"].removesuffix(" edited"): document for document in world.appointments().values()}
    assert sorted(appointments) == ALL
    assert len(world.appointments()) == len(ALL)
    cancelled = {title for title, document in appointments.items() if document["status"] == "cancelled"}
    assert cancelled == ({"A0"} if what == "cancelled" else set())
    if what == "edited in the calendar":
        assert [appointments[title]["location"] for title in ("A0", "Typed")] == ["Attic", "Attic"]
    assert world.inbox() == {}


def test_its_connection_goes_on_with_the_other_account_and_a_channel_of_its_own(world: World, shared: str) -> None:
    before = world.connection("ann")
    first, second = world.emails["ann"], other(world)
    goes_on_with(world, second)
    after, account = world.connection("ann"), world.cloud.google.accounts.get(second)
    assert account is not None
    assert (after.account_id, after.calendar_id, after.state) == (account.sub, shared, "connected")
    assert before.channel is not None
    assert after.channel is not None
    assert after.channel.id != before.channel.id
    assert [one.email for one in world.cloud.google.push.channels() if one.id == after.channel.id] == [second]
    disconnects(world, first)
    world.edit("a0", title="A0 edited")
    world.sync()
    assert (world.connection("ann").state, titles(world, shared)[0]) == ("connected", "A0 edited")


def test_the_same_calendar_chosen_once_the_other_account_may_write_to_it_resumes_with_its_pairs(
    world: World, shared: str
) -> None:
    connection_id, second = world.connections["ann"], other(world)
    world.cloud.google.set_access(second, shared, None)
    goes_on_with(world, second)
    assert world.connections["ann"] != connection_id, "the other account's own calendar"
    world.cloud.google.set_access(second, shared, "writer")
    switch(world, shared)
    assert world.connections["ann"] == connection_id
    changes(world, shared, "populate_calendar")
    assert (titles(world, shared), titles(world)) == (ALL, [])
    assert len(world.appointments()) == len(ALL)
