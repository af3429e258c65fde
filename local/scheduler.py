"""Stands in for Cloud Scheduler: posts to one URL on a timer, with an OIDC token, never twice at the same time.

Also holds the one way in which the local stack calls the functions (`Outgoing`), because this is its plainest user:
the task queue and the trigger relay send through it as well. It uses ``http.client`` on purpose: the wiretap watches
the libraries of the product, and must not see the stack's own calls.
"""

import dataclasses
import datetime as dt
import email.utils
import http.client
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping

from local.oidc import Signer

# Cloud Scheduler's default `attemptDeadline`, in seconds.
ATTEMPT_DEADLINE = 180.0


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` is None if there was no reply; `retry_after` in seconds, 0 if not asked for."""

    status: int | None
    retry_after: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - "2xx", as the vendors write it


class Outgoing:
    """HTTP calls of one sender, one connection each, that `abort` can break off from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._aborted = False

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Answer:
        """Sends and waits for at most `timeout` seconds of silence. Redirects are not followed; nothing is raised."""
        parts = urllib.parse.urlsplit(url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = make(parts.hostname or "", parts.port, timeout=timeout)
        try:
            connection.connect()
            if not self._admit(connection):
                return Answer(None)
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request(method, target, body=body or None, headers=dict(headers))
            response = connection.getresponse()
            response.read()
            return Answer(response.status, _seconds(response.getheader("Retry-After")))
        except (OSError, http.client.HTTPException, ValueError):
            # Refused, reset, timed out, no HTTP, unsendable headers: all the same to the sender, no reply.
            return Answer(None)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def abort(self) -> None:
        """Breaks off what is under way; every later `send` finds no reply."""
        with self._lock:
            self._aborted = True
            for connection in self._open:
                if connection.sock is not None:
                    _hang_up(connection.sock)

    def _admit(self, connection: http.client.HTTPConnection) -> bool:
        # After connecting, so that `abort` meets either a socket that it can shut or nobody.
        with self._lock:
            if not self._aborted:
                self._open.add(connection)
            return not self._aborted


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # The other side was faster.


def _seconds(retry_after: str | None) -> float:
    """``Retry-After`` in seconds from now: a number or an HTTP date (RFC 9110, 10.2.3); 0 if absent or unreadable."""
    if not retry_after:
        return 0.0
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


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
        on_result: Callable[[int | None], object] | None = None,
    ) -> None:
        """`on_result` gets the status of each attempt that the timer made (None: no reply)."""
        self._signer = signer
        self._url = url
        self._service_account = service_account
        self._audience = audience
        self._every = every_seconds
        self._job_name = job_name
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
            scheduled = dt.datetime.now(dt.UTC).replace(microsecond=0)
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
