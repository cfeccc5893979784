"""Idle connections to upstreams, by origin: the last one used is used first, and none is kept that may be stale."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec

from bff.errors import UpstreamTimeout, UpstreamUnavailable
from bff.proxy.back import Back
from bff.proxy.turn import AT_ONCE, Turn

CONNECT_TIMEOUT = 5.0
# Shorter than the idle limits of common servers (5 s and up), so that a connection is given up here first.
IDLE_LIMIT = 4.0
_MOST_IDLE = 1024


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """Where an upstream listens, and whether it is shown the client's certificate if it asks (RFC 8705 section 3)."""

    hostname: str
    port: int
    is_secure: bool
    shows_certificate: bool = False


class Pool:
    """Connections to upstreams; it belongs to one event loop, times are the loop's."""

    def __init__(
        self,
        tls: ssl.SSLContext | None,
        mutual_tls: ssl.SSLContext | None = None,
        turn: Turn = AT_ONCE,
    ) -> None:
        self._tls = tls
        self._mutual_tls = mutual_tls
        self._turn = turn
        self._idle: dict[Origin, deque[Back]] = {}
        self._is_closed = False
        self._generation = 0
        self._time: Callable[[], float] | None = None

    def take(self, origin: Origin) -> Back | None:
        """Return the idle connection that was used last, or None."""
        idle = self._idle.get(origin)
        while idle:
            back = idle.pop()
            if not back.is_spoilt:
                return back
            back.abandon()
        return None

    async def connect(self, origin: Origin) -> Back:
        """Open a connection; raises `UpstreamUnavailable` or `UpstreamTimeout`."""
        loop, generation = asyncio.get_running_loop(), self._generation
        tls = None
        if origin.is_secure:
            tls = self._mutual_tls if origin.shows_certificate else self._tls
        if origin.is_secure and tls is None:
            raise UpstreamUnavailable("upstream.tls")
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                make = partial(Back, self._turn)
                _, back = await loop.create_connection(make, origin.hostname, origin.port, ssl=tls)
        except TimeoutError:
            raise UpstreamTimeout("upstream.connect_timeout") from None
        except ssl.SSLError:
            raise UpstreamUnavailable("upstream.tls") from None
        except OSError:
            raise UpstreamUnavailable("upstream.connect") from None
        back.generation = generation
        return back

    def give(self, origin: Origin, back: Back) -> None:
        """Take a connection back after an exchange, for another one or to be closed."""
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = deque()
        is_unwanted = self._is_closed or back.generation != self._generation
        if is_unwanted or not back.is_reusable or len(idle) >= _MOST_IDLE:
            back.abandon()
            return
        if self._time is None:
            # Looked up once: to find the running loop may cost a system call.
            self._time = asyncio.get_running_loop().time
        back.idle_since = self._time()
        idle.append(back)

    def sweep(self, now: float) -> None:
        """Close what has been idle too long; called about twice a second."""
        for idle in self._idle.values():
            while idle and (idle[0].is_lost or now - idle[0].idle_since > IDLE_LIMIT):
                idle.popleft().abandon()

    def renew(self) -> None:
        """Use no connection that is open now for another call: it was opened with what has been renewed since."""
        self._generation += 1
        self._close_idle()

    def close(self) -> None:
        """Close all idle connections, and those given back from now on."""
        self._is_closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle.values():
            while idle:
                idle.pop().abandon()

    @property
    def idle_count(self) -> int:
        """How many connections wait for a request."""
        return sum(len(idle) for idle in self._idle.values())
