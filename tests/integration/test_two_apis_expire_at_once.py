"""The tokens of two APIs expire at once on three instances: the provider is asked strictly one thing after another.

It rotates refresh tokens, ends the whole family when one comes twice, and takes its time: two requests of one session
at once would show as a lost session, a mixed-up answer as a 401 of the API that got the other's token.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.support.processes import (
    AUDIENCE,
    GatewayServer,
    ProviderServer,
    start_gateway,
    start_provider,
    start_timesheets,
    start_valkey,
)
from tests.support.sign_in import sign_in

OTHER = "https://other.example/api"
SHORT = 3
SLOW = 2.0
PREFIXES = ("/own", "/other", "/exchanged")


@dataclass
class Fleet:
    """Three instances, and the provider that two APIs have in common."""

    provider: ProviderServer
    gateways: list[GatewayServer]

    async def call_all(self, browser: httpx2.AsyncClient, count: int) -> Counter[tuple[str, int, str]]:
        """Call every API at every instance at once; return how many answers had which status and audience."""

        async def call(number: int) -> tuple[str, int, str]:
            prefix = PREFIXES[number % len(PREFIXES)]
            gateway = self.gateways[number % len(self.gateways)]
            answer = await browser.get(f"{gateway.url}{prefix}/whoami")
            return prefix, answer.status_code, str(answer.json().get("aud"))

        return Counter(await asyncio.gather(*(call(number) for number in range(count))))

    def token_requests(self) -> list[dict[str, Any]]:
        """Return what the provider noted of token requests since the last sign-in."""
        requests: list[dict[str, Any]] = self.provider.log()["token_requests"]
        return requests


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with ExitStack() as stack:
        valkey = stack.enter_context(start_valkey())
        provider = stack.enter_context(start_provider(arguments=["--audience", OTHER]))
        own = stack.enter_context(start_timesheets(provider))
        other = stack.enter_context(start_timesheets(provider, audience=OTHER))
        routes = json.dumps(
            [
                {"prefix": "/own", "upstream": own.url},
                {"prefix": "/other", "upstream": other.url, "resource": OTHER},
                {"prefix": "/exchanged", "upstream": other.url, "audience": OTHER, "exchange": True},
                {"prefix": "/machine", "upstream": other.url, "resource": OTHER, "token": "client"},
            ]
        )
        settings: dict[str, Any] = {"BFF_UPSTREAM_URL": None, "BFF_ROUTES": routes}
        first = stack.enter_context(start_gateway(provider, own.url, valkey.url, **settings))
        others = [
            stack.enter_context(start_gateway(provider, own.url, valkey.url, public_url=first.public_url, **settings))
            for _ in range(2)
        ]
        yield Fleet(provider, [first, *others])


async def test_requests_of_one_session_follow_one_another_and_every_call_gets_its_own_apis_token(
    fleet: Fleet,
) -> None:
    fleet.provider.control(access_token_lifetime=SHORT)
    browser = await sign_in(fleet.gateways[0], "alice")
    expected = {("/own", 200, AUDIENCE), ("/other", 200, OTHER), ("/exchanged", 200, OTHER)}
    assert set(await fleet.call_all(browser, 3)) == expected
    fleet.provider.control(access_token_lifetime=300)
    await asyncio.sleep(SHORT)
    fleet.provider.clear_log()
    fleet.provider.disturb("/token", delay=SLOW)
    try:
        answers = await fleet.call_all(browser, 90)
    finally:
        fleet.provider.undisturb("/token")
    assert answers == dict.fromkeys(expected, 30)
    requests = sorted(fleet.token_requests(), key=lambda request: float(request["arrived_at"]))
    assert [request["outcome"] for request in requests] == ["ok"] * 3
    refreshes = [request for request in requests if request["grant_type"] == "refresh_token"]
    assert {request["resource"] for request in refreshes} == {AUDIENCE, OTHER}
    # The refresh token of each is the one that the request before it has brought.
    assert refreshes[0]["handled_at"] <= refreshes[1]["arrived_at"]
    assert refreshes[1]["presented"] == refreshes[0]["issued_refresh_token"]
    counts = fleet.provider.log()["counts"]
    assert (counts["refreshes"], counts["refresh_token_reuse"]) == (2, 0)
    await browser.aclose()


async def test_the_gateways_own_token_is_one_for_all_instances(fleet: Fleet) -> None:
    fleet.provider.clear_log()
    fleet.provider.disturb("/token", delay=SLOW)
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with httpx2.AsyncClient(trust_env=False, headers=headers, timeout=60.0) as nobody:
        try:
            answers = await asyncio.gather(
                *(nobody.get(f"{fleet.gateways[number % 3].url}/machine/whoami") for number in range(60))
            )
        finally:
            fleet.provider.undisturb("/token")
    assert {(answer.status_code, answer.json()["aud"], answer.json()["jti"]) for answer in answers} == {
        (200, OTHER, answers[0].json()["jti"])
    }
    (request,) = fleet.token_requests()
    assert (request["grant_type"], request["resource"]) == ("client_credentials", OTHER)


async def test_sessions_do_not_wait_for_each_other(fleet: Fleet) -> None:
    fleet.provider.control(access_token_lifetime=SHORT)
    browsers = [await sign_in(fleet.gateways[number], name) for number, name in enumerate(("alice", "bob"))]
    fleet.provider.control(access_token_lifetime=300)
    await asyncio.sleep(SHORT)
    fleet.provider.clear_log()
    fleet.provider.disturb("/token", delay=SLOW)
    try:
        both = await asyncio.gather(*(fleet.call_all(browser, 30) for browser in browsers))
    finally:
        fleet.provider.undisturb("/token")
    assert all({status for _, status, _ in answers} == {200} for answers in both)
    requests = fleet.token_requests()
    assert Counter(request["sub"] for request in requests) == {"user-alice": 3, "user-bob": 3}
    for browser in browsers:
        await browser.aclose()
