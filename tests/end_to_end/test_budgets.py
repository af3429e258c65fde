"""What a run may cost, counted: calls to Google, document reads and writes."""

import datetime as dt
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.wiretap import Wiretap
from shared.domain.channel_health import needs_new
from shared.services.sync_calendar import Outcome
from tests.world import World, google_span, span


@pytest.fixture
def settled(world: World) -> World:
    """Ann, populated, with everything in step."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    world.sync()
    return world


def test_an_idle_run_costs_one_calendar_call_four_reads_and_two_writes(settled: World, tap: Wiretap) -> None:
    settled.wish("ann")
    tap.reset()
    settled.run("ann")
    counted = tap.summary()
    google = {method: count for method, count in counted["methods"].items() if method.startswith("google")}
    assert google == {"google GET /calendar/v3/calendars/{}/events": 1}
    assert counted["document_reads"] <= 4
    assert counted["document_writes"] <= 2
    assert counted["services"].keys() == {"google", "firestore"}


def test_a_cold_instance_adds_one_secret_and_one_token(settled: World, tap: Wiretap) -> None:
    settled.wish("ann")
    settled.restart()
    tap.reset()
    settled.run("ann")
    counted = tap.summary()
    assert counted["services"]["secrets"] == 1
    assert counted["methods"]["google POST /token"] == 1
    assert counted["services"]["google"] == 2
    assert counted["document_reads"] <= 4


def test_idle_runs_write_nothing_but_their_own_claim_and_finish(settled: World, tap: Wiretap) -> None:
    before = settled.picture(), settled.appointments()
    for _ in range(10):
        settled.wish("ann")
        tap.reset()
        settled.run("ann")
        assert tap.summary()["document_writes"] == 2
    assert (settled.picture(), settled.appointments()) == before


def test_one_changed_appointment_is_one_write_to_the_calendar_and_no_read_before_it(
    settled: World, tap: Wiretap
) -> None:
    settled.edit("shoot", title="Shoot, renamed")
    settled.cloud.google.clear_requests()
    settled.run("ann")
    methods = [request.method_id for request in settled.cloud.google.requests]
    assert methods == ["calendar.events.list", "calendar.events.patch"]


@pytest.mark.parametrize("number", [49, 50, 51, 120])
def test_populating_takes_a_request_out_per_fifty_appointments_and_one_page_in(world: World, number: int) -> None:
    bookings = {f"a{n:03}": {"title": f"Shoot {n}", "user_ids": ["ann"], **span(n)} for n in range(number)}
    world.front_end.book_many(bookings)
    world.join("ann", populate_calendar=True)
    google = world.cloud.google
    google.clear_requests()
    world.sync()
    lists = [request for request in google.requests if request.method_id == "calendar.events.list"]
    inserts = [request for request in google.requests if request.method_id == "calendar.events.insert"]
    watches = [request for request in google.requests if request.method_id == "calendar.events.watch"]
    tokens = [request for request in google.requests if request.method_id == "oauth2.token"]
    assert len(inserts) == number
    assert len(lists) == 1
    assert google.http_requests - len(lists) - len(watches) - len(tokens) <= math.ceil(number / 50)
    assert len(world.events("ann")) == number


def test_a_listing_of_many_short_pages_reads_each_of_them_once(world: World) -> None:
    world.add("ann", populate_studio=True)
    for number in range(12):
        world.types("ann", summary=f"Entry {number}", **google_span(number))
    world.cloud.google.listings.next_page_sizes(5, 0, 4)
    world.connect("ann")
    world.cloud.google.clear_requests()
    world.sync()
    lists = [request for request in world.cloud.google.requests if request.method_id == "calendar.events.list"]
    assert len(lists) == 4
    assert len(world.appointments()) == 12


def test_a_burst_of_wishes_writes_once(settled: World, tap: Wiretap) -> None:
    tap.reset()
    for _ in range(200):
        settled.wish("ann")
    counted = tap.summary()
    assert counted["document_writes"] == 1
    assert counted["services"]["tasks"] == 1


def test_imports_are_stored_many_at_a_time(world: World, tap: Wiretap) -> None:
    world.add("ann", populate_studio=True)
    for number in range(150):
        world.types("ann", summary=f"Entry {number}", **google_span(number))
    world.connect("ann")
    tap.reset()
    world.sync()
    assert tap.summary()["methods"]["firestore Commit"] <= 10
    assert len(world.appointments()) == 150


def test_a_days_idle_syncing_with_a_live_channel_takes_at_most_six_calls(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A week and a day of it, so that the channel's renewal is among them."""
    monkeypatch.setattr(world.cloud.google.push, "_now", world.clock.now)
    world.join("ann", populate_calendar=True)
    run_and_say_sync(world)
    world.sync()
    days = []
    for _ in range(8):
        world.cloud.google.clear_requests()
        end = world.clock.now() + dt.timedelta(days=1)
        while (due := world.connection("ann").next_sync_at) is not None and due < end:
            world.clock.ahead += due - world.clock.now()
            if needs_new(world.connection("ann"), world.clock.now()):
                run_and_say_sync(world)
            else:
                world.run("ann")
        calls = [one.method_id for one in world.cloud.google.requests]
        days.append([call for call in calls if call.startswith("calendar.")])
        world.clock.ahead += end - world.clock.now()
    assert max(len(calls) for calls in days) <= 6
    assert max(calls.count("calendar.events.list") for calls in days) == 4
    assert [call for calls in days for call in calls if call != "calendar.events.list"] == [
        "calendar.events.watch",
        "calendar.channels.stop",
    ]


