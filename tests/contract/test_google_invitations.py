"""Events with guests, as Google Calendar shares them. Needs a second account: the simulated Google only, so far."""

from typing import Any

import pytest

from tests.contract.google_target import ACCOUNT, GUEST, Target, an_hour, new_id, refused

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

FORBIDDEN = (403, "forbiddenForNonOrganizer")


@pytest.fixture(params=["primary", "secondary"])
def host(google: Target, request: pytest.FixtureRequest) -> Target:
    """The organizer's side: the account's own calendar, or another one, which then is the organizer itself."""
    if request.param == "primary":
        assert google.simulated
        google.calendar_id = ACCOUNT
    return google


@pytest.fixture
def guest(google: Target) -> Target:
    return google.guest


def invitation(host: Target, *emails: str, **fields: Any) -> dict[str, Any]:
    return host.insert(summary="Shoot", attendees=[{"email": email} for email in emails or [GUEST]], **fields)


def answers(event: dict[str, Any]) -> dict[str, str]:
    return {guest["email"]: guest["responseStatus"] for guest in event.get("attendees", [])}


def answer(guest: Target, event_id: str, response: str) -> dict[str, Any]:
    guests = [
        person | {"responseStatus": response} if person.get("self") else person
        for person in guest.get(event_id)["attendees"]
    ]
    return guest.patch(event_id, {"attendees": guests})


class TestTheCopy:
    def test_it_has_the_same_ids_and_what_is_shared(self, host: Target, guest: Target) -> None:
        """One event in two calendars: the organizer's in his, and a copy in the guest's."""
        shared = {"description": "Bring shoes", "location": "Studio", "guestsCanInviteOthers": False}
        event = invitation(host, extendedProperties={"shared": {"job": "7"}}, **shared)
        copy = guest.get(event["id"])
        assert {name: copy[name] for name in ("id", "iCalUID", "summary", "status", "created", *shared)} == {
            name: event[name] for name in ("id", "iCalUID", "summary", "status", "created", *shared)
        }
        assert copy["extendedProperties"] == {"shared": {"job": "7"}}
        # The same instant, written in the guest's own zone.
        assert copy["start"] == {"dateTime": "2027-06-01T09:00:00+01:00"}

    def test_it_says_who_is_who(self, host: Target, guest: Target) -> None:
        """`self` is whoever looks; the organizer is marked among the guests."""
        event = invitation(host, GUEST, host.calendar_id)
        copy = guest.get(event["id"])
        assert event["organizer"] == {"email": host.calendar_id, "self": True}
        assert copy["organizer"] == {"email": host.calendar_id}
        assert [guest.get("self", False) for guest in event["attendees"]] == [False, True]
        assert [guest.get("self", False) for guest in copy["attendees"]] == [True, False]
        assert [guest.get("organizer", False) for guest in copy["attendees"]] == [False, True]

    def test_it_does_not_have_what_is_the_organizers_own(self, host: Target, guest: Target) -> None:
        """Private properties, reminders, colour, transparency, visibility, and the creator's source."""
        event = invitation(
            host,
            extendedProperties={"private": {"mine": "1"}},
            reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
            colorId="3",
            transparency="transparent",
            visibility="private",
            source={"url": "https://example.com/1"},
        )
        copy = guest.get(event["id"])
        assert copy["reminders"] == {"useDefault": True}
        assert not {"extendedProperties", "colorId", "transparency", "visibility", "source"} & copy.keys()

    def test_it_arrives_as_any_other_change(self, host: Target, guest: Target) -> None:
        """In the guest's delta, with an etag of its own."""
        _, token = guest.listing()
        event = invitation(host)
        (copy,) = guest.delta(token)
        assert copy["id"] == event["id"]
        assert copy["etag"] != event["etag"]

    def test_a_private_import_reaches_nobody(self, host: Target, guest: Target) -> None:
        """`privateCopy` ends all sharing."""
        body = an_hour() | {"iCalUID": f"{new_id()}@example.com", "attendees": [{"email": GUEST}]}
        event = host.api.events().import_(calendarId=host.calendar_id, body=body).execute()
        assert refused(lambda: guest.get(event["id"])) == (404, "notFound")

    def test_strangers_get_none(self, host: Target) -> None:
        """Guests that no account of this Google is for stay on the list, and that is all."""
        event = invitation(host, "nobody@elsewhere.example")
        assert answers(event) == {"nobody@elsewhere.example": "needsAction"}

    def test_a_secondary_calendar_is_nobody_to_invite(self, host: Target) -> None:
        """Invitations arrive where a person's address leads: in the primary calendar."""
        other = host.simulated.add_calendar(GUEST, "Not a person")
        event = invitation(host, other)
        assert refused(host.guest.api.events().get(calendarId=other, eventId=event["id"]).execute) == (404, "notFound")


