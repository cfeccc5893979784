"""The first to see a request and the last to see its answer: identifier, client, access line, measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.asgi.request import Notes, attach_notes
from bff.http.forwarded import Network, client_address


class AccessLog(Protocol):
    """Writes one line for each request."""

    def write(
        self,
        request_id: str,
        route: str,
        method: str,
        path: bytes,
        status: int,
        sent: int,
        duration_ms: float,
        upstream_ms: float | None,
        client: str,
        code: str | None,
    ) -> None:
        """Write the line; `path` is without its query."""
        ...


class Access:
    """Gives every request its notes, and writes them down when it has been answered.

    `observe` gets the route's name, the method, the status and the seconds it took; `timer` counts seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access_log: AccessLog,
        observe: Callable[[str, str, int, float], None],
        new_request_id: Callable[[], str],
        timer: Callable[[], float],
        trusted_proxies: Sequence[Network],
    ) -> None:
        self._app = app
        self._access_log = access_log
        self._observe = observe
        self._new_request_id = new_request_id
        self._timer = timer
        self._trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; one that is never answered is logged with status 0."""
        started_at = self._timer()
        notes = Notes(self._new_request_id(), self._client(scope))
        attach_notes(scope, notes)
        status, sent = 0, 0

        async def noting_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                fields = [*message["headers"], (b"x-request-id", notes.request_id.encode("ascii"))]
                message = {**message, "headers": fields}
            elif message["type"] == "http.response.body" and scope["method"] != "HEAD":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        finally:
            seconds = self._timer() - started_at
            self._observe(notes.route, scope["method"], status, seconds)
            self._access_log.write(
                notes.request_id,
                notes.route,
                scope["method"],
                scope["raw_path"],
                status,
                sent,
                seconds * 1000,
                None,
                notes.client,
                notes.code,
            )

    def _client(self, scope: Scope) -> str:
        peer = scope["client"][0] if scope.get("client") else "-"
        forwarded_for = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        forwarded = [value for name, value in scope["headers"] if name == b"forwarded"]
        return client_address(peer, forwarded_for, self._trusted_proxies, forwarded=forwarded)
