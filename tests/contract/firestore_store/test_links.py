"""The links of a connection: found by either side, counted, and looked up for a colleague."""

import datetime as dt

import msgspec
import pytest

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.content import AllDay, Content
from shared.domain.link import Link, buried
from shared.ports import Settlement
from tests.contract.firestore_store.builders import (
    DAY,
    NOW,
    Put,
    a_connection,
    a_link,
    version_of,
)


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


def store_links(store: FirestoreStore, connection_id: str, *links: Link) -> None:
    stored = store.connection(connection_id)
    assert stored is not None
    store.settle(connection_id, stored.version, {"failures": 0}, [Settlement(link=link) for link in links])


# --- counting them ---------------------------------------------------------------------------------------------------


def test_only_pairs_that_end_later_are_counted(connected: FirestoreStore) -> None:
    a_moment = dt.timedelta(microseconds=1)
    store_links(
        connected,
        "c1",
        a_link("next", "e1", ends_at=NOW + a_moment),
        a_link("later", "e2", ends_at=NOW + 900 * DAY),
        a_link("ended-now", "e3", ends_at=NOW),
        a_link("ended", "e4", ends_at=NOW - DAY),
        a_link("without-end", "e5", ends_at=None),
        a_link("leaving", "e6", state="leaving", ends_at=NOW + DAY),
        msgspec.structs.replace(buried(a_link("gone", "e7"), NOW), ends_at=NOW + DAY),
    )
    assert connected.upcoming_pairs("c1", NOW) == 2
    assert connected.upcoming_pairs("c1", NOW - a_moment) == 3
    assert connected.upcoming_pairs("c1", NOW + 1000 * DAY) == 0
    assert connected.upcoming_pairs("c2", NOW) == 0


# --- those of colleagues ---------------------------------------------------------------------------------------------


@pytest.fixture
def colleagues(store: FirestoreStore, put: Put) -> FirestoreStore:
    """Bea's connection c2 and Cem's c3 in studio s1, and one of Bea's namesake in studio s2; each has paired e1."""
    for studio_id, user_id, connection_id in (("s1", "bea", "c2"), ("s1", "cem", "c3"), ("s2", "bea", "c4")):
        put({f"studios/{studio_id}/users/{user_id}": {"n": 1}})
        store.save_connection(
            connection_id,
            a_connection(studio_id=studio_id, user_id=user_id, calendar_id=f"{user_id}@{studio_id}.example.org"),
        )
        store_links(store, connection_id, a_link(f"{connection_id}-first", "e1"))
    return store


def pairs_of_colleagues(store: FirestoreStore, studio_id: str, organizers: dict[str, str]) -> dict[str, str]:
    links = store.links_of_colleagues(studio_id, organizers)
    return {event_id: link.appointment_id for event_id, link in links.items() if link.state == "paired"}


def test_a_guests_copy_is_known_by_the_organizers_pair(colleagues: FirestoreStore) -> None:
    store_links(colleagues, "c2", a_link("second", "e2"))
    found = pairs_of_colleagues(
        colleagues, "s1", {"e1": "cem@s1.example.org", "e2": "bea@s1.example.org", "e3": "bea@s1.example.org"}
    )
    assert found == {"e1": "c3-first", "e2": "second"}
    assert pairs_of_colleagues(colleagues, "s1", {}) == {}


def test_an_event_is_looked_for_in_its_organizers_own_connection_only(colleagues: FirestoreStore) -> None:
    store_links(colleagues, "c2", a_link("second", "e2"))
    assert pairs_of_colleagues(colleagues, "s1", {"e2": "cem@s1.example.org"}) == {}
    both = {"e2": "cem@s1.example.org", "e1": "bea@s1.example.org"}
    assert pairs_of_colleagues(colleagues, "s1", both) == {"e1": "c2-first"}
    assert pairs_of_colleagues(colleagues, "s1", {"e1": "client@example.org"}) == {}
    assert pairs_of_colleagues(colleagues, "s1", {"e1": "bea@s2.example.org"}) == {}, "another studio's"


def test_what_a_colleague_has_taken_apart_is_no_pair_but_a_later_one_of_the_same_event_is(
    colleagues: FirestoreStore,
) -> None:
    organizers = {"e1": "bea@s1.example.org", "e2": "bea@s1.example.org"}
    gone = buried(a_link("c2-first", "e1"), NOW)
    store_links(colleagues, "c2", gone, a_link("leaving", "e2", state="leaving"))
    assert pairs_of_colleagues(colleagues, "s1", organizers) == {}
    found = colleagues.links_of_colleagues("s1", organizers)
    assert {event_id: link.state for event_id, link in found.items()} == {"e1": "gone", "e2": "leaving"}
    store_links(colleagues, "c2", a_link("b-again", "e1"))
    store_links(colleagues, "c2", buried(a_link("z-gone", "e1"), NOW))
    assert pairs_of_colleagues(colleagues, "s1", organizers) == {"e1": "b-again"}


def test_a_colleague_who_has_disconnected_keeps_her_pairs(colleagues: FirestoreStore) -> None:
    stored = colleagues.connection("c2")
    assert stored is not None
    colleagues.update_connection("c2", stored.version, {"state": "disconnected"})
    assert pairs_of_colleagues(colleagues, "s1", {"e1": "bea@s1.example.org"}) == {"e1": "c2-first"}


def test_more_organizers_and_events_than_one_query_takes_are_looked_up(colleagues: FirestoreStore, put: Put) -> None:
    put({f"studios/s1/users/u{number}": {"n": 1} for number in range(35)})
    organizers = {}
    for number in range(35):
        calendar_id = f"u{number}@example.org"
        colleagues.save_connection(f"d{number}", a_connection(user_id=f"u{number}", calendar_id=calendar_id))
        store_links(colleagues, f"d{number}", a_link(f"p{number}", f"own{number}"))
        organizers[f"own{number}"] = calendar_id
    store_links(colleagues, "c3", *(a_link(f"q{number}", f"many{number}") for number in range(40)))
    organizers |= {f"many{number}": "cem@s1.example.org" for number in range(40)}
    expected = {f"own{number}": f"p{number}" for number in range(35)}
    expected |= {f"many{number}": f"q{number}" for number in range(40)}
    assert pairs_of_colleagues(colleagues, "s1", organizers) == expected
