"""The demo as a person, or CI, starts it: its figures, its exit statuses, and that a check can fail."""

import datetime as dt
import io
import os
import pathlib
import re
import subprocess
import sys

import pytest
from rich.console import Console

from local import up
from local.demo import __main__ as demo
from local.demo import checks as demo_checks
from local.demo.checks import Entry, assigned, entry_of_appointment, entry_of_event, exactly_once
from local.demo.studio import CONNECTED, in_scope, make_studio
from local.demo.terminal import Terminal

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TODAY = dt.date(2026, 5, 1)
SHOOT = Entry("Shoot", "2026-05-02T10:00:00Z", "2026-05-02T11:00:00Z")


def start_demo(**environment: str) -> "subprocess.CompletedProcess[str]":
    dropped = {"FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env={**kept, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


@pytest.mark.timeout(110)
def test_the_demo_runs_its_whole_job_and_every_check_holds() -> None:
    ended = start_demo()
    output = ended.stdout
    assert ended.returncode == 0, output + ended.stderr
    assert output.startswith("Runs on Google's Firestore emulator ")
    for line in (
        "✓ Appointments in the studio: 500",
        "✓ Entries in the calendars: 120 + 80",
        "✓ Olena's refresh token is in Secret Manager",
        "✓ Olena's calendar has everything exactly once: 329 entries",
        "✓ Marco's calendar has everything exactly once: 250 entries",
        "✓ The studio has everything exactly once: 664 appointments",
        "✓ What was typed on both sides is paired: 30 pairs",
        "✓ Boxes have unticked themselves: 4",
        "✓ HTTP requests to Google for the populate: 17 of 17 allowed",
        "✓ Runs that the schedule had to start: 0",
        "✓ Calls to the calendar of an idle run: 1 of 1 allowed",
        "✓ Document reads of an idle run: 4 of 4 allowed",
        "✓ Document writes of an idle run: 2 of 2 allowed",
    ):
        assert line in output
    assert len(re.findall(r"\d ms$", output.partition("┏")[0], re.MULTILINE)) == 8
    assert re.search(r"Every check held: (\d+) of \1, ", output)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", output), "control characters, and nobody at a terminal"
    assert max(map(len, output.splitlines())) <= 80
    assert ended.stderr == ""


def test_a_missing_emulator_is_said_with_the_command_that_installs_it(tmp_path: pathlib.Path) -> None:
    ended = start_demo(PATH=str(tmp_path), HOME=str(tmp_path), FIRESTORE_EMULATOR_JAR="", FIRESTORE_EMULATOR_HOST="")
    assert ended.returncode == 2
    assert "apt-get install google-cloud-cli-firestore-emulator" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_entry_that_stands_twice_in_a_calendar_fails_the_check_and_the_demo() -> None:
    terminal = Terminal(Console(file=io.StringIO()))
    terminal.check("Olena's calendar", exactly_once([SHOOT], [SHOOT], "Olena's calendar"))
    assert terminal.verdict(0) == 0
    terminal.check("Olena's calendar", exactly_once([SHOOT], [SHOOT, SHOOT], "Olena's calendar"))
    assert terminal.problems == [
        "“Shoot” (2026-05-02T10:00:00Z to 2026-05-02T11:00:00Z) is 2 times in Olena's calendar, not 1 times."
    ]
    assert terminal.verdict(0) == 1


def test_what_is_missing_or_too_much_fails_the_check() -> None:
    moved = SHOOT._replace(start="2026-05-02T09:00:00Z")
    problems = exactly_once([SHOOT], [moved], "the studio")
    assert [problem.partition(") ")[2] for problem in problems] == [
        "is in the studio, but should not be.",
        "is missing in the studio.",
    ]


def test_a_failed_step_ends_the_demo_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_scene: object, terminal: Terminal) -> None:
        terminal.check("This", ["It does not hold."])

    def not_reached(_scene: object, _terminal: Terminal) -> None:
        pytest.fail("the next step builds on the one that failed")

    monkeypatch.setattr(demo, "STEPS", (fails, not_reached))
    monkeypatch.setattr(demo, "prepare", lambda _stack: None)
    terminal = Terminal(Console(file=io.StringIO()))
    assert demo.show(_NoStack(), terminal, "nothing") == 1  # type: ignore[arg-type]


class _NoStack:
    class emulator:  # noqa: N801 - an attribute of the stack
        host = "127.0.0.1:1"

    class google:  # noqa: N801
        url = "http://127.0.0.1:2"


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        ("a refresh token", "1//0" + "aB-_" * 16),
        ("an access token", "ya29." + "aB-_" * 16),
        ("a push channel's token", "61bbrmi5t0mcqbebt15td7k52u." + "0f" * 32),
    ],
)
def test_a_token_in_a_document_is_found(kind: str, token: str) -> None:
    assert demo_checks.leaks([f'{{"stringValue": "{token}"}}'], "A document") == [f"A document holds {kind}."]
    assert demo_checks.leaks(['{"stringValue": "http://127.0.0.1//0"}'], "A document") == []


def test_the_same_day_gives_the_same_studio() -> None:
    assert make_studio(TODAY) == make_studio(TODAY)


@pytest.mark.parametrize("days", range(0, 366, 61))
def test_on_any_day_the_studio_has_what_the_demo_promises(days: int) -> None:
    """Appointments that differ in title or time, twins that are in scope, and something of each kind to edit."""
    today = TODAY + dt.timedelta(days=days)
    studio = make_studio(today)
    appointments = studio.appointments.values()
    assert len({entry_of_appointment(one) for one in appointments}) == 500
    assert sum(map(len, studio.twins.values())) == 30
    assert sum(map(len, studio.own_entries.values())) == 170
    for user in CONNECTED:
        own = [entry_of_event(entry) for entry in studio.own_entries[user.id]]
        assert len(set(own)) == len(own)
        assert not {entry.title for entry in own} & {one["title"] for one in appointments}
        for twin in studio.twins[user.id]:
            appointment = studio.appointments[twin.appointment_id]
            assert in_scope(appointment, today)
            assert user.id in appointment["user_ids"]
            assert entry_of_event(twin.event)[1:] == entry_of_appointment(appointment)[1:]
            assert twin.event["summary"] != appointment["title"]
    assert len(assigned(appointments, "olena", today)) > 50
    assert any(one["private"] for one in appointments)
    assert {one["status"] for one in appointments} == {"confirmed", "tentative"}


def test_a_run_is_told_in_one_line_and_requests_are_left_out() -> None:
    line = '{"severity": "INFO", "message": "run", "logger": "sync_user", "connection": "c1", "outcome": "done"}'
    assert up.told(line, {"c1": "olena"}) == "run           olena: done"
    assert up.told("POST /sync_user 200 12 ms", {}) is None
