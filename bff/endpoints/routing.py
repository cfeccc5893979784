"""From a request to the endpoint that answers it: exact raw path, exact method, and the protection the route names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bff.asgi.paths import PREFIX
from bff.asgi.request import Request
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
    """Serves the table's endpoints, and hands all paths outside `/bff/` and the `proxied` prefixes to `fallback`.

    Paths are compared as they were sent: what needs decoding first to look like an endpoint is none.
    """

    def __init__(
        self,
        table: Sequence[Endpoint],
        *,
        fallback: ASGIApp,
        proxied: Iterable[str],
        public_origin: str,
        session_cookie: str,
    ) -> None:
        self._by_path = {endpoint.path.encode("ascii"): endpoint for endpoint in table}
        self._fallback = fallback
        self._public_origin = public_origin.encode("ascii")
        self._session_cookie = session_cookie
        self._prefixes = tuple(prefix.encode("ascii") for prefix in (PREFIX, *proxied))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; raises `NotFound`, `MethodNotAllowed`, `CrossOriginRejected` and what endpoints raise."""
        path: bytes = scope["raw_path"]
        endpoint = self._by_path.get(path)
        if endpoint is None:
            if any(path == prefix or path.startswith(prefix + b"/") for prefix in self._prefixes):
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
        if not is_asked:
            return
        sec_fetch_site, origin = request.single(b"sec-fetch-site"), request.single(b"origin")
        if not is_same_origin(
            request.method.encode("ascii"),
            sec_fetch_site=sec_fetch_site,
            origin=origin,
            x_csrf=request.single(b"x-csrf"),
            public_origin=self._public_origin,
        ):
            decisive = "fetch_metadata" if sec_fetch_site is not None else "origin" if origin is not None else "header"
            raise CrossOriginRejected(f"cross_origin.{decisive}")
