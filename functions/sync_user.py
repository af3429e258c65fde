"""Cloud Tasks: one run for one connection."""

from typing import Any

import flask
import functions_framework

from shared import http, wiring
from shared.services.sync_calendar import sync_calendar

parts = wiring.start(
    *wiring.FOR_STORE, *wiring.FOR_TASKS, *wiring.FOR_CALENDARS, *wiring.FOR_CHANNELS, *wiring.FOR_RUNS
)


@functions_framework.http
@http.answers
def sync_user(request: flask.Request) -> dict[str, Any]:
    """Body: ``{"connection_id": ...}``. Answers 200 whatever came of the run: what is left is due again by itself."""
    settings = parts.settings
    parts.callers.check(request.headers, settings["SYNC_USER_URL"], {settings["TASKS_SERVICE_ACCOUNT"]})
    connection_id = http.id_field(http.json_body(request), "connection_id")
    queue = request.headers.get("X-CloudTasks-QueueName", "now")
    outcome = sync_calendar(connection_id, parts.run_ports, parts.channel_key, queue)
    return {"outcome": outcome.value}
