"""Event streams and WebSockets on two instances, and every way in which their session ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.support.live_upstream import LiveUpstream, live_upstream
from tests.support.processes import (
    GatewayServer,
    ProviderServer,
    ValkeyRunner,
    start_gateway,
    start_provider,
    start_valkey,
)
from tests.support.sign_in import sign_in


@dataclass
class Scene:
    """Two instances, one user, and what she has open at both: an event stream and a WebSocket each."""

    provider: ProviderServer
    valkey: ValkeyRunner
    upstream: LiveUpstream
    gateways: list[GatewayServer]
    browser: httpx2.AsyncClient
    streams: list[AsyncIterator[str]]
    sockets: list[ClientConnection]

    async def assert_all_open(self) -> None:
        """Fail unless everything passes events and messages."""
        for stream, socket in zip(self.streams, self.sockets, strict=True):
            await socket.send("hello")
            assert await socket.recv() == "hello"
            assert await anext(stream) == "data: first"
            assert await anext(stream) == ""

    async def assert_all_ended(self, reason: str) -> None:
        """Return when everything has ended, and fail if it ended otherwise than it should."""
        for stream in self.streams:
            with pytest.raises(httpx2.HTTPError):
                await asyncio.wait_for(anext(stream), 30)
        for socket in self.sockets:
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 30)
            assert (socket.close_code, socket.close_reason) == (1008, reason)
            assert await self.upstream.closed.get() == (1008, reason)


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with start_provider() as server:
        yield server


@pytest.fixture
def valkey() -> Iterator[ValkeyRunner]:
    with start_valkey() as server:
        yield server


async def open_stream(browser: httpx2.AsyncClient, gateway: GatewayServer, stack: AsyncExitStack) -> AsyncIterator[str]:
    """Return the lines of an event stream through the gateway."""
    answer = await stack.enter_async_context(browser.stream("GET", f"{gateway.url}/api/events"))
    assert answer.status_code == 200
    return aiter(answer.aiter_lines())


async def open_socket(browser: httpx2.AsyncClient, gateway: GatewayServer, stack: AsyncExitStack) -> ClientConnection:
    """Return a WebSocket through the gateway."""
    cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
    socket = connect(
        f"ws://127.0.0.1:{gateway.port}/live/socket",
        origin=Origin(gateway.public_url),
        additional_headers={"Cookie": cookie},
        proxy=None,
    )
    return await stack.enter_async_context(socket)


@contextlib.asynccontextmanager
async def scene(provider: ProviderServer, valkey: ValkeyRunner, **variables: Any) -> AsyncIterator[Scene]:
    """Everything open."""
    async with live_upstream() as upstream, AsyncExitStack() as stack:
        variables |= {"BFF_ROUTES": upstream.routes(), "BFF_UPSTREAM_URL": None}
        first = stack.enter_context(start_gateway(provider, "", valkey.url, **variables))
        second = stack.enter_context(start_gateway(provider, "", valkey.url, public_url=first.public_url, **variables))
        browser = await sign_in(first, "alice")
        stack.push_async_callback(browser.aclose)
        streams, sockets = [], []
        for gateway in (first, second):
            opening = asyncio.ensure_future(open_stream(browser, gateway, stack))
            stream = await asyncio.wait_for(upstream.streams.get(), 30)
            assert stream.head.count(b"\r\nAuthorization: Bearer ") == 1
            await stream.send(b"first")
            streams.append(await opening)
            sockets.append(await open_socket(browser, gateway, stack))
            request = (await upstream.sockets.get()).request
            assert request is not None
            assert request.headers["Authorization"].startswith("Bearer ")
            assert "Cookie" not in request.headers
        yield Scene(provider, valkey, upstream, [first, second], browser, streams, sockets)


async def log_out(scene: Scene) -> None:
    answer = await scene.browser.post(
        f"{scene.gateways[0].public_url}/bff/logout", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 200


async def log_out_at_the_provider(scene: Scene) -> None:
    session = (await scene.browser.get("/bff/session")).json()
    await asyncio.to_thread(scene.provider.control, backchannel_logout={"sub": session["claims"]["sub"]})


async def refuse_the_grant(scene: Scene) -> None:
    scene.provider.disturb(
        "/token", status=400, body='{"error": "invalid_grant"}', headers={"Content-Type": "application/json"}
    )
    answer = await scene.browser.post("/bff/session/refresh")
    scene.provider.undisturb("/token")
    assert answer.json()["authenticated"] is False


END: dict[str, Callable[[Scene], Coroutine[Any, Any, None]]] = {
    "logout": log_out,
    "back-channel logout": log_out_at_the_provider,
    "grant refused": refuse_the_grant,
}


@pytest.mark.parametrize("how", END)
async def test_whatever_is_open_ends_with_its_session_on_every_instance(
    provider: ProviderServer, valkey: ValkeyRunner, how: str
) -> None:
    async with scene(provider, valkey) as open_scene:
        await open_scene.assert_all_open()
        await END[how](open_scene)
        await open_scene.assert_all_ended("session_ended")


@pytest.mark.parametrize("limits", [{"BFF_SESSION_IDLE": "10s"}, {"BFF_SESSION_IDLE": "10s", "BFF_SESSION_MAX": "10s"}])
async def test_whatever_is_open_ends_at_the_limits_of_its_session(
    provider: ProviderServer, valkey: ValkeyRunner, limits: dict[str, str]
) -> None:
    async with scene(provider, valkey, **limits) as open_scene:
        await open_scene.assert_all_open()
        await open_scene.assert_all_ended("session_expired")


async def test_what_ends_while_nobody_hears_it_is_made_up_for(provider: ProviderServer, valkey: ValkeyRunner) -> None:
    async with scene(provider, valkey) as open_scene:
        await open_scene.assert_all_open()
        with redis.Redis(port=valkey.port) as client:
            (session,) = (key for key in client.scan_iter() if re.fullmatch(rb"bff:[0-9a-f]{16}:[0-9a-f]{64}", key))
            client.delete(session)
            client.client_kill_filter(_type="pubsub")
        await open_scene.assert_all_ended("session_expired")


async def test_an_outage_of_the_store_ends_no_stream(provider: ProviderServer, valkey: ValkeyRunner) -> None:
    async with scene(provider, valkey) as open_scene:
        await open_scene.assert_all_open()
        valkey.pause()
        await asyncio.sleep(4)
        for socket in open_scene.sockets:
            await socket.send("still there")
            assert await socket.recv() == "still there"
        valkey.resume()
        while (await open_scene.browser.get("/bff/session")).status_code == 503:  # noqa: ASYNC110 -- the store is asked
            await asyncio.sleep(0.1)
        await log_out(open_scene)
        await open_scene.assert_all_ended("session_ended")
