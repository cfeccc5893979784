"""Announcements of ended sessions when the connection they come over is in trouble: no gap goes unnoticed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bff.session.store import Tombstone
from bff.stores import redis_subscription
from bff.stores.redis import RedisStore
from tests.support.heard_endings import HeardEndings, listening
from tests.support.redis_servers import (
    SHORTLY,
    RedisProcess,
    Relay,
    redis_cluster,
    redis_sentinels,
    redis_server,
    relay,
)
from tests.support.store_attempts import KEY, LONG, create, eventually


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The product runs on uvloop, whose transports and timers are others than asyncio's."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisProcess]:
    with redis_server() as process:
        yield process


@pytest.fixture
def front(server: RedisProcess) -> Iterator[Relay]:
    """A relay in front of the server."""
    with relay(server.host) as front:
        yield front


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisStore]:
    """A store of an application of its own."""
    store = RedisStore(url, namespace=f"bff:{secrets.token_hex(8)}", clock=time.time)
    try:
        yield store
    finally:
        await store.close()


async def assert_hears(store: RedisStore, heard: HeardEndings) -> None:
    """Fail unless a session that ends now is heard of."""
    key = secrets.token_hex(32)
    await eventually(lambda: create(store, key))
    before = len(heard.endings)
    assert await store.end(key, reason="logout", lifetime=LONG) is not None
    await heard.until_heard(before + 1)
    assert heard.endings[-1] == (key, "logout")


async def test_a_connection_that_is_closed_is_told_and_opened_again(server: RedisProcess) -> None:
    async with opened(server.url) as store:
        heard = await listening(store)
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await heard.until_changed("hearing", count=2)
        assert heard.changes == ["hearing", "store.unreachable", "hearing"]
        await assert_hears(store, heard)


async def test_a_network_that_swallows_everything_is_noticed_by_who_only_listens(front: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        heard = await listening(store)
        front.stall()
        await heard.until_changed("store.timeout")
        front.flow()
        await heard.until_changed("hearing", count=2)
        await assert_hears(store, heard)


async def test_a_server_that_is_gone_is_listened_to_again_once_it_is_back() -> None:
    with redis_server() as server:
        async with opened(server.url) as store:
            heard = await listening(store)
            server.stop()
            await heard.until_changed("store.unreachable")
            server.start()
            await heard.until_changed("hearing", count=2)
            await assert_hears(store, heard)


async def test_an_answer_to_an_ending_that_is_lost_announces_it_once(front: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        heard = await listening(store)
        await create(store)
        front.lose_next_reply_to(b"EVALSHA")
        await store.end(KEY, reason="logout", lifetime=LONG)
        await assert_hears(store, heard)
        assert [key for key, _ in heard.endings].count(KEY) == 1


async def test_what_is_no_announcement_is_passed_over(server: RedisProcess) -> None:
    async with opened(server.url) as store:
        heard = await listening(store)
        for message in (b"", b"key", b" logout", b"key ", b"k\xff logout", b"\r\n"):
            assert server.ask("PUBLISH", store._channel, message) == 1
        await assert_hears(store, heard)
        assert len(heard.endings) == 1
        assert heard.changes == ["hearing"]


async def test_who_may_neither_publish_nor_subscribe_still_ends_sessions_and_is_told_that_it_is_deaf(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_subscription, "REFUSED_PAUSE", 0.05)
    rules = ("resetchannels", "~bff:*", "+@all", "-publish", "-subscribe")
    with redis_server("--user", "bff", "on", ">secret", *rules) as server:
        async with opened(f"redis://bff:secret@127.0.0.1:{server.port}") as store:
            heard = HeardEndings()
            store.listen(heard)
            await heard.until_changed("store.noperm")
            await create(store)
            assert await store.end(KEY, reason="logout", lifetime=LONG) is not None
            assert await store.read(KEY) == Tombstone("logout")
            server.ask("ACL", "SETUSER", "bff", "&bff:*", "+publish", "+subscribe")
            await heard.until_changed("hearing")
            await assert_hears(store, heard)


async def test_after_a_failover_endings_are_heard_from_the_new_master() -> None:
    with redis_sentinels(dead_after=SHORTLY) as (servers, watchers):
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
        async with opened(f"redis+sentinel://{hosts}/main") as store:
            heard = await listening(store)
            servers[0].stop()
            await heard.until_changed("hearing", count=2)
            await assert_hears(store, heard)


async def test_when_a_node_of_a_cluster_dies_another_is_listened_to() -> None:
    with redis_cluster() as nodes:
        async with opened(f"redis+cluster://127.0.0.1:{nodes[0].port},127.0.0.1:{nodes[1].port}") as store:
            heard = await listening(store)
            subscribed = [node for node in nodes if node.ask("PUBSUB", "CHANNELS", store._channel)]
            assert len(subscribed) == 1
            subscribed[0].stop()
            await heard.until_changed("hearing", count=2)


async def test_closing_while_the_server_hangs_ends_the_listening() -> None:
    with redis_server() as server:
        server.pause()
        async with opened(server.url) as store:
            store.listen(HeardEndings())
            await asyncio.sleep(0)
        server.resume()
