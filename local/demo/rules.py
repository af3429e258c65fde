"""Step 5: what of a calendar becomes the studio's, then what may be deleted (`deletions.py`)."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from local.demo.checks import entry_of_appointment, entry_of_event, exactly, exactly_once
from local.demo.deletions import show_removed_from_one, show_unusual_loss
from local.demo.edits import HOUR, Edit
from local.demo.progress import settle
from local.demo.reasons import show_reason
from local.demo.scene import Scene, account_of
from local.demo.studio import CONNECTED, OLENA, DemoUser
from local.demo.terminal import Terminal
from local.demo.waves import scheduled_runs, show_agreement, show_arrivals
from local.people import google_time

AGENCY = "casting@agency.example"
CASTING = "Casting, Agency Nord"


def show_rules(scene: Scene, terminal: Terminal) -> None:
    terminal.step("What syncs, and what may be deleted")
    scheduled = scheduled_runs(scene)
    for part in (show_own_entries, show_invitation, show_removed_from_one, show_unusual_loss):
        part(scene, terminal)
        if terminal.problems:
            return
    show_agreement(scene, terminal, "after all that")
    show_kept_out(scene, terminal)
    terminal.say(f"{scheduled_runs(scene) - scheduled} runs were started by the schedule: the scheduler was off")


def show_own_entries(scene: Scene, terminal: Terminal) -> None:
    """A tentative entry is confirmed; a private one is moved by the studio, which cannot read it."""
    person, studio = scene.person(OLENA), scene.studio
    tentative = next(_upcoming_entries(scene, OLENA, status="tentative"))
    private = next(_upcoming_entries(scene, OLENA, visibility="private"))
    [block] = [key for key, one in studio.appointments().items() if _origin(one) == private]
    before, at = person.event(private), _at(scene, 12)
    show_arrivals(
        [
            Edit(
                "Tentative entry in Olena's calendar, now confirmed: in the studio",
                lambda: person.patch("primary", tentative, status="confirmed"),
                lambda: scene.imported(tentative) is not None,
            ),
            Edit(
                "“Busy” moved in the studio: the private entry in Olena's calendar moves",
                lambda: studio.edit(block, start=at, end=at + HOUR),
                lambda: person.event(private)["start"] != before["start"],
            ),
        ],
        terminal,
    )
    settle(scene, terminal)
    wanted = entry_of_event(before)._replace(start=f"{at:%Y-%m-%dT%H:%M:%SZ}", end=f"{at + HOUR:%Y-%m-%dT%H:%M:%SZ}")
    problems = exactly_once([wanted], [entry_of_event(person.event(private))], "Olena's calendar")
    terminal.check("The moved one keeps its title, text and place there", problems, f"“{wanted.title}”")
    came = scene.imported(tentative)
    found = [] if came is None else [entry_of_appointment(came)]
    problems = exactly_once([entry_of_event(person.event(tentative))], found, "the studio")
    terminal.check("The confirmed one came in with title and details", problems, f"“{found[0].title}”" if found else "")


def show_invitation(scene: Scene, terminal: Terminal) -> None:
    """Somebody outside invites both users: nothing until they accept, then one appointment for both."""
    google = scene.stack.google
    google.add_account(AGENCY, "Agency Nord", "Europe/Berlin")
    at = _at(scene, 15)
    guests = [{"email": account_of(user)} for user in CONNECTED]
    times: dict[str, Any] = {"start": google_time(at), "end": google_time(at + HOUR)}
    event_id = google.person(AGENCY).insert(summary=CASTING, location="Berlin", attendees=guests, **times)["id"]
    settle(scene, terminal)
    early = _castings(scene)
    problems = exactly(len(early), 0, "Appointments")
    terminal.check("Appointments from an invitation that nobody has accepted", problems, f"{len(early)}")

    def accept() -> None:
        for user in CONNECTED:
            scene.person(user).answer(event_id, "accepted")

    def both_assigned() -> bool:
        return any(set(one["user_ids"]) == {user.id for user in CONNECTED} for one in _castings(scene))

    show_arrivals([Edit("Both users accept the invitation: in the studio, with both", accept, both_assigned)], terminal)
    settle(scene, terminal)
    castings = _castings(scene)
    problems = exactly([sorted(one["user_ids"]) for one in castings], [["marco", "olena"]], "Users, by appointment")
    terminal.check("Appointments of what stands in both calendars", problems, f"{len(castings)}")


def show_kept_out(scene: Scene, terminal: Terminal) -> None:
    """What did not come in all the while, and what just now does not; and why, in the words of the product."""
    terminal.say("Why something does not sync, as `python -m commands.why` says it:")
    tentative = list(_upcoming_entries(scene, OLENA, status="tentative"))[-1]
    at = _at(scene, 9)
    times: dict[str, Any] = {"start": google_time(at), "end": google_time(at + HOUR)}
    focus = scene.person(OLENA).insert(summary="Retouching, no calls", eventType="focusTime", **times)["id"]
    settle(scene, terminal)
    came = scene.imported(focus)
    terminal.check("Focus time in Olena's calendar stays out", ["It came in."] if came else [])
    show_reason(scene, terminal, "Why is the focus time not in the studio", "event_type", OLENA, event_id=focus)
    show_reason(scene, terminal, "Why is a tentative entry not in the studio", "tentative", OLENA, event_id=tentative)


def _castings(scene: Scene) -> list[dict[str, Any]]:
    return [one for one in scene.studio.appointments().values() if one["title"] == CASTING]


def _upcoming_entries(scene: Scene, user: DemoUser, **fields: str) -> Iterator[str]:
    """Timed entries of the calendar's own, from tomorrow on, that were typed with these fields."""
    for key, body in scene.typed[user.id].items():
        start = body["start"].get("dateTime", "")
        if start[:10] > scene.today.isoformat() and fields.items() <= body.items():
            yield key


def _origin(appointment: dict[str, Any]) -> object:
    return (appointment.get("origin") or {}).get("event_id")


def _at(scene: Scene, hour: int) -> dt.datetime:
    return dt.datetime.combine(scene.today + dt.timedelta(days=15), dt.time(hour), dt.UTC)
