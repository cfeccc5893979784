"""A small JSON answer, called over and over: the gateway, its references and its peers, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from bench.cores import Cores
from bench.options import Options
from bench.plot import bar_chart
from bench.provider import LoginFailed
from bench.rounds import Unusable, check, interleave
from bench.section import Section
from bench.stage import Missing, Stage
from bench.summary import Row, summarise
from bench.table import calls_table
from bench.targets import gateway, nginx_reference
from bench.targets.catalogue import REFERENCES, wanted
from bench.targets.target import Target
from bff.demo.child import ChildError

NAME = "small-calls"

Say = Callable[..., None]


def run(options: Options, cores: Cores, say: Say) -> Section:
    """Measure all targets at each number of connections."""
    with Stage(options, cores) as stage:
        targets, missing = _start_all(stage, say)
        rows: list[Row] = []
        for count in options.connections:
            samples = interleave(stage, targets, count, report=say)
            rows += summarise(count, samples, REFERENCES)
        versions = {"store": stage.store_version, **{target.name: target.version for target in targets}}
    present = [name for name in REFERENCES if any(row.target == name for row in rows)]
    tables = [f"{count} connections:\n\n{calls_table(_of(rows, count), present)}" for count in options.connections]
    return Section(
        NAME,
        "Small calls",
        "\n\n".join([*tables, *(f"Not measured: {name}: {reason}" for name, reason in missing.items())]),
        {"versions": versions, "missing": missing, "rows": [dataclasses.asdict(row) for row in rows]},
        {f"{NAME}-{count}.svg": _plot(_of(rows, count), count) for count in options.connections},
        succeeded=any(row.target == gateway.NAME and not row.errors for row in rows),
    )


def _start_all(stage: Stage, say: Say) -> tuple[list[Target], dict[str, str]]:
    """Start every target wanted; return those that work, and why the others do not."""
    targets, missing = [], {}
    for name, start in wanted(stage.options):
        try:
            target = start(stage)
            check(target)
        except (Missing, Unusable, LoginFailed, ChildError) as reason:
            missing[name] = str(reason)
            say(f"  {name}: left out, {reason}")
            continue
        targets.append(target)
        say(f"  {name}: {target.version}")
    return targets, missing


def _of(rows: Sequence[Row], connections: int) -> list[Row]:
    return [row for row in rows if row.connections == connections]


def _plot(rows: Sequence[Row], connections: int) -> str:
    reference = nginx_reference.NAME
    bars = [(row.target, row.ratios[reference]) for row in rows if reference in row.ratios]
    title = f"CPU per call at {connections} connections, nginx proxy_pass = 1"
    return bar_chart(title, "", sorted(bars, key=lambda bar: bar[1]), marked=gateway.NAME)
