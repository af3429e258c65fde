"""Events that somebody else organises: they flow from the calendar to the studio only, and colleagues share one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.coming_to_rest import changes, synced
from tests.soak import spread
from tests.world import World, google_span, span

HOST = "host@elsewhere.example"
MEETING = {"iCalUID": "meeting@elsewhere.example", "summary": "Meeting", "description": "Agenda", "location": "Hall"}


@pytest.fixture(autouse=True)
def nobody_is_mailed_and_no_guest_touched(world: World) -> Any:
    """Of all that the test makes the sync write: no mail, no guest, and nothing but what is ours."""
    world.cloud.google.clear_requests()
    yield
    times = {"start", "end", "recurrence"}
    ours = {"id", "summary", "description", "location", "status", "transparency", "visibility"} | times
    for request in changes(world):
        assert request.query["sendUpdates"] == "none"
        assert set(request.body or {}) <= ours | {"extendedProperties"}


@pytest.fixture
def meeting(world: World) -> tuple[World, str]:
    """Ann with a meeting of somebody outside, accepted: the world, and the appointment's id."""
    world.join("ann")
    world.sync()
    receives(world, "ann", **MEETING, **google_span(5))
    world.sync()
    [appointment_id] = world.appointments()
    return world, appointment_id


# --- somebody outside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
def test_the_studios_edit_stays_in_the_studio_and_the_organizers_later_changes_come_in(
    meeting: tuple[World, str], policy: str
) -> None:
    world, meeting_id = meeting
    world.set_studio(**{"sync.clash_policy": policy})
    world.cloud.google.clear_requests()
    world.edit(meeting_id, title="Meeting with Eve", location="Attic", kind="session", client_id="eve")
    world.sync()
    assert world.appointments()[meeting_id]["title"] == "Meeting with Eve"
    receives(world, "ann", iCalUID=MEETING["iCalUID"], description="New agenda", **google_span(8))
    world.sync()
    found = world.appointments()[meeting_id]
    assert (found["title"], found["location"], found["description"]) == ("Meeting with Eve", "Attic", "New agenda")
    assert found["start"] == span(8)["start"]
    assert changes(world, "ann") == []
    rests(world)


def test_where_both_edit_the_same_field_the_organizers_counts_and_the_studios_is_in_the_log(
    meeting: tuple[World, str],
) -> None:
    world, meeting_id = meeting
    world.edit(meeting_id, title="Studio's")
    receives(world, "ann", iCalUID=MEETING["iCalUID"], summary="Organizer's")
    world.sync()
    assert world.appointments()[meeting_id]["title"] == "Organizer's"
    lost = [loser for entry in world.log("ann") for loser in entry["lost"]]
    assert lost == [{"unit": "title", "side": "studio", "value": "Studio's"}]
    assert changes(world, "ann") == []


@pytest.mark.parametrize("deed", ["cancelled", "erased", "reassigned"])
def test_what_the_studio_takes_away_stays_in_the_calendar_and_comes_back_undoubled(
    meeting: tuple[World, str], deed: str
) -> None:
    world, meeting_id = meeting
    world.join("ben")
    world.sync()
    before = world.appointments()[meeting_id]
    match deed:
        case "cancelled":
            world.edit(meeting_id, status="cancelled")
        case "erased":
            world.erase(meeting_id)
        case "reassigned":
            world.edit(meeting_id, user_ids=["ben"])
    world.sync()
    world.cloud.google.expire_sync_tokens()
    world.sync()
    assert world.titles("ann") == ["Meeting"]
    assert world.titles("ben") == (["Meeting"] if deed == "reassigned" else [])
    assert (
        world.appointments().get(meeting_id, {}).get("status")
        == {
            "cancelled": "cancelled",
            "erased": None,
            "reassigned": "confirmed",
        }[deed]
    )
    match deed:
        case "cancelled":
            world.edit(meeting_id, status="confirmed")
        case "erased":
            fields = ("kind", "title", "user_ids", "start", "end", "origin")
            world.book(meeting_id, **{name: before[name] for name in fields})
        case "reassigned":
            world.edit(meeting_id, user_ids=["ann", "ben"])
    world.sync()
    assert len(world.appointments()) == 1
    assert world.titles("ann") == ["Meeting"]
    assert changes(world, "ann") == []
    rests(world)


