"""What real servers tell of themselves: one, a cluster, Sentinels, a unix socket, TLS, and what is no Redis."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bff.errors import StoreUnavailable
from bff.stores.inspection import SLOTS, StoreFacts, inspect_store
from bff.stores.redis_address import Topology
from tests.support.processes import ValkeyRunner, start_valkey
from tests.support.redis_servers import directory, redis_cluster, redis_sentinels, relay
from tests.support.server_certificates import server_certificate


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyRunner]:
    with start_valkey(unix_socket=True) as server:
        yield server


async def inspected(url: str, ca_file: Path | None = None) -> StoreFacts:
    return await inspect_store(url, ca_file=ca_file, clock=time.time)


async def refusal(url: str, ca_file: Path | None = None) -> str:
    with pytest.raises(StoreUnavailable) as raised:
        await inspected(url, ca_file)
    return raised.value.reason


async def test_a_server_tells_what_it_is(valkey: ValkeyRunner) -> None:
    facts = await inspected(valkey.url)
    assert (facts.topology, facts.is_tls, facts.hosts) == (Topology.SERVER, False, ("127.0.0.1",))
    (server,) = facts.servers
    assert server.name == f"127.0.0.1:{valkey.port}"
    assert server.product == "Valkey"
    assert server.version is not None
    assert server.version[0].isdigit()
    assert server.eviction == "noeviction"
    assert server.max_memory is not None
    assert server.clock_offset is not None
    assert abs(server.clock_offset) < 30
    assert (server.keeps_log, server.snapshots, server.has_password) == (False, False, False)


async def test_persistence_is_told() -> None:
    with start_valkey(durable=True, save="60 1") as server:
        (facts,) = (await inspected(server.url)).servers
    assert (facts.keeps_log, facts.snapshots) == (True, True)


async def test_a_unix_socket_is_named_by_its_path(valkey: ValkeyRunner) -> None:
    path = valkey.log_path.parent / "valkey.sock"
    facts = await inspected(f"unix://{path}")
    assert facts.servers[0].name == str(path)
    assert facts.hosts == (str(path),)


async def test_tls_is_verified(valkey: ValkeyRunner) -> None:
    with directory() as path:
        authority, certificate = server_certificate(path, "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with relay(("127.0.0.1", valkey.port), tls=context) as front:
            url = f"rediss://localhost:{front.port}"
            facts = await inspected(url, authority)
            assert await refusal(url) == "store.tls"
    assert facts.is_tls
    assert facts.servers[0].product == "Valkey"


async def test_a_cluster_is_asked_node_by_node() -> None:
    with redis_cluster(masters=3) as nodes:
        first, second, third = nodes
        url = f"redis+cluster://127.0.0.1:{first.port},127.0.0.1:{second.port}"
        facts = await inspected(url)
        assert [server.name for server in facts.servers] == sorted(f"127.0.0.1:{node.port}" for node in nodes)
        assert (facts.slots, facts.unreachable) == (SLOTS, ())
        third.stop()
        second.stop()
        broken = await inspected(url)
        assert [server.name for server in broken.servers] == [f"127.0.0.1:{first.port}"]
        # One that is named in the URL and in the cluster is told once.
        assert sorted(broken.unreachable) == sorted(
            (f"127.0.0.1:{node.port}", "store.unreachable") for node in (second, third)
        )
        first.stop()
        assert await refusal(url) == "store.unreachable"


async def test_sentinels_are_asked_one_by_one() -> None:
    password = "password-of-the-master"
    with redis_sentinels(password=password) as ((master, _), watchers):
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
        url = f"redis+sentinel://:{password}@{hosts}/main/2"
        facts = await inspected(url)
        assert [server.name for server in facts.servers] == [f"127.0.0.1:{master.port}"]
        assert facts.masters == (f"127.0.0.1:{master.port}",) * 3
        assert facts.servers[0].has_password
        assert await refusal(url.replace("/main/2", "/other")) == "store.no_master"
        watchers[0].stop()
        facts = await inspected(url)
        assert len(facts.masters) == 2
        assert facts.unreachable == ((f"127.0.0.1:{watchers[0].port}", "store.unreachable"),)


@asynccontextmanager
async def pretender(answers: dict[bytes, bytes], other: bytes) -> AsyncIterator[int]:
    """A server that gives canned answers to commands by name, and `other` to all else; its port."""

    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        while line := await reader.readline():
            parts = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(size + 2))[:-2])
            writer.write(answers.get(parts[0].upper(), other))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*(task for task in serving if task is not None), return_exceptions=True)


OK = {b"CLIENT": b"+OK\r\n", b"SELECT": b"+OK\r\n"}
UNKNOWN = b"-ERR unknown command\r\n"


async def test_a_server_that_tells_nothing_is_reached_all_the_same() -> None:
    async with pretender(OK, UNKNOWN) as port:
        (facts,) = (await inspected(f"redis://127.0.0.1:{port}")).servers
    assert (facts.product, facts.version, facts.eviction, facts.max_memory) == (None, None, None, None)
    assert (facts.keeps_log, facts.snapshots, facts.clock_offset) == (None, None, None)


async def test_a_server_whose_settings_alone_are_told_is_judged_by_them() -> None:
    reply = b"*2\r\n$16\r\nmaxmemory-policy\r\n$11\r\nallkeys-lru\r\n"
    async with pretender({**OK, b"CONFIG": reply}, UNKNOWN) as port:
        (facts,) = (await inspected(f"redis://127.0.0.1:{port}")).servers
    assert facts.eviction == "allkeys-lru"


@pytest.mark.parametrize("time_told", [b"*2\r\n+so\r\n+on\r\n", b"*0\r\n", b":1\r\n"])
async def test_what_answers_strangely_is_no_store(time_told: bytes) -> None:
    async with pretender({**OK, b"TIME": time_told}, UNKNOWN) as port:
        assert await refusal(f"redis://127.0.0.1:{port}") == "store.protocol"


@pytest.mark.parametrize("master", [b"*1\r\n+here\r\n", b"*2\r\n+here\r\n+there\r\n", b":7\r\n"])
async def test_a_sentinel_that_answers_strangely_is_no_sentinel(master: bytes) -> None:
    async with pretender({**OK, b"SENTINEL": master}, UNKNOWN) as port:
        assert await refusal(f"redis+sentinel://127.0.0.1:{port}/main") == "store.protocol"


@pytest.mark.parametrize("slots", [b"*1\r\n*1\r\n:7\r\n", b"+none\r\n"])
async def test_a_cluster_that_answers_strangely_is_no_store(slots: bytes) -> None:
    async with pretender({**OK, b"CLUSTER": slots}, UNKNOWN) as port:
        assert await refusal(f"redis+cluster://127.0.0.1:{port}") == "store.protocol"


async def test_a_node_without_an_address_is_the_one_that_was_asked() -> None:
    async with pretender(dict(OK), UNKNOWN) as data:
        slots = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:%d\r\n" % data
        async with pretender({**OK, b"CLUSTER": slots}, UNKNOWN) as seed:
            facts = await inspected(f"redis+cluster://127.0.0.1:{seed}")
    assert [server.name for server in facts.servers] == [f"127.0.0.1:{data}"]
    assert facts.slots == SLOTS
