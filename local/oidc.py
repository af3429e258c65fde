"""Signs the tokens of the local stack: caller identities (OIDC) and the ID tokens of the simulated Google.

One RSA key per stack. Its public half is served as Google serves its own, a JSON object of key id to PEM
certificate, so that ``google.oauth2.id_token.verify_token(..., certs_url=...)`` runs the same code as in the cloud.
"""

import time

from local.signing_key import SigningKey

# What Google writes into the `iss` of every ID token it signs.
ISSUER = "https://accounts.google.com"


class Signer:
    """Holds the private key of one local stack; makes tokens that live for an hour."""

    def __init__(self) -> None:
        self._key = SigningKey("local-stack")

    def certs_json(self) -> str:
        """The body of ``GET /oauth2/v1/certs``: JSON object of key id to PEM certificate."""
        return self._key.certs_json()

    def caller_token(self, service_account: str, audience: str) -> str:
        """The OIDC token that Cloud Tasks, Cloud Scheduler or Eventarc would send as ``Authorization: Bearer``."""
        return self.id_token({"sub": service_account, "email": service_account, "email_verified": True}, audience)

    def id_token(self, claims: dict[str, object], audience: str) -> str:
        """A signed JWT with `claims`, for `audience`, valid for one hour from now."""
        now = int(time.time())
        return self._key.sign({"iss": ISSUER, "aud": audience, "iat": now, "exp": now + 3600, **claims})
