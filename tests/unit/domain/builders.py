"""Makes what the domain's tests talk about, with the noise hidden: a test names only what it is about.

Every entry is on one day in May; a time is written ``10:00``, one given as ``10:00-11:30`` has an end of its own.
"""

import datetime as dt
from typing import Any, Literal

import msgspec

from shared.domain import identity
from shared.domain.appointment import Appointment
from shared.domain.content import UNITS, AllDay, Content, Timed, Unit, repeated
from shared.domain.errors import Park
from shared.domain.event import Event
from shared.domain.link import Held, Link, Seal, new_seal
from shared.domain.operation import Item, Rules
from shared.domain.reasons import Reason

DAY = dt.date(2026, 5, 20)
NOW = dt.datetime(2026, 5, 10, 12, 0, tzinfo=dt.UTC)
SINCE = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
WINDOW_FROM = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
BEFORE_SINCE = SINCE - dt.timedelta(days=3)

CONNECTION, STUDIO, ANN, BOB = "conn1", "studio1", "ann", "bob"
APPOINTMENT = "appt1"
EVERY_UNIT = frozenset(UNITS)

# For each unit three values that differ, to play "before", "one side", "other side".
VALUES: dict[Unit, tuple[Any, Any, Any]] = {}


def a_time(text: str, day: dt.date = DAY) -> Timed:
    """``10:00`` is an hour from ten; ``10:00-11:30`` says when it ends."""
    first, _, last = text.partition("-")
    start = dt.datetime.combine(day, dt.time.fromisoformat(first), dt.UTC)
    end = dt.datetime.combine(day, dt.time.fromisoformat(last), dt.UTC) if last else start + dt.timedelta(hours=1)
    return Timed(start, end)


VALUES |= {
    "title": ("Newborn", "Newborn Lee", "Newborn Kim"),
    "description": ("", "Bring the red blanket", "Second shooting"),
    "location": ("Studio", "At home", "Park"),
    "when": (a_time("10:00"), a_time("12:00"), AllDay(DAY, DAY + dt.timedelta(days=1))),
    "status": ("confirmed", "tentative", "tentative"),
    "busy": (True, False, False),
    "private": (False, True, True),
}
# Units that have more than two values: only in these can both sides change to something different.
OPEN_UNITS: tuple[Unit, ...] = ("title", "description", "location", "when")


def content(at: str = "10:00", **fields: Any) -> Content:
    return Content(**{"title": "Newborn", "location": "Studio", "when": a_time(at), **fields})


def series_content(at: str, *lines: str, **fields: Any) -> Content:
    """An entry that repeats from that day on, by UTC's clock."""
    return content(**{"when": repeated(a_time(at), lines, "UTC"), **fields})


def changed(base: Content, unit: Unit, which: int) -> Content:
    return msgspec.structs.replace(base, **{unit: VALUES[unit][which]})


def an_appointment(at: str = "10:00", *, users: tuple[str, ...] = (ANN,), **fields: Any) -> Appointment:
    when = fields.pop("when", None) or a_time(at)
    if isinstance(when, AllDay):
        times: dict[str, Any] = {"all_day": True, "start_date": when.start, "end_date": when.end}
    else:
        times = {"start": when.start, "end": when.end} | ({"time_zone": when.zone} if when.zone else {})
    times |= {"recurrence": when.recurrence} if when.recurrence else {}
    words = {"kind": "session", "title": "Newborn", "location": "Studio"}
    return Appointment(**{**words, **times, "user_ids": users, **fields})


def holding(held: Content, *, users: tuple[str, ...] = (ANN,), **fields: Any) -> Appointment:
    """An appointment that holds the given content."""
    texts: dict[str, Any] = {unit: getattr(held, unit) for unit in UNITS}
    return an_appointment(users=users, **{**texts, **fields})


def event_id(generation: int = 0, appointment_id: str = APPOINTMENT) -> str:
    return identity.event(CONNECTION, appointment_id, generation)


def an_event(
    at: str = "10:00", *, holds: Content | None = None, seal: Seal | None = None, generation: int = 0, **fields: Any
) -> Event:
    """An event of ours (by its id); with a seal it says which appointment it was entered for."""
    ours: dict[str, Any] = {"id": event_id(generation), "etag": "e1", "ical_uid": "uid1", "updated": NOW}
    own = {name: fields.pop(name) for name in tuple(fields) if name in Event.__struct_fields__}
    sealed: dict[str, Any] = {} if seal is None else {"seal": seal, "appointment_id": APPOINTMENT}
    return Event(**{**ours, **sealed, "content": holds or content(at, **fields), **own})


def a_foreign_event(at: str = "10:00", **fields: Any) -> Event:
    """An event that a person entered."""
    return an_event(at, **{"id": "foreign1", **fields})


def somebody_elses(at: str = "10:00", **fields: Any) -> Event:
    """An event that this user was invited to, and has accepted unless said otherwise."""
    return a_foreign_event(at, **{"own": False, "organizer": "carl@example.com", "answer": "accepted", **fields})


def an_unfit_event(**fields: Any) -> Event:
    return an_event(**{"content": None, "unfit": Reason.UNSUPPORTED_RULE, "unfit_detail": "FREQ=HOURLY", **fields})


def a_deleted_event(generation: int = 0, **fields: Any) -> Event:
    return Event(**{"id": event_id(generation), "etag": "e2", **fields})


def a_missing_event(**fields: Any) -> Event:
    return a_deleted_event(missing=True, **fields)


def a_link(studio: Content | None = None, calendar: Content | None = None, **fields: Any) -> Link:
    """A pair that agreed on `studio`; the calendar's column is the same unless it is given."""
    agreed = studio or content()
    stored = calendar or agreed
    known = {"appointment_id": APPOINTMENT, "event_id": event_id(fields.get("generation", 0)), "etag": "e1"}
    return Link(
        **{**known, "seal": "sealed", "studio": agreed, "calendar": stored, "ends_at": agreed.when.ends_at, **fields}
    )


def a_tombstone(generation: int = 0, *, held: Content | None = None, **fields: Any) -> Link:
    """What is left of a pair that agreed on `held`."""
    known = {"generation": generation, "state": "gone", "expires_at": NOW + dt.timedelta(days=20)}
    return a_link(held, **{**known, **fields})


def a_removed_link(studio: Content | None = None, calendar: Content | None = None, **fields: Any) -> Link:
    """A person deleted the event, others are assigned too, and somebody was asked."""
    return a_link(studio, calendar, **{"state": "removed", "asked": "question1", **fields})


def held_on(side: Literal["studio", "calendar"]) -> Held:
    """A deletion on the given side that waits for a person's word."""
    return Held(id="hold1", side=side, etag="e1", at=NOW)


def a_seal(sent: Content, units: frozenset[Unit] = EVERY_UNIT, previous: str = "", pending: Seal | None = None) -> Seal:
    return new_seal(previous, sent, units, pending)


def rules(**fields: Any) -> Rules:
    """Two-way, nothing populated."""
    known: dict[str, Any] = {
        "connection_id": CONNECTION,
        "studio_id": STUDIO,
        "user_id": ANN,
        "now": NOW,
        "since": SINCE,
        "window_from": WINDOW_FROM,
        "two_way": True,
    }
    return Rules(**{**known, **fields})


def item(**fields: Any) -> Item:
    """An item whose studio side was changed now, unless said otherwise."""
    return Item(**{"appointment_id": APPOINTMENT, "changed_at": NOW, **fields})


def a_misfit() -> Park:
    return Park(Reason.INVALID, "end", "it is missing")
