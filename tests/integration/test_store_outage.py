"""Redis in trouble: what fails, fails at once and says why; nothing is decided about a session; and all comes back."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

import pytest

from bff.errors import StoreUnavailable
from bff.session.store import StoredSession, Tombstone
from bff.stores.redis import RedisStore
from bff.stores.redis_connections import MAXIMUM_CONNECTIONS
from tests.support.redis_servers import (
    RedisProcess,
    Relay,
    directory,
    redis_server,
    relay,
)
from tests.support.server_certificates import server_certificate
from tests.support.store_attempts import (
    KEY,
    LONG,
    OPERATIONS,
    create,
    eventually,
    operations,
    patient_stores,
    refusal,
    until_refused,
)

__all__ = ["patient_stores"]

Result = TypeVar("Result")

LIVE = StoredSession(1, 1_700_000_000.0, b"sealed")


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The product runs on uvloop, whose transports and timers are others than asyncio's."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisProcess]:
    """A server that keeps what it was told when it is started again."""
    with redis_server("--appendonly", "yes", "--appendfsync", "always") as process:
        yield process


@pytest.fixture
def front(server: RedisProcess) -> Iterator[Relay]:
    """A relay in front of the server."""
    with relay(server.host) as front:
        yield front


@contextlib.asynccontextmanager
async def opened(url: str, *, namespace: str | None = None, ca_file: Path | None = None) -> AsyncIterator[RedisStore]:
    """A store that is closed at the end; by default of an application of its own."""
    store = RedisStore(url, namespace=namespace or f"bff:{secrets.token_hex(8)}", ca_file=ca_file, clock=time.time)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(server: RedisProcess) -> AsyncIterator[RedisStore]:
    """A store with one session."""
    async with opened(server.url) as store:
        await create(store)
        yield store


# --- connections that die ---


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_after_all_connections_were_killed_the_next_call_works(
    server: RedisProcess, store: RedisStore, operation: str
) -> None:
    for _ in range(3):
        # Several connections for commands, and the one for reads.
        await asyncio.gather(*(store.get("value") for _ in range(20)), store.read(KEY))
        server.kill_connections()
        await operations(store)[operation]()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_after_a_restart_of_the_server_the_next_call_works(
    server: RedisProcess, store: RedisStore, operation: str
) -> None:
    await asyncio.gather(*(store.get("value") for _ in range(20)), store.read(KEY))
    server.stop()
    server.start()
    await operations(store)[operation]()
    assert await store.read(KEY) is not None, "nobody was logged out"


async def test_calls_under_way_when_connections_die_are_carried_out(front: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        keys = [f"{number:064x}" for number in range(40)]
        for key in keys:
            await create(store, key, key.encode())
        await store.read(KEY)
        front.stall()
        reads = [store.read(key) for key in keys]
        commands = [asyncio.ensure_future(store.touch(key, touched_at=1.0, lifetime=LONG)) for key in keys[:8]]
        await asyncio.sleep(0.1)
        front.close_connections()
        front.flow()
        for key, future in zip(keys, reads, strict=True):
            found = await future
            assert isinstance(found, StoredSession)
            assert found.sealed == key.encode()
        assert await asyncio.gather(*commands) == [True] * 8


async def test_an_answer_that_is_lost_changes_no_outcome(front: Relay) -> None:
    """Every write recognises what it wrote itself, so repeating it is safe and says what the first answer said."""
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        await store.ping()

        async def losing(attempt: Awaitable[Result]) -> Result:
            await eventually(store.ping)
            front.lose_next_reply_to(b"EVAL")
            return await attempt

        await losing(create(store, KEY, b"sealed", "index"))
        assert await store.read(KEY) == LIVE
        assert await losing(store.update(KEY, b"second", version=1)) is True
        assert await store.read(KEY) == StoredSession(2, 1_700_000_000.0, b"second")
        assert await losing(store.touch(KEY, touched_at=1_700_000_001.0, lifetime=LONG)) is True
        await store.end("none", reason="logout", lifetime=LONG)  # from now on the server knows the script
        assert await losing(store.end(KEY, reason="logout", lifetime=LONG)) == StoredSession(0, 0.0, b"")
        assert await store.read(KEY) == Tombstone("logout")
        assert await losing(store.acquire("name", owner=token_hex(), lifetime=LONG)) is True
        assert await losing(store.acquire("name", owner=token_hex(), lifetime=LONG)) is False
        assert await losing(store.acquire("lease", owner="one", lifetime=LONG)) is True
        assert await losing(store.acquire("lease", owner="two", lifetime=LONG)) is False
        await losing(store.release("lease", owner="one"))
        assert await store.get("lease") is None


# --- a server that is gone, or hangs ---


async def test_while_the_server_is_gone_everything_is_unavailable_and_afterwards_the_same_session_works(
    server: RedisProcess, store: RedisStore
) -> None:
    server.stop()
    try:
        for _ in range(2):
            for name, operation in operations(store).items():
                assert await refusal(operation()) in {"store.unreachable", "store.circuit_open"}, name
    finally:
        server.start()
    assert await eventually(lambda: store.read(KEY)) == LIVE
    assert await store.touch(KEY, touched_at=1_700_000_000.0, lifetime=LONG)


async def test_a_server_that_was_never_there_is_unavailable() -> None:
    async with opened("redis://127.0.0.1:1") as store:
        for name, operation in operations(store).items():
            assert await refusal(operation()) in {"store.unreachable", "store.circuit_open"}, name


async def test_a_host_nobody_knows_is_unavailable() -> None:
    async with opened("redis://nowhere.invalid") as store:
        assert await refusal(store.ping()) == "store.unreachable"


async def test_a_hung_server_fails_all_who_wait_together_and_later_callers_at_once(
    server: RedisProcess, front: Relay
) -> None:
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        await create(store)
        await store.read(KEY)
        server.pause()
        try:
            waiting = [store.read(f"{number:064x}") for number in range(500)]
            reasons = {await refusal(future) for future in waiting}
            assert reasons == {"store.timeout"}
            assert await refusal(store.read(KEY)) == "store.circuit_open"
            assert await refusal(store.acquire("name", owner=token_hex(), lifetime=LONG)) == "store.circuit_open"
            await until_refused(lambda: store.read(KEY), {"store.timeout"})
            assert await refusal(store.read(KEY)) == "store.circuit_open", "one probe, and the others need not wait"
            assert front.accepted < 10, "no storm of connections"
        finally:
            server.resume()
        assert await eventually(lambda: store.read(KEY)) == LIVE


async def test_commands_to_a_hung_server_fail_and_open_the_circuit_for_reads_too(
    server: RedisProcess, store: RedisStore
) -> None:
    server.pause()
    try:
        results = await asyncio.gather(*(store.get("value") for _ in range(100)), return_exceptions=True)
        reasons = {error.reason for error in results if isinstance(error, StoreUnavailable)}
        assert len([error for error in results if isinstance(error, StoreUnavailable)]) == 100
        assert reasons <= {"store.timeout", "store.busy", "store.circuit_open"}
        assert await refusal(store.read(KEY)) == "store.circuit_open"
    finally:
        server.resume()
    assert await eventually(lambda: store.read(KEY)) == LIVE


async def test_a_network_that_swallows_everything_is_noticed_on_a_line_that_worked(front: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        await create(store)
        assert await store.read(KEY) == LIVE
        front.stall()
        assert await refusal(store.read(KEY)) == "store.timeout"
        front.flow()
        assert await eventually(lambda: store.read(KEY)) == LIVE


# --- a server that answers with an error ---


async def test_a_server_that_is_loading_says_so() -> None:
    slow_start = ("--key-load-delay", "100000", "--loading-process-events-interval-bytes", "1024")
    with redis_server(*slow_start) as server:
        async with opened(server.url) as store:
            await create(store)
            for number in range(20):
                await create(store, f"{number:064x}", secrets.token_bytes(4096))
            await store.read(KEY)
            server.ask("SAVE")
            server.stop()
            server.start(wait=False)
            await until_refused(lambda: store.read(KEY), {"store.loading"})
            await until_refused(lambda: store.get("value"), {"store.loading"})
            assert await eventually(lambda: store.read(KEY)) == LIVE


async def test_a_server_without_memory_refuses_writes_and_leaves_no_half_session(
    server: RedisProcess, store: RedisStore
) -> None:
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        assert await refusal(create(store, "b" * 64, b"sealed", "index")) == "store.oom"
        assert await refusal(store.update(KEY, b"new", version=1)) == "store.oom"
        assert await store.read("b" * 64) is None
        assert await store.read(KEY) == LIVE, "reading goes on"
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    assert await store.update(KEY, b"new", version=1)


async def test_a_server_without_memory_still_ends_sessions_and_says_why(
    server: RedisProcess, store: RedisStore
) -> None:
    for key in ("c" * 64, "d" * 64):
        await create(store, key, b"sealed", "index")
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        assert await store.end(KEY, reason="logout", lifetime=LONG) == LIVE
        assert await store.end_indexed("index", reason="backchannel_logout", lifetime=LONG) == 2
        assert await store.read(KEY) == Tombstone("logout")
        assert await store.read("c" * 64) == await store.read("d" * 64) == Tombstone("backchannel_logout")
        assert await refusal(store.acquire("name", owner=token_hex(), lifetime=LONG)) == "store.oom", (
            "memory was full all the time"
        )
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    assert await store.end_indexed("index", reason="backchannel_logout", lifetime=LONG) == 0


async def test_a_session_in_use_does_not_expire_while_the_server_is_without_memory(
    server: RedisProcess, store: RedisStore
) -> None:
    await store.touch(KEY, touched_at=1_700_000_000.0, lifetime=1.0)
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        assert await store.touch(KEY, touched_at=1_700_000_001.0, lifetime=LONG)
        assert await refusal(store.acquire("name", owner=token_hex(), lifetime=LONG)) == "store.oom", (
            "memory was full all the time"
        )
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    assert await store.read(KEY) == StoredSession(1, 1_700_000_001.0, LIVE.sealed)
    assert server.ask("PTTL", f"{store._prefix}{KEY}") > 1000


async def test_a_tombstone_that_is_refused_keeps_no_session_alive(server: RedisProcess, store: RedisStore) -> None:
    name = f"{store._prefix}{KEY}"
    server.ask("ACL", "SETUSER", "default", "-set")
    try:
        assert await store.end(KEY, reason="logout", lifetime=LONG) == LIVE
        assert server.ask("EXISTS", name) == 0
    finally:
        server.ask("ACL", "SETUSER", "default", "+set")


async def test_a_replica_refuses_writes_and_one_without_its_master_refuses_reads() -> None:
    with redis_server() as server:
        async with opened(server.url) as store:
            await create(store)
            server.ask("REPLICAOF", "127.0.0.1", "1")
            assert await refusal(store.acquire("name", owner=token_hex(), lifetime=LONG)) == "store.readonly"
            server.ask("CONFIG", "SET", "replica-serve-stale-data", "no")
            assert await refusal(store.read(KEY)) == "store.masterdown"
            server.ask("REPLICAOF", "NO", "ONE")
            assert await store.acquire("name", owner=token_hex(), lifetime=LONG)
            assert await store.read(KEY) == LIVE


async def test_a_server_that_forgot_the_scripts_is_told_them_again(server: RedisProcess, store: RedisStore) -> None:
    for name, operation in operations(store).items():
        server.ask("SCRIPT", "FLUSH")
        await operation()
        assert name in OPERATIONS


async def test_credentials_that_are_missing_or_wrong_or_too_weak_are_told_apart() -> None:
    arguments = ("--requirepass", "right", "--user", "reader", "on", ">reader", "~*", "+get", "+mget", "+client")
    with redis_server(*arguments) as server:
        address = f"127.0.0.1:{server.port}"
        for url, for_reads, for_writes in (
            (f"redis://{address}", "store.noauth", "store.noauth"),
            (f"redis://:wrong@{address}", "store.wrongpass", "store.wrongpass"),
            (f"redis://nobody:right@{address}", "store.wrongpass", "store.wrongpass"),
            (f"redis://reader:reader@{address}", None, "store.noperm"),
        ):
            async with opened(url) as store:
                if for_reads is None:
                    assert await store.read(KEY) is None
                else:
                    await until_refused(lambda store=store: store.read(KEY), {for_reads})  # type: ignore[misc]
                await until_refused(lambda store=store: store.put("x", b"", lifetime=1.0), {for_writes})  # type: ignore[misc]


async def test_a_database_that_does_not_exist_is_refused(server: RedisProcess) -> None:
    async with opened(f"{server.url}/9999") as store:
        assert await refusal(store.ping()) == "store.refused"


async def test_something_else_than_redis_is_refused() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with opened(f"redis://127.0.0.1:{port}") as store:
        assert await refusal(store.ping()) in {"store.refused", "store.unreachable"}
        await until_refused(lambda: store.read(KEY), {"store.refused", "store.unreachable"})
    listener.close()
    await listener.wait_closed()


# --- TLS ---


@contextlib.contextmanager
def tls_front(server: RedisProcess, certified_for: str) -> Iterator[tuple[int, Path]]:
    """Something that ends TLS in front of the server; its port, and the authority's file."""
    with directory() as path:
        authority, certificate = server_certificate(path, certified_for)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with relay(server.host, tls=context) as front:
            yield front.port, authority


