"""What a preview says is what the populate then does; and it changes nothing."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from commands.preview import NOT_FOUND_OUT, NOTHING, TOLD
from commands.preview import main as command
from local.wiretap import Wiretap
from shared.domain.reasons import Reason
from shared.services.preview import Preview, preview
from tests.end_to_end.switching import second_calendar, switch
from tests.snapshot import Snapshot
from tests.world import STUDIO, World, days, google_span, span

Lines = dict[tuple[str, str, str, str], int]


def of(world: World, **boxes: bool) -> Preview:
    store, calendars = world.wiring.store, world.wiring.calendars
    return preview(STUDIO, "ann", store=store, calendars=calendars, clock=world.clock, **boxes)


def lines(told: Preview) -> Lines:
    return {(one.direction, one.deed, one.form, one.reason.value): one.number for one in told.counts}


def number(told: Preview, *, deeds: set[str], direction: str | None = None) -> int:
    return sum(one.number for one in told.counts if one.deed in deeds and direction in {None, one.direction})


def nothing_changed(world: World, tap: Wiretap, look: Callable[[], Preview]) -> Preview:
    """What a look told, once it is certain that it left no trace."""
    before = Snapshot(world)
    tap.reset()
    told = look()
    counted = tap.summary()
    assert counted["document_writes"] == 0
    assert {call.method.partition(" ")[0] for call in tap.calls if call.service == "google"} <= {"GET", "POST"}
    assert Snapshot(world).different(before) <= {"tokens"}, "but for the time when one was used last"
    return told


# --- worlds: each is made before Ann ticks a box ---------------------------------------------------------------------


def fresh(world: World) -> Lines:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.book("fair", title="Fair", user_ids=["ann"], all_day=True, start_date=days(2, 4)[0], end_date=days(2, 4)[1])
    world.book("off", title="Off", user_ids=["ann"], status="cancelled", **span(5))
    world.book("bobs", title="Bob's", user_ids=["bob"], **span(5))
    world.join("ann")
    world.types("ann", summary="Dentist", **google_span(9))
    return {
        ("to_calendar", "enter", "single", "created_in_studio"): 2,
        ("to_calendar", "leave_out", "single", "cancelled_in_studio"): 1,
        ("to_studio", "enter", "single", "created_in_calendar"): 1,
    }


def doubles(world: World) -> Lines:
    """The same typed twice: once on each side, or twice on one."""
    world.firestore.document(f"studios/{STUDIO}/clients/smith").set({"given_name": "Ann", "family_name": "Smith"})
    world.book("one", title="Shoot", user_ids=["ann"], **span(3))
    world.book("two", title="Newborn", client_id="smith", user_ids=["ann"], **span(6))
    world.book("three", title="Viewing", user_ids=["ann"], **span(9))
    world.join("ann")
    world.types("ann", summary="shoot!", location="Studio 2", **google_span(3))
    world.types("ann", summary="Shoot", **google_span(3))
    world.types("ann", summary="Ann Smith", **google_span(6))
    world.types("ann", summary="Call with the lab", **google_span(9))
    return {
        ("both", "pair", "single", "matched"): 2,
        ("to_calendar", "ask", "single", "doubtful"): 1,
        ("to_studio", "ask", "single", "doubtful"): 1,
    }


def half_done(world: World) -> Lines:
    """Populated once, one way; since then more on both sides."""
    world.book("old", title="Old", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    world.book("new", title="New", user_ids=["ann"], **span(5))
    world.sync()
    world.front_end.edit("old", title="Old, edited")  # Its trigger is lost.
    world.types("ann", summary="Dentist", **google_span(9))
    return {("both", "keep", "single", "agreed"): 1, ("to_calendar", "change", "single", "changed_in_studio"): 1}


def left_out(world: World) -> Lines:
    """Out of the window, tentative, private; and what does not fit."""
    world.book("past", title="Past", user_ids=["ann"], **span(-24 * 120))
    world.book("odd", title="Odd", user_ids=["ann"], **{**span(3), "end": "tomorrow"})
    world.book("often", title="Often", user_ids=["ann"], recurrence=["RRULE:FREQ=SECONDLY"], **span(4))
    world.join("ann")
    world.types("ann", summary="Perhaps", status="tentative", **google_span(6))
    world.types("ann", summary="Doctor Miller", visibility="private", **google_span(7))
    return {
        ("to_studio", "leave_out", "single", "tentative"): 1,
        ("to_calendar", "park", "series", "unsupported_rule"): 1,
        ("to_studio", "enter", "single", "created_in_calendar"): 1,
    }


def repeating(world: World) -> Lines:
    """Series on both sides, each with an occurrence that was moved, and one that was cancelled."""
    weekly = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"], "time_zone": "Europe/Berlin"}
    world.book("course", title="Course", user_ids=["ann"], **weekly, **span(48))
    slot = span(48 + 7 * 24)["start"]
    moved = {"series_id": "course", "original_start": slot, "title": "Course, later"}
    world.book(f"course_{slot:%Y%m%dT%H%M%SZ}", **moved, **span(50 + 7 * 24))
    slot = span(48 + 14 * 24)["start"]
    gone = {"series_id": "course", "original_start": slot, "status": "cancelled"}
    world.book(f"course_{slot:%Y%m%dT%H%M%SZ}", **gone, **span(48 + 14 * 24))
    world.join("ann")
    yoga = world.types("ann", summary="Yoga", recurrence=["RRULE:FREQ=DAILY;COUNT=5"], **zoned(52))
    instances = world.person("ann").instances(yoga)
    world.person("ann").patch("primary", instances[1]["id"], summary="Yoga in the park")
    world.person("ann").delete("primary", instances[2]["id"])
    return {
        ("to_calendar", "enter", "series", "created_in_studio"): 1,
        ("to_studio", "enter", "series", "created_in_calendar"): 1,
    }


def elsewhere(world: World) -> Lines:
    """Populated in another calendar, which she has left since."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    switch(world, second_calendar(world))
    return {("to_calendar", "enter", "single", "created_in_studio"): 1}


