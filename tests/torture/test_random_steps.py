"""Both sides and the clock take random steps; whatever happens, every request and answer is somebody's, and whole.

The steps run between fake transports, so that a seed repeats them exactly.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from bff.proxy.pool import IDLE_LIMIT
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import SIGNED_IN, ProxyBench, request
from tests.support.raw_conversation import Asked, messages
from tests.support.raw_http import Message
from tests.torture.size import FACTOR, SEED

RUNS = 100 * FACTOR


@dataclass(eq=False)
class Browser:
    """A connection with what will be sent on it."""

    transport: FakeTransport
    asked: list[Asked]
    unsent: bytes


@dataclass(eq=False)
class Upstream:
    """A connection with what has been answered on it; `unsent` is the rest of an answer."""

    transport: FakeTransport
    answered: int = 0
    unsent: bytes = b""
    at_once: bool = False
    then_closes: bool = False


@dataclass
class Play:
    """One run of random steps."""

    chance: random.Random
    bench: ProxyBench = field(default_factory=ProxyBench)
    browsers: list[Browser] = field(default_factory=list)
    upstreams: dict[FakeTransport, Upstream] = field(default_factory=dict)
    now: float = 0.0
    serial: int = 0

    # What browsers send.

    def new_browser(self) -> None:
        asked: list[Asked] = []
        data = b""
        for _ in range(self.chance.randrange(1, 6)):
            data += self._new_request(asked)
        if self.chance.random() < 0.15:
            data += self.chance.choice(
                (b"GARBAGE\r\n\r\n", b"\x00", b"GET /open/cut HTTP/1.1\r\nHost: app.ex", b"\r\n")
            )
        self.browsers.append(Browser(self.bench.browser(), asked, data))

    def _new_request(self, asked: list[Asked]) -> bytes:
        chance = self.chance
        self.serial += 1
        method = chance.choice((b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE"))
        body = b"x" * chance.choice((0, 0, 1, 10, 100_000)) if method in (b"POST", b"PUT") else b""
        place = chance.choice((b"/open", b"/open", b"/api", b"/bff", b"/api-refused", b"/open/.."))
        target = b"/%d" % self.serial
        fields = SIGNED_IN if place == b"/api" else b""
        path = b"/api" if place == b"/api-refused" else place
        asked.append(
            Asked(method, (b"/v1" if place == b"/api" else b"") + target, body, is_proxied=place in (b"/open", b"/api"))
        )
        if chance.random() < 0.05:
            fields += b"Connection: close\r\n"
        if body and chance.random() < 0.2:
            fields += b"Expect: 100-continue\r\n"
        if body and chance.random() < 0.5:
            half = len(body) // 2
            pieces = [piece for piece in (body[:half], body[half:]) if piece]
            framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX: y\r\n\r\n"
            return request(method, path + target, fields + b"Transfer-Encoding: chunked\r\n") + framed
        return request(method, path + target, fields, body)

    def send(self, browser: Browser) -> None:
        cut = self.chance.choice((1, 5, 50, len(browser.unsent), len(browser.unsent)))
        data, browser.unsent = browser.unsent[:cut], browser.unsent[cut:]
        if data and not browser.transport.is_closing():
            browser.transport.receive(data)

    # What upstreams answer.

    async def answer(self, upstream: Upstream) -> None:
        transport = upstream.transport
        if transport.is_closing():
            return
        if upstream.unsent:
            cut = len(upstream.unsent) if upstream.at_once else self.chance.choice((1, 20, len(upstream.unsent)))
            data, upstream.unsent = upstream.unsent[:cut], upstream.unsent[cut:]
            transport.receive(data)
        else:
            requests, has_more = await messages(bytes(transport.written))
            if len(requests) > upstream.answered:
                assert len(requests) == upstream.answered + 1, "a request before the last one was answered"
                assert not has_more, "a request before the last one was answered"
                upstream.answered += 1
                self._begin(upstream, requests[-1])
            elif has_more and self.chance.random() < 0.05:
                upstream.then_closes = True
                upstream.unsent = b"HTTP/1.1 413 Early\r\nContent-Length: 5\r\n\r\nearly"
        if upstream.then_closes and not upstream.unsent and not transport.is_closing():
            transport.receive_eof()

    def _begin(self, upstream: Upstream, asked: Message) -> None:
        chance = self.chance
        echo = b"%b|%b" % (asked.target, asked.body)
        if asked.method == b"HEAD":
            upstream.unsent = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(echo)
            return
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * chance.choice((0, 0, 0, 1, 3))
        kind = chance.randrange(12)
        if kind < 5:
            upstream.unsent = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(echo), echo)
        elif kind < 8:
            half = len(echo) // 2
            framed = b"%x\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (
                half,
                echo[:half],
                len(echo) - half,
                echo[half:],
            )
            upstream.unsent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed
        elif kind == 8:
            upstream.unsent = b"HTTP/1.1 200 OK\r\n\r\n" + echo
            upstream.then_closes = True
        elif kind == 9:
            upstream.unsent = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(echo), echo)
            # In one read with the answer: what comes later, nobody can tell from an answer to the next request.
            upstream.at_once = True
            upstream.unsent += chance.choice((b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
        elif kind == 10:
            upstream.unsent = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(echo) + 5) + echo
            upstream.then_closes = True
        else:
            upstream.unsent = chance.choice((b"garbage\r\n\r\n", b"HTTP/1.1 150 X\r\nContent-Length: 4\r\n\r\nevil"))
        upstream.unsent = interim + upstream.unsent

    # Steps.

    def notice_upstreams(self) -> None:
        for transport in self.bench.pool.transports:
            self.upstreams.setdefault(transport, Upstream(transport))

    async def step(self) -> None:
        chance = self.chance
        self.notice_upstreams()
        kind = chance.randrange(20)
        if kind < 7 and self.browsers:
            self.send(chance.choice(self.browsers))
        elif kind < 13 and self.upstreams:
            await self.answer(chance.choice(list(self.upstreams.values())))
        elif kind == 13 and len(self.browsers) < 4:
            self.new_browser()
        elif kind == 14:
            transport = chance.choice([browser.transport for browser in self.browsers] + list(self.upstreams))
            transport.peer_reads = False
        elif kind == 15:
            transport = chance.choice([browser.transport for browser in self.browsers] + list(self.upstreams))
            transport.peer_reads = True
            transport.peer_takes_all()
        elif kind == 16:
            self.now += chance.choice((0.5, 0.5, 3.0))
            self.bench.sweep_at(self.now)
        elif kind == 17 and chance.random() < 0.2 and self.upstreams:
            chance.choice(list(self.upstreams)).lose(chance.choice((None, ConnectionResetError())))
        elif kind == 18 and chance.random() < 0.1:
            chance.choice(self.browsers).transport.lose(ConnectionResetError())
        await turns(chance.choice((0, 1, 5)))

    async def finish(self) -> None:
        """Let everybody send, read and answer all that is left, then leave."""
        for _ in range(400):
            self.notice_upstreams()
            for transport in [browser.transport for browser in self.browsers] + list(self.upstreams):
                transport.peer_reads = True
                transport.peer_takes_all()
            for browser in self.browsers:
                self.send(browser)
            for upstream in list(self.upstreams.values()):
                await self.answer(upstream)
            await turns(3)
        assert self.bench.is_at_rest or any(browser.unsent for browser in self.browsers)
        for browser in self.browsers:
            browser.transport.receive_eof()
            browser.transport.lose()
        await turns()

    # What must hold.

    async def check(self) -> None:
        seen: list[Message] = []
        for upstream in self.upstreams.values():
            requests, _ = await messages(bytes(upstream.transport.written))
            seen += requests
        asked = {one.target: one for browser in self.browsers for one in browser.asked}
        for message in seen:
            one = asked[message.target]
            assert one.is_proxied
            assert (message.method, message.body) == (one.method, one.body)
            token = message.value("authorization")
            assert token == (b"Bearer token-1" if message.target.startswith(b"/v1/") else None)
        targets = [message.target for message in seen]
        for target in set(targets):
            assert targets.count(target) <= (1 if asked[target].body or asked[target].method == b"POST" else 2)
        for browser in self.browsers:
            await self._check_answers(browser)
        assert self.bench.is_at_rest
        assert not self.bench.context.fronts
        for idle in self.bench.pool._idle.values():
            assert all(back.transport.is_reading() for back in idle if back.is_reusable)
        self.bench.pool.sweep(asyncio.get_running_loop().time() + IDLE_LIMIT + 1)
        await turns()
        assert self.bench.pool.idle_count == 0
        assert all(transport.is_closing() for transport in self.upstreams)

    async def _check_answers(self, browser: Browser) -> None:
        answers, _ = await messages(bytes(browser.transport.written), asked=browser.asked)
        assert len(answers) <= len(browser.asked) + 1
        for one, answer in zip(browser.asked, answers, strict=False):
            if answer.status == 200 and one.is_proxied:
                assert answer.body == (b"" if one.method == b"HEAD" else one.echo)
            elif answer.status == 200:
                assert b"%b /bff%b" % (one.method, one.target) in answer.body or one.method == b"HEAD"
            else:
                assert answer.status >= 400
            assert b"evil" not in answer.body
        if len(answers) > len(browser.asked):
            assert answers[-1].status in (400, 431)


async def play(seed: int) -> None:
    run = Play(random.Random(seed))
    run.new_browser()
    for _ in range(run.chance.choice((30, 100, 200))):
        await run.step()
    await run.finish()
    await run.check()


@pytest.mark.timeout(120 * FACTOR)
async def test_whatever_happens_every_request_and_every_answer_is_somebodys(caplog: pytest.LogCaptureFixture) -> None:
    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: troubles.append(context))
    for seed in range(SEED, SEED + RUNS):
        try:
            await play(seed)
            assert not troubles
            assert not [
                record for record in caplog.records if record.message in ("proxy.internal_error", "internal_fault")
            ]
        except BaseException:
            print(f"BFF_TORTURE_SEED={seed}")
            raise
        caplog.clear()
