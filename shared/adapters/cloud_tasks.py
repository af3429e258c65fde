"""The `Tasks` port on Cloud Tasks: named tasks that call our own functions with an OIDC token."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from google.api_core import exceptions
from google.cloud import tasks_v2
from google.protobuf import duration_pb2, timestamp_pb2

from shared.ports import Task

# One create call is a round trip of some milliseconds; a page of fan-out has 2,000 of them.
PARALLEL = 16

# As long as a run may take and hold its lease; after it the queue would deliver the task a second time.
DISPATCH_DEADLINE_SECONDS = 600


class CloudTasks:
    """`queues` and `urls` map our names (``now``, ``sync_user``) to full queue names and addresses."""

    def __init__(
        self,
        client: tasks_v2.CloudTasksClient,
        queues: Mapping[str, str],
        urls: Mapping[str, str],
        service_account: str,
    ) -> None:
        self._client = client
        self._queues = queues
        self._urls = urls
        self._service_account = service_account

    def enqueue(self, tasks: Sequence[Task]) -> list[tuple[Task, Exception]]:
        if len(tasks) <= 1:
            outcomes = [self._create(task) for task in tasks]
        else:
            with ThreadPoolExecutor(max_workers=min(PARALLEL, len(tasks))) as pool:
                outcomes = list(pool.map(self._create, tasks))
        return [(task, error) for task, error in zip(tasks, outcomes, strict=True) if error is not None]

    def _create(self, task: Task) -> Exception | None:
        queue, url = self._queues[task.queue], self._urls[task.target]
        request = tasks_v2.HttpRequest(
            http_method=tasks_v2.HttpMethod.POST,
            url=url,
            headers={"Content-Type": "application/json"},
            body=json.dumps(task.body).encode(),
            oidc_token=tasks_v2.OidcToken(service_account_email=self._service_account, audience=url),
        )
        made = tasks_v2.Task(
            name=f"{queue}/tasks/{task.name}",
            http_request=request,
            dispatch_deadline=duration_pb2.Duration(seconds=DISPATCH_DEADLINE_SECONDS),
        )
        if task.at is not None:
            at = timestamp_pb2.Timestamp()
            at.FromDatetime(task.at)
            made.schedule_time = at
        try:
            self._client.create_task(parent=queue, task=made)
        except exceptions.AlreadyExists:
            # The same wish has its task already: that is what the name is for.
            return None
        except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
            failure: Exception = error
            return failure
        return None
