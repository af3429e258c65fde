"""From a person's consent to a connection: what is checked, what is asked back, and what is claimed on the way.

    exchange the code ── scopes ── claim the account ── keep its token ──┬── a question ──> the account waits, `claimed`
                                                                         └── activate ────> a connection, synced

Killed anywhere, it can be done again: a claim is the same user's to repeat, and lapses if nobody does.
"""

from contextlib import suppress

import msgspec

from shared.domain import contract, identity
from shared.domain.account import BOXES, CONTACTS_SCOPE, Account, Question, unticked
from shared.domain.connection import CalendarChoice, Connection, chosen_of
from shared.domain.errors import AccessLost, Park, Stale
from shared.domain.reasons import Reason
from shared.domain.settings import SYNCING_EDITIONS, Studio, User
from shared.domain.sign_in import same_email
from shared.ports import Grant, Stored
from shared.services.accounts import AccountPorts, Connected, ConnectRefusedError, activate, active_connection
from shared.services.disconnecting import disconnect, release
from shared.services.invitations import check, use

NO_CONTACTS = (
    f"Contacts will not sync: Studio Sync was not allowed to {BOXES[CONTACTS_SCOPE]}. To allow it later, use “Use "
    "another account” with the same account, and tick that box."
)
_TAKEN = "This Google account is connected to another user already. Disconnect it there first, or use another account."
_WRONG_CHOICE = "The account cannot write to the chosen calendar. Choose another calendar."
_CONNECT_FIRST = "Nothing can be synced with this calendar as things are: connect its Google account again first."
_NO_SUCH_USER = "This user does not exist in this studio: ask your administrator."
_MOMENT = "This account is being disconnected at this moment. Try again in two minutes."
_NOT_WAITING = "This account does not wait for an answer any more. Look at the page again."


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An account that waits for an answer before anything is synced with it."""

    question: Question
    account_id: str
    account_email: str
    former_email: str = ""


class AskAgainError(Exception):
    """Google gave no lasting access, as where a person consented before: ask again with ``prompt=consent``."""

    def __init__(self, account_email: str) -> None:
        super().__init__("no refresh token was given")
        self.account_email = account_email


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user for whom something is set up, with the documents as they were read."""

    studio_id: str
    user_id: str
    studio: Studio
    user: User


def may_connect(studio_id: str, user_id: str, ports: AccountPorts) -> Person:
    """The user, who may connect an account.

    Raises:
        ConnectRefusedError: not this one; says why (A1, A5).
    """
    usable = identity.usable(studio_id) and identity.usable(user_id)
    studio_document, user_document = ports.store.settings(studio_id, user_id) if usable else (None, None)
    if studio_document is None or user_document is None:
        raise ConnectRefusedError(_NO_SUCH_USER)
    try:
        studio, user = contract.read(studio_document, Studio), contract.read(user_document, User)
    except Park as park:
        raise ConnectRefusedError(
            f"The settings of the studio or of this user do not fit: {park.field}: {park.detail}. "
            "Ask your administrator to correct that."
        ) from None
    for refuses, reason in (
        (studio.edition not in SYNCING_EDITIONS, Reason.EDITION),
        (not user.schedulable, Reason.NOT_SCHEDULABLE),
    ):
        if refuses:
            raise ConnectRefusedError(reason.text)
    return Person(studio_id=studio_id, user_id=user_id, studio=studio, user=user)


def connect(
    studio_id: str,
    user_id: str,
    code: str,
    redirect_uri: str,
    ports: AccountPorts,
    *,
    verifier: str | None = None,
    nonce: str | None = None,
    proven: bool = True,
    another: bool = False,
    invitation: str | None = None,
) -> Connected | Asked:
    """Turn a one-time authorization code into a connection of this user, or into a question.

    `verifier` is PKCE's, `nonce` what the ID token must repeat. `proven`: the person at the browser has signed in as
    this user; otherwise the account's e-mail must be the user's, or an administrator confirms it. `another`: the person
    knows that it is another account than before. `invitation`: the nonce of the one that the person came by.

    Raises:
        ConnectRefusedError: a scope is missing, the invitation is no longer good, another user has the account or the
            calendar, or there is no calendar to write to.
        AskAgainError: no refresh token came, and none is kept.
        AccessLost: the code is not good (any more).
    """
    person = may_connect(studio_id, user_id, ports)
    grant = ports.consent.exchange(code, redirect_uri, verifier)
    if nonce is not None and grant.nonce != nonce:
        raise ConnectRefusedError("This answer was not for this browser. Start again.")
    if missing := unticked(grant.scopes):
        boxes = " and ".join(missing)
        those = "that box" if len(missing) == 1 else "those boxes"
        raise ConnectRefusedError(f"Studio Sync was not allowed to {boxes}. Connect again and tick {those}.")
    if invitation is not None:
        check(studio_id, user_id, invitation, ports, grant.account_id)
    held = _held(person, grant, ports)
    asked = _question(person, grant, proven=proven, another=another, ports=ports)
    account, version = _claimed(person, held, grant, asked, ports)
    try:
        if invitation is not None:
            # Only now: who is refused this account may come back by the same invitation with another one.
            use(studio_id, user_id, invitation, grant.account_id, ports)
        return _activated(person, account, ports) if asked is None else asked
    except ConnectRefusedError:
        _tidy(person, held, account, version, ports)
        raise


