"""How the functions start: what they ask the environment for, and what they load."""

import json
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.config import PURPOSES
from tests.soak import few

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

STORE = {"GOOGLE_CLOUD_PROJECT"}
TASKS = STORE | {"TASKS_LOCATION", "SYNC_USER_URL", "FAN_OUT_URL", "TASKS_SERVICE_ACCOUNT"}
CALENDARS = {"GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_SECRET", "WEBHOOK_URL"}
NEEDED = {
    "console": TASKS | CALENDARS | {"CONSOLE_URL", "CONSOLE_KEY"},
    "fan_out": TASKS | {"SCHEDULER_SERVICE_ACCOUNT"},
    "studio_changed": TASKS | {"STUDIO_CHANGED_URL", "TRIGGER_SERVICE_ACCOUNT"},
    "sync_user": TASKS | CALENDARS | {"CHANNEL_KEY"},
    "webhook": TASKS | {"CHANNEL_KEY"},
}
PAIRS = [(name, variable) for name in sorted(NEEDED) for variable in sorted(NEEDED[name])]

# What a function may not load when it starts: clients that it never uses.
UNUSED = {
    "console": {"sendgrid"},
    "fan_out": {"googleapiclient", "httplib2", "google_auth_httplib2", "google.cloud.secretmanager", "sendgrid"},
    "studio_changed": {"googleapiclient", "httplib2", "google_auth_httplib2", "google.cloud.secretmanager", "sendgrid"},
    "sync_user": {"sendgrid"},
    "webhook": {"googleapiclient", "httplib2", "google_auth_httplib2", "google.cloud.secretmanager", "sendgrid"},
}

# What pages and accounts are made of.
CONSOLES_OWN = (
    "shared.console",
    "shared.adapters.google_",
    "shared.adapters.secret_manager",
    "shared.services.connecting",
    "shared.services.disconnecting",
    "shared.services.status",
)

# In a process of its own: loads the function, makes the parts that it uses, and lists what that has loaded; then loads
# it again without each of its variables in turn.
PROBE = """
import importlib, json, os, sys
name, used, variables = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")
import functions_framework
framework = sorted(sys.modules)
module = importlib.import_module(f"functions.{name}")
at_start = sorted(sys.modules)
for part in used:
    getattr(module.parts, part)
loaded = sorted(sys.modules)
from shared import wiring
said = {}
for variable in variables:
    kept = os.environ.pop(variable)
    sys.modules.pop(f"functions.{name}", None)
    wiring.wired.cache_clear()
    try:
        importlib.import_module(f"functions.{name}")
    except Exception as error:
        said[variable] = [type(error).__name__, str(error)]
    os.environ[variable] = kept
print(json.dumps({"framework": framework, "at_start": at_start, "loaded": loaded, "said": said}))
"""
USED = {
    "console": "store,tasks,front_end_users,accounts,calendars,secrets",
    "fan_out": "store,tasks,callers",
    "studio_changed": "store,tasks,callers",
    "sync_user": "store,tasks,callers,accounts",
    "webhook": "store,tasks",
}


