"""A world as it stood at one moment, to go back to as often as wanted: preparing one takes longer than most runs do."""

import copy
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.types import Document

from local.google.calendar import Calendar
from tests.world import World


class Snapshot:
    """What the stand-ins hold of a world: documents, calendars, push channels, consents, faults, tasks, secrets; and
    its time.

    Access tokens that Google gave out since are not taken back, as they do not count as a change in the real world
    either. Nothing of the world may be going on while it is looked at or put back.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._ahead = world.clock.ahead
        self._connections = dict(world.connections)
        self.documents = {document.name: document for document in _documents(world.firestore)}
        google, tasks, secrets = world.cloud.google, world.cloud.tasks, world.cloud.secrets
        with google._lock:
            calendars = google._calendars
            self.lists = {email: _copied(calendars._lists[email]) for email in world.emails.values()}
            seen = {calendar_id for entries in self.lists.values() for calendar_id in entries}
            self.calendars = {one: _calendar(calendars._calendars[one]) for one in seen}
            channels = google.push._channels
            self.channels = _copied({one: channels[one] for one in channels if channels[one].calendar_id in seen})
            accounts = google.accounts
            self.subs = {account.sub for account in accounts.all() if account.email in self.lists}
            self.consents = {key: scopes for key, scopes in accounts._consented.items() if key[0] in self.subs}
            tokens = accounts._tokens._refresh
            self.tokens = _copied({text: token for text, token in tokens.items() if token.sub in self.subs})
            self.faults = [copy.copy(fault) for fault in google._faults._faults]
        with tasks._changed:
            self.tasks = {name: _copied(tasks._queues[name].tasks) for name in self._ours(tasks._queues)}
            self.names_taken = {name: tasks._names_taken[name] for name in self._ours(tasks._names_taken)}
        with secrets._lock:
            self.secrets = {name: copy.deepcopy(secrets._secrets[name]) for name in self._ours(secrets._secrets)}

    def restore(self) -> None:
        """Everything as it was, and a new process, which has nothing in memory."""
        world = self._world
        google, tasks, secrets = world.cloud.google, world.cloud.tasks, world.cloud.secrets
        with google._lock:
            google._calendars._lists |= {email: _copied(entries) for email, entries in self.lists.items()}
            google._calendars._calendars |= {one: _calendar(calendar) for one, calendar in self.calendars.items()}
            channels = google.push._channels
            since = [one for one in channels if channels[one].calendar_id in self.calendars]
            _replace(channels, since, _copied(self.channels))
            consents, tokens = google.accounts._consented, google.accounts._tokens._refresh
            _replace(consents, [key for key in consents if key[0] in self.subs], self.consents)
            _replace(tokens, [text for text in tokens if tokens[text].sub in self.subs], _copied(self.tokens))
            google._faults._faults[:] = [copy.copy(fault) for fault in self.faults]
        with tasks._changed:
            for name, kept in self.tasks.items():
                tasks._queues[name].tasks = _copied(kept)
            _replace(tasks._names_taken, self._ours(tasks._names_taken), self.names_taken)
        with secrets._lock:
            _replace(secrets._secrets, self._ours(secrets._secrets), copy.deepcopy(self.secrets))
        world.cloud.emulator.clear(world.project)
        _write(world.firestore, self.documents.values())
        world.clock.ahead = self._ahead
        world.connections = dict(self._connections)
        world.restart()

    def different(self, other: "Snapshot") -> set[str]:
        """In which parts the world has changed between the two."""
        there = other._parts()
        return {part for part, here in self._parts().items() if here != there[part]}

    def _parts(self) -> dict[str, Any]:
        """To be compared: no two answers have the same times of writing, and no task equals another."""
        documents = {name: document.fields for name, document in self.documents.items()}
        tasks = {queue: {name: str(task) for name, task in found.items()} for queue, found in self.tasks.items()}
        rest = {name: part for name, part in vars(self).items() if name != "_world"}
        return rest | {"documents": documents, "tasks": tasks}

    def _ours(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name.startswith(f"projects/{self._world.project}/")]


def _documents(client: firestore.Client) -> Iterator[Document]:
    """All documents of all collections, at whatever depth."""
    parent = f"{client._database_string}/documents"
    request = {"parent": parent, "structured_query": {"from_": [{"all_descendants": True}]}}
    for answer in client._firestore_api.run_query(request=request, metadata=client._rpc_metadata):
        if answer.document.name:
            yield answer.document


def _write(client: firestore.Client, documents: Iterable[Document]) -> None:
    writes = [{"update": {"name": document.name, "fields": document.fields}} for document in documents]
    request = {"database": client._database_string, "writes": writes}
    client._firestore_api.commit(request=request, metadata=client._rpc_metadata)


def _copied(found: dict[str, Any]) -> dict[str, Any]:
    """Each value with fields of its own; what stands in the fields is replaced when it changes, never changed."""
    return {name: copy.copy(one) for name, one in found.items()}


def _calendar(calendar: Calendar) -> Calendar:
    return dataclasses.replace(
        calendar,
        events=dict(calendar.events),
        used_ids=set(calendar.used_ids),
        hidden_ids=set(calendar.hidden_ids),
    )


def _replace(found: dict[Any, Any], names: Iterable[Any], kept: dict[Any, Any]) -> None:
    for name in names:
        del found[name]
    found |= kept
