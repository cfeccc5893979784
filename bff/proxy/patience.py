"""How long a browser's connection may keep us waiting while no exchange watches over it."""

from __future__ import annotations

import asyncio

import msgspec

HEAD_DEADLINE = 10.0
"""Seconds for a header section, and for every piece of a body that is not proxied."""

KEEP_ALIVE = 75.0
LINGER = 5.0
STALL_LIMIT = 60.0
"""Seconds in which a browser that is owed an answer must have read something of it."""


class Patience(msgspec.Struct, eq=False, gc=False):
    """A deadline that moves on while the browser reads what it was answered; times are the event loop's.

    `backlog` is what it had not read when last asked.
    """

    until: float
    backlog: int = 0

    def renew(self, now: float) -> None:
        """Begin again: the browser, or whoever it waits for, has moved."""
        self.until = now + STALL_LIMIT

    def is_over(self, now: float, transport: asyncio.Transport) -> bool:
        """Whether the deadline has passed; to be asked regularly."""
        backlog = transport.get_write_buffer_size()
        if backlog and backlog != self.backlog:
            self.until = max(self.until, now + STALL_LIMIT)
        self.backlog = backlog
        return now > self.until
