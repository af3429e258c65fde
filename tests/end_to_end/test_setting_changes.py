"""What a changed setting does: every row of the table that stands in `docs/settings.md`, and what happens meanwhile."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.domain.channel_health import SAFETY_INTERVAL
from shared.domain.reasons import Reason
from shared.domain.setting_changes import DOCUMENT, TABLE, Row
from shared.services.studio_changes import user_written
from shared.services.sync_calendar import Outcome
from tests.soak import few
from tests.world import STUDIO, World, google_span, span

# A case prepares, gives the change, and looks at what became of it.
Case = Callable[[World], Iterator[Callable[[], object]]]


@pytest.fixture
def ann(world: World) -> World:
    """Ann, both ways, with three shoots, in step; she has never populated."""
    world.join("ann")
    world.sync()
    for number in range(3):
        world.book(f"a{number}", title=f"A{number}", user_ids=["ann"], **span(number + 1))
    world.sync()
    return world


def label(row: Row) -> str:
    return f"{row.document}-{row.setting}-{row.change}".replace(" ", "_")


@few
@pytest.mark.parametrize("row", TABLE, ids=label)
def test_a_changed_setting_does_what_the_table_says(ann: World, row: Row) -> None:
    case = CASES[row.document, row.setting, row.change](ann)
    change = next(case)
    due = ann.connection("ann").next_sync_at
    change()
    if row.run:
        assert ann.connection("ann").due(ann.clock.now()), "a run starts at once"
    else:
        assert ann.connection("ann").next_sync_at == due, "nothing is to be done now"
    assert next(case, None) is None


def test_every_case_is_one_of_the_tables() -> None:
    assert CASES.keys() == {(row.document, row.setting, row.change) for row in TABLE}


# --- nothing to do ---------------------------------------------------------------------------------------------------


def nothing(document: str, setting: str, *values: Any) -> Case:
    """Stays as it is on both sides, at once and at the next runs; channel, outbox and state too."""

    def case(world: World) -> Iterator[Callable[[], object]]:
        before, channels = world.picture(), channels_of(world)
        world.cloud.google.clear_requests()
        for value in values[:-1]:
            set_any(world, document, setting, value)
        yield lambda: set_any(world, document, setting, values[-1])
        world.sync()
        world.later(hours=25)
        world.sync()
        assert world.picture() == before
        assert channels_of(world) == channels != []
        assert world.below("ann", "outbox") == {}
        assert state(world) == ("connected", None)
        assert {one.method_id for one in world.cloud.google.requests} <= {"calendar.events.list", "oauth2.token"}

    return case


def clash_policy(world: World) -> Iterator[Callable[[], object]]:
    clash(world, "a0")
    world.sync()
    assert world.appointments()["a0"]["title"] == "Studio's"
    yield lambda: world.set_studio(**{"sync.clash_policy": "google"})
    world.later(days=31)
    world.sync()
    assert world.appointments()["a0"]["title"] == "Studio's", "decided before"
    clash(world, "a1")
    world.sync()
    assert world.appointments()["a1"]["title"] == "Calendar's"
    assert "Calendar's" in world.titles("ann")


def past_days(world: World) -> Iterator[Callable[[], object]]:
    world.front_end.book("old", title="Old", user_ids=["ann"], **span(-24 * 100))
    world.types("ann", summary="Old entry", **google_span(-24 * 101))
    yield lambda: world.set_studio(**{"sync.past_days": 120})
    world.later(days=31)
    world.sync()
    assert "Old" not in world.titles("ann")
    assert "Old entry" not in studio(world).values()
    world.later(days=-31)
    world.set_up("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    assert "Old" in world.titles("ann")
    assert "Old entry" in studio(world).values()


def interval(world: World) -> Iterator[Callable[[], object]]:
    world.set_up("ann", two_way_appointments=False)
    world.sync()
    yield lambda: world.set_studio(**{"sync.interval_minutes": 45})
    assert world.run("ann") is Outcome.DONE
    assert 44 < wait_of(world) <= 45
    world.set_up("ann", two_way_appointments=True)
    world.sync()
    assert wait_of(world) <= 45, "its channel has not told of anything yet"
    world.push("ann", "sync")
    world.sync()
    assert wait_of(world) > SAFETY_INTERVAL.total_seconds() / 60 - 1, "where a channel lives it is that of the safety"


# --- off and on ------------------------------------------------------------------------------------------------------


def off(document: str, setting: str, value: Any, reason: Reason) -> Case:
    def case(world: World) -> Iterator[Callable[[], object]]:
        before = world.picture()
        yield lambda: set_any(world, document, setting, value)
        assert world.run("ann") is Outcome.STOPPED
        assert world.picture() == before
        assert channels_of(world) == []
        assert world.connection("ann").channel is None
        assert state(world) == ("paused", reason.value)
        assert reason.text in row_of(document, setting, value).state
        assert 59 < wait_of(world) <= 60, "looked at again every hour besides"
        world.edit("a0", title="Edited while off")
        world.run("ann")
        assert list(world.below("ann", "outbox")) == ["a0"]
        assert world.titles("ann") == ["A0", "A1", "A2"]

    return case


def on(document: str, setting: str, value: Any, back: Any) -> Case:
    def case(world: World) -> Iterator[Callable[[], object]]:
        set_any(world, document, setting, value)
        world.run("ann")
        meanwhile(world)
        world.run("ann")
        yield lambda: set_any(world, document, setting, back)
        world.sync()
        carried(world)

    return case


def meanwhile(world: World) -> None:
    """What is edited on both sides while the sync is off."""
    world.edit("a0", title="Edited in the studio")
    patch(world, "A1", location="Park")
    world.person("ann").delete("primary", event_of(world, "A2")["id"])
    world.types("ann", summary="Walk", **google_span(7))
    world.book("new", title="New", user_ids=["ann"], **span(8))


def carried(world: World) -> None:
    assert world.titles("ann") == ["A1", "Edited in the studio", "New", "Walk"]
    assert world.appointments()["a1"]["location"] == "Park"
    assert world.appointments()["a2"]["status"] == "cancelled"
    assert sorted(studio(world).values()) == ["A1", "A2", "Edited in the studio", "New", "Walk"]
    assert world.below("ann", "outbox") == {}
    assert len(channels_of(world)) == 1
    assert state(world) == ("connected", None)


def studio_erased(world: World) -> Iterator[Callable[[], object]]:
    yield world.erase_studio
    assert world.run("ann") is Outcome.STOPPED
    connection = world.connection("ann")
    assert (connection.state, connection.state_reason) == ("paused", "studio_gone")
    assert channels_of(world) == []
    assert world.titles("ann") == ["A0", "A1", "A2"]
    world.edit("a0", title="Edited while gone")
    world.run("ann")
    assert list(world.below("ann", "outbox")) == ["a0"]
    assert world.titles("ann") == ["A0", "A1", "A2"]


def studio_created(world: World) -> Iterator[Callable[[], object]]:
    world.erase_studio()
    world.run("ann")
    meanwhile(world)
    world.run("ann")
    yield lambda: world._studio_written(world.front_end.make_studio)
    world.sync()
    carried(world)


def user_erased(world: World) -> Iterator[Callable[[], object]]:
    yield lambda: world.erase_user("ann")
    assert world.run("ann") is Outcome.STOPPED
    connection = world.connection("ann")
    assert (connection.state, connection.state_reason, connection.next_sync_at) == ("paused", "user_gone", None)
    assert channels_of(world) == []
    assert world.titles("ann") == ["A0", "A1", "A2"]
    world.edit("a0", title="Edited while gone")
    assert world.below("ann", "outbox") == {}
    assert world.front_end.user("ann") == {}, "the document is not made again"


def user_created(world: World) -> Iterator[Callable[[], object]]:
    before = world.front_end.user("ann")
    world.erase_user("ann")
    world.run("ann")
    patch(world, "A1", location="Park")
    path = f"studios/{STUDIO}/users/ann"

    def created() -> None:
        world.firestore.document(path).set(before)
        after, store, tasks = world.front_end.user("ann"), world.wiring.store, world.wiring.tasks
        user_written(STUDIO, "ann", None, after, store=store, tasks=tasks, clock=world.clock)

    yield created
    world.sync()
    assert world.appointments()["a1"]["location"] == "Park"
    assert world.titles("ann") == ["A0", "A1", "A2"]
    assert state(world) == ("connected", None)
    assert len(channels_of(world)) == 1


# --- the user's own --------------------------------------------------------------------------------------------------


def calendar_id(world: World) -> Iterator[Callable[[], object]]:
    old, second = world.connections["ann"], str(world.cloud.google.add_calendar(world.emails["ann"], "Shootings"))
    [channel] = channels_of(world)
    yield lambda: world.set_up("ann", calendar_id=second)
    world.sync()
    stored = world.wiring.store.connection(old)
    assert stored is not None
    assert (stored.value.state, stored.value.state_reason, stored.value.channel) == ("resting", "switched", None)
    assert Reason.SWITCHED.text in row_of("user", "sync.calendar_id", second).state
    world.connections["ann"] = world.front_end.user("ann")["connection"]["id"]
    assert world.connections["ann"] != old
    world.sync()
    assert state(world) == ("connected", None)
    assert len(channels_of(world)) == 1
    assert channels_of(world) != [channel]
    assert (world.titles("ann"), titles(world, second)) == (["A0", "A1", "A2"], [])
    world.edit("a0", title="A0 edited")
    assert list(world.below("ann", "outbox")) == ["a0"]
    world.sync()
    assert (world.titles("ann"), titles(world, second)) == (["A1", "A2"], ["A0 edited"])
    world.set_up("ann", calendar_id=world.emails["ann"])
    world.sync()
    world.connections["ann"] = world.front_end.user("ann")["connection"]["id"]
    assert world.connections["ann"] == old
    world.sync()
    assert (world.titles("ann"), titles(world, second)) == (["A1", "A2"], ["A0 edited"])
    assert len(world.appointments()) == 3


def ticked(box: str) -> Case:
    def case(world: World) -> Iterator[Callable[[], object]]:
        booked_before(world, "twin", title="Twin", **span(-24 * 30))
        booked_before(world, "only", title="Only studio", **span(-24 * 31))
        typed_before(world, summary="Twin", **google_span(-24 * 30))
        typed_before(world, summary="Only calendar", **google_span(-24 * 32))
        world.front_end.edit("a0", title="Renamed")
        world.trigger("a0", world.appointments()["a1"])
        if box == "populate_calendar":
            calendar, here = ["A1", "A2", "Only calendar", "Only studio", "Renamed", "Twin"], 5
        else:
            calendar, here = ["A1", "A2", "Only calendar", "Renamed", "Twin"], 6
        for _ in range(2):
            yield lambda: world.set_up("ann", **{box: True})
            world.sync()
            assert world.titles("ann") == calendar
            assert len(world.appointments()) == here
            assert world.front_end.user("ann")["sync"][box] is False
            assert world.below("ann", "outbox") == {}
            assert state(world) == ("connected", None)
            world.set_up("ann", **{box: True})
            world.sync()
            assert world.titles("ann") == calendar, "ticked again it doubles nothing"
            assert len(world.appointments()) == here
            return

    return case


def unticked(box: str) -> Case:
    def case(world: World) -> Iterator[Callable[[], object]]:
        if box == "populate_calendar":
            for n in range(60):
                booked_before(world, f"s{n:03}", title=f"S{n}", **span(10 + n))
        else:
            for n in range(60):
                typed_before(world, summary=f"S{n}", **google_span(10 + n))
            world.cloud.google.listings.next_page_sizes(40)
        world.set_up("ann", **{box: True})
        # Calendar: one page, one chunk of writes. Studio: one page of entries, which need no write to the calendar.
        assert run_slice(world, checks=2) is Outcome.MORE
        done = entered(world, box)
        assert 0 < done < 60
        yield lambda: world.set_up("ann", **{box: False})
        world.cloud.google.listings.next_page_sizes()
        world.sync()
        world.later(days=31)
        world.sync()
        assert entered(world, box) == done, "it stops at its next step, and what was done stays"
        assert world.connection("ann").populate is None
        direction = box.removeprefix("populate_")
        before = world.connection("ann").populated
        assert direction == "calendar" or before.studio is None

    return case


def entered(world: World, box: str) -> int:
    found = world.titles("ann") if box == "populate_calendar" else list(studio(world).values())
    return sum(title.startswith("S") for title in found)


def two_way_on(world: World) -> Iterator[Callable[[], object]]:
    world.set_up("ann", two_way_appointments=False)
    world.sync()
    patch(world, "A0", location="Unread")
    world.person("ann").delete("primary", event_of(world, "A2")["id"])
    world.types("ann", summary="Unread", **google_span(8))
    world.edit("a1", location="Attic")
    world.cloud.google.clear_requests()
    yield lambda: world.set_up("ann", two_way_appointments=True)
    world.sync()
    assert len(full_listings(world)) == 1
    assert studio(world) == {"a0": "A0", "a1": "A1", "a2": "A2"}
    assert "location" not in world.appointments()["a0"]
    assert world.appointments()["a2"]["status"] == "confirmed"
    assert world.titles("ann") == ["A0", "A1", "Unread"]
    assert (event_of(world, "A0")["location"], event_of(world, "A1")["location"]) == ("Unread", "Attic")
    assert world.below("ann", "outbox") == {}
    assert len(channels_of(world)) == 1
    assert state(world) == ("connected", None)
    patch(world, "A0", location="Read")
    world.sync()
    assert world.appointments()["a0"]["location"] == "Read"


def two_way_off(world: World) -> Iterator[Callable[[], object]]:
    assert world.connection("ann").cursors.calendar is not None
    yield lambda: world.set_up("ann", two_way_appointments=False)
    world.sync()
    assert channels_of(world) == []
    assert world.connection("ann").cursors.calendar is None
    assert state(world) == ("connected", None)
    patch(world, "A0", summary="Mine")
    world.cloud.google.clear_requests()
    world.sync()
    assert world.cloud.google.requests == []
    assert world.appointments()["a0"]["title"] == "A0"
    world.edit("a0", location="Attic")
    assert list(world.below("ann", "outbox")) == ["a0"]
    world.sync()
    assert world.titles("ann") == ["A0", "A1", "A2"]


def tentative(*, on: bool) -> Case:
    def case(world: World) -> Iterator[Callable[[], object]]:
        world.set_up("ann", include_tentative=not on)
        world.sync()
        maybe = world.types("ann", summary="Maybe", status="tentative", **google_span(5))
        world.sync()
        assert ("Maybe" in studio(world).values()) is not on
        world.cloud.google.clear_requests()
        yield lambda: world.set_up("ann", include_tentative=on)
        world.sync()
        assert len(full_listings(world)) == on
        assert "Maybe" in studio(world).values()
        world.types("ann", summary="Maybe too", status="tentative", **google_span(6))
        world.person("ann").patch("primary", maybe, location="Park")
        world.sync()
        assert ("Maybe too" in studio(world).values()) is on
        assert "Park" in {document.get("location") for document in world.appointments().values()}
        assert state(world) == ("connected", None)

    return case


def private_details(*, on: bool) -> Case:
    def case(world: World) -> Iterator[Callable[[], object]]:
        world.set_up("ann", private_details=not on)
        world.types("ann", summary="Doctor", location="Ward", visibility="private", **google_span(5))
        world.sync()
        whole, busy = ("Doctor", "Ward"), ("Busy", "")
        assert texts(world) == (busy if on else whole)
        world.cloud.google.clear_requests()
        yield lambda: world.set_up("ann", private_details=on)
        world.sync()
        assert len(full_listings(world)) == 1
        assert texts(world) == (whole if on else busy)
        assert event_of(world, "Doctor")["location"] == "Ward"
        assert state(world) == ("connected", None)

    return case


def texts(world: World) -> tuple[str, str]:
    [found] = [document for one, document in world.appointments().items() if not one.startswith("a")]
    return found["title"], found["location"]


def requested_at(world: World) -> Iterator[Callable[[], object]]:
    patch(world, "A1", location="Park")
    # The trigger of the edit noted it, and its wish was lost.
    world.front_end.edit("a0", title="Edited")
    due = world.connection("ann").next_sync_at
    world.trigger("a0", world.appointments()["a1"])
    world.firestore.document(f"connections/{world.connections['ann']}").update({"next_sync_at": due})
    assert list(world.below("ann", "outbox")) == ["a0"]
    yield lambda: world.set_up("ann", requested_at=world.clock.now())
    assert world.run("ann") is Outcome.DONE
    assert world.titles("ann") == ["A1", "A2", "Edited"]
    assert world.appointments()["a1"]["location"] == "Park"
    assert world.below("ann", "outbox") == {}


def hold(answer: str) -> Case:
    def case(world: World) -> Iterator[Callable[[], object]]:
        for number in range(3, 9):
            world.book(f"a{number}", title=f"A{number}", user_ids=["ann"], **span(number + 1))
        world.sync()
        for number in range(7):
            world.person("ann").delete("primary", event_of(world, f"A{number}")["id"])
        world.sync()
        [(hold_id, question)] = world.inbox().items()
        assert sorted(question["refs"]["appointment_ids"]) == [f"a{number}" for number in range(7)]
        assert cancelled(world) == set()
        # This one comes after the question, which does not list it.
        world.person("ann").delete("primary", event_of(world, "A7")["id"])
        yield lambda: world.set_up("ann", **{f"{answer}_hold": hold_id})
        world.sync()
        if answer == "approved":
            assert cancelled(world) >= {f"a{number}" for number in range(7)}
            assert world.titles("ann") == ["A8"]
        else:
            assert not cancelled(world) & {f"a{number}" for number in range(7)}
            assert world.titles("ann") == [f"A{number}" for number in (0, 1, 2, 3, 4, 5, 6, 8)]
        assert world.appointments()["a8"]["status"] == "confirmed"
        assert world.below("ann", "outbox") == {}
        assert world.inbox()[hold_id]["status"] == "answered"

    return case


CASES: dict[tuple[str, str, str], Case] = {
    ("studio", DOCUMENT, "created"): studio_created,
    ("studio", DOCUMENT, "erased"): studio_erased,
    ("studio", "name", "changed"): nothing("studio", "name", "Another name"),
    ("studio", "edition", "lowered to one without the sync"): off("studio", "edition", "express", Reason.EDITION),
    ("studio", "edition", "raised to one with the sync"): on("studio", "edition", "express", "standard"),
    ("studio", "edition", "changed otherwise"): nothing("studio", "edition", "enterprise"),
    ("studio", "time_zone", "changed"): nothing("studio", "time_zone", "America/New_York"),
    ("studio", "sync.enabled", "turned off"): off("studio", "sync.enabled", False, Reason.STUDIO_OFF),
    ("studio", "sync.enabled", "turned on"): on("studio", "sync.enabled", False, True),
    ("studio", "sync.interval_minutes", "changed"): interval,
    ("studio", "sync.notify_on", "changed"): nothing("studio", "sync.notify_on", "always"),
    ("studio", "sync.notify_email", "changed"): nothing("studio", "sync.notify_email", "eve@atelier.example"),
    ("studio", "sync.clash_policy", "changed"): clash_policy,
    ("studio", "sync.past_days", "changed"): past_days,
    ("user", DOCUMENT, "created"): user_created,
    ("user", DOCUMENT, "erased"): user_erased,
    ("user", "name", "changed"): nothing("user", "name", "Anna"),
    ("user", "email", "changed"): nothing("user", "email", "anna@atelier.example"),
    ("user", "role", "changed"): nothing("user", "role", "admin"),
    ("user", "schedulable", "turned off"): off("user", "schedulable", False, Reason.NOT_SCHEDULABLE),
    ("user", "schedulable", "turned on"): on("user", "schedulable", False, True),
    ("user", "connection", "changed"): nothing("user", "connection.note", "written by the sync itself"),
    ("user", "sync.enabled", "turned off"): off("user", "sync.enabled", False, Reason.USER_OFF),
    ("user", "sync.enabled", "turned on"): on("user", "sync.enabled", False, True),
    ("user", "sync.calendar_id", "changed"): calendar_id,
    ("user", "sync.populate_calendar", "ticked"): ticked("populate_calendar"),
    ("user", "sync.populate_calendar", "unticked by a person"): unticked("populate_calendar"),
    ("user", "sync.populate_studio", "ticked"): ticked("populate_studio"),
    ("user", "sync.populate_studio", "unticked by a person"): unticked("populate_studio"),
    ("user", "sync.two_way_appointments", "turned on"): two_way_on,
    ("user", "sync.two_way_appointments", "turned off"): two_way_off,
    ("user", "sync.include_tentative", "turned on"): tentative(on=True),
    ("user", "sync.include_tentative", "turned off"): tentative(on=False),
    ("user", "sync.two_way_contacts", "changed"): nothing("user", "sync.two_way_contacts", True),
    ("user", "sync.client_group_id", "changed"): nothing("user", "sync.client_group_id", "vip"),
    ("user", "sync.email_warnings", "changed"): nothing("user", "sync.email_warnings", False),
    ("user", "sync.email_logs", "changed"): nothing("user", "sync.email_logs", True),
    ("user", "sync.email", "changed"): nothing("user", "sync.email", "anna@home.example"),
    ("user", "sync.requested_at", "changed"): requested_at,
    ("user", "sync.private_details", "turned on"): private_details(on=True),
    ("user", "sync.private_details", "turned off"): private_details(on=False),
    ("user", "sync.approved_hold", "changed"): hold("approved"),
    ("user", "sync.declined_hold", "changed"): hold("declined"),
}


# --- what happens meanwhile ------------------------------------------------------------------------------------------


def test_more_deletions_than_usual_made_while_it_was_off_are_held_when_it_goes_on(ann: World) -> None:
    for number in range(3, 8):
        ann.book(f"a{number}", title=f"A{number}", user_ids=["ann"], **span(number + 1))
    ann.sync()
    ann.set_up("ann", enabled=False)
    ann.run("ann")
    for event in ann.events("ann"):
        ann.person("ann").delete("primary", event["id"])
    ann.edit("a0", title="Edited while off")
    ann.set_up("ann", enabled=True)
    ann.sync()
    assert cancelled(ann) == set()
    assert ann.titles("ann") == ["Edited while off"], "an edit beats a deletion"
    [question] = ann.inbox().values()
    assert sorted(question["refs"]["appointment_ids"]) == [f"a{number}" for number in range(1, 8)]


def test_what_is_turned_off_twice_is_to_be_turned_on_twice(ann: World) -> None:
    ann.set_studio(**{"sync.enabled": False})
    ann.set_up("ann", enabled=False)
    ann.run("ann")
    assert state(ann) == ("paused", "studio_off")
    ann.set_studio(**{"sync.enabled": True})
    assert ann.run("ann") is Outcome.STOPPED
    assert state(ann) == ("paused", "user_off")
    assert channels_of(ann) == []
    ann.set_up("ann", enabled=True)
    ann.sync()
    assert state(ann) == ("connected", None)


def test_a_studio_turned_off_and_on_reaches_each_of_its_users_and_no_other(ann: World) -> None:
    ann.join("ben")
    ann.sync()
    ann.set_studio(**{"sync.enabled": False})
    for user_id in ("ann", "ben"):
        assert ann.run(user_id) is Outcome.STOPPED
    ann.set_studio(**{"sync.enabled": True})
    for user_id in ("ann", "ben"):
        assert ann.run(user_id) is Outcome.DONE


def test_lost_access_stays_lost_whatever_the_settings_say(ann: World) -> None:
    ann.cloud.google.accounts.refuse_tokens(ann.emails["ann"])
    ann.restart()
    ann.wish("ann")
    ann.run("ann")
    for setting in (False, True):
        ann.set_up("ann", enabled=setting)
        ann.set_studio(**{"sync.enabled": setting})
        assert ann.run("ann") is Outcome.NOTHING_DUE
    assert state(ann) == ("needs_reauth", "access_lost")


def test_an_erased_studio_is_shown_to_users_who_are_still_there(ann: World) -> None:
    ann.erase_studio()
    ann.run("ann")
    assert state(ann) == ("paused", "studio_gone")


@pytest.mark.parametrize("setting", ["populate_studio", "private_details", "include_tentative"])
def test_what_is_changed_between_two_slices_of_a_listing_is_carried_out_right_after_it(
    ann: World, setting: str
) -> None:
    for number in range(60):
        booked_before(ann, f"s{number:03}", title=f"S{number}", **span(10 + number))
    typed_before(ann, summary="Entry", **google_span(10.5))
    ann.types("ann", summary="Doctor", visibility="private", **google_span(11.5))
    ann.types("ann", summary="Maybe", status="tentative", **google_span(12.5))
    ann.sync()
    ann.set_up("ann", populate_calendar=True)
    assert run_slice(ann, checks=2) is Outcome.MORE
    ann.set_up("ann", **{setting: True})
    while ann.run("ann") is not Outcome.NOTHING_DUE:
        pass
    assert "S59" in ann.titles("ann")
    found = {"populate_studio": "Entry", "private_details": "Doctor", "include_tentative": "Maybe"}[setting]
    assert found in studio(ann).values()


# --- common ----------------------------------------------------------------------------------------------------------


def set_any(world: World, document: str, setting: str, value: Any) -> None:
    """Change a setting of studio or user, with what the trigger does then."""
    if document == "studio":
        world.set_studio(**{setting: value})
        return
    before = world.front_end.user("ann")
    world.firestore.document(f"studios/{STUDIO}/users/ann").update({setting: value})
    after, store, tasks = world.front_end.user("ann"), world.wiring.store, world.wiring.tasks
    user_written(STUDIO, "ann", before, after, store=store, tasks=tasks, clock=world.clock)


def row_of(document: str, setting: str, value: Any) -> Row:
    """The row of what turns something off, or of the only change there is."""
    rows = [row for row in TABLE if (row.document, row.setting) == (document, setting)]
    return next((row for row in rows if row.change in {"turned off", "lowered to one without the sync"}), rows[0])


def state(world: World) -> tuple[str, str | None]:
    """What the user's page shows; the connection says the same."""
    found, connection = world.front_end.user("ann")["connection"], world.connection("ann")
    reason = None if connection.state_reason is None else connection.state_reason.value
    assert (found["state"], found.get("reason")) == (connection.state, reason)
    return found["state"], reason


