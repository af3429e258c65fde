"""What one run shows of how well a connection is kept in step: the numbers of its line in the log.

All are seconds. An alert policy needs no more than one line a run: `docs/operations.md` names the fields.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from shared.domain.connection import OutboxEntry
from shared.domain.operation import Operation
from shared.services.run import Run


class Measured:
    """Of one run, while it goes on. `news`: how late the newest change in the calendar reached the studio;
    `carried`: how late the oldest change in the studio, of those that reached the calendar now.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._verified_at = run.connection.synced_at
        self._in_calendar: dt.datetime | None = None
        self._in_studio: dt.datetime | None = None

    def carried(
        self, operations: Sequence[Operation], entries: Iterable[OutboxEntry], news: Iterable[dt.datetime | None]
    ) -> None:
        """What has been carried out; `entries` is what the outbox said, `news` when the events were changed that were
        new to the studio.
        """
        written = {one.appointment_id: one.changed_at for one in entries if one.changed_at is not None}
        sent = {one.item.appointment_id for one in operations if one.calendar is not None}
        self._in_studio = min((at for one, at in written.items() if one in sent), default=None)
        self._in_calendar = max((at for at in news if at is not None), default=None)

    def fields(self) -> dict[str, object]:
        run, now = self._run, self._run.ports.clock.now()
        age = None if self._verified_at is None else run.started_at - self._verified_at
        return {
            "run": run.id,
            "failures": run.failures,
            "verified_age_seconds": _seconds(age),
            "push_latency_seconds": _seconds(None if self._in_calendar is None else now - self._in_calendar),
            "studio_latency_seconds": _seconds(None if self._in_studio is None else now - self._in_studio),
        }


def _seconds(time: dt.timedelta | None) -> float | None:
    """Clocks differ: what seems to have come before it was sent came at once."""
    return None if time is None else max(0.0, round(time.total_seconds(), 1))
