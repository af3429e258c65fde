"""What goes over to another calendar is entered there first, then taken out of the one before: never in neither, and at
last in just one, whatever fails in between, whoever edits what meanwhile, and also once the user is back.
"""

import pytest

from shared.adapters.google_calendar import ATTEMPTS
from tests.end_to_end.coming_to_rest import settled, synced
from tests.end_to_end.deleting import rests
from tests.end_to_end.switching import (
    another_account,
    dies_after_entering,
    event_called,
    goes_on_with,
    populated,
    second_calendar,
    switch,
    titles,
    titles_of,
)
from tests.world import World, google_span, span


@pytest.fixture
def shooting(world: World) -> World:
    """Ann, populated."""
    return populated(world)


# --- the new calendar first ------------------------------------------------------------------------------------------


def test_what_the_new_calendar_refuses_stays_in_the_old_one_until_it_is_taken(shooting: World) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    shooting.cloud.google.fail_next("calendar.events.insert", 400, "invalid")
    shooting.edit("a0", title="A0 edited")
    shooting.sync()
    assert list(shooting.below("ann", "parked")) == ["a0"]
    assert (titles(shooting), titles(shooting, second)) == (["A0", "A1", "A2"], [])
    shooting.edit("a0", title="A0 edited again")
    shooting.sync()
    assert (titles(shooting), titles(shooting, second)) == (["A1", "A2"], ["A0 edited again"])
    rests(shooting)


@pytest.mark.parametrize("method", ["calendar.events.insert", "calendar.events.delete"])
@pytest.mark.parametrize(
    ("status", "reason", "times"), [(503, "backendError", 1), (403, "rateLimitExceeded", ATTEMPTS)], ids=["503", "403"]
)
def test_while_either_calendar_does_not_answer_it_is_in_one_of_them_at_least_and_then_in_one_only(
    shooting: World, method: str, status: int, reason: str, times: int
) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    shooting.cloud.google.fail_next(method, status, reason, times)
    shooting.edit("a0", title="A0 edited")
    shooting.sync()
    entered = method == "calendar.events.delete"
    assert (titles(shooting), titles(shooting, second)) == (["A0", "A1", "A2"], ["A0 edited"] if entered else [])
    settled(shooting)
    assert (titles(shooting), titles(shooting, second)) == (["A1", "A2"], ["A0 edited"])
    rests(shooting)


@pytest.mark.parametrize("method", ["calendar.events.insert", "calendar.events.delete"])
def test_a_call_that_fails_in_a_populate_leaves_nothing_behind_for_good(shooting: World, method: str) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    shooting.later(hours=1)
    shooting.set_up("ann", populate_calendar=True)
    shooting.cloud.google.fail_next(method, 503, "backendError")
    shooting.sync()
    assert len(titles(shooting)) == 1
    settled(shooting)
    assert (titles(shooting), titles(shooting, second)) == ([], ["A0", "A1", "A2"])
    assert shooting.front_end.user("ann")["sync"]["populate_calendar"] is False
    rests(shooting)


def test_what_cannot_be_found_in_the_old_calendar_is_asked_for_again_before_it_counts_as_gone(
    shooting: World,
) -> None:
    google, old, second = shooting.cloud.google, shooting.emails["ann"], second_calendar(shooting)
    switch(shooting, second)
    hidden = event_called(shooting, "A0")
    google.hide_events(old, hidden)
    shooting.edit("a0", title="A0 edited")
    settled(shooting)
    google.show_events(old, hidden)
    assert titles(shooting, second) == ["A0 edited"]
    shooting.later(minutes=30)
    settled(shooting)
    assert (titles(shooting), titles(shooting, second)) == (["A1", "A2"], ["A0 edited"])
    rests(shooting)


