"""A call that becomes a WebSocket."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.support import fake_transports
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import HANDLE, ProxyBench, request
from tests.support.proxy_server import COOKIE, route_to

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
ORIGIN = b"Origin: https://app.example\r\n"
COOKIE_LINE = b"Cookie: %b=%b\r\n" % (COOKIE.encode(), HANDLE.encode())
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
)
HANDSHAKE = request(b"GET", b"/api/socket", COOKIE_LINE + ORIGIN + UPGRADE)
AGREED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    + ACCEPT
    + b"\r\nSet-Cookie: bff=evil\r\n\r\n"
)


def bench_with_sockets() -> ProxyBench:
    return ProxyBench(routes=[route_to("/api", 1, websocket=True), route_to("/open", 1, reads_session=False)])


async def opened() -> tuple[ProxyBench, FakeTransport, FakeTransport]:
    """Return both ends of an open socket."""
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    upstream.take_written()
    upstream.receive(AGREED)
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 101 ")
    return bench, browser, upstream


async def refused(fields: bytes, *, bench: ProxyBench | None = None) -> int:
    bench = bench or bench_with_sockets()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/socket", fields))
    await turns()
    assert not bench.pool.backs
    return int(browser.take_written()[9:12])


async def test_a_handshake_is_judged_like_a_call_and_carries_the_token() -> None:
    bench = bench_with_sockets()
    upstream = await bench.asked(bench.browser(), HANDSHAKE)
    sent = upstream.take_written()
    assert sent.startswith(b"GET /socket HTTP/1.1\r\nHost: upstream.example\r\n")
    assert sent.count(b"\r\nAuthorization: Bearer token-1\r\n") == 1
    assert sent.lower().count(b"\r\nupgrade: websocket\r\n") == 1
    assert b"Cookie" not in sent


async def test_another_page_gets_no_socket_and_the_upstream_hears_nothing() -> None:
    assert await refused(COOKIE_LINE + UPGRADE) == 403
    assert (
        await refused(COOKIE_LINE + UPGRADE + b"Origin: https://evil.example\r\nSec-Fetch-Site: same-origin\r\n") == 403
    )
    assert await refused(COOKIE_LINE + UPGRADE + b"X-CSRF: 1\r\n") == 403


async def test_without_a_session_there_is_no_socket() -> None:
    assert await refused(ORIGIN + UPGRADE) == 401


async def test_half_a_handshake_is_refused() -> None:
    assert await refused(COOKIE_LINE + ORIGIN + UPGRADE.replace(b": 13", b": 1337")) == 400


async def test_a_route_without_sockets_passes_a_handshake_on_as_a_plain_call() -> None:
    bench = ProxyBench()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x", ORIGIN + UPGRADE))
    assert b"pgrade" not in upstream.take_written()
    upstream.receive(AGREED)
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 502 ")
    assert upstream.was_aborted


async def test_after_the_101_bytes_pass_both_ways_untouched() -> None:
    bench, browser, upstream = await opened()
    browser.receive(b"\x81\x85GET /")
    upstream.receive(b"\x81\x05HTTP/1.1 200 OK\r\n\r\n")
    browser.receive(b"\x00\xff")
    assert upstream.take_written() == b"\x81\x85GET /\x00\xff"
    assert browser.take_written() == b"\x81\x05HTTP/1.1 200 OK\r\n\r\n"
    assert not bench.is_at_rest


async def test_what_comes_in_the_same_read_as_a_head_belongs_to_the_socket() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE + b"early from the browser")
    assert not upstream.take_written().endswith(b"browser")
    upstream.receive(AGREED + b"early from the upstream")
    await turns()
    assert upstream.take_written() == b"early from the browser"
    assert browser.take_written().endswith(b"\r\n\r\nearly from the upstream")


@pytest.mark.parametrize("idle", [False, True], ids=["new connection", "idle connection"])
async def test_what_the_browser_sends_too_early_is_kept_or_waits(idle: bool) -> None:
    bench = bench_with_sockets()
    if idle:
        first = await bench.asked(bench.browser(), request(b"GET", b"/open/x"))
        first.receive(b"HTTP/1.1 204 No Content\r\n\r\n")
        await turns()
        first.take_written()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    browser.receive(b"one ")
    browser.receive(b"two")
    upstream.take_written()
    upstream.receive(AGREED)
    await turns()
    assert upstream.take_written() == b"one two"


@pytest.mark.parametrize(
    "answer",
    [
        AGREED.replace(ACCEPT, b"c3BvQ0NPTlNUUlVDVEVE"),
        AGREED.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
async def test_a_socket_opens_only_if_the_upstream_proves_that_it_agreed(answer: bytes) -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE + b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    upstream.take_written()
    upstream.receive(answer + b"EVIL")
    await turns()
    written = browser.take_written()
    assert written.startswith(b"HTTP/1.1 502 ")
    assert b"EVIL" not in written
    assert (upstream.take_written(), upstream.was_aborted, bench.is_at_rest) == (b"", True, True)
    assert browser.wrote_eof or browser.is_closing()


@pytest.mark.parametrize("status", [b"200 OK", b"403 Forbidden", b"426 Upgrade Required"])
async def test_an_upstream_that_answers_otherwise_gets_no_tunnel(status: bytes) -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE + b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    upstream.take_written()
    upstream.receive(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
    await turns()
    written = browser.take_written()
    assert written.startswith(b"HTTP/1.1 " + status[:3])
    assert written.endswith(b"no")
    browser.receive(b"more of it")
    await turns()
    assert upstream.take_written() == b""
    assert bench.is_at_rest


async def test_when_the_browser_leaves_the_upstream_still_gets_what_was_sent() -> None:
    bench, browser, upstream = await opened()
    upstream.peer_reads = False
    browser.receive(b"goodbye")
    browser.receive_eof()
    await turns()
    assert (upstream.take_written(), upstream.is_closing(), upstream.was_aborted) == (b"goodbye", True, False)
    assert bench.is_at_rest
    assert (bench.last_line.status, bench.last_line.code) == (101, None)


async def test_when_the_upstream_leaves_the_browser_still_gets_what_was_sent() -> None:
    bench, browser, upstream = await opened()
    upstream.receive(b"goodbye")
    upstream.receive_eof()
    await turns()
    assert browser.take_written() == b"goodbye"
    assert browser.wrote_eof or browser.is_closing()
    assert bench.is_at_rest
    browser.receive(b"too late")
    assert not upstream.written


async def test_the_slower_side_sets_the_pace() -> None:
    _, browser, upstream = await opened()
    upstream.peer_reads = False
    browser.receive(b"x" * 100_000)
    assert not browser.is_reading()
    upstream.peer_takes_all()
    assert browser.is_reading()
    browser.peer_reads = False
    upstream.receive(b"x" * 100_000)
    assert not upstream.is_reading()
    browser.peer_takes_all()
    assert upstream.is_reading()


async def test_a_handshake_larger_than_the_upstream_takes_at_once_waits_for_it() -> None:
    bench = bench_with_sockets()
    first = await bench.asked(bench.browser(), request(b"GET", b"/open/x"))
    first.receive(b"HTTP/1.1 204 No Content\r\n\r\n")
    await turns()
    browser = bench.browser()
    first.peer_reads = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_transports, "HIGH_WATER", 100)
        upstream = await bench.asked(browser, HANDSHAKE)
    assert bench.pool.backs[0].is_write_paused
    upstream.peer_reads = True
    upstream.peer_takes_all()
    upstream.receive(AGREED)
    await turns()
    browser.receive(b"frame")
    assert upstream.take_written().endswith(b"frame")


async def test_a_quiet_socket_stays_open_and_one_nobody_reads_does_not() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(100_000)
    assert not bench.is_at_rest
    assert not browser.written
    browser.peer_reads = False
    upstream.receive(b"x" * 100_000)
    bench.sweep_at(100_001)
    bench.sweep_at(100_100)
    await turns()
    assert (browser.was_aborted, upstream.was_aborted, bench.is_at_rest) == (True, True, True)


async def test_a_socket_that_does_not_open_in_time_is_504() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    await bench.asked(browser, HANDSHAKE)
    bench.sweep_at(31)
    assert browser.take_written().startswith(b"HTTP/1.1 504 ")


async def test_a_browser_that_leaves_before_the_socket_opens_is_gone() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    browser.lose()
    await turns()
    assert (upstream.was_aborted, bench.is_at_rest, bench.last_line.code) == (True, True, "browser_left")


async def test_an_upstream_that_leaves_before_the_socket_opens_is_502() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    upstream.lose()
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 502 ")


async def test_at_shutdown_an_open_socket_is_broken_off() -> None:
    bench, browser, upstream = await opened()
    bench.context.close()
    await turns()
    assert (browser.was_aborted, upstream.was_aborted, bench.is_at_rest) == (True, True, True)


async def test_a_handshake_behind_another_request_is_refused_in_its_turn() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, request(b"GET", b"/open/x") + HANDSHAKE + b"frame")
    assert upstream.take_written().count(b"HTTP/1.1") == 1
    upstream.receive(b"HTTP/1.1 204 No Content\r\n\r\n")
    await turns()
    written = browser.take_written()
    assert written.startswith(b"HTTP/1.1 204 ")
    assert b"HTTP/1.1 400 " in written
    assert (upstream.take_written(), len(bench.pool.backs)) == (b"", 1)
