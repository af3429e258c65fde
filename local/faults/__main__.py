"""Makes things go wrong in a stack that runs: ``python -m local.faults --url http://127.0.0.1:PORT ...``.

list                  the rules, and what they struck
examples              rules to begin with, each with its number
add RULE              a rule as JSON, or the number of an example
remove ID             one rule
clear                 all rules
clock [+2h|-30m|real] says, moves or resets the clock of the whole stack; d, h, m and s are understood, also as 1d12h
"""

import argparse
import datetime as dt
import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from local.clock import MovableClock
from local.faults.client import FaultsClient, NoStackError
from local.faults.examples import EXAMPLES
from local.faults.rules import BadRuleError

_MOVE = re.compile(r"([+-])(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class _MistakeError(Exception):
    """Of whoever typed this."""


def main(arguments: Sequence[str]) -> int:
    """0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m local.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="where the functions are; `make up` prints it")
    parser.add_argument("do", choices=["list", "examples", "add", "remove", "clear", "clock"])
    # All that is left, as "-30m" would be taken for an option otherwise.
    parser.add_argument("what", nargs=argparse.REMAINDER, help="see above")
    options = parser.parse_args(arguments)
    client = FaultsClient(options.url)
    try:
        _do(client, options.do, " ".join(options.what))
    except (BadRuleError, _MistakeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Nobody answers at {options.url}: {error}. `make up` prints the address.", file=sys.stderr)
        return 1
    except NoStackError:
        print(f"At {options.url} is no local stack, but something else. `make up` prints the address.", file=sys.stderr)
        return 1
    return 0


def _do(client: FaultsClient, do: str, what: str) -> None:
    match do:
        case "list":
            _list(client.shown())
        case "examples":
            for number, (words, rule) in enumerate(EXAMPLES.items(), 1):
                print(f"{number:>2}  {words}\n    {json.dumps(rule)}")
        case "add":
            print(f"rule {client.add(_rule(what))}")
        case "remove":
            client.remove(_number(what))
        case "clear":
            _list(client.clear())
        case _:
            _clock(client, what)


def _list(rules: Sequence[dict[str, Any]]) -> None:
    for one in rules:
        over = ", over" if one["over"] else ""
        print(f"{one['id']:>3}  {one['hits']} of {one['seen']}{over}  {json.dumps(one['rule'])}")
        for name, times in one["struck"].items():
            print(f"     {times} x {name}")
    if not rules:
        print("no rules")


def _rule(what: str) -> Any:
    if what.isdigit() and 1 <= int(what) <= len(EXAMPLES):
        return list(EXAMPLES.values())[int(what) - 1]
    mistake = f"Neither a JSON object nor the number of an example (1 to {len(EXAMPLES)}): {what!r}"
    try:
        rule = json.loads(what)
    except ValueError as error:
        raise _MistakeError(f"{mistake} ({error})") from None
    if not isinstance(rule, dict):
        raise _MistakeError(mistake)
    return rule


def _number(what: str) -> int:
    if not what.isdigit():
        raise _MistakeError(f"Not the id of a rule: {what!r}")
    return int(what)


def _clock(client: FaultsClient, what: str) -> None:
    if what == "real":
        client.reset_clock()
    elif what:
        client.move_clock(seconds=_move(what).total_seconds())
    ahead = client.ahead()
    print(f"{dt.datetime.now(dt.UTC) + ahead:%Y-%m-%d %H:%M:%S} UTC, {MovableClock.words(ahead)}")


def _move(what: str) -> dt.timedelta:
    found = _MOVE.fullmatch(what)
    if found is None or len(what) == 1:
        raise _MistakeError(f"Not a time to move by: {what!r}; such as +2h, +1d12h or -30m, or real")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    try:
        by = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise _MistakeError(f"There is no time that far away: {what!r}") from None
    return by if found.group(1) == "+" else -by


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
