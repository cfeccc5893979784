"""Sessions on a cluster and under Sentinels, while slots move and servers are replaced."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import redis.exceptions

from bff.errors import StoreUnavailable
from bff.session.store import StoredSession, Tombstone
from bff.stores.redis import RedisStore
from tests.support.redis_servers import (
    SHORTLY,
    RedisProcess,
    directory,
    key_slot,
    redis_cluster,
    redis_sentinels,
    redis_server,
    wait_until,
)
from tests.support.server_certificates import server_certificate
from tests.support.store_attempts import (
    LONG,
    create,
    eventually,
    operations,
    patient_stores,
    refusal,
    until_refused,
)

__all__ = ["patient_stores"]

KEYS = [f"{number:064x}" for number in range(30)]


@contextlib.asynccontextmanager
async def opened(url: str, *, ca_file: Path | None = None) -> AsyncIterator[RedisStore]:
    """A store of an application of its own."""
    store = RedisStore(url, namespace=f"bff:{secrets.token_hex(8)}", ca_file=ca_file, clock=time.time)
    try:
        yield store
    finally:
        await store.close()


def live(key: str) -> StoredSession:
    """Return what `create` wrote."""
    return StoredSession(1, 1_700_000_000.0, key.encode())


# --- cluster ---


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisProcess]]:
    """Three masters."""
    with redis_cluster() as nodes:
        yield nodes


@pytest.fixture
async def store(cluster: list[RedisProcess]) -> AsyncIterator[RedisStore]:
    """A store with thirty sessions all over the cluster."""
    async with opened(f"redis+cluster://127.0.0.1:{cluster[0].port},127.0.0.1:{cluster[2].port}") as store:
        for key in KEYS:
            await create(store, key, key.encode())
        yield store


async def read_eventually(store: RedisStore, key: str) -> StoredSession | Tombstone | None:
    """Read as soon as the store is available."""
    return await eventually(lambda: store.read(key))


def name(store: RedisStore, key: str) -> str:
    """Return the name of a key in Redis."""
    return store._prefix + key


def owner(cluster: list[RedisProcess], store: RedisStore, key: str) -> int:
    """Return which node has the key."""
    return min(key_slot(name(store, key)) // (16384 // 3), 2)


@pytest.mark.usefixtures("patient_stores")
async def test_reads_of_all_nodes_at_once_each_get_their_own(cluster: list[RedisProcess], store: RedisStore) -> None:
    assert {owner(cluster, store, key) for key in KEYS} == {0, 1, 2}
    for _ in range(20):
        found = await asyncio.gather(*(store.read(key) for key in KEYS))
        assert list(found) == [live(key) for key in KEYS]


async def test_the_first_thing_a_store_does_may_be_a_read(cluster: list[RedisProcess], store: RedisStore) -> None:
    async with opened(f"redis+cluster://127.0.0.1:{cluster[1].port}") as fresh:
        fresh_reads = [fresh.read(key) for key in KEYS]
        fresh_reads[0].cancel()
        assert [await read for read in fresh_reads[1:]] == [None] * 29
        await create(fresh, KEYS[0], KEYS[0].encode())
        assert await fresh.read(KEYS[0]) == live(KEYS[0])


@pytest.mark.usefixtures("patient_stores")
async def test_after_all_connections_were_killed_the_next_calls_work(
    cluster: list[RedisProcess], store: RedisStore
) -> None:
    for operation in operations(store, KEYS[0]).values():
        await asyncio.gather(*(store.read(key) for key in KEYS), *(store.get(key) for key in KEYS[:8]))
        for node in cluster:
            node.kill_connections()
        await operation()
        assert list(await asyncio.gather(*(store.read(key) for key in KEYS))) == [live(key) for key in KEYS]


@pytest.mark.usefixtures("patient_stores")
async def test_a_slot_that_moves_is_followed_at_every_stage(cluster: list[RedisProcess], store: RedisStore) -> None:
    key = KEYS[0]
    slot, source = key_slot(name(store, key)), cluster[owner(cluster, store, key)]
    target = cluster[(cluster.index(source) + 1) % 3]
    source_id, target_id = (node.ask("CLUSTER", "MYID").decode() for node in (source, target))
    assert await store.read(key) == live(key)

    async def all_is_well(version: int) -> None:
        assert list(await asyncio.gather(*(store.read(other) for other in KEYS[1:]))) == [live(k) for k in KEYS[1:]]
        found = await store.read(key)
        assert isinstance(found, StoredSession)
        assert found.version == version
        assert await store.touch(key, touched_at=1_700_000_000.0, lifetime=LONG)
        assert await store.update(key, key.encode(), version=version)

    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    await all_is_well(1)
    source.ask("MIGRATE", "127.0.0.1", target.port, name(store, key), 0, 5000)
    await all_is_well(2)
    for node in (target, source, *(node for node in cluster if node not in (source, target))):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)
    await all_is_well(3)
    await all_is_well(4)


async def test_a_node_that_hangs_does_not_hold_up_the_sessions_of_the_others(
    cluster: list[RedisProcess], store: RedisStore
) -> None:
    await asyncio.gather(*(store.read(key) for key in KEYS))
    hung = [key for key in KEYS[1:] if owner(cluster, store, key) == 1]
    others = [key for key in KEYS[1:] if owner(cluster, store, key) != 1]
    cluster[1].pause()
    try:
        reads = [store.read(key) for key in hung]
        assert list(await asyncio.gather(*(store.read(key) for key in others))) == [live(key) for key in others]
        assert {await refusal(read) for read in reads} == {"store.timeout"}
        assert await refusal(store.read(hung[0])) == "store.circuit_open"
        assert await refusal(store.get(hung[0])) == "store.circuit_open"
    finally:
        cluster[1].resume()
    for key in hung:
        assert await read_eventually(store, key) == live(key)


async def test_a_cluster_that_is_gone_is_unavailable_and_comes_back() -> None:
    with redis_cluster(dead_after=SHORTLY) as nodes:
        async with opened(f"redis+cluster://127.0.0.1:{nodes[0].port}") as store:
            for node in nodes:
                node.stop()
            for operation in operations(store, KEYS[0]).values():
                assert await refusal(operation()) in {"store.unreachable", "store.circuit_open"}
            for node in nodes:
                node.start()
            assert await eventually(lambda: store.acquire("name", owner=token_hex(), lifetime=LONG))
            for key in KEYS:
                await create(store, key, key.encode())
            assert list(await asyncio.gather(*(store.read(key) for key in KEYS))) == [live(key) for key in KEYS]
            for node in nodes:
                node.stop()
            for read in [store.read(key) for key in KEYS]:
                assert await refusal(read) in {"store.unreachable", "store.circuit_open"}


async def test_a_replica_takes_over_and_nobody_was_logged_out() -> None:
    with redis_cluster(masters=3, replicas=1, dead_after=SHORTLY) as nodes:
        async with opened(f"redis+cluster://127.0.0.1:{nodes[1].port}") as store:
            for key in KEYS:
                await create(store, key, key.encode())
            assert list(await asyncio.gather(*(store.read(key) for key in KEYS))) == [live(key) for key in KEYS]
            lost = [key for key in KEYS if owner(nodes, store, key) == 0]
            kept = next(key for key in KEYS if owner(nodes, store, key) == 1)
            nodes[0].ask("WAIT", 1, 5000)
            nodes[0].stop()
            assert await refusal(store.read(lost[0])) in {"store.unreachable", "store.clusterdown"}
            await until_refused(lambda: store.read(kept), {"store.clusterdown"})
            for key in KEYS:
                assert await read_eventually(store, key) == live(key)
            assert await eventually(lambda: store.update(lost[0], b"second", version=1))
            assert await store.end(lost[0], reason="logout", lifetime=LONG)
            assert await store.read(lost[0]) == Tombstone("logout")
            nodes[0].start()
            for key in lost[1:]:
                assert await read_eventually(store, key) == live(key)


async def test_a_server_that_is_no_cluster_is_unavailable() -> None:
    with redis_server() as server:
        async with opened(f"redis+cluster://127.0.0.1:{server.port}") as store:
            assert await refusal(store.ping()) == "store.unreachable"
            assert await refusal(store.read(KEYS[0])) in {"store.unreachable", "store.circuit_open"}


@pytest.mark.parametrize("turns", range(4))
async def test_closing_before_the_cluster_is_known_tells_all_who_wait(cluster: list[RedisProcess], turns: int) -> None:
    store = RedisStore(f"redis+cluster://127.0.0.1:{cluster[0].port}", namespace="bff:closing", clock=time.time)
    reads = [store.read(key) for key in KEYS]
    for _ in range(turns):
        await asyncio.sleep(0)
    await store.close()
    for read in reads:
        assert await refusal(read) == "store.closed"


async def test_closing_while_redirections_are_followed_tells_all_who_wait(
    cluster: list[RedisProcess], store: RedisStore
) -> None:
    waiting: list[asyncio.Future[object]] = [asyncio.get_running_loop().create_future() for _ in KEYS]
    servers: Any = store._servers
    for key, waiter in zip(KEYS, waiting, strict=True):
        servers._ask(key, [waiter])
    await asyncio.sleep(0)
    await store.close()
    for waiter in waiting:
        assert await refusal(waiter) == "store.closed"


async def test_slots_that_nobody_has_are_unavailable_until_somebody_does() -> None:
    with redis_cluster() as nodes:
        for node in nodes:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        async with opened(f"redis+cluster://127.0.0.1:{nodes[0].port}") as store:
            slot = key_slot(name(store, KEYS[0]))
            for node in nodes:
                node.ask("CLUSTER", "DELSLOTS", slot)
            assert await refusal(store.read(KEYS[0])) == "store.clusterdown"
            assert await refusal(store.acquire(KEYS[0], owner="one", lifetime=LONG)) == "store.clusterdown"
            nodes[0].ask("CLUSTER", "ADDSLOTS", slot)
            nodes[0].ask("CLUSTER", "BUMPEPOCH")
            assert await eventually(lambda: store.acquire(KEYS[0] + "x", owner="one", lifetime=LONG))
            assert await read_eventually(store, KEYS[0]) is None


# --- Sentinel ---


def sentinel_url(watchers: list[RedisProcess]) -> str:
    """Return the URL of the service the Sentinels watch."""
    return f"redis+sentinel://{','.join(f'127.0.0.1:{watcher.port}' for watcher in watchers)}/main"


async def test_when_the_master_dies_the_replica_takes_over_and_nobody_was_logged_out() -> None:
    with redis_sentinels(dead_after=SHORTLY) as (servers, watchers):
        async with opened(sentinel_url(watchers)) as store:
            for key in KEYS:
                await create(store, key, key.encode())
            await store.read(KEYS[0])
            servers[0].ask("WAIT", 1, 5000)
            watchers[0].pause()
            servers[0].stop()
            with contextlib.suppress(StoreUnavailable):
                await store.read(KEYS[0])
            assert await eventually(lambda: store.acquire("name", owner=token_hex(), lifetime=LONG)), (
                "a Sentinel that hangs is passed over"
            )
            for key in KEYS:
                assert await read_eventually(store, key) == live(key)
            servers[0].start()
            watchers[0].resume()
            assert await store.update(KEYS[0], b"second", version=1)
            assert await store.read(KEYS[0]) == StoredSession(2, 1_700_000_000.0, b"second")


def role(server: RedisProcess) -> bytes:
    """What a server says it is; a server that changes its role drops its clients, and then it is nothing yet."""
    try:
        return bytes(server.ask("ROLE")[0])
    except redis.exceptions.ConnectionError:
        return b""


async def test_a_planned_failover_leaves_no_one_reading_from_the_old_master() -> None:
    with redis_sentinels(sentinels=1) as (servers, watchers):
        async with opened(sentinel_url(watchers)) as store:
            await create(store, KEYS[0], KEYS[0].encode())
            assert await store.read(KEYS[0]) == live(KEYS[0])
            wait_until("the failover begins", lambda: watchers[0].ask("SENTINEL", "FAILOVER", "main"))
            deadline = time.monotonic() + 30
            while (role(servers[1]), role(servers[0])) != (b"master", b"slave"):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            assert await eventually(lambda: store.update(KEYS[0], b"second", version=1))
            assert await eventually(lambda: store.read(KEYS[0])) == StoredSession(2, 1_700_000_000.0, b"second")
            clients = [client["name"] for client in servers[0].client().client_list()]
            assert "bff" not in clients


async def test_a_service_the_sentinels_do_not_know_has_no_master() -> None:
    with redis_sentinels(sentinels=1) as (_, watchers):
        async with opened(sentinel_url(watchers).replace("/main", "/other")) as store:
            assert await refusal(store.ping()) == "store.no_master"
            await until_refused(lambda: store.read(KEYS[0]), {"store.no_master"})


async def test_a_server_that_is_master_no_more_is_not_used_though_the_sentinel_names_it() -> None:
    with redis_sentinels(sentinels=1) as (servers, watchers):
        servers[0].ask("REPLICAOF", "127.0.0.1", servers[1].port)
        async with opened(sentinel_url(watchers)) as store:
            assert await refusal(store.get("value")) == "store.readonly"
            await until_refused(lambda: store.read(KEYS[0]), {"store.readonly"})
            servers[0].ask("REPLICAOF", "NO", "ONE")
            assert await eventually(lambda: store.acquire("name", owner=token_hex(), lifetime=LONG))
            assert await eventually(lambda: store.read(KEYS[0])) is None


# --- TLS ---


@pytest.mark.parametrize("topology", ["cluster", "sentinel"])
async def test_servers_of_an_unknown_authority_are_not_talked_to(topology: str) -> None:
    with directory() as path, contextlib.ExitStack() as stack:
        authority, certificate = server_certificate(path, "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if topology == "cluster":
            asked = stack.enter_context(redis_cluster(tls=context))[0]
        else:
            asked = stack.enter_context(redis_sentinels(sentinels=1, tls=context))[1][0]
        assert asked.front is not None
        service = "/main" if topology == "sentinel" else ""
        url = f"rediss+{topology}://127.0.0.1:{asked.front.port}{service}"
        async with opened(url) as store:
            assert await refusal(store.ping()) in {"store.unreachable", "store.no_master"}
            assert await refusal(store.read(KEYS[0])) in {"store.unreachable", "store.no_master", "store.circuit_open"}
            # As when the file of authorities changes while the gateway runs.
            store.trust(authority)
            await eventually(store.ping)
            assert await eventually(lambda: store.read(KEYS[0])) is None
        async with opened(url, ca_file=authority) as store:
            await store.ping()
            assert await store.read(KEYS[0]) is None
