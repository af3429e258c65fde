"""The project's quota, shared out to the queues."""

import pytest

from shared.domain.quotas import CALLS_OF_A_SHORT_RUN, PER_PROJECT, PER_USER, QUEUES


def test_what_all_queues_dispatch_at_once_stays_within_the_projects_quota() -> None:
    now = QUEUES["now"].max_dispatches_per_second * 60 * 3
    scheduled = QUEUES["scheduled"].max_dispatches_per_second * 60 * 2
    populate = QUEUES["populate"].max_concurrent_dispatches * PER_USER
    assert now + scheduled + populate <= PER_PROJECT
    assert populate <= PER_PROJECT / 4
    assert now >= PER_PROJECT / 3


def test_populates_leave_more_than_half_to_the_others_whatever_they_do() -> None:
    """Each of their runs is held to its user's quota, so no more than so many can be used up a minute."""
    assert QUEUES["populate"].max_concurrent_dispatches * PER_USER <= PER_PROJECT / 2


def test_a_minutes_scheduled_runs_find_every_connection_of_a_large_project() -> None:
    in_ten_minutes = QUEUES["scheduled"].max_dispatches_per_second * 600
    assert in_ten_minutes >= 10_000


@pytest.mark.parametrize("name", ["now", "scheduled", "populate"])
def test_the_rates_are_ones_that_cloud_tasks_takes(name: str) -> None:
    queue = QUEUES[name]
    assert 0 < queue.max_dispatches_per_second <= 500
    assert 0 < queue.max_concurrent_dispatches <= 5_000


def test_a_short_run_takes_two_batches() -> None:
    assert 2 * 50 < CALLS_OF_A_SHORT_RUN < PER_USER
