"""The front-ends' tokens, verified over HTTP as our functions would verify them."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from google.auth import exceptions
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from local.firebase_auth import CERTS_PATH, FirebaseAuth
from local.google.server import GoogleSimulator
from local.oidc import Signer
from local.stack import Stack
from shared.config import DEFAULTS

PROJECT = "studio-sync-test"


@pytest.fixture(scope="module")
def google(signer: Signer) -> Iterator[GoogleSimulator]:
    with GoogleSimulator(signer) as simulator:
        yield simulator


def token(google: GoogleSimulator, **more: Any) -> str:
    return google.firebase.id_token(PROJECT, **{"studio_id": "atelier", "user_id": "ann", **more})


def verified(google: GoogleSimulator, text: str, path: str = CERTS_PATH) -> dict[str, Any]:
    claims = id_token.verify_token(text, Request(), audience=PROJECT, certs_url=f"{google.url}{path}")
    return dict(claims)


def test_a_token_verifies_and_names_project_studio_and_user(google: GoogleSimulator) -> None:
    claims = verified(google, token(google))
    assert claims["iss"] == f"https://securetoken.google.com/{PROJECT}"
    assert claims["aud"] == PROJECT
    assert (claims["studio_id"], claims["user_id"], claims["sub"]) == ("atelier", "ann", "ann")
    assert claims["auth_time"] == claims["iat"]
    assert claims["exp"] - claims["iat"] == 3600


def test_googles_own_check_of_firebase_tokens_accepts_it(google: GoogleSimulator) -> None:
    class AtTheSimulator(Request):
        """That check has the address of the certificates built in."""

        def __call__(self, url: str, *args: Any, **kwargs: Any) -> Any:
            assert url == DEFAULTS["FIREBASE_CERTS_URL"]
            return super().__call__(url.replace("https://www.googleapis.com", google.url), *args, **kwargs)

    assert id_token.verify_firebase_token(token(google), AtTheSimulator(), PROJECT)["user_id"] == "ann"
    with pytest.raises(ValueError, match="audience"):
        id_token.verify_firebase_token(token(google), AtTheSimulator(), "another-project")


def test_more_claims_replace_the_usual_ones_or_leave_them_out(google: GoogleSimulator) -> None:
    claims = verified(google, token(google, studio_id=None, sub="uid-1", email="ann@example.com", auth_time=1))
    assert "studio_id" not in claims
    assert (claims["sub"], claims["user_id"], claims["email"], claims["auth_time"]) == (
        "uid-1",
        "ann",
        "ann@example.com",
        1,
    )


def test_an_expired_token_is_refused(google: GoogleSimulator) -> None:
    assert verified(google, token(google, expires_in=60))
    with pytest.raises(exceptions.InvalidValue, match="expired"):
        verified(google, token(google, expires_in=-1))


def test_a_token_of_googles_sign_in_is_none_of_firebases_nor_the_reverse(google: GoogleSimulator) -> None:
    claims: dict[str, object] = {"iss": f"https://securetoken.google.com/{PROJECT}", "sub": "ann"}
    signed_in = google.signer.id_token(claims, PROJECT)
    assert verified(google, signed_in, "/oauth2/v1/certs")["sub"] == "ann"
    with pytest.raises(exceptions.GoogleAuthError):
        verified(google, signed_in)
    with pytest.raises(exceptions.GoogleAuthError):
        verified(google, token(google), "/oauth2/v1/certs")


def test_the_same_key_id_over_another_key_does_not_pass(google: GoogleSimulator) -> None:
    forged = FirebaseAuth().id_token(PROJECT, studio_id="atelier", user_id="ann")
    with pytest.raises(exceptions.GoogleAuthError, match="signature"):
        verified(google, forged)


def test_the_certificates_say_how_long_they_may_be_kept(google: GoogleSimulator) -> None:
    answer = requests.get(f"{google.url}{CERTS_PATH}", timeout=10)
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert [pem.splitlines()[0] for pem in answer.json().values()] == ["-----BEGIN CERTIFICATE-----"]


def test_the_stack_signs_for_its_own_project_and_tells_the_functions_where_to_look() -> None:
    stack = Stack(project=PROJECT)
    with stack.google:
        environment = stack.environment()
        text = stack.firebase_token(studio_id="atelier", user_id="ann")
        claims = id_token.verify_token(text, Request(), PROJECT, certs_url=environment["FIREBASE_CERTS_URL"])
        assert (claims["studio_id"], claims["user_id"]) == ("atelier", "ann")
        revoked = requests.post(environment["GOOGLE_REVOKE_URL"], data={"token": "none"}, timeout=10)
        assert revoked.json()["error"] == "invalid_token"
