"""The account or the calendar that a user had before is somebody else's by now: it is theirs alone."""

import pytest

from local.people import FrontEnd, give_consent
from shared.domain import identity
from shared.services.sync_calendar import Outcome, sync_calendar
from tests.end_to_end.switching import (
    another_account,
    disconnects,
    goes_on_with,
    in_a_calendar_to_share,
    populated,
    switch,
    titles,
    titles_of,
)
from tests.soak import few
from tests.world import REDIRECT, World, span


def days_go_by(world: World) -> None:
    for _ in range(3):
        world.sync()
        world.later(days=2)


def left_for_another_account(world: World) -> str:
    """Ann disconnects the account that she synced with and goes on with another one; gives the former."""
    email = world.emails["ann"]
    disconnects(world, email)
    return another_account(world)


# --- the account -----------------------------------------------------------------------------------------------------


def test_what_somebody_of_another_studio_has_in_an_account_that_was_disconnected_is_not_touched_and_not_read(
    world: World,
) -> None:
    populated(world)
    former = left_for_another_account(world)
    elsewhere = FrontEnd(world.firestore, "elsewhere")
    elsewhere.make_studio()
    elsewhere.add_user("ben", former, two_way_appointments=True)
    bens = give_consent(world.wiring, "elsewhere", "ben", former, REDIRECT).connection_id
    assert sync_calendar(bens, world.wiring.run_ports, world.wiring.channel_key) is Outcome.DONE
    [noted] = [one["id"] for one in world.cloud.google.person(former).events() if one["summary"] == "A1"]
    world.cloud.google.person(former).patch("primary", noted, location="Ben's attic")
    world.cloud.google.clear_requests()
    world.edit("a0", title="A0 edited")
    world.edit("a1", description="Bring lights")
    world.edit("a2", status="cancelled")
    world.sync("ann")
    assert titles_of(world, former) == ["A0", "A1", "A2"]
    assert titles(world) == ["A0 edited", "A1"]
    assert "location" not in world.appointments()["a1"]
    assert former not in {one.account for one in world.cloud.google.requests}


def test_a_colleague_who_has_the_account_now_keeps_what_stands_there(world: World) -> None:
    for n in range(3):
        world.book(f"a{n}", title=f"A{n}", user_ids=["ann", "ben"], **span(n + 1))
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    former = left_for_another_account(world)
    world.add("ben", populate_calendar=True, populate_studio=True)
    world.emails["ben"] = former
    world.connect("ben")
    days_go_by(world)
    world.set_up("ann", populate_calendar=True)
    days_go_by(world)
    assert (titles(world), titles_of(world, former)) == (["A0", "A1", "A2"], ["A0", "A1", "A2"])
    assert (len(world.appointments()), world.inbox()) == (3, {})
    assert all(one["user_ids"] == ["ann", "ben"] for one in world.appointments().values())


def test_the_copies_in_an_account_that_was_disconnected_go_when_she_is_back(world: World) -> None:
    populated(world)
    first = world.emails["ann"]
    former = left_for_another_account(world)
    world.set_up("ann", populate_calendar=True)
    world.sync()
    second = world.emails["ann"]
    assert (titles_of(world, former), titles_of(world, second)) == (["A0", "A1", "A2"], ["A0", "A1", "A2"])
    goes_on_with(world, first)
    world.set_up("ann", populate_calendar=True)
    world.sync()
    assert (titles_of(world, first), titles_of(world, second)) == (["A0", "A1", "A2"], [])
    assert len(world.appointments()) == 3


ACCOUNT, CONNECTION, CALENDAR = "accounts/google:{}", "connections/{}", "calendars/{}"


@few
@pytest.mark.parametrize(
    ("place", "fields"),
    [
        (CONNECTION, {"state": "disconnected"}),
        (ACCOUNT, {"user_id": "ben"}),
        (ACCOUNT, {"studio_id": "elsewhere"}),
        (ACCOUNT, None),
        (CALENDAR, {"user_id": "ben"}),
        (CALENDAR, {"studio_id": "elsewhere"}),
        (CALENDAR, None),
    ],
)
def test_a_single_sign_that_it_is_hers_no_more_keeps_the_copies_where_they_are(
    world: World, place: str, fields: dict[str, str] | None
) -> None:
    populated(world)
    earlier = world.connections["ann"]
    former = another_account(world)
    account = world.cloud.google.accounts.get(former)
    assert account is not None
    ids = {ACCOUNT: account.sub, CONNECTION: earlier, CALENDAR: identity.calendar_claim("google", former)}
    document = world.firestore.document(place.format(ids[place]))
    assert document.get().exists
    if fields is None:
        document.delete()
    else:
        document.update(fields)
    world.set_up("ann", populate_calendar=True)
    days_go_by(world)
    assert (titles_of(world, former), titles(world)) == (["A0", "A1", "A2"], ["A0", "A1", "A2"])


# --- the calendar ----------------------------------------------------------------------------------------------------


def handed_over(world: World, *user_ids: str) -> str:
    """Ann is in her own calendar now, and Ben in the one that she had, with three shootings of these users."""
    shared = in_a_calendar_to_share(world, *user_ids)
    switch(world, world.emails["ann"])
    world.later(minutes=5)
    world.add("ben", populate_calendar=True, populate_studio=True)
    world.cloud.google.set_access(world.emails["ben"], shared, "writer")
    world.front_end.set_up("ben", calendar_id=shared)
    world.connect("ben")
    world.sync("ben")
    assert bens(world, shared) == ["A0", "A1", "A2"]
    return shared


def bens(world: World, shared: str) -> list[str]:
    return sorted(event["summary"] for event in world.person("ben").events(shared))


@pytest.mark.parametrize("user_ids", [("ann",), ("ann", "ben")], ids=" and ".join)
def test_a_calendar_handed_to_a_colleague_is_not_emptied_by_its_former_users_populate(
    world: World, user_ids: tuple[str, ...]
) -> None:
    shared = handed_over(world, *user_ids)
    world.set_up("ann", populate_calendar=True)
    days_go_by(world)
    assert (bens(world, shared), titles(world)) == (["A0", "A1", "A2"], ["A0", "A1", "A2"])
    assert world.inbox() == {}


def test_an_edit_enters_the_calendar_of_either_and_what_the_colleague_edits_there_is_his_runs_to_read(
    world: World,
) -> None:
    shared = handed_over(world, "ann", "ben")
    world.edit("a0", title="A0 edited")
    [noted] = [one["id"] for one in world.person("ben").events(shared) if one["summary"] == "A1"]
    world.person("ben").patch(shared, noted, location="Attic")
    world.edit("a1", description="Bring lights")
    world.sync("ann")
    assert "location" not in world.appointments()["a1"]
    days_go_by(world)
    assert bens(world, shared) == ["A0 edited", "A1", "A2"]
    assert titles(world) == ["A0 edited", "A1"]
    assert world.appointments()["a1"]["location"] == "Attic"
    assert world.inbox() == {}
