"""A held mass of deletions, and what a person's answer makes of it: just what the question listed, each read anew."""

import pytest

from local.wiretap import Wiretap
from shared.domain import identity
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
from tests.soak import spread
from tests.world import World, span

# --- approved ---------------------------------------------------------------------------------------------------------


def test_approved_exactly_those_are_cancelled_and_each_is_verified_anew(held: World) -> None:
    restored, edited, unassigned = MASS[0], MASS[1], MASS[2]
    held.person("ann").restore(identity.event(held.connections["ann"], restored, 0))
    held.edit(edited, title="Still on")
    held.edit(unassigned, user_ids=["ben"])
    before = held.appointments()
    held.set_up("ann", approved_hold=hold(held))
    synced(held)
    assert cancelled(held) == set(MASS[3:])
    after = held.appointments()
    assert {one: after[one] for one in [restored, edited, unassigned, *REST]} == {
        one: before[one] for one in [restored, edited, unassigned, *REST]
    }
    assert event_of(held, restored) == identity.event(held.connections["ann"], restored, 0)
    assert event(held, edited)["summary"] == "Still on"
    assert len(held.events("ann")) == len(REST) + 2
    assert [item["status"] for item in held.inbox().values()] == ["answered"]
    assert held_links(held) == {}
    assert "calendar.events.delete" not in writes(held)
    rests(held)


def test_approved_before_the_run_saw_what_changed_meanwhile_it_is_verified_all_the_same(held: World) -> None:
    """Restored and edited, and approved, all before the next run."""
    held.set_up("ann", approved_hold=hold(held))
    held.person("ann").restore(identity.event(held.connections["ann"], MASS[0], 0))
    held.front_end.edit(MASS[1], title="Still on")  # Its trigger is late.
    synced(held)
    assert cancelled(held) == set(MASS[2:])
    assert len(held.events("ann")) == len(REST) + 2
    assert event(held, MASS[1])["summary"] == "Still on"
    rests(held)


def test_approved_they_are_taken_out_of_the_calendar(withheld: World) -> None:
    withheld.person("ann").patch("primary", event_of(withheld, MASS[0]), location="Roof")
    withheld.edit(MASS[1], status="confirmed")
    withheld.book(MASS[6], title="Shoot 06", user_ids=["ann"], **span(48 + 6))
    withheld.set_up("ann", approved_hold=hold(withheld))
    synced(withheld)
    assert withheld.titles("ann") == ["Shoot 01", *(f"Shoot {n:02}" for n in range(6, 12))]
    assert writes(withheld) == ["calendar.events.delete"] * 5
    assert [item["status"] for item in withheld.inbox().values()] == ["answered"]
    assert cancelled(withheld) == {MASS[0], *MASS[2:4]}
    rests(withheld)


def test_an_approval_is_good_once(held: World) -> None:
    hold_id = hold(held)
    held.set_up("ann", approved_hold=hold_id)
    synced(held)
    for one in MASS:
        held.edit(one, status="confirmed")
    synced(held)
    deletes(held, "ann", *MASS)
    synced(held)
    assert cancelled(held) == set()
    held.set_up("ann", approved_hold=None)
    synced(held)
    held.set_up("ann", approved_hold=hold_id)
    synced(held)
    assert cancelled(held) == set()
    assert len(held_links(held)) == len(MASS)


def test_approving_acts_only_on_what_the_question_listed(held: World) -> None:
    first = str(hold(held))
    later = REST[:3]
    deletes(held, "ann", *later)
    synced(held)
    second = str(hold(held))
    assert second != first
    inbox = held.inbox()
    assert inbox[first]["status"] == "gone"
    assert sorted(inbox[second]["refs"]["appointment_ids"]) == sorted(MASS + later)
    assert "3 of 12 upcoming" in inbox[second]["text"]
    assert "7 held before this are listed too" in inbox[second]["text"]
    held.set_up("ann", approved_hold=first)
    synced(held)
    assert cancelled(held) == set(MASS)
    assert sorted(held_links(held)) == later
    assert hold(held) == second
    held.set_up("ann", approved_hold=second)
    synced(held)
    assert cancelled(held) == {*MASS, *later}
    assert hold(held) is None
    rests(held)


