"""A studio driven through random histories on the real parts (see `studio_in_motion.py` for what must hold).

A state machine of Hypothesis, as its rules see what has become of the studio so far: a list of commands drawn
beforehand would mostly name what is not there. A failing history is printed as the steps that lead to it, made as short
as can be. `make soak` tries many more, from a seed that it prints: ``SOAK=1 SOAK_SEED=1234 SOAK_EXAMPLES=200`` repeats
them. Making a history short takes minutes; ``SOAK_SHRINK=0`` prints it as it was found.
"""

import functools
import os
import random
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from local.wiretap import Call, Wiretap
from tests.end_to_end.idling import assert_idle
from tests.end_to_end.killing import changes
from tests.end_to_end.studio_in_motion import TEXTS, UNITS, USERS, Studio
from tests.figures import Figures
from tests.soak import SOAKING, soaks
from tests.world import World

EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "20" if SOAKING else "2"))
STEPS = 30 if SOAKING else 16
IDLE_RUNS = 50 if SOAKING else 10

who = st.sampled_from(USERS)
several = st.sampled_from([("ann",), ("ben",), ("ann", "ben")])
which = st.integers(0, 30)
yes_or_no = st.booleans()
units = st.sampled_from(UNITS)

# To the calendar, one call or a batch of them; and each of these calls, wherever it is.
WRITING, WRITE = "[!G]* /*calendar/*", "[!G]* /calendar/*"
LATE = {"service": "firestore", "fault": "timeout", "seconds": 0.01}
FAULTS: dict[str, dict[str, Any]] = {
    "Google is sick": {"service": "google", "method": WRITING, "fault": "fail", "status": 503},
    "a lost answer": {"service": "google", "method": WRITING, "fault": "drop", "after": True},
    "a lost request": {"service": "google", "method": WRITING, "fault": "drop"},
    "not what was asked for": {"service": "google", "method": WRITING, "fault": "garbage"},
    "sent twice": {"service": "google", "method": WRITING, "fault": "twice", "times": None},
    "one is refused": {
        "service": "google", "method": WRITE, "fault": "fail", "status": 403, "reason": "rateLimitExceeded",
    },
    "all but one are refused for long": {
        "service": "google", "method": WRITE, "fault": "fail", "status": 429, "reason": "rateLimitExceeded",
        "retry_after": 600, "nth": 2, "times": None,
    },
    "a listing fails": {"service": "google", "method": "GET */events", "fault": "fail", "status": 500},
    "a read too late": {**LATE, "method": "BatchGetDocuments", "nth": 4},
    "the first commit too late": {**LATE, "method": "Commit", "nth": 2},
    "a commit too late": {**LATE, "method": "Commit", "nth": 3},
    "a commit whose answer is lost": {**LATE, "method": "Commit", "nth": 2, "after": True},
    "a commit aborted": {"service": "firestore", "method": "Commit", "fault": "fail", "status": "ABORTED", "nth": 2},
}  # fmt: skip


Deed = Callable[[Studio], bool]


def deed(name: str, *arguments: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]) -> st.SearchStrategy[Deed]:
    """Something that people do, drawn with its arguments, and shown with them where it failed."""
    return st.builds(_Deed, st.just(name), st.tuples(*arguments), st.fixed_dictionaries(named))


class _Deed(NamedTuple):
    name: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    def __call__(self, studio: Studio) -> bool:
        return bool(getattr(studio, self.name)(*self.arguments, **self.named))


def writes_to_calendar(call: Call) -> bool:
    return call.service == "google" and changes(call)


class Dies(NamedTuple):
    """The run dies at its `number`-th change, or (`calendar`) its first one to the calendar."""

    number: int
    when: Literal["before", "after"]
    calendar: bool = False

    def __call__(self, studio: Studio, user_id: str) -> bool:
        return studio.dies(user_id, self.number, self.when, writes_to_calendar if self.calendar else changes)


class Fails(NamedTuple):
    fault: str

    def __call__(self, studio: Studio, user_id: str) -> bool:
        return studio.fails(user_id, FAULTS[self.fault])


