"""Where a browser is sent on, who is told a result, and who gets JSON: whatever is asked for."""

import flask
import pytest

from shared.console.answers import check_addresses, home, safe_back, safe_origin, wants_json, with_result
from shared.http import BadRequestError

OURS = "https://console.example"
HOME = f"{OURS}/console/connect"

HOSTILE = [
    "https://evil.example",
    "https://evil.example/",
    "https://evil.example/https://console.example",
    "https://console.example.evil.com",
    "https://console.examplevil.com/",
    "https://evil.com#@console.example",
    "https://evil.com?@console.example",
    "https://console@evil.example/",
    "https://console.example@evil.example/",
    "https://console.example:pass@evil.example/",
    "https://evil@console.example/",
    "https://console.example:444/",
    "https://console.example:@evil.example",
    "https://console.example\\@evil.example",
    "https:/evil.example",
    "https:evil.example",
    "https:///evil.example",
    "http://console.example/",
    "ftp://console.example/",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "javascript://console.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example",
    "///evil.example",
    "//console.example@evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "\t//evil.example",
    "evil.example",
    "connect/users",
    "?x=1",
    "",
    " ",
    # What the library that takes addresses apart does not even take.
    "https://[evil",
    "https://[::1",
    "https://console.example]",
    "https://console.example\uff0fevil.example",
    "https://evil.example\u2100",
]


@pytest.mark.parametrize("back", HOSTILE)
def test_a_browser_is_never_sent_just_anywhere(app: flask.Flask, back: str) -> None:
    with app.test_request_context():
        assert safe_back(back) == HOME


@pytest.mark.parametrize(
    ("back", "reached"),
    [
        ("/connect", HOME),
        ("/connect/users?x=1#y", f"{OURS}/console/connect/users?x=1#y"),
        ("/@evil.example", f"{OURS}/console/@evil.example"),
        ("/..//evil.example", f"{OURS}/console/..//evil.example"),
        (f"{OURS}/console/connect/users", f"{OURS}/console/connect/users"),
        ("https://app.example/studio?tab=sync", "https://app.example/studio?tab=sync"),
        ("https://app.example:8443/", "https://app.example:8443/"),
    ],
)
def test_a_browser_goes_on_to_our_pages_and_to_known_front_ends(app: flask.Flask, back: str, reached: str) -> None:
    with app.test_request_context():
        assert safe_back(back) == reached


@pytest.mark.parametrize(
    ("back", "reached"),
    [
        ("https://app.example/", "https://app.example/?result=connected"),
        ("https://app.example/?tab=sync", "https://app.example/?tab=sync&result=connected"),
        ("https://app.example/#/settings", "https://app.example/?result=connected#/settings"),
        ("https://app.example/#/settings?tab=sync", "https://app.example/?result=connected#/settings?tab=sync"),
        ("https://app.example/?tab=sync#a", "https://app.example/?tab=sync&result=connected#a"),
    ],
)
def test_the_result_stands_in_the_query(back: str, reached: str) -> None:
    assert with_result(back, "connected") == reached


@pytest.mark.parametrize("back", ["/connect\r\nSet-Cookie: x=1", "https://app.example/\r\nSet-Cookie: x=1"])
def test_no_header_is_smuggled_in(app: flask.Flask, back: str) -> None:
    with app.test_request_context():
        sent = flask.redirect(safe_back(back))
    assert "Set-Cookie" not in sent.headers
    assert not {"\r", "\n"} & set(sent.headers["Location"])


@pytest.mark.parametrize("app", [{"FRONT_END_ORIGINS": ""}, {"FRONT_END_ORIGINS": " , ,"}], indirect=True)
def test_without_front_ends_only_our_own_pages_are_known(app: flask.Flask) -> None:
    with app.test_request_context():
        for back in ("https://app.example/", "", "://", "https://", "null"):
            assert safe_back(back) == HOME
            assert safe_origin(back) == OURS


@pytest.mark.parametrize("app", [{"CONSOLE_URL": "https://console.example"}], indirect=True)
@pytest.mark.parametrize("back", HOSTILE)
def test_nor_is_it_where_the_console_lies_at_the_root_of_its_host(app: flask.Flask, back: str) -> None:
    with app.test_request_context():
        assert safe_back(back) == f"{OURS}/connect"
        assert home("/connect") == f"{OURS}/connect"


@pytest.mark.parametrize(
    "origin",
    [
        *HOSTILE,
        "*",
        "null",
        "https://app.example.evil.com",
        "https://app.example//",
        "http://app.example",
        "https://APP",
    ],
)
def test_a_result_is_told_to_nobody_unknown(app: flask.Flask, origin: str) -> None:
    with app.test_request_context():
        assert safe_origin(origin) == OURS


@pytest.mark.parametrize("origin", ["https://app.example", "https://app.example:8443"])
@pytest.mark.parametrize("end", ["", "/"])
def test_a_result_is_told_to_a_known_front_end(app: flask.Flask, origin: str, end: str) -> None:
    with app.test_request_context():
        assert safe_origin(origin + end) == origin


@pytest.mark.parametrize("address", [address for address in HOSTILE if address])
def test_what_a_front_end_gives_is_not_replaced_in_silence(app: flask.Flask, address: str) -> None:
    with app.test_request_context():
        for origin, back in ((address, ""), ("", address)):
            with pytest.raises(BadRequestError, match=r"https://app\.example"):
                check_addresses(origin, back)


@pytest.mark.parametrize("origin", ["", "https://app.example", "https://app.example/", OURS])
@pytest.mark.parametrize("back", ["", "/connect", "https://app.example/studio?tab=sync", HOME])
def test_a_front_ends_own_addresses_are_taken(app: flask.Flask, origin: str, back: str) -> None:
    with app.test_request_context():
        check_addresses(origin, back)


@pytest.mark.parametrize(
    ("headers", "json"),
    [
        ({}, True),
        ({"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, False),
        ({"Accept": "*/*"}, True),
        ({"Accept": "text/html;q=0, */*"}, True),
        ({"Accept": "text/html"}, False),
        ({"Accept": "application/json, text/html;q=0.5"}, True),
        ({"Accept": "application/json"}, True),
        ({"Accept": "application/json, text/plain, */*"}, True),
        ({"Content-Type": "application/json"}, True),
        ({"Content-Type": "application/x-www-form-urlencoded"}, True),
        ({"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html,*/*;q=0.8"}, False),
        ({"Authorization": "Bearer token"}, True),
        ({"Authorization": "bearer token"}, True),
        ({"Authorization": "Basic dXNlcjpwYXNz", "Accept": "text/html"}, False),
    ],
    ids=str,
)
def test_programs_get_json_and_browsers_pages(app: flask.Flask, headers: dict[str, str], *, json: bool) -> None:
    with app.test_request_context(headers=headers):
        assert wants_json() == json
