"""The echo of a run's own write: its trigger late, twice, out of order, or overwritten by a front-end that had read the
document before it.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from local.wiretap import Wiretap
from shared.services.sync_calendar import Outcome
from tests.end_to_end.idling import assert_idle, deliver, everything, in_step, instant, make_pairs, settle
from tests.soak import few
from tests.world import NOW, STUDIO, World, google_span


@pytest.fixture
def ann(world: World) -> World:
    return in_step(world)


Version = dict[str, Any]
Overwrite = Callable[[World, Version], None]


def by_field(world: World, old: Version) -> None:
    """The stamp of the run stays, as it is no field that a front-end would name."""
    world.front_end.edit("shoot", **{key: value for key, value in old.items() if key not in {"sync", "updated_at"}})


def as_a_whole(world: World, old: Version) -> None:
    """Without any stamp."""
    world.front_end.book("shoot", **{key: value for key, value in old.items() if key not in {"sync", "updated_at"}})


def as_it_was_read(world: World, old: Version) -> None:
    """With the stamp that an earlier run had left, whose hash fits, and without touching `updated_at`."""
    world.firestore.document(f"studios/{STUDIO}/appointments/shoot").set(old)


def overwritten(world: World, overwrite: Overwrite, event: Mapping[str, Any]) -> tuple[Version, Version, Version]:
    """Ann edits in her calendar, a run carries it over, and a front-end writes back what it had read before; gives
    the three versions of the document.
    """
    old = world.front_end.appointment("shoot")
    [found] = world.events("ann")
    world.person("ann").patch("primary", found["id"], **event)
    world.sync()
    ours = world.front_end.appointment("shoot")
    assert old is not None
    assert ours is not None
    assert ours["title"] == event["summary"]
    overwrite(world, old)
    stale = world.front_end.appointment("shoot")
    assert stale is not None
    return old, ours, stale


def assert_overwritten(world: World, tap: Wiretap) -> None:
    """The studio's word stands on both sides, once, and the calendar's is in the log."""
    [event] = world.events("ann")
    shoot = world.appointments()["shoot"]
    assert list(world.appointments()) == ["shoot"]
    assert (
        (event["summary"], event["description"])
        == (shoot["title"], shoot["description"])
        == (
            "Shoot",
            "Bring lights",
        )
    )
    assert instant(event["start"]) == shoot["start"] == NOW + dt.timedelta(hours=3)
    [overwriting] = [entry for entry in world.log("ann") if entry["reason"] == "changed_in_studio"]
    before = overwriting["calendar_before"]
    assert (before["title"], before["description"]) == ("Calendar's", "Bring tripods")
    assert dt.datetime.fromisoformat(str(before["when"]["start"])) == NOW + dt.timedelta(hours=5)
    assert_idle(world, tap, 5)


EDITED = {"summary": "Calendar's", "description": "Bring tripods", **google_span(5)}
OVERWRITES = pytest.mark.parametrize("overwrite", [by_field, as_a_whole, as_it_was_read])

# In which order the two triggers come: of the run's own write (1) and of the overwriting (2); 0 is a run.
ORDERS = [(by_field, order) for order in ("120", "210", "1122010", "2010", "1020", "112010")]
ORDERS += [(overwrite, order) for overwrite in (as_a_whole, as_it_was_read) for order in ("120", "2010")]


@few
@pytest.mark.parametrize(("overwrite", "order"), ORDERS)
def test_a_stale_overwrite_is_an_edit_of_the_studio_in_whatever_order_it_is_told(
    ann: World, tap: Wiretap, overwrite: Overwrite, order: str
) -> None:
    if overwrite is as_it_was_read:
        ann.person("ann").patch("primary", ann.events("ann")[0]["id"], location="Park")
        settle(ann)
        assert "sync" in ann.appointments()["shoot"]
    old, ours, stale = overwritten(ann, overwrite, EDITED)
    for step in order:
        match step:
            case "1":
                deliver(ann, "shoot", old, ours)
            case "2":
                deliver(ann, "shoot", ours, stale)
            case _:
                ann.sync()
    settle(ann)
    assert_overwritten(ann, tap)


@OVERWRITES
def test_a_stale_overwrite_whose_trigger_is_lost_is_found_by_the_next_run_that_is_due(
    ann: World, tap: Wiretap, overwrite: Overwrite
) -> None:
    """The trigger of the run's own write wishes no run, but leaves an entry."""
    old, ours, _ = overwritten(ann, overwrite, EDITED)
    deliver(ann, "shoot", old, ours)
    assert ann.run("ann") is Outcome.NOTHING_DUE
    ann.later(hours=6)
    ann.run("ann")
    settle(ann)
    assert_overwritten(ann, tap)


