"""The wiretap under the real vendor clients."""

import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any, Literal

import googleapiclient.discovery
import grpc
import httplib2
import pytest
import requests
import sendgrid
from google.cloud import firestore, tasks_v2
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from googleapiclient.discovery_cache import get_static_doc

from local import wiretap
from local.cloud_tasks import LocalCloudTasks
from local.oidc import Signer
from local.wiretap import Killed, Wiretap
from tests.unit.local_stack.conftest import Receiver

PROJECT = "studio-test"


@pytest.fixture
def tap() -> Iterator[Wiretap]:
    yield wiretap.install()
    wiretap.uninstall()


@pytest.fixture
def database(tap: Wiretap, firestore_host: str) -> firestore.Client:
    client = firestore.Client(project=PROJECT)
    for number in range(3):
        client.document(f"studios/s{number}").set({"n": number})
    tap.reset()
    return client


@pytest.fixture
def calendar(tap: Wiretap, receiver: Receiver) -> Any:
    """Google's client for Calendar, pointed at the receiver."""
    receiver.body = b'{"items": []}'
    receiver.answer = lambda _request: (200, {"Content-Type": "application/json"})
    document = get_static_doc("calendar", "v3").replace("https://www.googleapis.com/", f"{receiver.url}/")
    return googleapiclient.discovery.build_from_document(document, http=httplib2.Http())


def shown(tap: Wiretap) -> list[tuple[str, str, int, int]]:
    return [(call.service, call.method, call.document_reads, call.document_writes) for call in tap.calls]


def test_firestore_calls_are_counted_as_they_are_billed(tap: Wiretap, database: firestore.Client) -> None:
    studios = database.collection("studios")
    studios.document("s1").get()
    studios.document("none").get()
    list(database.get_all([studios.document("s0"), studios.document("s1"), studios.document("none")]))
    assert len(list(studios.stream())) == 3
    assert list(studios.where(filter=FieldFilter("n", ">", 7)).stream()) == []
    studios.count().get()
    batch = database.batch()
    batch.set(studios.document("s4"), {"n": 4})
    batch.delete(studios.document("s0"))
    batch.commit()
    assert shown(tap) == [
        ("firestore", "BatchGetDocuments", 1, 0),
        ("firestore", "BatchGetDocuments", 1, 0),
        ("firestore", "BatchGetDocuments", 3, 0),
        ("firestore", "RunQuery", 3, 0),
        ("firestore", "RunQuery", 1, 0),
        ("firestore", "RunAggregationQuery", 1, 0),
        ("firestore", "Commit", 0, 2),
    ]
    summary = tap.summary()
    assert (summary["calls"], summary["document_reads"], summary["document_writes"]) == (7, 10, 2)
    assert summary["services"] == {"firestore": 7}
    assert summary["methods"]["firestore RunQuery"] == 2


def test_tasks_http_and_mail_calls_are_seen_with_ids_taken_out(
    tap: Wiretap, signer: Signer, calendar: Any, receiver: Receiver
) -> None:
    service = LocalCloudTasks(signer)
    service.start()
    queue = service.create_queue("studio-test", "europe-west3", "sync")
    with grpc.insecure_channel(service.host) as channel:
        client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
        client.create_task(parent=queue, task={"http_request": {"url": f"{receiver.url}/worker"}})
        assert service.wait_idle(5)
    service.stop()
    calendar.events().list(calendarId="a@example.org").execute()
    calendar.events().patch(calendarId="a@example.org", eventId="e1", body={}).execute()
    requests.get(f"{receiver.url}/oauth2/v1/certs", timeout=5)
    requests.patch(f"{receiver.url}/v1/people/c123:updateContact", timeout=5)
    sendgrid.SendGridAPIClient("key", host=receiver.url).client.mail.send.post(request_body={})
    # The task that the queue dispatched is the stack's call, not the product's.
    assert [(call.service, call.method) for call in tap.calls] == [
        ("tasks", "CreateTask"),
        ("google", "GET /calendar/v3/calendars/{}/events"),
        ("google", "PATCH /calendar/v3/calendars/{}/events/{}"),
        ("google", "GET /oauth2/v1/certs"),
        ("google", "PATCH /v1/people/{}:updateContact"),
        ("sendgrid", "POST /v3/mail/send"),
    ]


def test_killed_before_a_write_nothing_was_written_and_nothing_works_until_disarmed(
    tap: Wiretap, database: firestore.Client
) -> None:
    document = database.document("studios/s1")
    tap.kill_at(2, "before")
    document.get()
    with pytest.raises(Killed):
        document.update({"n": 10})
    assert tap.dead
    for dead in (document.get, lambda: document.set({}), lambda: list(database.collection("studios").stream())):
        with pytest.raises(Killed):
            dead()
    tap.disarm()
    assert document.get().to_dict() == {"n": 1}


