"""Questions that a front-end edits or erases, and answers of any form: no sync stops, and nothing is held for ever."""

from typing import Any

import pytest

from shared.services.why import why_appointment
from tests.end_to_end.coming_to_rest import settled, synced
from tests.end_to_end.deleting import (
    MASS,
    REST,
    SHOOTS,
    cancelled,
    deletes,
    filled,
    held_links,
    hold,
    mass_deleted,
    nothing_taken_away,
    rests,
)
from tests.soak import few, spread
from tests.world import STUDIO, World, google_span, span


@pytest.fixture
def held(world: World) -> World:
    return mass_deleted(world)


@pytest.fixture
def asked(world: World) -> World:
    """Ann has deleted from her calendar what is Ben's as well, and is asked about it."""
    world.join("ann", populate_calendar=True)
    world.join("ben")
    world.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(3))
    synced(world)
    deletes(world, "ann", "shoot")
    synced(world)
    return world


def question(world: World, item_id: str | None) -> Any:
    return world.firestore.document(f"studios/{STUDIO}/inbox/{item_id}")


def still_runs(world: World) -> bool:
    """Whether what is booked now enters Ann's calendar."""
    world.book("new", title="New", user_ids=["ann"], **span(10))
    settled(world)
    return "New" in world.titles("ann") and world.connection("ann").failures == 0


SPOILT: list[dict[str, Any]] = [
    {"status": "resolved"},
    {"refs": ["x"]},
    {"text": None},
    {"created_at": "today"},
    {"kind": "note"},
    {"refs.appointment_ids": 5},
    {"refs.appointment_ids": [{"a": 1}]},
]


@few
@pytest.mark.parametrize("fields", SPOILT, ids=str)
def test_a_question_that_a_front_end_has_spoilt_is_answered_all_the_same(held: World, fields: dict[str, Any]) -> None:
    hold_id = hold(held)
    question(held, hold_id).update(fields)
    held.front_end.set_up("ann", approved_hold=hold_id)
    of = held.wiring
    why = why_appointment(STUDIO, "ann", MASS[0], store=of.store, calendars=of.calendars, clock=held.clock)
    assert why.reason == "deleted_in_calendar"
    assert still_runs(held)
    assert (cancelled(held), held_links(held)) == (set(MASS), {})


@few
@pytest.mark.parametrize("fields", SPOILT, ids=str)
def test_a_further_deletion_joins_a_question_that_is_spoilt(held: World, fields: dict[str, Any]) -> None:
    question(held, hold(held)).update(fields)
    deletes(held, "ann", REST[0])
    assert still_runs(held)
    assert held_links(held).keys() == {*MASS, REST[0]}
    last = held.inbox()[str(held.connection("ann").hold)]
    assert set(last["refs"]["appointment_ids"]) == {*MASS, REST[0]}


@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
def test_a_question_that_was_erased_is_answered_by_its_id(held: World, setting: str) -> None:
    hold_id = hold(held)
    question(held, hold_id).delete()
    held.set_up("ann", **{setting: hold_id})
    settled(held)
    assert held_links(held) == {}
    assert cancelled(held) == (set(MASS) if setting == "approved_hold" else set())
    assert held.inbox() == {}
    rests(held)


def test_a_further_deletion_asks_anew_for_what_was_erased(held: World) -> None:
    question(held, hold(held)).delete()
    deletes(held, "ann", REST[0])
    synced(held)
    nothing_taken_away(held)
    [(hold_id, item)] = held.inbox().items()
    assert set(item["refs"]["appointment_ids"]) == {*MASS, REST[0]}
    held.set_up("ann", approved_hold=hold_id)
    synced(held)
    assert cancelled(held) == {*MASS, REST[0]}
    rests(held)


def test_what_an_erased_question_listed_of_an_earlier_one_is_asked_about_again(held: World) -> None:
    deletes(held, "ann", REST[0])
    synced(held)
    hold_id = hold(held)
    question(held, hold_id).delete()
    held.set_up("ann", approved_hold=hold_id)
    settled(held)
    assert cancelled(held) == {REST[0]}, "only what is known to have been listed"
    deletes(held, "ann", REST[1])
    settled(held)
    assert set(held.inbox()[str(hold(held))]["refs"]["appointment_ids"]) == {*MASS, REST[1]}


