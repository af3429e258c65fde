"""The quota of one user, as Google counts it: never over it, hardly under it, and what is learned from refusals."""

import datetime as dt
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from shared.domain.limiter import MANY, WINDOW, Spent
from shared.domain.quotas import PER_USER

NOW = dt.datetime(2026, 5, 20, 10, tzinfo=dt.UTC)
BATCH = 50


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


@dataclass
class Google:
    """Google's side: calls of the last 60 s, each counted when it arrives; what is refused is not counted."""

    per_minute: int = PER_USER
    window: deque[float] = field(default_factory=deque)
    let_through: list[float] = field(default_factory=list)

    def takes(self, at: float) -> bool:
        while self.window and at - self.window[0] >= 60:
            self.window.popleft()
        if len(self.window) >= self.per_minute:
            return False
        self.window.append(at)
        self.let_through.append(at)
        return True


@dataclass
class Populate:
    """What a run does, with batches that take as long as `seconds` says; times in seconds from `NOW`."""

    google: Google
    chance: random.Random
    seconds: tuple[float, float] = (0, 0)
    spent: Spent = field(default_factory=Spent)
    now: float = 0.0
    requests: int = 0
    refusals: list[float] = field(default_factory=list)

    def enter(self, number: int) -> None:
        while number:
            calls = min(BATCH, number, self.spent.limit_at(after(self.now)))
            at = self.spent.free_at(calls, after(self.now))
            self.now = (at - NOW).total_seconds()
            number -= self._batch(calls)

    def _batch(self, calls: int) -> int:
        took = self.chance.uniform(*self.seconds)
        arrivals = [self.now + took * (place + self.chance.random()) / calls for place in range(calls)]
        through = sum(self.google.takes(at) for at in arrivals)
        self.requests += 1
        self.spent = self.spent.with_calls(through, after(self.now + took / 2))
        self.now += took
        if through < calls:
            self.refusals.append(self.now)
            self.spent = self.spent.refused(after(self.now))
            self.now += 1 + self.chance.random()
        return through


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("seconds", [(0, 0), (0.2, 1.5), (1, 4), (3, 5)])
def test_all_of_the_quota_is_used_in_full_batches_and_google_never_refuses(
    seconds: tuple[float, float], seed: int
) -> None:
    run = Populate(Google(), random.Random(seed), seconds)
    run.enter(6_000)
    assert run.refusals == []
    assert run.requests == 6_000 / BATCH
    minutes = run.now / 60
    assert len(run.google.let_through) >= 0.95 * PER_USER * minutes


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("quota", "refusals"), [(300, 8), (150, 10), (40, 28)])
def test_a_quota_that_is_lower_than_we_believe_is_found_out_at_once_and_tried_again_ever_less_often(
    quota: int, refusals: int, seed: int
) -> None:
    """An hour's work. Where the quota is less than a batch, each small step up is one too many."""
    run = Populate(Google(quota), random.Random(seed), (0, 1))
    run.enter(quota * 60)
    assert len([at for at in run.refusals if at <= 10]) <= 3
    assert len(run.refusals) <= refusals, run.refusals
    assert run.now / 60 <= 60 / 0.75, "all that such a quota gives, or nearly so"


@pytest.mark.parametrize("seed", range(5))
def test_a_false_alarm_costs_no_more_than_a_few_minutes(seed: int) -> None:
    """Somebody else had used half of the first minute."""
    run = Populate(Google(window=deque([-5.0] * 300)), random.Random(seed), (0, 1))
    run.enter(12_000)
    assert len(run.refusals) == 1
    assert run.now / 60 <= 20 / 0.95 + 3, "twenty minutes' work"


def test_so_many_calls_may_be_made_as_the_last_minute_leaves_and_a_full_batch_is_waited_for() -> None:
    spent = Spent().with_calls(300, after(0)).with_calls(280, after(20))
    assert spent.free_at(20, after(30)) == after(30)
    assert spent.free_at(50, after(30)) == after(0) + WINDOW
    assert spent.free_at(400, after(30)) == after(20) + WINDOW
    assert spent.free_at(50, after(62)) == after(62)


def test_calls_count_for_a_whole_minute_after_the_end_of_their_second() -> None:
    spent = Spent().with_calls(PER_USER, after(0.01))
    at = spent.free_at(1, after(1))
    assert at - after(0.01) >= dt.timedelta(minutes=1)
    assert spent.within_window(at) == 0


def test_what_is_over_is_forgotten_so_that_a_note_of_it_stays_small() -> None:
    spent = Spent()
    for second in range(600):
        spent = spent.with_calls(5, after(second))
    assert len(spent.calls) <= WINDOW.total_seconds()


def test_a_refusal_halves_the_limit_at_most_and_takes_a_tenth_off_at_least() -> None:
    assert Spent().with_calls(20, NOW).refused(NOW).limit_at(NOW) == PER_USER / 2
    assert Spent().with_calls(450, NOW).refused(NOW).limit_at(NOW) == 450
    assert Spent().with_calls(590, NOW).refused(NOW).limit_at(NOW) == PER_USER * 0.9


def test_the_limit_rises_again_slower_after_each_refusal_until_it_is_back() -> None:
    first = Spent().with_calls(300, NOW).refused(NOW)
    assert [first.limit_at(after(60 * n)) for n in (0, 1, 3, 5, 9)] == [300, 360, 480, 600, 600]
    second = first.with_calls(300, after(61)).refused(after(61))
    assert [second.limit_at(after(61 + 60 * n)) for n in (0, 1, 3)] == [300, 330, 390]
    later = first.with_calls(300, after(600)).refused(after(600))
    assert later.limit_at(after(660)) == 360, "it was back: anew"


def test_however_often_google_refuses_something_is_tried() -> None:
    spent = Spent()
    for second in range(50):
        spent = spent.refused(after(second))
    assert spent.limit_at(after(50)) == 10


def test_the_next_run_is_told_of_many_calls_and_of_a_lower_limit_and_of_nothing_else() -> None:
    assert Spent().with_calls(MANY - 1, NOW).worth_keeping(NOW) is None
    many = Spent().with_calls(MANY, NOW)
    assert many.worth_keeping(NOW) == many
    assert many.worth_keeping(after(62)) is None
    limited = many.refused(NOW)
    assert limited.worth_keeping(after(62)) == Spent(limit=300, refused_at=NOW, strikes=1)
    assert limited.worth_keeping(after(600)) is None
