"""Batches: many calls in one multipart/mixed request.

After https://developers.google.com/workspace/calendar/api/guides/batch: parts of type application/http with a path-only
URL, answered with ``Content-ID: <response-...>`` and a status each; the outer Authorization counts for parts without
their own. Google promises no order of execution, so the parts run shuffled.
"""

import random
from collections.abc import Callable
from email.message import Message
from email.parser import BytesHeaderParser
from http.client import responses

from local.google.errors import invalid
from local.google.gateway import Incoming, Outcome, as_inner

_BOUNDARY = "batch_simulated_google"
_PARSER = BytesHeaderParser()


def carry_out(
    content_type: str,
    authorization: str | None,
    body: bytes,
    answer: Callable[[Incoming], Outcome],
    *,
    max_calls: int,
    order: random.Random,
) -> tuple[str, bytes]:
    """The content type and body of the answer; raises `ApiError` (400) where the batch as a whole is refused."""
    parts = [_call(part, authorization) for part in _parts(content_type, body)]
    if len(parts) > max_calls:
        raise invalid(f"The batch request contains too many calls: {len(parts)} > {max_calls}.", reason="badRequest")
    outcomes: dict[int, Outcome] = {}
    for position in order.sample(range(len(parts)), len(parts)):
        outcomes[position] = answer(parts[position][1])
    written = b"".join(_written(parts[position][0], outcomes[position]) for position in range(len(parts)))
    return f"multipart/mixed; boundary={_BOUNDARY}", written + f"--{_BOUNDARY}--\r\n".encode()


def _parts(content_type: str, body: bytes) -> list[bytes]:
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/mixed" or boundary is None:
        raise invalid("A batch must be multipart/mixed with a boundary.", reason="badRequest")
    pieces = (b"\n" + body.replace(b"\r\n", b"\n")).split(b"\n--" + boundary.encode())
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 - what precedes, one part, the end
        raise invalid("The batch request holds no call or does not end.", reason="badRequest")
    return [piece.removeprefix(b"\n") for piece in pieces[1:-1]]


def _call(part: bytes, authorization: str | None) -> tuple[str, Incoming]:
    outer, _, inner = part.partition(b"\n\n")
    headers = _PARSER.parsebytes(outer + b"\n\n")
    if headers.get_content_type() != "application/http":
        raise invalid("A batch's parts must be application/http.", reason="badRequest")
    request_line, _, rest = inner.partition(b"\n")
    words = request_line.decode().split()
    if len(words) < 2 or not words[1].startswith("/"):  # noqa: PLR2004 - method and target
        raise invalid("A batch's part must start with a method and a path.", reason="badRequest")
    # Google's client writes a part without headers as one blank line, and one with headers as these and a blank line.
    head, _, body = (b"\n" + rest).partition(b"\n\n")
    own = {name.lower(): value for name, value in _PARSER.parsebytes(head.lstrip(b"\n") + b"\n\n").items()}
    incoming = Incoming(words[0], words[1], own, body.strip(b"\n"))
    return headers.get("Content-ID", ""), as_inner(incoming, authorization)


def _written(content_id: str, outcome: Outcome) -> bytes:
    body = outcome.encoded()
    lines = [f"--{_BOUNDARY}", "Content-Type: application/http"]
    if content_id:
        lines.append(f"Content-ID: <response-{content_id.strip('<>')}>")
    lines += ["", f"HTTP/1.1 {outcome.status} {responses.get(outcome.status, '')}"]
    if outcome.etag is not None:
        lines.append(f"ETag: {outcome.etag}")
    if outcome.retry_after is not None:
        lines.append(f"Retry-After: {outcome.retry_after}")
    if body:
        lines.append("Content-Type: application/json; charset=UTF-8")
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body + b"\r\n"
