"""What a populate would do, without doing it (B7): counts, what may be one entry on both sides, calls, minutes.

The populate itself is carried out on ports that write nothing (`rehearsal.py`), and its operations are counted as they
are planned and stored: there is no second planner that could say something else. It takes what one listing takes in
reads, keeps one page of the calendar in memory at a time, and besides that what a populate keeps: the studio's
appointments in the window, and the pairs.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence

import msgspec

from shared.domain import forecast
from shared.domain.connection import Connection
from shared.domain.doubt import Suspect
from shared.domain.errors import Stop
from shared.domain.forecast import Count, Line, Traffic
from shared.domain.operation import Operation
from shared.domain.reasons import Reason
from shared.domain.settings import User
from shared.ports import Calendars, Clock, Store
from shared.services import reading
from shared.services.listing import Listing
from shared.services.opening import Closed, Opened, opened
from shared.services.rehearsal import Rehearsal
from shared.services.run import Run
from shared.services.sync_calendar import OUTBOX_PAGE, applier_of
from shared.services.wishes import RUNNABLE

# Suspected pairs that are told one by one; `suspected` counts them all.
SUSPECTS = 200


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen. `reason` is set where nothing would: why this user does not sync at all.

    `calendar` and `studio`: the boxes that this is about. `window_from`: what ended before stays where it is.
    `time_zone`: the studio's. `suspects`: those that come first. `reads`
    and `writes`: calls to the calendar; `minutes`: the shortest time that Google's quota for one user leaves for them.
    `later`: items that nothing can be said of now, as Google does not answer for them.
    """

    reason: Reason | None = None
    field: str = ""
    detail: str = ""
    connection_id: str | None = None
    calendar: bool = False
    studio: bool = False
    window_from: dt.datetime | None = None
    time_zone: str = ""
    counts: tuple[Count, ...] = ()
    suspected: int = 0
    suspects: tuple[Suspect, ...] = ()
    reads: Traffic = Traffic()
    writes: Traffic = Traffic()
    minutes: float = 0
    later: int = 0


def preview(
    studio_id: str,
    user_id: str,
    *,
    store: Store,
    calendars: Calendars,
    clock: Clock,
    calendar: bool = False,
    studio: bool = False,
) -> Preview:
    """A populate of `calendar`, `studio`, or both; of neither: what the user has ticked, or else both.

    Raises:
        Retry: calendar or storage does not answer just now.
    """
    known = opened(studio_id, user_id, store)
    if isinstance(known, Closed):
        return Preview(reason=known.reason, field=known.field, detail=known.detail)
    connection_id, connection, chosen = known.connection.id, known.connection.value, known.user.sync.chosen_calendar
    if connection.state not in RUNNABLE:
        return Preview(reason=connection.state_reason or Reason.NOT_CONNECTED, connection_id=connection_id)
    if not connection.is_of(chosen):
        return Preview(reason=Reason.SWITCHED, connection_id=connection_id)
    user = _ticked(known.user, calendar=calendar, studio=studio)
    try:
        return _rehearsed(msgspec.structs.replace(known, user=user), Rehearsal(store, calendars, clock))
    except Stop as lost:
        return Preview(reason=lost.reason, connection_id=connection_id)


def _ticked(user: User, *, calendar: bool, studio: bool) -> User:
    sync = user.sync
    if not (calendar or studio):
        calendar, studio = sync.populate_calendar, sync.populate_studio
    if not (calendar or studio):
        calendar = studio = True
    ticked = msgspec.structs.replace(sync, populate_calendar=calendar, populate_studio=studio)
    return msgspec.structs.replace(user, sync=ticked)


def _rehearsed(known: Opened, rehearsal: Rehearsal) -> Preview:
    ports, sync, connection_id = rehearsal.ports, known.user.sync, known.connection.id
    now = ports.clock.now()
    # One that is under way is looked at from its beginning.
    connection: Connection = msgspec.structs.replace(known.connection.value, populate=None, attempted_at=now)
    run = Run(connection_id, connection, known.connection.version, "preview", ports)
    populate = reading.to_list(connection, sync, now)
    assert populate is not None  # noqa: S101 - a box is ticked
    rules = reading.rules_of(connection_id, connection, known.studio, sync, now, populate)
    entries = ports.store.outbox(connection_id, OUTBOX_PAGE)
    applier = applier_of(run, ports.calendars.open(connection_id, connection), rules, entries)
    listing = Listing(run, applier.calendar, applier, populate)
    lines: Counter[Line] = Counter()
    suspects: list[Suspect] = []

    def planned(operations: Sequence[Operation]) -> None:
        """What is not stored, or parked, as it is then and there."""
        lines.update(forecast.line(one) for one in operations if one.parked is not None or _rests(one))

    def stored(operations: Sequence[Operation]) -> None:
        lines.update(forecast.line(one) for one in operations if one.parked is None and one.writes)

    listing.on_planned, listing.on_stored, listing.on_doubt = planned, stored, suspects.extend
    listing.carry_out({entry.id: entry.value for entry in entries})
    return Preview(
        connection_id=connection_id,
        calendar=populate.calendar,
        studio=populate.studio,
        window_from=rules.window_from,
        time_zone=rules.time_zone,
        counts=forecast.counts(lines),
        suspected=len(suspects),
        suspects=tuple(sorted(suspects, key=lambda one: str(one.studio.start))[:SUSPECTS]),
        reads=rehearsal.reads,
        writes=rehearsal.writes,
        minutes=forecast.minutes(rehearsal.reads, rehearsal.writes),
        later=len(applier.unfinished),
    )


def _rests(operation: Operation) -> bool:
    return not (operation.writes or operation.more or operation.doubt)
