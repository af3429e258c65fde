"""Series with guests, and their exceptions. Needs a second account: the simulated Google only, so far."""

from typing import Any

import pytest

from tests.contract.google_target import ACCOUNT, GUEST, Target, an_hour, ids, new_id, refused

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

BERLIN = {"timeZone": "Europe/Berlin"}
FIRST, SECOND, THIRD, FOURTH = (f"202706{day}T080000Z" for day in ("01", "08", "15", "22"))
GUESTS = [{"email": GUEST}]
LATER = {
    "start": {"dateTime": "2027-06-08T15:00:00+02:00"} | BERLIN,
    "end": {"dateTime": "2027-06-08T16:30:00+02:00"} | BERLIN,
}


@pytest.fixture(params=["primary", "secondary"])
def host(google: Target, request: pytest.FixtureRequest) -> Target:
    if request.param == "primary":
        assert google.simulated
        google.calendar_id = ACCOUNT
    return google


@pytest.fixture
def guest(google: Target) -> Target:
    return google.guest


def weekly(host: Target, **fields: Any) -> dict[str, Any]:
    rule = ["RRULE:FREQ=WEEKLY;COUNT=4"]
    return host.insert(an_hour(**BERLIN), summary="Class", recurrence=rule, **fields)


def nth(master: dict[str, Any], stamp: str) -> str:
    return f"{master['id']}_{stamp}"


def answers(event: dict[str, Any]) -> dict[str, str]:
    return {guest["email"]: guest["responseStatus"] for guest in event.get("attendees", [])}


def answer(guest: Target, event_id: str, response: str) -> None:
    guests = [
        person | {"responseStatus": response} if person.get("self") else person
        for person in guest.get(event_id)["attendees"]
    ]
    guest.patch(event_id, {"attendees": guests})


