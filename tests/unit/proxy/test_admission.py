"""Whether a call may be made, and with which token."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from bff.errors import (
    ProviderUnavailable,
    SessionEnded,
    SessionExpired,
    StoreUnavailable,
)
from bff.http.request_head import RequestHead
from bff.proxy.admission import Admission
from bff.proxy.request import Request
from bff.session.record import AccessToken
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import HANDLE, SIGNED_IN, ProxyBench, request, signed_in
from tests.support.proxy_server import COOKIE, route_to

SITE = b"Sec-Fetch-Site: same-origin\r\n"


def cookie(*values: str) -> bytes:
    return b"Cookie: " + "; ".join(f"{COOKIE}={value}" for value in values).encode() + b"\r\n"


def _request(path: bytes) -> Request:
    return Request(
        method=b"GET",
        path=path,
        query=None,
        head=RequestHead([]),
        is_http_11=True,
        keep_alive=True,
        request_id="id-1",
        started_at=0.0,
    )


async def verdict(bench: ProxyBench, data: bytes) -> tuple[int, str | None]:
    """Return status and code of the refusal of a request, or 0 and the Authorization that went up."""
    browser = bench.browser()
    browser.receive(data)
    await turns()
    if bench.pool.transports:
        lines = bench.pool.transports[-1].take_written().split(b"\r\n")
        sent = [line.partition(b": ")[2].decode() for line in lines if line.startswith(b"Authorization: ")]
        assert len(sent) <= 1
        return 0, sent[0] if sent else None
    head, _, body = browser.take_written().partition(b"\r\n\r\n")
    document = json.loads(body)
    assert document["status"] == int(head[9:12])
    return document["status"], document["code"]


# Method and target.


async def test_a_method_the_route_does_not_list_is_refused_by_name() -> None:
    bench = ProxyBench(routes=[route_to("/open", 1, reads_session=False, methods=frozenset({b"PUT", b"GET"}))])
    browser = bench.browser()
    browser.receive(request(b"DELETE", b"/open/x"))
    await turns()
    written = browser.take_written()
    assert written.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, PUT\r\n" in written


@pytest.mark.parametrize("target", [b"/api/../x", b"/api/%2e%2e/x", b"/api/..%3fx", b"/api/%5c", b"/api/%ff"])
async def test_an_unsafe_path_is_refused_before_anybody_is_asked(target: bytes) -> None:
    bench = ProxyBench()
    assert await verdict(bench, signed_in(b"GET", target)) == (400, "bad_request")
    assert not bench.sessions.fakes.reads


@pytest.mark.parametrize("target", [b"/api/%61dmin/x", b"/api/Admin/x", b"/api//admin/x", b"/api/admin;v=1/x"])
async def test_a_path_that_the_upstream_may_give_to_another_route_is_refused(target: bytes) -> None:
    routes = [
        route_to("/api", 1, upstream_path=b"/v1", reads_session=False),
        route_to("/api/admin", 1, upstream_path=b"/v1/admin"),
    ]
    assert await verdict(ProxyBench(routes=routes), request(b"GET", target)) == (400, "bad_request")


async def test_a_second_slash_cannot_become_an_authority() -> None:
    bench = ProxyBench()
    assert await verdict(bench, request(b"GET", b"/open//evil.example/x")) == (400, "bad_request")


async def test_a_body_announced_too_large_is_refused_before_anybody_is_asked() -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, max_body=10)])
    assert await verdict(bench, signed_in(b"POST", b"/api/x", b"Content-Length: 11\r\n")) == (413, "body_too_large")
    assert not bench.sessions.fakes.reads


@pytest.mark.parametrize("value", [b"200-ok", b"100-continue, x", b"", b"100-continue;x"])
async def test_an_expectation_nobody_knows_is_refused(value: bytes) -> None:
    bench = ProxyBench()
    assert await verdict(bench, request(b"GET", b"/open/x", b"Expect: " + value + b"\r\n")) == (400, "bad_request")


# The cookie.


@pytest.mark.parametrize("fields", [b"", b"Cookie: a=b\r\n", b"Cookie: \r\n", b"Cookie: bff\r\n", b"Cookie: =bff\r\n"])
async def test_without_the_cookie_there_is_no_session(fields: bytes) -> None:
    bench = ProxyBench()
    assert await verdict(bench, request(b"GET", b"/api/x", fields + SITE)) == (401, "no_session")
    assert not bench.sessions.fakes.reads


@pytest.mark.parametrize(
    "fields",
    [
        cookie(HANDLE, HANDLE),
        cookie(HANDLE, "evil"),
        cookie("evil", HANDLE),
        cookie(HANDLE) + cookie(HANDLE),
        cookie(""),
        cookie("x"),
        cookie(f'"{HANDLE}"'),
        cookie(HANDLE[:-1]),
        cookie(HANDLE + "A"),
        cookie(HANDLE[:-1] + "B"),
        cookie(HANDLE[:-1] + "="),
        cookie(HANDLE[:-2] + "+A"),
        cookie("%" + HANDLE[1:]),
    ],
)
async def test_a_cookie_that_is_not_exactly_one_handle_is_no_session(fields: bytes) -> None:
    bench = ProxyBench()
    assert await verdict(bench, request(b"GET", b"/api/x", fields + SITE)) == (401, "no_session")
    assert not bench.sessions.fakes.reads


async def test_where_nobody_is_allowed_a_malformed_cookie_is_nobodys() -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, allows_anonymous=True)])
    assert await verdict(bench, request(b"GET", b"/api/x", cookie(HANDLE, HANDLE) + SITE)) == (0, None)
    assert not bench.sessions.fakes.reads


async def test_who_has_left_is_neither_admitted_nor_refused() -> None:
    bench = ProxyBench()
    await bench.asked(bench.browser(), request(b"GET", b"/open/x"))
    (exchange,) = bench.context.exchanges
    for path in (b"/open/x", b"/open/.."):
        admission = Admission(bench.context, bench.routes[1], _request(path), exchange)
        admission.cancel()
        admission.begin()
    assert len(bench.pool.backs) == 1
    assert bench.context.exchanges == {exchange}


@pytest.mark.parametrize("name", [b"\xa0bff", b"bff\xa0", b"BFF", b"__Host-Http-bff", b'"bff"', b"bff\x85"])
async def test_a_cookie_whose_name_merely_looks_like_ours_is_another_cookie(name: bytes) -> None:
    bench = ProxyBench()
    fields = b"Cookie: " + name + b"=evil; " + cookie(HANDLE)[8:]
    assert await verdict(bench, request(b"GET", b"/api/x", fields + SITE)) == (0, "Bearer token-1")


async def test_the_store_is_asked_once_for_the_key_of_the_handle() -> None:
    bench = ProxyBench()
    await verdict(bench, signed_in(b"GET", b"/api/x"))
    assert [key for key, _ in bench.sessions.fakes.reads] == ["key-" + (b"h" * 32).hex()]


# The cross-origin verdict.


@pytest.mark.parametrize(
    "method, fields, may",
    [
        (b"POST", b"Sec-Fetch-Site: same-origin\r\n", True),
        (b"GET", b"Sec-Fetch-Site: none\r\n", True),
        (b"POST", b"Sec-Fetch-Site: none\r\n", False),
        (b"GET", b"Sec-Fetch-Site: same-site\r\n", False),
        (b"GET", b"Sec-Fetch-Site: cross-site\r\n", False),
        (b"GET", b"Sec-Fetch-Site: cross-site\r\nOrigin: https://app.example\r\nX-CSRF: 1\r\n", False),
        (b"POST", b"Origin: https://app.example\r\n", True),
        (b"POST", b"Origin: https://evil.example\r\n", False),
        (b"POST", b"Origin: null\r\nX-CSRF: 1\r\n", False),
        (b"POST", b"X-CSRF: 1\r\n", True),
        (b"POST", b"", False),
        (b"GET", b"", False),
        (b"GET", b"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-origin\r\n", False),
        (b"POST", b"Origin: https://app.example\r\nOrigin: https://app.example\r\n", False),
        (b"POST", b"Connection: sec-fetch-site\r\nSec-Fetch-Site: cross-site\r\nX-CSRF: 1\r\n", False),
        (b"GET", b"X_CSRF: 1\r\n", False),
    ],
)
async def test_the_cookie_works_for_our_own_pages_alone(method: bytes, fields: bytes, may: bool) -> None:
    bench = ProxyBench()
    expected = (0, "Bearer token-1") if may else (403, "csrf_rejected")
    assert await verdict(bench, request(method, b"/api/x", cookie(HANDLE) + fields)) == expected
    assert bool(bench.sessions.fakes.reads) is may


async def test_without_a_cookie_no_origin_is_needed() -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, allows_anonymous=True)])
    assert await verdict(bench, request(b"POST", b"/api/x", b"Sec-Fetch-Site: cross-site\r\n")) == (0, None)


# The token.


async def test_the_sessions_token_goes_up_and_the_browsers_does_not() -> None:
    bench = ProxyBench()
    fields = b"Authorization: Bearer evil\r\nConnection: authorization\r\n"
    assert await verdict(bench, signed_in(b"GET", b"/api/x", fields)) == (0, "Bearer token-1")


async def test_a_route_without_a_token_reads_no_session_and_passes_no_authorization() -> None:
    bench = ProxyBench()
    assert await verdict(bench, request(b"GET", b"/open/x", SIGNED_IN + b"Authorization: Bearer evil\r\n")) == (0, None)
    assert not bench.sessions.fakes.reads


async def test_a_call_waits_for_the_store() -> None:
    bench = ProxyBench()
    bench.sessions.fakes.answers_at_once = False
    browser = bench.browser()
    browser.receive(signed_in(b"GET", b"/api/x"))
    await turns()
    assert not bench.pool.backs
    bench.sessions.fakes.answer()
    await turns()
    assert len(bench.pool.backs) == 1


@pytest.mark.parametrize(
    "refusal, expected",
    [
        (SessionExpired("session.idle_limit"), (401, "session_expired")),
        (SessionEnded("session.ended.logout"), (401, "session_ended")),
    ],
)
async def test_a_session_that_is_over_is_refused_or_where_the_route_allows_it_nobodys(
    refusal: Exception, expected: tuple[int, str]
) -> None:
    bench = ProxyBench()
    bench.sessions.refusal = refusal
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == expected
    bench = ProxyBench(routes=[route_to("/api", 1, allows_anonymous=True)])
    bench.sessions.refusal = refusal
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (0, None)


@pytest.mark.parametrize("allows_anonymous", [False, True])
async def test_an_outage_of_the_store_is_never_taken_for_nobody(allows_anonymous: bool) -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, allows_anonymous=allows_anonymous)])
    bench.sessions.fakes.failure = StoreUnavailable("store.timeout")
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (503, "store_unavailable")


async def test_a_store_that_is_closed_under_a_call_is_an_outage() -> None:
    bench = ProxyBench()
    bench.sessions.fakes.answers_at_once = False
    browser = bench.browser()
    browser.receive(signed_in(b"GET", b"/api/x"))
    bench.sessions.fakes.failure = StoreUnavailable("store.closed")
    bench.sessions.fakes.answer()
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 503 ")


async def test_a_refresh_that_is_cancelled_under_a_call_is_an_outage() -> None:
    bench = ProxyBench()
    bench.tokens.token = None
    browser = bench.browser()
    browser.receive(signed_in(b"GET", b"/api/x"))
    await turns()
    (refresh,) = [task for task in asyncio.all_tasks() if "access_token" in repr(task.get_coro())]
    refresh.cancel()
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 503 ")


async def test_a_defect_while_opening_a_session_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    bench = ProxyBench()
    bench.sessions.refusal = ZeroDivisionError()
    with caplog.at_level(logging.ERROR, logger="bff"):
        assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (500, "internal")
    assert caplog.records[0].message == "internal_fault"


async def waiting_for_a_token(bench: ProxyBench) -> FakeTransport:
    bench.tokens.token = None
    browser = bench.browser()
    browser.receive(signed_in(b"GET", b"/api/x"))
    await turns()
    assert not bench.pool.backs
    return browser


async def test_a_call_waits_for_a_token_that_must_be_renewed() -> None:
    bench = ProxyBench()
    await waiting_for_a_token(bench)
    bench.tokens.may_renew.set()
    await turns()
    assert b"Authorization: Bearer token-2\r\n" in bench.pool.transports[0].take_written()


@pytest.mark.parametrize("allows_anonymous", [False, True])
async def test_a_token_that_cannot_be_had_now_is_never_taken_for_nobody(allows_anonymous: bool) -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, allows_anonymous=allows_anonymous)])
    bench.tokens.refusal = ProviderUnavailable("refresh.timeout")
    browser = await waiting_for_a_token(bench)
    bench.tokens.may_renew.set()
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 503 ")
    assert not bench.pool.backs


async def test_a_session_that_ends_while_its_token_is_renewed_is_refused() -> None:
    bench = ProxyBench()
    bench.tokens.refusal = SessionEnded("session.ended.grant_refused")
    browser = await waiting_for_a_token(bench)
    bench.tokens.may_renew.set()
    await turns()
    assert b'"code":"session_ended"' in browser.take_written()


async def test_who_leaves_while_a_token_is_renewed_waits_no_longer() -> None:
    bench = ProxyBench()
    browser = await waiting_for_a_token(bench)
    browser.lose()
    await turns()
    assert (bench.tokens.was_cancelled, bench.is_at_rest) == (True, True)


@pytest.mark.parametrize("outcome", ["answer", "failure"])
async def test_who_leaves_while_the_store_answers_is_told_nothing(outcome: str) -> None:
    bench = ProxyBench()
    bench.sessions.fakes.answers_at_once = False
    browser = bench.browser()
    browser.receive(signed_in(b"GET", b"/api/x"))
    if outcome == "failure":
        bench.sessions.fakes.failure = StoreUnavailable("store.timeout")
    bench.sessions.fakes.answer()
    # The future is done, its callback is due: the browser leaves in between.
    browser.lose()
    await turns()
    assert not bench.pool.backs
    assert bench.is_at_rest


async def test_a_token_that_cannot_be_written_ends_the_call(caplog: pytest.LogCaptureFixture) -> None:
    bench = ProxyBench()
    bench.tokens.token = AccessToken("token\u20ac", None, ())
    with caplog.at_level(logging.ERROR, logger="bff"):
        assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (500, "internal")
    assert bench.is_at_rest


async def test_a_defect_while_a_call_without_a_session_is_judged_ends_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = ProxyBench()
    monkeypatch.setattr(bench.pool, "take", None)
    with caplog.at_level(logging.ERROR, logger="bff"):
        assert await verdict(bench, request(b"GET", b"/open/x")) == (500, "internal")
    assert bench.is_at_rest


# Scopes and the idle limit.


@pytest.mark.parametrize("required, may", [({"read"}, True), ({"read", "openid"}, True), ({"write"}, False)])
async def test_a_route_may_require_a_scope(required: set[str], may: bool) -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, require_scope=frozenset(required))])
    expected: tuple[int, Any] = (0, "Bearer token-1") if may else (403, "insufficient_scope")
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == expected


async def test_a_route_that_requires_a_scope_does_not_fall_back_to_nobody() -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, require_scope=frozenset({"write"}), allows_anonymous=True)])
    assert await verdict(bench, signed_in(b"GET", b"/api/x")) == (403, "insufficient_scope")


@pytest.mark.parametrize("is_due", [False, True])
async def test_the_use_of_a_session_is_noted_when_it_is_due(is_due: bool) -> None:
    bench = ProxyBench()
    bench.sessions.is_touch_due = is_due
    await verdict(bench, signed_in(b"GET", b"/api/x"))
    assert len(bench.sessions.touched) == is_due


async def test_two_users_at_once_get_their_own_tokens() -> None:
    bench = ProxyBench()
    bench.sessions.fakes.answers_at_once = False
    browsers = [bench.browser() for _ in range(4)]
    for browser in browsers:
        browser.receive(signed_in(b"GET", b"/api/x"))
    for number, (_, future) in reversed(list(enumerate(bench.sessions.fakes.reads))):
        bench.tokens.token = AccessToken(f"token-of-{number}", None, ())
        future.set_result(bench.sessions.fakes.found)
        await asyncio.sleep(0)
        await turns()
    sent = [transport.take_written() for transport in bench.pool.transports]
    assert [f"token-of-{number}".encode() in request for number, request in zip((3, 2, 1, 0), sent, strict=True)] == [
        True
    ] * 4
