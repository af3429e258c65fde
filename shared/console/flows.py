"""What goes out and comes back through a person's browser: signed, short-lived, and bound to that browser.

state       to Google and back: what for, for whom, how to go on. Good with the browser's own cookie only.
ticket      from a front-end's call to the pop-up that it opens: begins a flow there.
invitation  in a link that an administrator passes on; single use is the service's business.
"""

import base64
import hashlib
import secrets
from typing import Literal, TypeVar

import flask
import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from shared.config import keys
from shared.domain.invitation import INVITATION_LIFE
from shared.http import BadRequestError

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

# Seconds. A person reads Google's page, looks for the password, picks up the phone for the second factor.
FLOW_LIFE = 15 * 60
# A front-end opens the pop-up at once.
TICKET_LIFE = 2 * 60


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One way to Google and back. `nonce` names the cookie with the rest of it.

    `proven`: begun by a signed-in browser. `another`: the person knows that another account will be connected.
    `popup`: the page that comes back tells its opener at `origin`, otherwise the browser goes on to `back`.
    `invitation`: the nonce of the invitation that the person came by. `lasting`: Google was asked for a new lasting
    token, so asking once more would bring no other answer.
    """

    purpose: Literal["connect", "sign_in"]
    nonce: str
    studio_id: str = ""
    user_id: str = ""
    proven: bool = False
    another: bool = False
    popup: bool = False
    origin: str = ""
    back: str = ""
    invitation: str | None = None
    lasting: bool = False


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """What an invitation's link says."""

    studio_id: str
    user_id: str
    nonce: str


class Begun(msgspec.Struct, frozen=True):
    """What Google is to be asked with: the state, and PKCE's challenge."""

    state: str
    challenge: str


class Flows:
    """Signs and reads them. `secure`: cookies go over HTTPS only."""

    def __init__(self, key: str, path: str, *, secure: bool) -> None:
        # The last one signs, each verifies.
        self._keys = keys(key)[::-1]
        self._path = path
        self._secure = secure

    def begin(self, flow: Flow) -> tuple[Begun, "Cookie"]:
        """The state for Google, and the cookie that alone makes it good in this browser."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return Begun(self._sign("state", flow), challenge), Cookie(_name(flow.nonce), verifier)

    def keep(self, cookie: "Cookie", response: Response) -> None:
        value = self._serializer("verifier").dumps(cookie.verifier)
        response.set_cookie(
            cookie.name,
            value if isinstance(value, str) else value.decode(),
            max_age=FLOW_LIFE,
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )

    def end(self, state: str, request: flask.Request) -> tuple[Flow, str]:
        """The flow that comes back, with PKCE's verifier. `forget` it then: it is good once.

        Raises:
            BadRequestError: tampered with, expired, or begun in another browser.
        """
        flow = self._read("state", state, Flow, FLOW_LIFE)
        kept = request.cookies.get(_name(flow.nonce), "")
        try:
            verifier = self._serializer("verifier").loads(kept, max_age=FLOW_LIFE)
        except BadSignature:
            raise BadRequestError(
                "This was begun in another browser, or was finished already, or cookies are blocked. Start again here."
            ) from None
        return flow, str(verifier)

    def forget(self, flow: Flow) -> None:
        """With the answer to this request, whatever that will be: it is good once."""

        def forgotten(response: flask.Response) -> flask.Response:
            response.delete_cookie(
                _name(flow.nonce), path=self._path, secure=self._secure, httponly=True, samesite="Lax"
            )
            return response

        flask.after_this_request(forgotten)

    def ticket(self, flow: Flow) -> str:
        return self._sign("ticket", flow)

    def of_ticket(self, ticket: str) -> Flow:
        """Raises `BadRequestError`."""
        return self._read("ticket", ticket, Flow, TICKET_LIFE)

    def invitation(self, invited: Invited) -> str:
        return self._sign("invitation", invited)

    def of_invitation(self, link: str) -> Invited:
        """Raises `BadRequestError`."""
        return self._read("invitation", link, Invited, int(INVITATION_LIFE.total_seconds()))

    def _sign(self, purpose: str, value: msgspec.Struct) -> str:
        signed = self._serializer(purpose).dumps(msgspec.to_builtins(value))
        return signed if isinstance(signed, str) else signed.decode()

    def _read(self, purpose: str, signed: str, kind: type[_Struct], life: int) -> _Struct:
        try:
            return msgspec.convert(self._serializer(purpose).loads(signed, max_age=life), kind)
        except (BadSignature, msgspec.ValidationError):
            raise BadRequestError("This link is not complete, or no longer good. Start again.") from None

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        """One for each purpose: what is signed for one is no good for another."""
        return URLSafeTimedSerializer(self._keys, salt=f"studio-sync {purpose}")


class Cookie(msgspec.Struct, frozen=True):
    """What the browser keeps of one flow. Never printed: `verifier` is a secret."""

    name: str
    verifier: str

    def __repr__(self) -> str:
        return f"Cookie(name={self.name!r})"


def new_nonce() -> str:
    return secrets.token_urlsafe(24)


def _name(nonce: str) -> str:
    """Of its own for each flow, so that two windows do not spoil each other's."""
    return f"flow-{nonce[:16]}"
