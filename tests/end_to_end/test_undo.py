"""Undo: what a run changed on either side is put back, and both sides are as before, with the same events."""

from typing import Any

import pytest

from local.wiretap import Killed, Wiretap
from shared.domain import identity
from shared.domain.undo import Outcome
from shared.services.undo import NobodyError, NoSuchRunError, PastRun, Undone, past_runs, undo_run
from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.repeating import (
    at,
    calendar,
    google_times,
    in_step,
    instance,
    moved_there,
    moves,
    one_id,
    regular,
    series_event,
    with_weekly,
)
from tests.world import STUDIO, World, google_span, span

WAVE = 10


def runs(world: World, user_id: str = "ann", **asked: Any) -> list[PastRun]:
    return past_runs(STUDIO, user_id, store=world.wiring.store, clock=world.clock, **asked)


def undone(world: World, run_id: str, user_id: str = "ann", *, apply: bool = True, **how: Any) -> Undone:
    """The run is put back, and the trigger tells of what was written."""
    before = world.appointments()
    done = undo_run(STUDIO, user_id, run_id, store=world.wiring.store, clock=world.clock, apply=apply, **how)
    told(world, before)
    return done


def told(world: World, before: dict[str, dict[str, Any]]) -> None:
    """The trigger, for each appointment that is not as it was."""
    for one, document in world.appointments().items():
        if document != before.get(one):
            world.trigger(one, before.get(one))


def outcomes(done: Undone) -> dict[str, Outcome]:
    return {item.appointment_id: item.outcome for item in done.items}


