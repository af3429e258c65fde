"""The product's main job, for a person to watch: ``python -m local.demo``.

A studio and two Google calendars that were used before are connected, populated both ways, then edited on either
side and on both at once; then come what stays out, what is deleted only after a person was asked, an account whose
access is lost and comes back, and appointments that repeat. Every step checks what it shows.

Exit status: 0 if all of it held, 1 if not, 2 if the Firestore emulator is not installed, 130 after Ctrl-C.
"""

import contextlib
import pathlib
import sys
import time
import traceback
from collections.abc import Callable

from local.demo import checks
from local.demo.accounts import show_accounts
from local.demo.checks import (
    as_studio_sees,
    assigned,
    ends_before,
    entry_of_appointment,
    entry_of_event,
    exactly,
    exactly_once,
)
from local.demo.functions_log import last_errors
from local.demo.progress import POPULATE_TIMEOUT, settle, watch_populate
from local.demo.rounds import show_idle_round
from local.demo.rules import show_rules
from local.demo.scene import Scene, connect, emulator_name, load, prepare
from local.demo.secrecy import show_private, show_secrecy, show_secrecy_at_end, show_tentative
from local.demo.series import show_series
from local.demo.studio import CONNECTED, PAST_DAYS, STUDIO_NAME, STUDIO_ZONE, USERS, DemoUser, in_scope
from local.demo.terminal import Terminal, end_now, stops_in_order
from local.demo.waves import show_edits
from local.firestore_emulator import EmulatorFailedError, EmulatorMissingError
from local.stack import ROOT, FunctionsFailedError, Stack

# Of the functions' errors, after a failure.
ERRORS_SHOWN = 5
EXIT_MISSING = 2


def show_studio(scene: Scene, terminal: Terminal) -> None:
    terminal.step("A studio, and two calendars that people have used before")
    with terminal.waiting("booking 500 appointments, typing 200 calendar entries"):
        load(scene)
        settle(scene, terminal)
    jobs = ", ".join(f"{user.name} ({user.job})" for user in USERS)
    zones = ", ".join(f"{user.name}'s in {user.calendar_zone}" for user in CONNECTED)
    terminal.say(f"{STUDIO_NAME}, {STUDIO_ZONE}: {jobs}; calendars: {zones}")
    booked = scene.studio.appointments().values()
    old = sum(not in_scope(one, scene.today) for one in booked)
    planned = map(entry_of_appointment, scene.plan.appointments.values())
    problems = exactly_once(planned, map(entry_of_appointment, booked), "the studio")
    terminal.check("Appointments in the studio", problems, f"{len(booked)}")
    terminal.say(f"{old} of them ended more than {PAST_DAYS} days ago: too old to enter a calendar")
    found = [len(scene.person(user).events()) for user in CONNECTED]
    terminal.check("Entries in the calendars", exactly(sum(found), 200, "Entries"), " + ".join(map(str, found)))
    twins = sum(map(len, scene.typed_twice.values()))
    terminal.check("Of these, typed in the studio as well", exactly(twins, 30, "Twins"), f"{twins}")


def show_connecting(scene: Scene, terminal: Terminal) -> None:
    terminal.step("Two users give their consent on Google's page")
    # Connecting wishes a first run at once. That task is held back, as if it were lost: step 3 is the schedule's.
    scene.pause("now", paused=True)
    connect(scene)
    secrets = {found.get("user_id"): found.get("secret") for found in scene.client.collection("accounts").stream()}
    for user in CONNECTED:
        token = scene.wiring.secrets.get(secrets[user.id]) if user.id in secrets else ""
        is_token = checks.TOKEN_SHAPES["a refresh token"].fullmatch(token)
        problems = [] if is_token else [f"There is no refresh token of {user.name} in Secret Manager."]
        terminal.check(f"{user.name}'s refresh token is in Secret Manager", problems)
    show_secrecy(scene, terminal, "after connecting")


