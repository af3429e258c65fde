"""What is lost on the way, or comes twice: pushes, triggers, tasks."""

import datetime as dt
import json

from tests.functions.deployed import Deployed, House, eventually, google_span, span


def ready(house: House, **sync: bool) -> None:
    """Ann, connected, with one appointment that stands on both sides."""
    house.join("ann", populate_calendar=True, **sync)
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    eventually(lambda: house.titles("ann") == ["Shoot"])
    house.deployed.settle()


def test_a_change_on_either_side_arrives_without_a_tick_and_the_log_has_how_long_it_took(
    deployed: Deployed, house: House
) -> None:
    ready(house)
    with deployed.said() as lines:
        house.front_end.edit("shoot", title="Long shoot")
        eventually(lambda: house.titles("ann") == ["Long shoot"])
        [event] = house.events("ann")
        house.person("ann").patch("primary", event["id"], location="Studio 2")
        eventually(lambda: house.front_end.appointments()["shoot"].get("location") == "Studio 2")
        deployed.settle()
    runs = [line for line in lines if line["message"] == "run" and line["outcome"] == "done"]
    for latency in ("studio_latency_seconds", "push_latency_seconds"):
        [seconds] = [line[latency] for line in runs if line[latency] is not None]
        assert 0 < seconds < 20, latency
    assert all(line["verified_age_seconds"] >= 0 and line["failures"] == 0 for line in runs)
    numbers = {"failures", "verified_age_seconds", "push_latency_seconds", "studio_latency_seconds"}
    own = {"severity", "message", "logger"}
    assert all(line.keys() == {"connection", "outcome", "queue", "run"} | numbers | own for line in runs)


def test_the_log_has_how_long_ago_a_connection_was_verified_and_how_often_in_a_row_it_failed(
    deployed: Deployed, house: House
) -> None:
    ready(house)
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=7)
    house.document("ann").update({"synced_at": long_ago, "failures": 2})
    deployed.stack.google.fail_next("calendar.events.list", 500, "backendError", times=20)
    with deployed.said() as lines:
        house.make_due("ann")
        deployed.tick()
        eventually(lambda: house.connection("ann").failures == 3)
        deployed.settle()
    [told] = [one for one in lines if one["message"] == "run" and one["connection"] == house.connections["ann"]]
    assert (told["outcome"], told["failures"], told["push_latency_seconds"]) == ("later", 3, None)
    assert 7 * 3600 <= told["verified_age_seconds"] < 7 * 3600 + 60
    [tick] = [one for one in lines if one["message"] == "fanned out"]
    assert (tick["due"], tick["first_page"]) == (1, True)
    assert tick["oldest_due_seconds"] >= 0


def test_with_all_pushes_lost_a_change_arrives_when_the_connection_is_due(deployed: Deployed, house: House) -> None:
    deployed.put_off()
    ready(house)
    deployed.stack.google.push.lose_next(1_000)
    house.person("ann").insert(summary="Dentist", **google_span(5))
    deployed.settle()
    assert house.booked() == ["Shoot"]
    due = house.connection("ann").next_sync_at
    assert due is not None
    left = due - dt.datetime.now(dt.UTC)
    assert dt.timedelta(hours=5) < left <= dt.timedelta(hours=6), "the safety interval of a live channel"
    house.make_due("ann")
    assert json.loads(deployed.tick().text)["enqueued"] == 1
    eventually(lambda: house.booked() == ["Dentist", "Shoot"])


def test_without_a_channel_the_studios_interval_is_the_longest_wait(deployed: Deployed, house: House) -> None:
    deployed.stack.google.fail_next("calendar.events.watch", 400, "pushNotSupportedForRequestedResource")
    house.join("ann")
    due = house.connection("ann").next_sync_at
    assert due is not None
    assert due - dt.datetime.now(dt.UTC) <= dt.timedelta(minutes=10)
    house.person("ann").insert(summary="Dentist", **google_span(5))
    deployed.settle()
    assert house.booked() == []
    house.make_due("ann")
    deployed.tick()
    eventually(lambda: house.booked() == ["Dentist"])


