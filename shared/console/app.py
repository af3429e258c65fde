"""The console's application: its views, how errors look, and what browsers are told to be strict about."""

import datetime as dt
import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from shared import http
from shared.config import keys
from shared.console import callers, connect, sign_in, users
from shared.console.answers import front_ends, home, json_answer, page, wants_json
from shared.console.flows import Flows
from shared.console.words import ago, day, first_sentence, lasting
from shared.domain.account import BOXES
from shared.domain.errors import SyncError
from shared.domain.reasons import Reason
from shared.http import ForbiddenError, RefusedError
from shared.wiring import Wiring

log = logging.getLogger(__name__)

_TITLES = {400: "That did not work", 401: "Please sign in", 403: "Not allowed", 404: "Not found", 409: "Not possible"}
# Instead of what a program is told.
_TEXTS = {
    500: "That is our mistake, not yours, and it was noted. Try again; if it stays like this, tell support.",
    503: "Something that is needed for this does not answer at the moment. Try again in a minute.",
}
# Connecting is refused for these (A1, A5), so no page offers it.
_CANNOT_CONNECT = frozenset(
    {Reason.EDITION, Reason.NOT_SCHEDULABLE, Reason.STUDIO_GONE, Reason.USER_GONE, Reason.INVALID}
)

_NO_SUCH_PAGE = "There is no such page, or it takes another kind of request."
_TOO_LARGE = "That was too much at once. Nothing was changed."

# Years would be better for files that never change; these change with a deployment, under the same name.
STATIC_LIFE = dt.timedelta(minutes=10)


def make_app(parts: Wiring) -> flask.Flask:
    """The WSGI application, whatever path it is mounted at."""
    address = urlsplit(parts.settings["CONSOLE_URL"])
    secure, path = address.scheme == "https", address.path.rstrip("/") or "/"
    # The functions framework answers for /static itself, with files that lie beside the function.
    app = flask.Flask("shared.console", static_url_path="/assets")
    signing = keys(parts.settings["CONSOLE_KEY"])
    app.config.update(
        PARTS=parts,
        FLOWS=Flows(parts.settings["CONSOLE_KEY"], path, secure=secure),
        SECRET_KEY=signing[0],
        SECRET_KEY_FALLBACKS=signing[1:],
        SESSION_COOKIE_NAME="studio-sync",
        SESSION_COOKIE_PATH=path,
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=callers.IDLE,
        SESSION_REFRESH_EACH_REQUEST=True,
        SEND_FILE_MAX_AGE_DEFAULT=STATIC_LIFE,
        MAX_CONTENT_LENGTH=100_000,
    )
    for module in (sign_in, connect, users):
        app.register_blueprint(module.views)
    app.add_url_rule("/", view_func=lambda: flask.redirect(home("/connect")), endpoint="start")
    app.register_error_handler(Exception, _error)
    app.before_request(_preflight)
    app.after_request(_strict)
    app.context_processor(_known_to_pages)
    app.add_template_filter(day)
    app.add_template_filter(lasting)
    app.add_template_filter(first_sentence)
    app.add_template_filter(_ago, "ago")
    return app


def _known_to_pages() -> dict[str, Any]:
    return {
        "home": home,
        "csrf_token": callers.csrf_token,
        "CSRF_FIELD": callers.CSRF_FIELD,
        "signed_in_person": _person,
        "boxes": tuple(BOXES.values()),
        "cannot_connect": _CANNOT_CONNECT,
    }


def _person() -> dict[str, Any] | None:
    """Who is signed in, for the top of the page; None where the page did not ask.

    Looked up once per request, and never a reason to fail: pages that tell of a failure have this top, too.
    """
    who = flask.g.get("caller")
    if who is None:
        return None
    if "person" not in flask.g:
        try:
            studio, user = callers.parts().store.settings(who.studio_id, who.user_id)
        except SyncError:
            studio, user = None, None
        flask.g.person = {
            "user_id": who.user_id,
            "name": (user or {}).get("name") or who.user_id,
            "studio": (studio or {}).get("name") or "",
            "admin": who.admin,
        }
    found: dict[str, Any] = flask.g.person
    return found


def _ago(at: str) -> str:
    return ago(dt.datetime.fromisoformat(at), callers.parts().clock.now())


def _error(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        status = error.code or 500
        message = _TOO_LARGE if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else _NO_SUCH_PAGE
    else:
        status, message = http.status_of(error)
    if wants_json():
        return json_answer({"error": message}, status)
    if isinstance(error, RefusedError) and flask.request.method == "GET":
        return flask.redirect(home("/sign-in?" + urlencode({"back": flask.request.path})))
    if isinstance(error, HTTPException):
        _look_who_asks()
    title = _TITLES.get(status, "Something went wrong")
    return page("message.html", status, title=title, text=_TEXTS.get(status, message))


def _look_who_asks() -> None:
    """For the top of a page that no view has made, and where it leads; never a reason to fail."""
    try:
        callers.signed_in()
    except (SyncError, ForbiddenError) as unknown:
        log.info("shown as to nobody", extra={"error": type(unknown).__name__})


def _preflight() -> Response | None:
    """A front-end's browser asks whether its page may call us."""
    if flask.request.method == "OPTIONS" and flask.request.headers.get("Origin") in front_ends():
        return flask.Response(status=204)
    return None


def _strict(response: Response) -> Response:
    consent = urlsplit(callers.parts().settings["GOOGLE_AUTH_URL"])
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        # Browsers hold forms to this on their way through redirects, too.
        f"form-action 'self' {consent.scheme}://{consent.netloc}; base-uri 'none'; frame-ancestors 'none'",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    if home().startswith("https://"):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    # Addresses here carry codes and links.
    response.headers["Referrer-Policy"] = "no-referrer"
    if flask.request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    origin = flask.request.headers.get("Origin", "")
    response.headers["Vary"] = "Origin, Cookie, Accept, Authorization"
    if origin in front_ends():
        # By token only: cookies are not for other sites.
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Max-Age"] = "600"
    return response
