"""Writes to a studio's documents: what concerns whom, what is only an echo, and what does not fit the contract."""

import datetime as dt
from typing import Any

import pytest
from google.cloud import firestore

from tests.functions.deployed import Deployed, House, event_value, eventually, google_span, span

SHOOT = {"title": "Shoot", "user_ids": ["ann"]}


def concerned(lines: list[dict[str, Any]], document: str) -> list[int]:
    return [line["concerned"] for line in lines if line.get("document") == document]


@pytest.mark.parametrize(
    "document",
    [
        "studios/s",
        "studios/s/clients/c",
        "studios/s/appointments/a/notes/n",
        "studios/s/users/u/devices/d",
        "elsewhere/s/appointments/a",
        "connections/c/links/l",
        "x",
    ],
)
def test_documents_that_are_none_of_its_business_are_ignored(deployed: Deployed, document: str) -> None:
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.trigger_event(document, None, event_value(document, SHOOT))
    assert reply.status == 200
    assert concerned(lines, document) == [0]
    assert "firestore" not in calls["services"]


def test_a_write_that_changes_nothing_of_ours_concerns_nobody(deployed: Deployed) -> None:
    document = "studios/s/appointments/a"
    after = event_value(document, {**SHOOT, "paid": True})
    with deployed.counted() as calls:
        assert deployed.trigger_event(document, event_value(document, SHOOT), after).status == 200
    assert "firestore" not in calls["services"]


def test_an_appointment_of_people_who_are_not_connected_is_ignored(deployed: Deployed, house: House) -> None:
    house.front_end.add_user("zoe", "zoe@example.com")
    document = f"studios/{house.id}/appointments/a"
    value = event_value(document, {"title": "Shoot", "user_ids": ["zoe", "gone"]})
    with deployed.counted() as calls:
        assert deployed.trigger_event(document, None, value).status == 200
    assert calls["document_writes"] == 0


@pytest.mark.parametrize("name", ["", "studios/without/a/database"], ids=["no document", "no database"])
def test_an_event_that_is_none_of_firestores_is_not_taken_for_a_success(deployed: Deployed, name: str) -> None:
    value = event_value("studios/s/appointments/a", SHOOT)
    value.name = name
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.trigger_event("studios/s/appointments/a", None, value)
    assert reply.status == 400
    assert calls["document_writes"] == 0
    assert len(lines) == 1


# --- users -----------------------------------------------------------------------------------------------------------


def test_ticking_a_populate_box_starts_one_run_and_its_unticking_none(deployed: Deployed, house: House) -> None:
    house.add("ann")
    house.person("ann").insert(summary="Old", **google_span(5))
    house.connect("ann")
    assert house.booked() == []
    with deployed.said() as lines:
        house.front_end.set_up("ann", populate_studio=True)
        eventually(lambda: house.booked() == ["Old"])
        eventually(lambda: house.front_end.user("ann")["sync"]["populate_studio"] is False)
        deployed.settle()
    assert house.runs("ann", lines) == ["done"]
    assert sorted(concerned(lines, f"studios/{house.id}/users/ann")) == [0, 1]
    due = house.connection("ann").next_sync_at
    assert due is not None
    assert due > dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)


def test_sync_now_starts_a_run_that_brings_what_no_push_told(deployed: Deployed, house: House) -> None:
    house.join("ann")
    deployed.stack.google.push.lose_next(1)
    house.person("ann").insert(summary="Dentist", **google_span(5))
    deployed.settle()
    assert house.booked() == []
    with deployed.said() as lines:
        house.front_end.set_up("ann", requested_at=firestore.SERVER_TIMESTAMP)
        eventually(lambda: house.booked() == ["Dentist"])
        deployed.settle()
    assert house.runs("ann", lines) == ["done"]


USER_WRITES: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "a box ticked": ({"sync": {"populate_calendar": False}}, {"sync": {"populate_calendar": True}}, 1),
    "a box unticked": ({"sync": {"populate_calendar": True}}, {"sync": {"populate_calendar": False}}, 0),
    "two-way turned on": ({"sync": {}}, {"sync": {"two_way_appointments": True}}, 1),
    "made schedulable": ({"schedulable": False}, {"schedulable": True}, 1),
    "another name": ({"name": "Ann"}, {"name": "Anne"}, 0),
    "the state that we write": ({"connection": {"state": "connected"}}, {"connection": {"state": "paused"}}, 0),
    "settings that are no map": ({"sync": "nonsense"}, {"sync": "other nonsense"}, 0),
}


