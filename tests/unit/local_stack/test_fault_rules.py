"""Rules as data, and which calls they strike: no service is needed for that."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from local.faults.book import Faults
from local.faults.rules import BadRuleError, rule_of

DELAY = {"fault": "delay", "seconds": 1}


def struck(faults: Faults, calls: int, service: str = "google", method: str = "GET /x") -> list[int]:
    """Which of so many calls are struck, the first is 1."""
    return [number for number in range(1, calls + 1) if faults.strike(service, method) is not None]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, [1]),
        ({"nth": 3}, [3]),
        ({"nth": 3, "times": 2}, [3, 4]),
        ({"nth": 9, "times": None}, [9, 10, 11, 12]),
        ({"every": 5}, [1, 6, 11]),
        ({"nth": 2, "every": 5}, [2, 7, 12]),
        ({"nth": 2, "every": 5, "times": 2}, [2, 7]),
    ],
)
def test_a_rule_strikes_from_the_nth_call_on_as_often_as_it_says(when: dict[str, Any], expected: list[int]) -> None:
    faults = Faults()
    faults.add(DELAY | when)
    assert struck(faults, 12) == expected
    assert faults.active == (when.get("times", None if "every" in when else 1) is None)


def test_a_share_of_calls_is_the_same_calls_for_the_same_seed() -> None:
    first, again, other = Faults(), Faults(), Faults()
    for faults, seed in ((first, 7), (again, 7), (other, 8)):
        faults.add(DELAY | {"share": 0.33, "seed": seed})
    hit = struck(first, 600)
    assert hit == struck(again, 600)
    assert hit != struck(other, 600)
    assert 150 < len(hit) < 250


@pytest.mark.parametrize(
    ("where", "service", "method", "meant"),
    [
        ({}, "firestore", "Commit", True),
        ({}, "delivery", "task sync_user", False),
        ({"service": "delivery"}, "delivery", "task sync_user", True),
        ({"service": "google"}, "tasks", "CreateTask", False),
        ({"method": "POST *"}, "google", "POST /calendar/v3/calendars/{}/events", True),
        ({"method": "POST *"}, "google", "GET /calendar/v3/calendars/{}/events", False),
        ({"method": "*/events/{}"}, "google", "PATCH /calendar/v3/calendars/{}/events/{}", True),
        ({"method": "*/events"}, "google", "PATCH /calendar/v3/calendars/{}/events/{}", False),
        ({"method": "[CB]*"}, "firestore", "BatchGetDocuments", True),
    ],
)
def test_a_rule_is_about_the_calls_that_it_names(where: dict[str, Any], service: str, method: str, meant: bool) -> None:
    faults = Faults()
    faults.add(DELAY | where)
    assert (faults.strike(service, method) is not None) is meant


def test_what_one_rule_strikes_the_next_ones_do_not_see_and_all_hits_are_listed() -> None:
    faults = Faults()
    first = faults.add(DELAY | {"every": 2})
    second = faults.add({"fault": "kill", "nth": 2, "service": "google"})
    kinds = [rule and rule.fault for rule in (faults.strike("google", f"GET /{number}") for number in range(1, 5))]
    assert kinds == ["delay", None, "delay", "kill"]
    shown = faults.shown()
    assert [(one["id"], one["seen"], one["hits"], one["over"]) for one in shown] == [
        (first, 4, 2, False),
        (second, 2, 1, True),
    ]
    assert shown[0]["struck"] == {"google GET /1": 1, "google GET /3": 1}
    assert (faults.hits(first), faults.hits(second)) == (2, 1)
    assert faults.remove(first)
    assert not faults.remove(first)
    with pytest.raises(KeyError):
        faults.hits(first)
    assert faults.clear() == shown[1:]
    assert faults.shown() == []


def test_suspended_no_rule_strikes_or_counts() -> None:
    faults = Faults()
    rule = faults.add({"fault": "kill", "nth": 2})
    assert struck(faults, 1) == []
    with faults.suspended():
        assert not faults.active
        assert not faults.deadly
    assert faults.active
    assert faults.deadly
    assert struck(faults, 1) == [1]
    assert not faults.active
    assert not faults.deadly
    assert faults.hits(rule) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "missing required field `fault`"),
        ({"fault": "explode"}, "Invalid enum value 'explode'"),
        ({"fault": "kill", "service": "people"}, "Invalid enum value 'people'"),
        ({"fault": "kill", "nht": 3}, "unknown field `nht`"),
        ({"fault": "kill", "nth": 0}, ">= 1 - at `$.nth`"),
        ({"fault": "kill", "share": 1.5}, "<= 1.0 - at `$.share`"),
        ({"fault": "kill", "times": 0}, "at `$.times`"),
        ([], "Expected `object`"),
        ({"fault": "kill", "status": 503}, "only fail has a status"),
        ({"fault": "fail", "service": "firestore", "status": 409}, "one of: CANCELLED, UNKNOWN, INVALID_ARGUMENT"),
        ({"fault": "fail", "service": "firestore"}, "status of firestore must be one of"),
        ({"fault": "fail", "service": "google", "status": "ABORTED"}, "a number from 400 to 599"),
        ({"fault": "fail", "service": "google", "status": 200}, "a number from 400 to 599"),
        ({"fault": "fail", "status": 418}, "one of: 400, 401, 403, 404, 409, 429, 500, 503, 504"),
        ({"fault": "kill", "service": "delivery"}, "a delivery can only: delay, drop, fail, lose, twice"),
        ({"fault": "lose", "service": "google"}, "only a delivery is lost"),
        ({"fault": "twice", "after": True}, "twice has no before and after"),
        ({"fault": "delay"}, "delay needs seconds"),
        ({"fault": "drop", "seconds": 3}, "only delay and timeout take seconds"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_is_allowed(wrong: Any, said: str) -> None:
    faults = Faults()
    with pytest.raises(BadRuleError) as refused:
        faults.add(wrong)
    assert said in str(refused.value)
    if "`" in said:
        assert "fault (fail|drop|timeout|garbage|delay|twice|kill|lose)" in str(refused.value)
    assert faults.shown() == []


def test_a_rule_comes_out_as_it_went_in() -> None:
    for given in (
        {"fault": "fail", "service": "google", "method": "POST *", "status": 403, "reason": "quotaExceeded"},
        {"fault": "delay", "seconds": 2.5, "after": True, "every": 3, "times": None},
        {"fault": "garbage", "body": "{", "share": 0.5, "seed": 4, "status": 502},
        {"fault": "fail", "service": "sendgrid", "status": 429, "retry_after": 7},
    ):
        assert rule_of(given).shown() == given


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"fault": "fail", "service": "firestore", "status": "ABORTED"}, grpc.StatusCode.ABORTED),
        ({"fault": "fail", "status": 429}, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ({"fault": "drop"}, grpc.StatusCode.UNAVAILABLE),
        ({"fault": "timeout"}, grpc.StatusCode.DEADLINE_EXCEEDED),
        ({"fault": "garbage"}, grpc.StatusCode.INTERNAL),
    ],
)
def test_every_failure_has_a_code_for_grpc(rule: dict[str, Any], code: grpc.StatusCode) -> None:
    assert rule_of(rule).code is code


def test_rules_may_be_struck_from_many_threads() -> None:
    faults = Faults()
    rule = faults.add(DELAY | {"times": None})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: struck(faults, 500), itertools.repeat(None, 4)))
    assert faults.hits(rule) == 2000