sides = st.tuples(st.sampled_from(["studio", "studio", "calendar"]), st.sampled_from(["studio", "calendar"]))
# A run with one thing to carry out claims, writes to the calendar, says so, clears the outbox, and is over.
deaths = st.one_of(
    st.tuples(
        st.tuples(st.just("studio"), st.sampled_from(["calendar", "studio"])), st.just(Dies(1, "after", calendar=True))
    ),
    st.tuples(sides, st.builds(Dies, st.integers(2, 4), st.sampled_from(["before", "after"]))),
)
faults = st.tuples(sides, st.builds(Fails, st.sampled_from(sorted(FAULTS))))

edits = [deed("edit", which, units, all_day=yes_or_no), deed("edit_event", which, who, units, all_day=yes_or_no)]
deeds = st.one_of(
    *edits,
    *edits,
    deed("clash", which, units, who),
    deed("book", several, all_day=yes_or_no),
    deed("insert", who, all_day=yes_or_no, tentative=yes_or_no),
    deed("cancel", which, erase=yes_or_no),
    deed("reopen", which),
    deed("delete", which, who),
    deed("restore", which, who),
    deed("reassign", which, several),
    deed("convert", which),
)


settings_and_answers = st.one_of(
    deed("set_policy", st.sampled_from(["studio", "google", "latest"])),
    deed("set_tentative", who, on=yes_or_no),
    deed("set_details", who, on=yes_or_no),
    deed("pause", who, on=yes_or_no),
    deed("populate", who),
    deed("mirror", who, on=yes_or_no),
    deed("leave", who),
    deed("come_back", who),
    deed("switch", who, st.integers(1, 40)),
    deed("answer", which, st.sampled_from(["take_off", "put_back"])),
)
deliveries = st.one_of(deed("late", st.integers(1, 4)), deed("repeat", which))
# Of these two edits in a row can always be told apart.
edited_twice = st.sampled_from([*TEXTS, "when"])


class InMotion(RuleBasedStateMachine):
    make: Callable[[], Studio]
    tap: Wiretap
    count: Callable[..., None]

    def __init__(self) -> None:
        super().__init__()
        self.studio = self.make()

    # The studio.

    @initialize(first=several, all_day=yes_or_no, policy=st.sampled_from(["studio", "google"]))
    def begins(self, first: tuple[str, ...], policy: str, *, all_day: bool) -> None:
        self.studio.set_policy(policy)
        self.studio.book(first, all_day=all_day)
        self.studio.book(("ann",), all_day=False)
        self.studio.insert("ann", all_day=all_day, tentative=False)
        self.studio.converge()

    def does(self, *things: Deed) -> None:
        for thing in things:
            thing(self.studio)

    @rule(one=deeds, other=deeds, third=deeds)
    def people_do(self, one: Deed, other: Deed, third: Deed) -> None:
        self.does(one, other, third)

    @rule(one=settings_and_answers, other=deeds)
    def set_up(self, one: Deed, other: Deed) -> None:
        self.does(other, one)

    # The machinery. What it is struck by comes amid edits of one and the same, as that is where it matters.

    def struck(
        self, beside: Deed, where: int, unit: Any, user: str, blow: tuple[tuple[str, str], Dies | Fails]
    ) -> None:
        """And the next run goes on from there, before anything else happens."""
        self.does(beside)
        if self.studio.amid(where, unit, blow[0], user, blow[1]):
            self.studio.world.later(minutes=11)
            self.studio.run(user)

    # Each rule has the same share of the steps: this one has more of them.
    _dies = rule(beside=deeds, where=which, unit=edited_twice, user=who, blow=deaths)
    _fails = rule(beside=deeds, where=which, unit=edited_twice, user=who, blow=faults)
    dies, dies_too, fails, fails_too = _dies(struck), _dies(struck), _fails(struck), _fails(struck)

    @rule(one=deeds, user=who)
    def run(self, one: Deed, user: str) -> None:
        self.does(one)
        self.studio.run(user)

    @rule(one=st.one_of(deed("book", several, all_day=yes_or_no), deeds), user=who)
    def slow(self, one: Deed, user: str) -> None:
        self.does(one)
        self.studio.slow(user)

    @rule(one=deeds, other=deeds, user=who)
    def overtaken(self, one: Deed, other: Deed, user: str) -> None:
        self.does(one)
        self.studio.overtaken(user, lambda: self.does(other))

    @rule(one=deliveries, minutes=st.sampled_from([1, 11, 60, 25 * 60]))
    def time_passes(self, one: Deed, minutes: int) -> None:
        self.does(one)
        self.studio.world.later(minutes=minutes)

    @rule(approve=yes_or_no)
    def converge(self, *, approve: bool) -> None:
        self.studio.converge(approve=approve)

    def teardown(self) -> None:
        """At the end all is well, and stays so; unless something was wrong before, which says more."""
        self.tap.disarm()
        self.tap.faults.clear()
        if sys.exc_info()[0] is not None:
            return
        self.studio.converge()
        for user_id in USERS:
            self.studio.mirror(user_id, on=False)
        assert_idle(self.studio.world, self.tap, IDLE_RUNS)
        self.count("idle runs", IDLE_RUNS)
        self.count("schedules tried")