class TestTheOrganizersChanges:
    def test_what_is_shared_follows(self, host: Target, guest: Target) -> None:
        """The guest's own fields and answer stay."""
        event = invitation(host)
        own = {"colorId": "5", "extendedProperties": {"private": {"theirs": "1"}}, "transparency": "transparent"}
        guest.patch(event["id"], own)
        answer(guest, event["id"], "accepted")
        _, token = guest.listing()
        later = {"dateTime": "2027-06-01T12:00:00+02:00"}
        changed = host.patch(event["id"], {"summary": "Later", "location": None, "end": later})
        (copy,) = guest.delta(token)
        assert (copy["summary"], copy["end"]["dateTime"]) == ("Later", "2027-06-01T11:00:00+01:00")
        assert copy["sequence"] == changed["sequence"] == 1
        assert {name: copy[name] for name in own} == own
        assert answers(copy) == answers(changed) == {GUEST: "accepted"}

    def test_what_is_not_shared_does_not_touch_the_copy(self, host: Target, guest: Target) -> None:
        """No new etag, nothing in the delta."""
        event = invitation(host)
        copy, (_, token) = guest.get(event["id"]), guest.listing()
        host.patch(event["id"], {"colorId": "2", "extendedProperties": {"private": {"a": "1"}}})
        assert guest.get(event["id"]) == copy
        assert guest.delta(token) == []

    def test_a_guest_can_be_added_and_removed(self, host: Target, guest: Target) -> None:
        """Removed, the copy is cancelled; invited anew, it is the same entry again, with what was its own."""
        event = host.insert(summary="Shoot")
        host.patch(event["id"], {"attendees": [{"email": GUEST}]})
        guest.patch(event["id"], {"extendedProperties": {"private": {"theirs": "1"}}})
        _, token = guest.listing()
        host.patch(event["id"], {"attendees": []})
        assert [(item["id"], item["status"]) for item in guest.delta(token)] == [(event["id"], "cancelled")]
        host.patch(event["id"], {"attendees": [{"email": GUEST}], "summary": "Again"})
        copy = guest.get(event["id"])
        assert (copy["status"], copy["summary"]) == ("confirmed", "Again")
        assert copy["extendedProperties"] == {"private": {"theirs": "1"}}

    def test_deleting_cancels_the_copies_and_undeleting_brings_them_back(self, host: Target, guest: Target) -> None:
        """A tombstone in the guest's delta, then the copy as it was."""
        event = invitation(host)
        answer(guest, event["id"], "tentative")
        _, token = guest.listing()
        host.delete(event["id"])
        assert [(item["id"], item["status"]) for item in guest.delta(token)] == [(event["id"], "cancelled")]
        # What the guest does to the tombstone does not make it one that he removed.
        guest.patch(event["id"], {"colorId": "4"})
        host.patch(event["id"], {"status": "confirmed"})
        copy = guest.get(event["id"])
        assert copy["status"] == "confirmed"
        assert answers(copy) == {GUEST: "tentative"}


