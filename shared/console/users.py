"""What is set up for a user: by the user, or by an administrator of the studio. All but the consent itself."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import flask
import msgspec
from werkzeug.wrappers import Response

from shared.console import callers
from shared.console.answers import answer, done, home, json_answer, page, wants_json
from shared.console.callers import administrator, caller, parts
from shared.console.flows import Invited
from shared.console.sign_in import flows
from shared.console.standing import standing
from shared.domain import identity
from shared.domain.account import Question
from shared.domain.errors import AccessLost
from shared.http import BadRequestError, ForbiddenError
from shared.services import connecting, invitations, setting_up
from shared.services.accounts import ConnectRefusedError
from shared.services.disconnecting import disconnect
from shared.services.status import Status, status

log = logging.getLogger(__name__)

views = flask.Blueprint("users", __name__)

POPULATES = ("populate_calendar", "populate_studio")


@views.before_request
def _own_or_administrator() -> None:
    """Everybody sees to themselves, administrators to all of their studio; the studio is always the caller's own."""
    user_id = (flask.request.view_args or {}).get("user_id")
    if user_id is not None and not identity.usable(user_id):
        flask.abort(HTTPStatus.NOT_FOUND)
    if user_id is not None and not caller().may_see(user_id):
        raise ForbiddenError("Only an administrator of the studio may do this for somebody else.")


@views.after_request
def _logged(response: Response) -> Response:
    """Who changed what for whom, by ids."""
    if flask.request.method == "POST" and response.status_code < HTTPStatus.BAD_REQUEST:
        who = caller()
        extra = {"studio": who.studio_id, "by": who.user_id, "user": (flask.request.view_args or {}).get("user_id")}
        log.info("set up", extra={**extra, "what": flask.request.endpoint})
    return response


@views.get("/connect/users")
@administrator
def everybody() -> Response:
    """All users of the studio, each in one line."""
    studio_id = caller().studio_id
    rows = []
    for user in parts().store.users_of_studio(studio_id):
        found = status(studio_id, user.user_id, parts().store, parts().clock, parts().settings.safety_interval)
        rows.append(_row(found, schedulable=user.document.get("schedulable") is True))
    # Rooms and other resources never sync: they come last.
    return answer("users.html", {"users": sorted(rows, key=lambda row: (not row["schedulable"], row["name"]))})


@views.get("/connect/users/<user_id>")
def one(user_id: str) -> Response:
    return standing(user_id)


@views.post("/connect/users/<user_id>/calendar")
def calendar(user_id: str) -> Response:
    """``calendar_id``: the calendar to sync with from now on."""
    connecting.choose_calendar(caller().studio_id, user_id, callers.text_field("calendar_id"), parts().account_ports)
    return done({"ok": True}, _page_after(user_id, "calendar"))


@views.post("/connect/users/<user_id>/calendars")
def calendars(user_id: str) -> Response:
    """``account_id``: ask Google again which calendars this account may write to."""
    account_id = callers.text_field("account_id")
    try:
        found = connecting.calendars_of(caller().studio_id, user_id, account_id, parts().account_ports)
    except AccessLost as lost:
        raise ConnectRefusedError(lost.reason.text) from None
    return done({"calendars": msgspec.to_builtins(found)}, _page_after(user_id, "calendars"))


@views.post("/connect/users/<user_id>/account")
def account(user_id: str) -> Response:
    """``account_id`` that waits, and ``answer``: ``use`` it (with ``calendar_id``), or ``keep`` the former one."""
    account_id, said = callers.text_field("account_id"), callers.text_field("answer")
    match said:
        case "use":
            _accept(user_id, account_id, "other_account")
        case "keep":
            connecting.decline(caller().studio_id, user_id, account_id, parts().account_ports)
        case _:
            raise BadRequestError("answer must be use or keep")
    return done({"ok": True}, _page_after(user_id, said))


@views.post("/connect/users/<user_id>/confirmation")
@administrator
def confirmation(user_id: str) -> Response:
    """``account_id`` that waits, and ``answer``: ``confirm`` that it is the user's own (and is to sync with
    ``calendar_id``), or ``decline`` it.
    """
    account_id, said = callers.text_field("account_id"), callers.text_field("answer")
    match said:
        case "confirm":
            _accept(user_id, account_id, "unconfirmed")
        case "decline":
            connecting.decline(caller().studio_id, user_id, account_id, parts().account_ports)
        case _:
            raise BadRequestError("answer must be confirm or decline")
    return done({"ok": True}, _page_after(user_id, said))


@views.post("/connect/users/<user_id>/disconnect")
def disconnection(user_id: str) -> Response:
    """``account_id``: the account to disconnect."""
    left = disconnect(caller().studio_id, user_id, callers.text_field("account_id"), parts().account_ports)
    if not wants_json():
        # Not in the address, which is logged: whose account it was is nobody else's business.
        flask.flash(left.account_email, "disconnected")
    return done(msgspec.to_builtins(left), f"{_page_of(user_id)}?disconnected={'all' if left.revoked else 'here'}")


@views.post("/connect/users/<user_id>/invitation")
@administrator
def invitation(user_id: str) -> Response:
    """A link for the user, to be passed on; the one before is no longer good."""
    ports = parts().account_ports
    person = connecting.may_connect(caller().studio_id, user_id, ports)
    made = invitations.invite(caller().studio_id, user_id, caller().user_id, ports)
    link = flows().invitation(Invited(studio_id=made.studio_id, user_id=made.user_id, nonce=made.nonce))
    url = home(f"/connect/invitation?link={link}")
    if wants_json():
        return json_answer({"url": url, "expires_at": made.expires_at})
    return page("invite.html", url=url, expires_at=made.expires_at, name=person.user.name, user_id=user_id)


@views.post("/connect/users/<user_id>/settings")
def settings(user_id: str) -> Response:
    """Settings by name, those of A4; what is not named stays. From a form: which populate is to begin."""
    of_a_page = not wants_json()
    named = {name: True for name in POPULATES if callers.flag_field(name)} if of_a_page else callers.json_body()
    setting_up.set_up(caller().studio_id, user_id, named, parts().store)
    return done({"ok": True}, _page_after(user_id, *named))


@views.post("/connect/users/<user_id>/sign-in")
@administrator
def sign_in(user_id: str) -> Response:
    """Let the user sign in with another Google account: the present one is not known any more."""
    user = parts().store.user(caller().studio_id, user_id)
    if user is None:
        raise ConnectRefusedError("This user does not exist in this studio.")
    parts().store.update_user(user, {"sign_in": None})
    return done({"ok": True}, _page_after(user_id, "sign-in"))


def _accept(user_id: str, account_id: str, question: Question) -> None:
    chosen = callers.text_field("calendar_id", required=False) or None
    ports = parts().account_ports
    connecting.answer(caller().studio_id, user_id, account_id, ports, question=question, calendar_id=chosen)


def _page_of(user_id: str) -> str:
    return "/connect" if user_id == caller().user_id else f"/connect/users/{quote(user_id, safe='')}"


def _page_after(user_id: str, *what: str) -> str:
    """The page, which says that it was done."""
    return f"{_page_of(user_id)}?done={','.join(what)}"


def _row(found: Status, *, schedulable: bool) -> dict[str, Any]:
    shown = ("user_id", "name", "state", "syncs", "reason", "text", "account", "waiting", "warnings")
    plain = msgspec.to_builtins(found)
    return {**{name: plain[name] for name in shown}, "schedulable": schedulable}
