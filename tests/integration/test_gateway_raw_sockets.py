"""The raw requests of the corpus against the gateway as a process, as nobody and as a user; the upstream is the oracle.

After each of them the same connection, if it is still open, and another one get the answers to their own next requests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.corpus import cases, octets
from tests.support.processes import GatewayServer, ProviderServer, reserve_port, start_gateway, start_provider
from tests.support.proxy_server import RawClient
from tests.support.raw_http import Message, Stream
from tests.support.raw_upstream import RawUpstream
from tests.support.sign_in import sign_in

CASES = cases("raw_requests.txt")
# It has as many fields as a request may have.
FULL = "COMP-MANY-OK"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with start_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
async def upstream() -> AsyncIterator[RawUpstream]:
    async with RawUpstream().running() as upstream:
        yield upstream


@pytest.fixture(scope="module")
async def gateway(provider: ProviderServer, upstream: RawUpstream) -> AsyncIterator[GatewayServer]:
    url = f"http://127.0.0.1:{upstream.port}"
    routes = [{"prefix": "/open", "upstream": url, "token": "none", "max_body": "1GB"}]
    routes.append(routes[0] | {"prefix": "/api", "token": "user"})
    with ExitStack() as stack:
        start = start_gateway(
            provider, "", None, BFF_UPSTREAM_URL=None, BFF_ROUTES=json.dumps(routes), port=reserve_port()
        )
        # In a thread: the upstream is in this event loop, and must go on accepting connections.
        yield await asyncio.to_thread(stack.enter_context, start)


@dataclass
class Caller:
    """Somebody who makes the requests of the corpus, under `prefix` and with `fields` after each `Host`."""

    gateway: GatewayServer
    upstream: RawUpstream
    prefix: bytes
    fields: bytes

    async def connect(self) -> RawClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port, limit=1 << 20)
        return RawClient(Stream(reader, keeps=False), writer)

    def bytes_of(self, text: Any, *, count: int = -1) -> bytes:
        """Return the request's bytes, with prefix and fields in the first `count` requests, by default in all."""
        host = b"127.0.0.1:%d" % self.gateway.port
        line = b"Host: " + host + b"\r\n"
        data = octets(text).replace(b"{H}", host).replace(b"/open/", b"/%b/" % self.prefix, count)
        return data.replace(line, line + self.fields, count)

    async def ask(self, client: RawClient, target: bytes) -> bytes | None:
        """Ask for the target; return None if the connection is closed or refuses."""
        await client.send(self.bytes_of(f"GET /open/{target.decode()} HTTP/1.1\r\nHost: {{H}}\r\n\r\n"))
        answer = await final_answer(client, to_head=False)
        if answer is None or answer.status != 200:
            assert answer is None or answer.status == 400
            return None
        return answer.body.partition(b"|")[0]

    async def play(self, name: str, text: Any, expected: Any, other: RawClient) -> None:
        self.upstream.forget()
        meant = [] if isinstance(expected, str) else [tuple(map(octets, request)) for request in expected]
        client = await self.connect()
        try:
            # Within a body of known length nothing may be added.
            holds_request = any(b"/open/" in body for _, _, body in meant)
            await client.send(self.bytes_of(text, count=1 if holds_request else -1))
            is_open = expected != "waits"
            for method, target, body in meant:
                answer = await final_answer(client, to_head=method == b"HEAD")
                assert answer is not None
                assert answer.status == 200
                if method != b"HEAD":
                    assert (answer.body.split(b"|")[0], answer.body.split(b"|", 2)[2]) == (target, body)
                is_open = b"close" not in answer.values("connection")
            if not meant and is_open:
                answer = await final_answer(client, to_head=False)
                assert answer is None or 400 <= answer.status < 500
                is_open = answer is not None and b"close" not in answer.values("connection")
            if is_open and await self.ask(client, b"after") is not None:
                meant.append((b"GET", b"/after", b""))
            assert await self.ask(other, b"other") == b"/other"
            meant.append((b"GET", b"/other", b""))
        finally:
            client.close()
        requests = self.upstream.requests
        assert [(request.method, request.target, request.body) for request in requests] == meant
        tokens = {tuple(request.values("authorization")) for request in requests}
        assert len(tokens) == 1
        assert [len(token) for token in tokens] == [1 if self.fields else 0]
        # A request that was broken off may be seen as that, even by the time of the next case.
        assert all("ended" in fault for fault in self.upstream.faults)


async def final_answer(client: RawClient, *, to_head: bool) -> Message | None:
    while True:
        answer = await client.answer(to_head=to_head)
        if answer is None or answer.status >= 200:
            return answer


async def play_all(caller: Caller) -> None:
    other = await caller.connect()
    failures = []
    for name, text, expected in (case for case in CASES if not (caller.fields and case[0] == FULL)):
        try:
            await caller.play(name, text, expected, other)
        except AssertionError as error:
            failures.append(f"{name}: {error}")
            other.close()
            other = await caller.connect()
    other.close()
    assert failures == []


@pytest.mark.timeout(240)
async def test_every_case_of_the_corpus_without_a_session(gateway: GatewayServer, upstream: RawUpstream) -> None:
    await play_all(Caller(gateway, upstream, b"open", b""))


@pytest.mark.timeout(240)
async def test_every_case_of_the_corpus_with_a_session(gateway: GatewayServer, upstream: RawUpstream) -> None:
    browser = await sign_in(gateway, "alice")
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    await browser.aclose()
    fields = f"Sec-Fetch-Site: same-origin\r\nCookie: {cookies}\r\n".encode()
    await play_all(Caller(gateway, upstream, b"api", fields))
    assert "internal" not in gateway.output()
