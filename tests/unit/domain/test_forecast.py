"""What a run comes to, counted."""

from collections import Counter

import pytest

from shared.domain.doubt import Doubt
from shared.domain.forecast import QUOTA, Count, Line, Traffic, counts, line, minutes
from shared.domain.operation import Item
from tests.unit.domain.builders import (
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_misfit,
    an_appointment,
    an_event,
    content,
    held_on,
    item,
    series_content,
)
from tests.unit.domain.deciding import CANCELLED, REASSIGNED, decided

ASKED = Doubt(question="q", appointment_id="appt1", event_id="e", import_id="g", when=content().when.shown())
WEEKLY = series_content("10:00", "RRULE:FREQ=WEEKLY;COUNT=3")

CASES: list[tuple[Item, str]] = [
    (item(appointment=an_appointment()), "to_calendar enter single"),
    (item(event=a_foreign_event(holds=WEEKLY)), "to_studio enter series"),
    (item(event=a_foreign_event()), "to_studio enter single"),
    (item(appointment=an_appointment(), event=a_foreign_event()), "both pair single"),
    (item(appointment=an_appointment(title="B"), event=an_event(), link=a_link()), "to_calendar change single"),
    (item(appointment=an_appointment(), event=an_event(title="B"), link=a_link()), "to_studio change single"),
    (
        item(appointment=an_appointment(title="B"), event=an_event(location="B"), link=a_link()),
        "both change single",
    ),
    (item(appointment=an_appointment(), event=an_event(), link=a_link()), "both keep single"),
    (item(appointment=an_appointment(), link=a_link()), "both keep single"),
    (item(appointment=an_appointment(), event=a_deleted_event(), link=a_link()), "to_studio remove single"),
    (item(appointment=CANCELLED, event=an_event(), link=a_link()), "to_calendar remove single"),
    (item(appointment=CANCELLED, event=an_event(), link=a_link(held=held_on("studio"))), "both leave_out single"),
    (item(appointment=CANCELLED), "to_calendar leave_out single"),
    (item(appointment=REASSIGNED, event=a_foreign_event()), "to_studio join single"),
    (item(event=a_foreign_event(kind="focusTime")), "to_studio leave_out single"),
    (item(misfit=a_misfit()), "to_calendar park single"),
    (item(appointment=an_appointment(), doubts=(ASKED,)), "to_calendar ask single"),
    (item(event=a_foreign_event(), doubts=(ASKED,)), "to_studio ask single"),
]


@pytest.mark.parametrize(("this", "expected"), CASES, ids=[f"{place} {said}" for place, (_, said) in enumerate(CASES)])
def test_each_item_has_one_line(this: Item, expected: str) -> None:
    told = line(decided(this))
    assert f"{told.direction} {told.deed} {told.form}" == expected


def test_lines_are_counted_in_a_fixed_order() -> None:
    first, second = line(decided(CASES[0][0])), line(decided(CASES[2][0]))
    lines: Counter[Line] = Counter({second: 5, first: 2})
    assert counts(lines) == (Count(*first, 2), Count(*second, 5))


@pytest.mark.parametrize(("calls", "requests"), [(0, 0), (1, 1), (50, 1), (51, 2), (1_000, 20)])
def test_calls_that_are_sent_together_share_requests(calls: int, requests: int) -> None:
    assert Traffic().plus(calls) == Traffic(requests, calls)


def test_minutes_are_those_of_the_quota() -> None:
    assert minutes(Traffic(1, 1), Traffic(24, 2 * QUOTA.calls_per_minute - 1)) == 2.0
    assert minutes(Traffic()) == 0
