"""A document of a studio was written: note what concerns whom, and wish a run for them."""

import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from shared.domain import identity
from shared.domain.connection import OutboxEntry
from shared.domain.content import When
from shared.domain.doubt import SAME, Doubt
from shared.domain.errors import Unavailable
from shared.domain.inbox import ANSWERS, InboxItem, read_item
from shared.domain.setting_changes import wants_run
from shared.domain.studio_change import appointment_change, assigned, entry_of, former_times
from shared.ports import Clock, Store, Tasks
from shared.services import doubts
from shared.services.wishes import wish

log = logging.getLogger(__name__)

Document = Mapping[str, Any] | None


def appointment_written(
    studio_id: str,
    appointment_id: str,
    before: Document,
    after: Document,
    at: dt.datetime,
    *,
    store: Store,
    tasks: Tasks,
    clock: Clock,
) -> int:
    """Enter the appointment into the outbox of everyone it is or was assigned to; gives how many that were.

    Told twice or in the wrong order does no harm: an entry says "look at this", and the run reads the document.
    A run's own write wishes no further run of the same connection, but is entered all the same: if a front-end has
    overwritten it unknowingly, the next run finds out.
    """
    change = appointment_change(before, after)
    of_series = _of_the_series(studio_id, change.series_id, store)
    users: dict[str, AbstractSet[str]] = {appointment_id: change.user_ids | of_series}
    if change.repeats:
        users |= _of_its_occurrences(studio_id, appointment_id, change.user_ids, store)
    concerned = sorted({user for those in users.values() for user in those})
    if not concerned:
        return 0
    connection_of = store.user_connections(studio_id, concerned)
    told = {(connection_of[user], one) for one, those in users.items() for user in those if user in connection_of}
    entries = [(who, one, OutboxEntry(appointment_id=one, at=at)) for who, one in sorted(told)]
    if change.repeats and (former := _former_times(studio_id, concerned[0], before, after, store)):
        # Should it be moved once more before a run comes, nobody else could tell what was changed of it in between.
        entry_id = entry_of(appointment_id, former)
        moved = OutboxEntry(appointment_id=appointment_id, at=at, cause="moved", former=former)
        entries += [(who, entry_id, moved) for who, one in sorted(told) if one == appointment_id]
    store.put_outbox(entries)
    connections = sorted({who for who, _ in told})
    _wish_each([one for one in connections if one != change.written_by], store, tasks, clock)
    return len(connections)


def _former_times(studio_id: str, user_id: str, before: Document, after: Document, store: Store) -> When | None:
    if before is None or after is None:
        return None
    studio, _ = store.settings(studio_id, user_id)
    return former_times(before, after, str((studio or {}).get("time_zone") or ""))


def _of_its_occurrences(
    studio_id: str, series_id: str, users_of_series: frozenset[str], store: Store
) -> dict[str, set[str]]:
    """Who is assigned to occurrences of a series and not to the series: what they do not say, they have from it."""
    occurrences = store.occurrences(studio_id, [series_id])
    return {one: others for one, found in occurrences.items() if (others := assigned(found.value) - users_of_series)}


def _of_the_series(studio_id: str, series_id: str | None, store: Store) -> set[str]:
    """Who is assigned to the series of an occurrence: they have it from there, or had it until now."""
    series = store.appointments(studio_id, [series_id]) if series_id is not None else {}
    return {user for found in series.values() for user in assigned(found.value)}


def studio_written(
    studio_id: str, before: Document, after: Document, *, store: Store, tasks: Tasks, clock: Clock
) -> int:
    """Wish a run for every connection of the studio, if a setting changed that runs should know of at once.

    Gives how many were wished: those that rest, or wait for a person, are not woken.
    """
    if not wants_run("studio", before, after):
        return 0
    return _wish_each(store.connections_of_studio(studio_id), store, tasks, clock)


def user_written(
    studio_id: str, user_id: str, before: Document, after: Document, *, store: Store, tasks: Tasks, clock: Clock
) -> int:
    """Wish a run if the person changed a setting or asked for one; gives how many were wished (0 or 1)."""
    if not wants_run("user", before, after):
        return 0
    if after is None:
        # Nothing can be looked up any more: the version that was erased knows the connection.
        connections = _connection_of(before or {})
    else:
        connections = list(store.user_connections(studio_id, [user_id]).values())
    return _wish_each(connections, store, tasks, clock)


