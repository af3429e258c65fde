"""What goes wrong on demand: calls that fail or dawdle, and the quota clock."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from local.google.errors import known


class ConnectionDroppedError(Exception):
    """The connection ends without an answer."""


class StrayAnswerError(Exception):
    """Something else than Google answers, a proxy for instance; `body` comes with `status`."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"stray answer {status}")
        self.status = status
        self.body = body


@dataclass(slots=True)
class _Fault:
    """`method_id` "*" hits every call; `error` None only dawdles, for `seconds`."""

    method_id: str
    times: int
    after_effect: bool = False
    error: Exception | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CountedCall:
    """A call that the quota clock has seen; `at` by that clock, in seconds."""

    user: str
    at: float
    let_through: bool


class Faults:
    """Rules that hit the next matching calls, in the order in which they were made, and a quota per user."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._faults: list[_Fault] = []
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        self._per_minute: int | None = None
        self._clock: Callable[[], float] = time.monotonic
        self.counted: list[CountedCall] = []
        self._over_quota = known("rateLimitExceeded")

    def fail_next(self, method_id: str, status: int, reason: str, times: int, *, after_effect: bool) -> None:
        """See `GoogleSimulator.fail_next`."""
        with self._lock:
            self._faults.append(_Fault(method_id, times, after_effect, known(reason, status)))

    def drop_next(self, method_id: str, times: int, seconds: float, *, after_effect: bool) -> None:
        """See `GoogleSimulator.drop_next`."""
        with self._lock:
            self._faults.append(_Fault(method_id, times, after_effect, ConnectionDroppedError(), seconds))

    def answer_next(self, method_id: str, status: int, body: bytes, times: int) -> None:
        """See `GoogleSimulator.answer_next`."""
        with self._lock:
            self._faults.append(_Fault(method_id, times, after_effect=True, error=StrayAnswerError(status, body)))

    def slow_next(self, method_id: str, seconds: float, times: int) -> None:
        """See `GoogleSimulator.slow_next`."""
        with self._lock:
            self._faults.append(_Fault(method_id, times, seconds=seconds))

    def limit(
        self, per_minute: int | None, status: int, reason: str, retry_after: int | None, clock: Callable[[], float]
    ) -> None:
        """See `GoogleSimulator.limit_rate`."""
        with self._lock:
            self._per_minute = per_minute
            self._clock = clock
            self._over_quota = known(reason, status)
            self._over_quota.retry_after = retry_after
            self._calls.clear()
            self.counted = []

    def clear(self) -> None:
        """Forgets the rules that did not hit yet."""
        with self._lock:
            self._faults.clear()

    def check_quota(self, user: str) -> None:
        """Counts a call of the user; raises if there were too many in the last 60 s (a sliding window)."""
        with self._lock:
            if self._per_minute is None:
                return
            calls, now = self._calls[user], self._clock()
            while calls and now - calls[0] >= 60:  # noqa: PLR2004 - a minute
                calls.popleft()
            let_through = len(calls) < self._per_minute
            self.counted.append(CountedCall(user, now, let_through))
            if not let_through:
                raise self._over_quota
            calls.append(now)

    def meet(self, method_id: str, *, after_effect: bool = False) -> None:
        """Sleeps or raises if a rule for the method waits; rules for after the effect are met only there."""
        with self._lock:
            found = [
                fault
                for fault in self._faults
                if fault.method_id in {"*", method_id} and fault.after_effect == after_effect
            ]
            if not found:
                return
            fault = found[0]
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        time.sleep(fault.seconds)
        if fault.error is not None:
            raise fault.error
