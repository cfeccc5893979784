"""The client's certificate on real connections: shown where it is due, and to nobody else (RFC 8705)."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import tempfile
from pathlib import Path
from typing import Any

import pytest

from bff.check.check import connect_to_upstreams
from bff.check.reach import Place
from bff.errors import ProviderUnavailable
from bff.provider import mutual_tls, open_pool, plain_tls
from bff.provider.transport import ProviderTransport
from bff.proxy.pool import Origin
from bff.settings import Settings
from tests.integration.test_provider_transport import OK, RawServer
from tests.support.certificates import authority_certificate, client_certificate, demanding_context
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
