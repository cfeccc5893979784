"""`/bff/login/resume`: the way on from a login that led nowhere.

The session cookie does not come along when the provider sends the browser back, for that is another site. So the
callback cannot tell "somebody is logged in already" from "nobody is"; a page of ours that goes here can.
"""

from __future__ import annotations

from starlette.responses import Response

from bff.asgi.answers import START_PAGE, ErrorPage, Refusal, redirection, with_cookies
from bff.asgi.paths import login_link, resume_link
from bff.asgi.request import Request
from bff.endpoints.presented_session import current_session
from bff.errors import LoginFailed, StoreUnavailable
from bff.oauth.query import MalformedQuery, parse_parameters
from bff.oauth.return_to import ReturnPath, parse_return_to
from bff.session.cookies import SessionCookies
from bff.sessions import Sessions

_LONGEST_QUERY = 8 * 1024
_LINES = ("It was answered already, took too long, or was begun in another browser.",)


class ResumeEndpoint:
    """Goes on to where a login was to end if somebody is logged in; never begins a login by itself."""

    def __init__(self, *, sessions: Sessions, cookies: SessionCookies) -> None:
        self._sessions = sessions
        self._cookies = cookies

    async def resume(self, request: Request) -> Response:
        """Answer with a redirection; raises a `Refusal` with a page that offers a new login, or to try again."""
        try:
            return_to = parse_return_to(parse_parameters(request.query, max_size=_LONGEST_QUERY).get("return_to"))
        except MalformedQuery:
            return_to = ReturnPath("/")
        try:
            is_logged_in = await self._is_logged_in(request)
        except StoreUnavailable as error:
            raise Refusal(error, ErrorPage(links=((resume_link(return_to), "Try again"), START_PAGE))) from error
        if is_logged_in:
            return redirection(return_to)
        raise Refusal(LoginFailed("resume.no_session"), _page(return_to))

    async def after_callback(
        self, request: Request, error: LoginFailed, return_to: ReturnPath, set_cookies: tuple[str, ...]
    ) -> Response:
        """Answer a callback that belongs to no login of this browser: straight on, or by way of our own page.

        Raises a `Refusal` with that page, and `StoreUnavailable`.
        """
        if not request.cookie(self._cookies.session_name):
            way_on = resume_link(return_to)
            links = ((way_on, "Continue"), START_PAGE)
            raise Refusal(error, ErrorPage(title="One moment …", continue_to=way_on, links=links), set_cookies)
        if await self._is_logged_in(request):
            request.notes.code = error.code
            return with_cookies(redirection(return_to), set_cookies)
        raise Refusal(error, _page(return_to), set_cookies)

    async def _is_logged_in(self, request: Request) -> bool:
        return await current_session(request, self._cookies, self._sessions) is not None


def _page(return_to: ReturnPath) -> ErrorPage:
    return ErrorPage(lines=_LINES, links=_links(return_to))


def _links(return_to: ReturnPath) -> tuple[tuple[str, str], ...]:
    return ((login_link(return_to), "Sign in again"), START_PAGE)
