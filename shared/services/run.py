"""One run of one connection: its lease, from the claim to the release.

The lease is a field of the connection. Every write of a run is conditional on the connection's version, which only
the run itself, a wish, or (once the lease has expired) another run changes: a run that was taken over can write
nothing any more. Each write also extends the lease.
"""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from shared.domain.channel_health import SAFETY_INTERVAL
from shared.domain.connection import Connection, Lease, LogEntry
from shared.domain.errors import LeaseLost, Paced, RateLimited, Refused, Retry, Stale, Unavailable
from shared.domain.mail import MAIL_LIFE, Mail, MailKind
from shared.domain.quotas import CALLS_OF_A_SHORT_RUN
from shared.domain.reasons import Reason
from shared.ports import Calendars, Clock, Document, RunLog, Settlement, Store, Tasks, Version
from shared.services.pace import RunPace
from shared.services.wishes import RUNNABLE, sync_task

log = logging.getLogger(__name__)

# slice < function timeout < lease <= dispatch deadline of the task: a run looks at the clock between its steps,
# and stops by itself before the platform stops it, and nobody takes over while it may still be writing.
SLICE = dt.timedelta(minutes=4)
LEASE = dt.timedelta(minutes=10)

ATTEMPTS = 5

# A log document may have 1 MiB; JSON is about as long as what Firestore stores.
LOG_CHUNK_BYTES = 400_000

# States other than "paused" that a reason leads to.
_STATES = {Reason.ACCESS_LOST: "needs_reauth", Reason.SWITCHED: "resting"}
# Reasons that a person changes by changing a setting, and how often to look whether it has been.
_SETTINGS = frozenset(
    {Reason.EDITION, Reason.STUDIO_OFF, Reason.USER_OFF, Reason.NOT_SCHEDULABLE, Reason.INVALID, Reason.CALENDAR_TAKEN}
)
LOOK_AGAIN = dt.timedelta(hours=1)

# Backoff for a connection that is rate limited or whose provider does not answer: doubled with each failure. Half of it
# is by chance ("equal jitter"), so that those who failed at the same time do not come back at the same time.
FIRST_WAIT = dt.timedelta(seconds=30)
LONGEST_WAIT = dt.timedelta(minutes=30)
# A time that the provider named is waited for in any case, and by chance up to so much of it longer.
LATER_BY = 0.1
# After so many failures in a row it is no sooner than without such a time.
PATIENT = 3


class Ports(msgspec.Struct, frozen=True):
    """Everything that a run needs from the outside. `safety_interval`: until the next run, with a live channel.

    `jitter` gives random numbers from 0 to 1.
    """

    store: Store
    calendars: Calendars
    tasks: Tasks
    clock: Clock
    new_id: Callable[[], str]
    jitter: Callable[[], float]
    safety_interval: dt.timedelta = SAFETY_INTERVAL


class Step(msgspec.Struct, frozen=True):
    """What is stored for one item, with its entry in the log."""

    settlement: Settlement = Settlement()
    entry: LogEntry | None = None


class Unstored(msgspec.Struct, frozen=True):
    """Places of the steps that were not stored: what they depend on has changed, or storage does not take them."""

    stale: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()


