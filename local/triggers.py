"""Stands between the Firestore emulator and a function, where Eventarc does: at least once, unordered, with retries.

The emulator posts each event once and forgets it, with a body in base64 in spite of its content type, and also for
writes that change nothing. What leaves here is what Eventarc sends: a CloudEvent in binary mode
(https://cloud.google.com/eventarc/docs/cloudevents), the raw protobuf `DocumentEventData`, an OIDC token.
"""

import base64
import binascii
import dataclasses
import heapq
import itertools
import logging
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from wsgiref.types import StartResponse, WSGIEnvironment

from google.events.cloud.firestore_v1 import DocumentEventData
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from local.firestore_emulator import FirestoreEmulator
from local.oidc import Signer
from local.outgoing import Answer, Outgoing

# Seconds. Eventarc keeps an event for 24 hours by default, and waits 10 s to 10 min between attempts: nobody would
# wait for that in front of a demo.
RETENTION = 24 * 3600.0
MIN_BACKOFF = 0.1
MAX_BACKOFF = 10.0
# Seconds that a function is listened to: the longest that an event-driven function may run.
ATTEMPT_DEADLINE = 540.0
# Eventarc retries a 4xx as well, for as long as it keeps the event. Here it gives up after this many attempts, so that
# one poisoned event doesn't spin for a day in the local log.
MAX_REFUSALS = 5
WORKERS = 8

# Not the name of anybody's trigger: its events say no more than that all earlier ones have come.
FENCES = "fences"

