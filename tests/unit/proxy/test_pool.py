"""Idle connections to upstreams."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from bff.errors import UpstreamTimeout, UpstreamUnavailable
from bff.proxy import pool as pool_module
from bff.proxy.back import Back
from bff.proxy.pool import CONNECT_TIMEOUT, IDLE_LIMIT, Origin, Pool
from tests.support.fake_transports import FakeTransport, turns
from tests.support.virtual_time import virtual_time

ONE = Origin("one.example", 80, is_secure=False)
TWO = Origin("two.example", 80, is_secure=False)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


class Nobody:
    to_head_request = False
    accepts_upgrade = False

    def answer_head(self, _status: int, _fields: list[tuple[bytes, bytes]]) -> bool:
        return False

    def answer_body(self, data: bytes) -> None: ...
    def answer_flush(self) -> None: ...
    def answer_complete(self) -> None: ...
    def back_lost(self, reason: str) -> None: ...
    def pause_request(self) -> None: ...
    def resume_request(self) -> None: ...


def served(connection: bytes = b"keep-alive") -> tuple[Back, FakeTransport]:
    """Return a connection that has carried one exchange."""
    back, transport = Back(), FakeTransport()
    transport.connect(back)
    back.start(Nobody())
    transport.receive(b"HTTP/1.1 200 OK\r\nConnection: " + connection + b"\r\nContent-Length: 0\r\n\r\n")
    return back, transport


async def test_the_connection_used_last_is_used_first() -> None:
    pool = Pool(None)
    backs = [served()[0] for _ in range(3)]
    for back in backs:
        pool.give(ONE, back)
    assert [pool.take(ONE) for _ in range(4)] == [*reversed(backs), None]


async def test_a_connection_goes_to_its_own_origin_alone() -> None:
    pool = Pool(None)
    back, _ = served()
    pool.give(ONE, back)
    assert pool.take(TWO) is None
    assert pool.take(Origin("one.example", 80, is_secure=True)) is None
    assert pool.take(Origin("one.example", 81, is_secure=False)) is None
    assert pool.take(ONE) is back


async def test_a_connection_in_doubt_is_not_kept() -> None:
    pool = Pool(None)
    back, transport = served(b"close")
    pool.give(ONE, back)
    assert (pool.idle_count, transport.was_aborted) == (0, True)


@pytest.mark.parametrize("end", ["bytes", "eof", "reset"])
async def test_a_connection_that_goes_bad_while_idle_is_not_taken(end: str) -> None:
    pool = Pool(None)
    good, _ = served()
    bad, transport = served()
    pool.give(ONE, good)
    pool.give(ONE, bad)
    if end == "bytes":
        transport.receive(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    elif end == "eof":
        transport.receive_eof()
    else:
        transport.lose(ConnectionResetError())
    assert pool.take(ONE) is good


async def test_after_a_renewal_no_connection_from_before_is_used_again() -> None:
    pool = Pool(None)
    (idle, idle_transport), (busy, busy_transport) = served(), served()
    pool.give(ONE, idle)
    pool.renew()
    assert (pool.take(ONE), idle_transport.was_aborted) == (None, True)
    pool.give(ONE, busy)
    assert (pool.take(ONE), busy_transport.was_aborted) == (None, True), "opened before, given back after"


async def test_what_has_been_idle_too_long_is_closed() -> None:
    pool = Pool(None)
    (old, old_transport), (young, young_transport) = served(), served()
    await asyncio.sleep(100)
    now = asyncio.get_running_loop().time()
    pool.give(ONE, old)
    await asyncio.sleep(1)
    pool.give(ONE, young)
    pool.sweep(now + IDLE_LIMIT)
    assert pool.idle_count == 2
    pool.sweep(now + IDLE_LIMIT + 0.5)
    assert (old_transport.was_aborted, young_transport.was_aborted, pool.idle_count) == (True, False, 1)
    pool.sweep(now + IDLE_LIMIT + 1.5)
    assert pool.idle_count == 0


async def test_what_was_lost_while_idle_is_forgotten() -> None:
    pool = Pool(None)
    back, transport = served()
    pool.give(ONE, back)
    transport.lose()
    pool.sweep(asyncio.get_running_loop().time())
    assert pool.idle_count == 0


async def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_MOST_IDLE", 2)
    pool = Pool(None)
    transports = []
    for _ in range(3):
        back, transport = served()
        transports.append(transport)
        pool.give(ONE, back)
    assert [transport.was_aborted for transport in transports] == [False, False, True]


async def test_a_closed_pool_keeps_nothing() -> None:
    pool = Pool(None)
    (idle, idle_transport), (late, late_transport) = served(), served()
    pool.give(ONE, idle)
    pool.close()
    pool.give(ONE, late)
    assert (idle_transport.was_aborted, late_transport.was_aborted, pool.idle_count) == (True, True, 0)


@pytest.mark.parametrize(
    "failure, expected",
    [
        (ConnectionRefusedError(), UpstreamUnavailable),
        (OSError("no route"), UpstreamUnavailable),
        (ssl.SSLCertVerificationError("bad"), UpstreamUnavailable),
        (TimeoutError(), UpstreamTimeout),
    ],
)
async def test_a_connection_that_fails_is_an_error_of_the_upstream(
    failure: Exception, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fails)
    with pytest.raises(expected):
        await Pool(None).connect(ONE)


async def test_a_connection_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    async def hangs(*_: Any, **__: Any) -> None:
        await loop.create_future()

    monkeypatch.setattr(loop, "create_connection", hangs)
    with pytest.raises(UpstreamTimeout, match=r"upstream\.connect_timeout"):
        await Pool(None).connect(ONE)
    assert loop.time() == CONNECT_TIMEOUT


async def test_tls_is_for_secure_origins_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    back = Back()

    async def connects(_make: Any, host: str, port: int, *, ssl: Any, **_: Any) -> tuple[None, Back]:
        asked.append((host, port, ssl))
        return None, back

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connects)
    context = ssl.create_default_context()
    assert await Pool(context).connect(ONE) is back
    await Pool(context).connect(Origin("two.example", 443, is_secure=True))
    assert asked == [("one.example", 80, None), ("two.example", 443, context)]


async def test_a_secure_origin_is_never_reached_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", None)
    with pytest.raises(UpstreamUnavailable, match=r"upstream\.tls"):
        await Pool(None).connect(Origin("two.example", 443, is_secure=True))


async def test_an_abandoned_connection_is_closed_without_a_word() -> None:
    back, transport = served()
    back.abandon()
    await turns()
    assert transport.was_aborted
