"""What a person does to series in Google's own page: this event, this and following, all events."""

import datetime as dt
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from local.google.person import Person
from local.google.server import GoogleSimulator
from tests.contract.google_target import ACCOUNT, an_hour
from tests.unit.local_google.conftest import call

BERLIN = {"timeZone": "Europe/Berlin"}
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
FIRST, SECOND, THIRD, FOURTH = (f"202706{day}T080000Z" for day in ("01", "08", "15", "22"))
BERT = "bert@example.com"


@pytest.fixture
def anna(google: GoogleSimulator) -> Person:
    return google.person(ACCOUNT)


def a_series(anna: Person, rule: str = "FREQ=WEEKLY;COUNT=4", **fields: Any) -> str:
    return str(anna.insert(**an_hour(**BERLIN), summary="Class", recurrence=[f"RRULE:{rule}"], **fields)["id"])


def whole_days(anna: Person, rule: str, **fields: Any) -> str:
    days = {"start": {"date": "2027-06-01"}, "end": {"date": "2027-06-02"}}
    return str(anna.insert(**days, recurrence=[f"RRULE:{rule}"], **fields)["id"])


def starts(anna: Person, event_id: str) -> list[str]:
    """Day of June and hour in Berlin, such as ``01T10``; of whole days the day alone."""
    times = [event["start"] for event in anna.instances(event_id)]
    return [(time.get("dateTime") or time["date"]).removeprefix("2027-06-")[:5].removesuffix(":") for time in times]


def test_this_event_alone(anna: Person) -> None:
    series = a_series(anna)
    anna.edit(f"{series}_{SECOND}", summary="Special")
    anna.move(f"{series}_{THIRD}", 2 * HOUR)
    anna.delete("primary", f"{series}_{FOURTH}")
    found = [(event["summary"], event["start"]["dateTime"]) for event in anna.instances(series)]
    assert found == [
        ("Class", "2027-06-01T10:00:00+02:00"),
        ("Special", "2027-06-08T10:00:00+02:00"),
        ("Class", "2027-06-15T12:00:00+02:00"),
    ]
    assert len(anna.events()) == 4


def test_following_splits_a_series_by_its_count(anna: Person) -> None:
    """The new one is all that the old one was, private properties and guests included."""
    properties = {"private": {"mine": "1"}, "shared": {"ours": "2"}}
    series = a_series(anna, extendedProperties=properties, attendees=[{"email": BERT}], colorId="3")
    new = anna.edit(f"{series}_{THIRD}", "following", summary="New teacher")
    assert new["id"] == f"{series}_R20270615T080000"
    assert (new["summary"], new["extendedProperties"], new["colorId"]) == ("New teacher", properties, "3")
    assert [guest["email"] for guest in new["attendees"]] == [BERT]
    assert new["iCalUID"] == f"{new['id']}@google.com"
    assert new["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=2"]
    assert anna.event(series)["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=2"]
    assert (starts(anna, series), starts(anna, new["id"])) == (["01T10", "08T10"], ["15T10", "22T10"])
    assert new["start"] == {"dateTime": "2027-06-15T10:00:00+02:00"} | BERLIN


def test_following_trims_a_series_by_until(anna: Person) -> None:
    series = a_series(anna, "FREQ=WEEKLY;UNTIL=20270622T215959Z")
    new = anna.move(f"{series}_{THIRD}", 2 * HOUR, "following")
    assert anna.event(series)["recurrence"] == ["RRULE:FREQ=WEEKLY;UNTIL=20270615T075959Z"]
    assert new["recurrence"] == ["RRULE:FREQ=WEEKLY;UNTIL=20270622T235959Z"]
    assert (starts(anna, series), starts(anna, new["id"])) == (["01T10", "08T10"], ["15T12", "22T12"])


def test_following_of_whole_days_ends_the_day_before(anna: Person) -> None:
    series = whole_days(anna, "FREQ=DAILY;UNTIL=20270605")
    new = anna.edit(f"{series}_20270603", "following", summary="Rest")
    assert anna.event(series)["recurrence"] == ["RRULE:FREQ=DAILY;UNTIL=20270602"]
    assert (new["id"], new["recurrence"]) == (f"{series}_R20270603", ["RRULE:FREQ=DAILY;UNTIL=20270605"])
    assert (starts(anna, series), starts(anna, new["id"])) == (["01", "02"], ["03", "04", "05"])


