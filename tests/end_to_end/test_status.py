"""What people are told of a connection: how it stands, why it does not sync, what waits for an answer."""

import datetime as dt
import urllib.parse
from typing import Any

import pytest

from local import people
from local.google.consent import consent
from shared.domain.account import CONTACTS_SCOPE, SCOPES
from shared.domain.health import FAILURES
from shared.domain.reasons import Reason
from shared.services.connecting import Asked, connect
from shared.services.disconnecting import disconnect
from shared.services.status import DELAYED, IN_STEP, Status, status
from shared.services.sync_calendar import Outcome
from tests.world import REDIRECT, STUDIO, World


def of(world: World, user_id: str = "ann", studio_id: str = STUDIO) -> Status:
    return status(studio_id, user_id, world.wiring.store, world.clock, world.wiring.settings.safety_interval)


def how(found: Status) -> tuple[str, bool, Reason | None]:
    """Its state, whether it syncs, and why not; the words are the reason's own."""
    assert found.text == (IN_STEP if found.reason is None else found.reason.text)
    return found.state, found.syncs, found.reason


def change_user(world: World, **fields: Any) -> None:
    world.firestore.document(f"studios/{STUDIO}/users/ann").update(fields)


def consented(world: World, email: str, scopes: tuple[str, ...] = SCOPES) -> str:
    """The code of a consent."""
    back = consent(email, world.wiring.accounts.authorization_url(REDIRECT, "state", SCOPES), scopes)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]


def another_account(world: World) -> Asked:
    """Ann connects another account than before, without having said so."""
    other = f"other.{world.emails['ann']}"
    world.cloud.google.add_account(other)
    asked = connect(STUDIO, "ann", consented(world, other), REDIRECT, world.wiring.account_ports)
    assert isinstance(asked, Asked)
    return asked


# --- how it stands ----------------------------------------------------------------------------------------------------


def test_who_has_connected_nothing_is_told_to(world: World) -> None:
    world.add("ann")
    found = of(world)
    assert how(found) == ("not_connected", False, Reason.NOT_CONNECTED)
    assert (found.name, found.account, found.accounts, found.calendar, found.waiting) == ("Ann", None, (), None, ())


def test_who_is_in_step_sees_account_calendar_and_when_it_was_last_looked_at(world: World) -> None:
    world.join("ann")
    world.sync()
    found = of(world)
    assert how(found) == ("connected", True, None)
    assert found.account is not None
    assert (found.account["account_email"], found.account["state"]) == (world.emails["ann"], "authorized")
    assert found.accounts == (found.account,)
    assert found.calendar is not None
    assert (found.calendar.id, found.calendar.time_zone) == (world.emails["ann"], "Europe/Berlin")
    assert [one.id for one in found.calendars] == [world.emails["ann"]]
    assert found.synced_at == world.connection("ann").synced_at
    assert found.warnings == ()


def test_lost_access_is_said_with_the_account_that_it_was(world: World) -> None:
    world.join("ann")
    world.cloud.google.accounts.refuse_tokens(world.emails["ann"])
    world.restart()
    world.wish("ann")
    assert world.run("ann") is Outcome.STOPPED
    found = of(world)
    assert how(found) == ("needs_reauth", False, Reason.ACCESS_LOST)
    assert found.account is not None
    assert (found.account["account_email"], found.account["state"]) == (world.emails["ann"], "needs_reauth")
    assert found.warnings == (), "one thing at a time"


def test_disconnected_there_is_no_account_any_more(world: World) -> None:
    world.join("ann")
    account_id = world.connection("ann").account_id
    disconnect(STUDIO, "ann", account_id, world.wiring.account_ports)
    found = of(world)
    assert how(found) == ("disconnected", False, Reason.DISCONNECTED)
    assert (found.account, found.accounts, found.calendars, found.waiting) == (None, (), (), ())


