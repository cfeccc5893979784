"""One token exchange of one session (RFC 8693): the login's access token for one of another API.

It spends nothing, so other instances may renew the session's tokens meanwhile; only the same exchange waits for itself.
What it yields lives in the session's record and dies with it. There is no way back to the original token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from bff.errors import ClientRefused, InvalidProviderAnswer, NoSession, ProviderBusy, ProviderUnavailable
from bff.logs import event
from bff.provider import Provider, TargetToken
from bff.sessions import Session, Sessions
from bff.settings.token_target import TokenTarget
from bff.tokens.backoff import RefreshPauses
from bff.tokens.need import Need, Refreshed
from bff.tokens.records import record_with_target
from bff.tokens.turn import LONGEST_PAUSE, PAUSE, Turns

_MAX_WRITES: Final = 5


class Exchanger:
    """Exchanges tokens, each on one instance at a time; `on_refresh` is told every outcome in a word."""

    def __init__(
        self,
        provider: Provider,
        sessions: Sessions,
        pauses: RefreshPauses,
        turns: Turns,
        *,
        clock: Callable[[], float],
        on_refresh: Callable[[str], None],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._pauses = pauses
        self._turns = turns
        self._clock = clock
        self._on_refresh = on_refresh

    async def run(self, session: Session, target: TokenTarget) -> Refreshed:
        """Return the session with the exchanged token, or as it is and the reason; its access token must be alive.

        Raises `SessionEnded`, `SessionExpired` or `StoreUnavailable`.
        """
        need = Need(target)
        lease = self._turns.lease(f"exchange:{need.key(session.key)}")
        instead = await self._turns.wait(session, lease, need)
        if instead is not None:
            return instead
        try:
            return await self._with_lease(session, need, target)
        finally:
            await asyncio.shield(lease.release())

    async def _with_lease(self, session: Session, need: Need, target: TokenTarget) -> Refreshed:
        session = await self._sessions.resume(session.handle)
        if not need.is_unmet(session.record, self._clock()):
            return Refreshed(session)
        left = await self._pauses.left(need.key(session.key))
        if left > 0:
            return Refreshed(session, ProviderUnavailable("refresh.paused", left))
        if not session.record.access_token.is_fresh(self._clock(), 0):
            return Refreshed(session, ProviderUnavailable("exchange.too_late", 1.0))
        try:
            token = await self._provider.targets.exchange(session.record, target)
        except (ProviderUnavailable, InvalidProviderAnswer, ClientRefused) as failure:
            self._on_refresh("unavailable" if isinstance(failure, ProviderUnavailable) else "exchange_refused")
            event(failure.log_level, "exchange.failed", reason=failure.reason)
            if not isinstance(failure, ProviderBusy):
                pause = min(max(PAUSE, failure.retry_after or 0.0), LONGEST_PAUSE)
                await self._pauses.begin(need.key(session.key), pause)
            return Refreshed(session, failure)
        self._on_refresh("exchanged")
        return Refreshed(await self._save(session, target, token))

    async def _save(self, session: Session, target: TokenTarget, token: TargetToken) -> Session:
        exchanged = session.record.access_token.value
        for _ in range(_MAX_WRITES):
            record = record_with_target(session.record, target, token)
            if session.record.access_token.value != exchanged:
                # Who had the tokens refreshed wants nothing more of the old ones: it serves this call, and is not kept.
                return msgspec.structs.replace(session, record=record)
            saved = await self._sessions.replace(session, record)
            if saved is not None:
                return saved
            try:
                session = await self._sessions.resume(session.handle)
            except NoSession:
                self._provider.revoke_later(refresh_token=None, access_token=token.value, dpop_key=record.dpop_key)
                raise
        raise ProviderUnavailable("exchange.contended", 1.0)
