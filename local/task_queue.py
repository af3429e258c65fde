"""One queue of the local Cloud Tasks: its limits, its tasks, and when which of them may start."""

import dataclasses
import math
from typing import Any


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
class Task:
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

    @property
    def short_name(self) -> str:
        return last_part(self.name)


@dataclasses.dataclass(slots=True, eq=False)
class Queue:
    name: str
    limits: Limits
    credited: float
    credit: float = 1.0  # A token bucket: how many dispatches may start now.
    paused: bool = False
    running: int = 0
    tasks: dict[str, Task] = dataclasses.field(default_factory=dict)

    @property
    def short_name(self) -> str:
        return last_part(self.name)

    def next_start(self, now: float) -> tuple[float, Task | None]:
        """When the next dispatch may start, and of which task; infinity if none can for now."""
        if self.paused or self.running >= self.limits.max_concurrent_dispatches:
            return math.inf, None
        waiting = [task for task in self.tasks.values() if not task.running]
        if not waiting:
            return math.inf, None
        rate = self.limits.max_dispatches_per_second
        # The real service derives the bucket's size from the rate: 100 for 500 a second.
        # A clock that was moved back takes nothing away.
        self.credit = min(max(1.0, rate / 5), self.credit + max(0.0, now - self.credited) * rate)
        self.credited = now
        task = min(waiting, key=lambda task: task.due)
        return max(task.due, now + max(0.0, 1.0 - self.credit) / rate), task


def last_part(name: str) -> str:
    """The id at the end of a resource's full name."""
    return name.rpartition("/")[2]
