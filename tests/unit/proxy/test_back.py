"""One connection to an upstream: what it takes for an answer, and when it may be used again."""

from __future__ import annotations

import logging
import socket

import pytest

from bff.errors import UpstreamUnavailable
from bff.proxy import back as back_module
from bff.proxy.back import Back
from tests.support.fake_transports import FakeTransport, turn_until, turns

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


class Receiver:
    """Writes down what it is told."""

    def __init__(self, *, to_head_request: bool = False, until_close: bool = False) -> None:
        self.to_head_request = to_head_request
        self.accepts_upgrade = False
        self.until_close = until_close
        self.heads: list[tuple[int, list[tuple[bytes, bytes]]]] = []
        self.body = b""
        self.flushes = 0
        self.is_complete = False
        self.lost: str | None = None
        self.pauses: list[str] = []
        self.refuses: Exception | None = None

    def answer_head(self, status: int, fields: list[tuple[bytes, bytes]]) -> bool:
        self.heads.append((status, fields))
        if self.refuses is not None:
            raise self.refuses
        return self.until_close

    def answer_body(self, data: bytes) -> None:
        assert self.heads, "a body before its head"
        self.body += data

    def answer_flush(self) -> None:
        self.flushes += 1

    def answer_complete(self) -> None:
        assert not self.is_complete
        assert self.lost is None
        self.is_complete = True

    def back_lost(self, reason: str) -> None:
        assert not self.is_complete
        assert self.lost is None
        self.lost = reason

    def pause_request(self) -> None:
        self.pauses.append("pause")

    def resume_request(self) -> None:
        self.pauses.append("resume")


def connected() -> tuple[Back, FakeTransport]:
    back, transport = Back(), FakeTransport()
    transport.connect(back)
    return back, transport


def asked(*, to_head_request: bool = False, until_close: bool = False) -> tuple[Back, FakeTransport, Receiver]:
    back, transport = connected()
    receiver = Receiver(to_head_request=to_head_request, until_close=until_close)
    back.start(receiver)
    return back, transport, receiver


async def test_a_complete_answer_leaves_the_connection_reusable() -> None:
    back, transport, receiver = asked()
    transport.receive(OK)
    assert receiver.heads == [(200, [(b"Content-Length", b"5")])]
    assert (receiver.body, receiver.is_complete) == (b"hello", True)
    assert (back.is_reusable, back.served, back.receiver) == (True, 1, None)


