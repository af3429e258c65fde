"""What is made good without being told: lost triggers, lost pushes, a lost cursor, a forgotten `updated_at`.

Nothing is wished here: the runs are those that are due by themselves.
"""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from google.cloud.firestore_v1.types import StructuredQuery

from shared.services.sync_calendar import Outcome
from tests.contract.firestore_store.test_indexes import FILE, kind, needed
from tests.soak import few
from tests.world import NOW, STUDIO, World, days, google_span, span

MODES = pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])


# What a front-end writes to each, and the title that is in Ann's calendar then, if any.
DAY, NEXT_DAY = days(1, 2)
EDITS: dict[str, tuple[dict[str, Any], str | None]] = {
    "unchanged": ({}, "unchanged"),
    "changed": ({"title": "renamed", **span(4)}, "renamed"),
    "all-day": ({"all_day": True, "start_date": DAY, "end_date": NEXT_DAY, "title": "its day"}, "its day"),
    "past": ({"title": "moved to the past", **span(-24 * 200)}, "moved to the past"),
    "cancelled": ({"status": "cancelled"}, None),
    "reassigned to ann": ({"user_ids": ["ben", "ann"]}, "reassigned to ann"),
    "reassigned away": ({"user_ids": ["ben"]}, None),
    "un-cancelled": ({"status": "confirmed"}, "un-cancelled"),
}
NEW: dict[str, dict[str, Any]] = {
    "new timed": span(11),
    "new all-day": {"all_day": True, "start_date": DAY, "end_date": NEXT_DAY},
    "new going on": span(-24 * 300, lasting=24 * 400),
}
BEFORE = sorted(EDITS.keys() - {"reassigned to ann", "un-cancelled"})
RENAMED = sorted([*(set(BEFORE) - {"changed"}), "renamed"])
AFTER = sorted(title for _, title in EDITS.values() if title is not None)


