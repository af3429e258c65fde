"""How Google Calendar treats series: their instances, and exceptions from them."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.contract.google_target import Target, an_hour, ids, refused, saw

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

BERLIN = {"timeZone": "Europe/Berlin"}
# Tuesdays, from 1 June 2027 at 10:00 in Berlin.
FIRST, SECOND, THIRD, FOURTH = (f"202706{day}T080000Z" for day in ("01", "08", "15", "22"))
LATER = {
    "start": {"dateTime": "2027-06-08T15:00:00+02:00"} | BERLIN,
    "end": {"dateTime": "2027-06-08T16:30:00+02:00"} | BERLIN,
}


def weekly(google: Target, rule: str = "FREQ=WEEKLY;COUNT=4", **fields: Any) -> dict[str, Any]:
    return google.insert(an_hour(**BERLIN), summary="Class", recurrence=[f"RRULE:{rule}"], **fields)


def nth(master: dict[str, Any], stamp: str) -> str:
    return f"{master['id']}_{stamp}"


def starts(items: list[dict[str, Any]]) -> list[str]:
    return [(item["start"].get("dateTime") or item["start"]["date"]) for item in items]


class TestInstances:
    def test_an_instance_looks_as_its_series_makes_it(self, google: Target) -> None:
        """All but the rule, under an id of its own that ends with the original start."""
        properties = {"private": {"mine": "1"}, "shared": {"ours": "2"}}
        master = weekly(google, location="Studio", extendedProperties=properties)
        instance = google.get(nth(master, SECOND))
        assert instance["id"] == nth(master, SECOND)
        assert instance["recurringEventId"] == master["id"]
        assert instance["originalStartTime"] == {"dateTime": "2027-06-08T10:00:00+02:00"} | BERLIN
        assert instance["start"] == {"dateTime": "2027-06-08T10:00:00+02:00"} | BERLIN
        assert instance["end"] == {"dateTime": "2027-06-08T11:00:00+02:00"} | BERLIN
        assert "recurrence" not in instance
        same = ("iCalUID", "summary", "location", "status", "extendedProperties", "eventType")
        assert {name: instance[name] for name in same} == {name: master[name] for name in same}

    def test_the_first_instance_is_the_start_itself(self, google: Target) -> None:
        """It has an id of its own all the same."""
        master = weekly(google)
        assert google.get(nth(master, FIRST))["start"] == master["start"]

    @pytest.mark.parametrize("stamp", ["20270602T080000Z", "20270629T080000Z", "20270601", "20270608T090000Z", "rest"])
    def test_what_is_no_occurrence_is_not_found(self, google: Target, stamp: str) -> None:
        """Neither beside the rule nor after its end."""
        master = weekly(google)
        assert refused(lambda: google.get(nth(master, stamp))) == (404, "notFound")
        assert refused(lambda: google.patch(nth(master, stamp), {"summary": "x"})) == (404, "notFound")
        assert refused(lambda: google.delete(nth(master, stamp))) == (404, "notFound")

    def test_whole_days_have_short_ids(self, google: Target) -> None:
        """The date, and no time."""
        day = {"start": {"date": "2027-06-01"}, "end": {"date": "2027-06-03"}}
        master = google.insert(day, recurrence=["RRULE:FREQ=DAILY;COUNT=3;INTERVAL=5"])
        instance = google.get(nth(master, "20270606"))
        assert (instance["start"], instance["end"]) == ({"date": "2027-06-06"}, {"date": "2027-06-08"})
        assert instance["originalStartTime"] == {"date": "2027-06-06"}

    def test_they_keep_the_clock_on_the_wall(self, google: Target) -> None:
        """Ten o'clock in summer and in winter, in the zone of the event and not of the calendar."""
        master = google.insert(
            start={"dateTime": "2027-10-20T10:00:00", "timeZone": "America/New_York"},
            end={"dateTime": "2027-10-20T11:00:00", "timeZone": "America/New_York"},
            recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"],
        )
        # Europe's summer time ends on 31 October, America's on 7 November.
        stamps = ["20271020T140000Z", "20271027T140000Z", "20271103T140000Z", "20271110T150000Z"]
        assert ids(google.instances(master["id"])) == [nth(master, stamp) for stamp in stamps]

    def test_they_are_listed_in_order_and_by_pages(self, google: Target) -> None:
        """events.instances."""
        master = weekly(google)
        wanted = [nth(master, stamp) for stamp in (FIRST, SECOND, THIRD, FOURTH)]
        assert ids(google.instances(master["id"])) == wanted
        assert ids(google.instances(master["id"], maxResults=1)) == wanted
        assert ids(google.instances(master["id"], originalStart="2027-06-15T08:00:00Z")) == wanted[2:3]
        window = {"timeMin": "2027-06-08T12:00:00Z", "timeMax": "2027-06-22T08:00:00Z"}
        assert ids(google.instances(master["id"], **window)) == wanted[2:3]

    def test_a_listing_of_single_events_has_them_and_not_the_series(self, google: Target) -> None:
        """singleEvents=true, which alone can be ordered by start."""
        master, single = weekly(google), google.insert(summary="Single")
        google.patch(nth(master, SECOND), LATER)
        google.delete(nth(master, THIRD))
        window = {"timeMin": "2027-06-01T00:00:00Z", "timeMax": "2027-07-01T00:00:00Z"}
        found = google.page(singleEvents=True, orderBy="startTime", **window)["items"]
        ours = [item for item in found if item["iCalUID"] in {master["iCalUID"], single["iCalUID"]}]
        assert sorted(ids(ours)) == sorted([single["id"], *(nth(master, one) for one in (FIRST, SECOND, FOURTH))])
        assert starts(ours) == sorted(starts(ours))

    @pytest.mark.parametrize(
        ("lines", "days"),
        [
            (["RRULE:FREQ=WEEKLY;UNTIL=20270615T080000Z"], ["01", "08", "15"]),
            (["RRULE:FREQ=WEEKLY;UNTIL=20270615T075959Z"], ["01", "08"]),
            (["RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=Europe/Berlin:20270608T100000"], ["01", "15"]),
            (["RRULE:FREQ=WEEKLY;COUNT=2", "RDATE:20270610T080000Z"], ["01", "08", "10"]),
            (["RDATE;TZID=Europe/Berlin:20270603T100000,20270605T100000"], ["01", "03", "05"]),
        ],
        ids=["until", "until just before", "exdate", "rdate", "rdate alone"],
    )
    def test_the_lines_of_a_recurrence_count_together(self, google: Target, lines: list[str], days: list[str]) -> None:
        """RRULE and RDATE, less EXDATE; UNTIL is inclusive."""
        master = google.insert(an_hour(**BERLIN), recurrence=lines)
        assert starts(google.instances(master["id"])) == [f"2027-06-{day}T10:00:00+02:00" for day in days]

    @pytest.mark.parametrize("frequency", ["HOURLY", "MINUTELY", "SECONDLY"])
    def test_nothing_recurs_more_often_than_daily(self, google: Target, frequency: str) -> None:
        """Refused; the real one has been seen to fail with 500."""
        rule = [f"RRULE:FREQ={frequency};COUNT=3"]
        assert refused(lambda: google.insert(an_hour(**BERLIN), recurrence=rule))[0] in {400, 500}

    @pytest.mark.open_point
    def test_a_single_event_has_no_instances(self, google: Target) -> None:
        """Not documented; the simulator answers 404."""
        single = google.insert()
        status = refused(lambda: google.instances(single["id"]))[0]
        if saw(google, "events.instances of a single event", status):
            assert status == 404

    @pytest.mark.open_point
    def test_an_instance_that_nobody_changed_has_the_etag_of_its_series(self, google: Target) -> None:
        """Not documented; the simulator does either."""
        master = weekly(google)
        same = google.get(nth(master, SECOND))["etag"] == master["etag"]
        if saw(google, "an instance has the etag of its series", same):
            assert same


