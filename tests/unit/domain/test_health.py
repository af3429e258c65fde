"""How well a connection is kept in step: a table of what can be shown, and what follows."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from shared.domain.channel_health import SAFETY_INTERVAL
from shared.domain.connection import Channel, Connection, Lease, Populate
from shared.domain.health import FAILURES, LATE, OVERDUE, Health, State, health
from shared.domain.reasons import Reason

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
INTERVAL = dt.timedelta(minutes=10)
SETTINGS = {
    Reason.EDITION,
    Reason.STUDIO_OFF,
    Reason.USER_OFF,
    Reason.NOT_SCHEDULABLE,
    Reason.STUDIO_GONE,
    Reason.USER_GONE,
}


def at(minutes: float) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


USUAL = Connection(
    studio_id="s",
    user_id="u",
    account_id="a",
    calendar_id="c",
    since=at(-9_000),
    window_from=at(-9_000),
    attempted_at=at(-5),
    synced_at=at(-5),
    next_sync_at=at(5),
)
LIVE = Channel(id="c", resource_id="r", since=at(-900), expires_at=at(900), notified_at=at(-60))


def of(*, stopped: Reason | None = None, **fields: Any) -> Health:
    connection = msgspec.structs.replace(USUAL, **fields)
    return health(connection, NOW, interval=INTERVAL, safety_interval=SAFETY_INTERVAL, stopped=stopped)


def told(**fields: Any) -> str:
    """State, reason and signs, with blanks between."""
    found = of(**fields)
    return " ".join([found.state, *filter(None, [found.reason]), *found.signs])


STALE = {"synced_at": at(-30), "attempted_at": at(-30)}
LONG_AGO = {"synced_at": NOW - LATE - dt.timedelta(minutes=1), "attempted_at": at(-1)}
MINUTE = dt.timedelta(minutes=1)

TABLE: list[tuple[str, dict[str, Any], str]] = [
    ("as it should be", {}, "healthy"),
    ("due just now", {"next_sync_at": NOW}, "healthy"),
    ("due for as long as may be", {"next_sync_at": NOW - OVERDUE}, "healthy"),
    ("due for longer", {"next_sync_at": NOW - OVERDUE - MINUTE}, "late overdue"),
    ("nobody has come", {**STALE, "next_sync_at": at(-20)}, "late overdue unverified"),
    ("compared just within what is promised", {"synced_at": at(-25)}, "healthy"),
    ("not within it, whatever is scheduled", STALE, "late unverified"),
    ("within what a live channel promises", {**STALE, "channel": LIVE, "next_sync_at": at(330)}, "healthy"),
    ("beyond that, too", {"synced_at": at(-400), "channel": LIVE}, "late unverified"),
    ("one run failed", {"failures": 1}, "healthy runs_fail"),
    ("some have, and it shows", {**STALE, "failures": 3}, "late unverified runs_fail"),
    ("many have within minutes", {"failures": FAILURES}, "healthy runs_fail"),
    ("many have for hours", {**LONG_AGO, "failures": FAILURES}, "failing unverified runs_fail"),
    ("few have in hours", {**LONG_AGO, "failures": FAILURES - 1}, "late unverified runs_fail"),
    ("Google asked for a pause", {"not_before": at(9), "next_sync_at": at(-30)}, "healthy asked_to_wait"),
    ("for a long one", {**STALE, "not_before": at(9), "failures": 1}, "late unverified runs_fail asked_to_wait"),
    ("never compared, made just now", {"synced_at": None, "since": at(-2)}, "healthy first_run"),
    ("never compared, made long ago", {"synced_at": None, "active_since": at(-99)}, "late unverified first_run"),
    ("many tries, never compared", {"synced_at": None, "failures": 9}, "failing unverified runs_fail first_run"),
    ("a run is at it", {**STALE, "lease": Lease("r", at(9)), "next_sync_at": at(-30)}, "healthy"),
    ("a run died", {**STALE, "lease": Lease("r", at(-1)), "next_sync_at": at(-1)}, "late unverified"),
    (
        "a long listing goes on",
        {"synced_at": None, "populate": Populate(started_at=at(-60)), "attempted_at": at(-4)},
        "healthy first_run listing",
    ),
    (
        "a listing has stopped half way",
        {"synced_at": None, "populate": Populate(started_at=at(-60)), "attempted_at": at(-40)},
        "late unverified first_run listing",
    ),
    ("a listing is wanted", {"populate": Populate()}, "healthy"),
    ("something is parked", {"parked": 2}, "healthy parked"),
    ("deletions are held", {"hold": "hold-1"}, "healthy held"),
    ("access lost", {"state": "needs_reauth", "state_reason": Reason.ACCESS_LOST}, "waiting access_lost"),
    ("calendar gone", {"state": "paused", "state_reason": Reason.CALENDAR_GONE}, "waiting calendar_gone"),
    ("a setting does not fit", {"state": "paused", "state_reason": Reason.INVALID}, "waiting invalid"),
    ("turned off", {"state": "paused", "state_reason": Reason.STUDIO_OFF}, "off studio_off"),
    ("another calendar is in use", {"state": "resting", "state_reason": Reason.SWITCHED}, "off switched"),
    ("let go of", {"state": "disconnected", "state_reason": Reason.DISCONNECTED}, "off disconnected"),
    ("stopped for what nobody noted", {"state": "paused"}, "waiting not_connected"),
    ("failing is nothing where it is off", {**LONG_AGO, "failures": 9, "stopped": Reason.USER_OFF}, "off user_off"),
]


@pytest.mark.parametrize(("case", "fields", "expected"), TABLE, ids=[case for case, _, _ in TABLE])
def test_the_state_follows_from_what_can_be_shown(case: str, fields: dict[str, Any], expected: str) -> None:
    said = told(**fields)
    # Of what is off or waits for somebody, the signs say no more than when it stopped.
    assert said == expected or (expected.startswith(("off", "waiting")) and said.startswith(f"{expected} "))


@pytest.mark.parametrize("reason", sorted(SETTINGS))
def test_what_the_settings_say_comes_before_all(reason: Reason) -> None:
    found = of(stopped=reason, state="needs_reauth", state_reason=Reason.ACCESS_LOST)
    assert (found.state, found.reason) == ("off", reason)


@pytest.mark.parametrize(
    ("channel", "push"),
    [
        (None, "none"),
        (Channel(retry_at=at(60)), "none"),
        (msgspec.structs.replace(LIVE, expires_at=NOW), "none"),
        (msgspec.structs.replace(LIVE, expires_at=None), "none"),
        (msgspec.structs.replace(LIVE, notified_at=None), "unproven"),
        (msgspec.structs.replace(LIVE, silent_since=at(-30)), "silent"),
        (msgspec.structs.replace(LIVE, notified_at=None, silent_since=at(-30)), "silent"),
        (LIVE, "alive"),
    ],
)
def test_push_is_alive_only_where_it_has_told_and_missed_nothing(channel: Channel | None, push: str) -> None:
    found = of(channel=channel)
    assert found.push == push
    assert found.longest_wait == (SAFETY_INTERVAL if push == "alive" else INTERVAL)


def test_the_age_is_that_of_the_last_comparison_and_none_before_the_first() -> None:
    assert of().verified_age == dt.timedelta(minutes=5)
    assert of(synced_at=None).verified_age is None


def test_the_next_run_is_no_sooner_than_google_allows_and_none_where_nothing_is_scheduled() -> None:
    assert of().next_due == at(5)
    assert of(not_before=at(30)).next_due == at(30)
    assert of(next_sync_at=None).next_due is None


def test_no_sooner_is_promised_than_a_run_is_scheduled() -> None:
    assert of(next_sync_at=at(50)).longest_wait == dt.timedelta(minutes=50)


def test_every_state_is_in_the_table() -> None:
    assert {expected.split()[0] for _, _, expected in TABLE} == set(State.__args__)  # type: ignore[attr-defined]