def of(master: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The series' entries, by stamp."""
    return {
        item["id"].removeprefix(master["id"]).removeprefix("_"): item for item in items if master["id"] in item["id"]
    }


class TestGuestsOfASeries:
    def test_an_exception_reaches_them_as_one(self, host: Target, guest: Target) -> None:
        """Under the same id, in the guest's delta, and the series' copy does not change."""
        master = weekly(host, attendees=GUESTS)
        copy, (_, token) = guest.get(master["id"]), guest.listing()
        changed = host.patch(nth(master, SECOND), {"summary": "Special", **LATER})
        delta = of(master, guest.delta(token))
        assert delta.keys() == {SECOND}
        found = delta[SECOND]
        assert (found["summary"], found["recurringEventId"]) == ("Special", master["id"])
        assert found["originalStartTime"] == {"dateTime": "2027-06-08T09:00:00+01:00"} | BERLIN
        assert found["start"] == {"dateTime": "2027-06-08T14:00:00+01:00"} | BERLIN
        assert found["sequence"] == changed["sequence"]
        assert guest.get(master["id"]) == copy

    def test_one_that_is_left_out_is_left_out_of_the_copies(self, host: Target, guest: Target) -> None:
        """And back, with what was the guest's own."""
        master = weekly(host, attendees=GUESTS)
        guest.patch(nth(master, SECOND), {"colorId": "5"})
        _, token = guest.listing()
        host.delete(nth(master, SECOND))
        assert {stamp: item["status"] for stamp, item in of(master, guest.delta(token)).items()} == {
            SECOND: "cancelled"
        }
        assert len(guest.instances(master["id"])) == 3
        host.patch(nth(master, SECOND), {"status": "confirmed"})
        back = guest.get(nth(master, SECOND))
        assert (back["status"], back["colorId"]) == ("confirmed", "5")

    @pytest.mark.parametrize("response", ["accepted", "declined"])
    def test_an_answer_to_one_instance_is_to_that_one(self, host: Target, guest: Target, response: str) -> None:
        """An exception in both calendars."""
        master = weekly(host, attendees=GUESTS)
        answer(guest, nth(master, SECOND), response)
        assert answers(host.get(nth(master, SECOND))) == {GUEST: response}
        assert answers(host.get(nth(master, THIRD))) == answers(host.get(master["id"])) == {GUEST: "needsAction"}
        assert answers(guest.get(nth(master, THIRD))) == {GUEST: "needsAction"}

    def test_a_guest_removes_one_instance(self, host: Target, guest: Target) -> None:
        """Gone from his calendar for good, declined in the organizer's; the series stays."""
        master = weekly(host, attendees=GUESTS)
        guest.delete(nth(master, SECOND))
        assert answers(host.get(nth(master, SECOND))) == {GUEST: "declined"}
        assert host.get(nth(master, SECOND))["status"] == "confirmed"
        host.patch(nth(master, SECOND), {"summary": "Special"})
        assert guest.get(nth(master, SECOND))["status"] == "cancelled"
        assert ids(guest.instances(master["id"])) == [nth(master, stamp) for stamp in (FIRST, THIRD, FOURTH)]

    def test_a_guest_is_taken_off_one_instance(self, host: Target, guest: Target) -> None:
        """Left out of his series alone."""
        master = weekly(host, attendees=GUESTS)
        host.patch(nth(master, SECOND), {"attendees": []})
        assert guest.get(nth(master, SECOND))["status"] == "cancelled"
        assert guest.get(master["id"])["status"] == "confirmed"

    def test_what_is_shared_of_an_instance_is_the_organizers(self, host: Target, guest: Target) -> None:
        """403, and no exception comes of it."""
        master = weekly(host, attendees=GUESTS)
        wanted = (403, "forbiddenForNonOrganizer")
        assert refused(lambda: guest.patch(nth(master, SECOND), {"summary": "x"})) == wanted
        assert of(master, guest.listing()[0]).keys() == {""}

    def test_a_moved_series_moves_the_exceptions_of_all_copies(self, host: Target, guest: Target) -> None:
        """Each calendar's exceptions, with what is its own."""
        master = weekly(host, attendees=GUESTS)
        host.patch(nth(master, SECOND), {"summary": "Special"})
        guest.patch(nth(master, SECOND), {"colorId": "5"})
        guest.delete(nth(master, THIRD))
        host.patch(
            master["id"],
            {
                "start": {"dateTime": "2027-06-01T11:00:00+02:00"} | BERLIN,
                "end": {"dateTime": "2027-06-01T12:00:00+02:00"} | BERLIN,
            },
        )
        live = {"", "20270608T090000Z", "20270615T090000Z"}
        assert of(master, guest.listing()[0]).keys() == of(master, host.listing()[0]).keys() == live
        copy = guest.get(nth(master, "20270608T090000Z"))
        assert (copy["summary"], copy["colorId"]) == ("Special", "5")
        assert guest.get(nth(master, "20270615T090000Z"))["status"] == "cancelled"
        assert answers(host.get(nth(master, "20270615T090000Z"))) == {GUEST: "declined"}

    def test_a_deleted_series_is_deleted_everywhere(self, host: Target, guest: Target) -> None:
        """With its exceptions; and restored with them."""
        master = weekly(host, attendees=GUESTS)
        host.patch(nth(master, SECOND), {"summary": "Special"})
        host.delete(master["id"])
        assert of(master, guest.listing()[0]) == {}
        assert guest.get(nth(master, SECOND))["status"] == "cancelled"
        host.patch(master["id"], {"status": "confirmed"})
        assert guest.get(nth(master, SECOND))["summary"] == "Special"

    def test_a_guest_who_removed_the_series_is_not_told_of_its_exceptions(self, host: Target, guest: Target) -> None:
        """He declined them all."""
        master = weekly(host, attendees=GUESTS)
        guest.delete(master["id"])
        host.patch(nth(master, SECOND), {"summary": "Special"})
        host.delete(nth(master, THIRD))
        host.patch(nth(master, THIRD), {"status": "confirmed"})
        assert of(master, guest.listing()[0]) == {}


class TestGuestsOfOneInstance:
    def test_they_have_that_instance_and_no_series(self, host: Target, guest: Target) -> None:
        """It names a series that is not there."""
        master = weekly(host)
        _, token = guest.listing()
        host.patch(nth(master, SECOND), {"attendees": GUESTS})
        (copy,) = guest.delta(token)
        assert (copy["id"], copy["recurringEventId"]) == (nth(master, SECOND), master["id"])
        assert copy["originalStartTime"] == {"dateTime": "2027-06-08T09:00:00+01:00"} | BERLIN
        assert copy["iCalUID"] == master["iCalUID"]
        assert refused(lambda: guest.get(master["id"])) == (404, "notFound")
        assert refused(lambda: guest.get(nth(master, THIRD))) == (404, "notFound")

    def test_it_is_an_event_like_others(self, host: Target, guest: Target) -> None:
        """It follows, is answered, removed for good, and is no part of a series that would keep its tombstone."""
        master = weekly(host)
        host.patch(nth(master, SECOND), {"attendees": GUESTS})
        host.patch(nth(master, SECOND), {"summary": "Special"})
        assert guest.get(nth(master, SECOND))["summary"] == "Special"
        answer(guest, nth(master, SECOND), "accepted")
        assert answers(host.get(nth(master, SECOND))) == {GUEST: "accepted"}
        guest.patch(nth(master, SECOND), {"colorId": "4"})
        guest.delete(nth(master, SECOND))
        assert answers(host.get(nth(master, SECOND))) == {GUEST: "declined"}
        assert of(master, guest.listing()[0]) == {}

    def test_it_ends_with_its_series(self, host: Target, guest: Target) -> None:
        """Which the guest never saw."""
        master = weekly(host)
        host.patch(nth(master, SECOND), {"attendees": GUESTS})
        _, token = guest.listing()
        host.delete(master["id"])
        assert [(item["id"], item["status"]) for item in guest.delta(token)] == [(nth(master, SECOND), "cancelled")]
        host.patch(master["id"], {"status": "confirmed"})
        assert guest.get(nth(master, SECOND))["status"] == "confirmed"

    def test_it_moves_with_its_series(self, host: Target, guest: Target) -> None:
        """Deleted under the old id, and there under the new one."""
        master = weekly(host)
        host.patch(nth(master, SECOND), {"attendees": GUESTS})
        host.patch(
            master["id"],
            {
                "start": {"dateTime": "2027-06-01T11:00:00+02:00"} | BERLIN,
                "end": {"dateTime": "2027-06-01T12:00:00+02:00"} | BERLIN,
            },
        )
        assert of(master, guest.listing()[0]).keys() == {"20270608T090000Z"}
        assert guest.get(nth(master, SECOND))["status"] == "cancelled"

    def test_invited_to_the_rest_too_it_is_an_exception_of_that(self, host: Target, guest: Target) -> None:
        """The series comes, and takes the instance that was there in."""
        master = weekly(host)
        host.patch(nth(master, SECOND), {"attendees": GUESTS, "summary": "Special"})
        host.patch(master["id"], {"attendees": GUESTS})
        assert of(master, guest.listing()[0]).keys() == {"", SECOND}
        assert [item["summary"] for item in guest.instances(master["id"])] == ["Class", "Special", "Class", "Class"]


def test_a_series_under_another_id_has_its_exceptions_under_that(host: Target, guest: Target) -> None:
    """Where the guest has an event of his own under the id."""
    own = guest.insert(id=new_id(), summary="Own")
    master = weekly(host, id=own["id"], attendees=GUESTS)
    (copy,) = [item for item in guest.page(iCalUID=master["iCalUID"])["items"] if item["id"] != own["id"]]
    host.patch(nth(master, SECOND), {"summary": "Special"})
    assert guest.get(nth(copy, SECOND))["summary"] == "Special"
    assert refused(lambda: guest.get(nth(master, SECOND))) == (404, "notFound")
