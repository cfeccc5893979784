"""WebSockets between two sides that take random steps: frames pass whole and in order, or a Close of ours ends them.

The steps run between fake transports, so that a seed repeats them exactly.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from tests.support.fake_transports import FakeTransport, turns
from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, from_browser, read_frames
from tests.support.proxy_bench import ProxyBench
from tests.support.proxy_server import route_to
from tests.torture.size import FACTOR, SEED
from tests.unit.proxy.test_tunnel import AGREED, HANDSHAKE

RUNS = 150 * FACTOR
LARGEST = 200_000
OUR_CODES = {1001, 1002, 1008, 1009}
HOSTILE = (
    frame(b"x", 0x3),
    frame(b"x", 0xB),
    frame(b"x" * 126, PING),
    frame(b"x", PING, is_final=False),
    frame(b"x", TEXT, reserved=2),
    frame(b"x", TEXT, length_size=2),
    frame(b"x" * 200, TEXT, length_size=8),
    b"\x82\xff" + b"\xff" * 8,
    from_browser(b"x" * (LARGEST + 1), BINARY),
)


@dataclass
class Side:
    """What one side sends: `good` bytes, at whose `ends` a frame ends, and perhaps a frame that nobody may send."""

    transport: FakeTransport
    good: bytes = b""
    ends: list[int] = field(default_factory=lambda: [0])
    unsent: bytes = b""
    sent: int = 0

    def fill(self, chance: random.Random, *, is_browser: bool) -> None:
        """Choose the frames."""
        write = from_browser if is_browser else frame
        for _ in range(chance.randrange(12)):
            for written in self._message(chance, write):
                self.good += written
                self.ends.append(len(self.good))
        if chance.random() < 0.3:
            self.good += write(b"\x03\xe8bye", CLOSE)
            self.ends.append(len(self.good))
            self.unsent = self.good
        elif chance.random() < 0.3:
            # A frame without its mask, or with one, is as hostile as any other.
            self.unsent = self.good + chance.choice((*HOSTILE, (frame if is_browser else from_browser)(b"x")))
        else:
            self.unsent = self.good

    @staticmethod
    def _message(chance: random.Random, write: object) -> list[bytes]:
        assert callable(write)
        payload = bytes([chance.randrange(256)]) * chance.choice((0, 1, 125, 126, 5_000, 70_000))
        if chance.random() < 0.3:
            return [write(payload[:125], chance.choice((PING, PONG)))]
        if chance.random() < 0.5:
            return [write(payload, chance.choice((TEXT, BINARY)))]
        half = len(payload) // 2
        first = write(payload[:half], TEXT, is_final=False)
        return [first, write(b"between", PING), write(payload[half:], CONTINUATION)]

    def send(self, chance: random.Random, size: int | None = None) -> None:
        """Send a piece."""
        if self.transport.is_closing() or self.transport.wrote_eof:
            return
        cut = size or chance.choice((1, 2, 9, 200, 10_000, len(self.unsent) or 1))
        data, self.unsent = self.unsent[:cut], self.unsent[cut:]
        self.sent += len(data)
        if data:
            self.transport.receive(data)


def check(received: bytes, sender: Side) -> None:
    """What was received is what was sent, up to any point, or up to the end of a frame and a Close of ours."""
    if sender.good.startswith(received):
        return
    for end in sender.ends:
        if received.startswith(sender.good[:end]) and _is_close_of_ours(received[end:]):
            return
    raise AssertionError("neither what was sent, nor that and a Close frame")


def _is_close_of_ours(data: bytes) -> bool:
    try:
        frames = read_frames(data)
    except (AssertionError, IndexError):
        return False
    return len(frames) == 1 and frames[0].opcode == CLOSE and frames[0].close_code in OUR_CODES


async def play(seed: int) -> None:
    chance = random.Random(seed)
    bench = ProxyBench(routes=[route_to("/api", 1, websocket=True, max_body=LARGEST)], ends_turn=False)
    bench.context.watch.start()
    browser = Side(bench.browser())
    browser.fill(chance, is_browser=True)
    browser.unsent = HANDSHAKE + browser.unsent
    while not bench.pool.transports:
        browser.send(chance, chance.choice((1, 50, len(HANDSHAKE), 1000)))
        await turns(3)
    upstream = Side(bench.pool.transports[0])
    upstream.fill(chance, is_browser=False)
    upstream.unsent = AGREED + upstream.unsent
    now = 0.0
    for _ in range(chance.choice((10, 40, 150))):
        kind = chance.randrange(24)
        side = chance.choice((browser, upstream))
        if kind < 14:
            side.send(chance)
        elif kind < 17:
            side.transport.peer_reads = kind == 14
            if kind == 14:
                side.transport.peer_takes_all()
        elif kind < 20:
            now += chance.choice((0.5, 0.5, 2.0))
            bench.sweep_at(now)
        elif chance.random() < 0.1:
            end(bench, browser, side, chance)
        await turns(chance.choice((0, 1, 5)))
    await finish(bench, browser, upstream, now)
    assert not bench.context.sockets._counts
    head, _, frames = bytes(browser.transport.written).partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 101 "):
        check(frames, upstream)
        sent = bytes(upstream.transport.written).partition(b"\r\n\r\n")[2]
        check(sent, browser)
    assert len(bench.log.lines) == 1


def end(bench: ProxyBench, browser: Side, side: Side, chance: random.Random) -> None:
    """Let something end the conversation."""
    kind = chance.randrange(4)
    if kind == 0:
        bench.sessions.fakes.end("logout")
    elif kind == 1 and bench.context.fronts:
        bench.front_of(browser.transport).shutdown()
    elif kind == 2:
        side.transport.lose(chance.choice((None, ConnectionResetError())))
    else:
        side.transport.receive_eof()


async def finish(bench: ProxyBench, browser: Side, upstream: Side, now: float) -> None:
    """Let both sides read and send all that is left; then nothing keeps the socket from ending."""
    for _ in range(10):
        for side in (browser, upstream):
            side.transport.peer_reads = True
            side.transport.peer_takes_all()
            side.send(random.Random(0), len(side.unsent))
        await turns(3)
    for _ in range(4):
        now += 3.0
        bench.sweep_at(now)
        await turns(3)
    browser.transport.receive_eof()
    browser.transport.lose()
    await turns()
    assert bench.is_at_rest
    assert not bench.context.fronts
    upstream.transport.lose()


@pytest.mark.timeout(120 * FACTOR)
async def test_frames_pass_whole_and_in_order_or_are_ended_by_a_close(caplog: pytest.LogCaptureFixture) -> None:
    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: troubles.append(context))
    for seed in range(SEED, SEED + RUNS):
        try:
            await play(seed)
            assert not troubles
            assert not [record for record in caplog.records if record.message == "proxy.internal_error"]
        except BaseException:
            print(f"BFF_TORTURE_SEED={seed}")
            raise
        caplog.clear()