def answer(
    studio_id: str,
    user_id: str,
    account_id: str,
    ports: AccountPorts,
    *,
    question: Question,
    calendar_id: str | None = None,
) -> Connected | Asked:
    """Go on with an account that waited: the user wants the other account, or an administrator has confirmed it.

    `calendar_id`: the one of its calendars to sync with, in place of the one that the settings name.

    Raises:
        ConnectRefusedError: it does not wait for that answer (any more), or what `activate` refuses.
    """
    person = may_connect(studio_id, user_id, ports)
    stored = _own(studio_id, user_id, account_id, ports)
    account, in_use = stored.value, _in_use(person, ports)
    done_already = account.question is None and in_use is not None and in_use.account_id == account_id
    if account.question != question and not done_already:
        raise ConnectRefusedError(_NOT_WAITING)
    if calendar_id is not None and chosen_of(account.calendars, calendar_id) is None:
        raise ConnectRefusedError(_WRONG_CHOICE)
    if question == "unconfirmed" and in_use is not None and in_use.account_id != account_id:
        # It is the user's own: but is it what the user wants?
        ports.store.update_account(account_id, stored.version, {"question": "other_account"})
        return _other_account(account.account_id, account.account_email, in_use, ports)
    return _activated(person, stored, ports, calendar_id)


def choose_calendar(studio_id: str, user_id: str, calendar_id: str, ports: AccountPorts) -> None:
    """Go over to the calendar that a person chose. While runs go on, the choice is noted in the user's settings, and
    the next run does it; where none would, the account is tied to the calendar now, if access to it is kept.

    Raises:
        ConnectRefusedError: no account that could be used can write to it, or access to that one is lost.
    """
    person = may_connect(studio_id, user_id, ports)
    known = ports.store.accounts_of_user(studio_id, user_id).values()
    having = [one for one in known if any(calendar_id == choice.id for choice in one.value.calendars)]
    connection = _in_use(person, ports)
    if connection is not None and connection.state != "needs_reauth":
        document = ports.store.user(studio_id, user_id)
        if document is None:
            raise ConnectRefusedError(_NO_SUCH_USER)
        if all(one.id != connection.account_id for one in having):
            raise ConnectRefusedError(_WRONG_CHOICE)
        ports.store.update_user(document, {"sync.calendar_id": calendar_id})
        return
    if not having:
        raise ConnectRefusedError(_WRONG_CHOICE)
    # Of two that can write to it, the one that is in use.
    having.sort(key=lambda one: connection is None or one.id != connection.account_id)
    account = next((one for one in having if one.value.question is None and _access_kept(one.value, ports)), None)
    if account is None:
        raise ConnectRefusedError(_CONNECT_FIRST)
    activate(person.studio, active_connection(person.user), calendar_id, account, ports, newly_chosen=True)


def _access_kept(account: Account, ports: AccountPorts) -> bool:
    """Whether it can be synced with. Lost, it may have been allowed again without coming into use: Google knows."""
    if account.state == "needs_reauth":
        try:
            ports.calendars.writable_by(account.account_id)
        except AccessLost:
            return False
    return account.state != "leaving" and account.secret != ""


def calendars_of(studio_id: str, user_id: str, account_id: str, ports: AccountPorts) -> tuple[CalendarChoice, ...]:
    """The calendars that an account may write to now, as Google says; kept with the account.

    Raises:
        ConnectRefusedError: the user has no such account.
        Stop: access is lost.
    """
    stored = _own(studio_id, user_id, account_id, ports)
    found = ports.calendars.writable_by(account_id)
    if stored.value.calendars != found:
        try:
            ports.store.update_account(account_id, stored.version, {"calendars": msgspec.to_builtins(found)})
        except Stale:
            return found  # Written by another at this moment; the next look keeps it.
    return found


def _activated(
    person: Person, account: Stored[Account], ports: AccountPorts, calendar_id: str | None = None
) -> Connected:
    """Activate the account; others that still waited for an answer are not wanted any more."""
    active, chosen = active_connection(person.user), calendar_id or person.user.sync.chosen_calendar
    connected = activate(person.studio, active, chosen, account, ports, newly_chosen=calendar_id is not None)
    for other in ports.store.accounts_of_user(person.studio_id, person.user_id).values():
        if other.value.state in {"claimed", "leaving"}:
            with suppress(ConnectRefusedError):  # In use by now, from another window.
                disconnect(person.studio_id, person.user_id, other.value.account_id, ports, waiting=True)
    return connected


def _tidy(
    person: Person, held: Account | None, account: Stored[Account], version: int | None, ports: AccountPorts
) -> None:
    """After a refusal: keep no token for an account that is not this user's any more, nor a claim nobody can use."""
    now = ports.store.account(account.id)
    if now is None or not now.value.belongs_to(person.studio_id, person.user_id):
        if version is not None:
            ports.secrets.destroy(identity.refresh_token_secret("google", account.id), version)
    elif held is None and now.value.question is not None:
        with suppress(ConnectRefusedError):
            disconnect(person.studio_id, person.user_id, account.id, ports, waiting=True)


