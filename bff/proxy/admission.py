"""Whether a call may be made, and with which token: the way from a request to `admitted` or `refused`.

    method, path, size ─► cookie ─► cross-origin verdict ─► session read ─► login ─► token fresh? ─► scope ─► admitted
                            │ none, or no session                                      │ no
                            └─► anonymous, where allowed: without a token,             └─► refreshed in a task of
                                or after the same verdict with the gateway's own           its own

Everything but the read and the refresh is decided at once; `cancel` ends the wait, and after it nothing is called.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from bff.errors import (
    BadRequest,
    BodyTooLarge,
    CrossOriginRejected,
    GatewayError,
    InsufficientScope,
    MethodNotAllowed,
    NoSession,
    SessionEnded,
    SessionExpired,
    StepUpRequired,
    StoreUnavailable,
    as_gateway_error,
)
from bff.http.cookies import cookie_values
from bff.http.cross_origin import is_same_origin
from bff.http.targets import check_path, upstream_target
from bff.http.websocket import check_handshake
from bff.session.cookies import decode_handle

if TYPE_CHECKING:
    from bff.proxy.context import ProxiedRoute, ProxyContext
    from bff.proxy.request import Request
    from bff.session.record import AccessToken
    from bff.session.store import StoredSession, Tombstone
    from bff.sessions import Session


class Applicant(Protocol):
    """Who asks for admission."""

    def admitted(self, target: bytes, token: AccessToken | None, session: Session | None) -> None:
        """The call may be made: to this target, with this token, for the user of this session or for nobody."""
        ...

    def refused(self, error: GatewayError) -> None:
        """The call may not be made."""
        ...


class Admission:
    """The judgement of one request."""

    __slots__ = ("_applicant", "_context", "_handle", "_key", "_pending", "_request", "_route", "_target")

    def __init__(self, context: ProxyContext, route: ProxiedRoute, request: Request, applicant: Applicant) -> None:
        self._context = context
        self._route = route
        self._request = request
        self._applicant: Applicant | None = applicant
        self._pending: asyncio.Future[Any] | None = None
        self._handle = b""
        self._key = ""
        self._target = b""

    def begin(self) -> None:
        """Judge as far as can be judged without waiting."""
        try:
            self._judge()
        except Exception as error:  # noqa: BLE001 -- a call must be answered whatever went wrong
            self._refuse(as_gateway_error(error))

    def cancel(self) -> None:
        """Stop waiting; the applicant hears no more of it."""
        self._applicant = None
        if self._pending is not None:
            self._pending.cancel()

    def _judge(self) -> None:
        route, request = self._route, self._request
        if request.method not in route.methods:
            raise MethodNotAllowed(sorted(method.decode("ascii") for method in route.methods))
        check_path(request.path)
        if not self._context.routes.is_certain(request.path, route.prefix_bytes):
            raise BadRequest("target.route")
        self._target = upstream_target(
            request.path, request.query, prefix=route.prefix_bytes, upstream_path=route.upstream_path
        )
        head = request.head
        if head.content_length is not None and head.content_length > route.max_body:
            raise BodyTooLarge("body.content_length")
        expectation = head.single(b"expect")
        if expectation is not None and expectation.lower() != b"100-continue":
            raise BadRequest("expect.unknown")
        if request.is_websocket:
            check_handshake(
                request.method, head, is_http_11=request.is_http_11, public_origin=self._context.public_origin
            )
        if route.reads_session:
            self._judge_cookie()
        else:
            self._admit_anonymous()

    def _judge_cookie(self) -> None:
        context, head = self._context, self._request.head
        values = cookie_values(head.all(b"cookie"), context.session_cookie)
        if not values:
            if not self._route.allows_anonymous:
                raise NoSession("cookie.absent")
            self._admit_anonymous()
            return
        self._judge_origin()
        handle = decode_handle(values[0]) if len(values) == 1 else None
        if handle is None:
            if not self._route.allows_anonymous:
                raise NoSession("cookie.malformed")
            self._admit_anonymous()
            return
        self._handle = handle
        self._key = context.sessions.store_key(handle)
        context.sessions.store.read_for(self._key, self)

    def _judge_origin(self) -> None:
        request, head = self._request, self._request.head
        # The origin of a WebSocket handshake was judged with the handshake.
        if not request.is_websocket and not is_same_origin(
            request.method,
            sec_fetch_site=head.single(b"sec-fetch-site"),
            origin=head.single(b"origin"),
            x_csrf=head.single(b"x-csrf"),
            public_origin=self._context.public_origin,
        ):
            raise CrossOriginRejected("cross_origin")

    # What the store says (`bff.session.store.Waiter`).

    def done(self) -> bool:
        """Whether nobody waits any more."""
        return self._applicant is None

    def set_exception(self, error: StoreUnavailable) -> None:
        """Refuse: without the store nobody can be told apart."""
        self._refuse_session(error)

    def set_result(self, found: StoredSession | Tombstone | None) -> None:
        """Go on with what the store has."""
        context, route = self._context, self._route
        try:
            now = context.clock()
            session = context.sessions.opened(self._handle, self._key, found, now)
            if route.step_up is not None and not route.step_up.is_met(
                session.record.acr, session.record.auth_time, now
            ):
                raise StepUpRequired("route.step_up", login_query=route.step_up.query)
            token = context.tokens.held(session, now, route.user_target)
            if token is not None:
                self._admit_session(session, token)
                return
        except Exception as error:  # noqa: BLE001 -- a call must be answered whatever went wrong
            self._refuse_session(as_gateway_error(error))
            return
        task = asyncio.get_running_loop().create_task(context.tokens.access_token(session, route.user_target))
        self._pending = task
        task.add_done_callback(self._token_obtained)

    def _token_obtained(self, task: asyncio.Future[tuple[Session, AccessToken]]) -> None:
        if self._has_left(task):
            return
        try:
            session, token = task.result()
            self._admit_session(session, token)
        except Exception as error:  # noqa: BLE001 -- as above
            # There was a session: whose token cannot be had is refused, never served as nobody.
            self._refuse(as_gateway_error(error))

    def _has_left(self, future: asyncio.Future[Any]) -> bool:
        self._pending = None
        if future.cancelled():
            self._refuse(StoreUnavailable("store.closed"))
            return True
        if self._applicant is None:
            future.exception()  # looked at, so that the event loop does not report it as lost
            return True
        return False

    def _admit_session(self, session: Session, token: AccessToken) -> None:
        context = self._context
        if self._route.require_scope:
            self._judge_scope(token)
        if context.sessions.touch_due(session, context.clock()):
            context.sessions.touch_later(session)
        self._admit(token, session)

    def _refuse_session(self, error: GatewayError) -> None:
        if self._route.allows_anonymous and isinstance(error, SessionExpired | SessionEnded):
            try:
                self._admit_anonymous()
            except Exception as anonymous_error:  # noqa: BLE001 -- as above
                self._refuse(as_gateway_error(anonymous_error))
        else:
            self._refuse(error)

    def _admit_anonymous(self) -> None:
        """Admit a call that is made for no user: with the gateway's own token where the route says so."""
        context, target = self._context, self._route.client_target
        if target is None:
            self._admit(None, None)
            return
        # It acts with the gateway's authority, which no other site's page may use.
        self._judge_origin()
        token = context.client_tokens.held(target, context.clock())
        if token is not None:
            self._judge_scope(token)
            self._admit(token, None)
            return
        task = asyncio.get_running_loop().create_task(context.client_tokens.access_token(target))
        self._pending = task
        task.add_done_callback(self._client_token_obtained)

    def _client_token_obtained(self, task: asyncio.Future[AccessToken]) -> None:
        if self._has_left(task):
            return
        try:
            token = task.result()
            self._judge_scope(token)
            self._admit(token, None)
        except Exception as error:  # noqa: BLE001 -- as above
            self._refuse(as_gateway_error(error))

    def _judge_scope(self, token: AccessToken) -> None:
        route = self._route
        if route.require_scope and not route.require_scope.issubset(token.scope):
            raise InsufficientScope("route.require_scope")

    def _admit(self, token: AccessToken | None, session: Session | None) -> None:
        if self._applicant is not None:
            # Kept until it has taken the token: if it cannot, it is refused.
            self._applicant.admitted(self._target, token, session)
            self._applicant = None

    def _refuse(self, error: GatewayError) -> None:
        applicant, self._applicant = self._applicant, None
        if applicant is not None:
            applicant.refused(error)
