"""The access token for a call: the one at hand, or a new one, refreshed once however many calls need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from bff.errors import (
    ClientRefused,
    InvalidProviderAnswer,
    ProviderUnavailable,
    SessionExpired,
    StoreUnavailable,
)
from bff.flights import Flights
from bff.provider import PROVIDER_TIMEOUT, Provider
from bff.session.record import AccessToken
from bff.sessions import Session, Sessions
from bff.tokens.backoff import RefreshPauses
from bff.tokens.refresh import Refreshed, Refresher, is_due

SHUTDOWN_TIMEOUT: Final = PROVIDER_TIMEOUT + 2.0
"""Seconds: a refresh whose token is on its way to the provider is seen through, its answer cannot be had again."""

_SAVE_TIMEOUT = 5.0


class Tokens:
    """Access tokens of sessions; `on_refresh` is told the outcome of every refresh in a word."""

    def __init__(
        self,
        provider: Provider,
        sessions: Sessions,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        on_refresh: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._clock = clock
        self._pauses = RefreshPauses(sessions.store, clock=clock)
        self._refresher = Refresher(
            provider, sessions, self._pauses, clock=clock, random_bytes=random_bytes, on_refresh=on_refresh
        )
        stopped = partial(ProviderUnavailable, "shutdown")
        self._flights: Flights[Refreshed] = Flights(stopped)
        self._forced_flights: Flights[Refreshed] = Flights(stopped)

    def held(self, session: Session, now: float) -> AccessToken | None:
        """Return the session's access token if a call can use it without waiting for anything."""
        record = session.record
        if not is_due(record, now):
            return record.access_token
        if record.access_token.is_fresh(now, 0) and (
            record.refresh_token is None or self._pauses.known(session.key) > 0
        ):
            return record.access_token
        return None

    async def access_token(self, session: Session) -> tuple[Session, AccessToken]:
        """Return an access token that is alive, and the session as it is now.

        A caller that is cancelled does not cancel the refresh. Raises `SessionEnded`, `SessionExpired`,
        `ProviderUnavailable`, `InvalidProviderAnswer`, `ClientRefused` or `StoreUnavailable`.
        """
        now = self._clock()
        token = self.held(session, now)
        if token is not None:
            return session, token
        if session.record.refresh_token is None:
            raise SessionExpired("access_token.expired")
        left = self._pauses.known(session.key)
        if left > 0:
            raise ProviderUnavailable("refresh.paused", left)
        failure: ProviderUnavailable | InvalidProviderAnswer | ClientRefused | StoreUnavailable | None
        try:
            outcome = await self._flights.join(session.key, lambda: self._refresher.run(session, forced=False))
        except (StoreUnavailable, ProviderUnavailable) as error:
            failure = error
        else:
            session, failure = outcome.session, outcome.failure
        token = session.record.access_token
        if token.is_fresh(self._clock(), 0):
            return session, token
        raise failure or ProviderUnavailable("refresh.too_late", 1.0)

    async def refresh_now(self, session: Session) -> Session:
        """Refresh the tokens though they may be fresh, and read the claims again; return the session as it is then.

        Calls that come together share one refresh. Raises as `access_token`; then the session is as it was.
        """
        outcome = await self._forced_flights.join(session.key, lambda: self._force(session))
        if outcome.failure is not None:
            raise outcome.failure
        return outcome.session

    async def close(self) -> None:
        """Wait for refreshes under way, for `SHUTDOWN_TIMEOUT` seconds at most, then for their tokens to be kept."""
        await self._flights.close(SHUTDOWN_TIMEOUT)
        await self._forced_flights.close(0)
        await self._refresher.close(_SAVE_TIMEOUT)

    async def _force(self, session: Session) -> Refreshed:
        # A refresh that began before this call may have been answered before it, too.
        while (earlier := self._flights.current(session.key)) is not None:
            await asyncio.wait([earlier])
        return await self._flights.join(session.key, lambda: self._refresher.run(session, forced=True))
