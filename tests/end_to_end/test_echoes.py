"""Once both sides agree, nothing is written any more: whatever was edited, whatever Google makes of it (N3)."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from local.google import event_rules
from local.google.descriptions import rewritten
from local.google.server import GoogleSimulator
from local.wiretap import Wiretap
from tests.end_to_end.idling import assert_idle, everything, in_step, instant, make_pairs, settle
from tests.soak import SOAKING
from tests.world import World, days, google_span, span

LIMIT = 8192
LINE = "-::~:~::" + "~:" * 40 + ":~:~::-"
MEET = f"{LINE}\nJoin with Google Meet: https://meet.google.com/abc-defg-hij\n{LINE}"
FAMILY = "👩\u200d👩\u200d👧\u200d👦"

TEXTS = {
    "html": '<p>Bring <b>two</b> lights &amp; <a href="https://a.example/?b=1&c=2">a map</a></p><script>x()</script>',
    "unclosed": "<ul><li>one<li>two</ul><foo>three</foo>",
    "no-html": "5 < 6 & 7 > 2 &copy; <3",
    "line-ends": "one\r\ntwo\rthree\n",
    "edges": " \t around \u00a0\n ",
    "only-space": "  \r\n ",
    "meet": f"Before\n\n{MEET}\n\nAfter",
    "only-meet": MEET,
    "7999": "x" * 7999,
    "8192": "x" * 8192,
    "8193": "x" * 8193,
    "9000": "x" * 9000,
    "20000": "Prep. " * 3333 + "!!",
    "emoji": f"{FAMILY} 🇦🇹 👍🏽",
    "half-an-emoji": "x" * (LIMIT - 1) + "👍" * 20,
    "half-a-family": "x" * (LIMIT - 4) + FAMILY * 20,
    "space-at-the-limit": "x" * (LIMIT - 1) + " " + "y" * 100,
    "line-end-at-the-limit": "x" * (LIMIT - 1) + "\r\n" + "y" * 100,
    "html-across-the-limit": "x" * (LIMIT - 2) + "<b>bold</b>" + "y" * 100,
}

Edit = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture
def google(world: World, monkeypatch: pytest.MonkeyPatch) -> GoogleSimulator:
    """A Google that does all to a text that any is said to do; cuts fall between UTF-16 units, as in Java."""
    google = world.cloud.google
    monkeypatch.setattr(google.behaviour, "strip_own_block", True)
    monkeypatch.setattr(google.behaviour, "rewrite_descriptions", True)
    monkeypatch.setattr(google.behaviour, "description_limit", LIMIT)
    monkeypatch.setattr(google.push, "_now", world.clock.now)  # Channels live as long as the world's clock says.
    shaped = event_rules.shaped

    def cut_in_units(*arguments: Any, description_limit: int, **named: Any) -> Any:
        event, times = shaped(*arguments, description_limit=None, **named)
        if "description" in event:
            event["description"] = cut(event["description"], description_limit)
        return event, times

    monkeypatch.setattr(event_rules, "shaped", cut_in_units)
    return google


@pytest.fixture
def ann(world: World) -> World:
    return in_step(world)


def cut(text: str, limit: int) -> str:
    return text.encode("utf-16-le", "surrogatepass")[: 2 * limit].decode("utf-16-le", "surrogatepass")


def assert_quiet(world: World, tap: Wiretap) -> None:
    """Idle from now on; and neither a full listing nor a look back, on a day or after a month, finds anything to do."""
    assert_idle(world, tap, 50 if SOAKING else 8)
    before = everything(world)
    for email in world.emails.values():
        world.cloud.google.expire_sync_tokens(email)
    world.sync()
    for days_later in (1.1, 1.1, 31):
        world.later(days=days_later)
        world.sync()
        assert {**everything(world), "parked": None} == {**before, "parked": None}
    assert_idle(world, tap, 3)


def by_title(world: World, user_id: str) -> dict[str, dict[str, Any]]:
    return {event["summary"]: event for event in world.events(user_id)}


# --- texts -----------------------------------------------------------------------------------------------------------


def test_texts_of_the_studio_come_to_rest_and_stay_as_they_were_written(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    make_pairs(world, list(TEXTS))
    for name, text in TEXTS.items():
        world.edit(name, description=text, location=f" {name}\t")
    settle(world)
    for user_id in ("ann", "ben"):
        stored = {name: event.get("description", "") for name, event in by_title(world, user_id).items()}
        assert stored == {name: cut(rewritten(text, google.behaviour), LIMIT) for name, text in TEXTS.items()}
    assert {name: found["description"] for name, found in world.appointments().items()} == TEXTS
    assert_quiet(world, tap)


def test_texts_of_a_calendar_come_to_rest_on_both_sides_and_in_a_colleagues_calendar(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    make_pairs(world, list(TEXTS), description="Before")
    for name, event in by_title(world, "ann").items():
        world.person("ann").patch("primary", event["id"], description=TEXTS[name], location=f" {name}\t")
    settle(world)
    hers = {name: event.get("description", "") for name, event in by_title(world, "ann").items()}
    assert hers == {name: cut(text, LIMIT) for name, text in TEXTS.items()}, "only clients' texts are changed"
    readable = {name: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for name, text in hers.items()}
    assert {name: found["description"] for name, found in world.appointments().items()} == readable
    assert {name: event.get("description", "") for name, event in by_title(world, "ben").items()} == {
        name: cut(rewritten(text, google.behaviour), LIMIT) for name, text in readable.items()
    }
    assert_quiet(world, tap)


def test_titles_and_places_with_odd_characters_come_to_rest(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    odd = {"edges": "  Shoot\t", "line-end": "Two\r\nlines", "emoji": FAMILY, "html": "<b>A</b> & B", "none": ""}
    make_pairs(world, [f"{side}-{name}" for side in ("studio", "calendar") for name in odd])
    events = by_title(world, "ann")
    for name, text in odd.items():
        world.edit(f"studio-{name}", title=text, location=text)
        event_id = events[f"calendar-{name}"]["id"]
        world.person("ann").patch("primary", event_id, summary=text, location=text)
    settle(world)
    appointments = world.appointments()
    for name, text in odd.items():
        for side in ("studio", "calendar"):
            found = appointments[f"{side}-{name}"]
            assert (found["title"], found.get("location", "")) == (text, text)
    assert world.titles("ann") == world.titles("ben") == sorted([*odd.values(), *odd.values()])
    assert_quiet(world, tap)


def test_a_mirror_comes_to_rest_too_whatever_a_person_makes_of_it(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    """What is edited in the calendar stays until the studio edits that entry; then the studio's text stands there."""
    bookings = {
        name: {"title": name, "user_ids": ["ann"], "description": text, **span(number)}
        for number, (name, text) in enumerate(TEXTS.items())
    }
    world.front_end.book_many(bookings)
    world.join("ann", populate_calendar=True, two_way_appointments=False)
    settle(world)
    assert_idle(world, tap, 5, calls={})
    for event in world.events("ann"):
        world.person("ann").patch("primary", event["id"], description="Mine", location="Mine", colorId="5")
    settle(world)
    assert {event["description"] for event in world.events("ann")} == {"Mine"}
    for name in TEXTS:
        world.edit(name, location="Studio 2")
    settle(world)
    stored = {name: event.get("description", "") for name, event in by_title(world, "ann").items()}
    assert stored == {name: cut(rewritten(text, google.behaviour), LIMIT) for name, text in TEXTS.items()}
    assert {event["colorId"] for event in world.events("ann")} == {"5"}
    assert {name: found["description"] for name, found in world.appointments().items()} == TEXTS
    assert_idle(world, tap, 50, calls={})
    before = everything(world)
    for days_later in (1.1, 31):
        world.later(days=days_later)
        world.sync()
        assert everything(world) == before


