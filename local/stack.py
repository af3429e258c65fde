"""The whole product on one machine: our functions, and stand-ins for everything in the cloud that they use.

    Google (simulated) ── pushes ──> webhook ──┐
    Firestore ── triggers ──> studio_changed ──┼── wish ──> Cloud Tasks ──> sync_user ──> Google (simulated)
    Scheduler ── every minute ──> fan_out ─────┘

Everything listens on loopback, on free ports. The functions run in a process of their own, as they would in the
cloud: all that they know of this file are environment variables.
"""

import contextlib
import json
import os
import pathlib
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from local.clock import MovableClock
from local.cloud_tasks import LocalCloudTasks
from local.faults.client import FaultsClient
from local.firebase_auth import CERTS_PATH as FIREBASE_CERTS_PATH
from local.firestore_emulator import FirestoreEmulator
from local.google.server import GoogleSimulator
from local.oidc import Signer
from local.scheduler import Scheduler
from local.secret_manager import LocalSecretManager
from local.triggers import TriggerRelay
from shared.domain.quotas import QUEUES

ROOT = pathlib.Path(__file__).resolve().parent.parent

LOCATION = "local-1"

# Well-known values of the local stack: they open nothing but this.
OAUTH_CLIENT_ID = "studio-sync.apps.local"
OAUTH_CLIENT_SECRET = "local-oauth-client-secret"
CHANNEL_KEY = "local-channel-key-of-more-than-32-characters"
CONSOLE_KEY = "local-console-key-of-more-than-32-characters"

TASKS_CALLER = "tasks@studio-sync.local"
SCHEDULER_CALLER = "scheduler@studio-sync.local"
TRIGGER_CALLER = "trigger@studio-sync.local"

# Which documents Firestore tells us of. Infrastructure has the same four.
TRIGGERS = {
    "studios": "studios/{studio}",
    "appointments": "studios/{studio}/appointments/{appointment}",
    "users": "studios/{studio}/users/{user}",
    "inbox": "studios/{studio}/inbox/{item}",
}

START_SECONDS = 60


class FunctionsFailedError(Exception):
    """The functions did not start; the message has what they said."""


