"""Single occurrences of a series: before their series, with half a document, with none any more, with a wrong id."""

import pytest

from local import studio_series
from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.repeating import (
    agreed,
    at,
    calendar,
    desk,
    google_weekly,
    in_step,
    instance,
    joined,
    moved_there,
    moves,
    one_id,
    overlay,
    regular,
    series_event,
    shown,
    stays,
    studio,
    timed,
    with_weekly,
)
from tests.world import World, span


@pytest.fixture
def weekly(world: World) -> World:
    return with_weekly(world)


# --- order ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 30], ids=["one", "more than a batch takes"])
def test_a_series_that_the_studio_splits_is_cut_off_in_the_calendar_before_its_rest_is_entered(
    world: World, number: int
) -> None:
    joined(world)
    names = [f"weekly {one:02}" for one in range(number)]
    for name in names:
        world.book(name, **timed(title=name))
    synced(world)
    world.cloud.google.clear_requests()
    # Its rest first, as a front-end may write them, with ids that any order of names puts first, too.
    for name in names:
        rest = {"start": at(3), "end": at(3, 11), "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]}
        world.book(f"rest of {name}", **timed(title=f"Rest of {name}", **rest))
        world.edit(name, recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    synced(world)
    assert writes(world) == [*["calendar.events.patch"] * number, *["calendar.events.insert"] * number]
    assert calendar(world) == studio(world)
    assert len(calendar(world)) == 6 * number


def test_a_cancelled_occurrence_that_is_listed_pages_before_its_series_is_cancelled_in_it(world: World) -> None:
    world.add("ann", populate_studio=True)
    event_id = world.types("ann", **google_weekly())
    person = world.person("ann")
    person.delete("primary", f"{event_id}_{at(2):%Y%m%dT%H%M%SZ}")
    person.patch("primary", f"{event_id}_{at(3):%Y%m%dT%H%M%SZ}", summary="Long one")
    person.patch("primary", event_id, location="")  # The series is listed last.
    world.connect("ann")
    world.cloud.google.listings.next_page_sizes(1, 1, 1)
    agreed(world, *regular(0, 1, 4, 5), shown(at(3), "Long one"))
    [series_id] = [one for one, found in world.appointments().items() if found.get("recurrence")]
    assert set(world.appointments()) == {series_id, one_id(2, series_id), one_id(3, series_id)}


def test_a_series_and_what_was_cancelled_of_it_come_in_by_one_delta_page_by_page(world: World) -> None:
    joined(world)
    event_id = world.types("ann", **google_weekly())
    world.person("ann").delete("primary", f"{event_id}_{at(2):%Y%m%dT%H%M%SZ}")
    world.person("ann").patch("primary", f"{event_id}_{at(4):%Y%m%dT%H%M%SZ}", summary="Long one")
    world.cloud.google.listings.next_page_sizes(1, 1, 1)
    in_step(world, *regular(0, 1, 3, 5), shown(at(4), "Long one"))


def test_a_series_that_was_there_before_comes_in_whole_with_the_first_change_of_an_occurrence(world: World) -> None:
    world.add("ann")
    event_id = world.types("ann", **google_weekly())
    world.person("ann").delete("primary", f"{event_id}_{at(1):%Y%m%dT%H%M%SZ}")
    world.connect("ann")
    world.sync()
    assert world.appointments() == {}
    world.person("ann").patch("primary", f"{event_id}_{at(3):%Y%m%dT%H%M%SZ}", summary="Long one")
    in_step(world, *regular(0, 2, 4, 5), shown(at(3), "Long one"))


def test_a_bare_cancelled_occurrence_of_a_series_that_is_not_in_scope_changes_nothing(world: World) -> None:
    world.add("ann")
    event_id = world.types("ann", **google_weekly())
    world.connect("ann")
    world.sync()
    world.person("ann").delete("primary", f"{event_id}_{at(1):%Y%m%dT%H%M%SZ}")
    world.cloud.google.clear_requests()
    synced(world)
    assert world.appointments() == {}
    assert writes(world) == []


def test_a_series_is_in_step_though_its_occurrences_documents_were_written_before_its_own(world: World) -> None:
    joined(world)
    moves(world, 2)
    world.sync()
    world.book("weekly", title="Weekly", user_ids=["ann"], start=at(0), end=at(0, 11), time_zone="Europe/Berlin",
               recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"])  # fmt: skip
    in_step(world, *regular(0, 1, 3, 4, 5), shown(at(2, 14)))


# --- documents --------------------------------------------------------------------------------------------------------


def test_an_occurrences_document_need_say_no_more_than_that_it_is_cancelled(weekly: World) -> None:
    weekly._written(
        one_id(2),
        lambda: (
            weekly.front_end._studio.collection("appointments")
            .document(one_id(2))
            .set(  # type: ignore[arg-type]
                {"series_id": "weekly", "original_start": at(2), "status": "cancelled"}
            )
        ),
    )
    in_step(weekly, *regular(0, 1, 3, 4, 5))


def test_what_an_occurrences_document_does_not_say_it_has_from_its_series(weekly: World) -> None:
    weekly.front_end._studio.collection("appointments").document(one_id(1)).set(
        {"series_id": "weekly", "original_start": at(1), "title": "Long one"}
    )
    assert weekly.trigger(one_id(1), None) == 1
    weekly.front_end._studio.collection("appointments").document(one_id(4)).set(
        {"series_id": "weekly", "original_start": at(4), "start": at(4, 14), "end": at(4, 15)}
    )
    assert weekly.trigger(one_id(4), None) == 1
    agreed(weekly, *regular(0, 2, 3, 5), shown(at(1), "Long one"), shown(at(4, 14)))
    # And follows it.
    weekly.edit("weekly", location="Roof")
    synced(weekly)
    assert {one[3] for one in calendar(weekly)} == {"Roof"}
    assert calendar(weekly) == studio(weekly)
    stays(weekly)


def test_a_hard_deleted_document_of_an_occurrence_is_back_to_how_the_series_has_it(weekly: World) -> None:
    moves(weekly, 2)
    studio_series.cancel(desk(weekly), "weekly", at(3), "this")
    agreed(weekly, *regular(0, 1, 4, 5), shown(at(2, 14)))
    weekly.erase(one_id(2))
    weekly.erase(one_id(3))
    in_step(weekly, *regular(0, 1, 2, 3, 4, 5))


def test_a_hard_deleted_document_is_back_to_the_series_though_its_occurrence_was_edited_in_the_calendar(
    weekly: World,
) -> None:
    moved_there(weekly, 2)
    weekly.person("ann").delete("primary", instance(weekly, 4))
    agreed(weekly, *regular(0, 1, 3, 5), shown(at(2, 14)))
    weekly.erase(one_id(2))
    weekly.erase(one_id(4))
    in_step(weekly, *regular(0, 1, 2, 3, 4, 5))


def test_a_wrong_id_is_parked_naming_the_right_one_and_the_rest_syncs(weekly: World) -> None:
    weekly.book("odd", series_id="weekly", original_start=at(2), user_ids=["ann"], title="Odd", **span(60))
    weekly.edit("weekly", title="Renamed")
    synced(weekly)
    parked = weekly.below("ann", "parked")["odd"]
    assert (parked["reason"], parked["field"]) == ("invalid", "id")
    assert one_id(2) in parked["detail"]
    assert calendar(weekly) == regular(*range(6), title="Renamed")
    stays(weekly, parked=True)
    weekly.erase("odd")
    in_step(weekly, *regular(*range(6), title="Renamed"))


@pytest.mark.parametrize("original", [None, "soon", 7, ["20260301"]])
def test_an_occurrence_that_does_not_say_which_one_it_is_is_parked(weekly: World, original: object) -> None:
    weekly.book(one_id(2), series_id="weekly", original_start=original, user_ids=["ann"], title="Odd", **span(60))
    synced(weekly)
    parked = weekly.below("ann", "parked")[one_id(2)]
    assert (parked["reason"], parked["field"]) == ("invalid", "original_start")
    assert calendar(weekly) == regular(*range(6))
    stays(weekly, parked=True)


def test_a_slot_that_the_series_does_not_have_is_parked_until_it_has_it(weekly: World) -> None:
    ninth = overlay(weekly, 8, title="Ninth", start=at(8, 14), end=at(8, 15))
    synced(weekly)
    parked = weekly.below("ann", "parked")
    assert {one: (found["reason"], found["field"]) for one, found in parked.items()} == {
        ninth: ("invalid", "original_start")
    }
    assert calendar(weekly) == regular(*range(6))
    stays(weekly, parked=True)
    weekly.edit("weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=9"])
    in_step(weekly, *regular(*range(8)), shown(at(8, 14), "Ninth"))


# --- fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["studio", "calendar"])
def test_an_occurrence_alone_may_be_tentative_private_or_free(weekly: World, side: str) -> None:
    if side == "studio":
        overlay(weekly, 1, status="tentative")
        overlay(weekly, 2, busy=False)
        overlay(weekly, 3, private=True)
    else:
        person = weekly.person("ann")
        person.patch("primary", instance(weekly, 1), status="tentative")
        person.patch("primary", instance(weekly, 2), transparency="transparent")
        person.patch("primary", instance(weekly, 3), visibility="private")
    synced(weekly)
    assert [(one[4], one[5]) for one in calendar(weekly)] == [
        ("confirmed", True),
        ("tentative", True),
        ("confirmed", False),
        *[("confirmed", True)] * 3,
    ]
    assert calendar(weekly) == studio(weekly)
    events = {one["id"]: one for one in weekly.person("ann").instances(series_event(weekly))}
    assert [one.get("visibility") == "private" for one in events.values()] == [False] * 3 + [True] + [False] * 2
    assert weekly.appointments()[one_id(3)]["private"] is True
    stays(weekly)


def test_an_occurrence_made_private_in_the_calendar_of_an_imported_series_is_busy_in_the_studio(world: World) -> None:
    joined(world)
    event_id = world.types("ann", **google_weekly())
    synced(world)
    world.person("ann").patch(
        "primary", f"{event_id}_{at(2):%Y%m%dT%H%M%SZ}", visibility="private", summary="At the doctor's"
    )
    synced(world)
    [series_id] = [one for one, found in world.appointments().items() if found.get("recurrence")]
    found = world.appointments()[one_id(2, series_id)]
    assert "doctor" not in str(world.appointments())
    assert found["private"] is True
    assert "doctor" not in str(world.below("ann", "links"))
    stays(world)


def test_a_tentative_series_comes_in_when_it_is_confirmed_with_what_was_done_to_it_before(world: World) -> None:
    joined(world)
    event_id = world.types("ann", **google_weekly(status="tentative"))
    world.person("ann").delete("primary", f"{event_id}_{at(2):%Y%m%dT%H%M%SZ}")
    synced(world)
    assert world.appointments() == {}
    world.person("ann").patch("primary", event_id, status="confirmed")
    in_step(world, *regular(0, 1, 3, 4, 5))


@pytest.mark.parametrize("side", ["studio", "calendar"])
def test_a_cancelled_occurrence_may_come_back(weekly: World, side: str) -> None:
    if side == "studio":
        studio_series.cancel(desk(weekly), "weekly", at(2), "this")
    else:
        weekly.person("ann").delete("primary", instance(weekly, 2))
    agreed(weekly, *regular(0, 1, 3, 4, 5))
    if side == "studio":
        weekly.edit(one_id(2), status="confirmed")
    else:
        weekly.person("ann").patch("primary", instance(weekly, 2), status="confirmed")
    in_step(weekly, *regular(*range(6)))


def test_edits_of_different_fields_of_one_occurrence_are_merged(weekly: World) -> None:
    moves(weekly, 2)
    weekly.person("ann").patch("primary", instance(weekly, 2), location="Roof")
    synced(weekly)
    [found] = [one for one in calendar(weekly) if one[0] == shown(at(2, 14))[0]]
    assert found[3] == "Roof"
    assert calendar(weekly) == studio(weekly)
    stays(weekly)
