"""Tokens of the simulated Google and the clients that get them: what lives, and all that was ever handed out."""

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

# Seconds. The documented sample says 3920, the usual answer is 3599: nobody may rely on 3600.
ACCESS_TOKEN_LIFETIME = 3599
# "100 refresh tokens per Google Account per OAuth 2.0 client ID": the oldest dies without a word.
MAX_REFRESH_TOKENS = 100
# "The refresh token has not been used for six months."
REFRESH_TOKEN_IDLE = dt.timedelta(days=183)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A registered web client. `refresh_token_lifetime` None: no limit; 7 days for a project in testing.

    `organization`: the only domain whose accounts may use it, for a project that is internal to one.
    """

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    name: str
    project: str
    refresh_token_lifetime: dt.timedelta | None = None
    organization: str | None = None


@dataclass(slots=True)
class Token:
    """An access or refresh token that lives; `expires` None: by itself it never ends."""

    sub: str
    client: OAuthClient
    scopes: tuple[str, ...]
    expires: dt.datetime | None
    used: dt.datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """Every secret text that was ever handed out, the oldest first, whatever has become of it since."""

    codes: tuple[str, ...]
    access_tokens: tuple[str, ...]
    refresh_tokens: tuple[str, ...]
    id_tokens: tuple[str, ...]

    def all(self) -> tuple[str, ...]:
        """All of them, for a search."""
        return self.codes + self.access_tokens + self.refresh_tokens + self.id_tokens


@dataclass(slots=True)
class _Record:
    codes: list[str] = field(default_factory=list)
    access: list[str] = field(default_factory=list)
    refresh: list[str] = field(default_factory=list)
    id: list[str] = field(default_factory=list)


class Tokens:
    """Access and refresh tokens by their text. Not locked: `Accounts` is."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        self._now = now
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}  # Oldest first.
        self._record = _Record()

    def issued(self) -> Issued:
        """All that was ever handed out."""
        record = self._record
        return Issued(tuple(record.codes), tuple(record.access), tuple(record.refresh), tuple(record.id))

    def new_code(self) -> str:
        """The text of an authorization code; what it stands for is its giver's to remember."""
        text = "4/0" + secrets.token_urlsafe(32)
        self._record.codes.append(text)
        return text

    def put_on_record(self, id_token: str) -> None:
        """An ID token that was handed out."""
        self._record.id.append(id_token)

    def new_access(self, sub: str, client: OAuthClient, scopes: tuple[str, ...], *, lasting: bool = False) -> str:
        """A new access token; a `lasting` one does not expire."""
        text = "ya29." + secrets.token_urlsafe(48)
        now = self._now()
        expires = None if lasting else now + dt.timedelta(seconds=ACCESS_TOKEN_LIFETIME)
        self._access[text] = Token(sub, client, scopes, expires, now)
        self._record.access.append(text)
        return text

    def new_refresh(self, sub: str, client: OAuthClient, scopes: tuple[str, ...]) -> str:
        """A new refresh token; the account's oldest for this client ends if there are too many."""
        own = [
            text
            for text, token in self._refresh.items()
            if token.sub == sub and token.client.client_id == client.client_id
        ]
        for text in own[: max(0, len(own) - MAX_REFRESH_TOKENS + 1)]:
            del self._refresh[text]
        text = "1//0" + secrets.token_urlsafe(48)
        now = self._now()
        expires = now + client.refresh_token_lifetime if client.refresh_token_lifetime else None
        self._refresh[text] = Token(sub, client, scopes, expires, now)
        self._record.refresh.append(text)
        return text

    def access(self, text: str) -> Token | None:
        """The access token, if it has neither ended nor expired."""
        token = self._access.get(text)
        return None if token is None or self._expired(token) else token

    def refresh(self, text: str) -> Token | None:
        """The refresh token, if it has not ended, nor expired, nor gone unused for too long."""
        token = self._refresh.get(text)
        if token is None or self._expired(token) or self._now() - token.used > REFRESH_TOKEN_IDLE:
            return None
        return token

    def end(self, which: Callable[[Token], bool], *, access_only: bool = False) -> None:
        """Ends the tokens that are meant."""
        for kind in (self._access,) if access_only else (self._access, self._refresh):
            for text in [text for text, token in kind.items() if which(token)]:
                del kind[text]

    def _expired(self, token: Token) -> bool:
        return token.expires is not None and self._now() >= token.expires
