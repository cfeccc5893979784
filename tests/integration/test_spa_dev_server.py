"""The page's development server behind the gateway: one origin, real cookies, hot reload over WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Origin, Subprotocol

from tests.support.processes import GatewayServer, ProviderServer, reserve_port, start_gateway, start_provider

HMR = Subprotocol("vite-hmr")


@dataclass
class DevServer:
    """Serves a page, and echoes what comes over its WebSocket; keeps what it was asked."""

    port: int
    requests: list[Request] = field(default_factory=list)
    closed: asyncio.Queue[tuple[int | None, str | None]] = field(default_factory=asyncio.Queue)

    def page(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer what is no WebSocket handshake with a page that says its path."""
        self.requests.append(request)
        if "Upgrade" in request.headers:
            return None
        return connection.respond(HTTPStatus.OK, f"page at {request.path}")

    async def echo(self, connection: ServerConnection) -> None:
        """Send back every message; `bye` closes from this side."""
        try:
            async for message in connection:
                if message == "bye":
                    await connection.close(4001, "as you wish")
                await connection.send(message)
        except ConnectionClosed:
            pass
        self.closed.put_nowait((connection.close_code, connection.close_reason))


@pytest.fixture
async def dev_server() -> AsyncIterator[DevServer]:
    server = DevServer(reserve_port())
    handler = serve(
        server.echo, "127.0.0.1", server.port, process_request=server.page, subprotocols=[HMR], max_size=None
    )
    async with handler:
        yield server


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with start_provider() as server:
        yield server


@pytest.fixture
def gateway(provider: ProviderServer, dev_server: DevServer) -> Iterator[GatewayServer]:
    with start_gateway(
        provider, "http://127.0.0.1:1", None, BFF_SPA_DEV_SERVER=f"http://127.0.0.1:{dev_server.port}"
    ) as server:
        yield server


def socket(gateway: GatewayServer, *, origin: str | None, path: str = "/hmr?token=x") -> connect:
    return connect(
        f"ws://127.0.0.1:{gateway.port}{path}",
        origin=None if origin is None else Origin(origin),
        subprotocols=[HMR],
        additional_headers={"Cookie": "bff=secret; other=1"},
        proxy=None,
        max_size=None,
    )


async def test_every_path_that_is_nobody_elses_is_the_pages(gateway: GatewayServer, dev_server: DevServer) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False) as browser:
        for path in ("/", "/src/main.tsx?t=1", "/@vite/client", "/node_modules/.vite/deps/react.js", "/apifoo"):
            answer = await browser.get(path, headers={"Cookie": "bff=secret"})
            assert (answer.status_code, answer.text) == (200, f"page at {path}")
        assert (await browser.get("/bff/session")).json()["authenticated"] is False
        assert (await browser.get("/bff/nothing")).status_code == 404
        assert (await browser.get("/healthz")).json() == {"status": "alive"}
        assert (await browser.get("/api/x")).json()["code"] == "no_session"
    assert all("Cookie" not in request.headers for request in dev_server.requests)


async def test_messages_of_every_size_pass_both_ways(gateway: GatewayServer, dev_server: DevServer) -> None:
    async with socket(gateway, origin=gateway.public_url) as client:
        assert client.subprotocol == HMR
        for message in ("", "reload", "ä" * 1000, b"\x00\xff" * 500_000):
            await client.send(message)
            assert await client.recv() == message
        await client.ping()
        many = [str(number) for number in range(500)]
        await asyncio.gather(*(client.send(message) for message in many))
        assert [await client.recv() for _ in many] == many
    handshake = dev_server.requests[-1]
    assert handshake.path == "/hmr?token=x"
    assert "Cookie" not in handshake.headers


async def test_close_codes_pass_both_ways(gateway: GatewayServer, dev_server: DevServer) -> None:
    async with socket(gateway, origin=gateway.public_url) as client:
        await client.close(4002, "enough")
    assert await dev_server.closed.get() == (4002, "enough")
    async with socket(gateway, origin=gateway.public_url) as client:
        await client.send("bye")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4001, "as you wish")


async def test_a_browser_that_is_gone_closes_the_upstreams_side(gateway: GatewayServer, dev_server: DevServer) -> None:
    client: ClientConnection = await socket(gateway, origin=gateway.public_url)
    client.transport.abort()
    await dev_server.closed.get()


@pytest.mark.parametrize("origin", [None, "https://evil.example", "http://127.0.0.1:1", "null"])
async def test_a_page_from_elsewhere_gets_no_socket(
    gateway: GatewayServer, dev_server: DevServer, origin: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await socket(gateway, origin=origin)
    assert refused.value.response.status_code == 403
    assert dev_server.requests == []


async def test_an_api_route_opens_no_socket(gateway: GatewayServer, dev_server: DevServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await socket(gateway, origin=gateway.public_url, path="/api/socket")
    assert refused.value.response.status_code == 401
    assert dev_server.requests == []
