"""The way to Google and back that connects an account: for whoever is signed in, by ticket, or by invitation."""

import logging
from typing import Any

import flask
import msgspec
from werkzeug.wrappers import Response

from shared.console import callers
from shared.console.answers import (
    check_addresses,
    home,
    json_answer,
    page,
    safe_back,
    safe_origin,
    wants_json,
    with_result,
)
from shared.console.callers import caller, parts
from shared.console.flows import Flow, Invited, new_nonce
from shared.console.sign_in import flows
from shared.console.standing import standing
from shared.domain.account import SCOPES
from shared.domain.errors import AccessLost, Misconfigured, Park, Retry, Stop
from shared.http import BadRequestError, status_of
from shared.services.accounts import Connected, ConnectRefusedError
from shared.services.connecting import NO_CONTACTS, AskAgainError, Asked, connect, may_connect
from shared.services.invitations import check
from shared.services.status import Status, status

log = logging.getLogger(__name__)

views = flask.Blueprint("connect", __name__)

_ANSWERED = "/connect/callback"

_NO_LASTING_ACCESS = (
    "Google gave us no lasting access to {email}, though you allowed it. Look at what this account allows at "
    "myaccount.google.com/connections, ask its administrator whether it may use apps such as this one, or use another "
    "account."
)
_NO_CALENDARS = (
    "Google does not let us use the calendars of this account: Google Calendar may be turned off for it. Open "
    "calendar.google.com with it, ask its administrator, or use another account."
)
_MISCONFIGURED = (
    "Google does not know Studio Sync as it is set up at the moment. That is our mistake, not yours, and it was noted: "
    "tell support, and try again later."
)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; the opener of a pop-up gets just this.

    `result`: ``connected``, ``question`` (an account waits for an answer: `question`), ``refused`` or ``cancelled``.
    """

    result: str
    text: str
    notes: tuple[str, ...] = ()
    account_email: str = ""
    question: str | None = None
    source: str = "studio-sync"


@views.get("/connect")
def own() -> Response:
    """The caller's own connection."""
    known = callers.signed_in()
    if known is None and not wants_json():
        return flask.redirect(home("/sign-in"))
    return standing(caller().user_id)


@views.post("/connect/start")
def start() -> Response:
    """To Google's consent page. A front-end gets the address of a pop-up to open instead."""
    who = caller()
    may_connect(who.studio_id, who.user_id, parts().account_ports)
    origin, back = (callers.text_field(name, required=False) for name in ("origin", "back"))
    if not who.by_session:
        check_addresses(origin, back)
    flow = Flow(
        purpose="connect",
        nonce=new_nonce(),
        studio_id=who.studio_id,
        user_id=who.user_id,
        proven=who.by_session,
        another=callers.flag_field("another"),
        popup=callers.flag_field("popup"),
        origin=safe_origin(origin),
        back=safe_back(back or "/connect"),
    )
    if not who.by_session:
        # The browser that will go to Google is not the one that calls: it begins where it can be given a cookie.
        return json_answer({"url": home(f"/connect/begin?ticket={flows().ticket(flow)}")})
    return _to_google(flow)


@views.get("/connect/begin")
def begin() -> Response:
    """The pop-up of a front-end."""
    return _to_google(flows().of_ticket(flask.request.args.get("ticket", "")))


@views.get("/connect/invitation")
def invited() -> Response:
    """Where an invitation's link leads: says what it is about, before anything is asked."""
    link = flask.request.args.get("link", "")
    invitation = flows().of_invitation(link)
    person = may_connect(invitation.studio_id, invitation.user_id, parts().account_ports)
    check(invitation.studio_id, invitation.user_id, invitation.nonce, parts().account_ports)
    return page("invitation.html", link=link, studio=person.studio.name, name=person.user.name)


@views.post("/connect/invitation")
def accept() -> Response:
    callers.check_csrf()
    invitation: Invited = flows().of_invitation(callers.text_field("link"))
    may_connect(invitation.studio_id, invitation.user_id, parts().account_ports)
    check(invitation.studio_id, invitation.user_id, invitation.nonce, parts().account_ports)
    flow = Flow(
        purpose="connect",
        nonce=new_nonce(),
        studio_id=invitation.studio_id,
        user_id=invitation.user_id,
        invitation=invitation.nonce,
    )
    return _to_google(flow)


@views.get(_ANSWERED)
def callback() -> Response:
    """Google's answer: a code, or that the person did not want to."""
    given = flask.request.args
    flow, verifier = flows().end(given.get("state", ""), flask.request)
    if flow.purpose != "connect":
        raise BadRequestError("This link is not complete, or no longer good. Start again.")
    flows().forget(flow)
    return _answered(flow, given.get("code", ""), given.get("error", ""), verifier)


