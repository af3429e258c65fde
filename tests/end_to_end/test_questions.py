"""Removed from one of several calendars: a person is asked whether to take that user off it."""

from typing import Any

import pytest

from shared.domain import identity
from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.deleting import cancelled, deletes, nothing_taken_away, rests
from tests.world import World, span


@pytest.fixture
def both(world: World) -> World:
    """Ann and Ben with one shoot in common, which Ann has deleted from her calendar."""
    world.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(3))
    for user_id in ("ann", "ben"):
        world.join(user_id, populate_calendar=True)
    world.sync()
    deletes(world, "ann", "shoot")
    world.sync()
    world.cloud.google.clear_requests()
    return world


def test_removed_from_one_of_several_calendars_it_becomes_a_question(both: World) -> None:
    connection_id, [(item_id, item)] = both.connections["ann"], both.inbox().items()
    old = identity.event(connection_id, "shoot", 0)
    assert item_id == identity.removal_question(connection_id, old)
    assert (item["kind"], item["status"], item["user_id"]) == ("removed_from_calendar", "open", "ann")
    assert item["refs"] == {"connection_id": connection_id, "appointment_id": "shoot"}
    assert "“Shoot” was removed from this user's calendar" in item["text"]
    assert item["text"].endswith("Take this user off it (take_off), or enter it again (put_back)?")
    assert cancelled(both) == set()
    assert both.appointments()["shoot"]["user_ids"] == ["ann", "ben"]
    assert both.titles("ben") == ["Shoot"]
    assert both.below("ann", "links")["shoot"]["state"] == "removed"


def test_the_question_is_asked_once_only(both: World) -> None:
    before = both.inbox(), both.picture(), both.below("ann", "links")
    for _ in range(10):
        synced(both)
    both.cloud.google.expire_sync_tokens()
    synced(both)
    for box in ("populate_calendar", "populate_studio"):
        both.set_up("ann", **{box: True})
        synced(both)
    both.trigger("shoot", None)  # Delivered again.
    synced(both)
    both.later(days=31)
    synced(both)
    assert (both.inbox(), both.below("ann", "links")) == (before[0], before[2])
    assert both.titles("ann") == []
    assert both.titles("ben") == ["Shoot"]
    nothing_taken_away(both)


def test_take_off_leaves_the_appointment_to_the_others(both: World) -> None:
    [item_id] = both.inbox()
    bens = both.events("ben")
    both.answer(item_id, "take_off")
    synced(both)
    shoot = both.appointments()["shoot"]
    assert (shoot["user_ids"], shoot["status"]) == (["ben"], "confirmed")
    assert both.inbox()[item_id]["status"] == "answered"
    assert both.events("ben") == bens
    assert both.titles("ann") == []
    both.edit("shoot", title="Shoot at noon")
    synced(both)
    assert both.titles("ben") == ["Shoot at noon"]
    assert both.titles("ann") == []
    assert "taken_off" in {entry["reason"] for entry in both.log("ann")}
    rests(both)


def test_put_back_it_is_there_again_as_it_was(both: World) -> None:
    [item_id] = both.inbox()
    document, bens = both.appointments()["shoot"], both.events("ben")
    both.answer(item_id, "put_back")
    synced(both)
    [event] = both.events("ann")
    assert (event["summary"], event["id"]) == ("Shoot", identity.event(both.connections["ann"], "shoot", 0))
    assert both.inbox()[item_id]["status"] == "answered"
    assert both.appointments()["shoot"] == document
    assert both.events("ben") == bens
    rests(both)
    # And it is a pair like any other: an edit comes in, and a second removal is asked about again.
    both.person("ann").patch("primary", event["id"], location="Roof")
    synced(both)
    assert both.events("ben")[0]["location"] == "Roof"
    deletes(both, "ann", "shoot")
    synced(both)
    [again] = [item for item in both.inbox().values() if item["status"] == "open"]
    assert (again["kind"], again["answer"]) == ("removed_from_calendar", None)
    assert cancelled(both) == set()