def test_what_is_deleted_after_the_question_waits_for_one_of_its_own(world: World) -> None:
    """Deleted and approved before the next run: it was not listed, and it is too many to pass."""
    filled(world, 14)
    deletes(world, "ann", *MASS)
    synced(world)
    later = [f"shoot-{n:02}" for n in range(7, 14)]
    deletes(world, "ann", *later)
    world.set_up("ann", approved_hold=hold(world))
    synced(world)
    assert cancelled(world) == set(MASS)
    assert sorted(held_links(world)) == later
    assert "7 of 14 upcoming" in world.inbox()[str(hold(world))]["text"]
    rests(world)


# --- declined ---------------------------------------------------------------------------------------------------------


def test_declined_all_are_put_back_and_the_studio_stays_untouched(held: World) -> None:
    before = held.appointments()
    rest = {event["id"]: event for event in held.events("ann")}
    held.set_up("ann", declined_hold=hold(held))
    synced(held)
    assert held.appointments() == before
    assert held.titles("ann") == [f"Shoot {n:02}" for n in range(12)]
    events = {event["id"]: event for event in held.events("ann")}
    assert {event_id: events[event_id] for event_id in rest} == rest
    assert {event_of(held, one) for one in MASS} == {identity.event(held.connections["ann"], one, 0) for one in MASS}
    assert writes(held) == ["calendar.events.patch"] * len(MASS)
    assert [item["status"] for item in held.inbox().values()] == ["answered"]
    assert held_links(held) == {}
    rests(held)
    # They are pairs like any other.
    held.person("ann").patch("primary", event_of(held, MASS[0]), location="Roof")
    synced(held)
    assert held.appointments()[MASS[0]]["location"] == "Roof"


def test_declined_they_are_reinstated_and_in_step_again(withheld: World) -> None:
    events = withheld.events("ann")
    before = withheld.appointments()
    withheld.set_up("ann", declined_hold=hold(withheld))
    synced(withheld)
    assert withheld.events("ann") == events
    assert writes(withheld) == []
    assert cancelled(withheld) == set()
    after = withheld.appointments()
    assert sorted(after) == sorted(MASS + REST)
    assert {one: after[one] for one in REST} == {one: before[one] for one in REST}
    changed = {"status", "sync", "updated_at"}
    for one in MASS[:4]:
        assert {k: v for k, v in after[one].items() if k not in changed} == {
            k: v for k, v in before[one].items() if k not in changed
        }
    for n, one in enumerate(MASS[4:], 4):
        made = after[one]
        assert (made["kind"], made["title"], made["user_ids"]) == ("unlinked", f"Shoot {n:02}", ["ann"])
        assert (made["start"], made["end"]) == tuple(span(48 + n).values())
    assert held_links(withheld) == {}
    assert [item["status"] for item in withheld.inbox().values()] == ["answered"]
    rests(withheld)
    # In step, both ways.
    for one in (MASS[0], MASS[6]):
        withheld.edit(one, title=f"Still on: {one}")
        withheld.person("ann").patch("primary", identity.event(withheld.connections["ann"], one, 0), location="Roof")
    synced(withheld)
    for one in (MASS[0], MASS[6]):
        found = event(withheld, one)
        assert (found["summary"], found["location"]) == (f"Still on: {one}", "Roof")
        assert withheld.appointments()[one]["location"] == "Roof"
    rests(withheld)


def test_declined_and_approved_at_once_it_is_declined(held: World) -> None:
    hold_id = hold(held)
    held.set_up("ann", approved_hold=hold_id, declined_hold=hold_id)
    synced(held)
    assert cancelled(held) == set()
    assert len(held.events("ann")) == len(SHOOTS)
    held.set_up("ann", declined_hold=None)
    synced(held)
    assert cancelled(held) == set()
    rests(held)


