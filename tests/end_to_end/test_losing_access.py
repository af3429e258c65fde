"""Access to a Google account is lost (A3): what counts as lost and what does not, who is told, and the way back."""

from typing import Any

import pytest

from local.google.consent import consent
from shared.domain.account import SCOPES
from shared.services.sync_calendar import Outcome
from tests.world import REDIRECT, World, google_span, span


@pytest.fixture
def ann(world: World) -> World:
    """Ann, in step, with one appointment."""
    world.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    world.join("ann", populate_calendar=True)
    world.sync()
    return world


def lose(world: World, error: str = "invalid_grant", subtype: str | None = None) -> None:
    world.cloud.google.accounts.refuse_tokens(world.emails["ann"], error, subtype)
    world.restart()
    world.wish("ann")
    assert world.run("ann") is Outcome.STOPPED


def mails(world: World) -> list[str]:
    found = [one.to_dict() or {} for one in world.firestore.collection("mail").stream()]
    return [one["kind"] for one in sorted(found, key=lambda one: one["created_at"])]


def account(world: World) -> dict[str, Any]:
    [found] = [one.to_dict() or {} for one in world.firestore.collection("accounts").stream()]
    return found


@pytest.mark.parametrize(
    ("error", "subtype"),
    [
        ("invalid_grant", None),
        ("invalid_grant", "invalid_rapt"),
        ("admin_policy_enforced", None),
        ("deleted_client", None),
    ],
)
def test_what_google_says_of_a_token_that_is_no_longer_good_means_lost(
    ann: World, error: str, subtype: str | None
) -> None:
    lose(ann, error, subtype)
    connection = ann.connection("ann")
    assert (connection.state, connection.state_reason, connection.next_sync_at) == ("needs_reauth", "access_lost", None)
    assert ann.front_end.user("ann")["connection"]["state"] == "needs_reauth"
    assert account(ann)["state"] == "needs_reauth"
    assert ann.appointments()["shoot"]["status"] == "confirmed"


def test_a_person_who_removes_us_at_google_is_noticed_though_a_token_was_cached(ann: World) -> None:
    ann.cloud.google.remove_app_access(ann.emails["ann"], "world.apps.local")
    ann.wish("ann")
    assert ann.run("ann") is Outcome.STOPPED
    assert ann.connection("ann").state == "needs_reauth"


@pytest.mark.usefixtures("no_pauses_of_google_auth")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_sick_token_endpoint_is_no_lost_access(ann: World, status: int) -> None:
    ann.cloud.google.fail_next("oauth2.token", status, "backendError", times=4)
    ann.restart()
    ann.wish("ann")
    assert ann.run("ann") is Outcome.LATER
    assert ann.connection("ann").state == "connected"
    ann.cloud.google.clear_faults()
    ann.later(minutes=2)
    ann.edit("shoot", title="Shoot, later")
    ann.sync()
    assert ann.titles("ann") == ["Shoot, later"]
    assert mails(ann) == []


def test_an_access_token_that_dies_in_mid_run_is_renewed_and_nothing_is_lost(ann: World) -> None:
    ann.edit("shoot", title="Shoot, later")
    ann.cloud.google.expire_access_tokens(ann.emails["ann"])
    assert ann.run("ann") is Outcome.DONE
    assert ann.titles("ann") == ["Shoot, later"]


def test_lost_access_enqueues_nothing_more_whatever_happens(ann: World) -> None:
    lose(ann)
    ann.edit("shoot", title="Edited meanwhile")
    ann.set_up("ann", include_tentative=True)
    ann.wish("ann")
    assert ann.connection("ann").next_sync_at is None
    assert ann.run("ann") is Outcome.NOTHING_DUE


def test_it_is_told_once_and_once_more_when_it_is_well_again(ann: World) -> None:
    lose(ann)
    assert mails(ann) == ["access_lost"]
    ann.run("ann")
    assert mails(ann) == ["access_lost"]
    ann.cloud.google.accounts.allow_tokens(ann.emails["ann"])
    ann.connect("ann")
    assert mails(ann) == ["access_lost"], "well is it when a run went through, not when somebody says so"
    ann.restart()
    ann.sync()
    ann.later(minutes=20)
    ann.sync()
    assert mails(ann) == ["access_lost", "access_regained"]
    assert account(ann)["state"] == "authorized"
    assert ann.connection("ann").lost_at is None


def test_lost_again_before_it_was_well_is_not_told_again(ann: World) -> None:
    lose(ann)
    ann.cloud.google.accounts.allow_tokens(ann.emails["ann"])
    ann.connect("ann")
    lose(ann)
    assert (ann.connection("ann").state, mails(ann)) == ("needs_reauth", ["access_lost"])


def test_a_mail_says_about_whom_and_nothing_that_a_client_has_written(ann: World) -> None:
    lose(ann)
    [said] = [one.to_dict() or {} for one in ann.firestore.collection("mail").stream()]
    assert (said["studio_id"], said["user_id"], said["state"]) == ("atelier", "ann", "waiting")
    assert said["expires_at"] > said["created_at"]
    assert "Shoot" not in str(said)
    assert ann.emails["ann"] not in str(said)


def test_connecting_again_resumes_with_the_edits_of_the_meantime_and_nothing_doubled(ann: World) -> None:
    lose(ann)
    ann.edit("shoot", title="Renamed meanwhile")
    ann.book("new", title="Booked meanwhile", user_ids=["ann"], **span(5))
    ann.types("ann", summary="Typed meanwhile", **google_span(8))
    ann.cloud.google.accounts.allow_tokens(ann.emails["ann"])
    before = ann.connections["ann"]
    assert ann.connect("ann") == before
    ann.restart()
    ann.sync()
    assert ann.titles("ann") == ["Booked meanwhile", "Renamed meanwhile", "Typed meanwhile"]
    assert len(ann.appointments()) == 3


def test_a_warm_instance_takes_up_the_new_token(ann: World) -> None:
    """It has the old one in memory, and no restart tells it otherwise."""
    ann.cloud.google.remove_app_access(ann.emails["ann"], "world.apps.local")
    ann.wish("ann")
    ann.run("ann")
    ann.connect("ann")
    ann.edit("shoot", title="Shoot, later")
    ann.sync()
    assert ann.titles("ann") == ["Shoot, later"]


def test_the_hundred_and_first_consent_costs_an_older_token_and_not_ours(ann: World) -> None:
    """Google keeps a hundred refresh tokens of an account and client, and drops the oldest without a word."""
    for _ in range(100):
        consent(ann.emails["ann"], ann.wiring.accounts.authorization_url(REDIRECT, "s", SCOPES))
    kept = account(ann)["secret"]
    before = ann.wiring.secrets.get(kept)
    ann.connect("ann")
    assert ann.wiring.secrets.get(kept) != before
    ann.restart()
    ann.edit("shoot", title="Shoot, later")
    ann.sync()
    assert ann.titles("ann") == ["Shoot, later"]
