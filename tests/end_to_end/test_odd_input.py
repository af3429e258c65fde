"""Documents and entries of odd size and form, and answers at odd moments: none of them stops the others."""

import datetime as dt
from collections.abc import Callable

import pytest

from shared.adapters.firestore_store import FirestoreStore
from shared.adapters.google_calendar import GoogleCalendar
from shared.domain.errors import RateLimited, Stale, Unavailable
from shared.services.sync_calendar import Outcome
from shared.wiring import Wiring
from tests.world import CLIENT, World, google_span, span


@pytest.fixture
def ann(world: World) -> World:
    """Ann with one shoot, populated and in step."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    return world


def run_on(world: World, user_id: str = "ann", *, hours: int = 4) -> list[Outcome]:
    """A wish an hour, and one run for each."""
    outcomes = []
    for _ in range(hours):
        world.wish(user_id)
        outcomes.append(world.run(user_id))
        world.later(hours=1)
    return outcomes


def refusing(monkeypatch: pytest.MonkeyPatch, title: str) -> None:
    """Google answers 500 to every write of one entry, and does all others."""
    write = GoogleCalendar.write

    def but_one(calendar: GoogleCalendar, writes: list[object]) -> list[object]:
        sick = [
            place for place, one in enumerate(writes) if getattr(getattr(one, "content", None), "title", "") == title
        ]
        outcomes = write(calendar, [one for place, one in enumerate(writes) if place not in sick])  # type: ignore[misc]
        for place in sick:
            outcomes.insert(place, Unavailable("Google Calendar answered 500"))
        return outcomes  # type: ignore[return-value]

    monkeypatch.setattr(GoogleCalendar, "write", but_one)


@pytest.mark.parametrize("user_id", ["", "a/b", "__x__", "x" * 1600], ids=["empty", "slash", "reserved", "endless"])
def test_an_impossible_user_id_keeps_nobody_elses_calendar_waiting(ann: World, user_id: str) -> None:
    ann.book("new", title="New", user_ids=["ann", user_id], **span(4))
    ann.sync()
    assert "New" in ann.titles("ann")


@pytest.mark.parametrize("client_id", ["", "a/b", "__x__"])
def test_an_impossible_client_id_stops_no_populate(world: World, client_id: str) -> None:
    world.book("one", title="One", user_ids=["ann"], client_id=client_id, **span(4))
    world.add("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="Two", **google_span(4))
    world.connect("ann")
    world.sync()
    assert [one["kind"] for one in world.inbox().values()] == ["pair"], "nothing tells that they are the same"


@pytest.mark.parametrize("appointment_id", ["a b", "a.b.c", "ü'\"\\", "a%20b", "🎈" * 100, "event:x", "x`y*[]~"])
def test_an_appointment_may_have_any_id_that_firestore_takes(ann: World, appointment_id: str) -> None:
    ann.book(appointment_id, title="Odd", user_ids=["ann"], **span(4))
    ann.sync()
    odd = next(event for event in ann.events("ann") if event["summary"] == "Odd")
    ann.person("ann").patch("primary", odd["id"], summary="Odder")
    ann.sync()
    assert ann.appointments()[appointment_id]["title"] == "Odder"
    ann.edit(appointment_id, status="cancelled")
    ann.sync()
    assert ann.titles("ann") == ["Shoot"]
    assert len(ann.appointments()) == 2


def test_an_id_too_long_for_the_seal_is_parked(ann: World) -> None:
    ann.book("a" * 1100, title="Long id", user_ids=["ann"], **span(4))
    ann.sync()
    [parked] = ann.below("ann", "parked").values()
    assert (parked["reason"], parked["field"]) == ("invalid", "id")


def test_a_log_longer_than_a_document_is_kept_in_several(ann: World) -> None:
    bookings = {
        f"a{n}": {"title": f"A{n}", "description": "я" * 8000, "user_ids": ["ann"], **span(5 + n)} for n in range(80)
    }
    ann.front_end.book_many(bookings)
    ann.set_up("ann", populate_calendar=True)
    ann.sync()
    for event in ann.events("ann"):
        if event["summary"] != "Shoot":
            ann.person("ann").patch("primary", event["id"], description="short")
    ann.sync()
    assert sum(document.get("description") == "short" for document in ann.appointments().values()) == 80
    changed = [entry for entry in ann.log("ann") if entry["reason"] == "changed_in_calendar"]
    assert len(changed) == 80
    assert all(len(entry["studio_before"]["description"]) == 8000 for entry in changed)


def test_an_appointment_too_large_to_be_kept_in_step_is_parked_and_the_others_go_on(ann: World) -> None:
    ann.book("huge", title="Huge", description="x" * 1_042_000, user_ids=["ann"], **span(5))
    ann.book("fine", title="Fine", user_ids=["ann"], **span(6))
    ann.sync()
    parked = ann.below("ann", "parked")["huge"]
    assert parked["reason"] == "invalid"
    assert "too large" in parked["detail"]
    assert "Fine" in ann.titles("ann")
    assert ann.connection("ann").failures == 0


def test_a_text_that_google_cuts_is_not_cut_in_the_studio_though_the_answer_was_lost(ann: World) -> None:
    ann.book("long", title="Long", description="x" * 9000, user_ids=["ann"], **span(4))
    ann.cloud.google.fail_next("calendar.events.insert", 503, "backendError", after_effect=True)
    run_on(ann)
    assert len(ann.appointments()["long"]["description"]) == 9000
    assert ann.titles("ann") == ["Long", "Shoot"]


def test_half_an_emoji_in_a_title_stops_nothing(ann: World) -> None:
    ann.types("ann", summary="cut \ud83d", **google_span(5))
    ann.types("ann", summary="Fine", **google_span(6))
    ann.sync()
    assert {"cut �", "Fine"} <= {document["title"] for document in ann.appointments().values()}


def test_a_user_named_twice_is_one_user(ann: World) -> None:
    ann.book("twice", title="Twice", user_ids=["ann", "ann"], **span(6))
    ann.sync()
    twice = next(event for event in ann.events("ann") if event["summary"] == "Twice")
    ann.person("ann").delete("primary", twice["id"])
    ann.sync()
    assert ann.appointments()["twice"]["status"] == "cancelled"


def test_the_same_title_and_time_is_not_paired_where_nobody_asked_for_a_populate(world: World) -> None:
    world.book("old", title="Old", description="studio's text", user_ids=["ann"], **span(4))
    world.add("ann")
    world.types("ann", summary="old", description="private text", **google_span(4))
    world.connect("ann")
    world.sync()
    [event] = world.events("ann")
    assert (event["summary"], event["description"]) == ("old", "private text")


def test_one_entry_that_google_never_answers_for_stops_neither_the_populate_nor_later_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, "Poison")
    world.book("poison", title="Poison", user_ids=["ann"], **span(4))
    world.book("fine", title="Fine", user_ids=["ann"], **span(5))
    world.add("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="poison", description="On a page of the listing", **google_span(4))
    world.connect("ann")
    run_on(world)
    world.types("ann", summary="Typed later", **google_span(9))
    world.edit("fine", title="Fine still")
    run_on(world)
    assert world.front_end.user("ann")["sync"]["populate_calendar"] is False
    assert world.titles("ann") == ["Fine still", "Typed later", "poison"]
    assert "Typed later" in {document["title"] for document in world.appointments().values()}
    run_on(world, hours=20)
    assert world.below("ann", "parked")["poison"]["reason"] == "refused_by_provider"


def test_a_wish_in_mid_run_does_not_cut_googles_pause_short(ann: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refuse(_: GoogleCalendar, writes: list[object]) -> list[RateLimited]:
        calls.append(len(writes))
        ann.wish("ann")
        return [RateLimited("429", dt.timedelta(minutes=5)) for _ in writes]

    monkeypatch.setattr(GoogleCalendar, "write", refuse)
    ann.edit("shoot", title="Renamed")
    outcomes = [ann.run("ann") for _ in range(4)]
    assert outcomes == [Outcome.LATER, *[Outcome.NOTHING_DUE] * 3]
    assert calls == [1]


def test_connecting_again_is_seen_by_an_instance_that_is_still_warm(ann: World) -> None:
    ann.cloud.google.remove_app_access(ann.emails["ann"], CLIENT[0])
    ann.wish("ann")
    assert ann.run("ann") is Outcome.STOPPED
    warm = ann.wiring
    ann.wiring = Wiring(warm.settings)  # Connecting happens elsewhere: the web page is another function.
    ann.connect("ann")
    ann.wiring = warm
    assert ann.run("ann") is Outcome.DONE
    assert ann.connection("ann").state == "connected"


def test_switching_the_calendar_and_back_doubles_nothing_of_what_was_edited_meanwhile(ann: World) -> None:
    first = ann.connections["ann"]
    second = ann.cloud.google.add_calendar(ann.emails["ann"], "Second")
    ann.front_end.set_up("ann", calendar_id=second)
    assert ann.connect("ann") != first
    ann.sync()
    ann.edit("shoot", title="Renamed while on the second")
    ann.sync()
    ann.front_end.set_up("ann", calendar_id=ann.emails["ann"])
    assert ann.connect("ann") == first
    ann.sync()
    in_second = [event["summary"] for event in ann.person("ann").events(second)]
    assert (ann.titles("ann"), in_second) == ([], ["Renamed while on the second"])


def test_populating_again_in_slices_asks_for_no_event_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.front_end.book_many({f"a{n}": {"title": f"A{n}", "user_ids": ["ann"], **span(n)} for n in range(60)})
    world.join("ann", populate_calendar=True)
    world.sync()
    world.front_end.book_many({f"b{n}": {"title": f"B{n}", "user_ids": ["ann"], **span(n)} for n in range(120)})
    world.set_up("ann", populate_calendar=True)
    checks = iter([False, False, *[True, False] * 50])
    monkeypatch.setattr("shared.services.run.Run.out_of_time", lambda _: next(checks))
    world.cloud.google.clear_requests()
    while world.run("ann") is not Outcome.NOTHING_DUE:
        pass
    methods = [request.method_id for request in world.cloud.google.requests]
    assert "calendar.events.get" not in methods
    assert len(world.events("ann")) == 180


def test_the_latest_edit_wins_in_a_full_listing_too(make_world: Callable[..., World]) -> None:
    world = make_world(sync={"clash_policy": "latest"})
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    world.edit("shoot", title="Studio's, earlier")
    world.person("ann").patch("primary", event["id"], summary="Calendar's, later")
    world.cloud.google.expire_sync_tokens(world.emails["ann"])
    world.sync()
    assert world.titles("ann") == ["Calendar's, later"]


def test_the_log_tells_only_what_was_stored(ann: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The studio edits the very field that the run is about to write: that write is refused, and never happened."""
    [event] = ann.events("ann")
    ann.person("ann").patch("primary", event["id"], summary="Calendar's")
    settle = FirestoreStore.settle
    edited = []

    def late(store: FirestoreStore, *arguments: object) -> object:
        if not edited:
            edited.append(True)
            ann.front_end.edit("shoot", title="Studio's")
        return settle(store, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FirestoreStore, "settle", late)
    run_on(ann, hours=2)
    assert ann.titles("ann") == ["Studio's"]
    told = {(entry["reason"], entry["studio"], entry["calendar"]) for entry in ann.log("ann")}
    assert told == {("created_in_studio", None, "insert"), ("changed_in_studio", None, "patch")}


def test_a_claim_whose_answer_was_lost_is_a_claim(ann: World, monkeypatch: pytest.MonkeyPatch) -> None:
    update = FirestoreStore.update_connection
    lost = []

    def twice(store: FirestoreStore, *arguments: object, **named: object) -> object:
        version = update(store, *arguments, **named)  # type: ignore[arg-type]
        if not lost:
            lost.append(True)
            raise Stale("the client's own second try")
        return version

    ann.edit("shoot", title="Renamed")
    monkeypatch.setattr(FirestoreStore, "update_connection", twice)
    assert ann.run("ann") is Outcome.DONE
    assert ann.titles("ann") == ["Renamed"]
