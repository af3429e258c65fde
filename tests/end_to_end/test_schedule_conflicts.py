"""Two entries of one user at the same time are found by the run that brings the second one in, and closed by the run
that sees the overlap go away (pitfall 14).
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from local.wiretap import Killed, Wiretap
from shared.domain import identity
from shared.domain.conflicts import KEPT
from shared.domain.recurrence import slot_of
from shared.services import conflicts
from shared.services.sync_calendar import Outcome
from tests.end_to_end.idling import assert_idle, settle
from tests.end_to_end.killing import changes, changes_made
from tests.figures import Figures
from tests.snapshot import Snapshot
from tests.soak import few, points, soaks, spread
from tests.world import NOW, World, google_span, span

Pairs = dict[tuple[str, str], str]


@pytest.fixture
def booked(world: World) -> World:
    """Ann, in step, with a shoot in three hours."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    assert world.conflicts() == {}
    return world


def pairs(world: World, user_id: str = "ann") -> Pairs:
    """The user's conflicts: title by title, and status."""
    appointments = world.appointments()

    def title(appointment_id: str) -> str:
        return str(appointments.get(appointment_id, {}).get("title", appointment_id))

    found = {}
    for one in world.conflicts().values():
        if one["user_id"] == user_id:
            first, second = sorted(title(appointment_id) for appointment_id in one["appointment_ids"])
            assert (first, second) not in found, "one document for a pair"
            found[first, second] = str(one["status"])
    return found


def the_one(world: World) -> tuple[str, dict[str, Any]]:
    [found] = world.conflicts().items()
    return found


SHOOT_AND_DENTIST = ("Dentist", "Shoot")


def dentist(world: World, hours: float = 3.5, **event: Any) -> str:
    """Ann enters it in her calendar, and the next run brings it in; gives the event's id."""
    event_id = world.types("ann", summary="Dentist", **{**google_span(hours), **event})
    world.wish("ann")
    assert world.run("ann") is Outcome.DONE
    return event_id


# --- found -----------------------------------------------------------------------------------------------------------


def test_what_comes_from_the_calendar_is_a_conflict_within_the_run_that_brings_it_in(booked: World) -> None:
    dentist(booked)
    [unlinked] = [one for one, found in booked.appointments().items() if found["kind"] == "unlinked"]
    ids = sorted(["shoot", unlinked])
    conflict_id, found = the_one(booked)
    assert conflict_id == identity.conflict("ann", *ids)
    ends = span(3)["end"]
    found_at = found.pop("found_at")
    assert abs(found_at - booked.clock.now()) < dt.timedelta(minutes=1)
    assert found == {
        "user_id": "ann",
        "appointment_ids": ids,
        "overlap_start": span(3.5)["start"],
        "overlap_end": ends,
        "status": "open",
        "closed_at": None,
        "expires_at": ends + KEPT,
    }


def test_what_the_studio_books_over_an_entry_of_the_calendar_is_one_as_well(world: World) -> None:
    world.join("ann")
    world.sync()
    dentist(world)
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    assert world.run("ann") is Outcome.DONE
    assert pairs(world) == {SHOOT_AND_DENTIST: "open"}


@pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])
def test_the_studio_may_double_book_by_itself(world: World, *, two_way: bool) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", two_way_appointments=two_way)
    world.sync()
    world.book("late", title="Late", user_ids=["ann"], **span(4))
    world.book("second", title="Second", user_ids=["ann"], **span(3.5, lasting=0.25))
    world.sync()
    assert pairs(world) == {("Second", "Shoot"): "open"}


