"""What stands at the same time on both sides in other words: a person is asked, and nothing is doubled until then."""

from typing import Any

import pytest

from shared.domain.reasons import Reason
from shared.services import run as runs
from shared.services.sync_calendar import Outcome
from shared.services.why import why_appointment
from tests.end_to_end.switching import second_calendar, switch
from tests.world import STUDIO, World, google_span, span

BOTH = {"populate_calendar": True, "populate_studio": True}


@pytest.fixture
def asked(world: World) -> World:
    """A viewing in the studio, which Ann calls otherwise in her calendar; and on each side something else."""
    return doubtful(world)


def doubtful(world: World, **sync: bool) -> World:
    world.book("viewing", title="Viewing", user_ids=["ann"], **span(9))
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.add("ann", **{**BOTH, **sync})
    world.types("ann", summary="Call with the lab", location="At home", **google_span(9))
    world.types("ann", summary="Dentist", **google_span(20))
    world.connect("ann")
    world.sync()
    return world


def question(world: World) -> dict[str, Any]:
    [found] = [one for one in world.inbox().values() if one["kind"] == "pair"]
    return found


def say(world: World, answer: str) -> None:
    [item_id] = [item_id for item_id, one in world.inbox().items() if one["status"] == "open"]
    world.answer(item_id, answer)
    while world.run("ann") is not Outcome.NOTHING_DUE:
        pass


def booked(world: World) -> list[str]:
    return sorted(one["title"] for one in world.appointments().values() if one["status"] != "cancelled")


def settled(world: World, status: str) -> bool:
    """Whether nothing waits any more, and nothing is left to do."""
    assert question(world)["status"] == status
    assert (world.below("ann", "parked"), world.below("ann", "outbox")) == ({}, {})
    assert world.connection("ann").parked == 0
    before = world.picture()
    world.set_up("ann", **BOTH)
    world.sync()
    assert [one["status"] for one in world.inbox().values()] == [status], "nobody is asked again"
    return world.picture() == before


def test_it_is_asked_once_and_waits_alone(asked: World) -> None:
    assert asked.titles("ann") == ["Call with the lab", "Dentist", "Shoot"]
    assert booked(asked) == ["Dentist", "Shoot", "Viewing"]
    found = question(asked)
    assert (found["status"], found["user_id"], found["answer"]) == ("open", "ann", None)
    assert "“Viewing” in the studio and “Call with the lab” in this user's calendar" in found["text"]
    assert {one["reason"] for one in asked.below("ann", "parked").values()} == {"doubtful"}
    before = asked.picture(), asked.inbox()
    asked.set_up("ann", **BOTH)
    asked.sync()
    assert (asked.picture(), asked.inbox()) == before


def test_the_same_become_one_with_what_each_side_has(asked: World) -> None:
    say(asked, "same")
    assert asked.titles("ann") == ["Dentist", "Shoot", "Viewing"]
    assert booked(asked) == ["Dentist", "Shoot", "Viewing"]
    assert asked.appointments()["viewing"]["location"] == "At home"
    assert settled(asked, "answered")


def test_two_are_entered_each_on_the_other_side(asked: World) -> None:
    say(asked, "different")
    both = ["Call with the lab", "Dentist", "Shoot", "Viewing"]
    assert (asked.titles("ann"), booked(asked)) == (both, both)
    assert settled(asked, "answered")


def test_an_edit_of_something_else_leaves_the_question_open(asked: World) -> None:
    asked.edit("viewing", title="Viewing the album", description="Bring the samples")
    asked.sync()
    assert asked.titles("ann") == ["Call with the lab", "Dentist", "Shoot"]
    assert (question(asked)["status"], asked.below("ann", "outbox")) == ("open", {})


def test_one_that_is_moved_is_in_doubt_no_longer_and_neither_is_the_other(asked: World) -> None:
    asked.edit("viewing", **span(11))
    asked.sync()
    both = ["Call with the lab", "Dentist", "Shoot", "Viewing"]
    assert (asked.titles("ann"), booked(asked)) == (both, both)
    assert settled(asked, "gone")


