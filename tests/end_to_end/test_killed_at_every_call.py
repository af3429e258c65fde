"""A run may die at any of its calls, before the call or after it took effect: the next one makes it good.

Each flow's world is prepared once, and put back as it was before each run. The first run is undisturbed, which gives
the number of its changes and the picture that must come out. The next ones are killed after the first, the second, ...
the last of these, each in a process of its own, and finished by another process when the dead one's lease is over. That
this stands for a death at any call is a test of its own.
"""

import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import pytest
from google.cloud.firestore_v1.types import Document

from local.wiretap import Killed, Wiretap
from shared.domain import identity
from shared.domain.connection import OutboxEntry
from shared.domain.errors import Unavailable
from shared.services.disconnecting import disconnect
from tests.end_to_end.killing import apart, changes, changes_made, different, picture, undisturbed
from tests.end_to_end.switching import dies_after_entering
from tests.figures import Figures
from tests.snapshot import Snapshot
from tests.soak import SOAKING, covering, points, soaks
from tests.world import World, days, google_span, span

Flow = Callable[[World], None]


def populate(world: World) -> None:
    """Both directions: three pairs, three of the studio's own, three of the calendar's own."""
    for number in range(3):
        world.book(f"both-{number}", title=f"Both {number}", user_ids=["ann"], **span(number))
        world.book(f"studio-{number}", title=f"Studio {number}", user_ids=["ann"], **span(10 + number))
    start, end = days(3, 5)
    world.book("fair", title="Fair", user_ids=["ann"], all_day=True, start_date=start, end_date=end)
    world.book("broken", title="Broken", user_ids=["ann"], start=span(1)["end"], end=span(1)["start"])
    world.add("ann", populate_calendar=True, populate_studio=True)
    for number in range(3):
        world.types("ann", summary=f"both {number}", location=f"Room {number}", **google_span(number))
        world.types("ann", summary=f"Calendar {number}", **google_span(20 + number))
    world.connect("ann")


def edits_on_both_sides(world: World) -> None:
    """Every kind of edit at once, also to both sides of one appointment."""
    for name in ("renamed", "moved", "both", "clash", "cancelled", "deleted", "erased", "beaten", "left"):
        world.book(name, title=name.title(), user_ids=["ann"], **span(len(name)))
    world.join("ann", populate_calendar=True)
    world.sync()
    events = {event["summary"]: event["id"] for event in world.events("ann")}
    person = world.person("ann")
    world.edit("renamed", title="New name", description="With text")
    person.patch("primary", events["Moved"], **google_span(30))
    world.edit("both", title="Both sides")
    person.patch("primary", events["Both"], location="Park")
    world.edit("clash", title="Studio's")
    person.patch("primary", events["Clash"], summary="Calendar's")
    world.edit("cancelled", status="cancelled")
    person.delete("primary", events["Deleted"])
    world.erase("erased")
    person.delete("primary", events["Beaten"])
    world.edit("beaten", title="Beaten back")
    person.patch("primary", events["Left"], location="Attic")
    world.edit("left", user_ids=["ben"])
    world.book("new", title="New", user_ids=["ann"], **span(40))
    world.types("ann", summary="Typed", **google_span(41))
    world.wish("ann")


def others_are_involved(world: World) -> None:
    """Handed over from Ben, invited with Ben, a text that Google cuts, and a write that Google refuses once."""
    world.book("handed", title="Handed over", user_ids=["ben"], **span(3))
    world.book("shared", title="Shared", user_ids=["ann", "ben"], **span(5))
    world.add("ben", populate_calendar=True, populate_studio=True)
    meeting = {"iCalUID": "meeting@elsewhere.example", "summary": "Meeting", **google_span(7)}
    world.cloud.google.receive_event(world.emails["ben"], "host@elsewhere.example", **meeting)
    world.connect("ben")
    world.sync("ben")
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync("ann")
    world.cloud.google.receive_event(world.emails["ann"], "host@elsewhere.example", **meeting)
    [shared] = [event for event in world.events("ann") if event["summary"] == "Shared"]
    world.edit("handed", user_ids=["ann"])
    world.edit("shared", description="x" * 9000)
    world.person("ann").patch("primary", shared["id"], location="Roof")
    world.book("refused", title="Refused once", user_ids=["ann"], **span(9))
    world.cloud.google.fail_next("calendar.events.insert", 403, "rateLimitExceeded")
    world.wish("ann")


