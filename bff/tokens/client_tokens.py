"""The gateway's own access tokens (RFC 6749 section 4.4): one for each API, shared by all instances.

    this process's memory ─► alive: the call goes on, and once it is due it is renewed meanwhile
            │ none
            └─► the store ─► alive ─► memory
                    │ none
                    └─► the lease ─► the provider ─► the store, memory

A token is nobody's: whichever instance renews it does so for all. In the store it is sealed; it lives there and here no
longer than the provider said. Without the store each instance asks for itself, without the provider the token held
serves while it lives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderBusy, ProviderUnavailable, StoreUnavailable
from bff.flights import Flights
from bff.logs import event
from bff.provider import Provider
from bff.session.record import AccessToken
from bff.session.sealing import SealBroken, Sealer
from bff.session.store import SessionStore
from bff.settings.token_target import TokenTarget
from bff.tokens.backoff import ProviderBreaker
from bff.tokens.lease import Lease
from bff.tokens.need import margin
from bff.tokens.records import target_access_token
from bff.tokens.turn import LEASE_LIFETIME, LONGEST_PAUSE, PAUSE, WAIT_FOR_PEER

YOUNG: Final = 10.0
"""Seconds in which a token that an API refuses is not replaced."""

_FIRST_POLL, _LAST_POLL = 0.05, 0.25
_NEXT_LOOK: Final = 2.0
"""Seconds until an instance looks again whether another has renewed the token."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccessToken).decode

Failure = ProviderUnavailable | InvalidProviderAnswer | ClientRefused


