"""What Google does not document about series: each thing that it may do is a switch."""

import datetime as dt
from typing import Any

import pytest

from local.google.behaviour import Behaviour
from local.google.errors import ApiError
from local.google.person import Person
from local.google.server import GoogleSimulator
from tests.contract.google_target import ACCOUNT, an_hour
from tests.unit.local_google.conftest import call

DAY = dt.timedelta(days=1)
BERLIN = {"timeZone": "Europe/Berlin"}
FIRST, SECOND, THIRD, FOURTH = (f"202706{day}T080000Z" for day in ("01", "08", "15", "22"))
# An hour later.
MOVED = {
    "start": {"dateTime": "2027-06-01T11:00:00+02:00"} | BERLIN,
    "end": {"dateTime": "2027-06-01T12:00:00+02:00"} | BERLIN,
}
TRIMMED = ["RRULE:FREQ=WEEKLY;COUNT=2"]


class Studio:
    """Anna's calendar with a weekly series of four, its second changed and its third left out; and deltas."""

    def __init__(self, google: GoogleSimulator) -> None:
        self.google = google
        self.behaviour: Behaviour = google.behaviour
        self.anna: Person = google.person(ACCOUNT)
        self._token = google.ui_token(ACCOUNT)
        rule = ["RRULE:FREQ=WEEKLY;COUNT=4"]
        self.series = self.anna.insert(**an_hour(**BERLIN), summary="Class", location="Here", recurrence=rule)["id"]
        self.anna.edit(self.id(SECOND), summary="Special")
        self.anna.delete("primary", self.id(THIRD))
        self.delta()

    def id(self, stamp: str) -> str:
        return f"{self.series}_{stamp}"

    def change(self, **fields: Any) -> None:
        self.anna.patch("primary", self.series, **fields)

    def delta(self) -> dict[str, str]:
        """Status by stamp since the last call; of the series by an empty one. Everything the first time."""
        query = f"syncToken={self._sync_token}" if hasattr(self, "_sync_token") else "maxResults=250"
        page = call(self.google, self._token, "GET", f"calendars/primary/events?{query}").json()
        self._sync_token = page["nextSyncToken"]
        return {item["id"].removeprefix(self.series).removeprefix("_"): item["status"] for item in page["items"]}

    def seen(self, stamp: str) -> str:
        """``special``, ``ordinary``, ``cancelled``, or the status of a refusal."""
        try:
            event = self.anna.event(self.id(stamp))
        except ApiError as error:
            return str(error.status)
        if event["status"] == "cancelled":
            return "cancelled"
        return {"Special": "special", "Class": "ordinary"}[event["summary"]]


@pytest.fixture
def studio(google: GoogleSimulator) -> Studio:
    return Studio(google)


@pytest.mark.parametrize("of_its_own", [True, False])
def test_instances_have_the_etag_of_their_series_or_not(studio: Studio, of_its_own: bool) -> None:
    studio.behaviour.instance_etags_of_their_own = of_its_own
    etags = [studio.anna.event(one)["etag"] for one in (studio.series, studio.id(FIRST), studio.id(FOURTH))]
    assert len(set(etags)) == (3 if of_its_own else 1)
    assert studio.anna.event(studio.id(FIRST))["etag"] == etags[1]
    path = f"calendars/primary/events/{studio.id(FIRST)}"
    headers = {"If-Match": etags[1]}
    token = studio.google.ui_token(ACCOUNT)
    assert call(studio.google, token, "PATCH", path, json={"summary": "x"}, headers=headers).status_code == 200


@pytest.mark.parametrize("touches", [True, False])
def test_an_exception_is_a_change_of_its_series_or_not(studio: Studio, touches: bool) -> None:
    studio.behaviour.exceptions_touch_their_series = touches
    before = studio.anna.event(studio.series)
    studio.anna.edit(studio.id(FOURTH), summary="Special")
    studio.anna.delete("primary", studio.id(FIRST))
    after = studio.anna.event(studio.series)
    assert (after["etag"] != before["etag"]) is touches
    assert ("" in studio.delta()) is touches
    assert {name for name in after if after[name] != before[name]} <= {"etag", "updated"}


