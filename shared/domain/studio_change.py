"""What a write to a studio's appointment means for the sync: whom it concerns, and whether it is only our own echo."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain import identity
from shared.domain.appointment import OWNED, owned_hash, read_appointment
from shared.domain.content import When, digest
from shared.domain.errors import Park


class StudioChange(msgspec.Struct, frozen=True, kw_only=True):
    """`user_ids`: those that the appointment had or has. `repeats`: it is or was a series. `series_id`: of an
    occurrence; it concerns those of its series, too, also where it is not theirs any more. `written_by`: the connection
    whose run wrote it, if one.
    """

    user_ids: frozenset[str] = frozenset()
    repeats: bool = False
    series_id: str | None = None
    written_by: str | None = None


def appointment_change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> StudioChange:
    """Compare the two versions of an appointment; None where it did not exist. Nobody concerned: nothing to do.

    Both versions are raw documents: an invalid one is as much of a change as a valid one, and is parked by the run.
    """
    old, new = before or {}, after or {}
    if all(old.get(field) == new.get(field) for field in OWNED):
        return StudioChange()
    user_ids = frozenset(assigned(old) | assigned(new))
    return StudioChange(
        user_ids=user_ids,
        repeats=bool(old.get("recurrence") or new.get("recurrence")),
        series_id=_series_of(old, new),
        written_by=_written_by(old, new),
    )


# Signs in the lines of a series whose former times are kept: 300 outbox entries remain within what Firestore takes at
# once (10 MiB). A thousand dates are less.
LONGEST_LINES = 25_000


def former_times(before: Mapping[str, Any], after: Mapping[str, Any], zone: str) -> When | None:
    """The times that a series had, if it repeats at others now. `zone`: where an appointment names none of its own.

    Versions that do not fit have no occurrences that could be named after their times; of a series that is described at
    a length that nobody types, they are not kept.
    """
    try:
        was, now = (read_appointment(version, zone).content().when for version in (before, after))
    except Park:
        return None
    if not (was.repeats and now.repeats) or sum(map(len, was.recurrence)) > LONGEST_LINES:
        return None
    return was if was.shown() != now.shown() else None


def entry_of(appointment_id: str, former: When) -> str:
    """The id of the outbox's entry for former times of a series: one for each, however often it is told.

    Hashed, as an id that Firestore just takes leaves no room for more.
    """
    return f"moved:{digest('moved', appointment_id, str(former.shown()))[:26]}"


def _series_of(*versions: Mapping[str, Any]) -> str | None:
    """The series of an occurrence."""
    return next((str(one["series_id"]) for one in versions if identity.usable(one.get("series_id"))), None)


def assigned(document: Mapping[str, Any]) -> set[str]:
    """The users that a raw document is assigned to; what cannot be a user's id concerns nobody."""
    user_ids = document.get("user_ids")
    return {user for user in user_ids if identity.usable(user)} if isinstance(user_ids, list | tuple) else set()


def _written_by(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """A newer stamp whose hash fits is a run's own write.

    A front-end that kept the stamp leaves one that doesn't fit; one that wrote a whole old document back, an older one.
    """
    stamp, before = new.get("sync"), old.get("sync")
    if not isinstance(stamp, Mapping) or stamp == before:
        return None
    at, known = stamp.get("at"), before.get("at") if isinstance(before, Mapping) else None
    if isinstance(at, dt.datetime) and isinstance(known, dt.datetime) and at < known:
        return None
    return str(stamp.get("connection")) if stamp.get("hash") == owned_hash(new) else None
