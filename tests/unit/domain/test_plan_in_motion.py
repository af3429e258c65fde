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
        "assign": st.tuples(st.just("assign"), st.integers(0, 1), st.sampled_from([(ANN,), (BOB,)])),
        "assign several": st.tuples(
            st.just("assign"), st.integers(0, 1), st.sampled_from([(ANN,), (ANN, BOB), (ANN, BOB), (BOB,)])
        ),
        "answer": st.tuples(st.just("answer"), st.integers(0, 1), st.sampled_from(["take_off", "put_back"])),
        "restore": st.tuples(st.just("restore"), st.integers(0, 1), st.none()),
        "two_way": st.tuples(st.just("two_way"), st.none(), st.booleans()),
        "invite": st.tuples(st.just("invite"), st.integers(0, 1), st.none()),
        "bin": st.tuples(
            st.just("bin"), st.none(), st.sampled_from(["works", "is refused", "does nothing", "is emptied"])
        ),
        "sync": st.tuples(st.just("sync"), st.none(), st.none()),
        "crash": st.tuples(st.just("crash"), st.integers(0, 2), st.none()),
        "meddle": st.tuples(st.just("meddle"), st.integers(0, 2), edits),
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
        case "status":
            world.set_status(appointment_id, detail)
        case "assign":
            world.assign(appointment_id, *detail)
        case "answer":
            world.answer(appointment_id, detail)
        case "two_way":
            world.set_two_way(detail)
        case "sync":
            world.sync()
        case "crash":
            world.sync_interrupted(number, die)
        case "meddle":
            world.sync_interrupted(number, meddler(world, *detail))
        case _:
            _step_there(world, name, number, event_id, detail)


def _step_there(world: World, name: str, number: int, event_id: str | None, detail: Any) -> None:
    """What a person does in the calendar, as far as it is possible there."""
    match name:
        case "edit_event" if event_id is not None:
            world.edit_event(event_id, detail[0], VALUES[detail[0]][detail[1]])
        case "delete_event" if event_id is not None:
            world.delete_event(event_id)
        case "restore" if world.bin:
            world.restore_event(world.bin[sorted(world.bin)[min(number, len(world.bin) - 1)]])
        case "bin" if detail == "is emptied":
            world.forget_deleted()
        case "bin":
            world.restoring = detail
        case "enter_event" if f"foreign{number}" not in world.events:
            world.enter_event(f"foreign{number}", content("15:00", title="Dentist"))
        case "invite" if f"invitation{number}" not in world.events:
            world.enter_event(f"invitation{number}", content("16:00", title="Wedding"), own=False, answer="accepted")


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


@settings(quick, max_examples=120)
@given(steps("edit_appointment", "edit_event", "delete_event", "bin", "sync", "crash"))
def test_deletions_in_the_calendar_and_edits_arrive_though_runs_die(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "delete_event", "sync", "meddle"))
def test_deletions_in_the_calendar_and_edits_in_the_middle_of_a_run_arrive(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=200)
@given(steps("status", "crash", "edit_event", "bin"))
def test_cancellations_and_reopenings_arrive_though_runs_die(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "edit_event", "assign", "crash", "bin"))
def test_reassignments_arrive_though_runs_die(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "edit_event", "assign", "sync", "meddle"))
def test_reassignments_arrive_though_somebody_edits_in_the_middle_of_a_run(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=200)
@given(steps("edit_appointment", "edit_event", "delete_event", "restore", "bin", "status", "sync"))
def test_what_is_taken_out_of_the_bin_comes_back_if_the_calendar_had_cancelled_it(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=150)
@given(steps("edit_appointment", "edit_event", "delete_event", "restore", "bin", "assign several", "answer", "sync"))
def test_where_several_are_assigned_nothing_is_cancelled_and_edits_arrive(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "delete_event", "bin", "assign several", "answer", "sync", "crash"))
def test_questions_and_answers_arrive_though_runs_die(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=150)
@given(steps("edit_appointment", "edit_event", "delete_event", "enter_event", "two_way", "two_way", "sync", "sync"))
def test_two_way_turned_off_and_on_carries_what_is_changed_from_then_on(script: list[Step]) -> None:
    play(script)


@quick
@given(steps("edit_appointment", "edit_event", "delete_event", "bin", "status", "two_way", "sync", "sync", "crash"))
def test_two_way_turned_off_and_on_does_no_harm_though_runs_die(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=200)
@given(steps("delete_event", "restore", "edit_event", "status", "status", "sync", "crash", "crash"))
def test_what_is_cancelled_restored_and_reopened_by_both_sides_is_one_event_though_runs_die(script: list[Step]) -> None:
    play(script)


@settings(quick, max_examples=150)
@given(steps("edit_appointment", "edit_event", "delete_event", "invite", "status", "assign", "sync", "sync"))
def test_somebody_elses_event_comes_in_and_is_left_alone(script: list[Step]) -> None:
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
    world.forget_deleted()
    world.edit_appointment("appt0", "title", "Newborn Lee")
    world.sync_interrupted(0, die)
    world.check_settled()
    assert len(world.live_events()) == 1


