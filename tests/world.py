"""A studio, its people and their calendars, against the real parts: emulator, simulated Google, vendor clients.

A `World` runs the services in the test's own process, so that the wiretap can count their calls, or end them in the
middle of one. It stands in for the trigger and the task queue by calling what they would call. The functions
themselves, over HTTP, are in the tests of the whole stack.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from local.cloud_tasks import LocalCloudTasks
from local.firebase_auth import CERTS_PATH as FIREBASE_CERTS_PATH
from local.firestore_emulator import FirestoreEmulator
from local.google.server import GoogleSimulator
from local.people import FrontEnd, give_consent, google_time
from local.secret_manager import LocalSecretManager
from shared.adapters.firestore_documents import plain
from shared.config import Settings
from shared.domain.connection import Channel, Connection
from shared.domain.quotas import QUEUES
from shared.services import channels
from shared.services.studio_changes import appointment_written, inbox_written, studio_written, user_written
from shared.services.sync_calendar import Outcome, sync_calendar
from shared.services.wishes import wish
from shared.wiring import Wiring

STUDIO = "atelier"
REDIRECT = "http://127.0.0.1:9/connect/callback"
CLIENT = ("world.apps.local", "world-client-secret")

# The tests' "now" is the real one, cut to seconds: Google's stand-in and ours must agree on it.
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0, second=0)


class ShiftedClock:
    """The real time, moved forward by as much as a test needs."""

    def __init__(self) -> None:
        self.ahead = dt.timedelta()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += dt.timedelta(seconds=seconds)


class Cloud:
    """The parts that all worlds of a test session share."""

    def __init__(
        self, emulator: FirestoreEmulator, google: GoogleSimulator, tasks: LocalCloudTasks, secrets: LocalSecretManager
    ) -> None:
        self.emulator = emulator
        self.google = google
        self.tasks = tasks
        self.secrets = secrets
        google.add_oauth_client(*CLIENT, [REDIRECT], "Studio Sync", project="world")
        google.push.paused = True  # Nobody listens: worlds run what a push would have wished by themselves.


class World:
    """One studio in a project of its own."""

    def __init__(self, cloud: Cloud, **studio: Any) -> None:
        self.cloud = cloud
        self.project = f"world-{uuid.uuid4().hex[:12]}"
        self.clock = ShiftedClock()
        self.firestore = firestore.Client(project=self.project, credentials=AnonymousCredentials())
        self.front_end = FrontEnd(self.firestore, STUDIO)
        self.front_end.make_studio(**studio)
        self.connections: dict[str, str] = {}
        self.emails: dict[str, str] = {}
        for name in QUEUES:
            # A world delivers its tasks itself.
            cloud.tasks.create_queue(self.project, "local-1", name, paused=True)
        self.restart()

    def restart(self) -> None:
        """A new process: nothing in memory is left."""
        self.wiring = Wiring(Settings(self._environment()))
        self.wiring.clock = self.clock  # type: ignore[assignment]

    # --- people ------------------------------------------------------------------------------------------------------

    def join(self, user_id: str, **sync: Any) -> str:
        """A user with a Google account, connected, both ways unless said otherwise; gives the connection's id."""
        self.add(user_id, **sync)
        return self.connect(user_id)

    def add(self, user_id: str, *, time_zone: str = "Europe/Berlin", **sync: Any) -> None:
        self.emails[user_id] = f"{user_id}.{uuid.uuid4().hex[:8]}@gmail.example"
        self.cloud.google.add_account(self.emails[user_id], user_id.title(), time_zone)
        self.front_end.add_user(user_id, f"{user_id}@atelier.example", **{"two_way_appointments": True, **sync})

    def connect(self, user_id: str) -> str:
        connected = give_consent(self.wiring, STUDIO, user_id, self.emails[user_id], REDIRECT)
        self.connections[user_id] = connected.connection_id
        return connected.connection_id

    def book(self, appointment_id: str, **fields: Any) -> None:
        self._written(appointment_id, lambda: self.front_end.book(appointment_id, **fields))

    def edit(self, appointment_id: str, **fields: Any) -> None:
        self._written(appointment_id, lambda: self.front_end.edit(appointment_id, **fields))

    def erase(self, appointment_id: str) -> None:
        self._written(appointment_id, lambda: self.front_end.erase(appointment_id))

    def trigger(self, appointment_id: str, before: dict[str, Any] | None) -> int:
        """What the trigger does for the last write to an appointment; gives how many connections it told."""
        # With times as the trigger has them, not as Firestore's client does.
        versions = plain(before), plain(self.front_end.appointment(appointment_id))
        store, tasks, clock = self.wiring.store, self.wiring.tasks, self.clock
        return appointment_written(
            STUDIO, appointment_id, *versions, clock.now(), store=store, tasks=tasks, clock=clock
        )

    def set_up(self, user_id: str, **sync: Any) -> None:
        before = self.front_end.user(user_id)
        self.front_end.set_up(user_id, **sync)
        store, tasks = self.wiring.store, self.wiring.tasks
        user_written(STUDIO, user_id, before, self.front_end.user(user_id), store=store, tasks=tasks, clock=self.clock)

    def erase_user(self, user_id: str) -> None:
        before = self.front_end.user(user_id)
        self.front_end.erase_user(user_id)
        store, tasks = self.wiring.store, self.wiring.tasks
        user_written(STUDIO, user_id, before, None, store=store, tasks=tasks, clock=self.clock)

    def set_studio(self, **fields: Any) -> None:
        self._studio_written(lambda: self.front_end.set_studio(**fields))

    def erase_studio(self) -> None:
        self._studio_written(self.front_end.erase_studio)

    def answer(self, item_id: str, answer: str) -> None:
        before = plain(self.front_end.inbox()[item_id])
        self.front_end.answer(item_id, answer)
        after, store, tasks = plain(self.front_end.inbox()[item_id]), self.wiring.store, self.wiring.tasks
        inbox_written(STUDIO, item_id, before, after, store=store, tasks=tasks, clock=self.clock)

    def types(self, user_id: str, **event: Any) -> str:
        """Somebody enters an event in Google's own page; gives its id."""
        return str(self.person(user_id).insert(**event)["id"])

    def person(self, user_id: str) -> Any:
        return self.cloud.google.person(self.emails[user_id])

    # --- the sync ----------------------------------------------------------------------------------------------------

    def wish(self, user_id: str) -> None:
        wish(self.connections[user_id], self.wiring.store, self.wiring.tasks, self.clock)

    def run(self, user_id: str) -> Outcome:
        """One task for the user's connection, as the queue would deliver it."""
        return sync_calendar(self.connections[user_id], self.wiring.run_ports, self.wiring.channel_key)

    def sync(self, *user_ids: str) -> None:
        """Wish and run until nothing is due any more, for the users given or for all."""
        for user_id in user_ids or tuple(self.connections):
            self.wish(user_id)
            for _ in range(50):
                if self.run(user_id) is Outcome.NOTHING_DUE:
                    break
            else:
                raise AssertionError("it goes on and on")

    def push(self, user_id: str, state: str = "exists", *, channel: Channel | None = None) -> str:
        """One of Google's notifications, of the user's present channel unless another is given, as the webhook has it.

        Worlds pause Google's own: a channel has not proved itself before this was called.
        """
        sender = channel or self.connection(user_id).channel
        assert sender is not None
        key, wiring = self.wiring.channel_key, self.wiring
        notification = channels.Notification(
            channel_id=sender.id,
            token=channels.token(key, sender.id, self.connections[user_id]),
            resource_id=sender.resource_id or "whatever",
            state=state,
        )
        return channels.notified(notification, key=key, store=wiring.store, tasks=wiring.tasks, clock=self.clock)

    def connection(self, user_id: str) -> Connection:
        found = self.wiring.store.connection(self.connections[user_id])
        assert found is not None
        return found.value

    def later(self, **by: float) -> None:
        self.clock.ahead += dt.timedelta(**by)

    # --- what can be seen --------------------------------------------------------------------------------------------

    def events(self, user_id: str) -> list[dict[str, Any]]:
        """The user's calendar as its owner sees it."""
        events: list[dict[str, Any]] = self.person(user_id).events()
        return events

    def titles(self, user_id: str) -> list[str]:
        return sorted(event.get("summary", "") for event in self.events(user_id))

    def appointments(self) -> dict[str, dict[str, Any]]:
        return self.front_end.appointments()

    def inbox(self) -> dict[str, dict[str, Any]]:
        return self.front_end.inbox()

    def conflicts(self, status: str | None = None) -> dict[str, dict[str, Any]]:
        """The schedule conflicts, by id: all, or those of one status."""
        found = self.front_end.conflicts()
        return {one: plain(kept) for one, kept in found.items() if status in {None, kept["status"]}}

    def below(self, user_id: str, collection: str) -> dict[str, dict[str, Any]]:
        """Documents below the user's connection."""
        connection = self.firestore.collection("connections").document(self.connections[user_id])
        return {found.id: found.to_dict() or {} for found in connection.collection(collection).stream()}

    def log(self, user_id: str) -> list[dict[str, Any]]:
        """All log entries of all runs of the user's connection."""
        connection = self.firestore.collection("connections").document(self.connections[user_id])
        chunks = [
            chunk.to_dict() or {}
            for run in connection.collection("runs").list_documents()
            for chunk in run.collection("entries").stream()
        ]
        return [entry for chunk in chunks for entry in chunk["entries"]]

    def picture(self) -> dict[str, Any]:
        """Everything that a person can tell apart, without ids that are chosen at random: to compare outcomes."""
        studio = sorted(_shown(document) for document in self.appointments().values())
        calendars = {
            user_id: sorted(_shown_event(event) for event in self.events(user_id))
            for user_id in sorted(self.connections)
        }
        waiting = {user_id: sorted(self.below(user_id, "outbox")) for user_id in sorted(self.connections)}
        parked = {user_id: sorted(self.below(user_id, "parked")) for user_id in sorted(self.connections)}
        links = {
            user_id: sorted(link["state"] for link in self.below(user_id, "links").values())
            for user_id in sorted(self.connections)
        }
        boxes = {
            user_id: {
                box: self.front_end.user(user_id)["sync"].get(box) for box in ("populate_calendar", "populate_studio")
            }
            for user_id in sorted(self.connections)
        }
        return {
            "studio": studio,
            "calendars": calendars,
            "outbox": waiting,
            "parked": parked,
            "links": links,
            "boxes": boxes,
        }

    # --- within ------------------------------------------------------------------------------------------------------

    def _written(self, appointment_id: str, write: Callable[[], None]) -> None:
        before = self.front_end.appointment(appointment_id)
        write()
        self.trigger(appointment_id, before)

    def _studio_written(self, write: Callable[[], None]) -> None:
        before = self.front_end.studio()
        write()
        after, store, tasks = self.front_end.studio(), self.wiring.store, self.wiring.tasks
        studio_written(STUDIO, before, after, store=store, tasks=tasks, clock=self.clock)

    def _environment(self) -> dict[str, str]:
        google = self.cloud.google.url
        return {
            "GOOGLE_CLOUD_PROJECT": self.project,
            "CLOUD_TASKS_EMULATOR_HOST": self.cloud.tasks.host,
            "SECRET_MANAGER_EMULATOR_HOST": self.cloud.secrets.host,
            "TASKS_LOCATION": "local-1",
            "SYNC_USER_URL": "http://127.0.0.1:9/sync_user",
            "FAN_OUT_URL": "http://127.0.0.1:9/fan_out",
            "WEBHOOK_URL": "http://127.0.0.1:9/webhook",
            "TASKS_SERVICE_ACCOUNT": "tasks@world.local",
            "GOOGLE_OAUTH_CLIENT_ID": CLIENT[0],
            "GOOGLE_OAUTH_CLIENT_SECRET": CLIENT[1],
            "CHANNEL_KEY": "a-key-for-tests-of-more-than-32-characters",
            "GOOGLE_API_ROOT": f"{google}/",
            "GOOGLE_AUTH_URL": f"{google}/o/oauth2/v2/auth",
            "GOOGLE_TOKEN_URL": f"{google}/token",
            "GOOGLE_CERTS_URL": f"{google}/oauth2/v1/certs",
            "GOOGLE_REVOKE_URL": f"{google}/revoke",
            "FIREBASE_CERTS_URL": f"{google}{FIREBASE_CERTS_PATH}",
        }


