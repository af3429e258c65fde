"""The functions as they are deployed, seen from outside: HTTP with OIDC tokens in, and what their process says.

One stack serves all tests of a session; each test has studios, people and Google accounts of its own in it.
"""

import datetime as dt
import http.client
import itertools
import json
import os
import re
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
import requests
from google.cloud import firestore, tasks_v2
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from google.events.cloud.firestore import DocumentEventData

from local.people import FrontEnd, give_consent, google_time
from local.stack import CHANNEL_KEY, LOCATION, SCHEDULER_CALLER, TASKS_CALLER, TRIGGER_CALLER, Stack
from shared.config import Settings
from shared.domain.connection import Connection
from shared.services import channels
from shared.wiring import Wiring

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0, second=0)
# The one front-end on the web whose page may call the console.
FRONT_END = "https://app.example"
CALLERS = {"sync_user": TASKS_CALLER, "fan_out": SCHEDULER_CALLER, "studio_changed": TRIGGER_CALLER}


# Connections that will ever be due by themselves.
LATER = FieldFilter("next_sync_at", ">", dt.datetime(1970, 1, 1, tzinfo=dt.UTC))


class Reply(NamedTuple):
    status: int
    text: str

    @property
    def error(self) -> str:
        """What the JSON body says was wrong."""
        return str(json.loads(self.text)["error"])