def test_following_shares_out_the_single_dates(anna: Person) -> None:
    lines = ["RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20270608T080000Z,20270622T080000Z", "RDATE:20270602T080000Z"]
    series = anna.insert(**an_hour(**BERLIN), recurrence=lines)["id"]
    new = anna.edit(f"{series}_{THIRD}", "following", summary="Rest")
    # A date that is left out counts all the same.
    assert anna.event(series)["recurrence"] == [
        "RRULE:FREQ=WEEKLY;COUNT=2",
        "EXDATE:20270608T080000Z",
        "RDATE:20270602T080000Z",
    ]
    assert new["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=2", "EXDATE:20270622T080000Z"]


def test_a_split_series_can_be_split_again(anna: Person) -> None:
    series = a_series(anna)
    new = anna.edit(f"{series}_{SECOND}", "following", summary="Second")
    newer = anna.edit(f"{new['id']}_{FOURTH}", "following", summary="Fourth")
    assert newer["id"] == f"{series}_R20270622T080000"
    assert [len(anna.instances(one)) for one in (series, new["id"], newer["id"])] == [1, 2, 1]


def test_instances_of_a_split_series_may_not_tell_it(google: GoogleSimulator, anna: Person) -> None:
    google.behaviour.split_series_share_instance_ids = True
    series = a_series(anna)
    new = anna.edit(f"{series}_{SECOND}", "following", summary="Second")
    instance = anna.event(f"{series}_{THIRD}")
    assert (instance["recurringEventId"], instance["summary"]) == (new["id"], "Second")
    assert [event["id"] for event in anna.instances(new["id"])] == [
        f"{series}_{stamp}" for stamp in (SECOND, THIRD, FOURTH)
    ]
    assert anna.edit(instance["id"], summary="Third")["recurringEventId"] == new["id"]
    assert anna.event(f"{series}_{FIRST}")["recurringEventId"] == series


@pytest.mark.parametrize("scope", ["all", "following"])
def test_all_events_move_as_far_as_the_one_that_is_moved(anna: Person, scope: Any) -> None:
    """Following from the first one on is all; and all is all, from whichever it is done."""
    series = a_series(anna)
    at = {"all": THIRD, "following": FIRST}[scope]
    moved = anna.move(f"{series}_{at}", 3 * HOUR, scope)
    assert moved["id"] == series
    assert starts(anna, series) == ["01T13", "08T13", "15T13", "22T13"]


def test_all_events_take_the_length_of_the_one_that_is_changed(anna: Person) -> None:
    series = a_series(anna)
    end = {"dateTime": "2027-06-15T12:30:00", "timeZone": "Europe/Berlin"}
    changed = anna.edit(f"{series}_{THIRD}", "all", end=end, summary="Longer")
    assert changed["start"]["dateTime"] == "2027-06-01T10:00:00+02:00"
    assert (changed["end"]["dateTime"], changed["summary"]) == ("2027-06-01T12:30:00+02:00", "Longer")


@pytest.mark.parametrize(
    ("rule", "moved"),
    [
        ("FREQ=WEEKLY;BYDAY=TU;COUNT=3", "FREQ=WEEKLY;BYDAY=TH;COUNT=3"),
        ("FREQ=WEEKLY;BYDAY=TU,SA;COUNT=3", "FREQ=WEEKLY;BYDAY=TH,MO;COUNT=3"),
        ("FREQ=MONTHLY;BYDAY=1TU;COUNT=3", "FREQ=MONTHLY;BYDAY=1TH;COUNT=3"),
        ("FREQ=MONTHLY;BYMONTHDAY=1;COUNT=3", "FREQ=MONTHLY;BYMONTHDAY=3;COUNT=3"),
        ("FREQ=YEARLY;BYMONTH=6;COUNT=3", "FREQ=YEARLY;BYMONTH=6;COUNT=3"),
        ("FREQ=WEEKLY;UNTIL=20270620T080000Z", "FREQ=WEEKLY;UNTIL=20270622T080000Z"),
    ],
)
def test_a_rule_moves_with_its_days(anna: Person, rule: str, moved: str) -> None:
    series = a_series(anna, rule)
    before = len(anna.instances(series))
    anna.move(f"{series}_{FIRST}", 2 * DAY, "all")
    assert anna.event(series)["recurrence"] == [f"RRULE:{moved}"]
    assert len(anna.instances(series)) == before


def test_a_rule_that_no_shift_of_days_bears_is_left_alone(anna: Person) -> None:
    series = a_series(anna, "FREQ=MONTHLY;BYDAY=-1TU,1TU;COUNT=3")
    with pytest.raises(ValueError, match="BYDAY"):
        anna.move(f"{series}_{FIRST}", DAY, "all")


