"""The main job: users' calendars in step with the studio, both ways."""

import datetime as dt

from tests.world import NOW, World, days, google_span, span


def test_populating_the_calendar_enters_what_is_in_the_window_and_unticks_the_box(world: World) -> None:
    for number in range(3):
        world.book(f"shoot-{number}", title=f"Shoot {number}", user_ids=["ann"], **span(number))
    world.book("last-year", title="Last year", user_ids=["ann"], **span(-24 * 365))
    world.book("bens", title="Ben's", user_ids=["ben"], **span(1))
    world.join("ann", populate_calendar=True)
    world.sync()
    assert world.titles("ann") == ["Shoot 0", "Shoot 1", "Shoot 2"]
    assert world.front_end.user("ann")["sync"]["populate_calendar"] is False


def test_without_a_populate_nothing_old_is_carried_but_every_later_change_is(world: World) -> None:
    world.book("old", title="Old", user_ids=["ann"], **span(1))
    world.join("ann")
    world.types("ann", summary="Mine of before", **google_span(5))
    world.sync()
    world.book("new", title="New", user_ids=["ann"], **span(2))
    world.types("ann", summary="Mine of now", **google_span(6))
    world.sync()
    assert "New" in world.titles("ann")
    assert "Old" not in world.titles("ann")
    kinds = {document["title"]: document["kind"] for document in world.appointments().values()}
    assert kinds["Mine of now"] == "unlinked"


def test_populating_the_studio_takes_entries_in_as_unlinked_appointments(world: World) -> None:
    world.add("ann", populate_studio=True)
    world.types("ann", summary="Dentist", location="Main St 1", description="Bring card", **google_span(3))
    start, end = days(4, 6)
    world.types("ann", summary="Fair", start={"date": start}, end={"date": end}, transparency="transparent")
    world.connect("ann")
    world.sync()
    found = {document["title"]: document for document in world.appointments().values()}
    assert found["Dentist"]["kind"] == "unlinked"
    assert found["Dentist"]["user_ids"] == ["ann"]
    assert (found["Dentist"]["location"], found["Dentist"]["description"]) == ("Main St 1", "Bring card")
    assert found["Dentist"]["start"] == NOW + dt.timedelta(hours=3)
    assert (found["Fair"]["all_day"], found["Fair"]["start_date"], found["Fair"]["end_date"]) == (True, start, end)
    assert found["Fair"]["busy"] is False
    assert found["Fair"]["origin"]["connection"] == world.connections["ann"]


def test_an_entry_that_a_person_typed_twice_is_paired_and_not_doubled(world: World) -> None:
    world.book("shoot", title="Newborn – Smith", user_ids=["ann"], description="Studio 2", **span(3))
    world.add("ann", populate_calendar=True, populate_studio=True)
    event_id = world.types("ann", summary=" newborn smith", location="Home", **google_span(3))
    world.connect("ann")
    world.sync()
    assert list(world.appointments()) == ["shoot"]
    assert world.below("ann", "links")["shoot"]["event_id"] == event_id
    [event] = world.events("ann")
    assert event["summary"] == "Newborn – Smith", "without a base the studio's text stands"
    assert event["description"] == "Studio 2"
    assert world.appointments()["shoot"]["location"] == "Home", "what only the calendar had is kept"
    reasons = [entry["reason"] for entry in world.log("ann")]
    assert reasons == ["matched"]


