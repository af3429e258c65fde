"""Every call that this process makes to the outside: seen and counted, struck by a fault, or its last one."""

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from google.api_core import exceptions

from local.faults.book import Faults
from local.faults.rules import Rule


class Killed(BaseException):
    """The process "died" here: raised instead of the call, or of its answer, and on every call from then on.

    Not an `Exception`, so that no `except Exception` survives it.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call. `at` in seconds since the epoch; `thread` is the calling thread's `threading.get_ident`."""

    service: str
    method: str
    document_reads: int
    document_writes: int
    at: float
    thread: int


@dataclasses.dataclass(slots=True)
class Entry:
    """A call under way. `refused`: faults of single calls of a batch, by their place in it."""

    call: Call
    doomed: bool
    fault: Rule | None = None
    refused: Mapping[int, Rule] = dataclasses.field(default_factory=dict)


class Wiretap:
    """The calls of one process since the last `reset`, its faults, and its kill switch. Safe to use from any thread.

    `faults` strike calls as they are made; `reset` and `disarm` leave them as they are.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._remaining = 0
        self._when: Literal["before", "after"] = "before"
        self._only: Callable[[Call], bool] | None = None
        self._armed = False
        self._dead = False
        # Firestore clients and transaction ids, of transactions that `Killed` kept from being rolled back.
        self.left_open: list[tuple[Any, bytes]] = []

    @property
    def calls(self) -> tuple[Call, ...]:
        """What was sent, oldest first; a call that died or failed before it was sent is not among them."""
        with self._lock:
            return tuple(entry.call for entry in self._entries)

    @property
    def dead(self) -> bool:
        """Whether the switch was hit, and `disarm` not called since."""
        with self._lock:
            return self._dead

    def reset(self) -> None:
        """Forgets the calls; leaves the kill switch as it is."""
        with self._lock:
            self._entries.clear()

    def summary(self) -> dict[str, Any]:
        """JSON: ``{calls, services: {name: n}, methods: {"name method": n}, document_reads, document_writes}``."""
        services: dict[str, int] = {}
        methods: dict[str, int] = {}
        calls = self.calls
        for call in calls:
            services[call.service] = services.get(call.service, 0) + 1
            key = f"{call.service} {call.method}"
            methods[key] = methods.get(key, 0) + 1
        return {
            "calls": len(calls),
            "services": services,
            "methods": methods,
            "document_reads": sum(call.document_reads for call in calls),
            "document_writes": sum(call.document_writes for call in calls),
        }

    def kill_at(
        self, n: int, when: Literal["before", "after"] = "before", only: Callable[[Call], bool] | None = None
    ) -> None:
        """The `n`-th call from now (1 is the next) dies before it is sent, or after it took effect.

        From then on every call dies, also those under way in other threads, until `disarm`: a dead process makes no
        calls and gets no answers. With `only`, other calls neither count nor die.
        """
        if n < 1:
            raise ValueError(f"there is no call number {n}")
        with self._lock:
            self._remaining, self._when, self._only = n, when, only
            self._armed, self._dead = True, False

    def disarm(self) -> None:
        """A new process may live. Also ends the transactions that the dead one left open (calls named Rollback)."""
        with self._lock:
            self._armed = self._dead = False
        while self.left_open:
            _end_transaction(*self.left_open.pop())

    def enter(
        self, service: str, method: str, reads: int = 0, writes: int = 0, *, batched: Sequence[str] = ()
    ) -> Entry:
        """Before a call is sent. Raises `Killed` if it must not be. `batched`: the methods of the calls inside it."""
        call = Call(service, method, reads, writes, time.time(), threading.get_ident())
        with self._lock:
            doomed = self._armed and (self._only is None or self._only(call))
            if doomed:
                self._remaining -= 0 if self._dead else 1
                if self._dead or (self._remaining == 0 and self._when == "before"):
                    self._dead = True
                    raise Killed(f"before {service} {method}")
                self._dead = self._remaining == 0
            entry = Entry(call, doomed)
            if self.faults.active:
                self._strike(entry, batched)
            if entry.fault is None or entry.fault.sends:
                self._entries.append(entry)
            if entry.fault is not None and entry.fault.fault == "twice":
                self._entries.append(Entry(call, entry.doomed))
            return entry

    def _strike(self, entry: Entry, batched: Sequence[str]) -> None:
        """Finds out what is to happen to the call. Raises `Killed`."""
        call = entry.call
        entry.doomed |= self.faults.deadly
        fault = self.faults.strike(call.service, call.method)
        refused = {}
        for place, method in enumerate(batched):
            found = self.faults.strike(call.service, method)
            if found is not None and found.fault == "fail":
                refused[place] = found
            else:
                # A connection is the whole batch's, and so is a process.
                fault = fault or found
        entry.fault, entry.refused = fault, refused
        if fault is not None and fault.fault == "kill":
            self._armed, self._dead, self._only = True, True, None
            if not fault.after:
                raise Killed(f"before {call.service} {call.method}")

    def leave(self, entry: Entry, reads: int | None = None) -> None:
        """Before an answer, or a part of it, is handed over. Raises `Killed` if it must not be."""
        with self._lock:
            if reads is not None:
                entry.call = dataclasses.replace(entry.call, document_reads=reads)
            if self._dead and entry.doomed:
                raise Killed(f"after {entry.call.service} {entry.call.method}")


def _end_transaction(client: Any, transaction_id: bytes) -> None:
    request = {"database": client._database_string, "transaction": transaction_id}  # noqa: SLF001 - as the client does
    try:
        client._firestore_api.rollback(request=request, metadata=client._rpc_metadata)  # noqa: SLF001
    except exceptions.GoogleAPICallError:
        return  # It was committed, or is over already: nothing is locked.
