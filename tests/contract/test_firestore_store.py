"""The `Store` port over Firestore: the connection, its outbox, its links, and what a run stores in one step."""

import datetime as dt
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from shared.adapters import firestore_store
from shared.adapters.firestore_store import FirestoreStore
from shared.domain.connection import (
    LOG_LIFE,
    Account,
    CalendarChoice,
    Connection,
    Cursors,
    Lease,
    LogEntry,
    OutboxEntry,
    Parked,
    Populate,
)
from shared.domain.content import AllDay, Content, Timed
from shared.domain.errors import Stale, Unavailable
from shared.domain.link import Link, buried
from shared.domain.reasons import Reason
from shared.ports import Due, RunLog, Settlement, StudioWrite

# With microseconds: as fine as Firestore keeps them.
NOW = dt.datetime(2025, 5, 3, 10, 0, 0, 123456, dt.UTC)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def a_connection(**fields: Any) -> Connection:
    given = {"studio_id": "s1", "user_id": "u1", "account_id": "a1", "calendar_id": "primary"}
    return Connection(**{**given, "since": NOW, "window_from": NOW - 90 * DAY, **fields})


def an_account(**fields: Any) -> Account:
    given = {"account_id": "a1", "account_email": "ann@example.org", "studio_id": "s1", "user_id": "u1"}
    return Account(**{**given, **fields})


def a_link(appointment_id: str = "p1", event_id: str = "e1", **fields: Any) -> Link:
    content = Content(title="Newborn", when=Timed(NOW, NOW + HOUR))
    given = {"studio": content, "calendar": content, "etag": '"1"', "seal": "abc", "ends_at": NOW + HOUR}
    return Link(appointment_id=appointment_id, event_id=event_id, **{**given, **fields})


def parked(**fields: Any) -> Parked:
    return Parked(**{"appointment_id": "p1", "reason": Reason.REPEATING, "field": "recurrence", "since": NOW, **fields})


def a_creation(appointment_id: str = "p1", **fields: Any) -> StudioWrite:
    return StudioWrite(studio_id="s1", appointment_id=appointment_id, version=None, fields=fields)


def an_update(version: Any, appointment_id: str = "p1", join: str | None = None, **fields: Any) -> StudioWrite:
    return StudioWrite(studio_id="s1", appointment_id=appointment_id, version=version, fields=fields, join=join)


Documents = Callable[[str], Any]
Put = Callable[[dict[str, dict[str, Any]]], None]


@pytest.fixture
def document(firestore_client: firestore.Client) -> Documents:
    """What a path holds, as the vendor's client gives it; None if nothing is there."""

    def read(path: str) -> Any:
        return firestore_client.document(path).get().to_dict()

    return read


@pytest.fixture
def put(firestore_client: firestore.Client) -> Put:
    """Write documents, by path, as a front-end would."""

    def write(documents: dict[str, dict[str, Any]]) -> None:
        batch = firestore_client.batch()
        for path, value in documents.items():
            batch.set(firestore_client.document(path), value)
        batch.commit()

    return write


@pytest.fixture
def connected(store: FirestoreStore, put: Put) -> FirestoreStore:
    """The store with connection c1 of user u1 in studio s1."""
    put({"studios/s1": {"name": "Studio"}, "studios/s1/users/u1": {"name": "Ann", "sync": {"enabled": True}}})
    store.save_connection("c1", a_connection())
    return store


def version_of(store: FirestoreStore) -> Any:
    stored = store.connection("c1")
    assert stored is not None
    return stored.version


def read_connection(store: FirestoreStore) -> Connection:
    stored = store.connection("c1")
    assert stored is not None
    return stored.value


# --- connections -----------------------------------------------------------------------------------------------------


def test_a_connection_comes_back_as_it_was_stored(connected: FirestoreStore, document: Documents) -> None:
    full = a_connection(
        state="paused",
        state_reason=Reason.ACCESS_LOST,
        next_sync_at=NOW,
        lease=Lease("run", NOW + HOUR),
        cursors=Cursors("token"),
        failures=2,
    )
    connected.save_connection("c2", full)
    stored = connected.connection("c2")
    assert stored is not None
    assert (stored.id, stored.value) == ("c2", full)
    assert "from" in document("connections/c2")
    assert connected.connection("c3") is None


