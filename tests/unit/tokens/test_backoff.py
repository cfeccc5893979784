"""When the provider is not asked: pauses of a session, and the breaker of a process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.stores.memory import MemoryStore
from bff.tokens import backoff
from bff.tokens.backoff import ProviderBreaker, RefreshPauses
from tests.support.virtual_time import EPOCH, clock, virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


async def test_a_pause_is_known_where_it_began_and_found_elsewhere() -> None:
    store = MemoryStore(clock)
    here, there = RefreshPauses(store, clock=clock), RefreshPauses(store, clock=clock)
    await here.begin("key", 5.0)
    assert here.known("key") == 5.0
    assert there.known("key") == 0.0
    await asyncio.sleep(2)
    assert await there.left("key") == pytest.approx(3.0)
    assert there.known("key") == pytest.approx(3.0)
    assert await there.left("other") == 0.0
    await asyncio.sleep(3.1)
    assert here.known("key") == there.known("key") == 0.0
    assert await there.left("key") == 0.0


async def test_clocks_that_differ_neither_end_a_pause_nor_make_it_endless() -> None:
    store = MemoryStore(clock)
    await RefreshPauses(store, clock=clock).begin("key", 5.0)
    ahead = RefreshPauses(store, clock=lambda: EPOCH + 3600)
    behind = RefreshPauses(store, clock=lambda: EPOCH - 3600)
    assert await ahead.left("key") == 1.0
    assert await behind.left("key") == 60.0


async def test_the_memory_of_pauses_is_bounded_and_what_it_forgets_the_store_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "_MAX_REMEMBERED", 10)
    pauses = RefreshPauses(MemoryStore(clock), clock=clock)
    for number in range(25):
        await pauses.begin(f"key-{number}", 5.0)
    assert sum(pauses.known(f"key-{number}") > 0 for number in range(25)) <= 10
    assert await pauses.left("key-0") == 5.0


async def test_after_failures_in_a_row_one_attempt_passes_at_a_time_until_one_succeeds() -> None:
    breaker = ProviderBreaker(clock=clock, threshold=3, pause=2.0)
    for _ in range(3):
        assert breaker.enter() == 0.0
        breaker.failed()
    assert breaker.enter() == 2.0
    await asyncio.sleep(1.5)
    assert breaker.enter() == pytest.approx(0.5)
    await asyncio.sleep(0.5)
    assert breaker.enter() == 0.0
    assert breaker.enter() == 2.0
    breaker.succeeded()
    assert breaker.enter() == 0.0


async def test_a_clock_that_is_set_back_does_not_keep_a_process_from_asking() -> None:
    now = [1000.0]
    breaker = ProviderBreaker(clock=lambda: now[0], threshold=1, pause=2.0)
    breaker.failed()
    now[0] -= 3600
    assert breaker.enter() == 0.0
    assert breaker.enter() == 2.0


async def test_failures_with_an_answer_between_them_do_not_add_up() -> None:
    breaker = ProviderBreaker(clock=clock, threshold=2, pause=2.0)
    for _ in range(10):
        breaker.failed()
        breaker.succeeded()
    assert breaker.enter() == 0.0


@pytest.mark.parametrize("planted", [b"", b"planted", b"nan", b"inf", b"1e999", b"\xff"])
async def test_what_is_no_pause_leaves_a_session_alone_for_no_longer_than_a_pause(planted: bytes) -> None:
    store = MemoryStore(clock)
    await store.put("refresh-pause:key", planted, lifetime=3600)
    pauses = RefreshPauses(store, clock=clock)
    assert 0.0 <= await pauses.left("key") <= 60.0
