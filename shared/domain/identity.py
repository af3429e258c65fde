"""Every id that we choose, derived from what it stands for: the same thing has the same id whoever makes it, and
however often. That is what keeps a repeated or concurrent creation from becoming a duplicate.
"""

import datetime as dt
import re

from shared.domain.content import digest

_LONGEST_BYTES = 1_500
_RESERVED = re.compile(r"__.*__", re.DOTALL)


def usable(document_id: object) -> bool:
    """Whether Firestore takes this as a document's id: front-ends write ids of users and clients into their documents.

    Source: "Constraints on document IDs" in Firestore's quotas.
    """
    if not isinstance(document_id, str) or document_id in {"", ".", ".."} or "/" in document_id:
        return False
    return len(document_id.encode(errors="surrogatepass")) <= _LONGEST_BYTES and not _RESERVED.fullmatch(document_id)


def account_document(provider: str, account_id: str) -> str:
    """Document id in ``accounts/``; `account_id` is the provider's stable subject (`sub`), not the e-mail."""
    return f"{provider}:{account_id}"


def connection(studio_id: str, user_id: str, provider: str, account_id: str, calendar_id: str) -> str:
    """26 characters (130 bits). Coming back to an earlier calendar gives the earlier connection, with its pairs."""
    return digest("connection", studio_id, user_id, provider, account_id, calendar_id)[:26]


def event(connection_id: str, appointment_id: str, generation: int) -> str:
    """Id of the event that we create for an appointment; a burnt id is followed by the next generation's."""
    return digest("event", connection_id, appointment_id, str(generation))


# An appointment is entered anew each time it was deleted in the calendar and wanted again: never this often.
GENERATIONS = 50


def generation_of(event_id: str, connection_id: str, appointment_id: str) -> int | None:
    """Which generation of the appointment's event this is; None if the event was not made by us for it."""
    return next((n for n in range(GENERATIONS) if event(connection_id, appointment_id, n) == event_id), None)


def imported_appointment(studio_id: str, ical_uid: str, original_start: str = "") -> str:
    """Id of the appointment that an event becomes; every guest's copy of one event gives the same."""
    return "g" + digest("appointment", studio_id, ical_uid, original_start)[:25]


def occurrence(series_id: str, slot: str) -> str:
    """Id of the document of an occurrence that is not as its series has it, whoever writes it. `slot` is its original
    start: ``20260301T090000Z`` (UTC), or ``20260301`` for whole days.
    """
    return f"{series_id}_{slot}"


def single(series_id: str, slot: str, event_id: str) -> str:
    """Id of the single appointment that an occurrence becomes, with its own event, where its series is no more.

    Not the occurrence's: should the series come back, that is the id of what it has at the slot.
    """
    return "s" + digest("single", series_id, slot, event_id)[:25]


def removal_question(connection_id: str, event_id: str) -> str:
    """Id of the inbox item that asks about an event removed from one of several calendars: once for each event."""
    return "removed-" + digest("removed", connection_id, event_id)[:26]


def pair_question(connection_id: str, appointment_id: str, event_id: str) -> str:
    """Id of the inbox item that asks whether the two are one entry: once for each two."""
    return "pair-" + digest("pair", connection_id, appointment_id, event_id)[:26]


def conflict(user_id: str, one: str, other: str) -> str:
    """Document id in ``conflicts/``: one for two appointments of a user, in whichever order they are named."""
    return digest("conflict", user_id, *sorted((one, other)))[:26]


def calendar_claim(provider: str, calendar_id: str) -> str:
    """Document id in ``calendars/``: one for a calendar, whoever it is shared with."""
    return digest("calendar", provider, calendar_id)[:26]


def invitation(studio_id: str, user_id: str) -> str:
    """Document id in ``invitations/``: one for a user."""
    return digest("invitation", studio_id, user_id)[:26]


def refresh_token_secret(provider: str, account_id: str) -> str:
    """Secret Manager id (letters, digits, dashes) of an account's refresh token."""
    return f"refresh-token-{provider}-{digest('secret', provider, account_id)[:26]}"


def sync_task(connection_id: str, wished_for: dt.datetime, attempt: str = "") -> str:
    """Cloud Tasks name of the task for one wish.

    Names are refused for up to 24 hours after use, so a name stands for one wish (its time, to the microsecond);
    `attempt` tells another try at the same wish apart (the scheduler's tick, the run that wants to go on).
    Hashed, as Cloud Tasks advises against sequential names.
    """
    return digest("sync", connection_id, wished_for.isoformat(), attempt)


def fan_out_task(tick: str, cursor: str) -> str:
    """Cloud Tasks name of one further page of one tick's fan-out."""
    return digest("fan-out", tick, cursor)