def test_moved_in_the_calendar_it_is_the_same(asked: World) -> None:
    [event] = [one for one in asked.events("ann") if one["summary"] == "Call with the lab"]
    asked.person("ann").patch("primary", event["id"], **google_span(12))
    asked.sync()
    both = ["Call with the lab", "Dentist", "Shoot", "Viewing"]
    assert (asked.titles("ann"), booked(asked)) == (both, both)
    assert settled(asked, "gone")


@pytest.mark.parametrize("end", ["erased", "reassigned"])
def test_of_what_leaves_the_studio_only_the_other_comes_in(asked: World, end: str) -> None:
    if end == "erased":
        asked.erase("viewing")
    else:
        asked.edit("viewing", user_ids=["bob"])
    asked.sync()
    assert asked.titles("ann") == ["Call with the lab", "Dentist", "Shoot"]
    assert "Call with the lab" in booked(asked)
    assert settled(asked, "gone")


def test_of_what_is_deleted_in_the_calendar_only_the_other_is_entered(asked: World) -> None:
    [event] = [one for one in asked.events("ann") if one["summary"] == "Call with the lab"]
    asked.person("ann").delete("primary", event["id"])
    asked.sync()
    assert asked.titles("ann") == ["Dentist", "Shoot", "Viewing"]
    assert booked(asked) == ["Dentist", "Shoot", "Viewing"]
    assert settled(asked, "gone")


@pytest.mark.parametrize(("answer", "titles"), [("same", ["Dentist", "Shoot", "Viewing"]), ("different", None)])
def test_a_mirror_asks_as_well_and_takes_nothing_in(world: World, answer: str, titles: list[str] | None) -> None:
    doubtful(world, two_way_appointments=False, populate_studio=False)
    assert "Call with" not in str([world.inbox(), world.below("ann", "parked")]), "also not by way of a question"
    assert world.titles("ann") == ["Call with the lab", "Dentist", "Shoot"]
    say(world, answer)
    assert world.titles("ann") == (titles or ["Call with the lab", "Dentist", "Shoot", "Viewing"])
    assert booked(world) == ["Shoot", "Viewing"]
    assert (world.below("ann", "parked"), question(world)["status"]) == ({}, "answered")


def test_of_three_at_one_time_each_two_are_asked_about(world: World) -> None:
    world.book("viewing", title="Viewing", user_ids=["ann"], **span(9))
    world.add("ann", **BOTH)
    for summary in ("Call with the lab", "Coffee with Bob"):
        world.types("ann", summary=summary, **google_span(9))
    world.connect("ann")
    world.sync()
    asked = {one["text"].split("“")[2].split("”")[0]: item_id for item_id, one in world.inbox().items()}
    assert asked.keys() == {"Call with the lab", "Coffee with Bob"}
    world.answer(asked["Coffee with Bob"], "same")
    world.sync()
    assert sorted(world.titles("ann")) == ["Call with the lab", "Viewing"]
    assert sorted(booked(world)) == ["Call with the lab", "Viewing"], "the other is one by itself"
    assert {one["status"] for one in world.inbox().values()} == {"answered", "gone"}
    assert world.below("ann", "parked") == {}


def test_two_series_are_asked_about_once_and_their_occurrences_wait_with_them(world: World) -> None:
    weekly = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"], "time_zone": "Europe/Berlin"}
    world.book("course", title="Course", user_ids=["ann"], **weekly, **span(48))
    world.add("ann", **BOTH)
    ends = {name: {**end, "timeZone": "Europe/Berlin"} for name, end in google_span(48).items()}
    series = world.types("ann", summary="Teaching", recurrence=weekly["recurrence"], **ends)
    second = world.person("ann").instances(series)[1]
    world.person("ann").patch("primary", second["id"], location="Attic")
    world.connect("ann")
    world.sync()
    assert "Europe/Berlin, the whole series). Are" in question(world)["text"]
    assert booked(world) == ["Course"]
    say(world, "same")
    series_of = {one.get("series_id"): one["title"] for one in world.appointments().values()}
    assert series_of == {None: "Course", "course": "Teaching"}, "the changed occurrence keeps its own title"
    assert [one.get("location") for one in world.appointments().values() if one.get("series_id")] == ["Attic"]
    assert len([one for one in world.events("ann") if "recurrence" in one]) == 1
    assert world.below("ann", "parked") == {}


