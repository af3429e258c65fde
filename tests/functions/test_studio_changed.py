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
        "studios/s/clients/c",
        "studios/s/inbox/i/notes/n",
        "studios/s/conflicts/c",
        "studios",
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


@pytest.mark.parametrize("below", ["", "/appointments/a", "/users/ann", "/inbox/i", "/clients/c"])
def test_each_write_is_told_once_by_its_own_trigger(deployed: Deployed, house: House, below: str) -> None:
    """Four patterns on one path, each of which must match its own documents only."""
    triggers = deployed.stack.triggers
    # The emulator's very first event may take longer than silence is listened to: the studio's own creation.
    eventually(lambda: any(one.document == f"studios/{house.id}" for one in triggers.deliveries))
    deployed.settle()
    document, before = f"studios/{house.id}{below}", len(triggers.deliveries)
    deployed.client.document(document).set({"name": "Anne"}, merge=True)
    deployed.settle()
    told = [(one.trigger, one.status) for one in triggers.deliveries[before:] if one.document == document]
    kind = below.split("/")[1] if below else "studios"
    assert told == ([] if kind == "clients" else [(kind, 200)])


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
    "the default written down": ({}, {"schedulable": False, "sync": {"include_tentative": False}}, 0),
    "contacts, which do not sync yet": ({}, {"sync": {"two_way_contacts": True, "client_group_id": "g"}}, 0),
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


def test_the_connection_of_an_erased_user_hears_of_it(deployed: Deployed, house: House) -> None:
    """The document that named it is gone; only the version before it does."""
    house.join("ann")
    house.join("ben")
    with deployed.said() as lines:
        house.front_end.erase_user("ann")
        eventually(lambda: house.connection("ann").state == "paused", seconds=5)
        deployed.settle()
    assert house.connection("ann").state_reason == "user_gone"
    assert concerned(lines, f"studios/{house.id}/users/ann") == [1]
    assert house.runs("ben", lines) == []
    assert house.front_end.user("ann") == {}, "the run must not make the document again"


@pytest.mark.parametrize(
    "connection",
    ["nonsense", {}, {"id": ""}, {"id": "a/b"}, {"id": ".."}, {"id": ["x"]}, {"id": "no-such-connection"}],
    ids=str,
)
def test_an_erased_user_without_a_connection_that_can_be_is_ignored(
    deployed: Deployed, standing: House, connection: object
) -> None:
    document = f"studios/{standing.id}/users/nobody"
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.trigger_event(document, event_value(document, {"connection": connection}), None)
    assert reply.status == 200
    assert concerned(lines, document) == [0]
    assert calls["document_writes"] == 0
    assert [line for line in lines if line["severity"] == "ERROR"] == []


# --- studios ---------------------------------------------------------------------------------------------------------

STUDIO_WRITES: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None, int]] = {
    "created": (None, {"edition": "standard"}, 1),
    "erased": ({"edition": "standard"}, None, 1),
    "edition lowered": ({"edition": "standard"}, {"edition": "express"}, 1),
    "edition raised": ({"edition": "express"}, {"edition": "enterprise"}, 1),
    "another edition that has the sync": ({"edition": "standard"}, {"edition": "enterprise"}, 0),
    "turned off": ({}, {"sync": {"enabled": False}}, 1),
    "turned on": ({"sync": {"enabled": False}}, {"sync": {"enabled": True}}, 1),
    "the default written down": ({}, {"sync": {"enabled": True}}, 0),
    "interval": ({"sync": {"interval_minutes": "10"}}, {"sync": {"interval_minutes": "30"}}, 1),
    "clash policy": ({"sync": {"clash_policy": "studio"}}, {"sync": {"clash_policy": "latest"}}, 0),
    "past days": ({"sync": {"past_days": "90"}}, {"sync": {"past_days": "9"}}, 0),
    "time zone": ({"time_zone": "Europe/Berlin"}, {"time_zone": "Asia/Tokyo"}, 0),
    "name": ({"name": "Atelier"}, {"name": "Studio"}, 0),
    "who is mailed": ({}, {"sync": {"notify_on": "never", "notify_email": "a@b.example"}}, 0),
    "settings that are no map": ({"sync": "nonsense"}, {"sync": ["other", "nonsense"]}, 0),
}


