"""When not to ask the provider: a pause per session that all instances keep, and a breaker for this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from bff.errors import StoreUnavailable
from bff.session.store import SessionStore

_MAX_REMEMBERED = 10_000
_SHORTEST, _LONGEST = 1.0, 60.0


class RefreshPauses:
    """After a failed refresh, one session is left alone for a while, on every instance."""

    def __init__(self, store: SessionStore, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._until: dict[str, float] = {}

    def known(self, key: str) -> float:
        """Return the seconds left of a pause this process knows of, 0 if there is none."""
        until = self._until.get(key)
        if until is None:
            return 0.0
        left = until - self._clock()
        if left > 0:
            return left
        del self._until[key]
        return 0.0

    async def left(self, key: str) -> float:
        """Return the seconds left of a pause that any instance began; raises `StoreUnavailable`."""
        left = self.known(key)
        if left > 0:
            return left
        value = await self._store.get(_name(key))
        if value is None:
            return 0.0
        try:
            until = float(value)
        except ValueError:
            # Not of our making. At worst the provider is asked too early.
            return 0.0
        # What the store still returns has not outlived its lifetime. How much of it is left is known but for the
        # difference of two machines' clocks, which must neither end the pause nor make it endless.
        left = min(_LONGEST, max(_SHORTEST, until - self._clock()))
        self.note(key, left)
        return left

    async def begin(self, key: str, pause: float) -> None:
        """Leave the session alone for `pause` seconds; without the store, only here."""
        self.note(key, pause)
        until = repr(self._clock() + pause).encode("ascii")
        with contextlib.suppress(StoreUnavailable):
            await self._store.put(_name(key), until, lifetime=pause)

    def note(self, key: str, pause: float) -> None:
        """Leave the session alone for `pause` seconds in this process."""
        if len(self._until) >= _MAX_REMEMBERED:
            # Forgetting costs one look into the store each.
            self._until.clear()
        self._until[key] = self._clock() + pause


def _name(key: str) -> str:
    return f"refresh-pause:{key}"


class ProviderBreaker:
    """Keeps the sessions of this process from lining up one by one at a provider that does not answer.

    After `threshold` failures in a row it lets one attempt pass per `pause` seconds until one succeeds.
    """

    def __init__(self, *, clock: Callable[[], float], threshold: int, pause: float) -> None:
        self._clock = clock
        self._threshold = threshold
        self._pause = pause
        self._failures = 0
        self._next_attempt_at = 0.0

    def enter(self) -> float:
        """Return 0 if an attempt may be made, else in how many seconds the next may."""
        if self._failures < self._threshold:
            return 0.0
        left = self._next_attempt_at - self._clock()
        if 0 < left <= self._pause:
            return left
        self._next_attempt_at = self._clock() + self._pause
        return 0.0

    def failed(self) -> None:
        """Count an attempt that got no answer."""
        self._failures += 1
        self._next_attempt_at = self._clock() + self._pause

    def succeeded(self) -> None:
        """Note an answer, whatever it said."""
        self._failures = 0
