"""One worker or several: all cores are for everybody here, the load included, so growth ends where they do."""

from __future__ import annotations

from collections.abc import Callable

from bench.cores import Cores
from bench.options import Options
from bench.process_tree import resident_bytes
from bench.scenarios import variants
from bench.section import Section
from bench.stage import Stage
from bench.table import markdown
from bench.targets import gateway

NAME = "workers"
CONNECTIONS = 256
MEBIBYTE = 2**20


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Measure the gateway with each number of workers, and the memory of the largest."""
    everybody = Cores(cores.server | cores.load, cores.server | cores.load)
    with Stage(options, everybody) as stage:
        targets = [
            gateway.start(
                stage,
                name=f"{count} worker{'s' if count > 1 else ''}",
                BFF_WORKERS=str(count),
                BFF_METRICS_PORT="off",
            )
            for count in options.workers
        ]
        rows = variants.compare(stage, targets, say, most=CONNECTIONS)
        memory = [max(resident_bytes(target.child.process.pid).values()) / MEBIBYTE for target in targets]
    lines = [[row.target, f"{row.calls_per_second / rows[0].calls_per_second:.2f}", f"{size:.0f}"]
             for row, size in zip(rows, memory, strict=True)]  # fmt: skip
    growth = markdown(["", "throughput / first", "MiB of the largest worker"], lines)
    return Section(
        NAME,
        "Number of workers",
        f"{variants.table_of(rows)}\n\n{growth}",
        {**variants.data_of(rows), "resident_mebibytes_of_the_largest_worker": memory},
    )
