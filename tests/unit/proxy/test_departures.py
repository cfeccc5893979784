"""What is written in one turn of the event loop leaves together, in order, and never later than a close."""

from __future__ import annotations

import pytest

from bff.proxy.departures import MOST_HELD, Departures, DepartureTransport
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import ProxyBench, request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

pytestmark = pytest.mark.anyio


def _opened(departures: Departures | None = None) -> tuple[FakeTransport, DepartureTransport]:
    inner = FakeTransport()
    if departures is None:
        departures = Departures()
        departures.start()
    return inner, DepartureTransport(inner, departures)


async def test_small_pieces_leave_when_the_turn_is_over_and_those_of_one_connection_in_one_go() -> None:
    departures = Departures()
    departures.start()
    first, to_first = _opened(departures)
    second, to_second = _opened(departures)
    to_first.write(b"a")
    to_second.write(b"b")
    to_first.write(b"c")
    assert (first.writes, second.writes) == (0, 0)
    assert to_first.get_write_buffer_size() == 2
    await turns(1)
    assert (first.take_written(), first.writes, second.take_written()) == (b"ac", 1, b"b")
    assert to_first.get_write_buffer_size() == 0
    to_first.write(b"d")
    await turns(1)
    assert first.take_written() == b"d"


async def test_a_large_piece_leaves_at_once() -> None:
    inner, transport = _opened()
    transport.write(b"x" * (MOST_HELD + 1))
    assert len(inner.take_written()) == MOST_HELD + 1


async def test_no_more_is_held_for_a_connection_than_the_limit_and_all_of_it_in_order() -> None:
    inner, transport = _opened()
    transport.write(b"a" * MOST_HELD)
    assert not inner.written
    transport.write(b"b")
    assert inner.take_written() == b"a" * MOST_HELD + b"b"
    transport.write(b"c")
    transport.write(b"d" * (MOST_HELD + 1))
    assert inner.take_written() == b"c" + b"d" * (MOST_HELD + 1)
    await turns(1)
    assert inner.writes == 2


async def test_until_the_gateway_has_started_everything_leaves_at_once() -> None:
    inner, transport = _opened(Departures())
    transport.write(b"a")
    assert inner.take_written() == b"a"


async def test_a_close_comes_after_what_was_written_before_it() -> None:
    inner, transport = _opened()
    transport.write(b"a")
    transport.write_eof()
    assert (inner.take_written(), inner.wrote_eof) == (b"a", True)
    bench = ProxyBench()
    browser = bench.browser()
    browser.receive(b"GET / HTTP/9.9\r\nHost: app.example\r\n\r\n")
    assert browser.written.startswith(b"HTTP/1.1 400 ")
    assert browser.wrote_eof
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x", b"Connection: close\r\n"))
    upstream.receive(OK)
    assert (browser.written.endswith(b"ok"), browser.is_closing()) == (True, True)


async def test_what_waits_for_a_connection_that_is_broken_off_or_lost_is_dropped() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(OK)
    browser.lose()
    await turns()
    assert browser.writes == 0
    browser = bench.browser()
    browser.receive(request(b"GET", b"/open/x"))
    browser.lose()
    await turns()
    assert (upstream.writes, upstream.was_aborted) == (1, True)


async def test_a_browser_that_closes_its_side_gets_the_answer_that_was_given_in_the_same_turn() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(OK)
    assert not browser.written
    browser.receive_eof()
    assert browser.written.endswith(b"ok")


async def test_a_connection_whose_request_has_not_left_yet_is_not_used_again() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"POST", b"/open/x", b"Content-Length: 5\r\n") + b"he")
    upstream.receive(OK[:-1])
    browser.receive(b"llo")
    upstream.receive(b"k")
    assert (bench.pool.idle_count, upstream.was_aborted) == (0, True)


async def test_a_departure_transport_is_otherwise_the_one_beneath() -> None:
    inner, transport = _opened()
    transport.pause_reading()
    assert not inner.is_reading()
    assert not transport.is_reading()
    transport.resume_reading()
    assert transport.is_reading()
    assert (transport.can_write_eof(), transport.is_closing()) == (True, False)
    assert transport.get_extra_info("peername") == ("192.0.2.7", 40000)
