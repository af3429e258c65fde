"""Why something is not there: every reason that can be the answer, and that no answer contradicts the next run."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from shared.adapters.google_calendar import GoogleCalendar
from shared.domain.errors import Park
from shared.domain.operation import Item, Rules
from shared.domain.reasons import Reason
from shared.services.answer import Why
from shared.services.disconnecting import disconnect
from tests.end_to_end.asking_why import HOST, in_step, invited, settled, typed, why
from tests.end_to_end.repeating import at, overlay, timed
from tests.world import CLIENT, STUDIO, World, google_span, span

Scenario = Callable[[World, pytest.MonkeyPatch], Why]
ANSWERS: list[Any] = []
# What the next run will do with something that waits.
ERRANDS: list[Any] = []

NEVER_AN_ANSWER = {
    **dict.fromkeys(
        (
            Reason.CREATED_IN_STUDIO,
            Reason.CHANGED_IN_STUDIO,
            Reason.CREATED_IN_CALENDAR,
            Reason.CHANGED_IN_CALENDAR,
            Reason.CHANGED_ON_BOTH,
            Reason.STUDIO_EDIT_BEATS_DELETION,
            Reason.MATCHED,
            Reason.JOINED,
            Reason.RESTORED_IN_CALENDAR,
            Reason.MIRRORED,
            Reason.PUT_BACK,
        ),
        "what a run does to bring it over: before that the answer is WAITING (`then` has the deed), afterwards AGREED",
    ),
}
# Said in the log of a calendar that the user had before, of which nobody can ask.
OF_AN_EARLIER_CALENDAR = {Reason.MOVED}


def answers(reason: Reason) -> Callable[[Scenario], Scenario]:
    def note(scenario: Scenario) -> Scenario:
        ANSWERS.append(pytest.param(reason, scenario, id=scenario.__name__))
        return scenario

    return note


def errand(reason: Reason) -> Callable[[Scenario], Scenario]:
    def note(scenario: Scenario) -> Scenario:
        ERRANDS.append(pytest.param(reason, scenario, id=scenario.__name__))
        return scenario

    return note


@answers(Reason.AGREED)
def an_appointment_in_step(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    found = why(world, appointment="shoot")
    assert (found.in_step, found.event_id, found.looked and found.looked.state) == (True, event_id, "connected")
    return found


@answers(Reason.AGREED)
def an_entry_in_step(world: World, _: pytest.MonkeyPatch) -> Why:
    found = why(world, event=in_step(world))
    assert (found.in_step, found.appointment_id) == (True, "shoot")
    return found


@answers(Reason.BASELINE)
def edited_while_two_way_was_off_which_is_on_again(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world, two_way_appointments=False)
    world.person("ann").patch("primary", event_id, summary="Edited there")
    world.set_up("ann", two_way_appointments=True)
    found = why(world, event=event_id)
    assert found.in_step
    return found


@answers(Reason.ANOTHERS)
def an_invitation_that_was_taken_in(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    event_id = invited(world, "accepted")
    world.sync()
    found = why(world, event=event_id)
    assert found.in_step
    return found


@answers(Reason.WAITING)
def booked_just_now(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("new", title="New", user_ids=["ann"], **span(4))
    found = why(world, appointment="new")
    assert found.at is not None
    assert abs(found.at - world.clock.now()) < dt.timedelta(minutes=1)
    assert not found.in_step
    return found


@answers(Reason.WAITING)
def booked_while_nobody_heard_the_trigger(world: World, _: pytest.MonkeyPatch) -> Why:
    """The day's comparison finds it by its `updated_at`."""
    settled(world)
    world.front_end.book("new", title="New", user_ids=["ann"], **span(4))
    found = why(world, appointment="new")
    assert found.at is not None
    assert dt.timedelta(hours=23) < found.at - world.clock.now() < dt.timedelta(hours=25)
    world.later(hours=25)
    world.sync()
    assert "New" in world.titles("ann")
    return found


