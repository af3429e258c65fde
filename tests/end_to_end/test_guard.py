"""Deletions of an unusual number wait for a person's word, in both directions, and nothing else does."""

import pytest

from local.wiretap import Wiretap
from shared.domain import identity
from shared.services.sync_calendar import Outcome
from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.deleting import (
    MASS,
    REST,
    SHOOTS,
    cancelled,
    deletes,
    event,
    event_of,
    filled,
    held_links,
    hold,
    rests,
)
from tests.world import World, google_span, span

# --- held -------------------------------------------------------------------------------------------------------------


def test_a_mass_of_deletions_in_the_calendar_is_held_and_asked_about_in_words(world: World) -> None:
    filled(world, 58)
    mass, before = [f"shoot-{n:02}" for n in range(41)], world.appointments()
    deletes(world, "ann", *mass)
    synced(world)
    assert world.appointments() == before
    assert writes(world) == []
    [(hold_id, item)] = world.inbox().items()
    assert (item["kind"], item["status"], item["user_id"]) == ("held", "open", "ann")
    assert item["text"] == (
        "Entries deleted in the calendar would cancel 41 of 58 upcoming in the studio. "
        "Nothing of this is carried out before you approve or decline it."
    )
    assert item["refs"]["hold_id"] == hold_id
    assert item["refs"]["connection_id"] == world.connections["ann"]
    assert sorted(item["refs"]["appointment_ids"]) == mass
    marks = held_links(world)
    assert sorted(marks) == mass
    assert {(mark["id"], mark["side"]) for mark in marks.values()} == {(hold_id, "calendar")}
    assert {link["state"] for link in world.below("ann", "links").values()} == {"paired"}
    rests(world)


def test_a_mass_cancelled_and_erased_in_the_studio_stays_in_the_calendar_and_is_asked_about(withheld: World) -> None:
    assert len(withheld.events("ann")) == len(SHOOTS)
    assert writes(withheld) == []
    [(hold_id, item)] = withheld.inbox().items()
    assert (item["kind"], item["status"]) == ("held", "open")
    assert "would take 7 of 12 upcoming out of the calendar" in item["text"]
    marks = held_links(withheld)
    assert sorted(marks) == MASS
    assert {(mark["id"], mark["side"]) for mark in marks.values()} == {(hold_id, "studio")}
    rests(withheld)


def test_the_cursor_passes_what_is_held_and_idle_runs_cost_as_ever(held: World, tap: Wiretap) -> None:
    assert held.connection("ann").failures == 0
    for _ in range(5):
        held.wish("ann")
        tap.reset()
        assert held.run("ann") is Outcome.DONE
        counted = tap.summary()
        google = {method: count for method, count in counted["methods"].items() if method.startswith("google")}
        assert google == {"google GET /calendar/v3/calendars/{}/events": 1}
        assert counted["document_reads"] <= 4
        assert counted["document_writes"] == 2


def test_what_is_not_held_syncs_as_ever(held: World) -> None:
    held.edit("shoot-10", title="Shoot 10, indoors")
    held.person("ann").patch("primary", event_of(held, "shoot-11"), location="Roof")
    held.types("ann", summary="Dentist", **google_span(9))
    held.book("new", title="New", user_ids=["ann"], **span(10))
    synced(held)
    assert event(held, "shoot-10")["summary"] == "Shoot 10, indoors"
    assert held.appointments()["shoot-11"]["location"] == "Roof"
    assert "Dentist" in {document["title"] for document in held.appointments().values()}
    assert "New" in held.titles("ann")
    assert sorted(held_links(held)) == MASS
    rests(held)


@pytest.mark.parametrize("how", ["full listing", "populate", "a month later", "told again"])
def test_what_is_held_stays_held_however_it_is_looked_at(held: World, how: str) -> None:
    before = held.inbox(), held.appointments(), held.below("ann", "links")
    match how:
        case "full listing":
            held.cloud.google.expire_sync_tokens()
        case "populate":
            held.set_up("ann", populate_calendar=True, populate_studio=True)
        case "a month later":
            held.later(days=31)
        case "told again":
            for one in MASS:
                held.trigger(one, None)
    synced(held)
    assert (held.inbox(), held.appointments()) == before[:2]
    assert held.below("ann", "links") == before[2]
    assert writes(held) == []
    rests(held)


def test_deletions_that_a_full_listing_finds_are_held_as_well(world: World) -> None:
    filled(world)
    deletes(world, "ann", *MASS)
    world.cloud.google.expire_sync_tokens()
    synced(world)
    assert cancelled(world) == set()
    assert sorted(held_links(world)) == MASS
    [item] = world.inbox().values()
    assert "7 of 12 upcoming" in item["text"]
    assert writes(world) == []
    rests(world)


def test_a_calendar_emptied_for_good_is_held_as_well(world: World) -> None:
    """No tombstone is left: the listing is empty, and every get answers 404."""
    filled(world)
    deletes(world, "ann", *MASS, *REST)
    world.cloud.google.evict_tombstones(world.emails["ann"])
    world.cloud.google.expire_sync_tokens()
    synced(world)
    assert cancelled(world) == set()
    [item] = world.inbox().values()
    assert "12 of 12 upcoming" in item["text"]
    rests(world)


