"""Two things are done with one account at the same moment: both end in an order that a person could have chosen."""

import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from local.google.consent import consent
from local.wiretap import Killed, Wiretap
from shared.domain.account import SCOPES
from shared.domain.channel_health import SAFETY_INTERVAL
from shared.services import connecting, disconnecting
from shared.services.accounts import Connected, ConnectRefusedError
from shared.services.connecting import Asked, answer, connect, decline
from shared.services.disconnecting import disconnect
from shared.services.status import Status, status
from shared.services.sync_calendar import Outcome, sync_calendar
from tests.end_to_end.killing import changes, changes_made
from tests.end_to_end.switching import populated, second_calendar
from tests.figures import Figures
from tests.snapshot import Snapshot
from tests.soak import points, soaks
from tests.world import REDIRECT, STUDIO, World, span

USE, CONFIRM = "other_account", "unconfirmed"


def code_of(world: World, email: str) -> str:
    back = consent(email, world.wiring.accounts.authorization_url(REDIRECT, "s", SCOPES))
    return urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]


def come(world: World, email: str, user_id: str = "ann", **how: Any) -> Connected | Asked:
    return connect(STUDIO, user_id, code_of(world, email), REDIRECT, world.wiring.account_ports, **how)


def account_of(world: World, email: str) -> str:
    found = world.cloud.google.accounts.get(email)
    assert found is not None
    return found.sub


def leave(world: World, email: str, user_id: str = "ann") -> None:
    disconnect(STUDIO, user_id, account_of(world, email), world.wiring.account_ports)


def another(world: World, name: str = "other") -> str:
    email = f"{name}.{world.emails['ann']}"
    world.cloud.google.add_account(email)
    return email


def seen(world: World, user_id: str = "ann") -> Status:
    return status(STUDIO, user_id, world.wiring.store, world.clock, SAFETY_INTERVAL)


def accounts(world: World) -> dict[str, tuple[str, str, str | None]]:
    found = {one.id: one.to_dict() or {} for one in world.firestore.collection("accounts").stream()}
    return {one["account_email"]: (one["user_id"], one["state"], one.get("question")) for one in found.values()}


def states(world: World) -> list[str]:
    return sorted(str(one.get("state")) for one in world.firestore.collection("connections").stream())


def tokens(world: World) -> int:
    """How many tokens are kept."""
    mine = [found for name, found in world.cloud.secrets.states().items() if f"/{world.project}/" in name]
    return sum(versions.count("ENABLED") for versions in mine)


def mails(world: World) -> list[str]:
    return sorted(str(one.get("kind")) for one in world.firestore.collection("mail").stream())


def run_all(world: World) -> None:
    for connection in world.firestore.collection("connections").stream():
        for _ in range(3):
            sync_calendar(connection.id, world.wiring.run_ports, world.wiring.channel_key)


