"""The demo as a person, or CI, starts it: its figures, its exit statuses, and that a check can fail."""

import datetime as dt
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import zoneinfo
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from local import up
from local.demo import __main__ as demo
from local.demo import checks as demo_checks
from local.demo import conflicts, deletions, rounds, secrecy, series, series_edits
from local.demo.checks import (
    Entry,
    as_studio_sees,
    assigned,
    betrayed,
    ends_before,
    entry_of_appointment,
    entry_of_event,
    exactly_once,
    words_of,
)
from local.demo.studio import CONNECTED, PAST_DAYS, STUDIO_ZONE, in_scope, make_studio
from local.demo.terminal import Terminal
from local.series_readings import Shown
from tests.soak import leisurely

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


@leisurely
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
        "✓ The studio has everything exactly once: 632 appointments",
        "✓ Private entries are “Busy” in the studio: private, their times kept: 30",
        "✓ Private entries keep their words in the calendars: 33",
        "✓ Tentative entries stay out of the studio: 33",
        "✓ What was typed on both sides is paired: 30 pairs",
        "✓ Boxes have unticked themselves: 4",
        "✓ HTTP requests to Google for the populate: 17 of 17 allowed",
        "✓ Colours and reminders that people set have stayed: 30",
        "✓ Calendars that Google watches for us: 2",
        "✓ Pushes that came meanwhile: 0",
        "· 0 runs were started by the schedule",
        "✓ Appointments from an invitation that nobody has accepted: 0",
        "✓ Appointments of what stands in both calendars: 1",
        "✓ Until somebody answers, it stays with: olena, marco",
        "✓ Answered, it stays with: olena",
        "✓ Cancelled in the studio meanwhile: 0 of 40",
        "✓ Why is one of them still in the studio: held",
        "✓ Gone from Olena's calendar meanwhile: 40",
        "✓ Calendar and studio are as before the loss: 329 entries",
        "✓ Why is a tentative entry not in the studio: tentative",
        "✓ An account that a colleague has is refused, naming nobody",
        "✓ Olena is connected as before",
        "✓ It is the same connection, with the same pairs",
        "✓ In the mail outbox: lost once, well again once: 2",
        "✓ Writes to Google for 500 occurrences: 1",
        "✓ The class is at 21:00 before and after the clock changes: 40, in UTC 18:00",
        "✓ The part that is the matter is on record: FREQ=HOURLY",
        "✓ Why is it not in her calendar: unsupported_rule",
        "✓ Nothing is parked any more",
        "✓ Occurrences of the class with a document of their own: 5 of 40",
        "✓ Documents of the 500: 0, but the series",
        "✓ Marco's is a single entry: “Class: Light”",
        "✓ Olena's calendar set to America/New_York: nothing moves",
        "✓ Studio and Olena's calendar agree, each occurrence of 300 days: 345",
        "✓ Studio and Marco's calendar agree, each occurrence of 300 days: 13",
        "✓ It names both, and their overlap with ",
        "✓ Writes to Google that it took: 1",
        "✓ All else in Olena's calendar is as it was",
        "✓ fan_out's document reads: 2 of 2 allowed",
        "✓ Tasks that fan_out created: 2",
        "✓ Olena's run looked into the calendar once: 1 call",
        "✓ Calls to the calendars of 2 idle runs: 2 of 2 allowed",
        "✓ Document reads of 2 idle runs: 8 of 8 allowed",
        "✓ Document writes of 2 idle runs: 4 of 4 allowed",
        "✓ Listings of 2 idle runs: 2",
    ):
        assert line in output
    assert len(re.findall(r"\d\s+ms$", output.partition("┏")[0], re.MULTILINE)) == 36
    assert re.search(
        r"would cancel 40 of (\d+) upcoming.*✓ The question would cancel: 40 of \1 upcoming", output, re.DOTALL
    )
    unread = r"No private words in any document or log, (after the populate|at the end): (\d+) texts"
    assert re.findall(unread, " ".join(output.split())) == [("after the populate", "11"), ("at the end", "11")]
    assert re.search(r"Every check held: (\d+) of \1, ", output)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", output), "control characters, and nobody at a terminal"
    assert max(map(len, output.splitlines())) <= 80
    assert ended.stderr == ""
    assert "What the functions said" not in output


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


@pytest.mark.parametrize(
    ("field", "value"),
    [("description", "Ring twice"), ("location", "Lviv"), ("status", "tentative"), ("busy", False), ("private", True)],
)
def test_a_field_that_differs_fails_the_check_and_is_named(field: str, value: object) -> None:
    other = SHOOT._replace(**{field: value})
    (problem,) = exactly_once([SHOOT], [other], "the studio")
    assert problem.startswith("“Shoot” (2026-05-02T10:00:00Z to 2026-05-02T11:00:00Z) differs in the studio: ")
    assert f"{field} {value!r} (should be {getattr(SHOOT, field)!r})." in problem