def test_a_series_can_become_one_of_whole_days(anna: Person) -> None:
    """Exceptions are carried along by their days."""
    series = a_series(anna)
    anna.edit(f"{series}_{THIRD}", summary="Special")
    days = {"start": {"date": "2027-06-09"}, "end": {"date": "2027-06-10"}}
    anna.edit(f"{series}_{SECOND}", "all", **days)
    assert [event["start"] for event in anna.instances(series)][:2] == [{"date": "2027-06-02"}, {"date": "2027-06-09"}]
    special = anna.event(f"{series}_20270616")
    assert (special["summary"], special["originalStartTime"]) == ("Special", {"date": "2027-06-16"})
    assert special["start"] == {"dateTime": "2027-06-15T10:00:00+02:00"} | BERLIN


@pytest.mark.parametrize(
    ("scope", "left"), [("this", ["01T10", "08T10", "22T10"]), ("following", ["01T10", "08T10"]), ("all", None)]
)
def test_deleting(anna: Person, scope: Any, left: list[str] | None) -> None:
    series = a_series(anna)
    anna.delete("primary", f"{series}_{THIRD}", scope)
    if left is None:
        assert anna.event(series)["status"] == "cancelled"
    else:
        assert starts(anna, series) == left


def test_deleting_the_first_and_following_deletes_all(anna: Person) -> None:
    series = a_series(anna)
    anna.delete("primary", f"{series}_{FIRST}", "following")
    assert anna.event(series)["status"] == "cancelled"


def test_a_left_out_instance_is_restored_from_the_bin(anna: Person) -> None:
    series = a_series(anna)
    anna.delete("primary", f"{series}_{SECOND}")
    assert [event["id"] for event in anna.bin()] == [f"{series}_{SECOND}"]
    anna.restore(f"{series}_{SECOND}")
    assert starts(anna, series) == ["01T10", "08T10", "15T10", "22T10"]


def test_the_id_of_a_split_series_is_googles_alone_to_give(api: Any, anna: Person) -> None:
    own_id = "abcde_R20270601T080000"
    with pytest.raises(HttpError, match="Invalid resource id"):
        api.events().insert(calendarId="primary", body=an_hour() | {"id": own_id}).execute()
    assert anna.insert(id=own_id, **an_hour())["id"] == own_id


def test_of_a_series_without_an_end_so_much_is_shown(google: GoogleSimulator, anna: Person) -> None:
    """An exception is shown in any case; and with a bound, whatever is before it."""
    series = a_series(anna, "FREQ=YEARLY")
    years = [f"{year}0601T080000Z" for year in range(2027, 2060)]
    anna.edit(f"{series}_{years[20]}", summary="Special")
    shown = [event["id"].rpartition("_")[2] for event in anna.instances(series)]
    assert shown == [*[year for year in years if year in shown and year != years[20]], years[20]]
    assert len(shown) < 20
    path = f"calendars/primary/events/{series}/instances?timeMax=2057-01-01T00:00:00Z"
    page = call(google, google.ui_token(ACCOUNT), "GET", path).json()
    assert [item["id"].rpartition("_")[2] for item in page["items"]] == years[:30]


def test_a_calendars_new_zone_changes_no_event(google: GoogleSimulator, anna: Person) -> None:
    """Series, exceptions and days left out are written in it, and are what and when they were."""
    series = a_series(anna)
    anna.edit(f"{series}_{SECOND}", summary="Special")
    anna.delete("primary", f"{series}_{THIRD}")
    token = google.ui_token(ACCOUNT)
    sync_token = call(google, token, "GET", "calendars/primary/events").json()["nextSyncToken"]
    before = {event["id"]: event for event in anna.instances(series)}
    google.set_time_zone(ACCOUNT, "America/New_York")
    delta = call(google, token, "GET", f"calendars/primary/events?syncToken={sync_token}").json()
    assert (delta["items"], delta["timeZone"]) == ([], "America/New_York")
    after = {event["id"]: event for event in anna.instances(series)}
    assert after.keys() == before.keys()
    special = after[f"{series}_{SECOND}"]
    assert special["originalStartTime"] == {"dateTime": "2027-06-08T04:00:00-04:00"} | BERLIN
    for event_id, event in after.items():
        assert event["etag"] == before[event_id]["etag"]
        for name in ("start", "end", "originalStartTime"):
            old, new = (dt.datetime.fromisoformat(one[event_id][name]["dateTime"]) for one in (before, after))
            assert (old, old.isoformat()) != (new, new.isoformat())
            assert old == new
    assert anna.event(f"{series}_{THIRD}")["originalStartTime"]["dateTime"] == "2027-06-15T04:00:00-04:00"
