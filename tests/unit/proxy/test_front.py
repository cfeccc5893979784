"""A browser's connection: what is read as a request, in which order it is answered, and when the connection closes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from bff.proxy.incoming import FIELD_LIMIT, HEAD_LIMIT
from bff.proxy.patience import HEAD_DEADLINE, KEEP_ALIVE, LINGER, STALL_LIMIT
from bff.proxy.pipeline import MOST_WAITING
from tests.support.fake_transports import FakeTransport, turn_until, turns
from tests.support.proxy_bench import ProxyBench, request, signed_in

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def statuses(written: bytes) -> list[int]:
    """Return the statuses of the answers in what was written."""
    return [int(part[:3]) for part in written.split(b"HTTP/1.1 ")[1:]]


async def answered(transport: FakeTransport, answer: bytes = OK) -> None:
    transport.receive(answer)
    await turns()


# One request at a time.


async def test_pipelined_requests_are_answered_one_after_the_other() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, b"".join(request(b"GET", b"/open/%d" % number) for number in range(3)))
    for number in range(3):
        sent = upstream.take_written()
        assert sent.startswith(b"GET /%d HTTP/1.1\r\n" % number)
        assert sent.count(b"HTTP/1.1") == 1
        await answered(upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
    assert [part[-1:] for part in browser.take_written().split(b"HTTP/1.1 ")[1:]] == [b"0", b"1", b"2"]
    assert browser.is_reading()


@pytest.mark.parametrize("refused", [b"/api/x", b"/open/.."])
async def test_what_waits_behind_a_refused_request_is_answered(refused: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    pipelined = request(b"GET", b"/open/1") + request(b"GET", refused) + request(b"GET", b"/open/3")
    upstream = await bench.asked(browser, pipelined)
    await answered(upstream)
    await answered(upstream)
    written = browser.take_written()
    assert statuses(written)[::2] == [200, 200]
    assert statuses(written)[1] in (400, 401)
    assert bench.is_at_rest


async def test_a_waiting_request_keeps_its_body() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/1") + request(b"POST", b"/open/2", b"", b"hello"))
    upstream.take_written()
    await answered(upstream)
    sent = upstream.take_written()
    assert sent.startswith(b"POST /2 ")
    assert sent.endswith(b"Content-Length: 5\r\n\r\nhello")
    await answered(upstream)
    assert statuses(browser.take_written()) == [200, 200]


async def test_a_waiting_request_whose_body_is_still_on_its_way_gets_all_of_it() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    pipelined = request(b"GET", b"/open/1") + request(b"POST", b"/open/2", b"", b"hello")
    upstream = await bench.asked(browser, pipelined[:-3])
    browser.receive(pipelined[-3:-1])
    upstream.take_written()
    await answered(upstream)
    browser.receive(pipelined[-1:])
    await turns()
    assert upstream.take_written().endswith(b"\r\n\r\nhello")


async def test_a_browser_that_leaves_while_a_request_of_its_waits_is_noticed() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    await bench.asked(browser, request(b"GET", b"/open/1") + request(b"GET", b"/open/2"))
    assert browser.is_reading()
    browser.lose()
    await turns()
    assert not bench.context.exchanges
    assert not bench.context.fronts


async def test_only_so_much_is_held_behind_a_waiting_request() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    head = b"POST /open/2 HTTP/1.1\r\nHost: app.example\r\nContent-Length: 200000\r\n\r\n"
    upstream = await bench.asked(browser, request(b"GET", b"/open/1") + head)
    browser.receive(b"x" * 40_000)
    assert browser.is_reading()
    browser.receive(b"x" * 40_000)
    assert not browser.is_reading()
    upstream.take_written()
    await answered(upstream)
    await turns()
    assert browser.is_reading()
    browser.receive(b"x" * 120_000)
    await turns()
    assert upstream.take_written().endswith(b"x" * 1000)


async def test_a_waiting_request_in_chunks_is_not_ended_before_its_last_one() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    head = request(b"POST", b"/open/2", b"Transfer-Encoding: chunked\r\n")
    upstream = await bench.asked(browser, request(b"GET", b"/open/1") + head + b"5\r\nhe")
    upstream.take_written()
    await answered(upstream)
    browser.receive(b"llo\r\n")
    await turns()
    assert upstream.take_written().endswith(b"\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n")


async def test_what_arrives_between_two_pipelined_requests_is_served_after_both() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/bff/x", b"", b"a") + request(b"GET", b"/open/2"))
    await turn_until(lambda: b"/bff/x a" in browser.written)
    # The first has just been answered; the second is due, but has not been dispatched.
    browser.resume_reading()
    browser.receive(request(b"GET", b"/open/3"))
    await turns()
    upstream = bench.pool.transports[0]
    assert upstream.take_written().startswith(b"GET /2 ")
    await answered(upstream)
    assert upstream.take_written().startswith(b"GET /3 ")
    assert len(bench.pool.transports) == 1


async def test_an_upstream_that_keeps_up_again_is_no_reason_to_read_on_while_a_request_waits() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    await bench.asked(browser, request(b"GET", b"/open/1") + request(b"GET", b"/open/2"))
    browser.receive(b"x" * 70_000)
    assert not browser.is_reading()
    bench.pool.backs[0].pause_writing()
    bench.pool.backs[0].resume_writing()
    assert not browser.is_reading()


async def test_a_long_pipeline_is_no_deep_recursion() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/x") * 1500)
    await turn_until(lambda: browser.written.count(b"HTTP/1.1 401") == 1500)
    assert bench.is_at_rest


# Nothing is read as a part of another request.


async def test_only_so_many_requests_wait_and_the_last_of_them_ends_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/first") + request(b"GET", b"/bff/x") * 3000)
    assert len(bench.front_of(browser)._waiting) == MOST_WAITING
    browser.receive(request(b"GET", b"/bff/x"))
    upstream.receive(OK)
    await turn_until(browser.is_closing)
    assert statuses(browser.take_written()) == [200] * (1 + MOST_WAITING)
    assert bench.is_at_rest


async def test_a_request_after_the_last_one_reaches_no_upstream() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    whole = request(b"POST", b"/open/x", b"", b"hello")
    upstream = await bench.asked(browser, whole[:-3])
    next(iter(bench.context.fronts)).shutdown()
    browser.receive(whole[-3:])
    browser.receive(request(b"POST", b"/open/y", b"", b"GET /evil HTTP/1.1\r\nHost: upstream.example\r\n\r\n"))
    browser.receive(request(b"POST", b"/open/z", b"Transfer-Encoding: chunked\r\n") + b"1\r\na\r\n0\r\n\r\n")
    await turns()
    assert upstream.take_written().endswith(b"\r\n\r\nhello")
    await answered(upstream)
    assert statuses(browser.take_written()) == [200]
    assert browser.wrote_eof


async def test_a_request_after_an_upgrade_reaches_no_upstream() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upgrade = request(b"GET", b"/open/x", b"Connection: upgrade\r\nUpgrade: h2c\r\n")
    upstream = await bench.asked(browser, upgrade + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    browser.receive(request(b"POST", b"/open/y", b"", b"GET /evil HTTP/1.1\r\n\r\n"))
    await answered(upstream)
    sent = upstream.take_written()
    assert sent.count(b"HTTP/1.1") == 1
    assert b"Upgrade" not in sent
    assert statuses(browser.take_written()) == [200]
    assert browser.wrote_eof


async def test_a_waiting_upgrade_is_answered_as_a_plain_request() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upgrade = request(b"GET", b"/open/2", b"Connection: upgrade\r\nUpgrade: websocket\r\n")
    upstream = await bench.asked(browser, request(b"GET", b"/open/1") + upgrade)
    await answered(upstream)
    await answered(upstream)
    written = browser.take_written()
    assert statuses(written) == [200, 200]
    assert b"101" not in written
    assert browser.wrote_eof or browser.is_closing()


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_an_upgrade_with_a_body_is_refused(framing: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"Connection: upgrade\r\nUpgrade: h2c\r\n" + framing) + b"hello")
    await turns()
    assert statuses(browser.take_written()) == [400]
    assert not bench.pool.backs


async def test_garbage_behind_a_request_does_not_spoil_its_answer() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x") + b"GARBAGE\r\n\r\n")
    await answered(upstream)
    written = browser.take_written()
    assert statuses(written) == [200]
    assert b"Connection: close\r\n" in written
    assert browser.wrote_eof


async def test_garbage_behind_an_endpoints_request_does_not_spoil_its_answer() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/bff/x") + b"GARBAGE\r\n\r\n")
    await turns(20)
    assert statuses(browser.take_written()) == [200]
    assert browser.is_closing()


async def test_a_waiting_request_with_a_malformed_body_is_not_served() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    bad = request(b"POST", b"/open/2", b"Transfer-Encoding: chunked\r\n") + b"xyz\r\n"
    upstream = await bench.asked(browser, request(b"GET", b"/open/1") + bad)
    await answered(upstream)
    assert upstream.take_written().count(b"HTTP/1.1") == 1
    assert statuses(browser.take_written()) == [200]


async def test_a_malformed_body_ends_its_call_and_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(
        browser, request(b"POST", b"/open/x", b"Transfer-Encoding: chunked\r\n") + b"1\r\na\r\n"
    )
    browser.receive(b"xyz\r\n")
    await turns()
    assert statuses(browser.take_written()) == [400]
    assert (browser.wrote_eof, upstream.was_aborted, bench.is_at_rest) == (True, True, True)
    browser.receive(request(b"GET", b"/open/y"))
    assert not browser.written


async def test_a_malformed_body_for_an_endpoint_ends_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/bff/x", b"Transfer-Encoding: chunked\r\n") + b"1\r\na\r\n")
    await turns()
    browser.receive(b"xyz\r\n")
    await turns()
    assert (browser.was_aborted, browser.take_written()) == (True, b"")


async def test_a_malformed_rest_of_a_refused_request_ends_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/api/x", b"Content-Length: 3\r\n") + b"a")
    await turns()
    assert statuses(browser.take_written()) == [401]
    browser.receive(b"bc" + b"GARBAGE\r\n\r\n")
    await turns()
    assert statuses(browser.take_written()) == [400]
    assert browser.wrote_eof


async def test_the_rest_of_a_refused_request_is_no_request() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    inner = request(b"GET", b"/open/evil")
    browser.receive(request(b"POST", b"/api/x", b"Content-Length: %d\r\n" % len(inner)))
    await turns()
    browser.receive(inner)
    await turns()
    assert not bench.pool.backs
    upstream = await bench.asked(browser, request(b"GET", b"/open/good"))
    assert upstream.take_written().startswith(b"GET /good ")


async def test_a_large_refused_request_is_read_no_further() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/api/x", b"Content-Length: 100000\r\n"))
    await turns()
    written = browser.take_written()
    assert statuses(written) == [401]
    assert b"Connection: close" in written
    assert browser.wrote_eof
    browser.receive(b"x" * 100_000 + request(b"GET", b"/open/y"))
    await turns()
    assert not browser.written
    assert not bench.pool.backs


# Limits.


async def test_a_head_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    for size, expected in [(HEAD_LIMIT, 1), (HEAD_LIMIT + 1, 0)]:
        bench = ProxyBench()
        browser = bench.browser()
        head = request(b"GET", b"/open/x", b"X-Fill: " + b"a" * (size - 7 - 4 - 11 - 4 - 6 - 4) + b"\r\n")
        browser.receive(head + request(b"GET", b"/open/y"))
        await turns()
        assert len(bench.pool.backs) == expected
        assert statuses(browser.take_written()) == [431] * (1 - expected)


@pytest.mark.parametrize("first", [b"/api/x", b"/open/x", b"/bff/x"])
async def test_a_large_head_in_the_same_read_as_the_request_before_is_refused(first: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    large = request(b"GET", b"/open/large", b"X-Fill: " + b"a" * HEAD_LIMIT + b"\r\n")
    browser.receive(request(b"GET", first) + large)
    await turns(20)
    if bench.pool.transports:
        await answered(bench.pool.transports[0])
    assert statuses(browser.take_written())[1:] == [431]
    assert len(bench.pool.backs) <= 1


async def test_a_head_that_grows_behind_another_request_does_not_spoil_that_ones_answer() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    for _ in range(20):
        browser.receive(b"GET /open/y HTTP/1.1\r\nX: " + b"a" * 4096)
    assert not browser.written
    await answered(upstream)
    assert statuses(browser.take_written()) == [200]
    assert browser.wrote_eof


async def test_too_many_fields_are_refused() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/open/x", b"A: b\r\n" * FIELD_LIMIT))
    await turns()
    assert statuses(browser.take_written()) == [431]


@pytest.mark.parametrize("target", [b"/open/x", b"/bff/x"])
@pytest.mark.parametrize(
    "endless", [b"a" * 4096, b"X: y\r\n" * 1000, b"X: " + b"a" * 4096], ids=["name", "lines", "values"]
)
async def test_an_endless_trailer_section_ends_the_connection(target: bytes, endless: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", target, b"Transfer-Encoding: chunked\r\n") + b"1\r\na\r\n0\r\n")
    await turns()
    for _ in range(20):
        browser.receive(endless)
    await turns()
    assert browser.was_aborted or browser.wrote_eof
    assert bench.is_at_rest


async def test_an_endless_chunk_extension_ends_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/open/x", b"Transfer-Encoding: chunked\r\n") + b"1;a=")
    for _ in range(20):
        browser.receive(b"b" * 4096)
    await turns()
    assert statuses(browser.take_written()) == [400]


async def test_endless_empty_lines_are_no_request() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    for _ in range(20):
        browser.receive(b"\r\n" * 2048)
    await turns()
    assert statuses(browser.take_written()) == [431]


async def test_a_few_empty_lines_before_a_request_are_ignored() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, b"\r\n\r\n" + request(b"GET", b"/open/x"))
    assert upstream.take_written().startswith(b"GET /x ")


# Deadlines.


async def test_a_late_head_closes_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(b"GET /open/x HTTP/1.1\r\nHost: app")
    bench.sweep_at(HEAD_DEADLINE - 1)
    assert not browser.is_closing()
    browser.receive(b"X: y")
    bench.sweep_at(HEAD_DEADLINE + 1)
    assert browser.is_closing()


async def test_a_connection_without_a_request_closes() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    bench.sweep_at(HEAD_DEADLINE + 1)
    assert browser.is_closing()


async def test_an_idle_connection_is_kept_for_a_while() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    await answered(await bench.asked(browser, request(b"GET", b"/open/x")))
    bench.sweep_at(KEEP_ALIVE - 1)
    assert not browser.is_closing()
    bench.sweep_at(KEEP_ALIVE + 1)
    assert browser.is_closing()


async def test_a_refused_request_leaves_an_idle_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/x"))
    bench.sweep_at(KEEP_ALIVE - 1)
    assert not browser.is_closing()


async def test_a_late_rest_of_a_refused_request_closes_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/api/x", b"Content-Length: 3\r\n"))
    bench.sweep_at(HEAD_DEADLINE + 1)
    assert browser.is_closing()


async def test_a_late_head_behind_another_request_closes_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x") + b"GET /open/y HT")
    bench.sweep_at(HEAD_DEADLINE + 1)
    assert not browser.is_closing()
    await answered(upstream)
    bench.sweep_at(2 * HEAD_DEADLINE + 3)
    assert browser.is_closing()


async def test_a_late_body_for_an_endpoint_ends_the_connection() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"POST", b"/bff/x", b"Content-Length: 3\r\n"))
    await turns()
    bench.sweep_at(HEAD_DEADLINE - 1)
    browser.receive(b"a")
    bench.sweep_at(HEAD_DEADLINE + 1)
    assert not browser.is_closing()
    bench.sweep_at(2 * HEAD_DEADLINE + 1)
    assert browser.was_aborted


async def _never(_scope: Any, _receive: Any, _send: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def test_an_endpoint_may_take_its_time() -> None:
    bench = ProxyBench(application=_never)
    browser = bench.browser()
    browser.receive(request(b"GET", b"/bff/x"))
    await turns()
    bench.sweep_at(1000)
    assert not browser.is_closing()


async def test_a_body_an_endpoint_has_not_asked_for_is_not_late() -> None:
    bench = ProxyBench(application=_never)
    browser = bench.browser()
    browser.receive(request(b"POST", b"/bff/x", b"Content-Length: 3\r\nExpect: 100-continue\r\n"))
    await turns()
    bench.sweep_at(1000)
    assert not browser.is_closing()


async def _large(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10):
        await send({"type": "http.response.body", "body": b"x" * 50_000, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def test_who_does_not_read_an_endpoints_answer_is_dropped() -> None:
    bench = ProxyBench(application=_large)
    browser = bench.browser()
    browser.peer_reads = False
    browser.receive(request(b"GET", b"/bff/x"))
    await turns()
    bench.sweep_at(1)
    bench.sweep_at(STALL_LIMIT)
    assert not browser.is_closing()
    browser._backlog -= 1000
    bench.sweep_at(STALL_LIMIT + 2)
    bench.sweep_at(2 * STALL_LIMIT)
    assert not browser.is_closing()
    bench.sweep_at(2 * STALL_LIMIT + 3)
    assert browser.was_aborted


async def test_who_reads_an_endpoints_answer_slowly_gets_all_of_it() -> None:
    bench = ProxyBench(application=_large)
    browser = bench.browser()
    browser.peer_reads = False
    browser.receive(request(b"GET", b"/bff/x"))
    await turns()
    assert len(browser.written) < 200_000
    browser.peer_reads = True
    browser.peer_takes_all()
    await turns(20)
    assert browser.written.count(b"x") >= 500_000


async def test_who_does_not_read_the_end_of_an_answer_is_dropped() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.peer_reads = False
    await answered(await bench.asked(browser, request(b"GET", b"/open/x", b"Connection: close\r\n")))
    assert browser.is_closing()
    bench.sweep_at(STALL_LIMIT - 1)
    assert not browser.was_aborted
    bench.sweep_at(2 * STALL_LIMIT + 1)
    assert browser.was_aborted


async def test_what_a_refused_client_still_sends_is_read_for_a_moment_only() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(b"GARBAGE\r\n\r\n")
    assert browser.wrote_eof
    browser.receive(b"more of it" * 1000)
    bench.sweep_at(LINGER - 1)
    assert not browser.was_aborted
    bench.sweep_at(LINGER + 1)
    assert browser.was_aborted


async def test_a_connection_that_cannot_be_half_closed_lingers_as_well() -> None:
    bench = ProxyBench()
    browser = bench.browser(can_write_eof=False)
    browser.receive(b"GARBAGE\r\n\r\n")
    assert statuses(browser.take_written()) == [400]
    bench.sweep_at(LINGER + 1)
    assert browser.was_aborted


# What is refused before anybody is asked.


@pytest.mark.parametrize(
    "head",
    [
        b"GET /open/x HTTP/1.1\r\n\r\n",
        b"GET /open/x HTTP/1.1\r\nHost: app.example\r\nHost: app.example\r\n\r\n",
        b"GET /open/x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /bff/x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET http://app.example/open/x HTTP/1.1\r\nHost: app.example\r\n\r\n",
        b"GET /open/x HTTP/2.0\r\nHost: app.example\r\n\r\n",
        b"GET /open/x HTTP/0.9\r\nHost: app.example\r\n\r\n",
        b"CONNECT app.example:443 HTTP/1.1\r\nHost: app.example\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: app.example\r\n\r\n",
        b"POST /open/x HTTP/1.0\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /bff/x HTTP/1.0\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /open/x HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        b"POST /bff/x HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_an_ambiguous_head_is_refused_and_the_connection_ends(head: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(head + request(b"GET", b"/open/y"))
    await turns(20)
    assert statuses(browser.take_written()) == [400]
    assert browser.wrote_eof
    assert not bench.pool.backs
    assert (bench.last_line.status, bench.last_line.route, bench.last_line.path) == (400, "-", b"-")


@pytest.mark.parametrize("path", [b"/healthz", b"/readyz", b"/bff/backchannel-logout"])
async def test_machines_may_know_the_gateway_by_another_name(path: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"GET", path, host=b"10.0.0.1:8080") + request(b"GET", path, host=b"pod.internal"))
    await turns(20)
    assert statuses(browser.take_written()) == [200, 200]


async def test_a_defect_while_reading_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    bench = ProxyBench()

    def fails(_path: bytes) -> None:
        raise ZeroDivisionError

    bench.context.routes.match = fails  # type: ignore[method-assign, assignment]
    browser = bench.browser()
    with caplog.at_level(logging.ERROR, logger="bff.proxy"):
        browser.receive(request(b"GET", b"/open/x"))
    await turns()
    assert [record.message for record in caplog.records] == ["proxy.internal_error"]
    assert browser.wrote_eof


# Endpoints.


async def test_what_is_not_proxied_reaches_the_application_unchanged() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(request(b"PUT", b"/bff/a%2Fb?x=1&x=2", b"", b"hello"))
    await turns(20)
    written = browser.take_written()
    assert written.endswith(b"PUT /bff/a%2Fb hello")
    assert browser.is_reading()
    browser.receive(request(b"GET", b"/bff/next"))
    await turns(20)
    assert browser.take_written().endswith(b"GET /bff/next ")


async def test_a_large_body_for_an_endpoint_waits_until_it_is_read() -> None:
    bench = ProxyBench(application=_never)
    browser = bench.browser()
    browser.receive(request(b"POST", b"/bff/x", b"Content-Length: 200000\r\n") + b"x" * 70_000)
    await turns()
    assert not browser.is_reading()


async def _answers_early(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_an_endpoint_that_answers_before_a_small_body_keeps_the_connection() -> None:
    bench = ProxyBench(application=_answers_early)
    browser = bench.browser()
    browser.receive(request(b"POST", b"/bff/x", b"Content-Length: 200\r\n"))
    await turns()
    assert statuses(browser.take_written()) == [403]
    assert not browser.wrote_eof
    await bench.asked(browser, b"x" * 200 + request(b"GET", b"/open/x"))


async def test_an_endpoint_that_answers_before_a_large_body_ends_the_connection() -> None:
    bench = ProxyBench(application=_answers_early)
    browser = bench.browser()
    browser.receive(request(b"POST", b"/bff/x", b"Content-Length: 200000\r\n"))
    await turns()
    assert statuses(browser.take_written()) == [403]
    assert browser.wrote_eof
    browser.receive(b"x" * 200 + request(b"GET", b"/open/x"))
    await turns()
    assert not bench.pool.backs


@pytest.mark.parametrize("version, interim", [(b"1.1", True), (b"1.0", False)])
async def test_an_endpoint_asks_for_an_expected_body_where_the_version_knows_how(version: bytes, interim: bool) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    head = b"POST /bff/x HTTP/%b\r\nHost: app.example\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n" % version
    browser.receive(head)
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 100 ") is interim


# Shutdown, and the browser leaves.


async def test_shutdown_closes_an_idle_connection_and_lets_a_call_end() -> None:
    bench = ProxyBench()
    idle, busy = bench.browser(), bench.browser()
    upstream = await bench.asked(busy, request(b"GET", b"/open/x"))
    for front in tuple(bench.context.fronts):
        front.shutdown()
    assert idle.is_closing()
    assert not busy.is_closing()
    await answered(upstream)
    written = busy.take_written()
    assert b"Connection: close" in written
    assert busy.is_closing()


async def test_a_browser_that_leaves_is_forgotten_with_all_it_asked_for() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/1"))
    browser.receive(request(b"GET", b"/open/2"))
    browser.lose(ConnectionResetError())
    await turns()
    assert (bench.is_at_rest, upstream.was_aborted, bench.context.fronts) == (True, True, set())
    assert (bench.last_line.status, bench.last_line.code) == (499, "browser_left")


async def test_a_browser_that_leaves_between_two_pipelined_requests_gets_neither() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/1") + request(b"GET", b"/open/2"))
    upstream.take_written()
    upstream.receive(OK)
    browser.lose()
    await turns()
    assert not upstream.written
    assert bench.is_at_rest


async def test_a_signed_in_request_is_answered() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, signed_in(b"GET", b"/api/x"))
    assert b"Authorization: Bearer token-1\r\n" in upstream.take_written()
    await answered(upstream)
    assert statuses(browser.take_written()) == [200]


@pytest.mark.parametrize("data", [request(b"HEAD", b"/open/..;/x"), request(b"HEAD", b"/open/x", host=b"evil.example")])
async def test_a_head_request_that_is_refused_is_answered_and_written_down_without_a_body(data: bytes) -> None:
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(data)
    await turns()
    assert browser.take_written().endswith(b"\r\n\r\n")
    assert (bench.last_line.status, bench.last_line.sent) == (400, 0)
