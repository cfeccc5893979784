"""A request as it came in, before anybody judged it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead


class Request(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Method, raw path, query and header section of one request; `started_at` is in monotonic seconds."""

    method: bytes
    path: bytes
    query: bytes | None
    head: RequestHead
    is_http_11: bool
    keep_alive: bool
    request_id: str
    started_at: float
    is_websocket: bool = False

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits to be asked for the body (RFC 9110 section 10.1.1)."""
        return self.is_http_11 and self.head.single(b"expect") is not None
