"""The pace of one run: it waits where its account has called so much that Google would refuse, and after refusals.

The pause after the n-th refusal in a row is ``min(2^n s + up to 1 s, 64 s)``, n from 0, as Google recommends; where
Google names a time, that. Whatever would take longer than the run may last is left to a later run.
"""

import datetime as dt
from collections.abc import Callable

from shared.domain.errors import Paced, RateLimited
from shared.domain.limiter import Spent
from shared.ports import Clock

LONGEST_PAUSE = dt.timedelta(seconds=64)


class RunPace:
    """The `Pace` port for the calls of one run. `spent` is what is known of its account, from earlier runs too.

    `allowance`: so many calls are all that this run may make; None: as many as it has time for. `jitter` gives numbers
    from 0 to 1.
    """

    def __init__(
        self,
        spent: Spent | None,
        clock: Clock,
        jitter: Callable[[], float],
        ends_at: dt.datetime,
        allowance: int | None = None,
    ) -> None:
        self.spent = spent or Spent()
        self._clock = clock
        self._jitter = jitter
        self._ends_at = ends_at
        self._allowance = allowance
        self._made = 0
        self._refusals = 0
        self._resumes_at: dt.datetime | None = None
        self._began_at = clock.now()

    def admit(self, calls: int) -> int:
        now = self._clock.now()
        if self._allowance is not None and 0 < self._made > self._allowance - calls:
            raise Paced("a short run has called enough", dt.timedelta())
        calls = min(calls, self.spent.limit_at(now))
        at = max(self.spent.free_at(calls, now), self._resumes_at or now)
        if at > now:
            if at >= self._ends_at or (self._allowance is not None and not self._refusals):
                late = RateLimited if self._refusals else Paced
                raise late("the account has called too much for now", at - now)
            self._clock.sleep((at - now).total_seconds())
        self._began_at = self._clock.now()
        return calls

    def told(self, let_through: int, refused: int = 0, retry_after: dt.timedelta | None = None) -> None:
        now = self._clock.now()
        self._made += let_through
        self.spent = self.spent.with_calls(let_through, self._began_at + (now - self._began_at) / 2)
        if not refused:
            self._refusals, self._resumes_at = 0, None
            return
        if refused > 1:
            # A lone one may be sick: the same item, refused again and again, says nothing of the others' pace.
            self.spent = self.spent.refused(now)
        pause = min(dt.timedelta(seconds=2 ** min(self._refusals, 6) + self._jitter()), LONGEST_PAUSE)
        self._refusals += 1
        self._resumes_at = now + (pause if retry_after is None else retry_after)
