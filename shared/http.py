"""The edge of every function: who is calling, what the answer's status is, and one log line when something is refused.

The only place that knows statuses. Callers inside our project prove themselves with an OIDC token; the same code
verifies it in the cloud and on a laptop, where only the address of the certificates differs.
"""

import datetime as dt
import functools
import json
import logging
import re
import time
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import flask
from google.auth import exceptions as auth_exceptions
from google.oauth2 import id_token
from werkzeug.datastructures import Headers

from shared.domain import identity
from shared.domain.errors import SyncError
from shared.services.accounts import ConnectRefusedError
from shared.services.channels import ForgedError
from shared.services.run import UnknownConnectionError
from shared.services.signing_in import NobodyError

log = logging.getLogger(__name__)

_Function = TypeVar("_Function", bound=Callable[..., Any])

ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})

# Google announces its keys well before it signs with them.
CERTIFICATES_LIFE_SECONDS = 3600


class RefusedError(Exception):
    """The caller did not prove to be one of those who may call. The message names nobody."""


class BadRequestError(Exception):
    """The request is not of the form that this function takes; the message says what it takes."""


class ForbiddenError(Exception):
    """The caller is known, and may not do this; the message says who may."""


class Certificates:
    """The public keys at an address, fetched once an hour, not with every request: a transport for google-auth."""

    def __init__(self) -> None:
        self._kept: tuple[float, Any] | None = None

    def __call__(self, url: str, method: str = "GET", **options: Any) -> Any:
        now, kept = time.monotonic(), self._kept
        if kept is not None and kept[0] > now:
            return kept[1]
        # Here, because the webhook needs none of it.
        from google.auth.transport import requests  # noqa: PLC0415

        answer = requests.Request()(url, method, **options)
        if answer.status == HTTPStatus.OK:
            self._kept = (now + CERTIFICATES_LIFE_SECONDS, answer)
        return answer


def bearer(headers: Headers) -> str:
    """The token of an ``Authorization: Bearer`` header, or an empty text."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _claims(token: str, certificates: Certificates, certs_url: str, audience: str) -> dict[str, Any]:
    """What a token says, its signature, audience and time verified. Raises `RefusedError`."""
    try:
        claims: dict[str, Any] = id_token.verify_token(token, certificates, audience=audience, certs_url=certs_url)
    except (ValueError, auth_exceptions.GoogleAuthError) as error:
        if isinstance(error, auth_exceptions.TransportError):
            raise
        raise RefusedError("the OIDC token is not valid here") from None
    return claims


class Callers:
    """Verifies OIDC tokens of service accounts: callers within our project."""

    def __init__(self, certs_url: str) -> None:
        self._certs_url = certs_url
        self._certificates = Certificates()

    def check(self, headers: Headers, audience: str, allowed: Collection[str]) -> str:
        """The caller's e-mail.

        Raises:
            RefusedError: no token, a token that is not valid for this audience, or a caller who is not `allowed`.
        """
        token = bearer(headers)
        if not token:
            raise RefusedError("an OIDC token is needed: Authorization: Bearer ...")
        claims = _claims(token, self._certificates, self._certs_url, audience)
        email = str(claims.get("email", ""))
        if claims.get("iss") not in ISSUERS or not claims.get("email_verified") or email not in allowed:
            raise RefusedError("this caller may not call this function")
        return email


class FrontEndUsers:
    """Verifies Firebase ID tokens: people who are signed in at a front-end.

    Source: "Verify ID tokens using a third-party JWT library" of Firebase Authentication.
    """

    def __init__(self, certs_url: str, project: str) -> None:
        self._certs_url = certs_url
        self._project = project
        self._certificates = Certificates()

    def check(self, headers: Headers) -> tuple[str, str]:
        """Studio and user, by the claims ``studio_id`` and ``user_id`` that the front-ends' sign-in has set.

        Raises:
            RefusedError: the token is not valid for this project, or names no user.
        """
        claims = _claims(bearer(headers), self._certificates, self._certs_url, self._project)
        if claims.get("iss") != f"https://securetoken.google.com/{self._project}" or not claims.get("sub"):
            raise RefusedError("the token is not one of this project's front-ends")
        studio_id, user_id = claims.get("studio_id"), claims.get("user_id")
        if not identity.usable(studio_id) or not identity.usable(user_id):
            raise RefusedError("the token names no user of a studio: it needs the claims studio_id and user_id")
        return str(studio_id), str(user_id)


def answers(function: _Function) -> _Function:
    """Give a function's errors their status, and each of them one log line."""

    @functools.wraps(function)
    def answered(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:  # noqa: BLE001 - each has its status, and what is unknown is logged there
            status, message = status_of(error)
            return _error(status, message)

    return answered  # type: ignore[return-value]


def status_of(error: Exception) -> tuple[int, str]:
    """The status that answers an error, and what may be said of it to the caller; the log gets its line."""
    status, message = _status(error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("not answered", extra={"error": type(error).__name__, "status": status})
    elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("unexpected", exc_info=error, extra={"status": status})
    else:
        # A message for a person may name an account: the log gets the kind only where it might.
        known = isinstance(error, BadRequestError | RefusedError | ForbiddenError | ForgedError)
        log.warning("refused", extra={"status": status, "why": message if known else type(error).__name__})
    return status, message


def _status(error: Exception) -> tuple[int, str]:
    match error:
        case BadRequestError():
            return 400, str(error)
        case RefusedError():
            return 401, str(error)
        case ForgedError() | ForbiddenError():
            return 403, str(error)
        case NobodyError():
            return 403, str(error)
        case UnknownConnectionError():
            return 404, "there is no such connection"
        case ConnectRefusedError():
            return 409, str(error)
        case SyncError() | auth_exceptions.TransportError():
            # Only our own storage, Google, or the keys to tell callers by, are missing here: worth another try.
            return 503, "try again later"
        case _:
            return 500, "this is our mistake; the log has it"


def _error(status: int, message: str) -> Any:
    """Aborting works for plain functions and for CloudEvent functions, whose return value nobody sees."""
    flask.abort(flask.make_response({"error": message}, status))


def json_body(request: flask.Request) -> dict[str, Any]:
    """The body as a JSON object; nothing at all counts as an empty one.

    Raises:
        BadRequestError: it is something else.
    """
    raw = request.get_data()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        raise BadRequestError("the body must be JSON") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def id_field(body: Mapping[str, Any], name: str) -> str:
    """One of our own ids from a body: letters, digits, dashes and underscores."""
    value = body.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadRequestError(f"the body must have {name}: an id of 1 to 128 letters, digits, - and _")
    return value


def instant_field(body: Mapping[str, Any], name: str) -> dt.datetime:
    """An instant from a body, in UTC."""
    try:
        value = dt.datetime.fromisoformat(body[name])
    except (KeyError, TypeError, ValueError):
        value = None
    if value is None or value.tzinfo is None:
        raise BadRequestError(f"the body must have {name}: an instant such as 2026-05-01T10:00:00Z")
    return value.astimezone(dt.UTC)


_ID = re.compile(r"(?!__)[A-Za-z0-9_-]{1,128}", re.ASCII)
