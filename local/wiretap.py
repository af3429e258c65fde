"""Sees every call that this process makes to the outside, and can end it in the middle of one.

The product has no hook for it: `install` puts itself under the vendors' libraries (gRPC, httplib2, requests, and
urllib, which SendGrid's client uses). Counts are what Firestore would bill; `Wiretap.kill_at` is a crash at one call.
"""

import dataclasses
import functools
import re
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Literal

import grpc
import httplib2
import requests
from google.api_core import exceptions
from google.cloud.firestore_v1 import transaction

_SERVICES = {
    "google.firestore.v1.Firestore": "firestore",
    "google.cloud.tasks.v2.CloudTasks": "tasks",
    "google.cloud.secretmanager.v1.SecretManagerService": "secrets",
}
# Firestore bills one read for a query without results: https://cloud.google.com/firestore/pricing#minimum-charge
_AT_LEAST_ONE_READ = {"RunQuery", "RunAggregationQuery", "ListDocuments", "GetDocument"}
# The words of the paths of Google's and SendGrid's APIs that we call; anything else in a path is somebody's id.
_PATH_WORDS = re.compile(
    r"batch|calendar|calendarList|calendars|certs|channels|colors|connections|contactGroups|events|freeBusy|import"
    r"|instances|mail|me|members(:modify)?|move|o|oauth2|otherContacts|people(:[a-zA-Z]+)?|quickAdd|revoke|send"
    r"|settings|stop|token|tokeninfo|userinfo|users|v[1-4]|watch"
)
_CUSTOM_VERB = re.compile(r"[^:]+(:[a-z][A-Za-z]+)")


class Killed(BaseException):
    """The process "died" here: raised instead of the call, or of its answer, and on every call from then on.

    Not an `Exception`, so that no `except Exception` survives it.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call. `at` in seconds since the epoch; `thread` is the calling thread's `threading.get_ident`."""

    service: str
    method: str
    document_reads: int
    document_writes: int
    at: float
    thread: int


@dataclasses.dataclass(slots=True)
class _Entry:
    call: Call
    doomed: bool