def test_a_text_that_google_changes_though_nobody_edited_it_is_taken_over_once(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    """Google adds its own block when a person adds a conference: that is an edit, and what it strips later is not."""
    make_pairs(world, ["shoot"], description="Bring lights")
    [event] = world.events("ann")
    google.behaviour.strip_own_block = False
    world.person("ann").patch("primary", event["id"], description=f"Bring lights\n\n{MEET}")
    google.behaviour.strip_own_block = True
    settle(world)
    assert world.appointments()["shoot"]["description"] == f"Bring lights\n\n{MEET}"
    [bens] = world.events("ben")
    assert bens["description"] == "Bring lights"
    assert_quiet(world, tap)


# --- times, flags, and what is not ours ------------------------------------------------------------------------------

KATHMANDU = dt.timezone(dt.timedelta(hours=5, minutes=45))
DAY, NEXT_DAY = days(3, 4)
LATER_DAY = days(6, 7)[1]
NOON = dt.datetime.fromisoformat(f"{DAY}T12:00:00+00:00")
ALL_DAY = {"all_day": True, "start_date": DAY, "end_date": NEXT_DAY, "start": None, "end": None}

# What the studio writes, and what is then in the calendars (times compared as instants).
STUDIO_EDITS: dict[str, Edit] = {
    "another-offset": ({"start": NOON.astimezone(KATHMANDU), "end": NOON.astimezone(KATHMANDU)}, {"start": NOON}),
    "a-zone-beside": ({"time_zone": "Asia/Tokyo", "start": NOON, "end": NOON + dt.timedelta(days=2)}, {"start": NOON}),
    "all-day": (ALL_DAY, {"start": DAY, "end": NEXT_DAY}),
    "all-day-with-hours-left": ({**ALL_DAY, "start": NOON, "end": NOON}, {"start": DAY, "end": NEXT_DAY}),
    "several-days": ({**ALL_DAY, "end_date": LATER_DAY}, {"start": DAY, "end": LATER_DAY}),
    "free": ({"busy": False}, {"transparency": "transparent"}),
    "private": ({"private": True}, {"visibility": "private"}),
    "tentative": ({"status": "tentative"}, {"status": "tentative"}),
    "nulls": ({"location": None, "description": None, "busy": None, "private": None}, {}),
    "another-kind": ({"kind": "session", "client_id": "eve", "resource_ids": ["room"]}, {}),
}


def test_times_and_flags_of_the_studio_come_to_rest(world: World, google: GoogleSimulator, tap: Wiretap) -> None:
    make_pairs(world, list(STUDIO_EDITS))
    for name, (fields, _) in STUDIO_EDITS.items():
        world.edit(name, **fields)
    settle(world)
    for user_id in ("ann", "ben"):
        events = by_title(world, user_id)
        for name, (_, expected) in STUDIO_EDITS.items():
            there = {**events[name], "start": instant(events[name]["start"]), "end": instant(events[name]["end"])}
            assert {key: there[key] for key in expected} == expected
    for name, (fields, _) in STUDIO_EDITS.items():
        found = world.appointments()[name]
        assert {key: found[key] for key in fields} == fields
    assert_quiet(world, tap)
    # And back again: what was all-day has hours, what was private is not.
    back = {"all_day": False, "busy": True, "private": False, "status": "confirmed"}
    for number, name in enumerate(STUDIO_EDITS):
        world.edit(name, **back, **span(number))
    settle(world)
    for event in by_title(world, "ben").values():
        assert "dateTime" in event["start"]
        assert (event["status"], event.get("visibility", "default")) == ("confirmed", "default")
    assert_idle(world, tap, 10)


def test_times_with_fractions_of_a_second_come_to_rest(ann: World, tap: Wiretap) -> None:
    ann.edit("shoot", start=NOON.replace(microsecond=123456), end=NOON.replace(microsecond=999999))
    settle(ann)
    assert_idle(ann, tap, 3)


# What a person does in the calendar, and what is then in the studio.
CALENDAR_EDITS: dict[str, Edit] = {
    "another-offset": (
        {"start": {"dateTime": f"{DAY}T21:00:00+09:00"}, "end": {"dateTime": f"{DAY}T13:00:00Z"}},
        {"start": NOON, "end": NOON + dt.timedelta(hours=1)},
    ),
    "another-zone": (
        {
            "start": {"dateTime": f"{DAY}T21:00:00", "timeZone": "Asia/Tokyo"},
            "end": {"dateTime": f"{DAY}T22:00:00", "timeZone": "Asia/Tokyo"},
        },
        {"start": NOON, "end": NOON + dt.timedelta(hours=1)},
    ),
    "all-day": (
        {"start": {"date": DAY, "dateTime": None}, "end": {"date": NEXT_DAY, "dateTime": None}},
        {"all_day": True, "start_date": DAY, "end_date": NEXT_DAY},
    ),
    "free": ({"transparency": "transparent"}, {"busy": False}),
    "private": ({"visibility": "private"}, {"private": True}),
    "confidential": ({"visibility": "confidential"}, {"private": True}),
    "public": ({"visibility": "public"}, {}),
    "tentative": ({"status": "tentative"}, {"status": "tentative"}),
    "guests": ({"attendees": [{"email": "guest@example.com"}], "guestsCanModify": True}, {}),
    "colour": ({"colorId": "5"}, {}),
    "reminders": ({"reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 7}]}}, {}),
    "others-properties": ({"extendedProperties": {"private": {"theirs": "x"}, "shared": {"theirs": "y"}}}, {}),
    "source": ({"source": {"url": "https://a.example/", "title": "A"}}, {}),
}


def test_times_flags_and_what_is_not_ours_come_to_rest(world: World, google: GoogleSimulator, tap: Wiretap) -> None:
    make_pairs(world, list(CALENDAR_EDITS))
    for name, event in by_title(world, "ann").items():
        world.person("ann").patch("primary", event["id"], **CALENDAR_EDITS[name][0])
    mine = {name: {**event, "etag": "", "updated": ""} for name, event in by_title(world, "ann").items()}
    bens = by_title(world, "ben")
    settle(world)
    for name, (_, expected) in CALENDAR_EDITS.items():
        found = world.appointments()[name]
        assert {key: found[key] for key in expected} == expected
    assert {name: {**event, "etag": "", "updated": ""} for name, event in by_title(world, "ann").items()} == mine
    quiet = [name for name, (_, expected) in CALENDAR_EDITS.items() if not expected]
    assert [by_title(world, "ben")[name] for name in quiet] == [bens[name] for name in quiet]
    assert_quiet(world, tap)


@pytest.mark.parametrize("etag", [True, False], ids=["changes-the-etag", "leaves-the-etag"])
def test_a_change_of_reminders_comes_to_rest_whatever_it_does_to_the_etag(
    ann: World, tap: Wiretap, monkeypatch: pytest.MonkeyPatch, *, etag: bool
) -> None:
    monkeypatch.setattr(ann.cloud.google.behaviour, "reminders_change_etag", etag)
    [event] = ann.events("ann")
    for minutes in (7, 8):
        reminders = {"useDefault": False, "overrides": [{"method": "popup", "minutes": minutes}]}
        ann.person("ann").patch("primary", event["id"], reminders=reminders)
        settle(ann)
        assert_idle(ann, tap, 2)
    ann.edit("shoot", title="Renamed")
    settle(ann)
    assert ann.titles("ann") == ["Renamed"]
    assert_idle(ann, tap, 2)


def test_what_a_calendar_made_private_comes_to_rest_on_both_sides(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    """It is "Busy" in the studio: what is edited there cannot go to the calendar, and the calendar's text stays."""
    world.join("ann", populate_calendar=True, populate_studio=True)
    for number in range(3):
        event = {"summary": f"Doctor {number}", "description": MEET, "visibility": "private", **google_span(number)}
        world.types("ann", **event)
    settle(world)
    assert {found["title"] for found in world.appointments().values()} == {"Busy"}
    assert_idle(world, tap, 5)
    hidden, moved, opened = sorted(world.appointments())
    world.edit(hidden, title="Edited here", description="and here", location="too")
    world.edit(moved, title="Moved", **span(30))
    links = world.below("ann", "links")
    world.person("ann").patch("primary", links[opened]["event_id"], visibility="default", location="Clinic")
    settle(world)
    assert sorted(event["summary"] for event in world.events("ann")) == ["Doctor 0", "Doctor 1", "Doctor 2"]
    appointments = world.appointments()
    assert (appointments[hidden]["title"], appointments[moved]["start"]) == ("Edited here", span(30)["start"])
    assert appointments[opened]["location"] == "Clinic"
    assert_quiet(world, tap)


def test_invitations_come_to_rest_whoever_sent_them_and_whatever_is_answered(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    host = "host@elsewhere.example"
    for user_id in ("ann", "ben"):
        world.join(user_id, populate_calendar=True, populate_studio=True, include_tentative=True)
    for number, answer in enumerate(("accepted", "tentative", "declined", "needsAction")):
        invitation = {"iCalUID": f"{answer}@elsewhere.example", "summary": answer, "description": MEET}
        for user_id in ("ann", "ben"):
            email = world.emails[user_id]
            guests = [{"email": email, "responseStatus": "needsAction"}]
            google.receive_event(email, host, attendees=guests, **invitation, **google_span(number))
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(9))
    settle(world)
    [shoot] = [event for event in world.events("ann") if event["summary"] == "Shoot"]
    world.person("ann").invite(shoot["id"], world.emails["ben"], "guest@example.com")
    settle(world)
    for user_id in ("ann", "ben"):
        person = world.person(user_id)
        for title, event in by_title(world, user_id).items():
            if title != "Shoot":
                person.answer(event["id"], title)
    settle(world)
    assert_idle(world, tap, 10)
    for appointment_id in world.appointments():
        world.edit(appointment_id, location="The studio says", description=TEXTS["9000"])
    google.receive_event(
        world.emails["ann"], host, iCalUID="accepted@elsewhere.example", summary="Moved", **google_span(20)
    )
    settle(world)
    assert world.appointments()["shoot"]["user_ids"] == ["ann", "ben"]
    assert len(world.appointments()) == 5
    assert_quiet(world, tap)


def test_entries_of_the_calendar_come_to_rest_as_they_come_in(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    world.join("ann", populate_calendar=True, populate_studio=True)
    for number, (name, text) in enumerate(TEXTS.items()):
        world.types("ann", summary=f" {name} ", description=text, **google_span(number))
    start, end = days(2, 5)
    world.types("ann", summary="Fair", start={"date": start}, end={"date": end}, transparency="transparent")
    world.types("ann", summary="Away", eventType="outOfOffice", **google_span(40))
    settle(world)
    assert len(world.appointments()) == len(TEXTS) + 2
    assert_quiet(world, tap)


def test_deletions_on_either_side_come_to_rest(world: World, google: GoogleSimulator, tap: Wiretap) -> None:
    make_pairs(world, ["kept", "cancelled", "erased", "reassigned", "removed"])
    events = by_title(world, "ann")
    world.edit("cancelled", status="cancelled")
    world.erase("erased")
    world.edit("reassigned", user_ids=["ben"])
    world.person("ann").delete("primary", events["removed"]["id"])
    settle(world)
    assert world.titles("ann") == ["kept"]
    assert world.titles("ben") == ["kept", "reassigned", "removed"]
    assert_quiet(world, tap)


# --- an answer that was lost, of a text that Google changes ----------------------------------------------------------


def with_lost_answers(world: World, google: GoogleSimulator, texts: Mapping[str, str]) -> dict[str, str]:
    """Each text entered, and no answer seen; gives what the studio has when all has come to rest."""
    world.front_end.book_many(
        {
            name: {"title": name, "description": text, "user_ids": ["ann"], **span(number)}
            for number, (name, text) in enumerate(texts.items())
        }
    )
    world.join("ann", populate_calendar=True)
    google.fail_next("calendar.events.insert", 503, "backendError", times=len(texts), after_effect=True)
    for _ in range(3):
        settle(world)
        world.later(hours=1)
    assert world.titles("ann") == sorted(texts)
    return {name: found["description"] for name, found in world.appointments().items()}


# What a lost answer cannot hide: Google stored another text than was sent, and nobody can tell who wrote that.
REWRITTEN = {"html", "unclosed", "no-html", "meet", "only-meet", "html-across-the-limit"}


def test_after_lost_answers_too_texts_come_to_rest_and_a_cut_one_stays_whole(
    world: World, google: GoogleSimulator, tap: Wiretap
) -> None:
    texts = {name: text for name, text in TEXTS.items() if not name.startswith("half-")}
    left = with_lost_answers(world, google, texts)
    plain = texts.keys() - REWRITTEN
    assert {name: left[name] for name in plain} == {name: texts[name] for name in plain}
    assert_idle(world, tap, 3)


def test_after_a_lost_answer_a_text_cut_in_the_middle_of_an_emoji_stays_whole(
    world: World, google: GoogleSimulator
) -> None:
    texts = {name: text for name, text in TEXTS.items() if name.startswith("half-")}
    assert with_lost_answers(world, google, texts) == texts
