"""Requests that came before the one before them was answered: held, and only so much of what follows them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bff.proxy.incoming import Incoming

HOLD_LIMIT = 64 * 1024
MOST_WAITING = 1000
"""Requests that may wait: parsed they take many times the memory of their bytes."""


class Pipeline(deque["Incoming"]):
    """The requests that one read of the socket brought too early, and the bytes that came after it, not yet parsed."""

    __slots__ = ("_unread", "_unread_size")

    def __init__(self) -> None:
        super().__init__()
        self._unread: list[bytes] = []
        self._unread_size = 0

    @property
    def last(self) -> Incoming:
        """The request to which what the parser says next belongs."""
        return self[-1]

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
        super().clear()
        self.unread()
