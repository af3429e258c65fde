"""What a run stores: all of it in one step, or nothing."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from google.cloud import firestore

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.connection import (
    LOG_LIFE,
    Cursors,
    LogEntry,
    RunSummary,
)
from shared.domain.errors import Refused, Stale
from shared.domain.inbox import InboxItem
from shared.domain.link import buried
from shared.domain.reasons import Reason
from shared.ports import InboxWrite, RunLog, Settlement, StudioErasure
from tests.contract.firestore_store.builders import (
    HOUR,
    NOW,
    Documents,
    Put,
    a_creation,
    a_link,
    an_update,
    parked,
    read_connection,
    version_of,
)


def test_a_settlement_stores_link_appointment_and_connection_in_one_step(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"title": "Old", "user_ids": ["u1"], "notes": "kept", "location": "x"}})
    seen = connected.appointments("s1", ["p1"])["p1"].version
    write = an_update(seen, title="New", location=None, sync={"connection": "c1", "at": NOW})
    fields = {"cursors.calendar": "next", "lease": None}
    settlement = Settlement(link=a_link(), studio=write)
    version = connected.settle("c1", version_of(connected), fields, [settlement])
    assert version == version_of(connected)
    assert read_connection(connected).cursors == Cursors("next")
    assert connected.all_links("c1") == {"p1": a_link()}
    found = document("studios/s1/appointments/p1")
    assert abs(found.pop("updated_at") - dt.datetime.now(dt.UTC)) < HOUR
    assert found == {
        "title": "New",
        "user_ids": ["u1"],
        "notes": "kept",
        "sync": {"connection": "c1", "at": NOW},
    }


def test_what_goes_by_another_id_from_now_on_leaves_a_tombstone_in_the_same_step(
    connected: FirestoreStore, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"title": "Old"}})
    erase = StudioErasure(
        studio_id="s1", appointment_id="p1", version=connected.appointments("s1", ["p1"])["p1"].version
    )
    link, tombstone = a_link("p2"), buried(a_link(), NOW)
    settlement = Settlement(link=link, tombstone=tombstone, studio=a_creation("p2", title="Old"), erase=erase)
    connected.settle("c1", version_of(connected), {"lease": None}, [settlement])
    assert connected.all_links("c1") == {"p1": tombstone, "p2": link}
    assert set(connected.appointments("s1", ["p1", "p2"])) == {"p2"}
    put({"studios/s1/appointments/p1": {"title": "Back"}})
    with pytest.raises(Stale):
        connected.settle("c1", version_of(connected), {"lease": None}, [settlement])
    assert set(connected.appointments("s1", ["p1", "p2"])) == {"p1", "p2"}


def test_an_appointment_changed_since_it_was_read_stops_everything_of_that_step(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"title": "Old"}})
    stale = connected.appointments("s1", ["p1"])["p1"].version
    put({"studios/s1/appointments/p1": {"title": "By a person"}})
    version = version_of(connected)
    log = RunLog(run_id="r1", number=1, entries=(), summary={"started_at": NOW})
    settlements = [
        Settlement(link=a_link("p0", "e0"), studio=a_creation("p0", title="New")),
        Settlement(link=a_link(), studio=an_update(stale, title="By the run")),
        Settlement(park=("p2", parked())),
    ]
    with pytest.raises(Stale):
        connected.settle("c1", version, {"failures": 9}, settlements, [log])
    assert version_of(connected) == version
    assert document("studios/s1/appointments/p1") == {"title": "By a person"}
    assert document("studios/s1/appointments/p0") is None
    assert connected.all_links("c1") == {}
    assert connected.parked("c1") == {}
    assert document("connections/c1/runs/r1") is None


def test_a_connection_changed_since_it_was_read_stops_everything_of_that_step(
    connected: FirestoreStore, document: Documents
) -> None:
    stale = version_of(connected)
    connected.update_connection("c1", stale, {"lease": {"holder": "another", "expires_at": NOW}})
    settlement = Settlement(link=a_link(), studio=a_creation(title="New"))
    with pytest.raises(Stale):
        connected.settle("c1", stale, {"failures": 9}, [settlement])
    assert connected.all_links("c1") == {}
    assert document("studios/s1/appointments/p1") is None
    assert read_connection(connected).failures == 0


def test_an_appointment_deleted_since_it_was_read_stops_everything_of_that_step(
    connected: FirestoreStore, firestore_client: firestore.Client, document: Documents, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"title": "Old"}})
    seen = connected.appointments("s1", ["p1"])["p1"].version
    firestore_client.document("studios/s1/appointments/p1").delete()
    settlement = Settlement(link=a_link(), studio=an_update(seen, title="New"))
    with pytest.raises(Stale):
        connected.settle("c1", version_of(connected), {"failures": 9}, [settlement])
    assert document("studios/s1/appointments/p1") is None
    assert connected.all_links("c1") == {}


def test_a_creation_is_refused_when_the_document_exists(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"title": "Somebody's"}})
    settlement = Settlement(link=a_link(), studio=a_creation(title="Ours"))
    with pytest.raises(Stale):
        connected.settle("c1", version_of(connected), {"failures": 9}, [settlement])
    assert document("studios/s1/appointments/p1") == {"title": "Somebody's"}
    assert connected.all_links("c1") == {}


def test_a_creation_leaves_out_what_is_none_and_is_stamped_with_the_servers_time(
    connected: FirestoreStore, document: Documents
) -> None:
    write = a_creation(title="Imported", client_id=None, user_ids=["u1"], start=NOW, origin={"event_id": "e1"})
    connected.settle("c1", version_of(connected), {"failures": 0}, [Settlement(studio=write)])
    found = document("studios/s1/appointments/p1")
    assert abs(found.pop("updated_at") - dt.datetime.now(dt.UTC)) < HOUR
    assert found == {"title": "Imported", "user_ids": ["u1"], "start": NOW, "origin": {"event_id": "e1"}}


def test_joining_adds_the_user_once_and_keeps_the_others(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"user_ids": ["u2"], "title": "Kept"}})
    for _ in range(2):
        seen = connected.appointments("s1", ["p1"])["p1"].version
        settlement = Settlement(studio=an_update(seen, join="u1"))
        connected.settle("c1", version_of(connected), {"failures": 0}, [settlement])
    found = document("studios/s1/appointments/p1")
    assert (found["user_ids"], found["title"]) == (["u2", "u1"], "Kept")


def test_leaving_takes_the_user_off_and_keeps_the_others(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"user_ids": ["u1", "u2", "u1"], "title": "Kept"}})
    for _ in range(2):
        seen = connected.appointments("s1", ["p1"])["p1"].version
        settlement = Settlement(studio=an_update(seen, leave="u1", notes="x"))
        connected.settle("c1", version_of(connected), {"failures": 0}, [settlement])
    found = document("studios/s1/appointments/p1")
    assert abs(found.pop("updated_at") - dt.datetime.now(dt.UTC)) < HOUR
    assert found == {"user_ids": ["u2"], "title": "Kept", "notes": "x"}


def a_question(item_id: str = "q1", **fields: Any) -> InboxWrite:
    return InboxWrite(studio_id="s1", item_id=item_id, fields=fields)


def test_questions_are_made_and_changed_field_by_field(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/inbox/q2": {"answer": "put_back", "text": "Old", "refs": {"a": 1}, "front_end": [1]}})
    asked = {"kind": "held", "user_id": "u1", "text": "Delete 40?", "refs": {"hold": "h1"}, "created_at": NOW}
    settlements = [
        Settlement(inbox=(a_question("q1", **asked, status="open"), a_question("q2", status="answered"))),
        Settlement(inbox=(a_question("q2", text="New"),)),
    ]
    connected.settle("c1", version_of(connected), {"failures": 0}, settlements)
    assert connected.inbox("s1", ["q1"]) == {"q1": InboxItem(**asked)}  # type: ignore[arg-type]
    assert document("studios/s1/inbox/q2") == {
        "answer": "put_back",
        "text": "New",
        "refs": {"a": 1},
        "front_end": [1],
        "status": "answered",
    }


def test_an_answer_is_forgotten_when_a_question_is_asked_anew(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/inbox/q1": {"answer": "put_back", "status": "answered"}})
    write = a_question(answer=None, status="open")
    connected.settle("c1", version_of(connected), {"failures": 0}, [Settlement(inbox=(write,))])
    assert document("studios/s1/inbox/q1") == {"answer": None, "status": "open"}


def test_no_question_is_asked_by_a_step_that_is_not_stored(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({"studios/s1/appointments/p1": {"title": "Old"}})
    stale = connected.appointments("s1", ["p1"])["p1"].version
    put({"studios/s1/appointments/p1": {"title": "By a person"}})
    settlement = Settlement(studio=an_update(stale, leave="u1"), inbox=(a_question(text="x"),))
    with pytest.raises(Stale):
        connected.settle("c1", version_of(connected), {"failures": 9}, [settlement])
    assert document("studios/s1/inbox/q1") is None


def test_a_log_is_kept_in_chunks_that_expire(connected: FirestoreStore, document: Documents) -> None:
    entries = [
        LogEntry(
            appointment_id=f"p{number}",
            calendar="patch",
            reason=Reason.UNSUPPORTED_RULE,
            units=("title", "when"),
            studio_before={"title": "Old", "start": NOW, "user_ids": ["u1"]},
            lost=({"unit": "title", "text": "x"},),
        )
        for number in range(2)
    ]
    for number, entry in enumerate(entries, start=1):
        log = RunLog(run_id="r1", number=number, entries=(entry,), summary={"started_at": NOW, "counts": {"a": number}})
        connected.settle("c1", version_of(connected), {"failures": 0}, [], [log])
    assert document("connections/c1/runs/r1") == {
        "started_at": NOW,
        "counts": {"a": 2},
        "chunks": 2,
        "expires_at": NOW + LOG_LIFE,
    }
    for number, entry in enumerate(entries, start=1):
        chunk = document(f"connections/c1/runs/r1/entries/{number}")
        assert (chunk["number"], chunk["expires_at"]) == (number, NOW + LOG_LIFE)
        assert [msgspec.convert(kept, LogEntry) for kept in chunk["entries"]] == [entry]


def logged(store: FirestoreStore, run_id: str, *entries: LogEntry, started_at: dt.datetime = NOW) -> None:
    """Each entry in a chunk of its own."""
    for number, entry in enumerate(entries, start=1):
        summary = {"started_at": started_at, "counts": {"agreed": number}, "changed": number}
        log = RunLog(run_id=run_id, number=number, entries=(entry,), summary=summary)
        store.settle("c1", version_of(store), {"failures": 0}, [], [log])


def test_runs_are_listed_with_the_newest_first_and_those_of_long_ago_left_out(connected: FirestoreStore) -> None:
    entry = LogEntry(appointment_id="p1", reason=Reason.AGREED)
    for days in (1, 3, 2, 40):
        logged(connected, f"r{days}", entry, started_at=NOW - dt.timedelta(days=days))
    found = connected.runs("c1", NOW - LOG_LIFE, 10)
    assert list(found) == ["r1", "r2", "r3"]
    assert list(connected.runs("c1", NOW - LOG_LIFE, 2)) == ["r1", "r2"]
    expires_at = NOW - dt.timedelta(days=1) + LOG_LIFE
    summary = RunSummary(
        started_at=NOW - dt.timedelta(days=1), expires_at=expires_at, chunks=1, changed=1, counts={"agreed": 1}
    )
    assert found["r1"] == connected.run("c1", "r1") == summary
    assert connected.run("c1", "r9") is None


def test_the_entries_of_a_run_are_read_chunk_by_chunk_in_their_order(connected: FirestoreStore) -> None:
    entries = [
        LogEntry(appointment_id=f"p{number}", reason=Reason.AGREED, studio_before={"start": NOW}, after={"title": "x"})
        for number in range(11)
    ]
    logged(connected, "r1", *entries)
    assert list(connected.run_entries("c1", "r1")) == [(entry,) for entry in entries]
    assert list(connected.run_entries("c1", "r2")) == []


def test_of_a_batch_of_edits_one_that_comes_too_late_stops_no_other(
    connected: FirestoreStore, document: Documents, put: Put
) -> None:
    put({f"studios/s1/appointments/p{number}": {"title": "Old", "location": "x"} for number in range(4)})
    seen = {one: stored.version for one, stored in connected.appointments("s1", ["p0", "p1", "p2"]).items()}
    put({"studios/s1/appointments/p1": {"title": "By a person"}})
    writes = [an_update(seen[one], one, title="New", location=None) for one in ("p0", "p1", "p2")]
    writes += [a_creation("p3", title="New"), a_creation("p4", title="New", location=None)]
    outcomes = connected.edit_appointments(writes)
    assert [type(one) for one in outcomes] == [type(None), Stale, type(None), Stale, type(None)]
    assert [document(f"studios/s1/appointments/p{number}")["title"] for number in range(5)] == [
        "New", "By a person", "New", "Old", "New"
    ]  # fmt: skip
    assert document("studios/s1/appointments/p0").keys() == {"title", "updated_at"}
    assert connected.edit_appointments([]) == []


def test_an_edit_that_firestore_does_not_take_stops_no_other(connected: FirestoreStore, document: Documents) -> None:
    writes = [a_creation("p1", title="x" * 1_100_000), a_creation("p2", title="New")]
    assert [type(one) for one in connected.edit_appointments(writes)] == [Refused, type(None)]
    assert document("studios/s1/appointments/p1") is None
    assert document("studios/s1/appointments/p2")["title"] == "New"
