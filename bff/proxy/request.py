"""A request as it came in, before anybody judged it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead


class Request:
    """Method, raw path, query and header section of one request; `started_at` is the event loop's time."""

    __slots__ = (
        "head", "is_http_11", "is_websocket", "keep_alive", "method", "path", "query", "request_id", "started_at",
    )  # fmt: skip

    def __init__(
        self,
        *,
        method: bytes,
        path: bytes,
        query: bytes | None,
        head: RequestHead,
        is_http_11: bool,
        keep_alive: bool,
        request_id: str,
        started_at: float,
        is_websocket: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.head = head
        self.is_http_11 = is_http_11
        self.keep_alive = keep_alive
        self.request_id = request_id
        self.started_at = started_at
        self.is_websocket = is_websocket

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits to be asked for the body (RFC 9110 section 10.1.1)."""
        return self.is_http_11 and self.head.single(b"expect") is not None
