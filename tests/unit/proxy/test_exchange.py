"""One proxied call: its states, its ends, and what each side hears of the other."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest

from bff.errors import UpstreamTimeout, UpstreamUnavailable
from bff.http.relocation import Relocation
from bff.proxy.exchange import Exchange
from bff.proxy.state import State
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import ProxyBench, request, signed_in
from tests.support.proxy_server import Meter, route_to

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def answered(transport: FakeTransport, answer: bytes = OK) -> None:
    transport.receive(answer)
    await turns()


def body_of(written: bytes) -> bytes:
    return written.partition(b"\r\n\r\n")[2]


def status_of(written: bytes) -> int:
    return int(written[9:12])


def current(bench: ProxyBench) -> Exchange:
    (exchange,) = bench.context.exchanges
    return exchange


async def in_state(state: State) -> tuple[ProxyBench, FakeTransport]:
    """Return a browser whose call has come exactly so far."""
    bench = ProxyBench()
    browser = bench.browser()
    if state is State.ADMITTING:
        bench.sessions.fakes.answers_at_once = False
    if state is State.CONNECTING:
        bench.pool.may_connect.clear()
    browser.receive(signed_in(b"GET", b"/api/x"))
    await turns()
    if state is State.ANSWERING:
        bench.pool.transports[0].receive(OK[:-1])
    assert current(bench).state is state
    return bench, browser


OPEN_STATES = [State.ADMITTING, State.CONNECTING, State.WAITING, State.ANSWERING]


# From one side to the other.


async def test_a_call_goes_up_and_its_answer_comes_down() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, signed_in(b"GET", b"/api/a%2Fb?c=d&c=e", b"Accept: */*\r\n"))
    assert upstream.take_written() == (
        b"GET /v1/a%2Fb?c=d&c=e HTTP/1.1\r\nHost: upstream.example\r\nSec-Fetch-Site: same-origin\r\nAccept: */*\r\n"
        b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\n"
        b'Forwarded: for=192.0.2.7;host="app.example";proto=https\r\n'
        b"X-Request-Id: bench00000000\r\nAuthorization: Bearer token-1\r\n\r\n"
    )
    await answered(
        upstream, b"HTTP/1.1 201 Made\r\nContent-Type: a/b\r\nSet-Cookie: bff=evil\r\nContent-Length: 2\r\n\r\nok"
    )
    assert browser.take_written() == (
        b"HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nCache-Control: no-store\r\nVary: Cookie\r\nContent-Length: 2\r\n"
        b"X-Content-Type-Options: nosniff\r\nX-Request-Id: bench00000000\r\n\r\nok"
    )
    assert bench.is_at_rest
    assert (bench.pool.idle_count, upstream.is_closing()) == (1, False)


async def test_a_call_is_written_down_once() -> None:
    meter = Meter()
    bench = ProxyBench(routes=[route_to("/open", 1, reads_session=False, meter=meter)])
    browser = bench.browser()
    await answered(await bench.asked(browser, request(b"GET", b"/open/x?secret=1")))
    (line,) = bench.log.lines
    assert (line.route, line.method, line.path, line.status) == ("/open", "GET", b"/open/x", 200)
    assert (line.sent, line.client, line.code) == (2, "192.0.2.7", None)
    assert [status for status, _ in meter.observed] == [200]


async def test_the_next_call_uses_the_same_connection() -> None:
    bench = ProxyBench()
    for _ in range(3):
        await answered(await bench.asked(bench.browser(), request(b"GET", b"/open/x")))
    assert len(bench.pool.transports) == 1


async def test_two_calls_at_once_use_two_connections() -> None:
    bench = ProxyBench()
    first, second = bench.browser(), bench.browser()
    await bench.asked(first, request(b"GET", b"/open/1"))
    await bench.asked(second, request(b"GET", b"/open/2"), count=2)
    bench.pool.transports[1].receive(OK.replace(b"ok", b"22"))
    bench.pool.transports[0].receive(OK.replace(b"ok", b"11"))
    await turns()
    assert (first.take_written()[-2:], second.take_written()[-2:]) == (b"11", b"22")


# The request's body.


async def test_a_body_of_known_length_passes_as_it_is() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5\r\n") + b"he")
    assert upstream.take_written().endswith(b"Content-Length: 5\r\n\r\nhe")
    browser.receive(b"llo")
    assert upstream.take_written() == b"llo"
    await answered(upstream)
    assert status_of(browser.take_written()) == 200
    assert bench.pool.idle_count == 1


async def test_chunks_are_framed_anew_without_extensions_or_trailers() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", CHUNKED) + b"2;a=b\r\nhe\r\n")
    browser.receive(b"0003\r\nllo\r\n")
    browser.receive(b"0;x\r\nAuthorization: Bearer evil\r\nX: y\r\n\r\n")
    sent = upstream.take_written()
    assert body_of(sent) == b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    assert sent.count(CHUNKED) == 1
    await answered(upstream)
    assert status_of(browser.take_written()) == 200


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", CHUNKED])
async def test_nothing_is_added_to_a_request_that_has_ended(framing: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", framing))
    browser.receive(b"5\r\nhello\r\n0\r\n\r\n" if framing is CHUNKED else b"hello")
    upstream.take_written()
    exchange = current(bench)
    exchange.request_body(b"GET /evil HTTP/1.1\r\n\r\n")
    exchange.request_complete()
    assert not upstream.written


async def test_an_empty_chunked_body_passes() -> None:
    bench = ProxyBench()
    upstream = await bench.asked(bench.browser(), request(b"POST", b"/open/x", CHUNKED) + b"0\r\n\r\n")
    assert body_of(upstream.take_written()) == b"0\r\n\r\n"


@pytest.mark.parametrize("state", [State.ADMITTING, State.CONNECTING])
async def test_a_body_waits_for_a_connection_and_no_more_of_it_is_read_than_is_held(state: State) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    if state is State.ADMITTING:
        bench.sessions.fakes.answers_at_once = False
    else:
        bench.pool.may_connect.clear()
    browser.receive(signed_in(b"POST", b"/api/x", CHUNKED) + b"5\r\nhello\r\n")
    await turns()
    assert browser.is_reading()
    browser.receive(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    await turns()
    assert not browser.is_reading()
    assert current(bench).state is state
    bench.sessions.fakes.answer()
    bench.pool.may_connect.set()
    await turns()
    assert browser.is_reading()
    upstream = bench.pool.transports[0]
    browser.receive(b"0\r\n\r\n")
    assert body_of(upstream.take_written()) == b"5\r\nhello\r\n10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n"


async def test_a_held_body_that_was_complete_leaves_the_browser_heard() -> None:
    bench = ProxyBench()
    bench.pool.may_connect.clear()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"", b"x" * 70_000))
    await turns()
    assert not browser.is_reading()
    bench.pool.may_connect.set()
    await turns()
    assert browser.is_reading()
    browser.receive_eof()
    await turns()
    assert (bench.is_at_rest, bench.pool.transports[0].was_aborted) == (True, True)


async def test_an_upstream_that_reads_slowly_slows_the_browser_down() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 200000\r\n"))
    upstream.peer_reads = False
    browser.receive(b"x" * 70_000)
    assert not browser.is_reading()
    browser.receive(b"x" * 130_000)
    upstream.peer_takes_all()
    assert browser.is_reading()
    await turns()
    assert len(body_of(upstream.take_written())) == 200_000


async def test_after_a_slow_upload_the_browser_is_heard_again() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 70000\r\n"))
    upstream.peer_reads = False
    browser.receive(b"x" * 70_000)
    assert not browser.is_reading()
    upstream.peer_takes_all()
    assert browser.is_reading()
    browser.receive_eof()
    await turns()
    assert bench.is_at_rest


async def test_a_connection_that_is_slow_from_the_start_is_waited_for() -> None:
    bench = ProxyBench()
    bench.pool.may_connect.clear()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"Content-Length: 200000\r\n") + b"x" * 70_000)
    await turns()
    original = FakeTransport.connect

    def connect_slowly(transport: FakeTransport, protocol: asyncio.Protocol) -> None:
        transport.peer_reads = False
        original(transport, protocol)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeTransport, "connect", connect_slowly)
        bench.pool.may_connect.set()
        await turns()
    assert not browser.is_reading()
    bench.pool.transports[0].peer_takes_all()
    assert browser.is_reading()


async def test_a_body_that_is_announced_too_large_is_refused() -> None:
    bench = ProxyBench(routes=[route_to("/open", 1, reads_session=False, max_body=100)])
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"", b"x" * 100))
    browser.receive(request(b"POST", b"/open/x", b"", b"x" * 101))
    await turns()
    await answered(bench.pool.transports[0])
    written = browser.take_written()
    assert [int(part[:3]) for part in written.split(b"HTTP/1.1 ")[1:]] == [200, 413]
    assert not browser.is_closing()


@pytest.mark.parametrize("state", [State.CONNECTING, State.WAITING])
async def test_a_body_that_grows_too_large_is_refused(state: State) -> None:
    bench = ProxyBench(routes=[route_to("/open", 1, reads_session=False, max_body=100)])
    if state is State.CONNECTING:
        bench.pool.may_connect.clear()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", CHUNKED) + b"32\r\n" + b"x" * 50 + b"\r\n")
    await turns()
    assert current(bench).state is state
    browser.receive(b"33\r\n" + b"x" * 51 + b"\r\n")
    await turns()
    written = browser.take_written()
    assert status_of(written) == 413
    assert b"Connection: close" in written
    assert browser.wrote_eof
    assert bench.is_at_rest
    assert all(transport.was_aborted for transport in bench.pool.transports)


async def test_a_body_that_grows_too_large_while_the_answer_passes_breaks_it_off() -> None:
    bench = ProxyBench(routes=[route_to("/open", 1, reads_session=False, max_body=100)])
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", CHUNKED) + b"1\r\na\r\n")
    upstream.receive(OK[:-1])
    browser.receive(b"65\r\n" + b"x" * 101 + b"\r\n")
    await turns()
    assert (browser.was_aborted, upstream.was_aborted, bench.is_at_rest) == (True, True, True)
    assert bench.last_line.code == "body_too_large"


# 100-continue.


async def test_an_expected_body_is_asked_for_once_there_is_somewhere_to_send_it() -> None:
    bench = ProxyBench()
    bench.pool.may_connect.clear()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"Content-Length: 2\r\nExpect: 100-continue\r\n"))
    await turns()
    assert not browser.written
    bench.pool.may_connect.set()
    await turns()
    assert browser.take_written() == b"HTTP/1.1 100 Continue\r\n\r\n"
    upstream = bench.pool.transports[0]
    browser.receive(b"ok")
    sent = upstream.take_written()
    assert b"xpect" not in sent
    assert body_of(sent) == b"ok"
    await answered(upstream)
    assert status_of(browser.take_written()) == 200


@pytest.mark.parametrize("head", [b"Content-Length: 0\r\nExpect: 100-continue\r\n", b"Expect: 100-Continue\r\n"])
async def test_nothing_is_asked_for_where_nothing_is_to_come(head: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    await bench.asked(browser, request(b"POST", b"/open/x", head))
    assert not browser.written


async def test_nothing_is_asked_for_where_the_body_is_already_coming() -> None:
    bench = ProxyBench()
    bench.pool.may_connect.clear()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"Content-Length: 2\r\nExpect: 100-continue\r\n") + b"o")
    bench.pool.may_connect.set()
    await turns()
    assert not browser.written


async def test_http_1_0_knows_no_interim_answer() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    head = b"POST /open/x HTTP/1.0\r\nHost: app.example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    upstream = await bench.asked(browser, head)
    assert not browser.written
    browser.receive(b"ok")
    assert body_of(upstream.take_written()) == b"ok"


async def test_an_expected_body_that_is_refused_is_not_read() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/api/x", b"Content-Length: 2\r\nExpect: 100-continue\r\n"))
    await turns()
    written = browser.take_written()
    assert status_of(written) == 401
    assert b"Connection: close" in written
    browser.receive(request(b"GET", b"/open/evil"))
    await turns()
    assert not bench.pool.backs


# The answer.


async def test_an_answer_in_chunks_is_framed_anew_without_trailers() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n")
    assert body_of(browser.take_written()) == b"2\r\nhe\r\n"
    await answered(upstream, b"3\r\nllo\r\n0\r\nSet-Cookie: bff=evil\r\n\r\n")
    assert browser.take_written() == b"3\r\nllo\r\n0\r\n\r\n"
    assert bench.pool.idle_count == 1


async def test_an_answer_that_ends_with_its_connection_becomes_chunks() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(b"HTTP/1.1 200 OK\r\n\r\nhello")
    upstream.receive_eof()
    await turns()
    written = browser.take_written()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in written
    assert body_of(written) == b"5\r\nhello\r\n0\r\n\r\n"
    assert (browser.is_closing(), bench.pool.idle_count, bench.last_line.code) == (False, 0, None)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\nhello", b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n"]
)
async def test_for_http_1_0_an_unknown_length_ends_with_the_connection(answer: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, b"GET /open/x HTTP/1.0\r\nHost: app.example\r\n\r\n")
    upstream.receive(answer)
    upstream.receive_eof()
    await turns()
    written = browser.take_written()
    assert b"chunked" not in written
    assert b"Connection: close\r\n" in written
    assert body_of(written) == b"hello"
    assert browser.is_closing()


async def test_interim_answers_go_no_further() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert not browser.written
    await answered(upstream)
    assert status_of(browser.take_written()) == 200


@pytest.mark.parametrize(
    "head", [OK[:-2], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
async def test_the_answer_to_head_has_no_body(head: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"HEAD", b"/open/x"))
    await answered(upstream, head)
    written = browser.take_written()
    assert body_of(written) == b""
    assert b"chunked" not in written
    assert bench.is_at_rest
    assert browser.is_reading()
    assert not browser.is_closing()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_has_none(status: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    await answered(upstream, b"HTTP/1.1 " + status + b"\r\n\r\n")
    assert body_of(browser.take_written()) == b""
    assert bench.pool.idle_count == 1


async def test_what_comes_in_one_read_is_written_in_one_go() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
    assert browser.take_written().endswith(b"b\r\n0\r\n\r\n")
    assert browser.writes == 1


async def test_an_answer_before_the_request_has_ended_passes_and_ends_both_connections() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5\r\n") + b"he")
    await answered(upstream)
    written = browser.take_written()
    assert b"Connection: close\r\n" in written
    assert written.endswith(b"ok")
    assert (upstream.was_aborted, bench.pool.idle_count, browser.wrote_eof) == (True, 0, True)
    browser.receive(b"llo" + request(b"GET", b"/open/y"))
    await turns()
    assert not browser.written


async def test_a_request_that_ends_while_its_answer_passes_leaves_the_upstream_usable() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5\r\n") + b"he")
    upstream.receive(OK[:-1])
    browser.receive(b"llo")
    await turns()
    await answered(upstream, OK[-1:])
    assert bench.pool.idle_count == 1
    assert browser.is_closing()


async def test_an_upstream_that_answers_without_having_read_is_not_used_again() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5\r\n"))
    upstream.peer_reads = False
    browser.receive(b"hello")
    await answered(upstream)
    assert status_of(browser.take_written()) == 200
    assert (bench.pool.idle_count, upstream.was_aborted) == (0, True)


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", CHUNKED])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE"])
async def test_an_upstream_that_may_not_have_expected_a_body_is_not_used_again(method: bytes, framing: bytes) -> None:
    bench = ProxyBench()
    body = b"hello" if b"Length" in framing else b"5\r\nhello\r\n0\r\n\r\n"
    browser = bench.browser()
    upstream = await bench.asked(browser, request(method, b"/open/x", framing) + body)
    assert upstream.take_written().endswith(framing + b"\r\n" + body)
    await answered(upstream, OK[:-2] if method == b"HEAD" else OK)
    assert status_of(browser.take_written()) == 200
    assert (bench.pool.idle_count, upstream.was_aborted) == (0, True)


@pytest.mark.parametrize("after", [b"x", OK])
async def test_bytes_after_an_answer_reach_nobody(after: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    await answered(upstream, OK + after)
    assert browser.take_written().count(b"HTTP/1.1") == 1
    assert (bench.pool.idle_count, upstream.was_aborted) == (0, True)


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 150 X\r\nContent-Length: 5\r\n\r\nEVIL!" + OK,
    ],
)
async def test_what_is_no_answer_becomes_502(answer: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    await answered(upstream, answer)
    written = browser.take_written()
    assert status_of(written) == 502
    assert b"EVIL" not in written
    assert (upstream.was_aborted, browser.is_closing(), bench.last_line.code) == (True, False, "upstream_unavailable")


async def test_half_an_answer_is_not_passed_for_a_whole_one() -> None:
    for answer in (OK[:-1], b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n"):
        bench = ProxyBench()
        browser = bench.browser()
        upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
        upstream.receive(answer)
        upstream.receive_eof()
        await turns()
        assert (browser.was_aborted, bench.is_at_rest, bench.last_line.status) == (True, True, 200)
        assert bench.last_line.code == "upstream_unavailable"


# Back-pressure from the browser.


async def test_a_browser_that_reads_slowly_slows_the_upstream_down() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    browser.peer_reads = False
    upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
    assert not upstream.is_reading()
    upstream.receive(b"x" * 100_000)
    assert len(browser.written) < 101_000
    browser.peer_takes_all()
    assert upstream.is_reading()
    await turns()
    assert len(body_of(browser.take_written())) == 200_000
    assert bench.pool.idle_count == 1


async def test_a_browser_that_still_reads_the_last_answer_gets_no_flood_of_the_next() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/1") + request(b"GET", b"/open/2"))
    browser.peer_reads = False
    await answered(upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert not upstream.is_reading()
    browser.peer_takes_all()
    assert upstream.is_reading()
    await answered(upstream)
    assert browser.take_written().endswith(b"ok")
    assert bench.pool.idle_count == 1
    assert upstream.is_reading()


async def test_a_slow_browser_does_not_stop_a_connection_that_is_idle_again() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/1"))
    browser.peer_reads = False
    await answered(upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert (bench.pool.idle_count, upstream.is_reading()) == (1, True)


async def test_a_browser_may_pause_and_go_on_while_there_is_no_upstream_yet() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/1", b"") + signed_in(b"GET", b"/api/2"))
    bench.sessions.fakes.answers_at_once = False
    browser.peer_reads = False
    await answered(upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert current(bench).state is State.ADMITTING
    browser.peer_takes_all()
    bench.sessions.fakes.answer()
    await turns()
    assert upstream.is_reading()
    await answered(upstream)
    assert browser.take_written().endswith(b"ok")


async def test_an_upstream_that_is_slow_to_take_the_end_of_a_request_pauses_nobody() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    bench.pool.may_connect.clear()
    browser.receive(request(b"POST", b"/open/x", b"", b"x" * 60_000))
    await turns()
    original = FakeTransport.connect

    def connect_slowly(transport: FakeTransport, protocol: asyncio.Protocol) -> None:
        transport.peer_reads = False
        original(transport, protocol)
        transport.write(b"x" * 60_000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeTransport, "connect", connect_slowly)
        bench.pool.may_connect.set()
        await turns()
    assert bench.pool.backs[0].is_write_paused
    assert browser.is_reading()


# Retries.


async def stale(bench: ProxyBench) -> FakeTransport:
    """Return an idle connection that has served a call."""
    await answered(await bench.asked(bench.browser(), request(b"GET", b"/open/first")))
    upstream = bench.pool.transports[0]
    upstream.take_written()
    return upstream


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
async def test_a_request_that_met_a_dead_idle_connection_is_sent_once_more(method: bytes) -> None:
    bench = ProxyBench()
    upstream = await stale(bench)
    browser = bench.browser()
    browser.receive(request(method, b"/open/x"))
    sent = upstream.take_written()
    upstream.lose(ConnectionResetError())
    await turns()
    assert bench.pool.transports[1].take_written() == sent
    await answered(bench.pool.transports[1], OK[:-2] if method == b"HEAD" else OK)
    assert status_of(browser.take_written()) == 200


async def test_a_request_is_sent_at_most_twice() -> None:
    bench = ProxyBench()
    upstream = await stale(bench)
    browser = bench.browser()
    browser.receive(request(b"GET", b"/open/x"))
    upstream.lose()
    await turns()
    bench.pool.transports[1].lose()
    await turns()
    assert status_of(browser.take_written()) == 502
    assert len(bench.pool.transports) == 2


@pytest.mark.parametrize(
    "data",
    [
        request(b"POST", b"/open/x"),
        request(b"PATCH", b"/open/x"),
        request(b"PUT", b"/open/x", b"", b"hello"),
        request(b"PUT", b"/open/x", CHUNKED) + b"0\r\n\r\n",
        request(b"PUT", b"/open/x", b"Content-Length: 5\r\n"),
        request(b"GET", b"/open/x", b"Content-Length: 5\r\n") + b"he",
    ],
)
async def test_a_request_that_might_have_been_acted_upon_is_not_sent_again(data: bytes) -> None:
    bench = ProxyBench()
    upstream = await stale(bench)
    browser = bench.browser()
    browser.receive(data)
    await turns()
    upstream.lose()
    await turns()
    assert status_of(browser.take_written()) == 502
    assert len(bench.pool.transports) == 1


@pytest.mark.parametrize("beginning", [b"H", OK[:-1], b"HTTP/1.1 103 Early\r\n\r\n"])
async def test_a_request_of_whose_answer_a_byte_has_come_is_not_sent_again(beginning: bytes) -> None:
    bench = ProxyBench()
    upstream = await stale(bench)
    browser = bench.browser()
    browser.receive(request(b"GET", b"/open/x"))
    upstream.receive(beginning)
    upstream.lose()
    await turns()
    assert len(bench.pool.transports) == 1
    assert bench.is_at_rest


async def test_a_fresh_connection_that_dies_is_no_stale_one() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.lose()
    await turns()
    assert status_of(browser.take_written()) == 502
    assert len(bench.pool.transports) == 1


async def test_an_idle_connection_known_to_be_dead_is_not_tried() -> None:
    bench = ProxyBench()
    upstream = await stale(bench)
    upstream.receive_eof()
    await bench.asked(bench.browser(), request(b"POST", b"/open/x", b"", b"hello"), count=2)


# Connections that cannot be had.


@pytest.mark.parametrize(
    "failure, status",
    [(UpstreamUnavailable("upstream.connect"), 502), (UpstreamTimeout("upstream.connect_timeout"), 504)],
)
async def test_a_connection_that_cannot_be_had_is_an_answer(failure: Exception, status: int) -> None:
    bench = ProxyBench()
    bench.pool.failure = failure
    browser = bench.browser()
    browser.receive(request(b"GET", b"/open/x"))
    await turns()
    assert status_of(browser.take_written()) == status
    assert not browser.is_closing()


async def test_after_a_large_request_that_was_refused_the_next_one_is_read() -> None:
    bench = ProxyBench()
    bench.pool.may_connect.clear()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"", b"x" * 70_000))
    await turns()
    assert not browser.is_reading()
    bench.pool.failure = UpstreamUnavailable("upstream.connect")
    bench.pool.may_connect.set()
    await turns()
    assert status_of(browser.take_written()) == 502
    assert browser.is_reading()
    bench.pool.failure = None
    await bench.asked(browser, request(b"GET", b"/open/y"))


async def test_a_defect_while_connecting_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    bench = ProxyBench()
    bench.pool.failure = ZeroDivisionError()
    browser = bench.browser()
    with caplog.at_level(logging.ERROR, logger="bff"):
        browser.receive(request(b"GET", b"/open/x"))
        await turns()
    assert status_of(browser.take_written()) == 500
    assert caplog.records[0].message == "internal_fault"


async def test_a_connection_lost_before_it_is_used_is_an_answer() -> None:
    bench = ProxyBench()
    bench.pool.is_lost_at_once = True
    browser = bench.browser()
    browser.receive(request(b"GET", b"/open/x"))
    await turns()
    assert status_of(browser.take_written()) == 502


# Ends.


@pytest.mark.parametrize("state", OPEN_STATES)
async def test_a_browser_may_leave_in_every_state(state: State) -> None:
    bench, browser = await in_state(state)
    browser.lose(ConnectionResetError())
    await turns()
    bench.sessions.fakes.answer()
    bench.pool.may_connect.set()
    await turns()
    assert bench.is_at_rest
    assert bench.pool.idle_count == 0
    assert all(transport.was_aborted for transport in bench.pool.transports)
    assert len(bench.log.lines) == 1
    assert bench.last_line.status == (200 if state is State.ANSWERING else 499)
    assert bench.last_line.code == "browser_left"


@pytest.mark.parametrize("state", OPEN_STATES)
async def test_a_call_is_broken_off_at_shutdown_in_every_state(state: State) -> None:
    bench, browser = await in_state(state)
    bench.context.close()
    await turns()
    assert (bench.is_at_rest, browser.was_aborted, bench.last_line.code) == (True, True, "shutdown")


@pytest.mark.parametrize("state", OPEN_STATES)
async def test_an_end_happens_once(state: State) -> None:
    bench, _ = await in_state(state)
    meters = [cast("Meter", route.meter) for route in bench.routes]
    exchange = current(bench)
    exchange.abort("first")
    exchange.abort("second")
    exchange.front_lost()
    exchange.refused(UpstreamUnavailable("third"))
    exchange.request_body(b"late")
    exchange.request_complete()
    await turns()
    assert [line.code for line in bench.log.lines] == ["first"]
    assert meters[0].refusals == meters[1].refusals == []
    assert bench.server_state.total_requests == 1


async def test_a_connection_that_comes_after_its_call_has_ended_is_closed() -> None:
    bench, browser = await in_state(State.CONNECTING)
    bench.pool.may_connect.set()
    # It connects in this turn of the loop; the browser leaves before anybody hears of it.
    await asyncio.sleep(0)
    browser.lose()
    await turns()
    assert bench.is_at_rest
    assert all(transport.is_closing() for transport in bench.pool.transports)


# Deadlines.


@pytest.mark.parametrize("state", [State.ADMITTING, State.CONNECTING, State.WAITING])
async def test_an_answer_that_does_not_come_in_time_is_504(state: State) -> None:
    bench, browser = await in_state(state)
    bench.sweep_at(30)
    assert not browser.written
    bench.sweep_at(31)
    await turns()
    assert status_of(browser.take_written()) == 504
    assert bench.is_at_rest
    assert not browser.is_closing()
    assert all(transport.was_aborted for transport in bench.pool.transports)


async def test_an_answer_that_has_begun_may_take_its_time() -> None:
    bench, browser = await in_state(State.ANSWERING)
    bench.sweep_at(100_000)
    assert not browser.is_closing()
    await answered(bench.pool.transports[0], b"k")
    assert browser.take_written().endswith(b"ok")


async def test_while_the_body_comes_the_deadline_moves_on() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5120\r\n"))
    for now in (20, 40, 60, 80, 100):
        bench.sweep_at(now)
        browser.receive(b"x" * 1024)
    bench.sweep_at(129)
    assert not browser.written
    bench.sweep_at(131)
    await turns()
    assert status_of(browser.take_written()) == 504
    assert upstream.was_aborted


async def test_a_body_of_single_bytes_moves_no_deadline() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5120\r\n"))
    for now in (5, 10, 15, 20, 25):
        bench.sweep_at(now)
        browser.receive(b"x")
    bench.sweep_at(36)
    await turns()
    assert status_of(browser.take_written()) == 400, "it is the browser that everybody waits for"
    assert upstream.was_aborted


async def test_a_browser_that_stops_sending_is_given_up() -> None:
    bench = ProxyBench(routes=[route_to("/open", 1, reads_session=False, timeout=1000.0)])
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5\r\n"))
    bench.sweep_at(60)
    assert not browser.is_closing()
    bench.sweep_at(61)
    await turns()
    assert (browser.was_aborted, upstream.was_aborted, bench.last_line.code) == (True, True, "browser_stalled")


async def test_a_browser_that_stops_reading_is_given_up_and_a_slow_one_is_not() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    browser.peer_reads = False
    upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
    for now in (50, 100, 150):
        browser._backlog -= 1
        bench.sweep_at(now)
    assert not browser.is_closing()
    bench.sweep_at(211)
    await turns()
    assert (browser.was_aborted, upstream.was_aborted, bench.last_line.code) == (True, True, "browser_stalled")


async def test_a_browser_that_waits_for_the_upstream_to_read_is_not_given_up() -> None:
    bench = ProxyBench(routes=[route_to("/open", 1, reads_session=False, timeout=1000.0)])
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 200000\r\n"))
    upstream.peer_reads = False
    browser.receive(b"x" * 100_000)
    bench.sweep_at(500)
    assert not browser.is_closing()
    bench.sweep_at(1001)
    await turns()
    assert status_of(browser.take_written()) == 504


async def test_a_quiet_stream_stays_open() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/events"))
    upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + CHUNKED + b"\r\n7\r\ndata:1\n\r\n")
    bench.sweep_at(100_000)
    assert browser.take_written().endswith(b"7\r\ndata:1\n\r\n")
    upstream.receive(b"7\r\ndata:2\n\r\n")
    assert browser.take_written() == b"7\r\ndata:2\n\r\n"
    browser.receive_eof()
    await turns()
    assert (upstream.was_aborted, bench.is_at_rest) == (True, True)


# Refusals.


@pytest.mark.parametrize(
    "fields, expected", [(b"Accept: text/html\r\n", b"text/html; charset=utf-8"), (b"", b"application/problem+json")]
)
async def test_a_person_gets_a_page_and_a_script_problem_details(fields: bytes, expected: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/x", fields))
    await turns()
    written = browser.take_written()
    assert b"\r\nContent-Type: " + expected + b"\r\n" in written
    assert b"\r\nCache-Control: no-store\r\n" in written
    assert b"/bff/login" in body_of(written)


async def test_a_refused_head_request_gets_no_body() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"HEAD", b"/api/x"))
    await turns()
    written = browser.take_written()
    assert status_of(written) == 401
    assert body_of(written) == b""
    assert not browser.is_closing()


async def test_a_client_that_wants_to_close_after_its_request_is_closed_after_a_refusal() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/x", b"Connection: close\r\n"))
    await turns()
    assert b"Connection: close\r\n" in browser.take_written()
    assert browser.is_closing()


# --- the end of the process ---

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\ndata: 1\n\n"


async def test_an_event_stream_is_broken_off_when_the_process_ends_and_looks_incomplete() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/events"))
    upstream.receive(EVENTS)
    bench.sweep_at(1)
    assert not bench.is_at_rest
    bench.front_of(browser).shutdown()
    bench.sweep_at(2)
    await turns()
    assert (bench.is_at_rest, browser.is_closing(), upstream.was_aborted) == (True, True, True)
    assert not browser.take_written().endswith(b"0\r\n\r\n")
    assert bench.last_line.code == "shutdown"


async def test_a_call_that_will_end_by_itself_is_answered_though_the_process_ends() -> None:
    bench = ProxyBench()
    browser, other = bench.browser(), bench.browser()
    waiting = await bench.asked(browser, request(b"GET", b"/open/x"))
    loading = await bench.asked(other, request(b"GET", b"/open/file"), count=2)
    loading.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
    for each in (browser, other):
        bench.front_of(each).shutdown()
    bench.sweep_at(1)
    waiting.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    loading.receive(b"done")
    await turns()
    written = browser.take_written()
    assert written.endswith(b"ok")
    assert b"\r\nConnection: close\r\n" in written
    assert other.take_written().endswith(b"halfdone")
    assert browser.is_closing()
    assert other.is_closing()


async def test_a_call_whose_answer_turns_out_to_be_a_stream_while_the_process_ends_is_broken_off() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/events"))
    bench.front_of(browser).shutdown()
    bench.sweep_at(1)
    upstream.receive(EVENTS)
    bench.sweep_at(2)
    assert bench.is_at_rest


async def test_bytes_that_are_no_request_end_one_connection_and_not_the_process() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    await bench.asked(browser, request(b"GET", b"/open/x") + b"\x00\x01 no request\r\n\r\n")
    assert not bench.context.is_stopping


async def test_a_redirection_to_the_upstreams_own_address_leads_through_the_gateway() -> None:
    relocation = Relocation(host=b"upstream.example", path=b"/v1", prefix=b"/api")
    bench = ProxyBench(routes=[route_to("/api", 1, upstream_path=b"/v1", reads_session=False, relocation=relocation)])
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/api/x"))
    upstream.receive(b"HTTP/1.1 307 X\r\nlocation: http://upstream.example/v1/x/\r\nContent-Length: 0\r\n\r\n")
    await turns()
    assert b"\r\nLocation: /api/x/\r\n" in browser.take_written()
