"""Neither secrets nor what belongs to clients in the log, and no token in a document, whatever happens."""

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.people import give_consent
from local.stack import CHANNEL_KEY, OAUTH_CLIENT_SECRET
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
    kept = deployed.stack.google.accounts._tokens
    yield from kept.refresh
    yield from kept.access
    yield from (channel.token for channel in deployed.stack.google.push._channels.values() if channel.token)
    yield from (OAUTH_CLIENT_SECRET, CHANNEL_KEY)


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
    said = list(deployed.stack.output[start:])
    deployed.calm()
    return said


def test_no_text_of_a_client_and_no_guest_is_in_the_log(lines: list[str]) -> None:
    assert [line for line in lines if re.search(CANARY, line, re.IGNORECASE)] == []


def test_no_token_and_no_key_is_in_the_log(deployed: Deployed, lines: list[str]) -> None:
    assert len(lines) > 100
    whole = "\n".join(deployed.stack.output)
    assert [token[:8] for token in tokens(deployed) if token in whole] == []
    assert leaks(whole) == []


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
    assert [token[:8] for token in tokens(deployed) if token in whole] == []
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
    assert [token for token in tokens(deployed) if not leaks(token)] == [OAUTH_CLIENT_SECRET, CHANNEL_KEY]
