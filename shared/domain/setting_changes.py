"""Every setting of a studio and of a user, and what a change of it does: to events, push channel, outbox and state.

One row is one change of one setting. The engine does what stands here, `docs/settings.md` is this table, and the
trigger asks it whether a written document wants a run.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from shared.domain.reasons import Reason
from shared.domain.settings import SYNCING_EDITIONS, Studio, StudioSync, User, UserSync

Kind = Literal["studio", "user"]

# In place of a setting: the document itself, which is created and erased.
DOCUMENT = "the document"

NOTHING = "–"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one setting. The four columns are sentences for a studio's administrator.

    `run`: a run is to start at once. Where it is not, nothing has to be done now, or nothing ever.
    """

    document: Kind
    setting: str
    change: str
    events: str = NOTHING
    channel: str = NOTHING
    outbox: str = NOTHING
    state: str = NOTHING
    run: bool = False


def _off(document: Kind, setting: str, change: str, reason: Reason) -> Row:
    """Whatever turns the sync off does the same."""
    return Row(
        document=document,
        setting=setting,
        change=change,
        events="Stay as they are on both sides.",
        channel="Ended.",
        outbox="Goes on collecting, so nothing that is edited meanwhile is lost.",
        state=f"Paused: “{reason.text}” Looked at again every hour besides.",
        run=True,
    )


def _on(document: Kind, setting: str, change: str) -> Row:
    """Turned on again, what was turned off goes on where it stopped."""
    return Row(
        document=document,
        setting=setting,
        change=change,
        events=(
            "What was edited on either side meanwhile is carried, deletions in the calendar included; more deletions "
            "than usual are held until a person says yes or no."
        ),
        channel="A new one is opened where two-way appointments are on.",
        outbox="What it has collected is worked off.",
        state="Connected, unless something else is still turned off.",
        run=True,
    )


def _ticked(setting: str, side: str) -> Row:
    return Row(
        document="user",
        setting=setting,
        change="ticked",
        events=(
            "Both sides are listed in full. What stands on both is paired first, then what is missing in the "
            f"{side} is entered. Ticking it again doubles nothing."
        ),
        outbox="Worked off with it.",
        state="Stays connected; the box unticks itself when it is done.",
        run=True,
    )


def _unticked(setting: str) -> Row:
    return Row(
        document="user",
        setting=setting,
        change="unticked by a person",
        events="A populate under way stops at its next step. What was done stays.",
    )


def _contacts(setting: str) -> Row:
    return Row(document="user", setting=setting, change="changed", events="Stay as they are. Contacts do not sync yet.")


def _mail(document: Kind, setting: str) -> Row:
    return Row(
        document=document,
        setting=setting,
        change="changed",
        events="Stay as they are: only who is mailed, and about what.",
    )


def _shown(document: Kind, setting: str) -> Row:
    return Row(
        document=document,
        setting=setting,
        change="changed",
        events="Stay as they are: nothing of it is in the calendar.",
    )


