"""Who may call the functions, and with what: everybody else gets a status, a reason, and one line in the log."""

import itertools
import json
import time
from typing import Any

import pytest

from local.functions_server import FUNCTIONS
from local.stack import SCHEDULER_CALLER, TASKS_CALLER, TRIGGER_CALLER
from tests.functions.deployed import Deployed, House, Reply, event_value

PRIVATE = ("sync_user", "fan_out", "studio_changed")
# For everybody: these two see to it themselves whom they believe what.
PUBLIC = ("console", "webhook")
NOBODY = {"connection_id": "nobody"}

# What is wrong with the token -> how it differs from the right one.
CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600},
    "not yet valid": {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
    "of another issuer": {"iss": "https://issuer.example"},
    "of an unverified address": {"email_verified": False},
    "without an address": {"email": None},
    "for another audience": {"aud": "https://elsewhere.example"},
    "of another service account": {"email": "somebody@studio-sync.local"},
}
GARBAGE = {
    "no token": "",
    "another scheme": "Basic dXNlcjpwYXNz",
    "a bare word": "Bearer",
    "no JWT": "Bearer CANARY-not-a-token",
    "three words": "Bearer CANARY a b",
    "an unsigned JWT": "Bearer eyJhbGciOiJub25lIn0.eyJlbWFpbCI6IkNBTkFSWSJ9.",
    "a list for a header": "Bearer WzFd.e30.AAAA",
}


def call(deployed: Deployed, name: str, authorization: str) -> Reply:
    if name == "studio_changed":
        return deployed.trigger_event("studios/s/appointments/a", None, None, Authorization=authorization)
    headers = {"Authorization": authorization} if authorization else {}
    return deployed.post(name, json.dumps(NOBODY).encode(), "POST", **headers)


def refused(reply: Reply, lines: list[dict[str, Any]], secret: str) -> None:
    assert reply.status == 401
    assert any(word in reply.error for word in ("OIDC token", "caller"))
    [line] = lines
    assert (line["severity"], line["message"], line["status"]) == ("WARNING", "refused", 401)
    assert line["why"] == reply.error
    if secret:
        assert secret not in str(line)
        assert secret not in reply.text


def test_every_function_is_either_private_or_known_to_be_public() -> None:
    assert sorted((*PRIVATE, *PUBLIC)) == sorted(FUNCTIONS)


@pytest.mark.parametrize("name", PRIVATE)
def test_a_private_function_answers_nobody_whatever_the_path_or_the_method(deployed: Deployed, name: str) -> None:
    for method, path in itertools.product(("GET", "POST", "PUT", "HEAD"), ("", "/", "/google", "/connect", "/sign-in")):
        if name == "studio_changed":
            # What is no event at all is turned away by the framework, before it gets to us.
            assert deployed.post(name + path, b"{}", method).status >= 400
        else:
            assert deployed.post(name + path, b"{}", method).status == 401


def test_the_console_lets_everybody_look_at_the_door_and_nobody_in(deployed: Deployed) -> None:
    assert deployed.post("console/sign-in", method="GET").status == 200
    assert deployed.post("console", method="GET").status == 302
    for path in ("connect", "connect/users", "connect/users/ann"):
        answer = deployed.post(f"console/{path}", method="GET", Accept="application/json")
        assert (answer.status, list(json.loads(answer.text))) == (401, ["error"])


@pytest.mark.parametrize("caller", [TASKS_CALLER, SCHEDULER_CALLER, TRIGGER_CALLER])
def test_our_own_service_accounts_are_nobody_to_the_console(deployed: Deployed, caller: str) -> None:
    for audience in (deployed.stack.console_url, deployed.stack.project):
        token = deployed.token("console", caller, audience, studio_id="s1", user_id="ann")
        with deployed.said() as lines:
            reply = deployed.post("console/connect", method="GET", Authorization=f"Bearer {token}")
        assert reply.status == 401
        assert token not in str(lines) + reply.text


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("what", GARBAGE)
def test_a_caller_without_a_readable_token_is_refused(deployed: Deployed, name: str, what: str) -> None:
    with deployed.counted() as calls, deployed.said() as lines:
        reply = call(deployed, name, GARBAGE[what])
    refused(reply, lines, GARBAGE[what].partition(" ")[2])
    assert "firestore" not in calls["services"]


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("what", CLAIMS)
def test_a_caller_with_a_token_that_is_not_for_here_is_refused(deployed: Deployed, name: str, what: str) -> None:
    token = deployed.token(name, **CLAIMS[what])
    with deployed.counted() as calls, deployed.said() as lines:
        reply = call(deployed, name, f"Bearer {token}")
    refused(reply, lines, token)
    assert "firestore" not in calls["services"]


@pytest.mark.parametrize("name", PRIVATE)
def test_a_token_that_was_signed_by_somebody_else_is_refused(deployed: Deployed, name: str) -> None:
    header, claims, signature = deployed.token(name).split(".")
    forged = f"{header}.{claims}.{signature[:-8]}AAAAAAAA"
    with deployed.said() as lines:
        reply = call(deployed, name, f"Bearer {forged}")
    refused(reply, lines, forged)


@pytest.mark.parametrize(
    ("name", "caller"),
    [
        ("sync_user", SCHEDULER_CALLER),
        ("sync_user", TRIGGER_CALLER),
        ("studio_changed", TASKS_CALLER),
        ("studio_changed", SCHEDULER_CALLER),
        ("fan_out", TRIGGER_CALLER),
    ],
)
def test_a_caller_of_one_function_may_not_call_another(deployed: Deployed, name: str, caller: str) -> None:
    token = deployed.token(name, caller)
    with deployed.said() as lines:
        reply = call(deployed, name, f"Bearer {token}")
    refused(reply, lines, token)


