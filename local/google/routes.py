"""The simulator's HTTP side: routes, and connections that can be cut."""

import datetime as dt
import random
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler

from local.firebase_auth import FirebaseAuth
from local.google import batch
from local.google.behaviour import Behaviour
from local.google.errors import ApiError, not_simulated
from local.google.faults import ConnectionDroppedError, Faults, StrayAnswerError
from local.google.gateway import Gateway, Incoming, Outcome, RecordedRequest, failed
from local.google.oauth import OAuthPages
from local.google.permissions import PermissionsPage

_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_OAUTH = {"/token": "oauth2.token", "/revoke": "oauth2.revoke"}


class Routes:
    """Counts the requests and hands them on; `now` dates those that do not reach the gateway."""

    def __init__(
        self,
        gateway: Gateway,
        pages: Sequence[OAuthPages | PermissionsPage | FirebaseAuth],
        faults: Faults,
        behaviour: Behaviour,
        order: random.Random,
        now: Callable[[], dt.datetime],
    ) -> None:
        self.count = 0
        self._lock = threading.Lock()
        self._gateway = gateway
        self._pages = pages
        self._faults = faults
        self._behaviour = behaviour
        self._order = order
        self._now = now

    def app(self) -> Flask:
        """The WSGI application. What is not simulated answers 501 and its name."""
        app = Flask("simulated-google", static_folder=None)
        app.before_request(self._begin)
        app.after_request(self._end)
        app.register_error_handler(ApiError, lambda error: _response(failed(error)))
        app.register_error_handler(StrayAnswerError, lambda error: Response(error.body, error.status))
        app.register_error_handler(ConnectionDroppedError, _drop)
        app.add_url_rule("/healthz", view_func=lambda: "ok", endpoint="healthz")
        for pages in self._pages:
            pages.register(app)
        discovery = self._gateway.discovery
        app.add_url_rule(discovery.batch_path, view_func=self._batch, methods=["POST"])
        app.add_url_rule(f"{discovery.service_path}<path:rest>", view_func=self._call, methods=_VERBS)
        app.add_url_rule("/", view_func=_unknown, methods=_VERBS, defaults={"rest": ""})
        app.add_url_rule("/<path:rest>", view_func=_unknown, methods=_VERBS)
        return app

    def _begin(self) -> None:
        # Reads the body in any case: left unread, it would be taken for the next request of the connection.
        request.get_data(cache=True, parse_form_data=False)
        if request.path != "/healthz":
            with self._lock:
                self.count += 1

    def _end(self, response: Response) -> Response:
        if request.path not in _OAUTH:
            return response
        self._gateway.put_on_record(
            RecordedRequest(
                method_id=_OAUTH[request.path],
                http_method=request.method,
                path=request.path,
                # Names only: the values are secrets, and so is all of the body.
                query=dict.fromkeys(request.args, ""),
                body=None,
                headers={},
                status=response.status_code,
                in_batch=False,
                account=None,
                client_id=request.form.get("client_id"),
                at=self._now(),
            )
        )
        return response

    def _batch(self) -> Response:
        self._faults.meet("calendar.batch")
        content_type, body = batch.carry_out(
            request.headers.get("Content-Type", ""),
            request.headers.get("Authorization"),
            request.get_data(),
            self._gateway.answer,
            max_calls=self._behaviour.max_batch,
            order=self._order,
        )
        self._faults.meet("calendar.batch", after_effect=True)
        return Response(body, content_type=content_type)

    def _call(self, rest: str) -> Response:
        del rest  # The gateway reads the path as it came.
        return _response(self._gateway.answer(_incoming()))


def _drop(_: ConnectionDroppedError) -> Response:
    """Cuts the connection: the answer that Flask is given reaches nobody, and is on record with status 0."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return Response(status=0)


def _unknown(rest: str) -> Response:
    raise not_simulated(f"{request.method} /{rest}")


def _incoming() -> Incoming:
    headers = {name.lower(): value for name, value in request.headers.items()}
    # As it came: decoded, an id with a slash could not be told from two segments.
    parts = urlsplit(request.environ["REQUEST_URI"])
    target = f"{parts.path}?{parts.query}"
    override = headers.get("x-http-method-override")
    if request.method == "POST" and override is not None:
        # Google's client sends a GET with a long URL as a POST, its query as the body.
        return Incoming(override, f"{parts.path}?{request.get_data(as_text=True)}", headers)
    return Incoming(request.method, target, headers, request.get_data())


def _response(outcome: Outcome) -> Response:
    response = Response(outcome.encoded(), outcome.status)
    if outcome.content is not None:
        response.content_type = "application/json; charset=UTF-8"
    else:
        response.headers.pop("Content-Type", None)
    if outcome.etag is not None:
        response.headers["ETag"] = outcome.etag
    if outcome.retry_after is not None:
        response.headers["Retry-After"] = str(outcome.retry_after)
    return response


class Connections:
    """Open connections, so that `close` can cut those that clients keep alive: a stopped Google answers nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def handler(self) -> type[WSGIRequestHandler]:
        """A request handler class that keeps book here."""
        connections = self

        class Handler(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are written one after the other: without this, each answer would wait 40 ms.
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with connections._lock:
                    connections._open.add(self.request)

            def finish(self) -> None:
                with connections._lock:
                    connections._open.discard(self.request)
                super().finish()

            def log(self, *_args: Any) -> None:
                """The simulator keeps its own record."""

        return Handler

    def close(self) -> None:
        """Cuts them all."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # The client was faster.
