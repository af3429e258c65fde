"""What the tests of the policy share: deciding on an item, and saying in a few words what came of it."""

from typing import Any

from shared.domain.event import Delete, Insert, Patch, Restore
from shared.domain.operation import CancelAppointment, CreateAppointment, Item, LetGo, Operation, UpdateAppointment
from shared.domain.plan import decide
from tests.unit.domain.builders import BOB, a_seal, an_appointment, content, rules

A, B, C = (content(title=title) for title in "ABC")
CANCELLED = an_appointment(status="cancelled")
REASSIGNED = an_appointment(users=(BOB,))

# What a run that died before it could say so had written over A.
SENT_B = a_seal(B, frozenset({"title"}), previous="sealed")


def decided(this: Item, **fields: Any) -> Operation:
    """`fields` are those of the rules."""
    return decide(this, rules(**fields))


def deeds(operation: Operation) -> str:
    """What an operation does, in a few words, in the order in which it is done."""
    words = {
        Insert: "insert", Patch: "patch", Delete: "delete", Restore: "restore",
        CreateAppointment: "create", UpdateAppointment: "update", CancelAppointment: "cancel", LetGo: "let go",
    }  # fmt: skip
    done = [words[type(write)] for write in (operation.calendar, operation.studio) if write is not None]
    if isinstance(operation.studio, UpdateAppointment) and (operation.studio.join or operation.studio.leave):
        done[-1] = "join" if operation.studio.join else "leave"
    if operation.link is not None:
        done.append({"paired": "pair", "gone": "bury"}.get(operation.link.state, operation.link.state))
    if operation.parked is not None:
        done.append("park")
    if operation.doubt:
        done.append("doubt")
    if operation.more:
        done.append("more")
    return ", ".join(done) or "nothing"
