"""Stands in for Cloud Tasks: its v2 gRPC interface, and the dispatch of HTTP tasks with retries and OIDC tokens.

Behaviour after https://cloud.google.com/tasks/docs/reference/rpc/google.cloud.tasks.v2 and, for the headers,
https://cloud.google.com/tasks/docs/creating-http-target-tasks. What it does not do answers UNIMPLEMENTED.
"""

import dataclasses
import datetime as dt
import math
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from google.protobuf import empty_pb2

from local.oidc import Signer
from local.scheduler import Answer, Outgoing
from local.secret_manager import GrpcService, RefusedError, page_of

# Seconds during which the name of a finished or deleted task stays taken: "up to 24 hours" (CreateTaskRequest.task).
NAME_TAKEN = 24 * 3600.0
# The most that a task may be scheduled ahead, in seconds: 30 days.
MAX_AHEAD = 30 * 24 * 3600.0
# Bytes. Google's pages name 100 KB and 1 MiB: what passes here passes there.
MAX_TASK_SIZE = 100 * 1024
MAX_URL = 2083
# How long a worker is listened to (Task.dispatch_deadline).
DEFAULT_DEADLINE = dt.timedelta(minutes=10)
SHORTEST_DEADLINE, LONGEST_DEADLINE = dt.timedelta(seconds=15), dt.timedelta(minutes=30)
# How many dispatches run at once over all queues, however much the queues' own limits allow.
WORKERS = 16

