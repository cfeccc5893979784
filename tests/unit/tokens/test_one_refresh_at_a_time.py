"""Random schedules against a provider that ends a session when a refresh token comes twice."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleet import Fleet
from tests.support.virtual_time import VirtualTimeLoop, clock

LIFETIME = 300.0


async def live_through(seed: int, *, instances: int, rounds: int) -> None:
    """Let a user's calls fall on random instances at random moments around the expiry of every token."""
    chance = random.Random(seed)
    fleet = Fleet(size=instances)
    session = await fleet.log_in(lifetime=LIFETIME)
    for instance in fleet.instances:
        instance.store.latency = lambda: chance.uniform(0, 0.02)
    for round_number in range(1, rounds + 1):
        fleet.double.delay = chance.choice([0, 0.05, 3, 9.5])
        old = (await fleet[0].sessions.resume(session.handle)).record.access_token
        await asyncio.sleep(LIFETIME - chance.uniform(-5, 20))

        async def call(start: float) -> str:
            await asyncio.sleep(start)
            return await chance.choice(fleet.instances).call(session.handle)

        spread = chance.choice([0.0, 0.1, 5.0])
        calls = [asyncio.create_task(call(chance.uniform(0, spread))) for _ in range(chance.randint(1, 60))]
        leaving = [task for task in calls[1:] if chance.random() < 0.3]
        await asyncio.sleep(spread * chance.random())
        for task in leaving:
            task.cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        tokens = {outcome for outcome in outcomes if not isinstance(outcome, asyncio.CancelledError)}
        # While a slow refresh is under way elsewhere, a call may go on with the old token if that is alive.
        assert tokens, outcomes
        assert tokens <= {old.value, fleet.double.latest_access_token}, outcomes
        if not old.is_fresh(clock(), 0):
            assert await fleet[0].call(session.handle) == fleet.double.latest_access_token
        assert fleet.token_requests == round_number
    assert not fleet.double.reuse_detected
    for instance in fleet.instances:
        await instance.tokens.close()
        await instance.provider.close()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), instances=st.integers(1, 3))
def test_every_expiry_costs_exactly_one_refresh_whatever_the_schedule(seed: int, instances: int) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(live_through(seed, instances=instances, rounds=4))
