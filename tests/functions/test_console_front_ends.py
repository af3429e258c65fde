"""Front-ends that call the console: from which pages, with what, and what they are told when it is not right."""

import json
import re
from typing import Any

import pytest
import requests

from tests.functions.deployed import FRONT_END, Deployed, House
from tests.functions.test_console_connect import accounts, at_home
from tests.functions.visitor import FrontEndCaller

STRANGERS = [
    "https://evil.example",
    "https://app.example.evil.com",
    "https://app.example:8443",
    "http://app.example",
    "https://app.example/",
    "https://APP.example",
    "null",
    "*",
]


def ask(deployed: Deployed, method: str, path: str, data: bytes | None = None, **headers: str) -> requests.Response:
    """Headers with underscores in place of dashes. Whatever is answered: never with cookies for another site's page."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = deployed.stack.console_url + path
    answer = requests.request(method, url, data=data, headers=named, allow_redirects=False, timeout=30)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers.get("Access-Control-Allow-Origin") in {None, FRONT_END}
    return answer


def bearer(house: House, user_id: str = "ann") -> str:
    return f"Bearer {FrontEndCaller(house, user_id).token}"


def allowed(answer: requests.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


@pytest.fixture
def ann(house: House) -> House:
    house.add("ann")
    return house


# --- pages of other sites ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/connect", "/connect/start", "/connect/users/ann/settings", "/nowhere"])
def test_a_known_front_ends_page_may_ask_before_it_calls(deployed: Deployed, path: str) -> None:
    asked: dict[str, Any] = {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization,content-type",
    }
    answer = ask(deployed, "OPTIONS", path, Origin=FRONT_END, **asked)
    assert (answer.status_code, answer.text) == (204, "")
    given = allowed(answer)
    assert given["Access-Control-Allow-Origin"] == FRONT_END
    assert {"authorization", "content-type"} == set(re.split(r",\s*", given["Access-Control-Allow-Headers"].lower()))
    assert "POST" in given["Access-Control-Allow-Methods"]
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", STRANGERS)
def test_the_page_of_anybody_else_may_not(ann: House, origin: str) -> None:
    for method, path in (("OPTIONS", "/connect"), ("GET", "/connect"), ("POST", "/connect/start")):
        headers: dict[str, Any] = {"Origin": origin, "Access_Control_Request_Method": "POST"}
        answer = ask(ann.deployed, method, path, Authorization=bearer(ann), **headers)
        assert allowed(answer) == {}
        assert "Origin" in answer.headers["Vary"], "no cache gives it to another page"


def test_a_known_front_ends_page_reads_answers_and_refusals(ann: House) -> None:
    answers = {
        200: ask(ann.deployed, "GET", "/connect", Origin=FRONT_END, Authorization=bearer(ann)),
        401: ask(ann.deployed, "GET", "/connect", Origin=FRONT_END, Authorization="Bearer nonsense"),
        403: ask(ann.deployed, "GET", "/connect/users", Origin=FRONT_END, Authorization=bearer(ann)),
        404: ask(ann.deployed, "GET", "/nowhere", Origin=FRONT_END, Authorization=bearer(ann)),
    }
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers.values()} == {FRONT_END}
    assert {answer.headers["Content-Type"] for answer in answers.values()} == {"application/json"}


def test_without_an_origin_nothing_is_said_of_origins(ann: House) -> None:
    assert allowed(ask(ann.deployed, "GET", "/connect", Authorization=bearer(ann))) == {}


def test_a_front_ends_page_cannot_use_the_session_of_the_browser(house: House) -> None:
    """Were the cookie sent along: it changes nothing without the session's own token, which no other page can read."""
    visitor = at_home(house, "ann")
    before = house.front_end.user("ann")
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies().items())
    body = json.dumps({"enabled": False}).encode()
    answer = ask(
        house.deployed,
        "POST",
        "/connect/users/ann/settings",
        body,
        Origin=FRONT_END,
        Cookie=cookie,
        Content_Type="application/json",
    )
    assert (answer.status_code, house.front_end.user("ann")) == (403, before)


