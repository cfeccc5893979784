"""How connections to Redis are made."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from bff.errors import StoreUnavailable
from bff.stores.redis import RedisStore
from bff.stores.redis_address import parse_redis_address
from bff.stores.redis_connections import connection_options
from tests.support.clock import Clock
from tests.support.server_certificates import server_certificate


def context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return the TLS context of a store."""
    connection_class = connection_options(parse_redis_address("rediss://localhost"), ca_file)["connection_class"]
    found = connection_class().ssl_context.get()
    assert isinstance(found, ssl.SSLContext)
    return found


def test_without_tls_connections_are_plain() -> None:
    assert "connection_class" not in connection_options(parse_redis_address("redis://localhost"), None)


def test_certificates_and_host_names_are_verified() -> None:
    assert context().verify_mode is ssl.CERT_REQUIRED
    assert context().check_hostname
    assert context().minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_configured_authority_is_trusted_besides_the_systems(tmp_path: Path) -> None:
    authority, _ = server_certificate(tmp_path, "localhost")
    assert len(context(authority).get_ca_certs()) == len(context().get_ca_certs()) + 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_an_error_at_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(OSError, match=r"\S"):
        context(file)


@pytest.mark.parametrize(
    "url", ["rediss://localhost:1", "rediss+sentinel://localhost:1/main", "rediss+cluster://localhost:1"]
)
async def test_a_store_makes_one_tls_context_for_all_its_connections(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one takes the event loop tens of milliseconds, in which no call is served."""
    made: list[ssl.SSLContext] = []
    make = ssl.create_default_context

    def count(*arguments: Any, **options: Any) -> ssl.SSLContext:
        made.append(make(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", count)
    store = RedisStore(url, namespace="bff:x", clock=Clock())
    attempts = [*(store.get(f"{number}") for number in range(4)), store.read("key")]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    await store.close()
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes), "nobody listens there"
    assert len(made) == 1


@pytest.mark.parametrize("url, has_database", [("redis://h/3", True), ("redis+cluster://h", False)])
def test_a_cluster_has_no_database_to_select(url: str, has_database: bool) -> None:
    assert ("db" in connection_options(parse_redis_address(url), None)) is has_database
