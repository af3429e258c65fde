"""The pace of an account: all of Google's quota for one user is used, and hardly ever more is asked for."""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from shared.adapters.google_calendar import ATTEMPTS
from shared.domain.limiter import MANY, Spent
from shared.domain.quotas import PER_USER
from shared.services.sync_calendar import Outcome, sync_calendar
from tests.world import World, span

INSERT, PATCH, LIST = (f"calendar.events.{name}" for name in ("insert", "patch", "list"))


class StandingClock:
    """Moves only where somebody sleeps: what is measured is what was decided, not how fast this machine is."""

    def __init__(self) -> None:
        self.time = dt.datetime.now(dt.UTC)
        self.slept: list[float] = []

    def now(self) -> dt.datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += dt.timedelta(seconds=seconds)


class Paced:
    """A world whose time, and Google's quota's, stands unless a run waits."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.google = world.cloud.google
        self.clock = StandingClock()
        world.clock = self.clock  # type: ignore[assignment]
        self.on_another_instance()
        self.outcomes: list[Outcome] = []

    def limit(self, per_minute: int, retry_after: int | None = None, status: int = 403) -> None:
        self.began = self.clock.time
        self.google.limit_rate(per_minute, status, retry_after=retry_after, clock=self.seconds)
        self.google.clear_requests()

    def seconds(self) -> float:
        return self.clock.time.timestamp()

    def filled(self, number: int, **sync: bool) -> None:
        bookings = {f"a{n:04}": {"title": f"Shoot {n}", "user_ids": ["ann"], **span(n % 2000)} for n in range(number)}
        self.world.front_end.book_many(bookings)
        self.world.join("ann", **sync)

    def book_more(self, number: int) -> None:
        """To be populated as well."""
        more = {f"b{n:04}": {"title": f"More {n}", "user_ids": ["ann"], **span(n)} for n in range(number)}
        self.world.front_end.book_many(more)
        self.world.set_up("ann", populate_calendar=True)

    def on_another_instance(self) -> None:
        self.world.restart()
        self.world.wiring.jitter = lambda: 0.5

    def run(self, queue: str = "populate") -> None:
        """Runs as the tasks would come, each at its time, until the connection is only due as usual."""
        for _ in range(60):
            outcome = self.once(queue)
            if outcome is Outcome.DONE:
                return
            due = self.world.connection("ann").next_sync_at
            assert due is not None
            self.clock.time = max(self.clock.time, due)
        raise AssertionError("it goes on and on")

    def once(self, queue: str = "populate") -> Outcome:
        wiring = self.world.wiring
        outcome = sync_calendar(self.world.connections["ann"], wiring.run_ports, wiring.channel_key, queue)
        self.outcomes.append(outcome)
        return outcome

    @property
    def minutes(self) -> float:
        """Since the limit was set."""
        return (self.clock.time - self.began) / dt.timedelta(minutes=1)

    @property
    def through(self) -> int:
        return sum(call.let_through for call in self.google.counted_calls)

    @property
    def refusals(self) -> list[float]:
        """When anything was refused, in minutes: what was refused at the same time was refused at once."""
        began = self.began.timestamp()
        return sorted({(call.at - began) / 60 for call in self.google.counted_calls if not call.let_through})

    @property
    def batches(self) -> int:
        """HTTP requests that carried events out."""
        alone = Counter(request.method_id for request in self.google.requests if not request.in_batch)
        inserted = {request.method_id for request in self.google.requests if request.in_batch}
        assert inserted <= {INSERT, PATCH}
        return self.google.http_requests - sum(count for method, count in alone.items() if method != INSERT)


@pytest.fixture
def paced(world: World) -> Iterator[Paced]:
    made = Paced(world)
    yield made
    made.google.limit_rate(None)


def test_populates_use_the_quota_in_full_batches_and_are_never_refused(paced: Paced) -> None:
    """The second one comes to an instance that knows of the first only what is stored."""
    paced.filled(300, populate_calendar=True)
    paced.limit(PER_USER)
    paced.run()
    assert (paced.clock.slept, paced.batches) == ([], 6)
    paced.on_another_instance()
    paced.book_more(950)
    paced.google.clear_requests()
    paced.run()
    assert paced.refusals == []
    assert paced.batches <= math.ceil(950 / 50)
    assert len(paced.world.events("ann")) == 1_250
    in_two_minutes = sum(call.at < paced.began.timestamp() + 2 * 60 for call in paced.google.counted_calls)
    assert in_two_minutes >= 0.95 * PER_USER * 2
    assert paced.minutes <= 2 * 62 / 60, "it ends with the third minute's first calls"
    assert max(paced.clock.slept) <= 62
    assert paced.outcomes == [Outcome.DONE, Outcome.DONE], "waiting was within the slice"


def test_a_quota_that_is_lower_than_we_believe_is_found_out_and_nothing_is_doubled(paced: Paced) -> None:
    paced.filled(300, populate_calendar=True)
    paced.limit(150)
    paced.run()
    assert len(paced.world.events("ann")) == 300
    found_out, then = paced.refusals[:2], paced.refusals[2:]
    assert found_out[-1] < 0.1
    assert all(later - earlier > 0.9 for earlier, later in pairwise([found_out[-1], *then]))
    assert paced.minutes <= 300 / 150 + 1.5
    inserted = [call for call in paced.google.requests if call.method_id == INSERT and call.status == 200]
    assert len(inserted) == 300


def test_what_a_run_has_learned_of_a_lower_quota_the_next_one_keeps_to(paced: Paced) -> None:
    paced.filled(60, populate_calendar=True)
    paced.limit(40)
    paced.run()
    spent = paced.world.connection("ann").spent
    assert spent is not None
    assert spent.limit <= 40
    paced.google.limit_rate(None)
    paced.on_another_instance()
    paced.clock.slept.clear()
    paced.book_more(50)
    paced.run()
    assert len(paced.world.events("ann")) == 110
    assert sum(paced.clock.slept) > 30, "nobody refuses any more: it is its own limit that it keeps to"


@pytest.mark.parametrize("status", [403, 429])
def test_part_of_a_batch_that_is_refused_is_sent_again_in_the_same_run(paced: Paced, status: int) -> None:
    paced.filled(20, populate_calendar=True)
    paced.google.fail_next(INSERT, status, "rateLimitExceeded", times=5)
    paced.google.clear_requests()
    assert paced.once() is Outcome.DONE
    assert len(paced.world.events("ann")) == 20
    assert [call.status for call in paced.google.requests if call.method_id == INSERT].count(200) == 20
    assert paced.clock.slept == [1.5], "one second, and half a one by chance"
    assert paced.world.front_end.user("ann")["sync"]["populate_calendar"] is False


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "rateLimitExceeded"), (403, "userRateLimitExceeded"), (429, "rateLimitExceeded")]
)
@pytest.mark.parametrize("method", [INSERT, LIST])
def test_a_refusal_for_pace_is_repeated_with_pauses_that_double(
    paced: Paced, method: str, status: int, reason: str
) -> None:
    paced.filled(1, populate_calendar=True)
    paced.google.fail_next(method, status, reason, times=ATTEMPTS - 1)
    assert paced.once() is Outcome.DONE
    assert paced.clock.slept == [1.5, 2.5]
    assert len(paced.world.events("ann")) == 1


def test_the_time_that_google_names_is_waited_for(paced: Paced) -> None:
    paced.filled(20, populate_calendar=True)
    paced.limit(15, retry_after=70)
    assert paced.once() is Outcome.DONE
    assert paced.clock.slept == [70]
    assert len(paced.world.events("ann")) == 20


def test_a_time_that_is_longer_than_a_run_lasts_is_waited_for_between_runs(paced: Paced) -> None:
    paced.filled(20, populate_calendar=True)
    paced.limit(15, retry_after=600)
    assert paced.once() is Outcome.LATER
    assert paced.clock.slept == []
    connection = paced.world.connection("ann")
    assert connection.not_before == connection.next_sync_at == paced.clock.time + dt.timedelta(seconds=600 * 1.05)
    paced.world.wish("ann")
    assert paced.once() is Outcome.NOTHING_DUE, "a wish does not cut a pause short that Google asked for"
    paced.clock.time += dt.timedelta(seconds=630)
    paced.run()
    assert len(paced.world.events("ann")) == 20


def test_a_populate_that_is_more_than_a_few_calls_goes_on_in_its_own_queue(paced: Paced) -> None:
    paced.filled(130, populate_calendar=True)
    paced.google.clear_requests()
    assert paced.once("now") is Outcome.LATER
    assert len(paced.world.events("ann")) == 100
    connection = paced.world.connection("ann")
    assert (connection.next_sync_at, connection.failures, connection.not_before) == (paced.clock.time, 0, None)
    queued = [task for task in paced.world.cloud.tasks.tasks if connection_id(paced) in task.body.decode()]
    assert "populate" in {task.queue for task in queued}
    assert paced.once() is Outcome.DONE
    assert len(paced.world.events("ann")) == 130
    assert paced.batches == 3
    assert len([call for call in paced.google.requests if call.method_id == LIST]) == 1


def connection_id(paced: Paced) -> str:
    return paced.world.connections["ann"]


def test_a_wait_that_is_longer_than_the_slice_is_a_task_at_its_end_and_no_failure(paced: Paced) -> None:
    paced.filled(60, populate_calendar=True)
    stored = paced.world.firestore.document(f"connections/{connection_id(paced)}")
    second = str(math.ceil(paced.clock.time.timestamp()))
    stored.update({"spent": {"calls": {second: PER_USER - 30}}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.services.run.SLICE", dt.timedelta(seconds=30))
        assert paced.once() is Outcome.LATER
    assert paced.clock.slept == []
    connection = paced.world.connection("ann")
    assert connection.next_sync_at is not None
    assert dt.timedelta(seconds=60) <= connection.next_sync_at - paced.clock.time <= dt.timedelta(seconds=62)
    assert (connection.failures, connection.not_before) == (0, None)
    [task] = [
        one
        for one in paced.world.cloud.tasks.tasks
        if one.queue == "populate" and connection_id(paced) in one.body.decode()
    ]
    assert task.due == pytest.approx(connection.next_sync_at.timestamp())


def test_an_idle_run_notes_nothing_of_its_calls(paced: Paced) -> None:
    paced.filled(1, populate_calendar=True)
    paced.run()
    assert paced.world.connection("ann").spent is None


def test_a_note_of_many_calls_goes_when_it_is_old(paced: Paced) -> None:
    paced.filled(MANY, populate_calendar=True)
    paced.run()
    assert isinstance(paced.world.connection("ann").spent, Spent)
    paced.clock.time += dt.timedelta(minutes=5)
    paced.world.wish("ann")
    paced.run()
    assert paced.world.connection("ann").spent is None


def test_waits_after_failures_differ_by_chance_and_are_half_as_long_at_least(paced: Paced) -> None:
    waits = []
    paced.filled(0)
    paced.run()
    for chance in (0.0, 0.5, 0.999):
        paced.world.wiring.jitter = lambda chance=chance: chance
        paced.world.wish("ann")
        paced.google.fail_next(LIST, 503, "backendError")
        assert paced.once() is Outcome.LATER
        due = paced.world.connection("ann").next_sync_at
        assert due is not None
        waits.append((due - paced.clock.time).total_seconds())
        paced.clock.time = due
        paced.run()
    assert waits == pytest.approx([15, 22.5, 30], abs=0.1)