@pytest.mark.parametrize(
    ("studio", "user", "reason"),
    [
        ({"edition": "express"}, {}, Reason.EDITION),
        ({"sync.enabled": False}, {}, Reason.STUDIO_OFF),
        ({}, {"schedulable": False}, Reason.NOT_SCHEDULABLE),
        ({}, {"sync.enabled": False}, Reason.USER_OFF),
    ],
)
def test_what_is_turned_off_is_said_at_once_and_before_anything_else(
    world: World, studio: dict[str, Any], user: dict[str, Any], reason: Reason
) -> None:
    """No run has found it out yet: what is written counts."""
    world.join("ann")
    if studio:
        world.front_end.set_studio(**studio)
    if user:
        change_user(world, **user)
    assert how(of(world)) == ("connected", False, reason)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [("email", {"CANARY": 1}, "email"), ("sync.email_logs", "CANARY", "sync.email_logs"), ("role", "CANARY", "role")],
)
def test_a_setting_that_does_not_fit_is_named_and_what_stands_there_is_not_quoted(
    world: World, field: str, value: Any, named: str
) -> None:
    world.join("ann")
    change_user(world, **{field: value})
    found = of(world)
    assert (found.state, found.syncs, found.reason) == ("paused", False, Reason.INVALID)
    assert named in found.text
    assert "CANARY" not in str(found)
    assert [one["account_email"] for one in found.accounts] == [world.emails["ann"]], "it can still be disconnected"


def test_who_does_not_exist_is_gone_and_so_is_a_studio(world: World) -> None:
    assert how(of(world, "nobody")) == ("not_connected", False, Reason.USER_GONE)
    assert how(of(world, "ann", "nowhere")) == ("not_connected", False, Reason.STUDIO_GONE)


def test_of_an_erased_user_the_accounts_are_still_known(world: World) -> None:
    world.join("ann")
    world.front_end.erase_user("ann")
    found = of(world)
    assert how(found) == ("not_connected", False, Reason.USER_GONE)
    assert [one["account_email"] for one in found.accounts] == [world.emails["ann"]]


@pytest.mark.parametrize("connection", ["CANARY", {"id": "a/b"}, {"id": ".."}, {"id": "gone"}, {}], ids=str)
def test_a_connection_that_is_none_counts_as_none(world: World, connection: Any) -> None:
    world.add("ann")
    change_user(world, connection=connection)
    assert of(world).state in {"not_connected", "paused"}
    assert not of(world).syncs


def test_nothing_of_a_colleague_or_of_another_studio_is_in_it(world: World) -> None:
    world.join("ann")
    world.join("ben")
    people.FrontEnd(world.firestore, "elsewhere").make_studio()
    people.FrontEnd(world.firestore, "elsewhere").add_user("ann", "ann@elsewhere.example")
    world.sync()
    assert world.emails["ben"] not in str(of(world))
    assert world.emails["ann"] not in str(of(world, "ann", "elsewhere"))
    assert of(world, "ann", "elsewhere").reason is Reason.NOT_CONNECTED


# --- how soon ---------------------------------------------------------------------------------------------------------


def test_how_soon_a_change_in_the_calendar_is_seen_is_said_where_it_is_read_at_all(world: World) -> None:
    world.join("ann")
    world.sync()
    assert (of(world).near_real_time, of(world).longest_wait_minutes) == (False, 10), "the channel has said nothing yet"
    connection = world.firestore.document(f"connections/{world.connections['ann']}")
    connection.update({"channel.notified_at": world.clock.now()})
    assert (of(world).near_real_time, of(world).longest_wait_minutes) == (True, 360)
    world.later(days=30)
    assert (of(world).near_real_time, of(world).longest_wait_minutes) == (False, 10), "expired"
    world.set_up("ann", two_way_appointments=False)
    assert (of(world).near_real_time, of(world).longest_wait_minutes) == (False, None)


def test_no_sooner_is_promised_than_a_run_is_scheduled(world: World) -> None:
    """The channel has ended, and the run that finds out was scheduled while it could be relied on."""
    world.join("ann")
    world.sync()
    connection = world.firestore.document(f"connections/{world.connections['ann']}")
    connection.update({"next_sync_at": world.clock.now() + dt.timedelta(minutes=50)})
    assert (of(world).near_real_time, of(world).longest_wait_minutes) == (False, 50)


# --- runs that fail ---------------------------------------------------------------------------------------------------


def fail_for(world: World, hours: int) -> None:
    """Google answers no call for so long; a run is tried in each hour."""
    world.cloud.google.fail_next("calendar.events.list", 503, "backendError", times=hours)
    for _ in range(hours):
        world.later(hours=1)
        world.restart()
        world.wish("ann")
        world.run("ann")
    world.cloud.google.clear_faults()


