"""Who is who at the simulated Google: accounts, OAuth clients, consents, and what their tokens are good for.

Rules after https://developers.google.com/identity/protocols/oauth2 and .../oauth2/web-server. No HTTP here.
"""

import base64
import datetime as dt
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from local.google.tokens import ACCESS_TOKEN_LIFETIME, Issued, OAuthClient, Token, Tokens

CODE_LIFETIME = dt.timedelta(minutes=10)

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
    """A Google account. `sub` never changes, nor does `calendar_id`, which is the address that it was made with.

    `time_zone` is that of the primary calendar; `domain` is the Workspace that the account belongs to.
    """

    sub: str
    email: str
    name: str
    time_zone: str
    calendar_id: str
    email_verified: bool = True
    domain: str | None = None


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
    client_id: str
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


class Accounts:
    """All of it, behind the simulator's lock. An account is named by its present address."""

    def __init__(self, lock: threading.RLock, now: Callable[[], dt.datetime]) -> None:
        self._lock = lock
        self._now = now
        self._accounts: dict[str, Account] = {}  # By `sub`.
        self._clients: dict[str, OAuthClient] = {}
        self._removed: set[str] = set()
        self._tokens = Tokens(now)
        self._codes: dict[str, _Code] = {}
        self._consented: dict[tuple[str, str], tuple[str, ...]] = {}  # (sub, client id) -> scopes.
        self._refused: dict[str, OAuthError] = {}
        self._ui_tokens: dict[str, str] = {}

    # Who there is.

    def add(
        self, email: str, name: str, time_zone: str, *, email_verified: bool = True, domain: str | None = None
    ) -> Account:
        """A new account; raises ValueError if the address is or was another's."""
        with self._lock:
            # 21 digits, as Google's are; stable over restarts, so that saved state finds its account again.
            sub = "1" + str(int(hashlib.sha256(email.encode()).hexdigest(), 16))[:20]
            if sub in self._accounts or self.get(email) is not None:
                raise ValueError(f"there is an account {email} already")
            account = Account(sub, email, name, time_zone, email, email_verified, domain)
            self._accounts[sub] = account
            return account

    def change_email(self, email: str, new: str, *, verified: bool = True) -> Account:
        """The account gets another address. It stays the same account: `sub`, consents, tokens and calendars live on.

        What becomes of the primary calendar's id is not documented; here it stays.
        """
        with self._lock:
            if self.get(new) is not None:
                raise ValueError(f"there is an account {new} already")
            account = replace(self._known(email), email=new, email_verified=verified)
            self._accounts[account.sub] = account
            return account

    def all(self) -> list[Account]:
        """In the order in which they were added."""
        with self._lock:
            return list(self._accounts.values())

    def get(self, email: str) -> Account | None:
        """The account with this address."""
        with self._lock:
            return next((account for account in self._accounts.values() if account.email == email), None)

    def add_client(self, client: OAuthClient) -> None:
        """Registers, or replaces, an OAuth client."""
        with self._lock:
            self._clients[client.client_id] = client
            self._removed.discard(client.client_id)

    def remove_client(self, client_id: str) -> None:
        """From now on token requests answer ``deleted_client``, as for a client idle for six months."""
        with self._lock:
            self._removed.add(client_id)

    def client(self, client_id: str) -> OAuthClient | None:
        """The registered client."""
        return None if client_id in self._removed else self._clients.get(client_id)

    # What was granted.

    def granted(self, email: str, client_id: str) -> tuple[str, ...] | None:
        """The scopes that the account granted to the client; None if it never saw its consent page."""
        account = self.get(email)
        return None if account is None else self._consented.get((account.sub, client_id))

    def consented(self) -> list[tuple[Account, OAuthClient]]:
        """Who has granted something to which app."""
        with self._lock:
            return [(self._accounts[sub], self._clients[client_id]) for sub, client_id in self._consented]

    def issued(self) -> Issued:
        """Every code and token that was ever handed out, also those that were used, revoked or have expired."""
        with self._lock:
            return self._tokens.issued()

    def put_on_record(self, id_token: str) -> None:
        """An ID token that goes out, for `issued`."""
        with self._lock:
            self._tokens.put_on_record(id_token)

    def check_allowed(self, account: Account, client: OAuthClient) -> None:
        """Raises where the account's organization, or the client's, does not let it through: shown, not redirected."""
        if client.organization not in {None, account.domain}:
            raise OAuthError("org_internal", f"{client.name} is for users of its organization only.", status=403)
        refusal = self._refused.get(account.sub)
        if refusal is not None and refusal.error == "admin_policy_enforced":
            raise refusal

    def issue_code(self, consent: Consent) -> str:
        """The one-time code for the redirect.

        A refresh token will come with it only if access is offline and the account consents to this client for the
        first time, or was asked with ``prompt=consent``.
        """
        sub, client_id = consent.account.sub, consent.client.client_id
        with self._lock:
            earlier = self._consented.get((sub, client_id))
            scopes = consent.scopes
            if consent.include_granted:
                whole = {s for key in self._of_project(sub, consent.client.project) for s in self._consented[key]}
                scopes = _union(scopes, sorted(whole))
            self._consented[sub, client_id] = _union(earlier or (), consent.scopes)
            code = self._tokens.new_code()
            self._codes[code] = _Code(
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
            issued = self._codes.pop(code, None)
            if issued is None or issued.consent.client.client_id != client_id or self._now() >= issued.expires:
                raise OAuthError("invalid_grant", "Malformed auth code.")
            consent = issued.consent
            if consent.redirect_uri != redirect_uri:
                raise OAuthError("redirect_uri_mismatch", "Bad Request")
            _check_verifier(consent.code_challenge, verifier)
            account = self._accounts[consent.account.sub]
            refresh_token = None
            if issued.with_refresh_token:
                refresh_token = self._tokens.new_refresh(account.sub, client, issued.scopes)
            lifetime = client.refresh_token_lifetime if refresh_token else None
            return TokenAnswer(
                account=account,
                client_id=client_id,
                access_token=self._tokens.new_access(account.sub, client, issued.scopes),
                scopes=issued.scopes,
                refresh_token=refresh_token,
                refresh_token_expires_in=int(lifetime.total_seconds()) if lifetime else None,
                nonce=consent.nonce,
            )

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> TokenAnswer:
        """``grant_type=refresh_token``: a new access token; the refresh token stays the same."""
        with self._lock:
            client = self._authenticated(client_id, client_secret)
            token = self._tokens.refresh(refresh_token)
            if token is None or token.client.client_id != client_id:
                raise OAuthError("invalid_grant", "Token has been expired or revoked.")
            if token.sub in self._refused:
                raise self._refused[token.sub]
            token.used = self._now()
            access_token = self._tokens.new_access(token.sub, client, token.scopes)
            return TokenAnswer(self._accounts[token.sub], client_id, access_token, token.scopes)

    def ui_token(self, email: str, scopes: Iterable[str]) -> str:
        """The access token of Google's own calendar page, which does not expire. KeyError: no such account."""
        with self._lock:
            sub = self._known(email).sub
            if sub not in self._ui_tokens:
                client = OAuthClient(UI_CLIENT_ID, "", (), "Google Calendar", "google")
                self._ui_tokens[sub] = self._tokens.new_access(sub, client, tuple(scopes), lasting=True)
            return self._ui_tokens[sub]

    def grant_of(self, access_token: str) -> Grant | None:
        """What the token stands for; None if it is unknown, revoked or expired."""
        with self._lock:
            token = self._tokens.access(access_token)
            if token is None:
                return None
            return Grant(self._accounts[token.sub], token.client.client_id, frozenset(token.scopes))

    # How it ends.

    def revoke(self, token: str) -> None:
        """Removes all that the token's account granted to the token's whole project, for all its clients."""
        with self._lock:
            found = self._tokens.refresh(token) or self._tokens.access(token)
            if found is None:
                raise OAuthError("invalid_token", "Token expired or revoked")
            self._remove_access(found.sub, found.client.project)

    def remove_access(self, email: str, project: str) -> None:
        """What the account's owner does under "Third-party apps with account access", or `revoke` does for them."""
        with self._lock:
            self._remove_access(self._known(email).sub, project)

    def change_password(self, email: str) -> None:
        """All tokens that reach further than the sign-in end; what was consented to stays so.

        Documented for tokens with Gmail scopes only; harsher here, so that it is met with the scopes that we ask for.
        """
        with self._lock:
            self._end(lambda token: not set(token.scopes) <= SIGN_IN_SCOPES, self._known(email).sub)

    def refuse_tokens(self, email: str, error: str = "invalid_grant", subtype: str | None = None) -> None:
        """Every refresh of the account fails from now on: ``admin_policy_enforced``, subtype ``invalid_rapt``..."""
        description = "Token has been expired or revoked." if error == "invalid_grant" else error
        if subtype is not None:
            description = f"reauth related error ({subtype})"
        self._refused[self._known(email).sub] = OAuthError(error, description, subtype=subtype)

    def allow_tokens(self, email: str) -> None:
        """Ends `refuse_tokens`."""
        self._refused.pop(self._known(email).sub, None)

    def expire_access_tokens(self, email: str | None = None) -> None:
        """Apps' access tokens (of one account, or all) are refused from now on; refresh tokens live on."""
        with self._lock:
            sub = None if email is None else self._known(email).sub
            self._end(lambda _: True, sub, access_only=True)

    def _remove_access(self, sub: str, project: str) -> None:
        self._end(lambda token: token.client.project == project, sub)
        for key in self._of_project(sub, project):
            del self._consented[key]
        for text, code in list(self._codes.items()):
            if code.consent.account.sub == sub and code.consent.client.project == project:
                del self._codes[text]

    def _end(self, which: Callable[[Token], bool], sub: str | None, *, access_only: bool = False) -> None:
        """Ends apps' tokens, of one account or of all; Google's own page is no app."""
        self._tokens.end(
            lambda token: sub in {None, token.sub} and token.client.client_id != UI_CLIENT_ID and which(token),
            access_only=access_only,
        )

    def _of_project(self, sub: str, project: str) -> list[tuple[str, str]]:
        """The consents of the account to the project's clients."""
        clients = {client_id for client_id, client in self._clients.items() if client.project == project}
        return [key for key in self._consented if key[0] == sub and key[1] in clients]

    def _known(self, email: str) -> Account:
        account = self.get(email)
        if account is None:
            raise KeyError(email)
        return account

    def _authenticated(self, client_id: str, client_secret: str) -> OAuthClient:
        if client_id in self._removed:
            raise OAuthError("deleted_client", "The OAuth client was deleted.", status=401)
        client = self._clients.get(client_id)
        if client is None:
            raise OAuthError("invalid_client", "The OAuth client was not found.", status=401)
        if not secrets.compare_digest(client.client_secret, client_secret):
            raise OAuthError("invalid_client", "Unauthorized", status=401)
        return client


def _union(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """RFC 7636, 4.2 and 4.6; the texts are Google's as users report them."""
    if challenge is None:
        if verifier is not None:
            raise OAuthError("invalid_grant", "code_verifier or verifier is not needed.")
        return
    if verifier is None:
        raise OAuthError("invalid_grant", "Missing code verifier.")
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if not secrets.compare_digest(digest, challenge):
        raise OAuthError("invalid_grant", "Invalid code verifier.")
