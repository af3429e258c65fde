"""Edited on both sides at once (B6): unit by unit, and what loses is kept in the log."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shared.domain.content import UNITS
from tests.end_to_end.coming_to_rest import synced, writes
from tests.soak import few
from tests.world import World, days, google_span, span

FIRST, END = days(4, 5)
DAY: dict[str, Any] = {"start": {"date": FIRST, "dateTime": None}, "end": {"date": END, "dateTime": None}}


class Kind(msgspec.Struct, frozen=True):
    """One unit edited to two different values: the studio's fields, the calendar's, and what each is in the log."""

    unit: str
    studio: dict[str, Any]
    calendar: dict[str, Any]


# Two values only have no third: a clash needs one side to say what the other does not, and both differ from before.
KINDS = {
    "title": Kind("title", {"title": "Studio's"}, {"summary": "Calendar's"}),
    "description": Kind("description", {"description": "Studio's"}, {"description": "Calendar's"}),
    "location": Kind("location", {"location": "Studio's"}, {"location": "Calendar's"}),
    "emptied": Kind("description", {"description": ""}, {"description": "Calendar's"}),
    "when": Kind("when", span(8), google_span(9)),
    "start against end": Kind("when", {"start": span(2)["start"]}, {"end": google_span(3, lasting=3)["end"]}),
    "whole day": Kind("when", {"all_day": True, "start_date": FIRST, "end_date": END}, google_span(9)),
    "whole day there": Kind("when", span(8), DAY),
}


@pytest.fixture
def ann(make_world: Callable[..., World], policy: str) -> World:
    """Ann with one shoot, in step, in a studio with that policy."""
    world = make_world(sync={"clash_policy": policy})
    world.book("shoot", title="Shoot", description="Lamp", location="Hall", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    return world


policies = pytest.mark.parametrize("policy", ["studio", "google", "latest"])
studios_policy = pytest.mark.parametrize("policy", ["studio"])


@few
@policies
@pytest.mark.parametrize("first", ["studio", "calendar"])
def test_a_clash_goes_where_the_policy_says_and_the_loser_is_in_the_log(ann: World, policy: str, first: str) -> None:
    """One shoot for each kind, all edited at once."""
    for kind in KINDS:
        ann.book(kind, title=kind, description="Lamp", location="Hall", user_ids=["ann"], **span(3))
    ann.sync()
    event_ids = {one: link["event_id"] for one, link in ann.below("ann", "links").items()}
    before = {kind: held(ann, event_ids[kind], kind) for kind in KINDS}
    last = "calendar" if first == "studio" else "studio"
    for side in (first, last):
        for kind, case in KINDS.items():
            if side == "studio":
                ann.edit(kind, **case.studio)
            else:
                ann.person("ann").patch("primary", event_ids[kind], **case.calendar)
    edited = {kind: held(ann, event_ids[kind], kind) for kind in KINDS}
    ann.sync()
    winner = {"studio": "studio", "google": "calendar", "latest": last}[policy]
    lost = {entry["appointment_id"]: entry["lost"] for entry in ann.log("ann") if entry["lost"]}
    for kind, case in KINDS.items():
        ours, theirs = edited[kind]
        here, there = held(ann, event_ids[kind], kind)
        expected, losing = (ours, theirs) if winner == "studio" else (theirs, ours)
        assert here == there == before[kind][0] | {case.unit: expected[case.unit]}, kind
        [loser] = lost[kind]
        assert (loser["unit"], loser["side"]) == (case.unit, "calendar" if winner == "studio" else "studio"), kind
        assert expected[case.unit] != losing[case.unit]
        if case.unit != "when":
            assert loser["value"] == losing[case.unit]
        else:
            assert loser["value"].replace("Z", "+00:00").split("/") == list(losing["when"])
    rests(ann)


@few
@policies
@pytest.mark.parametrize("unit", ["status", "busy", "private"])
def test_units_with_two_values_never_clash_and_take_whichever_change_was_made(
    ann: World, policy: str, unit: str
) -> None:
    changes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "status": ({"status": "tentative"}, {"status": "tentative"}),
        "busy": ({"busy": False}, {"transparency": "transparent"}),
        "private": ({"private": True}, {"visibility": "private"}),
    }
    event_id = str(ann.events("ann")[0]["id"])
    ann.edit("shoot", **changes[unit][0])
    ann.person("ann").patch("primary", event_id, **changes[unit][1], location="Park")
    ann.sync()
    here, there = held(ann, event_id, "shoot")
    assert here == there
    assert here[unit] == {"status": "tentative", "busy": False, "private": True}[unit]
    assert here["location"] == "Park"
    assert [loser for entry in ann.log("ann") for loser in entry["lost"]] == []
    rests(ann)


@policies
def test_every_unit_edited_on_one_side_or_the_other_survives(ann: World, policy: str) -> None:
    event_id = str(ann.events("ann")[0]["id"])
    ann.edit("shoot", title="Studio's", busy=False, **span(8))
    changed = {"description": "Calendar's", "location": "Calendar's", "status": "tentative", "visibility": "private"}
    ann.person("ann").patch("primary", event_id, **changed)
    ann.sync()
    here, there = held(ann, event_id, "shoot")
    assert here == there
    texts = ("Studio's", "Calendar's", "Calendar's")
    assert (here["title"], here["description"], here["location"]) == texts
    assert (here["status"], here["busy"], here["private"]) == ("tentative", False, True)
    assert here["when"] == of_studio(ann.appointments()["shoot"] | span(8))["when"]
    assert set(here) == set(UNITS)
    rests(ann)


@policies
def test_both_edited_to_the_same_is_no_clash(ann: World, policy: str) -> None:
    event_id = str(ann.events("ann")[0]["id"])
    ann.edit("shoot", title="The same", **span(8))
    ann.person("ann").patch("primary", event_id, summary=" The same ", **google_span(8))
    ann.cloud.google.clear_requests()
    ann.sync()
    assert [loser for entry in ann.log("ann") for loser in entry["lost"]] == []
    assert "calendar.events.patch" not in {one.method_id for one in ann.cloud.google.requests}
    assert ann.appointments()["shoot"]["title"] == "The same"
    rests(ann)


@policies
def test_clashing_again_and_again_each_time_the_policy_decides(ann: World, policy: str) -> None:
    event_id = str(ann.events("ann")[0]["id"])
    for turn in range(3):
        ann.edit("shoot", title=f"Studio's {turn}")
        ann.person("ann").patch("primary", event_id, summary=f"Calendar's {turn}")
        ann.sync()
        winner = f"Studio's {turn}" if policy == "studio" else f"Calendar's {turn}"
        assert ann.titles("ann") == [winner] == [ann.appointments()["shoot"]["title"]]
    assert len([loser for entry in ann.log("ann") for loser in entry["lost"]]) == 3
    rests(ann)


# --- the appointment leaves the studio -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "first", "deed"),
    [
        ("studio", "calendar", "cancelled"),
        ("google", "studio", "cancelled"),
        ("google", "calendar", "erased"),
        ("latest", "calendar", "cancelled"),
        ("latest", "studio", "erased"),
    ],
)
def test_a_cancellation_in_the_studio_wins_over_an_edit_in_the_calendar_which_is_kept_in_the_log(
    ann: World, policy: str, first: str, deed: str
) -> None:
    event_id = str(ann.events("ann")[0]["id"])
    if first == "calendar":
        ann.person("ann").patch("primary", event_id, summary="Calendar's", **google_span(9))
    if deed == "cancelled":
        ann.edit("shoot", status="cancelled")
    else:
        ann.erase("shoot")
    if first == "studio":
        ann.person("ann").patch("primary", event_id, summary="Calendar's", **google_span(9))
    ann.sync()
    assert ann.events("ann") == []
    assert ann.appointments().get("shoot", {}).get("status") == ("cancelled" if deed == "cancelled" else None)
    lost = {loser["unit"]: loser for entry in ann.log("ann") for loser in entry["lost"]}
    assert (lost["title"]["side"], lost["title"]["value"]) == ("calendar", "Calendar's")
    assert lost["when"]["side"] == "calendar"
    [entry] = [entry for entry in ann.log("ann") if entry["calendar"] == "delete"]
    assert entry["calendar_before"]["title"] == "Calendar's", "what stood there can be put back"
    rests(ann)


@studios_policy
def test_the_studios_own_last_edit_is_in_the_document_that_it_cancels(ann: World) -> None:
    ann.edit("shoot", title="Edited and cancelled", status="cancelled")
    ann.sync()
    assert ann.events("ann") == []
    assert ann.appointments()["shoot"]["title"] == "Edited and cancelled"
    ann.edit("shoot", status="confirmed")
    ann.sync()
    assert ann.titles("ann") == ["Edited and cancelled"]
    rests(ann)


@pytest.mark.parametrize(("policy", "first"), [("studio", "calendar"), ("google", "studio"), ("latest", "calendar")])
def test_reassigned_with_an_edit_pending_in_the_calendar_the_edit_goes_with_the_appointment(
    ann: World, policy: str, first: str
) -> None:
    ann.join("ben")
    ann.sync("ben")
    event_id = str(ann.events("ann")[0]["id"])
    if first == "calendar":
        ann.person("ann").patch("primary", event_id, location="Park", **google_span(9))
    ann.edit("shoot", user_ids=["ben"], title="Studio's")
    if first == "studio":
        ann.person("ann").patch("primary", event_id, location="Park", **google_span(9))
    synced(ann)
    assert ann.events("ann") == []
    [event] = ann.events("ben")
    assert (event["summary"], event["location"]) == ("Studio's", "Park")
    shoot = ann.appointments()["shoot"]
    assert (shoot["title"], shoot["location"], shoot["start"]) == ("Studio's", "Park", span(9)["start"])
    assert shoot["user_ids"] == ["ben"]
    rests(ann)


@policies
def test_reassigned_with_a_clash_the_policy_decides_and_the_loser_is_in_the_log(ann: World, policy: str) -> None:
    ann.join("ben")
    ann.sync("ben")
    event_id = str(ann.events("ann")[0]["id"])
    ann.edit("shoot", user_ids=["ben"], title="Studio's")
    ann.person("ann").patch("primary", event_id, summary="Calendar's")
    synced(ann)
    winner, loser = ("Studio's", "Calendar's") if policy == "studio" else ("Calendar's", "Studio's")
    assert (ann.titles("ann"), ann.titles("ben")) == ([], [winner])
    assert ann.appointments()["shoot"]["title"] == winner
    assert loser in {one["value"] for entry in ann.log("ann") for one in entry["lost"]}
    rests(ann)


@studios_policy
def test_erased_while_a_deletion_of_the_calendar_waits_it_is_gone_on_both_sides(ann: World) -> None:
    ann.person("ann").delete("primary", ann.events("ann")[0]["id"])
    ann.erase("shoot")
    ann.sync()
    assert (ann.events("ann"), ann.appointments(), ann.below("ann", "outbox")) == ([], {}, {})
    assert ann.below("ann", "links")["shoot"]["state"] == "gone"
    rests(ann)


@policies
def test_two_users_edit_their_copies_at_once_and_all_three_agree_in_the_end(ann: World, policy: str) -> None:
    ann.join("ben")
    ann.edit("shoot", user_ids=["ann", "ben"])
    synced(ann)
    for user_id in ("ann", "ben"):
        [event] = ann.events(user_id)
        ann.person(user_id).patch("primary", event["id"], summary=f"{user_id}'s", **{
            "ann": {"location": "Ann's place"}, "ben": {"description": "Ben's text"},
        }[user_id])  # fmt: skip
    synced(ann)
    shoot = ann.appointments()["shoot"]
    assert (shoot["location"], shoot["description"]) == ("Ann's place", "Ben's text")
    assert shoot["title"] in {"ann's", "ben's"}
    for user_id in ("ann", "ben"):
        [event] = ann.events(user_id)
        found = (event["summary"], event["location"], event["description"])
        assert found == (shoot["title"], "Ann's place", "Ben's text")
    other = "ben's" if shoot["title"] == "ann's" else "ann's"
    logs = [*ann.log("ann"), *ann.log("ben")]
    assert other in {one["value"] for entry in logs for one in entry["lost"]}
    rests(ann)


# --- common ----------------------------------------------------------------------------------------------------------


def held(world: World, event_id: str, appointment_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The units of an appointment, as the studio and as the calendar hold it."""
    document = world.front_end.appointment(appointment_id)
    assert document is not None
    return of_studio(document), of_calendar(world.person("ann").event(event_id))