@pytest.mark.parametrize("what", STUDIO_WRITES)
def test_runs_are_wished_by_those_settings_of_a_studio_that_concern_them(
    deployed: Deployed, standing: House, what: str
) -> None:
    before, after, wished = STUDIO_WRITES[what]
    document = f"studios/{standing.id}"
    versions = [None if one is None else event_value(document, one) for one in (before, after)]
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.trigger_event(document, *versions)
        deployed.settle()
    assert reply.status == 200
    assert concerned(lines, document) == [wished]
    assert len(standing.runs("ann", lines)) == wished
    assert wished or "firestore" not in calls["services"], "what concerns nobody costs nothing"


def test_turning_the_whole_studio_off_and_on_again_goes_through_for_each_user_and_no_other_studio(
    deployed: Deployed, house: House
) -> None:
    house.join("ann")
    house.join("ben")
    neighbour = House(deployed)
    neighbour.join("eve")
    with deployed.said() as lines:
        house.front_end.set_studio(**{"sync.enabled": False})
        eventually(lambda: {house.connection(user_id).state for user_id in ("ann", "ben")} == {"paused"}, seconds=5)
        deployed.settle()
    assert concerned(lines, f"studios/{house.id}") == [2]
    assert neighbour.runs("eve", lines) == []
    assert house.front_end.user("ann")["connection"]["reason"] == "studio_off"
    house.front_end.book("shoot", title="Shoot", user_ids=["ann", "ben"], **span(3))
    deployed.settle()
    assert (house.titles("ann"), house.titles("ben")) == ([], [])
    house.front_end.set_studio(**{"sync.enabled": True})
    eventually(lambda: (house.titles("ann"), house.titles("ben")) == (["Shoot"], ["Shoot"]))
    eventually(lambda: {house.connection(user_id).state for user_id in ("ann", "ben")} == {"connected"})


def test_a_studio_that_is_erased_pauses_its_users_and_one_that_comes_back_goes_on(
    deployed: Deployed, house: House
) -> None:
    house.join("ann")
    house.front_end.erase_studio()
    eventually(lambda: house.connection("ann").state_reason == "studio_gone", seconds=5)
    deployed.settle()
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    deployed.settle()
    house.front_end.make_studio()
    eventually(lambda: house.titles("ann") == ["Shoot"])
    eventually(lambda: house.connection("ann").state == "connected")


def test_a_connection_that_waits_for_a_person_is_not_woken_by_a_setting(deployed: Deployed, house: House) -> None:
    house.join("ann")
    house.document("ann").update({"state": "needs_reauth"})
    before = house.version("ann")
    with deployed.said() as lines:
        house.front_end.set_studio(**{"sync.interval_minutes": 30})
        deployed.settle()
    assert concerned(lines, f"studios/{house.id}") == [0]
    assert house.version("ann") == before


def test_a_broken_connection_keeps_no_colleague_from_hearing_of_the_studio(deployed: Deployed, house: House) -> None:
    for user_id in ("ann", "ben"):
        house.join(user_id)
    # Connections are told in the order of their ids.
    first, other = sorted(house.connections, key=lambda user_id: house.connections[user_id])
    house.document(first).update({"since": "CANARY, no instant"})
    try:
        house.front_end.set_studio(edition="express")
        eventually(lambda: house.connection(other).state_reason == "edition", seconds=5)
    finally:
        house.document(first).update({"since": firestore.SERVER_TIMESTAMP})
        deployed.settle()


# --- the inbox -------------------------------------------------------------------------------------------------------


def question(house: House, **fields: Any) -> dict[str, Any]:
    """As a run asks it."""
    refs = {"connection_id": house.connections["ann"], "appointment_id": "shoot"}
    text = "Ann removed this from her calendar: take her off?"
    return {"kind": "removed_from_calendar", "user_id": "ann", "text": text, "refs": refs, "status": "open", **fields}


@pytest.mark.parametrize("answer", ["take_off", "put_back"])
def test_a_persons_answer_is_entered_into_the_outbox_and_starts_a_run(
    deployed: Deployed, house: House, answer: str
) -> None:
    house.join("ann")
    item = {**question(house), "created_at": firestore.SERVER_TIMESTAMP}
    deployed.client.document(f"studios/{house.id}/inbox/q1").set(item)
    deployed.settle()
    deployed.pause("now")
    with deployed.said() as lines:
        house.front_end.answer("q1", answer)
        deployed.stack.triggers.wait_idle(10)
    assert concerned(lines, f"studios/{house.id}/inbox/q1") == [1]
    [(entry_id, entry)] = house.below("ann", "outbox").items()
    assert entry_id == "answer:shoot"
    assert (entry["appointment_id"], entry["cause"]) == ("shoot", "answered")
    due = house.connection("ann").next_sync_at
    assert due is not None
    assert due <= dt.datetime.now(dt.UTC)
    with deployed.said() as lines:
        deployed.pause("now", paused=False)
        deployed.settle()
    assert house.runs("ann", lines) == ["done"]
    assert house.front_end.inbox()["q1"]["answer"] == answer


