"""Deletions on either side, one at a time: an entry goes on one side only if it is known to be gone on the other."""

import contextlib
import datetime as dt
from typing import Any

import pytest

from local.google.errors import ApiError
from shared.domain.link import TOMBSTONE_LIFE
from tests.end_to_end.coming_to_rest import synced, writes
from tests.end_to_end.deleting import cancelled, deletes, event_of, one_shoot, rests
from tests.world import World, google_span, span


@pytest.fixture
def ann(world: World) -> World:
    return one_shoot(world)


# --- deleted in the calendar ------------------------------------------------------------------------------------------


def test_what_one_user_deletes_in_the_calendar_is_cancelled_and_kept(ann: World) -> None:
    before = ann.appointments()["shoot"]
    event_id = event_of(ann, "shoot")
    deletes(ann, "ann", "shoot")
    synced(ann)
    after = ann.appointments()["shoot"]
    assert after["status"] == "cancelled"
    changed = {"status", "sync", "updated_at"}
    assert {k: v for k, v in after.items() if k not in changed} == {k: v for k, v in before.items() if k not in changed}
    link = ann.below("ann", "links")["shoot"]
    assert (link["state"], link["event_id"], link["gone_there"]) == ("gone", event_id, True)
    assert abs(link["expires_at"] - ann.clock.now() - TOMBSTONE_LIFE) < dt.timedelta(minutes=5)
    assert "deleted_in_calendar" in {entry["reason"] for entry in ann.log("ann")}
    assert writes(ann) == []
    assert ann.inbox() == {}
    rests(ann)


@pytest.mark.parametrize("details", [False, True], ids=["bare tombstones", "tombstones with details"])
def test_it_does_not_matter_how_much_a_tombstone_tells(ann: World, details: bool) -> None:
    behaviour = ann.cloud.google.behaviour
    before, behaviour.tombstone_details = behaviour.tombstone_details, details
    try:
        deletes(ann, "ann", "shoot")
        synced(ann)
        assert cancelled(ann) == {"shoot"}
        rests(ann)
    finally:
        behaviour.tombstone_details = before


def test_an_entry_that_came_from_the_calendar_and_is_deleted_there_is_cancelled(ann: World) -> None:
    ann.types("ann", summary="Dentist", **google_span(9))
    synced(ann)
    [dentist] = [one for one, document in ann.appointments().items() if document["title"] == "Dentist"]
    ann.edit(dentist, kind="session", client_id="eve")
    synced(ann)
    deletes(ann, "ann", dentist)
    synced(ann)
    assert cancelled(ann) == {dentist}
    assert ann.titles("ann") == ["Shoot"]
    rests(ann)


def test_a_person_deleting_in_the_middle_of_a_run_is_noticed_by_the_next(ann: World) -> None:
    """The delta is read, then the deletion: the cursor of that run must not hide it."""
    settle = type(ann.wiring.store).settle
    event_id = event_of(ann, "shoot")

    def interrupted(self: object, *arguments: object) -> object:
        with contextlib.suppress(ApiError):  # It is deleted already.
            ann.person("ann").delete("primary", event_id)
        return settle(self, *arguments)  # type: ignore[arg-type]

    ann.types("ann", summary="Dentist", **google_span(9))
    ann.wish("ann")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.adapters.firestore_store.FirestoreStore.settle", interrupted)
        ann.run("ann")
    assert cancelled(ann) == set()
    synced(ann)
    assert cancelled(ann) == {"shoot"}
    rests(ann)


# --- deleted and made again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [True, False], ids=["between two runs", "across runs"])
def test_deleted_in_the_calendar_and_typed_anew_it_is_a_new_appointment(ann: World, at_once: bool) -> None:
    deletes(ann, "ann", "shoot")
    if not at_once:
        synced(ann)
    ann.types("ann", summary="Shoot", description="Lamp two", **google_span(3))
    synced(ann)
    assert ann.titles("ann") == ["Shoot"]
    assert cancelled(ann) == {"shoot"}
    [new] = [document for one, document in ann.appointments().items() if one != "shoot"]
    assert (new["title"], new["kind"], new["status"]) == ("Shoot", "unlinked", "confirmed")
    rests(ann)
    ann.cloud.google.expire_sync_tokens()
    synced(ann)
    assert (ann.titles("ann"), len(ann.appointments())) == (["Shoot"], 2)


@pytest.mark.parametrize(
    "fields", [{"title": "Shoot"}, {"title": "Another", "location": "Roof"}], ids=["same", "other"]
)
@pytest.mark.parametrize("at_once", [True, False], ids=["between two runs", "across runs"])
def test_erased_in_the_studio_and_booked_again_under_the_same_id_it_stands_once(
    ann: World, at_once: bool, fields: dict[str, Any]
) -> None:
    old = event_of(ann, "shoot")
    ann.erase("shoot")
    if not at_once:
        synced(ann)
        assert ann.titles("ann") == []
    ann.book("shoot", user_ids=["ann"], **fields, **span(3))
    synced(ann)
    [event] = ann.events("ann")
    assert event["summary"] == fields["title"]
    assert event.get("location") == fields.get("location")
    assert not event.get("description"), "the new one has none"
    assert event["id"] == old
    assert (list(ann.appointments()), cancelled(ann)) == (["shoot"], set())
    rests(ann)


