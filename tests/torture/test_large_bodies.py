"""Bodies larger than memory should ever hold pass at the pace of the slower side."""

from __future__ import annotations

import asyncio
import resource
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.proxy_server import ProxyServer, route_to, running_proxy, until
from tests.torture.size import FACTOR

MEGABYTE = 1 << 20
SIZE = 100 * MEGABYTE * FACTOR
PIECE = bytes(range(256)) * 256
# The socket buffers of four sockets and what the event loop holds back; far below what is sent.
IN_FLIGHT = 32 * MEGABYTE
MEMORY = 64 * MEGABYTE


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def checksum(size: int) -> int:
    value, left = 0, size
    while left:
        piece = PIECE[:left]
        value = zlib.crc32(piece, value)
        left -= len(piece)
    return value


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass
class StreamingUpstream:
    """Counts what it reads and sends what it is asked for, a piece at a time."""

    port: int = 0
    read: int = 0
    crc: int = 0
    sent: int = 0

    def __post_init__(self) -> None:
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET "):
                await self._send(writer, int(head.split(b" ")[1].removeprefix(b"/")))
                return
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    await self._read(reader, int(line[15:]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, size: int) -> None:
        while self.read < size:
            await self.may_read.wait()
            data = await reader.read(1 << 16)
            if not data:
                return
            self.read += len(data)
            self.crc = zlib.crc32(data, self.crc)

    async def _send(self, writer: asyncio.StreamWriter, size: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while self.sent < size:
            piece = PIECE[: size - self.sent]
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)


@pytest.fixture
async def upstream() -> AsyncIterator[StreamingUpstream]:
    upstream = StreamingUpstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    yield upstream
    server.close()


@pytest.fixture
async def proxy(upstream: StreamingUpstream) -> AsyncIterator[ProxyServer]:
    def routes() -> list[Any]:
        return [route_to("/open", upstream.port, reads_session=False, max_body=2 * SIZE)]

    async with running_proxy(routes) as proxy:
        yield proxy


async def read_all(reader: asyncio.StreamReader) -> tuple[int, int]:
    size = crc = 0
    while data := await reader.read(1 << 16):
        size += len(data)
        crc = zlib.crc32(data, crc)
    return size, crc


@pytest.mark.timeout(120 * FACTOR)
async def test_a_large_download_passes_whole_in_little_memory(proxy: ProxyServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    before = peak_memory()
    writer.write(proxy.request(b"GET", b"/open/%d" % SIZE, b"Connection: close\r\n"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % SIZE in head
    assert await read_all(reader) == (SIZE, checksum(SIZE))
    assert peak_memory() - before < MEMORY
    writer.close()


@pytest.mark.timeout(120 * FACTOR)
async def test_a_download_nobody_reads_stops_at_its_source(proxy: ProxyServer, upstream: StreamingUpstream) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=1 << 16)
    writer.write(proxy.request(b"GET", b"/open/%d" % SIZE, b"Connection: close\r\n"))
    await reader.readuntil(b"\r\n\r\n")
    (front,) = proxy.context.fronts
    await until(lambda: front.is_write_paused)
    assert upstream.sent < IN_FLIGHT
    assert await read_all(reader) == (SIZE, checksum(SIZE))
    writer.close()


@pytest.mark.timeout(120 * FACTOR)
async def test_a_large_upload_passes_whole_in_little_memory(proxy: ProxyServer, upstream: StreamingUpstream) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    before = peak_memory()
    writer.write(proxy.request(b"POST", b"/open/x", b"Content-Length: %d\r\n" % SIZE))
    await send_all(writer, SIZE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    assert (upstream.read, upstream.crc) == (SIZE, checksum(SIZE))
    assert peak_memory() - before < MEMORY
    writer.close()


@pytest.mark.timeout(120 * FACTOR)
async def test_an_upload_nobody_reads_stops_at_its_source(proxy: ProxyServer, upstream: StreamingUpstream) -> None:
    upstream.may_read.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(proxy.request(b"POST", b"/open/x", b"Content-Length: %d\r\n" % SIZE))
    sending = asyncio.create_task(send_all(writer, SIZE))
    await until(lambda: any(front.flow is not None and front.flow.read_paused for front in proxy.context.fronts))
    assert not sending.done()
    assert upstream.read < IN_FLIGHT
    upstream.may_read.set()
    await sending
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    assert (upstream.read, upstream.crc) == (SIZE, checksum(SIZE))
    writer.close()


async def send_all(writer: asyncio.StreamWriter, size: int) -> None:
    left = size
    while left:
        piece = PIECE[:left]
        writer.write(piece)
        await writer.drain()
        left -= len(piece)
