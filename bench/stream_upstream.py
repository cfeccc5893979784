"""Run as a program: an upstream for what nginx cannot play, a sink for uploads and a source of events.

PUT  /upload               reads the body to its end, then 204
GET  /events?every=0.02    server-sent events, each the time it was sent (nanoseconds of the monotonic clock), the
                           first at once; every=0 sends no other
GET  /open                 how many event streams are open
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import uvloop

_EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n"
_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection; it trusts its callers."""

    streams: set[Upstream] = set()  # noqa: RUF012 -- all connections share it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing received."""
        self._transport = cast("asyncio.Transport", transport)
        self._head = b""
        self._body_left = 0
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes of a body, or of a head."""
        if self._body_left:
            self._took(len(data))
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._head = b""
            self._begin(head.decode("latin-1"), len(rest))

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        self.streams.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self, head: str, received: int) -> None:
        lines = head.split("\r\n")
        path, _, query = lines[0].split()[1].partition("?")
        if path.endswith("/events"):
            self._transport.write(_EVENTS)
            self.streams.add(self)
            self._send(float(query.rpartition("=")[2] or 0))
        elif path.endswith("/stall"):
            self._transport.pause_reading()
        elif path.endswith("/upload"):
            fields = dict(line.lower().split(": ", 1) for line in lines[1:])
            self._body_left = int(fields["content-length"])
            self._took(received)
        else:
            body = b"%d" % len(self.streams)
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def _took(self, count: int) -> None:
        self._body_left -= count
        if self._body_left == 0:
            self._transport.write(_TAKEN)

    def _send(self, every: float) -> None:
        self._transport.write(b"data: %d\n\n" % time.monotonic_ns())
        if every:
            self._timer = asyncio.get_running_loop().call_later(every, self._send, every)


async def serve(port: int) -> None:
    """Serve until ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