def of_studio(document: dict[str, Any]) -> dict[str, Any]:
    when = (
        (document["start_date"], document["end_date"])
        if document.get("all_day")
        else tuple(document[name].isoformat() for name in ("start", "end"))
    )
    texts = {name: document.get(name) or "" for name in ("title", "description", "location")}
    return texts | {
        "when": when,
        "status": document["status"],
        "busy": document.get("busy", True),
        "private": document.get("private", False),
    }


def of_calendar(event: dict[str, Any]) -> dict[str, Any]:
    """In the studio's words."""
    ends = (event["start"], event["end"])
    return {
        "title": event.get("summary", ""),
        "description": event.get("description", ""),
        "location": event.get("location", ""),
        "when": tuple(end.get("date") or utc(end["dateTime"]) for end in ends),
        "status": event["status"],
        "busy": event.get("transparency") != "transparent",
        "private": event.get("visibility") == "private",
    }


def utc(text: str) -> str:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC).isoformat()


def rests(world: World) -> None:
    """Both sides agree: further runs write nothing, also where the trigger tells of everything again."""
    for one in world.appointments():
        world.trigger(one, None)
    before = world.picture()
    before["outbox"] = {user_id: [] for user_id in world.connections}
    world.cloud.google.clear_requests()
    synced(world)
    assert world.picture() == before
    assert writes(world) == []
