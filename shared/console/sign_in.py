"""Signing in to the console with Google, and out of it."""

import logging

import flask
from werkzeug.wrappers import Response

from shared.console import callers
from shared.console.answers import home, page, safe_back
from shared.console.callers import begin_session, parts
from shared.console.flows import Flow, Flows, new_nonce
from shared.domain.account import IDENTITY_SCOPES
from shared.domain.errors import AccessLost
from shared.http import BadRequestError
from shared.ports import UserDocument
from shared.services.signing_in import signed_in, still

log = logging.getLogger(__name__)

views = flask.Blueprint("sign_in", __name__)

# Of somebody who is a user of several studios, until one of them is chosen.
SUBJECT = "choosing_subject"


def flows() -> Flows:
    found: Flows = flask.current_app.config["FLOWS"]
    return found


@views.get("/sign-in")
def sign_in() -> Response:
    if callers.signed_in() is not None:
        return flask.redirect(safe_back(flask.request.args.get("back", "/connect")))
    return page("sign_in.html", back=flask.request.args.get("back", ""))


@views.post("/sign-in")
def start() -> Response:
    """To Google, for the person's identity only."""
    callers.check_csrf()
    back = safe_back(callers.text_field("back", required=False) or "/connect")
    flow = Flow(purpose="sign_in", nonce=new_nonce(), back=back)
    begun, cookie = flows().begin(flow)
    url = parts().accounts.authorization_url(
        home("/sign-in/callback"),
        begun.state,
        IDENTITY_SCOPES,
        challenge=begun.challenge,
        nonce=flow.nonce,
        prompt="select_account",
        offline=False,
    )
    response = flask.redirect(url, code=303)
    flows().keep(cookie, response)
    return response


@views.get("/sign-in/callback")
def callback() -> Response:
    """Google's answer. Raises `NobodyError` where no user belongs to the account."""
    given = flask.request.args
    flow, verifier = flows().end(given.get("state", ""), flask.request)
    if flow.purpose != "sign_in":
        raise BadRequestError("This link is not complete, or no longer good. Start again.")
    flows().forget(flow)
    return _answered(flow, given.get("code", ""), verifier)


def _answered(flow: Flow, code: str, verifier: str) -> Response:
    if not code:
        return page("message.html", 200, title="Not signed in", text="Google was not allowed to say who you are.")
    try:
        grant = parts().accounts.exchange(code, home("/sign-in/callback"), verifier)
    except AccessLost:
        raise BadRequestError("This link was used already. Sign in again.") from None
    if grant.nonce != flow.nonce:
        raise BadRequestError("This answer was not for this browser. Sign in again.")
    users = signed_in(grant, parts().store, parts().clock)
    if len(users) == 1:
        _begin(users[0], grant.account_id)
        return flask.redirect(flow.back, code=303)
    flask.session.clear()
    flask.session[SUBJECT] = grant.account_id
    return flask.redirect(home("/sign-in/studio"), code=303)


@views.get("/sign-in/studio")
def studios() -> Response:
    """Which studio, where the person works for several."""
    return page("studios.html", studios=[_shown(user) for user in _choices()])


@views.post("/sign-in/studio")
def choose() -> Response:
    callers.check_csrf()
    wanted = callers.text_field("studio_id"), callers.text_field("user_id")
    chosen = next((user for user in _choices() if (user.studio_id, user.user_id) == wanted), None)
    if chosen is None:
        raise BadRequestError("You are not a user of this studio. Choose another one.")
    _begin(chosen, str(flask.session[SUBJECT]))
    return flask.redirect(home("/connect"), code=303)


@views.post("/sign-out")
def sign_out() -> Response:
    callers.check_csrf()
    callers.end_session()
    return flask.redirect(home("/sign-in"), code=303)


def _begin(user: UserDocument, subject: str) -> None:
    begin_session(user, subject)
    log.info("signed in", extra={"studio": user.studio_id, "user": user.user_id})


def _choices() -> list[UserDocument]:
    subject = str(flask.session.get(SUBJECT) or "")
    found = parts().store.users_signed_in_by(subject) if subject else []
    if not found:
        raise BadRequestError("Sign in first.")
    return [user for user in found if still(user, subject)]


def _shown(user: UserDocument) -> dict[str, str]:
    studio, _ = parts().store.settings(user.studio_id, user.user_id)
    name = str((studio or {}).get("name") or user.studio_id)
    return {
        "studio_id": user.studio_id,
        "user_id": user.user_id,
        "studio": name,
        "name": str(user.document.get("name")),
    }
