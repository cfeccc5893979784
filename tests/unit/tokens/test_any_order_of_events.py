"""Random schedules of everything that changes a session's tokens, with a store in trouble, and a logout."""

from __future__ import annotations

import asyncio
import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.errors import ProviderUnavailable, SessionEnded, StoreUnavailable
from bff.session.store import Tombstone
from bff.settings.token_target import TokenTarget
from bff.tokens.turn import LEASE_LIFETIME
from tests.support.fleet import Fleet, Instance
from tests.support.virtual_time import VirtualTimeLoop, clock

TARGETS = (
    None,
    TokenTarget(resource="https://reports.example/"),
    TokenTarget(resource="https://billing.example/"),
    TokenTarget(audience="prices", is_exchanged=True),
)
LOST = ("acquire", "get", "put", "read", "release", "update")
USERS, AT_MOST = 6, 900.0
LONGEST_OUTAGE = 12.0
"""Seconds; with the provider's longest answer that is less than a lease lives."""


async def live_through(seed: int) -> None:
    """Let calls, forced refreshes and other changes fall together until the user logs out."""
    chance = random.Random(seed)
    fleet = Fleet(size=3)
    session = await fleet.log_in()
    has_outages, loses_answers, is_over = chance.random() < 0.5, chance.random() < 0.5, False
    for instance in fleet.instances:
        instance.store.latency = lambda: chance.uniform(0, 0.5)

    async def once(instance: Instance) -> None:
        match chance.random():
            case dice if dice < 0.1:
                await instance.tokens.refresh_now(await instance.sessions.resume(session.handle))
            case dice if dice < 0.15:
                found = await instance.sessions.resume(session.handle)
                claims = {**found.record.claims, "name": str(dice)}
                await instance.sessions.replace(found, msgspec.structs.replace(found.record, claims=claims))
            case _:
                found = await instance.sessions.resume(session.handle)
                _, token = await instance.tokens.access_token(found, chance.choice(TARGETS))
                assert token.is_fresh(clock(), 0)

    async def use() -> None:
        while not is_over:
            instance = chance.choice(fleet.instances)
            fleet.double.delay = chance.uniform(0, 5)
            try:
                await once(instance)
            except (ProviderUnavailable, StoreUnavailable):
                pass
            except SessionEnded:
                assert is_over
            if has_outages and not is_over and chance.random() < 0.06:
                instance.store.down = True
                over = chance.uniform(1, LONGEST_OUTAGE)
                asyncio.get_running_loop().call_later(over, setattr, instance.store, "down", False)
            if loses_answers and chance.random() < 0.05:
                instance.store.losing = [chance.choice(LOST)]
            await asyncio.sleep(chance.uniform(0, 60))

    users = [asyncio.create_task(use()) for _ in range(USERS)]
    await asyncio.sleep(chance.uniform(50, AT_MOST))
    is_over = True
    await asyncio.sleep(LONGEST_OUTAGE)
    for instance in fleet.instances:
        instance.store.losing = []
    last = await fleet[0].sessions.end_presented(session.handle, "logout")
    assert last is not None, "nothing but the logout ends the session"
    fleet[0].provider.revoke_all_later(last)
    await asyncio.gather(*users)
    await asyncio.sleep(LEASE_LIFETIME)
    for instance in fleet.instances:
        await instance.tokens.close()
        await instance.provider.close(60)
    assert isinstance(await fleet.memory.read(session.key), Tombstone)
    assert not fleet.double.reuse_detected
    assert set(fleet.double._live) <= set(fleet.double.revoked), "what the provider gave last is revoked"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_refresh_token_is_used_twice_no_session_ends_but_by_logout_and_none_of_its_tokens_outlives_that(
    seed: int,
) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(live_through(seed))