class Deployed:
    """A running stack, and our own clients into it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client, self.wiring = self.clients(stack.project)
        self._ticks = itertools.count(1)
        # Whatever the console has answered to anybody's browser or front-end.
        self.answers: list[requests.Response] = []

    def clients(self, project: str) -> tuple[firestore.Client, Wiring]:
        """For a project in the stack's emulator. Clients read the variable when they are made, and never again."""
        before = os.environ.get("FIRESTORE_EMULATOR_HOST")
        try:
            client = self.stack.firestore()
            if project != self.stack.project:
                client = firestore.Client(project=project)
            wiring = Wiring(Settings({**self.stack.environment(), "GOOGLE_CLOUD_PROJECT": project}))
            assert wiring.store is not None
        finally:
            os.environ.pop("FIRESTORE_EMULATOR_HOST", None)
            if before is not None:
                os.environ["FIRESTORE_EMULATOR_HOST"] = before
        return client, wiring

    def url(self, name: str) -> str:
        return f"{self.stack.functions_url}/{name}"

    def token(self, name: str, caller: str | None = None, audience: str | None = None, **claims: object) -> str:
        """The token that the function's own caller would bring; other claims on demand."""
        email = caller or CALLERS[name]
        given = {"sub": email, "email": email, "email_verified": True, **claims}
        return self.stack.signer.id_token(given, audience or self.url(name))

    def post(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> Reply:
        """Headers with underscores in place of dashes."""
        parts = urllib.parse.urlsplit(self.url(path))
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, parts.path, body or None, named)
            answer = connection.getresponse()
            return Reply(answer.status, answer.read().decode())
        finally:
            connection.close()

    def call(self, name: str, body: bytes | Mapping[str, Any] = b"", **headers: str) -> Reply:
        """As the function's own caller."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.post(name, sent, "POST", Authorization=f"Bearer {self.token(name)}", **headers)

    def tick(self) -> Reply:
        """The scheduler's next tick: a minute after the last one, whatever the clock says."""
        at = (NOW + dt.timedelta(minutes=next(self._ticks))).isoformat().replace("+00:00", "Z")
        return self.call("fan_out", X_CloudScheduler="true", X_CloudScheduler_ScheduleTime=at)

    def notify(self, channel_id: str, token: str, resource_id: str = "", state: str = "exists") -> Reply:
        """One of Google's notifications, from whomever."""
        headers = {
            "X_Goog_Channel_ID": channel_id,
            "X_Goog_Channel_Token": token,
            "X_Goog_Resource_ID": resource_id,
            "X_Goog_Resource_State": state,
            "X_Goog_Message_Number": "2",
        }
        return self.post("webhook/google", b"", "POST", **headers)

    def trigger_event(self, document: str, before: Any, after: Any, **replaced: str) -> Reply:
        """One CloudEvent of Firestore's; `before` and `after` as `event_value` makes them, None where absent."""
        data = DocumentEventData.pb(DocumentEventData())
        for field, value in (("old_value", before), ("value", after)):
            if value is not None:
                getattr(data, field).CopyFrom(value)
        headers = {
            "Content_Type": "application/protobuf",
            "ce_id": uuid.uuid4().hex,
            "ce_source": f"//firestore.googleapis.com/projects/{self.stack.project}/databases/(default)",
            "ce_specversion": "1.0",
            "ce_type": "google.cloud.firestore.document.v1.written",
            "ce_time": dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z"),
            "ce_document": document,
            "Authorization": f"Bearer {self.token('studio_changed')}",
            **replaced,
        }
        headers = {name: value for name, value in headers.items() if value}
        return self.post("studio_changed", data.SerializeToString(), "POST", **headers)

    # --- what the functions' process says ----------------------------------------------------------------------------

    @contextmanager
    def said(self) -> Iterator[list[dict[str, Any]]]:
        """The structured lines that the functions log in the block; complete when the block has ended."""
        start = len(self.stack.output)
        lines: list[dict[str, Any]] = []
        yield lines
        # The pipe keeps the order: when this request's own line has come, all lines before it have.
        fence = uuid.uuid4().hex
        self.post(f"webhook/{fence}")
        eventually(lambda: any(fence in line for line in self.stack.output[start:]))
        lines += structured("\n".join(self.stack.output[start:]))[0]

    @contextmanager
    def counted(self) -> Iterator[dict[str, Any]]:
        """What the functions call in the block: see `Stack.calls_made`."""
        self.stack.reset_calls()
        calls: dict[str, Any] = {}
        yield calls
        calls |= self.stack.calls_made()

    def pause(self, queue: str, *, paused: bool = True, project: str = "") -> None:
        """Keep a queue's tasks undelivered, or let them go on."""
        with self._queues(queue, project) as (client, name):
            (client.pause_queue if paused else client.resume_queue)(name=name)

    def purge(self, queue: str) -> None:
        with self._queues(queue, "") as (client, name):
            client.purge_queue(name=name)

    @contextmanager
    def _queues(self, queue: str, project: str) -> Iterator[tuple[tasks_v2.CloudTasksClient, str]]:
        with grpc.insecure_channel(self.stack.tasks.host) as channel:
            client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
            yield client, client.queue_path(project or self.stack.project, LOCATION, queue)

    def put_off(self) -> None:
        """Nobody who is connected by now is due within a day: for tests that count who is.

        The people of other tests in this stack come due again as time goes by.
        """
        self.settle()
        tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        for found in self.client.collection("connections").where(filter=LATER).stream():
            found.reference.update({"next_sync_at": tomorrow})

    def settle(self) -> None:
        assert self.stack.settle(60), "the stack does not come to rest"

    def calm(self) -> None:
        """Undo whatever a test switched on or broke, and let everything come to rest."""
        stack = self.stack
        stack.faults.clear()
        stack.faults.reset_clock()
        stack.google.clear_faults()
        stack.google.push.duplicate = False
        stack.google.push.resume()
        stack.google.push._to_lose = 0
        stack.triggers.lose_next(0)
        stack.tasks.lose_next(0)
        stack.triggers.deliver_twice = stack.tasks.deliver_twice = stack.triggers.paused = False
        for queue in ("now", "scheduled", "populate"):
            self.pause(queue, paused=False)
        self.settle()


