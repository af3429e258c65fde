"""A process that dies at one of its calls: which deaths leave different worlds behind, and what must come of them."""

from typing import Any

from local.wiretap import Call, Wiretap
from tests.figures import Figures
from tests.snapshot import Snapshot
from tests.world import World

# They leave everything as it was. What is not named here counts as a change.
READING = {
    "firestore": {
        "BatchGetDocuments", "BeginTransaction", "GetDocument", "ListDocuments", "Rollback", "RunAggregationQuery",
        "RunQuery",
    },
    "secrets": {"AccessSecretVersion", "GetSecret"},
}  # fmt: skip


def changes(call: Call) -> bool:
    """Whether it may have changed anything outside of the process.

    Whoever dies right after such a call leaves the same as whoever dies later, up to the moment before the next one
    takes effect: what was only read is gone with the process. So these are all the deaths that differ, but for the one
    before anything was changed, which leaves everything to be done. `Wiretap.kill_at` takes this as its `only`.
    """
    if call.service == "google":
        return not call.method.startswith("GET ")
    return call.method not in READING.get(call.service, ())


def changes_made(tap: Wiretap) -> int:
    """How many of the calls since the last reset were such."""
    return sum(changes(call) for call in tap.calls)


def different(came: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Part of the picture to what came out, and what should have, where these are not the same."""
    return {part: _apart(came[part], expected[part]) for part in expected if came[part] != expected[part]}


def apart(world: World, expected: dict[str, Any], figures: Figures, group: str) -> dict[str, Any]:
    """What did not come out as it should; the figures have the entries that are missing, or there too often."""
    came = picture(world)
    for part in ("studio", "calendars"):
        figures.compare(group, _flat(came[part]), _flat(expected[part]))
    return different(came, expected)


def _flat(part: Any) -> list[Any]:
    return list(part) if isinstance(part, list) else [(who, one) for who, found in part.items() for one in found]


def _apart(came: Any, expected: Any) -> tuple[Any, Any]:
    """Of lists what only one of them has, as far as that tells them apart."""
    if not (isinstance(came, list) and isinstance(expected, list)):
        return came, expected
    apart = [one for one in came if one not in expected], [one for one in expected if one not in came]
    return apart if any(apart) else (came, expected)


def undisturbed(world: World, prepared: Snapshot, tap: Wiretap) -> tuple[int, dict[str, Any]]:
    """How many changes a run makes that nobody disturbs, and what comes of it."""
    prepared.restore()
    tap.reset()
    world.run("ann")
    number = changes_made(tap)
    world.sync()
    world.later(minutes=11)
    world.sync()
    return number, picture(world)


def picture(world: World) -> dict[str, Any]:
    """With what a person is asked, and what is held; a question that a later one replaced is nobody's business."""
    asked = sorted(
        f"{item['kind']}: {item['text']} ({item['status']})"
        for item in world.inbox().values()
        if item["kind"] != "held" or item["status"] != "gone"
    )
    held = {
        user_id: sorted(one for one, link in world.below(user_id, "links").items() if link["held"] is not None)
        for user_id in sorted(world.connections)
    }
    # Each with its calendar: where the user has switched, the picture itself shows only one of them.
    everywhere = {
        user_id: sorted(
            (event.get("summary", ""), "primary" if calendar.get("primary") else calendar["summary"])
            for calendar in world.person(user_id).calendars()
            for event in world.person(user_id).events(calendar["id"])
        )
        for user_id in sorted(world.connections)
    }
    counted = {user_id: sum(world.connection(user_id).taken.hours.values()) for user_id in sorted(world.connections)}
    overlaps = sorted(
        (one["user_id"], *one["appointment_ids"], str(one["overlap_start"]), one["status"])
        for one in world.conflicts().values()
    )
    seen = {"inbox": asked, "held": held, "all calendars": everywhere, "counted": counted, "overlaps": overlaps}
    return world.picture() | seen