def test_timestamps_come_back_as_plain_utc_datetimes_to_the_microsecond(store: FirestoreStore, put: Put) -> None:
    here = dt.timezone(2 * HOUR)
    put(
        {
            "studios/s1/users/u1": {"n": 1},
            "studios/s1/appointments/p1": {
                "user_ids": ["u1"],
                "start": NOW.astimezone(here),
                "end": NOW,
                "deep": {"list": [{"at": NOW}]},
                "updated_at": firestore.SERVER_TIMESTAMP,
            },
        }
    )
    store.save_connection("c1", a_connection(next_sync_at=NOW.astimezone(here)))
    appointment = store.appointments("s1", ["p1"])["p1"].value
    listed = store.appointments_of_user("s1", "u1", NOW)["p1"].value
    due = store.due_connections(NOW, 1, None)[0].next_sync_at
    next_sync_at = read_connection(store).next_sync_at
    found = [due, next_sync_at]
    for value in (appointment, listed):
        found += [value["start"], value["end"], value["deep"]["list"][0]["at"]]
        assert type(value["updated_at"]) is dt.datetime
    assert found == [NOW] * 8
    assert {type(instant) for instant in found} == {dt.datetime}
    assert {instant.tzinfo for instant in found if instant is not None} == {dt.UTC}


def test_an_update_gives_the_version_that_the_next_one_needs(connected: FirestoreStore) -> None:
    first = version_of(connected)
    second = connected.update_connection("c1", first, {"failures": 1})
    assert second == version_of(connected)
    connected.update_connection("c1", second, {"failures": 2})
    assert read_connection(connected).failures == 2


def test_a_stale_update_is_refused_and_nothing_of_it_is_stored_nor_of_the_users_document(
    connected: FirestoreStore, document: Documents
) -> None:
    stale = version_of(connected)
    connected.update_connection("c1", stale, {"failures": 1})
    user_before = document("studios/s1/users/u1")
    with pytest.raises(Stale):
        connected.update_connection(
            "c1", stale, {"failures": 7}, user=("s1", "u1"), user_fields={"connection.state": "paused"}
        )
    assert read_connection(connected).failures == 1
    assert document("studios/s1/users/u1") == user_before


def test_an_update_whose_user_is_gone_is_refused_as_a_whole(connected: FirestoreStore) -> None:
    version = version_of(connected)
    with pytest.raises(Stale):
        connected.update_connection("c1", version, {"failures": 7}, user=("s1", "gone"), user_fields={"a": 1})
    assert version_of(connected) == version


def test_an_update_of_a_connection_that_is_gone_is_stale(
    connected: FirestoreStore, firestore_client: firestore.Client
) -> None:
    version = version_of(connected)
    firestore_client.document("connections/c1").delete()
    with pytest.raises(Stale):
        connected.update_connection("c1", version, {"failures": 1})
    assert connected.connection("c1") is None


def test_dotted_paths_reach_into_maps_none_removes_and_the_rest_stays(
    connected: FirestoreStore, firestore_client: firestore.Client, document: Documents
) -> None:
    firestore_client.document("connections/c1").update({"next_sync_at": NOW, "unknown": {"a": 1}, "populated.x": 1})
    connected.update_connection(
        "c1",
        version_of(connected),
        {"populated.studio": NOW, "next_sync_at": None, "lease": {"holder": "run", "expires_at": NOW}},
        user=("s1", "u1"),
        user_fields={"sync.populate_studio": False, "sync.enabled": None, "connection.reason": "access_lost"},
    )
    found = document("connections/c1")
    assert found["populated"] == {"calendar": None, "studio": NOW, "x": 1}
    assert "next_sync_at" not in found
    assert found["unknown"] == {"a": 1}
    assert read_connection(connected).lease == Lease("run", NOW)
    assert document("studios/s1/users/u1") == {
        "name": "Ann",
        "sync": {"populate_studio": False},
        "connection": {"id": "c1", "state": "connected", "reason": "access_lost"},
    }


def test_of_many_updates_at_one_version_one_wins(connected: FirestoreStore) -> None:
    version = version_of(connected)

    def update(number: int) -> int | None:
        try:
            connected.update_connection("c1", version, {"failures": number})
        except Stale:
            return None
        return number

    with ThreadPoolExecutor(4) as pool:
        winners = [number for number in pool.map(update, range(1, 5)) if number is not None]
    assert winners == [read_connection(connected).failures]


