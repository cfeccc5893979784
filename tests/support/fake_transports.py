"""Transports in memory: the test reads what was written, and says what the peer sends and how fast it reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bff.proxy.turn import Turn, TurnTransport

HIGH_WATER = 64 * 1024


class FakeTransport(asyncio.Transport):
    """Behaves as a socket's transport does; everything the peer does is a method call.

    While `peer_reads` is False what is written piles up and pauses the protocol above `HIGH_WATER`, as the event loop
    does it; `peer_takes_all` lets it go. What is received is dealt with at once, unless `ends_turn` is False.
    """

    def __init__(self, *, can_write_eof: bool = True, **extra: Any) -> None:
        super().__init__({"peername": ("192.0.2.7", 40000), "sockname": ("192.0.2.1", 8080)} | extra)
        self.protocol: asyncio.Protocol | None = None
        self.written = bytearray()
        self.writes = 0
        self.ends_turn = True
        self.peer_reads = True
        self.was_aborted = False
        self.wrote_eof = False
        self._can_write_eof = can_write_eof
        self._backlog = 0
        self._is_closing = False
        self._is_lost = False
        self._is_reading = True
        self._is_write_paused = False
        self._unread: list[bytes | None] = []

    def connect(self, protocol: asyncio.Protocol) -> None:
        """Give the connection to the protocol."""
        self.protocol = protocol
        protocol.connection_made(self)

    # What the peer does.

    def receive(self, data: bytes) -> None:
        """The peer sends; delivered at once, or when reading is resumed."""
        self._unread.append(data)
        self._deliver()

    def receive_eof(self) -> None:
        """The peer closes its side; no protocol here keeps a half-closed connection."""
        self._unread.append(None)
        self._deliver()

    def lose(self, error: Exception | None = None) -> None:
        """The connection breaks now."""
        assert self.protocol is not None
        if not self._is_lost:
            self._is_closing = self._is_lost = True
            self.protocol.connection_lost(error)

    def peer_takes_all(self) -> None:
        """The peer reads all that was written."""
        self._backlog = 0
        if self._is_write_paused and self.protocol is not None:
            self._is_write_paused = False
            self.protocol.resume_writing()
        if self._is_closing:
            self.lose()

    def take_written(self) -> bytes:
        """Return what was written since the last call, that which would leave with this turn too."""
        if (turn := self._turn) is not None:
            turn.catch_up()
            turn.leave()
        taken = bytes(self.written)
        self.written.clear()
        return taken

    def _deliver(self) -> None:
        while self._unread and self._is_reading and not self._is_closing:
            data = self._unread.pop(0)
            assert self.protocol is not None
            if data is None:
                self.protocol.eof_received()
                self.lose()
            else:
                self.protocol.data_received(data)
                if self.ends_turn and (turn := self._turn) is not None:
                    turn.catch_up()

    @property
    def _turn(self) -> Turn | None:
        own = getattr(self.protocol, "transport", None)
        return own.turn if isinstance(own, TurnTransport) else None

    # What the protocol asks for.

    def write(self, data: Any) -> None:
        assert not self._is_lost, "written after the connection was lost"
        assert not self.wrote_eof, "written after the end was written"
        if self._is_closing:
            return
        self.written += data
        self.writes += 1
        if not self.peer_reads:
            self._backlog += len(data)
            if self._backlog > HIGH_WATER and not self._is_write_paused:
                self._is_write_paused = True
                assert self.protocol is not None
                self.protocol.pause_writing()

    def write_eof(self) -> None:
        assert not self._is_lost, "ended after the connection was lost"
        assert self._can_write_eof, "such a connection cannot be half closed"
        self.wrote_eof = True

    def can_write_eof(self) -> bool:
        return self._can_write_eof

    def get_write_buffer_size(self) -> int:
        return self._backlog

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if not self._backlog:
                asyncio.get_running_loop().call_soon(self.lose)

    def abort(self) -> None:
        if not self._is_lost:
            self.was_aborted = self._is_closing = True
            asyncio.get_running_loop().call_soon(self.lose)


async def turns(count: int = 5) -> None:
    """Let the event loop run what is due, and what that makes due."""
    for _ in range(count):
        await asyncio.sleep(0)


async def turn_until(condition: Callable[[], bool]) -> None:
    """Let the event loop run, one turn after the other, until the condition holds."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)
