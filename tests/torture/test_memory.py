"""Calls leave nothing behind: after thousands of them there are as many objects, and as much memory, as before."""

from __future__ import annotations

import asyncio
import gc
import itertools
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.proxy_server import ProxyServer, route_to, running_proxy
from tests.support.raw_upstream import RawUpstream, UpstreamConnection, answer_line
from tests.torture.size import FACTOR

CALLS = 1500 * FACTOR
# What the interpreter, the event loop and the test itself may keep; far below an object for each call.
FEW = CALLS // 20
KIB = 1024
PATHS = (b"/api/x", b"/open/x", b"/bff/x", b"/api/..;/x")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def proxy() -> AsyncIterator[ProxyServer]:
    upstream = RawUpstream()
    upstream.keeps_bytes = False

    async def answer(connection: UpstreamConnection, _request: object) -> None:
        # Nothing is recorded, for that would be what grows.
        upstream.requests.clear()
        connection.requests.clear()
        await connection.send(answer_line(b"hello"))

    upstream.answer = answer

    def routes() -> list[Any]:
        return [route_to("/api", upstream.port), route_to("/open", upstream.port, reads_session=False)]

    async with upstream.running(), running_proxy(routes) as proxy:
        yield proxy


async def make_calls(proxy: ProxyServer, cookie: bytes, count: int) -> None:
    """Make calls of every kind, half of them each on a connection of its own, some broken off."""
    client = await proxy.connect()
    for number in range(count):
        data = proxy.request(b"POST", PATHS[number % len(PATHS)], cookie, b"x" * (number % 3))
        if number % 2:
            answer = await proxy.exchange(data)
            assert answer is not None
        elif number % 10 == 0:
            leaver = await proxy.connect()
            await leaver.send(data[: -number % len(data)])
            leaver.close()
        else:
            await client.send(data)
            assert await client.answer() is not None
    client.close()
    await proxy.settled()
    proxy.log.lines.clear()
    for route in proxy.context.routes._by_prefix.values():
        route.meter.observed.clear()  # type: ignore[attr-defined]
        route.meter.refusals.clear()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    gc.collect()


def living_objects() -> Counter[str]:
    return Counter(type(thing).__qualname__ for thing in gc.get_objects())


@pytest.mark.timeout(120 * FACTOR)
async def test_calls_leave_no_object_and_no_memory_behind(proxy: ProxyServer) -> None:
    cookie = await proxy.sign_in("alice")
    await make_calls(proxy, cookie, CALLS)
    objects = living_objects()
    tracemalloc.start()
    try:
        sizes = []
        for count in (CALLS // 4, CALLS, CALLS, CALLS):
            await make_calls(proxy, cookie, count)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    grown = {name: count for name, count in (living_objects() - objects).items() if count > FEW}
    assert grown == {}
    # What calls leave behind, they leave behind in each round; what else grows for once does not.
    assert min(later - earlier for earlier, later in itertools.pairwise(sizes)) < FEW * KIB
