"""The connection that reads sessions: what it writes, and every way its replies can arrive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import StoreUnavailable
from bff.session.store import StoredSession, Tombstone, Waiter
from bff.stores.redis_line import Flight, Found, Line, Waiters, fail, is_awaited
from bff.stores.redis_scripts import HEAD


class Transport:
    """What a line writes, and whether it was ended."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.protocol: Any = None
        self.is_aborted = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.is_aborted = True


class Writer:
    """What redis-py leaves behind."""

    def __init__(self) -> None:
        self.transport = Transport()


class Bench:
    """A line with its transport, and what it reported."""

    def __init__(self, *, is_cluster: bool = False) -> None:
        self.free = 0
        self.lost: list[str] = []
        self.redirected: list[str] = []
        writer: Any = Writer()
        self.transport: Transport = writer.transport
        self.line = Line(
            writer,
            prefix="bff:x:",
            is_cluster=is_cluster,
            on_free=self._on_free,
            on_lost=lambda _line, reason: self.lost.append(reason),
            on_redirected=self._on_redirected,
        )

    def _on_free(self) -> None:
        self.free += 1

    def _on_redirected(self, key: str, waiters: Waiters) -> None:
        self.redirected.append(key)

    def send(self, *keys: str, waiters: int = 1) -> list[asyncio.Future[Found]]:
        """Send a flight for the keys; return all who wait, in order."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Found]] = [loop.create_future() for _ in range(waiters * len(keys))]
        self.line.send(
            Flight({key: [*futures[waiters * place : waiters * (place + 1)]] for place, key in enumerate(keys)})
        )
        return futures


def bulk(value: bytes | None) -> bytes:
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


def session(sealed: bytes, version: int = 1) -> bytes:
    return HEAD.pack(version, 1_700_000_000_125) + sealed


# A hostile value: every line of it could be taken for a reply.
HOSTILE = b"\r\n$3\r\nabc\r\n*1\r\n-ERR no\r\n$-1\r\n"


async def test_an_open_line_takes_the_transport_over() -> None:
    bench = Bench()
    assert bench.transport.protocol is bench.line


async def test_keys_travel_in_one_mget_with_the_prefix_before_each() -> None:
    bench = Bench()
    bench.send("a", "bcd")
    assert bench.transport.written == [b"*3\r\n$4\r\nMGET\r\n$7\r\nbff:x:a\r\n$9\r\nbff:x:bcd\r\n"]


async def test_on_a_cluster_every_key_travels_in_a_get_of_its_own() -> None:
    bench = Bench(is_cluster=True)
    bench.send("a", "bcd")
    assert bench.transport.written == [b"*2\r\n$3\r\nGET\r\n$7\r\nbff:x:a\r\n*2\r\n$3\r\nGET\r\n$9\r\nbff:x:bcd\r\n"]


@pytest.mark.parametrize("is_cluster", [False, True])
async def test_every_value_goes_to_those_who_wait_for_its_key(is_cluster: bool) -> None:
    bench = Bench(is_cluster=is_cluster)
    futures = bench.send("live", "none", "ended", "short", waiters=2)
    header = b"" if is_cluster else b"*4\r\n"
    bench.line.data_received(
        header + bulk(session(b"sealed", 7)) + bulk(None) + bulk(session(b"logout", 0)) + bulk(b"\x00short")
    )
    expected = [
        StoredSession(7, 1_700_000_000.125, b"sealed"),
        None,
        Tombstone("logout"),
        StoredSession(0, 0.0, b"\x00short"),
    ]
    assert [future.result() for future in futures] == [value for value in expected for _ in range(2)]
    assert bench.free == 1
    assert bench.line.flight is None


@given(data=st.data())
def test_it_does_not_matter_where_the_network_cuts_a_reply(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.one_of(st.none(), st.binary(max_size=40), st.just(HOSTILE)), min_size=1, max_size=5))
    is_cluster = data.draw(st.booleans())
    reply = b"".join(bulk(None if value is None else session(value)) for value in values)
    if not is_cluster:
        reply = b"*%d\r\n" % len(values) + reply
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=8)))

    async def scenario() -> None:
        bench = Bench(is_cluster=is_cluster)
        futures = bench.send(*(f"key{number}" for number in range(len(values))))
        for start, stop in zip([0, *cuts], [*cuts, len(reply)], strict=True):
            if start < stop:
                bench.line.data_received(reply[start:stop])
        found = [None if value is None else StoredSession(1, 1_700_000_000.125, value) for value in values]
        assert [future.result() for future in futures] == found
        assert bench.free == 1
        assert bench.lost == []

    asyncio.run(scenario())


async def test_whoever_was_cancelled_is_passed_over() -> None:
    bench = Bench()
    first, second, third = bench.send("a", "b", "c")
    second.cancel()
    bench.line.data_received(b"*3\r\n" + bulk(session(b"A")) + bulk(session(b"B")) + bulk(session(b"C")))
    for future, sealed in ((first, b"A"), (third, b"C")):
        found = future.result()
        assert isinstance(found, StoredSession)
        assert found.sealed == sealed
    assert second.cancelled()


async def test_values_are_handed_out_before_the_whole_reply_is_there() -> None:
    bench = Bench()
    first, second = bench.send("a", "b")
    bench.line.data_received(b"*2\r\n" + bulk(session(b"A")) + b"$99\r\nnot all of it")
    assert first.done()
    assert not second.done()
    assert bench.free == 0


class Impatient:
    """Goes on at once, as a proxied call does: notes what it got, and does what the test says."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.got: list[Found | StoreUnavailable] = []
        self._then = then

    def done(self) -> bool:
        return bool(self.got)

    def set_result(self, found: Found, /) -> None:
        self.got.append(found)
        self._then()

    def set_exception(self, error: StoreUnavailable, /) -> None:
        self.got.append(error)
        self._then()