class TestExceptions:
    def test_a_changed_instance_is_listed_beside_its_series(self, google: Target) -> None:
        """The others are not, nor does the series change."""
        master = weekly(google, extendedProperties={"private": {"mine": "1"}})
        _, token = google.listing()
        changed = google.patch(nth(master, SECOND), {"summary": "Special", **LATER})
        assert changed["id"] == nth(master, SECOND)
        assert changed["recurringEventId"] == master["id"]
        assert changed["originalStartTime"] == {"dateTime": "2027-06-08T10:00:00+02:00"} | BERLIN
        assert changed["iCalUID"] == master["iCalUID"]
        assert changed["extendedProperties"] == master["extendedProperties"]
        assert google.get(changed["id"]) == changed
        assert google.delta(token) == [changed]
        listed = [item for item in google.listing()[0] if item["iCalUID"] == master["iCalUID"]]
        assert sorted(ids(listed)) == sorted([master["id"], changed["id"]])
        assert sorted(starts(google.instances(master["id"]))) == [
            "2027-06-01T10:00:00+02:00",
            "2027-06-08T15:00:00+02:00",
            "2027-06-15T10:00:00+02:00",
            "2027-06-22T10:00:00+02:00",
        ]

    @pytest.mark.open_point
    def test_an_exception_does_not_change_its_series(self, google: Target) -> None:
        """Not documented; the simulator does either."""
        master = weekly(google)
        google.patch(nth(master, SECOND), {"summary": "Special"})
        same = google.get(master["id"])["etag"] == master["etag"]
        if saw(google, "the series has its etag after an exception", same):
            assert same

    def test_an_exceptions_private_properties_are_its_own(self, google: Target) -> None:
        """A copy of the series' to begin with."""
        master = weekly(google, extendedProperties={"private": {"mine": "1"}})
        google.patch(nth(master, SECOND), {"extendedProperties": {"private": {"mine": None, "own": "2"}}})
        assert google.get(nth(master, SECOND))["extendedProperties"] == {"private": {"own": "2"}}
        assert google.get(nth(master, THIRD))["extendedProperties"] == {"private": {"mine": "1"}}
        assert google.get(master["id"])["extendedProperties"] == {"private": {"mine": "1"}}

    def test_its_original_start_never_changes(self, google: Target) -> None:
        """Moved again, or told so by a client."""
        master = weekly(google)
        google.patch(nth(master, SECOND), LATER)
        changed = google.patch(nth(master, SECOND), {"originalStartTime": LATER["start"], "summary": "x"})
        assert changed["originalStartTime"]["dateTime"] == "2027-06-08T10:00:00+02:00"
        assert changed["start"] == LATER["start"]

    def test_a_whole_update_changes_it_too(self, google: Target) -> None:
        """What the body leaves out is gone, but for what makes it an instance."""
        master = weekly(google, location="Studio")
        changed = google.update(nth(master, SECOND), LATER | {"summary": "Special"})
        assert changed["recurringEventId"] == master["id"]
        assert "location" not in changed

    def test_it_cannot_recur_itself(self, google: Target) -> None:
        """400 for a recurrence, and nothing changes; no lines at all are what it has."""
        master = weekly(google)
        rule = {"recurrence": ["RRULE:FREQ=DAILY;COUNT=2"]}
        assert refused(lambda: google.patch(nth(master, SECOND), rule))[0] == 400
        assert [item for item in google.listing()[0] if item.get("recurringEventId") == master["id"]] == []
        assert "recurrence" not in google.patch(nth(master, SECOND), {"recurrence": [], "summary": "Special"})

    def test_a_condition_counts_for_instances_too(self, google: Target) -> None:
        """If-Match with the etag that a get gave, or one that has passed."""
        master = weekly(google)
        seen = google.get(nth(master, SECOND))
        changed = google.patch(seen["id"], {"summary": "Special"}, seen["etag"])
        assert changed["etag"] != seen["etag"]
        assert refused(lambda: google.patch(seen["id"], {"summary": "x"}, seen["etag"])) == (412, "conditionNotMet")
        assert refused(lambda: google.delete(seen["id"], seen["etag"])) == (412, "conditionNotMet")
        request = google.api.events().get(calendarId=google.calendar_id, eventId=seen["id"])
        request.headers["If-None-Match"] = changed["etag"]
        assert refused_without_body(request) == 304
        google.delete(seen["id"], changed["etag"])

    def test_exceptions_keep_what_they_have_when_the_series_changes(self, google: Target) -> None:
        """Their own fields stay; the other instances follow."""
        master = weekly(google)
        google.patch(nth(master, SECOND), {"summary": "Special"})
        google.patch(master["id"], {"summary": "New name"})
        assert google.get(nth(master, SECOND))["summary"] == "Special"
        assert google.get(nth(master, THIRD))["summary"] == "New name"


