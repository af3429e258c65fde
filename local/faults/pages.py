"""``/_faults`` on the functions' server: a page for people, and the same as JSON for scripts.

GET /_faults                        the page; its forms post to it
GET, POST, DELETE /_faults/rules    {"rules": [...]} as `Faults.shown`; a rule as the body gives {"id": 1}
DELETE /_faults/rules/1             one of them
GET, POST, DELETE /_faults/clock    {"now", "ahead_seconds"}; {"seconds": 7200} moves it on; DELETE: the real time
"""

import datetime as dt
import json
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from local.clock import MovableClock
from local.faults.book import Faults
from local.faults.examples import EXAMPLES
from local.faults.rules import MEANINGS, BadRuleError

_PATHS = Map(
    [
        Rule("/_faults", endpoint="page", methods=["GET"]),
        Rule("/_faults", endpoint="form", methods=["POST"]),
        Rule("/_faults/rules", endpoint="rules", methods=["GET", "POST", "DELETE"]),
        Rule("/_faults/rules/<int:rule_id>", endpoint="one_rule", methods=["DELETE"]),
        Rule("/_faults/clock", endpoint="clock", methods=["GET", "POST", "DELETE"]),
    ]
)
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent.parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["json"] = json.dumps
# What stands in backticks is a field of a rule.
_TEMPLATES.filters["words"] = lambda text: Markup(re.sub("`(.+?)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


class _Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: float


class FaultPages:
    """Answers what lies below ``/_faults``."""

    def __init__(self, faults: Faults, clock: MovableClock) -> None:
        self._faults = faults
        self._clock = clock
        self._endpoints: Mapping[str, Callable[..., Response]] = {
            "page": self._page,
            "form": self._form,
            "rules": self._rules,
            "one_rule": self._one_rule,
            "clock": self._clock_of_the_stack,
        }

    def answer(self, request: Request) -> Response:
        """What was asked for; errors are answers."""
        try:
            endpoint, values = _PATHS.bind_to_environ(request.environ).match()
            return self._endpoints[endpoint](request, **values)
        except (BadRuleError, msgspec.DecodeError) as error:
            return _json({"error": str(error)}, 400)
        except HTTPException as error:
            return _json({"error": error.description}, error.code or 500)

    def _rules(self, request: Request) -> Response:
        if request.method == "POST":
            return _json({"id": self._faults.add(msgspec.json.decode(request.get_data()))}, 201)
        return _json({"rules": self._faults.clear() if request.method == "DELETE" else self._faults.shown()})

    def _one_rule(self, _: Request, rule_id: int) -> Response:
        if not self._faults.remove(rule_id):
            raise NotFound(f"there is no rule {rule_id}")
        return _json({})

    def _clock_of_the_stack(self, request: Request) -> Response:
        if request.method == "POST":
            self._move(msgspec.json.decode(request.get_data(), type=_Move).seconds)
        elif request.method == "DELETE":
            self._clock.reset()
        return _json({"now": self._clock.now().isoformat(), "ahead_seconds": self._clock.ahead.total_seconds()})

    def _move(self, seconds: float) -> None:
        """Raises BadRuleError where there is no such time, before anything is moved to it."""
        try:
            by = dt.timedelta(seconds=seconds)
            dt.datetime.now(dt.UTC) + self._clock.ahead + by
        except OverflowError:
            raise BadRuleError("There is no time that far away.") from None
        self._clock.move(by)

    # The page.

    def _page(self, _: Request) -> Response:
        return self._shown("", "", 200)

    def _form(self, request: Request) -> Response:
        form = request.form
        try:
            match form.get("do"):
                case "add":
                    self._faults.add(msgspec.json.decode(form.get("rule", "")))
                case "remove":
                    self._faults.remove(int(form.get("id", "")))
                case "clear":
                    self._faults.clear()
                case "move":
                    self._move(float(form.get("hours") or 0) * 3600 + float(form.get("minutes") or 0) * 60)
                case "reset":
                    self._clock.reset()
                case _:
                    raise BadRuleError("There is no such button.")
        except ValueError as error:
            # Among them are rules that cannot be, and what is no JSON: it is given back, to be put right.
            return self._shown(str(error), form.get("rule", ""), 400)
        return redirect("/_faults", 303)

    def _shown(self, error: str, given: str, status: int) -> Response:
        values: Mapping[str, Any] = {
            "error": error,
            "given": given or json.dumps(next(iter(EXAMPLES.values())), indent=1),
            "rules": self._faults.shown(),
            "examples": EXAMPLES,
            "meanings": MEANINGS,
            "now": self._clock.now(),
            "moved": self._clock.words(self._clock.ahead),
        }
        return Response(_TEMPLATES.get_template("faults.html").render(values), status, mimetype="text/html")


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")
