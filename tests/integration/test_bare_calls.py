"""The measurement of the gateway's own code still carries calls through it."""

from __future__ import annotations

import subprocess
import sys


def test_calls_are_carried_one_by_one_and_together() -> None:
    command = [sys.executable, "-m", "bench.bare_calls", "--in-flight", "1,3,130", "--calls", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split("|") for line in done.stdout.splitlines()[2:]]
    assert [int(row[0]) for row in rows] == [1, 3, 130]
    assert all(float(figure) > 0 for row in rows for figure in row)