def refused_without_body(request: Any) -> int:
    with pytest.raises(HttpError) as caught:
        request.execute()
    return int(caught.value.resp.status)


class TestLeavingOut:
    @pytest.mark.parametrize("by", ["delete", "patch"])
    def test_a_cancelled_instance_is_part_of_every_listing(self, google: Target, by: str) -> None:
        """Though deleted events are not asked for; three fields are sure."""
        master = weekly(google)
        _, token = google.listing()
        if by == "delete":
            google.delete(nth(master, SECOND))
        else:
            google.patch(nth(master, SECOND), {"status": "cancelled"})
        (changed,) = google.delta(token)
        assert (changed["id"], changed["status"]) == (nth(master, SECOND), "cancelled")
        assert changed["recurringEventId"] == master["id"]
        assert changed["originalStartTime"] == {"dateTime": "2027-06-08T10:00:00+02:00"} | BERLIN
        assert [item for item in google.listing()[0] if item["id"] == changed["id"]] == [changed]
        assert google.get(changed["id"])["status"] == "cancelled"
        assert starts(google.instances(master["id"])) == [f"2027-06-{day}T10:00:00+02:00" for day in ("01", "15", "22")]
        if google.simulator is not None:
            named = {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}
            assert changed.keys() == named
            assert google.get(changed["id"]) == changed

    def test_the_second_time_it_is_gone_already(self, google: Target) -> None:
        """410, as for other events."""
        master = weekly(google)
        google.delete(nth(master, SECOND))
        assert refused(lambda: google.delete(nth(master, SECOND))) == (410, "deleted")

    def test_it_can_be_taken_back(self, google: Target) -> None:
        """An exception from then on, as it was before."""
        master = weekly(google)
        google.delete(nth(master, SECOND))
        back = google.patch(nth(master, SECOND), {"status": "confirmed"})
        assert (back["status"], back["summary"]) == ("confirmed", "Class")
        assert back["start"]["dateTime"] == "2027-06-08T10:00:00+02:00"
        assert len(google.instances(master["id"])) == 4

    def test_it_outlives_the_tombstones_of_deleted_events(self, google: Target) -> None:
        """Kept for the life of the series."""
        master = weekly(google)
        google.delete(nth(master, SECOND))
        google.simulated.evict_tombstones(google.calendar_id)
        assert google.get(nth(master, SECOND))["status"] == "cancelled"

    def test_its_details_may_be_there(self, google: Target) -> None:
        """Nothing but three fields is guaranteed."""
        google.simulated.behaviour.tombstone_details = True
        master = weekly(google)
        google.delete(nth(master, SECOND))
        assert google.get(nth(master, SECOND))["summary"] == "Class"
        google.simulated.behaviour.tombstone_details = False


