"""What goes wrong and passes, or needs a person: refusals, pauses, lost access, poisoned items, changed minds."""

import datetime as dt
from collections.abc import Callable

import pytest

from local.wiretap import Killed, Wiretap
from shared.domain import identity
from shared.domain.plan import decide
from shared.services import apply
from shared.services.run import LEASE
from shared.services.sync_calendar import Outcome
from tests.world import World, google_span, span


@pytest.fixture
def ann(world: World) -> World:
    """Ann with one shoot, populated and in step."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    return world


def test_a_refusal_of_the_anti_abuse_kind_is_waited_out_for_hours_and_nothing_is_lost(ann: World) -> None:
    ann.edit("shoot", title="Renamed")
    ann.cloud.google.fail_next("calendar.events.patch", 403, "quotaExceeded")
    assert ann.run("ann") is Outcome.LATER
    assert ann.titles("ann") == ["Shoot"]
    ann.cloud.google.clear_requests()
    ann.wish("ann")
    assert ann.run("ann") is Outcome.NOTHING_DUE, "a wish does not cut a pause short that Google asked for"
    assert ann.cloud.google.requests == []
    ann.later(hours=3)
    ann.sync()
    assert ann.titles("ann") == ["Renamed"]


def test_an_item_that_google_refuses_is_parked_with_a_reason_and_stops_nothing_else(world: World) -> None:
    for number in range(5):
        world.book(f"shoot-{number}", title=f"Shoot {number}", user_ids=["ann"], **span(number))
    world.join("ann", populate_calendar=True)
    world.cloud.google.fail_next("calendar.events.insert", 400, "invalid")
    world.sync()
    assert len(world.events("ann")) == 4
    [(item_id, parked)] = world.below("ann", "parked").items()
    assert parked["reason"] == "refused_by_provider"
    assert world.connection("ann").parked == 1
    world.edit(item_id, description="Changed, so tried again")
    world.sync()
    assert len(world.events("ann")) == 5
    assert world.below("ann", "parked") == {}
    assert world.connection("ann").parked == 0


def test_an_appointment_that_does_not_fit_is_parked_by_field_and_syncs_once_corrected(ann: World) -> None:
    ann.book("bad", title="Bad", user_ids=["ann"], start="tomorrow", end=span(4)["end"])
    ann.book("good", title="Good", user_ids=["ann"], **span(4))
    ann.sync()
    parked = ann.below("ann", "parked")["bad"]
    assert (parked["reason"], parked["field"]) == ("invalid", "start")
    assert ann.titles("ann") == ["Good", "Shoot"]
    ann.edit("bad", **span(4))
    ann.sync()
    assert ann.titles("ann") == ["Bad", "Good", "Shoot"]
    assert ann.below("ann", "parked") == {}


def test_what_repeats_by_the_hour_is_parked_on_both_sides_and_the_rest_goes_on(ann: World) -> None:
    hourly = {"recurrence": ["RRULE:FREQ=HOURLY"], "time_zone": "Europe/Berlin"}
    ann.book("hourly", title="Hourly", user_ids=["ann"], **hourly, **span(4))
    start = {**google_span(5)["start"], "timeZone": "Europe/Berlin"}
    end = {**google_span(5)["end"], "timeZone": "Europe/Berlin"}
    ann.types("ann", summary="Yoga", start=start, end=end, recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"])
    ann.types("ann", summary="Dentist", **google_span(6))
    ann.sync()
    assert {parked["reason"] for parked in ann.below("ann", "parked").values()} == {"unsupported_rule"}
    assert len(ann.below("ann", "parked")) == 2
    assert "Dentist" in {document["title"] for document in ann.appointments().values()}


def test_a_parked_entry_that_is_deleted_in_the_calendar_is_parked_no_longer(ann: World) -> None:
    start = {**google_span(5)["start"], "timeZone": "Europe/Berlin"}
    end = {**google_span(5)["end"], "timeZone": "Europe/Berlin"}
    yoga = ann.types("ann", summary="Yoga", start=start, end=end, recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"])
    ann.sync()
    ann.person("ann").delete("primary", yoga)
    ann.sync()
    assert ann.below("ann", "parked") == {}
    assert ann.connection("ann").parked == 0


def test_an_item_that_fails_in_a_way_nobody_foresaw_is_tried_five_times_then_parked(
    ann: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def sick(item: object, rules: object) -> object:
        if getattr(item, "appointment_id", "") == "poison":
            raise ZeroDivisionError("Eve Moss, +43 1 234")
        return decide(item, rules)  # type: ignore[arg-type]

    monkeypatch.setattr(apply, "decide", sick)
    ann.book("poison", title="Poison", user_ids=["ann"], **span(4))
    ann.book("fine", title="Fine", user_ids=["ann"], **span(5))
    runs = 0
    while not ann.below("ann", "parked"):
        ann.later(hours=1)
        ann.run("ann")
        runs += 1
        assert runs < 10
    assert runs == 5
    assert ann.below("ann", "parked")["poison"]["reason"] == "unexpected"
    assert ann.titles("ann") == ["Fine", "Shoot"]
    assert "ZeroDivisionError" in caplog.text
    assert "Eve Moss" not in caplog.text


def test_a_run_that_fails_as_a_whole_is_tried_again_before_its_lease_is_over(
    ann: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ann.edit("shoot", title="Renamed")
    with monkeypatch.context() as broken:
        broken.setattr(type(ann.wiring.store), "outbox", lambda *_: 1 / 0)
        assert ann.run("ann") is Outcome.LATER
    assert "run failed unexpectedly" in caplog.text
    due = ann.connection("ann").next_sync_at
    assert due is not None
    assert due < ann.clock.now() + LEASE
    ann.later(minutes=1)
    ann.sync()
    assert ann.titles("ann") == ["Renamed"]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_google_that_does_not_answer_is_asked_again_later(ann: World, status: int) -> None:
    ann.types("ann", summary="Dentist", **google_span(6))
    ann.cloud.google.fail_next("calendar.events.list", status, "backendError")
    ann.wish("ann")
    assert ann.run("ann") is Outcome.LATER
    ann.later(minutes=2)
    ann.sync()
    assert "Dentist" in {document["title"] for document in ann.appointments().values()}


def test_an_answer_that_was_lost_after_it_took_effect_doubles_nothing(ann: World) -> None:
    ann.book("new", title="New", user_ids=["ann"], **span(4))
    ann.cloud.google.fail_next("calendar.events.insert", 503, "backendError", after_effect=True)
    ann.run("ann")
    ann.later(minutes=2)
    ann.sync()
    assert ann.titles("ann") == ["New", "Shoot"]


def test_a_calendar_that_is_gone_stops_the_connection_and_deletes_nothing(ann: World) -> None:
    ann.cloud.google.set_access(ann.emails["ann"], ann.emails["ann"], None)
    ann.wish("ann")
    assert ann.run("ann") is Outcome.STOPPED
    assert ann.connection("ann").state_reason == "calendar_gone"
    assert ann.appointments()["shoot"]["status"] == "confirmed"


@pytest.mark.parametrize(
    ("sync", "reason"), [({"enabled": False}, "user_off"), ({"calendar_id": 7}, "invalid")], ids=["off", "nonsense"]
)
def test_a_setting_that_stops_the_sync_pauses_it_and_putting_it_right_resumes_it(
    ann: World, sync: dict[str, object], reason: str
) -> None:
    before = {key: ann.front_end.user("ann")["sync"].get(key) for key in sync}
    ann.set_up("ann", **sync)
    assert ann.run("ann") is Outcome.STOPPED
    assert (ann.connection("ann").state, ann.connection("ann").state_reason) == ("paused", reason)
    ann.edit("shoot", title="Renamed while off")
    ann.run("ann")
    assert ann.titles("ann") == ["Shoot"]
    ann.set_up("ann", **before)
    ann.sync()
    assert ann.titles("ann") == ["Renamed while off"]
    assert ann.front_end.user("ann")["connection"]["state"] == "connected"


def test_a_studio_that_is_turned_off_and_on_is_found_within_the_hour(ann: World) -> None:
    studio = ann.firestore.document("studios/atelier")
    studio.update({"sync.enabled": False})
    ann.wish("ann")
    assert ann.run("ann") is Outcome.STOPPED
    studio.update({"sync.enabled": True})
    due = ann.connection("ann").next_sync_at
    assert due is not None
    assert due <= ann.clock.now() + dt.timedelta(hours=1)


def test_the_old_connection_rests_after_a_switch(ann: World) -> None:
    ann.firestore.document("studios/atelier/users/ann").update({"connection": {"id": "another", "state": "connected"}})
    ann.edit("shoot", title="Renamed")
    ann.wish("ann")
    assert ann.run("ann") is Outcome.STOPPED
    assert ann.connection("ann").state == "resting"
    assert ann.titles("ann") == ["Shoot"]
    assert ann.front_end.user("ann")["connection"]["id"] == "another"


def test_ids_that_were_used_up_without_a_trace_are_passed_over(world: World) -> None:
    """Entered and deleted again and again, and the links have expired since: Google refuses those ids for good."""
    connection = world.join("ann", populate_calendar=True)
    world.sync()
    person = world.person("ann")
    for generation in range(6):
        event_id = identity.event(connection, "shoot", generation)
        person.insert(id=event_id, summary="Old", **google_span(1))
        person.delete("primary", event_id)
    world.sync()
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.sync()
    assert world.titles("ann") == ["Shoot"]
    assert world.below("ann", "links")["shoot"]["generation"] == 6


def test_a_deletion_that_a_lost_cursor_hid_is_found_by_the_full_listing(ann: World) -> None:
    [event] = ann.events("ann")
    ann.person("ann").delete("primary", event["id"])
    ann.cloud.google.expire_sync_tokens(ann.emails["ann"])
    ann.sync()
    assert ann.appointments()["shoot"]["status"] == "cancelled"


def test_an_empty_listing_is_no_proof_of_deletion(ann: World) -> None:
    ann.cloud.google.expire_sync_tokens(ann.emails["ann"])
    ann.cloud.google.listings.next_page_sizes(0)
    ann.sync()
    assert ann.appointments()["shoot"]["status"] == "confirmed"
    assert ann.titles("ann") == ["Shoot"]


def test_a_page_token_that_died_starts_the_listing_again(world: World) -> None:
    world.add("ann", populate_studio=True)
    for number in range(6):
        world.types("ann", summary=f"Entry {number}", **google_span(number))
    world.connect("ann")
    world.cloud.google.listings.next_page_sizes(2, 2)
    listing = type(world.wiring.calendars.open("", world.connection("ann"))).listing
    seen: list[str | None] = []

    def dying(calendar: object, ends_after: dt.datetime, page: str | None) -> object:
        seen.append(page)
        if len(seen) == 2:
            world.cloud.google.expire_page_tokens()
        return listing(calendar, ends_after, page)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.adapters.google_calendar.GoogleCalendar.listing", dying)
        world.sync()
    assert seen[:3] == [None, seen[1], None]
    assert seen[1] is not None
    assert len(world.appointments()) == 6


def test_a_populate_longer_than_a_slice_goes_on_where_it_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(120):
        world.front_end.book(f"shoot-{number}", title=f"Shoot {number}", user_ids=["ann"], **span(number))
    world.join("ann", populate_calendar=True)
    checks = {"left": 2}

    def out_of_time(_: object) -> bool:
        checks["left"] -= 1
        return checks["left"] < 0

    monkeypatch.setattr("shared.services.run.Run.out_of_time", out_of_time)
    world.cloud.google.clear_requests()
    world.wish("ann")
    outcomes = []
    while (outcome := world.run("ann")) is not Outcome.NOTHING_DUE:
        outcomes.append(outcome)
        checks["left"] = 1
        progress = world.connection("ann").populate
        assert progress is None or progress.done <= progress.total
    assert outcomes == [Outcome.MORE, Outcome.MORE, Outcome.DONE]
    assert len(world.events("ann")) == 120
    lists = [r for r in world.cloud.google.requests if r.method_id == "calendar.events.list"]
    assert len(lists) == 1, "the listing is through: later slices do not ask again"


def test_a_run_that_was_taken_over_writes_nothing_more(ann: World, tap: Wiretap) -> None:
    """The first run stops in the middle, its lease runs out, another one does the work; then the first wakes up."""
    ann.edit("shoot", title="Renamed")
    store = ann.wiring.store
    settle = type(store).settle
    taken = {"over": False}

    def slow(self: object, *arguments: object) -> object:
        if not taken["over"]:
            taken["over"] = True
            ann.later(minutes=11)
            assert ann.run("ann") is Outcome.DONE
        return settle(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.adapters.firestore_store.FirestoreStore.settle", slow)
        assert ann.run("ann") is Outcome.TAKEN_OVER
    assert ann.titles("ann") == ["Renamed"]
    before = ann.picture()
    ann.sync()
    assert ann.picture() == before


def test_a_wish_in_the_middle_of_a_run_is_carried_out_by_the_next(ann: World) -> None:
    ann.edit("shoot", title="First")
    settle = type(ann.wiring.store).settle
    wished = {"already": False}

    def interrupted(self: object, *arguments: object) -> object:
        if not wished["already"]:
            wished["already"] = True
            ann.edit("shoot", title="Second")
        return settle(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.adapters.firestore_store.FirestoreStore.settle", interrupted)
        ann.run("ann")
    connection = ann.connection("ann")
    assert connection.due(ann.clock.now()), "due again by itself"
    while ann.run("ann") is not Outcome.NOTHING_DUE:
        pass
    assert ann.titles("ann") == ["Second"]


def test_a_mirror_finds_the_event_that_a_dead_run_left_behind(make_world: Callable[..., World], tap: Wiretap) -> None:
    world = make_world()
    world.join("ann", populate_calendar=True, two_way_appointments=False)
    world.sync()
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    tap.kill_at(1, "after", only=lambda call: call.service == "google" and call.method.startswith("POST /calendar"))
    with pytest.raises(Killed):
        world.run("ann")
    tap.disarm()
    assert world.titles("ann") == ["Shoot"]
    world.restart()
    world.later(minutes=11)
    world.edit("shoot", status="cancelled")
    world.sync()
    assert world.titles("ann") == []


def test_a_calendar_that_cannot_be_watched_syncs_by_interval_and_is_not_asked_again_each_time(world: World) -> None:
    google = world.cloud.google
    world.join("ann", populate_calendar=True)
    google.fail_next("calendar.events.watch", 400, "pushNotSupportedForRequestedResource")
    world.sync()
    due = world.connection("ann").next_sync_at
    assert due is not None
    assert due <= world.clock.now() + dt.timedelta(minutes=10)
    google.clear_requests()
    world.sync()
    assert [request.method_id for request in google.requests] == ["calendar.events.list"]
