"""How Google Calendar behaves: the simulated one always, the real one with ``--google=real``."""

import datetime as dt
import json
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.contract.google_target import ACCOUNT, Target, an_hour, ids, new_id, refusal, refused, saw, with_etag

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class TestIds:
    def test_an_own_id_is_kept(self, google: Target) -> None:
        """An event can be given its id by the client."""
        own = new_id()
        event = google.insert(id=own)
        assert event["id"] == own
        assert event["iCalUID"] == f"{own}@google.com"

    @pytest.mark.parametrize("bad", ["abcd", "with-dash-1", "UPPERCASE", "xyzxyz", "a" * 1025])
    def test_an_id_outside_base32hex_is_refused(self, google: Target, bad: str) -> None:
        """Ids are 5 to 1024 characters of a-v and 0-9."""
        assert refused(lambda: google.insert(id=bad))[0] == 400

    def test_a_used_id_is_a_duplicate(self, google: Target) -> None:
        """A second insert with the same id answers 409 duplicate."""
        event = google.insert(id=new_id())
        assert refused(lambda: google.insert(id=event["id"])) == (409, "duplicate")

    def test_a_deleted_id_stays_used(self, google: Target) -> None:
        """Deleting an event does not free its id."""
        event = google.insert(id=new_id())
        google.delete(event["id"])
        assert refused(lambda: google.insert(id=event["id"])) == (409, "duplicate")

    def test_an_id_stays_used_after_its_tombstone_is_gone(self, google: Target) -> None:
        """Google may forget a deleted event, not its id."""
        event = google.insert(id=new_id())
        google.delete(event["id"])
        google.simulated.evict_tombstones(google.calendar_id)
        assert refused(lambda: google.get(event["id"])) == (404, "notFound")
        assert refused(lambda: google.insert(id=event["id"])) == (409, "duplicate")


def imported(google: Target, **fields: Any) -> dict[str, Any]:
    body = an_hour() | {"iCalUID": f"{new_id()}@example.com"} | fields
    event: dict[str, Any] = google.api.events().import_(calendarId=google.calendar_id, body=body).execute()
    google.made.append(event["id"])
    return event


