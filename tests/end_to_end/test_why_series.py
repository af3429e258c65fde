"""Why an occurrence of a series is not there: no answer contradicts what the next run makes of it."""

import pytest

from shared.domain.reasons import Reason
from tests.end_to_end import repeating
from tests.end_to_end.asking_why import why
from tests.end_to_end.repeating import desk, instance, joined, moved_there, one_id, overlay, series_event, timed
from tests.world import World, span


@pytest.fixture
def weekly(world: World) -> World:
    return repeating.with_weekly(world)


# --- as its series has it ---------------------------------------------------------------------------------------------


def test_an_instance_that_nobody_changed_is_in_step_with_its_series(weekly: World) -> None:
    found = why(weekly, event=instance(weekly, 2))
    assert (found.reason, found.in_step, found.appointment_id) == (Reason.AGREED, True, "weekly")
    assert why(weekly, appointment=one_id(2)) == found


def test_an_instance_of_a_series_that_was_edited_waits_with_it(weekly: World) -> None:
    weekly.person("ann").patch("primary", series_event(weekly), summary="Edited there")
    for found in (why(weekly, event=instance(weekly, 2)), why(weekly, appointment=one_id(2))):
        assert (found.reason, found.then, found.appointment_id) == (
            Reason.WAITING,
            Reason.CHANGED_IN_CALENDAR,
            "weekly",
        )


# --- changed in the calendar ------------------------------------------------------------------------------------------


def test_an_instance_that_was_edited_in_the_calendar_waits(weekly: World) -> None:
    moved_there(weekly, 2)
    for found in (why(weekly, event=instance(weekly, 2)), why(weekly, appointment=one_id(2))):
        assert (found.reason, found.then) == (Reason.WAITING, Reason.CHANGED_IN_CALENDAR)
        assert (found.appointment_id, found.event_id) == (one_id(2), instance(weekly, 2))
        assert not found.in_step
    weekly.sync()
    for found in (why(weekly, event=instance(weekly, 2)), why(weekly, appointment=one_id(2))):
        assert (found.reason, found.in_step, found.appointment_id) == (Reason.AGREED, True, one_id(2))


def test_an_instance_that_was_deleted_in_the_calendar_says_so_before_and_after_the_run(weekly: World) -> None:
    event_id = instance(weekly, 2)
    weekly.person("ann").delete("primary", event_id)
    for found in (why(weekly, event=event_id), why(weekly, appointment=one_id(2))):
        assert (found.reason, found.in_step) == (Reason.DELETED_IN_CALENDAR, False)
        assert found.at is not None, "the next run does it"
    weekly.sync()
    for found in (why(weekly, event=event_id), why(weekly, appointment=one_id(2))):
        assert (found.reason, found.in_step, found.at) == (Reason.DELETED_IN_CALENDAR, False, None)


def test_an_instance_that_was_edited_on_both_sides_waits_for_both(weekly: World) -> None:
    overlay(weekly, 2, title="Edited here")
    weekly.person("ann").patch("primary", instance(weekly, 2), location="Attic")
    for found in (why(weekly, event=instance(weekly, 2)), why(weekly, appointment=one_id(2))):
        assert (found.reason, found.then) == (Reason.WAITING, Reason.CHANGED_ON_BOTH)
    weekly.sync()
    assert why(weekly, appointment=one_id(2)).in_step


# --- two-way off ------------------------------------------------------------------------------------------------------


@pytest.fixture
def mirrored(world: World) -> World:
    world.book("weekly", **timed())
    return joined(world, two_way_appointments=False)


def test_an_instance_that_nobody_changed_in_a_mirror_is_in_step(mirrored: World) -> None:
    for found in (why(mirrored, event=instance(mirrored, 2)), why(mirrored, appointment=one_id(2))):
        assert (found.reason, found.in_step) == (Reason.AGREED, True)


@pytest.mark.parametrize("known", [False, True], ids=["as_its_series", "with_a_document"])
def test_an_instance_that_was_edited_in_a_mirror_stays_so_there(mirrored: World, *, known: bool) -> None:
    if known:
        overlay(mirrored, 2, title="Edited here")
        mirrored.sync()
    mirrored.person("ann").patch("primary", instance(mirrored, 2), location="Attic")
    for _ in range(2):
        for found in (why(mirrored, event=instance(mirrored, 2)), why(mirrored, appointment=one_id(2))):
            assert (found.reason, found.in_step, found.appointment_id) == (Reason.ONE_WAY, False, one_id(2))
            assert "that stays there" in found.detail
        mirrored.sync()


@pytest.mark.parametrize("known", [False, True], ids=["as_its_series", "with_a_document"])
def test_an_instance_that_was_deleted_in_a_mirror_was_removed_while_nobody_read(
    mirrored: World, *, known: bool
) -> None:
    if known:
        overlay(mirrored, 2, title="Edited here")
        mirrored.sync()
    event_id = instance(mirrored, 2)
    mirrored.person("ann").delete("primary", event_id)
    for _ in range(2):
        for found in (why(mirrored, event=event_id), why(mirrored, appointment=one_id(2))):
            assert (found.reason, found.in_step) == (Reason.REMOVED_WHILE_UNREAD, False)
        mirrored.sync()


# --- a series that is off, or does not fit ----------------------------------------------------------------------------