def show_populate(scene: Scene, terminal: Terminal) -> None:
    terminal.step("Cloud Scheduler's stand-in calls fan_out; sync_user populates both directions")
    scene.stack.google.clear_requests()
    scene.stack.reset_calls()
    started = time.monotonic()
    status = scene.stack.scheduler.tick()
    terminal.check("fan_out answered", exactly(status, 200, "Its status"), f"HTTP {status}")
    took = watch_populate(scene, terminal, started)
    if took is None:
        never = [f"The populate was not through after {POPULATE_TIMEOUT:.0f} s."]
        terminal.check("Populate of both users, both directions", never, "never")
        return
    settle(scene, terminal)
    runs = [run for run in scene.stack.tasks.dispatches if run.url.endswith("/sync_user") and run.queue == "scheduled"]
    terminal.check("Tasks that it enqueued, for sync_user", exactly(len(runs), len(CONNECTED), "Tasks"), f"{len(runs)}")
    terminal.check("Populate of both users, both directions", [], f"{took:.1f} s")
    for user in CONNECTED:
        show_populated_calendar(scene, terminal, user)
    show_populated_studio(scene, terminal)
    show_pairs(scene, terminal)
    show_private(scene, terminal)
    show_tentative(scene, terminal)
    show_kept(scene, terminal)
    boxes = [
        f"{user.name}'s box {box} is still ticked."
        for user in CONNECTED
        for box in ("populate_calendar", "populate_studio")
        if scene.studio.user(user.id)["sync"][box]
    ]
    terminal.check("Boxes have unticked themselves", boxes, f"{2 * len(CONNECTED) - len(boxes)}")
    show_requests(scene, terminal)


def show_populated_calendar(scene: Scene, terminal: Terminal, user: DemoUser) -> None:
    """Appointments that were in the studio before, entries that were in the calendar before, the twins just once."""
    wanted = assigned(scene.plan.appointments.values(), user.id, scene.since)
    wanted += map(entry_of_event, scene.plan.own_entries[user.id])
    events = [entry_of_event(event) for event in scene.person(user).events()]
    problems = exactly_once(wanted, events, f"{user.name}'s calendar")
    terminal.check(f"{user.name}'s calendar has everything exactly once", problems, f"{len(events)} entries")


def show_populated_studio(scene: Scene, terminal: Terminal) -> None:
    wanted = [entry_of_appointment(fields) for fields in scene.plan.appointments.values()]
    for user in CONNECTED:
        own = map(entry_of_event, scene.plan.own_entries[user.id])
        wanted += (entry for entry in as_studio_sees(own) if not ends_before(entry, scene.since))
    found = [entry_of_appointment(fields) for fields in scene.studio.appointments().values()]
    problems = exactly_once(wanted, found, "the studio")
    terminal.check("The studio has everything exactly once", problems, f"{len(found)} appointments")


def show_pairs(scene: Scene, terminal: Terminal) -> None:
    problems, pairs = [], 0
    for user in CONNECTED:
        links = scene.links(user)
        for appointment_id, event_id in scene.typed_twice[user.id].items():
            paired = links.get(appointment_id) == event_id
            pairs += paired
            title = scene.plan.appointments[appointment_id]["title"]
            problems += [] if paired else [f"“{title}” was not paired with what {user.name} had typed."]
    terminal.check("What was typed on both sides is paired", problems, f"{pairs} pairs")


def show_kept(scene: Scene, terminal: Terminal) -> None:
    """What people set in the calendar and the studio knows nothing of: colours and reminders stay as they were."""
    problems, kept = [], 0
    for user in CONNECTED:
        events = {event["id"]: event for event in scene.person(user).events()}
        for twin in scene.plan.twins[user.id]:
            event = events.get(scene.typed_twice[user.id][twin.appointment_id], {})
            for name in ("colorId", "reminders"):
                if name not in twin.event:
                    continue
                same = event.get(name) == twin.event[name]
                kept += same
                title = scene.plan.appointments[twin.appointment_id]["title"]
                problems += [] if same else [f"“{title}” in {user.name}'s calendar has lost its {name}."]
    terminal.check("Colours and reminders that people set have stayed", problems, f"{kept}")


