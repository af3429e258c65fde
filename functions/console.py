"""Public: people's browsers and front-ends: signing in, connecting accounts, and what is set up for users."""

import flask
import functions_framework
from werkzeug.wrappers import Response

from shared import wiring
from shared.console.app import make_app

parts = wiring.start(*wiring.FOR_STORE, *wiring.FOR_TASKS, *wiring.FOR_CALENDARS, *wiring.FOR_CONSOLE, *wiring.FOR_RUNS)
app = make_app(parts)


@functions_framework.http
def console(request: flask.Request) -> Response:
    """All of it is the application's: it answers for itself."""
    return Response.from_app(app, request.environ)
