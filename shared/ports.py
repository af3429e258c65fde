"""What the services need from the outside, as Protocols. Adapters speak to vendors; services see only this.

Every method may raise `Unavailable` when the other side does not answer; what else it raises stands with it.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from shared.domain.account import Account, CalendarClaim
from shared.domain.conflicts import Conflict
from shared.domain.connection import (
    CalendarChoice,
    Channel,
    Connection,
    LogEntry,
    OutboxEntry,
    Parked,
    RunSummary,
)
from shared.domain.errors import Refused, Stale, SyncError
from shared.domain.event import CalendarWrite, Event
from shared.domain.inbox import InboxItem
from shared.domain.invitation import Invitation
from shared.domain.link import Link
from shared.domain.mail import Mail

_Value = TypeVar("_Value")

# What a conditional write is conditional on. Opaque: handed out with what was read or written, handed back unchanged.
Version = Any


class Stored(msgspec.Struct, Generic[_Value], frozen=True):
    """A document as read, with the version that a write may be conditional on."""

    id: str
    value: _Value
    version: Version


Document = Mapping[str, Any]


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """The current instant, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Come back so much later."""
        ...


# --- the calendar ----------------------------------------------------------------------------------------------------


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a listing. `next_page` is None on the last one, which alone has the `cursor` for the next delta."""

    events: tuple[Event, ...]
    next_page: str | None = None
    cursor: str | None = None
    time_zone: str | None = None


class Watch(msgspec.Struct, frozen=True):
    """What the provider made of a push channel that was asked for."""

    resource_id: str
    expires_at: dt.datetime


class Pace(Protocol):
    """How fast one account may be called: whoever calls asks before, and tells afterwards."""

    def admit(self, calls: int) -> int:
        """Wait until it is time for so many calls; gives how many of them may be made now, at least 1.

        Raises `RateLimited` where this run's time is over before that.
        """
        ...

    def told(self, let_through: int, refused: int = 0, retry_after: dt.timedelta | None = None) -> None:
        """What came of the calls that were made; refused are those that were too many, to be repeated after a pause,
        `retry_after` where the provider named a time.
        """
        ...


class Calendar(Protocol):
    """One calendar of one account. All methods raise `Stop` when the account or the calendar is lost, `RateLimited`
    when asked to slow down.
    """

    def changes(self, cursor: str, page: str | None) -> EventPage:
        """What has changed since `cursor`, deletions included. Raises `CursorExpired`."""
        ...

    def listing(self, ends_after: dt.datetime, page: str | None) -> EventPage:
        """Every event that ends after an instant. Raises `CursorExpired` where the page token is no longer good."""
        ...

    def get(self, event_ids: Sequence[str]) -> list[Event]:
        """The events as they are now, in the order asked for; one that cannot be found is given as `missing`."""
        ...

    def write(self, writes: Sequence[CalendarWrite]) -> list[Event | SyncError]:
        """Carry out writes, in as few requests as the provider takes; one outcome for each, in their order.

        An outcome is the event as stored (deleted, for a `Delete`), or what went wrong with this one: `Stale` (look
        again and decide afresh), `Retry`, or `Park`. What concerns them all is raised.
        """
        ...

    def instances(self, places: Sequence[tuple[str, str]]) -> list[Event]:
        """Occurrences as they are now, each given by the event id of its series and its slot, in the order asked for;
        one that cannot be found is given as `missing`.
        """
        ...

    def exceptions(self, series: Sequence[Event]) -> list[Event]:
        """The occurrences of these series that are not as their series has them, cancelled ones included."""
        ...

    def watch(self, channel_id: str, token: str) -> Watch | None:
        """Ask for a push channel; None if this calendar cannot be watched."""
        ...

    def unwatch(self, channel: Channel) -> None:
        """End a push channel; one that is not there any more is fine."""
        ...


