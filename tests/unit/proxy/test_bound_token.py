"""Calls with a token that is bound to a key: proofs, the upstream's nonces, and the one repetition (RFC 9449)."""

from __future__ import annotations

import re
import secrets

import pytest

from bff.oauth.dpop import new_dpop_key
from bff.proxy.request_body import HOLD_LIMIT
from bff.proxy.state import State
from bff.session.record import AccessToken
from tests.support.dpop_verifier import DpopVerifier, claims_of
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import ProxyBench, signed_in
from tests.unit.proxy.test_tunnel import AGREED, HANDSHAKE, bench_with_sockets

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KEY = new_dpop_key(secrets.token_bytes)
NOW = 1_800_000_000.0


def demand(
    nonce: bytes = b"nonce-1", *, challenge: bytes = b'DPoP error="use_dpop_nonce"', body: bytes = b"no"
) -> bytes:
    return b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %b\r\nDPoP-Nonce: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        challenge,
        nonce,
        len(body),
        body,
    )


def bound_bench() -> ProxyBench:
    bench = ProxyBench()
    bench.tokens.token = AccessToken("bound-1", None, ("openid", "read"), dpop_key=KEY.encoded)
    return bench


def proof_in(sent: bytes) -> str:
    assert sent.count(b"DPoP: ") == 1
    assert sent.count(b"uthorization: ") == 1
    assert b"\r\nAuthorization: DPoP bound-1\r\n" in sent
    found = re.search(rb"\r\nDPoP: (\S+)\r\n", sent)
    assert found is not None
    return found[1].decode()


def verify(
    server: DpopVerifier, sent: bytes, *, method: str = "GET", path: str = "/v1/x", nonce: str | None = None
) -> None:
    url = f"http://upstream.example{path}"
    key = server.verify(proof_in(sent), method=method, url=url, now=NOW, access_token="bound-1", nonce=nonce)
    assert key == KEY.thumbprint


async def call(bench: ProxyBench, browser: FakeTransport, request: bytes) -> FakeTransport:
    browser.receive(request)
    await turns()
    return bench.pool.transports[-1]


async def test_a_call_carries_the_token_with_a_proof_for_the_upstreams_own_url() -> None:
    bench = bound_bench()
    upstream = await call(bench, bench.browser(), signed_in(b"GET", b"/api/x?secret=1", b"DPoP: forged\r\n"))
    sent = upstream.take_written()
    verify(DpopVerifier(), sent)
    assert sent.startswith(b"GET /v1/x?secret=1 HTTP/1.1\r\nAuthorization: DPoP bound-1\r\n")


@pytest.mark.parametrize(
    "path, named",
    [
        (b"/%C3%A4/%7E", "/v1/%C3%A4/%7E"),
        (b"/a:b@c;d=e,f'(g)*!$&+~-._", "/v1/a:b@c;d=e,f'(g)*!$&+~-._"),
        (b"", "/v1"),
    ],
)
async def test_the_proof_names_the_path_exactly_as_the_upstream_gets_it(path: bytes, named: str) -> None:
    bench = bound_bench()
    upstream = await call(bench, bench.browser(), signed_in(b"GET", b"/api" + path))
    sent = upstream.take_written()
    assert sent.startswith(b"GET /v1" + path + b" HTTP/1.1\r\n")
    verify(DpopVerifier(), sent, path=named)


async def test_a_bearer_token_gets_no_proof() -> None:
    bench = ProxyBench()
    upstream = await call(bench, bench.browser(), signed_in(b"GET", b"/api/x"))
    sent = upstream.take_written()
    assert b"Authorization: Bearer token-1\r\n" in sent
    assert b"DPoP" not in sent


async def test_each_call_has_a_proof_of_its_own_and_the_newest_nonce_of_any_answer() -> None:
    bench, server = bound_bench(), DpopVerifier()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(server, upstream.take_written())
    for number in (1, 2):
        upstream.receive(b"HTTP/1.1 204 No Content\r\nDPoP-Nonce: nonce-%d\r\n\r\n" % number)
        await turns()
        await call(bench, browser, signed_in(b"GET", b"/api/x"))
        verify(server, upstream.take_written(), nonce=f"nonce-{number}")
    assert b"once" not in browser.take_written(), "the nonce is for the gateway"


