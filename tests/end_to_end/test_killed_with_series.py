"""A run with series may die after any of its writes, and the next one makes it good.

As `test_killed_at_every_call.py`, for flows in which one write depends on another: series and their occurrences. A
process that dies at a read leaves what the write before it left, so only writes are tried here.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from local import studio_series
from local.studio_series import occurrence_id
from local.wiretap import Call, Killed, Wiretap
from tests.end_to_end.killing import different, picture, undisturbed
from tests.figures import Figures
from tests.series import SeriesDesk, in_calendar, in_studio
from tests.snapshot import Snapshot
from tests.soak import points, soaks
from tests.world import NOW, World

Flow = Callable[[World], None]
FIRST = (NOW + dt.timedelta(days=3)).replace(hour=10, minute=0)
WEEK = dt.timedelta(days=7)


def book(world: World, name: str, hour: int, **fields: Any) -> None:
    """A series of five weeks, at so many hours after the others."""
    start = FIRST + dt.timedelta(hours=hour)
    times = {"start": start, "end": start + dt.timedelta(minutes=30), "time_zone": "UTC"}
    whole = {"title": name, "user_ids": ["ann"], "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"], **times}
    world.book(name, **whole | fields)


def slot(week: int, hour: int) -> dt.datetime:
    return FIRST + dt.timedelta(hours=hour) + week * WEEK


def instance(world: World, name: str, week: int) -> str:
    """The id in Ann's calendar of one of the events of the series of that name."""
    [series] = [event["id"] for event in world.events("ann") if event.get("recurrence") and event["summary"] == name]
    return str(world.person("ann").instances(series)[week]["id"])


def types(world: World, name: str, hour: int) -> str:
    start = FIRST + dt.timedelta(hours=hour)
    times = {
        end: {"dateTime": at.isoformat(), "timeZone": "UTC"}
        for end, at in (("start", start), ("end", start + dt.timedelta(minutes=30)))
    }
    return world.types("ann", summary=name, recurrence=["RRULE:FREQ=WEEKLY;COUNT=5"], **times)


def populated_both_ways(world: World) -> None:
    """A series on each side, each with an occurrence renamed, one moved and one cancelled; and one on both sides."""
    desk, hour = SeriesDesk(world), dt.timedelta(hours=1)
    book(world, "Studio", 0)
    studio_series.change(desk, "Studio", slot(1, 0), "this", title="Studio, renamed")
    studio_series.change(desk, "Studio", slot(2, 0), "this", by=hour)
    studio_series.cancel(desk, "Studio", slot(3, 0), "this")
    book(world, "Both", 2)
    world.add("ann", populate_calendar=True, populate_studio=True)
    types(world, "Calendar", 4)
    person = world.person("ann")
    person.edit(instance(world, "Calendar", 1), summary="Calendar, renamed")
    person.move(instance(world, "Calendar", 2), hour)
    person.delete("primary", instance(world, "Calendar", 3))
    types(world, "Both", 2)
    world.connect("ann")


def occurrences_and_splits(world: World) -> None:
    """One occurrence edited on either side; this and following from either side, an occurrence before and one after it
    edited long ago; cancelled there, and here, while an occurrence was edited on the other side.
    """
    desk, person = SeriesDesk(world), world.person
    names = ("One", "Split here", "Split there", "Cancelled here", "Deleted there")
    for hour, name in enumerate(names):
        book(world, name, hour)
    world.join("ann", populate_calendar=True, populate_studio=True)
    for hour, name in enumerate(names[1:3], start=1):
        for week in (1, 3):
            studio_series.change(desk, name, slot(week, hour), "this", title=f"{name} {week}")
    world.sync()
    studio_series.change(desk, "One", slot(1, 0), "this", title="One, here")
    person("ann").edit(instance(world, "One", 2), summary="One, there")
    studio_series.change(desk, "Split here", slot(2, 1), "following", title="Split off here")
    person("ann").edit(instance(world, "Split there", 2), "following", summary="Split off there")
    person("ann").edit(instance(world, "Cancelled here", 2), summary="In vain")
    studio_series.cancel(desk, "Cancelled here", slot(0, 3), "all")
    studio_series.change(desk, "Deleted there", slot(2, 4), "this", title="Stays")
    person("ann").delete("primary", instance(world, "Deleted there", 0), "all")
    world.wish("ann")


