"""Raw answers from an upstream: what is no answer becomes 502, and no byte of one call reaches another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.proxy_server import ProxyServer, RawClient, route_to, running_proxy
from tests.support.raw_http import Malformed, Message
from tests.support.raw_upstream import RawUpstream, UpstreamConnection, answer_line, echo

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX: y\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + LENGTH
OLD = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"
ODD = b"HTTP/1.1 200 \r\ncOnTeNt-LeNgTh:5   \r\nX-Empty:\r\nX-Latin: caf\xe9\r\n\r\nhello"
PIECES = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + b"".join(
    b"1%b\r\n%c\r\n" % (b";a=b" * (octet % 3), octet) for octet in b"hello"
)
PIECES += b"000\r\nA: b\r\nAuthorization: x\r\n\r\n"
WHOLE = {
    "length": LENGTH,
    "chunked": CHUNKED,
    "interim answers": INTERIM,
    "HTTP/1.0": OLD,
    "odd spelling": ODD,
    "many chunks": PIECES,
}
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Evil: 1\r\n\r\nevil"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def upstream() -> AsyncIterator[RawUpstream]:
    async with RawUpstream().running() as upstream:
        yield upstream


@pytest.fixture(scope="module")
async def proxy(upstream: RawUpstream) -> AsyncIterator[ProxyServer]:
    def routes() -> list[Any]:
        return [route_to("/open", upstream.port, reads_session=False), route_to("/api", upstream.port)]

    async with running_proxy(routes) as proxy:
        yield proxy


def answers_once(upstream: RawUpstream, *pieces: bytes, closes: bool = False) -> list[UpstreamConnection]:
    """Let the next request be answered with these bytes, all others properly; return where it will have come."""
    upstream.forget()
    used: list[UpstreamConnection] = []

    async def answer(connection: UpstreamConnection, request: Message) -> None:
        upstream.answer = echo
        used.append(connection)
        for piece in pieces:
            await connection.send(piece)
            await asyncio.sleep(0)
        if closes:
            connection.close()

    upstream.answer = answer
    return used


async def ask(client: RawClient, proxy: ProxyServer, target: bytes, *, method: bytes = b"GET") -> Message | None:
    await client.send(proxy.request(method, target))
    return await client.answer(to_head=method == b"HEAD")


async def assert_next_calls_are_answered_as_themselves(proxy: ProxyServer) -> None:
    """Several calls on several connections, so that every connection in the pool is tried."""
    answers = await asyncio.gather(*(proxy.exchange(proxy.request(b"GET", b"/open/%d" % n)) for n in range(3)))
    assert [None if answer is None else answer.body for answer in answers] == [b"/%d|-|" % n for n in range(3)]


@pytest.mark.parametrize("answer", [*WHOLE.values(), UNTIL_CLOSE], ids=[*WHOLE, "until close"])
async def test_an_answer_cut_anywhere_is_whole_for_the_browser(
    answer: bytes, proxy: ProxyServer, upstream: RawUpstream
) -> None:
    async with proxy.connection() as client:
        for cut in range(1, len(answer)):
            answers_once(upstream, answer[:cut], answer[cut:], closes=answer is UNTIL_CLOSE)
            answered = await ask(client, proxy, b"/open/x")
            assert answered is not None, cut
            assert (answered.status, answered.body) == (200, b"hello"), cut
    await assert_next_calls_are_answered_as_themselves(proxy)


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE.keys())
async def test_an_answer_that_breaks_off_anywhere_is_never_whole_for_the_browser(
    answer: bytes, proxy: ProxyServer, upstream: RawUpstream
) -> None:
    head = answer.index(b"\r\n\r\n", answer.rindex(b"HTTP/1.")) + 4
    for cut in range(len(answer) - 1):
        answers_once(upstream, answer[:cut], closes=True)
        async with proxy.connection() as client:
            try:
                answered = await ask(client, proxy, b"/open/x", method=b"POST")
            except (Malformed, ConnectionError):
                assert cut >= head
            else:
                assert answered is None or answered.status == 502, cut
    await assert_next_calls_are_answered_as_themselves(proxy)


BODYLESS = {
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no content with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "no content in chunks": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "not modified": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 5\r\n\r\n',
    "not modified in chunks": b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
}
BODIES = {"none": b"", "a body": b"hello", "chunks": b"5\r\nhello\r\n0\r\n\r\n", "half a chunk": b"5"}


@pytest.mark.parametrize("separately", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("answer", BODYLESS.values(), ids=BODYLESS.keys())
async def test_a_body_where_none_can_be_reaches_nobody(
    answer: bytes, body: bytes, separately: bool, proxy: ProxyServer, upstream: RawUpstream
) -> None:
    used = answers_once(upstream, *([answer, body] if separately else [answer + body]))
    async with proxy.connection() as client:
        answered = await ask(client, proxy, b"/open/x")
        assert answered is not None
        assert (answered.status, answered.body) == (int(answer[9:12]), b"")
        assert not answered.values("transfer-encoding")
        if separately and body:
            await upstream.wait_for(lambda: used[0].writer.transport.is_closing())
        again = await ask(client, proxy, b"/open/y")
        assert again is not None
        assert (again.status, again.body) == (200, b"/y|-|")
    await assert_next_calls_are_answered_as_themselves(proxy)


AFTER = {
    "a byte": b"x",
    "a whole answer": EVIL,
    "half an answer": EVIL[:30],
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "empty lines": b"\r\n\r\n",
    "binary": b"\x00\xff\x00",
    "many answers": EVIL * 50,
}


@pytest.mark.parametrize("separately", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER.keys())
async def test_what_follows_an_answer_reaches_nobody(
    after: bytes, method: bytes, separately: bool, proxy: ProxyServer, upstream: RawUpstream
) -> None:
    answer = LENGTH.removesuffix(b"hello") if method == b"HEAD" else LENGTH
    used = answers_once(upstream, *([answer, after] if separately else [answer + after]))
    async with proxy.connection() as client:
        answered = await ask(client, proxy, b"/open/x", method=method)
        assert answered is not None
        assert answered.body == (b"" if method == b"HEAD" else b"hello")
        if separately:
            # The bytes have arrived once the gateway has given the connection up, which their sender can see.
            await upstream.wait_for(lambda: used[0].writer.transport.is_closing())
        again = await ask(client, proxy, b"/open/y")
        assert again is not None
        assert (again.body, again.values("x-evil")) == (b"/y|-|", [])
    await assert_next_calls_are_answered_as_themselves(proxy)


NO_ANSWERS = {
    "nothing": b"",
    "garbage": b"garbage\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "conflicting lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
    "list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL,
    "chunked and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + EVIL,
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + EVIL,
    "chunked, identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + EVIL,
    "xchunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + EVIL,
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
    "folded framing": b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\nhello",
    "space before colon": b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\nhello",
    "bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "carriage return": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: bff=evil\r\nContent-Length: 5\r\n\r\nhello",
    "NUL": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 5\r\n\r\nhello",
    "escape": b"HTTP/1.1 200 OK\r\nX: \x1b[31m\r\nContent-Length: 5\r\n\r\nhello",
    "status 99": b"HTTP/1.1 99 What\r\nContent-Length: 5\r\n\r\nhello",
    "status 600": b"HTTP/1.1 600 What\r\nContent-Length: 5\r\n\r\nhello",
    "status text": b"HTTP/1.1 OK 200\r\nContent-Length: 5\r\n\r\nhello",
    "unasked upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + EVIL,
    "interim with a body": b"HTTP/1.1 150 X\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL + LENGTH,
    "interim storm": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000,
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X-Fill: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 3000,
    "endless field": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
    "endless status": b"HTTP/1.1 200 " + b"a" * 100_000,
    "many fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"Content-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
async def test_what_is_no_answer_becomes_502(answer: bytes, proxy: ProxyServer, upstream: RawUpstream) -> None:
    answers_once(upstream, answer, closes=True)
    async with proxy.connection() as client:
        answered = await ask(client, proxy, b"/open/x", method=b"POST")
        assert answered is not None
        assert answered.status == 502
        assert b"evil" not in answered.body
        again = await ask(client, proxy, b"/open/y")
        assert again is not None
        assert again.body == b"/y|-|"
    await assert_next_calls_are_answered_as_themselves(proxy)


BROKEN_BODIES = {
    "chunk size": b"xyz\r\nhello\r\n",
    "chunk size prefix": b"0x5\r\nhello\r\n",
    "chunk size space": b"5 \r\nhello\r\n",
    "chunk size line feed": b"5\nhello\r\n",
    "chunk too long": b"5\r\nhelloworld\r\n",
    "chunk without end": b"5\r\nhello0\r\n\r\n",
    "chunk overflow": b"ffffffffffffffffff\r\nhello\r\n",
    "negative chunk": b"-5\r\nhello\r\n",
    "malformed trailer": b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
    "length in trailer": b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    "endless trailer": b"5\r\nhello\r\n0\r\n" + b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 10_000,
    "endless extension": b"5;a=" + b"b" * 600_000,
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
async def test_a_body_that_goes_wrong_is_broken_off(body: bytes, proxy: ProxyServer, upstream: RawUpstream) -> None:
    answers_once(upstream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n", body, closes=True)
    async with proxy.connection() as client:
        await client.send(proxy.request(b"GET", b"/open/x"))
        received = await client.rest()
        assert received.startswith(b"HTTP/1.1 ")
        assert not received.endswith(b"\r\n0\r\n\r\n")
        assert received.count(b"HTTP/1.1") == 1
    await assert_next_calls_are_answered_as_themselves(proxy)


async def test_an_upstream_cannot_set_our_cookies_or_speak_for_the_origin(
    proxy: ProxyServer, upstream: RawUpstream
) -> None:
    fields = (
        b"Set-Cookie: bff=evil; Path=/\r\nset-cookie: x=y\r\nClear-Site-Data: *\r\nAlt-Svc: h3=evil\r\n"
        b"Connection: x-a\r\nX-A: b\r\nStrict-Transport-Security: max-age=0\r\nX-Fine: yes\r\n"
    )
    answers_once(upstream, answer_line(b"hello", fields=fields))
    answered = await proxy.exchange(proxy.request(b"GET", b"/open/x"))
    assert answered is not None
    names = [name.lower() for name, _ in answered.fields]
    assert names == [b"x-fine", b"date", b"content-length", b"x-content-type-options", b"x-request-id"]


CACHING = [
    b"Cache-Control: max-age=3600\r\n",
    b"Cache-Control: public, s-maxage=3600, immutable\r\n",
    b"Cache-Control: max-age=3600, stale-while-revalidate=3600\r\nAge: 10\r\n",
    b"Expires: Fri, 01 Jan 2100 00:00:00 GMT\r\n",
    b'ETag: "a"\r\nCache-Control: max-age=3600\r\n',
    b"Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT\r\n",
    b"Vary: Accept\r\nCache-Control: max-age=3600\r\n",
    b"CDN-Cache-Control: max-age=3600\r\nSurrogate-Control: max-age=3600\r\n",
    b"Pragma: cache\r\nX-Accel-Expires: 3600\r\n",
]
ASKING = [b"", b'If-None-Match: "a"\r\n', b"Cache-Control: only-if-cached, max-stale\r\n", b"Range: bytes=0-1\r\n"]


@pytest.mark.parametrize("status", [200, 203, 301, 404, 410])
async def test_no_answer_comes_from_a_cache(status: int, proxy: ProxyServer, upstream: RawUpstream) -> None:
    upstream.forget()
    count = 0

    async def answer(connection: UpstreamConnection, _request: Message) -> None:
        nonlocal count
        count += 1
        fields = CACHING[count // (2 * len(ASKING)) % len(CACHING)] + b"Date: Thu, 01 Jan 2015 00:00:00 GMT\r\n"
        await connection.send(answer_line(b"%d" % count, status=status, fields=fields))

    upstream.answer = answer
    cookie = await proxy.sign_in("alice")
    async with proxy.connection() as client:
        for number in range(1, 2 * len(ASKING) * len(CACHING) + 1):
            prefix = (b"/open", b"/api")[number % 2]
            fields = ASKING[number // 2 % len(ASKING)] + (cookie if prefix == b"/api" else b"")
            await client.send(proxy.request(b"GET", prefix + b"/same", fields))
            answered = await client.answer()
            assert answered is not None
            assert (answered.status, answered.body) == (status, b"%d" % number)
            if prefix == b"/api":
                assert b"private" in (value := answered.value("cache-control") or b"") or b"no-store" in value
    assert count == len(upstream.requests)


async def test_connections_are_used_again_after_good_answers_alone(proxy: ProxyServer, upstream: RawUpstream) -> None:
    upstream.forget()
    before = len(upstream.connections)
    async with proxy.connection() as client:
        for number in range(50):
            answered = await ask(client, proxy, b"/open/%d" % number)
            assert answered is not None
            assert answered.body == b"/%d|-|" % number
    assert len(upstream.connections) <= before + 1


async def test_a_token_and_an_answer_never_reach_another_user(proxy: ProxyServer, upstream: RawUpstream) -> None:
    upstream.forget()
    users = {name: await proxy.sign_in(name) for name in ("alice", "bob")}
    shared = await proxy.connect()

    async def calls(name: str, count: int, pipelined: int) -> None:
        async with proxy.connection() as client:
            for first in range(0, count, pipelined):
                targets = [b"/api/%b/%d" % (name.encode(), number) for number in range(first, first + pipelined)]
                await client.send(b"".join(proxy.request(b"GET", target, users[name]) for target in targets))
                for target in targets:
                    answered = await client.answer()
                    assert answered is not None
                    assert answered.body == b"%b|Bearer %b|" % (target.removeprefix(b"/api"), name.encode())

    async def both_on_one_connection(count: int) -> None:
        for number in range(count):
            name = ("alice", "bob")[number % 2]
            await shared.send(proxy.request(b"GET", b"/api/shared/%d" % number, users[name]))
            answered = await shared.answer()
            assert answered is not None
            assert answered.body == b"/shared/%d|Bearer %b|" % (number, name.encode())

    work = [calls(name, 500, pipelined) for name in users for pipelined in (1, 1, 2, 5)]
    await asyncio.gather(*work, both_on_one_connection(500))
    shared.close()
    assert len(upstream.requests) == 4500
    for request in upstream.requests:
        owner = request.target.split(b"/")[1]
        if owner != b"shared":
            assert request.values("authorization") == [b"Bearer " + owner]
        assert not request.values("cookie")
    assert upstream.faults == []
    await proxy.settled()
