"""Giving tokens back when nobody needs them any more (RFC 7009): best effort, behind the browser's back."""

from __future__ import annotations

import asyncio
import logging

from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.flights import finish
from bff.logs import event
from bff.oauth.dpop import DpopKey
from bff.oauth.revocation_response import RevocationOutcome
from bff.provider.client_requests import ClientRequests
from bff.provider.discovery import Discovery
from bff.provider.shares import REVOCATIONS, Share

RETRY_DELAY = 1.0
_MAX_PENDING = 1000
_FAILURES = (ProviderUnavailable, InvalidProviderAnswer, ClientRefused)


class Revocation:
    """Revokes tokens; no method raises what went wrong at the provider."""

    def __init__(self, requests: ClientRequests, discovery: Discovery) -> None:
        self._requests = requests
        self._discovery = discovery
        self._share = Share(REVOCATIONS)
        self._pending: set[asyncio.Task[None]] = set()

    def later(self, *, refresh_token: str | None, access_token: str | None, dpop_key: bytes | None = None) -> None:
        """Revoke a grant in the background: the refresh token first, for it can make new access tokens.

        `dpop_key` is the encoded key that its tokens are bound to: some providers want a proof for this as well.
        """
        if len(self._pending) >= _MAX_PENDING:
            event(logging.WARNING, "revocation.dropped")
            return
        task = asyncio.create_task(self._revoke_both(refresh_token, access_token, dpop_key))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def revoke(self, token: str, hint: str, dpop_key: bytes | None = None) -> bool:
        """Revoke one token, trying twice; whether the provider has confirmed it. `hint` is the kind of token."""
        key = None if dpop_key is None else DpopKey(dpop_key)
        for delay in (0.0, RETRY_DELAY):
            await asyncio.sleep(delay)
            try:
                metadata = await self._discovery.metadata.get()
                if metadata.revocation_endpoint is None:
                    return False
                async with self._share:
                    outcome = await self._requests.revoke(
                        metadata, metadata.revocation_endpoint, token=token, hint=hint, dpop_key=key
                    )
            except _FAILURES as failure:
                reason = failure.reason
            else:
                if outcome is RevocationOutcome.REVOKED:
                    return True
                if outcome is RevocationOutcome.UNSUPPORTED_TOKEN_TYPE and hint == "access_token":
                    # As many providers answer for signed access tokens: these end by themselves, soon.
                    return False
                reason = f"revocation.{outcome.value}"
                break
        event(logging.WARNING, "revocation.failed", reason=reason)
        return False

    async def close(self, within: float) -> None:
        """Wait `within` seconds for what is under way, then give up."""
        await finish(list(self._pending), within)

    async def _revoke_both(self, refresh_token: str | None, access_token: str | None, dpop_key: bytes | None) -> None:
        if refresh_token is not None:
            await self.revoke(refresh_token, "refresh_token", dpop_key)
        if access_token is not None:
            await self.revoke(access_token, "access_token", dpop_key)
