"""Group commit for reads: what is asked for while a flight is under way travels together in the next one.

                    read ──> waiting ──────────────┐ next turn of the event loop, or when the flight has landed
                                                   v
     no line ── connecting ── line free ──── flight under way ── landed ──> line free
                    │                              │
                    │ failed: all who wait         ├── line lost: once more, on a fresh line
                    v are told, circuit opens      └── no answer in time: all who wait are told, circuit opens

Nothing is cached, so a logout is seen by the next read everywhere; and under load a read costs a fraction of a command.
Whoever is cancelled while waiting is passed over; no one else notices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from bff.session.store import Waiter
from bff.stores.circuit import Circuit
from bff.stores.redis_faults import CLOSED, FOREIGN_ERRORS, REFUSED, TIMEOUT, reason_of
from bff.stores.redis_line import Flight, Line, Waiters, fail, is_awaited

LARGEST_FLIGHT: Final = 128
"""Keys in one flight at most: the first answer must not wait for half a megabyte behind it."""

GRACE: Final = 0.02
"""Seconds a late answer gets after its time, in which the event loop reads the socket once more: it may be the event
loop that was held up, not the server."""


class OpenLine(Protocol):
    """Opens an authenticated connection for reads, with the callbacks of `Line`."""

    def __call__(
        self,
        on_free: Callable[[], None],
        on_lost: Callable[[Line, str], None],
        on_redirected: Callable[[str, Waiters], None],
    ) -> Awaitable[Line]:
        """Return the open line; raises what redis-py raises."""
        ...


def _refuse(_key: str, waiters: Waiters) -> None:
    fail(waiters, REFUSED)


class ReadQueue:
    """Reads from one server over one line; `timeout` is how many seconds a flight may take.

    `on_redirected` is `Line`'s; `on_failed` gets one of the keys whenever the server could not be had.
    """

    def __init__(
        self,
        open_line: OpenLine,
        circuit: Circuit,
        *,
        timeout: float,
        on_redirected: Callable[[str, Waiters], None] = _refuse,
        on_failed: Callable[[str], None] | None = None,
    ) -> None:
        self._open_line = open_line
        self._circuit = circuit
        self._timeout = timeout
        self._on_redirected = on_redirected
        self._on_failed = on_failed
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, Waiters] = {}
        self._second_attempt: dict[str, Waiters] = {}
        self._line: Line | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_flush_due = False
        self._watch: asyncio.TimerHandle | None = None

    def add(self, key: str, waiter: Waiter) -> None:
        """Join the next flight."""
        waiters = self._waiting.get(key)
        if waiters is None:
            self._waiting[key] = [waiter]
        else:
            waiters.append(waiter)
        if not self._is_flush_due:
            line = self._line
            if line is None or line.flight is None:
                self._is_flush_due = True
                self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        line = self._line
        if line is None:
            if self._connecting is None and (self._waiting or self._second_attempt):
                self._connecting = self._loop.create_task(self._connect())
        elif line.flight is None:
            flight = self._next_flight()
            if flight is not None:
                flight.started_at = self._loop.time()
                line.send(flight)
                if self._watch is None:
                    self._watch = self._loop.call_later(self._timeout, self._check)

    def _next_flight(self) -> Flight | None:
        if self._second_attempt:
            waiting, self._second_attempt = self._second_attempt, {}
            return Flight(waiting, is_second_attempt=True)
        waiting, self._waiting = self._waiting, {}
        if len(waiting) > LARGEST_FLIGHT:
            entries = list(waiting.items())
            waiting = dict(entries[:LARGEST_FLIGHT])
            self._waiting = dict(entries[LARGEST_FLIGHT:])
        awaited = {key: waiters for key, waiters in waiting.items() if is_awaited(waiters)}
        if not awaited:
            return self._next_flight() if self._waiting else None
        return Flight(awaited)

    def _landed(self) -> None:
        self._circuit.succeeded()
        if self._waiting:
            self._flush()

    async def _connect(self) -> None:
        reason = REFUSED
        try:
            line = await self._open_line(self._landed, self._lost, self._on_redirected)
        except FOREIGN_ERRORS as error:
            reason = reason_of(error)
        else:
            self._line = line
        finally:
            self._connecting = None
            if self._line is None:
                self._fail(reason)
        self._flush()

    def _lost(self, line: Line, reason: str) -> None:
        self._line = None
        flight = line.flight
        if flight is not None:
            self._second_attempt = flight.unanswered()
            if flight.is_second_attempt:
                self._fail(reason)
        self._flush()

    def _check(self, is_grace_over: bool = False) -> None:
        self._watch = None
        line = self._line
        if line is None or line.flight is None:
            return
        left = line.flight.started_at + self._timeout - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._check)
        elif not is_grace_over:
            self._watch = self._loop.call_later(GRACE, self._check, True)
        else:
            self._fail(TIMEOUT)

    def _fail(self, reason: str) -> None:
        """Tell all who wait, drop the line and open the circuit: nobody else shall wait for the same."""
        self._circuit.failed()
        key = self._drop(reason)
        if key is not None and self._on_failed is not None:
            self._on_failed(key)

    def drop_idle_line(self) -> None:
        """Read over a fresh line from now on, unless a flight is under way."""
        if self._line is not None and self._line.flight is None:
            self._line.close()
            self._line = None

    async def close(self) -> None:
        """Tell all who wait that the store is closed."""
        connecting = self._connecting
        self._drop(CLOSED)
        if connecting is not None:
            connecting.cancel()
            await asyncio.wait([connecting])

    def _drop(self, reason: str) -> str | None:
        """Close the line and tell all who wait; return one of their keys."""
        lost = [*self._second_attempt.items(), *self._waiting.items()]
        self._second_attempt, self._waiting = {}, {}
        line, self._line = self._line, None
        if line is not None:
            if line.flight is not None:
                lost += line.flight.unanswered().items()
            line.close()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for _, waiters in lost:
            fail(waiters, reason)
        return lost[0][0] if lost else None