@pytest.mark.parametrize(
    "challenge",
    [
        b'DPoP error="use_dpop_nonce"',
        b'dpop error="use_dpop_nonce"',
        b"dPoP error=use_dpop_nonce",
        b'Bearer realm="x", DPoP algs="ES256", error="use_dpop_nonce", error_description="one, please"',
    ],
)
async def test_a_call_refused_for_want_of_the_nonce_is_made_again_and_nobody_hears_of_it(challenge: bytes) -> None:
    bench, server = bound_bench(), DpopVerifier()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(server, upstream.take_written())
    upstream.receive(demand(challenge=challenge))
    await turns()
    assert len(bench.pool.transports) == 1, "the connection is fit for it"
    verify(server, upstream.take_written(), nonce="nonce-1")
    upstream.receive(OK)
    await turns()
    written = browser.take_written()
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert written.count(b"HTTP/1.1") == 1
    assert bench.is_at_rest
    assert bench.last_line.status == 200


async def test_it_is_made_again_once_and_no_more() -> None:
    bench = bound_bench()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    upstream.receive(demand(b"nonce-1"))
    await turns()
    upstream.take_written()
    upstream.receive(demand(b"nonce-2"))
    await turns()
    assert upstream.take_written() == b""
    assert browser.take_written().startswith(b"HTTP/1.1 401 ")
    await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(DpopVerifier(), upstream.take_written(), nonce="nonce-2")


class RotatingUpstream:
    """An upstream whose nonces are good for one call each, and which gives another with every answer."""

    def __init__(self) -> None:
        self._verifier = DpopVerifier()
        self._good: set[str] = set()
        self._given = self.served = self.refused = 0

    def answer(self, upstream: FakeTransport) -> None:
        """Judge what was sent on a connection and answer it."""
        sent = upstream.take_written()
        nonce = claims_of(proof_in(sent)).get("nonce")
        verify(self._verifier, sent, nonce=nonce)
        is_good = nonce in self._good
        self._good.discard(nonce)
        self._given += 1
        self._good.add(fresh := f"nonce-{self._given}")
        if is_good:
            self.served += 1
            upstream.receive(b"HTTP/1.1 204 No Content\r\nDPoP-Nonce: %b\r\n\r\n" % fresh.encode())
        else:
            self.refused += 1
            upstream.receive(demand(fresh.encode()))


@pytest.mark.parametrize("size", [2, 5])
async def test_calls_in_flight_with_the_same_nonce_are_each_made_again_once_with_their_own(size: int) -> None:
    bench, server = bound_bench(), RotatingUpstream()
    browsers = [bench.browser() for _ in range(size)]
    for browser in browsers:
        await call(bench, browser, signed_in(b"GET", b"/api/x"))
    assert len(bench.pool.transports) == size
    for _ in range(2):
        for upstream in bench.pool.transports:
            server.answer(upstream)
        await turns()
    assert [browser.take_written()[:12] for browser in browsers] == [b"HTTP/1.1 204"] * size
    assert (server.served, server.refused) == (size, size)
    await call(bench, browsers[0], signed_in(b"GET", b"/api/x"))
    (upstream,) = [upstream for upstream in bench.pool.transports if upstream.written]
    server.answer(upstream)
    await turns()
    assert browsers[0].take_written().startswith(b"HTTP/1.1 204"), "the newest answer's nonce is used next"
    assert server.refused == size


async def test_a_call_that_begins_meanwhile_does_not_use_up_the_nonce_of_one_that_is_made_again() -> None:
    bench, server = bound_bench(), RotatingUpstream()
    first, second = bench.browser(), bench.browser()
    refusing = await call(bench, first, signed_in(b"GET", b"/api/x"))
    refusing.take_written()
    refusal = demand(b"nonce-of-the-first")
    server._good.add("nonce-of-the-first")
    refusing.receive(refusal[:-1])
    await turns()
    other = await call(bench, second, signed_in(b"GET", b"/api/x"))
    server.answer(other)
    refusing.receive(refusal[-1:])
    await turns()
    server.answer(refusing)
    if other.written:
        server.answer(other)
    await turns()
    assert first.take_written().startswith(b"HTTP/1.1 204")
    assert second.take_written().startswith(b"HTTP/1.1 204")


