"""The load: wrk, its command line and its report."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_PERCENTILE = re.compile(r"^\s+(50|99)(?:\.\d+)?%\s+([0-9.]+)(us|ms|s|m)\s*$", re.MULTILINE)
_COUNT = re.compile(r"(\d+) requests in ([0-9.]+)(us|ms|s|m)")
_SOCKET_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")


class LoadError(Exception):
    """wrk is missing, failed, or said something that is not understood."""


@dataclass(frozen=True)
class Outcome:
    """What wrk saw; times are in seconds, `errors` counts broken connections, time-outs and answers that are no 2xx."""

    calls: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def calls_per_second(self) -> float:
        """The throughput."""
        return self.calls / self.seconds if self.seconds else 0.0


def run_wrk(
    url: str, headers: Sequence[str], *, connections: int, seconds: float, script: Path | None = None
) -> Outcome:
    """Call the URL on that many connections, each waiting for its answer before the next call; raises `LoadError`."""
    program = shutil.which("wrk")
    if program is None:
        raise LoadError("wrk is not installed")
    command = [program, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s"]
    command += ["--latency", "--timeout", "10s"]
    for header in headers:
        command += ["--header", header]
    if script is not None:
        command += ["--script", str(script)]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode != 0:
        raise LoadError(f"wrk ended with status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return parse_report(done.stdout)


def parse_report(report: str) -> Outcome:
    """Return what is in wrk's report; raises `LoadError`."""
    count = _COUNT.search(report)
    percentiles = {name: float(value) * _UNITS[unit] for name, value, unit in _PERCENTILE.findall(report)}
    if count is None or set(percentiles) != {"50", "99"}:
        raise LoadError(f"wrk's report is not understood: {report.strip()[:300]}")
    broken = _SOCKET_ERRORS.search(report)
    refused = _REFUSED.search(report)
    errors = sum(map(int, broken.groups())) if broken else 0
    return Outcome(
        calls=int(count[1]),
        seconds=float(count[2]) * _UNITS[count[3]],
        p50=percentiles["50"],
        p99=percentiles["99"],
        errors=errors + (int(refused[1]) if refused else 0),
    )
