"""Step 5, what may be deleted: before a person was asked, nothing that others have too, and no unusual number."""

import datetime as dt
import re
from typing import Any

from local.demo.checks import Entry, entry_of_appointment, entry_of_event, exactly, exactly_once
from local.demo.edits import Edit, upcoming
from local.demo.progress import settle
from local.demo.reasons import show_reason
from local.demo.scene import Scene
from local.demo.studio import MARCO, OLENA, DemoUser
from local.demo.terminal import Terminal
from local.demo.waves import show_arrivals

# So many entries are lost at once: more than the share of those to come that may go without a question.
LOST = 40
SHARE = 0.2
WOULD_CANCEL = re.compile(r"would cancel (\d+) of (\d+) upcoming")


def show_removed_from_one(scene: Scene, terminal: Terminal) -> None:
    """Two are assigned, one of them removes it: that one is asked for, the other one's stays."""
    studio = scene.studio
    appointment_id = _last(scene, 1, OLENA, MARCO)[0]
    hers, his = (scene.event_of(user, appointment_id) or "" for user in (OLENA, MARCO))
    before = entry_of_event(scene.person(OLENA).event(hers))

    def question() -> list[str]:
        return _asked(scene, "removed_from_calendar", MARCO)

    remove = Edit(
        "Shared one removed from Marco's calendar: a question in the inbox",
        lambda: scene.person(MARCO).delete("primary", his),
        lambda: bool(question()),
    )
    show_arrivals([remove], terminal)
    settle(scene, terminal)
    asked = question()
    terminal.check("Questions about the shared one", exactly(len(asked), 1, "Questions"), f"{len(asked)}")
    _show_users(scene, terminal, "Until somebody answers, it stays with", appointment_id, [MARCO, OLENA])
    if terminal.problems:
        return
    terminal.say(studio.inbox()[asked[0]]["text"])
    answer = Edit(
        "Answered “take_off” through the front-end: Marco is taken off",
        lambda: studio.answer(asked[0], "take_off"),
        lambda: (studio.appointment(appointment_id) or {}).get("user_ids") == [OLENA.id],
    )
    show_arrivals([answer], terminal)
    settle(scene, terminal)
    _show_users(scene, terminal, "Answered, it stays with", appointment_id, [OLENA])
    problems = exactly_once([before], [entry_of_event(scene.person(OLENA).event(hers))], "Olena's calendar")
    problems += exactly(studio.inbox()[asked[0]]["status"], "answered", "The question's status")
    problems += exactly(scene.event_of(MARCO, appointment_id), None, "Marco's entry")
    terminal.check("Olena's entry of it is as it was, the question closed", problems, f"“{before.title}”")


