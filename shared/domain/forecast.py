"""What a run comes to, counted: of each kind how many, which way, and why. Pure: operations in, numbers out."""

from collections import Counter
from typing import Literal, NamedTuple

import msgspec

from shared.domain import quotas
from shared.domain.event import Delete, Insert, Patch, Restore
from shared.domain.operation import CancelAppointment, CreateAppointment, Item, Operation
from shared.domain.reasons import Reason

Direction = Literal["to_calendar", "to_studio", "both"]
Deed = Literal["enter", "pair", "join", "change", "remove", "keep", "leave_out", "ask", "park"]
Form = Literal["single", "series", "occurrence"]


class Quota(NamedTuple):
    """What the provider takes from one user: calls a minute, and calls in one request."""

    calls_per_minute: int
    calls_per_request: int


# Google's quota for each user of a project, as it is preset, and as many calls as one batch has been seen to take.
QUOTA = Quota(calls_per_minute=quotas.PER_USER, calls_per_request=50)


class Line(NamedTuple):
    """One kind of what happens to items. Of what is left out or parked, `direction` is where it would go.

    | deed        | what happens                                                                                       |
    |-------------|----------------------------------------------------------------------------------------------------|
    | `enter`     | it is made on the other side                                                                       |
    | `pair`      | it stands on both sides already: tied, and merged where the two differ                             |
    | `join`      | a guest's copy of an appointment that the studio has: this user is added to that                   |
    | `change`    | a pair: what has changed on one side goes to the other                                             |
    | `remove`    | a pair: deleted or cancelled on the other side                                                     |
    | `keep`      | a pair, in step                                                                                    |
    | `leave_out` | nothing, for the `reason` given                                                                    |
    | `ask`       | nothing before somebody says whether it is what stands on the other side at the same time         |
    | `park`      | nothing before somebody corrects it, for the `reason` given                                        |
    """

    direction: Direction
    deed: Deed
    form: Form
    reason: Reason


class Count(msgspec.Struct, frozen=True):
    """How many items have one line."""

    direction: Direction
    deed: Deed
    form: Form
    reason: Reason
    number: int


class Traffic(msgspec.Struct, frozen=True):
    """Calls of the provider's interface, and the HTTP requests that carry them."""

    requests: int = 0
    calls: int = 0

    def plus(self, calls: int) -> "Traffic":
        """With so many calls more, sent together as far as requests take them."""
        requests = -(-calls // QUOTA.calls_per_request)
        return Traffic(self.requests + requests, self.calls + calls)


def minutes(*traffic: Traffic) -> float:
    """The shortest time that the quota leaves for it."""
    return round(sum(one.calls for one in traffic) / QUOTA.calls_per_minute, 1)


def line(operation: Operation) -> Line:
    """What becomes of one item."""
    direction, deed = _deed(operation)
    one = operation.item
    form: Form = "occurrence" if one.series_id else "series" if one.repeats else "single"
    reason = one.gone if operation.reason is Reason.GONE_ON_BOTH else operation.reason
    return Line(direction, deed, form, reason)


def counts(lines: Counter[Line]) -> tuple[Count, ...]:
    """In the order of directions and deeds, the most frequent reason first."""
    rank = {deed: place for place, deed in enumerate(Deed.__args__)}  # type: ignore[attr-defined]
    way = {direction: place for place, direction in enumerate(Direction.__args__)}  # type: ignore[attr-defined]
    ordered = sorted(lines.items(), key=lambda one: (way[one[0].direction], rank[one[0].deed], -one[1], one[0]))
    return tuple(Count(*one, number) for one, number in ordered)


def _deed(  # noqa: C901 - a table, one line a case
    operation: Operation,
) -> tuple[Direction, Deed]:
    one, calendar, studio = operation.item, operation.calendar, operation.studio
    if operation.parked is not None:
        return _way(one), "ask" if operation.reason is Reason.DOUBTFUL else "park"
    if operation.reason is Reason.MATCHED:
        return "both", "pair"
    if operation.reason is Reason.JOINED:
        return "to_studio", "join"
    match calendar, studio:
        case (Insert() | Restore(), _):
            return "to_calendar", "enter"
        case (_, CreateAppointment()):
            return "to_studio", "enter"
        case (Delete(), _):
            return "to_calendar", "remove"
        case (_, CancelAppointment()):
            return "to_studio", "remove"
        case (Patch(), None):
            return "to_calendar", "change"
        case (None, _) if studio is not None:
            return "to_studio", "change"
        case (Patch(), _):
            return "both", "change"
    before, after = one.link, operation.link or one.link
    if after is None or after.state != "paired" or operation.reason is Reason.HELD:
        return _way(one), "leave_out"
    return "both", "keep" if before is not None and before.paired else "pair"


def _way(one: Item) -> Direction:
    """Where it would go: to the side that does not have it."""
    here = one.appointment is not None or one.misfit is not None
    there = one.event is not None and not (one.event.deleted or one.event.missing)
    return "both" if here == there else "to_calendar" if here else "to_studio"