@pytest.mark.parametrize("what", USER_WRITES)
def test_a_run_is_wished_by_what_a_person_changes_only(deployed: Deployed, standing: House, what: str) -> None:
    before, after, wished = USER_WRITES[what]
    document = f"studios/{standing.id}/users/ann"
    with deployed.said() as lines:
        reply = deployed.trigger_event(document, event_value(document, before), event_value(document, after))
        deployed.settle()
    assert reply.status == 200
    assert concerned(lines, document) == [wished]
    assert len(standing.runs("ann", lines)) == wished


def test_turning_the_sync_off_and_on_again_goes_through(deployed: Deployed, house: House) -> None:
    house.join("ann")
    house.front_end.set_up("ann", enabled=False)
    eventually(lambda: house.connection("ann").state == "paused")
    deployed.settle()
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    deployed.settle()
    assert house.titles("ann") == []
    house.front_end.set_up("ann", enabled=True)
    eventually(lambda: house.titles("ann") == ["Shoot"])
    eventually(lambda: house.connection("ann").state == "connected")


# --- appointments ----------------------------------------------------------------------------------------------------


def test_deleting_an_appointment_removes_its_event(deployed: Deployed, house: House) -> None:
    house.join("ann")
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    house.front_end.book("fair", title="Fair", user_ids=["ann"], **span(5))
    eventually(lambda: house.titles("ann") == ["Fair", "Shoot"])
    house.front_end.erase("shoot")
    eventually(lambda: house.titles("ann") == ["Fair"])
    deployed.settle()
    assert list(house.front_end.appointments()) == ["fair"]


def test_an_appointment_that_changes_hands_leaves_one_calendar_and_enters_the_other(
    deployed: Deployed, house: House
) -> None:
    house.join("ann")
    house.join("ben")
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    eventually(lambda: house.titles("ann") == ["Shoot"])
    house.front_end.edit("shoot", user_ids=["ben"])
    eventually(lambda: (house.titles("ann"), house.titles("ben")) == ([], ["Shoot"]))
    deployed.settle()


def test_a_runs_own_write_wishes_no_further_run_of_the_same_connection(deployed: Deployed, house: House) -> None:
    house.join("ann")
    with deployed.said() as lines:
        house.person("ann").insert(summary="Dentist", **google_span(5))
        eventually(lambda: house.booked() == ["Dentist"])
        deployed.settle()
    assert house.runs("ann", lines) == ["done"]


def test_an_appointment_booked_in_the_second_of_the_connection_arrives(deployed: Deployed, house: House) -> None:
    """Events may carry their time in whole seconds, as the emulator's do: it then lies before the connection's own."""
    house.join("ann")
    connected = dt.datetime.now(dt.UTC)
    house.document("ann").update({"since": connected})
    deployed.stack.triggers.lose_next(1)
    fields = {"title": "Shoot", "user_ids": ["ann"], **span(3)}
    house.front_end.book("shoot", **fields)
    deployed.settle()
    document = f"studios/{house.id}/appointments/shoot"
    written = deployed.client.document(document).get().update_time
    value = event_value(document, SHOOT)
    value.update_time.FromDatetime(written)
    second = connected.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert deployed.trigger_event(document, None, value, ce_time=second).status == 200
    deployed.settle()
    assert house.titles("ann") == ["Shoot"]


@pytest.mark.parametrize("user_id", ["", "a/b", "..", "__x__"])
def test_a_user_id_that_cannot_exist_keeps_no_colleague_from_the_appointment(
    deployed: Deployed, standing: House, user_id: str
) -> None:
    document = f"studios/{standing.id}/appointments/a"
    value = event_value(document, {"title": "Shoot", "user_ids": ["ann", user_id]})
    with deployed.said() as lines:
        assert deployed.trigger_event(document, None, value).status == 200
        deployed.settle()
    assert concerned(lines, document) == [1]


