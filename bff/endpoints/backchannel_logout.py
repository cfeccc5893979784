"""`/bff/backchannel-logout`: the provider ends sessions (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from bff.asgi.answers import json_answer
from bff.asgi.request import Request
from bff.errors import BadRequest, GatewayError, StoreUnavailable, as_gateway_error
from bff.oauth.logout_token import LogoutToken
from bff.oauth.query import MalformedQuery, parse_parameters
from bff.provider import Provider
from bff.sessions import Sessions

MAX_BODY: Final = 64 * 1024

RETRY_PAUSES: Final = (0.5, 1.5)
"""Seconds between attempts to reach a store that does not answer for a moment."""


class BackchannelLogoutEndpoint:
    """Answers 200 when everything the token names has ended, else 400, as section 2.8 has it: no other status.

    `on_ended` is told how many sessions ended, `on_refused` why none did; `clock` tells seconds since the epoch.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        sessions: Sessions,
        clock: Callable[[], float],
        on_ended: Callable[[int], None],
        on_refused: Callable[[Request, GatewayError], None],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._clock = clock
        self._on_ended = on_ended
        self._on_refused = on_refused

    async def end(self, request: Request) -> Response:
        """End the sessions named by the posted logout token; sessions that are gone already count as ended."""
        try:
            ended = await self._end(_logout_token(await request.form_body(MAX_BODY)))
        except Exception as raised:  # noqa: BLE001 -- the specification knows one status for all failures
            error = as_gateway_error(raised)
            request.notes.code = error.code
            self._on_refused(request, error)
            return json_answer({"error": "invalid_request"}, status=400)
        self._on_ended(ended)
        return Response(b"", 200)

    async def _end(self, token: str) -> int:
        logout = await self._provider.logout_token(token)
        # Used up first: a second use could end sessions that began after the token was issued.
        lifetime = max(logout.expires_at - self._clock(), 1.0)
        if not await self._sessions.claim_token_id(logout.token_id, lifetime):
            raise BadRequest("logout_token.replayed")
        for pause in RETRY_PAUSES:
            try:
                return await self._end_sessions(logout)
            except StoreUnavailable:
                # The token is used up: if the provider tries again with it, it will be refused.
                await asyncio.sleep(pause)
        return await self._end_sessions(logout)

    async def _end_sessions(self, logout: LogoutToken) -> int:
        return await self._sessions.end_by_provider(logout.issuer, logout.sid, logout.subject, logout.issued_at)


def _logout_token(body: bytes) -> str:
    try:
        token = parse_parameters(body, max_size=MAX_BODY).get("logout_token")
    except MalformedQuery:
        raise BadRequest("logout_token.malformed") from None
    if not token:
        raise BadRequest("logout_token.missing")
    return token
