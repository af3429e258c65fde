"""Faults at the functions' server: deliveries that are struck, the page, the JSON interface, the command, the clock."""

import concurrent.futures
import datetime as dt
import http.client
import json
import pathlib
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from local import wiretap
from local.clock import MovableClock
from local.faults.__main__ import main
from local.faults.client import FaultsClient
from local.faults.examples import EXAMPLES
from local.faults.rules import BadRuleError, rule_of
from local.functions_server import FunctionsServer
from tests.unit.local_stack.conftest import Receiver

# Counts in memory, calls out where it is told to, and says what its clock says.
WORKER = """
import json
import threading

import requests

from shared import wiring

parts = wiring.wired()
lock = threading.Lock()
seen = []


def worker(request):
    with lock:
        seen.append(request.get_data(as_text=True))
        number = len(seen)
    for url in request.headers.get("X-Call", "").split():
        requests.get(url, timeout=5)
    return json.dumps({"seen": seen, "number": number, "now": parts.clock.now().isoformat()})
"""
TASK = {"X_CloudTasks_TaskName": "t1"}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> Iterator[FunctionsServer]:
    source = tmp_path_factory.mktemp("functions")
    (source / "worker.py").write_text(WORKER)
    made = FunctionsServer(["worker"], source=source, log=lines.append)
    made.start()
    yield made
    made.stop()
    wiretap.uninstall()


@pytest.fixture
def faults(server: FunctionsServer) -> Iterator[FaultsClient]:
    made = FaultsClient(server.url)
    yield made
    made.clear()
    made.reset_clock()


@pytest.fixture
def url(server: FunctionsServer) -> str:
    server._load()  # With an empty memory.
    return f"{server.url}/worker"


