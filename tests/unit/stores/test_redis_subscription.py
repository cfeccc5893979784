"""A listener is told when it hears nothing, whatever the reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.stores.redis_connections import OpenConnection
from bff.stores.redis_subscription import REFUSED_PAUSE, RETRY_PAUSE, Subscription
from tests.support.heard_endings import HeardEndings
from tests.support.virtual_time import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


@pytest.mark.parametrize(
    "failure, reason, pause",
    [
        (ConnectionRefusedError(), "store.unreachable", RETRY_PAUSE),
        (TimeoutError(), "store.timeout", RETRY_PAUSE),
        (IndexError("no node"), "store.protocol", REFUSED_PAUSE),
    ],
)
async def test_every_failure_is_told_and_followed_by_another_attempt_after_a_pause(
    failure: Exception, reason: str, pause: float
) -> None:
    attempts: list[float] = []
    loop = asyncio.get_running_loop()

    async def connect() -> OpenConnection:
        attempts.append(loop.time())
        raise failure

    heard = HeardEndings()
    subscription = Subscription(connect, "channel", heard)
    await asyncio.sleep(2.5 * pause)
    await subscription.close()
    assert heard.changes == [reason]
    assert [later - attempts[0] for later in attempts] == pytest.approx([0, pause, 2 * pause])
