"""Two-way off (B2): the calendar shows the studio and is not read; turning two-way on takes nothing back in."""

from collections.abc import Callable
from typing import Any

import pytest

from local.wiretap import Killed, Wiretap
from shared.services.sync_calendar import Outcome
from tests.end_to_end.coming_to_rest import settled, writes
from tests.soak import few
from tests.world import World, google_span, span


@pytest.fixture
def mirror(world: World) -> World:
    """Ann's calendar mirrors three shoots."""
    for number in range(3):
        world.book(f"a{number}", title=f"A{number}", description="Lamp", user_ids=["ann"], **span(number + 1))
    world.join("ann", populate_calendar=True, two_way_appointments=False)
    world.sync()
    world.cloud.google.clear_requests()
    return world


# --- not read --------------------------------------------------------------------------------------------------------


def test_a_mirrored_calendar_is_neither_listed_nor_watched(mirror: World) -> None:
    patch(mirror, "A1", summary="Mine")
    mirror.types("ann", summary="Walk", **google_span(7))
    for wait in ({"minutes": 10}, {"hours": 25}, {"days": 31}):
        mirror.edit("a0", title=f"A0 {wait}")
        mirror.later(**wait)
        mirror.sync()
    assert {method for method, _ in calls(mirror)} == {"calendar.events.patch"}
    connection = mirror.connection("ann")
    assert (connection.channel, connection.cursors.calendar) == (None, None)
    assert channels_of(mirror) == []
    assert sorted(mirror.appointments()) == ["a0", "a1", "a2"]
    assert mirror.appointments()["a1"]["title"] == "A1"


def test_an_idle_mirror_calls_nobody(mirror: World) -> None:
    for _ in range(3):
        mirror.sync()
        mirror.later(hours=1)
    assert mirror.cloud.google.requests == []


# --- the studio's fields win at a write ------------------------------------------------------------------------------


def test_what_was_edited_there_is_put_right_when_the_studio_writes_and_what_is_not_ours_is_kept(
    mirror: World,
) -> None:
    """412: the event is another by now."""
    added = {
        "attendees": [{"email": "guest@example.com"}],
        "colorId": "5",
        "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 7}]},
    }
    patch(mirror, "A1", summary="Mine", location="Elsewhere", description=None, **google_span(9), **added)
    mirror.edit("a1", description="Lamp two")
    mirror.sync()
    event = event_of(mirror, "A1")
    assert (event["description"], event.get("location"), event["start"]) == (
        "Lamp two",
        None,
        started(mirror, 2),
    )
    assert [guest["email"] for guest in event["attendees"]] == ["guest@example.com"]
    assert (event["colorId"], event["reminders"]["overrides"]) == ("5", [{"method": "popup", "minutes": 7}])
    assert (412, "calendar.events.patch") in {(status, method) for method, status in calls(mirror)}
    found = mirror.appointments()["a1"]
    assert (found["title"], found["description"], found["start"]) == ("A1", "Lamp two", span(2)["start"])
    lost = {loser["value"] for entry in mirror.log("ann") for loser in entry["lost"]}
    assert {"Mine", "Elsewhere"} <= lost, "what a person wrote there is kept in the log"
    for request in mirror.cloud.google.requests:
        assert not (request.body or {}).keys() & added.keys()


@pytest.mark.parametrize("gone", ["deleted", "without a trace"])
def test_a_deletion_there_stays_until_the_studio_edits_it_and_then_it_is_entered_again(
    mirror: World, gone: str
) -> None:
    """410 or 404 at the write."""
    mirror.person("ann").delete("primary", event_of(mirror, "A1")["id"])
    if gone == "without a trace":
        mirror.cloud.google.evict_tombstones(mirror.emails["ann"])
    for wait in ({"hours": 1}, {"hours": 25}, {"days": 31}):
        mirror.later(**wait)
        mirror.sync()
    assert mirror.titles("ann") == ["A0", "A2"]
    assert mirror.appointments()["a1"]["status"] == "confirmed"
    mirror.edit("a1", location="Attic")
    mirror.sync()
    assert mirror.titles("ann") == ["A0", "A1", "A2"]
    event = event_of(mirror, "A1")
    assert (event["location"], event["description"]) == ("Attic", "Lamp")
    rests(mirror)


