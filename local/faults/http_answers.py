"""What comes back over HTTP from a call that was struck: the service's own way to say so."""

import http.client
import json
from http import HTTPStatus
from typing import Any, NamedTuple

from local.faults.rules import Rule
from local.google.errors import known

# What Google Calendar says with a status if the rule names no reason.
_CALENDAR_REASONS = {
    400: "badRequest",
    401: "authError",
    403: "rateLimitExceeded",
    404: "notFound",
    409: "conflict",
    410: "deleted",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
}
# RFC 6749, 5.2; and what google-auth takes for Google's own trouble.
_OAUTH_REASONS = {400: "invalid_grant", 401: "invalid_client", 403: "access_denied", 429: "temporarily_unavailable"}
_SERVER_ERROR = 500
_OAUTH_PATHS = ("/token", "/revoke", "/o/", "/oauth2/")
_EVENTS = "GET /calendar/v3/calendars/{}/events"


class HttpAnswer(NamedTuple):
    """Header names are lower case, as httplib2 has them."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def phrase(self) -> str:
        """The words that go with the status."""
        return http.client.responses.get(self.status, "")


def answer_of(service: str, method: str, fault: Rule) -> HttpAnswer:
    """The answer that ``fail`` or ``garbage`` gives to this call."""
    if fault.fault == "garbage":
        status = fault.status if isinstance(fault.status, int) else 200
        return _answer(status, "text/html; charset=utf-8", fault.body.encode(), fault)
    status = int(fault.status or _SERVER_ERROR)
    content = json.dumps(_content(service, method, status, fault.reason)).encode()
    return _answer(status, "application/json; charset=UTF-8", content, fault)


def _content(service: str, method: str, status: int, reason: str) -> dict[str, Any]:
    path = method.partition(" ")[2]
    if service == "sendgrid":
        message = reason or http.client.responses.get(status, "")
        return {"errors": [{"message": message, "field": None, "help": None}]}
    if path.startswith(_OAUTH_PATHS):
        error = reason or _OAUTH_REASONS.get(status, "internal_failure")
        return {"error": error, "error_description": "Injected by the local stack."}
    usual = "fullSyncRequired" if method == _EVENTS and status == HTTPStatus.GONE else _CALENDAR_REASONS.get(status)
    return known(reason or usual or "backendError", status).body()


def _answer(status: int, content_type: str, body: bytes, fault: Rule) -> HttpAnswer:
    headers = {"content-type": content_type, "content-length": str(len(body))}
    if fault.retry_after is not None:
        headers["retry-after"] = str(fault.retry_after)
    return HttpAnswer(status, headers, body)