def test_due_connections_come_longest_due_first_in_pages_also_over_equal_times(store: FirestoreStore, put: Put) -> None:
    times = {"c1": NOW, "c2": NOW - HOUR, "c3": NOW - HOUR, "c4": NOW - HOUR, "c5": NOW - 2 * HOUR}
    put({f"connections/{name}": {"next_sync_at": at} for name, at in times.items()})
    put({"connections/later": {"next_sync_at": NOW + dt.timedelta(microseconds=1)}, "connections/never": {"n": 1}})
    put({"connections/null": {"next_sync_at": None}})
    found: list[Due] = []
    while page := store.due_connections(NOW, 2, found[-1] if found else None):
        assert len(page) <= 2
        found += page
    assert [due.connection_id for due in found] == ["c5", "c2", "c3", "c4", "c1"]
    assert {due.connection_id: due.next_sync_at for due in found} == times


def test_saving_a_connection_points_the_user_at_it(connected: FirestoreStore, document: Documents) -> None:
    assert document("studios/s1/users/u1") == {
        "name": "Ann",
        "sync": {"enabled": True},
        "connection": {"id": "c1", "state": "connected", "reason": None},
    }


def test_a_connection_that_was_there_before_is_revived_with_its_pairs_and_what_is_unknown(
    connected: FirestoreStore, firestore_client: firestore.Client, document: Documents
) -> None:
    connected.settle("c1", version_of(connected), {"cursors": {"calendar": "old"}}, [Settlement(link=a_link())])
    fields = {"state": "needs_reauth", "state_reason": "access_lost", "next_sync_at": None, "failures": 4}
    connected.update_connection("c1", version_of(connected), fields)
    firestore_client.document("connections/c1").update({"unknown": 1})
    revived = connected.save_connection("c1", a_connection(next_sync_at=NOW, since=NOW + DAY))
    assert revived == read_connection(connected)
    assert (revived.state, revived.state_reason, revived.failures) == ("connected", None, 0)
    assert (revived.next_sync_at, revived.since, revived.cursors.calendar) == (NOW, NOW, "old")
    assert revived.populate == Populate(), "what was edited meanwhile is found by comparing everything"
    assert document("connections/c1")["unknown"] == 1
    assert connected.all_links("c1") == {"p1": a_link()}


def test_a_connection_for_a_user_who_is_gone_is_not_made(store: FirestoreStore) -> None:
    with pytest.raises(Stale):
        store.save_connection("c1", a_connection(user_id="gone"))
    assert store.connection("c1") is None


# --- accounts --------------------------------------------------------------------------------------------------------


def test_an_account_may_be_claimed_again_by_its_user_and_is_brought_up_to_date(
    store: FirestoreStore, firestore_client: firestore.Client, document: Documents
) -> None:
    assert store.claim_account(an_account(state="needs_reauth"))
    firestore_client.document("accounts/google:a1").update({"unknown": 1})
    again = an_account(scopes=("calendar",), calendars=(CalendarChoice(id="primary", primary=True),), secret="name")
    assert store.claim_account(again)
    found = document("accounts/google:a1")
    assert found.pop("unknown") == 1
    assert msgspec.convert(found, Account) == again


@pytest.mark.parametrize("other", [{"user_id": "u2"}, {"studio_id": "s2"}])
def test_an_account_that_somebody_else_has_is_refused_and_stays_as_it_is(
    store: FirestoreStore, document: Documents, other: dict[str, str]
) -> None:
    store.claim_account(an_account())
    assert not store.claim_account(an_account(account_email="new@example.org", **other))
    assert msgspec.convert(document("accounts/google:a1"), Account) == an_account()


def test_of_many_users_who_claim_an_account_at_once_one_gets_it(store: FirestoreStore, document: Documents) -> None:
    users = [f"u{number}" for number in range(6)]
    with ThreadPoolExecutor(len(users)) as pool:
        outcomes = list(pool.map(lambda user: store.claim_account(an_account(user_id=user)), users))
    winners = [user for user, won in zip(users, outcomes, strict=True) if won]
    assert winners == [document("accounts/google:a1")["user_id"]]


# --- settings --------------------------------------------------------------------------------------------------------


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


# --- outbox and parked -----------------------------------------------------------------------------------------------


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
    assert document("connections/c1/parked/p1") == msgspec.to_builtins(item, builtin_types=(dt.datetime,))
    connected.settle("c1", version_of(connected), {"parked": 0}, [Settlement(unpark=("p1", "event:e1", "p9"))])
    assert connected.parked("c1") == {}


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(connected: FirestoreStore) -> FirestoreStore:
    """`connected` with 40 links, p0-e0 to p39-e39; number 39 is a tombstone."""
    links = [a_link(f"p{number}", f"e{number}") for number in range(39)]
    links.append(buried(a_link("p39", "e39"), NOW))
    connected.settle("c1", version_of(connected), {"failures": 0}, [Settlement(link=link) for link in links])
    return connected