def wait_of(world: World) -> float:
    """Minutes until the next run."""
    due = world.connection("ann").next_sync_at
    assert due is not None
    return (due - world.clock.now()) / dt.timedelta(minutes=1)


def run_slice(world: World, *, checks: int) -> Outcome:
    """One run whose slice is over after so many looks at the clock."""
    looks = iter(range(checks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.services.run.Run.out_of_time", lambda _: next(looks, None) is None)
        return world.run("ann")


def booked_before(world: World, appointment_id: str, **fields: Any) -> None:
    """An appointment that was not changed since the calendar was connected."""
    document = {"kind": "appointment", "status": "confirmed", "user_ids": ["ann"], **fields}
    document["updated_at"] = world.connection("ann").since - dt.timedelta(days=200)
    world.firestore.document(f"studios/{STUDIO}/appointments/{appointment_id}").set(document)


def typed_before(world: World, **event: Any) -> str:
    """An entry that was not changed since the calendar was connected."""
    event_id = world.types("ann", **event)
    account = world.cloud.google.accounts.get(world.emails["ann"])
    assert account is not None
    calendar, _ = world.cloud.google._calendars.find(account, world.emails["ann"])
    stored = calendar.events[event_id]
    long_ago = stored.updated - dt.timedelta(days=200)
    resource = {**stored.resource, "updated": f"{long_ago:%Y-%m-%dT%H:%M:%S.000Z}"}
    object.__setattr__(stored, "resource", resource)
    object.__setattr__(stored, "updated", long_ago)
    return event_id


def clash(world: World, appointment_id: str) -> None:
    """The title is edited on both sides."""
    event_id = world.below("ann", "links")[appointment_id]["event_id"]
    world.edit(appointment_id, title="Studio's")
    world.person("ann").patch("primary", event_id, summary="Calendar's")


def patch(world: World, title: str, **fields: Any) -> None:
    world.person("ann").patch("primary", event_of(world, title)["id"], **fields)


def event_of(world: World, title: str) -> dict[str, Any]:
    [event] = [event for event in world.events("ann") if event["summary"] == title]
    return event


def titles(world: World, calendar: str) -> list[str]:
    return sorted(event["summary"] for event in world.person("ann").events(calendar))


def studio(world: World) -> dict[str, str]:
    return {one: document["title"] for one, document in world.appointments().items()}


def cancelled(world: World) -> set[str]:
    return {one for one, document in world.appointments().items() if document["status"] == "cancelled"}


def channels_of(world: World) -> list[str]:
    """Ids of the channels that Google holds open for Ann's account."""
    return [one.id for one in world.cloud.google.push.channels() if one.email == world.emails["ann"]]


def full_listings(world: World) -> list[str]:
    lists = [one for one in world.cloud.google.requests if one.method_id == "calendar.events.list"]
    return [one.path for one in lists if "syncToken" not in one.query]