def test_the_same_time_with_the_clients_name_in_the_title_is_the_same_entry(world: World) -> None:
    world.firestore.document("studios/atelier/clients/eve").set({"given_name": "Eve", "family_name": "Moss"})
    world.book("shoot", title="Portrait session", client_id="eve", user_ids=["ann"], **span(3))
    world.add("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="Eve Moss, portraits", **google_span(3))
    world.types("ann", summary="Lunch", **google_span(3))
    world.connect("ann")
    world.sync()
    assert world.titles("ann") == ["Lunch", "Portrait session"]
    assert sorted(document["title"] for document in world.appointments().values()) == ["Lunch", "Portrait session"]


def test_populating_again_and_again_changes_nothing(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.add("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="Dentist", **google_span(5))
    world.connect("ann")
    world.sync()
    before = world.picture()
    for _ in range(2):
        world.set_up("ann", populate_calendar=True, populate_studio=True)
        world.sync()
    assert world.picture() == before


def test_different_fields_edited_on_both_sides_at_once_both_survive(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    world.edit("shoot", title="Shoot with Eve")
    world.person("ann").patch("primary", event["id"], location="Park", **google_span(4))
    world.sync()
    [event] = world.events("ann")
    shoot = world.appointments()["shoot"]
    assert (event["summary"], event["location"]) == ("Shoot with Eve", "Park")
    assert (shoot["title"], shoot["location"], shoot["start"]) == (
        "Shoot with Eve",
        "Park",
        NOW + dt.timedelta(hours=4),
    )


def test_one_field_edited_on_both_sides_goes_to_the_studio_and_the_loser_is_kept_in_the_log(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    world.edit("shoot", title="Studio's")
    world.person("ann").patch("primary", event["id"], summary="Calendar's")
    world.sync()
    assert world.titles("ann") == ["Studio's"]
    assert world.appointments()["shoot"]["title"] == "Studio's"
    lost = [loser for entry in world.log("ann") for loser in entry["lost"]]
    assert lost == [{"unit": "title", "side": "calendar", "value": "Calendar's"}]


def test_cancelling_in_the_studio_removes_the_event_and_erasing_does_the_same(world: World) -> None:
    world.book("one", title="One", user_ids=["ann"], **span(3))
    world.book("two", title="Two", user_ids=["ann"], **span(5))
    world.join("ann", populate_calendar=True)
    world.sync()
    world.edit("one", status="cancelled")
    world.erase("two")
    world.sync()
    assert world.events("ann") == []
    assert {link["state"] for link in world.below("ann", "links").values()} == {"gone"}


def test_an_appointment_that_is_booked_again_after_its_cancellation_comes_back(world: World) -> None:
    world.book("one", title="One", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    world.edit("one", status="cancelled")
    world.sync()
    world.edit("one", status="confirmed")
    world.sync()
    assert world.titles("ann") == ["One"]


def test_deleting_in_the_calendar_cancels_in_the_studio_where_nobody_else_is_assigned(world: World) -> None:
    world.book("hers", title="Hers", user_ids=["ann"], **span(3))
    world.book("shared", title="Shared", user_ids=["ann", "ben"], **span(5))
    world.join("ann", populate_calendar=True)
    world.sync()
    for event in world.events("ann"):
        world.person("ann").delete("primary", event["id"])
    world.sync()
    statuses = {key: document["status"] for key, document in world.appointments().items()}
    assert statuses == {"hers": "cancelled", "shared": "confirmed"}


def test_a_studio_edit_beats_a_deletion_in_the_calendar(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    world.person("ann").delete("primary", event["id"])
    world.edit("shoot", title="Shoot, moved indoors")
    world.sync()
    assert world.titles("ann") == ["Shoot, moved indoors"]
    assert world.appointments()["shoot"]["status"] == "confirmed"


def test_reassigning_takes_the_event_from_one_calendar_to_the_other(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.join("ben")
    world.sync()
    world.edit("shoot", user_ids=["ben"])
    world.sync()
    assert world.titles("ann") == []
    assert world.titles("ben") == ["Shoot"]


def test_an_edit_in_one_users_calendar_reaches_the_other_users_calendar(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(3))
    world.join("ann", populate_calendar=True)
    world.join("ben", populate_calendar=True)
    world.sync()
    before = world.appointments()["shoot"]
    [event] = world.events("ann")
    world.person("ann").patch("primary", event["id"], summary="Shoot at noon")
    world.sync("ann")
    assert world.trigger("shoot", before) == 2
    world.sync("ben")
    assert world.titles("ben") == ["Shoot at noon"]


def test_converting_an_unlinked_appointment_keeps_it_in_step(world: World) -> None:
    world.add("ann", populate_studio=True)
    world.types("ann", summary="Consultation", **google_span(3))
    world.connect("ann")
    world.sync()
    [appointment_id] = world.appointments()
    world.edit(appointment_id, kind="session", client_id="eve", title="Consultation Eve")
    world.sync()
    assert world.titles("ann") == ["Consultation Eve"]
    [event] = world.events("ann")
    world.person("ann").patch("primary", event["id"], location="Café")
    world.sync()
    assert world.appointments()[appointment_id]["location"] == "Café"
    assert world.appointments()[appointment_id]["kind"] == "session"


def test_what_we_do_not_own_on_an_event_is_never_touched_and_nobody_is_mailed(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    added = {
        "attendees": [{"email": "guest@example.com"}],
        "colorId": "5",
        "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 7}]},
    }
    world.person("ann").patch("primary", event["id"], **added)
    world.sync()
    world.cloud.google.clear_requests()
    world.edit("shoot", title="Shoot two", description="Now with text", **span(6))
    world.sync()
    [event] = world.events("ann")
    assert event["attendees"][0]["email"] == "guest@example.com"
    assert (event["colorId"], event["reminders"]["overrides"]) == ("5", [{"method": "popup", "minutes": 7}])
    times = {"start", "end", "recurrence"}
    ours = {"id", "summary", "description", "location", "status", "transparency", "visibility"} | times
    writes = [
        request for request in world.cloud.google.requests if request.http_method in {"POST", "PATCH", "PUT", "DELETE"}
    ]
    writes = [request for request in writes if request.method_id.startswith("calendar.events.")]
    assert writes
    for request in writes:
        assert request.query["sendUpdates"] == "none"
        assert set(request.body or {}) <= ours | {"extendedProperties"}


def test_an_all_day_appointment_becomes_timed_and_back(world: World) -> None:
    start, end = days(2, 3)
    world.book("fair", title="Fair", user_ids=["ann"], all_day=True, start_date=start, end_date=end)
    world.join("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    assert (event["start"]["date"], event["end"]["date"]) == (start, end)
    world.edit("fair", all_day=False, **span(48))
    world.sync()
    [event] = world.events("ann")
    assert "date" not in event["start"]
    world.person("ann").patch(
        "primary", event["id"], start={"date": start, "dateTime": None}, end={"date": end, "dateTime": None}
    )
    world.sync()
    fair = world.appointments()["fair"]
    assert (fair["all_day"], fair["start_date"], fair["end_date"]) == (True, start, end)
    assert "start" not in fair


def test_a_zero_length_appointment_stays_one(world: World) -> None:
    world.book("call", title="Call", user_ids=["ann"], **span(3, lasting=0))
    world.join("ann", populate_calendar=True)
    world.sync()
    [event] = world.events("ann")
    assert event["start"]["dateTime"] == event["end"]["dateTime"]
    world.sync()
    assert world.appointments()["call"]["end"] == world.appointments()["call"]["start"]


def test_a_calendar_in_another_zone_moves_nothing(make_world) -> None:  # noqa: ANN001
    world = make_world(time_zone="Europe/Kyiv")
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.add("ann", populate_calendar=True, populate_studio=True, time_zone="America/New_York")
    world.types("ann", summary="Dentist", **google_span(7))
    world.connect("ann")
    world.sync()
    world.cloud.google.set_time_zone(world.emails["ann"], "Asia/Tokyo")
    world.sync()
    found = {document["title"]: document["start"] for document in world.appointments().values()}
    assert found == {"Shoot": NOW + dt.timedelta(hours=3), "Dentist": NOW + dt.timedelta(hours=7)}
    starts = {event["summary"]: dt.datetime.fromisoformat(event["start"]["dateTime"]) for event in world.events("ann")}
    assert starts == found


def test_with_two_way_off_the_calendar_is_a_mirror(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True, two_way_appointments=False)
    world.sync()
    [event] = world.events("ann")
    world.person("ann").patch("primary", event["id"], summary="Mine", location="Elsewhere")
    world.types("ann", summary="Private", **google_span(5))
    world.sync()
    assert world.appointments()["shoot"]["title"] == "Shoot"
    world.edit("shoot", description="New text")
    world.sync()
    shoot = next(event for event in world.events("ann") if event["id"] == event["id"] and "Shoot" in event["summary"])
    assert shoot["summary"] == "Shoot"
    assert list(world.appointments()) == ["shoot"]


def test_a_cursor_that_google_forgot_imports_nothing_unasked_and_loses_nothing_new(world: World) -> None:
    world.add("ann")
    world.types("ann", summary="Before", **google_span(3))
    world.connect("ann")
    world.sync()
    world.types("ann", summary="After", **google_span(4))
    world.cloud.google.expire_sync_tokens(world.emails["ann"])
    world.sync()
    assert [document["title"] for document in world.appointments().values()] == ["After"]


def test_a_second_user_who_is_invited_to_the_same_event_joins_the_same_appointment(world: World) -> None:
    meeting = {"iCalUID": "meeting@elsewhere.example", "summary": "Meeting", **google_span(7)}
    for user_id in ("ann", "ben"):
        world.add(user_id, populate_studio=True)
        world.cloud.google.receive_event(world.emails[user_id], "host@elsewhere.example", **meeting)
        world.connect(user_id)
        world.sync(user_id)
    [appointment] = world.appointments().values()
    assert (appointment["title"], appointment["user_ids"]) == ("Meeting", ["ann", "ben"])
    assert world.titles("ann") == world.titles("ben") == ["Meeting"]
