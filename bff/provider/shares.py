"""How many connections to the provider each kind of work may use, so that none takes those of another.

pushed authorization requests   30   anybody can begin a login
codes, and UserInfo with them   20   anybody can come back from one
revocations                     20   everybody may log out at once
refreshes, metadata and keys    30 at least, which nobody else may use
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final

from bff.errors import ProviderBusy

MAX_CONNECTIONS: Final = 100

AUTHORIZATION_REQUESTS: Final = 30
CODES: Final = 20
REVOCATIONS: Final = 20

PATIENCE: Final = 1.0
"""Seconds that a browser waits for its turn before it is told to try again."""


class Share(AbstractAsyncContextManager[None]):
    """At most `places` pieces of work at a time; who has waited `patience` seconds for a place gets `ProviderBusy`.

    Without `patience` it waits for as long as it takes.
    """

    def __init__(self, places: int, *, patience: float | None = None) -> None:
        self._places = asyncio.Semaphore(places)
        self._patience = patience

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            raise ProviderBusy("provider.busy", PATIENCE) from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._places.release()
