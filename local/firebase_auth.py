"""Stands in for Firebase Authentication: the ID tokens that a signed-in front-end sends, and their certificates.

After https://firebase.google.com/docs/auth/admin/verify-id-tokens (third-party JWT library). Its key is its own, as in
the cloud: a token of Google's sign-in is none of Firebase's, nor the other way round.
"""

import functools
import time

from flask import Flask, Response

from local.signing_key import SigningKey

ISSUER_PREFIX = "https://securetoken.google.com/"
CERTS_PATH = "/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
# Seconds. Every Firebase ID token lives for an hour; the client's SDK gets the next one by itself.
LIFETIME = 3600


class FirebaseAuth:
    """Signs for every project, as the real one does; `register` serves the certificates."""

    @functools.cached_property
    def _key(self) -> SigningKey:
        # When it is first used: most simulators never sign anything here, and a key takes its time.
        return SigningKey("local-firebase")

    def register(self, app: Flask) -> None:
        """Adds the certificates' route to the app."""
        app.add_url_rule(CERTS_PATH, view_func=self.certs, endpoint="firebase_certs")

    def certs(self) -> Response:
        """JSON object of key id to PEM certificate; ``max-age`` says how long it may be kept."""
        response = Response(self._key.certs_json(), mimetype="application/json")
        response.headers["Cache-Control"] = "public, max-age=3600, must-revalidate, no-transform"
        return response

    def id_token(
        self,
        project: str,
        *,
        studio_id: str | None,
        user_id: str | None,
        sub: str | None = None,
        expires_in: int = LIFETIME,
        **claims: object,
    ) -> str:
        """What ``getIdToken()`` gives a front-end: a JWT for `project`, with custom claims at the top level.

        `sub` is the Firebase uid, `user_id` unless given: the real service writes the uid into ``user_id`` itself, so
        a token where the two differ is one that it would not sign. `expires_in` is in seconds from now, negative for a
        token that has expired. `claims` add to the others or replace them; None leaves a claim out.
        """
        expires = int(time.time()) + expires_in
        uid = sub if sub is not None else user_id
        every: dict[str, object] = {
            "iss": f"{ISSUER_PREFIX}{project}",
            "aud": project,
            # The moment of the sign-in, not that of this token.
            "auth_time": expires - LIFETIME,
            "user_id": user_id,
            "sub": uid,
            "iat": expires - LIFETIME,
            "exp": expires,
            "firebase": {"identities": {}, "sign_in_provider": "custom"},
            "studio_id": studio_id,
        }
        return self._key.sign({name: value for name, value in (every | claims).items() if value is not None})
