"""What the tests of coming to rest share: everybody runs until nothing is left, and idle runs that write nothing."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from local.wiretap import Wiretap
from shared.services.studio_changes import appointment_written
from shared.services.sync_calendar import Outcome
from tests.world import STUDIO, World, span


def in_step(world: World) -> World:
    """Ann with one shoot, in step."""
    world.book("shoot", title="Shoot", user_ids=["ann"], description="Bring lights", **span(3))
    world.join("ann", populate_calendar=True)
    settle(world)
    return world


def deliver(
    world: World, appointment_id: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> int:
    """One of the trigger's deliveries, whatever the document is by now."""
    store, tasks, clock = world.wiring.store, world.wiring.tasks, world.clock
    at = clock.now()
    return appointment_written(STUDIO, appointment_id, before, after, at, store=store, tasks=tasks, clock=clock)


def settle(world: World) -> None:
    """Run everybody, and deliver the triggers of what the runs write, until there is nothing left to tell."""
    before = world.appointments()
    for _ in range(6):
        world.sync()
        after = world.appointments()
        changed = [one for one in {**before, **after} if before.get(one) != after.get(one)]
        for one in changed:
            deliver(world, one, before.get(one), after.get(one))
        if not changed and not any(world.below(user_id, "outbox") for user_id in world.connections):
            return
        before = after  # A trigger's delivery writes no appointment.
    raise AssertionError("it goes on and on")


def everything(world: World) -> dict[str, Any]:
    """All that a run could write besides its connection, to the last etag and time stamp."""
    return {
        "appointments": world.appointments(),
        "inbox": world.inbox(),
        "events": {one: world.person(one).events(with_deleted=True) for one in world.connections},
        **{
            part: {one: world.below(one, part) for one in world.connections}
            for part in ("links", "outbox", "parked", "runs")
        },
    }


LOOK = {"google GET /calendar/v3/calendars/{}/events": 1}


def assert_idle(world: World, tap: Wiretap, runs: int, *, calls: Mapping[str, int] = LOOK) -> None:
    """So many runs, of everybody in turn: a look at the calendar's changes, a claim, a finish, and nothing else."""
    before = everything(world)
    for _ in range(runs // len(world.connections) or 1):
        for user_id in world.connections:
            world.wish(user_id)
            tap.reset()
            assert world.run(user_id) is Outcome.DONE
            counted = tap.summary()
            google = {method: count for method, count in counted["methods"].items() if method.startswith("google")}
            assert google == calls
            assert counted["document_writes"] == 2
            assert counted["services"].keys() <= {"google", "firestore"}
    assert everything(world) == before


def make_pairs(world: World, names: list[str], **fields: Any) -> None:
    """Ann and Ben, both in step, with an appointment of both for each name."""
    bookings = {
        name: {"title": name, "user_ids": ["ann", "ben"], **span(number), **fields} for number, name in enumerate(names)
    }
    world.front_end.book_many(bookings)
    for user_id in ("ann", "ben"):
        world.join(user_id, populate_calendar=True)
    settle(world)
    assert world.titles("ann") == world.titles("ben") == sorted(names)


def instant(end: Mapping[str, str]) -> dt.datetime | str:
    return dt.datetime.fromisoformat(end["dateTime"]) if "dateTime" in end else end["date"]
