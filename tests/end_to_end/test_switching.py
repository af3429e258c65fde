"""Another calendar is chosen (A9): what was synced stays where it is, what is new or edited goes to the new one."""

import pytest

from tests.end_to_end.switching import another_account, event_called, populated, second_calendar, switch, titles
from tests.world import World, google_span, span


@pytest.fixture
def shooting(world: World) -> World:
    """Ann, populated; besides her own calendar she has one for shootings."""
    return populated(world)


def test_what_was_synced_stays_and_what_is_new_or_edited_goes_to_the_new_calendar(shooting: World) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    assert (titles(shooting, "primary"), titles(shooting, second)) == (["A0", "A1", "A2"], [])
    shooting.book("new", title="New", user_ids=["ann"], **span(9))
    shooting.edit("a1", title="A1 edited")
    shooting.sync()
    assert titles(shooting, "primary") == ["A0", "A2"]
    assert titles(shooting, second) == ["A1 edited", "New"]


def test_the_old_connection_rests_and_its_channel_is_ended(shooting: World) -> None:
    old = shooting.connections["ann"]
    switch(shooting, second_calendar(shooting))
    stored = shooting.wiring.store.connection(old)
    assert stored is not None
    assert (stored.value.state, stored.value.state_reason, stored.value.next_sync_at) == ("resting", "switched", None)
    assert stored.value.channel is None


def test_switching_back_finds_the_old_pairs_and_doubles_nothing(shooting: World) -> None:
    old, second = shooting.connections["ann"], second_calendar(shooting)
    switch(shooting, second)
    shooting.book("new", title="New", user_ids=["ann"], **span(9))
    shooting.sync()
    shooting.person("ann").patch("primary", event_called(shooting, "A0"), location="Attic")
    switch(shooting, shooting.emails["ann"])
    assert shooting.connections["ann"] == old
    assert shooting.appointments()["a0"]["location"] == "Attic"
    assert (titles(shooting, "primary"), titles(shooting, second)) == (["A0", "A1", "A2"], ["New"])
    shooting.edit("new", title="New and edited")
    shooting.sync()
    assert (titles(shooting, "primary"), titles(shooting, second)) == (["A0", "A1", "A2", "New and edited"], [])
    assert len(shooting.appointments()) == 4


def test_a_populate_moves_everything(shooting: World) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    shooting.set_up("ann", populate_calendar=True)
    shooting.sync()
    assert (titles(shooting, "primary"), titles(shooting, second)) == ([], ["A0", "A1", "A2"])


def test_a_calendar_that_the_account_cannot_write_to_is_refused_and_the_choice_can_be_changed(shooting: World) -> None:
    shooting.set_up("ann", calendar_id="nowhere@group.example")
    shooting.sync()
    assert shooting.front_end.user("ann")["connection"] == {
        "id": shooting.connections["ann"],
        "state": "paused",
        "reason": "forbidden",
    }
    shooting.set_up("ann", calendar_id=shooting.emails["ann"])
    shooting.edit("a0", title="Goes on")
    shooting.sync()
    assert "Goes on" in titles(shooting, "primary")


def test_what_is_typed_in_the_old_calendar_stays_there(shooting: World) -> None:
    switch(shooting, second_calendar(shooting))
    shooting.types("ann", summary="Private walk", **google_span(5))
    shooting.sync()
    assert len(shooting.appointments()) == 3


def test_a_twin_typed_in_the_new_calendar_is_paired_and_the_old_copy_goes(shooting: World) -> None:
    second = second_calendar(shooting)
    shooting.person("ann").insert(second, summary="a0", **google_span(1))
    switch(shooting, second)
    shooting.set_up("ann", populate_calendar=True)
    shooting.sync()
    assert (titles(shooting, "primary"), titles(shooting, second)) == ([], ["A0", "A1", "A2"])


def test_a_calendar_that_another_user_syncs_with_is_refused_with_what_to_do(shooting: World) -> None:
    shared = second_calendar(shooting)
    shooting.add("ben", calendar_id=shared)
    shooting.cloud.google.set_access(shooting.emails["ben"], shared, "writer")
    shooting.connect("ben")
    shooting.sync("ben")
    shooting.set_up("ann", calendar_id=shared)
    shooting.sync("ann")
    shown = shooting.front_end.user("ann")["connection"]
    assert (shown["state"], shown["reason"]) == ("paused", "calendar_taken")


# --- what the studio does with what stands in the calendar before ---------------------------------------------------


@pytest.mark.parametrize("how", ["cancelled", "erased", "reassigned"])
def test_what_is_wanted_no_more_is_taken_out_of_the_calendar_before(shooting: World, how: str) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    match how:
        case "cancelled":
            shooting.edit("a0", status="cancelled")
        case "erased":
            shooting.erase("a0")
        case _:
            shooting.edit("a0", user_ids=["ben"])
    shooting.sync()
    assert (titles(shooting, "primary"), titles(shooting, second)) == (["A1", "A2"], [])
    shooting.cloud.google.clear_requests()
    shooting.later(days=31)
    shooting.sync()
    assert not [one for one in shooting.cloud.google.requests if one.method_id == "calendar.events.delete"]


