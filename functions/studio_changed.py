"""Firestore trigger: a studio was written, or one of its appointments, users or questions in the inbox."""

import logging
from typing import Any

import flask
import functions_framework

from shared import http, wiring
from shared.adapters.firestore_event import read_document_event
from shared.services.studio_changes import appointment_written, inbox_written, studio_written, user_written

log = logging.getLogger(__name__)
parts = wiring.start(*wiring.FOR_STORE, *wiring.FOR_TASKS, "STUDIO_CHANGED_URL", "TRIGGER_SERVICE_ACCOUNT")


@functions_framework.cloud_event
@http.answers
def studio_changed(event: Any) -> None:
    """A CloudEvent ``google.cloud.firestore.document.v1.written`` with both versions of the document."""
    settings = parts.settings
    parts.callers.check(flask.request.headers, settings["STUDIO_CHANGED_URL"], {settings["TRIGGER_SERVICE_ACCOUNT"]})
    try:
        write = read_document_event(event.data)
    except ValueError as error:
        raise http.BadRequestError(str(error)) from None
    store, tasks, clock = parts.store, parts.tasks, parts.clock
    match write.path.split("/"):
        case ["studios", studio_id]:
            concerned = studio_written(studio_id, write.before, write.after, store=store, tasks=tasks, clock=clock)
        case ["studios", studio_id, "appointments", appointment_id]:
            at = write.written_at or clock.now()
            concerned = appointment_written(
                studio_id, appointment_id, write.before, write.after, at, store=store, tasks=tasks, clock=clock
            )
        case ["studios", studio_id, "users", user_id]:
            concerned = user_written(
                studio_id, user_id, write.before, write.after, store=store, tasks=tasks, clock=clock
            )
        case ["studios", studio_id, "inbox", item_id]:
            concerned = inbox_written(
                studio_id, item_id, write.before, write.after, store=store, tasks=tasks, clock=clock
            )
        case _:
            concerned = 0
    log.info("studio changed", extra={"document": write.path, "concerned": concerned})
