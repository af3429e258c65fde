"""Series of several users, and occurrences that are not assigned, or not asked about, as their series is."""

import pytest

from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.repeating import (
    agreed,
    at,
    calendar,
    google_times,
    google_weekly,
    in_step,
    instance,
    joined,
    moved_there,
    moves,
    one_id,
    overlay,
    regular,
    series_event,
    shown,
    stays,
    studio,
    timed,
)
from tests.soak import spread
from tests.world import World

BOTH = ("ann", "ben")


@pytest.fixture
def both(world: World) -> World:
    """Ann and Ben with a weekly series in common, in step."""
    world.book("weekly", **timed(user_ids=list(BOTH)))
    joined(world, *BOTH)
    agreed(world, *regular(*range(6)), user_ids=BOTH)
    world.cloud.google.clear_requests()
    return world


# --- several users ----------------------------------------------------------------------------------------------------


def test_what_one_user_does_to_an_occurrence_comes_to_the_others(both: World) -> None:
    moved_there(both, 2, user_id="ben")
    agreed(both, *regular(0, 1, 3, 4, 5), shown(at(2, 14)), user_ids=BOTH)
    both.person("ann").edit(instance(both, 4), "following", summary="New")
    synced(both)
    assert calendar(both) == studio(both)
    assert studio(both, "ben") == calendar(both, "ben")
    assert calendar(both, "ben") == sorted([*regular(0, 1, 3), shown(at(2, 14))])  # What Ann has split off is hers.
    stays(both)


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
def test_two_users_who_move_the_same_occurrence_end_with_one_of_both_times_and_the_other_is_in_the_log(
    both: World, policy: str
) -> None:
    both.set_studio(**{"sync.clash_policy": policy})
    moved_there(both, 2, to=14)
    moved_there(both, 2, to=17, user_id="ben")
    # Ann's run is the first: what it has written clashes with Ben's, and is the later edit of both.
    wins = 17 if policy == "google" else 14
    agreed(both, *regular(0, 1, 3, 4, 5), shown(at(2, wins)), user_ids=BOTH)
    loser = at(2, 31 - wins)
    assert f"{loser.hour}, 0" in str([entry for user in BOTH for entry in both.log(user) if entry["lost"]])


@pytest.mark.parametrize("answer", ["take_off", "put_back"])
def test_an_occurrence_deleted_by_one_of_several_users_is_a_question(both: World, answer: str) -> None:
    both.person("ann").delete("primary", instance(both, 2))
    synced(both)
    [(item_id, item)] = both.inbox().items()
    assert (item["kind"], item["status"], item["user_id"]) == ("removed_from_calendar", "open", "ann")
    assert item["refs"]["appointment_id"] == one_id(2)
    assert f", {at(2):%A}, {at(2).day} {at(2):%B %Y}, was removed from this user's calendar" in item["text"]
    assert calendar(both, "ben") == regular(*range(6))
    assert calendar(both) == regular(0, 1, 3, 4, 5)
    stays(both)
    both.answer(item_id, answer)
    synced(both)
    assert both.inbox()[item_id]["status"] == "answered"
    assert calendar(both, "ben") == regular(*range(6))
    assert calendar(both) == regular(*((0, 1, 3, 4, 5) if answer == "take_off" else range(6)))
    assert calendar(both) == studio(both)
    assert calendar(both, "ben") == studio(both, "ben")
    stays(both)


def test_a_series_deleted_by_one_of_several_users_is_one_question(both: World) -> None:
    moves(both, 2, user_ids=list(BOTH))
    agreed(both, user_ids=BOTH)
    before = both.appointments()
    both.person("ann").delete("primary", series_event(both))
    synced(both)
    [(item_id, item)] = both.inbox().items()
    assert item["refs"]["appointment_id"] == "weekly"
    assert " (the whole series) was removed from this user's calendar" in item["text"]
    assert both.appointments() == before
    assert calendar(both) == []
    assert len(calendar(both, "ben")) == 6
    stays(both)
    both.answer(item_id, "put_back")
    in_step(both, *regular(0, 1, 3, 4, 5), shown(at(2, 14)), user_ids=BOTH)


# --- reassigned -------------------------------------------------------------------------------------------------------


@pytest.fixture
def anns(world: World) -> World:
    """Ann's weekly series, and Ben, who has nothing."""
    world.book("weekly", **timed())
    joined(world, *BOTH)
    return world


