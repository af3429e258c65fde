"""What waits for a person: one document in ``studios/{studio_id}/inbox`` for each question, written by runs.

Front-ends show `text`, and write `answer`; a held deletion is answered in the user's settings by its hold id.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from shared.domain.doubt import DIFFERENT, SAME

InboxKind = Literal["removed_from_calendar", "held", "pair"]
InboxStatus = Literal["open", "answered", "gone"]

# How a person may answer "removed from one of several calendars".
TAKE_OFF: Literal["take_off"] = "take_off"
PUT_BACK: Literal["put_back"] = "put_back"

# What may be answered in the question itself, by its kind.
ANSWERS: Mapping[str, frozenset[str]] = {
    "removed_from_calendar": frozenset({TAKE_OFF, PUT_BACK}),
    "pair": frozenset({SAME, DIFFERENT}),
}


class InboxItem(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `refs` names what it is about (ids); `answer` is a front-end's, everything else the backend's.

    `status`: ``open``, ``answered`` (carried out), or ``gone`` (it has settled itself, or a later one has its place).
    """

    kind: InboxKind
    user_id: str
    text: str
    refs: dict[str, Any] = msgspec.field(default_factory=dict)
    status: InboxStatus = "open"
    created_at: dt.datetime | None = None
    answer: str | None = None


def read_item(document: Mapping[str, Any]) -> InboxItem | None:
    """The question that a document is, field by field, as front-ends may have written any of them.

    What is no value of its field counts as not there. None where it is no question that we know.
    """
    kind: Any = document.get("kind")
    status: Any = document.get("status")
    refs, created_at, answer = document.get("refs"), document.get("created_at"), document.get("answer")
    if kind not in get_args(InboxKind):
        return None
    return InboxItem(
        kind=kind,
        user_id=_text(document.get("user_id")),
        text=_text(document.get("text")),
        refs=dict(refs) if isinstance(refs, Mapping) else {},
        status=status if status in get_args(InboxStatus) else "open",
        created_at=created_at if isinstance(created_at, dt.datetime) else None,
        answer=answer if isinstance(answer, str) else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
