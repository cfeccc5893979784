"""The process as its operator sees it: how it stops, with one worker and with several."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from bff.demo.child import clean_environment
from tests.support.live_upstream import live_upstream
from tests.support.processes import (
    ProviderServer,
    ValkeyRunner,
    reserve_port,
    start_gateway,
    start_provider,
    start_valkey,
)


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with start_provider() as server:
        yield server


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyRunner]:
    with start_valkey() as server:
        yield server


ROUTES = '[{"prefix": "/api", "upstream": "http://127.0.0.1:%d", "token": "none"}]'


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_ends_the_process_with_status_zero(provider: ProviderServer, valkey: ValkeyRunner, workers: str) -> None:
    with start_gateway(provider, "http://127.0.0.1:1", valkey.url, BFF_WORKERS=workers) as gateway:
        assert httpx2.get(f"{gateway.url}/healthz").status_code == 200
        assert gateway.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_call_under_way_is_answered_before_the_process_ends(
    provider: ProviderServer, valkey: ValkeyRunner, workers: str
) -> None:
    released = asyncio.Event()
    arrived = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await released.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    port = reserve_port()
    upstream = await asyncio.start_server(answer, "127.0.0.1", port)
    routes = ROUTES % port
    async with upstream:
        with start_gateway(
            provider, "", valkey.url, BFF_UPSTREAM_URL=None, BFF_ROUTES=routes, BFF_WORKERS=workers
        ) as gateway:
            async with httpx2.AsyncClient(trust_env=False, timeout=30.0) as client:
                call = asyncio.create_task(client.get(f"{gateway.url}/api/slow"))
                await arrived.wait()
                stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
                await refused(gateway.port)
                released.set()
                response = await call
                assert (response.status_code, response.text) == (200, "late")
                assert response.headers["connection"] == "close"
                assert await stopping == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_streams_and_sockets_end_at_once_so_that_browsers_go_elsewhere(
    provider: ProviderServer, valkey: ValkeyRunner, workers: str
) -> None:
    async with live_upstream() as upstream, httpx2.AsyncClient(trust_env=False, timeout=30.0) as client:
        routes = upstream.routes(token="none")
        with start_gateway(
            provider, "", valkey.url, BFF_UPSTREAM_URL=None, BFF_ROUTES=routes, BFF_WORKERS=workers
        ) as gateway:
            url = f"ws://127.0.0.1:{gateway.port}/live/socket"
            async with (
                client.stream("GET", f"{gateway.url}/api/events") as answer,
                connect(url, origin=Origin(gateway.public_url), proxy=None) as socket,
            ):
                stream = await upstream.streams.get()
                await stream.send(b"first")
                lines = aiter(answer.aiter_lines())
                assert await anext(lines) == "data: first"
                # One worker that is ready makes the gateway ready; this is about all of them.
                while gateway.output().count('"gateway.started"') < int(workers):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert (socket.close_code, socket.close_reason) == (1001, "shutdown")
                assert await upstream.closed.get() == (1001, "shutdown")
                await stream.until_left()
                with pytest.raises(httpx2.HTTPError):
                    async for _ in lines:
                        pass
            assert await stopping == 0
            lines_logged = [json.loads(line) for line in gateway.output().splitlines()]
    left = [line["count"] for line in lines_logged if line.get("event") == "gateway.stopping"]
    assert left == [0] * int(workers), "what is left when the time is up is counted here"


def test_a_port_that_is_taken_is_said_with_address_and_variable(provider: ProviderServer, valkey: ValkeyRunner) -> None:
    with start_gateway(provider, "http://127.0.0.1:1", valkey.url) as gateway:
        environment = {**clean_environment(), **gateway.environment}
        second = subprocess.run(
            [sys.executable, "-m", "bff", "serve"], env=environment, capture_output=True, text=True, timeout=60
        )
    assert second.returncode == 1
    line = json.loads(second.stderr.splitlines()[-1])
    assert line["event"] == "listen.failed"
    assert (line["reason"], line["variable"]) == ("EADDRINUSE", "BFF_PORT")
    assert line["address"] == f"127.0.0.1:{gateway.port}"


def test_a_start_and_a_stop_are_said(provider: ProviderServer, valkey: ValkeyRunner) -> None:
    with start_gateway(provider, "http://127.0.0.1:1", valkey.url) as gateway:
        gateway.stop()
        lines = [json.loads(line) for line in gateway.output().splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    assert events[0] == "gateway.started"
    assert events[-1] == "gateway.stopping"
    assert (lines[0]["store"], lines[0]["count"], lines[0]["issuer"]) == ("redis", 1, provider.issuer)


async def refused(port: int) -> None:
    """Wait until nobody listens at the port any more."""
    for _ in range(400):
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if await asyncio.to_thread(probe.connect_ex, ("127.0.0.1", port)) != 0:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("still listening")
