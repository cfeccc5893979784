"""One session ended and heard of: whether the store lets announcements through."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from bff.errors import StoreUnavailable
from bff.session.store import SessionStore
from bff.stores.redis_faults import TIMEOUT
from bff.stores.trial import LIFETIME

_HEARING_TIMEOUT: Final = 3.0
_REASON: Final = "check"


class _Listener:
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.hears: asyncio.Future[None] = loop.create_future()
        self.heard: asyncio.Future[None] = loop.create_future()
        self.key = f"check-{secrets.token_hex(16)}"

    def session_ended(self, key: str, reason: str) -> None:
        if (key, reason) == (self.key, _REASON) and not self.heard.done():
            self.heard.set_result(None)

    def hearing(self) -> None:
        if not self.hears.done():
            self.hears.set_result(None)

    def deaf(self, reason: str) -> None:
        if not self.hears.done():
            self.hears.set_exception(StoreUnavailable(reason))


async def try_hearing(store: SessionStore, *, clock: Callable[[], float]) -> None:
    """Return if an ending was announced and heard; raises `StoreUnavailable`. It is the only one to listen."""
    listener = _Listener()
    store.listen(listener)
    try:
        async with asyncio.timeout(_HEARING_TIMEOUT):
            await listener.hears
            key, sealed = listener.key, secrets.token_bytes(16)
            await store.create(key, sealed, touched_at=clock(), lifetime=LIFETIME, indexes=(), index_lifetime=LIFETIME)
            await store.end(key, reason=_REASON, lifetime=LIFETIME)
            await listener.heard
    except TimeoutError:
        raise StoreUnavailable(TIMEOUT) from None
