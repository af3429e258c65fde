"""Who is who at the simulated Google: accounts, OAuth clients, consents, and every token that was ever handed out.

Rules after https://developers.google.com/identity/protocols/oauth2 and .../oauth2/web-server. No HTTP here.
"""

import base64
import datetime as dt
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

CODE_LIFETIME = dt.timedelta(minutes=10)
# Seconds. The documented sample says 3920, the usual answer is 3599: nobody may rely on 3600.
ACCESS_TOKEN_LIFETIME = 3599
# "100 refresh tokens per Google Account per OAuth 2.0 client ID": the oldest dies without a word.
MAX_REFRESH_TOKENS = 100
# "The refresh token has not been used for six months."
REFRESH_TOKEN_IDLE = dt.timedelta(days=183)
# Short scope names are spelled out in the token's answer: the granted scopes are not always the strings asked for.
SPELLED_OUT = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}
SIGN_IN_SCOPES = frozenset({"openid", "email", "profile", *SPELLED_OUT.values()})
# Google's own calendar page: trusted, all scopes, and no quota or fault of a test hits it.
UI_CLIENT_ID = "google-calendar-ui"


@dataclass(frozen=True, slots=True)
class Account:
    """A Google account. `sub` never changes; the others may. `time_zone` is that of the primary calendar."""

    sub: str
    email: str
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A registered web client. `refresh_token_lifetime` None: no limit; 7 days for a project in testing."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    name: str
    project: str
    refresh_token_lifetime: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token stands for."""

    account: Account
    client_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """The outcome of a token request; lifetimes in seconds, `scopes` as granted."""

    account: Account
    access_token: str
    scopes: tuple[str, ...]
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None
    nonce: str | None = None
    expires_in: int = ACCESS_TOKEN_LIFETIME


class OAuthError(Exception):
    """An OAuth refusal: `error` and `description` as in RFC 6749, `subtype` is Google's ``error_subtype``."""

    def __init__(self, error: str, description: str, *, status: int = 400, subtype: str | None = None) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.subtype = subtype


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to on the consent page: the scopes are those left ticked."""

    account: Account
    client: OAuthClient
    redirect_uri: str
    scopes: tuple[str, ...]
    offline: bool
    prompt_consent: bool
    include_granted: bool
    code_challenge: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class _Code:
    consent: Consent
    scopes: tuple[str, ...]
    with_refresh_token: bool
    expires: dt.datetime


@dataclass(slots=True)
class _Token:
    account: Account
    client: OAuthClient
    scopes: tuple[str, ...]
    expires: dt.datetime | None
    used: dt.datetime


@dataclass(slots=True)
class _Tokens:
    codes: dict[str, _Code] = field(default_factory=dict)
    access: dict[str, _Token] = field(default_factory=dict)
    refresh: dict[str, _Token] = field(default_factory=dict)  # Oldest first.
    consented: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)  # (email, client id) -> scopes.


class Accounts:
    """All of it, behind the simulator's lock."""

    def __init__(self, lock: threading.RLock, now: Callable[[], dt.datetime]) -> None:
        self._lock = lock
        self._now = now
        self._accounts: dict[str, Account] = {}
        self._clients: dict[str, OAuthClient] = {}
        self._tokens = _Tokens()
        self._refused: dict[str, OAuthError] = {}
        self._ui_tokens: dict[str, str] = {}

    def add(self, email: str, name: str, time_zone: str) -> Account:
        """A new account; raises ValueError if the address is taken."""
        with self._lock:
            if email in self._accounts:
                raise ValueError(f"there is an account {email} already")
            # 21 digits, as Google's are; stable over restarts, so that saved state finds its account again.
            digest = hashlib.sha256(email.encode()).hexdigest()
            account = Account("1" + str(int(digest, 16))[:20], email, name, time_zone)
            self._accounts[email] = account
            return account

    def add_client(self, client: OAuthClient) -> None:
        """Registers, or replaces, an OAuth client."""
        with self._lock:
            self._clients[client.client_id] = client

    def remove_client(self, client_id: str) -> None:
        """From now on token requests answer ``deleted_client``, as for a client idle for six months."""
        with self._lock:
            self._clients.pop(client_id)

    def all(self) -> list[Account]:
        """In the order in which they were added."""
        with self._lock:
            return list(self._accounts.values())

    def get(self, email: str) -> Account | None:
        """The account with this address."""
        return self._accounts.get(email)

    def client(self, client_id: str) -> OAuthClient | None:
        """The registered client."""
        return self._clients.get(client_id)

    def granted(self, email: str, client_id: str) -> tuple[str, ...] | None:
        """The scopes that the account granted to the client; None if it never saw its consent page."""
        return self._tokens.consented.get((email, client_id))

    def refuse_tokens(self, email: str, error: str = "invalid_grant", subtype: str | None = None) -> None:
        """Every refresh of the account fails from now on: ``admin_policy_enforced``, subtype ``invalid_rapt``..."""
        description = "Token has been expired or revoked." if error == "invalid_grant" else error
        if subtype is not None:
            description = f"reauth related error ({subtype})"
        self._refused[email] = OAuthError(error, description, subtype=subtype)

    def allow_tokens(self, email: str) -> None:
        """Ends `refuse_tokens`."""
        self._refused.pop(email, None)

    def issue_code(self, consent: Consent) -> str:
        """The one-time code for the redirect.

        A refresh token will come with it only if access is offline and the account consents to this client for the
        first time, or was asked with ``prompt=consent``.
        """
        key = (consent.account.email, consent.client.client_id)
        with self._lock:
            earlier = self._tokens.consented.get(key)
            project = {
                scope
                for (email, client_id), scopes in self._tokens.consented.items()
                if email == key[0] and self._project(client_id) == consent.client.project
                for scope in scopes
            }
            scopes = consent.scopes
            if consent.include_granted:
                scopes = _union(scopes, sorted(project))
            self._tokens.consented[key] = _union(earlier or (), consent.scopes)
            code = "4/0" + secrets.token_urlsafe(32)
            self._tokens.codes[code] = _Code(
                consent=consent,
                scopes=scopes,
                with_refresh_token=consent.offline and (earlier is None or consent.prompt_consent),
                expires=self._now() + CODE_LIFETIME,
            )
            return code

    def exchange(
        self, client_id: str, client_secret: str, code: str, redirect_uri: str, verifier: str | None
    ) -> TokenAnswer:
        """``grant_type=authorization_code``. A code works once, even if the exchange is refused."""
        with self._lock:
            client = self._authenticated(client_id, client_secret)
            issued = self._tokens.codes.pop(code, None)
            if issued is None or issued.consent.client.client_id != client_id or self._now() >= issued.expires:
                raise OAuthError("invalid_grant", "Malformed auth code.")
            consent = issued.consent
            if consent.redirect_uri != redirect_uri:
                raise OAuthError("redirect_uri_mismatch", "Bad Request")
            if consent.code_challenge is not None and consent.code_challenge != _s256(verifier or ""):
                raise OAuthError("invalid_grant", "Invalid code verifier.")
            refresh_token = None
            if issued.with_refresh_token:
                refresh_token = self._new_refresh_token(consent.account, client, issued.scopes)
            lifetime = client.refresh_token_lifetime if refresh_token else None
            return TokenAnswer(
                account=consent.account,
                access_token=self._new_access_token(consent.account, client, issued.scopes),
                scopes=issued.scopes,
                refresh_token=refresh_token,
                refresh_token_expires_in=int(lifetime.total_seconds()) if lifetime else None,
                nonce=consent.nonce,
            )

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> TokenAnswer:
        """``grant_type=refresh_token``: a new access token; the refresh token stays the same."""
        with self._lock:
            client = self._authenticated(client_id, client_secret)
            token = self._tokens.refresh.get(refresh_token)
            if token is None or token.client.client_id != client_id:
                raise OAuthError("invalid_grant", "Token has been expired or revoked.")
            if token.account.email in self._refused:
                raise self._refused[token.account.email]
            now = self._now()
            if (token.expires is not None and now >= token.expires) or now - token.used > REFRESH_TOKEN_IDLE:
                raise OAuthError("invalid_grant", "Token has been expired or revoked.")
            token.used = now
            access_token = self._new_access_token(token.account, client, token.scopes)
            return TokenAnswer(token.account, access_token, token.scopes)

    def revoke(self, token: str) -> None:
        """Removes all that the token's account granted to the token's whole project, for all its clients."""
        with self._lock:
            found = self._tokens.refresh.get(token) or self._tokens.access.get(token)
            if found is None:
                raise OAuthError("invalid_token", "Token expired or revoked")
            self.remove_access(found.account.email, found.client.project)

    def remove_access(self, email: str, project: str) -> None:
        """What the account's owner does under "Third-party apps with account access", or `revoke` does for them."""
        with self._lock:
            tokens = self._tokens
            for kind in (tokens.access, tokens.refresh):
                gone = [
                    text
                    for text, token in kind.items()
                    if token.account.email == email and token.client.project == project
                ]
                for text in gone:
                    del kind[text]
            for key in [key for key in tokens.consented if key[0] == email and self._project(key[1]) == project]:
                del tokens.consented[key]

    def expire_access_tokens(self, email: str | None = None) -> None:
        """Apps' access tokens (of one account, or all) are refused from now on; refresh tokens live on."""
        with self._lock:
            access = self._tokens.access
            for text, token in list(access.items()):
                if email in {None, token.account.email} and token.client.client_id != UI_CLIENT_ID:
                    del access[text]

    def ui_token(self, email: str, scopes: Iterable[str]) -> str:
        """The access token of Google's own calendar page, which does not expire. KeyError: no such account."""
        with self._lock:
            if email not in self._ui_tokens:
                client = OAuthClient(UI_CLIENT_ID, "", (), "Google Calendar", "google")
                token = self._new_access_token(self._accounts[email], client, tuple(scopes), lasting=True)
                self._ui_tokens[email] = token
            return self._ui_tokens[email]

    def grant_of(self, access_token: str) -> Grant | None:
        """What the token stands for; None if it is unknown, revoked or expired."""
        with self._lock:
            token = self._tokens.access.get(access_token)
            if token is None or (token.expires is not None and self._now() >= token.expires):
                return None
            return Grant(token.account, token.client.client_id, frozenset(token.scopes))

    def _authenticated(self, client_id: str, client_secret: str) -> OAuthClient:
        client = self._clients.get(client_id)
        if client is None:
            known = any(token.client.client_id == client_id for token in self._tokens.refresh.values())
            if known:
                raise OAuthError("deleted_client", "The OAuth client was deleted.", status=401)
            raise OAuthError("invalid_client", "The OAuth client was not found.", status=401)
        if not secrets.compare_digest(client.client_secret, client_secret):
            raise OAuthError("invalid_client", "Unauthorized", status=401)
        return client

    def _project(self, client_id: str) -> str | None:
        client = self._clients.get(client_id)
        return client.project if client else None

    def _new_access_token(
        self, account: Account, client: OAuthClient, scopes: tuple[str, ...], *, lasting: bool = False
    ) -> str:
        text = "ya29." + secrets.token_urlsafe(48)
        now = self._now()
        expires = None if lasting else now + dt.timedelta(seconds=ACCESS_TOKEN_LIFETIME)
        self._tokens.access[text] = _Token(account, client, scopes, expires, now)
        return text

    def _new_refresh_token(self, account: Account, client: OAuthClient, scopes: tuple[str, ...]) -> str:
        refresh = self._tokens.refresh
        own = [
            text
            for text, token in refresh.items()
            if token.account == account and token.client.client_id == client.client_id
        ]
        for text in own[: max(0, len(own) - MAX_REFRESH_TOKENS + 1)]:
            del refresh[text]
        text = "1//0" + secrets.token_urlsafe(48)
        now = self._now()
        expires = now + client.refresh_token_lifetime if client.refresh_token_lifetime else None
        refresh[text] = _Token(account, client, scopes, expires, now)
        return text


def _union(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _s256(verifier: str) -> str:
    """RFC 7636, 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
