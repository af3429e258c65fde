"""The rules of one process, and what they struck."""

import collections
import contextlib
import dataclasses
import random
import threading
from collections.abc import Iterator
from typing import Any

from local.faults.rules import Rule, rule_of


@dataclasses.dataclass(slots=True)
class _Standing:
    """A rule and what became of it so far. `seen`: matching calls, as far as no earlier rule struck them."""

    id: int
    rule: Rule
    draw: random.Random
    seen: int = 0
    hits: int = 0
    struck: "collections.Counter[str]" = dataclasses.field(default_factory=collections.Counter)

    @property
    def over(self) -> bool:
        return self.rule.most is not None and self.hits >= self.rule.most

    def turn(self, service: str, method: str) -> bool:
        """Counts a call that may be about it; whether it is one to be struck."""
        rule = self.rule
        if self.over or not rule.meets(service, method):
            return False
        self.seen += 1
        # Always drawn, so that the same calls are struck whatever `nth` and `every` are.
        drawn = rule.share == 1 or self.draw.random() < rule.share
        if self.seen < rule.nth or (self.seen - rule.nth) % rule.every or not drawn:
            return False
        self.hits += 1
        self.struck[f"{service} {method}"] += 1
        return True


class Faults:
    """A call goes to the rules in the order of their making until one strikes it: those after that don't see it.

    Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Standing] = []
        self._last = 0
        self._suspended = 0
        # Plain attributes, as every call asks for them: whether any rule may strike now, and any kill.
        self.active = False
        self.deadly = False

    def add(self, given: Any) -> int:
        """One more rule, from JSON (a `dict`), at the end; gives its id. Raises `BadRuleError`."""
        rule = rule_of(given)
        with self._lock:
            self._last += 1
            self._rules.append(_Standing(self._last, rule, random.Random(rule.seed)))  # noqa: S311 - no secret
            self._update()
            return self._last

    def remove(self, rule_id: int) -> bool:
        """False if there is no such rule."""
        with self._lock:
            before = len(self._rules)
            self._rules = [one for one in self._rules if one.id != rule_id]
            self._update()
            return len(self._rules) < before

    def clear(self) -> list[dict[str, Any]]:
        """Forgets all rules; gives what `shown` would have."""
        with self._lock:
            shown = self._shown()
            self._rules.clear()
            self._update()
            return shown

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """No rule strikes in the block, nor counts: for a test that calls a service itself, in the same process."""
        with self._lock:
            self._suspended += 1
            self._update()
        try:
            yield
        finally:
            with self._lock:
                self._suspended -= 1
                self._update()

    def shown(self) -> list[dict[str, Any]]:
        """JSON, in their order: ``{id, rule, seen, hits, over, struck: {"service method": n}}``."""
        with self._lock:
            return self._shown()

    def hits(self, rule_id: int) -> int:
        """How often the rule has struck. Raises KeyError if there is none."""
        with self._lock:
            for one in self._rules:
                if one.id == rule_id:
                    return one.hits
        raise KeyError(rule_id)

    def strike(self, service: str, method: str) -> Rule | None:
        """The rule that strikes this call, if any. Each call is asked about once: this counts."""
        with self._lock:
            found = next((one for one in self._rules if one.turn(service, method)), None)
            if found is None:
                return None
            if found.over:
                self._update()
            return found.rule

    def _shown(self) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id,
                "rule": one.rule.shown(),
                "seen": one.seen,
                "hits": one.hits,
                "over": one.over,
                "struck": dict(one.struck),
            }
            for one in self._rules
        ]

    def _update(self) -> None:
        waiting = [] if self._suspended else [one.rule for one in self._rules if not one.over]
        self.active = bool(waiting)
        self.deadly = any(rule.fault == "kill" for rule in waiting)
