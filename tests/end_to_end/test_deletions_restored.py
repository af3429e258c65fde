"""What was deleted and is wanted again comes back as it was, with all that people have added to it in the calendar.

Only where Google does not give it back is it entered anew, as the next generation, without what people had added.
"""

import datetime as dt
import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.domain import identity
from tests.end_to_end.coming_to_rest import settled, synced
from tests.end_to_end.deleting import cancelled, deletes, event, event_of, filled, held_links, hold, one_shoot, rests
from tests.soak import few
from tests.world import World, google_span, span

GUEST = "guest@elsewhere.example"
ADDED = ("11", [GUEST])
# It happens up to the deletion, and then what makes it wanted again.
Way = Iterator[None]


@pytest.fixture
def ann(world: World) -> World:
    """Ann with a shoot of her own, to which she has given a colour and a guest."""
    one_shoot(world)
    world.person("ann").patch("primary", event_of(world, "shoot"), colorId="11")
    world.person("ann").invite(event_of(world, "shoot"), GUEST)
    synced(world)
    world.cloud.google.clear_requests()
    return world


# --- how it may come to be wanted again -------------------------------------------------------------------------------


def edited(world: World) -> Way:
    deletes(world, "ann", "shoot")
    yield
    world.edit("shoot", title="Shoot, indoors")


def uncancelled(world: World) -> Way:
    """Its deletion in the calendar cancelled it."""
    deletes(world, "ann", "shoot")
    synced(world)
    assert cancelled(world) == {"shoot"}
    yield
    world.edit("shoot", status="confirmed", title="Shoot, indoors")


def uncancelled_here(world: World) -> Way:
    """It was the studio that cancelled it."""
    world.edit("shoot", status="cancelled")
    synced(world)
    assert world.titles("ann") == []
    yield
    world.edit("shoot", status="confirmed", title="Shoot, indoors")


def booked_again(world: World) -> Way:
    world.erase("shoot")
    synced(world)
    yield
    world.book("shoot", title="Shoot, indoors", user_ids=["ann"], **span(3))


def assigned_again(world: World) -> Way:
    world.edit("shoot", user_ids=["ben"])
    synced(world)
    assert world.titles("ann") == []
    yield
    world.edit("shoot", user_ids=["ann"], title="Shoot, indoors")


def put_back(world: World) -> Way:
    world.edit("shoot", user_ids=["ann", "ben"], title="Shoot, indoors")
    synced(world)
    deletes(world, "ann", "shoot")
    synced(world)
    yield
    [item_id] = world.inbox()
    world.answer(item_id, "put_back")


def declined(world: World) -> Way:
    world.front_end.book_many({
        f"other-{n}": {"title": f"Other {n}", "user_ids": ["ann"], **span(24 + n)} for n in range(6)
    })  # fmt: skip
    world.set_up("ann", populate_calendar=True)
    world.edit("shoot", title="Shoot, indoors")
    synced(world)
    deletes(world, "ann", "shoot", *(f"other-{n}" for n in range(6)))
    synced(world)
    assert len(held_links(world)) == 7
    yield
    world.set_up("ann", declined_hold=hold(world))


def mirrored(world: World) -> Way:
    world.edit("shoot", title="Shoot, indoors")
    synced(world)
    world.set_up("ann", two_way_appointments=False)
    synced(world)
    deletes(world, "ann", "shoot")
    yield
    world.set_up("ann", populate_calendar=True)


WAYS = [edited, uncancelled, uncancelled_here, booked_again, assigned_again, put_back, declined, mirrored]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@few
@every_way
def test_it_is_restored_with_all_that_people_had_added(ann: World, way: Callable[[World], Way]) -> None:
    old = event_of(ann, "shoot")
    for _ in way(ann):
        pass
    synced(ann)
    found = event(ann, "shoot")
    assert (found["id"], found["summary"]) == (old, "Shoot, indoors")
    assert added(found) == ADDED
    stands_once(ann)
    # And it is a pair like any other.
    ann.edit("shoot", location="Roof")
    synced(ann)
    found = event(ann, "shoot")
    assert (found["id"], found["location"], added(found)) == (old, "Roof", ADDED)


@few
@every_way
@pytest.mark.parametrize("refusal", ["the bin was emptied", "it is refused"])
def test_what_google_does_not_give_back_is_entered_anew_and_stands_once(
    ann: World, way: Callable[[World], Way], refusal: str
) -> None:
    google, old = ann.cloud.google, event_of(ann, "shoot")
    for _ in way(ann):
        if refusal == "it is refused":
            google.fail_next("calendar.events.patch", 403, "forbiddenForNonOrganizer", times=8)
        else:
            google.evict_tombstones(ann.emails["ann"])
    settled(ann)
    ann.later(hours=1)  # Where no run has seen it deleted, it takes a while to be sure.
    settled(ann)
    google.clear_faults()
    found = event(ann, "shoot")
    assert (found["id"], found["summary"]) == (identity.event(ann.connections["ann"], "shoot", 1), "Shoot, indoors")
    assert found["id"] != old
    assert added(found) == (None, [])
    stands_once(ann)


