"""The dispatcher over the functions framework, with small functions of its own."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator

import pytest

import local
from local import wiretap
from local.functions_server import FunctionsServer

SOURCES = {
    "echo": """
        import os
        calls = []
        def echo(request):
            calls.append(request.path)
            return {"path": request.path, "root": request.script_root, "query": request.query_string.decode(),
                    "body": request.get_data(as_text=True), "method": request.method, "calls": len(calls),
                    "type": os.environ.get("FUNCTION_SIGNATURE_TYPE")}
        """,
    "heard": """
        events = []
        def heard(event):
            if event["subject"] == "fail":
                raise ValueError("poisoned")
            events.append((event["id"], event["type"], event.data))
        """,
    "dies": """
        from local.wiretap import Killed
        def dies(request):
            raise Killed("here")
        """,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("functions")
    for name, text in SOURCES.items():
        lines = text.strip("\n").splitlines()
        (folder / f"{name}.py").write_text("\n".join(line.removeprefix(" " * 8) for line in lines))
    return folder


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def server(source: pathlib.Path, lines: list[str]) -> Iterator[FunctionsServer]:
    types = {"heard": "cloudevent"}
    made = FunctionsServer(list(SOURCES), source=source, signature_types=types, log=lines.append)
    made.start()
    yield made
    made.stop()
    wiretap.uninstall()


def call(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_first_segment_names_the_function_and_the_rest_is_its_path(
    server: FunctionsServer, lines: list[str]
) -> None:
    status, body = call(server.url, "POST", "/echo/settings/u1?a=b", b"hello")
    seen = json.loads(body)
    assert (status, seen["path"], seen["root"]) == (200, "/settings/u1", "/echo")
    assert (seen["query"], seen["body"], seen["method"]) == ("a=b", "hello", "POST")
    assert lines[-1].startswith("POST /echo/settings/u1 200 ")


def test_a_bare_mount_is_the_functions_root_without_a_redirect(server: FunctionsServer) -> None:
    for path in ("/echo", "/echo/"):
        status, body = call(server.url, "GET", path)
        assert (status, json.loads(body)["path"]) == (200, "/")


def test_an_unknown_function_is_404_with_the_names_of_those_that_exist(server: FunctionsServer) -> None:
    status, body = call(server.url, "GET", "/other")
    assert status == 404
    assert b"echo, heard, dies" in body


def test_a_cloudevent_function_gets_the_event_and_the_others_stay_http(server: FunctionsServer) -> None:
    event = {"ce_id": "7", "ce_source": "//x", "ce_type": "t", "ce_specversion": "1.0", "ce_subject": "ok"}
    event["Content_Type"] = "application/protobuf"
    assert call(server.url, "POST", "/heard", b"\x0a\x00\xff", **event) == (200, b"OK")
    assert sys.modules["heard"].events == [("7", "t", b"\x0a\x00\xff")]
    status, _ = call(server.url, "POST", "/heard", b"x", **{**event, "ce_subject": "fail"})
    assert status == 500
    assert "FUNCTION_SIGNATURE_TYPE" not in os.environ
    assert "FUNCTION_TARGET" not in os.environ


def test_a_killed_function_gives_no_reply_and_the_server_lives_on(server: FunctionsServer, lines: list[str]) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        call(server.url, "GET", "/dies")
    deadline = time.monotonic() + 5
    while "killed" not in lines[-1] and time.monotonic() < deadline:
        time.sleep(0.01)  # The line is written after the caller has seen the connection end.
    assert "killed" in lines[-1]
    assert call(server.url, "GET", "/echo")[0] == 200


def test_the_wiretap_is_shown_and_reset_over_http(server: FunctionsServer) -> None:
    wiretap.install().reset()
    wiretap.install().enter("firestore", "Commit", writes=2)
    shown = json.loads(call(server.url, "GET", "/_wiretap")[1])
    assert (shown["calls"], shown["document_writes"]) == (1, 2)
    assert call(server.url, "POST", "/_wiretap/reset")[0] == 204
    assert json.loads(call(server.url, "GET", "/_wiretap")[1])["calls"] == 0


def test_it_runs_as_a_process_of_its_own_and_ends_when_asked(source: pathlib.Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "local.functions_server", "--port", "0", "--functions", "echo", "--source", source],
        stdout=subprocess.PIPE,
        text=True,
        cwd=pathlib.Path(local.__file__).parent.parent,
    ) as process:
        url = process.stdout.readline().removeprefix("serving at ").strip()
        assert call(url, "GET", "/echo/x")[0] == 200
        assert process.stdout.readline().startswith("GET /echo/x 200 ")
        process.terminate()
        assert process.wait(5) == 0
