"""Accounts, what they granted, and how long a claim holds; invitations and for whom they are good."""

import datetime as dt
from typing import Any

import pytest

from shared.domain.account import BOXES, CALENDAR_SCOPES, CLAIM_LIFE, CONTACTS_SCOPE, SCOPES, Account, unticked
from shared.domain.invitation import Invitation

NOW = dt.datetime(2026, 5, 10, 12, 0, tzinfo=dt.UTC)
A_MOMENT = dt.timedelta(microseconds=1)


def an_account(**fields: Any) -> Account:
    return Account(**{"account_id": "1", "studio_id": "s1", "user_id": "ann", **fields})


@pytest.mark.parametrize("studio_id", ["s1", "s2"])
@pytest.mark.parametrize("user_id", ["ann", "ben"])
def test_an_account_belongs_to_one_user_of_one_studio(studio_id: str, user_id: str) -> None:
    assert an_account().belongs_to(studio_id, user_id) == ((studio_id, user_id) == ("s1", "ann"))


@pytest.mark.parametrize(
    ("claimed_at", "lapsed"),
    [(NOW, False), (NOW - CLAIM_LIFE, False), (NOW - CLAIM_LIFE - A_MOMENT, True), (None, True)],
)
def test_a_claim_lapses_after_its_life_or_if_it_never_said_when(
    claimed_at: dt.datetime | None, *, lapsed: bool
) -> None:
    assert an_account(state="claimed", claimed_at=claimed_at).lapsed(NOW) == lapsed


@pytest.mark.parametrize("state", ["authorized", "needs_reauth", "leaving"])
@pytest.mark.parametrize("claimed_at", [None, NOW - 100 * CLAIM_LIFE])
def test_what_was_once_used_never_lapses(state: str, claimed_at: dt.datetime | None) -> None:
    assert not an_account(state=state, claimed_at=claimed_at).lapsed(NOW)


def test_contacts_are_on_where_their_box_was_ticked() -> None:
    assert an_account(scopes=SCOPES).contacts
    assert not an_account(scopes=tuple(scope for scope in SCOPES if scope != CONTACTS_SCOPE)).contacts
    assert not an_account().contacts
    assert not an_account(scopes=(f"{CONTACTS_SCOPE}.readonly",)).contacts


def test_every_calendar_box_that_was_not_ticked_is_named_and_nothing_else() -> None:
    assert unticked(SCOPES) == ()
    assert unticked(CALENDAR_SCOPES) == (), "contacts are for who wants them"
    for missing in CALENDAR_SCOPES:
        assert unticked(tuple(scope for scope in SCOPES if scope != missing)) == (BOXES[missing],)
    assert unticked(()) == tuple(BOXES[scope] for scope in CALENDAR_SCOPES)


def test_every_box_of_the_consent_page_has_words_of_ours() -> None:
    assert BOXES.keys() == {*CALENDAR_SCOPES, CONTACTS_SCOPE}
    assert len(set(BOXES.values())) == len(BOXES)


# --- invitations ------------------------------------------------------------------------------------------------------


def an_invitation(**fields: Any) -> Invitation:
    given = {"studio_id": "s1", "user_id": "ann", "nonce": "n", "invited_by": "chief", "expires_at": NOW}
    return Invitation(**{**given, **fields})


@pytest.mark.parametrize(
    ("used_by", "account_id", "good"),
    [(None, None, True), (None, "1", True), ("1", "1", True), ("1", "2", False), ("1", None, False)],
    ids=["unused", "unused, and known", "the same one", "another one", "used, and nobody known"],
)
def test_an_invitation_is_good_for_the_account_that_used_it_first(
    used_by: str | None, account_id: str | None, *, good: bool
) -> None:
    assert an_invitation(used_by=used_by).good_for(account_id, NOW - A_MOMENT) == good


@pytest.mark.parametrize(("now", "good"), [(NOW - A_MOMENT, True), (NOW, False), (NOW + A_MOMENT, False)])
@pytest.mark.parametrize("used_by", [None, "1"])
def test_an_invitation_is_good_until_it_expires_for_whomever(
    used_by: str | None, now: dt.datetime, *, good: bool
) -> None:
    assert an_invitation(used_by=used_by).good_for("1", now) == good
