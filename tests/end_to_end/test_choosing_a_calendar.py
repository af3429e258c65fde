"""A person chooses a calendar: done at once, by the next run, or refused; never noted where nothing comes of it."""

import pytest

from shared.services.accounts import ConnectRefusedError
from shared.services.connecting import choose_calendar
from shared.services.disconnecting import disconnect
from shared.services.status import Status, status
from shared.services.sync_calendar import Outcome
from tests.end_to_end.switching import another_account, populated, second_calendar, switch
from tests.world import STUDIO, World


def of(world: World) -> Status:
    return status(STUDIO, "ann", world.wiring.store, world.clock, world.wiring.settings.safety_interval)


def choose(world: World, calendar_id: str) -> None:
    choose_calendar(STUDIO, "ann", calendar_id, world.wiring.account_ports)
    world.connections["ann"] = world.front_end.user("ann")["connection"]["id"]


def chosen(world: World) -> str | None:
    found: str | None = world.front_end.user("ann")["sync"].get("calendar_id")
    return found


def lose_access(world: World) -> None:
    world.cloud.google.accounts.refuse_tokens(world.emails["ann"])
    world.restart()
    world.wish("ann")
    assert world.run("ann") is Outcome.STOPPED


def account_id(world: World, email: str) -> str:
    account = world.cloud.google.accounts.get(email)
    assert account is not None
    return account.sub


def test_while_it_syncs_the_next_run_goes_over(world: World) -> None:
    populated(world)
    second = second_calendar(world)
    world.connect("ann")  # The list of calendars is asked for with it.
    choose(world, second)
    assert chosen(world) == second
    world.wish("ann")
    world.sync("ann")
    assert of(world).calendar is not None
    assert world.front_end.user("ann")["connection"]["id"] != world.connections["ann"]


def test_connected_again_with_its_calendar_gone_another_one_is_gone_over_to_at_once(world: World) -> None:
    populated(world)
    second = second_calendar(world)
    switch(world, second)
    lose_access(world)
    world.cloud.google.accounts.allow_tokens(world.emails["ann"])
    world.cloud.google.delete_calendar(second)
    with pytest.raises(ConnectRefusedError):
        world.connect("ann")
    assert of(world).state == "needs_reauth"
    choose(world, world.emails["ann"])
    assert chosen(world) == world.emails["ann"]
    world.sync("ann")
    assert (of(world).state, of(world).syncs) == ("connected", True)
    assert world.titles("ann") == ["A0", "A1", "A2"]


def test_disconnected_an_account_at_rest_is_gone_on_with(world: World) -> None:
    populated(world)
    former = another_account(world)
    disconnect(STUDIO, "ann", account_id(world, world.emails["ann"]), world.wiring.account_ports)
    world.emails["ann"] = former
    choose(world, former)
    world.sync("ann")
    assert (of(world).state, of(world).syncs, chosen(world)) == ("connected", True, former)


def test_a_calendar_of_an_account_whose_access_is_lost_is_not_promised(world: World) -> None:
    populated(world)
    second = second_calendar(world)
    world.connect("ann")
    lose_access(world)
    with pytest.raises(ConnectRefusedError, match="again first"):
        choose(world, second)
    assert chosen(world) is None, "nothing is noted that nobody would carry out"
    assert of(world).state == "needs_reauth"


@pytest.mark.parametrize("state", ["connected", "needs_reauth", "disconnected"])
def test_a_calendar_that_no_account_can_write_to_is_refused(world: World, state: str) -> None:
    populated(world, 1)
    if state == "needs_reauth":
        lose_access(world)
    elif state == "disconnected":
        disconnect(STUDIO, "ann", account_id(world, world.emails["ann"]), world.wiring.account_ports)
    with pytest.raises(ConnectRefusedError, match="Choose another calendar"):
        choose(world, "nowhere@group.calendar.google.com")
    assert chosen(world) is None
    assert of(world).state == state
