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

from shared.domain.errors import SyncError
from shared.services.channels import ForgedError
from shared.services.run import UnknownConnectionError

log = logging.getLogger(__name__)

_Function = TypeVar("_Function", bound=Callable[..., Any])

ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})

# Google announces its keys well before it signs with them.
CERTIFICATES_LIFE_SECONDS = 3600


class RefusedError(Exception):
    """The caller did not prove to be one of those who may call. The message names nobody."""


class BadRequestError(Exception):
    """The request is not of the form that this function takes; the message says what it takes."""


class Callers:
    """Verifies OIDC tokens. Certificates are fetched once an hour, not with every request."""

    def __init__(self, certs_url: str) -> None:
        self._certs_url = certs_url
        self._kept: tuple[float, Any] | None = None

    def check(self, headers: Headers, audience: str, allowed: Collection[str]) -> str:
        """The caller's e-mail.

        Raises:
            RefusedError: no token, a token that is not valid for this audience, or a caller who is not `allowed`.
        """
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise RefusedError("an OIDC token is needed: Authorization: Bearer ...")
        try:
            claims = id_token.verify_token(token, self._certificates, audience=audience, certs_url=self._certs_url)
        except (ValueError, auth_exceptions.GoogleAuthError) as error:
            if isinstance(error, auth_exceptions.TransportError):
                raise
            raise RefusedError("the OIDC token is not valid here") from None
        email = str(claims.get("email", ""))
        if claims.get("iss") not in ISSUERS or not claims.get("email_verified") or email not in allowed:
            raise RefusedError("this caller may not call this function")
        return email

    def _certificates(self, url: str, method: str = "GET", **options: Any) -> Any:
        now, kept = time.monotonic(), self._kept
        if kept is not None and kept[0] > now:
            return kept[1]
        # Here, because the webhook needs none of it.
        from google.auth.transport import requests  # noqa: PLC0415

        answer = requests.Request()(url, method, **options)
        if answer.status == HTTPStatus.OK:
            self._kept = (now + CERTIFICATES_LIFE_SECONDS, answer)
        return answer


def answers(function: _Function) -> _Function:
    """Give a function's errors their status, and each of them one log line."""

    @functools.wraps(function)
    def answered(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except BadRequestError as error:
            return _refuse(400, str(error))
        except RefusedError as error:
            return _refuse(401, str(error))
        except ForgedError as error:
            return _refuse(403, str(error))
        except UnknownConnectionError:
            return _refuse(404, "there is no such connection")
        except (SyncError, auth_exceptions.TransportError) as error:
            # Only our own storage, or the keys to tell callers by, are missing here: worth another try by the caller.
            log.warning("not answered", extra={"error": type(error).__name__, "status": 503})
            return _error(503, "try again later")
        except Exception:
            log.exception("unexpected", extra={"status": 500})
            return _error(500, "this is our mistake; the log has it")

    return answered  # type: ignore[return-value]


def _refuse(status: int, message: str) -> Any:
    log.warning("refused", extra={"status": status, "why": message})
    return _error(status, message)


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
