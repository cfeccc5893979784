"""Calls that stay open end with their session, and no others."""

from __future__ import annotations

import pytest

from bff.errors import SessionEnded, SessionExpired, StoreUnavailable
from bff.proxy import session_watch
from bff.proxy.session_watch import RECHECK, RECHECK_DEAF
from bff.session.store import StoredSession
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import ProxyBench, request, signed_in

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
LIFETIME = 8 * 3600


async def streaming() -> tuple[ProxyBench, FakeTransport, FakeTransport]:
    """Return both ends of an event stream that a sweep has seen, and whose session has been read once more."""
    bench = ProxyBench()
    bench.context.watch.start()
    browser = bench.browser()
    upstream = await bench.asked(browser, signed_in(b"GET", b"/api/events"))
    upstream.receive(STREAM)
    await turns()
    bench.sweep_at(1)
    await turns()
    assert reads(bench) == 2
    return bench, browser, upstream


def reads(bench: ProxyBench) -> int:
    return len(bench.sessions.fakes.reads)


async def sweep(bench: ProxyBench, *, after: float) -> None:
    bench.clock.advance(after)
    bench.sweep_at(bench.context.now + after)
    await turns()


async def test_a_stream_is_broken_off_at_once_when_its_session_is_ended_anywhere() -> None:
    bench, browser, upstream = await streaming()
    bench.sessions.fakes.end("backchannel_logout")
    await turns()
    assert (browser.was_aborted, upstream.was_aborted, bench.is_at_rest) == (True, True, True)
    assert not browser.take_written().endswith(b"0\r\n\r\n"), "half an answer must not look like a whole one"
    assert (bench.last_line.status, bench.last_line.code) == (200, "session_ended")


async def test_what_was_read_before_announcements_were_heard_is_read_again() -> None:
    bench, browser, _ = await streaming()
    bench.context.watch.deaf("timeout")
    bench.sessions.fakes.answers_at_once = False
    await sweep(bench, after=1)
    _, stale = bench.sessions.fakes.reads[-1]
    # The store has answered, the session ends unheard, and only then the announcements and that answer arrive.
    bench.context.watch.hearing()
    if not stale.done():
        stale.set_result(bench.sessions.fakes.found)
    bench.sessions.fakes.answers_at_once = True
    bench.sessions.refusal = SessionEnded("session.ended.logout")
    await sweep(bench, after=1)
    assert browser.was_aborted


async def test_the_end_of_another_session_ends_nothing() -> None:
    bench, browser, _ = await streaming()
    bench.context.watch.session_ended("another key", "logout")
    await turns()
    assert not browser.was_aborted


async def test_a_short_call_is_never_watched() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, signed_in(b"GET", b"/api/x"))
    bench.sweep_at(1)
    bench.sessions.fakes.end("logout")
    await turns()
    assert reads(bench) == 1
    assert not browser.was_aborted, "what was asked for before the logout is answered"
    upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert browser.take_written().endswith(b"ok")


async def test_a_stream_whose_session_ended_before_anybody_watched_ends_at_the_next_sweep() -> None:
    bench = ProxyBench()
    bench.context.watch.start()
    browser = bench.browser()
    upstream = await bench.asked(browser, signed_in(b"GET", b"/api/events"))
    bench.sessions.fakes.end("logout")
    upstream.receive(STREAM)
    bench.sessions.refusal = SessionExpired("session.not_found")
    bench.sweep_at(1)
    await turns()
    assert browser.was_aborted


async def test_a_stream_without_a_session_is_nobodys() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/events"))
    upstream.receive(STREAM)
    await sweep(bench, after=LIFETIME * 2)
    assert not browser.was_aborted
    assert reads(bench) == 0


async def test_a_session_is_read_again_before_it_would_pass_a_limit_and_now_and_then() -> None:
    bench, browser, _ = await streaming()
    await sweep(bench, after=RECHECK - 1)
    assert reads(bench) == 2
    await sweep(bench, after=1)
    assert reads(bench) == 3
    bench.sessions.limit = bench.clock() + RECHECK + 5
    await sweep(bench, after=RECHECK)
    await sweep(bench, after=4)
    assert reads(bench) == 4
    bench.sessions.limit = None
    await sweep(bench, after=1)
    assert reads(bench) == 5
    assert not browser.was_aborted


