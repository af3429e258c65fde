"""A person's answer about one user, and what it must not do to another, or after a setting was changed."""

from shared.domain.reasons import Reason
from tests.end_to_end.coming_to_rest import synced
from tests.end_to_end.deleting import cancelled, deletes, hold
from tests.world import World, google_span, span

CROWD = [f"a{number:02}" for number in range(12)]


def crowd(world: World, *user_ids: str) -> None:
    for number, one in enumerate(CROWD):
        world.book(one, title=one, user_ids=list(user_ids), **span(number + 2))
    for user_id in user_ids:
        world.join(user_id, populate_calendar=True)
    synced(world, *user_ids)


def open_holds(world: World) -> dict[str, str]:
    """User to the hold that is open about this user."""
    items = world.inbox().items()
    return {item["user_id"]: key for key, item in items if (item["kind"], item["status"]) == ("held", "open")}


def test_declined_for_one_of_two_what_was_erased_waits_for_the_other_and_comes_back_for_both(world: World) -> None:
    crowd(world, "ann", "ben")
    for one in CROWD:
        world.erase(one)
    synced(world, "ann", "ben")
    holds = open_holds(world)
    world.set_up("ann", declined_hold=holds["ann"])
    synced(world, "ann", "ben")
    world.later(hours=25)
    synced(world, "ann", "ben")
    assert world.titles("ann") == world.titles("ben") == CROWD
    world.set_up("ben", declined_hold=holds["ben"])
    synced(world, "ann", "ben")
    assert {tuple(sorted(found["user_ids"])) for found in world.appointments().values()} == {("ann", "ben")}
    assert world.titles("ann") == world.titles("ben") == CROWD


def test_approved_after_two_way_was_turned_off_just_that_is_carried_out(world: World) -> None:
    crowd(world, "ann")
    deletes(world, "ann", *CROWD[:8])
    synced(world, "ann")
    question = hold(world)
    world.set_up("ann", two_way_appointments=False)
    synced(world, "ann")
    world.set_up("ann", approved_hold=question)
    synced(world, "ann")
    assert cancelled(world) == set(CROWD[:8])
    assert world.titles("ann") == CROWD[8:]


def test_what_the_studio_wrote_over_a_hidden_text_is_a_clash_once_the_text_is_shown(world: World) -> None:
    world.join("ann")
    event_id = world.types("ann", summary="Dentist", visibility="private", **google_span(5))
    synced(world, "ann")
    [appointment_id] = world.appointments()
    world.edit(appointment_id, title="Blocked by Ann", kind="appointment")
    synced(world, "ann")
    world.person("ann").patch("primary", event_id, visibility="default")
    synced(world, "ann")
    assert world.appointments()[appointment_id]["title"] == "Blocked by Ann"
    assert world.titles("ann") == ["Blocked by Ann"]
    lost = [loser for entry in world.log("ann") for loser in entry["lost"]]
    assert {"unit": "title", "side": "calendar", "value": "Dentist"} in lost


def test_a_user_made_anew_is_not_synced_before_connecting_and_can_connect(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    synced(world, "ann")
    world.erase_user("ann")
    synced(world, "ann")
    world.front_end.add_user("ann", "ann@atelier.example", two_way_appointments=True)
    world.set_studio(**{"sync.interval_minutes": 20})
    synced(world, "ann")
    assert "connection" not in world.front_end.user("ann")
    assert world.connection("ann").state_reason is Reason.NOT_CONNECTED
    world.connect("ann")
    world.edit("shoot", title="Renamed")
    synced(world, "ann")
    assert world.titles("ann") == ["Renamed"]


def test_a_user_written_as_a_whole_keeps_the_connection(world: World) -> None:
    world.join("ann")
    synced(world, "ann")
    before = world.front_end.user("ann")
    world.firestore.document("studios/atelier/users/ann").set({k: v for k, v in before.items() if k != "connection"})
    synced(world, "ann")
    assert world.front_end.user("ann")["connection"] == before["connection"]
