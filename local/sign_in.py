"""Signing in to the console as any user of the local stack, without a password: ``/_sign_in`` on the functions' server.

Its form goes to ``/console/_sign_in``, which the session's cookie is good for. It lies outside of what is deployed, and
refuses to be made anywhere but on loopback with an emulated Firestore.
"""

import os
from urllib.parse import urlsplit

import flask
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from werkzeug.wrappers import Response

from shared.console.answers import home, page
from shared.console.app import make_app
from shared.console.callers import begin_session, check_csrf, parts, text_field
from shared.domain.sign_in import SignIn, sign_in_of, signs_in
from shared.http import BadRequestError
from shared.ports import UserDocument
from shared.wiring import Wiring

# For its templates, which are none of the console's.
views = flask.Blueprint("local_sign_in", __name__, template_folder="templates")

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class NotLocalError(Exception):
    """This is not the local stack."""


def local_sign_in(wiring: Wiring) -> flask.Flask:
    """The application: a page with all users of all studios, and a button for each.

    Raises:
        NotLocalError: the console is not on loopback, or Firestore is the real one.
    """
    console = urlsplit(wiring.settings["CONSOLE_URL"]).hostname
    emulator = os.environ.get("FIRESTORE_EMULATOR_HOST", "").rpartition(":")[0]
    if console not in LOOPBACK or emulator not in LOOPBACK:
        raise NotLocalError("Signing in without a password is for the local stack only.")
    app = make_app(wiring)
    # In front of the console's own "/", which is not reached here.
    app.view_functions["start"] = _users
    app.register_blueprint(views)
    return app


def _users() -> Response:
    client = firestore.Client(project=parts().settings["GOOGLE_CLOUD_PROJECT"], credentials=AnonymousCredentials())
    found = [(one.reference.path.split("/"), one.to_dict() or {}) for one in client.collection_group("users").stream()]
    people = [
        {
            "studio_id": path[1],
            "user_id": path[3],
            "name": str(user.get("name") or path[3]),
            "role": str(user.get("role") or "staff"),
            "email": str(user.get("email") or ""),
        }
        for path, user in sorted(found, key=lambda one: one[0])
    ]
    return page("local_sign_in.html", people=people)


@views.post("/")
def _choose() -> Response:
    check_csrf()
    user = parts().store.user(text_field("studio_id"), text_field("user_id"))
    if user is None:
        raise BadRequestError("There is no such user.")
    begin_session(user, _subject(user))
    return flask.redirect(home("/connect"), code=303)


def _subject(user: UserDocument) -> str:
    """The account that the user signs in with already, or one that stands for none."""
    known = sign_in_of(user.document)
    if known is not None and signs_in(user.document, known.subject):
        return known.subject
    email = str(user.document.get("email") or "")
    bound = SignIn(provider="local", subject=f"local-{user.studio_id}-{user.user_id}", email=email)
    fields = {"provider": bound.provider, "subject": bound.subject, "email": bound.email}
    parts().store.update_user(user, {"sign_in": fields})
    return bound.subject