class Calendars(Protocol):
    def open(self, connection_id: str, connection: Connection, pace: Pace | None = None) -> Calendar:
        """The calendar of a connection. No call is made yet. Without a `pace` nothing is waited for, or repeated."""
        ...

    def writable(self, refresh_token: str) -> tuple[CalendarChoice, ...]:
        """The calendars that an account may write to, the primary one first."""
        ...

    def writable_by(self, account_id: str) -> tuple[CalendarChoice, ...]:
        """The same, for an account whose access is kept."""
        ...


# --- the account -----------------------------------------------------------------------------------------------------


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's consent brought. Never printed: `refresh_token` is the secret itself.

    `account_email` is an address that the account has shown to be its own only where `email_verified`. `nonce` is what
    the authorization was asked with.
    """

    account_id: str
    account_email: str
    scopes: tuple[str, ...]
    refresh_token: str | None = None
    email_verified: bool = False
    nonce: str | None = None

    def __repr__(self) -> str:
        return f"Grant(account_id={self.account_id!r})"


class Consent(Protocol):
    def authorization_url(
        self,
        redirect_uri: str,
        state: str,
        scopes: Sequence[str],
        *,
        challenge: str | None = None,
        nonce: str | None = None,
        login_hint: str | None = None,
        prompt: str | None = "consent",
        offline: bool = True,
    ) -> str:
        """Where a person's browser goes to give consent.

        `challenge` is the PKCE code challenge (S256, RFC 7636) of the verifier that `exchange` will be given. Access
        that lasts, a refresh token, comes for sure only `offline` and with ``prompt="consent"``.
        """
        ...

    def exchange(self, code: str, redirect_uri: str, verifier: str | None = None) -> Grant:
        """A one-time authorization code for what it grants, with the PKCE code verifier if there was a challenge.

        Raises `AccessLost` if the code is not good, `Misconfigured` if the provider does not accept us. Where no answer
        comes (`Unavailable`), the code may be used up all the same: the next attempt says `AccessLost` then.
        """
        ...

    def revoke(self, account_id: str) -> None:
        """End at Google everything that the account granted to our project; a token that is not good any more is fine,
        and so is none.
        """
        ...


class Secrets(Protocol):
    def put(self, secret_id: str, value: str) -> int:
        """Store a new version of a secret, making the secret if need be; earlier versions are destroyed.

        Gives the number of the version.
        """
        ...

    def get(self, secret_id: str) -> str:
        """The newest version. Raises `AccessLost` if there is none."""
        ...

    def destroy(self, secret_id: str, version: int | None = None) -> None:
        """Delete a secret with all its versions, or destroy one of these; what is not there is fine."""
        ...


# --- tasks -----------------------------------------------------------------------------------------------------------


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A call of one of our functions, later. `queue` and `target` are our own names; the wiring knows the addresses."""

    queue: str
    target: str
    name: str
    body: dict[str, Any]
    at: dt.datetime | None = None


class Tasks(Protocol):
    def enqueue(self, tasks: Sequence[Task]) -> list[tuple[Task, Exception]]:
        """Enqueue each task, one failure stopping no other; gives those that failed. A name taken already is fine."""
        ...


# --- storage ---------------------------------------------------------------------------------------------------------