class TestImport:
    def test_an_import_is_a_private_copy_under_its_own_id(self, google: Target) -> None:
        """The iCalUID is the client's, the id is Google's."""
        uid = f"{new_id()}@example.com"
        event = imported(google, iCalUID=uid, summary="Brought along")
        assert (event["iCalUID"], event["summary"], event["eventType"]) == (uid, "Brought along", "default")
        assert event["id"] != uid
        assert google.get(event["id"]) == event
        assert ids(google.page(iCalUID=uid)["items"]) == [event["id"]]
        if google.simulator is not None:
            assert event["privateCopy"] is True
            # Immutable.
            assert google.patch(event["id"], {"privateCopy": False})["privateCopy"] is True
            assert "privateCopy" not in google.insert(privateCopy=True)

    @pytest.mark.parametrize("missing", ["iCalUID", "start", "end"])
    def test_uid_start_and_end_are_required(self, google: Target, missing: str) -> None:
        """400, and the simulator names the field."""
        with pytest.raises(HttpError) as caught:
            imported(google, **{missing: None})
        assert caught.value.resp.status == 400
        if google.simulator is not None:
            detail = json.loads(caught.value.content)["error"]["errors"][0]
            assert (detail["reason"], detail["location"]) == ("required", missing)
            assert google.listing()[0] == []

    def test_an_id_beside_the_uid_is_refused(self, google: Target) -> None:
        """Only one of the two should be supplied; the simulator insists on it."""
        assert google.simulated
        assert refused(lambda: imported(google, id=new_id())) == (400, "invalid")

    @pytest.mark.open_point
    @pytest.mark.parametrize("event_type", ["focusTime", "outOfOffice", "workingLocation", "birthday", "fromGmail"])
    def test_only_default_events_are_imported(self, google: Target, event_type: str) -> None:
        """Documented, but so is the deprecated change of the type to default; the simulator refuses."""
        try:
            outcome: Any = imported(google, eventType=event_type)["eventType"]
        except HttpError as error:
            outcome = refusal(error)
        if saw(google, f"import of {event_type}", outcome):
            assert outcome == (400, "invalid")

    def test_the_organizer_is_kept_as_given(self, google: Target) -> None:
        """It is read-only everywhere but here; `self` is Google's to say."""
        boss = {"email": "boss@example.com", "displayName": "The Boss"}
        event = imported(google, organizer=boss | {"self": True})
        assert event["organizer"] == boss
        if google.simulator is not None:
            own = {"email": google.calendar_id, "self": True}
            assert imported(google, organizer={"email": google.calendar_id})["organizer"] == own
            assert imported(google)["organizer"] == own
            assert google.insert(organizer=boss)["organizer"] == own

    def test_nobody_can_be_notified(self, google: Target) -> None:
        """There is no sendUpdates."""
        assert google.simulated
        request = google.api.events().import_(calendarId=google.calendar_id, body=an_hour() | {"iCalUID": new_id()})
        request.uri += "&sendUpdates=none"
        assert refused(request.execute) == (400, "invalidParameter")

    def test_an_import_is_in_the_delta_and_on_record(self, google: Target) -> None:
        """A change as any other."""
        _, token = google.listing()
        event = imported(google)
        assert [(item["id"], item["etag"]) for item in google.delta(token)] == [(event["id"], event["etag"])]
        if google.simulator is not None:
            calls = [request for request in google.simulator.requests if request.method_id == "calendar.events.import"]
            assert [(call.status, call.body["iCalUID"]) for call in calls] == [(200, event["iCalUID"])]

    def test_a_reader_cannot_import(self, google: Target) -> None:
        """As with insert."""
        google.calendar_id = google.simulated.add_calendar(ACCOUNT, "Theirs", access_role="reader")
        assert refused(lambda: imported(google)) == (403, "requiredAccessLevel")

    def test_private_events_are_not_replaced_without_access_to_them(self, google: Target) -> None:
        """A writer without private access cannot modify them by their iCalUID either."""
        event = imported(google, visibility="private")
        google.simulated.set_access(ACCOUNT, google.calendar_id, "writerWithoutPrivateAccess")
        assert refused(lambda: imported(google, iCalUID=event["iCalUID"])) == (403, "requiredAccessLevel")
        imported(google)

    @pytest.mark.open_point
    def test_a_repeated_uid_updates_the_event(self, google: Target) -> None:
        """Not documented, and users report both; the simulator does either."""
        first = imported(google, summary="one", location="studio", organizer={"email": "boss@example.com"})
        _, token = google.listing()
        new = {"email": "new@example.com"}
        try:
            again: Any = imported(google, summary="two", iCalUID=first["iCalUID"], organizer=new)
        except HttpError as error:
            again = refusal(error)
        if saw(google, "import of a repeated iCalUID", again):
            assert (again["id"], again["summary"], again["created"]) == (first["id"], "two", first["created"])
            assert (again["organizer"], again["privateCopy"]) == (new, True)
            assert "location" not in again
            assert again["etag"] != first["etag"]
            assert google.delta(token) == [again]
            google.simulated.behaviour.repeated_import_updates = False
            assert refused(lambda: imported(google, iCalUID=first["iCalUID"])) == (409, "duplicate")
            google.simulated.behaviour.repeated_import_updates = True
            assert google.listing()[0] == [again]

    @pytest.mark.open_point
    def test_a_repeated_uid_brings_a_deleted_event_back(self, google: Target) -> None:
        """Not documented either."""
        first = imported(google)
        google.delete(first["id"])
        try:
            again: Any = imported(google, iCalUID=first["iCalUID"])
        except HttpError as error:
            again = refusal(error)
        if saw(google, "import of a deleted event's iCalUID", again):
            assert (again["id"], again["status"]) == (first["id"], "confirmed")


