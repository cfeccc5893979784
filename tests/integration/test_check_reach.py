"""Reaching a host: every way in which it fails has words of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bff.check import reach as module
from bff.check.reach import Place, Unreachable, reach
from tests.support.certificates import authority_certificate, server_context
from tests.support.processes import reserve_port


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority_certificate().decode())
    return context


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that sends nothing, and hangs up when its peer does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def refusal(place: Place) -> Unreachable:
    with pytest.raises(Unreachable) as raised:
        await reach(place, trusting())
    return raised.value


async def test_plain_and_tls_connections_are_made(tmp_path: Path) -> None:
    async with listening() as port:
        assert (await reach(Place("127.0.0.1", port, False), trusting())).certificate_ends_at is None
    async with listening(server_context(tmp_path)) as port:
        ends_at = (await reach(Place("127.0.0.1", port, True), trusting())).certificate_ends_at
    assert ends_at is not None
    assert time.time() < ends_at < time.time() + 3700


async def test_a_certificate_of_another_name_or_authority_is_a_matter_of_trust(tmp_path: Path) -> None:
    async with listening(server_context(tmp_path, name="other.example")) as port:
        error = await refusal(Place("127.0.0.1", port, True))
        assert error.is_trust
        assert "mismatch" in error.seen
        with pytest.raises(Unreachable, match="issuer certificate") as raised:
            await reach(Place("127.0.0.1", port, True), ssl.create_default_context())
        assert raised.value.is_trust


async def test_a_port_nobody_listens_on_refuses() -> None:
    assert "nothing listens there" in (await refusal(Place("127.0.0.1", reserve_port(), True))).seen


async def test_what_does_not_speak_tls_is_told_from_what_is_not_trusted() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 Not TLS at all\r\n" * 20)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        error = await refusal(Place("127.0.0.1", server.sockets[0].getsockname()[1], True))
    assert error.seen == "answers, but not in TLS"
    assert not error.is_trust


async def test_a_server_that_hangs_up_is_told() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        error = await refusal(Place("127.0.0.1", server.sockets[0].getsockname()[1], True))
    assert error.seen.startswith("cannot be connected to (")


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_LIMIT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = await refusal(Place("127.0.0.1", listener.getsockname()[1], True))
    assert error.seen == "gave no answer within 0.1 s"


async def test_a_name_that_does_not_exist_is_told() -> None:
    assert "cannot be resolved" in (await refusal(Place("api.invalid", 443, True))).seen


async def test_a_peer_that_does_not_say_goodbye_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CLOSE_LIMIT", 0.1)
    context = server_context(tmp_path)
    loop = asyncio.get_running_loop()

    def shake_hands(listener: socket.socket) -> socket.socket:
        connection, _ = listener.accept()
        return context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = loop.run_in_executor(None, shake_hands, listener)
        reached = await reach(Place("127.0.0.1", listener.getsockname()[1], True), trusting())
        (await peer).close()
    assert reached.certificate_ends_at is not None


def test_an_address_with_colons_is_written_in_brackets() -> None:
    assert str(Place("2001:db8::1", 443, True)) == "[2001:db8::1]:443"
    assert str(Place("api.example", 80, False)) == "api.example:80"
