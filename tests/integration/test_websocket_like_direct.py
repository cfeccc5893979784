"""A WebSocket through the gateway is what it is without: the same frames, sent to an echo server and through us.

The cases follow the sections of the Autobahn test suite. What the gateway refuses itself it refuses with the code that
the echo server would have used; the words beside the code may differ.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.support.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    frame,
    from_browser,
    read_frames,
)
from tests.support.proxy_server import ProxyServer, route_to, running_proxy

LARGEST = 4 << 20
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The product runs on uvloop, whose transports are others than asyncio's."""
    return "asyncio", {"use_uvloop": request.param}


async def echo(connection: ServerConnection) -> None:
    """Send back every message, and in as many fragments as it asks for."""
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            if isinstance(message, str) and message.startswith("in pieces: "):
                await connection.send([*message])
            else:
                await connection.send(message)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where the echo server listens."""
    protocols = [Subprotocol("chat"), Subprotocol("soap")]
    async with serve(echo, "127.0.0.1", 0, max_size=LARGEST, subprotocols=protocols) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@pytest.fixture
async def proxy(port: int) -> AsyncIterator[ProxyServer]:
    route = route_to("/live", port, reads_session=False, websocket=True, max_body=LARGEST)
    async with running_proxy(lambda: [route]) as proxy:
        yield proxy


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return from_browser(b"" if code is None else code.to_bytes(2, "big") + reason, CLOSE)


def fragments(*parts: bytes, opcode: int = TEXT) -> bytes:
    """Return one message in several frames."""
    last = len(parts) - 1
    return b"".join(
        from_browser(part, CONTINUATION if number else opcode, is_final=number == last)
        for number, part in enumerate(parts)
    )


EURO = "Hello-µ@ßöäüàá-UTF-8!!€".encode()
GOOD: dict[str, bytes] = {
    **{f"1.1 text of {size} bytes": from_browser(b"*" * size) for size in (0, 125, 126, 127, 128, 65535, 65536)},
    **{f"1.2 binary of {size} bytes": from_browser(b"\xfe" * size, BINARY) for size in (0, 125, 126, 65535, 65536)},
    "2.1 ping without payload": from_browser(b"", PING),
    "2.2 ping with payload": from_browser(b"Hello, world!", PING),
    "2.3 ping with binary payload": from_browser(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", PING),
    "2.4 ping of 125 bytes": from_browser(b"\xfe" * 125, PING),
    "2.7 pong nobody asked for": from_browser(b"unsolicited", PONG),
    "2.8 pong and ping": from_browser(b"unsolicited", PONG) + from_browser(b"ping", PING),
    "2.10 ten pings": b"".join(from_browser(b"payload-%d" % number, PING) for number in range(10)),
    "5.3 text in two fragments": fragments(b"fragment1", b"fragment2"),
    "5.6 ping between fragments": (
        from_browser(b"fragment1", is_final=False) + from_browser(b"ping", PING)
        + from_browser(b"fragment2", CONTINUATION)
    ),
    "5.19 many fragments and pings": (
        from_browser(b"fragment1", is_final=False) + from_browser(b"fragment2", CONTINUATION, is_final=False)
        + from_browser(b"pongme 1", PING) + from_browser(b"fragment3", CONTINUATION, is_final=False)
        + from_browser(b"pongme 2", PING) + from_browser(b"fragment5", CONTINUATION)
    ),
    "5.20 empty fragments": fragments(b"", b"fragment", b"", b""),
    "6.1 no text at all": from_browser() + fragments(b"", b"", b""),
    "6.2 text beyond ASCII": from_browser(EURO),
    "6.2 text cut within a character": fragments(EURO[:19], EURO[19:]),
    "6.2 every byte a fragment": fragments(*(EURO[at : at + 1] for at in range(len(EURO)))),
    "9.1 a mebibyte of text": from_browser(b"*" * (1 << 20)),
    "9.2 a mebibyte of bytes": from_browser(b"\xfe" * (1 << 20), BINARY),
    "9.3 a mebibyte in fragments of 4 KiB": fragments(*[b"*" * 4096] * 256),
    "10.1 answered in pieces": from_browser(b"in pieces: 0123456789"),
}  # fmt: skip
ENDINGS: dict[str, bytes] = {
    "7.1 close twice": close() + close(),
    "7.1 text after close": close() + from_browser(b"too late"),
    "7.1 ping after close": close() + from_browser(b"too late", PING),
    "7.3 close without a code": close(None),
    "7.3 close with half a code": from_browser(b"\x03", CLOSE),
    "7.3 close with a reason": close(1000, b"Hello World!"),
    "7.3 close with the longest reason": close(1000, b"*" * 123),
    "7.5 close with a reason that is no text": close(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80"),
    **{
        f"7.7 close with code {code}": close(code)
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    },
    **{f"7.9 close with code {code}": close(code) for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000)},
    "6.3 text that is no text": from_browser(b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80\x65\x64"),
    "6.4 fragments that are no text": fragments(b"\xce\xba\xe1\xbd\xb9", b"\xf4\x90\x80\x80", b"edited"),
}
REFUSED: dict[str, tuple[bytes, int]] = {
    "2.5 ping of 126 bytes": (from_browser(b"\xfe" * 126, PING), 1002),
    **{
        f"3 reserved bits {bits:03b}": (from_browser(b"Hello", reserved=bits) + from_browser(b"", PING), 1002)
        for bits in range(1, 8)
    },
    "3.6 reserved bits in a ping": (from_browser(b"Hello", PING, reserved=6), 1002),
    "3.7 reserved bits in a close": (from_browser(b"\x03\xe8", CLOSE, reserved=7), 1002),
    **{f"4 opcode {code:#x}": (from_browser(b"", code), 1002) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "5.1 ping in fragments": (
        from_browser(b"a", PING, is_final=False) + from_browser(b"b", CONTINUATION), 1002,
    ),
    "5.9 continuation of nothing": (from_browser(b"non-continuation", CONTINUATION), 1002),
    "5.15 continuation after the end": (fragments(b"a", b"b") + from_browser(b"c", CONTINUATION, is_final=False), 1002),
    "5.18 text within a message": (from_browser(b"a", is_final=False) + from_browser(b"b"), 1002),
    "7.3 close of 126 bytes": (from_browser(b"\x03\xe8" + b"*" * 124, CLOSE), 1002),
    "not masked": (frame(b"Hello"), 1002),
    "too large": (from_browser(b"*" * (LARGEST + 1), BINARY), 1009),
    "too large in fragments": (fragments(*[b"*" * (1 << 20)] * 5), 1009),
}  # fmt: skip


async def conversation(
    port: int, path: bytes, sent: bytes, *, piece: int | None = None, last: bytes = b""
) -> list[Frame]:
    """Return the frames that come in answer to what is sent, until the connection ends.

    With `last`, that is sent as one more message, and the socket closed when it has come back.
    """
    sent += from_browser(last) if last else b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"GET %b HTTP/1.1\r\nHost: localhost:%d\r\nOrigin: http://localhost:%d\r\n" % (path, port, port)
            + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Key: %b\r\n\r\n" % KEY
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        sending = asyncio.ensure_future(_send(writer, sent, piece or len(sent)))
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                received += data
                if last and received.endswith(frame(last)):
                    await sending
                    writer.write(close())
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return read_frames(received)
    finally:
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, data: bytes, piece: int) -> None:
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(data), piece):
            writer.write(data[start : start + piece])
            await writer.drain()
            if piece < len(data):
                await asyncio.sleep(0)


def told(frames: list[Frame]) -> list[Frame | int]:
    """Return the frames, of Close frames only the code."""
    return [each.close_code if each.opcode == CLOSE else each for each in frames]


@pytest.mark.parametrize("case", GOOD)
async def test_good_frames_are_answered_as_without_us_whole_or_in_pieces(
    case: str, port: int, proxy: ProxyServer
) -> None:
    sent, last = GOOD[case], b"that is all"
    direct = await conversation(port, b"/socket", sent, last=last)
    assert (direct[-2].payload, direct[-1].close_code) == (last, 1000)
    assert await conversation(proxy.port, b"/live/socket", sent, last=last) == direct
    if len(sent) < 1000:
        assert await conversation(proxy.port, b"/live/socket", sent, piece=1, last=last) == direct
    assert await conversation(proxy.port, b"/live/socket", sent, piece=997, last=last) == direct


@pytest.mark.parametrize("case", ENDINGS)
async def test_every_way_to_close_is_answered_as_without_us(case: str, port: int, proxy: ProxyServer) -> None:
    direct = await conversation(port, b"/socket", ENDINGS[case])
    assert await conversation(proxy.port, b"/live/socket", ENDINGS[case]) == direct
    assert await conversation(proxy.port, b"/live/socket", ENDINGS[case], piece=1) == direct


@pytest.mark.parametrize("case", REFUSED)
async def test_what_breaks_the_protocol_is_refused_as_without_us(case: str, port: int, proxy: ProxyServer) -> None:
    sent, code = REFUSED[case]
    sent = from_browser(b"before", PING) + sent
    assert told(await conversation(proxy.port, b"/live/socket", sent)) in ([Frame(PONG, b"before"), code], [code])
    direct = told(await conversation(port, b"/socket", sent))
    # A server that closes with bytes unread resets the connection, which may swallow what it said last.
    assert not direct or direct[-1] in (code, Frame(PONG, b"before"))


async def test_subprotocols_and_compression_are_agreed_on_by_the_two_ends(port: int, proxy: ProxyServer) -> None:
    for url in (f"ws://127.0.0.1:{port}/socket", f"ws://localhost:{proxy.port}/live/socket"):
        origin, protocols = Origin(f"http://localhost:{proxy.port}"), [Subprotocol("mqtt"), Subprotocol("soap")]
        async with connect(url, origin=origin, subprotocols=protocols, proxy=None, max_size=None) as socket:
            assert socket.subprotocol == "soap"
            assert [extension.name for extension in socket.protocol.extensions] == ["permessage-deflate"]
            for message in ("x" * 100_000, b"\x00" * 100_000, ["in ", "pieces: ", "x" * 1000], ""):
                await socket.send(message)
                answer = await socket.recv()
                assert answer == ("".join(message) if isinstance(message, list) else message)
            await asyncio.wait_for(await socket.ping(b"compressed sockets have pings too"), 30)
        assert (socket.close_code, socket.close_reason) == (1000, "")
