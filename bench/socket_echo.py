"""Run as a program: an upstream whose WebSockets echo small messages, as cheaply as can be. It trusts its callers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MASKED_HEAD = 6


class Echo(asyncio.Protocol):
    """One connection: a handshake, or any other request, then frames of less than 126 bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""
        self._is_open = False

    def data_received(self, data: bytes) -> None:
        """Answer the handshake, then send each frame back unmasked."""
        self._received += data
        if not self._is_open:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            self._received = rest
            self._answer(head)
        while len(self._received) >= _MASKED_HEAD:
            length = self._received[1] & 0x7F
            if len(self._received) < _MASKED_HEAD + length:
                break
            mask = self._received[2:_MASKED_HEAD] * (length // 4 + 1)
            masked = self._received[_MASKED_HEAD : _MASKED_HEAD + length]
            payload = (int.from_bytes(masked, "big") ^ int.from_bytes(mask[:length], "big")).to_bytes(length, "big")
            self._transport.write(bytes((self._received[0], length)) + payload)
            self._received = self._received[_MASKED_HEAD + length :]

    def _answer(self, head: bytes) -> None:
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"sec-websocket-key" not in fields:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        # The value, unlike the name, is not to be read in lower case.
        start = head.lower().index(b"sec-websocket-key: ") + len(b"sec-websocket-key: ")
        key = head[start : start + 24]
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        self._is_open = True
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )


async def serve(port: int) -> None:
    """Serve until ended."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
