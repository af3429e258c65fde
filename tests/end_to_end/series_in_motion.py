"""Random edits of series on both sides, and what must come of them, told without any of the product's own policy.

A *place* is one occurrence of one series, or one single entry: the id of its appointment, and its original start. What
stands at each place is read on both sides before a sync and after it. Between two syncs each side edits as it likes:

- a series that only one side touched is as that side had it;
- where both did, each place that only one side touched is as that side had it, and of a place that both touched, each
  field; what a person gave a single occurrence is never overwritten by what was given to its series;
- whatever else was new on a side is shown, or in the log as the loser of a clash; what the studio gave is shown, unless
  the calendar's wins by the studio's settings.

Every edit writes a text that is found nowhere else, so that none can stand in for another.
"""

import dataclasses
import datetime as dt
import random
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from local import studio_series
from local.google.behaviour import Behaviour
from local.google.occurrences import Slot, slot_of, stamp
from shared.domain import identity
from tests import series as readings
from tests.end_to_end.idling import settle
from tests.series import SeriesDesk
from tests.world import NOW, World

Side = Literal["studio", "calendar"]
Kind = Literal["create", "title", "place", "move", "delete", "erase", "reopen", "sync"]
Scope = Literal["this", "following", "all"]

FIRST = NOW.date() + dt.timedelta(days=3)
ZONE = "Europe/Berlin"
RULES = ("FREQ=WEEKLY;COUNT=5", "FREQ=DAILY;COUNT=4", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=3;COUNT=6")
# More deletions than this within a day, and the guard would hold them.
DELETIONS = 4

NEVER_AGREED = "the series has no occurrence then"

Place = tuple[str, str]


class Shown(NamedTuple):
    """What a person sees at a place."""

    start: str
    end: str
    title: str
    location: str


View = dict[Place, Shown]


@dataclasses.dataclass(frozen=True)
class Step:
    """One edit; `which` chooses among what the side shows, so that a schedule still makes sense with steps left out."""

    kind: Kind
    side: Side = "studio"
    which: int = 0
    scope: Scope = "this"
    all_day: bool = False


def schedule(seed: int, length: int) -> list[Step]:
    """A random schedule; the same for the same seed."""
    chance = random.Random(seed)
    steps = [_creation(chance), Step("sync")]
    for _ in range(length):
        kind = chance.choices(
            ("create", "title", "place", "move", "delete", "erase", "reopen", "sync"), (5, 22, 14, 16, 10, 3, 3, 24)
        )[0]
        side: Side = chance.choice(("studio", "calendar"))
        scope: Scope = chance.choices(("this", "following", "all"), (6, 2, 3))[0]
        if kind == "create":
            steps.append(_creation(chance))
        else:
            steps.append(Step(kind, side, chance.randrange(1000), scope))
    return [*steps, Step("sync")]


def _creation(chance: random.Random) -> Step:
    side: Side = chance.choice(("studio", "calendar"))
    return Step("create", side, chance.randrange(1000), all_day=chance.random() < 0.3)


def switches(seed: int) -> dict[str, Any]:
    """Of what Google does not document, something at random."""
    chance = random.Random(seed)
    moved = chance.choice(("rekeyed", "kept", "dropped", "forgotten"))
    beyond = chance.choice(("dropped", "kept", "forgotten"))
    named = (
        "instance_etags_of_their_own",
        "split_series_share_instance_ids",
        "exceptions_touch_their_series",
        "exceptions_inherit",
        "exception_tombstones_with_series",
        "instances_outlive_their_series",
    )
    chosen: dict[str, Any] = {name: chance.random() < 0.3 for name in named}
    chosen["exception_tombstones_with_series"] = chance.random() < 0.7
    chosen["instances_outlive_their_series"] = chance.random() < 0.7
    return chosen | {"exceptions_of_a_moved_series": moved, "exceptions_beyond_the_end": beyond}


@dataclasses.dataclass
class Interval:
    """What happened since the last sync.

    `own`: which fields of which single occurrence a side has edited; `texts`: all that was written; `of_one`: what the
    studio gave a single occurrence; `of_all`: what was given to a whole series.
    """

    touched: dict[Side, set[str]] = dataclasses.field(default_factory=lambda: {"studio": set(), "calendar": set()})
    reshaped: dict[Side, set[str]] = dataclasses.field(default_factory=lambda: {"studio": set(), "calendar": set()})
    moved: set[str] = dataclasses.field(default_factory=set)
    own: set[tuple[Side, Place, str]] = dataclasses.field(default_factory=set)
    texts: set[str] = dataclasses.field(default_factory=set)
    of_one: set[str] = dataclasses.field(default_factory=set)
    of_all: set[str] = dataclasses.field(default_factory=set)


class Motion:
    """Ann's studio and Ann's calendar, two hands that edit, and an eye that compares."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.behaviour: Behaviour = world.cloud.google.behaviour
        self._desk = SeriesDesk(world)
        self._person = world.person("ann")
        self._number = 0
        self._deleted = 0
        self._interval = Interval()
        # Which appointment an event of a series or a single one stands for, as far as was ever known.
        self._appointment_of: dict[str, str] = {}
        self._before: View = {}
        self.trace: list[str] = []

    # --- the hands ---------------------------------------------------------------------------------------------------

    def play(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if step.kind == "sync":
                self.sync()
            elif step.kind == "create":
                self._create(step)
            elif step.side == "studio":
                self._in_studio(step)
            else:
                self._in_calendar(step)

    def _text(self, scope: Scope, side: Side) -> str:
        self._number += 1
        text = f"edit-{self._number}"
        self._interval.texts.add(text)
        if scope != "this":
            self._interval.of_all.add(text)
        elif side == "studio":
            self._interval.of_one.add(text)
        return text

    def _create(self, step: Step) -> None:
        title, rule = self._text("all", step.side), f"RRULE:{RULES[step.which % len(RULES)]}"
        day = FIRST + dt.timedelta(days=step.which % 5)
        self.trace.append(f"{step.side}: create {title} {rule} {day} all_day={step.all_day}")
        if step.all_day:
            times: dict[str, Any] = {"start": {"date": f"{day}"}, "end": {"date": f"{day + dt.timedelta(days=1)}"}}
        else:
            times = {
                "start": {"dateTime": f"{day}T{10 + step.which % 3}:00:00", "timeZone": ZONE},
                "end": {"dateTime": f"{day}T{11 + step.which % 3}:00:00", "timeZone": ZONE},
            }
        if step.side == "calendar":
            event_id = self._person.insert(summary=title, recurrence=[rule], **times)["id"]
            self._interval.touched["calendar"].add(event_id)
            return
        if step.all_day:
            fields: dict[str, Any] = {"all_day": True, "start_date": f"{day}", "end_date": times["end"]["date"]}
        else:
            start, end = (readings_at(times[name]) for name in ("start", "end"))
            fields = {"start": start, "end": end, "time_zone": ZONE}
        self._desk.book(title, title=title, user_ids=["ann"], recurrence=[rule], **fields)
        self._interval.touched["studio"].add(title)

    def _in_studio(self, step: Step) -> None:
        documents = self.world.appointments()
        if step.kind == "reopen":
            self._reopen(documents, step)
            return
        places = sorted(self.studio())
        if not places:
            return
        series_id, slot = place = places[step.which % len(places)]
        if not slot or not documents[series_id].get("recurrence"):
            return
        one = readings.occurrence_id(series_id, _slot(slot))
        single = "series_id" not in documents.get(one, {"series_id": ""})
        if single or (step.kind == "erase" and one not in documents) or self._leaves_out(step, place):
            return
        text = self._text(step.scope, "studio")
        self.trace.append(f"studio: {step.kind} {step.scope} {place} {text}")
        touched = self._edit_document(step, series_id, _slot(slot), text)
        self._note("studio", step, place, {series_id, touched} if step.scope != "this" else {series_id})

    def _edit_document(self, step: Step, series_id: str, at: Slot, text: str) -> str:
        """Carries out a step; gives the id of the series that it is about afterwards."""
        match step.kind:
            case "title" | "place":
                name = "title" if step.kind == "title" else "location"
                return studio_series.change(self._desk, series_id, at, step.scope, **{name: text})
            case "move":
                by = self._by(step, all_day=not isinstance(at, dt.datetime))
                return studio_series.change(self._desk, series_id, at, step.scope, by=by)
            case "delete":
                studio_series.cancel(self._desk, series_id, at, step.scope)
            case _:
                self.world.erase(readings.occurrence_id(series_id, at))
        return series_id

    def _reopen(self, documents: Mapping[str, Any], step: Step) -> None:
        cancelled = sorted(
            one
            for one, found in documents.items()
            if found.get("series_id") and found["status"] == "cancelled"
            if (series := documents.get(found["series_id"])) is not None and readings._has(series, found)
        )
        if not cancelled:
            return
        one = cancelled[step.which % len(cancelled)]
        found, text = documents[one], self._text("this", "studio")
        self.trace.append(f"studio: reopen {one} {text}")
        self.world.edit(one, status="confirmed", title=text)
        place = found["series_id"], one.rpartition("_")[2]
        self._note("studio", dataclasses.replace(step, scope="this", kind="title"), place, {found["series_id"]})

    def _in_calendar(self, step: Step) -> None:
        events = {place: event for place, event in self._listed().items() if "recurringEventId" in event}
        if not events or step.kind in {"erase", "reopen"}:
            return
        place = sorted(events)[step.which % len(events)]
        event = events[place]
        if self._leaves_out(step, place):
            return
        text = self._text(step.scope, "calendar")
        self.trace.append(f"calendar: {step.kind} {step.scope} {place} {text}")
        made: dict[str, Any] = {}
        match step.kind:
            case "title":
                made = self._person.edit(event["id"], step.scope, summary=text)
            case "place":
                made = self._person.edit(event["id"], step.scope, location=text)
            case "move":
                made = self._person.move(event["id"], self._by(step, all_day="date" in event["start"]), step.scope)
            case _:
                self._person.delete("primary", event["id"], step.scope)
        touched = {place[0]}
        if step.scope != "this" and made and "recurringEventId" not in made:
            touched.add(self._named(made["id"]))
        self._note("calendar", step, place, touched)

    def _leaves_out(self, step: Step, place: Place) -> bool:
        """Whether the step is one too many: for the guard, or for what is known not to be followed.

        If Google keeps the exceptions of a moved series where they are, they may stand in slots of the series again
        when that is moved once more; if it forgets them without a trace, a series that both sides give other times at
        once may come out without them. Nothing tells of them then.
        """
        if step.kind == "delete":
            self._deleted += 1
            if self._deleted > DELETIONS:
                return True
        moved = self.behaviour.exceptions_of_a_moved_series
        reshapes = step.scope != "this" and (step.kind in {"move", "delete"} or step.scope == "following")
        if moved == "forgotten" and reshapes:
            other: Side = "calendar" if step.side == "studio" else "studio"
            return place[0] in self._interval.reshaped[other]
        comes_back = _is_day(place[1]) or step.which % 4 == 0
        return moved == "kept" and step.kind == "move" and step.scope != "this" and comes_back

    def _by(self, step: Step, *, all_day: bool) -> dt.timedelta:
        if all_day or step.which % 4 == 0:
            return dt.timedelta(days=1 + step.which % 2)
        return dt.timedelta(hours=1 + step.which % 3)

    def _note(self, side: Side, step: Step, place: Place, touched: set[str]) -> None:
        interval = self._interval
        interval.touched[side] |= touched
        if step.scope == "this":
            fields = {"title": ("title",), "place": ("location",), "move": ("start", "end")}.get(step.kind, ())
            interval.own |= {(side, place, name) for name in fields}
            return
        if step.scope == "following" or step.kind in {"move", "delete"}:
            interval.reshaped[side] |= touched
        if step.kind == "move":
            interval.moved |= touched

    # --- the eye -----------------------------------------------------------------------------------------------------

    def studio(self) -> View:
        """What the studio shows at each place."""
        return {place: shown for place, (shown, beyond) in self._documents().items() if not beyond}

    def _beyond(self) -> View:
        """Documents that stand outside their series: whether they are shown is the calendar's affair."""
        return {place: shown for place, (shown, beyond) in self._documents().items() if beyond}

    def _documents(self) -> dict[Place, tuple[Shown, bool]]:
        documents = self.world.appointments()
        until = NOW + dt.timedelta(days=120)
        view: dict[Place, tuple[Shown, bool]] = {}
        for appointment_id, found in documents.items():
            series = documents.get(found.get("series_id") or "")
            document = readings._whole(found, documents)
            times = readings._times(document)
            if document.get("series_id"):
                if readings._stands(document, "ann"):
                    place = document["series_id"], appointment_id.rpartition("_")[2]
                    view[place] = _of_document(document, *times), series is None or not readings._has(series, document)
            elif not readings._stands(document, "ann"):
                continue
            elif document.get("recurrence"):
                for slot in readings._slots(document, until):
                    if studio_series.occurrence_id(appointment_id, slot) not in documents:
                        shown = _of_document(document, slot, slot + (times[1] - times[0]))
                        view[appointment_id, stamp(slot)] = shown, False
            else:
                view[appointment_id, ""] = _of_document(document, *times), False
        return {place: found for place, found in view.items() if _within(found[0])}

    def calendar(self) -> View:
        """What the calendar shows at each place."""
        return {place: _of_event(event) for place, event in self._listed().items() if _within(_of_event(event))}

    def _listed(self) -> dict[Place, dict[str, Any]]:
        query = {
            "singleEvents": "true",
            "maxResults": "2500",
            "timeMin": f"{NOW - dt.timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}",
            "timeMax": f"{NOW + dt.timedelta(days=120):%Y-%m-%dT%H:%M:%SZ}",
        }
        found: dict[Place, dict[str, Any]] = {}
        for event in self._person._pages("calendars/primary/events", query):
            if "recurringEventId" in event:
                place = self._named(event["recurringEventId"]), stamp(slot_of(event["originalStartTime"]))
            else:
                place = self._named(event["id"]), ""
            assert place not in found, f"stands twice: {place} {event.get('summary')}"
            found[place] = event
        return found

    def _named(self, event_id: str) -> str:
        """The appointment of an event, as far as known; of series that were entered lately the event's own id."""
        return self._appointment_of.get(event_id, event_id)

    def _learn(self) -> dict[str, str]:
        """Learns which appointment is which event; gives those that had another name before."""
        links = self.world.below("ann", "links").values()
        known = {link["event_id"]: link["appointment_id"] for link in links if not link.get("series_event")}
        self._appointment_of |= known
        return {event_id: name for event_id, name in known.items() if event_id != name}

    def sync(self) -> None:
        """Both sides synced to the end, and compared with what stood there before."""
        self.trace.append("sync")
        before = self._before
        studio, calendar, beyond = self.studio(), self.calendar(), self._beyond()
        interval, self._interval = self._interval, Interval()
        settle(self.world)
        self.world.sync()  # What the last run wrote comes back as a change, perhaps with another etag of its series.
        names = self._learn()
        calendar = {(names.get(series, series), slot): shown for (series, slot), shown in calendar.items()}
        touched = {side: {names.get(one, one) for one in interval.touched[side]} for side in interval.touched}
        reshaped = {side: {names.get(one, one) for one in interval.reshaped[side]} for side in interval.reshaped}
        moved = {names.get(one, one) for one in interval.moved}
        own = {(side, (names.get(place[0], place[0]), place[1]), name) for side, place, name in interval.own}
        self._check_agreed()
        after = self.calendar()
        lost = {str(one["value"]) for entry in self.world.log("ann") for one in entry["lost"]}
        for series in {place[0] for place in (*before, *studio, *calendar, *after)}:
            b, s, c, a = (_of_series(view, series) for view in (before, studio, calendar, after))
            sides = [side for side in ("studio", "calendar") if series in touched[side]]
            told = f"{series}: touched by {sides}\nbefore {b}\nstudio {s}\ncalendar {c}\nafter {a}"
            if series in moved or (any(series in reshaped[side] for side in reshaped) and len(sides) > 1):
                continue  # Places have other names now, or are gone with their series: the texts tell (below).
            if len(sides) < 2:
                self._check_one_sided(s if sides != ["calendar"] else c, a, studio | beyond, interval.of_all, told)
            else:
                self._check_merged(b, s, c, a, own, interval.of_all, told)
        self._check_texts(interval, studio, calendar, after, lost)
        self._before = after

    def _check_agreed(self) -> None:
        studio, beyond, calendar = self.studio(), self._beyond(), self.calendar()
        alone = {place: shown for place, shown in calendar.items() if place not in studio}
        apart = {place: (one, calendar.get(place)) for place, one in studio.items() if calendar.get(place) != one}
        assert not apart, f"not the same on both sides (studio, calendar): {apart}"
        unknown = {place: (one, beyond.get(place)) for place, one in alone.items() if beyond.get(place) != one}
        assert not unknown, f"in the calendar only, or with a document that says something else: {unknown}"
        parked = {one: (why["reason"], why["detail"]) for one, why in self.world.below("ann", "parked").items()}
        # A person edited an occurrence of a series, then ended that before it, and no run came in between.
        never = {readings.occurrence_id(series, _slot(slot)) for series, slot in beyond}
        parked = {one: why for one, why in parked.items() if why[1] != NEVER_AGREED or one not in never}
        assert parked == {}, f"parked: {parked}"
        assert self.world.below("ann", "outbox") == {}, "something is left to be done"
        assert not self.world.inbox(), "nobody is asked about anything"

    def _check_one_sided(self, wanted: View, after: View, beyond: View, of_all: set[str], told: str) -> None:
        missing = {
            place: shown
            for place, shown in wanted.items()
            if place not in after or not _follows(after[place], shown, of_all)
        }
        if self.behaviour.exceptions_inherit:
            missing = {place: shown for place, shown in missing.items() if place not in after}
        assert not missing, f"not as the side that edited it had it: {missing}\n{told}"
        added = {place: shown for place, shown in after.items() if place not in wanted}
        # What its series took along may stand by itself now, as a single entry.
        events = [event_id for event_id, name in self._appointment_of.items() if (name, "") in added]
        beyond |= {
            (identity.single(one, slot, event_id), ""): shown
            for (one, slot), shown in beyond.items()
            for event_id in events
            if slot
        }
        assert added.items() <= beyond.items(), f"nobody entered this: {added}\n{told}"

    def _check_merged(
        self, before: View, studio: View, calendar: View, after: View, own: set[Any], of_all: set[str], told: str
    ) -> None:
        for place in {*before, *studio, *calendar, *after}:
            b, s, c, a = (view.get(place) for view in (before, studio, calendar, after))
            if b in (s, c):
                wanted = c if s == b else s
                followed = wanted is not None and a is not None and _follows(a, wanted, of_all)
                if not self.behaviour.exceptions_inherit:
                    assert a == wanted or followed, f"at {place} only one side edited\n{told}"
            elif s is None:
                assert a is None, f"cancelled in the studio: {place}\n{told}"
            elif c is None or b is None:
                edited = any((side, where) == ("studio", place) for side, where, _ in own)
                assert a is not None or not edited, f"deleted there, and edited in the studio: {place}\n{told}"
            else:
                self._check_fields(place, b, s, c, a, own, told)

    def _check_fields(
        self, place: Place, b: Shown, s: Shown, c: Shown, a: Shown | None, own: set[Any], told: str
    ) -> None:
        assert a is not None, f"edited on both sides, and gone: {place}\n{told}"
        for name in Shown._fields:
            was, here, there, now = (getattr(one, name) for one in (b, s, c, a))
            given = {side for side in ("studio", "calendar") if (side, place, name) in own}
            wanted = {was, here, there} if not given else {here, there}
            if given == {"studio"}:
                wanted = {here}
            if given == {"calendar"}:
                wanted = {there}
            assert now in wanted, f"{name} at {place}: {now} is none of {wanted}\n{told}"

    def _check_texts(self, interval: Interval, studio: View, calendar: View, after: View, lost: set[str]) -> None:
        """Whatever else a side has given is shown, or was the loser of a clash, or is of a series without places;
        what the studio gave a single occurrence is shown.
        """
        kept = _texts(after) | lost
        for document in self.world.appointments().values():
            kept |= {str(document.get("title")), str(document.get("location"))}
        told = f"\nstudio {studio}\ncalendar {calendar}\nafter {after}"
        gone = interval.texts & (_texts(studio) | _texts(calendar)) - kept
        assert not gone, f"lost, and not in the log: {gone}{told}"
        gone = interval.of_one & _texts(studio) - _texts(after)
        assert not gone, f"the studio's own, and not shown: {gone}{told}"


def readings_at(value: Mapping[str, str]) -> dt.datetime:
    return studio_series.occurrences.at(dt.datetime.fromisoformat(value["dateTime"]), value["timeZone"], all_day=False)  # type: ignore[return-value]


def _slot(text: str) -> Slot:
    found = studio_series.occurrences.from_stamp(text)
    assert found is not None
    return found


def _is_day(text: str) -> bool:
    return len(text) == len("20260301") and text.isdecimal()


def _follows(came: Shown, wanted: Shown, of_all: set[str]) -> bool:
    """Whether it is as wanted but for what was given to its series, which its document has from that."""
    return all(here == there or here in of_all for here, there in zip(came, wanted, strict=True))


def _of_document(document: Mapping[str, Any], first: Slot, last: Slot) -> Shown:
    shown = readings._shown(document, first, last)
    return Shown(*shown[:4])


def _of_event(event: Mapping[str, Any]) -> Shown:
    times = (readings._text(slot_of(event[name])) for name in ("start", "end"))
    return Shown(*times, event.get("summary", ""), event.get("location", ""))


def _within(shown: Shown) -> bool:
    """Not so far off that only one of the two readings has it."""
    return shown.start < f"{NOW + dt.timedelta(days=100):%Y-%m-%d}"


def _of_series(view: View, series: str) -> View:
    return {place: shown for place, shown in view.items() if place[0] == series}


def _texts(view: View) -> set[str]:
    return {text for shown in view.values() for text in (shown.title, shown.location) if text}
