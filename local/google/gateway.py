"""Every API call passes here, whether it came alone, inside a batch, or from a person's hand.

Discovery, token, scope, quota and faults are checked in this order; then the method's handler runs under the
simulator's lock; then the answer is cut to the field mask and the call is put on record.
"""

import dataclasses
import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from local.google import field_mask
from local.google.accounts import UI_CLIENT_ID, Accounts, Grant
from local.google.calendar_api import Call, Handler
from local.google.discovery import Discovery, Method
from local.google.errors import ApiError, known, not_simulated
from local.google.faults import ConnectionDroppedError, Faults, StrayAnswerError


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came. `target` is path and query, percent-encoded; header names are lower case."""

    http_method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    in_batch: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is answered; `content` None: no body."""

    status: int
    content: dict[str, Any] | None = None
    etag: str | None = None
    retry_after: int | None = None

    def encoded(self) -> bytes:
        """The body's bytes."""
        return b"" if self.content is None else json.dumps(self.content, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One API call on record, without credentials. `method_id` "" if no method was recognised.

    `query`: repeated parameters joined by commas; `body`: the parsed JSON, None if there was none; `account`: the
    e-mail address that the token stands for; `headers`: only If-Match and If-None-Match, lower case; `status` 0: no
    answer, or none of ours.
    """

    method_id: str
    http_method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]
    status: int
    in_batch: bool
    account: str | None
    client_id: str | None
    at: dt.datetime


class Gateway:
    """Answers calls and keeps the record of them."""

    def __init__(
        self,
        discovery: Discovery,
        handlers: Mapping[str, Handler],
        accounts: Accounts,
        faults: Faults,
        lock: threading.RLock,
        now: Callable[[], dt.datetime],
    ) -> None:
        self.discovery = discovery
        self._handlers = handlers
        self._accounts = accounts
        self._faults = faults
        self._lock = lock
        self._now = now
        self._record: list[RecordedRequest] = []

    def answer(self, incoming: Incoming, *, record: bool = True) -> Outcome:
        """Carries out one call; refusals are answers. Raises only the faults that are no answer of the API's."""
        path, _, query = incoming.target.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        found = self.discovery.find(incoming.http_method, path)
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        grant = self._accounts.grant_of(token) if scheme.lower() == "bearer" else None
        unanswered: Exception | None = None
        try:
            if found is None:
                raise known("notFound")
            outcome = self._carry_out(incoming, found, pairs, grant)
        except (ConnectionDroppedError, StrayAnswerError) as fault:
            unanswered, outcome = fault, Outcome(0)
        except ApiError as error:
            outcome = Outcome(304) if error.status == 304 else failed(error)  # noqa: PLR2004 - not modified
        if record:
            self.put_on_record(
                RecordedRequest(
                    method_id=found[0].id if found else "",
                    http_method=incoming.http_method,
                    path=path,
                    query={name: ",".join(v for n, v in pairs if n == name) for name, _ in pairs},
                    body=_parsed(incoming.body),
                    headers={n: v for n, v in incoming.headers.items() if n in {"if-match", "if-none-match"}},
                    status=outcome.status,
                    in_batch=incoming.in_batch,
                    account=grant.account.email if grant else None,
                    client_id=grant.client_id if grant else None,
                    at=self._now(),
                )
            )
        if unanswered is not None:
            raise unanswered
        return outcome

    def put_on_record(self, request: RecordedRequest) -> None:
        """Adds to the record."""
        with self._lock:
            self._record.append(request)

    def recorded(self) -> list[RecordedRequest]:
        """All calls so far, oldest first."""
        with self._lock:
            return list(self._record)

    def clear_record(self) -> None:
        """Starts the record anew."""
        with self._lock:
            self._record.clear()

    def _carry_out(
        self,
        incoming: Incoming,
        found: tuple[Method, dict[str, str]],
        pairs: list[tuple[str, str]],
        grant: Grant | None,
    ) -> Outcome:
        method, path = found
        if grant is None:
            raise known("authError")
        if not grant.scopes & method.scopes:
            raise known("insufficientPermissions")
        # The hand of a person shall not use up what a test has in store for the product.
        trusted = grant.client_id == UI_CLIENT_ID
        if not trusted:
            self._faults.check_quota(grant.account.email)
            self._faults.meet(method.id)
        query = self.discovery.query(method, pairs)
        mask = field_mask.parse(query["fields"]) if "fields" in query else {}
        self.discovery.check_mask(method, mask)
        body = self.discovery.body(method, incoming.body)
        handler = self._handlers.get(method.id)
        if handler is None:
            raise not_simulated(method.id)
        call = Call(
            account=grant.account,
            client_id=grant.client_id,
            path=path,
            query=query,
            body=body or {},
            if_match=incoming.headers.get("if-match"),
            if_none_match=incoming.headers.get("if-none-match"),
        )
        with self._lock:
            result = handler(call)
        if not trusted:
            self._faults.meet(method.id, after_effect=True)
        if result is None:
            return Outcome(204)
        return Outcome(200, field_mask.apply(mask, result), result.get("etag"))


def failed(error: ApiError) -> Outcome:
    """The answer that says so."""
    return Outcome(error.status, error.body(), retry_after=error.retry_after)


def as_inner(incoming: Incoming, authorization: str | None) -> Incoming:
    """A part of a batch: with the batch's authorization unless it brings its own."""
    headers = dict(incoming.headers)
    if authorization is not None:
        headers.setdefault("authorization", authorization)
    return dataclasses.replace(incoming, headers=headers, in_batch=True)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
