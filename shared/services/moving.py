"""A user syncs with another calendar now: what is entered there is taken out of the one before.

The old copy goes first. A run that dies between the two finds the appointment in no calendar and enters it; the other
way round nobody would come back for the old copy.
"""

import logging
from collections.abc import Sequence

import msgspec

from shared.domain import guard
from shared.domain.connection import Connection
from shared.domain.errors import Retry, Stale, Stop
from shared.domain.event import Delete, Event
from shared.domain.link import Link, buried
from shared.ports import Settlement, Stored
from shared.services.run import Run

log = logging.getLogger(__name__)


def remove_old_copies(run: Run, appointment_ids: Sequence[str], *, cancelled: Sequence[str] = ()) -> set[str]:
    """Take appointments out of the user's earlier calendars; gives those that must wait until one of these answers.

    A copy stays where access is lost, where the event is somebody else's, and where a person has edited it since: what
    was written there last is nowhere else. So do those of unusually many `cancelled` ones: nobody can be asked about a
    calendar that is not kept in step any more.
    """
    if not guard.lets_through(len(cancelled), 0, _upcoming(run)):
        extra = {"connection": run.connection_id, "run": run.id, "number": len(cancelled)}
        log.warning("old copies stay: unusually many were cancelled at once", extra=extra)
        appointment_ids = [one for one in appointment_ids if one not in cancelled]
    stuck: set[str] = set()
    for earlier in run.connection.earlier:
        stored = run.ports.store.connection(earlier)
        if stored is None:
            continue
        found = run.ports.store.links(earlier, appointment_ids)
        links = [link for link in found.values() if link.state in {"paired", "leaving"} and not link.theirs]
        if not links:
            continue
        try:
            stuck |= _remove(run, earlier, stored, links)
        except Stop as stop:
            extra = {"connection": earlier, "run": run.id, "why": stop.reason.value}
            log.warning("old copies stay: no access to the earlier calendar", extra=extra)
        except Retry:
            stuck.update(link.appointment_id for link in links)
    return stuck


def _upcoming(run: Run) -> int:
    """The pairs to come in all calendars of this user, the earlier ones too."""
    calendars = (run.connection_id, *run.connection.earlier)
    return sum(run.ports.store.upcoming_pairs(one, run.ports.clock.now()) for one in calendars)


def _remove(run: Run, earlier: str, stored: Stored[Connection], links: Sequence[Link]) -> set[str]:
    """Each step is conditional on the earlier connection being as it was read: should it be revived, this ends."""
    store, now = run.ports.store, run.ports.clock.now()
    unchanged = {"state": stored.value.state}
    if stored.value.held_by_another(run.id, now):
        raise Retry("the earlier connection is being synced")
    leaving = [Settlement(link=msgspec.structs.replace(link, state="leaving")) for link in links]
    version = store.settle(earlier, stored.version, unchanged, leaving)
    calendar = run.ports.calendars.open(earlier, stored.value)
    outcomes = calendar.write([Delete(event_id=link.event_id, etag=link.etag) for link in links])
    done = [
        Settlement(link=buried(link, now) if isinstance(outcome, Event) else link)
        for link, outcome in zip(links, outcomes, strict=True)
    ]
    store.settle(earlier, version, unchanged, done)
    return {
        link.appointment_id
        for link, outcome in zip(links, outcomes, strict=True)
        if isinstance(outcome, Retry) and not isinstance(outcome, Stale)
    }
