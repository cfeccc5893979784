"""Thousands of event streams over which nothing happens: what each costs a gateway, and what they leave behind."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.live_upstream import EventStream, LiveUpstream, live_upstream
from tests.support.processes import GatewayServer, start_gateway, start_provider, start_valkey
from tests.support.sign_in import sign_in
from tests.torture.size import FACTOR

STREAMS = 1000 * FACTOR
AT_ONCE = 50
MOST = 25 * 1024
"""Bytes of the gateway's memory for each stream."""


@contextmanager
def many_files() -> Iterator[None]:
    """Allow this process, which holds both ends of every stream, as many as the system lets it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def memory_of(gateway: GatewayServer) -> int:
    """Return the bytes that the process holds in memory."""
    pages = int(Path(f"/proc/{gateway.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Streams:
    """Event streams through the gateway."""

    def __init__(self, gateway: GatewayServer, upstream: LiveUpstream, fields: bytes) -> None:
        self._gateway = gateway
        self._upstream = upstream
        self._head = b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%b\r\n" % (gateway.port, fields)
        self._writers: list[asyncio.StreamWriter] = []
        self._streams: list[EventStream] = []

    async def open(self, count: int) -> None:
        """Open that many, each up to its first event."""
        for _ in range(0, count, AT_ONCE):
            await asyncio.gather(*(self._open() for _ in range(AT_ONCE)))

    async def _open(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._gateway.port)
        self._writers.append(writer)
        writer.write(self._head)
        stream = await self._upstream.streams.get()
        self._streams.append(stream)
        await stream.send(b"first")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    async def close(self) -> None:
        """Close all, and return when the upstream has lost all."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        for stream in self._streams:
            await stream.until_left()
            stream.writer.close()
        self._streams.clear()


@pytest.mark.timeout(120 * FACTOR)
async def test_an_idle_stream_costs_little_and_leaves_nothing() -> None:
    with many_files(), start_valkey() as valkey, start_provider() as provider:
        async with live_upstream() as upstream:
            routes = upstream.routes()
            with start_gateway(provider, "", valkey.url, BFF_UPSTREAM_URL=None, BFF_ROUTES=routes) as gateway:
                browser = await sign_in(gateway, "alice")
                cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
                await browser.aclose()
                streams = Streams(gateway, upstream, f"Cookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\n".encode())
                await streams.open(4 * AT_ONCE)
                await streams.close()
                before = memory_of(gateway)
                await streams.open(STREAMS)
                each = (memory_of(gateway) - before) / STREAMS
                await streams.close()
                assert each < MOST
                await streams.open(STREAMS)
                again = (memory_of(gateway) - before) / STREAMS
                await streams.close()
                assert again < MOST, "what was closed is used again"
