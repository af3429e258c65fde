"""An account that lost a right to its calendar, and has it again: nothing is concluded from what is not seen."""

import pytest

from shared.services.sync_calendar import Outcome
from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.deleting import nothing_taken_away, rests
from tests.soak import few
from tests.world import World, google_span, span


@pytest.fixture
def shared(world: World) -> World:
    """Ann, in step with a calendar that somebody shares with her."""
    world.add("ann", populate_calendar=True)
    calendar_id = world.cloud.google.add_calendar(world.emails["ann"], "Work")
    world.set_up("ann", calendar_id=calendar_id)
    for number in range(3):
        world.book(f"shoot-{number}", title=f"Shoot {number}", user_ids=["ann"], **span(3 + number))
    world.connect("ann")
    world.sync()
    world.cloud.google.clear_requests()
    return world


def events(world: World) -> dict[str, str]:
    """Title to event id in the shared calendar."""
    calendar_id = world.connection("ann").calendar_id
    return {event["summary"]: event["id"] for event in world.person("ann").events(calendar_id)}


@few
@pytest.mark.parametrize(
    ("role", "reason"), [("reader", "forbidden"), ("freeBusyReader", "forbidden"), (None, "calendar_gone")]
)
@pytest.mark.parametrize("wished", ["sync now", "edit"])
def test_what_may_only_be_read_stops_the_run_deletes_nothing_and_goes_on_at_a_wish_once_access_is_back(
    shared: World, role: str | None, reason: str, wished: str
) -> None:
    google, calendar_id = shared.cloud.google, shared.connection("ann").calendar_id
    google.set_access(shared.emails["ann"], calendar_id, role)
    shared.wish("ann")
    assert shared.run("ann") is Outcome.STOPPED
    connection = shared.connection("ann")
    assert (connection.state, connection.state_reason, connection.next_sync_at) == ("paused", reason, None)
    assert shared.front_end.user("ann")["connection"]["reason"] == reason
    shared.edit("shoot-0", title="Shoot 0, indoors")
    shared.sync()
    nothing_taken_away(shared)
    google.set_access(shared.emails["ann"], calendar_id, "writer")
    shared.person("ann").delete(calendar_id, events(shared)["Shoot 1"])
    shared.person("ann").insert(calendar_id, summary="Typed", **google_span(9))
    if wished == "edit":
        shared.edit("shoot-2", location="Roof")
    else:
        shared.set_up("ann", requested_at=shared.clock.now())
    synced(shared)
    assert sorted(events(shared)) == ["Shoot 0, indoors", "Shoot 2", "Typed"]
    statuses = {one["title"]: one["status"] for one in shared.appointments().values()}
    assert statuses == {
        "Shoot 0, indoors": "confirmed",
        "Shoot 1": "cancelled",
        "Shoot 2": "confirmed",
        "Typed": "confirmed",
    }
    assert shared.front_end.user("ann")["connection"]["state"] == "connected"
    rests(shared)


def test_the_right_to_write_is_seen_where_the_calendar_is_read_at_the_cost_of_no_further_call(shared: World) -> None:
    shared.sync()
    assert [one.method_id for one in shared.cloud.google.requests] == ["calendar.events.list"]
    assert "accessRole" in shared.cloud.google.requests[0].query["fields"]