def run_and_say_sync(world: World) -> None:
    """A run that opens a channel, whose first message comes in the middle of it, as it usually does."""
    before = world.connection("ann").channel
    world.cloud.google.slow_next("calendar.events.list", 0.5)
    with ThreadPoolExecutor(max_workers=1) as pool:
        run = pool.submit(world.run, "ann")
        while (channel := world.connection("ann").channel) is None or (before and channel.id == before.id):
            assert not run.done()
        assert world.push("ann", "sync") == "opened"
        assert run.result(10) is Outcome.DONE


# --- looking back ----------------------------------------------------------------------------------------------------


def counted_run(world: World, tap: Wiretap) -> dict[str, Any]:
    """The run that is due, counted: by method, and documents read and written."""
    tap.reset()
    assert world.run("ann") is Outcome.DONE
    counted = tap.summary()
    google = {method: count for method, count in counted["methods"].items() if method.startswith("google")}
    return {"google": google, "reads": counted["document_reads"], "writes": counted["document_writes"]}


@pytest.fixture
def make_settled(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Ann with 20 appointments in step, and Ben with as many; the last look back found nothing new."""
    monkeypatch.setattr(world.cloud.google.push, "_now", world.clock.now)

    def make(*, two_way: bool) -> World:
        for user_id in ("ann", "ben"):
            bookings = {f"{user_id}-{n}": {"title": f"A{n}", "user_ids": [user_id], **span(n)} for n in range(20)}
            world.front_end.book_many(bookings)
        world.join("ann", populate_calendar=True, two_way_appointments=two_way)
        for _ in range(2):
            world.sync()
            world.later(hours=25)
        world.sync()
        return world

    return make


LIST = "google GET /calendar/v3/calendars/{}/events"
MODES = pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])


@MODES
def test_the_daily_look_back_costs_one_read_more_than_an_idle_run_if_nothing_has_changed(
    make_settled: Callable[..., World], tap: Wiretap, *, two_way: bool
) -> None:
    """Firestore bills one read for a query that finds nothing: that is the fifth."""
    settled = make_settled(two_way=two_way)
    one_list = {LIST: 1} if two_way else {}
    settled.later(hours=6.1)
    assert counted_run(settled, tap) == {"google": one_list, "reads": 4, "writes": 2}
    settled.later(hours=25)
    assert counted_run(settled, tap) == {"google": one_list, "reads": 5, "writes": 2}
    settled.later(hours=6.1)
    assert counted_run(settled, tap) == {"google": one_list, "reads": 4, "writes": 2}


@MODES
def test_the_monthly_listing_costs_one_call_and_each_document_of_this_user_once(
    make_settled: Callable[..., World], tap: Wiretap, *, two_way: bool
) -> None:
    settled = make_settled(two_way=two_way)
    settled.cloud.google.clear_requests()
    settled.later(days=31)
    counted = counted_run(settled, tap)
    calls = [one.method_id for one in settled.cloud.google.requests if one.method_id.startswith("calendar.")]
    assert [call for call in calls if not call.endswith((".watch", ".stop"))] == ["calendar.events.list"] * two_way
    # What an idle run reads; 20 appointments, and two queries of the three that find nothing; 20 links; and whether the
    # first message of the channel, opened anew, has come.
    assert counted["reads"] <= 4 + 20 + 2 + 20 + two_way
    assert counted["writes"] <= 5, "the claim, a channel anew, a page done, the finish"
    settled.later(hours=6.1)
    counted = counted_run(settled, tap)
    assert (counted["reads"], counted["writes"]) == (4, 2)


def test_a_daily_look_back_reads_what_has_changed_in_the_studio_and_links_of_its_own_only(
    make_settled: Callable[..., World], tap: Wiretap
) -> None:
    settled = make_settled(two_way=True)
    for number in range(20):
        document = settled.firestore.document(f"studios/atelier/appointments/ben-{number}")
        document.update({"title": "Renamed", "updated_at": settled.clock.now()})
    settled.later(hours=25)
    # What a look back reads that finds nothing, less the read for nothing; 20 documents, and whether Ann had any.
    assert counted_run(settled, tap) == {"google": {LIST: 1}, "reads": 4 + 20 + 20, "writes": 2}
