"""A lease in the session store: one holder at a time among all instances."""

from __future__ import annotations

import contextlib

from bff.errors import StoreUnavailable
from bff.session.store import SessionStore


class Lease:
    """A named lease; `lifetime` (seconds) is what the others wait if the holder dies without giving it back.

    A holder that stood still for longer has lost it without knowing: writes are fenced by the record's version.
    """

    def __init__(self, store: SessionStore, name: str, *, owner: str, lifetime: float) -> None:
        self._store = store
        self._name = name
        self._owner = owner
        self._lifetime = lifetime

    async def acquire(self) -> bool:
        """Return whether the lease is ours, as it may be already; raises `StoreUnavailable`, and then it is not."""
        try:
            return await self._take()
        except StoreUnavailable:
            # It may have been acquired and the answer lost.
            await self.release()
            raise

    async def renew(self) -> None:
        """Let a lease that is ours begin anew, or take it again; raises `StoreUnavailable`, and then it is as it was.

        What it protects is not done: to give it back because the store failed for a moment would let another in.
        """
        await self._take()

    async def release(self) -> None:
        """Give the lease back; if the store cannot be told, it ends by itself."""
        with contextlib.suppress(StoreUnavailable):
            await self._store.release(self._name, owner=self._owner)

    async def _take(self) -> bool:
        return await self._store.acquire(self._name, owner=self._owner, lifetime=self._lifetime)
