"""Rows are medians, and a ratio compares only what ran in the same round."""

from __future__ import annotations

import pytest

from bench.summary import Sample, ratio_of, summarise


def sample(number: int, cpu: float, **changes: float) -> Sample:
    values = {"calls": 1000, "calls_per_second": 1e6 / cpu if cpu else 0.0, "p50": 1.0, "p99": 2.0, "errors": 0}
    return Sample(round=number, cpu=cpu, **(values | changes))  # type: ignore[arg-type]


def test_a_row_is_the_median_of_its_rounds_and_the_sum_of_its_errors() -> None:
    runs = {"bff": [sample(0, 30.0, errors=1), sample(1, 300.0, errors=2), sample(2, 40.0, p99=9.0)]}
    (row,) = summarise(32, runs, ())
    assert (row.target, row.connections, row.cpu, row.p99, row.errors) == ("bff", 32, 40.0, 2.0, 3)


def test_a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians() -> None:
    # A noisy second round slows both down: each round says 3, which medians of the columns would too, but not mixed.
    ours, theirs = [sample(0, 30.0), sample(1, 90.0)], [sample(0, 10.0), sample(1, 30.0), sample(2, 500.0)]
    assert ratio_of(ours, theirs) == pytest.approx(3.0)


def test_a_round_the_reference_missed_gives_no_ratio() -> None:
    assert ratio_of([sample(1, 30.0)], [sample(0, 10.0)]) is None
    assert ratio_of([sample(0, 30.0)], [sample(0, 0.0)]) is None


def test_a_missing_reference_leaves_its_ratio_out() -> None:
    (row,) = summarise(32, {"bff": [sample(0, 30.0)]}, ("nginx",))
    assert row.ratios == {}


def test_a_target_that_never_ran_has_no_row() -> None:
    assert summarise(32, {"bff": []}, ()) == []
