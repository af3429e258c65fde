"""Why something does not sync: the answer of the service behind ``python -m commands.why``, in its own words."""

from local.demo.checks import exactly
from local.demo.scene import Scene
from local.demo.studio import STUDIO_ID, DemoUser
from local.demo.terminal import Terminal
from shared.services.why import why_appointment, why_event


def show_reason(
    scene: Scene, terminal: Terminal, question: str, reason: str, user: DemoUser, *,
    event_id: str | None = None, appointment_id: str | None = None,
) -> None:  # fmt: skip
    """Ask of an entry of the user's calendar, or of an appointment; `reason` is the answer that is expected."""
    parts = scene.wiring
    store, calendars, clock = parts.store, parts.calendars, parts.clock
    if event_id is not None:
        why = why_event(STUDIO_ID, user.id, event_id, store=store, calendars=calendars, clock=clock)
    else:
        why = why_appointment(STUDIO_ID, user.id, appointment_id or "", store=store, calendars=calendars, clock=clock)
    terminal.check(question, exactly(str(why.reason), reason, "The reason"), str(why.reason))
    terminal.say(why.reason.text)