class Run:
    """Holds the lease of one connection. `resumes`: the run before, if any, did not come to its end. `queue` delivered
    it: by any other than `populate` it is to be a short run. `pace` is another run's where that calls the same account.
    `failures`: how many runs in a row have failed, with this one once it has.
    """

    def __init__(
        self,
        connection_id: str,
        connection: Connection,
        version: Version,
        run_id: str,
        ports: Ports,
        *,
        resumes: bool = False,
        queue: str = "populate",
        pace: RunPace | None = None,
    ) -> None:
        self.connection_id = connection_id
        self.connection = connection
        self.id = run_id
        self.resumes = resumes
        self.ports = ports
        self.started_at = connection.attempted_at or ports.clock.now()
        self.counts: dict[str, int] = {}
        self.failures = connection.failures
        allowance = None if queue == "populate" else CALLS_OF_A_SHORT_RUN
        ends_at = self.started_at + SLICE
        self.pace = pace or RunPace(connection.spent, ports.clock, ports.jitter, ends_at, allowance)
        self._version = version
        self._claimed_until = connection.next_sync_at
        self._log_number = 0
        self._changed = 0
        self._noted: dict[str, Any] = {}

    def out_of_time(self) -> bool:
        return self.ports.clock.now() >= self.started_at + SLICE

    def note(self, **fields: Any) -> None:
        """Fields of the connection that are to be stored with the run's next write, whatever that is.

        A whole map takes the place of what was noted of its fields: Firestore takes no update that names both.
        """
        self._noted = {path: value for path, value in self._noted.items() if path.partition(".")[0] not in fields}
        self._noted |= fields

    def know(self, **fields: Any) -> None:
        """Fields of the connection as this run knows them from now on; `note` is what stores them."""
        self.connection = msgspec.structs.replace(self.connection, **fields)

    def learn_zone(self, time_zone: str | None) -> None:
        if time_zone is not None and time_zone != self.connection.calendar_time_zone:
            self.note(calendar_time_zone=time_zone)

    def settle(self, steps: Sequence[Step]) -> "Unstored":
        """Store steps and what was noted; gives back the places of those that could not be stored.

        All go at once. Where that is refused, each goes by itself, to find out which one it was.

        Raises:
            LeaseLost: another run has taken over; nothing was stored.
        """
        if self._store(steps) is None:
            return Unstored()
        stale, refused = [], []
        for place, step in enumerate(steps):
            match self._store([step]):
                case Stale():
                    stale.append(place)
                case Refused():
                    refused.append(place)
        if not steps:
            raise Unavailable(f"connection {self.connection_id} cannot be written")
        return Unstored(frozenset(stale), frozenset(refused))

    def release(
        self,
        fields: Document,
        next_sync_at: dt.datetime | None,
        *,
        user_fields: Document | None = None,
        account_fields: Document | None = None,
        mail: MailKind | None = None,
        queue: str = "now",
        on_time: bool = False,
    ) -> None:
        """Give the lease back. `next_sync_at` is brought forward if a wish came during the run. If that has come, or is
        to be kept `on_time`, there is a task for it in `queue`; else the scheduler's tick finds it.

        None rests the connection, unless a wish came: then what it rests for may be over, and the next run finds out.
        In the same step the user's and the account's documents are written, and a mail put into the outbox.

        Raises:
            LeaseLost: another run has taken over.
        """
        user = (self.connection.studio_id, self.connection.user_id)
        self.failures = fields.get("failures", self.failures)
        for _ in range(ATTEMPTS):
            wished = self._wish_meanwhile()
            due = next_sync_at
            if wished is not None:
                due = wished if due is None else min(wished, due)
                if next_sync_at is None:
                    fields, user_fields, account_fields, mail = {}, None, None, None
            if due is not None:
                due = max(due, fields.get("not_before") or due)
            kept = {"not_before": None, **self._noted, **self._spending()}
            changes = {**kept, **fields, "lease": None, "next_sync_at": due}
            try:
                self.ports.store.update_connection(
                    self.connection_id,
                    self._version,
                    changes,
                    user=user,
                    user_fields=user_fields,
                    account=None if account_fields is None else (self.connection.account_id, account_fields),
                    mail=None if mail is None else self._mail(mail),
                )
            except Stale:
                self.look_again()
                continue
            if due is not None and (on_time or due <= self.ports.clock.now()):
                self._go_on(due, queue)
            return
        raise Unavailable(f"no gap to release connection {self.connection_id}")

    def give_back(self) -> None:
        """Release a borrowed lease: the connection is as it was. Raises `LeaseLost` as `release` does."""
        self.release({"not_before": self.connection.not_before}, self._claimed_until)

    def retry_later(
        self,
        why: Retry,
        fields: Document | None = None,
        user_fields: Document | None = None,
        *,
        at_most: dt.timedelta = LONGEST_WAIT,
    ) -> None:
        """Give the lease back after trouble that passes by itself; the wait doubles with each failure in a row.

        Where the run came through but for single items, the next one comes after `at_most`, as it would without them.
        """
        now = self.ports.clock.now()
        if isinstance(why, Paced):
            due = now + (why.retry_after or dt.timedelta())
            self.release(fields or {}, due, user_fields=user_fields, queue="populate", on_time=True)
            return
        failures = self.connection.failures + 1
        changes = {**(fields or {}), "failures": failures}
        wait = min(FIRST_WAIT * 2 ** min(failures - 1, 10), LONGEST_WAIT, at_most)
        wait *= 0.5 + 0.5 * self.ports.jitter()
        if isinstance(why, RateLimited):
            # A wish may bring any other wait forward, but not a pause that the provider asked for.
            named = wait if why.retry_after is None else why.retry_after * (1 + LATER_BY * self.ports.jitter())
            changes["not_before"] = now + named
            # What is refused again and again, after whatever pause is named, is tried less and less often all the same.
            wait = named if failures <= PATIENT else max(named, wait)
        self.release(changes, now + wait, user_fields=user_fields)

    def stop(self, reason: Reason) -> None:
        """Give the lease back for good: a person must act first, and nothing is enqueued until then.

        What was paused by a setting is looked at again after a while: not every setting has a trigger that tells.
        """
        state = _STATES.get(reason, "paused")
        fields: dict[str, Any] = {"state": state, "state_reason": reason.value}
        shown = {"connection": {"id": self.connection_id, "state": state, "reason": reason.value}}
        unchanged = self.connection.state == state and self.connection.state_reason == reason
        nobody = reason in {Reason.USER_GONE, Reason.SWITCHED, Reason.NOT_CONNECTED}
        again = self.ports.clock.now() + LOOK_AGAIN if reason in _SETTINGS else None
        user_fields = None if unchanged or nobody else shown
        if reason is Reason.SWITCHED:
            fields["lost_at"] = None  # That it is well again is no news of a calendar that is not synced any more.
        if reason is Reason.ACCESS_LOST:
            # The one step that ends the runs also says so once: no later run is there to say it again.
            fields["lost_at"] = self.connection.lost_at or self.ports.clock.now()
            told = self.connection.lost_at is not None
            account = self.ports.store.account(self.connection.account_id)
            mine = account is not None and account.value.belongs_to(self.connection.studio_id, self.connection.user_id)
            lost = {"state": "needs_reauth"} if mine else None
            mail: MailKind | None = None if told else "access_lost"
            self.release(fields, again, user_fields=user_fields, account_fields=lost, mail=mail)
            return
        self.release(fields, again, user_fields=user_fields)

    def _mail(self, kind: MailKind) -> tuple[str, Mail]:
        connection, now = self.connection, self.ports.clock.now()
        said = Mail(
            kind=kind,
            studio_id=connection.studio_id,
            user_id=connection.user_id,
            connection_id=self.connection_id,
            created_at=now,
            expires_at=now + MAIL_LIFE,
        )
        return f"{self.connection_id}-{self.id}-{kind}", said

    def count(self, word: str) -> None:
        self.counts[word] = self.counts.get(word, 0) + 1

    def _store(self, steps: Sequence[Step]) -> Stale | Refused | None:
        """Store at once; what went wrong, unless that was a mere wish meanwhile: then once more."""
        settlements = [step.settlement for step in steps]
        chunks = self._log_chunks([step.entry for step in steps if step.entry is not None])
        for _ in range(ATTEMPTS):
            version = self._version
            lease = {"holder": self.id, "expires_at": self.ports.clock.now() + LEASE}
            fields = {**self._noted, **self._spending(), "lease": lease}
            try:
                self._version = self.ports.store.settle(self.connection_id, version, fields, settlements, chunks)
            except Refused as refused:
                return refused
            except Stale as stale:
                self.look_again()
                if self._version == version:
                    return stale
            else:
                self._noted.clear()
                self._log_number += len(chunks)
                self._changed += sum(entry.changes for chunk in chunks for entry in chunk.entries)
                return None
        raise Unavailable(f"no gap to write to connection {self.connection_id}")

    def _log_chunks(self, entries: Sequence[LogEntry]) -> list[RunLog]:
        """The entries in as few documents as hold them: one may be 1 MiB, and before-images can be long."""
        chunks: list[list[LogEntry]] = []
        size = LOG_CHUNK_BYTES
        for entry in entries:
            own = len(msgspec.json.encode(entry))
            if size + own > LOG_CHUNK_BYTES:
                chunks.append([])
                size = 0
            chunks[-1].append(entry)
            size += own
        changed = self._changed + sum(entry.changes for entry in entries)
        summary = {"started_at": self.started_at, "counts": dict(self.counts), "changed": changed}
        return [
            RunLog(run_id=self.id, number=number, entries=tuple(chunk), summary=summary)
            for number, chunk in enumerate(chunks, self._log_number + 1)
        ]

    def look_again(self) -> None:
        """Read what others have written to the connection: a wish or a notification is fine, another holder is not.

        Raises:
            LeaseLost: another run has taken over.
        """
        stored = self.ports.store.connection(self.connection_id)
        if stored is None or stored.value.lease is None or stored.value.lease.holder != self.id:
            raise LeaseLost(f"connection {self.connection_id} was taken over")
        # What this run knows of the connection otherwise is newer than what is stored.
        self.connection = self.connection.told(stored.value)
        self._version = stored.version

    def _spending(self) -> Document:
        """What is to be stored of what the account has called: where that was much, or such a note is over."""
        kept = self.pace.spent.worth_keeping(self.ports.clock.now())
        if kept is None and self.connection.spent is None:
            return {}
        self.know(spent=kept)
        return {"spent": msgspec.to_builtins(kept, builtin_types=(dt.datetime,))}

    def _wish_meanwhile(self) -> dt.datetime | None:
        wished = self.connection.next_sync_at
        return None if wished == self._claimed_until else wished

    def _go_on(self, due: dt.datetime, queue: str) -> None:
        at = due if due > self.ports.clock.now() else None
        task = sync_task(self.connection_id, due, queue=queue, attempt=self.id, at=at)
        for _, error in self.ports.tasks.enqueue([task]):
            extra = {"connection": self.connection_id, "run": self.id, "error": type(error).__name__}
            log.warning("no task to go on with: the next tick does", extra=extra)


