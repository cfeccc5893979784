"""`/bff/session`: who is logged in, for the application; `/bff/session/refresh`: the same, read again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.responses import Response

from bff.asgi.answers import json_answer, with_cookies
from bff.asgi.paths import LOGIN, LOGOUT
from bff.asgi.request import Request
from bff.endpoints.presented_session import presented_session
from bff.errors import SessionEnded, SessionExpired
from bff.session.cookies import SessionCookies
from bff.sessions import Session, Sessions
from bff.tokens import Tokens


class SessionEndpoint:
    """Shows a session; the answer never holds a token.

    `claims` are the names of those the application may see. All methods raise `StoreUnavailable`.
    """

    def __init__(
        self,
        *,
        sessions: Sessions,
        tokens: Tokens,
        cookies: SessionCookies,
        claims: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._cookies = cookies
        self._claims = tuple(claims)
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """Answer who is logged in; the idle limit keeps running."""
        return await self._answer(request, _as_it_is)

    async def extend(self, request: Request) -> Response:
        """Answer the same, and count the idle limit from now."""
        return await self._answer(request, self._sessions.extend)

    async def refresh(self, request: Request) -> Response:
        """Refresh the tokens, read the claims again and answer the same; raises as `Tokens.refresh_now`."""
        return await self._answer(request, self._refreshed)

    async def _refreshed(self, session: Session) -> Session:
        return await self._sessions.extend(await self._tokens.refresh_now(session))

    async def _answer(self, request: Request, change: Callable[[Session], Awaitable[Session]]) -> Response:
        presented = presented_session(request, self._cookies)
        document: dict[str, object] = {"authenticated": False, "login_url": LOGIN}
        if presented.handle is not None:
            try:
                session = await change(await self._sessions.resume(presented.handle))
            except (SessionExpired, SessionEnded) as error:
                request.notes.code = error.code
            else:
                document = self._document(session)
        answer = with_cookies(json_answer(document), presented.cleanup)
        answer.headers["Vary"] = "Cookie"
        return answer

    def _document(self, session: Session) -> dict[str, object]:
        now, claims = self._clock(), session.record.claims
        return {
            "authenticated": True,
            "claims": {name: claims[name] for name in self._claims if name in claims},
            "idle_expires_in": max(0, int(session.idle_expires_at(self._sessions.idle) - now)),
            "expires_in": max(0, int(session.record.expires_at - now)),
            "logout_url": LOGOUT,
        }


async def _as_it_is(session: Session) -> Session:
    return session
