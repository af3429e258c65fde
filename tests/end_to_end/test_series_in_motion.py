"""Series driven through random histories on the real parts (see `series_in_motion.py` for what must hold).

`make soak` plays 60 schedules instead of four; ``SERIES_SCHEDULES=200`` so many, ``SERIES_FROM=1000`` from that one on.
"""

import dataclasses
import os
from collections.abc import Iterator

import pytest

from local.google.behaviour import Behaviour
from local.wiretap import Wiretap
from tests.end_to_end.idling import assert_idle
from tests.end_to_end.series_in_motion import Motion, schedule, switches
from tests.figures import Figures
from tests.soak import SOAKING, soaks
from tests.world import World

FROM = int(os.environ.get("SERIES_FROM", "0"))
SCHEDULES = range(FROM, FROM + int(os.environ.get("SERIES_SCHEDULES", "60" if SOAKING else "4")))


@pytest.fixture
def behaviour(world: World) -> Iterator[Behaviour]:
    """Google's, which a test may set as it likes."""
    google = world.cloud.google
    before = dataclasses.replace(google.behaviour)
    yield google.behaviour
    for field in dataclasses.fields(before):
        setattr(google.behaviour, field.name, getattr(before, field.name))


@soaks
@pytest.mark.parametrize("seed", SCHEDULES)
def test_whoever_edits_what_of_a_series_both_sides_agree_and_no_edit_is_lost(
    world: World, behaviour: Behaviour, tap: Wiretap, seed: int, figures: Figures
) -> None:
    chosen = switches(seed) if seed % 3 else {}
    for name, value in chosen.items():
        setattr(behaviour, name, value)
    world.join("ann", populate_calendar=True, populate_studio=True)
    world.sync()
    motion = Motion(world)
    try:
        motion.play(schedule(seed, 14))
        assert_idle(world, tap, 50)
        figures.add("series in motion", "idle runs", 50)
        figures.add("series in motion", "schedules tried")
    except BaseException:
        print("\n".join(motion.trace), chosen)  # noqa: T201 - what led to a failure
        raise
