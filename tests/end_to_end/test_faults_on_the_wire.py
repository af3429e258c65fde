"""Every kind of fault under the real vendors' libraries: what these, and our adapters above them, make of it."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import sendgrid
from google.api_core import exceptions
from google.cloud import firestore

from local import wiretap
from local.wiretap import Killed, Wiretap
from shared.adapters.firestore_documents import PATIENCE
from shared.domain.errors import AccessLost, CalendarGone, CursorExpired, RateLimited, Stale, Unavailable
from shared.domain.event import Delete, Event
from shared.ports import Task
from tests.world import NOW, Cloud, World, google_span

LIST = "GET /calendar/v3/calendars/{}/events"
GET = "GET /calendar/v3/calendars/{}/events/{}"
BATCH = "POST /batch/calendar/v3"
TOKEN = "POST /token"


@pytest.fixture(scope="module")
def ann(cloud: Cloud) -> World:
    """Ann is connected, and has three entries that nobody changes."""
    wiretap.install()
    world = World(cloud)
    world.join("ann")
    for number in range(3):
        world.types("ann", summary=f"Entry {number}", **google_span(number + 1))
    return world


@pytest.fixture
def tap(ann: World) -> Iterator[Wiretap]:
    made = wiretap.install()
    made.reset()
    yield made
    made.faults.clear()
    made.disarm()


@pytest.fixture
def document(ann: World, tap: Wiretap) -> firestore.DocumentReference:
    """With ``n`` 1."""
    made = ann.firestore.collection("scratch").document()
    made.set({"n": 1})
    tap.reset()
    return made


@pytest.fixture
def calendar(ann: World) -> Any:
    return ann.wiring.calendars.open(ann.connections["ann"], ann.connection("ann"))


@pytest.fixture
def event_ids(ann: World, tap: Wiretap) -> list[str]:
    found = [event["id"] for event in ann.events("ann")]
    tap.reset()
    return found


def sent(tap: Wiretap) -> list[str]:
    return [call.method for call in tap.calls]


def listing(calendar: Any) -> Any:
    return calendar.listing(NOW, None)


# --- Firestore: gRPC under its own client ----------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "left"), [(False, 1), (True, 2)])
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"fault": "fail", "status": "ABORTED"}, exceptions.Aborted),
        ({"fault": "fail", "status": "INTERNAL", "reason": "so it is"}, exceptions.InternalServerError),
        ({"fault": "timeout"}, exceptions.DeadlineExceeded),
        ({"fault": "garbage"}, exceptions.InternalServerError),
    ],
)
def test_a_write_that_fails_has_or_has_not_taken_effect(
    tap: Wiretap,
    document: firestore.DocumentReference,
    what: dict[str, Any],
    error: type[Exception],
    after: bool,
    left: int,
) -> None:
    rule = tap.faults.add({"service": "firestore", "method": "Commit", "after": after, **what})
    with pytest.raises(error, match=what.get("reason", "Injected")):
        document.update({"n": 2})
    assert tap.faults.hits(rule) == 1
    assert sent(tap) == (["Commit"] if after else [])
    assert document.get().to_dict() == {"n": left}


def test_a_lost_answer_to_a_write_is_sent_again_by_the_vendors_client(
    tap: Wiretap, document: firestore.DocumentReference
) -> None:
    rule = tap.faults.add({"service": "firestore", "method": "Commit", "fault": "drop", "after": True})
    document.update({"n": firestore.Increment(1)})
    assert tap.faults.hits(rule) == 1
    assert sent(tap) == ["Commit", "Commit"]
    assert document.get().to_dict() == {"n": 3}


def test_a_write_that_arrives_twice_is_refused_the_second_time(tap: Wiretap, ann: World) -> None:
    tap.faults.add({"service": "firestore", "method": "Commit", "fault": "twice"})
    document = ann.firestore.collection("scratch").document()
    with pytest.raises(exceptions.AlreadyExists):
        document.create({"n": 1})
    assert sent(tap) == ["Commit", "Commit"]
    assert document.get().exists


def test_a_transaction_begins_anew_when_its_commit_is_aborted(
    tap: Wiretap, document: firestore.DocumentReference, ann: World
) -> None:
    @firestore.transactional
    def increment(transaction: firestore.Transaction) -> None:
        seen = document.get(transaction=transaction).to_dict()
        transaction.update(document, {"n": seen["n"] + 1})

    rule = tap.faults.add(
        {"service": "firestore", "method": "Commit", "fault": "fail", "status": "ABORTED", "times": 2}
    )
    increment(ann.firestore.transaction())
    assert tap.faults.hits(rule) == 2
    assert document.get().to_dict() == {"n": 2}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"fault": "fail", "status": "PERMISSION_DENIED"}, exceptions.PermissionDenied),
        ({"fault": "timeout"}, exceptions.DeadlineExceeded),
    ],
)
def test_a_query_fails_at_once_or_in_the_middle_of_its_answer(
    tap: Wiretap, ann: World, what: dict[str, Any], error: type[Exception], after: bool
) -> None:
    parents = ann.firestore.collection("scratch").document().collection("numbers")
    for number in range(3):
        parents.document(str(number)).set({"n": number})
    tap.faults.add({"service": "firestore", "method": "RunQuery", "after": after, **what})
    came: list[str] = []
    with pytest.raises(error):
        came.extend(found.id for found in parents.stream(**PATIENCE))
    assert came == (["0"] if after else [])
    assert [found.id for found in parents.stream()] == ["0", "1", "2"]


def test_a_query_that_breaks_off_goes_on_where_it_was(tap: Wiretap, ann: World) -> None:
    numbers = ann.firestore.collection("scratch").document().collection("numbers")
    for number in range(3):
        numbers.document(str(number)).set({"n": number})
    tap.reset()
    tap.faults.add({"service": "firestore", "method": "RunQuery", "fault": "drop", "after": True})
    assert [found.id for found in numbers.stream(**PATIENCE)] == ["0", "1", "2"]
    assert sent(tap) == ["RunQuery", "RunQuery"]


@pytest.mark.parametrize("after", [False, True])
def test_calls_of_every_kind_can_take_their_time(
    tap: Wiretap, document: firestore.DocumentReference, calendar: Any, after: bool
) -> None:
    listing(calendar)
    rules = [
        tap.faults.add({"service": service, "method": method, "fault": "delay", "seconds": 0.2, "after": after})
        for service, method in (("firestore", "Commit"), ("firestore", "RunQuery"), ("google", LIST))
    ]
    started = time.monotonic()
    document.update({"n": 2})
    assert time.monotonic() - started > 0.2
    started = time.monotonic()
    assert len(list(document.parent.limit(1).stream())) == 1
    assert time.monotonic() - started > 0.2
    started = time.monotonic()
    assert listing(calendar).events
    assert time.monotonic() - started > 0.2
    assert [tap.faults.hits(rule) for rule in rules] == [1, 1, 1]


@pytest.mark.parametrize(("after", "left"), [(False, 1), (True, 2)])
def test_a_process_that_is_killed_by_a_rule_is_as_dead_as_any(
    tap: Wiretap, document: firestore.DocumentReference, calendar: Any, after: bool, left: int
) -> None:
    tap.faults.add({"service": "firestore", "method": "Commit", "fault": "kill", "after": after})
    document.get()
    with pytest.raises(Killed):
        document.update({"n": 2})
    for dead in (document.get, lambda: listing(calendar)):
        with pytest.raises(Killed):
            dead()
    assert tap.dead
    tap.disarm()
    assert document.get().to_dict() == {"n": left}


# --- Cloud Tasks and Secret Manager, under our adapters --------------------------------------------------------------


def test_a_task_whose_answer_was_lost_is_there_and_asked_for_again_it_is_the_same_one(tap: Wiretap, ann: World) -> None:
    task = Task(queue="now", target="sync_user", name="lost", body={})
    rule = tap.faults.add({"service": "tasks", "method": "CreateTask", "fault": "drop", "after": True})
    [(failed, error)] = ann.wiring.tasks.enqueue([task])
    assert (failed, type(error)) == (task, exceptions.ServiceUnavailable)
    assert ann.wiring.tasks.enqueue([task]) == []
    assert tap.faults.hits(rule) == 1
    queue = f"projects/{ann.project}/locations/local-1/queues/now"
    assert [one.name for one in ann.cloud.tasks.tasks if f"{queue}/tasks/{one.name}" == f"{queue}/tasks/lost"]


def test_a_task_that_is_refused_is_named_and_one_that_arrives_twice_is_one(tap: Wiretap, ann: World) -> None:
    tasks = [Task(queue="now", target="sync_user", name=name, body={}) for name in ("one", "two", "three")]
    tap.faults.add({"service": "tasks", "fault": "fail", "status": "RESOURCE_EXHAUSTED", "nth": 2})
    [(_, error)] = ann.wiring.tasks.enqueue(tasks)
    assert isinstance(error, exceptions.ResourceExhausted)
    tap.faults.add({"service": "tasks", "fault": "twice"})
    assert ann.wiring.tasks.enqueue([Task(queue="now", target="sync_user", name="four", body={})]) == []


def test_secrets_that_cannot_be_had_for_now_are_unavailable_and_nothing_is_lost(tap: Wiretap, ann: World) -> None:
    ann.wiring.secrets.put("injected", "value")
    for what in ({"fault": "fail", "status": "INTERNAL"}, {"fault": "garbage"}, {"fault": "timeout"}):
        tap.faults.add({"service": "secrets", "method": "AccessSecretVersion", **what})
        with pytest.raises(Unavailable):
            ann.wiring.secrets.get("injected")
    tap.faults.add(
        {"service": "secrets", "method": "AddSecretVersion", "fault": "fail", "status": "INTERNAL", "after": True}
    )
    with pytest.raises(Unavailable):
        ann.wiring.secrets.put("injected", "second")
    assert ann.wiring.secrets.get("injected") == "second"


# --- Google: httplib2 under googleapiclient, google-auth and our adapter ---------------------------------------------


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"status": 403, "reason": "rateLimitExceeded"}, RateLimited),
        ({"status": 403, "reason": "quotaExceeded"}, RateLimited),
        ({"status": 403}, RateLimited),
        ({"status": 429}, RateLimited),
        ({"status": 404}, CalendarGone),
        ({"status": 410}, CursorExpired),
        ({"status": 500}, Unavailable),
        ({"status": 503, "retry_after": 7}, Unavailable),
        ({"fault": "drop"}, Unavailable),
        ({"fault": "drop", "after": True}, Unavailable),
        ({"fault": "timeout"}, Unavailable),
        ({"fault": "garbage", "status": 502}, Unavailable),
    ],
)
def test_a_listing_fails_in_every_way_that_google_knows(
    tap: Wiretap, calendar: Any, what: dict[str, Any], error: type[Exception]
) -> None:
    listing(calendar)
    tap.reset()
    rule = tap.faults.add({"service": "google", "method": LIST, "fault": "fail", **what})
    with pytest.raises(error) as raised:
        listing(calendar)
    if "retry_after" in what:
        assert raised.value.retry_after.total_seconds() == 7
    assert tap.faults.hits(rule) == 1
    assert sent(tap) == ([LIST] if what.get("after") else [])
    assert len(listing(calendar).events) == 3


def test_a_token_that_is_refused_once_is_renewed(tap: Wiretap, calendar: Any) -> None:
    listing(calendar)
    tap.reset()
    tap.faults.add({"service": "google", "method": LIST, "fault": "fail", "status": 401})
    assert len(listing(calendar).events) == 3
    assert sent(tap) == [TOKEN, LIST]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"fault": "fail", "status": 400}, AccessLost),
        ({"fault": "fail", "status": 401}, Unavailable),
        ({"fault": "fail", "status": 400, "reason": "invalid_scope"}, Unavailable),
        ({"fault": "drop"}, Unavailable),
        ({"fault": "garbage"}, Unavailable),
    ],
)
def test_an_access_token_cannot_be_had(tap: Wiretap, ann: World, what: dict[str, Any], error: type[Exception]) -> None:
    ann.restart()
    calendar = ann.wiring.calendars.open(ann.connections["ann"], ann.connection("ann"))
    rule = tap.faults.add({"service": "google", "method": TOKEN, "times": None, **what})
    with pytest.raises(error):
        listing(calendar)
    assert tap.faults.hits(rule) >= 1
    tap.faults.clear()
    assert len(listing(calendar).events) == 3


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("status", "error"), [(412, Stale), (429, RateLimited), (500, Unavailable)])
def test_one_part_of_a_batch_is_refused_and_the_others_are_not(
    tap: Wiretap, ann: World, calendar: Any, after: bool, status: int, error: type[Exception]
) -> None:
    made = [ann.types("ann", summary=f"To be deleted {number}", **google_span(20 + number)) for number in range(3)]
    entries = {event["id"]: event for event in ann.events("ann")}
    writes = [Delete(event_id=one, etag=entries[one]["etag"]) for one in made]
    rule = tap.faults.add(
        {"service": "google", "method": "DELETE *", "fault": "fail", "status": status, "nth": 2, "after": after}
    )
    outcomes = calendar.write(writes)
    assert [type(outcome) for outcome in outcomes] == [Event, error, Event]
    assert tap.faults.hits(rule) == 1
    assert tap.faults.shown()[0]["struck"] == {"google DELETE /calendar/v3/calendars/{}/events/{}": 1}
    left = {event["id"] for event in ann.events("ann")}
    assert [one in left for one in made] == [False, not after, False]
    for one in left.intersection(made):
        ann.person("ann").delete("primary", one)


def test_all_parts_of_a_batch_are_refused_and_it_is_never_sent(
    tap: Wiretap, calendar: Any, event_ids: list[str]
) -> None:
    listing(calendar)
    tap.reset()
    asked = tap.faults.add({"service": "google", "method": GET, "fault": "fail", "status": 404, "times": 3})
    assert [event.missing for event in calendar.get(event_ids)] == [True, True, True]
    assert tap.faults.hits(asked) == 3
    assert [event.missing for event in calendar.get(event_ids)] == [False, False, False]


def test_a_part_that_is_refused_with_401_is_asked_for_again_by_googles_client(
    tap: Wiretap, calendar: Any, event_ids: list[str]
) -> None:
    rule = tap.faults.add({"service": "google", "method": GET, "fault": "fail", "status": 401, "nth": 2})
    assert [event.missing for event in calendar.get(event_ids)] == [False, False, False]
    assert tap.faults.hits(rule) == 1
    assert sent(tap).count(BATCH) == 2


@pytest.mark.parametrize(
    "what",
    [
        {"method": BATCH, "fault": "fail", "status": 503},
        {"method": BATCH, "fault": "drop", "after": True},
        {"method": BATCH, "fault": "garbage"},
        {"method": GET, "nth": 3, "fault": "timeout"},
    ],
)
def test_a_batch_fails_as_a_whole(tap: Wiretap, calendar: Any, event_ids: list[str], what: dict[str, Any]) -> None:
    rule = tap.faults.add({"service": "google", **what})
    with pytest.raises(Unavailable):
        calendar.get(event_ids)
    assert tap.faults.hits(rule) == 1
    assert len(calendar.get(event_ids)) == 3


def test_what_google_gets_twice_it_does_once(tap: Wiretap, ann: World, calendar: Any) -> None:
    listing(calendar)
    ann.cloud.google.clear_requests()
    tap.faults.add({"service": "google", "method": LIST, "fault": "twice"})
    assert len(listing(calendar).events) == 3
    assert len(ann.cloud.google.requests) == 2


# --- requests, and urllib under SendGrid's client --------------------------------------------------------------------


def test_requests_raises_and_answers_as_it_does(tap: Wiretap, ann: World) -> None:
    url = f"{ann.cloud.google.url}/oauth2/v1/certs"
    google = {"service": "google", "method": "GET /oauth2/v1/certs"}
    for what, error in (({"fault": "drop"}, requests.ConnectionError), ({"fault": "timeout"}, requests.ReadTimeout)):
        tap.faults.add(google | what)
        with pytest.raises(error):
            requests.get(url, timeout=5)
    tap.faults.add(google | {"fault": "fail", "status": 503, "retry_after": 3})
    answer = requests.get(url, timeout=5)
    assert (answer.status_code, answer.reason, answer.headers["Retry-After"]) == (503, "Service Unavailable", "3")
    assert answer.json()["error"] == "internal_failure"
    tap.faults.add(google | {"fault": "garbage", "body": "{"})
    answer = requests.get(url, timeout=5)
    assert (answer.status_code, answer.text) == (200, "{")
    assert requests.get(url, timeout=5).json()


def test_mails_fail_as_sendgrids_client_says(tap: Wiretap, ann: World) -> None:
    # The simulated Google stands for any server: it answers 501 to this path.
    client = sendgrid.SendGridAPIClient("key", host=ann.cloud.google.url).client

    def send() -> Any:
        return client.mail.send.post(request_body={})

    mail = {"service": "sendgrid", "method": "POST /v3/mail/send"}
    tap.faults.add(mail | {"fault": "fail", "status": 429})
    with pytest.raises(Exception, match="429") as refused:
        send()
    assert refused.value.to_dict == {"errors": [{"message": "Too Many Requests", "field": None, "help": None}]}
    tap.faults.add(mail | {"fault": "drop", "after": True})
    with pytest.raises(ConnectionResetError):
        send()
    tap.faults.add(mail | {"fault": "timeout"})
    with pytest.raises(TimeoutError):
        send()
    tap.faults.add(mail | {"fault": "garbage", "status": 202, "body": ""})
    assert send().status_code == 202
    tap.reset()
    tap.faults.add(mail | {"fault": "twice"})
    with pytest.raises(Exception, match="501"):
        send()
    assert len(sent(tap)) == 2
    tap.faults.add({"service": "google", "fault": "fail", "status": 418})
    with pytest.raises(urllib.error.HTTPError, match="418"):
        urllib.request.urlopen(f"{ann.cloud.google.url}/oauth2/v1/certs")
