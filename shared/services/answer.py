"""The answer to the question why something is not there, and what it is where nothing is to be carried."""

import datetime as dt

import msgspec

from shared.domain.event import Event
from shared.domain.link import Held, Link
from shared.domain.operation import Item, Operation, Rules
from shared.domain.plan import is_here
from shared.domain.reasons import Reason
from shared.domain.visibility import seen

# Both sides have it, and no run has anything to carry.
_IN_STEP = frozenset({Reason.AGREED, Reason.BASELINE, Reason.ANOTHERS})


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """The connection that the answer was found in. `running`: a run is under way."""

    connection_id: str
    state: str
    synced_at: dt.datetime | None
    next_sync_at: dt.datetime | None
    running: bool


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. Ids, reasons and the names of fields: nothing that a client or a guest has written.

    `in_step`: it is on the other side, and nothing waits to be carried. `field` and `detail` say what is the matter.
    `at`: when a run will look at it, where that changes something; `then`: what that run makes of it. `looked` is None
    where there is no connection.
    """

    reason: Reason
    in_step: bool = False
    field: str = ""
    detail: str = ""
    at: dt.datetime | None = None
    then: Reason | None = None
    appointment_id: str | None = None
    event_id: str | None = None
    looked: Looked | None = None


def left_alone(operation: Operation, event: Event | None, rules: Rules, hold: str | None) -> Why:
    """What to say where nothing is to be carried, in either direction.

    `event`: as the calendar has it now, read by a run or not; `hold`: the question that the connection waits with.
    """
    one, link = operation.item, operation.link or operation.item.link
    if operation.reason is Reason.GONE_ON_BOTH:
        return Why(reason=one.gone)
    if operation.reason is Reason.HELD and (held := _held(one, link)) is not None:
        return Why(reason=Reason.HELD, detail=f"in the inbox: {hold or held.id}")
    if operation.reason not in _IN_STEP:
        asked = None if link is None else link.asked
        return Why(reason=operation.reason, detail="" if asked is None else f"in the inbox: {asked}")
    if one.event is None and event is not None and link is not None:
        # Where the calendar is not read, what a person did there is seen by nobody but whoever asks.
        if event.deleted or event.missing:
            return Why(reason=Reason.REMOVED_WHILE_UNREAD)
        if event.content is None or seen(event, one, rules).content != link.calendar:
            return Why(reason=Reason.ONE_WAY, detail="it was edited in the calendar, and that stays there")
    return Why(reason=operation.reason, in_step=is_here(one, rules) and not _kept_apart(operation))


def _held(one: Item, link: Link | None) -> Held | None:
    """What an item waits for: its own deletion, or that of its series."""
    of_series = None if one.series is None else one.series.link
    return next((known.held for known in (link, of_series) if known is not None and known.held is not None), None)


def _kept_apart(operation: Operation) -> bool:
    """Whether the sides differ for good: somebody else's event, and an edit that stays in the studio."""
    link = operation.link or operation.item.link
    if operation.reason is not Reason.ANOTHERS or link is None or link.studio is None or link.calendar is None:
        return False
    return bool(link.studio.differs(link.calendar))