class TestDeletion:
    def test_a_deleted_event_is_got_as_cancelled(self, google: Target) -> None:
        """Get answers 200 with status cancelled."""
        event = google.insert()
        google.delete(event["id"])
        assert google.get(event["id"])["status"] == "cancelled"

    def test_the_second_delete_answers_410(self, google: Target) -> None:
        """Deleting what is deleted is 410 deleted."""
        event = google.insert()
        google.delete(event["id"])
        assert refused(lambda: google.delete(event["id"])) == (410, "deleted")

    def test_what_never_was_is_not_found(self, google: Target) -> None:
        """An id that was never used answers 404 to get, patch and delete."""
        unknown = new_id()
        assert refused(lambda: google.get(unknown)) == (404, "notFound")
        assert refused(lambda: google.patch(unknown, {"summary": "x"})) == (404, "notFound")
        assert refused(lambda: google.delete(unknown)) == (404, "notFound")

    @pytest.mark.open_point
    def test_a_deleted_event_comes_back_with_status_confirmed(self, google: Target) -> None:
        """Undelete is documented as possible; patching the status is how it is done in the field."""
        event = google.insert(summary="Lost and found")
        google.delete(event["id"])
        back = google.patch(event["id"], {"status": "confirmed"})
        if saw(google, "undelete by patch", back):
            assert (back["status"], back["summary"]) == ("confirmed", "Lost and found")
            assert event["id"] in ids(google.listing()[0])

    @pytest.mark.open_point
    def test_a_patch_without_status_leaves_a_deleted_event_deleted(self, google: Target) -> None:
        """Nothing is documented: the simulator accepts the patch, and the event stays cancelled."""
        event = google.insert()
        google.delete(event["id"])
        patched = google.patch(event["id"], {"summary": "still gone"})
        if saw(google, "patch of a deleted event", patched):
            assert patched["status"] == "cancelled"


class TestConditions:
    def test_every_write_gives_a_new_etag(self, google: Target) -> None:
        """The etag names a version."""
        event = google.insert()
        patched = google.patch(event["id"], {"summary": "other"})
        assert patched["etag"] != event["etag"]
        assert google.get(event["id"])["etag"] == patched["etag"]

    def test_a_stale_etag_refuses_patch_update_and_delete(self, google: Target) -> None:
        """If-Match with an old version answers 412 conditionNotMet and changes nothing."""
        event = google.insert(summary="mine")
        now = google.patch(event["id"], {"summary": "theirs"})
        stale = event["etag"]
        assert refused(lambda: google.patch(event["id"], {"summary": "x"}, stale)) == (412, "conditionNotMet")
        assert refused(lambda: google.update(event["id"], an_hour(), stale)) == (412, "conditionNotMet")
        assert refused(lambda: google.delete(event["id"], stale)) == (412, "conditionNotMet")
        assert google.get(event["id"])["etag"] == now["etag"]

    def test_the_current_etag_passes(self, google: Target) -> None:
        """If-Match with the last version writes."""
        event = google.insert()
        patched = google.patch(event["id"], {"summary": "x"}, event["etag"])
        google.delete(event["id"], patched["etag"])
        assert google.get(event["id"])["status"] == "cancelled"

    def test_get_of_a_known_version_answers_304(self, google: Target) -> None:
        """If-None-Match with the current etag saves the body."""
        event = google.insert()
        request = google.api.events().get(calendarId=google.calendar_id, eventId=event["id"])
        request.headers["If-None-Match"] = event["etag"]
        with pytest.raises(HttpError) as caught:
            request.execute()
        assert caught.value.resp.status == 304

    def test_a_change_of_reminders_only_leaves_updated(self, google: Target) -> None:
        """The reference says that `updated` does not follow reminders."""
        event = google.insert()
        reminders = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 30}]}
        patched = google.patch(event["id"], {"reminders": reminders})
        assert patched["updated"] == event["updated"]
        assert patched["reminders"] == reminders

    @pytest.mark.open_point
    def test_a_change_of_reminders_changes_the_etag(self, google: Target) -> None:
        """Not documented; the simulator does either."""
        event = google.insert()
        overrides = [{"method": "popup", "minutes": 30}]
        patched = google.patch(event["id"], {"reminders": {"useDefault": False, "overrides": overrides}})
        if saw(google, "reminders change the etag", patched["etag"] != event["etag"]):
            assert patched["etag"] != event["etag"]


