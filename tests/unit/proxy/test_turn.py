"""What arrives in one turn of the event loop is dealt with in a row, what is written leaves in a row, all in order."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bff.proxy.turn import LARGE, MOST_REQUESTS, MOST_WAITING, Turn, TurnTransport
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import ProxyBench, request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

pytestmark = pytest.mark.anyio


class Reader:
    """Notes what it reads, or fails."""

    def __init__(self, name: str, notes: list[str], error: Exception | None = None) -> None:
        transport = FakeTransport()
        transport.connect(asyncio.Protocol())
        self.transport: asyncio.Transport = transport
        self._name = name
        self._notes = notes
        self._error = error

    def read(self, data: bytes) -> None:
        if self._error is not None:
            raise self._error
        self._notes.append(f"{self._name}{len(data)}")


def started() -> Turn:
    turn = Turn()
    turn.start()
    return turn


async def test_what_arrives_is_read_in_its_order_when_the_turn_is_over() -> None:
    turn, notes = started(), list[str]()
    first, second = Reader("a", notes), Reader("b", notes)
    for reader, size in ((first, 1), (second, 2), (first, 3)):
        turn.arrived(turn.requests, reader, bytes(size))
    assert notes == []
    await turns(1)
    assert notes == ["a1", "b2", "a3"]
    turn.arrived(turn.requests, second, b"x")
    await turns(1)
    assert notes[3:] == ["b1"]


async def test_a_large_piece_does_not_wait_but_comes_after_what_arrived_before_it() -> None:
    turn, notes = started(), list[str]()
    first, second = Reader("a", notes), Reader("b", notes)
    turn.arrived(turn.requests, first, b"x")
    turn.arrived(turn.requests, second, bytes(LARGE + 1))
    assert notes == ["a1", f"b{LARGE + 1}"]


async def test_no_more_pieces_wait_than_the_limit() -> None:
    turn, notes = started(), list[str]()
    inner, transport = opened(turn)
    transport.write(b"a")
    reader = Reader("a", notes)
    for _ in range(MOST_WAITING - 1):
        turn.arrived(turn.requests, reader, b"x")
    assert (len(notes), inner.writes) == (0, 0)
    turn.arrived(turn.requests, reader, b"x")
    assert (len(notes), inner.writes) == (MOST_REQUESTS, 1)
    for _ in range(5 * MOST_REQUESTS):
        turn.arrived(turn.requests, reader, b"x")
        assert len(turn.requests) < MOST_WAITING
    for _ in range(2 * MOST_WAITING):
        turn.arrived(turn.answers, reader, b"x")
        assert len(turn.answers) < MOST_WAITING


async def test_of_many_requests_some_wait_until_the_answers_that_came_meanwhile_were_dealt_with() -> None:
    turn, notes = started(), list[str]()
    browser, upstream = Reader("request", notes), Reader("answer", notes)
    for _ in range(MOST_REQUESTS + 1):
        turn.arrived(turn.requests, browser, b"x")
    await turns(1)
    assert notes == ["request1"] * MOST_REQUESTS
    turn.arrived(turn.answers, upstream, b"xx")
    await turns(1)
    assert notes[MOST_REQUESTS:] == ["answer2", "request1"]
    await turns(1)
    assert len(notes) == MOST_REQUESTS + 2


async def test_what_waits_of_one_connection_can_be_taken_out_in_its_order() -> None:
    turn, notes = started(), list[str]()
    first, second = Reader("a", notes), Reader("b", notes)
    for size in (1, 2):
        turn.arrived(turn.requests, first, bytes(size))
        turn.arrived(turn.requests, second, bytes(size))
    assert turn.taken_out(first) == bytes(3)
    assert turn.taken_out(first) == b""
    await turns(1)
    assert notes == ["b1", "b2"]


async def test_a_reader_that_fails_loses_its_own_connection_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    turn, notes = started(), list[str]()
    broken = Reader("a", notes, ValueError("no"))
    turn.arrived(turn.requests, broken, b"x")
    turn.arrived(turn.requests, Reader("b", notes), b"x")
    with caplog.at_level(logging.ERROR):
        turn.catch_up()
    assert notes == ["b1"]
    assert [record.message for record in caplog.records] == ["proxy.internal_error"]
    assert broken.transport.is_closing()


async def test_what_was_written_leaves_before_what_has_arrived_is_read() -> None:
    # So that others have something to do meanwhile.
    turn = started()
    inner, transport = opened(turn)
    written_when_read: list[bytes] = []

    class Looking(Reader):
        def read(self, _data: bytes) -> None:
            written_when_read.append(bytes(inner.written))
            transport.write(b"b")

    turn.arrived(turn.requests, Looking("a", []), b"x")
    transport.write(b"a")
    await turns(1)
    assert (written_when_read, inner.writes) == ([b"a"], 1)
    await turns(1)
    assert inner.written == b"ab"


async def test_a_browser_that_closes_at_once_has_its_request_read_first() -> None:
    bench = ProxyBench(ends_turn=False)
    browser = bench.browser()
    browser.receive(request(b"GET", b"/elsewhere", host=b"evil.example"))
    assert browser.writes == 0
    browser.receive_eof()
    assert browser.written.startswith(b"HTTP/1.1 400 ")


async def test_an_upstream_that_closes_at_once_has_its_answer_read_first() -> None:
    for answer in (OK, b"HTTP/1.1 200 OK\r\n\r\nok"):
        bench = ProxyBench(ends_turn=False)
        browser = bench.browser()
        upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
        upstream.receive(answer)
        assert not bench.is_at_rest
        upstream.receive_eof()
        await turns()
        assert b"ok" in browser.take_written()
        assert bench.is_at_rest
    bench = ProxyBench(ends_turn=False)
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(OK)
    upstream.lose(ConnectionResetError())
    await turns()
    assert browser.take_written().endswith(b"ok")


async def test_what_an_idle_connection_sends_is_never_the_answer_to_a_call_of_the_same_turn() -> None:
    bench = ProxyBench(ends_turn=False)
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(OK)
    await turns()
    assert browser.take_written().endswith(b"ok")
    assert bench.context.pool.idle_count == 1
    (origin,) = bench.context.pool._idle
    upstream.receive(OK.replace(b"ok", b"no"))
    # As when the session that a call waits for is told in this very turn.
    assert bench.context.pool.take(origin) is None


async def test_nothing_is_read_of_a_browser_whose_connection_is_being_cut() -> None:
    bench = ProxyBench(ends_turn=False)
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    browser.receive(request(b"GET", b"/open/y"))
    bench.context.close()
    await turns()
    assert (upstream.was_aborted, bench.is_at_rest, browser.writes) == (True, True, 0)
    assert [line.path for line in bench.log.lines] == [b"/open/x"]


async def test_an_answer_that_has_arrived_is_not_late() -> None:
    bench = ProxyBench(ends_turn=False)
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(OK)
    bench.sweep_at(10_000.0)
    assert browser.take_written().endswith(b"ok")


def opened(turn: Turn | None = None) -> tuple[FakeTransport, TurnTransport]:
    inner = FakeTransport()
    return inner, TurnTransport(inner, started() if turn is None else turn)


async def test_small_pieces_leave_when_the_turn_is_over_and_those_of_one_connection_in_one_go() -> None:
    turn = started()
    first, to_first = opened(turn)
    second, to_second = opened(turn)
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
    inner, transport = opened()
    transport.write(b"x" * (LARGE + 1))
    assert len(inner.take_written()) == LARGE + 1


async def test_no_more_is_held_for_a_connection_than_the_limit_and_all_of_it_in_order() -> None:
    inner, transport = opened()
    transport.write(b"a" * LARGE)
    assert not inner.written
    transport.write(b"b")
    assert inner.take_written() == b"a" * LARGE + b"b"
    transport.write(b"c")
    transport.write(b"d" * (LARGE + 1))
    assert inner.take_written() == b"c" + b"d" * (LARGE + 1)
    await turns(1)
    assert inner.writes == 2


async def test_until_the_gateway_has_started_everything_leaves_at_once() -> None:
    inner, transport = opened(Turn())
    transport.write(b"a")
    assert inner.take_written() == b"a"


async def test_a_close_comes_after_what_was_written_before_it() -> None:
    inner, transport = opened()
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


async def test_what_waits_for_a_connection_that_is_lost_is_dropped() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(OK)
    browser.lose()
    await turns()
    assert browser.writes == 0


async def test_what_was_answered_before_a_call_is_broken_off_has_been_sent() -> None:
    # A browser that has got nothing on a connection it used before asks once more, whatever it has asked for.
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x"))
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n")
    upstream.receive(b"no chunk\r\n")
    assert (browser.written.endswith(b"4\r\ngood\r\n"), browser.was_aborted) == (True, True)


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
    inner, transport = opened()
    transport.pause_reading()
    assert not inner.is_reading()
    assert not transport.is_reading()
    transport.resume_reading()
    assert transport.is_reading()
    assert (transport.can_write_eof(), transport.is_closing()) == (True, False)
    assert transport.get_extra_info("peername") == ("192.0.2.7", 40000)


async def test_after_hurry_nothing_waits() -> None:
    inner, transport = opened()
    transport.write(b"a")
    transport.hurry()
    assert inner.written == b"a"
    transport.write(b"b")
    assert inner.written == b"ab"
