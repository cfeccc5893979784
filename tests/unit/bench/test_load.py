"""What wrk reports is read as it is meant, or not at all."""

from __future__ import annotations

import pytest

from bench.load import LoadError, Outcome, parse_report

REPORT = """\
Running 4s test @ http://127.0.0.1:40001/api/small
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.03ms  210.10us   9.31ms   94.01%
    Req/Sec    31.05k     1.99k   34.02k    75.00%
  Latency Distribution
     50%  990.00us
     75%    1.06ms
     90%    1.18ms
     99%    1.71ms
  124207 requests in 4.10s, 30.06MB read
Requests/sec:  30294.39
Transfer/sec:      7.33MB
"""


def test_a_report_gives_calls_seconds_and_percentiles() -> None:
    assert parse_report(REPORT) == Outcome(calls=124_207, seconds=4.1, p50=0.00099, p99=0.00171, errors=0)
    assert parse_report(REPORT).calls_per_second == pytest.approx(124_207 / 4.1)


def test_broken_connections_and_refusals_are_errors() -> None:
    troubled = REPORT.replace(
        "Requests/sec",
        "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 100\nRequests/sec",
    )
    assert parse_report(troubled).errors == 110


def test_long_runs_are_counted_in_minutes() -> None:
    assert parse_report(REPORT.replace("in 4.10s", "in 1.50m")).seconds == 90.0


@pytest.mark.parametrize("report", ["", "unable to connect", REPORT.replace("99%", "98%")])
def test_anything_else_is_no_report(report: str) -> None:
    with pytest.raises(LoadError):
        parse_report(report)
