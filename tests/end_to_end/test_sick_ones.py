"""One that is sick holds nobody up: an item among 500, a connection among others, tick after tick."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from local.google.errors import known
from local.wiretap import Wiretap
from shared.domain import identity
from shared.domain.reasons import Reason
from shared.ports import Due, Task
from shared.services.apply import MANY_TRIES
from shared.services.fan_out import fan_out
from shared.services.run import LONGEST_WAIT
from shared.services.studio_changes import appointment_written
from shared.services.sync_calendar import Outcome, sync_calendar
from shared.services.why import why_appointment
from shared.services.wishes import wish
from tests.soak import SOAKING, soaks
from tests.world import STUDIO, World, google_span, span

INSERT, LIST = "calendar.events.insert", "calendar.events.list"
INTERVAL = dt.timedelta(minutes=10)

Refusals = Mapping[str, tuple[str, int]]


def refuse(world: World, patch: pytest.MonkeyPatch, method: str, refused: Refusals, of: Callable[[Any], str]) -> None:
    """Google refuses calls of a method with a reason and a status, always, by what `of` says of them."""
    handlers = world.cloud.google._gateway._handlers
    usual = handlers[method]

    def answered(call: Any) -> Any:
        if of(call) in refused:
            raise known(*refused[of(call)])
        return usual(call)

    patch.setitem(handlers, method, answered)  # type: ignore[arg-type]


def test_two_sick_items_among_500_hold_nobody_up_and_are_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"No answer": ("backendError", 500), "Too fast": ("rateLimitExceeded", 403)}
    refuse(world, monkeypatch, INSERT, refused, lambda call: str(call.body.get("summary")))
    bookings = {f"a{n:03}": {"title": f"Shoot {n}", "user_ids": ["ann"], **span(n)} for n in range(498)}
    bookings["s1"] = {"title": "No answer", "user_ids": ["ann"], **span(20)}
    bookings["s2"] = {"title": "Too fast", "user_ids": ["ann"], **span(30)}
    world.front_end.book_many(bookings)
    world.join("ann", populate_calendar=True)
    began = world.clock.ahead
    assert world.run("ann") is Outcome.LATER
    assert len(world.events("ann")) == 498
    assert world.clock.ahead - began < dt.timedelta(seconds=20), "four pauses for the one, and none for the others"
    assert world.front_end.user("ann")["sync"]["populate_calendar"] is False
    left = world.below("ann", "outbox")
    assert {entry["appointment_id"]: entry["tries"] for entry in left.values()} == {"s1": 1, "s2": 1}
    runs = goes_on_as_usual(world)
    while world.connection("ann").parked < 2:
        assert runs < MANY_TRIES + 2
        world.later(minutes=31)
        world.run("ann")
        runs += 1
    for one in ("s1", "s2"):
        why = why_appointment(
            STUDIO, "ann", one, store=world.wiring.store, calendars=world.wiring.calendars, clock=world.clock
        )
        assert why.reason is Reason.REFUSED_BY_PROVIDER
    assert world.connection("ann").failures == 0


def goes_on_as_usual(world: World) -> int:
    """After several failures in a row the next run is no later, and a push and an edit are still carried out at once.

    Gives the number of runs.
    """
    for _ in range(6):
        world.later(minutes=11)
        assert world.run("ann") is Outcome.LATER
    connection = world.connection("ann")
    assert connection.failures == 7
    assert connection.next_sync_at is not None
    assert connection.next_sync_at <= world.clock.now() + INTERVAL, "the studio's, as there is no live channel"
    world.edit("a000", title="Renamed")
    world.run("ann")
    assert "Renamed" in world.titles("ann")
    world.types("ann", summary="Dentist", **google_span(7))
    assert world.push("ann") == "wished"
    world.run("ann")
    assert "Dentist" in {document["title"] for document in world.appointments().values()}
    return 9


def test_what_is_refused_for_ever_with_a_short_pause_each_time_is_tried_less_and_less_often(
    world: World, tap: Wiretap
) -> None:
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    refused = {"status": 429, "reason": "rateLimitExceeded", "retry_after": 5, "times": None}
    tap.faults.add({"service": "google", "method": "POST */events", "fault": "fail", **refused})
    waits = []
    for _ in range(7):
        assert world.run("ann") is Outcome.LATER
        due = world.connection("ann").next_sync_at
        assert due is not None
        waits.append((due - world.clock.now()).total_seconds())
        world.later(seconds=waits[-1] + 1)
    assert waits[0] < 10, "as Google asks"
    assert waits[-1] > 600
    tap.faults.clear()
    assert world.run("ann") is Outcome.DONE
    assert world.titles("ann") == ["Shoot"]


class Queue:
    """Keeps tasks, and knows what names were used, as Cloud Tasks does for a day."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.names: set[str] = set()

    def enqueue(self, tasks: Sequence[Task]) -> list[tuple[Task, Exception]]:
        self.tasks += [task for task in tasks if task.name not in self.names]
        self.names |= {task.name for task in tasks}
        return []

    def taken(self, target: str) -> list[Task]:
        found = [task for task in self.tasks if task.target == target]
        self.tasks = [task for task in self.tasks if task.target != target]
        return found


