"""Google's notifications: forged, stale, in a burst, and in the middle of a run."""

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.cloud import firestore

from local.stack import CHANNEL_KEY
from shared.services import channels
from tests.functions.deployed import NOW, Deployed, House, Reply, eventually, google_span, span

BURST = 200
SOMEBODY = "0" * 26


def ours(channel_id: str, connection_id: str = SOMEBODY) -> str:
    return channels.token(CHANNEL_KEY.encode(), channel_id, connection_id)


FORGED = {
    "made up": ("a-channel", "CANARY"),
    "of another channel": ("a-channel", ours("another-channel")),
    "of another connection": ("a-channel", "1" * 26 + ours("a-channel")[26:]),
    "signed with another key": ("a-channel", channels.token(b"x" * 40, "a-channel", SOMEBODY)),
    "cut off": ("a-channel", ours("a-channel")[:-1]),
    "with something behind it": ("a-channel", ours("a-channel") + "0"),
    "only a connection": ("a-channel", SOMEBODY),
    "empty": ("a-channel", ""),
    "not in ASCII": ("a-channel", "t\xf6ken"),
    "for no channel": ("", ours("a-channel")),
}


@pytest.mark.parametrize("state", ["exists", "sync", ""])
@pytest.mark.parametrize("what", FORGED)
def test_a_forged_notification_is_refused_before_anything_is_read(deployed: Deployed, what: str, state: str) -> None:
    channel_id, token = FORGED[what]
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.notify(channel_id, token, "a-resource", state)
    assert reply.status == 403
    assert calls["services"] == {}
    assert [(line["severity"], line["message"], line["status"]) for line in lines] == [("WARNING", "refused", 403)]
    assert not token or token not in str(lines)


def test_a_request_without_any_of_googles_headers_is_refused_before_anything_is_read(deployed: Deployed) -> None:
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.post("webhook/google", b"CANARY")
    assert reply.status == 403
    assert "token" in reply.error
    assert calls["services"] == {}
    assert len(lines) == 1
    assert "CANARY" not in str(lines)


def test_the_first_message_of_a_channel_is_noted_once_and_wishes_nothing(deployed: Deployed, house: House) -> None:
    house.join("ann")
    channel_id, token, resource_id = house.channel("ann")
    due = house.connection("ann").next_sync_at
    house.document("ann").update({"channel.notified_at": firestore.DELETE_FIELD})
    with deployed.counted() as calls, deployed.said() as lines:
        for _ in range(3):
            assert deployed.notify(channel_id, token, resource_id, "sync").status == 204
    assert (calls["document_reads"], calls["document_writes"]) == (3, 1)
    assert "tasks" not in calls["services"]
    assert [line["outcome"] for line in lines] == ["opened"] * 3
    assert notified_at(house) is not None
    assert house.connection("ann").next_sync_at == due