class TestPatchAndUpdate:
    def test_null_removes_a_field(self, google: Target) -> None:
        """A patched null takes the field away, others stay."""
        event = google.insert(summary="title", location="studio")
        patched = google.patch(event["id"], {"location": None})
        assert "location" not in patched
        assert patched["summary"] == "title"

    def test_extended_properties_merge_by_key(self, google: Target) -> None:
        """Private properties are patched one by one; null removes one."""
        event = google.insert(extendedProperties={"private": {"a": "1", "b": "2"}, "shared": {"s": "3"}})
        patched = google.patch(event["id"], {"extendedProperties": {"private": {"b": None, "c": "4"}}})
        assert patched["extendedProperties"] == {"private": {"a": "1", "c": "4"}, "shared": {"s": "3"}}

    def test_arrays_are_replaced_whole(self, google: Target) -> None:
        """Reminders' overrides, as every array, are not merged."""
        first, second = {"method": "popup", "minutes": 5}, {"method": "email", "minutes": 60}
        event = google.insert(reminders={"useDefault": False, "overrides": [first]})
        patched = google.patch(event["id"], {"reminders": {"overrides": [second]}})
        assert patched["reminders"] == {"useDefault": False, "overrides": [second]}

    def test_a_timed_event_becomes_all_day_if_the_old_kind_is_nulled(self, google: Target) -> None:
        """Start and end merge too: without the null both kinds would stand side by side."""
        event = google.insert()
        whole_day = {
            "start": {"date": "2027-06-01", "dateTime": None, "timeZone": None},
            "end": {"date": "2027-06-02", "dateTime": None, "timeZone": None},
        }
        patched = google.patch(event["id"], whole_day)
        assert (patched["start"], patched["end"]) == ({"date": "2027-06-01"}, {"date": "2027-06-02"})
        mixed = {"start": {"dateTime": "2027-06-01T10:00:00Z"}, "end": {"dateTime": "2027-06-01T11:00:00Z"}}
        assert refused(lambda: google.patch(event["id"], mixed))[0] == 400

    def test_update_replaces_the_whole_event(self, google: Target) -> None:
        """What a PUT leaves out is gone."""
        event = google.insert(summary="title", location="studio", extendedProperties={"private": {"a": "1"}})
        updated = google.update(event["id"], an_hour() | {"summary": "new"})
        assert updated["summary"] == "new"
        assert "location" not in updated
        assert "extendedProperties" not in updated
        assert updated["iCalUID"] == event["iCalUID"]

    def test_update_without_an_end_is_refused(self, google: Target) -> None:
        """PUT needs start and end, as insert does."""
        event = google.insert()
        assert refused(lambda: google.update(event["id"], {"start": an_hour()["start"]}))[0] == 400

    def test_default_values_are_omitted(self, google: Target) -> None:
        """Opaque and default visibility do not show; the status does."""
        event = google.insert(transparency="opaque", visibility="default")
        assert "transparency" not in event
        assert "visibility" not in event
        assert (event["status"], event["eventType"]) == ("confirmed", "default")

    def test_the_type_of_an_event_is_fixed(self, google: Target) -> None:
        """eventType cannot be changed afterwards."""
        event = google.insert()
        assert refused(lambda: google.patch(event["id"], {"eventType": "focusTime"}))[0] in {400, 403}


class TestTimes:
    def test_times_come_back_in_the_calendars_zone(self, google: Target) -> None:
        """The same instant may be written with another offset than it was sent with."""
        event = google.insert(
            start={"dateTime": "2027-06-01T08:00:00Z", "timeZone": "America/New_York"},
            end={"dateTime": "2027-06-01T09:00:00Z", "timeZone": "America/New_York"},
        )
        assert dt.datetime.fromisoformat(event["start"]["dateTime"]) == dt.datetime(2027, 6, 1, 8, tzinfo=dt.UTC)
        assert event["start"]["timeZone"] == "America/New_York"
        if google.simulator is not None:
            assert event["start"]["dateTime"] == "2027-06-01T10:00:00+02:00"

    def test_a_time_without_offset_is_read_in_its_zone(self, google: Target) -> None:
        """With a zone beside it a date-time needs no offset."""
        zone = {"timeZone": "America/New_York"}
        start, end = {"dateTime": "2027-01-05T09:00:00"} | zone, {"dateTime": "2027-01-05T10:00:00"} | zone
        event = google.insert(start=start, end=end)
        assert dt.datetime.fromisoformat(event["start"]["dateTime"]) == dt.datetime(2027, 1, 5, 14, tzinfo=dt.UTC)

    @pytest.mark.parametrize(
        "times",
        [
            {"start": {"date": "2027-06-01"}, "end": {"dateTime": "2027-06-01T10:00:00Z"}},
            {"start": {"dateTime": "2027-06-01T10:00:00Z"}, "end": {}},
            {"start": {"date": "2027-02-30"}, "end": {"date": "2027-03-02"}},
            {"start": {"dateTime": "tomorrow"}, "end": {"dateTime": "2027-06-01T10:00:00Z"}},
            an_hour(timeZone="Mars/Olympus"),
        ],
        ids=["mixed", "no end", "no such day", "no time", "no such zone"],
    )
    def test_times_that_make_no_sense_are_refused(self, google: Target, times: dict[str, Any]) -> None:
        """Both dates or both date-times, well formed, in a zone that exists."""
        assert refused(lambda: google.insert(times))[0] == 400

    def test_an_end_before_the_start_is_an_empty_range(self, google: Target) -> None:
        """400 timeRangeEmpty."""
        times = {"start": {"dateTime": "2027-06-01T10:00:00Z"}, "end": {"dateTime": "2027-06-01T09:00:00Z"}}
        assert refused(lambda: google.insert(times)) == (400, "timeRangeEmpty")

    def test_a_recurring_event_needs_a_zone(self, google: Target) -> None:
        """A timed series is expanded in its zone: without one it is refused, with one stored as its master."""
        rule = ["RRULE:FREQ=WEEKLY;COUNT=3"]
        assert refused(lambda: google.insert(recurrence=rule))[0] == 400
        master = google.insert(an_hour(timeZone="Europe/Berlin"), recurrence=rule)
        assert [e["recurrence"] for e in google.listing()[0] if e["id"] == master["id"]] == [rule]

    def test_dtstart_does_not_belong_in_the_recurrence(self, google: Target) -> None:
        """Start and end say it already."""
        lines = ["DTSTART:20270601T080000Z", "RRULE:FREQ=DAILY"]
        assert refused(lambda: google.insert(an_hour(timeZone="Europe/Berlin"), recurrence=lines))[0] == 400


