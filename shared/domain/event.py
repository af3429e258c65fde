"""A calendar entry as the adapter hands it over, and what may be written to a calendar: no vendor's types."""

import datetime as dt
from typing import Literal

import msgspec

from shared.domain.content import Content, Unit
from shared.domain.link import Seal
from shared.domain.reasons import Reason


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a calendar.

    `content` is None for a deleted entry, for one that was asked for by its id and not found (`missing`: that alone
    proves nothing), and for one that cannot be taken over, which then says why in `unfit`. `appointment_id` and `seal`
    are set where the event carries a seal that was written for it. An occurrence of a series has the id of the series
    in `series_event` and its slot in `original_start`; all of a series share their `ical_uid`. `kind` is the provider's
    type of event, `organizer` the calendar that it belongs to, `own` whether that is this one; `answer` is what this
    guest said: ``accepted``, ``tentative``, ``declined``, ``needsAction``, or nothing.
    """

    id: str
    etag: str = ""
    content: Content | None = None
    unfit: Reason | None = None
    unfit_detail: str = ""
    ical_uid: str = ""
    series_event: str = ""
    original_start: str = ""
    updated: dt.datetime | None = None
    appointment_id: str | None = None
    seal: Seal | None = None
    kind: str = "default"
    own: bool = True
    organizer: str = ""
    answer: str = ""
    missing: bool = False

    @property
    def deleted(self) -> bool:
        """Whether the calendar says so: something that is merely not to be found is not deleted."""
        return self.content is None and self.unfit is None and not self.missing


def instance_id(series_event: str, slot: str) -> str:
    """The id that the calendar gives an occurrence of a series.

    Google calls its ids opaque, but has built them like this for years (seen by odoo#66080, nylas/sync-engine#228).
    Where it does not hold, the write answers that nothing is there.
    """
    return f"{series_event}_{slot}"


class Insert(msgspec.Struct, frozen=True, kw_only=True):
    """A new event with an id of our choice; refused (`Stale`) if that id was ever used in this calendar."""

    event_id: str
    appointment_id: str
    content: Content
    seal: Seal


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """The given units of an event and nothing else; refused (`Stale`) if its etag is another by now. An `instance` of a
    series cannot repeat by itself.
    """

    event_id: str
    appointment_id: str
    etag: str
    content: Content
    units: frozenset[Unit]
    seal: Seal
    instance: bool = False


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """An event taken out of the calendar; refused (`Stale`) if its etag is another by now."""

    event_id: str
    etag: str


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted event taken out of the bin, as it was; one that is not deleted any more keeps all but its status.

    Refused (`Stale`, `Park`) where the calendar has forgotten it, or will not have it back.
    """

    event_id: str
    status: Literal["confirmed", "tentative"] = "confirmed"


CalendarWrite = Insert | Patch | Delete | Restore