async def test_a_stream_alone_keeps_no_session_alive() -> None:
    bench, browser, upstream = await streaming()
    upstream.receive(b"data: 2\n\n")
    bench.sessions.refusal = SessionExpired("session.idle_limit")
    await sweep(bench, after=RECHECK)
    assert browser.was_aborted
    assert bench.last_line.code == "session_expired"
    assert bench.sessions.touched == []


async def test_the_absolute_limit_needs_no_store() -> None:
    bench, browser, _ = await streaming()
    bench.sessions.fakes.failure = StoreUnavailable("store.unreachable")
    await sweep(bench, after=LIFETIME - 1)
    assert not browser.was_aborted
    await sweep(bench, after=1)
    assert browser.was_aborted


async def test_an_outage_of_the_store_ends_no_stream_and_is_asked_about_until_it_is_over() -> None:
    bench, browser, _ = await streaming()
    bench.sessions.fakes.failure = StoreUnavailable("store.unreachable")
    for count in range(3):
        await sweep(bench, after=RECHECK if not count else RECHECK_DEAF)
        assert reads(bench) == 3 + count
    assert not browser.was_aborted
    bench.sessions.fakes.failure, bench.sessions.fakes.found = None, None
    bench.sessions.refusal = SessionExpired("session.not_found")
    await sweep(bench, after=RECHECK_DEAF)
    assert browser.was_aborted


async def test_while_endings_may_go_unheard_sessions_are_read_all_the_time_and_that_is_said_once() -> None:
    bench, browser, _ = await streaming()
    bench.context.watch.deaf("store.unreachable")
    bench.context.watch.deaf("store.timeout")
    for count in range(3):
        await sweep(bench, after=RECHECK_DEAF)
        assert reads(bench) == 3 + count
    bench.context.watch.hearing()
    await sweep(bench, after=0)
    assert reads(bench) == 6, "what ended unheard is found out"
    await sweep(bench, after=RECHECK_DEAF)
    assert reads(bench) == 6
    assert bench.events == [("store.endings_unheard", {"reason": "store.unreachable"}), ("store.endings_heard", {})]
    assert not browser.was_aborted


async def test_many_calls_of_one_session_cost_one_read_and_end_together() -> None:
    bench, first, _ = await streaming()
    second = bench.browser()
    upstream = await bench.asked(second, signed_in(b"GET", b"/api/events"), count=2)
    upstream.receive(STREAM)
    await sweep(bench, after=1)
    assert reads(bench) == 3
    first.lose()
    await sweep(bench, after=RECHECK)
    assert reads(bench) == 4
    bench.sessions.fakes.end("logout")
    await turns()
    assert second.was_aborted
    await sweep(bench, after=RECHECK)
    assert reads(bench) == 4


async def test_a_read_under_way_is_waited_for_and_ends_nothing_twice() -> None:
    bench, browser, _ = await streaming()
    bench.sessions.fakes.answers_at_once = False
    await sweep(bench, after=RECHECK)
    await sweep(bench, after=RECHECK)
    assert reads(bench) == 3
    bench.sessions.fakes.end("logout")
    bench.sessions.fakes.answer()
    await turns()
    assert browser.was_aborted
    assert len(bench.log.lines) == 1


async def test_only_so_many_sessions_are_read_for_one_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_watch, "MOST_READS", 0)
    bench = ProxyBench()
    upstream = await bench.asked(bench.browser(), signed_in(b"GET", b"/api/events"))
    upstream.receive(STREAM)
    await sweep(bench, after=1)
    assert reads(bench) == 1
    monkeypatch.setattr(session_watch, "MOST_READS", 1)
    await sweep(bench, after=1)
    assert reads(bench) == 2
    assert isinstance(bench.sessions.fakes.found, StoredSession)
