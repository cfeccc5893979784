"""Group commit for reads, over lines that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis import exceptions

from bff.errors import StoreUnavailable
from bff.session.store import StoredSession
from bff.stores.circuit import Circuit
from bff.stores.redis_line import Flight, Found, Waiters
from bff.stores.redis_reads import GRACE, LARGEST_FLIGHT, ReadQueue
from tests.support.virtual_time import virtual_time

TIMEOUT = 1.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


class ToldLine:
    """A line that answers, or breaks, when the test says so."""

    def __init__(self, on_free: Callable[[], None], on_lost: Callable[[Any, str], None]) -> None:
        self.flight: Flight | None = None
        self.sent: list[list[str]] = []
        self.is_closed = False
        self._on_free = on_free
        self._on_lost = on_lost

    def send(self, flight: Flight) -> None:
        assert self.flight is None, "one flight at a time"
        assert not self.is_closed
        self.flight = flight
        self.sent.append(list(flight.keys))

    def close(self) -> None:
        self.is_closed = True

    def answer(self, count: int | None = None) -> None:
        """Answer the flight's next keys, each with itself."""
        assert self.flight is not None
        flight = self.flight
        last = len(flight.keys) if count is None else flight.answered + count
        while flight.answered < last:
            for waiter in flight.waiters[flight.answered]:
                if not waiter.done():
                    waiter.set_result(StoredSession(1, 0.0, flight.keys[flight.answered].encode()))
            flight.answered += 1
        if last == len(flight.keys):
            self.flight = None
            self._on_free()

    def break_(self) -> None:
        """Lose the connection."""
        self._on_lost(self, "store.unreachable")


class Bench:
    """A queue, the lines it opened, and what keeps it from opening them."""

    def __init__(self, *, on_failed: Callable[[str], None] | None = None) -> None:
        self.lines: list[ToldLine] = []
        self.refusals: list[BaseException] = []
        self.opening: asyncio.Event | None = None
        self.circuit = Circuit(0.5, asyncio.get_running_loop().time)
        self.queue = ReadQueue(self._open, self.circuit, timeout=TIMEOUT, on_failed=on_failed)

    async def _open(
        self,
        on_free: Callable[[], None],
        on_lost: Callable[[Any, str], None],
        on_redirected: Callable[[str, Waiters], None],
    ) -> Any:
        if self.opening is not None:
            await self.opening.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        line = ToldLine(on_free, on_lost)
        self.lines.append(line)
        return line

    def read(self, key: str) -> asyncio.Future[Found]:
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self.queue.add(key, future)
        return future

    @property
    def line(self) -> ToldLine:
        """The line that was opened last."""
        return self.lines[-1]


async def turns(count: int = 5) -> None:
    """Let the event loop do what it has to do at once."""
    for _ in range(count):
        await asyncio.sleep(0)


async def connected() -> Bench:
    """Return a bench whose line is open and free."""
    bench = Bench()
    future = bench.read("first")
    await turns()
    bench.line.answer()
    await future
    bench.line.sent.clear()
    return bench


def sealed(future: asyncio.Future[Found]) -> str:
    found = future.result()
    assert isinstance(found, StoredSession)
    return found.sealed.decode()


async def refusal(future: asyncio.Future[Found]) -> str:
    with pytest.raises(StoreUnavailable) as refused:
        await future
    return refused.value.reason


async def test_reads_of_one_turn_travel_together_each_key_once() -> None:
    bench = await connected()
    futures = [bench.read(key) for key in ("a", "b", "a", "c")]
    await turns()
    assert bench.line.sent == [["a", "b", "c"]]
    bench.line.answer()
    assert [sealed(future) for future in futures] == ["a", "b", "a", "c"]


async def test_reads_that_arrive_during_a_flight_join_the_next() -> None:
    bench = await connected()
    first = bench.read("a")
    await turns()
    others = [bench.read("b"), bench.read("a"), bench.read("c")]
    await turns()
    assert bench.line.sent == [["a"]]
    bench.line.answer()
    assert first.done()
    assert not any(future.done() for future in others), "a read never gets an answer asked for before it"
    assert bench.line.sent == [["a"], ["b", "a", "c"]]
    bench.line.answer()
    assert [sealed(future) for future in others] == ["b", "a", "c"]


