"""Sessions in this process's memory: for one process, gone when it ends; otherwise the same contract as Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bff.errors import StoreUnavailable
from bff.session.store import EndListener, StoredSession, Tombstone, Waiter
from bff.stores.expiring import ExpiringMap


class MemoryStore:
    """The store of a gateway without Redis; `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: ExpiringMap[StoredSession | Tombstone] = ExpiringMap(clock)
        self._indexes: ExpiringMap[dict[str, float]] = ExpiringMap(clock)
        self._values: ExpiringMap[bytes] = ExpiringMap(clock)
        self._listeners: list[EndListener] = []
        self._is_closed = False

    def read(self, key: str) -> asyncio.Future[StoredSession | Tombstone | None]:
        """Return a future that is done already."""
        future: asyncio.Future[StoredSession | Tombstone | None] = asyncio.get_running_loop().create_future()
        self.read_for(key, future)
        return future

    def read_for(self, key: str, waiter: Waiter) -> None:
        """Let the waiter have the record at once."""
        if self._is_closed:
            waiter.set_exception(StoreUnavailable("store.closed"))
        else:
            waiter.set_result(self._sessions.get(key))

    async def create(
        self,
        key: str,
        sealed: bytes,
        *,
        touched_at: float,
        lifetime: float,
        indexes: Sequence[str],
        index_lifetime: float,
    ) -> None:
        """Write a new record; raises `StoreUnavailable` if the key is taken, which random keys never are."""
        now = self._now()
        if self._sessions.get(key) is not None:
            raise StoreUnavailable("store.key_taken")
        self._sessions.set(key, StoredSession(1, touched_at, sealed), now + lifetime)
        for index in indexes:
            members = {member: ends_at for member, ends_at in (self._indexes.get(index) or {}).items() if now < ends_at}
            members[key] = now + index_lifetime
            self._indexes.set(index, members, max(members.values()))

    async def update(self, key: str, sealed: bytes, *, version: int) -> bool:
        """Replace the sealed record if it still has this version."""
        self._now()
        found = self._sessions.get(key)
        if not isinstance(found, StoredSession) or found.version != version:
            return False
        updated = StoredSession(version + 1, found.touched_at, sealed)
        self._sessions.set(key, updated, self._sessions.expires_at(key))
        return True

    async def touch(self, key: str, *, touched_at: float, lifetime: float) -> bool:
        """Set when the session was last used and how long it lives from now."""
        now = self._now()
        found = self._sessions.get(key)
        if not isinstance(found, StoredSession):
            return False
        self._sessions.set(key, StoredSession(found.version, touched_at, found.sealed), now + lifetime)
        return True

    async def end(self, key: str, *, reason: str, lifetime: float) -> StoredSession | None:
        """Replace a live record by a tombstone."""
        now = self._now()
        found = self._sessions.get(key)
        if not isinstance(found, StoredSession):
            return None
        self._sessions.set(key, Tombstone(reason), now + lifetime)
        for listener in self._listeners:
            listener.session_ended(key, reason)
        return found

    async def end_indexed(self, index: str, *, reason: str, lifetime: float) -> int:
        """End every session listed under the index."""
        self._now()
        members = self._indexes.get(index) or {}
        self._indexes.remove(index)
        ended = [await self.end(key, reason=reason, lifetime=lifetime) for key in members]
        return sum(session is not None for session in ended)

    def listen(self, listener: EndListener) -> None:
        """Tell the listener of every ending, from now on and without a gap."""
        self._listeners.append(listener)
        listener.hearing()

    async def put(self, name: str, value: bytes, *, lifetime: float) -> None:
        """Keep a small value."""
        self._values.set(name, value, self._now() + lifetime)

    async def get(self, name: str) -> bytes | None:
        """Return a small value."""
        self._now()
        return self._values.get(name)

    async def acquire(self, name: str, *, owner: str, lifetime: float) -> bool:
        """Take a lease."""
        now = self._now()
        if self._values.get(name) not in (None, owner.encode()):
            return False
        self._values.set(name, owner.encode(), now + lifetime)
        return True

    async def release(self, name: str, *, owner: str) -> None:
        """Give a lease back."""
        self._now()
        if self._values.get(name) == owner.encode():
            self._values.remove(name)

    async def ping(self) -> None:
        """Return unless the store is closed."""
        self._now()

    async def close(self) -> None:
        """Forget everything, and refuse from now on."""
        self._listeners.clear()
        self._is_closed = True

    def _now(self) -> float:
        if self._is_closed:
            raise StoreUnavailable("store.closed")
        return self._clock()