_QUEUE = re.compile(r"projects/[A-Za-z0-9:.-]+/locations/[A-Za-z0-9-]+/queues/[A-Za-z0-9-]{1,100}")
_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
# Ignored or replaced (HttpRequest.headers); the identity of the caller comes from the task's OIDC token alone.
_REPLACED = re.compile(
    r"host|content-length|user-agent|authorization|x-(google|appengine|cloudtasks)-.*", re.IGNORECASE
)


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Rate limits and retry settings of one queue; durations in seconds. The defaults suit a demo and tests."""

    max_concurrent_dispatches: int = 1000
    max_dispatches_per_second: float = 500.0
    min_backoff: float = 0.1
    max_backoff: float = 10.0
    max_doublings: int = 16
    max_attempts: int = 100
    max_retry_duration: float = 0.0

    def backoff(self, failures: int) -> float:
        """Seconds until the next attempt: doubles `max_doublings` times, then grows linearly up to `max_backoff`."""
        doublings = min(failures - 1, self.max_doublings)
        steps = max(1, failures - self.max_doublings)
        return min(self.max_backoff, self.min_backoff * 2.0**doublings * steps)

    def exhausted(self, attempts: int, age: float) -> bool:
        """Both limits must be reached, as far as they are set (RetryConfig.max_attempts)."""
        reached = []
        if self.max_attempts != -1:
            reached.append(attempts >= self.max_attempts)
        if self.max_retry_duration > 0:
            reached.append(age >= self.max_retry_duration)
        return bool(reached) and all(reached)


@dataclasses.dataclass(frozen=True, slots=True)
class Dispatch:
    """One finished attempt. `status` None: no reply (or `lost`); `started` in epoch seconds; `attempt` from 1."""

    queue: str
    task: str
    url: str
    status: int | None
    attempt: int
    started: float
    seconds: float
    lost: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class QueuedTask:
    """A task that is not done yet. `due` in epoch seconds; `attempts` counts the finished ones."""

    queue: str
    name: str
    url: str
    headers: dict[str, str]
    body: bytes
    due: float
    attempts: int
    running: bool


@dataclasses.dataclass(slots=True, eq=False)
class _Task:
    message: Any
    due: float
    created: float
    attempts: int = 0
    executions: int = 0  # Replies other than 5xx.
    first: float = 0.0  # When the first attempt started; 0 before.
    last_status: int | None = None
    running: bool = False

    @property
    def name(self) -> str:
        return str(self.message.name)


@dataclasses.dataclass(slots=True, eq=False)
class _Queue:
    name: str
    limits: Limits
    credited: float
    credit: float = 1.0  # A token bucket: how many dispatches may start now.
    paused: bool = False
    running: int = 0
    tasks: dict[str, _Task] = dataclasses.field(default_factory=dict)

    def next_start(self, now: float) -> tuple[float, _Task | None]:
        """When the next dispatch may start, and of which task; infinity if none can for now."""
        waiting = [task for task in self.tasks.values() if not task.running]
        if self.paused or not waiting or self.running >= self.limits.max_concurrent_dispatches:
            return math.inf, None
        rate = self.limits.max_dispatches_per_second
        # The real service derives the bucket's size from the rate: 100 for 500 a second.
        self.credit = min(max(1.0, rate / 5), self.credit + (now - self.credited) * rate)
        self.credited = now
        task = min(waiting, key=lambda task: task.due)
        return max(task.due, now + max(0.0, 1.0 - self.credit) / rate), task


class LocalCloudTasks:
    """Queues, tasks and the threads that dispatch them. Everything is in memory and gone after `stop`."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._changed = threading.Condition()
        self._queues: dict[str, _Queue] = {}
        self._names_taken: dict[str, float] = {}
        self._dispatches: list[Dispatch] = []
        self._deliver_twice = False
        self._to_lose = 0
        self._stopping = False
        self._outgoing = Outgoing()
        self._workers: list[threading.Thread] = []
        self._service = GrpcService(
            CloudTasksGrpcTransport,
            {
                "create_task": self._locked(self._create_task),
                "get_task": self._locked(lambda r: _task_message(self._task(r.name)[1], r.response_view)),
                "delete_task": self._locked(self._delete_task),
                "list_tasks": self._locked(self._list_tasks),
                "create_queue": self._locked(self._create_queue),
                "get_queue": self._locked(lambda r: self._queue_message(r.name)),
                "list_queues": self._locked(self._list_queues),
                "pause_queue": self._locked(lambda r: self._set_paused(r.name, paused=True)),
                "resume_queue": self._locked(lambda r: self._set_paused(r.name, paused=False)),
                "purge_queue": self._locked(self._purge_queue),
            },
        )

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``, for ``grpc.insecure_channel``."""
        return self._service.host

    @property
    def tasks(self) -> list[QueuedTask]:
        """Tasks that are not done, of all queues, the next due first."""
        with self._changed:
            found = [
                QueuedTask(
                    _last_part(queue.name),
                    _last_part(task.name),
                    task.message.http_request.url,
                    dict(task.message.http_request.headers),
                    task.message.http_request.body,
                    task.due,
                    task.attempts,
                    task.running,
                )
                for queue in self._queues.values()
                for task in queue.tasks.values()
            ]
        return sorted(found, key=lambda task: task.due)

    @property
    def dispatches(self) -> list[Dispatch]:
        """Finished attempts since `start`, in the order in which they ended."""
        with self._changed:
            return list(self._dispatches)

    @property
    def deliver_twice(self) -> bool:
        """For tests: whether each task that succeeds is sent a second time, as at-least-once delivery may."""
        with self._changed:
            return self._deliver_twice

    @deliver_twice.setter
    def deliver_twice(self, value: bool) -> None:
        with self._changed:
            self._deliver_twice = value

    def lose_next(self, n: int) -> None:
        """For tests: the next `n` dispatches vanish with their tasks, unsent, as after a purge by mistake."""
        with self._changed:
            self._to_lose = n

    def start(self) -> None:
        self._stopping = False
        self._outgoing = Outgoing()
        self._dispatches = []
        self._service.start()
        self._workers = [
            threading.Thread(target=self._work, name=f"local-tasks-{number}", daemon=True) for number in range(WORKERS)
        ]
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Ends at once: replies under way are not waited for, what is queued is dropped."""
        self._service.stop()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._outgoing.abort()
        for worker in self._workers:
            worker.join()
        with self._changed:
            self._queues.clear()
            self._names_taken.clear()

    def create_queue(self, project: str, location: str, name: str, **limits: Any) -> str:
        """Makes the queue, or changes the limits (fields of `Limits`) of an existing one. Returns its full name."""
        full_name = f"projects/{project}/locations/{location}/queues/{name}"
        with self._changed:
            self._put_queue(full_name, Limits(**limits))
        return full_name

    def wait_idle(self, timeout: float, horizon: float = 5.0) -> bool:
        """Waits until nothing runs, and nothing is due within `horizon` seconds; False after `timeout` seconds.

        Tasks of paused queues don't count: they would wait for ever.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy(horizon), timeout)

    def _busy(self, horizon: float) -> bool:
        until = time.time() + horizon
        return any(
            queue.running or (not queue.paused and any(task.due <= until for task in queue.tasks.values()))
            for queue in self._queues.values()
        )

    # Dispatch: every worker takes what is due, sends it, settles it.

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            queue, task = taken
            answer = self._send(queue, task)
            if answer.ok and self.deliver_twice:
                self._send(queue, task)  # At least once: how the second copy fares changes nothing.
            self._settle(queue, task, answer)

    def _take(self) -> tuple[_Queue, _Task] | None:
        """Waits for the next dispatch that may start; None after `stop`."""
        with self._changed:
            while not self._stopping:
                now = time.time()
                starts = [(*queue.next_start(now), queue) for queue in self._queues.values()]
                start, task, queue = min(starts, key=lambda entry: entry[0], default=(math.inf, None, None))
                if task is None or queue is None or start > now:
                    self._changed.wait(None if start == math.inf else start - now)
                elif self._to_lose > 0:
                    self._to_lose -= 1
                    self._record(queue, task, Answer(None), now, lost=True)
                    self._remove(queue, task)
                else:
                    task.running, task.first = True, task.first or now
                    queue.running += 1
                    queue.credit -= 1
                    return queue, task
            return None

    def _send(self, queue: _Queue, task: _Task) -> Answer:
        request = task.message.http_request
        headers = {name: value for name, value in request.headers.items() if not _REPLACED.fullmatch(name)}
        headers |= {
            "User-Agent": "Google-Cloud-Tasks",
            "X-CloudTasks-QueueName": _last_part(queue.name),
            "X-CloudTasks-TaskName": _last_part(task.name),
            "X-CloudTasks-TaskRetryCount": str(task.attempts),
            "X-CloudTasks-TaskExecutionCount": str(task.executions),
            "X-CloudTasks-TaskETA": f"{task.due:.6f}",
        }
        if task.last_status is not None:
            headers["X-CloudTasks-TaskPreviousResponse"] = str(task.last_status)
        if "oidc_token" in request:
            token = request.oidc_token
            # The audience defaults to the target URL (OidcToken.audience).
            signed = self._signer.caller_token(token.service_account_email, token.audience or request.url)
            headers["Authorization"] = f"Bearer {signed}"
        started = time.time()
        deadline = task.message.dispatch_deadline.total_seconds()
        answer = self._outgoing.send(request.http_method.name, request.url, headers, request.body, deadline)
        with self._changed:
            self._record(queue, task, answer, started)
        return answer

    def _record(self, queue: _Queue, task: _Task, answer: Answer, started: float, *, lost: bool = False) -> None:
        seconds = time.time() - started
        url, attempt = task.message.http_request.url, task.attempts + 1
        self._dispatches.append(
            Dispatch(_last_part(queue.name), _last_part(task.name), url, answer.status, attempt, started, seconds, lost)
        )

    def _settle(self, queue: _Queue, task: _Task, answer: Answer) -> None:
        with self._changed:
            now = time.time()
            queue.running -= 1
            task.running = False
            task.attempts += 1
            task.last_status = answer.status
            if answer.status is not None and answer.status < 500:  # noqa: PLR2004 - "5XX", as the documentation says
                task.executions += 1
            task.due = now + max(queue.limits.backoff(task.attempts), answer.retry_after)
            if answer.ok or queue.limits.exhausted(task.attempts, now - task.first):
                self._remove(queue, task)
            self._changed.notify_all()

    def _remove(self, queue: _Queue, task: _Task) -> None:
        # A task that was deleted while it ran is no longer there.
        if queue.tasks.pop(task.name, None) is not None:
            self._names_taken[task.name] = time.time() + NAME_TAKEN
        self._changed.notify_all()

    # The gRPC interface; every method runs with the lock held.

    def _locked(self, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(request: Any) -> Any:
            with self._changed:
                return method(request)

        return call

    def _create_task(self, request: Any) -> Any:
        queue = self._queue(request.parent)
        now = time.time()
        message = tasks_v2.Task(request.task)
        message.name = message.name or f"{queue.name}/tasks/{uuid.uuid4().int % 10**19}"
        _check_task(message, queue.name, now)
        if message.name in queue.tasks or self._names_taken.get(message.name, 0) > now:
            raise RefusedError(
                grpc.StatusCode.ALREADY_EXISTS,
                "The task cannot be created because a task with this name existed too recently.",
            )
        if "dispatch_deadline" not in message:
            message.dispatch_deadline = DEFAULT_DEADLINE
        message.http_request.http_method = message.http_request.http_method or tasks_v2.HttpMethod.POST
        due = message.schedule_time.timestamp() if "schedule_time" in message else now
        task = queue.tasks[message.name] = _Task(message, max(due, now), now)
        self._changed.notify_all()
        return _task_message(task, request.response_view)

    def _delete_task(self, request: Any) -> empty_pb2.Empty:
        self._remove(*self._task(request.name))
        return empty_pb2.Empty()

    def _list_tasks(self, request: Any) -> Any:
        tasks = self._queue(request.parent).tasks.values()
        page, token = page_of(sorted(tasks, key=lambda task: task.name), request, 1000)
        found = [_task_message(task, request.response_view) for task in page]
        return tasks_v2.ListTasksResponse(tasks=found, next_page_token=token)

    def _create_queue(self, request: Any) -> Any:
        if request.queue.name in self._queues:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, "Queue already exists")
        if not request.queue.name.startswith(f"{request.parent}/queues/"):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "Queue.name must begin with the parent")
        rates, retries = request.queue.rate_limits, request.queue.retry_config
        given = {
            "max_concurrent_dispatches": rates.max_concurrent_dispatches,
            "max_dispatches_per_second": rates.max_dispatches_per_second,
            "max_attempts": retries.max_attempts,
            "max_doublings": retries.max_doublings,
            "max_retry_duration": retries.max_retry_duration and retries.max_retry_duration.total_seconds(),
            "min_backoff": retries.min_backoff and retries.min_backoff.total_seconds(),
            "max_backoff": retries.max_backoff and retries.max_backoff.total_seconds(),
        }
        # What is unset (0) takes the default, as in the real service.
        self._put_queue(request.queue.name, Limits(**{name: value for name, value in given.items() if value}))
        return self._queue_message(request.queue.name)

    def _list_queues(self, request: Any) -> Any:
        names = [name for name in sorted(self._queues) if name.startswith(f"{request.parent}/queues/")]
        page, token = page_of(names, request, 1000)
        return tasks_v2.ListQueuesResponse(queues=[self._queue_message(name) for name in page], next_page_token=token)

    def _set_paused(self, name: str, *, paused: bool) -> Any:
        self._queue(name).paused = paused
        self._changed.notify_all()
        return self._queue_message(name)

    def _purge_queue(self, request: Any) -> Any:
        queue = self._queue(request.name)
        for task in list(queue.tasks.values()):
            self._remove(queue, task)
        return self._queue_message(request.name)

    def _put_queue(self, name: str, limits: Limits) -> None:
        if not _QUEUE.fullmatch(name):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"Invalid queue name: {name}")
        self._queues.setdefault(name, _Queue(name, limits, credited=time.time())).limits = limits
        self._changed.notify_all()

    def _queue(self, name: str) -> _Queue:
        if name not in self._queues:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"Queue does not exist: {name}")
        return self._queues[name]

    def _task(self, name: str) -> tuple[_Queue, _Task]:
        queue = self._queue(name.partition("/tasks/")[0])
        if name not in queue.tasks:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "The task does not exist, or was executed or deleted.")
        return queue, queue.tasks[name]

    def _queue_message(self, name: str) -> Any:
        queue = self._queue(name)
        limits = queue.limits
        return tasks_v2.Queue(
            name=name,
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


def _check_task(message: Any, queue_name: str, now: float) -> None:
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
            not message.name.startswith(f"{queue_name}/tasks/") or not _TASK_ID.fullmatch(_last_part(message.name)),
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


def _task_message(task: _Task, view: Any) -> Any:
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


def _utc(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