class TestTheWholeSeries:
    def test_a_deleted_series_takes_its_exceptions_along(self, google: Target) -> None:
        """Their ids answer as those of deleted events."""
        master = weekly(google)
        google.patch(nth(master, SECOND), {"summary": "Special"})
        google.delete(nth(master, THIRD))
        _, token = google.listing()
        google.delete(master["id"])
        delta = {item["id"]: item["status"] for item in google.delta(token)}
        assert delta[master["id"]] == "cancelled"
        assert set(delta.values()) == {"cancelled"}
        assert [item for item in google.listing()[0] if master["id"] in item["id"]] == []
        if google.simulator is not None:
            assert delta.keys() == {master["id"], nth(master, SECOND)}
            for stamp in (FIRST, SECOND, THIRD):
                assert google.get(nth(master, stamp))["status"] == "cancelled"
                assert refused(lambda stamp=stamp: google.patch(nth(master, stamp), {"summary": "x"})) == (
                    404,
                    "notFound",
                )
                assert refused(lambda stamp=stamp: google.delete(nth(master, stamp))) == (410, "deleted")

    @pytest.mark.open_point
    def test_a_restored_series_has_its_exceptions_again(self, google: Target) -> None:
        """Not documented; the simulator does either."""
        master = weekly(google)
        google.patch(nth(master, SECOND), {"summary": "Special"})
        google.delete(nth(master, THIRD))
        google.delete(master["id"])
        google.patch(master["id"], {"status": "confirmed"})
        again = (google.get(nth(master, SECOND))["summary"], google.get(nth(master, THIRD))["status"])
        if saw(google, "exceptions of a restored series", again):
            assert again == ("Special", "cancelled")

    @pytest.mark.open_point
    def test_the_exceptions_of_a_moved_series_move_along(self, google: Target) -> None:
        """Not documented; the simulator does it by the clock on the wall, or one of three other things."""
        master = weekly(google)
        google.patch(nth(master, SECOND), {"summary": "Special", **LATER})
        google.delete(nth(master, THIRD))
        _, token = google.listing()
        google.patch(
            master["id"],
            {
                "start": {"dateTime": "2027-06-02T12:00:00+02:00"} | BERLIN,
                "end": {"dateTime": "2027-06-02T13:00:00+02:00"} | BERLIN,
            },
        )
        delta = {item["id"].removeprefix(master["id"]): item["status"] for item in google.delta(token)}
        if not saw(google, "delta after a series with exceptions was moved", delta):
            return
        assert delta == {
            "": "confirmed",
            f"_{SECOND}": "cancelled",
            f"_{THIRD}": "cancelled",
            "_20270609T100000Z": "confirmed",
            "_20270616T100000Z": "cancelled",
        }
        moved = google.get(nth(master, "20270609T100000Z"))
        assert (moved["summary"], moved["start"]) == ("Special", LATER["start"])
        assert moved["originalStartTime"]["dateTime"] == "2027-06-09T12:00:00+02:00"
        assert google.get(nth(master, SECOND))["status"] == "cancelled"
        assert nth(master, SECOND) not in ids(google.listing()[0])
        assert len(google.instances(master["id"])) == 3

    @pytest.mark.open_point
    def test_the_exceptions_beyond_a_new_end_are_deleted(self, google: Target) -> None:
        """Not documented; the simulator does this, or one of two other things."""
        master = weekly(google)
        google.patch(nth(master, SECOND), {"summary": "Stays"})
        google.patch(nth(master, FOURTH), {"summary": "Special"})
        _, token = google.listing()
        google.patch(master["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20270615T075959Z"]})
        items = google.delta(token)
        delta = {item["id"].removeprefix(master["id"]): item["status"] for item in items}
        if saw(google, "delta after a series was trimmed before an exception", delta):
            assert delta == {"": "confirmed", f"_{FOURTH}": "cancelled"}
            assert items[-1]["recurringEventId"] == master["id"]
            assert items[-1]["originalStartTime"]["dateTime"] == "2027-06-22T10:00:00+02:00"
            assert google.get(nth(master, SECOND))["summary"] == "Stays"
            assert google.get(nth(master, FOURTH))["status"] == "cancelled"
            assert refused(lambda: google.patch(nth(master, FOURTH), {"status": "confirmed"})) == (404, "notFound")

    def test_a_series_can_become_a_single_event(self, google: Target) -> None:
        """Without a recurrence there are no instances."""
        master = weekly(google)
        google.patch(master["id"], {"recurrence": None})
        assert refused(lambda: google.get(nth(master, SECOND))) == (404, "notFound")

    def test_a_series_is_listed_as_long_as_it_goes_on(self, google: Target) -> None:
        """timeMin is about the end of the last occurrence, by COUNT too."""
        master = weekly(google)
        assert master["id"] in ids(google.listing(timeMin="2027-06-22T08:30:00Z")[0])
        assert master["id"] not in ids(google.listing(timeMin="2027-06-22T09:00:00Z")[0])

    def test_times_are_written_in_the_zone_that_is_asked_for(self, google: Target) -> None:
        """The original start too."""
        master = weekly(google)
        google.patch(nth(master, SECOND), LATER)
        google.delete(nth(master, THIRD))
        found = {item["id"]: item for item in google.listing(timeZone="Asia/Tokyo")[0]}
        original = found[nth(master, SECOND)]["originalStartTime"]
        assert original == {"dateTime": "2027-06-08T17:00:00+09:00", "timeZone": "Europe/Berlin"}
        assert found[nth(master, THIRD)]["originalStartTime"]["dateTime"] == "2027-06-15T17:00:00+09:00"