@pytest.mark.parametrize("gone", ["there", "edited", "deleted", "without a trace"])
def test_what_leaves_the_studio_leaves_the_mirror_however_it_is_found(mirror: World, gone: str) -> None:
    for title in ("A0", "A1", "A2"):
        if gone == "edited":
            patch(mirror, title, summary=f"Mine, {title}")
        elif gone != "there":
            mirror.person("ann").delete("primary", event_of(mirror, title)["id"])
    if gone == "without a trace":
        mirror.cloud.google.evict_tombstones(mirror.emails["ann"])
    mirror.edit("a0", status="cancelled")
    mirror.erase("a1")
    mirror.edit("a2", user_ids=["ben"])
    mirror.sync()
    assert mirror.titles("ann") == []
    assert mirror.below("ann", "outbox") == {}
    assert {link["state"] for link in mirror.below("ann", "links").values()} == {"gone"}
    if gone == "edited":
        lost = {loser["value"] for entry in mirror.log("ann") for loser in entry["lost"]}
        assert lost == {"Mine, A0", "Mine, A1", "Mine, A2"}
    rests(mirror)


def test_a_populate_in_a_mirror_enters_what_is_missing_and_puts_right_what_was_edited(mirror: World) -> None:
    patch(mirror, "A1", summary="Mine")
    mirror.person("ann").delete("primary", event_of(mirror, "A2")["id"])
    mirror.types("ann", summary="Walk", **google_span(7))
    mirror.set_up("ann", populate_calendar=True)
    settled(mirror)
    assert mirror.titles("ann") == ["A0", "A1", "A2", "Walk"]
    assert sorted(mirror.appointments()) == ["a0", "a1", "a2"]
    assert {document["title"] for document in mirror.appointments().values()} == {"A0", "A1", "A2"}
    rests(mirror)


def test_populating_the_studio_from_a_mirror_takes_in_once_and_reads_no_more(mirror: World) -> None:
    patch(mirror, "A1", summary="Mine")
    walk = mirror.types("ann", summary="Walk", **google_span(7))
    mirror.set_up("ann", populate_studio=True)
    settled(mirror)
    assert sorted(document["title"] for document in mirror.appointments().values()) == ["A0", "A1", "A2", "Walk"]
    mirror.person("ann").patch("primary", walk, location="Park")
    mirror.types("ann", summary="Run", **google_span(8))
    mirror.cloud.google.clear_requests()
    mirror.later(hours=25)
    mirror.sync()
    assert calls(mirror) == []
    [walk_id] = [one for one, document in mirror.appointments().items() if document["title"] == "Walk"]
    mirror.edit(walk_id, description="With Eve")
    mirror.sync()
    event = event_of(mirror, "Walk")
    assert (event["description"], event.get("location")) == ("With Eve", None), "the studio's fields win"
    assert len(mirror.appointments()) == 4


# --- turned off ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ann(world: World) -> World:
    """Ann, both ways, with two shoots."""
    for number in range(2):
        world.book(f"a{number}", title=f"A{number}", user_ids=["ann"], **span(number + 1))
    world.join("ann", populate_calendar=True)
    world.sync()
    return world


def test_turned_off_the_channel_is_stopped_and_the_place_forgotten(ann: World) -> None:
    assert channels_of(ann) == [ann.connection("ann").channel.id]  # type: ignore[union-attr]
    turn(ann, on=False)
    assert channels_of(ann) == []
    connection = ann.connection("ann")
    assert (connection.channel, connection.cursors.calendar, connection.state) == (None, None, "connected")
    due = connection.next_sync_at
    assert due is not None
    assert (due - ann.clock.now()).total_seconds() <= 600, "from now on by the studio's interval"
    ann.cloud.google.clear_requests()
    patch(ann, "A0", summary="Mine")
    ann.later(hours=25)
    ann.sync()
    assert ann.cloud.google.requests == []
    assert ann.appointments()["a0"]["title"] == "A0"


