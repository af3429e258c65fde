"""How the demo looks: numbered steps with ticks, one progress bar, a closing table. Plain text without a terminal."""

import contextlib
import io
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

# More problems of one kind than these are counted, not listed.
LISTED = 5


@contextlib.contextmanager
def stops_in_order() -> Iterator[None]:
    """The first Ctrl-C, or an end from outside (SIGTERM), raises `KeyboardInterrupt` with the signal's number.

    Further ones do nothing: stopping takes a second, and is not to be broken off half way.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_now(status: int, word: str) -> NoReturn:
    """End after an interrupt, when all is stopped: gRPC waits up to a minute for a call that was broken off."""
    print(f"\n{word}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(status)


class Bar:
    """Shows, by name, how much is done out of how much: as running bars, or as a line for each quarter of the way."""

    def __init__(self, progress: Progress | None, say: Callable[[str], None]) -> None:
        self._progress = progress
        self._say = say
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, int] = {}

    def show(self, name: str, done: int, total: int) -> None:
        """`total` may grow, and is 0 as long as nobody knows it."""
        if self._progress is not None:
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(escape(name), total=None)
            self._progress.update(self._tasks[name], completed=done, total=total or None)
        elif total and done * 4 // total > self._told.get(name, 0):
            self._told[name] = done * 4 // total
            self._say(f"{name}: {done} of {total}")

    def complete(self, name: str) -> None:
        """All of it is done, and the last figures may have gone by unseen."""
        if self._progress is not None and name in self._tasks:
            total = self._progress.tasks[self._tasks[name]].total
            self._progress.update(self._tasks[name], completed=total)


class Terminal:
    """Prints, and remembers what was checked and what did not hold."""

    def __init__(self, console: Console | None = None) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # Some log files take no more than ASCII.
        self.console = console or Console(highlight=False)
        # A terminal that can move its cursor: only there a bar can run.
        self._live = self.console.is_terminal and not self.console.is_dumb_terminal
        fancy = self.console.encoding.startswith("utf")
        self._tick, self._cross = ("✓", "✗") if fancy else ("ok", "NOT OK")
        self._steps = 0
        self._rows: list[tuple[str, str, bool]] = []
        self.problems: list[str] = []

    def line(self, text: str = "") -> None:
        self._print("\n".join(escape(part) for part in textwrap.wrap(text, self.console.width - 1)))

    def step(self, title: str) -> None:
        self._steps += 1
        number = f"{self._steps}. "
        lines = textwrap.wrap(number + title, self.console.width - 1, subsequent_indent=" " * len(number))
        self._print("")
        for line in lines:
            self._print(f"[bold]{escape(line)}[/bold]")

    def say(self, text: str) -> None:
        """Something to know, nothing that could fail."""
        self._indented("·", "dim", text)

    def check(self, what: str, problems: Sequence[str], figure: str = "") -> None:
        """`what` holds if there are no `problems`; those are sentences that say what does not hold."""
        held = not problems
        shown = what + (f": {figure}" if figure else "")
        self._indented(*((self._tick, "green") if held else (self._cross, "bold red")), shown)
        self._list(problems)
        self._rows.append((what, figure, held))
        self.problems += problems

    def quote(self, title: str, lines: Sequence[str]) -> None:
        """What somebody else said, below a title; nothing at all if that was nothing."""
        if lines:
            self._print(f"\n[bold]{escape(title)}[/bold]")
        for line in lines:
            self._indented("·", "dim", line)

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Tells a person on a terminal what the silence is about; says nothing elsewhere."""
        if self._live:
            with self.console.status(escape(text)):
                yield
        else:
            yield

    @contextlib.contextmanager
    def bar(self) -> Iterator[Bar]:
        if not self._live:
            yield Bar(None, self.say)
            return
        columns = (TextColumn("   {task.description:<8}"), BarColumn(32), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress:
            yield Bar(progress, self.say)

    def table(self) -> None:
        """What was checked, and what came of it."""
        self.console.print()
        table = Table()
        table.add_column("What was checked", ratio=1)
        table.add_column("Figure", justify="right", max_width=26)
        table.add_column("", no_wrap=True)
        for what, figure, held in self._rows:
            table.add_row(
                escape(what), escape(figure), f"[green]{self._tick}[/green]" if held else f"[red]{self._cross}[/red]"
            )
        self.console.print(table)

    def verdict(self, seconds: float) -> int:
        """The last lines, and the exit status."""
        if not self.problems:
            held = f"Every check held: {len(self._rows)} of {len(self._rows)}, in {seconds:.0f} s."
            self.console.print(f"\n[bold green]{held}[/bold green]")
            return os.EX_OK
        failed = [what for what, _, held in self._rows if not held]
        self.console.print(f"\n[bold red]{len(failed)} of {len(self._rows)} checks did not hold:[/bold red]")
        for what in failed:
            self._indented(self._cross, "bold red", what)
        self.console.print("[bold red]In particular:[/bold red]")
        self._list(self.problems)
        return 1

    def _list(self, problems: Sequence[str]) -> None:
        for problem in problems[:LISTED]:
            self._indented("  -", "red", problem)
        if len(problems) > LISTED:
            self._indented("  -", "red", f"and {len(problems) - LISTED} more")

    def _indented(self, sign: str, style: str, text: str) -> None:
        first, *others = textwrap.wrap(text, self.console.width - len(sign) - 5) or [""]
        self._print(f"   [{style}]{sign}[/{style}] {escape(first)}")
        for other in others:
            self._print(f"    {' ' * len(sign)}{escape(other)}")

    def _print(self, markup: str) -> None:
        # Wrapped already, or to be left to the terminal: lines that rich wraps end in spaces.
        self.console.print(markup, soft_wrap=True)
