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
from bff.settings.token_target import TokenTarget
from bff.tokens.backoff import RefreshPauses
from bff.tokens.exchange import Exchanger
from bff.tokens.need import Need, Refreshed, is_due
from bff.tokens.refresh import Refresher
from bff.tokens.turn import Turns

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
        self._credentials = provider.credentials
        self._pauses = RefreshPauses(sessions.store, clock=clock)
        turns = Turns(sessions, self._pauses, clock=clock, random_bytes=random_bytes)
        self._refresher = Refresher(provider, sessions, self._pauses, turns, clock=clock, on_refresh=on_refresh)
        self._exchanger = Exchanger(provider, sessions, self._pauses, turns, clock=clock, on_refresh=on_refresh)
        stopped = partial(ProviderUnavailable, "shutdown")
        self._flights: Flights[Refreshed] = Flights(stopped)
        self._refreshes: Flights[Refreshed] = Flights(stopped)

    def held(self, session: Session, now: float, target: TokenTarget | None = None) -> AccessToken | None:
        """Return the session's access token if a call can use it without waiting for anything."""
        record = session.record
        token = record.access_token if target is None else record.target_tokens.get(target.name)
        if token is None:
            return None
        if not is_due(record, now, target, certificate=self._credentials.certificate):
            return token
        if token.is_fresh(now, 0) and (self._is_last(session, target) or self._paused(session.key, target) > 0):
            return token
        return None

    async def access_token(self, session: Session, target: TokenTarget | None = None) -> tuple[Session, AccessToken]:
        """Return an access token that is alive, and the session as it is now; without a `target` the login's own.

        A caller that is cancelled does not cancel the refresh. Raises `SessionEnded`, `SessionExpired`,
        `ProviderUnavailable`, `InvalidProviderAnswer`, `ClientRefused` or `StoreUnavailable`.
        """
        token = self.held(session, self._clock(), target)
        if token is not None:
            return session, token
        if target is not None and target.is_exchanged:
            session, _ = await self.access_token(session)
        elif session.record.refresh_token is None:
            if target is not None and session.record.access_token.is_fresh(self._clock(), 0):
                raise ClientRefused("target.no_refresh_token")
            raise SessionExpired("access_token.expired")
        left = self._paused(session.key, target)
        if left > 0:
            raise ProviderUnavailable("refresh.paused", left)
        need = Need(target, certificate=self._credentials.certificate)
        failure: ProviderUnavailable | InvalidProviderAnswer | ClientRefused | StoreUnavailable | None
        try:
            outcome = await self._flights.join(need.key(session.key), lambda: self._fetch(session, need))
        except (StoreUnavailable, ProviderUnavailable) as error:
            failure = error
        else:
            session, failure = outcome.session, outcome.failure
        token = need.token(session.record)
        if token is not None and token.is_fresh(self._clock(), 0):
            return session, token
        raise failure or ProviderUnavailable("refresh.too_late", 1.0)

    async def refresh_now(self, session: Session) -> Session:
        """Refresh the tokens though they may be fresh, and read the claims again; return the session as it is then.

        Calls that come together share one refresh. Raises as `access_token`; then the session is as it was.
        """
        need = Need(is_forced=True)
        outcome = await self._flights.join(need.key(session.key), lambda: self._fetch(session, need))
        if outcome.failure is not None:
            raise outcome.failure
        return outcome.session

    async def close(self) -> None:
        """Wait for refreshes under way, for `SHUTDOWN_TIMEOUT` seconds at most, then for their tokens to be kept."""
        await self._flights.close(SHUTDOWN_TIMEOUT)
        await self._refreshes.close(0)
        await self._refresher.close(_SAVE_TIMEOUT)

    async def _fetch(self, session: Session, need: Need) -> Refreshed:
        target = need.target
        if target is not None and target.is_exchanged:
            return await self._exchanger.run(session, target)
        # One after the other, for they share the session's one refresh token. One that began before this call may
        # have been answered before it, too, so it is never joined.
        while (earlier := self._refreshes.current(session.key)) is not None:
            await asyncio.wait([earlier])
        return await self._refreshes.join(session.key, lambda: self._refresher.run(session, need))

    def _paused(self, key: str, target: TokenTarget | None) -> float:
        left = self._pauses.known(key)
        return left if target is None or left > 0 else self._pauses.known(Need(target).key(key))

    def _is_last(self, session: Session, target: TokenTarget | None) -> bool:
        """Whether nothing can renew the token."""
        return session.record.refresh_token is None and (target is None or not target.is_exchanged)
