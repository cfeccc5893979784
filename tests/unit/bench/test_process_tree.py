"""The cost of a process is that of its whole tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.process_tree import cpu_seconds, memory_bytes, resident_bytes, tree

BUSY = "import time; [None for _ in iter(lambda: time.process_time() < 0.3, False)]; print(1, flush=True); input()"
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE).wait()"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", PARENT, BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_descendants_count_while_they_live(parent: subprocess.Popen[bytes]) -> None:
    members = tree(parent.pid)
    assert len(members) == 2
    # The kernel counts in hundredths, rounded down.
    assert cpu_seconds(parent.pid) > 0.25
    assert set(memory_bytes(parent.pid)) == set(resident_bytes(parent.pid)) == set(members)
    assert all(size > 0 for size in memory_bytes(parent.pid).values())


def test_a_process_that_has_ended_costs_nothing_and_is_no_fault() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert cpu_seconds(ended.pid) == 0.0
    assert memory_bytes(ended.pid) == {}
    assert tree(os.getpid())[0] == os.getpid()
