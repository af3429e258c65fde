"""Waiting for what goes on in the background: until a populate is through, until all is at rest."""

import time

from local.demo.scene import Scene, populated
from local.demo.studio import CONNECTED
from local.demo.terminal import Terminal

# Seconds. Far beyond what any of it takes: what has not happened by then will not.
POPULATE_TIMEOUT = 45.0
SETTLE_TIMEOUT = 45.0


def settle(scene: Scene, terminal: Terminal) -> None:
    if not scene.stack.settle(SETTLE_TIMEOUT):
        not_settled(terminal)


def settle_without_pushes(scene: Scene, terminal: Terminal) -> None:
    """All but the pushes, which are held back."""
    stack = scene.stack
    for _ in range(2):  # What a run wrote may have set off triggers.
        if not (stack.triggers.wait_idle(SETTLE_TIMEOUT) and stack.tasks.wait_idle(SETTLE_TIMEOUT)):
            not_settled(terminal)
            return


def not_settled(terminal: Terminal) -> None:
    terminal.check("All came to rest", [f"Something was still under way after {SETTLE_TIMEOUT:.0f} s."])


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
