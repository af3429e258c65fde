"""The policy: its table, line by line as in `plan.py`, then what it leaves to words.

What each outcome is in detail: `test_outcomes_deletions.py`, `test_outcomes_crashes.py`, `test_held.py`,
`test_two_way.py`; what an item is decided by: `test_scope.py`, `test_visibility.py`, `test_guard.py`. Whatever an item
holds: `test_every_combination.py`. Through random histories: `test_plan_in_motion.py`.
"""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.domain import identity
from shared.domain.appointment import Appointment
from shared.domain.content import Content
from shared.domain.errors import Park
from shared.domain.event import Delete, Event, Insert, Patch
from shared.domain.link import Link
from shared.domain.operation import Item, UpdateAppointment, agreed
from shared.domain.plan import LONGEST_ID, decide
from shared.domain.reasons import Reason
from tests.unit.domain.builders import (
    ANN,
    APPOINTMENT,
    BEFORE_SINCE,
    BOB,
    CONNECTION,
    EVERY_UNIT,
    NOW,
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_misfit,
    a_missing_event,
    a_removed_link,
    a_seal,
    a_tombstone,
    an_appointment,
    an_event,
    an_unfit_event,
    content,
    event_id,
    holding,
    item,
    rules,
    somebody_elses,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, A, B, decided, deeds

# --- the table -------------------------------------------------------------------------------------------------------

LINKS: dict[str, Link | None] = {
    "none": None, "paired": a_link(), "leaving": a_link(state="leaving"), "removed": a_removed_link(),
    "gone": a_tombstone(), "gone there": a_tombstone(gone_there=True),
}  # fmt: skip
STUDIO: dict[str, Appointment | None] = {
    "-": None, "here": an_appointment(), "edited": an_appointment(title="B"), "cancelled": CANCELLED,
    "here, Bob's too": an_appointment(users=(ANN, BOB)), "Bob's": REASSIGNED,
}  # fmt: skip
CALENDAR: dict[str, Event | None] = {
    "not asked": None, "here": an_event(), "edited": an_event(location="Park"), "deleted": a_deleted_event(),
    "a person's": a_foreign_event(), "an invitation": somebody_elses(), "ours": an_event(seal=a_seal(content())),
    "not found": a_missing_event(), "hourly": an_unfit_event(),
}  # fmt: skip
TABLE = """
    none       | here            | not asked     | insert, pair         | created_in_studio
    none       | -               | a person's    | create, pair         | created_in_calendar
    none       | Bob's           | an invitation | join, pair           | joined
    none       | cancelled       | an invitation | nothing              | cancelled_in_studio
    none       | here            | a person's    | pair                 | matched
    none       | here            | ours          | pair                 | created_in_studio
    none       | cancelled       | ours          | delete, bury         | cancelled_in_studio
    none       | Bob's           | ours          | delete, bury         | left_user
    none       | -               | deleted       | nothing              | gone_on_both
    paired     | here            | here          | nothing              | agreed
    paired     | here            | not asked     | nothing              | agreed
    paired     | edited          | not asked     | patch, pair          | changed_in_studio
    paired     | here            | edited        | update, pair         | changed_in_calendar
    paired     | edited          | edited        | patch, update, pair  | changed_on_both
    paired     | here            | deleted       | cancel, bury         | deleted_in_calendar
    paired     | edited          | deleted       | restore, pair, more  | studio_edit_beats_deletion
    paired     | here, Bob's too | deleted       | removed              | removed_from_one_of_several
    paired     | cancelled       | not asked     | delete, bury         | cancelled_in_studio
    paired     | -               | not asked     | delete, bury         | cancelled_in_studio
    paired     | Bob's           | here          | delete, bury         | left_user
    paired     | Bob's           | edited        | update, pair, more   | changed_in_calendar
    paired     | cancelled       | deleted       | bury                 | gone_on_both
    leaving    | here            | deleted       | restore, pair, more  | created_in_studio
    leaving    | here            | here          | pair                 | agreed
    leaving    | here            | not asked     | more                 | agreed
    leaving    | cancelled       | not asked     | delete, bury         | cancelled_in_studio
    leaving    | cancelled       | deleted       | bury                 | gone_on_both
    removed    | here, Bob's too | deleted       | nothing              | removed_from_one_of_several
    removed    | edited          | not asked     | restore, pair, more  | studio_edit_beats_deletion
    removed    | here, Bob's too | here          | pair                 | agreed
    removed    | cancelled       | not asked     | bury                 | gone_on_both
    gone       | here            | not asked     | restore, pair, more  | created_in_studio
    gone       | here            | deleted       | restore, pair, more  | created_in_studio
    gone       | here            | here          | pair                 | agreed
    gone       | edited          | edited        | patch, update, pair  | changed_on_both
    gone       | here            | a person's    | pair                 | matched
    gone       | here            | ours          | pair                 | agreed
    gone       | cancelled       | here          | nothing              | cancelled_in_studio
    gone       | Bob's           | here          | nothing              | not_assigned
    gone       | -               | not asked     | nothing              | gone_on_both
    gone there | here            | not asked     | restore, pair, more  | created_in_studio
    gone there | cancelled       | here          | update, pair         | restored_in_calendar
    gone there | cancelled       | edited        | update, pair         | restored_in_calendar
    gone there | Bob's           | here          | nothing              | not_assigned
    paired     | here            | not found     | doubt                | not_found
    paired     | here            | hourly        | park                 | unsupported_rule
"""


@pytest.mark.parametrize("line", [line.strip() for line in TABLE.strip().splitlines()])
def test_table(line: str) -> None:
    link, studio, calendar, done, reason = (cell.strip() for cell in line.split("|"))
    operation = decided(item(link=LINKS[link], appointment=STUDIO[studio], event=CALENDAR[calendar]))
    assert (deeds(operation), operation.reason) == (done, Reason(reason))


@pytest.mark.parametrize("line", [line.strip() for line in TABLE.strip().splitlines() if "restore, " in line])
def test_where_the_table_restores_what_cannot_be_restored_is_entered_anew(line: str) -> None:
    link, studio, calendar, _, reason = (cell.strip() for cell in line.split("|"))
    for event in (CALENDAR[calendar], a_deleted_event(), a_missing_event()):
        this = item(link=LINKS[link], appointment=STUDIO[studio], event=event, beyond_restoring=True)
        operation = decided(this)
        assert (deeds(operation), operation.reason) == ("insert, pair", Reason(reason))
        assert isinstance(operation.calendar, Insert)
        assert operation.calendar.event_id == event_id(1)


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_patch_sends_the_changed_units_conditional_on_what_was_seen() -> None:
    patch = decided(item(link=a_link(etag="e7"), appointment=an_appointment(title="B"))).calendar
    assert isinstance(patch, Patch)
    assert (patch.event_id, patch.etag, set(patch.units)) == (event_id(), "e7", {"title"})
    assert set(patch.seal.sent) == {"title"}


def test_an_insert_has_our_own_id_and_sends_every_unit() -> None:
    insert = decided(item(appointment=an_appointment())).calendar
    assert isinstance(insert, Insert)
    assert insert.event_id == identity.event(CONNECTION, APPOINTMENT, 0)
    assert set(insert.seal.sent) == EVERY_UNIT


def test_a_deletion_is_conditional_on_what_was_seen() -> None:
    operation = decided(item(link=a_link(), appointment=CANCELLED, event=an_event(etag="e9")))
    assert operation.calendar == Delete(event_id=event_id(), etag="e9")


@pytest.mark.parametrize(("link", "known", "used"), [(None, 2, 2), (a_tombstone(0), 0, 1), (a_tombstone(1), 5, 5)])
def test_a_burnt_id_is_followed_by_the_next_that_is_free(link: Link | None, known: int, used: int) -> None:
    this = item(link=link, appointment=an_appointment(), next_generation=known, beyond_restoring=True)
    operation = decided(this)
    assert isinstance(operation.calendar, Insert)
    assert operation.link is not None
    assert (operation.calendar.event_id, operation.link.generation) == (event_id(used), used)


def test_the_same_plan_comes_out_of_the_same_facts() -> None:
    this = item(link=a_link(), appointment=an_appointment(title="B"), event=an_event(location="Park"))
    assert decided(this) == decided(this)


def test_a_change_of_the_etag_alone_is_recorded_once_and_then_quiet() -> None:
    """Somebody added a guest: nothing of ours changed, but the next write must be conditional on the new etag."""
    this = item(link=a_link(), appointment=an_appointment(), event=an_event(etag="e2"))
    first = decided(this)
    assert deeds(first) == "pair"
    assert deeds(decide(msgspec.structs.replace(this, link=agreed(first, None)), rules())) == "nothing"


def test_what_the_provider_stored_is_agreed_not_what_was_sent() -> None:
    operation = decided(item(appointment=holding(content(description="a < b"))))
    rewritten = an_event(etag="e5", description="a &lt; b")
    link = agreed(operation, rewritten)
    assert link is not None
    assert (link.studio, link.calendar, link.etag) == (content(description="a < b"), rewritten.content, "e5")
    again = item(appointment=holding(content(description="a < b")), link=link, event=rewritten)
    assert deeds(decided(again)) == "nothing"


def test_a_deletion_carried_out_leaves_the_tombstone_as_it_is() -> None:
    operation = decided(item(link=a_link(), appointment=CANCELLED))
    assert agreed(operation, Event(id=event_id())) == operation.link


# --- two persons, one appointment ------------------------------------------------------------------------------------


def test_joining_adds_the_user_and_leaves_the_studios_text() -> None:
    operation = decided(item(appointment=holding(A, users=(BOB,)), event=a_foreign_event(holds=B)))
    assert operation.studio == UpdateAppointment(content=A, units=frozenset(), join=True)
    assert operation.link is not None
    assert (operation.link.studio, operation.link.calendar, operation.link.event_id) == (A, B, "foreign1")


def test_after_joining_both_texts_stay_as_they_are() -> None:
    event = a_foreign_event(holds=B)
    joined = decided(item(appointment=holding(A, users=(BOB,)), event=event))
    after = decided(item(appointment=holding(A, users=(BOB, ANN)), event=event, link=agreed(joined, None)))
    assert deeds(after) == "nothing"


def test_joining_what_does_not_fit_parks_it() -> None:
    hourly = an_appointment(users=(BOB,), recurrence=("RRULE:FREQ=HOURLY",), time_zone="Europe/Berlin")
    operation = decided(item(appointment=hourly, event=a_foreign_event()))
    assert (deeds(operation), operation.reason) == ("park", Reason.UNSUPPORTED_RULE)


def test_a_guests_copy_of_a_colleagues_entry_is_known_as_that() -> None:
    """Both are assigned already: the invitation is not entered a second time, and not written to."""
    operation = decided(item(appointment=an_appointment(users=(ANN, BOB)), event=somebody_elses(title="By Bob")))
    assert deeds(operation) == "pair"
    assert operation.link is not None
    assert (operation.link.organizer, operation.link.theirs) == ("carl@example.com", True)


@pytest.mark.parametrize("event", [None, somebody_elses(etag="e2")], ids=["not asked", "read"])
def test_a_colleagues_entry_stays_known_as_that(event: Event | None) -> None:
    known = a_link(event_id="foreign1", theirs=True, organizer="carl@example.com")
    edited = an_appointment(users=(ANN, BOB), title="B")
    operation = decided(item(link=known, appointment=edited, event=event))
    assert operation.link is not None
    assert (operation.link.theirs, operation.link.organizer) == (True, "carl@example.com")


# --- clashes and policies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "studio_at", "calendar_at", "winner"),
    [
        ("studio", NOW, NOW + dt.timedelta(hours=1), "B"),
        ("google", NOW, NOW - dt.timedelta(hours=1), "C"),
        ("latest", NOW, NOW + dt.timedelta(hours=1), "C"),
        ("latest", NOW, NOW - dt.timedelta(hours=1), "B"),
        ("latest", None, NOW, "B"),
    ],
)
def test_a_clash_goes_where_the_policy_says(
    policy: Any, studio_at: dt.datetime | None, calendar_at: dt.datetime, winner: str
) -> None:
    here, there = content(title="B"), content(title="C")
    this = item(
        link=a_link(A), appointment=holding(here), event=an_event(holds=there, updated=calendar_at),
        changed_at=studio_at,
    )  # fmt: skip
    operation = decided(this, clash_policy=policy)
    assert [_title(operation.link, "studio"), _title(operation.link, "calendar")] == [winner, winner]
    assert len(operation.lost) == 1