def deletions_and_guard(world: World) -> None:
    """A held mass and its approval, with one of it restored, one edited and one cancelled meanwhile; five further
    deletions that pass, from either side; one that is asked about, one that is answered; two out of the bin.
    """
    names = [f"mass-{n}" for n in range(6)] + [f"gone-{n}" for n in range(3)] + ["cancelled", "erased", "binned"]
    for number, name in enumerate(names):
        world.book(name, title=name.title(), user_ids=["ann"], **span(48 + number))
    for name in ("asked", "off", "back"):
        world.book(name, title=name.title(), user_ids=["ann", "ben"], **span(70))
    connection_id = world.join("ann", populate_calendar=True)
    world.sync()
    person, event_ids = world.person("ann"), {name: identity.event(connection_id, name, 0) for name in names}
    event_ids |= {name: identity.event(connection_id, name, 0) for name in ("asked", "off", "back")}
    for name in ("binned", "off", "back"):
        person.delete("primary", event_ids[name])
    world.sync()
    world.later(hours=25)  # What passed so far counts no more.
    for number in range(6):
        person.delete("primary", event_ids[f"mass-{number}"])
    world.sync()
    [hold_id] = [item_id for item_id, item in world.inbox().items() if item["kind"] == "held"]
    world.set_up("ann", approved_hold=hold_id)
    person.restore(event_ids["mass-0"])
    world.edit("mass-1", title="Still on")
    world.edit("mass-2", status="cancelled")
    for name in ("gone-0", "gone-1", "gone-2", "asked"):
        person.delete("primary", event_ids[name])
    world.edit("cancelled", status="cancelled")
    world.erase("erased")
    for name, answer in (("off", "take_off"), ("back", "put_back")):
        question = identity.removal_question(connection_id, event_ids[name])
        world.firestore.document(f"studios/atelier/inbox/{question}").update({"answer": answer})
        entry = OutboxEntry(appointment_id=name, at=world.clock.now(), cause="answered")
        world.wiring.store.put_outbox([(connection_id, f"answer:{name}", entry)])
    person.restore(event_ids["binned"])
    world.wish("ann")


def a_mass_is_held(world: World) -> None:
    """Six deletions in the calendar, and six in the studio."""
    for number in range(14):
        world.book(f"shoot-{number}", title=f"Shoot {number}", user_ids=["ann"], **span(2 + number))
    connection_id = world.join("ann", populate_calendar=True)
    world.sync()
    for number in range(6):
        world.person("ann").delete("primary", identity.event(connection_id, f"shoot-{number}", 0))
        world.edit(f"shoot-{6 + number}", status="cancelled")
    world.wish("ann")


def a_mass_is_declined(world: World) -> None:
    """The same, once a person has declined it."""
    a_mass_is_held(world)
    world.erase("shoot-6")
    world.sync()
    [hold_id] = world.inbox()
    world.set_up("ann", declined_hold=hold_id)


def another_calendar(world: World) -> None:
    """The user has switched: what is edited or new is entered, then taken out of the old one, with what a person wrote
    there; what was cancelled only goes; one was entered in the old calendar by a run that died before it was recorded.
    """
    for name in ("edited", "moved", "noted", "cancelled", "left alone"):
        world.book(name, title=name.title(), user_ids=["ann"], **span(len(name)))
    old = world.join("ann", populate_calendar=True)
    world.sync()
    world.book("unrecorded", title="Unrecorded", user_ids=["ann"], **span(20))
    dies_after_entering(world, "unrecorded")
    second = str(world.cloud.google.add_calendar(world.emails["ann"], "Second"))
    world.set_up("ann", calendar_id=second)
    world.run("ann")
    world.connections["ann"] = world.front_end.user("ann")["connection"]["id"]
    world.person("ann").patch("primary", identity.event(old, "noted", 0), summary="Noted by hand")
    world.edit("cancelled", status="cancelled")
    world.edit("edited", title="Edited twice")
    world.edit("moved", **span(30))
    world.edit("noted", location="Roof")
    world.book("new", title="New", user_ids=["ann"], **span(40))
    world.types("ann", summary="Typed in the old one", **google_span(41))
    world.person("ann").insert(second, summary="Typed", **google_span(42))
    world.wish("ann")