class ClientTokens:
    """The client's tokens by target; `on_refresh` is told the outcome of every request for one in a word."""

    def __init__(
        self,
        provider: Provider,
        store: SessionStore,
        sealer: Sealer,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        on_refresh: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._provider = provider
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._random_bytes = random_bytes
        self._on_refresh = on_refresh
        self._held: dict[str, AccessToken] = {}
        self._distrusted: dict[str, str] = {}
        self._not_before: dict[str, float] = {}
        self._breaker = ProviderBreaker(clock=clock, threshold=1, pause=PAUSE)
        self._flights: Flights[AccessToken] = Flights(partial(ProviderUnavailable, "shutdown"))

    def held(self, target: TokenTarget, now: float) -> AccessToken | None:
        """Return the token if a call can use it without waiting; if it is due, it is renewed in the background."""
        token = self._held.get(target.name)
        if token is None or not token.is_fresh(now, 0):
            return None
        if self._is_due(token, now) and now >= self._not_before.get(target.name, 0.0):
            self._flights.start(target.name, lambda: self._obtain(target))
        return token

    async def access_token(self, target: TokenTarget) -> AccessToken:
        """Return a token that is alive; raises `ProviderUnavailable`, `InvalidProviderAnswer` or `ClientRefused`."""
        token = self.held(target, self._clock())
        if token is not None:
            return token
        left = self._not_before.get(target.name, 0.0) - self._clock()
        if left > 0:
            raise ProviderUnavailable("client_token.paused", min(left, LONGEST_PAUSE))
        return await self._flights.join(target.name, lambda: self._obtain(target))

    def distrust(self, target: TokenTarget) -> None:
        """Get another token for the next call, for an API has refused this one.

        One that is newer than `YOUNG` is kept: whoever refuses that would refuse the next as well, or has been sent
        the one before it.
        """
        token = self._held.get(target.name)
        if token is not None and self._clock() - _received_at(token) >= YOUNG:
            event(logging.WARNING, "client_token.distrusted")
            self._distrusted[target.name] = token.value
            del self._held[target.name]

    async def close(self, within: float = 0.0) -> None:
        """Wait `within` seconds for requests under way; their answers can be had again."""
        await self._flights.close(within)

    async def _obtain(self, target: TokenTarget) -> AccessToken:
        """Return a token that is not due, or if there is no other one that is alive."""
        lease = Lease(
            self._store,
            f"client-token-lease:{self._provider.targets.client_token_name(target)}",
            owner=self._random_bytes(16).hex(),
            lifetime=LEASE_LIFETIME,
        )
        try:
            adopted = await self._adopted(target, lease)
        except StoreUnavailable:
            # No instance can tell another; one more token harms nobody.
            return await self._requested(target)
        if adopted is not None:
            return adopted
        try:
            return await self._requested(target)
        finally:
            await asyncio.shield(lease.release())

    async def _adopted(self, target: TokenTarget, lease: Lease) -> AccessToken | None:
        """Return another instance's token, waiting for it if need be; None once the lease is ours."""
        started_at, delay = self._clock(), _FIRST_POLL
        while True:
            is_ours = await lease.acquire()
            token = await self._stored(target)
            now = self._clock()
            if token is not None:
                # Should the provider have no other, this one serves while it lives.
                self._held[target.name] = token
                if not self._is_due(token, now):
                    if is_ours:
                        await lease.release()
                    return token
            if is_ours:
                return None
            alive = self._held.get(target.name)
            if alive is not None and alive.is_fresh(now, 0):
                self._not_before[target.name] = min(now + _NEXT_LOOK, alive.expires_at or now)
                return alive
            if now - started_at >= WAIT_FOR_PEER:
                raise ProviderUnavailable("client_token.held_elsewhere", PAUSE)
            await asyncio.sleep(delay * (0.75 + self._random_bytes(1)[0] / 512))
            delay = min(delay * 1.5, _LAST_POLL)

    async def _requested(self, target: TokenTarget) -> AccessToken:
        try:
            if (left := self._breaker.enter()) > 0:
                raise ProviderBusy("client_token.paused", left)
            answer = await self._provider.targets.client_token(target)
        except (ProviderUnavailable, InvalidProviderAnswer, ClientRefused) as failure:
            return self._without_token(target, failure)
        self._breaker.succeeded()
        self._on_refresh("client_token")
        token = target_access_token(answer)
        self._held[target.name] = token
        await self._share(target, token)
        return token

    def _without_token(self, target: TokenTarget, failure: Failure) -> AccessToken:
        """Return the token held if it is alive, else raise; either way the provider is left alone for a while."""
        now = self._clock()
        if not isinstance(failure, ProviderBusy):
            if isinstance(failure, ProviderUnavailable):
                self._breaker.failed()
                self._on_refresh("unavailable")
            else:
                self._breaker.succeeded()
                self._on_refresh("client_token_refused")
            event(failure.log_level, "client_token.failed", reason=failure.reason)
        self._not_before[target.name] = now + min(max(PAUSE, failure.retry_after or 0.0), LONGEST_PAUSE)
        token = self._held.get(target.name)
        if token is not None and token.is_fresh(now, 0):
            return token
        self._held.pop(target.name, None)
        raise failure

    async def _stored(self, target: TokenTarget) -> AccessToken | None:
        name = self._name(target)
        sealed = await self._store.get(name)
        if sealed is None:
            return None
        try:
            token = _decode(self._sealer.open_shared(sealed, name=name))
        except (SealBroken, msgspec.MsgspecError):
            # Of another version or key: it is replaced by the next.
            return None
        is_good = token.is_fresh(self._clock(), 0) and token.value != self._distrusted.get(target.name)
        return token if is_good else None

    async def _share(self, target: TokenTarget, token: AccessToken) -> None:
        assert token.expires_at is not None, "a target's token always ends"
        lifetime = token.expires_at - self._clock()
        if lifetime <= 0:
            return
        name = self._name(target)
        try:
            await self._store.put(name, self._sealer.seal_shared(_encode(token), name=name), lifetime=lifetime)
        except StoreUnavailable:
            event(logging.WARNING, "client_token.not_shared")

    def _is_due(self, token: AccessToken, now: float) -> bool:
        assert token.expires_at is not None, "a target's token always ends"
        if token.is_outdated(self._provider.credentials.certificate):
            return True
        return not token.is_fresh(now, margin(token.expires_at - _received_at(token)))

    def _name(self, target: TokenTarget) -> str:
        # Instances before and after a change of settings share the store: neither takes what the other asked for.
        return f"client-token:{self._provider.targets.client_token_name(target)}"


def _received_at(token: AccessToken) -> float:
    assert token.received_at is not None, "a target's token is dated"
    return token.received_at
