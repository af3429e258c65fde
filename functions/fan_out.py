"""Cloud Scheduler, every minute: a task for every connection that is due. Further pages call it through Cloud Tasks."""

import logging
from typing import Any

import flask
import functions_framework

from shared import http, wiring
from shared.ports import Due
from shared.services.fan_out import fan_out as enqueue_due

log = logging.getLogger(__name__)
parts = wiring.start(*wiring.FOR_STORE, *wiring.FOR_TASKS, "SCHEDULER_SERVICE_ACCOUNT")


@functions_framework.http
@http.answers
def fan_out(request: flask.Request) -> dict[str, Any]:
    """Body: nothing from the scheduler; ``{"tick": ..., "after": {...}}`` for a further page of one tick."""
    settings = parts.settings
    callers = {settings["SCHEDULER_SERVICE_ACCOUNT"], settings["TASKS_SERVICE_ACCOUNT"]}
    parts.callers.check(request.headers, settings["FAN_OUT_URL"], callers)
    body = http.json_body(request)
    scheduled = request.headers.get("X-CloudScheduler-ScheduleTime") or parts.clock.now().isoformat()
    tick = str(body.get("tick") or scheduled)
    after = _after(body["after"]) if "after" in body else None
    done = enqueue_due(tick, after, parts.store, parts.tasks, parts.clock)
    counts = {"enqueued": done.enqueued, "failed": done.failed, "more": done.more}
    # Each page tells of its own; the first one's oldest is the oldest of all.
    oldest = None if done.oldest is None else round(done.oldest.total_seconds(), 1)
    waiting = {"due": done.enqueued + done.failed, "oldest_due_seconds": oldest, "first_page": after is None}
    log.info("fanned out", extra={**counts, **waiting})
    return counts


def _after(place: Any) -> Due:
    if not isinstance(place, dict):
        raise http.BadRequestError("after must be an object with connection_id and next_sync_at")
    return Due(http.id_field(place, "connection_id"), http.instant_field(place, "next_sync_at"))
