"""Two entries of one user at the same time: one is booked, the other comes from the calendar."""

import datetime as dt
from typing import Any

from local.demo.checks import exactly
from local.demo.edits import HOUR, Edit, upcoming
from local.demo.progress import settle
from local.demo.scene import Scene
from local.demo.studio import OLENA
from local.demo.terminal import Terminal
from local.demo.waves import show_arrivals
from local.people import google_time

APPOINTMENT = "Passport office"
# Of what she enters, so much lies within the shoot.
OVERLAP = dt.timedelta(minutes=30)


def show_conflict(scene: Scene, terminal: Terminal) -> None:
    """Olena enters something that begins before a shoot of hers is over, then finds another time for it."""
    person, studio = scene.person(OLENA), scene.studio
    booked = ((one, studio.appointment(one) or {}) for one in upcoming(scene, OLENA))
    shoot_id, shoot = next((one, fields) for one, fields in booked if is_shoot(fields))
    title, ends = shoot["title"], shoot["end"].astimezone(dt.UTC)
    typed, known = dict[str, str](), studio.conflicts().keys()

    def enter() -> None:
        times: dict[str, Any] = {"start": google_time(ends - OVERLAP), "end": google_time(ends - OVERLAP + HOUR)}
        typed["id"] = person.insert(summary=APPOINTMENT, **times)["id"]

    def conflicts() -> list[dict[str, Any]]:
        """Those of the shoot that have come since."""
        found = studio.conflicts().items()
        return [one for key, one in found if key not in known and shoot_id in one["appointment_ids"]]

    def move_away() -> None:
        night = dt.datetime.combine(ends.date() + dt.timedelta(days=1), dt.time(2), dt.UTC)
        person.patch("primary", typed["id"], start=google_time(night), end=google_time(night + HOUR))

    over = Edit(
        "Typed over a booked shoot in Olena's calendar: a conflict in the studio",
        enter,
        lambda: [one["status"] for one in conflicts()] == ["open"],
    )
    show_arrivals([over], terminal)
    found = conflicts()
    problems = exactly(len(found), 1, "Conflicts")
    for one in found:
        titles = sorted((studio.appointment(key) or {}).get("title", key) for key in one["appointment_ids"])
        problems += exactly(titles, sorted([APPOINTMENT, title]), "The two")
        problems += exactly(one["user_id"], OLENA.id, "Its user")
        overlap = one["overlap_start"], one["overlap_end"]
        problems += exactly(overlap, (ends - OVERLAP, ends), "Its overlap")
    terminal.check(
        f"It names both, and their overlap with “{title}”", problems, f"{ends - OVERLAP:%H:%M} to {ends:%H:%M} UTC"
    )
    away = Edit(
        "Moved away in her calendar: the conflict is gone",
        move_away,
        lambda: [one["status"] for one in conflicts()] == ["gone"],
    )
    show_arrivals([away], terminal)
    settle(scene, terminal)


def is_shoot(fields: dict[str, Any]) -> bool:
    """Whether it is hers (not handed over meanwhile), certain, and longer than an hour."""
    long = "start" in fields and fields["end"] - fields["start"] > HOUR
    return long and fields["user_ids"] == [OLENA.id] and fields["status"] == "confirmed"
