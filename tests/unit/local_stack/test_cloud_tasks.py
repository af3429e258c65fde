"""The local Cloud Tasks, through the real client over gRPC."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from local.clock import MovableClock
from local.cloud_tasks import LocalCloudTasks
from local.oidc import Signer
from local.task_queue import Limits
from tests.unit.local_stack.conftest import Receiver, Verify

CALLER = "fan-out@studio-test.iam.gserviceaccount.com"
AUDIENCE = "https://sync-user.example"
LOCATION = "projects/studio-test/locations/europe-west3"


@pytest.fixture
def tasks(local_tasks: LocalCloudTasks) -> LocalCloudTasks:
    return local_tasks


@pytest.fixture
def client(tasks: LocalCloudTasks) -> Iterator[tasks_v2.CloudTasksClient]:
    channel = grpc.insecure_channel(tasks.host)
    yield tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
    channel.close()


@pytest.fixture
def queue(tasks: LocalCloudTasks) -> str:
    return tasks.create_queue("studio-test", "europe-west3", "sync", min_backoff=0.02, max_backoff=0.1)


def a_task(url: str, name: str = "", **fields: Any) -> dict[str, Any]:
    token = {"service_account_email": CALLER, "audience": AUDIENCE}
    request = {"url": f"{url}/sync_user?run=1", "body": b'{"a":1}', "oidc_token": token}
    request["headers"] = {"Content-Type": "application/json", "User-Agent": "me"}
    return {"http_request": request, **({"name": name} if name else {}), **fields}


def in_future(**delta: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(**delta)


def test_a_task_arrives_with_its_body_its_headers_and_a_token_that_verifies(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver, verified_claims: Verify
) -> None:
    client.create_task(parent=queue, task=a_task(receiver.url, f"{queue}/tasks/abc"))
    assert tasks.wait_idle(5)
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/sync_user?run=1", b'{"a":1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Google-Cloud-Tasks"
    assert request.headers["x-cloudtasks-queuename"] == "sync"
    assert request.headers["x-cloudtasks-taskname"] == "abc"
    assert request.headers["x-cloudtasks-taskretrycount"] == "0"
    assert request.headers["x-cloudtasks-taskexecutioncount"] == "0"
    assert abs(float(request.headers["x-cloudtasks-tasketa"]) - time.time()) < 5
    claims = verified_claims(request, AUDIENCE)
    assert (claims["email"], claims["email_verified"]) == (CALLER, True)
    assert [(d.queue, d.task, d.status, d.attempt) for d in tasks.dispatches] == [("sync", "abc", 200, 1)]
    assert tasks.tasks == []


def test_the_name_of_a_task_stays_taken_while_it_waits_and_after_it_ran_or_was_deleted(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    waiting, done = f"{queue}/tasks/waiting", f"{queue}/tasks/done"
    client.create_task(parent=queue, task=a_task(receiver.url, done))
    client.create_task(parent=queue, task=a_task(receiver.url, waiting, schedule_time=in_future(hours=1)))
    assert tasks.wait_idle(5)
    with pytest.raises(exceptions.AlreadyExists):
        client.create_task(parent=queue, task=a_task(receiver.url, done))
    with pytest.raises(exceptions.AlreadyExists):
        client.create_task(parent=queue, task=a_task(receiver.url, waiting))
    client.delete_task(name=waiting)
    with pytest.raises(exceptions.AlreadyExists):
        client.create_task(parent=queue, task=a_task(receiver.url, waiting))
    with pytest.raises(exceptions.NotFound):
        client.get_task(name=waiting)


def test_a_task_without_a_name_gets_one(client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver) -> None:
    first = client.create_task(parent=queue, task=a_task(receiver.url))
    second = client.create_task(parent=queue, task=a_task(receiver.url))
    assert first.name.startswith(f"{queue}/tasks/")
    assert first.name != second.name


def test_a_failing_task_is_retried_with_growing_pauses_until_it_succeeds(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    statuses = iter([500, 404, 302, 204])
    receiver.answer = lambda _request: (next(statuses), {})
    client.create_task(parent=queue, task=a_task(receiver.url))
    assert tasks.wait_idle(5)
    assert [d.status for d in tasks.dispatches] == [500, 404, 302, 204]
    counts = [
        (r.headers["x-cloudtasks-taskretrycount"], r.headers["x-cloudtasks-taskexecutioncount"])
        for r in receiver.requests
    ]
    assert counts == [("0", "0"), ("1", "0"), ("2", "1"), ("3", "2")]
    assert receiver.requests[1].headers["x-cloudtasks-taskpreviousresponse"] == "500"
    starts = [d.started for d in tasks.dispatches]
    assert starts[1] - starts[0] >= 0.019
    assert starts[2] - starts[1] >= 0.039


def test_backoff_doubles_then_grows_linearly_then_stays() -> None:
    limits = Limits(min_backoff=10, max_backoff=300, max_doublings=3)
    # The example of RetryConfig.max_doublings.
    assert [limits.backoff(n) for n in range(1, 9)] == [10, 20, 40, 80, 160, 240, 300, 300]


def test_a_task_is_given_up_when_both_limits_are_reached() -> None:
    assert Limits(max_attempts=3).exhausted(3, 0)
    assert not Limits(max_attempts=3, max_retry_duration=60).exhausted(3, 59)
    assert Limits(max_attempts=3, max_retry_duration=60).exhausted(3, 60)
    assert not Limits(max_attempts=-1).exhausted(10_000, 10_000)


def test_a_worker_that_nobody_hears_is_retried_and_the_task_dropped_after_the_last_attempt(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient
) -> None:
    queue = tasks.create_queue("studio-test", "europe-west3", "few", min_backoff=0.01, max_attempts=2)
    client.create_task(parent=queue, task=a_task("http://127.0.0.1:9"))
    assert tasks.wait_idle(5)
    assert [(d.status, d.attempt) for d in tasks.dispatches] == [(None, 1), (None, 2)]
    assert tasks.tasks == []


def test_retry_after_delays_the_next_attempt(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    statuses = iter([(429, {"Retry-After": "1"}), (200, {})])
    receiver.answer = lambda _request: next(statuses)
    client.create_task(parent=queue, task=a_task(receiver.url))
    assert tasks.wait_idle(5)
    first, second = tasks.dispatches
    assert 0.95 < second.started - first.started < 2


def test_a_task_waits_for_its_schedule_time(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    due = in_future(seconds=0.4)
    client.create_task(parent=queue, task=a_task(receiver.url, schedule_time=due))
    client.create_task(parent=queue, task=a_task(receiver.url, f"{queue}/tasks/late", schedule_time=in_future(hours=1)))
    assert len(tasks.tasks) == 2
    assert tasks.wait_idle(5, horizon=60)
    assert receiver.requests[0].at >= due.timestamp()
    assert [task.name for task in tasks.tasks] == ["late"]


def test_what_the_real_service_refuses_is_refused(
    client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    wrong: list[tuple[type[Exception], dict[str, Any]]] = [
        (exceptions.InvalidArgument, a_task(receiver.url, f"{queue}/tasks/no spaces")),
        (exceptions.InvalidArgument, a_task(receiver.url, f"{queue}/tasks/{'x' * 501}")),
        (exceptions.InvalidArgument, a_task(receiver.url, f"{queue}-other/tasks/abc")),
        (exceptions.InvalidArgument, a_task("ftp://example.org")),
        (exceptions.InvalidArgument, a_task(receiver.url, schedule_time=in_future(days=31))),
        (exceptions.InvalidArgument, a_task(receiver.url, dispatch_deadline=dt.timedelta(seconds=14))),
        (exceptions.InvalidArgument, a_task(receiver.url, dispatch_deadline=dt.timedelta(minutes=31))),
        (exceptions.InvalidArgument, {"http_request": {"url": receiver.url, "body": b"x" * 102_401}}),
        (exceptions.InvalidArgument, {"http_request": {"url": receiver.url, "http_method": "GET", "body": b"x"}}),
        (exceptions.MethodNotImplemented, {"app_engine_http_request": {"relative_uri": "/"}}),
    ]
    for error, task in wrong:
        with pytest.raises(error):
            client.create_task(parent=queue, task=task)
    with pytest.raises(exceptions.NotFound):
        client.create_task(parent=f"{LOCATION}/queues/none", task=a_task(receiver.url))
    assert receiver.requests == []


def test_what_is_not_built_says_so_by_its_name(client: tasks_v2.CloudTasksClient, queue: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="RunTask"):
        client.run_task(name=f"{queue}/tasks/abc")


def test_a_worker_is_no_longer_listened_to_after_the_dispatch_deadline(
    tasks: LocalCloudTasks,
    client: tasks_v2.CloudTasksClient,
    queue: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("local.task_messages.SHORTEST_DEADLINE", dt.timedelta(0))
    release = threading.Event()

    def answer(_request: Any) -> tuple[int, dict[str, str]]:
        if len(receiver.requests) == 1:
            release.wait(5)
        return 200, {}

    receiver.answer = answer
    client.create_task(parent=queue, task=a_task(receiver.url, dispatch_deadline=dt.timedelta(seconds=0.2)))
    assert tasks.wait_idle(5)
    release.set()
    assert [d.status for d in tasks.dispatches] == [None, 200]
    assert tasks.dispatches[0].seconds == pytest.approx(0.2, abs=0.15)


def test_a_queue_runs_no_more_at_once_than_it_may(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, receiver: Receiver
) -> None:
    queue = tasks.create_queue("studio-test", "europe-west3", "narrow", max_concurrent_dispatches=2)
    lock = threading.Lock()
    running = peak = 0

    def answer(_request: Any) -> tuple[int, dict[str, str]]:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return 200, {}

    receiver.answer = answer
    for _ in range(6):
        client.create_task(parent=queue, task=a_task(receiver.url))
    assert tasks.wait_idle(5)
    assert (len(receiver.requests), peak) == (6, 2)


def test_a_queue_starts_no_more_a_second_than_it_may(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, receiver: Receiver
) -> None:
    queue = tasks.create_queue("studio-test", "europe-west3", "slow", max_dispatches_per_second=5)
    for _ in range(4):
        client.create_task(parent=queue, task=a_task(receiver.url))
    assert tasks.wait_idle(5)
    starts = sorted(d.started for d in tasks.dispatches)
    assert starts[-1] - starts[0] >= 0.55


def test_a_paused_queue_keeps_its_tasks_and_a_purged_one_does_not(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    assert client.pause_queue(name=queue).state == tasks_v2.Queue.State.PAUSED
    client.create_task(parent=queue, task=a_task(receiver.url, f"{queue}/tasks/one"))
    assert tasks.wait_idle(1)
    assert receiver.requests == []
    client.resume_queue(name=queue)
    assert tasks.wait_idle(5)
    assert len(receiver.requests) == 1
    client.pause_queue(name=queue)
    client.create_task(parent=queue, task=a_task(receiver.url, f"{queue}/tasks/two"))
    client.purge_queue(name=queue)
    client.resume_queue(name=queue)
    assert tasks.wait_idle(5)
    assert len(receiver.requests) == 1


def test_queues_can_be_made_and_listed_through_the_interface(client: tasks_v2.CloudTasksClient) -> None:
    retries = {"max_attempts": 7, "min_backoff": dt.timedelta(seconds=5)}
    made = client.create_queue(parent=LOCATION, queue={"name": f"{LOCATION}/queues/mail", "retry_config": retries})
    assert (made.retry_config.max_attempts, made.retry_config.min_backoff) == (7, dt.timedelta(seconds=5))
    with pytest.raises(exceptions.AlreadyExists):
        client.create_queue(parent=LOCATION, queue={"name": made.name})
    assert client.get_queue(name=made.name) == made
    assert [queue.name for queue in client.list_queues(parent=LOCATION)] == [made.name]


def test_tasks_are_listed_in_pages_and_show_their_bodies_in_the_full_view_only(
    client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    for number in range(5):
        name = f"{queue}/tasks/t{number}"
        client.create_task(parent=queue, task=a_task(receiver.url, name, schedule_time=in_future(hours=1)))
    found = list(client.list_tasks(request={"parent": queue, "page_size": 2}))
    assert [task.name[-2:] for task in found] == ["t0", "t1", "t2", "t3", "t4"]
    assert {task.http_request.body for task in found} == {b""}
    full = client.get_task(request={"name": found[0].name, "response_view": tasks_v2.Task.View.FULL})
    assert full.http_request.body == b'{"a":1}'


def test_deliver_twice_sends_each_done_task_a_second_time(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    tasks.deliver_twice = True
    statuses = iter([500, 200, 200])
    receiver.answer = lambda _request: (next(statuses), {})
    client.create_task(parent=queue, task=a_task(receiver.url))
    assert tasks.wait_idle(5)
    assert [d.status for d in tasks.dispatches] == [500, 200, 200]


def test_lost_tasks_vanish_unsent_and_are_on_record(
    tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, queue: str, receiver: Receiver
) -> None:
    tasks.lose_next(1)
    client.create_task(parent=queue, task=a_task(receiver.url, f"{queue}/tasks/first"))
    assert tasks.wait_idle(5)
    client.create_task(parent=queue, task=a_task(receiver.url, f"{queue}/tasks/second"))
    assert tasks.wait_idle(5)
    assert [(d.task, d.lost) for d in tasks.dispatches] == [("first", True), ("second", False)]
    assert len(receiver.requests) == 1


def test_stop_does_not_wait_for_a_worker_and_leaves_no_thread(signer: Signer, receiver: Receiver) -> None:
    release = threading.Event()
    receiver.answer = lambda _request: (200 if release.wait(10) else 500, {})
    before = set(threading.enumerate())
    service = LocalCloudTasks(signer)
    service.start()
    queue = service.create_queue("studio-test", "europe-west3", "sync")
    with grpc.insecure_channel(service.host) as channel:
        client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
        client.create_task(parent=queue, task=a_task(receiver.url))
        wait_for(lambda: bool(receiver.requests))
        started = time.monotonic()
        service.stop()
        assert time.monotonic() - started < 2
    release.set()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if name.startswith("local-")}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_task_is_due_by_a_clock_that_can_be_moved(signer: Signer, receiver: Receiver) -> None:
    clock = MovableClock()
    moved = LocalCloudTasks(signer, clock)
    moved.start()
    queue = moved.create_queue("studio-test", "europe-west3", "sync")
    with grpc.insecure_channel(moved.host) as channel:
        client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
        client.create_task(parent=queue, task=a_task(receiver.url, schedule_time=in_future(hours=2)))
        time.sleep(0.05)
        assert receiver.requests == []
        clock.move(dt.timedelta(hours=2, seconds=1))
        assert moved.wait_idle(5)
        assert len(receiver.requests) == 1
        # Back again, which takes nothing from what may be dispatched per second.
        clock.reset()
        client.create_task(parent=queue, task=a_task(receiver.url))
        assert moved.wait_idle(5)
        assert len(receiver.requests) == 2
    moved.stop()
