"""Partial responses: parses and applies the ``fields`` parameter.

Grammar: ``a,b``; ``a/b``; ``a(b,c/d)``; ``*``. See
https://developers.google.com/workspace/calendar/api/guides/performance#partial-response
"""

import re
from typing import Any

from local.google.errors import ApiError, invalid

# Name -> what is selected below it; an empty mask selects everything below.
Mask = dict[str, "Mask"]

_TOKEN = re.compile(r"[A-Za-z0-9_$-]+|[*/(),]")


def parse(text: str) -> Mask:
    """The mask as a tree; raises `ApiError` (400) where the grammar is broken."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text.replace(" ", ""):
        raise _broken(text)
    mask, rest = _selection(tokens, text)
    if rest:
        raise _broken(text)
    return mask


def _broken(text: str) -> ApiError:
    return invalid(f"Invalid field selection {text}", "fields", reason="invalidParameter")


def _selection(tokens: list[str], text: str) -> tuple[Mask, list[str]]:
    mask: Mask = {}
    while True:
        path, below, tokens = _path(tokens, text)
        node = mask
        for position, name in enumerate(path):
            last = position == len(path) - 1
            if last and not below:
                node[name] = {}  # Everything: wins over parts of it.
            elif name in node and not node[name]:
                break  # Already selected whole.
            else:
                node = node.setdefault(name, {})
                if last:
                    node.update(below)
        if not tokens or tokens[0] != ",":
            return mask, tokens
        tokens = tokens[1:]


def _path(tokens: list[str], text: str) -> tuple[list[str], Mask, list[str]]:
    path = []
    while True:
        if not tokens or tokens[0] in "/(),":
            raise _broken(text)
        path.append(tokens[0])
        tokens = tokens[1:]
        if tokens and tokens[0] == "/":
            tokens = tokens[1:]
            continue
        if tokens and tokens[0] == "(":
            below, tokens = _selection(tokens[1:], text)
            if not tokens or tokens[0] != ")":
                raise _broken(text)
            return path, below, tokens[1:]
        return path, {}, tokens


def apply(mask: Mask, value: Any) -> Any:
    """The selected part of `value`, new where something was left out; lists are selected from item by item."""
    if not mask or mask.get("*") == {}:
        return value
    if isinstance(value, list):
        return [apply(mask, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in mask:
        return {name: apply(mask.get(name, mask["*"]), item) for name, item in value.items()}
    return {name: apply(mask[name], item) for name, item in value.items() if name in mask}