# --- what they send ---------------------------------------------------------------------------------------------------

NO_OBJECTS = {
    "nothing": b"",
    "a list": b'["CANARY"]',
    "a text": b'"CANARY"',
    "a number": b"5",
    "null": b"null",
    "half an object": b'{"account_id": "CANARY"',
    "two objects": b"{}{}",
    "no JSON": b"account_id=CANARY",
    "no UTF-8": b'{"account_id": "\xff\xfe"}',
    "half a character": b'{"account_id": "\\ud800", "calendar_id": "x", "email": "\\ud800", "origin": "\\ud800"}',
    "a cellar without a floor": b'{"a":' * 15_000,
}
TAKING_JSON = ["/connect/start", *(f"/connect/users/ann/{what}" for what in ("settings", "disconnect", "calendar"))]


def refused(house: House, path: str, body: bytes, status: int, method: str = "POST") -> str:
    """What is said; everything is as it was, and nothing of it was unexpected."""
    before = house.front_end.user("ann")
    headers = {"Authorization": bearer(house), "Content_Type": "application/json"}
    with house.deployed.said() as lines:
        answer = ask(house.deployed, method, path, body, **headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json"), answer.text
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"]
    assert "CANARY" not in answer.text
    assert not [line for line in lines if line["severity"] == "ERROR" or "CANARY" in str(line)]
    assert (house.front_end.user("ann"), accounts(house)) == (before, {})
    return str(answer.json()["error"])


@pytest.mark.parametrize("path", TAKING_JSON)
@pytest.mark.parametrize("what", NO_OBJECTS)
def test_a_body_that_is_no_object_is_refused(ann: House, path: str, what: str) -> None:
    assert "the body must be" in refused(ann, path, NO_OBJECTS[what], 400)


@pytest.mark.parametrize("value", [None, 5, True, [], ["CANARY"], {}, {"CANARY": 1}, ""], ids=str)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/connect/users/ann/disconnect", "account_id"),
        ("/connect/users/ann/calendar", "calendar_id"),
        ("/connect/users/ann/calendars", "account_id"),
        ("/connect/users/ann/account", "answer"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(ann: House, path: str, field: str, value: Any) -> None:
    body = json.dumps({"account_id": "1", field: value}).encode()
    assert field in refused(ann, path, body, 400)


@pytest.mark.parametrize("field", ["origin", "back"])
@pytest.mark.parametrize("value", [5, ["CANARY"], {}], ids=str)
def test_an_address_that_is_no_text_is_named(ann: House, field: str, value: Any) -> None:
    assert field in refused(ann, "/connect/start", json.dumps({field: value}).encode(), 400)


@pytest.mark.parametrize("value", [None, 0, 1, "yes", "true", "CANARY", [], {}, [True]], ids=str)
@pytest.mark.parametrize("flag", ["another", "popup"])
def test_a_yes_that_is_none_is_named(ann: House, flag: str, value: Any) -> None:
    said = refused(ann, "/connect/start", json.dumps({flag: value}).encode(), 400)
    assert said == f"{flag} must be true or false"


@pytest.mark.parametrize("field", ["origin", "back"])
@pytest.mark.parametrize("address", ["https://CANARY.example", "CANARY", f"{FRONT_END}.CANARY.example"])
def test_an_address_elsewhere_is_refused_with_those_that_are_known(ann: House, field: str, address: str) -> None:
    said = refused(ann, "/connect/start", json.dumps({field: address}).encode(), 400)
    assert said.startswith(f"{field} must be ")
    assert FRONT_END in said


def test_an_origin_may_end_with_a_slash(ann: House) -> None:
    body = json.dumps({"popup": True, "origin": f"{FRONT_END}/"}).encode()
    headers = {"Authorization": bearer(ann), "Content_Type": "application/json"}
    answer = ask(ann.deployed, "POST", "/connect/start", body, **headers)
    assert (answer.status_code, list(answer.json())) == (200, ["url"])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_json_that_is_not_said_to_be_json_is_refused(ann: House, kind: str) -> None:
    headers = {"Authorization": bearer(ann)} | ({"Content_Type": kind} if kind else {})
    for path in ("/connect/start", "/connect/users/ann/disconnect"):
        answer = ask(ann.deployed, "POST", path, b'{"popup": true, "account_id": "1"}', **headers)
        assert (answer.status_code, "application/json" in answer.json()["error"]) == (400, True)


def test_nothing_at_all_is_a_body_without_fields(ann: House) -> None:
    answer = ask(ann.deployed, "POST", "/connect/start", Authorization=bearer(ann))
    assert (answer.status_code, list(answer.json())) == (200, ["url"])


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}], ids=str)
def test_a_program_that_does_not_say_who_it_is_is_told_so_in_json(deployed: Deployed, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/connect"), ("GET", "/connect/users"), ("POST", "/connect/start")):
        answer = ask(deployed, method, path, **headers)
        assert (answer.status_code, answer.json().keys()) == (401, {"error"})


@pytest.mark.parametrize(
    "settings",
    [{"enabled": []}, {"email": {"CANARY": 1}}, {"populate_studio": "CANARY"}, {"client_group_id": ["CANARY"]}],
    ids=str,
)
def test_a_setting_of_the_wrong_type_is_named(ann: House, settings: dict[str, Any]) -> None:
    said = refused(ann, "/connect/users/ann/settings", json.dumps(settings).encode(), 409)
    assert next(iter(settings)) in said


@pytest.mark.parametrize("account_id", ["1", "a/b", "../x", "..", "__x__", "x" * 3000])
@pytest.mark.parametrize("what", ["disconnect", "calendars", "account"])
def test_an_account_that_there_is_not_is_said_not_to_be_there(ann: House, what: str, account_id: str) -> None:
    body = json.dumps({"account_id": account_id, "answer": "keep"}).encode()
    assert "no such account" in refused(ann, f"/connect/users/ann/{what}", body, 409)


@pytest.mark.parametrize("answer", ["yes", "confirm", "USE"])
def test_an_answer_that_there_is_not_is_refused_with_those_that_there_are(ann: House, answer: str) -> None:
    body = json.dumps({"account_id": "1", "answer": answer}).encode()
    assert refused(ann, "/connect/users/ann/account", body, 400) == "answer must be use or keep"


@pytest.mark.parametrize("user_id", ["__x__", "x" * 1501])
def test_a_user_of_an_impossible_id_is_not_found(ann: House, user_id: str) -> None:
    ann.front_end._studio.collection("users").document("ann").update({"role": "admin"})
    assert refused(ann, f"/connect/users/{user_id}", b"{}", 404, "GET")
    assert refused(ann, f"/connect/users/{user_id}/settings", b"{}", 404)


@pytest.mark.parametrize("path", ["/nowhere", "/connect/", "/connect/users/ann/nowhere", "/static/../app.py"])
def test_a_path_that_there_is_not_is_not_found(ann: House, path: str) -> None:
    assert refused(ann, path, b"{}", 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/connect/start"),
        ("GET", "/connect/users/ann/disconnect"),
        ("GET", "/connect/users/ann/settings"),
        ("PUT", "/connect/users/ann/settings"),
        ("DELETE", "/connect/users/ann"),
        ("POST", "/connect/callback"),
    ],
)
def test_what_changes_something_takes_its_own_kind_of_request(ann: House, method: str, path: str) -> None:
    assert refused(ann, path, b"{}", 405, method)


@pytest.mark.parametrize("path", TAKING_JSON)
def test_too_much_at_once_is_refused_unread(ann: House, path: str) -> None:
    body = json.dumps({"email": "x" * 100_000}).encode()
    assert "too much" in refused(ann, path, body, 413)
