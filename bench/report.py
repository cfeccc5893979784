"""The results as files: all figures as JSON, the main one as a plot."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.options import Options
from bench.plot import bar_chart
from bench.stage import Stage
from bench.summary import Row
from bench.targets.target import Target


def write_results(
    options: Options,
    machine: Mapping[str, str],
    stage: Stage,
    targets: Sequence[Target],
    missing: Mapping[str, str],
    rows: Sequence[Row],
) -> list[Path]:
    """Write `small-calls.json` and one plot per number of connections; return their paths."""
    options.results.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "machine": dict(machine),
        "method": {"seconds_per_run": options.duration, "rounds": options.rounds,
            "answer_bytes": options.body_size, "sealed_session_bytes": options.record_size},
        "versions": {"store": stage.store_version, **{target.name: target.version for target in targets}},
        "missing": dict(missing),
        "small_calls": [dataclasses.asdict(row) for row in rows],
    }  # fmt: skip
    paths = [options.results / "small-calls.json"]
    paths[0].write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    for connections in options.connections:
        bars = [(row.target, row.ratios["nginx"]) for row in rows if _is_drawn(row, connections)]
        if bars:
            path = options.results / f"small-calls-{connections}.svg"
            title = f"CPU per call at {connections} connections, nginx proxy_pass = 1"
            path.write_text(bar_chart(title, "", sorted(bars, key=lambda bar: bar[1]), marked="bff"))
            paths.append(path)
    return paths


def _is_drawn(row: Row, connections: int) -> bool:
    return row.connections == connections and "nginx" in row.ratios
