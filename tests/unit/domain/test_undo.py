"""Undo, as a table: what a run did to one item, what became of it since, and what is to be written now.

What a run does is the plan's own word: an item is decided on, its operation logged, and what it writes into the studio
is applied to the document. So a kind of operation whose log lacks anything fails here.
"""

import datetime as dt
import pathlib
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.domain.appointment import fields_of, read_appointment
from shared.domain.connection import LogEntry
from shared.domain.content import UNITS, AllDay, Content, Unit
from shared.domain.event import Event
from shared.domain.link import Link
from shared.domain.operation import CancelAppointment, CreateAppointment, Operation, UpdateAppointment
from shared.domain.plan import decide
from shared.domain.reasons import Reason
from shared.domain.undo import Change, Found, Outcome, Undo, along, change_of, undo
from shared.services.run_log import log_entry
from tests.unit.domain.builders import (
    ANN,
    APPOINTMENT,
    BOB,
    DAY,
    NOW,
    OPEN_UNITS,
    a_deleted_event,
    a_foreign_event,
    a_link,
    a_misfit,
    a_removed_link,
    a_seal,
    a_tombstone,
    an_event,
    changed,
    content,
    item,
    rules,
    series_content,
)

Document = dict[str, Any]
OLD, NEW = content(title="Old"), content(title="New")
# As it was typed, without what only says where it came from.
OWN = {"kind": "session", "client_id": "client", "user_ids": [ANN]}


def a_document(held: Content, **fields: Any) -> Document:
    return {**OWN, **written(fields_of(held, UNITS)), **fields}


def written(fields: Mapping[str, Any]) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def edited(document: Document, fields: Mapping[str, Any]) -> Document:
    """A front-end's update: None removes a field."""
    return written({**document, **fields})


class Run:
    """One run, as far as one item goes: each item given is decided on, logged, and written into the studio."""

    def __init__(self, document: Document | None, **how: Any) -> None:
        self.document = document
        self.rules = rules(**how)
        self.entries: list[LogEntry] = []

    def meets(self, *, link: Link | None = None, event: Event | None = None, **fields: Any) -> "Run":
        appointment = None if self.document is None else read_appointment(self.document)
        operation = decide(item(appointment=appointment, link=link, event=event, **fields), self.rules)
        assert operation.parked is None
        self.entries.append(log_entry(operation))
        self.document = applied(self.document, operation)
        return self

    @property
    def change(self) -> Change:
        found = change_of(APPOINTMENT, [as_stored(entry) for entry in self.entries])
        assert found is not None, "the log says that nothing was written"
        return found

    def undone(self, user_id: str = ANN, **how: Any) -> Undo:
        return undo(self.change, found(self.document), user_id, **how)

    def put_back(self, **how: Any) -> Document:
        """The document, once that is written."""
        done = self.undone(**how)
        assert done.outcome is Outcome.PUT_BACK, done
        assert done.create == (self.document is None)
        self.document = edited(self.document or {}, done.fields)
        return self.document


def found(document: Document | None) -> Found:
    return Found(appointment=None if document is None else read_appointment(document), written=document is not None)


def as_stored(entry: LogEntry) -> LogEntry:
    """As Firestore gives it back: maps, lists and timestamps."""
    return msgspec.convert(msgspec.to_builtins(entry, builtin_types=(dt.datetime,)), LogEntry)


def applied(document: Document | None, operation: Operation) -> Document | None:
    """What the run's own write makes of the document."""
    match operation.studio:
        case CreateAppointment(content=held):
            return {"kind": "unlinked", "user_ids": [ANN], **written(fields_of(held, UNITS))}
        case UpdateAppointment(content=held, units=units, join=join, leave=leave):
            assert document is not None
            users = [one for one in document["user_ids"] if not (leave and one == ANN)] + ([ANN] if join else [])
            return edited(document, {**fields_of(held, units), "user_ids": users})
        case CancelAppointment():
            assert document is not None
            return {**document, "status": "cancelled"}
    return document


def same(document: Document, expected: Document) -> bool:
    """But for what says the same as nothing."""
    return {name: value for name, value in document.items() if value not in ("", False)} == {
        name: value for name, value in expected.items() if value not in ("", False)
    }


