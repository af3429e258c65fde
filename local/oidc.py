"""Signs the tokens of the local stack: caller identities (OIDC) and the ID tokens of the simulated Google.

One RSA key per stack. Its public half is served as Google serves its own, a JSON object of key id to PEM
certificate, so that ``google.oauth2.id_token.verify_token(..., certs_url=...)`` runs the same code as in the cloud.
"""

import datetime as dt
import json
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

# What Google writes into the `iss` of every ID token it signs.
ISSUER = "https://accounts.google.com"
KEY_ID = "local-stack"


class Signer:
    """Holds the private key of one local stack; makes tokens that live for an hour."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Studio Sync local stack")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=365))
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        self._signer = crypt.RSASigner.from_string(private, KEY_ID)
        self._certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def certs_json(self) -> str:
        """The body of ``GET /oauth2/v1/certs``: JSON object of key id to PEM certificate."""
        return json.dumps({KEY_ID: self._certificate})

    def caller_token(self, service_account: str, audience: str) -> str:
        """The OIDC token that Cloud Tasks, Cloud Scheduler or Eventarc would send as ``Authorization: Bearer``."""
        return self.id_token({"sub": service_account, "email": service_account, "email_verified": True}, audience)

    def id_token(self, claims: dict[str, object], audience: str) -> str:
        """A signed JWT with `claims`, for `audience`, valid for one hour from now."""
        now = int(time.time())
        payload = {"iss": ISSUER, "aud": audience, "iat": now, "exp": now + 3600, **claims}
        signed: bytes = jwt.encode(self._signer, payload)
        return signed.decode()
