"""What comes in and what goes out (B3): the same answer by whichever way an entry is met, and never a hidden text."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.services.studio_changes import appointment_written
from tests.end_to_end.coming_to_rest import writes
from tests.world import NOW, STUDIO, World, days, google_span, span

LONG_AGO = -24 * 100  # Hours: before the window, which begins 90 days back.

# The ways by which an entry can be met after the first listing. Only the calendar's changes need no full listing.
WAYS: dict[str, Callable[[World], None]] = {
    "delta": lambda _: None,
    "410": lambda world: world.cloud.google.expire_sync_tokens(world.emails["ann"]),
    "daily": lambda world: world.later(hours=25),
    "monthly": lambda world: world.later(days=31),
}
every_way = pytest.mark.parametrize("way", ["first listing", *WAYS])


def met(world: World, way: str, entered: Callable[[], object]) -> None:
    """Ann connects; what is entered then is met by the given way."""
    world.connect("ann")
    if way == "first listing":
        entered()
        world.sync()
        return
    world.sync()
    entered()
    WAYS[way](world)
    world.sync()
    world.sync()


# --- since connecting, in the window ---------------------------------------------------------------------------------


@every_way
def test_what_was_changed_since_connecting_is_carried_and_nothing_else_whichever_way_it_is_met(
    world: World, way: str
) -> None:
    world.add("ann")
    old_event = world.types("ann", summary="C before", **google_span(5))
    past_event = world.types("ann", summary="C long ago", **google_span(LONG_AGO))
    world.front_end.book("before", title="S before", user_ids=["ann"], **span(1))
    world.front_end.book("past", title="S long ago", user_ids=["ann"], **span(LONG_AGO))

    def entered() -> None:
        # By the listings and by reconciliation the trigger is not needed: it was lost.
        book, edit = (
            (world.book, world.edit)
            if way in {"first listing", "delta"}
            else (
                world.front_end.book,
                world.front_end.edit,
            )
        )
        book("new", title="S new", user_ids=["ann"], **span(2))
        edit("past", location="Attic")
        world.types("ann", summary="C new", **google_span(6))
        world.person("ann").patch("primary", past_event, location="Attic")
        # Google's delta has it, though `updated` stays: a change of reminders is nobody's edit of the entry.
        world.person("ann").patch("primary", old_event, reminders={"useDefault": False})

    met(world, way, entered)
    assert in_studio(world) == ["C new", "S before", "S long ago", "S new"]
    assert world.titles("ann") == ["C before", "C long ago", "C new", "S new"]


def test_a_trigger_that_is_delivered_late_carries_nothing_of_before(world: World) -> None:
    world.front_end.book("before", title="Before", user_ids=["ann"], **span(1))
    world.join("ann")
    world.sync()
    told(world, "before", NOW - dt.timedelta(hours=1))
    world.sync()
    assert world.events("ann") == []
    assert world.below("ann", "outbox") == {}
    told(world, "before", world.clock.now())
    world.sync()
    assert world.titles("ann") == ["Before"]


@every_way
def test_once_populated_what_forgot_its_time_stamp_is_in_scope_as_well(world: World, way: str) -> None:
    world.add("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="C before", **google_span(5))
    world.types("ann", summary="C long ago", **google_span(LONG_AGO))
    world.front_end.book("before", title="S before", user_ids=["ann"], **span(1))
    world.front_end.book("past", title="S long ago", user_ids=["ann"], **span(LONG_AGO))

    def entered() -> None:
        document = {"kind": "appointment", "title": "S forgot", "user_ids": ["ann"], **span(3)}
        world.firestore.document("studios/atelier/appointments/forgot").set(document)
        if way in {"delta", "daily"}:  # Only a full listing finds what has neither a trigger nor a stamp.
            told(world, "forgot", NOW - dt.timedelta(hours=1))

    met(world, way, entered)
    assert in_studio(world) == ["C before", "S before", "S forgot", "S long ago"]
    assert world.titles("ann") == ["C before", "C long ago", "S before", "S forgot"]


@pytest.mark.parametrize("way", WAYS)
def test_a_pair_stays_in_step_though_it_ended_before_the_window(world: World, way: str) -> None:
    """A window of no days: by a populate it begins now, and the pair has ended before."""
    world.join("ann")
    world.sync()
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(-30))
    world.sync()
    world.set_studio(**{"sync.past_days": 0})
    world.set_up("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    world.person("ann").patch("primary", event["id"], summary="Renamed", location="Attic")
    world.edit("shoot", description="Lamp two")
    WAYS[way](world)
    world.sync()
    [event] = world.events("ann")
    assert (event["summary"], event["location"], event["description"]) == ("Renamed", "Attic", "Lamp two")
    shoot = world.appointments()["shoot"]
    assert (shoot["title"], shoot["location"], shoot["description"]) == ("Renamed", "Attic", "Lamp two")


# --- kinds of events -------------------------------------------------------------------------------------------------


def several_kinds(world: World) -> None:
    first, end = days(4, 5)
    day = {"start": {"date": first}, "end": {"date": end}}
    for number, kind in enumerate(("default", "focusTime", "workingLocation", "outOfOffice")):
        world.types("ann", eventType=kind, summary=f"A {kind}", **google_span(3 + number))
    world.types("ann", eventType="birthday", summary="A birthday", **day)
    received = {"iCalUID": "flight@mail.example", "eventType": "fromGmail", "summary": "A fromGmail"}
    world.cloud.google.receive_event(world.emails["ann"], world.emails["ann"], **received, **google_span(9))


@every_way
def test_only_plain_entries_and_absences_come_in_whichever_way_they_are_met(world: World, way: str) -> None:
    world.add("ann", populate_studio=True, include_tentative=True)
    met(world, way, lambda: several_kinds(world))
    assert in_studio(world) == ["A default", "A outOfOffice"]
    assert world.below("ann", "parked") == {}
    assert len(world.events("ann")) == 6


def test_kinds_that_were_there_before_a_populate_stay_out_as_well(world: World) -> None:
    world.add("ann")
    several_kinds(world)
    world.connect("ann")
    world.sync()
    assert in_studio(world) == []
    world.set_up("ann", populate_studio=True)
    world.sync()
    assert in_studio(world) == ["A default", "A outOfOffice"]


@pytest.mark.parametrize("policy", ["studio", "google", "latest"])
def test_nothing_is_ever_written_to_an_absence_and_what_is_changed_of_it_comes_in(
    make_world: Callable[..., World], policy: str
) -> None:
    world = make_world(sync={"clash_policy": policy})
    world.join("ann")
    world.sync()
    event_id = world.types("ann", eventType="outOfOffice", summary="Away", **google_span(5))
    world.sync()
    [away] = world.appointments()
    world.cloud.google.clear_requests()
    world.edit(away, title="Holiday", **span(9))
    world.sync()
    world.edit(away, description="No calls", location="Sea")
    world.person("ann").patch("primary", event_id, summary="Away in May")
    world.sync()
    found = world.appointments()[away]
    assert (found["title"], found["description"], found["location"]) == ("Away in May", "No calls", "Sea")
    assert found["start"] == span(9)["start"]
    world.edit(away, status="cancelled")
    world.sync()
    world.erase(away)
    world.sync()
    assert writes(world) == []
    assert world.titles("ann") == ["Away in May"]


# --- tentative, and own answers --------------------------------------------------------------------------------------


def maybes(world: World) -> None:
    """An own tentative entry, and one invitation for each answer."""
    world.types("ann", summary="Maybe", status="tentative", **google_span(3))
    for hours, answer in enumerate(("needsAction", "tentative", "accepted", "declined"), 4):
        invited(world, answer, hours, answer)


@pytest.mark.parametrize("included", [False, True], ids=["left out", "included"])
@every_way
def test_tentative_ones_come_in_where_asked_for_and_declined_ones_never(world: World, way: str, included: bool) -> None:
    world.add("ann", include_tentative=included)
    met(world, way, lambda: maybes(world))
    undecided = ["Maybe", "needsAction", "tentative"] if included else []
    assert in_studio(world) == [*undecided[:1], "accepted", *undecided[1:]]
    statuses = {document["title"]: document["status"] for document in world.appointments().values()}
    assert {title for title in statuses if statuses[title] == "tentative"} == set(undecided)


def test_confirmed_later_it_comes_in(world: World) -> None:
    world.join("ann")
    world.sync()
    maybe = world.types("ann", summary="Maybe", status="tentative", **google_span(3))
    invitation = invited(world, "Invitation", 4, "needsAction")
    no = invited(world, "No, then yes", 5, "declined")
    world.sync()
    assert in_studio(world) == []
    world.person("ann").patch("primary", maybe, status="confirmed")
    world.person("ann").answer(invitation, "accepted")
    world.person("ann").answer(no, "accepted")
    world.sync()
    assert in_studio(world) == ["Invitation", "Maybe", "No, then yes"]
    assert {document["status"] for document in world.appointments().values()} == {"confirmed"}


def test_turned_on_later_tentative_ones_come_in_by_one_full_listing_and_nothing_synced_is_lost(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(1))
    world.add("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="Maybe before", status="tentative", **google_span(8))
    world.connect("ann")
    world.sync()
    maybes(world)
    world.sync()
    assert in_studio(world) == ["Shoot", "accepted"]
    world.cloud.google.clear_requests()
    world.set_up("ann", include_tentative=True)
    world.sync()
    assert in_studio(world) == ["Maybe", "Maybe before", "Shoot", "accepted", "needsAction", "tentative"]
    assert full_listings(world) == 1
    assert writes(world) == []
    before = world.picture()
    world.cloud.google.clear_requests()
    world.sync()
    assert (full_listings(world), world.picture()) == (0, before)


def test_turned_on_later_what_nobody_asked_for_stays_out(world: World) -> None:
    world.add("ann")
    world.types("ann", summary="Maybe before", status="tentative", **google_span(8))
    world.connect("ann")
    world.sync()
    world.set_up("ann", include_tentative=True)
    world.sync()
    assert in_studio(world) == []


@pytest.mark.parametrize("way", WAYS)
def test_turned_off_what_is_linked_stays_in_step(world: World, way: str) -> None:
    world.join("ann", include_tentative=True)
    world.sync()
    maybe = world.types("ann", summary="Maybe", status="tentative", **google_span(3))
    invitation = invited(world, "Invitation", 4, "accepted")
    world.sync()
    world.set_up("ann", include_tentative=False)
    world.sync()
    world.person("ann").patch("primary", maybe, location="Café")
    world.person("ann").answer(invitation, "declined")
    WAYS[way](world)
    world.sync()
    assert in_studio(world) == ["Invitation", "Maybe"]
    [appointment_id] = [one for one, document in world.appointments().items() if document["title"] == "Maybe"]
    assert world.appointments()[appointment_id]["location"] == "Café"
    world.edit(appointment_id, title="Maybe, at noon")
    world.sync()
    assert "Maybe, at noon" in world.titles("ann")
    world.types("ann", summary="Another maybe", status="tentative", **google_span(6))
    world.sync()
    assert in_studio(world) == ["Invitation", "Maybe, at noon"]


def test_the_studios_tentative_appointments_go_out_whatever_the_filter_says(world: World) -> None:
    world.join("ann")
    world.sync()
    world.book("shoot", title="Shoot", status="tentative", user_ids=["ann"], **span(3))
    world.sync()
    [event] = world.events("ann")
    assert event["status"] == "tentative"
    world.person("ann").patch("primary", event["id"], status="confirmed")
    world.sync()
    assert world.appointments()["shoot"]["status"] == "confirmed"


# --- private entries -------------------------------------------------------------------------------------------------

HIDDEN = {"summary": "Oncologist", "description": "Bring the scans", "location": "Ward seven"}


@every_way
def test_a_private_entry_comes_as_busy_and_its_text_is_stored_nowhere(world: World, way: str) -> None:
    world.add("ann", populate_studio=True)
    before = world.types("ann", **HIDDEN, visibility="private", **google_span(5))
    met(world, way, lambda: world.types("ann", **HIDDEN, visibility="confidential", **google_span(7)))
    for document in world.appointments().values():
        shown = (document["title"], document["description"], document["location"], document["private"])
        assert shown == ("Busy", "", "", True)
    assert len(world.appointments()) == 2
    assert hidden_in(world) == []
    world.person("ann").patch("primary", before, **google_span(6), description="Bring the scans, again")
    world.sync()
    assert span(6)["start"] in {document["start"] for document in world.appointments().values()}
    assert hidden_in(world) == []
    assert text_of(world, before) == ("Oncologist", "Bring the scans, again", "Ward seven")


@every_way
def test_with_details_allowed_a_private_entry_comes_whole(world: World, way: str) -> None:
    world.add("ann", private_details=True)
    met(world, way, lambda: world.types("ann", **HIDDEN, visibility="private", **google_span(7)))
    [document] = world.appointments().values()
    assert (document["title"], document["description"], document["location"]) == tuple(HIDDEN.values())
    assert document["private"] is True


@pytest.fixture
def doctor(world: World) -> tuple[World, str, str]:
    """Ann with a private entry, in the studio as "Busy": the world, the event's id, and the appointment's."""
    world.join("ann")
    world.sync()
    event_id = world.types("ann", **HIDDEN, visibility="private", **google_span(5))
    world.sync()
    [appointment_id] = world.appointments()
    return world, event_id, appointment_id


def test_the_studio_may_move_a_hidden_entry_and_still_sees_nothing_of_it(doctor: tuple[World, str, str]) -> None:
    world, event_id, appointment_id = doctor
    world.edit(appointment_id, **span(8))
    world.sync()
    assert text_of(world, event_id) == tuple(HIDDEN.values())
    assert starts_at(world, event_id) == span(8)["start"]
    assert hidden_in(world) == []


def test_what_the_studio_writes_over_a_hidden_text_stays_in_the_studio(doctor: tuple[World, str, str]) -> None:
    world, event_id, appointment_id = doctor
    world.edit(appointment_id, title="Ann is away", location="Elsewhere", private=False, **span(8))
    world.sync()
    event = world.person("ann").event(event_id)
    assert (*text_of(world, event_id), event["visibility"]) == (*HIDDEN.values(), "private")
    world.person("ann").patch("primary", event_id, summary="Oncologist, Dr. Ward", **google_span(9))
    world.sync()
    found = world.appointments()[appointment_id]
    assert (found["title"], found["location"], found["start"]) == ("Ann is away", "Elsewhere", span(9)["start"])
    assert hidden_in(world) == []


@pytest.mark.parametrize("deed", ["cancelled", "erased", "reassigned", "deleted", "both"])
def test_however_a_hidden_entry_goes_its_text_is_in_no_log(doctor: tuple[World, str, str], deed: str) -> None:
    world, event_id, appointment_id = doctor
    world.join("ben")
    world.sync("ben")
    if deed != "deleted":
        world.person("ann").patch("primary", event_id, description="Bring the scans, and coffee")
    match deed:
        case "cancelled" | "both":
            world.edit(appointment_id, status="cancelled")
        case "erased":
            world.erase(appointment_id)
        case "reassigned":
            world.edit(appointment_id, user_ids=["ben"])
        case "deleted":
            world.edit(appointment_id, **span(9))
    if deed in {"deleted", "both"}:
        world.person("ann").delete("primary", event_id)
    world.sync()
    assert hidden_in(world) == []
    # Moved in the studio and deleted in the calendar, it comes back there with its text: the calendar is its owner's.
    assert world.titles("ann") == (["Oncologist"] if deed == "deleted" else [])
    assert world.titles("ben") == (["Busy"] if deed == "reassigned" else [])


def test_hidden_entries_that_are_parked_put_off_or_held_leave_no_text_anywhere(world: World) -> None:
    world.join("ann")
    world.sync()
    zoned = {end: {**times, "timeZone": "Europe/Berlin"} for end, times in google_span(4).items()}
    world.types("ann", **HIDDEN, visibility="private", recurrence=["RRULE:FREQ=WEEKLY;BYMONTHDAY=3;COUNT=3"], **zoned)
    events = [world.types("ann", **HIDDEN, visibility="private", **google_span(5 + n)) for n in range(7)]
    world.sync()
    assert len(world.appointments()) == 7
    for one in world.appointments():
        world.front_end.edit(one, user_ids=["ann"], **span(20))
        told(world, one, world.clock.now())
    world.cloud.google.fail_next("calendar.events.patch", 403, "rateLimitExceeded", times=20)
    world.sync()
    assert hidden_in(world) == []
    world.cloud.google.clear_faults()
    world.later(minutes=5)
    world.sync()
    for event_id in events:
        world.person("ann").delete("primary", event_id)
    world.sync()
    [question] = world.inbox().values()
    assert question["kind"] == "held"
    assert hidden_in(world) == []


def test_made_public_it_comes_whole_and_made_private_again_it_is_busy_again(doctor: tuple[World, str, str]) -> None:
    world, event_id, appointment_id = doctor
    world.person("ann").patch("primary", event_id, visibility="default")
    world.sync()
    assert shown(world, appointment_id) == (*HIDDEN.values(), False)
    world.edit(appointment_id, title="Oncologist at nine")
    world.sync()
    assert text_of(world, event_id)[0] == "Oncologist at nine"
    world.person("ann").patch("primary", event_id, visibility="private")
    world.sync()
    assert shown(world, appointment_id) == ("Busy", "", "", True)
    assert text_of(world, event_id) == ("Oncologist at nine", "Bring the scans", "Ward seven")


def test_details_allowed_it_comes_whole_and_no_longer_allowed_it_is_busy_again(
    doctor: tuple[World, str, str],
) -> None:
    world, event_id, appointment_id = doctor
    for _ in range(2):
        world.set_up("ann", private_details=True)
        world.sync()
        assert shown(world, appointment_id) == (*HIDDEN.values(), True)
        world.set_up("ann", private_details=False)
        world.sync()
        assert shown(world, appointment_id) == ("Busy", "", "", True)
        assert text_of(world, event_id) == tuple(HIDDEN.values())


def test_details_allowed_the_studio_edits_the_text_in_the_calendar(doctor: tuple[World, str, str]) -> None:
    world, event_id, appointment_id = doctor
    world.set_up("ann", private_details=True)
    world.sync()
    world.edit(appointment_id, title="Oncologist at ten")
    world.sync()
    assert text_of(world, event_id)[0] == "Oncologist at ten"
    world.person("ann").patch("primary", event_id, location="Ward eight")
    world.sync()
    assert shown(world, appointment_id) == ("Oncologist at ten", "Bring the scans", "Ward eight", True)


def test_details_no_longer_allowed_no_document_keeps_the_text(doctor: tuple[World, str, str]) -> None:
    world, _, _ = doctor
    world.set_up("ann", private_details=True)
    world.sync()
    world.set_up("ann", private_details=False)
    world.sync()
    assert hidden_in(world) == []


@pytest.mark.parametrize("way", WAYS)
def test_the_studios_own_private_appointment_keeps_its_text(world: World, way: str) -> None:
    world.join("ann")
    world.sync()
    world.book("staff", title="Staff talk", description="Pay", private=True, user_ids=["ann"], **span(3))
    world.book("later", title="Later", user_ids=["ann"], **span(5))
    world.sync()
    world.edit("later", private=True)
    world.sync()
    for event in world.events("ann"):
        assert event["visibility"] == "private"
        world.person("ann").patch("primary", event["id"], location="Attic")
    WAYS[way](world)
    world.sync()
    assert shown(world, "staff") == ("Staff talk", "Pay", "Attic", True)
    assert world.appointments()["later"]["title"] == "Later"
    assert world.titles("ann") == ["Later", "Staff talk"]


def test_a_twin_that_is_private_in_the_calendar_keeps_the_text_of_each_side(world: World) -> None:
    world.book("shoot", title="Oncologist", description="The studio's", user_ids=["ann"], **span(3))
    world.add("ann", populate_calendar=True, populate_studio=True)
    event_id = world.types("ann", summary="Oncologist", description="Mine", visibility="private", **google_span(3))
    world.connect("ann")
    world.sync()
    assert world.appointments().keys() == {"shoot"}
    assert text_of(world, event_id)[:2] == ("Oncologist", "Mine")
    assert shown(world, "shoot")[:2] == ("Oncologist", "The studio's")


# --- common ----------------------------------------------------------------------------------------------------------


def in_studio(world: World) -> list[str]:
    return sorted(document["title"] for document in world.appointments().values())


def told(world: World, appointment_id: str, at: dt.datetime) -> None:
    """The trigger tells of a write of that time."""
    after, store, tasks = world.front_end.appointment(appointment_id), world.wiring.store, world.wiring.tasks
    appointment_written(STUDIO, appointment_id, None, after, at, store=store, tasks=tasks, clock=world.clock)


def invited(world: World, title: str, hours: float, answer: str) -> str:
    """Somebody outside invites Ann, who has answered; gives the event's id."""
    guests = [{"email": world.emails["ann"], "responseStatus": answer}]
    event = {"iCalUID": f"{title}@elsewhere.example", "summary": title, "attendees": guests, **google_span(hours)}
    return str(world.cloud.google.receive_event(world.emails["ann"], "host@elsewhere.example", **event)["id"])


