"""Which store the settings ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bff.session.sealing import sealing_context
from bff.settings import Secret
from bff.stores import namespace_of, open_store
from bff.stores.memory import MemoryStore
from bff.stores.redis import RedisStore
from tests.support.clock import Clock
from tests.support.server_certificates import server_certificate


def settings(redis_url: str | None, **changes: Any) -> Any:
    """Return what a store is opened by."""
    values = {
        "redis_url": None if redis_url is None else Secret(redis_url),
        "issuer": "https://idp.example",
        "client_id": "spa",
        "public_url": SimpleNamespace(origin="https://app.example"),
        "ca_file": None,
    }
    return SimpleNamespace(**(values | changes))


async def test_without_a_url_sessions_are_kept_in_memory() -> None:
    clock = Clock()
    store = open_store(settings(None), clock)
    assert isinstance(store, MemoryStore)
    await store.put("value", b"", lifetime=10)
    clock.advance(10)
    assert await store.get("value") is None


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://localhost",
        "unix:///run/redis.sock",
        "redis+sentinel://localhost/main",
        "rediss+sentinel://localhost/main",
        "redis+cluster://localhost",
        "valkeys+cluster://localhost",
    ],
)
async def test_every_kind_of_url_opens_a_store_without_connecting(url: str, tmp_path: Path) -> None:
    authority, _ = server_certificate(tmp_path, "localhost")
    store = open_store(settings(url, ca_file=authority), Clock())
    assert isinstance(store, RedisStore)
    await store.close()


def test_a_url_that_cannot_be_used_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="scheme") as refusal:
        open_store(settings("http://:hunter2@localhost"), Clock())
    assert "hunter2" not in str(refusal.value)


def test_every_application_has_a_namespace_of_its_own() -> None:
    contexts = [
        sealing_context(issuer, client_id, origin)
        for issuer in ("https://idp.example", "https://other.example")
        for client_id in ("spa", "other")
        for origin in ("https://app.example", "https://other.example")
    ]
    namespaces = {namespace_of(context) for context in contexts}
    assert len(namespaces) == 8
    assert all(len(namespace) == 4 + 16 and namespace.startswith("bff:") for namespace in namespaces)


def test_who_keeps_nothing_in_redis_does_not_wait_for_its_library() -> None:
    program = "import sys, bff.__main__, bff.server; print(sum(name.split('.')[0] == 'redis' for name in sys.modules))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "0\n"
