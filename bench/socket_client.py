"""WebSocket clients that send a small message and wait for its echo, over and over, as cheaply as can be."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import cast
from urllib.parse import urlsplit

import uvloop

_PAYLOAD = b"x" * 32
# Masked with zeros, which is valid, and costs this side nothing.
_MESSAGE = bytes((0x81, 0x80 | len(_PAYLOAD))) + bytes(4) + _PAYLOAD
_ECHO_LENGTH = 2 + len(_PAYLOAD)
OPENED_WITHIN = 30.0


class NotOpened(Exception):
    """A handshake was not answered with 101; the message has what came."""


@dataclass(frozen=True)
class Echoes:
    """What came back within `seconds`; `delays` are seconds from message to echo."""

    messages: int
    seconds: float
    delays: tuple[float, ...]


class Client(asyncio.Protocol):
    """One WebSocket."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = 0
        self._head = b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_chatting = False
        self.delays: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the handshake's answer, then echoes."""
        if not self.opened.done():
            self._head += data
            head, end, _ = self._head.partition(b"\r\n\r\n")
            if b" 101 " in head and end:
                self.opened.set_result(None)
            elif end:
                self.opened.set_exception(NotOpened(head.decode("latin-1")))
            return
        self._received += len(data)
        if self._received >= _ECHO_LENGTH:
            self.delays.append(time.perf_counter() - self._sent_at)
            if self.is_chatting:
                self.say()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail if it was never open."""
        if not self.opened.done():
            self.opened.set_exception(NotOpened("the connection was closed"))

    def say(self) -> None:
        """Send the message."""
        self._received = 0
        self._sent_at = time.perf_counter()
        self.transport.write(_MESSAGE)


def handshake_fields() -> list[str]:
    """Return the header fields that ask for a WebSocket (RFC 6455 section 4.1)."""
    key = base64.b64encode(os.urandom(16)).decode()
    return ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]


async def _open(url: str, headers: Sequence[Sequence[str]], count: int) -> list[Client]:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    clients = []
    for _, fields in zip(range(count), cycle(headers), strict=False):
        lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *handshake_fields(), *fields, "", ""]
        request = "\r\n".join(lines).encode()
        _, client = await loop.create_connection(partial(Client, request), str(parts.hostname), parts.port or 80)
        async with asyncio.timeout(OPENED_WITHIN):
            await client.opened
        clients.append(client)
    return clients


def echoes(url: str, headers: Sequence[Sequence[str]], *, count: int, seconds: float) -> Echoes:
    """Let `count` WebSockets chat for so long, each message sent once the one before has come back."""

    async def chat() -> Echoes:
        clients = await _open(url, headers, count)
        started = time.perf_counter()
        for client in clients:
            client.is_chatting = True
            client.say()
        await asyncio.sleep(seconds)
        for client in clients:
            client.is_chatting = False
        taken = time.perf_counter() - started
        delays = [delay for client in clients for delay in client.delays]
        for client in clients:
            client.transport.close()
        return Echoes(len(delays), taken, tuple(delays))

    return uvloop.run(chat())
