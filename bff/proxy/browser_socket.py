"""The socket to a browser: what is written of our own accord, and the ways to close without losing an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from bff.errors import GatewayError
from bff.proxy.asgi_cycle import asgi_cycle, waits_for_body
from bff.proxy.client import Client
from bff.proxy.patience import HEAD_DEADLINE, LINGER, Patience
from bff.proxy.refusal import refusal
from bff.proxy.request import Request
from bff.proxy.sockets import notice_dead_peer
from bff.proxy.turn import AT_ONCE, TurnTransport

if TYPE_CHECKING:
    from bff.proxy.context import ProxyContext
    from bff.proxy.exchange import Exchange
    from bff.proxy.incoming import Incoming
    from bff.proxy.tunnel import Tunnel


class BrowserSocket(HttpToolsProtocol):
    """A connection that can refuse and close; what it reads is its subclass's business.

    Once it is deaf, nothing that arrives is looked at any more.
    """

    # Beside the dictionary that uvicorn's class has: every call looks at these, and thousands of connections at once.
    __slots__ = (
        "_after_head", "_closes", "_exchange", "_is_deaf", "_is_lingering", "_patience", "_tunnel", "browser",
        "context", "is_write_paused", "turn",
    )  # fmt: skip

    def __init__(
        self,
        context: ProxyContext,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.context = context
        self.turn = context.turn
        self.browser = cast("Client", None)
        self.is_write_paused = False
        self._patience = Patience(context.now + HEAD_DEADLINE)
        self._closes = False
        self._is_deaf = False
        self._is_lingering = False
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        self._after_head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(TurnTransport(cast("asyncio.Transport", transport), self.turn))
        self.browser = Client(self.context.clients, self.client[0] if self.client else "-")
        notice_dead_peer(self.transport)

    @property
    def _is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self._exchange is not None or (self.cycle is not None and not self.cycle.response_complete)

    def pause_writing(self) -> None:
        self.is_write_paused = True
        super().pause_writing()
        if self._exchange is not None:
            self._exchange.pause_answer()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        super().resume_writing()
        if self._exchange is not None:
            self._exchange.resume_answer()

    def pause_request_body(self) -> None:
        """Read no more of the request until told to."""
        self.flow.pause_reading()

    def open_tunnel(self, tunnel: Tunnel) -> None:
        """Give the tunnel all that comes from now on, and first what came behind the handshake."""
        self._tunnel = tunnel
        # With a frame there is too little to do for it to wait.
        self.turn = AT_ONCE
        cast("TurnTransport", self.transport).hurry()
        rest, self._after_head = self._after_head + self.context.turn.taken_out(self), b""
        if rest:
            tunnel.from_browser(rest)
        self.flow.resume_reading()

    def _start_cycle(self, incoming: Incoming, path: bytes, query: bytes | None) -> None:
        """Hand a request on to ASGI."""
        keep_alive = incoming.keep_alive and not self._closes
        self.cycle = asgi_cycle(self, incoming, path, query, keep_alive=keep_alive)
        self._start_asgi_task(self.cycle, self.app)

    def write_continue(self) -> None:
        """Ask for the body of a request that expects to be asked (RFC 9110 section 10.1.1)."""
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def write_refusal(self, error: GatewayError, request: Request, *, closes: bool) -> int:
        """Answer with an error; return the size of the body that was sent."""
        head, body = refusal(error, request, closes=closes, date=self.date_line)
        if request.method == b"HEAD":
            body = b""
        self.transport.write(head + body)
        return len(body)

    @property
    def date_line(self) -> bytes:
        """The `Date` line that uvicorn keeps up to date."""
        return b"".join(b"%b: %b\r\n" % field for field in self.server_state.default_headers)

    def _refuse_connection(self, error: GatewayError, method: bytes = b"") -> None:
        """Answer a request that nobody could be asked about, and close."""
        context = self.context
        request_id = context.new_request_id()
        head, body = refusal(error, None, closes=True, request_id=request_id, date=self.date_line)
        if method == b"HEAD":
            body = b""
        self.transport.write(head + body)
        context.access_log.write(
            request_id, "-", "-", b"-", error.status, len(body), 0.0, None, self.browser.name, error.code
        )
        self._close_gently(is_request_complete=False)

    def sweep(self, now: float) -> None:
        """Close a connection whose head or body is late, that has been idle too long, or that does not read."""
        if self._exchange is not None or not self._patience.is_over(now, self.transport):
            return
        if self._is_lingering or self.transport.is_closing():
            self.transport.abort()
        elif not self._is_busy:
            self.transport.close()
        elif self.is_write_paused or waits_for_body(self.cycle):
            self.transport.abort()

    def shutdown(self) -> None:
        self.context.is_stopping = True
        self._close_when_answered()

    def _close_when_answered(self) -> None:
        """Take no further request, and close once what was asked for is answered."""
        self._closes = True
        if self._exchange is not None:
            self._exchange.closes_front = True
        else:
            super().shutdown()

    def _close_gently(self, *, is_request_complete: bool = True) -> None:
        """Close; if the client may still be sending, first read and drop it, lest the answer is lost to a reset."""
        self._closes = self._is_deaf = True
        self._patience.until = self.context.now + LINGER
        if is_request_complete:
            self.transport.close()
            return
        self._is_lingering = True
        self.flow.resume_reading()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
