"""One refresh of one session, from the lease to the written record, whatever happens on the way.

lease ─> read again ─> fresh: done
                   ├─> paused: not now
                   └─> the provider ─┬─> tokens: written, or revoked if the session is gone
                                     ├─> invalid_grant: a peer's tokens, else the session ends; if it was said of
                                     │                  one API, only after the login's own token is refused as well
                                     └─> no usable answer: a pause; the session stays as it is
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import NoReturn

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
from bff.provider import Provider, RefreshedTokens
from bff.sessions import Session, Sessions
from bff.tokens.backoff import ProviderBreaker, RefreshPauses
from bff.tokens.lease import Lease
from bff.tokens.need import Need, Refreshed
from bff.tokens.records import record_after_refresh
from bff.tokens.turn import LONGEST_PAUSE, PAUSE, Turns
from bff.tokens.writer import RefreshedTokensWriter

_BREAKER_THRESHOLD, _BREAKER_PAUSE = 5, 2.0


class Refresher:
    """Refreshes sessions, each on one instance at a time; `on_refresh` is told every outcome in a word."""

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
        self._clock = clock
        self._turns = turns
        self._on_refresh = on_refresh
        self._breaker = ProviderBreaker(clock=clock, threshold=_BREAKER_THRESHOLD, pause=_BREAKER_PAUSE)
        self._writer = RefreshedTokensWriter(provider, sessions, clock=clock)

    async def run(self, session: Session, need: Need) -> Refreshed:
        """Return the session with the token needed, or as it is and the reason; not twice at a time for one session.

        A need that is forced has the claims read again too. Raises `SessionEnded`, `SessionExpired` or
        `StoreUnavailable`.
        """
        unsaved = self._writer.unsaved(session.key)
        if unsaved is not None:
            return Refreshed(unsaved)
        # One for all its tokens, for they come from one refresh token that may be used once.
        lease = self._turns.lease(f"refresh:{session.key}")
        instead = await self._turns.wait(session, lease, need)
        if instead is not None:
            return instead
        try:
            return await self._with_lease(session, lease, need)
        finally:
            if self._writer.unsaved(session.key) is None:
                await asyncio.shield(lease.release())

    async def close(self, within: float) -> None:
        """Wait `within` seconds for tokens that are not yet in the store."""
        await self._writer.close(within)

    async def _with_lease(self, session: Session, lease: Lease, need: Need) -> Refreshed:
        session = await self._sessions.resume(session.handle)
        now = self._clock()
        if not need.is_unmet(session.record, now):
            return Refreshed(session)
        if session.record.refresh_token is None:
            if not session.record.access_token.is_fresh(now, 0):
                raise SessionExpired("access_token.expired")
            return await self._with_claims(session, None) if need.is_forced else Refreshed(session)
        left = await self._left(session.key, need)
        if left > 0:
            return Refreshed(session, ProviderUnavailable("refresh.paused", left))
        try:
            refreshed = await self._provider.refresh(session.record, need.target)
        except GrantRefused:
            self._breaker.succeeded()
            if need.target is not None:
                return await self._after_target_refused(session, lease, need)
            return await self._after_grant_refused(session)
        except ProviderBusy as failure:
            # Nobody was asked: that is no reason to leave the provider, or this session, alone for a while.
            self._on_refresh("unavailable")
            event(failure.log_level, "refresh.failed", reason=failure.reason)
            return Refreshed(session, failure)
        except (ProviderUnavailable, InvalidProviderAnswer, ClientRefused) as failure:
            return await self._postponed(session, failure, need)
        self._breaker.succeeded()
        if refreshed.refusal is not None:
            return await self._after_refusal(session, refreshed, lease)
        # What was derived from the old tokens is to be had anew.
        change = partial(record_after_refresh, refreshed=refreshed, drops_targets=need.is_forced)
        session = await self._writer.save(session, change, refreshed.tokens, lease)
        if refreshed.misfit is not None:
            return await self._postponed(session, InvalidProviderAnswer(refreshed.misfit), need)
        self._on_refresh("refreshed")
        if need.is_forced and self._writer.unsaved(session.key) is None:
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

    async def _after_target_refused(self, session: Session, lease: Lease, need: Need) -> Refreshed:
        """Ask for the login's own token: if that is refused too the session is over, else only this API is.

        Some providers say `invalid_grant` where they miss the consent to one API (as Entra ID does), and that must not
        log everybody out.
        """
        await self._pauses.begin(need.key(session.key), LONGEST_PAUSE)
        outcome = await self._with_lease(session, lease, Need(is_forced=True))
        if outcome.failure is not None:
            return outcome
        failure = ClientRefused("target.grant_refused")
        event(failure.log_level, "refresh.failed", reason=failure.reason)
        return Refreshed(outcome.session, failure)

    async def _left(self, key: str, need: Need) -> float:
        """Return how many seconds the provider is still to be left alone, by what any instance knows."""
        left = await self._pauses.left(key)
        if left <= 0 and need.target is not None:
            left = await self._pauses.left(need.key(key))
        if left <= 0:
            left = self._breaker.enter()
            if left > 0:
                self._pauses.note(key, left)
        return left

    async def _postponed(
        self, session: Session, failure: ProviderUnavailable | InvalidProviderAnswer | ClientRefused, need: Need
    ) -> Refreshed:
        # What is wrong with the request for one API is no reason to leave the others without tokens.
        is_of_target = need.target is not None and not isinstance(failure, ProviderUnavailable)
        pause = min(max(PAUSE, failure.retry_after or 0.0), LONGEST_PAUSE)
        if isinstance(failure, ProviderUnavailable):
            self._breaker.failed()
            self._on_refresh("unavailable")
        else:
            self._breaker.succeeded()
            self._on_refresh("client_refused" if isinstance(failure, ClientRefused) else "invalid_answer")
        event(failure.log_level, "refresh.failed", reason=failure.reason)
        await self._pauses.begin(need.key(session.key) if is_of_target else session.key, pause)
        return Refreshed(session, failure)

    async def _after_refusal(self, session: Session, refreshed: RefreshedTokens, lease: Lease) -> Refreshed:
        """Drop tokens whose ID token was refused.

        If the refresh token was spent for them there is no other: the session lasts as long as its access token.
        Asking again with a spent token would look like theft to the provider, and the new one comes from an answer
        that cannot be trusted. Tokens of another user end the session.
        """
        tokens, reason = refreshed.tokens, str(refreshed.refusal)
        event(logging.ERROR, "refresh.id_token_refused", reason=reason)
        if reason == "id_token.subject_changed":
            self._provider.revoke_later(
                refresh_token=tokens.refresh_token,
                access_token=tokens.access_token,
                dpop_key=session.record.dpop_key,
            )
            await self._end_for_changed_subject(session)
        self._on_refresh("id_token_refused")
        if tokens.refresh_token not in (None, session.record.refresh_token):
            change = partial(record_after_refresh, refreshed=refreshed)
            session = await self._writer.save(session, change, tokens, lease)
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