@pytest.mark.parametrize("inherit", [True, False])
def test_an_exception_follows_its_series_in_what_it_has_from_it_or_not(studio: Studio, inherit: bool) -> None:
    studio.behaviour.exceptions_inherit = inherit
    studio.change(location="There", summary="New name")
    special = studio.anna.event(studio.id(SECOND))
    assert (special["summary"], special["location"]) == ("Special", "There" if inherit else "Here")
    assert studio.delta().keys() == {"", *([SECOND] if inherit else [])}
    studio.change(colorId="3")
    assert studio.delta().keys() == {"", *([SECOND] if inherit else [])}
    studio.change(reminders={"useDefault": True})
    assert SECOND not in studio.delta()


@pytest.mark.parametrize("inherit", [True, False])
def test_the_times_of_an_exception_follow_only_if_they_were_as_its_series_had_them(
    studio: Studio, inherit: bool
) -> None:
    studio.behaviour.exceptions_inherit = inherit
    studio.anna.edit(studio.id(FOURTH), summary="Special", end={"dateTime": "2027-06-22T12:00:00+02:00"})
    studio.change(**MOVED)
    second, fourth = (studio.anna.event(studio.id(f"202706{day}T090000Z")) for day in ("08", "22"))
    assert second["start"]["dateTime"] == f"2027-06-08T{11 if inherit else 10}:00:00+02:00"
    assert second["originalStartTime"]["dateTime"] == "2027-06-08T11:00:00+02:00"
    assert fourth["start"]["dateTime"] == "2027-06-22T10:00:00+02:00"
    token = studio.google.ui_token(ACCOUNT)
    page = call(studio.google, token, "GET", "calendars/primary/events?timeMin=2027-06-08T09:30:00Z").json()
    assert (second["id"] in [item["id"] for item in page["items"]]) is inherit


@pytest.mark.parametrize(
    ("fate", "old", "new", "delta"),
    [
        (
            "rekeyed",
            ["cancelled", "cancelled"],
            ["special", "cancelled"],
            {
                "08T080000Z": "cancelled",
                "15T080000Z": "cancelled",
                "08T090000Z": "confirmed",
                "15T090000Z": "cancelled",
            },
        ),
        ("kept", ["special", "cancelled"], ["ordinary", "ordinary"], {}),
        (
            "dropped",
            ["cancelled", "cancelled"],
            ["ordinary", "ordinary"],
            {"08T080000Z": "cancelled", "15T080000Z": "cancelled"},
        ),
        ("forgotten", ["404", "404"], ["ordinary", "ordinary"], {}),
    ],
    ids=["rekeyed", "kept", "dropped", "forgotten"],
)
def test_the_exceptions_of_a_moved_series(
    studio: Studio, fate: Any, old: list[str], new: list[str], delta: dict[str, str]
) -> None:
    studio.behaviour.exceptions_of_a_moved_series = fate
    studio.change(**MOVED)
    assert studio.delta() == {"": "confirmed"} | {f"202706{stamp}": status for stamp, status in delta.items()}
    assert [studio.seen(stamp) for stamp in (SECOND, THIRD)] == old
    assert [studio.seen(f"202706{day}T090000Z") for day in ("08", "15")] == new
    assert [studio.seen(stamp) for stamp in (FIRST, FOURTH)] == ["404", "404"]


