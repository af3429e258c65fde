"""The relay between the real emulator and a function."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from google.cloud import firestore
from google.events.cloud.firestore_v1 import DocumentEventData

from local import triggers
from local.firestore_emulator import FirestoreEmulator
from local.oidc import Signer
from local.triggers import TriggerRelay
from tests.unit.local_stack.conftest import Receiver, Verify

PROJECT = "studio-test"
CALLER = "eventarc@studio-test.iam.gserviceaccount.com"
AUDIENCE = "https://studio-changed.example"


@pytest.fixture
def routed(
    emulator: FirestoreEmulator, relay: TriggerRelay, receiver: Receiver, firestore_host: str
) -> Iterator[TriggerRelay]:
    """The relay, with the trigger of the emulator routed to the receiver, and nothing left from earlier tests."""
    relay.route("changed", f"{receiver.url}/studio_changed", CALLER, AUDIENCE)
    emulator.register_trigger(PROJECT, "changed", "studios/{studio}/{collection}/{document}")
    # The emulator's first event may take long, as it is a young Java process then: nothing is said before it has come.
    firestore.Client(project=PROJECT).document("studios/s1/warming/up").set({"n": uuid.uuid4().hex})
    deadline = time.monotonic() + 10
    while not receiver.requests and time.monotonic() < deadline:
        time.sleep(0.02)
    assert relay.wait_idle(5)
    receiver.requests.clear()
    relay._deliveries.clear()
    yield relay
    relay.deliver_twice = relay.paused = False
    relay.lose_next(0)
    relay.clear()


@pytest.fixture
def document(routed: TriggerRelay) -> firestore.DocumentReference:
    return firestore.Client(project=PROJECT).document("studios/s1/appointments/a1")


def test_a_write_arrives_as_eventarc_would_send_it(
    routed: TriggerRelay, document: firestore.DocumentReference, receiver: Receiver, verified_claims: Verify
) -> None:
    document.set({"title": "Newborn"})
    assert routed.wait_idle(5)
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/studio_changed")
    assert request.headers["content-type"] == "application/protobuf"
    ce = {name: value for name, value in request.headers.items() if name.startswith("ce-")}
    assert ce.pop("ce-id")
    assert ce.pop("ce-time")
    assert ce.pop("ce-dataschema")
    assert ce == {
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.firestore.document.v1.written",
        "ce-source": f"//firestore.googleapis.com/projects/{PROJECT}/databases/(default)",
        "ce-subject": "documents/studios/s1/appointments/a1",
        "ce-document": "studios/s1/appointments/a1",
        "ce-database": "(default)",
        "ce-namespace": "(default)",
        "ce-project": PROJECT,
        "ce-location": "us-central1",
    }
    event = DocumentEventData.deserialize(request.body)
    assert event.value.fields["title"].string_value == "Newborn"
    assert "old_value" not in event
    assert verified_claims(request, AUDIENCE)["email"] == CALLER
    (delivery,) = routed.deliveries
    assert (delivery.trigger, delivery.status, delivery.attempt) == ("changed", 200, 1)


def test_changes_and_deletions_carry_what_was_there_and_writes_without_effect_send_nothing(
    routed: TriggerRelay, document: firestore.DocumentReference, receiver: Receiver
) -> None:
    document.set({"title": "Newborn"})
    document.set({"title": "Newborn"}, merge=True)
    document.set({"title": "Family"})
    document.delete()
    document.delete()
    assert routed.wait_idle(5)
    events = [DocumentEventData.deserialize(request.body) for request in receiver.requests]
    titles = {(title(event, "old_value"), title(event, "value")) for event in events}
    assert titles == {(None, "Newborn"), ("Newborn", "Family"), ("Family", None)}
    assert len(events) == 3


def title(event: DocumentEventData, side: str) -> str | None:
    return getattr(event, side).fields["title"].string_value if side in event else None


def test_a_failing_function_gets_the_event_again_until_it_succeeds(
    routed: TriggerRelay, document: firestore.DocumentReference, receiver: Receiver
) -> None:
    statuses = iter([500, 429, 503, 200])
    receiver.answer = lambda _request: (next(statuses), {})
    document.set({"title": "Newborn"})
    assert routed.wait_idle(5)
    assert [d.status for d in routed.deliveries] == [500, 429, 503, 200]
    assert len({request.headers["ce-id"] for request in receiver.requests}) == 1


def test_an_event_that_is_refused_five_times_is_given_up(
    routed: TriggerRelay, document: firestore.DocumentReference, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggers, "MIN_BACKOFF", 0.005)
    receiver.answer = lambda _request: (400, {})
    document.set({"title": "Newborn"})
    assert routed.wait_idle(5)
    assert [d.status for d in routed.deliveries] == [400] * 5


def test_deliver_twice_sends_the_same_event_two_times(
    routed: TriggerRelay, document: firestore.DocumentReference, receiver: Receiver
) -> None:
    routed.deliver_twice = True
    document.set({"title": "Newborn"})
    assert routed.wait_idle(5)
    assert len(receiver.requests) == 2
    assert len({request.headers["ce-id"] for request in receiver.requests}) == 1


def test_lost_events_are_never_sent_and_are_on_record(
    routed: TriggerRelay, document: firestore.DocumentReference, receiver: Receiver
) -> None:
    routed.lose_next(1)
    document.set({"title": "Newborn"})
    assert routed.wait_idle(5)
    document.set({"title": "Family"})
    assert routed.wait_idle(5)
    assert [d.lost for d in routed.deliveries] == [True, False]
    assert len(receiver.requests) == 1


def test_a_paused_relay_keeps_events_for_later(
    routed: TriggerRelay, document: firestore.DocumentReference, receiver: Receiver
) -> None:
    routed.paused = True
    document.set({"title": "Newborn"})
    assert routed.wait_idle(5)
    assert receiver.requests == []
    routed.paused = False
    assert routed.wait_idle(5)
    assert len(receiver.requests) == 1


def test_it_is_idle_only_when_all_that_was_written_before_has_come(
    routed: TriggerRelay, receiver: Receiver, firestore_host: str
) -> None:
    clients = [firestore.Client(project=PROJECT) for _ in range(4)]
    taken = routed.publish

    def slowly(*event: Any) -> bool:
        time.sleep(0.01)
        return taken(*event)

    with ThreadPoolExecutor() as pool, mock.patch.object(routed, "publish", slowly):
        for number, client in enumerate(clients):
            for one in range(20):
                document = client.document(f"studios/s{number}/appointments/a{one}")
                pool.submit(document.set, {"n": uuid.uuid4().hex})
        pool.shutdown()
        assert routed.wait_idle(20)
    assert len(receiver.requests) == 80


def test_a_relay_stops_at_once_and_can_be_stopped_before_it_was_started(signer: Signer) -> None:
    TriggerRelay(signer).stop()
    relay = TriggerRelay(signer)
    relay.start()
    relay.stop()


def test_an_event_without_a_route_is_not_taken(signer: Signer) -> None:
    relay = TriggerRelay(signer)
    assert not relay.publish("nobody", {"ce-id": "1"}, b"")
    assert relay.wait_idle(1)
    relay.stop()
