"""The product's main job, for a person to watch: ``python -m local.demo``.

A studio and two Google calendars that were used before are connected, populated both ways, then edited on both sides
at once. Every step checks what it shows. Exit status: 0 if all of it held, 1 if not, 2 if the Firestore emulator is
not installed, 130 after Ctrl-C.
"""

import contextlib
import sys
import time
from collections.abc import Callable

from local.demo import checks
from local.demo.checks import assigned, ends_before, entry_of_appointment, entry_of_event, exactly, exactly_once
from local.demo.edits import carry_out, edits_on_both_sides
from local.demo.scene import Scene, connect, emulator_name, load, populated, prepare
from local.demo.studio import CONNECTED, OLENA, PAST_DAYS, STUDIO_NAME, STUDIO_ZONE, USERS, DemoUser, in_scope
from local.demo.terminal import Terminal, end_now, stops_in_order
from local.firestore_emulator import EmulatorFailedError, EmulatorMissingError
from local.stack import FunctionsFailedError, Stack
from shared.services.wishes import wish

# Seconds. Far beyond what any of it takes: what has not happened by then will not.
POPULATE_TIMEOUT = 45.0
ARRIVAL_TIMEOUT = 20.0
SETTLE_TIMEOUT = 45.0

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


def show_secrecy(scene: Scene, terminal: Terminal, when: str) -> None:
    documents = checks.all_documents(scene.stack.emulator.host, scene.stack.project)
    lines = list(scene.stack.output)
    problems = checks.leaks(documents, "A document in Firestore") + checks.leaks(lines, "The functions' log")
    figure = f"{len(documents)} documents, {len(lines)} lines"
    terminal.check(f"No token in any document or log, {when}", problems, figure)


def show_populate(scene: Scene, terminal: Terminal) -> None:
    terminal.step("Cloud Scheduler's stand-in calls fan_out; sync_user populates both directions")
    scene.stack.google.clear_requests()
    scene.stack.reset_calls()
    started = time.monotonic()
    status = scene.stack.scheduler.tick()
    terminal.check("fan_out answered", exactly(status, 200, "Its status"), f"HTTP {status}")
    took = watch_populate(scene, terminal, started)
    settle(scene, terminal)
    runs = [run for run in scene.stack.tasks.dispatches if run.url.endswith("/sync_user") and run.queue == "scheduled"]
    terminal.check("Tasks that it enqueued, for sync_user", exactly(len(runs), len(CONNECTED), "Tasks"), f"{len(runs)}")
    problems = [] if took else [f"The populate was not through after {POPULATE_TIMEOUT:.0f} s."]
    terminal.check("Populate of both users, both directions", problems, f"{took or 0:.1f} s")
    for user in CONNECTED:
        show_populated_calendar(scene, terminal, user)
    show_populated_studio(scene, terminal)
    show_pairs(scene, terminal)
    boxes = [
        f"{user.name}'s box {box} is still ticked."
        for user in CONNECTED
        for box in ("populate_calendar", "populate_studio")
        if scene.studio.user(user.id)["sync"][box]
    ]
    terminal.check("Boxes have unticked themselves", boxes, f"{2 * len(CONNECTED) - len(boxes)}")
    show_requests(scene, terminal)


def watch_populate(scene: Scene, terminal: Terminal, started: float) -> float | None:
    """Seconds until everything was populated; None if it was not in time."""
    going_on = False
    with terminal.bar() as bar:
        while (took := time.monotonic() - started) < POPULATE_TIMEOUT:
            connections = {user: scene.connection(user) for user in CONNECTED}
            if not going_on and all(connection.attempted_at for connection in connections.values()):
                scene.pause("now", paused=False)  # The schedule's tasks have them: what was held back may come.
                going_on = True
            for user, connection in connections.items():
                if connection.populate is not None:
                    bar.show(user.name, connection.populate.done, connection.populate.total)
                elif connection.populated.calendar is not None:
                    bar.complete(user.name)
            if populated(scene):
                return took
            time.sleep(0.05)
    return None


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
        wanted += (entry for entry in own if not ends_before(entry, scene.since))
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
    terminal.say(f"{populating}; then {changes} short looks, because Google told us of our own writes")


def show_edits(scene: Scene, terminal: Terminal) -> None:
    terminal.step("Edits on both sides at once: pushes and triggers carry them, no schedule")
    scheduled = len([one for one in scene.stack.tasks.dispatches if one.queue == "scheduled"])
    for what, seconds in carry_out(edits_on_both_sides(scene), ARRIVAL_TIMEOUT).items():
        problems = [f"Not after {ARRIVAL_TIMEOUT:.0f} s: {what}."] if seconds is None else []
        terminal.check(what, problems, "never" if seconds is None else f"{seconds * 1000:.0f} ms")
    settle(scene, terminal)
    appointments = scene.studio.appointments().values()
    for user in CONNECTED:
        events = [entry_of_event(event) for event in scene.person(user).events()]
        recent = [entry for entry in events if not ends_before(entry, scene.since)]
        problems = exactly_once(assigned(appointments, user.id, scene.since), recent, f"{user.name}'s calendar")
        terminal.check(f"Studio and {user.name}'s calendar agree again", problems, f"{len(recent)} entries")
    later = len([one for one in scene.stack.tasks.dispatches if one.queue == "scheduled"])
    terminal.check("Runs that the schedule had to start", exactly(later - scheduled, 0, "Runs"), f"{later - scheduled}")


def show_idle_round(scene: Scene, terminal: Terminal) -> None:
    terminal.step("A round with nothing to do, and what it costs")
    for _ in range(2):  # The first one clears the outbox of what the runs themselves wrote.
        scene.stack.reset_calls()
        store, tasks, clock = scene.wiring.store, scene.wiring.tasks, scene.wiring.clock
        wish(scene.connections[OLENA.id], store, tasks, clock)
        settle(scene, terminal)
    counted = scene.stack.calls_made()
    calls = checks.google_calls(counted)
    for what, found, allowed in (
        ("Calls to the calendar", sum(calls) - calls.tokens, 1),
        ("Token calls", calls.tokens, 0),
        ("Document reads", counted["document_reads"], 4),
        ("Document writes", counted["document_writes"], 2),
    ):
        problems = checks.at_most(found, allowed, what.lower())
        terminal.check(f"{what} of an idle run", problems, f"{found} of {allowed} allowed")
    ran = [f"The run listed {calls.listing} times, not once."] if calls.listing != 1 else []
    terminal.check("It did look into the calendar", ran, f"{calls.listing} listing")
    show_secrecy(scene, terminal, "at the end")


STEPS: tuple[Callable[[Scene, Terminal], None], ...] = (
    show_studio,
    show_connecting,
    show_populate,
    show_edits,
    show_idle_round,
)


def settle(scene: Scene, terminal: Terminal) -> None:
    if not scene.stack.settle(SETTLE_TIMEOUT):
        terminal.check("All came to rest", [f"Something was still under way after {SETTLE_TIMEOUT:.0f} s."])


def show(stack: Stack, terminal: Terminal, emulator: str) -> int:
    started = time.monotonic()
    terminal.line(f"Runs on {emulator} at {stack.emulator.host}; Google is simulated, at {stack.google.url}.")
    scene = prepare(stack)
    for step in STEPS:
        step(scene, terminal)
        if terminal.problems:
            break  # The next steps build on this one.
    terminal.table()
    return terminal.verdict(time.monotonic() - started)


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
