"""Tokens while the store is away, or while an instance that has died holds the lease."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.errors import (
    ProviderUnavailable,
    SessionEnded,
    StoreUnavailable,
)
from bff.session.store import Tombstone
from bff.tokens.turn import LEASE_LIFETIME, WAIT_FOR_PEER, WAIT_WHILE_ALIVE
from bff.tokens.writer import SAVE_TIMEOUT
from tests.support.fleet import Fleet
from tests.support.virtual_time import clock, virtual_time

DUE = 250.0
"""Seconds after which a token of 300 seconds is due, but alive."""
DEAD = 301.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


# --- the store is away ---


async def test_tokens_the_store_does_not_take_are_served_from_memory_and_written_when_it_is_back() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.delay = 3.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    for instance in fleet.instances:
        instance.store.down = True
    token = await call
    assert token != "access-0"
    assert (await fleet[0].tokens.access_token(session))[1].value == token
    assert (await fleet[0].tokens.refresh_now(session)).record.access_token.value == token
    await asyncio.sleep(LEASE_LIFETIME + 10)
    for instance in fleet.instances:
        instance.store.down = False
    await asyncio.sleep(1.5)
    assert await fleet[1].call(session.handle) == token
    assert fleet.token_requests == 1
    await asyncio.sleep(DUE)
    assert await fleet[1].call(session.handle) != token
    assert not fleet.double.reuse_detected


async def test_while_one_instance_cannot_write_its_tokens_no_other_uses_the_spent_refresh_token() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in(lifetime=1000)
    await asyncio.sleep(941)

    async def fail() -> None:
        raise StoreUnavailable("store.oom")

    fleet[0].store.before["update"] = fail
    token = await fleet[0].call(session.handle)
    for seconds in (0.05, LEASE_LIFETIME, 10):
        await asyncio.sleep(seconds)
        assert await fleet[1].call(session.handle) == "access-0"
    assert fleet.token_requests == 1
    del fleet[0].store.before["update"]
    await asyncio.sleep(1.5)
    assert await fleet[1].call(session.handle) == token
    assert not fleet.double.reuse_detected


async def test_the_lease_of_tokens_that_are_not_yet_written_is_not_given_back_when_the_store_fails_once_more() -> None:
    """It may fail when asked for the lease and be back when the next thing is asked."""
    fleet = Fleet(size=2)
    session = await fleet.log_in(lifetime=1000)
    await asyncio.sleep(941)

    async def fail() -> None:
        raise StoreUnavailable("store.timeout")

    fleet[0].store.before["update"] = fail
    await fleet[0].call(session.handle)
    fleet[0].store.before["acquire"] = fail
    await asyncio.sleep(5)
    assert await fleet.memory.get(f"refresh:{session.key}") is not None
    assert await fleet[1].call(session.handle) == "access-0"
    assert fleet.token_requests == 1


async def test_an_update_whose_answer_was_lost_is_recognised_and_nothing_is_asked_twice() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet[0].store.losing = ["update"]
    token = await fleet[0].call(session.handle)
    await asyncio.sleep(1)
    stored = (await fleet[0].sessions.resume(session.handle)).record
    assert stored.access_token.value == token
    assert fleet.token_requests == 1
    await asyncio.sleep(DUE)
    await fleet[0].call(session.handle)
    assert not fleet.double.reuse_detected


async def test_a_logout_during_the_outage_wins_over_tokens_kept_in_memory() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.delay = 3.0
    call = asyncio.create_task(fleet[0].tokens.access_token(session))
    await asyncio.sleep(1)
    fleet[0].store.down = True
    fleet.double.delay = 0
    assert (await call)[1].value != "access-0"
    await fleet.memory.end(session.key, reason="logout", lifetime=60)
    fleet[0].store.down = False
    await asyncio.sleep(5)
    with pytest.raises(SessionEnded):
        await fleet[0].call(session.handle)
    await fleet[0].provider.close()
    assert len(fleet.double.revoked) == 2


async def test_tokens_are_not_kept_in_memory_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.delay = 3.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    fleet[0].store.down = True
    await call
    await asyncio.sleep(SAVE_TIMEOUT + 5)
    assert "refresh.tokens_lost" in caplog.text
    fleet[0].store.down = False
    await asyncio.sleep(DUE)
    with pytest.raises(SessionEnded):
        await fleet[0].call(session.handle)


async def test_a_record_that_changes_faster_than_it_can_be_written_does_not_lose_the_tokens() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)

    async def change() -> None:
        stored = await fleet.memory.read(session.key)
        assert stored is not None
        assert not isinstance(stored, Tombstone)
        await fleet.memory.update(session.key, stored.sealed, version=stored.version)

    fleet[0].store.before["update"] = change
    token = await fleet[0].call(session.handle)
    assert token != "access-0"
    fleet[0].store.before.clear()
    await asyncio.sleep(2)
    assert (await fleet[0].sessions.resume(session.handle)).record.access_token.value == token
    assert fleet.token_requests == 1


async def test_without_the_store_nothing_is_refreshed_and_a_living_token_is_used() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet[0].store.down = True
    assert (await fleet[0].tokens.access_token(session))[1].value == "access-0"
    await asyncio.sleep(DEAD - DUE)
    with pytest.raises(StoreUnavailable):
        await fleet[0].tokens.access_token(session)
    assert fleet.token_requests == 0


async def test_a_lease_whose_answer_was_lost_is_given_back() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet[0].store.losing = ["acquire"]
    with pytest.raises(StoreUnavailable):
        await fleet[0].tokens.access_token(session)
    before = clock()
    assert await fleet[0].call(session.handle) != "access-0"
    assert clock() == before


# --- another instance has the lease ---


async def test_while_a_dead_instance_holds_the_lease_a_living_token_is_used_after_a_short_wait() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    await fleet.memory.acquire(f"refresh:{session.key}", owner="dead", lifetime=LEASE_LIFETIME)
    before = clock()
    assert await fleet[0].call(session.handle) == "access-0"
    assert WAIT_WHILE_ALIVE <= clock() - before <= WAIT_WHILE_ALIVE + 1
    before = clock()
    assert await fleet[0].call(session.handle) == "access-0"
    assert clock() == before
    await asyncio.sleep(LEASE_LIFETIME)
    assert await fleet[0].call(session.handle) != "access-0"


async def test_a_call_that_went_on_with_its_token_waits_for_the_peer_when_that_token_has_died() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DEAD - 7)
    fleet.double.delay = 9.0
    slow = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(0)
    assert await fleet[1].call(session.handle) == "access-0"
    await asyncio.sleep(1.5)
    assert await fleet[1].call(session.handle) == await slow != "access-0"
    assert fleet.token_requests == 1


async def test_a_forced_refresh_waits_for_a_peer_though_its_token_is_alive() -> None:
    fleet = Fleet()
    session = await fleet.log_in(lifetime=None)
    await fleet.memory.acquire(f"refresh:{session.key}", owner="dead", lifetime=LEASE_LIFETIME)
    refreshed = await fleet[0].tokens.refresh_now(session)
    assert refreshed.record.access_token.value != "access-0"
    assert clock() - session.record.created_at >= LEASE_LIFETIME


async def test_while_a_dead_instance_holds_the_lease_a_call_without_a_token_waits_for_the_lease_to_end() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    await fleet.memory.acquire(f"refresh:{session.key}", owner="dead", lifetime=LEASE_LIFETIME)
    before = clock()
    assert await fleet[0].call(session.handle) != "access-0"
    assert LEASE_LIFETIME <= clock() - before <= LEASE_LIFETIME + 1


async def test_nobody_waits_longer_than_the_deadline() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    await fleet.memory.acquire(f"refresh:{session.key}", owner="stuck", lifetime=3600)
    before = clock()
    with pytest.raises(ProviderUnavailable) as caught:
        await fleet[0].call(session.handle)
    assert caught.value.reason == "refresh.held_elsewhere"
    assert WAIT_FOR_PEER <= clock() - before <= WAIT_FOR_PEER + 1
    assert fleet.token_requests == 0


async def test_a_holder_that_died_after_the_answer_costs_one_login_and_no_storm() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    await fleet[0].provider.refresh(session.record)
    outcomes = await asyncio.gather(*(fleet[0].call(session.handle) for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {SessionEnded}
    with pytest.raises(SessionEnded):
        await fleet[0].call(session.handle)
    assert fleet.token_requests == 2