@pytest.mark.parametrize(
    ("fate", "second", "delta"),
    [
        # From the 8th to the 9th, and from the 15th to the 16th: both are days of the series before and after.
        ("rekeyed", ["ordinary", "special", "ordinary", "cancelled"], {"08": "confirmed", "15": "confirmed"}),
        ("dropped", ["ordinary", "ordinary", "ordinary", "ordinary"], {"08": "confirmed", "15": "confirmed"}),
        ("forgotten", ["ordinary", "ordinary", "ordinary", "ordinary"], {}),
        ("kept", ["special", "ordinary", "cancelled", "ordinary"], {}),
    ],
    ids=["rekeyed", "dropped", "forgotten", "kept"],
)
def test_a_slot_that_an_exception_leaves_may_be_one_of_the_moved_series(
    google: GoogleSimulator, fate: Any, second: list[str], delta: dict[str, str]
) -> None:
    studio = Studio(google)
    studio.change(recurrence=["RRULE:FREQ=DAILY;COUNT=22"])
    studio.delta()
    studio.behaviour.exceptions_of_a_moved_series = fate
    later = {name: {"dateTime": value["dateTime"].replace("-01T11", "-02T10").replace("-01T12", "-02T11")} | BERLIN
             for name, value in MOVED.items()}  # fmt: skip
    studio.change(**later)
    assert [studio.seen(f"202706{day}T080000Z") for day in ("08", "09", "15", "16")] == second
    shown = {stamp[6:8]: status for stamp, status in studio.delta().items() if stamp}
    placed = {"09": "confirmed", "16": "cancelled"} if fate == "rekeyed" else {}
    assert shown == delta | placed


def test_exceptions_move_into_the_places_of_each_other(google: GoogleSimulator) -> None:
    studio = Studio(google)
    studio.change(recurrence=["RRULE:FREQ=DAILY;COUNT=22"])
    studio.anna.edit(studio.id("20270616T080000Z"), summary="Special")
    studio.delta()
    studio.anna.move(studio.series, 7 * DAY + DAY)
    assert [studio.seen(f"202706{day}T080000Z") for day in ("15", "16", "23", "24")] == [
        "ordinary",
        "special",
        "cancelled",
        "special",
    ]


@pytest.mark.parametrize(
    ("fate", "seen", "delta"),
    [
        ("dropped", ["cancelled", "cancelled"], {THIRD: "cancelled", FOURTH: "cancelled"}),
        ("kept", ["cancelled", "special"], {}),
        ("forgotten", ["404", "404"], {}),
    ],
    ids=["dropped", "kept", "forgotten"],
)
def test_the_exceptions_beyond_the_end_of_a_trimmed_series(
    studio: Studio, fate: Any, seen: list[str], delta: dict[str, str]
) -> None:
    studio.behaviour.exceptions_beyond_the_end = fate
    studio.anna.edit(studio.id(FOURTH), summary="Special")
    studio.delta()
    studio.change(recurrence=TRIMMED)
    assert studio.delta() == {"": "confirmed"} | delta
    assert [studio.seen(stamp) for stamp in (THIRD, FOURTH)] == seen
    assert studio.seen(SECOND) == "special"
    listed = {event["id"] for event in studio.anna.events()}
    kept = {studio.id(THIRD), studio.id(FOURTH)} if fate == "kept" else set()
    assert listed == {studio.series, studio.id(SECOND)} | kept


def test_what_was_kept_without_a_slot_is_left_alone_by_what_follows(studio: Studio) -> None:
    studio.behaviour.exceptions_beyond_the_end = "kept"
    studio.anna.edit(studio.id(FOURTH), summary="Special")
    studio.change(recurrence=TRIMMED)
    studio.behaviour.exceptions_beyond_the_end = "dropped"
    studio.delta()
    studio.change(summary="New name")
    studio.change(**MOVED)
    assert studio.seen(FOURTH) == "special"
    assert FOURTH not in studio.delta()
    assert FOURTH in [event["id"].rpartition("_")[2] for event in studio.anna.instances(studio.series)]


def test_an_ordinary_instance_in_the_place_of_an_exception_is_not_listed(google: GoogleSimulator) -> None:
    studio = Studio(google)
    studio.change(recurrence=["RRULE:FREQ=DAILY;COUNT=22"])
    studio.anna.move(studio.series, DAY)
    listed = {event["id"] for event in studio.anna.events() if event["status"] != "cancelled"}
    assert listed == {studio.series, studio.id("20270609T080000Z")}
    assert studio.seen(SECOND) == "ordinary"
    studio.anna.edit(studio.id(SECOND), summary="Special")
    assert studio.seen(SECOND) == "special"


