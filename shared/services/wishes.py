"""A wish for a run: the connection's `next_sync_at` brought forward, and a task that makes it quick.

The wish itself is what counts: the scheduler's tick finds it also if the task is lost. A wish for a connection that
is due already writes nothing, so a burst of pushes costs one write; a wish during a run survives it, because the run
puts its own `next_sync_at` in place only if nobody else has written one meanwhile.
"""

import datetime as dt
import logging
from collections.abc import Callable

from shared.domain import identity
from shared.domain.connection import Connection
from shared.domain.errors import Stale, Unavailable
from shared.ports import Clock, Document, Store, Stored, Task, Tasks

log = logging.getLogger(__name__)

# A wish loses the race only against another wish or a run's own write; both are over in milliseconds.
ATTEMPTS = 8

# States in which a run may find something to do. The others wait for a person.
RUNNABLE = frozenset({"connected", "paused"})


# Gives what to write beside a wish; the flag says that a wish is written anyway, so that it costs nothing.
Noting = Callable[[Connection, dt.datetime, bool], Document]


def wish(
    connection_id: str,
    store: Store,
    tasks: Tasks,
    clock: Clock,
    seen: Stored[Connection] | None = None,
    noting: Noting | None = None,
) -> bool:
    """Ask for a run now. False if the connection does not exist or rests. `seen` saves a read: it was read just now.

    Raises:
        Unavailable: the connection was written to so often that the wish found no gap.
    """
    for _ in range(ATTEMPTS):
        stored, seen = seen or store.connection(connection_id), None
        if stored is None or stored.value.state not in RUNNABLE:
            return False
        now = clock.now()
        soonest = stored.value.soonest(now)
        wished = stored.value.due(soonest)
        noted = {} if noting is None else noting(stored.value, now, not wished)
        if wished and not noted:
            return True
        fields = noted if wished else {**noted, "next_sync_at": soonest}
        try:
            store.update_connection(connection_id, stored.version, fields)
        except Stale:
            continue
        if wished:
            return True
        at = soonest if soonest > now else None
        for _, error in tasks.enqueue([sync_task(connection_id, soonest, at=at)]):
            extra = {"connection": connection_id, "error": type(error).__name__}
            log.warning("no task for a wish: the next tick carries it out", extra=extra)
        return True
    raise Unavailable(f"no gap to wish a run for connection {connection_id}")


def sync_task(
    connection_id: str, wished_for: dt.datetime, *, queue: str = "now", attempt: str = "", at: dt.datetime | None = None
) -> Task:
    """The task that carries out a wish; the same wish (and attempt) has the same name, so it is queued once."""
    name = identity.sync_task(connection_id, wished_for, attempt)
    return Task(queue=queue, target="sync_user", name=name, body={"connection_id": connection_id}, at=at)
