"""The contract for appointments: what fits, what does not and says so, and what is written back."""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

import pytest

from shared.domain.appointment import OWNED, fields_of, owned_hash, read_appointment
from shared.domain.content import UNITS, AllDay, Content, Timed
from shared.domain.errors import Park
from shared.domain.reasons import Reason
from tests.unit.domain.builders import DAY, EVERY_UNIT, a_time, content

TEN, ELEVEN = (dt.datetime(2026, 5, 20, hour, tzinfo=dt.UTC) for hour in (10, 11))
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def a_document(**fields: Any) -> dict[str, Any]:
    """A timed appointment as it lies in Firestore; ``...`` leaves a field out."""
    whole = {"kind": "session", "title": "Newborn", "start": TEN, "end": ELEVEN, "user_ids": ["ann"], **fields}
    return {key: value for key, value in whole.items() if value is not ...}


def an_all_day_document(**fields: Any) -> dict[str, Any]:
    days = {"start": ..., "end": ..., "all_day": True, "start_date": "2026-05-20", "end_date": "2026-05-21"}
    return a_document(**{**days, **fields})


def read(document: Mapping[str, Any]) -> Content:
    return read_appointment(document).content()


# --- what fits -------------------------------------------------------------------------------------------------------


def test_a_timed_appointment_is_read() -> None:
    assert read(a_document()) == Content(title="Newborn", when=Timed(TEN, ELEVEN))


def test_an_all_day_appointment_is_read_with_its_exclusive_end() -> None:
    assert read(an_all_day_document()).when == AllDay(DAY, DAY + dt.timedelta(days=1))


def test_an_appointment_may_take_no_time_at_all() -> None:
    assert read(a_document(end=TEN)).when == Timed(TEN, TEN)


def test_only_the_instant_counts_whatever_the_offset() -> None:
    assert read(a_document(start=TEN.astimezone(BERLIN))) == read(a_document())


def test_what_is_not_said_has_the_contracts_default() -> None:
    found = read_appointment({"kind": "unlinked", "start": TEN, "end": ELEVEN})
    assert (found.title, found.status, found.busy, found.private, found.user_ids) == ("", "confirmed", True, False, ())


@pytest.mark.parametrize("field", [field for field in OWNED if field not in {"start", "end"}])
def test_null_counts_as_absent(field: str) -> None:
    assert read_appointment(a_document(**{field: None})) == read_appointment(a_document(**{field: ...}))


def test_unknown_fields_are_nobodys_business() -> None:
    assert read_appointment(a_document(colour="red", nested={"a": [1]})) == read_appointment(a_document())


def test_a_tentative_one_is_tentative() -> None:
    assert read(a_document(status="tentative")).status == "tentative"


def test_a_cancelled_one_says_so() -> None:
    assert read_appointment(a_document(status="cancelled")).cancelled


def test_times_left_over_from_the_other_kind_do_not_matter() -> None:
    assert read(an_all_day_document(start=ELEVEN, end=TEN)).when == AllDay(DAY, DAY + dt.timedelta(days=1))
    assert read(a_document(start_date="2026-05-20", end_date="2026-05-20")).when == Timed(TEN, ELEVEN)


