"""Neither secrets nor what belongs to clients in the log, and no token in a document, whatever happens."""

import base64
import binascii
import contextlib
import http.client
import json
import re
import urllib.parse
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.people import give_consent
from local.stack import CHANNEL_KEY, CONSOLE_KEY, OAUTH_CLIENT_SECRET
from shared.console.flows import Flows
from tests.functions import account_flows
from tests.functions.deployed import Deployed, House, eventually, google_span, span, structured

# In every text that a person writes here, on either side, right or wrong.
CANARY = "Kanarienvogel"
GUEST = "guest.kanarienvogel@example.com"
TEXT = {"title": f"{CANARY} shoot", "description": f"{CANARY} details", "location": f"{CANARY} street 1"}

# Whatever token it is, also one that nobody here knows of.
TOKEN_SHAPES = {
    "a refresh token": re.compile(r"1//0[\w-]{20,}"),
    "an access token": re.compile(r"ya29\.[\w-]{20,}"),
    "a push channel's token": re.compile(r"[a-v0-9]{26}\.[0-9a-f]{64}"),
    "an OIDC token": re.compile(r"eyJ[\w-]{10,}"),
    "an authorization code": re.compile(r"4/0[\w-]{20,}"),
}


def leaks(text: str) -> list[str]:
    return [kind for kind, shape in TOKEN_SHAPES.items() if shape.search(text)]


def opened(text: str) -> str:
    """With whatever is only encoded in it: signed is not hidden."""
    found = [text]
    for part in re.findall(r"[\w-]{24,}", text):
        try:
            raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except (ValueError, binascii.Error):
            continue
        with contextlib.suppress(zlib.error):
            raw += zlib.decompress(raw)
        found.append(raw.decode("latin-1"))
    return urllib.parse.unquote("\n".join(found))


def all_documents(deployed: Deployed) -> list[str]:
    """Every document of the stack's project, whatever its collection, as JSON."""
    connection = http.client.HTTPConnection(deployed.stack.emulator.host, timeout=30)
    try:
        path = f"/v1/projects/{deployed.stack.project}/databases/(default)/documents:runQuery"
        query = json.dumps({"structuredQuery": {"from": [{"allDescendants": True}]}})
        connection.request("POST", path, query, {"Authorization": "Bearer owner"})
        found = json.load(connection.getresponse())
    finally:
        connection.close()
    return [json.dumps(one["document"], ensure_ascii=False) for one in found if "document" in one]


def tokens(deployed: Deployed) -> Iterator[str]:
    """Every token that is or was good for anything in this stack, and every key."""
    yield from deployed.stack.google.accounts.issued().all()
    yield from (channel.token for channel in deployed.stack.google.push._channels.values() if channel.token)
    yield from (OAUTH_CLIENT_SECRET, CHANNEL_KEY, CONSOLE_KEY)
    yield account_flows.PLANTED


def edits_and_a_clash(deployed: Deployed, house: House) -> None:
    """Populate, edits both ways, with a guest, and both sides changing one title before either hears of the other."""
    house.add("ann", populate_calendar=True, populate_studio=True)
    house.front_end.book("shoot", user_ids=["ann"], **TEXT, **span(3))
    person = house.person("ann")
    guests = [{"email": GUEST}]
    person.insert(summary=f"{CANARY} dentist", attendees=guests, **google_span(5))
    house.connect("ann")
    eventually(lambda: len(house.events("ann")) == len(house.booked()) == 2)
    deployed.settle()
    house.front_end.edit("shoot", title=f"{CANARY} shoot, longer")
    deployed.settle()
    [shoot] = [event for event in house.events("ann") if "shoot" in event["summary"]]
    person.patch("primary", shoot["id"], location=f"{CANARY} street 2", attendees=guests)
    deployed.settle()
    deployed.stack.google.push.lose_next(1)
    person.patch("primary", shoot["id"], summary=f"{CANARY} of the calendar")
    house.front_end.edit("shoot", title=f"{CANARY} of the studio")
    deployed.settle()
    assert f"{CANARY} of the studio" in house.titles("ann")


def parked_and_refused(deployed: Deployed, house: House) -> None:
    """What does not fit the contract, what Google refuses for good, and what it stumbles over."""
    google = deployed.stack.google
    broken: dict[str, dict[str, Any]] = {
        "status": {"status": CANARY},
        "kind": {"kind": CANARY},
        "start": {"start": CANARY},
        "user_ids": {"user_ids": ["ann", {CANARY: CANARY}]},
        "title": {"title": [CANARY]},
        "recurrence": {"recurrence": [f"RRULE:X-{CANARY}=1"]},
    }
    common = {"user_ids": ["ann"], **TEXT, **span(7)}
    house.front_end.book_many({name: {**common, **fields} for name, fields in broken.items()})
    eventually(lambda: house.below("ann", "parked").keys() == broken.keys())
    deployed.settle()
    google.fail_next("calendar.events.insert", 400, "invalid")
    house.front_end.book("refused", user_ids=["ann"], **TEXT, **span(8))
    deployed.settle()
    google.fail_next("calendar.events.patch", 500, "backendError")
    house.front_end.edit("shoot", description=f"{CANARY} once more")
    deployed.settle()
    house.make_due("ann")
    deployed.tick()
    deployed.settle()