def tick(world: World, queue: Queue, number: int, page: int = 2) -> list[str]:
    """One tick, all its pages, and the runs that it starts; gives the connections that it ran, in their order."""
    after: Due | None = None
    while fan_out(f"tick-{number}", after, world.wiring.store, queue, world.clock, page).more:
        [task] = queue.taken("fan_out")
        place = task.body["after"]
        after = Due(place["connection_id"], dt.datetime.fromisoformat(place["next_sync_at"]))
    ran = [str(task.body["connection_id"]) for task in queue.taken("sync_user")]
    for connection_id in ran:
        sync_calendar(connection_id, world.wiring.run_ports, world.wiring.channel_key, "scheduled")
    return ran


@soaks
@pytest.mark.timeout(600)
def test_dead_connections_starve_no_live_ones_tick_after_tick(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Pages of two, and more that are dead than fit on one: they would come first if failing did not put them back.
    Soaking, there are a hundred.
    """
    dead = ("silent", "limited", "unreadable", "revoked")
    live = ("ann", "ben", "cleo", *(f"user-{number}" for number in range(93 if SOAKING else 0)))
    for user_id in (*dead, *live):
        world.join(user_id)
        world.sync(user_id)
    emails = world.emails
    refused = {emails["silent"]: ("backendError", 500), emails["limited"]: ("rateLimitExceeded", 429)}
    refuse(world, monkeypatch, LIST, refused, lambda call: str(call.account.email))
    world.cloud.google.accounts.refuse_tokens(emails["revoked"])
    world.cloud.google.expire_access_tokens(emails["revoked"])
    document = world.firestore.document(f"connections/{world.connections['unreadable']}")
    document.update({"since": "once", "next_sync_at": world.clock.now() - dt.timedelta(days=1)})
    named = {connection_id: user_id for user_id, connection_id in world.connections.items()}
    queue, ran = Queue(), Counter[str]()
    for user_id in dead:
        if user_id != "unreadable":
            wish(world.connections[user_id], world.wiring.store, queue, world.clock)
    for number in range(8):
        for user_id in live:
            world.types(user_id, summary=f"{number}", **google_span(number))
            wish(world.connections[user_id], world.wiring.store, queue, world.clock)
        queue.tasks.clear()  # All of the wishes' own tasks are lost: the tick alone is to help.
        ran.update(named[one] for one in tick(world, queue, number))
        titles = Counter(document["title"] for document in world.appointments().values())
        assert titles == {str(done): len(live) for done in range(number + 1)}
        world.later(minutes=1)
    assert {user_id: ran[user_id] for user_id in live} == dict.fromkeys(live, 8)
    assert ran["revoked"] == 1, "it waits for a person"
    assert world.connection("revoked").state == "needs_reauth"
    assert ran["silent"] <= 5 >= ran["limited"], "they are tried less and less often"
    assert "connection cannot be read" in caplog.text
    for user_id in ("silent", "limited"):
        connection = world.connection(user_id)
        assert connection.failures == ran[user_id]
        assert connection.next_sync_at is not None
        assert connection.next_sync_at <= world.clock.now() + LONGEST_WAIT


def test_a_name_that_is_used_up_costs_a_tick_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a wish's task was used before, so Cloud Tasks takes it for the same and drops it."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    queue, now = Queue(), world.clock.now()
    monkeypatch.setattr(world.clock, "now", lambda: now)
    queue.names.add(identity.sync_task(world.connections["ann"], now, ""))
    before = world.front_end.appointment("shoot")
    world.front_end.edit("shoot", title="Renamed")
    after, store = world.front_end.appointment("shoot"), world.wiring.store
    appointment_written(STUDIO, "shoot", before, after, now, store=store, tasks=queue, clock=world.clock)
    assert queue.tasks == []
    assert tick(world, queue, 1) == [world.connections["ann"]]
    assert world.titles("ann") == ["Renamed"]
