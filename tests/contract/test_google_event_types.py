"""Types of events at Google Calendar: the simulated one always, the real one with ``--google=real``.

Status events exist in primary calendars of some plans only, so these cases run at the simulated Google.
"""

from typing import Any

import pytest

from tests.contract.google_target import ACCOUNT, Target, an_hour, ids, new_id, refused

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

DAY = {"start": {"date": "2027-06-01"}, "end": {"date": "2027-06-02"}}
YEARLY = ["RRULE:FREQ=YEARLY"]
SHOWN = {"visibility": "public", "transparency": "transparent"}
COMPLETE: dict[str, dict[str, Any]] = {
    "focusTime": an_hour() | {"focusTimeProperties": {"autoDeclineMode": "declineNone", "chatStatus": "doNotDisturb"}},
    "outOfOffice": an_hour() | {"outOfOfficeProperties": {"declineMessage": "Away"}},
    "workingLocation": DAY | SHOWN | {"workingLocationProperties": {"type": "homeOffice", "homeOffice": {}}},
    "birthday": DAY | {"visibility": "private", "transparency": "transparent", "recurrence": YEARLY},
}


@pytest.fixture
def primary(google: Target) -> Target:
    """An account's own calendar, as it was left by the case before."""
    assert google.simulated
    google.calendar_id = ACCOUNT
    return google


def insert(google: Target, event_type: str, **fields: Any) -> dict[str, Any]:
    return google.insert(COMPLETE.get(event_type, {}) | fields, eventType=event_type)


class TestCreation:
    @pytest.mark.parametrize("event_type", COMPLETE)
    def test_with_what_it_needs(self, primary: Target, event_type: str) -> None:
        """The type, and what is said about it, come back as sent."""
        event = insert(primary, event_type)
        assert event["eventType"] == event_type
        assert {name: event[name] for name in COMPLETE[event_type] if name.endswith("Properties")} == {
            name: value for name, value in COMPLETE[event_type].items() if name.endswith("Properties")
        }

    @pytest.mark.parametrize(
        ("event_type", "lacking"),
        [
            ("focusTime", {"focusTimeProperties": None}),
            ("focusTime", DAY),
            ("outOfOffice", {"transparency": "transparent"}),
            ("workingLocation", {"visibility": "default"}),
            ("workingLocation", {"transparency": "opaque"}),
            ("workingLocation", {"end": {"date": "2027-06-03"}}),
            ("workingLocation", {"workingLocationProperties": None}),
            ("birthday", {"recurrence": []}),
            ("birthday", {"visibility": "default"}),
            ("birthday", {"end": {"date": "2027-06-03"}}),
            ("birthday", {"birthdayProperties": {"type": "anniversary"}}),
            ("birthday", {"birthdayProperties": {"contact": "people/c1"}}),
            ("birthday", {"start": {"date": "2028-02-29"}, "end": {"date": "2028-03-01"}}),
            ("fromGmail", an_hour()),
        ],
        ids=str,
    )
    def test_without_it_is_refused(self, primary: Target, event_type: str, lacking: dict[str, Any]) -> None:
        """Documented as required; 400 is the simulator's word for it."""
        assert refused(lambda: insert(primary, event_type, **lacking)) == (400, "invalid")

    @pytest.mark.parametrize("event_type", ["focusTime", "outOfOffice", "workingLocation"])
    def test_a_status_belongs_to_a_person(self, google: Target, event_type: str) -> None:
        """To the primary calendar, that is."""
        assert google.simulated
        assert refused(lambda: insert(google, event_type)) == (400, "invalid")

    def test_a_birthday_on_the_leap_day_has_a_rule_of_its_own(self, primary: Target) -> None:
        """The last day of February, wherever there is no 29th."""
        day = {"start": {"date": "2028-02-29"}, "end": {"date": "2028-03-01"}}
        rule = ["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"]
        assert insert(primary, "birthday", recurrence=rule, **day)["recurrence"] == rule

    @pytest.mark.parametrize("event_type", COMPLETE)
    def test_the_type_stays(self, primary: Target, event_type: str) -> None:
        """It cannot be changed, and what it needs cannot be taken away."""
        event = insert(primary, event_type)
        assert refused(lambda: primary.patch(event["id"], {"eventType": "default"})) == (400, "invalid")
        assert primary.patch(event["id"], {"summary": "x"})["eventType"] == event_type
        transparency = "transparent" if event.get("transparency") != "transparent" else "opaque"
        assert refused(lambda: primary.patch(event["id"], {"transparency": transparency})) == (400, "invalid")


class TestFilter:
    def test_a_listing_by_type_has_only_these(self, primary: Target) -> None:
        """The parameter can be repeated."""
        made = {kind: insert(primary, kind)["id"] for kind in COMPLETE}
        made["fromGmail"] = primary.simulated.receive_event(
            ACCOUNT, "flights@example.com", eventType="fromGmail", iCalUID=new_id(), **an_hour()
        )["id"]
        made["default"] = primary.insert()["id"]
        one = set(ids(primary.listing(eventTypes="focusTime")[0])) & set(made.values())
        two = set(ids(primary.listing(eventTypes=["default", "fromGmail"])[0])) & set(made.values())
        assert one == {made["focusTime"]}
        assert two == {made["default"], made["fromGmail"]}
        assert set(made.values()) <= set(ids(primary.listing()[0]))

    def test_a_delta_goes_on_with_the_types_of_the_listing(self, primary: Target) -> None:
        """Deletions of other types are not in it either."""
        focus, default = insert(primary, "focusTime"), primary.insert()
        _, token = primary.listing(eventTypes=["default", "birthday"])
        primary.delete(focus["id"])
        primary.delete(default["id"])
        insert(primary, "outOfOffice")
        added = primary.insert()
        delta = primary.delta(token, eventTypes=["birthday", "default"])
        assert ids(delta) == [default["id"], added["id"]]

    def test_a_delta_repeats_the_types(self, primary: Target) -> None:
        """They are part of what the token stands for: leaving them out, or others, is undefined, so refused here."""
        _, token = primary.listing(eventTypes="default")
        for query in ({}, {"eventTypes": "birthday"}, {"eventTypes": ["default", "birthday"]}):
            assert refused(lambda query=query: primary.delta(token, **query)) == (400, "badRequest")