class Wiretap:
    """The calls of one process since the last `reset`, and its kill switch. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._remaining = 0
        self._when: Literal["before", "after"] = "before"
        self._only: Callable[[Call], bool] | None = None
        self._armed = False
        self._dead = False
        # Firestore clients and transaction ids, of transactions that `Killed` kept from being rolled back.
        self.left_open: list[tuple[Any, bytes]] = []

    @property
    def calls(self) -> tuple[Call, ...]:
        """What was sent, oldest first; a call that was killed before it was sent is not among them."""
        with self._lock:
            return tuple(entry.call for entry in self._entries)

    @property
    def dead(self) -> bool:
        """Whether the switch was hit, and `disarm` not called since."""
        with self._lock:
            return self._dead

    def reset(self) -> None:
        """Forgets the calls; leaves the kill switch as it is."""
        with self._lock:
            self._entries.clear()

    def summary(self) -> dict[str, Any]:
        """JSON: ``{calls, services: {name: n}, methods: {"name method": n}, document_reads, document_writes}``."""
        services: dict[str, int] = {}
        methods: dict[str, int] = {}
        calls = self.calls
        for call in calls:
            services[call.service] = services.get(call.service, 0) + 1
            key = f"{call.service} {call.method}"
            methods[key] = methods.get(key, 0) + 1
        return {
            "calls": len(calls),
            "services": services,
            "methods": methods,
            "document_reads": sum(call.document_reads for call in calls),
            "document_writes": sum(call.document_writes for call in calls),
        }

    def kill_at(
        self, n: int, when: Literal["before", "after"] = "before", only: Callable[[Call], bool] | None = None
    ) -> None:
        """The `n`-th call from now (1 is the next) dies before it is sent, or after it took effect.

        From then on every call dies, also those under way in other threads, until `disarm`: a dead process makes no
        calls and gets no answers. With `only`, other calls neither count nor die.
        """
        if n < 1:
            raise ValueError(f"there is no call number {n}")
        with self._lock:
            self._remaining, self._when, self._only = n, when, only
            self._armed, self._dead = True, False

    def disarm(self) -> None:
        """A new process may live. Also ends the transactions that the dead one left open (calls named Rollback)."""
        with self._lock:
            self._armed = self._dead = False
        while self.left_open:
            _end_transaction(*self.left_open.pop())

    def enter(self, service: str, method: str, reads: int = 0, writes: int = 0) -> _Entry:
        """Before a call is sent. Raises `Killed` if it must not be."""
        call = Call(service, method, reads, writes, time.time(), threading.get_ident())
        with self._lock:
            doomed = self._armed and (self._only is None or self._only(call))
            if doomed:
                self._remaining -= 0 if self._dead else 1
                if self._dead or (self._remaining == 0 and self._when == "before"):
                    self._dead = True
                    raise Killed(f"before {service} {method}")
                self._dead = self._remaining == 0
            entry = _Entry(call, doomed)
            self._entries.append(entry)
            return entry

    def leave(self, entry: _Entry, reads: int | None = None) -> None:
        """Before an answer, or a part of it, is handed over. Raises `Killed` if it must not be."""
        with self._lock:
            if reads is not None:
                entry.call = dataclasses.replace(entry.call, document_reads=reads)
            if self._dead and entry.doomed:
                raise Killed(f"after {entry.call.service} {entry.call.method}")


class _CountedStream:
    """The responses of one streaming call; everything but the iteration is the call's own business."""

    def __init__(self, tap: Wiretap, entry: _Entry, inner: Any) -> None:
        self._tap = tap
        self._entry = entry
        self._inner = inner
        self._seen = 0

    def __iter__(self) -> "_CountedStream":
        return self

    def __next__(self) -> Any:
        try:
            response = next(self._inner)
        except (StopIteration, grpc.RpcError):
            self._tap.leave(self._entry)
            raise
        self._seen += _reads_in(response)
        try:
            self._tap.leave(self._entry, reads=max(self._entry.call.document_reads, self._seen))
        except Killed:
            self._inner.cancel()
            raise
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Interceptor(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]  # generic in the stubs only
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg]
):
    def __init__(self, tap: Wiretap) -> None:
        self._tap = tap

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        entry = self._enter(client_call_details.method, request)
        outcome = continuation(client_call_details, request)
        listed = entry.call.method == "ListDocuments" and outcome.exception() is None
        self._tap.leave(entry, reads=max(1, len(outcome.result().documents)) if listed else None)
        return outcome

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        entry = self._enter(client_call_details.method, request)
        return _CountedStream(self._tap, entry, continuation(client_call_details, request))

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Iterator[Any]
    ) -> Any:
        entry = self._enter(client_call_details.method, None)
        return _CountedStream(self._tap, entry, continuation(client_call_details, request_iterator))

    def _enter(self, path: str, request: Any) -> _Entry:
        _, service, method = path.split("/")
        reads = 1 if service.startswith("google.firestore") and method in _AT_LEAST_ONE_READ else 0
        writes = len(request.writes) if method in {"Commit", "BatchWrite"} else 0
        return self._tap.enter(_SERVICES.get(service, service), method, reads, writes)


def _reads_in(response: Any) -> int:
    """Documents that one streamed Firestore response hands over; a missing one costs a read as well."""
    message = getattr(response, "_pb", response)
    fields = {descriptor.name for descriptor, _ in message.ListFields()}
    return 1 if fields & {"found", "missing", "document", "result", "document_change"} else 0


