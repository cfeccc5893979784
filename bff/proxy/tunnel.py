"""A call that becomes a WebSocket: judged and sent like any other, and after the upstream's 101 frames both ways.

    ADMITTING ──► CONNECTING ──► WAITING ──► (101) OPEN ──► CLOSING ──► ENDED
                                    │          │               ▲ we have something to say, and say it in a Close frame
                                    │          └── a side has closed: ENDED
                                    └──► any other answer: ANSWERING, as of any call

Bytes pass as they come; `FrameStream` finds where a frame ends, which is the only place for a frame of our own. What
the browser sends behind its handshake waits until the upstream has agreed.
"""

from __future__ import annotations

import secrets
from time import monotonic
from typing import TYPE_CHECKING, Final

from bff.errors import GatewayError, NoSession
from bff.http.websocket import is_compressed, switching_head
from bff.http.websocket_frames import FrameFault, FrameStream, close_frame
from bff.proxy.exchange import Exchange
from bff.proxy.state import State

if TYPE_CHECKING:
    from bff.proxy.context import ProxiedRoute, ProxyContext
    from bff.proxy.front import Front
    from bff.proxy.request import Request
    from bff.session.record import AccessToken
    from bff.sessions import Session

GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008

FRAME_LIMIT: Final = 1.0
"""Seconds in which a frame under way must end when we want to close; after that there is no place for our own."""

CLOSE_LIMIT: Final = 5.0
"""Seconds for the upstream to end the connection once both sides have closed."""


class Tunnel(Exchange):
    """An exchange that may open: then each side's frames go to the other, at the pace of the slower."""

    __slots__ = ("_down", "_last_words", "_socket_of", "_until", "_up", "is_open")

    accepts_upgrade = True

    def __init__(self, context: ProxyContext, front: Front, route: ProxiedRoute, request: Request) -> None:
        super().__init__(context, front, route, request)
        self.is_open = False
        self._socket_of: str | None = None
        self._last_words: tuple[int, str, str] | None = None
        self._until = 0.0

    def admitted(self, target: bytes, token: AccessToken | None, session: Session | None) -> None:
        """Count the socket under its session, then go on as any call; raises `TooManySockets`."""
        if session is not None:
            self._context.sockets.take(session.key)
            self._socket_of = session.key
        super().admitted(target, token, session)

    def upgraded(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Take the upstream's 101: pass it on and open."""
        front, request = self._front, self._request
        try:
            head = switching_head(request.head, fields, request_id=request.request_id)
        except GatewayError as error:
            self.refused(error)
            return
        compressed = is_compressed(fields)
        self._up = FrameStream(is_masked=True, is_compressed=compressed, largest=self._route.max_body)
        self._down = FrameStream(is_masked=False, is_compressed=compressed)
        self.state = State.ANSWERING
        self._report.status = 101
        self._report.answered_at = monotonic()
        self.is_open = True
        front.transport.write(head)
        front.open_tunnel(self)

    def from_upstream(self, data: bytes) -> None:
        """Pass on what the upstream sent."""
        passing = self._down.take(data)
        if passing:
            self._report.sent += len(passing)
            self._front.transport.write(passing)
        if self._last_words is not None:
            self._say_last_words()
        elif self._down.fault is not None:
            self._close_for(self._down.fault)

    def from_browser(self, data: bytes) -> None:
        """Pass on what the browser sent."""
        if self._back is None:
            return
        passing = self._up.take(data)
        if passing:
            self._back.transport.write(passing)
        if self._last_words is not None:
            self._say_last_words()
        elif self._up.fault is not None:
            self._close_for(self._up.fault)

    def pause_request(self) -> None:
        """The upstream does not keep up with what the browser sends."""
        if self.is_open:
            self._front.pause_request_body()

    # Closing of our own accord.

    def _close_for(self, fault: FrameFault) -> None:
        self._close(fault.code, fault.reason, f"websocket.{fault.reason}")

    def session_ended(self, error: NoSession) -> None:
        """Close both sides: what the token was given for is over."""
        if self.is_open:
            self._close(POLICY_VIOLATION, error.code, error.code)
        else:
            super().session_ended(error)

    def leave(self) -> None:
        """Close both sides: this process ends."""
        if self.is_open:
            self._close(GOING_AWAY, "shutdown", "shutdown")
        else:
            super().leave()

    def _close(self, code: int, reason: str, log_code: str) -> None:
        if self._last_words is None and self.state is not State.ENDED:
            self._last_words = (code, reason, log_code)
            self._until = self._context.now + FRAME_LIMIT
            self._up.stop()
            self._down.stop()
            self._say_last_words()

    def _say_last_words(self) -> None:
        """Close each side that is between two frames, and end once that is so for both."""
        if self._up.is_between_frames and self._down.is_between_frames:
            self._finish()

    def _finish(self) -> None:
        assert self._last_words is not None
        code, reason, log_code = self._last_words
        front, back = self._front, self._back
        self._back = None
        if not self._down.is_between_frames or front.is_write_paused:
            front.transport.abort()
        elif not self._down.has_closed:
            front.transport.write(close_frame(code, reason))
        if back is not None and self._up.is_between_frames:
            if not self._up.has_closed:
                back.transport.write(close_frame(code, reason, secrets.token_bytes(4)))
            back.close_gently()
        elif back is not None:
            back.abandon()
        self.closes_front = True
        self._end(log_code)

    def sweep(self, now: float) -> None:
        """Enforce the deadlines, those of closing too."""
        if not self.is_open:
            super().sweep(now)
        elif self._last_words is not None:
            if now > self._until:
                self._finish()
        elif not (self._up.has_closed and self._down.has_closed):
            super().sweep(now)
        elif not self._until:
            self._until = now + CLOSE_LIMIT
        elif now > self._until:
            self.back_lost("upstream.websocket_close")

    # Ends.

    def back_lost(self, reason: str) -> None:
        """The upstream has closed: what it sent before still reaches the browser."""
        if not self.is_open:
            super().back_lost(reason)
            return
        back, self._back = self._back, None
        assert back is not None, "an open socket has two sides"
        back.close()
        if self._last_words is not None:
            self._finish()
        else:
            self.closes_front = True
            self._end(None)

    def front_lost(self) -> None:
        """The browser has closed: what it sent before still reaches the upstream."""
        back = self._back
        if self.is_open and back is not None:
            self._back = None
            back.close()
            self._end(None)
        else:
            super().front_lost()

    def _end(self, code: str | None) -> None:
        if self._socket_of is not None:
            self._context.sockets.give_back(self._socket_of)
            self._socket_of = None
        super()._end(code)
