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
from time import monotonic
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from bff.errors import BadRequest, GatewayError, HeadersTooLarge
from bff.http.request_head import RequestHead
from bff.http.websocket import is_handshake
from bff.proxy.asgi_cycle import add_body, end_body, is_remainder_small
from bff.proxy.browser_socket import BrowserSocket
from bff.proxy.exchange import Exchange
from bff.proxy.incoming import HEAD_LIMIT, Incoming, check_host, judge
from bff.proxy.patience import HEAD_DEADLINE, KEEP_ALIVE
from bff.proxy.pipeline import MOST_WAITING, Pipeline
from bff.proxy.request import Request
from bff.proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from bff.proxy.context import ProxyContext

_logger = logging.getLogger("bff.proxy")
# What was read lives no longer than it must: its memory is used again while the processor has it at hand.
_NO_FIELDS: list[tuple[bytes, bytes]] = []


class Front(BrowserSocket):
    """One connection from a browser, or from the proxy in front of us."""

    __slots__ = ("_begins_with_read", "_in_body", "_in_head", "_section_size", "_waiting")

    def __init__(
        self,
        context: ProxyContext,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(context, config, server_state, app_state, _loop)
        self._waiting = Pipeline()
        self._in_head = self._in_body = False
        self._section_size = 0
        self._begins_with_read = True

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.context.fronts.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.context.turn.catch_up()
        self.context.fronts.discard(self)
        exchange, self._exchange = self._exchange, None
        self._waiting.clear()
        if exchange is not None:
            exchange.front_lost()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        # After this the event loop closes the connection.
        self.context.turn.catch_up()
        self.context.turn.leave()

    def data_received(self, data: bytes) -> None:
        turn = self.turn
        turn.arrived(turn.requests, self, data)

    def read(self, data: bytes) -> None:
        """Take what the browser sent."""
        if self._tunnel is not None:
            self._tunnel.from_browser(data)
            return
        if self._is_deaf or self.transport.is_closing():
            return
        if self._waiting:
            # Not paused: a browser that leaves must be noticed, whatever it has asked for.
            if not self._waiting.hold(data):
                self.flow.pause_reading()
            return
        self._read(data)

    def _read(self, data: bytes) -> None:
        self._section_size += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # What follows the head is not HTTP: it waits for a tunnel, or is dropped.
            self._is_deaf = True
            if self._exchange is not None and self._exchange.accepts_upgrade:
                self._after_head = data[upgrade.args[0] :]
                self.flow.pause_reading()
                return
            if not (self._is_busy or self._waiting or self._is_lingering):
                self._close_gently()
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError):
                _logger.error("proxy.internal_error", exc_info=error.__context__)
            self._unreadable(BadRequest("head.malformed"))
        else:
            if self._section_size > HEAD_LIMIT:
                # Nothing but header or trailer lines, or chunk extensions, for longer than any of them may be.
                self._unreadable(HeadersTooLarge("head.size"))

    # What the parser says.

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._in_head = True
        self._begins_with_read = self._section_size > 0
        self._patience.until = self.context.now + HEAD_DEADLINE

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer section is read and dropped
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        parser = self.parser
        self._in_head = False
        self._in_body = True
        if self._closes:
            # The last request has been read already: nothing of this one may be taken for a part of it.
            self._is_deaf = True
        if self._is_deaf:
            return
        version, is_upgrade = parser.get_http_version(), parser.should_upgrade()
        fields, self.headers = self.headers, _NO_FIELDS
        incoming = Incoming(
            method=parser.get_method(),
            target=self.url,
            fields=fields,
            version=version,
            is_upgrade=is_upgrade,
            keep_alive=version == "1.1" and not is_upgrade and parser.should_keep_alive(),
            read_size=self._section_size if self._begins_with_read else None,
        )
        if self._is_busy or self._waiting:
            if len(self._waiting) == MOST_WAITING:
                # The last one that is kept ends the connection; whoever asked for more may ask again (RFC 9112 9.3.2).
                self._waiting.last.keep_alive = False
                self._is_deaf = True
                return
            self._waiting.append(incoming)
        else:
            self._dispatch(incoming)

    def on_body(self, body: bytes) -> None:
        self._section_size = 0
        if self._is_deaf:
            return
        if self._waiting:
            self._waiting.last.body.append(body)
        else:
            self._take_body(body)

    def on_message_complete(self) -> None:
        self._section_size = 0
        self._in_body = False
        if self._is_deaf:
            return
        if self._waiting:
            self._waiting.last.is_complete = True
        else:
            self._end_request()

    def _dispatch(self, incoming: Incoming) -> None:
        context = self.context
        try:
            path, query = judge(incoming)
            head = RequestHead(incoming.fields)
            if context.clients.trusts_proxies:
                self.browser.identify(head)
            check_host(head, path, context.public_host, context.public_url.hostname)
            route = context.routes.match(path)
            if route is None:
                self._start_cycle(incoming, path, query)
                return
            is_websocket = route.websocket and incoming.is_upgrade and is_handshake(head)
            if is_websocket and self._is_deaf:
                # It came behind another request, and what followed it was not kept.
                raise BadRequest("websocket.pipelined")
        except GatewayError as error:
            self._refuse_connection(error, incoming.method)
            return
        request = Request(
            method=incoming.method,
            path=path,
            query=query,
            head=head,
            is_http_11=incoming.version == "1.1",
            keep_alive=incoming.keep_alive and not self._closes,
            request_id=context.new_request_id(),
            started_at=monotonic(),
            is_websocket=is_websocket,
        )
        self._exchange = (Tunnel if is_websocket else Exchange)(context, self, route, request)
        self._exchange.begin()

    def _take_body(self, body: bytes) -> None:
        if self._exchange is not None:
            self._exchange.request_body(body)
        elif self._is_busy:
            self._patience.until = self.context.now + HEAD_DEADLINE
            add_body(self.cycle, body)

    def _end_request(self) -> None:
        if self._exchange is not None:
            self._exchange.request_complete()
        elif self._is_busy:
            end_body(self.cycle)
        else:
            self._patience.until = self.context.now + KEEP_ALIVE

    def resume_request_body(self) -> None:
        """Read on, unless another request is waiting already."""
        if not self._waiting:
            self.flow.resume_reading()

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
            self._close_gently(is_request_complete=exchange.body.is_complete and not self._is_deaf)
        else:
            self._go_on()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            if self.cycle.more_body and not is_remainder_small(self.cycle):
                self._close_gently(is_request_complete=False)
            else:
                self._go_on()

    def _go_on(self) -> None:
        is_reading = self._in_head or self._in_body
        self._patience.until = self.context.now + (HEAD_DEADLINE if is_reading else KEEP_ALIVE)
        if self._waiting:
            # Not from within the end of the one before: a long pipeline would nest as deep as it is long.
            self.loop.call_soon(self._serve_waiting)
        elif self.flow.read_paused:
            self.flow.resume_reading()

    def _serve_waiting(self) -> None:
        if not self._waiting or self.transport.is_closing() or self._is_lingering:
            return
        incoming = self._waiting.popleft()
        self._dispatch(incoming)
        for body in incoming.body:
            self._take_body(body)
        if incoming.is_complete:
            self._end_request()
        if not self._waiting:
            self.flow.resume_reading()
            rest = self._waiting.unread()
            if rest and not self._is_deaf:
                self._read(rest)

    def _unreadable(self, error: GatewayError) -> None:
        """Read no further: where the next request begins is unknown."""
        if self._is_deaf:
            return
        self._is_deaf = True
        if not self._in_body and not self._is_busy and not self._waiting:
            self._refuse_connection(error)
        elif not self._in_body or self._waiting:
            # What was asked before is answered; nothing after it was ever a request.
            self._waiting.clear()
            self._close_when_answered()
        elif self._exchange is not None:
            self._exchange.closes_front = True
            self._exchange.refused(BadRequest("framing.body"))
        elif self._is_busy:
            self.transport.abort()
        else:
            self._close_gently(is_request_complete=False)