TABLE: tuple[Row, ...] = (
    Row(
        document="studio",
        setting=DOCUMENT,
        change="created",
        events="Where it had been erased, what was edited on either side meanwhile is carried. A new one has none yet.",
        channel="As soon as a user is connected and has two-way appointments on.",
        outbox="What it has collected is worked off.",
        state="Connected again, where users were paused because the studio was gone.",
        run=True,
    ),
    Row(
        document="studio",
        setting=DOCUMENT,
        change="erased",
        events="Stay in the calendars.",
        channel="Ended.",
        outbox="Goes on collecting for users who are still there.",
        state=f"Paused: “{Reason.STUDIO_GONE.text}”",
        run=True,
    ),
    _shown("studio", "name"),
    _off("studio", "edition", "lowered to one without the sync", Reason.EDITION),
    _on("studio", "edition", "raised to one with the sync"),
    Row(
        document="studio",
        setting="edition",
        change="changed otherwise",
        events="Stay as they are: both editions have the sync, or neither has.",
    ),
    Row(
        document="studio",
        setting="time_zone",
        change="changed",
        events=(
            "An appointment is a moment: it stays where it is. A series that names no zone of its own goes by the "
            "new zone's clock when a run looks at it next: its first occurrence stays, later ones may move by an hour "
            "or more."
        ),
    ),
    _off("studio", "sync.enabled", "turned off", Reason.STUDIO_OFF),
    _on("studio", "sync.enabled", "turned on"),
    Row(
        document="studio",
        setting="sync.interval_minutes",
        change="changed",
        state="The new time counts at once as the longest wait between runs, where no push channel lives.",
        run=True,
    ),
    _mail("studio", "sync.notify_on"),
    _mail("studio", "sync.notify_email"),
    Row(
        document="studio",
        setting="sync.clash_policy",
        change="changed",
        events="Counts from the next clash on. What was decided before stays decided.",
    ),
    Row(
        document="studio",
        setting="sync.past_days",
        change="changed",
        events="Counts from the next populate on. Until then nothing comes in or goes out for it.",
    ),
    Row(
        document="user",
        setting=DOCUMENT,
        change="created",
        events=(
            "Nothing is carried until the user connects a calendar. A user who was here before and connects the same "
            "one finds the old pairs again."
        ),
        channel="As soon as the user is connected and has two-way appointments on.",
        outbox="Collects as soon as the user is connected.",
        state="None until then. Where the document comes back with its connection, that is connected again.",
        run=True,
    ),
    Row(
        document="user",
        setting=DOCUMENT,
        change="erased",
        events="Stay in the calendar.",
        channel="Ended.",
        outbox="Collects nothing more.",
        state=f"Paused: “{Reason.USER_GONE.text}”",
        run=True,
    ),
    _shown("user", "name"),
    _mail("user", "email"),
    _shown("user", "role"),
    _off("user", "schedulable", "turned off", Reason.NOT_SCHEDULABLE),
    _on("user", "schedulable", "turned on"),
    Row(
        document="user",
        setting="connection",
        change="changed",
        events="Stay as they are: the sync itself notes here which connection is the active one, and how it is.",
    ),
    _off("user", "sync.enabled", "turned off", Reason.USER_OFF),
    _on("user", "sync.enabled", "turned on"),
    Row(
        document="user",
        setting="sync.calendar_id",
        change="changed",
        events=(
            "What was synced stays where it is. New and edited appointments enter the new calendar; then the old copy "
            "of an edited one is taken out of the old calendar, with what was edited in it, and so is what is "
            "cancelled or reassigned later. What is held is withdrawn. Coming back finds the old pairs. Left out, null "
            "or empty keeps the present calendar; `primary` is the account's own."
        ),
        channel="The old calendar's is ended; the new one gets its own where two-way appointments are on.",
        outbox="Collects for the new calendar from then on.",
        state=(
            f"The new calendar has a connection of its own, connected. The old one rests: “{Reason.SWITCHED.text}” A "
            "calendar that cannot be used pauses the user (`forbidden`, `calendar_taken`)."
        ),
        run=True,
    ),
    _ticked("sync.populate_calendar", "calendar"),
    _unticked("sync.populate_calendar"),
    _ticked("sync.populate_studio", "studio"),
    _unticked("sync.populate_studio"),
    Row(
        document="user",
        setting="sync.two_way_appointments",
        change="turned on",
        events=(
            "What was edited, deleted or entered in the calendar before stays as it is, on both sides; changes from "
            "then on come in."
        ),
        channel="Opened.",
        outbox="Worked off.",
        state="Connected. The calendar is listed in full once, to know how it stands.",
        run=True,
    ),
    Row(
        document="user",
        setting="sync.two_way_appointments",
        change="turned off",
        events="The calendar is not read any more. The studio's fields win when it writes an event the next time.",
        channel="Ended.",
        outbox="Goes on as before.",
        state="Stays connected. The place up to which the calendar was read is forgotten.",
        run=True,
    ),
    Row(
        document="user",
        setting="sync.include_tentative",
        change="turned on",
        events="Tentative events of the calendar come in, within the time that is synced.",
        state="Stays connected. The calendar is listed in full once.",
        run=True,
    ),
    Row(
        document="user",
        setting="sync.include_tentative",
        change="turned off",
        events="What is paired stays in step. New tentative events stay out.",
        state="Stays connected.",
        run=True,
    ),
    _contacts("sync.two_way_contacts"),
    _contacts("sync.client_group_id"),
    _mail("user", "sync.email_warnings"),
    _mail("user", "sync.email_logs"),
    _mail("user", "sync.email"),
    Row(
        document="user",
        setting="sync.requested_at",
        change="changed",
        events="What has been edited on either side is carried, which would happen anyway, but now.",
        outbox="Worked off.",
        run=True,
    ),
    Row(
        document="user",
        setting="sync.private_details",
        change="turned on",
        events="Private entries of the calendar come in with their title, text and place.",
        state="Stays connected. The calendar is listed in full once.",
        run=True,
    ),
    Row(
        document="user",
        setting="sync.private_details",
        change="turned off",
        events=(
            "Private entries that came from the calendar become “Busy” again in the studio; what the studio wrote into "
            "their title, text and place goes as well."
        ),
        state="Stays connected. The calendar is listed in full once.",
        run=True,
    ),
    Row(
        document="user",
        setting="sync.approved_hold",
        change="changed",
        events="Exactly the deletions that were listed under this hold are carried out, each verified anew.",
        outbox="Lists each of them until it is carried out.",
        run=True,
    ),
    Row(
        document="user",
        setting="sync.declined_hold",
        change="changed",
        events=(
            "The deletions that were listed under this hold are put back: entered into the calendar again, or the "
            "studio's cancellation undone; erased ones come back as unlinked appointments, without client."
        ),
        outbox="Lists each of them until it is carried out.",
        run=True,
    ),
)


