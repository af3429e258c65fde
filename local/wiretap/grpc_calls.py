"""Under gRPC: the calls to Firestore, Cloud Tasks and Secret Manager."""

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NoReturn, Self

import grpc

from local.faults.rules import Rule
from local.wiretap.tap import Entry, Killed, Wiretap

_SERVICES = {
    "google.firestore.v1.Firestore": "firestore",
    "google.cloud.tasks.v2.CloudTasks": "tasks",
    "google.cloud.secretmanager.v1.SecretManagerService": "secrets",
}
# Firestore bills one read for a query without results: https://cloud.google.com/firestore/pricing#minimum-charge
_AT_LEAST_ONE_READ = {"RunQuery", "RunAggregationQuery", "ListDocuments", "GetDocument"}


class InjectedRpcError(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]  # generic in the stubs only
    """What a call that failed raises, or the stream of one: all that grpc's own errors are.

    Interceptors above ours get it as the outcome of the call, and ask it for its result.
    """

    def __init__(self, fault: Rule) -> None:
        super().__init__(f"{fault.code.name}: injected")
        self._fault = fault

    def code(self) -> grpc.StatusCode:
        return self._fault.code

    def details(self) -> str:
        return self._fault.reason or f"Injected by the local stack: {self._fault.fault}"

    def initial_metadata(self) -> tuple[()]:
        return ()

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float:
        return 0.0

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002 - grpc's name for it
        return False

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002 - there is nothing to wait for
        raise self

    def exception(self, timeout: float | None = None) -> Exception:  # noqa: ARG002
        return self

    def traceback(self, timeout: float | None = None) -> TracebackType | None:  # noqa: ARG002
        return self.__traceback__

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        fn(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        raise self


class _CountedStream:
    """The responses of one streaming call; everything but the iteration is the call's own business.

    A fault after the effect strikes behind the first response: the rest never comes, or late.
    """

    def __init__(self, tap: Wiretap, entry: Entry, inner: Any) -> None:
        self._tap = tap
        self._entry = entry
        self._inner = inner
        self._seen = 0
        self._struck = entry.fault if entry.fault is not None and entry.fault.after else None
        self._begun = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._begun and self._struck is not None:
            self._strike(self._struck)
        self._begun = True
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

    def _strike(self, fault: Rule) -> None:
        self._struck = None
        time.sleep(fault.seconds)
        if not fault.answers:
            self._inner.cancel()
            self._tap.leave(self._entry)
            raise InjectedRpcError(fault)


class Interceptor(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]  # generic in the stubs only
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg]
):
    """On every channel. Calls that stream in both directions (none of ours) are counted, and killed, only."""

    def __init__(self, tap: Wiretap) -> None:
        self._tap = tap

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        entry = self._enter(client_call_details.method, request)
        fault = entry.fault
        if fault is not None:
            if not fault.sends and fault.code is grpc.StatusCode.ABORTED and getattr(request, "transaction", None):
                # What aborts a transaction ends it, and its locks: so does a commit of nothing.
                nothing = type(request)(database=request.database, transaction=request.transaction)
                continuation(client_call_details, nothing).exception()
            self._before(fault, entry, lambda: continuation(client_call_details, request).exception())
        outcome = continuation(client_call_details, request)
        if fault is not None and fault.after:
            outcome.exception()  # Which waits for its end.
            time.sleep(fault.seconds)
        listed = entry.call.method == "ListDocuments" and outcome.exception() is None
        self._tap.leave(entry, reads=max(1, len(outcome.result().documents)) if listed else None)
        if fault is not None and not fault.answers:
            raise InjectedRpcError(fault)
        return outcome

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        entry = self._enter(client_call_details.method, request)
        if entry.fault is not None:
            try:
                self._before(entry.fault, entry, lambda: _read_to_the_end(continuation(client_call_details, request)))
            except InjectedRpcError as error:
                return error  # Heard of when the stream is read, as it is of any error.
        return _CountedStream(self._tap, entry, continuation(client_call_details, request))

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Iterator[Any]
    ) -> Any:
        entry = self._enter(client_call_details.method, None)
        return _CountedStream(self._tap, entry, continuation(client_call_details, request_iterator))

    def _enter(self, path: str, request: Any) -> Entry:
        _, service, method = path.split("/")
        reads = 1 if service.startswith("google.firestore") and method in _AT_LEAST_ONE_READ else 0
        writes = len(request.writes) if method in {"Commit", "BatchWrite"} else 0
        return self._tap.enter(_SERVICES.get(service, service), method, reads, writes)

    def _before(self, fault: Rule, entry: Entry, send: Callable[[], object]) -> None:
        """What a fault does before the call is sent. Raises `InjectedRpcError` if it is not to be."""
        if not fault.after:
            time.sleep(fault.seconds)
        if not fault.sends:
            self._tap.leave(entry)
            raise InjectedRpcError(fault)
        if fault.fault == "twice":
            send()


def _read_to_the_end(stream: Any) -> None:
    try:
        for _ in stream:
            pass
    except grpc.RpcError:
        return  # The answer to the first copy is nobody's.


def _reads_in(response: Any) -> int:
    """Documents that one streamed Firestore response hands over; a missing one costs a read as well."""
    message = getattr(response, "_pb", response)
    fields = {descriptor.name for descriptor, _ in message.ListFields()}
    return 1 if fields & {"found", "missing", "document", "result", "document_change"} else 0


def rolling_back(tap: Wiretap) -> Callable[[Any], Any]:
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
