"""How many WebSockets each session has open in this process."""

from __future__ import annotations

from typing import Final

from bff.errors import TooManySockets

MOST_SOCKETS: Final = 64
"""WebSockets of one session at a time, in one process: many tabs, and yet no way to use up all connections."""


class OpenSockets:
    """Counts by store key; nothing is kept of a session without sockets."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def take(self, key: str) -> None:
        """Count one more; raises `TooManySockets`."""
        count = self._counts.get(key, 0)
        if count >= MOST_SOCKETS:
            raise TooManySockets("websocket.session_limit")
        self._counts[key] = count + 1

    def give_back(self, key: str) -> None:
        """Count one less."""
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]
