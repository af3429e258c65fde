"""What the tests of "why is it not there" share: the question, and entries to ask about."""

from typing import Any

from shared.services.answer import Why
from shared.services.why import why_appointment, why_event
from tests.world import STUDIO, World, google_span, span

HOST = "host@elsewhere.example"


def why(world: World, user_id: str = "ann", *, appointment: str = "", event: str = "", studio: str = STUDIO) -> Why:
    store, calendars, clock = world.wiring.store, world.wiring.calendars, world.clock
    if event:
        return why_event(studio, user_id, event, store=store, calendars=calendars, clock=clock)
    return why_appointment(studio, user_id, appointment, store=store, calendars=calendars, clock=clock)


def in_step(world: World, *user_ids: str, **sync: Any) -> str:
    """Ann (and others) with one shoot, in step; gives the id of Ann's event."""
    world.book("shoot", title="Shoot", user_ids=["ann", *user_ids], **span(3))
    for user_id in ("ann", *user_ids):
        world.join(user_id, populate_calendar=True, **sync)
    world.sync()
    return str(world.events("ann")[0]["id"])


def settled(world: World, **sync: Any) -> None:
    """Ann, connected, her calendar listed, and nothing in it."""
    world.join("ann", **sync)
    world.sync()


def typed(world: World, **event: Any) -> str:
    return world.types("ann", **{"summary": "Typed", **google_span(5), **event})


def invited(world: World, answer: str = "needsAction", **event: Any) -> str:
    """An invitation from somebody outside, as it stands in Ann's calendar."""
    guests = [{"email": world.emails["ann"], "responseStatus": answer}]
    fields = {"summary": "Meeting", **google_span(5), "attendees": guests, **event}
    return str(world.cloud.google.receive_event(world.emails["ann"], HOST, **fields)["id"])
