"""Browsers that leave at any moment: nothing of their calls is left over, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.proxy_server import ProxyServer, RawClient, route_to, running_proxy, until
from tests.support.raw_http import Malformed, Message
from tests.support.raw_upstream import RawUpstream, UpstreamConnection
from tests.torture.size import FACTOR, generator

CALLS = 1000 * FACTOR
AT_ONCE = 20


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    upstream = RawUpstream()
    upstream.keeps_bytes = False
    async with upstream.running():
        yield upstream


@pytest.fixture
async def proxy(upstream: RawUpstream) -> AsyncIterator[ProxyServer]:
    async with running_proxy(lambda: [route_to("/api", upstream.port)]) as proxy:
        yield proxy


async def pause(chance: random.Random) -> None:
    """Let the others run for a while: some turns of the loop, or time for the sockets."""
    for _ in range(chance.choice((0, 0, 1, 3, 10))):
        await asyncio.sleep(0)
    if chance.random() < 0.2:
        await asyncio.sleep(chance.random() / 200)


def unsteady(chance: random.Random) -> Any:
    """Return an upstream's answer that comes in pieces, in chunks, late, or not at all."""

    async def answer(connection: UpstreamConnection, request: Message) -> None:
        await pause(chance)
        body = b"%b|%b|%d" % (request.target, request.value("authorization") or b"-", len(request.body))
        kind = chance.randrange(10)
        if kind == 0 and b"honest" not in request.target:
            connection.reset() if chance.random() < 0.5 else connection.close()
            return
        if kind < 5:
            data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        else:
            half = len(body) // 2
            data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (
                half,
                body[:half],
                len(body) - half,
                body[half:],
            )
        if kind == 9:
            data = b"HTTP/1.1 103 Early Hints\r\n\r\n" + data
        cut = chance.randrange(len(data))
        await connection.send(data[:cut])
        await pause(chance)
        await connection.send(data[cut:])

    return answer


async def leave_somewhere(proxy: ProxyServer, cookie: bytes, number: int, chance: random.Random) -> None:
    """Make a call, or two at once, and leave at some moment, gracefully or not."""
    client = await proxy.connect()
    body = b"x" * chance.choice((0, 0, 10, 5000, 200_000))
    data = proxy.request(chance.choice((b"GET", b"POST", b"PUT")), b"/api/leaver/%d" % number, cookie, body)
    if chance.random() < 0.2:
        data += proxy.request(b"GET", b"/api/leaver/%d/pipelined" % number, cookie)
    cut = chance.choice((len(data), len(data), chance.randrange(len(data) + 1)))
    client.writer.write(data[:cut])
    await pause(chance)
    if chance.random() < 0.3:
        with contextlib.suppress(Malformed, ConnectionError, asyncio.TimeoutError):
            async with asyncio.timeout(0.05):
                await client.stream.exactly(chance.choice((1, 20, 200)))
    if chance.random() < 0.5:
        client.close()
    else:
        client.writer.close()


async def be_honest(proxy: ProxyServer, cookie: bytes, name: bytes, stop: asyncio.Event) -> int:
    """Make calls one after the other until told to stop; every answer must be one's own."""
    client: RawClient | None = None
    count = 0
    while not stop.is_set():
        client = client or await proxy.connect()
        target = b"/honest/%b/%d" % (name, count)
        await client.send(proxy.request(b"GET", b"/api" + target, cookie))
        answered = await client.answer()
        assert answered is not None
        assert (answered.status, answered.body) == (200, b"%b|Bearer %b|0" % (target, name))
        count += 1
    if client is not None:
        client.close()
    return count


@pytest.mark.timeout(120 * FACTOR)
async def test_calls_that_are_cancelled_at_any_moment_leave_nothing_and_disturb_nobody(
    proxy: ProxyServer, upstream: RawUpstream
) -> None:
    chance = generator()
    upstream.answer = unsteady(chance)
    cookies = {name: await proxy.sign_in(name.decode()) for name in (b"alice", b"bob", b"mallory")}
    stop = asyncio.Event()
    honest = [asyncio.create_task(be_honest(proxy, cookies[name], name, stop)) for name in (b"alice", b"bob")]
    for first in range(0, CALLS, AT_ONCE):
        numbers = range(first, first + AT_ONCE)
        await asyncio.gather(*(leave_somewhere(proxy, cookies[b"mallory"], number, chance) for number in numbers))
    stop.set()
    counts = await asyncio.gather(*honest)
    assert min(counts) > 0
    await proxy.settled()
    pool = proxy.context.pool
    await until(lambda: upstream.open_connections == pool.idle_count)
    assert not proxy.context.exchanges
    assert not proxy.context.fronts
    assert not proxy.server.server_state.connections
    for request in upstream.requests:
        owner = {b"leaver": b"mallory"}.get(request.target.split(b"/")[1]) or request.target.split(b"/")[2]
        assert request.value("authorization") == b"Bearer " + owner
    # A call that was broken off in the middle of its body may be seen as that, and as nothing else.
    assert {fault for fault in upstream.faults if "ended within a" not in fault} == set()