# --- what the calendar changed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_a_field_that_came_from_the_calendar_goes_back(unit: Unit) -> None:
    base = content()
    before = a_document(base)
    run = Run(before).meets(link=a_link(base), event=an_event(holds=changed(base, unit, 1), etag="e2"))
    assert run.document != before
    assert same(run.put_back(), before)
    assert run.undone().outcome is Outcome.AS_BEFORE


@pytest.mark.parametrize("unit", UNITS)
def test_a_field_that_went_to_the_calendar_goes_back_in_the_studio(unit: Unit) -> None:
    base = content()
    run = Run(a_document(changed(base, unit, 1))).meets(link=a_link(base), event=an_event(holds=base))
    assert same(run.put_back(), a_document(base))


@pytest.mark.parametrize("event", [an_event(holds=OLD), None], ids=["read", "not read"])
def test_what_goes_back_is_what_the_studio_had_where_the_calendar_stores_it_otherwise(event: Event | None) -> None:
    """Google rewrites texts: what the studio had typed is what it gets."""
    typed, stored = content(title="Old", description="a\nb"), content(title="Old", description="<p>a</p>b")
    link = a_link(typed, stored)
    there = None if event is None else an_event(holds=stored)
    after = content(title="Old", description="New")
    run = Run(a_document(after)).meets(link=link, event=there)
    assert run.put_back()["description"] == "a\nb"


@pytest.mark.parametrize("unit", OPEN_UNITS)
@pytest.mark.parametrize("policy", ["studio", "google"])
def test_of_a_clash_the_loser_comes_back(unit: Unit, policy: str) -> None:
    base = content()
    here, there = changed(base, unit, 1), changed(base, unit, 2)
    run = Run(a_document(here), clash_policy=policy).meets(link=a_link(base), event=an_event(holds=there, etag="e2"))
    assert same(run.put_back(), a_document(there if policy == "studio" else here))


def test_whole_days_become_times_again_and_a_series_a_single_appointment() -> None:
    for before, after in (
        (content(), content(when=AllDay(DAY, DAY + dt.timedelta(days=2)))),
        (content(when=AllDay(DAY, DAY + dt.timedelta(days=2))), content()),
        (content(), series_content("10:00", "RRULE:FREQ=WEEKLY;COUNT=5")),
        (series_content("10:00", "RRULE:FREQ=WEEKLY;COUNT=5"), series_content("12:00", "RRULE:FREQ=DAILY;COUNT=3")),
    ):
        run = Run(a_document(before)).meets(link=a_link(before), event=an_event(holds=after, etag="e2"))
        document = run.put_back()
        assert read_appointment(document).content() == before
        assert ("recurrence" in document) == before.when.repeats


@pytest.mark.parametrize("status", ["confirmed", "tentative"])
def test_what_was_deleted_in_the_calendar_is_as_it_was_before_it_was_cancelled(status: Any) -> None:
    base = content(status=status)
    before = a_document(base)
    run = Run(before).meets(link=a_link(base), event=a_deleted_event())
    assert (run.document or {})["status"] == "cancelled"
    assert same(run.put_back(), before)


# --- what the studio changed -----------------------------------------------------------------------------------------


def test_what_was_cancelled_in_the_studio_is_as_last_agreed() -> None:
    base = content(status="tentative")
    run = Run(a_document(base, status="cancelled")).meets(link=a_link(base), event=an_event(holds=base))
    assert same(run.put_back(), a_document(base))


def test_what_was_erased_in_the_studio_is_made_again_as_far_as_anybody_knows_it() -> None:
    base = series_content("10:00", "RRULE:FREQ=WEEKLY;COUNT=5", title="Weekly")
    run = Run(None).meets(link=a_link(base), event=an_event(holds=base))
    done = run.undone()
    assert "its client" in done.text
    made = run.put_back()
    assert read_appointment(made).content() == base
    assert (made["kind"], made["user_ids"]) == ("unlinked", [ANN])


def test_who_was_taken_off_in_the_studio_is_assigned_again() -> None:
    base = content()
    run = Run(a_document(base, user_ids=[BOB])).meets(link=a_link(base), event=an_event(holds=base))
    assert run.put_back()["user_ids"] == [BOB, ANN]


def test_who_was_taken_off_after_a_question_is_assigned_again() -> None:
    base = content()
    run = Run(a_document(base, user_ids=[ANN, BOB])).meets(link=a_removed_link(base), verdict="take_off")
    assert (run.document or {})["user_ids"] == [BOB]
    assert run.put_back()["user_ids"] == [BOB, ANN]