async def test_the_nonce_that_a_call_was_made_again_with_is_the_newest_if_its_answer_gives_none() -> None:
    bench = bound_bench()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    upstream.receive(demand())
    await turns()
    upstream.receive(OK)
    await turns()
    upstream.take_written()
    await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(DpopVerifier(), upstream.take_written(), nonce="nonce-1")


@pytest.mark.parametrize(
    "answer",
    [
        demand(challenge=b'DPoP error="invalid_token"'),
        demand(challenge=b'Bearer error="use_dpop_nonce"'),
        demand(challenge=b'Bearer realm="DPoP error=use_dpop_nonce"'),
        demand(nonce=b'not"one'),
        demand(nonce=b"one\r\nDPoP-Nonce: two"),
        demand().replace(b"DPoP-Nonce", b"X-Nonce"),
        demand().replace(b"401 Unauthorized", b"403 Forbidden"),
    ],
)
async def test_any_other_refusal_is_the_upstreams_answer(answer: bytes) -> None:
    bench = bound_bench()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    upstream.take_written()
    upstream.receive(answer)
    await turns()
    assert upstream.take_written() == b""
    assert browser.take_written().startswith(answer[:12])


async def test_a_bearer_call_is_never_made_again() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    upstream.take_written()
    upstream.receive(demand())
    await turns()
    assert upstream.take_written() == b""
    assert browser.take_written().startswith(b"HTTP/1.1 401 ")


async def test_a_small_body_goes_up_again_whole() -> None:
    bench, server = bound_bench(), DpopVerifier()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"POST", b"/api/x", b"", b"the body"))
    verify(server, upstream.take_written(), method="POST")
    upstream.receive(demand())
    await turns()
    sent = upstream.take_written()
    verify(server, sent, method="POST", nonce="nonce-1")
    assert sent.endswith(b"\r\n\r\nthe body")