def test_an_old_calendar_that_was_deleted_holds_nothing_up_for_long(world: World) -> None:
    world.add("ann")
    world.set_up("ann", calendar_id=(old := second_calendar(world)))
    world.connect("ann")
    for number in range(3):
        world.book(f"a{number}", title=f"A{number}", user_ids=["ann"], **span(number + 1))
    world.sync()
    assert titles(world, old) == ["A0", "A1", "A2"]
    switch(world, "primary")
    world.cloud.google.delete_calendar(old)
    world.set_up("ann", populate_calendar=True)
    synced(world)
    assert titles(world) == ["A0", "A1", "A2"]
    for _ in range(6):
        world.later(minutes=31)
        synced(world)
    rests(world)


@pytest.mark.parametrize("how", ["edited", "cancelled"])
def test_what_a_run_entered_in_the_old_calendar_and_could_not_record_goes_as_well(shooting: World, how: str) -> None:
    """It died between the two. Its outbox entry is still there."""
    shooting.book("late", title="Late", user_ids=["ann"], **span(20))
    dies_after_entering(shooting, "late")
    assert "Late" in titles(shooting)
    if how == "cancelled":
        shooting.edit("late", status="cancelled")
    before = another_account(shooting)
    settled(shooting)
    assert (titles_of(shooting, before), titles(shooting)) == (
        ["A0", "A1", "A2"],
        [] if how == "cancelled" else ["Late"],
    )
    rests(shooting)


# --- what a person edits in the old calendar -------------------------------------------------------------------------


def test_what_a_person_edited_in_the_old_calendar_goes_with_it_to_the_new_one_and_back(shooting: World) -> None:
    own, second = shooting.emails["ann"], second_calendar(shooting)
    switch(shooting, second)
    shooting.person("ann").patch("primary", event_called(shooting, "A0"), description="Only here", summary="By hand")
    shooting.edit("a0", location="Roof")
    shooting.sync()
    assert (titles(shooting), titles(shooting, second)) == (["A1", "A2"], ["By hand"])
    [moved] = shooting.person("ann").events(second)
    assert (moved["description"], moved["location"]) == ("Only here", "Roof")
    assert shooting.appointments()["a0"]["description"] == "Only here"
    synced(shooting)
    switch(shooting, own)
    shooting.person("ann").patch(second, moved["id"], description="Edited in the second")
    shooting.edit("a0", title="Back")
    synced(shooting)
    assert (titles(shooting), titles(shooting, second)) == (["A1", "A2", "Back"], [])
    assert shooting.appointments()["a0"]["description"] == "Edited in the second"
    rests(shooting)


def test_edited_in_both_the_studio_wins_and_what_lost_is_in_the_log_of_the_old_calendar(shooting: World) -> None:
    old, second = shooting.connections["ann"], second_calendar(shooting)
    switch(shooting, second)
    shooting.person("ann").patch("primary", event_called(shooting, "A0"), summary="By hand")
    shooting.edit("a0", title="By the studio")
    shooting.sync()
    assert (titles(shooting), titles(shooting, second)) == (["A1", "A2"], ["By the studio"])
    active, shooting.connections["ann"] = shooting.connections["ann"], old
    [lost] = [lost for entry in shooting.log("ann") for lost in entry["lost"]]
    shooting.connections["ann"] = active
    assert (lost["unit"], lost["side"], lost["value"]) == ("title", "calendar", "By hand")


def test_a_mirror_takes_nothing_from_the_old_calendar(world: World) -> None:
    populated(world, two_way_appointments=False)
    second = second_calendar(world)
    switch(world, second)
    world.person("ann").patch("primary", event_called(world, "A0"), description="Only here")
    world.edit("a0", title="A0 edited")
    world.sync()
    assert (titles(world), titles(world, second)) == (["A1", "A2"], ["A0 edited"])
    assert "description" not in world.appointments()["a0"]


def test_what_a_person_deleted_in_the_old_calendar_enters_the_new_one_when_the_studio_edits_it(shooting: World) -> None:
    second = second_calendar(shooting)
    switch(shooting, second)
    shooting.person("ann").delete("primary", event_called(shooting, "A0"))
    shooting.edit("a0", title="A0 edited")
    shooting.sync()
    assert (titles(shooting), titles(shooting, second)) == (["A1", "A2"], ["A0 edited"])
    rests(shooting)


