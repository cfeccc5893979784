"""WebSockets that chat in small messages, and idle ones: delay, CPU and memory, beside nginx."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

from bench import raw_client
from bench.cores import Cores, running_on
from bench.nginx import nginx_program, sockets_configuration
from bench.options import Options
from bench.process_tree import cpu_seconds, memory_bytes
from bench.section import Section
from bench.socket_client import Echoes, echoes, handshake_fields
from bench.stage import Stage, python
from bench.table import markdown, number
from bench.targets import gateway
from bff.demo.child import Child

NAME = "sockets"
SESSIONS = 50
CHATTING = 32


@dataclass(frozen=True)
class Way:
    """To the echo directly, through nginx, or through the gateway; `headers` are one list a session."""

    name: str
    url: str
    headers: tuple[tuple[str, ...], ...] = ((),)
    child: Child | None = None


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Measure one WebSocket, many, and idle ones, on each way in turns."""
    idle = min(options.streams, 1000)
    alone: dict[str, list[Echoes]] = {}
    together: dict[str, list[tuple[Echoes, float]]] = {}
    with Stage(options, cores) as stage:
        ways = _ways(stage)
        for _ in range(options.rounds):
            for way in ways:
                alone.setdefault(way.name, []).append(_chat(stage, way, 1)[0])
                together.setdefault(way.name, []).append(_chat(stage, way, CHATTING))
                say(f"  {way.name}: {_rate(together[way.name][-1][0]):,.0f} messages/s")
        held = {way.name: _held(stage, way, idle) for way in ways}
    figures = {
        way.name: {
            "p50_ms_alone": statistics.median(delay for one in alone[way.name] for delay in one.delays) * 1e3,
            "messages_per_second": statistics.median(_rate(one) for one, _ in together[way.name]),
            "cpu_us_per_message": statistics.median(cpu / one.messages * 1e6 for one, cpu in together[way.name]),
            "kibibytes_per_idle_socket": held[way.name],
        }
        for way in ways
    }
    head = ["", "echo delay, p50 ms", f"messages/s on {CHATTING}", "CPU µs/message", f"KiB each of {idle:,} idle"]
    table = markdown(head, [[name, *map(number, values.values())] for name, values in figures.items()])
    return Section(NAME, "WebSockets", table, {"figures": figures})


def _ways(stage: Stage) -> list[Way]:
    program = nginx_program()
    assert program is not None
    echo, reference, folder = stage.port(), stage.port(), stage.folder("nginx-sockets")
    origin = f"http://127.0.0.1:{echo}"
    stage.start(
        "echo", [python(), "-m", "bench.socket_echo", str(echo)], cores=stage.cores.load, ready_url=f"{origin}/ready"
    )
    (folder / "nginx.conf").write_text(sockets_configuration(folder, reference, echo))
    nginx = stage.start(
        "nginx-sockets",
        [program, "-p", str(folder), "-c", str(folder / "nginx.conf")],
        cores=stage.cores.server,
        ready_url=f"http://127.0.0.1:{reference}/ready",
    )
    routes = json.dumps([{"prefix": "/socket", "upstream": f"{origin}/socket", "websocket": True}])
    bff = gateway.start(stage, BFF_ROUTES=routes, sessions=SESSIONS, shown=SESSIONS)
    public = bff.url.removesuffix("/api/small")
    return [
        Way("direct", f"{origin}/socket"),
        Way("nginx", f"http://127.0.0.1:{reference}/socket", child=nginx),
        Way(
            "bff",
            f"{public}/socket",
            tuple((f"Origin: {public}", *gateway.headers_for(cookie)) for cookie in bff.cookies),
            bff.child,
        ),
    ]


def _chat(stage: Stage, way: Way, count: int) -> tuple[Echoes, float]:
    before = cpu_seconds(way.child.process.pid) if way.child else 0.0
    with running_on(stage.cores.load):
        heard = echoes(way.url, way.headers, count=count, seconds=stage.options.duration)
    return heard, cpu_seconds(way.child.process.pid) - before if way.child else 0.0


def _held(stage: Stage, way: Way, count: int) -> float:
    """Return the KiB the way's process tree holds for each idle WebSocket."""
    if way.child is None:
        return 0.0
    pid = way.child.process.pid
    time.sleep(1)
    before = sum(memory_bytes(pid).values())
    with contextlib.ExitStack() as stack, running_on(stage.cores.load):
        for _, fields in zip(range(count), cycle(way.headers), strict=False):
            connection = stack.enter_context(raw_client.open_call(way.url, [*handshake_fields(), *fields]))
            raw_client.read_head(connection)
        time.sleep(1)
        return (sum(memory_bytes(pid).values()) - before) / count / 1024


def _rate(heard: Echoes) -> float:
    return heard.messages / heard.seconds
