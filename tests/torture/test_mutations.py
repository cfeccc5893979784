"""Requests and answers with a few bytes changed: whatever they have become, each side sees whole messages of its own.

The strict reader of `tests.support.raw_http` judges what the proxy writes to either side.
"""

from __future__ import annotations

import random

import pytest

from tests.support.corpus import cases, octets
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import SIGNED_IN, ProxyBench, request
from tests.support.raw_conversation import Asked, messages
from tests.torture.size import FACTOR, SEED

RUNS = 700 * FACTOR
TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"1", b"\x0b", b"\xa0", b"\x7f", b"-", b"+"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"\r\n\r\n", b"0\r\n\r\n"),
    *(b"HTTP/1.1", b"HTTP/1.0", b"GET /open/evil HTTP/1.1\r\nHost: app.example\r\n\r\n", b"Host: app.example\r\n"),
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"HTTP/1.1 304 N\r\n",
        b"Upgrade: websocket\r\n",
    ),
)
REQUESTS = [octets(text).replace(b"{H}", b"app.example") for _, text, _ in cases("raw_requests.txt")]
REQUESTS = [data for data in REQUESTS if 0 < len(data) < 1500]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfir\r\n2;a=b\r\nst\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nVary: a\r\n\r\nfirst",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 5\r\n\r\n',
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nfirst",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst",
    b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
]


def changed(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to four changes."""
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            data = data[:at] + data[at + chance.choice((1, 1, 2, 8)) :]
        elif kind == 1:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif kind == 2:
            begin = chance.randrange(len(data) + 1)
            data = data[:at] + data[begin : begin + chance.randrange(60)] + data[at:]
        else:
            data = data[:at] + chance.choice(TOKENS) + data[at:]
    return data


def pieces(data: bytes, chance: random.Random) -> list[bytes]:
    """Return the bytes cut in up to four places."""
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 1, 4))))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if begin < end]


async def send(transport: FakeTransport, data: bytes, chance: random.Random) -> None:
    for piece in pieces(data, chance):
        if not (transport.is_closing() or transport.wrote_eof):
            transport.receive(piece)
            await turns(3)


async def play_request(seed: int) -> None:
    """Send a changed request; the upstream sees whole requests, each with the token, made of what was sent."""
    chance = random.Random(seed)
    bench = ProxyBench(ends_turn=False)
    browser = bench.browser()
    data = changed(chance.choice(REQUESTS), chance)
    is_personal = chance.random() < 0.5
    if is_personal:
        line = b"Host: app.example\r\n"
        data = data.replace(line, line + SIGNED_IN).replace(b"/open/", b"/api/")
    answered: dict[FakeTransport, int] = {}
    await send(browser, data, chance)
    for _ in range(6):
        for transport in bench.pool.transports:
            seen, _ = await messages(bytes(transport.written))
            for one in seen[answered.get(transport, 0) :]:
                assert one.target.removeprefix(b"/v1") in data
                assert b"\r\n" in one.body or one.body in data or b"chunked" in data.lower()
                assert bool(one.values("authorization")) is bool(one.values("authorization") == [b"Bearer token-1"])
                assert bool(one.values("authorization")) is one.target.startswith(b"/v1")
                assert not one.values("cookie")
            if len(seen) > answered.get(transport, 0):
                answered[transport] = len(seen)
                transport.receive(b"HTTP/1.1 204 No Content\r\n\r\n")
        await turns(3)
    if b"HEAD" not in data:
        # Of those, the lengths of bodies that do not come would have to be known.
        asked = [Asked(b"GET", b"/", b"", is_proxied=True)]
        answers, has_more = await messages(bytes(browser.written), asked=asked)
        assert not has_more
        assert all(answer.status in (200, 204) or 400 <= answer.status < 500 for answer in answers)
    browser.lose()
    await turns()
    assert bench.is_at_rest


async def play_answer(seed: int) -> None:
    """Answer with changed bytes; the browser gets a whole answer, a refusal, or the end, and then its next answer."""
    chance = random.Random(seed)
    bench = ProxyBench(ends_turn=False)
    browser = bench.browser()
    method = chance.choice((b"GET", b"GET", b"HEAD", b"POST"))
    upstream = await bench.asked(browser, request(method, b"/open/1"))
    await send(upstream, changed(chance.choice(ANSWERS), chance), chance)
    if chance.random() < 0.5 and not upstream.is_closing():
        upstream.receive_eof()
    await turns()
    if not bench.is_at_rest:
        bench.sweep_at(31)
        browser.lose()
        await turns()
        assert bench.is_at_rest
        return
    asked = [Asked(method, b"/1", b"", is_proxied=True), Asked(b"GET", b"/2", b"", is_proxied=True)]
    answers, has_more = await messages(bytes(browser.written), asked=asked)
    if browser.is_closing() or browser.wrote_eof:
        return
    assert (len(answers), has_more) == (1, False), "an open connection after half an answer"
    browser.take_written()
    browser.receive(request(b"GET", b"/open/2"))
    await turns()
    second = bench.pool.transports[-1]
    asked_of_it, _ = await messages(bytes(second.written))
    if asked_of_it[-1].target == b"/2":
        second.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
        await turns()
    answers, has_more = await messages(bytes(browser.take_written()), asked=asked[1:])
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"second")]
    assert not has_more


@pytest.mark.parametrize("play", [play_request, play_answer])
@pytest.mark.timeout(120 * FACTOR)
async def test_changed_bytes_are_whole_messages_or_none(play: object, caplog: pytest.LogCaptureFixture) -> None:
    assert callable(play)
    for seed in range(SEED, SEED + RUNS):
        try:
            await play(seed)
            assert not [record for record in caplog.records if record.message == "proxy.internal_error"]
        except BaseException:
            print(f"BFF_TORTURE_SEED={seed}")
            raise
        caplog.clear()
