"""Single-flight: once at a time, and nobody's child."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.flights import Flights, finish
from tests.support.virtual_time import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


class Stopped(Exception):
    """What waiters get."""


class Work:
    """Counts how often it is begun; takes a second."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun = 0
        self.done = 0
        self.failure = failure

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await asyncio.sleep(1)
        self.done += 1
        if self.failure is not None:
            raise self.failure
        return number


async def test_all_who_ask_at_once_share_one_outcome() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    assert await asyncio.gather(*(flights.join("key", work) for _ in range(100))) == [1] * 100
    assert work.begun == 1


async def test_different_keys_do_not_wait_for_each_other() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    assert sorted(await asyncio.gather(flights.join("a", work), flights.join("b", work))) == [1, 2]


async def test_after_a_flight_the_next_caller_starts_a_new_one() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    assert await flights.join("key", work) == 1
    assert flights.current("key") is None
    assert await flights.join("key", work) == 2


async def test_a_waiter_that_is_cancelled_takes_nothing_with_it() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    waiters = [asyncio.create_task(flights.join("key", work)) for _ in range(3)]
    await asyncio.sleep(0.5)
    waiters[0].cancel()
    assert await waiters[1] == 1
    assert await waiters[2] == 1
    assert waiters[0].cancelled()
    assert work.begun == 1


async def test_work_is_done_though_everybody_has_left() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    waiter = asyncio.create_task(flights.join("key", work))
    await asyncio.sleep(0.5)
    waiter.cancel()
    await asyncio.sleep(1)
    assert work.done == 1
    assert flights.current("key") is None


async def test_a_failure_reaches_every_waiter_and_is_not_reported_as_lost_if_there_is_none() -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
    flights: Flights[int] = Flights(Stopped)
    outcomes = await asyncio.gather(
        *(flights.join("key", Work(ValueError("no"))) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [ValueError] * 3
    flights.start("key", Work(ValueError("no")))
    await asyncio.sleep(2)
    assert reports == []


async def test_closing_waits_for_what_is_under_way() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    waiter = asyncio.create_task(flights.join("key", work))
    await asyncio.sleep(0)
    await flights.close(5)
    assert await waiter == 1


async def test_closing_does_not_wait_for_ever_and_tells_the_waiters() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    waiter = asyncio.create_task(flights.join("key", work))
    await asyncio.sleep(0)
    await flights.close(0.5)
    with pytest.raises(Stopped):
        await waiter
    assert work.done == 0


async def test_a_caller_that_comes_in_the_very_moment_a_flight_ends_starts_a_new_one() -> None:
    flights: Flights[int] = Flights(Stopped)
    work = Work()
    second: list[asyncio.Task[int]] = []

    async def first() -> int:
        # Runs when the task is done, but before it has been cleaned up.
        asyncio.get_running_loop().call_soon(lambda: second.append(flights.start("key", work)))
        return 0

    assert await flights.join("key", first) == 0
    assert flights.current("key") is second[0]
    assert await second[0] == 1
    assert flights.current("key") is None


async def test_finishing_nothing_takes_no_time() -> None:
    await finish([], 1)