def unforeseen(deployed: Deployed, house: House) -> None:
    """A setting that does not fit, and a connection that cannot be read."""
    house.front_end.set_up("ann", email_logs=CANARY)
    deployed.settle()
    house.front_end.set_up("ann", email_logs=False)
    deployed.settle()
    since = house.connection("ann").since
    house.document("ann").update({"since": CANARY})
    deployed.call("sync_user", {"connection_id": house.connections["ann"]})
    house.document("ann").update({"since": since})


def wrong_callers(deployed: Deployed, house: House) -> None:
    """With the right secrets in the wrong place."""
    channel_id, token, resource_id = house.channel("ann")
    deployed.notify("another-channel", token, resource_id)
    deployed.notify(channel_id, f"{token}{CANARY}", resource_id)
    deployed.notify(channel_id, token, CANARY)
    for name in ("sync_user", "fan_out"):
        deployed.post(name, json.dumps({CANARY: CANARY}).encode(), Authorization=f"Bearer {token}")
        deployed.call(name, f'{{"{CANARY}": '.encode())
    deployed.call("sync_user", {"connection_id": f"{CANARY}/x"})


def access_lost_and_given_again(deployed: Deployed, house: House) -> None:
    accounts, email = deployed.stack.google.accounts, house.emails["ann"]
    accounts.refuse_tokens(email)
    deployed.stack.google.expire_access_tokens(email)
    house.front_end.edit("shoot", title=f"{CANARY}, the last")
    eventually(lambda: house.connection("ann").state == "needs_reauth")
    deployed.settle()
    accounts.allow_tokens(email)
    give_consent(deployed.wiring, house.id, "ann", email, deployed.stack.redirect_uri)
    eventually(lambda: f"{CANARY}, the last" in house.titles("ann"))
    house.front_end.erase("shoot")
    deployed.settle()


@pytest.fixture(scope="module")
def lines(deployed: Deployed) -> list[str]:
    """All that the functions said while everything happened, requests included."""
    start = len(deployed.stack.output)
    house = House(deployed)
    with deployed.said():
        edits_and_a_clash(deployed, house)
        parked_and_refused(deployed, house)
        unforeseen(deployed, house)
        wrong_callers(deployed, house)
        access_lost_and_given_again(deployed, house)
        account_flows.drive_all(deployed)
    said = list(deployed.stack.output[start:])
    deployed.calm()
    return said


def test_no_text_of_a_client_and_no_guest_is_in_the_log(lines: list[str]) -> None:
    assert [line for line in lines if re.search(CANARY, line, re.IGNORECASE)] == []


def test_no_token_and_no_key_is_in_the_log(deployed: Deployed, lines: list[str]) -> None:
    assert len(lines) > 100
    whole = "\n".join(deployed.stack.output)
    read = opened(whole)
    assert [token[:8] for token in tokens(deployed) if token in read] == []
    assert leaks(urllib.parse.unquote(whole)) == []


def test_every_line_of_a_function_is_structured(lines: list[str]) -> None:
    """A traceback as plain text would quote what the error quotes."""
    said, others = structured("\n".join(lines))
    assert others == ""
    assert all(line.keys() >= {"severity", "message", "logger"} for line in said)


def test_no_document_holds_a_token_or_a_key(deployed: Deployed, lines: list[str]) -> None:
    assert lines
    documents = all_documents(deployed)
    assert len(documents) > 10
    whole = "\n".join(documents)
    read = opened(whole)
    assert [token[:8] for token in tokens(deployed) if token in read] == []
    assert leaks(whole) == []


def test_no_parked_item_quotes_what_a_person_wrote(deployed: Deployed, lines: list[str]) -> None:
    """It names the field and what was expected; what stands there is in the appointment itself."""
    assert lines
    documents = all_documents(deployed)
    parked = [document for document in documents if "/parked/" in json.loads(document)["name"]]
    assert parked
    assert [document for document in parked if CANARY in document] == []


def test_the_shapes_that_tokens_are_told_by_are_those_of_this_stacks_tokens(deployed: Deployed) -> None:
    """Or the tests above would look for something else."""
    keys = [OAUTH_CLIENT_SECRET, CHANNEL_KEY, CONSOLE_KEY]
    assert [token for token in tokens(deployed) if not leaks(token)] == keys


# --- what browsers and front-ends get ---------------------------------------------------------------------------------