class TestExtendedProperties:
    def test_long_keys_vanish_and_long_values_are_cut(self, google: Target) -> None:
        """Both silently: beyond 44 characters of key, 1024 of value."""
        event = google.insert(extendedProperties={"private": {"k" * 45: "lost", "k" * 44: "v" * 1025}})
        assert event["extendedProperties"]["private"] == {"k" * 44: "v" * 1024}

    @pytest.mark.parametrize(
        "private",
        [{f"k{number}": "v" for number in range(301)}, {f"k{number}": "v" * 1000 for number in range(40)}],
        ids=["301 properties", "40 kB"],
    )
    def test_too_many_properties_are_refused(self, google: Target, private: dict[str, str]) -> None:
        """300 properties and 32 kB are the limits of an event."""
        assert refused(lambda: google.insert(extendedProperties={"private": private}))[0] in {400, 403}

    def test_events_are_found_by_a_private_property(self, google: Target) -> None:
        """One constraint key=value."""
        mark = new_id()
        event = google.insert(extendedProperties={"private": {"mark": mark}})
        google.insert(extendedProperties={"private": {"mark": "other"}})
        assert ids(google.page(privateExtendedProperty=f"mark={mark}")["items"]) == [event["id"]]


class TestListing:
    def test_bounds_are_exclusive(self, google: Target) -> None:
        """timeMin bounds the end, timeMax the start, and neither includes what only touches it."""
        event = google.insert()
        touching = google.page(timeMin="2027-06-01T11:00:00+02:00", timeMax="2027-06-02T00:00:00Z")
        before = google.page(timeMin="2027-05-31T00:00:00Z", timeMax="2027-06-01T10:00:00+02:00")
        inside = google.page(timeMin="2027-06-01T10:59:59+02:00", timeMax="2027-06-02T00:00:00Z")
        assert event["id"] not in ids(touching["items"]) + ids(before["items"])
        assert event["id"] in ids(inside["items"])

    def test_a_bound_without_offset_is_refused(self, google: Target) -> None:
        """RFC 3339 with a mandatory offset."""
        assert refused(lambda: google.page(timeMin="2027-06-01T11:00:00"))[0] == 400

    def test_a_window_that_ends_before_it_starts_is_empty(self, google: Target) -> None:
        """400 timeRangeEmpty."""
        window = {"timeMin": "2027-06-02T00:00:00Z", "timeMax": "2027-06-01T00:00:00Z"}
        assert refused(lambda: google.page(**window)) == (400, "timeRangeEmpty")

    def test_deleted_events_show_only_if_asked_for(self, google: Target) -> None:
        """showDeleted is false unless given."""
        event = google.insert()
        google.delete(event["id"])
        assert event["id"] not in ids(google.listing()[0])
        assert event["id"] in ids(google.listing(showDeleted=True)[0])

    def test_the_last_page_alone_has_the_sync_token(self, google: Target) -> None:
        """Every page has exactly one of the two tokens."""
        made = {google.insert()["id"] for _ in range(3)}
        seen, query = [], {"maxResults": 2}
        while True:
            page = google.page(**query)
            assert ("nextPageToken" in page) != ("nextSyncToken" in page)
            seen += ids(page["items"])
            if "nextSyncToken" in page:
                break
            query["pageToken"] = page["nextPageToken"]
        assert made <= set(seen)
        assert len(seen) == len(set(seen))

    def test_pages_can_be_empty_in_the_middle(self, google: Target) -> None:
        """Only the page token tells whether there is more."""
        made = [google.insert()["id"] for _ in range(3)]
        google.simulated.listings.next_page_sizes(1, 0, 0)
        assert sorted(ids(google.listing()[0])) == sorted(made)

    def test_a_page_token_can_die(self, google: Target) -> None:
        """A listing that breaks off must be started anew."""
        for _ in range(2):
            google.insert()
        page = google.page(maxResults=1)
        google.simulated.expire_page_tokens()
        again = {"maxResults": 1, "pageToken": page["nextPageToken"]}
        assert refused(lambda: google.page(**again)) == (400, "invalid")

    def test_the_answer_names_the_calendars_zone(self, google: Target) -> None:
        """No call to calendars.get is needed for it."""
        page = google.page(maxResults=1)
        assert page["timeZone"]
        assert page["accessRole"] == "owner"

    def test_a_field_mask_cuts_the_answer(self, google: Target) -> None:
        """Partial responses, down into the items."""
        event = google.insert(summary="title", extendedProperties={"private": {"a": "1"}, "shared": {"b": "2"}})
        mask = "items(id,extendedProperties/private),nextPageToken,nextSyncToken"
        page = google.page(fields=mask)
        item = next(item for item in page["items"] if item["id"] == event["id"])
        assert item == {"id": event["id"], "extendedProperties": {"private": {"a": "1"}}}
        assert page.keys() == {"items", "nextSyncToken"}


