"""When a user's appointments are, and the conflicts that were found among them."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.adapters import firestore_conflicts
from shared.adapters.firestore_store import FirestoreStore
from shared.domain.conflicts import Conflict
from shared.domain.errors import Stale
from shared.ports import ConflictWrite, Settlement
from tests.contract.firestore_store.builders import DAY, HOUR, NOW, Documents, Put, read_connection, version_of

MINE: dict[str, Any] = {"user_ids": ["u2", "u1"]}
A_MOMENT = dt.timedelta(microseconds=1)


def appointments(documents: dict[str, dict[str, Any]], studio: str = "s1") -> dict[str, dict[str, Any]]:
    return {f"studios/{studio}/appointments/{name}": value for name, value in documents.items()}


# --- when appointments are -------------------------------------------------------------------------------------------


def test_only_what_says_when_an_appointment_is_and_whose_is_read_of_it(store: FirestoreStore, put: Put) -> None:
    times = {
        **MINE,
        "kind": "session",
        "status": "tentative",
        "busy": True,
        "all_day": False,
        "start": NOW,
        "end": NOW + HOUR,
        "start_date": "2025-05-03",
        "end_date": "2025-05-04",
        "time_zone": "Europe/Berlin",
        "recurrence": ["RRULE:FREQ=DAILY"],
        "series_id": "p9",
        "original_start": NOW,
        "original_date": None,
    }
    texts = {"title": "Newborn Lee", "description": "x", "location": "x", "client_id": "k1", "sync": {"run": "r1"}}
    put(appointments({"p1": {**times, **texts}}))
    assert store.times("s1", ["p1", "gone"]) == {"p1": times}
    assert store.times_between("s1", "u1", NOW, NOW + HOUR, 9) == {"p1": times}
    assert store.times_of_series("s1", "u1", 9) == {"p1": times}
    assert store.times_of_occurrences("s1", ["p9"], 9) == {"p1": times}
    assert store.times("s1", []) == {}


def test_what_overlaps_a_stretch_of_time_is_found_and_what_only_touches_it_is_not(
    store: FirestoreStore, put: Put
) -> None:
    after, before = NOW, NOW + 2 * HOUR

    def timed(start: dt.datetime, end: dt.datetime, **fields: Any) -> dict[str, Any]:
        return {**MINE, "start": start, "end": end, **fields}

    expected = {
        "within": timed(NOW + HOUR, NOW + HOUR),
        "around": timed(NOW - 900 * DAY, NOW + 900 * DAY),
        "into-it": timed(NOW - HOUR, after + A_MOMENT),
        "out-of-it": timed(before - A_MOMENT, NOW + 9 * DAY),
        "cancelled": timed(after, before, status="cancelled"),
    }
    left_out = {
        "up-to-it": timed(NOW - HOUR, after),
        "from-then-on": timed(before, before + HOUR),
        "anothers": {**timed(after, before), "user_ids": ["u2"]},
        "nobodys": {**timed(after, before), "user_ids": []},
        "without-a-start": {**MINE, "end": before},
    }
    put(appointments({**expected, **left_out}))
    put(appointments({"elsewhere": timed(after, before)}, studio="s2"))
    assert store.times_between("s1", "u1", after, before, 99) == expected


def test_all_day_ones_are_found_wherever_in_the_world_their_days_are(store: FirestoreStore, put: Put) -> None:
    after = dt.datetime(2025, 5, 10, 1, tzinfo=dt.UTC)
    before = dt.datetime(2025, 5, 10, 23, tzinfo=dt.UTC)

    def days(start: str, end: str) -> dict[str, Any]:
        return {**MINE, "all_day": True, "start_date": start, "end_date": end}

    expected = {
        "that-day": days("2025-05-10", "2025-05-11"),
        "around": days("2024-01-01", "2026-01-01"),
        "the-day-before-goes-on-in-honolulu": days("2025-05-09", "2025-05-10"),
        "the-next-has-begun-in-kiritimati": days("2025-05-11", "2025-05-12"),
    }
    left_out = {"before": days("2025-05-07", "2025-05-08"), "after": days("2025-05-12", "2025-05-13")}
    put(appointments({**expected, **left_out}))
    assert store.times_between("s1", "u1", after, before, 99) == expected


@pytest.mark.parametrize("page", [1, 2, 3, 5, 300])
def test_what_is_found_is_read_in_pages_and_no_further_than_asked_for(
    store: FirestoreStore, put: Put, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(firestore_conflicts, "CHUNK", page)
    timed = {f"t{n}": {**MINE, "start": NOW, "end": NOW + (n // 2 + 1) * HOUR} for n in range(6)}
    dates = [f"2025-05-{n + 4:02}" for n in range(6)]
    all_day = {f"d{n}": {**MINE, "start_date": "2025-05-03", "end_date": dates[n]} for n in range(6)}
    series = {f"s{n}": {**MINE, "recurrence": ["RRULE:FREQ=DAILY"]} for n in range(6)}
    parts = {f"o{n}": {"series_id": f"s{n % 2}"} for n in range(6)}
    put(appointments({**timed, **all_day, **series, **parts}))
    assert store.times_between("s1", "u1", NOW, NOW + HOUR, 99).keys() == timed.keys() | all_day.keys()
    first = {f"{kind}{n}" for kind in "td" for n in range(5)}
    assert store.times_between("s1", "u1", NOW, NOW + HOUR, 5).keys() == first
    assert store.times_of_series("s1", "u1", 99) == series
    assert len(store.times_of_series("s1", "u1", 5)) == 5
    assert store.times_of_occurrences("s1", ["s0", "s1"], 99) == parts
    assert len(store.times_of_occurrences("s1", ["s0", "s1"], 5)) == 5


def test_occurrences_around_a_time_are_those_whose_own_document_says_so_whoever_is_assigned(
    store: FirestoreStore, put: Put
) -> None:
    day = {"all_day": True, "start_date": "2025-05-03", "end_date": "2025-05-04"}
    expected: dict[str, dict[str, Any]] = {
        "nobody-said": {"series_id": "s1", "start": NOW, "end": NOW + HOUR},
        "anothers": {"series_id": "s40", "start": NOW, "end": NOW + HOUR, "user_ids": ["u2"]},
        "that-day": {"series_id": "s2", **day},
    }
    left_out: dict[str, dict[str, Any]] = {
        "later": {"series_id": "s1", "start": NOW + HOUR, "end": NOW + 2 * HOUR},
        "timeless": {"series_id": "s1"},
        "of-another-series": {"series_id": "x", "start": NOW, "end": NOW + HOUR},
        "of-none": {**MINE, "start": NOW, "end": NOW + HOUR},
    }
    put(appointments({**expected, **left_out}))
    series = {f"s{n}" for n in range(50)}
    assert store.occurrences_between("s1", series, NOW, NOW + HOUR, 99) == expected
    assert len(store.occurrences_between("s1", series, NOW, NOW + HOUR, 1)) == 2, "one timed, and one all day"
    assert store.occurrences_between("s2", series, NOW, NOW + HOUR, 99) == {}


def test_series_are_those_of_the_user_that_have_a_rule(store: FirestoreStore, put: Put) -> None:
    weekly = {"recurrence": ["RRULE:FREQ=WEEKLY"]}
    expected = {"series": {**MINE, **weekly}, "cancelled": {**MINE, **weekly, "status": "cancelled"}}
    left_out = {
        "single": {**MINE, "start": NOW},
        "null": {**MINE, "recurrence": None},
        "empty": {**MINE, "recurrence": []},
        "anothers": {"user_ids": ["u2"], **weekly},
    }
    put(appointments({**expected, **left_out}))
    assert store.times_of_series("s1", "u1", 99) == expected


def test_occurrences_of_many_series_are_found_whoever_is_assigned(store: FirestoreStore, put: Put) -> None:
    parts = {f"o{n}": {"series_id": f"s{n}", "user_ids": ["u2"] * (n % 2)} for n in range(70)}
    put(appointments({**parts, "single": {**MINE, "series_id": None}, "other": {**MINE, "series_id": "x"}}))
    assert store.times_of_occurrences("s1", [f"s{n}" for n in range(70)], 99) == parts
    assert len(store.times_of_occurrences("s1", [f"s{n}" for n in range(70)], 65)) == 65
    assert store.times_of_occurrences("s2", ["s1"], 99) == {}


# --- conflicts -------------------------------------------------------------------------------------------------------


def a_conflict(*appointment_ids: str, **fields: Any) -> Conflict:
    given: dict[str, Any] = {"user_id": "u1", "overlap_start": NOW, "overlap_end": NOW + HOUR, "found_at": NOW}
    return Conflict(**{**given, "appointment_ids": appointment_ids, "expires_at": NOW + 90 * DAY, **fields})


def stored(store: FirestoreStore, conflict_id: str, conflict: Conflict, version: Any = None) -> None:
    write = ConflictWrite(studio_id="s1", conflict_id=conflict_id, version=version, conflict=conflict)
    store.settle("c1", version_of(store), {"failures": 0}, [Settlement(conflict=write)])


def found(store: FirestoreStore, *appointment_ids: str) -> dict[str, Conflict | None]:
    return {one: kept.value for one, kept in store.conflicts("s1", "u1", appointment_ids).items()}


def test_conflicts_are_those_of_the_user_that_one_of_the_appointments_is_part_of(connected: FirestoreStore) -> None:
    first, second = a_conflict("p1", "p2"), a_conflict("p2", "p3", status="gone", closed_at=NOW)
    for name, one in {"x1": first, "x2": second, "x3": a_conflict("p1", "p2", user_id="u2")}.items():
        stored(connected, name, one)
    assert found(connected, "p1") == {"x1": first}
    assert found(connected, "p2") == {"x1": first, "x2": second}
    assert found(connected, "p4", "p3", *(f"q{n}" for n in range(65)), "p1") == {"x1": first, "x2": second}
    assert found(connected) == {}
    assert connected.conflicts("s2", "u1", ["p1"]) == {}


def test_a_conflict_is_stored_with_ids_and_times_and_nothing_else(
    connected: FirestoreStore, document: Documents
) -> None:
    stored(connected, "x1", a_conflict("p1", "p2"))
    assert document("studios/s1/conflicts/x1") == {
        "user_id": "u1",
        "appointment_ids": ["p1", "p2"],
        "overlap_start": NOW,
        "overlap_end": NOW + HOUR,
        "status": "open",
        "found_at": NOW,
        "closed_at": None,
        "expires_at": NOW + 90 * DAY,
    }


def test_a_conflict_is_changed_only_as_it_was_read(connected: FirestoreStore, document: Documents, put: Put) -> None:
    stored(connected, "x1", a_conflict("p1", "p2"))
    read = connected.conflicts("s1", "u1", ["p1"])["x1"]
    gone = a_conflict("p1", "p2", status="gone", closed_at=NOW)
    put({"studios/s1/conflicts/x1": {**document("studios/s1/conflicts/x1"), "status": "resolved"}})
    with pytest.raises(Stale):
        stored(connected, "x1", gone, read.version)
    assert found(connected, "p1") == {"x1": a_conflict("p1", "p2", status="resolved")}
    stored(connected, "x1", gone, connected.conflicts("s1", "u1", ["p1"])["x1"].version)
    assert found(connected, "p1") == {"x1": gone}


def test_a_field_that_a_front_end_added_to_a_conflict_is_kept(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    stored(connected, "x1", a_conflict("p1", "p2"))
    put({"studios/s1/conflicts/x1": {**document("studios/s1/conflicts/x1"), "seen_by": ["u1"]}})
    read = connected.conflicts("s1", "u1", ["p1"])["x1"]
    stored(connected, "x1", msgspec.structs.replace(a_conflict("p1", "p2"), status="gone"), read.version)
    assert document("studios/s1/conflicts/x1")["seen_by"] == ["u1"]


def test_a_conflict_that_does_not_fit_any_more_is_found_as_such_and_can_be_replaced(
    connected: FirestoreStore, put: Put
) -> None:
    put({"studios/s1/conflicts/x1": {"user_id": "u1", "appointment_ids": ["p1", "p2"], "status": "done"}})
    assert found(connected, "p1") == {"x1": None}
    stored(connected, "x1", a_conflict("p1", "p2"), connected.conflicts("s1", "u1", ["p1"])["x1"].version)
    put({"studios/s1/conflicts/x2": {"status": "resolved"}})
    stored(connected, "x2", a_conflict("p1", "p3"))
    assert found(connected, "p1") == {"x1": a_conflict("p1", "p2"), "x2": a_conflict("p1", "p3")}


def test_a_run_that_was_taken_over_stores_no_conflict(connected: FirestoreStore) -> None:
    before = version_of(connected)
    connected.update_connection("c1", before, {"lease": {"holder": "another", "expires_at": NOW}})
    write = ConflictWrite(studio_id="s1", conflict_id="x1", version=None, conflict=a_conflict("p1", "p2"))
    with pytest.raises(Stale):
        connected.settle("c1", before, {"failures": 9}, [Settlement(conflict=write)])
    assert found(connected, "p1") == {}
    assert read_connection(connected).failures == 0
