"""A browser's connection, its exchanges and upstreams as a state machine: hypothesis takes the steps on all sides.

After every step each side has seen a beginning of what it may see; at the end nothing is left over. A run that fails is
made as short as it can be and printed as a list of steps.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bff.errors import StoreUnavailable, UpstreamUnavailable
from bff.oauth.dpop import new_dpop_key
from bff.proxy.state import State
from bff.session.record import AccessToken
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import SIGNED_IN, TOKEN, ProxyBench, request
from tests.support.raw_conversation import Asked, messages
from tests.support.raw_http import Message
from tests.support.virtual_time import VirtualTimeLoop
from tests.torture.size import FACTOR

SIZES = st.sampled_from((0, 0, 1, 10, 70_000))
CUTS = st.sampled_from((1 << 20, 1 << 20, 1 << 20, 1 << 20, 1, 7, 40, 1_000))
PICK = st.integers(0, 9)
RARELY = st.integers(0, 7).map(lambda number: number == 7)
MOST_BROWSERS = 3
DEMAND = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: DPoP error="use_dpop_nonce"\r\nDPoP-Nonce: nonce-1\r\n'
    b"Content-Length: 2\r\n\r\nno"
)
BOUND = AccessToken("token-1", None, ("openid", "read"), dpop_key=new_dpop_key(secrets.token_bytes).encoded)
PLACES = st.sampled_from((b"/open", b"/open", b"/api", b"/api", b"/bff", b"/open/.."))
METHODS = st.sampled_from((b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE"))
ANSWERS = st.sampled_from(
    (
        "length",
        "length",
        "length",
        "chunks",
        "chunks",
        "close",
        "interim",
        "extra",
        "second",
        "short",
        "garbage",
        "empty",
    )
)


@dataclass(eq=False)
class Browser:
    """A connection, what was asked on it, and what of that is still to be sent."""

    transport: FakeTransport
    asked: list[Asked]
    unsent: bytes = b""
    is_spoiled: bool = False


@dataclass(eq=False)
class Upstream:
    """A connection, how many requests were answered on it, and what of the last answer is still to be sent.

    One that is in doubt must not get another request.
    """

    transport: FakeTransport
    answered: int = 0
    unsent: bytes = b""
    then_closes: bool = False
    is_in_doubt: bool = False


def in_loop(step: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Let a step run in the machine's event loop."""

    def run(self: Conversation, **drawn: Any) -> None:
        self.loop.run_until_complete(step(self, **drawn))

    run.__name__ = step.__name__
    return run