@few
@pytest.mark.parametrize(
    ("fields", "conflict"),
    [
        ({}, True),
        ({"status": "tentative"}, True),
        ({"busy": False}, False),
        ({"status": "cancelled"}, False),
        ({"user_ids": ["ben"]}, False),
        ({"user_ids": ["ben", "ann"]}, True),
        ({"end": span(3)["start"], "start": span(2)["start"]}, False),
        ({"start": None, "end": None, "all_day": True}, True),
        ({"start": None, "end": None, "all_day": True, "busy": False}, False),
        ({"kind": "party"}, False),
    ],
    ids=str,
)
def test_busy_entries_of_the_same_user_conflict_whole_days_and_tentative_ones_as_well(
    booked: World, fields: dict[str, Any], *, conflict: bool
) -> None:
    zone = "UTC"  # As the shoot's day is told in UTC, too.
    start, end = span(3)["start"].date(), span(3)["start"].date() + dt.timedelta(days=1)
    dates = {"start_date": start.isoformat(), "end_date": end.isoformat()} if "all_day" in fields else {}
    other = {"title": "Other", "user_ids": ["ann"], "time_zone": zone, **span(3), **dates, **fields}
    booked.book("other", **{name: value for name, value in other.items() if value is not None})
    booked.sync()
    assert pairs(booked) == ({("Other", "Shoot"): "open"} if conflict else {})


def test_what_is_over_and_what_is_more_than_a_year_away_is_not_looked_at(booked: World) -> None:
    for hours in (-5, 24 * 367):
        booked.book(f"one{hours}", title="One", user_ids=["ann"], **span(hours))
        booked.book(f"other{hours}", title="Other", user_ids=["ann"], **span(hours))
    booked.sync()
    assert booked.conflicts() == {}


def test_each_user_has_a_conflict_of_their_own(world: World) -> None:
    for user_id in ("ann", "ben"):
        world.join(user_id)
    world.sync()
    world.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(3))
    world.book("second", title="Second", user_ids=["ben", "ann"], **span(3))
    world.run("ann")
    assert (pairs(world, "ann"), pairs(world, "ben")) == ({("Second", "Shoot"): "open"}, {})
    world.run("ben")
    assert pairs(world, "ben") == {("Second", "Shoot"): "open"}
    world.edit("second", user_ids=["ben"])
    world.sync()
    assert pairs(world, "ann") == {("Second", "Shoot"): "gone"}
    assert pairs(world, "ben") == {("Second", "Shoot"): "open"}


def test_a_populate_finds_them_all_with_reads_that_are_few(world: World, tap: Wiretap) -> None:
    """A hundred, each of which goes on into the next; in few sweeps, and not one by one."""
    world.add("ann", populate_studio=True)
    for number in range(100):
        world.types("ann", summary=f"Entry {number}", **google_span(1 + number, lasting=1.5))
    world.connect("ann")
    world.sync()
    opened = pairs(world)
    assert len(opened) == 99
    assert set(opened.values()) == {"open"}
    assert ("Entry 0", "Entry 1") in opened
    world.set_up("ann", populate_studio=True)
    tap.reset()
    world.run("ann")
    counted = tap.summary()
    assert pairs(world) == opened
    # All appointments three times (before the listing, afresh, and as neighbours), links, and 99 conflicts: these in
    # four questions, each of which finds those on the edge to another's as well.
    assert counted["document_reads"] <= 3 * 100 + 100 + 99 + 3 * 2 * 30 + 30
    assert counted["methods"]["firestore RunQuery"] <= 30


# --- closed ----------------------------------------------------------------------------------------------------------


def moves_it_in_the_studio(world: World, _event_id: str) -> None:
    world.edit("shoot", **span(9))


def moves_it_in_the_calendar(world: World, event_id: str) -> None:
    world.person("ann").patch("primary", event_id, **google_span(9))
    world.wish("ann")


def cancels_it_in_the_studio(world: World, _event_id: str) -> None:
    world.edit("shoot", status="cancelled")


def erases_it_in_the_studio(world: World, _event_id: str) -> None:
    world.erase("shoot")


def deletes_it_in_the_calendar(world: World, event_id: str) -> None:
    world.person("ann").delete("primary", event_id)
    world.wish("ann")


def frees_it_in_the_studio(world: World, _event_id: str) -> None:
    world.edit("shoot", busy=False)


def frees_it_in_the_calendar(world: World, event_id: str) -> None:
    world.person("ann").patch("primary", event_id, transparency="transparent")
    world.wish("ann")