def test_both_sides_are_read_in_every_field() -> None:
    at = dt.datetime(2026, 5, 2, 10, tzinfo=dt.UTC)
    hour = {"start": at, "end": at + dt.timedelta(hours=1)}
    more = {"description": "Ring twice", "location": "Lviv", "status": "tentative"}
    appointment = entry_of_appointment({"title": "Shoot", **hour, **more, "busy": False, "private": True})
    times = {name: {"dateTime": value.isoformat()} for name, value in hour.items()}
    event = {"summary": "Shoot", **times, **more, "transparency": "transparent", "visibility": "private"}
    assert appointment == entry_of_event(event) == SHOOT._replace(**more, busy=False, private=True)
    assert entry_of_appointment({"title": "Shoot", **hour}) == entry_of_event({"summary": "Shoot", **times}) == SHOOT


def test_a_failed_step_ends_the_demo_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_scene: object, terminal: Terminal) -> None:
        terminal.check("This", ["It does not hold."])

    def not_reached(_scene: object, _terminal: Terminal) -> None:
        pytest.fail("the next step builds on the one that failed")

    monkeypatch.setattr(demo, "STEPS", (fails, not_reached))
    monkeypatch.setattr(demo, "prepare", lambda _stack: None)
    terminal = Terminal(Console(file=io.StringIO()))
    assert demo.show(_NoStack(), terminal, "nothing") == 1  # type: ignore[arg-type]


def test_a_step_that_breaks_off_ends_with_table_verdict_and_the_functions_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(_scene: object, terminal: Terminal) -> None:
        terminal.step("A title that is longer than the sixty columns of a small terminal window")
        terminal.check("This", [])
        raise LookupError("no such entry")

    monkeypatch.setattr(demo, "STEPS", (breaks,))
    monkeypatch.setattr(demo, "prepare", lambda _stack: None)
    written = io.StringIO()
    stack = _NoStack()
    stack.output = ("POST /sync_user", *(error_line(number) for number in range(7)))
    terminal = Terminal(Console(file=written, width=60))
    assert demo.show(stack, terminal, "nothing") == 1  # type: ignore[arg-type]
    shown = written.getvalue()
    assert "1. A title that is longer than the sixty columns of a small\n   terminal window\n" in shown
    assert terminal.problems[0].endswith("LookupError: no such entry")
    assert "1 of 2 checks did not hold" in shown
    assert "What was checked" in shown
    told = shown.partition("What the functions said:")[2]
    assert [f"connection c{number}" in told for number in range(7)] == [False, False, *[True] * 5]


def error_line(number: int) -> str:
    entry = {"severity": "ERROR", "message": "run failed", "logger": "sync", "connection": f"c{number}"}
    return json.dumps(entry | {"where": ["/a/b.py:1 f", "/a/c.py:2 g"]})


def test_a_populate_that_never_ends_is_said_to_have_taken_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "watch_populate", lambda *_: None)
    scene = mock.MagicMock()
    scene.stack.scheduler.tick.return_value = 200
    written = io.StringIO()
    terminal = Terminal(Console(file=written))
    demo.show_populate(scene, terminal)
    assert "Populate of both users, both directions: never" in written.getvalue()
    assert terminal.problems == ["The populate was not through after 45 s."]
    scene.stack.settle.assert_not_called()


def test_an_idle_round_that_calls_nobody_fails() -> None:
    scene = mock.MagicMock()
    scene.stack.google.requests = []
    terminal = Terminal(Console(file=io.StringIO()))
    nothing = {"services": {}, "methods": {}, "document_reads": 0, "document_writes": 0}
    rounds._show_fan_out(terminal, nothing)
    rounds._show_runs(scene, terminal, nothing)
    assert "Tasks: 0, expected 2." in terminal.problems
    assert "Listings: 0, expected 2." in terminal.problems


class _NoStack:
    output: tuple[str, ...] = ()

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


# --- what stays in the calendar, and what may be deleted -------------------------------------------------------------

HIDDEN = SHOOT._replace(title="Лікар", description='Ask for the "other" results\nPay in cash', private=True)


def test_of_private_entries_the_studio_sees_only_when_they_are_and_of_tentative_ones_nothing() -> None:
    free = HIDDEN._replace(busy=False, location="Ward 7")
    shown = as_studio_sees([SHOOT, free, SHOOT._replace(status="tentative"), free._replace(status="tentative")])
    assert shown == [SHOOT, SHOOT._replace(title="Busy", busy=False, private=True)]


