"""The merge of one entry: the module's table for every unit, then properties with teeth."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.content import UNITS, AllDay, Content, Timed, Unit, normal, same
from shared.domain.link import Seal
from shared.domain.merge import Base, Lost, Merged, Side, clash_winner, merge
from shared.domain.settings import ClashPolicy
from tests.unit.domain.builders import DAY, EVERY_UNIT, OPEN_UNITS, a_link, a_seal, a_time, changed, content

TEXTS: tuple[Unit, ...] = ("title", "description", "location")
BEFORE = content(description="")


def agreed_on(studio: Content, calendar: Content | None = None) -> Base:
    return Base(link=a_link(studio, calendar))


def ways(merged: Merged) -> tuple[set[str], set[str]]:
    """Units that go to the studio, and to the calendar."""
    return set(merged.to_studio), set(merged.to_calendar)


def quiet(merged: Merged) -> bool:
    return not (merged.to_studio or merged.to_calendar or merged.lost)


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_what_nobody_changed_stays(unit: Unit) -> None:
    same_as_agreed = changed(BEFORE, unit, 1)
    assert quiet(merge(same_as_agreed, same_as_agreed, agreed_on(same_as_agreed), "studio"))


@pytest.mark.parametrize("winner", ["studio", "calendar"])
@pytest.mark.parametrize("unit", UNITS)
def test_what_each_side_stores_differently_stays_so(unit: Unit, winner: Side) -> None:
    here, there = BEFORE, changed(BEFORE, unit, 1)
    merged = merge(here, there, agreed_on(here, there), winner)
    assert quiet(merged)
    assert (merged.studio, merged.calendar) == (here, there)


@pytest.mark.parametrize("winner", ["studio", "calendar"])
@pytest.mark.parametrize("unit", UNITS)
def test_a_change_in_the_studio_goes_to_the_calendar_whoever_wins_clashes(unit: Unit, winner: Side) -> None:
    here = changed(BEFORE, unit, 1)
    merged = merge(here, BEFORE, agreed_on(BEFORE), winner)
    assert (*ways(merged), merged.lost) == (set(), {unit}, ())
    assert merged.studio == merged.calendar == here


@pytest.mark.parametrize("winner", ["studio", "calendar"])
@pytest.mark.parametrize("unit", UNITS)
def test_a_change_in_the_calendar_goes_to_the_studio_whoever_wins_clashes(unit: Unit, winner: Side) -> None:
    there = changed(BEFORE, unit, 1)
    merged = merge(BEFORE, there, agreed_on(BEFORE), winner)
    assert (*ways(merged), merged.lost) == ({unit}, set(), ())
    assert merged.studio == merged.calendar == there


@pytest.mark.parametrize("unit", UNITS)
def test_the_same_change_on_both_sides_is_agreed(unit: Unit) -> None:
    both = changed(BEFORE, unit, 1)
    assert quiet(merge(both, both, agreed_on(BEFORE), "studio"))


@pytest.mark.parametrize("unit", OPEN_UNITS)
def test_a_clash_that_the_studio_wins_goes_to_the_calendar_and_keeps_what_lost(unit: Unit) -> None:
    here, there = changed(BEFORE, unit, 1), changed(BEFORE, unit, 2)
    merged = merge(here, there, agreed_on(BEFORE), "studio")
    assert ways(merged) == (set(), {unit})
    assert merged.calendar == here
    assert merged.lost == (Lost(unit, "calendar", normal(unit, there)),)


@pytest.mark.parametrize("unit", OPEN_UNITS)
def test_a_clash_that_the_calendar_wins_goes_to_the_studio_and_keeps_what_lost(unit: Unit) -> None:
    here, there = changed(BEFORE, unit, 1), changed(BEFORE, unit, 2)
    merged = merge(here, there, agreed_on(BEFORE), "calendar")
    assert ways(merged) == ({unit}, set())
    assert merged.studio == there
    assert merged.lost == (Lost(unit, "studio", normal(unit, here)),)


def test_different_units_changed_on_each_side_cross_without_a_clash() -> None:
    here, there = changed(BEFORE, "title", 1), changed(BEFORE, "when", 1)
    merged = merge(here, there, agreed_on(BEFORE), "studio")
    assert (*ways(merged), merged.lost) == ({"when"}, {"title"}, ())
    assert merged.studio == merged.calendar == changed(here, "when", 1)


def test_a_side_is_compared_with_its_own_column() -> None:
    """The provider stored our text differently; then the studio changed it back to what the provider has."""
    here, there = content(title="B"), content(title="B")
    assert quiet(merge(here, there, agreed_on(content(title="A"), content(title="B")), "studio"))


@pytest.mark.parametrize(
    ("here", "there"),
    [("One\nTwo", "One\r\nTwo"), ("One", " One \n"), ("One\rTwo", "One\nTwo")],
    ids=["line ends", "edges", "old line ends"],
)
def test_line_ends_and_edges_are_no_changes(here: str, there: str) -> None:
    before = agreed_on(content(description=here))
    assert quiet(merge(content(description=here), content(description=there), before, "studio"))


def test_a_start_never_comes_out_with_the_other_sides_end() -> None:
    here, there = content("09:00-10:00"), content("10:00-12:00")
    merged = merge(here, there, agreed_on(content("10:00-11:00")), "studio")
    assert merged.studio.when == merged.calendar.when == a_time("09:00-10:00")


# --- without a base --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("winner", ["studio", "calendar"])
@pytest.mark.parametrize("unit", OPEN_UNITS)
def test_without_a_base_the_studio_has_it_whatever_the_policy_and_the_loser_is_kept(unit: Unit, winner: Side) -> None:
    here, there = changed(BEFORE, unit, 1), changed(BEFORE, unit, 2)
    merged = merge(here, there, Base(), winner)
    assert ways(merged) == (set(), {unit})
    assert merged.lost == (Lost(unit, "calendar", normal(unit, there)),)


@pytest.mark.parametrize("unit", TEXTS)
def test_without_a_base_an_empty_text_in_the_studio_yields_to_a_full_one(unit: Unit) -> None:
    here, there = content(**{unit: ""}), content(**{unit: "Said in the calendar"})
    merged = merge(here, there, Base(), "studio")
    assert (*ways(merged), merged.lost) == ({unit}, set(), ())


@pytest.mark.parametrize("unit", TEXTS)
def test_without_a_base_an_empty_text_in_the_calendar_is_filled(unit: Unit) -> None:
    here, there = content(**{unit: "Said in the studio"}), content(**{unit: " "})
    merged = merge(here, there, Base(), "calendar")
    assert (*ways(merged), merged.lost) == (set(), {unit}, ())


def test_a_link_that_lost_its_columns_is_no_base() -> None:
    link = msgspec.structs.replace(a_link(), studio=None, calendar=None)
    merged = merge(content(title="Here"), content(title="There"), Base(link=link), "calendar")
    assert ways(merged) == (set(), {"title"})


# --- with a seal that no link knows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_what_an_unrecorded_write_of_ours_sent_is_no_persons_edit(unit: Unit) -> None:
    both = changed(BEFORE, unit, 1)
    merged = merge(both, both, Base(link=a_link(BEFORE), pending=a_seal(both, frozenset({unit}))), "calendar")
    assert quiet(merged)


@pytest.mark.parametrize("unit", UNITS)
def test_going_back_to_the_old_value_after_an_unrecorded_write_is_a_change_in_the_studio(unit: Unit) -> None:
    """Agreed A; B was sent, the run died; the studio is at A again. The link alone would call B a person's edit."""
    sent = changed(BEFORE, unit, 1)
    base = Base(link=a_link(BEFORE), pending=a_seal(sent, frozenset({unit})))
    merged = merge(BEFORE, sent, base, "calendar")
    assert (*ways(merged), merged.lost) == (set(), {unit}, ())


