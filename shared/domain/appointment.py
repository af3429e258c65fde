"""A studio appointment as front-ends write it (``studios/{studio}/appointments/{appointment}``).

The contract is typed here and checked at the edge: what does not fit raises `Park` with the field's name, and nothing
is guessed. ``null`` counts as absent, unknown fields are ignored (and kept, because we only ever write single fields).
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from shared.domain import contract, zones
from shared.domain.content import AllDay, Content, Timed, Unit, When, digest, repeated
from shared.domain.errors import Park
from shared.domain.reasons import Reason


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where an unlinked appointment came from."""

    provider: str = ""
    connection: str = ""
    event_id: str = ""


class SyncStamp(msgspec.Struct, frozen=True, kw_only=True):
    """Left by a run on each document that it writes; `hash` is over the owned fields as the run left them."""

    connection: str = ""
    run: str = ""
    hash: str = ""
    at: dt.datetime | None = None


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """One document, its types checked. `content()` checks what types cannot say."""

    kind: Literal["session", "appointment", "unlinked"]
    title: str = ""
    description: str = ""
    location: str = ""
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    all_day: bool = False
    start_date: dt.date | None = None
    end_date: dt.date | None = None
    time_zone: str | None = None
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"
    user_ids: tuple[str, ...] = ()
    resource_ids: tuple[str, ...] = ()
    client_id: str | None = None
    busy: bool = True
    private: bool = False
    recurrence: tuple[str, ...] = ()
    series_id: str | None = None
    original_start: dt.datetime | None = None
    original_date: dt.date | None = None
    origin: Origin | None = None
    sync: SyncStamp | None = None
    updated_at: dt.datetime | None = None

    @property
    def cancelled(self) -> bool:
        return self.status == "cancelled"

    def content(self) -> Content:
        """What can be agreed with a calendar; of an occurrence, what it is by itself.

        Raises:
            Park: the times are missing or the wrong way round, the zone of a series is missing or unknown, or it
                repeats in a way that cannot be carried over.
        """
        once = self._all_day() if self.all_day else self._timed()
        return Content(
            title=self.title,
            description=self.description,
            location=self.location,
            when=self._repeated(once) if self.recurrence and not self.series_id else once,
            status="tentative" if self.status == "tentative" else "confirmed",
            busy=self.busy,
            private=self.private,
        )

    def _repeated(self, once: When) -> When:
        zone = "" if self.all_day else zones.known(_required("time_zone", self.time_zone))
        return repeated(once, self.recurrence, zone)

    def _timed(self) -> Timed:
        start = _required("start", self.start)
        end = _required("end", self.end)
        for name, value in (("start", start), ("end", end)):
            if value.tzinfo is None:
                raise Park(Reason.INVALID, name, "an instant is needed: a timestamp with an offset")
        if end < start:
            raise Park(Reason.INVALID, "end", "it is before the start")
        return Timed(start.astimezone(dt.UTC), end.astimezone(dt.UTC))

    def _all_day(self) -> AllDay:
        start = _required("start_date", self.start_date)
        end = _required("end_date", self.end_date)
        if end <= start:
            raise Park(Reason.INVALID, "end_date", "it is exclusive: one day on 3 May ends on 4 May")
        return AllDay(start, end)


_T = TypeVar("_T")


def _required(name: str, value: _T | None) -> _T:
    if value is None:
        raise Park(Reason.INVALID, name, "it is missing")
    return value


def read_appointment(data: Mapping[str, Any], default_zone: str = "") -> Appointment:
    """A document's fields as an `Appointment`, in the given zone where it names none.

    Raises:
        Park: it does not fit the contract.
    """
    found = contract.read(data, Appointment)
    if found.time_zone is None and default_zone:
        return msgspec.structs.replace(found, time_zone=default_zone)
    return found


# The fields that the sync reads: a write that changes none of these, nor `user_ids`, concerns nobody here.
OWNED = (
    "title", "description", "location", "start", "end", "all_day", "start_date", "end_date", "time_zone", "status",
    "busy", "private", "recurrence", "series_id", "original_start", "original_date", "user_ids",
)  # fmt: skip


def owned_hash(data: Mapping[str, Any]) -> str:
    """Stands for the owned fields of a raw document, valid or not, to tell a run's own write from anybody else's."""
    owned = {key: data[key] for key in OWNED if data.get(key) is not None}
    return digest("owned", json.dumps(owned, sort_keys=True, default=_as_text))[:26]


def _as_text(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    return str(value)


def fields_of(content: Content, units: Iterable[Unit]) -> dict[str, Any]:
    """The document fields that hold the given units; ``None`` means that the field is to be removed."""
    fields: dict[str, Any] = {}
    for unit in units:
        fields |= _times(content.when) if unit == "when" else {unit: getattr(content, unit)}
    return fields


def _times(when: When) -> dict[str, Any]:
    """The zone is written for series only: a single appointment has no need of one, and may keep its own."""
    fields: dict[str, Any] = {"recurrence": list(when.recurrence) or None}
    match when:
        case Timed(start, end):
            fields |= {"start": start, "end": end, "all_day": False, "start_date": None, "end_date": None}
            if when.repeats:
                fields["time_zone"] = when.zone
        case AllDay(start, end):
            dates = {"start_date": start.isoformat(), "end_date": end.isoformat()}
            fields |= {"start": None, "end": None, "all_day": True} | dates
    return fields
