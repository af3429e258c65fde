"""Settings from the environment. Nothing else in the project reads it.

A function names what it needs when it starts, so a missing variable stops it there, with the variable's name and what
it is for, and not at the first customer's request.
"""

import os
from collections.abc import Mapping

PURPOSES = {
    "GOOGLE_CLOUD_PROJECT": "the project that Firestore, Cloud Tasks and Secret Manager belong to",
    "TASKS_LOCATION": "the region of the task queues, for example europe-west1",
    "SYNC_USER_URL": "the address of the function sync_user, where tasks are delivered; also its OIDC audience",
    "FAN_OUT_URL": "the address of the function fan_out; also its OIDC audience",
    "STUDIO_CHANGED_URL": "the OIDC audience of the function studio_changed: its address",
    "WEBHOOK_URL": "the public https address of the function webhook, which Google sends notifications to",
    "TASKS_SERVICE_ACCOUNT": "the e-mail of the service account that tasks call our functions with",
    "SCHEDULER_SERVICE_ACCOUNT": "the e-mail of the service account that Cloud Scheduler calls fan_out with",
    "TRIGGER_SERVICE_ACCOUNT": "the e-mail of the service account that Eventarc calls studio_changed with",
    "GOOGLE_OAUTH_CLIENT_ID": "the OAuth client that users give their consent to",
    "GOOGLE_OAUTH_CLIENT_SECRET": "the secret of that OAuth client",
    "CHANNEL_KEY": "the key (32 random characters or more) that signs the tokens of push channels",
}

DEFAULTS = {
    "GOOGLE_API_ROOT": "https://www.googleapis.com/",
    "GOOGLE_AUTH_URL": "https://accounts.google.com/o/oauth2/v2/auth",
    "GOOGLE_TOKEN_URL": "https://oauth2.googleapis.com/token",
    "GOOGLE_CERTS_URL": "https://www.googleapis.com/oauth2/v1/certs",
    # Set by the local stack only: host:port of its stand-ins. Firestore's client reads its own variable.
    "CLOUD_TASKS_EMULATOR_HOST": "",
    "SECRET_MANAGER_EMULATOR_HOST": "",
}

_SHORTEST_KEY = 32


class MissingSettingError(Exception):
    """The environment lacks what a function cannot run without; the message says what and what for."""


class Settings:
    """The settings of one process, by the variable's name: ``settings["TASKS_LOCATION"]``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __getitem__(self, name: str) -> str:
        value = self._environment.get(name, "") or DEFAULTS.get(name, "")
        if not value and name in PURPOSES:
            raise MissingSettingError(_missing([name]))
        return value

    def require(self, *names: str) -> None:
        """Check that variables are there and usable.

        Raises:
            MissingSettingError: naming every variable that is not.
        """
        missing = [name for name in names if not self._environment.get(name)]
        if missing:
            raise MissingSettingError(_missing(missing))
        if "CHANNEL_KEY" in names and len(self["CHANNEL_KEY"]) < _SHORTEST_KEY:
            raise MissingSettingError(f"CHANNEL_KEY is too short: {PURPOSES['CHANNEL_KEY']}")


def _missing(names: list[str]) -> str:
    lines = "\n".join(f"  {name}: {PURPOSES[name]}" for name in names)
    return f"Not set in the environment, and needed to start:\n{lines}"


def from_environment() -> Settings:
    return Settings(os.environ)