@pytest.mark.parametrize("unit", UNITS)
def test_a_persons_going_back_after_an_unrecorded_write_is_a_change_in_the_calendar(unit: Unit) -> None:
    """Agreed A; B was sent, the run died; a person set the event back to A. The link alone would undo that."""
    sent = changed(BEFORE, unit, 1)
    base = Base(link=a_link(BEFORE), pending=a_seal(sent, frozenset({unit})))
    merged = merge(sent, BEFORE, base, "studio")
    assert (*ways(merged), merged.lost) == ({unit}, set(), ())


def test_units_that_the_unrecorded_write_did_not_send_are_compared_with_the_link() -> None:
    sent = content(title="Sent")
    base = Base(link=a_link(content()), pending=a_seal(sent, frozenset({"title"})))
    merged = merge(sent, content(title="Sent", location="Park"), base, "studio")
    assert ways(merged) == ({"location"}, set())


def test_a_first_write_that_was_not_recorded_is_base_enough_without_a_link() -> None:
    sent = content()
    base = Base(pending=a_seal(sent))
    merged = merge(content(title="Here"), content(location="There"), base, "studio")
    assert (*ways(merged), merged.lost) == ({"location"}, {"title"}, ())


@pytest.mark.parametrize(("winner", "side"), [("studio", "calendar"), ("calendar", "studio")])
def test_edits_on_both_sides_after_an_unrecorded_write_clash(winner: Side, side: Side) -> None:
    base = Base(link=a_link(content()), pending=a_seal(content(title="Sent"), frozenset({"title"})))
    merged = merge(content(title="Here"), content(title="There"), base, winner)
    assert [(lost.unit, lost.side) for lost in merged.lost] == [("title", side)]


