"""Server-sent events: each reaches the browser before the next exists; nobody listens for a browser that has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.live_upstream import EventStream, LiveUpstream, chunk, live_upstream
from tests.support.proxy_server import ProxyServer, RawClient, route_to, running_proxy

EVENTS = 50


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The product runs on uvloop, whose transports are others than asyncio's."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def upstream() -> AsyncIterator[LiveUpstream]:
    async with live_upstream() as upstream:
        yield upstream


@pytest.fixture
async def proxy(upstream: LiveUpstream) -> AsyncIterator[ProxyServer]:
    async with running_proxy(lambda: [route_to("/api", upstream.stream_port)]) as proxy:
        yield proxy


async def listening(proxy: ProxyServer, upstream: LiveUpstream, fields: bytes = b"") -> tuple[RawClient, EventStream]:
    """Return both ends of a stream whose head has reached the browser, and of which no event exists yet."""
    client = await proxy.connect()
    await client.send(proxy.request(b"GET", b"/api/events", await proxy.sign_in("token") + fields))
    stream = await upstream.streams.get()
    head = await client.stream.until(b"\r\n\r\n")
    assert head is not None
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-encoding" not in head.lower()
    return client, stream


async def test_every_event_is_there_before_the_next_one_exists(proxy: ProxyServer, upstream: LiveUpstream) -> None:
    client, stream = await listening(proxy, upstream, b"Accept-Encoding: gzip, br\r\n")
    for number in range(EVENTS):
        event = b"event %d" % number
        await stream.send(event)
        expected = chunk(b"data: %b\n\n" % event)
        assert await client.stream.exactly(len(expected)) == expected
    stream.writer.write(b"0\r\n\r\n")
    assert await client.stream.exactly(5) == b"0\r\n\r\n"
    client.close()


async def test_half_an_event_is_not_held_back(proxy: ProxyServer, upstream: LiveUpstream) -> None:
    client, stream = await listening(proxy, upstream)
    for part in (b"d", b"ata: no", b"w\n", b"\n"):
        stream.writer.write(chunk(part))
        assert await client.stream.exactly(len(chunk(part))) == chunk(part)
    client.close()


@pytest.mark.parametrize("gently", [True, False], ids=["closed", "reset"])
async def test_when_the_browser_leaves_the_upstream_hears_it_at_once(
    proxy: ProxyServer, upstream: LiveUpstream, gently: bool
) -> None:
    client, stream = await listening(proxy, upstream)
    if gently:
        client.writer.close()
    else:
        client.close()
    await asyncio.wait_for(stream.until_left(), 30)
    await proxy.settled()
    assert proxy.log.lines[-1].code == "browser_left"


async def test_a_hundred_streams_pass_their_own_events_and_leave_nothing_behind(
    proxy: ProxyServer, upstream: LiveUpstream
) -> None:
    both = [await listening(proxy, upstream) for _ in range(100)]
    for number, (_, stream) in enumerate(both):
        await stream.send(b"%d" % number)
    for number, (client, _) in enumerate(both):
        expected = chunk(b"data: %d\n\n" % number)
        assert await client.stream.exactly(len(expected)) == expected
    for client, _ in both:
        client.close()
    for _, stream in both:
        await asyncio.wait_for(stream.until_left(), 30)
    await proxy.settled()
    assert proxy.context.pool.idle_count == 0
