"""An upstream whose answers do not end by themselves: event streams and WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class EventStream:
    """One answer under way, as the upstream sees it."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, event: bytes) -> None:
        """Send one event."""
        self.writer.write(chunk(b"data: %b\n\n" % event))
        await self.writer.drain()

    async def until_left(self) -> None:
        """Return when the gateway has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1024):
                pass


@dataclass
class LiveUpstream:
    """Both servers; `streams` and `sockets` get each new one, `closed` the close codes and reasons of sockets."""

    stream_port: int = 0
    socket_port: int = 0
    streams: asyncio.Queue[EventStream] = field(default_factory=asyncio.Queue)
    sockets: asyncio.Queue[ServerConnection] = field(default_factory=asyncio.Queue)
    closed: asyncio.Queue[tuple[int | None, str | None]] = field(default_factory=asyncio.Queue)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def routes(self, token: str = "user", *, prefix: str = "/api") -> str:
        """Return the value of `BFF_ROUTES`: event streams below the prefix, WebSockets in `/live`."""
        url = "http://127.0.0.1:%d"
        return json.dumps([
            {"prefix": prefix, "upstream": url % self.stream_port, "token": token},
            {"prefix": "/live", "upstream": url % self.socket_port, "token": token, "websocket": True},
        ])  # fmt: skip

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request with an event stream that the test writes."""
        self.writers.append(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        writer.write(STREAM_HEAD)
        await self.streams.put(EventStream(head, reader, writer))

    async def serve_socket(self, connection: ServerConnection) -> None:
        """Echo until the socket closes."""
        await self.sockets.put(connection)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(await connection.recv())
        await self.closed.put((connection.close_code, connection.close_reason))


@asynccontextmanager
async def live_upstream() -> AsyncIterator[LiveUpstream]:
    """Run both servers."""
    upstream = LiveUpstream()
    async with serve(upstream.serve_socket, "127.0.0.1", 0) as sockets:
        streams = await asyncio.start_server(upstream.serve_stream, "127.0.0.1", 0)
        upstream.socket_port = next(iter(sockets.sockets)).getsockname()[1]
        upstream.stream_port = streams.sockets[0].getsockname()[1]
        try:
            yield upstream
        finally:
            streams.close()
            for writer in upstream.writers:
                writer.transport.abort()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
