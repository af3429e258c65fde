"""What lies below a studio, as front-ends wrote it."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.inbox import InboxItem
from tests.contract.firestore_store.builders import (
    DAY,
    HOUR,
    NOW,
    Put,
)

# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_are_the_documents_of_studio_and_user_where_they_exist(connected: FirestoreStore) -> None:
    studio, user = connected.settings("s1", "u1")
    assert studio == {"name": "Studio"}
    assert user is not None
    assert (user["name"], user["sync"]) == ("Ann", {"enabled": True})
    assert connected.settings("s1", "gone") == ({"name": "Studio"}, None)
    assert connected.settings("s2", "u1") == (None, None)


def test_only_users_with_a_connection_have_one(connected: FirestoreStore, put: Put) -> None:
    put({"studios/s1/users/u2": {"name": "Bea"}, "studios/s1/users/u3": {"connection": None}})
    put({"studios/s1/users/u4": {"connection": {"state": "connected"}}, "studios/s2/users/u1": {"connection": {}}})
    assert connected.user_connections("s1", ["u1", "u2", "u3", "u4", "gone"]) == {"u1": "c1"}
    assert connected.user_connections("s2", ["u1"]) == {}
    assert connected.user_connections("s1", []) == {}


@pytest.mark.parametrize("state", ["connected", "needs_reauth", "paused", "resting", None])
def test_a_connection_that_does_not_run_at_present_is_told_what_happens_all_the_same(
    connected: FirestoreStore, put: Put, state: str | None
) -> None:
    put({"studios/s1/users/u2": {"connection": {"id": "c2", "state": state}}})
    assert connected.user_connections("s1", ["u1", "u2"]) == {"u1": "c1", "u2": "c2"}


def test_a_connection_that_was_disconnected_is_told_nothing_any_more(connected: FirestoreStore, put: Put) -> None:
    put({"studios/s1/users/u2": {"connection": {"id": "c2", "state": "disconnected", "reason": "disconnected"}}})
    assert connected.user_connections("s1", ["u1", "u2"]) == {"u1": "c1"}


@pytest.mark.parametrize("connection_id", ["", "a/b", ".", "__x__", 7, {"x": 1}], ids=str)
def test_a_connection_of_an_impossible_id_is_none(connected: FirestoreStore, put: Put, connection_id: Any) -> None:
    put({"studios/s1/users/u2": {"connection": {"id": connection_id}}})
    assert connected.user_connections("s1", ["u1", "u2"]) == {"u1": "c1"}


# --- the studio's documents -------------------------------------------------------------------------------------------


def test_appointments_are_found_by_id_whatever_they_hold(store: FirestoreStore, put: Put) -> None:
    raw = {"kind": "session", "start": "not a time", "unknown": [1, {"a": None}]}
    put({"studios/s1/appointments/p1": raw, "studios/s2/appointments/p2": raw})
    found = store.appointments("s1", ["p1", "p2", "p3"])
    assert {name: stored.value for name, stored in found.items()} == {"p1": raw}
    assert store.appointments("s1", []) == {}


def test_a_user_has_every_appointment_that_ends_after_an_instant(store: FirestoreStore, put: Put) -> None:
    bound = dt.datetime(2025, 5, 3, 11, tzinfo=dt.UTC)
    mine, status = {"user_ids": ["u1", "u2"]}, "confirmed"

    def timed(end: dt.datetime, **fields: Any) -> dict[str, Any]:
        return {**mine, "status": status, "start": bound - 2 * DAY, "end": end, **fields}

    def all_day(end_date: str, **fields: Any) -> dict[str, Any]:
        return {**mine, "all_day": True, "start_date": "2025-05-01", "end_date": end_date, **fields}

    expected = {
        "timed": timed(bound + HOUR),
        "still-on": timed(bound + dt.timedelta(seconds=1)),
        "cancelled": timed(bound + HOUR, status="cancelled"),
        "all-day": all_day("2025-05-09"),
        "all-day-today": all_day("2025-05-04"),
        "all-day-still-on-somewhere": all_day("2025-05-03"),
        "all-day-cancelled": all_day("2025-05-09", status="cancelled"),
        "both": {**timed(bound + HOUR), "end_date": "2025-05-09"},
    }
    left_out = {
        "ended": timed(bound - dt.timedelta(seconds=1)),
        "all-day-ended": all_day("2025-05-01"),
        "anothers": timed(bound + HOUR, user_ids=["u2"]),
        "anothers-all-day": all_day("2025-05-09", user_ids=["u2"]),
        "nobodys": timed(bound + HOUR, user_ids=[]),
    }
    put({f"studios/s1/appointments/{name}": value for name, value in {**expected, **left_out}.items()})
    put({"studios/s2/appointments/elsewhere": timed(bound + HOUR)})
    found = store.appointments_of_user("s1", "u1", bound)
    assert {name: stored.value for name, stored in found.items()} == expected
    assert {name: stored.id for name, stored in found.items()} == {name: name for name in expected}


def test_a_version_from_a_listing_is_as_good_as_one_from_reading_by_id(store: FirestoreStore, put: Put) -> None:
    put({"studios/s1/appointments/p1": {"user_ids": ["u1"], "end": NOW}})
    listed = store.appointments_of_user("s1", "u1", NOW)["p1"].version
    assert listed == store.appointments("s1", ["p1"])["p1"].version


def test_client_names_are_given_and_family_name_as_far_as_they_are_there(store: FirestoreStore, put: Put) -> None:
    clients: dict[str, dict[str, Any]] = {
        "k1": {"given_name": "Ann", "family_name": "Lee", "company": "X"},
        "k2": {"family_name": "Lee"},
        "k3": {"given_name": "Ann", "family_name": None},
        "k4": {"company": "X"},
        "k5": {"given_name": 5, "family_name": ["Lee"]},
    }
    put({f"studios/s1/clients/{name}": value for name, value in clients.items()})
    names = store.client_names("s1", [*clients, "none"])
    assert names == {"k1": "Ann Lee", "k2": "Lee", "k3": "Ann"}


def test_a_series_is_found_though_its_first_occurrence_has_ended_long_ago(store: FirestoreStore, put: Put) -> None:
    past: dict[str, Any] = {"user_ids": ["u1"], "start": NOW - 900 * DAY, "end": NOW - 899 * DAY}
    past_day: dict[str, Any] = {"user_ids": ["u1"], "all_day": True, "end_date": "2022-01-02"}
    weekly = ["RRULE:FREQ=WEEKLY"]
    expected = {
        "series": {**past, "recurrence": weekly},
        "all-day-series": {**past_day, "recurrence": weekly},
        "cancelled-series": {**past, "recurrence": weekly, "status": "cancelled"},
        "later-series": {**past, "end": NOW + DAY, "recurrence": weekly},
        "with-others": {**past, "user_ids": ["u2", "u1"], "recurrence": weekly},
        "long": {**past, "recurrence": [*weekly, *(f"EXDATE:{number:08}T100000Z" for number in range(400))]},
        "no-list": {**past, "recurrence": "RRULE:FREQ=WEEKLY"},
    }
    left_out = {
        "single": past,
        "single-with-null": {**past, "recurrence": None},
        "single-with-an-empty-list": {**past, "recurrence": []},
        "all-day": past_day,
        "anothers": {**past, "user_ids": ["u2"], "recurrence": weekly},
        "nobodys": {**past, "user_ids": [], "recurrence": weekly},
    }
    put({f"studios/s1/appointments/{name}": value for name, value in {**expected, **left_out}.items()})
    put({"studios/s2/appointments/elsewhere": expected["series"]})
    found = store.appointments_of_user("s1", "u1", NOW)
    assert {name: stored.value for name, stored in found.items()} == expected
    assert found["series"].version == store.appointments("s1", ["series"])["series"].version


def test_appointments_changed_since_an_instant_are_found_by_their_stamp(store: FirestoreStore, put: Put) -> None:
    a_moment = dt.timedelta(microseconds=1)
    expected: dict[str, dict[str, Any]] = {
        "then": {"updated_at": NOW},
        "later": {"updated_at": NOW + DAY, "user_ids": [], "unknown": {"at": NOW}},
        "cancelled": {"updated_at": NOW + DAY, "status": "cancelled"},
    }
    left_out: dict[str, dict[str, Any]] = {
        "before": {"updated_at": NOW - a_moment},
        "never": {"title": "x"},
        "no-time": {"updated_at": "2099-01-01"},
    }
    put({f"studios/s1/appointments/{name}": value for name, value in {**expected, **left_out}.items()})
    put({"studios/s2/appointments/elsewhere": {"updated_at": NOW}})
    found = store.appointments_changed("s1", NOW)
    assert {name: stored.value for name, stored in found.items()} == expected
    assert found["then"].version == store.appointments("s1", ["then"])["then"].version
    stamp = found["later"].value["updated_at"]
    assert (type(stamp), stamp.tzinfo) == (dt.datetime, dt.UTC)


# --- the inbox -------------------------------------------------------------------------------------------------------


def test_questions_are_found_by_id_with_their_answers(store: FirestoreStore, put: Put) -> None:
    question = {
        "kind": "removed_from_calendar",
        "user_id": "u1",
        "text": "Take her off?",
        "refs": {"appointment_id": "p1", "at": NOW},
        "status": "open",
        "created_at": NOW,
        "answer": "take_off",
        "seen_by_the_front_end": True,
    }
    put({"studios/s1/inbox/q1": question, "studios/s1/inbox/q2": {**question, "answer": None}})
    put({"studios/s1/inbox/q3": question, "studios/s2/inbox/q4": question})
    item = InboxItem(
        kind="removed_from_calendar",
        user_id="u1",
        text="Take her off?",
        refs={"appointment_id": "p1", "at": NOW},
        created_at=NOW,
        answer="take_off",
    )
    assert store.inbox("s1", ["q1", "q2", "q4", "q9"]) == {"q1": item, "q2": msgspec.structs.replace(item, answer=None)}
    assert store.inbox("s1", []) == {}


@pytest.mark.parametrize("answer", [5, True, ["take_off"], {"is": "take_off"}])
def test_an_answer_that_is_no_text_is_none(store: FirestoreStore, put: Put, answer: Any) -> None:
    put({"studios/s1/inbox/q1": {"kind": "held", "user_id": "u1", "text": "x", "answer": answer}})
    assert store.inbox("s1", ["q1"])["q1"].answer is None


def test_a_question_is_read_field_by_field_as_front_ends_may_have_edited_any(store: FirestoreStore, put: Put) -> None:
    odd = {"user_id": 7, "text": None, "refs": ["x"], "status": {"is": "done"}, "created_at": "today"}
    put({"studios/s1/inbox/q1": {"kind": "held", **odd}, "studios/s1/inbox/q2": {"kind": "held", "status": "answered"}})
    put({"studios/s1/inbox/q3": {"kind": "note"}, "studios/s1/inbox/q4": {"kind": ["held"]}, "studios/s1/inbox/q5": {}})
    empty = InboxItem(kind="held", user_id="", text="")
    assert store.inbox("s1", ["q1", "q2", "q3", "q4", "q5"]) == {
        "q1": empty,
        "q2": msgspec.structs.replace(empty, status="answered"),
    }
