"""Public: Google's push notifications (``/google``)."""

import logging

import flask
import functions_framework

from shared import http, wiring
from shared.services.channels import Notification, notified

log = logging.getLogger(__name__)
parts = wiring.start(*wiring.FOR_STORE, *wiring.FOR_TASKS, *wiring.FOR_CHANNELS)


@functions_framework.http
@http.answers
def webhook(request: flask.Request) -> tuple[str, int]:
    """Google's notification is all headers. The channel's token is checked before anything is read."""
    if request.path.rstrip("/").rpartition("/")[2] != "google" or request.method != "POST":
        return "", 404
    headers = request.headers
    notification = Notification(
        channel_id=headers.get("X-Goog-Channel-ID", ""),
        token=headers.get("X-Goog-Channel-Token", ""),
        resource_id=headers.get("X-Goog-Resource-ID", ""),
        state=headers.get("X-Goog-Resource-State", ""),
    )
    word = notified(notification, key=parts.channel_key, store=parts.store, tasks=parts.tasks, clock=parts.clock)
    log.info("notification", extra={"channel": notification.channel_id, "outcome": word})
    return "", 204