def takes_her_off(world: World, _event_id: str) -> None:
    world.edit("shoot", user_ids=["ben"])


def makes_it_nonsense(world: World, _event_id: str) -> None:
    world.edit("shoot", end=span(1)["start"])


@spread
@pytest.mark.parametrize(
    "goes_away",
    [
        moves_it_in_the_studio,
        moves_it_in_the_calendar,
        cancels_it_in_the_studio,
        erases_it_in_the_studio,
        deletes_it_in_the_calendar,
        frees_it_in_the_studio,
        frees_it_in_the_calendar,
        takes_her_off,
        makes_it_nonsense,
    ],
)
@pytest.mark.parametrize("kept", [False, True], ids=["open", "resolved"])
def test_it_closes_itself_when_the_overlap_goes_away(
    booked: World, goes_away: Callable[[World, str], None], *, kept: bool
) -> None:
    event_id = dentist(booked)
    conflict_id, before = the_one(booked)
    if kept:
        booked.front_end.keep_both(conflict_id)
    goes_away(booked, event_id)
    assert booked.run("ann") is Outcome.DONE
    now_id, now = the_one(booked)
    assert (now_id, now["status"], now["found_at"]) == (conflict_id, "gone", before["found_at"])
    assert abs(now["closed_at"] - booked.clock.now()) < dt.timedelta(minutes=1)
    assert now["expires_at"] == now["closed_at"] + KEPT


def test_what_comes_back_is_opened_again(booked: World) -> None:
    dentist(booked)
    conflict_id, first = the_one(booked)
    booked.edit("shoot", **span(9))
    booked.sync()
    booked.later(minutes=5)
    booked.edit("shoot", **span(3))
    booked.sync()
    now_id, now = the_one(booked)
    assert now["found_at"] > first["found_at"]
    assert (now_id, now) == (conflict_id, {**first, "found_at": now["found_at"]})


def test_keep_both_holds_until_they_overlap_at_other_times(booked: World) -> None:
    dentist(booked)
    conflict_id, first = the_one(booked)
    booked.front_end.keep_both(conflict_id)
    booked.edit("shoot", title="Shoot, renamed", location="Roof")
    booked.sync()
    assert the_one(booked) == (conflict_id, {**first, "status": "resolved"})
    booked.edit("shoot", **span(3, lasting=0.75))
    booked.sync()
    _, now = the_one(booked)
    assert (now["status"], now["overlap_end"]) == ("open", span(3.75)["start"])
    assert now["found_at"] > first["found_at"]


def test_what_is_over_is_closed_by_the_next_run_that_touches_it(booked: World) -> None:
    dentist(booked)
    booked.later(hours=6)
    booked.sync()
    assert the_one(booked)[1]["status"] == "open", "nothing was touched"
    booked.edit("shoot", **span(2.9, lasting=1.1))
    booked.sync()
    assert the_one(booked)[1]["status"] == "gone"


# --- series ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def class_on_each_day(booked: World) -> World:
    """The shoot, and a course each day of the week at the same time, which begins tomorrow."""
    rule = {"recurrence": ["RRULE:FREQ=DAILY;COUNT=7"], "time_zone": "UTC"}
    booked.book("course", title="Course", user_ids=["ann"], **span(27), **rule)
    booked.sync()
    assert booked.conflicts() == {}
    return booked


def occurrence(number: int) -> dict[str, Any]:
    """What names the occurrence of the course so many days from now."""
    return {"series_id": "course", "original_start": span(3 + 24 * number)["start"]}


def occurrence_id(number: int) -> str:
    return f"course_{slot_of(span(3 + 24 * number)['start'])}"