def _title(link: Link | None, side: str) -> str:
    column: Content | None = getattr(link, side)
    assert column is not None
    return column.title


def test_a_twin_typed_by_a_person_takes_the_studios_text_and_what_it_said_is_kept() -> None:
    operation = decided(item(appointment=holding(A), event=a_foreign_event(holds=B)), clash_policy="google")
    assert (deeds(operation), operation.reason) == ("patch, pair", Reason.MATCHED)
    assert [(lost.side, lost.value) for lost in operation.lost] == [("calendar", "B")]


# --- what cannot be decided, or does not fit -------------------------------------------------------------------------


@pytest.mark.parametrize("two_way", [True, False])
@pytest.mark.parametrize("studio", STUDIO)
@pytest.mark.parametrize("link", LINKS)
def test_what_is_merely_not_to_be_found_leads_to_nothing_but_doubt(link: str, studio: str, two_way: bool) -> None:
    this = item(link=LINKS[link], appointment=STUDIO[studio], event=a_missing_event())
    assert deeds(decided(this, two_way=two_way)) == "doubt"


@pytest.mark.parametrize(
    ("this", "reason"),
    [
        (item(misfit=a_misfit()), Reason.INVALID),
        (item(misfit=a_misfit(), link=a_link(), event=an_event(title="B")), Reason.INVALID),
        (item(misfit=a_misfit(), link=a_link(), event=a_deleted_event()), Reason.INVALID),
        (item(appointment=an_appointment(end=None)), Reason.INVALID),
        (
            item(
                appointment=an_appointment(recurrence=("RRULE:FREQ=HOURLY",), time_zone="Europe/Berlin"), link=a_link()
            ),
            Reason.UNSUPPORTED_RULE,
        ),
        (item(event=an_unfit_event()), Reason.UNSUPPORTED_RULE),
        (item(event=an_unfit_event(), link=a_link(), appointment=CANCELLED), Reason.UNSUPPORTED_RULE),
        (item(appointment_id="x" * (LONGEST_ID + 1), appointment=an_appointment()), Reason.INVALID),
    ],
    ids=[
        "a document",
        "a paired document, edited in the calendar",
        "a paired document, deleted in the calendar",
        "times missing",
        "a paired appointment that repeats by the hour now",
        "an event",
        "a paired event, cancelled in the studio: deleting would take every repetition",
        "an id that the seal has no room for",
    ],
)
def test_what_does_not_fit_is_parked_and_nothing_is_written(this: Item, reason: Reason) -> None:
    operation = decided(this)
    assert (deeds(operation), operation.reason) == ("park", reason)
    assert isinstance(operation.parked, Park)


@pytest.mark.parametrize("link", [None, a_tombstone()], ids=["new", "gone"])
def test_an_event_that_does_not_fit_and_that_nobody_asked_for_is_not_even_parked(link: Link | None) -> None:
    assert deeds(decided(item(event=an_unfit_event(updated=BEFORE_SINCE), link=link))) == "nothing"


def test_a_document_of_somebody_else_that_does_not_fit_is_not_looked_at() -> None:
    assert deeds(decided(item(appointment=an_appointment(users=(BOB,), end=None)))) == "nothing"


def test_a_cancelled_document_need_not_fit_to_be_taken_out() -> None:
    assert deeds(decided(item(link=a_link(), appointment=an_appointment(status="cancelled", end=None)))) == (
        "delete, bury"
    )