@pytest.mark.parametrize(
    ("policy", "edit"),
    [("studio", {"title": "Shoot, indoors"}), ("google", {"description": "Lamp three"}), ("latest", span(6))],
    ids=["studio", "google", "latest"],
)
def test_a_studio_edit_of_the_same_time_beats_the_deletion_whatever_the_policy(
    ann: World, edit: dict[str, Any], policy: str
) -> None:
    ann.set_studio(**{"sync.clash_policy": policy})
    old = event_of(ann, "shoot")
    ann.edit("shoot", **edit)
    deletes(ann, "ann", "shoot")
    synced(ann)
    [found] = ann.events("ann")
    document = ann.appointments()["shoot"]
    assert document["status"] == "confirmed"
    assert (found["summary"], found["description"]) == (document["title"], document["description"])
    assert dt.datetime.fromisoformat(found["start"]["dateTime"]) == document["start"]
    assert (found["id"], added(found)) == (old, ADDED)
    rests(ann)


def test_what_was_edited_in_the_calendar_just_before_it_was_deleted_comes_back_with_it(ann: World) -> None:
    ann.person("ann").patch("primary", event_of(ann, "shoot"), location="Roof")
    deletes(ann, "ann", "shoot")
    ann.edit("shoot", title="Shoot, indoors")
    synced(ann)
    shoot = ann.appointments()["shoot"]
    assert (shoot["title"], shoot["location"], shoot["status"]) == ("Shoot, indoors", "Roof", "confirmed")
    found = event(ann, "shoot")
    assert (found["summary"], found["location"]) == ("Shoot, indoors", "Roof")
    rests(ann)


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_deletion_that_is_found_while_an_edit_is_written_is_beaten_as_well(ann: World, when: str) -> None:
    """The calendar's change comes too late for the listing: the write finds it, or even finds it put back again."""
    old = event_of(ann, "shoot")
    ann.edit("shoot", title="Shoot, indoors")
    if when == "while":
        deletes(ann, "ann", "shoot")
    changes = "shared.adapters.google_calendar.GoogleCalendar.changes"
    original = type(ann.wiring.calendars.open("", ann.connection("ann"))).changes

    def then(calendar: object, cursor: str, page: str | None) -> object:
        answer = original(calendar, cursor, page)  # type: ignore[arg-type]
        if when == "while":
            ann.person("ann").restore(old)
        else:
            deletes(ann, "ann", "shoot")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, then)
        ann.run("ann")
    synced(ann)
    assert (event_of(ann, "shoot"), added(event(ann, "shoot"))) == (old, ADDED)
    stands_once(ann)


def test_restored_in_the_studio_and_by_a_person_at_once_it_stands_once(ann: World) -> None:
    old = event_of(ann, "shoot")
    deletes(ann, "ann", "shoot")
    synced(ann)
    ann.edit("shoot", status="confirmed")
    ann.person("ann").restore(old)
    synced(ann)
    assert (event_of(ann, "shoot"), added(event(ann, "shoot"))) == (old, ADDED)
    assert cancelled(ann) == set()
    assert ann.titles("ann") == ["Shoot"]
    rests(ann)


# --- private entries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [None, "the bin was emptied"], ids=str)
def test_a_private_entry_of_the_calendar_is_restored_with_its_text_and_none_of_it_reaches_the_studio(
    world: World, refusal: str | None
) -> None:
    filled(world, 6)
    text = {"summary": "Kanarienvogel", "description": "Kanarienvogel, too", "location": "Kanarienvogel street"}
    doctor = world.types("ann", visibility="private", colorId="7", **text, **google_span(9))
    synced(world)
    [imported] = [one for one, document in world.appointments().items() if document.get("private")]
    before = world.appointments()
    deletes(world, "ann", imported, *(f"shoot-{n:02}" for n in range(6)))
    synced(world)
    assert len(held_links(world)) == 7
    if refusal is not None:
        world.cloud.google.evict_tombstones(world.emails["ann"])
    world.set_up("ann", declined_hold=hold(world))
    settled(world)
    assert world.appointments() == before
    assert len(world.events("ann")) == 7
    found = event(world, imported)
    if refusal is None:
        assert found["id"] == doctor
        assert {key: found[key] for key in (*text, "visibility", "colorId")} == text | {
            "visibility": "private",
            "colorId": "7",
        }
    else:
        assert found["id"] != doctor
        assert found["visibility"] == "private"
    assert not [document for document in everything_stored(world) if "Kanarienvogel" in document]
    rests(world)


# --- common -----------------------------------------------------------------------------------------------------------


def added(found: dict[str, Any]) -> tuple[str | None, list[str]]:
    """What a person has added to an event that the studio knows nothing of."""
    return found.get("colorId"), [guest["email"] for guest in found.get("attendees", []) if not guest.get("self")]


def stands_once(world: World) -> None:
    """On both sides, and nothing else has gone or come."""
    assert world.titles("ann").count("Shoot, indoors") == 1
    assert "Shoot" not in world.titles("ann")
    assert len(world.events("ann")) == len(world.appointments())
    assert cancelled(world) == set()
    assert held_links(world) == {}
    rests(world)


def everything_stored(world: World) -> list[str]:
    """Every document of the world's project, whatever its collection, as JSON."""
    connection = http.client.HTTPConnection(world.cloud.emulator.host, timeout=30)
    try:
        path = f"/v1/projects/{world.project}/databases/(default)/documents:runQuery"
        query = json.dumps({"structuredQuery": {"from": [{"allDescendants": True}]}})
        connection.request("POST", path, query, {"Authorization": "Bearer owner"})
        found = [one["document"] for one in json.load(connection.getresponse()) if "document" in one]
    finally:
        connection.close()
    assert found
    return [json.dumps(document, ensure_ascii=False) for document in found]