def _connection_of(user: Mapping[str, Any]) -> list[str]:
    connection = user.get("connection")
    connection_id = connection.get("id") if isinstance(connection, Mapping) else None
    return [connection_id] if isinstance(connection_id, str) and identity.usable(connection_id) else []


def inbox_written(
    studio_id: str, item_id: str, before: Document, after: Document, *, store: Store, tasks: Tasks, clock: Clock
) -> int:
    """Have a run carry out what a person answered; gives how many connections were told (0 or 1).

    Only a new answer counts: what the backend writes itself leaves the answer as it was, or closes the question.
    A held deletion is answered in the user's settings.
    """
    asked = _answered(before, after)
    if asked is None:
        return 0
    refs = asked.refs
    if asked.kind == "pair":
        return _pair_answered(studio_id, item_id, asked, store=store, tasks=tasks, clock=clock)
    connection_id, appointment_id = refs.get("connection_id"), refs.get("appointment_id")
    entry_id = f"answer:{appointment_id}"
    usable = all(identity.usable(one) for one in (connection_id, appointment_id, entry_id))
    connection = store.connection(str(connection_id)) if usable else None
    if connection is None or connection.value.studio_id != studio_id:
        log.warning("an answer to a question about nothing", extra={"studio": studio_id, "item": item_id})
        return 0
    entry = OutboxEntry(appointment_id=appointment_id, at=clock.now(), cause="answered")
    # Asked about a calendar that rests by now, it is for the one that the user syncs with.
    user_id = connection.value.user_id
    active = store.user_connections(studio_id, [user_id]).get(user_id, str(connection_id))
    store.put_outbox([(active, entry_id, entry)])
    _wish_each([active], store, tasks, clock)
    return 1


def _pair_answered(studio_id: str, item_id: str, asked: InboxItem, *, store: Store, tasks: Tasks, clock: Clock) -> int:
    """The two are one entry, or they are two: a run of their own connection pairs them, or enters each."""
    connection_id, appointment_id, event_id, import_id = (
        str(asked.refs.get(name)) for name in ("connection_id", "appointment_id", "event_id", "import_id")
    )
    usable = all(identity.usable(one) for one in (connection_id, appointment_id, event_id, import_id))
    genuine = usable and item_id == identity.pair_question(connection_id, appointment_id, event_id)
    connection = store.connection(connection_id) if genuine else None
    if connection is None or connection.value.studio_id != studio_id:
        log.warning("an answer to a question about nothing", extra={"studio": studio_id, "item": item_id})
        return 0
    at = clock.now()
    doubt = Doubt(question=item_id, appointment_id=appointment_id, event_id=event_id, import_id=import_id, when="")
    if asked.answer == SAME:
        entries = doubts.entry_of_event(doubt, at, same=True)
    else:
        # What has been paired meanwhile is no entry by itself.
        tied = store.links_of_events(connection_id, [event_id])
        entries = doubts.entry_of_appointment(doubt, at) | ({} if tied else doubts.entry_of_event(doubt, at))
    store.put_outbox([(connection_id, entry_id, entry) for entry_id, entry in entries.items()])
    _wish_each([connection_id], store, tasks, clock)
    return 1


def _answered(before: Document, after: Document) -> InboxItem | None:
    """What the question was about before this, with the answer, if an open one was just answered. One that nobody asked
    before is none of ours.
    """
    if before is None or after is None or before.get("answer") == after.get("answer"):
        return None
    asked, item = read_item(before), read_item(after)
    if asked is None or item is None or item.status != "open" or item.answer not in ANSWERS.get(asked.kind, ()):
        return None
    return msgspec.structs.replace(asked, answer=item.answer)


def _wish_each(connection_ids: Iterable[str], store: Store, tasks: Tasks, clock: Clock) -> int:
    """Wish a run for each; one that cannot be is told once all others are served. Gives how many were wished.

    Raises:
        Unavailable: at least one could not be wished now.
    """
    wished, unavailable = 0, None
    for connection_id in connection_ids:
        try:
            wished += wish(connection_id, store, tasks, clock)
        except Unavailable as error:
            unavailable = error
        except Exception:
            # A document of ours that cannot be read: what is in its outbox waits, its colleagues shall have their runs.
            log.exception("no run could be wished", extra={"connection": connection_id})
    if unavailable is not None:
        raise unavailable
    return wished
