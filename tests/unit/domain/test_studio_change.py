"""What a write to a studio's appointment means for the sync."""

import datetime as dt
from typing import Any

import pytest

from shared.domain.appointment import OWNED, owned_hash
from shared.domain.identity import usable
from shared.domain.studio_change import LONGEST_LINES, StudioChange, appointment_change, entry_of, former_times

TEN = dt.datetime(2026, 5, 20, 10, tzinfo=dt.UTC)
NOBODY = StudioChange()


def a_document(**fields: Any) -> dict[str, Any]:
    return {"kind": "session", "title": "Newborn", "start": TEN, "user_ids": ["ann"], **fields}


def stamped(document: dict[str, Any], connection: str = "conn1", run: str = "run1", **sync: Any) -> dict[str, Any]:
    """The document as a run of `connection` leaves it."""
    return {**document, "sync": {"connection": connection, "run": run, "hash": owned_hash(document), **sync}}


# --- whom it concerns ------------------------------------------------------------------------------------------------


def test_a_new_appointment_concerns_those_assigned() -> None:
    assert appointment_change(None, a_document(user_ids=["ann", "bob"])).user_ids == {"ann", "bob"}


def test_a_deleted_appointment_concerns_those_who_were_assigned() -> None:
    assert appointment_change(a_document(), None).user_ids == {"ann"}


def test_a_reassigned_appointment_concerns_those_it_had_and_has() -> None:
    assert appointment_change(a_document(), a_document(user_ids=["bob"])).user_ids == {"ann", "bob"}


@pytest.mark.parametrize("field", OWNED)
def test_each_owned_field_counts(field: str) -> None:
    new = a_document(**{field: ["bob"] if field == "user_ids" else "changed"})
    assert "ann" in appointment_change(a_document(), new).user_ids


@pytest.mark.parametrize("field", ["kind", "client_id", "resource_ids", "origin", "sync", "updated_at", "colour"])
def test_what_is_not_synced_concerns_nobody(field: str) -> None:
    assert appointment_change(a_document(), a_document(**{field: "changed"})) == NOBODY


def test_a_field_removed_counts_as_much_as_one_added() -> None:
    old = a_document(location="Studio")
    assert appointment_change(old, a_document()).user_ids == {"ann"}


def test_a_document_that_was_never_there_concerns_nobody() -> None:
    assert appointment_change(None, None) == NOBODY


@pytest.mark.parametrize("user_ids", ["ann", 7, None, {"a": 1}])
def test_users_that_are_no_list_concern_nobody_and_break_nothing(user_ids: object) -> None:
    assert appointment_change(None, a_document(user_ids=user_ids)) == NOBODY


def test_users_that_are_no_ids_are_left_out() -> None:
    assert appointment_change(None, a_document(user_ids=["ann", 7, None])).user_ids == {"ann"}


# --- whose echo it is ------------------------------------------------------------------------------------------------


def test_a_runs_own_write_names_its_connection() -> None:
    new = stamped(a_document(title="Changed"))
    assert appointment_change(a_document(), new).written_by == "conn1"


def test_a_runs_new_document_names_its_connection() -> None:
    assert appointment_change(None, stamped(a_document())).written_by == "conn1"


def test_a_persons_write_after_a_runs_is_the_persons() -> None:
    old = stamped(a_document())
    assert appointment_change(old, {**old, "title": "By hand"}).written_by is None


def test_a_person_who_writes_back_exactly_what_a_run_left_is_still_a_person() -> None:
    """The stamp is not new: the hash fits again, but only because the person went back to it."""
    left = stamped(a_document())
    assert appointment_change({**left, "title": "By hand"}, left).written_by is None


def test_a_new_stamp_on_other_fields_than_the_run_left_is_a_persons() -> None:
    new = {**stamped(a_document()), "title": "By hand"}
    assert appointment_change(a_document(), new).written_by is None


def test_a_second_run_that_writes_the_same_fields_is_its_own_write() -> None:
    old = stamped(a_document(), run="run1")
    new = stamped(a_document(title="Changed"), run="run2")
    assert appointment_change(old, new).written_by == "conn1"


@pytest.mark.parametrize("sync", ["run", 7, [], {"connection": "conn1"}, {"hash": None}])
def test_a_stamp_that_is_none_says_nothing(sync: object) -> None:
    assert appointment_change(None, a_document(sync=sync)).written_by is None


# --- times that a series had -----------------------------------------------------------------------------------------


def a_series(*lines: str, later: int = 0) -> dict[str, Any]:
    start = TEN + dt.timedelta(hours=later)
    return a_document(start=start, end=start, time_zone="UTC", recurrence=["RRULE:FREQ=DAILY", *lines])


def test_former_times_have_an_entry_whatever_id_the_series_has() -> None:
    former = former_times(a_series(), a_series(later=1), "UTC")
    assert former is not None
    ids = {entry_of(one, former) for one in ("a" * 1_500, "weekly")}
    assert len(ids) == 2
    assert all(usable(one) for one in ids)


def test_times_that_are_described_at_a_length_that_nobody_types_are_not_kept() -> None:
    line = f"EXDATE:{TEN:%Y%m%dT%H%M%SZ}"
    many = [line] * (LONGEST_LINES // len(line) + 1)
    assert former_times(a_series(*many[2:]), a_series(later=1), "UTC") is not None
    assert former_times(a_series(*many), a_series(later=1), "UTC") is None