def doubts(world: World) -> None:
    """Of three that were asked about, one is the same, one is moved, and one is deleted in the calendar."""
    names = ("same", "moved", "deleted")
    for hours, name in enumerate(names, 3):
        world.book(name, title=f"{name.title()} here", user_ids=["ann"], **span(2 * hours))
    world.add("ann", populate_calendar=True, populate_studio=True)
    for hours, name in enumerate(names, 3):
        world.types("ann", summary=f"{name.title()} there", **google_span(2 * hours))
    world.connect("ann")
    world.sync()
    questions = {item["refs"]["appointment_id"]: item_id for item_id, item in world.inbox().items()}
    world.answer(questions["same"], "same")
    world.edit("moved", **span(40))
    events = {event["summary"]: event["id"] for event in world.events("ann")}
    world.person("ann").delete("primary", events["Deleted there"])
    world.wish("ann")


def handed_to_and_fro(world: World) -> None:
    """Between two users who are both connected; where it leaves Ann, with an edit in her calendar."""
    for name, users in (("to ben", ["ann"]), ("to ann", ["ben"]), ("off ann", ["ann", "ben"]), ("onto ann", ["ben"])):
        world.book(name, title=name.title(), user_ids=users, **span(len(name)))
    for user_id in ("ann", "ben"):
        world.join(user_id, populate_calendar=True, populate_studio=True)
    world.sync()
    for name, user_id in (("to ben", "ann"), ("off ann", "ann")):
        event_id = identity.event(world.connections[user_id], name, 0)
        world.person(user_id).patch("primary", event_id, location=f"Seen by {user_id}")
    for name, users in (("to ben", ["ben"]), ("to ann", ["ann"]), ("off ann", ["ben"]), ("onto ann", ["ann", "ben"])):
        world.edit(name, user_ids=users)
    world.wish("ann")


def a_mass_is_approved(world: World) -> None:
    """What was held, on both sides, is to be carried out; one of it was edited meanwhile."""
    a_mass_is_held(world)
    world.sync()
    [hold_id] = world.inbox()
    world.edit("shoot-1", title="Still on")
    world.set_up("ann", approved_hold=hold_id)


def came_back(world: World) -> None:
    """Disconnected, edited, cancelled, deleted and entered on both sides, and connected again."""
    for name in ("renamed", "moved", "cancelled", "deleted"):
        world.book(name, title=name.title(), user_ids=["ann"], **span(len(name)))
    connection_id = world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    [account] = world.wiring.store.accounts_of_user("atelier", "ann")
    disconnect("atelier", "ann", account, world.wiring.account_ports)
    person = world.person("ann")
    world.edit("renamed", title="New name")
    person.patch("primary", identity.event(connection_id, "moved", 0), **google_span(30))
    world.edit("cancelled", status="cancelled")
    person.delete("primary", identity.event(connection_id, "deleted", 0))
    world.book("new", title="New", user_ids=["ann"], **span(40))
    world.types("ann", summary="Typed", **google_span(41))
    world.connect("ann")
    world.wish("ann")