def test_a_guest_who_joined_is_taken_off_again() -> None:
    run = Run(a_document(OLD, user_ids=[BOB])).meets(event=a_foreign_event(holds=OLD))
    assert (run.document or {})["user_ids"] == [BOB, ANN]
    assert run.put_back()["user_ids"] == [BOB]


# --- what the run entered --------------------------------------------------------------------------------------------


ENTERED = {
    "imported": lambda: Run(None).meets(event=a_foreign_event(holds=OLD)),
    "entered in the calendar": lambda: Run(a_document(OLD)).meets(),
    "restored in the calendar": lambda: Run(a_document(OLD)).meets(link=a_tombstone(held=OLD)),
    "reinstated as the calendar has it again": lambda: Run(a_document(OLD, status="cancelled")).meets(
        link=a_tombstone(held=OLD, gone_there=True), event=an_event(holds=OLD)
    ),
}


@pytest.mark.parametrize("run", ENTERED.values(), ids=ENTERED)
def test_what_the_run_entered_is_cancelled_only_if_asked_for(run: Any) -> None:
    made = run()
    assert made.undone().outcome is Outcome.BROUGHT_IN
    assert made.undone(cancel_entered=True).cancels
    assert made.put_back(cancel_entered=True)["status"] == "cancelled"
    assert made.undone(cancel_entered=True).outcome is Outcome.AS_BEFORE


def test_where_others_are_assigned_as_well_only_this_user_is_taken_off() -> None:
    run = Run(a_document(OLD, user_ids=[ANN, BOB])).meets()
    assert not run.undone(cancel_entered=True).cancels
    document = run.put_back(cancel_entered=True)
    assert (document["user_ids"], document["status"]) == ([BOB], "confirmed")


def test_an_import_that_was_made_a_session_since_is_asked_about() -> None:
    run = Run(None).meets(event=a_foreign_event(holds=OLD))
    run.document = {**(run.document or {}), "kind": "session", "client_id": "client", "title": "Client"}
    done = run.undone(cancel_entered=True)
    assert done.outcome is Outcome.CHANGED_SINCE
    assert [(one.field, one.now) for one in done.changed] == [("title", "Client"), ("kind", "session")]
    assert run.put_back(cancel_entered=True, all_the_same=True)["status"] == "cancelled"


# --- changed since ---------------------------------------------------------------------------------------------------


def renamed() -> Run:
    return Run(a_document(OLD)).meets(link=a_link(OLD), event=an_event(holds=NEW, etag="e2"))


def deleted() -> Run:
    return Run(a_document(OLD)).meets(link=a_link(OLD), event=a_deleted_event())


def test_a_field_that_was_changed_again_is_asked_about_with_what_it_was_and_is() -> None:
    run = renamed()
    run.document = {**(run.document or {}), "title": "Newer"}
    done = run.undone()
    assert done.outcome is Outcome.CHANGED_SINCE
    [difference] = done.changed
    assert (difference.field, difference.before, difference.now) == ("title", "Old", "Newer")
    assert run.put_back(all_the_same=True)["title"] == "Old"


def test_another_field_that_was_changed_since_is_no_question_and_stays() -> None:
    run = renamed()
    run.document = {**(run.document or {}), "location": "Park", "client_id": "another"}
    document = run.put_back()
    assert (document["title"], document["location"], document["client_id"]) == ("Old", "Park", "another")


def test_one_field_in_question_leaves_all_of_the_appointment_as_it_is() -> None:
    there = content(title="New", location="Park")
    run = Run(a_document(OLD)).meets(link=a_link(OLD), event=an_event(holds=there, etag="e2"))
    run.document = {**(run.document or {}), "title": "Newer"}
    done = run.undone()
    assert (done.outcome, {one.field for one in done.changed}) == (Outcome.CHANGED_SINCE, {"title"})
    document = run.put_back(all_the_same=True)
    assert (document["title"], document["location"]) == ("Old", OLD.location)


def test_what_was_put_back_by_hand_is_as_before() -> None:
    run = renamed()
    run.document = a_document(OLD)
    assert run.undone() == Undo(appointment_id=APPOINTMENT, outcome=Outcome.AS_BEFORE, title="Old")


def test_line_ends_and_spaces_around_a_text_are_no_change() -> None:
    run = renamed()
    run.document = {**(run.document or {}), "title": " New\r\n"}
    assert run.undone().outcome is Outcome.PUT_BACK


