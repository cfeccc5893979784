"""One refresh of one session, from the lease to the written record, whatever happens on the way.

lease ─> read again ─> fresh: done
                   ├─> paused: not now
                   └─> the provider ─┬─> tokens: written, or revoked if the session is gone
                                     ├─> invalid_grant: a peer's tokens, else the session ends
                                     └─> no usable answer: a pause; the session stays as it is
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from bff.errors import (
    ClientRefused,
    GrantRefused,
    InvalidProviderAnswer,
    LoginFailed,
    ProviderBusy,
    ProviderUnavailable,
    SessionEnded,
    SessionExpired,
)
from bff.logs import event
from bff.oauth.id_token import IdToken
from bff.provider import PROVIDER_TIMEOUT, Provider, RefreshedTokens
from bff.session.record import SessionRecord
from bff.sessions import Session, Sessions
from bff.tokens.backoff import ProviderBreaker, RefreshPauses
from bff.tokens.lease import Lease
from bff.tokens.records import record_without_refresh
from bff.tokens.writer import RefreshedTokensWriter

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
_BREAKER_THRESHOLD, _BREAKER_PAUSE = 5, 2.0
_MARGIN = 60.0


class Refreshed(msgspec.Struct, frozen=True):
    """The session as it is after a refresh; `failure` if that could not be done or not completed."""

    session: Session
    failure: ProviderUnavailable | InvalidProviderAnswer | ClientRefused | None = None


def is_due(record: SessionRecord, now: float) -> bool:
    """Whether the access token is to be renewed: a minute before it expires, or a third of its life if less."""
    expires_at = record.access_token.expires_at
    if expires_at is None:
        return False
    received_at = record.created_at if record.refreshed_at is None else record.refreshed_at
    return not record.access_token.is_fresh(now, min(_MARGIN, max(0.0, expires_at - received_at) / 3))


class Refresher:
    """Refreshes sessions, each on one instance at a time; `on_refresh` is told every outcome in a word."""

    def __init__(
        self,
        provider: Provider,
        sessions: Sessions,
        pauses: RefreshPauses,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        on_refresh: Callable[[str], None],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._pauses = pauses
        self._clock = clock
        self._random_bytes = random_bytes
        self._on_refresh = on_refresh
        self._breaker = ProviderBreaker(clock=clock, threshold=_BREAKER_THRESHOLD, pause=_BREAKER_PAUSE)
        self._writer = RefreshedTokensWriter(provider, sessions, clock=clock)

    async def run(self, session: Session, *, forced: bool) -> Refreshed:
        """Return the session with fresh tokens, or as it is and the reason; not twice at a time for one session.

        `forced` renews a token that is fresh too, and reads the claims again. Raises `SessionEnded`,
        `SessionExpired` or `StoreUnavailable`.
        """
        unsaved = self._writer.unsaved(session.key)
        if unsaved is not None:
            return Refreshed(unsaved)
        lease = Lease(
            self._sessions.store,
            f"refresh:{session.key}",
            owner=self._random_bytes(16).hex(),
            lifetime=LEASE_LIFETIME,
        )
        instead = await self._without_lease(session, lease, forced)
        if instead is not None:
            return instead
        try:
            return await self._with_lease(session, lease, forced)
        finally:
            if self._writer.unsaved(session.key) is None:
                await asyncio.shield(lease.release())

    async def close(self, within: float) -> None:
        """Wait `within` seconds for tokens that are not yet in the store."""
        await self._writer.close(within)

    async def _without_lease(self, session: Session, lease: Lease, forced: bool) -> Refreshed | None:
        """Wait until the lease is ours, and then return None, or until another instance has done the work."""
        started_at, delay = self._clock(), _FIRST_POLL
        while not await lease.acquire():
            current = await self._sessions.resume(session.handle)
            now = self._clock()
            if not forced and not is_due(current.record, now):
                return Refreshed(current)
            left = (current.record.access_token.expires_at or now) - now
            goes_on = left > 0 and not forced
            if now - started_at >= (WAIT_WHILE_ALIVE if goes_on else WAIT_FOR_PEER):
                if goes_on:
                    self._pauses.note(session.key, min(PAUSE, left))
                return Refreshed(current, ProviderUnavailable("refresh.held_elsewhere", PAUSE))
            # Jitter: instances that began to wait together do not stay together.
            await asyncio.sleep(delay * (0.75 + self._random_bytes(1)[0] / 512))
            delay = min(delay * 1.5, _LAST_POLL)
        return None

    async def _with_lease(self, session: Session, lease: Lease, forced: bool) -> Refreshed:
        session = await self._sessions.resume(session.handle)
        now = self._clock()
        if not forced and not is_due(session.record, now):
            return Refreshed(session)
        if session.record.refresh_token is None:
            if not session.record.access_token.is_fresh(now, 0):
                raise SessionExpired("access_token.expired")
            return await self._with_claims(session, None) if forced else Refreshed(session)
        left = await self._pauses.left(session.key) or self._breaker.enter()
        if left > 0:
            self._pauses.note(session.key, left)
            return Refreshed(session, ProviderUnavailable("refresh.paused", left))
        try:
            refreshed = await self._provider.refresh(session.record)
        except GrantRefused:
            self._breaker.succeeded()
            return await self._after_grant_refused(session)
        except ProviderBusy as failure:
            # Nobody was asked: that is no reason to leave the provider, or this session, alone for a while.
            self._on_refresh("unavailable")
            event(failure.log_level, "refresh.failed", reason=failure.reason)
            return Refreshed(session, failure)
        except (ProviderUnavailable, InvalidProviderAnswer, ClientRefused) as failure:
            return await self._postponed(session, failure)
        self._breaker.succeeded()
        if refreshed.refusal is not None:
            return await self._after_refusal(session, refreshed)
        session = await self._writer.save(session, refreshed, lease)
        self._on_refresh("refreshed")
        if forced and self._writer.unsaved(session.key) is None:
            return await self._with_claims(session, refreshed.id_token)
        return Refreshed(session)

    async def _after_grant_refused(self, session: Session) -> Refreshed:
        """Adopt the tokens of a peer that was quicker; if there are none, the session is over."""
        current = await self._sessions.resume(session.handle)
        if current.record.refresh_token != session.record.refresh_token:
            self._on_refresh("adopted")
            return Refreshed(current)
        self._on_refresh("grant_refused")
        await self._sessions.end(session.key, "grant_refused")
        raise SessionEnded("refresh.grant_refused")

    async def _postponed(
        self, session: Session, failure: ProviderUnavailable | InvalidProviderAnswer | ClientRefused
    ) -> Refreshed:
        pause = min(max(PAUSE, failure.retry_after or 0.0), LONGEST_PAUSE)
        if isinstance(failure, ProviderUnavailable):
            self._breaker.failed()
            self._on_refresh("unavailable")
        else:
            self._breaker.succeeded()
            self._on_refresh("client_refused" if isinstance(failure, ClientRefused) else "invalid_answer")
        event(failure.log_level, "refresh.failed", reason=failure.reason)
        await self._pauses.begin(session.key, pause)
        return Refreshed(session, failure)

    async def _after_refusal(self, session: Session, refreshed: RefreshedTokens) -> Refreshed:
        """Drop tokens whose ID token was refused.

        If the refresh token was spent for them there is no other: the session lasts as long as its access token.
        Asking again with a spent token would look like theft to the provider, and the new one comes from an answer
        that cannot be trusted. Tokens of another user end the session.
        """
        tokens, reason = refreshed.tokens, str(refreshed.refusal)
        event(logging.ERROR, "refresh.id_token_refused", reason=reason)
        if reason == "id_token.subject_changed":
            self._provider.revoke_later(refresh_token=tokens.refresh_token, access_token=tokens.access_token)
            await self._end_for_changed_subject(session)
        self._on_refresh("id_token_refused")
        if tokens.refresh_token not in (None, session.record.refresh_token):
            capped = await self._sessions.replace(session, record_without_refresh(session.record))
            session = capped or await self._sessions.resume(session.handle)
        await self._pauses.begin(session.key, PAUSE)
        return Refreshed(session, InvalidProviderAnswer(reason))

    async def _with_claims(self, session: Session, id_token: IdToken | None) -> Refreshed:
        try:
            claims = await self._provider.claims(session.record, id_token)
        except LoginFailed as error:
            event(logging.ERROR, "refresh.userinfo_refused", reason=error.reason)
            await self._end_for_changed_subject(session)
        except (ProviderUnavailable, InvalidProviderAnswer, ClientRefused) as failure:
            return Refreshed(session, failure)
        if claims == session.record.claims:
            return Refreshed(session)
        record = msgspec.structs.replace(session.record, claims=claims)
        changed = await self._sessions.replace(session, record)
        return Refreshed(changed or await self._sessions.resume(session.handle))

    async def _end_for_changed_subject(self, session: Session) -> NoReturn:
        self._on_refresh("subject_changed")
        await self._sessions.end(session.key, "subject_changed")
        raise SessionEnded("refresh.subject_changed")
