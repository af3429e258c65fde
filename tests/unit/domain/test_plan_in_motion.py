"""The policy driven through random histories of edits and crashes (see `simulation.py` for what must hold).

Each test allows a little more than the one before, so that the first one that fails says where to look.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.content import UNITS, Unit
from tests.unit.domain.builders import ANN, BOB, VALUES, changed, content
from tests.unit.domain.simulation import CrashError, World

quick = settings(max_examples=80, derandomize=True, deadline=None, database=None, report_multiple_bugs=False)
Step = tuple[str, int, Any]

# Few units and few values, so that clashes and histories like A, B, A come up all the time.
edits = st.tuples(st.sampled_from(["title", "title", "when"]), st.integers(0, 2))


def steps(*kinds: str) -> st.SearchStrategy[list[Step]]:
    step = {
        "edit_appointment": st.tuples(st.just("edit_appointment"), st.integers(0, 1), edits),
        "edit_event": st.tuples(st.just("edit_event"), st.integers(0, 1), edits),
        "enter_event": st.tuples(st.just("enter_event"), st.integers(0, 1), st.none()),
        "delete_event": st.tuples(st.just("delete_event"), st.integers(0, 1), st.none()),
        "status": st.tuples(st.just("status"), st.integers(0, 1), st.sampled_from(["confirmed", "cancelled"])),
        "assign": st.tuples(st.just("assign"), st.integers(0, 1), st.sampled_from([ANN, BOB])),
        "sync": st.tuples(st.just("sync"), st.none(), st.none()),
        "crash": st.tuples(st.just("crash"), st.integers(0, 1), st.none()),
        "meddle": st.tuples(st.just("meddle"), st.integers(0, 1), edits),
    }
    return st.lists(st.one_of(*(step[kind] for kind in kinds)), max_size=8)


def play(script: list[Step], *, paired: bool = True) -> World:
    world = World()
    world.enter_appointment("appt0", content("10:00"))
    if paired:
        world.sync()
    for name, number, detail in script:
        _step(world, name, number, detail)
    world.check_settled()
    return world


def _step(world: World, name: str, number: int, detail: Any) -> None:
    appointments, events = sorted(world.documents), world.live_events()
    appointment_id = appointments[min(number or 0, len(appointments) - 1)]
    event_id = events[min(number or 0, len(events) - 1)] if events else None
    match name:
        case "edit_appointment":
            world.edit_appointment(appointment_id, detail[0], VALUES[detail[0]][detail[1]])
        case "edit_event" if event_id is not None:
            world.edit_event(event_id, detail[0], VALUES[detail[0]][detail[1]])
        case "enter_event" if f"foreign{number}" not in world.events:
            world.enter_event(f"foreign{number}", content("15:00", title="Dentist"))
        case "delete_event" if event_id is not None:
            world.delete_event(event_id)
        case "status":
            world.set_status(appointment_id, detail)
        case "assign":
            world.assign(appointment_id, detail)
        case "sync":
            world.sync()
        case "crash":
            world.sync_interrupted(number, die)
        case "meddle":
            world.sync_interrupted(number, meddler(world, *detail))


def die() -> None:
    raise CrashError


def meddler(world: World, unit: Unit, which: int) -> Callable[[], None]:
    return lambda: world.edit_appointment("appt0", unit, VALUES[unit][which])


@quick
@given(steps("edit_appointment", "edit_event", "enter_event", "sync"))
def test_edits_on_both_sides_arrive(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "edit_event", "sync", "meddle"))
def test_edits_in_the_middle_of_a_run_arrive(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=150)
@given(steps("edit_appointment", "edit_event", "enter_event", "sync", "crash"), st.booleans())
def test_edits_arrive_though_runs_die(script: list[Step], paired: bool) -> None:
    play(script, paired=paired)


@quick
@given(steps("edit_appointment", "edit_event", "delete_event", "status", "assign", "enter_event", "sync"))
def test_everything_that_persons_can_do_arrives(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "delete_event", "sync", "crash"))
def test_deletions_in_the_calendar_and_edits_arrive_though_runs_die(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "delete_event", "sync", "meddle"))
def test_deletions_in_the_calendar_and_edits_in_the_middle_of_a_run_arrive(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=200)
@given(steps("status", "crash", "edit_event"))
def test_cancellations_and_reopenings_arrive_though_runs_die(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "edit_event", "assign", "crash"))
def test_reassignments_arrive_though_runs_die(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "edit_event", "assign", "sync", "meddle"))
def test_reassignments_arrive_though_somebody_edits_in_the_middle_of_a_run(script: list[Step]) -> None:
    play(script)


# --- histories worth a name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_going_back_and_forth_while_runs_die_ends_where_the_person_ended(unit: Unit) -> None:
    world = World()
    world.enter_appointment("appt0", changed(content(), unit, 0))
    world.sync()
    for which in (1, 0, 1, 0):
        world.edit_appointment("appt0", unit, VALUES[unit][which])
        world.sync_interrupted(0, die)
    world.check_settled()
    assert world.there("appt0") == changed(content(), unit, 0)


@pytest.mark.parametrize("fuse", range(4))
def test_a_first_run_that_dies_anywhere_leaves_no_duplicate(fuse: int) -> None:
    world = World()
    for number in range(2):
        world.enter_appointment(f"appt{number}", content())
    world.enter_event("foreign0", content("15:00", title="Dentist"))
    world.sync_interrupted(fuse, die)
    world.check_settled()
    assert (len(world.live_events()), len(world.documents)) == (3, 3)


def test_an_event_entered_again_whose_run_died_is_found_again() -> None:
    """Deleted in the calendar and edited in the studio: the event of the next generation is there, the link is not."""
    world = World()
    world.enter_appointment("appt0", content())
    world.sync()
    world.delete_event(world.live_events()[0])
    world.edit_appointment("appt0", "title", "Newborn Lee")
    world.sync_interrupted(0, die)
    world.check_settled()
    assert len(world.live_events()) == 1


def test_an_event_taken_out_of_the_bin_does_not_oust_the_one_that_took_its_place() -> None:
    """Both are ours by their seals; the pair stands with the later one, else each listing would swap them."""
    world = World()
    world.enter_appointment("appt0", content())
    world.sync()
    first = world.events[world.live_events()[0]]
    world.delete_event(first.id)
    world.edit_appointment("appt0", "title", "Newborn Lee")
    world.sync()
    world.sync()
    paired = world.links["appt0"].event_id
    world.restore_event(first)
    world.sync()
    assert world.links["appt0"].event_id == paired != first.id
    assert world.studio("appt0").title == "Newborn Lee"


def test_a_reopening_is_not_taken_for_a_deletion_in_the_calendar_though_the_run_died() -> None:
    """Cancelled, taken out of the calendar, the run died before it buried the pair; then reopened: it must stay."""
    world = World()
    world.enter_appointment("appt0", content())
    world.sync()
    world.set_status("appt0", "cancelled")
    world.sync_interrupted(0, die)
    world.set_status("appt0", "confirmed")
    world.check_settled()
    assert world.here("appt0") == content()


def test_the_last_edit_in_the_calendar_goes_with_a_reassigned_appointment_though_the_run_died() -> None:
    world = World()
    world.enter_appointment("appt0", content())
    world.sync()
    world.edit_event(world.live_events()[0], "title", "Newborn Lee")
    world.assign("appt0", BOB)
    world.sync_interrupted(0, die)
    world.check_settled()
    assert world.studio("appt0").title == "Newborn Lee"