def test_what_was_cancelled_since_is_asked_about_and_stays_cancelled() -> None:
    run = renamed()
    run.document = {**(run.document or {}), "status": "cancelled"}
    assert [one.field for one in run.undone().changed] == ["status"]
    assert run.put_back(all_the_same=True)["status"] == "cancelled"


def test_what_was_deleted_and_is_booked_again_is_as_before() -> None:
    run = deleted()
    run.document = {**(run.document or {}), "status": "confirmed", "title": "Newer"}
    assert run.undone().outcome is Outcome.AS_BEFORE


def test_what_is_a_colleagues_since_is_asked_about() -> None:
    run = deleted()
    run.document = {**(run.document or {}), "status": "confirmed", "user_ids": [BOB]}
    assert [one.field for one in run.undone().changed] == ["user_ids"]
    assert run.put_back(all_the_same=True)["user_ids"] == [BOB, ANN]


def test_what_was_cancelled_by_the_run_and_erased_since_is_asked_about() -> None:
    run = deleted()
    run.document = None
    assert [one.now for one in run.undone().changed] == ["erased"]
    assert run.put_back(all_the_same=True)["title"] == "Old"


def test_what_was_erased_and_a_colleague_has_again_is_this_users_again() -> None:
    """The undo of a colleague's run made it again, for the colleague only."""
    run = Run(None).meets(link=a_link(OLD), event=an_event(holds=OLD))
    run.document = a_document(OLD, user_ids=[BOB])
    assert run.put_back()["user_ids"] == [BOB, ANN]


# --- what is not put back --------------------------------------------------------------------------------------------


def test_an_edited_appointment_that_was_erased_since_is_not_made_again() -> None:
    run = renamed()
    run.document = None
    assert run.undone(all_the_same=True).outcome is Outcome.NOT_THERE


def made_private(at: str = "10:00") -> Run:
    """What came from the calendar is made private there."""
    document = a_document(OLD, kind="unlinked", origin={"event_id": "foreign1"})
    secret = a_foreign_event(at, title="Doctor", private=True, etag="e2")
    return Run(document).meets(link=a_link(OLD, event_id="foreign1"), event=secret)


def test_a_text_that_is_private_in_the_calendar_is_not_kept_and_not_put_back() -> None:
    run = made_private()
    assert (run.document or {})["title"] == "Busy"
    assert "Doctor" not in str(run.entries)
    done = run.undone(all_the_same=True)
    assert done.outcome is Outcome.NOT_KEPT
    assert done.kept_back == ("title", "location", "private")


def test_what_else_was_changed_with_a_private_text_goes_back() -> None:
    run = made_private("12:00")
    done = run.undone()
    assert (done.outcome, "title" in done.kept_back) == (Outcome.PUT_BACK, True)
    document = run.put_back()
    assert read_appointment(document).content().when == OLD.when
    assert document["title"] == "Busy"


def test_what_went_over_to_another_calendar_is_not_put_back() -> None:
    run = Run(a_document(OLD), left=True).meets(link=a_link(OLD), event=an_event(holds=OLD))
    assert run.undone(all_the_same=True).outcome is Outcome.WENT_OVER


def test_an_occurrence_that_was_let_go_by_its_series_stays() -> None:
    entry = LogEntry(appointment_id=APPOINTMENT, studio="update", reason=Reason.WITH_SERIES, became="single")
    change = change_of(APPOINTMENT, [entry])
    assert change is not None
    assert undo(change, found(a_document(OLD)), ANN, all_the_same=True).outcome is Outcome.LET_GO


def test_a_document_that_does_not_fit_the_contract_is_left_alone() -> None:
    run = renamed()
    assert undo(run.change, Found(written=True, misfit=a_misfit()), ANN).outcome is Outcome.INVALID
    upside_down = {**a_document(NEW), "end": NOW - dt.timedelta(days=900)}
    assert undo(run.change, found(upside_down), ANN).outcome is Outcome.INVALID


def test_what_a_run_only_noted_is_no_change() -> None:
    agreed = LogEntry(appointment_id=APPOINTMENT, reason=Reason.AGREED)
    assert change_of(APPOINTMENT, [agreed]) is None


def test_the_page_for_administrators_tells_of_every_outcome() -> None:
    page = (pathlib.Path(__file__).parents[3] / "docs" / "undo.md").read_text()
    assert [outcome for outcome in Outcome if f"| `{outcome}` |" not in page or not outcome.text] == []