CALLBACKS = ("/console/connect/callback", "/console/sign-in/callback")


def cookies_of(answer: requests.Response) -> dict[str, str]:
    """Those that an answer sets, by name."""
    set_now = answer.raw.headers.getlist("Set-Cookie")
    return {cookie.partition("=")[0]: cookie.partition("=")[2].partition(";")[0] for cookie in set_now}


def verifiers(deployed: Deployed) -> set[str]:
    """PKCE's secrets, which only their own flows' cookies hold."""
    signer = Flows(CONSOLE_KEY, "/console", secure=False)._serializer("verifier")
    cookies = [pair for answer in deployed.answers for pair in cookies_of(answer).items()]
    return {str(signer.loads(value)) for name, value in cookies if name.startswith("flow-") and value}


def credentials(deployed: Deployed) -> set[str]:
    """What lets somebody in, or on: sessions, front-ends' tokens, tickets, invitations, and flows on their way."""
    found: set[str] = set()
    for answer in deployed.answers:
        found |= {value for value in cookies_of(answer).values() if value}
        found.add((answer.request.headers.get("Authorization") or "").removeprefix("Bearer "))
        for url in (answer.url, answer.headers.get("Location", ""), *re.findall(r"https?://[^\s\"<]+", answer.text)):
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
            found |= {value for name in ("state", "ticket", "link") for value in query.get(name, [])}
    return {value for value in found if len(value) > 20}


def place(answer: requests.Response) -> str:
    return f"{answer.request.method} {urllib.parse.urlsplit(answer.url).path} {answer.status_code} {id(answer)}"


def shown_of(answer: requests.Response) -> str:
    """Body, headers, and what a session keeps in its cookie; not the cookies of flows."""
    headers = [value for name, value in answer.headers.items() if name != "Set-Cookie"]
    sessions = [value for name, value in cookies_of(answer).items() if not name.startswith("flow-")]
    return opened("\n".join([answer.text, *headers, *sessions]))


def found(secrets: set[str], texts: dict[str, str]) -> list[tuple[str, str]]:
    """The beginnings of secrets, and where they are."""
    whole = "\n".join(texts.values())
    leaked = [secret for secret in secrets if secret in whole]
    return [(secret[:8], where) for secret in leaked for where, text in texts.items() if secret in text]


def test_nothing_secret_reaches_a_browser_or_a_front_end(deployed: Deployed, lines: list[str]) -> None:
    """In bodies, headers and addresses. An authorization code comes with the one request that Google sends a browser
    on with; a verifier waits for it in its own flow's cookie.
    """
    assert lines
    assert len(deployed.answers) > 100
    assert len(verifiers(deployed)) > 20
    secrets = {*tokens(deployed), *verifiers(deployed)}
    assert found(secrets, {place(answer): shown_of(answer) for answer in deployed.answers}) == []
    sent_on = [answer for answer in deployed.answers if urllib.parse.urlsplit(answer.url).path in CALLBACKS]
    others = [answer for answer in deployed.answers if answer not in sent_on]
    codes = set(deployed.stack.google.accounts.issued().codes)
    assert found(secrets, {place(answer): opened(answer.url) for answer in others}) == []
    assert found(secrets - codes, {place(answer): opened(answer.url) for answer in sent_on}) == []


def test_no_verifier_and_nothing_that_lets_somebody_in_is_in_the_log_or_in_a_document(
    deployed: Deployed, lines: list[str]
) -> None:
    """Not in the lines about requests either: their addresses carry codes, states, tickets and invitations."""
    assert lines
    known = credentials(deployed) | verifiers(deployed)
    assert len(known) > 50
    log = opened("\n".join(deployed.stack.output))
    assert [value[:8] for value in known if value in log] == []
    # A user's id may have a question mark; a query has names and values.
    assert not [line for line in deployed.stack.output if re.search(r"[A-Z]+ /\S*\?\w+=", line)]
    documents = opened("\n".join(all_documents(deployed)))
    assert [value[:8] for value in known if value in documents] == []


def test_the_mails_that_wait_tell_nothing_secret(deployed: Deployed, lines: list[str]) -> None:
    assert lines
    mails = [document for document in all_documents(deployed) if "/mail/" in json.loads(document)["name"]]
    assert mails
    known = {*tokens(deployed), *credentials(deployed), *verifiers(deployed)}
    assert [value[:8] for value in known for mail in mails if value in mail] == []


def test_the_search_finds_what_is_only_encoded() -> None:
    secret = "1//0" + "s" * 30
    plain = json.dumps({"token": secret}).encode()
    for hidden in (plain, zlib.compress(plain)):
        assert secret in opened(f"<p>.{base64.urlsafe_b64encode(hidden).decode().rstrip('=')}.ah9yAA.x</p>")
    assert secret in opened(urllib.parse.quote(secret, safe=""))
