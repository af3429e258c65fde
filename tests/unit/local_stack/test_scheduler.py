"""The local Cloud Scheduler, against a server that checks its tokens."""

import datetime as dt
import threading
import time

from local.clock import MovableClock
from local.oidc import Signer
from local.scheduler import Scheduler
from tests.unit.local_stack.conftest import Received, Receiver, Verify

CALLER = "scheduler@studio-test.iam.gserviceaccount.com"
AUDIENCE = "https://fan-out.example"


def a_scheduler(signer: Signer, receiver: Receiver, every_seconds: float = 3600) -> Scheduler:
    return Scheduler(signer, f"{receiver.url}/fan_out", CALLER, AUDIENCE, every_seconds)


def test_a_tick_posts_as_cloud_scheduler_does_and_returns_the_status(
    signer: Signer, receiver: Receiver, verified_claims: Verify
) -> None:
    receiver.answer = lambda _request: (503, {})
    assert a_scheduler(signer, receiver).tick() == 503
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/fan_out", b"")
    assert request.headers["user-agent"] == "Google-Cloud-Scheduler"
    assert request.headers["x-cloudscheduler"] == "true"
    assert request.headers["x-cloudscheduler-jobname"] == "fan-out"
    at = dt.datetime.fromisoformat(request.headers["x-cloudscheduler-scheduletime"])
    assert abs((at - dt.datetime.now(dt.UTC)).total_seconds()) < 5
    assert verified_claims(request, AUDIENCE)["email"] == CALLER


def test_a_ticks_time_is_that_of_a_clock_that_can_be_moved(signer: Signer, receiver: Receiver) -> None:
    clock = MovableClock()
    scheduler = Scheduler(signer, f"{receiver.url}/fan_out", CALLER, AUDIENCE, 3600, clock=clock)
    clock.move(dt.timedelta(days=2))
    scheduler.tick()
    at = dt.datetime.fromisoformat(receiver.requests[0].headers["x-cloudscheduler-scheduletime"])
    assert abs((at - dt.datetime.now(dt.UTC)).total_seconds() - 2 * 86400) < 5


def test_a_function_that_does_not_answer_gives_no_status(signer: Signer) -> None:
    nobody = "http://127.0.0.1:9"
    assert Scheduler(signer, nobody, CALLER, AUDIENCE, every_seconds=3600).tick() is None


def test_the_timer_never_runs_two_at_once_and_stops(signer: Signer, receiver: Receiver) -> None:
    lock, running, peak = threading.Lock(), 0, 0
    enough = threading.Event()

    def answer(_request: Received) -> tuple[int, dict[str, str]]:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        if len(receiver.requests) >= 4:
            enough.set()
        return 200, {}

    receiver.answer = answer
    scheduler = a_scheduler(signer, receiver, every_seconds=0.01)
    scheduler.start()
    assert scheduler.tick() == 200
    assert enough.wait(5)
    scheduler.stop()
    seen = len(receiver.requests)
    time.sleep(0.1)
    assert (peak, len(receiver.requests)) == (1, seen)


def test_stop_does_not_wait_for_an_answer(signer: Signer, receiver: Receiver) -> None:
    arrived, release = threading.Event(), threading.Event()

    def answer(_request: Received) -> tuple[int, dict[str, str]]:
        arrived.set()
        release.wait(5)
        return 200, {}

    receiver.answer = answer
    scheduler = a_scheduler(signer, receiver, every_seconds=0.01)
    scheduler.start()
    assert arrived.wait(5)
    started = time.monotonic()
    scheduler.stop()
    assert time.monotonic() - started < 1
    release.set()
