"""What people do at the simulated Google beyond editing: invite, answer, look into the bin; and what comes by mail."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local.google.errors import ApiError
from local.google.person import Person
from local.google.server import GoogleSimulator
from tests.contract.google_target import ACCOUNT, CLIENT_ID, an_hour
from tests.unit.local_google.conftest import Webhook

BERT, CLEO, BOSS = "bert@example.com", "cleo@example.com", "boss@elsewhere.example"
UID = "meeting-1@elsewhere.example"
ORIGINAL = {"dateTime": "2027-06-08T10:00:00+02:00", "timeZone": "Europe/Berlin"}


@pytest.fixture
def people(google: GoogleSimulator) -> tuple[Person, Person, Person]:
    google.add_account(CLEO, "Cleo", "America/New_York")
    return google.person(ACCOUNT), google.person(BERT), google.person(CLEO)


def answers(event: dict[str, Any]) -> dict[str, str]:
    return {guest["email"]: guest["responseStatus"] for guest in event.get("attendees", [])}


def test_inviting_keeps_those_who_are_invited(people: tuple[Person, Person, Person]) -> None:
    anna, bert, cleo = people
    event_id = anna.insert(summary="Shoot", **an_hour())["id"]
    anna.invite(event_id, BERT)
    bert.answer(event_id, "accepted")
    assert answers(anna.invite(event_id, BERT, CLEO)) == {BERT: "accepted", CLEO: "needsAction"}
    assert cleo.event(event_id)["start"]["dateTime"] == "2027-06-01T04:00:00-04:00"


@pytest.mark.parametrize("response", ["accepted", "tentative", "declined"])
def test_answering_tells_everybody(people: tuple[Person, Person, Person], response: str) -> None:
    anna, bert, cleo = people
    event_id = anna.insert(attendees=[{"email": BERT}, {"email": CLEO}], **an_hour())["id"]
    bert.answer(event_id, response)
    for person in people:
        assert answers(person.event(event_id)) == {BERT: response, CLEO: "needsAction"}
    bert.answer(event_id, "needsAction")
    assert answers(cleo.event(event_id)) == {BERT: "needsAction", CLEO: "needsAction"}


def test_answers_are_the_documented_ones(people: tuple[Person, Person, Person]) -> None:
    anna, bert, _ = people
    event_id = anna.insert(attendees=[{"email": BERT}], **an_hour())["id"]
    with pytest.raises(ApiError, match="Invalid attendee response status"):
        bert.answer(event_id, "perhaps")


def test_the_organizer_answers_too_if_listed(people: tuple[Person, Person, Person]) -> None:
    anna, bert, _ = people
    event_id = anna.insert(attendees=[{"email": ACCOUNT}, {"email": BERT}], **an_hour())["id"]
    anna.answer(event_id, "accepted")
    assert answers(bert.event(event_id)) == {ACCOUNT: "accepted", BERT: "needsAction"}


def test_the_bin_has_what_was_deleted_and_gives_it_back_whole(people: tuple[Person, Person, Person]) -> None:
    anna, *_ = people
    event = anna.insert(summary="Lost", extendedProperties={"private": {"a": "1"}}, **an_hour())
    anna.insert(summary="Kept", **an_hour())
    assert anna.bin() == []
    anna.delete("primary", event["id"])
    assert [(item["id"], item["summary"]) for item in anna.bin()] == [(event["id"], "Lost")]
    restored = anna.restore(event["id"])
    assert anna.bin() == []
    changed = {"etag", "updated"}
    assert {n: v for n, v in restored.items() if n not in changed} == {
        n: v for n, v in event.items() if n not in changed
    }


def test_what_is_not_in_the_bin_is_not_restored(google: GoogleSimulator, people: tuple[Person, Person, Person]) -> None:
    anna, *_ = people
    event = anna.insert(**an_hour())
    with pytest.raises(ValueError, match="not in the bin"):
        anna.restore(event["id"])
    anna.delete("primary", event["id"])
    google.evict_tombstones(ACCOUNT)
    assert anna.bin() == []
    with pytest.raises(ApiError, match="404 notFound"):
        anna.restore(event["id"])


def test_a_guest_restores_the_copy_that_he_removed(people: tuple[Person, Person, Person]) -> None:
    anna, bert, cleo = people
    event_id = anna.insert(summary="Shoot", attendees=[{"email": BERT}, {"email": CLEO}], **an_hour())["id"]
    bert.patch("primary", event_id, extendedProperties={"private": {"theirs": "1"}})
    bert.answer(event_id, "tentative")
    bert.delete("primary", event_id)
    assert answers(cleo.event(event_id)) == {BERT: "declined", CLEO: "needsAction"}
    assert [item["id"] for item in bert.bin()] == [event_id]
    bert.restore(event_id)
    assert bert.event(event_id)["extendedProperties"] == {"private": {"theirs": "1"}}
    assert answers(cleo.event(event_id))[BERT] == "tentative"


def test_a_copy_that_its_guest_removed_does_not_come_back_with_the_event(
    people: tuple[Person, Person, Person],
) -> None:
    anna, bert, cleo = people
    event_id = anna.insert(attendees=[{"email": BERT}, {"email": CLEO}], **an_hour())["id"]
    bert.delete("primary", event_id)
    anna.delete("primary", event_id)
    anna.restore(event_id)
    assert (bert.event(event_id)["status"], cleo.event(event_id)["status"]) == ("cancelled", "confirmed")
    anna.patch("primary", event_id, attendees=[{"email": CLEO}])
    anna.invite(event_id, BERT)
    assert bert.event(event_id)["status"] == "confirmed"


def test_an_invitation_to_a_series_is_one_copy(people: tuple[Person, Person, Person]) -> None:
    anna, bert, _ = people
    rule = ["RRULE:FREQ=WEEKLY;COUNT=3"]
    event = anna.insert(attendees=[{"email": BERT}], recurrence=rule, **an_hour(timeZone="Europe/Berlin"))
    (copy,) = bert.events()
    assert (copy["recurrence"], copy["start"]["timeZone"]) == (rule, "Europe/Berlin")
    anna.patch("primary", event["id"], recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])
    assert bert.event(event["id"])["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=4"]


def test_a_writer_of_the_organizers_calendar_is_no_guest(
    google: GoogleSimulator, people: tuple[Person, Person, Person]
) -> None:
    anna, bert, cleo = people
    google.set_access(BERT, ACCOUNT, "writer")
    event = bert.insert(ACCOUNT, summary="For Anna", attendees=[{"email": CLEO}], **an_hour())
    bert.patch(ACCOUNT, event["id"], summary="Still for Anna")
    copy = cleo.event(event["id"])
    assert (copy["summary"], copy["creator"], copy["organizer"]) == (
        "Still for Anna",
        {"email": BERT},
        {"email": ACCOUNT},
    )
    assert bert.events() == []
    assert anna.event(event["id"])["organizer"] == {"email": ACCOUNT, "self": True}


def test_every_calendar_that_changes_is_told_of(
    google: GoogleSimulator, people: tuple[Person, Person, Person], webhook: Webhook
) -> None:
    google.push.delay = 0.01
    anna, bert, _ = people
    ids = {email: uuid.uuid4().hex for email in (ACCOUNT, BERT)}
    for email, channel_id in ids.items():
        body = {"id": channel_id, "type": "web_hook", "address": webhook.url}
        google.push.watch(email, CLIENT_ID, email, body)

    def told(edit: Callable[[], Any]) -> set[str]:
        assert google.push.flush()
        webhook.received.clear()
        edit()
        assert google.push.flush()
        return {email for email, channel_id in ids.items() if channel_id in webhook.of("channel-id")}

    event_id = anna.insert(**an_hour())["id"]
    assert told(lambda: anna.invite(event_id, BERT)) == {ACCOUNT, BERT}
    assert told(lambda: bert.answer(event_id, "accepted")) == {ACCOUNT, BERT}
    assert told(lambda: bert.patch("primary", event_id, colorId="2")) == {BERT}
    assert told(lambda: anna.patch("primary", event_id, colorId="2")) == {ACCOUNT}
    assert told(lambda: bert.delete("primary", event_id)) == {ACCOUNT, BERT}


class TestMail:
    """Invitations by organizers that have no account here."""

    def receive(self, google: GoogleSimulator, **fields: Any) -> dict[str, Any]:
        return google.receive_event(ACCOUNT, BOSS, iCalUID=UID, **fields)

    def test_a_second_one_changes_the_first(self, google: GoogleSimulator) -> None:
        anna = google.person(ACCOUNT)
        guests = [{"email": ACCOUNT}, {"email": BOSS}]
        event = self.receive(google, summary="Meeting", location="Here", attendees=guests, **an_hour())
        anna.patch("primary", event["id"], colorId="3")
        anna.answer(event["id"], "accepted")
        self.receive(google, summary="Moved", attendees=guests)
        (now,) = anna.events()
        assert (now["id"], now["summary"], now["location"], now["colorId"]) == (event["id"], "Moved", "Here", "3")
        assert answers(now) == {ACCOUNT: "accepted", BOSS: "needsAction"}
        assert now["organizer"] == {"email": BOSS}
        with pytest.raises(ApiError, match="forbiddenForNonOrganizer"):
            anna.patch("primary", event["id"], summary="Mine")

    def test_it_can_be_cancelled_and_sent_again(self, google: GoogleSimulator) -> None:
        event = self.receive(google, summary="Meeting", **an_hour())
        assert self.receive(google, status="cancelled")["status"] == "cancelled"
        assert self.receive(google, summary="On again") | {"id": event["id"], "status": "confirmed"} == (
            google.person(ACCOUNT).event(event["id"])
        )

    def test_a_removed_one_stays_removed(self, google: GoogleSimulator) -> None:
        anna = google.person(ACCOUNT)
        event = self.receive(google, summary="Meeting", **an_hour())
        anna.delete("primary", event["id"])
        for _ in range(2):
            assert self.receive(google, summary="Moved")["status"] == "cancelled"
        assert anna.restore(event["id"])["summary"] == "Moved"

    def test_who_is_not_on_the_list_is_put_there_by_his_answer(self, google: GoogleSimulator) -> None:
        event = self.receive(google, attendees=[{"email": "team@elsewhere.example"}], **an_hour())
        answered = google.person(ACCOUNT).answer(event["id"], "accepted")
        assert answers(answered) == {"team@elsewhere.example": "needsAction", ACCOUNT: "accepted"}

    def test_a_birthday_can_be_placed(self, google: GoogleSimulator) -> None:
        contact = {"type": "anniversary", "contact": "people/c1"}
        day = {"start": {"date": "2027-06-01"}, "end": {"date": "2027-06-02"}}
        event = google.receive_event(
            ACCOUNT, ACCOUNT, summary="Ten years", eventType="birthday", birthdayProperties=contact, **day
        )
        assert (event["birthdayProperties"], event["recurrence"]) == (contact, ["RRULE:FREQ=YEARLY"])
        assert event["organizer"] == {"email": ACCOUNT, "self": True}


class TestMailOfOneInstance:
    """One instance of a series by an organizer who has no account here."""

    def receive(self, google: GoogleSimulator, **fields: Any) -> dict[str, Any]:
        return google.receive_event(ACCOUNT, BOSS, iCalUID=UID, **fields)

    def test_is_an_instance_without_a_series(self, google: GoogleSimulator) -> None:
        anna: Person = google.person(ACCOUNT)
        event = self.receive(
            google,
            recurringEventId="theirclass",
            originalStartTime=ORIGINAL,
            summary="Class",
            **an_hour(timeZone="Europe/Berlin"),
        )
        assert event["id"] == "theirclass_20270608T080000Z"
        assert (event["recurringEventId"], event["originalStartTime"]) == ("theirclass", ORIGINAL)
        self.receive(google, originalStartTime=ORIGINAL, summary="Moved")
        (found,) = anna.events()
        assert (found["id"], found["summary"]) == (event["id"], "Moved")
        self.receive(google, originalStartTime=ORIGINAL, status="cancelled")
        assert anna.events() == []

    def test_is_an_exception_of_a_series_that_came_before(self, google: GoogleSimulator) -> None:
        anna: Person = google.person(ACCOUNT)
        series = self.receive(
            google, summary="Class", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"], **an_hour(timeZone="Europe/Berlin")
        )
        self.receive(google, originalStartTime=ORIGINAL, summary="Special")
        self.receive(google, summary="New name")
        assert [event["summary"] for event in anna.instances(series["id"])] == ["New name", "Special", "New name"]


@pytest.mark.parametrize("event_type", ["focusTime", "outOfOffice"])
def test_a_person_need_not_know_what_a_type_needs(google: GoogleSimulator, event_type: str) -> None:
    event = google.person(ACCOUNT).insert(eventType=event_type, **an_hour())
    assert f"{event_type}Properties" in event


def test_a_deleted_calendar_is_gone_but_no_primary_one(google: GoogleSimulator) -> None:
    anna = google.person(ACCOUNT)
    shared = google.add_calendar(ACCOUNT, "Studio")
    event = anna.insert(shared, summary="Shoot", attendees=[{"email": BERT}], **an_hour())
    google.delete_calendar(shared)
    assert [entry["id"] for entry in anna.calendars()] == [ACCOUNT]
    # What Google does to the guests' copies is not documented: here they stay, without an organizer to tell.
    bert = google.person(BERT)
    bert.answer(event["id"], "accepted")
    assert bert.event(event["id"])["summary"] == "Shoot"
    with pytest.raises(ValueError, match="primary"):
        google.delete_calendar(ACCOUNT)