def test_a_mass_reassignment_is_not_held(world: World) -> None:
    filled(world)
    world.join("ben", populate_calendar=True)
    synced(world)
    for one in MASS:
        world.edit(one, user_ids=["ben"])
    synced(world)
    assert len(world.events("ann")) == len(REST)
    assert len(world.events("ben")) == len(MASS)
    assert world.inbox() == {}
    assert cancelled(world) == set()
    rests(world)


def test_a_mass_removed_from_one_of_several_calendars_is_asked_one_by_one(world: World) -> None:
    world.front_end.book_many({
        f"shoot-{n:02}": {"title": f"Shoot {n:02}", "user_ids": ["ann", "ben"], **span(48 + n)} for n in range(8)
    })  # fmt: skip
    world.join("ann", populate_calendar=True)
    world.sync()
    deletes(world, "ann", *(f"shoot-{n:02}" for n in range(8)))
    synced(world)
    assert cancelled(world) == set()
    assert [item["kind"] for item in world.inbox().values()] == ["removed_from_calendar"] * 8
    rests(world)


# --- while a question is open -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["calendar", "studio"])
def test_a_few_further_deletions_within_a_day_join_the_open_question(held: World, side: str) -> None:
    first, joining = hold(held), REST[:2]
    held.later(hours=23)
    if side == "calendar":
        deletes(held, "ann", *joining)
    else:
        held.edit(joining[0], status="cancelled")
        held.erase(joining[1])
    before = held.appointments(), held.titles("ann")
    synced(held)
    assert (held.appointments(), held.titles("ann")) == before
    second = hold(held)
    assert {one: item["status"] for one, item in held.inbox().items()} == {first: "gone", second: "open"}
    item = held.inbox()[str(second)]
    assert sorted(item["refs"]["appointment_ids"]) == [*MASS, *joining]
    assert "2 of 12 upcoming" in item["text"]
    assert "7 held before this are listed too" in item["text"]
    marks = held_links(held)
    assert sorted(marks) == [*MASS, *joining]
    assert {marks[one]["side"] for one in joining} == {side}
    assert writes(held) == []
    rests(held)


@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
def test_once_it_is_answered_small_numbers_pass_again(held: World, setting: str) -> None:
    held.set_up("ann", **{setting: hold(held)})
    synced(held)
    expected = set(MASS) if setting == "approved_hold" else set()
    assert cancelled(held) == expected
    deletes(held, "ann", *REST[:2])
    held.edit(REST[2], status="cancelled")
    synced(held)
    assert cancelled(held) == {*expected, *REST[:3]}
    assert hold(held) is None
    assert len(held.inbox()) == 1
    rests(held)


def test_a_day_after_it_was_asked_small_numbers_pass_and_what_is_held_waits_on(held: World) -> None:
    before = held.inbox()
    held.later(hours=25)
    deletes(held, "ann", *REST[:2])
    held.edit(REST[2], status="cancelled")
    synced(held)
    assert cancelled(held) == set(REST[:3])
    assert sorted(held_links(held)) == MASS
    assert held.inbox() == before
    rests(held)
    # Its answer is as good as before.
    held.set_up("ann", approved_hold=hold(held))
    synced(held)
    assert cancelled(held) == {*MASS, *REST[:3]}
    rests(held)


# --- how many pass ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [5, 12])
def test_up_to_five_pass_without_a_question(world: World, total: int) -> None:
    filled(world, total)
    deletes(world, "ann", *SHOOTS[:5])
    synced(world)
    assert cancelled(world) == set(SHOOTS[:5])
    assert world.inbox() == {}
    rests(world)


@pytest.mark.parametrize(("total", "gone", "passes"), [(6, 6, False), (29, 6, False), (30, 6, True)])
def test_beyond_five_up_to_a_fifth_of_the_upcoming_ones_pass(world: World, total: int, gone: int, passes: bool) -> None:
    filled(world, total)
    ids = {f"shoot-{n:02}" for n in range(gone)}
    deletes(world, "ann", *sorted(ids))
    synced(world)
    assert cancelled(world) == (ids if passes else set())
    assert len(world.inbox()) == (0 if passes else 1)
    rests(world)


def test_what_passed_earlier_in_the_day_belongs_to_the_number_that_the_share_is_of(world: World) -> None:
    """Three of thirty, then three of the twenty-seven that are left: six of thirty."""
    filled(world, 30)
    for ids in (["shoot-00", "shoot-01", "shoot-02"], ["shoot-03", "shoot-04", "shoot-05"]):
        deletes(world, "ann", *ids)
        synced(world)
    assert len(cancelled(world)) == 6
    deletes(world, "ann", "shoot-06")
    synced(world)
    assert len(cancelled(world)) == 6
    assert "1 of 24 upcoming" in world.inbox()[str(hold(world))]["text"]