def send(url: str, body: str = "", method: str = "POST", **headers: str) -> tuple[int, Any]:
    """Status and JSON, or text; an answer of 0 is none."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, parts.path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read().decode()
    except (http.client.RemoteDisconnected, ConnectionError):
        return 0, None
    finally:
        connection.close()
    is_json = (response.getheader("Content-Type") or "").startswith("application/json") or text.startswith("{")
    return response.status, json.loads(text) if is_json else text


# --- deliveries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "status", "arrived"),
    [
        ({"fault": "lose"}, 204, []),
        ({"fault": "fail", "status": 503}, 503, []),
        ({"fault": "fail", "status": 429, "after": True}, 429, ["struck"]),
        ({"fault": "drop"}, 0, []),
        ({"fault": "drop", "after": True}, 0, ["struck"]),
        ({"fault": "twice"}, 200, ["struck", "struck"]),
    ],
)
def test_a_delivery_is_struck_and_its_sender_gets_an_answer_to_match(
    faults: FaultsClient, url: str, what: dict[str, Any], status: int, arrived: list[str]
) -> None:
    rule = faults.add({"service": "delivery", **what})
    assert send(url, "struck", **TASK)[0] == status
    assert faults.hits(rule) == 1
    assert send(url, "next", **TASK)[1]["seen"] == [*arrived, "next"]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (TASK, "task worker"),
        ({"X_CloudScheduler": "true"}, "tick worker"),
        ({"ce_document": "studios/s/appointments/a"}, "trigger studios/s/appointments/a"),
        ({"X_Goog_Resource_State": "exists"}, "push exists"),
        ({}, None),
    ],
)
def test_deliveries_are_named_and_what_a_person_asks_for_is_none(
    faults: FaultsClient, url: str, headers: dict[str, str], name: str | None
) -> None:
    faults.add({"service": "delivery", "fault": "lose"})
    assert send(url, **headers)[0] == (200 if name is None else 204)
    assert faults.shown()[0]["struck"] == ({} if name is None else {f"delivery {name}": 1})


@pytest.mark.parametrize("after", [False, True])
def test_a_late_delivery_is_overtaken_or_answered_late(faults: FaultsClient, url: str, after: bool) -> None:
    faults.add({"service": "delivery", "fault": "delay", "seconds": 0.4, "after": after})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        late = pool.submit(send, url, "late", **TASK)
        while not faults.shown()[0]["hits"]:
            time.sleep(0.01)
        time.sleep(0.1)
        overtaking = send(url, "overtaking", **TASK)[1]["seen"]
        assert not late.done()
        assert late.result()[1]["number"] == (1 if after else 2)
    assert overtaking == (["late", "overtaking"] if after else ["overtaking"])


# --- a process that is killed ----------------------------------------------------------------------------------------


def test_a_killed_process_takes_all_with_it_and_the_next_request_finds_a_new_one(
    faults: FaultsClient, url: str, receiver: Receiver
) -> None:
    arrived, release = threading.Event(), threading.Event()

    def answer(request: Any) -> tuple[int, dict[str, str]]:
        if request.path == "/slow":
            arrived.set()
            release.wait(5)
        return 200, {}

    receiver.answer = answer
    rule = faults.add({"fault": "kill", "nth": 2})
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(send, url, "slow", X_Call=f"{receiver.url}/slow")
        assert arrived.wait(5)
        assert send(url, "killed", X_Call=f"{receiver.url}/never")[0] == 0
        waiting = pool.submit(send, url, "after")
        time.sleep(0.1)
        assert not waiting.done()
        release.set()
        assert slow.result(5)[0] == 0
        assert waiting.result(5)[1]["seen"] == ["after"]
    assert [request.path for request in receiver.requests] == ["/slow"]
    assert faults.hits(rule) == 1
    assert send(url, X_Call=f"{receiver.url}/lives")[0] == 200


# --- the JSON interface ----------------------------------------------------------------------------------------------


def test_rules_are_added_listed_removed_and_cleared_from_another_process(
    faults: FaultsClient, url: str, receiver: Receiver
) -> None:
    first = faults.add({"fault": "fail", "status": 503, "method": "GET *"})
    second = faults.add({"fault": "kill", "service": "firestore"})
    assert send(url, X_Call=f"{receiver.url}/refused")[0] == 200
    assert receiver.requests == []
    listed = faults.shown()
    assert [(one["id"], one["hits"], one["over"]) for one in listed] == [(first, 1, True), (second, 0, False)]
    assert listed[1]["rule"] == {"fault": "kill", "service": "firestore"}
    faults.remove(second)
    with pytest.raises(KeyError):
        faults.remove(second)
    with pytest.raises(KeyError):
        faults.hits(second)
    assert faults.clear() == listed[:1]
    assert faults.shown() == []


def test_a_bad_rule_is_refused_over_http_with_what_is_allowed(faults: FaultsClient, server: FunctionsServer) -> None:
    with pytest.raises(BadRuleError, match="fail\\|drop\\|timeout"):
        faults.add({"fault": "explode"})
    assert send(f"{server.url}/_faults/rules", "{")[0] == 400
    assert send(f"{server.url}/_faults/clock", '{"seconds": 1e300}')[0] == 400
    assert send(f"{server.url}/_faults/clock", '{"hours": 2}')[0] == 400
    assert send(f"{server.url}/_faults/other", method="GET")[0] == 404
    assert send(f"{server.url}/_faults/rules", "{}", "PUT")[0] == 405
    assert faults.shown() == []


# --- the clock -------------------------------------------------------------------------------------------------------


def ahead_of_us(url: str) -> float:
    """By how many seconds the function's clock is ahead of the real one."""
    return (dt.datetime.fromisoformat(send(url)[1]["now"]) - dt.datetime.now(dt.UTC)).total_seconds()


def test_the_functions_clock_is_moved_and_set_back_also_after_a_restart(
    faults: FaultsClient, url: str, server: FunctionsServer
) -> None:
    assert faults.move_clock(hours=2) == dt.timedelta(hours=2)
    assert faults.move_clock(minutes=-30) == faults.ahead() == dt.timedelta(hours=1.5)
    assert ahead_of_us(url) == pytest.approx(5400, abs=5)
    server._load()
    assert ahead_of_us(url) == pytest.approx(5400, abs=5)
    faults.reset_clock()
    assert ahead_of_us(url) == pytest.approx(0, abs=5)


def test_clocks_on_the_same_file_move_together_and_others_by_themselves() -> None:
    with tempfile.TemporaryFile() as file:
        first = MovableClock(file.fileno())
        first.move(dt.timedelta(hours=1))
        second, other = MovableClock(file.fileno()), MovableClock()
        second.move(dt.timedelta(minutes=1))
        assert first.ahead == second.ahead == dt.timedelta(minutes=61)
        assert other.ahead == dt.timedelta()
        assert first.time() - other.time() == pytest.approx(3660, abs=1)
        assert (first.now() - other.now()).total_seconds() == pytest.approx(3660, abs=1)
        second.reset()
        assert first.ahead == dt.timedelta()


# --- for people ------------------------------------------------------------------------------------------------------


