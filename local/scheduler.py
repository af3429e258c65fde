"""Stands in for Cloud Scheduler: posts to one URL on a timer, with an OIDC token, never twice at the same time."""

import threading
from collections.abc import Callable

from local.clock import MovableClock
from local.oidc import Signer
from local.outgoing import Outgoing

# Cloud Scheduler's default `attemptDeadline`, in seconds.
ATTEMPT_DEADLINE = 180.0


class Scheduler:
    """Posts to `url` every `every_seconds`, as one Cloud Scheduler job with retryCount 0 (its default) would.

    Headers after https://cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1#httptarget. A slot
    that comes while the last attempt still runs is delayed, and slots missed meanwhile are not made up for.
    """

    def __init__(
        self,
        signer: Signer,
        url: str,
        service_account: str,
        audience: str,
        every_seconds: float,
        *,
        job_name: str = "fan-out",
        clock: MovableClock | None = None,
        on_result: Callable[[int | None], object] | None = None,
    ) -> None:
        """`clock` says when a tick was scheduled; how long it is until the next one is real time.

        `on_result` gets the status of each attempt that the timer made (None: no reply).
        """
        self._signer = signer
        self._url = url
        self._service_account = service_account
        self._audience = audience
        self._every = every_seconds
        self._job_name = job_name
        self._clock = clock or MovableClock()
        self._on_result = on_result
        self._running = threading.Lock()
        self._stopping = threading.Event()
        self._outgoing = Outgoing()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._outgoing = Outgoing()
        self._thread = threading.Thread(target=self._loop, name="local-scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Breaks off a running attempt, as far as the scheduler is concerned: the function runs on."""
        self._stopping.set()
        self._outgoing.abort()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def tick(self) -> int | None:
        """Runs the job now (after the attempt under way, if any) and returns its status; None without a reply."""
        with self._running:
            scheduled = self._clock.now().replace(microsecond=0)
            headers = {
                "Authorization": f"Bearer {self._signer.caller_token(self._service_account, self._audience)}",
                "User-Agent": "Google-Cloud-Scheduler",
                "X-CloudScheduler": "true",
                "X-CloudScheduler-JobName": self._job_name,
                "X-CloudScheduler-ScheduleTime": scheduled.isoformat().replace("+00:00", "Z"),
            }
            return self._outgoing.send("POST", self._url, headers, b"", ATTEMPT_DEADLINE).status

    def _loop(self) -> None:
        while not self._stopping.wait(self._every):
            status = self.tick()
            if self._on_result is not None and not self._stopping.is_set():
                self._on_result(status)
