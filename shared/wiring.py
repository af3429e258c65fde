"""Composes the functions: which adapter stands behind which port. All is made once per instance, when first used.

Imports of vendor clients stand inside the parts that need them, so that a function loads only what it uses.
"""

import datetime as dt
import functools
import random
import secrets
import time
from typing import TYPE_CHECKING

from shared.config import Settings, from_environment
from shared.domain.quotas import QUEUES
from shared.http import Callers, FrontEndUsers

if TYPE_CHECKING:
    from shared.adapters.cloud_tasks import CloudTasks
    from shared.adapters.firestore_store import FirestoreStore
    from shared.adapters.google_calendar import GoogleCalendars
    from shared.adapters.google_oauth import GoogleAccounts
    from shared.adapters.secret_manager import SecretManagerSecrets
    from shared.services.accounts import AccountPorts
    from shared.services.run import Ports

FOR_STORE = ("GOOGLE_CLOUD_PROJECT",)
FOR_TASKS = ("GOOGLE_CLOUD_PROJECT", "TASKS_LOCATION", "SYNC_USER_URL", "FAN_OUT_URL", "TASKS_SERVICE_ACCOUNT")
FOR_CHANNELS = ("CHANNEL_KEY",)
FOR_CONSOLE = ("CONSOLE_URL", "CONSOLE_KEY", "FRONT_END_ORIGINS")
FOR_CALENDARS = ("GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_SECRET", "WEBHOOK_URL")
FOR_RUNS = ("SAFETY_INTERVAL_MINUTES",)


class SystemClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def new_id() -> str:
    """32 characters nobody can guess: for runs and push channels."""
    return secrets.token_hex(16)


class Wiring:
    """The parts of one instance."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.jitter = random.random

    @functools.cached_property
    def callers(self) -> Callers:
        return Callers(self.settings["GOOGLE_CERTS_URL"])

    @functools.cached_property
    def front_end_users(self) -> FrontEndUsers:
        return FrontEndUsers(self.settings["FIREBASE_CERTS_URL"], self.settings["GOOGLE_CLOUD_PROJECT"])

    @functools.cached_property
    def store(self) -> "FirestoreStore":
        from google.cloud import firestore

        from shared.adapters.firestore_store import FirestoreStore

        return FirestoreStore(firestore.Client(project=self.settings["GOOGLE_CLOUD_PROJECT"]))

    @functools.cached_property
    def tasks(self) -> "CloudTasks":
        from google.cloud import tasks_v2

        from shared.adapters.cloud_tasks import CloudTasks

        if host := self.settings["CLOUD_TASKS_EMULATOR_HOST"]:
            import grpc
            from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

            client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(host)))
        else:
            client = tasks_v2.CloudTasksClient()
        location = f"projects/{self.settings['GOOGLE_CLOUD_PROJECT']}/locations/{self.settings['TASKS_LOCATION']}"
        queues = {name: f"{location}/queues/{name}" for name in QUEUES}
        urls = {"sync_user": self.settings["SYNC_USER_URL"], "fan_out": self.settings["FAN_OUT_URL"]}
        return CloudTasks(client, queues, urls, self.settings["TASKS_SERVICE_ACCOUNT"])

    @functools.cached_property
    def secrets(self) -> "SecretManagerSecrets":
        from google.cloud import secretmanager

        from shared.adapters.secret_manager import SecretManagerSecrets

        if host := self.settings["SECRET_MANAGER_EMULATOR_HOST"]:
            import grpc
            from google.cloud.secretmanager_v1.services.secret_manager_service import transports

            transport = transports.SecretManagerServiceGrpcTransport(channel=grpc.insecure_channel(host))
            client = secretmanager.SecretManagerServiceClient(transport=transport)
        else:
            client = secretmanager.SecretManagerServiceClient()
        return SecretManagerSecrets(client, self.settings["GOOGLE_CLOUD_PROJECT"])

    @functools.cached_property
    def accounts(self) -> "GoogleAccounts":
        from shared.adapters.google_oauth import GoogleAccounts, OAuthClient

        client = OAuthClient(
            client_id=self.settings["GOOGLE_OAUTH_CLIENT_ID"],
            client_secret=self.settings["GOOGLE_OAUTH_CLIENT_SECRET"],
            auth_url=self.settings["GOOGLE_AUTH_URL"],
            token_url=self.settings["GOOGLE_TOKEN_URL"],
            revoke_url=self.settings["GOOGLE_REVOKE_URL"],
            certs_url=self.settings["GOOGLE_CERTS_URL"],
        )
        return GoogleAccounts(client, self.secrets)

    @functools.cached_property
    def calendars(self) -> "GoogleCalendars":
        from shared.adapters.google_calendar import GoogleCalendars

        address = self.settings["WEBHOOK_URL"].rstrip("/") + "/google"
        return GoogleCalendars(self.accounts, self.settings["GOOGLE_API_ROOT"], address)

    @property
    def channel_key(self) -> bytes:
        return self.settings["CHANNEL_KEY"].encode()

    @property
    def run_ports(self) -> "Ports":
        from shared.services.run import Ports

        interval = self.settings.safety_interval
        return Ports(self.store, self.calendars, self.tasks, self.clock, new_id, self.jitter, interval)

    @property
    def account_ports(self) -> "AccountPorts":
        from shared.services.accounts import AccountPorts

        return AccountPorts(self.store, self.accounts, self.calendars, self.secrets, self.tasks, self.clock, new_id)


@functools.cache
def wired() -> Wiring:
    """This instance's wiring."""
    return Wiring(from_environment())


def start(*needed: str) -> Wiring:
    """What every entry point calls when it is loaded: logs set up, and its settings checked.

    Raises:
        MissingSettingError: the environment lacks one of the `needed` variables.
    """
    from shared import logs

    logs.configure()
    wiring = wired()
    wiring.settings.require(*needed)
    return wiring