def command(capsys: pytest.CaptureFixture[str], server: FunctionsServer, *words: str) -> tuple[int, str, str]:
    status = main(["--url", server.url, *words])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_adds_lists_and_clears(
    capsys: pytest.CaptureFixture[str], server: FunctionsServer, faults: FaultsClient, url: str, receiver: Receiver
) -> None:
    assert command(capsys, server, "list")[1] == "no rules\n"
    assert command(capsys, server, "add", '{"fault": "fail", "status": 500}')[1].startswith("rule ")
    assert command(capsys, server, "add", "1")[0] == 0
    [mine, example] = faults.shown()
    assert example["rule"] == next(iter(EXAMPLES.values()))
    send(url, X_Call=f"{receiver.url}/x")
    _, said, _ = command(capsys, server, "list")
    assert '1 of 1, over  {"fault": "fail", "status": 500}' in said
    assert f"1 x {urllib.parse.urlsplit(receiver.url).netloc} GET /{{}}" in said
    assert command(capsys, server, "remove", str(mine["id"]))[0] == 0
    assert "0 of 0" in command(capsys, server, "clear")[1]
    assert faults.shown() == []


def test_the_command_moves_the_clock(
    capsys: pytest.CaptureFixture[str], server: FunctionsServer, faults: FaultsClient
) -> None:
    assert command(capsys, server, "clock")[1].endswith("UTC, the real time\n")
    assert command(capsys, server, "clock", "+1d2h")[1].endswith("UTC, moved by 1 day, 2:00:00\n")
    assert command(capsys, server, "clock", "-30m")[1].endswith("UTC, moved by 1 day, 1:30:00\n")
    assert faults.ahead() == dt.timedelta(hours=25.5)
    assert command(capsys, server, "clock", "-2d")[1].endswith("UTC, moved back by 22:30:00\n")
    assert command(capsys, server, "clock", "real")[1].endswith("UTC, the real time\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "{"), "Neither a JSON object nor the number of an example (1 to"),
        (("add", "99"), "Neither a JSON object nor the number"),
        (("add", '{"fault": "lose"}'), "only a delivery is lost"),
        (("remove", "77"), "there is no rule 77"),
        (("remove", "x"), "Not the id of a rule: 'x'"),
        (("clock", "2h"), "Not a time to move by: '2h'"),
        (("clock", "+"), "Not a time to move by: '+'"),
        (("clock", "+99999999999d"), "There is no time that far away"),
        (("clock", "+99999999d"), "There is no time that far away"),
    ],
)
def test_the_command_says_what_was_wrong(
    capsys: pytest.CaptureFixture[str], server: FunctionsServer, words: tuple[str, ...], said: str
) -> None:
    status, out, error = command(capsys, server, *words)
    assert (status, out) == (1, "")
    assert error.startswith(said)


def test_the_command_says_where_nobody_answers_or_somebody_else(
    capsys: pytest.CaptureFixture[str], receiver: Receiver
) -> None:
    assert main(["--url", "http://127.0.0.1:9", "list"]) == 1
    assert "Nobody answers at http://127.0.0.1:9" in capsys.readouterr().err
    assert main(["--url", receiver.url, "list"]) == 1
    assert f"At {receiver.url} is no local stack, but something else" in capsys.readouterr().err


def test_every_example_is_a_rule_and_the_command_lists_them(
    capsys: pytest.CaptureFixture[str], server: FunctionsServer
) -> None:
    _, said, _ = command(capsys, server, "examples")
    for words, rule in EXAMPLES.items():
        assert rule_of(rule).shown() == rule
        assert words in said


def test_the_page_gives_back_a_rule_that_cannot_be_with_the_reason(
    server: FunctionsServer, faults: FaultsClient
) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    rule = '{"fault": "delay", "service": "<b>"}'
    status, page = send(f"{server.url}/_faults", urllib.parse.urlencode({"do": "add", "rule": rule}), **form)
    assert status == 400
    assert "Invalid enum value &#39;&lt;b&gt;&#39;" in page
    assert "&#34;service&#34;: &#34;&lt;b&gt;&#34;}</textarea>" in page
    for wrong in ({"do": "explode"}, {"do": "move", "hours": "soon"}, {"do": "remove", "id": "x"}, {"do": "add"}):
        assert send(f"{server.url}/_faults", urllib.parse.urlencode(wrong), **form)[0] == 400
    assert faults.shown() == []


def test_the_documentation_names_every_kind_of_fault_and_its_rules_can_be() -> None:
    text = (pathlib.Path(__file__).parents[3] / "docs" / "faults.md").read_text()
    rules = [line.strip() for line in text.splitlines() if line.strip().startswith('{"')]
    assert len(rules) >= 8
    kinds = {rule_of(json.loads(rule)).fault for rule in rules}
    assert kinds == {"fail", "drop", "timeout", "garbage", "delay", "twice", "kill", "lose"}
