"""The provider's transport over real sockets: whom it trusts, and what a broken connection becomes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bff.errors import InvalidProviderAnswer, ProviderUnavailable
from bff.provider.tls import trusted_authorities
from bff.provider.transport import ProviderTransport, open_pool
from tests.support.certificates import authority_certificate, server_context

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\n{}"


class RawServer:
    """Answers every request head with the same bytes; keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answer)
                await writer.drain()
                if b"Content-Length" not in self.answer:
                    break
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Serve on loopback; yields the port."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context)
        async with server:
            yield server.sockets[0].getsockname()[1]


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority_certificate())
    return path


async def test_a_private_authority_is_trusted_if_it_is_configured(tmp_path: Path, ca_file: Path) -> None:
    transport = ProviderTransport(open_pool(trusted_authorities(ca_file)))
    server = RawServer(OK)
    async with server.running(server_context(tmp_path)) as port:
        answer = await transport.get(f"https://127.0.0.1:{port}/", accept="application/json")
        assert (answer.status, answer.body) == (200, b"{}")
        await transport.close()


async def test_an_authority_nobody_knows_is_refused(tmp_path: Path) -> None:
    transport = ProviderTransport(open_pool(trusted_authorities(None)))
    server = RawServer(OK)
    async with server.running(server_context(tmp_path)) as port:
        with pytest.raises(ProviderUnavailable) as caught:
            await transport.get(
                f"https://127.0.0.1:{port}/", accept="application/json", credentials={"Authorization": "Bearer token-1"}
            )
        assert caught.value.reason == "provider.certificate"
        assert server.heads == []
        await transport.close()


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path, ca_file: Path) -> None:
    transport = ProviderTransport(open_pool(trusted_authorities(ca_file)))
    server = RawServer(OK)
    async with server.running(server_context(tmp_path, name="other.example")) as port:
        with pytest.raises(ProviderUnavailable) as caught:
            await transport.get(
                f"https://127.0.0.1:{port}/", accept="application/json", credentials={"Authorization": "Bearer token-1"}
            )
        assert caught.value.reason == "provider.certificate"
        assert server.heads == []
        await transport.close()


async def test_connections_are_reused_without_cookies_and_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    transport = ProviderTransport(open_pool(trusted_authorities(None)))
    server = RawServer(OK)
    async with server.running() as port:
        for _ in range(3):
            await transport.get(f"http://127.0.0.1:{port}/path?q=1", accept="application/json")
        await transport.close()
    assert server.connections == 1
    assert all(head.startswith(b"GET /path?q=1 HTTP/1.1\r\n") for head in server.heads)
    assert not any(b"cookie" in head.lower() or b"python" in head.lower() for head in server.heads)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "provider.protocol"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "provider.protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-length: 100\r\n\r\n{}", "provider.protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\ncontent-length: 2\r\n\r\n{}", "provider.content_encoding"),
    ],
)
async def test_an_answer_that_is_broken_off_or_no_http_is_an_error_of_ours(sent: bytes, reason: str) -> None:
    transport = ProviderTransport(open_pool(trusted_authorities(None)))
    server = RawServer(sent)
    async with server.running() as port:
        with pytest.raises((ProviderUnavailable, InvalidProviderAnswer)) as caught:
            await transport.get(f"http://127.0.0.1:{port}/", accept="application/json")
        assert caught.value.reason == reason
        await transport.close()


async def test_nobody_listening_is_an_error_of_ours() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    transport = ProviderTransport(open_pool(trusted_authorities(None)))
    with pytest.raises(ProviderUnavailable) as caught:
        await transport.get(f"http://127.0.0.1:{port}/", accept="application/json")
    assert caught.value.reason == "provider.connect"
    await transport.close()