def test_the_text_of_a_private_entry_is_in_no_question(world: World) -> None:
    world.book("viewing", title="Viewing", user_ids=["ann"], **span(9))
    world.add("ann", **BOTH)
    world.types("ann", summary="Doctor Miller", visibility="private", **google_span(9))
    world.connect("ann")
    world.sync()
    assert "a private entry in this user's calendar" in question(world)["text"]
    assert "Miller" not in str([world.inbox(), world.below("ann", "parked"), world.log("ann")])


def test_what_somebody_has_declined_is_in_no_question_and_holds_nothing_up(world: World) -> None:
    world.book("viewing", title="Viewing", user_ids=["ann"], **span(9))
    world.add("ann", **BOTH)
    me, host = world.emails["ann"], "host@elsewhere.example"
    party = {"iCalUID": f"party@{host}", "summary": "Party", **google_span(9)}
    answered = [{"email": me, "responseStatus": "declined"}]
    world.cloud.google.receive_event(me, host, attendees=answered, **party)
    world.connect("ann")
    world.sync()
    assert (world.inbox(), world.titles("ann"), booked(world)) == ({}, ["Party", "Viewing"], ["Viewing"])


def test_a_listing_in_slices_asks_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that had the event is done when the next slice comes to the appointment."""
    world.book("viewing", title="Viewing", user_ids=["ann"], **span(9))
    world.add("ann", **BOTH)
    world.types("ann", summary="Call with the lab", **google_span(9))
    world.connect("ann")
    moves = runs.Run.settle

    def slow(self: runs.Run, steps: Any) -> Any:
        stored = moves(self, steps)
        if self._noted == {} and not steps and world.below("ann", "parked"):
            monkeypatch.setattr(runs, "SLICE", runs.SLICE * 0)
        return stored

    monkeypatch.setattr(runs.Run, "settle", slow)
    world.wish("ann")
    outcomes = []
    while (outcome := world.run("ann")) is not Outcome.NOTHING_DUE:
        outcomes.append(outcome)
        monkeypatch.undo()
    assert outcomes == [Outcome.MORE, Outcome.DONE]
    assert world.titles("ann") == ["Call with the lab"]
    assert (booked(world), question(world)["status"]) == (["Viewing"], "open")


def test_a_question_that_was_lost_is_asked_again(asked: World) -> None:
    [item_id] = asked.inbox()
    asked.firestore.document(f"studios/{STUDIO}/inbox/{item_id}").delete()
    asked.set_up("ann", **BOTH)
    asked.sync()
    assert question(asked)["status"] == "open"
    assert asked.titles("ann") == ["Call with the lab", "Dentist", "Shoot"]
    say(asked, "same")
    assert settled(asked, "answered")


def test_the_question_rests_with_its_calendar_and_comes_back_with_it(asked: World) -> None:
    former, active = asked.connection("ann").calendar_id, asked.connections["ann"]
    switch(asked, second_calendar(asked))
    assert (question(asked)["status"], asked.wiring.store.parked(active)) == ("gone", {})
    switch(asked, former)
    asked.set_up("ann", **BOTH)
    asked.sync()
    assert asked.connections["ann"] == active
    assert (question(asked)["status"], len(asked.below("ann", "parked"))) == ("open", 2)


def test_why_says_that_the_inbox_asks(asked: World) -> None:
    [item_id] = asked.inbox()
    store, calendars = asked.wiring.store, asked.wiring.calendars
    for edit in (False, True):
        if edit:
            asked.edit("viewing", title="Viewing the album")
        told = why_appointment(STUDIO, "ann", "viewing", store=store, calendars=calendars, clock=asked.clock)
        assert (told.reason, told.detail) == (Reason.DOUBTFUL, f"in the inbox: {item_id}")
