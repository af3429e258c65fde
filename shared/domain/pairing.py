"""Finds the same entry standing on both sides, before anything is created: a person typed it twice.

Two rules, the sure one first: the same time and title; the same time and the client's name in the title. Everything
else that happens to be at the same time is another entry. Each entry is paired at most once, in the order of the ids,
so that a repeated run finds the same pairs.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping

from shared.domain.content import Content


def pair(
    appointments: Mapping[str, Content], events: Mapping[str, Content], client_names: Mapping[str, str]
) -> dict[str, str]:
    """Event id to appointment id, for the unpaired entries given by id.

    `client_names` maps appointment id to the full name of its client, where it has one.
    """
    pairs: dict[str, str] = {}
    _match(
        appointments,
        events,
        pairs,
        lambda _, appointment, event: _alike(appointment.title, event.title),
    )
    _match(
        appointments,
        events,
        pairs,
        lambda appointment_id, _, event: _names(event.title, client_names.get(appointment_id, "")),
    )
    return pairs


def _match(
    appointments: Mapping[str, Content],
    events: Mapping[str, Content],
    pairs: dict[str, str],
    alike: Callable[[str, Content, Content], bool],
) -> None:
    taken = set(pairs.values())
    at_time: dict[str, list[str]] = defaultdict(list)
    for appointment_id in sorted(appointments):
        if appointment_id not in taken:
            at_time[appointments[appointment_id].when.shown()].append(appointment_id)
    for event_id in sorted(events):
        if event_id in pairs:
            continue
        candidates = at_time.get(events[event_id].when.shown(), [])
        for appointment_id in candidates:
            if alike(appointment_id, appointments[appointment_id], events[event_id]):
                pairs[event_id] = appointment_id
                candidates.remove(appointment_id)
                break


def plain(text: str) -> str:
    """Letters, their marks, and digits, in one case: "Smith – newborn " and "smith newborn" are the same."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in folded).split())


def _alike(one: str, other: str) -> bool:
    """The same title, but for case, spaces and punctuation; where there is nothing else, these count too."""
    return plain(one) == plain(other) if plain(one) or plain(other) else one.strip() == other.strip()


def _names(title: str, client: str) -> bool:
    """Whether every part of the client's name stands in the title as a word; a lone first name says too little."""
    parts = plain(client).split()
    return len(parts) > 1 and set(parts) <= set(plain(title).split())