@pytest.mark.parametrize("overwrite", [by_field, as_a_whole])
def test_a_stale_overwrite_wishes_a_run_at_once(ann: World, tap: Wiretap, overwrite: Overwrite) -> None:
    _, ours, stale = overwritten(ann, overwrite, EDITED)
    deliver(ann, "shoot", ours, stale)
    assert ann.run("ann") is Outcome.DONE
    assert_overwritten(ann, tap)


def test_an_edit_on_top_of_what_was_read_before_wishes_a_run_at_once(ann: World, tap: Wiretap) -> None:
    """The whole document, with the stamp of an earlier run and a new title: that hash does not fit any more."""
    ann.person("ann").patch("primary", ann.events("ann")[0]["id"], location="Park")
    settle(ann)
    _, ours, stale = overwritten(ann, lambda world, old: as_it_was_read(world, {**old, "title": "Edited"}), EDITED)
    deliver(ann, "shoot", ours, stale)
    assert ann.run("ann") is Outcome.DONE
    assert ann.titles("ann") == ["Edited"]
    assert_idle(ann, tap, 5)


def test_an_edit_that_is_taken_back_to_what_a_run_had_written_wishes_a_run_each_time(ann: World, tap: Wiretap) -> None:
    """The run's stamp is still there, and its hash fits again: it is an edit all the same."""
    ann.person("ann").patch("primary", ann.events("ann")[0]["id"], summary="Calendar's")
    settle(ann)
    for title in ("Studio's", "Calendar's"):
        ann.edit("shoot", title=title)
        assert ann.run("ann") is Outcome.DONE
        assert ann.titles("ann") == [title]
    settle(ann)
    assert_idle(ann, tap, 5)


def test_a_stale_overwrite_with_an_old_stamp_wishes_a_run_at_once(ann: World, tap: Wiretap) -> None:
    ann.person("ann").patch("primary", ann.events("ann")[0]["id"], location="Park")
    settle(ann)
    _, ours, stale = overwritten(ann, as_it_was_read, EDITED)
    deliver(ann, "shoot", ours, stale)
    assert ann.run("ann") is Outcome.DONE
    assert_overwritten(ann, tap)


def test_the_trigger_of_a_runs_own_write_wishes_nothing_and_writes_nothing_however_often_it_comes(
    ann: World, tap: Wiretap
) -> None:
    old = ann.front_end.appointment("shoot")
    ann.person("ann").patch("primary", ann.events("ann")[0]["id"], **EDITED)
    ann.sync()
    ours = ann.front_end.appointment("shoot")
    for _ in range(3):
        assert deliver(ann, "shoot", old, ours) == 1
    assert ann.run("ann") is Outcome.NOTHING_DUE
    ann.wish("ann")
    before = {**everything(ann), "outbox": None}
    tap.reset()
    ann.run("ann")
    assert tap.summary()["document_writes"] == 3, "the claim, the entry that is done, the finish"
    assert {**everything(ann), "outbox": None} == before
    assert deliver(ann, "shoot", old, ours) == 1
    settle(ann)
    assert_idle(ann, tap, 5)


@pytest.mark.parametrize("overwrite", [by_field, as_a_whole])
def test_a_stale_overwrite_of_a_cancellation_brings_the_appointment_back_once(
    ann: World, tap: Wiretap, overwrite: Overwrite
) -> None:
    old = ann.front_end.appointment("shoot")
    ann.person("ann").delete("primary", ann.events("ann")[0]["id"])
    ann.sync()
    ours = ann.front_end.appointment("shoot")
    assert old is not None
    assert ours is not None
    assert ours["status"] == "cancelled"
    overwrite(ann, old)
    deliver(ann, "shoot", ours, ann.front_end.appointment("shoot"))
    deliver(ann, "shoot", old, ours)
    settle(ann)
    assert ann.titles("ann") == ["Shoot"]
    assert ann.appointments()["shoot"]["status"] == "confirmed"
    assert_idle(ann, tap, 5)


def test_a_stale_overwrite_reaches_a_colleagues_calendar_too(world: World, tap: Wiretap) -> None:
    make_pairs(world, ["shoot"])
    old = world.front_end.appointment("shoot")
    [event] = world.events("ann")
    world.person("ann").patch("primary", event["id"], summary="Calendar's")
    world.sync("ann")
    ours = world.front_end.appointment("shoot")
    deliver(world, "shoot", old, ours)
    world.sync("ben")
    assert world.titles("ben") == ["Calendar's"]
    assert old is not None
    as_a_whole(world, old)
    deliver(world, "shoot", ours, world.front_end.appointment("shoot"))
    settle(world)
    assert world.titles("ann") == world.titles("ben") == ["shoot"]
    assert_idle(world, tap, 5)
