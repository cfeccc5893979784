"""`/bff/logout`: the session ends here first, then at the provider."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from bff.asgi.answers import json_answer, redirection, with_cookies
from bff.asgi.request import Request
from bff.endpoints.pending_logins import PendingLogins
from bff.endpoints.presented_session import presented_session
from bff.errors import NoSession
from bff.provider import Provider
from bff.session.cookies import SessionCookies
from bff.session.record import SessionRecord
from bff.session.signing import RANDOM_LENGTH, StateSigner
from bff.sessions import Sessions


class LogoutEndpoint:
    """Ends the presented session, if there is one, and says where the browser goes to end it at the provider."""

    def __init__(
        self,
        *,
        provider: Provider,
        sessions: Sessions,
        pending: PendingLogins,
        cookies: SessionCookies,
        post_logout_path: str,
        states: StateSigner,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._pending = pending
        self._cookies = cookies
        self._post_logout_path = post_logout_path
        self._states = states
        self._clock = clock
        self._random_bytes = random_bytes

    async def end(self, request: Request) -> Response:
        """Answer with the URL to go to: as JSON, or as a redirection for a form (RP-Initiated Logout 1.0).

        Raises `StoreUnavailable`, and then nobody is logged out and the cookies stay.
        """
        url = await self._end(request)
        answer = redirection(url) if _is_html_form(request) else json_answer({"logout_url": url})
        return with_cookies(answer, (self._cookies.clear_session(), *self._pending.clear_all(request)))

    async def _end(self, request: Request) -> str:
        dropped = [await self._sessions.drop_login(state) for state in self._pending.states(request)]
        handle = presented_session(request, self._cookies).handle
        record = None if handle is None else await self._end_presented(handle)
        if record is None and not any(dropped):
            return self._post_logout_path
        state = self._states.issue(self._random_bytes(RANDOM_LENGTH), self._clock())
        id_token = None if record is None else record.id_token
        return self._provider.end_session_url(id_token, state=state) or self._post_logout_path

    async def _end_presented(self, handle: bytes) -> SessionRecord | None:
        try:
            seen = (await self._sessions.resume(handle)).record
        except NoSession:
            # Past its limit it may still be in the store.
            seen = None
        record = await self._sessions.end_presented(handle, "logout") or seen
        if record is not None:
            self._provider.revoke_all_later(record)
        return record


def _is_html_form(request: Request) -> bool:
    """Whether a person waits for a page: without Fetch Metadata a form's body tells it as well as what is accepted."""
    if b"application/json" in (request.single(b"accept") or b"").lower():
        return False
    return request.is_navigation or (request.single(b"sec-fetch-mode") is None and request.is_form)
