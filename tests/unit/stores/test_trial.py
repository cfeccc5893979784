"""One session's life, tried: every step that fails is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bff.errors import StoreUnavailable
from bff.stores.memory import MemoryStore
from bff.stores.trial import LIFETIME, TrialFailed, try_store
from tests.support.clock import Clock

STEPS = {
    "create": "write a session",
    "read": "read it",
    "update": "replace it",
    "touch": "extend it",
    "put": "keep a value",
    "get": "keep a value",
    "acquire": "take a lease",
    "release": "take a lease",
    "end_indexed": "end all sessions of a user",
}


async def test_a_store_that_does_all_passes_and_nothing_of_it_lasts() -> None:
    clock = Clock()
    store = MemoryStore(clock)
    assert await try_store(store, clock=clock) >= 0
    clock.advance(LIFETIME)
    await try_store(store, clock=clock)


@pytest.mark.parametrize("method,step", STEPS.items())
async def test_a_step_that_fails_is_named_with_the_reason(
    method: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(Clock())

    async def refuse(*arguments: Any, **options: Any) -> None:
        raise StoreUnavailable("store.noperm")

    monkeypatch.setattr(store, method, refuse)
    with pytest.raises(TrialFailed) as raised:
        await try_store(store, clock=Clock())
    assert (raised.value.step, raised.value.reason) == (step, "store.noperm")


def _nothing() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


async def _false() -> bool:
    return False


async def _true() -> bool:
    return True


async def _none_ended() -> int:
    return 0


@pytest.mark.parametrize(
    "method,lie,step",
    [
        ("read", _nothing, "read it"),
        ("update", _false, "replace it"),
        ("update", _true, "read it again"),
        ("touch", _false, "extend it"),
        ("get", _nothing, "keep a value"),
        ("acquire", _true, "take a lease"),
        ("acquire", _false, "take a lease"),
        ("end_indexed", _none_ended, "end all sessions of a user"),
    ],
)
async def test_a_store_that_forgets_or_makes_up_is_found_out(
    method: str, lie: Callable[[], Any], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(Clock())
    monkeypatch.setattr(store, method, lambda *arguments, **options: lie())
    with pytest.raises(TrialFailed) as raised:
        await try_store(store, clock=Clock())
    assert (raised.value.step, raised.value.reason) == (step, "store.inconsistent")
