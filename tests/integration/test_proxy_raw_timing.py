"""Both sides out of step over raw sockets: early answers, half-closed connections, deep pipelines, `Expect`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.proxy_server import ProxyServer, RawClient, route_to, running_proxy, until
from tests.support.raw_http import Malformed, Message

LARGE = 8 << 20
EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nearly"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@dataclass
class Upstream:
    """Serves the first connection as the test says, all others plainly; `heads` is what came first on each."""

    serve: Serve | None = None
    heads: list[bytes] = field(default_factory=list)
    port: int = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serve, self.serve = self.serve or self.plainly, None
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        return head

    async def plainly(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self.head(reader)
            writer.write(PLAIN)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    server = await asyncio.start_server(upstream.connected, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    yield upstream
    server.close()


@pytest.fixture
async def proxy(upstream: Upstream) -> AsyncIterator[ProxyServer]:
    async with running_proxy(lambda: [route_to("/open", upstream.port, reads_session=False)]) as proxy:
        yield proxy


async def upload(client: RawClient, size: int) -> None:
    """Send a body as far as it is taken."""
    piece = b"x" * (1 << 16)
    with contextlib.suppress(ConnectionError):
        for _ in range(0, size, len(piece)):
            if client.writer.transport.is_closing():
                return
            client.writer.write(piece)
            await client.writer.drain()


async def answer_then(writer: asyncio.StreamWriter, how: str, reader: asyncio.StreamReader) -> None:
    """Answer early, and treat the rest of the request as `how` says."""
    writer.write(EARLY)
    await writer.drain()
    if how == "reads on":
        while await reader.read(1 << 16):
            pass
    elif how == "half-closes":
        writer.write_eof()
        while await reader.read(1 << 16):
            pass
    elif how == "never reads":
        await asyncio.sleep(3600)


@pytest.mark.parametrize("how", ["reads on", "half-closes", "closes"])
@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n" % LARGE, b"Transfer-Encoding: chunked\r\n"])
async def test_an_answer_before_the_upload_has_ended_reaches_the_browser_and_ends_both_connections(
    how: str, framing: bytes, proxy: ProxyServer, upstream: Upstream
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upstream.head(reader)
        await answer_then(writer, how, reader)

    upstream.serve = serve
    async with proxy.connection() as client:
        await client.send(proxy.request(b"POST", b"/open/x", framing))
        if b"chunked" in framing:
            await client.send(b"800000\r\n")
        sending = asyncio.create_task(upload(client, LARGE))
        answered = await client.answer()
        assert answered is not None
        assert (answered.status, answered.body, answered.value("connection")) == (413, b"early", b"close")
        await sending
        assert await client.rest() == b""
    await assert_all_is_well(proxy, upstream)


async def assert_all_is_well(proxy: ProxyServer, upstream: Upstream) -> None:
    """Nothing is left of the call, and the next ones go to a connection of their own."""
    before = len(upstream.heads)
    for number in range(3):
        answered = await proxy.exchange(proxy.request(b"GET", b"/open/%d" % number))
        assert answered is not None
        assert answered.body == b"plain"
    assert [head.split(b" ")[1] for head in upstream.heads[before:]] == [b"/0", b"/1", b"/2"]
    await proxy.settled()


async def test_an_upstream_that_half_closes_after_its_answer_is_not_used_again(
    proxy: ProxyServer, upstream: Upstream
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upstream.head(reader)
        writer.write(PLAIN)
        writer.write_eof()
        await reader.read()

    upstream.serve = serve
    answered = await proxy.exchange(proxy.request(b"GET", b"/open/x"))
    assert answered is not None
    assert answered.body == b"plain"
    await until(lambda: all(not back.is_reusable for back in proxy.context.pool._idle.popitem()[1]))
    await assert_all_is_well(proxy, upstream)


async def test_a_browser_that_half_closes_has_left_and_leaves_nothing(proxy: ProxyServer, upstream: Upstream) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upstream.head(reader)
        assert await reader.read() == b""
        gone.set()

    upstream.serve = serve
    async with proxy.connection() as client:
        await client.send(proxy.request(b"GET", b"/open/x"))
        await until(lambda: bool(upstream.heads))
        client.writer.write_eof()
        await gone.wait()
        assert await client.rest() == b""
    await assert_all_is_well(proxy, upstream)


async def test_a_thousand_pipelined_requests_are_answered_in_order(proxy: ProxyServer, upstream: Upstream) -> None:
    count = 1000
    async with proxy.connection() as client:
        data = b"".join(proxy.request(b"GET", b"/open/%d" % number) for number in range(count))
        sending = asyncio.create_task(client.send(data))
        for _ in range(count):
            answered = await client.answer()
            assert answered is not None
            assert answered.body == b"plain"
        await sending
    assert [head.split(b" ")[1] for head in upstream.heads] == [b"/%d" % number for number in range(count)]
    await proxy.settled()


async def final_answer(client: RawClient) -> tuple[int, list[int]]:
    """Return the status of the final answer, and those of the interim ones before it."""
    interim: list[int] = []
    while True:
        answered = await client.answer()
        assert answered is not None
        if answered.status >= 200:
            return answered.status, interim
        interim.append(answered.status)


@pytest.mark.parametrize("waits", [True, False], ids=["waits to be asked", "does not wait"])
@pytest.mark.parametrize("upstream_asks", [0, 1, 3])
async def test_a_body_that_is_expected_to_be_asked_for_arrives_whole_once(
    waits: bool, upstream_asks: int, proxy: ProxyServer, upstream: Upstream
) -> None:
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await upstream.head(reader)
        assert b"xpect" not in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * upstream_asks)
        bodies.append(await reader.readexactly(5))
        writer.write(PLAIN)

    upstream.serve = serve
    async with proxy.connection() as client:
        request = proxy.request(b"POST", b"/open/x", b"Expect: 100-continue\r\nContent-Length: 5\r\n")
        await client.send(request if waits else request + b"hello")
        if waits:
            asked = await client.answer()
            assert asked is not None
            assert asked.status == 100
            await client.send(b"hello")
        status, interim = await final_answer(client)
        assert status == 200
        assert len(interim) <= 1
    assert bodies == [b"hello"]
    await assert_all_is_well(proxy, upstream)


async def test_who_was_refused_before_being_asked_is_not_asked_any_more(proxy: ProxyServer, upstream: Upstream) -> None:
    async with proxy.connection() as client:
        await client.send(proxy.request(b"POST", b"/open/..;/x", b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
        assert await final_answer(client) == (400, [])
        # The body that comes all the same is no request.
        await client.send(b"GET /open/evil HTTP/1.1\r\n\r\n")
        assert await client.rest() == b""
    assert upstream.heads == []
    await assert_all_is_well(proxy, upstream)


async def read_some(client: RawClient) -> Message | None:
    with contextlib.suppress(Malformed, ConnectionError):
        return await client.answer()
    return None


@pytest.mark.parametrize("moment", ["before the head", "in the head", "in the answer", "in the upload"])
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_an_upstream_may_leave_at_any_moment(
    moment: str, reset: bool, proxy: ProxyServer, upstream: Upstream
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if moment != "before the head":
            await upstream.head(reader)
        if moment == "in the head":
            writer.write(PLAIN[:20])
        elif moment == "in the answer":
            writer.write(PLAIN[:-1])
        elif moment == "in the upload":
            await reader.readexactly(1000)
        await writer.drain()
        if reset:
            writer.transport.abort()

    upstream.serve = serve
    async with proxy.connection() as client:
        await client.send(proxy.request(b"POST", b"/open/x", b"Content-Length: %d\r\n" % LARGE))
        sending = asyncio.create_task(upload(client, LARGE))
        answered = await read_some(client)
        assert answered is None or answered.status == 502
        client.close()
        await sending
    await assert_all_is_well(proxy, upstream)