async def test_a_body_that_came_in_pieces_goes_up_again_whole() -> None:
    bench, server = bound_bench(), DpopVerifier()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"POST", b"/api/x", b"Transfer-Encoding: chunked\r\n"))
    for piece in (b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n"):
        browser.receive(piece)
        await turns()
    upstream.take_written()
    upstream.receive(demand())
    await turns()
    sent = upstream.take_written()
    verify(server, sent, method="POST", nonce="nonce-1")
    assert sent.endswith(b"\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


async def test_a_refusal_before_the_whole_body_has_come_sends_it_on_another_connection() -> None:
    bench = bound_bench()
    browser = bench.browser()
    first = await call(bench, browser, signed_in(b"POST", b"/api/x", b"Content-Length: 6\r\n"))
    browser.receive(b"abc")
    await turns()
    first.receive(demand(body=b"wait")[:-1])
    await turns()
    browser.receive(b"def")
    await turns()
    first.receive(b"t")
    await turns()
    assert first.was_aborted, "that upstream still waits for half a body"
    second = bench.pool.transports[1]
    sent = second.take_written()
    assert sent.endswith(b"\r\n\r\nabcdef")
    verify(DpopVerifier(), sent, method="POST", nonce="nonce-1")
    second.receive(OK)
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_body_too_large_to_keep_is_not_sent_twice_and_the_next_call_has_the_nonce() -> None:
    bench = bound_bench()
    browser = bench.browser()
    size = HOLD_LIMIT + 1
    upstream = await call(bench, browser, signed_in(b"POST", b"/api/x", b"Content-Length: %d\r\n" % size))
    browser.receive(b"x" * size)
    await turns()
    upstream.take_written()
    upstream.receive(demand())
    await turns()
    assert upstream.take_written() == b""
    assert browser.take_written().startswith(b"HTTP/1.1 401 ")
    await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(DpopVerifier(), upstream.take_written(), nonce="nonce-1")


async def test_a_refusal_that_does_not_end_is_not_read_for_ever() -> None:
    bench = bound_bench()
    browser = bench.browser()
    first = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    first.receive(demand().replace(b"Content-Length: 2", b"Content-Length: 1000000"))
    first.receive(b"x" * 70_000)
    await turns()
    assert first.was_aborted
    verify(DpopVerifier(), bench.pool.transports[1].take_written(), nonce="nonce-1")


async def test_a_connection_that_breaks_in_the_refusal_is_replaced() -> None:
    bench = bound_bench()
    browser = bench.browser()
    first = await call(bench, browser, signed_in(b"POST", b"/api/x", b"", b"body"))
    first.receive(demand()[:-1])
    first.lose()
    await turns()
    verify(DpopVerifier(), bench.pool.transports[1].take_written(), method="POST", nonce="nonce-1")


async def test_a_browser_that_leaves_during_the_refusal_ends_the_call() -> None:
    bench = bound_bench()
    browser = bench.browser()
    first = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    first.receive(demand()[:-1])
    (exchange,) = bench.context.exchanges
    assert exchange.state is State.WAITING
    browser.lose()
    await turns()
    assert bench.is_at_rest
    assert first.was_aborted
    assert len(bench.pool.transports) == 1


async def test_a_repeated_call_on_a_dead_idle_connection_has_a_new_proof() -> None:
    bench, server = bound_bench(), DpopVerifier()
    browser = bench.browser()
    first = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(server, first.take_written())
    first.receive(OK)
    await turns()
    await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(server, first.take_written())
    first.lose()
    await turns()
    verify(server, bench.pool.transports[1].take_written())


async def test_the_answer_to_a_head_request_can_ask_for_the_nonce_too() -> None:
    bench, server = bound_bench(), DpopVerifier()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"HEAD", b"/api/x"))
    verify(server, upstream.take_written(), method="HEAD")
    upstream.receive(demand().removesuffix(b"no"))
    await turns()
    verify(server, upstream.take_written(), method="HEAD", nonce="nonce-1")


async def test_a_key_that_cannot_be_read_refuses_the_call() -> None:
    bench = ProxyBench()
    bench.tokens.token = AccessToken("bound-1", None, ("openid", "read"), dpop_key=b"no key")
    browser = bench.browser()
    browser.receive(signed_in(b"GET", b"/api/x"))
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 500 ")
    assert bench.pool.transports == []


async def test_a_websocket_is_opened_with_the_nonce_that_its_first_handshake_lacked() -> None:
    bench, server = bench_with_sockets(), DpopVerifier()
    bench.tokens.token = AccessToken("bound-1", None, ("openid", "read"), dpop_key=KEY.encoded)
    bench.context.watch.start()
    browser = bench.browser()
    upstream = await call(bench, browser, HANDSHAKE)
    verify(server, upstream.take_written(), path="/socket")
    upstream.receive(demand())
    await turns()
    sent = upstream.take_written()
    verify(server, sent, path="/socket", nonce="nonce-1")
    assert b"\r\nUpgrade: websocket\r\n" in sent
    upstream.receive(AGREED)
    await turns()
    written = browser.take_written()
    assert written.startswith(b"HTTP/1.1 101 ")
    assert written.count(b"HTTP/1.1") == 1


async def test_a_browser_that_waits_to_be_asked_for_its_body_is_asked_once() -> None:
    bench = bound_bench()
    browser = bench.browser()
    expecting = signed_in(b"POST", b"/api/x", b"Content-Length: 2\r\nExpect: 100-continue\r\n")
    first = await call(bench, browser, expecting)
    assert browser.take_written() == b"HTTP/1.1 100 Continue\r\n\r\n"
    first.receive(demand())
    await turns()
    assert browser.take_written() == b""
    browser.receive(b"ok")
    await turns()
    second = bench.pool.transports[1]
    assert second.take_written().endswith(b"\r\n\r\nok")
    second.receive(OK)
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 200 OK\r\n")
