"""`/healthz`: the process answers. `/readyz`: logins and sessions can be served, or why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from bff.asgi.answers import json_answer
from bff.asgi.request import Request
from bff.errors import StoreUnavailable
from bff.session.store import SessionStore

STORE_TIMEOUT: Final = 1.0
"""Seconds the store gets to answer a probe."""

MEMORY: Final = 1.0
"""Seconds for which one look at the store answers all probes: anybody may ask."""


class Health:
    """Answers probes; they present nothing and nothing of a request matters."""

    def __init__(
        self, *, store: SessionStore, provider_not_ready: Callable[[], str | None], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._provider_not_ready = provider_not_ready
        self._clock = clock
        self._store_fault: str | None = None
        self._looked_at: float | None = None
        self._looking = asyncio.Lock()

    async def alive(self, _request: Request) -> Response:
        """Answer 200 as long as the process answers at all."""
        return _uncached(json_answer({"status": "alive"}))

    async def ready(self, _request: Request) -> Response:
        """Answer 200, or 503 with the reasons by part: `provider`, `store`."""
        found = {"provider": self._provider_not_ready(), "store": await self._store_not_ready()}
        reasons = {part: reason for part, reason in found.items() if reason is not None}
        if not reasons:
            return _uncached(json_answer({"status": "ready"}))
        return _uncached(json_answer({"status": "not_ready", "reasons": reasons}, status=503))

    async def _store_not_ready(self) -> str | None:
        async with self._looking:
            if self._looked_at is None or not 0 <= self._clock() - self._looked_at < MEMORY:
                self._store_fault = await self._look_at_store()
                # From its end, or those who wait for a store that hangs would look one after the other.
                self._looked_at = self._clock()
            return self._store_fault

    async def _look_at_store(self) -> str | None:
        try:
            async with asyncio.timeout(STORE_TIMEOUT):
                await self._store.ping()
        except TimeoutError:
            return "store.timeout"
        except StoreUnavailable as error:
            return error.reason
        return None


def _uncached(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
