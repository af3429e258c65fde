"""The scheduler's tick: everything that is due is enqueued, once, page by page, and nothing stops the others."""

import datetime as dt
import json
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import firestore, tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from local.stack import LOCATION
from local.task_queue import QueuedTask
from shared.adapters.cloud_tasks import CloudTasks
from shared.adapters.firestore_store import FirestoreStore
from shared.domain.quotas import QUEUES
from shared.ports import Due, Task
from shared.services.fan_out import STARTS_PER_SECOND, FannedOut, fan_out
from tests.functions.deployed import Deployed, House, eventually, google_span

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


class Still:
    """A clock that stands."""

    def now(self) -> dt.datetime:
        return NOW


class Kept:
    """Tasks that are kept; those for `refused` connections are not taken."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.tasks: list[Task] = []

    def enqueue(self, tasks: Sequence[Task]) -> list[tuple[Task, Exception]]:
        bad = [task for task in tasks if task.body.get("connection_id") in self.refused]
        self.tasks += [task for task in tasks if task not in bad]
        return [(task, exceptions.ServiceUnavailable("no")) for task in bad]

    def of(self, target: str) -> list[Task]:
        return [task for task in self.tasks if task.target == target]


class Yard:
    """Connections of nobody, in a project of their own, where only fan-out ever looks."""

    def __init__(self, deployed: Deployed) -> None:
        self.stack = deployed.stack
        self.project = f"yard-{uuid.uuid4().hex[:10]}"
        self.client, self.wiring = deployed.clients(self.project)
        self.store = FirestoreStore(self.client)
        self.queues = {name: self.stack.tasks.create_queue(self.project, LOCATION, name) for name in QUEUES}
        deployed.pause("scheduled", project=self.project)

    def put(self, connections: Mapping[str, dict[str, Any]]) -> None:
        writer = self.client.bulk_writer()
        for connection_id, fields in connections.items():
            writer.set(self.client.collection("connections").document(connection_id), fields)
        writer.close()

    def put_due(self, number: int, ago: float = 60) -> list[str]:
        """All due at the same moment, as after an outage: the worst case for paging."""
        names = [f"c{n:04}" for n in range(number)]
        self.put({name: {"next_sync_at": NOW - dt.timedelta(seconds=ago)} for name in names})
        return names

    def tick(self, tick: str, tasks: Any, page: int = 2, after: Due | None = None) -> FannedOut:
        return fan_out(tick, after, self.store, tasks, Still(), page=page)

    def whole_tick(self, tick: str, tasks: Kept, page: int) -> list[FannedOut]:
        """Pages as the queue would chain them, each from the last one's task as it went over the wire."""
        pages = [self.tick(tick, tasks, page)]
        while following := tasks.of("fan_out"):
            [task] = following
            tasks.tasks.remove(task)
            body = json.loads(json.dumps(task.body))
            assert body["tick"] == tick
            place = Due(body["after"]["connection_id"], dt.datetime.fromisoformat(body["after"]["next_sync_at"]))
            pages.append(self.tick(tick, tasks, page, place))
        return pages

    def queued(self) -> list[QueuedTask]:
        """What stands in this project's own paused queue."""
        queue = self.stack.tasks._queues[self.queues["scheduled"]]
        names = {task.short_name for task in queue.tasks.values()}
        return [task for task in self.stack.tasks.tasks if task.name in names]


@pytest.fixture
def yard(deployed: Deployed) -> Yard:
    return Yard(deployed)


def connections_of(tasks: Sequence[Task]) -> list[str]:
    return [str(task.body["connection_id"]) for task in tasks]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 7])
def test_pages_that_are_chained_by_tasks_enqueue_every_due_connection_once(yard: Yard, number: int) -> None:
    names = yard.put_due(number)
    tasks = Kept()
    pages = yard.whole_tick("tick", tasks, page=2)
    assert connections_of(tasks.of("sync_user")) == names
    assert all(page.enqueued <= 2 for page in pages), "a page is as small as it was told to be"
    assert len(pages) <= math.ceil(number / 2) + 1
    assert {(task.queue, task.target) for task in tasks.tasks} <= {("scheduled", "sync_user")}


def test_a_page_goes_on_where_times_are_equal_and_where_they_are_not(yard: Yard) -> None:
    names = yard.put_due(3)
    yard.put({f"b{n}": {"next_sync_at": NOW - dt.timedelta(seconds=90 - n, microseconds=7)} for n in range(4)})
    tasks = Kept()
    yard.whole_tick("tick", tasks, page=2)
    assert connections_of(tasks.of("sync_user")) == ["b0", "b1", "b2", "b3", *names]


