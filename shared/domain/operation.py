"""What a plan is made of: items with all that is known of them, and operations with a reason. All data, no decision."""

import datetime as dt
from typing import Literal

import msgspec

from shared.domain.appointment import Appointment
from shared.domain.content import Content, Unit, without_text
from shared.domain.doubt import Doubt, Suspect
from shared.domain.errors import Park
from shared.domain.event import CalendarWrite, Delete, Event, Insert, Restore
from shared.domain.link import Link, revived, succeeded
from shared.domain.merge import Lost
from shared.domain.reasons import Reason
from shared.domain.settings import ClashPolicy


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What `decide` must know of connection, studio and user.

    `read_since`: from when on changes in the calendar count. `calendar_populated` and `studio_populated`: when that
    direction was populated last. `populating_calendar` and `populating_studio`: this run does so, as a person asked.
    `active_since`: when this became the user's calendar. `left`: the user syncs with another calendar now, and what is
    decided on is to go from this one. `time_zone`: of appointments that do not name theirs.
    """

    connection_id: str
    studio_id: str
    user_id: str
    now: dt.datetime
    since: dt.datetime
    window_from: dt.datetime
    read_since: dt.datetime | None = None
    active_since: dt.datetime | None = None
    calendar_populated: dt.datetime | None = None
    studio_populated: dt.datetime | None = None
    populating_calendar: bool = False
    populating_studio: bool = False
    two_way: bool = False
    include_tentative: bool = False
    private_details: bool = False
    clash_policy: ClashPolicy = "studio"
    left: bool = False
    time_zone: str = ""


# What a person said: about a held deletion, or about an event removed from one of several calendars.
Verdict = Literal["approved", "declined", "take_off", "put_back"]


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What a calendar that this user synced with before knows of an item.

    No `link`: a run there did not finish with it, and may have entered it without recording that.
    """

    connection_id: str
    link: Link | None = None

    @property
    def ours(self) -> bool:
        """Whether anything there is ours to take out, or to close; somebody else's event stays where it is."""
        link = self.link
        return link is None or link.state == "removed" or (link.paired and not link.theirs)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The series that an occurrence belongs to, as it was left by this run: first the series, then its occurrences.

    `appointment` is the studio's document of the series; None where there is none, or it does not fit the contract
    (`misfit`). `regular` is this occurrence as the document of the series has it; None where it has no such occurrence.
    `link` is the pair of the series in this calendar, or what is left of it.
    """

    appointment: Appointment | None = None
    misfit: Park | None = None
    regular: Appointment | None = None
    link: Link | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about one pair, or about what may become one.

    `event` is None where the calendar was not asked: then it is taken to be as last agreed, and the write, which is
    conditional on that, tells if it is not. `misfit` says why the document could not be read as an appointment.
    `next_generation` is the first event id that is not known to be used up. `unread`: the calendar was not read before,
    so what is found there is taken as it is. `verdict` is a person's word on a deletion. `earlier`: what calendars
    that the user had before know of it. `withdrawn`: the event was a guest's copy, and went with the host's own entry,
    which we took out. `beyond_restoring`: the calendar would not give the deleted event back. `doubts`: it may be the
    same as something on the other side; `asks`: the first of them, in their order, that nobody was asked about so far.

    An occurrence has `series_id` (the appointment id of its series) and `slot` (its original start); it is decided on
    when its `series` is known.
    """

    appointment_id: str
    appointment: Appointment | None = None
    event: Event | None = None
    link: Link | None = None
    misfit: Park | None = None
    changed_at: dt.datetime | None = None
    next_generation: int = 0
    unread: bool = False
    verdict: Verdict | None = None
    earlier: tuple[Earlier, ...] = ()
    withdrawn: bool = False
    beyond_restoring: bool = False
    series_id: str = ""
    slot: str = ""
    series: Series | None = None
    doubts: tuple[Doubt, ...] = ()
    asks: tuple[Suspect, ...] = ()

    @property
    def repeats(self) -> bool:
        """Whether it is a series, on either side, now or when last agreed."""
        link, event = self.link, self.event
        known = [None if event is None else event.content]
        known += [] if link is None else [link.studio, link.calendar]
        here = self.appointment is not None and bool(self.appointment.recurrence) and not self.appointment.series_id
        return here or any(content is not None and content.when.repeats for content in known)

    @property
    def led(self) -> bool:
        """Whether it is an instance of a series that is in this calendar: it is in scope with that."""
        tied = None if self.series is None else self.series.link
        return tied is not None and tied.paired and self.link is not None and self.link.series_event == tied.event_id

    @property
    def gone(self) -> Reason:
        """Where neither side has it for this user: which of the ways to get there it was."""
        appointment, link = self.appointment, self.link
        if appointment is None:
            return Reason.GONE_ON_BOTH
        if appointment.cancelled:
            by_calendar = link is not None and link.gone_there
            return Reason.DELETED_IN_CALENDAR if by_calendar else Reason.CANCELLED_IN_STUDIO
        return Reason.NOT_ASSIGNED if link is None else Reason.LEFT_USER

    @property
    def elsewhere(self) -> bool:
        """Whether a calendar that the user had before has it."""
        return any(one.link is not None for one in self.earlier)

    @property
    def question(self) -> Link | None:
        """The pair of an earlier calendar whose event a person removed, where somebody was asked about that."""
        return next((one.link for one in self.earlier if one.link is not None and one.link.asked is not None), None)