def test_links_are_found_by_appointment_and_by_event_also_by_more_than_thirty(linked: FirestoreStore) -> None:
    numbers = range(5, 38)
    by_appointment = linked.links("c1", [f"p{number}" for number in numbers] + ["none"])
    by_event = linked.links_of_events("c1", [f"e{number}" for number in numbers] + ["none"])
    assert by_appointment == {f"p{number}": a_link(f"p{number}", f"e{number}") for number in numbers}
    assert by_event == {f"e{number}": a_link(f"p{number}", f"e{number}") for number in numbers}
    assert len(linked.all_links("c1")) == 40


def test_no_ids_find_no_links(linked: FirestoreStore) -> None:
    assert linked.links("c1", []) == {}
    assert linked.links_of_events("c1", []) == {}


def test_links_are_those_of_their_own_connection(linked: FirestoreStore) -> None:
    assert linked.links("c2", ["p1"]) == {}
    assert linked.links_of_events("c2", ["e1"]) == {}
    assert linked.all_links("c2") == {}


def test_tombstones_are_found_as_links_are(linked: FirestoreStore) -> None:
    tombstone = buried(a_link("p39", "e39"), NOW)
    assert linked.links("c1", ["p39"]) == {"p39": tombstone}
    assert linked.links_of_events("c1", ["e39"]) == {"e39": tombstone}
    assert linked.all_links("c1")["p39"] == tombstone


def test_both_columns_of_an_all_day_pair_come_back_as_they_were(connected: FirestoreStore) -> None:
    content = Content(title="Fair", when=AllDay(dt.date(2025, 5, 3), dt.date(2025, 5, 5)), status="tentative")
    link = a_link(studio=content, calendar=msgspec.structs.replace(content, description="<p>x</p>"), generation=3)
    connected.settle("c1", version_of(connected), {"failures": 0}, [Settlement(link=link)])
    assert connected.all_links("c1") == {"p1": link}


# --- the studio's documents ------------------------------------------------------------------------------------------


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


# --- what a run writes -----------------------------------------------------------------------------------------------


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


def test_a_log_is_kept_in_chunks_that_expire(connected: FirestoreStore, document: Documents) -> None:
    entries = [
        LogEntry(
            appointment_id=f"p{number}",
            calendar="patch",
            reason=Reason.REPEATING,
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


# --- a Firestore that does not answer --------------------------------------------------------------------------------


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, project: str) -> Iterator[FirestoreStore]:
    """A store at a port where nobody listens, with less patience than it has by itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{port}")
    client = firestore.Client(project=project, credentials=AnonymousCredentials())
    retry = firestore_store._PATIENCE["retry"].with_timeout(0.1)
    monkeypatch.setattr(firestore_store, "_PATIENCE", {"timeout": 0.1, "retry": retry})
    yield FirestoreStore(client)
    client.close()


ASKING: dict[str, Callable[[FirestoreStore], Any]] = {
    "connection": lambda store: store.connection("c1"),
    "update_connection": lambda store: store.update_connection("c1", NOW, {"failures": 1}),
    "due_connections": lambda store: store.due_connections(NOW, 10, None),
    "save_connection": lambda store: store.save_connection("c1", a_connection()),
    "claim_account": lambda store: store.claim_account(an_account()),
    "settings": lambda store: store.settings("s1", "u1"),
    "outbox": lambda store: store.outbox("c1", 10),
    "put_outbox": lambda store: store.put_outbox([("c1", "p1", OutboxEntry(at=NOW))]),
    "links": lambda store: store.links("c1", ["p1"]),
    "links_of_events": lambda store: store.links_of_events("c1", ["e1"]),
    "all_links": lambda store: store.all_links("c1"),
    "parked": lambda store: store.parked("c1"),
    "appointments_of_user": lambda store: store.appointments_of_user("s1", "u1", NOW),
    "settle": lambda store: store.settle("c1", NOW, {"failures": 1}, []),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_a_firestore_that_cannot_be_reached_is_unavailable(
    unreachable: FirestoreStore, ask: Callable[[FirestoreStore], Any]
) -> None:
    with pytest.raises(Unavailable):
        ask(unreachable)
