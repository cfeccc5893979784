"""A mapping whose entries have a lifetime, by a clock that is given."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

CLEANED_AT_ONCE: Final = 8
"""How many outlived entries one write removes at most, so that no write takes long."""


class ExpiringMap(Generic[Value]):
    """Values that vanish when their time has come; what has outlived its time is never returned.

    Every entry is queued by a time not later than its end, which is looked at again when that time comes: extending
    an entry costs nothing, and the queue is never longer than what was ever written and has not ended.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[Value, float, float]] = {}
        self._queue: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str) -> Value | None:
        """Return the value, None if there is none or its time has passed."""
        entry = self._entries.get(name)
        return entry[0] if entry is not None and self._clock() < entry[1] else None

    def expires_at(self, name: str) -> float:
        """Return when a value that is there ends; raises `KeyError` if there is none."""
        return self._entries[name][1]

    def set(self, name: str, value: Value, expires_at: float) -> None:
        """Keep the value until then, replacing what was there."""
        self._clean()
        entry = self._entries.get(name)
        queued_at = entry[2] if entry is not None else None
        if queued_at is None or queued_at > expires_at:
            queued_at = expires_at
            heapq.heappush(self._queue, (queued_at, name))
        self._entries[name] = (value, expires_at, queued_at)

    def remove(self, name: str) -> None:
        """Forget the value."""
        self._entries.pop(name, None)

    def _clean(self) -> None:
        now = self._clock()
        for _ in range(CLEANED_AT_ONCE):
            if not self._queue or self._queue[0][0] > now:
                return
            queued_at, name = heapq.heappop(self._queue)
            entry = self._entries.get(name)
            if entry is None or entry[2] != queued_at:
                continue
            value, expires_at, _ = entry
            if now < expires_at:
                heapq.heappush(self._queue, (expires_at, name))
                self._entries[name] = (value, expires_at, expires_at)
            else:
                del self._entries[name]