@pytest.fixture
def make_studio(
    make_world: Callable[..., World], tap: Wiretap, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> Callable[[], Studio]:
    def studio() -> Studio:
        world = make_world()
        google = world.cloud.google
        for part, clock in ((google.push, "_now"), (google._calendars, "now")):
            monkeypatch.setattr(part, clock, world.clock.now)
        return Studio(world, tap, figures)

    return studio


class Overtaken(NamedTuple):
    def __call__(self, studio: Studio, user_id: str) -> bool:
        return studio.slow(user_id)


# With several things to carry out a run claims, stores what the calendar has, writes to the calendar, stores that, and
# clears the outbox.
BLOWS: tuple[Dies | Fails | Overtaken, ...] = (
    *(Dies(number, "after") for number in (2, 3, 4, 5)),
    *(Fails(fault) for fault in sorted(FAULTS)),
    Overtaken(),
)
# On which side an appointment is edited before a run is struck, and on which right after it.
STORIES = (
    ("studio", "calendar"),
    ("studio", "studio"),
    ("studio", "nobody"),
    ("calendar", "studio"),
    ("calendar", "nobody"),
    ("booking", "calendar"),
)


@soaks
@pytest.mark.timeout(3600 if SOAKING else 240)
@pytest.mark.parametrize("policy", ["studio", "google", "latest"] if SOAKING else ["studio"])
@pytest.mark.parametrize("two_way", [True, False] if SOAKING else [True])
def test_nothing_is_lost_or_doubled_whatever_strikes_a_run_amid_edits(
    make_studio: Callable[[], Studio], policy: str, *, two_way: bool
) -> None:
    studio = make_studio()
    studio.set_policy(policy)
    for _ in STORIES:
        studio.book(("ann",), all_day=False)
    studio.converge()
    studio.mirror("ann", on=not two_way)
    standing = list(studio.entries)
    for number, blow in enumerate(BLOWS):
        unit = ("title", "description", "location", "when")[number % 4]
        edited = []
        for (first, then), entry in zip(STORIES, standing, strict=True):
            if first == "booking":
                studio.book(("ann",), all_day=False)
            elif not studio.edit_on(first, entry, "ann", unit):
                continue
            edited.append((studio.entries[-1] if first == "booking" else entry, then))
        blow(studio, "ann")
        for entry, then in edited:
            if then != "nobody":
                studio.edit_on(then, entry, "ann", unit)
        try:
            studio.converge()
        except AssertionError as error:
            error.add_note(f"The run was struck by: {blow}; all edits were of: {unit}")
            raise


@soaks
@pytest.mark.timeout(3600 if SOAKING else 240)
def test_whatever_happens_to_a_studio_both_sides_agree_in_the_end_and_nothing_is_lost_or_doubled(
    make_studio: Callable[[], Studio], tap: Wiretap, figures: Figures
) -> None:
    def machine() -> InMotion:
        InMotion.make, InMotion.tap = staticmethod(make_studio), tap
        InMotion.count = functools.partial(figures.add, "studio in motion")
        return InMotion()

    # In `make test` always the same histories, chosen so that much happens in few of them.
    number = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(10**6) if SOAKING else 2))
    if SOAKING:
        print(f"SOAK_SEED={number} SOAK_EXAMPLES={EXAMPLES}")  # noqa: T201 - to repeat it
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if os.environ.get("SOAK_SHRINK", "1") == "1" else [Phase.generate],
    )
    seed(number)(machine)
    run_state_machine_as_test(machine, settings=chosen)
