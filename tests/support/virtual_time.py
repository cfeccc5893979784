"""An event loop whose time passes only while nothing else can happen: hours of waiting take no time in a test."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

EPOCH = 1_800_000_000.0
"""What the wall clock shows when a virtual loop starts."""


class _InstantSelector(selectors.DefaultSelector):
    """Instead of waiting for a timer, lets the loop's time jump to it."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("everything waits, and nothing is scheduled")
        if not events and timeout:
            self.elapsed += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For tests without sockets or threads: in a module, `anyio_backend` returns `virtual_time()`."""

    def __init__(self) -> None:
        self._instant = _InstantSelector()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.elapsed


def virtual_time() -> tuple[str, dict[str, Any]]:
    """Return the backend for the fixture `anyio_backend`."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def clock() -> float:
    """Return the wall clock's time as it is on the running virtual loop, in seconds since the epoch."""
    return EPOCH + asyncio.get_running_loop().time()
