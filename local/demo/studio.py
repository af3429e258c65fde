"""The demo's input: a studio with three users and 500 appointments, and two Google calendars with 200 entries.

Everything is made up, always in the same way (one seed), around the day that is given as today.
"""

import datetime as dt
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

STUDIO_ID = "lumen"
STUDIO_NAME = "Studio Lumen"
STUDIO_ZONE = "Europe/Kyiv"
APPOINTMENTS = 500
# How far back a populate goes if the studio does not say otherwise.
PAST_DAYS = 90


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A user of the studio; who has no Google account (`google` None) is never connected."""

    id: str
    job: str
    google: str | None = None
    calendar_zone: str = STUDIO_ZONE
    entries: int = 0
    typed_twice: int = 0

    @property
    def name(self) -> str:
        return self.id.title()


OLENA = DemoUser("olena", "photographer", "olena@gmail.example", entries=120, typed_twice=18)
MARCO = DemoUser("marco", "assistant", "marco@gmail.example", "Europe/Lisbon", entries=80, typed_twice=12)
IRYNA = DemoUser("iryna", "front desk")
USERS = (OLENA, MARCO, IRYNA)
CONNECTED = (OLENA, MARCO)


@dataclass(frozen=True, slots=True)
class Twin:
    """A studio appointment that its user typed into the calendar as well: its id, and the event that was typed."""

    appointment_id: str
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DemoStudio:
    """Appointments by id, as a front-end writes them; by user, the calendar's own entries and the twins."""

    appointments: dict[str, dict[str, Any]]
    own_entries: dict[str, list[dict[str, Any]]]
    twins: dict[str, list[Twin]]


def make_studio(today: dt.date) -> DemoStudio:
    chance = random.Random(500)  # noqa: S311 - made-up data, always the same
    appointments = _appointments(chance, today)
    twins = {user.id: _twins(chance, user, appointments, today) for user in CONNECTED}
    own = {user.id: _own_entries(chance, user, appointments, today) for user in CONNECTED}
    return DemoStudio(appointments, own, twins)


# --- the studio's appointments ---------------------------------------------------------------------------------------

_FAMILIES = (
    "Kovalenko", "Shevchenko", "Bondarenko", "Tkachenko", "Melnyk", "Hrytsenko", "Polishchuk", "Savchenko", "O'Brien",
    "Müller", "Nowak", "Fernández", "Lindqvist", "Rossi", "Dubois", "Haddad", "Сидоренко", "Çelik",
)  # fmt: skip
_SESSIONS = (
    ("Newborn session – {}", 3.0, "Studio A"),
    ("Family portrait: {}", 1.5, "Studio A"),
    ("Maternity, {}", 2.0, "Botanical Garden, main gate"),
    ("Business headshots – {} & Partners", 2.5, "Studio B"),
    ("Engagement shoot {}", 2.0, "Andriivskyi Descent 12"),
    ("Graduation photos: {}", 1.0, "Studio B"),
    ("Product photos for {} GmbH", 4.0, "Client's office"),
)
_TALKS = (
    ("Consultation with {}", 0.5, "Front desk"),
    ("Viewing & ordering – {}", 1.0, "Viewing room"),
    ("Album design call ({})", 0.5, ""),
)
_WHOLE_DAYS = (
    ("Wedding {}", 1, "Villa Verde, Obukhiv"),
    ("Destination wedding {}", 3, "Lviv"),
    ("Trade fair with {} Prints", 2, "Expo Center, hall 3"),
    ("Day off – covered by {}", 1, ""),
)
_NOTES = (
    "",
    "",
    "Bring the beige backdrop.\nTwo siblings, one dog.",
    "Deposit paid. Wants prints 30 × 45 & a digital set.",
    "Parking behind the house; ring twice.",
    'Said: "no flash, please" <sensitive eyes>.',
)
_ASSIGNED = (["olena"], ["marco"], ["olena", "marco"], ["iryna"])


def _appointments(chance: random.Random, today: dt.date) -> dict[str, dict[str, Any]]:
    """Each with a title and time of its own: in the demo's checks, two alike would be one that was doubled."""
    result: dict[str, dict[str, Any]] = {}
    known: set[tuple[str, Any]] = set()
    while len(result) < APPOINTMENTS:
        fields = _appointment(chance, _day(chance, today, 150, 120))
        alike = (fields["title"], fields.get("start") or fields["start_date"])
        if alike not in known:
            known.add(alike)
            result[f"appointment-{len(result) + 1:03}"] = fields
    return result


def _appointment(chance: random.Random, day: dt.date) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "description": chance.choice(_NOTES),
        "user_ids": list(chance.choices(_ASSIGNED, (40, 25, 20, 15))[0]),
        "status": chance.choices(("confirmed", "tentative"), (9, 1))[0],
        "private": chance.random() < 0.05,  # noqa: PLR2004 - one in twenty
        "time_zone": STUDIO_ZONE,
    }
    family = chance.choice(_FAMILIES)
    if chance.random() < 0.12:  # noqa: PLR2004 - about one in eight
        title, days, place = chance.choice(_WHOLE_DAYS)
        last = day + dt.timedelta(days=days)
        fields |= {"all_day": True, "start_date": day.isoformat(), "end_date": last.isoformat()}
    else:
        title, hours, place = chance.choice(_SESSIONS + _TALKS)
        start = _at(day, chance.randrange(16, 38) / 2, STUDIO_ZONE)
        fields |= {"kind": "session" if hours > 1 else "appointment"}
        fields |= {"start": start, "end": start + dt.timedelta(hours=hours)}
    return fields | {"title": title.format(family), "location": place}


