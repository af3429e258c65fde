"""The one way in which the local stack calls the functions; scheduler, task queue, trigger relay and push all use it.

It uses ``http.client`` on purpose: the wiretap watches the libraries of the product, and must not see the stack's own
calls.
"""

import dataclasses
import email.utils
import http.client
import socket
import threading
import time
import urllib.parse
from collections.abc import Mapping


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
