"""What a refresh changes, on its way into the session record: never over a logout, never lost to an outage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from bff.errors import NoSession, StoreUnavailable
from bff.flights import finish
from bff.logs import event
from bff.oauth.token_response import TokenResponse
from bff.provider import Provider
from bff.session.record import SessionRecord
from bff.sessions import Session, Sessions
from bff.tokens.lease import Lease

SAVE_TIMEOUT: Final = 120.0
"""Seconds for which tokens that the store did not take are held and offered to it again."""

_FIRST_RETRY, _LAST_RETRY = 0.1, 1.0
_MAX_WRITES = 5

Change = Callable[[SessionRecord], SessionRecord]
"""Returns the record as the refresh leaves it; it is made again for a record that something else has changed."""


class RefreshedTokensWriter:
    """Writes refreshed tokens, fenced by the record's version."""

    def __init__(self, provider: Provider, sessions: Sessions, *, clock: Callable[[], float]) -> None:
        self._provider = provider
        self._sessions = sessions
        self._clock = clock
        self._unsaved: dict[str, Session] = {}
        self._saving: set[asyncio.Task[None]] = set()

    def unsaved(self, key: str) -> Session | None:
        """Return the session with the tokens that the store has yet to take."""
        return self._unsaved.get(key)

    async def save(self, session: Session, change: Change, tokens: TokenResponse, lease: Lease) -> Session:
        """Return the session with the change that the new `tokens` brought.

        If the store does not take it, it is kept here, and the lease with it, until it does or `SAVE_TIMEOUT`
        has passed: the old refresh token is spent. Raises `SessionEnded` or `SessionExpired` if the session ended
        while it was refreshed; the new tokens are then revoked.
        """
        try:
            return await self._write(session, change, tokens)
        except StoreUnavailable:
            event(logging.ERROR, "refresh.unsaved")
        unsaved = msgspec.structs.replace(session, record=change(session.record))
        self._unsaved[session.key] = unsaved
        task = asyncio.create_task(self._save_later(session, change, tokens, lease))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)
        return unsaved

    async def close(self, within: float) -> None:
        """Wait `within` seconds for the store to take what it has not yet taken."""
        await finish(list(self._saving), within)

    async def _write(self, session: Session, change: Change, tokens: TokenResponse) -> Session:
        spent = session.record.refresh_token
        for _ in range(_MAX_WRITES):
            saved = await self._sessions.replace(session, change(session.record))
            if saved is not None:
                return saved
            try:
                session = await self._sessions.resume(session.handle)
            except NoSession:
                access_token = tokens.access_token or None
                dpop_key = session.record.dpop_key
                self._provider.revoke_later(
                    refresh_token=tokens.refresh_token, access_token=access_token, dpop_key=dpop_key
                )
                raise
            if session.record.refresh_token != spent:
                # These very tokens, if an answer of the store was lost, or a peer's, whose lease outlived ours.
                return session
        raise StoreUnavailable("refresh.contended")

    async def _save_later(self, session: Session, change: Change, tokens: TokenResponse, lease: Lease) -> None:
        deadline, delay = self._clock() + SAVE_TIMEOUT, _FIRST_RETRY
        try:
            while self._clock() < deadline:
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LAST_RETRY)
                try:
                    # The store may have been away for longer than the lease lives.
                    await lease.renew()
                    await self._write(session, change, tokens)
                except StoreUnavailable:
                    continue
                except NoSession:
                    pass
                return
            event(logging.ERROR, "refresh.tokens_lost")
        finally:
            del self._unsaved[session.key]
            await asyncio.shield(lease.release())