def test_deleted_and_made_again_many_times_on_either_side_it_stands_once(ann: World) -> None:
    old = event_of(ann, "shoot")
    for _ in range(3):
        ann.edit("shoot", status="cancelled")
        synced(ann)
        assert ann.titles("ann") == []
        ann.edit("shoot", status="confirmed")
        synced(ann)
        assert ann.titles("ann") == ["Shoot"]
        deletes(ann, "ann", "shoot")
        synced(ann)
        assert cancelled(ann) == {"shoot"}
        ann.edit("shoot", status="confirmed")
        synced(ann)
        assert ann.titles("ann") == ["Shoot"]
        assert event_of(ann, "shoot") == old
        ann.later(hours=25)
    rests(ann)


# --- gone on both sides -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("studio", ["cancelled", "erased", "reassigned"])
def test_deleted_on_both_sides_it_is_buried_and_nothing_is_written(ann: World, studio: str) -> None:
    deletes(ann, "ann", "shoot")
    match studio:
        case "cancelled":
            ann.edit("shoot", status="cancelled")
        case "erased":
            ann.erase("shoot")
        case "reassigned":
            ann.edit("shoot", user_ids=["ben"])
    before = ann.appointments()
    synced(ann)
    assert ann.appointments() == before
    assert writes(ann) == []
    assert ann.below("ann", "links")["shoot"]["state"] == "gone"
    assert ann.inbox() == {}
    rests(ann)


# --- a person takes it out of the bin ---------------------------------------------------------------------------------


def test_restored_after_the_calendars_deletion_cancelled_it_it_is_reinstated_as_it_was(ann: World) -> None:
    before = ann.appointments()["shoot"]
    event_id = event_of(ann, "shoot")
    deletes(ann, "ann", "shoot")
    synced(ann)
    assert cancelled(ann) == {"shoot"}
    ann.person("ann").restore(event_id)
    synced(ann)
    after = ann.appointments()
    assert list(after) == ["shoot"]
    changed = {"sync", "updated_at"}
    assert {k: v for k, v in after["shoot"].items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }
    assert event_of(ann, "shoot") == event_id
    rests(ann)
    # In step again, both ways.
    ann.edit("shoot", title="Shoot, indoors")
    ann.person("ann").patch("primary", event_id, location="Roof")
    synced(ann)
    [event] = ann.events("ann")
    assert (event["summary"], event["location"]) == ("Shoot, indoors", "Roof")
    assert ann.appointments()["shoot"]["location"] == "Roof"
    rests(ann)


def test_restored_and_edited_at_once_the_edit_comes_in_with_it(ann: World) -> None:
    event_id = event_of(ann, "shoot")
    deletes(ann, "ann", "shoot")
    synced(ann)
    ann.person("ann").restore(event_id)
    ann.person("ann").patch("primary", event_id, summary="Shoot at noon")
    synced(ann)
    assert ann.titles("ann") == ["Shoot at noon"]
    shoot = ann.appointments()["shoot"]
    assert (shoot["title"], shoot["status"]) == ("Shoot at noon", "confirmed")
    rests(ann)


@pytest.mark.parametrize("full", [False, True], ids=["changes", "full listing"])
def test_restored_after_the_studios_cancellation_it_stays_out_of_the_studio(ann: World, full: bool) -> None:
    event_id = event_of(ann, "shoot")
    ann.edit("shoot", status="cancelled")
    synced(ann)
    assert ann.titles("ann") == []
    before = ann.appointments()
    ann.person("ann").restore(event_id)
    if full:
        ann.cloud.google.expire_sync_tokens()
    synced(ann)
    assert ann.appointments() == before
    assert ann.titles("ann") == ["Shoot"], "what a person took out of the bin is not put in again"
    rests(ann)
    # Booked again, the two are one.
    ann.edit("shoot", status="confirmed")
    synced(ann)
    assert ann.titles("ann") == ["Shoot"]
    assert ann.below("ann", "links")["shoot"]["event_id"] == event_id
    rests(ann)


def test_restored_before_the_run_noticed_nothing_happens(ann: World) -> None:
    before = ann.appointments()
    event_id = event_of(ann, "shoot")
    deletes(ann, "ann", "shoot")
    ann.person("ann").restore(event_id)
    synced(ann)
    assert ann.appointments() == before
    assert writes(ann) == []
    assert event_of(ann, "shoot") == event_id
    rests(ann)


def test_a_restored_event_that_was_entered_again_meanwhile_does_not_double_the_appointment(ann: World) -> None:
    """Google refused to restore it for us, so it was entered again, and then a person takes the old one out."""
    old = event_of(ann, "shoot")
    deletes(ann, "ann", "shoot")
    synced(ann)
    ann.cloud.google.fail_next("calendar.events.patch", 403, "forbiddenForNonOrganizer")
    ann.edit("shoot", status="confirmed")
    synced(ann)
    assert event_of(ann, "shoot") != old
    ann.person("ann").restore(old)
    synced(ann)
    ann.cloud.google.expire_sync_tokens()
    synced(ann)
    assert list(ann.appointments()) == ["shoot"]
    assert cancelled(ann) == set()
    assert ann.below("ann", "links")["shoot"]["generation"] == 1
    rests(ann)


def test_an_older_event_out_of_the_bin_is_left_alone_after_the_studios_cancellation_too(ann: World) -> None:
    """Not only the last one that stood for the appointment: it is a person who wants it there."""
    old = event_of(ann, "shoot")
    deletes(ann, "ann", "shoot")
    synced(ann)
    ann.cloud.google.fail_next("calendar.events.patch", 403, "forbiddenForNonOrganizer")
    ann.edit("shoot", status="confirmed")
    synced(ann)
    ann.edit("shoot", status="cancelled")
    synced(ann)
    ann.person("ann").restore(old)
    synced(ann)
    assert ann.titles("ann") == ["Shoot"]
    assert cancelled(ann) == {"shoot"}
    rests(ann)