def test_an_occurrence_given_to_another_user_is_single_there_and_gone_here_and_comes_back(anns: World) -> None:
    overlay(anns, 2, title="Ben's", start=at(2), end=at(2, 11), user_ids=["ben"])
    synced(anns)
    assert calendar(anns) == studio(anns) == regular(0, 1, 3, 4, 5)
    assert calendar(anns, "ben") == studio(anns, "ben") == [shown(at(2), "Ben's")]
    [event] = anns.events("ben")
    assert "recurringEventId" not in event
    stays(anns)
    anns.person("ben").patch("primary", event["id"], location="Roof")
    synced(anns)
    assert anns.appointments()[one_id(2)]["location"] == "Roof"
    anns.edit(one_id(2), user_ids=["ann"], location="")
    synced(anns)
    assert calendar(anns) == studio(anns) == sorted([*regular(0, 1, 3, 4, 5), shown(at(2), "Ben's")])
    assert calendar(anns, "ben") == []
    stays(anns)


def test_an_occurrence_of_two_users_of_a_series_of_one(anns: World) -> None:
    overlay(anns, 2, title="Both", start=at(2), end=at(2, 11), user_ids=["ann", "ben"])
    synced(anns)
    assert calendar(anns) == studio(anns) == sorted([*regular(0, 1, 3, 4, 5), shown(at(2), "Both")])
    assert calendar(anns, "ben") == studio(anns, "ben") == [shown(at(2), "Both")]
    anns.person("ben").patch("primary", anns.events("ben")[0]["id"], summary="Both of us")
    synced(anns)
    assert shown(at(2), "Both of us") in calendar(anns)
    stays(anns)


def test_a_single_entry_gives_way_to_the_instance_when_the_series_comes_to_that_user_too(anns: World) -> None:
    overlay(anns, 2, title="Ben's", start=at(2, 14), end=at(2, 15), user_ids=["ben"])
    synced(anns)
    anns.edit("weekly", user_ids=["ann", "ben"])
    agreed(anns, *regular(0, 1, 3, 4, 5), user_ids=BOTH)
    assert calendar(anns, "ben") == sorted([*regular(0, 1, 3, 4, 5), shown(at(2, 14), "Ben's")])
    [instance_of] = [one for one in anns.events("ben") if one["summary"] == "Ben's"]
    assert instance_of["recurringEventId"] == series_event(anns, user_id="ben")


def test_a_series_given_to_another_user_takes_its_occurrences_along(anns: World) -> None:
    moves(anns, 2)
    agreed(anns)
    anns.edit("weekly", user_ids=["ben"])
    anns.edit(one_id(2), user_ids=["ben"])
    agreed(anns, user_ids=("ben",))
    assert calendar(anns, "ben") == sorted([*regular(0, 1, 3, 4, 5), shown(at(2, 14))])
    assert calendar(anns) == []


def test_a_series_given_away_leaves_an_occurrence_that_stays_with_the_user(anns: World) -> None:
    moves(anns, 2)
    agreed(anns)
    anns.edit("weekly", user_ids=["ben"])
    synced(anns)
    assert calendar(anns, "ben") == studio(anns, "ben") == regular(0, 1, 3, 4, 5)
    assert calendar(anns) == studio(anns) == [shown(at(2, 14))]
    stays(anns)


# --- guests -----------------------------------------------------------------------------------------------------------


def test_a_series_that_one_of_two_users_invites_the_other_to_is_one_appointment_of_both(world: World) -> None:
    joined(world, *BOTH)
    world.cloud.google.clear_requests()
    event_id = world.types("ann", **google_weekly())
    world.person("ann").invite(event_id, world.emails["ben"])
    world.person("ben").answer(event_id, "accepted")
    synced(world)
    [(series_id, found)] = world.appointments().items()
    assert found["user_ids"] == ["ann", "ben"]
    world.person("ann").move(f"{event_id}_{at(2):%Y%m%dT%H%M%SZ}", at(2, 14) - at(2))
    synced(world)
    assert calendar(world) == studio(world) == sorted([*regular(0, 1, 3, 4, 5), shown(at(2, 14))])
    assert one_id(2, series_id) in world.appointments()
    assert writes(world) == []
    stays(world)


