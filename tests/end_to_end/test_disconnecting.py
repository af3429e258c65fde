"""Connecting and disconnecting, killed after each of their changes and done again; what disconnecting must not need."""

from collections.abc import Callable
from typing import Any

import pytest

from local.google.consent import consent
from local.people import connect_with
from local.wiretap import Killed, Wiretap
from shared.domain.account import SCOPES
from shared.services.accounts import ConnectRefusedError
from shared.services.disconnecting import disconnect
from tests.end_to_end.killing import changes, changes_made
from tests.figures import Figures
from tests.snapshot import Snapshot
from tests.soak import points, soaks
from tests.world import CLIENT, REDIRECT, STUDIO, World, google_span, span

Do = Callable[[World], object]


def prepared(world: World) -> None:
    world.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    world.add("ann", populate_calendar=True, populate_studio=True)
    world.types("ann", summary="Dentist", **google_span(6))


def connected(world: World) -> None:
    prepared(world)
    world.connect("ann")
    world.sync()


def code_of(world: World) -> str:
    back = consent(world.emails["ann"], world.wiring.accounts.authorization_url(REDIRECT, "s", SCOPES))
    return back.partition("code=")[2].partition("&")[0].replace("%2F", "/")


def left(world: World) -> dict[str, Any]:
    """All that a connection leaves behind, and what people see of it."""
    accounts = [one.to_dict() or {} for one in world.firestore.collection("accounts").stream()]
    project = f"projects/{world.project}/"
    secrets = [versions for name, versions in world.cloud.secrets.states().items() if name.startswith(project)]
    channels = [one for one in world.cloud.google.push.channels() if one.email == world.emails["ann"]]
    connections = [one.to_dict() or {} for one in world.firestore.collection("connections").stream()]
    return {
        "accounts": [(one["user_id"], one["state"]) for one in accounts],
        "secrets": [versions.count("ENABLED") for versions in secrets],
        "channels": len(channels),
        "connections": [(one["state"], one.get("next_sync_at") is None) for one in connections],
        "claims": len(list(world.firestore.collection("calendars").stream())),
        "user": (world.front_end.user("ann").get("connection") or {}).get("state"),
        "granted": world.cloud.google.accounts.granted(world.emails["ann"], CLIENT[0]) is not None,
        "titles": world.titles("ann"),
        "studio": sorted(str(one["title"]) for one in world.appointments().values()),
    }


def leave(world: World) -> None:
    [account] = world.wiring.store.accounts_of_user(STUDIO, "ann")
    disconnect(STUDIO, "ann", account, world.wiring.account_ports)


def come(world: World) -> None:
    connect_with(world.wiring, STUDIO, "ann", world.__dict__.pop("code", None) or code_of(world), REDIRECT)
    world.connections["ann"] = world.front_end.user("ann")["connection"]["id"]


def counted(world: World, tap: Wiretap, do: Do) -> int:
    """How many changes it makes."""
    tap.reset()
    do(world)
    return changes_made(tap)


def dies(world: World, tap: Wiretap, do: Do, change: int) -> None:
    """After so many changes; and another process takes its place."""
    tap.kill_at(change, "after", only=changes)
    with pytest.raises(Killed):
        do(world)
    tap.disarm()
    world.restart()


@soaks
@pytest.mark.timeout(300)
def test_connecting_killed_at_any_call_is_done_again(world: World, tap: Wiretap, figures: Figures) -> None:
    prepared(world)
    before = Snapshot(world)
    before.restore()
    world.__dict__["code"] = code_of(world)
    number = counted(world, tap, come)
    world.sync()
    expected = left(world)
    assert expected["titles"] == expected["studio"] == ["Dentist", "Newborn"]
    for change in points(number):
        before.restore()
        world.__dict__["code"] = code_of(world)
        dies(world, tap, come, change)
        come(world)
        world.sync()
        figures.add("connecting and disconnecting", "kill points tried")
        figures.compare("connecting and disconnecting", left(world)["titles"], expected["titles"])
        assert left(world) == expected, f"killed after change {change} of {number}"


