"""The echo and its clients speak RFC 6455 to each other, and to those who read it strictly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from bench.socket_client import NotOpened, _open
from bench.socket_echo import Echo


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_the_echo_answers_a_strict_client(port: int) -> None:
    url = f"ws://127.0.0.1:{port}/socket"
    # The echo does not know that a connection can be closed in words.
    async with connect(url, compression=None, proxy=None, close_timeout=0.01) as socket:
        for text in ("a", "Ödegård", "x" * 100):
            await socket.send(text)
            assert await socket.recv() == text


async def test_a_client_counts_its_echoes(port: int) -> None:
    (client,) = await _open(f"http://127.0.0.1:{port}/socket", [()], 1)
    client.is_chatting = True
    client.say()
    async with asyncio.timeout(10):
        while len(client.delays) < 3:  # noqa: ASYNC110 -- the client has no reason to tell
            await asyncio.sleep(0.001)
    client.transport.close()


async def test_a_refused_handshake_is_said(port: int) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    with pytest.raises(NotOpened, match="403"):
        await _open(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/socket", [()], 1)
    server.close()
