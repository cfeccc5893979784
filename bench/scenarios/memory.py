"""A million calls through one worker: what it holds afterwards is what it held before."""

from __future__ import annotations

from collections.abc import Callable

from bench.cores import Cores
from bench.options import Options
from bench.process_tree import resident_bytes
from bench.rounds import check, measured
from bench.section import Section
from bench.stage import Stage
from bench.table import markdown
from bench.targets import gateway

NAME = "memory"
CONNECTIONS = 256
MEBIBYTE = 2**20


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Call until so many calls are through, and look at the memory on the way."""
    with Stage(options, cores) as stage:
        target = gateway.start(stage)
        check(target)
        calls, seen = 0, [(0, _resident(target.child.process.pid))]
        errors = 0
        while calls < options.calls:
            outcome, _ = measured(stage, target, CONNECTIONS, seconds=5)
            calls += outcome.calls
            errors += outcome.errors
            seen.append((calls, _resident(target.child.process.pid)))
            say(f"  {calls:9,d} calls: {seen[-1][1]:.1f} MiB")
    shown = thinned(seen, options.calls)
    return Section(
        NAME,
        "Memory of one worker",
        markdown(["calls", "resident MiB"], [[f"{count:,}", f"{size:.1f}"] for count, size in shown]),
        {"resident_mebibytes": seen, "errors": errors},
        succeeded=errors == 0,
    )


def _resident(pid: int) -> float:
    return max(resident_bytes(pid).values()) / MEBIBYTE


def thinned(seen: list[tuple[int, float]], total: int) -> list[tuple[int, float]]:
    """Return what was seen at the start, then after every tenth of the calls."""
    kept, next_at = [], 0.0
    for count, size in seen:
        if count >= next_at:
            kept.append((count, size))
            next_at = (count // (total / 10) + 1) * (total / 10)
    return kept if kept[-1] == seen[-1] else [*kept, seen[-1]]
