"""The frame of every gRPC stand-in here.

A server needs no .proto files: paths and message classes are read off the client library's own transport.
"""

from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, NoReturn, Self

import grpc


class RefusedError(Exception):
    """What a stand-in answers instead of a result: a gRPC status and a sentence."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class _ReadingChannel(grpc.Channel):
    """Sends nothing: remembers which path and which request class a client's transport uses."""

    def __init__(self) -> None:
        self.path = ""
        self.request: Any = None

    def unary_unary(self, method: str, request_serializer: Any = None, *_args: Any, **_kwargs: Any) -> Any:
        # `serialize` is bound to the message's class (proto-plus), or a method of it (protobuf).
        self.path, self.request = method, request_serializer.__self__
        return self

    def with_call(self, *_args: Any, **_kwargs: Any) -> tuple[None, None]:
        return None, None

    def unary_stream(self, *_args: Any, **_kwargs: Any) -> Any:
        raise TypeError("only calls with one request and one answer are served here")

    stream_unary = stream_stream = subscribe = unsubscribe = unary_stream

    def close(self) -> None:
        """Nothing was opened."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_args: object) -> None:
        return None


class GrpcService(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Serves `methods` (the transport's attribute name, such as ``create_task``, to a function of the request).

    A function returns the response message or raises `RefusedError`. Whatever else the service has is answered
    UNIMPLEMENTED with its name: never with something plausible.
    """

    def __init__(self, transport_class: Any, methods: Mapping[str, Callable[[Any], Any]]) -> None:
        channel = _ReadingChannel()
        transport = transport_class(channel=channel)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for name, function in methods.items():
            getattr(transport, name)(None)
            self._handlers[channel.path] = grpc.unary_unary_rpc_method_handler(
                _answering(function), channel.request.deserialize, _serialize
            )
        self._server: grpc.Server | None = None
        self._threads: futures.ThreadPoolExecutor | None = None
        self.host = ""

    def service(self, handler_call_details: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        path = handler_call_details.method

        def unimplemented(_request: bytes, context: grpc.ServicerContext) -> NoReturn:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{path} is not part of the local stack")

        return self._handlers.get(path) or grpc.unary_unary_rpc_method_handler(unimplemented)

    def start(self) -> None:
        """Listens on a free loopback port; `host` is then ``127.0.0.1:PORT``."""
        self._threads = futures.ThreadPoolExecutor(max_workers=8, thread_name_prefix="local-grpc")
        self._server = grpc.server(self._threads, handlers=[self])
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        if self._server is not None and self._threads is not None:
            # A moment of grace: without, every client's gRPC complains on the terminal.
            self._server.stop(grace=0.2).wait()
            self._threads.shutdown()
        self._server = self._threads = None


def _answering(function: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return function(request)
        except RefusedError as refused:
            context.abort(refused.code, str(refused))

    return answer


def _serialize(message: Any) -> bytes:
    # Google's clients mix two kinds of messages: proto-plus, whose class serializes, and plain protobuf.
    by_class = getattr(type(message), "serialize", None)
    serialized: bytes = by_class(message) if by_class is not None else message.SerializeToString()
    return serialized


def page_of(found: list[Any], request: Any, largest: int) -> tuple[list[Any], str]:
    """One page of a listing and the token of the next ("" for none); `largest` is also the default size."""
    start = int(request.page_token or 0)
    end = start + min(request.page_size or largest, largest)
    return found[start:end], str(end) if end < len(found) else ""
