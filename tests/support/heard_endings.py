"""A listener of a store, which keeps what it is told."""

from __future__ import annotations

import asyncio

from bff.session.store import SessionStore


class HeardEndings:
    """What one instance hears: endings as `(key, reason)`, and every change between hearing and being deaf."""

    def __init__(self) -> None:
        self.endings: list[tuple[str, str]] = []
        self.changes: list[str] = []
        self._changed = asyncio.Event()

    def session_ended(self, key: str, reason: str) -> None:
        self.endings.append((key, reason))
        self._changed.set()

    def hearing(self) -> None:
        self.changes.append("hearing")
        self._changed.set()

    def deaf(self, reason: str) -> None:
        if self.changes[-1:] != [reason]:
            self.changes.append(reason)
        self._changed.set()

    async def until_heard(self, count: int) -> None:
        """Return when that many endings were told."""
        await self._until(lambda: len(self.endings) >= count)

    async def until_changed(self, change: str, *, count: int = 1) -> None:
        """Return when it was told that often that it hears, or with that reason that it does not."""
        await self._until(lambda: self.changes.count(change) >= count)

    async def _until(self, condition: object) -> None:
        assert callable(condition)
        while not condition():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 30)


async def listening(store: SessionStore) -> HeardEndings:
    """Return a listener that hears every ending from now on."""
    heard = HeardEndings()
    store.listen(heard)
    await heard.until_changed("hearing")
    return heard
