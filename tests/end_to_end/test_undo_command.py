"""The command as an administrator types it: what it prints, what it writes, and how it ends."""

import json
import logging
from collections.abc import Callable

import pytest

from commands import undo
from shared import wiring
from shared.config import Settings
from shared.wiring import Wiring
from tests.end_to_end.coming_to_rest import synced
from tests.world import STUDIO, World, google_span, span

ANN = ("--studio", STUDIO, "--user", "ann")
# Ends with, standard output, standard error.
Ended = tuple[int, str, str]
Types = Callable[..., Ended]


@pytest.fixture
def shoot(world: World) -> World:
    """A shoot that somebody renamed in Ann's calendar, which came in; and an entry that she typed."""
    world.book("shoot", title="Client Smith", user_ids=["ann"], **span(48))
    world.join("ann", populate_calendar=True)
    synced(world)
    world.person("ann").patch("primary", world.events("ann")[0]["id"], summary="Oops")
    world.types("ann", summary="Typed", **google_span(100))
    synced(world)
    return world


@pytest.fixture
def types(shoot: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Types:
    """Somebody types the command; the trigger tells of what it wrote."""

    def typed(*arguments: str) -> Ended:
        monkeypatch.setattr(wiring, "wired", lambda: shoot.wiring)
        before = shoot.appointments()
        try:
            code = undo.main([*ANN, *arguments])
        except SystemExit as stopped:
            code = int(str(stopped.code))
        for one, document in before.items():
            if shoot.appointments()[one] != document:
                shoot.trigger(one, document)
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


def last_run(types: Types) -> str:
    _, said, _ = types()
    return said.split()[0]


def test_the_last_runs_are_listed_with_what_they_changed(types: Types) -> None:
    code, said, errors = types()
    assert (code, errors) == (0, "")
    lines = said.splitlines()
    assert lines[0].endswith("Europe/Berlin  2 changed")
    assert lines[1] == "      1  Changed in the calendar: carried to the studio."
    assert lines[2].startswith("      1  New in the calendar: entered into the studio as an unlinked")
    assert lines[-2].endswith("Europe/Berlin  1 changed")
    assert lines[-1] == "      1  New in the studio: entered into the calendar."
    assert max(map(len, lines)) <= 80, "it fits a terminal"
    assert types("--appointment", "shoot")[1] == said
    assert types("--appointment", "another")[1] == "No run of the last 30 days changed this appointment.\n"
    code, said, _ = types("--json")
    assert [run["changed"] for run in json.loads(said)["runs"]] == [2, 1]


def test_it_is_said_first_and_then_written_and_the_calendar_follows(
    types: Types, shoot: World, caplog: pytest.LogCaptureFixture
) -> None:
    before, run = shoot.appointments(), last_run(types)
    code, said, errors = types("--run", run)
    assert (code, errors) == (0, "")
    assert "\nGoes back to what it was before the run.\n  shoot  “Oops”\n    to write: title = Client Smith\n\n" in said
    assert "    1 would be put back\n    1 entered by the run: cancelled with --cancel-entered\n" in said
    assert said.endswith("Nothing is written yet: --apply does it.\n")
    assert shoot.appointments() == before
    with caplog.at_level(logging.INFO):
        code, said, _ = types("--run", run, "--apply")
    assert code == 0
    assert "    written: title = Client Smith\n" in said
    assert "    1 put back\n    1 entered by the run: left\n" in said
    assert said.endswith("The calendars follow within seconds, as after any edit.\n")
    [line] = [record for record in caplog.records if record.name == "shared.services.undo"]
    assert "'put_back': 1" in str(vars(line))
    for secret in ("Smith", "Oops", "Typed", "shoot"):
        assert secret not in str([vars(record) for record in caplog.records]), "what is printed is for one person"
    synced(shoot)
    assert shoot.titles("ann") == ["Client Smith", "Typed"]
    code, said, _ = types("--run", run, "--apply", "--cancel-entered")
    assert (code, "    1 put back\n    1 as before already\n" in said) == (0, True)
    synced(shoot)
    assert shoot.titles("ann") == ["Client Smith"]


def test_what_was_changed_since_ends_with_1_and_is_asked_about(types: Types, shoot: World) -> None:
    run = last_run(types)
    shoot.edit("shoot", title="Client Miller")
    code, said, _ = types("--run", run, "--appointment", "shoot", "--apply")
    assert code == 1
    assert "    title: is now “Client Miller”, would go back to “Client Smith”\n" in said
    assert "    1 changed since: left as they are\n" in said
    assert shoot.appointments()["shoot"]["title"] == "Client Miller"
    code, said, _ = types("--run", run, "--appointment", "shoot", "--apply", "--all-the-same", "--json")
    told = json.loads(said)
    assert (code, told["counts"], told["written"]) == (0, {"put_back": 1}, True)
    assert told["items"][0]["fields"] == {"title": "Client Smith"}
    assert shoot.appointments()["shoot"]["title"] == "Client Smith"


def test_what_cannot_be_done_ends_with_2_and_says_why(types: Types, shoot: World) -> None:
    code, said, errors = types("--run", "no-such-run", "--apply")
    assert (code, said) == (2, "")
    assert "no such run, or it is more than 30 days ago" in errors
    code, _, errors = types("--apply")
    assert (code, "Give --run" in errors) == (2, True)
    for nobody in (("--user", "nobody"), ("--studio", "none"), ("--user", "a/b", "--run", "one")):
        code, said, errors = types(*nobody)
        assert (code, said) == (2, "")
        assert "look up the ids of studio and user" in errors, "not: nothing was changed"
    shoot.wiring = Wiring(Settings({}))
    code, _, errors = types()
    assert (code, "GOOGLE_CLOUD_PROJECT" in errors) == (2, True)