# --- several steps in one run ----------------------------------------------------------------------------------------


def test_of_several_steps_the_first_says_what_was_before_and_the_last_what_is_since() -> None:
    run = Run(a_document(OLD)).meets(link=a_link(OLD), event=an_event(holds=NEW, etag="e2"))
    run.meets(link=a_link(NEW), event=an_event(holds=content(title="Newest"), etag="e3"))
    assert run.put_back()["title"] == "Old"


def test_an_edit_that_was_saved_before_its_event_went_goes_back_with_it() -> None:
    """Reassigned in the studio, and edited in the calendar: two steps of one run."""
    moved = content("12:00")
    run = Run(a_document(content(), user_ids=[BOB])).meets(
        link=a_link(content()), event=an_event(holds=moved, etag="e2")
    )
    assert run.entries[-1].studio == "update"
    run.meets(link=a_link(moved), event=an_event(holds=moved))
    document = run.put_back()
    assert (read_appointment(document).content().when, document["user_ids"]) == (content().when, [BOB, ANN])


# --- with its series --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "in_place", "left"),
    [
        ({"when"}, True, {"title"}),
        ({"when"}, False, {"title", "when"}),
        ({"title"}, True, {"title", "when"}),
        (None, True, {"title", "when"}),
    ],
    ids=["moved along", "moved by itself", "the series was not moved", "the series was not changed"],
)
def test_what_moved_along_with_its_series_goes_back_with_it(
    series: set[Unit] | None, in_place: bool, left: set[Unit]
) -> None:
    change = Change(appointment_id="weekly_1", series_id="weekly", before={"title": "Old", "when": {}})
    whole = None if series is None else Change(appointment_id="weekly", before=dict.fromkeys(series))
    rest = along(change, Found(in_place=in_place), whole)
    assert rest is not None
    assert rest.before.keys() == left
    only_times = msgspec.structs.replace(change, before={"when": {}})
    assert (along(only_times, Found(in_place=in_place), whole) is None) == (left == {"title"})


# --- what a run that died has left -----------------------------------------------------------------------------------


def test_what_a_run_that_died_wrote_into_the_calendar_is_in_the_log_of_the_next() -> None:
    sealed = an_event(holds=NEW, seal=a_seal(NEW, frozenset({"title"}), "sealed"), etag="e2")
    run = Run(a_document(NEW)).meets(link=a_link(OLD), event=sealed)
    [entry] = run.entries
    assert (entry.calendar, entry.units) == ("patch", ("title",))
    assert run.put_back()["title"] == "Old"


def test_what_was_edited_in_the_studio_after_a_run_died_is_one_change_with_it() -> None:
    sealed = an_event(holds=NEW, seal=a_seal(NEW, frozenset({"title"}), "sealed"), etag="e2")
    run = Run(a_document(content(title="Newest"))).meets(link=a_link(OLD), event=sealed)
    assert run.put_back()["title"] == "Old"


def test_what_a_run_that_died_deleted_is_in_the_log_of_the_next() -> None:
    leaving = a_link(OLD, state="leaving")
    run = Run(a_document(OLD, status="cancelled")).meets(link=leaving, event=a_deleted_event())
    assert run.entries[0].calendar == "delete"
    assert same(run.put_back(), a_document(OLD))


def test_what_a_run_that_died_entered_is_in_the_log_of_the_next() -> None:
    sealed = an_event(holds=OLD, seal=a_seal(OLD))
    run = Run(a_document(OLD)).meets(event=sealed)
    assert run.entries[0].calendar == "insert"
    assert run.undone().outcome is Outcome.BROUGHT_IN


def test_what_is_merely_noted_is_not_taken_for_what_a_run_that_died_did() -> None:
    for known in (
        Run(a_document(OLD)).meets(link=a_link(OLD), event=an_event(holds=OLD, etag="e2")),
        Run(a_document(OLD)).meets(link=a_tombstone(held=OLD), event=an_event(holds=OLD, seal=a_seal(OLD))),
        Run(a_document(OLD, status="cancelled")).meets(link=a_link(OLD), event=a_deleted_event()),
        Run(a_document(OLD)).meets(event=a_foreign_event(holds=OLD)),
    ):
        assert [entry.calendar for entry in known.entries] == [None]
