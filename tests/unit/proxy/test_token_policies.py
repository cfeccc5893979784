"""Which token a route's calls carry: the user's, the gateway's own, or none; and which login it takes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bff.errors import ProviderUnavailable, SessionEnded, SessionExpired, StoreUnavailable
from bff.http.step_up import StepUp
from bff.settings.token_target import TokenTarget
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import HANDLE, ProxyBench, request, signed_in
from tests.support.proxy_server import route_to
from tests.unit.proxy.test_admission import SITE, cookie, verdict

TARGET = TokenTarget(resource="https://public.example/")
NOW = 1_800_000_000.0
STEP_UP = b'Bearer error="insufficient_user_authentication", acr_values="gold", max_age="60"'


def client_route(**changes: Any) -> ProxyBench:
    return ProxyBench(routes=[route_to("/api", 1, reads_session=False, client_target=TARGET, **changes)])


def user_or_client_route(**changes: Any) -> ProxyBench:
    return ProxyBench(routes=[route_to("/api", 1, allows_anonymous=True, client_target=TARGET, **changes)])


# The gateway's own token.


async def test_a_client_route_needs_no_session_and_looks_at_no_cookie() -> None:
    for fields in (SITE, cookie(HANDLE) + SITE, cookie("x", "y") + SITE):
        bench = client_route()
        assert await verdict(bench, request(b"GET", b"/api/x", fields)) == (0, "Bearer client-token-1")
        assert not bench.sessions.fakes.reads


@pytest.mark.parametrize(
    ("method", "fields", "may"),
    [
        (b"GET", b"Sec-Fetch-Site: cross-site\r\n", False),
        (b"GET", b"Sec-Fetch-Site: same-site\r\n", False),
        (b"POST", b"Origin: https://evil.example\r\n", False),
        (b"GET", b"", False),
        (b"POST", b"Sec-Fetch-Site: none\r\n", False),
        (b"GET", b"Sec-Fetch-Site: none\r\n", True),
        (b"POST", b"Origin: https://app.example\r\n", True),
        (b"POST", b"X-CSRF: 1\r\n", True),
    ],
)
@pytest.mark.parametrize("make", [client_route, user_or_client_route])
async def test_the_gateways_authority_is_for_our_own_pages_alone(
    make: Any, method: bytes, fields: bytes, may: bool
) -> None:
    bench = make()
    expected = (0, "Bearer client-token-1") if may else (403, "csrf_rejected")
    assert await verdict(bench, request(method, b"/api/x", fields)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"", b"Cache-Control: no-store\r\n"),
        (b"Cache-Control: public, max-age=60\r\n", b"Cache-Control: max-age=60, private\r\n"),
    ],
)
@pytest.mark.parametrize("make", [client_route, user_or_client_route])
async def test_what_the_gateways_authority_was_needed_for_is_left_in_no_shared_cache(
    make: Any, given: bytes, expected: bytes
) -> None:
    bench = make()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/api/x", SITE))
    upstream.receive(b"HTTP/1.1 200 OK\r\n" + given + b"Content-Length: 2\r\n\r\nok")
    assert b"\r\n" + expected in browser.take_written()


async def test_a_call_waits_for_the_gateways_token() -> None:
    bench = client_route()
    bench.client_tokens.token = None
    assert await verdict(bench, request(b"GET", b"/api/x", SITE)) == (0, "Bearer client-token-2")


async def test_without_the_gateways_token_a_call_is_refused() -> None:
    bench = client_route()
    bench.client_tokens.token, bench.client_tokens.obtained = None, ProviderUnavailable("client_token.paused")
    assert await verdict(bench, request(b"GET", b"/api/x", SITE)) == (503, "provider_unavailable")


async def test_who_leaves_while_the_gateways_token_is_fetched_is_told_nothing() -> None:
    bench = client_route()
    bench.client_tokens.token = None
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/x", SITE))
    browser.lose()
    await turns()
    assert bench.is_at_rest


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(("required", "expected"), [("read", 0), ("write", 403)])
async def test_a_required_scope_is_that_of_the_gateways_token(held: bool, required: str, expected: int) -> None:
    bench = client_route(require_scope=frozenset({required}))
    if not held:
        bench.client_tokens.token = None
    assert (await verdict(bench, request(b"GET", b"/api/x", SITE)))[0] == expected


# The user's, or else the gateway's own.


async def test_who_is_signed_in_calls_with_their_own_token() -> None:
    bench = user_or_client_route(user_target=TARGET)
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (0, "Bearer token-1")
    assert bench.tokens.targets == [TARGET]


@pytest.mark.parametrize("refusal", [SessionExpired("session.idle_limit"), SessionEnded("session.ended.logout")])
async def test_whose_session_is_over_calls_with_the_gateways_token(refusal: Exception) -> None:
    bench = user_or_client_route()
    bench.sessions.refusal = refusal
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (0, "Bearer client-token-1")


async def test_a_scope_the_gateways_token_lacks_is_said_of_an_expired_session_too() -> None:
    bench = user_or_client_route(require_scope=frozenset({"write"}))
    bench.sessions.refusal = SessionExpired("session.idle_limit")
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (403, "insufficient_scope")


@pytest.mark.parametrize("failure", ["store", "provider", "session", "scope"])
async def test_a_signed_in_user_is_never_served_with_the_gateways_token(failure: str) -> None:
    bench = user_or_client_route(require_scope=frozenset({"write"} if failure == "scope" else ()))
    if failure == "store":
        bench.sessions.fakes.failure = StoreUnavailable("store.timeout")
    elif failure != "scope":
        bench.tokens.token = None
        bench.tokens.may_renew.set()
        bench.tokens.refusal = (
            ProviderUnavailable("refresh.timeout") if failure == "provider" else SessionEnded("refresh.grant_refused")
        )
    status, code = await verdict(bench, signed_in(b"GET", b"/api/x"))
    assert status in (401, 403, 503)
    assert code is not None
    assert not bench.pool.transports


async def test_a_user_route_asks_for_its_own_target() -> None:
    for held in (True, False):
        bench = ProxyBench(routes=[route_to("/api", 1, user_target=TARGET)])
        if not held:
            bench.tokens.token = None
            bench.tokens.may_renew.set()
        await verdict(bench, signed_in(b"GET", b"/api/x"))
        assert set(bench.tokens.targets) == {TARGET}


# The login it takes.


async def refusal_of(bench: ProxyBench, browser: FakeTransport) -> dict[str, Any]:
    await turns()
    document: dict[str, Any] = json.loads(browser.take_written().partition(b"\r\n\r\n")[2])
    return document


@pytest.mark.parametrize(
    ("step_up", "record", "may"),
    [
        (StepUp(("gold",)), {"acr": "gold"}, True),
        (StepUp(("gold",)), {"acr": "silver"}, False),
        (StepUp(("gold",)), {}, False),
        (StepUp((), 60), {"auth_time": NOW - 60}, True),
        (StepUp((), 60), {"auth_time": NOW - 61}, False),
        (StepUp((), 60), {}, False),
    ],
)
async def test_a_login_that_is_too_weak_or_too_old_is_refused_before_anybody_else_is_asked(
    step_up: StepUp, record: dict[str, Any], may: bool
) -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, step_up=step_up)])
    bench.sessions.record = record
    browser = bench.browser()
    browser.receive(signed_in(b"GET", b"/api/x"))
    await turns()
    assert bool(bench.pool.transports) is may
    assert bool(bench.tokens.targets) is may
    if not may:
        document = await refusal_of(bench, browser)
        assert (document["status"], document["code"]) == (401, "step_up_required")
        assert document["login_url"] == f"/bff/login?{step_up.query}"


async def answered_by(bench: ProxyBench, answer: bytes, method: bytes = b"GET") -> FakeTransport:
    browser = bench.browser()
    upstream = await bench.asked(browser, signed_in(method, b"/api/x"))
    upstream.receive(answer)
    await turns()
    return browser


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_an_upstreams_demand_becomes_ours_with_a_login_url_that_asks_for_it(status: bytes) -> None:
    bench = ProxyBench()
    answer = b"HTTP/1.1 %b\r\nWWW-Authenticate: %b\r\nContent-Length: 6\r\n\r\nsecret" % (status, STEP_UP)
    browser = await answered_by(bench, answer, b"POST")
    written = browser.take_written()
    assert written.startswith(b"HTTP/1.1 401 ")
    assert b"secret" not in written
    assert b"WWW-Authenticate" not in written
    document = json.loads(written.partition(b"\r\n\r\n")[2])
    assert document["code"] == "step_up_required"
    assert document["login_url"] == "/bff/login?acr_values=gold&max_age=60"
    assert len(bench.pool.backs) == 1
    assert bench.refusals == ["upstream.step_up"]
    assert bench.is_at_rest


async def test_a_demand_whose_answer_has_no_end_yet_is_not_waited_for() -> None:
    bench = ProxyBench()
    head = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + STEP_UP + b"\r\nContent-Length: 100\r\n\r\nabc"
    browser = await answered_by(bench, head)
    assert b'"code":"step_up_required"' in browser.take_written()
    assert bench.is_at_rest


async def test_a_demand_that_the_login_meets_already_passes_as_the_upstreams_answer() -> None:
    bench = ProxyBench()
    bench.sessions.record = {"acr": "gold", "auth_time": NOW - 5}
    answer = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + STEP_UP + b"\r\nContent-Length: 3\r\n\r\nno!"
    written = (await answered_by(bench, answer)).take_written()
    assert written.endswith(b"no!")
    assert b"WWW-Authenticate: " + STEP_UP in written


async def test_an_api_that_wants_a_login_newer_than_now_does_not_send_browsers_in_a_circle() -> None:
    bench = ProxyBench()
    bench.sessions.record = {"auth_time": NOW - 10}
    challenge = b"WWW-Authenticate: Bearer error=insufficient_user_authentication, max_age=0"
    answer = b"HTTP/1.1 401 Unauthorized\r\n" + challenge + b"\r\nContent-Length: 3\r\n\r\nno!"
    assert (await answered_by(bench, answer)).take_written().endswith(b"no!")
    bench.sessions.record = {"auth_time": NOW - 60}
    assert b"step_up_required" in (await answered_by(bench, answer)).take_written()


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error="invalid_token"\r\nContent-Length: 2\r\n\r\nok',
        b"HTTP/1.1 200 OK\r\nWWW-Authenticate: " + STEP_UP + b"\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + STEP_UP[:-1] + b"\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_other_refusals_of_the_upstream_pass_through(answer: bytes) -> None:
    written = (await answered_by(ProxyBench(), answer)).take_written()
    assert written.endswith(b"ok")
    assert written[:12] == answer[:12]


async def test_a_demand_that_no_login_could_be_asked_for_passes_through() -> None:
    bench = ProxyBench(login_params=("prompt",))
    answer = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + STEP_UP + b"\r\nContent-Length: 2\r\n\r\nok"
    assert (await answered_by(bench, answer)).take_written().endswith(b"ok")


async def test_a_demand_on_a_call_without_a_user_passes_through() -> None:
    bench = client_route()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/api/x", SITE))
    upstream.receive(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + STEP_UP + b"\r\nContent-Length: 2\r\n\r\nok")
    await turns()
    assert browser.take_written().endswith(b"ok")


@pytest.mark.parametrize(
    ("answer", "is_distrusted"),
    [
        (b'401 Unauthorized\r\nWWW-Authenticate: Bearer error="invalid_token"', True),
        (b'401 Unauthorized\r\nWWW-Authenticate: DPoP error="invalid_token"', True),
        (b"401 Unauthorized\r\nWWW-Authenticate: Bearer", False),
        (b"401 Unauthorized", False),
        (b'403 Forbidden\r\nWWW-Authenticate: Bearer error="insufficient_scope"', False),
        (b'200 OK\r\nWWW-Authenticate: Bearer error="invalid_token"', False),
    ],
)
async def test_a_token_of_the_gateways_own_that_an_api_refuses_is_replaced_for_the_next_call(
    answer: bytes, is_distrusted: bool
) -> None:
    bench = client_route()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/api/x", SITE))
    upstream.receive(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 2\r\n\r\nok")
    await turns()
    assert browser.take_written().endswith(b"ok"), "the answer passes all the same"
    assert bench.client_tokens.distrusted == ([TARGET] if is_distrusted else [])


async def test_a_users_token_that_an_api_refuses_is_the_pages_matter() -> None:
    bench = user_or_client_route()
    answer = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error="invalid_token"\r\nContent-Length: 0\r\n\r\n'
    await answered_by(bench, answer)
    assert bench.client_tokens.distrusted == []


async def test_who_leaves_just_when_the_token_has_come_is_told_nothing() -> None:
    bench = client_route()
    bench.client_tokens.token = None
    bench.client_tokens.may_obtain.clear()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/x", SITE))
    await turns()
    bench.client_tokens.may_obtain.set()
    asyncio.get_running_loop().call_soon(browser.lose)
    await turns()
    assert bench.is_at_rest
    assert not bench.pool.backs