def show_requests(scene: Scene, terminal: Terminal) -> None:
    """The budget: 50 writes to a request, each calendar listed once, one channel and one token for each user."""
    calls = checks.google_calls(scene.stack.calls_made())
    recorded = scene.stack.google.requests
    allowed = inserts = corrections = changes = 0
    for user in CONNECTED:
        methods = [one.method_id for one in recorded if one.account == user.google]
        entered, corrected = methods.count("calendar.events.insert"), methods.count("calendar.events.patch")
        allowed += checks.batches(entered) + checks.batches(corrected)
        inserts, corrections = inserts + entered, corrections + corrected
    changes = sum(one.method_id == "calendar.events.list" and "syncToken" in one.query for one in recorded)
    terminal.say(f"{inserts} entries entered, {corrections} twins given the studio's spelling")
    figure = f"{calls.writing} of {allowed} allowed"
    terminal.check("HTTP requests that wrote to Google", checks.at_most(calls.writing, allowed, "of them"), figure)
    populating = calls._replace(listing=calls.listing - changes)
    allowed += 3 * len(CONNECTED)
    problems = checks.at_most(sum(populating), allowed, "HTTP requests to Google")
    terminal.check("HTTP requests to Google for the populate", problems, f"{sum(populating)} of {allowed} allowed")
    terminal.say(f"{populating}; plus {changes} checks, because Google notified us of our own writes")


STEPS: tuple[Callable[[Scene, Terminal], None], ...] = (
    show_studio,
    show_connecting,
    show_populate,
    show_edits,
    show_rules,
    show_accounts,
    show_series,
    show_idle_round,
    show_secrecy_at_end,
)


def carry_out(step: Callable[[Scene, Terminal], None], scene: Scene, terminal: Terminal) -> None:
    """A step that breaks off has failed: what was checked before it, and what the functions said, is still told."""
    try:
        step(scene, terminal)
    except Exception as error:  # noqa: BLE001 - whatever it is, the demo has not held
        places = traceback.extract_tb(error.__traceback__)
        at = next((place for place in reversed(places) if place.filename.startswith(f"{ROOT}/local/")), places[-1])
        where = f"{pathlib.Path(at.filename).name}:{at.lineno}"
        terminal.check("The step went through", [f"It broke off at {where}: {type(error).__name__}: {error}"])


def show(stack: Stack, terminal: Terminal, emulator: str) -> int:
    started = time.monotonic()
    terminal.line(f"Runs on {emulator} at {stack.emulator.host}; Google is simulated, at {stack.google.url}.")
    scene = prepare(stack)
    for step in STEPS:
        carry_out(step, scene, terminal)
        if terminal.problems:
            break  # The next steps build on this one.
    terminal.table()
    status = terminal.verdict(time.monotonic() - started)
    if terminal.problems:
        terminal.quote("What the functions said:", last_errors(list(stack.output), ERRORS_SHOWN))
    return status


def main() -> int:
    terminal = Terminal()
    try:
        with stops_in_order(), contextlib.ExitStack() as running:
            with terminal.waiting("starting the emulator, the stand-ins and the functions"):
                emulator = emulator_name()
                stack = running.enter_context(Stack(tick_seconds=None))
            return show(stack, terminal, emulator)
    except EmulatorMissingError as missing:
        print(missing, file=sys.stderr)
        return EXIT_MISSING
    except (EmulatorFailedError, FunctionsFailedError) as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        end_now(128 + int(interrupt.args[0]), "Stopped.")  # As a shell counts: 130 after Ctrl-C.


if __name__ == "__main__":
    sys.exit(main())