def claim(connection_id: str, ports: Ports, queue: str) -> Run | None:
    """Take the lease, if the connection is due and free. None if there is nothing to do, or another run is at it.

    `queue`: see `Run`.

    Raises:
        UnknownConnectionError: there is no such connection.
    """
    stored = ports.store.connection(connection_id)
    if stored is None:
        raise UnknownConnectionError(connection_id)
    now = ports.clock.now()
    connection = stored.value
    if connection.state not in RUNNABLE or not connection.due(now):
        return None
    run_id = ports.new_id()
    if connection.held_by_another(run_id, now):
        return None
    lease = Lease(run_id, now + LEASE)
    # If this run dies, the connection is due again by itself when the lease runs out.
    fields = {"lease": msgspec.structs.asdict(lease), "attempted_at": now, "next_sync_at": lease.expires_at}
    try:
        version = ports.store.update_connection(connection_id, stored.version, fields)
    except Stale:
        # Another run was faster, unless the answer to our own write was lost and it was tried twice.
        stored = ports.store.connection(connection_id)
        if stored is None or stored.value.lease is None or stored.value.lease.holder != run_id:
            return None
        version = stored.version
    claimed = msgspec.structs.replace(connection, lease=lease, attempted_at=now, next_sync_at=lease.expires_at)
    synced, attempted = connection.synced_at, connection.attempted_at
    resumes = synced is None or (attempted is not None and attempted > synced)
    return Run(connection_id, claimed, version, run_id, ports, resumes=resumes, queue=queue)


