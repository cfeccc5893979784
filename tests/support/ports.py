"""Ports for servers that tests start: given out once, and kept from every other program until the server is there."""

from __future__ import annotations

import socket
import sys
from collections import deque

HELD = 200
_held: deque[socket.socket] = deque()
_given: set[int] = set()


def reserve_port(*, distance: int = 0) -> int:
    """A free port of 127.0.0.1, not given out before; with `distance`, the one so much higher is kept as well.

    It stays bound, so that neither a test in another process nor a connection that somebody opens gets it; a server
    that sets SO_REUSEADDR, as servers do, may listen there all the same.
    """
    while True:
        first = _bound(0)
        if first is None:
            continue
        port: int = first.getsockname()[1]
        second = _bound(port + distance) if distance and port + distance < 1 << 16 else None
        if not _given.isdisjoint({port, port + distance}) or (distance and second is None):
            first.close()
            if second is not None:
                second.close()
            continue
        _given.update((port, port + distance))
        for bound in (first, second):
            if bound is not None:
                _hold(bound)
        return port


def _bound(port: int) -> socket.socket | None:
    bound = socket.socket()
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        return None
    # Only now: with it, what another test has bound could be had as well.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return bound


def _hold(bound: socket.socket) -> None:
    if sys.platform != "linux":
        # Elsewhere nobody may listen at an address that is bound, whatever is set.
        bound.close()
        return
    _held.append(bound)
    # The oldest have their servers by now, and open files are few.
    while len(_held) > HELD:
        _held.popleft().close()
