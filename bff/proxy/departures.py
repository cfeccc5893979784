"""What is written in one turn of the event loop leaves together when the turn is over.

Left to itself the event loop sends every piece at once, before it looks at the next call. Whoever is at the other end
wakes up, deals with the one piece and sleeps again, and to wake him costs us more than to send. Sent in a row, a
turn's pieces find him awake. Nothing waits for longer than the calls take that were ready at the same moment.
"""

from __future__ import annotations

import asyncio
from typing import Any

MOST_HELD = 16 * 1024
"""Bytes that wait for one connection at most: a large body is worth waking somebody for, and takes memory."""


class Departures:
    """The connections on which something waits; until `start` nothing does."""

    __slots__ = ("_loop", "is_started", "waiting")

    def __init__(self) -> None:
        self.is_started = False
        self.waiting: list[DepartureTransport] = []

    def start(self) -> None:
        """Begin to hold what is written; to be called within the event loop."""
        self._loop = asyncio.get_running_loop()
        self.is_started = True

    def announce(self) -> None:
        """Let what will be `waiting` leave at the end of the turn."""
        self._loop.call_soon(self.leave)

    def leave(self) -> None:
        """Send all that waits."""
        waiting, self.waiting = self.waiting, []
        for transport in waiting:
            transport.flush()


class DepartureTransport(asyncio.Transport):
    """A transport whose small pieces leave with the others of the turn, in their order and before it is closed."""

    __slots__ = ("_departures", "_held", "_inner", "_send", "is_closing")

    def __init__(self, inner: asyncio.Transport, departures: Departures) -> None:
        super().__init__()
        self._inner = inner
        self._departures = departures
        self._held = b""
        # Asked for by every call, so not through a method of our own.
        self._send = inner.write
        self.is_closing = inner.is_closing  # type: ignore[method-assign]

    def write(self, data: Any) -> None:
        """Send the data soon; at once where there is much of it."""
        departures = self._departures
        if self._held:
            self._held += data
            if len(self._held) > MOST_HELD:
                self.flush()
        elif len(data) <= MOST_HELD and departures.is_started:
            self._held = data
            waiting = departures.waiting
            if not waiting:
                departures.announce()
            waiting.append(self)
        else:
            self._send(data)

    def flush(self) -> None:
        """Send what waits."""
        held = self._held
        if held:
            self._held = b""
            if not self.is_closing():
                self._send(held)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not yet the system's."""
        return len(self._held) + self._inner.get_write_buffer_size()

    def close(self) -> None:
        """Close when all has been sent."""
        self.flush()
        self._inner.close()

    def write_eof(self) -> None:
        """Close this side when all has been sent."""
        self.flush()
        self._inner.write_eof()

    def abort(self) -> None:
        """Close now; what waits is lost."""
        self._held = b""
        self._inner.abort()

    def can_write_eof(self) -> bool:
        """Whether one side can be closed alone."""
        return self._inner.can_write_eof()

    def is_reading(self) -> bool:
        """Whether it is not paused."""
        return self._inner.is_reading()

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Deliver again."""
        self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the socket."""
        return self._inner.get_extra_info(name, default)
