"""Which changes of settings want a run, row by row of the table; and the table itself."""

import datetime as dt
import pathlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.setting_changes import DOCUMENT, NOTHING, TABLE, Kind, Row, as_markdown, changes, wants_run
from shared.domain.settings import Studio, User

TEN = dt.datetime(2026, 5, 20, 10, tzinfo=dt.UTC)
PAGE = pathlib.Path(__file__).parents[3] / "docs" / "settings.md"

# One before and after for each row that can be changed; written out where a value must be of its own kind.
VALUES: dict[tuple[str, str], tuple[Any, Any]] = {
    ("edition", "lowered to one without the sync"): ("standard", "express"),
    ("edition", "raised to one with the sync"): ("express", "enterprise"),
    ("edition", "changed otherwise"): ("standard", "professional"),
    ("time_zone", "changed"): ("Europe/Berlin", "Asia/Tokyo"),
    ("connection", "changed"): ({"id": "c", "state": "connected"}, {"id": "c", "state": "paused"}),
    ("sync.interval_minutes", "changed"): (10, 30),
    ("sync.past_days", "changed"): (90, 30),
    ("sync.requested_at", "changed"): (TEN, TEN + dt.timedelta(seconds=1)),
    ("role", "changed"): ("staff", "admin"),
}
BY_CHANGE: dict[str, tuple[Any, Any]] = {
    "turned on": (False, True),
    "turned off": (True, False),
    "ticked": (False, True),
    "unticked by a person": (True, False),
    "changed": ("one", "another"),
}


def example(row: Row) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if row.setting == DOCUMENT:
        return (None, {"sync": {}}) if row.change == "created" else ({"sync": {}}, None)
    before, after = VALUES.get((row.setting, row.change)) or BY_CHANGE[row.change]
    return a_document(row.setting, before), a_document(row.setting, after)


def a_document(setting: str, value: Any) -> dict[str, Any]:
    outer, _, inner = setting.partition(".")
    return {outer: {inner: value, "colour": "red"} if inner else value, "unknown": 7}


def name(row: Row) -> str:
    return f"{row.document} {row.setting} {row.change}"


# The rows that want a run, once more and by hand: the table itself must not be its own witness.
WANTED = {
    *(f"studio {DOCUMENT} {change}" for change in ("created", "erased")),
    "studio edition lowered to one without the sync",
    "studio edition raised to one with the sync",
    *(f"studio sync.enabled turned {way}" for way in ("off", "on")),
    "studio sync.interval_minutes changed",
    *(f"user {DOCUMENT} {change}" for change in ("created", "erased")),
    *(f"user {box} turned {way}" for way in ("off", "on") for box in ("schedulable", "sync.enabled")),
    *(f"user sync.two_way_appointments turned {way}" for way in ("off", "on")),
    *(f"user sync.{box} turned {way}" for way in ("off", "on") for box in ("include_tentative", "private_details")),
    "user sync.populate_calendar ticked",
    "user sync.populate_studio ticked",
    *(f"user sync.{one} changed" for one in ("calendar_id", "requested_at", "approved_hold", "declined_hold")),
}


@pytest.mark.parametrize("row", TABLE, ids=name)
def test_each_row_is_found_by_its_change_alone_and_wants_a_run_or_not(row: Row) -> None:
    before, after = example(row)
    assert changes(row.document, before, after) == [row]
    assert wants_run(row.document, before, after) is (name(row) in WANTED)
    assert not wants_run(row.document, after, after), "written again as it was"


def test_the_rows_that_want_a_run_are_all_there() -> None:
    assert {name(row) for row in TABLE} >= WANTED


# --- the table -------------------------------------------------------------------------------------------------------