def zoned(hours: float) -> dict[str, Any]:
    return {name: {**end, "timeZone": "Europe/Berlin"} for name, end in google_span(hours).items()}


WORLDS = {
    "fresh": fresh,
    "doubles": doubles,
    "half_done": half_done,
    "left_out": left_out,
    "repeating": repeating,
    "elsewhere": elsewhere,
}


@pytest.mark.parametrize("made", WORLDS.values(), ids=WORLDS)
def test_what_it_says_is_what_the_populate_does(world: World, tap: Wiretap, made: Callable[[World], Lines]) -> None:
    expected = made(world)
    told = nothing_changed(world, tap, lambda: of(world))
    assert lines(told).items() >= expected.items()
    ids, log = standing(world), logged(world)
    world.front_end.set_up("ann", populate_calendar=True, populate_studio=True)
    world.wish("ann")
    world.run("ann")
    assert logged(world) - log == said(told)
    # As people see it, whatever any log says.
    known = [*world.below("ann", "links").values(), *world.below("ann", "parked").values()]
    met = {one["event_id"] for one in known}
    assert number(told, deeds={"enter"}, direction="to_calendar") == len(standing(world) - ids)
    assert number(told, deeds={"leave_out"}, direction="to_studio") == len(ids - met)
    assert number(told, deeds={"park", "ask"}) == len(world.below("ann", "parked"))
    again = of(world)
    assert {one.deed for one in again.counts} <= {"keep", "leave_out", "park", "ask"}, "what is done is in step"


def standing(world: World) -> set[str]:
    """Ids of the events in the calendar that Ann syncs with, a series counting once."""
    events = world.person("ann").events(world.connection("ann").calendar_id)
    return {event["id"] for event in events if "recurringEventId" not in event}


def said(told: Preview) -> Counter[tuple[str, str, str]]:
    """What a preview says of whatever is stored, in the words of `logged`."""
    result: Counter[tuple[str, str, str]] = Counter()
    for one in told.counts:
        if one.deed in {"ask", "park"}:
            result["neither", "park", one.reason.value] += one.number
        elif one.deed not in {"keep", "leave_out"}:
            result[one.direction, one.deed, one.reason.value] += one.number
    return result


def logged(world: World) -> Counter[tuple[str, str, str]]:
    """What the runs' log says was done, in a preview's words."""
    return Counter(_deed(entry) for entry in world.log("ann"))


