"""What people do with the local stack: write a studio's documents, and give their consent to Google."""

import datetime as dt
import urllib.parse
from typing import Any

from google.cloud import firestore

from local.google.consent import consent
from shared.domain.account import SCOPES
from shared.services.accounts import Connected
from shared.services.connecting import connect
from shared.wiring import Wiring


class FrontEnd:
    """Writes a studio's documents as the contract asks: field by field, ``updated_at`` with every write."""

    def __init__(self, client: firestore.Client, studio_id: str) -> None:
        self.studio_id = studio_id
        self._studio = client.collection("studios").document(studio_id)

    def make_studio(self, **fields: Any) -> None:
        self._studio.set({"name": self.studio_id, "edition": "professional", "time_zone": "Europe/Berlin", **fields})

    def studio(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._studio.get().to_dict()
        return found

    def set_studio(self, **fields: Any) -> None:
        """Change settings of the studio; names may be dotted: ``**{"sync.enabled": False}``."""
        self._studio.update(fields)

    def erase_studio(self) -> None:
        """The document only: what lies below it stays."""
        self._studio.delete()

    def add_user(self, user_id: str, email: str, **sync: Any) -> None:
        """A schedulable user; `sync` are settings such as ``two_way_appointments=True``."""
        settings = {"enabled": True, **sync}
        fields = {"name": user_id.title(), "email": email, "role": "staff", "schedulable": True, "sync": settings}
        self._studio.collection("users").document(user_id).set(fields)

    def make_administrator(self, user_id: str) -> None:
        self._studio.collection("users").document(user_id).update({"role": "admin"})

    def set_up(self, user_id: str, **sync: Any) -> None:
        """Change settings of a user."""
        self._studio.collection("users").document(user_id).update({f"sync.{key}": sync[key] for key in sync})

    def erase_user(self, user_id: str) -> None:
        self._studio.collection("users").document(user_id).delete()

    def user(self, user_id: str) -> dict[str, Any]:
        return self._studio.collection("users").document(user_id).get().to_dict() or {}

    def book(self, appointment_id: str, **fields: Any) -> None:
        """A new appointment."""
        document = {"kind": "appointment", "status": "confirmed", **fields, "updated_at": firestore.SERVER_TIMESTAMP}
        self._studio.collection("appointments").document(appointment_id).set(document)

    def book_many(self, appointments: dict[str, dict[str, Any]]) -> None:
        writer = self._studio._client.bulk_writer()  # noqa: SLF001 - the client that we were given
        for appointment_id, fields in appointments.items():
            document = {
                "kind": "appointment",
                "status": "confirmed",
                **fields,
                "updated_at": firestore.SERVER_TIMESTAMP,
            }
            writer.set(self._studio.collection("appointments").document(appointment_id), document)
        writer.close()

    def edit(self, appointment_id: str, **fields: Any) -> None:
        changes = {**fields, "updated_at": firestore.SERVER_TIMESTAMP}
        self._studio.collection("appointments").document(appointment_id).update(changes)

    def erase(self, appointment_id: str) -> None:
        self._studio.collection("appointments").document(appointment_id).delete()

    def appointment(self, appointment_id: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._studio.collection("appointments").document(appointment_id).get().to_dict()
        return found

    def appointments(self) -> dict[str, dict[str, Any]]:
        return {found.id: found.to_dict() or {} for found in self._studio.collection("appointments").stream()}

    def inbox(self) -> dict[str, dict[str, Any]]:
        """The questions that wait for a person, and those that were answered."""
        return {found.id: found.to_dict() or {} for found in self._studio.collection("inbox").stream()}

    def answer(self, item_id: str, answer: str) -> None:
        """Answer a question of the inbox."""
        self._studio.collection("inbox").document(item_id).update({"answer": answer})

    def conflicts(self) -> dict[str, dict[str, Any]]:
        """The schedule conflicts that were found, closed ones as well."""
        return {found.id: found.to_dict() or {} for found in self._studio.collection("conflicts").stream()}

    def keep_both(self, conflict_id: str) -> None:
        """Resolve a conflict: the two are meant to overlap."""
        self._studio.collection("conflicts").document(conflict_id).update({"status": "resolved"})


def give_consent(wiring: Wiring, studio_id: str, user_id: str, email: str, redirect_uri: str) -> Connected:
    """What a person does in the browser and what then becomes of it: consent page, code, refresh token, connection."""
    address = wiring.accounts.authorization_url(redirect_uri, f"{studio_id}/{user_id}", SCOPES)
    answered = urllib.parse.parse_qs(urllib.parse.urlsplit(consent(email, address)).query)
    return connect_with(wiring, studio_id, user_id, answered["code"][0], redirect_uri)


def connect_with(wiring: Wiring, studio_id: str, user_id: str, code: str, redirect_uri: str) -> Connected:
    """What becomes of an authorization code, for a person who knows which account it is."""
    made = connect(studio_id, user_id, code, redirect_uri, wiring.account_ports, another=True)
    if not isinstance(made, Connected):
        raise TypeError(f"a question instead of a connection: {made.question}")
    return made


def google_time(at: dt.datetime) -> dict[str, str]:
    """``start`` or ``end`` of an event, as Google's own page would send it."""
    return {"dateTime": at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