# --- the calendars ---------------------------------------------------------------------------------------------------

_OWN = (
    ("Dentist", 1.0), ("Yoga", 1.5), ("Lunch with Sofiia", 1.0), ("Pick up the kids", 0.5), ("Car to the garage", 1.0),
    ("Parents' evening", 2.0), ("Piano lesson", 1.0), ("Haircut", 1.0), ("Call grandma 📞", 0.5), ("Run, 10 km", 1.0),
)  # fmt: skip
# What people fill in besides, in turns.
_OWN_DETAILS: tuple[dict[str, Any], ...] = (
    {},
    {"description": "Bring the insurance card.\nAsk about <Thursday> & Friday.", "location": "Velyka Vasylkivska 72"},
    {"transparency": "transparent"},
    {"visibility": "private"},
    {"status": "tentative", "location": "Café «Zoloti», 2nd floor"},
)
# What nobody in the studio is to read: no other entry has any of these words.
_SECRETS = (
    {"summary": "Job interview, Studio Prisma", "description": "Nobody's business 🤫", "location": "Prisma, back door"},
    {"summary": "Dr. Lysenko", "description": 'Ask for the "other" results', "location": "Oncology, ward 7"},
    {"summary": "Придбати обручку", "location": "Ювелір на Подолі"},
    {"summary": "Lawyer re: divorce", "description": "Bring <both> contracts.\nPay in cash."},
)
_OWN_DAYS = (("Holiday in the Carpathians", 7), ("Birthday of Taras", 1), ("Visitors", 3))


def _own_entries(
    chance: random.Random, user: DemoUser, appointments: dict[str, dict[str, Any]], today: dt.date
) -> list[dict[str, Any]]:
    """None at the very time of an appointment of the user: a person would be asked whether the two are the same."""
    mine = [fields for fields in appointments.values() if user.id in fields["user_ids"]]
    booked = {(fields.get("start"), fields.get("end")) for fields in mine}
    entries: dict[str, dict[str, Any]] = {}
    details, secrets = itertools.cycle(_OWN_DETAILS), itertools.cycle(_SECRETS)
    while len(entries) < user.entries - user.typed_twice:
        day = _day(chance, today, 110, 100)
        if chance.random() < 0.1:  # noqa: PLR2004 - one in ten
            title, days = chance.choice(_OWN_DAYS)
            times = {"start": {"date": f"{day}"}, "end": {"date": f"{day + dt.timedelta(days=days)}"}}
        else:
            title, hours = chance.choice(_OWN)
            start = _at(day, chance.randrange(14, 42) / 2, user.calendar_zone)
            length = dt.timedelta(hours=hours)
            if (start, start + length) in booked:
                start += dt.timedelta(minutes=15)
            times = {"start": _date_time(start), "end": _date_time(start + length)}
        entries[f"{title} {times['start']}"] = {"summary": title, **times, "colorId": str(chance.randrange(1, 12))}
    detailed = [entry | next(details) for entry in entries.values()]
    return [entry | next(secrets) if entry.get("visibility") == "private" else entry for entry in detailed]


# What only the calendar knows of an entry, and must keep.
TWIN_EXTRAS: tuple[dict[str, Any], ...] = (
    {"colorId": "5"},
    {"reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 45}]}},
    {"colorId": "11", "reminders": {"useDefault": False, "overrides": [{"method": "email", "minutes": 1440}]}},
    {},
)


def _twins(
    chance: random.Random, user: DemoUser, appointments: dict[str, dict[str, Any]], today: dt.date
) -> list[Twin]:
    """Some of this user's appointments as the user typed them again, in a hurry."""
    mine = [key for key, fields in appointments.items() if user.id in fields["user_ids"] and in_scope(fields, today)]
    typists, extras = _typists(), itertools.cycle(TWIN_EXTRAS)
    return [
        Twin(key, {"summary": next(typists)(appointments[key]["title"]), **_times(appointments[key]), **next(extras)})
        for key in chance.sample(mine, user.typed_twice)
    ]


def _typists() -> Iterator[Any]:
    while True:
        yield str.lower
        yield str.upper
        yield lambda title: title.replace("–", "").replace(":", " -").replace(",", "").replace(" ", "  ")
        yield lambda title: f" {title} !"


def in_scope(appointment: dict[str, Any], today: dt.date) -> bool:
    """Whether it is recent enough for a populate. Nothing in the demo ends within a day of the border."""
    end = appointment["end"].date() if "end" in appointment else dt.date.fromisoformat(appointment["end_date"])
    return bool(end >= today - dt.timedelta(days=PAST_DAYS))


def _times(appointment: dict[str, Any]) -> dict[str, Any]:
    if "start" in appointment:
        return {name: _date_time(appointment[name]) for name in ("start", "end")}
    return {name: {"date": appointment[f"{name}_date"]} for name in ("start", "end")}


def _date_time(at: dt.datetime) -> dict[str, str]:
    return {"dateTime": at.isoformat()}


# --- days and hours --------------------------------------------------------------------------------------------------


def _day(chance: random.Random, today: dt.date, past: int, coming: int) -> dt.date:
    """A day, but none whose entries might end at the border of what a populate takes in."""
    while True:
        offset = chance.randint(-past, coming)
        if not -PAST_DAYS - 9 <= offset <= -PAST_DAYS + 2:
            return today + dt.timedelta(days=offset)


def _at(day: dt.date, hour: float, zone: str) -> dt.datetime:
    """An hour of the wall clock there, as an instant in UTC."""
    wall = dt.datetime.combine(day, dt.time(int(hour), int(hour % 1 * 60)), ZoneInfo(zone))
    return wall.astimezone(dt.UTC)
