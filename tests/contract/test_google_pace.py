"""The calendar adapter and its pace: what it asks before it calls, what it tells then, and what it sends again."""

import contextlib
import datetime as dt

import pytest

from shared.adapters.google_calendar import ATTEMPTS, GoogleCalendar
from shared.domain.content import Content, Timed
from shared.domain.errors import Forbidden, Paced, RateLimited, Unavailable
from shared.domain.event import Event, Insert
from shared.domain.link import Seal
from shared.ports import Pace
from tests.contract.test_google_adapter import HOUR, LONG_AGO, START, Ann, ann

__all__ = ["ann"]


class Told:
    """A pace that admits what it is asked for, at most `most` at once, and keeps what it was told."""

    def __init__(self, most: int = 1_000) -> None:
        self.most = most
        self.asked: list[int] = []
        self.told_of: list[tuple[int, int, dt.timedelta | None]] = []

    def admit(self, calls: int) -> int:
        self.asked.append(calls)
        return min(calls, self.most)

    def told(self, let_through: int, refused: int = 0, retry_after: dt.timedelta | None = None) -> None:
        self.told_of.append((let_through, refused, retry_after))


def paced(ann: Ann, pace: Pace) -> GoogleCalendar:
    return ann.calendars.open("c1", ann.connection, pace)


def inserts(number: int, prefix: str = "p") -> list[Insert]:
    content = Content(title="Shoot", when=Timed(START, START + HOUR))
    ids = [(f"{prefix}{n:05}", f"a{n}") for n in range(number)]
    return [Insert(event_id=one, appointment_id=of, content=content, seal=Seal("s", {})) for one, of in ids]


def test_every_call_is_asked_for_and_counted_those_of_a_batch_one_by_one(ann: Ann) -> None:
    pace = Told()
    calendar = paced(ann, pace)
    calendar.listing(LONG_AGO, None)
    calendar.write(inserts(51))
    calendar.get(["p00001"])
    assert pace.asked == [1, 50, 1, 1]
    assert pace.told_of == [(1, 0, None), (50, 0, None), (1, 0, None), (1, 0, None)]


def test_a_batch_is_as_small_as_the_pace_admits(ann: Ann) -> None:
    pace = Told(most=4)
    paced(ann, pace).write(inserts(10))
    assert [through for through, _, _ in pace.told_of] == [4, 4, 2]
    assert len(ann.calls("calendar.events.insert")) == 10


def test_what_is_refused_of_a_batch_goes_with_what_is_still_to_be_sent(ann: Ann) -> None:
    pace = Told()
    ann.google.fail_next("calendar.events.insert", 403, "userRateLimitExceeded", 20)
    outcomes = paced(ann, pace).write(inserts(70))
    assert all(isinstance(outcome, Event) for outcome in outcomes)
    assert pace.told_of == [(30, 20, None), (40, 0, None)], "two requests, as if nothing had been refused"


def test_the_time_that_google_names_in_a_batch_is_told(ann: Ann) -> None:
    pace = Told()
    ann.google.limit_rate(3, retry_after=9)
    outcomes = paced(ann, pace).write(inserts(5))
    nine = dt.timedelta(seconds=9)
    assert pace.told_of == [(3, 2, nine), *[(0, 2, nine)] * ATTEMPTS]
    refused = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert [outcome.retry_after for outcome in refused] == [nine, nine]


def test_a_batch_that_is_refused_as_a_whole_is_sent_again(ann: Ann) -> None:
    pace = Told()
    ann.google.fail_next("calendar.batch", 429, "rateLimitExceeded")
    outcomes = paced(ann, pace).write(inserts(3))
    assert all(isinstance(outcome, Event) for outcome in outcomes)
    assert pace.told_of == [(0, 3, None), (3, 0, None)]


def test_calls_that_there_is_no_time_for_say_so_and_the_others_have_their_outcomes(ann: Ann) -> None:
    class Over(Told):
        def admit(self, calls: int) -> int:
            if self.asked:
                raise Paced("enough", HOUR)
            return super().admit(calls)

    first, *others = paced(ann, Over(most=1)).write(inserts(3))
    assert isinstance(first, Event)
    assert [type(outcome) for outcome in others] == [Paced, Paced]
    over = Over()
    over.asked.append(1)
    with pytest.raises(Paced):
        paced(ann, over).write(inserts(3, "q"))
    assert len(ann.calls("calendar.events.insert")) == 1


NO_MATTER_OF_PACE = [
    "forbidden",
    "forbiddenForNonOrganizer",
    "requiredAccessLevel",
    "insufficientPermissions",
    "accessNotConfigured",
    "quotaExceeded",
    "whatever",
]


def test_no_other_403_is_ever_repeated_alone_or_in_a_batch(ann: Ann) -> None:
    pace = Told()
    calendar = paced(ann, pace)
    for number, reason in enumerate(NO_MATTER_OF_PACE):
        for calls in (1, 2):
            ann.google.fail_next("calendar.events.insert", 403, reason)
            with contextlib.suppress(Forbidden):
                calendar.write(inserts(calls, f"n{number}{calls}"))
        ann.google.fail_next("calendar.events.list", 403, reason)
        with pytest.raises((Forbidden, RateLimited, Unavailable)):
            calendar.listing(LONG_AGO, None)
    assert len(ann.calls("calendar.events.insert")) == 3 * len(NO_MATTER_OF_PACE)
    assert len(ann.calls("calendar.events.list")) == len(NO_MATTER_OF_PACE)
    assert {refused for _, refused, _ in pace.told_of} == {0}


def test_a_call_without_an_answer_counts_as_one(ann: Ann) -> None:
    pace = Told()
    ann.google.drop_next("calendar.events.list", 2)
    with pytest.raises(Unavailable):
        paced(ann, pace).listing(LONG_AGO, None)
    assert pace.told_of == [(1, 0, None)]