@soaks
@pytest.mark.timeout(300)
def test_disconnecting_killed_at_any_call_is_done_again(world: World, tap: Wiretap, figures: Figures) -> None:
    connected(world)
    before = Snapshot(world)
    before.restore()
    number = counted(world, tap, leave)
    expected = left(world)
    assert (expected["accounts"], expected["secrets"], expected["channels"]) == ([], [], 0)
    assert expected["connections"] == [("disconnected", True)]
    assert expected["titles"] == expected["studio"] == ["Dentist", "Newborn"]
    for change in points(number):
        before.restore()
        dies(world, tap, leave, change)
        if world.wiring.store.accounts_of_user(STUDIO, "ann"):
            leave(world)
        figures.add("connecting and disconnecting", "kill points tried")
        figures.compare("connecting and disconnecting", left(world)["titles"], expected["titles"])
        assert left(world) == expected, f"killed after change {change} of {number}"
        come(world)
        world.sync()
        assert left(world)["titles"] == left(world)["studio"] == ["Dentist", "Newborn"]


def test_what_was_booked_while_disconnected_is_entered_though_the_first_run_died_or_had_no_time_left(
    world: World, tap: Wiretap
) -> None:
    connected(world)
    leave(world)
    world.book("meanwhile", title="Meanwhile", user_ids=["ann"], **span(9))
    come(world)
    tap.kill_at(1, "before", only=lambda call: call.method.startswith("POST /calendar/v3/calendars/{}/events"))
    with pytest.raises(Killed):
        world.run("ann")
    tap.disarm()
    world.restart()
    world.later(minutes=11)
    world.sync()
    assert left(world)["titles"] == left(world)["studio"] == ["Dentist", "Meanwhile", "Newborn"]


def test_what_somebody_left_half_way_is_cleared_away_for_the_next(
    make_world: Callable[..., World], tap: Wiretap
) -> None:
    world = make_world()
    connected(world)
    world.add("ben")
    number = counted(make_connected(make_world), tap, leave)
    dies(world, tap, leave, number - 1)
    world.emails["ben"] = world.emails["ann"]
    with pytest.raises(ConnectRefusedError, match="at this moment"):
        world.connect("ben")
    world.later(minutes=3)
    world.connect("ben")
    accounts = [one.to_dict() or {} for one in world.firestore.collection("accounts").stream()]
    assert [(one["user_id"], one["state"]) for one in accounts] == [("ben", "authorized")]


def make_connected(make_world: Callable[..., World]) -> World:
    world = make_world()
    connected(world)
    return world


@pytest.mark.usefixtures("no_pauses_of_google_auth")
@pytest.mark.parametrize("trouble", ["access lost", "Google is down"])
def test_people_can_leave_whatever_the_matter_is(make_world: Callable[..., World], trouble: str) -> None:
    world = make_connected(make_world)
    google = world.cloud.google
    if trouble == "access lost":
        google.accounts.refuse_tokens(world.emails["ann"])
        world.restart()
        world.wish("ann")
        world.run("ann")
    else:
        world.restart()
        for method in ("oauth2.token", "oauth2.revoke", "calendar.channels.stop"):
            google.fail_next(method, 503, "backendError", times=10)
    leave(world)
    google.clear_faults()
    found = left(world)
    assert (found["accounts"], found["secrets"], found["user"]) == ([], [], "disconnected")
    assert found["titles"] == ["Dentist", "Newborn"]


def test_a_run_under_way_writes_nothing_more_once_its_account_was_disconnected(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_connected(make_world)
    world.edit("a1", title="Renamed")
    calendars = world.wiring.calendars
    calendar_type = type(calendars.open("c", world.connection("ann")))
    changes = calendar_type.changes

    def meanwhile(self: Any, *arguments: Any) -> Any:
        answer = changes(self, *arguments)
        monkeypatch.undo()
        leave(world)
        return answer

    monkeypatch.setattr(calendar_type, "changes", meanwhile)
    world.run("ann")
    assert left(world)["connections"] == [("disconnected", True)]
    come(world)
    world.sync()
    assert world.titles("ann") == ["Dentist", "Renamed"]


def test_what_is_edited_while_disconnected_collects_nowhere_and_is_carried_on_return(
    make_world: Callable[..., World],
) -> None:
    world = make_connected(make_world)
    leave(world)
    world.edit("a1", title="Renamed")
    world.book("a2", title="Booked meanwhile", user_ids=["ann"], **span(9))
    assert world.below("ann", "outbox") == {}
    come(world)
    world.sync()
    assert world.titles("ann") == ["Booked meanwhile", "Dentist", "Renamed"]


def test_somebody_elses_account_cannot_be_disconnected(make_world: Callable[..., World]) -> None:
    world = make_connected(make_world)
    [account] = world.wiring.store.accounts_of_user(STUDIO, "ann")
    world.add("ben")
    with pytest.raises(ConnectRefusedError):
        disconnect(STUDIO, "ben", account, world.wiring.account_ports)
    assert left(world)["accounts"] == [("ann", "authorized")]