def test_declined_what_is_wanted_no_more_is_not_put_back(held: World) -> None:
    held.edit(MASS[0], status="cancelled")
    held.erase(MASS[1])
    held.edit(MASS[2], user_ids=["ben"])
    held.person("ann").restore(identity.event(held.connections["ann"], MASS[3], 0))
    held.set_up("ann", declined_hold=hold(held))
    synced(held)
    assert held.titles("ann") == [f"Shoot {n:02}" for n in range(3, 12)]
    assert held.appointments()[MASS[0]]["status"] == "cancelled"
    assert MASS[1] not in held.appointments()
    assert held_links(held) == {}
    rests(held)


def test_declined_what_was_edited_in_the_calendar_meanwhile_comes_with_it(withheld: World) -> None:
    for one in (MASS[0], MASS[6]):
        withheld.person("ann").patch("primary", event_of(withheld, one), location="Roof")
    synced(withheld)
    assert len(held_links(withheld)) == len(MASS)
    withheld.set_up("ann", declined_hold=hold(withheld))
    synced(withheld)
    after = withheld.appointments()
    assert (after[MASS[0]]["location"], after[MASS[6]]["location"]) == ("Roof", "Roof")
    assert {event(withheld, one)["location"] for one in (MASS[0], MASS[6])} == {"Roof"}
    assert cancelled(withheld) == set()
    rests(withheld)


def test_cancelled_tentative_ones_are_reinstated_as_tentative(world: World) -> None:
    filled(world, 8, status="tentative")
    ids = [f"shoot-{n:02}" for n in range(8)]
    for one in ids:
        world.edit(one, status="cancelled")
    synced(world)
    world.set_up("ann", declined_hold=hold(world))
    synced(world)
    assert {document["status"] for document in world.appointments().values()} == {"tentative"}
    assert {entry["status"] for entry in world.events("ann")} == {"tentative"}
    rests(world)


# --- either -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
def test_once_it_is_answered_idle_runs_cost_as_ever(held: World, tap: Wiretap, setting: str) -> None:
    held.set_up("ann", **{setting: hold(held)})
    synced(held)
    synced(held)  # What was put back has been read once.
    held.wish("ann")
    tap.reset()
    held.run("ann")
    counted = tap.summary()
    assert counted["services"]["google"] == 1
    assert counted["document_reads"] <= 4
    assert counted["document_writes"] == 2


@pytest.mark.parametrize("first", ["studio", "calendar"])
def test_gone_on_both_sides_there_is_nothing_to_hold(world: World, first: str) -> None:
    """Deleted on one side, held, and then deleted on the other as well."""
    filled(world)
    for side in (first, "calendar" if first == "studio" else "studio"):
        if side == "calendar":
            deletes(world, "ann", *MASS)
        else:
            for one in MASS:
                world.edit(one, status="cancelled")
        synced(world)
    world.set_up("ann", declined_hold=hold(world))
    synced(world)
    assert len(world.events("ann")) == len(REST)
    assert cancelled(world) == set(MASS)
    assert held_links(world) == {}
    assert writes(world) == []
    rests(world)


@spread
@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
@pytest.mark.parametrize("side", ["calendar", "studio"])
def test_an_answer_that_google_cannot_take_now_is_carried_out_later(world: World, side: str, setting: str) -> None:
    filled(world)
    google = world.cloud.google
    if side == "calendar":
        deletes(world, "ann", *MASS)
    else:
        for one in MASS:
            world.edit(one, status="cancelled")
    synced(world)
    google.fail_next("calendar.events.get", 503, "backendError", times=3)
    for method in ("insert", "patch", "delete"):
        google.fail_next(f"calendar.events.{method}", 403, "rateLimitExceeded", times=5)
    world.set_up("ann", **{setting: hold(world)})
    for _ in range(6):
        synced(world)
        world.later(minutes=10)
    kept = len(SHOOTS) if setting == "declined_hold" else len(REST)
    assert len(world.events("ann")) == kept
    assert len(SHOOTS) - len(cancelled(world)) == kept
    assert held_links(world) == {}
    rests(world)


