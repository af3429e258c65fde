"""The `Tasks` port over the real client and the local Cloud Tasks."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from local.cloud_tasks import LocalCloudTasks
from shared.adapters.cloud_tasks import CloudTasks
from shared.ports import Task

CALLER = "tasks@studio-test.iam.gserviceaccount.com"
URLS = {"sync_user": "https://sync-user.example/run", "fan_out": "https://fan-out.example"}


@pytest.fixture
def client(local_tasks: LocalCloudTasks) -> Iterator[tasks_v2.CloudTasksClient]:
    channel = grpc.insecure_channel(local_tasks.host)
    yield tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
    channel.close()


@pytest.fixture
def queues(local_tasks: LocalCloudTasks, client: tasks_v2.CloudTasksClient, project: str) -> dict[str, str]:
    """Two queues that are paused, so that tasks can be looked at, and a name for one that does not exist."""
    made = {name: local_tasks.create_queue(project, "europe-west3", name) for name in ("now", "scheduled")}
    for queue in made.values():
        client.pause_queue(name=queue)
    return {**made, "missing": made["now"] + "-missing"}


@pytest.fixture
def tasks(client: tasks_v2.CloudTasksClient, queues: dict[str, str]) -> CloudTasks:
    return CloudTasks(client, queues, URLS, CALLER)


def a_task(name: str = "t1", **fields: Any) -> Task:
    return Task(**{"queue": "now", "target": "sync_user", "name": name, "body": {"connection": "c1"}, **fields})


def shown(client: tasks_v2.CloudTasksClient, queue: str, name: str) -> tasks_v2.Task:
    request = {"name": f"{queue}/tasks/{name}", "response_view": tasks_v2.Task.View.FULL}
    return client.get_task(request=request)


def test_a_task_is_a_post_of_json_with_a_token_whose_audience_is_the_url(
    tasks: CloudTasks, client: tasks_v2.CloudTasksClient, queues: dict[str, str]
) -> None:
    assert tasks.enqueue([a_task(body={"connection": "c1", "text": "für Ann"})]) == []
    made = shown(client, queues["now"], "t1")
    request = made.http_request
    assert (request.http_method, request.url) == (tasks_v2.HttpMethod.POST, URLS["sync_user"])
    assert dict(request.headers) == {"Content-Type": "application/json"}
    assert json.loads(request.body) == {"connection": "c1", "text": "für Ann"}
    assert (request.oidc_token.service_account_email, request.oidc_token.audience) == (CALLER, URLS["sync_user"])
    assert made.dispatch_deadline == dt.timedelta(minutes=10)


def test_each_task_goes_to_its_own_queue_and_url(
    tasks: CloudTasks, client: tasks_v2.CloudTasksClient, queues: dict[str, str]
) -> None:
    assert tasks.enqueue([a_task(), a_task(queue="scheduled", target="fan_out")]) == []
    assert shown(client, queues["now"], "t1").http_request.url == URLS["sync_user"]
    page = shown(client, queues["scheduled"], "t1")
    assert (page.http_request.url, page.http_request.oidc_token.audience) == (URLS["fan_out"], URLS["fan_out"])


def test_a_name_that_is_taken_already_is_fine_and_makes_no_second_task(
    tasks: CloudTasks, local_tasks: LocalCloudTasks
) -> None:
    assert tasks.enqueue([a_task()]) == []
    assert tasks.enqueue([a_task(body={"other": True})]) == []
    assert tasks.enqueue([a_task(), a_task(), a_task("t2")]) == []
    assert sorted(task.name for task in local_tasks.tasks) == ["t1", "t2"]
    assert b"other" not in local_tasks.tasks[0].body


def test_a_name_stays_taken_after_its_task_is_gone(
    tasks: CloudTasks, client: tasks_v2.CloudTasksClient, queues: dict[str, str], local_tasks: LocalCloudTasks
) -> None:
    tasks.enqueue([a_task()])
    client.delete_task(name=f"{queues['now']}/tasks/t1")
    assert tasks.enqueue([a_task()]) == []
    assert local_tasks.tasks == []


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=2))], ids=["utc", "two-hours-ahead"])
def test_a_task_is_scheduled_for_the_instant_it_asks_for(
    tasks: CloudTasks, local_tasks: LocalCloudTasks, zone: dt.tzinfo
) -> None:
    at = dt.datetime.now(zone).replace(microsecond=123456) + dt.timedelta(hours=1)
    assert tasks.enqueue([a_task(at=at)]) == []
    assert local_tasks.tasks[0].due == pytest.approx(at.timestamp(), abs=1e-5)


def test_a_task_without_a_time_is_due_at_once(tasks: CloudTasks, local_tasks: LocalCloudTasks) -> None:
    before = dt.datetime.now(dt.UTC).timestamp()
    tasks.enqueue([a_task()])
    assert before <= local_tasks.tasks[0].due <= dt.datetime.now(dt.UTC).timestamp()


def test_a_queue_that_does_not_exist_fails_its_own_tasks_only(tasks: CloudTasks, local_tasks: LocalCloudTasks) -> None:
    lost = a_task("lost", queue="missing")
    ((failed, error),) = tasks.enqueue([a_task("a"), lost, a_task("b")])
    assert failed == lost
    assert isinstance(error, exceptions.NotFound)
    assert sorted(task.name for task in local_tasks.tasks) == ["a", "b"]


def test_a_single_task_that_fails_is_reported_and_not_raised(tasks: CloudTasks) -> None:
    too_far = dt.datetime.now(dt.UTC) + dt.timedelta(days=40)
    ((failed, error),) = tasks.enqueue([a_task("far", at=too_far)])
    assert failed.name == "far"
    assert isinstance(error, exceptions.InvalidArgument)


def test_many_tasks_are_all_enqueued_and_failures_keep_their_order(
    tasks: CloudTasks, local_tasks: LocalCloudTasks
) -> None:
    wanted = [a_task(f"t{number}", queue="missing" if number % 50 == 7 else "now") for number in range(300)]
    failed = tasks.enqueue(wanted)
    assert [task.name for task, _ in failed] == ["t7", "t57", "t107", "t157", "t207", "t257"]
    assert {task.name for task in local_tasks.tasks} == {task.name for task in wanted if task.queue == "now"}


def test_nothing_to_enqueue_is_fine(tasks: CloudTasks) -> None:
    assert tasks.enqueue([]) == []


def test_a_service_that_nobody_answers_fails_each_task_without_raising(
    queues: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with grpc.insecure_channel("127.0.0.1:9") as channel:
        client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
        failed = CloudTasks(client, queues, URLS, CALLER).enqueue([a_task("a"), a_task("b")])
    assert [task.name for task, _ in failed] == ["a", "b"]
    assert {type(error) for _, error in failed} == {exceptions.ServiceUnavailable}
