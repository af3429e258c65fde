"""A pair of appointment and event, and what was last agreed about it.

A link keeps two columns: the fields as the studio had them and as the provider stored them at the last agreement. A
side has changed where it differs from its own column, so a provider that rewrites what we send (HTML, spaces) never
looks like a person's edit.

Between the write to the calendar and the write of the link, a run can die. So each write to the calendar carries a
`Seal` in a private extended property: which units that write sent, and a short hash of each. An event whose seal the
link does not know was written by a run that died; what matches its hashes is ours, whatever the link says.
"""

import datetime as dt
from typing import Literal

import msgspec

from shared.domain.content import HASH_LENGTH, UNITS, Content, Unit, When, digest, unit_hash


class Seal(msgspec.Struct, frozen=True):
    """What one write of ours sent. `name` tells it from the writes before; `sent` maps unit to `unit_hash`."""

    name: str
    sent: dict[Unit, str]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A deletion that waits for a person's word: which question it belongs to, on which side it happened, and the
    event's etag when it was found.
    """

    id: str
    side: Literal["studio", "calendar"]
    etag: str = ""
    at: dt.datetime


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """``connections/{connection}/links/{appointment_id}``.

    | state     | what it says                                                                                     |
    |-----------|--------------------------------------------------------------------------------------------------|
    | `paired`  | one entry on both sides                                                                          |
    | `leaving` | its event is about to be deleted, restored or replaced by us: the calendar cannot say afterwards |
    |           | who did it                                                                                       |
    | `removed` | a person deleted the event, and the appointment stays: it is entered again when the studio edits |
    |           | it; `asked` names the question in the inbox, if somebody was asked                               |
    | `gone`    | a tombstone until `expires_at`: taken apart knowingly, in the calendar if `gone_there`           |

    Both columns are there, also in a tombstone: what comes back is compared with what was last agreed.

    `theirs`: the event is not ours to change (somebody else's, from the calendar `organizer`, or an out-of-office
    entry). `private_there`: it was made private in the calendar, so its text stays there.

    An occurrence has the appointment id of its series in `series_id`, and its original start in `slot`; `series_event`
    is the event that its own event is an instance of, and empty where it stands by itself in this calendar. A series
    keeps the times that it had before in `formers`, the last ones first, and which side changed them last in
    `former_by`: what is known of its occurrences may be from before that.
    """

    appointment_id: str
    event_id: str
    generation: int = 0
    state: Literal["paired", "leaving", "removed", "gone"] = "paired"
    studio: Content | None = None
    calendar: Content | None = None
    etag: str = ""
    seal: str = ""
    ends_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    theirs: bool = False
    organizer: str = ""
    private_there: bool = False
    held: Held | None = None
    asked: str | None = None
    gone_there: bool = False
    series_id: str = ""
    slot: str = ""
    series_event: str = ""
    formers: tuple[When, ...] = ()
    former_by: Literal["studio", "calendar"] | None = None

    @property
    def paired(self) -> bool:
        return self.state != "gone"

    def former_with(self, slot: str) -> When | None:
        """The last times of the series that had this slot, before they were changed."""
        return next((when for when in self.formers if when.has(slot)), None)


# Of how many changes of its times in a row a series remembers what they were before: its occurrences are carried along
# by the next run that comes to its end, and hardly ever are there more changes than that until then.
FORMERS = 4

# A tombstone outlives every sync token and every delayed delivery that we know of.
TOMBSTONE_LIFE = dt.timedelta(days=30)


def buried(link: Link, now: dt.datetime, *, there: bool = False) -> Link:
    """The link as a tombstone; `there`: because its event was deleted in the calendar."""
    return msgspec.structs.replace(
        link, state="gone", held=None, asked=None, expires_at=now + TOMBSTONE_LIFE, gone_there=there
    )


def revived(link: Link) -> Link:
    """The link of a pair that is one again, with the same event."""
    return msgspec.structs.replace(link, state="paired", held=None, asked=None, expires_at=None, gone_there=False)


def succeeded(link: Link, event_id: str, generation: int) -> Link:
    """The link with the event that took the place of a deleted one, in a run that died before it could say so."""
    return msgspec.structs.replace(link, event_id=event_id, generation=generation, etag="", seal="", state="paired")


def new_seal(previous: str, content: Content, sent: frozenset[Unit], pending: Seal | None) -> Seal:
    """The seal for a write of the `sent` units of `content`.

    The name depends on the seal before it, so that writing A, then B, then A again gives three names, while a
    repeated attempt at the same write gives the same one. `pending` is a seal found on the event that no link knows
    yet: what it sent is not agreed either, so the new seal vouches for that too.
    """
    hashes = {} if pending is None else dict(pending.sent)
    hashes |= {unit: unit_hash(unit, content) for unit in UNITS if unit in sent}
    return Seal(digest("seal", previous, *(f"{unit}{hashes[unit]}" for unit in UNITS if unit in hashes))[:12], hashes)


_VERSION = "1"
_LETTERS: dict[Unit, str] = dict(zip(UNITS, "tdlwsbp", strict=True))


def write_seal(seal: Seal, connection_id: str, appointment_id: str, event_id: str) -> str:
    """A seal as the value of an extended property: at most 1,024 characters, which Google would cut silently."""
    sent = "".join(f"{_LETTERS[unit]}{seal.sent[unit]}" for unit in UNITS if unit in seal.sent)
    bound = _binding(connection_id, appointment_id, event_id)
    return f"{_VERSION}.{bound}.{seal.name}.{sent}.{appointment_id}"


def read_seal(value: str, connection_id: str, event_id: str) -> tuple[str, Seal] | None:
    """Appointment id and seal, or None if the value was not written by us for this very event.

    Google copies extended properties when it splits a series or a person duplicates an event: a copy does not speak
    for the event that it was copied to.
    """
    parts = value.split(".", 4)
    if len(parts) != 5 or parts[0] != _VERSION:  # noqa: PLR2004 - the five parts that write_seal joins
        return None
    _, bound, name, packed, appointment_id = parts
    if bound != _binding(connection_id, appointment_id, event_id):
        return None
    size = 1 + HASH_LENGTH
    units = {letter: unit for unit, letter in _LETTERS.items()}
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    if any(len(piece) != size or piece[0] not in units for piece in pieces):
        return None
    return appointment_id, Seal(name, {units[piece[0]]: piece[1:] for piece in pieces})


def _binding(connection_id: str, appointment_id: str, event_id: str) -> str:
    return digest("binding", connection_id, appointment_id, event_id)[:12]
