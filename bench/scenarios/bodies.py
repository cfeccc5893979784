"""One large body down, one up: throughput, CPU and memory, beside nginx and without anything between."""

from __future__ import annotations

import dataclasses
import json
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import raw_client
from bench.cores import Cores, running_on
from bench.nginx import bodies_upstream_configuration, large_bodies_configuration, nginx_program
from bench.options import Options
from bench.process_tree import cpu_seconds, resident_bytes
from bench.scenarios import stalled
from bench.section import Section
from bench.stage import Stage, python
from bench.table import markdown, number
from bench.targets import gateway
from bff.demo.child import Child

NAME = "bodies"
MEBIBYTE = 2**20
GIBIBYTE = 2**30


@dataclass(frozen=True)
class Way:
    """From here to the upstream: directly, through nginx, or through the gateway."""

    name: str
    origin: str
    headers: tuple[str, ...] = ()
    child: Child | None = None


@dataclass(frozen=True)
class Transfer:
    """One body; `growth` is how many MiB the server's resident memory grew at most while it passed."""

    way: str
    direction: str
    mebibytes_per_second: float
    cpu_per_gibibyte: float
    growth: float


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Measure download and upload on each way, in turns."""
    transfers: list[Transfer] = []
    with Stage(options, cores) as stage:
        ways = _ways(stage)
        for _ in range(options.rounds):
            for direction in ("down", "up"):
                for way in ways:
                    transfers.append(_transfer(stage, way, direction))
                    say(f"  {direction} {way.name}: {transfers[-1].mebibytes_per_second:,.0f} MiB/s")
        held = [(way.name, *_held(stage, way)) for way in ways if way.child is not None]
    medians = [
        _median([one for one in transfers if (one.direction, one.way) == (direction, way.name)])
        for direction in ("down", "up")
        for way in ways
    ]
    lines = [
        [f"{one.direction}, {one.way}", f"{one.mebibytes_per_second:,.0f}", number(one.cpu_per_gibibyte),
            number(one.growth)]
        for one in medians
    ]  # fmt: skip
    table = markdown(["", "MiB/s", "CPU s/GiB", "memory growth, MiB"], lines)
    still = markdown(
        ["held for a transfer that stands still", "download, KiB", "upload, KiB"],
        [[name, number(down), number(up)] for name, down, up in held],
    )
    return Section(
        NAME,
        f"One body of {options.transfer / MEBIBYTE:,.0f} MiB",
        f"{table}\n\n{still}",
        {"transfers": [dataclasses.asdict(one) for one in medians], "held_kibibytes": held},
    )


def _held(stage: Stage, way: Way) -> tuple[float, float]:
    assert way.child is not None
    pid = way.child.process.pid
    with running_on(stage.cores.load):
        return (
            stalled.held_by_downloads(pid, f"{way.origin}/down/large", way.headers),
            stalled.held_by_uploads(pid, f"{way.origin}/up/stall", way.headers, stage.options.transfer),
        )


def _ways(stage: Stage) -> list[Way]:
    program = nginx_program()
    assert program is not None
    source, sink, reference = stage.port(), stage.port(), stage.port()
    files, folder = stage.folder("large"), stage.folder("large-reference")
    (files / "large").touch()
    # Zeros that take no room on the disk.
    with (files / "large").open("r+b") as large:
        large.truncate(stage.options.transfer)
    (files / "nginx.conf").write_text(bodies_upstream_configuration(files, source))
    command = [program, "-p", str(files), "-c", str(files / "nginx.conf")]
    stage.start("source", command, cores=stage.cores.load, ready_url=f"http://127.0.0.1:{source}/ready")
    stage.start(
        "sink",
        [python(), "-m", "bench.stream_upstream", str(sink)],
        cores=stage.cores.load,
        ready_url=f"http://127.0.0.1:{sink}/open",
    )
    (folder / "nginx.conf").write_text(large_bodies_configuration(folder, reference, source, sink))
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    nginx = stage.start("nginx", command, cores=stage.cores.server, ready_url=f"http://127.0.0.1:{reference}/up/open")
    routes = [
        {"prefix": "/down", "upstream": f"http://127.0.0.1:{source}/down"},
        {"prefix": "/up", "upstream": f"http://127.0.0.1:{sink}/up"},
    ]
    bff = gateway.start(stage, BFF_ROUTES=json.dumps(routes), BFF_MAX_BODY=str(2 * stage.options.transfer))
    return [
        Way("direct", f"http://127.0.0.1:{source}|http://127.0.0.1:{sink}"),
        Way("nginx", f"http://127.0.0.1:{reference}", (), nginx),
        Way("bff", bff.url.removesuffix("/api/small"), bff.headers, bff.child),
    ]


def _transfer(stage: Stage, way: Way, direction: str) -> Transfer:
    size = stage.options.transfer
    origin = way.origin.split("|")[-1 if direction == "up" else 0]
    with _watched(way.child) as seen, running_on(stage.cores.load):
        if direction == "down":
            count, seconds = raw_client.download(f"{origin}/down/large", way.headers)
        else:
            count, seconds = raw_client.upload(f"{origin}/up/upload", way.headers, size)
    assert count == size, f"{count} bytes came instead of {size}"
    return Transfer(
        way=way.name,
        direction=direction,
        mebibytes_per_second=count / MEBIBYTE / seconds,
        cpu_per_gibibyte=seen.cpu / (count / GIBIBYTE),
        growth=seen.growth / MEBIBYTE,
    )


class _Seen:
    cpu = 0.0
    growth = 0


@contextmanager
def _watched(child: Child | None) -> Iterator[_Seen]:
    """Watch processor time and resident memory of a server meanwhile."""
    seen = _Seen()
    if child is None:
        yield seen
        return
    pid, over = child.process.pid, threading.Event()
    before, first = cpu_seconds(pid), sum(resident_bytes(pid).values())

    def watch() -> None:
        while not over.wait(0.05):
            seen.growth = max(seen.growth, sum(resident_bytes(pid).values()) - first)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
        seen.cpu = cpu_seconds(pid) - before


def _median(transfers: list[Transfer]) -> Transfer:
    return dataclasses.replace(
        transfers[0],
        mebibytes_per_second=statistics.median(one.mebibytes_per_second for one in transfers),
        cpu_per_gibibyte=statistics.median(one.cpu_per_gibibyte for one in transfers),
        growth=max(one.growth for one in transfers),
    )
