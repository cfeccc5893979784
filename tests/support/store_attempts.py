"""Calls on a store that may be in trouble."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from bff.errors import StoreUnavailable
from bff.session.store import SessionStore
from bff.stores import redis, redis_cluster, redis_connections, redis_server

Result = TypeVar("Result")

LONG = 3600.0
KEY = "a" * 64
PATIENCE = 90.0


@pytest.fixture
def patient_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores that wait long for a server, for tests of something else: on a busy machine a second is short."""
    for module in (redis, redis_cluster, redis_connections, redis_server):
        for name in ("CONNECT_TIMEOUT", "COMMAND_TIMEOUT", "OPERATION_TIMEOUT", "QUEUE_TIMEOUT", "SENTINEL_TIMEOUT"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, PATIENCE)


async def create(store: SessionStore, key: str = KEY, sealed: bytes = b"sealed", *indexes: str) -> None:
    """Create a session whose particulars do not matter."""
    await store.create(key, sealed, touched_at=1_700_000_000.0, lifetime=LONG, indexes=indexes, index_lifetime=LONG)


def operations(store: SessionStore, key: str = KEY) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return every operation of a store, on keys that do not matter."""
    return {
        "read": lambda: store.read(key),
        "create": lambda: create(store, secrets.token_hex(32)),
        "update": lambda: store.update(key, secrets.token_bytes(8), version=99),
        "touch": lambda: store.touch(key, touched_at=1_700_000_000.0, lifetime=LONG),
        "end": lambda: store.end("none", reason="logout", lifetime=LONG),
        "end_indexed": lambda: store.end_indexed("none", reason="logout", lifetime=LONG),
        "put": lambda: store.put("value", b"", lifetime=LONG),
        "get": lambda: store.get("value"),
        "acquire": lambda: store.acquire("lease", owner="one", lifetime=LONG),
        "release": lambda: store.release("lease", owner="one"),
        "ping": store.ping,
    }


OPERATIONS = (
    *("read", "create", "update", "touch", "end", "end_indexed"),
    *("put", "get", "acquire", "release", "ping"),
)


async def refusal(attempt: Awaitable[Any]) -> str:
    """Return why the attempt failed."""
    with pytest.raises(StoreUnavailable) as refused:
        await attempt
    return refused.value.reason


async def eventually(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Return the result of the first attempt that does not find the store unavailable."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await attempt()
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def until_refused(attempt: Callable[[], Awaitable[Any]], reasons: set[str]) -> None:
    """Return when an attempt fails for one of the reasons."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            await attempt()
        except StoreUnavailable as error:
            if error.reason in reasons:
                return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never refused for {reasons}")
