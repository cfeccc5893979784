"""Bodies over real sockets: parts, none at all, answers that come before the request has ended, one that never ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.proxy_server import ProxyServer, route_to, running_proxy, until
from tests.support.raw_http import Malformed

Serve = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PIECE = b"x" * 65536


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The product runs on uvloop, whose transports are others than asyncio's."""
    return "asyncio", {"use_uvloop": request.param}


@asynccontextmanager
async def proxy_to(serve: Serve, **route: Any) -> AsyncIterator[ProxyServer]:
    """Run the proxy in front of an upstream whose connections are served so, each from its first request's head."""

    async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await serve(await reader.readuntil(b"\r\n\r\n"), reader, writer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with running_proxy(lambda: [route_to("/open", port, reads_session=False, **route)]) as proxy:
            yield proxy
    finally:
        server.close()


async def test_a_part_of_a_document_is_asked_for_and_answered_as_it_is() -> None:
    document = bytes(range(256)) * 16
    asked: list[bytes] = []

    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(head)
        if b"bytes=0-9,20-29" in head:
            parts = b"--b\r\nContent-Range: bytes 0-9/4096\r\n\r\n0123456789\r\n--b--\r\n"
            fields = b"Content-Type: multipart/byteranges; boundary=b\r\nContent-Length: %d\r\n" % len(parts)
            writer.write(b"HTTP/1.1 206 Partial Content\r\n%b\r\n%b" % (fields, parts))
        elif b"bytes=9999-" in head:
            writer.write(b"HTTP/1.1 416 Too Far\r\nContent-Range: bytes */4096\r\nContent-Length: 0\r\n\r\n")
        else:
            fields = (
                b'Content-Range: bytes 256-511/4096\r\nETag: "v1"\r\nAccept-Ranges: bytes\r\nContent-Length: 256\r\n'
            )
            writer.write(b"HTTP/1.1 206 Partial Content\r\n%b\r\n%b" % (fields, document[256:512]))

    async with proxy_to(serve) as proxy, proxy.connection() as client:
        await client.send(proxy.request(b"GET", b"/open/x", b'Range: bytes=256-511\r\nIf-Range: "v1"\r\n'))
        part = await client.answer()
        assert part is not None
        assert (part.status, part.body, part.value("content-range")) == (206, document[256:512], b"bytes 256-511/4096")
        assert (part.value("etag"), part.value("accept-ranges")) == (b'"v1"', b"bytes")
        assert b'Range: bytes=256-511\r\nIf-Range: "v1"\r\n' in asked[0]
        await client.send(proxy.request(b"GET", b"/open/x", b"Range: bytes=0-9,20-29\r\n"))
        parts = await client.answer()
        assert parts is not None
        assert (parts.status, parts.value("content-type")) == (206, b"multipart/byteranges; boundary=b")
        await client.send(proxy.request(b"GET", b"/open/x", b"Range: bytes=9999-\r\n"))
        none = await client.answer()
        assert none is not None
        assert (none.status, none.value("content-range")) == (416, b"bytes */4096")


async def test_answers_without_a_body_leave_both_connections_usable() -> None:
    connections = set()

    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        match head.split(b" ")[0], head.split(b" ")[1]:
            case b"HEAD", _:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
            case _, b"/304":
                writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nContent-Length: 4096\r\n\r\n')
            case _, b"/204":
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            case _:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with proxy_to(serve) as proxy, proxy.connection() as client:
        for method, target, status, length in (
            (b"HEAD", b"/open/large", 200, b"1073741824"),
            (b"GET", b"/open/304", 304, b"4096"),
            (b"GET", b"/open/204", 204, None),
            (b"DELETE", b"/open/204", 204, None),
            (b"GET", b"/open/x", 200, b"2"),
        ):
            await client.send(proxy.request(method, target))
            answer = await client.answer(to_head=method == b"HEAD")
            assert answer is not None
            assert (answer.status, answer.value("content-length")) == (status, length)
            assert answer.body == (b"ok" if target == b"/open/x" else b"")
        assert len(connections) == 1


async def endless(client: Any) -> None:
    """Send for as long as anybody takes it."""
    with contextlib.suppress(ConnectionError):
        while not client.writer.transport.is_closing():
            client.writer.write(PIECE)
            await client.writer.drain()


@pytest.mark.parametrize("then", ["closes at once", "ends and reads on", "reads on"])
async def test_an_upstream_that_refuses_while_the_upload_still_runs_is_heard(then: str) -> None:
    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(PIECE))
        fields = b"Content-Type: application/json\r\nContent-Length: 17\r\n"
        writer.write(b'HTTP/1.1 422 No\r\n%b\r\n{"error":"early"}' % fields)
        await writer.drain()
        if then == "closes at once":
            # With bytes unread this is a reset, and whatever is written to it fails.
            writer.close()
        elif then == "ends and reads on":
            writer.write_eof()
        while await reader.read(65536):
            pass

    async with proxy_to(serve) as proxy, proxy.connection() as client:
        await client.send(proxy.request(b"POST", b"/open/x", b"Content-Length: 104857600\r\n"))
        sending = asyncio.ensure_future(endless(client))
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.body, answer.value("connection")) == (422, b'{"error":"early"}', b"close")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await until(lambda: not proxy.context.exchanges)
        assert proxy.log.lines[-1].status == 422
        assert proxy.context.pool.idle_count == 0