def test_an_entry_over_one_occurrence_of_a_series_is_found_from_either_side(class_on_each_day: World) -> None:
    world = class_on_each_day
    dentist(world, 3 + 3 * 24 + 0.5)
    assert pairs(world) == {("Course", "Dentist"): "open"}
    assert the_one(world)[1]["overlap_start"] == span(3 + 3 * 24 + 0.5)["start"]
    world.edit("course", recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    world.sync()
    assert pairs(world) == {("Course", "Dentist"): "gone"}
    world.edit("course", recurrence=["RRULE:FREQ=DAILY"])
    world.sync()
    assert pairs(world) == {("Course", "Dentist"): "open"}


def test_a_moved_occurrence_conflicts_where_it_is_and_no_more_where_it_was(class_on_each_day: World) -> None:
    world = class_on_each_day
    dentist(world, 3 + 3 * 24)
    there = {"title": "Moved", "user_ids": ["ann"], **occurrence(3)}
    world.book(occurrence_id(3), **there, **span(3))
    world.sync()
    assert pairs(world) == {("Course", "Dentist"): "gone", ("Moved", "Shoot"): "open"}
    world.erase(occurrence_id(3))
    world.sync()
    assert pairs(world) == {("Course", "Dentist"): "open", ("Shoot", occurrence_id(3)): "gone"}
    world.book(occurrence_id(3), **there, status="cancelled")
    world.sync()
    assert pairs(world) == {("Course", "Dentist"): "gone", ("Moved", "Shoot"): "gone"}


@pytest.mark.parametrize(
    ("says", "hours"),
    [({}, 3 + 3 * 24), (span(20), 20)],
    ids=["where its series has it", "somewhere else"],
)
def test_an_occurrence_that_does_not_say_whom_it_is_for_is_found_as_well(
    class_on_each_day: World, says: dict[str, Any], hours: float
) -> None:
    """It has that from its series."""
    world = class_on_each_day
    world.firestore.document(f"studios/atelier/appointments/{occurrence_id(3)}").set(
        {"title": "Short", **occurrence(3), **says, "updated_at": world.clock.now()}
    )
    dentist(world, hours + 0.5)
    assert pairs(world) == {("Dentist", "Short"): "open"}
    world.edit(occurrence_id(3), busy=False)
    world.sync()
    assert pairs(world) == {("Dentist", "Short"): "gone"}


def test_what_a_series_takes_with_it_is_closed(class_on_each_day: World) -> None:
    world = class_on_each_day
    world.book(occurrence_id(3), title="Moved", user_ids=["ann"], **occurrence(3), **span(3))
    world.sync()
    assert pairs(world) == {("Moved", "Shoot"): "open"}
    before = world.front_end.appointment("course")
    world.front_end.edit("course", status="cancelled")
    world.trigger("course", before)
    world.sync()
    assert pairs(world) == {("Moved", "Shoot"): "gone"}


def test_two_series_have_one_conflict_with_their_first_overlap(class_on_each_day: World) -> None:
    world = class_on_each_day
    rule = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "time_zone": "UTC"}
    world.book("weekly", title="Weekly", user_ids=["ann"], **span(3.5 + 5 * 24), **rule)
    world.sync()
    assert pairs(world) == {("Course", "Weekly"): "open"}
    assert the_one(world)[1]["overlap_start"] == span(3.5 + 5 * 24)["start"]


# --- costs, crashes, odd documents -----------------------------------------------------------------------------------


def test_once_found_further_runs_neither_read_nor_write_of_it(booked: World, tap: Wiretap) -> None:
    dentist(booked)
    settle(booked)
    before = booked.conflicts()
    assert_idle(booked, tap, 5)
    assert booked.conflicts() == before
    booked.edit("shoot", title="Renamed")
    settle(booked)
    assert booked.conflicts() == before


