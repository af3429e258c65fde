"""Google's accounts: the `Consent` port, and access tokens for the calendar, cached until shortly before they expire.

google-auth refreshes a token when it is within its own safety margin (some minutes) of expiring, so one kept object
per account is the cache.
"""

import http.client
import threading
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import httplib2
import msgspec
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp, Request

from shared.domain import identity
from shared.domain.errors import AccessLost, Misconfigured, Unavailable
from shared.ports import Grant, Secrets

# Google's own limit for an answer is longer; a run has better things to do than to wait for it.
TIMEOUT_SECONDS = 30

ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})

# Refusals that are about us and not about the person (RFC 6749, 5.2, and Google's own).
_OUR_MISTAKES = frozenset(
    {
        "deleted_client",
        "invalid_client",
        "invalid_request",
        "redirect_uri_mismatch",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)


class OAuthClient(msgspec.Struct, frozen=True):
    """Our registration with Google, and where Google's endpoints are."""

    client_id: str
    client_secret: str
    auth_url: str
    token_url: str
    revoke_url: str
    certs_url: str

    def __repr__(self) -> str:
        return f"OAuthClient(client_id={self.client_id!r})"


class _TokenAnswer(msgspec.Struct, frozen=True):
    """What we read of the token endpoint's answer to a code."""

    id_token: str
    scope: str = ""
    refresh_token: str | None = None


class _Claims(msgspec.Struct, frozen=True):
    """What we read of an ID token. `sub` alone never changes."""

    iss: str
    sub: Annotated[str, msgspec.Meta(min_length=1)]
    email: str = ""
    email_verified: bool = False
    nonce: str | None = None


class _Refusal(msgspec.Struct, frozen=True):
    """RFC 6749, 5.2."""

    error: str


class _Credentials(Credentials):  # type: ignore[misc]  # The vendor's class has no types.
    """Refreshes that fail in one way only: `RefreshError`."""

    def refresh(self, request: Any) -> None:
        try:
            super().refresh(request)
        except (AttributeError, KeyError, TypeError, ValueError):  # What comes of an answer that is no JSON object.
            raise RefreshError("the answer could not be read") from None


class GoogleAccounts:
    """Credentials by account, and an HTTP connection per thread (httplib2 is not safe across threads)."""

    def __init__(self, client: OAuthClient, secrets: Secrets, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._client = client
        self._secrets = secrets
        self._timeout = timeout
        self._credentials: dict[str, Credentials] = {}
        self._local = threading.local()

    def http(self) -> httplib2.Http:
        """This thread's connection."""
        if not hasattr(self._local, "http"):
            self._local.http = httplib2.Http(timeout=self._timeout)
        http: httplib2.Http = self._local.http
        return http

    def authorized(self, account_id: str) -> AuthorizedHttp:
        """This thread's connection with the account's token. Raises `AccessLost` if no token is stored."""
        credentials = self._credentials.get(account_id)
        if credentials is None:
            refresh_token = self._secrets.get(identity.refresh_token_secret("google", account_id))
            credentials = self._credentials[account_id] = self._credentials_for(refresh_token)
        return AuthorizedHttp(credentials, http=self.http())

    def authorized_by(self, refresh_token: str) -> AuthorizedHttp:
        """As `authorized`, for a token that is not stored yet."""
        return AuthorizedHttp(self._credentials_for(refresh_token), http=self.http())

    def kept(self, account_id: str) -> bool:
        """Whether the account's token is in memory, and may be older than the one that is stored."""
        return account_id in self._credentials

    def forget(self, account_id: str) -> None:
        """Drop what is cached, so that a token stored since is used."""
        self._credentials.pop(account_id, None)

    def authorization_url(
        self,
        redirect_uri: str,
        state: str,
        scopes: Sequence[str],
        *,
        challenge: str | None = None,
        nonce: str | None = None,
        login_hint: str | None = None,
        prompt: str | None = "consent",
        offline: bool = True,
    ) -> str:
        query = {
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "access_type": "offline" if offline else None,
            "prompt": prompt,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": None if challenge is None else "S256",
            "nonce": nonce,
            "login_hint": login_hint,
        }
        given = {name: value for name, value in query.items() if value is not None}
        return f"{self._client.auth_url}?{urllib.parse.urlencode(given)}"

    def exchange(self, code: str, redirect_uri: str, verifier: str | None = None) -> Grant:
        form = {
            "code": code,
            "client_id": self._client.client_id,
            "client_secret": self._client.client_secret,
            "redirect_uri": redirect_uri,
            "grant_type": "authorization_code",
        }
        status, content = self._post(
            self._client.token_url, form if verifier is None else {**form, "code_verifier": verifier}
        )
        if status != HTTPStatus.OK:
            raise _refused(status, content)
        answer = _read(content, _TokenAnswer)
        claims = self._claims(answer.id_token)
        return Grant(
            account_id=claims.sub,
            account_email=claims.email,
            email_verified=claims.email_verified,
            nonce=claims.nonce,
            scopes=tuple(answer.scope.split()),
            refresh_token=answer.refresh_token,
        )

    def revoke(self, account_id: str) -> None:
        self.forget(account_id)
        try:
            refresh_token = self._secrets.get(identity.refresh_token_secret("google", account_id))
        except AccessLost:
            return  # Nothing to end it with: whoever took the token away has seen to it, or the person has to.
        # In the body: addresses are logged on the way.
        status, content = self._post(self._client.revoke_url, {"token": refresh_token})
        if status == HTTPStatus.OK or (status == HTTPStatus.BAD_REQUEST and _error_of(content) == "invalid_token"):
            return
        raise Unavailable(f"the revocation endpoint answered {status}")

    def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with token_errors():
            response, content = self.http().request(url, "POST", body=urllib.parse.urlencode(form), headers=headers)
        return int(response.status), content

    def _claims(self, token: str) -> _Claims:
        with token_errors():
            try:
                verified = id_token.verify_token(
                    token, Request(self.http()), audience=self._client.client_id, certs_url=self._client.certs_url
                )
                claims = msgspec.convert(verified, _Claims)
            except (ValueError, TypeError) as error:  # google-auth lets such pass where a token or a key is malformed.
                raise Unavailable(f"Google's ID token could not be read: {type(error).__name__}") from None
        if claims.iss not in ISSUERS:
            raise Unavailable("the ID token is not of Google's making")
        return claims

    def _credentials_for(self, refresh_token: str) -> Credentials:
        return _Credentials(
            token=None,
            refresh_token=refresh_token,
            token_uri=self._client.token_url,
            client_id=self._client.client_id,
            client_secret=self._client.client_secret,
        )


@contextmanager
def token_errors() -> Iterator[None]:
    """Only ``invalid_grant`` and its kin mean that access is lost; everything else passes by itself.

    Source: Google's list of causes for a refresh token to stop working, at "OAuth 2.0 for web server applications".
    """
    try:
        yield
    except RefreshError as error:
        if _code(error) in {"invalid_grant", "deleted_client", "unauthorized_client", "admin_policy_enforced"}:
            raise AccessLost("Google no longer accepts the refresh token") from None
        # Google's word for it tells our own mistakes (``invalid_client``) from what passes.
        raise Unavailable(f"the token endpoint did not give an access token ({_word(error)})") from None
    except (TransportError, httplib2.HttpLib2Error, http.client.HTTPException, OSError) as error:
        raise Unavailable(f"Google could not be reached: {type(error).__name__}") from None
    except GoogleAuthError as error:
        raise Unavailable(f"Google's answer could not be trusted: {type(error).__name__}") from None


_Answer = TypeVar("_Answer")


def _read(content: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(content, type=kind)
    except ValueError:  # Not quoted: it may hold the tokens.
        raise Unavailable("the token endpoint's answer could not be read") from None


def _refused(status: int, content: bytes) -> Unavailable | AccessLost | Misconfigured:
    """What a refusal of the token endpoint means for a code.

    Source: RFC 6749, 5.2, and Google's "OAuth 2.0 for web server applications".
    """
    error = _error_of(content)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS or error is None:
        return Unavailable(f"the token endpoint answered {status}")
    if error in _OUR_MISTAKES:
        return Misconfigured(f"Google did not accept our OAuth client: {error}")
    return AccessLost("Google did not accept the authorization code: start connecting again")


def _error_of(content: bytes) -> str | None:
    """The ``error`` of an OAuth refusal; None where the body is something else."""
    try:
        return msgspec.json.decode(content, type=_Refusal).error
    except ValueError:
        return None


def _word(error: RefreshError) -> str:
    """The code, if it is one: what else answers in place of the endpoint may be anything."""
    code = _code(error)
    return code if code.replace("_", "").isalpha() and len(code) < 40 else "no reason given"  # noqa: PLR2004 - a word


def _code(error: RefreshError) -> str:
    if error.args and str(error.args[0]).startswith("Reauthentication is needed"):
        return "invalid_grant"  # Of the subtype invalid_rapt, which google-auth replaces by this sentence alone.
    for part in error.args:
        if isinstance(part, dict) and "error" in part:
            return str(part["error"])
    return str(error.args[0]).partition(":")[0] if error.args else ""