def _claimed(
    person: Person, held: Account | None, grant: Grant, asked: Asked | None, ports: AccountPorts
) -> tuple[Stored[Account], int | None]:
    """The account, claimed for the user, with the calendars that it may write to, and the version of its token if that
    is a new one.

    What it waits for is part of the claim, and its secret is named once it is kept: a function that dies in between
    leaves nothing that syncs unasked, or without a token.
    """
    now = ports.clock.now()
    secret = identity.refresh_token_secret("google", grant.account_id)
    if grant.refresh_token is None and (held is None or not held.secret or held.state not in {"claimed", "authorized"}):
        raise AskAgainError(grant.account_email)
    try:
        calendars = (
            ports.calendars.writable(grant.refresh_token)
            if grant.refresh_token is not None
            else ports.calendars.writable_by(grant.account_id)
        )
    except AccessLost:
        raise AskAgainError(grant.account_email) from None
    account = Account(
        account_id=grant.account_id,
        account_email=grant.account_email,
        studio_id=person.studio_id,
        user_id=person.user_id,
        state="claimed",
        question=None if asked is None else asked.question,
        claimed_at=now,
        scopes=grant.scopes,
        calendars=calendars,
    )
    if not ports.store.claim_account(account, now):
        raise ConnectRefusedError(_TAKEN)
    version = None if grant.refresh_token is None else ports.secrets.put(secret, grant.refresh_token)
    stored = ports.store.account(grant.account_id)
    if stored is None or not stored.value.belongs_to(person.studio_id, person.user_id):
        if version is not None:
            ports.secrets.destroy(secret, version)
        raise ConnectRefusedError(_MOMENT)
    if stored.value.secret != secret:
        known = ports.store.update_account(grant.account_id, stored.version, {"secret": secret})
        stored = Stored(stored.id, msgspec.structs.replace(stored.value, secret=secret), known)
    return stored, version


def _held(person: Person, grant: Grant, ports: AccountPorts) -> Account | None:
    """The user's own claim, if there is one. What is left of somebody else's is cleared away first, where it can be."""
    stored = ports.store.account(grant.account_id)
    if stored is None:
        return None
    held = stored.value
    if held.being_left(ports.clock.now()):
        raise ConnectRefusedError(_MOMENT)
    if held.belongs_to(person.studio_id, person.user_id):
        return held
    holder = ports.store.settings(held.studio_id, held.user_id)
    if held.state == "leaving" or None in holder or held.lapsed(ports.clock.now()):
        # Disconnected, but the function died on the way; or its user, or the whole studio, was erased.
        release(stored, ports, revoke=False)
        return None
    raise ConnectRefusedError(_TAKEN)


def _question(person: Person, grant: Grant, *, proven: bool, another: bool, ports: AccountPorts) -> Asked | None:
    """What must be answered first. An account that the user syncs with is known to be the user's own."""
    in_use = _in_use(person, ports)
    known_as_own = in_use is not None and in_use.account_id == grant.account_id
    same = grant.email_verified and same_email(grant.account_email, person.user.email)
    if not (proven or known_as_own or same):
        return Asked(question="unconfirmed", account_id=grant.account_id, account_email=grant.account_email)
    if another or in_use is None or known_as_own:
        return None
    return _other_account(grant.account_id, grant.account_email, in_use, ports)


def _other_account(account_id: str, account_email: str, in_use: Connection, ports: AccountPorts) -> Asked:
    known = ports.store.account(in_use.account_id)
    return Asked(
        question="other_account",
        account_id=account_id,
        account_email=account_email,
        former_email="" if known is None else known.value.account_email,
    )


def _in_use(person: Person, ports: AccountPorts) -> Connection | None:
    """What the user syncs with; a connection that was disconnected is none any more."""
    active = active_connection(person.user)
    stored = None if active is None else ports.store.connection(active)
    return None if stored is None or stored.value.state == "disconnected" else stored.value


def _own(studio_id: str, user_id: str, account_id: str, ports: AccountPorts) -> Stored[Account]:
    stored = ports.store.account(account_id) if identity.usable(account_id) else None
    if stored is None or not stored.value.belongs_to(studio_id, user_id):
        raise ConnectRefusedError("This user has no such account. Look at the page again.")
    return stored


def decline(studio_id: str, user_id: str, account_id: str, ports: AccountPorts) -> None:
    """Let go of an account that waited for an answer: it was the wrong one. One that was in use before is kept as such.

    Raises:
        ConnectRefusedError: it does not wait any more.
    """
    stored = _own(studio_id, user_id, account_id, ports)
    if stored.value.state in {"claimed", "leaving"}:
        disconnect(studio_id, user_id, account_id, ports, waiting=True)
    elif stored.value.question is not None:
        ports.store.update_account(account_id, stored.version, {"question": None})
    else:
        raise ConnectRefusedError(_NOT_WAITING)