async def test_reads_wait_for_the_line_to_open() -> None:
    bench = Bench()
    bench.opening = asyncio.Event()
    first = bench.read("a")
    await turns()
    second = bench.read("b")
    await turns()
    bench.opening.set()
    await turns()
    assert [line.sent for line in bench.lines] == [[["a", "b"]]]
    bench.line.answer()
    assert sealed(first) + sealed(second) == "ab"


async def test_a_read_that_arrives_just_as_the_line_opens_travels_along() -> None:
    bench = Bench()
    bench.opening = asyncio.Event()
    first = bench.read("a")
    await turns()
    bench.opening.set()
    second = bench.read("b")
    await turns()
    assert bench.line.sent == [["a", "b"]]
    bench.line.answer()
    assert sealed(first) + sealed(second) == "ab"


async def test_more_keys_than_one_flight_takes_travel_one_after_the_other() -> None:
    bench = await connected()
    count = 2 * LARGEST_FLIGHT + 5
    futures = [bench.read(f"{number}") for number in range(count)]
    await turns()
    for _ in range(3):
        bench.line.answer()
    assert [len(keys) for keys in bench.line.sent] == [LARGEST_FLIGHT, LARGEST_FLIGHT, 5]
    assert [sealed(future) for future in futures] == [f"{number}" for number in range(count)]


async def test_a_key_nobody_waits_for_any_more_is_not_asked_for() -> None:
    bench = await connected()
    first, second = bench.read("a"), bench.read("b")
    first.cancel()
    await turns()
    assert bench.line.sent == [["b"]]
    bench.line.answer()
    assert sealed(second) == "b"


async def test_a_key_is_asked_for_while_one_of_several_still_waits() -> None:
    bench = await connected()
    first, second = bench.read("a"), bench.read("a")
    first.cancel()
    await turns()
    bench.line.answer()
    assert sealed(second) == "a"


async def test_when_all_have_left_nothing_is_sent() -> None:
    bench = await connected()
    bench.read("a").cancel()
    await turns()
    assert bench.line.sent == []
    future = bench.read("b")
    await turns()
    bench.line.answer()
    assert sealed(future) == "b"


async def test_when_a_whole_flight_has_left_the_rest_still_travels() -> None:
    bench = await connected()
    for number in range(LARGEST_FLIGHT):
        bench.read(f"{number}").cancel()
    future = bench.read("rest")
    await turns()
    assert bench.line.sent == [["rest"]]
    bench.line.answer()
    assert sealed(future) == "rest"


async def test_a_flight_that_loses_its_line_travels_once_more_on_a_fresh_one() -> None:
    bench = await connected()
    futures = [bench.read(key) for key in ("a", "b", "c")]
    await turns()
    bench.line.answer(1)
    later = bench.read("d")
    bench.line.break_()
    await turns()
    assert len(bench.lines) == 2
    assert bench.line.sent == [["b", "c"]], "what was answered is not asked for again"
    bench.line.answer()
    bench.line.answer()
    assert [sealed(future) for future in [*futures, later]] == ["a", "b", "c", "d"]


async def test_a_flight_that_loses_two_lines_fails_and_the_circuit_opens() -> None:
    bench = await connected()
    future = bench.read("a")
    await turns()
    bench.line.break_()
    await turns()
    later = bench.read("b")
    bench.line.break_()
    assert await refusal(future) == "store.unreachable"
    assert await refusal(later) == "store.unreachable"
    assert not bench.circuit.allows()
    await turns()
    assert len(bench.lines) == 2, "nobody waits, so no line is opened"


async def test_a_line_lost_while_idle_is_opened_again_by_the_next_read() -> None:
    bench = await connected()
    bench.line.break_()
    await turns()
    assert len(bench.lines) == 1
    future = bench.read("a")
    await turns()
    assert len(bench.lines) == 2
    bench.line.answer()
    assert sealed(future) == "a"


async def test_when_no_line_can_be_had_all_who_wait_are_told_why() -> None:
    failed: list[str] = []
    bench = Bench(on_failed=failed.append)
    bench.refusals.append(exceptions.AuthenticationError("secret", status_code="WRONGPASS"))
    first, second = bench.read("a"), bench.read("b")
    assert await refusal(first) == "store.wrongpass"
    assert await refusal(second) == "store.wrongpass"
    assert failed == ["a"]
    assert not bench.circuit.allows()


async def test_after_a_failure_the_next_read_tries_again() -> None:
    bench = Bench()
    bench.refusals.append(ConnectionRefusedError())
    assert await refusal(bench.read("a")) == "store.unreachable"
    future = bench.read("b")
    await turns()
    bench.line.answer()
    assert sealed(future) == "b"
    assert bench.circuit.allows()