def _answered(flow: Flow, code: str, error: str, verifier: str) -> Response:
    if flow.proven:
        who = callers.signed_in()
        if who is None or (who.studio_id, who.user_id) != (flow.studio_id, flow.user_id):
            raise BadRequestError("You have signed out, or in as somebody else, meanwhile. Start again.")
    if not code:
        text = "You did not allow it, so nothing was changed." if error == "access_denied" else "Google refused it."
        return _show(flow, Result(result="cancelled", text=text))
    try:
        made = connect(
            flow.studio_id,
            flow.user_id,
            code,
            home(_ANSWERED),
            parts().account_ports,
            verifier=verifier,
            nonce=flow.nonce,
            proven=flow.proven,
            another=flow.another,
            invitation=flow.invitation,
        )
    except AskAgainError as again:
        if flow.lasting:
            log.warning("refused", extra={"why": type(again).__name__})
            return _show(flow, Result(result="refused", text=_NO_LASTING_ACCESS.format(email=again.account_email)))
        once_more = msgspec.structs.replace(flow, nonce=new_nonce(), lasting=True)
        return _to_google(once_more, hint=again.account_email)
    except (ConnectRefusedError, Stop, Park, Misconfigured, Retry) as why:
        return _show(flow, Result(result="refused", text=_refusal(why)))
    log.info("account", extra={"studio": flow.studio_id, "user": flow.user_id, "outcome": type(made).__name__})
    return _show(flow, _result(made))


def _refusal(error: Exception) -> str:
    """What the person is told; the log gets its line."""
    match error:
        case AccessLost():
            return "This link was used already. Start again."
        case Stop() | Park():
            log.warning("refused", extra={"why": type(error).__name__})
            return _NO_CALENDARS
        case Misconfigured():
            # Its message is Google's word for what is wrong with our registration: nobody's data.
            log.error("misconfigured", extra={"why": str(error)})
            return _MISCONFIGURED
        case Retry():
            # The code may be used up, though its answer never came: only a new one is sure to go on.
            status_of(error)
            return "Google or our storage did not answer just now. Start again in a moment: nothing is left half done."
        case _:
            status_of(error)
            return str(error)


def _result(made: Connected | Asked) -> Result:
    match made:
        case Connected():
            return Result(
                result="connected",
                text=(
                    f"Connected to {made.account_email}. What is new, or edited from now on, is kept in step, as far "
                    "as the settings say."
                ),
                notes=() if made.contacts else (NO_CONTACTS,),
                account_email=made.account_email,
            )
        case Asked(question="other_account"):
            text = (
                f"You were connected with {made.former_email or 'another account'}, and have now chosen "
                f"{made.account_email}. Nothing is synced with it until you say which one it shall be."
            )
        case _:
            text = (
                f"{made.account_email} is not the e-mail that your studio has for you. An administrator of the studio "
                "must confirm that it is yours; nothing is synced until then."
            )
    return Result(result="question", text=text, account_email=made.account_email, question=made.question)


def _to_google(flow: Flow, *, hint: str = "") -> Response:
    """To the consent page; its boxes are asked for again where no lasting access to the account in use is kept.

    `hint` is the address of an account that this browser has just shown to be the person's.
    """
    used = None if flow.another else _status(flow.studio_id, flow.user_id).account
    kept = used is not None and used["state"] == "authorized"
    # Google gives a lasting token only to whom it shows the page.
    flow = msgspec.structs.replace(flow, lasting=flow.lasting or not kept)
    # Whoever came by an invitation or a ticket may be anybody, and is not told which account the user has.
    if not hint and used is not None and flow.proven:
        hint = used["account_email"]
    begun, cookie = flows().begin(flow)
    url = parts().accounts.authorization_url(
        home(_ANSWERED),
        begun.state,
        SCOPES,
        challenge=begun.challenge,
        nonce=flow.nonce,
        login_hint=hint or None,
        prompt="consent" if flow.lasting else "select_account",
    )
    response = flask.redirect(url, code=303)
    flows().keep(cookie, response)
    return response


def _show(flow: Flow, result: Result) -> Response:
    """In a pop-up the page tells its opener; otherwise the page goes on where the person came from."""
    shown: dict[str, Any] = msgspec.to_builtins(result)
    if flow.popup:
        return page("result.html", **shown, message=shown, origin=flow.origin, back=flow.back)
    if flow.invitation is None and flow.back and result.result != "refused":
        return flask.redirect(with_result(flow.back, result.result), code=303)
    return page("result.html", **shown, message=shown, origin="", back=flow.back)


def _status(studio_id: str, user_id: str) -> Status:
    return status(studio_id, user_id, parts().store, parts().clock, parts().settings.safety_interval)