class Conversation(RuleBasedStateMachine):
    """Up to three browsers, and as many upstream connections as the proxy opens."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.troubles: list[object] = []
        self.loop.set_exception_handler(lambda _loop, context: self.troubles.append(context))
        self.browsers: list[Browser] = []
        self.upstreams: dict[FakeTransport, Upstream] = {}
        self.serial = 0
        self.now = 0.0
        self.loop.run_until_complete(self._begin())

    async def _begin(self) -> None:
        self.bench = ProxyBench(ends_turn=False)
        self.bench.context.watch.start()

    def _living_upstreams(self) -> list[Upstream]:
        for transport in self.bench.pool.transports:
            self.upstreams.setdefault(transport, Upstream(transport))
        return [upstream for upstream in self.upstreams.values() if not upstream.transport.is_closing()]

    def _living_browsers(self) -> list[Browser]:
        return [browser for browser in self.browsers if not browser.transport.is_closing()]

    # Browsers.

    @rule(pick=PICK, method=METHODS, place=PLACES, size=SIZES, framing=st.integers(0, 3), sent=CUTS)
    @in_loop
    async def ask(self, pick: int, method: bytes, place: bytes, size: int, framing: int, sent: int) -> None:
        able = [browser for browser in self._living_browsers() if not (browser.is_spoiled or browser.unsent)]
        if len(self._living_browsers()) < MOST_BROWSERS and pick >= len(able):
            able = [Browser(self.bench.browser(), [])]
            self.browsers += able
        if not able:
            return
        browser = able[pick % len(able)]
        self.serial += 1
        target = b"/%d" % self.serial
        fields = SIGNED_IN if place == b"/api" else b""
        body = b"" if method == b"HEAD" else b"x" * size
        browser.asked.append(
            Asked(method, (b"/v1" if place == b"/api" else b"") + target, body, is_proxied=place in (b"/open", b"/api"))
        )
        if framing == 3:
            fields += b"Expect: 100-continue\r\n" if body else b"Connection: close\r\n"
        if body and framing == 1:
            half = len(body) // 2 or 1
            pieces = [piece for piece in (body[:half], body[half:]) if piece]
            framed = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX: y\r\n\r\n"
            browser.unsent += request(method, place + target, fields + b"Transfer-Encoding: chunked\r\n") + framed
        else:
            browser.unsent += request(method, place + target, fields, body)
        await self._send(browser, sent)

    async def _send(self, browser: Browser, size: int) -> None:
        data, browser.unsent = browser.unsent[:size], browser.unsent[size:]
        browser.transport.receive(data)
        await turns()

    @rule(
        pick=PICK,
        is_meant=RARELY,
        garbage=st.sampled_from((b"GARBAGE\r\n\r\n", b"\x00", b"GET /open/cut HTTP/1.1\r\nHo", b"\r\n")),
    )
    @in_loop
    async def spoil(self, pick: int, is_meant: bool, garbage: bytes) -> None:
        for browser in self._living_browsers()[pick:][:1]:
            if is_meant and not browser.is_spoiled:
                browser.is_spoiled = garbage != b"\r\n"
                browser.unsent += garbage

    @rule(pick=PICK, size=CUTS)
    @in_loop
    async def send(self, pick: int, size: int) -> None:
        able = [browser for browser in self._living_browsers() if browser.unsent]
        if able:
            await self._send(able[pick % len(able)], size)

    @rule(pick=PICK, error=st.sampled_from((None, ConnectionResetError())))
    @in_loop
    async def leave(self, pick: int, error: Exception | None) -> None:
        for browser in self._living_browsers()[pick:][:1]:
            browser.transport.receive_eof() if error is None else browser.transport.lose(error)
            await turns()

    # Upstreams.

    @rule(kind=ANSWERS, size=CUTS)
    @in_loop
    async def answer(self, kind: str, size: int) -> None:
        for upstream in self._living_upstreams():
            if upstream.unsent:
                continue
            requests, has_more = await messages(bytes(upstream.transport.written))
            if len(requests) > upstream.answered:
                upstream.answered += 1
                self._prepare(upstream, requests[-1], kind)
                await self._deliver(upstream, size)
                return
            if has_more and kind == "short":
                upstream.answered += 1
                upstream.unsent = b"HTTP/1.1 413 Early\r\nContent-Length: 5\r\n\r\nearly"
                return

    def _prepare(self, upstream: Upstream, asked: Message, kind: str) -> None:
        echo = b"%b|%b" % (asked.target, asked.body)
        length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(echo)
        whole = length if asked.method == b"HEAD" else length + echo
        upstream.is_in_doubt = kind in ("extra", "second") or (
            # Who expects no body with such a method may take it for the next request.
            asked.method not in (b"POST", b"PUT") and bool(asked.body)
        )
        if kind == "nonce" and asked.method != b"HEAD":
            upstream.unsent = DEMAND
        elif kind == "gone":
            upstream.transport.receive_eof()
        elif kind in ("extra", "second"):
            # In one read with the answer: what comes later, nobody can tell from an answer to the next request.
            upstream.transport.receive(whole + (b"x" if kind == "extra" else length.replace(b"OK", b"evil") + b"evil"))
        elif kind == "garbage":
            upstream.unsent = b"garbage\r\n\r\n"
        elif kind == "empty":
            upstream.unsent = b"HTTP/1.1 204 No Content\r\n\r\n"
        elif kind == "interim":
            upstream.unsent = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3 + whole
        elif asked.method == b"HEAD" or kind == "length":
            upstream.unsent = whole
        elif kind == "chunks":
            half = len(echo) // 2
            upstream.unsent = (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"%x\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (half, echo[:half], len(echo) - half, echo[half:])
            )
        elif kind == "close":
            upstream.unsent, upstream.then_closes = b"HTTP/1.1 200 OK\r\n\r\n" + echo, True
        elif kind == "short":
            upstream.unsent, upstream.then_closes = whole[:-1], True
        else:
            upstream.unsent = length.replace(b"200 OK\r\nContent-Length: ", b"304 Not Modified\r\nContent-Length: ")

    @rule(pick=PICK, size=CUTS)
    @in_loop
    async def deliver(self, pick: int, size: int) -> None:
        able = [upstream for upstream in self._living_upstreams() if upstream.unsent]
        if able:
            await self._deliver(able[pick % len(able)], size)

    async def _deliver(self, upstream: Upstream, size: int) -> None:
        data, upstream.unsent = upstream.unsent[:size], upstream.unsent[size:]
        if data:
            upstream.transport.receive(data)
        if upstream.then_closes and not upstream.unsent:
            upstream.transport.receive_eof()
        await turns()

    @rule(pick=PICK, error=st.sampled_from((None, ConnectionResetError())))
    @in_loop
    async def break_off(self, pick: int, error: Exception | None) -> None:
        for upstream in self._living_upstreams()[pick:][:1]:
            upstream.transport.lose(error)
            await turns()

    @rule(is_shut=RARELY, fails=RARELY)
    @in_loop
    async def change_network(self, is_shut: bool, fails: bool) -> None:
        pool = self.bench.pool
        pool.failure = UpstreamUnavailable("upstream.connect") if fails else None
        pool.may_connect.clear() if is_shut else pool.may_connect.set()
        await turns()

    # Everything else.

    @rule(is_upstream=st.booleans(), pick=PICK, reads=st.sampled_from((True, True, False)))
    @in_loop
    async def change_pace(self, is_upstream: bool, pick: int, reads: bool) -> None:
        sides = [side.transport for side in (self._living_upstreams() if is_upstream else self._living_browsers())]
        for transport in sides[pick:][:1]:
            transport.peer_reads = reads
            if reads:
                transport.peer_takes_all()
            await turns()

    @rule(waits=RARELY, fails=RARELY, is_stale=RARELY, is_bound=st.booleans())
    @in_loop
    async def change_admission(self, waits: bool, fails: bool, is_stale: bool, is_bound: bool) -> None:
        store, tokens = self.bench.sessions.fakes, self.bench.tokens
        store.answers_at_once = not waits
        store.failure = StoreUnavailable("store.down") if fails else None
        tokens.renewed = BOUND if is_bound else TOKEN
        tokens.token = None if is_stale else tokens.renewed
        tokens.may_renew.clear() if is_stale else tokens.may_renew.set()
        if not waits:
            store.answer()
        await turns()

    @rule(is_meant=RARELY)
    @in_loop
    async def end_session(self, is_meant: bool) -> None:
        if is_meant:
            store = self.bench.sessions.fakes
            before = store.found
            store.end("logout")
            await turns()
            store.found = before  # Somebody has logged in again.

    @rule(pick=PICK, is_meant=RARELY)
    @in_loop
    async def begin_to_stop(self, pick: int, is_meant: bool) -> None:
        for browser in self._living_browsers()[pick:][:1]:
            if is_meant and not browser.transport.wrote_eof:
                self.bench.front_of(browser.transport).shutdown()
                await turns()

    @rule(seconds=st.sampled_from((0.5, 0.5, 0.5, 3.0, 3.0, 20.0, 61.0)))
    @in_loop
    async def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        self.bench.sweep_at(self.now)
        await turns()

    @rule(count=st.sampled_from((1, 2, 3)))
    @in_loop
    async def turn(self, count: int) -> None:
        await turns(count)

    # What makes a conversation happens more often than what ends it.
    ask_more = ask_still_more = ask_once_more = ask
    send_more = send_still_more = send_once_more = send
    answer_more = answer_still_more = answer_once_more = answer
    deliver_more = deliver_still_more = deliver_once_more = deliver

    # What must hold.

    @invariant()
    @in_loop
    async def every_answer_is_the_one_that_was_asked_for(self) -> None:
        for browser in self.browsers:
            answers, _ = await messages(bytes(browser.transport.written), asked=browser.asked)
            assert len(answers) <= len(browser.asked) + 1
            for one, answer in zip(browser.asked, answers, strict=False):
                assert b"evil" not in answer.body
                if answer.status == 200 and one.is_proxied:
                    assert answer.body == (b"" if one.method == b"HEAD" else one.echo)
                elif answer.status == 200:
                    assert b"%b /bff%b" % (one.method, one.target) in answer.body or one.method == b"HEAD"
                else:
                    assert answer.status in (204, 304) or answer.status >= 400
            if len(answers) > len(browser.asked):
                assert answers[-1].status in (400, 431)

    @invariant()
    @in_loop
    async def every_request_is_one_that_was_made(self) -> None:
        self._living_upstreams()
        asked = {one.target: one for browser in self.browsers for one in browser.asked}
        seen: list[bytes] = []
        repeats: Counter[bytes] = Counter()
        for upstream in self.upstreams.values():
            requests, has_more = await messages(bytes(upstream.transport.written))
            may_come = 0 if upstream.is_in_doubt else 1
            assert len(requests) + has_more <= upstream.answered + may_come, "a request that should not have come"
            for message in requests:
                one = asked[message.target]
                assert one.is_proxied
                assert (message.method, message.body) == (one.method, one.body)
                is_personal = message.target.startswith(b"/v1/")
                scheme, _, token = (message.value("authorization") or b"").partition(b" ")
                assert token == (b"token-1" if is_personal else b"")
                assert len(message.values("dpop")) == (scheme == b"DPoP")
                repeats[message.target] += scheme == b"DPoP"
                seen.append(message.target)
        for target, count in Counter(seen).items():
            # Once more for want of a nonce, and once more where an idle connection was dead.
            once_more = (repeats[target] > 0) + (not asked[target].body and asked[target].method != b"POST")
            assert count <= 1 + once_more

    @invariant()
    def what_has_ended_is_forgotten(self) -> None:
        context = self.bench.context
        assert all(exchange.state is not State.ENDED for exchange in context.exchanges)
        assert {front._exchange for front in context.fronts} - {None} == context.exchanges
        lines = Counter(line.path for line in self.bench.log.lines if line.route != "-")
        assert not lines or max(lines.values()) == 1

    @invariant()
    def idle_connections_are_clean(self) -> None:
        idle = [back for backs in self.bench.pool._idle.values() for back in backs if back.is_reusable]
        assert len(set(idle)) == len(idle)
        assert all(back.receiver is None and back.transport.is_reading() for back in idle)
        assert not {exchange._back for exchange in self.bench.context.exchanges} & set(idle)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        for exchange in self.bench.context.exchanges:
            back, front = exchange._back, exchange._front
            if back is not None and not front.is_write_paused:
                assert back.transport.is_reading()
            if exchange.state is State.ANSWERING and back is not None and not back.is_write_paused:
                assert front.transport.is_reading() or front._waiting
        for front in self.bench.context.fronts:
            if front._exchange is None and not front._is_busy and not front._waiting:
                assert front.transport.is_reading() or front.transport.is_closing()

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(self._finish())
        finally:
            self.loop.close()

    async def _finish(self) -> None:
        bench = self.bench
        bench.pool.failure, bench.sessions.fakes.failure = None, None
        bench.pool.may_connect.set()
        bench.tokens.may_renew.set()
        bench.sessions.fakes.answers_at_once = True
        bench.sessions.fakes.answer()
        for _ in range(300):
            self._living_upstreams()
            for transport in [browser.transport for browser in self.browsers] + list(self.upstreams):
                transport.peer_reads = True
                transport.peer_takes_all()
            for browser in self.browsers:
                if browser.unsent and not browser.transport.is_closing():
                    browser.transport.receive(browser.unsent)
                    browser.unsent = b""
            is_moving = await self._answer_all()
            await turns(3)
            if not is_moving and bench.is_at_rest:
                break
        assert bench.is_at_rest
        for browser in self.browsers:
            browser.transport.lose()
        bench.pool.close()
        await turns(10)
        assert not bench.context.fronts
        assert all(transport.is_closing() for transport in self.upstreams)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert self.troubles == []

    async def _answer_all(self) -> bool:
        is_moving = False
        for upstream in self.upstreams.values():
            if upstream.transport.is_closing():
                continue
            if not upstream.unsent:
                requests, _ = await messages(bytes(upstream.transport.written))
                if len(requests) > upstream.answered:
                    upstream.answered += 1
                    self._prepare(upstream, requests[-1], "length")
            if upstream.unsent:
                is_moving = True
                upstream.transport.receive(upstream.unsent)
                upstream.unsent = b""
            if upstream.then_closes:
                upstream.transport.receive_eof()
        return is_moving


@pytest.mark.timeout(300 * FACTOR)
def test_whatever_the_order_of_steps_every_side_sees_what_it_may(caplog: pytest.LogCaptureFixture) -> None:
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            max_examples=80 * FACTOR,
            stateful_step_count=100,
            deadline=None,
            derandomize=FACTOR == 1,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert not [record for record in caplog.records if record.message in ("proxy.internal_error", "internal_fault")]
