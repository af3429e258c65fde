"""What goes over to another calendar of the user, and what becomes of it in the one before."""

from typing import Any

import pytest

from shared.domain.content import Content
from shared.domain.link import Link
from shared.domain.operation import Earlier, Item, UpdateAppointment
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    SINCE,
    a_deleted_event,
    a_link,
    a_missing_event,
    a_removed_link,
    a_seal,
    a_tombstone,
    an_appointment,
    an_event,
    held_on,
    holding,
    item,
    somebody_elses,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, A, B, decided, deeds


def before(link: Link | None) -> tuple[Earlier, ...]:
    """What the calendar before has of it."""
    return (Earlier(connection_id="before", link=link),)


HERE = holding(A)
PAIR, THEIRS, REMOVED = a_link(A), a_link(A, theirs=True), a_removed_link(A)

# --- when it goes from the calendar before ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("this", "earlier", "goes"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("entered here", item(appointment=HERE), PAIR, True),
            ("entered here, and perhaps there", item(appointment=HERE), None, True),
            ("entered here, removed there", item(appointment=holding(B)), REMOVED, True),
            ("entered here, where a run there was taking it out",
             item(appointment=HERE), a_link(A, state="leaving"), True),
            ("entered here, somebody else's there", item(appointment=HERE), THEIRS, False),
            ("not entered here", item(appointment=HERE, changed_at=None), PAIR, False),
            ("here for long", item(appointment=HERE, link=a_link(A)), PAIR, True),
            ("here, and its event is seen",
             item(appointment=HERE, link=a_link(A), event=an_event(holds=A)), PAIR, True),
            ("somebody else's here",
             item(appointment=HERE, link=THEIRS, event=somebody_elses(holds=A)), PAIR, False),
            ("held here", item(appointment=HERE, link=a_link(A, held=held_on("calendar")), event=a_deleted_event()),
             PAIR, False),
            ("removed here by a person",
             item(appointment=holding(A, users=("ann", "bob")), link=a_link(A), event=a_deleted_event()), PAIR, False),
            ("not to be found here", item(appointment=HERE, link=a_link(A), event=a_missing_event()), PAIR, False),
            ("parked", item(appointment=an_appointment(start=None)), PAIR, False),
            ("first out of the bin here", item(appointment=holding(B), link=a_tombstone(held=A)), PAIR, False),
            ("cancelled, and never here", item(appointment=CANCELLED), PAIR, True),
            ("cancelled, here too", item(appointment=CANCELLED, link=a_link(A)), PAIR, True),
            ("cancelled, and gone here", item(appointment=CANCELLED, link=a_tombstone()), PAIR, True),
            ("deleted in the calendar here",
             item(appointment=HERE, link=a_link(A), event=a_deleted_event()), PAIR, True),
            ("erased", item(), PAIR, True),
            ("reassigned", item(appointment=REASSIGNED), PAIR, True),
            ("reassigned, somebody else's was removed there by a person",
             item(appointment=REASSIGNED), a_removed_link(A, theirs=True), True),
            ("reassigned, somebody else's there", item(appointment=REASSIGNED), THEIRS, False),
        ]
    ],
)  # fmt: skip
def test_what_is_here_or_wanted_nowhere_goes_from_the_calendar_before(
    this: Item, earlier: Link | None, goes: bool
) -> None:
    operation = decided(_with(this, before(earlier)), active_since=SINCE)
    assert operation.moves is goes
    assert not decided(this, active_since=SINCE).moves, "where there was no calendar before, nothing goes"


def _with(this: Item, earlier: tuple[Earlier, ...]) -> Item:
    fields = {name: getattr(this, name) for name in Item.__struct_fields__}
    return Item(**{**fields, "earlier": earlier})


