"""Step 4: edits in the calendars only, in the studio only, then on both sides at once, each settled before the next.

A run reads both sides, whatever it was wished for. So each wave lets only one kind of word through, and shows that it
was enough: pushes for the calendars, triggers for the studio.
"""

import time
from collections.abc import Sequence

from local.demo.checks import as_studio_sees, assigned, ends_before, entry_of_event, exactly, exactly_once
from local.demo.edits import Edit, Edits, carry_out
from local.demo.functions_log import entries, wished_by_push
from local.demo.progress import settle, settle_without_pushes
from local.demo.scene import Scene
from local.demo.studio import CONNECTED, DemoUser
from local.demo.terminal import Terminal

# Seconds. Arrivals take less than one.
ARRIVAL_TIMEOUT = 15.0
# The functions' log comes through a pipe: it may be a moment behind.
LOG_TIMEOUT = 2.0


def show_edits(scene: Scene, terminal: Terminal) -> None:
    terminal.step("Edits, in three waves: pushes and triggers carry them, no schedule")
    scheduled = scheduled_runs(scene)
    channels = show_channels(scene, terminal)
    if len(channels) < len(CONNECTED):
        return  # No push can come.
    edits = Edits(scene)
    for wave in (show_pushes, show_triggers, show_both):
        wave(scene, terminal, edits, channels)
        if terminal.problems:
            return
    show_agreement(scene, terminal, "after the edits")
    terminal.say(f"{scheduled_runs(scene) - scheduled} runs were started by the schedule: the scheduler was off")


def show_agreement(scene: Scene, terminal: Terminal, when: str) -> None:
    """Both sides hold the same, as far as the studio may see what stood in the calendars before."""
    appointments = scene.studio.appointments().values()
    for user in CONNECTED:
        events = {event["id"]: entry_of_event(event) for event in scene.person(user).events()}
        typed = scene.typed[user.id]
        shared = as_studio_sees(entry for key, entry in events.items() if key in typed)
        shared += (entry for key, entry in events.items() if key not in typed)
        recent = [entry for entry in shared if not ends_before(entry, scene.since)]
        problems = exactly_once(assigned(appointments, user.id, scene.since), recent, f"{user.name}'s calendar")
        terminal.check(f"Studio and {user.name}'s calendar agree {when}", problems, f"{len(recent)} entries")


def show_channels(scene: Scene, terminal: Terminal) -> dict[str, str]:
    """The push channel of each user who has one that Google has answered for."""
    channels: dict[str, str] = {}
    for user in CONNECTED:
        channel = scene.connection(user).channel
        if channel is not None and channel.resource_id:
            channels[user.id] = channel.id
    missing = [user.name for user in CONNECTED if user.id not in channels]
    problems = [
        f"There is no push channel for {name}'s calendar: Google will not tell us of edits." for name in missing
    ]
    terminal.check("Calendars that Google watches for us", problems, f"{len(channels)}")
    return channels


def show_pushes(scene: Scene, terminal: Terminal, edits: Edits, channels: dict[str, str]) -> None:
    terminal.say("In the calendars only: the studio learns of them by push")
    seen = len(scene.stack.output)
    show_arrivals(edits.in_calendars(), terminal)
    settle(scene, terminal)
    for user in CONNECTED:
        told, runs = _pushes_and_runs(scene, seen, user, channels[user.id])
        problems = [] if told else [f"The webhook's log tells of no push for {user.name}'s channel that started a run."]
        terminal.check(f"Pushes from {user.name}'s calendar that started a run", problems, f"{told}")
        problems = [] if runs else [f"sync_user's log tells of no run for {user.name}: no wish came of the push."]
        terminal.check(f"Runs for {user.name} that came of it", problems, f"{runs}")


def _pushes_and_runs(scene: Scene, seen: int, user: DemoUser, channel_id: str) -> tuple[int, int]:
    """How many of each the log tells of since it had `seen` lines."""
    deadline = time.monotonic() + LOG_TIMEOUT
    while True:
        lines = scene.stack.output[seen:]
        runs = sum(one.get("connection") == scene.connections[user.id] for one in entries(lines, "run"))
        told = wished_by_push(lines, channel_id)
        if (told and runs) or time.monotonic() > deadline:
            return told, runs
        time.sleep(0.05)


def show_triggers(scene: Scene, terminal: Terminal, edits: Edits, _channels: dict[str, str]) -> None:
    terminal.say("In the studio only, pushes held back: the calendars learn of them by trigger")
    seen = len(scene.stack.output)
    scene.stack.google.push.paused = True
    try:
        show_arrivals(edits.in_studio(), terminal)
        settle_without_pushes(scene, terminal)
        pushes = len(list(entries(scene.stack.output[seen:], "notification")))
        terminal.check("Pushes that came meanwhile", exactly(pushes, 0, "Pushes"), f"{pushes}")
    finally:
        scene.stack.google.push.resume()
    settle(scene, terminal)


def show_both(scene: Scene, terminal: Terminal, edits: Edits, _channels: dict[str, str]) -> None:
    terminal.say("The same appointments on both sides at once, each side another field")
    show_arrivals(edits.on_both_sides(), terminal)
    settle(scene, terminal)


def show_arrivals(edits: Sequence[Edit], terminal: Terminal) -> None:
    for what, seconds in carry_out(edits, ARRIVAL_TIMEOUT).items():
        problems = [f"Not after {ARRIVAL_TIMEOUT:.0f} s: {what}."] if seconds is None else []
        terminal.check(what, problems, "never" if seconds is None else f"{seconds * 1000:.0f} ms")


def scheduled_runs(scene: Scene) -> int:
    return sum(one.queue == "scheduled" for one in scene.stack.tasks.dispatches)
