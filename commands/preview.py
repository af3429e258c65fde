"""What a populate of a user's calendar, of the studio, or of both, would do, without doing it.

    python -m commands.preview --studio STUDIO --user USER [--populate-calendar] [--populate-studio]

Reads Firestore and the whole calendar, and writes nothing. Of the environment it needs what the functions need for
calendars, and says what is not there. Ends with 0 if it has said what would happen, with 1 if nothing would, as this
user does not sync, and with 2 if that could not be found out.
"""

import argparse
import datetime as dt
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from commands.terminal import FAILURES, failure, fitted, plain
from shared import wiring
from shared.domain import zones
from shared.domain.doubt import Side
from shared.domain.forecast import QUOTA, Count, Deed, Direction, Traffic
from shared.services.preview import Preview, preview

TOLD, NOTHING, NOT_FOUND_OUT = 0, 1, 2

_DEEDS: dict[tuple[Direction, Deed], str] = {
    ("to_calendar", "enter"): "entered into the calendar",
    ("to_calendar", "change"): "changed in the calendar",
    ("to_calendar", "remove"): "taken out of the calendar",
    ("to_calendar", "leave_out"): "left out of the calendar",
    ("to_calendar", "ask"): "wait for an answer: are they in the calendar already?",
    ("to_calendar", "park"): "parked, not in the calendar",
    ("to_studio", "enter"): "entered into the studio",
    ("to_studio", "join"): "this user added to it",
    ("to_studio", "change"): "changed in the studio",
    ("to_studio", "remove"): "cancelled in the studio",
    ("to_studio", "leave_out"): "left out of the studio",
    ("to_studio", "ask"): "wait for an answer: are they in the studio already?",
    ("to_studio", "park"): "parked, not in the studio",
    ("both", "pair"): "found on both sides: paired",
    ("both", "change"): "changed on both sides",
    ("both", "keep"): "in step already",
    ("both", "leave_out"): "left alone",
    ("both", "park"): "parked",
}


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        told = _ask(asked)
    except FAILURES as met:
        return _cannot(failure(met, may="read"))
    print(_as_json(asked, told) if asked.json else "\n".join(_in_words(asked, told)))
    return TOLD if told.reason is None else NOTHING


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m commands.preview",
        description="What a populate would do. Without a direction: what the user has ticked, or else both.",
        epilog="Ends with 0 if it has said what would happen, with 1 if nothing would as this user does not sync, "
        "with 2 if that could not be found out.",
    )
    parser.add_argument("--studio", required=True, metavar="ID", help="the studio's document id")
    parser.add_argument("--user", required=True, metavar="ID", help="the user's document id, below the studio")
    parser.add_argument("--populate-calendar", action="store_true", help="the studio's appointments into the calendar")
    parser.add_argument("--populate-studio", action="store_true", help="the calendar's entries into the studio")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser


def _ask(asked: argparse.Namespace) -> Preview:
    """No log lines here: standard output is for the answer."""
    parts = wiring.wired()
    parts.settings.require(*wiring.FOR_STORE, *wiring.FOR_CALENDARS)
    return preview(
        asked.studio,
        asked.user,
        store=parts.store,
        calendars=parts.calendars,
        clock=parts.clock,
        calendar=asked.populate_calendar,
        studio=asked.populate_studio,
    )


def _cannot(message: str) -> int:
    print(message, file=sys.stderr)
    return NOT_FOUND_OUT


def _as_json(asked: argparse.Namespace, told: Preview) -> str:
    text = None if told.reason is None else told.reason.text
    whole: dict[str, Any] = {"studio_id": asked.studio, "user_id": asked.user, "text": text}
    return json.dumps({**whole, **msgspec.to_builtins(told)}, indent=2, ensure_ascii=False)


def _in_words(asked: argparse.Namespace, told: Preview) -> Iterator[str]:
    if told.reason is not None:
        yield fitted(f"{told.reason} – {told.reason.text}", 2)
        yield from (f"  {name:<8} {value}" for name, value in (("field", told.field), ("detail", told.detail)) if value)
        yield f"  asked of studio {asked.studio}, user {asked.user}"
        return
    boxes = [name for name, ticked in (("calendar", told.calendar), ("studio", told.studio)) if ticked]
    yield f"To populate {' and '.join(boxes)}, from {told.window_from:%Y-%m-%d} on, would come to:"
    counted: Counter[str] = Counter()
    for line in told.counts:
        counted[_counted(line)] += line.number
    yield from (fitted(f"  {number:>6}  {text}", 10) for text, number in counted.items())
    if not told.counts:
        yield "  nothing: there are no entries on either side"
    if told.suspects:
        yield ""
        yield f"Two entries at one time that may be the same: {told.suspected}"
        for one in told.suspects:
            yield f"  {_when(one.studio, told.time_zone)}"
            yield f"    studio    {_title(one.studio)}"
            yield f"    calendar  {_title(one.calendar)}"
    if told.suspected > len(told.suspects):
        yield f"  ... and {told.suspected - len(told.suspects)} more"
    if told.later:
        yield ""
        yield f"Google does not answer for {told.later}: nothing can be said of these now."
    yield ""
    yield f"Calls to Google: {_traffic(told.reads)} to read, {_traffic(told.writes)} to write;"
    least = "less than a minute" if told.minutes < 1 else f"at least {told.minutes:g} minutes"
    yield f"at {QUOTA.calls_per_minute} calls a minute that takes {least}."


def _counted(one: Count) -> str:
    forms = {"single": "", "series": " (series)", "occurrence": " (single occurrences)"}
    deed = _DEEDS.get((one.direction, one.deed), f"{one.deed} {one.direction}") + forms[one.form]
    why = f" – {one.reason.text}" if one.deed in {"leave_out", "park"} else ""
    return f"{deed}{why}"


def _when(side: Side, zone: str) -> str:
    start, end = side.start, side.end
    series = ", a series" if side.repeats else ""
    if isinstance(start, dt.datetime) and isinstance(end, dt.datetime):
        return f"{zones.span(start, end, zone)}{series}"
    last = end - dt.timedelta(days=1)
    return f"{start} to {last}{series}" if last > start else f"{start}{series}"


def _title(side: Side) -> str:
    return "(private)" if side.hidden else plain(side.title) or "(without a title)"


def _traffic(traffic: Traffic) -> str:
    requests = "request" if traffic.requests == 1 else "requests"
    return f"{traffic.calls} in {traffic.requests} {requests}"


if __name__ == "__main__":
    sys.exit(main())