# --- another account -------------------------------------------------------------------------------------------------


def test_to_another_account_and_back_with_edits_on_all_sides_nothing_is_lost_and_nothing_stands_twice(
    shooting: World,
) -> None:
    first = another_account(shooting)
    second = shooting.emails["ann"]
    shooting.cloud.google.person(first).patch("primary", event_of(shooting, first, "A0"), location="Attic")
    shooting.cloud.google.person(first).patch("primary", event_of(shooting, first, "A1"), location="Cellar")
    shooting.edit("a1", title="A1 edited")
    shooting.book("new", title="New", user_ids=["ann"], **span(9))
    shooting.types("ann", summary="Typed", **google_span(12))
    synced(shooting)
    assert (titles_of(shooting, first), titles_of(shooting, second)) == (["A0", "A2"], ["A1 edited", "New", "Typed"])
    goes_on_with(shooting, first)
    synced(shooting)
    locations = {one["title"]: one.get("location") for one in shooting.appointments().values()}
    assert (locations["A0"], locations["A1 edited"]) == ("Attic", "Cellar")
    shooting.cloud.google.person(second).patch("primary", event_of(shooting, second, "New"), location="Roof")
    shooting.edit("new", title="New, edited")
    shooting.edit("a1", status="cancelled")
    synced(shooting)
    assert (titles_of(shooting, first), titles_of(shooting, second)) == (["A0", "A2", "New, edited"], ["Typed"])
    assert shooting.appointments()["new"]["location"] == "Roof"
    assert len(shooting.appointments()) == 5
    rests(shooting)


def event_of(world: World, email: str, title: str) -> str:
    [found] = [one["id"] for one in world.cloud.google.person(email).events() if one["summary"] == title]
    return str(found)


def test_where_access_to_the_old_account_was_lost_its_copies_stay_and_resume_once_she_is_back(shooting: World) -> None:
    """What could not be taken out there is taken out here: the earlier pair goes on."""
    google, first = shooting.cloud.google, shooting.emails["ann"]
    google.accounts.refuse_tokens(first)
    another_account(shooting)
    second = shooting.emails["ann"]
    shooting.restart()
    shooting.edit("a0", title="A0 edited")
    shooting.book("new", title="New", user_ids=["ann"], **span(9))
    synced(shooting)
    assert (titles_of(shooting, first), titles_of(shooting, second)) == (["A0", "A1", "A2"], ["A0 edited", "New"])
    assert shooting.connection("ann").state == "connected"
    rests(shooting)
    google.person(first).patch("primary", event_of(shooting, first, "A0"), location="Attic")
    google.person(second).patch(
        "primary", event_of(shooting, second, "A0 edited"), description="Read before the return"
    )
    synced(shooting)
    google.accounts.allow_tokens(first)
    goes_on_with(shooting, first)
    settled(shooting)
    assert (titles_of(shooting, first), titles_of(shooting, second)) == (["A0 edited", "A1", "A2"], ["New"])
    a0 = shooting.appointments()["a0"]
    assert (a0["location"], a0["description"]) == ("Attic", "Read before the return")
    rests(shooting)


def test_an_entry_that_invites_ones_own_other_account_stays_in_both_calendars(shooting: World) -> None:
    """The guest's copy takes no place of the host's: with that it would be gone itself."""
    first = shooting.emails["ann"]
    second = "new." + first
    shooting.cloud.google.add_account(second, "Ann", "Europe/Berlin")
    shooting.types("ann", summary="Party", attendees=[{"email": second}], **google_span(8))
    synced(shooting)
    goes_on_with(shooting, second)
    shooting.set_up("ann", populate_calendar=True, populate_studio=True)
    settled(shooting)
    assert (titles_of(shooting, first), titles_of(shooting, second)) == (["Party"], ["A0", "A1", "A2", "Party"])
    assert [one["title"] for one in shooting.appointments().values()].count("Party") == 1
    rests(shooting)
