"""What a request is does not depend on how the network cuts it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.corpus import cases, octets
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_bench import ProxyBench
from tests.support.raw_http import Malformed, Message, Stream, read_answer, read_request

CASES = [case for case in cases("raw_requests.txt") if len(octets(case[1])) < 1500]


async def parsed(data: bytes, *, answers: bool = False) -> list[Message]:
    """Return the complete messages at the beginning of the bytes."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    stream, found = Stream(reader), []
    try:
        while message := await (read_answer(stream) if answers else read_request(stream)):
            found.append(message)
    except Malformed as error:
        if "ended" not in str(error):
            raise
    return found


async def outcome(data: bytes, pieces: Iterable[bytes]) -> tuple[list[tuple[bytes, bytes, bytes]], list[int], bool]:
    """Return which requests the upstream saw, the statuses of the answers and whether the connection was closed."""
    bench = ProxyBench()
    browser = bench.browser()
    answered: dict[FakeTransport, int] = {}
    requests: list[Message] = []

    async def answer() -> None:
        await turns(3)
        for transport in bench.pool.transports:
            complete = await parsed(bytes(transport.written))
            for message in complete[answered.get(transport, 0) :]:
                requests.append(message)
                answered[transport] = answered.get(transport, 0) + 1
                transport.receive(b"HTTP/1.1 204 No Content\r\n\r\n")
                await turns(3)

    for piece in pieces:
        browser.receive(piece)
        if piece.endswith(b"\n") or len(piece) > 1:
            await answer()
    for _ in range(4):
        await answer()
    statuses = [message.status for message in await parsed(bytes(browser.written), answers=True)]
    seen = [(message.method, message.target, message.body) for message in requests]
    is_closed = browser.is_closing() or browser.wrote_eof
    return seen, [status for status in statuses if status >= 200], is_closed


def cut_anywhere(data: bytes, seed: int) -> list[bytes]:
    generator = random.Random(seed)
    cuts = sorted(generator.randrange(len(data) + 1) for _ in range(4))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if begin < end]


@pytest.mark.parametrize("name, text, expected", CASES, ids=[name for name, _, _ in CASES])
async def test_a_request_is_the_same_wherever_it_is_cut(name: str, text: str, expected: Any) -> None:
    data = octets(text).replace(b"{H}", b"app.example")
    meant = [] if isinstance(expected, str) else [tuple(map(octets, request)) for request in expected]
    for pieces in ([data], cut_anywhere(data, 1), cut_anywhere(data, 2), [bytes([octet]) for octet in data]):
        seen, statuses, is_closed = await outcome(data, pieces)
        assert seen == meant
        assert statuses[: len(meant)] == [204] * len(meant)
        # What follows is refused; whether it is told so depends on whether it came before the last answer.
        assert len(statuses) <= len(meant) + 1
        assert all(400 <= status < 500 for status in statuses[len(meant) :])
        assert is_closed or not meant or statuses == [204] * len(meant)