@pytest.mark.parametrize("ascii_", [True, False])
@pytest.mark.parametrize("words", ["Лікар", 'Ask for the "other" results', "Pay in cash"])
def test_private_words_in_a_document_are_found_however_json_spells_them(words: str, ascii_: bool) -> None:
    document = json.dumps({"fields": {"studio": {"stringValue": f"Title: {words}"}}}, ensure_ascii=ascii_)
    assert words in words_of(HIDDEN)
    assert betrayed(words_of(HIDDEN), ["{}", document], "A document") == [
        f"A document holds “{words}”, which is private in a calendar."
    ]
    assert betrayed(words_of(HIDDEN), ['{"title": "Busy"}'], "A document") == []


def scene_with(*, in_calendar: Entry, in_studio: Entry, documents: Sequence[str] = ()) -> mock.MagicMock:
    """One entry, which Olena typed as `HIDDEN`."""
    scene = mock.MagicMock(since=TODAY)
    scene.typed = {"olena": {"e1": event_of(HIDDEN)}, "marco": {}}
    scene.person.return_value.events.return_value = [event_of(in_calendar)]
    scene.studio.appointments.return_value = {"a1": appointment_of(in_studio)}
    scene.stack.output = list(documents)
    return scene


def event_of(entry: Entry) -> dict[str, Any]:
    times = {name: {"dateTime": getattr(entry, name)} for name in ("start", "end")}
    visibility = {"visibility": "private"} if entry.private else {}
    return {
        "id": "e1", "summary": entry.title, "description": entry.description, "status": entry.status, **times,
        **visibility,
    }  # fmt: skip


def appointment_of(entry: Entry) -> dict[str, Any]:
    times = {name: dt.datetime.fromisoformat(getattr(entry, name)) for name in ("start", "end")}
    fields = {"title": entry.title, "description": entry.description, "private": entry.private, **times}
    return fields | {"origin": {"event_id": "e1"}}


BLOCK = HIDDEN._replace(title="Busy", description="")


@pytest.mark.parametrize(
    ("calendar", "studio", "log", "problem"),
    [
        (HIDDEN, BLOCK, "", None),
        (HIDDEN, HIDDEN, "", "is missing in the studio"),
        (HIDDEN, BLOCK._replace(private=False), "", "private False (should be True)"),
        (HIDDEN, BLOCK._replace(description="Pay in cash"), "", "description 'Pay in cash'"),
        (BLOCK, BLOCK, "", "“Лікар” (2026-05-02T10:00:00Z to 2026-05-02T11:00:00Z) is missing in Olena's calendar"),
        (HIDDEN, BLOCK, "wrote Лікар", "The functions' log holds “Лікар”"),
    ],
    ids=["as it must be", "whole in the studio", "not private", "its text", "emptied in the calendar", "in the log"],
)
def test_a_private_entry_that_is_shown_or_emptied_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, calendar: Entry, studio: Entry, log: str, problem: str | None
) -> None:
    monkeypatch.setattr(demo_checks, "all_documents", lambda *_: [])
    terminal = Terminal(Console(file=io.StringIO()))
    secrecy.show_private(scene_with(in_calendar=calendar, in_studio=studio, documents=[log]), terminal)
    if problem is None:
        assert terminal.problems == []
    else:
        assert any(problem in one for one in terminal.problems)


def test_a_tentative_entry_that_came_in_fails_the_check() -> None:
    scene = scene_with(in_calendar=SHOOT, in_studio=SHOOT)
    terminal = Terminal(Console(file=io.StringIO()))
    secrecy.show_tentative(scene, terminal)
    assert terminal.problems == []
    scene.typed["olena"]["e1"] = event_of(SHOOT._replace(status="tentative"))
    secrecy.show_tentative(scene, terminal)
    (problem,) = terminal.problems
    assert problem.startswith("“Shoot” ")
    assert problem.endswith("is tentative, but came in.")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("Entries would cancel 40 of 171 upcoming in the studio.", []),
        ("Entries would cancel 40 of 170 upcoming in the studio.", []),
        ("Entries would cancel 39 of 171 upcoming in the studio.", ["It would cancel: 39, expected 40."]),
        ("Entries would cancel 40 of 58 upcoming in the studio.", ["Upcoming: 58, expected 171."]),
        ("Sure?", ["It does not say how many of how many it would cancel: Sure?"]),
    ],
)
def test_a_question_with_other_figures_fails_the_check(text: str, problems: list[str]) -> None:
    assert deletions.told_right(text, 40, {171, 170})[0] == problems


