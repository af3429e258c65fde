"""Every way that an account can take, through the console, with whatever can go wrong on it: for tests that look at
what is left behind. Each step makes sure that it went the way it is called by.
"""

import re
import urllib.parse

from local.google.consent import consent
from shared.domain.account import CALENDAR_SCOPES, SCOPES
from tests.functions.deployed import FRONT_END, Deployed, House, eventually, span
from tests.functions.test_console_connect import accounts, at_home, shown, synced
from tests.functions.test_console_users import invite
from tests.functions.visitor import FrontEndCaller, Visitor

# In an answer of Google's that we cannot read: whoever quotes the answer, quotes this.
PLANTED = "1//0planted-in-an-answer-that-nobody-can-read"


def drive_all(deployed: Deployed) -> None:
    house = House(deployed)
    house.add("ann")
    signing_in(deployed, house)
    ann = at_home(house, "ann")
    refused_on_the_way(house, ann)
    google_in_trouble(deployed, house, ann)
    connected_with_another_account(deployed, house, ann)
    another_calendar(deployed, house, ann)
    lost_and_connected_again(deployed, house, ann)
    invited(deployed, house)
    by_a_front_end(house)
    disconnected(deployed, house, ann)
    assert ann.post("/sign-out").path == "/sign-in"


def code_in(back: str) -> str:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]


def with_query(url: str, **fields: str) -> str:
    parts = urllib.parse.urlsplit(url)
    query = {**dict(urllib.parse.parse_qsl(parts.query)), **fields}
    return parts._replace(query=urllib.parse.urlencode(query)).geturl()


def tampered(url: str) -> list[str]:
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["state"][0]
    return [with_query(url, state=changed) for changed in (state[:-3], "A" + state[1:], "", state + "x")]


def to_google(visitor: Visitor, **fields: str) -> str:
    visitor.get("/connect")
    return visitor.to_google("/connect/start", popup="1", **fields)


# --- the ways ---------------------------------------------------------------------------------------------------------


def signing_in(deployed: Deployed, house: House) -> None:
    """Cancelled, forwarded, tampered with, replayed; as nobody, and with a Google that does not answer."""
    email = f"ann@{house.id}.example"
    stranger = f"stranger@{house.id}.example"
    for address in (email, stranger):
        deployed.stack.google.add_account(address)
    visitor = Visitor(deployed)
    visitor.get("/sign-in")
    assert "Not signed in" in visitor.get(consent(email, visitor.to_google("/sign-in"), cancel=True)).text
    visitor.get("/sign-in")
    back = consent(email, visitor.to_google("/sign-in"))
    assert Visitor(deployed).get(back).status == 400
    assert [visitor.get(url).status for url in tampered(back)] == [400] * 4
    assert visitor.get(with_query(back, code="4/0made-up-code-of-somebody-else")).status == 400
    assert Visitor(deployed).sign_in(stranger).status == 403
    for trouble in (False, True):
        deployed.stack.google.fail_next("oauth2.token", 503, "backendError", after_effect=trouble)
        assert Visitor(deployed).sign_in(email).status == 503
    deployed.stack.google.answer_next("oauth2.token", f'{{"id_token": "{PLANTED}"'.encode())
    assert Visitor(deployed).sign_in(email).status >= 500
    other = Visitor(deployed)
    other.get("/sign-in")
    back = consent(email, other.to_google("/sign-in"))
    assert other.get(back).path == "/connect"
    assert other.get(back).status == 400


def refused_on_the_way(house: House, ann: Visitor) -> None:
    """A box unticked, cancelled, tampered with, in another browser, with somebody else's code."""
    email = house.emails["ann"]
    for scope in CALENDAR_SCOPES:
        allow = [one for one in SCOPES if one != scope]
        assert ann.connect(email, allow=allow).message["result"] == "refused"
    assert ann.get(consent(email, to_google(ann), cancel=True)).message["result"] == "cancelled"
    back = consent(email, to_google(ann))
    assert [ann.get(url).status for url in tampered(back)] == [400] * 4
    ben = at_home(house, "ben")
    assert ben.get(back).status == 400
    theirs = consent(house.emails["ben"], to_google(ben))
    assert ben.get(with_query(theirs, code=code_in(back))).message["result"] == "refused"
    assert accounts(house) == {}


