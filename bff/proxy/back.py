"""One connection to an upstream: it carries one exchange at a time and says when it may carry another.

A connection whose state is in any doubt is closed: bytes after an answer, an unfinished request, an interim answer too
many, an upgrade nobody asked for. Only `done` with nothing after it makes it reusable.
"""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import httptools

from bff.errors import UpstreamUnavailable
from bff.proxy.receivers import AnswerReceiver, UpgradeReceiver
from bff.proxy.sockets import notice_dead_peer, unread
from bff.proxy.turn import AT_ONCE, Turn, TurnTransport

_logger = logging.getLogger("bff.proxy")
_MOST_INTERIM = 8
_LARGEST_HEAD = 64 * 1024
_MOST_FIELDS = 200
_SWITCHING_PROTOCOLS = 101
_LINGER = 2.0


class Back(asyncio.Protocol):
    """The upstream's side of an exchange."""

    __slots__ = (
        "_fields", "_has_ended", "_in_head", "_interim", "_is_complete", "_is_in_doubt", "_is_lingering", "_keep_alive",
        "_parser", "_section_size", "_status", "_tunnel", "_turn", "_until_close", "generation", "has_answered",
        "idle_since", "is_lost", "is_write_paused", "receiver", "served", "transport",
    )  # fmt: skip

    def __init__(self, turn: Turn = AT_ONCE) -> None:
        self._turn = turn
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.receiver: AnswerReceiver | None = None
        self.is_lost = self.is_write_paused = self.has_answered = False
        self.served = 0
        self.generation = 0
        self.idle_since = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._status = self._section_size = self._interim = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._in_head = True
        self._until_close = self._has_ended = False
        self._is_complete = self._is_in_doubt = self._keep_alive = self._is_lingering = False
        self._tunnel: UpgradeReceiver | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = TurnTransport(cast("asyncio.Transport", transport), self._turn)
        notice_dead_peer(self.transport)

    def start(self, receiver: AnswerReceiver) -> None:
        """Give the connection to an exchange, whose request the caller writes next."""
        self.receiver = receiver
        self.has_answered = self._until_close = False
        self._interim = 0

    @property
    def is_reusable(self) -> bool:
        """Whether the last answer left the connection fit for another request."""
        transport = self.transport
        return (
            self._keep_alive
            and not (self._is_in_doubt or self.is_lost or transport.is_closing())
            # An upstream that answered before it had read the whole request might never read the rest.
            and transport.get_write_buffer_size() == 0
        )

    @property
    def is_spoilt(self) -> bool:
        """Whether something has happened to the connection since it was found reusable."""
        return self._is_in_doubt or self.is_lost or self.transport.is_closing()

    @property
    def sends_events(self) -> bool:
        """Whether the answer under way is an event stream, which does not end by itself."""
        return any(
            name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
            for name, value in self._fields
        )

    def abandon(self) -> None:
        """Drop the exchange and the connection."""
        self.receiver = None
        self.transport.abort()

    def close(self) -> None:
        """Close the connection when all that was written has been sent."""
        self.receiver = None
        self.transport.close()

    def close_gently(self) -> None:
        """Say that nothing more comes, and drop what still arrives: a reset could undo what was said last."""
        self.receiver = None
        self._is_lingering = True
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER, self.transport.abort)

    # What the event loop says.

    def data_received(self, data: bytes) -> None:
        if self.receiver is None:
            # At once: before the end of the turn the connection could be taken for a call, and this for its answer.
            self.read(data)
        else:
            turn = self._turn
            turn.arrived(turn.answers, self, data)

    def read(self, data: bytes) -> None:
        """Take what the upstream sent."""
        if self._is_lingering:
            return
        if self.receiver is None:
            # Nothing was asked: whatever this is, it is no answer to the next request.
            self._is_in_doubt = True
            self.transport.abort()
            return
        if self._tunnel is not None:
            self._tunnel.from_upstream(data)
            return
        self.has_answered = True
        self._section_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._is_in_doubt = True
            if isinstance(error, httptools.HttpParserUpgrade) and self._status == _SWITCHING_PROTOCOLS:
                self._switch(data[error.args[0] :])
                return
            if not self._is_complete:
                self._fail(_reason(error))
                return
        if self._is_complete:
            receiver, end = self.receiver, b"\r\n\r\n"
            if receiver is not None and receiver.to_head_request and not (data.endswith(end) or end.endswith(data)):
                self._is_in_doubt = True  # by too little of a body for the parser to tell of it
            self._complete()
        elif self._section_size > _LARGEST_HEAD:
            # Nothing but header or trailer lines, or chunk extensions, for longer than any of them may be.
            self._fail("upstream.head_too_large")
        elif self.receiver is not None:
            self.receiver.answer_flush()

    def eof_received(self) -> None:
        self._turn.catch_up()
        # Over TLS only for a proper end: a connection that was cut ends without it (RFC 9112 section 9.8).
        self._has_ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._turn.catch_up()
        self.is_lost = True
        if exc is not None and self.receiver is not None and (rest := unread(self.transport)):
            # It was a write that failed: the upstream may have answered, and closed without reading to the end.
            self.read(rest)
        receiver, self.receiver = self.receiver, None
        if receiver is None:
            return
        if self._until_close and self._has_ended and exc is None:
            receiver.answer_complete()
        else:
            receiver.back_lost("upstream.connection_lost")

    def pause_writing(self) -> None:
        self.is_write_paused = True
        if self.receiver is not None:
            self.receiver.pause_request()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        if self.receiver is not None:
            self.receiver.resume_request()

    # What the parser says.

    def on_message_begin(self) -> None:
        if self._is_complete:
            self._is_in_doubt = True
        self._fields = []
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer section is read and dropped
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._is_complete:
            return
        self._status = status = self._parser.get_status_code()
        self._in_head = False
        if len(self._fields) > _MOST_FIELDS or (self._section_size > _LARGEST_HEAD and self._is_head_too_large()):
            raise UpstreamUnavailable("upstream.head_too_large")
        if status < 200:
            self._interim += 1
            is_switch = status == _SWITCHING_PROTOCOLS
            if is_switch and self.receiver is not None and self.receiver.accepts_upgrade:
                return
            if is_switch or self._interim > _MOST_INTERIM:
                raise UpstreamUnavailable("upstream.interim")
            return
        receiver = self.receiver
        assert receiver is not None, "what arrives unasked is not parsed"
        self._keep_alive = self._parser.should_keep_alive()
        self._until_close = receiver.answer_head(status, self._fields)
        if receiver.to_head_request:
            # The parser would wait for the body that the head describes and that is never sent.
            self._is_complete = True
            self._parser = httptools.HttpResponseParser(self)

    def _is_head_too_large(self) -> bool:
        # What was read up to here may be mostly body.
        return sum(len(name) + len(value) + 4 for name, value in self._fields) > _LARGEST_HEAD

    def on_body(self, body: bytes) -> None:
        self._section_size = 0
        if self._is_complete:
            self._is_in_doubt = True
        elif self._status < 200:
            # The parser believes an interim answer of an unknown status that it has a body; none has (RFC 9110 15.2).
            raise UpstreamUnavailable("upstream.interim")
        elif self.receiver is not None:
            self.receiver.answer_body(body)

    def on_message_complete(self) -> None:
        if self._status >= 200 and not self._in_head and not self._is_complete:
            self._is_complete = True
            # The parser heeds a `Connection` in the trailer section, and reads no further answer.
            self._keep_alive = self._keep_alive and self._parser.should_keep_alive()
        self._section_size = 0
        self._in_head = True

    def _switch(self, rest: bytes) -> None:
        self._tunnel = tunnel = cast("UpgradeReceiver", self.receiver)
        self._turn = AT_ONCE
        cast("TurnTransport", self.transport).hurry()
        tunnel.upgraded(self._fields)
        if rest and self.receiver is not None:
            tunnel.from_upstream(rest)

    def _complete(self) -> None:
        self._is_complete = False
        self._status = 0
        self._section_size = 0
        self._in_head = True
        self._fields = []
        self.served += 1
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.answer_complete()

    def _fail(self, reason: str) -> None:
        receiver, self.receiver = self.receiver, None
        self.transport.abort()
        if receiver is not None:
            receiver.back_lost(reason)


def _reason(error: Exception) -> str:
    cause = error.__context__
    if isinstance(cause, UpstreamUnavailable):
        return cause.reason
    if cause is not None:
        _logger.error("proxy.internal_error", exc_info=cause)
    return "upstream.malformed"
