"""Ids that we choose: legal where they are used, and the same for the same thing."""

import datetime as dt
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import identity
from shared.domain.content import digest

# Google's rule for event ids: base32hex in lower case, 5 to 1,024 characters.
EVENT_ID = re.compile(r"[a-v0-9]{5,1024}")
TASK_NAME = re.compile(r"[A-Za-z0-9_-]{1,500}")
SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
AT = dt.datetime(2026, 5, 20, 10, 0, 0, 1, tzinfo=dt.UTC)

names = st.text(max_size=30)
quick = settings(max_examples=100, derandomize=True, deadline=None, database=None)


@quick
@given(names, names, st.integers(0, 1000))
def test_event_ids_are_legal_whatever_they_are_made_of(connection: str, appointment: str, generation: int) -> None:
    assert EVENT_ID.fullmatch(identity.event(connection, appointment, generation))


@quick
@given(names, names, names)
def test_imported_appointments_have_ids_that_firestore_takes(studio: str, ical_uid: str, start: str) -> None:
    assert re.fullmatch(r"g[a-v0-9]{25}", identity.imported_appointment(studio, ical_uid, start))


@quick
@given(names, names)
def test_task_and_secret_names_are_legal(one: str, other: str) -> None:
    assert TASK_NAME.fullmatch(identity.sync_task(one, AT, other))
    assert TASK_NAME.fullmatch(identity.fan_out_task(one, other))
    assert SECRET_ID.fullmatch(identity.refresh_token_secret("google", other))


def test_a_connections_id_is_legal_and_has_no_dot_which_ends_it_in_a_channels_token() -> None:
    assert re.fullmatch(r"[a-v0-9]{26}", identity.connection("studio.1", "ann", "google", "1", "ann@example.com"))


def test_ids_never_change_since_documents_lie_under_them() -> None:
    """A changed digest would orphan every pair and every event in production."""
    assert identity.event("conn1", "appt1", 0) == "7bklsqqhu6kdbqglpbu7ucso08gtocd41cqhlfpaj0dkv8plfijg"
    assert identity.imported_appointment("studio1", "uid1") == "gfq1rj4ke9j76lpc6116iu0mcm"
    assert identity.connection("studio1", "ann", "google", "1", "primary") == "c9keaikufrp71bmkn8eut4j00f"


def test_every_generation_has_an_id_of_its_own() -> None:
    assert len({identity.event("conn1", "appt1", generation) for generation in range(50)}) == 50


def test_two_connections_have_different_events_for_one_appointment() -> None:
    assert identity.event("conn1", "appt1", 0) != identity.event("conn2", "appt1", 0)


def test_every_guests_copy_of_an_event_becomes_one_appointment() -> None:
    assert identity.imported_appointment("studio1", "uid1") == identity.imported_appointment("studio1", "uid1", "")


def test_occurrences_of_a_series_and_other_studios_have_ids_of_their_own() -> None:
    ids = {
        identity.imported_appointment(studio, "uid1", start)
        for studio, start in itertools.product(["studio1", "studio2"], ["", "20260520", "20260520T100000Z"])
    }
    assert len(ids) == 6


def test_what_a_series_lets_go_has_an_id_of_its_own_each_time() -> None:
    slot = "20260520T100000Z"
    ids = [identity.single("appt1", slot, event_id) for event_id in ("first", "second")]
    assert len({*ids, identity.occurrence("appt1", slot), identity.single("appt2", slot, "first")}) == 4
    assert all(identity.usable(one) for one in ids)


def test_a_connection_is_told_by_each_of_its_parts() -> None:
    parts = ["studio1", "ann", "google", "1", "primary"]
    others = [[*parts[:at], "other", *parts[at + 1 :]] for at in range(len(parts))]
    assert len({identity.connection(*each) for each in [parts, *others]}) == 6


def test_a_task_is_told_by_its_wish_to_the_microsecond_and_by_its_attempt() -> None:
    later = AT + dt.timedelta(microseconds=1)
    tasks = [("conn1", AT, ""), ("conn1", later, ""), ("conn1", AT, "tick1"), ("conn2", AT, "")]
    assert len({identity.sync_task(*task) for task in tasks}) == 4


def test_the_account_document_names_provider_and_subject() -> None:
    assert identity.account_document("google", "123") == "google:123"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("ab",), ("a", "b")),
        (("a", ""), ("a",)),
        (("", "a"), ("a", "")),
        (("1:a",), ("a",)),
        (("a1:b",), ("a", "b")),
    ],
)
def test_where_one_part_ends_and_the_next_begins_makes_a_difference(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert digest(*one) != digest(*other)


@quick
@given(st.lists(names, max_size=4), st.lists(names, max_size=4))
def test_different_parts_have_different_digests(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)