HISTORIES: dict[str, list[Step]] = {
    "edited in the studio": [("delete_event", 0, None), ("edit_appointment", 0, ("title", 1))],
    "reopened after the calendar's deletion":
        [("delete_event", 0, None), ("sync", None, None), ("status", 0, "confirmed")],
    "reopened after the studio's cancellation":
        [("status", 0, "cancelled"), ("sync", None, None), ("status", 0, "confirmed")],
    "gone to a colleague and back": [("assign", 0, (BOB,)), ("sync", None, None), ("assign", 0, (ANN,))],
    "put back into one of several calendars":
        [("assign", 0, (ANN, BOB)), ("delete_event", 0, None), ("sync", None, None), ("answer", 0, "put_back")],
}  # fmt: skip
# A mirror notices a deletion only when it writes.
IN_MIRROR = ("edited in the studio", "reopened after the studio's cancellation", "gone to a colleague and back")
each_history = pytest.mark.parametrize("script", [pytest.param(script, id=name) for name, script in HISTORIES.items()])
each_history_in_both_modes = pytest.mark.parametrize(
    ("two_way", "script"),
    [
        *(pytest.param(True, script, id=f"two-way, {name}") for name, script in HISTORIES.items()),
        *(pytest.param(False, HISTORIES[name], id=f"mirror, {name}") for name in IN_MIRROR),
    ],
)


def entered(two_way: bool) -> tuple[World, str]:
    world = World()
    world.enter_appointment("appt0", content())
    world.sync()
    if not two_way:
        world.set_two_way(False)
    return world, world.live_events()[0]


def go_on(world: World, script: list[Step]) -> None:
    for name, number, detail in script:
        _step(world, name, number, detail)


@each_history
def test_what_is_wanted_again_is_the_same_event_with_what_was_edited_there(script: list[Step]) -> None:
    world, event_id = entered(two_way=True)
    world.edit_event(event_id, "location", "Park")
    go_on(world, script)
    world.check_settled()
    assert world.live_events() == [event_id]
    assert world.studio("appt0").location == "Park"


@each_history_in_both_modes
@pytest.mark.parametrize("restoring", ["is refused", "does nothing", "has forgotten it"])
def test_what_cannot_be_restored_is_entered_anew_and_never_cancelled(
    restoring: Any, two_way: bool, script: list[Step]
) -> None:
    world, event_id = entered(two_way)
    go_on(world, script)
    wanted = world.here("appt0")
    if restoring == "has forgotten it":
        world.forget_deleted()
    else:
        world.restoring = restoring
    world.sync()
    world.check_settled()
    assert event_id not in world.live_events()
    assert [world.there("appt0")] == [world.events[one].content for one in world.live_events()] == [wanted]


@each_history_in_both_modes
@pytest.mark.parametrize("forgotten", [True, False], ids=["forgotten", "in the bin"])
@pytest.mark.parametrize("fuse", range(4))
@pytest.mark.parametrize("then", [("status", 0, "cancelled"), ("assign", 0, (BOB,))], ids=["cancelled", "reassigned"])
def test_what_a_run_brought_back_before_it_died_goes_again_if_it_is_not_wanted_any_more(
    then: Step, fuse: int, forgotten: bool, two_way: bool, script: list[Step]
) -> None:
    """Nobody else would ever take it out of the calendar, and no run of ours may undo a cancellation."""
    world, _ = entered(two_way)
    go_on(world, script)
    if forgotten:
        world.forget_deleted()
    world.sync_interrupted(fuse, die)
    go_on(world, [then])
    world.check_settled()
    assert world.here("appt0") is None
    assert world.live_events() == []


@pytest.mark.parametrize("two_way", [True, False], ids=["two-way", "mirror"])
def test_cancelled_in_the_studio_restored_by_a_person_and_reopened_in_the_studio_it_is_one_event(two_way: bool) -> None:
    """In between, the restored event is left alone."""
    world, event_id = entered(two_way)
    world.set_status("appt0", "cancelled")
    world.sync()
    world.restore_event(world.bin[event_id])
    world.sync()
    assert (world.here("appt0"), world.live_events()) == (None, [event_id])
    world.set_status("appt0", "confirmed")
    world.check_settled()
    assert world.live_events() == [event_id]
    assert world.links["appt0"].event_id == event_id
    assert world.links["appt0"].state == "paired"


def test_renamed_after_restoring_it_has_that_name_when_it_is_reinstated_or_reopened() -> None:
    for cancelled_there in (True, False):
        world, event_id = entered(two_way=True)
        if cancelled_there:
            world.delete_event(event_id)
        else:
            world.set_status("appt0", "cancelled")
        world.sync()
        world.restore_event(world.bin[event_id])
        world.edit_event(event_id, "title", "Newborn Lee")
        world.sync()
        assert (world.here("appt0") is not None) == cancelled_there
        world.set_status("appt0", "confirmed")
        world.check_settled()
        assert world.studio("appt0").title == "Newborn Lee"


def test_an_event_taken_out_of_the_bin_does_not_oust_the_one_that_took_its_place() -> None:
    """Both are ours by their seals; the pair stands with the later one, else each listing would swap them."""
    world = World()
    world.enter_appointment("appt0", content())
    world.sync()
    first = world.events[world.live_events()[0]]
    world.delete_event(first.id)
    world.edit_appointment("appt0", "title", "Newborn Lee")
    world.restoring = "is refused"
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