# --- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "field", "expected"),
    [
        ({}, "kind", "missing"),
        (a_document(kind="party"), "kind", "enum"),
        (a_document(title=7), "title", "str"),
        (a_document(description=["a"]), "description", "str"),
        (a_document(location={}), "location", "str"),
        (a_document(start="tomorrow"), "start", "datetime"),
        (a_document(start=1_700_000_000.5), "start", "datetime"),
        (a_document(start=...), "start", "missing"),
        (a_document(end=None), "end", "missing"),
        (a_document(end=TEN - dt.timedelta(seconds=1)), "end", "before the start"),
        (a_document(all_day="yes"), "all_day", "bool"),
        (an_all_day_document(start_date=None), "start_date", "missing"),
        (an_all_day_document(end_date=...), "end_date", "missing"),
        (an_all_day_document(start_date="20 May"), "start_date", "date"),
        (an_all_day_document(end_date="2026-02-30"), "end_date", "date"),
        (an_all_day_document(end_date="2026-05-20"), "end_date", "exclusive"),
        (an_all_day_document(end_date="2026-05-19"), "end_date", "exclusive"),
        (a_document(status="postponed"), "status", "enum"),
        (a_document(busy=1), "busy", "bool"),
        (a_document(private="no"), "private", "bool"),
        (a_document(user_ids="ann"), "user_ids", "array"),
        (a_document(user_ids=["ann", 7]), "user_ids[1]", "str"),
        (a_document(time_zone=2), "time_zone", "str"),
        (a_document(recurrence="RRULE:FREQ=DAILY"), "recurrence", "array"),
        (a_document(origin={"event_id": 7}), "origin.event_id", "str"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_misfit_names_its_field_and_what_was_expected(document: Mapping[str, Any], field: str, expected: str) -> None:
    with pytest.raises(Park) as parked:
        read(document)
    assert (parked.value.reason, parked.value.field) == (Reason.INVALID, field)
    assert expected in parked.value.detail


@pytest.mark.parametrize("field", ["start", "end"])
def test_a_time_without_a_zone_is_no_instant(field: str) -> None:
    with pytest.raises(Park) as parked:
        read(a_document(**{field: dt.datetime(2026, 5, 20, 10)}))  # noqa: DTZ001 - that is the case
    assert parked.value.field == field
    assert "offset" in parked.value.detail


def test_a_misfits_message_does_not_quote_what_the_document_says() -> None:
    with pytest.raises(Park) as parked:
        read(a_document(start="tomorrow at Smith's", title="Secret"))
    assert "Smith" not in str(parked.value)
    assert "Secret" not in str(parked.value)


# --- what repeats ----------------------------------------------------------------------------------------------------

WEEKLY = ("RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE:20260527T100000Z")
SERIES = {"recurrence": [f" {line} " for line in WEEKLY], "time_zone": "Europe/Berlin"}


def test_a_series_is_read_with_its_zone_and_its_lines() -> None:
    assert read(a_document(**SERIES)).when == Timed(TEN, ELEVEN, "Europe/Berlin", WEEKLY)


def test_a_series_of_whole_days_has_no_zone() -> None:
    lines = ["RRULE:FREQ=YEARLY"]
    for zone in (None, "Europe/Berlin", "Europe/Nowhere"):
        when = read(an_all_day_document(recurrence=lines, time_zone=zone)).when
        assert when == AllDay(DAY, DAY + dt.timedelta(days=1), tuple(lines))


def test_a_zone_that_is_not_named_is_the_studios() -> None:
    document = a_document(**{**SERIES, "time_zone": None})
    assert read_appointment(document, "Asia/Kathmandu").content().when == Timed(TEN, ELEVEN, "Asia/Kathmandu", WEEKLY)
    assert read_appointment(a_document(**SERIES), "Asia/Kathmandu").content() == read(a_document(**SERIES))


def test_a_name_that_windows_uses_becomes_the_zones_own() -> None:
    when = read(a_document(**{**SERIES, "time_zone": "W. Europe Standard Time"})).when
    assert when == Timed(TEN, ELEVEN, "Europe/Berlin", WEEKLY)


@pytest.mark.parametrize("zone", [None, "Europe/Nowhere", "", "Asia/Tokyo"])
def test_a_single_appointment_needs_no_zone_and_has_none(zone: str | None) -> None:
    for nothing in ({}, {"recurrence": []}, {"recurrence": None}):
        assert read(a_document(**nothing, time_zone=zone)).when == Timed(TEN, ELEVEN)


def test_an_occurrence_is_an_entry_by_itself_whatever_its_document_says_of_repeating() -> None:
    occurrence = {**SERIES, "series_id": "s1", "original_start": TEN, "time_zone": "Europe/Nowhere"}
    assert read(a_document(**occurrence)).when == Timed(TEN, ELEVEN)
    whole_day = {"recurrence": ["nonsense"], "series_id": "s1", "original_date": "2026-05-20"}
    assert read(an_all_day_document(**whole_day)).when == AllDay(DAY, DAY + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("fields", "reason", "field", "expected"),
    [
        ({"time_zone": None}, Reason.INVALID, "time_zone", "missing"),
        ({"time_zone": " "}, Reason.INVALID, "time_zone", "missing"),
        ({"time_zone": "Europe/Nowhere"}, Reason.INVALID, "time_zone", "Europe/Nowhere"),
        ({"time_zone": "GMT+2:00"}, Reason.INVALID, "time_zone", "GMT+2:00"),
        ({"recurrence": ["RRULE:FREQ=HOURLY"]}, Reason.UNSUPPORTED_RULE, "recurrence", "FREQ=HOURLY"),
        ({"recurrence": [""]}, Reason.UNSUPPORTED_RULE, "recurrence", "neither RRULE nor RDATE"),
        (
            {"recurrence": ["RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20260520T100000Z"]},
            Reason.UNSUPPORTED_RULE,
            "recurrence",
            "no occurrence",
        ),
        (
            {"recurrence": ["RDATE:20260519T100000Z"]},
            Reason.UNSUPPORTED_RULE,
            "recurrence",
            "RDATE: before the first",
        ),
        ({"start": dt.datetime(9999, 12, 31, tzinfo=dt.UTC), "end": dt.datetime(9999, 12, 31, tzinfo=dt.UTC)},
         Reason.UNSUPPORTED_RULE, "recurrence", "too far from now"),
        ({"end": TEN + dt.timedelta(days=400)}, Reason.UNSUPPORTED_RULE, "recurrence", "too far apart"),
    ],
)  # fmt: skip
def test_a_series_that_does_not_fit_names_its_field_and_the_part(
    fields: dict[str, Any], reason: Reason, field: str, expected: str
) -> None:
    with pytest.raises(Park) as parked:
        read(a_document(**{**SERIES, **fields}))
    assert (parked.value.reason, parked.value.field) == (reason, field)
    assert expected in parked.value.detail


# --- what is written back --------------------------------------------------------------------------------------------


def stored(document: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**document, **fields}.items() if value is not None}


@pytest.mark.parametrize(
    "before",
    [a_document(), an_all_day_document(), a_document(**SERIES)],
    ids=["was timed", "was all-day", "was a series"],
)
@pytest.mark.parametrize(
    "held",
    [
        content(description="Two\nlines", status="tentative", busy=False, private=True),
        content(when=AllDay(DAY, DAY + dt.timedelta(days=3))),
        content("10:00-10:00", title=""),
        content(when=Timed(TEN, TEN, "Europe/Berlin", WEEKLY)),
        content(when=AllDay(DAY, DAY + dt.timedelta(days=2), ("RRULE:FREQ=DAILY;INTERVAL=9",))),
    ],
    ids=["timed", "all-day", "zero-length", "series", "all-day series"],
)
def test_what_is_written_is_read_as_the_same(before: dict[str, Any], held: Content) -> None:
    assert read(stored(before, fields_of(held, UNITS))) == held


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "when"])
def test_a_unit_writes_its_own_field_only(unit: Any) -> None:
    assert fields_of(content(), [unit]) == {unit: getattr(content(), unit)}