def settings_of(kind: type[msgspec.Struct], within: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        if field.name == "sync":
            yield from settings_of(field.type, "sync.")
        else:
            yield within + field.name


@pytest.mark.parametrize(("document", "kind"), [("studio", Studio), ("user", User)])
def test_the_table_has_every_setting_of_the_contract_and_no_other(document: Kind, kind: type[msgspec.Struct]) -> None:
    covered = {row.setting for row in TABLE if row.document == document}
    assert covered == {DOCUMENT, *settings_of(kind)}


@given(
    st.sampled_from([row for row in TABLE if row.setting != DOCUMENT]),
    *[st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["standard", "express"])] * 2,
)
def test_whatever_a_setting_becomes_at_most_one_row_says_what_that_does(row: Row, before: Any, after: Any) -> None:
    """Also for what does not fit the contract: the run, not the trigger, says what is wrong with it."""
    found = changes(row.document, a_document(row.setting, before), a_document(row.setting, after))
    assert len(found) <= 1
    if before is not None and after is not None and before != after:
        assert [one.setting for one in found] == [row.setting]


def test_each_change_says_something() -> None:
    silent = {name(row) for row in TABLE if {row.events, row.channel, row.outbox, row.state} == {NOTHING}}
    assert silent == set()


def test_the_page_for_people_is_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("## ") :]
    assert table == as_markdown(), (
        "docs/settings.md is out of date. Replace all from its first `## ` on by what this prints: "
        "python -c 'from shared.domain.setting_changes import as_markdown; print(as_markdown(), end=\"\")'"
    )


def test_the_page_has_a_line_of_seven_cells_for_each_row() -> None:
    lines = [line for line in as_markdown().splitlines() if line.startswith("|")]
    assert len(lines) == len(TABLE) + 2 * len(("head", "rule"))
    assert {line.count("|") for line in lines} == {8}


# --- beyond the rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "before", "after"),
    [
        ("user", {}, {"schedulable": True}),
        ("user", {"schedulable": True}, {}),
        ("user", {}, {"sync": {"enabled": True}}),
        ("user", {}, {"sync": {"populate_calendar": True}}),
        ("user", {}, {"sync": {"requested_at": TEN}}),
        ("user", {"sync": {"calendar_id": "a"}}, {"sync": {}}),
        ("user", {"sync": {"enabled": True}}, {"sync": "on"}),
        ("user", {"sync": {"populate_calendar": True}}, {"sync": {"requested_at": TEN}}),
        ("user", {"sync": {"populate_calendar": True}}, {"sync": {"populate_studio": True}}),
        ("user", None, {}),
        ("user", {}, None),
        ("studio", {}, {"sync": {"enabled": False}}),
        ("studio", {"sync": {"enabled": False}}, {}),
        ("studio", {"sync": {"interval_minutes": 30}}, {"sync": {}}),
        ("studio", {"edition": "standard"}, {"edition": ["standard"]}),
        ("studio", {"edition": "standard"}, {}),
    ],
)
def test_what_is_left_out_or_of_another_shape_counts_as_a_change_where_it_is_one(
    document: Kind, before: Any, after: Any
) -> None:
    assert wants_run(document, before, after)


@pytest.mark.parametrize(
    ("document", "before", "after"),
    [
        ("user", {"sync": {"populate_studio": True}}, {"sync": {}}),
        ("user", {"sync": {"populate_calendar": True}}, {"sync": None}),
        ("user", {}, {"connection": {"id": "conn1", "state": "paused"}}),
        ("user", {"connection": "nonsense"}, {"connection": 7}),
        ("user", {"sync": "on"}, {"sync": None}),
        ("user", {"sync": {}}, {"sync": {"colour": "red"}}),
        ("user", {}, {"shoe_size": 44, "requested_at": TEN, "enabled": True}),
        ("user", {"sync": {"enabled": False}}, {"schedulable": False}),
        ("user", None, None),
        ("studio", {}, {"sync": {"enabled": True, "interval_minutes": 10}}),
        ("studio", {"sync": {"enabled": None}}, {"sync": []}),
        ("studio", {"edition": "gold"}, {"edition": {"name": "gold"}}),
        ("studio", {}, {"schedulable": True, "sync": {"requested_at": TEN, "calendar_id": "a"}}),
        ("studio", None, None),
    ],
)
def test_the_backends_own_writes_defaults_and_what_is_no_setting_ask_for_nothing(
    document: Kind, before: Any, after: Any
) -> None:
    assert not wants_run(document, before, after)