def test_a_series_that_is_long_again_has_ordinary_instances_where_exceptions_were_dropped(studio: Studio) -> None:
    studio.change(recurrence=TRIMMED)
    studio.change(recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])
    assert [studio.seen(stamp) for stamp in (SECOND, THIRD, FOURTH)] == ["special", "ordinary", "ordinary"]
    assert THIRD not in studio.delta()


@pytest.mark.parametrize("with_series", [True, False])
def test_a_deleted_series_shows_its_exceptions_in_the_delta_or_not(studio: Studio, with_series: bool) -> None:
    studio.behaviour.exception_tombstones_with_series = with_series
    studio.anna.delete("primary", studio.series)
    assert studio.delta() == {"": "cancelled"} | ({SECOND: "cancelled"} if with_series else {})
    assert studio.seen(SECOND) == "cancelled"


@pytest.mark.parametrize(("outlive", "seen"), [(True, "cancelled"), (False, "404")])
def test_instances_of_a_deleted_series_can_be_fetched_or_not(studio: Studio, outlive: bool, seen: str) -> None:
    studio.behaviour.instances_outlive_their_series = outlive
    studio.anna.delete("primary", studio.series)
    assert [studio.seen(stamp) for stamp in (FIRST, SECOND, THIRD)] == [seen] * 3
    assert studio.seen("20270602T080000Z") == "404"


@pytest.mark.parametrize(("come_back", "seen"), [(True, ["special", "cancelled"]), (False, ["ordinary", "ordinary"])])
def test_a_restored_series_has_its_exceptions_again_or_none(studio: Studio, come_back: bool, seen: list[str]) -> None:
    studio.behaviour.exceptions_return = come_back
    studio.anna.delete("primary", studio.series)
    studio.delta()
    studio.anna.restore(studio.series)
    assert [studio.seen(stamp) for stamp in (SECOND, THIRD)] == seen
    assert studio.delta() == {"": "confirmed"} | ({SECOND: "confirmed"} if come_back else {})


def test_a_series_can_be_restored_and_moved_at_once(studio: Studio) -> None:
    studio.anna.delete("primary", studio.series)
    studio.change(status="confirmed", **MOVED)
    assert [studio.seen(f"202706{day}T090000Z") for day in ("08", "15", "22")] == ["special", "cancelled", "ordinary"]


@pytest.mark.parametrize(("by_the_wall", "end"), [(True, "07:00:00+01:00"), (False, "06:00:00+01:00")])
def test_a_night_in_which_the_clock_changes_ends_by_the_clock_or_by_its_length(
    studio: Studio, by_the_wall: bool, end: str
) -> None:
    studio.behaviour.instances_end_by_the_wall_clock = by_the_wall
    night = {
        "start": {"dateTime": "2027-10-29T23:00:00"} | BERLIN,
        "end": {"dateTime": "2027-10-30T07:00:00"} | BERLIN,
    }
    event = studio.anna.insert(**night, recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    assert [one["end"]["dateTime"] for one in studio.anna.instances(event["id"])] == [
        "2027-10-30T07:00:00+02:00",
        f"2027-10-31T{end}",
        "2027-11-01T07:00:00+01:00",
    ]


@pytest.mark.parametrize(("includes", "count"), [(True, 2), (False, 1)])
def test_a_day_as_the_end_of_a_rule_includes_that_day_or_not(studio: Studio, includes: bool, count: int) -> None:
    studio.behaviour.until_date_includes_its_day = includes
    studio.change(recurrence=["RRULE:FREQ=WEEKLY;UNTIL=20270608"])
    assert len(studio.anna.instances(studio.series)) == count


@pytest.mark.parametrize(("outlives", "seen"), [(True, "ordinary"), (False, "404")])
def test_a_series_that_ends_before_it_begins_happens_once_or_never(studio: Studio, outlives: bool, seen: str) -> None:
    studio.behaviour.start_outlives_until = outlives
    studio.change(recurrence=["RRULE:FREQ=WEEKLY;UNTIL=20270531T000000Z"])
    assert (studio.seen(FIRST), len(studio.anna.instances(studio.series))) == (seen, int(outlives))