def fails() -> None:
    raise ZeroDivisionError


async def test_who_goes_on_at_once_finds_the_line_free() -> None:
    bench = Bench()
    seen: list[tuple[int, bool]] = []
    waiters: list[Waiter] = [Impatient(lambda: seen.append((bench.free, bench.line.flight is None))) for _ in range(2)]
    bench.line.send(Flight({"a": waiters, "b": [asyncio.get_running_loop().create_future()]}))
    bench.line.data_received(b"*2\r\n" + bulk(session(b"A")) + bulk(None))
    assert seen == [(1, True), (1, True)]


async def test_who_goes_on_at_once_may_close_the_line_and_the_others_get_theirs() -> None:
    bench = Bench()
    first, second = Impatient(lambda: bench.line.close()), Impatient(int)
    bench.line.send(Flight({"a": [first], "b": [second], "c": [Impatient(int)]}))
    bench.line.data_received(b"*3\r\n" + bulk(session(b"A")) + bulk(None))
    assert (first.got, second.got) == ([StoredSession(1, 1_700_000_000.125, b"A")], [None])


async def test_what_was_read_before_a_fault_reaches_those_who_wait_for_it() -> None:
    bench = Bench()
    lost: list[int] = []
    first = Impatient(lambda: lost.append(len(bench.lost)))
    bench.line.send(Flight({"a": [first], "b": [asyncio.get_running_loop().create_future()]}))
    bench.line.data_received(b"*2\r\n" + bulk(None) + b"?")
    bench.line.data_received(b"\r\n")
    assert (first.got, bench.lost) == ([None], ["store.protocol"])


