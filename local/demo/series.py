"""Step 7: appointments that repeat, both ways; then an entry that overlaps a booked one (`conflicts.py`)."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from local.demo.checks import Entry, exactly, exactly_once
from local.demo.conflicts import show_conflict
from local.demo.functions_log import entries
from local.demo.progress import settle
from local.demo.reasons import show_reason
from local.demo.scene import Scene, account_of
from local.demo.series_edits import CLASS, DAYS, EVENING, LAPSE, SETUP, SETUP_TITLE, WEEKS, SeriesEdits
from local.demo.studio import CONNECTED, MARCO, OLENA, STUDIO_ZONE, DemoUser
from local.demo.terminal import Terminal
from local.demo.waves import show_arrivals
from local.google.gateway import RecordedRequest
from local.google.occurrences import slot_of
from local.series_readings import Shown, in_calendar, in_studio

# What changes an event; each part of a batch is one.
WRITES = {f"calendar.events.{kind}" for kind in ("insert", "patch", "update", "delete", "move", "import")}
# So far ahead both sides are read: all of the class, and most of the longest series.
AHEAD = dt.timedelta(days=300)
AWAY = "America/New_York"
OK = 200

# By user, what a front-end shows of the studio and Google's page of the calendar, occurrence by occurrence.
Sides = dict[str, tuple[list[Shown], list[Shown]]]


def show_series(scene: Scene, terminal: Terminal) -> None:
    terminal.step("Appointments that repeat, changed on either side; a schedule conflict")
    edits = SeriesEdits(scene)
    before = read(scene)
    for part in (show_new, show_unsupported, show_scopes, show_documents, show_another_zone):
        part(scene, terminal, edits)
        if terminal.problems:
            return
    show_agreement(terminal, before, read(scene))
    if terminal.problems:
        return
    show_conflict(scene, terminal)
    show_cancelled(scene, terminal, edits)


def show_new(scene: Scene, terminal: Terminal, edits: SeriesEdits) -> None:
    """One of many occurrences, one that goes over the next change of the clock, one that comes from a calendar."""
    scene.stack.google.clear_requests()
    show_arrivals(edits.new(), terminal)
    settle(scene, terminal)
    found, writes = len(edits.instances(SETUP)), _writes(scene, scene.event_of(OLENA, SETUP))
    problems = exactly(found, DAYS, "Occurrences") + exactly(writes, ["calendar.events.insert"], "Writes")
    terminal.check(f"Writes to Google for {found} occurrences", problems, f"{len(writes)}")
    starts = [slot_of(one["start"]) for one in edits.instances(CLASS)]
    times = [one for one in starts if isinstance(one, dt.datetime)]
    clocks = {f"{one.astimezone(ZoneInfo(STUDIO_ZONE)):%H:%M}" for one in times}
    problems = exactly(len(times), WEEKS, "Occurrences") + exactly(clocks, {f"{EVENING}:00"}, "By the clock")
    instants = sorted({f"{one:%H:%M}" for one in times})
    problems += exactly(len(instants), 2, "Hours in UTC, over a change of the clock")
    figure = f"{len(times)}, in UTC {' and '.join(instants)}"
    terminal.check(f"The class is at {EVENING}:00 before and after the clock changes", problems, figure)


def show_unsupported(scene: Scene, terminal: Terminal, edits: SeriesEdits) -> None:
    detail = str(edits.parked().get("detail"))
    problems = [] if "HOURLY" in detail else [f"It does not say which part is the matter: {detail}"]
    terminal.check("The part that is the matter is on record", problems, detail)
    show_reason(scene, terminal, "Why is it not in her calendar", "unsupported_rule", OLENA, appointment_id=LAPSE)


def show_scopes(scene: Scene, terminal: Terminal, edits: SeriesEdits) -> None:
    """This one, this and following, and all, from either side."""
    for where, wave in (("In the studio", edits.in_studio), ("In the calendars", edits.in_calendars)):
        terminal.say(f"{where}:")
        show_arrivals(wave(), terminal)
        settle(scene, terminal)
        if terminal.problems:
            return
    terminal.check("Nothing is parked any more", exactly(edits.parked(), {}, "Parked"))


def show_documents(scene: Scene, terminal: Terminal, edits: SeriesEdits) -> None:
    """Only occurrences that somebody changed have documents; one of another user is a single entry there."""
    found = scene.studio.appointments()
    own = sorted(one for one, fields in found.items() if fields.get("series_id") == CLASS)
    problems = exactly(own, edits.with_documents, "Documents")
    terminal.check("Occurrences of the class with a document of their own", problems, f"{len(own)} of {WEEKS}")
    terminal.say(f"Their ids are the series' and the original start: {edits.with_documents[0]}")
    daily = sum(fields.get("series_id") == SETUP for fields in found.values())
    terminal.check(f"Documents of the {DAYS}", exactly(daily, 0, "Documents"), f"{daily}, but the series")
    event = scene.person(MARCO).event(scene.event_of(MARCO, edits.given) or "")
    amiss = sorted({"recurringEventId", "recurrence"} & event.keys())
    terminal.check("Marco's is a single entry", [f"It has {name}." for name in amiss], f"“{event['summary']}”")


def show_another_zone(scene: Scene, terminal: Terminal, _edits: SeriesEdits) -> None:
    """Olena's calendar is set to another zone, and read from end to end."""
    google, seen = scene.stack.google, len(scene.stack.output)
    stretch = _stretch(scene)
    appointments, agenda = scene.studio.appointments(), in_calendar(scene.person(OLENA), *stretch)
    google.clear_requests()
    google.set_time_zone(account_of(OLENA), AWAY)
    google.expire_sync_tokens(account_of(OLENA))  # With the cursor, a run would be told of no change at all.
    scene.studio.set_up(OLENA.id, requested_at=dt.datetime.now(dt.UTC))
    settle(scene, terminal)
    lines = entries(scene.stack.output[seen:], "run")
    runs = sum(one.get("connection") == scene.connections[OLENA.id] for one in lines)
    listed = [one for one in google.requests if one.account == OLENA.google and _lists_all(one)]
    problems = [] if runs and listed else ["No run has listed Olena's calendar since."]
    problems += exactly(_writes(scene), [], "Writes")
    if scene.studio.appointments() != appointments:
        problems.append("Documents of the studio have changed.")
    found = in_calendar(scene.person(OLENA), *stretch)
    problems += exactly_once(_entries(agenda), _entries(found), "Olena's calendar")
    figure = f"{len(found)} stay, 0 writes"
    terminal.check(f"Olena's calendar set to {AWAY}: nothing moves", problems, figure)
    google.set_time_zone(account_of(OLENA), OLENA.calendar_zone)


