"""From a person's consent to a connection: what is refused, and what the refusal says."""

import urllib.parse

import pytest

from local import people
from local.google.consent import consent
from shared.domain.account import BOXES, CALENDAR_SCOPES, SCOPES
from shared.domain.errors import AccessLost
from shared.services.accounts import Connected, ConnectRefusedError
from shared.services.connecting import Asked, connect, decline
from shared.services.status import Status, status
from tests.world import REDIRECT, STUDIO, World


def connect_with(world: World, user_id: str, code: str) -> Connected:
    return people.connect_with(world.wiring, STUDIO, user_id, code, REDIRECT)


def code_of(world: World, user_id: str, *, allow: list[str] | None = None) -> str:
    """The code that Google gives for the consent of a person who leaves the boxes in `allow` ticked (None: all)."""
    address = world.wiring.accounts.authorization_url(REDIRECT, "state", SCOPES)
    redirect = consent(world.emails[user_id], address, allow)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(redirect).query)["code"][0]


def shown(world: World, user_id: str) -> Status:
    return status(STUDIO, user_id, world.wiring.store, world.clock, world.wiring.settings.safety_interval)


def nothing_made(world: World) -> bool:
    return not list(world.firestore.collection("connections").stream())


def test_the_refresh_token_is_in_secret_manager_and_nowhere_else(world: World) -> None:
    world.add("ann")
    connected = connect_with(world, "ann", code_of(world, "ann"))
    [account] = [found.to_dict() for found in world.firestore.collection("accounts").stream()]
    token = world.wiring.secrets.get(account["secret"])
    assert len(token) > 20
    assert account["account_email"] == world.emails["ann"]
    assert connected.calendar_id == world.emails["ann"], "the primary one, as none was chosen"
    documents = [
        found.to_dict() for name in ("accounts", "connections") for found in world.firestore.collection(name).stream()
    ]
    assert token not in str([*documents, world.front_end.user("ann")])


@pytest.mark.parametrize("missing", CALENDAR_SCOPES)
def test_a_box_that_was_unticked_is_named(world: World, missing: str) -> None:
    world.add("ann")
    code = code_of(world, "ann", allow=[scope for scope in SCOPES if scope != missing])
    with pytest.raises(ConnectRefusedError, match="tick that box"):
        connect_with(world, "ann", code)
    assert nothing_made(world)


def test_all_boxes_that_were_unticked_are_named(world: World) -> None:
    world.add("ann")
    code = code_of(world, "ann", allow=[scope for scope in SCOPES if scope not in CALENDAR_SCOPES])
    with pytest.raises(ConnectRefusedError, match="tick those boxes") as refused:
        connect_with(world, "ann", code)
    assert all(BOXES[scope] in str(refused.value) for scope in CALENDAR_SCOPES)
    assert nothing_made(world)


def test_a_code_is_good_once(world: World) -> None:
    world.add("ann")
    code = code_of(world, "ann")
    connect_with(world, "ann", code)
    with pytest.raises(AccessLost):
        connect_with(world, "ann", code)


def test_an_account_belongs_to_one_user(world: World) -> None:
    world.join("ann")
    world.add("ben")
    world.emails["ben"] = world.emails["ann"]
    with pytest.raises(ConnectRefusedError, match="another account") as refusal:
        connect_with(world, "ben", code_of(world, "ben"))
    assert "ann" not in str(refusal.value).split(), "it names nobody"


def test_a_calendar_is_kept_in_step_for_one_user_only(world: World) -> None:
    world.add("ann")
    world.add("ben")
    shared = world.cloud.google.add_calendar(world.emails["ann"], "Studio")
    world.cloud.google.set_access(world.emails["ben"], shared, "writer")
    for user_id in ("ann", "ben"):
        world.front_end.set_up(user_id, calendar_id=shared)
    connect_with(world, "ann", code_of(world, "ann"))
    with pytest.raises(ConnectRefusedError, match="choose one of your own"):
        connect_with(world, "ben", code_of(world, "ben"))


def test_a_calendar_that_may_only_be_read_is_refused(world: World) -> None:
    world.add("ann")
    read_only = world.cloud.google.add_calendar(world.emails["ann"], "Holidays", access_role="reader")
    world.front_end.set_up("ann", calendar_id=read_only)
    with pytest.raises(ConnectRefusedError, match="Choose another calendar"):
        connect_with(world, "ann", code_of(world, "ann"))
    assert nothing_made(world)


def test_a_user_who_does_not_exist_is_refused(world: World) -> None:
    world.add("ann")
    with pytest.raises(ConnectRefusedError, match="administrator"):
        connect_with(world, "nobody", code_of(world, "ann"))


def test_an_earlier_account_by_mistake_can_be_let_go_of_and_stays_known(world: World) -> None:
    """Ann went over to another account, and takes the former one by mistake: it waits, though it was in use before."""
    world.join("ann")
    former, other = world.emails["ann"], f"other.{world.emails['ann']}"
    world.cloud.google.add_account(other)
    world.emails["ann"] = other
    active = connect_with(world, "ann", code_of(world, "ann"))
    world.emails["ann"] = former
    ports = world.wiring.account_ports
    asked = connect(STUDIO, "ann", code_of(world, "ann"), REDIRECT, ports)
    assert isinstance(asked, Asked)
    assert [one.account_id for one in shown(world, "ann").waiting] == [asked.account_id]
    decline(STUDIO, "ann", asked.account_id, ports)
    found = shown(world, "ann")
    assert found.waiting == ()
    assert found.account is not None
    assert found.account["account_email"] == other
    assert sorted(one["account_email"] for one in found.accounts) == sorted([former, other]), "with its pairs"
    assert world.front_end.user("ann")["connection"]["id"] == active.connection_id
    with pytest.raises(ConnectRefusedError, match="does not wait"):
        decline(STUDIO, "ann", asked.account_id, ports)
