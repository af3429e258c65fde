"""The command as a person or a script starts it: what it prints, and how it ends."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from local.firestore_emulator import FirestoreEmulator
from shared.config import DEFAULTS, PURPOSES
from tests.soak import few
from tests.world import STUDIO, Cloud, World, google_span, span

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Terminal:
    """Starts the command with the environment of a world."""

    def __init__(self, environment: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in PURPOSES | DEFAULTS}
        self.environment = {**kept, **environment, "PYTHONPATH": str(ROOT)}

    def why(self, *arguments: str, without: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "commands.why", *arguments],
            cwd=ROOT,
            env={name: value for name, value in self.environment.items() if name != without},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def house(cloud: Cloud) -> World:
    """Ann with a shoot in step, one that is invalid, and an entry of which nothing is wanted."""
    made = World(cloud)
    made.book("shoot", title="Client Smith", user_ids=["ann"], **span(3))
    made.join("ann", populate_calendar=True)
    made.sync()
    made.book("odd", title="Client Smith", user_ids=["ann"], **{**span(3), "end": "Client Smith's end"})
    made.sync()
    return made


@pytest.fixture(scope="module")
def terminal(house: World, emulator: FirestoreEmulator) -> Terminal:
    return Terminal({**house._environment(), "FIRESTORE_EMULATOR_HOST": emulator.host})


ANN = ("--studio", STUDIO, "--user", "ann")


def test_in_step_ends_with_0_and_says_where_it_is(terminal: Terminal, house: World) -> None:
    ended = terminal.why(*ANN, "--appointment", "shoot")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("agreed – Both sides already hold the same.\n")
    for said in (
        STUDIO,
        "ann",
        "shoot",
        house.events("ann")[0]["id"],
        house.connections["ann"],
        "connected",
        "next run",
    ):
        assert said in ended.stdout


def test_not_there_ends_with_1_and_says_why(terminal: Terminal) -> None:
    ended = terminal.why(*ANN, "--appointment", "odd")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("invalid – A field or setting holds something that cannot be synced")
    assert "  field            end\n" in ended.stdout


def test_it_tells_nothing_of_a_client(terminal: Terminal, house: World) -> None:
    for which in (("--appointment", "shoot"), ("--appointment", "odd"), ("--event", house.events("ann")[0]["id"])):
        ended = terminal.why(*ANN, *which, "--json")
        assert "Smith" not in ended.stdout + ended.stderr


def test_an_entry_that_waits_says_what_the_next_run_does_and_when(terminal: Terminal, house: World) -> None:
    ended = terminal.why(*ANN, "--event", house.types("ann", summary="New", **google_span(6)))
    assert ended.returncode == 1
    assert ended.stdout.startswith("waiting – ")
    assert "created_in_calendar – " in ended.stdout
    assert "UTC, or soon after" in ended.stdout


def test_json_is_one_object_for_machines(terminal: Terminal, house: World) -> None:
    ended = terminal.why(*ANN, "--event", house.events("ann")[0]["id"], "--json")
    told = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert (told["reason"], told["in_step"], told["appointment_id"]) == ("agreed", True, "shoot")
    assert told["looked"]["connection_id"] == house.connections["ann"]
    assert told["looked"]["synced_at"] is not None


def test_a_studio_that_is_not_there_is_an_answer(terminal: Terminal) -> None:
    ended = terminal.why("--studio", "a/b", "--user", "ann", "--appointment", "shoot")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("studio_gone – ")


@few
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ANN,
        (*ANN, "--appointment", "a", "--event", "b"),
        ("--user", "ann", "--appointment", "a"),
        (*ANN, "--appointment"),
        (*ANN, "--appointment", "a", "--write"),
    ],
    ids=["nothing", "no item", "two items", "no studio", "no id", "unknown option"],
)
def test_wrong_usage_ends_with_2_and_shows_the_usage(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    ended = terminal.why(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usage: python -m commands.why")


@pytest.mark.parametrize("variable", ["GOOGLE_CLOUD_PROJECT", "GOOGLE_OAUTH_CLIENT_ID", "WEBHOOK_URL"])
def test_a_missing_variable_ends_with_2_and_is_named(terminal: Terminal, variable: str) -> None:
    ended = terminal.why(*ANN, "--appointment", "shoot", without=variable)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"{variable}: {PURPOSES[variable]}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_calendar_that_does_not_answer_ends_with_2(terminal: Terminal, house: World) -> None:
    house.cloud.google.fail_next("calendar.events.get", 503, "backendError", times=20)
    ended = terminal.why(*ANN, "--appointment", "shoot")
    house.cloud.google.clear_faults()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("No answer just now, try again in a minute: ")
    assert "Traceback" not in ended.stderr


def test_nobody_logged_in_ends_with_2(terminal: Terminal, tmp_path: pathlib.Path) -> None:
    """Without an emulator, and without credentials of any kind."""
    away = Terminal(
        {**terminal.environment, "HOME": str(tmp_path), "GCE_METADATA_HOST": "127.0.0.1:9", "NO_GCE_CHECK": "true"}
    )
    ended = away.why(*ANN, "--appointment", "shoot", without="FIRESTORE_EMULATOR_HOST")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "gcloud auth application-default login" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_says_what_the_exit_codes_mean(terminal: Terminal) -> None:
    ended = terminal.why("--help")
    assert ended.returncode == 0
    assert "Ends with 0" in ended.stdout
