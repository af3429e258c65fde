"""What waits for a person: one document in ``studios/{studio_id}/inbox`` for each question, written by runs.

Front-ends show `text`, and write `answer`; a held deletion is answered in the user's settings by its hold id.
"""

import datetime as dt
from typing import Any, Literal

import msgspec

InboxKind = Literal["removed_from_calendar", "held"]
InboxStatus = Literal["open", "answered", "gone"]

# How a person may answer "removed from one of several calendars".
TAKE_OFF: Literal["take_off"] = "take_off"
PUT_BACK: Literal["put_back"] = "put_back"


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