# --- what becomes of it there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("this", "done", "reason"),
    [
        pytest.param(*row[1:], id=row[0])
        for row in [
            ("as it was", item(appointment=holding(B), link=PAIR), "delete, bury", Reason.MOVED),
            ("edited there", item(appointment=HERE, link=PAIR, event=an_event(holds=B)),
             "update, pair, more", Reason.CHANGED_IN_CALENDAR),
            ("deleted there", item(appointment=HERE, link=PAIR, event=a_deleted_event()), "bury", Reason.GONE_ON_BOTH),
            ("not to be found there", item(appointment=HERE, link=PAIR, event=a_missing_event()),
             "doubt", Reason.NOT_FOUND),
            ("removed there by a person", item(appointment=HERE, link=REMOVED), "bury", Reason.GONE_ON_BOTH),
            ("somebody else's there", item(appointment=HERE, link=THEIRS, event=somebody_elses(holds=A)),
             "pair", Reason.ANOTHERS),
            ("cancelled", item(appointment=CANCELLED, link=PAIR), "delete, bury", Reason.CANCELLED_IN_STUDIO),
            ("erased", item(link=PAIR), "delete, bury", Reason.CANCELLED_IN_STUDIO),
            ("reassigned as well", item(appointment=REASSIGNED, link=PAIR), "delete, bury", Reason.MOVED),
            ("entered there and not recorded", item(appointment=HERE, event=an_event(holds=A, seal=a_seal(A))),
             "delete, bury", Reason.MOVED),
            ("the same, and edited there", item(appointment=HERE, event=an_event(holds=B, seal=a_seal(A))),
             "update, pair, more", Reason.CHANGED_IN_CALENDAR),
            ("never there", item(appointment=HERE), "nothing", Reason.GONE_ON_BOTH),
            ("gone there", item(appointment=HERE, link=a_tombstone(held=A)), "nothing", Reason.GONE_ON_BOTH),
        ]
    ],
)  # fmt: skip
def test_what_becomes_of_it_in_a_calendar_that_the_user_has_left(this: Item, done: str, reason: Reason) -> None:
    operation = decided(this, left=True)
    assert (deeds(operation), operation.reason) == (done, reason)
    assert not operation.takes_away or reason is Reason.CANCELLED_IN_STUDIO


@pytest.mark.parametrize("sees", [True, False], ids=["seen", "not asked"])
def test_in_a_mirror_what_was_edited_there_is_in_the_log_and_goes(sees: bool) -> None:
    this = item(appointment=HERE, link=PAIR, event=an_event(holds=B) if sees else None)
    operation = decided(this, left=True, two_way=False)
    assert deeds(operation) == "delete, bury"
    assert [lost.value for lost in operation.lost] == ([B.title] if sees else [])


# --- removed from the calendar before, and somebody was asked --------------------------------------------------------


@pytest.mark.parametrize(
    ("studio", "verdict", "done", "reason"),
    [
        (A, None, "nothing", Reason.REMOVED_FROM_ONE_OF_SEVERAL),
        (A, "put_back", "insert, pair", Reason.PUT_BACK),
        (A, "take_off", "leave", Reason.TAKEN_OFF),
        (B, None, "insert, pair", Reason.CREATED_IN_STUDIO),
        (B, "take_off", "insert, pair", Reason.CREATED_IN_STUDIO),
    ],
    ids=["nobody answered", "put back", "take off", "edited since", "edited since, whatever was answered"],
)
@pytest.mark.parametrize("populating", [True, False])
@pytest.mark.parametrize("link", [None, a_tombstone()], ids=["never here", "gone here"])
def test_what_a_person_removed_there_waits_for_the_answer_here(
    studio: Content, verdict: Any, done: str, reason: Reason, populating: bool, link: Link | None
) -> None:
    appointment = holding(studio, users=("ann", "bob"))
    this = item(appointment=appointment, link=link, earlier=before(REMOVED), verdict=verdict)
    operation = decided(this, active_since=SINCE, populating_calendar=populating)
    expected = done if link is None else done.replace("insert, pair", "restore, pair, more")
    assert (deeds(operation), operation.reason) == (expected, reason)
    assert operation.moves is (done != "nothing" and not operation.more)
    if done == "leave":
        assert isinstance(operation.studio, UpdateAppointment)
        assert operation.studio.leave
