"""Serves all functions in one process, each as the functions framework would serve it alone.

    python -m local.functions_server --port 8080 [--functions fan_out,sync_user] [--source functions]

The first segment of the path names the function: ``/sync_user`` and what follows it. Besides, ``GET /_wiretap``
returns the counters of the wiretap as JSON, and ``POST /_wiretap/reset`` starts them anew; ``/_faults`` makes things go
wrong, and moves the clock (`local.faults.pages`); ``/_sign_in`` signs in to the console as any user.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import functions_framework
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from local import wiretap
from local.clock import MovableClock
from local.faults.deliveries import HungUp, delivered
from local.faults.pages import FaultPages
from local.sign_in import local_sign_in
from shared import wiring

# How the framework calls a function; "http" for all that are not named.
SIGNATURE_TYPES: Mapping[str, str] = {"studio_changed": "cloudevent"}
SOURCE = pathlib.Path(__file__).resolve().parent.parent / "functions"
FUNCTIONS = tuple(sorted(file.stem for file in SOURCE.glob("[!_]*.py")))
# What `create_app` reads, and also writes: left in place, the first function's would be the next one's.
_FRAMEWORK_VARIABLES = ("FUNCTION_SIGNATURE_TYPE", "FUNCTION_TARGET", "FUNCTION_SOURCE")

# How long a request waits, at the most, for a new process in place of a dead one.
RESTART_SECONDS = 30


class FunctionsServer:
    """The functions `names`, each from ``source/NAME.py``, on a loopback port (0: a free one), or at a socket's `fd`.

    The wiretap is installed if it is not yet. `log` gets a line per request; the functions go by `clock`.

    Where a fault kills the process, whatever is under way dies with it; the next request finds a new one, with nothing
    left in memory.
    """

    def __init__(
        self,
        names: Sequence[str] = FUNCTIONS,
        port: int = 0,
        *,
        fd: int | None = None,
        source: pathlib.Path = SOURCE,
        signature_types: Mapping[str, str] = SIGNATURE_TYPES,
        clock: MovableClock | None = None,
        log: Callable[[str], object] = print,
    ) -> None:
        self._tap = wiretap.install()
        self._log = log
        self._files = {name: (source / f"{name}.py", signature_types.get(name, "http")) for name in names}
        self._clock = clock or MovableClock()
        self._fault_pages = FaultPages(self._tap.faults, self._clock)
        self._life = threading.Condition()
        self._under_way = 0
        self._apps: dict[str, WSGIApplication] = {}
        self._load()
        self._server = make_server("127.0.0.1", port, self._dispatch, threaded=True, request_handler=_Handler, fd=fd)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``; a function is at ``URL/NAME``."""
        return f"http://127.0.0.1:{self._server.port}"

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="local-functions", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Takes no more requests; those under way run on in their threads, unheard."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def serve_forever(self) -> None:
        """Serves in the calling thread, until an exception such as `SystemExit` ends it."""
        try:
            self._server.serve_forever(0.1)
        finally:
            self._server.server_close()

    def _load(self) -> None:
        """The functions, as a new process would have them."""
        wiring.wired.cache_clear()
        wiring.wired().clock = self._clock  # type: ignore[assignment]  # it has what a clock has
        self._apps = {name: load_function(file, name, kind) for name, (file, kind) in self._files.items()}
        # Only where people sign in at all; the tests of this server serve other functions.
        self._sign_in = local_sign_in(wiring.wired()) if "console" in self._apps else None

    @contextlib.contextmanager
    def _living(self) -> Iterator[None]:
        """One request, in a process that lives: a dead one is replaced when all that it had under way has ended."""
        with self._life:
            self._life.wait_for(lambda: not (self._tap.dead and self._under_way), RESTART_SECONDS)
            if self._tap.dead:
                self._tap.disarm()
                self._load()
            self._under_way += 1
        try:
            yield
        finally:
            with self._life:
                self._under_way -= 1
                self._life.notify_all()

    def _dispatch(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        name, slash, rest = path.removeprefix("/").partition("/")
        if name == "_faults":
            return self._fault_pages.answer(Request(environ))(environ, start_response)
        if path in {"/_sign_in", "/console/_sign_in"} and self._sign_in is not None:
            environ["PATH_INFO"] = "/"
            return self._sign_in(environ, start_response)
        if name not in self._apps:
            return self._own(environ["REQUEST_METHOD"], path)(environ, start_response)
        environ["SCRIPT_NAME"] = f"/{name}"
        # A bare "/sync_user" is that function's "/": no redirect, unlike werkzeug's DispatcherMiddleware.
        environ["PATH_INFO"] = slash + rest or "/"
        started = time.perf_counter()
        status = "no reply"

        def logged_start(sent: str, headers: list[tuple[str, str]], *rest: object) -> object:
            nonlocal status
            status = sent.partition(" ")[0]
            return start_response(sent, headers, *rest)  # type: ignore[arg-type]

        try:
            with self._living():
                return delivered(self._tap.faults, name, self._apps[name], environ, logged_start)
        except (wiretap.Killed, HungUp) as end:
            # The process "died", or a fault has it so: the caller sees the connection end, without a reply.
            status = f"killed {end}" if isinstance(end, wiretap.Killed) else "hung up"
            _hang_up(environ["werkzeug.socket"])
            raise ConnectionAbortedError(status) from end
        finally:
            seconds = time.perf_counter() - started
            self._log(f"{environ['REQUEST_METHOD']} {path} {status} {seconds * 1000:.0f} ms")

    def _own(self, method: str, path: str) -> Response:
        if (method, path) == ("GET", "/_wiretap"):
            return Response(json.dumps(self._tap.summary()), mimetype="application/json")
        if (method, path) == ("POST", "/_wiretap/reset"):
            self._tap.reset()
            return Response(status=204)
        return Response(f"No such function. There are: {', '.join(self._apps)}\n", 404)


def load_function(source: pathlib.Path, name: str, signature_type: str) -> WSGIApplication:
    """The WSGI application of the function `name` in the file `source`, which is executed anew."""
    before = {variable: os.environ.pop(variable, None) for variable in _FRAMEWORK_VARIABLES}
    try:
        app: WSGIApplication = functions_framework.create_app(  # type: ignore[no-untyped-call]
            name, str(source.resolve()), signature_type
        )
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value
    return app


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # The caller was faster.


class _Handler(WSGIRequestHandler):
    # HTTP/1.1 for chunked bodies. werkzeug closes each connection after its reply, whatever the version: keep-alive
    # is not to be had from it, and on loopback not missed.
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the name that werkzeug gives it
        """Requests are logged by `FunctionsServer`; what is left here are errors."""
        if type == "error":
            print(message % args if args else message, flush=True)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="local.functions_server", description="Serves the functions locally.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fd", type=int, help="a socket that listens already, in place of a port")
    parser.add_argument("--functions", default=",".join(FUNCTIONS), help="names, separated by commas")
    parser.add_argument("--source", type=pathlib.Path, default=SOURCE, help="the folder of their files")
    parser.add_argument("--clock-fd", type=int, help="the file of a clock that another process shares")
    parser.add_argument("--until-input-ends", action="store_true", help="stop when whoever started this has gone")
    options = parser.parse_args(arguments)
    if options.until_input_ends:
        threading.Thread(target=_leave_with_starter, daemon=True).start()
    server = FunctionsServer(
        options.functions.split(","),
        options.port,
        fd=options.fd,
        source=options.source,
        clock=MovableClock(options.clock_fd),
        log=_write_line,
    )

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    print(f"serving at {server.url}", flush=True)
    server.serve_forever()


def _write_line(line: str) -> None:
    """In one piece: the functions write their own lines from other threads."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _leave_with_starter() -> None:
    """Standard input ends when the process at its other end does, however that came about."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
