"""What may be one entry on both sides waits on both, as long as it is so and nobody has said otherwise."""

import msgspec
import pytest

from shared.domain.doubt import Doubt
from shared.domain.link import Link
from shared.domain.operation import Item
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    a_foreign_event,
    a_link,
    a_removed_link,
    a_tombstone,
    an_appointment,
    content,
    item,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, decided, deeds

DOUBT = Doubt(
    question="pair-1", appointment_id="appt1", event_id="foreign1", import_id="gimport", when=content().when.shown()
)
HERE = item(appointment=an_appointment(), doubts=(DOUBT,))
THERE = item(appointment_id="gimport", event=a_foreign_event(), doubts=(DOUBT,))


@pytest.mark.parametrize("this", [HERE, THERE], ids=["here", "there"])
def test_it_waits_on_the_side_that_it_is_on_and_says_where_the_question_is(this: Item) -> None:
    operation = decided(this)
    assert (operation.reason, operation.calendar, operation.studio) == (Reason.DOUBTFUL, None, None)
    assert operation.parked is not None
    assert operation.parked.detail == "in the inbox: pair-1"


@pytest.mark.parametrize(("this", "expected"), [(HERE, "insert"), (THERE, "create")], ids=["here", "there"])
def test_said_to_be_two_each_is_entered(this: Item, expected: str) -> None:
    different = msgspec.structs.replace(DOUBT, answer="different")
    operation = decided(msgspec.structs.replace(this, doubts=(different,)))
    assert deeds(operation).startswith(expected)


def test_said_to_be_the_same_it_waits_for_the_run_that_brings_both() -> None:
    same = msgspec.structs.replace(DOUBT, answer="same")
    assert decided(msgspec.structs.replace(HERE, doubts=(same,))).reason is Reason.DOUBTFUL
    both = item(appointment=an_appointment(), event=a_foreign_event(title="Lunch"), doubts=(same,))
    assert decided(both).reason is Reason.MATCHED


@pytest.mark.parametrize(
    ("this", "reason"),
    [
        (item(appointment=an_appointment("11:00"), doubts=(DOUBT,)), Reason.CREATED_IN_STUDIO),
        (item(appointment_id="gimport", event=a_foreign_event("11:00"), doubts=(DOUBT,)), Reason.CREATED_IN_CALENDAR),
        (item(appointment=CANCELLED, doubts=(DOUBT,)), Reason.GONE_ON_BOTH),
        (item(appointment=REASSIGNED, doubts=(DOUBT,)), Reason.GONE_ON_BOTH),
        (item(doubts=(DOUBT,)), Reason.GONE_ON_BOTH),
        (
            item(appointment=an_appointment(), event=a_foreign_event(content=None, etag=""), doubts=(DOUBT,)),
            Reason.CREATED_IN_STUDIO,
        ),
    ],
    ids=["moved here", "moved there", "cancelled", "reassigned", "erased", "the event is deleted"],
)
def test_what_has_become_of_it_may_end_the_doubt(this: Item, reason: Reason) -> None:
    assert decided(this).reason is reason


@pytest.mark.parametrize(
    ("link", "waits"), [(a_link(), False), (a_removed_link(), False), (a_tombstone(), True)], ids=str
)
def test_a_pair_is_in_no_doubt_and_what_is_left_of_one_is(link: Link, waits: bool) -> None:
    operation = decided(msgspec.structs.replace(HERE, link=link))
    assert (operation.reason is Reason.DOUBTFUL) == waits


def test_the_questions_of_all_doubts_that_hold_are_named() -> None:
    other = msgspec.structs.replace(DOUBT, question="pair-2", event_id="foreign2")
    over = msgspec.structs.replace(DOUBT, question="pair-3", answer="different")
    operation = decided(msgspec.structs.replace(HERE, doubts=(other, over, DOUBT)))
    assert operation.parked is not None
    assert operation.parked.detail == "in the inbox: pair-1 pair-2"