def test_disconnected_while_a_run_goes_over_to_another_calendar_nothing_stays_connected(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    populated(world)
    world.set_up("ann", calendar_id=second_calendar(world))
    looked = disconnecting._connections

    def slowly(*given: Any) -> Any:
        monkeypatch.undo()
        found = looked(*given)
        world.sync("ann")
        return found

    monkeypatch.setattr(disconnecting, "_connections", slowly)
    leave(world, world.emails["ann"])
    assert states(world) == ["disconnected", "disconnected"]
    assert not seen(world).syncs
    run_all(world)
    assert mails(world) == []


def test_disconnected_while_it_is_being_connected_it_is_not_connected_and_no_token_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.book("a1", title="Newborn", user_ids=["ann"], **span(3))
    world.add("ann", populate_calendar=True)
    store = type(world.wiring.store)
    claim = store.claim_calendar

    def meanwhile(*given: Any) -> bool:
        monkeypatch.undo()
        leave(world, world.emails["ann"])
        return claim(*given)

    monkeypatch.setattr(store, "claim_calendar", meanwhile)
    with pytest.raises(ConnectRefusedError, match="at this moment"):
        world.connect("ann")
    assert (accounts(world), states(world), tokens(world)) == ({}, [], 0)
    assert come(world, world.emails["ann"]) is not None


def test_connected_while_it_is_being_disconnected_it_has_to_wait_a_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the new token would go the way of the old one."""
    populated(world)
    email = world.emails["ann"]
    secrets = type(world.wiring.secrets)
    destroy, refused = secrets.destroy, []

    def meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        with pytest.raises(ConnectRefusedError, match="two minutes") as error:
            come(world, email)
        refused.append(error)
        destroy(*given)

    monkeypatch.setattr(secrets, "destroy", meanwhile)
    leave(world, email)
    assert len(refused) == 1
    assert isinstance(come(world, email), Connected)
    world.restart()
    run_all(world)
    assert seen(world).syncs


def test_used_and_declined_at_once_it_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    populated(world)
    other = another(world)
    come(world, other)
    go = connecting.disconnect

    def slowly(*given: Any, **more: Any) -> Any:
        monkeypatch.undo()
        answer(STUDIO, "ann", account_of(world, other), world.wiring.account_ports, question=USE)
        return go(*given, **more)

    monkeypatch.setattr(connecting, "disconnect", slowly)
    with pytest.raises(ConnectRefusedError, match="in use by now"):
        decline(STUDIO, "ann", account_of(world, other), world.wiring.account_ports)
    run_all(world)
    assert accounts(world)[other] == ("ann", "authorized", None)
    assert seen(world).syncs


def test_an_answer_to_an_account_that_somebody_else_has_taken_over_changes_nothing_for_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    populated(world)
    other = another(world)
    come(world, other)
    world.later(hours=25)
    world.add("ben")
    store = type(world.wiring.store)
    claim = store.claim_calendar

    def meanwhile(*given: Any) -> bool:
        monkeypatch.undo()
        come(world, other, "ben", proven=False)
        return claim(*given)

    monkeypatch.setattr(store, "claim_calendar", meanwhile)
    with pytest.raises(ConnectRefusedError, match="at this moment"):
        answer(STUDIO, "ann", account_of(world, other), world.wiring.account_ports, question=USE)
    assert accounts(world)[other] == ("ben", "claimed", CONFIRM)
    assert states(world) == ["connected"]


def test_two_who_disconnect_at_once_are_both_told_that_it_is_done_or_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    populated(world)
    email = world.emails["ann"]
    secrets = type(world.wiring.secrets)
    destroy = secrets.destroy

    def meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        leave(world, email)
        destroy(*given)

    monkeypatch.setattr(secrets, "destroy", meanwhile)
    leave(world, email)
    assert (accounts(world), tokens(world)) == ({}, 0)
    with pytest.raises(ConnectRefusedError, match="already"):
        leave(world, email)


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_confirmed_by_an_administrator_another_account_is_still_for_the_user_to_choose(world: World) -> None:
    populated(world)
    other = another(world)
    come(world, other, proven=False)
    ports = world.wiring.account_ports
    asked = answer(STUDIO, "ann", account_of(world, other), ports, question=CONFIRM)
    assert isinstance(asked, Asked)
    assert accounts(world)[other] == ("ann", "claimed", USE)
    assert isinstance(answer(STUDIO, "ann", account_of(world, other), ports, question=USE), Connected)


def test_who_comes_after_an_erased_user_of_the_same_id_does_not_inherit_the_account(world: World) -> None:
    populated(world)
    email = world.emails["ann"]
    world.erase_user("ann")
    world.sync("ann")
    world.front_end.add_user("ann", "somebody.else@atelier.example", two_way_appointments=True)
    asked = come(world, email, proven=False)
    assert isinstance(asked, Asked)
    assert asked.question == CONFIRM


def test_lost_again_long_after_disconnecting_it_is_told_again(world: World) -> None:
    populated(world)
    google, email = world.cloud.google, world.emails["ann"]
    for times in (1, 2):
        google.accounts.refuse_tokens(email)
        world.restart()
        world.wish("ann")
        assert world.run("ann") is Outcome.STOPPED
        assert mails(world) == ["access_lost"] * times
        google.accounts.allow_tokens(email)
        leave(world, email)
        world.later(days=60)
        world.connect("ann")


# --- killed, and said once more --------------------------------------------------------------------------------------


def two_wait(world: World) -> None:
    """Ann in step, and two other accounts of hers that wait for an answer."""
    populated(world)
    for name in ("other", "third"):
        world.emails[name] = another(world, name)
        come(world, world.emails[name])


def use(world: World) -> None:
    answer(STUDIO, "ann", account_of(world, f"other.{world.emails['ann']}"), world.wiring.account_ports, question=USE)


def keep(world: World) -> None:
    decline(STUDIO, "ann", account_of(world, f"other.{world.emails['ann']}"), world.wiring.account_ports)


def came_of_it(world: World) -> tuple[object, ...]:
    for _ in range(2):
        run_all(world)
    left = sorted((email.partition(".")[0], *rest) for email, rest in accounts(world).items())
    return left, states(world), tokens(world), seen(world).state, seen(world).syncs


@soaks
@pytest.mark.timeout(300)
@pytest.mark.parametrize("say", [use, keep])
def test_an_answer_killed_at_any_call_is_given_again_and_leaves_nothing_behind(
    world: World, tap: Wiretap, say: Callable[[World], None], figures: Figures
) -> None:
    two_wait(world)
    prepared = Snapshot(world)
    prepared.restore()
    tap.reset()
    say(world)
    number, expected = changes_made(tap), came_of_it(world)
    for change in points(number):
        prepared.restore()
        tap.kill_at(change, "after", only=changes)
        with pytest.raises(Killed):
            say(world)
        tap.disarm()
        world.restart()
        with suppress(ConnectRefusedError):  # Nothing was left to do.
            say(world)
        figures.add("connecting and disconnecting", "kill points tried")
        assert came_of_it(world) == expected, f"killed after change {change} of {number}"
