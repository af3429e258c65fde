"""Why an appointment is not in a user's calendar, or an entry of the calendar not in the studio.

    python -m commands.why --studio STUDIO --user USER --appointment APPOINTMENT
    python -m commands.why --studio STUDIO --user USER --event EVENT

Reads Firestore and that one calendar entry, and writes nothing. Of the environment it needs what the functions need for
calendars, and says what is not there. Ends with 0 if it is there and in step, with 1 if not, with 2 if that could not
be found out.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from commands.terminal import FAILURES, failure, fitted
from shared import wiring
from shared.services.answer import Why
from shared.services.why import why_appointment, why_event

IN_STEP, NOT_IN_STEP, NOT_FOUND_OUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        why = _ask(asked)
    except FAILURES as met:
        return _cannot(failure(met, may="read"))
    print(_as_json(asked, why) if asked.json else _in_words(asked, why))
    return IN_STEP if why.in_step else NOT_IN_STEP


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m commands.why",
        description="Why an appointment is not in a user's calendar, or an entry of the calendar not in the studio.",
        epilog="Ends with 0 if it is there and in step, with 1 if not, with 2 if that could not be found out.",
    )
    parser.add_argument("--studio", required=True, metavar="ID", help="the studio's document id")
    parser.add_argument("--user", required=True, metavar="ID", help="the user's document id, below the studio")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--appointment", metavar="ID", help="why is this appointment not in the user's calendar?")
    which.add_argument("--event", metavar="ID", help="why is this entry of the user's calendar not in the studio?")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser


def _ask(asked: argparse.Namespace) -> Why:
    """No log lines here: standard output is for the answer."""
    parts = wiring.wired()
    parts.settings.require(*wiring.FOR_STORE, *wiring.FOR_CALENDARS)
    store, calendars, clock = parts.store, parts.calendars, parts.clock
    if asked.appointment is not None:
        return why_appointment(
            asked.studio, asked.user, asked.appointment, store=store, calendars=calendars, clock=clock
        )
    return why_event(asked.studio, asked.user, asked.event, store=store, calendars=calendars, clock=clock)


def _cannot(message: str) -> int:
    print(message, file=sys.stderr)
    return NOT_FOUND_OUT


def _as_json(asked: argparse.Namespace, why: Why) -> str:
    told: dict[str, Any] = {"studio_id": asked.studio, "user_id": asked.user}
    told |= {"text": why.reason.text, **msgspec.to_builtins(why)}
    return json.dumps(told, indent=2, ensure_ascii=False)


def _in_words(asked: argparse.Namespace, why: Why) -> str:
    rows = [
        ("field", why.field),
        ("detail", why.detail),
        ("what it will do", "" if why.then is None else f"{why.then} – {why.then.text}"),
        ("when", "" if why.at is None else f"{why.at:%Y-%m-%d %H:%M:%S} UTC, or soon after"),
    ]
    lines = [fitted(f"{why.reason} – {why.reason.text}", 2), *_table(rows), "", "Looked at:"]
    return "\n".join([*lines, *_table(_looked_at(asked, why))])


def _looked_at(asked: argparse.Namespace, why: Why) -> list[tuple[str, str]]:
    rows = [
        ("studio", asked.studio),
        ("user", asked.user),
        ("appointment", why.appointment_id or "none"),
        ("calendar entry", why.event_id or "none"),
    ]
    if why.looked is None:
        return rows
    looked = why.looked
    due = f"{looked.next_sync_at:%Y-%m-%d %H:%M:%S} UTC" if looked.next_sync_at else "not before somebody acts"
    return [
        *rows,
        ("connection", f"{looked.connection_id}, {looked.state}"),
        ("last sync", f"{looked.synced_at:%Y-%m-%d %H:%M:%S} UTC" if looked.synced_at else "none yet"),
        ("next run", "under way" if looked.running else due),
    ]


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [fitted(f"  {name:<16} {value}", 19) for name, value in rows if value]


if __name__ == "__main__":
    sys.exit(main())
