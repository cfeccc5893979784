"""Which cores the server under test and the load run on, and how urgently."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cores:
    """`server` has the process under test, `load` everything else; on a machine with one core they are the same."""

    server: frozenset[int]
    load: frozenset[int]

    @property
    def are_apart(self) -> bool:
        """Whether the load takes nothing from the server under test."""
        return not self.server & self.load


def share_out(available: frozenset[int], server_count: int = 1) -> Cores:
    """Return the last cores for the server and the others for the load; all for both where there are too few."""
    ordered = sorted(available)
    if len(ordered) <= server_count:
        return Cores(available, available)
    return Cores(frozenset(ordered[-server_count:]), frozenset(ordered[:-server_count]))


@contextmanager
def running_on(cores: frozenset[int]) -> Iterator[None]:
    """Let what is started meanwhile inherit these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_priority(priority: int) -> None:
    """Give this process, and what it starts from now on, that nice value, if permitted."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, priority)
    raise_group(os.getpid(), priority)


def run_first() -> bool:
    """Let this process, and what it starts, run before all others (`sched(7)`, SCHED_RR); False if not permitted."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True


def raise_group(pid: int, priority: int) -> None:
    """Give the session of that process the nice value among other sessions, if permitted (`sched(7)`, autogroup)."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(priority))