def google_in_trouble(deployed: Deployed, house: House, ann: Visitor) -> None:
    """The token endpoint gives no answer, one too late, or one that nobody can read; then connected, and replayed."""
    google, email = deployed.stack.google, house.emails["ann"]
    for after_effect in (False, True):
        back = consent(email, to_google(ann))
        google.fail_next("oauth2.token", 503, "backendError", after_effect=after_effect)
        assert ann.get(back).message["result"] == "refused"
        back = consent(email, to_google(ann))
        # The HTTP client tries once more by itself.
        google.drop_next("oauth2.token", times=2, after_effect=after_effect)
        assert ann.get(back).message["result"] == "refused"
    for unreadable in (f'{{"refresh_token": "{PLANTED}"', f'["{PLANTED}"]', f'{{"refresh_token": ["{PLANTED}"]}}'):
        back = consent(email, to_google(ann))
        google.answer_next("oauth2.token", unreadable.encode())
        answer = ann.get(back)
        assert answer.status >= 500 or answer.message["result"] == "refused"
    house.front_end.book("shoot", title="Shoot", user_ids=["ann"], **span(3))
    back = consent(email, to_google(ann))
    assert ann.get(back).message["result"] == "connected"
    assert ann.get(back).status == 400
    synced(house, "ann")


def connected_with_another_account(deployed: Deployed, house: House, ann: Visitor) -> None:
    """By mistake, on purpose, and once in a browser that was closed; an account that somebody else has."""
    ben = at_home(house, "ben")
    assert ben.connect(house.emails["ann"]).message["result"] == "refused"
    for answer in ("keep", "use"):
        other = f"{answer}.{house.emails['ann']}"
        deployed.stack.google.add_account(other)
        address = to_google(ann)
        consent(other, address)
        again = ann.get(consent(other, to_google(ann)))
        assert "prompt=consent" in again.headers["Location"]
        assert ann.get(consent(other, again.headers["Location"])).message["question"] == "other_account"
        [waiting] = shown(ann)["waiting"]  # type: ignore[misc]
        ann.get("/connect")
        given = {"account_id": str(waiting["account_id"]), "answer": answer}
        assert ann.post("/connect/users/ann/account", **given).status == 200
        again_said = ann.post("/connect/users/ann/account", **given).status
        assert again_said == {"keep": 409, "use": 200}[answer], "what is gone is gone, what is in use stays so"
    house.emails["ann"] = f"use.{house.emails['ann']}"
    synced(house, "ann")


def another_calendar(deployed: Deployed, house: House, ann: Visitor) -> None:
    google, account_id = deployed.stack.google, str(shown(ann)["account"]["account_id"])  # type: ignore[index]
    weddings = google.add_calendar(house.emails["ann"], "Weddings")
    ann.get("/connect")
    google.fail_next("calendar.calendarList.list", 503, "backendError", times=5)
    assert ann.post("/connect/users/ann/calendars", account_id=account_id).status == 503
    google.clear_faults()
    assert ann.post("/connect/users/ann/calendars", account_id=account_id).status == 200
    assert ann.post("/connect/users/ann/calendar", calendar_id="nowhere").status == 409
    ann.post("/connect/users/ann/calendar", calendar_id=weddings)
    eventually(lambda: shown(ann)["calendar"]["id"] == weddings)  # type: ignore[index]
    synced(house, "ann")