_PATH = re.compile(r"/functions/projects/[^/]+/triggers/([^/]+)")
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver one event. `status` None: no reply, or `lost`; `started` in epoch seconds."""

    trigger: str
    event_id: str
    document: str
    status: int | None
    attempt: int
    started: float
    seconds: float
    lost: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Route:
    url: str
    service_account: str
    audience: str


@dataclasses.dataclass(slots=True)
class _Event:
    trigger: str
    headers: Mapping[str, str]
    body: bytes
    received: float
    attempts: int = 0
    refusals: int = 0


class TriggerRelay:
    """Takes events at `address` and delivers them to the routes. Everything is in memory and gone after `stop`."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._changed = threading.Condition()
        self._routes: dict[str, _Route] = {}
        # Ordered by when an attempt is due, then at random: nothing may rely on the order of events.
        self._queue: list[tuple[float, float, int, _Event]] = []
        self._numbers = itertools.count()
        self._running = 0
        self._write_fence: Callable[[str], object] | None = None
        self._fences_seen: set[str] = set()
        self._deliveries: list[Delivery] = []
        self._deliver_twice = False
        self._paused = False
        self._to_lose = 0
        self._stopping = False
        self._outgoing = Outgoing()
        self._threads: list[threading.Thread] = []
        # Listens from the start, so that the emulator can be told the address before anything runs.
        self._server = make_server("127.0.0.1", 0, self._receive, threaded=True, request_handler=_QuietHandler)

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``, for the emulator's ``--functions_emulator``."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def deliveries(self) -> list[Delivery]:
        """Attempts that ended, oldest first."""
        with self._changed:
            return list(self._deliveries)

    @property
    def deliver_twice(self) -> bool:
        """For tests: whether each event that arrives is delivered two times."""
        with self._changed:
            return self._deliver_twice

    @deliver_twice.setter
    def deliver_twice(self, value: bool) -> None:
        with self._changed:
            self._deliver_twice = value

    @property
    def paused(self) -> bool:
        """For tests: while set, events are taken and kept, and no attempt starts."""
        with self._changed:
            return self._paused

    @paused.setter
    def paused(self, value: bool) -> None:
        with self._changed:
            self._paused = value
            self._changed.notify_all()

    def lose_next(self, n: int) -> None:
        """For tests: the next `n` events that arrive are never delivered."""
        with self._changed:
            self._to_lose = n

    def clear(self) -> None:
        """Drops what waits, such as the deletions that clearing the emulator's documents causes."""
        with self._changed:
            self._queue.clear()
            self._changed.notify_all()

    def route(self, name: str, url: str, service_account: str, audience: str) -> None:
        """Delivers the events of the trigger `name` to `url`, as `service_account`, with a token for `audience`."""
        with self._changed:
            self._routes[name] = _Route(url, service_account, audience)

    def start(self) -> None:
        receiver = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="local-triggers", daemon=True)
        workers = [
            threading.Thread(target=self._work, name=f"local-triggers-{number}", daemon=True)
            for number in range(WORKERS)
        ]
        self._threads = [receiver, *workers]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends at once and for good: replies under way are not waited for, what waits is dropped."""
        if self._threads:
            self._server.shutdown()
        self._server.server_close()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._outgoing.abort()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def fence(self, emulator: FirestoreEmulator) -> None:
        """Lets `wait_idle` wait also for what this emulator, which posts to `address`, has not posted yet."""
        emulator.register_trigger(FENCES, FENCES, "fences/{fence}")
        self._write_fence = lambda name: emulator.write(FENCES, f"fences/{name}")

    def wait_idle(self, timeout: float) -> bool:
        """Waits until the events of all writes before this call are delivered; False after `timeout` seconds.

        The emulator posts one event at a time, in the order of the writes, whatever their projects, as measured (300
        rounds, and with six clients at once): when that of a write made now has come, all earlier ones have. While
        paused, what waits doesn't count.
        """
        deadline = time.monotonic() + timeout
        fence = uuid.uuid4().hex
        if self._write_fence is None:
            self._fences_seen.add(fence)
        else:
            self._write_fence(fence)

        def idle() -> bool:
            return fence in self._fences_seen and not self._running and (self._paused or not self._queue)

        with self._changed:
            return self._changed.wait_for(idle, deadline - time.monotonic())

    def _receive(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The endpoint for the emulator: answers at once, delivery comes later."""
        request = Request(environ)
        return self._accept(request.path, dict(request.headers), request.get_data())(environ, start_response)

    def _accept(self, path: str, headers: dict[str, str], encoded: bytes) -> Response:
        matched = _PATH.fullmatch(path)
        if matched is None:
            return Response(f"Not the path of a trigger: {path}", 404)
        try:
            body = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return Response("The body is not base64", 400)
        if not self.publish(matched.group(1), headers, body):
            return Response(f"No trigger is routed for {path}", 404)
        return Response("", 200)

    def publish(self, name: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Takes one event: its ``ce-`` headers, its serialized `DocumentEventData`. False if `name` has no route."""
        with self._changed:
            if name == FENCES:
                self._fences_seen.add(cloud_event_headers(headers)["ce-document"].rpartition("/")[2])
            elif name not in self._routes:
                return False
            elif changes_anything(body):
                event = _Event(name, cloud_event_headers(headers), body, time.time())
                if self._to_lose > 0:
                    self._to_lose -= 1
                    self._record(event, Answer(None), time.time(), lost=True)
                else:
                    for _ in range(2 if self._deliver_twice else 1):
                        self._put(dataclasses.replace(event), time.time())
            self._changed.notify_all()
            return True

    def _put(self, event: _Event, due: float) -> None:
        heapq.heappush(self._queue, (due, random.random(), next(self._numbers), event))  # noqa: S311 - no secret

    def _work(self) -> None:
        while (event := self._take()) is not None:
            with self._changed:
                route = self._routes[event.trigger]
            started = time.time()
            token = self._signer.caller_token(route.service_account, route.audience)
            headers = {**event.headers, "Authorization": f"Bearer {token}"}
            answer = self._outgoing.send("POST", route.url, headers, event.body, ATTEMPT_DEADLINE)
            self._settle(event, answer, started)

    def _take(self) -> _Event | None:
        """Waits for the next attempt that is due; None after `stop`."""
        with self._changed:
            while not self._stopping:
                wait = None if self._paused or not self._queue else self._queue[0][0] - time.time()
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                else:
                    self._running += 1
                    return heapq.heappop(self._queue)[3]
            return None

    def _settle(self, event: _Event, answer: Answer, started: float) -> None:
        with self._changed:
            now = time.time()
            self._running -= 1
            event.attempts += 1
            event.refusals += answer.status is not None and 400 <= answer.status < 500  # noqa: PLR2004 - "4xx"
            self._record(event, answer, started)
            if not answer.ok and (event.refusals >= MAX_REFUSALS or now - event.received >= RETENTION):
                _log.warning("Gave up on event %s after %d attempts", event.headers.get("ce-id"), event.attempts)
            elif not answer.ok:
                backoff = min(MAX_BACKOFF, MIN_BACKOFF * 2.0 ** min(event.attempts - 1, 16))
                self._put(event, now + max(backoff, answer.retry_after))
            self._changed.notify_all()

    def _record(self, event: _Event, answer: Answer, started: float, *, lost: bool = False) -> None:
        event_id, document = event.headers.get("ce-id", ""), event.headers.get("ce-document", "")
        seconds = time.time() - started
        self._deliveries.append(
            Delivery(event.trigger, event_id, document, answer.status, event.attempts, started, seconds, lost)
        )


def cloud_event_headers(posted: Mapping[str, str]) -> dict[str, str]:
    """The headers that Eventarc sends, from those that the emulator posted.

    The emulator's source says ``projects/projects/NAME``, and it repeats the content type as ``ce-datacontenttype``,
    which binary mode doesn't have (CloudEvents HTTP binding, 3.1.1).
    """
    headers = {name.lower(): value for name, value in posted.items() if name.lower().startswith("ce-")}
    headers.pop("ce-datacontenttype", None)
    headers["ce-source"] = headers.get("ce-source", "").replace("/projects/projects/", "/projects/")
    return {**headers, "Content-Type": "application/protobuf", "User-Agent": "APIs-Google; (+local stack)"}


def changes_anything(body: bytes) -> bool:
    """False for a write that left the document as it was: Firestore sends no event for those, the emulator does.

    https://cloud.google.com/firestore/docs/extend-with-functions-2nd-gen: "no-op writes" generate no event. The
    emulator's have the same update time before and after, or no document on either side.
    """
    event = DocumentEventData.deserialize(body)
    if "value" not in event and "old_value" not in event:
        return False
    both = "value" in event and "old_value" in event
    return not (both and event.value.update_time == event.old_value.update_time)


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the name that werkzeug gives it
        """Says nothing: deliveries are what matters, and they are recorded."""
