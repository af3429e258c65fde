"""Whether a run must list everything, and what for: a box ticked, a setting changed, a cursor lost, a month over."""

import datetime as dt

import msgspec

from shared.domain.connection import Connection, Populate, Reading
from shared.domain.operation import Rules
from shared.domain.settings import Studio, UserSync

# Once a month everything on both sides is compared with the links; once a day the studio's documents by `updated_at`.
IN_FULL = dt.timedelta(days=30)
BY_UPDATED_AT = dt.timedelta(hours=24)
# A front-end's clock, or a commit under way, may be behind by as much.
OVERLAP = dt.timedelta(hours=1)


def reading_of(sync: UserSync) -> Reading:
    """What the calendar is read for, by the user's settings."""
    return Reading(
        two_way=sync.two_way_appointments, tentative=sync.include_tentative, private_details=sync.private_details
    )


def to_list(connection: Connection, sync: UserSync, now: dt.datetime) -> Populate | None:
    """The full listing that is under way or to be started; None where the changes are enough."""
    under_way, reading = connection.populate, reading_of(sync)
    if under_way is not None and under_way.started_at is not None:
        # A person may have unticked a box meanwhile: that direction ends here, and what was done stays.
        left = msgspec.structs.replace(
            under_way,
            calendar=under_way.calendar and sync.populate_calendar,
            studio=under_way.studio and sync.populate_studio,
        )
        if left.calendar or left.studio or _must(connection, reading, now):
            return left
        if under_way.calendar or under_way.studio or under_way.baseline:
            return None
        # No box was ticked: it looks for what was missed, and a run that died, or had no time left, did not end that.
        return msgspec.structs.replace(left, listed=left.listed or not reading.two_way)
    ticked = sync.populate_calendar or sync.populate_studio
    if not (ticked or under_way is not None or _must(connection, reading, now)):
        return None
    return Populate(
        calendar=sync.populate_calendar,
        studio=sync.populate_studio,
        # Where nobody reads the calendar, only the studio's documents are compared.
        listed=not (reading.two_way or ticked),
        started_at=now,
        baseline=turned_on(connection, reading),
        reading=reading,
    )


def turned_on(connection: Connection, reading: Reading) -> bool:
    """Whether the calendar was not read until now: what happened there before stays as it is."""
    was = connection.reading
    return reading.two_way and connection.synced_at is not None and (was is None or not was.two_way)


def turned_off(connection: Connection, reading: Reading) -> bool:
    """Whether the calendar is not to be read any more. A channel may be open though no listing was ever through."""
    was = connection.reading
    return not reading.two_way and (connection.channel is not None or (was is not None and was.two_way))


def narrowed(connection: Connection, reading: Reading) -> Reading | None:
    """What has been read and still is; None where nothing was."""
    was = connection.reading
    if was is None:
        return None
    return msgspec.structs.replace(
        was, two_way=was.two_way and reading.two_way, tentative=was.tentative and reading.tentative
    )


def unmet(populate: Populate, sync: UserSync) -> bool:
    """Whether a listing that is through was not all that is wanted: a setting was changed, or a box ticked, since."""
    boxes = (sync.populate_calendar and not populate.calendar) or (sync.populate_studio and not populate.studio)
    return boxes or populate.reading != reading_of(sync)


def to_reconcile(connection: Connection, now: dt.datetime) -> dt.datetime | None:
    """From when on the studio's documents are to be compared by their `updated_at`; None if that is not due."""
    last = connection.reconciled_at or connection.since
    return last - OVERLAP if last <= now - BY_UPDATED_AT else None


def _must(connection: Connection, reading: Reading, now: dt.datetime) -> bool:
    """Whether everything must be listed though no box is ticked."""
    was = connection.reading
    if (connection.listed_at or connection.since) <= now - IN_FULL:
        return True
    if not reading.two_way:
        return False
    widened = was is None or (reading.tentative and not was.tentative)
    details = was is not None and reading.private_details != was.private_details
    return connection.cursors.calendar is None or turned_on(connection, reading) or widened or details


def rules_of(
    connection_id: str,
    connection: Connection,
    studio: Studio,
    sync: UserSync,
    now: dt.datetime,
    populate: Populate | None = None,
) -> Rules:
    """The rules of a run that starts now; `populate` is the full listing that it carries out, if any.

    A populate moves the beginning of the window, and nothing else does.
    """
    populate = populate or Populate()
    window_from = connection.window_from
    if populate.calendar or populate.studio:
        window_from = (populate.started_at or now) - dt.timedelta(days=studio.sync.past_days)
    return Rules(
        connection_id=connection_id,
        studio_id=connection.studio_id,
        user_id=connection.user_id,
        now=now,
        since=connection.since,
        window_from=window_from,
        read_since=populate.started_at if populate.baseline else connection.read_since,
        active_since=connection.active_since,
        calendar_populated=connection.populated.calendar,
        studio_populated=connection.populated.studio,
        populating_calendar=populate.calendar,
        populating_studio=populate.studio,
        two_way=sync.two_way_appointments,
        include_tentative=sync.include_tentative,
        private_details=sync.private_details,
        clash_policy=studio.sync.clash_policy,
        time_zone=studio.time_zone,
    )