async def test_an_error_nobody_foresaw_leaves_no_one_waiting() -> None:
    bench = Bench()
    bench.refusals.append(UnicodeError("label too long"))
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    assert await refusal(bench.read("a")) == "store.refused"
    future = bench.read("b")
    await turns()
    bench.line.answer()
    assert sealed(future) == "b"


async def test_a_server_that_does_not_answer_fails_all_who_wait_at_once() -> None:
    bench = await connected()
    first = bench.read("a")
    await turns()
    later = bench.read("b")
    line = bench.line
    await asyncio.sleep(TIMEOUT - 0.001)
    assert not first.done()
    await asyncio.sleep(GRACE + 0.002)
    assert await refusal(first) == "store.timeout"
    assert await refusal(later) == "store.timeout"
    assert line.is_closed, "an answer that comes late must not meet the next flight"
    assert not bench.circuit.allows()


async def test_an_answer_within_the_grace_counts() -> None:
    """The event loop itself may have been held up; then the answer is there, only not read yet."""
    bench = await connected()
    future = bench.read("a")
    await asyncio.sleep(TIMEOUT + GRACE / 2)
    bench.line.answer()
    await asyncio.sleep(GRACE)
    assert sealed(future) == "a"
    assert not bench.line.is_closed


async def test_every_flight_has_the_whole_time_for_itself() -> None:
    bench = await connected()
    for number in range(5):
        future = bench.read(f"{number}")
        await asyncio.sleep(TIMEOUT * 0.7)
        bench.line.answer()
        assert sealed(future) == f"{number}"
    assert len(bench.lines) == 1


async def test_a_flight_that_follows_at_once_has_the_whole_time_too() -> None:
    bench = await connected()
    bench.read("a")
    await turns()
    future = bench.read("b")
    await asyncio.sleep(TIMEOUT * 0.9)
    bench.line.answer()
    await asyncio.sleep(TIMEOUT * 0.9)
    assert not future.done()
    bench.line.answer()
    assert sealed(future) == "b"


async def test_a_pause_in_which_the_time_passes_does_no_harm() -> None:
    bench = await connected()
    future = bench.read("a")
    await turns()
    bench.line.answer()
    await asyncio.sleep(TIMEOUT * 3)
    assert sealed(future) == "a"
    assert not bench.line.is_closed


async def test_a_line_lost_in_the_meantime_is_not_blamed_for_the_time() -> None:
    bench = await connected()
    future = bench.read("a")
    await turns()
    bench.opening = asyncio.Event()
    bench.line.break_()
    await asyncio.sleep(TIMEOUT * 2)
    assert not future.done(), "opening a line has its own limit"
    bench.opening.set()
    await turns()
    bench.line.answer()
    assert sealed(future) == "a"


async def test_an_idle_line_can_be_dropped_and_one_in_use_cannot() -> None:
    bench = Bench()
    bench.queue.drop_idle_line()
    first = bench.read("a")
    await turns()
    bench.queue.drop_idle_line()
    assert not bench.line.is_closed
    bench.line.answer()
    assert sealed(first) == "a"
    bench.queue.drop_idle_line()
    assert bench.line.is_closed
    second = bench.read("b")
    await turns()
    assert len(bench.lines) == 2
    bench.line.answer()
    assert sealed(second) == "b"


async def test_closing_tells_all_who_wait() -> None:
    bench = await connected()
    in_flight = bench.read("a")
    await turns()
    waiting = [bench.read("a"), bench.read("b")]
    await bench.queue.close()
    for future in [in_flight, *waiting]:
        assert await refusal(future) == "store.closed"
    assert bench.line.is_closed


async def test_closing_closes_an_idle_line() -> None:
    bench = await connected()
    await bench.queue.close()
    assert bench.line.is_closed


async def test_closing_while_a_line_is_being_opened_tells_all_who_wait() -> None:
    bench = Bench()
    bench.opening = asyncio.Event()
    future = bench.read("a")
    await turns()
    await bench.queue.close()
    assert await refusal(future) == "store.closed"
    assert bench.lines == []


async def test_a_redirection_nobody_can_follow_is_refused() -> None:
    bench = Bench()
    future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
    bench.queue._on_redirected("a", [future])
    assert await refusal(future) == "store.refused"
