"""What the studio may see of a calendar entry, and which of its fields are ours to write.

| entry                                     | seen by the studio                    | not ours to write              |
|-------------------------------------------|---------------------------------------|--------------------------------|
| organised by somebody else; out of office | whole; tentative until it is accepted | everything                     |
| made private in the calendar              | "Busy": no title, text or place       | title, text, place, visibility |
| the same, where the user allows details   | whole                                 | nothing                        |
| made private by the studio                | whole: it is the studio's own text    | nothing                        |
"""

import msgspec

from shared.domain import identity
from shared.domain.content import UNITS, Content, Unit, unit_hash, without_text
from shared.domain.event import Event
from shared.domain.link import Link
from shared.domain.operation import Item, Rules

EVERYTHING: frozenset[Unit] = frozenset(UNITS)
HIDDEN: frozenset[Unit] = frozenset({"title", "description", "location", "private"})

# A guest who has not answered yet may still decline.
UNDECIDED = frozenset({"tentative", "needsAction"})
# No answer at all: the event has no list of guests.
COMING = frozenset({"accepted", ""})


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar entry as the studio sees it. `frozen` are the units that are not ours to write; `hidden`: its text is
    not in `content`.
    """

    event: Event
    content: Content
    theirs: bool
    private_there: bool
    hidden: bool
    frozen: frozenset[Unit]


def seen(event: Event, item: Item, rules: Rules) -> Seen:
    """An item's event with content, as it is in the calendar now."""
    assert event.content is not None  # noqa: S101 - the caller has looked; tells the type checker
    content = event.content
    theirs = not event.own or event.kind != "default"
    if theirs and event.answer not in COMING:
        content = msgspec.structs.replace(content, status="tentative")
    return _shown(event, content, rules, theirs=theirs, private_there=_private_there(event, content, item, rules))


def as_agreed(link: Link, rules: Rules) -> Seen:
    """The event of a pair, where the calendar was not asked: as it was last seen."""
    assert link.calendar is not None  # noqa: S101 - a pair has both columns
    event = Event(
        id=link.event_id,
        etag=link.etag,
        content=link.calendar,
        organizer=link.organizer,
        series_event=link.series_event,
        original_start=link.slot,
    )
    return _shown(event, link.calendar, rules, theirs=link.theirs, private_there=link.private_there)


def _shown(event: Event, content: Content, rules: Rules, *, theirs: bool, private_there: bool) -> Seen:
    hidden = private_there and not rules.private_details
    return Seen(
        event=event,
        content=without_text(content) if hidden else content,
        hidden=hidden,
        theirs=theirs,
        private_there=private_there,
        frozen=EVERYTHING if theirs else HIDDEN if hidden else frozenset(),
    )


def _private_there(event: Event, content: Content, item: Item, rules: Rules) -> bool:
    """Whether the calendar's owner made private what came from the calendar: anything else is the studio's own text."""
    if not content.private:
        return False
    link, seal = item.link, event.seal
    if link is None or link.calendar is None or link.event_id != event.id:
        # Entered by us, it carries a seal that says so; a twin that a run only corrected does not.
        return seal is None or "private" not in seal.sent
    if link.private_there:
        return True
    by_us = seal is not None and seal.sent.get("private") == unit_hash("private", content)
    return not (link.calendar.private or by_us) and _came_from_calendar(event, item, rules)


def _came_from_calendar(event: Event, item: Item, rules: Rules) -> bool:
    """Whether the studio has its text from this event, as far as can be told: an erased document tells nothing."""
    if item.appointment is not None:
        origin = item.appointment.origin
        return origin is not None and origin.event_id in {event.id, event.series_event}
    event_id, appointment_id = (
        (event.series_event, item.series_id) if item.series_id else (event.id, item.appointment_id)
    )
    return identity.generation_of(event_id, rules.connection_id, appointment_id) is None