class StudioWrite(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of one appointment document; ``None`` removes a field. No `version`: it must not exist yet.

    `join` is added to ``user_ids``, `leave` is taken from them. ``updated_at`` is set to the server's time with every
    write.
    """

    studio_id: str
    appointment_id: str
    version: Version | None
    fields: dict[str, Any]
    join: str | None = None
    leave: str | None = None


class StudioErasure(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment document that has been made anew under another id; it must be as it was read."""

    studio_id: str
    appointment_id: str
    version: Version


class InboxWrite(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of one inbox document, which is made if it is not there; fields that are not named stay."""

    studio_id: str
    item_id: str
    fields: dict[str, Any]


class ConflictWrite(msgspec.Struct, frozen=True, kw_only=True):
    """One document of a studio's ``conflicts``. No `version`: none was found; should there be one, it is replaced."""

    studio_id: str
    conflict_id: str
    version: Version | None
    conflict: Conflict


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored for one item, all of it or nothing. `tombstone`: where `link` has taken another's place, that."""

    link: Link | None = None
    tombstone: Link | None = None
    studio: StudioWrite | None = None
    erase: StudioErasure | None = None
    park: tuple[str, Parked] | None = None
    unpark: tuple[str, ...] = ()
    inbox: tuple[InboxWrite, ...] = ()
    conflict: ConflictWrite | None = None


class RunLog(msgspec.Struct, frozen=True, kw_only=True):
    """Entries for ``runs/{run_id}/entries/{number}``; `number` counts the chunks of one run."""

    run_id: str
    number: int
    entries: tuple[LogEntry, ...]
    summary: dict[str, Any]


class UserDocument(msgspec.Struct, frozen=True):
    """The document of a user of any studio, as read."""

    studio_id: str
    user_id: str
    document: Document
    version: Version


class Due(msgspec.Struct, frozen=True):
    connection_id: str
    next_sync_at: dt.datetime


class Store(Protocol):
    """Firestore, as the services see it. Reads that find nothing give None or leave the id out."""

    def connection(self, connection_id: str) -> Stored[Connection] | None: ...

    def update_connection(
        self,
        connection_id: str,
        version: Version,
        fields: Document,
        *,
        user: tuple[str, str] | None = None,
        user_fields: Document | None = None,
        account: tuple[str, Document] | None = None,
        mail: tuple[str, Mail] | None = None,
    ) -> Version:
        """Compare and set, giving the new version; keys may be dotted paths, ``None`` removes a field.

        In the same step `user_fields` are written to the document of `user` (studio id, user id), fields of an account
        (given by its id) to its document, and a mail (given with its id) to the outbox of mails. Raises `Stale`.
        """
        ...

    def due_connections(self, now: dt.datetime, limit: int, after: Due | None) -> list[Due]:
        """Connections with ``next_sync_at <= now``, the longest due first, following `after`."""
        ...

    def settings(self, studio_id: str, user_id: str) -> tuple[Document | None, Document | None]:
        """The documents of a studio and of one of its users, in one request."""
        ...

    def user_connections(self, studio_id: str, user_ids: Sequence[str]) -> dict[str, str]:
        """User id to the id of the user's active connection, for those who have one that was not disconnected."""
        ...

    def connections_of_user(self, studio_id: str, user_id: str) -> dict[str, Stored[Connection]]:
        """Every connection that a user has or had, by id."""
        ...

    def connections_of_studio(self, studio_id: str) -> Iterator[str]:
        """The ids of a studio's connections, read page by page as they are asked for."""
        ...

    def inbox(self, studio_id: str, item_ids: Sequence[str]) -> dict[str, InboxItem]:
        """Questions to persons, by id."""
        ...

    def outbox(self, connection_id: str, limit: int) -> list[Stored[OutboxEntry]]: ...

    def put_outbox(self, entries: Sequence[tuple[str, str, OutboxEntry]]) -> None:
        """Write entries given as (connection id, item id, entry), replacing what is there."""
        ...

    def clear_outbox(self, connection_id: str, entries: Sequence[Stored[OutboxEntry]]) -> None:
        """Remove the entries that are still as read; what has been written again since stays."""
        ...

    def links(self, connection_id: str, appointment_ids: Sequence[str]) -> dict[str, Link]: ...

    def links_of_events(self, connection_id: str, event_ids: Sequence[str]) -> dict[str, Link]:
        """Event id to link; tombstones included."""
        ...

    def links_of_series(self, connection_id: str, series_ids: Sequence[str]) -> dict[str, Link]:
        """Links of all occurrences of series that are given by their appointment ids; tombstones included."""
        ...

    def all_links(self, connection_id: str) -> dict[str, Link]: ...

    def upcoming_pairs(self, connection_id: str, now: dt.datetime) -> int:
        """How many pairs end after `now`; counted where they are stored, not read."""
        ...

    def links_of_colleagues(self, studio_id: str, organizers: Mapping[str, str]) -> dict[str, Link]:
        """Event id to link, where an event (id to organizer's calendar id) is or was paired in the organizer's own
        connection of the same studio; of several the pair that stands. A guest's copy has the id of the organizer's
        event.
        """
        ...

    def parked(self, connection_id: str) -> dict[str, Parked]:
        """What is parked, by item id."""
        ...

    def parked_item(self, connection_id: str, item_id: str) -> Parked | None:
        """One parked item, with its reason."""
        ...

    def outbox_entry(self, connection_id: str, item_id: str) -> OutboxEntry | None:
        """One entry of the outbox."""
        ...

    def appointments(self, studio_id: str, appointment_ids: Sequence[str]) -> dict[str, Stored[Document]]: ...

    def appointments_of_user(
        self, studio_id: str, user_id: str, ends_after: dt.datetime
    ) -> dict[str, Stored[Document]]:
        """Every appointment assigned to a user that ends after an instant, or that repeats; cancelled ones included."""
        ...

    def appointments_changed(self, studio_id: str, since: dt.datetime) -> dict[str, Stored[Document]]:
        """Every appointment of a studio whose ``updated_at`` is `since` or later."""
        ...

    def occurrences(self, studio_id: str, series_ids: Sequence[str]) -> dict[str, Stored[Document]]:
        """Every document of an occurrence of these series, whoever is assigned to it; cancelled ones included."""
        ...

    def edit_appointments(self, writes: Sequence[StudioWrite]) -> list[Stale | Refused | None]:
        """Write documents as a front-end would, each by itself; gives for each, in order, what went wrong: `Stale` (it
        is not as it was read), `Refused`, or nothing.
        """
        ...

    # When appointments are and whose: documents with the fields that `conflicts.FIELDS` names, and no others.

    def times(self, studio_id: str, appointment_ids: Collection[str]) -> dict[str, Document]: ...

    def times_between(
        self, studio_id: str, user_id: str, after: dt.datetime, before: dt.datetime, limit: int
    ) -> dict[str, Document]:
        """Appointments assigned to a user that overlap ``[after, before)``, all-day ones a day more on either side: at
        most `limit` timed ones and as many all-day ones, those that end first. A series counts as its first occurrence.
        """
        ...

    def occurrences_between(
        self, studio_id: str, series_ids: Collection[str], after: dt.datetime, before: dt.datetime, limit: int
    ) -> dict[str, Document]:
        """Of the occurrences of series, those whose own document says times like that: some need not say whose."""
        ...

    def times_of_series(self, studio_id: str, user_id: str, limit: int) -> dict[str, Document]:
        """At most `limit` of the series assigned to a user."""
        ...

    def times_of_occurrences(self, studio_id: str, series_ids: Collection[str], limit: int) -> dict[str, Document]:
        """At most `limit` occurrences of series that have a document of their own, whoever is assigned to them."""
        ...

    def conflicts(
        self, studio_id: str, user_id: str, appointment_ids: Collection[str]
    ) -> dict[str, Stored[Conflict | None]]:
        """The conflicts of a user that any of the appointments is part of, closed ones as well, by id; None for what
        does not fit the contract (any more).
        """
        ...

    def client_names(self, studio_id: str, client_ids: Sequence[str]) -> dict[str, str]:
        """Client id to full name."""
        ...

    def settle(
        self,
        connection_id: str,
        version: Version,
        fields: Document,
        settlements: Sequence[Settlement],
        log: Sequence[RunLog] = (),
    ) -> Version:
        """Store settlements and `fields` of the connection in one step, if the connection is still at `version`.

        Gives the connection's new version. Nothing is stored where it raises `Stale` (anything that it depends on has
        changed) or `Refused` (something in it cannot be stored at all).
        """
        ...

    def save_connection(
        self,
        connection_id: str,
        connection: Connection,
        user_fields: Document | None = None,
        account: Stored[Account] | None = None,
    ) -> Connection:
        """Make a connection, or revive it with its pairs if it was there before; gives it as it now is.

        Revived, it keeps what it knows of the calendar, and compares everything on both sides first; with another
        account than before, the channels of that one are retired. In the same step the user's document is pointed at it
        and gets `user_fields`, and the account is `authorized`, if it is still as it was read. Raises `Stale`.
        """
        ...

    # --- logs of runs --------------------------------------------------------------------------------------------

    def runs(self, connection_id: str, since: dt.datetime, limit: int) -> dict[str, RunSummary]:
        """The last runs of a connection that logged anything, by id, if they began after `since`; the newest first."""
        ...

    def run(self, connection_id: str, run_id: str) -> RunSummary | None: ...

    def run_entries(self, connection_id: str, run_id: str) -> Iterator[tuple[LogEntry, ...]]:
        """What a run logged, chunk by chunk, in order."""
        ...

    # --- accounts and people -------------------------------------------------------------------------------------

    def account(self, account_id: str) -> Stored[Account] | None: ...

    def accounts_of_user(self, studio_id: str, user_id: str) -> dict[str, Stored[Account]]:
        """Every account that a user has claimed, by account id."""
        ...

    def claim_account(self, account: Account, now: dt.datetime) -> bool:
        """Claim an account for its user; False if somebody else has it.

        The same user may claim it again: it is brought up to date, and keeps its state unless it was `leaving`, and its
        secret unless another is given. So may anybody where a claim has lapsed; nobody while it is being left.
        """
        ...

    def update_account(self, account_id: str, version: Version, fields: Document) -> Version:
        """Compare and set; ``None`` removes a field. Raises `Stale`."""
        ...

    def leave_account(
        self, account: Stored[Account], connections: Sequence[Stored[Connection]], at: dt.datetime, *, shown: bool
    ) -> Version:
        """Mark an account as `leaving` since `at`, and connections as disconnected, whoever runs them, in one step.

        Their channels are retired: nobody relies on them, and they are known until they are stopped.
        `shown`: the user's document says so too. Raises `Stale`.
        """
        ...

    def free_account(self, account_id: str, version: Version) -> None:
        """Delete the document of an account. Raises `Stale`."""
        ...

    def claim_calendar(self, claim: CalendarClaim) -> bool:
        """Claim a calendar for a user; False if another user keeps it in step.

        A claim whose connection rests, is disconnected, or was never made, is anybody's to take over.
        """
        ...

    def calendar_claim(self, calendar_id: str) -> CalendarClaim | None:
        """Who claimed a calendar last; None where nobody did, or it was let go of."""
        ...

    def free_calendar(self, calendar_id: str, connection_id: str) -> None:
        """Let go of a calendar that was claimed for this connection; another's claim stays."""
        ...

    def users_with_email(self, emails: Sequence[str]) -> list[UserDocument]:
        """Users of any studio with one of up to 30 e-mail addresses, as they are written there."""
        ...

    def users_signed_in_by(self, subject: str) -> list[UserDocument]:
        """Users of any studio whom an account with this subject signs in as."""
        ...

    def users_of_studio(self, studio_id: str) -> list[UserDocument]: ...

    def user(self, studio_id: str, user_id: str) -> UserDocument | None: ...

    def update_user(self, user: UserDocument, fields: Document) -> None:
        """Compare and set; keys may be dotted paths, ``None`` removes a field. Raises `Stale`."""
        ...

    def invitation(self, studio_id: str, user_id: str) -> Stored[Invitation] | None: ...

    def put_invitation(self, invitation: Invitation) -> None:
        """Store it in place of any earlier one of the same user."""
        ...

    def use_invitation(self, invitation: Stored[Invitation], account_id: str) -> None:
        """Note what account it was used with. Raises `Stale`."""
        ...
