"""Signing in without a password is for the local stack: nowhere else can it so much as be made."""

import pytest

from local.sign_in import NotLocalError, local_sign_in
from shared.config import Settings
from shared.wiring import Wiring

LOCAL = "http://127.0.0.1:8080/console"
EMULATOR = "127.0.0.1:8081"


def made(console: str) -> object:
    given = {"CONSOLE_URL": console, "CONSOLE_KEY": "a-key-for-tests-of-more-than-32-characters"}
    return local_sign_in(Wiring(Settings(given)))


@pytest.mark.parametrize("emulator", [EMULATOR, "localhost:8081"])
def test_on_loopback_with_an_emulator_it_is_made(monkeypatch: pytest.MonkeyPatch, emulator: str) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator)
    assert made(LOCAL)


@pytest.mark.parametrize(
    "console",
    [
        "https://console.example",
        "https://console-abc.a.run.app/console",
        "http://127.0.0.1.evil.example/",
        "http://localhost@console.example/",
        "http://10.0.0.1:8080/",
        "http://0.0.0.0:8080/",
        "localhost",
    ],
)
def test_with_a_console_that_is_not_on_loopback_it_is_not(monkeypatch: pytest.MonkeyPatch, console: str) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", EMULATOR)
    with pytest.raises(NotLocalError):
        made(console)


@pytest.mark.parametrize(
    "emulator", [None, "", "firestore.googleapis.com:443", "127.0.0.1", "10.0.0.1:8081", "127.0.0.1.evil.example:80"]
)
def test_with_the_real_firestore_it_is_not(monkeypatch: pytest.MonkeyPatch, emulator: str | None) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    if emulator is not None:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator)
    with pytest.raises(NotLocalError):
        made(LOCAL)