def environment(**changes: str | None) -> dict[str, str]:
    """All that any function needs, with changes; None takes one away."""
    kept = {name: value for name, value in os.environ.items() if name not in PURPOSES}
    given = {name: f"{name.lower()}-of-thirty-two-characters-or-more" for name in PURPOSES}
    given["CONSOLE_URL"] = "https://console.example"
    # Clients are made here, but never call.
    hosts = dict.fromkeys(
        ("FIRESTORE_EMULATOR_HOST", "CLOUD_TASKS_EMULATOR_HOST", "SECRET_MANAGER_EMULATOR_HOST"), "127.0.0.1:9"
    )
    changed = {**kept, "PYTHONPATH": str(ROOT), **given, **hosts, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def python(*arguments: str, **changes: str | None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def probed() -> dict[str, Any]:
    def probe(name: str) -> Any:
        ended = python("-c", PROBE, name, USED[name], ",".join(sorted(NEEDED[name])))
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(NEEDED, pool.map(probe, NEEDED), strict=True))


@pytest.mark.parametrize(("name", "variable"), PAIRS)
def test_a_function_without_one_of_its_variables_says_which_and_what_for(
    probed: dict[str, Any], name: str, variable: str
) -> None:
    kind, message = probed[name]["said"][variable]
    assert kind == "MissingSettingError"
    assert f"{variable}: {PURPOSES[variable]}" in message
    assert not [other for other in PURPOSES if other != variable and f"{other}:" in message]


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_function_without_its_variables_does_not_start_and_names_them_all(name: str) -> None:
    """As the platform starts it: by the framework."""
    server = ["-m", "functions_framework", "--source", f"functions/{name}.py", "--target", name, "--port", "0"]
    signature = ["--signature-type", "cloudevent" if name == "studio_changed" else "http"]
    ended = python(*server, *signature, **dict.fromkeys(PURPOSES))
    assert ended.returncode != 0
    for variable in NEEDED[name]:
        assert f"{variable}: {PURPOSES[variable]}" in ended.stderr


def test_a_console_key_that_is_too_short_is_refused_without_being_shown() -> None:
    good = "a-good-key-of-thirty-two-characters-or-more"
    ended = python("-c", "import functions.console", CONSOLE_KEY=f"{good},CANARY-of-31-characters-or-less")
    assert ended.returncode != 0
    assert f"CONSOLE_KEY is too short: {PURPOSES['CONSOLE_KEY']}" in ended.stderr
    assert "CANARY" not in ended.stderr + ended.stdout
    assert good not in ended.stderr + ended.stdout


def test_a_console_on_a_public_host_without_https_does_not_start() -> None:
    ended = python("-c", "import functions.console", CONSOLE_URL="http://console.example")
    assert ended.returncode != 0
    assert "CONSOLE_URL must begin with https://" in ended.stderr


@pytest.mark.parametrize("name", ["sync_user", "webhook"])
def test_a_channel_key_that_is_too_short_is_refused_without_being_shown(name: str) -> None:
    ended = python("-c", f"import functions.{name}", CHANNEL_KEY="CANARY-of-31-characters-or-less")
    assert ended.returncode != 0
    assert f"CHANNEL_KEY is too short: {PURPOSES['CHANNEL_KEY']}" in ended.stderr
    assert "CANARY" not in ended.stderr + ended.stdout


@few
@pytest.mark.parametrize("minutes", ["0", "1441", "-5", "1.5", "6h", "CANARY", "\u0663", " "])
def test_a_safety_interval_that_is_no_time_is_refused(minutes: str) -> None:
    ended = python("-c", "import functions.sync_user", SAFETY_INTERVAL_MINUTES=minutes)
    assert ended.returncode != 0
    assert (
        "MissingSettingError: SAFETY_INTERVAL_MINUTES must be a whole number of minutes from 1 to 1440" in ended.stderr
    )


@few
@pytest.mark.parametrize(("minutes", "hours"), [(None, 6), ("", 6), ("1", 1 / 60), ("1440", 24)])
def test_the_safety_interval_is_six_hours_unless_set(minutes: str | None, hours: float) -> None:
    show = "from shared.config import from_environment; print(from_environment().safety_interval.total_seconds())"
    ended = python("-c", f"import functions.sync_user; {show}", SAFETY_INTERVAL_MINUTES=minutes)
    assert float(ended.stdout) == hours * 3600


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_function_loads_only_the_clients_that_it_uses(probed: dict[str, Any], name: str) -> None:
    """Neither when it starts nor when its own parts are made."""
    assert UNUSED[name].isdisjoint(probed[name]["at_start"])
    assert UNUSED[name].isdisjoint(probed[name]["loaded"])


@pytest.mark.parametrize("name", ["fan_out", "studio_changed", "webhook"])
def test_the_small_functions_load_nothing_of_the_console(probed: dict[str, Any], name: str) -> None:
    """They answer within milliseconds of a cold start: what pages are made of must not grow them."""
    loaded = {module for module in probed[name]["loaded"] if module not in probed[name]["framework"]}
    libraries = {module.partition(".")[0] for module in loaded}
    assert libraries.isdisjoint({"flask", "itsdangerous", "jinja2", "markupsafe", "werkzeug"}), "beyond the framework's"
    assert not [module for module in loaded if module.startswith(CONSOLES_OWN)]


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_nothing_of_the_local_stack_is_loaded_by_a_function(probed: dict[str, Any], name: str) -> None:
    assert not [module for module in probed[name]["loaded"] if module.partition(".")[0] in {"local", "tests"}]
