"""A Redis whose memory is full refuses logins, and ends sessions as ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import redis

from tests.support.processes import (
    GatewayServer,
    ProviderServer,
    ValkeyRunner,
    start_gateway,
    start_provider,
    start_timesheets,
    start_valkey,
)
from tests.support.sign_in import NAVIGATION, sign_in


@dataclass
class Stage:
    """A gateway and what it depends on."""

    provider: ProviderServer
    valkey: ValkeyRunner
    gateway: GatewayServer

    @contextmanager
    def full_store(self) -> Iterator[None]:
        """Leave the store without memory meanwhile."""
        with redis.Redis(port=self.valkey.port, protocol=2) as server:
            server.config_set("maxmemory", "1")
            try:
                yield
                with pytest.raises(redis.exceptions.OutOfMemoryError):
                    server.set("anything", "at all")
            finally:
                server.config_set("maxmemory", "0")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        valkey = stack.enter_context(start_valkey())
        provider = stack.enter_context(start_provider())
        timesheets = stack.enter_context(start_timesheets(provider))
        gateway = stack.enter_context(start_gateway(provider, timesheets.url, valkey.url))
        yield Stage(provider, valkey, gateway)


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    browser = await sign_in(stage.gateway, "alice")
    yield browser
    await browser.aclose()


async def code_of_a_call(browser: httpx2.AsyncClient) -> tuple[int, Any]:
    answer = await browser.get("/api/timesheets")
    return answer.status_code, answer.json().get("code")


async def test_a_logout_works(stage: Stage, browser: httpx2.AsyncClient) -> None:
    cookies = dict(browser.cookies)
    with stage.full_store():
        assert (await browser.get("/api/timesheets")).status_code == 200
        answer = await browser.post("/bff/logout")
        assert (answer.status_code, "logout_url" in answer.json()) == (200, True)
        browser.cookies.update(cookies)
        assert await code_of_a_call(browser) == (401, "session_ended")


async def test_the_provider_ends_sessions_and_is_told_to_try_again(stage: Stage, browser: httpx2.AsyncClient) -> None:
    subject = (await browser.get("/bff/session")).json()["claims"]["sub"]
    stage.provider.clear_log()
    with stage.full_store():
        stage.provider.control(backchannel_logout={"sub": subject})
        assert await code_of_a_call(browser) == (401, "session_ended")
    sent = [event for event in stage.provider.log()["events"] if event["event"] == "backchannel_logout"]
    assert [event["status"] for event in sent] == [400]


async def test_a_login_is_refused_for_the_moment(stage: Stage) -> None:
    async with httpx2.AsyncClient(trust_env=False, base_url=stage.gateway.url, headers=NAVIGATION) as client:
        begun = await client.get("/bff/login?login_hint=alice")
        back = (await client.get(begun.headers["location"])).headers["location"]
        with stage.full_store():
            assert (await client.get(back)).status_code == 503
        assert (await client.get(back)).status_code == 303
