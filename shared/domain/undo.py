"""Undo (B12): what to write into the studio so that an item is as it was before a run.

    one run's log entries of an item ──> Change ──┐
    the studio's document as it is now ───────────┴──> Undo: fields to write, a question, or why not

What is written is an ordinary edit of the studio's, and what comes of it in the calendar is an ordinary sync: so an
undo can be undone, nothing is doubled, and an event that was deleted is restored, not made anew. Where the run wrote
the calendar, what the calendar had goes into the studio. All of it is pure.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import msgspec

from shared.domain import zones
from shared.domain.appointment import Appointment, fields_of
from shared.domain.connection import LogEntry
from shared.domain.content import UNITS, AllDay, Content, Timed, Unit, normal, same, unit_hash
from shared.domain.content import When as AnyWhen
from shared.domain.errors import Park
from shared.domain.occurrence import original_fields
from shared.domain.reasons import Reason
from shared.domain.visibility import HIDDEN


class Outcome(enum.StrEnum):
    """What becomes of one item: a closed list. `text` is the sentence for a person."""

    PUT_BACK = "put_back"
    CHANGED_SINCE = "changed_since"
    BROUGHT_IN = "brought_in"
    AS_BEFORE = "as_before"
    NOT_THERE = "not_there"
    NOT_KEPT = "not_kept"
    WENT_OVER = "went_over"
    LET_GO = "let_go"
    INVALID = "invalid"
    MEANWHILE = "meanwhile"
    TOO_LARGE = "too_large"

    @property
    def text(self) -> str:
        return _TEXTS[self]


_TEXTS = {
    Outcome.PUT_BACK: "Goes back to what it was before the run.",
    Outcome.CHANGED_SINCE: "Was changed again since the run. Nothing of it is put back, unless you say: all the same.",
    Outcome.BROUGHT_IN: (
        "Was entered by the run, or entered again. To undo that is to cancel it in the studio, and so in the calendar; "
        "where others are assigned, this user is taken off instead. That is done only if you ask for it."
    ),
    Outcome.AS_BEFORE: "Is as it was before the run already.",
    Outcome.NOT_THERE: "Is not in the studio any more, and the log has too little of it to make it again.",
    Outcome.NOT_KEPT: "Was a text that is private in the calendar: the log does not keep it.",
    Outcome.WENT_OVER: "Went over to the user's present calendar. To go back, choose the earlier one in the settings.",
    Outcome.LET_GO: (
        "Was made an appointment of its own when its series went. It stays; if the series is put back, cancel it."
    ),
    Outcome.INVALID: "Does not fit the contract as it is now: correct it in the studio first.",
    Outcome.MEANWHILE: "Was changed just now, while it was to be put back: look again.",
    Outcome.TOO_LARGE: "Would be larger than Firestore takes: shorten its texts in the studio first.",
}

_ANEW = (
    "It was erased, so it is made again under its id: unlinked, for this user only; its client and its other users are "
    "not in the log."
)

Field = Literal["title", "description", "location", "when", "status", "busy", "private", "user_ids", "kind"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is not as the run left it: what it would go back to, and what it is now, both in words."""

    field: Field
    before: str
    now: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one run made of one item, all of its log entries together.

    `deed`: the run entered it on a side where it was not (`entered`), or took it from one (`taken`). `before` has the
    units to put back, `image` all that is known of the entry as it was; `after` hashes what the run left in the studio.
    `lacking`: units that the run changed, and whose value before it the log does not have.
    """

    appointment_id: str
    series_id: str = ""
    slot: str = ""
    deed: Literal["entered", "taken"] | None = None
    imported: bool = False
    reasons: frozenset[Reason] = frozenset()
    people: Literal["join", "leave"] | None = None
    became: str | None = None
    erased: bool = False
    before: Mapping[Unit, Any] = msgspec.field(default_factory=dict)
    image: Mapping[Unit, Any] = msgspec.field(default_factory=dict)
    after: Mapping[Unit, str] = msgspec.field(default_factory=dict)
    lacking: frozenset[Unit] = frozenset()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An item as the studio has it now. `appointment`: of an occurrence, with what it has from its series; None where
    there is none. `private_there`: it is private in the calendar by now, and its text is nobody's in the studio.
    `written`: it has a document of its own. `in_place`: it is when its series has it. `misfit`: it
    cannot be read. `zone`: the studio's time zone, in which times are said.
    """

    appointment: Appointment | None = None
    private_there: bool = False
    written: bool = False
    in_place: bool = False
    misfit: Park | None = None
    zone: str = ""


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one item. `fields` are the document's, None removes one; `create`: there is no document now.

    `changed` are the differences that a person is asked about. `kept_back`: units that stay, as the log does not have
    what they were.
    """

    appointment_id: str
    outcome: Outcome
    title: str = ""
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    create: bool = False
    changed: tuple[Difference, ...] = ()
    kept_back: tuple[Unit, ...] = ()

    @property
    def text(self) -> str:
        """What becomes of it, in words."""
        return f"{self.outcome.text} {_ANEW}" if "kind" in self.fields else self.outcome.text

    @property
    def cancels(self) -> bool:
        """Whether it is a cancellation, which the guard counts."""
        return self.outcome is Outcome.PUT_BACK and self.fields.get("status") == "cancelled"


# --- what a run did --------------------------------------------------------------------------------------------------


def change_of(appointment_id: str, entries: Iterable[LogEntry]) -> Change | None:
    """The entries of one item in one run, in their order; None where none of them wrote anything.

    Of the values before, the first entry has the one that counts, of those after the last.
    """
    change: Change | None = None
    for entry in entries:
        if entry.changes:
            change = _followed_by(change or Change(appointment_id=appointment_id), entry)
    return change


def _followed_by(change: Change, entry: LogEntry) -> Change:
    known = [unit for unit in UNITS if unit in entry.units]
    images: dict[Unit, Any] = {**_units(entry.calendar_before), **_units(entry.studio_before)}
    reinstated = entry.studio == "update" and images.get("status") == "cancelled"
    entered = entry.studio == "create" or entry.calendar in {"insert", "restore"} or reinstated
    taken = entry.studio == "cancel" or entry.calendar == "delete"
    deed: Literal["entered", "taken"] | None = "entered" if entered else "taken" if taken else None
    # Of a hidden text the log has no more than "Busy", which is not what it was.
    lost = {unit for unit in known if unit not in images or (entry.hidden and unit in HIDDEN)}
    first = {unit: images[unit] for unit in known if unit not in lost | change.before.keys()}
    return msgspec.structs.replace(
        change,
        series_id=entry.series_id or change.series_id,
        slot=entry.slot or change.slot,
        deed=change.deed or deed,
        imported=change.imported or entry.studio == "create",
        reasons=change.reasons | {entry.reason},
        people=entry.people or change.people,
        became=entry.became or change.became,
        erased=change.erased or entry.erased,
        before={**change.before, **first},
        image={**images, **change.image},
        after={**change.after, **{unit: entry.after[unit] for unit in UNITS if unit in entry.after}},
        lacking=change.lacking | (lost - change.before.keys()),
    )


def along(change: Change, found: Found, series: Change | None) -> Change | None:
    """What is left to put back of an occurrence where the run moved its series, and that goes back as well: its times
    go along, if they still are the series'. None: nothing else.
    """
    if series is None or "when" not in series.before or not found.in_place:
        return change
    before = {unit: value for unit, value in change.before.items() if unit != "when"}
    left = before or change.lacking or change.deed or change.people or change.became
    return msgspec.structs.replace(change, before=before) if left else None


def _units(image: Mapping[str, Any] | None) -> dict[Unit, Any]:
    return {unit: image[unit] for unit in UNITS if image is not None and unit in image}


# --- what to do about it ---------------------------------------------------------------------------------------------


def undo(
    change: Change, found: Found, user_id: str, *, cancel_entered: bool = False, all_the_same: bool = False
) -> Undo:
    """What to write so that an item is as before. `user_id`: whose run it was. `cancel_entered`: what the run entered
    is cancelled; `all_the_same`: also where it was changed since.
    """
    if found.private_there:
        change = _without_text(change)
    title = found.appointment.title if found.appointment is not None else str(change.image.get("title", ""))
    blank = Undo(appointment_id=change.appointment_id, outcome=Outcome.AS_BEFORE, title=title)
    try:
        done = _undone(change, found, user_id, blank)
    except Park:
        return msgspec.structs.replace(blank, outcome=Outcome.INVALID)
    if done.outcome is Outcome.BROUGHT_IN and not cancel_entered:
        return done
    if not done.fields:
        return done
    asked = bool(done.changed) and not all_the_same
    return msgspec.structs.replace(done, outcome=Outcome.CHANGED_SINCE if asked else Outcome.PUT_BACK)


def _without_text(change: Change) -> Change:
    """What was made private in the calendar since does not come back into the studio by way of its log."""
    return msgspec.structs.replace(
        change,
        before={unit: value for unit, value in change.before.items() if unit not in HIDDEN},
        image={unit: value for unit, value in change.image.items() if unit not in HIDDEN},
        lacking=change.lacking | (change.before.keys() & HIDDEN),
    )


def _undone(change: Change, found: Found, user_id: str, blank: Undo) -> Undo:
    """Whether asked for or not: with all that would be written, and all that differs. Raises `Park`."""
    if found.misfit is not None:
        raise found.misfit
    if change.became is not None:
        return msgspec.structs.replace(blank, outcome=Outcome.LET_GO)
    if Reason.MOVED in change.reasons:
        return msgspec.structs.replace(blank, outcome=Outcome.WENT_OVER)
    now = found.appointment
    if change.deed == "entered":
        return blank if now is None else _leave_again(change, now, user_id, found.zone, blank)
    if now is None:
        return _made_again(change, user_id, blank)
    differences: list[Difference] = []
    fields: dict[str, Any] = {}
    if change.deed == "taken":
        _reinstated(change, now, user_id, fields, differences)
    elif change.people is not None:
        _other_people(change.people, now, user_id, fields, differences)
    lacking = _put_back(change, now, found.zone, fields, differences)
    if fields and now.cancelled and "status" not in fields:
        differences.append(Difference(field="status", before=_status(change), now="cancelled"))
    outcome = Outcome.NOT_KEPT if lacking and not fields else Outcome.AS_BEFORE
    if fields and not found.written:
        fields = {name: value for name, value in fields.items() if value is not None}
        fields |= {"series_id": change.series_id, **original_fields(change.slot)}
    return msgspec.structs.replace(
        blank,
        outcome=outcome,
        fields=fields,
        create=bool(fields) and not found.written,
        changed=tuple(differences),
        kept_back=lacking,
    )


def _leave_again(change: Change, now: Appointment, user_id: str, zone: str, blank: Undo) -> Undo:
    """What the run entered is cancelled, or no longer this user's where it is others' as well."""
    if now.cancelled or user_id not in now.user_ids:
        return blank
    others = [one for one in now.user_ids if one != user_id]
    fields: dict[str, Any] = {"user_ids": others} if others else {"status": "cancelled"}
    content = now.content()
    differences = [
        Difference(field=unit, before="entered by the run", now=_said(unit, content, zone))
        for unit, left in change.after.items()
        if unit_hash(unit, content) != left
    ]
    if change.imported and now.kind != "unlinked":
        differences.append(Difference(field="kind", before="unlinked", now=now.kind))
    return msgspec.structs.replace(blank, outcome=Outcome.BROUGHT_IN, fields=fields, changed=tuple(differences))


def _made_again(change: Change, user_id: str, blank: Undo) -> Undo:
    """There is no document. Only of what the run took away is everything known that the calendar had of it."""
    if change.deed != "taken" or change.series_id or "when" not in change.image:
        return msgspec.structs.replace(blank, outcome=Outcome.NOT_THERE)
    content = _with(Content(when=_value("when", change.image["when"])), change.image)
    fields = {name: value for name, value in fields_of(content, UNITS).items() if value is not None}
    fields |= {"kind": "unlinked", "user_ids": [user_id]}
    erased = Difference(field="status", before=content.status, now="erased")
    return msgspec.structs.replace(blank, fields=fields, create=True, changed=() if change.erased else (erased,))


def _reinstated(
    change: Change, now: Appointment, user_id: str, fields: dict[str, Any], differences: list[Difference]
) -> None:
    """Cancelled no more, and this user's again."""
    assigned = user_id in now.user_ids
    left = Reason.LEFT_USER in change.reasons
    if now.cancelled and not left:
        fields["status"] = _status(change)
    if not assigned:
        fields["user_ids"] = [*now.user_ids, user_id]
        if not (left or change.erased):
            differences.append(Difference(field="user_ids", before=user_id, now=", ".join(now.user_ids)))


