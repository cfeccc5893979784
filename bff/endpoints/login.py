"""`/bff/login`: the start of a login; a person's own step, never that of a script or of a browser guessing ahead."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec
from starlette.responses import Response

from bff.asgi.answers import START_PAGE, ErrorPage, Refusal, redirection, with_cookies
from bff.asgi.paths import login_link
from bff.asgi.request import Request
from bff.endpoints.login_parameters import MAX_SIZE, LoginParameters, LoginParametersReader
from bff.endpoints.pending_logins import PendingLogins
from bff.endpoints.presented_session import presented_session
from bff.endpoints.silent_logins import SilentLogins
from bff.errors import BadRequest, ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.oauth.dpop import new_dpop_key
from bff.oauth.transaction import Transaction, new_transaction
from bff.provider import Provider
from bff.session.cookies import SessionCookies
from bff.session.signing import RANDOM_LENGTH, StateSigner

_SPECULATIVE = (b"prefetch", b"prerender", b"preview")


class LoginEndpoint:
    """Sends the browser to the provider with a new login in a cookie; `on_login` is told `started`.

    With `binds_tokens` each login draws the key that its tokens may come bound to (RFC 9449).
    """

    def __init__(
        self,
        *,
        provider: Provider,
        parameters: LoginParametersReader,
        pending: PendingLogins,
        silent: SilentLogins,
        cookies: SessionCookies,
        states: StateSigner,
        store_key: Callable[[bytes], str],
        issuer: str,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        binds_tokens: bool = False,
        on_login: Callable[[str], None],
    ) -> None:
        self._provider = provider
        self._parameters = parameters
        self._pending = pending
        self._silent = silent
        self._cookies = cookies
        self._states = states
        self._store_key = store_key
        self._issuer = issuer
        self._clock = clock
        self._random_bytes = random_bytes
        self._binds_tokens = binds_tokens
        self._on_login = on_login

    async def start(self, request: Request) -> Response:
        """Begin a login for a link or an address typed in; raises `BadRequest` for any other kind of request."""
        _check_is_navigation(request)
        return await self._begin(request, self._parameters.read(request.query, is_initiation=False), status=302)

    async def start_in_frame(self, request: Request) -> Response:
        """Begin a login that shows nothing, in a frame of our own page; raises `BadRequest` for any other request."""
        _check_is_own_frame(request)
        asked = self._parameters.read(request.query, is_initiation=False)
        parameters = dataclasses.replace(asked, extra={**asked.extra, "prompt": "none"}, silent="frame")
        return await self._silent.in_frame(
            request, lambda: self._begin(request, parameters, status=302), subject=parameters.subject
        )

    async def initiate(self, request: Request) -> Response:
        """Begin a login that a third party posts (OpenID Connect Core 1.0 section 4)."""
        _check_is_navigation(request)
        body = await request.form_body(MAX_SIZE)
        return await self._begin(request, self._parameters.read(body, is_initiation=True), status=303)

    async def _begin(self, request: Request, parameters: LoginParameters, *, status: int) -> Response:
        if parameters.silent == "page":
            self._silent.check_not_in_circles(request, parameters.return_to)
        transaction = self._transaction(request, parameters)
        try:
            location = await self._provider.login_url(transaction, parameters.extra)
        except (ProviderUnavailable, InvalidProviderAnswer, ClientRefused) as error:
            retry = login_link(transaction.return_to)
            error_page = ErrorPage(
                lines=("The login cannot begin at the moment. Please try again shortly.",),
                links=((retry, "Try again"), START_PAGE),
            )
            raise Refusal(error, error_page) from error
        self._on_login("started")
        return with_cookies(redirection(location, status=status), self._pending.begin(request, transaction))

    def _transaction(self, request: Request, parameters: LoginParameters) -> Transaction:
        """Return a new login; the session presented now will be ended by the one it leads to, not before."""
        now = self._clock()
        handle = presented_session(request, self._cookies).handle
        transaction = new_transaction(
            state=self._states.issue(self._random_bytes(RANDOM_LENGTH), now),
            issuer=self._issuer,
            return_to=parameters.return_to,
            now=now,
            random_bytes=self._random_bytes,
            max_age=parameters.max_age,
            acr_values=parameters.acr_values,
            previous_session=None if handle is None else self._store_key(handle),
            silent=parameters.silent,
            subject=parameters.subject if parameters.silent is not None else None,
            is_step_up=handle is not None and parameters.acr_values is not None,
            dpop_key=new_dpop_key(self._random_bytes).encoded if self._binds_tokens else None,
        )
        if self._pending.fits(transaction):
            return transaction
        return msgspec.structs.replace(transaction, return_to="/")


def _check_is_own_frame(request: Request) -> None:
    """Raise `BadRequest` unless a page of ours shows the answer in a frame, as far as the browser tells."""
    if request.single(b"sec-fetch-dest") not in (None, b"iframe", b"frame"):
        raise BadRequest("login.not_a_frame")
    if request.single(b"sec-fetch-site") not in (None, b"same-origin"):
        raise BadRequest("login.foreign_frame")


def _check_is_navigation(request: Request) -> None:
    """Raise `BadRequest` unless a person goes to a page of their own, as far as the request tells.

    A script's call would end at the provider's login page without anybody seeing it, one made ahead of a click would
    begin logins nobody wants, and a login in a frame invites click-jacking. What sends no Fetch Metadata is an old
    browser or none, and its other fields tell nothing: `curl` has good reason to send `X-CSRF`, or to ask for JSON.
    """
    purposes = (request.single(b"sec-purpose"), request.single(b"purpose"), request.single(b"x-moz"))
    if any(word in purpose.lower() for purpose in purposes if purpose for word in _SPECULATIVE):
        raise BadRequest("login.speculative")
    mode = request.single(b"sec-fetch-mode")
    destination = request.single(b"sec-fetch-dest")
    if mode is not None:
        if mode != b"navigate" or destination not in (None, b"document"):
            raise BadRequest("login.not_a_navigation")
    elif request.single(b"x-requested-with") is not None:
        raise BadRequest("login.not_a_navigation")
