"""Failing at once while a server is known to be unreachable, instead of every caller waiting for its own time-out.

closed ── failed ──> open (for `pause` seconds: all are refused)
  ^                    │ pause over: the next caller is let through, as a probe
  └──── succeeded ─────┴──> another pause for all others, until the probe says which
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Circuit:
    """Refuses callers for `pause` seconds after a failure, then lets one through per pause; times are monotonic.

    `failures` counts, so that whoever had to wait before trying can see whether there was one in the meantime.
    """

    __slots__ = ("_clock", "_is_closed", "_pause", "_refusing_until", "failures")

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures = 0
        self._pause = pause
        self._clock = clock
        self._is_closed = True
        self._refusing_until = 0.0

    def allows(self) -> bool:
        """Whether a caller may try now; True while open makes this caller the probe."""
        if self._is_closed:
            return True
        now = self._clock()
        if now < self._refusing_until:
            return False
        self._refusing_until = now + self._pause
        return True

    def succeeded(self) -> None:
        """Note that the server answered."""
        self._is_closed = True

    def failed(self) -> None:
        """Note that the server could not be reached or did not answer in time."""
        self.failures += 1
        self._is_closed = False
        self._refusing_until = self._clock() + self._pause