def _other_people(
    people: Literal["join", "leave"],
    now: Appointment,
    user_id: str,
    fields: dict[str, Any],
    differences: list[Difference],
) -> None:
    others = [one for one in now.user_ids if one != user_id]
    if people == "leave" and user_id not in now.user_ids:
        fields["user_ids"] = [*others, user_id]
    elif people == "join" and user_id in now.user_ids:
        fields["user_ids"] = others
        if not others:
            differences.append(Difference(field="user_ids", before="", now=user_id))


def _put_back(
    change: Change, now: Appointment, zone: str, fields: dict[str, Any], differences: list[Difference]
) -> tuple[Unit, ...]:
    """The units that the run changed; gives those whose value before is not known, and that still are as it left them.

    Raises:
        Park: the document cannot be read.
    """
    if not (change.before or change.lacking):
        return ()
    content = now.content()
    before = _with(content, change.before)
    units = [unit for unit in UNITS if unit in change.before and not same(unit, before, content)]
    differences += [
        Difference(field=unit, before=_said(unit, before, zone), now=_said(unit, content, zone))
        for unit in units
        if change.after.get(unit) != unit_hash(unit, content)
    ]
    fields |= fields_of(before, units)
    return tuple(unit for unit in UNITS if unit in change.lacking)


def _said(unit: Unit, content: Content, zone: str) -> str:
    """A unit's value in words, of one date or time in those of the `zone`."""
    if unit == "when" and not content.when.repeats:
        match content.when:
            case Timed(start=start, end=end):
                return zones.span(start, end, zone)
            case AllDay(start=day, end=after):
                last = after - dt.timedelta(days=1)
                return f"{day} to {last}" if last > day else str(day)
    return normal(unit, content)


def _status(change: Change) -> str:
    return str(change.image.get("status", "confirmed"))


def _with(content: Content, image: Mapping[Unit, Any]) -> Content:
    return msgspec.structs.replace(content, **{unit: _value(unit, value) for unit, value in image.items()})


def _value(unit: Unit, value: Any) -> Any:
    """A unit as the log keeps it, as `Content` has it."""
    return msgspec.convert(value, AnyWhen) if unit == "when" else value


assert set(UNITS) < set(get_args(Field))  # noqa: S101 - checked once, when it is loaded
