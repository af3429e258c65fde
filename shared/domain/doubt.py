"""What may be one entry on both sides, and only a person can tell: same time, other words.

A doubt is asked once, as a question in the inbox, and kept with what is parked for it. Until it is answered neither of
the two is entered on the other side. It holds as long as the two stand at the same time: what is moved, or is not there
any more, is in doubt no longer.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Literal

import msgspec

from shared.domain.content import Content

# How a person may answer: they are one entry; they are two.
SAME: Literal["same"] = "same"
DIFFERENT: Literal["different"] = "different"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of what may be a pair. `start` and `end`: instants in UTC, or dates, of a series those of its first
    occurrence; `hidden`: its text is not for the studio.
    """

    id: str
    title: str
    start: dt.datetime | dt.date
    end: dt.datetime | dt.date
    repeats: bool = False
    hidden: bool = False


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment and an entry of the calendar that stand at the same time, and are tied by nothing."""

    studio: Side
    calendar: Side


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A question about an appointment and an event. `when`: the time at which both stand (`When.shown`); `import_id`:
    the appointment that the event becomes if they are two. `answer`: what a person has said so far.
    """

    question: str
    appointment_id: str
    event_id: str
    import_id: str
    when: str
    answer: Literal["same", "different"] | None = None

    def concerns(self, appointment_id: str, event_id: str | None) -> bool:
        return appointment_id in {self.appointment_id, self.import_id} or event_id == self.event_id

    def ties(self, appointment_id: str, event_id: str) -> bool:
        """Whether somebody has said that these two are one entry."""
        return self.answer == SAME and (appointment_id, event_id) == (self.appointment_id, self.event_id)

    def holds(self, content: Content) -> bool:
        """Whether one of the two, as it is now, must wait."""
        return self.answer != DIFFERENT and content.when.shown() == self.when


def side(item_id: str, content: Content, *, hidden: bool = False) -> Side:
    when = content.when
    return Side(
        id=item_id,
        title="" if hidden else content.title,
        start=when.start,
        end=when.end,
        repeats=when.repeats,
        hidden=hidden,
    )


def in_the_inbox(doubts: Iterable[Doubt]) -> str:
    """Where a person finds the questions: ids, and nothing that anybody has written."""
    return f"in the inbox: {' '.join(sorted({one.question for one in doubts}))}"
