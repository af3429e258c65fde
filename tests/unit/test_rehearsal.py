"""A rehearsal has no way to the real storage but reading."""

import datetime as dt
from typing import Any

import pytest

from shared.ports import Store
from shared.services.rehearsal import READS, RehearsedStore

METHODS = {name for name in vars(Store) if not name.startswith("_")}
ANSWERED = {name for name in vars(RehearsedStore) if not name.startswith("_")}
WRITING = ("put_", "save_", "update_", "claim_", "free_", "clear_", "use_", "leave_", "settle")


class Recorder:
    """Stands for the real one: whatever is called, it notes."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.called.append(name)
        return lambda *_, **__: {}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_no_method_that_writes_reaches_the_real_store(name: str) -> None:
    real = Recorder()
    rehearsed = RehearsedStore(real, dt.datetime(2026, 5, 1, tzinfo=dt.UTC))  # type: ignore[arg-type]
    if name.startswith(WRITING):
        assert name not in READS
        if name not in ANSWERED:
            with pytest.raises(AttributeError, match=name):
                getattr(rehearsed, name)
        elif name == "settle":
            rehearsed.settle("c", None, {}, ())
        elif name == "update_connection":
            rehearsed.update_connection("c", None, {})
        else:
            rehearsed.put_outbox([])
        assert real.called == []
    elif name in READS:
        getattr(rehearsed, name)()
        assert real.called == [name]


def test_what_is_read_is_the_ports() -> None:
    assert READS | ANSWERED <= METHODS
    assert not READS & ANSWERED
