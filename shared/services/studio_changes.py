"""A document of a studio was written: note what concerns whom, and wish a run for them."""

import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.connection import OutboxEntry
from shared.domain.errors import Unavailable
from shared.domain.studio_change import appointment_change, user_wants_run
from shared.ports import Clock, Store, Tasks
from shared.services.wishes import wish

log = logging.getLogger(__name__)

Document = Mapping[str, Any] | None


def appointment_written(
    studio_id: str,
    appointment_id: str,
    before: Document,
    after: Document,
    at: dt.datetime,
    *,
    store: Store,
    tasks: Tasks,
    clock: Clock,
) -> int:
    """Enter the appointment into the outbox of everyone it is or was assigned to; gives how many that were.

    Told twice or in the wrong order does no harm: an entry says "look at this", and the run reads the document.
    A run's own write wishes no further run of the same connection, but is entered all the same: if a front-end has
    overwritten it unknowingly, the next run finds out.
    """
    change = appointment_change(before, after)
    if not change.user_ids:
        return 0
    connections = sorted(set(store.user_connections(studio_id, sorted(change.user_ids)).values()))
    entry = OutboxEntry(appointment_id=appointment_id, at=at)
    store.put_outbox([(connection_id, appointment_id, entry) for connection_id in connections])
    _wish_each([one for one in connections if one != change.written_by], store, tasks, clock)
    return len(connections)


def _wish_each(connection_ids: Iterable[str], store: Store, tasks: Tasks, clock: Clock) -> None:
    """Wish a run for each; one that cannot be is told once all others are served. Raises `Unavailable`."""
    unavailable = None
    for connection_id in connection_ids:
        try:
            wish(connection_id, store, tasks, clock)
        except Unavailable as error:
            unavailable = error
        except Exception:
            # A document of ours that cannot be read: its outbox has the entry, its colleagues shall have their runs.
            log.exception("no run could be wished", extra={"connection": connection_id})
    if unavailable is not None:
        raise unavailable


def user_written(
    studio_id: str, user_id: str, before: Document, after: Document, *, store: Store, tasks: Tasks, clock: Clock
) -> int:
    """Wish a run if the person changed a setting or asked for one; gives how many were wished (0 or 1)."""
    if not user_wants_run(before, after):
        return 0
    connections = store.user_connections(studio_id, [user_id])
    return sum(wish(connection_id, store, tasks, clock) for connection_id in connections.values())