@spread
@pytest.mark.parametrize("changed", [False, True], ids=["as its series", "moved before"])
@pytest.mark.parametrize("origin", ["studio", "calendar"])
def test_a_colleague_who_is_invited_to_one_occurrence_joins_that_occurrence(
    world: World, origin: str, *, changed: bool
) -> None:
    joined(world, *BOTH)
    if origin == "studio":
        world.book("weekly", **timed())
    else:
        world.types("ann", **google_weekly())
    synced(world)
    [series_id] = world.appointments()
    invited = f"{series_event(world, series_id)}_{at(2):%Y%m%dT%H%M%SZ}"
    if changed:
        world.person("ann").move(invited, at(2, 14) - at(2))
        synced(world)
    world.person("ann").invite(invited, world.emails["ben"])
    [copy] = [event["id"] for event in world.events("ben")]
    world.person("ben").answer(copy, "accepted")
    there = shown(at(2, 14 if changed else 10))
    agreed(world, *regular(0, 1, 3, 4, 5), there, user_ids=BOTH)
    assert calendar(world, "ben") == [there]
    assert world.appointments().keys() == {series_id, one_id(2, series_id)}
    assert world.appointments()[one_id(2, series_id)]["user_ids"] == ["ann", "ben"]
    # What the host does to it later comes to both, and stays one appointment.
    world.person("ann").patch("primary", invited, summary="Both of us")
    agreed(world, user_ids=BOTH)
    assert [one[2] for one in studio(world, "ben")] == ["Both of us"]
    assert world.appointments().keys() == {series_id, one_id(2, series_id)}


def test_a_colleague_who_is_invited_to_the_series_after_one_occurrence_keeps_that_one(world: World) -> None:
    joined(world, *BOTH)
    event_id = world.types("ann", **google_weekly())
    synced(world)
    invited = f"{event_id}_{at(2):%Y%m%dT%H%M%SZ}"
    world.person("ann").patch("primary", invited, summary="Both of us")
    world.person("ann").invite(invited, world.emails["ben"])
    world.person("ben").answer(invited, "accepted")
    synced(world)
    world.cloud.google.clear_requests()
    world.person("ann").invite(event_id, world.emails["ben"])
    world.person("ben").answer(event_id, "accepted")
    synced(world)
    world.cloud.google.expire_sync_tokens()
    expected = [*regular(0, 1, 3, 4, 5), shown(at(2), "Both of us")]
    agreed(world, *expected, user_ids=BOTH)
    assert calendar(world, "ben") == sorted(expected)
    assert writes(world) == []
    assert len(world.appointments()) == 2


def test_a_guest_of_one_occurrence_only_has_a_single_appointment(world: World) -> None:
    joined(world)
    organizer, start = "client@example.com", google_times(at(2), at(2, 11))
    world.cloud.google.receive_event(
        world.emails["ann"],
        organizer,
        iCalUID="series@example.com",
        summary="With the client",
        attendees=[{"email": world.emails["ann"], "responseStatus": "accepted"}, {"email": organizer}],
        recurringEventId="theirs",
        originalStartTime=start["start"],
        **start,
    )
    synced(world)
    [found] = world.appointments().values()
    assert (found["title"], found["kind"], found["start"]) == ("With the client", "unlinked", at(2))
    assert not found.get("series_id")
    assert not found.get("recurrence")
    assert calendar(world) == studio(world)
    stays(world)


def test_a_series_of_somebody_else_is_never_changed_and_its_declined_occurrence_is_not_ours_to_keep(
    world: World,
) -> None:
    joined(world)
    organizer = "client@example.com"
    event = world.cloud.google.receive_event(
        world.emails["ann"],
        organizer,
        iCalUID="series@example.com",
        **google_weekly(),
        attendees=[{"email": world.emails["ann"], "responseStatus": "accepted", "self": True}, {"email": organizer}],
    )
    agreed(world, *regular(*range(6)))
    [series_id] = world.appointments()
    moves(world, 2, series_id=series_id)
    synced(world)
    assert writes(world) == []
    assert calendar(world) == regular(*range(6))
    world.person("ann").delete("primary", f"{event['id']}_{at(4):%Y%m%dT%H%M%SZ}")
    synced(world)
    assert world.appointments()[one_id(4, series_id)]["status"] == "cancelled"
    assert writes(world) == []
    stays(world)
