"""Stands in for Cloud Tasks: its v2 gRPC interface, and the dispatch of HTTP tasks with retries and OIDC tokens.

Behaviour after https://cloud.google.com/tasks/docs/reference/rpc/google.cloud.tasks.v2 and, for the headers,
https://cloud.google.com/tasks/docs/creating-http-target-tasks. What it does not do answers UNIMPLEMENTED.
"""

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

from local.clock import MovableClock
from local.grpc_service import GrpcService, RefusedError, page_of
from local.oidc import Signer
from local.outgoing import Answer, Outgoing
from local.task_messages import DEFAULT_DEADLINE, check_task, limits_of, queue_message, task_message, worker_headers
from local.task_queue import Dispatch, Limits, Queue, QueuedTask, Task

# Seconds during which the name of a finished or deleted task stays taken: "up to 24 hours" (CreateTaskRequest.task).
NAME_TAKEN = 24 * 3600.0
# How many dispatches run at once over all queues, however much the queues' own limits allow.
WORKERS = 16
# Seconds after which a worker that waits for a task to be due looks at the clock again: it may have been moved.
LOOK_AGAIN = 0.5

_QUEUE = re.compile(r"projects/[A-Za-z0-9:.-]+/locations/[A-Za-z0-9-]+/queues/[A-Za-z0-9-]{1,100}")


class LocalCloudTasks:
    """Queues, tasks and the threads that dispatch them. Everything is in memory and gone after `stop`.

    When tasks are due goes by `clock`.
    """

    def __init__(self, signer: Signer, clock: MovableClock | None = None) -> None:
        self._signer = signer
        self._clock = clock or MovableClock()
        self._changed = threading.Condition()
        self._queues: dict[str, Queue] = {}
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
                "get_task": self._locked(lambda r: task_message(self._task(r.name)[1], r.response_view)),
                "delete_task": self._locked(self._delete_task),
                "list_tasks": self._locked(self._list_tasks),
                "create_queue": self._locked(self._create_queue),
                "get_queue": self._locked(lambda r: queue_message(self._queue(r.name))),
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
                    queue.short_name,
                    task.short_name,
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

    def create_queue(self, project: str, location: str, name: str, *, paused: bool = False, **limits: Any) -> str:
        """Makes the queue, `paused` or not, or changes the limits (fields of `Limits`) of one that is there.

        Returns its full name.
        """
        full_name = f"projects/{project}/locations/{location}/queues/{name}"
        with self._changed:
            self._put_queue(full_name, Limits(**limits), paused=paused)
        return full_name

    def wait_idle(self, timeout: float, horizon: float = 5.0) -> bool:
        """Waits until nothing runs, and nothing is due within `horizon` seconds; False after `timeout` seconds.

        Tasks of paused queues don't count: they would wait for ever.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy(horizon), timeout)

    def _busy(self, horizon: float) -> bool:
        until = self._clock.time() + horizon
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

    def _take(self) -> tuple[Queue, Task] | None:
        """Waits for the next dispatch that may start; None after `stop`."""
        with self._changed:
            while not self._stopping:
                now = self._clock.time()
                starts = [(*queue.next_start(now), queue) for queue in self._queues.values()]
                start, task, queue = min(starts, key=lambda entry: entry[0], default=(math.inf, None, None))
                if task is None or queue is None or start > now:
                    self._changed.wait(None if start == math.inf else min(start - now, LOOK_AGAIN))
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

    def _send(self, queue: Queue, task: Task) -> Answer:
        request = task.message.http_request
        headers = worker_headers(queue, task)
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

    def _record(self, queue: Queue, task: Task, answer: Answer, started: float, *, lost: bool = False) -> None:
        seconds = time.time() - started
        url, attempt = task.message.http_request.url, task.attempts + 1
        self._dispatches.append(
            Dispatch(queue.short_name, task.short_name, url, answer.status, attempt, started, seconds, lost)
        )

    def _settle(self, queue: Queue, task: Task, answer: Answer) -> None:
        with self._changed:
            now = self._clock.time()
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

    def _remove(self, queue: Queue, task: Task) -> None:
        # A task that was deleted while it ran is no longer there.
        if queue.tasks.pop(task.name, None) is not None:
            self._names_taken[task.name] = self._clock.time() + NAME_TAKEN
        self._changed.notify_all()

    # The gRPC interface; every method runs with the lock held.

    def _locked(self, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(request: Any) -> Any:
            with self._changed:
                return method(request)

        return call

    def _create_task(self, request: Any) -> Any:
        queue = self._queue(request.parent)
        now = self._clock.time()
        message = tasks_v2.Task(request.task)
        message.name = message.name or f"{queue.name}/tasks/{uuid.uuid4().int % 10**19}"
        check_task(message, queue.name, now)
        if message.name in queue.tasks or self._names_taken.get(message.name, 0) > now:
            raise RefusedError(
                grpc.StatusCode.ALREADY_EXISTS,
                "The task cannot be created because a task with this name existed too recently.",
            )
        if "dispatch_deadline" not in message:
            message.dispatch_deadline = DEFAULT_DEADLINE
        message.http_request.http_method = message.http_request.http_method or tasks_v2.HttpMethod.POST
        due = message.schedule_time.timestamp() if "schedule_time" in message else now
        task = queue.tasks[message.name] = Task(message, max(due, now), now)
        if not queue.paused:  # Else it is nobody's turn, and waking all workers would be for nothing.
            self._changed.notify_all()
        return task_message(task, request.response_view)

    def _delete_task(self, request: Any) -> empty_pb2.Empty:
        self._remove(*self._task(request.name))
        return empty_pb2.Empty()

    def _list_tasks(self, request: Any) -> Any:
        tasks = self._queue(request.parent).tasks.values()
        page, token = page_of(sorted(tasks, key=lambda task: task.name), request, 1000)
        found = [task_message(task, request.response_view) for task in page]
        return tasks_v2.ListTasksResponse(tasks=found, next_page_token=token)

    def _create_queue(self, request: Any) -> Any:
        if request.queue.name in self._queues:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, "Queue already exists")
        if not request.queue.name.startswith(f"{request.parent}/queues/"):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "Queue.name must begin with the parent")
        self._put_queue(request.queue.name, limits_of(request.queue))
        return queue_message(self._queue(request.queue.name))

    def _list_queues(self, request: Any) -> Any:
        names = [name for name in sorted(self._queues) if name.startswith(f"{request.parent}/queues/")]
        page, token = page_of(names, request, 1000)
        found = [queue_message(self._queues[name]) for name in page]
        return tasks_v2.ListQueuesResponse(queues=found, next_page_token=token)

    def _set_paused(self, name: str, *, paused: bool) -> Any:
        queue = self._queue(name)
        queue.paused = paused
        self._changed.notify_all()
        return queue_message(queue)

    def _purge_queue(self, request: Any) -> Any:
        queue = self._queue(request.name)
        for task in list(queue.tasks.values()):
            self._remove(queue, task)
        return queue_message(queue)

    def _put_queue(self, name: str, limits: Limits, *, paused: bool = False) -> None:
        if not _QUEUE.fullmatch(name):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"Invalid queue name: {name}")
        queue = self._queues.setdefault(name, Queue(name, limits, credited=self._clock.time(), paused=paused))
        queue.limits = limits
        if queue.tasks:
            self._changed.notify_all()

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"Queue does not exist: {name}")
        return self._queues[name]

    def _task(self, name: str) -> tuple[Queue, Task]:
        queue = self._queue(name.partition("/tasks/")[0])
        if name not in queue.tasks:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "The task does not exist, or was executed or deleted.")
        return queue, queue.tasks[name]
