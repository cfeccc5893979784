"""A store that may throw sessions away is told of at the start, and nothing else about it stops or delays one."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bff.app import create_app
from bff.gateway import Gateway
from bff.stores import eviction
from bff.stores.eviction import warn_of_eviction
from tests.support.provider_double import ProviderDouble
from tests.support.provider_settings import provider_settings
from tests.support.redis_servers import RedisProcess, redis_cluster, redis_server, relay


@pytest.fixture(scope="module")
def server() -> Iterator[RedisProcess]:
    with redis_server() as process:
        yield process


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="bff")
    return caplog


def said(log: pytest.LogCaptureFixture) -> list[tuple[str, str, Any]]:
    """Return what was logged of the look at the store: level, event and reason."""
    return [
        (record.levelname, record.msg, vars(record)["event_fields"].get("reason"))
        for record in log.records
        # Whether a gateway hears of endings is another matter.
        if record.msg.startswith("store.") and record.msg != "store.endings_unheard"
    ]


async def look(url: str) -> None:
    await warn_of_eviction(url, ca_file=None, clock=time.time)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "volatile-random"])
async def test_a_policy_that_may_evict_is_warned_of(
    server: RedisProcess, log: pytest.LogCaptureFixture, policy: str
) -> None:
    server.ask("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", policy)
    await look(server.url)
    assert said(log) == [("WARNING", "store.may_evict", None)]
    fields = vars(log.records[-1])["event_fields"]
    assert (fields["store"], fields["variable"]) == (f"127.0.0.1:{server.port}", "BFF_REDIS_URL")


@pytest.mark.parametrize(("memory", "policy"), [("100mb", "noeviction"), ("0", "allkeys-lru")])
async def test_what_evicts_nothing_is_not_mentioned(
    server: RedisProcess, log: pytest.LogCaptureFixture, memory: str, policy: str
) -> None:
    server.ask("CONFIG", "SET", "maxmemory", memory, "maxmemory-policy", policy)
    await look(server.url)
    assert said(log) == []


async def test_every_master_of_a_cluster_is_looked_at(log: pytest.LogCaptureFixture) -> None:
    with redis_cluster() as nodes:
        nodes[1].ask("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
        await look(f"redis+cluster://127.0.0.1:{nodes[0].port}")
    assert said(log) == [("WARNING", "store.may_evict", None)]


async def test_a_server_that_tells_the_gateway_nothing_is_no_warning(log: pytest.LogCaptureFixture) -> None:
    user = ("--user", "bff", "on", ">secret", "~*", "+@all", "-info", "-config")
    with redis_server(*user) as server:
        await look(f"redis://bff:secret@127.0.0.1:{server.port}")
    assert said(log) == [("DEBUG", "store.not_inspected", "store.policy_unknown")]


async def test_a_server_that_is_not_there_is_no_warning(log: pytest.LogCaptureFixture) -> None:
    await look("redis://127.0.0.1:1")
    assert said(log) == [("DEBUG", "store.not_inspected", "store.unreachable")]


async def test_a_server_that_does_not_answer_is_given_up(
    server: RedisProcess, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "LIMIT", 0.1)
    with relay(server.host) as front:
        front.stall()
        await look(f"redis://127.0.0.1:{front.port}")
        front.flow()
    assert said(log) == [("DEBUG", "store.not_inspected", "store.timeout")]


@asynccontextmanager
async def started(url: str) -> AsyncIterator[Gateway]:
    gateway = create_app(
        provider_settings(redis_url=url, secret_keys="k" * 43),
        clock=time.time,
        random_bytes=secrets.token_bytes,
        provider_transport=ProviderDouble(clock=time.time).transport,
    )
    gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


async def test_the_gateway_looks_when_it_starts(server: RedisProcess, log: pytest.LogCaptureFixture) -> None:
    server.ask("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
    async with started(server.url) as gateway:
        (looking,) = gateway._looking
        await looking
    assert said(log) == [("WARNING", "store.may_evict", None)]


async def test_a_gateway_that_stops_does_not_wait_for_the_look(
    server: RedisProcess, log: pytest.LogCaptureFixture
) -> None:
    with relay(server.host) as front:
        front.stall()
        async with started(f"redis://127.0.0.1:{front.port}"):
            await asyncio.sleep(0.05)
        front.flow()
    assert said(log) == []