# --- the calendar as a mirror ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("winner", ["studio", "calendar"])
@pytest.mark.parametrize("unit", UNITS)
def test_a_mirror_is_put_back_and_what_stood_there_is_kept(unit: Unit, winner: Side) -> None:
    there = changed(BEFORE, unit, 1)
    merged = merge(BEFORE, there, agreed_on(BEFORE), winner, two_way=False)
    assert ways(merged) == (set(), {unit})
    assert merged.lost == (Lost(unit, "calendar", normal(unit, there)),)


@pytest.mark.parametrize("unit", TEXTS)
def test_a_mirror_gives_the_studio_nothing_even_where_the_studio_has_no_text(unit: Unit) -> None:
    merged = merge(content(**{unit: ""}), content(**{unit: "There"}), Base(), "calendar", two_way=False)
    assert merged.to_studio == frozenset()


def test_a_mirror_leaves_what_the_provider_stores_differently() -> None:
    here, there = content(description="a < b"), content(description="a &lt; b")
    assert quiet(merge(here, there, agreed_on(here, there), "studio", two_way=False))


# --- policies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "studio_at", "calendar_at", "winner"),
    [
        ("studio", 1.0, 2.0, "studio"),
        ("google", 2.0, 1.0, "calendar"),
        ("google", None, None, "calendar"),
        ("latest", 1.0, 2.0, "calendar"),
        ("latest", 2.0, 1.0, "studio"),
        ("latest", 1.0, 1.0, "studio"),
        ("latest", None, 1.0, "studio"),
        ("latest", 1.0, None, "studio"),
    ],
)
def test_the_policy_says_who_wins_a_clash(
    policy: ClashPolicy, studio_at: float | None, calendar_at: float | None, winner: Side
) -> None:
    assert clash_winner(policy, studio_at, calendar_at) == winner


# --- properties ------------------------------------------------------------------------------------------------------

texts = st.sampled_from(["", "A", "B", "C", "A\r\nB", "A\nB", " A "])
times = st.sampled_from([a_time("10:00"), a_time("11:00"), a_time("10:00-10:00"), AllDay(DAY, DAY.replace(day=21))])
contents = st.builds(
    Content,
    title=texts,
    description=texts,
    location=texts,
    when=times,
    status=st.sampled_from(["confirmed", "tentative"]),
    busy=st.booleans(),
    private=st.booleans(),
)
unit_sets = st.sets(st.sampled_from(UNITS)).map(frozenset)
sides = st.sampled_from(["studio", "calendar"])
seals: st.SearchStrategy[Seal | None] = st.one_of(st.none(), st.builds(a_seal, contents, unit_sets))
bases = st.builds(
    Base,
    link=st.one_of(st.none(), st.builds(a_link, contents, contents)),
    pending=seals,
)
quick = settings(max_examples=150, derandomize=True, deadline=None, database=None)