@pytest.mark.parametrize("reply", [b"*2\r\n" + bulk(None) + bulk(None), b"-LOADING\r\n"])
async def test_a_defect_of_one_who_waits_is_logged_and_no_others_trouble(
    reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    (future,) = bench.send("b")
    bench.line.send(Flight({"a": [Impatient(fails), future], "b": [Impatient(fails)]}))
    with caplog.at_level(logging.ERROR, logger="bff"):
        bench.line.data_received(reply)
    assert future.done()
    assert bench.free == 1
    assert [record.message for record in caplog.records] == ["store.internal_error"] * 2


async def test_the_next_flight_begins_with_nothing_left_over() -> None:
    bench = Bench()
    bench.send("a")
    bench.line.data_received(b"*1\r\n" + bulk(session(b"A")))
    (future,) = bench.send("b")
    bench.line.data_received(b"*1\r\n" + bulk(session(b"B")))
    assert future.result() == StoredSession(1, 1_700_000_000.125, b"B")
    assert bench.free == 2


async def test_an_error_reply_fails_all_keys_of_an_mget() -> None:
    bench = Bench()
    futures = bench.send("a", "b")
    bench.line.data_received(b"-LOADING secret details\r\n")
    for future in futures:
        with pytest.raises(StoreUnavailable) as refusal:
            future.result()
        assert refusal.value.reason == "store.loading"
        assert "secret" not in str(refusal.value)
    assert bench.free == 1, "the connection is as good as before"


async def test_an_error_reply_of_a_cluster_fails_its_own_key() -> None:
    bench = Bench(is_cluster=True)
    first, second, third = bench.send("a", "b", "c")
    bench.line.data_received(bulk(session(b"A")) + b"-CLUSTERDOWN secret\r\n" + bulk(None))
    assert first.result() is not None
    assert third.result() is None
    with pytest.raises(StoreUnavailable, match=r"store\.clusterdown"):
        second.result()


@pytest.mark.parametrize("code", [b"MOVED 1 127.0.0.1:1", b"ASK 1 127.0.0.1:1", b"TRYAGAIN"])
async def test_a_redirection_of_a_cluster_is_handed_over_with_those_who_wait(code: bytes) -> None:
    bench = Bench(is_cluster=True)
    first, second = bench.send("a", "b")
    bench.line.data_received(b"-" + code + b"\r\n" + bulk(session(b"B")))
    assert bench.redirected == ["a"]
    assert not first.done()
    assert second.done()
    assert bench.free == 1


async def test_a_redirection_where_no_cluster_was_expected_is_an_error() -> None:
    bench = Bench()
    (future,) = bench.send("a")
    bench.line.data_received(b"-MOVED 1 127.0.0.1:1\r\n")
    with pytest.raises(StoreUnavailable, match=r"store\.moved"):
        future.result()
    assert bench.redirected == []


@pytest.mark.parametrize(
    "reply",
    [
        b"+OK\r\n",
        b":1\r\n",
        b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"$x\r\n",
        b"$\r\n",
        b"*2\r\n",
        b"*x\r\n",
        b"*-1\r\n",
        b"_\r\n",
        b"*1\r\n" + bulk(session(b"A")) + b"x",
        b"*1\r\n" + bulk(session(b"A")) + bulk(session(b"B")),
    ],
)
async def test_a_line_whose_state_is_not_certain_is_closed(reply: bytes) -> None:
    bench = Bench()
    bench.send("a")
    bench.line.data_received(reply)
    assert bench.transport.is_aborted
    assert bench.lost == ["store.protocol"]
    assert bench.free == 0
    bench.line.connection_lost(None)
    assert bench.lost == ["store.protocol"], "it is reported once"


async def test_an_array_on_a_cluster_line_is_not_expected() -> None:
    bench = Bench(is_cluster=True)
    bench.send("a")
    bench.line.data_received(b"*1\r\n")
    assert bench.lost == ["store.protocol"]


async def test_bytes_nobody_asked_for_close_the_line() -> None:
    bench = Bench()
    bench.line.data_received(bulk(session(b"A")))
    assert bench.lost == ["store.protocol"]
    assert bench.transport.is_aborted


async def test_a_lost_connection_is_reported_with_the_flight_still_on_it() -> None:
    bench = Bench()
    bench.send("a", "b", "c")[1].cancel()
    bench.line.data_received(b"*3\r\n" + bulk(None))
    bench.line.connection_lost(ConnectionResetError())
    assert bench.lost == ["store.unreachable"]
    assert bench.line.flight is not None
    assert list(bench.line.flight.unanswered()) == ["c"]


async def test_closing_a_line_is_not_reported() -> None:
    bench = Bench()
    bench.line.close()
    bench.line.connection_lost(None)
    assert bench.transport.is_aborted
    assert bench.lost == []


async def test_everyone_gets_an_error_of_his_own() -> None:
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Found]] = [loop.create_future() for _ in range(3)]
    waiters: Waiters = [*futures]
    futures[1].cancel()
    assert is_awaited(waiters)
    fail(waiters, "store.timeout")
    assert not is_awaited(waiters)
    first, third = futures[0].exception(), futures[2].exception()
    assert first is not third
    assert isinstance(third, StoreUnavailable)
