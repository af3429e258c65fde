"""What is brought to the functions, struck on its way: lost, late, refused, unanswered, or there twice at once.

To a sender, all that counts is the answer that it gets. A delivery that is lost is therefore answered as if it had been
done: that its sender does not know is what makes it lost.
"""

import io
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Response

from local.faults.book import Faults
from local.faults.rules import Rule

# What the platform answers where no instance can take a request.
_UNAVAILABLE = 503


class HungUp(Exception):
    """The connection is to end without an answer."""


def name_of(function: str, environ: WSGIEnvironment) -> str | None:
    """The delivery's `method` in a rule; None if it is a person's request, or a front-end's."""
    if "HTTP_X_CLOUDTASKS_TASKNAME" in environ:
        return f"task {function}"
    if "HTTP_X_CLOUDSCHEDULER" in environ:
        return f"tick {function}"
    if "HTTP_CE_DOCUMENT" in environ:
        return f"trigger {environ['HTTP_CE_DOCUMENT']}"
    if "HTTP_X_GOOG_RESOURCE_STATE" in environ:
        return f"push {environ['HTTP_X_GOOG_RESOURCE_STATE']}"
    return None


def delivered(
    faults: Faults,
    function: str,
    app: WSGIApplication,
    environ: WSGIEnvironment,
    start_response: Callable[..., Any],
) -> Iterable[bytes]:
    """Runs the function for the request, as the faults have it. Raises `HungUp`."""
    name = name_of(function, environ) if faults.active else None
    fault = faults.strike("delivery", name) if name is not None else None
    if fault is None:
        return app(environ, start_response)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))

    def once() -> Response:
        return Response.from_app(app, {**environ, "wsgi.input": io.BytesIO(body)}, buffered=True)

    return _struck(fault, once)(environ, start_response)


def _struck(fault: Rule, once: Callable[[], Response]) -> Response:
    if not fault.after:
        time.sleep(fault.seconds)
    answer = Response(status=204)
    if fault.fault == "twice":
        answer = _at_once(once)
    elif fault.sends:
        answer = once()
    if fault.after:
        time.sleep(fault.seconds)
    if fault.fault == "drop":
        raise HungUp
    if fault.fault == "fail":
        return Response("Injected by the local stack.\n", int(fault.status or _UNAVAILABLE))
    return answer


def _at_once(once: Callable[[], Response]) -> Response:
    """Two copies at the same time; the answer is that to the second."""
    first = threading.Thread(target=_run_unheard, args=(once,), name="first-copy")
    first.start()
    try:
        return once()
    finally:
        first.join()


def _run_unheard(once: Callable[[], Response]) -> None:
    try:
        once()
    except BaseException:  # noqa: BLE001 - also `Killed`: whoever would hear of it gets the other copy's answer
        return
