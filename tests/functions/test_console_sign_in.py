"""Signing in to the console: who is let in as whom, for how long, and what a session may do."""

import uuid

import pytest
from google.cloud import firestore

from local.google.consent import consent
from tests.functions.deployed import Deployed, House
from tests.functions.visitor import FrontEndCaller, Visitor


@pytest.fixture
def visitor(deployed: Deployed) -> Visitor:
    return Visitor(deployed)


def user(house: House, user_id: str = "ann", **account: object) -> str:
    """A user whose e-mail is a Google account's, with which to sign in; gives the address."""
    house.add(user_id)
    email = f"{user_id}@{house.id}.example"
    house.deployed.stack.google.add_account(email, **account)  # type: ignore[arg-type]
    return email


def document(house: House, user_id: str = "ann") -> firestore.DocumentReference:
    return house.deployed.client.collection("studios").document(house.id).collection("users").document(user_id)


def bound(house: House, user_id: str = "ann") -> dict[str, str]:
    found: dict[str, str] = house.front_end.user(user_id).get("sign_in") or {}
    return found


def test_a_user_is_found_by_the_verified_e_mail_and_bound_to_the_account(house: House, visitor: Visitor) -> None:
    email = user(house)
    assert visitor.sign_in(email).path == "/connect"
    account = house.deployed.stack.google.accounts.get(email)
    assert account is not None
    assert (bound(house)["subject"], bound(house)["email"]) == (account.sub, email)


def test_upper_and_lower_case_in_the_studios_spelling_do_not_matter_to_the_account(
    house: House, visitor: Visitor
) -> None:
    house.add("ann")
    address = f"Ann@{house.id.title()}.Example"
    house.deployed.stack.google.add_account(address)
    document(house).update({"email": address.lower()})
    assert visitor.sign_in(address).path == "/connect"


def test_from_then_on_the_account_counts_and_no_longer_its_address(house: House, visitor: Visitor) -> None:
    email = user(house)
    visitor.sign_in(email)
    house.deployed.stack.google.accounts.change_email(email, f"new.{email}")
    again = Visitor(house.deployed)
    assert again.sign_in(f"new.{email}").path == "/connect"


def test_another_account_that_comes_by_the_same_address_is_not_let_in(house: House, visitor: Visitor) -> None:
    email = user(house)
    visitor.sign_in(email)
    house.deployed.stack.google.accounts.change_email(email, f"moved.{email}")
    house.deployed.stack.google.add_account(f"successor.{email}")
    house.deployed.stack.google.accounts.change_email(f"successor.{email}", email)
    refused = Visitor(house.deployed).sign_in(email)
    assert refused.status == 403
    assert "administrator" in refused.text


def test_a_new_e_mail_given_by_an_administrator_lets_the_account_with_it_in(house: House, visitor: Visitor) -> None:
    visitor.sign_in(user(house))
    successor = f"successor@{house.id}.example"
    house.deployed.stack.google.add_account(successor)
    document(house).update({"email": successor})
    assert Visitor(house.deployed).sign_in(successor).path == "/connect"
    assert visitor.get("/connect").path == "/sign-in", "the former one is signed out"


def test_with_another_e_mail_the_one_before_is_out_at_once(house: House, visitor: Visitor) -> None:
    """Before the successor has come: whoever left the studio cannot go on, nor come back."""
    email = user(house)
    visitor.sign_in(email)
    document(house).update({"email": f"successor@{house.id}.example"})
    assert visitor.get("/connect").path == "/sign-in"
    assert Visitor(house.deployed).sign_in(email).status == 403


def test_with_the_accounts_new_address_in_the_document_its_person_signs_in_anew(house: House, visitor: Visitor) -> None:
    email = user(house)
    visitor.sign_in(email)
    house.deployed.stack.google.accounts.change_email(email, f"new.{email}")
    document(house).update({"email": f"new.{email}"})
    assert visitor.get("/connect").path == "/sign-in", "the session was begun by the former address"
    assert visitor.sign_in(f"new.{email}").path == "/connect"
    assert bound(house)["email"] == f"new.{email}"


def test_capitals_in_a_users_e_mail_do_not_end_a_session(house: House, visitor: Visitor) -> None:
    email = user(house)
    visitor.sign_in(email)
    document(house).update({"email": email.title()})
    assert visitor.get("/connect").path == "/connect"


def test_who_is_entered_with_capitals_is_told_how_the_address_has_to_be_written(house: House, visitor: Visitor) -> None:
    email = user(house)
    document(house).update({"email": email.title()})
    refused = visitor.sign_in(email)
    assert (refused.status, "written in small letters" in refused.text, email in refused.text) == (403, True, True)


def test_an_address_that_google_has_not_verified_proves_nothing(house: House, visitor: Visitor) -> None:
    refused = visitor.sign_in(user(house, email_verified=False))
    assert refused.status == 403
    assert bound(house) == {}


def test_who_is_no_user_is_told_whom_to_ask(house: House, visitor: Visitor) -> None:
    stranger = f"stranger.{uuid.uuid4().hex}@gmail.example"
    house.deployed.stack.google.add_account(stranger)
    refused = visitor.sign_in(stranger)
    assert (refused.status, "Ask your administrator" in refused.text) == (403, True)
    assert visitor.get("/connect").path == "/sign-in"


def test_a_user_of_two_studios_chooses_one(house: House, visitor: Visitor) -> None:
    email = user(house)
    other = House(house.deployed)
    other.add("anna")
    other.front_end._studio.collection("users").document("anna").update({"email": email})
    chosen = visitor.sign_in(email)
    assert chosen.path == "/sign-in/studio"
    assert visitor.post("/sign-in/studio", studio_id=other.id, user_id="anna").path == "/connect"
    assert visitor.get("/connect", Accept="application/json").json["studio_id"] == other.id