def test_a_person_who_changes_an_answer_while_the_question_is_open_is_heard(
    deployed: Deployed, standing: House
) -> None:
    document = f"studios/{standing.id}/inbox/q1"
    versions = [event_value(document, question(standing, answer=answer)) for answer in ("take_off", "put_back")]
    with deployed.said() as lines:
        assert deployed.trigger_event(document, *versions).status == 200
        deployed.settle()
    assert concerned(lines, document) == [1]


# What is written -> fields before (None: not there), fields after.
INBOX_WRITES: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "a question is asked": (None, {}),
    "a question that is answered before it is asked": (None, {"answer": "take_off"}),
    "its text is written anew": ({}, {"text": "Ann and Ben"}),
    "and again, once it is answered": ({"answer": "take_off"}, {"answer": "take_off", "text": "Ann and Ben"}),
    "an answer is carried out": ({"answer": "take_off"}, {"answer": "take_off", "status": "answered"}),
    "a question has settled itself": ({}, {"status": "gone"}),
    "an answer that comes too late": ({"status": "gone"}, {"status": "gone", "answer": "take_off"}),
    "an answer is taken back": ({"answer": "take_off"}, {}),
    "a held deletion, answered in the settings": ({"kind": "held"}, {"kind": "held", "answer": "take_off"}),
    "an answer that is none": ({}, {"answer": "perhaps"}),
    "an answer that is no text": ({}, {"answer": ["take_off"]}),
    "a question without refs": ({"refs": {}}, {"answer": "take_off", "refs": {}}),
    "refs that are no map": ({"refs": "shoot"}, {"answer": "take_off", "refs": "shoot"}),
    "a kind that we do not know": ({"kind": "riddle"}, {"answer": "take_off", "kind": "riddle"}),
    "an item that is erased": ({"answer": "take_off"}, None),
}


@pytest.mark.parametrize("what", INBOX_WRITES)
def test_what_is_no_new_answer_to_an_open_question_concerns_nobody(
    deployed: Deployed, standing: House, what: str
) -> None:
    document = f"studios/{standing.id}/inbox/q1"
    versions = [None if one is None else event_value(document, question(standing, **one)) for one in INBOX_WRITES[what]]
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.trigger_event(document, *versions)
    assert reply.status == 200
    assert concerned(lines, document) == [0]
    assert "firestore" not in calls["services"]


@pytest.mark.parametrize("wrong", ["", "a/b", "..", "__x__", ["shoot"], "x" * 1501], ids=lambda wrong: str(wrong)[:9])
@pytest.mark.parametrize("ref", ["connection_id", "appointment_id"])
def test_an_answer_about_an_id_that_cannot_exist_is_ignored(
    deployed: Deployed, standing: House, ref: str, wrong: object
) -> None:
    refs = {"connection_id": standing.connections["ann"], "appointment_id": "shoot", ref: wrong}
    document = f"studios/{standing.id}/inbox/q1"
    versions = [event_value(document, question(standing, refs=refs, **more)) for more in ({}, {"answer": "put_back"})]
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.trigger_event(document, *versions)
    assert reply.status == 200
    assert concerned(lines, document) == [0]
    assert "firestore" not in calls["services"]


def test_an_id_that_is_too_long_only_for_the_outbox_is_not_tried_for_ever(deployed: Deployed, standing: House) -> None:
    refs = {"connection_id": standing.connections["ann"], "appointment_id": "x" * 1500}
    document = f"studios/{standing.id}/inbox/q1"
    versions = [event_value(document, question(standing, refs=refs, **more)) for more in ({}, {"answer": "put_back"})]
    assert deployed.trigger_event(document, *versions).status == 200


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
    "one that repeats by the hour": (
        {"recurrence": ["RRULE:FREQ=HOURLY"], "time_zone": "Europe/Berlin"},
        "recurrence",
        "unsupported_rule",
    ),
    "one that repeats nowhere": (
        {"recurrence": ["RRULE:FREQ=DAILY"], "time_zone": "Europe/Nowhere"},
        "time_zone",
        "invalid",
    ),
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
        house.front_end.edit(what, recurrence=firestore.DELETE_FIELD, **right)
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
