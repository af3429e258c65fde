"""The whole policy: what one item becomes, given what the studio holds, what the calendar holds, and what was agreed.

    link     studio  calendar  outcome (each is a function in `outcomes.py`)
    -------  ------  --------  -------------------------------------------------------------------------------------
    none     here    -         enter the calendar, if in scope
    none     -       here      enter the studio, if in scope; join the appointment that it is a guest's copy of; an
                               unrecorded entry of ours whose appointment is gone is taken out
    none     here    here      pair: merge, an unrecorded write of ours known by its seal
    paired   here    here      merge what changed since the agreement, unit by unit
    paired   here    -         deleted in the calendar: cancel; but an edit here enters it again, and where others are
                               assigned too a person is asked
    paired   -       here      cancelled or erased: take it out of the calendar, what was edited there is in the log;
                               reassigned: what was edited there goes to the studio first
    linked   -       -         bury; none or gone: it is wanted in no calendar, so in no earlier one either
    leaving  here    -         it was us who deleted it, and it is wanted again: enter it again (look first)
    removed  here    -         wait for an edit in the studio, or for a person's answer
    removed  here    here      restored: paired as before
    gone     here    -         as none: the event is taken out of the bin, or its next generation is entered
    gone     here    here      as none
    gone     -       here      restored from the bin: reinstate, if it was the calendar that cancelled it

    Two-way off: an event deleted there is entered again, and nothing that was edited there comes in.
    Somebody else's event is never deleted or changed: the pair stands, whatever the studio does.
    Before all: what does not fit is parked, and so is what a person is asked about (`doubt.py`); an event that is
    merely not to be found is verified first.
    After all: the guard holds deletions of an unusual number (`guard.py`); a held one waits for a person's word.

    After that: what is here, or wanted in no calendar, goes from those that the user had before (`Operation.moves`).
    What becomes of it there is the same table, read for that calendar, in which the user has nothing any more.

*Here* in the studio means: the document exists, is not cancelled, this user is assigned, and has not left this calendar
for another. *Here* in the calendar means: not deleted. What is in scope is `scope.py`, how two edits become one
`merge.py`, what the studio may see `visibility.py`. `decide` is pure: a preview, a dry run, the log and "why" are the
same operations.
"""

import msgspec

from shared.domain import outcomes
from shared.domain.content import Content
from shared.domain.doubt import in_the_inbox
from shared.domain.errors import Park
from shared.domain.link import Link
from shared.domain.occurrence import entered_alone, is_mine, placed
from shared.domain.operation import Item, Operation, Rules
from shared.domain.reasons import Reason
from shared.domain.visibility import Seen, as_agreed, seen

# An event carries its appointment's id, in a property that Google cuts at 1,024 characters.
LONGEST_ID = 800


def decide(item: Item, rules: Rules) -> Operation:
    """The operation for one item. Never raises for what an item holds: what cannot sync is parked."""
    try:
        # Then what its series makes of it is still to come: it may become a single appointment.
        alone = item.series is not None and entered_alone(item)
        if item.series is not None:
            entry = placed(item, rules)
            if isinstance(entry, Operation):
                return msgspec.structs.replace(entry, hidden=entry.hidden or _hides(entry.item, rules))
            item = entry
        if item.event is not None and item.event.missing and not item.beyond_restoring:
            return Operation(item=item, reason=Reason.NOT_FOUND, doubt=True)
        if item.event is not None and item.event.unfit is not None:
            return outcomes.unfit(item, item.event, item.event.unfit, rules)
        here, there = _in_studio(item, rules), _in_calendar(item, rules)
        if here is None and _only_said_to_be_the_same(item):
            item, there = msgspec.structs.replace(item, event=None), None
        _wait_for_answer(item, here, there)
        operation = _decided(item, here, there, rules)
    except Park as park:
        return Operation(item=item, reason=park.reason, parked=park)
    more = operation.more or (alone and operation.link is not None)
    return msgspec.structs.replace(operation, hidden=there is not None and there.hidden, more=more)


def _decided(  # noqa: C901 - the table, one line a case: any split of it would hide a part
    item: Item, here: Content | None, there: Seen | None, rules: Rules
) -> Operation:
    link = item.link
    match link, here, there:
        case None | Link(state="gone"), Content(), Seen():
            return outcomes.pair(item, here, there, rules)
        case None | Link(state="gone"), Content(), None:
            return outcomes.enter_calendar(item, here, rules)
        case None, None, Seen():
            return outcomes.enter_studio(item, there, rules)
        case Link(state="gone"), None, Seen():
            return outcomes.found_again(item, link, there, rules)
        case None | Link(state="gone"), None, None:
            return outcomes.nowhere(item)
        case Link(state="leaving") | Link(etag=""), Content(), Seen() if item.event is None:
            return outcomes.look_first(item)
        case Link(), Content(), Seen():
            return outcomes.agree(item, link, here, there, rules)
        case Link(state="leaving"), Content(), None:
            return outcomes.enter_again(item, here, rules, Reason.CREATED_IN_STUDIO)
        case Link(state="removed"), Content(), None:
            return outcomes.still_removed(item, link, here, rules)
        case Link(), Content(), None:
            return outcomes.deleted_in_calendar(item, link, here, rules)
        case Link(), None, Seen():
            return outcomes.left_studio(item, link, there, rules)
        case Link(), None, None:
            return outcomes.bury(item, link, rules)
    raise AssertionError("the table has every case")


def _in_studio(item: Item, rules: Rules) -> Content | None:
    if item.misfit is not None:
        raise item.misfit
    if item.appointment is None or not is_here(item, rules):
        return None
    if len(item.appointment_id) > LONGEST_ID:
        raise Park(Reason.INVALID, "id", f"an id of at most {LONGEST_ID} characters is needed")
    return item.appointment.content()


def _wait_for_answer(item: Item, here: Content | None, there: Seen | None) -> None:
    """Raises `Park` for what stands on one side only, and may be what stands on the other: nobody has said yet."""
    if item.link is not None and item.link.paired:
        return
    content = here if there is None else there.content if here is None else None
    # Of an appointment that comes with an event, that event is deleted: there is nothing to take it for.
    if content is None or (there is None and item.event is not None):
        return
    doubts = [one for one in item.doubts if one.holds(content)]
    if doubts:
        raise Park(Reason.DOUBTFUL, "", in_the_inbox(doubts))


def _only_said_to_be_the_same(item: Item) -> bool:
    """Whether nothing but a person's answer ties the event to the appointment: otherwise it is one by itself."""
    if item.event is None or (item.link is not None and item.link.paired):
        return False
    return any(one.ties(item.appointment_id, item.event.id) for one in item.doubts)


def _hides(item: Item, rules: Rules) -> bool:
    """Whether the event's text is not for the studio, nor for its log."""
    link = item.link
    if item.event is not None and item.event.content is not None:
        return seen(item.event, item, rules).hidden
    return link is not None and link.private_there and not rules.private_details


def is_here(item: Item, rules: Rules) -> bool:
    """Whether the appointment exists, is not cancelled, this user is assigned, and syncs with this calendar."""
    return is_mine(item.appointment, rules)


def _in_calendar(item: Item, rules: Rules) -> Seen | None:
    """What the calendar holds; where it was not asked, what was last agreed (the write tells if that is not so)."""
    link = item.link
    if item.event is not None:
        # Only what was known to be deleted is restored: not to be found after that is deleted still.
        return None if item.event.deleted or item.event.missing else seen(item.event, item, rules)
    if link is None or link.state in {"removed", "gone"}:
        return None
    return as_agreed(link, rules)
