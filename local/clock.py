"""The clock of the local stack: the real time, moved by as much as somebody asks for.

What follows it: the functions (`Wiring.clock`), the simulated Google (tokens, codes, channels, sync tokens), the
dispatch times of Cloud Tasks, and the times of the scheduler's ticks. What cannot: the emulator's own times
(``updated_at``, set by the server), and signatures' times (OIDC, ID tokens), which the vendors' libraries check.
"""

import datetime as dt
import mmap
import os
import struct
import time

_SECONDS = struct.Struct("d")


class MovableClock:
    """Processes that have the same file open as `fd` have the same clock, whichever of them moves it.

    An empty file will do; without one, the clock is this process's own. Safe to use from any thread; of two moves at
    the same time, one may be lost.
    """

    def __init__(self, fd: int | None = None) -> None:
        if fd is not None:
            os.ftruncate(fd, _SECONDS.size)  # An empty file is filled with zeros: 0.0.
        self._ahead = mmap.mmap(-1 if fd is None else fd, _SECONDS.size)

    @property
    def ahead(self) -> dt.timedelta:
        """How far it is moved from the real time; negative if back."""
        return dt.timedelta(seconds=self._offset)

    def move(self, by: dt.timedelta) -> None:
        """On by so much, back if it is negative."""
        _SECONDS.pack_into(self._ahead, 0, self._offset + by.total_seconds())

    def reset(self) -> None:
        """The real time again."""
        _SECONDS.pack_into(self._ahead, 0, 0.0)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset

    @staticmethod
    def words(ahead: dt.timedelta) -> str:
        """How far a clock is moved, to the second: "moved by 1 day, 2:00:00"."""
        by = dt.timedelta(seconds=round(abs(ahead).total_seconds()))
        return f"moved {'back ' if ahead < dt.timedelta() else ''}by {by}" if by else "the real time"

    @property
    def _offset(self) -> float:
        offset: float = _SECONDS.unpack_from(self._ahead)[0]
        return offset
