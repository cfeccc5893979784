"""One refresh per session over tasks, processes and instances, against strict rotation with reuse detection.

Three gateway processes share one Valkey. The provider ends a whole token family when a refresh token comes twice, so
a single superfluous refresh shows as a lost session.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.support.processes import (
    GatewayServer,
    ProviderServer,
    Server,
    ValkeyRunner,
    start_gateway,
    start_provider,
    start_timesheets,
    start_valkey,
)
from tests.support.raw_call import RawCall
from tests.support.sign_in import SAME_ORIGIN, sign_in

SHORT = 3
"""Seconds that a short-lived access token lives: it is refreshed a third of that early."""


@dataclass
class Fleet:
    """Three instances behind one origin, and what they depend on."""

    provider: ProviderServer
    timesheets: Server
    valkey: ValkeyRunner
    gateways: list[GatewayServer]
    browsers: list[httpx2.AsyncClient] = field(default_factory=list)

    async def sign_in(self, username: str, number: int = 0) -> httpx2.AsyncClient:
        """Return a browser that is signed in through one of the instances."""
        browser = await sign_in(self.gateways[number], username)
        self.browsers.append(browser)
        return browser

    async def sign_in_shortly(self, username: str) -> httpx2.AsyncClient:
        """Return a browser whose access token needs to be refreshed; the next one lives long."""
        self.provider.control(access_token_lifetime=SHORT)
        browser = await self.sign_in(username)
        self.provider.control(access_token_lifetime=300)
        await asyncio.sleep(SHORT)
        self.provider.clear_log()
        return browser

    async def call(self, browser: httpx2.AsyncClient, number: int) -> httpx2.Response:
        """Make a call at one of the instances."""
        gateway = self.gateways[number % len(self.gateways)]
        return await browser.get(f"{gateway.url}/api/timesheets")

    async def call_all(self, browser: httpx2.AsyncClient, count: int) -> Counter[int]:
        """Make calls at all instances at once; return how many answers had which status."""
        answers = await asyncio.gather(*(self.call(browser, number) for number in range(count)))
        return Counter(answer.status_code for answer in answers)

    def counts(self) -> dict[str, int]:
        """Return what the provider counted since the last sign-in."""
        counts: dict[str, int] = self.provider.log()["counts"]
        return counts


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with ExitStack() as stack:
        valkey = stack.enter_context(start_valkey(durable=True))
        provider = stack.enter_context(start_provider())
        timesheets = stack.enter_context(start_timesheets(provider))
        first = stack.enter_context(start_gateway(provider, timesheets.url, valkey.url))
        others = [
            stack.enter_context(start_gateway(provider, timesheets.url, valkey.url, public_url=first.public_url))
            for _ in range(2)
        ]
        yield Fleet(provider, timesheets, valkey, [first, *others])


@pytest.fixture(autouse=True)
async def undisturbed(fleet: Fleet) -> AsyncIterator[None]:
    yield
    fleet.provider.undisturb("/token")
    for browser in fleet.browsers:
        await browser.aclose()
    fleet.browsers.clear()


async def test_two_hundred_calls_at_expiry_make_one_token_request(fleet: Fleet) -> None:
    browser = await fleet.sign_in_shortly("alice")
    assert await fleet.call_all(browser, 200) == {200: 200}
    assert fleet.counts()["token_requests"] == 1
    assert fleet.counts()["refresh_token_reuse"] == 0


async def test_a_provider_that_takes_three_seconds_is_asked_once_and_everybody_waits(fleet: Fleet) -> None:
    browser = await fleet.sign_in_shortly("alice")
    fleet.provider.disturb("/token", delay=3.0)
    assert await fleet.call_all(browser, 200) == {200: 200}
    assert fleet.counts()["token_requests"] == 1


async def test_sessions_of_two_users_are_refreshed_independently(fleet: Fleet) -> None:
    fleet.provider.control(access_token_lifetime=SHORT)
    alice = await fleet.sign_in("alice")
    bob = await fleet.sign_in("bob", 1)
    fleet.provider.control(access_token_lifetime=300)
    await asyncio.sleep(SHORT)
    fleet.provider.clear_log()
    both = await asyncio.gather(fleet.call_all(alice, 60), fleet.call_all(bob, 60))
    assert [dict(statuses) for statuses in both] == [{200: 60}, {200: 60}]
    assert fleet.counts()["token_requests"] == 2


async def test_refreshes_follow_one_another_with_the_rotated_token(fleet: Fleet) -> None:
    fleet.provider.control(access_token_lifetime=SHORT)
    browser = await fleet.sign_in("alice")
    fleet.provider.clear_log()
    for number in range(3):
        await asyncio.sleep(SHORT)
        assert (await fleet.call(browser, number)).status_code == 200
    fleet.provider.control(access_token_lifetime=300)
    assert fleet.counts()["refreshes_ok"] == 3
    assert fleet.counts()["refresh_token_reuse"] == 0


async def test_a_browser_that_leaves_during_the_refresh_does_not_stop_it(fleet: Fleet) -> None:
    browser = await fleet.sign_in_shortly("alice")
    fleet.provider.disturb("/token", hold=True)
    with await RawCall.start(browser, f"{fleet.gateways[0].url}/api/timesheets"):
        await until(lambda: fleet.counts()["token_requests"] == 1)
    fleet.provider.undisturb("/token")
    assert (await fleet.call(browser, 1)).status_code == 200
    assert fleet.counts()["token_requests"] == 1


async def test_a_refresh_in_flight_does_not_undo_a_logout(fleet: Fleet) -> None:
    browser = await fleet.sign_in_shortly("alice")
    cookies = dict(browser.cookies)
    fleet.provider.disturb("/token", hold=True)
    calls = [asyncio.create_task(fleet.call(browser, number)) for number in range(6)]
    await until(lambda: fleet.counts()["token_requests"] == 1)
    logout = await browser.post(
        f"{fleet.gateways[1].url}/bff/logout", headers={**SAME_ORIGIN, "Accept": "application/json"}
    )
    assert logout.status_code == 200
    fleet.provider.undisturb("/token")
    statuses = {(await call).status_code for call in calls}
    assert statuses == {401}
    for gateway in fleet.gateways:
        async with httpx2.AsyncClient(cookies=cookies, headers=SAME_ORIGIN, trust_env=False) as captured:
            answer = await captured.get(f"{gateway.url}/api/timesheets")
            assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
            assert (await captured.get(f"{gateway.url}/bff/session")).json()["authenticated"] is False
    # The tokens that came too late are given back.
    await until(lambda: fleet.counts()["revocations"] >= 1)


async def test_a_captured_cookie_is_worth_nothing_after_logout_on_any_instance(fleet: Fleet) -> None:
    browser = await fleet.sign_in("bob")
    cookies = dict(browser.cookies)
    assert (await fleet.call(browser, 0)).status_code == 200
    await browser.post(f"{fleet.gateways[0].url}/bff/logout", headers={**SAME_ORIGIN, "Accept": "application/json"})
    for gateway in fleet.gateways:
        async with httpx2.AsyncClient(cookies=cookies, headers=SAME_ORIGIN, trust_env=False) as captured:
            assert (await captured.get(f"{gateway.url}/api/timesheets")).status_code == 401


async def test_a_back_channel_logout_at_one_instance_ends_the_session_on_all(fleet: Fleet) -> None:
    browser = await fleet.sign_in("alice")
    bystander = await fleet.sign_in("bob")
    session = (await browser.get(f"{fleet.gateways[2].url}/bff/session")).json()
    fleet.provider.control(backchannel_logout={"sub": session["claims"]["sub"]})
    for number in range(3):
        answer = await fleet.call(browser, number)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
        assert (await fleet.call(bystander, number)).status_code == 200
    again = await fleet.sign_in("alice", 1)
    assert (await fleet.call(again, 0)).status_code == 200


async def test_a_provider_outage_before_expiry_is_invisible_and_after_it_a_503_that_passes(fleet: Fleet) -> None:
    fleet.provider.control(access_token_lifetime=6)
    browser = await fleet.sign_in("alice")
    fleet.provider.control(access_token_lifetime=300)
    fleet.provider.disturb("/token", status=500)
    await asyncio.sleep(4.5)
    assert (await fleet.call(browser, 0)).status_code == 200, "the token still lives: only its margin has begun"
    await asyncio.sleep(2)
    answer = await fleet.call(browser, 1)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "set-cookie" not in answer.headers
    fleet.provider.undisturb("/token")
    for _ in range(60):
        answer = await fleet.call(browser, 2)
        if answer.status_code == 200:
            break
        await asyncio.sleep(0.5)
    assert answer.status_code == 200, "the session was kept"


async def test_a_refused_refresh_token_ends_the_session_and_nothing_else_does(fleet: Fleet) -> None:
    browser = await fleet.sign_in_shortly("alice")
    fleet.provider.disturb("/token", status=400, body='{"error":"invalid_grant"}', times=2)
    answer = await fleet.call(browser, 0)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
    assert (await browser.get(f"{fleet.gateways[1].url}/bff/session")).json()["authenticated"] is False


async def test_a_store_outage_is_a_503_that_keeps_cookie_and_session(fleet: Fleet) -> None:
    browser = await fleet.sign_in("alice")
    fleet.valkey.kill()
    try:
        for number in range(6):
            answer = await fleet.call(browser, number)
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert "set-cookie" not in answer.headers
        answer = await browser.get(f"{fleet.gateways[0].url}/bff/session")
        assert (answer.status_code, "set-cookie" in answer.headers) == (503, False)
        ready = await browser.get(f"{fleet.gateways[0].url}/readyz")
        assert ready.status_code == 503
    finally:
        fleet.valkey.start()
    for number in range(3):
        for _ in range(60):
            answer = await fleet.call(browser, number)
            if answer.status_code == 200:
                break
            await asyncio.sleep(0.25)
        assert answer.status_code == 200, "the same session works again"


async def test_a_store_that_hangs_fails_calls_and_recovers(fleet: Fleet) -> None:
    browser = await fleet.sign_in("alice")
    fleet.valkey.pause()
    try:
        statuses = await fleet.call_all(browser, 30)
        assert statuses == {503: 30}
    finally:
        fleet.valkey.resume()
    for number in range(3):
        for _ in range(60):
            answer = await fleet.call(browser, number)
            if answer.status_code == 200:
                break
            await asyncio.sleep(0.25)
        assert answer.status_code == 200


async def until(condition: object, *, attempts: int = 200) -> None:
    """Wait until the condition holds; fails after ten seconds."""
    assert callable(condition)
    for _ in range(attempts):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("waited in vain")