@pytest.fixture
def make_ann(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Ann, populated and in step, with an appointment for each edit: one is Ben's, and one is cancelled so far."""
    monkeypatch.setattr(world.cloud.google.push, "_now", world.clock.now)  # So channels are renewed once a month.

    def make(*, two_way: bool = True, **sync: Any) -> World:
        for number, name in enumerate(EDITS):
            user_id = "ben" if name == "reassigned to ann" else "ann"
            world.front_end.book(name, title=name, user_ids=[user_id], **span(3 + number))
        world.join("ann", two_way_appointments=two_way, populate_calendar=True, **sync)
        world.sync()
        world.edit("un-cancelled", status="cancelled")
        world.sync()
        world.sync()  # Google's word that it is deleted comes with the next changes.
        assert world.titles("ann") == BEFORE
        return world

    return make


def due(world: World, **later: float) -> list[str]:
    """Time passes, and what is due then is run; gives the methods of the calls to the calendar."""
    google = world.cloud.google
    google.clear_requests()
    world.later(**later)
    outcomes = []
    while (outcome := world.run("ann")) is not Outcome.NOTHING_DUE:
        outcomes.append(outcome)
        assert len(outcomes) < 10
    assert outcomes
    return [request.method_id for request in google.requests if request.method_id.startswith("calendar.")]


def assert_in_step(world: World) -> None:
    """Nothing is left to do, however often it is looked at."""
    assert world.below("ann", "outbox") == {}
    before = world.picture()
    world.sync()
    assert world.picture() == before


# --- lost triggers, found by the daily look --------------------------------------------------------------------------


@MODES
def test_lost_triggers_are_made_good_within_a_day(make_ann: Callable[..., World], *, two_way: bool) -> None:
    ann = make_ann(two_way=two_way)
    for name, (fields, _) in EDITS.items():
        if fields:
            ann.front_end.edit(name, **fields)
    for name, fields in NEW.items():
        ann.front_end.book(name, title=name, user_ids=["ann"], **fields)
    due(ann, hours=20)
    assert ann.titles("ann") == BEFORE, "nobody has told"
    calls = due(ann, hours=6.5)
    assert ann.titles("ann") == sorted([*AFTER, *NEW])
    assert "date" in next(event for event in ann.events("ann") if event["summary"] == "its day")["start"]
    assert calls.count("calendar.events.list") == (1 if two_way else 0)
    assert calls.count("calendar.events.get") <= 1, "only what may be in the bin is looked at before it is written"
    assert_in_step(ann)


@MODES
def test_lost_triggers_of_new_appointments_are_made_good_where_nothing_was_populated(
    world: World, *, two_way: bool
) -> None:
    world.book("before", title="Before", user_ids=["ann"], **span(3))
    world.join("ann", two_way_appointments=two_way)
    world.sync()
    for name, fields in NEW.items():
        world.front_end.book(name, title=name, user_ids=["ann"], **fields)
    due(world, hours=25)
    assert world.titles("ann") == sorted(NEW)
    assert_in_step(world)


def test_the_daily_look_finds_what_was_written_while_the_one_before_was_under_way(
    make_ann: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document has an older time than that look's end: that the next one begins an hour earlier makes up for it."""
    ann = make_ann()
    release = type(ann.wiring.store).update_connection
    written: list[bool] = []

    def late(store: object, connection_id: str, version: object, fields: dict[str, Any], **more: Any) -> object:
        if "reconciled_at" in fields and not written:
            written.append(True)
            ann.front_end.edit("changed", title="renamed")
            ann.firestore.document(f"studios/{STUDIO}/appointments/changed").update(
                {"updated_at": fields["reconciled_at"] - dt.timedelta(minutes=30)}  # By a clock that is behind.
            )
        return release(store, connection_id, version, fields, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("shared.adapters.firestore_store.FirestoreStore.update_connection", late)
    due(ann, hours=25)
    assert written
    assert ann.titles("ann") == BEFORE
    due(ann, hours=25)
    assert ann.titles("ann") == RENAMED


def test_a_daily_look_that_could_not_be_finished_is_taken_again(make_ann: Callable[..., World]) -> None:
    ann = make_ann()
    ann.front_end.edit("changed", title="renamed")
    ann.cloud.google.fail_next("calendar.events.patch", 503, "backendError", times=2)
    due(ann, hours=25)
    assert ann.titles("ann") == BEFORE
    due(ann, hours=1)
    due(ann, hours=1)
    assert ann.titles("ann") == RENAMED
    assert_in_step(ann)


@few
@MODES
@pytest.mark.parametrize("nonsense", [7, "ann", {"ann": True}, [7], None], ids=repr)
def test_users_that_are_no_list_keep_no_daily_look_from_the_others(
    make_ann: Callable[..., World], nonsense: object, *, two_way: bool
) -> None:
    ann = make_ann(two_way=two_way)
    ann.front_end.book("odd", title="Odd", **span(20), user_ids=nonsense)
    ann.front_end.edit("changed", title="renamed")
    due(ann, hours=25)
    assert ann.titles("ann") == RENAMED
    assert ann.connection("ann").failures == 0


def test_what_concerns_others_only_is_neither_entered_nor_parked(make_ann: Callable[..., World]) -> None:
    ann = make_ann()
    ann.front_end.edit("reassigned to ann", title="Ben's, renamed", recurrence=["RRULE:FREQ=DAILY"])
    due(ann, hours=25)
    assert ann.titles("ann") == BEFORE
    assert ann.below("ann", "parked") == {}
    assert ann.below("ann", "links").keys() == EDITS.keys() - {"reassigned to ann"}


# --- lost triggers, found by the monthly listing ---------------------------------------------------------------------


@MODES
def test_what_the_daily_look_cannot_see_is_made_good_within_a_month(
    make_ann: Callable[..., World], *, two_way: bool
) -> None:
    """A front-end that forgets `updated_at`, and a document that is not there any more."""
    ann = make_ann(two_way=two_way)
    ann.book("erased", title="erased", user_ids=["ann"], **span(20))
    ann.sync()
    ann.sync()
    documents = ann.firestore.collection(f"studios/{STUDIO}/appointments")
    for reference in documents.list_documents():
        reference.update({"updated_at": NOW - dt.timedelta(days=2)})
    for name, (fields, _) in EDITS.items():
        if fields:
            documents.document(name).update(fields)
    for name, fields in NEW.items():
        documents.document(name).set({"kind": "appointment", "title": name, "user_ids": ["ann"], **fields})
    documents.document("erased").delete()
    due(ann, hours=25)
    assert ann.titles("ann") == sorted([*BEFORE, "erased"]), "nobody has told, and no time tells either"
    calls = due(ann, days=30)
    assert ann.titles("ann") == sorted([*AFTER, *NEW])
    assert calls.count("calendar.events.list") == (1 if two_way else 0)
    assert_in_step(ann)


@MODES
def test_everything_is_compared_again_a_month_later(make_ann: Callable[..., World], *, two_way: bool) -> None:
    ann = make_ann(two_way=two_way)
    for month in range(3):
        ann.firestore.document(f"studios/{STUDIO}/appointments/changed").update({"title": f"Month {month}"})
        due(ann, days=31)
        assert f"Month {month}" in ann.titles("ann")


@MODES
def test_series_whose_first_occurrence_is_long_past_are_met_in_the_full_window(
    make_ann: Callable[..., World], *, two_way: bool
) -> None:
    """They are parked, as no calendar can hold what repeats by the hour: seen they must be all the same."""
    ann = make_ann(two_way=two_way, populate_studio=two_way)
    long_ago = days(-700, -699)
    series = {
        "kind": "appointment",
        "user_ids": ["ann"],
        "recurrence": ["RRULE:FREQ=WEEKLY;BYMONTHDAY=3"],
        "time_zone": "Europe/Berlin",
    }
    documents = ann.firestore.collection(f"studios/{STUDIO}/appointments")
    documents.document("timed").set({**series, "title": "Timed", **span(-24 * 700)})
    documents.document("days").set(
        {**series, "title": "Days", "all_day": True, "start_date": long_ago[0], "end_date": long_ago[1]}
    )
    documents.document("bens-series").set({**series, "title": "Ben's", "user_ids": ["ben"], **span(-24 * 700)})
    ann.types(
        "ann",
        summary="Typed",
        start={"date": long_ago[0]},
        end={"date": long_ago[1]},
        recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3"],
    )
    due(ann, days=31)
    parked = ann.below("ann", "parked")
    assert {entry["reason"] for entry in parked.values()} == {"unsupported_rule"}
    assert parked.keys() >= {"timed", "days"}
    assert len(parked) == (3 if two_way else 2)
    assert "bens-series" not in parked
    assert ann.titles("ann") == sorted([*BEFORE, "Typed"])


def test_what_is_parked_keeps_the_time_since_when_it_is(make_ann: Callable[..., World]) -> None:
    ann = make_ann()
    hourly = {"recurrence": ["RRULE:FREQ=WEEKLY;BYMONTHDAY=3"], "time_zone": "Europe/Berlin"}
    ann.book("hourly", title="Hourly", user_ids=["ann"], **hourly, **span(4))
    ann.sync()
    since = ann.below("ann", "parked")["hourly"]["since"]
    due(ann, days=31)
    assert ann.below("ann", "parked")["hourly"]["since"] == since


@MODES
def test_the_full_window_is_three_queries_that_have_their_indexes(
    make_ann: Callable[..., World], monkeypatch: pytest.MonkeyPatch, *, two_way: bool
) -> None:
    ann = make_ann(two_way=two_way)
    seen: list[StructuredQuery] = []
    api = ann.wiring.store._client._firestore_api
    send = api.run_query

    def sent(request: dict[str, Any], **options: Any) -> Any:
        seen.append(request["structured_query"])
        return send(request=request, **options)

    monkeypatch.setattr(api, "run_query", sent)
    due(ann, days=31)
    asked = [needed(query) for query in seen if query.from_[0].collection_id == "appointments"]
    mine = ("user_ids", "CONTAINS")
    assert sorted(asked) == [
        ("appointments", frozenset(), (mine, ("end", "ASCENDING"))),
        ("appointments", frozenset(), (mine, ("end_date", "ASCENDING"))),
        ("appointments", frozenset(), (mine, ("recurrence", "ASCENDING"))),
    ]
    declared = json.loads(FILE.read_text())["indexes"]
    indexes = [tuple((one["fieldPath"], kind(one)) for one in index["fields"]) for index in declared]
    assert all(fields in indexes for _, _, fields in asked)


# --- lost pushes -----------------------------------------------------------------------------------------------------


def there(ann: World, appointment_id: str) -> str:
    return str(ann.below("ann", "links")[appointment_id]["event_id"])


def lose_pushes(ann: World) -> Callable[[], None]:
    """Each kind of edit in the calendar; gives what asserts that the studio has them."""
    for number, name in enumerate(("renamed", "moved", "long ago", "deleted", "restored")):
        ann.book(name, title=name, user_ids=["ann"], **span(20 + number))
    ann.sync()
    person = ann.person("ann")
    person.delete("primary", there(ann, "restored"))
    ann.sync()
    before = ann.appointments()
    assert before["restored"]["status"] == "cancelled"
    ann.types("ann", summary="typed", **google_span(40))
    person.patch("primary", there(ann, "renamed"), summary="renamed there")
    person.patch("primary", there(ann, "moved"), **google_span(50))
    person.patch("primary", there(ann, "long ago"), **google_span(-24 * 200))  # Out of what a listing lists.
    person.delete("primary", there(ann, "deleted"))
    person.restore(there(ann, "restored"))

    def assert_carried() -> None:
        appointments = ann.appointments()
        [typed] = appointments.keys() - before.keys()
        assert (appointments[typed]["title"], appointments[typed]["kind"]) == ("typed", "unlinked")
        assert appointments["renamed"]["title"] == "renamed there"
        assert appointments["moved"]["start"] == NOW + dt.timedelta(hours=50)
        assert appointments["long ago"]["start"] == NOW - dt.timedelta(days=200)
        assert [appointments[name]["status"] for name in ("deleted", "restored")] == ["cancelled", "confirmed"]

    return assert_carried


def test_lost_pushes_are_made_good_by_the_safety_interval(make_ann: Callable[..., World]) -> None:
    ann = make_ann()
    ann.push("ann", "sync")
    assert_carried = lose_pushes(ann)
    ann.later(hours=5.9)
    assert ann.run("ann") is Outcome.NOTHING_DUE, "with a live channel nobody asks more often"
    assert due(ann, hours=0.2).count("calendar.events.list") == 1
    assert_carried()
    assert_in_step(ann)


def test_without_a_channel_the_studios_interval_is_the_longest_wait(world: World) -> None:
    world.front_end.set_studio(**{"sync.interval_minutes": 20})
    world.join("ann", populate_calendar=True)
    world.cloud.google.fail_next("calendar.events.watch", 400, "pushNotSupportedForRequestedResource")
    world.sync()
    assert_carried = lose_pushes(world)
    world.later(minutes=19)
    assert world.run("ann") is Outcome.NOTHING_DUE
    due(world, minutes=2)
    assert_carried()
    assert_in_step(world)


# --- a lost cursor ---------------------------------------------------------------------------------------------------


def test_after_a_lost_cursor_everything_is_made_good_at_once(make_ann: Callable[..., World]) -> None:
    """All that can be lost, on both sides, also what no time tells: found by the run that Google answers with 410."""
    ann = make_ann()
    ann.book("erased", title="erased", user_ids=["ann"], **span(19))
    ann.sync()
    assert_carried = lose_pushes(ann)
    documents = ann.firestore.collection(f"studios/{STUDIO}/appointments")
    for reference in documents.list_documents():
        reference.update({"updated_at": NOW - dt.timedelta(days=2)})
    for name, (fields, _) in EDITS.items():
        if fields:
            documents.document(name).update(fields)
    documents.document("erased").delete()
    ann.cloud.google.expire_sync_tokens(ann.emails["ann"])
    calls = due(ann, hours=6.1)
    assert calls.count("calendar.events.list") == 3, "410, everything, and the changes since for the run right after"
    assert_carried()
    assert ann.titles("ann") == sorted([*AFTER, "long ago", "moved", "renamed there", "restored", "typed"])
    assert_in_step(ann)


# --- scope -----------------------------------------------------------------------------------------------------------


@MODES
def test_nothing_out_of_scope_comes_in_by_looking_back_or_by_a_lost_cursor(
    world: World, monkeypatch: pytest.MonkeyPatch, *, two_way: bool
) -> None:
    """Not populated: what has not changed since connecting stays where it is, and so does what ended before."""
    monkeypatch.setattr(world.cloud.google.push, "_now", world.clock.now)
    documents = world.firestore.collection(f"studios/{STUDIO}/appointments")
    world.book("unchanged", title="Unchanged", user_ids=["ann"], **span(3))
    documents.document("timeless").set({"kind": "appointment", "title": "Timeless", "user_ids": ["ann"], **span(4)})
    world.book("past", title="Past", user_ids=["ann"], **span(-24 * 200))
    start, end = days(-202, -200)
    world.book("past-days", title="Past days", user_ids=["ann"], all_day=True, start_date=start, end_date=end)
    world.add("ann", two_way_appointments=two_way)
    world.types("ann", summary="Typed before", **google_span(5))
    world.types("ann", summary="Past before", **google_span(-24 * 200))
    world.connect("ann")
    world.sync()
    for appointment_id in ("past", "past-days"):
        world.front_end.edit(appointment_id, title=f"{appointment_id}, edited")
    world.types("ann", summary="Past, typed since", **google_span(-24 * 200))
    calendar, studio = world.events("ann"), world.appointments()
    for step in ("day", "410", "day", "month", "410", "month"):
        if step == "410":
            world.cloud.google.expire_sync_tokens(world.emails["ann"])
        due(world, days={"day": 1.1, "410": 0.3, "month": 31}[step])
        assert (world.events("ann"), world.appointments()) == (calendar, studio)
    assert world.below("ann", "links") == world.below("ann", "parked") == {}


def test_where_the_calendar_is_not_read_nothing_of_it_comes_in_after_a_month(make_ann: Callable[..., World]) -> None:
    ann = make_ann(two_way=False)
    ann.types("ann", summary="Typed", **google_span(13))
    ann.person("ann").patch("primary", there(ann, "changed"), summary="Renamed")
    ann.person("ann").delete("primary", there(ann, "cancelled"))
    studio = ann.appointments()
    for later in (1.1, 31):
        calls = due(ann, days=later)
        assert "calendar.events.list" not in calls
        assert ann.appointments() == studio
