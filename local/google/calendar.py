"""What is kept of a calendar: its events, who sees it, and one counter of its changes.

An event is stored as the resource that Google would answer; every write stores a new one at the end of the calendar's
dictionary, which therefore is ordered by change. That makes a delta a walk backwards from the end. Of a series the
master is stored, and its exceptions under ids of their own; its other instances are made when they are asked for
(`local.google.series`).
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

# From the least to the most: https://developers.google.com/workspace/calendar/api/concepts/sharing
ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
DEFAULT_REMINDERS = [{"method": "popup", "minutes": 10}]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """`resource` in full; `change`: the calendar's counter at its last write; `first` to `last`: when it happens.

    `removed`: cancelled, and by a guest who removed his copy, not by the organizer who cancelled the event. `gone`: an
    exception that its series lost, deleted and not just cancelled. `buried_as`: the status of an exception whose series
    was deleted with it.
    """

    resource: dict[str, Any]
    change: int
    updated: dt.datetime
    first: dt.datetime
    last: dt.datetime | None
    removed: bool = False
    gone: bool = False
    buried_as: str | None = None

    @property
    def id(self) -> str:
        """Of the event."""
        return str(self.resource["id"])

    @property
    def cancelled(self) -> bool:
        """Deleted, or an instance that is left out."""
        return bool(self.resource["status"] == "cancelled")

    @property
    def recurs(self) -> bool:
        """Whether it is the master of a series."""
        return bool(self.resource.get("recurrence"))

    @property
    def master_id(self) -> str | None:
        """Of an instance, the id of its series."""
        return self.resource.get("recurringEventId")


@dataclass(slots=True)
class Calendar:
    """One calendar; `owner` is an e-mail address. `epoch` grows when all its sync tokens die."""

    id: str
    summary: str
    time_zone: str
    owner: str
    description: str | None = None
    events: dict[str, StoredEvent] = field(default_factory=dict)  # The last changed is the last.
    used_ids: set[str] = field(default_factory=set)
    hidden_ids: set[str] = field(default_factory=set)  # There, but clients are told that they are not.
    counter: int = 0
    epoch: int = 0

    @property
    def primary(self) -> bool:
        """Whether it is an account's own: only there do invitations arrive, and only there are status events."""
        return self.id == self.owner

    def hides(self, event_id: str) -> bool:
        """Whether clients are told that it is not there; an instance that nobody changed is where its series is."""
        stored_id = event_id if event_id in self.events else event_id.rpartition("_")[0] or event_id
        return stored_id in self.hidden_ids

    def exceptions(self, master_id: str) -> list[StoredEvent]:
        """What is stored of the instances of a series."""
        return [event for event in self.events.values() if event.master_id == master_id]

    def master_of(self, event: StoredEvent) -> StoredEvent | None:
        """The series of an instance; None also where only the instance is in the calendar."""
        return None if event.master_id is None else self.events.get(event.master_id)

    def leaves_out(self, event: StoredEvent) -> bool:
        """Whether it is a cancelled exception of a series that lives: not deleted, part of what the series is."""
        master = self.master_of(event)
        return event.cancelled and not event.gone and master is not None and not master.cancelled


@dataclass(slots=True)
class Entry:
    """A calendar in one account's list."""

    role: str
    primary: bool = False
    hidden: bool = False
    summary_override: str | None = None
    color: str = "#9fe1e7"  # Google's number 14, which most calendars begin with.