def test_pushes_that_were_held_back_come_late_and_change_nothing_more(deployed: Deployed, house: House) -> None:
    push = deployed.stack.google.push
    ready(house)
    push.paused = True
    house.person("ann").insert(summary="Dentist", **google_span(5))
    house.make_due("ann")
    deployed.tick()
    eventually(lambda: house.booked() == ["Dentist", "Shoot"])
    push.resume()
    deployed.settle()
    assert house.booked() == ["Dentist", "Shoot"]
    assert house.titles("ann") == ["Dentist", "Shoot"]


def test_a_later_edit_carries_what_a_lost_trigger_did_not_tell(deployed: Deployed, house: House) -> None:
    """All that is promised today. Finding an edit whose trigger was lost, without a later one, is reconciliation's."""
    ready(house)
    deployed.stack.triggers.lose_next(1)
    house.front_end.edit("shoot", title="Long shoot")
    deployed.settle()
    assert house.titles("ann") == ["Shoot"]
    house.front_end.edit("shoot", description="Bring the lamp")
    eventually(lambda: [one.get("description") for one in house.events("ann")] == ["Bring the lamp"])
    assert house.titles("ann") == ["Long shoot"]


def test_triggers_tasks_and_pushes_that_come_twice_double_nothing(deployed: Deployed, house: House) -> None:
    stack = deployed.stack
    ready(house, populate_studio=True)
    stack.triggers.deliver_twice = stack.tasks.deliver_twice = stack.google.push.duplicate = True
    house.front_end.book("fair", title="Fair", user_ids=["ann"], **span(8))
    house.person("ann").insert(summary="Dentist", **google_span(5))
    everything = ["Dentist", "Fair", "Shoot"]
    eventually(lambda: (house.booked(), house.titles("ann")) == (everything, everything))
    house.front_end.edit("shoot", title="Tiny shoot")
    house.front_end.erase("fair")
    everything = ["Dentist", "Tiny shoot"]
    eventually(lambda: (house.booked(), house.titles("ann")) == (everything, everything))
    deployed.settle()
    assert (house.booked(), house.titles("ann")) == (everything, everything)
    assert house.below("ann", "outbox") == {}


def test_two_deliveries_of_one_task_at_the_same_time_are_one_run(deployed: Deployed, house: House) -> None:
    ready(house)
    deployed.stack.google.slow_next("calendar.events.list", 0.5)
    with deployed.said() as lines:
        deployed.notify(*house.channel("ann"))
        eventually(lambda: house.connection("ann").lease is not None)
        reply = deployed.call("sync_user", {"connection_id": house.connections["ann"]})
        deployed.settle()
    assert json.loads(reply.text) == {"outcome": "nothing_due"}
    assert house.runs("ann", lines) == ["done"]


def test_what_a_lost_task_would_have_done_the_next_tick_does(deployed: Deployed, house: House) -> None:
    ready(house)
    deployed.stack.tasks.lose_next(1)
    house.front_end.edit("shoot", title="Long shoot")
    deployed.settle()
    assert house.titles("ann") == ["Shoot"]
    deployed.tick()
    eventually(lambda: house.titles("ann") == ["Long shoot"])


def test_a_tick_whose_tasks_are_lost_too_does_not_keep_the_next_one_from_helping(
    deployed: Deployed, house: House
) -> None:
    """A task's name stays taken when it is gone: each tick names its tasks anew."""
    ready(house)
    deployed.stack.tasks.lose_next(3)
    house.front_end.edit("shoot", title="Long shoot")
    deployed.settle()
    for _ in range(2):
        deployed.tick()
        deployed.settle()
    assert house.titles("ann") == ["Shoot"]
    deployed.tick()
    eventually(lambda: house.titles("ann") == ["Long shoot"])