@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
def test_an_answer_to_what_cannot_be_found_just_now_waits_until_it_can(withheld: World, setting: str) -> None:
    """Google answers 404 for a while: that is no deletion in the calendar, and the person's word is not lost."""
    google, hidden = withheld.cloud.google, [event_of(withheld, one) for one in (MASS[0], MASS[1], MASS[5], MASS[6])]
    google.hide_events(withheld.emails["ann"], *hidden)
    withheld.set_up("ann", **{setting: hold(withheld)})
    withheld.wish("ann")
    withheld.run("ann")
    google.show_events(withheld.emails["ann"])
    for _ in range(4):
        withheld.later(minutes=5)
        synced(withheld)
    kept = len(SHOOTS) if setting == "declined_hold" else len(REST)
    assert len(withheld.events("ann")) == kept
    assert len(withheld.appointments()) - len(cancelled(withheld)) == kept
    assert held_links(withheld) == {}
    assert [item["status"] for item in withheld.inbox().values()] == ["answered"]
    rests(withheld)


@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
def test_a_mirror_holds_the_studios_deletions_as_well(world: World, setting: str) -> None:
    filled(world, 8)
    world.set_up("ann", two_way_appointments=False)
    synced(world)
    for n in range(3):
        world.edit(f"shoot-{n:02}", status="cancelled")
        world.erase(f"shoot-{n + 3:02}")
    synced(world)
    assert len(world.events("ann")) == 8
    rests(world)
    world.set_up("ann", **{setting: hold(world)})
    synced(world)
    kept = 8 if setting == "declined_hold" else 2
    assert len(world.events("ann")) == kept
    assert len(world.appointments()) - len(cancelled(world)) == kept
    rests(world)


# --- answers that are none --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["approved_hold", "declined_hold"])
def test_an_answer_to_no_question_does_nothing(held: World, setting: str) -> None:
    before = held.picture(), held.appointments(), held.below("ann", "links"), held.inbox()
    for none in ("", "hold-unknown", "../users/ann", "a/b", "a/b/c", "__x__", ".", "x" * 2000, MASS[0], "removed-x"):
        held.set_up("ann", **{setting: none})
        synced(held)
        assert (held.picture(), held.appointments(), held.below("ann", "links"), held.inbox()) == before, none
        assert held.connection("ann").state == "connected"
    rests(held)
    # And none of them stands in the way of the right one.
    held.set_up("ann", **{setting: hold(held)})
    synced(held)
    assert held_links(held) == {}


def test_an_answer_to_somebody_elses_question_does_nothing(held: World) -> None:
    """Ben approves Ann's hold in his own settings, and a hand-made item lists what nobody held."""
    held.join("ben", populate_calendar=True)
    held.book("bens", title="Ben's", user_ids=["ben"], **span(3))
    synced(held)
    hold_id = str(hold(held))
    before = held.picture(), held.appointments()
    held.set_up("ben", approved_hold=hold_id)
    synced(held)
    question = held.inbox()[hold_id]
    forged = question | {"refs": question["refs"] | {"appointment_ids": [*REST, "a/b", 7, "nobody"]}}
    held.firestore.document("studios/atelier/inbox/forged").set(forged)
    held.set_up("ann", approved_hold="forged")
    synced(held)
    after = held.picture(), held.appointments()
    assert after == before
    assert hold(held) == hold_id
    assert len(held_links(held)) == len(MASS)


def test_a_question_about_nothing_any_more_holds_nothing_and_is_put_away(held: World) -> None:
    question = hold(held)
    for one in MASS:
        held.person("ann").restore(identity.event(held.connections["ann"], one, 0))
    synced(held)
    deletes(held, "ann", REST[0])
    synced(held)
    assert cancelled(held) == {REST[0]}
    assert held.inbox()[question]["status"] == "gone"
    rests(held)


def test_what_joins_a_question_does_not_start_its_day_anew(held: World) -> None:
    held.later(hours=20)
    deletes(held, "ann", REST[0])
    synced(held)
    assert cancelled(held) == set()
    held.later(hours=5)
    deletes(held, "ann", REST[1])
    synced(held)
    assert cancelled(held) == {REST[1]}