# --- appointments that repeat ----------------------------------------------------------------------------------------

OLD: Shown = ("2026-05-02T10:00:00Z", "2026-05-02T11:00:00Z", "Shoot", "", "confirmed", True)
FIRST: Shown = ("2026-05-03T10:00:00Z", "2026-05-03T11:00:00Z", "Class", "", "confirmed", True)
SECOND: Shown = ("2026-05-10T10:00:00Z", "2026-05-10T11:00:00Z", "Class", "", "confirmed", True)


@pytest.mark.parametrize(
    ("studio", "calendar", "problem"),
    [
        ([OLD, FIRST, SECOND], [OLD, FIRST, SECOND], None),
        ([OLD, FIRST, SECOND], [OLD, FIRST], "(2026-05-10T10:00:00Z to 2026-05-10T11:00:00Z) is missing in Olena's"),
        ([OLD, FIRST], [OLD, FIRST, SECOND], "is in Olena's calendar, but should not be"),
        ([OLD, FIRST], [OLD, FIRST, FIRST], "is 2 times in Olena's calendar"),
        ([OLD, FIRST], [OLD, (*FIRST[:3], "Studio B", *FIRST[4:])], "differs in Olena's calendar: location"),
        ([FIRST], [FIRST], "“Shoot” (2026-05-02T10:00:00Z to 2026-05-02T11:00:00Z) is not there any more"),
        ([OLD], [OLD], "Nothing new is in Olena's calendar"),
    ],
    ids=["the same", "one missing", "one too many", "one twice", "another place", "an old one lost", "nothing came"],
)
def test_occurrences_that_differ_between_the_sides_fail_the_check(
    studio: list[Shown], calendar: list[Shown], problem: str | None
) -> None:
    both = [OLD], [OLD]
    new = [OLD, SECOND], [OLD, SECOND]
    terminal = Terminal(Console(file=io.StringIO()))
    series.show_agreement(terminal, {"olena": both, "marco": both}, {"olena": (studio, calendar), "marco": new})
    if problem is None:
        assert terminal.problems == []
    else:
        assert any(problem in one for one in terminal.problems), terminal.problems


def test_on_any_day_the_class_goes_over_a_change_of_the_clock() -> None:
    zone = zoneinfo.ZoneInfo(STUDIO_ZONE)
    for days in range(366):
        slots = series_edits.class_slots(TODAY + dt.timedelta(days=days))
        assert {slot.astimezone(zone).hour for slot in slots} == {series_edits.EVENING}
        assert len({slot.hour for slot in slots}) == 2
        assert slots[-1] - slots[0] < series.AHEAD - dt.timedelta(days=7)


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
            assert entry_of_event(twin.event)[1:3] == entry_of_appointment(appointment)[1:3]
            assert twin.event["summary"] != appointment["title"]
    assert len(assigned(appointments, "olena", today)) > 50
    hers = as_studio_sees(map(entry_of_event, studio.own_entries["olena"]))
    ahead = [one for one in hers if not ends_before(one, today)] + assigned(appointments, "olena", today)
    assert deletions.SHARE * len(ahead) < deletions.LOST, "unusual enough that somebody is asked"
    alone = [one for one in appointments if one["user_ids"] == ["olena"] and "start" in one]
    assert sum(one["start"].date() > today for one in alone) > deletions.LOST + 10, "and other ones for the edits"
    assert sum(map(conflicts.is_shoot, alone)) > 10, "and one to type something over"
    assert any(one["private"] for one in appointments)
    assert {one["status"] for one in appointments} == {"confirmed", "tentative"}


def test_private_words_stand_nowhere_else() -> None:
    studio = make_studio(TODAY)
    own = [entry_of_event(body) for user in CONNECTED for body in studio.own_entries[user.id]]
    private = {words for entry in own if entry.private for words in words_of(entry)}
    others = [*map(entry_of_appointment, studio.appointments.values()), *(one for one in own if not one.private)]
    assert len(private) == 11
    assert betrayed(private, (words for entry in others for words in words_of(entry)), "Another entry") == []
    recent = [one for one in own if one.private and not ends_before(one, TODAY - dt.timedelta(days=PAST_DAYS))]
    assert len(recent) == 30


def test_a_run_is_told_in_one_line_and_requests_are_left_out() -> None:
    line = '{"severity": "INFO", "message": "run", "logger": "sync_user", "connection": "c1", "outcome": "done"}'
    assert up.told(line, {"c1": "olena"}) == "run           olena: done"
    assert up.told("POST /sync_user 200 12 ms", {}) is None
