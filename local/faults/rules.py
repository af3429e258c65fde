"""Faults as plain data: where one strikes, when, and what it does. The same in a script, over HTTP and in a command.

    {"service": "google", "method": "POST /calendar/*/events", "fault": "fail", "status": 503, "share": 0.33, "seed": 7}
    {"service": "firestore", "method": "Commit", "fault": "fail", "status": "ABORTED", "nth": 3, "times": 2}
    {"service": "delivery", "method": "task sync_user", "fault": "twice", "times": null}

Where: `service` and `method` as the wiretap names them; `method` is a pattern with ``*``, ``?`` and ``[seq]``, in which
braces stand for themselves. The calls of a batch to Google are calls of their own, after that of the batch. Service
``*`` is all that the functions call; ``delivery`` is what is brought to them: ``task sync_user``,
``trigger studios/S/appointments/A``, ``push exists``, ``tick fan_out``.

When: from the `nth` matching call on, each `every`-th, a `share` of these (drawn with `seed`), until it has struck
`times` times; null is without end. `times` is 1 if it is not given, and without end for a rule with `every` or `share`.
"""

import fnmatch
import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import grpc
import msgspec
from msgspec import UNSET, Meta, UnsetType

Kind = Literal["fail", "drop", "timeout", "garbage", "delay", "twice", "kill", "lose"]
Service = Literal["*", "firestore", "tasks", "secrets", "google", "sendgrid", "delivery"]

GRPC_SERVICES = frozenset({"firestore", "tasks", "secrets"})
# What the kinds do, for whoever reads a rule; the last column of docs/faults.md says the same at length.
MEANINGS: Mapping[Kind, str] = {
    "fail": "answered with `status` (and `reason`), before the call takes effect or `after` it",
    "drop": "the connection ends without an answer; `after` the call took effect, that is a lost answer",
    "timeout": "no answer comes for `seconds`, then the caller gives up",
    "garbage": "something else than the service answers: `body`, with `status` (200)",
    "delay": "takes `seconds` longer, before it is sent, or its answer `after` that",
    "twice": "arrives two times; the caller gets the second answer",
    "kill": "the process dies there, before the call or `after` it took effect",
    "lose": "a delivery that never arrives, and that its sender takes for done",
}
# Each code by the one name that it has here and in Google's documentation.
_CODES: Mapping[str, grpc.StatusCode] = {code.name: code for code in grpc.StatusCode if code is not grpc.StatusCode.OK}
# For a rule about all services, which is given an HTTP status. Source: google/rpc/code.proto of googleapis.
_CODE_OF_STATUS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_DELIVERY_KINDS: frozenset[Kind] = frozenset({"fail", "drop", "delay", "twice", "lose"})
_FIRST_REFUSAL, _LAST_REFUSAL = 400, 599


class BadRuleError(ValueError):
    """The rule cannot be; the message says why, and what is allowed."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """See this module. `seconds` for ``delay`` and ``timeout``; `retry_after` in seconds goes into that HTTP header."""

    fault: Kind
    service: Service = "*"
    method: str = "*"
    after: bool = False
    nth: Annotated[int, Meta(ge=1)] = 1
    every: Annotated[int, Meta(ge=1)] = 1
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: int = 0
    times: Annotated[int, Meta(ge=1)] | UnsetType | None = UNSET
    status: int | str | None = None
    reason: str = ""
    seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    retry_after: Annotated[int, Meta(ge=0)] | None = None
    body: str = "<html><body>This is not the service.</body></html>"

    @property
    def most(self) -> int | None:
        """How often it strikes at most; None: without end."""
        if self.times is not UNSET:
            return self.times
        return 1 if self.every == 1 and self.share == 1 else None

    @property
    def sends(self) -> bool:
        """Whether the call is sent at all."""
        return self.after or self.fault in {"delay", "twice"}

    @property
    def answers(self) -> bool:
        """Whether the caller gets the service's own answer."""
        return self.fault in {"delay", "twice", "kill"}

    @property
    def code(self) -> grpc.StatusCode:
        """Of a gRPC call that is struck."""
        if self.fault == "drop":
            return grpc.StatusCode.UNAVAILABLE
        if self.fault == "timeout":
            return grpc.StatusCode.DEADLINE_EXCEEDED
        if self.fault == "garbage":
            # What grpc makes of a message that it cannot read.
            return grpc.StatusCode.INTERNAL
        return _CODES[self.status if isinstance(self.status, str) else _CODE_OF_STATUS[self.status or 503]]

    def meets(self, service: str, method: str) -> bool:
        """Whether it is about this call."""
        about = self.service == service or (self.service == "*" and service != "delivery")
        return about and (self.method == "*" or _pattern(self.method).match(method) is not None)

    def shown(self) -> dict[str, Any]:
        """JSON: what `rule_of` takes."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        return shown


def rule_of(given: Any) -> Rule:
    """The rule of this JSON object. Raises `BadRuleError`."""
    try:
        rule = msgspec.convert(given, Rule)
    except msgspec.ValidationError as error:
        raise BadRuleError(f"{error}. A rule has: {_shape()}") from None
    _check(rule)
    return rule


def _check(rule: Rule) -> None:
    if rule.service == "delivery" and rule.fault not in _DELIVERY_KINDS:
        raise BadRuleError(f"a delivery can only: {', '.join(sorted(_DELIVERY_KINDS))}")
    if rule.fault == "lose" and rule.service != "delivery":
        raise BadRuleError("only a delivery is lost; the answer of a call is, with drop and after")
    if rule.fault == "twice" and rule.after:
        raise BadRuleError("twice has no before and after")
    if rule.fault == "delay" and not rule.seconds:
        raise BadRuleError("delay needs seconds")
    if rule.fault not in {"delay", "timeout"} and rule.seconds:
        raise BadRuleError("only delay and timeout take seconds")
    if rule.fault not in {"fail", "garbage"} and (rule.status is not None or rule.reason):
        raise BadRuleError("only fail has a status and a reason, and garbage a status")
    if rule.fault == "fail":
        _check_status(rule)


def _check_status(rule: Rule) -> None:
    if rule.service in GRPC_SERVICES:
        if rule.status not in _CODES:
            raise BadRuleError(f"status of {rule.service} must be one of: {', '.join(_CODES)}")
    elif rule.service == "*":
        if rule.status not in _CODE_OF_STATUS:
            numbers = ", ".join(str(status) for status in _CODE_OF_STATUS)
            raise BadRuleError(f"status of all services must be one of: {numbers}; name a service for others")
    elif not isinstance(rule.status, int) or not _FIRST_REFUSAL <= rule.status <= _LAST_REFUSAL:
        raise BadRuleError(f"status of {rule.service} must be a number from {_FIRST_REFUSAL} to {_LAST_REFUSAL}")


def _shape() -> str:
    fields = {
        "fault": "|".join(MEANINGS),
        "service": "|".join(Service.__args__),  # type: ignore[attr-defined]  # typing hides it
        "method": "pattern",
        "after": "true|false",
        "nth": "1..",
        "every": "1..",
        "share": "0..1",
        "seed": "number",
        "times": "1..|null",
        "status": "HTTP number, or gRPC code",
        "reason": "text",
        "seconds": "0..3600",
        "retry_after": "seconds",
        "body": "text",
    }
    return ", ".join(f"{name} ({values})" for name, values in fields.items())


@functools.lru_cache(maxsize=256)
def _pattern(method: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(method))