def borrow(connection_id: str, by: Run) -> Run | None:
    """Take the lease of another connection of the same user, for what is to be done in its calendar on the way.

    It is due when it was, and given back by `give_back`. None: its account or its calendar is not the user's any more;
    a token is the account's, whoever has that now, and would open it all the same.

    Raises:
        Unavailable, Stale: it is being synced, or was written to just now.
    """
    ports = by.ports
    stored = ports.store.connection(connection_id)
    if stored is None or not _still_of_the_user(stored.value, ports.store):
        return None
    now, run_id = ports.clock.now(), ports.new_id()
    if stored.value.held_by_another(run_id, now):
        raise Unavailable("the connection is being synced")
    lease = Lease(run_id, now + LEASE)
    version = ports.store.update_connection(connection_id, stored.version, {"lease": msgspec.structs.asdict(lease)})
    # Its time is that of the run which borrows.
    taken = msgspec.structs.replace(stored.value, lease=lease, attempted_at=by.started_at)
    pace = by.pace if taken.account_id == by.connection.account_id else None
    return Run(connection_id, taken, version, run_id, ports, pace=pace)


def _still_of_the_user(connection: Connection, store: Store) -> bool:
    """Whether nobody else may have the account or the calendar by now."""
    if connection.state == "disconnected":
        return False
    account, calendar = store.account(connection.account_id), store.calendar_claim(connection.calendar_id)
    if account is None or calendar is None:
        return False
    user = (connection.studio_id, connection.user_id)
    return account.value.belongs_to(*user) and calendar.belongs_to(*user)


class UnknownConnectionError(Exception):
    """A task names a connection that does not exist."""
