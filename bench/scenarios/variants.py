"""One server in several variants, measured like different servers: what does the variation cost?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from bench.rounds import check, interleave
from bench.stage import Stage
from bench.summary import Row, summarise
from bench.table import calls_table
from bench.targets.target import Target

CONNECTIONS = 32


def compare(
    stage: Stage, variants: Sequence[Target], report: Callable[[str], None], *, most: int = CONNECTIONS
) -> list[Row]:
    """Measure the variants in turn, on as many connections as the options say, `most` at most.

    Ratios are to the first of them.
    """
    for variant in variants:
        check(variant)
    connections = min(most, max(stage.options.connections))
    samples = interleave(stage, variants, connections, report=report)
    return summarise(connections, samples, [variants[0].name])


def table_of(rows: Sequence[Row]) -> str:
    """Return the table, ratios to its first row."""
    return calls_table(rows, [rows[0].target])


def data_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures."""
    return {"rows": [dataclasses.asdict(row) for row in rows]}