def test_turned_off_before_the_first_listing_was_through_the_channel_is_stopped_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.join("ann")
    world.cloud.google.fail_next("calendar.events.list", 503, "backendError")
    world.wish("ann")
    assert world.run("ann") is Outcome.LATER
    assert len(channels_of(world)) == 1
    turn(world, on=False)
    assert channels_of(world) == []
    assert world.connection("ann").channel is None
    turn(world, on=True)
    assert len(channels_of(world)) == 1


# --- turned on -------------------------------------------------------------------------------------------------------


def before_and_after(world: World) -> None:
    """What happens in the mirror, then two-way on, then the same once more."""
    patch(world, "A0", summary="Mine", **google_span(9))
    world.person("ann").delete("primary", event_of(world, "A1")["id"])
    world.types("ann", summary="Walk", **google_span(7))


def test_turned_on_what_happened_before_stays_and_what_happens_later_comes_in(mirror: World) -> None:
    before_and_after(mirror)
    mirror.edit("a2", location="Attic")
    turn(mirror, on=True)
    settled(mirror)
    assert studio(mirror) == {"a0": "A0", "a1": "A1", "a2": "A2"}
    assert {document["status"] for document in mirror.appointments().values()} == {"confirmed"}
    assert mirror.titles("ann") == ["A2", "Mine", "Walk"]
    assert mirror.inbox() == {}
    assert len(channels_of(mirror)) == 1
    rests(mirror)
    mirror.cloud.google.expire_sync_tokens()
    mirror.later(days=31)
    rests(mirror)
    # From now on.
    patch(mirror, "Mine", location="Park")
    patch(mirror, "Walk", location="Wood")
    mirror.types("ann", summary="Run", **google_span(8))
    mirror.person("ann").delete("primary", event_of(mirror, "A2")["id"])
    mirror.edit("a1", description="Lamp two")
    settled(mirror)
    found = mirror.appointments()
    assert (found["a0"]["title"], found["a0"]["location"], found["a0"]["start"]) == ("A0", "Park", span(1)["start"])
    assert found["a2"]["status"] == "cancelled"
    assert sorted(studio(mirror).values()) == ["A0", "A1", "A2", "Run", "Walk"]
    assert mirror.titles("ann") == ["A1", "Mine", "Run", "Walk"], "the edit entered A1 again"
    rests(mirror)


def test_turned_on_a_pending_edit_of_the_studio_goes_out_field_by_field(mirror: World) -> None:
    patch(mirror, "A0", summary="Mine", location="Elsewhere")
    mirror.edit("a0", description="Lamp two")
    mirror.person("ann").delete("primary", event_of(mirror, "A1")["id"])
    mirror.edit("a1", description="Lamp three")
    turn(mirror, on=True)
    settled(mirror)
    [event] = [one for one in mirror.events("ann") if one.get("description") == "Lamp two"]
    assert (event["summary"], event["location"]) == ("Mine", "Elsewhere")
    assert event_of(mirror, "A1")["description"] == "Lamp three"
    assert mirror.appointments()["a0"]["title"] == "A0"
    rests(mirror)


def test_turned_on_together_with_a_populate_everything_there_comes_in(mirror: World) -> None:
    mirror.types("ann", summary="Walk", **google_span(7))
    mirror.set_up("ann", two_way_appointments=True, populate_studio=True)
    settled(mirror)
    assert sorted(studio(mirror).values()) == ["A0", "A1", "A2", "Walk"]
    rests(mirror)