# What is wrong -> fields, the field that is named, the reason.
BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "a start that is a text": ({"start": "tomorrow at ten"}, "start", "invalid"),
    "an end before the start": ({"end": span(2)["start"]}, "end", "invalid"),
    "no end": ({"end": None}, "end", "invalid"),
    "an unknown status": ({"status": "CANARY"}, "status", "invalid"),
    "an unknown kind": ({"kind": "party"}, "kind", "invalid"),
    "a title that is a number": ({"title": 5}, "title", "invalid"),
    "a whole day without dates": ({"all_day": True}, "start_date", "invalid"),
    "one that repeats": ({"recurrence": ["RRULE:FREQ=DAILY"]}, "recurrence", "repeating"),
    "an occurrence": ({"series_id": "s"}, "series_id", "repeating"),
}


def test_appointments_that_break_the_contract_are_parked_with_field_and_reason_and_the_others_sync(
    deployed: Deployed, house: House
) -> None:
    house.join("ann")
    fields = {
        what: {"title": what, "user_ids": ["ann"], **span(3), **broken} for what, (broken, _, _) in BROKEN.items()
    }
    good = {"good": {"title": "Good", "user_ids": ["ann"], **span(4)}}
    house.front_end.book_many({**fields, **good})
    eventually(lambda: house.below("ann", "parked").keys() == BROKEN.keys())
    eventually(lambda: house.titles("ann") == ["Good"])
    deployed.settle()
    parked = house.below("ann", "parked")
    assert {what: (one["field"], one["reason"]) for what, one in parked.items()} == {
        what: (field, reason) for what, (_, field, reason) in BROKEN.items()
    }
    assert house.connection("ann").parked == len(BROKEN)
    assert house.below("ann", "outbox") == {}
    for what in BROKEN:
        right = {"title": what, "kind": "session", "status": "confirmed", "all_day": False, **span(3)}
        house.front_end.edit(what, recurrence=firestore.DELETE_FIELD, series_id=firestore.DELETE_FIELD, **right)
    eventually(lambda: house.titles("ann") == sorted(["Good", *BROKEN]))
    deployed.settle()
    assert house.below("ann", "parked") == {}
    assert house.connection("ann").parked == 0


def test_an_appointment_whose_users_become_no_list_is_parked_for_those_it_had(deployed: Deployed, house: House) -> None:
    house.join("ann")
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    eventually(lambda: house.titles("ann") == ["Shoot"])
    deployed.settle()
    house.front_end.edit("shoot", user_ids="ann")
    eventually(lambda: house.below("ann", "parked"))
    [parked] = house.below("ann", "parked").values()
    assert (parked["field"], parked["reason"]) == ("user_ids", "invalid")
    assert house.titles("ann") == ["Shoot"]
    house.front_end.edit("shoot", user_ids=["ann"], title="Shoot two")
    eventually(lambda: house.titles("ann") == ["Shoot two"])
    deployed.settle()
    assert house.below("ann", "parked") == {}


def test_a_parked_appointment_that_is_deleted_is_no_longer_parked(deployed: Deployed, house: House) -> None:
    house.join("ann")
    house.front_end.book("broken", title="Broken", user_ids=["ann"], start="tomorrow")
    eventually(lambda: house.below("ann", "parked"))
    deployed.settle()
    house.front_end.erase("broken")
    eventually(lambda: not house.below("ann", "parked"))
    deployed.settle()
    assert house.connection("ann").parked == 0


def test_a_user_with_a_broken_connection_keeps_no_colleague_from_the_appointment(
    deployed: Deployed, house: House
) -> None:
    """Both are told by one event: the one whose connection cannot be read must not stop the other."""
    for user_id in ("ann", "ben"):
        house.join(user_id)
    # Connections are told in the order of their ids.
    first, other = sorted(house.connections, key=lambda user_id: house.connections[user_id])
    house.document(first).update({"since": "CANARY, no instant"})
    try:
        house.front_end.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(3))
        eventually(lambda: house.titles(other) == ["Shoot"], seconds=3)
    finally:
        house.document(first).update({"since": firestore.SERVER_TIMESTAMP})
        deployed.settle()