def test_the_first_message_may_come_before_googles_answer_to_the_watch(
    deployed: Deployed, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the run that opens the channel: neither its note nor the answer is overwritten."""
    google = deployed.stack.google
    monkeypatch.setattr(google.behaviour, "sync_before_answer", True)
    house.join("ann")
    channel = house.connection("ann").channel
    assert channel is not None
    assert channel.resource_id is not None
    assert channel.expires_at is not None
    assert channel.since is not None
    assert channel.notified_at is not None
    assert channel.notified_at < channel.since
    assert (house.connection("ann").next_sync_at or NOW) > NOW + dt.timedelta(hours=5), (
        "it counts from the first run on"
    )


def test_a_notification_wishes_one_run(deployed: Deployed, standing: House) -> None:
    with deployed.said() as lines:
        assert deployed.notify(*standing.channel("ann")).status == 204
        deployed.settle()
    assert standing.runs("ann", lines) == ["done"]


@pytest.mark.parametrize("state", ["exists", "sync"])
def test_a_notification_of_a_channel_that_is_nobodys_any_more_changes_nothing(
    deployed: Deployed, standing: House, state: str
) -> None:
    _, _, resource_id = standing.channel("ann")
    token, before = standing.token("ann", "an-old-channel"), standing.version("ann")
    with deployed.counted() as calls:
        assert deployed.notify("an-old-channel", token, resource_id, state).status == 204
    assert (calls["document_reads"], calls["document_writes"]) == (1, 0)
    assert "tasks" not in calls["services"]
    assert standing.version("ann") == before


def test_a_notification_about_another_resource_wishes_nothing(deployed: Deployed, standing: House) -> None:
    channel_id, token, _ = standing.channel("ann")
    before = standing.version("ann")
    with deployed.counted() as calls:
        assert deployed.notify(channel_id, token, "another-resource").status == 204
        assert deployed.notify(channel_id, token, "").status == 204
    assert calls["document_writes"] == 0
    assert standing.version("ann") == before


def test_a_notification_for_a_connection_that_is_gone_is_answered(deployed: Deployed) -> None:
    assert deployed.notify("a-channel", ours("a-channel"), "a-resource").status == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "webhook"), ("POST", "webhook/"), ("POST", "webhook/apple"), ("POST", "webhook/google/x")]
    + [(method, "webhook/google") for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")],
)
def test_anything_but_a_post_to_the_one_path_is_not_there(deployed: Deployed, method: str, path: str) -> None:
    with deployed.counted() as calls:
        assert deployed.post(path, method=method, X_Goog_Channel_Token=ours("c")).status == 404
    assert calls["services"] == {}


def test_a_burst_of_notifications_is_answered_and_becomes_a_few_runs(deployed: Deployed, house: House) -> None:
    """All at once, while somebody goes on editing: whatever was changed last is in the studio afterwards."""
    house.join("ann")
    person = house.person("ann")
    event = person.insert(summary="Shoot 0", **google_span(3))
    eventually(lambda: house.booked() == ["Shoot 0"])
    deployed.settle()
    channel = house.channel("ann")
    # The simulated Google sends none of its own: only the burst tells.
    deployed.stack.google.push.lose_next(1_000)
    with deployed.counted() as calls, deployed.said() as lines, ThreadPoolExecutor(max_workers=BURST) as pool:
        replies = [pool.submit(deployed.notify, *channel) for _ in range(BURST // 2)]
        for number in range(1, 6):
            person.patch("primary", event["id"], summary=f"Shoot {number}")
        replies += [pool.submit(deployed.notify, *channel) for _ in range(BURST - len(replies))]
        statuses = [Reply(*reply.result()).status for reply in replies]
        deployed.settle()
    assert set(statuses) == {204}
    assert house.booked() == ["Shoot 5"]
    # A wish that was written has its task, so tasks count the writes; refused ones (somebody else was faster) are none.
    assert 0 < len(house.runs("ann", lines)) <= BURST / 10
    assert calls["methods"]["tasks CreateTask"] <= BURST / 5


def test_a_burst_for_a_run_that_waits_costs_about_one_write(deployed: Deployed, house: House) -> None:
    """All at once, for a connection that nobody runs yet: those who lost the race see that all is written."""
    house.join("ann")
    channel = house.channel("ann")
    house.document("ann").update({"channel.notified_at": NOW - dt.timedelta(hours=1)})
    deployed.pause("now")
    before = time.time()
    with deployed.counted() as calls, ThreadPoolExecutor(max_workers=20) as pool:
        statuses = {reply.status for reply in pool.map(lambda _: deployed.notify(*channel), range(BURST))}
    assert statuses == {204}
    assert calls["methods"]["tasks CreateTask"] == 1, "one wish was written"
    # Some try to write while the first one does, and are refused: they are counted, though nothing is stored.
    assert calls["document_writes"] <= BURST / 10
    noted = notified_at(house)
    assert noted is not None
    assert noted.timestamp() > before - 1


def test_a_push_that_came_twice_changes_nothing_twice(deployed: Deployed, house: House) -> None:
    house.join("ann")
    deployed.stack.google.push.duplicate = True
    with deployed.said() as lines:
        house.person("ann").insert(summary="Dentist", **google_span(5))
        deployed.settle()
    assert house.booked() == ["Dentist"]
    assert len(house.runs("ann", lines)) <= 2


def test_a_channel_that_died_unnoticed_is_found_out_when_the_connection_is_due_and_replaced(
    deployed: Deployed, house: House
) -> None:
    """It is open as before. One change was made some time ago: its push is not on the way any more."""
    google = deployed.stack.google
    house.join("ann")
    dead, _, _ = house.channel("ann")
    google.push.silence(dead)
    house.person("ann").insert(summary="Dentist", **google_span(5))
    assert notified_at(house) is not None
    past = {"read_since": 4, "channel.since": 3, "channel.notified_at": 2}
    house.document("ann").update({field: NOW - dt.timedelta(hours=hours) for field, hours in past.items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(google._calendars, "now", lambda: NOW - dt.timedelta(hours=1))
        house.person("ann").insert(summary="Hairdresser", **google_span(7))
    with deployed.said() as lines:
        house.make_due("ann")
        deployed.tick()
        eventually(lambda: house.booked() == ["Dentist", "Hairdresser"])
        deployed.settle()
    assert [line["channel"] for line in lines if "did not tell" in line["message"]] == [dead]
    assert "Hairdresser" not in str(lines)
    house.make_due("ann")
    deployed.tick()
    eventually(lambda: house.channel("ann")[0] != dead)
    deployed.settle()
    assert [one.id for one in google.push.channels() if one.email == house.emails["ann"]] == [house.channel("ann")[0]]
    house.person("ann").insert(summary="Optician", **google_span(9))
    eventually(lambda: "Optician" in house.booked())


def notified_at(house: House) -> dt.datetime | None:
    channel = house.connection("ann").channel
    assert channel is not None
    return channel.notified_at


@pytest.mark.parametrize("slow", ["calendar.events.list", "calendar.events.patch"])
def test_a_push_in_the_middle_of_a_run_is_not_lost(deployed: Deployed, house: House, slow: str) -> None:
    """The run has begun, or has even read the calendar, when the next edit is made. No tick helps."""
    google = deployed.stack.google
    house.join("ann", populate_calendar=True)
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    eventually(lambda: house.titles("ann") == ["Shoot"])
    deployed.settle()
    google.clear_requests()
    google.slow_next(slow, 0.8)
    house.front_end.edit("shoot", title="Shoot, longer")
    eventually(lambda: house.connection("ann").lease is not None)
    if slow == "calendar.events.patch":
        eventually(lambda: any(request.method_id == "calendar.events.list" for request in google.requests))
    with deployed.said() as lines:
        house.person("ann").insert(summary="Dentist", **google_span(5))
        google.push.flush()
        assert house.connection("ann").lease is not None, "the run was over before the push came"
        deployed.settle()
    assert "wished" in [line.get("outcome") for line in lines]
    assert house.booked() == ["Dentist", "Shoot, longer"]
    assert house.titles("ann") == ["Dentist", "Shoot, longer"]


def test_a_notification_that_comes_before_googles_answer_to_the_watch_counts(deployed: Deployed, house: House) -> None:
    """The channel is stored before it is asked for: its resource is not known yet."""
    house.join("ann")
    channel_id, token, _ = house.channel("ann")
    house.document("ann").update({"channel.resource_id": None})
    with deployed.said() as lines:
        assert deployed.notify(channel_id, token, "whatever").status == 204
        deployed.settle()
    assert house.runs("ann", lines) == ["done"]
