"""What the functions' own log says, read as an operator would read it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def entries(lines: Iterable[str], message: str | None = None) -> Iterator[dict[str, Any]]:
    """The structured entries, of one message or of all; the server's own lines are none."""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and message in {None, entry.get("message")}:
            yield entry


def wished_by_push(lines: Iterable[str], channel_id: str) -> int:
    """How many notifications of a channel wished a run."""
    told = entries(lines, "notification")
    return sum(one.get("channel") == channel_id and one.get("outcome") == "wished" for one in told)


def last_errors(lines: Sequence[str], number: int) -> list[str]:
    """The last errors, one line each: what, whose, and where it came from."""
    found = [one for one in entries(lines) if one.get("severity") in {"ERROR", "CRITICAL"}]
    return [_in_words(one) for one in found[-number:]]


def _in_words(entry: dict[str, Any]) -> str:
    left_out = {"severity", "message", "logger", "where"}
    details = ", ".join(f"{key} {value}" for key, value in entry.items() if key not in left_out)
    place = str((entry.get("where") or [""])[-1]).rpartition("/")[2]
    words = f"{entry.get('logger')}: {entry.get('message')}" + (f" ({details})" if details else "")
    return words + (f", at {place}" if place else "")
