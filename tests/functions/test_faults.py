"""Faults in all places at once, with the functions as they are deployed: afterwards both sides agree."""

from typing import Any

from tests.functions.deployed import Deployed, House, eventually, google_span, span

EVENTS = "/calendar/v3/calendars/{}/events"
STORM: list[dict[str, Any]] = [
    {"service": "google", "fault": "fail", "status": 503, "share": 0.33, "seed": 7},
    {"service": "google", "method": f"POST {EVENTS}", "fault": "drop", "after": True, "every": 2},
    {"service": "firestore", "method": "Commit", "fault": "fail", "status": "ABORTED", "every": 9, "nth": 5},
    {"service": "firestore", "method": "Commit", "fault": "fail", "status": "ABORTED", "after": True, "every": 11},
    {"service": "delivery", "method": "task sync_user", "fault": "twice", "times": None},
    {"service": "delivery", "method": "push *", "fault": "lose", "every": 2},
    {"service": "delivery", "method": "trigger *", "fault": "fail", "status": 500, "after": True, "every": 3},
]


def resume(deployed: Deployed, house: House) -> None:
    """As after an hour: what gave up for a while, or was left behind by a dead process, is tried again."""
    deployed.stack.faults.move_clock(hours=1)
    house.make_due("ann")
    deployed.stack.scheduler.tick()
    deployed.settle()


def test_nothing_is_lost_or_doubled_though_everything_goes_wrong_at_times(deployed: Deployed, house: House) -> None:
    house.join("ann", populate_calendar=True)
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    house.front_end.book("gone", title="Gone", user_ids=["ann"], **span(30))
    typed = house.person("ann").insert(summary="Dentist", **google_span(5))
    deployed.settle()
    assert house.titles("ann") == ["Dentist", "Gone", "Shoot"]
    faults = deployed.stack.faults
    rules = {faults.add(rule): rule for rule in STORM}
    for number in range(4):
        house.front_end.book(f"more-{number}", title=f"More {number}", user_ids=["ann"], **span(10 + number))
        house.person("ann").insert(summary=f"Private {number}", **google_span(20 + number))
    house.front_end.edit("shoot", title="Long shoot")
    house.front_end.edit("gone", status="cancelled")
    house.person("ann").patch("primary", typed["id"], location="At the corner")
    deployed.settle()
    late: list[str] = []
    while spared := [rule for rule_id, rule in rules.items() if not faults.hits(rule_id)]:
        assert len(late) < 6, spared
        late.append(f"Late {len(late)}")
        house.front_end.book(late[-1], title=late[-1], user_ids=["ann"], **span(40 + len(late)))
        resume(deployed, house)
    faults.clear()
    for _ in range(2):
        resume(deployed, house)
    more = [f"More {number}" for number in range(4)] + [f"Private {number}" for number in range(4)] + late
    assert house.titles("ann") == sorted(["Dentist", "Long shoot", *more])
    assert house.booked() == sorted(["Dentist", "Gone", "Long shoot", *more])
    assert next(one for one in house.front_end.appointments().values() if one["title"] == "Dentist")["location"] == (
        "At the corner"
    )


def test_a_process_that_is_killed_right_after_it_wrote_to_google_doubles_nothing(
    deployed: Deployed, house: House
) -> None:
    house.join("ann", populate_calendar=True)
    deployed.settle()
    faults = deployed.stack.faults
    # Several at once, so that they travel in a batch.
    deployed.stack.triggers.paused = True
    for number in range(3):
        house.front_end.book(f"b{number}", title=f"B {number}", user_ids=["ann"], **span(10 + number))
    killed = faults.add({"service": "google", "method": "POST *", "fault": "kill", "after": True})
    deployed.stack.triggers.paused = False
    eventually(lambda: faults.hits(killed) == 1)
    deployed.settle()
    resume(deployed, house)
    assert house.titles("ann") == ["B 0", "B 1", "B 2"]
    assert house.booked() == ["B 0", "B 1", "B 2"]
    assert any(line.startswith("POST /sync_user killed after google") for line in deployed.stack.output)


def test_all_clocks_of_the_stack_move_together(deployed: Deployed, house: House) -> None:
    house.join("ann")
    deployed.settle()
    stack = deployed.stack
    tokens = stack.google.accounts.issued().access_tokens
    before = house.connection("ann").synced_at
    assert before is not None
    stack.faults.move_clock(hours=2)
    house.make_due("ann")
    assert stack.scheduler.tick() == 200
    deployed.settle()
    after = house.connection("ann").synced_at
    assert after is not None
    assert (after - before).total_seconds() > 7000, "the functions' own clock"
    assert len(stack.google.accounts.issued().access_tokens) > len(tokens), "Google's: an hour is what a token lives"
