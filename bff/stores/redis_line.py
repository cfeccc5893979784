"""One connection to one Redis server that does nothing but read sessions.

Every proxied call waits for such a read, so it passes neither redis-py's command layer nor a task: redis-py opens
and authenticates the connection, and from then on it carries one request at a time, for many keys at once, whose
values are taken from the bytes as they arrive.

     send(flight)    MGET k1 … kn                on a cluster, where MGET is bound to one slot: GET k1, … GET kn
     data_received   $n CRLF value CRLF …        each value goes to those who wait for its key
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from bff.errors import StoreUnavailable
from bff.session.store import StoredSession, Tombstone, Waiter
from bff.stores.redis_faults import PROTOCOL, UNREACHABLE, reason_of_code
from bff.stores.redis_scripts import decode_stored

Found = StoredSession | Tombstone | None
Waiters = list[Waiter]

_BULK, _ARRAY, _ERROR = b"$*-"
_logger = logging.getLogger("bff.stores")
_REDIRECTIONS: Final = frozenset({"MOVED", "ASK", "TRYAGAIN"})


class Flight:
    """Keys that travel together, each with those who wait for it, and how many have been answered."""

    __slots__ = ("answered", "is_second_attempt", "keys", "started_at", "waiters")

    def __init__(self, waiting: dict[str, Waiters], *, is_second_attempt: bool = False) -> None:
        self.keys = list(waiting)
        self.waiters = list(waiting.values())
        self.answered = 0
        self.started_at = 0.0
        self.is_second_attempt = is_second_attempt

    def unanswered(self) -> dict[str, Waiters]:
        """Return the keys still waited for."""
        rest = zip(self.keys[self.answered :], self.waiters[self.answered :], strict=True)
        return {key: waiters for key, waiters in rest if is_awaited(waiters)}


def is_awaited(waiters: Waiters) -> bool:
    """Whether anyone is left who waits."""
    for waiter in waiters:  # noqa: SIM110 -- asked for every key of every flight, and a generator costs as much as all
        if not waiter.done():
            return True
    return False


def deliver(waiters: Waiters, found: Found) -> None:
    """Give everyone who still waits what was found; what one makes of it is no other's concern."""
    for waiter in waiters:
        try:
            if not waiter.done():
                waiter.set_result(found)
        except Exception:
            _logger.exception("store.internal_error")


def fail(waiters: Waiters, reason: str) -> None:
    """Tell everyone who still waits that the store is unavailable; each gets an exception of its own."""
    for waiter in waiters:
        try:
            if not waiter.done():
                waiter.set_exception(StoreUnavailable(reason))
        except Exception:
            _logger.exception("store.internal_error")


class Line(asyncio.Protocol):
    """Sends one flight at a time; `on_free` is called after each, `on_lost` once, with a reason, when it breaks.

    `on_redirected` gets the keys that a cluster's node says to ask for elsewhere. `prefix` goes before every key.
    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        *,
        prefix: str,
        is_cluster: bool,
        on_free: Callable[[], None],
        on_lost: Callable[[Line, str], None],
        on_redirected: Callable[[str, Waiters], None],
    ) -> None:
        # The writer would close the transport if it were collected.
        self._writer = writer
        self._transport = writer.transport
        self._prefix = prefix
        self._prefix_length = len(prefix)
        self._is_cluster = is_cluster
        self._on_free = on_free
        self._on_lost = on_lost
        self._on_redirected = on_redirected
        self._rest = b""
        self.flight: Flight | None = None
        self._transport.set_protocol(self)

    def send(self, flight: Flight) -> None:
        """Ask for all keys of the flight."""
        self.flight = flight
        self._transport.write(self._request(flight.keys))

    def _request(self, keys: Sequence[str]) -> bytes:
        prefix, length = self._prefix, self._prefix_length
        if self._is_cluster:
            commands = [f"*2\r\n$3\r\nGET\r\n${length + len(key)}\r\n{prefix}{key}\r\n" for key in keys]
            return "".join(commands).encode("ascii")
        names = [f"${length + len(key)}\r\n{prefix}{key}\r\n" for key in keys]
        return f"*{len(keys) + 1}\r\n$4\r\nMGET\r\n{''.join(names)}".encode("ascii")

    def close(self) -> None:
        """Close the connection; `on_lost` is not called any more."""
        self._on_lost = _ignore
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server or the network closed the connection."""
        self._on_lost(self, UNREACHABLE)

    def data_received(self, data: bytes) -> None:
        """Hand out every value that is complete.

        Those who wait go on at once, and whatever they do finds the line as it will be: free, or lost.
        """
        flight = self.flight
        if flight is None:
            self._break(PROTOCOL)
            return
        buffer = self._rest + data if self._rest else data
        values: list[tuple[Waiters, int, int]] = []
        try:
            position = self._read(flight, buffer, values)
        except ValueError:
            self._break(PROTOCOL)
        else:
            self._rest = buffer[position:] if position < len(buffer) else b""
            if flight.answered == len(flight.keys):
                if self._rest:
                    self._break(PROTOCOL)
                else:
                    self.flight = None
                    self._on_free()
        for waiters, start, stop in values:
            # One after the other: a copy of each would not stay in the processor's cache until its turn.
            deliver(waiters, decode_stored(buffer, start, stop) if stop else None)

    def _read(self, flight: Flight, buffer: bytes, values: list[tuple[Waiters, int, int]]) -> int:
        """Find what is complete, return where the rest begins; raises `ValueError` for what is not expected here.

        `values` gets those who wait for each value with its place in the buffer, which ends at 0 if there is none.
        """
        position, end, total = 0, len(buffer), len(flight.keys)
        while flight.answered < total:
            line_end = buffer.find(b"\r\n", position)
            if line_end < 0:
                break
            after = line_end + 2
            kind = buffer[position]
            if kind == _BULK:
                length = int(buffer[position + 1 : line_end])
                start, stop = after, 0
                if length >= 0:
                    stop = start + length
                    after = stop + 2
                    if after > end:
                        break
                values.append((flight.waiters[flight.answered], start, stop))
                flight.answered += 1
            elif kind == _ERROR:
                self._refused(flight, buffer[position + 1 : line_end])
            elif kind != _ARRAY or self._is_cluster or int(buffer[position + 1 : line_end]) != total:
                raise ValueError(kind)
            position = after
        return position

    def _refused(self, flight: Flight, message: bytes) -> None:
        """Handle an error reply, which stands for all keys of an MGET, and on a cluster for the key that is next."""
        code = message.partition(b" ")[0].decode("ascii", "replace")
        first = flight.answered
        flight.answered = first + 1 if self._is_cluster else len(flight.keys)
        for index in range(first, flight.answered):
            if self._is_cluster and code in _REDIRECTIONS:
                self._on_redirected(flight.keys[index], flight.waiters[index])
            else:
                fail(flight.waiters[index], reason_of_code(code))

    def _break(self, reason: str) -> None:
        on_lost, self._on_lost = self._on_lost, _ignore
        self._transport.abort()
        on_lost(self, reason)


def _ignore(_line: Line, _reason: str) -> None:
    pass
