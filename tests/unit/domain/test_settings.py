"""Studios and users: the contract's defaults, what does not fit, and who syncs at all."""

from typing import Any

import pytest

from shared.domain.contract import read
from shared.domain.errors import Park
from shared.domain.reasons import Reason
from shared.domain.settings import Studio, StudioSync, User, UserSync, why_not


def a_studio(**fields: Any) -> Studio:
    return Studio(**{"edition": "professional", "time_zone": "Europe/Berlin", **fields})


def a_user(**fields: Any) -> User:
    return User(**{"schedulable": True, "sync": UserSync(enabled=True), **fields})


STUDIO = {"edition": "professional", "time_zone": "Europe/Berlin"}


def test_a_studio_that_says_nothing_has_the_contracts_defaults() -> None:
    sync = read(STUDIO, Studio).sync
    assert (sync.enabled, sync.interval_minutes, sync.notify_on) == (True, 10, "failures")
    assert (sync.clash_policy, sync.past_days, sync.notify_email) == ("studio", 90, None)


def test_a_user_that_says_nothing_has_the_contracts_defaults() -> None:
    user = read({}, User)
    assert (user.role, user.schedulable, user.connection) == ("staff", False, None)
    sync = user.sync
    ticked = {name for name in UserSync.__struct_fields__ if getattr(sync, name) is True}
    assert ticked == {"email_warnings"}
    assert {getattr(sync, name) for name in UserSync.__struct_fields__} == {True, False, None}


def test_null_has_the_default_too_at_every_depth() -> None:
    assert read({**STUDIO, "name": None, "sync": {"past_days": None}}, Studio) == read(STUDIO, Studio)
    assert read({"sync": None, "connection": None}, User) == read({}, User)


def test_unknown_settings_are_nobodys_business() -> None:
    assert read({"sync": {"colour": "red"}, "shoe_size": 44}, User) == User()


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        ({"edition": "free"}, "edition", "enum"),
        ({"time_zone": 1}, "time_zone", "str"),
        ({"sync": {"interval_minutes": 0}}, "sync.interval_minutes", ">= 1"),
        ({"sync": {"interval_minutes": 1441}}, "sync.interval_minutes", "<= 1440"),
        ({"sync": {"interval_minutes": "often"}}, "sync.interval_minutes", "int"),
        ({"sync": {"past_days": -1}}, "sync.past_days", ">= 0"),
        ({"sync": {"past_days": 366}}, "sync.past_days", "<= 365"),
        ({"sync": {"clash_policy": "mine"}}, "sync.clash_policy", "enum"),
        ({"sync": {"enabled": "yes"}}, "sync.enabled", "bool"),
        ({"sync": "on"}, "sync", "object"),
    ],
)
def test_a_studios_misfit_names_its_field_and_what_was_expected(
    fields: dict[str, Any], field: str, expected: str
) -> None:
    with pytest.raises(Park) as parked:
        read({**STUDIO, **fields}, Studio)
    assert (parked.value.reason, parked.value.field) == (Reason.INVALID, field)
    assert expected in parked.value.detail


@pytest.mark.parametrize("missing", ["edition", "time_zone"])
def test_a_field_that_is_missing_is_named_as_well(missing: str) -> None:
    with pytest.raises(Park) as parked:
        read({key: value for key, value in STUDIO.items() if key != missing}, Studio)
    assert parked.value.field == missing


def test_the_interval_may_be_a_minute_or_a_day() -> None:
    for minutes in (1, 1440):
        assert read({**STUDIO, "sync": {"interval_minutes": minutes}}, Studio).sync.interval_minutes == minutes


def test_nothing_stands_in_the_way_of_a_schedulable_user_who_wants_it() -> None:
    assert why_not(a_studio(), a_user()) is None


@pytest.mark.parametrize("edition", ["standard", "professional", "enterprise"])
def test_these_editions_sync(edition: Any) -> None:
    assert why_not(a_studio(edition=edition), a_user()) is None


@pytest.mark.parametrize(
    ("studio", "user", "reason"),
    [
        (None, a_user(), Reason.STUDIO_GONE),
        (a_studio(), None, Reason.USER_GONE),
        (a_studio(edition="express"), a_user(), Reason.EDITION),
        (a_studio(sync=StudioSync(enabled=False)), a_user(), Reason.STUDIO_OFF),
        (a_studio(), a_user(schedulable=False), Reason.NOT_SCHEDULABLE),
        (a_studio(), a_user(sync=UserSync(enabled=False)), Reason.USER_OFF),
        (a_studio(), User(), Reason.NOT_SCHEDULABLE),
    ],
)
def test_what_stands_in_the_way_has_a_reason_and_a_sentence(
    studio: Studio | None, user: User | None, reason: Reason
) -> None:
    assert why_not(studio, user) is reason
    assert reason.text.endswith(".")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_for_people(reason: Reason) -> None:
    assert reason.text.endswith(".")