def test_an_unusual_number_of_them_stays_as_nobody_can_be_asked(world: World) -> None:
    for number in range(12):
        world.book(f"a{number}", title=f"A{number}", user_ids=["ann"], **span(number + 1))
    world.join("ann", populate_calendar=True)
    world.sync()
    switch(world, second_calendar(world))
    for number in range(10):
        world.edit(f"a{number}", status="cancelled")
    world.sync()
    assert len(titles(world, "primary")) == 12


@pytest.mark.parametrize("how", ["booked", "edited", "cancelled"])
def test_what_waits_at_the_moment_of_the_choice_is_carried_out_after_it(shooting: World, how: str) -> None:
    second = second_calendar(shooting)
    match how:
        case "booked":
            shooting.book("late", title="Late", user_ids=["ann"], **span(20))
        case "edited":
            shooting.edit("a0", title="A0 edited")
        case _:
            shooting.edit("a0", status="cancelled")
    switch(shooting, second)
    expected = {
        "booked": (["A0", "A1", "A2"], ["Late"]),
        "edited": (["A1", "A2"], ["A0 edited"]),
        "cancelled": (["A1", "A2"], []),
    }
    assert (titles(shooting, "primary"), titles(shooting, second)) == expected[how]


def test_booked_while_access_was_lost_it_enters_the_new_accounts_calendar(shooting: World) -> None:
    shooting.cloud.google.accounts.refuse_tokens(shooting.emails["ann"])
    shooting.restart()
    shooting.wish("ann")
    shooting.run("ann")
    shooting.book("late", title="Late", user_ids=["ann"], **span(20))
    another_account(shooting)
    assert shooting.titles("ann") == ["Late"]


def test_a_connection_whose_access_was_lost_rests_as_well_once_another_account_is_connected(shooting: World) -> None:
    old = shooting.connections["ann"]
    shooting.cloud.google.accounts.refuse_tokens(shooting.emails["ann"])
    shooting.restart()
    shooting.wish("ann")
    shooting.run("ann")
    shooting.emails["ann"] = f"new.{shooting.emails['ann']}"
    shooting.cloud.google.add_account(shooting.emails["ann"])
    shooting.connect("ann")
    shooting.sync("ann")
    new, shooting.connections["ann"] = shooting.connections["ann"], old
    shooting.sync("ann")
    assert (shooting.connection("ann").state, shooting.connection("ann").next_sync_at) == ("resting", None)
    assert shooting.front_end.user("ann")["connection"] == {"id": new, "state": "connected", "reason": None}


def test_connecting_the_same_calendar_again_forgets_no_move_that_waits(shooting: World) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    shooting.edit("a0", title="A0 edited")
    shooting.connect("ann")
    shooting.sync()
    assert titles(shooting, second) == ["A0 edited"]


# --- what the setting says -------------------------------------------------------------------------------------------


def test_an_empty_choice_keeps_the_present_calendar(shooting: World) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    present = shooting.connections["ann"]
    switch(shooting, "")
    assert shooting.connections["ann"] == present
    assert shooting.front_end.user("ann")["connection"] == {"id": present, "state": "connected", "reason": None}


def test_primary_is_the_accounts_own_calendar_by_another_name(shooting: World) -> None:
    own, second = shooting.connections["ann"], second_calendar(shooting)
    shooting.cloud.google.clear_requests()
    switch(shooting, "primary")
    assert shooting.connections["ann"] == own
    assert "calendar.calendarList.list" not in {one.method_id for one in shooting.cloud.google.requests}
    switch(shooting, second)
    assert shooting.connections["ann"] != own
    switch(shooting, "primary")
    assert shooting.connections["ann"] == own
    assert titles(shooting) == ["A0", "A1", "A2"]


def test_a_connection_that_does_not_know_whether_it_is_the_primary_one_asks_once(shooting: World) -> None:
    own = shooting.connections["ann"]
    shooting.firestore.document(f"connections/{own}").update({"primary": False})  # As those made before this was noted.
    shooting.cloud.google.clear_requests()
    switch(shooting, "primary")
    shooting.sync()
    assert shooting.connections["ann"] == own
    asked = [one for one in shooting.cloud.google.requests if one.method_id == "calendar.calendarList.list"]
    assert len(asked) == 1


@pytest.mark.parametrize("chosen", ["", "primary", None])
def test_at_connecting_the_accounts_own_calendar_is_taken(world: World, chosen: str | None) -> None:
    world.add("ann", calendar_id=chosen)
    second_calendar(world, "A calendar that comes first by name")
    world.connect("ann")
    assert world.connection("ann").calendar_id == world.emails["ann"]
    assert world.connection("ann").primary
