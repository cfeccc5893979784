"""Waiting for another instance that is asking the provider for the same session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from bff.errors import ProviderUnavailable
from bff.provider import PROVIDER_TIMEOUT
from bff.sessions import Session, Sessions
from bff.tokens.backoff import RefreshPauses
from bff.tokens.lease import Lease
from bff.tokens.need import Need, Refreshed

LEASE_LIFETIME: Final = 3 * PROVIDER_TIMEOUT
"""Seconds: the provider's answer, a wait for its new keys, their fetch, and the store's own time-outs."""

WAIT_FOR_PEER: Final = LEASE_LIFETIME + PROVIDER_TIMEOUT
"""Seconds a call waits for another instance's refresh: past the death of that instance and a refresh of its own."""

WAIT_WHILE_ALIVE: Final = PROVIDER_TIMEOUT / 2
"""The same for a call that can go on with the token it has."""

PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 30.0
"""Seconds for which a session is left alone after a failed refresh: what the provider asks for, between these two."""

_FIRST_POLL, _LAST_POLL = 0.05, 0.25


class Turns:
    """Lets one instance at a time work on something of a session."""

    def __init__(
        self,
        sessions: Sessions,
        pauses: RefreshPauses,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._sessions = sessions
        self._pauses = pauses
        self._clock = clock
        self._random_bytes = random_bytes

    def lease(self, name: str) -> Lease:
        """Return a lease nobody holds yet."""
        owner = self._random_bytes(16).hex()
        return Lease(self._sessions.store, name, owner=owner, lifetime=LEASE_LIFETIME)

    async def wait(self, session: Session, lease: Lease, need: Need) -> Refreshed | None:
        """Wait until the lease is ours, and then return None, or until another instance has done the work.

        Raises `SessionEnded`, `SessionExpired` or `StoreUnavailable`.
        """
        started_at, delay = self._clock(), _FIRST_POLL
        while not await lease.acquire():
            current = await self._sessions.resume(session.handle)
            now = self._clock()
            if not need.is_unmet(current.record, now):
                return Refreshed(current)
            token = need.token(current.record)
            left = 0.0 if token is None else (token.expires_at or now) - now
            goes_on = left > 0 and not need.is_forced
            if now - started_at >= (WAIT_WHILE_ALIVE if goes_on else WAIT_FOR_PEER):
                if goes_on:
                    self._pauses.note(need.key(session.key), min(PAUSE, left))
                return Refreshed(current, ProviderUnavailable("refresh.held_elsewhere", PAUSE))
            # Jitter: instances that began to wait together do not stay together.
            await asyncio.sleep(delay * (0.75 + self._random_bytes(1)[0] / 512))
            delay = min(delay * 1.5, _LAST_POLL)
        return None
