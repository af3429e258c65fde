"""One answer for two kinds of callers: a page for a person's browser, JSON for a front-end."""

from typing import Any
from urllib.parse import urlsplit

import flask
import msgspec
from werkzeug.wrappers import Response

from shared import http
from shared.console.callers import parts
from shared.http import BadRequestError


def wants_json() -> bool:
    """Whether a program asks: by token, with a JSON body, or without asking for HTML by name, as all browsers do."""
    request = flask.request
    if http.bearer(request.headers) or request.is_json:
        return True
    accepted = request.accept_mimetypes
    asks_for_html = any(kind == "text/html" and quality > 0 for kind, quality in accepted)
    return not asks_for_html or accepted.best_match(["text/html", "application/json"]) == "application/json"


def page(template: str, status: int = 200, **shown: Any) -> Response:
    return flask.make_response(flask.render_template(template, **shown), status)


def answer(template: str, shown: msgspec.Struct | dict[str, Any], status: int = 200) -> Response:
    """`shown` as JSON, or in a page, where the template knows it by the same names."""
    plain = msgspec.to_builtins(shown)
    if wants_json():
        return json_answer(plain, status)
    return page(template, status, **plain)


def done(shown: dict[str, Any], back: str) -> Response:
    """After a change: JSON for a program, the page `back` (a path of ours) for a browser."""
    if wants_json():
        return json_answer(shown)
    return flask.redirect(home(back), code=303)


def json_answer(plain: Any, status: int = 200) -> Response:
    return flask.Response(msgspec.json.encode(plain), status, mimetype="application/json")


def home(path: str = "") -> str:
    """An address of ours, as browsers know it: the function itself may see another path."""
    return parts().settings["CONSOLE_URL"].rstrip("/") + path


def front_ends() -> frozenset[str]:
    """Origins that may call us from a page, and that a pop-up may tell its result."""
    return frozenset(parts().settings.front_end_origins)


def origin_of(url: str) -> str:
    """Its scheme and host; an empty text where an address cannot be taken apart."""
    try:
        found = urlsplit(url)
    except ValueError:
        return ""
    return f"{found.scheme}://{found.netloc}"


def safe_origin(origin: str) -> str:
    """The origin of a pop-up's opener, if it is one that we know; our own otherwise. It may end with a slash."""
    origin = origin.removesuffix("/")
    return origin if origin in front_ends() else origin_of(home())


def check_addresses(origin: str, back: str) -> None:
    """What a front-end gives, if it gives it: nothing that it means is to become something else in silence.

    Raises:
        BadRequestError: a site that we do not know; says which we know.
    """
    known = sorted({*front_ends(), origin_of(home())})
    if origin and origin.removesuffix("/") not in known:
        raise BadRequestError(f"origin must be one of {', '.join(known)}")
    if back and safe_back(back) not in {back, home(back)}:
        raise BadRequestError(f"back must be a path of the console, or an address at one of {', '.join(known)}")


def safe_back(back: str) -> str:
    """Where a browser goes on: a page of ours, or of a known front-end, never just anywhere."""
    if not back.isprintable():  # Line ends and the like: browsers drop some of them, headers take none.
        return home("/connect")
    if back.startswith("/") and not back.startswith("//") and "\\" not in back:
        return home(back)
    known = {*front_ends(), origin_of(home())}
    return back if origin_of(back) in known else home("/connect")


def with_result(back: str, result: str) -> str:
    """The address with ``result`` in its query, which stands before a fragment."""
    address, mark, fragment = back.partition("#")
    return f"{address}{'&' if '?' in address else '?'}result={result}{mark}{fragment}"
