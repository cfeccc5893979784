"""A call that becomes a WebSocket."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.proxy import open_sockets
from bff.proxy.turn import MOST_REQUESTS
from tests.support import fake_transports
from tests.support.fake_transports import FakeTransport, turns
from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame, from_browser, read_frames
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
    bench.context.watch.start()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    upstream.take_written()
    upstream.receive(AGREED)
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 101 ")
    return bench, browser, upstream


async def test_frames_do_not_wait_for_the_end_of_the_turn() -> None:
    _, browser, upstream = await opened()
    browser.ends_turn = upstream.ends_turn = False
    browser.receive(up := from_browser(b"up"))
    assert upstream.written == up
    upstream.receive(down := frame(b"down"))
    assert browser.written == down


async def refused(fields: bytes, *, bench: ProxyBench | None = None) -> int:
    bench = bench or bench_with_sockets()
    browser = bench.browser()
    browser.receive(request(b"GET", b"/api/socket", fields))
    await turns()
    assert not bench.pool.backs
    return int(browser.take_written()[9:12])


async def test_frames_that_come_too_early_are_in_order_though_they_waited_when_the_socket_opened() -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, websocket=True)], ends_turn=False)
    browser, crowd = bench.browser(), bench.browser()
    browser.receive(HANDSHAKE)
    for _ in range(14 * MOST_REQUESTS):
        crowd.receive(b"\r\n")
    browser.receive(from_browser(b"first"))
    browser.receive(from_browser(b"second"))
    await turns()
    (upstream,) = bench.pool.transports
    upstream.receive(AGREED)
    await turns(1)
    assert bench.context.turn.requests, "so many that the two still wait"
    browser.receive(from_browser(b"third"))
    await turns(20)
    frames = [from_browser(text) for text in (b"first", b"second", b"third")]
    assert upstream.take_written().endswith(b"\r\n\r\n" + b"".join(frames))


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
    sent, answered = from_browser(b"GET / HTTP/1.1\r\n\r\n\xff", BINARY), frame(b"HTTP/1.1 200 OK\r\n\r\n")
    browser.receive(sent[:9])
    upstream.receive(answered)
    browser.receive(sent[9:])
    assert upstream.take_written() == sent
    assert browser.take_written() == answered
    assert not bench.is_at_rest


async def test_what_comes_in_the_same_read_as_a_head_belongs_to_the_socket() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE + from_browser(b"early"))
    assert upstream.take_written().endswith(b"\r\n\r\n")
    upstream.receive(AGREED + frame(b"early from the upstream"))
    await turns()
    assert upstream.take_written() == from_browser(b"early")
    assert browser.take_written().endswith(b"\r\n\r\n" + frame(b"early from the upstream"))


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
    browser.receive(from_browser(b"one"))
    browser.receive(from_browser(b"two"))
    upstream.take_written()
    upstream.receive(AGREED)
    await turns()
    assert upstream.take_written() == from_browser(b"one") + from_browser(b"two")


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
    browser.receive(from_browser(b"goodbye"))
    browser.receive_eof()
    await turns()
    assert upstream.take_written() == from_browser(b"goodbye")
    assert (upstream.is_closing(), upstream.was_aborted) == (True, False)
    assert bench.is_at_rest
    assert (bench.last_line.status, bench.last_line.code) == (101, None)


async def test_when_the_upstream_leaves_the_browser_still_gets_what_was_sent() -> None:
    bench, browser, upstream = await opened()
    upstream.receive(frame(b"goodbye"))
    upstream.receive_eof()
    await turns()
    assert browser.take_written() == frame(b"goodbye")
    assert browser.wrote_eof or browser.is_closing()
    assert bench.is_at_rest
    browser.receive(b"too late")
    assert not upstream.written


async def test_the_slower_side_sets_the_pace() -> None:
    _, browser, upstream = await opened()
    upstream.peer_reads = False
    browser.receive(from_browser(b"x" * 100_000))
    assert not browser.is_reading()
    upstream.peer_takes_all()
    assert browser.is_reading()
    browser.peer_reads = False
    upstream.receive(frame(b"x" * 100_000))
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
    browser.receive(from_browser(b"frame"))
    assert upstream.take_written().endswith(from_browser(b"frame"))


async def test_a_quiet_socket_stays_open_and_one_nobody_reads_does_not() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(100_000)
    bench.sweep_at(100_000)
    assert not bench.is_at_rest
    assert not browser.written
    browser.peer_reads = False
    upstream.receive(frame(b"x" * 100_000))
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


async def test_when_the_process_ends_both_sides_are_told_to_go_elsewhere() -> None:
    bench, browser, upstream = await opened()
    bench.front_of(browser).shutdown()
    bench.sweep_at(1)
    assert closed(browser) == (1001, "shutdown")
    assert closed(upstream) == (1001, "shutdown")
    assert bench.is_at_rest


async def test_a_socket_that_opens_while_the_process_ends_is_closed_then() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    bench.front_of(browser).shutdown()
    bench.sweep_at(1)
    assert not bench.is_at_rest
    upstream.receive(AGREED)
    browser.take_written()
    bench.sweep_at(2)
    assert closed(browser) == (1001, "shutdown")


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


# --- closing of our own accord ---


def closed(transport: FakeTransport) -> tuple[int, str]:
    """Return code and reason of the one Close frame that was written, last of all."""
    frames = read_frames(transport.take_written())
    assert [each.opcode for each in frames].count(CLOSE) == 1
    assert frames[-1].opcode == CLOSE
    return frames[-1].close_code, frames[-1].close_reason


async def test_when_the_session_ends_both_sides_are_told_and_nothing_more_passes() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    bench.sessions.fakes.end("logout")
    assert closed(browser) == (1008, "session_ended")
    sent = upstream.take_written()
    (close,) = read_frames(sent)
    assert (close.close_code, close.close_reason, close.is_masked) == (1008, "session_ended", True)
    assert sent[2:6] != b"\x00\x00\x00\x00"
    assert browser.wrote_eof
    assert upstream.wrote_eof
    upstream.receive(frame(b"secret"))
    browser.receive(from_browser(b"\x03\xf0", CLOSE))
    assert (browser.take_written(), upstream.take_written()) == (b"", b"")
    assert bench.is_at_rest
    assert bench.last_line.code == "session_ended"


async def test_a_close_frame_of_our_own_waits_for_the_end_of_the_frame_under_way() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    data, reply = frame(b"x" * 50), from_browser(b"y" * 50)
    upstream.receive(data[:20])
    browser.receive(reply[:30])
    bench.sessions.fakes.end("logout")
    assert browser.take_written() == data[:20]
    upstream.receive(data[20:] + frame(b"too late"))
    assert browser.take_written() == data[20:]
    assert upstream.take_written() == reply[:30]
    browser.receive(reply[30:])
    assert closed(browser) == (1008, "session_ended")
    rest = upstream.take_written()
    assert rest.startswith(reply[30:])
    assert read_frames(rest[len(reply) - 30 :])[0].close_code == 1008


async def test_a_frame_that_does_not_end_keeps_nobody_from_closing() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    upstream.receive(frame(b"x" * 50)[:20])
    bench.sessions.fakes.end("logout")
    bench.sweep_at(1.5)
    assert not bench.is_at_rest
    bench.sweep_at(2.5)
    await turns()
    assert browser.was_aborted
    assert read_frames(upstream.take_written())[0].close_code == 1008
    assert bench.is_at_rest
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    browser.receive(from_browser(b"x" * 50)[:20])
    bench.sessions.fakes.end("logout")
    bench.sweep_at(2.5)
    await turns()
    assert closed(browser) == (1008, "session_ended")
    assert upstream.was_aborted


async def test_a_browser_is_told_why_though_the_upstream_is_lost_meanwhile() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    browser.receive(from_browser(b"x" * 50)[:20])
    bench.sessions.fakes.end("logout")
    assert browser.take_written() == b""
    upstream.lose()
    assert closed(browser) == (1008, "session_ended")
    assert bench.last_line.code == "session_ended"


async def test_a_browser_that_leaves_while_it_is_told_leaves_nothing_open() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    browser.receive(from_browser(b"x" * 50)[:20])
    bench.sessions.fakes.end("logout")
    browser.lose()
    await turns()
    assert (bench.is_at_rest, upstream.is_closing()) == (True, True)
    bench.sweep_at(5)
    assert len(bench.log.lines) == 1


async def test_a_browser_that_does_not_read_is_cut_off_when_its_session_ends() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    browser.peer_reads = False
    upstream.receive(frame(b"x" * 100_000))
    bench.sessions.fakes.end("logout")
    await turns()
    assert (browser.was_aborted, bench.is_at_rest) == (True, True)


async def test_a_side_that_has_closed_is_not_told_again() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    upstream.receive(frame(b"\x03\xe8", CLOSE))
    assert closed(browser) == (1000, "")
    bench.sessions.fakes.end("logout")
    assert browser.take_written() == b""
    assert closed(upstream) == (1008, "session_ended")


async def test_a_browser_that_has_closed_is_answered_for_the_upstream_that_has_not() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    browser.receive(from_browser(b"\x03\xe8", CLOSE))
    assert closed(upstream) == (1000, "")
    bench.sessions.fakes.end("logout")
    assert upstream.take_written() == b""
    assert closed(browser) == (1008, "session_ended")


async def test_a_socket_that_has_ended_is_not_ended_again() -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    upstream.receive_eof()
    await turns()
    browser.take_written()
    bench.sessions.fakes.end("logout")
    assert browser.take_written() == b""
    assert len(bench.log.lines) == 1


@pytest.mark.parametrize("ending", ["session", "process"])
async def test_an_answer_that_is_no_socket_ends_as_any_answer_does(ending: str) -> None:
    bench = bench_with_sockets()
    bench.context.watch.start()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    bench.sweep_at(1)
    if ending == "session":
        bench.sessions.fakes.end("logout")
    else:
        bench.front_of(browser).shutdown()
        bench.sweep_at(2)
    await turns()
    assert (browser.is_closing(), upstream.was_aborted, bench.is_at_rest) == (True, True, True)


async def test_a_socket_of_nobody_is_counted_under_nobody() -> None:
    bench = ProxyBench(routes=[route_to("/live", 1, reads_session=False, websocket=True)])
    upstream = await bench.asked(bench.browser(), request(b"GET", b"/live/socket", ORIGIN + UPGRADE))
    upstream.receive(AGREED + frame(b"x" * 10)[:1])
    await turns()
    upstream.receive(frame(b"x" * 10)[1:])
    upstream.lose()
    await turns()
    assert bench.is_at_rest


@pytest.mark.parametrize(
    "data, code, reason",
    [
        (frame(b"unmasked"), 1002, "frame.mask"),
        (from_browser(b"a", 0x3), 1002, "frame.opcode"),
        (from_browser(b"a", TEXT, reserved=4), 1002, "frame.reserved"),
        (from_browser(b"x" * 101), 1009, "message.size"),
        (from_browser(b"x" * 60, is_final=False) + from_browser(b"x" * 60, CONTINUATION), 1009, "message.size"),
    ],
)
async def test_what_a_browser_may_not_send_closes_the_socket_and_does_not_reach_the_upstream(
    data: bytes, code: int, reason: str
) -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, websocket=True, max_body=100)])
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    upstream.receive(AGREED)
    await turns()
    upstream.take_written(), browser.take_written()
    browser.receive(from_browser(b"before", PING) + data)
    assert closed(browser) == (code, reason)
    frames = read_frames(upstream.take_written())
    assert (frames[0].payload, frames[-1].close_code) == (b"before", code)
    assert b"unmasked" not in b"".join(each.payload for each in frames)
    assert (bench.last_line.code, bench.is_at_rest) == (f"websocket.{reason}", True)


async def test_what_an_upstream_may_not_send_closes_the_socket_and_does_not_reach_the_browser() -> None:
    bench, browser, upstream = await opened()
    upstream.receive(frame(b"fine") + from_browser(b"masked"))
    frames = read_frames(browser.take_written())
    assert [(each.payload, each.opcode) for each in frames[:-1]] == [(b"fine", TEXT)]
    assert frames[-1].close_code == 1002
    assert closed(upstream) == (1002, "frame.mask")
    assert bench.last_line.code == "websocket.frame.mask"


async def test_a_message_from_the_upstream_may_be_of_any_size() -> None:
    bench = ProxyBench(routes=[route_to("/api", 1, websocket=True, max_body=100)])
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    upstream.receive(AGREED + frame(b"x" * 1000))
    await turns()
    assert browser.take_written().endswith(frame(b"x" * 1000))


async def test_compressed_messages_pass_if_the_upstream_agreed_to_them() -> None:
    extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    for agreed, code in ((AGREED[:-2] + extension + b"\r\n", None), (AGREED, "websocket.frame.reserved")):
        bench = bench_with_sockets()
        browser = bench.browser()
        upstream = await bench.asked(
            browser, request(b"GET", b"/api/socket", COOKIE_LINE + ORIGIN + UPGRADE + extension)
        )
        assert extension in upstream.take_written()
        upstream.receive(agreed)
        await turns()
        browser.receive(from_browser(b"a", reserved=4))
        assert (bench.log.lines[-1].code if bench.log.lines else None) == code


async def test_an_extension_nobody_knows_here_opens_no_socket() -> None:
    bench = bench_with_sockets()
    browser = bench.browser()
    upstream = await bench.asked(browser, HANDSHAKE)
    upstream.receive(AGREED[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate, x-mux\r\n\r\n")
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 502 ")


async def test_an_upstream_that_does_not_end_the_connection_after_both_have_closed_is_left() -> None:
    bench, browser, upstream = await opened()
    upstream.receive(frame(b"\x03\xe8", CLOSE))
    browser.receive(from_browser(b"\x03\xe8", CLOSE))
    for now in (10, 14):
        bench.sweep_at(now)
        assert not bench.is_at_rest
    bench.sweep_at(15.5)
    await turns()
    assert bench.is_at_rest
    assert upstream.is_closing()
    assert browser.wrote_eof
    assert bench.last_line.code is None


async def test_a_session_has_only_so_many_sockets_and_gets_another_when_one_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_sockets, "MOST_SOCKETS", 2)
    bench, first, _ = await opened()
    await bench.asked(bench.browser(), HANDSHAKE, count=2)
    third = bench.browser()
    third.receive(HANDSHAKE)
    await turns()
    assert third.take_written().startswith(b"HTTP/1.1 429 ")
    assert bench.refusals == ["websocket.session_limit"]
    assert len(bench.pool.backs) == 2
    first.lose()
    await turns()
    await bench.asked(bench.browser(), HANDSHAKE, count=3)


PIECES = st.lists(st.binary(max_size=140), min_size=1, max_size=5)


@settings(deadline=None)
@given(down=PIECES, up=PIECES, cut=st.integers(1, 40), steps=st.integers(0, 60))
async def test_wherever_a_session_ends_each_side_gets_whole_frames_and_then_a_close(
    down: list[bytes], up: list[bytes], cut: int, steps: int
) -> None:
    bench, browser, upstream = await opened()
    bench.sweep_at(1)
    from_above = b"".join(frame(payload, BINARY) for payload in down)
    from_below = b"".join(from_browser(payload, BINARY) for payload in up)
    ends = max(len(from_above), len(from_below))
    for step, start in enumerate(range(0, ends, cut)):
        if step == steps:
            bench.sessions.fakes.end("logout")
        upstream.receive(from_above[start : start + cut])
        browser.receive(from_below[start : start + cut])
    if ends <= steps * cut:
        bench.sessions.fakes.end("logout")
    for transport, sent in ((browser, down), (upstream, up)):
        *passed, last = read_frames(transport.take_written())
        assert (last.opcode, last.close_code, last.close_reason) == (CLOSE, 1008, "session_ended")
        assert [each.payload for each in passed] == sent[: len(passed)]
    assert bench.is_at_rest
