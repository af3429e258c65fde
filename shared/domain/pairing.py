"""Finds the same entry standing on both sides, before anything is created: a person typed it twice.

Two rules, the sure one first: the same time and title; the same time and the client's name in the title. Each entry is
paired at most once, in the order of the ids, so that a repeated run finds the same pairs. What neither rule pairs and
yet stands at the very same time is doubtful: it may be one entry that two persons have typed in their own words.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping

from shared.domain.content import Content, Timed


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


def doubtful(
    appointments: Mapping[str, Content], events: Mapping[str, Content], pairs: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(Event id, appointment id) of what neither rule has paired (`pairs`), in order, and what may be one entry.

    Nobody does two things from one minute to another. Whole days have many things on them: there a word in common is
    needed.
    """
    taken = set(pairs.values())
    at_time: dict[str, list[str]] = defaultdict(list)
    for appointment_id in sorted(appointments.keys() - taken):
        at_time[appointments[appointment_id].when.shown()].append(appointment_id)
    return [
        (event_id, one)
        for event_id in sorted(events.keys() - pairs.keys())
        for one in at_time.get(events[event_id].when.shown(), ())
        if isinstance(events[event_id].when, Timed) or _share(appointments[one].title, events[event_id].title)
    ]


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


def _share(one: str, other: str) -> bool:
    return bool(set(plain(one).split()) & set(plain(other).split()))
