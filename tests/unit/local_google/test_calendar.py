"""Calendars at the simulated Google: what needs no wire, or a switch that the contract suite has no case for."""

from typing import Any

import pytest

from local.google.errors import ApiError
from local.google.server import GoogleSimulator
from tests.contract.google_target import ACCOUNT, an_hour
from tests.unit.local_google.conftest import call


def test_a_person_edits_as_in_googles_own_page(google: GoogleSimulator) -> None:
    anna = google.person(ACCOUNT)
    event = anna.insert(summary="Walk", **an_hour())
    assert anna.patch("primary", event["id"], summary="Run")["summary"] == "Run"
    assert [event["summary"] for event in anna.events()] == ["Run"]
    anna.delete("primary", event["id"])
    assert anna.events() == []
    assert google.requests == []
    assert google.http_requests == 0


def test_a_persons_mistakes_are_refused_as_any_bodys(google: GoogleSimulator) -> None:
    with pytest.raises(ApiError, match="Missing end time"):
        google.person(ACCOUNT).insert(start={"date": "2027-01-01"})


def test_people_see_their_own_calendars(google: GoogleSimulator) -> None:
    shared = google.add_calendar(ACCOUNT, "Studio", "Europe/Paris")
    google.set_access("bert@example.com", shared, "reader")
    bert = google.person("bert@example.com")
    assert [(entry["id"], entry["accessRole"]) for entry in bert.calendars()] == [
        ("bert@example.com", "owner"),
        (shared, "reader"),
    ]
    with pytest.raises(ApiError, match="notFound"):
        bert.events(ACCOUNT)


def test_readers_do_not_see_what_is_private(google: GoogleSimulator) -> None:
    google.set_access("bert@example.com", ACCOUNT, "reader")
    google.person(ACCOUNT).insert(summary="Doctor", visibility="private", **an_hour())
    (event,) = google.person("bert@example.com").events(ACCOUNT)
    assert "summary" not in event
    assert event["visibility"] == "private"


def test_some_writers_may_not_touch_what_is_private(google: GoogleSimulator) -> None:
    google.set_access("bert@example.com", ACCOUNT, "writerWithoutPrivateAccess")
    event = google.person(ACCOUNT).insert(visibility="private", **an_hour())
    bert = google.person("bert@example.com")
    with pytest.raises(ApiError, match="requiredAccessLevel"):
        bert.patch(ACCOUNT, event["id"], summary="x")
    assert bert.insert(ACCOUNT, summary="Lunch", **an_hour())["creator"] == {"email": "bert@example.com"}


def test_the_calendar_list_comes_in_pages(google: GoogleSimulator) -> None:
    for number in range(3):
        google.add_calendar(ACCOUNT, f"Calendar {number}")
    google.add_calendar(ACCOUNT, "Hidden", hidden=True)
    token = google.ui_token(ACCOUNT)
    first = call(google, token, "GET", "users/me/calendarList?maxResults=3").json()
    assert "nextSyncToken" not in first
    rest = call(google, token, "GET", f"users/me/calendarList?pageToken={first['nextPageToken']}").json()
    assert len(first["items"]) + len(rest["items"]) == 4


def test_a_calendar_has_the_color_of_the_one_who_looks(google: GoogleSimulator) -> None:
    shared = google.add_calendar(ACCOUNT, "Shootings", color="#f83a22")
    google.set_access("bert@example.com", shared, "writer")
    for email, color in ((ACCOUNT, "#f83a22"), ("bert@example.com", "#9fe1e7")):
        colors = {entry["id"]: entry["backgroundColor"] for entry in google.person(email).calendars()}
        assert colors[shared] == color


def test_a_calendar_can_move_to_another_zone(google: GoogleSimulator) -> None:
    anna = google.person(ACCOUNT)
    event = anna.insert(**an_hour())
    google.set_time_zone(ACCOUNT, "America/New_York")
    moved = anna.event(event["id"])
    assert moved["start"]["dateTime"] == "2027-06-01T04:00:00-04:00"
    assert moved["etag"] == event["etag"]


def test_descriptions_can_be_cut(google: GoogleSimulator) -> None:
    google.behaviour.description_limit = 8192
    assert len(google.person(ACCOUNT).insert(description="d" * 9000, **an_hour())["description"]) == 8192


@pytest.mark.parametrize("changes_etag", [True, False])
def test_reminders_change_the_etag_or_not(google: GoogleSimulator, changes_etag: bool) -> None:
    google.behaviour.reminders_change_etag = changes_etag
    anna = google.person(ACCOUNT)
    event = anna.insert(**an_hour())
    patched = anna.patch("primary", event["id"], reminders={"useDefault": False, "overrides": []})
    assert (patched["etag"] != event["etag"]) is changes_etag
    assert patched["updated"] == event["updated"]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "maybe"},
        {"status": "cancelled"},
        {"visibility": "secret"},
        {"colorId": "12"},
        {"eventType": "fromGmail"},
        {"attendees": [{"displayName": "nobody"}]},
        {"source": {"url": "ftp://example.com"}},
        {"reminders": {"useDefault": True, "overrides": [{"method": "popup", "minutes": 1}]}},
        {"reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 1}] * 6}},
        {"reminders": {"useDefault": False, "overrides": [{"method": "sms", "minutes": 1}]}},
        {"recurrence": ["RRULE:COUNT=3"]},
        {"recurrence": ["EXDATE:20270601T080000Z"]},
        {"id": "abcdef", "iCalUID": "x@example.com"},
    ],
    ids=str,
)
def test_values_outside_the_documented_ones_are_refused(google: GoogleSimulator, fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        google.person(ACCOUNT).insert(**an_hour(timeZone="Europe/Berlin") | fields)
    assert caught.value.status == 400


def test_a_stale_sequence_is_refused(google: GoogleSimulator) -> None:
    anna = google.person(ACCOUNT)
    event = anna.insert(**an_hour())
    later = {"dateTime": "2027-06-01T12:00:00+02:00"}
    assert anna.patch("primary", event["id"], end=later)["sequence"] == 1
    with pytest.raises(ApiError, match="Invalid sequence value"):
        anna.patch("primary", event["id"], summary="x", sequence=0)


def test_an_event_from_gmail_has_its_type(google: GoogleSimulator) -> None:
    google.receive_event(ACCOUNT, "flights@example.com", summary="Flight", eventType="fromGmail", **an_hour())
    (event,) = google.person(ACCOUNT).events()
    assert event["eventType"] == "fromGmail"
    assert "self" not in event["organizer"]


def test_a_series_is_listed_until_it_is_over(google: GoogleSimulator) -> None:
    anna = google.person(ACCOUNT)
    anna.insert(recurrence=["RRULE:FREQ=DAILY;UNTIL=20270610T000000Z"], **an_hour(timeZone="Europe/Berlin"))
    token = google.ui_token(ACCOUNT)
    path = "calendars/primary/events?timeMin="
    assert len(call(google, token, "GET", f"{path}2027-06-09T00:00:00Z").json()["items"]) == 1
    assert call(google, token, "GET", f"{path}2027-07-01T00:00:00Z").json()["items"] == []
