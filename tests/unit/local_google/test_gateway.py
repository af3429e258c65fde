"""What every API call passes: discovery, tokens, quota, faults, field masks, batches, the record."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from googleapiclient.errors import HttpError

from local.google import field_mask
from local.google.errors import ApiError
from local.google.server import GoogleSimulator
from tests.contract.google_target import ACCOUNT, CLIENT_ID, an_hour, refusal
from tests.unit.local_google.conftest import SignIn, call

EVENTS = "calendars/primary/events"


def error_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["message"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"sumary": "typo"}, "sumary"),
        ({"start": {"datetime": "2027-01-01T10:00:00Z"}}, "start.datetime"),
        ({"summary": 7}, "summary"),
        ({"attendees": {"email": "x"}}, "attendees"),
        ({"attendees": [{"email": "x", "rsvp": True}]}, "attendees[0].rsvp"),
        ({"extendedProperties": {"private": {"a": 1}}}, "extendedProperties.private.a"),
        ({"reminders": {"useDefault": "yes"}}, "reminders.useDefault"),
        ({"sequence": "1"}, "sequence"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_body_that_is_not_in_the_discovery_document_is_refused(
    google: GoogleSimulator, body: dict[str, Any], named: str
) -> None:
    answer = call(google, google.ui_token(ACCOUNT), "POST", EVENTS, json=an_hour() | body)
    assert error_of(answer)[0] == 400
    assert answer.json()["error"]["errors"][0]["location"] == named


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("maxresults=5", "maxresults"),
        ("maxResults=0", "maxResults"),
        ("maxResults=many", "maxResults"),
        ("showDeleted=yes", "showDeleted"),
        ("orderBy=title", "orderBy"),
        ("timeMin=2027-01-01", "timeMin"),
        ("q=a&q=b", "q"),
        ("calendarId=x", "calendarId"),
    ],
)
def test_a_parameter_that_is_not_in_the_discovery_document_is_refused(
    google: GoogleSimulator, query: str, named: str
) -> None:
    answer = call(google, google.ui_token(ACCOUNT), "GET", f"{EVENTS}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["location"] == named


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "colors", "calendar.colors.get"),
        ("POST", f"{EVENTS}/abcde/move?destination=x", "calendar.events.move"),
        ("GET", f"{EVENTS}?maxAttendees=1", "maxAttendees"),
        ("GET", f"{EVENTS}?privateExtendedProperty=a%3Db&privateExtendedProperty=c%3Dd", "privateExtendedProperty"),
    ],
)
def test_what_is_not_simulated_says_so(google: GoogleSimulator, method: str, path: str, named: str) -> None:
    status, message = error_of(call(google, google.ui_token(ACCOUNT), method, path))
    assert status == 501
    assert named in message


def test_other_apis_and_fields_are_not_simulated_either(google: GoogleSimulator) -> None:
    people = requests.get(f"{google.url}/v1/people/me/connections", timeout=10)
    assert error_of(people) == (501, "The simulated Google does not do this: GET /v1/people/me/connections")
    body = an_hour() | {"conferenceData": {"notes": "x"}}
    token = google.ui_token(ACCOUNT)
    assert call(google, token, "POST", f"{EVENTS}?conferenceDataVersion=1", json=body).status_code == 501
    assert "conferenceData" not in call(google, token, "POST", EVENTS, json=body).json()


def test_a_delta_of_instances_is_not_simulated(google: GoogleSimulator) -> None:
    token = google.ui_token(ACCOUNT)
    sync_token = call(google, token, "GET", f"{EVENTS}?singleEvents=true").json()["nextSyncToken"]
    answer = call(google, token, "GET", f"{EVENTS}?singleEvents=true&syncToken={sync_token}")
    assert error_of(answer)[0] == 501


def test_a_path_outside_the_api_is_not_found(google: GoogleSimulator) -> None:
    assert call(google, google.ui_token(ACCOUNT), "GET", "calendars/primary/meetings").status_code == 404


def test_a_body_that_is_no_json_object_is_a_parse_error(google: GoogleSimulator) -> None:
    for raw in (b"{", b"[]"):
        answer = call(google, google.ui_token(ACCOUNT), "POST", EVENTS, data=raw)
        assert answer.json()["error"]["errors"][0]["reason"] == "parseError"


def test_without_a_live_token_all_is_401(google: GoogleSimulator, sign_in: SignIn) -> None:
    token = sign_in()["access_token"]
    google.expire_access_tokens(ACCOUNT)
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {token}"}):
        answer = requests.get(f"{google.url}/calendar/v3/users/me/calendarList", headers=headers, timeout=10)
        assert error_of(answer) == (401, "Invalid Credentials")


def test_ids_with_reserved_characters_reach_their_calendar(google: GoogleSimulator) -> None:
    google.add_calendar(ACCOUNT, "Holidays", calendar_id="en.usa#holiday/x@group.v.calendar.google.com")
    path = "calendars/en.usa%23holiday%2Fx%40group.v.calendar.google.com/events"
    assert call(google, google.ui_token(ACCOUNT), "GET", path).json()["summary"] == "Holidays"


def test_a_long_query_may_come_as_a_post(google: GoogleSimulator, api: Any) -> None:
    assert api.events().list(calendarId="primary", q="x" * 3000).execute()["items"] == []
    assert google.requests[-1].http_method == "GET"


@pytest.mark.parametrize(
    ("mask", "selected"),
    [
        ("a", {"a": 1}),
        ("b/c", {"b": {"c": 2}}),
        ("b(c,d)", {"b": {"c": 2, "d": 3}}),
        ("a,b/d", {"a": 1, "b": {"d": 3}}),
        ("list/x", {"list": [{"x": 1}, {"x": 2}]}),
        ("list(x),a", {"list": [{"x": 1}, {"x": 2}], "a": 1}),
        ("b,b/c", {"b": {"c": 2, "d": 3}}),
        ("b/c,b", {"b": {"c": 2, "d": 3}}),
        ("deep/*/x", {"deep": {"one": {"x": 1}, "two": {"x": 2}}}),
        ("deep(one(x))", {"deep": {"one": {"x": 1}}}),
    ],
)
def test_a_field_mask_selects(mask: str, selected: dict[str, Any]) -> None:
    value = {
        "a": 1,
        "b": {"c": 2, "d": 3},
        "list": [{"x": 1, "y": 1}, {"x": 2}],
        "deep": {"one": {"x": 1, "y": 1}, "two": {"x": 2}},
    }
    assert field_mask.apply(field_mask.parse(mask), value) == selected


@pytest.mark.parametrize("mask", ["", "a,", "a(", "a(b", "a)", "/a", "a//b", "a b!"])
def test_a_broken_field_mask_is_refused(mask: str) -> None:
    with pytest.raises(ApiError):
        field_mask.parse(mask)


def test_a_field_mask_names_fields_that_exist(google: GoogleSimulator) -> None:
    person = google.person(ACCOUNT)
    answer = call(google, google.ui_token(ACCOUNT), "POST", f"{EVENTS}?fields=id,titel", json=an_hour())
    assert answer.status_code == 400
    assert person.events() == [], "refused before it took effect"
    kept = call(google, google.ui_token(ACCOUNT), "POST", f"{EVENTS}?fields=id,start/dateTime", json=an_hour())
    assert kept.json().keys() == {"id", "start"}


def test_quota_is_counted_by_user(google: GoogleSimulator, api: Any) -> None:
    google.limit_rate(2)
    listing = api.calendarList().list()
    listing.execute()
    listing.execute()
    with pytest.raises(HttpError) as caught:
        listing.execute()
    assert refusal(caught.value) == (403, "rateLimitExceeded")
    google.person(ACCOUNT).calendars()  # A person's own clicks are not the app's quota.
    google.limit_rate(None)
    listing.execute()


def test_calls_of_a_batch_count_against_quota_one_by_one(google: GoogleSimulator, api: Any) -> None:
    google.limit_rate(3, status=429)
    outcomes: list[Any] = []
    batch = api.new_batch_http_request(callback=lambda _id, _answer, error: outcomes.append(error))
    for _ in range(5):
        batch.add(api.events().insert(calendarId="primary", body=an_hour()))
    batch.execute()
    assert sorted(refusal(error) for error in outcomes if error) == [(429, "rateLimitExceeded")] * 2
    assert len(google.person(ACCOUNT).events()) == 3


def test_the_quotas_minutes_can_be_told_by_another_clock_and_refusals_name_a_time(
    google: GoogleSimulator, api: Any
) -> None:
    now = [1_000.0]
    google.limit_rate(1, retry_after=7, clock=lambda: now[0])
    listing = api.calendarList().list()
    listing.execute()
    now[0] += 59.9
    with pytest.raises(HttpError) as caught:
        listing.execute()
    assert caught.value.resp["retry-after"] == "7"
    errors: list[Any] = []
    batch = api.new_batch_http_request(callback=lambda _id, _answer, error: errors.append(error))
    for _ in range(2):
        batch.add(api.events().insert(calendarId="primary", body=an_hour()))
    batch.execute()
    assert [error.resp["retry-after"] for error in errors] == ["7", "7"]
    now[0] += 0.1
    listing.execute()
    assert [(call.at, call.let_through) for call in google.counted_calls] == [
        (1_000.0, True),
        (1_059.9, False),
        (1_059.9, False),
        (1_059.9, False),
        (1_060.0, True),
    ]


def test_a_call_can_fail_before_or_after_taking_effect(google: GoogleSimulator, api: Any) -> None:
    insert = api.events().insert(calendarId="primary", body=an_hour())
    google.fail_next("calendar.events.insert", 500, "backendError")
    with pytest.raises(HttpError) as caught:
        insert.execute()
    assert refusal(caught.value) == (500, "backendError")
    assert google.person(ACCOUNT).events() == []
    google.fail_next("calendar.events.insert", 503, "backendError", after_effect=True)
    with pytest.raises(HttpError):
        insert.execute()
    assert len(google.person(ACCOUNT).events()) == 1


def test_a_batch_runs_in_no_order_of_ours(google: GoogleSimulator, api: Any) -> None:
    batch = api.new_batch_http_request()
    for number in range(20):
        batch.add(api.events().insert(calendarId="primary", body=an_hour() | {"summary": str(number)}))
    batch.execute()
    asked = [request.body["summary"] for request in google.requests if request.in_batch]
    assert sorted(asked, key=int) == [str(number) for number in range(20)]
    assert asked != sorted(asked, key=int)


def test_a_batch_as_a_whole_can_fail(google: GoogleSimulator, api: Any) -> None:
    google.fail_next("calendar.batch", 503, "backendError")
    batch = api.new_batch_http_request()
    batch.add(api.events().insert(calendarId="primary", body=an_hour()))
    with pytest.raises(HttpError):
        batch.execute()
    assert google.person(ACCOUNT).events() == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/mixed", b""),
        ("multipart/mixed; boundary=b", b"--b--\r\n"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nGET / HTTP/1.1\r\n--b--\r\n"),
        (
            "multipart/mixed; boundary=b",
            b"--b\r\nContent-Type: application/http\r\n\r\nGET http://x/\r\n--b--",
        ),
    ],
)
def test_a_batch_that_is_none_is_refused(google: GoogleSimulator, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    answer = requests.post(f"{google.url}/batch/calendar/v3", data=body, headers=headers, timeout=10)
    assert answer.status_code == 400


def test_the_record_tells_who_asked_for_what(google: GoogleSimulator, api: Any) -> None:
    google.clear_requests()
    patch = api.events().patch(calendarId="primary", eventId="abcde", body={"summary": "x"}, sendUpdates="none")
    patch.headers["If-Match"] = '"1"'
    with pytest.raises(HttpError):
        patch.execute()
    (request,) = google.requests
    assert (request.method_id, request.http_method, request.status) == ("calendar.events.patch", "PATCH", 404)
    assert (request.account, request.client_id, request.in_batch) == (ACCOUNT, CLIENT_ID, False)
    assert (request.query["sendUpdates"], request.body) == ("none", {"summary": "x"})
    assert request.headers == {"if-match": '"1"'}
    assert google.http_requests == 1


def test_a_stopped_google_answers_nobody(google: GoogleSimulator) -> None:
    with requests.Session() as session:
        assert session.get(f"{google.url}/healthz", timeout=10).text == "ok"
        google.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{google.url}/healthz", timeout=10)


def test_writers_in_parallel_lose_nothing(google: GoogleSimulator) -> None:
    token = google.ui_token(ACCOUNT)
    first = call(google, token, "GET", f"{EVENTS}?fields=nextSyncToken").json()["nextSyncToken"]

    def write(_number: int) -> int:
        assert call(google, token, "GET", EVENTS).status_code == 200
        return call(google, token, "POST", EVENTS, json=an_hour()).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(40))) == [200] * 40
    delta = call(google, token, "GET", f"{EVENTS}?syncToken={first}").json()
    assert len({event["id"] for event in delta["items"]}) == 40
    assert len(google.requests) == google.http_requests == 82