@pytest.mark.parametrize("deed", ["cancelled", "erased"])
def test_what_the_organizer_changed_while_it_was_cancelled_comes_in_when_it_is_taken_up_again(
    meeting: tuple[World, str], deed: str
) -> None:
    world, meeting_id = meeting
    before = world.appointments()[meeting_id]
    if deed == "cancelled":
        world.edit(meeting_id, status="cancelled")
    else:
        world.erase(meeting_id)
    world.sync()
    receives(world, "ann", iCalUID=MEETING["iCalUID"], location="Cellar", **google_span(9))
    world.sync()
    if deed == "cancelled":
        world.edit(meeting_id, status="confirmed")
    else:
        names = ("kind", "title", "description", "location", "user_ids", "start", "end", "origin")
        world.book(meeting_id, **{name: before[name] for name in names})
    world.sync()
    found = world.appointments()[meeting_id]
    assert (found["location"], found["start"]) == ("Cellar", span(9)["start"])


def test_what_the_organizer_changed_when_taking_it_back_comes_in_with_it(meeting: tuple[World, str]) -> None:
    world, meeting_id = meeting
    receives(world, "ann", iCalUID=MEETING["iCalUID"], status="cancelled")
    world.sync()
    receives(world, "ann", iCalUID=MEETING["iCalUID"], status="confirmed", location="Cellar", **google_span(9))
    world.sync()
    found = world.appointments()[meeting_id]
    assert (found["location"], found["start"]) == ("Cellar", span(9)["start"])


def test_the_organizer_cancels_and_takes_it_back(meeting: tuple[World, str]) -> None:
    world, meeting_id = meeting
    receives(world, "ann", iCalUID=MEETING["iCalUID"], status="cancelled")
    world.sync()
    assert world.appointments()[meeting_id]["status"] == "cancelled"
    assert world.events("ann") == []
    receives(world, "ann", iCalUID=MEETING["iCalUID"], status="confirmed")
    world.sync()
    assert world.appointments()[meeting_id]["status"] == "confirmed"
    assert changes(world, "ann") == []
    rests(world)


def test_until_it_is_accepted_it_is_tentative_and_what_the_studio_says_of_that_stays_there(world: World) -> None:
    world.join("ann", include_tentative=True)
    world.sync()
    guests = [{"email": world.emails["ann"]}]
    event = receives(world, "ann", **MEETING, attendees=guests, **google_span(5))
    world.sync()
    [meeting_id] = world.appointments()
    assert world.appointments()[meeting_id]["status"] == "tentative"
    world.edit(meeting_id, busy=False)
    world.sync()
    world.person("ann").answer(event, "accepted")
    world.sync()
    found = world.appointments()[meeting_id]
    assert (found["status"], found["busy"]) == ("confirmed", False)
    assert changes(world, "ann") == []


@spread
@pytest.mark.parametrize("first", ["ann", "ben"])
@pytest.mark.parametrize("way", ["delta", "populate"])
def test_colleagues_who_are_invited_to_the_same_event_share_one_appointment(world: World, first: str, way: str) -> None:
    both = [first, "ben" if first == "ann" else "ann"]
    for user_id in both:
        if way == "delta":
            world.join(user_id)
            world.sync(user_id)
        else:
            world.add(user_id, populate_studio=True)
        receives(world, user_id, **MEETING, **google_span(5))
        if way == "populate":
            world.connect(user_id)
        world.sync(user_id)
    [(meeting_id, found)] = world.appointments().items()
    assert (found["title"], found["user_ids"]) == ("Meeting", both)
    world.trigger(meeting_id, None)
    for user_id in both:
        receives(world, user_id, iCalUID=MEETING["iCalUID"], location="Cellar")
    world.sync()
    assert world.appointments()[meeting_id]["location"] == "Cellar"
    assert world.titles("ann") == world.titles("ben") == ["Meeting"]
    assert changes(world, "ann", "ben") == []
    rests(world)


def test_leaving_again_is_a_question_and_the_colleague_keeps_it(world: World) -> None:
    for user_id in ("ann", "ben"):
        world.join(user_id)
        world.sync(user_id)
        receives(world, user_id, **MEETING, **google_span(5))
        world.sync(user_id)
    [meeting_id] = world.appointments()
    receives(world, "ben", iCalUID=MEETING["iCalUID"], status="cancelled")
    world.sync()
    found = world.appointments()[meeting_id]
    assert (found["status"], found["user_ids"]) == ("confirmed", ["ann", "ben"])
    [(item_id, question)] = world.inbox().items()
    assert (question["kind"], question["user_id"]) == ("removed_from_calendar", "ben")
    world.answer(item_id, "take_off")
    world.sync()
    assert world.appointments()[meeting_id]["user_ids"] == ["ann"]
    assert (world.titles("ann"), world.titles("ben")) == (["Meeting"], [])
    rests(world)


# --- a colleague is the organizer ------------------------------------------------------------------------------------


def typed(world: World) -> str:
    """Ann types a shoot in her calendar; it comes in. Gives the event's id."""
    world.join("ann")
    world.sync("ann")
    event_id = world.types("ann", summary="Shoot", **google_span(5))
    world.sync("ann")
    return event_id