@answers(Reason.WAITING)
def google_asked_to_slow_down(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("new", title="New", user_ids=["ann"], **span(4))
    world.cloud.google.fail_next("calendar.events.insert", 403, "quotaExceeded")
    world.run("ann")
    world.wish("ann")
    found = why(world, appointment="new")
    assert found.at == world.connection("ann").not_before
    return found


@answers(Reason.HELD)
def one_of_too_many_deletions(world: World, _: pytest.MonkeyPatch) -> Why:
    many_deleted(world)
    found = why(world, appointment="a0")
    assert found.detail.removeprefix("in the inbox: ") in world.inbox()
    return found


@answers(Reason.CANCELLED_IN_STUDIO)
def cancelled(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.edit("shoot", status="cancelled")
    assert why(world, appointment="shoot").reason is Reason.CANCELLED_IN_STUDIO
    world.sync()
    assert why(world, event=event_id).reason is Reason.CANCELLED_IN_STUDIO
    return why(world, appointment="shoot")


@answers(Reason.CANCELLED_IN_STUDIO)
def cancelled_before_it_was_ever_entered(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("shoot", title="Shoot", status="cancelled", user_ids=["ann"], **span(3))
    return why(world, appointment="shoot")


@answers(Reason.LEFT_USER)
def reassigned(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.edit("shoot", user_ids=["ben"])
    world.person("ann").patch("primary", event_id, location="Edited at the same time")
    assert why(world, appointment="shoot").reason is Reason.LEFT_USER
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.NOT_ASSIGNED)
def somebody_elses(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("bens", title="Ben's", user_ids=["ben"], **span(3))
    return why(world, appointment="bens")


@answers(Reason.NOT_ASSIGNED)
def somebody_elses_and_not_well_formed(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("bens", title=7, user_ids=["ben"], **span(3))
    return why(world, appointment="bens")


@answers(Reason.DELETED_IN_CALENDAR)
def deleted_by_its_user(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.person("ann").delete("primary", event_id)
    assert why(world, appointment="shoot").reason is Reason.DELETED_IN_CALENDAR
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.REMOVED_FROM_ONE_OF_SEVERAL)
def deleted_by_one_of_two(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world, "ben")
    world.person("ann").delete("primary", event_id)
    world.sync()
    assert why(world, "ben", appointment="shoot").in_step
    found = why(world, appointment="shoot")
    assert found.detail.removeprefix("in the inbox: ") in world.inbox()
    return found


@answers(Reason.TAKEN_OFF)
def deleted_by_one_of_two_who_is_to_be_taken_off(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world, "ben")
    world.person("ann").delete("primary", event_id)
    world.sync()
    world.answer(next(iter(world.inbox())), "take_off")
    return why(world, appointment="shoot")


@answers(Reason.REMOVED_WHILE_UNREAD)
def deleted_while_two_way_was_off(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world, two_way_appointments=False)
    world.person("ann").delete("primary", event_id)
    world.sync()
    assert why(world, appointment="shoot").reason is Reason.REMOVED_WHILE_UNREAD
    world.set_up("ann", two_way_appointments=True)
    assert why(world, appointment="shoot").reason is Reason.REMOVED_WHILE_UNREAD
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.WITH_SERIES)
def an_occurrence_of_a_series_that_is_too_old(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    rule = ["RRULE:FREQ=WEEKLY;COUNT=2"]
    world.book("old", **timed(start=at(-60), end=at(-60, 11), recurrence=rule))
    occurrence = overlay(world, -59, "old", title="Edited")
    assert why(world, appointment=occurrence).reason is Reason.WITH_SERIES
    world.sync()
    return why(world, appointment=occurrence)


@answers(Reason.GONE_ON_BOTH)
def erased(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.erase("shoot")
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.NOT_FOUND)
def an_event_that_google_does_not_show(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.cloud.google.hide_events(world.emails["ann"], event_id)
    return why(world, appointment="shoot")


@answers(Reason.EVENT_TYPE)
def focus_time(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    return why(world, event=typed(world, eventType="focusTime"))


@answers(Reason.TENTATIVE)
def pencilled_in(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    return why(world, event=typed(world, status="tentative"))


@answers(Reason.TENTATIVE)
def an_invitation_that_was_not_answered(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    return why(world, event=invited(world))


@answers(Reason.DECLINED)
def an_invitation_that_was_declined(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    return why(world, event=invited(world, "declined"))


@answers(Reason.ONE_WAY)
def typed_where_two_way_is_off(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world, two_way_appointments=False)
    return why(world, event=typed(world))


@answers(Reason.ONE_WAY)
def edited_where_two_way_is_off(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world, two_way_appointments=False)
    assert why(world, event=event_id).in_step
    world.person("ann").patch("primary", event_id, summary="Edited there")
    return why(world, event=event_id)


@answers(Reason.IN_EARLIER_CALENDAR)
def synced_before_another_calendar_was_chosen(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.set_up("ann", calendar_id=world.cloud.google.add_calendar(world.emails["ann"], "Second"))
    world.sync()
    world.connections["ann"] = world.front_end.user("ann")["connection"]["id"]
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.OTHER_ENTRY)
def an_earlier_entry_out_of_the_bin(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.person("ann").delete("primary", event_id)
    world.edit("shoot", title="Edited")
    world.cloud.google.fail_next("calendar.events.patch", 403, "forbiddenForNonOrganizer")  # It will not come back.
    world.sync()
    world.person("ann").restore(event_id)
    world.sync()
    found = why(world, event=event_id)
    assert found.event_id != event_id
    assert found.event_id in {event["id"] for event in world.events("ann")}
    return found


@answers(Reason.ENDED_BEFORE_WINDOW)
def last_year(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("old", title="Old", user_ids=["ann"], **span(-24 * 365))
    return why(world, appointment="old")


@answers(Reason.UNCHANGED_SINCE_CONNECTED)
def there_before_the_calendar_was(world: World, _: pytest.MonkeyPatch) -> Why:
    world.book("old", title="Old", user_ids=["ann"], **span(3))
    settled(world)
    return why(world, appointment="old")


@answers(Reason.NO_SUCH_APPOINTMENT)
def an_appointment_that_never_was(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    assert why(world, appointment="a/b").reason is Reason.NO_SUCH_APPOINTMENT
    return why(world, appointment="nothing")


@answers(Reason.NO_SUCH_ENTRY)
def an_entry_that_never_was(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    assert why(world, event="a/b").reason is Reason.NO_SUCH_ENTRY
    return why(world, event="nothing00")


@answers(Reason.NO_SUCH_ENTRY)
def an_entry_of_the_users_own_that_was_deleted(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    event_id = typed(world)
    world.person("ann").delete("primary", event_id)
    return why(world, event=event_id)


@answers(Reason.INVALID)
def a_field_that_does_not_fit(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("odd", title=7, user_ids=["ann"], **span(4))
    before = why(world, appointment="odd")
    world.sync()
    after = why(world, appointment="odd")
    assert (after.reason, after.field, after.detail) == (before.reason, before.field, before.detail)
    assert after.field == "title"
    return after


@answers(Reason.INVALID)
def a_setting_that_does_not_fit(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.set_up("ann", two_way_appointments="perhaps")
    found = why(world, appointment="shoot")
    assert found.field == "sync.two_way_appointments"
    return found


@answers(Reason.WAITING)
def a_field_that_was_put_right(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("odd", title=7, user_ids=["ann"], **span(4))
    world.sync()
    world.edit("odd", title="Seven")
    return why(world, appointment="odd")


@answers(Reason.DOUBTFUL)
def perhaps_what_stands_there_by_another_name(world: World, _: pytest.MonkeyPatch) -> Why:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(5))
    world.add("ann", populate_calendar=True)
    typed(world, summary="Photos")
    world.connect("ann")
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.UNSUPPORTED_RULE)
def an_entry_that_repeats_by_an_unsupported_rule(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    times = {end: {**when, "timeZone": "Europe/Berlin"} for end, when in google_span(5).items()}
    event_id = typed(world, recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"], **times)
    assert why(world, event=event_id).reason is Reason.UNSUPPORTED_RULE
    world.sync()
    return why(world, event=event_id)


@answers(Reason.WITH_SERIES)
def an_occurrence_that_its_series_ends_before(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    times = {"time_zone": "UTC", **span(5)}
    world.book("daily", title="Daily", user_ids=["ann"], recurrence=["RRULE:FREQ=DAILY;COUNT=5"], **times)
    third = times["start"] + dt.timedelta(days=2)
    place = {"series_id": "daily", "original_start": third}
    world.book(f"daily_{third:%Y%m%dT%H%M%SZ}", title="Third", user_ids=["ann"], **place)
    world.sync()
    world.edit("daily", recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    world.sync()
    return why(world, appointment=f"daily_{third:%Y%m%dT%H%M%SZ}")


@answers(Reason.REFUSED_BY_PROVIDER)
def an_appointment_that_google_refuses(world: World, patch: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("odd", title="Odd", user_ids=["ann"], **span(4))
    refused = [Park(Reason.REFUSED_BY_PROVIDER, "", "400 invalid")]
    with patch.context() as inner:
        inner.setattr(GoogleCalendar, "write", lambda *_: refused)
        world.sync()
    found = why(world, appointment="odd")
    assert found.detail == "400 invalid"
    return found


@answers(Reason.UNEXPECTED)
def a_fault_of_our_own(world: World, patch: pytest.MonkeyPatch) -> Why:
    def fails(_: Item, __: Rules) -> None:
        raise ZeroDivisionError

    in_step(world)
    patch.setattr("shared.services.why.decide", fails)
    return why(world, appointment="shoot")


@answers(Reason.NOT_CONNECTED)
def a_user_without_a_calendar(world: World, _: pytest.MonkeyPatch) -> Why:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.add("ann")
    found = why(world, appointment="shoot")
    assert found.looked is None
    return found


@answers(Reason.ACCESS_LOST)
def access_was_taken_away(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.cloud.google.remove_app_access(world.emails["ann"], CLIENT[0])
    world.restart()  # What was held of access tokens, which Google lets live on for a while, is gone.
    before_a_run = why(world, appointment="shoot")
    world.sync()
    assert before_a_run.reason is why(world, event="nothing00").reason
    return why(world, appointment="shoot")


@answers(Reason.FORBIDDEN)
def a_calendar_that_may_only_be_read(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.cloud.google.set_access(world.emails["ann"], world.emails["ann"], "reader")
    world.edit("shoot", title="Edited")
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.CALENDAR_GONE)
def a_calendar_that_is_not_there_any_more(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.cloud.google.set_access(world.emails["ann"], world.emails["ann"], None)
    world.sync()
    return why(world, appointment="shoot")


@answers(Reason.CALENDAR_TAKEN)
def a_calendar_that_is_kept_in_step_for_a_colleague(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world, "ben")
    world.cloud.google.set_access(world.emails["ann"], world.emails["ben"], "writer")
    world.set_up("ann", calendar_id=world.emails["ben"])
    world.sync("ann")
    return why(world, appointment="shoot")


@answers(Reason.SWITCHED)
def another_calendar_was_chosen_just_now(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.set_up("ann", calendar_id=world.cloud.google.add_calendar(world.emails["ann"], "Second"))
    found = why(world, appointment="shoot")
    assert found.at is not None
    return found


@answers(Reason.STUDIO_GONE)
def no_such_studio(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    assert why(world, appointment="shoot", studio="a/b").reason is Reason.STUDIO_GONE
    return why(world, appointment="shoot", studio="elsewhere")


@answers(Reason.USER_GONE)
def no_such_user(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    assert why(world, "a/b", appointment="shoot").reason is Reason.USER_GONE
    return why(world, "zoe", appointment="shoot")


@answers(Reason.EDITION)
def an_edition_without_the_sync(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.set_studio(edition="express")
    return why(world, appointment="shoot")


@answers(Reason.STUDIO_OFF)
def turned_off_for_the_studio(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.set_studio(**{"sync.enabled": False})
    return why(world, appointment="shoot")


@answers(Reason.USER_OFF)
def turned_off_for_the_user(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.set_up("ann", enabled=False)
    return why(world, event=event_id)


@answers(Reason.WAITING)
def turned_off_and_on_again(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.set_up("ann", enabled=False)
    world.sync()
    world.edit("shoot", title="Edited")
    world.set_up("ann", enabled=True)
    return why(world, appointment="shoot")


@answers(Reason.DISCONNECTED)
def disconnected_by_the_user(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    [account] = world.wiring.store.accounts_of_user(STUDIO, "ann")
    disconnect(STUDIO, "ann", account, world.wiring.account_ports)
    return why(world, appointment="shoot")


@answers(Reason.NOT_SCHEDULABLE)
def a_user_who_is_never_booked(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.firestore.document(f"studios/{STUDIO}/users/ann").update({"schedulable": False})
    return why(world, appointment="shoot")


@answers(Reason.NOT_SCHEDULABLE)
def a_room(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.edit("shoot", resource_ids=["attic"])
    return why(world, "attic", appointment="shoot")


@pytest.mark.parametrize(("reason", "scenario"), ANSWERS)
def test_the_answer_is_this_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, reason: Reason, scenario: Scenario
) -> None:
    found = scenario(world, monkeypatch)
    assert found.reason is reason
    assert found.in_step is (reason in {Reason.AGREED, Reason.BASELINE, Reason.ANOTHERS})


def test_every_reason_is_an_answer_or_never_one() -> None:
    answered = {param.values[0] for param in ANSWERS}
    assert answered | NEVER_AN_ANSWER.keys() | OF_AN_EARLIER_CALENDAR == set(Reason)
    assert not answered & (NEVER_AN_ANSWER.keys() | OF_AN_EARLIER_CALENDAR)
    assert {param.values[0] for param in ERRANDS} == NEVER_AN_ANSWER.keys()


# --- what the next run will do ---------------------------------------------------------------------------------------


def many_deleted(world: World) -> None:
    """Eight appointments of Ann's, all deleted in her calendar and held."""
    world.front_end.book_many({f"a{n}": {"title": f"A{n}", "user_ids": ["ann"], **span(30 + n)} for n in range(8)})
    world.join("ann", populate_calendar=True)
    world.sync()
    for event in world.events("ann"):
        world.person("ann").delete("primary", event["id"])
    world.sync()


@errand(Reason.CREATED_IN_STUDIO)
def to_be_entered_into_the_calendar(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    world.book("new", title="New", user_ids=["ann"], **span(4))
    return why(world, appointment="new")


@errand(Reason.CREATED_IN_STUDIO)
def in_the_window_of_a_populate(world: World, _: pytest.MonkeyPatch) -> Why:
    world.book("old", title="Old", user_ids=["ann"], **span(-24 * 60))
    settled(world)
    world.set_up("ann", populate_calendar=True)
    return why(world, appointment="old")


@errand(Reason.CHANGED_IN_STUDIO)
def to_be_carried_to_the_calendar(world: World, _: pytest.MonkeyPatch) -> Why:
    in_step(world)
    world.edit("shoot", title="Edited")
    return why(world, appointment="shoot")


@errand(Reason.CREATED_IN_CALENDAR)
def to_be_entered_into_the_studio(world: World, _: pytest.MonkeyPatch) -> Why:
    settled(world)
    return why(world, event=typed(world))


@errand(Reason.CHANGED_IN_CALENDAR)
def to_be_carried_to_the_studio(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.person("ann").patch("primary", event_id, location="Attic")
    return why(world, event=event_id)


@errand(Reason.CHANGED_ON_BOTH)
def edited_on_both_sides(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.person("ann").patch("primary", event_id, location="Attic")
    world.edit("shoot", title="Edited")
    return why(world, appointment="shoot")


@errand(Reason.STUDIO_EDIT_BEATS_DELETION)
def deleted_there_and_edited_here(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.person("ann").delete("primary", event_id)
    world.edit("shoot", title="Edited")
    return why(world, appointment="shoot")


@errand(Reason.MATCHED)
def typed_twice_asked_from_the_studio(world: World, _: pytest.MonkeyPatch) -> Why:
    """The appointment would stay out by itself: its twin is what is populated."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(5))
    world.add("ann", populate_studio=True)
    typed(world, summary="Shoot")
    world.connect("ann")
    return why(world, appointment="shoot")


@errand(Reason.MATCHED)
def typed_twice_asked_from_the_calendar(world: World, _: pytest.MonkeyPatch) -> Why:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(5))
    world.add("ann", populate_calendar=True)
    event_id = typed(world, summary="Shoot", status="tentative")
    world.connect("ann")
    return why(world, event=event_id)


@errand(Reason.JOINED)
def invited_to_what_a_colleague_has_already(world: World, _: pytest.MonkeyPatch) -> Why:
    for user_id in ("ann", "ben"):
        world.join(user_id)
    world.sync()
    meeting = {"iCalUID": "meeting@elsewhere.example", "summary": "Meeting", **google_span(7)}
    world.cloud.google.receive_event(world.emails["ben"], HOST, **meeting)
    world.sync()
    received = world.cloud.google.receive_event(world.emails["ann"], HOST, **meeting)
    return why(world, event=received["id"])


@errand(Reason.RESTORED_IN_CALENDAR)
def taken_out_of_the_bin(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world)
    world.person("ann").delete("primary", event_id)
    world.sync()
    world.person("ann").restore(event_id)
    return why(world, event=event_id)


@errand(Reason.MIRRORED)
def deleted_in_a_mirror_that_is_populated_again(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world, two_way_appointments=False)
    world.person("ann").delete("primary", event_id)
    world.set_up("ann", populate_calendar=True)
    return why(world, appointment="shoot")


@errand(Reason.PUT_BACK)
def held_and_declined(world: World, _: pytest.MonkeyPatch) -> Why:
    many_deleted(world)
    world.set_up("ann", declined_hold=next(iter(world.inbox())))
    return why(world, appointment="a0")


@errand(Reason.PUT_BACK)
def removed_from_one_of_two_and_to_be_put_back(world: World, _: pytest.MonkeyPatch) -> Why:
    event_id = in_step(world, "ben")
    world.person("ann").delete("primary", event_id)
    world.sync()
    world.answer(next(iter(world.inbox())), "put_back")
    return why(world, appointment="shoot")


@pytest.mark.parametrize(("reason", "scenario"), ERRANDS)
def test_what_waits_is_there_after_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch, reason: Reason, scenario: Scenario
) -> None:
    found = scenario(world, monkeypatch)
    assert (found.reason, found.then) == (Reason.WAITING, reason)
    world.sync("ann")
    assert found.appointment_id is not None
    afterwards = why(world, appointment=found.appointment_id)
    assert afterwards.in_step, afterwards


def test_a_hold_that_was_approved_is_no_longer_held(world: World) -> None:
    many_deleted(world)
    world.set_up("ann", approved_hold=next(iter(world.inbox())))
    found = why(world, appointment="a0")
    assert found.reason is Reason.DELETED_IN_CALENDAR
    assert found.at is not None, "the next run does it"
