"""Step 6: one account for one user, and what becomes of a user whose access is lost."""

import datetime as dt

from local.demo.checks import entry_of_event, exactly, exactly_once
from local.demo.edits import HOUR, Edit
from local.demo.progress import settle
from local.demo.scene import Scene, account_of, email_of
from local.demo.studio import MARCO, OLENA
from local.demo.terminal import Terminal
from local.demo.waves import show_arrivals
from local.stack import OAUTH_CLIENT_ID
from local.visitor import Visitor
from shared.domain.account import BOXES, CALENDAR_SCOPES, SCOPES

MEANWHILE = "Booked while Marco was away"


def show_accounts(scene: Scene, terminal: Terminal) -> None:
    terminal.step("One account for one user; access is lost, and comes back")
    show_refusals(scene, terminal)
    show_lost_access(scene, terminal)


def show_refusals(scene: Scene, terminal: Terminal) -> None:
    """Olena leaves a box unticked, then tries Marco's account: nothing changes for either."""
    olena = Visitor(scene.stack.console_url)
    olena.sign_in(email_of(OLENA))
    box = CALENDAR_SCOPES[0]
    told = olena.connect(account_of(OLENA), allow=[scope for scope in SCOPES if scope != box]).message
    named = told["result"] == "refused" and BOXES[box] in told["text"]
    terminal.check("A box left unticked on Google's page is named", [] if named else [told["text"]], BOXES[box])
    told = olena.connect(account_of(MARCO)).message
    refused = told["result"] == "refused" and MARCO.name not in told["text"]
    terminal.check("An account that a colleague has is refused, naming nobody", [] if refused else [told["text"]])
    state = olena.get("/connect", Accept="application/json").json
    problems = exactly(state["account"]["account_email"], account_of(OLENA), "Olena's account")
    terminal.check("Olena is connected as before", problems)


def show_lost_access(scene: Scene, terminal: Terminal) -> None:
    """Marco removes the app in his Google account, the studio goes on booking him, he connects again."""
    marco = Visitor(scene.stack.console_url)
    marco.sign_in(email_of(MARCO))
    connection_id = scene.connections[MARCO.id]
    scene.stack.google.remove_app_access(account_of(MARCO), OAUTH_CLIENT_ID)
    scene.studio.set_up(MARCO.id, requested_at=dt.datetime.now(dt.UTC))
    settle(scene, terminal)
    page = marco.get("/connect", Accept="application/json").json
    terminal.check("Access lost: the page says so", exactly(page["state"], "needs_reauth", "The state"), page["text"])
    at = dt.datetime.combine(scene.today + dt.timedelta(days=20), dt.time(10), dt.UTC)
    booked = {"title": MEANWHILE, "user_ids": [MARCO.id], "start": at, "end": at + HOUR}
    scene.studio.book("appointment-meanwhile", **booked)
    settle(scene, terminal)
    before = [entry_of_event(event) for event in scene.person(MARCO).events()]

    def connect() -> None:
        marco.connect(account_of(MARCO))

    def arrived() -> bool:
        return any(event.get("summary") == MEANWHILE for event in scene.person(MARCO).events())

    show_arrivals([Edit("Marco connects again: what was booked meanwhile comes", connect, arrived)], terminal)
    settle(scene, terminal)
    after = [entry_of_event(event) for event in scene.person(MARCO).events()]
    came = next((one for one in after if one.title == MEANWHILE), None)
    problems = exactly_once([*before, *([] if came is None else [came])], after, "Marco's calendar")
    terminal.check("Marco's calendar has everything exactly once", problems, f"{len(after)} entries")
    problems = exactly(scene.studio.user(MARCO.id)["connection"]["id"], connection_id, "The connection")
    terminal.check("It is the same connection, with the same pairs", problems)
    mails = sorted(str(one.get("kind")) for one in scene.client.collection("mail").stream())
    problems = exactly(mails, ["access_lost", "access_regained"], "In the mail outbox")
    terminal.check("In the mail outbox: lost once, well again once", problems, f"{len(mails)}")
