"""One turn of the event loop: all that arrives in it is dealt with in a row, and all that is written leaves in a row.

     sockets are read ──► answers, then some of the requests ──► dealt with ──► departures ──► sockets are written
                          └────────────── at the end of the turn ──────────────┘

Left to itself the event loop reads a socket, lets us deal with what came, sends what that made us write, and only then
looks at the next socket. Each time the processor changes over from the system's code to ours and back, and whoever is
at the other end wakes up, deals with the one piece and sleeps again. In a row all of that is paid once. Nothing waits
for longer than it takes to deal with what was ready before it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Protocol

LARGE = 16 * 1024
"""Bytes above which nothing waits: a large piece is worth the change, and must not pile up."""

MOST_REQUESTS = 64
"""Pieces from browsers that one turn deals with. The others wait until the answers that have arrived meanwhile were
dealt with: so few calls are under way at once that what they need is still in the processor's caches."""

MOST_WAITING = 1024
"""Pieces that wait at most, with `LARGE` a bound on their memory however many connections there are."""

_logger = logging.getLogger("bff.proxy")


class Reader(Protocol):
    """Who reads from a connection."""

    transport: asyncio.Transport

    def read(self, data: bytes) -> None:
        """Deal with what has arrived."""
        ...


Arrivals = deque[tuple[Reader, bytes]]
"""What has arrived, in its order, and for whom."""


class Turn:
    """What has arrived and what is to leave; until `start` nothing waits."""

    __slots__ = ("_loop", "answers", "departures", "is_announced", "is_started", "requests")

    def __init__(self) -> None:
        self.is_started = self.is_announced = False
        self.departures: list[TurnTransport] = []
        self.requests: Arrivals = deque()
        self.answers: Arrivals = deque()

    def start(self) -> None:
        """Begin to let things wait; to be called within the event loop."""
        self._loop = asyncio.get_running_loop()
        self.is_started = True

    def announce(self) -> None:
        """Have the turn end before the event loop waits again."""
        self.is_announced = True
        self._loop.call_soon(self._end)

    def arrived(self, arrivals: Arrivals, reader: Reader, data: bytes) -> None:
        """Have the reader read the data, after what its connection brought before; into `requests` or `answers`."""
        if self.is_started and len(data) <= LARGE:
            arrivals.append((reader, data))
            if not self.is_announced:
                self.announce()
            if len(arrivals) == MOST_WAITING:
                self._go_on()
        else:
            self.catch_up()
            reader.read(data)

    def catch_up(self) -> None:
        """Deal with all that has arrived; to be called before the end of a connection is dealt with."""
        while self.answers or self.requests:
            _deal_with(self.answers, MOST_WAITING)
            _deal_with(self.requests, MOST_WAITING)

    def taken_out(self, reader: object) -> bytes:
        """Return what waits of a browser's connection, for whoever deals with it from now on."""
        of_reader = [data for waiting, data in self.requests if waiting is reader]
        if of_reader:
            others = [arrival for arrival in self.requests if arrival[0] is not reader]
            self.requests.clear()
            self.requests.extend(others)
        return b"".join(of_reader)

    def leave(self) -> None:
        """Send all that was written."""
        departures, self.departures = self.departures, []
        for transport in departures:
            transport.flush()

    def _end(self) -> None:
        self.is_announced = False
        self._go_on()
        if self.requests and not self.is_announced:
            self.announce()

    def _go_on(self) -> None:
        # In this order, so that others have something to do while we have.
        self.leave()
        _deal_with(self.answers, MOST_WAITING)
        _deal_with(self.requests, MOST_REQUESTS)


def _deal_with(arrivals: Arrivals, most: int) -> None:
    while arrivals and most:
        most -= 1
        reader, data = arrivals.popleft()
        try:
            reader.read(data)
        except Exception:
            # As the event loop does it: it concerns one connection only.
            _logger.exception("proxy.internal_error")
            reader.transport.abort()


AT_ONCE = Turn()
"""For connections on which nothing waits: it is never started."""


class TurnTransport(asyncio.Transport):
    """A transport whose small pieces leave with the others of the turn, in their order and before it is closed."""

    __slots__ = ("_held", "_inner", "_send", "is_closing", "turn")

    def __init__(self, inner: asyncio.Transport, turn: Turn) -> None:
        super().__init__()
        self._inner = inner
        self.turn = turn
        self._held = b""
        # Asked for by every call, so not through a method of our own.
        self._send = inner.write
        self.is_closing = inner.is_closing  # type: ignore[method-assign]

    def write(self, data: Any) -> None:
        """Send the data at the end of the turn; at once where there is much of it."""
        turn = self.turn
        if self._held:
            self._held += data
            if len(self._held) > LARGE:
                self.flush()
        elif turn.is_started and len(data) <= LARGE:
            self._held = data
            turn.departures.append(self)
            if not turn.is_announced:
                turn.announce()
        else:
            self._send(data)

    def hurry(self) -> None:
        """From now on let nothing wait."""
        self.flush()
        self.turn = AT_ONCE

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
        """Close now, whatever the system has not sent yet.

        What waits is the system's first: who has got nothing of an answer may ask again by himself.
        """
        self.flush()
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
