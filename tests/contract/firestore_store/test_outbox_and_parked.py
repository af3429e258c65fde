"""What waits below a connection: the outbox, and items that cannot sync."""

import datetime as dt

import msgspec

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.connection import (
    OutboxEntry,
)
from shared.ports import Settlement
from tests.contract.firestore_store.builders import (
    HOUR,
    NOW,
    Documents,
    parked,
    version_of,
)


def test_the_outbox_is_read_oldest_first_and_cleared(connected: FirestoreStore) -> None:
    entries = [OutboxEntry(appointment_id=f"p{number}", at=NOW - number * HOUR) for number in range(3)]
    by_event = OutboxEntry(event_id="e1", at=NOW - 9 * HOUR, tries=2)
    connected.put_outbox([("c1", str(entry.appointment_id), entry) for entry in entries])
    connected.put_outbox([("c1", "event:e1", by_event), ("c2", "p1", entries[0])])
    found = connected.outbox("c1", 10)
    assert [stored.id for stored in found] == ["event:e1", "p2", "p1", "p0"]
    assert found[0].value == by_event
    assert [stored.id for stored in connected.outbox("c1", 2)] == ["event:e1", "p2"]
    connected.clear_outbox("c1", found[:3])
    assert [stored.id for stored in connected.outbox("c1", 10)] == ["p0"]
    assert len(connected.outbox("c2", 10)) == 1


def test_an_entry_written_again_since_it_was_read_is_not_removed(connected: FirestoreStore) -> None:
    first = OutboxEntry(appointment_id="p1", at=NOW)
    connected.put_outbox([("c1", "p1", first), ("c1", "p2", first)])
    read = connected.outbox("c1", 10)
    again = OutboxEntry(appointment_id="p1", at=NOW + HOUR)
    connected.put_outbox([("c1", "p1", again)])
    connected.clear_outbox("c1", read)
    assert [(stored.id, stored.value) for stored in connected.outbox("c1", 10)] == [("p1", again)]


def test_clearing_what_is_cleared_already_is_fine(connected: FirestoreStore) -> None:
    connected.put_outbox([("c1", "p1", OutboxEntry(at=NOW))])
    read = connected.outbox("c1", 10)
    connected.clear_outbox("c1", read)
    connected.clear_outbox("c1", read)
    connected.clear_outbox("c1", [])
    assert connected.outbox("c1", 10) == []


def test_more_outbox_entries_than_one_request_takes_are_written_and_cleared(connected: FirestoreStore) -> None:
    entry = OutboxEntry(appointment_id="p", at=NOW)
    connected.put_outbox([("c1", f"p{number}", entry) for number in range(650)])
    read = connected.outbox("c1", 1000)
    assert len(read) == 650
    connected.clear_outbox("c1", read)
    assert connected.outbox("c1", 1) == []


def test_items_are_parked_and_unparked_with_what_a_run_stores(connected: FirestoreStore, document: Documents) -> None:
    item = parked()
    connected.settle(
        "c1", version_of(connected), {"parked": 2}, [Settlement(park=(name, item)) for name in ("p1", "event:e1")]
    )
    assert set(connected.parked("c1")) == {"p1", "event:e1"}
    assert document("connections/c1/parked/p1") == {
        **msgspec.to_builtins(item, builtin_types=(dt.datetime,)),
        "doubts": [],
    }
    connected.settle("c1", version_of(connected), {"parked": 0}, [Settlement(unpark=("p1", "event:e1", "p9"))])
    assert connected.parked("c1") == {}


def test_one_entry_of_the_outbox_is_read_by_its_id(connected: FirestoreStore) -> None:
    entry = OutboxEntry(event_id="e1", at=NOW, tries=3, cause="left")
    connected.put_outbox([("c1", "event:e1", entry), ("c2", "p2", OutboxEntry(at=NOW))])
    assert connected.outbox_entry("c1", "event:e1") == entry
    assert connected.outbox_entry("c1", "p2") is None


def test_one_parked_item_is_read_with_its_reason(connected: FirestoreStore) -> None:
    item = parked(detail="too often", event_id="e1")
    connected.settle("c1", version_of(connected), {"parked": 1}, [Settlement(park=("p1", item))])
    assert connected.parked_item("c1", "p1") == item
    assert connected.parked_item("c1", "p2") is None
    assert connected.parked_item("c2", "p1") is None
