"""An upstream that writes down every byte it gets and answers with whatever bytes a test wants.

It is the oracle of the proxy's tests: it must have seen exactly the well-formed requests that were meant, or none.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.raw_http import Malformed, Message, Stream, read_request


@dataclass(eq=False)
class UpstreamConnection:
    """One connection from the gateway."""

    stream: Stream
    writer: asyncio.StreamWriter
    requests: list[Message] = field(default_factory=list)
    closes: bool = False

    async def send(self, data: bytes) -> None:
        """Send bytes and wait until they are on their way; the gateway may have left."""
        if not self.writer.transport.is_closing():
            with contextlib.suppress(ConnectionError):
                self.writer.write(data)
                await self.writer.drain()

    def close(self) -> None:
        """Close when all has been sent."""
        self.closes = True
        self.writer.close()

    def reset(self) -> None:
        """Close with a reset."""
        self.closes = True
        self.writer.transport.abort()


Answer = Callable[[UpstreamConnection, Message], Awaitable[None]]


def answer_line(body: bytes, *, status: int = 200, fields: bytes = b"") -> bytes:
    """Return a complete answer with a length."""
    return b"HTTP/1.1 %d Whatever\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body)


async def echo(connection: UpstreamConnection, request: Message) -> None:
    """Answer with what identifies the request: its target, its token and its body."""
    token = request.value("authorization") or b"-"
    body = b"%b|%b|%b" % (request.target, token, request.body)
    await connection.send(answer_line(b"" if request.method == b"HEAD" else body))


class RawUpstream:
    """Records requests, and faults: whatever was not a well-formed request, or came before its predecessor's answer."""

    def __init__(self) -> None:
        self.connections: list[UpstreamConnection] = []
        self.requests: list[Message] = []
        self.faults: list[str] = []
        self.answer: Answer = echo
        self.reads_requests = True
        self.keeps_bytes = True
        self.port = 0
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open_connections(self) -> int:
        """How many connections the gateway holds open."""
        return sum(not connection.writer.transport.is_closing() for connection in self.connections)

    def forget(self) -> None:
        """Begin anew: default answers, nothing recorded; connections stay."""
        self.requests.clear()
        self.faults.clear()
        self.answer = echo
        self.reads_requests = True

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at whenever something has happened here."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = UpstreamConnection(Stream(reader, keeps=self.keeps_bytes), writer)
        self.connections.append(connection)
        await self._note()
        try:
            while self.reads_requests and not connection.closes:
                request = await read_request(connection.stream)
                if request is None:
                    break
                connection.requests.append(request)
                self.requests.append(request)
                if connection.stream.buffer:
                    self.faults.append(f"bytes after a request: {bytes(connection.stream.buffer)[:200]!r}")
                await self._note()
                await self.answer(connection, request)
                await self._note()
            if not self.reads_requests:
                await reader.read(-1)
        except Malformed as error:
            self.faults.append(str(error))
        except ConnectionError:
            pass
        finally:
            writer.close()
            await self._note()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawUpstream]:
        """Listen on a port of its own."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in self.connections:
                connection.writer.transport.abort()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


def unused_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