def read_again(world: World) -> None:
    """Two-way was off, and is on again: what was edited meanwhile stays; tentative entries are wanted from now on."""
    for name in ("left", "won", "plain"):
        world.book(name, title=name.title(), user_ids=["ann"], **span(len(name)))
    connection_id = world.join("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="Perhaps", status="tentative", **google_span(20))
    world.sync()
    world.set_up("ann", two_way_appointments=False)
    world.sync()
    for name in ("left", "won"):
        world.person("ann").patch("primary", identity.event(connection_id, name, 0), location="Meanwhile")
    world.edit("won", location="Studio's")
    world.set_up("ann", two_way_appointments=True, include_tentative=True)
    world.edit("plain", title="Plainer")


FLOWS: dict[str, Flow] = {
    "populate": populate,
    "edits on both sides": edits_on_both_sides,
    "others are involved": others_are_involved,
    "deletions and guard": deletions_and_guard,
    "a mass is held": a_mass_is_held,
    "a mass is declined": a_mass_is_declined,
    "another calendar": another_calendar,
    "doubts": doubts,
    "handed to and fro": handed_to_and_fro,
    "a mass is approved": a_mass_is_approved,
    "came back": came_back,
    "read again": read_again,
}
# Of these fewer deaths are tried in `make test`: their runs are variations of the others'.
VARIATIONS = {doubts, handed_to_and_fro, a_mass_is_approved, came_back, read_again}
# What the calendar's and the database's services can do to a call, without our knowing what came of it.
UNKNOWN: dict[str, dict[str, object]] = {
    "Google's answer is lost": {"service": "google", "method": "P*", "fault": "drop", "after": True},
    "Google has it twice": {"service": "google", "method": "P*", "fault": "twice"},
    "a commit's answer is lost": {
        "service": "firestore", "method": "Commit", "fault": "timeout", "seconds": 0.01, "after": True,
    },
}  # fmt: skip

# What stands in a calendar of the user before, while and after the run, wherever that dies.
ALWAYS: dict[Flow, tuple[str, ...]] = {another_calendar: ("edited", "moved", "noted", "left alone", "unrecorded")}


@soaks
@pytest.mark.timeout(400)
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_a_run_killed_at_any_call_is_finished_by_the_next_with_nothing_lost_and_nothing_doubled(
    make_world: Callable[..., World],
    tap: Wiretap,
    flow: Flow,
    figures: Figures,
) -> None:
    world = make_world()
    flow(world)
    prepared = Snapshot(world)
    number, expected = undisturbed(world, prepared, tap)
    assert number > 5, "a flow worth killing changes more than that"
    for standing in expected["all calendars"].values():
        titles = [title for title, _ in standing]
        assert len(titles) == len(set(titles)), "nothing stands twice, in no two calendars either"
    for change in points(number, 9 if flow in VARIATIONS else 3):
        prepared.restore()
        tap.kill_at(change, "after", only=changes)
        with pytest.raises(Killed):
            world.run("ann")
        tap.disarm()
        assert set(ALWAYS.get(flow, ())) <= _standing(world), f"killed after change {change} of {number}"
        world.restart()
        world.later(minutes=11)
        world.sync()
        world.later(minutes=11)  # Where Google asked for a pause, it is over now.
        world.sync()
        figures.add("killed at every call", "kill points tried")
        assert apart(world, expected, figures, "killed at every call") == {}, f"after change {change} of {number}"


@soaks
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("flow", "what"),
    covering([edits_on_both_sides, another_calendar] if not SOAKING else [*FLOWS.values()], [*UNKNOWN]),
)
def test_a_run_that_does_not_know_what_came_of_a_call_is_put_right_with_nothing_lost_and_nothing_doubled(
    make_world: Callable[..., World], tap: Wiretap, flow: Flow, what: str, figures: Figures
) -> None:
    world = make_world()
    flow(world)
    prepared = Snapshot(world)
    _, expected = undisturbed(world, prepared, tap)
    counting = tap.faults.add(UNKNOWN[what] | {"fault": "delay", "seconds": 1e-6, "times": None})
    prepared.restore()
    world.run("ann")
    number = tap.faults.hits(counting)
    tap.faults.clear()
    for call in points(number, 9):
        prepared.restore()
        armed = tap.faults.add(UNKNOWN[what] | {"nth": call})
        with suppress(Unavailable):  # Our own storage did not answer: the queue brings the task again.
            world.run("ann")
        figures.add("answers lost", "faults struck", tap.faults.hits(armed))
        tap.faults.clear()
        for _ in range(2):
            world.later(minutes=11)
            world.sync()
        assert apart(world, expected, figures, "answers lost") == {}, f"{what}: call {call} of {number}"


