"""What Google says of what is gone, or only seems to be: needs switches of the simulated Google, but for the bin."""

import pytest

from tests.contract.google_target import ACCOUNT, GUEST, Target, an_hour, ids, new_id, refused, saw

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

NOT_FOUND = (404, "notFound")


class TestADeletedCalendar:
    def test_it_is_not_found_by_anybody(self, google: Target) -> None:
        """Neither it nor what was in it, by those that it was shared with either."""
        event, (_, token) = google.insert(), google.listing()
        google.simulated.set_access(GUEST, google.calendar_id, "reader")
        guest = google.guest
        guest.calendar_id = google.calendar_id
        assert ids(guest.listing()[0]) == [event["id"]]
        google.simulated.delete_calendar(google.calendar_id)
        for target in (google, guest):
            assert refused(target.listing) == NOT_FOUND
            assert refused(lambda target=target: target.get(event["id"])) == NOT_FOUND
        assert refused(lambda: google.delta(token)) == NOT_FOUND
        assert refused(lambda: google.patch(event["id"], {"summary": "x"})) == NOT_FOUND
        assert refused(lambda: google.delete(event["id"])) == NOT_FOUND
        assert refused(google.insert) == NOT_FOUND

    def test_it_leaves_the_list(self, google: Target) -> None:
        """And cannot be asked for by its id."""
        google.simulated.delete_calendar(google.calendar_id)
        assert google.calendar_id not in ids(google.api.calendarList().list(showHidden=True).execute()["items"])
        assert refused(google.api.calendarList().get(calendarId=google.calendar_id).execute) == NOT_FOUND

    def test_its_channels_die(self, google: Target) -> None:
        """There is nothing left to stop."""
        body = {"id": new_id(), "type": "web_hook", "address": "https://example.com/hook"}
        google.simulated.push.paused = True
        channel = google.api.events().watch(calendarId=google.calendar_id, body=body).execute()
        google.simulated.delete_calendar(google.calendar_id)
        google.simulated.push.resume()
        stop = {"id": channel["id"], "resourceId": channel["resourceId"]}
        assert refused(google.api.channels().stop(body=stop).execute) == NOT_FOUND


class TestWhatAReplicaDoesNotHave:
    def test_hidden_events_are_not_found(self, google: Target) -> None:
        """Until they are shown again, as they were."""
        event, other = google.insert(), google.insert()
        google.simulated.hide_events(google.calendar_id, event["id"])
        assert refused(lambda: google.get(event["id"])) == NOT_FOUND
        assert refused(lambda: google.patch(event["id"], {"summary": "x"})) == NOT_FOUND
        assert refused(lambda: google.update(event["id"], an_hour())) == NOT_FOUND
        assert refused(lambda: google.delete(event["id"])) == NOT_FOUND
        assert ids(google.listing()[0]) == [other["id"]]
        google.simulated.show_events(google.calendar_id, event["id"])
        assert google.get(event["id"]) == event
        assert ids(google.listing()[0]) == [event["id"], other["id"]]

    def test_their_ids_stay_used(self, google: Target) -> None:
        """Only reading is behind: a second insert is a duplicate."""
        event = google.insert()
        google.simulated.hide_events(google.calendar_id, event["id"])
        assert refused(lambda: google.insert(id=event["id"])) == (409, "duplicate")

    def test_people_see_them(self, google: Target) -> None:
        """They do exist; and a delta that leaves a change out does not make up for it."""
        event, (_, token) = google.insert(), google.listing()
        person = google.simulated.person(ACCOUNT)
        google.simulated.hide_events(google.calendar_id, event["id"])
        person.patch(google.calendar_id, event["id"], summary="Still here")
        items, token = google.listing(syncToken=token)
        assert items == []
        assert ids(person.events(google.calendar_id)) == [event["id"]]
        google.simulated.show_events(google.calendar_id)
        assert google.delta(token) == []
        assert google.get(event["id"])["summary"] == "Still here"

    def test_a_full_listing_can_be_empty(self, google: Target) -> None:
        """Once, for clients, and with a sync token that works."""
        event = google.insert()
        google.simulated.listings.next_listing_empty(google.calendar_id)
        assert ids(google.simulated.person(ACCOUNT).events(google.calendar_id)) == [event["id"]]
        items, token = google.listing()
        assert items == []
        later = google.insert()
        assert ids(google.delta(token)) == [later["id"]]
        assert ids(google.listing()[0]) == [event["id"], later["id"]]

    def test_people_do_not_use_up_what_a_test_has_in_store(self, google: Target) -> None:
        """Pages are short for clients only, too."""
        made = [google.insert()["id"] for _ in range(2)]
        google.simulated.listings.next_page_sizes(1)
        google.simulated.person(ACCOUNT).events(google.calendar_id)
        assert len(google.page()["items"]) == 1
        assert ids(google.listing()[0]) == made

    def test_only_the_named_calendar_is_empty(self, google: Target) -> None:
        """Others go on; a delta does not count as a full listing."""
        event, (_, token) = google.insert(), google.listing()
        own = google.simulated.person(ACCOUNT).insert(**an_hour())
        google.simulated.listings.next_listing_empty(ACCOUNT)
        google.simulated.listings.next_listing_empty()
        assert google.delta(token) == []
        assert google.listing()[0] == []
        assert ids(google.listing()[0]) == [event["id"]]
        google.calendar_id = ACCOUNT
        assert google.listing()[0] == []
        assert ids(google.listing()[0]) == [own["id"]]


class TestTheBin:
    @pytest.mark.open_point
    def test_a_deleted_event_keeps_its_details_and_comes_back_with_them(self, google: Target) -> None:
        """The organizer's calendar keeps the details (documented); what is restored how is not."""
        fields = {
            "summary": "Lost",
            "location": "Bin",
            "colorId": "3",
            "extendedProperties": {"private": {"a": "1"}, "shared": {"b": "2"}},
            "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
        }
        event = google.insert(fields)
        google.delete(event["id"])
        (binned,) = [item for item in google.listing(showDeleted=True)[0] if item["id"] == event["id"]]
        back = google.patch(event["id"], {"status": "confirmed"})
        changing = {"etag", "updated"}
        if saw(google, "fields of a restored event", {"bin": binned, "restored": back}):
            assert {name: binned[name] for name in fields} == fields
            assert {name: back[name] for name in back.keys() - changing} == {
                name: event[name] for name in event.keys() - changing
            }

    def test_an_emptied_bin_gives_nothing_back(self, google: Target) -> None:
        """404, as for what never was."""
        event = google.insert()
        google.delete(event["id"])
        google.simulated.evict_tombstones(google.calendar_id)
        assert refused(lambda: google.patch(event["id"], {"status": "confirmed"})) == NOT_FOUND
