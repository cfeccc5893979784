"""A call over a bare socket, which can be broken off at any moment as a browser does."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx2


@dataclass
class RawCall:
    """One request under way; `answer` reads it to the end, leaving the `with` block breaks it off."""

    socket: socket.socket

    @classmethod
    async def start(cls, browser: httpx2.AsyncClient, url: str) -> RawCall:
        """Send a GET with the browser's cookies, as its own page would."""
        parts = urlsplit(url)
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        request = (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nSec-Fetch-Site: same-origin\r\n"
            f"Cookie: {cookies}\r\nConnection: close\r\n\r\n"
        )
        connection = socket.socket()
        connection.setblocking(False)
        call = cls(connection)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (parts.hostname, parts.port))
        await loop.sock_sendall(connection, request.encode())
        return call

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    async def answer(self) -> tuple[int, bytes]:
        """Return status and body."""
        received = b""
        while piece := await asyncio.get_running_loop().sock_recv(self.socket, 65536):
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