def show_unusual_loss(scene: Scene, terminal: Terminal) -> None:
    """Forty entries of one calendar go at once: all of them wait for a person, who puts them back."""
    lost = _last(scene, LOST, OLENA)
    links = scene.links(OLENA)
    calendar, studio = _calendar(scene), _studio(scene)
    ahead = _to_come(scene)
    usual = [] if SHARE * ahead < LOST else [f"{LOST} of {ahead} is nothing unusual: nobody would be asked."]
    terminal.check("Deleted at once, of Olena's upcoming entries", usual, f"{LOST} of {ahead}, {LOST / ahead:.0%}")

    def delete() -> None:
        push = scene.stack.google.push
        push.paused = True  # At once: none of them is known before all are gone.
        try:
            for appointment_id in lost:
                scene.person(OLENA).delete("primary", links[appointment_id])
        finally:
            push.resume()

    what = f"{LOST} entries deleted from Olena's calendar: held, and a question in the inbox"
    show_arrivals([Edit(what, delete, lambda: bool(_asked(scene, "held", OLENA)))], terminal)
    settle(scene, terminal)
    holds = _asked(scene, "held", OLENA)
    terminal.check("Questions about all of them", exactly(len(holds), 1, "Questions"), f"{len(holds)}")
    statuses = [(scene.studio.appointment(one) or {}).get("status") for one in lost]
    cancelled = len(lost) - sum(status in {"confirmed", "tentative"} for status in statuses)
    problems = exactly(cancelled, 0, "Cancelled") + exactly_once(studio, _studio(scene), "the studio")
    terminal.check("Cancelled in the studio meanwhile", problems, f"{cancelled} of {LOST}")
    if terminal.problems:
        return
    text = scene.studio.inbox()[holds[0]]["text"]
    terminal.say(text)
    # One may have ended meanwhile.
    terminal.check("The question would cancel", *told_right(text, LOST, {ahead, _to_come(scene) + LOST}))
    show_reason(scene, terminal, "Why is one of them still in the studio", "held", OLENA, appointment_id=lost[0])
    missing = len(calendar) - len(_calendar(scene))
    terminal.check("Gone from Olena's calendar meanwhile", exactly(missing, LOST, "Gone"), f"{missing}")
    decline = Edit(
        f"Declined in Olena's settings: all {LOST} are taken out of the bin",
        lambda: scene.studio.set_up(OLENA.id, declined_hold=holds[0]),
        # The costly look only once the last one is there.
        lambda: _lives(scene, links[lost[-1]]) and len(_calendar(scene)) == len(calendar),
    )
    show_arrivals([decline], terminal)
    settle(scene, terminal)
    problems = exactly_once(calendar, _calendar(scene), "Olena's calendar")
    problems += exactly_once(studio, _studio(scene), "the studio")
    problems += exactly(scene.studio.inbox()[holds[0]]["status"], "answered", "The question's status")
    terminal.check("Calendar and studio are as before the loss", problems, f"{len(calendar)} entries")


def told_right(text: str, lost: int, ahead: set[int]) -> tuple[list[str], str]:
    """Whether the question names what was lost, out of what was to come; and the figure to show."""
    told = WOULD_CANCEL.search(text)
    if told is None:
        return [f"It does not say how many of how many it would cancel: {text}"], ""
    would_cancel, of = map(int, told.groups())
    problems = exactly(would_cancel, lost, "It would cancel")
    problems += [] if of in ahead else exactly(of, max(ahead), "Upcoming")
    return problems, f"{would_cancel} of {of} upcoming"


def _show_users(scene: Scene, terminal: Terminal, what: str, appointment_id: str, users: list[DemoUser]) -> None:
    found = scene.studio.appointment(appointment_id) or {}
    problems = exactly(sorted(found.get("user_ids", ())), [user.id for user in users], "Users")
    problems += exactly(found.get("status"), scene.plan.appointments[appointment_id]["status"], "Status")
    terminal.check(what, problems, ", ".join(found.get("user_ids", ())))


def _last(scene: Scene, number: int, *users: DemoUser) -> list[str]:
    """Upcoming appointments of just these users, from the other end than the edits of the step before."""
    return list(upcoming(scene, *users))[-number:]


def _asked(scene: Scene, kind: str, user: DemoUser) -> list[str]:
    """The open questions of a kind about a user's calendar."""
    wanted: dict[str, Any] = {"kind": kind, "user_id": user.id, "status": "open"}
    return [key for key, item in scene.studio.inbox().items() if wanted.items() <= item.items()]


def _lives(scene: Scene, event_id: str) -> bool:
    return bool(scene.person(OLENA).event(event_id)["status"] != "cancelled")


def _calendar(scene: Scene) -> list[Entry]:
    return [entry_of_event(event) for event in scene.person(OLENA).events()]


def _studio(scene: Scene) -> list[Entry]:
    return [entry_of_appointment(one) for one in scene.studio.appointments().values()]


def _to_come(scene: Scene) -> int:
    """How many of Olena's entries that sync are not over; whole days last as long as anywhere on earth."""
    now = dt.datetime.now(dt.UTC)
    typed = scene.typed[OLENA.id]
    ends = [
        entry.end if "T" in entry.end else f"{entry.end}T12:00:00Z"
        for event in scene.person(OLENA).events()
        if (entry := entry_of_event(event)).status != "tentative" or event["id"] not in typed
    ]
    return sum(end > f"{now:%Y-%m-%dT%H:%M:%SZ}" for end in ends)