@pytest.mark.parametrize("name", PRIVATE)
def test_who_may_not_call_learns_nothing_about_the_body(deployed: Deployed, name: str) -> None:
    if name == "studio_changed":
        assert deployed.trigger_event("nonsense", None, None, Authorization="").status == 401
    else:
        assert deployed.post(name, b"{not json").status == 401


def test_the_right_caller_is_answered(deployed: Deployed, standing: House) -> None:
    connection_id = standing.connections["ann"]
    reply = deployed.call("sync_user", {"connection_id": connection_id})
    assert (reply.status, json.loads(reply.text)) == (200, {"outcome": "nothing_due"})


@pytest.mark.parametrize("caller", [SCHEDULER_CALLER, TASKS_CALLER])
def test_fan_out_is_called_by_the_scheduler_and_by_its_own_tasks(deployed: Deployed, caller: str) -> None:
    reply = deployed.post("fan_out", Authorization=f"Bearer {deployed.token('fan_out', caller)}")
    assert reply.status == 200
    assert json.loads(reply.text).keys() == {"enqueued", "failed", "more"}


def test_the_trigger_is_answered(deployed: Deployed) -> None:
    document = "studios/s/appointments/a"
    value = event_value(document, {"title": "Shoot", "user_ids": ["nobody"]})
    with deployed.said() as lines:
        assert deployed.trigger_event(document, None, value).status == 200
    assert [(line["message"], line["concerned"]) for line in lines] == [("studio changed", 0)]


def test_certificates_are_not_fetched_with_every_request(deployed: Deployed) -> None:
    deployed.call("sync_user", NOBODY)
    with deployed.counted() as calls:
        for _ in range(5):
            deployed.call("sync_user", NOBODY)
    assert "google" not in calls["services"]


# --- what they bring -------------------------------------------------------------------------------------------------

BAD_BODIES = {
    "no body": b"",
    "no JSON": b"{connection_id: 1",
    "no UTF-8": b'{"connection_id": "\xff\xfe"}',
    "a list": b'["CANARY"]',
    "a text": b'"CANARY"',
    "null": b"null",
    "nothing in it": b"{}",
    "an empty id": b'{"connection_id": ""}',
    "a blank id": b'{"connection_id": "  "}',
    "a number": b'{"connection_id": 5}',
    "null for an id": b'{"connection_id": null}',
    "a list for an id": b'{"connection_id": ["CANARY"]}',
    "a path": b'{"connection_id": "CANARY/outbox/x"}',
    "an id that Firestore refuses": b'{"connection_id": ".."}',
    "an id of a reserved form": b'{"connection_id": "__x__"}',
    "an id that is no text": b'{"connection_id": "\\ud800"}',
    "an id without end": json.dumps({"connection_id": "x" * 2000}).encode(),
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_task_that_names_no_connection_is_refused(deployed: Deployed, what: str) -> None:
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.call("sync_user", BAD_BODIES[what])
    assert reply.status == 400
    assert "JSON" in reply.error or "connection_id" in reply.error
    [line] = lines
    assert (line["severity"], line["message"], line["status"]) == ("WARNING", "refused", 400)
    assert "CANARY" not in str(line)
    assert calls["document_writes"] == 0


def test_a_task_for_a_connection_that_does_not_exist_is_told_so(deployed: Deployed) -> None:
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.call("sync_user", NOBODY)
    assert (reply.status, reply.error) == (404, "there is no such connection")
    assert [(line["severity"], line["status"]) for line in lines] == [("WARNING", 404)]
    assert calls["document_writes"] == 0
    assert not deployed.client.collection("connections").document("nobody").get().exists


AT = "2026-05-01T10:00:00+00:00"
BAD_PAGES: dict[str, dict[str, Any]] = {
    "null": {"after": None},
    "a text": {"after": "CANARY"},
    "a list": {"after": ["CANARY"]},
    "no instant": {"after": {"connection_id": "c"}},
    "no connection": {"after": {"next_sync_at": AT}},
    "a number for an instant": {"after": {"connection_id": "c", "next_sync_at": 5}},
    "a word for an instant": {"after": {"connection_id": "c", "next_sync_at": "CANARY"}},
    "an instant without a zone": {"after": {"connection_id": "c", "next_sync_at": "2026-05-01T10:00:00"}},
    "a path": {"after": {"connection_id": "CANARY/x", "next_sync_at": AT}},
}


@pytest.mark.parametrize("what", BAD_PAGES)
def test_a_page_that_says_not_where_it_begins_is_refused(deployed: Deployed, what: str) -> None:
    with deployed.counted() as calls, deployed.said() as lines:
        reply = deployed.call("fan_out", BAD_PAGES[what])
    assert reply.status == 400
    assert any(word in reply.error for word in ("after", "connection_id", "next_sync_at"))
    assert [(line["severity"], line["status"]) for line in lines] == [("WARNING", 400)]
    assert "CANARY" not in str(lines)
    assert "firestore" not in calls["services"]
    assert "tasks" not in calls["services"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"5"])
def test_a_tick_whose_body_is_no_object_is_refused(deployed: Deployed, body: bytes) -> None:
    assert deployed.call("fan_out", body).status == 400