class TestTheGuest:
    @pytest.mark.parametrize("response", ["accepted", "tentative", "declined"])
    def test_an_answer_reaches_the_organizer(self, host: Target, guest: Target, response: str) -> None:
        """A change of the organizer's event too, in his delta."""
        event = invitation(host)
        _, token = host.listing()
        answer(guest, event["id"], response)
        assert [(item["id"], answers(item)) for item in host.delta(token)] == [(event["id"], {GUEST: response})]
        answer(guest, event["id"], "needsAction")
        assert answers(host.get(event["id"])) == {GUEST: "needsAction"}

    def test_own_fields_stay_with_the_copy(self, host: Target, guest: Target) -> None:
        """The organizer's event does not change with them."""
        event = invitation(host)
        _, token = host.listing()
        guest.patch(event["id"], {"colorId": "4", "visibility": "private", "reminders": {"useDefault": False}})
        assert host.delta(token) == []
        assert host.get(event["id"])["etag"] == event["etag"]

    @pytest.mark.parametrize(
        "change",
        [{"summary": "x"}, {"location": "x"}, {"extendedProperties": {"shared": {"x": "y"}}}, {"attendees": []}],
        ids=lambda change: next(iter(change)),
    )
    def test_what_is_shared_is_the_organizers(self, host: Target, guest: Target, change: dict[str, Any]) -> None:
        """403 for everybody else, and nothing changes."""
        event = invitation(host, GUEST, "nobody@elsewhere.example")
        assert refused(lambda: guest.patch(event["id"], change)) == FORBIDDEN
        assert host.get(event["id"]) == event

    def test_some_guests_may_change_what_is_shared(self, host: Target, guest: Target) -> None:
        """With guestsCanModify the change is everybody's; private things still are not."""
        event = invitation(host, guestsCanModify=True, extendedProperties={"private": {"mine": "1"}}, colorId="3")
        guest.patch(event["id"], {"summary": "Mine now", "extendedProperties": {"private": {"theirs": "2"}}})
        now = host.get(event["id"])
        assert (now["summary"], now["colorId"]) == ("Mine now", "3")
        assert now["extendedProperties"] == {"private": {"mine": "1"}}
        assert answers(now) == {GUEST: "needsAction"}

    def test_removing_the_copy_declines(self, host: Target, guest: Target) -> None:
        """Gone from the guest's calendar only, and the organizer reads it as a no."""
        event = invitation(host)
        guest.delete(event["id"])
        now = host.get(event["id"])
        assert (now["status"], answers(now)) == ("confirmed", {GUEST: "declined"})
        host.patch(event["id"], {"summary": "Changed"})
        assert guest.get(event["id"])["status"] == "cancelled"

    @pytest.mark.open_point
    def test_a_removed_copy_can_be_taken_back(self, host: Target, guest: Target) -> None:
        """Documented as possible, not how: the simulator makes it the event as it is now, the answer as it was."""
        event = invitation(host)
        guest.patch(event["id"], {"extendedProperties": {"private": {"theirs": "1"}}})
        answer(guest, event["id"], "accepted")
        guest.delete(event["id"])
        host.patch(event["id"], {"summary": "Changed"})
        guest.patch(event["id"], {"status": "confirmed"})
        copy = guest.get(event["id"])
        assert (copy["status"], copy["summary"]) == ("confirmed", "Changed")
        assert copy["extendedProperties"] == {"private": {"theirs": "1"}}
        assert answers(host.get(event["id"])) == answers(copy) == {GUEST: "accepted"}

    def test_a_copy_that_is_taken_back_does_not_undo_what_it_missed(self, host: Target, guest: Target) -> None:
        """Not even where guests may change what is shared."""
        event = invitation(host, guestsCanModify=True)
        guest.delete(event["id"])
        host.patch(event["id"], {"summary": "Changed"})
        guest.patch(event["id"], {"status": "confirmed"})
        assert host.get(event["id"])["summary"] == guest.get(event["id"])["summary"] == "Changed"

    @pytest.mark.open_point
    def test_a_cancelled_event_is_not_taken_back_by_a_guest(self, host: Target, guest: Target) -> None:
        """Not documented: the simulator answers as to any change of what is the organizer's."""
        cancelled, uninvited = invitation(host), invitation(host)
        host.delete(cancelled["id"])
        host.patch(uninvited["id"], {"attendees": []})
        for event in (cancelled, uninvited):
            assert refused(lambda event=event: guest.patch(event["id"], {"status": "confirmed"})) == FORBIDDEN
            assert guest.get(event["id"])["status"] == "cancelled"


def test_an_answer_reaches_the_other_guests(host: Target, guest: Target) -> None:
    """All copies have the same list, on which each has his own entry."""
    simulator = host.simulated
    third = f"{new_id()}@example.com"
    simulator.add_account(third)
    event = invitation(host, GUEST, third)
    answer(guest, event["id"], "accepted")
    seen = simulator.person(third).event(event["id"])
    assert answers(seen) == {GUEST: "accepted", third: "needsAction"}
    assert [person["email"] for person in seen["attendees"] if person.get("self")] == [third]


def test_a_guests_copy_is_revived_where_its_tombstone_is_gone(host: Target, guest: Target) -> None:
    """The id was used before, by this very event."""
    event = invitation(host)
    host.patch(event["id"], {"attendees": []})
    host.simulated.evict_tombstones(GUEST)
    assert refused(lambda: guest.get(event["id"])) == (404, "notFound")
    host.patch(event["id"], {"attendees": [{"email": GUEST}]})
    assert guest.get(event["id"])["status"] == "confirmed"


def test_an_own_event_of_the_guest_under_the_same_id_is_left_alone(host: Target, guest: Target) -> None:
    """Clients may use one id in many calendars; the invitation then comes under another."""
    own = guest.insert(id=new_id(), summary="Own")
    event = invitation(host, id=own["id"])
    assert guest.get(own["id"]) == own
    (copy,) = [item for item in guest.page(iCalUID=event["iCalUID"])["items"] if item["id"] != own["id"]]
    host.patch(event["id"], {"summary": "Follows all the same"})
    assert guest.get(copy["id"])["summary"] == "Follows all the same"