def test_one_changed_appointment_costs_five_reads_for_questions_that_find_nothing(
    booked: World, tap: Wiretap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As against the same run without looking; another title blocks no other time, and costs none."""
    reads = {}
    for looking in (True, False):
        if not looking:
            monkeypatch.setattr("shared.services.sync_calendar.look_for_conflicts", lambda *_: None)
        for what, fields in (("title", {"title": f"Renamed {looking}"}), ("times", span(4 + looking))):
            booked.edit("shoot", **fields)
            tap.reset()
            assert booked.run("ann") is Outcome.DONE
            reads[what, looking] = tap.summary()["document_reads"]
    assert reads["times", True] - reads["times", False] == 5
    assert reads["title", True] - reads["title", False] == 0


def test_many_scattered_edits_are_looked_at_in_few_stretches(booked: World, tap: Wiretap) -> None:
    names = {f"a{n}": {"title": f"A{n}", "user_ids": ["ann"], **span(24 * 20 * n + 5)} for n in range(18)}
    for name, fields in names.items():
        booked.book(name, **fields)
    tap.reset()
    assert booked.run("ann") is Outcome.DONE
    assert tap.summary()["methods"]["firestore RunQuery"] <= 2 * conflicts.RANGES + 10
    assert booked.conflicts() == {}


def test_a_weekly_series_is_looked_at_in_one_stretch(booked: World, tap: Wiretap) -> None:
    times = {"time_zone": "Europe/Berlin", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=40"], **span(5)}
    booked.book("weekly", title="Weekly", user_ids=["ann"], **times)
    tap.reset()
    assert booked.run("ann") is Outcome.DONE
    assert tap.summary()["methods"]["firestore RunQuery"] <= 12


def test_more_than_is_looked_at_is_said_with_counts_only(
    booked: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(conflicts, "LIMIT", 3)
    for number in range(6):
        booked.book(f"a{number}", title=f"Lee {number}", user_ids=["ann"], **span(5 + 0.1 * number))
    booked.run("ann")
    [said] = {record.getMessage() for record in caplog.records if "looks at" in record.getMessage()}
    assert said == "more appointments than one run looks at for conflicts"
    assert not any("Lee" in str(vars(record)) for record in caplog.records)
    monkeypatch.setattr(conflicts, "LIMIT", 100)
    booked.edit("a5", title="Renamed")
    booked.sync()
    assert sum("Renamed" in pair for pair in pairs(booked)) == 5, "looked at when it was touched"


def two_at_once(world: World) -> None:
    """Ann's calendar and her studio have each got something over what was there; another conflict is to be closed."""
    for number, name in enumerate(("shoot", "family", "moves", "stays")):
        world.book(name, title=name.title(), user_ids=["ann"], **span(3 + 5 * number))
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.book("over", title="Over", user_ids=["ann"], **span(13.5))
    world.sync()
    world.types("ann", summary="Dentist", **google_span(3.5))
    world.book("second", title="Second", user_ids=["ann"], **span(8.5))
    world.edit("moves", **span(40))
    world.wish("ann")


def seen(world: World) -> Any:
    times = ("overlap_start", "overlap_end", "status")
    return pairs(world), sorted([str(one[name]) for name in times] for one in world.conflicts().values())


@soaks
@pytest.mark.timeout(400)
@pytest.mark.parametrize("populate", [False, True], ids=["delta", "populate"])
def test_a_run_killed_after_any_change_leaves_none_missing_and_none_doubled(
    world: World, tap: Wiretap, figures: Figures, *, populate: bool
) -> None:
    two_at_once(world)
    if populate:
        world.set_up("ann", populate_calendar=True, populate_studio=True)
    prepared = Snapshot(world)
    tap.reset()
    world.run("ann")
    number = changes_made(tap)
    expected = seen(world)
    assert expected[0] == {SHOOT_AND_DENTIST: "open", ("Family", "Second"): "open", ("Moves", "Over"): "gone"}
    for change in points(number):
        prepared.restore()
        tap.kill_at(change, "after", only=changes)
        with pytest.raises(Killed):
            world.run("ann")
        tap.disarm()
        world.restart()
        world.later(minutes=11)
        world.sync()
        figures.add("schedule conflicts", "kill points tried")
        assert seen(world) == expected, f"killed after change {change} of {number}"


def test_what_a_dead_run_had_stored_is_looked_at_even_if_the_next_one_only_compares_everything(
    booked: World, tap: Wiretap
) -> None:
    """A month later nothing is news to it any more."""
    booked.book("far", title="Far", user_ids=["ann"], **span(24 * 40))
    booked.sync()
    booked.types("ann", summary="Dentist", **google_span(24 * 40))
    booked.wish("ann")
    tap.kill_at(1, "after", only=lambda call: call.method == "Commit" and call.document_writes > 2)
    with pytest.raises(Killed):
        booked.run("ann")
    tap.disarm()
    booked.restart()
    assert (len(booked.appointments()), booked.conflicts()) == (3, {})
    booked.later(days=31)
    booked.sync()
    assert pairs(booked) == {("Dentist", "Far"): "open"}


def test_what_a_monthly_listing_finds_is_looked_at(booked: World, tap: Wiretap) -> None:
    booked.later(minutes=1)
    booked.sync()
    unstamped = booked.firestore.document("studios/atelier/appointments/unheard")
    far = span(24 * 40)
    unstamped.set({"kind": "session", "title": "Unheard of", "user_ids": ["ann"], "status": "confirmed", **far})
    booked.firestore.document("studios/atelier/appointments/shoot").update({**far, "updated_at": NOW})
    booked.later(days=31)
    booked.sync()
    assert pairs(booked) == {("Shoot", "Unheard of"): "open"}


def test_a_persons_word_that_comes_just_then_is_not_overwritten(booked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    dentist(booked)
    conflict_id, _ = the_one(booked)
    store = booked.wiring.store
    read = store.conflicts
    asked = []

    def read_and_answered(*args: Any) -> Any:
        found = read(*args)
        if not asked:
            booked.front_end.keep_both(conflict_id)
        asked.append(args)
        return found

    monkeypatch.setattr(store, "conflicts", read_and_answered)
    booked.edit("shoot", **span(3.25))  # At other times: it would have been stored as open still.
    assert booked.run("ann") is Outcome.DONE
    assert len(asked) == 2
    assert the_one(booked)[1]["overlap_end"] == span(4.25)["start"]


@few
@pytest.mark.parametrize(
    "odd",
    [
        {"series_id": "a/b", "original_start": NOW},
        {"series_id": "", "original_start": NOW},
        {"series_id": "__x__", "original_date": "2026-01-01"},
        {"time_zone": "Nowhere", "all_day": True, "start_date": "0001-01-01", "end_date": "9999-12-31"},
        {"recurrence": "RRULE:FREQ=DAILY"},
        {"recurrence": ["RRULE:FREQ=NEVER"]},
        {"user_ids": ["ann", 7]},
    ],
    ids=str,
)
def test_an_odd_document_hides_no_conflict_of_others(booked: World, odd: dict[str, Any]) -> None:
    booked.book("odd", **{"title": "Odd", "user_ids": ["ann"], **span(3), **odd})
    booked.sync()
    dentist(booked)
    assert pairs(booked)[SHOOT_AND_DENTIST] == "open"


def test_a_conflict_that_somebody_broke_is_written_anew(booked: World) -> None:
    dentist(booked)
    conflict_id, first = the_one(booked)
    for number, broken in enumerate(
        ({"status": "done"}, {"appointment_ids": "shoot"}, {"user_id": None}, {"overlap_end": "noon"})
    ):
        booked.firestore.document(f"studios/atelier/conflicts/{conflict_id}").update(broken)
        # Longer at its start, where nothing overlaps.
        booked.edit("shoot", **span(2.9 - number / 10, lasting=1.1 + number / 10))
        booked.sync()
        now_id, now = the_one(booked)
        assert (now_id, {**now, "found_at": first["found_at"]}) == (conflict_id, first)


def test_nothing_that_goes_wrong_here_stops_the_sync(
    booked: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> Any:
        raise TypeError("Newborn Lee")

    monkeypatch.setattr(conflicts, "decided", fails)
    dentist(booked)
    assert "looking for conflicts failed" in caplog.text
    assert booked.conflicts() == {}
    booked.edit("shoot", title="Renamed")
    assert booked.run("ann") is Outcome.DONE
    assert "Renamed" in booked.titles("ann")