def show_agreement(terminal: Terminal, before: Sides, now: Sides) -> None:
    """What has come since is the same on both sides, and nothing has gone.

    The rest was compared before, by other rules: what is private, or tentative, differs.
    """
    for user in CONNECTED:
        came, gone = (
            [Counter(new) - Counter(old) for new, old in zip(*sides, strict=True)]
            for sides in ((now[user.id], before[user.id]), (before[user.id], now[user.id]))
        )
        here, there = (_entries(side.elements()) for side in came)
        problems = exactly_once(here, there, f"{user.name}'s calendar")
        problems += [f"{one} is not there any more." for side in gone for one in _entries(side)]
        problems += [] if there else [f"Nothing new is in {user.name}'s calendar."]
        what = f"Studio and {user.name}'s calendar agree, each occurrence of {AHEAD.days} days"
        terminal.check(what, problems, f"{len(there)}")


def show_cancelled(scene: Scene, terminal: Terminal, edits: SeriesEdits) -> None:
    event_id, before = scene.event_of(OLENA, SETUP), read(scene, OLENA)[OLENA.id]
    scene.stack.google.clear_requests()
    show_arrivals([edits.cancelled()], terminal)
    settle(scene, terminal)
    writes = _writes(scene, event_id)
    problems = exactly(writes, ["calendar.events.delete"], "Writes")
    terminal.check("Writes to Google that it took", problems, f"{len(writes)}")
    others = [[one for one in side if one[2] != SETUP_TITLE] for side in before]
    problems = []
    for place, wanted, found in zip(
        ("the studio", "Olena's calendar"), others, read(scene, OLENA)[OLENA.id], strict=True
    ):
        problems += exactly_once(_entries(wanted), _entries(found), place)
    terminal.check("All else in Olena's calendar is as it was", problems, f"{len(others[1])} entries")


def read(scene: Scene, *users: DemoUser) -> Sides:
    """The next months of these users, or of all who are connected."""
    appointments, stretch = scene.studio.appointments(), _stretch(scene)
    return {
        user.id: (
            in_studio(appointments, user.id, *stretch, zone=STUDIO_ZONE),
            in_calendar(scene.person(user), *stretch),
        )
        for user in users or CONNECTED
    }


def _stretch(scene: Scene) -> tuple[dt.datetime, dt.datetime]:
    """Of the readings: from tomorrow, as what goes on now may change by itself."""
    since = dt.datetime.combine(scene.today + dt.timedelta(days=1), dt.time(), dt.UTC)
    return since, since + AHEAD


def _entries(readings: Iterable[Shown]) -> list[Entry]:
    return [
        Entry(title, start, end, location=location, status=status, busy=busy)
        for start, end, title, location, status, busy in readings
    ]


def _writes(scene: Scene, event_id: str | None = None) -> list[str]:
    """Which calls have changed a calendar, or just an event of it, since the requests were last cleared."""
    made = [one for one in scene.stack.google.requests if one.method_id in WRITES]
    return [one.method_id for one in made if event_id is None or event_id in f"{one.path} {one.body}"]


def _lists_all(request: RecordedRequest) -> bool:
    return request.method_id == "calendar.events.list" and request.status == OK and "syncToken" not in request.query