async def test_the_next_answer_goes_to_the_next_receiver_alone() -> None:
    back, transport, first = asked()
    transport.receive(OK)
    second = Receiver()
    back.start(second)
    transport.receive(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno")
    assert (first.body, second.body, second.heads[0][0], back.served) == (b"hello", b"no", 404, 2)


@pytest.mark.parametrize(
    "answer", [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
async def test_an_answer_is_the_same_wherever_reads_cut_it(answer: bytes) -> None:
    for cut in range(1, len(answer)):
        back, transport, receiver = asked()
        transport.receive(answer[:cut])
        assert not receiver.is_complete
        assert receiver.flushes == 1
        transport.receive(answer[cut:])
        assert (receiver.body, receiver.is_complete, back.is_reusable) == (b"hello", True, True), cut


@pytest.mark.parametrize(
    "answer",
    [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n"],
)
async def test_an_answer_that_breaks_off_anywhere_is_lost_and_never_complete(answer: bytes) -> None:
    for cut in range(len(answer)):
        back, transport, receiver = asked()
        if cut:
            transport.receive(answer[:cut])
        transport.receive_eof()
        assert (receiver.lost, receiver.is_complete) == ("upstream.connection_lost", False), cut
        assert back.is_lost
        assert not back.is_reusable


async def test_a_head_with_a_large_body_in_the_same_read_is_no_large_head() -> None:
    _, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 250000\r\n\r\n" + b"x" * 250_000)
    assert receiver.is_complete
    assert len(receiver.body) == 250_000


@pytest.mark.parametrize("rounds", [1, 3])
async def test_a_head_may_not_grow_without_bound(rounds: int) -> None:
    back, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\n")
    for _ in range(rounds):
        transport.receive(b"X-Fill: " + b"a" * (70_000 // rounds) + b"\r\n")
    assert (receiver.lost, transport.was_aborted) == ("upstream.head_too_large", True)
    assert not back.is_reusable


async def test_a_complete_head_that_is_too_large_is_refused() -> None:
    _, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\nX-Fill: " + b"a" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n")
    assert (receiver.lost, receiver.heads) == ("upstream.head_too_large", [])


async def test_a_head_of_too_many_fields_is_refused() -> None:
    _, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 201 + b"Content-Length: 0\r\n\r\n")
    assert receiver.lost == "upstream.head_too_large"


@pytest.mark.parametrize(
    "endless", [b"X-Trailer: " + b"a" * 3000, b"a" * 3000, b"X: y\r\n" * 500], ids=["value", "name", "lines"]
)
async def test_a_trailer_section_may_not_grow_without_bound(endless: bytes) -> None:
    _, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n")
    for _ in range(40):
        transport.receive(endless)
        if receiver.lost:
            break
    assert receiver.lost == "upstream.head_too_large"


async def test_a_chunk_extension_may_not_grow_without_bound() -> None:
    _, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=")
    for _ in range(40):
        transport.receive(b"b" * 3000)
        if receiver.lost:
            break
    assert receiver.lost == "upstream.head_too_large"


async def test_a_body_of_any_size_passes_in_small_reads() -> None:
    _, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        transport.receive(b"800\r\n" + b"x" * 2048 + b"\r\n")
    transport.receive(b"0\r\n\r\n")
    assert receiver.is_complete
    assert len(receiver.body) == 204_800


async def test_trailers_are_dropped() -> None:
    back, transport, receiver = asked()
    transport.receive(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: bff=evil\r\nX: y\r\n\r\n"
    )
    assert receiver.heads == [(200, [(b"Transfer-Encoding", b"chunked")])]
    assert (receiver.body, back.is_reusable) == (b"hello", True)


@pytest.mark.parametrize("name", [b"Connection", b"connection", b"Proxy-Connection"])
async def test_a_connection_whose_trailer_section_says_that_it_closes_is_not_used_again(name: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + name + b": close\r\n\r\n")
    assert (receiver.is_complete, back.is_reusable) == (True, False)


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nSet-Cookie: bff=evil\r\n\r\n",
        b"HTTP/1.1 199 Whatever\r\nX: y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
    ],
)
async def test_interim_answers_are_read_and_dropped(interim: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(interim * 3 + OK)
    assert receiver.heads == [(200, [(b"Content-Length", b"5")])]
    assert (receiver.body, receiver.is_complete, back.is_reusable) == (b"hello", True, True)


@pytest.mark.parametrize("cut", [False, True])
async def test_a_storm_of_interim_answers_is_ended(cut: bool) -> None:
    _, transport, receiver = asked()
    for _ in range(20):
        if cut:
            transport.receive(b"HTTP/1.1 103 Early Hints\r\n")
            transport.receive(b"\r\n")
        else:
            transport.receive(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    assert (receiver.lost, transport.was_aborted) == ("upstream.interim", True)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n\r\nEVIL!", b"Transfer-Encoding: chunked\r\n\r\n5\r\nEVIL!\r\n0\r\n\r\n"]
)
async def test_an_interim_answer_with_a_body_is_no_answer(framing: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 150 Whatever\r\n" + framing + OK)
    assert (receiver.lost, receiver.body, receiver.heads) == ("upstream.interim", b"", [])
    assert not back.is_reusable


async def test_an_upgrade_nobody_asked_for_is_refused() -> None:
    _, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00")
    assert (receiver.lost, receiver.heads) == ("upstream.interim", [])


@pytest.mark.parametrize("length", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
async def test_an_answer_to_head_has_no_body_whatever_its_head_says(length: bytes) -> None:
    back, transport, receiver = asked(to_head_request=True)
    transport.receive(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
    assert (receiver.is_complete, receiver.body) == (True, b"")
    assert back.is_reusable is bool(length)
    if length:
        again = Receiver()
        back.start(again)
        transport.receive(OK)
        assert (again.body, again.is_complete) == (b"hello", True)


async def test_an_answer_to_head_may_be_cut_anywhere() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for cut in range(1, len(answer)):
        back, transport, receiver = asked(to_head_request=True)
        transport.receive(answer[:cut])
        transport.receive(answer[cut:])
        assert (receiver.is_complete, back.is_reusable) == (True, True)


@pytest.mark.parametrize(
    "length", [b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize("rest", [b"hello", b"5\r\nhello\r\n0\r\n\r\n", OK, b"x", b"5", b"5\r", b"5\r\n"])
async def test_bytes_after_an_answer_to_head_put_the_connection_in_doubt(length: bytes, rest: bytes) -> None:
    back, transport, receiver = asked(to_head_request=True)
    transport.receive(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + rest)
    assert (receiver.is_complete, receiver.body, len(receiver.heads)) == (True, b"", 1)
    assert not back.is_reusable


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("framing", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_no_content_and_not_modified_have_no_body(status: bytes, framing: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 " + status + b"\r\n" + framing + b"\r\n")
    assert (receiver.is_complete, receiver.body, back.is_reusable) == (True, b"", True)


@pytest.mark.parametrize(
    "after",
    [
        b"x",
        b"hello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nCont",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"\x00",
    ],
)
async def test_bytes_after_an_answer_put_the_connection_in_doubt(after: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(OK + after)
    assert (receiver.body, receiver.is_complete, len(receiver.heads)) == (b"hello", True, 1)
    assert not back.is_reusable


@pytest.mark.parametrize("after", [b"x", OK, b"\r\n"])
async def test_bytes_that_nobody_asked_for_close_the_connection(after: bytes) -> None:
    back, transport, _ = asked()
    transport.receive(OK)
    transport.receive(after)
    assert transport.was_aborted
    assert not back.is_reusable


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_an_upstream_that_says_close_is_believed(head: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(head)
    assert (receiver.body, receiver.is_complete, back.is_reusable) == (b"hello", True, False)


async def test_an_answer_that_ends_with_the_connection_is_complete_at_its_end() -> None:
    back, transport, receiver = asked(until_close=True)
    transport.receive(b"HTTP/1.1 200 OK\r\n\r\nhel")
    transport.receive(b"lo")
    assert not receiver.is_complete
    transport.receive_eof()
    assert (receiver.body, receiver.is_complete, back.is_reusable) == (b"hello", True, False)


@pytest.mark.parametrize("error", [ConnectionResetError(), None], ids=["reset", "cut below TLS"])
async def test_an_answer_that_should_end_with_the_connection_is_lost_if_that_is_cut(error: Exception | None) -> None:
    _, transport, receiver = asked(until_close=True)
    transport.receive(b"HTTP/1.1 200 OK\r\n\r\nhel")
    transport.lose(error)
    assert (receiver.is_complete, receiver.lost) == (False, "upstream.connection_lost")


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 42 Short\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_a_malformed_answer_is_none(answer: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(answer)
    assert (receiver.lost, receiver.heads, receiver.is_complete) == ("upstream.malformed", [], False)
    assert transport.was_aborted
    assert not back.is_reusable


@pytest.mark.parametrize(
    "chunk", [b"0x5\r\nhello\r\n", b"5 \r\nhello\r\n", b"5\nhello\r\n", b"5\r\nhelloXX", b"-5\r\n", b"\r\n"]
)
async def test_a_malformed_chunk_breaks_the_answer_off(chunk: bytes) -> None:
    back, transport, receiver = asked()
    transport.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
    assert (receiver.lost, receiver.is_complete) == ("upstream.malformed", False)
    assert not back.is_reusable


async def test_a_head_the_receiver_refuses_is_a_failure_with_its_reason() -> None:
    _, transport, receiver = asked()
    receiver.refuses = UpstreamUnavailable("upstream.framing")
    transport.receive(OK)
    assert (receiver.lost, transport.was_aborted) == ("upstream.framing", True)


async def test_a_defect_in_a_callback_is_logged_and_ends_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    _, transport, receiver = asked()
    receiver.refuses = ZeroDivisionError()
    with caplog.at_level(logging.ERROR, logger="bff.proxy"):
        transport.receive(OK)
    assert receiver.lost == "upstream.malformed"
    assert [record.message for record in caplog.records] == ["proxy.internal_error"]


async def test_an_abandoned_connection_tells_nobody_anything() -> None:
    back, _, receiver = asked()
    back.abandon()
    await turns()
    assert (receiver.lost, receiver.is_complete, back.is_lost) == (None, False, True)


@pytest.mark.parametrize("moment", ["answer_head", "answer_body", "answer_flush"])
@pytest.mark.parametrize("chunk", [b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\nxyz"])
async def test_who_leaves_while_being_told_is_told_no_more(moment: str, chunk: bytes) -> None:
    back, transport, receiver = asked()
    tell = getattr(receiver, moment)

    def leave(*arguments: object) -> object:
        back.abandon()
        return tell(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receiver, moment, leave)
        transport.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
    if moment != "answer_flush":
        assert (receiver.is_complete, receiver.lost) == (False, None)
        assert receiver.body == (b"" if moment == "answer_head" else b"hello")
    assert transport.is_closing() or receiver.is_complete or receiver.lost


async def test_a_connection_whose_request_is_not_all_sent_is_not_used_again() -> None:
    back, transport, receiver = asked()
    transport.peer_reads = False
    transport.write(b"a request the upstream does not read")
    transport.receive(OK)
    assert receiver.is_complete
    assert not back.is_reusable


async def test_back_pressure_of_the_upstream_is_passed_on_while_somebody_asks() -> None:
    back, transport, receiver = asked()
    transport.peer_reads = False
    transport.write(b"x" * 100_000)
    assert (receiver.pauses, back.is_write_paused) == (["pause"], True)
    transport.peer_takes_all()
    assert (receiver.pauses, back.is_write_paused) == (["pause", "resume"], False)
    back.receiver = None
    transport.write(b"x" * 100_000)
    transport.peer_takes_all()
    assert receiver.pauses == ["pause", "resume"]


# --- a write that failed ---


@pytest.mark.parametrize("left, status", [(OK, 200), (OK[:-1], None), (b"", None), (b"nonsense", None)])
async def test_an_answer_that_lies_unread_when_a_write_fails_is_an_answer(left: bytes, status: int | None) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        back, transport, receiver = Back(), FakeTransport(socket=near), Receiver()
        transport.connect(back)
        back.start(receiver)
        far.sendall(left)
        transport.lose(BrokenPipeError())
    assert receiver.is_complete is (status is not None)
    assert (receiver.lost is None) is receiver.is_complete
    assert not back.is_reusable


async def test_nothing_is_looked_for_when_nobody_waits() -> None:
    near, far = socket.socketpair()
    with near, far:
        back, transport = Back(), FakeTransport(socket=near)
        transport.connect(back)
        far.sendall(OK)
        transport.lose(BrokenPipeError())
        assert near.recv(100) == OK


# --- closing gently ---


@pytest.mark.parametrize("can_write_eof", [True, False], ids=["plain", "TLS"])
async def test_after_closing_gently_what_still_arrives_is_dropped_and_the_connection_ends_in_time(
    can_write_eof: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(back_module, "_LINGER", 0.01)
    back, transport = Back(), FakeTransport(can_write_eof=can_write_eof)
    transport.connect(back)
    receiver = Receiver()
    back.start(receiver)
    back.close_gently()
    assert transport.wrote_eof is can_write_eof
    transport.receive(OK)
    assert (receiver.heads, transport.is_closing()) == ([], False)
    await turn_until(lambda: transport.was_aborted)
    assert receiver.lost is None


@pytest.mark.parametrize(
    "content_type, expected",
    [
        (b"text/event-stream", True),
        (b"Text/Event-Stream; charset=utf-8", True),
        (b"application/json", False),
        (None, False),
    ],
)
async def test_an_event_stream_is_known_by_its_type(content_type: bytes | None, expected: bool) -> None:
    back, transport, _ = asked()
    line = b"" if content_type is None else b"content-TYPE: %b\r\n" % content_type
    transport.receive(b"HTTP/1.1 200 OK\r\nX-Other: text/event-stream\r\n%bTransfer-Encoding: chunked\r\n\r\n" % line)
    assert back.sends_events is expected