def test_killed_after_a_write_it_was_written(tap: Wiretap, database: firestore.Client) -> None:
    document = database.document("studios/s1")
    tap.kill_at(1, "after")
    with pytest.raises(Killed):
        document.update({"n": 10})
    with pytest.raises(Killed):
        document.get()
    tap.disarm()
    assert document.get().to_dict() == {"n": 10}
    assert [call.method for call in tap.calls] == ["Commit", "BatchGetDocuments"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_streamed_read_dies_as_a_plain_call_does(
    tap: Wiretap, database: firestore.Client, when: Literal["before", "after"]
) -> None:
    tap.kill_at(1, when)
    with pytest.raises(Killed):
        list(database.collection("studios").stream())
    tap.kill_at(1, when)
    with pytest.raises(Killed):
        database.document("studios/s1").get()
    tap.disarm()
    assert len(list(database.collection("studios").stream())) == 3


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_transaction_dies_whole_and_cannot_even_roll_back(tap: Wiretap, database: firestore.Client, n: int) -> None:
    document = database.document("studios/s1")

    @firestore.transactional
    def increment(transaction: firestore.Transaction) -> None:
        seen = document.get(transaction=transaction).to_dict()
        transaction.update(document, {"n": seen["n"] + 1})

    # Begin, read, commit.
    tap.kill_at(n, "before")
    with pytest.raises(Killed):
        increment(database.transaction())
    assert len(tap.calls) == n - 1
    tap.disarm()
    assert document.get().to_dict() == {"n": 1}
    # Not even a lock is left.
    increment(database.transaction())
    assert document.get().to_dict() == {"n": 2}


def test_a_transaction_killed_after_its_commit_is_done_once(tap: Wiretap, database: firestore.Client) -> None:
    document = database.document("studios/s1")

    @firestore.transactional
    def increment(transaction: firestore.Transaction) -> None:
        seen = document.get(transaction=transaction).to_dict()
        transaction.update(document, {"n": seen["n"] + 1})

    tap.kill_at(3, "after")
    with pytest.raises(Killed):
        increment(database.transaction())
    tap.disarm()
    assert document.get().to_dict() == {"n": 2}


@pytest.mark.parametrize(("when", "sent"), [("before", 0), ("after", 1)])
def test_no_retry_of_googles_client_survives_it(
    tap: Wiretap, calendar: Any, receiver: Receiver, when: Literal["before", "after"], sent: int
) -> None:
    tap.kill_at(1, when)
    with pytest.raises(Killed):
        calendar.events().list(calendarId="primary").execute(num_retries=3)
    assert len(receiver.requests) == sent
    with pytest.raises(Killed):
        requests.get(receiver.url, timeout=5)
    tap.disarm()
    calendar.events().list(calendarId="primary").execute()


def test_an_error_is_an_answer_too(tap: Wiretap, calendar: Any, receiver: Receiver) -> None:
    receiver.answer = lambda _request: (503, {})
    tap.kill_at(1, "after")
    with pytest.raises(Killed):
        calendar.events().list(calendarId="primary").execute(num_retries=3)
    assert len(receiver.requests) == 1


def test_the_other_threads_of_a_dead_process_get_no_answers_either(
    tap: Wiretap, calendar: Any, receiver: Receiver
) -> None:
    arrived, release = threading.Event(), threading.Event()

    def answer(request: Any) -> tuple[int, dict[str, str]]:
        if request.path.startswith("/slow"):
            arrived.set()
            release.wait(5)
        return 200, {}

    receiver.answer = answer
    tap.kill_at(2, "before")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(requests.get, f"{receiver.url}/slow", timeout=5)
        assert arrived.wait(5)
        with pytest.raises(Killed):
            requests.get(receiver.url, timeout=5)
        release.set()
        assert isinstance(slow.exception(5), Killed)


def test_only_the_calls_that_are_meant_count_and_die(
    tap: Wiretap, database: firestore.Client, receiver: Receiver
) -> None:
    tap.kill_at(1, "before", only=lambda call: call.document_writes > 0)
    assert database.document("studios/s1").get().exists
    with pytest.raises(Killed):
        database.document("studios/s1").set({})
    assert database.document("studios/s1").get().exists
    assert requests.get(receiver.url, timeout=5).ok


def test_uninstalled_it_sees_nothing(receiver: Receiver) -> None:
    tap = wiretap.install()
    assert wiretap.install() is tap
    wiretap.uninstall()
    requests.get(receiver.url, timeout=5)
    assert tap.calls == ()
