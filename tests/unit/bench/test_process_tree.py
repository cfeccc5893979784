"""The cost of a process is that of its whole tree."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.process_tree import cpu_seconds, memory_bytes, resident_bytes, tree

BUSY = "import time; [None for _ in iter(lambda: time.process_time() < 0.3, False)]; print(1, flush=True); input()"
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE).wait()"


def test_descendants_count_while_they_live() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        members = tree(parent.pid)
        assert len(members) == 2
        assert cpu_seconds(parent.pid) >= 0.3
        assert set(memory_bytes(parent.pid)) == set(resident_bytes(parent.pid)) == set(members)
        assert all(size > 0 for size in memory_bytes(parent.pid).values())
        parent.kill()


def test_a_process_that_has_ended_costs_nothing_and_is_no_fault() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert cpu_seconds(ended.pid) == 0.0
    assert memory_bytes(ended.pid) == {}
    assert tree(os.getpid())[0] == os.getpid()
