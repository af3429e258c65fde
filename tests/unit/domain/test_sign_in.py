"""Which account may sign in as a user: by verified e-mail the first time, by its subject from then on."""

import datetime as dt
from typing import Any

import pytest

from shared.domain.sign_in import SignIn, may_bind, same_email, sign_in_of, signs_in

NOW = dt.datetime(2026, 5, 10, 12, 0, tzinfo=dt.UTC)


def a_user(email: Any = "ann@example.org") -> dict[str, Any]:
    return {"name": "Ann", "email": email}


def bound(subject: str, by: str, email: str = "ann@example.org") -> dict[str, Any]:
    """A user whom this account signs in as, found by an address that was the user's then."""
    return {**a_user(email), "sign_in": {"provider": "google", "subject": subject, "email": by}}


# --- what a document says ---------------------------------------------------------------------------------------------


def test_a_sign_in_is_read_from_the_users_document() -> None:
    written = {"provider": "google", "subject": "1", "email": "ann@example.org", "at": NOW, "unknown": 1}
    assert sign_in_of({"sign_in": written}) == SignIn(subject="1", email="ann@example.org", at=NOW)


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        "1",
        1,
        [],
        ["subject", "1"],
        {},
        {"subject": "1"},
        {"email": "ann@example.org"},
        {"subject": 1, "email": "ann@example.org"},
        {"subject": None, "email": "ann@example.org"},
        {"subject": ["1"], "email": "ann@example.org"},
        {"subject": "1", "email": {"is": "ann@example.org"}},
        {"subject": "1", "email": "ann@example.org", "at": "yesterday"},
    ],
    ids=str,
)
def test_what_does_not_fit_counts_as_not_there(garbage: Any) -> None:
    assert sign_in_of({"sign_in": garbage}) is None


def test_a_user_without_a_sign_in_has_none() -> None:
    assert sign_in_of({}) is None


# --- who may be bound -------------------------------------------------------------------------------------------------


def test_the_first_account_with_the_users_address_is_bound() -> None:
    assert may_bind(a_user(), "1", "ann@example.org")
    assert may_bind(a_user("Ann@Example.org "), "1", "ann@example.ORG"), "people write addresses as they like"


@pytest.mark.parametrize("email", ["ben@example.org", "ann@example.org.evil.example", "", " "])
def test_an_account_with_another_address_is_not(email: str) -> None:
    assert not may_bind(a_user(), "1", email)


@pytest.mark.parametrize("email", [None, "", " ", 7, ["ann@example.org"], {"is": "ann@example.org"}], ids=str)
@pytest.mark.parametrize("given", ["ann@example.org", "", " "])
def test_a_user_without_a_readable_address_is_nobodys(email: Any, given: str) -> None:
    assert not may_bind(a_user(email), "1", given)


def test_the_account_that_is_bound_may_be_bound_again() -> None:
    assert may_bind(bound("1", "ann@example.org"), "1", "ann@example.org")
    assert may_bind(bound("1", "earlier@example.org"), "1", "ann@example.org")


def test_a_successor_at_the_same_address_is_not_let_in() -> None:
    """Google gives the address of an account that was deleted to somebody else; the subject is never given again."""
    assert not may_bind(bound("1", "ann@example.org"), "2", "ann@example.org")
    assert not may_bind(bound("1", "Ann@example.org", "ANN@example.org"), "2", "ann@example.org")


def test_another_address_given_by_an_administrator_lets_the_account_with_it_in() -> None:
    moved = bound("1", "ann@example.org", "anna@example.org")
    assert may_bind(moved, "2", "anna@example.org")
    assert not may_bind(moved, "2", "ann@example.org"), "the former address lets nobody in any more"


def test_a_sign_in_that_cannot_be_read_binds_nobody() -> None:
    assert may_bind({"email": "ann@example.org", "sign_in": "garbage"}, "1", "ann@example.org")


# --- who signs in -----------------------------------------------------------------------------------------------------


def test_the_account_that_was_bound_signs_in_as_long_as_the_user_has_that_e_mail() -> None:
    assert signs_in(bound("1", "ann@example.org"), "1")
    assert signs_in(bound("1", "ann@example.org", "Ann@Example.org "), "1"), "however it is written"
    assert not signs_in(bound("1", "ann@example.org", "successor@example.org"), "1")
    assert not signs_in(bound("1", "ann@example.org", ""), "1")


def test_who_was_bound_without_an_e_mail_has_none_to_lose() -> None:
    assert signs_in(bound("local-ann", "", "successor@example.org"), "local-ann")


def test_no_other_account_signs_in() -> None:
    assert not signs_in(bound("1", "ann@example.org"), "2")
    assert not signs_in(a_user(), "1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ann@example.org", "ann@example.org", True),
        ("Ann@Example.ORG", " ann@example.org ", True),
        ("ann@example.org", "an.n@example.org", False),
        ("ann+sync@example.org", "ann@example.org", False),
        ("", "", False),
        (" ", " ", False),
        (None, None, False),
        (1, 1, False),
        ("ann@example.org", None, False),
    ],
    ids=str,
)
def test_addresses_are_the_same_whatever_their_case_and_an_empty_one_is_nobodys(
    one: object, other: object, *, same: bool
) -> None:
    assert same_email(one, other) == same
    assert same_email(other, one) == same
