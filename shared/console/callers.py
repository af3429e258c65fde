"""Who calls: a browser with a session, or a front-end with a person's Firebase ID token.

A session is a signed cookie with the user's ids and the account that signed in; that this still holds, and the user's
role, is read with every request, so whoever is removed or demoted is so at once. A browser sends its cookie by itself:
what changes something must bring the session's own token, too.
"""

import datetime as dt
import functools
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import flask
import msgspec

from shared import http
from shared.http import BadRequestError, ForbiddenError, RefusedError
from shared.ports import UserDocument
from shared.services.signing_in import still
from shared.wiring import Wiring

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")

# A session that nobody uses ends after a working day; one that is used is signed anew, but not for ever.
IDLE = dt.timedelta(hours=12)
LONGEST = dt.timedelta(days=7)

# What a form's box or hidden field says.
_FLAGS = {"1": True, "true": True, "on": True, "0": False, "false": False, "": False}
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})

CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A user who has proven to be one. `by_session`: in this browser."""

    studio_id: str
    user_id: str
    admin: bool
    by_session: bool

    def may_see(self, user_id: str) -> bool:
        return self.admin or self.user_id == user_id


def parts() -> Wiring:
    """The wiring of the application that answers."""
    wiring: Wiring = flask.current_app.config["PARTS"]
    return wiring


def begin_session(user: UserDocument, subject: str) -> None:
    """Everything of an earlier session goes: nothing that somebody else knew of it is good for the new one."""
    flask.session.clear()
    flask.session.permanent = True
    flask.session.update(
        studio_id=user.studio_id,
        user_id=user.user_id,
        subject=subject,
        since=parts().clock.now().isoformat(),
        csrf=secrets.token_urlsafe(24),
    )


def end_session() -> None:
    flask.session.clear()


def csrf_token() -> str:
    """The session's own, for forms; a browser that is not signed in has one, too."""
    if "csrf" not in flask.session:
        flask.session["csrf"] = secrets.token_urlsafe(24)
    return str(flask.session["csrf"])


def check_csrf() -> None:
    """Raises `ForbiddenError` where a form was not one of our pages'."""
    given = flask.request.headers.get(CSRF_HEADER) or flask.request.form.get(CSRF_FIELD) or ""
    known = str(flask.session.get("csrf") or "")
    if not known or not hmac.compare_digest(given.encode(), known.encode()):
        raise ForbiddenError("The page was too old, or not one of ours. Load it again, and do it once more.")


def caller() -> Caller:
    """Who calls; looked up once per request.

    Raises:
        RefusedError: nobody that we know.
        ForbiddenError: a change without the session's token.
    """
    if "caller" not in flask.g:
        by_token = bool(http.bearer(flask.request.headers))
        flask.g.caller = _by_token() if by_token else _by_session()
    found: Caller = flask.g.caller
    return found


def signed_in() -> Caller | None:
    """Who calls, or None where nobody is signed in (any more)."""
    try:
        return caller()
    except RefusedError:
        return None


def administrator(view: Callable[_Given, _Answer]) -> Callable[_Given, _Answer]:
    """A view for administrators only. What it is about must lie in their own studio: ids are all that it is given."""

    @functools.wraps(view)
    def checked(*arguments: _Given.args, **named: _Given.kwargs) -> _Answer:
        if not caller().admin:
            raise ForbiddenError("Only an administrator of the studio may do this.")
        return view(*arguments, **named)

    return checked


def _by_token() -> Caller:
    studio_id, user_id = parts().front_end_users.check(flask.request.headers)
    user = parts().store.user(studio_id, user_id)
    if user is None:
        raise RefusedError("the token names no user of a studio")
    return _caller(user, by_session=False)


def _by_session() -> Caller:
    session: Any = flask.session
    if "user_id" not in session:
        raise RefusedError("sign in first")
    since = dt.datetime.fromisoformat(session["since"])
    user = parts().store.user(session["studio_id"], session["user_id"])
    if user is None or not still(user, session["subject"]) or since < parts().clock.now() - LONGEST:
        end_session()
        raise RefusedError("sign in again")
    if flask.request.method not in {"GET", "HEAD", "OPTIONS"}:
        check_csrf()
    return _caller(user, by_session=True)


def _caller(user: UserDocument, *, by_session: bool) -> Caller:
    admin = user.document.get("role") == "admin"
    return Caller(studio_id=user.studio_id, user_id=user.user_id, admin=admin, by_session=by_session)


def text_field(name: str, *, required: bool = True) -> str:
    """A text of the request's body, a form's or JSON's.

    Raises:
        BadRequestError: it is missing, or no text.
    """
    value = _body().get(name, "")
    if not isinstance(value, str) or (required and not value):
        raise BadRequestError(f"the request must have {name}: a text")
    return value


def flag_field(name: str) -> bool:
    """A yes or no of the request's body: true or false in JSON, ``1`` in a form; not there means no.

    Raises:
        BadRequestError: it is neither.
    """
    value = _body().get(name, False)
    if isinstance(value, bool):
        return value
    if not flask.request.is_json and value in _FLAGS:
        return _FLAGS[value]
    raise BadRequestError(f"{name} must be true or false")


def json_body() -> dict[str, Any]:
    """The request's body, a JSON object.

    Raises:
        BadRequestError: it is something else, or has a text that no UTF-8 can hold.
    """
    try:
        body: Any = flask.request.get_json(silent=True)
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRequestError("the body must be UTF-8, without halves of characters") from None
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def _body() -> Mapping[str, Any]:
    """JSON from programs, a form from our pages; nothing at all has no fields.

    Raises:
        BadRequestError: it is neither, so that nothing that was meant is passed over in silence.
    """
    request = flask.request
    if request.is_json:
        return json_body()
    of_a_page = request.mimetype in _FORMS and not http.bearer(request.headers)
    if not of_a_page and request.get_data():
        raise BadRequestError("the body must be a JSON object, sent with Content-Type: application/json")
    return request.form
