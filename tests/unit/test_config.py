"""Settings from the environment: what is refused before anybody is served, without being shown."""

import pytest

from shared.config import DEFAULTS, PURPOSES, MissingSettingError, Settings, keys

KEY, OTHER = "k" * 32, "o" * 40


def refused(name: str, value: str) -> str:
    with pytest.raises(MissingSettingError) as error:
        Settings({name: value}).require(name)
    return str(error.value)


@pytest.mark.parametrize("value", [KEY, f"{KEY},{OTHER}", f" {KEY} , {OTHER} "])
def test_one_key_or_several_are_fine_while_one_is_changed(value: str) -> None:
    Settings({"CONSOLE_KEY": value}).require("CONSOLE_KEY")


@pytest.mark.parametrize(
    "value", [KEY[1:], f"{KEY},{OTHER[:31]}", f"{OTHER[:31]},{KEY}", f"{KEY},", f",{KEY}", f"{KEY[1:]} "]
)
def test_no_key_may_be_too_short_and_none_is_shown(value: str) -> None:
    said = refused("CONSOLE_KEY", value)
    assert said == f"CONSOLE_KEY is too short: {PURPOSES['CONSOLE_KEY']}"


def test_a_comma_in_a_key_that_is_always_one_is_a_part_of_it() -> None:
    Settings({"CHANNEL_KEY": f"{KEY[:8]},{KEY[8:]}"}).require("CHANNEL_KEY")
    assert refused("CHANNEL_KEY", KEY[1:]) == f"CHANNEL_KEY is too short: {PURPOSES['CHANNEL_KEY']}"


def test_the_first_key_signs() -> None:
    assert keys(f"{KEY}, {OTHER}") == [KEY, OTHER]


@pytest.mark.parametrize(
    "url",
    [
        "https://console.example",
        "https://console.example/console",
        "http://127.0.0.1:8080/console",
        "http://localhost:8080",
        "http://[::1]:8080",
    ],
)
def test_the_console_is_served_over_https_or_on_this_machine(url: str) -> None:
    Settings({"CONSOLE_URL": url}).require("CONSOLE_URL")


@pytest.mark.parametrize(
    "url",
    [
        "http://console.example",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://localhost@console.example/",
        "http://10.0.0.1/",
        "ftp://localhost/",
        "//localhost/",
        "console.example",
        "localhost:8080",
    ],
)
def test_cookies_never_go_over_plain_http_to_a_public_host(url: str) -> None:
    assert refused("CONSOLE_URL", url).startswith("CONSOLE_URL must begin with https://")


def test_a_setting_that_is_not_asked_for_is_not_checked() -> None:
    Settings({"CONSOLE_URL": "http://console.example", "GOOGLE_CLOUD_PROJECT": "p"}).require("GOOGLE_CLOUD_PROJECT")


def test_all_that_is_missing_is_named_with_what_it_is_for() -> None:
    with pytest.raises(MissingSettingError) as error:
        Settings({"CONSOLE_KEY": ""}).require("CONSOLE_KEY", "CONSOLE_URL")
    for name in ("CONSOLE_KEY", "CONSOLE_URL"):
        assert f"{name}: {PURPOSES[name]}" in str(error.value)


def test_what_nobody_set_has_its_default_and_what_has_none_is_missing_when_read() -> None:
    assert Settings({})["GOOGLE_AUTH_URL"] == DEFAULTS["GOOGLE_AUTH_URL"]
    assert Settings({})["FRONT_END_ORIGINS"] == ""
    with pytest.raises(MissingSettingError, match="CONSOLE_KEY"):
        Settings({})["CONSOLE_KEY"]


@pytest.mark.parametrize(
    "origins",
    [
        "null",
        "*",
        "http://app.example",
        "https://app.example/path",
        "https://me@app.example",
        "https://app.example,app",
    ],
)
def test_what_is_no_origin_stops_the_console_at_its_start(origins: str) -> None:
    with pytest.raises(MissingSettingError, match="FRONT_END_ORIGINS"):
        Settings({"FRONT_END_ORIGINS": origins}).require("FRONT_END_ORIGINS")


@pytest.mark.parametrize("origins", ["", "https://app.example", "https://app.example:8443/, http://127.0.0.1:5000"])
def test_origins_are_taken(origins: str) -> None:
    Settings({"FRONT_END_ORIGINS": origins}).require("FRONT_END_ORIGINS")