def seen(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides, with ids; without what only says who wrote last, and what says the same as nothing."""
    own = {"sync", "updated_at"}
    studio = {
        one: {name: value for name, value in document.items() if name not in own and value not in ("", False, None)}
        for one, document in world.appointments().items()
    }
    events = {
        event["id"]: {
            name: event.get(name) for name in ("summary", "description", "location", "start", "end", "status")
        }
        for event in world.events("ann")
    }
    return studio, events


def rests(world: World) -> None:
    """Nothing waits, and further runs write nothing."""
    synced(world)
    assert world.below("ann", "outbox") == {}
    assert world.below("ann", "parked") == {}
    before = seen(world)
    world.cloud.google.clear_requests()
    world.cloud.google.expire_sync_tokens()
    synced(world)
    assert writes(world) == []
    assert seen(world) == before


@pytest.fixture
def busy(world: World) -> World:
    """Ann with ten shoots in step."""
    for number in range(WAVE):
        fields = {"title": f"Shoot {number}", "client_id": f"client-{number}", "user_ids": ["ann"]}
        world.book(f"shoot-{number}", kind="session", **fields, **span(48 + 2 * number))
    world.join("ann", populate_calendar=True)
    synced(world)
    return world


def event_of(world: World, number: int) -> str:
    return identity.event(world.connections["ann"], f"shoot-{number}", 0)


def wrong_wave(world: World) -> str:
    """Somebody renames, moves and deletes everything in the calendar, and it comes in; gives the run."""
    person = world.person("ann")
    for number in range(4):
        person.patch("primary", event_of(world, number), summary="Oops", location="Nowhere")
    for number in range(4, 7):
        person.patch("primary", event_of(world, number), **google_span(200 + number))
    for number in range(7, WAVE):
        person.delete("primary", event_of(world, number))
    synced(world)
    return runs(world)[0].run_id


def test_a_wrong_wave_of_edits_in_the_calendar_is_put_back_on_both_sides(busy: World) -> None:
    before = seen(busy)
    run_id = wrong_wave(busy)
    wrong = seen(busy)
    assert wrong != before
    assert undone(busy, run_id, apply=False).count(Outcome.PUT_BACK) == WAVE
    assert seen(busy) == wrong, "it was only said"
    done = undone(busy, run_id)
    assert set(outcomes(done).values()) == {Outcome.PUT_BACK}
    assert len(done.items) == WAVE
    synced(busy)
    assert seen(busy) == before, "the same documents, the same events under the same ids, nothing doubled"
    rests(busy)
    assert set(outcomes(undone(busy, run_id)).values()) == {Outcome.AS_BEFORE}


def test_one_appointment_of_a_run_is_put_back_and_the_others_stay(busy: World) -> None:
    run_id = wrong_wave(busy)
    done = undone(busy, run_id, appointment_id="shoot-8")
    assert outcomes(done) == {"shoot-8": Outcome.PUT_BACK}
    synced(busy)
    assert busy.titles("ann") == ["Oops"] * 4 + ["Shoot 4", "Shoot 5", "Shoot 6", "Shoot 8"]
    assert event_of(busy, 8) in {event["id"] for event in busy.events("ann")}
    rests(busy)


def test_what_was_changed_since_is_asked_about_and_written_only_all_the_same(busy: World) -> None:
    run_id = wrong_wave(busy)
    busy.edit("shoot-0", title="Corrected by hand")
    synced(busy)
    before = busy.appointments()["shoot-0"]
    done = undone(busy, run_id, appointment_id="shoot-0")
    [item] = done.items
    assert item.outcome is Outcome.CHANGED_SINCE
    assert [(one.field, one.before, one.now) for one in item.changed] == [("title", "Shoot 0", "Corrected by hand")]
    assert busy.appointments()["shoot-0"] == before
    assert outcomes(undone(busy, run_id, appointment_id="shoot-0", all_the_same=True)) == {"shoot-0": Outcome.PUT_BACK}
    synced(busy)
    shoot = busy.appointments()["shoot-0"]
    assert (shoot["title"], shoot.get("location", "")) == ("Shoot 0", "")
    assert "Shoot 0" in busy.titles("ann")


def test_a_wave_of_the_studio_is_put_back_and_the_events_are_the_same_ones(busy: World) -> None:
    """Cancelled, erased, handed over, renamed: the run took three from the calendar and wrote one."""
    before = seen(busy)
    busy.edit("shoot-0", status="cancelled")
    busy.erase("shoot-1")
    busy.edit("shoot-2", user_ids=["ben"])
    busy.edit("shoot-3", title="Oops")
    synced(busy)
    assert len(busy.events("ann")) == WAVE - 3
    busy.cloud.google.clear_requests()
    done = undone(busy, runs(busy)[0].run_id)
    assert set(outcomes(done).values()) == {Outcome.PUT_BACK}
    synced(busy)
    studio, events = seen(busy)
    assert events == before[1]
    assert "calendar.events.insert" not in writes(busy), "restored, not made anew"
    assert studio["shoot-1"]["title"] == "Shoot 1"
    assert studio["shoot-2"]["user_ids"] == ["ben", "ann"]
    unchanged = {one: document for one, document in before[0].items() if one not in {"shoot-1", "shoot-2"}}
    assert {one: studio[one] for one in unchanged} == unchanged
    rests(busy)


def test_an_undo_is_undone_by_putting_back_the_run_that_carried_it_out(busy: World) -> None:
    busy.edit("shoot-0", title="New name")
    synced(busy)
    undone(busy, runs(busy)[0].run_id)
    synced(busy)
    assert "Shoot 0" in busy.titles("ann")
    undone(busy, runs(busy)[0].run_id)
    synced(busy)
    assert "New name" in busy.titles("ann")


def test_to_cancel_all_that_a_populate_entered_waits_for_a_person(busy: World) -> None:
    """The guard counts it as any other cancellation, and it is said beforehand."""
    populate = runs(busy)[-1].run_id
    done = undone(busy, populate, cancel_entered=True)
    assert (done.count(Outcome.PUT_BACK), done.guard_asks) == (WAVE, True)
    synced(busy)
    assert len(busy.events("ann")) == WAVE
    [item] = busy.inbox().values()
    assert "would take 10 of 10 upcoming out of the calendar" in item["text"]


def test_a_run_that_was_killed_after_it_wrote_the_calendar_is_put_back_with_the_one_that_finished_it(
    busy: World, tap: Wiretap
) -> None:
    before = seen(busy)
    busy.edit("shoot-0", title="Oops")
    busy.edit("shoot-1", status="cancelled")
    tap.reset()
    tap.kill_at(1, "after", only=lambda call: call.service == "google" and not call.method.startswith("GET "))
    with pytest.raises(Killed):
        busy.sync("ann")
    tap.disarm()
    busy.restart()
    assert "Oops" in busy.titles("ann")
    busy.later(minutes=11)
    synced(busy)
    undone(busy, runs(busy)[0].run_id)
    synced(busy)
    assert seen(busy) == before
    rests(busy)


def test_an_undo_that_is_killed_in_the_middle_is_finished_by_the_next(
    busy: World, tap: Wiretap, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(busy)
    run_id = wrong_wave(busy)
    monkeypatch.setattr("shared.services.undo.ITEMS_AT_ONCE", 4)
    documents = busy.appointments()
    tap.reset()
    tap.kill_at(2, "after", only=lambda call: call.method == "BatchWrite")
    with pytest.raises(Killed):
        undone(busy, run_id)
    tap.disarm()
    busy.restart()
    told(busy, documents)
    done = undone(busy, run_id)
    assert (done.count(Outcome.AS_BEFORE), done.count(Outcome.PUT_BACK)) == (8, 2)
    synced(busy)
    assert seen(busy) == before
    rests(busy)


def test_a_run_of_somebody_else_or_of_long_ago_is_not_found(busy: World) -> None:
    """Also where Firestore has not deleted it yet."""
    run_id = runs(busy)[0].run_id
    for nobody in ("ben", "a/b"):
        with pytest.raises(NobodyError):
            undone(busy, run_id, nobody)
    busy.join("ben")
    with pytest.raises(NoSuchRunError):
        undone(busy, run_id, "ben")
    busy.later(days=30, minutes=1)
    assert runs(busy) == []
    with pytest.raises(NoSuchRunError):
        undone(busy, run_id)


# --- series ----------------------------------------------------------------------------------------------------------


def test_occurrences_that_were_moved_and_deleted_in_the_calendar_are_put_back(world: World) -> None:
    with_weekly(world)
    deleted = instance(world, 3)
    moved_there(world, 2)
    world.person("ann").delete("primary", deleted)
    synced(world)
    done = undone(world, runs(world)[0].run_id)
    assert outcomes(done) == {one_id(2): Outcome.PUT_BACK, one_id(3): Outcome.PUT_BACK}
    in_step(world, *regular(*range(6)))
    assert deleted in {event["id"] for event in world.person("ann").instances(series_event(world))}


@pytest.mark.parametrize("side", ["calendar", "studio"])
def test_a_series_that_was_deleted_is_restored_with_its_moved_occurrence(world: World, side: str) -> None:
    with_weekly(world)
    moved_there(world, 2)
    synced(world)
    before, event_id = calendar(world), series_event(world)
    if side == "calendar":
        world.person("ann").delete("primary", event_id)
    else:
        world.edit("weekly", status="cancelled")
    synced(world)
    assert calendar(world) == []
    done = undone(world, runs(world)[0].run_id)
    assert outcomes(done)["weekly"] is Outcome.PUT_BACK
    in_step(world, *before)
    assert series_event(world) == event_id


def test_a_series_that_was_moved_in_the_calendar_goes_back_with_its_occurrences(world: World) -> None:
    with_weekly(world)
    moved_there(world, 2)
    synced(world)
    before = calendar(world)
    world.person("ann").patch("primary", series_event(world), **google_times(at(0, 12), at(0, 13)))
    synced(world)
    undone(world, runs(world)[0].run_id)
    in_step(world, *before)


def test_a_series_that_was_moved_in_the_studio_goes_back_and_what_was_renamed_before_after_it(world: World) -> None:
    """Its document goes by another id as long as the series is elsewhere."""
    with_weekly(world)
    world.person("ann").patch("primary", instance(world, 2), summary="Renamed")
    synced(world)
    renaming, before = runs(world)[0].run_id, calendar(world)
    world.edit("weekly", start=at(0, 12), end=at(0, 13))
    synced(world)
    assert set(outcomes(undone(world, renaming)).values()) == {Outcome.NOT_THERE}
    assert outcomes(undone(world, runs(world)[0].run_id)) == {"weekly": Outcome.PUT_BACK}
    synced(world)
    assert calendar(world) == before
    assert outcomes(undone(world, renaming)) == {one_id(2): Outcome.PUT_BACK}
    in_step(world, *regular(*range(6)))


def test_a_series_that_was_split_in_the_calendar_is_one_again(world: World) -> None:
    with_weekly(world)
    world.person("ann").edit(instance(world, 2), "following", summary="New")
    synced(world)
    split = runs(world)[0].run_id
    assert sorted(outcomes(undone(world, split, apply=False)).values()) == [Outcome.BROUGHT_IN, Outcome.PUT_BACK]
    undone(world, split, cancel_entered=True)
    in_step(world, *regular(*range(6)))


def test_an_occurrence_whose_document_was_erased_since_is_put_back_as_it_was(world: World) -> None:
    """Moved in the studio, and then erased: that made it as its series has it, which a run carried to the calendar."""
    with_weekly(world)
    moves(world, 2)
    synced(world)
    before = calendar(world)
    world.erase(one_id(2))
    synced(world)
    assert calendar(world) != before
    assert outcomes(undone(world, runs(world)[0].run_id)) == {one_id(2): Outcome.PUT_BACK}
    in_step(world, *before)


# --- several users ---------------------------------------------------------------------------------------------------


def test_what_one_user_edited_is_put_back_in_the_calendars_of_all(world: World) -> None:
    world.book("shared", title="Shared", user_ids=["ann", "ben"], **span(50))
    for user_id in ("ann", "ben"):
        world.join(user_id, populate_calendar=True)
    synced(world)
    world.person("ann").patch("primary", world.events("ann")[0]["id"], summary="Oops")
    synced(world)
    assert [world.titles(user_id) for user_id in ("ann", "ben")] == [["Oops"], ["Oops"]]
    anns, bens = runs(world)[0].run_id, runs(world, "ben")[0].run_id
    undone(world, anns)
    assert outcomes(undone(world, bens, "ben")) == {"shared": Outcome.AS_BEFORE}, "the same edit, put back already"
    synced(world)
    assert [world.titles(user_id) for user_id in ("ann", "ben")] == [["Shared"], ["Shared"]]


def test_what_was_made_private_in_the_calendar_since_does_not_come_back_as_text(world: World) -> None:
    world.join("ann", populate_calendar=True, populate_studio=True)
    event = world.types("ann", summary="Doctor Miller", **google_span(5))
    world.sync()
    world.person("ann").patch("primary", event, summary="Doctor Smith")
    world.sync()
    edited = runs(world)[0]
    world.person("ann").patch("primary", event, visibility="private")
    world.sync()
    done = undone(world, edited.run_id, all_the_same=True)
    assert "Doctor" not in str(done)
    assert [found["title"] for found in world.appointments().values()] == ["Busy"]
