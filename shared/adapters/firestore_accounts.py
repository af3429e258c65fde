"""Accounts, claims, invitations and sign-ins in Firestore: who has what, and who is who."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from google.api_core import exceptions
from google.cloud.firestore_v1.base_query import FieldFilter

from shared.adapters.firestore_documents import as_document, as_struct, as_update, errors, plain
from shared.adapters.firestore_studio import FirestoreStudio
from shared.domain import identity
from shared.domain.account import Account, CalendarClaim
from shared.domain.connection import Connection
from shared.domain.errors import Stale
from shared.domain.invitation import Invitation
from shared.domain.reasons import Reason
from shared.ports import Document, Stored, UserDocument, Version

PROVIDER = "google"

# Between the claim of a calendar and its connection lie moments: an older claim without one has come to nothing.
BEING_MADE = dt.timedelta(minutes=2)
_NOT_IN_USE = frozenset({"resting", "disconnected"})


class FirestoreAccounts(FirestoreStudio):
    """The part of the `Store` port about accounts and people."""

    def account(self, account_id: str) -> Stored[Account] | None:
        found = self._one(self._account(account_id), Account)
        return None if found is None else Stored(account_id, found.value, found.version)

    def accounts_of_user(self, studio_id: str, user_id: str) -> dict[str, Stored[Account]]:
        query = self._client.collection("accounts").where(filter=FieldFilter("studio_id", "==", studio_id))
        query = query.where(filter=FieldFilter("user_id", "==", user_id))
        with errors():
            found = [as_struct(one, Account) for one in query.stream(**self._patience)]
        return {one.value.account_id: Stored(one.value.account_id, one.value, one.version) for one in found}

    def claim_account(self, account: Account, now: dt.datetime) -> bool:
        reference = self._account(account.account_id)
        with errors():
            try:
                reference.create(as_document(account), **self._patience)
            except exceptions.AlreadyExists:
                return self._claim_again(reference, account, now)
        return True

    def _claim_again(self, reference: Any, account: Account, now: dt.datetime) -> bool:
        held = self._one(reference, Account)
        if held is None:
            raise Stale("an account was freed at this moment")
        mine = held.value.belongs_to(account.studio_id, account.user_id)
        if held.value.being_left(now) or not (mine or held.value.lapsed(now)):
            return False
        fields = {**as_document(account), "left_at": None}
        if mine and held.value.state in {"authorized", "needs_reauth"}:
            fields["state"] = held.value.state
        if mine and held.value.state != "leaving" and not account.secret:
            fields["secret"] = held.value.secret
        batch = self._client.batch()
        batch.update(reference, as_update(fields), self._at(held.version))
        try:
            with errors():
                batch.commit(**self._patience)
        except Stale:
            if mine:
                raise
            return False
        return True

    def update_account(self, account_id: str, version: Version, fields: Document) -> Version:
        batch = self._client.batch()
        batch.update(self._account(account_id), as_update(fields), self._at(version))
        with errors():
            return batch.commit(**self._patience)[0].update_time

    def leave_account(
        self, account: Stored[Account], connections: Sequence[Stored[Connection]], at: dt.datetime, *, shown: bool
    ) -> Version:
        # Without a lease, whoever runs the connection at this moment can write nothing any more.
        left: dict[str, Any] = {
            "state": "disconnected",
            "state_reason": Reason.DISCONNECTED.value,
            "next_sync_at": None,
            "lease": None,
            "lost_at": None,
        }
        batch = self._client.batch()
        leaving = {"state": "leaving", "question": None, "left_at": at}
        batch.update(self._account(account.id), as_update(leaving), self._at(account.version))
        for connection in connections:
            known = [one for one in (connection.value.channel, *connection.value.retired) if one is not None]
            retired = {"channel": None, "retired": [as_document(one) for one in known]}
            # As it was read: meanwhile it may have become another account's.
            batch.update(self._connection(connection.id), as_update(left | retired), self._at(connection.version))
        if shown:
            says = {"connection.state": "disconnected", "connection.reason": Reason.DISCONNECTED.value}
            batch.update(self._user(account.value.studio_id, account.value.user_id), says)
        with errors():
            return batch.commit(**self._patience)[0].update_time

    def free_account(self, account_id: str, version: Version) -> None:
        batch = self._client.batch()
        batch.delete(self._account(account_id), self._at(version))
        with errors():
            batch.commit(**self._patience)

    # --- calendars ---------------------------------------------------------------------------------------------------

    def claim_calendar(self, claim: CalendarClaim) -> bool:
        reference = self._calendar(claim.calendar_id)
        with errors():
            try:
                reference.create(as_document(claim), **self._patience)
            except exceptions.AlreadyExists:
                held = self._one(reference, CalendarClaim)
                return held is not None and self._take_over(reference, held, claim)
        return True

    def calendar_claim(self, calendar_id: str) -> CalendarClaim | None:
        held = self._one(self._calendar(calendar_id), CalendarClaim)
        return None if held is None else held.value

    def free_calendar(self, calendar_id: str, connection_id: str) -> None:
        reference = self._calendar(calendar_id)
        held = self._one(reference, CalendarClaim)
        if held is None or held.value.connection_id != connection_id:
            return
        batch = self._client.batch()
        batch.delete(reference, self._at(held.version))
        try:
            with errors():
                batch.commit(**self._patience)
        except Stale:
            return  # Taken over at this moment: it is another's to free.

    def _take_over(self, reference: Any, held: Stored[CalendarClaim], claim: CalendarClaim) -> bool:
        mine = held.value.belongs_to(claim.studio_id, claim.user_id)
        if not mine and self._in_use(held.value, claim.claimed_at):
            return False
        batch = self._client.batch()
        batch.update(reference, as_document(claim), self._at(held.version))
        try:
            with errors():
                batch.commit(**self._patience)
        except Stale:
            return False
        return True

    def _in_use(self, held: CalendarClaim, now: dt.datetime) -> bool:
        if held.claimed_at > now - BEING_MADE:
            return True
        with errors():
            snapshot = self._connection(held.connection_id).get(["state"], **self._patience)
        return snapshot.exists and snapshot.get("state") not in _NOT_IN_USE

    # --- people ------------------------------------------------------------------------------------------------------

    def users_with_email(self, emails: Sequence[str]) -> list[UserDocument]:
        return self._users("email", "in", list(emails))

    def users_signed_in_by(self, subject: str) -> list[UserDocument]:
        return self._users("sign_in.subject", "==", subject)

    def _users(self, field: str, operator: str, value: Any) -> list[UserDocument]:
        query = self._client.collection_group("users").where(filter=FieldFilter(field, operator, value))
        with errors():
            found = [_user(one) for one in query.stream(**self._patience)]
        return [one for one in found if one is not None]

    def users_of_studio(self, studio_id: str) -> list[UserDocument]:
        with errors():
            found = [_user(one) for one in self._studio(studio_id).collection("users").stream(**self._patience)]
        return [one for one in found if one is not None]

    def user(self, studio_id: str, user_id: str) -> UserDocument | None:
        with errors():
            snapshot = self._user(studio_id, user_id).get(**self._patience)
        return _user(snapshot) if snapshot.exists else None

    def update_user(self, user: UserDocument, fields: Document) -> None:
        batch = self._client.batch()
        batch.update(self._user(user.studio_id, user.user_id), as_update(fields), self._at(user.version))
        with errors():
            batch.commit(**self._patience)

    # --- invitations -------------------------------------------------------------------------------------------------

    def invitation(self, studio_id: str, user_id: str) -> Stored[Invitation] | None:
        return self._one(self._invitation(studio_id, user_id), Invitation)

    def put_invitation(self, invitation: Invitation) -> None:
        with errors():
            self._invitation(invitation.studio_id, invitation.user_id).set(as_document(invitation), **self._patience)

    def use_invitation(self, invitation: Stored[Invitation], account_id: str) -> None:
        reference = self._invitation(invitation.value.studio_id, invitation.value.user_id)
        batch = self._client.batch()
        batch.update(reference, {"used_by": account_id}, self._at(invitation.version))
        with errors():
            batch.commit(**self._patience)

    # --- places ------------------------------------------------------------------------------------------------------

    def _account(self, account_id: str) -> Any:
        return self._client.collection("accounts").document(identity.account_document(PROVIDER, account_id))

    def _calendar(self, calendar_id: str) -> Any:
        return self._client.collection("calendars").document(identity.calendar_claim(PROVIDER, calendar_id))

    def _invitation(self, studio_id: str, user_id: str) -> Any:
        return self._client.collection("invitations").document(identity.invitation(studio_id, user_id))


def _user(snapshot: Any) -> UserDocument | None:
    """A user of a studio; None where something else lies in a collection of that name."""
    match snapshot.reference.path.split("/"):
        case ["studios", studio_id, "users", user_id]:
            return UserDocument(studio_id, user_id, plain(snapshot.to_dict()), snapshot.update_time)
    return None