def test_off_and_on_twice_each_time_between_stays_out_and_the_rest_is_in_step(ann: World) -> None:
    """Without moving the clock: Google's does not move with it, and says when an entry was typed."""
    for turns in range(2):
        ann.types("ann", summary=f"Read {turns}", **google_span(10 + turns))
        ann.sync()
        turn(ann, on=False)
        ann.types("ann", summary=f"Unread {turns}", **google_span(20 + turns))
        patch(ann, "A0", location=f"Unread {turns}")
        ann.edit("a1", description=f"Edit {turns}")
        ann.sync()
        turn(ann, on=True)
        ann.sync()
        assert len(channels_of(ann)) == 1
    assert sorted(studio(ann).values()) == ["A0", "A1", "Read 0", "Read 1"]
    assert "location" not in ann.appointments()["a0"]
    assert event_of(ann, "A0")["location"] == "Unread 1"
    assert event_of(ann, "A1")["description"] == "Edit 1"
    patch(ann, "A0", location="Read")
    ann.sync()
    assert ann.appointments()["a0"]["location"] == "Read"
    assert not {document["title"] for document in ann.appointments().values()} & {"Unread 0", "Unread 1"}
    rests(ann)


def test_a_lost_cursor_later_takes_in_nothing_of_the_time_without_reading(ann: World) -> None:
    ann.set_up("ann", populate_studio=True)
    settled(ann)
    turn(ann, on=False)
    ann.types("ann", summary="Unread", **google_span(20))
    turn(ann, on=True)
    ann.cloud.google.expire_sync_tokens()
    settled(ann)
    ann.later(days=31)
    settled(ann)
    assert sorted(studio(ann).values()) == ["A0", "A1"]


@few
@pytest.mark.parametrize("number", [1, 3, 5, 6, 7])
def test_killed_in_the_middle_of_the_baseline_it_takes_in_nothing_either(
    make_world: Callable[..., World], tap: Wiretap, number: int
) -> None:
    world = make_world()
    for n in range(3):
        world.book(f"a{n}", title=f"A{n}", description="Lamp", user_ids=["ann"], **span(n + 1))
    world.join("ann", populate_calendar=True, two_way_appointments=False)
    world.sync()
    before_and_after(world)
    world.cloud.google.listings.next_page_sizes(1, 1)
    world.set_up("ann", two_way_appointments=True)
    tap.kill_at(2 * number, "after")
    try:
        for _ in range(3):
            world.run("ann")
    except Killed:
        pass
    else:
        pytest.fail("it was over before it could be killed")
    tap.disarm()
    world.cloud.google.listings.next_page_sizes()
    world.restart()
    world.later(minutes=11)
    settled(world)
    assert studio(world) == {"a0": "A0", "a1": "A1", "a2": "A2"}
    assert world.titles("ann") == ["A2", "Mine", "Walk"]
    assert {document["status"] for document in world.appointments().values()} == {"confirmed"}
    patch(world, "Mine", location="Park")
    settled(world)
    assert world.appointments()["a0"]["location"] == "Park"
    rests(world)


# --- common ----------------------------------------------------------------------------------------------------------


def turn(world: World, *, on: bool) -> None:
    world.set_up("ann", two_way_appointments=on)
    world.sync()


def patch(world: World, title: str, **fields: Any) -> None:
    world.person("ann").patch("primary", event_of(world, title)["id"], **fields)


def event_of(world: World, title: str) -> dict[str, Any]:
    [event] = [event for event in world.events("ann") if event["summary"] == title]
    return event


def started(world: World, hours: float) -> dict[str, str]:
    """The start of an event as its owner sees it, by a throw-away entry at that time."""
    probe = world.person("ann").insert(summary="Probe", **google_span(hours))
    world.person("ann").delete("primary", probe["id"])
    return dict(probe["start"])


def studio(world: World) -> dict[str, str]:
    return {one: document["title"] for one, document in world.appointments().items()}


def calls(world: World) -> list[tuple[str, int]]:
    """Method and status of each call to the calendar's API, since the requests were last cleared."""
    requests = [one for one in world.cloud.google.requests if one.method_id.startswith("calendar.")]
    return [(one.method_id, one.status) for one in requests]


def channels_of(world: World) -> list[str]:
    """Ids of the channels that Google holds open for Ann's calendar."""
    return [one.id for one in world.cloud.google.push.channels() if one.email == world.emails["ann"]]


def rests(world: World) -> None:
    """Both sides agree: further runs write nothing to the calendar, and change nothing in the studio."""
    settled(world)
    before = world.picture()
    world.cloud.google.clear_requests()
    world.sync()
    assert world.picture() == before
    assert writes(world) == []
