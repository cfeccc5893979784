"""One session's life in the store, with random keys that last seconds: whether all that sessions need is allowed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

from bff.errors import StoreUnavailable
from bff.session.store import SessionStore, StoredSession, Tombstone

LIFETIME: Final = 10.0
"""Seconds until nothing of a trial is left."""

_REASON: Final = "check"


class TrialFailed(Exception):
    """A step failed: its name, and the store's reason; `store.inconsistent` if what came back is not what went in."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


async def try_store(store: SessionStore, *, clock: Callable[[], float]) -> float:
    """Return the seconds that reading a session took; raises `TrialFailed`. `clock` tells seconds since the epoch."""
    mark = secrets.token_hex(16)
    key, index, name = f"check-{mark}", f"check-index-{mark}", f"check-value-{mark}"
    first, second, now = secrets.token_bytes(256), secrets.token_bytes(256), clock()

    async def write() -> bool:
        await store.create(key, first, touched_at=now, lifetime=LIFETIME, indexes=[index], index_lifetime=LIFETIME)
        return True

    async def read(expected: bytes) -> bool:
        found = await store.read(key)
        return isinstance(found, StoredSession) and found.sealed == expected

    async def value() -> bool:
        await store.put(name, first, lifetime=LIFETIME)
        return await store.get(name) == first

    async def lease() -> bool:
        taken = await store.acquire(f"{name}-lease", owner=mark, lifetime=LIFETIME)
        refused = not await store.acquire(f"{name}-lease", owner="another", lifetime=LIFETIME)
        await store.release(f"{name}-lease", owner=mark)
        return taken and refused

    async def end() -> bool:
        ended = await store.end_indexed(index, reason=_REASON, lifetime=LIFETIME)
        return ended == 1 and await store.read(key) == Tombstone(_REASON)

    await _step("write a session", write)
    started_at = time.perf_counter()
    await _step("read it", lambda: read(first))
    seconds = time.perf_counter() - started_at
    await _step("replace it", lambda: store.update(key, second, version=1))
    await _step("extend it", lambda: store.touch(key, touched_at=now, lifetime=LIFETIME))
    await _step("read it again", lambda: read(second))
    await _step("keep a value", value)
    await _step("take a lease", lease)
    await _step("end all sessions of a user", end)
    return seconds


async def _step(name: str, action: Callable[[], Awaitable[bool]]) -> None:
    try:
        is_right = await action()
    except StoreUnavailable as error:
        raise TrialFailed(name, error.reason) from None
    if not is_right:
        raise TrialFailed(name, "store.inconsistent")
