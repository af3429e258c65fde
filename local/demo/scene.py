"""The demo's studio put onto a running stack, and the two sides of it: what stands in the studio, what in a calendar.

``local.demo`` and ``local.up`` both start from here.
"""

import dataclasses
import datetime as dt
import functools
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import grpc
from google.cloud import firestore, tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from local.demo.studio import (
    CONNECTED,
    PAST_DAYS,
    STUDIO_ID,
    STUDIO_NAME,
    STUDIO_ZONE,
    USERS,
    DemoStudio,
    DemoUser,
    make_studio,
)
from local.firestore_emulator import find_jar
from local.google.person import Person
from local.people import FrontEnd
from local.stack import LOCATION, Stack
from local.visitor import Visitor
from shared.config import Settings
from shared.domain.connection import Connection
from shared.wiring import Wiring


@dataclasses.dataclass
class Scene:
    """`connections` by user; `typed`: by user, the events that were in the calendar only, as they were typed;
    `typed_twice`: by user, the event that each twin's appointment was typed as.
    """

    stack: Stack
    client: firestore.Client
    wiring: Wiring
    today: dt.date
    plan: DemoStudio
    connections: dict[str, str] = dataclasses.field(default_factory=dict)
    typed: dict[str, dict[str, dict[str, Any]]] = dataclasses.field(default_factory=dict)
    typed_twice: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def studio(self) -> FrontEnd:
        """The studio, as its front-ends write it."""
        return FrontEnd(self.client, STUDIO_ID)

    @property
    def since(self) -> dt.date:
        """Where a populate begins."""
        return self.today - dt.timedelta(days=PAST_DAYS)

    def person(self, user: DemoUser) -> Person:
        """The user's hand in their own Google calendar."""
        return self.stack.google.person(account_of(user))

    def connection(self, user: DemoUser) -> Connection:
        stored = self.wiring.store.connection(self.connections[user.id])
        if stored is None:
            raise LookupError(f"{user.name} has no connection")
        return stored.value

    def links(self, user: DemoUser) -> dict[str, str]:
        """Event by appointment, of all pairs of this user."""
        found = {link.id: link.to_dict() or {} for link in self._links(user).stream()}
        return {appointment: link["event_id"] for appointment, link in found.items() if link["state"] == "paired"}

    def event_of(self, user: DemoUser, appointment_id: str) -> str | None:
        """The event in this user's calendar that the appointment is paired with."""
        link = self._links(user).document(appointment_id).get().to_dict() or {}
        return link["event_id"] if link.get("state") == "paired" else None

    def imported(self, event_id: str) -> dict[str, Any] | None:
        """The appointment that a calendar entry became."""
        appointments = self.client.collection("studios").document(STUDIO_ID).collection("appointments")
        where = firestore.FieldFilter("origin.event_id", "==", event_id)
        return next((found.to_dict() for found in appointments.where(filter=where).stream()), None)

    def _links(self, user: DemoUser) -> firestore.CollectionReference:
        return self.client.collection("connections").document(self.connections[user.id]).collection("links")

    def pause(self, queue: str, *, paused: bool) -> None:
        """Hold back the tasks of one queue, or let them go, as an operator can in the cloud."""
        with grpc.insecure_channel(self.stack.tasks.host) as channel:
            client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
            change: Callable[..., Any] = client.pause_queue if paused else client.resume_queue
            change(name=client.queue_path(self.stack.project, LOCATION, queue))


def prepare(stack: Stack) -> Scene:
    client = stack.firestore()  # First: it also tells our own adapters where the emulator is.
    today = dt.datetime.now(dt.UTC).date()
    return Scene(stack, client, Wiring(Settings(stack.environment())), today, make_studio(today))


def load(scene: Scene) -> None:
    """Studio, users, appointments; Google accounts and what stands in their calendars. Nobody is connected yet."""
    scene.studio.make_studio(name=STUDIO_NAME, time_zone=STUDIO_ZONE)
    boxes = {"two_way_appointments": True, "populate_calendar": True, "populate_studio": True}
    for user in USERS:
        scene.studio.add_user(user.id, email_of(user), **(boxes if user.google else {"enabled": False}))
    scene.studio.book_many(scene.plan.appointments)
    for user in CONNECTED:
        scene.stack.google.add_account(account_of(user), user.name, user.calendar_zone)
        scene.stack.google.add_account(email_of(user), user.name)
        person = scene.person(user)
        scene.typed[user.id] = {person.insert(**body)["id"]: body for body in scene.plan.own_entries[user.id]}
        twins = scene.plan.twins[user.id]
        scene.typed_twice[user.id] = {twin.appointment_id: person.insert(**twin.event)["id"] for twin in twins}


def connect(scene: Scene) -> None:
    """Both users sign in to the console and go through Google's consent page; that wishes the first run of each."""
    for user in CONNECTED:
        browser = Visitor(scene.stack.console_url)
        browser.sign_in(email_of(user))
        result = browser.connect(account_of(user)).message
        if result["result"] != "connected":
            raise LookupError(f"{user.name} was not connected: {result['text']}")
        scene.connections[user.id] = scene.studio.user(user.id)["connection"]["id"]


def email_of(user: DemoUser) -> str:
    """The address that the studio knows a user by, and that the user signs in with."""
    return f"{user.id}@lumen.example"


def account_of(user: DemoUser) -> str:
    if user.google is None:
        raise LookupError(f"{user.name} has no Google account")
    return user.google


def populated(scene: Scene) -> bool:
    done = (scene.connection(user).populated for user in CONNECTED)
    return all(directions.calendar and directions.studio for directions in done)


def emulator_name() -> str:
    """With its version, where its installer has left word of it."""
    name = "Google's Firestore emulator"
    jar = find_jar()
    in_name = re.search(r"-v(\d[\d.]*\d)\.jar$", jar.name)  # The Firebase tools' copy.
    if in_name:
        return f"{name} {in_name[1]}"
    snapshot = pathlib.Path(*jar.parts[:-3], ".install", "cloud-firestore-emulator.snapshot.json")
    try:
        components = json.loads(snapshot.read_text())["components"]
        return f"{name} {components[0]['version']['version_string']}"
    except (OSError, ValueError, LookupError):
        return name
