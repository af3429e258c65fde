"""The same entry typed on both sides is found before anything is created."""

import pytest

from shared.domain.content import AllDay, Content
from shared.domain.pairing import doubtful, pair, plain
from tests.unit.domain.builders import DAY, a_time, content


def paired(
    appointments: dict[str, Content], events: dict[str, Content], names: dict[str, str] | None = None
) -> dict[str, str]:
    return pair(appointments, events, names or {})


def test_the_same_time_and_title_is_the_same_entry() -> None:
    assert paired({"a": content()}, {"e": content(description="By hand")}) == {"e": "a"}


@pytest.mark.parametrize(
    "title", ["newborn – LEE", "Newborn  Lee ", "Newborn/Lee!", "\uff2e\uff45\uff57born Lee"], ids=lambda title: title
)
def test_case_signs_and_spaces_make_no_other_title(title: str) -> None:
    assert paired({"a": content(title="Newborn Lee")}, {"e": content(title=title)}) == {"e": "a"}


@pytest.mark.parametrize("at", ["10:01", "10:00-10:30", "09:00-11:00"])
def test_another_time_is_another_entry(at: str) -> None:
    assert paired({"a": content("10:00")}, {"e": content(at)}) == {}


def test_a_whole_day_is_not_the_same_as_its_hours() -> None:
    day = AllDay(DAY, DAY.replace(day=21))
    hours = a_time("00:00")
    assert paired({"a": content(when=day)}, {"e": content(when=hours)}) == {}
    assert paired({"a": content(when=day)}, {"e": content(when=day)}) == {"e": "a"}


def test_another_title_at_the_same_time_is_another_entry() -> None:
    assert paired({"a": content(title="Newborn")}, {"e": content(title="Dentist")}) == {}


def test_the_same_time_and_the_clients_full_name_is_the_same_entry() -> None:
    pairs = paired({"a": content(title="Newborn")}, {"e": content(title="Shoot: Lee, Anna")}, {"a": "Anna Lee"})
    assert pairs == {"e": "a"}


@pytest.mark.parametrize(
    ("title", "client"), [("Lunch with Anna", "Anna"), ("Anna Leeds", "Anna Lee"), ("Lee", "Anna Lee"), ("Shoot", "")]
)
def test_a_lone_first_name_or_a_part_of_the_name_says_too_little(title: str, client: str) -> None:
    assert paired({"a": content(title="Newborn")}, {"e": content(title=title)}, {"a": client}) == {}


def test_the_title_goes_before_the_clients_name() -> None:
    appointments = {"a": content(title="Newborn"), "b": content(title="Anna Lee")}
    assert paired(appointments, {"e": content(title="Anna Lee")}, {"a": "Anna Lee"}) == {"e": "b"}


def test_each_entry_is_paired_at_most_once_in_the_order_of_the_ids() -> None:
    appointments = {"b": content(), "a": content()}
    events = {"z": content(), "y": content(), "x": content()}
    assert paired(appointments, events) == {"x": "a", "y": "b"}


def test_the_order_in_which_entries_were_read_does_not_matter() -> None:
    appointments = {name: content() for name in "abc"}
    events = {name: content() for name in "xyz"}
    backwards = dict(reversed(appointments.items())), dict(reversed(events.items()))
    assert paired(*backwards) == paired(appointments, events)


def test_two_pictures_for_titles_are_two_titles() -> None:
    assert paired({"a": content(title="🎂")}, {"e": content(title="✈️")}) == {}


def test_signs_that_only_scripts_with_marks_have_make_another_title() -> None:
    assert plain("किताब") != plain("कातिब")


# --- what only a person can tell -------------------------------------------------------------------------------------


def test_what_is_unpaired_at_the_same_time_is_doubtful_each_with_each() -> None:
    appointments = {"b": content(title="Newborn"), "a": content(title="Shoot"), "c": content("11:00", title="Fair")}
    events = {"f": content(title="Lunch"), "e": content(title="shoot"), "g": content(title="Dentist")}
    pairs = paired(appointments, events)
    assert pairs == {"e": "a"}
    assert doubtful(appointments, events, pairs) == [("f", "b"), ("g", "b")]


def test_at_another_time_nothing_is_doubtful() -> None:
    assert doubtful({"a": content("10:00")}, {"e": content("10:00-10:30", title="Lunch")}, {}) == []


@pytest.mark.parametrize(
    ("title", "expected"), [("Fair in Cologne", [("e", "a")]), ("FAIR", [("e", "a")]), ("Birthday", []), ("", [])]
)
def test_whole_days_are_doubtful_only_with_a_word_in_common(title: str, expected: list[tuple[str, str]]) -> None:
    day = AllDay(DAY, DAY.replace(day=21))
    found = doubtful({"a": content(when=day, title="Bridal fair")}, {"e": content(when=day, title=title)}, {})
    assert found == expected
