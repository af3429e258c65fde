"""Step 8: a tick of the schedule that finds both connections due and nothing to do, and what that costs."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from local.demo.checks import at_most, exactly, google_calls
from local.demo.functions_log import entries
from local.demo.progress import settle
from local.demo.scene import Scene
from local.demo.studio import CONNECTED
from local.demo.terminal import Terminal

RUNS = len(CONNECTED)
# Of one run that finds nothing to do.
READS, WRITES, LISTINGS = 4, 2, 1


def show_idle_round(scene: Scene, terminal: Terminal) -> None:
    terminal.step("A round of the schedule with nothing to do, and what it costs")
    _round(scene, terminal)  # Clears the outboxes of what the runs themselves wrote.
    seen = len(scene.stack.output)
    status, fan_out, runs = _round(scene, terminal)
    terminal.check("fan_out answered again", exactly(status, 200, "Its status"), f"HTTP {status}")
    _show_fan_out(terminal, fan_out)
    _show_runs(scene, terminal, runs)
    done = sum(one.get("outcome") == "done" for one in entries(scene.stack.output[seen:], "run"))
    terminal.check("Idle runs that came to their end", exactly(done, RUNS, "Runs"), f"{done}")


def _round(scene: Scene, terminal: Terminal) -> tuple[int | None, dict[str, Any], dict[str, Any]]:
    """The answer of `fan_out`, its calls, and those of the runs: these are held back until it is through."""
    due = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    for user in CONNECTED:
        document = scene.client.collection("connections").document(scene.connections[user.id])
        document.update({"next_sync_at": due})
    scene.pause("scheduled", paused=True)
    try:
        scene.stack.reset_calls()
        status = scene.stack.scheduler.tick()
        fan_out = scene.stack.calls_made()
        scene.stack.reset_calls()
        scene.stack.google.clear_requests()
    finally:
        scene.pause("scheduled", paused=False)
    settle(scene, terminal)
    return status, fan_out, scene.stack.calls_made()


def _show_fan_out(terminal: Terminal, counted: Mapping[str, Any]) -> None:
    services, methods = counted["services"], counted["methods"]
    queries, tasks = methods.get("firestore RunQuery", 0), services.get("tasks", 0)
    reads, writes = counted["document_reads"], counted["document_writes"]
    terminal.check("fan_out's queries for what is due", exactly(queries, 1, "Queries"), f"{queries}")
    terminal.check("fan_out's document reads", at_most(reads, RUNS, "reads"), f"{reads} of {RUNS} allowed")
    terminal.check("fan_out's document writes", at_most(writes, 0, "writes"), f"{writes} of 0 allowed")
    terminal.check("Tasks that fan_out created", exactly(tasks, RUNS, "Tasks"), f"{tasks}")
    calendar = sum(google_calls(counted))
    terminal.check("fan_out's calls to Google", exactly(calendar, 0, "Calls"), f"{calendar}")


def _show_runs(scene: Scene, terminal: Terminal, counted: Mapping[str, Any]) -> None:
    calls = google_calls(counted)
    recorded = [one for one in scene.stack.google.requests if one.method_id.startswith("calendar.")]
    for user in CONNECTED:
        methods = [one.method_id for one in recorded if one.account == user.google]
        problems = exactly(methods, ["calendar.events.list"], f"Calls to {user.name}'s calendar")
        terminal.check(f"{user.name}'s run looked into the calendar once", problems, f"{len(methods)} call")
    for what, found, allowed in (
        ("Calls to the calendars", sum(calls) - calls.tokens, RUNS * LISTINGS),
        ("Token calls", calls.tokens, 0),
        ("Document reads", counted["document_reads"], RUNS * READS),
        ("Document writes", counted["document_writes"], RUNS * WRITES),
    ):
        problems = at_most(found, allowed, what.lower())
        terminal.check(f"{what} of {RUNS} idle runs", problems, f"{found} of {allowed} allowed")
    listings = exactly(calls.listing, RUNS * LISTINGS, "Listings")
    terminal.check(f"Listings of {RUNS} idle runs", listings, f"{calls.listing}")