def test_a_user_who_was_taken_off_and_is_assigned_again_has_it_back(both: World) -> None:
    [item_id] = both.inbox()
    both.answer(item_id, "take_off")
    synced(both)
    both.edit("shoot", user_ids=["ann", "ben"])
    synced(both)
    assert both.titles("ann") == both.titles("ben") == ["Shoot"]
    rests(both)


@pytest.mark.parametrize(
    ("change", "hers"),
    [({"status": "cancelled"}, []), ({"title": "Shoot, indoors"}, ["Shoot, indoors"]), ({"user_ids": ["ben"]}, [])],
    ids=["cancelled", "edited", "reassigned"],
)
def test_the_question_closes_itself_when_the_studio_settles_it(
    both: World, change: dict[str, Any], hers: list[str]
) -> None:
    [item_id] = both.inbox()
    both.edit("shoot", **change)
    synced(both)
    assert both.inbox()[item_id]["status"] == "gone"
    assert both.titles("ann") == hers
    # An answer that comes too late does nothing any more.
    picture = both.picture()
    for answer in ("take_off", "put_back"):
        both.answer(item_id, answer)
        synced(both)
    assert both.picture() == picture
    assert both.inbox()[item_id]["status"] == "gone"


def test_the_question_closes_itself_when_the_appointment_is_erased(both: World) -> None:
    [item_id] = both.inbox()
    both.erase("shoot")
    synced(both)
    assert both.inbox()[item_id]["status"] == "gone"
    assert both.titles("ben") == []


def test_the_question_closes_itself_when_the_event_is_taken_out_of_the_bin(both: World) -> None:
    [item_id] = both.inbox()
    both.person("ann").restore(identity.event(both.connections["ann"], "shoot", 0))
    synced(both)
    assert both.inbox()[item_id]["status"] == "gone"
    assert both.below("ann", "links")["shoot"]["state"] == "paired"
    both.edit("shoot", title="Shoot, indoors")
    synced(both)
    assert both.titles("ann") == both.titles("ben") == ["Shoot, indoors"]
    rests(both)


@pytest.mark.parametrize("answer", ["take_off", "put_back"])
def test_an_edit_of_the_same_time_as_the_answer_is_lost_with_neither(both: World, answer: str) -> None:
    [item_id] = both.inbox()
    both.answer(item_id, answer)
    both.edit("shoot", title="Shoot, indoors")
    synced(both)
    assert both.titles("ben") == ["Shoot, indoors"]
    assert both.titles("ann") == ["Shoot, indoors"], "editing it enters it again"
    assert both.inbox()[item_id]["status"] != "open"
    assert cancelled(both) == set()
    rests(both)


def test_an_answer_to_a_question_of_another_is_none(both: World) -> None:
    """Somebody writes an inbox item by hand, or a word that is no answer: nothing becomes of it."""
    [item_id] = both.inbox()
    picture = both.picture()
    for answer in ("no", "TAKE_OFF", ""):
        both.answer(item_id, answer)
        synced(both)
    forged = {**both.inbox()[item_id], "refs": {"connection_id": both.connections["ben"], "appointment_id": "shoot"}}
    both.firestore.document("studios/atelier/inbox/forged").set({**forged, "answer": None})
    both.answer("forged", "take_off")
    synced(both)
    assert both.picture() == picture
    assert both.inbox()[item_id]["status"] == "open"


def test_deleted_by_everybody_it_is_asked_of_each_and_never_cancelled(both: World) -> None:
    deletes(both, "ben", "shoot")
    synced(both)
    assert {item["user_id"] for item in both.inbox().values()} == {"ann", "ben"}
    assert cancelled(both) == set()
    for item_id in both.inbox():
        both.answer(item_id, "put_back")
    synced(both)
    assert both.titles("ann") == both.titles("ben") == ["Shoot"]
    rests(both)