def test_a_page_reads_no_more_than_itself(yard: Yard) -> None:
    yard.put_due(40)
    asked: list[int] = []
    found: list[int] = []

    class Watched(FirestoreStore):
        def due_connections(self, now: dt.datetime, limit: int, after: Due | None) -> list[Due]:
            due = super().due_connections(now, limit, after)
            asked.append(limit)
            found.append(len(due))
            return due

    yard.store = Watched(yard.client)
    yard.whole_tick("tick", Kept(), page=7)
    assert set(asked) == {7}
    assert found == [7, 7, 7, 7, 7, 5]


def test_connections_that_are_not_due_or_rest_are_left_alone(yard: Yard) -> None:
    soon, past = NOW + dt.timedelta(seconds=1), NOW - dt.timedelta(seconds=1)
    yard.put({"later": {"next_sync_at": soon}, "resting": {"state": "resting"}, "emptied": {"next_sync_at": None}})
    yard.put({"due": {"next_sync_at": past}, "just now": {"next_sync_at": NOW}})
    tasks = Kept()
    yard.whole_tick("tick", tasks, page=2)
    assert connections_of(tasks.of("sync_user")) == ["due", "just now"]


def test_one_among_100_whose_document_nobody_can_read_stops_no_other(yard: Yard) -> None:
    names = yard.put_due(100)
    nonsense = {"state": 7, "since": "once", "lease": ["?"]}
    yard.client.collection("connections").document("c0000").update(nonsense)
    tasks = Kept()
    yard.whole_tick("tick", tasks, page=7)
    assert connections_of(tasks.of("sync_user")) == names


def test_one_connection_that_cannot_be_enqueued_stops_no_other(yard: Yard) -> None:
    names = yard.put_due(7)
    tasks = Kept("c0003")
    pages = yard.whole_tick("tick", tasks, page=3)
    assert connections_of(tasks.of("sync_user")) == [name for name in names if name != "c0003"]
    assert [(page.enqueued, page.failed) for page in pages] == [(3, 0), (2, 1), (1, 0)]
    assert not yard.client.collection("connections").document("c0003").get().to_dict().get("lease")
    recovered = Kept()
    yard.whole_tick("the next tick", recovered, page=3)
    assert connections_of(recovered.of("sync_user")) == names


def test_a_queue_that_refuses_one_task_takes_the_others(deployed: Deployed, yard: Yard) -> None:
    """The same with the vendor's client, whose calls run in parallel."""
    names = yard.put_due(20)

    class Sulking(tasks_v2.CloudTasksClient):  # type: ignore[misc]  # the vendor ships no types
        def create_task(self, *, parent: str, task: tasks_v2.Task) -> Any:
            if b"c0007" in task.http_request.body:
                raise exceptions.InternalServerError("no")
            return super().create_task(parent=parent, task=task)

    with grpc.insecure_channel(deployed.stack.tasks.host) as channel:
        client = Sulking(transport=CloudTasksGrpcTransport(channel=channel))
        urls = {"sync_user": deployed.url("sync_user"), "fan_out": deployed.url("fan_out")}
        done = yard.tick("tick", CloudTasks(client, yard.queues, urls, "tasks@example"), page=50)
    assert done == FannedOut(enqueued=19, failed=1, more=False, oldest=dt.timedelta(seconds=60))
    queued = [json.loads(task.body)["connection_id"] for task in yard.queued()]
    assert sorted(queued) == [name for name in names if name != "c0007"]


def test_one_tick_that_is_delivered_twice_enqueues_once_and_the_next_tick_again(yard: Yard) -> None:
    """Names are taken for a day: what they must not do is keep a later tick from helping."""
    names = yard.put_due(5)
    for _ in range(2):
        yard.tick("2026-05-01T10:00:00Z", yard.wiring.tasks, page=50)
    assert len(yard.queued()) == len(names)
    yard.tick("2026-05-01T10:01:00Z", yard.wiring.tasks, page=50)
    assert len(yard.queued()) == 2 * len(names)


def test_a_few_start_at_once_and_a_crowd_is_spread_out(yard: Yard) -> None:
    yard.put_due(STARTS_PER_SECOND)
    few = Kept()
    yard.tick("tick", few, page=2_000)
    assert {task.at for task in few.of("sync_user")} == {None}
    yard.put_due(3 * STARTS_PER_SECOND)
    crowd = Kept()
    yard.tick("tick", crowd, page=2_000)
    starts = [task.at for task in crowd.of("sync_user") if task.at is not None]
    assert len(starts) == 3 * STARTS_PER_SECOND
    assert min(starts) >= NOW
    assert max(starts) <= NOW + dt.timedelta(seconds=3)
    by_second = [sum(start < NOW + dt.timedelta(seconds=n + 1) for start in starts) for n in range(3)]
    assert STARTS_PER_SECOND / 2 < by_second[0] < STARTS_PER_SECOND * 1.5, "evenly, or nearly so"
    again = Kept()
    yard.tick("tick", again, page=2_000)
    assert [task.at for task in again.of("sync_user")] == [task.at for task in crowd.of("sync_user")]