def _http_call(method: str, url: str) -> tuple[str, str]:
    """Service and short method of an HTTP call, such as ``google``, ``GET /calendar/v3/calendars/{}/events``."""
    parts = urllib.parse.urlsplit(url)
    segments = [_generalise(segment) for segment in parts.path.strip("/").split("/")]
    path = "/".join(segments)
    # The simulated vendors are all on loopback: what tells them apart there is the path.
    if path.startswith("v3/mail") or parts.netloc.endswith("sendgrid.com"):
        service = "sendgrid"
    elif _PATH_WORDS.fullmatch(segments[0]) or parts.netloc.endswith((".googleapis.com", ".google.com")):
        service = "google"
    else:
        service = parts.netloc
    return service, f"{method.upper()} /{path}"


def _generalise(segment: str) -> str:
    if _PATH_WORDS.fullmatch(segment) or not segment:
        return segment
    verb = _CUSTOM_VERB.fullmatch(segment)
    return "{}" + (verb.group(1) if verb else "")


_installed: list[tuple[Wiretap, list[tuple[Any, str, Any]]]] = []


def install() -> Wiretap:
    """Taps this process, from here on and once only: a second call returns the first one's `Wiretap`.

    Channels that were opened before are not seen: install it before any client is made.
    """
    if _installed:
        return _installed[0][0]
    tap = Wiretap()
    originals: list[tuple[Any, str, Any]] = []
    _installed.append((tap, originals))

    def patch(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        originals.append((owner, name, original))
        setattr(owner, name, functools.wraps(original)(wrap(original)))

    def tapped_channel(original: Any) -> Any:
        return lambda *args, **kwargs: grpc.intercept_channel(original(*args, **kwargs), _Interceptor(tap))

    def tapped(describe: Callable[..., tuple[str, str]]) -> Callable[[Any], Any]:
        def wrap(original: Any) -> Any:
            def call(self: Any, *args: Any, **kwargs: Any) -> Any:
                entry = tap.enter(*_http_call(*describe(*args, **kwargs)))
                try:
                    return original(self, *args, **kwargs)
                finally:
                    # Also when the call failed: an error is an answer, and a dead process gets none.
                    tap.leave(entry)

            return call

        return wrap

    patch(grpc, "insecure_channel", tapped_channel)
    patch(httplib2.Http, "request", tapped(lambda uri, method="GET", *_, **__: (method, uri)))
    patch(requests.Session, "send", tapped(lambda request, **_: (request.method, request.url)))
    patch(urllib.request.OpenerDirector, "open", tapped(_describe_urllib))
    patch(transaction.Transaction, "_rollback", _rolling_back(tap))
    return tap


def uninstall() -> None:
    """Puts everything back. Channels that were opened meanwhile stay tapped."""
    while _installed:
        _, originals = _installed.pop()
        for owner, name, original in originals:
            setattr(owner, name, original)


def _rolling_back(tap: Wiretap) -> Callable[[Any], Any]:
    """Firestore's client rolls back on whatever ends a transaction, also on `Killed`: two things need care.

    If the transaction had not begun, its complaint (a plain `ValueError`) would take the place of the `Killed`. If it
    had, its locks stay, as they would after a crash, until the service ends it (60 s idle): `disarm` stands for that.
    """

    def wrap(original: Any) -> Any:
        def rollback(self: Any) -> None:
            client, transaction_id = self._client, self._id
            try:
                original(self)
            except ValueError as complaint:
                if isinstance(complaint.__context__, Killed):
                    raise complaint.__context__ from None
                raise
            except Killed:
                tap.left_open.append((client, transaction_id))
                raise

        return rollback

    return wrap


def _end_transaction(client: Any, transaction_id: bytes) -> None:
    request = {"database": client._database_string, "transaction": transaction_id}  # noqa: SLF001 - as the client does
    try:
        client._firestore_api.rollback(request=request, metadata=client._rpc_metadata)  # noqa: SLF001
    except exceptions.GoogleAPICallError:
        return  # It was committed, or is over already: nothing is locked.


def _describe_urllib(fullurl: Any, data: Any = None, *_args: Any, **_kwargs: Any) -> tuple[str, str]:
    if isinstance(fullurl, urllib.request.Request):
        return fullurl.get_method(), fullurl.full_url
    return ("GET" if data is None else "POST"), fullurl
