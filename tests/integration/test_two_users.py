"""Two users, thousands of interleaved calls, cancellations among them: nobody ever gets the other's token or answer."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import httpx2
import pytest

from tests.support.processes import GatewayServer, start_gateway, start_provider, start_timesheets, start_valkey
from tests.support.raw_call import RawCall
from tests.support.sign_in import sign_in

CALLS = 1500


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayServer]:
    with ExitStack() as stack:
        valkey = stack.enter_context(start_valkey())
        provider = stack.enter_context(start_provider())
        timesheets = stack.enter_context(start_timesheets(provider))
        yield stack.enter_context(start_gateway(provider, timesheets.url, valkey.url))


@pytest.fixture
async def users(gateway: GatewayServer) -> AsyncIterator[tuple[httpx2.AsyncClient, httpx2.AsyncClient]]:
    alice, bob = await sign_in(gateway, "alice"), await sign_in(gateway, "bob")
    yield alice, bob
    await alice.aclose()
    await bob.aclose()


async def subjects_of(users: tuple[httpx2.AsyncClient, httpx2.AsyncClient]) -> list[str]:
    subjects = [(await browser.get("/bff/session")).json()["claims"]["sub"] for browser in users]
    assert subjects[0] != subjects[1]
    return subjects


async def whoami(browser: httpx2.AsyncClient, limit: asyncio.Semaphore) -> str:
    async with limit:
        answer = await browser.get("/api/whoami")
        assert answer.status_code == 200, answer.text
        subject: str = answer.json()["sub"]
        return subject


async def test_every_call_carries_its_owners_token(users: tuple[httpx2.AsyncClient, httpx2.AsyncClient]) -> None:
    limit = asyncio.Semaphore(40)
    subjects = await subjects_of(users)
    owners = [random.randrange(2) for _ in range(CALLS)]
    answers = await asyncio.gather(*(whoami(users[owner], limit) for owner in owners))
    assert answers == [subjects[owner] for owner in owners]


async def call_and_perhaps_leave(gateway: GatewayServer, browser: httpx2.AsyncClient) -> str | None:
    """Return who the API says is calling, or None where the browser left before it knew."""
    with await RawCall.start(browser, f"{gateway.url}/api/whoami") as call, contextlib.suppress(TimeoutError):
        status, body = await asyncio.wait_for(call.answer(), random.uniform(0, 0.05))
        assert status == 200
        subject: bytes = re.findall(rb'"sub": ?"([^"]+)"', body)[0]
        return subject.decode()
    return None


async def test_a_thousand_cancelled_calls_cross_no_answers(
    gateway: GatewayServer, users: tuple[httpx2.AsyncClient, httpx2.AsyncClient]
) -> None:
    subjects = await subjects_of(users)
    left = 0
    while left < 1000:
        answers = await asyncio.gather(*(call_and_perhaps_leave(gateway, users[number % 2]) for number in range(50)))
        left += answers.count(None)
        assert all(answer in (None, subjects[number % 2]) for number, answer in enumerate(answers))
    limit = asyncio.Semaphore(40)
    whole = await asyncio.gather(*(whoami(users[number % 2], limit) for number in range(200)))
    assert whole == [subjects[number % 2] for number in range(200)]