def lost_and_connected_again(deployed: Deployed, house: House, ann: Visitor) -> None:
    google, email = deployed.stack.google, house.emails["ann"]
    google.remove_app_access(email, "studio-sync.apps.local")
    house.front_end.edit("shoot", title="Shoot, later")
    eventually(lambda: house.connection("ann").state == "needs_reauth")
    deployed.settle()
    assert shown(ann)["reason"] == "access_lost"
    assert ann.connect(email).message["result"] == "connected"
    eventually(lambda: house.connection("ann").lost_at is None)
    deployed.settle()


def invited(deployed: Deployed, house: House) -> None:
    """By an administrator, on the page and as JSON; accepted, confirmed, declined, replaced, and tried by another."""
    chief = at_home(house, "chief")
    house.front_end._studio.collection("users").document("chief").update({"role": "admin"})
    for user_id, answer in (("cleo", "confirm"), ("dora", "decline")):
        house.add(user_id)
        chief.get("/connect")
        replaced, link = invite(chief, user_id), invite(chief, user_id)
        assert Visitor(deployed).get(replaced).status == 409
        assert Visitor(deployed).get(link[:-2]).status == 400
        accepted = Visitor(deployed).accept(link, house.emails[user_id])
        assert accepted.message["question"] == "unconfirmed"
        assert Visitor(deployed).get(link).status == 409, "used"
        [waiting] = chief.get(f"/connect/users/{user_id}", Accept="application/json").json["waiting"]
        chief.get(f"/connect/users/{user_id}")
        given = {"account_id": str(waiting["account_id"]), "answer": answer}
        assert chief.post(f"/connect/users/{user_id}/confirmation", **given).status == 200
    chief.get("/connect")
    assert chief.post("/connect/users/dora/invitation").status == 200
    assert chief.post("/connect/users/dora/sign-in").status == 200
    synced(house, "cleo")


def by_a_front_end(house: House) -> None:
    """A ticket, the pop-up, and the right tokens in the wrong places."""
    house.add("eva")
    house.front_end._studio.collection("users").document("eva").update({"email": house.emails["eva"]})
    caller = FrontEndCaller(house, "eva")
    url = caller.post("/connect/start", popup=True, origin=FRONT_END).json["url"]
    browser = Visitor(house.deployed)
    assert browser.get(url[:-2]).status == 400
    answer = browser.get(consent(house.emails["eva"], browser.get(url).headers["Location"]))
    assert answer.message["result"] == "connected"
    assert re.search(f'data-origin="{FRONT_END}"', answer.text), "it is told to the front-end"
    issued = house.deployed.stack.google.accounts.issued()
    for token in (issued.access_tokens[-1], issued.refresh_tokens[-1], issued.id_tokens[-1], caller.token + "x"):
        stranger = FrontEndCaller(house, "eva")
        stranger.token = token
        assert stranger.get("/connect").status == 401
    refused = caller.post("/connect/users/eva/disconnect", account_id=issued.refresh_tokens[-1])
    assert refused.status == 409
    synced(house, "eva")


def disconnected(deployed: Deployed, house: House, ann: Visitor) -> None:
    """While Google is down, and while it is not; and once more, when it is done already."""
    google = deployed.stack.google
    for trouble in (True, False):
        account_id = str(shown(ann)["account"]["account_id"])  # type: ignore[index]
        if trouble:
            google.fail_next("oauth2.revoke", 503, "backendError", times=9)
        ann.get("/connect")
        answer = ann.send(
            "/connect/users/ann/disconnect", {"csrf": ann.csrf, "account_id": account_id}, Accept="application/json"
        )
        assert (answer.status, answer.json["revoked"]) == (200, not trouble)
        google.clear_faults()
        assert ann.post("/connect/users/ann/disconnect", account_id=account_id).status == 409
        if trouble:
            # Google still holds the former consent, and gives a lasting token only where it shows its page.
            assert ann.connect(house.emails["ann"]).message["result"] == "connected"
            synced(house, "ann")
    deployed.settle()