class TestDeltas:
    def test_a_delta_has_what_changed_once_and_as_it_is_now(self, google: Target) -> None:
        """An event changed twice shows once."""
        changed, untouched = google.insert(), google.insert()
        _, token = google.listing()
        google.patch(changed["id"], {"summary": "one"})
        google.patch(changed["id"], {"summary": "two"})
        added = google.insert()
        delta = google.delta(token)
        assert sorted(ids(delta)) == sorted([changed["id"], added["id"]])
        assert untouched["id"] not in ids(delta)
        assert next(item for item in delta if item["id"] == changed["id"])["summary"] == "two"

    def test_an_empty_delta_gives_the_next_token(self, google: Target) -> None:
        """Nothing changed: no items, and a token for the next time."""
        _, token = google.listing()
        items, again = google.listing(syncToken=token)
        assert items == []
        assert google.delta(again) == []

    def test_a_deletion_is_in_the_delta(self, google: Target) -> None:
        """Without showDeleted too; the id and the status are all that is certain."""
        event = google.insert(summary="gone")
        _, token = google.listing()
        google.delete(event["id"])
        tombstone = google.delta(token)[0]
        assert (tombstone["id"], tombstone["status"]) == (event["id"], "cancelled")
        if google.simulator is not None:
            assert tombstone.keys() == {"kind", "etag", "id", "status"}

    def test_tombstones_can_keep_the_details(self, google: Target) -> None:
        """The organizer's calendar keeps them; whether a delta shows them is Google's choice."""
        google.simulated.behaviour.tombstone_details = True
        event = google.insert(summary="gone")
        _, token = google.listing()
        google.delete(event["id"])
        assert google.delta(token)[0]["summary"] == "gone"
        google.simulated.behaviour.tombstone_details = False

    def test_a_change_between_two_pages_is_in_the_next_delta(self, google: Target) -> None:
        """The token of a listing is as old as its first page."""
        made = [google.insert()["id"] for _ in range(3)]
        first = google.page(maxResults=2)
        google.patch(first["items"][0]["id"], {"summary": "changed meanwhile"})
        late = google.insert()
        rest, token = google.listing(maxResults=2, pageToken=first["nextPageToken"])
        assert set(made) <= set(ids(first["items"]) + ids(rest))
        delta = {item["id"]: item for item in google.delta(token, maxResults=2)}
        assert delta[first["items"][0]["id"]]["summary"] == "changed meanwhile"
        assert late["id"] in delta

    def test_a_delta_is_paged_with_both_tokens(self, google: Target) -> None:
        """The same sync token again, and the page token."""
        _, token = google.listing(maxResults=2)
        made = [google.insert()["id"] for _ in range(5)]
        assert sorted(google_ids := ids(google.delta(token, maxResults=2))) == sorted(made), google_ids

    @pytest.mark.open_point
    def test_a_delta_is_not_bound_to_the_window_of_the_listing(self, google: Target) -> None:
        """Not documented; the simulator shows changes outside the window."""
        _, token = google.listing(timeMin="2027-01-01T00:00:00Z")
        old = google.insert(start={"date": "2020-01-01"}, end={"date": "2020-01-02"})
        shown = old["id"] in ids(google.delta(token))
        if saw(google, "out-of-window change in the delta", shown):
            assert shown

    @pytest.mark.open_point
    def test_a_filtered_listing_may_end_without_a_sync_token(self, google: Target) -> None:
        """Not documented; the simulator does either."""
        given = "nextSyncToken" in google.page(q="nothing of the sort")
        if saw(google, "sync token after q", given):
            assert given
            google.simulated.behaviour.sync_token_after_filters = False
            assert "nextSyncToken" not in google.page(q="nothing of the sort")
            google.simulated.behaviour.sync_token_after_filters = True

    @pytest.mark.parametrize("garbage", ["nonsense", "AAAA", "äöü"])
    def test_garbage_is_a_sync_token_that_is_no_longer_valid(self, google: Target, garbage: str) -> None:
        """A mangled token answers as an expired one: 410 fullSyncRequired."""
        assert refused(lambda: google.delta(garbage)) == (410, "fullSyncRequired")

    def test_a_sync_token_can_expire(self, google: Target) -> None:
        """For various reasons, at any time."""
        _, token = google.listing()
        google.simulated.expire_sync_tokens(google.calendar_id)
        assert refused(lambda: google.delta(token)) == (410, "fullSyncRequired")

    def test_a_change_of_access_ends_the_sync_tokens(self, google: Target) -> None:
        """ACL changes are a documented reason."""
        _, token = google.listing()
        google.simulated.set_access(ACCOUNT, google.calendar_id, "writer")
        assert refused(lambda: google.delta(token)) == (410, "fullSyncRequired")

    @pytest.mark.parametrize(
        "query",
        [
            {"timeMin": "2027-01-01T00:00:00Z"},
            {"timeMax": "2027-01-01T00:00:00Z"},
            {"updatedMin": "2026-01-01T00:00:00Z"},
            {"orderBy": "updated"},
            {"q": "x"},
            {"iCalUID": "x"},
            {"privateExtendedProperty": "a=b"},
            {"sharedExtendedProperty": "a=b"},
            {"showDeleted": False},
        ],
        ids=lambda query: next(iter(query)),
    )
    def test_a_delta_cannot_be_filtered(self, google: Target, query: dict[str, Any]) -> None:
        """These parameters are documented as incompatible with a sync token."""
        _, token = google.listing()
        assert refused(lambda: google.page(syncToken=token, **query))[0] == 400

    def test_a_delta_repeats_the_parameters_of_the_listing(self, google: Target) -> None:
        """Anything else is undefined behaviour, which the simulator refuses."""
        _, token = google.listing()
        assert google.simulated
        assert refused(lambda: google.page(syncToken=token, maxResults=7)) == (400, "badRequest")


