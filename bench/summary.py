"""Many short runs made into one row: medians, and ratios to what ran in the same round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One run; `cpu` is microseconds of the server's process tree per call, `p50` and `p99` are milliseconds."""

    round: int
    calls: int
    calls_per_second: float
    cpu: float
    p50: float
    p99: float
    errors: int


@dataclass(frozen=True)
class Row:
    """One target at one number of connections: medians over the rounds, `ratios` of CPU per call by reference."""

    target: str
    connections: int
    calls_per_second: float
    cpu: float
    p50: float
    p99: float
    errors: int
    ratios: Mapping[str, float]


def summarise(connections: int, samples: Mapping[str, Sequence[Sample]], references: Sequence[str]) -> list[Row]:
    """Return a row per target; a ratio is the median of each round's, so that noise hits both sides of it."""
    return [
        Row(
            target=target,
            connections=connections,
            calls_per_second=statistics.median(sample.calls_per_second for sample in runs),
            cpu=statistics.median(sample.cpu for sample in runs),
            p50=statistics.median(sample.p50 for sample in runs),
            p99=statistics.median(sample.p99 for sample in runs),
            errors=sum(sample.errors for sample in runs),
            ratios={
                reference: ratio
                for reference in references
                if (ratio := ratio_of(runs, samples.get(reference, ()))) is not None
            },
        )
        for target, runs in samples.items()
        if runs
    ]


def ratio_of(runs: Sequence[Sample], reference: Sequence[Sample]) -> float | None:
    """Return the median over the rounds both took part in of CPU per call by the reference's; None without such."""
    by_round = {sample.round: sample.cpu for sample in reference if sample.cpu > 0}
    ratios = [sample.cpu / by_round[sample.round] for sample in runs if sample.round in by_round]
    return statistics.median(ratios) if ratios else None
