"""Two versions of one entry, and what was agreed before, made one: unit by unit.

| studio changed | calendar changed | result                                               |
|----------------|------------------|------------------------------------------------------|
| no             | no               | stays (also where both sides store it differently)   |
| yes            | no               | studio's goes to the calendar                        |
| no             | yes              | calendar's goes to the studio                        |
| yes            | yes, the same    | agreed                                               |
| yes            | yes, another     | the studio's clash policy decides, the loser is kept |

Units that are not ours to write (somebody else's event, a private text) only ever go to the studio.
"""

from typing import Literal

import msgspec

from shared.domain.content import UNITS, Content, Unit, normal, same, unit_hash, with_units
from shared.domain.link import Link, Seal
from shared.domain.settings import ClashPolicy

Side = Literal["studio", "calendar"]


class Lost(msgspec.Struct, frozen=True):
    """A value that lost a clash: whose it was, and what it said."""

    unit: Unit
    side: Side
    value: str


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """Each side as it will be, which of its units must be written for that, and what lost."""

    studio: Content
    calendar: Content
    to_studio: frozenset[Unit]
    to_calendar: frozenset[Unit]
    lost: tuple[Lost, ...]


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the last agreement: the link's columns, overridden by a seal that no link knows yet."""

    link: Link | None = None
    pending: Seal | None = None

    def changed(self, unit: Unit, studio: Content, calendar: Content) -> tuple[bool, bool] | None:
        """Whether the studio, and whether the calendar, changed this unit; None where nothing tells."""
        if self.pending is not None and unit in self.pending.sent:
            sent = self.pending.sent[unit]
            if unit_hash(unit, studio) == sent and _cut(normal(unit, studio), normal(unit, calendar)):
                return False, False
            return unit_hash(unit, studio) != sent, unit_hash(unit, calendar) != sent
        if self.link is not None and self.link.studio is not None and self.link.calendar is not None:
            return not same(unit, studio, self.link.studio), not same(unit, calendar, self.link.calendar)
        return None


# Google stores the first 8,192 characters of a description (seen in the field, not documented).
CUT_FROM = 8_000


def _cut(sent: str, stored: str) -> bool:
    """Whether `stored` is what a provider leaves of a text that is too long for it; half an emoji has become a �."""
    return len(stored) >= CUT_FROM and len(stored) < len(sent) and sent.startswith(stored.removesuffix("�"))


NOTHING: frozenset[Unit] = frozenset()


def merge(
    studio: Content,
    calendar: Content,
    base: Base,
    winner: Side,
    *,
    two_way: bool = True,
    frozen: frozenset[Unit] = NOTHING,
) -> Merged:
    """Merge unit by unit; `winner` is the side that a true clash goes to.

    Without `two_way` the calendar is a mirror: wherever it was changed, the studio's value goes back into it. Units
    that are `frozen` are not ours to write there: the studio keeps its edit to itself, a clash goes to the calendar.
    """
    to_studio: set[Unit] = set()
    to_calendar: set[Unit] = set()
    lost: list[Lost] = []
    for unit in UNITS:
        if same(unit, studio, calendar):
            continue
        match base.changed(unit, studio, calendar):
            case (False, False):
                pass
            case (True, False):
                to_calendar.add(unit)
            case (False, True) if two_way:
                to_studio.add(unit)
            case (True, True) if two_way and unit in frozen:
                to_studio.add(unit)
                lost.append(Lost(unit, "studio", normal(unit, studio)))
            case (_, True) if winner == "studio" or not two_way:
                to_calendar.add(unit)
                lost.append(Lost(unit, "calendar", normal(unit, calendar)))
            case (_, True):
                to_studio.add(unit)
                lost.append(Lost(unit, "studio", normal(unit, studio)))
            case _:
                _without_base(unit, studio, calendar, to_studio, to_calendar, lost, two_way=two_way)
    to_calendar -= frozen
    lost = [loser for loser in lost if loser.side == "studio" or loser.unit in to_calendar]
    return Merged(
        studio=with_units(studio, calendar, frozenset(to_studio)),
        calendar=with_units(calendar, studio, frozenset(to_calendar)),
        to_studio=frozenset(to_studio),
        to_calendar=frozenset(to_calendar),
        lost=tuple(lost),
    )


def _without_base(
    unit: Unit,
    studio: Content,
    calendar: Content,
    to_studio: set[Unit],
    to_calendar: set[Unit],
    lost: list[Lost],
    *,
    two_way: bool,
) -> None:
    """Nobody knows who changed what: an empty text yields to a full one, otherwise the studio has it."""
    if two_way and unit in {"title", "description", "location"} and not normal(unit, studio):
        to_studio.add(unit)
        return
    to_calendar.add(unit)
    if value := normal(unit, calendar):
        lost.append(Lost(unit, "calendar", value))


def clash_winner(policy: ClashPolicy, studio_changed_at: float | None, calendar_changed_at: float | None) -> Side:
    """Which side a clash goes to. Times are seconds since the epoch; `latest` needs both, else the studio has it."""
    match policy:
        case "google":
            return "calendar"
        case "latest" if studio_changed_at is not None and calendar_changed_at is not None:
            return "calendar" if calendar_changed_at > studio_changed_at else "studio"
        case _:
            return "studio"