@soaks
@pytest.mark.parametrize("flow", [edits_on_both_sides] if not SOAKING else FLOWS.values())
def test_every_trigger_and_every_task_may_arrive_twice(
    make_world: Callable[..., World], tap: Wiretap, flow: Flow, figures: Figures
) -> None:
    world = make_world()
    flow(world)
    prepared = Snapshot(world)
    _, expected = undisturbed(world, prepared, tap)
    prepared.restore()
    for _ in range(2):
        for appointment_id in world.appointments():
            world.trigger(appointment_id, world.front_end.appointment(appointment_id))
        world.run("ann")
        world.run("ann")
        world.wish("ann")
        world.run("ann")
    for _ in range(2):
        world.later(minutes=11)
        world.sync()
    figures.add("deliveries twice", "schedules tried")
    assert apart(world, expected, figures, "deliveries twice") == {}


@soaks
@pytest.mark.parametrize("flow", [populate, a_mass_is_held], ids=lambda flow: flow.__name__)
def test_a_run_leaves_the_same_wherever_it_dies_between_two_changes(
    make_world: Callable[..., World], tap: Wiretap, flow: Flow
) -> None:
    """Why it is enough to kill it after each change: at any other call, no other world is left for the next run."""
    world = make_world()
    flow(world)
    prepared = Snapshot(world)
    left = {0: _left(world)}
    prepared.restore()
    tap.reset()
    world.run("ann")
    number, changed, made = len(tap.calls), changes_made(tap), [call.method for call in tap.calls]
    whens: tuple[Literal["before", "after"], ...] = ("before", "after")
    for call, when in itertools.product(points(number), whens):
        for _ in range(5):
            prepared.restore()
            tap.reset()
            tap.kill_at(call, when)
            with pytest.raises(Killed):
                world.run("ann")
            so_far = [call.method for call in tap.calls]
            tap.disarm()
            if so_far == made[: len(so_far)]:
                break  # Otherwise a client has repeated a call, as under load: the number stands for another place.
        else:
            raise AssertionError(f"it makes other calls each time: {so_far} instead of {made}")
        done = sum(map(changes, tap.calls[: len(so_far)]))
        here = _left(world)
        assert different(here, left.setdefault(done, here)) == {}, f"killed {when} call {call} of {number}"
    assert left.keys() <= set(range(changed + 1))
    assert {0, changed} <= left.keys()


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_a_world_that_was_put_back_is_as_it_was(make_world: Callable[..., World], flow: Flow) -> None:
    world = make_world()
    flow(world)
    before, stood = Snapshot(world), picture(world)
    world.sync()
    world.later(minutes=11)
    world.sync()
    assert before.different(Snapshot(world)) >= {"documents", "_ahead"}, "the run leaves a trace there at least"
    before.restore()
    assert before.different(Snapshot(world)) == set()
    assert picture(world) == stood


def _left(world: World) -> dict[str, list[str]]:
    """Everything outside of the process, but for what is chosen at random and what tells the time."""
    found = Snapshot(world)
    parts: dict[str, dict[str, object]] = {
        "documents": {name: Document.to_json(document, sort_keys=True) for name, document in found.documents.items()},
        "events": {one: event for calendar in found.calendars.values() for one, event in calendar.events.items()},
        "channels": found.channels,
        "tasks": {one: task for queue in found.tasks.values() for one, task in queue.items()},
    }
    return {
        name: sorted(re.sub(r"[\w=-]{20,}|\d+", "#", f"{one}: {content}") for one, content in part.items())
        for name, part in parts.items()
    }


def _standing(world: World) -> set[str]:
    """The appointments whose event is in any calendar of their user, recorded or not."""
    connections = world.wiring.store.connections_of_user("atelier", "ann")
    event_ids = {
        event["id"]
        for calendar in world.person("ann").calendars()
        for event in world.person("ann").events(calendar["id"])
    }
    return {
        one
        for one in world.appointments()
        if event_ids & {identity.event(connection_id, one, 0) for connection_id in connections}
    }