def test_the_queues_have_the_rates_that_share_out_the_projects_quota(deployed: Deployed) -> None:
    with deployed._queues("now", "") as (client, name):
        found = {
            one.name.rpartition("/")[2]: one.rate_limits
            for one in client.list_queues(parent=name.partition("/queues")[0])
        }
    assert found.keys() == QUEUES.keys()
    for name, queue in QUEUES.items():
        assert found[name].max_dispatches_per_second == queue.max_dispatches_per_second
        assert found[name].max_concurrent_dispatches == queue.max_concurrent_dispatches


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(deployed: Deployed) -> Iterator[list[str]]:
    """Three due connections of nobody in the stack's own project, whose tasks are kept back."""
    deployed.put_off()
    deployed.pause("scheduled")
    documents = [deployed.client.collection("connections").document(f"{n}{uuid.uuid4().hex[:12]}") for n in range(3)]
    for number, document in enumerate(documents):
        document.set({"next_sync_at": NOW - dt.timedelta(days=30, seconds=-number)})
    yield [document.id for document in documents]
    for document in documents:
        document.delete()
    deployed.purge("scheduled")
    deployed.calm()


def enqueued(deployed: Deployed, connection_ids: list[str]) -> list[str]:
    """Which of them have a task that calls sync_user."""
    tasks = [task for task in deployed.stack.tasks.tasks if task.url == deployed.url("sync_user")]
    named = [str(json.loads(task.body)["connection_id"]) for task in tasks if task.queue == "scheduled"]
    return sorted(name for name in named if name in connection_ids)


def test_a_tick_enqueues_what_is_due_and_says_how_many(deployed: Deployed, three: list[str]) -> None:
    with deployed.said() as lines:
        reply = deployed.tick()
    assert (reply.status, json.loads(reply.text)) == (200, {"enqueued": 3, "failed": 0, "more": False})
    assert [(line["message"], line["enqueued"]) for line in lines] == [("fanned out", 3)]
    assert enqueued(deployed, three) == three


def test_a_further_page_begins_behind_the_one_before(deployed: Deployed, three: list[str]) -> None:
    first = deployed.client.collection("connections").document(three[0]).get().to_dict() or {}
    after = {"connection_id": three[0], "next_sync_at": first["next_sync_at"].isoformat()}
    reply = deployed.call("fan_out", {"tick": "2026-05-01T10:00:00Z", "after": after})
    assert json.loads(reply.text)["enqueued"] == 2
    assert enqueued(deployed, three) == three[1:]


def test_a_connection_that_lost_its_access_is_not_enqueued_any_more(deployed: Deployed, house: House) -> None:
    deployed.put_off()
    house.join("ann")
    house.join("ben")
    google = deployed.stack.google
    google.accounts.refuse_tokens(house.emails["ann"])
    google.expire_access_tokens(house.emails["ann"])
    for user_id in ("ann", "ben"):
        house.person(user_id).insert(summary=f"Of {user_id}", **google_span(5))
    eventually(lambda: house.connection("ann").state == "needs_reauth")
    eventually(lambda: house.booked() == ["Of ben"])
    deployed.settle()
    assert house.connection("ann").next_sync_at is None
    assert house.front_end.user("ann")["connection"]["state"] == "needs_reauth"
    assert json.loads(deployed.tick().text)["enqueued"] == 0


def test_a_connection_document_that_nobody_can_read_keeps_no_colleague_from_syncing(
    deployed: Deployed, house: House
) -> None:
    house.join("ann")
    house.join("ben")
    for user_id in ("ann", "ben"):
        deployed.stack.google.push.lose_next(1)
        house.person(user_id).insert(summary=f"Of {user_id}", **google_span(5))
        deployed.settle()
        house.make_due(user_id)
    house.document("ann").update({"since": "CANARY, no instant"})
    with deployed.said() as lines:
        deployed.tick()
        eventually(lambda: house.booked() == ["Of ben"])
        deployed.settle()
    house.document("ann").update({"since": firestore.SERVER_TIMESTAMP})
    assert house.runs("ann", lines) == ["unreadable"], "said, and not tried again and again"
    assert {line["queue"] for line in lines if line["message"] == "run"} >= {"scheduled"}
    assert [line["severity"] for line in lines if line["message"] == "connection cannot be read"] == ["ERROR"]
    assert "CANARY" not in str(lines)
