"""What only looks like a deletion: nothing is verified, so nothing is deleted."""

import datetime as dt

import pytest

from shared.services.sync_calendar import Outcome, sync_calendar
from tests.end_to_end.coming_to_rest import settled, synced, writes
from tests.end_to_end.deleting import cancelled, deletes, event_of, nothing_taken_away, one_shoot, rests
from tests.soak import spread
from tests.world import World, google_span, span


@pytest.fixture
def ann(world: World) -> World:
    return one_shoot(world)


@pytest.fixture
def crowd(world: World) -> World:
    """Ann with a dozen shoots, and Ben with two of them and one of his own."""
    world.front_end.book_many({
        f"shoot-{n:02}": {"title": f"Shoot {n:02}", "user_ids": ["ann", "ben"] if n < 2 else ["ann"], **span(24 + n)}
        for n in range(12)
    })  # fmt: skip
    world.book("bens", title="Ben's", user_ids=["ben"], **span(5))
    for user_id in ("ann", "ben"):
        world.join(user_id, populate_calendar=True, populate_studio=True)
    world.sync()
    world.cloud.google.clear_requests()
    return world


@spread
@pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])
@pytest.mark.parametrize("how", ["no access", "deleted"])
def test_a_calendar_that_is_gone_pauses_the_connection_and_cancels_nothing(
    world: World, how: str, two_way: bool
) -> None:
    google = world.cloud.google
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.add("ann", populate_calendar=True, two_way_appointments=two_way)
    calendar_id = google.add_calendar(world.emails["ann"], "Work")
    world.set_up("ann", calendar_id=calendar_id)
    world.connect("ann")
    world.sync()
    assert [event["summary"] for event in world.person("ann").events(calendar_id)] == ["Shoot"]
    google.clear_requests()
    if how == "deleted":
        google.delete_calendar(calendar_id)
    else:
        google.set_access(world.emails["ann"], calendar_id, None)
    world.edit("shoot", title="Shoot, indoors")
    world.book("new", title="New", user_ids=["ann"], **span(4))
    assert world.run("ann") is Outcome.STOPPED
    connection = world.connection("ann")
    assert (connection.state, connection.state_reason) == ("paused", "calendar_gone")
    assert world.front_end.user("ann")["connection"] | {"id": ""} == {
        "id": "",
        "state": "paused",
        "reason": "calendar_gone",
    }
    assert world.below("ann", "links")["shoot"]["state"] == "paired"
    nothing_taken_away(world)
    if how == "deleted":
        return
    google.set_access(world.emails["ann"], calendar_id, "owner")
    world.connect("ann")
    world.sync()
    assert sorted(event["summary"] for event in world.person("ann").events(calendar_id)) == ["New", "Shoot, indoors"]
    nothing_taken_away(world)
    rests(world)


def test_an_event_that_answers_404_is_neither_cancelled_nor_doubled(ann: World) -> None:
    google, event_id = ann.cloud.google, event_of(ann, "shoot")
    google.hide_events(ann.emails["ann"], event_id)
    ann.edit("shoot", title="Shoot, indoors")
    settled(ann)
    nothing_taken_away(ann)
    assert "calendar.events.insert" not in {request.method_id for request in google.requests}
    google.show_events(ann.emails["ann"], event_id)
    ann.later(hours=1)
    settled(ann)
    assert event_of(ann, "shoot") == event_id
    assert ann.titles("ann") == ["Shoot, indoors"]
    nothing_taken_away(ann)
    rests(ann)


@pytest.mark.parametrize(
    "methods",
    [["calendar.events.patch"], ["calendar.events.delete"], ["calendar.events.patch", "calendar.events.get"]],
    ids=["patch", "delete", "patch, then get"],
)
def test_a_404_in_passing_changes_nothing(crowd: World, methods: list[str]) -> None:
    google, events = crowd.cloud.google, {event["summary"]: event["id"] for event in crowd.events("ann")}
    for method in methods:
        google.fail_next(method, 404, "notFound", times=2)
    crowd.edit("shoot-03", title="Shoot 03, indoors")
    crowd.edit("shoot-04", user_ids=["ben"])
    crowd.edit("shoot-05", title="Shoot 05, indoors")
    settled(crowd)
    crowd.later(hours=1)
    settled(crowd)
    assert cancelled(crowd) == set()
    events["Shoot 03, indoors"], events["Shoot 05, indoors"] = events.pop("Shoot 03"), events.pop("Shoot 05")
    del events["Shoot 04"]
    assert {event["summary"]: event["id"] for event in crowd.events("ann")} == events
    assert crowd.titles("ben") == ["Ben's", "Shoot 00", "Shoot 01", "Shoot 04"]
    rests(crowd)


