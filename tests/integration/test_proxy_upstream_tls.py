"""Upstreams over TLS: proven to be who the configuration names, or not spoken to."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from bff.provider.tls import trusted_authorities
from bff.proxy.pool import Origin
from tests.support.certificates import authority_certificate, server_context
from tests.support.proxy_server import ProxyServer, route_to, running_proxy
from tests.support.raw_http import Malformed, Message
from tests.support.raw_upstream import RawUpstream, UpstreamConnection, answer_line


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def trusting(tmp_path: Path) -> ssl.SSLContext:
    """The gateway's TLS context with the authority of these tests as a further one."""
    path = tmp_path / "authority.pem"
    path.write_bytes(authority_certificate())
    return trusted_authorities(path)


def secure_route(port: int, **changes: Any) -> Any:
    return route_to("/open", port, reads_session=False, origin=Origin("127.0.0.1", port, is_secure=True), **changes)


async def ask(proxy: ProxyServer, target: bytes = b"/open/x", method: bytes = b"GET") -> Message:
    answered = await proxy.exchange(proxy.request(method, target))
    assert answered is not None
    return answered


async def test_a_proven_upstream_is_spoken_to_over_one_connection(tmp_path: Path, trusting: ssl.SSLContext) -> None:
    upstream = RawUpstream()
    async with (
        upstream.running(server_context(tmp_path)),
        running_proxy(lambda: [secure_route(upstream.port)], tls=trusting) as proxy,
    ):
        for number in range(5):
            assert (await ask(proxy, b"/open/%d" % number)).body == b"/%d|-|" % number
        assert len(upstream.connections) == 1
        body = b"x" * 3_000_000
        answered = await proxy.exchange(proxy.request(b"POST", b"/open/large", b"", body))
        assert answered is not None
        assert answered.body == b"/large|-|" + body


@pytest.mark.parametrize("case", ["unknown authority", "another name"])
async def test_an_unproven_upstream_gets_nothing(case: str, tmp_path: Path, trusting: ssl.SSLContext) -> None:
    upstream = RawUpstream()
    certified = server_context(tmp_path, name="other.example" if case == "another name" else "127.0.0.1")
    tls = trusted_authorities(None) if case == "unknown authority" else trusting
    async with upstream.running(certified), running_proxy(lambda: [secure_route(upstream.port)], tls=tls) as proxy:
        assert (await ask(proxy)).status == 502
        assert (upstream.requests, upstream.faults) == ([], [])


async def test_an_upstream_that_speaks_plainly_gets_nothing(trusting: ssl.SSLContext) -> None:
    received = b""

    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        received += await reader.read(65536)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running_proxy(lambda: [secure_route(port)], tls=trusting) as proxy:
        assert (await ask(proxy)).status == 502
    server.close()
    assert b"HTTP" not in received


def cut_below_tls(connection: UpstreamConnection) -> None:
    """End the connection as somebody on the way can: without the end that TLS proves."""
    with socket.socket(fileno=os.dup(connection.writer.get_extra_info("socket").fileno())) as below:
        below.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("end", ["close_notify", "cut"])
async def test_an_answer_that_ends_with_its_connection_is_whole_only_after_a_proper_end(
    end: str, tmp_path: Path, trusting: ssl.SSLContext
) -> None:
    upstream = RawUpstream()

    async def answer(connection: UpstreamConnection, _request: Message) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if end == "close_notify":
            connection.close()
        else:
            cut_below_tls(connection)
            connection.closes = True

    upstream.answer = answer
    async with (
        upstream.running(server_context(tmp_path)),
        running_proxy(lambda: [secure_route(upstream.port)], tls=trusting) as proxy,
        proxy.connection() as client,
    ):
        await client.send(proxy.request(b"GET", b"/open/x"))
        if end == "close_notify":
            answered = await client.answer()
            assert answered is not None
            assert answered.body == b"hello"
        else:
            with pytest.raises((Malformed, ConnectionError)):
                await client.answer()


async def test_an_idle_connection_that_the_upstream_closes_is_not_used_again(
    tmp_path: Path, trusting: ssl.SSLContext
) -> None:
    upstream = RawUpstream()

    async def answer(connection: UpstreamConnection, request: Message) -> None:
        await connection.send(answer_line(request.target))
        connection.close()

    upstream.answer = answer
    async with (
        upstream.running(server_context(tmp_path)),
        running_proxy(lambda: [secure_route(upstream.port)], tls=trusting) as proxy,
    ):
        for number in range(10):
            assert (await ask(proxy, b"/open/%d" % number)).body == b"/%d" % number
