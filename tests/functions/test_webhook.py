"""Google's notifications: forged, stale, in a burst, and in the middle of a run."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from local.stack import CHANNEL_KEY
from shared.services import channels
from tests.functions.deployed import Deployed, House, Reply, eventually, google_span, span

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


def test_the_first_message_of_a_channel_is_answered_without_a_read(deployed: Deployed, standing: House) -> None:
    channel_id, token, resource_id = standing.channel("ann")
    with deployed.counted() as calls, deployed.said() as lines:
        assert deployed.notify(channel_id, token, resource_id, "sync").status == 204
    assert calls["services"] == {}
    assert [line["outcome"] for line in lines] == ["opened"]


def test_a_notification_wishes_one_run(deployed: Deployed, standing: House) -> None:
    with deployed.said() as lines:
        assert deployed.notify(*standing.channel("ann")).status == 204
        deployed.settle()
    assert standing.runs("ann", lines) == ["done"]


def test_a_notification_of_a_channel_that_was_replaced_wishes_nothing(deployed: Deployed, standing: House) -> None:
    _, _, resource_id = standing.channel("ann")
    before = standing.version("ann")
    with deployed.counted() as calls:
        assert deployed.notify("an-old-channel", standing.token("ann", "an-old-channel"), resource_id).status == 204
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
