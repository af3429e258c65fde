"""Google's accounts: the `Consent` port, and access tokens for the calendar, cached until shortly before they expire.

google-auth refreshes a token when it is within its own safety margin (some minutes) of expiring, so one kept object
per account is the cache.
"""

import json
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httplib2
import msgspec
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp, Request

from shared.domain import identity
from shared.domain.errors import AccessLost, Unavailable
from shared.ports import Grant, Secrets

# Google's own limit for an answer is longer; a run has better things to do than to wait for it.
TIMEOUT_SECONDS = 30


class OAuthClient(msgspec.Struct, frozen=True):
    """Our registration with Google, and where Google's endpoints are."""

    client_id: str
    client_secret: str
    auth_url: str
    token_url: str
    certs_url: str

    def __repr__(self) -> str:
        return f"OAuthClient(client_id={self.client_id!r})"


class GoogleAccounts:
    """Credentials by account, and an HTTP connection per thread (httplib2 is not safe across threads)."""

    def __init__(self, client: OAuthClient, secrets: Secrets) -> None:
        self._client = client
        self._secrets = secrets
        self._credentials: dict[str, Credentials] = {}
        self._local = threading.local()

    def http(self) -> httplib2.Http:
        """This thread's connection."""
        if not hasattr(self._local, "http"):
            self._local.http = httplib2.Http(timeout=TIMEOUT_SECONDS)
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

    def authorization_url(self, redirect_uri: str, state: str, scopes: Sequence[str]) -> str:
        """Where a person's browser goes to give consent. ``prompt=consent``: a refresh token comes only with it."""
        query = {
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "access_type": "offline",
            "prompt": "consent",
            "state": state,
        }
        return f"{self._client.auth_url}?{urllib.parse.urlencode(query)}"

    def exchange(self, code: str, redirect_uri: str) -> Grant:
        form = {
            "code": code,
            "client_id": self._client.client_id,
            "client_secret": self._client.client_secret,
            "redirect_uri": redirect_uri,
            "grant_type": "authorization_code",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with token_errors():
            response, content = self.http().request(
                self._client.token_url, "POST", body=urllib.parse.urlencode(form), headers=headers
            )
        if response.status >= 500:  # noqa: PLR2004 - any server error
            raise Unavailable(f"the token endpoint answered {response.status}")
        if response.status != 200:  # noqa: PLR2004 - OK
            raise AccessLost("Google did not accept the authorization code: start connecting again")
        answer = json.loads(content)
        claims = self._claims(answer["id_token"])
        return Grant(
            account_id=str(claims["sub"]),
            account_email=str(claims.get("email", "")),
            scopes=tuple(str(answer.get("scope", "")).split()),
            refresh_token=answer.get("refresh_token"),
        )

    def _claims(self, token: str) -> dict[str, Any]:
        with token_errors():
            claims: dict[str, Any] = id_token.verify_token(
                token, Request(self.http()), audience=self._client.client_id, certs_url=self._client.certs_url
            )
        return claims

    def _credentials_for(self, refresh_token: str) -> Credentials:
        return Credentials(
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
        raise Unavailable("the token endpoint did not give an access token") from None
    except (TransportError, httplib2.HttpLib2Error, OSError) as error:
        raise Unavailable(f"Google could not be reached: {type(error).__name__}") from None
    except GoogleAuthError as error:
        raise Unavailable(f"Google's answer could not be trusted: {type(error).__name__}") from None


def _code(error: RefreshError) -> str:
    for part in error.args:
        if isinstance(part, dict) and "error" in part:
            return str(part["error"])
    return str(error.args[0]).partition(":")[0] if error.args else ""