async def test_a_server_of_an_unknown_authority_is_not_talked_to(server: RedisProcess) -> None:
    with tls_front(server, "localhost") as (port, _):
        async with opened(f"rediss://localhost:{port}") as store:
            assert await refusal(store.ping()) == "store.tls"
            await until_refused(lambda: store.read(KEY), {"store.tls"})


async def test_a_certificate_for_another_host_is_not_accepted(server: RedisProcess) -> None:
    with tls_front(server, "redis.example") as (port, authority):
        async with opened(f"rediss://localhost:{port}", ca_file=authority) as store:
            assert await refusal(store.ping()) == "store.tls"
            await until_refused(lambda: store.read(KEY), {"store.tls"})
        async with opened(f"rediss://127.0.0.1:{port}", ca_file=authority) as store:
            await store.ping()
            assert await store.read(KEY) is None


async def test_plain_text_to_a_tls_port_is_unavailable(server: RedisProcess) -> None:
    with tls_front(server, "localhost") as (port, _):
        async with opened(f"redis://127.0.0.1:{port}") as store:
            assert await refusal(store.ping()) in {"store.unreachable", "store.refused"}


# --- callers who leave, and many at once ---


async def test_a_storm_of_cancelled_calls_crosses_no_answers_and_leaks_no_connection(front: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        names = [f"{number:064x}" for number in range(50)]
        for name in names:
            await create(store, name, name.encode() * 60)
            await store.put(f"value {name}", name.encode(), lifetime=LONG)

        async def read(name: str) -> None:
            found = await store.read(name)
            assert isinstance(found, StoredSession)
            assert found.sealed == name.encode() * 60

        async def get(name: str) -> None:
            assert await store.get(f"value {name}") == name.encode()

        cancelled = 0
        for round_ in range(40):
            tasks = [asyncio.ensure_future((read, get)[number % 2](name)) for number, name in enumerate(names)]
            for _ in range(round_ % 7):
                await asyncio.sleep(0)
            if round_ % 3 == 0:
                await asyncio.sleep(0.001)
            for number, task in enumerate(tasks):
                if number % 4 != round_ % 4:
                    cancelled += task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        assert cancelled >= 1000
        await asyncio.gather(*(read(name) for name in names), *(get(name) for name in names))
        assert front.accepted <= MAXIMUM_CONNECTIONS + 1


@pytest.mark.usefixtures("patient_stores")
async def test_many_commands_at_once_share_a_few_connections(front: Relay) -> None:
    async with opened(f"redis://127.0.0.1:{front.port}") as store:
        results = await asyncio.gather(
            *(store.acquire(f"name {number % 100}", owner=token_hex(), lifetime=LONG) for number in range(300))
        )
        assert results.count(True) == 100
        assert front.accepted <= MAXIMUM_CONNECTIONS


async def test_a_logout_is_carried_out_though_its_caller_has_left(server: RedisProcess, store: RedisStore) -> None:
    logout = asyncio.ensure_future(store.end(KEY, reason="logout", lifetime=LONG))
    await asyncio.sleep(0)
    logout.cancel()
    with pytest.raises(asyncio.CancelledError):
        await logout
    await store.close()
    async with opened(server.url, namespace=store._prefix[:-1]) as other:
        assert await other.read(KEY) == Tombstone("logout")


async def test_a_command_that_fails_after_its_caller_left_troubles_nobody() -> None:
    async with opened("redis://127.0.0.1:1") as store:
        attempt = asyncio.ensure_future(store.ping())
        await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt


async def test_applications_on_one_server_do_not_see_each_other(server: RedisProcess) -> None:
    async with opened(server.url) as one, opened(server.url) as other:
        await create(one, KEY, b"sealed", "index")
        assert await one.acquire("name", owner=token_hex(), lifetime=LONG)
        assert await other.read(KEY) is None
        assert await other.acquire("name", owner=token_hex(), lifetime=LONG)
        assert await other.end_indexed("index", reason="logout", lifetime=LONG) == 0
        assert await one.read(KEY) == LIVE


async def test_all_keys_begin_with_the_namespace_and_end_by_themselves(server: RedisProcess) -> None:
    namespace = f"bff:{secrets.token_hex(8)}"
    before = set(server.ask("KEYS", "*"))
    async with opened(server.url, namespace=namespace) as store:
        await create(store, KEY, b"sealed", "index")
        await store.acquire("claim", owner=token_hex(), lifetime=LONG)
        await store.put("value", b"", lifetime=LONG)
        await store.acquire("lease", owner="one", lifetime=LONG)
        await store.end(KEY, reason="logout", lifetime=LONG)
    written = set(server.ask("KEYS", "*")) - before
    assert len(written) == 5
    for key in written:
        assert key.startswith(namespace.encode() + b":")
        assert 0 < server.ask("PTTL", key) <= LONG * 1000