def _has_sync(edition: Any) -> bool:
    return isinstance(edition, str) and edition in SYNCING_EDITIONS


# Which row of a setting a change of its value is, whatever the values are. "changed" has no other row beside it.
_FITS: Mapping[str, Callable[[Any, Any], bool]] = {
    "turned on": lambda _, now: bool(now),
    "turned off": lambda _, now: not now,
    "ticked": lambda _, now: bool(now),
    "unticked by a person": lambda _, now: not now,
    "lowered to one without the sync": lambda was, now: _has_sync(was) and not _has_sync(now),
    "raised to one with the sync": lambda was, now: _has_sync(now) and not _has_sync(was),
    "changed otherwise": lambda was, now: _has_sync(was) == _has_sync(now),
    "changed": lambda _was, _now: True,
}


def changes(document: Kind, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Row]:
    """The rows that a write amounts to. The versions are raw documents of any shape; None where there was none.

    A document created or erased is that one row, whatever its settings say. A setting that is left out has its
    default: writing the default down changes nothing.
    """
    if before is None or after is None:
        if before is after:
            return []
        change = "created" if before is None else "erased"
        return [row for row in _rows(document) if row.setting == DOCUMENT and row.change == change]
    found = []
    for row in _rows(document):
        if row.setting != DOCUMENT:
            was, now = _value(document, before, row.setting), _value(document, after, row.setting)
            if was != now and _FITS[row.change](was, now):
                found.append(row)
    return found


def wants_run(document: Kind, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool:
    """Whether the next run should know of it at once: a setting, a box ticked, "sync now".

    The backend's own writes (a box unticked, the state of the connection) ask for nothing, nor does what the table
    does not know.
    """
    return any(row.run for row in changes(document, before, after))


def as_markdown() -> str:
    """The table for people: one for the studio's settings, one for a user's."""
    titles = {"studio": "Settings of the studio", "user": "Settings of a user"}
    return "\n".join(f"## {title}\n\n{_table(_rows(kind))}" for kind, title in titles.items())


def _table(rows: tuple[Row, ...]) -> str:
    head = ("setting", "change", "events", "push channel", "outbox", "state", "starts a run")
    lines = [head, ("---",) * len(head)]
    for row in rows:
        setting = row.setting if row.setting == DOCUMENT else f"`{row.setting}`"
        run = "yes" if row.run else "no"
        lines.append((setting, row.change, row.events, row.channel, row.outbox, row.state, run))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _rows(document: str) -> tuple[Row, ...]:
    return tuple(row for row in TABLE if row.document == document)


def _value(document: Kind, fields: Mapping[str, Any], setting: str) -> Any:
    value: Any = fields
    for name in setting.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return _DEFAULTS[document].get(setting) if value is None else value


def _defaults(kind: type[msgspec.Struct], within: str = "") -> dict[str, Any]:
    fields = msgspec.structs.fields(kind)
    return {within + field.name: field.default for field in fields if field.default is not msgspec.NODEFAULT}


_DEFAULTS: Mapping[Kind, Mapping[str, Any]] = {
    "studio": _defaults(Studio) | _defaults(StudioSync, "sync."),
    "user": _defaults(User) | _defaults(UserSync, "sync."),
}
