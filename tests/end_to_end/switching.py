"""What the tests of another calendar share: a user who is populated, what she does, and what can be seen of it."""

from shared.domain import identity
from shared.domain.appointment import read_appointment
from shared.domain.content import UNITS
from shared.domain.event import Insert
from shared.domain.link import new_seal
from shared.services.disconnecting import disconnect
from shared.services.sync_calendar import sync_calendar
from tests.world import STUDIO, World, span


def populated(world: World, number: int = 3, **sync: object) -> World:
    """Ann with so many shootings, in step."""
    for n in range(number):
        world.book(f"a{n}", title=f"A{n}", user_ids=["ann"], **span(n + 1))
    world.join("ann", **{"populate_calendar": True, "populate_studio": True, **sync})
    world.sync()
    return world


def second_calendar(world: World, title: str = "Shootings") -> str:
    return str(world.cloud.google.add_calendar(world.emails["ann"], title))


def in_a_calendar_to_share(world: World, *user_ids: str) -> str:
    """Ann, populated with three shootings of these users, not in her account's own calendar; gives which it is."""
    for n in range(3):
        world.book(f"a{n}", title=f"A{n}", user_ids=list(user_ids), **span(n + 1))
    world.add("ann", populate_calendar=True, populate_studio=True)
    shared = second_calendar(world)
    world.front_end.set_up("ann", calendar_id=shared)
    world.connect("ann")
    world.sync()
    return shared


def switch(world: World, calendar_id: str) -> None:
    """Ann chooses another calendar, and the runs that this wishes go through."""
    world.set_up("ann", calendar_id=calendar_id)
    world.sync("ann")
    world.connections["ann"] = world.front_end.user("ann")["connection"]["id"]
    world.sync("ann")


def another_account(world: World) -> str:
    """Ann connects another Google account; gives the address of the one before."""
    before = world.emails["ann"]
    goes_on_with(world, "new." + before)
    return before


def goes_on_with(world: World, email: str) -> None:
    """Ann connects this account, made if it is not there, and the connection before finds out that it is to rest."""
    if world.cloud.google.accounts.get(email) is None:
        world.cloud.google.add_account(email, "Ann", "Europe/Berlin")
    rested, world.emails["ann"] = world.connections["ann"], email
    world.connect("ann")
    sync_calendar(rested, world.wiring.run_ports, world.wiring.channel_key)
    world.sync("ann")


def disconnects(world: World, email: str) -> None:
    """Ann disconnects one of her accounts."""
    account = world.cloud.google.accounts.get(email)
    assert account is not None
    disconnect(STUDIO, "ann", account.sub, world.wiring.account_ports)


def titles(world: World, calendar_id: str = "primary") -> list[str]:
    return sorted(event["summary"] for event in world.person("ann").events(calendar_id))


def titles_of(world: World, email: str) -> list[str]:
    """What stands in the account's own calendar."""
    return sorted(event["summary"] for event in world.cloud.google.person(email).events())


def event_called(world: World, title: str, calendar_id: str = "primary") -> str:
    """The id of the event that stands in the calendar under this title."""
    [found] = [event["id"] for event in world.person("ann").events(calendar_id) if event["summary"] == title]
    return str(found)


def dies_after_entering(world: World, appointment_id: str) -> None:
    """What a run leaves that is killed after the calendar's answer."""
    connection_id = world.connections["ann"]
    document = world.wiring.store.appointments("atelier", [appointment_id])[appointment_id].value
    content = read_appointment(document).content()
    event_id = identity.event(connection_id, appointment_id, 0)
    insert = Insert(
        event_id=event_id,
        appointment_id=appointment_id,
        content=content,
        seal=new_seal("", content, frozenset(UNITS), None),
    )
    calendar = world.wiring.calendars.open(connection_id, world.connection("ann"))
    assert not isinstance(calendar.write([insert])[0], Exception)
