"""The faults and the clock of a stack that runs, from another process: for scripts, tests and the command."""

import datetime as dt
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from local.faults.rules import BadRuleError

_BAD_REQUEST, _NOT_FOUND = 400, 404


class NoStackError(Exception):
    """What answers at the address is something else than the functions of a local stack."""


class FaultsClient:
    """`functions_url` is where the stack's functions are. It uses ``http.client``, which the wiretap does not see.

    Each call raises OSError where nobody answers, and `NoStackError` where somebody else does.
    """

    def __init__(self, functions_url: str) -> None:
        self._host = urllib.parse.urlsplit(functions_url).netloc

    def add(self, rule: Mapping[str, Any]) -> int:
        """Gives the rule's id. Raises `BadRuleError`."""
        return int(self._call("POST", "/rules", rule)["id"])

    def shown(self) -> list[dict[str, Any]]:
        """As `Faults.shown`."""
        rules: list[dict[str, Any]] = self._call("GET", "/rules")["rules"]
        return rules

    def hits(self, rule_id: int) -> int:
        """How often the rule has struck. Raises KeyError if there is none."""
        return {int(one["id"]): int(one["hits"]) for one in self.shown()}[rule_id]

    def remove(self, rule_id: int) -> None:
        """Raises KeyError if there is no such rule."""
        self._call("DELETE", f"/rules/{rule_id}")

    def clear(self) -> list[dict[str, Any]]:
        """Forgets all rules; gives what `shown` would have."""
        rules: list[dict[str, Any]] = self._call("DELETE", "/rules")["rules"]
        return rules

    def ahead(self) -> dt.timedelta:
        """How far the stack's clock is moved."""
        return dt.timedelta(seconds=float(self._call("GET", "/clock")["ahead_seconds"]))

    def move_clock(self, **by: float) -> dt.timedelta:
        """On by so much, in the words of `timedelta` (``hours=2``), back if negative; gives how far it is moved."""
        seconds = dt.timedelta(**by).total_seconds()
        return dt.timedelta(seconds=float(self._call("POST", "/clock", {"seconds": seconds})["ahead_seconds"]))

    def reset_clock(self) -> None:
        """The real time again."""
        self._call("DELETE", "/clock")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            encoded = None if body is None else json.dumps(dict(body))
            connection.request(method, f"/_faults{path}", encoded, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.load(answer)
        except OSError:
            raise  # It may be just about to come up again.
        except (ValueError, http.client.HTTPException):
            raise NoStackError from None
        finally:
            connection.close()
        if not isinstance(said, dict) or (answer.status >= _BAD_REQUEST and not isinstance(said.get("error"), str)):
            raise NoStackError
        if answer.status == _BAD_REQUEST:
            raise BadRuleError(said["error"])
        if answer.status == _NOT_FOUND:
            raise KeyError(said["error"])
        return said
