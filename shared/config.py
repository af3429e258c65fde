"""Settings from the environment. Nothing else in the project reads it.

A function names what it needs when it starts, so a missing variable stops it there, with the variable's name and what
it is for, and not at the first customer's request.
"""

import datetime as dt
import os
import urllib.parse
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
    "CONSOLE_URL": "the public https address of the function console, where people's browsers find it",
    "CONSOLE_KEY": "the key (32 random characters or more) that signs sessions and links; to change it, put the new "
    "one in front of the old one for a week, with a comma between them",
    "CHANNEL_KEY": "the key (32 random characters or more) that signs the tokens of push channels",
}

DEFAULTS = {
    "GOOGLE_API_ROOT": "https://www.googleapis.com/",
    "GOOGLE_AUTH_URL": "https://accounts.google.com/o/oauth2/v2/auth",
    "GOOGLE_TOKEN_URL": "https://oauth2.googleapis.com/token",
    "GOOGLE_CERTS_URL": "https://www.googleapis.com/oauth2/v1/certs",
    # The origins (https://host) of front-ends on the web that may call the console, with commas between them.
    "FRONT_END_ORIGINS": "",
    "GOOGLE_REVOKE_URL": "https://oauth2.googleapis.com/revoke",
    # The keys of the ID tokens that front-ends send: Firebase's own, none of those above.
    "FIREBASE_CERTS_URL": "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com",
    # How long a change made in a calendar may go unseen where its push channel lives but the push was lost.
    "SAFETY_INTERVAL_MINUTES": "360",
    # Set by the local stack only: host:port of its stand-ins. Firestore's client reads its own variable.
    "CLOUD_TASKS_EMULATOR_HOST": "",
    "SECRET_MANAGER_EMULATOR_HOST": "",
}

_SHORTEST_KEY = 32
_KEYS = {"CHANNEL_KEY", "CONSOLE_KEY"}
_SEVERAL = {"CONSOLE_KEY"}
_LONGEST_SAFETY_INTERVAL = 1_440


class MissingSettingError(Exception):
    """The environment lacks what a function cannot run without, or it is of no use; the message says what and why."""


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
        missing = [name for name in names if name not in DEFAULTS and not self._environment.get(name)]
        if missing:
            raise MissingSettingError(_missing(missing))
        for name in _KEYS & set(names):
            # Only of those that may be several a comma is no part.
            held = keys(self[name]) if name in _SEVERAL else [self[name]]
            if any(len(key) < _SHORTEST_KEY for key in held):
                raise MissingSettingError(f"{name} is too short: {PURPOSES[name]}")
        if "CONSOLE_URL" in names and not _safe(self["CONSOLE_URL"]):
            raise MissingSettingError(f"CONSOLE_URL must begin with https://: {PURPOSES['CONSOLE_URL']}")
        wrong = [one for one in self.front_end_origins if "FRONT_END_ORIGINS" in names and not _is_origin(one)]
        if wrong:
            raise MissingSettingError(
                f"FRONT_END_ORIGINS has {wrong[0]}: it takes origins such as https://app.example, with commas between"
            )
        if "SAFETY_INTERVAL_MINUTES" in names:
            _ = self.safety_interval

    @property
    def front_end_origins(self) -> tuple[str, ...]:
        """Origins of front-ends on the web that may call the console."""
        named = self["FRONT_END_ORIGINS"].split(",")
        return tuple(origin for one in named if (origin := one.strip().rstrip("/")))

    @property
    def safety_interval(self) -> dt.timedelta:
        """The longest time between two runs of a connection whose push channel lives.

        Raises:
            MissingSettingError: what is set is no such time.
        """
        text = self["SAFETY_INTERVAL_MINUTES"]
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LONGEST_SAFETY_INTERVAL):
            raise MissingSettingError(
                f"SAFETY_INTERVAL_MINUTES must be a whole number of minutes from 1 to {_LONGEST_SAFETY_INTERVAL}: "
                "the longest time between two runs where a push channel lives"
            )
        return dt.timedelta(minutes=int(text))


def keys(value: str) -> list[str]:
    """The keys of a setting, the one to sign with first."""
    return [key.strip() for key in value.split(",")]


def _safe(url: str) -> bool:
    """Whether cookies may go there; plain HTTP is for loopback, where the local stack listens."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"})


def _is_origin(text: str) -> bool:
    parts = urllib.parse.urlsplit(text)
    return _safe(text) and text == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc


def _missing(names: list[str]) -> str:
    lines = "\n".join(f"  {name}: {PURPOSES[name]}" for name in names)
    return f"Not set in the environment, and needed to start:\n{lines}"


def from_environment() -> Settings:
    return Settings(os.environ)
