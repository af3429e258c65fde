"""Small HTTP servers that take what the local stack sends."""

import dataclasses
import http.server
import threading
import time
from collections.abc import Callable, Iterator

import google.auth.transport.requests
import pytest
from google.oauth2 import id_token

from local.firestore_emulator import FirestoreEmulator
from local.oidc import Signer

PROJECT = "studio-test"


@dataclasses.dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


# Checks the token of a request for an audience, and gives its claims.
Verify = Callable[[Received, str], dict[str, object]]


class Receiver:
    """Records what arrives; `answer` gives status and headers of the reply, by request."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.answer: Callable[[Received], tuple[int, dict[str, str]]] = lambda _request: (200, {})
        self.body = b""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Received(self.command, self.path, headers, body, time.time())
                receiver.requests.append(request)
                status, headers = receiver.answer(request)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(receiver.body)))
                    self.end_headers()
                    self.wfile.write(receiver.body)
                except OSError:
                    return  # Nobody listens any more: some tests are about that.

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815 - the names that http.server asks for

            def log_message(self, *_args: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def verified_claims(signer: Signer) -> Iterator[Verify]:
    """Checks the bearer token of a request as the functions do, against certificates served over HTTP."""
    certificates = Receiver()
    certificates.body = signer.certs_json().encode()

    def verify(request: Received, audience: str) -> dict[str, object]:
        scheme, _, token = request.headers["authorization"].partition(" ")
        assert scheme == "Bearer"
        transport = google.auth.transport.requests.Request()
        return id_token.verify_token(token, transport, audience, certs_url=f"{certificates.url}/certs")

    yield verify
    certificates.close()


@pytest.fixture
def firestore_host(emulator: FirestoreEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty emulator, to which `firestore.Client(project=...)` connects."""
    emulator.clear(PROJECT)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    return emulator.host