async def test_a_body_too_large_is_refused_while_it_comes_and_the_upstream_never_sees_its_end() -> None:
    seen: list[int] = []

    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 0
        while data := await reader.read(65536):
            size += len(data)
            assert b"0\r\n\r\n" not in data
        seen.append(size)
        writer.close()

    async with proxy_to(serve, max_body=1 << 20) as proxy, proxy.connection() as client:
        await client.send(proxy.request(b"POST", b"/open/x", b"Transfer-Encoding: chunked\r\n"))
        piece = b"10000\r\n%b\r\n" % PIECE
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                client.writer.write(piece)
                await client.writer.drain()
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.value("connection")) == (413, b"close")
        await until(lambda: bool(seen))


async def test_answer_and_request_may_pass_at_the_same_time() -> None:
    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (20 * 5))
        for _ in range(20):
            writer.write(await reader.readexactly(5))
            await writer.drain()

    async with proxy_to(serve) as proxy, proxy.connection() as client:
        await client.send(proxy.request(b"POST", b"/open/x", b"Content-Length: 100\r\n"))
        assert (await client.stream.until(b"\r\n\r\n") or b"").startswith(b"HTTP/1.1 200 ")
        for number in range(20):
            await client.send(b"%05d" % number)
            assert await client.stream.exactly(5) == b"%05d" % number


async def test_trailers_reach_nobody_and_the_connections_go_on() -> None:
    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"trailer" not in head.lower()
        assert await reader.readuntil(b"0\r\n\r\n") == b"2\r\nhi\r\n0\r\n\r\n"
        fields = b"Transfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n2\r\nok\r\n0\r\nX-Checksum: 1\r\nSet-Cookie: a=b\r\n\r\n" % fields)

    async with proxy_to(serve) as proxy, proxy.connection() as client:
        fields = b"Transfer-Encoding: chunked\r\nTrailer: X-Evil\r\n"
        for _ in range(2):
            await client.send(proxy.request(b"POST", b"/open/x", fields) + b"2\r\nhi\r\n0\r\nX-Evil: 1\r\n\r\n")
            answer = await client.answer()
            assert answer is not None
            assert (answer.status, answer.body, answer.values("trailer")) == (200, b"ok", [])


async def test_a_download_that_breaks_off_is_seen_to_be_half() -> None:
    async def serve(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
        await writer.drain()
        writer.close()

    async with proxy_to(serve) as proxy, proxy.connection() as client:
        await client.send(proxy.request(b"GET", b"/open/x"))
        with pytest.raises((Malformed, ConnectionError)):
            await client.answer()
