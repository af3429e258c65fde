"""An RSA key that signs JWTs, and its certificate as Google publishes its own."""

import datetime as dt
import json
from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt


class SigningKey:
    """A new private key, under the `key_id` that goes into each token's ``kid``."""

    def __init__(self, key_id: str) -> None:
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
        self._signer = crypt.RSASigner.from_string(private, key_id)
        self._certificates = {key_id: certificate.public_bytes(serialization.Encoding.PEM).decode()}

    def certs_json(self) -> str:
        """JSON object of key id to PEM certificate: what google-auth's ``verify_token`` reads at its `certs_url`."""
        return json.dumps(self._certificates)

    def sign(self, claims: Mapping[str, object]) -> str:
        """A JWT, RS256."""
        signed: bytes = jwt.encode(self._signer, dict(claims))
        return signed.decode()
