"""Many idle event streams through one worker: what each costs, and what they take from everything else."""

from __future__ import annotations

import dataclasses
import json
import resource
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle

from bench import raw_client
from bench.cores import Cores, running_on
from bench.options import Options
from bench.process_tree import cpu_seconds, memory_bytes
from bench.rounds import check, interleave
from bench.section import Section
from bench.stage import Stage, python
from bench.summary import Row, summarise
from bench.table import markdown, number
from bench.targets import gateway
from bench.targets.target import Target

NAME = "streams"
CONNECTIONS = 32
EVENTS = 200
EVERY = 0.01
IDLE = 5.0
SESSIONS = 50


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Open the streams and measure before, meanwhile and after."""
    # One here, and in the gateway two for each.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(options.streams, limit // 2 - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with Stage(options, cores) as stage:
        upstream = _start_upstream(stage)
        routes = json.dumps([{"prefix": "/stream", "upstream": upstream}])
        target = gateway.start(stage, BFF_ROUTES=routes, sessions=SESSIONS, shown=SESSIONS)
        check(target)
        origin = target.url.removesuffix("/api/small")
        before = _small_calls(stage, target, "without streams", say)
        direct = _delays(stage, f"{upstream}/events", ())
        quiet = _delays(stage, f"{origin}/stream/events", target.headers)
        memory = _memory(target)
        streams = _open(stage, f"{origin}/stream/events?every=0", target.cookies, count)
        time.sleep(2)
        each = (_memory(target) - memory) / count / 1024
        say(f"  {count:,} streams open: {each:.1f} KiB each")
        idle = _idle(target)
        meanwhile = _small_calls(stage, target, f"beside {count:,} streams", say)
        busy = _delays(stage, f"{origin}/stream/events", target.headers)
        closed_after = _close(streams, f"{upstream}/open")
    figures = [
        ("KiB per idle stream", each),
        (f"% of a core for {count:,} idle streams", idle * 100),
        ("event delay directly, p50 ms", statistics.median(direct)),
        ("event delay through bff, p50 ms", statistics.median(quiet)),
        ("event delay through bff, p99 ms", _p99(quiet)),
        (f"event delay beside {count:,} streams, p50 ms", statistics.median(busy)),
        (f"event delay beside {count:,} streams, p99 ms", _p99(busy)),
        ("small calls/s without streams", before.calls_per_second),
        (f"small calls/s beside {count:,} streams", meanwhile.calls_per_second),
        ("CPU µs per small call without streams", before.cpu),
        (f"CPU µs per small call beside {count:,} streams", meanwhile.cpu),
        ("ms until the upstream has lost all streams the browsers left", closed_after * 1e3),
    ]
    return Section(
        NAME,
        f"{count:,} idle event streams on one worker",
        markdown(["", "figure"], [[name, number(value)] for name, value in figures]),
        {"streams": count, "figures": dict(figures), "rows": [dataclasses.asdict(row) for row in (before, meanwhile)]},
        succeeded=not before.errors and not meanwhile.errors,
    )


def _start_upstream(stage: Stage) -> str:
    port = stage.port()
    command = [python(), "-m", "bench.stream_upstream", str(port)]
    stage.start("events", command, cores=stage.cores.load, ready_url=f"http://127.0.0.1:{port}/open")
    return f"http://127.0.0.1:{port}"


def _small_calls(stage: Stage, target: Target, name: str, say: Callable[..., None]) -> Row:
    renamed = dataclasses.replace(target, name=name)
    (row,) = summarise(CONNECTIONS, interleave(stage, [renamed], CONNECTIONS, report=say), ())
    return row


def _memory(target: Target) -> int:
    return sum(memory_bytes(target.child.process.pid).values())


def _idle(target: Target) -> float:
    """Return the share of a core the gateway takes while nothing happens."""
    before = cpu_seconds(target.child.process.pid)
    time.sleep(IDLE)
    return (cpu_seconds(target.child.process.pid) - before) / IDLE


def _open(stage: Stage, url: str, cookies: Sequence[str], count: int) -> list[socket.socket]:
    streams = []
    with running_on(stage.cores.load):
        for _, cookie in zip(range(count), cycle(cookies), strict=False):
            stream = raw_client.open_call(url, gateway.headers_for(cookie))
            _, rest = raw_client.read_head(stream)
            while b"\n\n" not in rest:
                rest += stream.recv(4096)
            streams.append(stream)
    return streams


def _delays(stage: Stage, url: str, headers: Sequence[str]) -> list[float]:
    """Return after how many milliseconds events arrived."""
    delays: list[float] = []
    with running_on(stage.cores.load), raw_client.open_call(f"{url}?every={EVERY}", headers) as stream:
        _, received = raw_client.read_head(stream)
        while len(delays) < EVENTS:
            received += stream.recv(4096)
            now = time.monotonic_ns()
            *events, received = received.split(b"\n\n")
            delays += [(now - int(event.rpartition(b"data: ")[2])) / 1e6 for event in events]
    return delays


def _close(streams: Sequence[socket.socket], open_url: str) -> float:
    """Leave as browsers do; return the seconds until the upstream has noticed all of it."""
    started = time.monotonic()
    for stream in streams:
        stream.close()
    while time.monotonic() - started < 30:
        with raw_client.open_call(open_url, ()) as asked:
            if raw_client.read_head(asked)[1] == b"0":
                break
    return time.monotonic() - started


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