def test_what_is_hidden_at_a_full_listing_is_cancelled_neither_then_nor_when_it_shows_again(crowd: World) -> None:
    google = crowd.cloud.google
    before = crowd.picture()
    hidden = [event["id"] for event in crowd.events("ann") if event["summary"] > "Shoot 05"]
    google.hide_events(crowd.emails["ann"], *hidden)
    google.expire_sync_tokens()
    for _ in range(2):
        crowd.wish("ann")
        crowd.run("ann")
    google.show_events(crowd.emails["ann"])
    settled(crowd)
    crowd.later(hours=1)
    settled(crowd)
    assert crowd.picture() == before
    nothing_taken_away(crowd)


def test_what_a_full_listing_lacks_and_a_get_does_not_find_is_gone_and_only_then_cancelled(ann: World) -> None:
    google = ann.cloud.google
    deletes(ann, "ann", "shoot")
    google.evict_tombstones(ann.emails["ann"])
    google.expire_sync_tokens()
    ann.wish("ann")
    ann.run("ann")
    assert cancelled(ann) == set(), "that the listing lacks it is no proof"
    assert "calendar.events.get" not in {request.method_id for request in google.requests}
    settled(ann)
    assert cancelled(ann) == {"shoot"}
    assert "calendar.events.get" in {request.method_id for request in google.requests}
    assert writes(ann) == []
    rests(ann)


def test_an_edit_whose_event_is_gone_without_a_trace_enters_it_again(ann: World) -> None:
    """The deletion was evicted with its tombstone: a 404 at the write, then no listing has it, nor a get."""
    google = ann.cloud.google
    deletes(ann, "ann", "shoot")
    google.evict_tombstones(ann.emails["ann"])
    ann.edit("shoot", title="Shoot, indoors")
    settled(ann)
    ann.later(hours=1)
    settled(ann)
    assert ann.titles("ann") == ["Shoot, indoors"]
    assert cancelled(ann) == set()
    rests(ann)


def test_an_empty_listing_after_a_lost_cursor_cancels_nothing(crowd: World) -> None:
    google = crowd.cloud.google
    before = crowd.picture()
    google.listings.next_listing_empty(crowd.emails["ann"])
    google.expire_sync_tokens()
    synced(crowd)
    assert crowd.picture() == before
    nothing_taken_away(crowd)
    assert writes(crowd) == []
    rests(crowd)


@spread
@pytest.mark.parametrize("sizes", [(3, 0, 2), (0, 0, 0)], ids=str)
@pytest.mark.parametrize("full", [True, False], ids=["full listing", "changes"])
def test_short_pages_cancel_nothing_and_lose_nothing(crowd: World, full: bool, sizes: tuple[int, ...]) -> None:
    google = crowd.cloud.google
    for one in ("shoot-04", "shoot-07", "shoot-09", "shoot-11"):
        crowd.person("ann").patch("primary", event_of(crowd, one), location="Roof")
    if full:
        google.expire_sync_tokens(crowd.emails["ann"])
    google.listings.next_page_sizes(*sizes)
    synced(crowd, "ann")
    synced(crowd)
    moved = sorted(one for one, document in crowd.appointments().items() if document.get("location") == "Roof")
    assert moved == ["shoot-04", "shoot-07", "shoot-09", "shoot-11"]
    nothing_taken_away(crowd)
    assert writes(crowd) == []
    rests(crowd)


