"""What becomes of commands before any reaches a server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.errors import StoreUnavailable
from bff.stores.redis import RedisStore
from bff.stores.redis_connections import MAXIMUM_CONNECTIONS
from tests.support.clock import Clock
from tests.support.virtual_time import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


@pytest.fixture
async def store() -> RedisStore:
    """A store all of whose connections are in use, by nobody."""
    store = RedisStore("redis://127.0.0.1:1", namespace="bff:x", clock=Clock())
    for _ in range(MAXIMUM_CONNECTIONS):
        await store._connections.acquire()
    return store


async def reason(attempt: asyncio.Future[bytes | None]) -> str:
    with pytest.raises(StoreUnavailable) as refusal:
        await attempt
    return refusal.value.reason


async def test_a_command_does_not_wait_for_a_connection_for_ever(store: RedisStore) -> None:
    assert await reason(asyncio.ensure_future(store.get("value"))) == "store.busy"


async def test_a_command_that_waited_while_the_server_was_lost_is_not_sent_after_it(store: RedisStore) -> None:
    waiting = asyncio.ensure_future(store.get("value"))
    await asyncio.sleep(0.1)
    store._servers.circuit("value").failed()
    store._connections.release()
    assert await reason(waiting) == "store.circuit_open"


async def test_an_update_of_version_zero_is_refused_without_asking(store: RedisStore) -> None:
    """Version zero is a tombstone's."""
    assert not await store.update("key", b"sealed", version=0)
