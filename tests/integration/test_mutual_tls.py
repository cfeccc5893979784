"""The client's certificate on real connections: shown where it is due, and to nobody else (RFC 8705)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import ssl
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificate

from bff.app import create_app
from bff.check.check import connect_to_upstreams
from bff.check.reach import Place
from bff.errors import ProviderUnavailable
from bff.provider import mutual_tls, open_pool, plain_tls
from bff.provider.transport import ProviderTransport
from bff.proxy.pool import Origin
from bff.settings import Settings
from tests.integration.test_provider_transport import OK, RawServer
from tests.support.certificates import authority_certificate, client_certificate, demanding_context, server_context
from tests.support.provider_settings import provider_settings
from tests.support.proxy_server import ProxyServer, route_to, running_proxy
from tests.support.raw_http import Message
from tests.support.raw_upstream import RawUpstream


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def settings(directory: Path, *, is_self_signed: bool = False, **variables: str) -> Settings:
    authorities = directory / "authority.pem"
    authorities.write_bytes(authority_certificate())
    certificate, key = client_certificate(is_self_signed=is_self_signed)
    return provider_settings(ca_file=str(authorities), client_cert=certificate, client_cert_key=key, **variables)


async def test_a_provider_that_demands_a_certificate_gets_it(tmp_path: Path) -> None:
    transport = ProviderTransport(open_pool(mutual_tls(settings(tmp_path))))
    async with RawServer(OK).running(demanding_context(tmp_path)) as port:
        assert (await transport.get(f"https://127.0.0.1:{port}/", accept="*/*")).status == 200
    await transport.close()


async def test_a_certificate_of_another_authority_is_not_accepted(tmp_path: Path) -> None:
    transport = ProviderTransport(open_pool(mutual_tls(settings(tmp_path, is_self_signed=True))))
    async with RawServer(OK).running(demanding_context(tmp_path)) as port:
        with pytest.raises(ProviderUnavailable):
            await transport.get(f"https://127.0.0.1:{port}/", accept="*/*")
    await transport.close()


async def ask(proxy: ProxyServer, target: bytes) -> Message:
    answered = await proxy.exchange(proxy.request(b"GET", target))
    assert answered is not None
    return answered


async def test_only_the_upstreams_that_get_tokens_are_shown_the_certificate(tmp_path: Path) -> None:
    upstream, known = RawUpstream(), settings(tmp_path)
    async with upstream.running(demanding_context(tmp_path)):
        origin = {shown: Origin("127.0.0.1", upstream.port, True, shown) for shown in (True, False)}
        routes = [
            route_to("/shown", upstream.port, reads_session=False, origin=origin[True]),
            route_to("/hidden", upstream.port, reads_session=False, origin=origin[False]),
        ]
        async with running_proxy(lambda: routes, tls=plain_tls(known), mutual_tls=mutual_tls(known)) as proxy:
            assert (await ask(proxy, b"/shown/x")).status == 200
            assert (await ask(proxy, b"/hidden/x")).status == 502
            assert (await ask(proxy, b"/shown/y")).status == 200


async def test_a_renewed_certificate_is_shown_on_every_connection_from_then_on(tmp_path: Path) -> None:
    certificate, key, trusted = tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "ca.crt"
    shown: list[int] = []

    def write_pair() -> int:
        chain, private = client_certificate()
        certificate.write_text(chain)
        key.write_text(private)
        return load_pem_x509_certificate(chain.encode()).serial_number

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                peer = writer.get_extra_info("peercert")
                shown.append(int(peer["serialNumber"], 16))
                writer.write(OK)
        writer.close()

    trusted.write_bytes(authority_certificate())
    first = write_pair()
    known = provider_settings(
        client_cert=str(certificate), client_cert_key_file=str(key), ca_file=str(trusted), issuer="https://127.0.0.1:1"
    )
    gateway = create_app(known, clock=time.time, random_bytes=secrets.token_bytes)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=demanding_context(tmp_path))
    port = server.sockets[0].getsockname()[1]
    origin, pool = Origin("127.0.0.1", port, True, shows_certificate=True), gateway.proxy.pool
    transport = gateway.provider._transport

    async def call() -> None:
        await transport.get(f"https://127.0.0.1:{port}/", accept="*/*")
        back = pool.take(origin) or await pool.connect(origin)
        back.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        seen = len(shown)
        while len(shown) == seen:  # noqa: ASYNC110 -- the server has no reason to tell
            await asyncio.sleep(0.01)
        back.abandon()

    async with server:
        await gateway._renewal.look()
        await call()
        second = write_pair()
        await gateway._renewal.look()
        await call()
        certificate.write_text(client_certificate()[0])
        await gateway._renewal.look()
        await call()
        third = write_pair()
        await gateway._renewal.look()
        await call()
    assert shown == [first] * 2 + [second] * 4 + [third] * 2, "one that has no key leaves the one in use"
    await gateway.close()


async def test_an_authority_added_to_the_file_is_trusted_from_then_on(tmp_path: Path) -> None:
    trusted = tmp_path / "ca.crt"
    trusted.write_bytes(client_certificate(is_self_signed=True)[0].encode())
    gateway = create_app(provider_settings(ca_file=str(trusted)), clock=time.time, random_bytes=secrets.token_bytes)
    transport = gateway.provider._transport
    async with RawServer(OK).running(server_context(tmp_path)) as port:
        await gateway._renewal.look()
        with pytest.raises(ProviderUnavailable):
            await transport.get(f"https://127.0.0.1:{port}/", accept="*/*")
        trusted.write_bytes(trusted.read_bytes() + authority_certificate())
        await gateway._renewal.look()
        assert (await transport.get(f"https://127.0.0.1:{port}/", accept="*/*")).status == 200
    await gateway.close()


def test_under_a_profile_tls_1_2_has_the_recommended_suites_alone(tmp_path: Path) -> None:
    context = plain_tls(settings(tmp_path, profile="fapi2", client_secret=""))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    older = [suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]
    assert older
    assert all(name.startswith("ECDHE-") and "AES" in name and "GCM" in name for name in older)


async def test_a_system_without_files_in_memory_takes_the_key_from_a_file_of_its_own_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    transport = ProviderTransport(open_pool(mutual_tls(settings(tmp_path))))
    assert list(temporary.iterdir()) == []
    async with RawServer(OK).running(demanding_context(tmp_path)) as port:
        assert (await transport.get(f"https://127.0.0.1:{port}/", accept="*/*")).status == 200
    await transport.close()


async def test_bff_check_shows_the_certificate_to_the_upstreams_that_get_tokens_alone(tmp_path: Path) -> None:
    context = demanding_context(tmp_path)
    context.verify_mode = ssl.CERT_OPTIONAL
    shown: list[bool] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.append(bool(writer.get_extra_info("peercert")))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for policy in ("user", "none"):
            route = {"prefix": "/api", "upstream": f"https://127.0.0.1:{port}", "token": policy}
            known = settings(tmp_path, upstream_url="", routes=json.dumps([route]))
            await connect_to_upstreams(known)(Place("127.0.0.1", port, is_secure=True))
    assert shown == [True, False]