class TestBatches:
    def test_calls_of_a_batch_succeed_and_fail_one_by_one(self, google: Target) -> None:
        """Each part has its own status, and its own If-Match."""
        event = google.insert()
        stale = google.insert()
        google.patch(stale["id"], {"summary": "x"})
        answers: dict[str, Any] = {}

        def collect(request_id: str, response: Any, error: HttpError | None) -> None:
            answers[request_id] = refusal(error) if error else response

        batch = google.api.new_batch_http_request(callback=collect)
        events, where = google.api.events(), {"calendarId": google.calendar_id}
        fresh = new_id()
        google.made.append(fresh)
        batch.add(events.insert(**where, body=an_hour() | {"id": fresh, "summary": "größer €"}), request_id="new")
        batch.add(events.insert(**where, body=an_hour() | {"id": event["id"]}), request_id="twice")
        patch = events.patch(**where, eventId=stale["id"], body={"summary": "y"})
        batch.add(with_etag(patch, stale["etag"]), request_id="stale")
        batch.add(events.get(**where, eventId=event["id"], fields="id"), request_id="get")
        batch.add(events.delete(**where, eventId=event["id"]), request_id="delete")
        batch.execute()
        assert answers["new"]["id"] == fresh
        assert answers["new"]["summary"] == "größer €"
        assert answers["twice"] == (409, "duplicate")
        assert answers["stale"] == (412, "conditionNotMet")
        assert answers["get"] == {"id": event["id"]}
        assert answers["delete"] in {"", None}

    def test_a_batch_is_one_http_request_and_many_calls(self, google: Target) -> None:
        """Quota counts the calls."""
        simulator = google.simulated
        batch = google.api.new_batch_http_request()
        for _ in range(50):
            batch.add(google.api.events().insert(calendarId=google.calendar_id, body=an_hour()))
        simulator.clear_requests()
        batch.execute()
        assert simulator.http_requests == 1
        assert [(r.method_id, r.status, r.in_batch) for r in simulator.requests] == [
            ("calendar.events.insert", 200, True)
        ] * 50