def test_both_directions_count_together(world: World) -> None:
    filled(world, 12)
    deletes(world, "ann", "shoot-00", "shoot-01", "shoot-02")
    for one in ("shoot-03", "shoot-04"):
        world.edit(one, status="cancelled")
    world.erase("shoot-05")
    synced(world)
    assert cancelled(world) == {"shoot-03", "shoot-04"}
    assert len(world.events("ann")) == 9
    [item] = world.inbox().values()
    assert "would cancel 3 of 12 upcoming in the studio" in item["text"]
    assert "would take 3 of 12 upcoming out of the calendar" in item["text"]
    world.set_up("ann", approved_hold=hold(world))
    synced(world)
    assert cancelled(world) == {f"shoot-{n:02}" for n in range(5)}
    assert world.titles("ann") == [f"Shoot {n:02}" for n in range(6, 12)]
    rests(world)


def test_dribbled_one_by_one_they_are_held_from_the_sixth_on_within_a_day(world: World) -> None:
    filled(world, 20)
    for n in range(8):
        deletes(world, "ann", f"shoot-{n:02}")
        synced(world)
        world.later(hours=2)
    assert cancelled(world) == {f"shoot-{n:02}" for n in range(5)}
    assert sorted(held_links(world)) == ["shoot-05", "shoot-06", "shoot-07"]
    assert sorted(item["status"] for item in world.inbox().values()) == ["gone", "gone", "open"]
    [question] = [item for item in world.inbox().values() if item["status"] == "open"]
    assert sorted(question["refs"]["appointment_ids"]) == ["shoot-05", "shoot-06", "shoot-07"]
    world.later(hours=25)
    for n in range(10, 15):
        deletes(world, "ann", f"shoot-{n:02}")
        synced(world)
    assert cancelled(world) == {f"shoot-{n:02}" for n in (0, 1, 2, 3, 4, 10, 11, 12, 13, 14)}
    assert sorted(held_links(world)) == ["shoot-05", "shoot-06", "shoot-07"], "what is held waits on"
    rests(world)


def test_what_passed_is_remembered_by_a_new_process_and_over_full_listings(world: World) -> None:
    filled(world, 20)
    for n in range(5):
        deletes(world, "ann", f"shoot-{n:02}")
        synced(world)
        world.restart()
        world.cloud.google.expire_sync_tokens()
        synced(world)
    assert sum(world.connection("ann").taken.hours.values()) == 5
    deletes(world, "ann", "shoot-05")
    synced(world)
    assert cancelled(world) == {f"shoot-{n:02}" for n in range(5)}


def test_past_appointments_count_and_are_called_past(world: World) -> None:
    for n in range(8):
        world.front_end.book(f"past-{n}", title=f"Past {n}", user_ids=["ann"], **span(-48 - n))
    filled(world, 3)
    for entry in world.events("ann"):
        if entry["summary"].startswith("Past"):
            world.person("ann").delete("primary", entry["id"])
    deletes(world, "ann", "shoot-00")
    synced(world)
    assert cancelled(world) == set()
    [item] = world.inbox().values()
    assert "would cancel 1 of 3 upcoming and 8 past in the studio" in item["text"]
    world.set_up("ann", approved_hold=hold(world))
    synced(world)
    assert cancelled(world) == {"shoot-00", *(f"past-{n}" for n in range(8))}
    rests(world)


# --- it settles itself ------------------------------------------------------------------------------------------------


def test_taking_the_cancellation_back_in_the_studio_clears_what_was_held(withheld: World) -> None:
    for one in MASS[:4]:
        withheld.edit(one, status="confirmed")
    synced(withheld)
    assert sorted(held_links(withheld)) == MASS[4:]
    for n, one in enumerate(MASS[4:], 4):
        withheld.book(one, title=f"Shoot {n:02}", user_ids=["ann"], **span(48 + n))
    synced(withheld)
    assert held_links(withheld) == {}
    assert withheld.titles("ann") == [f"Shoot {n:02}" for n in range(12)]
    assert writes(withheld) == []
    # The question is about nothing now, and its answers do nothing.
    picture = withheld.picture()
    withheld.set_up("ann", approved_hold=hold(withheld))
    synced(withheld)
    assert withheld.picture() == picture
    rests(withheld)


def test_restoring_all_in_the_calendar_clears_what_was_held(held: World) -> None:
    before = held.appointments()
    for one in MASS:
        held.person("ann").restore(identity.event(held.connections["ann"], one, 0))
    synced(held)
    assert held_links(held) == {}
    assert held.appointments() == before
    assert writes(held) == []
    held.set_up("ann", approved_hold=hold(held))
    synced(held)
    assert held.appointments() == before
    rests(held)


def test_editing_a_held_one_in_the_studio_enters_it_again(held: World) -> None:
    held.edit(MASS[0], title="Still on")
    synced(held)
    assert event(held, MASS[0])["summary"] == "Still on"
    assert sorted(held_links(held)) == MASS[1:]
    rests(held)
