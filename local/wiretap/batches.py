"""A batch to Google on its way: its calls are seen, and single ones refused.

A call that fails before it takes effect is taken out of what is sent; its refusal, like that of one which fails after
it, is put among the answers. The form is that of googleapiclient's batches (multipart/mixed of application/http).
"""

import re
from collections.abc import Callable, Mapping
from email.message import Message
from typing import Any

import httplib2

from local.faults.http_answers import answer_of
from local.faults.rules import Rule
from local.wiretap.names import http_call

_CONTENT_ID = re.compile(rb"^content-id:[ \t]*<?([^>\r\n]*)>?", re.IGNORECASE | re.MULTILINE)
_BOUNDARY = "batch_of_which_nothing_was_sent"
_OK = 200


class Batch:
    """The batch that is about to be sent with these headers. `methods`: of its calls, as the wiretap names them."""

    def __init__(self, headers: Mapping[str, str], body: str | bytes) -> None:
        given = {name.lower(): value for name, value in headers.items()}
        self._seam = b"\n--" + _boundary(given["content-type"])
        encoded = body if isinstance(body, bytes) else body.encode()
        self._before, *self._parts, self._end = (b"\n" + encoded.replace(b"\r\n", b"\n")).split(self._seam)
        self.methods = [_method(part) for part in self._parts]

    def send(self, refused: Mapping[int, Rule], send: Callable[[bytes], tuple[Any, bytes]]) -> tuple[Any, bytes]:
        """Sends what is left of it with `send` (which takes the body), and gives response and content for all of it."""
        left = [part for place, part in enumerate(self._parts) if place not in refused or refused[place].after]
        if left:
            response, content = send(self._seam.join([self._before, *left, self._end])[1:])
            if response.status != _OK:
                return response, content
        else:
            kind = f"multipart/mixed; boundary={_BOUNDARY}"
            response, content = httplib2.Response({"status": str(_OK), "content-type": kind}), b""
        boundary = _boundary(response["content-type"])
        replaced = {_content_id(self._parts[place]): (place, fault) for place, fault in refused.items()}
        answers = [one for one in content.split(b"--" + boundary)[1:-1] if _answered(one) not in replaced]
        for content_id, (place, fault) in replaced.items():
            answers.append(_refusal(content_id, self.methods[place], fault))
        joined = b"".join(b"--" + boundary + one for one in answers) + b"--" + boundary + b"--\r\n"
        response["content-length"] = str(len(joined))
        return response, joined


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["Content-Type"] = content_type
    return str(header.get_boundary()).encode()


def _method(part: bytes) -> str:
    request_line = part.partition(b"\n\n")[2].partition(b"\n")[0]
    verb, target, *_ = request_line.decode().split()
    return http_call(verb, target)[1]


def _content_id(part: bytes) -> bytes:
    found = _CONTENT_ID.search(part)
    return found.group(1) if found else b""


def _answered(answer: bytes) -> bytes:
    """The id of the call that this part of the answer is for."""
    return _content_id(answer).removeprefix(b"response-")


def _refusal(content_id: bytes, method: str, fault: Rule) -> bytes:
    answer = answer_of("google", method, fault)
    headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()).encode()
    head = b"\r\nContent-Type: application/http\r\nContent-ID: <response-" + content_id + b">\r\n\r\n"
    return head + f"HTTP/1.1 {answer.status} {answer.phrase}\r\n".encode() + headers + b"\r\n" + answer.body + b"\r\n"