def series_moved(world: World) -> None:
    """One moved on either side, each with an occurrence renamed, one moved and one cancelled before."""
    desk, hour = SeriesDesk(world), dt.timedelta(hours=1)
    for start, name in ((0, "Moved here"), (5, "Moved there")):
        book(world, name, start)
        studio_series.change(desk, name, slot(1, start), "this", title=f"{name}, renamed")
        studio_series.change(desk, name, slot(2, start), "this", by=hour)
        studio_series.cancel(desk, name, slot(3, start), "this")
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    studio_series.change(desk, "Moved here", slot(0, 0), "all", by=2 * hour)
    person = world.person("ann")
    person.move(instance(world, "Moved there", 0), 2 * hour, "all")
    world.wish("ann")


def occurrences_reassigned(world: World) -> None:
    """One of Ann's is Ben's now; one of Ben's, which was hers alone, gives way to the series, which is hers too now;
    and one of another of his becomes hers.
    """
    desk = SeriesDesk(world)
    book(world, "Anns", 0)
    book(world, "Becomes both", 2, user_ids=["ben"])
    book(world, "Bens", 4, user_ids=["ben"])
    studio_series.change(desk, "Becomes both", slot(1, 2), "this", user_ids=["ann"], title="Only hers")
    for user_id in ("ann", "ben"):
        world.join(user_id, populate_calendar=True, populate_studio=True)
    world.sync()
    studio_series.change(desk, "Anns", slot(1, 0), "this", user_ids=["ben"])
    desk.edit("Becomes both", user_ids=["ann", "ben"])
    studio_series.change(desk, "Bens", slot(2, 4), "this", user_ids=["ann"])
    world.wish("ann")


FLOWS: dict[str, Flow] = {
    "populated both ways": populated_both_ways,
    "occurrences and splits": occurrences_and_splits,
    "series moved": series_moved,
    "occurrences reassigned": occurrences_reassigned,
}


def writes(call: Call) -> bool:
    return call.document_writes > 0 or (call.service == "google" and not call.method.startswith("GET"))


@soaks
@pytest.mark.timeout(400)
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_a_run_with_series_killed_after_any_write_is_finished_by_the_next(
    make_world: Callable[..., World],
    tap: Wiretap,
    flow: Flow,
    figures: Figures,
) -> None:
    world = make_world()
    flow(world)
    prepared = Snapshot(world)
    undisturbed(world, prepared, tap)
    expected = _settled(world)
    shown = in_calendar(world, "ann")
    assert shown == in_studio(world, "ann")
    assert len(shown) == len(set(shown)), "nothing stands twice"
    prepared.restore()
    tap.reset()
    world.run("ann")
    deeds = sum(writes(call) for call in tap.calls)
    assert deeds > 5, "a flow worth killing writes more than that"
    for deed in points(deeds):
        prepared.restore()
        tap.kill_at(deed, "after", only=writes)
        with pytest.raises(Killed):
            world.run("ann")
        tap.disarm()
        world.restart()
        world.later(minutes=11)
        world.sync()
        world.later(minutes=11)
        world.sync()
        told = f"killed after write {deed} of {deeds}"
        figures.add("killed with series", "kill points tried")
        figures.compare("killed with series", in_calendar(world, "ann"), shown)
        assert different(_settled(world), expected) == {}, told
        assert in_calendar(world, "ann") == in_studio(world, "ann") == shown, told


def _settled(world: World) -> dict[str, Any]:
    """What a person can tell apart. Not the tombstones: a run that re-keyed before it died leaves fewer. Nor what the
    guard counted: what was cancelled of a series before the studio had it counts if the run dies in between.
    """
    shown = picture(world)
    del shown["counted"]
    return shown | {
        "links": {one: [state for state in states if state != "gone"] for one, states in shown["links"].items()}
    }


def test_the_flows_do_what_they_say(make_world: Callable[..., World]) -> None:
    world = make_world()
    series_moved(world)
    world.sync()
    documents = world.appointments()
    for name, start in (("Moved here", 2), ("Moved there", 7)):
        ids = {one for one in documents if one.startswith(f"{name}_")}
        assert ids == {occurrence_id(name, slot(week, start)) for week in (1, 2, 3)}
