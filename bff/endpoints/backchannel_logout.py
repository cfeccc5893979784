"""`/bff/backchannel-logout`: the provider ends sessions (OpenID Connect Back-Channel Logout 1.0).

     token valid? ─► not used up? ─► sessions end ─► the token is used up ─► 200
                                          │ not all
                                          └─► 400, and the same token may come again

That sessions end comes before everything else: a store that cannot note whether the token was used before, for its
memory is full, still ends them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from bff.asgi.answers import json_answer
from bff.asgi.request import Request
from bff.errors import BadRequest, GatewayError, StoreUnavailable, as_gateway_error
from bff.logs import event
from bff.oauth.logout_token import LogoutToken
from bff.oauth.query import MalformedQuery, parse_parameters
from bff.provider import Provider
from bff.sessions import Sessions

MAX_BODY: Final = 64 * 1024

RETRY_PAUSES: Final = (0.5, 1.5)
"""Seconds between attempts to reach a store that does not answer for a moment."""


class BackchannelLogoutEndpoint:
    """Answers 200 when everything the token names has ended, else 400, as section 2.8 has it: no other status.

    `on_accepted` is called for the former, `on_refused` told why for the latter; `clock` tells seconds since the epoch.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        sessions: Sessions,
        clock: Callable[[], float],
        on_accepted: Callable[[], None],
        on_refused: Callable[[Request, GatewayError], None],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._clock = clock
        self._on_accepted = on_accepted
        self._on_refused = on_refused

    async def end(self, request: Request) -> Response:
        """End the sessions named by the posted logout token; sessions that are gone already count as ended."""
        try:
            await self._end(_logout_token(await request.form_body(MAX_BODY)))
        except Exception as raised:  # noqa: BLE001 -- the specification knows one status for all failures
            error = as_gateway_error(raised)
            request.notes.code = error.code
            self._on_refused(request, error)
            return json_answer({"error": "invalid_request"}, status=400)
        self._on_accepted()
        return Response(b"", 200)

    async def _end(self, token: str) -> None:
        logout = await self._provider.logout_token(token)
        lifetime = max(logout.expires_at - self._clock(), 1.0)
        if not await self._is_unused(logout.token_id, lifetime):
            # A second use could end sessions that began after the token was issued.
            raise BadRequest("logout_token.replayed")
        await self._end_sessions(logout)
        try:
            await self._sessions.use_up_token_id(logout.token_id, lifetime)
        except StoreUnavailable as error:
            event(logging.WARNING, "backchannel_logout.not_noted", reason=error.reason)

    async def _is_unused(self, token_id: str, lifetime: float) -> bool:
        try:
            return await self._sessions.claim_token_id(token_id, lifetime)
        except StoreUnavailable as error:
            event(logging.WARNING, "backchannel_logout.replay_unchecked", reason=error.reason)
            return True

    async def _end_sessions(self, logout: LogoutToken) -> None:
        for pause in RETRY_PAUSES:
            try:
                await self._end_once(logout)
            except StoreUnavailable:
                # Not many providers try again.
                await asyncio.sleep(pause)
            else:
                return
        await self._end_once(logout)

    async def _end_once(self, logout: LogoutToken) -> None:
        await self._sessions.end_by_provider(logout.issuer, logout.sid, logout.subject, logout.issued_at)


def _logout_token(body: bytes) -> str:
    try:
        token = parse_parameters(body, max_size=MAX_BODY).get("logout_token")
    except MalformedQuery:
        raise BadRequest("logout_token.malformed") from None
    if not token:
        raise BadRequest("logout_token.missing")
    return token
