"""Connections in Firestore: read, changed, found and made."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.cloud import firestore

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.connection import (
    Channel,
    Cursors,
    Lease,
    Populate,
)
from shared.domain.errors import Stale
from shared.domain.reasons import Reason
from shared.ports import Due, Settlement
from tests.contract.firestore_store.builders import (
    DAY,
    HOUR,
    NOW,
    Documents,
    Put,
    a_connection,
    a_link,
    read_connection,
    version_of,
)

# --- connections ------------------------------------------------------------------------------------------------------


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


def test_revived_with_another_account_it_goes_on_with_that_one_and_the_channels_of_the_one_before_are_retired(
    connected: FirestoreStore,
) -> None:
    fields = {"channel": {"id": "ch2", "resource_id": "r"}, "retired": [{"id": "ch1"}]}
    connected.update_connection("c1", version_of(connected), fields)
    same = connected.save_connection("c1", a_connection(next_sync_at=NOW))
    assert (same.channel, same.retired) == (Channel(id="ch2", resource_id="r"), (Channel(id="ch1"),))
    revived = connected.save_connection("c1", a_connection(account_id="a2", next_sync_at=NOW))
    assert (revived.account_id, revived.channel) == ("a2", None)
    assert revived.retired == (Channel(id="ch2", resource_id="r"), Channel(id="ch1"))


def test_a_connection_for_a_user_who_is_gone_is_not_made(store: FirestoreStore) -> None:
    with pytest.raises(Stale):
        store.save_connection("c1", a_connection(user_id="gone"))
    assert store.connection("c1") is None


# --- a user's and a studio's connections -----------------------------------------------------------------------------


def test_a_user_has_every_connection_that_was_ever_made_whatever_its_state(connected: FirestoreStore, put: Put) -> None:
    connected.save_connection("c2", a_connection(calendar_id="c2@example.org", state="resting"))
    connected.save_connection("c3", a_connection(account_id="a2", state="disconnected"))
    put({"studios/s1/users/u2": {"n": 1}, "studios/s2/users/u1": {"n": 1}})
    connected.save_connection("another-users", a_connection(user_id="u2"))
    connected.save_connection("another-studios", a_connection(studio_id="s2"))
    found = connected.connections_of_user("s1", "u1")
    states = {name: stored.value.state for name, stored in found.items()}
    assert states == {"c1": "connected", "c2": "resting", "c3": "disconnected"}
    assert {name: stored.id for name, stored in found.items()} == {name: name for name in found}
    assert connected.connections_of_user("s1", "u9") == {}
    connected.update_connection("c1", found["c1"].version, {"failures": 1})


@pytest.mark.parametrize("count", [0, 1, 300, 601])
def test_a_studios_connections_are_all_found_also_over_several_pages(
    store: FirestoreStore, put: Put, count: int
) -> None:
    names = [f"c{number:04}" for number in range(count)]
    for start in range(0, count, 400):
        put({f"connections/{name}": {"studio_id": "s1"} for name in names[start : start + 400]})
    put({"connections/c0000-elsewhere": {"studio_id": "s2"}, "connections/no-studio": {"n": 1}})
    assert list(store.connections_of_studio("s1")) == names


def test_a_studios_connections_are_read_as_they_are_asked_for(store: FirestoreStore, put: Put) -> None:
    put({f"connections/c{number:04}": {"studio_id": "s1"} for number in range(301)})
    found = store.connections_of_studio("s1")
    assert next(found) == "c0000"
    put({"connections/c0300": {"studio_id": "s2"}})
    assert len(list(found)) == 299