def span(hours: float, *, lasting: float = 1) -> dict[str, Any]:
    """``start`` and ``end`` of an appointment that begins so many hours from now."""
    start = NOW + dt.timedelta(hours=hours)
    return {"start": start, "end": start + dt.timedelta(hours=lasting)}


def google_span(hours: float, *, lasting: float = 1) -> dict[str, Any]:
    """The same as an event's ``start`` and ``end``."""
    return {name: google_time(value) for name, value in span(hours, lasting=lasting).items()}


def days(start: int, end: int) -> tuple[str, str]:
    """Dates so many days from today, ``YYYY-MM-DD``."""
    today = NOW.date()
    return (today + dt.timedelta(days=start)).isoformat(), (today + dt.timedelta(days=end)).isoformat()


def _shown(document: Mapping[str, Any]) -> str:
    keys = ("kind", "title", "description", "location", "start", "end", "start_date", "end_date", "status", "user_ids")
    return str([(key, str(document.get(key))) for key in (*keys, "busy", "private")])


def _shown_event(event: Mapping[str, Any]) -> str:
    keys = ("summary", "description", "location", "status", "transparency", "visibility")
    # Of a cancelled occurrence only which it was.
    ends = [dict(event[name]) for name in ("start", "end", "originalStartTime") if name in event]
    times = [end.get("dateTime") or end.get("date") for end in ends]
    return str([(key, event.get(key)) for key in keys] + times)