@spread
@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
@pytest.mark.parametrize("answer", [5, ["x"], {"a": 1}, True], ids=str)
def test_a_hold_id_that_is_no_text_answers_nothing(held: World, setting: str, answer: Any) -> None:
    held.set_up("ann", **{setting: answer})
    assert still_runs(held)
    assert (held.connection("ann").state, held_links(held).keys()) == ("connected", set(MASS))


def test_a_held_deletion_of_the_longest_id_is_answered_like_any_other(world: World) -> None:
    longest = "写" * 499
    filled(world)
    world.book(longest, title="Long", user_ids=["ann"], **span(70))
    synced(world)
    deletes(world, "ann", *MASS, longest)
    synced(world)
    world.set_up("ann", approved_hold=hold(world))
    settled(world)
    assert cancelled(world) == {*MASS, longest}
    rests(world)


@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
def test_entries_of_ours_without_a_link_are_not_taken_out_in_great_number(world: World, setting: str) -> None:
    filled(world)
    for one in world.below("ann", "links"):
        world.firestore.document(f"connections/{world.connections['ann']}/links/{one}").delete()
    for one in SHOOTS:
        world.front_end.erase(one)
    world.cloud.google.expire_sync_tokens()
    settled(world)
    nothing_taken_away(world)
    assert len(world.events("ann")) == len(SHOOTS)
    hold_id = hold(world)
    item = world.inbox()[str(hold_id)]
    assert set(item["refs"]["appointment_ids"]) == set(SHOOTS) == held_links(world).keys()
    assert "12 of 12 upcoming" in item["text"]
    world.set_up("ann", **{setting: hold_id})
    settled(world)
    kept = 0 if setting == "approved_hold" else len(SHOOTS)
    assert (len(world.events("ann")), len(world.appointments())) == (kept, kept)
    rests(world)


@spread
@pytest.mark.parametrize("fields", [{"status": "seen"}, {"text": 5}, {"created_at": "now"}, {"user_id": 7}], ids=str)
@pytest.mark.parametrize("first", [True, False], ids=["before the answer", "after it"])
def test_an_answer_counts_whatever_else_a_front_end_has_edited(
    asked: World, fields: dict[str, Any], *, first: bool
) -> None:
    [item_id] = asked.inbox()
    if first:
        question(asked, item_id).update(fields)
    asked.answer(item_id, "take_off")
    if not first:
        question(asked, item_id).update(fields)
    assert still_runs(asked)
    assert asked.appointments()["shoot"]["user_ids"] == ["ben"]


def test_an_answer_reaches_no_connection_of_another_studio(asked: World) -> None:
    [item_id] = asked.inbox()
    document = asked.firestore.document(f"connections/{asked.connections['ann']}").get().to_dict() or {}
    asked.firestore.document("connections/foreign").set({**document, "studio_id": "another"})
    for connection_id in ("foreign", "unknown"):
        question(asked, item_id).update({"refs.connection_id": connection_id, "answer": None})
        asked.answer(item_id, "take_off")
        assert list(asked.firestore.collection(f"connections/{connection_id}/outbox").stream()) == []


@few
@pytest.mark.parametrize("connection_id", ["a/b", {"x": 1}, 7, "__x__", "."], ids=str)
def test_an_impossible_connection_of_a_colleague_keeps_nobody_waiting(asked: World, connection_id: Any) -> None:
    asked.firestore.document(f"studios/{STUDIO}/users/ben").update({"connection": {"id": connection_id}})
    asked.book("both", title="Both", user_ids=["ann", "ben"], **span(5))
    asked.sync("ann")
    assert "Both" in asked.titles("ann")


@pytest.mark.parametrize(("status", "reason"), [(400, "failedPrecondition"), (403, "dailyLimitExceeded")])
def test_a_listing_that_google_refuses_for_no_known_reason_is_tried_again(
    asked: World, status: int, reason: str
) -> None:
    asked.types("ann", summary="Walk", **google_span(20))
    asked.cloud.google.fail_next("calendar.events.list", status, reason)
    asked.wish("ann")
    asked.run("ann")
    assert (asked.connection("ann").state, asked.connection("ann").failures) == ("connected", 1)
    settled(asked)
    assert "Walk" in {one["title"] for one in asked.appointments().values()}
