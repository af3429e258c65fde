"""The messages of Cloud Tasks v2: what CreateTask refuses, what a worker is sent, how tasks and queues are shown."""

import datetime as dt
import re
from typing import Any

import grpc
from google.cloud import tasks_v2

from local.grpc_service import RefusedError
from local.task_queue import Limits, Queue, Task, last_part

# The most that a task may be scheduled ahead, in seconds: 30 days.
MAX_AHEAD = 30 * 24 * 3600.0
# Bytes. Google's pages name 100 KB and 1 MiB: what passes here passes there.
MAX_TASK_SIZE = 100 * 1024
MAX_URL = 2083
# How long a worker is listened to (Task.dispatch_deadline).
DEFAULT_DEADLINE = dt.timedelta(minutes=10)
SHORTEST_DEADLINE, LONGEST_DEADLINE = dt.timedelta(seconds=15), dt.timedelta(minutes=30)

_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
# Ignored or replaced (HttpRequest.headers); the identity of the caller comes from the task's OIDC token alone.
_REPLACED = re.compile(
    r"host|content-length|user-agent|authorization|x-(google|appengine|cloudtasks)-.*", re.IGNORECASE
)


def check_task(message: Any, queue_name: str, now: float) -> None:
    """Raises `RefusedError` for what CreateTask refuses."""
    if "http_request" not in message or "oauth_token" in message.http_request or "retry_config" in message:
        raise RefusedError(
            grpc.StatusCode.UNIMPLEMENTED,
            "App Engine tasks, OAuth tokens and retry settings of one task are not part of the local stack",
        )
    request = message.http_request
    deadline = message.dispatch_deadline if "dispatch_deadline" in message else DEFAULT_DEADLINE
    due = message.schedule_time.timestamp() if "schedule_time" in message else now
    with_body = request.http_method.name in {"POST", "PUT", "PATCH", "HTTP_METHOD_UNSPECIFIED"}
    for wrong, sentence in (
        (
            not message.name.startswith(f"{queue_name}/tasks/") or not _TASK_ID.fullmatch(last_part(message.name)),
            f"Task.name must be {queue_name}/tasks/TASK_ID, with [A-Za-z0-9_-]{{1,500}}",
        ),
        (not request.url.startswith(("http://", "https://")), "HttpRequest.url must begin with http:// or https://"),
        (len(request.url) > MAX_URL, f"HttpRequest.url is longer than {MAX_URL}"),
        (bool(request.body) and not with_body, "HttpRequest.body needs POST, PUT or PATCH"),
        (not SHORTEST_DEADLINE <= deadline <= LONGEST_DEADLINE, "Task.dispatch_deadline must be in [15s, 30m]"),
        (due > now + MAX_AHEAD, "Task.schedule_time must be at most 30 days ahead"),
        (len(tasks_v2.Task.serialize(message)) > MAX_TASK_SIZE, "Task size too large: at most 100 KB"),
    ):
        if wrong:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, sentence)


def task_message(task: Task, view: Any) -> Any:
    """The task as the interface shows it: without its body, unless the full view is asked for."""
    message = tasks_v2.Task(task.message)
    message.schedule_time = _utc(task.due)
    message.create_time = _utc(int(task.created))
    message.dispatch_count = task.attempts + task.running
    message.response_count = task.executions
    message.view = view or tasks_v2.Task.View.BASIC
    if message.view != tasks_v2.Task.View.FULL:
        message.http_request.body = b""
    return message


def worker_headers(queue: Queue, task: Task) -> dict[str, str]:
    """The headers of the next attempt: the client's, and those that Cloud Tasks sets."""
    given = task.message.http_request.headers
    headers = {name: value for name, value in given.items() if not _REPLACED.fullmatch(name)}
    headers |= {
        "User-Agent": "Google-Cloud-Tasks",
        "X-CloudTasks-QueueName": queue.short_name,
        "X-CloudTasks-TaskName": task.short_name,
        "X-CloudTasks-TaskRetryCount": str(task.attempts),
        "X-CloudTasks-TaskExecutionCount": str(task.executions),
        "X-CloudTasks-TaskETA": f"{task.due:.6f}",
    }
    if task.last_status is not None:
        headers["X-CloudTasks-TaskPreviousResponse"] = str(task.last_status)
    return headers


def queue_message(queue: Queue) -> Any:
    """The queue as the interface shows it."""
    limits = queue.limits
    return tasks_v2.Queue(
        name=queue.name,
        state=tasks_v2.Queue.State.PAUSED if queue.paused else tasks_v2.Queue.State.RUNNING,
        rate_limits={
            "max_concurrent_dispatches": limits.max_concurrent_dispatches,
            "max_dispatches_per_second": limits.max_dispatches_per_second,
        },
        retry_config={
            "max_attempts": limits.max_attempts,
            "max_doublings": limits.max_doublings,
            "min_backoff": dt.timedelta(seconds=limits.min_backoff),
            "max_backoff": dt.timedelta(seconds=limits.max_backoff),
            "max_retry_duration": dt.timedelta(seconds=limits.max_retry_duration),
        },
    )


def limits_of(message: Any) -> Limits:
    """The limits that a client asks for; what is unset (0) takes the default, as in the real service."""
    rates, retries = message.rate_limits, message.retry_config
    given = {
        "max_concurrent_dispatches": rates.max_concurrent_dispatches,
        "max_dispatches_per_second": rates.max_dispatches_per_second,
        "max_attempts": retries.max_attempts,
        "max_doublings": retries.max_doublings,
        "max_retry_duration": retries.max_retry_duration and retries.max_retry_duration.total_seconds(),
        "min_backoff": retries.min_backoff and retries.min_backoff.total_seconds(),
        "max_backoff": retries.max_backoff and retries.max_backoff.total_seconds(),
    }
    return Limits(**{name: value for name, value in given.items() if value})


def _utc(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
