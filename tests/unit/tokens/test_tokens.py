"""The access token for a call: refreshed once, for everybody, and never at the cost of the session."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.errors import (
    NoSession,
    ProviderUnavailable,
    SessionEnded,
    SessionExpired,
)
from tests.support.fleet import Fleet
from tests.support.virtual_time import EPOCH, clock, virtual_time

DUE = 250.0
"""Seconds after which a token of 300 seconds is due, but alive."""
DEAD = 301.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


# --- which token a call gets ---


@pytest.mark.parametrize(
    ("lifetime", "fresh_until"),
    [(3600.0, 3540.0), (300.0, 240.0), (90.0, 60.0), (3.0, 2.0)],
)
async def test_a_token_is_due_a_minute_before_it_expires_or_a_third_of_its_life(
    lifetime: float, fresh_until: float
) -> None:
    fleet = Fleet()
    session = await fleet.log_in(lifetime=lifetime)
    assert fleet[0].tokens.held(session, EPOCH + fresh_until - 0.5) == session.record.access_token
    assert fleet[0].tokens.held(session, EPOCH + fresh_until + 0.5) is None


async def test_a_token_of_unknown_lifetime_is_never_due() -> None:
    fleet = Fleet()
    session = await fleet.log_in(lifetime=None)
    assert fleet[0].tokens.held(session, EPOCH + 1e6) is not None


async def test_without_a_refresh_token_the_token_is_used_to_its_last_second_and_then_the_session_has_expired() -> None:
    fleet = Fleet()
    session = await fleet.log_in(refresh_token=None)
    assert fleet[0].tokens.held(session, EPOCH + 299) is not None
    await asyncio.sleep(DEAD)
    with pytest.raises(SessionExpired):
        await fleet[0].tokens.access_token(session)
    assert fleet.token_requests == 0


async def test_a_fresh_token_costs_nothing() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    before = fleet[0].store.calls.total()
    assert await fleet[0].tokens.access_token(session) == (session, session.record.access_token)
    assert fleet[0].store.calls.total() == before
    assert fleet.token_requests == 0


async def test_a_token_that_is_due_is_renewed_and_the_record_written() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    renewed, token = await fleet[0].tokens.access_token(session)
    stored = (await fleet[0].sessions.resume(session.handle)).record
    assert token == stored.access_token == renewed.record.access_token
    assert token.value != "access-0"
    assert token.expires_at == EPOCH + DUE + 300
    assert token.scope == ("openid", "read:timesheets")
    assert stored.refresh_token != session.record.refresh_token
    assert stored.refreshed_at == EPOCH + DUE
    assert stored.id_token != "id-token-0"
    assert stored.claims["name"] == "Ada"
    assert fleet[0].outcomes == ["refreshed"]


async def test_what_the_answer_leaves_out_stays_as_it_was() -> None:
    fleet = Fleet()
    fleet.double.rotates = fleet.double.with_id_token = False
    fleet.double.lifetime = None
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    renewed, token = await fleet[0].tokens.access_token(session)
    assert renewed.record.refresh_token == session.record.refresh_token
    assert renewed.record.id_token == "id-token-0"
    assert token.expires_at == EPOCH + DUE + 300


# --- once ---


async def test_two_hundred_calls_on_three_instances_make_one_token_request() -> None:
    fleet = Fleet(size=3)
    fleet.double.delay = 3.0
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    tokens = await asyncio.gather(*(fleet[n % 3].call(session.handle) for n in range(200)))
    assert len(set(tokens)) == 1
    assert tokens[0] != "access-0"
    assert fleet.token_requests == 1


async def test_a_provider_just_within_its_timeout_is_waited_for_by_all_instances() -> None:
    fleet = Fleet(size=3)
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.delay = 9.9
    tokens = await asyncio.gather(*(fleet[n % 3].call(session.handle) for n in range(30)))
    assert len(set(tokens)) == 1
    assert fleet.token_requests == 1


async def test_a_call_with_an_old_copy_reads_again_before_it_refreshes() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    _, token = await fleet[0].tokens.access_token(session)
    assert (await fleet[0].tokens.access_token(session))[1] == token
    assert (await fleet[1].tokens.access_token(session))[1] == token
    assert fleet.token_requests == 1


async def test_sessions_do_not_wait_for_each_other() -> None:
    fleet = Fleet()
    fleet.double.delay = 3.0
    sessions = [await fleet.log_in() for _ in range(20)]
    await asyncio.sleep(DEAD)
    before = clock()
    tokens = await asyncio.gather(*(fleet[0].call(session.handle) for session in sessions))
    assert clock() - before == pytest.approx(3.0)
    assert len(set(tokens)) == 20


async def test_browsers_that_leave_do_not_stop_the_refresh() -> None:
    fleet = Fleet()
    fleet.double.delay = 3.0
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    calls = [asyncio.create_task(fleet[0].call(session.handle)) for _ in range(10)]
    await asyncio.sleep(1)
    for call in calls:
        call.cancel()
    await asyncio.sleep(3)
    assert all(call.cancelled() for call in calls)
    stored = (await fleet[0].sessions.resume(session.handle)).record
    assert stored.access_token.value != "access-0"
    assert fleet.token_requests == 1


async def test_the_lease_is_given_back_so_that_the_next_refresh_need_not_wait() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    for round_number in range(1, 4):
        await asyncio.sleep(DUE)
        before = clock()
        await fleet[round_number % 2].call(session.handle)
        assert clock() == before
        assert fleet.token_requests == round_number
    assert not fleet.double.reuse_detected


# --- logout ---


async def test_a_refresh_in_flight_does_not_undo_a_logout_and_its_tokens_are_revoked() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.delay = 3.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    await fleet[1].sessions.end(session.key, "logout")
    with pytest.raises(SessionEnded):
        await call
    with pytest.raises(SessionEnded):
        await fleet[1].sessions.resume(session.handle)
    fleet.double.delay = 0
    await fleet[0].provider.close()
    assert len(fleet.double.revoked) == 2
    assert fleet.double.revoked[0].startswith("refresh-")
    assert fleet.double.revoked[0] != session.record.refresh_token
    assert fleet.double.revoked[1].startswith("access-")


async def test_a_session_that_was_ended_before_its_refresh_began_is_not_refreshed() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    await fleet[0].sessions.end(session.key, "logout")
    with pytest.raises(SessionEnded):
        await fleet[0].tokens.access_token(session)
    assert fleet.token_requests == 0


async def test_a_record_that_was_changed_meanwhile_keeps_the_change_and_gets_the_tokens() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.delay = 3.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    await fleet.change_claims(session.handle, note="changed")
    token = await call
    stored = (await fleet[0].sessions.resume(session.handle)).record
    assert stored.claims["note"] == "changed"
    assert stored.access_token.value == token != "access-0"


# --- shutdown ---


async def test_closing_waits_for_refreshes_and_for_their_tokens_to_be_kept() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.delay = 5.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    await fleet[0].tokens.close()
    assert await call == (await fleet[0].sessions.resume(session.handle)).record.access_token.value


async def test_closing_does_not_wait_for_ever_and_calls_get_an_answer() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    await fleet.memory.acquire(f"refresh:{session.key}", owner="stuck", lifetime=3600)
    call = asyncio.create_task(fleet[0].call(session.handle))
    forced = asyncio.create_task(fleet[0].tokens.refresh_now(session))
    await asyncio.sleep(1)
    before = clock()
    await fleet[0].tokens.close()
    assert clock() - before <= 20
    for waiting in (call, forced):
        with pytest.raises((ProviderUnavailable, NoSession)):
            await waiting