def test_a_studio_that_is_not_ones_own_cannot_be_chosen(house: House, visitor: Visitor) -> None:
    email = user(house)
    other, third = House(house.deployed), House(house.deployed)
    third.add("ben")
    other.add("anna")
    other.front_end._studio.collection("users").document("anna").update({"email": email})
    visitor.sign_in(email)
    assert visitor.post("/sign-in/studio", studio_id=third.id, user_id="ben").status == 400
    assert visitor.get("/connect").path == "/sign-in"


# --- the session -----------------------------------------------------------------------------------------------------


def test_the_cookies_are_for_this_browser_only(house: House, visitor: Visitor) -> None:
    opened = visitor.session.get(visitor.base + "/sign-in", timeout=30)
    visitor.get("/sign-in")
    left = visitor.session.post(visitor.base + "/sign-in", {"csrf": visitor.csrf}, allow_redirects=False, timeout=30)
    cookies = [answer.headers["Set-Cookie"] for answer in (opened, left)]
    assert [cookie.partition("=")[0][:5] for cookie in cookies] == ["studi", "flow-"]
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/console" in cookie
    assert house.id not in str(cookies)


def test_a_session_is_made_anew_at_sign_in(house: House, visitor: Visitor) -> None:
    visitor.get("/sign-in")
    before, token = visitor.cookies()["studio-sync"], visitor.csrf
    visitor.sign_in(user(house))
    assert visitor.cookies()["studio-sync"] != before
    assert visitor.csrf != token


def test_a_tampered_session_is_none(house: House, visitor: Visitor) -> None:
    visitor.sign_in(user(house))
    value = visitor.cookies()["studio-sync"]
    visitor.session.cookies.clear()
    visitor.session.cookies.set("studio-sync", "x" + value[1:], path="/console")
    assert visitor.get("/connect").path == "/sign-in"


@pytest.mark.parametrize("how", ["erased", "unbound"])
def test_a_session_ends_with_what_it_stands_for(house: House, visitor: Visitor, how: str) -> None:
    visitor.sign_in(user(house))
    if how == "erased":
        document(house).delete()
    else:
        document(house).update({"sign_in": firestore.DELETE_FIELD})
    assert visitor.get("/connect").path == "/sign-in"


def test_signed_out_is_out(house: House, visitor: Visitor) -> None:
    visitor.sign_in(user(house))
    assert visitor.post("/sign-out").path == "/sign-in"
    assert visitor.get("/connect").path == "/sign-in"


@pytest.mark.parametrize("path", ["/connect/start", "/sign-out", "/connect/users/ann/disconnect"])
def test_a_form_that_is_not_ours_changes_nothing(house: House, visitor: Visitor, path: str) -> None:
    visitor.sign_in(user(house))
    for fields in ({}, {"csrf": "guessed"}):
        assert visitor.send(path, {**fields, "account_id": "1"}).status == 403
    assert visitor.get("/connect").path == "/connect", "still signed in"


def test_nobody_is_shown_in_a_frame_or_kept_in_a_cache(house: House, visitor: Visitor) -> None:
    visitor.sign_in(user(house))
    headers = visitor.get("/connect").headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_an_answer_from_google_is_good_once_and_in_its_own_browser(house: House, visitor: Visitor) -> None:
    email = user(house)
    visitor.get("/sign-in")
    back = consent(email, visitor.to_google("/sign-in"))
    assert Visitor(house.deployed).get(back).status == 400, "forwarded to another browser"
    assert visitor.get(back).path == "/connect"
    assert visitor.get(back).status == 400, "replayed"


def test_a_sign_in_goes_on_to_pages_of_ours_only(house: House, visitor: Visitor) -> None:
    email = user(house)
    for wanted, reached in (("/connect/users", "/connect/users"), ("https://evil.example/", "/connect")):
        browser = Visitor(house.deployed)
        browser.get("/sign-in")
        answer = browser.get(consent(email, browser.to_google("/sign-in", back=wanted)))
        assert answer.url.startswith(browser.base + reached)


# --- front-ends ------------------------------------------------------------------------------------------------------


def test_a_front_end_calls_with_the_token_of_its_user(house: House) -> None:
    house.add("ann")
    answer = FrontEndCaller(house, "ann").get("/connect")
    assert (answer.status, answer.json["user_id"], answer.json["reason"]) == (200, "ann", "not_connected")


@pytest.mark.parametrize(
    ("what", "claims"),
    [
        ("expired", {"expires_in": -7200}),
        ("without a studio", {"studio_id": None}),
        ("of a user who does not exist", {"user_id": "nobody"}),
        ("of a strange id", {"user_id": "a/b"}),
        ("of another issuer", {"iss": "https://securetoken.google.com/elsewhere"}),
        ("for another project", {"aud": "elsewhere"}),
    ],
)
def test_a_token_that_names_no_user_of_ours_is_refused(house: House, what: str, claims: dict[str, object]) -> None:
    house.add("ann")
    answer = FrontEndCaller(house, "ann", **claims).get("/connect")
    assert answer.status == 401, what
    assert answer.json["error"]


def test_a_token_of_a_service_account_is_no_users(house: House) -> None:
    house.add("ann")
    caller = FrontEndCaller(house, "ann")
    claims: dict[str, object] = {"sub": "x", "studio_id": house.id, "user_id": "ann"}
    caller.token = house.deployed.stack.signer.id_token(claims, house.deployed.stack.project)
    assert caller.get("/connect").status == 401
