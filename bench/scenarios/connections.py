"""From one connection to a thousand: the throughput must stay where it is once the core is busy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from bench.cores import Cores
from bench.options import Options
from bench.plot import line_chart
from bench.rounds import check, measured, sample_of
from bench.section import Section
from bench.stage import Stage
from bench.summary import Sample, summarise
from bench.table import markdown, number
from bench.targets import gateway, nginx_reference

NAME = "connections"


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Measure gateway and nginx at each number of connections, all of them in every round."""
    with Stage(options, cores) as stage:
        targets = [gateway.start(stage), nginx_reference.start(stage)]
        for target in targets:
            check(target)
            measured(stage, target, 8, seconds=1)
        samples: dict[tuple[str, int], list[Sample]] = {}
        for number_of_round in range(options.rounds):
            for count in options.ladder:
                for target in targets:
                    taken = measured(stage, target, count, seconds=options.duration)
                    sample = sample_of(number_of_round, *taken)
                    samples.setdefault((target.name, count), []).append(sample)
                    say(f"  {count:4d} connections: {target.name:6s}{sample.calls_per_second:10,.0f} calls/s")
    rows = [
        row
        for count in options.ladder
        for row in summarise(count, {t.name: samples[t.name, count] for t in targets}, [nginx_reference.NAME])
    ]
    ours = [row for row in rows if row.target == gateway.NAME]
    peak = max(row.calls_per_second for row in ours)
    lines = [
        [str(row.connections), f"{row.calls_per_second:,.0f}", f"{row.calls_per_second / peak:.0%}", number(row.cpu),
            number(row.ratios[nginx_reference.NAME]), f"{row.p50:.2f}", f"{row.p99:.2f}", str(row.errors)]
        for row in ours
    ]  # fmt: skip
    head = ["connections", "calls/s", "of the peak", "CPU µs/call", "/ nginx", "p50 ms", "p99 ms", "errors"]
    points = [(str(row.connections), row.calls_per_second / 1000) for row in ours]
    return Section(
        NAME,
        "Number of connections",
        markdown(head, lines),
        {"rows": [dataclasses.asdict(row) for row in rows]},
        {f"{NAME}.svg": line_chart("bff: thousand calls per second by number of connections, one core", points)},
        succeeded=not any(row.errors for row in ours),
    )
