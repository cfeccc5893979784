"""The browser's connection: uvicorn's protocol with limits, and with the proxied routes taken out before any framework.

    head complete ─┬─ malformed, too large, not our Host ──► refused here
                   ├─ a proxied route                    ──► an `Exchange`, until its answer is complete
                   └─ everything else                    ──► uvicorn's ASGI cycle

One request at a time: what a client pipelines behind it is held, bounded by one read of the socket, and answered after.
Nothing of a request that was refused is read as the next one: the connection closes unless its end was seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from bff.errors import BadRequest, GatewayError, HeadersTooLarge
from bff.http.request_head import RequestHead
from bff.proxy.asgi_cycle import add_body, asgi_cycle, end_body
from bff.proxy.client import Client
from bff.proxy.exchange import Exchange
from bff.proxy.incoming import HEAD_LIMIT, Incoming, check_host, judge
from bff.proxy.refusal import refusal
from bff.proxy.request import Request

if TYPE_CHECKING:
    from bff.proxy.context import ProxyContext

_logger = logging.getLogger("bff.proxy")

HEAD_DEADLINE = 10.0
KEEP_ALIVE = 75.0
LINGER = 5.0


class Front(HttpToolsProtocol):
    """One connection from a browser, or from the proxy in front of us."""

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
        self.browser = cast("Client", None)
        self.is_write_paused = False
        self._exchange: Exchange | None = None
        self._waiting: deque[Incoming] = deque()
        self._in_head = False
        self._head_size = 0
        self._is_lingering = False
        self._closes = False
        self._quiet_until = 0.0

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # a transport of a stream is both
        context = self.context
        context.fronts.add(self)
        self._quiet_until = context.now + HEAD_DEADLINE
        self.browser = Client(context, self.client[0] if self.client else "-")

    def connection_lost(self, exc: Exception | None) -> None:
        self.context.fronts.discard(self)
        exchange, self._exchange = self._exchange, None
        self._waiting.clear()
        if exchange is not None:
            exchange.front_lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            return
        if self._in_head or not self._is_busy:
            self._head_size += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nothing here speaks another protocol; what follows the head is not HTTP to us.
            self._closes = True
            if not self._is_busy:
                self._close_gently()
        except httptools.HttpParserError as error:
            self._unparsable(error)
        else:
            if self._in_head and self._head_size > HEAD_LIMIT:
                self._refuse_connection(HeadersTooLarge("head.size"))

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

    def shutdown(self) -> None:
        self._closes = True
        if self._exchange is not None:
            self._exchange.closes_front = True
        else:
            super().shutdown()

    # What the parser says.

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._in_head = True
        self._quiet_until = self.context.now + HEAD_DEADLINE

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer section is read and dropped
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self.parser
        self._in_head = False
        if self._closes:
            return
        incoming = Incoming(
            parser.get_method(),
            self.url,
            self.headers,
            version=parser.get_http_version(),
            is_upgrade=parser.should_upgrade(),
            keep_alive=parser.should_keep_alive(),
        )
        if self._is_busy or self._waiting:
            self.flow.pause_reading()
            self._waiting.append(incoming)
        else:
            self._dispatch(incoming)

    def on_body(self, body: bytes) -> None:
        if self._waiting:
            self._waiting[-1].body.append(body)
        elif self._exchange is not None:
            self._exchange.request_body(body)
        elif self.cycle is not None and not self.cycle.response_complete:
            add_body(self.cycle, body)

    def on_message_complete(self) -> None:
        if self._waiting:
            self._waiting[-1].is_complete = True
        elif self._exchange is not None:
            self._exchange.request_complete()
        elif self.cycle is not None and not self.cycle.response_complete:
            end_body(self.cycle)
        self._head_size = 0

    # From a head to whoever answers it.

    @property
    def _is_busy(self) -> bool:
        return self._exchange is not None or (self.cycle is not None and not self.cycle.response_complete)

    def _dispatch(self, incoming: Incoming) -> None:
        request_id = self.context.new_request_id()
        public_hostname = self.context.public_url.hostname
        try:
            path, query = judge(incoming, self._head_size)
            route = self.context.routes.match(path)
            if route is None:
                check_host([value for name, value in incoming.fields if name.lower() == b"host"], path, public_hostname)
                self.cycle = cycle = asgi_cycle(
                    self, incoming, path, query, keep_alive=incoming.keep_alive and not self._closes
                )
                self._start_asgi_task(cycle, self.app)
                return
            head = RequestHead(incoming.fields)
            check_host(head.all(b"host"), path, public_hostname)
        except GatewayError as error:
            self._refuse_connection(error)
            return
        request = Request(
            method=incoming.method,
            path=path,
            query=query,
            head=head,
            is_http_11=incoming.version == "1.1",
            keep_alive=incoming.keep_alive and not self._closes,
            request_id=request_id,
            started_at=self.loop.time(),
        )
        self._exchange = exchange = Exchange(self.context, self, route, request)
        exchange.begin()

    # What an exchange asks for.

    def pause_request_body(self) -> None:
        """Read no more of the request until told to."""
        self.flow.pause_reading()

    def resume_request_body(self) -> None:
        """Read on, unless another request is waiting already."""
        if not self._waiting:
            self.flow.resume_reading()

    def write_continue(self) -> None:
        """Ask for the body of a request that expects to be asked (RFC 9110 section 10.1.1)."""
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def write_refusal(self, error: GatewayError, request: Request, *, closes: bool) -> int:
        """Answer with an error; return the size of its body."""
        head, body = refusal(error, request, closes=closes, date=self._date())
        self.transport.write(head if request.method == b"HEAD" else head + body)
        return len(body)

    def _date(self) -> bytes:
        """Return the `Date` line that uvicorn keeps up to date."""
        return b"".join(b"%b: %b\r\n" % field for field in self.server_state.default_headers)

    @property
    def write_backlog(self) -> int:
        """How many bytes wait for the browser to read."""
        return self.transport.get_write_buffer_size() if self.is_write_paused else 0

    def waits_for_browser(self, exchange: Exchange) -> bool:
        """Whether it is the browser that the exchange waits for: to read, or to send on."""
        return self.is_write_paused or not (exchange.body.is_complete or self.flow.read_paused)

    def exchange_ended(self, exchange: Exchange) -> None:
        """Go on to the next request, or close."""
        if self._exchange is not exchange:
            return
        self._exchange = None
        self.server_state.total_requests += 1
        if exchange.closes_front or self._closes:
            self._close_gently(is_request_complete=exchange.body.is_complete)
        else:
            self._go_on()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            if self.cycle.more_body:
                self._close_gently(is_request_complete=False)
            else:
                self._go_on()

    def _go_on(self) -> None:
        self._quiet_until = self.context.now + KEEP_ALIVE
        if not self._waiting:
            self.flow.resume_reading()
            return
        incoming = self._waiting.popleft()
        # Not from within the end of the one before: a long pipeline would nest as deep as it is long.
        self.loop.call_soon(self._serve_waiting, incoming)

    def _serve_waiting(self, incoming: Incoming) -> None:
        if self.transport.is_closing() or self._is_lingering:
            return
        later, self._waiting = self._waiting, deque()
        self._dispatch(incoming)
        for body in incoming.body:
            self.on_body(body)
        if incoming.is_complete:
            self.on_message_complete()
        self._waiting.extend(later)
        if later:
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    # Limits, and ways to close.

    def sweep(self, now: float) -> None:
        """Close a connection whose head is late, that has been idle too long, or that lingers."""
        if now > self._quiet_until and (self._is_lingering or not self._is_busy):
            self.transport.abort() if self._is_lingering else self.transport.close()

    def _unparsable(self, error: httptools.HttpParserError) -> None:
        cause = error.__context__
        if isinstance(error, httptools.HttpParserCallbackError) and cause is not None:
            _logger.error("proxy.internal_error", exc_info=cause)
        if self._exchange is not None:
            # The head was good and the body is not: where the next request begins is unknown.
            self._exchange.closes_front = True
            self._exchange.refused(BadRequest("framing.body"))
        elif self._is_busy:
            self.transport.abort()
        else:
            self._refuse_connection(BadRequest("head.malformed"))

    def _refuse_connection(self, error: GatewayError) -> None:
        """Answer a request that nobody could be asked about, and close."""
        context = self.context
        request_id = context.new_request_id()
        head, body = refusal(error, None, closes=True, request_id=request_id, date=self._date())
        self.transport.write(head + body)
        context.access_log.write(
            request_id, "-", "-", b"-", error.status, len(body), 0.0, None, self.browser.name, error.code
        )
        self._close_gently(is_request_complete=False)

    def _close_gently(self, *, is_request_complete: bool = True) -> None:
        """Close; if the client may still be sending, first read and drop it, lest the answer is lost to a reset."""
        self._closes = True
        if is_request_complete:
            self.transport.close()
            return
        self._is_lingering = True
        self._quiet_until = self.context.now + LINGER
        self.flow.resume_reading()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
