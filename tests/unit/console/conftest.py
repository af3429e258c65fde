"""The console's application, with the settings of a deployment. Nothing of it calls anybody here."""

import flask
import pytest

from shared.config import DEFAULTS, Settings
from shared.console.app import make_app
from shared.wiring import Wiring


@pytest.fixture
def app(request: pytest.FixtureRequest) -> flask.Flask:
    """At ``https://console.example/console``, with two front-ends; a test may bring other settings."""
    changes: dict[str, str] = getattr(request, "param", {})
    given = {
        "CONSOLE_URL": "https://console.example/console",
        "CONSOLE_KEY": "a-key-for-tests-of-more-than-32-characters",
        "FRONT_END_ORIGINS": "https://app.example, https://app.example:8443/",
        "GOOGLE_CLOUD_PROJECT": "nowhere",
    }
    return make_app(Wiring(Settings({**DEFAULTS, **given, **changes})))
