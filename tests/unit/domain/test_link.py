"""Seals, which heal the window between the calendar's write and ours, and links that are buried."""

import datetime as dt
import string

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import identity
from shared.domain.content import UNITS, Unit, unit_hash
from shared.domain.link import TOMBSTONE_LIFE, Seal, buried, new_seal, read_seal, revived, succeeded, write_seal
from tests.unit.domain.builders import (
    CONNECTION,
    EVERY_UNIT,
    NOW,
    a_link,
    a_removed_link,
    a_seal,
    content,
    event_id,
    held_on,
)

TITLE: frozenset[Unit] = frozenset({"title"})
# What Google takes for the value of an extended property; the rest it cuts off without a word.
ROOM = 1_024


def written(seal: Seal, appointment_id: str = "appt1") -> str:
    return write_seal(seal, CONNECTION, appointment_id, event_id())


@given(
    units=st.sets(st.sampled_from(UNITS)).map(frozenset),
    title=st.text(max_size=20),
    appointment_id=st.text(string.ascii_letters + string.digits + "._-: ", min_size=1, max_size=60),
)
@settings(max_examples=100, derandomize=True, deadline=None, database=None)
def test_a_seal_is_read_as_it_was_written(units: frozenset[Unit], title: str, appointment_id: str) -> None:
    seal = a_seal(content(title=title), units)
    assert read_seal(written(seal, appointment_id), CONNECTION, event_id()) == (appointment_id, seal)


def test_a_seal_is_not_believed_on_an_event_that_it_was_copied_to() -> None:
    assert read_seal(written(a_seal(content())), CONNECTION, "copy1") is None


def test_a_seal_of_another_connection_is_not_believed() -> None:
    assert read_seal(written(a_seal(content())), "conn2", event_id()) is None


def test_a_seal_whose_appointment_was_exchanged_is_not_believed() -> None:
    forged = written(a_seal(content())).replace("appt1", "appt2")
    assert read_seal(forged, CONNECTION, event_id()) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "something else",
        lambda _: "....",
        lambda value: value.replace("1.", "2.", 1),
        lambda value: ".".join([*value.split(".")[:3], value.split(".")[3][:-1], value.split(".")[4]]),
        lambda value: ".".join([*value.split(".")[:3], "x" + value.split(".")[3][1:], value.split(".")[4]]),
        lambda value: value[: len(value) // 2],
    ],
    ids=["empty", "foreign", "dots", "later version", "hash cut short", "unknown unit", "cut off"],
)
def test_what_is_no_seal_is_read_as_none(spoil: object) -> None:
    assert read_seal(spoil(written(a_seal(content()))), CONNECTION, event_id()) is None  # type: ignore[operator]


@pytest.mark.parametrize(
    "appointment_id",
    [
        "Zz0123456789abcdefgh",
        identity.imported_appointment("studio1", "uid1"),
        "Zz0123456789abcdefgh_20260520T100000Z",
        "a" * 900,
    ],
    ids=["Firestore's own", "imported", "occurrence", "very long"],
)
def test_a_seal_of_every_unit_has_room_in_the_property(appointment_id: str) -> None:
    assert len(written(a_seal(content()), appointment_id)) <= ROOM


def test_writing_a_then_b_then_a_again_gives_three_names() -> None:
    first = a_seal(content(title="A"), TITLE)
    second = a_seal(content(title="B"), TITLE, previous=first.name)
    third = a_seal(content(title="A"), TITLE, previous=second.name)
    assert len({first.name, second.name, third.name}) == 3


def test_the_same_write_tried_again_has_the_same_name() -> None:
    assert a_seal(content(), TITLE, previous="before") == a_seal(content(), TITLE, previous="before")


def test_the_name_tells_which_units_were_sent() -> None:
    assert a_seal(content(), TITLE).name != a_seal(content(), EVERY_UNIT).name


def test_a_seal_vouches_for_the_units_sent_and_no_others() -> None:
    sent = a_seal(content(title="A"), TITLE).sent
    assert sent == {"title": unit_hash("title", content(title="A"))}


def test_a_new_seal_vouches_for_what_an_unrecorded_one_sent_too() -> None:
    pending = a_seal(content(title="A"), TITLE)
    seal = new_seal(pending.name, content(title="Edited", location="B"), frozenset({"location"}), pending)
    assert seal.sent == {
        "title": unit_hash("title", content(title="A")),
        "location": unit_hash("location", content(location="B")),
    }


def test_a_unit_sent_again_is_vouched_for_with_its_newest_value() -> None:
    pending = a_seal(content(title="A"), TITLE)
    seal = new_seal(pending.name, content(title="B"), TITLE, pending)
    assert seal.sent == {"title": unit_hash("title", content(title="B"))}


def test_a_hash_means_the_same_for_ever_as_it_stands_in_peoples_calendars() -> None:
    assert unit_hash("title", content(title="Newborn")) == "485qp0h6"


def test_the_same_text_in_two_units_has_two_hashes() -> None:
    same_words = content(title="A", location="A")
    assert unit_hash("title", same_words) != unit_hash("location", same_words)


def test_a_buried_link_remembers_the_pair_and_what_it_agreed_on_but_no_question_about_it() -> None:
    link = a_link(generation=2, theirs=True, private_there=True, held=held_on("calendar"))
    gone = buried(msgspec.structs.replace(link, asked="question1"), NOW)
    told = {"state": "gone", "held": None, "asked": None, "expires_at": NOW + TOMBSTONE_LIFE}
    assert gone == msgspec.structs.replace(link, **told)


def test_a_buried_link_that_is_a_pair_again_is_as_it_was_and_does_not_expire() -> None:
    link = a_link(generation=2, private_there=True)
    assert revived(buried(link, NOW, there=True)) == link


def test_a_removed_link_that_is_a_pair_again_asks_nobody_any_more() -> None:
    assert revived(a_removed_link()) == a_link()


def test_a_buried_link_stays_for_thirty_days() -> None:
    assert buried(a_link(), NOW).expires_at == NOW + TOMBSTONE_LIFE == NOW + dt.timedelta(days=30)


def test_a_successor_takes_the_place_of_its_pairs_event_and_nothing_about_it_is_known_yet() -> None:
    link = succeeded(a_link(generation=2), event_id(3), 3)
    assert (link.event_id, link.generation, link.etag, link.seal) == (event_id(3), 3, "", "")
    assert (link.paired, link.studio, link.calendar) == (True, content(), content())