def _deed(entry: dict[str, Any]) -> tuple[str, str, str]:
    calendar, studio, reason = entry["calendar"], entry["studio"], entry["reason"]
    match calendar, studio:
        case _ if reason == Reason.MATCHED:
            return "both", "pair", reason
        case ("insert" | "restore", _):
            return "to_calendar", "enter", reason
        case (_, "create"):
            return "to_studio", "enter", reason
        case ("delete", _):
            return "to_calendar", "remove", reason
        case (_, "cancel"):
            return "to_studio", "remove", reason
        case ("patch", None):
            return "to_calendar", "change", reason
        case (None, "update"):
            return "to_studio", "change", reason
        case _:
            return "neither", "park", reason


# --- what else it says -----------------------------------------------------------------------------------------------


def test_what_may_be_one_entry_is_shown_with_both_sides(world: World) -> None:
    doubles(world)
    told = of(world)
    [one] = told.suspects
    assert told.suspected == 1
    assert (one.studio.id, one.studio.title, one.calendar.title) == ("three", "Viewing", "Call with the lab")
    assert one.studio.start == one.calendar.start == span(9)["start"]


def test_the_text_of_a_private_entry_is_not_shown(world: World) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann")
    world.types("ann", summary="Doctor Miller", visibility="private", **google_span(3))
    [one] = of(world).suspects
    assert (one.calendar.title, one.calendar.hidden) == ("", True)
    assert "Miller" not in str(of(world))
    world.front_end.set_up("ann", private_details=True)
    [one] = of(world).suspects
    assert (one.calendar.title, one.calendar.hidden) == ("Doctor Miller", False)


def test_one_direction_says_nothing_of_the_other(world: World) -> None:
    fresh(world)
    told = of(world, calendar=True)
    assert (told.calendar, told.studio) == (True, False)
    assert number(told, deeds={"enter"}, direction="to_calendar") == 2
    world.front_end.set_up("ann", populate_studio=True)
    told = of(world)
    assert (told.calendar, told.studio) == (False, True), "what is ticked"
    assert number(told, deeds={"enter"}, direction="to_calendar") == 0


def test_calls_and_minutes_are_what_the_populate_takes(world: World, tap: Wiretap) -> None:
    world.front_end.book_many({f"s{n}": {"title": f"S{n}", "user_ids": ["ann"], **span(3 + n)} for n in range(60)})
    world.join("ann")
    told = of(world)
    assert (told.reads.calls, told.writes.calls, told.writes.requests) == (1, 60, 2)
    assert told.minutes == 0.1
    world.front_end.set_up("ann", populate_calendar=True, populate_studio=True)
    world.wish("ann")
    tap.reset()
    world.run("ann")
    methods = tap.summary()["methods"]
    assert methods["google POST /batch/calendar/v3"] == told.writes.requests
    assert methods["google GET /calendar/v3/calendars/{}/events"] == told.reads.requests


def test_who_does_not_sync_is_told_why(world: World) -> None:
    world.add("ann")
    assert of(world).reason is Reason.NOT_CONNECTED
    world.connect("ann")
    world.set_studio(edition="express")
    assert of(world).reason is Reason.EDITION


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_says_it_in_words_and_as_json(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    doubles(world)
    monkeypatch.setattr("commands.preview.wiring.wired", lambda: world.wiring)
    assert command(["--studio", STUDIO, "--user", "ann"]) == TOLD
    shown = capsys.readouterr().out
    assert shown.startswith("To populate calendar and studio, from ")
    for part in ("     2  found on both sides: paired\n", "studio    Viewing\n", "calendar  Call with the lab\n"):
        assert part in shown
    assert command(["--studio", STUDIO, "--user", "ann", "--populate-studio", "--json"]) == TOLD
    told = json.loads(capsys.readouterr().out)
    assert (told["calendar"], told["studio"], told["suspected"]) == (False, True, 1)
    assert command(["--studio", STUDIO, "--user", "nobody"]) == NOTHING
    said = capsys.readouterr().out
    assert said.startswith("user_gone – ")
    assert said.endswith(f"  asked of studio {STUDIO}, user nobody\n"), "it may be a slip of the keys"
    world.cloud.google.fail_next("calendar.events.list", 503, "backendError", times=20)
    assert command(["--studio", STUDIO, "--user", "ann"]) == NOT_FOUND_OUT
    assert "try again in a minute" in capsys.readouterr().err
