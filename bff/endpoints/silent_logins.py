"""Logins that may show nothing (`prompt=none`), and how their outcome reaches the application.

     top level    /bff/login?prompt=none  ─► provider ─► callback ─► return_to, or return_to?login_error=login_required
     in a frame   /bff/login/silent       ─► provider ─► callback ─► a message to the page around the frame

At the top level a page that tries again whenever nobody is logged in would go round in circles for ever. So failures in
a row are counted in a cookie, and the sixth within a minute is answered by a page that a person has to act on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from bff.asgi.answers import START_PAGE, ErrorPage, Refusal, page_answer, redirection, with_cookies
from bff.asgi.paths import login_link
from bff.asgi.request import Request
from bff.endpoints.presented_session import current_session
from bff.errors import GatewayError, LoginFailed
from bff.http.message_page import message_page
from bff.oauth.authorization_response import AnotherUser, ProviderRefusal
from bff.oauth.return_to import with_login_error
from bff.oauth.transaction import Transaction
from bff.session.cookies import SessionCookies
from bff.sessions import Sessions

MESSAGE_TYPE: Final = "bff.silent_login"
MOST_FAILURES: Final = 5

# What a provider answers when a person would have to do something (OpenID Connect Core section 3.1.2.6).
_NEEDS_A_PERSON: Final = frozenset(
    {"account_selection_required", "consent_required", "interaction_required", "login_required"}
)
_FRAMES: Final = (b"iframe", b"frame")


def needs_a_person(error: GatewayError) -> bool:
    """Whether the provider refused because it may not show anything."""
    return isinstance(error, ProviderRefusal) and error.error in _NEEDS_A_PERSON


class SilentLogins:
    """Answers silent logins; with `allows_frames` in frames of our own pages too.

    `on_refused` is told of the failures that nobody expects.
    """

    def __init__(
        self,
        *,
        sessions: Sessions,
        cookies: SessionCookies,
        origin: str,
        allows_frames: bool,
        on_refused: Callable[[Request, GatewayError], None],
    ) -> None:
        self._sessions = sessions
        self._cookies = cookies
        self._origin = origin
        self._allows_frames = allows_frames
        self._on_refused = on_refused

    def check_not_in_circles(self, request: Request, return_to: str) -> None:
        """Raise a `Refusal` if silent logins have failed again and again just now."""
        if self._failures(request) >= MOST_FAILURES:
            links = ((login_link(return_to), "Sign in"), START_PAGE)
            raise Refusal(LoginFailed("login.silent_again"), ErrorPage(title="You are not logged in.", links=links))

    def is_framed(self, request: Request) -> bool:
        """Whether the answer will be shown in a frame that may be one of our own pages'."""
        return self._allows_frames and request.single(b"sec-fetch-dest") in _FRAMES

    async def in_frame(
        self, request: Request, begin: Callable[[], Awaitable[Response]], *, subject: str | None
    ) -> Response:
        """Begin a login in a frame, unless somebody is logged in: a session is never replaced behind a page's back.

        If that is not the `subject`, where one is given, the page is told `login_required`.
        """
        try:
            present = await self._logged_in(request)
            return await begin() if present is None else self._stays(request, present, subject)
        except (GatewayError, Refusal) as failure:
            return self.failure(request, failure)

    async def answered(
        self,
        request: Request,
        transaction: Transaction,
        finish: Callable[[], Awaitable[Response]],
        *,
        cleared: tuple[str, ...],
    ) -> Response:
        """Return what the application is told of the end of a login; `cleared` removes the login's cookie."""
        if transaction.silent == "frame":
            return await self._answered_in_frame(request, transaction.subject, finish, cleared)
        try:
            answer = await finish()
        except Refusal as refusal:
            if transaction.silent is None or not needs_a_person(refusal.error):
                raise
            return self._back(request, transaction, refusal)
        was_counted = transaction.silent == "page" and self._failures(request) > 0
        return with_cookies(answer, (self._cookies.clear_silent(),) if was_counted else ())

    def failure(self, request: Request, failure: GatewayError | Refusal) -> Response:
        """Return the message for a login in a frame that led nowhere."""
        refusal = failure if isinstance(failure, Refusal) else Refusal(failure)
        error = refusal.error
        request.notes.code = error.code
        if isinstance(error, ProviderRefusal) and needs_a_person(error):
            answer = self._message(authenticated=False, error=error.error)
        else:
            self._on_refused(request, error)
            answer = self._message(authenticated=False, error=error.code, status=error.status)
        return with_cookies(answer, refusal.set_cookies)

    async def _answered_in_frame(
        self,
        request: Request,
        subject: str | None,
        finish: Callable[[], Awaitable[Response]],
        cleared: tuple[str, ...],
    ) -> Response:
        try:
            present = await self._logged_in(request)
            if present is not None:
                # They logged in meanwhile, in another tab; the code is left alone.
                return with_cookies(self._stays(request, present, subject), cleared)
            answer = await finish()
        except (GatewayError, Refusal) as failure:
            return self.failure(request, failure)
        return with_cookies(self._message(authenticated=True), answer.headers.getlist("set-cookie"))

    def _stays(self, request: Request, present: str, subject: str | None) -> Response:
        """Return the message for a page that shows `subject`, if it has said so, while `present` is logged in."""
        if subject in (None, present):
            return self._message(authenticated=True)
        return self.failure(request, AnotherUser())

    def _back(self, request: Request, transaction: Transaction, refusal: Refusal) -> Response:
        assert isinstance(refusal.error, ProviderRefusal)
        request.notes.code = refusal.error.code
        counted = self._cookies.set_silent(min(self._failures(request) + 1, MOST_FAILURES))
        answer = redirection(with_login_error(transaction.return_to, refusal.error.error))
        return with_cookies(answer, (*refusal.set_cookies, counted))

    def _failures(self, request: Request) -> int:
        values = request.cookie(self._cookies.silent_name)
        return int(values[0]) if len(values) == 1 and values[0] in (b"1", b"2", b"3", b"4", b"5") else 0

    async def _logged_in(self, request: Request) -> str | None:
        """Return the user of the session that is presented, None if it is over or none is."""
        session = await current_session(request, self._cookies, self._sessions)
        return None if session is None else session.record.subject

    def _message(self, *, authenticated: bool, error: str | None = None, status: int = 200) -> Response:
        message: dict[str, object] = {"type": MESSAGE_TYPE, "authenticated": authenticated}
        if error is not None:
            message["error"] = error
        return page_answer(message_page(message, origin=self._origin), status=status)
