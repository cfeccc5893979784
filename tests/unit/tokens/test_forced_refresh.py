"""A refresh that is asked for, with the claims read again."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from bff.errors import (
    ProviderUnavailable,
    SessionEnded,
    SessionExpired,
)
from bff.session.store import Tombstone
from tests.support.fleet import Fleet
from tests.support.virtual_time import clock, virtual_time

DUE = 250.0
"""Seconds after which a token of 300 seconds is due, but alive."""
DEAD = 301.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


async def test_a_forced_refresh_renews_a_fresh_token_and_reads_the_claims_again() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.userinfo = {"sub": "user-1", "name": "Countess"}
    refreshed = await fleet[0].tokens.refresh_now(session)
    assert refreshed.record.access_token.value != "access-0"
    assert refreshed.record.claims == {"sub": "user-1", "name": "Countess"}
    assert (await fleet[0].sessions.resume(session.handle)).record == refreshed.record


async def test_forced_refreshes_that_come_together_are_one() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.delay = 1.0
    refreshed = await asyncio.gather(*(fleet[0].tokens.refresh_now(session) for _ in range(50)))
    assert len({result.record.access_token.value for result in refreshed}) == 1
    assert fleet.token_requests == 1


async def test_forced_refreshes_on_several_instances_come_one_after_the_other() -> None:
    fleet = Fleet(size=3)
    session = await fleet.log_in()
    fleet.double.delay = 1.0
    await asyncio.gather(*(instance.tokens.refresh_now(session) for instance in fleet.instances))
    assert fleet.token_requests == 3
    assert not fleet.double.reuse_detected


async def test_a_forced_refresh_waits_for_one_elsewhere_though_its_token_is_alive() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in(lifetime=3600)
    fleet.double.delay = 4.0  # twice: once for the tokens, once for the claims
    first = asyncio.create_task(fleet[0].tokens.refresh_now(session))
    await asyncio.sleep(0.1)
    second = await fleet[1].tokens.refresh_now(session)
    assert second.record.access_token.value != (await first).record.access_token.value
    assert fleet.token_requests == 2


async def test_a_forced_refresh_does_not_take_the_answer_of_a_refresh_that_began_before_it() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.delay = 1.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(0.5)
    refreshed = await fleet[0].tokens.refresh_now(session)
    assert refreshed.record.access_token.value != await call
    assert fleet.token_requests == 2


async def test_a_call_elsewhere_goes_on_with_the_new_token_while_a_forced_refresh_still_reads_claims() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.delay = 2.0
    refresh = asyncio.create_task(fleet[0].tokens.refresh_now(session))
    await asyncio.sleep(1)
    before = clock()
    token = await fleet[1].call(session.handle)
    assert clock() - before < 2
    assert token == (await refresh).record.access_token.value


async def test_calls_that_need_a_token_join_a_forced_refresh() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.delay = 1.0
    refresh = asyncio.create_task(fleet[0].tokens.refresh_now(session))
    await asyncio.sleep(0.5)
    token = await fleet[0].call(session.handle)
    assert token == (await refresh).record.access_token.value
    assert fleet.token_requests == 1


async def test_without_a_refresh_token_a_forced_refresh_reads_the_claims() -> None:
    fleet = Fleet()
    session = await fleet.log_in(refresh_token=None)
    fleet.double.userinfo = {"sub": "user-1", "name": "Countess"}
    refreshed = await fleet[0].tokens.refresh_now(session)
    assert refreshed.record.claims["name"] == "Countess"
    assert refreshed.record.access_token.value == "access-0"
    assert await fleet[0].tokens.refresh_now(refreshed) == refreshed
    await asyncio.sleep(DEAD)
    with pytest.raises(SessionExpired):
        await fleet[0].tokens.refresh_now(session)
    assert fleet.token_requests == 0


async def test_a_forced_refresh_that_fails_says_so_and_leaves_the_session_as_it_was() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    with pytest.raises(ProviderUnavailable):
        await fleet[0].tokens.refresh_now(session)
    with pytest.raises(ProviderUnavailable) as caught:
        await fleet[0].tokens.refresh_now(session)
    assert caught.value.reason == "refresh.paused"
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet.token_requests == 1


async def test_claims_about_somebody_else_end_the_session() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.userinfo = {"sub": "user-2"}
    with pytest.raises(SessionEnded):
        await fleet[0].tokens.refresh_now(session)
    assert isinstance(await fleet.memory.read(session.key), Tombstone)


async def test_claims_that_cannot_be_read_do_not_lose_the_new_tokens() -> None:
    fleet = Fleet(userinfo="on")
    session = await fleet.log_in()
    fleet.double.overrides["/userinfo"] = lambda request: httpx2.Response(503)
    with pytest.raises(ProviderUnavailable):
        await fleet[0].tokens.refresh_now(session)
    stored = (await fleet[0].sessions.resume(session.handle)).record
    assert stored.access_token.value != "access-0"


async def test_a_logout_while_claims_are_read_wins() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.userinfo = {"sub": "user-1", "name": "Countess"}
    fleet.double.delay = 2.0
    refresh = asyncio.create_task(fleet[0].tokens.refresh_now(session))
    await asyncio.sleep(3)
    await fleet[0].sessions.end(session.key, "logout")
    with pytest.raises(SessionEnded):
        await refresh