def test_a_listing_whose_pages_die_half_way_cancels_nothing(crowd: World) -> None:
    google = crowd.cloud.google
    before = crowd.picture()
    google.expire_sync_tokens()
    google.listings.next_page_sizes(4, 4)
    listing = type(crowd.wiring.calendars.open("", crowd.connection("ann"))).listing
    pages: list[str | None] = []

    def dying(calendar: object, ends_after: dt.datetime, page: str | None) -> object:
        pages.append(page)
        if len(pages) == 2:
            google.expire_page_tokens()
        return listing(calendar, ends_after, page)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.adapters.google_calendar.GoogleCalendar.listing", dying)
        synced(crowd)
    assert len(pages) > 3
    assert crowd.picture() == before
    nothing_taken_away(crowd)


def test_another_account_connected_by_mistake_deletes_nothing_anywhere(crowd: World) -> None:
    google, right, before = crowd.cloud.google, crowd.connections["ann"], crowd.appointments()
    hers, email, third = crowd.events("ann"), crowd.emails["ann"], event_of(crowd, "shoot-03")
    wrong = f"wrong-{email}"
    google.add_account(wrong, "Wrong", "Europe/Berlin")
    crowd.emails["ann"] = wrong
    crowd.types("ann", summary="Of another life", **google_span(9))
    assert crowd.connect("ann") != right
    synced(crowd)
    sync_calendar(right, crowd.wiring.run_ports, crowd.wiring.channel_key)
    synced(crowd)
    nothing_taken_away(crowd)
    assert google.person(email).events() == hers
    assert crowd.titles("ann") == ["Of another life"]
    assert crowd.appointments() == before
    # Back to the right one: all as it was, and what happened meanwhile is made good.
    google.person(email).patch("primary", third, location="Roof")
    synced(crowd)
    crowd.emails["ann"] = email
    assert crowd.connect("ann") == right
    synced(crowd)
    assert crowd.titles("ann") == [f"Shoot {n:02}" for n in range(12)]
    assert crowd.appointments()["shoot-03"]["location"] == "Roof"
    assert cancelled(crowd) == set()
    assert len(crowd.appointments()) == len(before)
    rests(crowd)


def test_a_lost_cursor_with_deletions_meanwhile_cancels_just_these(crowd: World) -> None:
    google = crowd.cloud.google
    deletes(crowd, "ann", "shoot-00", "shoot-05", "shoot-06")
    google.expire_sync_tokens()
    synced(crowd)
    assert cancelled(crowd) == {"shoot-05", "shoot-06"}
    [item] = crowd.inbox().values()
    assert item["refs"]["appointment_id"] == "shoot-00"
    assert writes(crowd) == []
    rests(crowd)


def test_settings_that_change_what_is_read_delete_nothing(crowd: World) -> None:
    """Tentative and private entries that came in once are linked: they stay, whatever the filters say later."""
    crowd.set_up("ann", include_tentative=True)
    synced(crowd)
    maybe = crowd.types("ann", summary="Maybe", status="tentative", **google_span(7))
    crowd.types("ann", summary="Doctor", visibility="private", **google_span(8))
    synced(crowd)
    crowd.set_up("ann", include_tentative=False)
    synced(crowd)
    crowd.person("ann").patch("primary", maybe, location="Café")
    before = len(crowd.appointments())
    for setting, first in (
        ("include_tentative", True),
        ("private_details", True),
        ("two_way_appointments", False),
        ("populate_calendar", True),
        ("enabled", False),
    ):
        for value in (first, not first):
            crowd.set_up("ann", **{setting: value})
            settled(crowd)
        nothing_taken_away(crowd)
        assert (len(crowd.appointments()), len(crowd.events("ann"))) == (before, 14), setting
    rests(crowd)


def test_a_window_that_is_moved_deletes_nothing(crowd: World) -> None:
    before = crowd.appointments(), crowd.titles("ann")
    crowd.set_studio(**{"sync.past_days": 0})
    crowd.later(hours=30)
    for box in ("populate_calendar", "populate_studio"):
        crowd.set_up("ann", **{box: True})
        synced(crowd)
    crowd.cloud.google.expire_sync_tokens()
    synced(crowd)
    assert (crowd.appointments(), crowd.titles("ann")) == before
    nothing_taken_away(crowd)
