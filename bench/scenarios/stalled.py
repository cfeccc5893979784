"""Transfers that stand still, their reader being slow: what a server holds for each of them meanwhile."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence

from bench import raw_client
from bench.process_tree import memory_bytes

COUNT = 50
SETTLED = 2.0
_CHUNK = bytes(2**16)


def held_by_downloads(pid: int, url: str, headers: Sequence[str]) -> float:
    """Return the KiB the process tree holds for a download nobody reads."""
    return _held(pid, lambda: raw_client.open_call(url, headers))


def held_by_uploads(pid: int, url: str, headers: Sequence[str], length: int) -> float:
    """Return the KiB it holds for an upload that the upstream does not read, the client sending all it can."""

    def begin() -> socket.socket:
        connection = raw_client.open_call(url, headers, method="PUT", length=length)
        connection.settimeout(0.02)
        with contextlib.suppress(TimeoutError):
            while True:
                connection.sendall(_CHUNK)
        return connection

    return _held(pid, begin)


def _held(pid: int, begin: Callable[[], socket.socket]) -> float:
    # The first makes what is made once.
    with contextlib.ExitStack() as stack:
        stack.enter_context(begin())
        time.sleep(SETTLED / 2)
        before = sum(memory_bytes(pid).values())
        for _ in range(COUNT):
            stack.enter_context(begin())
        time.sleep(SETTLED)
        return (sum(memory_bytes(pid).values()) - before) / COUNT / 1024