def test_times_are_written_together_and_the_other_kind_is_removed() -> None:
    assert fields_of(content("10:00"), ["when"]) == {
        "start": TEN,
        "end": ELEVEN,
        "all_day": False,
        "start_date": None,
        "end_date": None,
        "recurrence": None,
    }


def test_the_zone_is_written_for_a_series_of_times_only() -> None:
    lines = ("RRULE:FREQ=DAILY",)
    days = AllDay(DAY, DAY + dt.timedelta(days=1), lines)
    assert "time_zone" not in fields_of(content("10:00"), ["when"])
    assert "time_zone" not in fields_of(content(when=days), ["when"])
    assert fields_of(content(when=days), ["when"])["recurrence"] == [*lines]
    fields = fields_of(content(when=Timed(TEN, ELEVEN, "Europe/Oslo", lines)), ["when"])
    assert (fields["time_zone"], fields["recurrence"]) == ("Europe/Oslo", [*lines])


def test_nothing_but_owned_fields_is_ever_written() -> None:
    for when in (a_time("10:00"), AllDay(DAY, DAY + dt.timedelta(days=1)), Timed(TEN, TEN, "Europe/Berlin", WEEKLY)):
        assert fields_of(content(when=when), EVERY_UNIT).keys() <= set(OWNED)


# --- the hash that tells our own write -------------------------------------------------------------------------------


def test_the_hash_is_the_same_for_the_same_instant_in_any_zone() -> None:
    assert owned_hash(a_document(start=TEN.astimezone(BERLIN))) == owned_hash(a_document())


def test_the_hash_does_not_depend_on_the_order_of_fields() -> None:
    document = a_document()
    assert owned_hash(dict(reversed(document.items()))) == owned_hash(document)


def test_the_hash_takes_null_for_absent() -> None:
    assert owned_hash(a_document(location=None)) == owned_hash(a_document())


@pytest.mark.parametrize("field", ["kind", "client_id", "resource_ids", "origin", "sync", "updated_at", "colour"])
def test_the_hash_ignores_what_is_not_synced(field: str) -> None:
    assert owned_hash(a_document(**{field: "x"})) == owned_hash(a_document())


@pytest.mark.parametrize("field", OWNED)
def test_the_hash_changes_with_every_owned_field(field: str) -> None:
    assert owned_hash(a_document(**{field: "changed"})) != owned_hash(a_document())


def test_the_hash_of_an_invalid_document_is_a_hash_too() -> None:
    assert len(owned_hash({"start": dt.date(2026, 5, 20), "title": b"\xff", "user_ids": {"a": 1}})) == 26