class House:
    """One studio of one test, and its people."""

    def __init__(self, deployed: Deployed) -> None:
        self.deployed = deployed
        self.id = f"studio-{uuid.uuid4().hex[:10]}"
        self.front_end = FrontEnd(deployed.client, self.id)
        self.front_end.make_studio()
        self.connections: dict[str, str] = {}
        self.emails: dict[str, str] = {}

    def add(self, user_id: str, **sync: Any) -> None:
        """Both ways, unless said otherwise."""
        self.emails[user_id] = f"{user_id}.{uuid.uuid4().hex[:8]}@gmail.example"
        self.deployed.stack.google.add_account(self.emails[user_id])
        self.front_end.add_user(user_id, f"{user_id}@{self.id}.example", **{"two_way_appointments": True, **sync})

    def connect(self, user_id: str) -> str:
        """Goes through the consent, and waits for the first run's end and for silence."""
        stack = self.deployed.stack
        # The trigger for the user's own document, late, would be a wish for one more run.
        stack.triggers.wait_idle(10)
        made = give_consent(self.deployed.wiring, self.id, user_id, self.emails[user_id], stack.redirect_uri)
        self.connections[user_id] = made.connection_id
        eventually(lambda: self.connection(user_id).synced_at is not None)
        self.deployed.settle()
        return made.connection_id

    def join(self, user_id: str, **sync: Any) -> str:
        self.add(user_id, **sync)
        return self.connect(user_id)

    def person(self, user_id: str) -> Any:
        return self.deployed.stack.google.person(self.emails[user_id])

    def events(self, user_id: str) -> list[dict[str, Any]]:
        return list(self.person(user_id).events())

    def titles(self, user_id: str) -> list[str]:
        return sorted(event.get("summary", "") for event in self.events(user_id))

    def booked(self) -> list[str]:
        """Titles in the studio."""
        return sorted(str(one.get("title")) for one in self.front_end.appointments().values())

    def connection(self, user_id: str) -> Connection:
        stored = self.deployed.wiring.store.connection(self.connections[user_id])
        assert stored is not None
        return stored.value

    def version(self, user_id: str) -> Any:
        """Changes with every write to the connection."""
        return self.document(user_id).get().update_time

    def document(self, user_id: str) -> firestore.DocumentReference:
        return self.deployed.client.collection("connections").document(self.connections[user_id])

    def below(self, user_id: str, collection: str) -> dict[str, dict[str, Any]]:
        return {one.id: one.to_dict() or {} for one in self.document(user_id).collection(collection).stream()}

    def make_due(self, user_id: str) -> None:
        """As if its time had come."""
        self.document(user_id).update({"next_sync_at": dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)})

    def channel(self, user_id: str) -> tuple[str, str, str]:
        """Id, token and resource of the current push channel."""
        channel = self.connection(user_id).channel
        assert channel is not None
        return channel.id, self.token(user_id, channel.id), channel.resource_id or ""

    def token(self, user_id: str, channel_id: str) -> str:
        """A channel token as only we can make it."""
        return channels.token(CHANNEL_KEY.encode(), channel_id, self.connections[user_id])

    def runs(self, user_id: str, lines: list[dict[str, Any]]) -> list[str]:
        """Outcomes of the runs of this user that found something due, from what was said."""
        runs = [line for line in lines if line.get("message") == "run"]
        mine = [line["outcome"] for line in runs if line["connection"] == self.connections[user_id]]
        return [outcome for outcome in mine if outcome != "nothing_due"]


# What the local server says of each request. It and the log may share a line, as they write at the same time.
_REQUEST = re.compile(r"[A-Z]+ /\S* (\d{3}|no reply|killed .*) \d+ ms")


def structured(output: str) -> tuple[list[dict[str, Any]], str]:
    """The structured lines in what the functions' process said, and what is neither one of those nor a request."""
    decoder = json.JSONDecoder()
    lines = []
    rest = _REQUEST.sub("", output)
    while (at := rest.find('{"severity"')) >= 0:
        line, end = decoder.raw_decode(rest, at)
        lines.append(line)
        rest = rest[:at] + rest[end:]
    return lines, rest.strip()


def eventually(holds: Callable[[], object], seconds: float = 15) -> None:
    """Waits until it holds; fails if it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.03)


def span(hours: float, *, lasting: float = 1) -> dict[str, Any]:
    """``start`` and ``end`` of an appointment that begins so many hours from now."""
    start = NOW + dt.timedelta(hours=hours)
    return {"start": start, "end": start + dt.timedelta(hours=lasting)}


def google_span(hours: float, *, lasting: float = 1) -> dict[str, Any]:
    return {name: google_time(value) for name, value in span(hours, lasting=lasting).items()}


def event_value(document: str, fields: Mapping[str, Any]) -> Any:
    """A document in a trigger's event; strings, booleans, lists of strings and maps of these."""
    data = DocumentEventData.pb(DocumentEventData())
    data.value.name = f"projects/p/databases/(default)/documents/{document}"
    for key, value in fields.items():
        _put(data.value.fields[key], value)
    return data.value


def _put(target: Any, value: Any) -> None:
    match value:
        case bool():
            target.boolean_value = value
        case str():
            target.string_value = value
        case list():
            for inner in value:
                _put(target.array_value.values.add(), inner)
        case dict():
            for key, inner in value.items():
                _put(target.map_value.fields[key], inner)
