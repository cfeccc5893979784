"""Shares of the connections to the provider: a place at a time, and not for ever in the queue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.errors import ProviderBusy
from bff.provider.shares import AUTHORIZATION_REQUESTS, CODES, MAX_CONNECTIONS, PATIENCE, REVOCATIONS, Share
from tests.support.virtual_time import clock, virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


async def work(share: Share, seconds: float) -> float:
    async with share:
        await asyncio.sleep(seconds)
        return clock()


async def test_no_more_than_its_places_are_taken_at_a_time() -> None:
    share, now = Share(2), clock()
    ended_at = await asyncio.gather(*(work(share, 10) for _ in range(5)))
    assert [round(moment - now) for moment in ended_at] == [10, 10, 20, 20, 30]


async def test_who_waits_too_long_is_told_to_try_again() -> None:
    share = Share(1, patience=PATIENCE)
    first = asyncio.create_task(work(share, 10))
    await asyncio.sleep(0)
    with pytest.raises(ProviderBusy) as caught:
        await work(share, 0)
    assert (caught.value.reason, caught.value.retry_after, caught.value.status) == ("provider.busy", PATIENCE, 503)
    await first
    await work(share, 0)


async def test_who_fails_or_leaves_gives_the_place_back() -> None:
    share = Share(1, patience=PATIENCE)
    with pytest.raises(ZeroDivisionError):
        async with share:
            raise ZeroDivisionError
    for _ in range(2):
        leaving = asyncio.create_task(work(share, 10))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
    await work(share, 0)


def test_the_shares_leave_connections_for_refreshes() -> None:
    assert MAX_CONNECTIONS - AUTHORIZATION_REQUESTS - CODES - REVOCATIONS >= 30
