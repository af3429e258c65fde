"""What the tests of whole runs share: everything runs until there is nothing left to do, and what was written."""

from local.google.gateway import RecordedRequest
from tests.world import World

CHANGES = {f"calendar.events.{kind}" for kind in ("insert", "patch", "update", "delete", "move", "import")}


def synced(world: World, *user_ids: str) -> None:
    """Everything runs until nothing is due, triggers included, which tell of the runs' own writes as well."""
    before = world.appointments()
    for _ in range(6):
        world.sync(*user_ids)
        after = world.appointments()
        changed = [one for one in before.keys() | after.keys() if before.get(one) != after.get(one)]
        if not changed:
            return
        for one in changed:
            world.trigger(one, before.get(one))
        before = after  # A trigger's delivery writes no appointment.
    raise AssertionError("the runs' own writes go round and round")


def settled(world: World) -> None:
    """As `synced`, and what waits for a while has its time."""
    synced(world)
    for _ in range(3):
        world.later(minutes=5)
        synced(world)


def changes(world: World, *user_ids: str) -> list[RecordedRequest]:
    """The calls that changed events of these users, or of all, since the requests were last cleared."""
    whose = {world.emails[user_id] for user_id in user_ids or world.emails}
    return [one for one in world.cloud.google.requests if one.method_id in CHANGES and one.account in whose]


def writes(world: World) -> list[str]:
    """Which calls changed a calendar, of whomever, since the requests were last cleared."""
    return [request.method_id for request in world.cloud.google.requests if request.method_id in CHANGES]
