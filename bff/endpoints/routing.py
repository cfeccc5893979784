"""From a request to the endpoint that answers it: exact raw path, exact method, and the protection the route names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bff.asgi.paths import PREFIX
from bff.asgi.request import Request, notes_of
from bff.errors import CrossOriginRejected, MethodNotAllowed, NotFound
from bff.http.cross_origin import is_same_origin

Handler = Callable[[Request], Awaitable[Response]]


class Protection(Enum):
    """What stands between other sites' pages and an endpoint."""

    NAVIGATION = "a navigation that changes nothing for a session; the login flow's own checks apply"
    COOKIE_FROM_OWN_ORIGIN = "a request with the session cookie must come from our own origin"
    OWN_ORIGIN = "every request must come from our own origin"
    PROVIDER_SIGNATURE = "the provider's signature"
    PUBLIC = "nothing: the answer is the same for everybody"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One line of the route table; `name` is for logs and metrics."""

    path: str
    name: str
    protection: Protection
    handlers: Mapping[str, Handler]


class Endpoints:
    """Serves the table's endpoints, and hands all other paths outside `/bff/` to `fallback`.

    Paths are compared as they were sent: what needs decoding first to look like an endpoint is none.
    """

    def __init__(
        self, table: Sequence[Endpoint], *, fallback: ASGIApp, public_origin: str, session_cookie: str
    ) -> None:
        self._by_path = {endpoint.path.encode("ascii"): endpoint for endpoint in table}
        self._fallback = fallback
        self._public_origin = public_origin.encode("ascii")
        self._session_cookie = session_cookie
        self._prefix = PREFIX.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; raises `NotFound`, `MethodNotAllowed`, `CrossOriginRejected` and what endpoints raise."""
        path: bytes = scope["raw_path"]
        endpoint = self._by_path.get(path)
        if endpoint is None:
            if path == self._prefix or path.startswith(self._prefix + b"/"):
                notes_of(scope).route = "bff"
                raise NotFound("path.unknown")
            await self._fallback(scope, receive, send)
            return
        request = Request(scope, receive)
        request.notes.route = endpoint.name
        handler = endpoint.handlers.get(request.method)
        if handler is None:
            raise MethodNotAllowed(tuple(endpoint.handlers), "method")
        self._protect(endpoint.protection, request)
        answer = await handler(request)
        await answer(scope, receive, send)

    def _protect(self, protection: Protection, request: Request) -> None:
        is_asked = protection is Protection.OWN_ORIGIN or (
            protection is Protection.COOKIE_FROM_OWN_ORIGIN and bool(request.cookie(self._session_cookie))
        )
        if is_asked and not is_same_origin(
            request.method.encode("ascii"),
            sec_fetch_site=request.single(b"sec-fetch-site"),
            origin=request.single(b"origin"),
            x_csrf=request.single(b"x-csrf"),
            public_origin=self._public_origin,
        ):
            raise CrossOriginRejected("cross_origin")