def entered(world: World) -> str:
    """The studio books a shoot for Ann; it is entered into her calendar."""
    world.join("ann")
    world.sync("ann")
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(5))
    world.sync("ann")
    return str(world.events("ann")[0]["id"])


def twin(world: World) -> str:
    """Ann typed what the studio had booked as well; a populate paired the two."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(5))
    world.add("ann", populate_calendar=True, populate_studio=True)
    event_id = world.types("ann", summary="Shoot", **google_span(5))
    world.connect("ann")
    world.sync("ann")
    return event_id


HOSTS = [typed, entered, twin]


@spread
@pytest.mark.parametrize("guest_connects", ["before", "populates"])
@pytest.mark.parametrize("host", HOSTS)
def test_the_guest_of_a_colleague_joins_the_colleagues_appointment(
    world: World, host: Callable[[World], str], guest_connects: str
) -> None:
    event_id = host(world)
    [appointment_id] = world.appointments()
    if guest_connects == "before":
        world.join("ben")
        world.sync("ben")
    else:
        world.add("ben", populate_studio=True, populate_calendar=True)
    invites(world, event_id, "ben")
    if guest_connects == "populates":
        world.connect("ben")
    synced(world)
    assert list(world.appointments()) == [appointment_id], "no second one"
    assert world.appointments()[appointment_id]["user_ids"] == ["ann", "ben"]
    assert world.titles("ann") == world.titles("ben") == ["Shoot"]
    world.edit(appointment_id, title="Shoot in the park")
    synced(world)
    assert world.titles("ann") == world.titles("ben") == ["Shoot in the park"]
    world.person("ann").patch("primary", event_id, location="Park")
    synced(world)
    assert world.appointments()[appointment_id]["location"] == "Park"
    assert changes(world, "ben") == []
    rests(world)


def test_a_guest_who_has_not_answered_does_not_join_before_he_accepts(world: World) -> None:
    event_id = entered(world)
    world.join("ben")
    world.sync("ben")
    world.person("ann").invite(event_id, world.emails["ben"])
    synced(world)
    [appointment_id] = world.appointments()
    assert world.appointments()[appointment_id]["user_ids"] == ["ann"]
    world.person("ben").answer(event_id, "accepted")
    synced(world)
    assert world.appointments()[appointment_id]["user_ids"] == ["ann", "ben"]
    assert world.appointments()[appointment_id]["status"] == "confirmed"
    rests(world)


def test_the_guests_run_comes_first_and_the_organizers_own_entry_joins(world: World) -> None:
    for user_id in ("ann", "ben"):
        world.join(user_id)
    world.sync()
    event_id = world.types("ann", summary="Shoot", **google_span(5))
    invites(world, event_id, "ben")
    synced(world, "ben", "ann")
    [(appointment_id, found)] = world.appointments().items()
    assert sorted(found["user_ids"]) == ["ann", "ben"]
    world.edit(appointment_id, title="Shoot in the park")
    synced(world)
    assert world.titles("ann") == world.titles("ben") == ["Shoot in the park"]
    rests(world)


@pytest.mark.parametrize(
    "order",
    [
        "organizer first",
        "guest first",
    ],
)
def test_taken_off_the_organizer_the_appointment_goes_on_in_the_guests_own_entry(world: World, order: str) -> None:
    for user_id in ("ann", "ben"):
        world.join(user_id)
    world.sync()
    event_id = world.types("ann", summary="Shoot", **google_span(5))
    invites(world, event_id, "ben")
    synced(world, *(("ann", "ben") if order == "organizer first" else ("ben", "ann")))
    [appointment_id] = world.appointments()
    world.edit(appointment_id, user_ids=["ben"])
    synced(world)
    assert world.appointments()[appointment_id]["status"] == "confirmed"
    assert (world.titles("ann"), world.titles("ben")) == ([], ["Shoot"])
    world.edit(appointment_id, title="Shoot in the park")
    synced(world)
    assert world.titles("ben") == ["Shoot in the park"]
    rests(world)


@pytest.mark.parametrize("host", [typed, entered])
def test_taken_off_the_organizer_among_several_nobody_loses_the_appointment(
    world: World, host: Callable[[World], str]
) -> None:
    event_id = host(world)
    for user_id in ("ben", "cleo"):
        world.join(user_id)
        world.sync(user_id)
        invites(world, event_id, user_id)
    synced(world)
    [appointment_id] = world.appointments()
    assert world.appointments()[appointment_id]["user_ids"] == ["ann", "ben", "cleo"]
    world.edit(appointment_id, user_ids=["ben", "cleo"])
    synced(world)
    assert (world.titles("ann"), world.titles("ben"), world.titles("cleo")) == ([], ["Shoot"], ["Shoot"])
    assert world.inbox() == {}
    rests(world)


@pytest.mark.parametrize("host", [entered, twin])
def test_the_organizer_uninvites_a_colleague(world: World, host: Callable[[World], str]) -> None:
    event_id = host(world)
    world.join("ben")
    world.sync("ben")
    invites(world, event_id, "ben")
    synced(world)
    world.person("ann").patch("primary", event_id, attendees=None)
    synced(world)
    [found] = world.appointments().values()
    assert (found["status"], found["user_ids"]) == ("confirmed", ["ann", "ben"])
    [(item_id, question)] = world.inbox().items()
    assert question["user_id"] == "ben"
    world.answer(item_id, "take_off")
    synced(world)
    [found] = world.appointments().values()
    assert found["user_ids"] == ["ann"]
    assert (world.titles("ann"), world.titles("ben")) == (["Shoot"], [])
    rests(world)


def test_the_organizer_deletes_what_a_colleague_was_invited_to(world: World) -> None:
    """Both are assigned: the one who deleted it is asked about, the guest gets his own, nothing is cancelled."""
    event_id = typed(world)
    world.join("ben")
    world.sync("ben")
    invites(world, event_id, "ben")
    synced(world)
    world.person("ann").delete("primary", event_id)
    synced(world)
    [found] = world.appointments().values()
    assert found["status"] == "confirmed"
    assert [item["user_id"] for item in world.inbox().values()] == ["ann"]
    assert (world.titles("ann"), world.titles("ben")) == ([], [found["title"]])
    rests(world)


def test_a_colleague_who_was_assigned_already_keeps_the_entry_that_he_has(world: World) -> None:
    for user_id in ("ann", "ben"):
        world.join(user_id)
    world.sync()
    world.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(5))
    synced(world)
    [event] = world.events("ann")
    invites(world, event["id"], "ben")
    synced(world)
    assert list(world.appointments()) == ["shoot"]
    assert world.appointments()["shoot"]["user_ids"] == ["ann", "ben"]
    assert world.titles("ben") == ["Shoot", "Shoot"], "his own, and Google's copy of the invitation"
    world.edit("shoot", title="Shoot in the park")
    synced(world)
    assert world.titles("ben") == ["Shoot in the park", "Shoot in the park"]
    world.person("ann").patch("primary", event["id"], attendees=None)
    synced(world)
    assert world.titles("ben") == ["Shoot in the park"]
    assert world.appointments()["shoot"]["status"] == "confirmed"
    assert world.inbox() == {}
    rests(world)


def test_a_colleague_who_was_assigned_but_not_entered_yet_takes_the_invitation_for_it(world: World) -> None:
    event_id = entered(world)
    world.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(5))
    world.sync("ann")
    world.add("ben", populate_calendar=True, populate_studio=True)
    invites(world, event_id, "ben")
    world.connect("ben")
    synced(world)
    assert list(world.appointments()) == ["shoot"]
    assert world.titles("ben") == ["Shoot"]
    assert changes(world, "ben") == []
    rests(world)


@pytest.mark.parametrize("host", [typed, entered])
def test_a_guest_who_is_taken_off_in_the_studio_keeps_the_invitation_and_is_not_put_on_again(
    world: World, host: Callable[[World], str]
) -> None:
    event_id = host(world)
    world.join("ben")
    world.sync("ben")
    invites(world, event_id, "ben")
    synced(world)
    [appointment_id] = world.appointments()
    world.edit(appointment_id, user_ids=["ann"])
    synced(world)
    world.person("ann").patch("primary", event_id, location="Park")
    synced(world)
    world.cloud.google.expire_sync_tokens()
    synced(world)
    assert world.appointments()[appointment_id]["user_ids"] == ["ann"]
    assert world.titles("ben") == ["Shoot"]
    assert changes(world, "ben") == []
    rests(world)


# --- common ----------------------------------------------------------------------------------------------------------


def receives(world: World, user_id: str, **event: Any) -> str:
    """An invitation by mail from outside, or what its organizer changes of it; gives the event's id."""
    return str(world.cloud.google.receive_event(world.emails[user_id], HOST, **event)["id"])


def invites(world: World, event_id: str, user_id: str) -> None:
    """Ann invites a colleague, who accepts."""
    world.person("ann").invite(event_id, world.emails[user_id])
    world.person(user_id).answer(event_id, "accepted")


def rests(world: World) -> None:
    """Both sides agree: further runs write nothing, full listings included."""
    synced(world)
    before = world.picture(), world.appointments(), world.inbox()
    count = len(changes(world))
    world.cloud.google.expire_sync_tokens()
    synced(world)
    assert (world.picture(), world.appointments(), world.inbox()) == before
    assert len(changes(world)) == count