def full_listings(world: World) -> int:
    lists = [request for request in world.cloud.google.requests if request.method_id == "calendar.events.list"]
    return sum("syncToken" not in request.query for request in lists)


def text_of(world: World, event_id: str) -> tuple[str, str, str]:
    event = world.person("ann").event(event_id)
    return event.get("summary", ""), event.get("description", ""), event.get("location", "")


def starts_at(world: World, event_id: str) -> dt.datetime:
    return dt.datetime.fromisoformat(world.person("ann").event(event_id)["start"]["dateTime"])


def shown(world: World, appointment_id: str) -> tuple[Any, ...]:
    document = world.appointments()[appointment_id]
    return tuple(document.get(name, "") for name in ("title", "description", "location", "private"))


def hidden_in(world: World) -> list[str]:
    """The documents of the whole project, logs included, that hold a word of the hidden texts."""
    words = [word for text in HIDDEN.values() for word in (text, text.casefold())]
    return [path for path, document in documents(world) if any(word in str(document) for word in words)]


def documents(world: World) -> Iterator[tuple[str, Any]]:
    """Every document of the project with its path, also below documents that do not exist."""
    left = list(world.firestore.collections())
    while left:
        for reference in left.pop().list_documents():
            yield reference.path, reference.get().to_dict()
            left += reference.collections()