def test_an_occurrence_of_a_cancelled_series_is_answered_for_by_its_series(weekly: World) -> None:
    event_id = instance(weekly, 2)
    desk(weekly).edit("weekly", status="cancelled")
    for _ in range(2):
        found = why(weekly, appointment=one_id(2))
        assert (found.reason, found.appointment_id) == (Reason.CANCELLED_IN_STUDIO, "weekly")
        found = why(weekly, event=event_id)
        assert (found.reason, found.appointment_id) == (Reason.CANCELLED_IN_STUDIO, "weekly")
        weekly.sync()


def test_an_occurrence_of_an_erased_series_is_answered_for_by_its_series(weekly: World) -> None:
    weekly.erase("weekly")
    for _ in range(2):
        found, series = why(weekly, appointment=one_id(2)), why(weekly, appointment="weekly")
        assert (found.reason, found.appointment_id) == (series.reason, "weekly")
        assert found.reason in {Reason.CANCELLED_IN_STUDIO, Reason.GONE_ON_BOTH}
        weekly.sync()


@pytest.mark.parametrize("synced", [False, True], ids=["new", "in_step_before"])
def test_an_occurrence_of_a_parked_series_has_the_reason_of_its_series(world: World, *, synced: bool) -> None:
    odd = {"recurrence": ["RRULE:FREQ=HOURLY"]}
    if synced:
        repeating.with_weekly(world)
        desk(world).edit("weekly", **odd)
    else:
        joined(world)
        world.book("weekly", **timed(**odd))
    for _ in range(2):
        found = why(world, appointment=one_id(2))
        assert (found.reason, found.appointment_id) == (Reason.UNSUPPORTED_RULE, "weekly")
        assert found.field == why(world, appointment="weekly").field
        world.sync()


def test_a_time_that_a_cancelled_series_never_had_is_no_appointment(weekly: World) -> None:
    desk(weekly).edit("weekly", status="cancelled")
    for nothing in (repeating.occurrence_id("weekly", repeating.at(2, 11)), "weekly_2", "other_20260301T090000Z"):
        assert why(weekly, appointment=nothing).reason is Reason.NO_SUCH_APPOINTMENT
    weekly.book("single", title="Single", user_ids=["ann"], **span(5))
    assert why(weekly, appointment=repeating.one_id(2, "single")).reason is Reason.NO_SUCH_APPOINTMENT


# --- held -------------------------------------------------------------------------------------------------------------


def test_an_occurrence_with_a_document_names_the_question_that_its_series_waits_for(world: World) -> None:
    world.book("weekly", **timed())
    overlay(world, 2, title="Edited here")
    world.front_end.book_many({f"a{n}": {"title": f"A{n}", "user_ids": ["ann"], **span(30 + n)} for n in range(8)})
    joined(world)
    for event in world.events("ann"):
        if event.get("recurringEventId") is None:
            world.person("ann").delete("primary", event["id"])
    world.sync()
    assert why(world, appointment="weekly").reason is Reason.HELD
    found = why(world, appointment=one_id(2))
    assert (found.reason, found.in_step) == (Reason.HELD, False)
    assert found.detail.removeprefix("in the inbox: ") in world.inbox()
    assert why(world, appointment=one_id(3)).detail == found.detail


# --- the studio's zone ------------------------------------------------------------------------------------------------


def test_a_zone_that_nobody_knows_is_the_studios_where_the_appointment_names_none(weekly: World) -> None:
    weekly.set_studio(time_zone="Mars/Olympus")
    weekly.book("other", **{**timed(title="Other"), "time_zone": None})
    for _ in range(2):
        for appointment_id in ("other", one_id(2, "other")):
            found = why(weekly, appointment=appointment_id)
            assert (found.reason, found.field, found.appointment_id) == (Reason.INVALID, "time_zone", "other")
            assert found.detail.startswith("in the settings of the studio: ")
        weekly.sync()
    assert why(weekly, appointment="weekly").in_step


def test_a_zone_that_nobody_knows_is_the_appointments_where_it_names_it(weekly: World) -> None:
    weekly.book("other", **timed(title="Other", time_zone="Mars/Olympus"))
    found = why(weekly, appointment="other")
    assert (found.reason, found.field) == (Reason.INVALID, "time_zone")
    assert "studio" not in found.detail


# --- before the run has come to its series ----------------------------------------------------------------------------


def test_an_occurrence_that_was_booked_with_its_series_waits_with_it(world: World) -> None:
    joined(world)
    world.book("weekly", **timed())
    overlay(world, 2, title="Edited here")
    found = why(world, appointment=one_id(2))
    assert found.reason is Reason.WAITING
    world.sync()
    assert why(world, appointment=one_id(2)).in_step


def test_an_occurrence_with_a_document_is_parked_with_what_the_calendar_made_of_its_series(weekly: World) -> None:
    overlay(weekly, 2, title="Edited here")
    weekly.sync()
    lines = ["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"]
    weekly.person("ann").patch("primary", series_event(weekly), recurrence=lines)
    weekly.sync()
    overlay(weekly, 2, title="Edited again")
    before = why(weekly, appointment=one_id(2))
    weekly.sync()
    parked = weekly.below("ann", "parked")
    assert (before.reason, before.field) == (parked[one_id(2)]["reason"], parked[one_id(2)]["field"])


def test_an_occurrence_that_does_not_fit_is_assigned_as_its_series(weekly: World) -> None:
    weekly.front_end.book(one_id(2), series_id="weekly", original_start=repeating.at(2), title=7)
    found = why(weekly, appointment=one_id(2))
    assert (found.reason, found.field) == (Reason.INVALID, "title")
