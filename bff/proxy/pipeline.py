"""Requests that came before the one before them was answered: held, and only so much of what follows them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bff.proxy.incoming import Incoming

HOLD_LIMIT = 64 * 1024


class Pipeline:
    """The requests that one read of the socket brought too early, and the bytes that came after it, not yet parsed."""

    __slots__ = ("_requests", "_unread", "_unread_size")

    def __init__(self) -> None:
        self._requests: deque[Incoming] = deque()
        self._unread: list[bytes] = []
        self._unread_size = 0

    def __bool__(self) -> bool:
        return bool(self._requests)

    @property
    def last(self) -> Incoming:
        """The request to which what the parser says next belongs."""
        return self._requests[-1]

    def add(self, incoming: Incoming) -> None:
        """Let a request wait for its turn."""
        self._requests.append(incoming)

    def next(self) -> Incoming:
        """Take the request whose turn it is."""
        return self._requests.popleft()

    def hold(self, data: bytes) -> bool:
        """Keep bytes for later; return whether more may be read."""
        self._unread.append(data)
        self._unread_size += len(data)
        return self._unread_size < HOLD_LIMIT

    def unread(self) -> bytes:
        """Give back the bytes that were kept."""
        data = b"".join(self._unread)
        self._unread.clear()
        self._unread_size = 0
        return data

    def clear(self) -> None:
        """Forget everything."""
        self._requests.clear()
        self.unread()
