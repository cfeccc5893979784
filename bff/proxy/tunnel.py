"""A call that becomes a WebSocket: judged and sent like any other, and after the upstream's 101 bytes both ways.

    ADMITTING ──► CONNECTING ──► WAITING ──► (101) OPEN ──► ENDED
                                    └──► any other answer: ANSWERING, as of any call

What the browser sends behind its handshake waits until the upstream has agreed.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from bff.errors import GatewayError
from bff.http.websocket import switching_head
from bff.proxy.exchange import Exchange
from bff.proxy.state import State

if TYPE_CHECKING:
    from bff.proxy.context import ProxiedRoute, ProxyContext
    from bff.proxy.front import Front
    from bff.proxy.request import Request


class Tunnel(Exchange):
    """An exchange that may open: then each side's bytes go to the other, at the pace of the slower."""

    __slots__ = ("is_open",)

    accepts_upgrade = True

    def __init__(self, context: ProxyContext, front: Front, route: ProxiedRoute, request: Request) -> None:
        super().__init__(context, front, route, request)
        self.is_open = False

    def upgraded(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Take the upstream's 101: pass it on and open."""
        front, request = self._front, self._request
        try:
            head = switching_head(request.head, fields, request_id=request.request_id)
        except GatewayError as error:
            self.refused(error)
            return
        self.state = State.ANSWERING
        self._report.status = 101
        self._report.answered_at = monotonic()
        self.is_open = True
        front.transport.write(head)
        front.open_tunnel(self)

    def from_upstream(self, data: bytes) -> None:
        """Pass on what the upstream sent."""
        self._report.sent += len(data)
        self._front.transport.write(data)

    def from_browser(self, data: bytes) -> None:
        """Pass on what the browser sent."""
        if self._back is not None:
            self._back.transport.write(data)

    def pause_request(self) -> None:
        """The upstream does not keep up with what the browser sends."""
        if self.is_open:
            self._front.pause_request_body()

    def back_lost(self, reason: str) -> None:
        """The upstream has closed: what it sent before still reaches the browser."""
        if self.is_open:
            self._back = None
            self.closes_front = True
            self._end(None)
        else:
            super().back_lost(reason)

    def front_lost(self) -> None:
        """The browser has closed: what it sent before still reaches the upstream."""
        back = self._back
        if self.is_open and back is not None:
            self._back = None
            back.close()
            self._end(None)
        else:
            super().front_lost()
