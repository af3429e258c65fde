"""What the tests of deletions, questions and the guard share: what people do, and what can be seen of it."""

from typing import Any

from tests.end_to_end.coming_to_rest import synced, writes
from tests.world import World, span

# So many shoots, and so many of them that taking them away is unusual.
SHOOTS = [f"shoot-{n:02}" for n in range(12)]
MASS, REST = SHOOTS[:7], SHOOTS[7:]

# --- worlds -----------------------------------------------------------------------------------------------------------


def one_shoot(world: World) -> World:
    """Ann with a shoot of her own, in step."""
    world.book("shoot", title="Shoot", description="Lamp two", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    world.cloud.google.clear_requests()
    return world


def filled(world: World, number: int = len(SHOOTS), **fields: Any) -> World:
    """Ann with so many upcoming shoots, in step."""
    world.front_end.book_many({
        f"shoot-{n:02}": {"title": f"Shoot {n:02}", "user_ids": ["ann"], **fields, **span(48 + n)}
        for n in range(number)
    })  # fmt: skip
    world.join("ann", populate_calendar=True)
    world.sync()
    world.cloud.google.clear_requests()
    return world


def mass_deleted(world: World) -> World:
    """Ann has deleted 7 of 12 in her calendar, and they are held."""
    deletes(filled(world), "ann", *MASS)
    synced(world)
    world.cloud.google.clear_requests()
    return world


def mass_cancelled(world: World) -> World:
    """A front-end has cancelled 4 of 12 and erased 3, and they are held."""
    filled(world)
    for one in MASS[:4]:
        world.edit(one, status="cancelled")
    for one in MASS[4:]:
        world.erase(one)
    synced(world)
    world.cloud.google.clear_requests()
    return world


# --- what people and time do ------------------------------------------------------------------------------------------


def deletes(world: World, user_id: str, *appointment_ids: str) -> None:
    """A person deletes these entries in Google's own page."""
    links = world.below(user_id, "links")
    for one in appointment_ids:
        world.person(user_id).delete("primary", links[one]["event_id"])


# --- what can be seen -------------------------------------------------------------------------------------------------


def event(world: World, appointment_id: str, user_id: str = "ann") -> dict[str, Any]:
    """The event that the user's calendar has for the appointment."""
    wanted = world.below(user_id, "links")[appointment_id]["event_id"]
    [found] = [event for event in world.events(user_id) if event["id"] == wanted]
    return found


def event_of(world: World, appointment_id: str, user_id: str = "ann") -> str:
    return str(event(world, appointment_id, user_id)["id"])


def cancelled(world: World) -> set[str]:
    return {one for one, document in world.appointments().items() if document["status"] == "cancelled"}


def hold(world: World) -> str | None:
    """The id of the open question about held deletions, if there is one."""
    ids = [one for one, item in world.inbox().items() if item["kind"] == "held" and item["status"] == "open"]
    assert len(ids) <= 1
    return ids[0] if ids else None


def held_links(world: World) -> dict[str, dict[str, Any]]:
    """What is marked on the links of Ann's pairs, by appointment."""
    return {one: link["held"] for one, link in world.below("ann", "links").items() if link["held"] is not None}


def nothing_taken_away(world: World) -> None:
    """No event was deleted, and no appointment cancelled."""
    assert "calendar.events.delete" not in writes(world)
    assert cancelled(world) == set()


def rests(world: World) -> None:
    """Further runs change nothing, and nothing is waiting but what a person was asked."""
    before = world.picture(), world.appointments(), world.inbox()
    world.cloud.google.clear_requests()
    for _ in range(2):
        synced(world)
    assert writes(world) == []
    assert (world.picture(), world.appointments(), world.inbox()) == before
    assert all(waiting == [] for waiting in before[0]["outbox"].values())
