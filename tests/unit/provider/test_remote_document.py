"""A document of the provider: fetched once, kept, old rather than absent, never a storm."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bff.errors import InvalidProviderAnswer, ProviderUnavailable
from bff.provider.remote_document import FAILURE_MEMORY, RELOAD_WINDOW, RemoteDocument
from tests.support.virtual_time import EPOCH, clock, virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


class Source:
    """Numbers its versions; takes a second; fails while `failure` is set."""

    def __init__(self) -> None:
        self.fetches = 0
        self.failure: Exception | None = None

    async def __call__(self) -> str:
        self.fetches += 1
        await asyncio.sleep(1)
        if self.failure is not None:
            raise self.failure
        return f"version-{self.fetches}"


def document(source: Source, *, lifetime: float = 600, max_age: float = 86400) -> RemoteDocument[str]:
    return RemoteDocument("document", source, lifetime=lifetime, max_age=max_age, clock=clock)


async def test_it_is_fetched_once_for_all_who_ask_and_then_kept() -> None:
    source = Source()
    remote = document(source)
    assert await asyncio.gather(*(remote.get() for _ in range(50))) == ["version-1"] * 50
    assert await remote.get() == "version-1"
    assert source.fetches == 1


async def test_after_its_lifetime_it_is_fetched_in_the_background_and_nobody_waits() -> None:
    source = Source()
    remote = document(source)
    await remote.get()
    await asyncio.sleep(601)
    before = asyncio.get_running_loop().time()
    assert [await remote.get() for _ in range(5)] == ["version-1"] * 5
    assert asyncio.get_running_loop().time() == before
    await asyncio.sleep(1.1)
    assert await remote.get() == "version-2"
    assert source.fetches == 2


async def test_the_old_version_is_given_out_while_the_fetch_fails_and_the_failure_is_not_a_storm() -> None:
    source = Source()
    remote = document(source)
    await remote.get()
    source.failure = ProviderUnavailable("provider.connect")
    await asyncio.sleep(601)
    for _ in range(100):
        assert await remote.get() == "version-1"
        await asyncio.sleep(0.1)
    # Ten seconds of calls; every attempt takes one and is remembered for two.
    assert source.fetches <= 1 + 10 / (1 + FAILURE_MEMORY) + 1
    assert remote.failure is source.failure
    source.failure = None
    await asyncio.sleep(5)
    await remote.get()
    await asyncio.sleep(1.1)
    assert await remote.get() != "version-1"
    assert remote.failure is None


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="bff")
    source = Source()
    remote = document(source)
    source.failure = ProviderUnavailable("provider.connect")
    for _ in range(5):
        with pytest.raises(ProviderUnavailable):
            await remote.get()
        await asyncio.sleep(FAILURE_MEMORY)
    source.failure = None
    await remote.get()
    assert caplog.messages == ["document.fetch_failed", "document.fetched_again"]


async def test_a_version_past_its_greatest_age_is_not_given_out_any_more() -> None:
    source = Source()
    remote = document(source)
    await remote.get()
    await asyncio.sleep(86401)
    source.failure = ProviderUnavailable("provider.connect")
    with pytest.raises(ProviderUnavailable):
        await remote.get()
    source.failure = None
    await asyncio.sleep(FAILURE_MEMORY)
    assert await remote.get() == "version-3"


@pytest.mark.parametrize("kind", [ProviderUnavailable, InvalidProviderAnswer])
async def test_a_failure_answers_for_all_for_a_moment_and_then_the_next_attempt_is_made(
    kind: type[ProviderUnavailable | InvalidProviderAnswer],
) -> None:
    source = Source()
    source.failure = kind("metadata.issuer")
    remote = document(source)
    outcomes = await asyncio.gather(*(remote.get() for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {kind}
    with pytest.raises(kind) as caught:
        await remote.get()
    assert caught.value.reason == "metadata.issuer"
    assert caught.value is not source.failure
    assert source.fetches == 1
    source.failure = None
    await asyncio.sleep(FAILURE_MEMORY)
    assert await remote.get() == "version-2"


async def test_a_caller_that_leaves_does_not_end_the_fetch_for_others() -> None:
    remote = document(Source())
    leaving = asyncio.create_task(remote.get())
    await asyncio.sleep(0.5)
    leaving.cancel()
    assert await remote.get() == "version-1"


async def test_a_thousand_searches_for_something_newer_make_one_fetch_per_window() -> None:
    source = Source()
    remote = document(source)
    seen = await remote.get()
    for _ in range(1000):
        await remote.newer_than(seen if remote.latest is None else remote.latest, patient=False)
    assert source.fetches == 2
    await asyncio.sleep(RELOAD_WINDOW)
    await asyncio.gather(*(remote.newer_than(remote.latest or "", patient=False) for _ in range(1000)))
    assert source.fetches == 3


async def test_who_has_an_older_version_gets_the_latest_without_a_fetch() -> None:
    source = Source()
    remote = document(source)
    first = await remote.get()
    second = await remote.newer_than(first, patient=False)
    assert await remote.newer_than(first, patient=False) is second
    assert source.fetches == 2


async def test_who_cannot_wait_gets_the_version_they_have_while_the_window_is_closed() -> None:
    source = Source()
    remote = document(source)
    second = await remote.newer_than(await remote.get(), patient=False)
    assert await remote.newer_than(second, patient=False) is second
    assert source.fetches == 2


async def test_who_can_wait_gets_a_newer_version_when_the_window_opens_all_by_one_fetch() -> None:
    source = Source()
    remote = document(source)
    second = await remote.newer_than(await remote.get(), patient=False)
    before = clock()
    newer = await asyncio.gather(*(remote.newer_than(second, patient=True) for _ in range(10)))
    assert newer == ["version-3"] * 10
    assert RELOAD_WINDOW - 1 <= clock() - before <= RELOAD_WINDOW + 1
    assert source.fetches == 3


async def test_a_failed_search_keeps_what_there_was() -> None:
    source = Source()
    remote = document(source)
    seen = await remote.get()
    source.failure = ProviderUnavailable("provider.connect")
    with pytest.raises(ProviderUnavailable):
        await remote.newer_than(seen, patient=False)
    assert await remote.newer_than(seen, patient=False) is seen
    assert await remote.get() is seen


async def test_a_clock_that_is_set_back_freezes_nothing() -> None:
    source = Source()
    now = [EPOCH]
    remote: RemoteDocument[str] = RemoteDocument("document", source, lifetime=600, max_age=86400, clock=lambda: now[0])
    seen = await remote.get()
    await remote.newer_than(seen, patient=False)
    now[0] -= 3600
    assert await remote.get() == "version-2"
    await asyncio.sleep(1.1)
    assert await remote.get() == "version-3"
    await asyncio.sleep(1.1)
    assert await remote.newer_than(remote.latest or "", patient=False) == "version-4"


async def test_nor_does_it_keep_a_failure() -> None:
    source = Source()
    now = [EPOCH]
    remote: RemoteDocument[str] = RemoteDocument("document", source, lifetime=600, max_age=86400, clock=lambda: now[0])
    source.failure = ProviderUnavailable("provider.connect")
    with pytest.raises(ProviderUnavailable):
        await remote.get()
    source.failure = None
    now[0] -= 3600
    assert await remote.get() == "version-2"


async def test_closing_cancels_a_fetch_under_way() -> None:
    remote = document(Source())
    waiter = asyncio.create_task(remote.get())
    await asyncio.sleep(0.5)
    await remote.close()
    with pytest.raises(ProviderUnavailable):
        await waiter