class TestAccess:
    def test_the_calendar_list_names_role_and_zone(self, google: Target) -> None:
        """All that a person needs to choose."""
        entries = google.api.calendarList().list(minAccessRole="reader").execute()["items"]
        assert any(entry.get("primary") for entry in entries)
        assert all(entry["accessRole"] and entry["timeZone"] for entry in entries)

    def test_a_reader_cannot_write(self, google: Target) -> None:
        """403 on every write, while reading works."""
        calendar_id = google.simulated.add_calendar(ACCOUNT, "Theirs", access_role="reader")
        google.calendar_id = calendar_id
        assert refused(google.insert) == (403, "requiredAccessLevel")
        assert google.listing()[0] == []

    def test_a_calendar_that_was_taken_away_is_not_found(self, google: Target) -> None:
        """Lost access cannot be told from a calendar that never was."""
        google.simulated.set_access(ACCOUNT, google.calendar_id, None)
        assert refused(google.listing) == (404, "notFound")
        google.calendar_id = "nobody@example.com"
        assert refused(google.listing) == (404, "notFound")

    def test_guests_change_only_what_is_theirs(self, google: Target) -> None:
        """Shared properties belong to the organizer: 403 forbiddenForNonOrganizer."""
        event = google.simulated.receive_event(
            ACCOUNT, "boss@example.com", google.calendar_id, summary="Meeting", guestsCanInviteOthers=False, **an_hour()
        )
        own = {"colorId": "3", "extendedProperties": {"private": {"a": "1"}}}
        assert google.patch(event["id"], own)["colorId"] == "3"
        wanted = (403, "forbiddenForNonOrganizer")
        assert refused(lambda: google.patch(event["id"], {"summary": "x"})) == wanted
        # A PUT that leaves the guests' flags out resets them, and that is the organizer's as well.
        assert refused(lambda: google.update(event["id"], an_hour() | {"summary": "Meeting"})) == wanted
        google.delete(event["id"])

    def test_a_token_without_the_scope_is_refused(self, google: Target) -> None:
        """calendars.get is not part of calendar.events."""
        assert google.simulated
        call = google.api.calendars().get(calendarId=google.calendar_id).execute
        assert refused(call) == (403, "insufficientPermissions")

    def test_an_expired_access_token_is_renewed_by_the_client(self, google: Target) -> None:
        """401 once; the client refreshes and repeats the call."""
        google.simulated.expire_access_tokens()
        google.listing()
        assert [request.status for request in google.simulated.requests] == [401, 200, 200]


@pytest.mark.open_point
def test_a_batch_takes_more_than_50_calls(google: Target) -> None:
    """The guide says 1000 today and said 50 in 2020; the simulator's limit is a switch."""
    batch = google.api.new_batch_http_request()
    for _ in range(51):
        batch.add(google.api.calendarList().list(maxResults=1, fields="etag"))
    try:
        batch.execute()
        taken = True
    except HttpError:
        taken = False
    if saw(google, "a batch of 51 calls is taken", taken):
        assert taken


def test_a_batch_over_the_limit_is_refused_whole(google: Target) -> None:
    """Nothing of it is carried out."""
    google.simulated.behaviour.max_batch = 2
    batch = google.api.new_batch_http_request()
    for _ in range(3):
        batch.add(google.api.events().insert(calendarId=google.calendar_id, body=an_hour()))
    with pytest.raises(HttpError) as caught:
        batch.execute()
    google.simulated.behaviour.max_batch = 1000
    assert caught.value.resp.status == 400
    assert google.listing()[0] == []
