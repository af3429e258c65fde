"""Every minute: a task for each connection that is due, page by page."""

import datetime as dt
import logging

import msgspec

from shared.domain import identity
from shared.domain.content import digest
from shared.domain.quotas import QUEUES
from shared.ports import Clock, Due, Store, Task, Tasks
from shared.services.wishes import sync_task

log = logging.getLogger(__name__)

# One page's connections are enqueued well within the scheduler's deadline; the next page is a task of its own.
PAGE = 2_000

# Runs started per second at the most: many connections due at once are spread out instead of all hitting Google on
# the minute. A few are not delayed at all. The queue starts no more than that anyway.
STARTS_PER_SECOND = int(QUEUES["scheduled"].max_dispatches_per_second)


class FannedOut(msgspec.Struct, frozen=True):
    """What one page came to; `failed` connections are still due, and the next tick tries them again. `oldest`: for how
    long the first of them, the longest due, has been due.
    """

    enqueued: int
    failed: int
    more: bool
    oldest: dt.timedelta | None = None


def fan_out(tick: str, after: Due | None, store: Store, tasks: Tasks, clock: Clock, page: int = PAGE) -> FannedOut:
    """Enqueue one page of due connections, and a task for the next page if there may be one.

    `tick` names this tick of the scheduler: a task that is refused because its name was used in an earlier tick
    would leave the connection waiting for as long as Cloud Tasks remembers names (up to 24 hours).
    """
    now = clock.now()
    due = store.due_connections(now, page, after)
    failed = tasks.enqueue([_task(one, tick, now, len(due)) for one in due])
    for task, error in failed:
        log.error("connection could not be enqueued", extra={"connection": task.body, "error": type(error).__name__})
    more = len(due) == page
    if more:
        # After this page's own starts, so that the pace holds over all pages.
        tasks_failed = tasks.enqueue([_next_page(tick, due[-1], now + _spread(len(due)))])
        more = not tasks_failed
    oldest = now - due[0].next_sync_at if due else None
    return FannedOut(len(due) - len(failed), len(failed), more, oldest)


def _task(due: Due, tick: str, now: dt.datetime, crowd: int) -> Task:
    spread = _spread(crowd)
    place = int(digest("jitter", due.connection_id, tick)[:8], 32) / 32**8
    at = now + spread * place if spread else None
    return sync_task(due.connection_id, due.next_sync_at, queue="scheduled", attempt=tick, at=at)


def _spread(crowd: int) -> dt.timedelta:
    return dt.timedelta(seconds=crowd / STARTS_PER_SECOND) if crowd > STARTS_PER_SECOND else dt.timedelta()


def _next_page(tick: str, last: Due, at: dt.datetime) -> Task:
    body = {"tick": tick, "after": {"connection_id": last.connection_id, "next_sync_at": last.next_sync_at.isoformat()}}
    name = identity.fan_out_task(tick, last.connection_id)
    return Task(queue="scheduled", target="fan_out", name=name, body=body, at=at)