def test_what_has_failed_for_hours_is_not_called_in_step(world: World) -> None:
    world.join("ann")
    world.sync()
    compared = of(world).synced_at
    fail_for(world, FAILURES)
    found = of(world)
    assert world.connection("ann").failures == FAILURES
    assert (found.state, found.syncs, found.reason, found.text) == ("connected", False, None, DELAYED)
    assert (found.near_real_time, found.longest_wait_minutes) == (False, None), "nobody knows how long it takes"
    [warning] = found.warnings
    assert warning.kind == "delayed"
    assert compared is not None
    assert f"{compared:%H:%M} UTC" in warning.text
    world.wish("ann")
    world.sync("ann")
    assert how(of(world)) == ("connected", True, None)
    assert of(world).warnings == ()


def test_a_few_failed_runs_are_nothing_to_speak_of(world: World) -> None:
    world.join("ann")
    world.sync()
    fail_for(world, FAILURES - 1)
    assert how(of(world)) == ("connected", True, None)


def test_many_failures_within_minutes_are_none_either(world: World) -> None:
    world.join("ann")
    world.sync()
    world.firestore.document(f"connections/{world.connections['ann']}").update({"failures": 2 * FAILURES})
    world.later(minutes=30)
    assert how(of(world)) == ("connected", True, None)


# --- what waits, and what is warned about -----------------------------------------------------------------------------


def test_an_account_that_waits_is_shown_behind_the_one_in_use_with_what_it_waits_for(world: World) -> None:
    world.join("ann")
    asked = another_account(world)
    found = of(world)
    assert how(found) == ("connected", True, None)
    [waiting] = found.waiting
    assert (waiting.account_id, waiting.account_email) == (asked.account_id, f"other.{world.emails['ann']}")
    assert (waiting.question, "another Google account" in waiting.text) == ("other_account", True)
    assert [one["account_email"] for one in found.accounts] == [world.emails["ann"], asked.account_email]


def test_an_account_that_an_administrator_must_confirm_says_so(world: World) -> None:
    world.add("ann")
    connect(STUDIO, "ann", consented(world, world.emails["ann"]), REDIRECT, world.wiring.account_ports, proven=False)
    found = of(world)
    assert how(found) == ("not_connected", False, Reason.NOT_CONNECTED)
    [waiting] = found.waiting
    assert (waiting.question, "an administrator must confirm" in waiting.text) == ("unconfirmed", True)
    assert [one.id for one in waiting.calendars] == [world.emails["ann"]], "it can be answered with a calendar"


@pytest.mark.parametrize("email", ["Ann@Atelier.example", " ann@atelier.example"])
def test_an_e_mail_that_nobody_could_sign_in_with_is_warned_about(world: World, email: str) -> None:
    world.join("ann")
    change_user(world, email=email)
    [warning] = of(world).warnings
    assert warning.kind == "email"
    assert "small letters" in warning.text
    assert warning.text.endswith("ann@atelier.example")


def test_contacts_that_were_not_allowed_are_warned_about(world: World) -> None:
    world.add("ann")
    scopes = tuple(scope for scope in SCOPES if scope != CONTACTS_SCOPE)
    connect(STUDIO, "ann", consented(world, world.emails["ann"], scopes), REDIRECT, world.wiring.account_ports)
    found = of(world)
    assert [one.kind for one in found.warnings] == ["contacts"]
    assert found.account is not None
    assert found.account["contacts"] is False


@pytest.mark.parametrize(
    ("theirs", "warned"), [("Europe/Berlin", False), ("Europe/Paris", False), ("Europe/London", True)]
)
def test_a_calendar_with_another_clock_than_the_studios_is_warned_about(
    world: World, theirs: str, *, warned: bool
) -> None:
    world.add("ann", time_zone=theirs)
    world.connect("ann")
    found = of(world)
    assert [one.kind for one in found.warnings] == (["time_zones"] if warned else [])
    for one in found.warnings:
        assert "Europe/Berlin" in one.text
        assert theirs in one.text


def test_a_studios_zone_that_is_none_is_warned_about_too(world: World) -> None:
    world.join("ann")
    world.front_end.set_studio(time_zone="Nowhere/Land")
    assert [one.kind for one in of(world).warnings] == ["time_zones"]