class Stack:
    """Starts everything, and stops everything: use it in a ``with``.

    `tick_seconds` is how often the scheduler calls `fan_out` by itself (60 in the cloud; None: only when asked).
    `front_end_origins` are those of front-ends' pages that may call the console.
    """

    def __init__(
        self,
        *,
        project: str = "studio-sync-local",
        tick_seconds: float | None = 60,
        front_end_origins: Sequence[str] = (),
    ) -> None:
        self.front_end_origins = front_end_origins
        self.project = project
        self.signer = Signer()
        # Without a name, for the functions to inherit: both processes have the same clock.
        self._clock_file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the stack
        self.clock = MovableClock(self._clock_file.fileno())
        self.google = GoogleSimulator(self.signer, now=self.clock.now)
        self.tasks = LocalCloudTasks(self.signer, self.clock)
        self.secrets = LocalSecretManager()
        self.triggers = TriggerRelay(self.signer)
        self.emulator = FirestoreEmulator(functions_emulator=self.triggers.address)
        # Taken from now on, so that nobody else gets the port before the functions' process is there.
        self._door = socket.create_server(("127.0.0.1", 0))
        self.functions_url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        fan_out = f"{self.functions_url}/fan_out"
        # A tick that nobody asks for comes after an hour: no test or demo lives as long.
        every = tick_seconds or 3600
        self.scheduler = Scheduler(self.signer, fan_out, SCHEDULER_CALLER, fan_out, every, clock=self.clock)
        self.faults = FaultsClient(self.functions_url)
        self.output: list[str] = []
        self._functions: subprocess.Popen[str] | None = None
        self._running = contextlib.ExitStack()

    @property
    def console_url(self) -> str:
        """Where people's browsers find the console."""
        return f"{self.functions_url}/console"

    @property
    def redirect_uri(self) -> str:
        """Where Google sends a person's browser after the consent."""
        return f"{self.console_url}/connect/callback"

    @property
    def sign_in_uri(self) -> str:
        """Where Google sends a person's browser who signs in to the console."""
        return f"{self.console_url}/sign-in/callback"

    @property
    def local_sign_in_url(self) -> str:
        """A page to sign in to the console as anybody, without Google."""
        return f"{self.functions_url}/_sign_in"

    def environment(self) -> dict[str, str]:
        """What the functions find in their environment: the only thing that tells them where they are."""
        return {
            "GOOGLE_CLOUD_PROJECT": self.project,
            "FIRESTORE_EMULATOR_HOST": self.emulator.host,
            "CLOUD_TASKS_EMULATOR_HOST": self.tasks.host,
            "SECRET_MANAGER_EMULATOR_HOST": self.secrets.host,
            "TASKS_LOCATION": LOCATION,
            "SYNC_USER_URL": f"{self.functions_url}/sync_user",
            "FAN_OUT_URL": f"{self.functions_url}/fan_out",
            "STUDIO_CHANGED_URL": f"{self.functions_url}/studio_changed",
            "WEBHOOK_URL": f"{self.functions_url}/webhook",
            "TASKS_SERVICE_ACCOUNT": TASKS_CALLER,
            "SCHEDULER_SERVICE_ACCOUNT": SCHEDULER_CALLER,
            "TRIGGER_SERVICE_ACCOUNT": TRIGGER_CALLER,
            "GOOGLE_OAUTH_CLIENT_ID": OAUTH_CLIENT_ID,
            "GOOGLE_OAUTH_CLIENT_SECRET": OAUTH_CLIENT_SECRET,
            "CHANNEL_KEY": CHANNEL_KEY,
            "CONSOLE_URL": self.console_url,
            "CONSOLE_KEY": CONSOLE_KEY,
            "FRONT_END_ORIGINS": ",".join(self.front_end_origins),
            "GOOGLE_API_ROOT": f"{self.google.url}/",
            "GOOGLE_AUTH_URL": f"{self.google.url}/o/oauth2/v2/auth",
            "GOOGLE_TOKEN_URL": f"{self.google.url}/token",
            "GOOGLE_CERTS_URL": f"{self.google.url}/oauth2/v1/certs",
            "GOOGLE_REVOKE_URL": f"{self.google.url}/revoke",
            "FIREBASE_CERTS_URL": f"{self.google.url}{FIREBASE_CERTS_PATH}",
        }

    def firestore(self) -> firestore.Client:
        """A client as a studio's front-end has one."""
        os.environ["FIRESTORE_EMULATOR_HOST"] = self.emulator.host
        return firestore.Client(project=self.project, credentials=AnonymousCredentials())

    def firebase_token(self, *, studio_id: str | None, user_id: str | None, **more: Any) -> str:
        """What a front-end sends as ``Authorization: Bearer``, for our project; more as `FirebaseAuth.id_token` has."""
        return self.google.firebase.id_token(self.project, studio_id=studio_id, user_id=user_id, **more)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _start(self) -> None:
        self._running.callback(self._door.close)
        self._running.callback(self._clock_file.close)
        for part in (self.google, self.tasks, self.secrets, self.triggers, self.emulator):
            # First: an interrupt in the middle of a start must not leave anything behind.
            self._running.callback(part.stop)
            part.start()
        self.triggers.fence(self.emulator)
        redirects = [self.redirect_uri, self.sign_in_uri]
        self.google.add_oauth_client(OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, redirects, "Studio Sync")
        for name, limits in QUEUES.items():
            self.tasks.create_queue(self.project, LOCATION, name, **msgspec.structs.asdict(limits))
        self._start_functions()
        for name, pattern in TRIGGERS.items():
            url = f"{self.functions_url}/studio_changed"
            self.triggers.route(name, url, TRIGGER_CALLER, url)
            self.emulator.register_trigger(self.project, name, pattern)
        self.scheduler.start()
        self._running.callback(self.scheduler.stop)

    def _start_functions(self) -> None:
        door = self._door.fileno()
        command = [sys.executable, "-m", "local.functions_server", "--fd", str(door), "--until-input-ends"]
        command += ["--clock-fd", str(self._clock_file.fileno())]
        self._functions = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **self.environment(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[door, self._clock_file.fileno()],
        )
        self._running.callback(self._stop_functions)
        ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
        threading.Thread(target=self._read_output, args=(self._functions, ready), daemon=True).start()
        try:
            started = ready.get(timeout=START_SECONDS)
        except queue.Empty:
            started = False
        if not started:
            raise FunctionsFailedError("The functions did not start:\n" + "\n".join(self.output[-30:]))

    def _read_output(self, process: "subprocess.Popen[str]", ready: "queue.SimpleQueue[bool]") -> None:
        for line in process.stdout or ():
            self.output.append(line.rstrip())
            if line.startswith("serving at"):
                ready.put(item=True)
        ready.put(item=False)

    def _stop_functions(self) -> None:
        if self._functions is None:
            return
        self._functions.terminate()
        try:
            self._functions.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._functions.kill()
            self._functions.wait()

    # --- what a test or the demo does with it ------------------------------------------------------------------------

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing is under way: no trigger, no push, no task. False if that takes too long."""
        deadline = time.monotonic() + timeout
        delivered = None
        # What a run wrote may have set off triggers and pushes, which may have wished runs: until nothing did.
        while delivered != (delivered := self._delivered()):
            left = deadline - time.monotonic()
            if not (self.triggers.wait_idle(left) and self.google.push.flush(left) and self.tasks.wait_idle(left)):
                return False
        return True

    def _delivered(self) -> tuple[int, int, int]:
        """How many triggers, pushes and tasks so far."""
        return len(self.triggers.deliveries), len(self.google.push.deliveries), len(self.tasks.dispatches)

    def calls_made(self) -> dict[str, Any]:
        """What the functions have called since the last reset: counts per service and method, reads and writes."""
        with urllib.request.urlopen(f"{self.functions_url}/_wiretap", timeout=10) as answer:
            counted: dict[str, Any] = json.load(answer)
        return counted

    def reset_calls(self) -> None:
        request = urllib.request.Request(f"{self.functions_url}/_wiretap/reset", method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass
