"""A real browser, started once; a fresh one, as far as cookies go, for each person of a test."""

import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, expect, sync_playwright

from tests.browser.person import Person
from tests.functions.deployed import House

NAMES = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
MISSING = (
    "No Chromium was found for the tests in a browser. Install one (on Debian: apt-get install chromium), or name it: "
    "CHROMIUM=/path/to/chromium"
)
# It runs as root in containers, has no need of a graphics card, and is to call nobody but the stack.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Milliseconds: machines that run tests have other things to do as well.
PATIENCE = 20_000


def find_chromium() -> str | None:
    """Of those that are installed; none is ever downloaded."""
    named = os.environ.get("CHROMIUM")
    return next((found for name in ([named] if named else NAMES) if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = find_chromium()
    if found is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        made = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield made
        made.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser found wrong with our pages: errors in scripts, and what the Content-Security-Policy refused."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def somebody(browser: Browser, house: House, complaints: list[str]) -> Iterator[Callable[..., Person]]:
    """``somebody("ann")``: a user of the test's studio, at a browser of her own, not signed in; more goes to both."""
    contexts: list[BrowserContext] = []
    ours = house.deployed.stack.functions_url

    def listen(message: ConsoleMessage) -> None:
        address = str(message.location.get("url", ""))
        # Chromium also reports pages that were answered with an error: tests open some of these on purpose.
        status_only = message.text.startswith("Failed to load resource") and "/assets/" not in address
        if message.type in {"error", "warning"} and address.startswith(ours) and not status_only:
            complaints.append(f"{address}: {message.text}")

    def make(user_id: str, **options: object) -> Person:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE)
        context.on("console", listen)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return Person(context, house, user_id, _shots())

    yield make
    for context in contexts:
        context.close()


def _shots() -> pathlib.Path | None:
    """Where pictures of the pages are wanted: ``SHOTS=folder``."""
    named = os.environ.get("SHOTS")
    return pathlib.Path(named) if named else None
