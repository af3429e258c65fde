"""Put back what a run of the sync changed, in the studio and so in the calendar.

    python -m commands.undo --studio STUDIO --user USER                        the last runs that changed anything
    python -m commands.undo --studio STUDIO --user USER --run RUN              what would be put back, and what is asked
    python -m commands.undo --studio STUDIO --user USER --run RUN --apply      put it back

Reads Firestore, and with ``--apply`` edits the studio's appointments as a front-end would; the sync does the rest. Ends
with 0 if nothing is left to ask, with 1 if something is, or was changed meanwhile, with 2 if it could not be done.
"""

import argparse
import datetime as dt
import json
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from commands.terminal import FAILURES, failure, fitted, plain
from shared import wiring
from shared.domain import zones
from shared.domain.errors import Retry
from shared.domain.reasons import Reason
from shared.domain.undo import Outcome, Undo
from shared.services.undo import NobodyError, NoSuchRunError, PastRun, Undone, past_runs, time_zone, undo_run

DONE, LEFT, NOT_DONE = 0, 1, 2

# What a person has to look at again.
_OPEN = (Outcome.CHANGED_SINCE, Outcome.MEANWHILE, Outcome.TOO_LARGE)
# How the outcomes are summed up, before and after they are carried out.
_SUMMARY = {
    Outcome.PUT_BACK: ("would be put back", "put back"),
    Outcome.CHANGED_SINCE: ("changed since: put back with --all-the-same", "changed since: left as they are"),
    Outcome.BROUGHT_IN: ("entered by the run: cancelled with --cancel-entered", "entered by the run: left"),
    Outcome.AS_BEFORE: ("as before already", "as before already"),
    Outcome.NOT_THERE: ("not there any more", "not there any more"),
    Outcome.NOT_KEPT: ("private text, not kept in the log", "private text, not kept in the log"),
    Outcome.WENT_OVER: ("went over to another calendar", "went over to another calendar"),
    Outcome.LET_GO: ("made an appointment of its own", "made an appointment of its own"),
    Outcome.INVALID: ("invalid as they are now", "invalid as they are now"),
    Outcome.MEANWHILE: ("changed meanwhile", "changed meanwhile: look again"),
    Outcome.TOO_LARGE: ("too large", "too large to be put back"),
}
_GUARD = (
    "So many are cancelled at once that the next run will not take them out of the calendar before somebody approves "
    "it in the inbox."
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.run is None and (asked.apply or asked.all_the_same or asked.cancel_entered):
        parser.error("of which run? Give --run; without it, the last runs are listed")
    try:
        return _list(asked) if asked.run is None else _undo(asked)
    except NobodyError:
        return _cannot("No such user of this studio has ever connected a calendar: look up the ids of studio and user.")
    except NoSuchRunError:
        return _cannot("This user has no such run, or it is more than 30 days ago: nothing of it is kept.")
    except Retry as met:
        return _cannot(f"{failure(met, may='change')}. What was put back so far stays so.")
    except FAILURES as met:
        return _cannot(failure(met, may="change"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m commands.undo",
        description="Put back what a run of the sync changed. Without --run: the last runs that changed anything.",
        epilog="Ends with 0 if nothing is left to ask, with 1 if something is, with 2 if it could not be done.",
    )
    parser.add_argument("--studio", required=True, metavar="ID", help="the studio's document id")
    parser.add_argument("--user", required=True, metavar="ID", help="the user's document id, below the studio")
    parser.add_argument("--run", metavar="ID", help="the run to put back: first only said, done with --apply")
    parser.add_argument("--appointment", metavar="ID", help="only this one; without --run: the runs that changed it")
    parser.add_argument("--apply", action="store_true", help="write it; otherwise nothing is written")
    parser.add_argument("--all-the-same", action="store_true", help="also what was changed again since the run")
    parser.add_argument("--cancel-entered", action="store_true", help="also cancel what the run entered")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser


def _cannot(message: str) -> int:
    print(message, file=sys.stderr)
    return NOT_DONE


def _parts() -> wiring.Wiring:
    """No log lines here: standard output is for the answer."""
    parts = wiring.wired()
    parts.settings.require(*wiring.FOR_STORE)
    return parts


# --- the runs --------------------------------------------------------------------------------------------------------


def _list(asked: argparse.Namespace) -> int:
    parts = _parts()
    runs = past_runs(asked.studio, asked.user, store=parts.store, clock=parts.clock, appointment_id=asked.appointment)
    if asked.json:
        told = {"studio_id": asked.studio, "user_id": asked.user, "runs": msgspec.to_builtins(runs)}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    elif runs:
        zone = time_zone(asked.studio, asked.user, parts.store)
        print("\n".join(line for run in runs for line in _lines(run, zone)))
    else:
        print(f"No run of the last 30 days changed {'anything' if asked.appointment is None else 'this appointment'}.")
    return DONE


def _lines(run: PastRun, zone: str) -> list[str]:
    """What it was, and what it found: who did what where, which the words for machines say less well."""
    lines = [fitted(f"{run.run_id}  {zones.local(run.started_at, zone)}  {run.changed} changed", 34)]
    texts = {reason.value: reason.text for reason in Reason if reason is not Reason.AGREED}
    counted = [(number, texts[reason]) for reason, number in sorted(run.counts.items()) if reason in texts]
    return lines + [fitted(f"  {number:>5}  {text}", 9) for number, text in counted]


# --- one of them -----------------------------------------------------------------------------------------------------


def _undo(asked: argparse.Namespace) -> int:
    parts = _parts()
    undone = undo_run(
        asked.studio,
        asked.user,
        asked.run,
        store=parts.store,
        clock=parts.clock,
        appointment_id=asked.appointment,
        apply=asked.apply,
        cancel_entered=asked.cancel_entered,
        all_the_same=asked.all_the_same,
    )
    zone = time_zone(asked.studio, asked.user, parts.store)
    print(_as_json(asked, undone) if asked.json else _in_words(undone, zone))
    return LEFT if any(undone.count(outcome) for outcome in _OPEN) else DONE


def _as_json(asked: argparse.Namespace, undone: Undone) -> str:
    told: dict[str, Any] = {"studio_id": asked.studio, "user_id": asked.user}
    told |= msgspec.to_builtins(undone)
    told["counts"] = {outcome.value: number for outcome in Outcome if (number := undone.count(outcome))}
    return json.dumps(told, indent=2, ensure_ascii=False)


def _in_words(undone: Undone, zone: str) -> str:
    lines = [*_lines(undone.run, zone), ""]
    # What is said of many is said once.
    texts = dict.fromkeys(item.text for outcome in Outcome for item in undone.items if item.outcome is outcome)
    for text in texts:
        lines.append(fitted(text))
        for item in undone.items:
            lines += _item(item, zone, written=undone.written) if item.text == text else []
        lines.append("")
    if not undone.items:
        lines.append("The run changed nothing of it.")
    for outcome, (before, after) in _SUMMARY.items():
        if number := undone.count(outcome):
            lines.append(f"{number:>5} {after if undone.written else before}")
    if undone.guard_asks:
        lines += ["", fitted(_GUARD)]
    if undone.written and undone.count(Outcome.PUT_BACK):
        lines += ["", "The calendars follow within seconds, as after any edit."]
    elif undone.count(Outcome.PUT_BACK):
        lines += ["", "Nothing is written yet: --apply does it."]
    return "\n".join(lines)


def _item(item: Undo, zone: str, *, written: bool) -> list[str]:
    lines = [f"  {item.appointment_id}  “{plain(item.title)}”"]
    done = written and item.outcome is Outcome.PUT_BACK
    if done or not written:
        deed = "written" if done else "to write"
        lines += [fitted(f"    {deed}: {name} = {_shown(value, zone)}", 6) for name, value in item.fields.items()]
    now, back = ("was", "went back to") if done else ("is now", "would go back to")
    lines += [
        fitted(f"    {one.field}: {now} “{plain(one.now)}”, {back} “{plain(one.before)}”", 6) for one in item.changed
    ]
    lines += [f"    {unit}: stays, its private text is not kept in the log" for unit in item.kept_back]
    return lines


def _shown(value: object, zone: str) -> str:
    match value:
        case None:
            return "(removed)"
        case "":
            return "(empty)"
        case dt.datetime():
            return zones.local(value, zone)
        case list() | tuple():
            return ", ".join(plain(one) for one in value) or "(none)"
        case bool():
            return "yes" if value else "no"
    return plain(value)


if __name__ == "__main__":
    sys.exit(main())