@quick
@given(contents, contents, unit_sets, sides, contents)
def test_a_change_made_on_one_side_only_survives(
    here: Content, there: Content, units: frozenset[Unit], winner: Side, edit: Content
) -> None:
    """Whatever each side stored at the agreement, the side that edited a unit gives its value to the other."""
    base = agreed_on(here, there)
    edited_here = msgspec.structs.replace(here, **{unit: getattr(edit, unit) for unit in units})
    edited_there = msgspec.structs.replace(there, **{unit: getattr(edit, unit) for unit in EVERY_UNIT - units})
    merged = merge(edited_here, edited_there, base, winner)
    for unit in UNITS:
        if unit in units and not same(unit, edited_here, here):
            assert same(unit, merged.calendar, edited_here)
            assert same(unit, merged.studio, edited_here)
        if unit not in units and not same(unit, edited_there, there):
            assert same(unit, merged.studio, edited_there)
            assert same(unit, merged.calendar, edited_there)
    assert merged.lost == ()


@quick
@given(contents, contents, unit_sets, unit_sets, contents, contents, sides, st.booleans())
def test_units_that_nobody_touched_stay_untouched_on_both_sides(
    here: Content,
    there: Content,
    units_here: frozenset[Unit],
    units_there: frozenset[Unit],
    edit_here: Content,
    edit_there: Content,
    winner: Side,
    two_way: bool,
) -> None:
    edited_here = msgspec.structs.replace(here, **{unit: getattr(edit_here, unit) for unit in units_here})
    edited_there = msgspec.structs.replace(there, **{unit: getattr(edit_there, unit) for unit in units_there})
    merged = merge(edited_here, edited_there, agreed_on(here, there), winner, two_way=two_way)
    for unit in EVERY_UNIT - units_here - units_there:
        assert getattr(merged.studio, unit) == getattr(here, unit)
        assert getattr(merged.calendar, unit) == getattr(there, unit)
        assert unit not in merged.to_studio | merged.to_calendar


@quick
@given(contents, contents, bases, sides, st.booleans())
def test_a_second_merge_of_what_the_first_one_made_is_quiet(
    here: Content, there: Content, base: Base, winner: Side, two_way: bool
) -> None:
    merged = merge(here, there, base, winner, two_way=two_way)
    recorded = agreed_on(merged.studio, merged.calendar)
    assert quiet(merge(merged.studio, merged.calendar, recorded, winner, two_way=two_way))


@quick
@given(contents, contents, bases, sides, st.booleans())
def test_what_is_overwritten_though_somebody_may_have_meant_it_is_always_among_the_lost(
    here: Content, there: Content, base: Base, winner: Side, two_way: bool
) -> None:
    """Only a value that its side is known not to have changed, or no text at all, goes without being kept."""
    merged = merge(here, there, base, winner, two_way=two_way)
    kept = {(lost.unit, lost.side, lost.value) for lost in merged.lost}
    for unit in UNITS:
        known = base.changed(unit, here, there)
        here_meant, there_meant = (True, True) if known is None else known
        if unit in merged.to_calendar and there_meant and normal(unit, there):
            assert (unit, "calendar", normal(unit, there)) in kept
        if unit in merged.to_studio and here_meant and normal(unit, here):
            assert (unit, "studio", normal(unit, here)) in kept
    assert len(kept) == len(merged.lost)


@quick
@given(contents, contents, bases, sides, st.booleans())
def test_a_unit_goes_one_way_at_most_and_only_where_the_sides_differ(
    here: Content, there: Content, base: Base, winner: Side, two_way: bool
) -> None:
    merged = merge(here, there, base, winner, two_way=two_way)
    assert not merged.to_studio & merged.to_calendar
    assert merged.to_studio | merged.to_calendar <= here.differs(there)
    assert two_way or not merged.to_studio
    assert merged.studio.differs(here) == merged.to_studio
    assert merged.calendar.differs(there) == merged.to_calendar


@quick
@given(contents, contents, bases, sides)
def test_times_come_out_whole(here: Content, there: Content, base: Base, winner: Side) -> None:
    merged = merge(here, there, base, winner)
    given_times: set[Timed | AllDay] = {here.when, there.when}
    assert merged.studio.when in given_times
    assert merged.calendar.when in given_times