class CreateAppointment(msgspec.Struct, frozen=True, kw_only=True):
    """A new unlinked appointment; refused (`Stale`) if the document exists."""

    content: Content
    event_id: str


class UpdateAppointment(msgspec.Struct, frozen=True, kw_only=True):
    """The given units of an appointment; refused (`Stale`) if the document has changed since it was read.

    `join` adds this user to it, `leave` takes him off.
    """

    content: Content
    units: frozenset[Unit]
    join: bool = False
    leave: bool = False


class CancelAppointment(msgspec.Struct, frozen=True):
    """``status = cancelled``; refused (`Stale`) if the document has changed since it was read."""


class LetGo(msgspec.Struct, frozen=True):
    """An occurrence becomes a single appointment, with an id of its own; refused (`Stale`) if the document has changed
    since it was read, or there is one of that id.
    """

    appointment_id: str


StudioWrite = CreateAppointment | UpdateAppointment | CancelAppointment | LetGo


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one item, and why: at most one write to each side, then the link.

    `link` is the agreement to record, with the calendar's column as we expect it; after a write to the calendar the
    provider's answer takes that place. None leaves the link as it is. `more`: this is only the first step, the item
    is to be decided on again when it is stored. `doubt`: nothing can be decided before it is verified whether the event
    is there. `hidden`: the event's text is not for the studio, nor for anything that is stored. `nowhere`: it is
    wanted in no calendar of this user. `tombstone`: of the item's own link, where `link` is another appointment's.
    """

    item: Item
    reason: Reason
    calendar: CalendarWrite | None = None
    studio: StudioWrite | None = None
    link: Link | None = None
    tombstone: Link | None = None
    lost: tuple[Lost, ...] = ()
    parked: Park | None = None
    more: bool = False
    doubt: bool = False
    hidden: bool = False
    nowhere: bool = False

    @property
    def ends_series(self) -> bool:
        """Whether it takes a series out of the calendar: what was done to its occurrences is to be saved first."""
        return isinstance(self.calendar, Delete) and self.item.repeats

    @property
    def tells(self) -> bool:
        """Whether anything is to be done; what is left alone goes unsaid (`why.py` says it to whoever asks)."""
        return self.writes or self.more or self.doubt or self.moves

    @property
    def moves(self) -> bool:
        """Whether it goes from the earlier calendars, once this is stored: it is here then, or wanted in none."""
        if self.more or self.doubt or self.parked is not None or not any(one.ours for one in self.item.earlier):
            return False
        after = self.link or self.item.link
        if after is None or self.nowhere:
            return self.nowhere
        if after.state == "gone":
            return self.link is not None
        # Somebody else's event takes no place of ours, and what is held may be wanted back.
        return after.state == "paired" and not after.theirs and after.held is None

    @property
    def takes_away(self) -> bool:
        """Whether it carries a deletion across: what the guard counts. Leaving a user is no deletion."""
        if isinstance(self.studio, CancelAppointment):
            return True
        return isinstance(self.calendar, Delete) and self.reason is Reason.CANCELLED_IN_STUDIO

    @property
    def writes(self) -> bool:
        """Whether anything at all is to be stored."""
        return not (self.calendar is None and self.studio is None and self.link is None and self.parked is None)


def before_writing(operation: Operation) -> Link | None:
    """The link to store before an event is deleted, so that a run that dies in between is known to have done it.

    Google's answer for a deleted event is its bare id: it cannot say who deleted it, or what for. Nor does a restored
    one say who took it out of the bin: so what is buried is marked before that, too. And an event that takes another's
    place must be known should it not be wanted any more: where the calendar isn't read, nobody else would find it.
    """
    link = operation.item.link
    if link is None:
        return None
    match operation.calendar:
        case Delete() if link.paired:
            return msgspec.structs.replace(link, state="leaving")
        case Restore() if not link.paired:
            return msgspec.structs.replace(revived(link), state="leaving")
        case Insert(event_id=event_id) if link.paired and operation.link is not None:
            # With the old columns: until the new event is recorded, its seal says what was sent.
            successor = succeeded(link, event_id, operation.link.generation)
            return msgspec.structs.replace(
                successor, state="leaving", theirs=False, organizer="", private_there=False, held=None
            )
        case _:
            return None


def agreed(operation: Operation, stored: Event | None) -> Link | None:
    """The link to record once the calendar has answered: its column is what the provider stored, not what we sent."""
    link = operation.link
    if isinstance(operation.calendar, Restore) and (stored is None or stored.content is None):
        return None  # It is not back, whatever the answer says.
    if link is None or stored is None or stored.content is None or not link.paired:
        return link
    if isinstance(operation.calendar, Restore):
        return msgspec.structs.replace(link, etag=stored.etag)  # Both sides are compared with the columns next.
    content = without_text(stored.content) if operation.hidden else stored.content
    return msgspec.structs.replace(
        link, calendar=content, etag=stored.etag, event_id=stored.id, ends_at=content.when.ends_at
    )
