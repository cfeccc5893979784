"""`python -m bench.bare_calls`: what the gateway's own code takes for a call, without sockets and without a load.

Requests, session records and answers are handed to the gateway's protocols in memory, so many calls at a time, and
what they write is dropped. There is no kernel, no event loop and no other process in the figure: it shows changes of a
percent where a whole run shows changes of ten.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import secrets
import time
from collections.abc import Callable
from typing import Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

from bench.nginx import json_body
from bench.plant import sized_record
from bench.table import markdown
from bff.app import create_app
from bff.logs import LineWriter
from bff.proxy.back import Back
from bff.proxy.front import Front
from bff.server import COLLECTOR_THRESHOLDS
from bff.session.cookies import encode_handle
from bff.session.sealing import Sealer, sealing_context
from bff.settings import load_settings
from bff.stores.redis_line import Line
from bff.stores.redis_reads import LARGEST_FLIGHT
from bff.stores.redis_scripts import encode_session

SECRET_KEY = "bench-key-bench-key-bench-key-bench-key-123"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 29 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 120\r\nConnection: keep-alive\r\n\r\n" + json_body(120).encode()
)


class Wire(asyncio.Transport):
    """A transport that takes everything and says nothing."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 8080)})
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(data)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...
    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Plant:
    """A gateway between such wires, with as many connections and sessions as calls are to be under way at a time."""

    def __init__(self, count: int) -> None:
        settings = load_settings(
            {
                "BFF_PUBLIC_URL": "http://127.0.0.1:8080",
                "BFF_ISSUER": "http://127.0.0.1:9",
                "BFF_CLIENT_ID": "bench",
                "BFF_CLIENT_SECRET": "bench-secret-0123456789",
                "BFF_SECRET_KEYS": SECRET_KEY,
                "BFF_REDIS_URL": "redis://127.0.0.1:9/0",
                "BFF_UPSTREAM_URL": "http://127.0.0.1:9/api",
            }
        )
        self.gateway = create_app(
            settings, clock=time.time, random_bytes=secrets.token_bytes, log_lines=LineWriter(io.StringIO())
        )
        context = sealing_context(settings.issuer, settings.client_id, settings.public_url.origin)
        sealer = Sealer([SECRET_KEY.encode()], context, random_bytes=secrets.token_bytes)
        record = sized_record(sealer, settings, 4096)
        self.requests, self.values = [], []
        for _ in range(count):
            handle = secrets.token_bytes(32)
            key = sealer.store_key(handle)
            self.values.append(encode_session(time.time(), sealer.seal(record, handle, key)))
            self.requests.append(
                b"GET /api/small HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nSec-Fetch-Site: same-origin\r\n"
                b"Accept: application/json\r\nCookie: bff=%b\r\n\r\n" % encode_handle(handle).encode()
            )
        config = uvicorn.Config(self.gateway, ws="none", lifespan="off", log_config=None)
        config.load()
        self.fronts = [self._connect(config, ServerState()) for _ in range(count)]
        self.store = Wire()
        self.backs: list[tuple[Back, Wire]] = []
        seams: Any = self.gateway
        seams.store._servers._open_line = self._open_line  # noqa: SLF001 -- in place of a socket to Redis
        seams.proxy.pool.connect = self._open_back
        self.turn = self.gateway.proxy.turn
        self.turn.start()

    def _connect(self, config: uvicorn.Config, state: ServerState) -> tuple[Front, Wire]:
        front, wire = Front(self.gateway.proxy, config, state, {}, asyncio.get_running_loop()), Wire()
        front.connection_made(wire)
        return front, wire

    async def _open_line(self, on_free: Any, on_lost: Any, on_redirected: Any) -> Line:
        writer: Any = type("Writer", (), {"transport": self.store})
        self.line = Line(
            writer, prefix="", is_cluster=False, on_free=on_free, on_lost=on_lost, on_redirected=on_redirected
        )
        return self.line

    async def _open_back(self, _origin: object) -> Back:
        back, wire = Back(self.turn), Wire()
        back.connection_made(wire)
        self.backs.append((back, wire))
        return back

    async def wave(self) -> tuple[float, float, float]:
        """Carry one call on every connection; return the seconds of all: until asked, opened and sent, answered."""
        began = time.perf_counter()
        for (front, _), request in zip(self.fronts, self.requests, strict=True):
            front.data_received(request)
        self.turn.catch_up()
        asked = time.perf_counter() - began
        sent = 0.0
        for start in range(0, len(self.values), LARGEST_FLIGHT):
            await _turns_until(lambda: bool(self.store.written))
            self.store.written.clear()
            values = self.values[start : start + LARGEST_FLIGHT]
            reply = b"*%d\r\n" % len(values) + b"".join(b"$%d\r\n%b\r\n" % (len(value), value) for value in values)
            began = time.perf_counter()
            self.line.data_received(reply)
            self.turn.leave()
            sent += time.perf_counter() - began
        await _turns_until(lambda: sum(len(wire.written) for _, wire in self.backs) == len(self.fronts))
        began = time.perf_counter()
        for back, wire in self.backs:
            wire.written.clear()
            back.data_received(ANSWER)
        self.turn.catch_up()
        self.turn.leave()
        answered = time.perf_counter() - began
        for _, wire in self.fronts:
            assert wire.written.pop().startswith(b"HTTP/1.1 200 ")
            assert not wire.written
        return asked, sent, answered


async def _turns_until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- there is nothing to wait for but the event loop's next turn
        await asyncio.sleep(0)


async def measured(count: int, calls: int) -> list[float]:
    """Return the microseconds a call takes in each of the three steps, and in all; the fastest tenth of the waves."""
    gc.unfreeze()
    gc.collect()
    plant = Plant(count)
    for _ in range(3):
        await plant.wave()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    waves = sorted([await plant.wave() for _ in range(max(20, calls // count))], key=sum)
    wave = waves[len(waves) // 10]
    return [seconds / count * 1e6 for seconds in (*wave, sum(wave))]


def main() -> None:
    """Print a row for each number of calls at a time."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare_calls", description=main.__doc__)
    parser.add_argument("--in-flight", default="1,32,256,1024", metavar="N,N", help="calls at a time")
    parser.add_argument("--calls", type=int, default=40_000, help="calls of each row, default 40000")
    given = parser.parse_args()
    rows = []
    for count in map(int, given.in_flight.split(",")):
        figures = uvloop.run(measured(count, given.calls))
        rows.append([f"{count}", *(f"{figure:.1f}" for figure in figures)])
    print(markdown(["calls at a time", "request to store", "store to upstream", "answer to browser", "µs/call"], rows))


if __name__ == "__main__":
    main()
