"""Google's quotas for the Calendar API, and how the project's is shared out: the one place that says so.

Three queues deliver runs: `now` for what somebody waits for (pushes, edits, answers), `scheduled` for what is due, and
`populate` for whatever takes more than a few calls. Each has a share of the project's quota, and what Cloud Tasks
dispatches for it cannot take much more: `populate` can never, as each of its runs is held to the quota of its user.
A run of another queue is short: once it has called `CALLS_OF_A_SHORT_RUN` times, it goes on in `populate`.

Source: "Manage quotas" of the Calendar API, for projects made since May 2026. The number of calls a day from which
Google will ask for money (1,000,000) is no limit: with live channels a connection takes 4 to 6 a day.
"""

import msgspec

# Calls a minute, by each user of the project, and by all of them.
PER_USER = 600
PER_PROJECT = 10_000

# The most calls of a run that is delivered by another queue than `populate`: two batches, and what comes before them.
CALLS_OF_A_SHORT_RUN = 120


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What Cloud Tasks is to hold a queue to (``rateLimits`` of its resource)."""

    max_dispatches_per_second: float
    max_concurrent_dispatches: int


def _of_short_runs(share: float, *, calls: int, seconds: float) -> Queue:
    """Of runs that take so many calls and seconds, as most do."""
    per_second = PER_PROJECT * share / 60 / calls
    return Queue(
        max_dispatches_per_second=round(per_second, 1), max_concurrent_dispatches=max(1, int(per_second * seconds))
    )


def _of_long_runs(share: float) -> Queue:
    """Of runs that each use up their own user's quota, for minutes."""
    most = int(PER_PROJECT * share / PER_USER)
    return Queue(max_dispatches_per_second=float(most), max_concurrent_dispatches=most)


# A run that somebody waits for lists what has changed, and writes a little; one that is merely due only lists, and
# rarely opens a channel anew. What is left is for the console, and for runs that take more than most.
QUEUES = {
    "now": _of_short_runs(0.35, calls=3, seconds=4),
    "scheduled": _of_short_runs(0.35, calls=2, seconds=4),
    "populate": _of_long_runs(0.25),
}
