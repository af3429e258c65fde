"""Under httplib2 (Google's client), requests and urllib (SendGrid's client): how each sends, and how each fails."""

import contextlib
import http.client
import io
import time
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Callable
from email.message import Message
from typing import Any, NamedTuple, NoReturn, Protocol

import httplib2
import requests
import requests.adapters
import urllib3

from local.faults.http_answers import HttpAnswer, answer_of
from local.faults.rules import Rule
from local.wiretap.batches import Batch
from local.wiretap.names import http_call
from local.wiretap.tap import Entry, Wiretap

_HUNG_UP = "Remote end closed connection without response"


class Request(NamedTuple):
    """`own`: the library's own object for it, if it has one."""

    method: str
    url: str
    own: Any = None


class Library(Protocol):
    """What differs between the libraries: reading the arguments of their calls, and what a failure is to their caller.

    An answer may be returned or raised; `hang_up` and `time_out` raise.
    """

    def request(self, *args: Any, **kwargs: Any) -> Request: ...
    def answer(self, request: Request, answer: HttpAnswer) -> Any: ...
    def hang_up(self, request: Request) -> NoReturn: ...
    def time_out(self, request: Request) -> NoReturn: ...


def tapped(tap: Wiretap, library: Library) -> Callable[[Any], Any]:
    """Wraps the method of the library through which all its calls go."""

    def wrap(original: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            request = library.request(*args, **kwargs)
            batch = _batch(request, args, kwargs) if tap.faults.active else None
            entry = tap.enter(*http_call(request.method, request.url), batched=batch.methods if batch else ())

            def send() -> Any:
                if batch is None or not entry.refused:
                    return original(self, *args, **kwargs)
                rest = {name: value for name, value in kwargs.items() if name not in {"method", "body"}}
                return batch.send(entry.refused, lambda body: original(self, args[0], "POST", body, *args[3:], **rest))

            try:
                return send() if entry.fault is None else _struck(entry, entry.fault, library, request, send)
            finally:
                # Also when the call failed: an error is an answer, and a dead process gets none.
                tap.leave(entry)

        return call

    return wrap


def _batch(request: Request, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Batch | None:
    """Only googleapiclient sends batches, through httplib2: ``request(uri, method, body, headers)``."""
    if request.own is not None or not http_call(request.method, request.url)[1].startswith("POST /batch/"):
        return None
    given = dict(zip(("uri", "method", "body", "headers"), args, strict=False)) | kwargs
    return Batch(given["headers"], given["body"])


def _struck(entry: Entry, fault: Rule, library: Library, request: Request, send: Callable[[], Any]) -> Any:
    if not fault.after:
        time.sleep(fault.seconds)
    answer = None
    if fault.sends:
        # urllib raises what others return. The first copy's answer is nobody's, and neither is a lost one.
        if not fault.answers or fault.fault == "twice":
            with contextlib.suppress(urllib.error.HTTPError):
                send()
        if fault.answers:
            answer = send()
    if fault.after:
        time.sleep(fault.seconds)
    if fault.answers:
        return answer
    if fault.fault == "drop":
        library.hang_up(request)
    if fault.fault == "timeout":
        library.time_out(request)
    return library.answer(request, answer_of(entry.call.service, entry.call.method, fault))


class Httplib2:
    """Sends once more by itself where a connection ended at once: its caller hears of it only after that."""

    def request(self, uri: str, method: str = "GET", *_: Any, **__: Any) -> Request:
        return Request(method, uri)

    def answer(self, _: Request, answer: HttpAnswer) -> tuple[httplib2.Response, bytes]:
        response = httplib2.Response({"status": str(answer.status), **answer.headers})
        response.reason = answer.phrase
        return response, answer.body

    def hang_up(self, _: Request) -> NoReturn:
        raise http.client.RemoteDisconnected(_HUNG_UP)

    def time_out(self, _: Request) -> NoReturn:
        raise TimeoutError("timed out")


class Requests:
    def request(self, request: requests.PreparedRequest, **_: Any) -> Request:
        return Request(str(request.method), str(request.url), request)

    def answer(self, request: Request, answer: HttpAnswer) -> requests.Response:
        raw = urllib3.HTTPResponse(
            io.BytesIO(answer.body), answer.headers, answer.status, reason=answer.phrase, preload_content=False
        )
        return requests.adapters.HTTPAdapter().build_response(request.own, raw)

    def hang_up(self, request: Request) -> NoReturn:
        gone = urllib3.exceptions.ProtocolError("Connection aborted.", http.client.RemoteDisconnected(_HUNG_UP))
        raise requests.ConnectionError(gone, request=request.own)

    def time_out(self, request: Request) -> NoReturn:
        raise requests.ReadTimeout("Read timed out.", request=request.own)


class Urllib:
    def request(self, fullurl: Any, data: Any = None, *_: Any, **__: Any) -> Request:
        if isinstance(fullurl, urllib.request.Request):
            return Request(fullurl.get_method(), fullurl.full_url, fullurl)
        return Request("GET" if data is None else "POST", fullurl, fullurl)

    def answer(self, request: Request, answer: HttpAnswer) -> urllib.response.addinfourl:
        headers = Message()
        for name, value in answer.headers.items():
            headers[name] = value
        body = io.BytesIO(answer.body)
        if answer.status >= http.client.BAD_REQUEST:
            raise urllib.error.HTTPError(request.url, answer.status, answer.phrase, headers, body)
        return urllib.response.addinfourl(body, headers, request.url, answer.status)

    def hang_up(self, _: Request) -> NoReturn:
        raise http.client.RemoteDisconnected(_HUNG_UP)

    def time_out(self, _: Request) -> NoReturn:
        raise TimeoutError("timed out")
