"""How fast one Google account may be called: Google's quota per user, counted as Google counts it.

Google counts the calls of the last minute (a sliding window), those inside a batch one by one, reads and writes alike.
Over it, it refuses. So the same is counted here, before calls are made. The margin is in the length of the window and
not in the number of calls: 600 are twelve full batches, and 588 would be eleven.

Where Google refuses nevertheless, somebody else is using the account's quota, or it is a smaller one than we believe.
Then as much as was let through is believed to be all there is, but at least half of what was believed before: less than
that has other causes (a burst, the project's quota), and they pass. The limit rises again by a tenth of the quota a
minute, half as fast for each refusal before it is back: one false alarm costs a few minutes, and a quota that is lower
for good is tried again less and less often.
"""

import datetime as dt
import math

import msgspec

from shared.domain.quotas import PER_USER

# Google's minute, and a second for clocks that differ and for batches that take different times. Calls are noted in the
# middle of the time that they took: at their end would always be safe, but leave 5 % unused where a batch takes 3 s.
WINDOW = dt.timedelta(seconds=61)
# However often it is refused: so many a minute are tried.
LEAST = 10
# A run that has called less than this is not worth a note for the next one.
MANY = 60
# After so many refusals the limit rises no slower any more: by about 2 calls a minute.
STRIKES = 6

_MINUTE = dt.timedelta(minutes=1)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has called lately: `calls` are numbers of calls by the second in which they were made (its end,
    as Unix time). Where Google has refused: when it did last, the `limit` since, and how often before it was back
    (`strikes`).
    """

    calls: dict[str, int] = msgspec.field(default_factory=dict)
    limit: int = PER_USER
    refused_at: dt.datetime | None = None
    strikes: int = 0

    def limit_at(self, now: dt.datetime) -> int:
        """How many calls within `WINDOW` are believed to be let through."""
        if self.refused_at is None:
            return self.limit
        risen = PER_USER / 10 / 2 ** (self.strikes - 1) * ((now - self.refused_at) / _MINUTE)
        return min(PER_USER, self.limit + max(0, int(risen)))

    def within_window(self, now: dt.datetime) -> int:
        """How many calls count at this time."""
        return sum(self._counting(now).values())

    def free_at(self, calls: int, now: dt.datetime) -> dt.datetime:
        """When so many calls may be made: `now`, or once enough of the earlier ones are a window ago.

        `calls` are at most `limit_at(now)`. What the limit rises by meanwhile is not waited for.
        """
        counting = self._counting(now)
        excess = sum(counting.values()) + calls - self.limit_at(now)
        at = now
        for second in sorted(counting, key=int):
            if excess <= 0:
                break
            excess -= counting[second]
            at = dt.datetime.fromtimestamp(int(second), dt.UTC) + WINDOW
        return max(at, now)

    def with_calls(self, calls: int, at: dt.datetime) -> "Spent":
        """The same after so many more calls; what is over is dropped."""
        counting = self._counting(at)
        if calls:
            second = str(math.ceil(at.timestamp()))
            counting[second] = counting.get(second, 0) + calls
        return msgspec.structs.replace(self, calls=counting)

    def refused(self, at: dt.datetime) -> "Spent":
        """The same after Google has refused a call."""
        believed = self.limit_at(at)
        learned = max(self.within_window(at), believed // 2)
        strikes = 1 if believed == PER_USER else min(self.strikes + 1, STRIKES)
        limit = max(LEAST, min(learned, believed * 9 // 10))
        return msgspec.structs.replace(self, limit=limit, refused_at=at, strikes=strikes)

    def worth_keeping(self, now: dt.datetime) -> "Spent | None":
        """What the next run should know; None where that is nothing."""
        left = self.with_calls(0, now)
        if left.limit_at(now) == PER_USER:
            left = Spent(calls=left.calls)
            if sum(left.calls.values()) < MANY:
                return None
        return left

    def _counting(self, now: dt.datetime) -> dict[str, int]:
        since = (now - WINDOW).timestamp()
        return {second: calls for second, calls in self.calls.items() if int(second) > since}
